#pragma once

/*
 * From bytes of an object to chunks: walks the segments and manifest pages of a version, fetching
 * pages as it comes to them and believing none whose MAC does not fit. One thread.
 */

#include "frontend/chunk_reader.h"
#include "frontend/frontend.h"
#include "lib/format/version_record.h"

struct chunk_map;

struct chunk_map_options {
    struct frontend_call *call;
    ProtobufCBinaryData grant; /* Outlives the map, as everything here. */
    const struct version_record *record;
    const struct secret *object_key;
    const ProtobufCBinaryData *segment_pages; /* Sealed; none for a single content. */
    size_t segment_page_count;
    Triad__Content__Page *const *pages; /* Of a single content, if some came already. */
    size_t page_count;
};

/* Checks the segments against the record. */
MUST_CHECK struct status
chunk_map_new(const struct chunk_map_options *options, struct chunk_map **ret_map);
void chunk_map_free(struct chunk_map *map);

/* Go to the range [offset, offset + length), inside the object; at first it is the whole. */
void chunk_map_seek(struct chunk_map *map, uint64_t offset, uint64_t length);

/* Forget the pages: what is asked for next says where fragments are now. */
void chunk_map_refresh(struct chunk_map *map);

/* The next chunk; *ret_is_end without one. */
MUST_CHECK struct status
chunk_map_next(struct chunk_map *map, struct chunk_reference *ret_reference, bool *ret_is_end);

DEFINE_OWNED(chunk_map)
