/* A multipart upload becomes one version or nothing; an abort beats a Complete; whatever is not
 * part of the version becomes garbage; 10,000 parts fit. */

#include "contentdb/plan_abort.h"
#include "contentdb/plan_buckets.h"
#include "contentdb/plan_complete.h"
#include "contentdb/upload_lister.h"
#include "lib/base/clock.h"
#include "tests/support/cmocka.h"
#include "tests/unit/contentdb/content_fixture.h"

#include <stdlib.h>

enum { PART_SIZE = 5 * 1024 * 1024, PARTS_MAX = 10000 };

static int setup(void **state)
{
    static struct content_fixture fixture;
    content_fixture_open(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    content_fixture_close(*state);
    return 0;
}

struct upload {
    struct version_record record;
    const char *name;
    struct plan_complete_part parts[PARTS_MAX];
    uint64_t sizes[PARTS_MAX];
    size_t count;
};

static struct upload *new_upload(struct content_fixture *f, const char *name)
{
    struct upload *upload = arena_zalloc(&f->arena, 1, sizeof(*upload));
    assert_non_null(upload);
    upload->name = name;
    content_fixture_upload(f, name, &upload->record);
    return upload;
}

static Triad__Content__Outcome
put_part(struct content_fixture *f, struct upload *upload, uint32_t number, uint64_t size)
{
    Triad__Content__CommitItem *item =
        content_fixture_part(f, upload->name, &upload->record, number, size);
    Triad__Content__Outcome outcome = content_fixture_commit(f, item, NULL);
    if (outcome == OUTCOME(DONE)) {
        upload->parts[upload->count].part = number;
        memcpy(upload->parts[upload->count].content.bytes, item->content.data, CONTENT_SIZE);
        upload->sizes[upload->count] = size;
        upload->count++;
    }
    return outcome;
}

/* Segments and record of the parts listed in upload. */
static struct plan_complete *new_complete(struct content_fixture *f, struct upload *upload)
{
    enum { A_PAGE = 600 };
    struct plan_complete *complete = arena_zalloc(&f->arena, 1, sizeof(*complete));
    ProtobufCBinaryData *pages = arena_zalloc(&f->arena, 64, sizeof(*pages));
    uint8_t *encoded = arena_alloc(&f->arena, VERSION_RECORD_SIZE);
    static const uint8_t mac[VERSION_MAC_SIZE];
    static const uint8_t ref[48] = {1, 1, 0, 40};
    struct version_record record = upload->record;
    record.flags = VERSION_MULTIPART;
    record.segments = (uint32_t)upload->count;
    size_t count = 0;
    for (size_t i = 0; i < upload->count; count++) {
        BUFFER(page, SEGMENT_PAGE_MAX);
        for (size_t j = 0; j < A_PAGE && i < upload->count; j++, i++) {
            struct segment_entry entry = {
                .data = record.data,
                .content = upload->parts[i].content,
                .part = upload->parts[i].part,
                .chunks = (uint32_t)((upload->sizes[i] + 65535) / 65536),
                .len = upload->sizes[i],
            };
            record.size += entry.len;
            record.chunks += entry.chunks;
            segment_entry_encode(&page, &entry);
        }
        assert_ok(segment_page_seal(f->object_key, &record.version, (uint32_t)count, &page));
        pages[count] = content_fixture_field(f, buffer_bytes(&page));
    }
    version_record_encode(&record, encoded);
    *complete = (struct plan_complete){
        .bucket = f->grant.bucket,
        .tenant = f->grant.tenant,
        .upload = upload->record.version,
        .name = bytes_text(upload->name),
        .parts = upload->parts,
        .parts_count = upload->count,
        .record = bytes_of(encoded, VERSION_RECORD_SIZE),
        .decoded = record,
        .vmac = BYTES_ARRAY(mac),
        .key_ref = BYTES_ARRAY(ref),
        .segment_pages = pages,
        .segment_pages_count = count,
    };
    assert_ok(commit_check_segments(pages, count, &record));
    return complete;
}

static Triad__Content__Outcome run(struct content_fixture *f, plan_fn *fn, void *arg)
{
    return plan_apply_one(f->kv, &f->env, fn, arg, clock_monotonic_ms() + 60000, NULL);
}

static struct plan_abort new_abort(struct content_fixture *f, const struct upload *upload)
{
    return (struct plan_abort){
        .bucket = f->grant.bucket,
        .tenant = f->grant.tenant,
        .upload = upload->record.version,
        .name = bytes_text(upload->name),
    };
}

static size_t sweep(struct content_fixture *f, struct plan_abort *abort)
{
    size_t plans = 0;
    do {
        assert_int_equal(run(f, plan_abort_sweep, abort), OUTCOME(DONE));
        plans++;
    } while (!abort->is_finished);
    return plans;
}

static void parts_become_one_version(void **state)
{
    struct content_fixture *f = *state;
    struct upload *upload = new_upload(f, "a");
    assert_int_equal(put_part(f, upload, 3, PART_SIZE), OUTCOME(DONE));
    assert_int_equal(put_part(f, upload, 7, PART_SIZE), OUTCOME(DONE));
    assert_int_equal(put_part(f, upload, 9, 1), OUTCOME(DONE));
    assert_string_equal(content_fixture_list(f, "", "", "", 10), "");
    struct plan_complete *complete = new_complete(f, upload);

    assert_int_equal(run(f, plan_complete_upload, complete), OUTCOME(DONE));
    assert_false(complete->was_done);
    assert_string_equal(content_fixture_list(f, "", "", "", 10), "a");
    assert_int_equal(content_fixture_count(f, 'S'), 1);
    assert_int_equal(content_fixture_count(f, 'T'), 0);
    assert_int_equal(content_fixture_count(f, 'R'), 3);
    assert_int_equal(content_fixture_count(f, 'D'), 0);

    assert_int_equal(run(f, plan_complete_upload, complete), OUTCOME(DONE));
    assert_true(complete->was_done);
    assert_memory_equal(complete->done_record, complete->record.data, VERSION_RECORD_SIZE);

    assert_int_equal(
        content_fixture_commit(f, content_fixture_delete(f, "a"), NULL), OUTCOME(DONE));
    assert_int_equal(content_fixture_count(f, 'S'), 0);
    assert_int_equal(content_fixture_count(f, 'D'), 3 + 1);
    assert_int_equal(run(f, plan_complete_upload, complete), OUTCOME(DONE));
    assert_string_equal(content_fixture_list(f, "", "", "", 10), "");
}

static void what_was_not_named_becomes_garbage(void **state)
{
    struct content_fixture *f = *state;
    struct upload *upload = new_upload(f, "a");
    assert_int_equal(put_part(f, upload, 1, PART_SIZE), OUTCOME(DONE));
    upload->count = 0; /* Replaced by the next. */
    assert_int_equal(put_part(f, upload, 1, PART_SIZE), OUTCOME(DONE));
    assert_int_equal(content_fixture_count(f, 'D'), 1);
    assert_int_equal(put_part(f, upload, 2, 10), OUTCOME(DONE));
    assert_int_equal(put_part(f, upload, 5, 10), OUTCOME(DONE));
    upload->count = 2; /* Part 5 is not named. */

    assert_int_equal(run(f, plan_complete_upload, new_complete(f, upload)), OUTCOME(DONE));
    assert_int_equal(content_fixture_count(f, 'D'), 2);
    assert_int_equal(content_fixture_count(f, 'T'), 0);
}

static void a_complete_is_judged_whole(void **state)
{
    struct content_fixture *f = *state;
    struct upload *upload = new_upload(f, "a");
    assert_int_equal(put_part(f, upload, 1, 10), OUTCOME(DONE));
    assert_int_equal(put_part(f, upload, 2, 10), OUTCOME(DONE));
    struct plan_complete *small = new_complete(f, upload);
    assert_int_equal(run(f, plan_complete_upload, small), OUTCOME(PART_TOO_SMALL));

    upload->parts[1].content = content_fixture_content(f);
    assert_int_equal(run(f, plan_complete_upload, new_complete(f, upload)), OUTCOME(INVALID_PART));
    upload->parts[1].part = 3;
    assert_int_equal(run(f, plan_complete_upload, new_complete(f, upload)), OUTCOME(INVALID_PART));
    upload->count = 1;
    upload->sizes[0] = 9;
    assert_int_equal(run(f, plan_complete_upload, new_complete(f, upload)), OUTCOME(INVALID));

    upload->sizes[0] = 10;
    struct plan_complete *other = new_complete(f, upload);
    other->decoded.data = content_fixture_id(f);
    assert_int_equal(run(f, plan_complete_upload, other), OUTCOME(INVALID));

    assert_int_equal(
        content_fixture_commit(f, content_fixture_put(f, "a", 1), NULL), OUTCOME(DONE));
    struct plan_complete *absent = new_complete(f, upload);
    absent->if_absent = true;
    assert_int_equal(run(f, plan_complete_upload, absent), OUTCOME(EXISTS));
    absent->if_absent = false;
    assert_int_equal(run(f, plan_complete_upload, absent), OUTCOME(DONE));
}

static void an_abort_beats_a_complete(void **state)
{
    struct content_fixture *f = *state;
    struct upload *upload = new_upload(f, "a");
    assert_int_equal(put_part(f, upload, 1, 10), OUTCOME(DONE));
    struct plan_complete *complete = new_complete(f, upload);
    struct plan_abort abort = new_abort(f, upload);

    assert_int_equal(run(f, plan_abort_mark, &abort), OUTCOME(DONE));
    assert_int_equal(run(f, plan_complete_upload, complete), OUTCOME(NO_SUCH_UPLOAD));
    assert_int_equal(put_part(f, upload, 2, 10), OUTCOME(NO_SUCH_UPLOAD));
    assert_int_equal(run(f, plan_abort_mark, &abort), OUTCOME(DONE));
    assert_int_equal(sweep(f, &abort), 1);
    assert_int_equal(content_fixture_count(f, 'U'), 0);
    assert_int_equal(content_fixture_count(f, 'T'), 0);
    assert_int_equal(content_fixture_count(f, 'D'), 1);
    assert_int_equal(run(f, plan_abort_mark, &abort), OUTCOME(NO_SUCH_UPLOAD));
    assert_int_equal(run(f, plan_complete_upload, complete), OUTCOME(NO_SUCH_UPLOAD));
}

static void a_complete_beats_a_later_abort(void **state)
{
    struct content_fixture *f = *state;
    struct upload *upload = new_upload(f, "a");
    assert_int_equal(put_part(f, upload, 1, 10), OUTCOME(DONE));
    struct plan_abort abort = new_abort(f, upload);
    assert_int_equal(run(f, plan_complete_upload, new_complete(f, upload)), OUTCOME(DONE));
    assert_int_equal(run(f, plan_abort_mark, &abort), OUTCOME(NO_SUCH_UPLOAD));
    assert_int_equal(content_fixture_count(f, 'D'), 0);
}

static void a_copy_of_many_parts_refers_to_each(void **state)
{
    struct content_fixture *f = *state;
    struct upload *upload = new_upload(f, "a");
    assert_int_equal(put_part(f, upload, 1, PART_SIZE), OUTCOME(DONE));
    assert_int_equal(put_part(f, upload, 2, 10), OUTCOME(DONE));
    struct plan_complete *complete = new_complete(f, upload);
    assert_int_equal(run(f, plan_complete_upload, complete), OUTCOME(DONE));

    Triad__Content__CommitItem source = TRIAD__CONTENT__COMMIT_ITEM__INIT;
    source.key = content_fixture_field(f, bytes_text("a"));
    source.version_record = content_fixture_field(f, complete->record);
    source.version = content_fixture_field(f, id16_view(&complete->upload));
    Triad__Content__CommitItem *copy = content_fixture_copy(f, "b", &source);
    ProtobufCBinaryData pages[] = {content_fixture_field(
        f, bytes_of(complete->segment_pages[0].data, complete->segment_pages[0].len))};
    pages[0].data[pages[0].len - 1]++; /* Another MAC, the same entries. */
    copy->segment_pages = pages;
    copy->n_segment_pages = 1;
    pages[0].data[96 + 16]++;
    assert_int_equal(content_fixture_commit(f, copy, NULL), OUTCOME(INVALID));
    pages[0].data[96 + 16]--;
    assert_int_equal(content_fixture_commit(f, copy, NULL), OUTCOME(DONE));

    assert_int_equal(content_fixture_count(f, 'S'), 2);
    assert_int_equal(content_fixture_count(f, 'R'), 2 + 2 + 1);
    assert_int_equal(
        content_fixture_commit(f, content_fixture_delete(f, "a"), NULL), OUTCOME(DONE));
    assert_int_equal(content_fixture_count(f, 'S'), 1);
    assert_string_equal(content_fixture_list(f, "", "", "", 10), "b");
}

static struct upload *put_many(struct content_fixture *f, const char *name)
{
    struct upload *upload = new_upload(f, name);
    for (uint32_t part = 1; part <= PARTS_MAX; part++) {
        assert_int_equal(put_part(f, upload, part, 1), OUTCOME(DONE));
    }
    return upload;
}

/* Parts of one byte: their sizes are made large in the rows afterwards. */
struct grow {
    const struct upload *upload;
    size_t from;
};

static struct status grow_parts(struct plan *plan, void *arg)
{
    const struct grow *grow = arg;
    for (size_t i = grow->from; i < grow->from + 5000; i++) {
        struct row_key key;
        struct bytes value;
        bool found = false;
        struct row_part part;
        TRY(plan_get(
            plan, row_key_part(&key, &grow->upload->record.version, (uint32_t)i + 1), &value,
            &found));
        TRY(rows_part_decode(value, &part));
        part.size = PART_SIZE;
        BUFFER(encoded, 1024);
        rows_part_encode(&encoded, &part);
        TRY(plan_put_row(plan, row_key_bytes(&key), &encoded));
    }
    return OK;
}

static void grow(struct content_fixture *f, struct upload *upload)
{
    for (size_t from = 0; from < PARTS_MAX; from += 5000) {
        struct grow arg = {.upload = upload, .from = from};
        assert_int_equal(run(f, grow_parts, &arg), OUTCOME(DONE));
    }
    for (size_t i = 0; i < PARTS_MAX; i++) {
        upload->sizes[i] = PART_SIZE;
    }
}

/* Chunks follow the rows, not the sizes. */
static struct plan_complete *complete_many(struct content_fixture *f, struct upload *upload)
{
    struct plan_complete *complete = new_complete(f, upload);
    ProtobufCBinaryData *pages = arena_zalloc(&f->arena, 64, sizeof(*pages));
    complete->decoded.chunks = upload->count;
    size_t at = 0;
    for (size_t i = 0; i < complete->segment_pages_count; i++) {
        struct bytes page = commit_check_bytes(complete->segment_pages[i]);
        pages[i] = content_fixture_field(f, page);
        for (size_t j = 0; j + 96 < page.size && at < upload->count; j += 96, at++) {
            memset(pages[i].data + j + 36, 0, 4);
            pages[i].data[j + 39] = 1;
        }
    }
    complete->segment_pages = pages;
    uint8_t *encoded = arena_alloc(&f->arena, VERSION_RECORD_SIZE);
    version_record_encode(&complete->decoded, encoded);
    complete->record = bytes_of(encoded, VERSION_RECORD_SIZE);
    assert_ok(commit_check_segments(pages, complete->segment_pages_count, &complete->decoded));
    return complete;
}

static void ten_thousand_parts_fit_a_plan(void **state)
{
    struct content_fixture *f = *state;
    struct upload *first = put_many(f, "a");
    grow(f, first);
    struct plan_complete *complete = complete_many(f, first);
    assert_int_equal(run(f, plan_complete_upload, complete), OUTCOME(DONE));
    assert_false(complete->has_rest);
    assert_int_equal(content_fixture_count(f, 'T'), 0);

    /* Complete over 10,000 parts, of 10,000: the T rows are left to a sweep. */
    struct upload *second = put_many(f, "a");
    grow(f, second);
    complete = complete_many(f, second);
    assert_int_equal(run(f, plan_complete_upload, complete), OUTCOME(DONE));
    assert_true(complete->has_rest);
    assert_int_equal(content_fixture_count(f, 'D'), PARTS_MAX);
    struct plan_abort rest = new_abort(f, second);
    assert_true(sweep(f, &rest) > 1);
    assert_int_equal(content_fixture_count(f, 'T'), 0);
    assert_int_equal(content_fixture_count(f, 'D'), PARTS_MAX);

    /* 9,999 parts not named, over 10,000: trimmed first. */
    struct upload *third = put_many(f, "a");
    third->count = 1;
    complete = complete_many(f, third);
    assert_int_equal(run(f, plan_complete_upload, complete), OUTCOME(UNAVAILABLE));
    assert_true(complete->must_trim);
    size_t trims = 0;
    while (run(f, plan_complete_trim, complete) == OUTCOME(DONE)) {
        trims++;
        assert_true(trims < 10);
    }
    assert_int_equal(run(f, plan_complete_upload, complete), OUTCOME(DONE));
    assert_int_equal(content_fixture_count(f, 'T'), 0);
    assert_int_equal(content_fixture_count(f, 'D'), 2 * PARTS_MAX + PARTS_MAX - 1);

    /* Abort of as many. */
    struct upload *fourth = put_many(f, "b");
    struct plan_abort abort = new_abort(f, fourth);
    assert_int_equal(run(f, plan_abort_mark, &abort), OUTCOME(DONE));
    assert_true(sweep(f, &abort) > 1);
    assert_int_equal(content_fixture_count(f, 'T'), 0);
}

static void uploads_and_parts_are_listed(void **state)
{
    struct content_fixture *f = *state;
    struct upload *a = new_upload(f, "a");
    struct upload *b = new_upload(f, "a");
    struct upload *c = new_upload(f, "c");
    struct upload *d = new_upload(f, "d");
    struct plan_abort abort = new_abort(f, d);
    assert_int_equal(run(f, plan_abort_mark, &abort), OUTCOME(DONE));
    (void)b;
    (void)c;
    for (uint32_t part = 1; part < 6; part++) {
        assert_int_equal(put_part(f, a, part, 1), OUTCOME(DONE));
    }
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    assert_ok(kv_snapshot_take(f->kv, &snapshot));

    struct upload_listing listing = {.bucket = f->grant.bucket, .limit = 1};
    size_t count = 0;
    for (bool more = true; more; count++) {
        Triad__Content__ListUploadsReply reply = TRIAD__CONTENT__LIST_UPLOADS_REPLY__INIT;
        assert_ok(upload_lister_uploads(snapshot, &listing, &f->arena, &reply));
        assert_int_equal(reply.n_uploads, 1);
        more = reply.is_truncated;
        listing.after_key = commit_check_bytes(reply.uploads[0]->key);
        listing.has_after_upload = true;
        assert_ok(commit_check_id16(reply.uploads[0]->upload, &listing.after_upload));
    }
    assert_int_equal(count, 3);

    Triad__Content__ListUploadsReply behind = TRIAD__CONTENT__LIST_UPLOADS_REPLY__INIT;
    listing = (struct upload_listing){
        .bucket = f->grant.bucket, .after_key = bytes_text("a"), .limit = 10};
    assert_ok(upload_lister_uploads(snapshot, &listing, &f->arena, &behind));
    assert_int_equal(behind.n_uploads, 1);

    Triad__Content__ListPartsReply parts = TRIAD__CONTENT__LIST_PARTS_REPLY__INIT;
    assert_ok(upload_lister_parts(snapshot, &a->record.version, 2, 2, &f->arena, &parts));
    assert_int_equal(parts.n_parts, 2);
    assert_int_equal(parts.parts[0]->part, 3);
    assert_true(parts.is_truncated);
}

static void a_bucket_goes_only_when_it_is_empty(void **state)
{
    struct content_fixture *f = *state;
    struct upload *upload = new_upload(f, "u");
    struct plan_buckets bucket = {
        .bucket = f->grant.bucket, .tenant = f->grant.tenant, .name = bytes_text("bucket")};
    assert_int_equal(put_part(f, upload, 1, 10), OUTCOME(DONE));
    assert_int_equal(
        content_fixture_commit(f, content_fixture_put(f, "a", 1), NULL), OUTCOME(DONE));

    assert_int_equal(run(f, plan_buckets_delete, &bucket), OUTCOME(NOT_EMPTY));
    assert_int_equal(
        content_fixture_commit(f, content_fixture_delete(f, "a"), NULL), OUTCOME(DONE));
    assert_int_equal(run(f, plan_buckets_delete, &bucket), OUTCOME(DONE));
    assert_true(bucket.has_uploads);
    assert_int_equal(
        content_fixture_commit(f, content_fixture_put(f, "a", 1), NULL), OUTCOME(NO_SUCH_BUCKET));
    assert_int_equal(put_part(f, upload, 2, 10), OUTCOME(NO_SUCH_BUCKET));
    assert_int_equal(run(f, plan_buckets_finish, &bucket), OUTCOME(NOT_EMPTY));

    struct plan_abort abort = new_abort(f, upload);
    abort.with_done = true;
    assert_int_equal(run(f, plan_abort_force, &abort), OUTCOME(DONE));
    sweep(f, &abort);
    assert_int_equal(run(f, plan_buckets_finish, &bucket), OUTCOME(DONE));
    assert_int_equal(content_fixture_count(f, 'B'), 0);
    assert_int_equal(content_fixture_count(f, 'N'), 0);
    assert_int_equal(content_fixture_count(f, 'n'), 0);
    assert_int_equal(run(f, plan_buckets_delete, &bucket), OUTCOME(NO_SUCH_BUCKET));
}

static void a_bucket_name_is_taken_once(void **state)
{
    struct content_fixture *f = *state;
    struct plan_buckets again = {
        .bucket = f->grant.bucket, .tenant = f->grant.tenant, .name = bytes_text("bucket")};
    struct plan_buckets other = {
        .bucket = content_fixture_id(f), .tenant = {{77}}, .name = bytes_text("bucket")};
    assert_int_equal(run(f, plan_buckets_create, &again), OUTCOME(DONE));
    assert_int_equal(run(f, plan_buckets_create, &other), OUTCOME(EXISTS));
    assert_true(id16_equal(&other.taken_by, &f->grant.tenant));
    again.name = bytes_text("second-name");
    assert_int_equal(run(f, plan_buckets_create, &again), OUTCOME(INVALID));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(parts_become_one_version),
        TEST(what_was_not_named_becomes_garbage),
        TEST(a_complete_is_judged_whole),
        TEST(an_abort_beats_a_complete),
        TEST(a_complete_beats_a_later_abort),
        TEST(a_copy_of_many_parts_refers_to_each),
        TEST(ten_thousand_parts_fit_a_plan),
        TEST(uploads_and_parts_are_listed),
        TEST(a_bucket_goes_only_when_it_is_empty),
        TEST(a_bucket_name_is_taken_once),
    };
    return cmocka_run_group_tests_name("plan_multipart", tests, NULL, NULL);
}
