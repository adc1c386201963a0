#include "keystore/policy.h"

#include "lib/base/check.h"
#include "lib/crypto/digest.h"
#include "lib/s3/bucket_name.h"

static const struct {
    const char *word;
    uint8_t action;
} words[] = {
    {"read", POLICY_READ}, {"write", POLICY_WRITE}, {"delete", POLICY_DELETE},
    {"list", POLICY_LIST}, {"admin", POLICY_ADMIN}, {"all", POLICY_ALL},
};

uint8_t policy_action_of(const char *word)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(word, words[i].word) == 0) {
            return words[i].action;
        }
    }
    return 0;
}

/* The bucket's part of a resource, and the rest behind the slash (data NULL: no slash). */
static void split(struct bytes resource, struct bytes *ret_bucket, struct bytes *ret_rest)
{
    const uint8_t *slash = resource.size == 0 ? NULL : memchr(resource.data, '/', resource.size);

    *ret_rest = bytes_of(NULL, 0);
    *ret_bucket = resource;
    if (slash == NULL) {
        return;
    }
    size_t length = (size_t)(slash - resource.data);
    *ret_bucket = bytes_of(resource.data, length);
    *ret_rest = bytes_from(resource, length + 1);
}

struct status policy_check_resource(struct bytes resource)
{
    struct bytes bucket;
    struct bytes rest;

    if (bytes_equal(resource, bytes_text("*"))) {
        return OK;
    }
    if (resource.size > POLICY_RESOURCE_MAX) {
        return FAIL(INVALID, "policy resource is too long");
    }
    split(resource, &bucket, &rest);
    if (!bucket_name_is_valid(bucket)) {
        return FAIL(INVALID, "policy resource must be BUCKET, BUCKET/PREFIX* or *");
    }
    if (rest.data != NULL && rest.size == 0) {
        return FAIL(INVALID, "policy resource ends with a slash");
    }
    if (rest.size > 0 && memchr(rest.data, 0, rest.size) != NULL) {
        return FAIL(INVALID, "NUL in a policy resource");
    }
    return OK;
}

void policy_encode(struct buffer *to, const struct policy *policy)
{
    CHECK(policy->count <= POLICY_STATEMENTS_MAX);
    buffer_add_u16(to, (uint16_t)policy->count);
    for (size_t i = 0; i < policy->count; i++) {
        CHECK(policy->statements[i].resource.size <= POLICY_RESOURCE_MAX);
        buffer_add_u8(to, policy->statements[i].actions);
        buffer_add_u16(to, (uint16_t)policy->statements[i].resource.size);
        buffer_add(to, policy->statements[i].resource);
    }
}

bool policy_decode(struct reader *reader, struct policy *ret_policy)
{
    size_t count = reader_u16(reader);

    if (count > POLICY_STATEMENTS_MAX) {
        return false;
    }
    ret_policy->count = count;
    for (size_t i = 0; i < count; i++) {
        struct policy_statement *statement = &ret_policy->statements[i];
        statement->actions = reader_u8(reader);
        statement->resource = reader_take(reader, reader_u16(reader));
        if (statement->actions == 0 || statement->actions > POLICY_ALL) {
            return false;
        }
    }
    return !reader_failed(reader);
}

struct status policy_sha256(const struct policy *policy, uint8_t ret_sha256[32])
{
    BUFFER(encoded, 64 * 1024);

    policy_encode(&encoded, policy);
    TRY(buffer_status(&encoded));
    struct bytes view = buffer_bytes(&encoded);
    return digest_sha256(&view, 1, ret_sha256);
}

/* Does the resource cover this key? key.data NULL: the bucket as a whole. A listing passes its
 * prefix as the key with is_prefix: then all that it could list must be covered. */
static bool covers(struct bytes resource, struct bytes bucket, struct bytes key, bool is_prefix)
{
    struct bytes own;
    struct bytes rest;

    if (bytes_equal(resource, bytes_text("*"))) {
        return true;
    }
    split(resource, &own, &rest);
    if (!bytes_equal(own, bucket)) {
        return false;
    }
    if (rest.data == NULL) {
        return true;
    }
    if (rest.size > 0 && rest.data[rest.size - 1] == '*') {
        return key.data != NULL && bytes_starts_with(key, bytes_of(rest.data, rest.size - 1));
    }
    return key.data != NULL && !is_prefix && bytes_equal(key, rest);
}

