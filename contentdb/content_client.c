#include "contentdb/content_client.h"

#include "contentdb/content_client_call.h"
#include "contentdb/content_lane.h"
#include "contentdb/outcome.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"

#include <stdlib.h>

enum { CALLS_DEFAULT = 2, LOOKUP_TRIES = 5, RETRY_MS = 50, REQUEST_SIZE_MAX = 512 };

struct content_client {
    struct rpc_channel *channel; /* Owned. */
    struct content_seen seen;
    struct content_lane *lookups; /* Owned. */
    struct content_lane *commits; /* Owned. */
};

ProtobufCBinaryData content_client_binary(struct bytes bytes)
{
    ProtobufCBinaryData binary = {.len = bytes.size};
    memcpy(&binary.data, &bytes.data, sizeof(binary.data)); /* Packed, never changed. */
    return binary;
}

struct bytes content_client_bytes(ProtobufCBinaryData binary)
{
    return bytes_of(binary.data, binary.len);
}

static struct status
new_lanes(struct content_client *client, const struct content_client_options *options)
{
    unsigned lookups = options != NULL ? options->lookup_calls_max : 0;
    unsigned commits = options != NULL ? options->commit_calls_max : 0;
    struct content_lane_options lane = {
        .kind = CONTENT_LANE_LOOKUP,
        .channel = client->channel,
        .seen = &client->seen,
        .calls_max = lookups != 0 ? lookups : CALLS_DEFAULT,
    };
    TRY(content_lane_new(&lane, &client->lookups));
    lane.kind = CONTENT_LANE_COMMIT;
    lane.calls_max = commits != 0 ? commits : CALLS_DEFAULT;
    return content_lane_new(&lane, &client->commits);
}

struct status content_client_new(
    struct rpc_client *rpc_client, const char *address, const char *tls_name,
    const struct content_client_options *options, struct content_client **ret_client)
{
    OWNED(content_client) struct content_client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        return FAIL(NO_MEMORY, "content client");
    }
    content_seen_init(&client->seen);
    TRY(rpc_channel_open(rpc_client, address, tls_name, RPC_ROLE_CONTENTDB, &client->channel));
    TRY(new_lanes(client, options));
    *ret_client = TAKE(client);
    return OK;
}

void content_client_free(struct content_client *client)
{
    if (client == NULL) {
        return;
    }
    content_lane_free(client->lookups);
    content_lane_free(client->commits);
    rpc_channel_free(client->channel);
    content_seen_done(&client->seen);
    free(client);
}

bool content_client_is_up(const struct content_client *client)
{
    return rpc_channel_is_up(client->channel);
}

struct status content_client_call(
    struct content_client *client, const char *method, const ProtobufCMessage *request,
    int64_t deadline_ms, struct content_reply **ret_reply)
{
    union {
        ProtobufCMessage message;
        uint64_t words[REQUEST_SIZE_MAX / 8];
    } copy;
    Triad__Content__Position sent;
    CHECK(request->descriptor->sizeof_message <= sizeof(copy));
    memcpy(&copy, request, request->descriptor->sizeof_message);
    content_seen_get(&client->seen, &sent);
    content_seen_set(&copy.message, &sent);
    const struct rpc_request call = {
        .service = &triad__content__content__descriptor,
        .method = method,
        .message = &copy.message,
        .deadline_ms = deadline_ms,
    };
    OWNED(rpc_reply) struct rpc_reply *reply = NULL;
    TRY(rpc_call_wait(client->channel, &call, &reply));
    TRY(content_seen_check(&client->seen, &sent, content_seen_of(reply->message)));
    return content_reply_new(&reply, ret_reply);
}

/* After these the request was certainly not carried out. */
static bool is_certain(struct status status)
{
    return status.code == STATUS_UNAVAILABLE || status.code == STATUS_DENIED ||
           status.code == STATUS_UNAUTHENTICATED || status.code == STATUS_INVALID;
}

