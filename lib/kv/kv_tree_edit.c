#include "lib/base/check.h"
#include "lib/kv/kv_tree.h"

#include <stdlib.h>

/* Changing the tree: copies on the way down, splits and merges on the way up. */

enum {
    KEY_MAX = 1200,
    SLOT = 2,
    SMALL = KV_NODE_BODY / 4,         /* A node below this looks for a neighbour to join, */
    JOINED_MAX = KV_NODE_BODY * 3 / 4 /* if both together stay below this. */
};

/* The way to a leaf, all of whose nodes belong to the edit. */
struct way {
    struct kv_node *node[KV_TREE_DEPTH_MAX];
    size_t at[KV_TREE_DEPTH_MAX];
    size_t depth;
};

static void made_add(struct kv_tree_made *made, struct kv_block *block)
{
    block->made_next = NULL;
    block->made_previous = made->last;
    if (made->last != NULL) {
        made->last->made_next = block;
    } else {
        made->first = block;
    }
    made->last = block;
}

static void made_remove(struct kv_tree_made *made, struct kv_block *block)
{
    if (block->made_previous != NULL) {
        block->made_previous->made_next = block->made_next;
    } else {
        made->first = block->made_next;
    }
    if (block->made_next != NULL) {
        block->made_next->made_previous = block->made_previous;
    } else {
        made->last = block->made_previous;
    }
}

static void made_free(struct kv_tree_made *made)
{
    for (struct kv_block *block = made->first; block != NULL;) {
        struct kv_block *next = block->made_next;
        free(block);
        block = next;
    }
    *made = (struct kv_tree_made){0};
}

void kv_tree_edit_dry(struct kv_edit *edit, struct kv_root root)
{
    /* No version ever shows blocks of a dry run, so all of them may share one token. */
    *edit = (struct kv_edit){.token = UINT64_MAX, .root = root};
}

void kv_tree_edit_begin(struct kv_edit *edit, struct kv_tree_group *group, uint64_t token)
{
    *edit = (struct kv_edit){.group = group, .token = token, .root = group->root};
}

void kv_tree_edit_keep(struct kv_edit *edit)
{
    struct kv_tree_group *group = edit->group;
    for (struct kv_block *block = edit->retired; block != NULL;) {
        struct kv_block *next = block->retired_next;
        if (block->group == group->number) {
            made_remove(&group->made, block); /* No version that others see has it. */
            free(block);
        } else {
            block->retired_next = group->retired;
            group->retired = block;
        }
        block = next;
    }
    if (edit->made.first != NULL) {
        edit->made.first->made_previous = group->made.last;
        if (group->made.last != NULL) {
            group->made.last->made_next = edit->made.first;
        } else {
            group->made.first = edit->made.first;
        }
        group->made.last = edit->made.last;
    }
    group->root = edit->root;
    *edit = (struct kv_edit){0};
}

void kv_tree_edit_undo(struct kv_edit *edit)
{
    made_free(&edit->made);
    *edit = (struct kv_edit){0};
}

void kv_tree_group_undo(struct kv_tree_group *group)
{
    made_free(&group->made);
    group->retired = NULL;
}

static void adopt(struct kv_edit *edit, struct kv_block *block)
{
    block->edit = edit->token;
    block->group = edit->group != NULL ? edit->group->number : 0;
    made_add(&edit->made, block);
}

static struct kv_node *adopt_node(struct kv_edit *edit, struct kv_node *node)
{
    if (node != NULL) {
        adopt(edit, &node->block);
        node->id = edit->group != NULL ? (*edit->group->next_id)++ : 0;
    }
    return node;
}

/* The new version does not need the block. */
static void discard(struct kv_edit *edit, struct kv_block *block)
{
    if (block == NULL) {
        return;
    }
    if (block->edit == edit->token) {
        made_remove(&edit->made, block);
        free(block);
        return;
    }
    if (edit->group != NULL) { /* A dry run is undone anyway, and must not touch what is shared. */
        block->retired_next = edit->retired;
        edit->retired = block;
    }
}

/* A node that the edit may write in the place of node; NULL without memory. */
static struct kv_node *own(struct kv_edit *edit, struct kv_node *node)
{
    if (node->block.edit == edit->token) {
        return node;
    }
    struct kv_node *copy = adopt_node(edit, kv_node_copy(node));
    if (copy != NULL) {
        discard(edit, &node->block);
    }
    return copy;
}