static bool grants(
    const struct policy *policy, enum policy_action action, struct bytes bucket, struct bytes key,
    bool is_prefix)
{
    if (policy->count == 0) {
        return true;
    }
    for (size_t i = 0; i < policy->count; i++) {
        const struct policy_statement *statement = &policy->statements[i];
        if ((statement->actions & action) != 0 &&
            covers(statement->resource, bucket, key, is_prefix)) {
            return true;
        }
    }
    return false;
}

static enum policy_action action_of(enum s3_operation operation)
{
    switch (operation) {
    case S3_LIST_BUCKETS:
    case S3_HEAD_BUCKET:
    case S3_GET_BUCKET_LOCATION:
    case S3_GET_BUCKET_VERSIONING:
    case S3_LIST_OBJECTS:
    case S3_LIST_OBJECTS_V2:
    case S3_LIST_MULTIPART_UPLOADS:
        return POLICY_LIST;
    case S3_CREATE_BUCKET:
    case S3_DELETE_BUCKET:
        return POLICY_ADMIN;
    case S3_GET_OBJECT:
    case S3_HEAD_OBJECT:
        return POLICY_READ;
    case S3_DELETE_OBJECT:
    case S3_DELETE_OBJECTS:
        return POLICY_DELETE;
    case S3_PUT_OBJECT:
    case S3_COPY_OBJECT:
    case S3_CREATE_MULTIPART_UPLOAD:
    case S3_UPLOAD_PART:
    case S3_UPLOAD_PART_COPY:
    case S3_COMPLETE_MULTIPART_UPLOAD:
    case S3_ABORT_MULTIPART_UPLOAD:
    case S3_LIST_PARTS:
        return POLICY_WRITE;
    case S3_NOT_IMPLEMENTED:
        break;
    }
    return POLICY_ADMIN;
}

/* Who may list anything may see that the buckets exist: AWS, too, gives all names or none. */
static bool may_list_buckets(const struct policy *policy)
{
    for (size_t i = 0; i < policy->count; i++) {
        const struct policy_statement *statement = &policy->statements[i];
        if ((statement->actions & POLICY_LIST) != 0 &&
            bytes_equal(statement->resource, bytes_text("*"))) {
            return true;
        }
    }
    return policy->count == 0;
}

static bool may_list(const struct policy *policy, const struct sigv4_target *target)
{
    struct bytes prefix = bytes_of("", 0);

    IGNORE(sigv4_target_parameter(target, "prefix", &prefix)); /* Absent: the whole bucket. */
    return grants(policy, POLICY_LIST, target->bucket, prefix, true);
}

/* HeadBucket and GetBucketLocation tell only that the bucket is there: clients ask before they
 * use a prefix, so any statement on the bucket is enough. */
static bool may_see_bucket(const struct policy *policy, struct bytes bucket)
{
    for (size_t i = 0; i < policy->count; i++) {
        struct bytes own;
        struct bytes rest;
        split(policy->statements[i].resource, &own, &rest);
        if (bytes_equal(own, bucket) || bytes_equal(own, bytes_text("*"))) {
            return true;
        }
    }
    return policy->count == 0;
}

static bool is_listing(enum s3_operation operation)
{
    return operation == S3_LIST_OBJECTS || operation == S3_LIST_OBJECTS_V2 ||
           operation == S3_LIST_MULTIPART_UPLOADS;
}

static bool is_look_at_bucket(enum s3_operation operation)
{
    return operation == S3_HEAD_BUCKET || operation == S3_GET_BUCKET_LOCATION ||
           operation == S3_GET_BUCKET_VERSIONING;
}

bool policy_allows(
    const struct policy *policy, enum s3_operation operation, const struct sigv4_target *target)
{
    if (operation == S3_LIST_BUCKETS) {
        return may_list_buckets(policy);
    }
    if (is_listing(operation)) {
        return may_list(policy, target);
    }
    if (is_look_at_bucket(operation)) {
        return may_see_bucket(policy, target->bucket);
    }
    /* DeleteObjects names its keys in the body, which is not signed key by key: it needs the
     * right on the whole bucket. */
    struct bytes key = target->key.size == 0 ? bytes_of(NULL, 0) : target->key;
    if (!grants(policy, action_of(operation), target->bucket, key, false)) {
        return false;
    }
    if (operation == S3_COPY_OBJECT || operation == S3_UPLOAD_PART_COPY) {
        return grants(policy, POLICY_READ, target->copy_bucket, target->copy_key, false);
    }
    return true;
}
