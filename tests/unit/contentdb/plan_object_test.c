/* PUT, COPY and DELETE: each is whole or did not happen, and nothing that is referred to becomes
 * garbage. */

#include "contentdb/plan_head.h"
#include "contentdb/plan_lease.h"
#include "contentdb/plan_resolve.h"
#include "contentdb/rows.h"
#include "lib/base/clock.h"
#include "lib/format/placement_row.h"
#include "tests/support/cmocka.h"
#include "tests/unit/contentdb/content_fixture.h"

#include <stdlib.h>

enum { MIB = 1024 * 1024 };

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

static struct row_reference
reference(struct content_fixture *f, ProtobufCBinaryData content_field, ProtobufCBinaryData owner)
{
    struct content content;
    struct id16 id = {{0}};
    struct row_key key;
    struct row_reference row = {.seq = 0};
    assert_ok(commit_check_content(content_field, &content));
    if (owner.len > 0) {
        assert_ok(commit_check_id16(owner, &id));
    }
    struct bytes value = content_fixture_row(f, row_key_reference(&key, &content, &id));
    if (value.data != NULL) {
        assert_ok(rows_reference_decode(value, &row));
    }
    return row;
}

static struct row_usage usage(struct content_fixture *f)
{
    struct row_key key;
    struct row_usage row;
    struct bytes value = content_fixture_row(f, row_key_usage(&key, &f->grant.bucket));
    assert_ok(rows_usage_decode(value, &row));
    return row;
}

static Triad__Content__Outcome
resolve(struct content_fixture *f, const Triad__Content__CommitItem *item, uint64_t *ret_seq)
{
    struct plan_resolve plan = {.bucket = f->grant.bucket};
    uint64_t seq = 0;
    assert_ok(commit_check_content(item->content, &plan.content));
    if (item->kind == TRIAD__CONTENT__COMMIT_KIND__PART) {
        assert_ok(commit_check_id16(item->upload, &plan.owner));
    } else if (item->version.len > 0) {
        assert_ok(commit_check_id16(item->version, &plan.owner));
    }
    Triad__Content__Outcome outcome = plan_apply_one(
        f->kv, &f->env, plan_resolve_commit, &plan, clock_monotonic_ms() + 10000, &seq);
    *ret_seq = plan.seq;
    return outcome == OUTCOME(DONE) && seq != 0 ? OUTCOME(KILLED) : outcome;
}

static void put_writes_its_rows(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *item = content_fixture_put(f, "a", 20 * MIB);

    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(DONE));
    assert_int_equal(content_fixture_count(f, 'O'), 1);
    assert_int_equal(content_fixture_count(f, 'M'), 3);
    assert_int_equal(content_fixture_count(f, 'P'), 3);
    assert_int_equal(content_fixture_count(f, 'D'), 0);
    assert_int_equal(reference(f, item->content, item->version).state, REFERENCE_LIVE);
    assert_int_equal(usage(f).objects, 1);
    assert_int_equal(usage(f).bytes, 20 * MIB);
}

static void an_empty_object_has_no_pages(void **state)
{
    struct content_fixture *f = *state;

    assert_int_equal(
        content_fixture_commit(f, content_fixture_put(f, "a", 0), NULL), OUTCOME(DONE));
    assert_int_equal(content_fixture_count(f, 'M'), 0);
    assert_string_equal(content_fixture_list(f, "", "", "", 10), "a");
}

static void overwriting_makes_garbage_of_what_was(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *first = content_fixture_put(f, "a", MIB);
    Triad__Content__CommitItem *second = content_fixture_put(f, "a", 2 * MIB);
    struct commit commit;

    assert_int_equal(content_fixture_commit(f, first, &commit), OUTCOME(DONE));
    assert_false(commit.was_there);
    assert_int_equal(content_fixture_commit(f, second, &commit), OUTCOME(DONE));
    assert_true(commit.was_there);
    assert_int_equal(reference(f, first->content, first->version).state, REFERENCE_DEAD);
    assert_int_equal(reference(f, second->content, second->version).state, REFERENCE_LIVE);
    assert_int_equal(content_fixture_count(f, 'D'), 1);
    assert_int_equal(usage(f).objects, 1);
    assert_int_equal(usage(f).bytes, 2 * MIB);
}

