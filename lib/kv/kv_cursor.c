#include "lib/kv/kv_state.h"

#include <stdlib.h>

struct kv_cursor {
    struct kv_place next; /* The row that kv_cursor_next gives. */
    bool is_end;
};

struct status
kv_cursor_seek(struct kv_snapshot *snapshot, struct bytes from, struct kv_cursor **ret_cursor)
{
    struct kv_cursor *cursor = malloc(sizeof(*cursor));
    if (cursor == NULL) {
        return FAIL(NO_MEMORY, "cursor");
    }
    cursor->is_end = !kv_tree_seek(&snapshot->root, from, &cursor->next);
    *ret_cursor = cursor;
    return OK;
}

struct status
kv_cursor_next(struct kv_cursor *cursor, struct bytes *ret_key, struct bytes *ret_value)
{
    if (cursor->is_end) {
        return FAIL(NOT_FOUND, "no more rows");
    }
    *ret_key = kv_node_key(kv_place_node(&cursor->next), kv_place_at(&cursor->next));
    *ret_value = kv_node_value(kv_place_node(&cursor->next), kv_place_at(&cursor->next));
    cursor->is_end = !kv_tree_next(&cursor->next);
    return OK;
}

void kv_cursor_free(struct kv_cursor *cursor)
{
    free(cursor);
}
