#pragma once

/*
 * The certificate authorities of a cluster and what they issue (DESIGN 1).
 *
 * A PKI directory holds, each as NAME.pem and NAME.key (ECDSA P-256):
 *   root        the offline root; signs the two issuing CAs (path length 1)
 *   services    "triad services CA", issues every daemon's certificate
 *   operators   "triad operators CA", issues only operators
 *   public      "triad public CA", self-signed, for the S3 port: no daemon trusts it
 * and keyset-root.key (Ed25519, PKCS#8), keyset-root.pub (SubjectPublicKeyInfo, DER), cluster.
 */

#include "lib/base/cleanup.h"
#include "lib/base/status.h"

struct pki_subject {
    const char *role; /* frontend, ..., operator, or public. */
    const char *id;
    const char *const *dns; /* Further names; NULL ends. */
    const char *const *ip;
    unsigned days;
};

/* Make a PKI in the directory, which must not hold one. EXISTS otherwise. */
MUST_CHECK struct status pki_authority_init(const char *dir, const char *cluster);

/* Issue into out_dir: cert.pem, key.pem (mode 0600), ca.pem (what to trust). */
MUST_CHECK struct status
pki_authority_issue(const char *dir, const struct pki_subject *subject, const char *out_dir);
