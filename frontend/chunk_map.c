#include "frontend/chunk_map.h"

#include "lib/base/check.h"
#include "lib/format/manifest_page.h"

#include <stdlib.h>

enum { PAGES_AT_ONCE = 4 };

struct map_segment {
    struct segment_entry entry;
    uint64_t start; /* In the object. */
};

struct chunk_map {
    struct chunk_map_options options;
    struct map_segment *segments; /* Owned. */
    size_t segment_count;
    uint64_t position;           /* The next byte wanted ... */
    uint64_t end;                /* ... and the first that is not. */
    struct content_reply *reply; /* Owned: holds the pages asked for. */
    Triad__Content__Page *const *pages;
    size_t page_count;
    struct placement_entry *entries; /* Owned: of the page that stands open. */
    struct bytes page;               /* Verified; size 0: none. */
    struct manifest_head head;
    uint32_t page_row;       /* Next to look at. */
    uint64_t page_row_start; /* Where it begins, in its part. */
};

void chunk_map_free(struct chunk_map *map)
{
    if (map == NULL) {
        return;
    }
    content_reply_free(map->reply);
    free(map->segments);
    free(map->entries);
    free(map);
}

/* ---------------------------------------------------------------- segments */

static struct status segments_single(struct chunk_map *map)
{
    const struct version_record *record = map->options.record;
    map->segments = calloc(1, sizeof(*map->segments));
    if (map->segments == NULL) {
        return FAIL(NO_MEMORY, "segments");
    }
    map->segments[0].entry = (struct segment_entry){
        .data = record->data,
        .content = record->content,
        .chunks = (uint32_t)record->chunks,
        .len = record->size};
    map->segment_count = 1;
    return OK;
}

static struct status segment_check(const struct chunk_map *map, const struct segment_entry *entry)
{
    static const uint8_t no_link[sizeof(entry->link)];
    if (!id16_equal(&entry->data, &map->options.record->data) || entry->skip != 0 ||
        entry->first_index != 0 || memcmp(entry->link, no_link, sizeof(no_link)) != 0) {
        return FAIL(UNSUPPORTED, "a segment of another data");
    }
    return OK;
}

static struct status segments_decode(struct chunk_map *map, struct bytes entries)
{
    for (size_t at = 0; at + SEGMENT_SIZE <= entries.size; at += SEGMENT_SIZE) {
        if (map->segment_count == map->options.record->segments) {
            return FAIL(CORRUPT, "more segments than the version has");
        }
        struct map_segment *segment = &map->segments[map->segment_count];
        TRY(segment_entry_decode(bytes_slice(entries, at, SEGMENT_SIZE), &segment->entry));
        TRY(segment_check(map, &segment->entry));
        segment->start = map->end;
        map->end += segment->entry.len;
        map->segment_count++;
    }
    return OK;
}

static struct status segments_read(struct chunk_map *map)
{
    const struct version_record *record = map->options.record;
    if (record->segments > S3_PARTS_MAX) {
        return FAIL(CORRUPT, "number of segments");
    }
    map->segments = calloc(record->segments, sizeof(*map->segments));
    if (map->segments == NULL) {
        return FAIL(NO_MEMORY, "segments");
    }
    for (size_t i = 0; i < map->options.segment_page_count; i++) {
        struct bytes entries;
        TRY(segment_page_verify(
            map->options.object_key, &record->version, (uint32_t)i,
            content_client_bytes(map->options.segment_pages[i]), &entries));
        TRY(segments_decode(map, entries));
    }
    if (map->segment_count != record->segments || map->end != record->size) {
        return FAIL(CORRUPT, "segments do not make up the version");
    }
    return OK;
}

struct status chunk_map_new(const struct chunk_map_options *options, struct chunk_map **ret_map)
{
    OWNED(chunk_map) struct chunk_map *map = calloc(1, sizeof(*map));
    if (map == NULL) {
        return FAIL(NO_MEMORY, "chunk map");
    }
    map->options = *options;
    map->pages = options->pages;
    map->page_count = options->page_count;
    map->entries = calloc((size_t)MANIFEST_ROWS_MAX * ERASURE_FRAGMENTS_MAX, sizeof(*map->entries));
    if (map->entries == NULL) {
        return FAIL(NO_MEMORY, "placement entries");
    }
    TRY(options->record->segments == 0 ? segments_single(map) : segments_read(map));
    map->end = options->record->size;

