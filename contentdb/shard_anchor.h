#pragma once

/*
 * The thread that tells the key store where the shard stands, every second and every 1,000 commits,
 * and brings back the keys that check grants. A wrong fence means that another instance has the
 * shard: on_lost is called at once, and the shard is not writable any more. Without an answer for
 * 10 s it is not writable until there is one.
 */

#include "contentdb/grant_gate.h"
#include "keystore/key_client.h"
#include "lib/kv/kv.h"

struct shard_anchor;

struct shard_anchor_options {
    struct kv *kv; /* Outlives us, as what follows. */
    struct key_client *key_client;
    struct grant_gate *gate;
    uint32_t shard;
    struct id16 instance;
    int64_t opened_ms; /* When the OpenShard that was answered began. */
    void (*on_lost)(void *context, struct status status);
    void *context;
};

MUST_CHECK struct status
shard_anchor_start(const struct shard_anchor_options *options, struct shard_anchor **ret_anchor);
void shard_anchor_free(struct shard_anchor *anchor);

bool shard_anchor_is_fresh(struct shard_anchor *anchor);
/* The key store heard of us so lately that it can have let in nobody else: who says so is wrong. */
bool shard_anchor_is_sole(struct shard_anchor *anchor);
/* Since the last answer, for metrics. */
int64_t shard_anchor_age_ms(struct shard_anchor *anchor);

DEFINE_OWNED(shard_anchor)