static void large_attributes_stand_beside_the_head(void **state)
{
    struct content_fixture *f = *state;
    uint8_t large[1000] = {0};
    Triad__Content__CommitItem *item = content_fixture_put(f, "a", 1);
    item->attributes = content_fixture_field(f, BYTES_ARRAY(large));

    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(DONE));
    assert_int_equal(content_fixture_count(f, 'A'), 1);
    assert_int_equal(
        content_fixture_commit(f, content_fixture_put(f, "a", 1), NULL), OUTCOME(DONE));
    assert_int_equal(content_fixture_count(f, 'A'), 0);
}

static void conditions_are_judged_by_the_head(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *first = content_fixture_put(f, "a", 1);
    Triad__Content__CommitItem *second = content_fixture_put(f, "a", 1);
    Triad__Content__CommitItem *third = content_fixture_put(f, "a", 1);
    Triad__Content__CommitItem *other = content_fixture_put(f, "b", 1);

    first->if_absent = 1;
    assert_int_equal(content_fixture_commit(f, first, NULL), OUTCOME(DONE));
    second->if_absent = 1;
    assert_int_equal(content_fixture_commit(f, second, NULL), OUTCOME(EXISTS));
    second->if_absent = 0;
    second->if_version = first->version;
    assert_int_equal(content_fixture_commit(f, second, NULL), OUTCOME(DONE));
    third->if_version = first->version;
    assert_int_equal(content_fixture_commit(f, third, NULL), OUTCOME(PRECONDITION));
    other->if_version = first->version;
    assert_int_equal(content_fixture_commit(f, other, NULL), OUTCOME(NOT_FOUND));
}

static void a_commit_asked_twice_happens_once(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *item = content_fixture_put(f, "a", 1);
    struct commit commit;

    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(DONE));
    uint64_t seq = reference(f, item->content, item->version).seq;
    assert_int_equal(
        content_fixture_commit(f, content_fixture_delete(f, "a"), NULL), OUTCOME(DONE));
    assert_int_equal(content_fixture_commit(f, item, &commit), OUTCOME(DONE));
    assert_int_equal(commit.done_seq, seq);
    assert_string_equal(content_fixture_list(f, "", "", "", 10), "");
}

static void a_content_is_used_once(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *first = content_fixture_put(f, "a", 1);
    assert_int_equal(content_fixture_commit(f, first, NULL), OUTCOME(DONE));

    f->upload_seq--;
    Triad__Content__CommitItem *second = content_fixture_put(f, "b", 1);
    assert_int_equal(content_fixture_commit(f, second, NULL), OUTCOME(INVALID));
}

static void resolve_kills_what_did_not_happen(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *done = content_fixture_put(f, "a", 1);
    Triad__Content__CommitItem *late = content_fixture_put(f, "b", 1);
    Triad__Content__CommitItem *gone = content_fixture_delete(f, "a");
    Triad__Content__CommitItem *late_delete = content_fixture_delete(f, "a");
    uint64_t seq = 0;

    assert_int_equal(content_fixture_commit(f, done, NULL), OUTCOME(DONE));
    assert_int_equal(resolve(f, done, &seq), OUTCOME(DONE));
    assert_int_equal(seq, reference(f, done->content, done->version).seq);
    assert_int_equal(resolve(f, late, &seq), OUTCOME(KILLED));
    assert_int_equal(resolve(f, late, &seq), OUTCOME(KILLED));
    assert_int_equal(content_fixture_commit(f, late, NULL), OUTCOME(KILLED));
    assert_int_equal(resolve(f, late_delete, &seq), OUTCOME(KILLED));
    assert_int_equal(content_fixture_commit(f, late_delete, NULL), OUTCOME(KILLED));
    assert_string_equal(content_fixture_list(f, "", "", "", 10), "a");
    assert_int_equal(content_fixture_commit(f, gone, NULL), OUTCOME(DONE));
    assert_int_equal(resolve(f, gone, &seq), OUTCOME(DONE));
    assert_true(seq > 0);
    assert_int_equal(resolve(f, done, &seq), OUTCOME(DONE)); /* It was committed, and is gone. */
}

