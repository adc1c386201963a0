/* The service and its client over mutual TLS: who may call what under which grant, one answer for
 * each commit whatever becomes of its reply, leases and the account directory. */

#include "contentdb/content_service.h"

#include "contentdb/account_directory.h"
#include "contentdb/content_client.h"
#include "contentdb/content_lease.h"
#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "lib/telemetry/log.h"
#include "tests/support/cmocka.h"
#include "tests/support/test_pki.h"
#include "tests/unit/contentdb/content_fixture.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { KEY_NO = 3, MIN_EPOCH = 4, CALL_MS = 20000, THREADS = 16, PUTS = 100, GETS = 500 };

struct peer {
    struct rpc_client *rpc;
    struct content_client *client;
    uint8_t cert[32];
};

static struct service {
    struct content_fixture db;
    struct test_pki *pki;
    struct secret *gk;
    struct grant_gate *gate;
    struct content_service *service;
    struct rpc_server *server;
    char address[64];
    struct peer frontend;
    struct peer other_frontend;
    struct peer steward;
    struct peer operator_;
    atomic_int stall_ms; /* The next write waits as long. */
    atomic_int superseded_by;
    uint64_t now_s;
} s;

static bool is_writable(void *context)
{
    (void)context;
    int stall_ms = atomic_exchange(&s.stall_ms, 0);
    if (stall_ms > 0) {
        clock_sleep_ms(stall_ms);
    }
    return true;
}

static void on_superseded(void *context, uint32_t fence)
{
    (void)context;
    atomic_store(&s.superseded_by, (int)fence);
}

/* On a loaded machine a first handshake may be cut off. */
static void wait_connected(struct peer *peer)
{
    for (int i = 0;; i++) {
        OWNED(content_reply) struct content_reply *reply = NULL;
        const Triad__Content__ListAccountsReply *accounts = NULL;
        struct status status = content_client_list_accounts(
            peer->client, clock_monotonic_ms() + CALL_MS, &reply, &accounts);
        if (status_ok(status)) {
            return;
        }
        assert_true(i < 100);
        clock_sleep_ms(100);
    }
}

static void open_peer(const char *role, const char *id, struct peer *peer)
{
    assert_ok(test_pki_issue(s.pki, role, id, NULL));
    const struct rpc_client_options options = {
        .tls = test_pki_files(s.pki, role, id),
        .message_max = CONTENT_MESSAGE_MAX,
        .arena_max = CONTENT_ARENA_MAX,
    };
    assert_ok(rpc_client_start(&options, &peer->rpc));
    assert_ok(content_client_new(peer->rpc, s.address, "c1.contentdb.test", NULL, &peer->client));
    rpc_client_cert_sha256(peer->rpc, peer->cert);
    wait_connected(peer);
}

static void close_peer(struct peer *peer)
{
    content_client_free(peer->client);
    rpc_client_free(peer->rpc);
}

static void fill_gate(void)
{
    struct key_grant_keys *keys = calloc(1, sizeof(*keys));
    assert_non_null(keys);
    keys->min_epoch = MIN_EPOCH;
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t hour = (uint32_t)(s.now_s / 3600) + i;
        keys->keys[i].key_no = KEY_NO;
        keys->keys[i].hour = hour;
        assert_ok(grant_key(s.gk, 0, hour, &keys->keys[i].key));
    }
    keys->count = 2;
    grant_gate_update(s.gate, &keys);
}

static int setup(void **state)
{
    (void)state;
    s = (struct service){.now_s = (uint64_t)clock_wall_s()};
    log_setup("test", LOG_ERROR);
    content_fixture_open(&s.db);
    assert_ok(test_pki_new("test", &s.pki));
    assert_ok(test_pki_issue(s.pki, "contentdb", "c1", NULL));
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &s.gk));
    assert_ok(grant_gate_new(&s.gate));
    fill_gate();
    const struct content_service_options options = {
        .kv = s.db.kv,
        .gate = s.gate,
        .fence = FIXTURE_FENCE,
        .quarantine_ms = FIXTURE_QUARANTINE_MS,
        .steward_life_ms = 300,
        .is_writable = is_writable,
        .on_superseded = on_superseded,
    };
    assert_ok(content_service_new(&options, &s.service));
    const struct rpc_server_options server = {
        .address = "127.0.0.1:0",
        .tls = test_pki_files(s.pki, "contentdb", "c1"),
        .workers = 8,
        .queue_max = 64,
        .message_max = CONTENT_MESSAGE_MAX,
        .arena_max = CONTENT_ARENA_MAX,
        .deadline_max_ms = 60000,
    };
    struct rpc_service described = content_service_describe(s.service);
    assert_ok(rpc_server_start(&server, &described, 1, &s.server));
    snprintf(s.address, sizeof(s.address), "127.0.0.1:%d", rpc_server_port(s.server));
    open_peer("frontend", "f1", &s.frontend);
    open_peer("frontend", "f2", &s.other_frontend);
    open_peer("steward", "s1", &s.steward);
    open_peer("operator", "o1", &s.operator_);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close_peer(&s.frontend);
    close_peer(&s.other_frontend);
    close_peer(&s.steward);
    close_peer(&s.operator_);
    rpc_server_stop(s.server, 1000);
    rpc_server_free(s.server);
    content_service_free(s.service);
    grant_gate_free(s.gate);
    secret_free(s.gk);
    content_fixture_close(&s.db);
    test_pki_free(s.pki);
    return 0;
}

