#include "contentdb/plan_delete.h"

#include "contentdb/plan_put.h"

struct status plan_delete_object(struct plan *plan, void *arg)
{
    struct commit *commit = arg;
    struct plan_head head;
    TRY(plan_put_check(plan, commit));
    TRY(plan_head_get(plan, &commit->bucket, commit->name, &head));
    TRY(plan_head_check_conditions(
        plan, &head, false, commit->has_if_version ? &commit->if_version : NULL));
    bool is_any = id16_is_zero(&commit->version);
    if (!is_any && head.is_there && !id16_equal(&head.record.version, &commit->version)) {
        return plan_settle(plan, OUTCOME(NOT_FOUND));
    }
    if (!head.is_there) {
        return plan_settle(plan, is_any ? OUTCOME(DONE) : OUTCOME(NOT_FOUND));
    }
    commit->was_there = true;
    TRY(plan_head_remove(plan, &commit->bucket, commit->name, &head));
    return plan_head_let_go(plan, &commit->content, &commit->owner, &commit->bucket);
}
