#include "lib/kv/kv_node.h"

#include "lib/base/check.h"

#include <stdlib.h>

/*
 * cell = key size u16 | value size u32 | key | payload, in the machine's byte order. The payload is
 * the value, or a pointer to a kv_large (leaf, value size > 512) or to a child (inner, "value
 * size" 8).
 */

enum { SLOT = 2 };

struct kv_node *kv_node_new(uint8_t level)
{
    struct kv_node *node = malloc(sizeof(*node));
    if (node != NULL) {
        memset(node, 0, offsetof(struct kv_node, body));
        node->level = level;
        node->heap = KV_NODE_BODY;
    }
    return node;
}

struct kv_large *kv_node_large_new(struct bytes value)
{
    struct kv_large *large = malloc(sizeof(*large) + value.size);
    if (large != NULL) {
        memset(large, 0, sizeof(*large));
        large->size = value.size;
        memcpy(large->data, value.data, value.size);
    }
    return large;
}

static uint16_t slot_get(const struct kv_node *node, size_t at)
{
    uint16_t offset;
    memcpy(&offset, node->body + at * SLOT, SLOT);
    return offset;
}

static const uint8_t *cell_at(const struct kv_node *node, size_t at)
{
    return node->body + slot_get(node, at);
}

static uint16_t key_size(const uint8_t *cell)
{
    uint16_t size;
    memcpy(&size, cell, sizeof(size));
    return size;
}

static uint32_t value_size(const uint8_t *cell)
{
    uint32_t size;
    memcpy(&size, cell + 2, sizeof(size));
    return size;
}

static size_t payload_size(uint32_t size)
{
    return size <= KV_NODE_INLINE_MAX ? size : sizeof(void *);
}

static size_t whole_size(const uint8_t *cell)
{
    return KV_NODE_CELL_HEAD + (size_t)key_size(cell) + payload_size(value_size(cell));
}

static const uint8_t *payload_at(const uint8_t *cell)
{
    return cell + KV_NODE_CELL_HEAD + key_size(cell);
}

struct bytes kv_node_key(const struct kv_node *node, size_t at)
{
    const uint8_t *cell = cell_at(node, at);
    return bytes_of(cell + KV_NODE_CELL_HEAD, key_size(cell));
}

struct kv_large *kv_node_large(const struct kv_node *node, size_t at)
{
    const uint8_t *cell = cell_at(node, at);
    if (node->level > 0 || value_size(cell) <= KV_NODE_INLINE_MAX) {
        return NULL;
    }
    struct kv_large *large;
    memcpy(&large, payload_at(cell), sizeof(large));
    return large;
}

struct bytes kv_node_value(const struct kv_node *node, size_t at)
{
    const struct kv_large *large = kv_node_large(node, at);
    if (large != NULL) {
        return bytes_of(large->data, large->size);
    }
    const uint8_t *cell = cell_at(node, at);
    return bytes_of(payload_at(cell), value_size(cell));
}

struct kv_node *kv_node_child(const struct kv_node *node, size_t at)
{
    CHECK(node->level > 0 && at < node->count);
    struct kv_node *child;
    memcpy(&child, payload_at(cell_at(node, at)), sizeof(child));
    return child;
}

void kv_node_set_child(struct kv_node *node, size_t at, const struct kv_node *child)
{
    CHECK(node->level == child->level + 1 && at < node->count);
    uint8_t *cell = node->body + slot_get(node, at);
    memcpy(cell + KV_NODE_CELL_HEAD + key_size(cell), &child, sizeof(child));
}

