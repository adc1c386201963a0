#include "contentdb/plan_abort.h"

#include "contentdb/plan_complete.h"
#include "contentdb/plan_part.h"

enum { SWEEP_PARTS = 2000 };

static struct status mark(struct plan *plan, const struct plan_abort *abort)
{
    struct row_upload upload;
    TRY(plan_part_get_upload(plan, &abort->bucket, abort->name, &abort->upload, &upload));
    if (upload.state == UPLOAD_DONE) {
        return plan_settle(plan, OUTCOME(NO_SUCH_UPLOAD));
    }
    if (upload.state == UPLOAD_ABORTING) {
        return plan_settle(plan, OUTCOME(DONE));
    }
    upload.state = UPLOAD_ABORTING;
    struct row_key key;
    BUFFER(value, KV_VALUE_MAX);
    rows_upload_encode(&value, &upload);
    return plan_put_row(
        plan, row_key_upload(&key, &abort->bucket, abort->name, &abort->upload), &value);
}

struct status plan_abort_mark(struct plan *plan, void *arg)
{
    const struct plan_abort *abort = arg;
    TRY(plan_head_check_bucket(plan, &abort->bucket, &abort->tenant));
    return mark(plan, abort);
}

struct status plan_abort_force(struct plan *plan, void *arg)
{
    return mark(plan, arg);
}

struct sweep {
    const struct plan_abort *abort;
    bool is_done; /* A Complete's rest: the contents live on. */
    size_t left;
    bool has_more;
};

static struct status
sweep_part(struct plan *plan, uint32_t number, const struct row_part *part, void *arg, bool *go_on)
{
    struct sweep *sweep = arg;
    if (sweep->left == 0) {
        sweep->has_more = true;
        *go_on = false;
        return OK;
    }
    sweep->left--;
    if (!sweep->is_done) {
        TRY(plan_part_let_go(plan, &sweep->abort->bucket, &sweep->abort->upload, part));
    }
    struct row_key key;
    return plan_delete(plan, row_key_part(&key, &sweep->abort->upload, number));
}

struct status plan_abort_sweep(struct plan *plan, void *arg)
{
    struct plan_abort *abort = arg;
    struct row_upload upload;
    abort->is_finished = true;
    TRY(plan_part_get_upload(plan, &abort->bucket, abort->name, &abort->upload, &upload));
    if (upload.state != UPLOAD_DONE && upload.state != UPLOAD_ABORTING) {
        return plan_settle(plan, OUTCOME(PRECONDITION));
    }
    struct sweep sweep = {
        .abort = abort, .is_done = upload.state == UPLOAD_DONE, .left = SWEEP_PARTS};
    size_t writes = plan->writes;
    TRY(plan_complete_each_part(plan, &abort->upload, sweep_part, &sweep));
    abort->is_finished = !sweep.has_more;
    if (!sweep.has_more && (!sweep.is_done || abort->with_done)) {
        struct row_key key;
        return plan_delete(plan, row_key_upload(&key, &abort->bucket, abort->name, &abort->upload));
    }
    return plan->writes == writes ? plan_settle(plan, OUTCOME(DONE)) : OK;
}
