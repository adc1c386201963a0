#pragma once

/* One X.509 certificate with its ECDSA P-256 key, made with OpenSSL (RFC 5280). */

#include "lib/base/buffer.h"
#include "lib/base/cleanup.h"
#include "lib/base/status.h"

struct pki_certificate;

struct pki_profile {
    const char *common_name;
    bool is_ca;
    int path_length;        /* Of a CA. */
    const char *uri;        /* SAN URI, or NULL. */
    const char *name;       /* First SAN DNS name, or NULL. */
    const char *const *dns; /* Further ones; NULL ends; may be NULL. */
    const char *const *ip;
    bool server_only; /* No client authentication. */
    unsigned days;
};

/* A new key and certificate, signed by issuer, or by itself where issuer is NULL. */
MUST_CHECK struct status pki_certificate_new(
    const struct pki_profile *profile, const struct pki_certificate *issuer,
    struct pki_certificate **ret_certificate);

/* Read NAME.pem and NAME.key. */
MUST_CHECK struct status
pki_certificate_load(int dir_fd, const char *name, struct pki_certificate **ret_certificate);

void pki_certificate_free(struct pki_certificate *certificate);

/* Append the certificate, or its private key (PKCS#8; the caller wipes it), as PEM. */
MUST_CHECK struct status
pki_certificate_pem(const struct pki_certificate *certificate, struct buffer *pem);
MUST_CHECK struct status
pki_certificate_key_pem(const struct pki_certificate *certificate, struct buffer *pem);

DEFINE_OWNED(pki_certificate)
