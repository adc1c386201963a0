#include "lib/kv/segment_codec.h"

#include "lib/base/check.h"
#include "lib/base/encode.h"
#include "lib/base/file.h"
#include "lib/crypto/digest.h"

#include <errno.h>
#include <sys/uio.h>

enum {
    MAGIC = 0x54535231, /* "TSR1" */
    SUM_AT = SEGMENT_RECORD_HEADER - 4,
    VECTORS_MAX = 64,
};

static const uint8_t padding[SEGMENT_ALIGN];

uint32_t segment_codec_blocks(uint32_t size)
{
    return (size + SEGMENT_BLOCK - 1) / SEGMENT_BLOCK;
}

uint32_t segment_codec_payload(uint32_t size)
{
    return SEGMENT_RECORD_HEADER + 4 * segment_codec_blocks(size);
}

/* Zeros behind the payload, so that the next header is aligned; the last block's sum covers them.
 */
static uint32_t pad_of(uint32_t size)
{
    uint32_t used = segment_codec_payload(size) + size;
    return (SEGMENT_ALIGN - used % SEGMENT_ALIGN) % SEGMENT_ALIGN;
}

uint64_t segment_codec_total(uint32_t size)
{
    CHECK(size <= SEGMENT_RECORD_MAX);
    return (uint64_t)segment_codec_payload(size) + size + pad_of(size);
}

/* Bound to its place: a header copied elsewhere, or made by an outsider, is none. */
static uint32_t header_sum(const struct segment_file *file, uint64_t offset, const uint8_t *header)
{
    uint8_t place[24];
    encode_u64(place, file->salt);
    encode_u64(place + 8, file->number);
    encode_u64(place + 16, offset);
    return digest_crc32c(digest_crc32c(0, BYTES_ARRAY(place)), bytes_of(header, SUM_AT));
}

void segment_codec_encode(
    const struct segment_file *file, const struct segment_record *record, uint64_t durable,
    uint8_t ret_header[SEGMENT_RECORD_HEADER])
{
    encode_u32(ret_header, MAGIC);
    memcpy(ret_header + 4, record->id, sizeof(record->id));
    encode_u32(ret_header + 20, record->size);
    encode_u32(ret_header + 24, record->flags);
    encode_u64(ret_header + 28, record->lsn);
    encode_u64(ret_header + 36, durable);
    encode_u32(ret_header + SUM_AT, header_sum(file, record->offset, ret_header));
}

bool segment_codec_decode(
    const struct segment_file *file, uint64_t offset, uint64_t limit,
    const uint8_t header[SEGMENT_RECORD_HEADER], struct segment_record *ret_record,
    uint64_t *ret_durable)
{
    struct segment_record record = {
        .flags = decode_u32(header + 24),
        .lsn = decode_u64(header + 28),
        .segment = file->number,
        .offset = offset,
        .size = decode_u32(header + 20),
    };
    memcpy(record.id, header + 4, sizeof(record.id));
    uint64_t durable = decode_u64(header + 36);
    if (decode_u32(header) != MAGIC || record.size > SEGMENT_RECORD_MAX || record.lsn == 0 ||
        durable >= record.lsn || offset > limit ||
        segment_codec_total(record.size) > limit - offset ||
        decode_u32(header + SUM_AT) != header_sum(file, offset, header)) {
        return false;
    }
    *ret_record = record;
    *ret_durable = durable;
    return true;
}

void segment_codec_sum(const struct bytes *parts, size_t count, uint32_t size, uint8_t *ret_sums)
{
    uint32_t done = 0;
    uint32_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t at = 0; at < parts[i].size;) {
            size_t room = SEGMENT_BLOCK - done % SEGMENT_BLOCK;
            size_t step = parts[i].size - at < room ? parts[i].size - at : room;
            sum = digest_crc32c(sum, bytes_slice(parts[i], at, step));
            at += step;
            done += (uint32_t)step;
            if (done == size) {
                sum = digest_crc32c(sum, bytes_of(padding, pad_of(size)));
            }
            if (done == size || done % SEGMENT_BLOCK == 0) {
                encode_u32(ret_sums, sum);
                ret_sums += 4;
                sum = 0;
            }
        }
    }
    CHECK(done == size);
}

/* Views gathered for one pwritev. */
struct vectors {
    int fd;
    uint64_t offset;
    struct iovec list[VECTORS_MAX];
    int count;
};

static struct status vectors_flush(struct vectors *vectors)
{
    struct iovec *next = vectors->list;
    while (vectors->count > 0) {
        ssize_t n = pwritev(vectors->fd, next, vectors->count, (off_t)vectors->offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return FAIL_ERRNO(n < 0 ? errno : EIO, "write record");
        }
        vectors->offset += (uint64_t)n;
        size_t rest = (size_t)n;
        while (vectors->count > 0 && rest >= next->iov_len) {
            rest -= next->iov_len;
            next++;
            vectors->count--;
        }
        if (vectors->count > 0) {
            next->iov_base = (uint8_t *)next->iov_base + rest;
            next->iov_len -= rest;
        }
    }
    return OK;
}

