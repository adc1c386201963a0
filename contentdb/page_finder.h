#pragma once

/*
 * Which pages of a content cover a range: a search over first_off, then a walk. Chunks have any
 * length, so the page of an offset is not computed but looked for, in O(log pages).
 */

#include "contentdb/rows.h"
#include "lib/base/arena.h"
#include "lib/kv/kv.h"
#include "proto/content.pb-c.h"

struct page_range {
    struct content content;
    uint64_t offset;
    uint64_t length;
    uint32_t pages_max;
    size_t bytes_max; /* But at least one page. */
};

/* Copies into arena. None if the content has no bytes there. ret_bytes: of the pages found. */
MUST_CHECK struct status page_finder_find(
    struct kv_snapshot *snapshot, const struct page_range *range, struct arena *arena,
    Triad__Content__Page ***ret_pages, size_t *ret_count, size_t *ret_bytes);
