/* Only mutual TLS 1.3 gets in, only the server that was meant is spoken to, and certificates are
 * renewed without a restart. */

#include "lib/rpc/rpc_tls.h"

#include "lib/base/clock.h"
#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_client_state.h"
#include "tests/unit/rpc/echo_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <openssl/ssl.h>

static struct echo echo;

static int setup(void **state)
{
    (void)state;
    echo_start(&echo, 2, 8);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    echo_stop(&echo);
    return 0;
}

/* What a plain OpenSSL client achieves: a byte read from the server after the handshake (its
 * HTTP/2 settings), since in 1.3 a refused client certificate shows only then. */
static bool tls_reaches(int version, const char *role, const char *id, uint8_t serial[32])
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_non_null(context);
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    if (role != NULL) {
        struct rpc_tls_files files = test_pki_files(echo.pki, role, id);
        assert_int_equal(SSL_CTX_use_certificate_chain_file(context, files.cert_file), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(context, files.key_file, SSL_FILETYPE_PEM), 1);
    }
    static const unsigned char protocols[] = {2, 'h', '2'};
    SSL_CTX_set_alpn_protos(context, protocols, sizeof(protocols));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)rpc_server_port(echo.server)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    struct timeval limit = {.tv_sec = 3};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    char byte;
    bool reached = SSL_connect(ssl) == 1 && SSL_write(ssl, preface, sizeof(preface) - 1) > 0 &&
                   SSL_read(ssl, &byte, 1) == 1;
    if (reached && serial != NULL) {
        X509 *leaf = SSL_get1_peer_certificate(ssl);
        assert_int_equal(X509_digest(leaf, EVP_sha256(), serial, NULL), 1);
        X509_free(leaf);
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    return reached;
}

static void only_tls_1_3_is_spoken(void **state)
{
    (void)state;
    assert_true(tls_reaches(TLS1_3_VERSION, "frontend", "f1", NULL));
    assert_false(tls_reaches(TLS1_2_VERSION, "frontend", "f1", NULL));
    assert_false(tls_reaches(TLS1_1_VERSION, "frontend", "f1", NULL));
}

static void a_client_certificate_is_required(void **state)
{
    (void)state;
    assert_false(tls_reaches(TLS1_3_VERSION, NULL, NULL, NULL));
}

static void a_certificate_of_another_root_is_refused(void **state)
{
    (void)state;
    OWNED(test_pki) struct test_pki *other = NULL;
    assert_ok(test_pki_new("c1", &other));
    assert_ok(test_pki_issue(other, "frontend", "f1", NULL));
    struct rpc_client_options options = {
        .tls = test_pki_files(other, "frontend", "f1"),
        .message_max = 1 << 20,
        .arena_max = 1 << 20,
    };
    /* It trusts our CAs, but we do not trust its own. */
    struct rpc_tls_files ours = test_pki_files(echo.pki, "frontend", "f1");
    options.tls.ca_file = ours.ca_file;
    struct rpc_client *client = NULL;
    struct rpc_channel *channel = NULL;
    assert_ok(rpc_client_start(&options, &client));
    assert_ok(
        rpc_channel_open(client, echo.target, "b1.blobnode.test", RPC_ROLE_BLOBNODE, &channel));
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    struct rpc_request request = echo_request("Say", &message);
    request.deadline_ms = clock_monotonic_ms() + 1000;
    request.wait_for_ready = false;
    struct rpc_reply *reply = NULL;
    assert_false(status_ok(rpc_call_wait(channel, &request, &reply)));
    assert_int_equal(atomic_load(&echo.handled), 0);
    rpc_channel_free(channel);
    rpc_client_free(client);
}

static enum status_code say_to(const char *tls_name, enum rpc_role role)
{
    struct rpc_channel *channel = NULL;
    assert_ok(rpc_channel_open(echo.client, echo.target, tls_name, role, &channel));
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    struct rpc_request request = echo_request("Say", &message);
    request.wait_for_ready = false;
    struct rpc_reply *reply = NULL;
    struct status status = rpc_call_wait(channel, &request, &reply);
    if (status_ok(status)) {
        rpc_reply_free(reply);
    }
    rpc_channel_free(channel);
    return status.code;
}

static void a_server_of_another_name_or_role_is_not_spoken_to(void **state)
{
    (void)state;
    assert_int_equal(say_to("b1.blobnode.test", RPC_ROLE_BLOBNODE), STATUS_OK);
    assert_int_equal(say_to("b2.blobnode.test", RPC_ROLE_BLOBNODE), STATUS_UNAVAILABLE);
    assert_int_equal(say_to("b1.blobnode.test", RPC_ROLE_KEYSTORE), STATUS_UNAVAILABLE);
    assert_int_equal(atomic_load(&echo.handled), 1);
}

static void a_renewed_server_certificate_is_used_at_the_next_handshake(void **state)
{
    (void)state;
    uint8_t old[32];
    uint8_t new[32];
    assert_true(tls_reaches(TLS1_3_VERSION, "frontend", "f1", old));
    assert_ok(echo_say(echo.channel, "before"));
    assert_ok(test_pki_issue(echo.pki, "blobnode", "b1", NULL));
    assert_true(tls_reaches(TLS1_3_VERSION, "frontend", "f1", new));
    assert_memory_not_equal(old, new, 32);
    assert_ok(echo_say(echo.channel, "the old connection lives"));
    assert_int_equal(say_to("b1.blobnode.test", RPC_ROLE_BLOBNODE), STATUS_OK);
}

