#pragma once

/*
 * Rows of the Keys vault, drawn in key_row.c and FORMATS.md 10. Decoded values borrow from the
 * bytes they were decoded from. Decoders take damaged bytes: CORRUPT, never more.
 */

#include "lib/base/buffer.h"
#include "lib/capability/keyset.h"
#include "lib/crypto/key_wrap.h"
#include "lib/format/ids.h"
#include "lib/rpc/rpc_identity.h"

enum {
    KEY_ROW_PROTECTORS_MAX = 8,
    KEY_ROW_VERSIONS_MAX = 32,
    KEY_ROW_KEY_MAX = 64, /* The longest row key. */
    KEY_ROW_VALUE_MAX = 8 * 1024,
};

enum tenant_state {
    TENANT_ACTIVE = 1,
    TENANT_DISABLED = 2,
    TENANT_PURGING = 3,
    TENANT_DESTROYED = 4,
};

enum protector_kind {
    PROTECTOR_MASTER = 1,
    PROTECTOR_KEY_VAULT = 2,
    PROTECTOR_TRANSIT = 3,
    PROTECTOR_KMS = 4,
    PROTECTOR_PKCS11 = 5,
    PROTECTOR_AVAILABILITY = 6,
};

enum bucket_state { BUCKET_CREATING = 1, BUCKET_ACTIVE = 2, BUCKET_DELETING = 3 };
enum bucket_parent { BUCKET_PARENT_TENANT = 1, BUCKET_PARENT_POLICY = 2 };
enum { WRAP_ALG_KW = 1 };

struct protector {
    enum protector_kind kind;
    struct bytes ref;
    struct bytes kek_version; /* MASTER: u32 version of MK. */
    uint8_t alg;
    struct bytes wrapped;
};

struct tenant_row {
    struct id16 tenant;
    enum tenant_state state;
    uint32_t tk_ver;
    struct protector protectors[KEY_ROW_PROTECTORS_MAX];
    size_t protectors_count;
};

struct bucket_key_row {
    uint32_t bk_ver;
    enum bucket_parent parent_kind;
    struct id16 parent;
    uint32_t parent_ver;
    uint8_t alg;
    struct bytes wrapped;
};

struct bucket_row {
    struct id16 bucket;
    struct id16 tenant;
    uint8_t name_sha256[32];
    enum bucket_state state;
    uint8_t anonymous_rights;
    uint8_t policy_sha256[32];
    struct id16 policy; /* Zero: the tenant's. */
    uint32_t ak_bk_ver;
    uint8_t ak_wrapped[KEY_WRAP_SIZE];
    struct bucket_key_row versions[KEY_ROW_VERSIONS_MAX]; /* By rising bk_ver. */
    size_t versions_count;
};

struct account_row {
    uint64_t created_ms;
    uint8_t id_key_wrapped[KEY_WRAP_SIZE];
    uint64_t keyset_version; /* The last given out. */
    uint32_t epochs[KEYSET_PERMS];
};

struct pair_row {
    uint8_t alg;
    uint64_t nbf;
    uint64_t naf;
    struct bytes spki;
    struct bytes wrapped; /* PKCS#8 under KWP. */
};

struct online_key_row {
    uint8_t alg;
    struct bytes spki;
    struct bytes wrapped;
    struct bytes delegation; /* Empty before the first. */
};

struct shard_row {
    struct id16 db_uuid; /* Zero before the first open. */
    uint32_t fence;
    uint64_t created_ms;
    struct id16 instance;
    uint32_t anchor_fence;
    uint64_t anchor_seq;
    uint8_t anchor_tag[16];
    uint8_t recovery_salt[16];
    uint8_t recovery_wrapped[KEY_WRAP_SIZE]; /* The recovery key, so that new DEKs get it too. */
};

struct registry_row {
    enum rpc_role role;
    uint64_t not_after;
    uint64_t added;
    uint64_t retire_at; /* 0: not being replaced. */
    struct bytes uri;
};

/* Keys of rows: each begins with a letter of its own. */
struct key_row_key {
    uint8_t bytes[KEY_ROW_KEY_MAX];
    size_t size;
};

struct key_row_key key_row_master(uint32_t version);            /* 'M' -> KW(MK) */
struct key_row_key key_row_grant(uint32_t version);             /* 'G' -> created u64, KW(GK) */
struct key_row_key key_row_integrity(uint32_t version);         /* 'I' -> KW(IK) */
struct key_row_key key_row_epoch(void);                         /* 'E' -> u32 epoch of grants */
struct key_row_key key_row_online(void);                        /* 'O' -> online keyset key */
struct key_row_key key_row_tenant(const struct id16 *tenant);   /* 'T' */
struct key_row_key key_row_bucket(const struct id16 *bucket);   /* 'B' */
struct key_row_key key_row_creating(const struct id16 *bucket); /* 'c' -> created_ms u64 */
struct key_row_key key_row_account(const struct id16 *account); /* 'A' */
struct key_row_key key_row_pair(
    const struct id16 *account, enum token_perm perm, const uint8_t kid[SIGNATURE_KID_SIZE]);
struct key_row_key key_row_pairs_prefix(const struct id16 *account); /* 'P' account */
struct key_row_key key_row_shard(uint32_t shard);                    /* 'S' */
struct key_row_key key_row_certificate(const uint8_t sha256[32]);    /* 'R' */

static inline struct bytes key_row_view(const struct key_row_key *key)
{
    return bytes_of(key->bytes, key->size);
}

void key_row_encode_tenant(struct buffer *to, const struct tenant_row *row);
MUST_CHECK struct status key_row_decode_tenant(struct bytes value, struct tenant_row *ret_row);
void key_row_encode_bucket(struct buffer *to, const struct bucket_row *row);
MUST_CHECK struct status key_row_decode_bucket(struct bytes value, struct bucket_row *ret_row);
void key_row_encode_account(struct buffer *to, const struct account_row *row);
MUST_CHECK struct status key_row_decode_account(struct bytes value, struct account_row *ret_row);
void key_row_encode_pair(struct buffer *to, const struct pair_row *row);
MUST_CHECK struct status key_row_decode_pair(struct bytes value, struct pair_row *ret_row);
void key_row_encode_online(struct buffer *to, const struct online_key_row *row);
MUST_CHECK struct status key_row_decode_online(struct bytes value, struct online_key_row *ret_row);
void key_row_encode_shard(struct buffer *to, const struct shard_row *row);
MUST_CHECK struct status key_row_decode_shard(struct bytes value, struct shard_row *ret_row);
void key_row_encode_certificate(struct buffer *to, const struct registry_row *row);
MUST_CHECK struct status
key_row_decode_certificate(struct bytes value, struct registry_row *ret_row);
