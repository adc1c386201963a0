#include "tests/unit/blobnode/blob_fixture.h"

#include "lib/base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

const struct id16 blob_fixture_account = {{0xac, 1}};

void blob_fixture_start_server(struct blob_fixture *fixture)
{
    struct blob_store_options options = {
        .data_dir = fixture->dir,
        .account =
            {
                .segment_size = 80 * 1024 * 1024,
                .trash_period_s = 3600,
                .deletes_minute_max = 1000,
            },
        .root = fixture->authority.root,
        .token_life_max_s = 3600,
    };
    assert_ok(blob_store_open(&options, &fixture->store));
    fixture->service = (struct blob_service){.store = fixture->store, .node_id = "b1"};
    struct rpc_service service = blob_service_table(&fixture->service);
    struct rpc_server_options server = {
        .address = fixture->target[0] != '\0' ? fixture->target : "127.0.0.1:0",
        .tls = test_pki_files(fixture->pki, "blobnode", "b1"),
        .workers = 8,
        .queue_max = 256,
        .message_max = BLOB_MESSAGE_MAX,
        .arena_max = 8 * 1024 * 1024,
        .deadline_max_ms = 60000,
    };
    assert_ok(rpc_server_start(&server, &service, 1, &fixture->server));
    snprintf(
        fixture->target, sizeof(fixture->target), "127.0.0.1:%d", rpc_server_port(fixture->server));
}

void blob_fixture_stop_server(struct blob_fixture *fixture)
{
    rpc_server_stop(fixture->server, 1000);
    rpc_server_free(TAKE(fixture->server));
    blob_store_free(TAKE(fixture->store));
}

