#include "contentdb/commit_check.h"

#include "contentdb/row_key.h"
#include "lib/format/placement_row.h"

enum { FRAGMENTS_MAX = 24, SEGMENT_MAC_SIZE = 32 };

struct bytes commit_check_bytes(ProtobufCBinaryData field)
{
    return bytes_of(field.data, field.len);
}

struct status commit_check_id16(ProtobufCBinaryData field, struct id16 *ret_id)
{
    if (field.len != ID16_SIZE) {
        return FAIL(INVALID, "an id of 16 bytes");
    }
    memcpy(ret_id->bytes, field.data, ID16_SIZE);
    return OK;
}

struct status commit_check_content(ProtobufCBinaryData field, struct content *ret_content)
{
    if (field.len != CONTENT_SIZE) {
        return FAIL(INVALID, "a content id of 10 bytes");
    }
    memcpy(ret_content->bytes, field.data, CONTENT_SIZE);
    return OK;
}

/* Bytes of a request that make no sense are the caller's fault, not damage of ours. */
static struct status as_invalid(struct status status)
{
    if (status.code == STATUS_CORRUPT) {
        status.code = STATUS_INVALID;
    }
    return status;
}

static struct status check_record(
    struct bytes record, struct bytes vmac, struct bytes key_ref, struct bytes attributes,
    const struct grant *grant, struct bytes name, const struct id16 *version,
    struct version_record *ret_record)
{
    TRY(version_record_decode(record, ret_record));
    if (vmac.size != VERSION_MAC_SIZE) {
        return FAIL(INVALID, "vmac");
    }
    struct key_ref ref;
    if (key_ref.size > ROW_KEY_REF_MAX) {
        return FAIL(INVALID, "key_ref");
    }
    TRY(key_ref_decode(key_ref, &ref));
    if (attributes.size > ROW_ATTRIBUTES_MAX) {
        return FAIL(INVALID, "attributes are too large");
    }
    if (!id16_equal(&ret_record->tenant, &grant->tenant) ||
        !id16_equal(&ret_record->bucket, &grant->bucket)) {
        return FAIL(INVALID, "tenant or bucket of the version record");
    }
    if (!id16_equal(&ret_record->version, version)) {
        return FAIL(INVALID, "version of the version record");
    }
    uint8_t hash[32];
    TRY(object_name_hash(&grant->bucket, name, hash));
    if (memcmp(hash, ret_record->name_hash, sizeof(hash)) != 0) {
        return FAIL(INVALID, "name hash of the version record");
    }
    return (ret_record->flags & VERSION_INLINE) == 0 ? OK : FAIL(INVALID, "inline objects");
}

struct status commit_check_record(
    struct bytes record, struct bytes vmac, struct bytes key_ref, struct bytes attributes,
    const struct grant *grant, struct bytes name, const struct id16 *version,
    struct version_record *ret_record)
{
    return as_invalid(
        check_record(record, vmac, key_ref, attributes, grant, name, version, ret_record));
}

/* ---------------------------------------------------------------- pages */

struct pages {
    const Triad__Content__CommitItem *item;
    struct arena *arena;
    struct commit *commit;
    uint32_t last_account;
    uint32_t part;
    uint64_t offset; /* Bytes on the pages so far. */
    uint64_t chunks;
    size_t repairs_max;
};

static struct status add_repair(struct pages *pages, uint32_t page, uint32_t chunk, unsigned spare)
{
    struct commit *commit = pages->commit;
    for (size_t i = commit->repairs_count; i > 0 && commit->repairs[i - 1].page == page; i--) {
        if (commit->repairs[i - 1].chunk == chunk) {
            return OK;
        }
    }
    if (commit->repairs_count == pages->repairs_max) {
        return FAIL(INVALID, "repair hints");
    }
    commit->repairs[commit->repairs_count++] =
        (struct commit_repair){.page = page, .chunk = chunk, .priority = (uint8_t)spare};
    return OK;
}

static bool is_hinted(const Triad__Content__CommitItem *item, uint32_t page, uint32_t chunk)
{
    for (size_t i = 0; i < item->n_repairs; i++) {
        if (item->repairs[i]->page == page && item->repairs[i]->chunk == chunk) {
            return true;
        }
    }
    return false;
}

/* The k+m entries of one chunk. */
static struct status check_entries(
    struct pages *pages, const struct manifest_head *head, uint32_t chunk,
    const struct placement_entry *entries)
{
    unsigned fragments = (unsigned)head->k + head->m;
    unsigned missing = 0;
    for (unsigned i = 0; i < fragments; i++) {
        const struct placement_entry *entry = &entries[i];
        if (entry->account == 0 || entry->account > pages->last_account) {
            return FAIL(INVALID, "an account that is not known");
        }
        if (entry->state != PLACEMENT_STORED && entry->state != PLACEMENT_MISSING) {
            return FAIL(INVALID, "state of a fragment");
        }
        missing += entry->state == PLACEMENT_MISSING;
        for (unsigned j = 0; j < i; j++) {
            if (entries[j].account == entry->account) {
                return FAIL(INVALID, "two fragments of a chunk on one account");
            }
        }
    }
    /* Durable is k+1; without parity k is all there is. */
    if (missing > 0 && missing >= head->m) {
        return FAIL(INVALID, "fewer than k+1 fragments are stored");
    }
    if (missing > 0 || is_hinted(pages->item, head->page, chunk)) {
        return add_repair(pages, head->page, chunk, head->m - missing);
    }
    return OK;
}

