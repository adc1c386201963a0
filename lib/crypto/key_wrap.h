#pragma once

/* AES-256 key wrap: RFC 3394 for 32-byte keys, RFC 5649 (padded) for other lengths. */

#include "lib/base/buffer.h"
#include "lib/crypto/secret.h"

enum { KEY_WRAP_SIZE = 40 };

/* 32 -> 40 bytes. */
MUST_CHECK struct status
key_wrap(const struct secret *kek, const struct secret *key, uint8_t ret_wrapped[KEY_WRAP_SIZE]);

/* CORRUPT if the wrapped key was not made under kek. wrapped has 40 bytes, else INVALID. */
MUST_CHECK struct status
key_unwrap(const struct secret *kek, struct bytes wrapped, struct secret **ret_key);

/* Any length from 1 to SECRET_SIZE_MAX; appends to wrapped. */
MUST_CHECK struct status
key_wrap_padded(const struct secret *kek, const struct secret *key, struct buffer *wrapped);
MUST_CHECK struct status
key_unwrap_padded(const struct secret *kek, struct bytes wrapped, struct secret **ret_key);
