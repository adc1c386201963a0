#include "blobnode/blob_index.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"

#include <stdlib.h>

/* Buckets double when they hold this many on average; the first are 2^FIRST_BITS. */
enum { BUCKET_LOAD = 24, BUCKET_STEP = 8, FIRST_BITS = 4, BITS_MAX = 26 };

struct bucket {
    struct blob_place *places; /* Owned, in order of id. */
    uint32_t count;
    uint32_t capacity;
};

struct blob_index {
    struct bucket *buckets; /* Owned; 2^bits of them. */
    unsigned bits;
    size_t count;
};

static size_t bucket_of(const struct blob_index *index, const struct id16 *id)
{
    return decode_u32(id->bytes) >> (32 - index->bits);
}

static size_t bucket_count(const struct blob_index *index)
{
    return (size_t)1 << index->bits;
}

struct status blob_index_new(struct blob_index **ret_index)
{
    OWNED(blob_index) struct blob_index *index = calloc(1, sizeof(*index));
    if (index == NULL) {
        return FAIL(NO_MEMORY, "blob index");
    }
    index->bits = FIRST_BITS;
    index->buckets = calloc(bucket_count(index), sizeof(*index->buckets));
    if (index->buckets == NULL) {
        return FAIL(NO_MEMORY, "buckets of blob index");
    }
    *ret_index = TAKE(index);
    return OK;
}

static void buckets_free(struct bucket *buckets, size_t count)
{
    for (size_t i = 0; buckets != NULL && i < count; i++) {
        free(buckets[i].places);
    }
    free(buckets);
}

void blob_index_free(struct blob_index *index)
{
    if (index != NULL) {
        buckets_free(index->buckets, bucket_count(index));
        free(index);
    }
}

/* The first position whose id is not below id. */
static uint32_t lower_bound(const struct bucket *bucket, const struct id16 *id)
{
    uint32_t low = 0;
    uint32_t high = bucket->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(bucket->places[middle].id.bytes, id->bytes, ID16_SIZE) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const struct bucket *bucket, uint32_t at, const struct id16 *id)
{
    return at < bucket->count && id16_equal(&bucket->places[at].id, id);
}

struct blob_place *blob_index_get(struct blob_index *index, const struct id16 *id)
{
    struct bucket *bucket = &index->buckets[bucket_of(index, id)];
    uint32_t at = lower_bound(bucket, id);
    return is_at(bucket, at, id) ? &bucket->places[at] : NULL;
}

struct blob_place *blob_index_next(struct blob_index *index, const struct id16 *id)
{
    size_t number = 0;
    uint32_t at = 0;
    if (id != NULL) {
        number = bucket_of(index, id);
        at = lower_bound(&index->buckets[number], id);
        at += is_at(&index->buckets[number], at, id) ? 1 : 0;
    }
    for (; number < bucket_count(index); number++, at = 0) {
        if (at < index->buckets[number].count) {
            return &index->buckets[number].places[at];
        }
    }
    return NULL;
}

/* Divide a bucket by its next bit into two; places of the second are copied. */
static bool
divide(const struct bucket *from, unsigned bits, struct bucket *low, struct bucket *high)
{
    uint32_t split = 0;
    while (split < from->count &&
           ((decode_u32(from->places[split].id.bytes) >> (31 - bits)) & 1) == 0) {
        split++;
    }
    *low = *from;
    low->count = split;
    uint32_t moved = from->count - split;
    if (moved == 0) {
        return true;
    }
    high->places = malloc(moved * sizeof(*high->places));
    if (high->places == NULL) {
        return false;
    }
    memcpy(high->places, from->places + split, moved * sizeof(*high->places));
    high->count = moved;
    high->capacity = moved;
    return true;
}

/* Twice the buckets. Without memory nothing changes: buckets just get longer. */
static void grow(struct blob_index *index)
{
    size_t count = bucket_count(index);
    struct bucket *buckets = calloc(count * 2, sizeof(*buckets));
    if (buckets == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!divide(&index->buckets[i], index->bits, &buckets[2 * i], &buckets[2 * i + 1])) {
            for (size_t k = 0; k < i; k++) {
                free(buckets[2 * k + 1].places); /* The even ones are still the old ones. */
            }
            free(buckets);
            return;
        }
    }
    free(index->buckets);
    index->buckets = buckets;
    index->bits++;
}

struct status blob_index_add(struct blob_index *index, const struct blob_place *place)
{
    if (index->count >= bucket_count(index) * BUCKET_LOAD && index->bits < BITS_MAX) {
        grow(index);
    }
    struct bucket *bucket = &index->buckets[bucket_of(index, &place->id)];
    if (bucket->count == bucket->capacity) {
        uint32_t capacity = bucket->capacity + bucket->capacity / 2 + BUCKET_STEP;
        struct blob_place *places = realloc(bucket->places, capacity * sizeof(*places));
        if (places == NULL) {
            return FAIL(NO_MEMORY, "blob index");
        }
        bucket->places = places;
        bucket->capacity = capacity;
    }
    uint32_t at = lower_bound(bucket, &place->id);
    CHECK(!is_at(bucket, at, &place->id));
    memmove(
        bucket->places + at + 1, bucket->places + at,
        (bucket->count - at) * sizeof(*bucket->places));
    bucket->places[at] = *place;
    bucket->count++;
    index->count++;
    return OK;
}

void blob_index_remove(struct blob_index *index, const struct id16 *id)
{
    struct bucket *bucket = &index->buckets[bucket_of(index, id)];
    uint32_t at = lower_bound(bucket, id);
    CHECK(is_at(bucket, at, id));
    memmove(
        bucket->places + at, bucket->places + at + 1,
        (bucket->count - at - 1) * sizeof(*bucket->places));
    bucket->count--;
    index->count--;
}

size_t blob_index_count(const struct blob_index *index)
{
    return index->count;
}
