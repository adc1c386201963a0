#include "tests/unit/keystore/key_fixture.h"

#include "keystore/seal.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/crypto/digest.h"
#include "lib/s3/s3_time.h"
#include "lib/s3/sigv4.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_MS = 10000 };

static void serve(struct key_fixture *fixture)
{
    struct secret *slot_key = NULL;
    struct rpc_service services[KEY_SERVICE_COUNT];

    assert_ok(seal_read_key_file(fixture->key_file, false, &slot_key));
    struct key_service_options options = {
        .data_dir = fixture->data_dir,
        .cluster = "test",
        .s3_domain = "",
        .slot_key = slot_key,
        .clock_skew_s = 900,
        .token_life_s = 3600,
        .grant_life_s = 300,
        .handle_life_s = 86400,
        .authorize_rate_max = fixture->rate_max,
        .cache_entries = 256,
    };
    assert_ok(key_service_open(&options, &fixture->service));
    secret_free(slot_key);
    struct rpc_server_options server = {
        .address = "127.0.0.1:0",
        .tls = test_pki_files(fixture->pki, "keystore", "k1"),
        .workers = 4,
        .queue_max = 64,
        .message_max = 2 * 1024 * 1024,
        .arena_max = 16 * 1024 * 1024,
        .deadline_max_ms = 30000,
        .admit = key_service_admit,
        .admit_context = fixture->service,
    };
    key_service_tables(fixture->service, services);
    assert_ok(rpc_server_start(&server, services, KEY_SERVICE_COUNT, &fixture->server));
    snprintf(
        fixture->target, sizeof(fixture->target), "127.0.0.1:%d", rpc_server_port(fixture->server));
}

static void unserve(struct key_fixture *fixture)
{
    rpc_server_stop(fixture->server, 2000);
    rpc_server_free(fixture->server);
    key_service_free(fixture->service);
    fixture->server = NULL;
    fixture->service = NULL;
}

void key_fixture_start(struct key_fixture *fixture)
{
    struct secret *slot_key = NULL;

    *fixture = (struct key_fixture){.root = "/tmp/keystore_test_XXXXXX"};
    assert_non_null(mkdtemp(fixture->root));
    snprintf(fixture->data_dir, sizeof(fixture->data_dir), "%s/data", fixture->root);
    snprintf(fixture->key_file, sizeof(fixture->key_file), "%s/unseal.key", fixture->root);
    assert_ok(test_pki_new("test", &fixture->pki));
    assert_ok(test_pki_issue(fixture->pki, "keystore", "k1", NULL));
    assert_ok(seal_read_key_file(fixture->key_file, true, &slot_key));
    assert_ok(key_service_init(fixture->data_dir, slot_key));
    secret_free(slot_key);
    buffer_init(&fixture->keyset_root_spki, 256);
    assert_ok(
        signature_generate(SIGNATURE_ED25519, &fixture->keyset_root, &fixture->keyset_root_spki));
    serve(fixture);
}

void key_fixture_restart(struct key_fixture *fixture)
{
    unserve(fixture);
    serve(fixture);
}

void key_fixture_stop(struct key_fixture *fixture)
{
    char command[128];

    unserve(fixture);
    test_pki_free(fixture->pki);
    secret_free(fixture->keyset_root);
    buffer_done(&fixture->keyset_root_spki);
    snprintf(command, sizeof(command), "rm -rf %s", fixture->root);
    assert_int_equal(system(command), 0);
}

void key_fixture_connect(
    struct key_fixture *fixture, const char *role, const char *id, struct key_peer *ret_peer)
{
    assert_ok(test_pki_issue(fixture->pki, role, id, NULL));
    struct rpc_client_options options = {
        .tls = test_pki_files(fixture->pki, role, id),
        .message_max = 4 * 1024 * 1024,
        .arena_max = 16 * 1024 * 1024,
    };
    assert_ok(rpc_client_start(&options, &ret_peer->rpc));
    assert_ok(key_client_new(
        ret_peer->rpc, fixture->target, "k1.keystore.test", NULL, &ret_peer->client));
}

