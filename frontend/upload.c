#include "frontend/upload.h"

#include "frontend/chunk_writer.h"
#include "frontend/upload_kept.h"
#include "lib/base/check.h"
#include "lib/base/clock.h"
#include "lib/telemetry/log.h"

#include <stdlib.h>

enum { PATIENCE_MS = 2500, PATIENCE_STEP_MS = 50, EARLY_SIZE = 64 * 1024 };

struct upload {
    struct frontend_call *call;
    struct frontend *frontend;
    const struct upload_options *options;
    struct content content;
    const struct erasure *erasure;
    uint32_t chunk_size;
    const struct secret *integrity_key;
    struct secret *dek_kek;           /* Owned. */
    struct manifest_builder *builder; /* Owned. */
    struct chunk_write *flying;       /* Owned: the chunk before, on its way out. */
    uint64_t digested;
    struct upload_kept kept;    /* Read from here first ... */
    struct chunk_buffer *early; /* ... and then from here, a small one: owned. */
    uint32_t early_left;        /* Bytes of it that were not given out. */
    bool is_stuck;              /* Too few accounts for the first chunk in this code. */
    bool is_replanned;
};

void upload_free(struct upload *upload)
{
    if (upload == NULL) {
        return;
    }
    chunk_write_free(upload->flying);
    upload_kept_done(&upload->kept);
    chunk_buffer_unref(upload->early);
    manifest_builder_free(upload->builder);
    secret_free(upload->dek_kek);
    free(upload);
}

/* Nothing of it is in the manifest yet: it can begin again, with another code and content. */
static bool can_replan(const struct upload *upload)
{
    return !upload->is_replanned && manifest_builder_chunks(upload->builder) == 0;
}

/* Fragments of at most 1 MiB and their tags go as one message. */
static uint32_t chunk_size_for(const struct frontend_settings *settings, unsigned k)
{
    uint64_t most = (uint64_t)k << 20;
    return (uint32_t)(settings->chunk_size < most ? settings->chunk_size : most);
}

static struct status choose_layout(struct upload *upload, struct placement_layout *ret_layout)
{
    const struct frontend_settings *settings = upload->frontend->settings;
    struct placement_policy policy = {
        .small_max = settings->small_threshold == 0 ? 0 : settings->small_threshold - 1,
        .small_k = (unsigned)settings->small_data,
        .small_m = (unsigned)settings->small_parity,
        .large_k = (unsigned)settings->large_data,
        .large_m = (unsigned)settings->large_parity,
    };
    struct placement_candidate candidates[FRAGMENT_CLIENT_ACCOUNTS_MAX];
    size_t count = 0;
    struct status status = OK;
    /* A node that restarts is back within seconds: better a short wait than an error. */
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    int64_t last_ms = frontend_upload_deadline(upload->call);
    for (end_ms = end_ms < last_ms ? end_ms : last_ms;;) {
        count = fragment_client_candidates(
            upload->frontend->fragments, candidates, FRAGMENT_CLIENT_ACCOUNTS_MAX);
        status =
            placement_layout_choose(&policy, upload->options->size, candidates, count, ret_layout);
        if (status.code != STATUS_UNAVAILABLE || clock_monotonic_ms() >= end_ms) {
            break;
        }
        clock_sleep_ms(PATIENCE_STEP_MS);
    }
    TRY(status);
    if (ret_layout->is_reduced) {
        log_event(
            LOG_WARN, "REDUCED REDUNDANCY: too few storage accounts are up",
            LOG_INT("data", ret_layout->k), LOG_INT("parity", ret_layout->m),
            LOG_INT("accounts", count));
    }
    return OK;
}

