#include "tests/unit/contentdb/content_fixture.h"

#include "contentdb/object_lister.h"
#include "contentdb/plan_accounts.h"
#include "contentdb/plan_buckets.h"
#include "contentdb/plan_copy.h"
#include "contentdb/plan_delete.h"
#include "contentdb/plan_lease.h"
#include "contentdb/plan_part.h"
#include "contentdb/plan_put.h"
#include "lib/base/clock.h"
#include "lib/format/placement_row.h"
#include "tests/support/cmocka.h"

#include <stdio.h>

enum { ARENA_MAX = 512 * 1024 * 1024, CHUNK = 64 * 1024, K = 4, M = 2, DEADLINE_MS = 30000 };

static const uint8_t cert[32] = "certificate of the frontend";

static void add_accounts(struct content_fixture *fixture)
{
    for (uint8_t i = 1; i <= FIXTURE_ACCOUNTS; i++) {
        struct plan_accounts_new add = {
            .account =
                {
                    .account = {{i}},
                    .store_uuid = {{i, 1}},
                    .state = 1,
                    .node_id = bytes_text("b"),
                    .address = bytes_text("localhost:1"),
                    .tls_name = bytes_text("b.test"),
                    .failure_domain = bytes_text("rack"),
                },
        };
        uint64_t seq = 0;
        assert_int_equal(
            plan_apply_one(
                fixture->kv, &fixture->env, plan_accounts_add, &add,
                clock_monotonic_ms() + DEADLINE_MS, &seq),
            OUTCOME(DONE));
        assert_int_equal(add.number, i);
    }
}

void content_fixture_open(struct content_fixture *fixture)
{
    *fixture = (struct content_fixture){
        .env = {
            .now_ms = 1000000,
            .quarantine_ms = FIXTURE_QUARANTINE_MS,
            .fence = FIXTURE_FENCE,
            .uri = "triad://test/frontend/f1",
            .cert_sha256 = cert,
        }};
    arena_init(&fixture->arena, ARENA_MAX);
    assert_ok(shard_store_memory_new(&fixture->store));
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &fixture->dek));
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &fixture->object_key));
    const struct kv_dek dek = {.version = 1, .key = fixture->dek};
    const struct kv_options options = {
        .db_uuid = {{1}}, .deks = &dek, .deks_count = 1, .fence = FIXTURE_FENCE};
    assert_ok(kv_open(fixture->store, &options, &fixture->kv));
    fixture->lease = content_fixture_lease(fixture);
    add_accounts(fixture);
    fixture->grant = content_fixture_bucket(fixture, "bucket");
}

void content_fixture_close(struct content_fixture *fixture)
{
    kv_free(fixture->kv);
    shard_store_free(fixture->store);
    secret_free(fixture->dek);
    secret_free(fixture->object_key);
    arena_done(&fixture->arena);
}

struct id16 content_fixture_id(struct content_fixture *fixture)
{
    static uint64_t last; /* Over all fixtures: tests never meet an old id. */
    last++;
    struct id16 id = {{0}};
    memcpy(id.bytes + 8, &last, sizeof(last));
    id.bytes[0] = ++fixture->next_id;
    return id;
}

uint64_t content_fixture_lease(struct content_fixture *fixture)
{
    struct plan_lease lease = {.lease = 0};
    assert_int_equal(
        plan_apply_one(
            fixture->kv, &fixture->env, plan_lease_open, &lease, clock_monotonic_ms() + DEADLINE_MS,
            NULL),
        OUTCOME(DONE));
    return lease.lease;
}

struct grant content_fixture_bucket(struct content_fixture *fixture, const char *name)
{
    struct grant grant = {
        .rights = GRANT_READ | GRANT_WRITE | GRANT_ADMIN,
        .tenant = {{9}},
        .bucket = content_fixture_id(fixture),
    };
    struct plan_buckets bucket = {
        .bucket = grant.bucket, .tenant = grant.tenant, .name = bytes_text(name)};
    assert_int_equal(
        plan_apply_one(
            fixture->kv, &fixture->env, plan_buckets_create, &bucket,
            clock_monotonic_ms() + DEADLINE_MS, NULL),
        OUTCOME(DONE));
    return grant;
}

struct content content_fixture_content(struct content_fixture *fixture)
{
    return content_of(fixture->lease, ++fixture->upload_seq);
}

