#include "lib/kv/kv_tree.h"

#include "lib/base/check.h"

#include <stdlib.h>

/* Finding rows, walking, and the lists of blocks. Changing is in kv_tree_edit.c. */

bool kv_tree_find(const struct kv_root *root, struct bytes key, struct kv_place *ret_place)
{
    ret_place->depth = 0;
    const struct kv_node *node = root->node;
    if (node == NULL) {
        return false;
    }
    while (node->level > 0) {
        node = kv_node_child(node, kv_node_route(node, key));
    }
    bool is_equal;
    ret_place->path[0].node = node;
    ret_place->path[0].at = kv_node_find(node, key, &is_equal);
    ret_place->depth = is_equal ? 1 : 0;
    return is_equal;
}

/* Down to the first row under the deepest step. */
static void descend_first(struct kv_place *place)
{
    for (;;) {
        const struct kv_node *node = kv_place_node(place);
        if (node->level == 0) {
            return;
        }
        CHECK(place->depth < KV_TREE_DEPTH_MAX);
        place->path[place->depth].node = kv_node_child(node, kv_place_at(place));
        place->path[place->depth].at = 0;
        place->depth++;
    }
}

/* Move on until the place is at a row: over ends of nodes and empty leaves. */
static bool settle(struct kv_place *place)
{
    while (place->depth > 0) {
        const struct kv_node *node = kv_place_node(place);
        if (kv_place_at(place) >= node->count) {
            place->depth--;
            if (place->depth > 0) {
                place->path[place->depth - 1].at++;
            }
            continue;
        }
        if (node->level == 0) {
            return true;
        }
        descend_first(place);
    }
    return false;
}

bool kv_tree_seek(const struct kv_root *root, struct bytes from, struct kv_place *ret_place)
{
    ret_place->depth = 0;
    const struct kv_node *node = root->node;
    while (node != NULL) {
        CHECK(ret_place->depth < KV_TREE_DEPTH_MAX);
        bool is_equal;
        size_t at =
            node->level > 0 ? kv_node_route(node, from) : kv_node_find(node, from, &is_equal);
        ret_place->path[ret_place->depth].node = node;
        ret_place->path[ret_place->depth].at = at;
        ret_place->depth++;
        node = node->level > 0 ? kv_node_child(node, at) : NULL;
    }
    return settle(ret_place);
}

bool kv_tree_next(struct kv_place *place)
{
    if (place->depth == 0) {
        return false;
    }
    place->path[place->depth - 1].at++;
    return settle(place);
}

void kv_tree_free_retired(struct kv_block *retired)
{
    while (retired != NULL) {
        struct kv_block *next = retired->retired_next;
        free(retired);
        retired = next;
    }
}

/* Depth is bounded by KV_TREE_DEPTH_MAX. */
static void free_node(struct kv_node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        if (node->level > 0) {
            free_node(kv_node_child(node, i));
        } else {
            free(kv_node_large(node, i));
        }
    }
    free(node);
}

void kv_tree_free(struct kv_root *root)
{
    if (root->node != NULL) {
        free_node(root->node);
    }
    *root = (struct kv_root){0};
}

struct check {
    struct bytes last_key;
    uint64_t rows;
    uint64_t row_bytes;
};

static struct status check_leaf(const struct kv_node *node, struct bytes low, struct check *check)
{
    for (size_t i = 0; i < node->count; i++) {
        struct bytes key = kv_node_key(node, i);
        if (key.size == 0 || bytes_compare(key, low) < 0 ||
            (check->rows > 0 && bytes_compare(check->last_key, key) >= 0)) {
            return FAIL(CORRUPT, "order of rows");
        }
        check->last_key = key;
        check->rows++;
        check->row_bytes += key.size + kv_node_value(node, i).size;
    }
    return OK;
}

static struct status
check_node(const struct kv_node *node, struct bytes low, size_t depth, struct check *check)
{
    if (depth == KV_TREE_DEPTH_MAX || kv_node_used(node) > KV_NODE_BODY) {
        return FAIL(CORRUPT, "shape of tree");
    }
    if (node->level == 0) {
        return check_leaf(node, low, check);
    }
    if (node->count == 0) {
        return FAIL(CORRUPT, "inner node without children");
    }
    for (size_t i = 0; i < node->count; i++) {
        struct bytes key = i == 0 ? low : kv_node_key(node, i);
        const struct kv_node *child = kv_node_child(node, i);
        if (child->level + 1 != node->level ||
            (check->rows > 0 && i > 0 && bytes_compare(check->last_key, key) >= 0)) {
            return FAIL(CORRUPT, "order of nodes");
        }
        if (child->level > 0 && i > 0 && !bytes_equal(kv_node_key(child, 0), key)) {
            return FAIL(CORRUPT, "first key of node");
        }
        TRY(check_node(child, key, depth + 1, check));
    }
    return OK;
}

struct status kv_tree_check(const struct kv_root *root)
{
    struct check check = {0};
    if (root->node != NULL) {
        TRY(check_node(root->node, bytes_of(NULL, 0), 0, &check));
    }
    if (check.rows != root->rows || check.row_bytes != root->row_bytes) {
        return FAIL(CORRUPT, "figures of tree");
    }
    return OK;
}
