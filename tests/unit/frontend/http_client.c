#include "tests/unit/frontend/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

void http_client_make_certificate(const char *certificate_file, const char *key_file)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    assert_non_null(key);
    assert_non_null(certificate);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(
        name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *file = fopen(certificate_file, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    fclose(file);
    file = fopen(key_file, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void http_client_open(struct http_client *client, uint16_t port, int version)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
    };
    struct timeval patience = {.tv_sec = 8};
    int on = 1;
    *client = (struct http_client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    buffer_init(&client->input, 1 << 20);
    assert_true(client->fd >= 0);
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    assert_int_equal(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    client->tls = SSL_CTX_new(TLS_client_method());
    if (version != 0) {
        SSL_CTX_set_max_proto_version(client->tls, version);
    }
    client->ssl = SSL_new(client->tls);
    SSL_set_fd(client->ssl, client->fd);
    if (SSL_connect(client->ssl) != 1) {
        SSL_free(client->ssl);
        client->ssl = NULL;
    }
}

void http_client_close(struct http_client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->tls);
    close(client->fd);
    buffer_done(&client->input);
}

bool http_client_send(struct http_client *client, struct bytes bytes)
{
    ERR_clear_error();
    return bytes.size == 0 || SSL_write(client->ssl, bytes.data, (int)bytes.size) > 0;
}

/* Read more input; false at the end. */
static bool fill(struct http_client *client)
{
    uint8_t piece[16384];
    ERR_clear_error();
    int got = SSL_read(client->ssl, piece, sizeof(piece));
    if (got <= 0) {
        return false;
    }
    if (client->used > 0) {
        size_t left = client->input.size - client->used;
        memmove(client->input.data, client->input.data + client->used, left);
        client->input.size = left;
        client->used = 0;
    }
    buffer_add(&client->input, bytes_of(piece, (size_t)got));
    return status_ok(buffer_status(&client->input));
}

static struct bytes unused(const struct http_client *client)
{
    return bytes_from(buffer_bytes(&client->input), client->used);
}

static bool read_head(struct http_client *client, char head[8192])
{
    for (;;) {
        struct bytes input = unused(client);
        const uint8_t *end = input.size == 0 ? NULL : memmem(input.data, input.size, "\r\n\r\n", 4);
        if (end != NULL) {
            size_t size = (size_t)(end - input.data) + 4;
            assert_true(size < 8192);
            memcpy(head, input.data, size);
            head[size] = '\0';
            client->used += size;
            return true;
        }
        if (!fill(client)) {
            return false;
        }
    }
}

/* Exactly size bytes to the body (NULL: away); false if the connection ends. */
static bool take(struct http_client *client, size_t size, struct buffer *body)
{
    while (size > 0) {
        struct bytes input = unused(client);
        size_t part = input.size < size ? input.size : size;
        if (body != NULL) {
            buffer_add(body, bytes_slice(input, 0, part));
        }
        client->used += part;
        size -= part;
        if (size > 0 && !fill(client)) {
            return false;
        }
    }
    return true;
}

static bool take_chunks(struct http_client *client, struct buffer *body)
{
    for (;;) {
        struct bytes input = unused(client);
        const uint8_t *end = input.size == 0 ? NULL : memmem(input.data, input.size, "\r\n", 2);
        if (end == NULL) {
            if (!fill(client)) {
                return false;
            }
            continue;
        }
        size_t size = strtoul((const char *)input.data, NULL, 16);
        client->used += (size_t)(end - input.data) + 2;
        if (!take(client, size, body) || !take(client, 2, NULL)) {
            return false;
        }
        if (size == 0) {
            return true;
        }
    }
}

void http_client_read(struct http_client *client, bool without_body, struct http_answer *answer)
{
    memset(answer, 0, sizeof(*answer));
    buffer_init(&answer->body, 256 << 20);
    if (!read_head(client, answer->head)) {
        return;
    }
    assert_int_equal(sscanf(answer->head, "HTTP/1.1 %u", &answer->http_status), 1);
    answer->closes = strcasestr(answer->head, "\r\nConnection: close\r\n") != NULL;
    const char *length = strcasestr(answer->head, "\r\nContent-Length: ");
    if (without_body || answer->http_status == 100 || answer->http_status == 204) {
        answer->is_whole = true;
    } else if (length != NULL) {
        answer->is_whole = take(client, strtoul(length + 18, NULL, 10), &answer->body);
    } else if (strcasestr(answer->head, "\r\nTransfer-Encoding: chunked\r\n") != NULL) {
        answer->is_whole = take_chunks(client, &answer->body);
    } else {
        do {
            take(client, unused(client).size, &answer->body);
        } while (fill(client));
        answer->is_whole = true;
    }
}

void http_client_done(struct http_answer *answer)
{
    buffer_done(&answer->body);
}

bool http_client_sees_end(struct http_client *client)
{
    return unused(client).size == 0 && !fill(client);
}
