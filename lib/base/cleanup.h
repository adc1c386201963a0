#pragma once

/* Scoped ownership: a variable marked OWNED is released when its scope ends. */

#include <pthread.h>
#include <unistd.h>

#define OWNED(name) __attribute__((cleanup(name##_release)))

/* Define the release function of a type that has a name##_free. */
#define DEFINE_OWNED(name)                                                                         \
    static inline void name##_release(struct name **owned)                                         \
    {                                                                                              \
        name##_free(*owned);                                                                       \
    }

/* Move an owned pointer out, leaving NULL behind. */
#define TAKE(pointer)                                                                              \
    __extension__({                                                                                \
        __typeof__(pointer) *take_from_ = &(pointer);                                              \
        __typeof__(pointer) taken_ = *take_from_;                                                  \
        *take_from_ = NULL;                                                                        \
        taken_;                                                                                    \
    })

/* OWNED(fd) int fd = -1; closes at scope end. */
static inline void fd_release(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

/* Hold a mutex for the rest of the block: LOCKED(&store->mutex); one a block. */
#define LOCKED(mutex)                                                                              \
    __attribute__((cleanup(cleanup_unlock), unused)) pthread_mutex_t *locked_ = (mutex);           \
    pthread_mutex_lock(locked_)

static inline void cleanup_unlock(pthread_mutex_t **mutex)
{
    pthread_mutex_unlock(*mutex);
}
