/*
 * Rows of the Keys vault. A row key is a letter, then the fields named; integers big-endian.
 *
 *   M ver u32                      KW(D(root,"triad/v1/mk",u32 ver), MK) 40
 *   G ver u32                      created_ms u64 | KW(D(root,"triad/v1/gk",u32 ver), GK) 40
 *   I ver u32                      KW(D(root,"triad/v1/ik",u32 ver), IK) 40
 *   E                              epoch u32: of grants given now; lower ones are refused
 *   O                              online keyset key: alg u8 | spki len16+bytes
 *                                  | KWP(PKCS#8) len16+bytes | delegation len16+bytes
 *   T tenant16                     tenant of FORMATS 9
 *   B bucket16                     bucket of FORMATS 9
 *   c bucket16                     created_ms u64, while the bucket is creating
 *   A account16                    created_ms u64 | KW(IDK) 40 | keyset version u64 | epoch u32 x 5
 *   P account16 perm u8 kid8       alg u8 | nbf u64 | naf u64 | spki len16+bytes
 *                                  | KWP(PKCS#8) len16+bytes
 *   S shard u32                    db_uuid16 | fence u32 | created_ms u64 | instance16
 *                                  | anchor: fence u32, seq u64, tag16 | recovery salt16
 *                                  | KW(recovery key) 40
 *   R sha256 of certificate 32     role u8 | not_after u64 | added u64 | retire_at u64
 *                                  | uri len16+bytes
 */

#include "keystore/key_row.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"

static struct key_row_key key_of(char letter, struct bytes a, struct bytes b, struct bytes c)
{
    struct key_row_key key = {.size = 1};

    CHECK(1 + a.size + b.size + c.size <= sizeof(key.bytes));
    key.bytes[0] = (uint8_t)letter;
    const struct bytes parts[] = {a, b, c};
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].size > 0) {
            memcpy(key.bytes + key.size, parts[i].data, parts[i].size);
        }
        key.size += parts[i].size;
    }
    return key;
}

static const struct bytes nothing = {.data = NULL, .size = 0};

static struct key_row_key key_of_u32(char letter, uint32_t number)
{
    uint8_t encoded[4];

    encode_u32(encoded, number);
    return key_of(letter, BYTES_ARRAY(encoded), nothing, nothing);
}

struct key_row_key key_row_master(uint32_t version)
{
    return key_of_u32('M', version);
}

struct key_row_key key_row_grant(uint32_t version)
{
    return key_of_u32('G', version);
}

struct key_row_key key_row_integrity(uint32_t version)
{
    return key_of_u32('I', version);
}

struct key_row_key key_row_epoch(void)
{
    return key_of('E', nothing, nothing, nothing);
}

struct key_row_key key_row_online(void)
{
    return key_of('O', nothing, nothing, nothing);
}

struct key_row_key key_row_tenant(const struct id16 *tenant)
{
    return key_of('T', id16_view(tenant), nothing, nothing);
}

struct key_row_key key_row_bucket(const struct id16 *bucket)
{
    return key_of('B', id16_view(bucket), nothing, nothing);
}

struct key_row_key key_row_creating(const struct id16 *bucket)
{
    return key_of('c', id16_view(bucket), nothing, nothing);
}

struct key_row_key key_row_account(const struct id16 *account)
{
    return key_of('A', id16_view(account), nothing, nothing);
}

struct key_row_key key_row_pair(
    const struct id16 *account, enum token_perm perm, const uint8_t kid[SIGNATURE_KID_SIZE])
{
    uint8_t bit = (uint8_t)perm;

    return key_of('P', id16_view(account), bytes_of(&bit, 1), bytes_of(kid, SIGNATURE_KID_SIZE));
}

struct key_row_key key_row_pairs_prefix(const struct id16 *account)
{
    return key_of('P', id16_view(account), nothing, nothing);
}

struct key_row_key key_row_shard(uint32_t shard)
{
    return key_of_u32('S', shard);
}

struct key_row_key key_row_certificate(const uint8_t sha256[32])
{
    return key_of('R', bytes_of(sha256, 32), nothing, nothing);
}

/* ---- fields ---- */

static void add_text(struct buffer *to, struct bytes bytes)
{
    CHECK(bytes.size <= UINT16_MAX);
    buffer_add_u16(to, (uint16_t)bytes.size);
    buffer_add(to, bytes);
}

static struct bytes take_text(struct reader *reader)
{
    return reader_take(reader, reader_u16(reader));
}

static struct id16 take_id(struct reader *reader)
{
    struct id16 id;

    reader_copy(reader, id.bytes, ID16_SIZE);
    return id;
}

/* An enum byte between 1 and max; anything else fails the reader. */
static uint8_t take_enum(struct reader *reader, uint8_t max)
{
    uint8_t value = reader_u8(reader);

    if (value < 1 || value > max) {
        reader->failed = true;
        return 1;
    }
    return value;
}