static struct status check_rows(
    struct pages *pages, struct bytes manifest, struct bytes placement,
    const struct manifest_head *head)
{
    size_t fragments = (size_t)head->k + head->m;
    struct placement_entry entries[FRAGMENTS_MAX * MANIFEST_ROWS_MAX];
    TRY(placement_decode(placement, entries, head->rows * fragments));
    for (uint32_t i = 0; i < head->rows; i++) {
        struct manifest_row row;
        TRY(manifest_page_row(manifest, head, i, &row));
        TRY(chunk_shape_check(&row.shape));
        if (memcmp(row.chunk.bytes, pages->commit->content.bytes, CONTENT_SIZE) != 0) {
            return FAIL(INVALID, "a chunk of another content");
        }
        pages->offset += row.shape.plain_len;
        TRY(check_entries(pages, head, i, entries + i * fragments));
    }
    pages->chunks += head->rows;
    return OK;
}

static struct status
check_page(struct pages *pages, const Triad__Content__Page *page, uint32_t number, bool is_last)
{
    struct bytes manifest = commit_check_bytes(page->manifest);
    struct bytes placement = commit_check_bytes(page->placement);
    struct bytes content = bytes_of(pages->commit->content.bytes, CONTENT_SIZE);
    struct manifest_head head;
    if (manifest.size > MANIFEST_PAGE_MAX) {
        return FAIL(INVALID, "length of a manifest page");
    }
    TRY(manifest_page_head(manifest, &head));
    if (page->content.len != 0 && !bytes_equal(commit_check_bytes(page->content), content)) {
        return FAIL(INVALID, "a page of another content");
    }
    if (!bytes_equal(BYTES_ARRAY(head.content.bytes), content) || head.part != pages->part) {
        return FAIL(INVALID, "content or part of a manifest page");
    }
    if (page->page != number || head.page != number || head.first_off != pages->offset) {
        return FAIL(INVALID, "order of manifest pages");
    }
    if (head.rows == 0 || head.k == 0 || head.k + head.m > FRAGMENTS_MAX ||
        (!is_last && head.rows != MANIFEST_ROWS_MAX)) {
        return FAIL(INVALID, "rows of a manifest page");
    }
    if (number == 0) {
        pages->commit->data = head.data;
    }
    if (!id16_equal(&head.data, &pages->commit->data)) {
        return FAIL(INVALID, "data of a manifest page");
    }
    return check_rows(pages, manifest, placement, &head);
}

static struct status check_pages(struct pages *pages, uint64_t size, uint64_t chunks)
{
    const Triad__Content__CommitItem *item = pages->item;
    if (item->n_pages > COMMIT_PAGES_MAX ||
        item->n_repairs > COMMIT_PAGES_MAX * MANIFEST_ROWS_MAX) {
        return FAIL(INVALID, "too many pages");
    }
    pages->repairs_max = item->n_pages * MANIFEST_ROWS_MAX;
    pages->commit->repairs =
        arena_zalloc(pages->arena, pages->repairs_max + 1, sizeof(struct commit_repair));
    if (pages->commit->repairs == NULL) {
        return FAIL(NO_MEMORY, "repairs of a commit");
    }
    for (size_t i = 0; i < item->n_pages; i++) {
        TRY(check_page(pages, item->pages[i], (uint32_t)i, i + 1 == item->n_pages));
    }
    if (pages->offset != size || pages->chunks != chunks) {
        return FAIL(INVALID, "size or chunks do not fit the pages");
    }
    return OK;
}

/* ---------------------------------------------------------------- segments */

static struct status
check_segments(const ProtobufCBinaryData *pages, size_t count, const struct version_record *record)
{
    uint64_t size = 0;
    uint64_t chunks = 0;
    uint64_t segments = 0;
    if (count == 0 || count > COMMIT_SEGMENT_PAGES_MAX) {
        return FAIL(INVALID, "number of segment pages");
    }
    for (size_t i = 0; i < count; i++) {
        struct bytes page = commit_check_bytes(pages[i]);
        if (page.size <= SEGMENT_MAC_SIZE || page.size > SEGMENT_PAGE_MAX ||
            (page.size - SEGMENT_MAC_SIZE) % SEGMENT_SIZE != 0) {
            return FAIL(INVALID, "length of a segment page");
        }
        for (size_t at = 0; at < page.size - SEGMENT_MAC_SIZE; at += SEGMENT_SIZE) {
            struct segment_entry entry;
            TRY(segment_entry_decode(bytes_slice(page, at, SEGMENT_SIZE), &entry));
            if (size + entry.len < size) {
                return FAIL(INVALID, "length of a segment");
            }
            size += entry.len;
            chunks += entry.chunks;
            segments++;
        }
    }
    if (segments != record->segments || size != record->size || chunks != record->chunks) {
        return FAIL(INVALID, "segments do not fit the version record");
    }
    return OK;
}

