#pragma once

/*
 * What all requests of this frontend share, made at start; and one S3 request under way.
 */

#include "contentdb/content_lease.h"
#include "frontend/body_digest.h"
#include "frontend/chunk_pool.h"
#include "frontend/erasure_table.h"
#include "frontend/fragment_client.h"
#include "frontend/s3_request.h"
#include "keystore/key_client.h"
#include "lib/daemon/config.h"

struct frontend_settings {
#define OPTION CONFIG_FIELD
#include "frontend/frontend.def"
#undef OPTION
};

struct access_cache;

struct frontend {
    const struct frontend_settings *settings; /* Outlives us. */
    struct rpc_client *rpc_client;            /* Owned, as all below. */
    struct key_client *keys;
    struct content_client *content;
    struct content_lease *lease;
    struct fragment_client *fragments;
    struct erasure_table *erasures;
    struct chunk_pool *pool;
    struct body_digest_pool *digests;
    struct access_cache *access;
    struct http_server *server;
};

/* One request, in its worker. */
struct frontend_call {
    struct frontend *frontend;
    struct http_exchange *exchange;
    const struct s3_request *request;
    struct arena *arena;
    enum s3_error error;  /* What to answer; NONE: what the status says. */
    struct id16 bucket;   /* For the log; zero where there is none. */
    int64_t answer_by_ms; /* See frontend_progress. */
};

/* Fail with exactly this S3 error: the status for the log, the error for the client. */
MUST_CHECK struct status
frontend_refuse(struct frontend_call *call, enum s3_error error, struct status status);

/* The S3 error of a call that failed with status. */
enum s3_error frontend_error(const struct frontend_call *call, struct status status);

/*
 * The client moved bytes of the body. From then on, or from the request's head, everything that is
 * waited for has answer_timeout together: a client gets its answer in that time, whatever is down.
 */
void frontend_progress(struct frontend_call *call);

/* When a call to the key store or content DB that begins now has to end. */
int64_t frontend_deadline(const struct frontend_call *call);
/* The same for one that changes something, whose unknown outcome may have to be asked for. */
int64_t frontend_commit_deadline(const struct frontend_call *call);
/* Until when chunks may be waited for; there is time for the commit then. */
int64_t frontend_upload_deadline(const struct frontend_call *call);
/* Until when a request may wait for a chunk buffer. */
int64_t frontend_buffer_deadline(const struct frontend_call *call);

/* Headers that every answer carries. */
void frontend_common_headers(struct frontend_call *call);

/* Answer 200 with an XML document (consumed buffer_status is checked). */
MUST_CHECK struct status frontend_respond_xml(struct frontend_call *call, const struct buffer *xml);

/* The number that a handler answers its status with when the content DB decided otherwise than
 * DONE: sets the error that the client gets. DONE is OK. */
MUST_CHECK struct status
frontend_outcome(struct frontend_call *call, Triad__Content__Outcome outcome);

/* The S3 error that an outcome means. */
enum s3_error frontend_error_of_outcome(Triad__Content__Outcome outcome);