void key_fixture_disconnect(struct key_peer *peer)
{
    key_client_free(peer->client);
    rpc_client_free(peer->rpc);
    *peer = (struct key_peer){.rpc = NULL};
}

static struct status call(
    struct key_peer *peer, const ProtobufCServiceDescriptor *service, const char *method,
    void *message, struct rpc_reply **ret_reply)
{
    struct rpc_request request = {
        .service = service,
        .method = method,
        .message = message,
        .deadline_ms = clock_monotonic_ms() + CALL_MS,
        .wait_for_ready = true,
    };

    return rpc_call_wait(key_client_channel(peer->client), &request, ret_reply);
}

struct status key_fixture_identity(
    struct key_peer *peer, const char *method, void *message, struct rpc_reply **ret_reply)
{
    return call(peer, &triad__key__identity__descriptor, method, message, ret_reply);
}

struct status key_fixture_keys(
    struct key_peer *peer, const char *method, void *message, struct rpc_reply **ret_reply)
{
    return call(peer, &triad__key__keys__descriptor, method, message, ret_reply);
}

void key_fixture_pem(
    struct key_fixture *fixture, const char *role, const char *id, struct buffer *pem)
{
    buffer_init(pem, 64 * 1024);
    assert_ok(file_read(AT_FDCWD, test_pki_files(fixture->pki, role, id).cert_file, pem));
}

void key_fixture_register(
    struct key_fixture *fixture, struct key_peer *operator_peer, const char *role, const char *id)
{
    struct buffer pem;
    struct rpc_reply *reply = NULL;
    Triad__Key__CertAddRequest request = TRIAD__KEY__CERT_ADD_REQUEST__INIT;

    key_fixture_pem(fixture, role, id, &pem);
    request.certificate = (ProtobufCBinaryData){.len = pem.size, .data = pem.data};
    assert_ok(key_fixture_keys(operator_peer, "CertAdd", &request, &reply));
    rpc_reply_free(reply);
    buffer_done(&pem);
}

void key_fixture_delegate(struct key_fixture *fixture, struct key_peer *operator_peer)
{
    Triad__Key__KeysetRequestRequest ask = TRIAD__KEY__KEYSET_REQUEST_REQUEST__INIT;
    Triad__Key__KeysetDelegateRequest give = TRIAD__KEY__KEYSET_DELEGATE_REQUEST__INIT;
    struct rpc_reply *reply = NULL;
    BUFFER(delegation, 4096);
    uint64_t now_s = (uint64_t)clock_wall_s();

    assert_ok(key_fixture_keys(operator_peer, "KeysetRequest", &ask, &reply));
    const Triad__Key__KeysetRequestReply *key = (const void *)reply->message;
    assert_ok(delegation_sign(
        SIGNATURE_ED25519, fixture->keyset_root, (enum signature_alg)key->alg,
        bytes_of(key->spki.data, key->spki.len), now_s - 60, now_s + 86400, &delegation));
    rpc_reply_free(reply);
    give.delegation = (ProtobufCBinaryData){.len = delegation.size, .data = delegation.data};
    assert_ok(key_fixture_keys(operator_peer, "KeysetDelegate", &give, &reply));
    rpc_reply_free(reply);
}

void key_fixture_tenant(struct key_peer *operator_peer, const char *name, char *admin_key)
{
    Triad__Key__CreateTenantRequest request;
    struct rpc_reply *reply = NULL;

    triad__key__create_tenant_request__init(&request);
    request.name = strdup(name);
    assert_ok(key_fixture_identity(operator_peer, "CreateTenant", &request, &reply));
    free(request.name);
    const Triad__Key__CreateTenantReply *answer = (const void *)reply->message;
    assert_int_equal(strlen(answer->admin_key), 43);
    snprintf(admin_key, 64, "%s", answer->admin_key);
    rpc_reply_free(reply);
}

