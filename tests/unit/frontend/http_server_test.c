/*
 * http_server: answers whole or visibly not; what a client may hold, and for how long, is bounded;
 * two requests on a connection never become three.
 */

#include "frontend/http_server.h"

#include "lib/base/clock.h"
#include "lib/base/task.h"
#include "tests/support/cmocka.h"
#include "tests/unit/frontend/http_client.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { BIG = 8 << 20, CONNECTIONS_MAX = 100 };

struct fixture {
    char certificate_file[256];
    char key_file[256];
    struct http_server *server;
    atomic_int smuggled; /* Requests for /smuggled: none may ever come. */
};

static uint8_t pattern(size_t at)
{
    return (uint8_t)(at * 31 + at / 253);
}

/* Count the body and compare it with the pattern; answers "count right". */
static void echo(struct http_exchange *exchange)
{
    static _Thread_local uint8_t piece[100000];
    size_t count = 0;
    bool is_right = true;
    for (;;) {
        size_t got;
        struct status status = http_body_read(exchange->body, piece, sizeof(piece), &got);
        if (!status_ok(status)) {
            char text[64];
            snprintf(text, sizeof(text), "%s", status_text(status.code));
            http_response_close(exchange->response);
            IGNORE(http_response_send(exchange->response, 400, bytes_text(text)));
            return;
        }
        if (got == 0) {
            break;
        }
        for (size_t i = 0; i < got; i++) {
            is_right = is_right && piece[i] == pattern(count + i);
        }
        count += got;
    }
    char text[64];
    snprintf(text, sizeof(text), "%zu %s", count, is_right ? "right" : "wrong");
    IGNORE(http_response_send(exchange->response, 200, bytes_text(text)));
}

static void send_big(struct http_exchange *exchange, int64_t length, size_t step)
{
    uint8_t *piece = malloc(step);
    assert_non_null(piece);
    struct status status = http_response_start(exchange->response, 200, length);
    for (size_t at = 0; status_ok(status) && at < BIG; at += step) {
        size_t size = BIG - at < step ? BIG - at : step;
        for (size_t i = 0; i < size; i++) {
            piece[i] = pattern(at + i);
        }
        status = http_response_write(exchange->response, bytes_of(piece, size));
    }
    if (status_ok(status)) {
        IGNORE(http_response_finish(exchange->response));
    }
    free(piece);
}

static void handle(void *context, struct http_exchange *exchange)
{
    struct fixture *fixture = context;
    struct http_response *response = exchange->response;
    struct bytes path = exchange->request->path;
    http_response_header_text(response, "x-amz-request-id", exchange->request_id);
    if (bytes_equal(path, bytes_text("/echo"))) {
        echo(exchange);
    } else if (bytes_equal(path, bytes_text("/big"))) {
        send_big(exchange, BIG, 65536);
    } else if (bytes_equal(path, bytes_text("/odd"))) {
        send_big(exchange, BIG, 5001);
    } else if (bytes_equal(path, bytes_text("/chunked"))) {
        send_big(exchange, HTTP_LENGTH_UNKNOWN, 40000);
    } else if (bytes_equal(path, bytes_text("/abort"))) {
        IGNORE(http_response_start(response, 200, 1000));
        IGNORE(http_response_write(response, bytes_text("only this")));
    } else if (bytes_equal(path, bytes_text("/abort-chunked"))) {
        IGNORE(http_response_start(response, 200, HTTP_LENGTH_UNKNOWN));
        IGNORE(http_response_write(response, bytes_text("only this")));
        IGNORE(http_response_flush(response));
        http_response_abort(response);
    } else if (bytes_equal(path, bytes_text("/deny"))) {
        IGNORE(http_response_send(response, 403, bytes_text("no")));
    } else if (bytes_equal(path, bytes_text("/empty"))) {
        IGNORE(http_response_send(response, 204, bytes_text("")));
    } else if (bytes_equal(path, bytes_text("/split"))) {
        http_response_header(response, "x-evil", bytes_text("a\r\nx: y"));
        IGNORE(http_response_send(response, 200, bytes_text("")));
    } else if (bytes_equal(path, bytes_text("/smuggled"))) {
        atomic_fetch_add(&fixture->smuggled, 1);
    } else if (!bytes_equal(path, bytes_text("/none"))) {
        IGNORE(http_response_send(response, 200, bytes_text("hello")));
    }
}

