#include "keystore/account_keys.h"

#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/crypto/kdf.h"

#include <stdlib.h>

enum { EPOCH_BASE_S = 1577836800, TOKEN_OVERLAP_S = 24 * 3600 };

uint32_t account_keys_epoch(uint64_t now_s)
{
    return (uint32_t)(now_s - EPOCH_BASE_S);
}

static struct status
derive(struct vault *vault, const char *label, struct bytes context, struct secret **ret_kek)
{
    return kdf_derive1(vault_root(vault), label, context, ret_kek);
}

/* ---- making pairs ---- */

struct new_pair {
    struct key_row_key key;
    struct buffer value; /* Owned. */
};

static struct status wrap_private(
    struct vault *vault, const uint8_t kid[SIGNATURE_KID_SIZE], const struct secret *pkcs8,
    struct buffer *wrapped)
{
    OWNED(secret) struct secret *kek = NULL;

    TRY(derive(vault, "triad/v1/sign", bytes_of(kid, SIGNATURE_KID_SIZE), &kek));
    return key_wrap_padded(kek, pkcs8, wrapped);
}

static struct status make_pair(
    struct vault *vault, const struct id16 *account, enum token_perm perm, uint64_t nbf,
    struct new_pair *pair)
{
    OWNED(secret) struct secret *pkcs8 = NULL;
    BUFFER(spki, SIGNATURE_SPKI_MAX);
    BUFFER(wrapped, 512);
    uint8_t kid[SIGNATURE_KID_SIZE];

    TRY(signature_generate(SIGNATURE_ED25519, &pkcs8, &spki));
    TRY(signature_kid(buffer_bytes(&spki), kid));
    TRY(wrap_private(vault, kid, pkcs8, &wrapped));
    struct pair_row row = {
        .alg = SIGNATURE_ED25519,
        .nbf = nbf,
        .naf = nbf + ACCOUNT_PAIR_LIFE_S,
        .spki = buffer_bytes(&spki),
        .wrapped = buffer_bytes(&wrapped),
    };
    pair->key = key_row_pair(account, perm, kid);
    buffer_init(&pair->value, KEY_ROW_VALUE_MAX);
    key_row_encode_pair(&pair->value, &row);
    return buffer_status(&pair->value);
}

/* ---- an account ---- */

struct new_account {
    struct key_row_key key;
    struct buffer value;                 /* Owned. */
    struct new_pair pairs[KEYSET_PERMS]; /* Owned. */
};

static void new_account_done(struct new_account *made)
{
    buffer_done(&made->value);
    for (size_t i = 0; i < KEYSET_PERMS; i++) {
        buffer_done(&made->pairs[i].value);
    }
}

static struct status put_account(struct kv_view *view, void *arg)
{
    const struct new_account *made = arg;
    struct bytes found;

    if (status_ok(kv_view_get(view, key_row_view(&made->key), &found))) {
        return FAIL(EXISTS, "account");
    }
    TRY(kv_view_put(view, key_row_view(&made->key), buffer_bytes(&made->value)));
    for (size_t i = 0; i < KEYSET_PERMS; i++) {
        const struct new_pair *pair = &made->pairs[i];
        TRY(kv_view_put(view, key_row_view(&pair->key), buffer_bytes(&pair->value)));
    }
    return OK;
}

static struct status make_account(
    struct vault *vault, const struct id16 *account, uint64_t now_s, struct new_account *made)
{
    OWNED(secret) struct secret *kek = NULL;
    OWNED(secret) struct secret *id_key = NULL;
    struct account_row row = {.created_ms = (uint64_t)clock_wall_ms()};

    TRY(derive(vault, "triad/v1/idk", id16_view(account), &kek));
    TRY(secret_new_random(SECRET_KEY_SIZE, &id_key));
    TRY(key_wrap(kek, id_key, row.id_key_wrapped));
    for (size_t i = 0; i < KEYSET_PERMS; i++) {
        row.epochs[i] = account_keys_epoch(now_s);
        TRY(make_pair(vault, account, (enum token_perm)(1U << i), now_s, &made->pairs[i]));
    }
    made->key = key_row_account(account);
    buffer_init(&made->value, KEY_ROW_VALUE_MAX);
    key_row_encode_account(&made->value, &row);
    return buffer_status(&made->value);
}

struct status account_keys_create(
    struct vault *vault, const struct id16 *account, uint64_t now_s, bool *ret_is_new)
{
    struct account_row row;
    struct status status = account_keys_row(vault, account, &row);

