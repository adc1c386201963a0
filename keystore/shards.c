#include "keystore/shards.h"

#include "keystore/recovery_code.h"
#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/base/map.h"
#include "lib/crypto/random.h"

#include <stdlib.h>

enum { FENCE_MAX = (1 << 20) - 1 };

/* When an instance was last heard of. */
struct presence {
    int64_t anchored_ms;
};

struct shards {
    struct vault *vault;             /* Outlives us. */
    struct key_hierarchy *hierarchy; /* Outlives us. */
    int64_t started_ms;
    pthread_mutex_t mutex;
    struct map *presences; /* Owned, values too, by u32 shard. */
};

struct status
shards_new(struct vault *vault, struct key_hierarchy *hierarchy, struct shards **ret_shards)
{
    OWNED(shards) struct shards *shards = calloc(1, sizeof(*shards));
    if (shards == NULL) {
        return FAIL(NO_MEMORY, "shards");
    }
    shards->vault = vault;
    shards->hierarchy = hierarchy;
    shards->started_ms = clock_monotonic_ms();
    pthread_mutex_init(&shards->mutex, NULL);
    TRY(map_new(sizeof(uint32_t), &shards->presences));
    *ret_shards = TAKE(shards);
    return OK;
}

void shards_free(struct shards *shards)
{
    const void *key = NULL;
    void *value = NULL;
    size_t cursor = 0;

    if (shards == NULL) {
        return;
    }
    while (shards->presences != NULL && map_next(shards->presences, &cursor, &key, &value)) {
        free(value);
    }
    map_free(shards->presences);
    pthread_mutex_destroy(&shards->mutex);
    free(shards);
}

static int64_t last_anchored_ms(struct shards *shards, uint32_t shard)
{
    LOCKED(&shards->mutex);
    const struct presence *presence = map_get(shards->presences, &shard);
    return presence == NULL ? shards->started_ms : presence->anchored_ms;
}

/* A presence that cannot be kept only shortens the time in which a second opener is refused. */
static void heard_of(struct shards *shards, uint32_t shard)
{
    LOCKED(&shards->mutex);
    struct presence *presence = map_get(shards->presences, &shard);
    if (presence == NULL) {
        presence = calloc(1, sizeof(*presence));
        if (presence == NULL || !status_ok(map_put(shards->presences, &shard, presence, NULL))) {
            free(presence);
            return;
        }
    }
    presence->anchored_ms = clock_monotonic_ms();
}

static struct status read_row(struct shards *shards, uint32_t shard, struct shard_row *ret_row)
{
    BUFFER(value, KEY_ROW_VALUE_MAX);
    struct key_row_key key = key_row_shard(shard);

    TRY(vault_get(shards->vault, key_row_view(&key), &value));
    return key_row_decode_shard(buffer_bytes(&value), ret_row);
}

static struct status
view_row(struct kv_view *view, const struct key_row_key *key, struct shard_row *ret_row)
{
    struct bytes found;

    TRY(kv_view_get(view, key_row_view(key), &found));
    return key_row_decode_shard(found, ret_row);
}

static struct status
put_row(struct kv_view *view, const struct key_row_key *key, const struct shard_row *row)
{
    BUFFER(value, KEY_ROW_VALUE_MAX);

    key_row_encode_shard(&value, row);
    TRY(buffer_status(&value));
    return kv_view_put(view, key_row_view(key), buffer_bytes(&value));
}

/* ---- create ---- */

struct creation {
    uint32_t shard;
    struct shard_row row;
};

static struct status create_row(struct kv_view *view, void *arg)
{
    const struct creation *plan = arg;
    struct key_row_key key = key_row_shard(plan->shard);
    struct bytes found;

    if (status_ok(kv_view_get(view, key_row_view(&key), &found))) {
        return FAIL(EXISTS, "shard");
    }
    return put_row(view, &key, &plan->row);
}

/* The recovery key stays in the vault, wrapped, so that later DEKs get it too. */
static struct status
make_recovery(struct shards *shards, struct creation *plan, struct secret **ret_text)
{
    OWNED(secret) struct secret *text = NULL;
    OWNED(secret) struct secret *code = NULL;
    OWNED(secret) struct secret *key = NULL;
    OWNED(secret) struct secret *kek = NULL;

    TRY(recovery_code_new(&text));
    TRY(recovery_code_parse(secret_bytes(text), &code));
    TRY(random_bytes(plan->row.recovery_salt, RECOVERY_SALT_SIZE));
    TRY(recovery_code_key(code, plan->row.recovery_salt, &key));
    TRY(key_hierarchy_recovery_kek(shards->hierarchy, plan->shard, &kek));
    TRY(key_wrap(kek, key, plan->row.recovery_wrapped));
    *ret_text = TAKE(text);
    return OK;
}