/* As call, for idempotent requests: asked again while nobody knows what became of it. */
static struct status call_again(
    struct content_client *client, const char *method, const ProtobufCMessage *request,
    int64_t deadline_ms, struct content_reply **ret_reply, bool *ret_is_again)
{
    struct status status = content_client_call(client, method, request, deadline_ms, ret_reply);
    int64_t last_ms = deadline_ms + CONTENT_RESOLVE_MS;
    *ret_is_again = false;
    if (status_ok(status) || is_certain(status)) {
        return status;
    }
    *ret_is_again = true;
    while (clock_monotonic_ms() < last_ms) {
        status = content_client_call(client, method, request, last_ms, ret_reply);
        if (status_ok(status)) {
            return OK;
        }
        clock_sleep_ms(RETRY_MS);
    }
    return FAIL(UNKNOWN, "outcome of a request");
}

/* ---------------------------------------------------------------- reading */

/* UNAVAILABLE for one item: the others filled the reply, or the shard is busy. */
struct status content_client_lookup(
    struct content_client *client, const Triad__Content__LookupItem *item, int64_t deadline_ms,
    struct content_reply **ret_reply, const Triad__Content__LookupResult **ret_result)
{
    for (int i = 1;; i++) {
        OWNED(content_reply) struct content_reply *reply = NULL;
        const ProtobufCMessage *result = NULL;
        bool was_sent = false;
        TRY(content_lane_call(
            client->lookups, &item->base, deadline_ms, &reply, &result, &was_sent));
        const Triad__Content__LookupResult *found = (const void *)result;
        if (found->outcome != OUTCOME(UNAVAILABLE) || i == LOOKUP_TRIES) {
            *ret_result = found;
            *ret_reply = TAKE(reply);
            return OK;
        }
        if (i > 1) {
            clock_sleep_ms(RETRY_MS);
        }
    }
}

struct status content_client_pages(
    struct content_client *client, const Triad__Content__PagesRequest *request, int64_t deadline_ms,
    struct content_reply **ret_reply, const Triad__Content__PagesReply **ret_pages)
{
    TRY(content_client_call(client, "Pages", &request->base, deadline_ms, ret_reply));
    *ret_pages = (const void *)content_reply_message(*ret_reply);
    return OK;
}

struct status content_client_list(
    struct content_client *client, const Triad__Content__ListRequest *request, int64_t deadline_ms,
    struct content_reply **ret_reply, const Triad__Content__ListReply **ret_list)
{
    TRY(content_client_call(client, "List", &request->base, deadline_ms, ret_reply));
    *ret_list = (const void *)content_reply_message(*ret_reply);
    return OK;
}

/* ---------------------------------------------------------------- writing */

struct status content_client_resolve(
    struct content_client *client, const Triad__Content__ResolveRequest *request,
    int64_t deadline_ms, struct content_commit *ret_commit)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    TRY(content_client_call(client, "Resolve", &request->base, deadline_ms, &reply));
    const Triad__Content__ResolveReply *answer = (const void *)content_reply_message(reply);
    *ret_commit = (struct content_commit){.outcome = answer->outcome, .seq = answer->seq};
    return OK;
}

/* The commit is done, or killed for ever, or nobody can tell in time. */
static struct status settle_commit(
    struct content_client *client, const Triad__Content__CommitItem *item, int64_t last_ms,
    struct content_commit *ret_commit)
{
    Triad__Content__ResolveRequest request = TRIAD__CONTENT__RESOLVE_REQUEST__INIT;
    request.grant = item->grant;
    request.bucket = item->bucket;
    request.content = item->content;
    if (item->kind == TRIAD__CONTENT__COMMIT_KIND__PART) {
        request.version = item->upload;
    } else if (item->kind != TRIAD__CONTENT__COMMIT_KIND__DELETE) {
        request.version = item->version;
    }
    while (clock_monotonic_ms() < last_ms) {
        struct content_commit commit;
        struct status status = content_client_resolve(client, &request, last_ms, &commit);
        if (status_ok(status) &&
            (commit.outcome == OUTCOME(DONE) || commit.outcome == OUTCOME(KILLED))) {
            *ret_commit = commit;
            return OK;
        }
        if (status_ok(status) && commit.outcome == OUTCOME(DENIED)) {
            break; /* The grant is over. */
        }
        clock_sleep_ms(RETRY_MS);
    }
    return FAIL(UNKNOWN, "outcome of a commit");
}

