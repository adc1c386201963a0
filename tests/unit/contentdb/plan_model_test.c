/* Random PUTs, COPYs, DELETEs, resolves and listings against a plain table of names; at the end no
 * live content is garbage, and no garbage is forgotten. */

#include "contentdb/plan_resolve.h"
#include "contentdb/row_key.h"
#include "contentdb/rows.h"
#include "lib/base/clock.h"
#include "tests/support/cmocka.h"
#include "tests/unit/contentdb/content_fixture.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAMES = 40, STEPS = 6000 };

struct model {
    struct content_fixture f;
    char names[NAMES][8];                        /* In byte order. */
    const Triad__Content__CommitItem *of[NAMES]; /* Its head's commit, or NULL. */
    uint64_t size[NAMES];
    uint64_t random;
};

static uint32_t draw(struct model *model, uint32_t below)
{
    model->random = model->random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(model->random >> 33) % below;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int setup(void **state)
{
    static struct model model;
    static const char letters[] = "ab/c\xfe";
    model = (struct model){.random = 42};
    content_fixture_open(&model.f);
    for (int i = 0; i < NAMES; i++) {
        int at = 0;
        for (int rest = i + 1; rest > 0; rest /= 5) {
            model.names[i][at++] = letters[rest % 5];
        }
    }
    qsort(model.names, NAMES, sizeof(model.names[0]), compare_names);
    *state = &model;
    return 0;
}

static int teardown(void **state)
{
    struct model *model = *state;
    content_fixture_close(&model->f);
    return 0;
}

static void put(struct model *model)
{
    uint32_t at = draw(model, NAMES);
    uint64_t size = draw(model, 200000);
    Triad__Content__CommitItem *item = content_fixture_put(&model->f, model->names[at], size);
    item->if_absent = draw(model, 4) == 0;
    bool is_refused = item->if_absent && model->of[at] != NULL;
    struct commit commit;
    assert_int_equal(
        content_fixture_commit(&model->f, item, &commit),
        is_refused ? OUTCOME(EXISTS) : OUTCOME(DONE));
    if (!is_refused) {
        assert_int_equal(commit.was_there, model->of[at] != NULL);
        model->of[at] = item;
        model->size[at] = size;
    }
}

static void copy(struct model *model)
{
    uint32_t from = draw(model, NAMES);
    uint32_t to = draw(model, NAMES);
    if (model->of[from] == NULL) {
        return;
    }
    Triad__Content__CommitItem *item =
        content_fixture_copy(&model->f, model->names[to], model->of[from]);
    item->source_key = content_fixture_field(&model->f, bytes_text(model->names[from]));
    assert_int_equal(content_fixture_commit(&model->f, item, NULL), OUTCOME(DONE));
    model->of[to] = item;
    model->size[to] = model->size[from];
}

static void drop(struct model *model)
{
    uint32_t at = draw(model, NAMES);
    Triad__Content__CommitItem *item = content_fixture_delete(&model->f, model->names[at]);
    assert_int_equal(content_fixture_commit(&model->f, item, NULL), OUTCOME(DONE));
    model->of[at] = NULL;
}

/* A commit that is resolved before it comes. */
static void kill_late(struct model *model)
{
    Triad__Content__CommitItem *item =
        content_fixture_put(&model->f, model->names[draw(model, NAMES)], 10);
    struct plan_resolve resolve = {.bucket = model->f.grant.bucket};
    assert_ok(commit_check_content(item->content, &resolve.content));
    assert_ok(commit_check_id16(item->version, &resolve.owner));
    plan_apply_one(
        model->f.kv, &model->f.env, plan_resolve_commit, &resolve, clock_monotonic_ms() + 10000,
        NULL);
    assert_int_equal(content_fixture_commit(&model->f, item, NULL), OUTCOME(KILLED));
}

static void list(struct model *model)
{
    BUFFER(want, 4096);
    for (int i = 0; i < NAMES; i++) {
        if (model->of[i] != NULL) {
            buffer_printf(&want, "%s%s", want.size > 0 ? " " : "", model->names[i]);
        }
    }
    buffer_add_u8(&want, 0);
    assert_string_equal(content_fixture_list(&model->f, "", "", "", 1000), want.data);
}

static void check_usage(struct model *model)
{
    struct row_usage want = {0};
    struct row_usage got;
    struct row_key key;
    for (int i = 0; i < NAMES; i++) {
        want.objects += model->of[i] != NULL;
        want.bytes += model->of[i] != NULL ? model->size[i] : 0;
    }
    assert_ok(rows_usage_decode(
        content_fixture_row(&model->f, row_key_usage(&key, &model->f.grant.bucket)), &got));
    assert_int_equal(got.objects, want.objects);
    assert_int_equal(got.bytes, want.bytes);
}

/* Every head holds its content by a live R row, and there is no other live one. */
static void check_references(struct model *model)
{
    size_t heads = 0;
    size_t live = 0;
    for (int i = 0; i < NAMES; i++) {
        if (model->of[i] == NULL) {
            continue;
        }
        struct version_record record;
        struct row_reference row;
        struct row_key key;
        heads++;
        assert_ok(version_record_decode(commit_check_bytes(model->of[i]->version_record), &record));
        assert_ok(rows_reference_decode(
            content_fixture_row(
                &model->f, row_key_reference(&key, &record.content, &record.version)),
            &row));
        assert_int_equal(row.state, REFERENCE_LIVE);
    }
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    OWNED(kv_cursor) struct kv_cursor *cursor = NULL;
    struct bytes key;
    struct bytes value;
    assert_ok(kv_snapshot_take(model->f.kv, &snapshot));
    assert_ok(kv_cursor_seek(snapshot, bytes_text("R"), &cursor));
    while (status_ok(kv_cursor_next(cursor, &key, &value)) && key.data[0] == 'R') {
        struct row_reference row;
        struct row_key due;
        struct content content;
        assert_ok(rows_reference_decode(value, &row));
        live += row.state == REFERENCE_LIVE;
        memcpy(content.bytes, key.data + 1, CONTENT_SIZE);
        row_key_due(&due, model->f.env.now_ms + FIXTURE_QUARANTINE_MS, &content);
        assert_true(
            row.state == REFERENCE_LIVE ||
            content_fixture_row(&model->f, row_key_bytes(&due)).data != NULL);
    }
    assert_int_equal(live, heads);
}

static void random_commits_agree_with_a_table(void **state)
{
    struct model *model = *state;
    for (int step = 0; step < STEPS; step++) {
        uint32_t what = draw(model, 100);
        if (what < 50) {
            put(model);
        } else if (what < 70) {
            copy(model);
        } else if (what < 92) {
            drop(model);
        } else if (what < 95) {
            kill_late(model);
        } else {
            list(model);
        }
        if (step % 500 == 499) {
            check_usage(model);
            check_references(model);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_commits_agree_with_a_table, setup, teardown),
    };
    return cmocka_run_group_tests_name("plan_model", tests, NULL, NULL);
}