static void only_the_lease_holder_resolves(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *item = content_fixture_put(f, "a", 1);
    uint64_t seq = 0;

    f->env.uri = "triad://test/frontend/other";
    assert_int_equal(resolve(f, item, &seq), OUTCOME(DENIED));
}

static struct status close_lease(struct plan *plan, void *arg)
{
    struct content_fixture *f = arg;
    struct row_key key;
    const struct row_lease row = {.state = LEASE_CLOSED, .uri = bytes_text(f->env.uri)};
    BUFFER(value, 1024);
    rows_lease_encode(&value, &row);
    return plan_put_row(plan, row_key_lease(&key, f->lease), &value);
}

static void a_closed_lease_commits_nothing(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *item = content_fixture_put(f, "a", 1);
    struct plan_lease renew = {.lease = f->lease};

    f->env.uri = "triad://test/frontend/other";
    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(LEASE_CLOSED));
    f->env.uri = "triad://test/frontend/f1";
    plan_apply_one(f->kv, &f->env, plan_lease_renew, &renew, clock_monotonic_ms() + 10000, NULL);
    assert_true(renew.is_open);
    assert_int_equal(
        plan_apply_one(f->kv, &f->env, close_lease, f, clock_monotonic_ms() + 10000, NULL),
        OUTCOME(DONE));
    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(LEASE_CLOSED));
    plan_apply_one(f->kv, &f->env, plan_lease_renew, &renew, clock_monotonic_ms() + 10000, NULL);
    assert_false(renew.is_open);
    uint64_t next = content_fixture_lease(f);
    assert_int_equal(next, f->lease + 1);
}

static void a_lease_is_under_its_fence(void **state)
{
    struct content_fixture *f = *state;
    assert_int_equal(f->lease, (uint64_t)FIXTURE_FENCE << 24 | 1);
    f->env.fence = FIXTURE_FENCE + 1;
    assert_int_equal(content_fixture_lease(f), (uint64_t)(FIXTURE_FENCE + 1) << 24 | 1);
}

static void delete_takes_the_head_and_only_it(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *item = content_fixture_put(f, "a", MIB);
    Triad__Content__CommitItem *wrong = content_fixture_delete(f, "a");
    Triad__Content__CommitItem *right = content_fixture_delete(f, "a");
    struct commit commit;

    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(DONE));
    struct id16 other = content_fixture_id(f);
    wrong->version = content_fixture_field(f, id16_view(&other));
    assert_int_equal(content_fixture_commit(f, wrong, NULL), OUTCOME(NOT_FOUND));
    right->version = item->version;
    assert_int_equal(content_fixture_commit(f, right, &commit), OUTCOME(DONE));
    assert_true(commit.was_there);
    assert_int_equal(reference(f, item->content, item->version).state, REFERENCE_DEAD);
    assert_int_equal(usage(f).objects, 0);
    assert_int_equal(usage(f).bytes, 0);
    assert_int_equal(
        content_fixture_commit(f, content_fixture_delete(f, "a"), &commit), OUTCOME(DONE));
    assert_false(commit.was_there);
}

