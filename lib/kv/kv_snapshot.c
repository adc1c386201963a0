#include "lib/base/check.h"
#include "lib/kv/kv_state.h"

#include <stdlib.h>

/*
 * Versions and who reads them. A published version retires blocks that only the versions before it
 * need; they wait as garbage until no snapshot of those is left.
 */

static struct kv_garbage *take_free_garbage(struct kv *kv)
{
    uint64_t oldest = kv->oldest != NULL ? kv->oldest->version : kv->version;
    struct kv_garbage *first = kv->garbage_first;
    struct kv_garbage **next = &kv->garbage_first;
    while (*next != NULL && (*next)->version <= oldest) {
        next = &(*next)->next;
    }
    if (next == &kv->garbage_first) {
        return NULL;
    }
    kv->garbage_first = *next;
    *next = NULL;
    if (kv->garbage_first == NULL) {
        kv->garbage_last = NULL;
    }
    return first;
}

static void free_garbage(struct kv_garbage *garbage)
{
    while (garbage != NULL) {
        struct kv_garbage *next = garbage->next;
        kv_tree_free_retired(garbage->retired);
        free(garbage);
        garbage = next;
    }
}

void kv_snapshot_enter(struct kv *kv, struct kv_snapshot *snapshot)
{
    LOCKED(&kv->version_mutex);
    *snapshot = (struct kv_snapshot){
        .kv = kv,
        .root = kv->root,
        .version = kv->version,
        .seq = kv->durable.seq,
        .previous = kv->newest,
    };
    if (kv->newest != NULL) {
        kv->newest->next = snapshot;
    } else {
        kv->oldest = snapshot;
    }
    kv->newest = snapshot;
}

static struct kv_garbage *unlink_snapshot(struct kv *kv, struct kv_snapshot *snapshot)
{
    LOCKED(&kv->version_mutex);
    if (snapshot->previous != NULL) {
        snapshot->previous->next = snapshot->next;
    } else {
        kv->oldest = snapshot->next;
    }
    if (snapshot->next != NULL) {
        snapshot->next->previous = snapshot->previous;
    } else {
        kv->newest = snapshot->previous;
    }
    return take_free_garbage(kv);
}

void kv_snapshot_leave(struct kv_snapshot *snapshot)
{
    free_garbage(unlink_snapshot(snapshot->kv, snapshot));
}

static struct kv_garbage *swap_version(
    struct kv *kv, struct kv_root root, struct kv_garbage *garbage, const struct kv_stats *added)
{
    LOCKED(&kv->version_mutex);
    kv->root = root;
    kv->version++;
    kv->durable = kv->link;
    kv->stats.groups += added->groups;
    kv->stats.plans += added->plans;
    kv->stats.log_bytes += added->log_bytes;
    if (garbage != NULL) {
        garbage->version = kv->version;
        if (kv->garbage_last != NULL) {
            kv->garbage_last->next = garbage;
        } else {
            kv->garbage_first = garbage;
        }
        kv->garbage_last = garbage;
    }
    return take_free_garbage(kv);
}

void kv_snapshot_publish(
    struct kv *kv, struct kv_root root, struct kv_garbage *garbage, const struct kv_stats *added)
{
    if (garbage != NULL && garbage->retired == NULL) {
        free(garbage);
        garbage = NULL;
    }
    free_garbage(swap_version(kv, root, garbage, added));
}

void kv_snapshot_free_garbage(struct kv *kv)
{
    free_garbage(kv->garbage_first);
    kv->garbage_first = NULL;
    kv->garbage_last = NULL;
}

struct status kv_snapshot_take(struct kv *kv, struct kv_snapshot **ret_snapshot)
{
    struct kv_snapshot *snapshot = malloc(sizeof(*snapshot));
    if (snapshot == NULL) {
        return FAIL(NO_MEMORY, "snapshot");
    }
    kv_snapshot_enter(kv, snapshot);
    *ret_snapshot = snapshot;
    return OK;
}

void kv_snapshot_free(struct kv_snapshot *snapshot)
{
    if (snapshot != NULL) {
        kv_snapshot_leave(snapshot);
        free(snapshot);
    }
}

struct status
kv_snapshot_get(struct kv_snapshot *snapshot, struct bytes key, struct bytes *ret_value)
{
    struct kv_place place;
    if (!kv_tree_find(&snapshot->root, key, &place)) {
        return FAIL(NOT_FOUND, "row");
    }
    *ret_value = kv_node_value(kv_place_node(&place), kv_place_at(&place));
    return OK;
}
