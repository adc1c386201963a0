#include "frontend/access.h"

#include "lib/base/clock.h"
#include "lib/s3/bucket_name.h"
#include "lib/telemetry/log.h"

#include <stdlib.h>

enum { CACHE_SLOTS = 256, GRANT_MARGIN_S = 20 };

struct name_slot {
    char name[BUCKET_NAME_MAX + 1];
    struct content_bucket bucket;
    int64_t end_ms;
};

struct grant_slot {
    struct id16 bucket;
    unsigned right;
    uint8_t grant[GRANT_SIZE];
    int64_t end_s; /* Unix time. */
};

struct access_cache {
    pthread_mutex_t mutex;
    struct name_slot names[CACHE_SLOTS];
    struct grant_slot grants[CACHE_SLOTS];
};

struct status access_cache_new(struct access_cache **ret_cache)
{
    struct access_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL) {
        return FAIL(NO_MEMORY, "access cache");
    }
    pthread_mutex_init(&cache->mutex, NULL);

    *ret_cache = cache;
    return OK;
}

void access_cache_free(struct access_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

void access_free(struct access *access)
{
    if (access == NULL) {
        return;
    }
    key_authorize_result_free(access->result);
    free(access);
}

/* ---------------------------------------------------------------- names */

/* FNV-1a: slots only; a collision costs a call. */
static size_t name_slot(struct bytes name)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < name.size; i++) {
        hash = (hash ^ name.data[i]) * 16777619u;
    }
    return hash % CACHE_SLOTS;
}

static bool
name_cached(struct access_cache *cache, struct bytes name, struct content_bucket *ret_bucket)
{
    struct name_slot *slot = &cache->names[name_slot(name)];
    LOCKED(&cache->mutex);
    if (!bytes_equal(bytes_text(slot->name), name) || clock_monotonic_ms() >= slot->end_ms) {
        return false;
    }
    *ret_bucket = slot->bucket;
    return true;
}

struct status
access_resolve(struct frontend_call *call, struct bytes name, struct content_bucket *ret_bucket)
{
    struct access_cache *cache = call->frontend->access;
    if (!bucket_name_is_valid(name)) {
        return frontend_refuse(call, S3_ERROR_INVALID_BUCKET_NAME, FAIL(INVALID, "bucket name"));
    }
    if (name_cached(cache, name, ret_bucket)) {
        return OK;
    }
    char text[BUCKET_NAME_MAX + 1] = {0};
    memcpy(text, name.data, name.size);
    struct content_bucket bucket = {.is_found = false};
    TRY(content_client_resolve_bucket(
        call->frontend->content, text, frontend_deadline(call), &bucket));
    if (bucket.is_found) {
        struct name_slot *slot = &cache->names[name_slot(name)];
        LOCKED(&cache->mutex);
        memcpy(slot->name, text, sizeof(text));
        slot->bucket = bucket;
        slot->end_ms = clock_monotonic_ms() + (int64_t)call->frontend->settings->name_cache;
    }

    *ret_bucket = bucket;
    return OK;
}

/* ---------------------------------------------------------------- grants */

static size_t grant_slot(const struct id16 *bucket, unsigned right)
{
    return (bucket->bytes[0] * 2u + (right == GRANT_WRITE ? 1u : 0u)) % CACHE_SLOTS;
}

bool access_cached_grant(
    struct frontend_call *call, const struct id16 *bucket, unsigned right,
    uint8_t ret_grant[GRANT_SIZE])
{
    struct access_cache *cache = call->frontend->access;
    struct grant_slot *slot = &cache->grants[grant_slot(bucket, right)];
    LOCKED(&cache->mutex);
    if (!id16_equal(&slot->bucket, bucket) || slot->right != right ||
        clock_wall_s() + GRANT_MARGIN_S >= slot->end_s) {
        return false;
    }
    memcpy(ret_grant, slot->grant, GRANT_SIZE);
    return true;
}

