#pragma once

/* What rpc_client.c, rpc_channel.c and rpc_request.c share. Internal to lib/rpc. */

#include "lib/base/task.h"
#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_link.h"
#include "lib/rpc/rpc_tls.h"

#include <grpc/grpc.h>

struct rpc_outgoing;

struct rpc_client {
    size_t message_max;
    size_t arena_max;
    struct rpc_tls *tls; /* Owned. */
    grpc_completion_queue *queue;
    struct task poller;

    pthread_mutex_t mutex; /* Held for what follows. */
    pthread_cond_t ended;
    struct rpc_tls_material *material; /* Owned: what new links use. */
    struct rpc_channel *channels;      /* Not owned. */
    struct rpc_outgoing *calls;        /* In flight. */
    size_t calls_count;                /* Until done returned. */
    bool is_stopping;
};

struct rpc_channel {
    struct rpc_client *client; /* Outlives us. */
    char *target;              /* Owned. */
    char *tls_name;            /* Owned. */
    enum rpc_role role;
    /* Under the client's mutex. */
    struct rpc_link *link; /* A reference. */
    struct rpc_channel *next;
};

/* On the polling thread, about once a second: connect what lost its connection. */
void rpc_channel_connect_all(struct rpc_client *client);

/* Look at our files; if they changed, later calls and connections use the new certificate. */
void rpc_client_renew(struct rpc_client *client);

/* New links with the material in force. */
void rpc_channel_renew_all(struct rpc_client *client);

/* The link to start a call on, referenced; NULL while the client stops. */
struct rpc_link *rpc_channel_link(struct rpc_channel *channel);

/* With the client's mutex held: cancel the calls of a channel, of all if NULL. */
void rpc_request_cancel_all(struct rpc_client *client, const struct rpc_channel *channel);

/* On the polling thread: a completion. */
void rpc_request_ended(void *tag);