struct status commit_check_segments(
    const ProtobufCBinaryData *pages, size_t count, const struct version_record *record)
{
    return as_invalid(check_segments(pages, count, record));
}

/* ---------------------------------------------------------------- kinds */

static struct status check_object(
    const Triad__Content__CommitItem *item, const struct grant *grant, struct commit *commit)
{
    TRY(commit_check_id16(item->version, &commit->version));
    commit->owner = commit->version;
    TRY(commit_check_record(
        commit_check_bytes(item->version_record), commit_check_bytes(item->vmac),
        commit_check_bytes(item->key_ref), commit_check_bytes(item->attributes), grant,
        commit->name, &commit->version, &commit->record));
    if ((commit->record.flags & VERSION_OPEN_UPLOAD) != 0) {
        return FAIL(INVALID, "the record of an open upload");
    }
    return OK;
}

static struct status check_put(struct pages *pages, const struct grant *grant)
{
    struct commit *commit = pages->commit;
    TRY(check_object(pages->item, grant, commit));
    const struct version_record *record = &commit->record;
    if (record->segments != 0 || (record->flags & VERSION_MULTIPART) != 0 ||
        memcmp(record->content.bytes, commit->content.bytes, CONTENT_SIZE) != 0) {
        return FAIL(INVALID, "content or segments of the version record");
    }
    commit->data = record->data;
    TRY(check_pages(pages, record->size, record->chunks));
    return id16_equal(&commit->data, &record->data) ? OK : FAIL(INVALID, "data of the pages");
}

static struct status check_copy(struct pages *pages, const struct grant *grant)
{
    const Triad__Content__CommitItem *item = pages->item;
    struct commit *commit = pages->commit;
    TRY(check_object(item, grant, commit));
    TRY(commit_check_id16(item->source_version, &commit->source_version));
    if (!row_key_is_name(commit_check_bytes(item->source_key))) {
        return FAIL(INVALID, "name of the source");
    }
    if (item->n_pages != 0) {
        return FAIL(INVALID, "a copy with pages");
    }
    if (commit->record.segments == 0) {
        return item->n_segment_pages == 0 ? OK : FAIL(INVALID, "segment pages without segments");
    }
    return commit_check_segments(item->segment_pages, item->n_segment_pages, &commit->record);
}

static struct status check_delete(struct pages *pages)
{
    if (pages->item->version.len != 0) {
        TRY(commit_check_id16(pages->item->version, &pages->commit->version));
    }
    return pages->item->n_pages == 0 ? OK : FAIL(INVALID, "a delete with pages");
}

static struct status check_part(struct pages *pages)
{
    const Triad__Content__CommitItem *item = pages->item;
    TRY(commit_check_id16(item->upload, &pages->commit->owner));
    if (item->part == 0 || item->part > COMMIT_PART_MAX) {
        return FAIL(INVALID, "part number");
    }
    if (item->part_etag.len != 16) {
        return FAIL(INVALID, "etag of a part");
    }
    pages->part = item->part;
    return check_pages(pages, item->part_size, item->part_chunks);
}

static struct status check_kind(struct pages *pages, const struct grant *grant)
{
    const Triad__Content__CommitItem *item = pages->item;
    if (item->kind == TRIAD__CONTENT__COMMIT_KIND__PUT) {
        return check_put(pages, grant);
    }
    if (item->kind == TRIAD__CONTENT__COMMIT_KIND__COPY) {
        return check_copy(pages, grant);
    }
    if (item->kind == TRIAD__CONTENT__COMMIT_KIND__DELETE) {
        return check_delete(pages);
    }
    if (item->kind == TRIAD__CONTENT__COMMIT_KIND__PART) {
        return check_part(pages);
    }
    return FAIL(INVALID, "kind of a commit");
}

struct status commit_check(
    const Triad__Content__CommitItem *item, const struct grant *grant, uint32_t last_account,
    struct arena *arena, struct commit *ret_commit)
{
    *ret_commit = (struct commit){
        .item = item,
        .name = commit_check_bytes(item->key),
        .bucket = grant->bucket,
        .tenant = grant->tenant,
        .has_if_version = item->if_version.len != 0,
    };
    struct pages pages = {
        .item = item, .arena = arena, .commit = ret_commit, .last_account = last_account};
    if (!row_key_is_name(ret_commit->name)) {
        return FAIL(INVALID, "name of the object");
    }
    TRY(commit_check_content(item->content, &ret_commit->content));
    if (ret_commit->has_if_version) {
        TRY(commit_check_id16(item->if_version, &ret_commit->if_version));
    }
    return as_invalid(check_kind(&pages, grant));
}
