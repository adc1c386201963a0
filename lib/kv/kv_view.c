#include "lib/base/check.h"
#include "lib/kv/kv_state.h"

/*
 * A plan's view. Rows of earlier versions are handed out where they stand: nothing of them is
 * freed before the plan ends. Rows that the plan itself wrote may move or go with its next change,
 * so those are copied to the plan's arena.
 */

static struct status copy_out(struct kv_view *view, struct bytes *bytes)
{
    *bytes = arena_copy(&view->arena, *bytes);
    return bytes->data != NULL ? OK : FAIL(NO_MEMORY, "row for a plan");
}

static struct status read_place(
    struct kv_view *view, const struct kv_place *place, struct bytes *key, struct bytes *value)
{
    const struct kv_node *node = kv_place_node(place);
    size_t at = kv_place_at(place);
    const struct kv_large *large = kv_node_large(node, at);
    bool is_own = node->block.edit == view->edit.token;
    struct bytes found = kv_node_value(node, at);
    if (large != NULL ? large->block.edit == view->edit.token : is_own) {
        TRY(copy_out(view, &found));
    }
    if (key != NULL) {
        struct bytes found_key = kv_node_key(node, at);
        if (is_own) {
            TRY(copy_out(view, &found_key));
        }
        *key = found_key;
    }
    *value = found;
    return OK;
}

struct status kv_view_get(struct kv_view *view, struct bytes key, struct bytes *ret)
{
    struct kv_place place;
    if (!kv_tree_find(&view->edit.root, key, &place)) {
        return FAIL(NOT_FOUND, "row");
    }
    return read_place(view, &place, NULL, ret);
}

struct status kv_view_seek(
    struct kv_view *view, struct bytes from, struct bytes prefix, struct bytes *ret_key,
    struct bytes *ret_value)
{
    if (bytes_compare(from, prefix) < 0) {
        from = prefix; /* Rows that start with prefix are not below it. */
    }
    struct kv_place place;
    if (!kv_tree_seek(&view->edit.root, from, &place) ||
        !bytes_starts_with(kv_node_key(kv_place_node(&place), kv_place_at(&place)), prefix)) {
        return FAIL(NOT_FOUND, "no more rows");
    }
    return read_place(view, &place, ret_key, ret_value);
}

static struct status change(struct kv_view *view, const struct kv_log_row *row)
{
    if (row->key.size == 0 || row->key.size > KV_KEY_MAX || row->value.size > KV_VALUE_MAX) {
        return FAIL(TOO_LARGE, "size of row");
    }
    size_t size = row->key.size + row->value.size;
    if (view->rows == KV_PLAN_ROWS_MAX || size > KV_PLAN_BYTES_MAX - view->bytes) {
        return FAIL(TOO_LARGE, "rows of plan");
    }
    bool was_there = true;
    if (row->op == KV_LOG_DELETE) {
        TRY(kv_tree_delete(&view->edit, row->key, &was_there));
    } else {
        if (view->memory_max != 0 && view->edit.root.row_bytes + size > view->memory_max) {
            return FAIL(FULL, "rows of database");
        }
        TRY(kv_tree_put(&view->edit, row->key, row->value));
    }
    if (!was_there) {
        return OK;
    }
    view->rows++;
    view->bytes += size;
    if (view->record != NULL) {
        kv_log_add(view->record, row);
        TRY(buffer_status(view->record));
    }
    return OK;
}

/* A change that failed may have been made in part: whatever the plan says, it has failed. */
static struct status change_or_fail(struct kv_view *view, const struct kv_log_row *row)
{
    TRY(view->failed);
    view->failed = change(view, row);
    return view->failed;
}

struct status kv_view_put(struct kv_view *view, struct bytes key, struct bytes value)
{
    return change_or_fail(view, &(struct kv_log_row){KV_LOG_PUT, key, value});
}

struct status kv_view_delete(struct kv_view *view, struct bytes key)
{
    return change_or_fail(view, &(struct kv_log_row){.op = KV_LOG_DELETE, .key = key});
}

uint64_t kv_view_seq(const struct kv_view *view)
{
    return view->seq;
}

struct arena *kv_view_arena(struct kv_view *view)
{
    return &view->arena;
}

struct status kv_view_run(struct kv_view *view, kv_plan_fn *plan, void *arg)
{
    arena_init(&view->arena, KV_ARENA_MAX);
    struct status status = plan(view, arg);
    arena_done(&view->arena);
    return status_ok(status) ? view->failed : status;
}