static int64_t soon(void)
{
    return clock_monotonic_ms() + CALL_MS;
}

/* ---------------------------------------------------------------- grants */

static struct grant base_grant(unsigned rights)
{
    struct grant grant = {
        .rights = (uint16_t)rights,
        .exp = s.now_s + 200,
        .tenant = s.db.grant.tenant,
        .bucket = s.db.grant.bucket,
        .key_no = KEY_NO,
        .epoch = MIN_EPOCH,
    };
    memcpy(grant.cnf, s.frontend.cert, sizeof(grant.cnf));
    return grant;
}

static ProtobufCBinaryData mint(const struct grant *grant)
{
    uint8_t encoded[GRANT_SIZE];
    OWNED(secret) struct secret *key = NULL;
    assert_ok(grant_key(s.gk, 0, (uint32_t)(grant->exp / 3600), &key));
    assert_ok(grant_mint(key, grant, encoded));
    return content_fixture_field(&s.db, BYTES_ARRAY(encoded));
}

static ProtobufCBinaryData mint_rights(unsigned rights)
{
    struct grant grant = base_grant(rights);
    return mint(&grant);
}

static Triad__Content__CommitItem *put_item(const char *name, uint64_t size)
{
    Triad__Content__CommitItem *item = content_fixture_put(&s.db, name, size);
    item->grant = mint_rights(GRANT_WRITE);
    return item;
}

static Triad__Content__Outcome commit(const Triad__Content__CommitItem *item)
{
    struct content_commit commit;
    assert_ok(content_client_commit(s.frontend.client, item, soon(), &commit));
    return commit.outcome;
}

static Triad__Content__LookupItem lookup_item(const char *name)
{
    Triad__Content__LookupItem item = TRIAD__CONTENT__LOOKUP_ITEM__INIT;
    item.grant = mint_rights(GRANT_READ);
    item.bucket = content_fixture_field(&s.db, id16_view(&s.db.grant.bucket));
    item.key = content_fixture_field(&s.db, bytes_text(name));
    return item;
}

static Triad__Content__Outcome lookup_under(const struct peer *peer, ProtobufCBinaryData grant)
{
    Triad__Content__LookupItem item = lookup_item("a");
    item.grant = grant;
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__LookupResult *result = NULL;
    assert_ok(content_client_lookup(peer->client, &item, soon(), &reply, &result));
    return result->outcome;
}

