#include "contentdb/plan_complete.h"

#include "contentdb/plan_part.h"

enum { ROWS_KEEP = 2000, TRIM_PARTS = 2000 };

struct status
plan_complete_each_part(struct plan *plan, const struct id16 *upload, plan_part_fn *fn, void *arg)
{
    struct row_key prefix;
    struct row_key from;
    row_key_prefix(&prefix, 'T', id16_view(upload));
    row_key_part(&from, upload, 0);
    bool go_on = true;
    while (go_on) {
        struct bytes key;
        struct bytes value;
        bool found = false;
        TRY(plan_seek(plan, row_key_bytes(&from), row_key_bytes(&prefix), &key, &value, &found));
        if (!found) {
            return OK;
        }
        uint32_t number = row_key_part_number(key);
        struct row_part part;
        TRY(rows_part_decode(value, &part));
        if (number == 0 || number > COMMIT_PART_MAX) {
            return FAIL(CORRUPT, "number of a part");
        }
        row_key_part(&from, upload, number + 1);
        TRY(fn(plan, number, &part, arg, &go_on));
    }
    return OK;
}

/* A walk over the parts there are, beside the list of those named. */
struct walk {
    struct plan_complete *complete;
    size_t at;      /* Named parts met. */
    size_t unnamed; /* Parts that nobody named. */
    bool differs;
    bool has_small; /* One but the last is too small. */
};

static bool is_named(struct walk *walk, uint32_t number, const struct row_part *part)
{
    const struct plan_complete *complete = walk->complete;
    while (walk->at < complete->parts_count && complete->parts[walk->at].part < number) {
        walk->differs = true; /* Named, but not there. */
        walk->at++;
    }
    if (walk->at == complete->parts_count || complete->parts[walk->at].part != number) {
        return false;
    }
    const struct content *content = &complete->parts[walk->at].content;
    walk->differs |= memcmp(content->bytes, part->content.bytes, CONTENT_SIZE) != 0;
    return true;
}

static struct segment_entry segment_at(const struct plan_complete *complete, size_t index)
{
    /* Checked before: all but the last page hold equally many, see check_segments. */
    size_t a_page = (complete->segment_pages[0].len - 32) / SEGMENT_SIZE;
    const ProtobufCBinaryData *page = &complete->segment_pages[index / a_page];
    struct segment_entry entry = {.len = UINT64_MAX};
    struct bytes encoded = bytes_of(page->data + (index % a_page) * SEGMENT_SIZE, SEGMENT_SIZE);
    if (!status_ok(segment_entry_decode(encoded, &entry))) {
        entry.len = UINT64_MAX; /* Fits no part. */
    }
    return entry;
}

static struct status
check_part(struct plan *plan, uint32_t number, const struct row_part *part, void *arg, bool *go_on)
{
    (void)plan;
    (void)go_on;
    struct walk *walk = arg;
    if (!is_named(walk, number, part)) {
        walk->unnamed++;
        return OK;
    }
    if (walk->differs) {
        walk->at++; /* INVALID_PART, whatever the segments say. */
        return OK;
    }
    struct segment_entry entry = segment_at(walk->complete, walk->at);
    if (entry.part != number || entry.len != part->size || entry.chunks != part->chunks ||
        entry.skip != 0 || entry.first_index != 0 ||
        memcmp(entry.content.bytes, part->content.bytes, CONTENT_SIZE) != 0) {
        return plan_settle(plan, OUTCOME(INVALID));
    }
    bool is_last = walk->at + 1 == walk->complete->parts_count;
    walk->has_small |= !is_last && part->size < COMPLETE_PART_SIZE_MIN;
    walk->at++;
    return OK;
}

/* One segment a part, and full pages but the last, so that an entry is found by its index. */
static struct status check_segments(struct plan *plan, const struct plan_complete *complete)
{
    size_t count = complete->segment_pages_count;
    bool fits = complete->decoded.segments == complete->parts_count && count > 0;
    for (size_t i = 0; fits && i + 1 < count; i++) {
        fits = complete->segment_pages[i].len == complete->segment_pages[0].len;
    }
    fits = fits && complete->segment_pages[count - 1].len <= complete->segment_pages[0].len;
    return fits ? OK : plan_settle(plan, OUTCOME(INVALID));
}

static struct status check_parts(struct plan *plan, struct plan_complete *complete, size_t *unnamed)
{
    TRY(check_segments(plan, complete));
    struct walk walk = {.complete = complete};
    TRY(plan_complete_each_part(plan, &complete->upload, check_part, &walk));
    if (walk.differs || walk.at != complete->parts_count) {
        return plan_settle(plan, OUTCOME(INVALID_PART));
    }
    if (walk.has_small) {
        return plan_settle(plan, OUTCOME(PART_TOO_SMALL));
    }
    *unnamed = walk.unnamed;
    return OK;
}

static struct status
answer_done(struct plan *plan, struct plan_complete *complete, const struct row_upload *upload)
{
    complete->was_done = true;
    complete->done_seq = upload->done_seq;
    memcpy(complete->done_record, upload->done_record.data, VERSION_RECORD_SIZE);
    memcpy(complete->done_vmac, upload->done_vmac.data, VERSION_MAC_SIZE);
    memcpy(complete->done_key_ref, upload->key_ref.data, upload->key_ref.size);
    complete->done_key_ref_size = upload->key_ref.size;
    return plan_settle(plan, OUTCOME(DONE));
}

