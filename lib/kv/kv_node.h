#pragma once

/*
 * A node of the tree in memory: a slotted page of cells in key order, and values too large for it.
 *
 * Blocks (nodes and large values) are written only by the plan that made them, and are immutable
 * afterwards: kv_tree decides. A leaf cell is a row; an inner cell is (lowest key, child), where
 * the key of the first cell counts as lower than all.
 */

#include "lib/base/bytes.h"
#include "lib/base/status.h"

enum {
    KV_NODE_BODY = 4016,
    KV_NODE_INLINE_MAX = 512, /* Longer values stand outside. */
    KV_NODE_CELL_HEAD = 6,
};

/* What nodes and large values begin with. */
struct kv_block {
    struct kv_block *made_next; /* In the list of the plan, then of the group, that made it. */
    struct kv_block *made_previous;
    struct kv_block *retired_next;
    uint64_t edit;  /* The plan's run that made it and may still write it. */
    uint64_t group; /* The commit group that it was made in. */
};

struct kv_large {
    struct kv_block block;
    size_t size;
    uint8_t data[];
};

struct kv_node {
    struct kv_block block;
    uint64_t id; /* fence u20 | counter u44: what a checkpoint will know it by. 0: never stored. */
    uint16_t count;
    uint16_t heap;  /* Cells lie in body[heap..]; slots (u16 offsets) grow from body[0]. */
    uint16_t waste; /* Bytes of removed cells in the heap. */
    uint8_t level;  /* 0: leaf. */
    uint8_t body[KV_NODE_BODY];
};

/* NULL without memory. Freed with free(). */
struct kv_node *kv_node_new(uint8_t level);
struct kv_node *kv_node_copy(const struct kv_node *from);
struct kv_large *kv_node_large_new(struct bytes value);

struct bytes kv_node_key(const struct kv_node *node, size_t at);
/* The value of a row, wherever it stands. */
struct bytes kv_node_value(const struct kv_node *node, size_t at);
/* The large value of a row, or NULL if it stands in the cell. */
struct kv_large *kv_node_large(const struct kv_node *node, size_t at);
struct kv_node *kv_node_child(const struct kv_node *node, size_t at);
void kv_node_set_child(struct kv_node *node, size_t at, const struct kv_node *child);

/* The first cell whose key is >= key; count if none. */
size_t kv_node_find(const struct kv_node *node, struct bytes key, bool *ret_is_equal);
/* The child that key belongs to. */
size_t kv_node_route(const struct kv_node *node, struct bytes key);

/* What a cell is made of: value_size of the row, and the bytes in the cell: value or pointer. */
struct kv_cell {
    struct bytes key;
    uint32_t value_size;
    struct bytes payload;
};

struct kv_cell kv_node_cell(const struct kv_node *node, size_t at);
size_t kv_node_cell_size(const struct kv_cell *cell);

/* False if there is no room. */
bool kv_node_insert(struct kv_node *node, size_t at, const struct kv_cell *cell);
void kv_node_remove(struct kv_node *node, size_t at);

/* Bytes of body in use, slots included. */
size_t kv_node_used(const struct kv_node *node);

/* Append cells [from, to) of one node to another, which has room. */
void kv_node_append(
    struct kv_node *to_node, const struct kv_node *from_node, size_t from, size_t to);
/* Drop the cells from `from` on. */
void kv_node_truncate(struct kv_node *node, size_t from);