static void only_a_fitting_grant_opens(void **state)
{
    (void)state;
    assert_int_equal(commit(put_item("a", 1)), OUTCOME(DONE));
    assert_int_equal(lookup_under(&s.frontend, mint_rights(GRANT_READ)), OUTCOME(DONE));
    assert_int_equal(lookup_under(&s.frontend, mint_rights(GRANT_WRITE)), OUTCOME(DONE));
    assert_int_equal(lookup_under(&s.frontend, mint_rights(GRANT_ADMIN)), OUTCOME(DENIED));
    assert_int_equal(lookup_under(&s.other_frontend, mint_rights(GRANT_READ)), OUTCOME(DENIED));
    ProtobufCBinaryData none = {.len = 0};
    assert_int_not_equal(lookup_under(&s.frontend, none), OUTCOME(DONE));
    ProtobufCBinaryData forged = mint_rights(GRANT_READ);
    forged.data[GRANT_SIZE - 1]++;
    assert_int_equal(lookup_under(&s.frontend, forged), OUTCOME(DENIED));

    struct grant grant = base_grant(GRANT_READ);
    grant.exp = s.now_s - 1;
    assert_int_equal(lookup_under(&s.frontend, mint(&grant)), OUTCOME(DENIED));
    grant = base_grant(GRANT_READ);
    grant.exp = s.now_s + 1000;
    assert_int_equal(lookup_under(&s.frontend, mint(&grant)), OUTCOME(DENIED));
    grant = base_grant(GRANT_READ);
    grant.bucket = content_fixture_id(&s.db);
    assert_int_equal(lookup_under(&s.frontend, mint(&grant)), OUTCOME(DENIED));
    grant = base_grant(GRANT_READ);
    grant.tenant.bytes[0]++;
    assert_int_equal(lookup_under(&s.frontend, mint(&grant)), OUTCOME(DENIED));
    grant = base_grant(GRANT_READ);
    grant.epoch--;
    assert_int_equal(lookup_under(&s.frontend, mint(&grant)), OUTCOME(DENIED));
    grant = base_grant(GRANT_READ);
    grant.key_no++;
    assert_int_equal(lookup_under(&s.frontend, mint(&grant)), OUTCOME(DENIED));
}

static void a_read_grant_writes_nothing(void **state)
{
    (void)state;
    Triad__Content__CommitItem *item = put_item("a", 1);
    item->grant = mint_rights(GRANT_READ | GRANT_ADMIN);
    assert_int_equal(commit(item), OUTCOME(DENIED));
    assert_int_equal(lookup_under(&s.frontend, mint_rights(GRANT_READ)), OUTCOME(NOT_FOUND));
}

static void roles_have_their_own_calls(void **state)
{
    (void)state;
    struct content_bucket bucket;
    struct content_steward steward;
    assert_status(
        content_client_resolve_bucket(s.steward.client, "bucket", soon(), &bucket), STATUS_DENIED);
    assert_status(
        content_client_take_steward(s.frontend.client, 0, soon(), &steward), STATUS_DENIED);
    Triad__Content__Account account = TRIAD__CONTENT__ACCOUNT__INIT;
    uint32_t number = 0;
    assert_status(
        content_client_add_account(s.frontend.client, &account, soon(), &number), STATUS_DENIED);
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__StatusReply *status = NULL;
    assert_ok(content_client_status(s.operator_.client, soon(), &reply, &status));
    assert_int_equal(status->accounts, FIXTURE_ACCOUNTS);
    assert_int_equal(status->buckets, 1);
    assert_int_equal(status->leases, 1);
}

/* ---------------------------------------------------------------- objects */

