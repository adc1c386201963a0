#pragma once

/*
 * The content DB as its callers see it: one client for each shard, any number of threads.
 *
 * Every call blocks until it is answered or deadline_ms (clock_monotonic_ms) is over. Status OK
 * says that the content DB answered; what it decided is the outcome in the answer. Any other
 * status: UNAVAILABLE, BUSY: nothing happened. STALE: the answer was older than what this client
 * had seen before (a superseded daemon, ask again). UNKNOWN: it may have happened or not.
 *
 * Requests are protobuf-c structs that the caller fills (`seen` is set by the client, and the
 * struct is borrowed until the return); content_client_binary() makes their byte fields. Answers
 * with bytes in them come as the message itself inside an owned reply:
 *
 *     OWNED(content_reply) struct content_reply *reply = NULL;
 *     const Triad__Content__ListReply *list = NULL;
 *     TRY(content_client_list(client, &request, deadline_ms, &reply, &list));
 *
 * Lookup and Commit of different threads are coalesced: while a call is in flight, items queue and
 * go together in the next one. A coalesced call takes the latest deadline of its items; each item
 * returns at its own.
 *
 * A commit is never sent twice. When its reply is lost, the client asks Resolve, for up to
 * CONTENT_RESOLVE_MS more: the commit is then DONE, or KILLED for ever; only where that fails too
 * the status is UNKNOWN. Complete and Abort are asked again instead: they are idempotent.
 */

#include "contentdb/content_reply.h"
#include "lib/format/ids.h"
#include "lib/rpc/rpc_client.h"
#include "proto/content.pb-c.h"

enum {
    CONTENT_MESSAGE_MAX = 16 * 1024 * 1024, /* The rpc_client needs at least this message_max, */
    CONTENT_ARENA_MAX = 32 * 1024 * 1024,   /* and this arena_max. */
    CONTENT_RESOLVE_MS = 1000,
    CONTENT_ITEMS_MAX = 64,
    CONTENT_PAGES_MAX = 32, /* Pages of one answer. */
    CONTENT_KEY_MAX = 1024, /* Bytes of an object's name. */
    CONTENT_PARTS_MAX = 10000,
    CONTENT_LIST_MAX = 1000,
};

struct content_client;

struct content_client_options {
    unsigned lookup_calls_max; /* Coalesced calls in flight at once; 0: 2. */
    unsigned commit_calls_max; /* 0: 2. */
};

/* Opens a channel that connects in the background. options may be NULL. rpc_client outlives us. */
MUST_CHECK struct status content_client_new(
    struct rpc_client *rpc_client, const char *address, const char *tls_name,
    const struct content_client_options *options, struct content_client **ret_client);
/* No call may be in progress. */
void content_client_free(struct content_client *client);

/* True unless the last attempt to connect failed. */
bool content_client_is_up(const struct content_client *client);

/* A byte field of a message that borrows bytes. */
ProtobufCBinaryData content_client_binary(struct bytes bytes);
struct bytes content_client_bytes(ProtobufCBinaryData binary);

/* ---------------------------------------------------------------- without a grant */

struct content_bucket {
    bool is_found; /* Without it nothing else is set. */
    struct id16 bucket;
    struct id16 tenant;
    uint32_t shard;
};
MUST_CHECK struct status content_client_resolve_bucket(
    struct content_client *client, const char *name, int64_t deadline_ms,
    struct content_bucket *ret_bucket);

MUST_CHECK struct status content_client_list_accounts(
    struct content_client *client, int64_t deadline_ms, struct content_reply **ret_reply,
    const Triad__Content__ListAccountsReply **ret_accounts);

/* content_lease.h is what a frontend uses. */
MUST_CHECK struct status
content_client_open_lease(struct content_client *client, int64_t deadline_ms, uint64_t *ret_lease);
MUST_CHECK struct status content_client_renew_lease(
    struct content_client *client, uint64_t lease, int64_t deadline_ms, bool *ret_is_open);

/* ---------------------------------------------------------------- buckets */

struct content_bucket_answer {
    Triad__Content__Outcome outcome; /* DONE, EXISTS, DENIED, NO_SUCH_BUCKET, NOT_EMPTY, ... */
    struct id16 tenant;              /* EXISTS: of the bucket that has the name. */
};
MUST_CHECK struct status content_client_create_bucket(
    struct content_client *client, const Triad__Content__CreateBucketRequest *request,
    int64_t deadline_ms, struct content_bucket_answer *ret_answer);
MUST_CHECK struct status content_client_delete_bucket(
    struct content_client *client, const Triad__Content__DeleteBucketRequest *request,
    int64_t deadline_ms, struct content_bucket_answer *ret_answer);
MUST_CHECK struct status content_client_list_buckets(
    struct content_client *client, const Triad__Content__ListBucketsRequest *request,
    int64_t deadline_ms, struct content_reply **ret_reply,
    const Triad__Content__ListBucketsReply **ret_buckets);

/* ---------------------------------------------------------------- reading */

/*
 * The head of a name, coalesced. Pages may end before the range does (pages_max, about 1 MiB an
 * item): ask content_client_pages for what follows.
 */
