#pragma once

/*
 * The plaintext of a range of an opened object, piece by piece, each verified before it is given
 * out. The next chunk is fetched while the present one is used, if a buffer is free. One thread.
 */

#include "frontend/object_open.h"

struct object_reader;

/* offset + length lies inside the object; length > 0. The object outlives the reader. */
MUST_CHECK struct status object_reader_new(
    struct frontend_call *call, struct object_open *object, uint64_t offset, uint64_t length,
    struct object_reader **ret_reader);
void object_reader_free(struct object_reader *reader);

/* The next piece, valid until the next call; size 0 at the end. */
MUST_CHECK struct status object_reader_next(struct object_reader *reader, struct bytes *ret_plain);

/* As an upload_read_fn: exactly size bytes into to. */
MUST_CHECK struct status object_reader_read(void *reader, void *to, size_t size);

DEFINE_OWNED(object_reader)