static void a_copy_outlives_its_source(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *item = content_fixture_put(f, "a", MIB);
    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(DONE));
    Triad__Content__CommitItem *copy = content_fixture_copy(f, "b", item);
    uint64_t seq = 0;

    assert_int_equal(content_fixture_commit(f, copy, NULL), OUTCOME(DONE));
    assert_int_equal(resolve(f, copy, &seq), OUTCOME(DONE));
    assert_int_equal(
        content_fixture_commit(f, content_fixture_delete(f, "a"), NULL), OUTCOME(DONE));
    assert_int_equal(reference(f, item->content, item->version).state, REFERENCE_DEAD);
    assert_int_equal(reference(f, item->content, copy->version).state, REFERENCE_LIVE);
    assert_string_equal(content_fixture_list(f, "", "", "", 10), "b");
}

static void a_copy_of_what_changed_is_refused(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *item = content_fixture_put(f, "a", MIB);
    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(DONE));
    Triad__Content__CommitItem *copy = content_fixture_copy(f, "b", item);

    assert_int_equal(
        content_fixture_commit(f, content_fixture_put(f, "a", 1), NULL), OUTCOME(DONE));
    assert_int_equal(content_fixture_commit(f, copy, NULL), OUTCOME(PRECONDITION));
    assert_int_equal(
        content_fixture_commit(f, content_fixture_delete(f, "a"), NULL), OUTCOME(DONE));
    assert_int_equal(content_fixture_commit(f, copy, NULL), OUTCOME(NOT_FOUND));
}

static void a_copy_onto_itself_keeps_the_content(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *item = content_fixture_put(f, "a", MIB);
    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(DONE));
    Triad__Content__CommitItem *copy = content_fixture_copy(f, "a", item);

    assert_int_equal(content_fixture_commit(f, copy, NULL), OUTCOME(DONE));
    assert_int_equal(reference(f, item->content, item->version).state, REFERENCE_DEAD);
    assert_int_equal(reference(f, item->content, copy->version).state, REFERENCE_LIVE);
    assert_int_equal(usage(f).objects, 1);
}

static void a_copy_of_other_data_is_invalid(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *item = content_fixture_put(f, "a", MIB);
    Triad__Content__CommitItem *other = content_fixture_put(f, "c", MIB);
    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(DONE));
    assert_int_equal(content_fixture_commit(f, other, NULL), OUTCOME(DONE));
    Triad__Content__CommitItem *copy = content_fixture_copy(f, "b", item);

    copy->source_key = other->key;
    copy->source_version = other->version;
    assert_int_equal(content_fixture_commit(f, copy, NULL), OUTCOME(INVALID));
}

static void another_tenants_grant_is_denied(void **state)
{
    struct content_fixture *f = *state;
    struct grant grant = f->grant;
    grant.tenant.bytes[0]++;
    f->grant = grant; /* The record says the same tenant as the grant. */
    Triad__Content__CommitItem *item = content_fixture_put(f, "a", 1);
    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(DENIED));

    f->grant.bucket = content_fixture_id(f);
    item = content_fixture_put(f, "a", 1);
    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(NO_SUCH_BUCKET));
}

static void missing_fragments_queue_repair(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *item = content_fixture_put(f, "a", 3 * 64 * 1024);
    item->pages[0]->placement.data[5] = PLACEMENT_MISSING;          /* Of chunk 0, */
    item->pages[0]->placement.data[6 * 6 + 11] = PLACEMENT_MISSING; /* and of chunk 1. */
    Triad__Content__RepairHint hint = TRIAD__CONTENT__REPAIR_HINT__INIT;
    Triad__Content__RepairHint *hints[] = {&hint};
    hint.chunk = 2;
    item->repairs = hints;
    item->n_repairs = 1;

    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(DONE));
    assert_int_equal(content_fixture_count(f, 'Q'), 3);
    struct row_key key;
    struct content content;
    assert_ok(commit_check_content(item->content, &content));
    assert_non_null(content_fixture_row(f, row_key_repair(&key, 1, &content, 0, 0)).data);
    assert_non_null(content_fixture_row(f, row_key_repair(&key, 1, &content, 0, 1)).data);
    assert_non_null(content_fixture_row(f, row_key_repair(&key, 2, &content, 0, 2)).data);
}

