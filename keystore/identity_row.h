#pragma once

/*
 * Rows of the Identity vault: tenants by name, users by access key. Drawn in identity_row.c and
 * FORMATS.md 10. Decoded values borrow. Damaged bytes: CORRUPT.
 */

#include "keystore/policy.h"
#include "lib/base/buffer.h"
#include "lib/format/ids.h"

enum {
    IDENTITY_NAME_MAX = 63,
    IDENTITY_ACCESS_KEY_SIZE = 20,
    IDENTITY_SECRET_SIZE = 40,
    IDENTITY_ROW_KEY_MAX = 1 + ID16_SIZE + 128,
    IDENTITY_ROW_VALUE_MAX = 60 * 1024,
};

struct identity_tenant_row {
    struct id16 tenant;
    uint8_t admin_key_sha256[32];
    uint64_t created_ms;
};

struct identity_user_row {
    struct id16 tenant;
    bool is_active;
    uint64_t created_ms;
    struct bytes name;
    struct bytes secret_wrapped; /* KWP of the S3 secret. */
    struct policy policy;        /* Resources borrow. */
};

struct identity_row_key {
    uint8_t bytes[IDENTITY_ROW_KEY_MAX];
    size_t size;
};

struct identity_row_key identity_row_tenant(struct bytes name);     /* 't' name */
struct identity_row_key identity_row_user(struct bytes access_key); /* 'u' access key */
/* 'm' tenant16 access key -> nothing: the users of a tenant. */
struct identity_row_key identity_row_member(const struct id16 *tenant, struct bytes access_key);

static inline struct bytes identity_row_view(const struct identity_row_key *key)
{
    return bytes_of(key->bytes, key->size);
}

void identity_row_encode_tenant(struct buffer *to, const struct identity_tenant_row *row);
MUST_CHECK struct status
identity_row_decode_tenant(struct bytes value, struct identity_tenant_row *ret_row);
void identity_row_encode_user(struct buffer *to, const struct identity_user_row *row);
MUST_CHECK struct status
identity_row_decode_user(struct bytes value, struct identity_user_row *ret_row);