static struct status vectors_add(struct vectors *vectors, struct bytes bytes)
{
    if (bytes.size == 0) {
        return OK;
    }
    if (vectors->count == VECTORS_MAX) {
        TRY(vectors_flush(vectors));
    }
    /* The kernel only reads from it; iovec has no const. */
    vectors->list[vectors->count].iov_base = (void *)(uintptr_t)bytes.data;
    vectors->list[vectors->count].iov_len = bytes.size;
    vectors->count++;
    return OK;
}

struct status segment_codec_write(
    int fd, uint64_t offset, struct bytes head, const struct bytes *parts, size_t count,
    uint32_t size)
{
    struct vectors vectors = {.fd = fd, .offset = offset};
    TRY(vectors_add(&vectors, head));
    for (size_t i = 0; i < count; i++) {
        TRY(vectors_add(&vectors, parts[i]));
    }
    TRY(vectors_add(&vectors, bytes_of(padding, pad_of(size))));
    return vectors_flush(&vectors);
}

/* A read of whole blocks of one record. */
struct block_read {
    const struct segment_file *file;
    uint64_t payload; /* Its offset in the file. */
    uint32_t size;    /* Of the payload. */
    uint32_t first;   /* Block that sums begins with. */
    uint8_t sums[4 * SEGMENT_BLOCKS_MAX];
};

static struct status
check_block(const struct block_read *read, uint32_t block, struct bytes bytes, struct bytes pad)
{
    uint32_t sum = digest_crc32c(digest_crc32c(0, bytes), pad);
    if (sum != decode_u32(read->sums + 4 * (block - read->first))) {
        return FAIL(CORRUPT, "checksum of record");
    }
    return OK;
}

static size_t block_size(const struct block_read *read, uint32_t block)
{
    size_t from = (size_t)block * SEGMENT_BLOCK;
    return read->size - from < SEGMENT_BLOCK ? read->size - from : SEGMENT_BLOCK;
}

/* Blocks [from, to) whole, to `to`; the padding behind the last is read and checked too. */
static struct status
read_blocks(const struct block_read *read, uint32_t from, uint32_t to_block, uint8_t *to)
{
    bool has_last = to_block == segment_codec_blocks(read->size);
    size_t start = (size_t)from * SEGMENT_BLOCK;
    size_t end = has_last ? read->size : (size_t)to_block * SEGMENT_BLOCK;
    uint8_t pad[SEGMENT_ALIGN];
    size_t pad_size = has_last ? pad_of(read->size) : 0;
    TRY(file_read_at(read->file->fd, to, end - start, read->payload + start));
    TRY(file_read_at(read->file->fd, pad, pad_size, read->payload + end));
    for (uint32_t block = from; block < to_block; block++) {
        bool is_last = has_last && block + 1 == to_block;
        size_t at = (size_t)(block - from) * SEGMENT_BLOCK;
        TRY(check_block(
            read, block, bytes_of(to + at, block_size(read, block)),
            bytes_of(pad, is_last ? pad_size : 0)));
    }
    return OK;
}

/* A part of one block, by way of scratch. */
static struct status
read_piece(const struct block_read *read, uint32_t block, uint32_t offset, uint8_t *to, size_t size)
{
    uint8_t scratch[SEGMENT_BLOCK];
    TRY(read_blocks(read, block, block + 1, scratch));
    memcpy(to, scratch + (offset - (size_t)block * SEGMENT_BLOCK), size);
    return OK;
}

struct status segment_codec_read(
    const struct segment_file *file, const struct segment_record *record, uint32_t offset,
    uint8_t *to, size_t size)
{
    CHECK(offset <= record->size && size <= record->size - offset);
    if (size == 0) {
        return OK;
    }
    uint32_t first = offset / SEGMENT_BLOCK;
    uint32_t blocks = (uint32_t)((offset + size + SEGMENT_BLOCK - 1) / SEGMENT_BLOCK) - first;
    struct block_read read = {
        .file = file,
        .payload = record->offset + segment_codec_payload(record->size),
        .size = record->size,
        .first = first,
    };
    TRY(file_read_at(
        file->fd, read.sums, 4 * (size_t)blocks,
        record->offset + SEGMENT_RECORD_HEADER + 4 * (uint64_t)first));
    while (size > 0) {
        uint32_t block = offset / SEGMENT_BLOCK;
        size_t in_block = offset % SEGMENT_BLOCK;
        size_t step = block_size(&read, block) - in_block;
        if (in_block != 0 || size < step) {
            step = size < step ? size : step;
            TRY(read_piece(&read, block, offset, to, step));
        } else {
            /* As many whole blocks as are wanted, in one read. */
            bool to_end = offset + size == record->size;
            step = to_end ? size : size - size % SEGMENT_BLOCK;
            uint32_t end = to_end ? segment_codec_blocks(record->size)
                                  : block + (uint32_t)(step / SEGMENT_BLOCK);
            TRY(read_blocks(&read, block, end, to));
        }
        offset += (uint32_t)step;
        to += step;
        size -= step;
    }
    return OK;
}