/* Own the way to the leaf that key belongs to. */
static struct status own_way(struct kv_edit *edit, struct bytes key, struct way *way)
{
    struct kv_node *node =
        edit->root.node != NULL ? own(edit, edit->root.node) : adopt_node(edit, kv_node_new(0));
    if (node == NULL) {
        return FAIL(NO_MEMORY, "node");
    }
    edit->root.node = node;
    for (way->depth = 0;;) {
        CHECK(way->depth < KV_TREE_DEPTH_MAX);
        way->node[way->depth] = node;
        way->at[way->depth] = 0;
        way->depth++;
        if (node->level == 0) {
            return OK;
        }
        size_t at = kv_node_route(node, key);
        way->at[way->depth - 1] = at;
        struct kv_node *child = own(edit, kv_node_child(node, at));
        if (child == NULL) {
            return FAIL(NO_MEMORY, "node");
        }
        kv_node_set_child(node, at, child);
        node = child;
    }
}

/*
 * How many of the cells, with the new one at `at`, go to the left node. At the end of a node only
 * the new cell goes right: rows often come in order. Else both get about half; no cell is larger
 * than 3/7 of a node, so that both fit.
 */
static size_t split_point(const struct kv_node *node, size_t at, size_t cell_size)
{
    if (at == node->count) {
        return node->count;
    }
    size_t half = (kv_node_used(node) + SLOT + cell_size) / 2;
    size_t left = 0;
    size_t best = 1;
    size_t best_off = SIZE_MAX;
    for (size_t k = 0; k < node->count; k++) {
        struct kv_cell cell = {0};
        if (k != at) {
            cell = kv_node_cell(node, k < at ? k : k - 1);
        }
        left += SLOT + (k == at ? cell_size : kv_node_cell_size(&cell));
        size_t off = left > half ? left - half : half - left;
        if (off < best_off) {
            best_off = off;
            best = k + 1;
        }
    }
    return best;
}

/* The shortest key that is above all of left and not above any of right. */
static struct bytes separator_of(const struct kv_node *left, const struct kv_node *right)
{
    struct bytes high = kv_node_key(right, 0);
    if (right->level > 0) {
        return high;
    }
    struct bytes low = kv_node_key(left, left->count - 1U);
    size_t common = 0;
    while (common < low.size && low.data[common] == high.data[common]) {
        common++;
    }
    return bytes_slice(high, 0, common + 1);
}

/* Split node, which has no room for cell, and put the cell. */
static struct status split(
    struct kv_edit *edit, struct kv_node *node, size_t at, const struct kv_cell *cell,
    struct kv_node **ret_right)
{
    struct kv_node *right = adopt_node(edit, kv_node_new(node->level));
    if (right == NULL) {
        return FAIL(NO_MEMORY, "node");
    }
    size_t left_count = split_point(node, at, kv_node_cell_size(cell));
    bool goes_left = at < left_count;
    size_t kept = goes_left ? left_count - 1 : left_count;
    kv_node_append(right, node, kept, node->count);
    kv_node_truncate(node, kept);
    bool fits =
        goes_left ? kv_node_insert(node, at, cell) : kv_node_insert(right, at - left_count, cell);
    CHECK(fits);
    *ret_right = right;
    return OK;
}

static struct kv_cell child_cell(struct bytes key, struct kv_node *const *child)
{
    return (struct kv_cell){
        .key = key, .value_size = sizeof(*child), .payload = bytes_of(child, sizeof(*child))};
}

static struct status new_root(struct kv_edit *edit, struct bytes separator, struct kv_node *right)
{
    struct kv_node *left = edit->root.node;
    struct kv_node *root = adopt_node(edit, kv_node_new((uint8_t)(left->level + 1)));
    if (root == NULL) {
        return FAIL(NO_MEMORY, "node");
    }
    struct kv_cell first = child_cell(bytes_of("", 0), &left);
    struct kv_cell second = child_cell(separator, &right);
    bool fits = kv_node_insert(root, 0, &first) && kv_node_insert(root, 1, &second);
    CHECK(fits);
    edit->root.node = root;
    return OK;
}

/* Put a cell into the leaf at the end of the way, splitting upwards as needed. */
static struct status
insert(struct kv_edit *edit, struct way *way, size_t at, const struct kv_cell *cell)
{
    uint8_t separator[KEY_MAX];
    struct kv_node *right = NULL;
    struct kv_cell next = *cell;
    for (size_t depth = way->depth; depth > 0; depth--) {
        struct kv_node *node = way->node[depth - 1];
        if (kv_node_insert(node, at, &next)) {
            return OK;
        }
        struct kv_node *made;
        TRY(split(edit, node, at, &next, &made));
        /* next may point to right and separator: they change only now. */
        right = made;
        struct bytes between = separator_of(node, right);
        memmove(separator, between.data, between.size);
        next = child_cell(bytes_of(separator, between.size), &right);
        at = depth > 1 ? way->at[depth - 2] + 1 : 0;
    }
    return new_root(edit, next.key, right);
}

