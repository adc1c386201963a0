#include "lib/base/address.h"

#include <netdb.h>
#include <string.h>

enum { HOST_MAX = 256 };

struct status address_resolve(const char *text, int flags, struct addrinfo **ret_list)
{
    char host[HOST_MAX];
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon[1] == '\0') {
        return FAIL(INVALID, "an address that is not host:port");
    }
    size_t size = (size_t)(colon - text);
    if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
        text++;
        size -= 2;
    }
    if (size >= sizeof(host)) {
        return FAIL(INVALID, "the host of an address is too long");
    }
    memcpy(host, text, size);
    host[size] = '\0';
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = flags | AI_NUMERICSERV,
    };
    if (getaddrinfo(size == 0 ? NULL : host, colon + 1, &hints, ret_list) != 0) {
        return FAIL(INVALID, "the host of an address has none, or its port is no number");
    }
    return OK;
}