static struct status prepare(struct upload *upload)
{
    const struct upload_options *options = upload->options;
    TRY(content_lease_next(upload->frontend->lease, &upload->content));
    if (options->size == 0) {
        return OK; /* No chunk, no page. */
    }
    struct placement_layout layout;
    TRY(choose_layout(upload, &layout));
    TRY(erasure_table_get(upload->frontend->erasures, layout.k, layout.m, &upload->erasure));
    upload->chunk_size = chunk_size_for(upload->frontend->settings, layout.k);
    uint32_t ik_ver = 0;
    upload->integrity_key = fragment_client_integrity_key(upload->frontend->fragments, 0, &ik_ver);
    if (upload->integrity_key == NULL) {
        return FAIL(UNAVAILABLE, "no integrity key yet");
    }
    TRY(dek_kek(options->object_key, options->data, &upload->dek_kek));
    struct manifest_builder_options builder = {
        .object_key = options->object_key,
        .data = *options->data,
        .content = upload->content,
        .part = options->part,
        .ik_ver = (uint16_t)ik_ver,
        .k = (uint8_t)layout.k,
        .m = (uint8_t)layout.m,
    };
    return manifest_builder_new(&builder, &upload->builder);
}

/* The chunk before must be safe before the next one goes out. */
static struct status land(struct upload *upload)
{
    if (upload->flying == NULL) {
        return OK;
    }
    struct chunk_written written;
    struct status status = chunk_write_finish(
        upload->flying, frontend_upload_deadline(upload->call), can_replan(upload), &written);
    upload->is_stuck = status.code == STATUS_UNAVAILABLE && can_replan(upload);
    TRY(status);
    status = manifest_builder_add(upload->builder, &written.row, written.entries);
    chunk_write_free(TAKE(upload->flying));
    return status;
}

/* A buffer: while none is free, first give back the one of the chunk before. */
static struct status
take_buffer(struct upload *upload, size_t size, struct chunk_buffer **ret_buffer)
{
    struct chunk_pool *pool = upload->frontend->pool;
    if (upload->flying != NULL) {
        struct status status = chunk_pool_take(pool, size, 0, ret_buffer);
        if (status.code != STATUS_BUSY) {
            return status;
        }
        TRY(land(upload));
    }
    return chunk_pool_take(pool, size, frontend_buffer_deadline(upload->call), ret_buffer);
}

/* The first bytes go into a small buffer, of which there are more than workers: a client that sends
 * a head and then nothing holds none of the large ones. */
static struct status read_early(struct upload *upload)
{
    const struct upload_options *options = upload->options;
    if (options->size <= EARLY_SIZE || upload->is_replanned) {
        return OK;
    }
    struct status status = chunk_pool_take(upload->frontend->pool, EARLY_SIZE, 0, &upload->early);
    if (status.code == STATUS_BUSY) {
        return OK; /* Then without. */
    }
    TRY(status);
    TRY(options->read(options->context, chunk_buffer_data(upload->early), EARLY_SIZE));
    upload->early_left = EARLY_SIZE;
    frontend_progress(upload->call);
    return OK;
}

static struct status read_fresh(struct upload *upload, uint8_t *to, uint32_t size)
{
    const struct upload_options *options = upload->options;
    uint32_t early = size < upload->early_left ? size : upload->early_left;
    if (early > 0) {
        memcpy(to, chunk_buffer_data(upload->early) + EARLY_SIZE - upload->early_left, early);
        upload->early_left -= early;
    }
    if (upload->early_left == 0) {
        chunk_buffer_unref(TAKE(upload->early));
    }
    if (early < size) {
        TRY(options->read(options->context, to + early, size - early));
        frontend_progress(upload->call);
    }
    return OK;
}

/* What was read before was seen by the digest then. */
static struct status fill_block(struct upload *upload, uint8_t *slot, uint32_t size)
{
    const struct upload_options *options = upload->options;
    uint32_t kept = upload_kept_read(&upload->kept, slot, size);
    if (kept == size) {
        return OK;
    }
    uint32_t fresh = size - kept;
    TRY(read_fresh(upload, slot + kept, fresh));
    upload->digested += fresh;
    return options->digest != NULL ? body_digest_add(options->digest, bytes_of(slot + kept, fresh))
                                   : OK;
}