static int setup(void **state)
{
    static struct fixture fixture;
    const char *directory = getenv("TEST_TMPDIR");
    directory = directory != NULL ? directory : "/tmp";
    signal(SIGPIPE, SIG_IGN);
    snprintf(fixture.certificate_file, 256, "%s/http-%d.crt", directory, getpid());
    snprintf(fixture.key_file, 256, "%s/http-%d.key", directory, getpid());
    http_client_make_certificate(fixture.certificate_file, fixture.key_file);
    struct http_server_options options = http_server_defaults();
    options.certificate_file = fixture.certificate_file;
    options.key_file = fixture.key_file;
    options.handler = handle;
    options.context = &fixture;
    options.workers = 16;
    options.connections_max = CONNECTIONS_MAX;
    options.body_max = 64 << 20;
    options.handshake_timeout_ms = 5000;
    options.head_timeout_ms = 800;
    options.idle_timeout_ms = 3000;
    options.rate_grace_ms = 1500;
    options.drain_timeout_ms = 2000;
    assert_ok(http_server_start(&options, &fixture.server));
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    http_server_free(fixture->server);
    unlink(fixture->certificate_file);
    unlink(fixture->key_file);
    return 0;
}

static void open_client(struct fixture *fixture, struct http_client *client)
{
    http_client_open(client, http_server_port(fixture->server), 0);
    assert_non_null(client->ssl);
}

/* Send text; expect one answer of that status and body (NULL: any). */
static void
ask(struct http_client *client, const char *text, unsigned http_status, const char *body)
{
    struct http_answer answer;
    assert_true(http_client_send(client, bytes_text(text)));
    http_client_read(client, bytes_starts_with(bytes_text(text), bytes_text("HEAD")), &answer);
    assert_int_equal(answer.http_status, http_status);
    assert_true(answer.is_whole);
    if (body != NULL) {
        buffer_add_u8(&answer.body, 0);
        assert_string_equal((char *)answer.body.data, body);
    }
    http_client_done(&answer);
}

#define HOST " HTTP/1.1\r\nHost: a\r\n"

static void a_connection_serves_many_requests(void **state)
{
    struct http_client client;
    open_client(*state, &client);
    for (unsigned i = 0; i < 100; i++) {
        ask(&client, "GET /" HOST "\r\n", 200, "hello");
    }
    ask(&client, "HEAD /" HOST "\r\n", 200, NULL);
    ask(&client, "GET /empty" HOST "\r\n", 204, NULL);
    ask(&client, "GET /" HOST "Connection: close\r\n\r\n", 200, "hello");
    assert_true(http_client_sees_end(&client));
    http_client_close(&client);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct http_client client;
    struct http_answer answer;
    open_client(*state, &client);
    static const char TEXT[] = "PUT /echo" HOST "Content-Length: 1\r\n\r\n\0"
                               "GET /" HOST "\r\nGET /deny" HOST "\r\nGET /" HOST "\r\nGET /";
    assert_true(http_client_send(&client, bytes_of(TEXT, sizeof(TEXT) - 1)));
    static const unsigned WANT[] = {200, 200, 403, 200};
    for (size_t i = 0; i < 4; i++) {
        http_client_read(&client, false, &answer);
        assert_int_equal(answer.http_status, WANT[i]);
        http_client_done(&answer);
    }
    ask(&client, HOST "\r\n", 200, "hello");
    http_client_close(&client);
}

static void put_pattern(struct http_client *client, size_t size, size_t step)
{
    uint8_t *data = malloc(size);
    assert_non_null(data);
    for (size_t i = 0; i < size; i++) {
        data[i] = pattern(i);
    }
    for (size_t at = 0; at < size; at += step) {
        size_t part = size - at < step ? size - at : step;
        assert_true(http_client_send(client, bytes_of(data + at, part)));
    }
    free(data);
}

