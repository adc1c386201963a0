#include "keystore/keysets.h"

#include "keystore/account_keys.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/base/map.h"
#include "lib/crypto/kdf.h"

#include <stdlib.h>

enum { REUSE_MS = 120 * 1000, DELEGATION_MAX = 1024, MARGIN_S = 60 };

struct signed_keyset {
    int64_t made_ms;
    size_t size;
    uint8_t bytes[];
};

struct keysets {
    struct vault *vault; /* Outlives us. */
    pthread_mutex_t mutex;
    struct map *cache; /* Owned, values too: struct signed_keyset by account16. */
};

/* ---- the online key ---- */

static struct status online_kek(struct vault *vault, struct bytes spki, struct secret **ret_kek)
{
    uint8_t kid[SIGNATURE_KID_SIZE];

    TRY(signature_kid(spki, kid));
    return kdf_derive1(vault_root(vault), "triad/v1/sign", BYTES_ARRAY(kid), ret_kek);
}

static struct status put_online(struct kv_view *view, void *arg)
{
    const struct bytes *value = arg;
    struct key_row_key key = key_row_online();
    struct bytes found;

    if (status_ok(kv_view_get(view, key_row_view(&key), &found))) {
        return FAIL(EXISTS, "online keyset key");
    }
    return kv_view_put(view, key_row_view(&key), *value);
}

struct status keysets_init(struct vault *vault)
{
    OWNED(secret) struct secret *pkcs8 = NULL;
    OWNED(secret) struct secret *kek = NULL;
    BUFFER(spki, SIGNATURE_SPKI_MAX);
    BUFFER(wrapped, 512);
    BUFFER(value, KEY_ROW_VALUE_MAX);

    TRY(signature_generate(SIGNATURE_ED25519, &pkcs8, &spki));
    TRY(online_kek(vault, buffer_bytes(&spki), &kek));
    TRY(key_wrap_padded(kek, pkcs8, &wrapped));
    struct online_key_row row = {
        .alg = SIGNATURE_ED25519,
        .spki = buffer_bytes(&spki),
        .wrapped = buffer_bytes(&wrapped),
    };
    key_row_encode_online(&value, &row);
    TRY(buffer_status(&value));
    struct bytes view = buffer_bytes(&value);
    return vault_apply(vault, put_online, &view);
}

static struct status
read_online(struct keysets *keysets, struct buffer *value, struct online_key_row *ret_row)
{
    struct key_row_key key = key_row_online();

    TRY(vault_get(keysets->vault, key_row_view(&key), value));
    return key_row_decode_online(buffer_bytes(value), ret_row);
}

/* ---- life ---- */

struct status keysets_new(struct vault *vault, struct keysets **ret_keysets)
{
    OWNED(keysets) struct keysets *keysets = calloc(1, sizeof(*keysets));
    if (keysets == NULL) {
        return FAIL(NO_MEMORY, "keysets");
    }
    keysets->vault = vault;
    pthread_mutex_init(&keysets->mutex, NULL);
    TRY(map_new(ID16_SIZE, &keysets->cache));
    *ret_keysets = TAKE(keysets);
    return OK;
}

void keysets_forget(struct keysets *keysets)
{
    const void *key = NULL;
    void *value = NULL;
    size_t cursor = 0;

    LOCKED(&keysets->mutex);
    while (map_next(keysets->cache, &cursor, &key, &value)) {
        struct id16 account;
        memcpy(account.bytes, key, ID16_SIZE);
        map_remove(keysets->cache, account.bytes);
        free(value);
    }
}

void keysets_free(struct keysets *keysets)
{
    if (keysets == NULL) {
        return;
    }
    if (keysets->cache != NULL) {
        keysets_forget(keysets);
    }
    map_free(keysets->cache);
    pthread_mutex_destroy(&keysets->mutex);
    free(keysets);
}

/* ---- delegation ---- */

struct status keysets_request(
    struct keysets *keysets, uint8_t *ret_alg, struct buffer *spki, struct buffer *delegation)
{
    BUFFER(value, KEY_ROW_VALUE_MAX);
    struct online_key_row row;