void key_fixture_user(
    struct key_peer *operator_peer, const char *tenant, const char *admin_key, const char *name,
    const char *action, const char *resource, struct key_user *ret_user)
{
    Triad__Key__CreateUserRequest request;
    Triad__Key__PolicyStatement statement;
    Triad__Key__PolicyStatement *list[] = {&statement};
    struct rpc_reply *reply = NULL;
    char *words[] = {action == NULL ? NULL : strdup(action)};

    triad__key__create_user_request__init(&request);
    triad__key__policy_statement__init(&statement);
    request.tenant = strdup(tenant);
    request.admin_key = strdup(admin_key);
    request.name = strdup(name);
    if (action != NULL) {
        statement.actions = words;
        statement.n_actions = 1;
        statement.resource = strdup(resource);
        request.policy = list;
        request.n_policy = 1;
    }
    assert_ok(key_fixture_identity(operator_peer, "CreateUser", &request, &reply));
    free(request.tenant);
    free(request.admin_key);
    free(request.name);
    free(words[0]);
    if (action != NULL) {
        free(statement.resource);
    }
    const Triad__Key__CreateUserReply *answer = (const void *)reply->message;
    assert_int_equal(strlen(answer->access_key), 20);
    assert_int_equal(strlen(answer->secret_key), 40);
    snprintf(ret_user->access_key, sizeof(ret_user->access_key), "%s", answer->access_key);
    snprintf(ret_user->secret, sizeof(ret_user->secret), "%s", answer->secret_key);
    rpc_reply_free(reply);
}

static void presigned_query(
    const struct key_user *user, const struct key_sign *sign, const struct key_request *request,
    char *query, size_t size)
{
    snprintf(
        query, size,
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%s%%2F%.8s%%2Feu-west-1%%2Fs3%%2F"
        "aws4_request&X-Amz-Date=%s&X-Amz-Expires=%u&X-Amz-SignedHeaders=host",
        user->access_key, request->date, request->date, sign->expires_s);
}

static void
compose(const struct key_user *user, const struct key_sign *sign, struct key_request *request)
{
    static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    char query[1024] = "";
    char copy[1200] = "";
    int written = 0;

    if (sign->expires_s > 0) {
        presigned_query(user, sign, request, query, sizeof(query));
        written = snprintf(
            request->canonical, sizeof(request->canonical),
            "%s\n%s\n%s\nhost:s3.test\n\nhost\nUNSIGNED-PAYLOAD", sign->method, sign->path, query);
    }
    if (sign->expires_s == 0) {
        if (sign->copy_source != NULL) {
            snprintf(copy, sizeof(copy), "x-amz-copy-source:%s\n", sign->copy_source);
        }
        written = snprintf(
            request->canonical, sizeof(request->canonical),
            "%s\n%s\n%s\nhost:s3.test\nx-amz-content-sha256:%s\n%sx-amz-date:%s\n\n"
            "host;x-amz-content-sha256;%sx-amz-date\n%s",
            sign->method, sign->path, sign->query == NULL ? "" : sign->query, empty, copy,
            request->date, copy[0] == '\0' ? "" : "x-amz-copy-source;", empty);
    }
    assert_true(written > 0 && (size_t)written < sizeof(request->canonical));
}