static struct status make_cell(
    struct kv_edit *edit, struct bytes key, struct bytes value, struct kv_large **large,
    struct kv_cell *ret_cell)
{
    struct kv_cell cell = {.key = key, .value_size = (uint32_t)value.size, .payload = value};
    if (value.size > KV_NODE_INLINE_MAX) {
        *large = kv_node_large_new(value);
        if (*large == NULL) {
            return FAIL(NO_MEMORY, "value");
        }
        adopt(edit, &(*large)->block);
        cell.payload = bytes_of(large, sizeof(*large));
    }
    *ret_cell = cell;
    return OK;
}

static void drop_row(struct kv_edit *edit, struct kv_node *leaf, size_t at)
{
    edit->root.rows--;
    edit->root.row_bytes -= kv_node_key(leaf, at).size + kv_node_value(leaf, at).size;
    struct kv_large *large = kv_node_large(leaf, at);
    if (large != NULL) {
        discard(edit, &large->block);
    }
    kv_node_remove(leaf, at);
}

struct status kv_tree_put(struct kv_edit *edit, struct bytes key, struct bytes value)
{
    CHECK(key.size > 0 && key.size <= KEY_MAX);
    struct way way;
    TRY(own_way(edit, key, &way));
    struct kv_large *large = NULL;
    struct kv_cell cell;
    TRY(make_cell(edit, key, value, &large, &cell));
    struct kv_node *leaf = way.node[way.depth - 1];
    bool is_equal;
    size_t at = kv_node_find(leaf, key, &is_equal);
    if (is_equal) {
        drop_row(edit, leaf, at);
    }
    TRY(insert(edit, &way, at, &cell));
    edit->root.rows++;
    edit->root.row_bytes += key.size + value.size;
    return OK;
}

static bool can_join(const struct kv_node *left, const struct kv_node *right)
{
    size_t both = kv_node_used(left) + kv_node_used(right);
    return both <= JOINED_MAX || ((left->count == 0 || right->count == 0) && both <= KV_NODE_BODY);
}

/*
 * Join children at and at + 1 of parent; false if they do not fit together. First cells are never
 * removed, so that an inner node's first key is still the separator that its parent has for it.
 */
static struct status
join(struct kv_edit *edit, struct kv_node *parent, size_t at, bool *ret_is_joined)
{
    struct kv_node *left = kv_node_child(parent, at);
    struct kv_node *right = kv_node_child(parent, at + 1);
    *ret_is_joined = can_join(left, right);
    if (!*ret_is_joined) {
        return OK;
    }
    struct kv_node *joined = own(edit, left);
    if (joined == NULL) {
        return FAIL(NO_MEMORY, "node");
    }
    kv_node_set_child(parent, at, joined);
    for (size_t i = 0; i < right->count; i++) {
        struct kv_cell cell = kv_node_cell(right, i);
        bool fits = kv_node_insert(joined, joined->count, &cell);
        CHECK(fits);
    }
    discard(edit, &right->block);
    kv_node_remove(parent, at + 1);
    return OK;
}

static struct status join_upwards(struct kv_edit *edit, struct way *way)
{
    for (size_t depth = way->depth; depth > 1; depth--) {
        struct kv_node *node = way->node[depth - 1];
        struct kv_node *parent = way->node[depth - 2];
        if (kv_node_used(node) >= SMALL) {
            break;
        }
        size_t at = way->at[depth - 2];
        bool is_joined = false;
        if (at > 0) {
            TRY(join(edit, parent, at - 1, &is_joined));
        }
        if (!is_joined && at + 1 < parent->count) {
            TRY(join(edit, parent, at, &is_joined));
        }
        if (!is_joined && parent->count > 1) {
            break;
        }
    }
    while (edit->root.node->level > 0 && edit->root.node->count == 1) {
        struct kv_node *old = edit->root.node;
        edit->root.node = kv_node_child(old, 0);
        discard(edit, &old->block);
    }
    return OK;
}

struct status kv_tree_delete(struct kv_edit *edit, struct bytes key, bool *ret_was_there)
{
    struct kv_place place;
    *ret_was_there = kv_tree_find(&edit->root, key, &place);
    if (!*ret_was_there) {
        return OK;
    }
    struct way way;
    TRY(own_way(edit, key, &way));
    struct kv_node *leaf = way.node[way.depth - 1];
    bool is_equal;
    size_t at = kv_node_find(leaf, key, &is_equal);
    CHECK(is_equal);
    drop_row(edit, leaf, at);
    return join_upwards(edit, &way);
}
