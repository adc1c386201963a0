/*
 * Sealed block b lies in data fragment b mod k, at b / k times the size of a full block. All blocks
 * but the last are full, so only the last row can hold blocks that are shorter or missing: rows
 * before it go to ISA-L as they lie, the last one source by source, which pads with zeros for free.
 */

#include "lib/erasure/erasure.h"

#include "lib/base/check.h"

#include <isa-l/erasure_code.h>
#include <stdlib.h>

enum {
    FRAGMENTS = ERASURE_FRAGMENTS_MAX,
    TABLE_UNIT = 32,                                 /* Bytes of ISA-L's table a coefficient. */
    PRODUCT_MAX = (FRAGMENTS / 2) * (FRAGMENTS / 2), /* The most that k x m can be. */
    TABLES_SIZE = PRODUCT_MAX * TABLE_UNIT,
};

struct erasure {
    unsigned k;
    unsigned m;
    uint8_t matrix[FRAGMENTS * FRAGMENTS]; /* (k+m) rows of k; the first k are the identity. */
    uint8_t tables[TABLES_SIZE];           /* Of the m parity rows. */
};

struct status erasure_new(unsigned k, unsigned m, struct erasure **ret_erasure)
{
    if (k < 1 || k > ERASURE_FRAGMENTS_MAX || m > ERASURE_FRAGMENTS_MAX - k) {
        return FAIL(INVALID, "k and m of an erasure code");
    }
    struct erasure *erasure = calloc(1, sizeof(*erasure));
    if (erasure == NULL) {
        return FAIL(NO_MEMORY, "erasure code");
    }
    erasure->k = k;
    erasure->m = m;
    if (k == 1) {
        memset(erasure->matrix, 1, m + 1); /* Copies. */
    } else {
        gf_gen_cauchy1_matrix(erasure->matrix, (int)(k + m), (int)k);
    }
    if (m > 0) {
        ec_init_tables((int)k, (int)m, erasure->matrix + (size_t)k * k, erasure->tables);
    }
    *ret_erasure = erasure;
    return OK;
}

void erasure_free(struct erasure *erasure)
{
    free(erasure);
}

unsigned erasure_k(const struct erasure *erasure)
{
    return erasure->k;
}

unsigned erasure_m(const struct erasure *erasure)
{
    return erasure->m;
}

static size_t full_size(const struct chunk_shape *shape)
{
    return (size_t)shape->block_len + CHUNK_TAG_SIZE;
}

static size_t sealed_block_size(const struct chunk_shape *shape, uint32_t block)
{
    return (size_t)chunk_shape_block_size(shape, block) + CHUNK_TAG_SIZE;
}

/* Rows before the last one; every fragment holds a full block of each. */
static size_t full_rows(const struct erasure *erasure, const struct chunk_shape *shape)
{
    return (chunk_shape_blocks(shape) - 1) / erasure->k;
}

/* Bytes of fragment index in the last row. */
static size_t
last_row_size(const struct erasure *erasure, const struct chunk_shape *shape, unsigned index)
{
    uint32_t blocks = chunk_shape_blocks(shape);
    uint32_t first = (uint32_t)full_rows(erasure, shape) * erasure->k;
    /* The longest block of a row is its first. */
    uint32_t block = first + (index < erasure->k ? index : 0);
    return block < blocks ? sealed_block_size(shape, block) : 0;
}

size_t erasure_fragment_size(
    const struct erasure *erasure, const struct chunk_shape *shape, unsigned index)
{
    CHECK(index < erasure->k + erasure->m);
    return full_rows(erasure, shape) * full_size(shape) + last_row_size(erasure, shape, index);
}

size_t
erasure_block_offset(const struct erasure *erasure, const struct chunk_shape *shape, uint32_t block)
{
    return (size_t)(block / erasure->k) * full_size(shape);
}

/* ISA-L only reads its sources and tables, but does not say const. */
static uint8_t *readable(const uint8_t *data)
{
    return (uint8_t *)(uintptr_t)data;
}