/* Plaintext straight into the block slots, seen by the digest on its way. */
static struct status fill(struct upload *upload, const struct chunk_shape *shape, uint8_t *sealed)
{
    const struct upload_options *options = upload->options;
    uint32_t left = shape->plain_len;
    for (uint32_t block = 0; left > 0; block++) {
        uint8_t *slot = sealed + chunk_shape_offset(shape, block);
        uint32_t size = left < shape->block_len ? left : shape->block_len;
        TRY(fill_block(upload, slot, size));
        left -= size;
    }
    /* Sealing is in place: the digest must be done with these bytes. */
    return options->digest != NULL ? body_digest_wait(options->digest, upload->digested) : OK;
}

/* Accounts may have gone since the code was chosen: while nothing is sealed, better choose anew
 * than wait for them. */
static struct status expect_quorum(struct upload *upload)
{
    struct placement_candidate candidates[FRAGMENT_CLIENT_ACCOUNTS_MAX];
    if (!can_replan(upload)) {
        return OK;
    }
    size_t count = fragment_client_candidates(
        upload->frontend->fragments, candidates, FRAGMENT_CLIENT_ACCOUNTS_MAX);
    unsigned up = 0;
    for (size_t i = 0; i < count; i++) {
        up += candidates[i].is_up ? 1 : 0;
    }
    upload->is_stuck = up < erasure_k(upload->erasure) + (erasure_m(upload->erasure) > 0 ? 1 : 0);
    return upload->is_stuck ? FAIL(UNAVAILABLE, "too few storage accounts are up") : OK;
}

static struct status send_chunk(struct upload *upload, uint32_t n, uint64_t offset)
{
    const struct upload_options *options = upload->options;
    uint64_t left = options->size - offset;
    uint32_t plain_len = left < upload->chunk_size ? (uint32_t)left : upload->chunk_size;
    struct chunk_context context = {
        .tenant = {0},
        .part = options->part,
        .index = n,
        .offset = offset,
        .shape = chunk_shape_choose(plain_len, erasure_k(upload->erasure)),
    };
    memcpy(context.tenant, options->tenant->bytes, ID16_SIZE);
    memcpy(context.bucket, options->bucket->bytes, ID16_SIZE);
    memcpy(context.data, options->data->bytes, ID16_SIZE);
    struct chunk_id chunk = chunk_id_of(&upload->content, n);
    memcpy(context.chunk_id, chunk.bytes, CHUNK_ID_SIZE);

    OWNED(chunk_buffer) struct chunk_buffer *buffer = NULL;
    TRY(n == 0 ? read_early(upload) : OK);
    TRY(take_buffer(upload, chunk_write_memory(upload->erasure, &context.shape), &buffer));
    TRY(fill(upload, &context.shape, chunk_buffer_data(buffer)));
    struct status status = upload->flying == NULL ? expect_quorum(upload) : land(upload);
    if (upload->is_stuck) {
        upload_kept_append(&upload->kept, &buffer, &context.shape);
    }
    TRY(status);
    struct chunk_write_options write = {
        .fragments = upload->frontend->fragments,
        .erasure = upload->erasure,
        .dek_kek = upload->dek_kek,
        .integrity_key = upload->integrity_key,
        .context = &context,
        .timeout_ms = (int64_t)upload->frontend->settings->fragment_timeout,
        .grace_ms = (int64_t)upload->frontend->settings->write_grace,
        .deadline_ms = frontend_upload_deadline(upload->call),
    };
    return chunk_write_start(&write, &buffer, &upload->flying);
}

static struct status run_chunks(struct upload *upload)
{
    uint32_t n = 0;
    for (uint64_t offset = 0; offset < upload->options->size; offset += upload->chunk_size) {
        TRY(send_chunk(upload, n++, offset));
    }
    return land(upload);
}

/*
 * A node was lost or fell silent while the first chunk was on its way, and too few are left for
 * its code: begin again with what those allow that answer now. The plaintext comes from what we
 * sealed and from what was read behind it; keys, chunk ids and content are new. What was stored
 * already belongs to no manifest.
 */