struct status content_client_commit(
    struct content_client *client, const Triad__Content__CommitItem *item, int64_t deadline_ms,
    struct content_commit *ret_commit)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    const ProtobufCMessage *message = NULL;
    bool was_sent = false;
    struct status status =
        content_lane_call(client->commits, &item->base, deadline_ms, &reply, &message, &was_sent);
    if (!status_ok(status)) {
        if (!was_sent || is_certain(status)) {
            return status.code == STATUS_TIMEOUT ? FAIL(UNAVAILABLE, "commit was not sent")
                                                 : status;
        }
        return settle_commit(client, item, deadline_ms + CONTENT_RESOLVE_MS, ret_commit);
    }
    const Triad__Content__CommitResult *result = (const void *)message;
    if (result->outcome == OUTCOME(UNKNOWN) || result->outcome == OUTCOME(NONE)) {
        return settle_commit(client, item, deadline_ms + CONTENT_RESOLVE_MS, ret_commit);
    }
    *ret_commit = (struct content_commit){
        .outcome = result->outcome, .seq = result->seq, .was_there = result->was_there != 0};
    return OK;
}

/* ---------------------------------------------------------------- multipart */

/* Idempotent on the upload's id. */
struct status content_client_create_upload(
    struct content_client *client, const Triad__Content__CreateUploadRequest *request,
    int64_t deadline_ms, Triad__Content__Outcome *ret_outcome)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    bool is_again = false;
    TRY(call_again(client, "CreateUpload", &request->base, deadline_ms, &reply, &is_again));
    const Triad__Content__UploadReply *answer = (const void *)content_reply_message(reply);
    *ret_outcome = answer->outcome;
    return OK;
}

struct status content_client_list_parts(
    struct content_client *client, const Triad__Content__ListPartsRequest *request,
    int64_t deadline_ms, struct content_reply **ret_reply,
    const Triad__Content__ListPartsReply **ret_parts)
{
    TRY(content_client_call(client, "ListParts", &request->base, deadline_ms, ret_reply));
    *ret_parts = (const void *)content_reply_message(*ret_reply);
    return OK;
}

struct status content_client_complete_upload(
    struct content_client *client, const Triad__Content__CompleteUploadRequest *request,
    int64_t deadline_ms, struct content_reply **ret_reply,
    const Triad__Content__UploadReply **ret_upload)
{
    bool is_again = false;
    TRY(call_again(client, "CompleteUpload", &request->base, deadline_ms, ret_reply, &is_again));
    *ret_upload = (const void *)content_reply_message(*ret_reply);
    return OK;
}

struct status content_client_abort_upload(
    struct content_client *client, const Triad__Content__AbortUploadRequest *request,
    int64_t deadline_ms, Triad__Content__Outcome *ret_outcome)
{
    OWNED(content_reply) struct content_reply *reply = NULL;
    bool is_again = false;
    TRY(call_again(client, "AbortUpload", &request->base, deadline_ms, &reply, &is_again));
    const Triad__Content__UploadReply *answer = (const void *)content_reply_message(reply);
    bool is_gone = is_again && answer->outcome == OUTCOME(NO_SUCH_UPLOAD);
    *ret_outcome = is_gone ? OUTCOME(DONE) : answer->outcome; /* The first one did it. */
    return OK;
}

struct status content_client_list_uploads(
    struct content_client *client, const Triad__Content__ListUploadsRequest *request,
    int64_t deadline_ms, struct content_reply **ret_reply,
    const Triad__Content__ListUploadsReply **ret_uploads)
{
    TRY(content_client_call(client, "ListUploads", &request->base, deadline_ms, ret_reply));
    *ret_uploads = (const void *)content_reply_message(*ret_reply);
    return OK;
}
