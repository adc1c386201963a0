#pragma once

/*
 * An object that a request may read: looked up in the content DB, proved to the key store, its
 * version record checked, its attributes unsealed. No error tells whether a key exists before the
 * request is authorised. One thread.
 */

#include "frontend/access.h"
#include "lib/format/attributes.h"
#include "lib/format/version_record.h"

enum { OBJECT_ETAG_MAX = 48 };

struct object_open_options {
    struct bytes bucket_name;
    struct bytes key;
    uint64_t offset; /* The part whose pages should come along ... */
    uint64_t length; /* ... 0: none. */
    bool is_suffix;  /* offset counts from the end. */
};

struct object_open {
    struct content_reply *reply; /* Owned: what result points into. */
    const Triad__Content__LookupResult *result;
    struct access *access; /* Owned. */
    struct version_record record;
    struct attribute *attributes; /* In the call's arena. */
    size_t attribute_count;
    uint8_t etag[16];                /* Unmasked. */
    char etag_text[OBJECT_ETAG_MAX]; /* Hexadecimal, with "-N" for N parts; without quotes. */
};

MUST_CHECK struct status object_open(
    struct frontend_call *call, const struct object_open_options *options,
    struct object_open **ret_object);
void object_open_free(struct object_open *object);

/* Hexadecimal MD5, and "-parts" where parts > 0. */
void object_open_etag_text(const uint8_t etag[16], uint32_t parts, char ret[OBJECT_ETAG_MAX]);

/* The value of an attribute; false where absent. */
bool object_open_attribute(
    const struct object_open *object, const char *name, struct bytes *ret_value);

DEFINE_OWNED(object_open)
