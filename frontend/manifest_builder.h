#pragma once

/*
 * The manifest pages and placement rows of one upload, gathered chunk by chunk (FORMATS 5).
 * Chunks are added in their order; a page is sealed when it is full or at the end. One thread.
 */

#include "lib/format/manifest_page.h"
#include "lib/format/placement_row.h"

enum { MANIFEST_BUILDER_PAGES_MAX = 64 };

struct manifest_builder;

struct manifest_builder_options {
    const struct secret *object_key; /* Outlives us. */
    struct id16 data;
    struct content content;
    uint32_t part;
    uint16_t ik_ver;
    uint8_t k;
    uint8_t m;
};

MUST_CHECK struct status manifest_builder_new(
    const struct manifest_builder_options *options, struct manifest_builder **ret_builder);
void manifest_builder_free(struct manifest_builder *builder);

/*
 * The next chunk: its row, and where its k+m fragments are. A chunk with an entry that is missing
 * gets a repair hint. TOO_LARGE beyond MANIFEST_BUILDER_PAGES_MAX pages.
 */
MUST_CHECK struct status manifest_builder_add(
    struct manifest_builder *builder, const struct manifest_row *row,
    const struct placement_entry *entries);

/* Seal the last page. Nothing is added afterwards. */
MUST_CHECK struct status manifest_builder_finish(struct manifest_builder *builder);

uint32_t manifest_builder_chunks(const struct manifest_builder *builder);

/* After finish: the pages in order, views into the builder. */
uint32_t manifest_builder_pages(const struct manifest_builder *builder);
struct bytes manifest_builder_manifest(const struct manifest_builder *builder, uint32_t page);
struct bytes manifest_builder_placement(const struct manifest_builder *builder, uint32_t page);

/* Chunks that were stored with less than full redundancy, by their index in the upload. */
size_t
manifest_builder_repairs(const struct manifest_builder *builder, const uint32_t **ret_chunks);

DEFINE_OWNED(manifest_builder)
