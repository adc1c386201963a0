/* The Keys service: who may have which token, keyset, account key or shard; and what a restart,
 * another instance or a stolen certificate changes. */

#include "keystore/key_wallet.h"
#include "keystore/recovery_code.h"
#include "keystore/seal.h"
#include "lib/base/clock.h"
#include "tests/unit/keystore/key_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct key_fixture fixture;
static struct key_peer operator_peer;
static struct key_peer frontend;
static struct key_peer steward;
static struct key_peer contentdb;

static const struct id16 account = {{0xa1, 2, 3}};

static int setup(void **state)
{
    (void)state;
    key_fixture_start(&fixture);
    key_fixture_connect(&fixture, "operator", "root", &operator_peer);
    key_fixture_connect(&fixture, "frontend", "f1", &frontend);
    key_fixture_connect(&fixture, "steward", "s1", &steward);
    key_fixture_connect(&fixture, "contentdb", "d1", &contentdb);
    key_fixture_register(&fixture, &operator_peer, "frontend", "f1");
    key_fixture_register(&fixture, &operator_peer, "steward", "s1");
    key_fixture_register(&fixture, &operator_peer, "contentdb", "d1");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    key_fixture_disconnect(&contentdb);
    key_fixture_disconnect(&steward);
    key_fixture_disconnect(&frontend);
    key_fixture_disconnect(&operator_peer);
    key_fixture_stop(&fixture);
    return 0;
}

static int64_t soon(void)
{
    return clock_monotonic_ms() + 10000;
}

/* Calls of key_client do not wait for the connection: make sure that it stands. */
static void wait_up(struct key_peer *peer)
{
    struct rpc_reply *reply = NULL;
    Triad__Key__StatusRequest request = TRIAD__KEY__STATUS_REQUEST__INIT;
    struct status status = key_fixture_keys(peer, "Status", &request, &reply);

    if (status_ok(status)) {
        rpc_reply_free(reply);
    }
    assert_true(status_ok(status) || status.code == STATUS_DENIED);
}

static struct status create_account(const struct id16 *id, struct rpc_reply **ret_reply)
{
    Triad__Key__CreateAccountRequest request = TRIAD__KEY__CREATE_ACCOUNT_REQUEST__INIT;
    struct id16 copy = *id;

    request.account = (ProtobufCBinaryData){.len = ID16_SIZE, .data = copy.bytes};
    return key_fixture_keys(&operator_peer, "CreateAccount", &request, ret_reply);
}

static void no_account_before_the_delegation(void **state)
{
    struct rpc_reply *reply = NULL;

    (void)state;
    assert_status(create_account(&account, &reply), STATUS_UNAVAILABLE);
    key_fixture_delegate(&fixture, &operator_peer);
    assert_ok(create_account(&account, &reply));
    rpc_reply_free(reply);
}

static void a_delegation_of_another_key_is_refused(void **state)
{
    Triad__Key__KeysetDelegateRequest give = TRIAD__KEY__KEYSET_DELEGATE_REQUEST__INIT;
    struct rpc_reply *reply = NULL;
    BUFFER(delegation, 4096);
    uint64_t now_s = (uint64_t)clock_wall_s();

    (void)state;
    assert_ok(delegation_sign(
        SIGNATURE_ED25519, fixture.keyset_root, SIGNATURE_ED25519,
        buffer_bytes(&fixture.keyset_root_spki), now_s - 60, now_s + 86400, &delegation));
    give.delegation = (ProtobufCBinaryData){.len = delegation.size, .data = delegation.data};
    assert_status(
        key_fixture_keys(&operator_peer, "KeysetDelegate", &give, &reply), STATUS_INVALID);
}

/* The keyset of account, verified against the pinned root. */
static struct keyset *open_keyset(struct bytes encoded)
{
    struct keyset *keyset = NULL;

    assert_ok(keyset_open(
        encoded, SIGNATURE_ED25519, buffer_bytes(&fixture.keyset_root_spki), &account,
        (uint64_t)clock_wall_s(), &keyset));
    return keyset;
}

static struct keyset *current_keyset(void)
{
    struct rpc_reply *reply = NULL;

    assert_ok(create_account(&account, &reply));
    const Triad__Key__CreateAccountReply *answer = (const void *)reply->message;
    struct keyset *keyset = open_keyset(bytes_of(answer->keyset.data, answer->keyset.len));
    rpc_reply_free(reply);
    return keyset;
}

static void creating_an_account_again_changes_nothing(void **state)
{
    struct keyset *first = current_keyset();
    struct keyset *second = current_keyset();

    (void)state;
    assert_int_equal(keyset_content(first)->keys_count, KEYSET_PERMS);
    assert_int_equal(keyset_content(first)->version, keyset_content(second)->version);
    keyset_free(first);
    keyset_free(second);
}

