#include "keystore/key_hierarchy.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/kdf.h"

enum { EPOCH_BASE_S = 1577836800 }; /* 2020-01-01: epochs are seconds since. */

struct init_row {
    struct key_row_key key;
    uint8_t value[8 + KEY_WRAP_SIZE];
    size_t size;
};

static struct status put_init_rows(struct kv_view *view, void *arg)
{
    const struct init_row *rows = arg;
    struct bytes found;

    if (status_ok(kv_view_get(view, key_row_view(&rows[0].key), &found))) {
        return FAIL(EXISTS, "the vault has its master key already");
    }
    for (size_t i = 0; i < 4; i++) {
        TRY(kv_view_put(view, key_row_view(&rows[i].key), bytes_of(rows[i].value, rows[i].size)));
    }
    return OK;
}

static struct status
wrap_new_key(struct vault *vault, const char *label, uint8_t ret_wrapped[KEY_WRAP_SIZE])
{
    OWNED(secret) struct secret *kek = NULL;
    OWNED(secret) struct secret *key = NULL;
    uint8_t version[4];

    encode_u32(version, 1);
    TRY(kdf_derive1(vault_root(vault), label, BYTES_ARRAY(version), &kek));
    TRY(secret_new_random(SECRET_KEY_SIZE, &key));
    return key_wrap(kek, key, ret_wrapped);
}

struct status key_hierarchy_init(struct vault *vault)
{
    struct init_row rows[4] = {
        {.key = key_row_master(1), .size = KEY_WRAP_SIZE},
        {.key = key_row_grant(1), .size = 8 + KEY_WRAP_SIZE},
        {.key = key_row_integrity(1), .size = KEY_WRAP_SIZE},
        {.key = key_row_epoch(), .size = 4},
    };

    TRY(wrap_new_key(vault, "triad/v1/mk", rows[0].value));
    encode_u64(rows[1].value, (uint64_t)clock_wall_ms());
    TRY(wrap_new_key(vault, "triad/v1/gk", rows[1].value + 8));
    TRY(wrap_new_key(vault, "triad/v1/ik", rows[2].value));
    encode_u32(rows[3].value, (uint32_t)(clock_wall_s() - EPOCH_BASE_S));
    return vault_apply(vault, put_init_rows, rows);
}
