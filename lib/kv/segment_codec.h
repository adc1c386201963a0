#pragma once

/* A record's bytes: header, checksums, sizes. Pure but for segment_codec_write and _check. */

#include "lib/kv/segment_file.h"

/* Bytes that a record with that payload takes in a segment. */
uint64_t segment_codec_total(uint32_t size);

/* Number of checksummed blocks of a payload, and offset of the payload behind the header. */
uint32_t segment_codec_blocks(uint32_t size);
uint32_t segment_codec_payload(uint32_t size);

/* Write the header of a record at record->offset of file. durable: LSN known synced by now. */
void segment_codec_encode(
    const struct segment_file *file, const struct segment_record *record, uint64_t durable,
    uint8_t ret_header[SEGMENT_RECORD_HEADER]);

/* False if that is no header of file at offset, or one whose record does not end by limit. */
bool segment_codec_decode(
    const struct segment_file *file, uint64_t offset, uint64_t limit,
    const uint8_t header[SEGMENT_RECORD_HEADER], struct segment_record *ret_record,
    uint64_t *ret_durable);

/* The CRC32C of each block of the parts joined and padded, big-endian, to ret_sums (4 a block). */
void segment_codec_sum(const struct bytes *parts, size_t count, uint32_t size, uint8_t *ret_sums);

/* Write head, the parts and padding at offset. */
MUST_CHECK struct status segment_codec_write(
    int fd, uint64_t offset, struct bytes head, const struct bytes *parts, size_t count,
    uint32_t size);

/* Read payload bytes [offset, offset + size) of a record to `to`; CORRUPT if a sum is wrong. */
MUST_CHECK struct status segment_codec_read(
    const struct segment_file *file, const struct segment_record *record, uint32_t offset,
    uint8_t *to, size_t size);