void key_fixture_sign(
    const struct key_user *user, const struct key_sign *sign, struct key_request *ret_request)
{
    struct key_request *request = ret_request;
    struct secret *secret = NULL;
    struct secret *key = NULL;

    memset(request, 0, sizeof(*request));
    s3_time_format_amz(clock_wall_s() - sign->age_s, request->date);
    snprintf(
        request->scope, sizeof(request->scope), "%.8s/eu-west-1/s3/aws4_request", request->date);
    compose(user, sign, request);
    assert_ok(secret_new_copy(bytes_text(user->secret), &secret));
    assert_ok(sigv4_signing_key(
        secret, bytes_of(request->date, 8), bytes_text("eu-west-1"), bytes_text("s3"), &key));
    assert_ok(sigv4_sign(
        key, bytes_text(request->date), bytes_text(request->scope), bytes_text(request->canonical),
        request->item.signature));
    secret_free(secret);
    secret_free(key);
    request->item.canonical_request = bytes_text(request->canonical);
    request->item.date = bytes_text(request->date);
    request->item.scope = bytes_text(request->scope);
    request->item.access_key = bytes_text(user->access_key);
    request->item.presigned_expires_s = sign->expires_s;
}

enum key_verdict key_fixture_authorize(
    struct key_peer *peer, const struct key_request *request,
    struct key_authorize_result **ret_result)
{
    struct key_authorize_result *result = NULL;

    struct status status = {.code = STATUS_UNAVAILABLE};
    for (int tries = 0; tries < 50 && status.code == STATUS_UNAVAILABLE; tries++) {
        status = key_client_authorize(
            peer->client, &request->item, clock_monotonic_ms() + CALL_MS, &result);
        if (status.code == STATUS_UNAVAILABLE) {
            clock_sleep_ms(50); /* Connecting. */
        }
    }
    assert_ok(status);
    enum key_verdict verdict = result->verdict;
    if (ret_result != NULL) {
        *ret_result = result;
        return verdict;
    }
    key_authorize_result_free(result);
    return verdict;
}

struct id16
key_fixture_bucket(struct key_peer *frontend, const struct key_user *user, const char *name)
{
    struct key_request request;
    struct key_authorize_result *result = NULL;
    char path[128];

    snprintf(path, sizeof(path), "/%s", name);
    key_fixture_sign(user, &(struct key_sign){.method = "PUT", .path = path}, &request);
    request.item.operation = KEY_CREATE_BUCKET;
    assert_int_equal(key_fixture_authorize(frontend, &request, &result), KEY_ALLOWED);
    struct id16 bucket = result->bucket;
    assert_ok(key_client_activate_bucket(
        frontend->client, bytes_of(result->handle, result->handle_size), &bucket,
        clock_monotonic_ms() + CALL_MS));
    key_authorize_result_free(result);
    return bucket;
}

void key_fixture_record(
    const struct key_authorize_result *generated, const struct id16 *bucket, const char *key,
    uint16_t flags, const struct id16 *version, struct key_record *ret_record)
{
    struct version_record record = {
        .flags = flags,
        .tenant = generated->tenant,
        .bucket = *bucket,
        .version = *version,
        .data = generated->data,
        .content = content_of(0x500006, 7),
        .created_ms = 1700000000000,
        .size = (flags & VERSION_OPEN_UPLOAD) != 0 ? 0 : 5,
        .chunks = (flags & VERSION_OPEN_UPLOAD) != 0 ? 0 : 1,
    };

    if ((flags & VERSION_OPEN_UPLOAD) != 0) {
        memset(&record.content, 0, sizeof(record.content));
    }
    assert_ok(object_name_hash(bucket, bytes_text(key), record.name_hash));
    version_record_encode(&record, ret_record->record);
    assert_ok(version_record_mac(
        generated->object_key, &generated->data, BYTES_ARRAY(ret_record->record),
        ret_record->vmac));
    memcpy(ret_record->key_ref, generated->key_ref, generated->key_ref_size);
    ret_record->key_ref_size = generated->key_ref_size;
}

void key_fixture_open_item(
    struct key_request *request, const struct id16 *bucket, const struct key_record *record)
{
    request->item.operation = KEY_OPEN;
    request->item.has_bucket = true;
    request->item.bucket = *bucket;
    request->item.version_record = BYTES_ARRAY(record->record);
    request->item.vmac = BYTES_ARRAY(record->vmac);
    request->item.key_ref = bytes_of(record->key_ref, record->key_ref_size);
}