static void a_put_is_seen_by_every_read(void **state)
{
    (void)state;
    enum { SIZE = 20 * 1024 * 1024, PAGE = 8 * 1024 * 1024 };
    assert_int_equal(commit(put_item("a/b", SIZE)), OUTCOME(DONE));
    struct content_bucket bucket;
    assert_ok(content_client_resolve_bucket(s.frontend.client, "bucket", soon(), &bucket));
    assert_true(bucket.is_found && id16_equal(&bucket.bucket, &s.db.grant.bucket));
    assert_ok(content_client_resolve_bucket(s.frontend.client, "nobody", soon(), &bucket));
    assert_false(bucket.is_found);

    static const struct {
        uint64_t offset, length;
        bool is_suffix;
        uint32_t pages_max;
        size_t count;
        uint32_t first;
    } cases[] = {
        {0, 0, false, 0, 0, 0},          {0, 1, false, 0, 1, 0},
        {PAGE - 1, 1, false, 0, 1, 0},   {PAGE - 1, 2, false, 0, 2, 0},
        {PAGE, 1, false, 0, 1, 1},       {0, UINT64_MAX, false, 0, 3, 0},
        {0, UINT64_MAX, false, 2, 2, 0}, {SIZE - 1, 100, false, 0, 1, 2},
        {SIZE, 1, false, 0, 0, 0},       {5, 5, true, 0, 1, 2},
        {SIZE * 2ull, 1, true, 0, 1, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        Triad__Content__LookupItem item = lookup_item("a/b");
        item.offset = cases[i].offset;
        item.length = cases[i].length;
        item.is_suffix = cases[i].is_suffix;
        item.pages_max = cases[i].pages_max;
        OWNED(content_reply) struct content_reply *reply = NULL;
        const Triad__Content__LookupResult *result = NULL;
        assert_ok(content_client_lookup(s.frontend.client, &item, soon(), &reply, &result));
        assert_int_equal(result->outcome, OUTCOME(DONE));
        assert_int_equal(result->n_pages, cases[i].count);
        if (cases[i].count > 0) {
            assert_int_equal(result->pages[0]->page, cases[i].first);
        }
        assert_int_equal(result->row->attributes.len, strlen("sealed attributes"));
    }

    Triad__Content__ListRequest list = TRIAD__CONTENT__LIST_REQUEST__INIT;
    list.grant = mint_rights(GRANT_READ);
    list.bucket = content_fixture_field(&s.db, id16_view(&s.db.grant.bucket));
    list.delimiter = content_fixture_field(&s.db, bytes_text("/"));
    list.limit = 10;
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__ListReply *listed = NULL;
    assert_ok(content_client_list(s.frontend.client, &list, soon(), &reply, &listed));
    assert_int_equal(listed->outcome, OUTCOME(DONE));
    assert_int_equal(listed->n_prefixes, 1);
}

static void pages_are_the_granted_buckets(void **state)
{
    (void)state;
    Triad__Content__CommitItem *item = put_item("a", 100);
    assert_int_equal(commit(item), OUTCOME(DONE));
    Triad__Content__PagesRequest request = TRIAD__CONTENT__PAGES_REQUEST__INIT;
    request.grant = mint_rights(GRANT_READ);
    request.bucket = item->bucket;
    request.content = item->content;
    request.length = 100;
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__PagesReply *pages = NULL;
    assert_ok(content_client_pages(s.frontend.client, &request, soon(), &reply, &pages));
    assert_int_equal(pages->outcome, OUTCOME(DONE));
    assert_int_equal(pages->n_pages, 1);

    struct grant other = content_fixture_bucket(&s.db, "other");
    struct grant grant = base_grant(GRANT_READ);
    grant.bucket = other.bucket;
    request.grant = mint(&grant);
    request.bucket = content_fixture_field(&s.db, id16_view(&other.bucket));
    OWNED(content_reply) struct content_reply *second = NULL;
    assert_ok(content_client_pages(s.frontend.client, &request, soon(), &second, &pages));
    assert_int_equal(pages->outcome, OUTCOME(NOT_FOUND));
    assert_int_equal(pages->n_pages, 0);
}

/* The server holds the commit until the client has given up, then the client resolves. */
static void a_commit_whose_reply_is_lost_has_one_answer(void **state)
{
    (void)state;
    Triad__Content__CommitItem *item = put_item("a", 1);
    struct content_commit answer;
    assert_int_equal(lookup_under(&s.frontend, mint_rights(GRANT_READ)), OUTCOME(NOT_FOUND));
    atomic_store(&s.stall_ms, 600);
    assert_ok(content_client_commit(s.frontend.client, item, clock_monotonic_ms() + 200, &answer));
    assert_int_equal(answer.outcome, OUTCOME(KILLED));
    clock_sleep_ms(700);
    assert_int_equal(lookup_under(&s.frontend, mint_rights(GRANT_READ)), OUTCOME(NOT_FOUND));
    assert_int_equal(commit(item), OUTCOME(KILLED));
}

struct putter {
    struct task task;
    int number;
    Triad__Content__CommitItem *items[PUTS];
    atomic_int failures;
};

static void put_all(void *context)
{
    struct putter *putter = context;
    for (int i = 0; i < PUTS; i++) {
        struct content_commit answer;
        struct status status =
            content_client_commit(s.frontend.client, putter->items[i], soon(), &answer);
        if (!status_ok(status) || answer.outcome != OUTCOME(DONE) || answer.seq == 0) {
            atomic_fetch_add(&putter->failures, 1);
        }
    }
}

static void commits_of_many_threads_are_coalesced(void **state)
{
    (void)state;
    static struct putter putters[THREADS];
    struct kv_stats before;
    struct kv_stats after;
    for (int i = 0; i < THREADS; i++) {
        putters[i] = (struct putter){.number = i};
        for (int j = 0; j < PUTS; j++) {
            char name[64];
            /* Every tenth name is everybody's. */
            snprintf(name, sizeof(name), "o-%d-%d", j % 10 == 0 ? 0 : i, j);
            putters[i].items[j] = put_item(name, 1000);
        }
    }
    kv_stats_get(s.db.kv, &before);
    int64_t start_us = clock_monotonic_us();
    for (int i = 0; i < THREADS; i++) {
        assert_ok(task_start(&putters[i].task, "put", put_all, &putters[i]));
    }
    for (int i = 0; i < THREADS; i++) {
        task_join(&putters[i].task);
        assert_int_equal(atomic_load(&putters[i].failures), 0);
    }
    int64_t took_us = clock_monotonic_us() - start_us;
    kv_stats_get(s.db.kv, &after);
    print_message(
        "%d commits: %.0f/s, %.1f a log record\n", THREADS * PUTS,
        THREADS * PUTS * 1e6 / (double)took_us,
        (double)(THREADS * PUTS) / (double)(after.groups - before.groups));
    assert_int_equal(content_fixture_count(&s.db, 'O'), THREADS * PUTS * 9 / 10 + PUTS / 10);
    assert_int_equal(content_fixture_count(&s.db, 'R'), THREADS * PUTS);
    assert_int_equal(content_fixture_count(&s.db, 'D'), (THREADS - 1) * PUTS / 10);
}

struct getter {
    struct task task;
    Triad__Content__LookupItem item;
    atomic_int failures;
};

static void get_all(void *context)
{
    struct getter *getter = context;
    for (int i = 0; i < GETS; i++) {
        OWNED(content_reply) struct content_reply *reply = NULL;
        const Triad__Content__LookupResult *result = NULL;
        struct status status =
            content_client_lookup(s.frontend.client, &getter->item, soon(), &reply, &result);
        if (!status_ok(status) || result->outcome != OUTCOME(DONE) || result->n_pages != 1) {
            atomic_fetch_add(&getter->failures, 1);
        }
    }
}

static void lookups_of_many_threads_are_coalesced(void **state)
{
    (void)state;
    static struct getter getters[THREADS];
    assert_int_equal(commit(put_item("a", 1000)), OUTCOME(DONE));
    int64_t cpu = (int64_t)clock();
    for (int i = 0; i < THREADS; i++) {
        getters[i] = (struct getter){.item = lookup_item("a")};
        getters[i].item.length = 1000;
        assert_ok(task_start(&getters[i].task, "get", get_all, &getters[i]));
    }
    for (int i = 0; i < THREADS; i++) {
        task_join(&getters[i].task);
        assert_int_equal(atomic_load(&getters[i].failures), 0);
    }
    print_message(
        "lookup: %.1f us of CPU, client and server\n",
        (double)((int64_t)clock() - cpu) * 1e6 / CLOCKS_PER_SEC / (THREADS * GETS));
}

static void a_caller_that_saw_more_stops_us(void **state)
{
    (void)state;
    struct rpc_channel *channel = NULL;
    assert_ok(rpc_channel_open(
        s.frontend.rpc, s.address, "c1.contentdb.test", RPC_ROLE_CONTENTDB, &channel));
    Triad__Content__Position seen = TRIAD__CONTENT__POSITION__INIT;
    Triad__Content__ListAccountsRequest list = TRIAD__CONTENT__LIST_ACCOUNTS_REQUEST__INIT;
    seen.fence = FIXTURE_FENCE + 1;
    list.seen = &seen;
    const struct rpc_request request = {
        .service = &triad__content__content__descriptor,
        .method = "ListAccounts",
        .message = &list.base,
        .deadline_ms = soon(),
    };
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    assert_status(rpc_call_wait(channel, &request, &reply), STATUS_STALE);
    assert_int_equal(atomic_load(&s.superseded_by), FIXTURE_FENCE + 1);
    rpc_channel_free(channel);
}

/* ---------------------------------------------------------------- buckets, uploads */

static void buckets_are_made_listed_and_deleted(void **state)
{
    (void)state;
    struct grant grant = base_grant(GRANT_ADMIN);
    grant.bucket = content_fixture_id(&s.db);
    Triad__Content__CreateBucketRequest create = TRIAD__CONTENT__CREATE_BUCKET_REQUEST__INIT;
    struct content_bucket_answer answer;
    create.grant = mint(&grant);
    char taken[] = "bucket";
    char fresh[] = "fresh-bucket";
    create.name = taken;
    assert_ok(content_client_create_bucket(s.frontend.client, &create, soon(), &answer));
    assert_int_equal(answer.outcome, OUTCOME(EXISTS));
    assert_true(id16_equal(&answer.tenant, &grant.tenant));
    create.name = fresh;
    assert_ok(content_client_create_bucket(s.frontend.client, &create, soon(), &answer));
    assert_int_equal(answer.outcome, OUTCOME(DONE));

    Triad__Content__ListBucketsRequest list = TRIAD__CONTENT__LIST_BUCKETS_REQUEST__INIT;
    struct grant all = base_grant(GRANT_LIST_BUCKETS);
    all.bucket = (struct id16){{0}};
    list.grant = mint(&all);
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__ListBucketsReply *buckets = NULL;
    assert_ok(content_client_list_buckets(s.frontend.client, &list, soon(), &reply, &buckets));
    assert_int_equal(buckets->n_buckets, 2);
    assert_string_equal(buckets->buckets[0]->name, "bucket");
    assert_string_equal(buckets->buckets[1]->name, fresh);

    /* An open upload does not hold a bucket; it goes with it. */
    struct version_record record;
    struct grant kept = s.db.grant;
    s.db.grant.bucket = grant.bucket;
    content_fixture_upload(&s.db, "u", &record);
    Triad__Content__CommitItem *part = content_fixture_part(&s.db, "u", &record, 1, 100);
    assert_int_equal(content_fixture_commit(&s.db, part, NULL), OUTCOME(DONE));
    s.db.grant = kept;
    Triad__Content__DeleteBucketRequest drop = TRIAD__CONTENT__DELETE_BUCKET_REQUEST__INIT;
    drop.grant = create.grant;
    drop.name = fresh;
    assert_ok(content_client_delete_bucket(s.frontend.client, &drop, soon(), &answer));
    assert_int_equal(answer.outcome, OUTCOME(DONE));
    assert_int_equal(content_fixture_count(&s.db, 'U'), 0);
    assert_int_equal(content_fixture_count(&s.db, 'T'), 0);
    assert_int_equal(content_fixture_count(&s.db, 'n'), 1);
    assert_int_equal(content_fixture_count(&s.db, 'D'), 1);
}

static Triad__Content__PartInfo *part_info(const Triad__Content__CommitItem *item)
{
    Triad__Content__PartInfo *info = arena_alloc(&s.db.arena, sizeof(*info));
    triad__content__part_info__init(info);
    info->part = item->part;
    info->content = item->content;
    return info;
}

/* It tells what it became, and cannot be aborted. */
static void check_done_upload(const Triad__Content__ListPartsRequest *list)
{
    const Triad__Content__ListPartsReply *parts = NULL;
    OWNED(content_reply) struct content_reply *again = NULL;
    assert_ok(content_client_list_parts(s.frontend.client, list, soon(), &again, &parts));
    assert_int_equal(parts->outcome, OUTCOME(NO_SUCH_UPLOAD));
    assert_non_null(parts->upload);
    Triad__Content__AbortUploadRequest abort = TRIAD__CONTENT__ABORT_UPLOAD_REQUEST__INIT;
    abort.grant = list->grant;
    abort.bucket = list->bucket;
    abort.key = list->key;
    abort.upload = list->upload;
    Triad__Content__Outcome outcome;
    assert_ok(content_client_abort_upload(s.frontend.client, &abort, soon(), &outcome));
    assert_int_equal(outcome, OUTCOME(NO_SUCH_UPLOAD));
}

static void an_upload_goes_all_the_way(void **state)
{
    (void)state;
    struct version_record record;
    struct id16 id = content_fixture_upload(&s.db, "m", &record);
    Triad__Content__CommitItem *part = content_fixture_part(&s.db, "m", &record, 1, 100000);
    part->grant = mint_rights(GRANT_WRITE);
    assert_int_equal(commit(part), OUTCOME(DONE));

    Triad__Content__ListPartsRequest list = TRIAD__CONTENT__LIST_PARTS_REQUEST__INIT;
    list.grant = part->grant;
    list.bucket = part->bucket;
    list.key = part->key;
    list.upload = content_fixture_field(&s.db, id16_view(&id));
    list.limit = 10000;
    OWNED(content_reply) struct content_reply *list_reply = NULL;
    const Triad__Content__ListPartsReply *parts = NULL;
    assert_ok(content_client_list_parts(s.frontend.client, &list, soon(), &list_reply, &parts));
    assert_int_equal(parts->outcome, OUTCOME(DONE));
    assert_int_equal(parts->n_parts, 1);
    assert_int_equal(parts->parts[0]->size, 100000);
    assert_non_null(parts->upload);

    record.flags = VERSION_MULTIPART;
    record.segments = 1;
    record.size = 100000;
    record.chunks = 2;
    uint8_t encoded[VERSION_RECORD_SIZE];
    version_record_encode(&record, encoded);
    struct segment_entry entry = {.data = record.data, .part = 1, .chunks = 2, .len = 100000};
    memcpy(entry.content.bytes, part->content.data, CONTENT_SIZE);
    BUFFER(page, SEGMENT_PAGE_MAX);
    segment_entry_encode(&page, &entry);
    assert_ok(segment_page_seal(s.db.object_key, &record.version, 0, &page));
    ProtobufCBinaryData pages[] = {content_fixture_field(&s.db, buffer_bytes(&page))};
    Triad__Content__PartInfo *named[] = {part_info(part), part_info(part)};
    Triad__Content__CompleteUploadRequest complete = TRIAD__CONTENT__COMPLETE_UPLOAD_REQUEST__INIT;
    complete.grant = part->grant;
    complete.bucket = part->bucket;
    complete.key = part->key;
    complete.upload = list.upload;
    complete.parts = named;
    complete.n_parts = 2;
    complete.version_record = content_fixture_field(&s.db, BYTES_ARRAY(encoded));
    complete.vmac = parts->upload->vmac;
    complete.key_ref = parts->upload->key_ref;
    complete.segment_pages = pages;
    complete.n_segment_pages = 1;
    for (int i = 0; i < 3; i++) {
        OWNED(content_reply) struct content_reply *reply = NULL;
        const Triad__Content__UploadReply *upload = NULL;
        assert_ok(
            content_client_complete_upload(s.frontend.client, &complete, soon(), &reply, &upload));
        assert_int_equal(upload->outcome, i == 0 ? OUTCOME(INVALID_PART_ORDER) : OUTCOME(DONE));
        assert_true((upload->row != NULL) == (i == 2));
        complete.n_parts = 1;
    }
    Triad__Content__LookupItem item = lookup_item("m");
    item.length = 1;
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__LookupResult *result = NULL;
    assert_ok(content_client_lookup(s.frontend.client, &item, soon(), &reply, &result));
    assert_int_equal(result->outcome, OUTCOME(DONE));
    assert_int_equal(result->n_segment_pages, 1);
    assert_int_equal(result->n_pages, 0);

    check_done_upload(&list);
}

/* ---------------------------------------------------------------- threads of a frontend */

static void wait_open(struct content_lease *lease)
{
    for (int i = 0; i < 500 && !content_lease_is_open(lease); i++) {
        clock_sleep_ms(10);
    }
    assert_true(content_lease_is_open(lease));
}

static void a_lease_gives_numbers_and_is_replaced(void **state)
{
    (void)state;
    OWNED(content_lease) struct content_lease *lease = NULL;
    struct content first;
    struct content second;
    struct content third;
    assert_ok(content_lease_start(s.frontend.client, &lease));
    wait_open(lease);
    assert_ok(content_lease_next(lease, &first));
    assert_ok(content_lease_next(lease, &second));
    assert_int_equal(content_lease(&first), content_lease(&second));
    assert_memory_not_equal(first.bytes, second.bytes, CONTENT_SIZE);
    content_lease_lost(lease, &first);
    wait_open(lease); /* The new one may have come already. */
    content_lease_lost(lease, &second);
    assert_ok(content_lease_next(lease, &third));
    assert_int_not_equal(content_lease(&first), content_lease(&third));
}

static void count_change(void *context, const struct account_snapshot *snapshot)
{
    atomic_store((atomic_int *)context, (int)snapshot->count);
}

static void the_directory_sees_a_new_account(void **state)
{
    (void)state;
    atomic_int seen = 0;
    const struct account_directory_options options = {
        .client = s.frontend.client,
        .refresh_ms = 20,
        .on_change = count_change,
        .context = &seen,
    };
    OWNED(account_directory) struct account_directory *directory = NULL;
    assert_ok(account_directory_start(&options, &directory));
    for (int i = 0; i < 500 && atomic_load(&seen) != FIXTURE_ACCOUNTS; i++) {
        clock_sleep_ms(10);
    }
    assert_int_equal(atomic_load(&seen), FIXTURE_ACCOUNTS);

    Triad__Content__Account account = TRIAD__CONTENT__ACCOUNT__INIT;
    struct id16 id = content_fixture_id(&s.db);
    char text[] = "b9.test:1";
    account.account = account.store_uuid = content_fixture_field(&s.db, id16_view(&id));
    account.node_id = account.address = account.tls_name = text;
    uint32_t number = 0;
    for (int i = 0; i < 2; i++) {
        assert_ok(content_client_add_account(s.operator_.client, &account, soon(), &number));
        assert_int_equal(number, FIXTURE_ACCOUNTS + 1);
    }
    account_directory_hurry(directory);
    for (int i = 0; i < 500 && atomic_load(&seen) != FIXTURE_ACCOUNTS + 1; i++) {
        clock_sleep_ms(10);
    }
    OWNED(account_snapshot)
    const struct account_snapshot *snapshot = account_directory_take(directory);
    const struct account_info *found = account_snapshot_find(snapshot, number);
    assert_non_null(found);
    assert_string_equal(found->address, text);
    assert_int_equal(found->state, ACCOUNT_ACTIVE);
    assert_null(account_snapshot_find(snapshot, number + 1));
}

static void a_steward_repairs_what_was_reported(void **state)
{
    (void)state;
    Triad__Content__CommitItem *item = put_item("a", 100);
    assert_int_equal(commit(item), OUTCOME(DONE));
    Triad__Content__ReportRepairRequest report = TRIAD__CONTENT__REPORT_REPAIR_REQUEST__INIT;
    Triad__Content__Outcome outcome;
    report.grant = mint_rights(GRANT_READ);
    report.bucket = item->bucket;
    report.content = item->content;
    assert_ok(content_client_report_repair(s.frontend.client, &report, soon(), &outcome));
    assert_int_equal(outcome, OUTCOME(DONE));

    struct content_steward steward;
    assert_ok(content_client_take_steward(s.steward.client, 0, soon(), &steward));
    assert_true(steward.is_active);
    Triad__Content__NextRepairsRequest next = TRIAD__CONTENT__NEXT_REPAIRS_REQUEST__INIT;
    next.steward_fence = steward.fence;
    next.limit = 10;
    OWNED(content_reply) struct content_reply *reply = NULL;
    const Triad__Content__NextRepairsReply *tasks = NULL;
    assert_ok(content_client_next_repairs(s.steward.client, &next, soon(), &reply, &tasks));
    assert_int_equal(tasks->n_tasks, 1);
    assert_true(tasks->tasks[0]->manifest.len > 0 && tasks->tasks[0]->placement.len == 36);

    Triad__Content__ReserveRepairRequest reserve = TRIAD__CONTENT__RESERVE_REPAIR_REQUEST__INIT;
    uint32_t copy = 0;
    reserve.steward_fence = steward.fence;
    reserve.content = tasks->tasks[0]->content;
    reserve.account = 10;
    assert_ok(content_client_reserve_repair(s.steward.client, &reserve, soon(), &outcome, &copy));
    assert_int_equal(outcome, OUTCOME(DONE));
    Triad__Content__ConfirmRepairRequest confirm = TRIAD__CONTENT__CONFIRM_REPAIR_REQUEST__INIT;
    confirm.steward_fence = steward.fence;
    confirm.content = reserve.content;
    confirm.account = 10;
    confirm.copy = copy;
    assert_ok(content_client_confirm_repair(s.steward.client, &confirm, soon(), &outcome));
    assert_int_equal(outcome, OUTCOME(DONE));
    assert_int_equal(content_fixture_count(&s.db, 'Q'), 0);

    next.steward_fence++;
    OWNED(content_reply) struct content_reply *denied = NULL;
    assert_ok(content_client_next_repairs(s.steward.client, &next, soon(), &denied, &tasks));
    assert_int_equal(tasks->outcome, OUTCOME(DENIED));
    struct content_steward second;
    assert_ok(content_client_take_steward(s.steward.client, 0, soon(), &second));
    assert_false(second.is_active);
    clock_sleep_ms(400);
    assert_ok(content_client_take_steward(s.steward.client, 0, soon(), &second));
    assert_true(second.is_active && second.fence == steward.fence + 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(only_a_fitting_grant_opens),
        TEST(a_read_grant_writes_nothing),
        TEST(roles_have_their_own_calls),
        TEST(a_put_is_seen_by_every_read),
        TEST(pages_are_the_granted_buckets),
        TEST(a_commit_whose_reply_is_lost_has_one_answer),
        TEST(commits_of_many_threads_are_coalesced),
        TEST(lookups_of_many_threads_are_coalesced),
        TEST(a_caller_that_saw_more_stops_us),
        TEST(buckets_are_made_listed_and_deleted),
        TEST(an_upload_goes_all_the_way),
        TEST(a_lease_gives_numbers_and_is_replaced),
        TEST(the_directory_sees_a_new_account),
        TEST(a_steward_repairs_what_was_reported),
    };
    return cmocka_run_group_tests_name("content_service", tests, NULL, NULL);
}
