#pragma once

/*
 * Certificates in the hands of the doctor: read from files or from a peer, their dates, their
 * chain, their keys. It judges nothing by the clock.
 */

#include "lib/base/buffer.h"
#include "lib/base/cleanup.h"
#include "lib/base/status.h"

#include <openssl/x509.h>

enum { DOCTOR_PEM_DAYS = 14, DOCTOR_PEM_CA_DAYS = 90, DAY_SECONDS = 86400 };

/* Leaf first; at least one certificate. */
struct doctor_pem {
    STACK_OF(X509) * list; /* Owned. */
};

MUST_CHECK struct status doctor_pem_read(const char *path, struct doctor_pem **ret_pem);
/* A chain that OpenSSL has, as of a connection; referenced, not taken. */
MUST_CHECK struct status doctor_pem_copy(STACK_OF(X509) * list, struct doctor_pem **ret_pem);
void doctor_pem_free(struct doctor_pem *pem);
DEFINE_OWNED(doctor_pem)

X509 *doctor_pem_leaf(const struct doctor_pem *pem);
int64_t doctor_pem_not_before(const X509 *certificate);
int64_t doctor_pem_not_after(const X509 *certificate);
/* The earliest end among all of them. */
int64_t doctor_pem_first_end(const struct doctor_pem *pem);

/* OK if the key in the file belongs to the leaf; INVALID with the reason otherwise. */
MUST_CHECK struct status doctor_pem_check_key(const struct doctor_pem *pem, const char *key_path);

/*
 * X509_V_OK, or why OpenSSL does not trust the leaf: the rest of the chain may help, only what is
 * in ca may be the end. Dates are not judged: one may be over and yet be told by whom it was.
 */
int doctor_pem_verify(const struct doctor_pem *pem, const struct doctor_pem *ca);

/* The leaf's PEM text, for lib/rpc/rpc_identity.h. */
MUST_CHECK struct status doctor_pem_text(const struct doctor_pem *pem, struct buffer *text);

bool doctor_pem_equal(const struct doctor_pem *a, const struct doctor_pem *b);
