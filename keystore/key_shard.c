#include "keystore/key_shard.h"

#include <stdlib.h>
#include <string.h>

void key_shard_free(struct key_shard *shard)
{
    if (shard == NULL) {
        return;
    }
    for (size_t i = 0; i < shard->deks_count; i++) {
        secret_free(shard->deks[i].key);
    }
    key_grant_keys_free(shard->grants);
    free(shard);
}

void key_grant_keys_free(struct key_grant_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    for (size_t i = 0; i < keys->count; i++) {
        secret_free(keys->keys[i].key);
    }
    free(keys->certificates);
    free(keys);
}

bool key_grant_keys_registered(const struct key_grant_keys *keys, const uint8_t sha256[32])
{
    for (size_t i = 0; i < keys->certificates_count; i++) {
        if (memcmp(keys->certificates[i], sha256, sizeof(keys->certificates[i])) == 0) {
            return true;
        }
    }
    return false;
}

const struct secret *
key_grant_keys_find(const struct key_grant_keys *keys, uint32_t key_no, uint32_t hour)
{
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->keys[i].key_no == key_no && keys->keys[i].hour == hour) {
            return keys->keys[i].key;
        }
    }
    return NULL;
}
