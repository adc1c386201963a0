#pragma once

/* Buckets: a name that is taken once in the cluster, and an empty bucket's end. */

#include "contentdb/plan_head.h"

struct plan_buckets {
    struct id16 bucket;
    struct id16 tenant;
    struct bytes name;
    uint32_t shard;
    struct id16 taken_by; /* Set with EXISTS: the tenant of the bucket that has the name. */
    bool has_uploads;     /* Set by delete: plan_buckets_finish when they are gone. */
};

/* arg: struct plan_buckets, for all. Create is idempotent for the same bucket16. */
struct status plan_buckets_create(struct plan *plan, void *arg);
/* NOT_EMPTY while there is an object. The name is free at once, and nothing can be written any
 * more; open uploads are the caller's to abort. */
struct status plan_buckets_delete(struct plan *plan, void *arg);
struct status plan_buckets_finish(struct plan *plan, void *arg);