static void grant_remember(struct access_cache *cache, const uint8_t encoded[GRANT_SIZE])
{
    struct grant grant;
    if (!status_ok(grant_decode(bytes_of(encoded, GRANT_SIZE), &grant))) {
        return;
    }
    const unsigned rights[] = {GRANT_READ, GRANT_WRITE};
    for (size_t i = 0; i < 2; i++) {
        if ((grant.rights & rights[i]) == 0) {
            continue;
        }
        struct grant_slot *slot = &cache->grants[grant_slot(&grant.bucket, rights[i])];
        LOCKED(&cache->mutex);
        slot->bucket = grant.bucket;
        slot->right = rights[i];
        slot->end_s = (int64_t)grant.exp;
        memcpy(slot->grant, encoded, GRANT_SIZE);
    }
}

void access_forget(struct frontend_call *call, struct bytes name, const struct id16 *bucket)
{
    struct access_cache *cache = call->frontend->access;
    LOCKED(&cache->mutex);
    struct name_slot *named = &cache->names[name_slot(name)];
    if (bytes_equal(bytes_text(named->name), name)) {
        *named = (struct name_slot){.end_ms = 0};
    }
    const unsigned rights[] = {GRANT_READ, GRANT_WRITE};
    for (size_t i = 0; i < 2; i++) {
        struct grant_slot *slot = &cache->grants[grant_slot(bucket, rights[i])];
        if (id16_equal(&slot->bucket, bucket)) {
            *slot = (struct grant_slot){.end_s = 0};
        }
    }
}

/* The end of a grant on the monotonic clock, with a margin. */
static int64_t grant_end_ms(const uint8_t encoded[GRANT_SIZE])
{
    struct grant grant;
    if (!status_ok(grant_decode(bytes_of(encoded, GRANT_SIZE), &grant))) {
        return 0;
    }
    int64_t left_s = (int64_t)grant.exp - clock_wall_s() - GRANT_MARGIN_S;
    return clock_monotonic_ms() + left_s * 1000;
}

struct status
access_grant(struct frontend_call *call, struct access *access, ProtobufCBinaryData *ret_grant)
{
    struct key_authorize_result *result = access->result;
    if (!result->has_grant) {
        return FAIL(INTERNAL, "no grant for this request");
    }
    if (clock_monotonic_ms() >= access->grant_end_ms) {
        enum key_verdict verdict = KEY_REFUSED;
        TRY(key_client_renew_grant(
            call->frontend->keys, bytes_of(result->handle, result->handle_size),
            access->bucket.shard, frontend_deadline(call), result->grant, &verdict));
        if (verdict != KEY_ALLOWED) {
            return frontend_refuse(
                call, access_error_of_verdict(verdict), FAIL(DENIED, "grant not renewed"));
        }
        access->grant_end_ms = grant_end_ms(result->grant);
    }

    *ret_grant = content_client_binary(BYTES_ARRAY(result->grant));
    return OK;
}

/* ---------------------------------------------------------------- proofs */

enum s3_error access_error_of_verdict(enum key_verdict verdict)
{
    switch (verdict) {
    case KEY_ALLOWED:
        return S3_ERROR_NONE;
    case KEY_MALFORMED:
        return S3_ERROR_INVALID_REQUEST;
    case KEY_UNKNOWN_KEY:
        return S3_ERROR_INVALID_ACCESS_KEY;
    case KEY_BAD_SIGNATURE:
        return S3_ERROR_SIGNATURE_MISMATCH;
    case KEY_SKEWED:
        return S3_ERROR_REQUEST_TIME_SKEWED;
    case KEY_EXPIRED:
        return S3_ERROR_REQUEST_EXPIRED;
    case KEY_NO_SUCH_BUCKET:
        return S3_ERROR_NO_SUCH_BUCKET;
    case KEY_MISMATCH:
        return S3_ERROR_INTERNAL_ERROR; /* The content DB's record is not what it claims to be. */
    case KEY_BUSY:
        return S3_ERROR_SLOW_DOWN;
    case KEY_FAILED:
        return S3_ERROR_SERVICE_UNAVAILABLE;
    case KEY_UNSUPPORTED:
        return S3_ERROR_NOT_IMPLEMENTED;
    case KEY_REFUSED:
    case KEY_FORBIDDEN:
    default:
        return S3_ERROR_ACCESS_DENIED;
    }
}