/* A key that does not fit yet: the old pair serves on. */
static void a_renewal_half_done_changes_nothing(void **state)
{
    (void)state;
    uint8_t old[32];
    uint8_t again[32];
    assert_true(tls_reaches(TLS1_3_VERSION, "frontend", "f1", old));
    struct rpc_tls_files files = test_pki_files(echo.pki, "blobnode", "b1");
    FILE *file = fopen(files.key_file, "we");
    assert_non_null(file);
    fputs("-----BEGIN PRIVATE KEY-----\n", file);
    fclose(file);
    assert_true(tls_reaches(TLS1_3_VERSION, "frontend", "f1", again));
    assert_memory_equal(old, again, 32);
    assert_ok(test_pki_issue(echo.pki, "blobnode", "b1", NULL));
    assert_true(tls_reaches(TLS1_3_VERSION, "frontend", "f1", again));
    assert_memory_not_equal(old, again, 32);
}

static void the_material_is_given_once_for_each_change(void **state)
{
    (void)state;
    struct rpc_tls_files files = test_pki_files(echo.pki, "frontend", "f1");
    OWNED(rpc_tls) struct rpc_tls *tls = NULL;
    assert_ok(rpc_tls_new(&files, &tls));
    struct rpc_tls_material *material = NULL;
    assert_ok(rpc_tls_poll(tls, &material));
    assert_non_null(material);
    uint8_t own[32];
    rpc_client_cert_sha256(echo.client, own);
    assert_memory_equal(material->cert_sha256, own, 32);
    rpc_tls_material_free(material);
    assert_ok(rpc_tls_poll(tls, &material));
    assert_null(material);
    assert_ok(test_pki_issue(echo.pki, "frontend", "f1", NULL));
    assert_ok(rpc_tls_poll(tls, &material));
    assert_non_null(material);
    assert_memory_not_equal(material->cert_sha256, own, 32);
    rpc_tls_material_free(material);
}

static void note_end(void *arg, struct status status, struct rpc_reply *reply)
{
    atomic_store((atomic_int *)arg, status_ok(status) ? 1 : 2);
    rpc_reply_free(reply);
}

static void a_renewed_client_certificate_is_used_by_later_calls(void **state)
{
    (void)state;
    uint8_t old[32];
    uint8_t new[32];
    rpc_client_cert_sha256(echo.client, old);
    assert_ok(echo_say(echo.channel, "before"));
    Triad__Test__SayRequest message = TRIAD__TEST__SAY_REQUEST__INIT;
    message.sleep_ms = 300;
    struct rpc_request request = echo_request("Say", &message);
    atomic_int ended = 0;
    rpc_start(echo.channel, &request, note_end, &ended);

    rpc_client_renew(echo.client); /* Nothing changed. */
    rpc_client_cert_sha256(echo.client, new);
    assert_memory_equal(old, new, 32);
    assert_ok(test_pki_issue(echo.pki, "frontend", "f1", NULL));
    rpc_client_renew(echo.client);
    rpc_client_cert_sha256(echo.client, new);
    assert_memory_not_equal(old, new, 32);
    assert_ok(echo_say(echo.channel, "after"));
    for (int i = 0; i < 500 && atomic_load(&ended) == 0; i++) {
        clock_sleep_ms(10);
    }
    assert_int_equal(atomic_load(&ended), 1); /* The call under way was not disturbed. */
}

static void files_that_are_missing_or_misfit_are_refused(void **state)
{
    (void)state;
    assert_ok(test_pki_issue(echo.pki, "frontend", "f2", NULL));
    struct rpc_tls_files one = test_pki_files(echo.pki, "frontend", "f1");
    struct rpc_tls_files other = test_pki_files(echo.pki, "frontend", "f2");
    struct rpc_client *client = NULL;
    struct rpc_client_options options = {.tls = one, .message_max = 1024, .arena_max = 1024};
    options.tls.key_file = other.key_file;
    assert_status(rpc_client_start(&options, &client), STATUS_INVALID);
    options.tls.key_file = "/nonexistent";
    assert_status(rpc_client_start(&options, &client), STATUS_NOT_FOUND);
    assert_null(client);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to what the server closed. */
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(only_tls_1_3_is_spoken),
        TEST(a_client_certificate_is_required),
        TEST(a_certificate_of_another_root_is_refused),
        TEST(a_server_of_another_name_or_role_is_not_spoken_to),
        TEST(a_renewed_server_certificate_is_used_at_the_next_handshake),
        TEST(a_renewal_half_done_changes_nothing),
        TEST(the_material_is_given_once_for_each_change),
        TEST(a_renewed_client_certificate_is_used_by_later_calls),
        TEST(files_that_are_missing_or_misfit_are_refused),
    };
    return cmocka_run_group_tests_name("rpc_tls", tests, NULL, NULL);
}