static struct status replan(struct upload *upload)
{
    upload->is_stuck = false;
    upload->is_replanned = true;
    if (upload->flying != NULL) {
        const struct chunk_shape *shape = chunk_write_shape(upload->flying);
        OWNED(chunk_buffer) struct chunk_buffer *buffer = NULL;
        TRY(chunk_pool_take(
            upload->frontend->pool, chunk_shape_sealed_size(shape),
            frontend_upload_deadline(upload->call), &buffer));
        TRY(chunk_write_reopen(upload->flying, chunk_buffer_data(buffer)));
        upload_kept_prepend(&upload->kept, &buffer, shape);
        chunk_write_free(TAKE(upload->flying));
    }
    manifest_builder_free(TAKE(upload->builder));
    secret_free(TAKE(upload->dek_kek));
    TRY(prepare(upload));
    log_event(
        LOG_WARN, "an upload begins again on other storage accounts",
        LOG_INT("data", erasure_k(upload->erasure)), LOG_INT("parity", erasure_m(upload->erasure)));
    return OK;
}

struct status upload_run(
    struct frontend_call *call, const struct upload_options *options, struct upload **ret_upload)
{
    if (options->size > (uint64_t)UPLOAD_SIZE_MAX_GIB << 30) {
        return frontend_refuse(call, S3_ERROR_ENTITY_TOO_LARGE, FAIL(TOO_LARGE, "more than 5 GiB"));
    }
    OWNED(upload) struct upload *upload = calloc(1, sizeof(*upload));
    if (upload == NULL) {
        return FAIL(NO_MEMORY, "upload");
    }
    upload->call = call;
    upload->frontend = call->frontend;
    upload->options = options;
    TRY(prepare(upload));
    struct status status = run_chunks(upload);
    if (upload->is_stuck) {
        TRY(replan(upload));
        status = run_chunks(upload);
    }
    TRY(status);
    if (upload->builder != NULL) {
        TRY(manifest_builder_finish(upload->builder));
    }

    *ret_upload = TAKE(upload);
    return OK;
}

const struct content *upload_content(const struct upload *upload)
{
    return &upload->content;
}

uint32_t upload_chunks(const struct upload *upload)
{
    return upload->builder == NULL ? 0 : manifest_builder_chunks(upload->builder);
}

static struct status describe_repairs(
    const struct manifest_builder *builder, struct arena *arena, Triad__Content__CommitItem *item)
{
    const uint32_t *chunks = NULL;
    size_t count = manifest_builder_repairs(builder, &chunks);
    Triad__Content__RepairHint *hints = arena_zalloc(arena, count + 1, sizeof(*hints));
    item->repairs = arena_zalloc(arena, count + 1, sizeof(*item->repairs));
    if (hints == NULL || item->repairs == NULL) {
        return FAIL(NO_MEMORY, "repair hints");
    }
    for (size_t i = 0; i < count; i++) {
        triad__content__repair_hint__init(&hints[i]);
        hints[i].page = chunks[i] / MANIFEST_ROWS_MAX;
        hints[i].chunk = chunks[i] % MANIFEST_ROWS_MAX;
        item->repairs[i] = &hints[i];
    }
    item->n_repairs = count;
    return OK;
}

struct status
upload_describe(const struct upload *upload, struct arena *arena, Triad__Content__CommitItem *item)
{
    item->content = content_client_binary(BYTES_ARRAY(upload->content.bytes));
    if (upload->builder == NULL) {
        return OK;
    }
    uint32_t count = manifest_builder_pages(upload->builder);
    Triad__Content__Page *pages = arena_zalloc(arena, count, sizeof(*pages));
    item->pages = arena_zalloc(arena, count, sizeof(*item->pages));
    if (pages == NULL || item->pages == NULL) {
        return FAIL(NO_MEMORY, "pages of a commit");
    }
    for (uint32_t i = 0; i < count; i++) {
        triad__content__page__init(&pages[i]);
        pages[i].page = i;
        pages[i].manifest = content_client_binary(manifest_builder_manifest(upload->builder, i));
        pages[i].placement = content_client_binary(manifest_builder_placement(upload->builder, i));
        item->pages[i] = &pages[i];
    }
    item->n_pages = count;
    return describe_repairs(upload->builder, arena, item);
}
