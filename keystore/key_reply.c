#include "keystore/key_reply.h"

#include <stdlib.h>

#include <openssl/crypto.h>

static struct bytes field_bytes(const ProtobufCBinaryData *field)
{
    return bytes_of(field->data, field->len);
}

struct status key_reply_take_key(const ProtobufCBinaryData *field, struct secret **ret_key)
{
    if (field->len != SECRET_KEY_SIZE) {
        return FAIL(INVALID, "key of a reply is not 32 bytes");
    }
    struct status status = secret_new_copy(field_bytes(field), ret_key);
    OPENSSL_cleanse(field->data, field->len);
    return status;
}

struct status key_reply_copy(const ProtobufCBinaryData *field, void *to, size_t size)
{
    if (field->len != size) {
        return FAIL(INVALID, "field of a reply has the wrong length");
    }
    if (size > 0) {
        memcpy(to, field->data, size);
    }
    return OK;
}

static struct status optional_key(const ProtobufCBinaryData *field, struct secret **ret_key)
{
    return field->len == 0 ? OK : key_reply_take_key(field, ret_key);
}

/* Copy at most max bytes. */
static struct status
bounded_copy(const ProtobufCBinaryData *field, void *to, size_t max, size_t *ret_size)
{
    if (field->len > max) {
        return FAIL(INVALID, "field of a reply is too long");
    }
    *ret_size = field->len;
    return key_reply_copy(field, to, field->len);
}

static struct status
optional_copy(const ProtobufCBinaryData *field, void *to, size_t size, bool *ret_is_there)
{
    *ret_is_there = field->len > 0;
    return field->len == 0 ? OK : key_reply_copy(field, to, size);
}

static struct status
fill_result(const Triad__Key__AuthorizeResult *message, struct key_authorize_result *result)
{
    bool is_there = false;
    size_t length = strlen(message->principal);

    if (length > KEY_PRINCIPAL_MAX) {
        return FAIL(INVALID, "principal is too long");
    }
    memcpy(result->principal, message->principal, length + 1);
    result->rights = message->rights;
    TRY(key_reply_copy(&message->tenant, result->tenant.bytes, ID16_SIZE));
    TRY(optional_copy(&message->grant, result->grant, GRANT_SIZE, &result->has_grant));
    TRY(bounded_copy(&message->handle, result->handle, KEY_HANDLE_MAX, &result->handle_size));
    TRY(optional_key(&message->attribute_key, &result->attribute_key));
    TRY(optional_key(&message->object_key, &result->object_key));
    TRY(optional_copy(&message->data, result->data.bytes, ID16_SIZE, &is_there));
    TRY(bounded_copy(&message->key_ref, result->key_ref, KEY_REF_MAX, &result->key_ref_size));
    return optional_copy(&message->bucket, result->bucket.bytes, ID16_SIZE, &is_there);
}

struct status key_reply_result(
    const Triad__Key__AuthorizeResult *message, struct key_authorize_result **ret_result)
{
    if ((int)message->verdict <= KEY_REFUSED || (int)message->verdict > KEY_UNSUPPORTED) {
        return FAIL(INVALID, "unknown verdict");
    }
    OWNED(key_authorize_result) struct key_authorize_result *result = calloc(1, sizeof(*result));
    if (result == NULL) {
        return FAIL(NO_MEMORY, "result");
    }
    result->verdict = (enum key_verdict)message->verdict;
    if (result->verdict == KEY_ALLOWED) {
        TRY(fill_result(message, result));
    }
    *ret_result = TAKE(result);
    return OK;
}

static struct status take_certificates(
    const ProtobufCBinaryData *certificates, size_t count, struct key_grant_keys *keys)
{
    if (count > KEY_SHARD_CERTIFICATES_MAX) {
        return FAIL(INVALID, "too many certificates");
    }
    keys->certificates = calloc(count + 1, sizeof(*keys->certificates));
    if (keys->certificates == NULL) {
        return FAIL(NO_MEMORY, "certificates");
    }
    for (size_t i = 0; i < count; i++) {
        TRY(key_reply_copy(&certificates[i], keys->certificates[i], 32));
        keys->certificates_count++;
    }
    return OK;
}

struct status key_reply_grant_keys(
    uint32_t min_epoch, Triad__Key__GrantKey *const *keys, size_t count,
    const ProtobufCBinaryData *certificates, size_t certificates_count,
    struct key_grant_keys **ret_keys)
{
    if (count > KEY_SHARD_GRANT_KEYS_MAX) {
        return FAIL(INVALID, "too many grant keys");
    }
    OWNED(key_grant_keys) struct key_grant_keys *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return FAIL(NO_MEMORY, "grant keys");
    }
    made->min_epoch = min_epoch;
    for (size_t i = 0; i < count; i++) {
        made->keys[i].key_no = keys[i]->key_no;
        made->keys[i].hour = keys[i]->hour;
        TRY(key_reply_take_key(&keys[i]->key, &made->keys[i].key));
        made->count++;
    }
    TRY(take_certificates(certificates, certificates_count, made));
    *ret_keys = TAKE(made);
    return OK;
}

static struct status fill_dek(const Triad__Key__OpenedDek *message, struct key_shard_dek *dek)
{
    if (message->wrapped == NULL) {
        return FAIL(INVALID, "DEK without its wrapped form");
    }
    const Triad__Key__WrappedDek *wrapped = message->wrapped;
    dek->wrapped.version = message->version;
    TRY(bounded_copy(
        &wrapped->wrapped, dek->wrapped.wrapped, KEY_SHARD_WRAPPED_MAX,
        &dek->wrapped.wrapped_size));
    TRY(bounded_copy(
        &wrapped->recovery_wrapped, dek->wrapped.recovery, KEY_SHARD_WRAPPED_MAX,
        &dek->wrapped.recovery_size));
    return key_reply_take_key(&message->key, &dek->key);
}

struct status key_reply_shard(const Triad__Key__OpenShardReply *reply, struct key_shard **ret_shard)
{
    if (reply->n_deks == 0 || reply->n_deks > KEY_SHARD_DEKS_MAX || reply->anchor == NULL) {
        return FAIL(INVALID, "opened shard is incomplete");
    }
    OWNED(key_shard) struct key_shard *shard = calloc(1, sizeof(*shard));
    if (shard == NULL) {
        return FAIL(NO_MEMORY, "opened shard");
    }
    shard->fence = reply->fence;
    shard->anchor.fence = reply->anchor->fence;
    shard->anchor.seq = reply->anchor->seq;
    TRY(key_reply_copy(&reply->anchor->chain_tag, shard->anchor.chain_tag, 16));
    for (size_t i = 0; i < reply->n_deks; i++) {
        shard->deks_count = i + 1;
        TRY(fill_dek(reply->deks[i], &shard->deks[i]));
    }
    TRY(key_reply_grant_keys(
        reply->min_epoch, reply->grant_keys, reply->n_grant_keys, reply->certificates,
        reply->n_certificates, &shard->grants));
    *ret_shard = TAKE(shard);
    return OK;
}
