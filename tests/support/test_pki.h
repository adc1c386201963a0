#pragma once

/*
 * A throw-away PKI for tests: an offline root, "triad services CA" and "triad operators CA" under
 * it, and leaves with a SAN URI and a DNS name, all ECDSA P-256, in a directory of PEM files.
 *
 *     struct test_pki *pki = NULL;
 *     assert_ok(test_pki_new("c1", &pki));
 *     assert_ok(test_pki_issue(pki, "blobnode", "b1", NULL));
 *     options.tls = test_pki_files(pki, "blobnode", "b1");
 *
 * The server's DNS name, to be given to rpc_channel_open, is "<id>.<role>.test".
 */

#include "lib/base/cleanup.h"
#include "lib/base/status.h"
#include "lib/rpc/rpc_server.h"

struct test_pki;

/* Makes a temporary directory, root and issuing CAs. */
MUST_CHECK struct status test_pki_new(const char *cluster, struct test_pki **ret_pki);

/* Removes the directory too. */
void test_pki_free(struct test_pki *pki);

const char *test_pki_dir(const struct test_pki *pki);

/* A new key and certificate for role and id, from the CA that fits the role; ca "services",
 * "operators" or "root" overrules that. Files of an earlier issue are replaced by rename. */
MUST_CHECK struct status
test_pki_issue(struct test_pki *pki, const char *role, const char *id, const char *ca);

/* <dir>/ca.pem, <dir>/<role>-<id>.pem and .key; the texts live as long as pki. */
struct rpc_tls_files test_pki_files(struct test_pki *pki, const char *role, const char *id);

DEFINE_OWNED(test_pki)
