#include "frontend/manifest_builder.h"

#include "lib/base/check.h"

#include <stdlib.h>

struct built_page {
    struct buffer manifest;
    struct buffer placement;
};

struct manifest_builder {
    struct manifest_builder_options options;
    struct built_page pages[MANIFEST_BUILDER_PAGES_MAX];
    uint32_t page_count;
    uint16_t rows;     /* On the last page. */
    bool is_open;      /* The last page is not sealed. */
    uint32_t chunks;   /* In all. */
    uint64_t length;   /* Plaintext bytes in all. */
    uint32_t *repairs; /* Owned. */
    size_t repair_count;
    size_t repair_capacity;
};

struct status manifest_builder_new(
    const struct manifest_builder_options *options, struct manifest_builder **ret_builder)
{
    CHECK(options->k > 0 && options->k + options->m <= 24);

    struct manifest_builder *builder = calloc(1, sizeof(*builder));
    if (builder == NULL) {
        return FAIL(NO_MEMORY, "manifest builder");
    }
    builder->options = *options;

    *ret_builder = builder;
    return OK;
}

void manifest_builder_free(struct manifest_builder *builder)
{
    if (builder == NULL) {
        return;
    }
    for (uint32_t i = 0; i < builder->page_count; i++) {
        buffer_done(&builder->pages[i].manifest);
        buffer_done(&builder->pages[i].placement);
    }
    free(builder->repairs);
    free(builder);
}

static struct status page_begin(struct manifest_builder *builder)
{
    if (builder->page_count == MANIFEST_BUILDER_PAGES_MAX) {
        return FAIL(TOO_LARGE, "more manifest pages than an upload may have");
    }
    struct built_page *page = &builder->pages[builder->page_count];
    buffer_init(&page->manifest, MANIFEST_PAGE_MAX);
    buffer_init(&page->placement, MANIFEST_PAGE_MAX);
    struct manifest_head head = {
        .data = builder->options.data,
        .content = builder->options.content,
        .part = builder->options.part,
        .page = builder->page_count,
        .first_off = builder->length,
        .ik_ver = builder->options.ik_ver,
        .tag_alg = MANIFEST_TAG_ALG_GMAC,
        .k = builder->options.k,
        .m = builder->options.m,
    };
    manifest_page_begin(&page->manifest, &head);
    builder->page_count++;
    builder->rows = 0;
    builder->is_open = true;
    return OK;
}

static struct status page_end(struct manifest_builder *builder)
{
    struct built_page *page = &builder->pages[builder->page_count - 1];
    builder->is_open = false;
    TRY(manifest_page_seal(&page->manifest, builder->rows, builder->options.object_key));
    TRY(buffer_status(&page->manifest));
    return buffer_status(&page->placement);
}

static struct status repair_add(struct manifest_builder *builder)
{
    if (builder->repair_count == builder->repair_capacity) {
        size_t capacity = builder->repair_capacity == 0 ? 16 : builder->repair_capacity * 2;
        uint32_t *repairs = realloc(builder->repairs, capacity * sizeof(*repairs));
        if (repairs == NULL) {
            return FAIL(NO_MEMORY, "repair hints");
        }
        builder->repairs = repairs;
        builder->repair_capacity = capacity;
    }
    builder->repairs[builder->repair_count++] = builder->chunks;
    return OK;
}

struct status manifest_builder_add(
    struct manifest_builder *builder, const struct manifest_row *row,
    const struct placement_entry *entries)
{
    if (!builder->is_open) {
        TRY(page_begin(builder));
    }
    struct built_page *page = &builder->pages[builder->page_count - 1];
    unsigned fragments = (unsigned)builder->options.k + builder->options.m;
    manifest_page_add(&page->manifest, row, fragments);
    placement_encode(&page->placement, entries, fragments);
    for (unsigned i = 0; i < fragments; i++) {
        if (entries[i].state == PLACEMENT_MISSING) {
            TRY(repair_add(builder));
            break;
        }
    }
    builder->chunks++;
    builder->rows++;
    builder->length += row->shape.plain_len;
    return builder->rows == MANIFEST_ROWS_MAX ? page_end(builder) : OK;
}

struct status manifest_builder_finish(struct manifest_builder *builder)
{
    return builder->is_open ? page_end(builder) : OK;
}

uint32_t manifest_builder_chunks(const struct manifest_builder *builder)
{
    return builder->chunks;
}

uint32_t manifest_builder_pages(const struct manifest_builder *builder)
{
    return builder->page_count;
}

struct bytes manifest_builder_manifest(const struct manifest_builder *builder, uint32_t page)
{
    CHECK(page < builder->page_count && !builder->is_open);
    return buffer_bytes(&builder->pages[page].manifest);
}

struct bytes manifest_builder_placement(const struct manifest_builder *builder, uint32_t page)
{
    CHECK(page < builder->page_count && !builder->is_open);
    return buffer_bytes(&builder->pages[page].placement);
}

size_t manifest_builder_repairs(const struct manifest_builder *builder, const uint32_t **ret_chunks)
{
    *ret_chunks = builder->repairs;
    return builder->repair_count;
}
