/* The TLS part of doctor_dial.h. */

#include "cli/doctor_dial.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

struct connection {
    SSL_CTX *context;
    SSL *ssl;
};

static void connection_release(struct connection *connection)
{
    SSL_free(connection->ssl);
    SSL_CTX_free(connection->context);
    ERR_clear_error();
}

static bool set_protocol(SSL *ssl, const char *protocol)
{
    unsigned char list[16];
    size_t size = strlen(protocol);
    if (size >= sizeof(list)) {
        return false;
    }
    list[0] = (unsigned char)size;
    memcpy(list + 1, protocol, size);
    return SSL_set_alpn_protos(ssl, list, (unsigned)size + 1) == 0; /* 0 is success here. */
}

static struct status prepare(const struct doctor_dial_tls *dial, int fd, struct connection *made)
{
    made->context = SSL_CTX_new(TLS_client_method());
    if (made->context == NULL ||
        SSL_CTX_set_min_proto_version(made->context, TLS1_3_VERSION) != 1) {
        return FAIL(INTERNAL, "TLS context");
    }
    if (dial->cert_file != NULL &&
        (SSL_CTX_use_certificate_chain_file(made->context, dial->cert_file) != 1 ||
         SSL_CTX_use_PrivateKey_file(made->context, dial->key_file, SSL_FILETYPE_PEM) != 1)) {
        return FAIL(INVALID, "our own certificate and key cannot be used");
    }
    made->ssl = SSL_new(made->context);
    /* OpenSSL copies the name, though its type is not const. */
    void *name = (void *)(uintptr_t)dial->name;
    if (made->ssl == NULL || SSL_set_fd(made->ssl, fd) != 1 ||
        !set_protocol(made->ssl, dial->protocol) ||
        (dial->name != NULL && SSL_set_tlsext_host_name(made->ssl, name) != 1)) {
        return FAIL(INTERNAL, "TLS connection");
    }
    return OK;
}

struct status doctor_dial_handshake(const struct doctor_dial_tls *dial, struct doctor_pem **ret_pem)
{
    OWNED(fd) int fd = -1;
    OWNED(connection) struct connection connection = {.ssl = NULL};
    TRY(doctor_dial_connect(dial->address, &fd));
    TRY(prepare(dial, fd, &connection));
    int result = SSL_connect(connection.ssl);
    if (result != 1) {
        int error = SSL_get_error(connection.ssl, result);
        return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE
                   ? FAIL(TIMEOUT, "connected, but no TLS answer within 3 s")
                   : FAIL(UNAVAILABLE, "it speaks no TLS 1.3 with us");
    }
    STACK_OF(X509) *list = SSL_get_peer_cert_chain(connection.ssl);
    return list != NULL ? doctor_pem_copy(list, ret_pem)
                        : FAIL(INVALID, "the peer showed no certificate");
}
