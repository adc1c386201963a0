#pragma once

/*
 * The header of a shard: its random id and its DEKs as the key store and the recovery code wrap
 * them. Nothing in it opens anything by itself. Drawn in shard_header.c.
 */

#include "keystore/key_shard.h"
#include "lib/base/buffer.h"

struct shard_header {
    uint32_t shard;
    struct id16 db_uuid;
    struct key_shard_wrapped deks[KEY_SHARD_DEKS_MAX];
    size_t deks_count; /* 0 until the key store made the first. */
};

void shard_header_encode(const struct shard_header *header, struct buffer *to);
/* CORRUPT names the field. */
MUST_CHECK struct status shard_header_decode(struct bytes encoded, struct shard_header *ret_header);

/* Read <dir_fd>/header; where there is none, draw an id and write a header without DEKs, durable.
 * CORRUPT if it is of another shard. */
MUST_CHECK struct status
shard_header_load(int dir_fd, uint32_t shard, struct shard_header *ret_header);

/* Keep the DEKs of an opened shard; durable on return. Writes only if something changed. */
MUST_CHECK struct status
shard_header_update(int dir_fd, struct shard_header *header, const struct key_shard *shard);
