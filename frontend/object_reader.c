#include "frontend/object_reader.h"

#include "frontend/chunk_map.h"
#include "lib/base/clock.h"
#include "lib/format/manifest_page.h"
#include "lib/telemetry/log.h"

#include <stdlib.h>

struct object_reader {
    struct frontend_call *call;
    struct object_open *object;
    ProtobufCBinaryData grant;
    struct secret *dek_kek;     /* Owned. */
    struct chunk_map *map;      /* Owned. */
    struct chunk_read *present; /* Owned. */
    struct chunk_read *ahead;   /* Owned: fetching already. */
    uint64_t position;          /* Of the next byte given out. */
    uint64_t end;
    bool is_refreshed; /* The pages were asked for anew since the last progress. */
    struct bytes rest; /* Of object_reader_read. */
};

void object_reader_free(struct object_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    chunk_read_free(reader->present);
    chunk_read_free(reader->ahead);
    chunk_map_free(reader->map);
    secret_free(reader->dek_kek);
    free(reader);
}

struct status object_reader_new(
    struct frontend_call *call, struct object_open *object, uint64_t offset, uint64_t length,
    struct object_reader **ret_reader)
{
    OWNED(object_reader) struct object_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL) {
        return FAIL(NO_MEMORY, "object reader");
    }
    reader->call = call;
    reader->object = object;
    reader->position = offset;
    reader->end = offset + length;
    const struct secret *key = object->access->result->object_key;
    TRY(dek_kek(key, &object->record.data, &reader->dek_kek));
    TRY(access_grant(call, object->access, &reader->grant));
    struct chunk_map_options options = {
        .call = call,
        .grant = reader->grant,
        .record = &object->record,
        .object_key = key,
        .segment_pages = object->result->segment_pages,
        .segment_page_count = object->result->n_segment_pages,
        .pages = object->result->pages,
        .page_count = object->result->n_pages,
    };
    TRY(chunk_map_new(&options, &reader->map));
    chunk_map_seek(reader->map, offset, length);

    *ret_reader = TAKE(reader);
    return OK;
}

/* Start on a chunk; may_wait: for a buffer. */
static struct status start_read(
    struct object_reader *reader, const struct chunk_reference *reference, bool may_wait,
    struct chunk_read **ret_read)
{
    struct frontend *frontend = reader->call->frontend;
    struct chunk_read_options options = {
        .fragments = frontend->fragments,
        .timeout_ms = (int64_t)frontend->settings->fragment_timeout,
        .hedge_ms = (int64_t)frontend->settings->hedge_delay,
    };
    TRY(erasure_table_get(frontend->erasures, reference->k, reference->m, &options.erasure));
    int64_t deadline_ms = may_wait ? frontend_buffer_deadline(reader->call) : 0;
    OWNED(chunk_buffer) struct chunk_buffer *buffer = NULL;
    TRY(chunk_pool_take(
        frontend->pool, chunk_read_memory(options.erasure, reference), deadline_ms, &buffer));
    OWNED(chunk_read) struct chunk_read *read = NULL;
    TRY(chunk_read_start(&options, reference, &buffer, &read));
    TRY(chunk_read_unlock(read, reader->dek_kek));

    *ret_read = TAKE(read);
    return OK;
}

/* Fetch the next chunk of the map, if there is one and a buffer for it. */
static struct status
read_next(struct object_reader *reader, bool may_wait, struct chunk_read **ret_read)
{
    struct chunk_reference reference;
    bool is_end = false;
    uint64_t before = reader->position;
    if (reader->present != NULL) {
        const struct chunk_reference *present = chunk_read_reference(reader->present);
        before += present->to - present->from; /* Nothing of it was given out yet. */
    }
    TRY(chunk_map_next(reader->map, &reference, &is_end));
    if (is_end) {
        return OK;
    }
    struct status status = start_read(reader, &reference, may_wait, ret_read);
    if (status.code == STATUS_BUSY && !may_wait) {
        chunk_map_seek(reader->map, before, reader->end - before);
        return OK;
    }
    return status;
}