static void a_frontend_gets_read_and_write_tokens_only(void **state)
{
    static const enum token_perm perms[] = {
        TOKEN_READ, TOKEN_WRITE, TOKEN_DELETE, TOKEN_ENUMERATE, TOKEN_SCRUB};
    struct key_token_wanted wanted[7];
    struct key_token tokens[7];
    struct keyset *keyset = current_keyset();
    uint8_t cert[32];

    (void)state;
    wait_up(&frontend);
    for (size_t i = 0; i < 5; i++) {
        wanted[i] = (struct key_token_wanted){account, perms[i]};
    }
    wanted[5] = (struct key_token_wanted){account, (enum token_perm)(TOKEN_READ | TOKEN_WRITE)};
    wanted[6] = (struct key_token_wanted){{{9}}, TOKEN_READ};
    assert_ok(key_client_issue_tokens(frontend.client, wanted, 7, soon(), tokens));
    assert_true(tokens[0].is_issued);
    assert_true(tokens[1].is_issued);
    for (size_t i = 2; i < 7; i++) {
        assert_false(tokens[i].is_issued);
    }
    rpc_client_cert_sha256(frontend.rpc, cert);
    struct token token;
    assert_ok(token_decode(BYTES_ARRAY(tokens[0].token), &token));
    assert_ok(token_verify(&token, BYTES_ARRAY(tokens[0].token), keyset, cert, 3600));
    assert_ok(token_check(&token, keyset, TOKEN_READ, &account, (uint64_t)clock_wall_s()));
    cert[0] ^= 1;
    assert_status(
        token_verify(&token, BYTES_ARRAY(tokens[0].token), keyset, cert, 3600), STATUS_DENIED);
    keyset_free(keyset);
}

static void the_steward_gets_every_kind(void **state)
{
    struct key_token_wanted wanted[5];
    struct key_token tokens[5];

    (void)state;
    wait_up(&steward);
    for (size_t i = 0; i < 5; i++) {
        wanted[i] = (struct key_token_wanted){account, (enum token_perm)(1U << i)};
    }
    assert_ok(key_client_issue_tokens(steward.client, wanted, 5, soon(), tokens));
    for (size_t i = 0; i < 5; i++) {
        assert_true(tokens[i].is_issued);
    }
}

static void roles_are_held_to_their_methods(void **state)
{
    struct key_token_wanted wanted = {account, TOKEN_READ};
    struct key_token token;
    struct id16 id = {{1}};
    struct key_shard *shard = NULL;
    struct rpc_reply *reply = NULL;
    Triad__Key__CertListRequest list = TRIAD__KEY__CERT_LIST_REQUEST__INIT;
    Triad__Key__ListTenantsRequest tenants = TRIAD__KEY__LIST_TENANTS_REQUEST__INIT;

    (void)state;
    wait_up(&contentdb);
    wait_up(&frontend);
    assert_status(
        key_client_issue_tokens(contentdb.client, &wanted, 1, soon(), &token), STATUS_DENIED);
    assert_status(
        key_client_open_shard(frontend.client, 0, &id, NULL, 0, &id, soon(), &shard),
        STATUS_DENIED);
    assert_status(key_fixture_keys(&frontend, "CertList", &list, &reply), STATUS_DENIED);
    assert_status(key_fixture_identity(&steward, "ListTenants", &tenants, &reply), STATUS_DENIED);
}

/* ---- shards ---- */

static char recovery_text[64];

static void create_shard(uint32_t number, char *ret_code)
{
    struct rpc_reply *reply = NULL;
    Triad__Key__CreateShardRequest request;

    triad__key__create_shard_request__init(&request);
    request.shard = number;
    assert_ok(key_fixture_keys(&operator_peer, "CreateShard", &request, &reply));
    snprintf(
        ret_code, 64, "%s", ((const Triad__Key__CreateShardReply *)reply->message)->recovery_code);
    rpc_reply_free(reply);
}

static const struct id16 db = {{0xdb, 1}};
static const struct id16 first_instance = {{1, 1}};
static const struct id16 second_instance = {{2, 2}};