    *ret_is_new = status.code == STATUS_NOT_FOUND;
    if (!*ret_is_new) {
        return status;
    }
    struct new_account made = {.value = {.data = NULL}};
    status = make_account(vault, account, now_s, &made);
    if (status_ok(status)) {
        status = vault_apply(vault, put_account, &made);
    }
    new_account_done(&made);
    if (status.code == STATUS_EXISTS) { /* Another call was faster: the same account. */
        *ret_is_new = false;
        return OK;
    }
    return status;
}

struct status
account_keys_row(struct vault *vault, const struct id16 *account, struct account_row *ret_row)
{
    BUFFER(value, KEY_ROW_VALUE_MAX);
    struct key_row_key key = key_row_account(account);

    TRY(vault_get(vault, key_row_view(&key), &value));
    return key_row_decode_account(buffer_bytes(&value), ret_row);
}

struct status account_keys_id_key(
    struct vault *vault, const struct id16 *account, const struct account_row *row,
    struct secret **ret_key)
{
    OWNED(secret) struct secret *kek = NULL;

    TRY(derive(vault, "triad/v1/idk", id16_view(account), &kek));
    return key_unwrap(kek, BYTES_ARRAY(row->id_key_wrapped), ret_key);
}

/* ---- pairs ---- */

struct pairs_walk {
    account_pair_fn *each;
    void *context;
};

static struct status pair_found(void *context, struct bytes key, struct bytes value)
{
    const struct pairs_walk *walk = context;
    struct pair_row row;

    if (key.size != 1 + ID16_SIZE + 1 + SIGNATURE_KID_SIZE) {
        return FAIL(CORRUPT, "key of a signing pair");
    }
    TRY(key_row_decode_pair(value, &row));
    enum token_perm perm = (enum token_perm)key.data[1 + ID16_SIZE];
    return walk->each(walk->context, perm, key.data + 1 + ID16_SIZE + 1, &row);
}

struct status account_keys_each_pair(
    struct vault *vault, const struct id16 *account, account_pair_fn *each, void *context)
{
    struct pairs_walk walk = {each, context};
    struct key_row_key prefix = key_row_pairs_prefix(account);

    return vault_walk(vault, key_row_view(&prefix), pair_found, &walk);
}

/* The newest pair of an access type that may sign now. */
struct pair_search {
    enum token_perm perm;
    uint64_t now_s;
    bool is_found;
    uint64_t nbf;
    struct account_pair *pair;
    struct buffer *wrapped;
};

static struct status consider(
    void *context, enum token_perm perm, const uint8_t kid[SIGNATURE_KID_SIZE],
    const struct pair_row *row)
{
    struct pair_search *search = context;

    if (perm != search->perm || row->nbf > search->now_s || row->naf <= search->now_s ||
        (search->is_found && row->nbf <= search->nbf)) {
        return OK;
    }
    search->is_found = true;
    search->nbf = row->nbf;
    search->pair->alg = row->alg;
    search->pair->naf = row->naf;
    memcpy(search->pair->kid, kid, SIGNATURE_KID_SIZE);
    buffer_reset(search->wrapped);
    buffer_add(search->wrapped, row->wrapped);
    return buffer_status(search->wrapped);
}

struct status account_keys_signing_pair(
    struct vault *vault, const struct id16 *account, enum token_perm perm, uint64_t now_s,
    struct account_pair *ret_pair)
{
    BUFFER(wrapped, 4096);
    OWNED(secret) struct secret *kek = NULL;
    struct account_pair pair = {.pkcs8 = NULL};
    struct pair_search search = {.perm = perm, .now_s = now_s, .pair = &pair, .wrapped = &wrapped};

    TRY(account_keys_each_pair(vault, account, consider, &search));
    if (!search.is_found) {
        return FAIL(NOT_FOUND, "no signing pair of the account");
    }
    TRY(derive(vault, "triad/v1/sign", BYTES_ARRAY(pair.kid), &kek));
    TRY(key_unwrap_padded(kek, buffer_bytes(&wrapped), &pair.pkcs8));
    *ret_pair = pair;
    return OK;
}

void account_keys_pair_done(struct account_pair *pair)
{
    secret_free(pair->pkcs8);
    pair->pkcs8 = NULL;
}

/* ---- all accounts ---- */

struct accounts_walk {
    account_fn *each;
    void *context;
};

static struct status account_found(void *context, struct bytes key, struct bytes value)
{
    const struct accounts_walk *walk = context;
    struct id16 account;

    (void)value;
    if (key.size != 1 + ID16_SIZE) {
        return FAIL(CORRUPT, "key of an account");
    }
    memcpy(account.bytes, key.data + 1, ID16_SIZE);
    return walk->each(walk->context, &account);
}