static struct status
ask(struct frontend_call *call, const struct content_bucket *bucket, enum key_operation operation,
    const struct access_record *record, struct key_authorize_result **ret_result)
{
    const struct sigv4_authorization *authorization = &call->request->authorization;
    struct key_authorize_item item = {
        .canonical_request = call->request->canonical,
        .date = authorization->timestamp,
        .scope = authorization->scope,
        .access_key = authorization->access_key,
        .presigned_expires_s = (uint32_t)authorization->expires_s,
        .has_bucket = bucket->is_found,
        .bucket = bucket->bucket,
        .shard = bucket->shard,
        .operation = operation,
    };
    memcpy(item.signature, authorization->signature, sizeof(item.signature));
    if (record != NULL) {
        item.version_record = record->record;
        item.vmac = record->vmac;
        item.key_ref = record->key_ref;
    }
    return key_client_authorize(call->frontend->keys, &item, frontend_deadline(call), ret_result);
}

static struct status prove(
    struct frontend_call *call, const struct content_bucket *bucket, enum key_operation operation,
    const struct access_record *record, struct access **ret_access)
{
    OWNED(access) struct access *access = calloc(1, sizeof(*access));
    if (access == NULL) {
        return FAIL(NO_MEMORY, "access");
    }
    access->bucket = *bucket;
    TRY(ask(call, bucket, operation, record, &access->result));
    if (access->result->verdict != KEY_ALLOWED) {
        log_event(
            LOG_INFO, "request refused by the key store",
            LOG_TEXT("verdict", key_authorize_verdict_name(access->result->verdict)),
            LOG_BYTES("access_key", call->request->authorization.access_key));
        return frontend_refuse(
            call, access_error_of_verdict(access->result->verdict),
            FAIL(DENIED, "refused by the key store"));
    }
    if (access->result->has_grant) {
        access->grant_end_ms = grant_end_ms(access->result->grant);
        grant_remember(call->frontend->access, access->result->grant);
    }

    *ret_access = TAKE(access);
    return OK;
}

struct status access_prove_found(
    struct frontend_call *call, const struct content_bucket *bucket, enum key_operation operation,
    struct access **ret_access)
{
    return prove(call, bucket, operation, NULL, ret_access);
}

struct status access_prove_bucket(
    struct frontend_call *call, struct bytes name, enum key_operation operation,
    const struct access_record *record, struct access **ret_access)
{
    for (int attempt = 0;; attempt++) {
        struct content_bucket bucket = {.is_found = false};
        TRY(access_resolve(call, name, &bucket));
        call->bucket = bucket.bucket;
        if (!bucket.is_found) {
            OWNED(access) struct access *nobody = NULL;
            TRY(prove(call, &bucket, KEY_PROVE, NULL, &nobody));
            return frontend_refuse(
                call, S3_ERROR_NO_SUCH_BUCKET, FAIL(NOT_FOUND, "no such bucket"));
        }
        struct status status = prove(call, &bucket, operation, record, ret_access);
        if (status_ok(status) || call->error != S3_ERROR_NO_SUCH_BUCKET || attempt > 0) {
            return status;
        }
        /* Perhaps the name means another bucket by now. */
        access_forget(call, name, &bucket.bucket);
        call->error = S3_ERROR_NONE;
    }
}

struct status access_prove(
    struct frontend_call *call, enum key_operation operation, const struct access_record *record,
    struct access **ret_access)
{
    struct bytes name = call->request->target.bucket;
    if (name.size == 0 || operation == KEY_CREATE_BUCKET) {
        struct content_bucket none = {.is_found = false};
        return prove(call, &none, operation, record, ret_access);
    }
    return access_prove_bucket(call, name, operation, record, ret_access);
}