/* Durable is k+1: a frontend that counts wrongly commits nothing. */
static void a_chunk_on_fewer_than_k_plus_1_accounts_is_refused(void **state)
{
    struct content_fixture *f = *state;
    Triad__Content__CommitItem *item = content_fixture_put(f, "a", 3 * 64 * 1024);
    item->pages[0]->placement.data[6 * 6 + 5] = PLACEMENT_MISSING;
    item->pages[0]->placement.data[6 * 6 + 11] = PLACEMENT_MISSING; /* Two of k+m = 4+2. */
    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(INVALID));
    item->pages[0]->placement.data[6 * 6 + 11] = PLACEMENT_STORED;
    assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(DONE));
}

/* Each line breaks one field of an item that would pass. */
static void nonsense_is_refused_before_any_plan(void **state)
{
    struct content_fixture *f = *state;
    for (int i = 0; i < 17; i++) {
        Triad__Content__CommitItem *item = content_fixture_put(f, "a", 3 * 64 * 1024);
        Triad__Content__Page *page = item->pages[0];
        uint8_t *record = item->version_record.data;
        switch (i) {
        case 0:
            record[8]++;
            break; /* Tenant. */
        case 1:
            record[8 + 16]++;
            break; /* Bucket. */
        case 2:
            record[8 + 32]++;
            break; /* Name hash. */
        case 3:
            record[8 + 64]++;
            break; /* Version. */
        case 4:
            record[8 + 96]++;
            break; /* Content. */
        case 5:
            item->version_record.len--;
            break;
        case 6:
            item->vmac.len--;
            break;
        case 7:
            item->key_ref.len--;
            break;
        case 8:
            item->key.data[0] = 0;
            break;
        case 9:
            page->page = 1;
            break;
        case 10:
            page->manifest.len--;
            break;
        case 11:
            page->placement.len--;
            break;
        case 12:
            page->placement.data[3] = FIXTURE_ACCOUNTS + 1;
            break;
        case 13:
            page->placement.data[5] = PLACEMENT_MOVING;
            break;
        case 14:
            page->placement.data[3] = page->placement.data[9];
            break; /* Two on one. */
        case 15:
            item->n_pages = 0;
            break;
        default:
            item->content.data[9]++;
            break;
        }
        assert_int_equal(content_fixture_commit(f, item, NULL), OUTCOME(INVALID));
    }
    assert_int_equal(content_fixture_count(f, 'O'), 0);
    assert_int_equal(content_fixture_count(f, 'R'), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(put_writes_its_rows),
        TEST(an_empty_object_has_no_pages),
        TEST(overwriting_makes_garbage_of_what_was),
        TEST(large_attributes_stand_beside_the_head),
        TEST(conditions_are_judged_by_the_head),
        TEST(a_commit_asked_twice_happens_once),
        TEST(a_content_is_used_once),
        TEST(resolve_kills_what_did_not_happen),
        TEST(only_the_lease_holder_resolves),
        TEST(a_closed_lease_commits_nothing),
        TEST(a_lease_is_under_its_fence),
        TEST(delete_takes_the_head_and_only_it),
        TEST(a_copy_outlives_its_source),
        TEST(a_copy_of_what_changed_is_refused),
        TEST(a_copy_onto_itself_keeps_the_content),
        TEST(a_copy_of_other_data_is_invalid),
        TEST(another_tenants_grant_is_denied),
        TEST(missing_fragments_queue_repair),
        TEST(a_chunk_on_fewer_than_k_plus_1_accounts_is_refused),
        TEST(nonsense_is_refused_before_any_plan),
    };
    return cmocka_run_group_tests_name("plan_object", tests, NULL, NULL);
}