static void a_shard_opens_with_rising_fences_and_the_same_key(void **state)
{
    struct key_shard *first = NULL;
    struct key_shard *second = NULL;
    char again[64];

    (void)state;
    wait_up(&contentdb);
    assert_status(
        key_client_open_shard(contentdb.client, 5, &db, NULL, 0, &first_instance, soon(), &first),
        STATUS_NOT_FOUND);
    create_shard(0, recovery_text);
    assert_int_equal(strlen(recovery_text), RECOVERY_TEXT_SIZE);
    create_shard(0, again);
    assert_string_equal(again, "");
    assert_ok(
        key_client_open_shard(contentdb.client, 0, &db, NULL, 0, &first_instance, soon(), &first));
    assert_int_equal(first->fence, 1);
    assert_int_equal(first->deks_count, 1);
    assert_int_equal(first->anchor.seq, 0);
    assert_int_equal(first->grants->count, 2);
    struct key_shard_wrapped kept = first->deks[0].wrapped;
    assert_ok(key_client_open_shard(
        contentdb.client, 0, &db, &kept, 1, &first_instance, soon(), &second));
    assert_int_equal(second->fence, 2);
    assert_true(secret_equal(secret_bytes(first->deks[0].key), secret_bytes(second->deks[0].key)));
    struct secret *recovered = NULL;
    assert_ok(recovery_code_open(
        bytes_text(recovery_text), bytes_of(kept.recovery, kept.recovery_size), &recovered));
    assert_true(secret_equal(secret_bytes(recovered), secret_bytes(first->deks[0].key)));
    secret_free(recovered);
    key_shard_free(first);
    key_shard_free(second);
}

static void an_anchor_is_compare_and_set(void **state)
{
    struct key_shard_anchor anchor = {.fence = 2, .seq = 10, .chain_tag = {7}};
    struct key_grant_keys *grants = NULL;

    (void)state;
    assert_ok(key_client_anchor(contentdb.client, 0, &first_instance, &anchor, soon(), &grants));
    assert_int_equal(grants->count, 2);
    key_grant_keys_free(grants);
    assert_ok(key_client_anchor(contentdb.client, 0, &first_instance, &anchor, soon(), &grants));
    key_grant_keys_free(grants);
    anchor.seq = 9;
    assert_status(
        key_client_anchor(contentdb.client, 0, &first_instance, &anchor, soon(), &grants),
        STATUS_STALE);
    anchor.seq = 11;
    anchor.fence = 3; /* Not given yet. */
    assert_status(
        key_client_anchor(contentdb.client, 0, &first_instance, &anchor, soon(), &grants),
        STATUS_STALE);
    anchor.fence = 2;
    assert_status(
        key_client_anchor(contentdb.client, 0, &second_instance, &anchor, soon(), &grants),
        STATUS_STALE);
}

static void another_instance_is_busy_until_the_first_is_silent(void **state)
{
    struct key_shard *opened = NULL;
    struct key_grant_keys *grants = NULL;
    struct key_shard_anchor anchor = {.fence = 2, .seq = 11, .chain_tag = {8}};

    (void)state;
    assert_ok(key_client_anchor(contentdb.client, 0, &first_instance, &anchor, soon(), &grants));
    key_grant_keys_free(grants);
    assert_status(
        key_client_open_shard(contentdb.client, 0, &db, NULL, 0, &second_instance, soon(), &opened),
        STATUS_BUSY);
    /* No DEKs for a shard that has data: a wrong or empty directory. */
    assert_status(
        key_client_open_shard(contentdb.client, 0, &db, NULL, 0, &first_instance, soon(), &opened),
        STATUS_CORRUPT);
    struct key_shard_wrapped junk = {.version = 1, .wrapped_size = 40};
    assert_status(
        key_client_open_shard(contentdb.client, 0, &db, &junk, 1, &first_instance, soon(), &opened),
        STATUS_CORRUPT);
    /* A restarted key store counts the shard as anchored at its start. */
    key_fixture_disconnect(&contentdb);
    key_fixture_disconnect(&steward);
    key_fixture_disconnect(&frontend);
    key_fixture_disconnect(&operator_peer);
    key_fixture_restart(&fixture);
    key_fixture_connect(&fixture, "operator", "root", &operator_peer);
    key_fixture_connect(&fixture, "frontend", "f1", &frontend);
    key_fixture_connect(&fixture, "steward", "s1", &steward);
    key_fixture_connect(&fixture, "contentdb", "d1", &contentdb);
    key_fixture_register(&fixture, &operator_peer, "contentdb", "d1");
    key_fixture_register(&fixture, &operator_peer, "frontend", "f1");
    key_fixture_register(&fixture, &operator_peer, "steward", "s1");
    wait_up(&contentdb);
    assert_status(
        key_client_open_shard(contentdb.client, 0, &db, NULL, 0, &second_instance, soon(), &opened),
        STATUS_BUSY);
}