static size_t take_count(struct reader *reader, size_t max)
{
    size_t count = reader_u16(reader);

    if (count > max) {
        reader->failed = true;
        return 0;
    }
    return count;
}

static struct status finished(const struct reader *reader)
{
    return reader_finish(reader) ? OK : FAIL(CORRUPT, "row of the Keys vault");
}

/* ---- tenant ---- */

void key_row_encode_tenant(struct buffer *to, const struct tenant_row *row)
{
    CHECK(row->protectors_count <= KEY_ROW_PROTECTORS_MAX);
    buffer_add(to, id16_view(&row->tenant));
    buffer_add_u8(to, (uint8_t)row->state);
    buffer_add_u32(to, row->tk_ver);
    buffer_add_u16(to, (uint16_t)row->protectors_count);
    for (size_t i = 0; i < row->protectors_count; i++) {
        const struct protector *protector = &row->protectors[i];
        buffer_add_u8(to, (uint8_t)protector->kind);
        add_text(to, protector->ref);
        add_text(to, protector->kek_version);
        buffer_add_u8(to, protector->alg);
        add_text(to, protector->wrapped);
    }
}

struct status key_row_decode_tenant(struct bytes value, struct tenant_row *ret_row)
{
    struct reader reader = reader_of(value);
    struct tenant_row row = {.tenant = take_id(&reader)};

    row.state = (enum tenant_state)take_enum(&reader, TENANT_DESTROYED);
    row.tk_ver = reader_u32(&reader);
    row.protectors_count = take_count(&reader, KEY_ROW_PROTECTORS_MAX);
    for (size_t i = 0; i < row.protectors_count; i++) {
        struct protector *protector = &row.protectors[i];
        protector->kind = (enum protector_kind)take_enum(&reader, PROTECTOR_AVAILABILITY);
        protector->ref = take_text(&reader);
        protector->kek_version = take_text(&reader);
        protector->alg = take_enum(&reader, WRAP_ALG_KW);
        protector->wrapped = take_text(&reader);
    }
    TRY(finished(&reader));
    *ret_row = row;
    return OK;
}

/* ---- bucket ---- */

void key_row_encode_bucket(struct buffer *to, const struct bucket_row *row)
{
    CHECK(row->versions_count <= KEY_ROW_VERSIONS_MAX);
    buffer_add(to, id16_view(&row->bucket));
    buffer_add(to, id16_view(&row->tenant));
    buffer_add(to, BYTES_ARRAY(row->name_sha256));
    buffer_add_u8(to, (uint8_t)row->state);
    buffer_add_u8(to, row->anonymous_rights);
    buffer_add(to, BYTES_ARRAY(row->policy_sha256));
    buffer_add(to, id16_view(&row->policy));
    buffer_add_u32(to, row->ak_bk_ver);
    buffer_add(to, BYTES_ARRAY(row->ak_wrapped));
    buffer_add_u16(to, (uint16_t)row->versions_count);
    for (size_t i = 0; i < row->versions_count; i++) {
        const struct bucket_key_row *version = &row->versions[i];
        buffer_add_u32(to, version->bk_ver);
        buffer_add_u8(to, (uint8_t)version->parent_kind);
        buffer_add(to, id16_view(&version->parent));
        buffer_add_u32(to, version->parent_ver);
        buffer_add_u8(to, version->alg);
        add_text(to, version->wrapped);
    }
}

static void take_bucket_key(struct reader *reader, struct bucket_key_row *version)
{
    version->bk_ver = reader_u32(reader);
    version->parent_kind = (enum bucket_parent)take_enum(reader, BUCKET_PARENT_POLICY);
    version->parent = take_id(reader);
    version->parent_ver = reader_u32(reader);
    version->alg = take_enum(reader, WRAP_ALG_KW);
    version->wrapped = take_text(reader);
}

struct status key_row_decode_bucket(struct bytes value, struct bucket_row *ret_row)
{
    struct reader reader = reader_of(value);
    struct bucket_row *row = ret_row;

    row->bucket = take_id(&reader);
    row->tenant = take_id(&reader);
    reader_copy(&reader, row->name_sha256, sizeof(row->name_sha256));
    row->state = (enum bucket_state)take_enum(&reader, BUCKET_DELETING);
    row->anonymous_rights = reader_u8(&reader);
    reader_copy(&reader, row->policy_sha256, sizeof(row->policy_sha256));
    row->policy = take_id(&reader);
    row->ak_bk_ver = reader_u32(&reader);
    reader_copy(&reader, row->ak_wrapped, sizeof(row->ak_wrapped));
    row->versions_count = take_count(&reader, KEY_ROW_VERSIONS_MAX);
    for (size_t i = 0; i < row->versions_count; i++) {
        take_bucket_key(&reader, &row->versions[i]);
    }
    if (row->versions_count == 0) {
        reader.failed = true;
    }
    return finished(&reader);
}

