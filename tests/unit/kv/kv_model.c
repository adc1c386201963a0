#include "tests/unit/kv/kv_model.h"

#include "lib/base/check.h"
#include "tests/unit/kv/kv_support.h"

#include <stdlib.h>

enum { STEPS_MAX = 12 };

struct row {
    size_t key_size;
    size_t value_size;
    uint8_t data[]; /* Key, value. */
};

struct kv_model {
    struct row **rows; /* Owned, sorted. */
    size_t count;
    size_t capacity;
};

static struct bytes key_of(const struct row *row)
{
    return bytes_of(row->data, row->key_size);
}

static struct bytes value_of(const struct row *row)
{
    return bytes_of(row->data + row->key_size, row->value_size);
}

static struct row *row_new(struct bytes key, struct bytes value)
{
    struct row *row = malloc(sizeof(*row) + key.size + value.size);
    CHECK(row != NULL);
    row->key_size = key.size;
    row->value_size = value.size;
    memcpy(row->data, key.data, key.size);
    if (value.size > 0) {
        memcpy(row->data + key.size, value.data, value.size);
    }
    return row;
}

struct kv_model *kv_model_new(void)
{
    struct kv_model *model = calloc(1, sizeof(*model));
    CHECK(model != NULL);
    return model;
}

void kv_model_free(struct kv_model *model)
{
    for (size_t i = 0; model != NULL && i < model->count; i++) {
        free(model->rows[i]);
    }
    if (model != NULL) {
        free(model->rows);
    }
    free(model);
}

struct kv_model *kv_model_copy(const struct kv_model *model)
{
    struct kv_model *copy = kv_model_new();
    copy->rows = calloc(model->count + 1, sizeof(struct row *));
    CHECK(copy->rows != NULL);
    copy->count = model->count;
    copy->capacity = model->count + 1;
    for (size_t i = 0; i < model->count; i++) {
        copy->rows[i] = row_new(key_of(model->rows[i]), value_of(model->rows[i]));
    }
    return copy;
}

static size_t find(const struct kv_model *model, struct bytes key)
{
    size_t at = 0;
    size_t high = model->count;
    while (at < high) {
        size_t middle = (at + high) / 2;
        if (bytes_compare(key_of(model->rows[middle]), key) < 0) {
            at = middle + 1;
        } else {
            high = middle;
        }
    }
    return at;
}

static bool is_at(const struct kv_model *model, size_t at, struct bytes key)
{
    return at < model->count && bytes_equal(key_of(model->rows[at]), key);
}

void kv_model_put(struct kv_model *model, struct bytes key, struct bytes value)
{
    size_t at = find(model, key);
    if (is_at(model, at, key)) {
        free(model->rows[at]);
        memmove(
            model->rows + at, model->rows + at + 1, (model->count - at - 1) * sizeof(struct row *));
        model->count--;
    }
    if (value.data == NULL) {
        return;
    }
    if (model->count == model->capacity) {
        model->capacity = model->capacity * 2 + 16;
        struct row **more = realloc(model->rows, model->capacity * sizeof(struct row *));
        CHECK(more != NULL);
        model->rows = more;
    }
    memmove(model->rows + at + 1, model->rows + at, (model->count - at) * sizeof(struct row *));
    model->rows[at] = row_new(key, value);
    model->count++;
}

bool kv_model_get(const struct kv_model *model, struct bytes key, struct bytes *ret_value)
{
    size_t at = find(model, key);
    if (!is_at(model, at, key)) {
        return false;
    }
    *ret_value = value_of(model->rows[at]);
    return true;
}

/* Keys share prefixes, and some are as long as keys can be. */
static struct bytes make_key(uint64_t *seed, unsigned keys, uint8_t key[KV_KEY_MAX])
{
    uint64_t number = kv_support_next(seed) % keys;
    uint64_t mixed = number * 0x9e3779b97f4a7c15U + 1;
    size_t size = 1 + kv_support_next(&mixed) % 24;
    if (number % 31 == 0) {
        size = 1 + kv_support_next(&mixed) % KV_KEY_MAX;
    }
    memset(key, (int)('a' + number % 3), size);
    for (size_t i = size > 4 ? size - 4 : 0; i < size; i++) {
        key[i] = (uint8_t)kv_support_next(&mixed);
    }
    return bytes_of(key, size);
}

static uint8_t pool[KV_VALUE_MAX + 256];

static struct bytes make_value(uint64_t *seed)
{
    if (pool[1] == 0) {
        for (size_t i = 0; i < sizeof(pool); i++) {
            pool[i] = (uint8_t)(i * 7 + i / 256 + 1);
        }
    }
    uint64_t kind = kv_support_next(seed) % 20;
    uint64_t size = kv_support_next(seed) % 100;
    if (kind == 0) {
        size = kv_support_next(seed) % (KV_VALUE_MAX + 1);
    } else if (kind < 4) {
        size = 400 + kv_support_next(seed) % 300;
    }
    return bytes_of(pool + kv_support_next(seed) % 256, size);
}

/* Values read must stay what they were until the plan ends, whatever it writes. */
struct seen {
    struct bytes view;
    struct bytes copy;
};