size_t kv_node_find(const struct kv_node *node, struct bytes key, bool *ret_is_equal)
{
    size_t low = 0;
    size_t high = node->count;
    *ret_is_equal = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = bytes_compare(kv_node_key(node, middle), key);
        if (order == 0) {
            *ret_is_equal = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

size_t kv_node_route(const struct kv_node *node, struct bytes key)
{
    bool is_equal;
    size_t at = kv_node_find(node, key, &is_equal);
    return is_equal || at == 0 ? at : at - 1;
}

struct kv_cell kv_node_cell(const struct kv_node *node, size_t at)
{
    const uint8_t *cell = cell_at(node, at);
    return (struct kv_cell){
        .key = bytes_of(cell + KV_NODE_CELL_HEAD, key_size(cell)),
        .value_size = value_size(cell),
        .payload = bytes_of(payload_at(cell), payload_size(value_size(cell))),
    };
}

size_t kv_node_cell_size(const struct kv_cell *cell)
{
    return KV_NODE_CELL_HEAD + cell->key.size + cell->payload.size;
}

size_t kv_node_used(const struct kv_node *node)
{
    return (size_t)node->count * SLOT + (KV_NODE_BODY - node->heap) - node->waste;
}

/* Copy whole cells to the end of to, which has room. */
void kv_node_append(
    struct kv_node *to_node, const struct kv_node *from_node, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const uint8_t *cell = cell_at(from_node, i);
        size_t size = whole_size(cell);
        CHECK((size_t)(to_node->count + 1) * SLOT + size <= to_node->heap);
        to_node->heap = (uint16_t)(to_node->heap - size);
        memcpy(to_node->body + to_node->heap, cell, size);
        memcpy(to_node->body + (size_t)to_node->count * SLOT, &to_node->heap, SLOT);
        to_node->count++;
    }
}

struct kv_node *kv_node_copy(const struct kv_node *from)
{
    struct kv_node *node = malloc(sizeof(*node));
    if (node == NULL) {
        return NULL;
    }
    /*
     * Neither the block, whose links the writer may be changing, nor the gap between slots and
     * heap, which was never written.
     */
    size_t first = offsetof(struct kv_node, count);
    size_t last = offsetof(struct kv_node, body) + (size_t)from->count * SLOT;
    memset(node, 0, first);
    memcpy((uint8_t *)node + first, (const uint8_t *)from + first, last - first);
    memcpy(node->body + from->heap, from->body + from->heap, (size_t)KV_NODE_BODY - from->heap);
    return node;
}

static void compact(struct kv_node *node)
{
    struct kv_node packed;
    packed.count = 0;
    packed.heap = KV_NODE_BODY;
    kv_node_append(&packed, node, 0, node->count);
    memcpy(node->body, packed.body, (size_t)packed.count * SLOT);
    memcpy(node->body + packed.heap, packed.body + packed.heap, (size_t)KV_NODE_BODY - packed.heap);
    node->heap = packed.heap;
    node->waste = 0;
}

bool kv_node_insert(struct kv_node *node, size_t at, const struct kv_cell *cell)
{
    CHECK(at <= node->count && cell->payload.size == payload_size(cell->value_size));
    size_t size = kv_node_cell_size(cell);
    if (kv_node_used(node) + SLOT + size > KV_NODE_BODY) {
        return false;
    }
    if ((size_t)(node->count + 1) * SLOT + size > node->heap) {
        compact(node);
    }
    node->heap = (uint16_t)(node->heap - size);
    uint8_t *to = node->body + node->heap;
    uint16_t key_length = (uint16_t)cell->key.size;
    memcpy(to, &key_length, sizeof(key_length));
    memcpy(to + 2, &cell->value_size, sizeof(cell->value_size));
    memcpy(to + KV_NODE_CELL_HEAD, cell->key.data, cell->key.size);
    if (cell->payload.size > 0) {
        memcpy(to + KV_NODE_CELL_HEAD + cell->key.size, cell->payload.data, cell->payload.size);
    }
    uint8_t *slot = node->body + at * SLOT;
    memmove(slot + SLOT, slot, (node->count - at) * SLOT);
    memcpy(slot, &node->heap, SLOT);
    node->count++;
    return true;
}

void kv_node_remove(struct kv_node *node, size_t at)
{
    CHECK(at < node->count);
    node->waste = (uint16_t)(node->waste + whole_size(cell_at(node, at)));
    uint8_t *slot = node->body + at * SLOT;
    memmove(slot, slot + SLOT, (node->count - at - 1) * SLOT);
    node->count--;
}

void kv_node_truncate(struct kv_node *node, size_t from)
{
    while (node->count > from) {
        kv_node_remove(node, node->count - 1U);
    }
}