    *ret_map = TAKE(map);
    return OK;
}

void chunk_map_seek(struct chunk_map *map, uint64_t offset, uint64_t length)
{
    map->position = offset;
    map->end = offset + length;
    map->page = bytes_of(NULL, 0);
}

void chunk_map_refresh(struct chunk_map *map)
{
    map->page = bytes_of(NULL, 0);
    map->page_count = 0;
}

/* ---------------------------------------------------------------- pages */

static const struct map_segment *segment_at(const struct chunk_map *map, uint64_t position)
{
    size_t low = 0;
    size_t high = map->segment_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        bool is_before = map->segments[middle].start <= position;
        low = is_before ? middle : low;
        high = is_before ? high : middle;
    }
    return &map->segments[low];
}

/* Take a page if it is the segment's and holds offset, the place in the part. */
static struct status page_open(
    struct chunk_map *map, const struct segment_entry *segment, const Triad__Content__Page *page,
    uint64_t offset, bool *ret_is_it)
{
    struct bytes manifest = content_client_bytes(page->manifest);
    struct manifest_head head;
    uint64_t length = 0;
    *ret_is_it = false;
    TRY(manifest_page_head(manifest, &head));
    if (memcmp(head.content.bytes, segment->content.bytes, CONTENT_SIZE) != 0) {
        return OK;
    }
    TRY(manifest_page_length(manifest, &length));
    if (offset < head.first_off || offset - head.first_off >= length) {
        return OK;
    }
    TRY(manifest_page_verify(manifest, map->options.object_key));
    if (!id16_equal(&head.data, &segment->data) || head.part != segment->part) {
        return FAIL(CORRUPT, "a manifest page of another part");
    }
    size_t fragments = (size_t)head.k + head.m;
    if (fragments > ERASURE_FRAGMENTS_MAX || head.rows > MANIFEST_ROWS_MAX) {
        return FAIL(CORRUPT, "a manifest page's counts");
    }
    TRY(placement_decode(
        content_client_bytes(page->placement), map->entries, head.rows * fragments));
    map->page = manifest;
    map->head = head;
    map->page_row = 0;
    map->page_row_start = head.first_off;
    *ret_is_it = true;
    return OK;
}

static struct status
page_search(struct chunk_map *map, const struct segment_entry *segment, uint64_t offset)
{
    bool is_it = false;
    for (size_t i = 0; i < map->page_count && !is_it; i++) {
        TRY(page_open(map, segment, map->pages[i], offset, &is_it));
    }
    return is_it ? OK : FAIL(NOT_FOUND, "manifest page");
}

static struct status
pages_fetch(struct chunk_map *map, const struct segment_entry *segment, uint64_t offset)
{
    struct frontend_call *call = map->options.call;
    const struct version_record *record = map->options.record;
    Triad__Content__PagesRequest request = TRIAD__CONTENT__PAGES_REQUEST__INIT;
    request.grant = map->options.grant;
    request.bucket = content_client_binary(BYTES_ARRAY(record->bucket.bytes));
    request.content = content_client_binary(BYTES_ARRAY(segment->content.bytes));
    request.offset = offset;
    uint64_t wanted = map->end - map->position;
    request.length = wanted < segment->len - offset ? wanted : segment->len - offset;
    request.pages_max = PAGES_AT_ONCE;
    const Triad__Content__PagesReply *reply = NULL;
    content_reply_free(TAKE(map->reply));
    map->page_count = 0;
    map->page = bytes_of(NULL, 0);
    TRY(content_client_pages(
        call->frontend->content, &request, frontend_deadline(call), &map->reply, &reply));
    TRY(frontend_outcome(call, reply->outcome));
    map->pages = reply->pages;
    map->page_count = reply->n_pages;
    return OK;
}

