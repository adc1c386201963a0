#include "steward/repair_place.h"

#include "lib/base/check.h"

static struct placement_candidate *
find(struct placement_candidate *candidates, size_t count, uint32_t account)
{
    for (size_t i = 0; i < count; i++) {
        if (candidates[i].account == account) {
            return &candidates[i];
        }
    }
    return NULL;
}

/* How many of some accounts lie on a node. */
static unsigned node_load(
    struct placement_candidate *candidates, size_t count, const uint32_t *accounts, size_t used,
    uint32_t node)
{
    unsigned load = 0;
    for (size_t i = 0; i < used; i++) {
        const struct placement_candidate *one = find(candidates, count, accounts[i]);
        load += one != NULL && one->node == node ? 1 : 0;
    }
    return load;
}

struct status repair_place_choose(
    struct placement_candidate *candidates, size_t count, const uint32_t *accounts,
    unsigned fragments, unsigned index, bool may_stay, const uint8_t random[8],
    uint32_t *ret_account)
{
    CHECK(index < fragments && fragments <= PLACEMENT_FRAGMENTS_MAX);
    /* The place that is lost must not count: its node is as good for the fragment as it was. */
    uint32_t others[PLACEMENT_FRAGMENTS_MAX];
    size_t used = 0;
    for (unsigned i = 0; i < fragments; i++) {
        if (i != index) {
            others[used++] = accounts[i];
        }
    }
    struct placement_candidate *own = find(candidates, count, accounts[index]);
    bool own_is_up = own != NULL && own->is_up;
    if (own != NULL) {
        own->is_up = false; /* What damaged one fragment may damage the next. */
    }
    struct status status =
        placement_choose_other(candidates, count, others, used, random, ret_account);
    if (!own_is_up || !may_stay) {
        return status;
    }
    const struct placement_candidate *pick =
        status_ok(status) ? find(candidates, count, *ret_account) : NULL;
    if (pick == NULL || node_load(candidates, count, others, used, pick->node) >
                            node_load(candidates, count, others, used, own->node)) {
        *ret_account = own->account;
    }
    return OK;
}
