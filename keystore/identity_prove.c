#include "keystore/identity_prove.h"

#include "lib/s3/s3_time.h"

#include <stdio.h>

/* The rights of a grant for each operation (FORMATS 6). */
static uint16_t rights_of(enum s3_operation operation)
{
    switch (operation) {
    case S3_LIST_BUCKETS:
        return GRANT_LIST_BUCKETS;
    case S3_CREATE_BUCKET:
    case S3_DELETE_BUCKET:
        return GRANT_READ | GRANT_WRITE | GRANT_ADMIN;
    case S3_HEAD_BUCKET:
    case S3_GET_BUCKET_LOCATION:
    case S3_GET_BUCKET_VERSIONING:
    case S3_LIST_OBJECTS:
    case S3_LIST_OBJECTS_V2:
    case S3_LIST_MULTIPART_UPLOADS:
    case S3_GET_OBJECT:
    case S3_HEAD_OBJECT:
    case S3_LIST_PARTS:
        return GRANT_READ;
    case S3_DELETE_OBJECTS:
    case S3_PUT_OBJECT:
    case S3_COPY_OBJECT:
    case S3_DELETE_OBJECT:
    case S3_CREATE_MULTIPART_UPLOAD:
    case S3_UPLOAD_PART:
    case S3_UPLOAD_PART_COPY:
    case S3_COMPLETE_MULTIPART_UPLOAD:
    case S3_ABORT_MULTIPART_UPLOAD:
        return GRANT_READ | GRANT_WRITE;
    case S3_NOT_IMPLEMENTED:
        break;
    }
    return 0;
}

/* The words of the signature beside the canonical request. */
struct words {
    struct bytes date;
    struct bytes region;
    int64_t time_s;
};

/* A presigned request carries its window and credential inside the canonical request: what the
 * frontend says beside it must be the same. */
static bool presigned_fits(const struct key_authorize_item *item, const struct sigv4_target *target)
{
    struct bytes expires;
    struct bytes credential;
    char text[16];
    char whole[SIGV4_ACCESS_KEY_MAX + 256];

    if (!sigv4_target_parameter(target, "X-Amz-Expires", &expires) ||
        !sigv4_target_parameter(target, "X-Amz-Credential", &credential)) {
        return false;
    }
    snprintf(text, sizeof(text), "%u", item->presigned_expires_s);
    int length = snprintf(
        whole, sizeof(whole), "%.*s/%.*s", (int)item->access_key.size,
        (const char *)item->access_key.data, (int)item->scope.size, (const char *)item->scope.data);
    return length > 0 && (size_t)length < sizeof(whole) && bytes_equal(expires, bytes_text(text)) &&
           bytes_equal(credential, bytes_text(whole));
}

static bool words_fit(
    const struct key_authorize_item *item, const struct sigv4_target *target,
    struct words *ret_words)
{
    if (item->access_key.size == 0 || item->access_key.size > SIGV4_ACCESS_KEY_MAX ||
        item->scope.size > 255) {
        return false;
    }
    if (!status_ok(sigv4_parse_scope(item->scope, &ret_words->date, &ret_words->region)) ||
        !s3_time_parse_amz(item->date, &ret_words->time_s) ||
        !bytes_starts_with(item->date, ret_words->date)) {
        return false;
    }
    if (target->amz_date.size > 0 && !bytes_equal(target->amz_date, item->date)) {
        return false;
    }
    bool is_presigned = item->presigned_expires_s > 0;
    if (is_presigned != target->is_presigned) {
        return false;
    }
    return !is_presigned || presigned_fits(item, target);
}

static enum key_verdict check_time(
    const struct identity_prove_options *options, const struct key_authorize_item *item,
    int64_t time_s)
{
    int64_t now_s = options->now_s;
    int64_t expires_s = item->presigned_expires_s;

    if (time_s > now_s + options->clock_skew_s) {
        return KEY_SKEWED;
    }
    if (expires_s > 0) {
        if (expires_s > SIGV4_EXPIRES_MAX_S) {
            return KEY_MALFORMED;
        }
        return now_s > time_s + expires_s ? KEY_EXPIRED : KEY_ALLOWED;
    }
    return now_s > time_s + options->clock_skew_s ? KEY_SKEWED : KEY_ALLOWED;
}

