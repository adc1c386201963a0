#pragma once

/*
 * A copy-on-write B-tree of rows in memory.
 *
 * A kv_root is a version: a value, read without locks by any thread that keeps it alive. An edit
 * makes the next version: it copies the nodes that it changes, and lists the blocks that it made
 * and those that the new version no longer needs ("retired"). One edit at a time makes versions
 * that last; edits that are always aborted (dry runs) may run beside it. A group collects the
 * edits of one commit.
 *
 * Nothing is counted for each node: retired blocks are freed when no version that needs them is
 * left, which the owner of the versions knows (kv.c).
 */

#include "lib/kv/kv_node.h"

enum { KV_TREE_DEPTH_MAX = 32 };

struct kv_root {
    struct kv_node *node; /* NULL: no rows. */
    uint64_t rows;
    uint64_t row_bytes; /* Of keys and values. */
};

/* Blocks made, doubly linked, so that one can leave. */
struct kv_tree_made {
    struct kv_block *first;
    struct kv_block *last;
};

struct kv_tree_group {
    uint64_t number;          /* Not 0; rising. */
    uint64_t *next_id;        /* Outlives us. */
    struct kv_root root;      /* After the edits that were kept. */
    struct kv_tree_made made; /* By the edits kept. */
    struct kv_block *retired; /* From versions before the group. */
};

struct kv_edit {
    struct kv_tree_group *group; /* NULL: a dry run. */
    uint64_t token;
    struct kv_root root;
    struct kv_tree_made made;
    struct kv_block *retired;
};

/* Begin a dry run on a version. */
void kv_tree_edit_dry(struct kv_edit *edit, struct kv_root root);
/* Begin on what the group has reached; token is new for each edit. */
void kv_tree_edit_begin(struct kv_edit *edit, struct kv_tree_group *group, uint64_t token);
/* Keep what the edit did, or undo it. Either ends it. */
void kv_tree_edit_keep(struct kv_edit *edit);
void kv_tree_edit_undo(struct kv_edit *edit);
/* Undo a whole group. */
void kv_tree_group_undo(struct kv_tree_group *group);

/* After NO_MEMORY the edit may only be undone. */
MUST_CHECK struct status kv_tree_put(struct kv_edit *edit, struct bytes key, struct bytes value);
MUST_CHECK struct status
kv_tree_delete(struct kv_edit *edit, struct bytes key, bool *ret_was_there);

void kv_tree_free(struct kv_root *root);
void kv_tree_free_retired(struct kv_block *retired);

/* A place in a version. */
struct kv_place {
    struct {
        const struct kv_node *node;
        size_t at;
    } path[KV_TREE_DEPTH_MAX];
    size_t depth; /* 0: the end. */
};

/* The row with that key; false if there is none. */
bool kv_tree_find(const struct kv_root *root, struct bytes key, struct kv_place *ret_place);
/* The first row with a key >= from; false at the end. */
bool kv_tree_seek(const struct kv_root *root, struct bytes from, struct kv_place *ret_place);
bool kv_tree_next(struct kv_place *place);

static inline const struct kv_node *kv_place_node(const struct kv_place *place)
{
    return place->path[place->depth - 1].node;
}
static inline size_t kv_place_at(const struct kv_place *place)
{
    return place->path[place->depth - 1].at;
}

/* Walk everything and check order, levels and figures; CORRUPT if a rule is broken. */
MUST_CHECK struct status kv_tree_check(const struct kv_root *root);
