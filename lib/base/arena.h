#pragma once

/*
 * Memory that lives as long as one request and is freed at once.
 *
 * Bounded by a limit given at init; an allocation beyond it, or without memory, is NULL.
 * arena_wipe() makes arena_done() clean everything first, for requests that carry secrets.
 * One thread at a time.
 */

#include "lib/base/bytes.h"

#include <stdarg.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* Owned. */
    size_t used;                /* Bytes handed out and padding. */
    size_t limit;
    bool wipe;
};

void arena_init(struct arena *arena, size_t limit);

/* Clean memory before it is given back; see explicit_bzero(3). */
void arena_wipe(struct arena *arena);

void arena_done(struct arena *arena);

/* Uninitialised memory fit for any type; NULL beyond the limit. */
void *arena_alloc(struct arena *arena, size_t size);

/* The same, zeroed, for count elements. */
void *arena_zalloc(struct arena *arena, size_t count, size_t size);

/* Copies; a NUL follows the bytes, which the view does not count. data is NULL on failure. */
struct bytes arena_copy(struct arena *arena, struct bytes bytes);
char *arena_text(struct arena *arena, struct bytes bytes);
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline void arena_release(struct arena *arena)
{
    arena_done(arena);
}

/* ARENA(name, limit); a local arena freed at scope end. */
#define ARENA(name, limit_)                                                                        \
    __attribute__((cleanup(arena_release))) struct arena name = {.limit = (limit_)}