/* Make the page that holds position the open one. */
static struct status page_find(struct chunk_map *map, const struct map_segment *segment)
{
    uint64_t offset = map->position - segment->start;
    struct status status = page_search(map, &segment->entry, offset);
    if (status.code != STATUS_NOT_FOUND) {
        return status;
    }
    TRY(pages_fetch(map, &segment->entry, offset));
    status = page_search(map, &segment->entry, offset);
    return status.code == STATUS_NOT_FOUND ? FAIL(CORRUPT, "a manifest page is missing") : status;
}

/* ---------------------------------------------------------------- rows */

static void reference_fill(
    const struct chunk_map *map, const struct manifest_row *row, uint64_t row_start,
    struct chunk_reference *ret)
{
    const struct version_record *record = map->options.record;
    unsigned fragments = (unsigned)map->head.k + map->head.m;
    *ret = (struct chunk_reference){
        .context =
            {
                .part = map->head.part,
                .index = map->head.page * MANIFEST_ROWS_MAX + map->page_row,
                .offset = row_start,
                .shape = row->shape,
            },
        .k = map->head.k,
        .m = map->head.m,
        .ik_ver = map->head.ik_ver,
        .content = map->head.content,
        .page = map->head.page,
        .row = map->page_row,
    };
    memcpy(ret->context.tenant, record->tenant.bytes, ID16_SIZE);
    memcpy(ret->context.bucket, record->bucket.bytes, ID16_SIZE);
    memcpy(ret->context.data, record->data.bytes, ID16_SIZE);
    memcpy(ret->context.chunk_id, row->chunk.bytes, CHUNK_ID_SIZE);
    memcpy(ret->commit, row->commit, sizeof(ret->commit));
    memcpy(ret->wrapped_dek, row->wrapped_dek, sizeof(ret->wrapped_dek));
    memcpy(ret->tags, row->tags, (size_t)fragments * FRAGMENT_TAG_SIZE);
    memcpy(
        ret->entries, map->entries + (size_t)map->page_row * fragments,
        fragments * sizeof(ret->entries[0]));
}

static struct status
row_find(struct chunk_map *map, uint64_t offset, struct manifest_row *ret_row, bool *ret_is_found)
{
    *ret_is_found = false;
    for (; map->page.size > 0 && map->page_row < map->head.rows; map->page_row++) {
        TRY(manifest_page_row(map->page, &map->head, map->page_row, ret_row));
        TRY(chunk_shape_check(&ret_row->shape));
        if (ret_row->suite != CHUNK_SUITE) {
            return FAIL(UNSUPPORTED, "suite of a chunk");
        }
        if (offset >= map->page_row_start &&
            offset - map->page_row_start < ret_row->shape.plain_len) {
            *ret_is_found = true;
            return OK;
        }
        map->page_row_start += ret_row->shape.plain_len;
    }
    return OK;
}

struct status
chunk_map_next(struct chunk_map *map, struct chunk_reference *ret_reference, bool *ret_is_end)
{
    *ret_is_end = map->position >= map->end;
    if (*ret_is_end) {
        return OK;
    }
    const struct map_segment *segment = segment_at(map, map->position);
    uint64_t offset = map->position - segment->start;
    if (offset >= segment->entry.len) {
        return FAIL(CORRUPT, "a range beyond the segments");
    }
    bool is_open = map->page.size > 0 && map->head.part == segment->entry.part &&
                   memcmp(map->head.content.bytes, segment->entry.content.bytes, CONTENT_SIZE) == 0;
    struct manifest_row row;
    bool is_found = false;
    if (is_open) {
        TRY(row_find(map, offset, &row, &is_found));
    }
    if (!is_found) {
        TRY(page_find(map, segment));
        TRY(row_find(map, offset, &row, &is_found));
    }
    if (!is_found) {
        return FAIL(CORRUPT, "no chunk holds the offset");
    }
    uint64_t start = map->page_row_start;
    reference_fill(map, &row, start, ret_reference);
    uint64_t in_part_end = offset + (map->end - map->position);
    uint64_t chunk_end = start + row.shape.plain_len;
    ret_reference->from = (uint32_t)(offset - start);
    ret_reference->to = (uint32_t)((in_part_end < chunk_end ? in_part_end : chunk_end) - start);
    map->position += ret_reference->to - ret_reference->from;
    map->page_row++;
    map->page_row_start = chunk_end;
    return OK;
}