static enum key_verdict check_signature(
    struct identity_store *store, const struct key_authorize_item *item,
    const struct identity_user_row *user, const struct words *words)
{
    OWNED(secret) struct secret *key = NULL;
    uint8_t expected[SIGV4_SIGNATURE_SIZE];

    struct status status =
        identity_store_signing_key(store, item->access_key, user, words->date, words->region, &key);
    if (status_ok(status)) {
        status = sigv4_sign(key, item->date, item->scope, item->canonical_request, expected);
    }
    if (!status_ok(status)) {
        return KEY_FAILED;
    }
    return sigv4_equal(expected, item->signature) ? KEY_ALLOWED : KEY_BAD_SIGNATURE;
}

static enum key_verdict find_active(
    struct identity_store *store, struct bytes access_key, struct buffer *value,
    struct identity_user_row *ret_user)
{
    struct status status = identity_store_find_user(store, access_key, value, ret_user);

    if (status.code == STATUS_NOT_FOUND) {
        return KEY_UNKNOWN_KEY;
    }
    if (!status_ok(status)) {
        return KEY_FAILED;
    }
    return ret_user->is_active ? KEY_ALLOWED : KEY_UNKNOWN_KEY;
}

/* After the signature: policy, and what the Keys partition needs to know. */
static enum key_verdict conclude(const struct identity_user_row *user, struct identity_proof *proof)
{
    if (proof->operation == S3_NOT_IMPLEMENTED) {
        return KEY_UNSUPPORTED;
    }
    if (!policy_allows(&user->policy, proof->operation, &proof->target)) {
        return KEY_FORBIDDEN;
    }
    if (!status_ok(policy_sha256(&user->policy, proof->policy_sha256))) {
        return KEY_FAILED;
    }
    proof->tenant = user->tenant;
    proof->rights = rights_of(proof->operation);
    return KEY_ALLOWED;
}

enum key_verdict identity_prove(
    struct identity_store *store, const struct identity_prove_options *options,
    const struct key_authorize_item *item, struct arena *arena, struct identity_proof *ret_proof)
{
    struct identity_user_row user;
    struct words words;
    BUFFER(value, IDENTITY_ROW_VALUE_MAX);
    struct identity_proof *proof = ret_proof;

    struct status parsed =
        sigv4_target_parse(item->canonical_request, options->domain, arena, &proof->target);
    if (!status_ok(parsed)) {
        return parsed.code == STATUS_UNSUPPORTED ? KEY_UNSUPPORTED : KEY_MALFORMED;
    }
    if (!words_fit(item, &proof->target, &words)) {
        return KEY_MALFORMED;
    }
    enum key_verdict verdict = check_time(options, item, words.time_s);
    if (verdict == KEY_ALLOWED) {
        verdict = find_active(store, item->access_key, &value, &user);
    }
    if (verdict == KEY_ALLOWED) {
        verdict = check_signature(store, item, &user, &words);
    }
    if (verdict != KEY_ALLOWED) {
        return verdict;
    }
    memcpy(proof->access_key, item->access_key.data, IDENTITY_ACCESS_KEY_SIZE);
    proof->access_key[IDENTITY_ACCESS_KEY_SIZE] = '\0';
    proof->operation = s3_operation_of(&proof->target);
    return conclude(&user, proof);
}

enum key_verdict identity_prove_again(
    struct identity_store *store, struct bytes access_key, const struct id16 *tenant,
    const uint8_t policy_sha256_then[32])
{
    struct identity_user_row user;
    BUFFER(value, IDENTITY_ROW_VALUE_MAX);
    uint8_t policy_now[32];

    enum key_verdict verdict = find_active(store, access_key, &value, &user);
    if (verdict != KEY_ALLOWED) {
        return verdict;
    }
    if (!status_ok(policy_sha256(&user.policy, policy_now))) {
        return KEY_FAILED;
    }
    bool is_same =
        id16_equal(&user.tenant, tenant) && memcmp(policy_now, policy_sha256_then, 32) == 0;
    return is_same ? KEY_ALLOWED : KEY_FORBIDDEN;
}