    TRY(read_online(keysets, &value, &row));
    *ret_alg = row.alg;
    buffer_add(spki, row.spki);
    buffer_add(delegation, row.delegation);
    TRY(buffer_status(spki));
    return buffer_status(delegation);
}

/* "TKD1" | alg u8 | 0^3 | nbf u64 | naf u64 | len u16 | spki | sig_len u16 | signature: the root is
 * pinned at the blob nodes, so the signature is theirs to verify; here: is it of our key? */
static struct status
check_delegation(struct bytes delegation, const struct online_key_row *row, uint64_t *ret_naf)
{
    struct reader reader = reader_of(delegation);
    struct bytes magic = reader_take(&reader, 4);
    uint8_t alg = reader_u8(&reader);

    reader_zeros(&reader, 3);
    reader_u64(&reader);
    uint64_t naf = reader_u64(&reader);
    struct bytes spki = reader_take(&reader, reader_u16(&reader));
    reader_take(&reader, reader_u16(&reader));
    if (!reader_finish(&reader) || !bytes_equal(magic, bytes_text("TKD1"))) {
        return FAIL(INVALID, "not a delegation");
    }
    if (alg != row->alg || !bytes_equal(spki, row->spki)) {
        return FAIL(INVALID, "delegation of another key: request it anew");
    }
    if (naf <= (uint64_t)clock_wall_s()) {
        return FAIL(INVALID, "delegation is over");
    }
    *ret_naf = naf;
    return OK;
}

struct status keysets_delegate(struct keysets *keysets, struct bytes delegation, uint64_t *ret_naf)
{
    BUFFER(value, KEY_ROW_VALUE_MAX);
    BUFFER(changed, KEY_ROW_VALUE_MAX);
    struct online_key_row row;
    struct key_row_key key = key_row_online();

    if (delegation.size > DELEGATION_MAX) {
        return FAIL(INVALID, "delegation is too long");
    }
    TRY(read_online(keysets, &value, &row));
    TRY(check_delegation(delegation, &row, ret_naf));
    row.delegation = delegation;
    key_row_encode_online(&changed, &row);
    TRY(buffer_status(&changed));
    TRY(vault_put(keysets->vault, key_row_view(&key), buffer_bytes(&changed)));
    keysets_forget(keysets);
    return OK;
}

static bool is_in_force(const struct online_key_row *row)
{
    uint64_t naf = 0;

    return row->delegation.size > 0 && status_ok(check_delegation(row->delegation, row, &naf));
}

bool keysets_is_delegated(struct keysets *keysets)
{
    BUFFER(value, KEY_ROW_VALUE_MAX);
    struct online_key_row row;

    return status_ok(read_online(keysets, &value, &row)) && is_in_force(&row);
}

/* ---- signing ---- */

/* The next version of an account's keyset: what is signed must be durable here first, so that a
 * restart never gives a lower one. */
struct version_plan {
    const struct id16 *account;
    uint64_t now_ms;
    struct account_row row; /* Result. */
};

static struct status bump_version(struct kv_view *view, void *arg)
{
    struct version_plan *plan = arg;
    struct key_row_key key = key_row_account(plan->account);
    BUFFER(value, KEY_ROW_VALUE_MAX);
    struct bytes found;

    TRY(kv_view_get(view, key_row_view(&key), &found));
    TRY(key_row_decode_account(found, &plan->row));
    uint64_t next = plan->row.keyset_version + 1;
    plan->row.keyset_version = next > plan->now_ms ? next : plan->now_ms;
    key_row_encode_account(&value, &plan->row);
    TRY(buffer_status(&value));
    return kv_view_put(view, key_row_view(&key), buffer_bytes(&value));
}

/* Public halves for a keyset; their bytes are copied into spkis. */
struct gathering {
    uint64_t now_s;
    struct keyset_key keys[KEYSET_KEYS_MAX];
    uint8_t spkis[KEYSET_KEYS_MAX][SIGNATURE_SPKI_MAX];
    size_t count;
};

