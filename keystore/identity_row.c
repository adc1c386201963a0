/*
 * Rows of the Identity vault.
 *
 *   t name                     tenant16 | SHA-256(admin key) 32 | created_ms u64
 *   u access key 20            tenant16 | state u8 (1 active, 2 disabled) | created_ms u64
 *                              | name len16+bytes
 *                              | KWP(D(root,"triad/v1/s3",SHA-256(access key)), secret) len16+bytes
 *                              | count u16 { actions u8, resource len16+bytes }
 *   m tenant16 access key 20   empty: the users of a tenant
 *
 * actions: 1 read, 2 write, 4 delete, 8 list, 16 admin.
 */

#include "keystore/identity_row.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"

enum { USER_ACTIVE = 1, USER_DISABLED = 2 };

static struct identity_row_key key_of(char letter, struct bytes a, struct bytes b)
{
    struct identity_row_key key = {.size = 1};

    CHECK(1 + a.size + b.size <= sizeof(key.bytes));
    key.bytes[0] = (uint8_t)letter;
    if (a.size > 0) {
        memcpy(key.bytes + 1, a.data, a.size);
    }
    if (b.size > 0) {
        memcpy(key.bytes + 1 + a.size, b.data, b.size);
    }
    key.size += a.size + b.size;
    return key;
}

struct identity_row_key identity_row_tenant(struct bytes name)
{
    return key_of('t', name, bytes_of(NULL, 0));
}

struct identity_row_key identity_row_user(struct bytes access_key)
{
    return key_of('u', access_key, bytes_of(NULL, 0));
}

struct identity_row_key identity_row_member(const struct id16 *tenant, struct bytes access_key)
{
    return key_of('m', id16_view(tenant), access_key);
}

void identity_row_encode_tenant(struct buffer *to, const struct identity_tenant_row *row)
{
    buffer_add(to, id16_view(&row->tenant));
    buffer_add(to, BYTES_ARRAY(row->admin_key_sha256));
    buffer_add_u64(to, row->created_ms);
}

struct status identity_row_decode_tenant(struct bytes value, struct identity_tenant_row *ret_row)
{
    struct reader reader = reader_of(value);
    struct identity_tenant_row row;

    reader_copy(&reader, row.tenant.bytes, ID16_SIZE);
    reader_copy(&reader, row.admin_key_sha256, sizeof(row.admin_key_sha256));
    row.created_ms = reader_u64(&reader);
    if (!reader_finish(&reader)) {
        return FAIL(CORRUPT, "tenant row of the Identity vault");
    }
    *ret_row = row;
    return OK;
}

static void add_text(struct buffer *to, struct bytes bytes)
{
    CHECK(bytes.size <= UINT16_MAX);
    buffer_add_u16(to, (uint16_t)bytes.size);
    buffer_add(to, bytes);
}

void identity_row_encode_user(struct buffer *to, const struct identity_user_row *row)
{
    buffer_add(to, id16_view(&row->tenant));
    buffer_add_u8(to, row->is_active ? USER_ACTIVE : USER_DISABLED);
    buffer_add_u64(to, row->created_ms);
    add_text(to, row->name);
    add_text(to, row->secret_wrapped);
    policy_encode(to, &row->policy);
}

struct status identity_row_decode_user(struct bytes value, struct identity_user_row *ret_row)
{
    struct reader reader = reader_of(value);
    struct identity_user_row *row = ret_row;

    reader_copy(&reader, row->tenant.bytes, ID16_SIZE);
    uint8_t state = reader_u8(&reader);
    row->is_active = state == USER_ACTIVE;
    row->created_ms = reader_u64(&reader);
    row->name = reader_take(&reader, reader_u16(&reader));
    row->secret_wrapped = reader_take(&reader, reader_u16(&reader));
    if (!policy_decode(&reader, &row->policy) || !reader_finish(&reader) ||
        (state != USER_ACTIVE && state != USER_DISABLED)) {
        return FAIL(CORRUPT, "user row of the Identity vault");
    }
    return OK;
}