/* ---- accounts ---- */

void key_row_encode_account(struct buffer *to, const struct account_row *row)
{
    buffer_add_u64(to, row->created_ms);
    buffer_add(to, BYTES_ARRAY(row->id_key_wrapped));
    buffer_add_u64(to, row->keyset_version);
    for (size_t i = 0; i < KEYSET_PERMS; i++) {
        buffer_add_u32(to, row->epochs[i]);
    }
}

struct status key_row_decode_account(struct bytes value, struct account_row *ret_row)
{
    struct reader reader = reader_of(value);
    struct account_row row = {.created_ms = reader_u64(&reader)};

    reader_copy(&reader, row.id_key_wrapped, sizeof(row.id_key_wrapped));
    row.keyset_version = reader_u64(&reader);
    for (size_t i = 0; i < KEYSET_PERMS; i++) {
        row.epochs[i] = reader_u32(&reader);
    }
    TRY(finished(&reader));
    *ret_row = row;
    return OK;
}

void key_row_encode_pair(struct buffer *to, const struct pair_row *row)
{
    buffer_add_u8(to, row->alg);
    buffer_add_u64(to, row->nbf);
    buffer_add_u64(to, row->naf);
    add_text(to, row->spki);
    add_text(to, row->wrapped);
}

struct status key_row_decode_pair(struct bytes value, struct pair_row *ret_row)
{
    struct reader reader = reader_of(value);
    struct pair_row row = {.alg = take_enum(&reader, SIGNATURE_P256)};

    row.nbf = reader_u64(&reader);
    row.naf = reader_u64(&reader);
    row.spki = take_text(&reader);
    row.wrapped = take_text(&reader);
    TRY(finished(&reader));
    *ret_row = row;
    return OK;
}

void key_row_encode_online(struct buffer *to, const struct online_key_row *row)
{
    buffer_add_u8(to, row->alg);
    add_text(to, row->spki);
    add_text(to, row->wrapped);
    add_text(to, row->delegation);
}

struct status key_row_decode_online(struct bytes value, struct online_key_row *ret_row)
{
    struct reader reader = reader_of(value);
    struct online_key_row row = {.alg = take_enum(&reader, SIGNATURE_P256)};

    row.spki = take_text(&reader);
    row.wrapped = take_text(&reader);
    row.delegation = take_text(&reader);
    TRY(finished(&reader));
    *ret_row = row;
    return OK;
}

/* ---- shards ---- */

void key_row_encode_shard(struct buffer *to, const struct shard_row *row)
{
    buffer_add(to, id16_view(&row->db_uuid));
    buffer_add_u32(to, row->fence);
    buffer_add_u64(to, row->created_ms);
    buffer_add(to, id16_view(&row->instance));
    buffer_add_u32(to, row->anchor_fence);
    buffer_add_u64(to, row->anchor_seq);
    buffer_add(to, BYTES_ARRAY(row->anchor_tag));
    buffer_add(to, BYTES_ARRAY(row->recovery_salt));
    buffer_add(to, BYTES_ARRAY(row->recovery_wrapped));
}

struct status key_row_decode_shard(struct bytes value, struct shard_row *ret_row)
{
    struct reader reader = reader_of(value);
    struct shard_row row = {.db_uuid = take_id(&reader)};

    row.fence = reader_u32(&reader);
    row.created_ms = reader_u64(&reader);
    row.instance = take_id(&reader);
    row.anchor_fence = reader_u32(&reader);
    row.anchor_seq = reader_u64(&reader);
    reader_copy(&reader, row.anchor_tag, sizeof(row.anchor_tag));
    reader_copy(&reader, row.recovery_salt, sizeof(row.recovery_salt));
    reader_copy(&reader, row.recovery_wrapped, sizeof(row.recovery_wrapped));
    TRY(finished(&reader));
    *ret_row = row;
    return OK;
}

/* ---- registry ---- */

void key_row_encode_certificate(struct buffer *to, const struct registry_row *row)
{
    buffer_add_u8(to, (uint8_t)row->role);
    buffer_add_u64(to, row->not_after);
    buffer_add_u64(to, row->added);
    buffer_add_u64(to, row->retire_at);
    add_text(to, row->uri);
}

struct status key_row_decode_certificate(struct bytes value, struct registry_row *ret_row)
{
    struct reader reader = reader_of(value);
    struct registry_row row = {.role = (enum rpc_role)reader_u8(&reader)};

    row.not_after = reader_u64(&reader);
    row.added = reader_u64(&reader);
    row.retire_at = reader_u64(&reader);
    row.uri = take_text(&reader);
    if (row.uri.size > RPC_URI_MAX) {
        reader.failed = true;
    }
    TRY(finished(&reader));
    *ret_row = row;
    return OK;
}
