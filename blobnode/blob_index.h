#pragma once

/*
 * Where each blob of one account lies: an ordered table in memory, 48 bytes a blob, made from the
 * segment log at open.
 *
 * Buckets by the leading bits of the id, each a sorted array: fragment ids are the output of a
 * cipher, so buckets stay even, and an order over all ids is there for nothing. Chosen ids make a
 * bucket long, and its inserts slow, no more.
 *
 * One thread at a time.
 */

#include "lib/base/cleanup.h"
#include "lib/base/status.h"
#include "lib/format/ids.h"

/*
 *   (absent) -> PENDING -> LIVE -> TRASH -> (absent)
 *                  \-> (absent): the write failed
 */
enum blob_state {
    BLOB_STATE_PENDING = 1, /* A put writes it now. */
    BLOB_STATE_LIVE,
    BLOB_STATE_TRASH,
};

struct blob_place {
    struct id16 id;
    uint64_t lsn;
    uint64_t offset; /* Of the record in its segment. */
    uint32_t segment;
    uint32_t size;      /* Of the blob. */
    uint32_t trashed_s; /* Unix time; it came to the trash. */
    uint8_t state;      /* enum blob_state. */
    bool is_damaged;    /* A read found it so. */
};

struct blob_index;

MUST_CHECK struct status blob_index_new(struct blob_index **ret_index);
void blob_index_free(struct blob_index *index);

/* The entry, or NULL. It may be changed (not its id) and is valid until the next put or remove. */
struct blob_place *blob_index_get(struct blob_index *index, const struct id16 *id);

/* The first entry behind id (NULL: of all), or NULL. Valid as above. */
struct blob_place *blob_index_next(struct blob_index *index, const struct id16 *id);

/* Add an entry whose id is not there. */
MUST_CHECK struct status blob_index_add(struct blob_index *index, const struct blob_place *place);

/* Remove the entry, which must be there. */
void blob_index_remove(struct blob_index *index, const struct id16 *id);

size_t blob_index_count(const struct blob_index *index);

DEFINE_OWNED(blob_index)