static void a_shard_changes_hands_after_three_seconds(void **state)
{
    struct key_shard *first = NULL;
    struct key_shard *second = NULL;
    struct key_grant_keys *grants = NULL;
    char code[64];

    (void)state;
    create_shard(1, code);
    assert_ok(
        key_client_open_shard(contentdb.client, 1, &db, NULL, 0, &first_instance, soon(), &first));
    struct key_shard_wrapped kept = first->deks[0].wrapped;
    assert_status(
        key_client_open_shard(
            contentdb.client, 1, &db, &kept, 1, &second_instance, soon(), &second),
        STATUS_BUSY);
    clock_sleep_ms(3100);
    struct id16 other_db = {{0xdc}};
    assert_status(
        key_client_open_shard(
            contentdb.client, 1, &other_db, &kept, 1, &second_instance, soon(), &second),
        STATUS_CORRUPT);
    assert_ok(key_client_open_shard(
        contentdb.client, 1, &db, &kept, 1, &second_instance, soon(), &second));
    assert_int_equal(second->fence, 2);
    struct key_shard_anchor anchor = {.fence = 1, .seq = 5};
    assert_status(
        key_client_anchor(contentdb.client, 1, &first_instance, &anchor, soon(), &grants),
        STATUS_STALE);
    key_shard_free(first);
    key_shard_free(second);
}

/* ---- registry ---- */

static void removing_a_certificate_revokes_at_once(void **state)
{
    struct key_peer peer;
    struct rpc_reply *reply = NULL;
    struct key_token_wanted wanted = {account, TOKEN_READ};
    struct key_token token;
    Triad__Key__CertRemoveRequest request;

    (void)state;
    key_fixture_connect(&fixture, "frontend", "gone", &peer);
    key_fixture_register(&fixture, &operator_peer, "frontend", "gone");
    wait_up(&peer);
    assert_ok(key_client_issue_tokens(peer.client, &wanted, 1, soon(), &token));
    triad__key__cert_remove_request__init(&request);
    request.uri = strdup("triad://test/frontend/gone");
    assert_ok(key_fixture_keys(&operator_peer, "CertRemove", &request, &reply));
    assert_int_equal(((const Triad__Key__CertRemoveReply *)reply->message)->removed, 1);
    rpc_reply_free(reply);
    free(request.uri);
    assert_status(key_client_issue_tokens(peer.client, &wanted, 1, soon(), &token), STATUS_DENIED);
    key_fixture_disconnect(&peer);
}

static void a_certificate_registers_one_successor_of_its_own_name(void **state)
{
    struct key_peer old;
    struct key_peer successor;
    struct buffer pem;
    struct buffer foreign;
    struct key_token_wanted wanted = {account, TOKEN_READ};
    struct key_token token;

    (void)state;
    key_fixture_connect(&fixture, "frontend", "renews", &old);
    key_fixture_register(&fixture, &operator_peer, "frontend", "renews");
    wait_up(&old);
    key_fixture_pem(&fixture, "frontend", "f1", &foreign);
    assert_status(
        key_client_renew_certificate(old.client, buffer_bytes(&foreign), soon()), STATUS_DENIED);
    assert_ok(test_pki_issue(fixture.pki, "frontend", "renews", NULL));
    key_fixture_pem(&fixture, "frontend", "renews", &pem);
    assert_ok(key_client_renew_certificate(old.client, buffer_bytes(&pem), soon()));
    assert_ok(key_client_renew_certificate(old.client, buffer_bytes(&pem), soon()));
    struct rpc_client_options options = {
        .tls = test_pki_files(fixture.pki, "frontend", "renews"),
        .message_max = 1 << 20,
        .arena_max = 1 << 20,
    };
    assert_ok(rpc_client_start(&options, &successor.rpc));
    assert_ok(
        key_client_new(successor.rpc, fixture.target, "k1.keystore.test", NULL, &successor.client));
    wait_up(&successor);
    assert_ok(key_client_issue_tokens(successor.client, &wanted, 1, soon(), &token));
    assert_ok(key_client_issue_tokens(old.client, &wanted, 1, soon(), &token));
    buffer_done(&pem);
    buffer_done(&foreign);
    assert_ok(test_pki_issue(fixture.pki, "frontend", "renews", NULL));
    key_fixture_pem(&fixture, "frontend", "renews", &pem);
    assert_status(
        key_client_renew_certificate(old.client, buffer_bytes(&pem), soon()), STATUS_DENIED);
    buffer_done(&pem);
    key_fixture_disconnect(&successor);
    key_fixture_disconnect(&old);
}

/* ---- the wallet ---- */

