#pragma once

/* A plain HTTPS client over OpenSSL, and a certificate for the server, for tests. One thread. */

#include "lib/base/buffer.h"
#include "tests/support/cmocka.h"

#include <openssl/ssl.h>

struct http_client {
    int fd;
    SSL_CTX *tls;
    SSL *ssl;
    struct buffer input; /* Read and not used. */
    size_t used;
};

struct http_answer {
    unsigned http_status; /* 0: the connection ended before one. */
    bool is_whole;        /* Its body came to its end. */
    bool closes;          /* "Connection: close" */
    struct buffer body;
    char head[8192];
};

/* Write a self-signed certificate and its key as PEM. */
void http_client_make_certificate(const char *certificate_file, const char *key_file);

/* Connect and shake hands; version 0 is the best. */
void http_client_open(struct http_client *client, uint16_t port, int version);
void http_client_close(struct http_client *client);

/* False once the server does not take it. */
bool http_client_send(struct http_client *client, struct bytes bytes);

/* The next answer. without_body: it answers a HEAD. */
void http_client_read(struct http_client *client, bool without_body, struct http_answer *answer);
void http_client_done(struct http_answer *answer);

/* True if the server closes within the client's patience, sending nothing more. */
bool http_client_sees_end(struct http_client *client);
