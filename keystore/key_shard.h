#pragma once

/*
 * What the key store gives to a content DB: the keys of a shard, its last anchor, and the keys
 * that check grants. Owned values; secrets are wiped when freed. One thread at a time.
 */

#include "lib/crypto/secret.h"
#include "lib/format/ids.h"

enum { KEY_SHARD_DEKS_MAX = 16, KEY_SHARD_GRANT_KEYS_MAX = 16, KEY_SHARD_WRAPPED_MAX = 128 };
enum { KEY_SHARD_CERTIFICATES_MAX = 4096 };

struct key_shard_anchor {
    uint32_t fence;
    uint64_t seq;
    uint8_t chain_tag[16];
};

/* One version of a shard's DEK as its store keeps it. */
struct key_shard_wrapped {
    uint32_t version;
    uint8_t wrapped[KEY_SHARD_WRAPPED_MAX]; /* By the key store. */
    size_t wrapped_size;
    uint8_t recovery[KEY_SHARD_WRAPPED_MAX]; /* Under the recovery code. */
    size_t recovery_size;
};

struct key_shard_dek {
    struct key_shard_wrapped wrapped; /* To be kept, instead of what was sent. */
    struct secret *key;               /* Owned. DEK_v */
};

/* Who may come, and with what: K_grant by key_no and hour (exp / 3600), and the registry. */
struct key_grant_keys {
    uint32_t min_epoch;
    struct {
        uint32_t key_no;
        uint32_t hour;
        struct secret *key; /* Owned. */
    } keys[KEY_SHARD_GRANT_KEYS_MAX];
    size_t count;
    uint8_t (*certificates)[32]; /* Owned. SHA-256 of each live service certificate. */
    size_t certificates_count;
};

struct key_shard {
    uint32_t fence;                                /* Of this open. */
    struct key_shard_dek deks[KEY_SHARD_DEKS_MAX]; /* By rising version; the last is current. */
    size_t deks_count;
    struct key_shard_anchor anchor; /* All zero before the first. */
    struct key_grant_keys *grants;  /* Owned. */
};

void key_shard_free(struct key_shard *shard);
void key_grant_keys_free(struct key_grant_keys *keys);

/* NULL where there is none. Borrowed. */
const struct secret *
key_grant_keys_find(const struct key_grant_keys *keys, uint32_t key_no, uint32_t hour);

/* True if that certificate is registered. */
bool key_grant_keys_registered(const struct key_grant_keys *keys, const uint8_t sha256[32]);

DEFINE_OWNED(key_shard)
DEFINE_OWNED(key_grant_keys)