static void a_wallet_fills_itself_and_keeps_keys_for_ever(void **state)
{
    struct key_wallet *wallet = NULL;
    struct key_wallet_options options = {
        .rpc = frontend.rpc,
        .client = frontend.client,
        .perms = TOKEN_READ | TOKEN_WRITE,
        .keyset_interval_ms = 500,
    };
    uint8_t token[TOKEN_SIZE];
    uint64_t version = 0;
    uint32_t integrity = 0;
    BUFFER(encoded, KEYSET_SIZE_MAX);

    (void)state;
    wait_up(&frontend);
    assert_ok(key_wallet_start(&options, &wallet));
    assert_status(key_wallet_token(wallet, &account, TOKEN_READ, token), STATUS_UNAVAILABLE);
    assert_ok(key_wallet_set_accounts(wallet, &account, 1));
    assert_ok(key_wallet_wait_ready(wallet, soon()));
    assert_ok(key_wallet_token(wallet, &account, TOKEN_READ, token));
    assert_ok(key_wallet_token(wallet, &account, TOKEN_WRITE, token));
    assert_status(key_wallet_token(wallet, &account, TOKEN_DELETE, token), STATUS_UNAVAILABLE);
    assert_ok(key_wallet_keyset(wallet, &account, &encoded, &version));
    struct keyset *keyset = open_keyset(buffer_bytes(&encoded));
    assert_int_equal(keyset_content(keyset)->version, version);
    keyset_free(keyset);
    const struct secret *id_key = key_wallet_id_key(wallet, &account);
    assert_non_null(id_key);
    assert_non_null(key_wallet_integrity_key(wallet, 0, &integrity));
    assert_int_equal(integrity, 1);
    assert_null(key_wallet_integrity_key(wallet, 2, NULL));
    assert_ok(key_wallet_set_accounts(wallet, NULL, 0));
    assert_status(key_wallet_token(wallet, &account, TOKEN_READ, token), STATUS_UNAVAILABLE);
    assert_ptr_equal(key_wallet_id_key(wallet, &account), id_key);
    key_wallet_free(wallet);
}

/* ---- sealing ---- */

static void the_wrong_key_file_opens_nothing(void **state)
{
    struct secret *wrong = NULL;
    struct key_service *service = NULL;

    (void)state;
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &wrong));
    struct key_service_options options = {
        .data_dir = fixture.data_dir, .cluster = "test", .s3_domain = "", .slot_key = wrong};
    assert_status(key_service_open(&options, &service), STATUS_BUSY); /* It is being served. */
    rpc_server_stop(fixture.server, 1000);
    key_service_free(fixture.service);
    assert_status(key_service_open(&options, &service), STATUS_DENIED);
    secret_free(wrong);
    rpc_server_free(fixture.server);
    assert_ok(seal_read_key_file(fixture.key_file, false, &wrong));
    assert_status(key_service_init(fixture.data_dir, wrong), STATUS_EXISTS);
    options.slot_key = wrong;
    assert_ok(key_service_open(&options, &fixture.service));
    secret_free(wrong);
    struct rpc_service services[KEY_SERVICE_COUNT];
    struct rpc_server_options server = {
        .address = "127.0.0.1:0",
        .tls = test_pki_files(fixture.pki, "keystore", "k1"),
        .workers = 1,
        .queue_max = 4,
        .message_max = 1 << 20,
        .arena_max = 1 << 20,
        .deadline_max_ms = 1000,
    };
    key_service_tables(fixture.service, services);
    assert_ok(rpc_server_start(&server, services, KEY_SERVICE_COUNT, &fixture.server));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_account_before_the_delegation),
        cmocka_unit_test(a_delegation_of_another_key_is_refused),
        cmocka_unit_test(creating_an_account_again_changes_nothing),
        cmocka_unit_test(a_frontend_gets_read_and_write_tokens_only),
        cmocka_unit_test(the_steward_gets_every_kind),
        cmocka_unit_test(roles_are_held_to_their_methods),
        cmocka_unit_test(a_shard_opens_with_rising_fences_and_the_same_key),
        cmocka_unit_test(an_anchor_is_compare_and_set),
        cmocka_unit_test(another_instance_is_busy_until_the_first_is_silent),
        cmocka_unit_test(a_shard_changes_hands_after_three_seconds),
        cmocka_unit_test(removing_a_certificate_revokes_at_once),
        cmocka_unit_test(a_certificate_registers_one_successor_of_its_own_name),
        cmocka_unit_test(a_wallet_fills_itself_and_keeps_keys_for_ever),
        cmocka_unit_test(the_wrong_key_file_opens_nothing),
    };
    return cmocka_run_group_tests_name("keys_service", tests, setup, teardown);
}
