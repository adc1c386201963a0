#pragma once

/* A shard on a memory store with one bucket, one open lease and some accounts, and commits as an
 * honest frontend makes them. Everything lives until content_fixture_close. */

#include "contentdb/commit_check.h"
#include "contentdb/plan.h"
#include "lib/kv/shard_store_memory.h"

enum { FIXTURE_ACCOUNTS = 12, FIXTURE_QUARANTINE_MS = 1000, FIXTURE_FENCE = 7 };

struct content_fixture {
    struct shard_store *store; /* Owned. */
    struct secret *dek;        /* Owned. */
    struct secret *object_key; /* Owned. */
    struct kv *kv;             /* Owned. */
    struct arena arena;
    struct plan_env env;
    struct grant grant; /* Of the bucket, all rights. */
    uint64_t lease;
    uint32_t upload_seq;
    uint8_t next_id;
};

void content_fixture_open(struct content_fixture *fixture);
void content_fixture_close(struct content_fixture *fixture);

/* A bucket16 that did not come before, its rows, and a grant of it. */
struct grant content_fixture_bucket(struct content_fixture *fixture, const char *name);
uint64_t content_fixture_lease(struct content_fixture *fixture);
struct id16 content_fixture_id(struct content_fixture *fixture);
struct content content_fixture_content(struct content_fixture *fixture);
ProtobufCBinaryData content_fixture_field(struct content_fixture *fixture, struct bytes bytes);

/* What a frontend sends: chunks of 64 KiB on 4+2. Fields may be changed before it is sent. */
Triad__Content__CommitItem *
content_fixture_put(struct content_fixture *fixture, const char *name, uint64_t size);
/* A version over the data of what `of` committed. */
Triad__Content__CommitItem *content_fixture_copy(
    struct content_fixture *fixture, const char *name, const Triad__Content__CommitItem *of);
Triad__Content__CommitItem *
content_fixture_delete(struct content_fixture *fixture, const char *name);

/* An upload's id; its record is returned too. */
struct id16 content_fixture_upload(
    struct content_fixture *fixture, const char *name, struct version_record *ret_record);
Triad__Content__CommitItem *content_fixture_part(
    struct content_fixture *fixture, const char *name, const struct version_record *upload,
    uint32_t part, uint64_t size);

/* Check and apply; ret (may be NULL) is the commit with its outputs. INVALID too where the check
 * refuses. */
Triad__Content__Outcome content_fixture_commit(
    struct content_fixture *fixture, const Triad__Content__CommitItem *item, struct commit *ret);
Triad__Content__Outcome content_fixture_commit_under(
    struct content_fixture *fixture, const struct grant *grant,
    const Triad__Content__CommitItem *item, struct commit *ret);

/* Names of a listing joined with spaces, common prefixes in brackets, in order. */
const char *content_fixture_list(
    struct content_fixture *fixture, const char *prefix, const char *delimiter, const char *after,
    uint32_t limit);

/* The row under key; NULL data if there is none. The view lives in the arena. */
struct bytes content_fixture_row(struct content_fixture *fixture, struct bytes key);
/* Rows that start with a type byte. */
size_t content_fixture_count(struct content_fixture *fixture, char type);
