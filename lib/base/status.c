#include "lib/base/status.h"

#include <errno.h>

enum status_code status_code_of_errno(int error)
{
    switch (error) {
    case ENOENT:
        return STATUS_NOT_FOUND;
    case EEXIST:
        return STATUS_EXISTS;
    case ENOSPC:
    case EDQUOT:
        return STATUS_FULL;
    case ENOMEM:
        return STATUS_NO_MEMORY;
    case EACCES:
    case EPERM:
        return STATUS_DENIED;
    case ETIMEDOUT:
        return STATUS_TIMEOUT;
    default:
        return STATUS_IO;
    }
}

const char *status_text(enum status_code code)
{
    switch (code) {
#define X(name, text)                                                                              \
    case STATUS_##name:                                                                            \
        return text;
        STATUS_CODES(X)
#undef X
    }
    return "unknown status";
}

const char *status_name(enum status_code code)
{
    switch (code) {
#define X(name, text)                                                                              \
    case STATUS_##name:                                                                            \
        return #name;
        STATUS_CODES(X)
#undef X
    }
    return "?";
}