/* One source's share of count outputs, which began as zeros. */
static void accumulate(
    const uint8_t *tables, unsigned k, unsigned count, unsigned source, const uint8_t *data,
    size_t size, uint8_t **outputs)
{
    if (size > 0 && count > 0) {
        ec_encode_data_update(
            (int)size, (int)k, (int)count, (int)source, readable(tables), readable(data), outputs);
    }
}

static void encode_last_row(
    const struct erasure *erasure, const struct chunk_shape *shape, const uint8_t *sealed,
    uint8_t **outputs)
{
    size_t size = last_row_size(erasure, shape, erasure->k);
    uint32_t first = (uint32_t)full_rows(erasure, shape) * erasure->k;
    for (unsigned i = 0; i < erasure->m; i++) {
        memset(outputs[i], 0, size);
    }
    for (unsigned j = 0; j < erasure->k; j++) {
        size_t length = last_row_size(erasure, shape, j);
        if (length > 0) {
            accumulate(
                erasure->tables, erasure->k, erasure->m, j,
                sealed + chunk_shape_offset(shape, first + j), length, outputs);
        }
    }
}

void erasure_encode(
    const struct erasure *erasure, const struct chunk_shape *shape, const uint8_t *sealed,
    uint8_t *const *parity)
{
    unsigned k = erasure->k;
    unsigned m = erasure->m;
    if (m == 0) {
        return;
    }
    if (k == 1) {
        for (unsigned i = 0; i < m; i++) {
            memcpy(parity[i], sealed, chunk_shape_sealed_size(shape));
        }
        return;
    }
    uint8_t *sources[FRAGMENTS];
    uint8_t *outputs[FRAGMENTS];
    size_t rows = full_rows(erasure, shape);
    for (size_t row = 0; row < rows; row++) {
        for (unsigned j = 0; j < k; j++) {
            sources[j] = readable(sealed + chunk_shape_offset(shape, (uint32_t)(row * k) + j));
        }
        for (unsigned i = 0; i < m; i++) {
            outputs[i] = parity[i] + row * full_size(shape);
        }
        ec_encode_data(
            (int)full_size(shape), (int)k, (int)m, readable(erasure->tables), sources, outputs);
    }
    for (unsigned i = 0; i < m; i++) {
        outputs[i] = parity[i] + rows * full_size(shape);
    }
    encode_last_row(erasure, shape, sealed, outputs);
}

/* Which fragments are read, which are made. */
struct repair {
    unsigned sources[FRAGMENTS]; /* k of them. */
    unsigned missing[FRAGMENTS];
    unsigned missing_count;
    uint8_t tables[TABLES_SIZE];
};

static struct status
choose(const struct erasure *erasure, const bool *is_present, struct repair *repair)
{
    unsigned found = 0;
    repair->missing_count = 0;
    for (unsigned i = 0; i < erasure->k + erasure->m; i++) {
        if (!is_present[i]) {
            repair->missing[repair->missing_count++] = i;
        } else if (found < erasure->k) {
            repair->sources[found++] = i;
        }
    }
    return found == erasure->k ? OK : FAIL(INVALID, "too few fragments to rebuild the others");
}

/* Rows of coefficients that give the missing fragments from the sources: G_missing x G_sources^-1.
 */
static struct status invert(const struct erasure *erasure, struct repair *repair)
{
    unsigned k = erasure->k;
    uint8_t square[FRAGMENTS * FRAGMENTS];
    uint8_t inverse[FRAGMENTS * FRAGMENTS];
    uint8_t rows[PRODUCT_MAX];
    for (unsigned i = 0; i < k; i++) {
        memcpy(square + i * k, erasure->matrix + repair->sources[i] * k, k);
    }
    if (gf_invert_matrix(square, inverse, (int)k) != 0) {
        return FAIL(INTERNAL, "erasure matrix has no inverse");
    }
    CHECK(repair->missing_count <= erasure->m);
    for (unsigned i = 0; i < repair->missing_count; i++) {
        const uint8_t *row = erasure->matrix + repair->missing[i] * k;
        for (unsigned column = 0; column < k; column++) {
            uint8_t sum = 0;
            for (unsigned j = 0; j < k; j++) {
                sum ^= gf_mul(row[j], inverse[j * k + column]);
            }
            rows[i * k + column] = sum;
        }
    }
    ec_init_tables((int)k, (int)repair->missing_count, rows, repair->tables);
    return OK;
}

