#pragma once

/*
 * What every plan that changes an object asks and does: is the bucket active, the lease open, the
 * commit not resolved against; which version is the head; put a head, retire one.
 */

#include "contentdb/plan.h"
#include "contentdb/rows.h"

/* NO_SUCH_BUCKET unless the bucket is active, DENIED unless it is the tenant's. */
MUST_CHECK struct status
plan_head_check_bucket(struct plan *plan, const struct id16 *bucket, const struct id16 *tenant);

/* LEASE_CLOSED unless the lease in content is open and the caller's. */
MUST_CHECK struct status plan_head_check_lease(struct plan *plan, const struct content *content);

/* KILLED if the commit was resolved against; DONE with *ret_seq if it was done before. */
MUST_CHECK struct status plan_head_check_reference(
    struct plan *plan, const struct content *content, const struct id16 *owner,
    const struct id16 *bucket, uint64_t *ret_seq);

/* CONDEMNED if content is being deleted. */
MUST_CHECK struct status
plan_head_check_condemned(struct plan *plan, const struct content *content);

struct plan_head {
    bool is_there;
    struct row_object row;
    struct version_record record;
};
MUST_CHECK struct status plan_head_get(
    struct plan *plan, const struct id16 *bucket, struct bytes name, struct plan_head *ret_head);

/* EXISTS, NOT_FOUND or PRECONDITION. if_version may be NULL. */
MUST_CHECK struct status plan_head_check_conditions(
    struct plan *plan, const struct plan_head *head, bool if_absent, const struct id16 *if_version);

struct plan_head_new {
    const struct id16 *bucket;
    struct bytes name;
    struct bytes record;
    const struct version_record *decoded;
    struct bytes vmac;
    struct bytes key_ref;
    struct bytes attributes;
};
/* Put O (and A), retire the head that was, count both in the usage. */
MUST_CHECK struct status plan_head_replace(
    struct plan *plan, const struct plan_head *old, const struct plan_head_new *new_head);

/* Take the head away: no O row afterwards. */
MUST_CHECK struct status plan_head_remove(
    struct plan *plan, const struct id16 *bucket, struct bytes name, const struct plan_head *old);

/* R = live. */
MUST_CHECK struct status plan_head_refer(
    struct plan *plan, const struct content *content, const struct id16 *owner,
    const struct id16 *bucket);

/* R = dead, and D: an owner lets go of a content. Also how a commit without fragments of its own
 * says that it happened. */
MUST_CHECK struct status plan_head_let_go(
    struct plan *plan, const struct content *content, const struct id16 *owner,
    const struct id16 *bucket);

/* Walk the segments of a version: entries lie one behind the other in each page, before its MAC. */
typedef struct status
plan_segment_fn(struct plan *plan, const struct segment_entry *segment, void *arg);
MUST_CHECK struct status plan_head_each_segment(
    struct plan *plan, const struct id16 *version, plan_segment_fn *fn, void *arg);
/* The same for one page as it came. */
MUST_CHECK struct status
plan_head_page_segments(struct plan *plan, struct bytes page, plan_segment_fn *fn, void *arg);
