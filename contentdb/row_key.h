#pragma once

/*
 * The keys of the content DB's rows, FORMATS 10: one type byte, then fields of fixed length
 * big-endian, so that rows sort as S3 lists. A name is the last variable field and never holds a
 * NUL, so that what follows it comes behind a 00.
 */

#include "lib/format/ids.h"

enum {
    ROW_NAME_MAX = 1024,
    ROW_BUCKET_NAME_MAX = 63,
    ROW_KEY_MAX = 1 + 16 + ROW_NAME_MAX + 1 + 16,
};

struct row_key {
    size_t size;
    uint8_t data[ROW_KEY_MAX + 6];
};

static inline struct bytes row_key_bytes(const struct row_key *key)
{
    return bytes_of(key->data, key->size);
}

/* True for 1 to ROW_NAME_MAX bytes without NUL. */
bool row_key_is_name(struct bytes name);

/* Each fills key and returns a view of it. Names were checked before. */
struct bytes row_key_bucket_name(struct row_key *key, struct bytes name); /* N */
struct bytes
row_key_tenant_bucket(struct row_key *key, const struct id16 *tenant, struct bytes name); /* n */
struct bytes row_key_bucket(struct row_key *key, const struct id16 *bucket);              /* B */
struct bytes row_key_usage(struct row_key *key, const struct id16 *bucket); /* B usage */
struct bytes
row_key_object(struct row_key *key, const struct id16 *bucket, struct bytes name); /* O */
struct bytes row_key_attributes(
    struct row_key *key, const struct id16 *bucket, struct bytes name, uint64_t seq); /* A */
struct bytes
row_key_manifest(struct row_key *key, const struct content *content, uint32_t page); /* M */
struct bytes
row_key_placement(struct row_key *key, const struct content *content, uint32_t page); /* P */
struct bytes
row_key_segments(struct row_key *key, const struct id16 *version, uint32_t page); /* S */
struct bytes row_key_reference(
    struct row_key *key, const struct content *content, const struct id16 *owner); /* R */
/* upload NULL: what all uploads of the name begin with. */
struct bytes row_key_upload(
    struct row_key *key, const struct id16 *bucket, struct bytes name,
    const struct id16 *upload);                                                           /* U */
struct bytes row_key_part(struct row_key *key, const struct id16 *upload, uint32_t part); /* T */
struct bytes row_key_lease(struct row_key *key, uint64_t lease);                          /* L */
struct bytes row_key_last_lease(struct row_key *key); /* L alone */
struct bytes
row_key_due(struct row_key *key, uint64_t due_ms, const struct content *content);   /* D */
struct bytes row_key_condemned(struct row_key *key, const struct content *content); /* Z */
struct bytes row_key_repair(
    struct row_key *key, uint8_t priority, const struct content *content, uint32_t page,
    uint32_t chunk);                                                /* Q */
struct bytes row_key_account(struct row_key *key, uint32_t number); /* a */
struct bytes row_key_last_account(struct row_key *key);             /* a alone */
struct bytes row_key_steward(struct row_key *key);                  /* K */

/* Type byte and a fixed field: what a group of rows begins with. */
struct bytes row_key_prefix(struct row_key *key, char type, struct bytes field);

/* The name in an O key; empty for what is not one. */
struct bytes row_key_object_name(struct bytes key);
/* Name and upload of a U key; false for what is not one. */
bool row_key_upload_parse(struct bytes key, struct bytes *ret_name, struct id16 *ret_upload);
/* The fields of a Q key; false for what is not one. */
bool row_key_repair_parse(
    struct bytes key, uint8_t *ret_priority, struct content *ret_content, uint32_t *ret_page,
    uint32_t *ret_chunk);
/* The part number of a T key; 0 for what is not one. */
uint32_t row_key_part_number(struct bytes key);

/* Make key the first one behind everything that starts with it; false if there is none. */
bool row_key_skip(struct row_key *key);
