#include "blobnode/blob_segments.h"

#include "lib/base/check.h"

#include <stdlib.h>
#include <string.h>

struct segment {
    uint32_t number;
    uint32_t targets_count;
    uint32_t targets_capacity;
    uint32_t *targets; /* Owned: segments of the blobs that its tombstones are for; no doubles. */
    uint64_t blobs;
};

struct blob_segments {
    struct segment *list; /* Owned, by number, rising. */
    size_t count;
    size_t capacity;
    bool is_incomplete; /* An addition was lost. */
};

struct status blob_segments_new(struct blob_segments **ret_segments)
{
    struct blob_segments *segments = calloc(1, sizeof(*segments));
    if (segments == NULL) {
        return FAIL(NO_MEMORY, "segments");
    }
    *ret_segments = segments;
    return OK;
}

void blob_segments_free(struct blob_segments *segments)
{
    if (segments != NULL) {
        for (size_t i = 0; i < segments->count; i++) {
            free(segments->list[i].targets);
        }
        free(segments->list);
        free(segments);
    }
}

/* The first position whose number is not below number. */
static size_t lower_bound(const struct blob_segments *segments, uint32_t number)
{
    size_t low = 0;
    size_t high = segments->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (segments->list[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct segment *find(const struct blob_segments *segments, uint32_t number)
{
    size_t at = lower_bound(segments, number);
    bool is_there = at < segments->count && segments->list[at].number == number;
    return is_there ? &segments->list[at] : NULL;
}

/* The entry, made if it is new; NULL without memory. */
static struct segment *ensure(struct blob_segments *segments, uint32_t number)
{
    struct segment *there = find(segments, number);
    if (there != NULL) {
        return there;
    }
    if (segments->count == segments->capacity) {
        size_t capacity = segments->capacity * 2 + 16;
        struct segment *list = realloc(segments->list, capacity * sizeof(*list));
        if (list == NULL) {
            segments->is_incomplete = true;
            return NULL;
        }
        segments->list = list;
        segments->capacity = capacity;
    }
    size_t at = lower_bound(segments, number);
    memmove(
        segments->list + at + 1, segments->list + at,
        (segments->count - at) * sizeof(*segments->list));
    segments->list[at] = (struct segment){.number = number};
    segments->count++;
    return &segments->list[at];
}

void blob_segments_add_blob(struct blob_segments *segments, uint32_t number)
{
    struct segment *segment = ensure(segments, number);
    if (segment != NULL) {
        segment->blobs++;
    }
}

void blob_segments_drop_blob(struct blob_segments *segments, uint32_t number)
{
    struct segment *segment = find(segments, number);
    CHECK(segments->is_incomplete || (segment != NULL && segment->blobs > 0));
    if (segment != NULL && segment->blobs > 0) {
        segment->blobs--;
    }
}

void blob_segments_add_tombstone(
    struct blob_segments *segments, uint32_t number, uint32_t blob_number)
{
    struct segment *segment = ensure(segments, number);
    if (segment == NULL) {
        return;
    }
    for (uint32_t i = 0; i < segment->targets_count; i++) {
        if (segment->targets[i] == blob_number) {
            return;
        }
    }
    if (segment->targets_count == segment->targets_capacity) {
        uint32_t capacity = segment->targets_capacity * 2 + 4;
        uint32_t *targets = realloc(segment->targets, capacity * sizeof(*targets));
        if (targets == NULL) {
            segments->is_incomplete = true;
            return;
        }
        segment->targets = targets;
        segment->targets_capacity = capacity;
    }
    segment->targets[segment->targets_count++] = blob_number;
}

struct status
blob_segments_add_pins(const struct blob_segments *segments, struct buffer *to, uint64_t *ret_count)
{
    if (segments->is_incomplete) {
        return FAIL(UNAVAILABLE, "segments were not all counted");
    }
    uint64_t count = 0;
    for (size_t i = 0; i < segments->count; i++) {
        const struct segment *segment = &segments->list[i];
        buffer_add_u32(to, segment->number);
        buffer_add_u32(to, segment->number);
        for (uint32_t k = 0; k < segment->targets_count; k++) {
            buffer_add_u32(to, segment->number);
            buffer_add_u32(to, segment->targets[k]);
        }
        count += 1 + segment->targets_count;
    }
    *ret_count = count;
    return OK;
}

static bool is_needed(const struct blob_segments *segments, const struct segment *segment)
{
    if (segment->blobs > 0) {
        return true;
    }
    for (uint32_t i = 0; i < segment->targets_count; i++) {
        uint32_t target = segment->targets[i];
        if (target != segment->number && find(segments, target) != NULL) {
            return true;
        }
    }
    return false;
}

uint32_t blob_segments_dead(const struct blob_segments *segments, uint64_t before)
{
    if (segments->is_incomplete) {
        return 0;
    }
    for (size_t i = 0; i < segments->count && segments->list[i].number < before; i++) {
        if (!is_needed(segments, &segments->list[i])) {
            return segments->list[i].number;
        }
    }
    return 0;
}

void blob_segments_removed(struct blob_segments *segments, uint32_t number)
{
    struct segment *segment = find(segments, number);
    CHECK(segment != NULL);
    free(segment->targets);
    size_t at = (size_t)(segment - segments->list);
    memmove(
        segments->list + at, segments->list + at + 1,
        (segments->count - at - 1) * sizeof(*segments->list));
    segments->count--;
}