static void bodies_arrive_whole(void **state)
{
    static const size_t SIZES[] = {1, 1000, 16383, 16384, 16385, 100000, BIG};
    struct http_client client;
    open_client(*state, &client);
    for (size_t i = 0; i < sizeof(SIZES) / sizeof(SIZES[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "PUT /echo" HOST "Content-Length: %zu\r\n\r\n", SIZES[i]);
        assert_true(http_client_send(&client, bytes_text(text)));
        put_pattern(&client, SIZES[i], 30011);
        snprintf(text, sizeof(text), "%zu right", SIZES[i]);
        ask(&client, "", 200, text);
    }
    ask(&client, "PUT /echo" HOST "Content-Length: 0\r\n\r\n", 200, "0 right");
    http_client_close(&client);
}

static void chunked_bodies_arrive_whole(void **state)
{
    struct http_client client;
    open_client(*state, &client);
    assert_true(http_client_send(
        &client, bytes_text("PUT /echo" HOST "Transfer-Encoding: chunked\r\n\r\n")));
    size_t at = 0;
    for (size_t size = 1; size < 40000; size = size * 3 + 1) {
        char line[32];
        BUFFER(chunk, 65536);
        snprintf(line, sizeof(line), "%zx;ext=1\r\n", size);
        buffer_add_text(&chunk, line);
        for (size_t i = 0; i < size; i++) {
            buffer_add_u8(&chunk, pattern(at + i));
        }
        buffer_add_text(&chunk, "\r\n");
        at += size;
        assert_true(http_client_send(&client, buffer_bytes(&chunk)));
    }
    char text[64];
    snprintf(text, sizeof(text), "%zu right", at);
    ask(&client, "0\r\nX-Trailer: 1\r\n\r\n", 200, text);
    ask(&client, "GET /" HOST "\r\n", 200, "hello");
    /* The next request may follow at once. */
    ask(&client, "PUT /echo" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /" HOST "\r\n",
        200, "0 right");
    ask(&client, "", 200, "hello");
    http_client_close(&client);
}

static void wrong_chunks_end_the_connection(void **state)
{
    static const char *const CASES[] = {
        "x\r\n",  "5\nhello",        "5\r\nhello5\r\n",  "ffffffffffffffffff\r\n",
        "-1\r\n", "5 \r\nhello\r\n", "0x5\r\nhello\r\n",
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct http_client client;
        struct http_answer answer;
        open_client(*state, &client);
        assert_true(http_client_send(
            &client, bytes_text("PUT /echo" HOST "Transfer-Encoding: chunked\r\n\r\n")));
        assert_true(http_client_send(&client, bytes_text(CASES[i])));
        http_client_read(&client, false, &answer);
        assert_int_equal(answer.http_status, 400);
        assert_true(answer.closes);
        http_client_done(&answer);
        assert_true(http_client_sees_end(&client));
        http_client_close(&client);
    }
}

static void big_answers_arrive_whole(void **state)
{
    static const char *const PATHS[] = {"/big", "/odd", "/chunked"};
    struct http_client client;
    open_client(*state, &client);
    for (size_t p = 0; p < 3; p++) {
        struct http_answer answer;
        char text[64];
        snprintf(text, sizeof(text), "GET %s" HOST "\r\n", PATHS[p]);
        assert_true(http_client_send(&client, bytes_text(text)));
        http_client_read(&client, false, &answer);
        assert_int_equal(answer.http_status, 200);
        assert_true(answer.is_whole);
        assert_int_equal(answer.body.size, BIG);
        for (size_t i = 0; i < BIG; i++) {
            if (answer.body.data[i] != pattern(i)) {
                fail_msg("%s: byte %zu", PATHS[p], i);
            }
        }
        http_client_done(&answer);
        snprintf(text, sizeof(text), "HEAD %s" HOST "\r\n", PATHS[p]);
        ask(&client, text, 200, NULL);
    }
    http_client_close(&client);
}

static void old_clients_get_what_they_understand(void **state)
{
    struct http_client client;
    struct http_answer answer;
    open_client(*state, &client);
    ask(&client, "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", 200, "hello");
    assert_true(http_client_send(&client, bytes_text("GET /chunked HTTP/1.0\r\nHost: a\r\n\r\n")));
    http_client_read(&client, false, &answer);
    assert_int_equal(answer.http_status, 200);
    assert_null(strstr(answer.head, "chunked"));
    assert_int_equal(answer.body.size, BIG);
    http_client_done(&answer);
    http_client_close(&client);
}

static void a_body_is_asked_for_only_when_it_is_read(void **state)
{
    struct http_client client;
    struct http_answer answer;
    open_client(*state, &client);
    ask(&client, "PUT /echo" HOST "Content-Length: 1\r\nExpect: 100-continue\r\n\r\n", 100, NULL);
    assert_true(http_client_send(&client, bytes_of("\0", 1)));
    ask(&client, "", 200, "1 right");
    /* Refused before: no 100, and the connection ends, for nobody knows what comes next. */
    assert_true(http_client_send(
        &client, bytes_text("PUT /deny" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")));
    http_client_read(&client, false, &answer);
    assert_int_equal(answer.http_status, 403);
    assert_true(answer.closes);
    http_client_done(&answer);
    assert_true(http_client_sees_end(&client));
    http_client_close(&client);
}

static void an_answer_before_the_body_is_seen(void **state)
{
    struct http_client client;
    struct http_answer answer;
    open_client(*state, &client);
    /* A little left over is read and dropped, and the connection goes on. */
    ask(&client, "PUT /deny" HOST "Content-Length: 5\r\n\r\nhello", 403, "no");
    ask(&client, "GET /" HOST "\r\n", 200, "hello");
    /* Much is not: the answer arrives all the same, and then the end. */
    assert_true(
        http_client_send(&client, bytes_text("PUT /deny" HOST "Content-Length: 10000000\r\n\r\n")));
    for (unsigned i = 0; i < 20; i++) {
        uint8_t piece[10000] = {0};
        if (!http_client_send(&client, BYTES_ARRAY(piece))) {
            break;
        }
    }
    http_client_read(&client, false, &answer);
    assert_int_equal(answer.http_status, 403);
    assert_true(answer.closes);
    http_client_done(&answer);
    http_client_close(&client);
}

static void aborted_answers_are_not_whole(void **state)
{
    static const char *const TEXTS[] = {"GET /abort" HOST "\r\n", "GET /abort-chunked" HOST "\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct http_client client;
        struct http_answer answer;
        open_client(*state, &client);
        assert_true(http_client_send(&client, bytes_text(TEXTS[i])));
        http_client_read(&client, false, &answer);
        assert_false(answer.is_whole);
        http_client_done(&answer);
        http_client_close(&client);
    }
}

static void a_handler_that_does_not_answer_is_500(void **state)
{
    struct http_client client;
    open_client(*state, &client);
    ask(&client, "GET /none" HOST "\r\n", 500, "");
    http_client_close(&client);
    /* As is one whose header could have split the answer in two. */
    open_client(*state, &client);
    ask(&client, "GET /split" HOST "\r\n", 500, "");
    http_client_close(&client);
}

static void smuggled_requests_are_refused(void **state)
{
    static const struct {
        const char *text;
        unsigned http_status;
    } CASES[] = {
        {"POST /" HOST "Content-Length: 35\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
         "GET /smuggled" HOST "\r\n",
         400},
        {"POST /" HOST "Transfer-Encoding: chunked\r\nContent-Length: 35\r\n\r\n0\r\n\r\n"
         "GET /smuggled" HOST "\r\n",
         400},
        {"POST /" HOST "Content-Length: 0\r\nContent-Length: 35\r\n\r\nGET /smuggled" HOST "\r\n",
         400},
        {"POST /" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\nGET /smuggled" HOST "\r\n",
         501},
        {"GET /" HOST "X: a\r\n Content-Length: 5\r\n\r\nGET /smuggled" HOST "\r\n", 400},
        {"GET /" HOST "Host: b\r\n\r\nGET /smuggled" HOST "\r\n", 400},
        {"GET /" HOST "\nGET /smuggled" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\nGET /smuggled" HOST "\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\nGET /smuggled" HOST "\r\n", 505},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET /smuggled" HOST "\r\n", 0},
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct http_client client;
        struct http_answer answer;
        open_client(fixture, &client);
        assert_true(http_client_send(&client, bytes_text(CASES[i].text)));
        http_client_read(&client, false, &answer);
        bool is_refusal = answer.http_status >= 400;
        if (!is_refusal || !answer.closes ||
            (CASES[i].http_status != 0 && answer.http_status != CASES[i].http_status)) {
            fail_msg("case %zu: %u", i, answer.http_status);
        }
        http_client_done(&answer);
        assert_true(http_client_sees_end(&client));
        http_client_close(&client);
    }
    assert_int_equal(atomic_load(&fixture->smuggled), 0);
}

static void heads_are_bounded(void **state)
{
    struct http_client client;
    struct http_answer answer;
    BUFFER(text, 65536);
    buffer_add_text(&text, "GET /" HOST "X: ");
    while (text.size < 16381) {
        buffer_add_u8(&text, 'x');
    }
    buffer_add_text(&text, "\r\n\r\n");
    open_client(*state, &client);
    assert_true(http_client_send(&client, buffer_bytes(&text)));
    http_client_read(&client, false, &answer);
    assert_int_equal(answer.http_status, 431);
    http_client_done(&answer);
    assert_true(http_client_sees_end(&client));
    http_client_close(&client);
    /* One byte less fits. */
    text.size = 16380;
    buffer_add_text(&text, "\r\n\r\n");
    open_client(*state, &client);
    assert_true(http_client_send(&client, buffer_bytes(&text)));
    http_client_read(&client, false, &answer);
    assert_int_equal(answer.http_status, 200);
    http_client_done(&answer);
    http_client_close(&client);
}

static void slow_clients_are_let_go(void **state)
{
    struct http_client client;
    struct http_answer answer;
    /* A head byte by byte: its time is counted from the first. */
    open_client(*state, &client);
    int64_t start_ms = clock_monotonic_ms();
    while (clock_monotonic_ms() < start_ms + 1500 && http_client_send(&client, bytes_text("G"))) {
        clock_sleep_ms(100);
    }
    http_client_read(&client, false, &answer);
    assert_int_equal(answer.http_status, 408);
    http_client_done(&answer);
    http_client_close(&client);
    /* A body byte by byte: below the least rate. */
    open_client(*state, &client);
    start_ms = clock_monotonic_ms();
    assert_true(
        http_client_send(&client, bytes_text("PUT /echo" HOST "Content-Length: 1000\r\n\r\n")));
    while (clock_monotonic_ms() < start_ms + 2500 && http_client_send(&client, bytes_of("\0", 1))) {
        clock_sleep_ms(50);
    }
    http_client_read(&client, false, &answer);
    assert_int_equal(answer.http_status, 400);
    buffer_add_u8(&answer.body, 0);
    assert_string_equal((char *)answer.body.data, status_text(STATUS_TIMEOUT));
    http_client_done(&answer);
    http_client_close(&client);
    /* Nothing at all. */
    open_client(*state, &client);
    start_ms = clock_monotonic_ms();
    assert_true(http_client_sees_end(&client));
    assert_in_range(clock_monotonic_ms() - start_ms, 2000, 7000);
    http_client_close(&client);
}

static void a_client_that_does_not_read_is_let_go(void **state)
{
    struct fixture *fixture = *state;
    struct http_client client;
    open_client(fixture, &client);
    assert_true(http_client_send(&client, bytes_text("GET /big" HOST "\r\n")));
    int64_t deadline_ms = clock_monotonic_ms() + 5000;
    clock_sleep_ms(300);
    while (http_server_count(fixture->server).requests_running > 0) {
        assert_true(clock_monotonic_ms() < deadline_ms);
        clock_sleep_ms(50);
    }
    http_client_close(&client);
}

static void bodies_beyond_the_limit_are_refused(void **state)
{
    struct http_client client;
    open_client(*state, &client);
    ask(&client, "PUT /echo" HOST "Content-Length: 99999999\r\n\r\n", 400,
        status_text(STATUS_TOO_LARGE));
    http_client_close(&client);
}

/* ---- Many at once ---- */

struct many {
    struct fixture *fixture;
    unsigned done;
};

static void run_client(void *context)
{
    struct many *many = context;
    struct http_client client;
    http_client_open(&client, http_server_port(many->fixture->server), 0);
    for (unsigned i = 0; client.ssl != NULL && i < 20; i++) {
        struct http_answer answer;
        char text[128];
        size_t size = i % 4 == 0 ? 70000 : 100;
        snprintf(text, sizeof(text), "PUT /echo" HOST "Content-Length: %zu\r\n\r\n", size);
        if (!http_client_send(&client, bytes_text(text))) {
            break;
        }
        put_pattern(&client, size, 9000);
        http_client_read(&client, false, &answer);
        snprintf(text, sizeof(text), "%zu right", size);
        many->done += bytes_equal(buffer_bytes(&answer.body), bytes_text(text)) ? 1 : 0;
        http_client_done(&answer);
    }
    http_client_close(&client);
}

static void sixty_four_connections_share_sixteen_workers(void **state)
{
    enum { CLIENTS = 64 };
    static struct many many[CLIENTS];
    static struct task tasks[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++) {
        many[i] = (struct many){.fixture = *state};
        assert_ok(task_start(&tasks[i], "client", run_client, &many[i]));
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        task_join(&tasks[i]);
        assert_int_equal(many[i].done, 20);
    }
}

static void more_connections_than_allowed_are_closed(void **state)
{
    struct fixture *fixture = *state;
    static struct http_client clients[CONNECTIONS_MAX];
    struct http_client more;
    int64_t deadline_ms = clock_monotonic_ms() + 5000;
    while (http_server_count(fixture->server).connections > 0) {
        assert_true(clock_monotonic_ms() < deadline_ms);
        clock_sleep_ms(50);
    }
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        open_client(fixture, &clients[i]);
    }
    http_client_open(&more, http_server_port(fixture->server), 0);
    assert_null(more.ssl);
    http_client_close(&more);
    assert_true(http_server_count(fixture->server).refused >= 1);
    ask(&clients[50], "GET /" HOST "\r\n", 200, "hello");
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        http_client_close(&clients[i]);
    }
}

static void tls_is_1_2_or_better(void **state)
{
    struct fixture *fixture = *state;
    struct http_client client;
    http_client_open(&client, http_server_port(fixture->server), TLS1_2_VERSION);
    assert_non_null(client.ssl);
    assert_non_null(strstr(SSL_get_cipher_name(client.ssl), "ECDHE"));
    ask(&client, "GET /" HOST "\r\n", 200, "hello");
    http_client_close(&client);
    http_client_open(&client, http_server_port(fixture->server), TLS1_1_VERSION);
    assert_null(client.ssl);
    http_client_close(&client);
    open_client(fixture, &client);
    assert_string_equal(SSL_get_version(client.ssl), "TLSv1.3");
    http_client_close(&client);
}

static void a_new_certificate_is_used_without_a_restart(void **state)
{
    struct fixture *fixture = *state;
    struct http_client old;
    struct http_client new;
    open_client(fixture, &old);
    http_client_make_certificate(fixture->certificate_file, fixture->key_file);
    assert_ok(http_server_reload(fixture->server));
    open_client(fixture, &new);
    X509 *old_certificate = SSL_get1_peer_certificate(old.ssl);
    X509 *new_certificate = SSL_get1_peer_certificate(new.ssl);
    assert_int_not_equal(X509_cmp(old_certificate, new_certificate), 0);
    X509_free(old_certificate);
    X509_free(new_certificate);
    ask(&old, "GET /" HOST "\r\n", 200, "hello");
    ask(&new, "GET /" HOST "\r\n", 200, "hello");
    FILE *file = fopen(fixture->key_file, "w");
    assert_non_null(file);
    fclose(file);
    assert_status(http_server_reload(fixture->server), STATUS_INVALID);
    ask(&new, "GET /" HOST "\r\n", 200, "hello");
    http_client_close(&old);
    http_client_close(&new);
}

/* Last: the server ends, with a request under way whose client does nothing more. */
static void stopping_ends_what_does_not_end_itself(void **state)
{
    struct fixture *fixture = *state;
    struct http_client idle;
    struct http_client busy;
    open_client(fixture, &idle);
    open_client(fixture, &busy);
    assert_true(
        http_client_send(&busy, bytes_text("PUT /echo" HOST "Content-Length: 1000\r\n\r\n")));
    clock_sleep_ms(100);
    int64_t start_ms = clock_monotonic_ms();
    http_server_stop(fixture->server);
    assert_in_range(clock_monotonic_ms() - start_ms, 0, 5000);
    assert_true(http_client_sees_end(&idle));
    http_client_close(&idle);
    http_client_close(&busy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_serves_many_requests),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(bodies_arrive_whole),
        cmocka_unit_test(chunked_bodies_arrive_whole),
        cmocka_unit_test(wrong_chunks_end_the_connection),
        cmocka_unit_test(big_answers_arrive_whole),
        cmocka_unit_test(old_clients_get_what_they_understand),
        cmocka_unit_test(a_body_is_asked_for_only_when_it_is_read),
        cmocka_unit_test(an_answer_before_the_body_is_seen),
        cmocka_unit_test(aborted_answers_are_not_whole),
        cmocka_unit_test(a_handler_that_does_not_answer_is_500),
        cmocka_unit_test(smuggled_requests_are_refused),
        cmocka_unit_test(heads_are_bounded),
        cmocka_unit_test(slow_clients_are_let_go),
        cmocka_unit_test(a_client_that_does_not_read_is_let_go),
        cmocka_unit_test(bodies_beyond_the_limit_are_refused),
        cmocka_unit_test(sixty_four_connections_share_sixteen_workers),
        cmocka_unit_test(more_connections_than_allowed_are_closed),
        cmocka_unit_test(tls_is_1_2_or_better),
        cmocka_unit_test(a_new_certificate_is_used_without_a_restart),
        cmocka_unit_test(stopping_ends_what_does_not_end_itself),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