static struct status gather(
    void *context, enum token_perm perm, const uint8_t kid[SIGNATURE_KID_SIZE],
    const struct pair_row *pair)
{
    struct gathering *gathering = context;

    if (pair->naf + MARGIN_S < gathering->now_s) {
        return OK;
    }
    if (gathering->count == KEYSET_KEYS_MAX || pair->spki.size > SIGNATURE_SPKI_MAX) {
        return FAIL(CORRUPT, "signing pairs of an account");
    }
    size_t i = gathering->count++;
    memcpy(gathering->spkis[i], pair->spki.data, pair->spki.size);
    gathering->keys[i] = (struct keyset_key){
        .perm = (uint8_t)perm,
        .alg = pair->alg,
        .nbf = pair->nbf,
        .naf = pair->naf,
        .spki = bytes_of(gathering->spkis[i], pair->spki.size),
    };
    memcpy(gathering->keys[i].kid, kid, SIGNATURE_KID_SIZE);
    return OK;
}

static struct status sign(
    struct keysets *keysets, const struct id16 *account, const struct account_row *account_row,
    const struct gathering *gathering, struct buffer *keyset)
{
    BUFFER(value, KEY_ROW_VALUE_MAX);
    struct online_key_row online;
    OWNED(secret) struct secret *kek = NULL;
    OWNED(secret) struct secret *pkcs8 = NULL;
    struct keyset_content content = {
        .account = *account,
        .version = account_row->keyset_version,
        .issued = gathering->now_s,
        .valid_until = gathering->now_s + KEYSET_VALID_S,
        .keys = gathering->keys,
        .keys_count = gathering->count,
    };

    memcpy(content.min_epoch, account_row->epochs, sizeof(content.min_epoch));
    TRY(read_online(keysets, &value, &online));
    if (!is_in_force(&online)) {
        return FAIL(UNAVAILABLE, "no delegation in force: run triad pki delegate");
    }
    TRY(online_kek(keysets->vault, online.spki, &kek));
    TRY(key_unwrap_padded(kek, online.wrapped, &pkcs8));
    return keyset_sign(&content, online.delegation, (enum signature_alg)online.alg, pkcs8, keyset);
}

static struct status
make(struct keysets *keysets, const struct id16 *account, struct buffer *keyset)
{
    struct version_plan plan = {.account = account, .now_ms = (uint64_t)clock_wall_ms()};
    struct gathering *gathering = calloc(1, sizeof(*gathering));

    if (gathering == NULL) {
        return FAIL(NO_MEMORY, "keyset");
    }
    gathering->now_s = (uint64_t)clock_wall_s();
    struct status status = account_keys_each_pair(keysets->vault, account, gather, gathering);
    if (status_ok(status) && !keysets_is_delegated(keysets)) {
        status = FAIL(UNAVAILABLE, "no delegation in force: run triad pki delegate");
    }
    if (status_ok(status)) {
        status = vault_apply(keysets->vault, bump_version, &plan);
    }
    if (status_ok(status)) {
        status = sign(keysets, account, &plan.row, gathering, keyset);
    }
    free(gathering);
    return status;
}

static bool get_cached(struct keysets *keysets, const struct id16 *account, struct buffer *keyset)
{
    LOCKED(&keysets->mutex);
    const struct signed_keyset *found = map_get(keysets->cache, account->bytes);
    if (found == NULL || clock_monotonic_ms() - found->made_ms > REUSE_MS) {
        return false;
    }
    buffer_add(keyset, bytes_of(found->bytes, found->size));
    return true;
}

static void keep(struct keysets *keysets, const struct id16 *account, struct bytes bytes)
{
    struct signed_keyset *made = malloc(sizeof(*made) + bytes.size);
    void *old = NULL;

    if (made == NULL) {
        return; /* Signed again next time. */
    }
    made->made_ms = clock_monotonic_ms();
    made->size = bytes.size;
    memcpy(made->bytes, bytes.data, bytes.size);
    LOCKED(&keysets->mutex);
    if (!status_ok(map_put(keysets->cache, account->bytes, made, &old))) {
        old = made;
    }
    free(old);
}

struct status
keysets_get(struct keysets *keysets, const struct id16 *account, struct buffer *keyset)
{
    BUFFER(made, KEYSET_SIZE_MAX);

    if (get_cached(keysets, account, keyset)) {
        return buffer_status(keyset);
    }
    TRY(make(keysets, account, &made));
    keep(keysets, account, buffer_bytes(&made));
    buffer_add(keyset, buffer_bytes(&made));
    return buffer_status(keyset);
}
