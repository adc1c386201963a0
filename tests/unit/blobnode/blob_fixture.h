#pragma once

/* A blob node in this process, over mutual TLS on loopback, with one account, and a key store in
 * the pocket. Every function asserts. */

#include "blobnode/blob_client.h"
#include "blobnode/blob_service.h"
#include "proto/blob.pb-c.h"
#include "tests/support/test_pki.h"
#include "tests/unit/blobnode/blob_authority.h"

enum { BLOB_FIXTURE_NUMBER = 11, BLOB_FIXTURE_WAIT_MS = 10000 };

extern const struct id16 blob_fixture_account; /* Is on the node. */

struct blob_fixture {
    struct blob_authority authority;
    struct test_pki *pki;
    char dir[64];
    struct blob_store *store;
    struct blob_service service;
    struct rpc_server *server;
    char target[64];
    uint64_t now_s;
};

/* Start the node and format the account with keyset version 7. */
void blob_fixture_start(struct blob_fixture *fixture);
/* Stop and start again, on the same port and directory: 0 for a new port. */
void blob_fixture_stop_server(struct blob_fixture *fixture);
void blob_fixture_start_server(struct blob_fixture *fixture);
void blob_fixture_stop(struct blob_fixture *fixture);

/* Someone who calls: a certificate, a channel, a client. */
struct blob_caller {
    struct blob_fixture *fixture;
    struct rpc_client *rpc_client;
    struct rpc_channel *channel;
    struct blob_client *client;
    uint8_t cert_sha256[32];
    int64_t token_life_s;  /* Negative: expired long ago. */
    uint64_t seen_version; /* What on_keyset_version was told last. */
    bool has_no_tokens;
};
void blob_fixture_call_as(
    struct blob_fixture *fixture, const char *role, const char *id, struct blob_caller *caller);
void blob_fixture_hang_up(struct blob_caller *caller);

/* A good token of this caller. */
void blob_fixture_token(
    struct blob_caller *caller, const struct id16 *account, enum token_perm perm,
    uint8_t ret_token[TOKEN_SIZE]);

/* One call on the bare channel. reply may be NULL. */
struct status blob_fixture_call(
    struct blob_caller *caller, const char *method, const ProtobufCMessage *message,
    struct bytes token, struct rpc_payload payload, struct rpc_reply **ret_reply);

/* Put through the client, and wait. */
struct status blob_fixture_put(
    struct blob_caller *caller, const struct id16 *id, struct bytes bytes,
    enum blob_outcome *ret_outcome);
/* Read through the client, and wait: appended to text. */
struct status blob_fixture_get(
    struct blob_caller *caller, const struct id16 *id, uint32_t offset, uint32_t size,
    struct buffer *text);
