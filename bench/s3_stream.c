#include "bench/s3_stream.h"

#include "lib/base/buffer.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/base/hex.h"
#include "lib/crypto/random.h"
#include "lib/s3/sigv4.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/ssl.h>

enum {
    PIECE = 256 * 1024,
    HEAD_MAX = 16 * 1024,
    WORD_MAX = 128,
};

struct s3_stream {
    struct s3_stream_options options;
    int fd;
    SSL_CTX *context; /* Owned. */
    SSL *ssl;         /* Owned. */
    char access_key[WORD_MAX];
    struct secret *s3_secret;   /* Owned. */
    struct secret *signing_key; /* Owned; of day. */
    char day[9];
    uint8_t body[PIECE]; /* What is sent, again and again. */
    uint8_t in[PIECE];
};

void s3_stream_free(struct s3_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    SSL_free(stream->ssl);
    SSL_CTX_free(stream->context);
    if (stream->fd >= 0) {
        close(stream->fd);
    }
    secret_free(stream->s3_secret);
    secret_free(stream->signing_key);
    free(stream);
}

/* The value behind "name = " in the credentials file. */
static struct status word_of(struct buffer *text, const char *name, char *word)
{
    const char *at = strstr((const char *)text->data, name);
    if (at == NULL || sscanf(at + strlen(name), " = %127s", word) != 1) {
        return FAIL(INVALID, "the credentials file lacks a key");
    }
    return OK;
}

static struct status read_credentials(struct s3_stream *stream)
{
    char word[WORD_MAX];
    BUFFER(text, HEAD_MAX);
    TRY(file_read(AT_FDCWD, stream->options.credentials_file, &text));
    buffer_add_u8(&text, 0);
    TRY(buffer_status(&text));
    TRY(word_of(&text, "aws_access_key_id", stream->access_key));
    TRY(word_of(&text, "aws_secret_access_key", word));
    return secret_new_copy(bytes_text(word), &stream->s3_secret);
}

static struct status dial(struct s3_stream *stream)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)stream->options.port)};
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    stream->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    if (stream->fd < 0 || connect(stream->fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        return FAIL(UNAVAILABLE, "connect");
    }
    setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    stream->context = SSL_CTX_new(TLS_client_method());
    if (stream->context == NULL ||
        SSL_CTX_load_verify_locations(stream->context, stream->options.ca_file, NULL) != 1) {
        return FAIL(INVALID, "read the CA");
    }
    SSL_CTX_set_verify(stream->context, SSL_VERIFY_PEER, NULL);
    char host[] = "localhost";
    stream->ssl = SSL_new(stream->context);
    if (stream->ssl == NULL || SSL_set1_host(stream->ssl, host) != 1 ||
        SSL_set_tlsext_host_name(stream->ssl, host) != 1 ||
        SSL_set_fd(stream->ssl, stream->fd) != 1 || SSL_connect(stream->ssl) != 1) {
        return FAIL(UNAVAILABLE, "TLS handshake");
    }
    return OK;
}

struct status s3_stream_open(const struct s3_stream_options *options, struct s3_stream **ret_stream)
{
    OWNED(s3_stream) struct s3_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return FAIL(NO_MEMORY, "stream");
    }
    stream->options = *options;
    stream->fd = -1;
    TRY(random_bytes(stream->body, sizeof(stream->body)));
    TRY(read_credentials(stream));
    TRY(dial(stream));
    *ret_stream = TAKE(stream);
    return OK;
}

static struct status new_day(struct s3_stream *stream, const char *stamp)
{
    if (stream->signing_key != NULL && strncmp(stream->day, stamp, 8) == 0) {
        return OK;
    }
    memcpy(stream->day, stamp, 8);
    secret_free(stream->signing_key);
    stream->signing_key = NULL;
    return sigv4_signing_key(
        stream->s3_secret, bytes_text(stream->day), bytes_text("us-east-1"), bytes_text("s3"),
        &stream->signing_key);
}

