#include "lib/base/arena.h"

#include "lib/base/check.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_BLOCK = 8192 };

struct arena_block {
    struct arena_block *next; /* Owned. */
    size_t size;              /* Of data. */
    size_t used;
    alignas(max_align_t) uint8_t data[];
};

void arena_init(struct arena *arena, size_t limit)
{
    *arena = (struct arena){.limit = limit};
}

void arena_wipe(struct arena *arena)
{
    arena->wipe = true;
}

void arena_done(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct arena_block *block = arena->blocks;
        arena->blocks = block->next;
        if (arena->wipe) {
            explicit_bzero(block->data, block->used);
        }
        free(block);
    }
    arena->used = 0;
}

static struct arena_block *new_block(struct arena *arena, size_t size)
{
    size_t room = size > ARENA_BLOCK / 4 ? size : ARENA_BLOCK;
    struct arena_block *block = malloc(sizeof(*block) + room);
    if (block == NULL) {
        return NULL;
    }
    block->size = room;
    block->used = 0;
    /* A block for one large piece goes behind the current one, which still has room. */
    if (arena->blocks != NULL && room == size) {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        block->next = arena->blocks;
        arena->blocks = block;
    }
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t align = alignof(max_align_t);
    if (size > arena->limit || arena->used > arena->limit - size) {
        return NULL;
    }
    size_t rounded = (size + align - 1) / align * align;
    rounded = rounded == 0 ? align : rounded;
    struct arena_block *block = arena->blocks;
    if (block == NULL || rounded > block->size - block->used) {
        block = new_block(arena, rounded);
        if (block == NULL) {
            return NULL;
        }
    }
    void *memory = block->data + block->used;
    block->used += rounded;
    arena->used += rounded;
    CHECK(block->used <= block->size);
    return memory;
}

void *arena_zalloc(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        return NULL;
    }
    void *memory = arena_alloc(arena, total);
    if (memory != NULL) {
        memset(memory, 0, total);
    }
    return memory;
}

char *arena_text(struct arena *arena, struct bytes bytes)
{
    char *text = arena_alloc(arena, bytes.size + 1);
    if (text != NULL) {
        if (bytes.size > 0) {
            memcpy(text, bytes.data, bytes.size);
        }
        text[bytes.size] = '\0';
    }
    return text;
}

struct bytes arena_copy(struct arena *arena, struct bytes bytes)
{
    char *text = arena_text(arena, bytes);
    return bytes_of(text, text == NULL ? 0 : bytes.size);
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(size >= 0);
    char *text = arena_alloc(arena, (size_t)size + 1);
    if (text == NULL) {
        return NULL;
    }
    va_start(arguments, format);
    vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    return text;
}
