#pragma once

/*
 * A plain sorted map that a kv must agree with, and random plans that run on both.
 *
 * A plan is described by its seed alone, so that it is the same function on every run.
 */

#include "lib/kv/kv.h"

struct kv_model;

struct kv_model *kv_model_new(void);
void kv_model_free(struct kv_model *model);
struct kv_model *kv_model_copy(const struct kv_model *model);

/* Set or, with a NULL value, remove. */
void kv_model_put(struct kv_model *model, struct bytes key, struct bytes value);
bool kv_model_get(const struct kv_model *model, struct bytes key, struct bytes *ret_value);

/* Run the random plan of seed on a view: an arg of kv_apply. CONFLICT for one that fails. */
struct kv_model_plan {
    uint64_t seed;
    unsigned keys; /* How many different keys there are. */
    struct kv_model
        *applied; /* Changes are made here too, on a copy before the plan; may be NULL. */
};
struct status kv_model_plan_run(struct kv_view *view, void *arg);

/* The same on the model alone; false for a plan that fails, which leaves it as it was. */
bool kv_model_apply(struct kv_model *model, uint64_t seed, unsigned keys);

/* True if a snapshot holds the model's rows and no others. */
bool kv_model_matches(const struct kv_model *model, struct kv *kv);