/* The upload is open, and of the data that the new record names. */
static struct status
check_upload(struct plan *plan, struct plan_complete *complete, struct row_upload *ret_upload)
{
    TRY(plan_head_check_bucket(plan, &complete->bucket, &complete->tenant));
    TRY(plan_part_get_upload(
        plan, &complete->bucket, complete->name, &complete->upload, ret_upload));
    if (ret_upload->state == UPLOAD_DONE) {
        return answer_done(plan, complete, ret_upload);
    }
    if (ret_upload->state != UPLOAD_OPEN) {
        return plan_settle(plan, OUTCOME(NO_SUCH_UPLOAD));
    }
    struct version_record record;
    TRY(version_record_decode(ret_upload->record, &record));
    return id16_equal(&record.data, &complete->decoded.data) ? OK
                                                             : plan_settle(plan, OUTCOME(INVALID));
}

struct drop {
    struct walk walk;
    bool with_named;
    size_t left; /* Parts that may still go. */
};

static struct status
drop_part(struct plan *plan, uint32_t number, const struct row_part *part, void *arg, bool *go_on)
{
    struct drop *drop = arg;
    struct plan_complete *complete = drop->walk.complete;
    bool named = is_named(&drop->walk, number, part);
    if (named && !drop->with_named) {
        return OK;
    }
    if (drop->left == 0) {
        *go_on = false;
        return OK;
    }
    drop->left--;
    if (!named) {
        TRY(plan_part_let_go(plan, &complete->bucket, &complete->upload, part));
    }
    struct row_key key;
    return plan_delete(plan, row_key_part(&key, &complete->upload, number));
}

static struct status
put_done(struct plan *plan, const struct plan_complete *complete, const struct row_upload *upload)
{
    struct row_upload row = *upload;
    row.state = UPLOAD_DONE;
    row.attributes = bytes_of(NULL, 0);
    row.done_seq = kv_view_seq(plan->view);
    row.done_record = complete->record;
    row.done_vmac = complete->vmac;
    struct row_key key;
    BUFFER(value, KV_VALUE_MAX);
    rows_upload_encode(&value, &row);
    return plan_put_row(
        plan, row_key_upload(&key, &complete->bucket, complete->name, &complete->upload), &value);
}

static struct status flip(
    struct plan *plan, struct plan_complete *complete, const struct row_upload *upload,
    const struct plan_head *old)
{
    for (uint32_t i = 0; i < complete->segment_pages_count; i++) {
        struct row_key key;
        TRY(plan_put(
            plan, row_key_segments(&key, &complete->upload, i),
            commit_check_bytes(complete->segment_pages[i])));
    }
    TRY(put_done(plan, complete, upload));
    const struct plan_head_new new_head = {
        .bucket = &complete->bucket,
        .name = complete->name,
        .record = complete->record,
        .decoded = &complete->decoded,
        .vmac = complete->vmac,
        .key_ref = complete->key_ref,
        .attributes = complete->attributes,
    };
    TRY(plan_head_replace(plan, old, &new_head));
    struct drop drop = {
        .walk = {.complete = complete}, .with_named = !complete->has_rest, .left = SIZE_MAX};
    return plan_complete_each_part(plan, &complete->upload, drop_part, &drop);
}

struct status plan_complete_upload(struct plan *plan, void *arg)
{
    struct plan_complete *complete = arg;
    struct row_upload upload;
    struct plan_head old;
    size_t unnamed = 0;
    complete->must_trim = complete->has_rest = complete->was_done = false;
    TRY(check_upload(plan, complete, &upload));
    TRY(plan_head_get(plan, &complete->bucket, complete->name, &old));
    TRY(plan_head_check_conditions(plan, &old, complete->if_absent, NULL));
    TRY(check_parts(plan, complete, &unnamed));

    /* R, D and T of each part that goes; R and D of each content of the old head. */
    size_t budget = KV_PLAN_ROWS_MAX - ROWS_KEEP;
    size_t rows = unnamed * 3 + (old.is_there ? (size_t)old.record.segments * 2 : 0);
    if (unnamed > 0 && rows > budget) {
        complete->must_trim = true;
        return plan_settle(plan, OUTCOME(UNAVAILABLE));
    }
    complete->has_rest = rows + complete->parts_count > budget;
    return flip(plan, complete, &upload, &old);
}

struct status plan_complete_trim(struct plan *plan, void *arg)
{
    struct plan_complete *complete = arg;
    struct row_upload upload;
    struct plan_head old;
    size_t unnamed = 0;
    TRY(check_upload(plan, complete, &upload));
    TRY(plan_head_get(plan, &complete->bucket, complete->name, &old));
    TRY(plan_head_check_conditions(plan, &old, complete->if_absent, NULL));
    TRY(check_parts(plan, complete, &unnamed));
    if (unnamed == 0) {
        return plan_settle(plan, OUTCOME(NOT_FOUND));
    }
    struct drop drop = {.walk = {.complete = complete}, .left = TRIM_PARTS};
    return plan_complete_each_part(plan, &complete->upload, drop_part, &drop);
}
