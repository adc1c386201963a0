#pragma once

/* A borrowed view of memory that somebody else owns. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *data;
    size_t size;
};

static inline struct bytes bytes_of(const void *data, size_t size)
{
    return (struct bytes){.data = data, .size = size};
}

/* The characters of a C string, without its NUL. */
static inline struct bytes bytes_text(const char *text)
{
    return (struct bytes){.data = (const uint8_t *)text, .size = strlen(text)};
}

/* View of an array. */
#define BYTES_ARRAY(array) bytes_of((array), sizeof(array))

/* Not constant-time: never for secrets, tags or MACs (see lib/crypto). */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* As memcmp; a shorter prefix comes first. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0) {
        return order;
    }
    return (a.size > b.size) - (a.size < b.size);
}

static inline bool bytes_starts_with(struct bytes whole, struct bytes prefix)
{
    return whole.size >= prefix.size &&
           (prefix.size == 0 || memcmp(whole.data, prefix.data, prefix.size) == 0);
}

/* The part from offset on; offset <= view.size. */
static inline struct bytes bytes_from(struct bytes view, size_t offset)
{
    return bytes_of(view.data + offset, view.size - offset);
}

static inline struct bytes bytes_slice(struct bytes view, size_t offset, size_t size)
{
    return bytes_of(view.data + offset, size);
}
