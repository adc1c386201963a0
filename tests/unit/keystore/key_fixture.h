#pragma once

/*
 * A key store in this process, over real mutual TLS: its own PKI and directories, clients of each
 * role, and S3 requests signed as a client would.
 */

#include "keystore/key_client.h"
#include "keystore/key_service.h"
#include "proto/key.pb-c.h"
#include "tests/support/cmocka.h"
#include "tests/support/test_pki.h"

struct key_fixture {
    struct test_pki *pki;
    char root[64]; /* Temporary directory. */
    char data_dir[128];
    char key_file[128];
    char target[64];
    struct key_service *service;
    struct rpc_server *server;
    struct secret *keyset_root; /* PKCS#8 of the offline root. */
    struct buffer keyset_root_spki;
    uint64_t rate_max; /* For the next start. */
};

/* A connected peer. */
struct key_peer {
    struct rpc_client *rpc;
    struct key_client *client;
};

struct key_user {
    char access_key[64];
    char secret[64];
};

/* Init and serve. */
void key_fixture_start(struct key_fixture *fixture);
void key_fixture_stop(struct key_fixture *fixture);

/* Close and open again, as after a crash of the process. */
void key_fixture_restart(struct key_fixture *fixture);

/* Issue a certificate for role and id and connect with it. */
void key_fixture_connect(
    struct key_fixture *fixture, const char *role, const char *id, struct key_peer *ret_peer);
void key_fixture_disconnect(struct key_peer *peer);

/* Register the certificate of role and id, as an operator. */
void key_fixture_register(
    struct key_fixture *fixture, struct key_peer *operator_peer, const char *role, const char *id);
void key_fixture_pem(
    struct key_fixture *fixture, const char *role, const char *id, struct buffer *pem);

/* One call of a method; *ret_reply is to be freed. */
struct status key_fixture_identity(
    struct key_peer *peer, const char *method, void *message, struct rpc_reply **ret_reply);
struct status key_fixture_keys(
    struct key_peer *peer, const char *method, void *message, struct rpc_reply **ret_reply);

/* Sign the online key with the offline root. */
void key_fixture_delegate(struct key_fixture *fixture, struct key_peer *operator_peer);

/* admin_key has room for 64. */
void key_fixture_tenant(struct key_peer *operator_peer, const char *name, char *admin_key);
/* actions NULL: no policy; else one statement with one action. */
void key_fixture_user(
    struct key_peer *operator_peer, const char *tenant, const char *admin_key, const char *name,
    const char *action, const char *resource, struct key_user *ret_user);

/* A signed request. The item borrows from it. */
struct key_request {
    char canonical[4096];
    char date[32];
    char scope[64];
    struct key_authorize_item item;
};
struct key_sign {
    const char *method;
    const char *path;        /* Canonical: "/photos/a.jpg". */
    const char *query;       /* Canonical; NULL: none. */
    const char *copy_source; /* NULL: none. */
    int64_t age_s;
    uint32_t expires_s; /* Presigned. */
};
void key_fixture_sign(
    const struct key_user *user, const struct key_sign *sign, struct key_request *ret_request);

/* The verdict; *ret_result (may be NULL) is to be freed. */
enum key_verdict key_fixture_authorize(
    struct key_peer *peer, const struct key_request *request,
    struct key_authorize_result **ret_result);

/* PUT /name, activated; returns its id. */
struct id16
key_fixture_bucket(struct key_peer *frontend, const struct key_user *user, const char *name);

/* A version record of bucket/key for data, with its vmac under object_key. */
struct key_record {
    uint8_t record[VERSION_RECORD_SIZE];
    uint8_t vmac[VERSION_MAC_SIZE];
    uint8_t key_ref[KEY_REF_MAX];
    size_t key_ref_size;
};
void key_fixture_record(
    const struct key_authorize_result *generated, const struct id16 *bucket, const char *key,
    uint16_t flags, const struct id16 *version, struct key_record *ret_record);
void key_fixture_open_item(
    struct key_request *request, const struct id16 *bucket, const struct key_record *record);
