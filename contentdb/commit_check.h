#pragma once

/*
 * A commit as it came, checked against itself and its grant before any plan sees it: so that a
 * frontend with a bug cannot store what no reader could make sense of.
 */

#include "contentdb/outcome.h"
#include "contentdb/rows.h"
#include "lib/base/arena.h"
#include "lib/capability/grant.h"
#include "lib/format/manifest_page.h"

enum { COMMIT_PART_MAX = 10000, COMMIT_PAGES_MAX = 1024, COMMIT_SEGMENT_PAGES_MAX = 64 };

/* A chunk to look at: fewer whole fragments make it more urgent, 0 most. */
struct commit_repair {
    uint32_t page;
    uint32_t chunk;
    uint8_t priority;
};

struct commit {
    const Triad__Content__CommitItem *item; /* Borrowed, as everything it points to. */
    struct bytes name;
    struct id16 bucket;
    struct id16 tenant;
    struct content content;
    struct id16 owner; /* Of its R row: version, upload (PART), zero (DELETE). */
    bool has_if_version;
    struct id16 if_version;
    struct id16 version;          /* DELETE: zero unless only this one goes. */
    struct id16 source_version;   /* COPY */
    struct version_record record; /* PUT, COPY */
    struct id16 data;             /* PART: that its pages name. */
    struct commit_repair *repairs;
    size_t repairs_count;
    /* Set by the plan: */
    bool was_there;
    uint64_t done_seq; /* Of an earlier run of the same commit. */
};

/* INVALID names the field. last_account: accounts 1 to this are known. */
MUST_CHECK struct status commit_check(
    const Triad__Content__CommitItem *item, const struct grant *grant, uint32_t last_account,
    struct arena *arena, struct commit *ret_commit);

/* Parts of it that other requests need too. */
MUST_CHECK struct status commit_check_id16(ProtobufCBinaryData field, struct id16 *ret_id);
MUST_CHECK struct status
commit_check_content(ProtobufCBinaryData field, struct content *ret_content);
struct bytes commit_check_bytes(ProtobufCBinaryData field);
/* The fields in clear of a record, MAC and key_ref: bucket, tenant, name and version fit. */
MUST_CHECK struct status commit_check_record(
    struct bytes record, struct bytes vmac, struct bytes key_ref, struct bytes attributes,
    const struct grant *grant, struct bytes name, const struct id16 *version,
    struct version_record *ret_record);
/* Segment pages that hold exactly the record's segments, their lengths and chunks. */
MUST_CHECK struct status commit_check_segments(
    const ProtobufCBinaryData *pages, size_t count, const struct version_record *record);