struct status
shards_create(struct shards *shards, uint32_t shard, struct secret **ret_recovery_code)
{
    struct creation plan = {.shard = shard};
    OWNED(secret) struct secret *text = NULL;

    struct status status = read_row(shards, shard, &plan.row);
    if (status_ok(status)) {
        *ret_recovery_code = NULL;
        return OK;
    }
    if (status.code != STATUS_NOT_FOUND) {
        return status;
    }
    plan.row = (struct shard_row){.created_ms = (uint64_t)clock_wall_ms()};
    TRY(make_recovery(shards, &plan, &text));
    status = vault_apply(shards->vault, create_row, &plan);
    if (status.code == STATUS_EXISTS) { /* Another call was faster; its code counts. */
        *ret_recovery_code = NULL;
        return OK;
    }
    TRY(status);
    *ret_recovery_code = TAKE(text);
    return OK;
}

/* ---- open ---- */

struct opening {
    uint32_t shard;
    const struct id16 *db_uuid;
    const struct id16 *instance;
    bool is_first;        /* No DEKs were given. */
    bool is_foreign_ok;   /* Nobody anchored within the last seconds. */
    struct shard_row row; /* Result. */
};

static struct status open_row(struct kv_view *view, void *arg)
{
    struct opening *plan = arg;
    struct key_row_key key = key_row_shard(plan->shard);
    struct shard_row *row = &plan->row;

    TRY(view_row(view, &key, row));
    bool is_same = id16_equal(&row->instance, plan->instance);
    if (row->fence > 0 && !is_same && !plan->is_foreign_ok) {
        return FAIL(BUSY, "another instance has the shard open");
    }
    /* A database that never anchored anything may be made anew: its first open was lost. */
    if (plan->is_first && row->anchor_seq > 0) {
        return FAIL(CORRUPT, "the shard has data already: this database is not it");
    }
    if (!plan->is_first && !id16_equal(&row->db_uuid, plan->db_uuid)) {
        return FAIL(CORRUPT, "this database is not the shard's");
    }
    if (row->fence >= FENCE_MAX) {
        return FAIL(FULL, "fences of the shard are used up");
    }
    row->db_uuid = *plan->db_uuid;
    row->instance = *plan->instance;
    row->fence++;
    return put_row(view, &key, row);
}

static struct status add_dek(
    struct shards *shards, const struct opening *plan, uint32_t version, struct secret **take_dek,
    struct key_shard *opened)
{
    OWNED(secret) struct secret *kek = NULL;
    OWNED(secret) struct secret *recovery = NULL;
    struct key_shard_dek *dek = &opened->deks[opened->deks_count];

    dek->wrapped.version = version;
    dek->wrapped.wrapped_size = KEY_WRAP_SIZE;
    dek->wrapped.recovery_size = RECOVERY_WRAPPED_SIZE;
    TRY(key_hierarchy_wrap_dek(
        shards->hierarchy, plan->db_uuid, plan->shard, version, *take_dek, dek->wrapped.wrapped));
    TRY(key_hierarchy_recovery_kek(shards->hierarchy, plan->shard, &kek));
    TRY(key_unwrap(kek, BYTES_ARRAY(plan->row.recovery_wrapped), &recovery));
    TRY(recovery_code_wrap(recovery, plan->row.recovery_salt, *take_dek, dek->wrapped.recovery));
    dek->key = TAKE(*take_dek);
    opened->deks_count++;
    return OK;
}

static struct status add_deks(
    struct shards *shards, const struct opening *plan, struct secret **deks,
    const struct key_shard_wrapped *wrapped, size_t count, struct key_shard *opened)
{
    if (count == 0) {
        OWNED(secret) struct secret *dek = NULL;
        TRY(secret_new_random(SECRET_KEY_SIZE, &dek));
        return add_dek(shards, plan, 1, &dek, opened);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(add_dek(shards, plan, wrapped[i].version, &deks[i], opened));
    }
    return OK;
}

static struct status unwrap_deks(
    struct shards *shards, const struct opening *plan, const struct key_shard_wrapped *wrapped,
    size_t count, struct secret **ret_deks)
{
    for (size_t i = 0; i < count; i++) {
        TRY(key_hierarchy_open_dek(
            shards->hierarchy, plan->db_uuid, plan->shard, wrapped[i].version,
            bytes_of(wrapped[i].wrapped, wrapped[i].wrapped_size), &ret_deks[i]));
    }
    return OK;
}