MUST_CHECK struct status content_client_lookup(
    struct content_client *client, const Triad__Content__LookupItem *item, int64_t deadline_ms,
    struct content_reply **ret_reply, const Triad__Content__LookupResult **ret_result);
MUST_CHECK struct status content_client_pages(
    struct content_client *client, const Triad__Content__PagesRequest *request, int64_t deadline_ms,
    struct content_reply **ret_reply, const Triad__Content__PagesReply **ret_pages);
MUST_CHECK struct status content_client_list(
    struct content_client *client, const Triad__Content__ListRequest *request, int64_t deadline_ms,
    struct content_reply **ret_reply, const Triad__Content__ListReply **ret_list);

/* ---------------------------------------------------------------- writing */

struct content_commit {
    Triad__Content__Outcome outcome;
    uint64_t seq;   /* DONE: with version16 it makes the versionId. */
    bool was_there; /* PUT, DELETE: a head was replaced. Not known after a Resolve: false. */
};

/*
 * One object change, coalesced, answered once its outcome is certain. item->content is a content10
 * from content_lease.h, fresh for each commit, also of DELETE and COPY (whose record keeps the
 * source's content). LEASE_CLOSED and KILLED:
 * nothing happened and never will; take a new content10 and begin again.
 */
MUST_CHECK struct status content_client_commit(
    struct content_client *client, const Triad__Content__CommitItem *item, int64_t deadline_ms,
    struct content_commit *ret_commit);

/* Done by content_client_commit itself. version: version16 of a PUT or COPY, the upload of a PART,
 * empty for a DELETE. */
MUST_CHECK struct status content_client_resolve(
    struct content_client *client, const Triad__Content__ResolveRequest *request,
    int64_t deadline_ms, struct content_commit *ret_commit);

/* ---------------------------------------------------------------- multipart */

MUST_CHECK struct status content_client_create_upload(
    struct content_client *client, const Triad__Content__CreateUploadRequest *request,
    int64_t deadline_ms, Triad__Content__Outcome *ret_outcome);
/* NO_SUCH_UPLOAD with an upload row: it was completed before, and this is the version; so a
 * Complete that is asked again is answered. */
MUST_CHECK struct status content_client_list_parts(
    struct content_client *client, const Triad__Content__ListPartsRequest *request,
    int64_t deadline_ms, struct content_reply **ret_reply,
    const Triad__Content__ListPartsReply **ret_parts);
/* One segment a part, in order; segment pages but the last hold equally many. DONE, also when an
 * earlier Complete did it: then the answer's row is the version. */
MUST_CHECK struct status content_client_complete_upload(
    struct content_client *client, const Triad__Content__CompleteUploadRequest *request,
    int64_t deadline_ms, struct content_reply **ret_reply,
    const Triad__Content__UploadReply **ret_upload);
MUST_CHECK struct status content_client_abort_upload(
    struct content_client *client, const Triad__Content__AbortUploadRequest *request,
    int64_t deadline_ms, Triad__Content__Outcome *ret_outcome);
MUST_CHECK struct status content_client_list_uploads(
    struct content_client *client, const Triad__Content__ListUploadsRequest *request,
    int64_t deadline_ms, struct content_reply **ret_reply,
    const Triad__Content__ListUploadsReply **ret_uploads);

/* ---------------------------------------------------------------- repair */

MUST_CHECK struct status content_client_report_repair(
    struct content_client *client, const Triad__Content__ReportRepairRequest *request,
    int64_t deadline_ms, Triad__Content__Outcome *ret_outcome);

struct content_steward {
    bool is_active;
    uint32_t fence;   /* Goes with every later call of the steward. */
    uint64_t life_ms; /* Take it again before. */
};
/* fence: held before, or 0. */
MUST_CHECK struct status content_client_take_steward(
    struct content_client *client, uint32_t fence, int64_t deadline_ms,
    struct content_steward *ret_steward);
MUST_CHECK struct status content_client_next_repairs(
    struct content_client *client, const Triad__Content__NextRepairsRequest *request,
    int64_t deadline_ms, struct content_reply **ret_reply,
    const Triad__Content__NextRepairsReply **ret_repairs);
/* ret_copy is set where the outcome is DONE. */
MUST_CHECK struct status content_client_reserve_repair(
    struct content_client *client, const Triad__Content__ReserveRepairRequest *request,
    int64_t deadline_ms, Triad__Content__Outcome *ret_outcome, uint32_t *ret_copy);
MUST_CHECK struct status content_client_confirm_repair(
    struct content_client *client, const Triad__Content__ConfirmRepairRequest *request,
    int64_t deadline_ms, Triad__Content__Outcome *ret_outcome);
MUST_CHECK struct status content_client_finish_repair(
    struct content_client *client, const Triad__Content__FinishRepairRequest *request,
    int64_t deadline_ms, Triad__Content__Outcome *ret_outcome);

/* ---------------------------------------------------------------- operators */

MUST_CHECK struct status content_client_add_account(
    struct content_client *client, const Triad__Content__Account *account, int64_t deadline_ms,
    uint32_t *ret_number);
MUST_CHECK struct status content_client_status(
    struct content_client *client, int64_t deadline_ms, struct content_reply **ret_reply,
    const Triad__Content__StatusReply **ret_status);

DEFINE_OWNED(content_client)
