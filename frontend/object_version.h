#pragma once

/*
 * A new version: its record, sealed attributes and MAC, ready for a commit. What binds a name to
 * data is made here and nowhere else.
 */

#include "frontend/access.h"
#include "lib/format/attributes.h"
#include "lib/format/version_record.h"

struct object_version_options {
    const struct id16 *tenant;
    const struct id16 *bucket;
    const struct secret *attribute_key;
    const struct secret *object_key;
    const struct id16 *data;
    struct bytes key;              /* The name. */
    const struct id16 *version;    /* NULL: a random one. */
    const struct content *content; /* NULL: zero. */
    uint16_t flags;
    uint64_t size;
    uint32_t segments;
    uint64_t chunks;
    const uint8_t *etag; /* 16 bytes, not masked; NULL: zeros, as in an open upload. */
    uint32_t etag_parts;
    struct attribute *attributes; /* Sorted in place. */
    size_t attribute_count;
};

struct object_version {
    struct id16 version;
    struct version_record record;
    uint8_t encoded[VERSION_RECORD_SIZE];
    uint8_t vmac[VERSION_MAC_SIZE];
    struct buffer attributes; /* Sealed; owned. */
};

MUST_CHECK struct status object_version_make(
    const struct object_version_options *options, struct object_version *ret_version);
void object_version_done(struct object_version *version);

/* OBJECT_VERSION(name); one that is done at scope end. */
#define OBJECT_VERSION(name)                                                                       \
    __attribute__((cleanup(object_version_done))) struct object_version name = {                   \
        .attributes = {.limit = ATTRIBUTES_MAX + 128}}

/* The request's metadata headers as attributes, with room for more; in the arena. */
enum { OBJECT_VERSION_SPARE = 4 };
MUST_CHECK struct status object_version_attributes(
    struct frontend_call *call, struct attribute **ret_attributes, size_t *ret_count);