void blob_fixture_start(struct blob_fixture *fixture)
{
    *fixture = (struct blob_fixture){.now_s = (uint64_t)clock_wall_s()};
    blob_authority_init(&fixture->authority, fixture->now_s);
    assert_ok(test_pki_new("c1", &fixture->pki));
    assert_ok(test_pki_issue(fixture->pki, "blobnode", "b1", NULL));
    snprintf(fixture->dir, sizeof(fixture->dir), "blob_fixture_XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    blob_fixture_start_server(fixture);
    BUFFER(keyset, KEYSET_SIZE_MAX);
    struct id16 uuid;
    blob_authority_keyset(&fixture->authority, &blob_fixture_account, 7, fixture->now_s, &keyset);
    assert_ok(blob_store_format(
        fixture->store, &blob_fixture_account, buffer_bytes(&keyset), fixture->now_s, &uuid));
}

void blob_fixture_stop(struct blob_fixture *fixture)
{
    blob_fixture_stop_server(fixture);
    test_pki_free(fixture->pki);
    blob_authority_done(&fixture->authority);
}

/* ---------------------------------------------------------------- callers */

static struct status give_token(
    void *context, const struct id16 *account, enum token_perm perm, uint8_t ret_token[TOKEN_SIZE])
{
    struct blob_caller *caller = context;
    if (caller->has_no_tokens) {
        return FAIL(UNAVAILABLE, "no token in the wallet");
    }
    blob_fixture_token(caller, account, perm, ret_token);
    return OK;
}

static void note_version(void *context, const struct id16 *account, uint64_t version)
{
    struct blob_caller *caller = context;
    assert_true(id16_equal(account, &blob_fixture_account));
    caller->seen_version = version;
}

void blob_fixture_call_as(
    struct blob_fixture *fixture, const char *role, const char *id, struct blob_caller *caller)
{
    assert_ok(test_pki_issue(fixture->pki, role, id, NULL));
    *caller = (struct blob_caller){.fixture = fixture, .token_life_s = 1000};
    struct rpc_client_options options = {
        .tls = test_pki_files(fixture->pki, role, id),
        .message_max = BLOB_MESSAGE_MAX,
        .arena_max = BLOB_ARENA_MAX,
    };
    assert_ok(rpc_client_start(&options, &caller->rpc_client));
    rpc_client_cert_sha256(caller->rpc_client, caller->cert_sha256);
    assert_ok(rpc_channel_open(
        caller->rpc_client, fixture->target, "b1.blobnode.test", RPC_ROLE_BLOBNODE,
        &caller->channel));
    struct blob_client_options client = {
        .token = give_token, .on_keyset_version = note_version, .context = caller};
    assert_ok(blob_client_new(caller->rpc_client, &client, &caller->client));
    struct blob_account_row row = {
        .account = blob_fixture_account,
        .number = BLOB_FIXTURE_NUMBER,
        .node_id = "b1",
        .address = fixture->target,
        .tls_name = "b1.blobnode.test",
    };
    assert_ok(blob_client_set_accounts(caller->client, &row, 1));
}

void blob_fixture_hang_up(struct blob_caller *caller)
{
    blob_client_free(caller->client);
    rpc_channel_free(caller->channel);
    rpc_client_free(caller->rpc_client);
}

void blob_fixture_token(
    struct blob_caller *caller, const struct id16 *account, enum token_perm perm,
    uint8_t ret_token[TOKEN_SIZE])
{
    struct blob_fixture *fixture = caller->fixture;
    bool is_expired = caller->token_life_s < 0;
    uint64_t start_s = is_expired ? fixture->now_s - 5000 : fixture->now_s;
    uint64_t life_s = is_expired ? 1000 : (uint64_t)caller->token_life_s;
    blob_authority_token(
        &fixture->authority, account, perm, caller->cert_sha256, start_s, life_s, ret_token);
}

struct status blob_fixture_call(
    struct blob_caller *caller, const char *method, const ProtobufCMessage *message,
    struct bytes token, struct rpc_payload payload, struct rpc_reply **ret_reply)
{
    struct rpc_request request = {
        .service = &triad__blob__blob__descriptor,
        .method = method,
        .message = message,
        .capability = token,
        .payload = payload,
        .deadline_ms = clock_monotonic_ms() + BLOB_FIXTURE_WAIT_MS,
        .wait_for_ready = true,
    };
    struct rpc_reply *reply = NULL;
    struct status status = rpc_call_wait(caller->channel, &request, &reply);
    if (ret_reply != NULL) {
        *ret_reply = reply;
    } else {
        rpc_reply_free(reply);
    }
    return status;
}

/* ---------------------------------------------------------------- waiting */

struct wait {
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool is_done;
    struct status status;
    enum blob_outcome outcome;
    struct buffer *text;
};

static void wake(struct wait *wait, struct status status, enum blob_outcome outcome)
{
    LOCKED(&wait->mutex);
    wait->status = status;
    wait->outcome = outcome;
    wait->is_done = true;
    pthread_cond_signal(&wait->ended);
}

static void put_done(void *arg, struct status status, enum blob_outcome outcome)
{
    wake(arg, status, outcome);
}

static void get_done(void *arg, struct status status, const struct rpc_pieces *pieces)
{
    struct wait *wait = arg;
    assert_true(status_ok(status) == (pieces != NULL));
    if (pieces != NULL && pieces->size > 0) {
        uint8_t *to = buffer_extend(wait->text, pieces->size);
        assert_non_null(to);
        rpc_pieces_copy(pieces, 0, to, pieces->size);
    }
    wake(wait, status, BLOB_NONE);
}

static void wait_until_done(struct wait *wait)
{
    LOCKED(&wait->mutex);
    while (!wait->is_done) {
        pthread_cond_wait(&wait->ended, &wait->mutex);
    }
}

struct status blob_fixture_put(
    struct blob_caller *caller, const struct id16 *id, struct bytes bytes,
    enum blob_outcome *ret_outcome)
{
    struct wait wait = {.mutex = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};
    struct rpc_slice slice = {.bytes = bytes};
    blob_client_put(
        caller->client, BLOB_FIXTURE_NUMBER, id, &slice, 1,
        clock_monotonic_ms() + BLOB_FIXTURE_WAIT_MS, put_done, &wait);
    wait_until_done(&wait);
    *ret_outcome = wait.outcome;
    return wait.status;
}

struct status blob_fixture_get(
    struct blob_caller *caller, const struct id16 *id, uint32_t offset, uint32_t size,
    struct buffer *text)
{
    struct wait wait = {
        .mutex = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER, .text = text};
    blob_client_get(
        caller->client, BLOB_FIXTURE_NUMBER, id, offset, size,
        clock_monotonic_ms() + BLOB_FIXTURE_WAIT_MS, get_done, &wait);
    wait_until_done(&wait);
    return wait.status;
}
