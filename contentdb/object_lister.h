#pragma once

/*
 * LIST: the names of a bucket in byte order, with prefix, delimiter and common prefixes. What a
 * common prefix hides is skipped by seeking behind it, not by walking over it.
 */

#include "contentdb/rows.h"
#include "lib/base/arena.h"
#include "lib/kv/kv.h"
#include "proto/content.pb-c.h"

enum { OBJECT_LIST_MAX = 1000 };

struct object_listing {
    struct id16 bucket;
    struct bytes prefix;    /* At most ROW_NAME_MAX, as all three. */
    struct bytes delimiter; /* Empty: none. */
    struct bytes after;
    uint32_t limit; /* 1 to OBJECT_LIST_MAX. */
};

/* Fills rows, prefixes, is_truncated and next_after; copies into arena. */
MUST_CHECK struct status object_lister_list(
    struct kv_snapshot *snapshot, const struct object_listing *listing, struct arena *arena,
    Triad__Content__ListReply *reply);
