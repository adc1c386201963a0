#include "contentdb/page_finder.h"

#include "contentdb/reply_bytes.h"
#include "contentdb/row_key.h"
#include "lib/format/manifest_page.h"

enum { PAGE_SEARCH_MAX = 1 << 20 };

static struct status get_first_off(
    struct kv_snapshot *snapshot, const struct content *content, uint32_t page, bool *ret_found,
    uint64_t *ret_first_off)
{
    struct row_key key;
    struct bytes value;
    struct status status = kv_snapshot_get(snapshot, row_key_manifest(&key, content, page), &value);
    *ret_found = status_ok(status);
    if (status.code == STATUS_NOT_FOUND) {
        return OK;
    }
    TRY(status);
    struct manifest_head head;
    TRY(manifest_page_head(value, &head));
    *ret_first_off = head.first_off;
    return OK;
}

/* The last page whose first offset is not behind offset: double, then halve. */
static struct status find_first(
    struct kv_snapshot *snapshot, const struct content *content, uint64_t offset,
    uint32_t *ret_page)
{
    uint32_t below = 0; /* Begins at or before offset: page 0 always does. */
    uint32_t above = 1; /* Begins behind it, or is not there. */
    for (uint32_t step = 1; offset > 0 && step < PAGE_SEARCH_MAX; step *= 2) {
        bool found = false;
        uint64_t first_off = 0;
        above = step;
        TRY(get_first_off(snapshot, content, step, &found, &first_off));
        if (!found || first_off > offset) {
            break;
        }
        below = step;
    }
    while (above - below > 1) {
        uint32_t middle = below + (above - below) / 2;
        bool found = false;
        uint64_t first_off = 0;
        TRY(get_first_off(snapshot, content, middle, &found, &first_off));
        if (found && first_off <= offset) {
            below = middle;
        } else {
            above = middle;
        }
    }
    *ret_page = below;
    return OK;
}

static struct status copy_page(
    struct arena *arena, const struct content *content, uint32_t number, struct bytes manifest,
    struct bytes placement, Triad__Content__Page **ret_page)
{
    Triad__Content__Page *page = arena_alloc(arena, sizeof(*page));
    if (page == NULL) {
        return FAIL(NO_MEMORY, "page for a reply");
    }
    triad__content__page__init(page);
    page->page = number;
    TRY(reply_bytes_copy(arena, bytes_of(content->bytes, CONTENT_SIZE), &page->content));
    TRY(reply_bytes_copy(arena, manifest, &page->manifest));
    TRY(reply_bytes_copy(arena, placement, &page->placement));
    *ret_page = page;
    return OK;
}

struct status page_finder_find(
    struct kv_snapshot *snapshot, const struct page_range *range, struct arena *arena,
    Triad__Content__Page ***ret_pages, size_t *ret_count, size_t *ret_bytes)
{
    uint32_t number = 0;
    uint64_t end =
        range->length > UINT64_MAX - range->offset ? UINT64_MAX : range->offset + range->length;
    *ret_count = 0;
    *ret_bytes = 0;
    *ret_pages = arena_zalloc(arena, range->pages_max + 1, sizeof(Triad__Content__Page *));
    if (*ret_pages == NULL) {
        return FAIL(NO_MEMORY, "pages for a reply");
    }
    TRY(find_first(snapshot, &range->content, range->offset, &number));
    for (; *ret_count < range->pages_max; number++) {
        struct row_key key;
        struct bytes manifest;
        struct bytes placement;
        struct status status =
            kv_snapshot_get(snapshot, row_key_manifest(&key, &range->content, number), &manifest);
        if (status.code == STATUS_NOT_FOUND) {
            return OK;
        }
        TRY(status);
        struct manifest_head head;
        TRY(manifest_page_head(manifest, &head));
        size_t limit = range->bytes_max > *ret_bytes ? range->bytes_max - *ret_bytes : 0;
        if (head.first_off >= end || (*ret_count > 0 && manifest.size > limit)) {
            return OK;
        }
        TRY(kv_snapshot_get(
            snapshot, row_key_placement(&key, &range->content, number), &placement));
        TRY(copy_page(
            arena, &range->content, number, manifest, placement, *ret_pages + *ret_count));
        *ret_bytes += manifest.size + placement.size;
        (*ret_count)++;
    }
    return OK;
}