/* With the DEKs in hand: take the fence, then fill the answer. */
static struct status open_with(
    struct shards *shards, struct opening *plan, struct secret **deks,
    const struct key_shard_wrapped *wrapped, size_t count, struct key_shard **ret_opened)
{
    TRY(vault_apply(shards->vault, open_row, plan));
    heard_of(shards, plan->shard);
    OWNED(key_shard) struct key_shard *opened = calloc(1, sizeof(*opened));
    if (opened == NULL) {
        return FAIL(NO_MEMORY, "opened shard");
    }
    opened->fence = plan->row.fence;
    opened->anchor.fence = plan->row.anchor_fence;
    opened->anchor.seq = plan->row.anchor_seq;
    memcpy(opened->anchor.chain_tag, plan->row.anchor_tag, sizeof(opened->anchor.chain_tag));
    TRY(add_deks(shards, plan, deks, wrapped, count, opened));
    *ret_opened = TAKE(opened);
    return OK;
}

struct status shards_open(
    struct shards *shards, uint32_t shard, const struct id16 *db_uuid,
    const struct key_shard_wrapped *deks, size_t deks_count, const struct id16 *instance,
    struct key_shard **ret_opened)
{
    struct secret *keys[KEY_SHARD_DEKS_MAX] = {NULL};
    struct opening plan = {
        .shard = shard,
        .db_uuid = db_uuid,
        .instance = instance,
        .is_first = deks_count == 0,
        .is_foreign_ok = clock_monotonic_ms() - last_anchored_ms(shards, shard) >= SHARD_BUSY_MS,
    };

    if (deks_count > KEY_SHARD_DEKS_MAX || id16_is_zero(db_uuid) || id16_is_zero(instance)) {
        return FAIL(INVALID, "shard to open");
    }
    struct status status = read_row(shards, shard, &plan.row); /* NOT_FOUND before anything. */
    if (status_ok(status)) {
        status = unwrap_deks(shards, &plan, deks, deks_count, keys);
    }
    if (status_ok(status)) {
        status = open_with(shards, &plan, keys, deks, deks_count, ret_opened);
    }
    for (size_t i = 0; i < KEY_SHARD_DEKS_MAX; i++) {
        secret_free(keys[i]);
    }
    return status;
}

/* ---- anchor ---- */

struct anchoring {
    uint32_t shard;
    const struct id16 *instance;
    const struct key_shard_anchor *anchor;
};

static struct status anchor_row(struct kv_view *view, void *arg)
{
    const struct anchoring *plan = arg;
    const struct key_shard_anchor *anchor = plan->anchor;
    struct key_row_key key = key_row_shard(plan->shard);
    struct shard_row row;

    TRY(view_row(view, &key, &row));
    if (!id16_equal(&row.instance, plan->instance) || anchor->fence > row.fence) {
        return FAIL(STALE, "the shard is another instance's");
    }
    bool is_back = anchor->seq < row.anchor_seq || anchor->fence < row.anchor_fence;
    bool is_other = anchor->seq == row.anchor_seq && row.anchor_seq > 0 &&
                    memcmp(anchor->chain_tag, row.anchor_tag, sizeof(row.anchor_tag)) != 0;
    if (is_back || is_other) {
        return FAIL(STALE, "the log would go back behind its anchor");
    }
    row.anchor_fence = anchor->fence;
    row.anchor_seq = anchor->seq;
    memcpy(row.anchor_tag, anchor->chain_tag, sizeof(row.anchor_tag));
    return put_row(view, &key, &row);
}

struct status shards_anchor(
    struct shards *shards, uint32_t shard, const struct id16 *instance,
    const struct key_shard_anchor *anchor)
{
    struct anchoring plan = {shard, instance, anchor};

    TRY(vault_apply(shards->vault, anchor_row, &plan));
    heard_of(shards, shard);
    return OK;
}

/* ---- list ---- */

struct shards_walk {
    struct shards *shards;
    shard_fn *each;
    void *context;
};

static struct status shard_found(void *context, struct bytes key, struct bytes value)
{
    const struct shards_walk *walk = context;
    struct shard_row row;

    if (key.size != 5) {
        return FAIL(CORRUPT, "key of a shard");
    }
    uint32_t shard = decode_u32(key.data + 1);
    TRY(key_row_decode_shard(value, &row));
    return walk->each(
        walk->context, shard, &row, clock_monotonic_ms() - last_anchored_ms(walk->shards, shard));
}

struct status shards_each(struct shards *shards, shard_fn *each, void *context)
{
    struct shards_walk walk = {shards, each, context};

    return vault_walk(shards->vault, bytes_text("S"), shard_found, &walk);
}
