#pragma once

/*
 * Replies of the key store made into our own values: key bytes become secrets and are wiped in
 * the message, whose memory gRPC and the codec free afterwards. Only for key_client's own files.
 */

#include "keystore/key_authorize.h"
#include "keystore/key_shard.h"
#include "proto/key.pb-c.h"

/* Take the 32 key bytes of a message field and wipe them there; INVALID for another length. */
MUST_CHECK struct status
key_reply_take_key(const ProtobufCBinaryData *field, struct secret **ret_key);

/* Copy exactly size bytes; INVALID for another length. */
MUST_CHECK struct status key_reply_copy(const ProtobufCBinaryData *field, void *to, size_t size);

MUST_CHECK struct status key_reply_result(
    const Triad__Key__AuthorizeResult *message, struct key_authorize_result **ret_result);

MUST_CHECK struct status key_reply_grant_keys(
    uint32_t min_epoch, Triad__Key__GrantKey *const *keys, size_t count,
    const ProtobufCBinaryData *certificates, size_t certificates_count,
    struct key_grant_keys **ret_keys);

MUST_CHECK struct status
key_reply_shard(const Triad__Key__OpenShardReply *reply, struct key_shard **ret_shard);
