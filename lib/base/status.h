#pragma once

/* An outcome is a value: sixteen bytes, no heap, no thread-local state. */

#include <stdbool.h>

/* The one table of codes; lib/rpc maps it to gRPC and back, the frontend to S3 errors. */
#define STATUS_CODES(X)                                                                            \
    X(OK, "ok")                                                                                    \
    X(INVALID, "invalid request")                                                                  \
    X(UNAUTHENTICATED, "not authenticated")                                                        \
    X(DENIED, "permission denied")                                                                 \
    X(NOT_FOUND, "not found")                                                                      \
    X(EXISTS, "already exists")                                                                    \
    X(CONFLICT, "a precondition no longer holds")                                                  \
    X(STALE, "superseded by something newer")                                                      \
    X(CORRUPT, "stored data is damaged")                                                           \
    X(FULL, "no space left")                                                                       \
    X(TOO_LARGE, "a limit was exceeded")                                                           \
    X(RANGE, "range cannot be satisfied")                                                          \
    X(BUSY, "busy, try again")                                                                     \
    X(UNAVAILABLE, "a component is not available")                                                 \
    X(TIMEOUT, "deadline exceeded")                                                                \
    X(CANCELLED, "cancelled")                                                                      \
    X(UNKNOWN, "outcome unknown")                                                                  \
    X(UNSUPPORTED, "not supported")                                                                \
    X(NO_MEMORY, "out of memory")                                                                  \
    X(IO, "input or output failed")                                                                \
    X(INTERNAL, "internal error")

enum status_code {
#define X(name, text) STATUS_##name,
    STATUS_CODES(X)
#undef X
};

struct status {
    enum status_code code; /* What a peer may be told. */
    int cause;             /* The errno behind it, or 0. */
    const char *where;     /* "file:line: what", a literal; never user data. */
};

_Static_assert(sizeof(struct status) == 16, "a status travels in two registers");

#define MUST_CHECK __attribute__((warn_unused_result))

#define OK ((struct status){.code = STATUS_OK})
#define FAIL(name, what) ((struct status){STATUS_##name, 0, STATUS_HERE(what)})
#define FAIL_ERRNO(error, what)                                                                    \
    ((struct status){status_code_of_errno(error), (error), STATUS_HERE(what)})
#define STATUS_HERE(what) __FILE__ ":" STATUS_LINE(__LINE__) ": " what
#define STATUS_LINE(line) STATUS_LINE_(line)
#define STATUS_LINE_(line) #line

/* Return from the calling function if expr, a struct status, is not OK. */
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        struct status try_ = (expr);                                                               \
        if (!status_ok(try_)) {                                                                    \
            return try_;                                                                           \
        }                                                                                          \
    } while (0)

/* Say in the open that a result does not matter; a comment beside it says why. */
#define IGNORE(expr)                                                                               \
    do {                                                                                           \
        __typeof__(expr) ignored_ = (expr);                                                        \
        (void)ignored_;                                                                            \
    } while (0)

static inline bool status_ok(struct status status)
{
    return status.code == STATUS_OK;
}

/* The code that says what an errno means to us; IO where it says nothing. */
enum status_code status_code_of_errno(int error);

/* The fixed text of a code, fit for a peer. */
const char *status_text(enum status_code code);

/* The code's name, such as "NOT_FOUND", for logs. */
const char *status_name(enum status_code code);
