#include "lib/cluster/placement.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"

struct placement_policy placement_policy_default(void)
{
    return (struct placement_policy){
        .small_max = PLACEMENT_SMALL_MAX, .small_k = 1, .small_m = 2, .large_k = 4, .large_m = 2};
}

static size_t up_count(const struct placement_candidate *candidates, size_t count)
{
    size_t up = 0;
    for (size_t i = 0; i < count; i++) {
        up += candidates[i].is_up ? 1 : 0;
    }
    return up;
}

struct status placement_layout_choose(
    const struct placement_policy *policy, uint64_t length,
    const struct placement_candidate *candidates, size_t count, struct placement_layout *ret_layout)
{
    size_t up = up_count(candidates, count);
    bool is_small = length <= policy->small_max;
    if (!is_small && count >= policy->large_k + policy->large_m && up >= policy->large_k + 1) {
        *ret_layout = (struct placement_layout){.k = policy->large_k, .m = policy->large_m};
        return OK;
    }
    if (count >= policy->small_k + policy->small_m) {
        if (up < policy->small_k + 1) {
            return FAIL(UNAVAILABLE, "too few storage accounts are up");
        }
        *ret_layout = (struct placement_layout){
            .k = policy->small_k, .m = policy->small_m, .is_reduced = !is_small};
        return OK;
    }
    if (up < count || count == 0) {
        return FAIL(UNAVAILABLE, "too few storage accounts");
    }
    unsigned m = count >= 2 ? 1 : 0;
    *ret_layout = (struct placement_layout){.k = 1, .m = m, .is_reduced = true};
    return OK;
}

/* What is taken so far while fragments are placed one by one. */
struct picked {
    uint32_t accounts[PLACEMENT_USED_MAX];
    uint32_t nodes[PLACEMENT_USED_MAX];
    size_t count;
};

static bool picked_account(const struct picked *picked, uint32_t account)
{
    for (size_t i = 0; i < picked->count; i++) {
        if (picked->accounts[i] == account) {
            return true;
        }
    }
    return false;
}

/* How many of the accounts taken lie on that node. */
static unsigned picked_on_node(const struct picked *picked, uint32_t node)
{
    unsigned on_node = 0;
    for (size_t i = 0; i < picked->count; i++) {
        on_node += picked->nodes[i] == node ? 1 : 0;
    }
    return on_node;
}

static void picked_add(struct picked *picked, uint32_t account, uint32_t node)
{
    CHECK(picked->count < PLACEMENT_USED_MAX);
    picked->accounts[picked->count] = account;
    picked->nodes[picked->count] = node;
    picked->count++;
}

/* All the candidates that one choice is made from. */
struct eligible {
    const struct picked *picked;
    const struct placement_candidate *candidates;
    size_t count;
    bool is_up;
    unsigned node_load; /* Fragments that their node has already. */
};

static bool is_eligible(const struct eligible *eligible, const struct placement_candidate *one)
{
    return one->is_up == eligible->is_up && !picked_account(eligible->picked, one->account) &&
           picked_on_node(eligible->picked, one->node) == eligible->node_load;
}

static const struct placement_candidate *
eligible_at(const struct eligible *eligible, size_t position)
{
    for (size_t i = 0; i < eligible->count; i++) {
        if (!is_eligible(eligible, &eligible->candidates[i])) {
            continue;
        }
        if (position == 0) {
            return &eligible->candidates[i];
        }
        position--;
    }
    return NULL;
}

static size_t eligible_count(const struct eligible *eligible)
{
    size_t count = 0;
    for (size_t i = 0; i < eligible->count; i++) {
        count += is_eligible(eligible, &eligible->candidates[i]) ? 1 : 0;
    }
    return count;
}

/* From the least loaded nodes two random ones; the one with more space wins. */
static const struct placement_candidate *pick_of_two(struct eligible eligible, uint32_t random)
{
    for (unsigned load = 0; load <= eligible.picked->count; load++) {
        eligible.node_load = load;
        size_t count = eligible_count(&eligible);
        if (count == 0) {
            continue;
        }
        const struct placement_candidate *a = eligible_at(&eligible, (random & 0xffff) % count);
        const struct placement_candidate *b = eligible_at(&eligible, (random >> 16) % count);
        bool is_known = a->free_bytes != 0 && b->free_bytes != 0;
        return is_known && b->free_bytes > a->free_bytes ? b : a;
    }
    return NULL;
}

struct status placement_choose(
    const struct placement_candidate *candidates, size_t count, unsigned wanted,
    const uint8_t *random, uint32_t *chosen, unsigned *ret_up)
{
    CHECK(wanted > 0 && wanted <= PLACEMENT_FRAGMENTS_MAX);
    if (count < wanted) {
        return FAIL(UNAVAILABLE, "too few storage accounts");
    }

    struct picked picked = {.count = 0};
    struct eligible eligible = {
        .picked = &picked, .candidates = candidates, .count = count, .is_up = true};
    unsigned up = 0;
    for (unsigned i = 0; i < wanted; i++) {
        uint32_t dice = decode_u32(random + (size_t)4 * i);
        const struct placement_candidate *pick = pick_of_two(eligible, dice);
        if (pick == NULL) { /* None is up any more: the rest will be missing. */
            eligible.is_up = false;
            pick = pick_of_two(eligible, dice);
        }
        CHECK(pick != NULL);
        up += pick->is_up ? 1 : 0;
        chosen[i] = pick->account;
        picked_add(&picked, pick->account, pick->node);
    }

    *ret_up = up;
    return OK;
}

struct status placement_choose_other(
    const struct placement_candidate *candidates, size_t count, const uint32_t *used,
    size_t used_count, const uint8_t random[8], uint32_t *ret_account)
{
    CHECK(used_count <= PLACEMENT_USED_MAX);
    struct picked picked = {.count = 0};
    for (size_t i = 0; i < used_count; i++) {
        uint32_t node = UINT32_MAX; /* Of an account that is no candidate any more. */
        for (size_t at = 0; at < count; at++) {
            node = candidates[at].account == used[i] ? candidates[at].node : node;
        }
        picked_add(&picked, used[i], node);
    }
    struct eligible eligible = {
        .picked = &picked, .candidates = candidates, .count = count, .is_up = true};
    const struct placement_candidate *pick = pick_of_two(eligible, decode_u32(random));
    if (pick == NULL) {
        return FAIL(UNAVAILABLE, "no other storage account is up");
    }

    *ret_account = pick->account;
    return OK;
}