ProtobufCBinaryData content_fixture_field(struct content_fixture *fixture, struct bytes bytes)
{
    uint8_t *copy = arena_alloc(&fixture->arena, bytes.size + 1);
    assert_non_null(copy);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return (ProtobufCBinaryData){.len = bytes.size, .data = copy};
}

static ProtobufCBinaryData text_field(struct content_fixture *fixture, const char *text)
{
    return content_fixture_field(fixture, bytes_text(text));
}

/* ---------------------------------------------------------------- pages */

static ProtobufCBinaryData make_placement(struct content_fixture *fixture, size_t chunks)
{
    BUFFER(row, MANIFEST_PAGE_MAX);
    for (size_t i = 0; i < chunks; i++) {
        struct placement_entry entries[K + M];
        for (uint8_t j = 0; j < K + M; j++) {
            entries[j] = (struct placement_entry){
                .account = (uint32_t)((i + j) % FIXTURE_ACCOUNTS + 1),
                .copy = j,
                .state = PLACEMENT_STORED,
            };
        }
        placement_encode(&row, entries, K + M);
    }
    assert_ok(buffer_status(&row));
    return content_fixture_field(fixture, buffer_bytes(&row));
}

static ProtobufCBinaryData make_manifest(
    struct content_fixture *fixture, const struct manifest_head *head, uint32_t first_chunk,
    uint64_t left)
{
    static const uint8_t tags[(K + M) * FRAGMENT_TAG_SIZE];
    BUFFER(page, MANIFEST_PAGE_MAX);
    manifest_page_begin(&page, head);
    uint16_t rows = 0;
    for (; left > 0 && rows < MANIFEST_ROWS_MAX; rows++) {
        uint32_t size = left < CHUNK ? (uint32_t)left : CHUNK;
        struct manifest_row row = {
            .chunk = chunk_id_of(&head->content, first_chunk + rows),
            .suite = CHUNK_SUITE,
            .shape = chunk_shape_choose(size, K),
            .tags = tags,
        };
        manifest_page_add(&page, &row, K + M);
        left -= size;
    }
    assert_ok(manifest_page_seal(&page, rows, fixture->object_key));
    return content_fixture_field(fixture, buffer_bytes(&page));
}

static void add_pages(
    struct content_fixture *fixture, Triad__Content__CommitItem *item, const struct id16 *data,
    const struct content *content, uint32_t part, uint64_t size)
{
    enum { PAGE = CHUNK * MANIFEST_ROWS_MAX };
    size_t pages = (size_t)((size + PAGE - 1) / PAGE);
    item->pages = arena_zalloc(&fixture->arena, pages + 1, sizeof(*item->pages));
    assert_non_null(item->pages);
    for (; item->n_pages < pages; item->n_pages++) {
        uint32_t number = (uint32_t)item->n_pages;
        uint64_t first = (uint64_t)number * PAGE;
        uint64_t left = size - first < PAGE ? size - first : PAGE;
        const struct manifest_head head = {
            .data = *data,
            .content = *content,
            .part = part,
            .page = number,
            .first_off = first,
            .ik_ver = 1,
            .tag_alg = MANIFEST_TAG_ALG_GMAC,
            .k = K,
            .m = M,
        };
        Triad__Content__Page *page = arena_alloc(&fixture->arena, sizeof(*page));
        triad__content__page__init(page);
        page->page = number;
        page->manifest = make_manifest(fixture, &head, number * MANIFEST_ROWS_MAX, left);
        page->placement = make_placement(fixture, (size_t)((left + CHUNK - 1) / CHUNK));
        item->pages[number] = page;
    }
}

/* ---------------------------------------------------------------- items */

static struct version_record new_record(struct content_fixture *fixture, const char *name)
{
    struct version_record record = {
        .tenant = fixture->grant.tenant,
        .bucket = fixture->grant.bucket,
        .version = content_fixture_id(fixture),
        .data = content_fixture_id(fixture),
        .created_ms = fixture->env.now_ms,
    };
    assert_ok(object_name_hash(&record.bucket, bytes_text(name), record.name_hash));
    return record;
}

static ProtobufCBinaryData key_ref_field(struct content_fixture *fixture)
{
    static const uint8_t wrapped[40];
    const struct key_ref ref = {.kind = 1, .alg = 1, .bk_ver = 1, .wrapped = BYTES_ARRAY(wrapped)};
    BUFFER(encoded, 512);
    key_ref_encode(&encoded, &ref);
    return content_fixture_field(fixture, buffer_bytes(&encoded));
}