static void report_damage(struct object_reader *reader, const struct chunk_read *read)
{
    if (!chunk_read_is_damaged(read)) {
        return;
    }
    const struct chunk_reference *reference = chunk_read_reference(read);
    struct frontend_call *call = reader->call;
    Triad__Content__ReportRepairRequest request = TRIAD__CONTENT__REPORT_REPAIR_REQUEST__INIT;
    request.grant = reader->grant;
    request.bucket = content_client_binary(BYTES_ARRAY(reader->object->record.bucket.bytes));
    request.content = content_client_binary(BYTES_ARRAY(reference->content.bytes));
    request.page = reference->page;
    request.chunk = reference->row;
    Triad__Content__Outcome outcome = TRIAD__CONTENT__OUTCOME__NONE;
    struct status status = content_client_report_repair(
        call->frontend->content, &request, frontend_deadline(call), &outcome);
    log_event(
        LOG_WARN, "repair reported", LOG_HEX("content", BYTES_ARRAY(reference->content.bytes)),
        LOG_INT("page", reference->page), LOG_INT("chunk", reference->row), LOG_STATUS(status));
}

static void present_done(struct object_reader *reader)
{
    report_damage(reader, reader->present);
    chunk_read_free(TAKE(reader->present));
}

/* Make a chunk the present one, and begin with the one behind it. */
static struct status advance(struct object_reader *reader)
{
    if (reader->ahead != NULL) {
        reader->present = TAKE(reader->ahead);
    } else {
        TRY(read_next(reader, true, &reader->present));
    }
    if (reader->present == NULL) {
        return FAIL(CORRUPT, "the object ends before its size");
    }
    return read_next(reader, false, &reader->ahead);
}

/* Fragments may have moved since the pages came: look again, once. */
static struct status retry(struct object_reader *reader, struct status failure)
{
    bool may_help = failure.code == STATUS_UNAVAILABLE || failure.code == STATUS_NOT_FOUND;
    bool is_late = clock_monotonic_ms() >= reader->call->answer_by_ms;
    if (!may_help || is_late || reader->is_refreshed) {
        return failure;
    }
    reader->is_refreshed = true;
    report_damage(reader, reader->present);
    chunk_read_free(TAKE(reader->present));
    chunk_read_free(TAKE(reader->ahead));
    chunk_map_refresh(reader->map);
    chunk_map_seek(reader->map, reader->position, reader->end - reader->position);
    return OK;
}

struct status object_reader_next(struct object_reader *reader, struct bytes *ret_plain)
{
    *ret_plain = bytes_of(NULL, 0);
    while (reader->position < reader->end) {
        if (reader->present == NULL) {
            TRY(advance(reader));
        }
        struct status status =
            chunk_read_next(reader->present, reader->call->answer_by_ms, ret_plain);
        if (!status_ok(status)) {
            TRY(retry(reader, status));
            continue;
        }
        if (ret_plain->size > 0) {
            reader->position += ret_plain->size;
            reader->is_refreshed = false;
            return OK;
        }
        present_done(reader);
    }
    if (reader->present != NULL && ret_plain->size == 0) {
        present_done(reader);
    }
    return OK;
}

struct status object_reader_read(void *context, void *to, size_t size)
{
    struct object_reader *reader = context;
    uint8_t *at = to;
    while (size > 0) {
        if (reader->rest.size == 0) {
            TRY(object_reader_next(reader, &reader->rest));
        }
        if (reader->rest.size == 0) {
            return FAIL(CORRUPT, "the source ends before its size");
        }
        size_t part = size < reader->rest.size ? size : reader->rest.size;
        memcpy(at, reader->rest.data, part);
        reader->rest = bytes_from(reader->rest, part);
        at += part;
        size -= part;
    }
    return OK;
}
