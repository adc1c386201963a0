#include "contentdb/shard_header.h"

#include "lib/base/encode.h"
#include "lib/base/file.h"
#include "lib/crypto/random.h"

#include <sys/stat.h>

/*
 * "TSH1" | ver u16 (1) | shard u32 | db_uuid16 | count u16 (<= 16)
 * | count x { dek_ver u32 | len u16 | wrapped by the key store | len u16 | under the recovery code
 * }
 */

enum { HEADER_FORMAT = 1, HEADER_MAX = 64 * 1024 };

static const char NAME[] = "header";
static const char MAGIC[] = "TSH1";

static void add_wrapped(struct buffer *to, const uint8_t *data, size_t size)
{
    buffer_add_u16(to, (uint16_t)size);
    buffer_add(to, bytes_of(data, size));
}

void shard_header_encode(const struct shard_header *header, struct buffer *to)
{
    buffer_add_text(to, MAGIC);
    buffer_add_u16(to, HEADER_FORMAT);
    buffer_add_u32(to, header->shard);
    buffer_add(to, id16_view(&header->db_uuid));
    buffer_add_u16(to, (uint16_t)header->deks_count);
    for (size_t i = 0; i < header->deks_count; i++) {
        const struct key_shard_wrapped *dek = &header->deks[i];
        buffer_add_u32(to, dek->version);
        add_wrapped(to, dek->wrapped, dek->wrapped_size);
        add_wrapped(to, dek->recovery, dek->recovery_size);
    }
}

static void read_wrapped(struct reader *reader, uint8_t *to, size_t *ret_size)
{
    size_t size = reader_u16(reader);
    if (size > KEY_SHARD_WRAPPED_MAX) {
        reader->failed = true;
        size = 0;
    }
    reader_copy(reader, to, size);
    *ret_size = size;
}

struct status shard_header_decode(struct bytes encoded, struct shard_header *ret_header)
{
    struct reader reader = reader_of(encoded);
    *ret_header = (struct shard_header){.shard = 0};
    if (!bytes_equal(reader_take(&reader, sizeof(MAGIC) - 1), bytes_text(MAGIC))) {
        return FAIL(CORRUPT, "magic of the shard header");
    }
    if (reader_u16(&reader) != HEADER_FORMAT) {
        return FAIL(CORRUPT, "version of the shard header");
    }
    ret_header->shard = reader_u32(&reader);
    reader_copy(&reader, ret_header->db_uuid.bytes, ID16_SIZE);
    size_t count = reader_u16(&reader);
    if (count > KEY_SHARD_DEKS_MAX) {
        return FAIL(CORRUPT, "DEKs of the shard header");
    }
    for (size_t i = 0; i < count; i++) {
        struct key_shard_wrapped *dek = &ret_header->deks[i];
        dek->version = reader_u32(&reader);
        read_wrapped(&reader, dek->wrapped, &dek->wrapped_size);
        read_wrapped(&reader, dek->recovery, &dek->recovery_size);
    }
    ret_header->deks_count = count;
    return reader_finish(&reader) ? OK : FAIL(CORRUPT, "length of the shard header");
}

static struct status write_header(int dir_fd, const struct shard_header *header)
{
    BUFFER(encoded, HEADER_MAX);
    shard_header_encode(header, &encoded);
    TRY(buffer_status(&encoded));
    return file_replace(dir_fd, NAME, buffer_bytes(&encoded), 0600);
}

struct status shard_header_load(int dir_fd, uint32_t shard, struct shard_header *ret_header)
{
    BUFFER(encoded, HEADER_MAX);
    struct status status = file_read(dir_fd, NAME, &encoded);
    if (status.code == STATUS_NOT_FOUND) {
        *ret_header = (struct shard_header){.shard = shard};
        TRY(random_bytes(ret_header->db_uuid.bytes, ID16_SIZE));
        return write_header(dir_fd, ret_header);
    }
    TRY(status);
    TRY(shard_header_decode(buffer_bytes(&encoded), ret_header));
    return ret_header->shard == shard ? OK : FAIL(CORRUPT, "the header is of another shard");
}

struct status
shard_header_update(int dir_fd, struct shard_header *header, const struct key_shard *shard)
{
    struct shard_header next = {.shard = header->shard, .db_uuid = header->db_uuid};
    for (size_t i = 0; i < shard->deks_count; i++) {
        next.deks[i] = shard->deks[i].wrapped;
    }
    next.deks_count = shard->deks_count;
    BUFFER(old_bytes, HEADER_MAX);
    BUFFER(new_bytes, HEADER_MAX);
    shard_header_encode(header, &old_bytes);
    shard_header_encode(&next, &new_bytes);
    TRY(buffer_status(&old_bytes));
    TRY(buffer_status(&new_bytes));
    if (!bytes_equal(buffer_bytes(&old_bytes), buffer_bytes(&new_bytes))) {
        TRY(write_header(dir_fd, &next));
    }
    *header = next;
    return OK;
}