static void add_record(
    struct content_fixture *fixture, Triad__Content__CommitItem *item,
    const struct version_record *record)
{
    static const uint8_t mac[VERSION_MAC_SIZE];
    uint8_t encoded[VERSION_RECORD_SIZE];
    version_record_encode(record, encoded);
    item->version_record = content_fixture_field(fixture, BYTES_ARRAY(encoded));
    item->vmac = content_fixture_field(fixture, BYTES_ARRAY(mac));
    item->key_ref = key_ref_field(fixture);
    item->attributes = text_field(fixture, "sealed attributes");
    item->version = content_fixture_field(fixture, id16_view(&record->version));
}

static Triad__Content__CommitItem *
new_item(struct content_fixture *fixture, const char *name, Triad__Content__CommitKind kind)
{
    Triad__Content__CommitItem *item = arena_alloc(&fixture->arena, sizeof(*item));
    assert_non_null(item);
    triad__content__commit_item__init(item);
    struct content content = content_fixture_content(fixture);
    item->kind = kind;
    item->bucket = content_fixture_field(fixture, id16_view(&fixture->grant.bucket));
    item->key = text_field(fixture, name);
    item->content = content_fixture_field(fixture, BYTES_ARRAY(content.bytes));
    return item;
}

Triad__Content__CommitItem *
content_fixture_put(struct content_fixture *fixture, const char *name, uint64_t size)
{
    Triad__Content__CommitItem *item = new_item(fixture, name, TRIAD__CONTENT__COMMIT_KIND__PUT);
    struct version_record record = new_record(fixture, name);
    memcpy(record.content.bytes, item->content.data, CONTENT_SIZE);
    record.size = size;
    record.chunks = (size + CHUNK - 1) / CHUNK;
    add_record(fixture, item, &record);
    add_pages(fixture, item, &record.data, &record.content, 0, size);
    return item;
}

Triad__Content__CommitItem *content_fixture_copy(
    struct content_fixture *fixture, const char *name, const Triad__Content__CommitItem *of)
{
    Triad__Content__CommitItem *item = new_item(fixture, name, TRIAD__CONTENT__COMMIT_KIND__COPY);
    struct version_record record;
    assert_ok(version_record_decode(commit_check_bytes(of->version_record), &record));
    struct version_record renamed = new_record(fixture, name);
    memcpy(record.name_hash, renamed.name_hash, sizeof(record.name_hash));
    record.version = renamed.version;
    add_record(fixture, item, &record);
    item->source_key = of->key;
    item->source_version = of->version;
    return item;
}

Triad__Content__CommitItem *
content_fixture_delete(struct content_fixture *fixture, const char *name)
{
    return new_item(fixture, name, TRIAD__CONTENT__COMMIT_KIND__DELETE);
}

struct id16 content_fixture_upload(
    struct content_fixture *fixture, const char *name, struct version_record *ret_record)
{
    static const uint8_t mac[VERSION_MAC_SIZE];
    uint8_t encoded[VERSION_RECORD_SIZE];
    struct version_record record = new_record(fixture, name);
    record.flags = VERSION_OPEN_UPLOAD | VERSION_MULTIPART;
    version_record_encode(&record, encoded);
    struct plan_part_upload create = {
        .bucket = fixture->grant.bucket,
        .tenant = fixture->grant.tenant,
        .upload = record.version,
        .name = bytes_text(name),
        .record = BYTES_ARRAY(encoded),
        .vmac = BYTES_ARRAY(mac),
        .key_ref = commit_check_bytes(key_ref_field(fixture)),
        .attributes = bytes_text("sealed"),
    };
    assert_int_equal(
        plan_apply_one(
            fixture->kv, &fixture->env, plan_part_create, &create,
            clock_monotonic_ms() + DEADLINE_MS, NULL),
        OUTCOME(DONE));
    *ret_record = record;
    return record.version;
}