static struct status
remember(struct kv_view *view, struct bytes value, struct seen *seen, size_t *count)
{
    struct bytes copy = arena_copy(kv_view_arena(view), value);
    if (copy.data == NULL) {
        return FAIL(NO_MEMORY, "copy of row");
    }
    seen[(*count)++] = (struct seen){value, copy};
    return OK;
}

static struct status check_get(
    struct kv_view *view, const struct kv_model *model, struct bytes key, struct seen *seen,
    size_t *count)
{
    struct bytes want;
    struct bytes got;
    struct status status = kv_view_get(view, key, &got);
    if (status.code == STATUS_NO_MEMORY) {
        return status;
    }
    if (model == NULL) {
        return status_ok(status) ? remember(view, got, seen, count) : OK;
    }
    bool is_there = kv_model_get(model, key, &want);
    CHECK(status.code == (is_there ? STATUS_OK : STATUS_NOT_FOUND));
    CHECK(!is_there || bytes_equal(got, want));
    return is_there ? remember(view, got, seen, count) : OK;
}

static struct status check_seek(
    struct kv_view *view, const struct kv_model *model, struct bytes from, struct seen *seen,
    size_t *count)
{
    struct bytes key;
    struct bytes value;
    struct bytes prefix = bytes_slice(from, 0, from.size > 2 ? 1 : 0);
    struct status status = kv_view_seek(view, from, prefix, &key, &value);
    if (status.code == STATUS_NO_MEMORY) {
        return status;
    }
    if (model != NULL) {
        size_t at = find(model, from);
        bool is_there = at < model->count && bytes_starts_with(key_of(model->rows[at]), prefix);
        CHECK(status.code == (is_there ? STATUS_OK : STATUS_NOT_FOUND));
        CHECK(!is_there || bytes_equal(key, key_of(model->rows[at])));
        CHECK(!is_there || bytes_equal(value, value_of(model->rows[at])));
    }
    if (status_ok(status)) {
        TRY(remember(view, key, seen, count));
        return remember(view, value, seen, count);
    }
    return OK;
}

/* view or model may be NULL. */
static struct status
run_steps(struct kv_view *view, struct kv_model *model, uint64_t seed, unsigned keys)
{
    uint64_t next = seed * 2 + 1;
    struct seen seen[2 * STEPS_MAX];
    size_t count = 0;
    uint64_t steps = 1 + kv_support_next(&next) % STEPS_MAX;
    bool fails = kv_support_next(&next) % 6 == 0;
    for (uint64_t i = 0; i < steps; i++) {
        uint8_t key[KV_KEY_MAX];
        struct bytes name = make_key(&next, keys, key);
        uint64_t kind = kv_support_next(&next) % 8;
        struct bytes value = kind < 3 ? make_value(&next) : bytes_of(NULL, 0);
        if (view != NULL && kind == 6) {
            TRY(check_get(view, model, name, seen, &count));
        }
        if (view != NULL && kind == 7) {
            TRY(check_seek(view, model, name, seen, &count));
        }
        if (kind < 6 && view != NULL) {
            TRY(value.data != NULL ? kv_view_put(view, name, value) : kv_view_delete(view, name));
        }
        if (kind < 6 && model != NULL) {
            kv_model_put(model, name, value);
        }
    }
    for (size_t i = 0; i < count; i++) {
        CHECK(bytes_equal(seen[i].view, seen[i].copy));
    }
    return fails ? FAIL(CONFLICT, "a plan that fails") : OK;
}

struct status kv_model_plan_run(struct kv_view *view, void *arg)
{
    struct kv_model_plan *plan = arg;
    struct kv_model *model = plan->applied != NULL ? kv_model_copy(plan->applied) : NULL;
    struct status status = run_steps(view, model, plan->seed, plan->keys);
    kv_model_free(model);
    return status;
}

bool kv_model_apply(struct kv_model *model, uint64_t seed, unsigned keys)
{
    struct kv_model *copy = kv_model_copy(model);
    bool is_good = status_ok(run_steps(NULL, copy, seed, keys));
    if (is_good) {
        struct kv_model old = *model;
        *model = *copy;
        *copy = old;
    }
    kv_model_free(copy);
    return is_good;
}

bool kv_model_matches(const struct kv_model *model, struct kv *kv)
{
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    OWNED(kv_cursor) struct kv_cursor *cursor = NULL;
    CHECK(status_ok(kv_snapshot_take(kv, &snapshot)));
    CHECK(status_ok(kv_cursor_seek(snapshot, bytes_of("", 0), &cursor)));
    struct bytes key;
    struct bytes value;
    for (size_t i = 0; i < model->count; i++) {
        if (!status_ok(kv_cursor_next(cursor, &key, &value)) ||
            !bytes_equal(key, key_of(model->rows[i])) ||
            !bytes_equal(value, value_of(model->rows[i])) ||
            !status_ok(kv_snapshot_get(snapshot, key, &value)) ||
            !bytes_equal(value, value_of(model->rows[i]))) {
            return false;
        }
    }
    return !status_ok(kv_cursor_next(cursor, &key, &value)) && status_ok(kv_check(kv));
}