/* A missing data fragment may be shorter than the row: make it beside, then cut. */
static struct status rebuild_last_row(
    const struct erasure *erasure, const struct chunk_shape *shape, const struct repair *repair,
    uint8_t *const *fragments)
{
    size_t begin = full_rows(erasure, shape) * full_size(shape);
    size_t size = last_row_size(erasure, shape, erasure->k);
    uint8_t *scratch = calloc(repair->missing_count, size);
    if (scratch == NULL) {
        return FAIL(NO_MEMORY, "rebuild fragments");
    }
    uint8_t *outputs[FRAGMENTS];
    for (unsigned i = 0; i < repair->missing_count; i++) {
        outputs[i] = scratch + i * size;
    }
    for (unsigned j = 0; j < erasure->k; j++) {
        unsigned source = repair->sources[j];
        size_t length = last_row_size(erasure, shape, source);
        if (length > 0) {
            accumulate(
                repair->tables, erasure->k, repair->missing_count, j, fragments[source] + begin,
                length, outputs);
        }
    }
    for (unsigned i = 0; i < repair->missing_count; i++) {
        size_t length = last_row_size(erasure, shape, repair->missing[i]);
        if (length > 0) {
            memcpy(fragments[repair->missing[i]] + begin, outputs[i], length);
        }
    }
    free(scratch);
    return OK;
}

struct status erasure_rebuild(
    const struct erasure *erasure, const struct chunk_shape *shape, uint8_t *const *fragments,
    const bool *is_present)
{
    struct repair repair;
    TRY(choose(erasure, is_present, &repair));
    if (repair.missing_count == 0) {
        return OK;
    }
    if (erasure->k == 1) {
        for (unsigned i = 0; i < repair.missing_count; i++) {
            memcpy(
                fragments[repair.missing[i]], fragments[repair.sources[0]],
                chunk_shape_sealed_size(shape));
        }
        return OK;
    }
    TRY(invert(erasure, &repair));
    uint8_t *sources[FRAGMENTS];
    uint8_t *outputs[FRAGMENTS];
    for (unsigned j = 0; j < erasure->k; j++) {
        sources[j] = fragments[repair.sources[j]];
    }
    for (unsigned i = 0; i < repair.missing_count; i++) {
        outputs[i] = fragments[repair.missing[i]];
    }
    /* The full rows of a fragment lie one behind the other. */
    size_t size = full_rows(erasure, shape) * full_size(shape);
    if (size > 0) {
        ec_encode_data(
            (int)size, (int)erasure->k, (int)repair.missing_count, repair.tables, sources, outputs);
    }
    return rebuild_last_row(erasure, shape, &repair, fragments);
}

/* The blocks of a fragment: copy one after the other between it and the sealed chunk. */
void erasure_gather(
    const struct erasure *erasure, const struct chunk_shape *shape, const uint8_t *sealed,
    unsigned index, uint8_t *fragment)
{
    CHECK(index < erasure->k || erasure->k == 1);
    uint32_t blocks = chunk_shape_blocks(shape);
    for (uint32_t block = index % erasure->k; block < blocks; block += erasure->k) {
        memcpy(
            fragment + erasure_block_offset(erasure, shape, block),
            sealed + chunk_shape_offset(shape, block), sealed_block_size(shape, block));
    }
}

void erasure_scatter(
    const struct erasure *erasure, const struct chunk_shape *shape, const uint8_t *fragment,
    unsigned index, uint8_t *sealed)
{
    CHECK(index < erasure->k || erasure->k == 1);
    uint32_t blocks = chunk_shape_blocks(shape);
    for (uint32_t block = index % erasure->k; block < blocks; block += erasure->k) {
        memcpy(
            sealed + chunk_shape_offset(shape, block),
            fragment + erasure_block_offset(erasure, shape, block),
            sealed_block_size(shape, block));
    }
}