Triad__Content__CommitItem *content_fixture_part(
    struct content_fixture *fixture, const char *name, const struct version_record *upload,
    uint32_t part, uint64_t size)
{
    static const uint8_t etag[16];
    Triad__Content__CommitItem *item = new_item(fixture, name, TRIAD__CONTENT__COMMIT_KIND__PART);
    struct content content;
    memcpy(content.bytes, item->content.data, CONTENT_SIZE);
    item->upload = content_fixture_field(fixture, id16_view(&upload->version));
    item->part = part;
    item->part_size = size;
    item->part_chunks = (uint32_t)((size + CHUNK - 1) / CHUNK);
    item->part_etag = content_fixture_field(fixture, BYTES_ARRAY(etag));
    add_pages(fixture, item, &upload->data, &content, part, size);
    return item;
}

/* ---------------------------------------------------------------- running */

Triad__Content__Outcome content_fixture_commit_under(
    struct content_fixture *fixture, const struct grant *grant,
    const Triad__Content__CommitItem *item, struct commit *ret)
{
    static plan_fn *const plans[] = {
        plan_put_object, plan_copy_object, plan_delete_object, plan_part_put};
    struct commit commit;
    struct status status = commit_check(item, grant, FIXTURE_ACCOUNTS, &fixture->arena, &commit);
    if (!status_ok(status)) {
        assert_status(status, STATUS_INVALID);
        return OUTCOME(INVALID);
    }
    Triad__Content__Outcome outcome = plan_apply_one(
        fixture->kv, &fixture->env, plans[item->kind], &commit, clock_monotonic_ms() + DEADLINE_MS,
        NULL);
    if (ret != NULL) {
        *ret = commit;
    }
    return outcome;
}

Triad__Content__Outcome content_fixture_commit(
    struct content_fixture *fixture, const Triad__Content__CommitItem *item, struct commit *ret)
{
    return content_fixture_commit_under(fixture, &fixture->grant, item, ret);
}

static void join(struct buffer *text, const char *open, ProtobufCBinaryData name, const char *end)
{
    if (text->size > 0) {
        buffer_add_text(text, " ");
    }
    buffer_add_text(text, open);
    buffer_add(text, commit_check_bytes(name));
    buffer_add_text(text, end);
}

const char *content_fixture_list(
    struct content_fixture *fixture, const char *prefix, const char *delimiter, const char *after,
    uint32_t limit)
{
    const struct object_listing listing = {
        .bucket = fixture->grant.bucket,
        .prefix = bytes_text(prefix),
        .delimiter = bytes_text(delimiter),
        .after = bytes_text(after),
        .limit = limit,
    };
    Triad__Content__ListReply reply = TRIAD__CONTENT__LIST_REPLY__INIT;
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    assert_ok(kv_snapshot_take(fixture->kv, &snapshot));
    assert_ok(object_lister_list(snapshot, &listing, &fixture->arena, &reply));
    BUFFER(text, 1024 * 1024);
    size_t row = 0;
    size_t group = 0;
    while (row < reply.n_rows || group < reply.n_prefixes) {
        bool is_row = group == reply.n_prefixes ||
                      (row < reply.n_rows && bytes_compare(
                                                 commit_check_bytes(reply.rows[row]->key),
                                                 commit_check_bytes(reply.prefixes[group])) < 0);
        if (is_row) {
            join(&text, "", reply.rows[row++]->key, "");
        } else {
            join(&text, "[", reply.prefixes[group++], "]");
        }
    }
    if (reply.is_truncated) {
        join(&text, "> ", reply.next_after, "");
    }
    return arena_text(&fixture->arena, buffer_bytes(&text));
}

struct bytes content_fixture_row(struct content_fixture *fixture, struct bytes key)
{
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    struct bytes value;
    assert_ok(kv_snapshot_take(fixture->kv, &snapshot));
    if (!status_ok(kv_snapshot_get(snapshot, key, &value))) {
        return bytes_of(NULL, 0);
    }
    return arena_copy(&fixture->arena, value);
}

size_t content_fixture_count(struct content_fixture *fixture, char type)
{
    OWNED(kv_snapshot) struct kv_snapshot *snapshot = NULL;
    OWNED(kv_cursor) struct kv_cursor *cursor = NULL;
    struct bytes key;
    struct bytes value;
    size_t count = 0;
    assert_ok(kv_snapshot_take(fixture->kv, &snapshot));
    assert_ok(kv_cursor_seek(snapshot, bytes_of(&type, 1), &cursor));
    while (status_ok(kv_cursor_next(cursor, &key, &value)) && key.data[0] == (uint8_t)type) {
        count++;
    }
    return count;
}
