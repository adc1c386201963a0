#include "frontend/http_tls.h"

#include <string.h>

#include <openssl/err.h>

enum { READ_BUFFER = 32 * 1024 + 1024 };

/* HTTP/1.1 is all we speak; a client that offers something else alone goes without ALPN. */
static int select_protocol(
    SSL *ssl, const unsigned char **ret_chosen, unsigned char *ret_size,
    const unsigned char *offered, unsigned int offered_size, void *context)
{
    static const unsigned char OURS[] = "\x08http/1.1";
    (void)ssl;
    (void)context;
    unsigned char *chosen;
    int result =
        SSL_select_next_proto(&chosen, ret_size, OURS, sizeof(OURS) - 1, offered, offered_size);
    if (result != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *ret_chosen = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static struct status configure(SSL_CTX *tls, const char *certificate_file, const char *key_file)
{
    static const unsigned char SESSION_CONTEXT[] = "triad-s3";
    SSL_CTX_set_options(
        tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                 SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(
        tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                 SSL_MODE_RELEASE_BUFFERS);
    /* Two records a system call, and one call for a record's head and body. */
    SSL_CTX_set_read_ahead(tls, 1);
    SSL_CTX_set_default_read_buffer_len(tls, READ_BUFFER);
    SSL_CTX_set_alpn_select_cb(tls, select_protocol, NULL);
    if (SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(tls, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
        SSL_CTX_set_session_id_context(tls, SESSION_CONTEXT, sizeof(SESSION_CONTEXT) - 1) != 1) {
        return FAIL(INTERNAL, "TLS settings");
    }
    if (SSL_CTX_use_certificate_chain_file(tls, certificate_file) != 1) {
        return FAIL(INVALID, "certificate file is not a PEM chain");
    }
    if (SSL_CTX_use_PrivateKey_file(tls, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(tls) != 1) {
        return FAIL(INVALID, "key file is not the certificate's PEM key");
    }
    return OK;
}

struct status http_tls_new(const char *certificate_file, const char *key_file, SSL_CTX **ret_tls)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL) {
        return FAIL(NO_MEMORY, "TLS context");
    }
    struct status status = configure(tls, certificate_file, key_file);
    if (!status_ok(status)) {
        SSL_CTX_free(tls);
        ERR_clear_error();
        return status;
    }
    *ret_tls = tls;
    return OK;
}