struct status account_keys_each(struct vault *vault, account_fn *each, void *context)
{
    struct accounts_walk walk = {each, context};

    return vault_walk(vault, bytes_text("A"), account_found, &walk);
}

/* ---- rotation ---- */

struct rotation {
    struct vault *vault;
    uint64_t now_s;
    uint32_t changed;
};

/* What is wrong with one account's pairs. */
struct review {
    const struct id16 *account;
    uint64_t now_s;
    uint64_t newest[KEYSET_PERMS];
    struct key_row_key ended[ACCOUNT_PAIRS_MAX];
    size_t ended_count;
    struct new_pair added[KEYSET_PERMS]; /* Owned. */
    size_t added_count;
};

static struct status review_pair(
    void *context, enum token_perm perm, const uint8_t kid[SIGNATURE_KID_SIZE],
    const struct pair_row *row)
{
    struct review *review = context;
    unsigned index = token_perm_index(perm);

    if (row->naf + TOKEN_OVERLAP_S < review->now_s && review->ended_count < ACCOUNT_PAIRS_MAX) {
        review->ended[review->ended_count++] = key_row_pair(review->account, perm, kid);
    }
    if (row->nbf > review->newest[index]) {
        review->newest[index] = row->nbf;
    }
    return OK;
}

static struct status apply_review(struct kv_view *view, void *arg)
{
    const struct review *review = arg;

    for (size_t i = 0; i < review->ended_count; i++) {
        TRY(kv_view_delete(view, key_row_view(&review->ended[i])));
    }
    for (size_t i = 0; i < review->added_count; i++) {
        const struct new_pair *pair = &review->added[i];
        TRY(kv_view_put(view, key_row_view(&pair->key), buffer_bytes(&pair->value)));
    }
    return OK;
}

static struct status add_due_pairs(struct vault *vault, struct review *review)
{
    for (unsigned i = 0; i < KEYSET_PERMS; i++) {
        if (review->newest[i] + ACCOUNT_PAIR_ROTATE_S > review->now_s) {
            continue;
        }
        /* Without a usable pair there is nothing to overlap with: usable at once. */
        bool is_gap = review->newest[i] + ACCOUNT_PAIR_LIFE_S <= review->now_s;
        uint64_t nbf = review->now_s + (is_gap ? 0 : ACCOUNT_PAIR_PUBLISH_S);
        struct new_pair *pair = &review->added[review->added_count++];
        TRY(make_pair(vault, review->account, (enum token_perm)(1U << i), nbf, pair));
    }
    return OK;
}

static struct status rotate_account(void *context, const struct id16 *account)
{
    struct rotation *rotation = context;
    struct review *review = calloc(1, sizeof(*review));

    if (review == NULL) {
        return FAIL(NO_MEMORY, "rotation");
    }
    review->account = account;
    review->now_s = rotation->now_s;
    struct status status = account_keys_each_pair(rotation->vault, account, review_pair, review);
    if (status_ok(status)) {
        status = add_due_pairs(rotation->vault, review);
    }
    if (status_ok(status) && review->ended_count + review->added_count > 0) {
        status = vault_apply(rotation->vault, apply_review, review);
        rotation->changed++;
    }
    for (size_t i = 0; i < review->added_count; i++) {
        buffer_done(&review->added[i].value);
    }
    free(review);
    return status;
}

struct status account_keys_rotate(struct vault *vault, uint64_t now_s, uint32_t *ret_changed)
{
    struct rotation rotation = {.vault = vault, .now_s = now_s};

    TRY(account_keys_each(vault, rotate_account, &rotation));
    *ret_changed = rotation.changed;
    return OK;
}

/* ---- integrity keys ---- */

struct integrity_walk {
    struct vault *vault;
    account_integrity_fn *each;
    void *context;
};

static struct status integrity_found(void *context, struct bytes key, struct bytes value)
{
    const struct integrity_walk *walk = context;
    OWNED(secret) struct secret *kek = NULL;
    OWNED(secret) struct secret *integrity = NULL;

    if (key.size != 5) {
        return FAIL(CORRUPT, "key of an integrity key");
    }
    TRY(derive(walk->vault, "triad/v1/ik", bytes_from(key, 1), &kek));
    TRY(key_unwrap(kek, value, &integrity));
    return walk->each(walk->context, decode_u32(key.data + 1), integrity);
}

struct status
account_keys_each_integrity(struct vault *vault, account_integrity_fn *each, void *context)
{
    struct integrity_walk walk = {vault, each, context};

    return vault_walk(vault, bytes_text("I"), integrity_found, &walk);
}