static struct status send_all(struct s3_stream *stream, struct bytes bytes)
{
    if (bytes.size > 0 && SSL_write(stream->ssl, bytes.data, (int)bytes.size) <= 0) {
        return FAIL(IO, "the connection broke while sending");
    }
    return OK;
}

static struct status
send_head(struct s3_stream *stream, const char *method, const char *key, size_t size)
{
    char stamp[20];
    char scope[64];
    char path[512];
    time_t now = (time_t)clock_wall_s();
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &parts);
    TRY(new_day(stream, stamp));
    snprintf(scope, sizeof(scope), "%s/us-east-1/s3/aws4_request", stream->day);
    snprintf(path, sizeof(path), "/%s/%s", stream->options.bucket, key);

    BUFFER(canonical, HEAD_MAX);
    buffer_printf(
        &canonical,
        "%s\n%s\n\nhost:localhost:%d\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:%s\n\n"
        "host;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD",
        method, path, stream->options.port, stamp);
    uint8_t signature[SIGV4_SIGNATURE_SIZE];
    char signature_hex[2 * SIGV4_SIGNATURE_SIZE + 1];
    TRY(sigv4_sign(
        stream->signing_key, bytes_text(stamp), bytes_text(scope), buffer_bytes(&canonical),
        signature));
    hex_encode(BYTES_ARRAY(signature), signature_hex);

    BUFFER(head, HEAD_MAX);
    buffer_printf(
        &head,
        "%s %s HTTP/1.1\r\nHost: localhost:%d\r\nContent-Length: %zu\r\nx-amz-date: %s\r\n"
        "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\nAuthorization: AWS4-HMAC-SHA256 "
        "Credential=%s/%s, SignedHeaders=host;x-amz-content-sha256;x-amz-date, "
        "Signature=%s\r\n\r\n",
        method, path, stream->options.port, size, stamp, stream->access_key, scope, signature_hex);
    TRY(buffer_status(&head));
    return send_all(stream, buffer_bytes(&head));
}

/* Read the answer's head and drop its body. */
static struct status read_answer(struct s3_stream *stream, size_t want_size, bool any_size)
{
    size_t got = 0;
    char *end = NULL;
    while (end == NULL && got < HEAD_MAX) {
        int n = SSL_read(stream->ssl, stream->in + got, (int)(PIECE - got - 1));
        if (n <= 0) {
            return FAIL(IO, "the connection broke before an answer");
        }
        got += (size_t)n;
        stream->in[got] = '\0';
        end = strstr((char *)stream->in, "\r\n\r\n");
    }
    int code = 0;
    if (end == NULL || sscanf((char *)stream->in, "HTTP/1.1 %d", &code) != 1) {
        return FAIL(INVALID, "not an HTTP answer");
    }
    const char *length = strcasestr((char *)stream->in, "\r\ncontent-length:");
    size_t size = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    if (code != 200) {
        return FAIL(INVALID, "the answer is not 200");
    }
    if (!any_size && size != want_size) {
        return FAIL(INVALID, "the answer has another length");
    }
    size_t rest = size - (got - (size_t)(end + 4 - (char *)stream->in));
    while (rest > 0) {
        int n = SSL_read(stream->ssl, stream->in, (int)(rest < PIECE ? rest : PIECE));
        if (n <= 0) {
            return FAIL(IO, "the answer ended early");
        }
        rest -= (size_t)n;
    }
    return OK;
}

struct status s3_stream_put(struct s3_stream *stream, const char *key, size_t size)
{
    TRY(send_head(stream, "PUT", key, size));
    for (size_t sent = 0; sent < size;) {
        size_t piece = size - sent < PIECE ? size - sent : PIECE;
        TRY(send_all(stream, bytes_of(stream->body, piece)));
        sent += piece;
    }
    return read_answer(stream, 0, true);
}

struct status s3_stream_get(struct s3_stream *stream, const char *key, size_t size)
{
    TRY(send_head(stream, "GET", key, 0));
    return read_answer(stream, size, false);
}
