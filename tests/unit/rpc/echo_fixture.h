#pragma once

/* A server of the Echo service, a PKI, and a client that may call it. */

#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_server.h"
#include "tests/support/cmocka.h"
#include "tests/support/test_pki.h"
#include "tests/unit/rpc/echo.pb-c.h"

#include <stdatomic.h>

enum { ECHO_MESSAGE_MAX = 2 << 20, ECHO_ARENA_MAX = 4 << 20 };

struct echo {
    struct test_pki *pki;
    struct rpc_server *server;
    struct rpc_client *client;
    struct rpc_channel *channel;
    char target[64];
    atomic_int handled;  /* Handlers begun. */
    atomic_int released; /* Reply slices released. */
    struct rpc_service service;
    int64_t deadline_max_ms; /* Of servers started later; 0: 20 s. */
    struct status (*admit)(void *context, const struct rpc_peer *peer, const char *method);
};

/* Server b1 (role blobnode) with so many workers and places, frontend f1 as the client. */
void echo_start(struct echo *echo, unsigned workers, unsigned queue_max);
void echo_stop(struct echo *echo);

/* A server like the fixture's on address; FAIL as rpc_server_start. */
struct status echo_serve(
    struct echo *echo, const char *address, unsigned workers, unsigned queue_max,
    struct rpc_server **ret_server);

/* A client with the certificate of role and id, and a channel to the fixture's server. */
void echo_connect(
    struct echo *echo, const char *role, const char *id, struct rpc_client **ret_client,
    struct rpc_channel **ret_channel);

/* A request for method with a deadline 10 s from now. */
struct rpc_request echo_request(const char *method, const Triad__Test__SayRequest *message);

/* Say something and check the answer. */
struct status echo_say(struct rpc_channel *channel, const char *text);
