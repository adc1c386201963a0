#pragma once

/* Test vectors as hexadecimal text, and keys made of them. */

#include "lib/base/hex.h"
#include "lib/crypto/secret.h"
#include "tests/support/cmocka.h"

#include <stdlib.h>

/* Decode text into to, which has room bytes. */
static inline struct bytes vector_decode(const char *text, uint8_t *to, size_t room)
{
    size_t size = strlen(text) / 2;
    assert_true(size <= room);
    assert_true(hex_decode(bytes_text(text), to, size));
    return bytes_of(to, size);
}

/* VECTOR(name, "00ff"); a local view called name. */
#define VECTOR(name, text)                                                                         \
    uint8_t name##_room[sizeof(text) / 2 + 1];                                                     \
    struct bytes name = vector_decode(text, name##_room, sizeof(name##_room))

/* Compare as text, so that a failure shows both. */
static inline void vector_check(struct bytes got, const char *want)
{
    char *text = malloc(got.size * 2 + 1);
    assert_non_null(text);
    hex_encode(got, text);
    assert_string_equal(text, want);
    free(text);
}

/* count bytes first, first + 1, ... */
static inline struct secret *vector_key(uint8_t first, size_t count)
{
    struct secret *key = NULL;
    assert_ok(secret_new(count, &key));
    for (size_t i = 0; i < count; i++) {
        secret_data(key)[i] = (uint8_t)(first + i);
    }
    return key;
}

static inline struct secret *vector_secret(struct bytes bytes)
{
    struct secret *key = NULL;
    assert_ok(secret_new_copy(bytes, &key));
    return key;
}
