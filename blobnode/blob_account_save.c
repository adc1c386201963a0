#include "blobnode/blob_account_state.h"
#include "lib/base/encode.h"
#include "lib/base/file.h"
#include "lib/crypto/digest.h"

#include <errno.h>
#include <unistd.h>

/*
 * The file "index": the index as it was when the record at (segment, offset) was the log's last, so
 * that an open replays only what came after. A cache: whatever is wrong with it, the log is read
 * whole.
 *
 *   "TBI1" | version u16 (1) | 0^2 | store uuid 16 | mark: segment u64, offset u64, LSN u64
 *   | damaged u64 | entries u64 | pins u64
 *   | entries: id16 | LSN u64 | offset u64 | segment u32 | size u32 | trashed u32 | state u8
 *              | damaged u8 | 0^2                                                       (48 bytes)
 *   | pins: segment u32 | segment u32 of a blob that a tombstone in it is for, or itself (8 bytes)
 *   | CRC32C u32 of all before
 */
enum {
    VERSION = 1,
    SAVE_RECORDS = 5000,
    HEAD = 72,
    ENTRY = 48,
    PIN = 8,
    ENTRIES_MAX = 16 * 1024 * 1024
};
static const char MAGIC[] = "TBI1";
static const char NAME[] = "index";
static const size_t FILE_MAX = (size_t)ENTRIES_MAX * (ENTRY + PIN);

static void encode_entry(const struct blob_place *place, uint8_t *to)
{
    memcpy(to, place->id.bytes, ID16_SIZE);
    encode_u64(to + 16, place->lsn);
    encode_u64(to + 24, place->offset);
    encode_u32(to + 32, place->segment);
    encode_u32(to + 36, place->size);
    encode_u32(to + 40, place->trashed_s);
    to[44] = place->state;
    to[45] = place->is_damaged;
    encode_u16(to + 46, 0);
}

static bool decode_entry(const uint8_t *from, struct blob_place *ret_place)
{
    *ret_place = (struct blob_place){
        .lsn = decode_u64(from + 16),
        .offset = decode_u64(from + 24),
        .segment = decode_u32(from + 32),
        .size = decode_u32(from + 36),
        .trashed_s = decode_u32(from + 40),
        .state = from[44],
        .is_damaged = from[45] != 0,
    };
    memcpy(ret_place->id.bytes, from, ID16_SIZE);
    return ret_place->state == BLOB_STATE_LIVE || ret_place->state == BLOB_STATE_TRASH;
}

/* ---------------------------------------------------------------- save */

static void
encode_head(const struct blob_account *account, uint64_t entries, uint64_t pins, uint8_t *to)
{
    memcpy(to, MAGIC, 4);
    encode_u16(to + 4, VERSION);
    encode_u16(to + 6, 0);
    memcpy(to + 8, account->identity.store_uuid.bytes, ID16_SIZE);
    encode_u64(to + 24, account->mark.segment);
    encode_u64(to + 32, account->mark.offset);
    encode_u64(to + 40, account->mark.lsn);
    encode_u64(to + 48, account->damaged);
    encode_u64(to + 56, entries);
    encode_u64(to + 64, pins);
}

static uint64_t add_entries(struct blob_account *account, struct buffer *to)
{
    uint64_t count = 0;
    const struct blob_place *place = blob_index_next(account->index, NULL);
    for (; place != NULL; place = blob_index_next(account->index, &place->id)) {
        uint8_t *entry = place->state == BLOB_STATE_PENDING ? NULL : buffer_extend(to, ENTRY);
        if (entry != NULL) {
            encode_entry(place, entry);
            count++;
        }
    }
    return count;
}

/* The whole file but its checksum. With no append under way, the mark covers what is copied. */
static struct status copy_index(struct blob_account *account, struct buffer *to)
{
    BLOB_ACCOUNT_QUIET(account);
    LOCKED(&account->mutex);
    buffer_add_zeros(to, HEAD);
    uint64_t entries = add_entries(account, to);
    uint64_t pins = 0;
    TRY(blob_segments_add_pins(account->segments, to, &pins));
    TRY(buffer_status(to));
    encode_head(account, entries, pins, to->data);
    return OK;
}

/* Every entry must be durable: a record that a failed sync lost may not come back from here. */
static struct status check_durable(struct blob_account *account, struct bytes file)
{
    uint64_t entries = decode_u64(file.data + 56);
    TRY(segment_log_sync(account->log, decode_u64(file.data + 40)));
    for (uint64_t i = 0; i < entries; i++) {
        uint64_t lsn = decode_u64(file.data + HEAD + i * ENTRY + 16);
        if (lsn > account->saved_lsn) {
            TRY(segment_log_sync(account->log, lsn));
        }
    }
    return OK;
}

struct status blob_account_save(struct blob_account *account)
{
    BUFFER(file, FILE_MAX);
    TRY(copy_index(account, &file));
    TRY(check_durable(account, buffer_bytes(&file)));
    uint64_t lsn = decode_u64(file.data + 40);
    buffer_add_u32(&file, digest_crc32c(0, buffer_bytes(&file)));
    TRY(buffer_status(&file));
    TRY(file_replace(account->dir_fd, NAME, buffer_bytes(&file), 0600));
    account->saved_lsn = lsn;
    return OK;
}

struct status blob_account_state_unsave(struct blob_account *account)
{
    if (unlinkat(account->dir_fd, NAME, 0) != 0 && errno != ENOENT) {
        return FAIL_ERRNO(errno, "remove saved index");
    }
    account->saved_lsn = 0;
    return file_sync_dir(account->dir_fd);
}

bool blob_account_save_is_due(struct blob_account *account)
{
    LOCKED(&account->mutex);
    uint64_t newer = account->mark.lsn - account->saved_lsn;
    return newer > SAVE_RECORDS && newer > account->live / 8;
}

/* ---------------------------------------------------------------- load */

static struct status check_file(const struct blob_account *account, struct bytes file)
{
    if (file.size < HEAD + 4 || memcmp(file.data, MAGIC, 4) != 0 ||
        decode_u16(file.data + 4) != VERSION ||
        memcmp(file.data + 8, account->identity.store_uuid.bytes, ID16_SIZE) != 0) {
        return FAIL(CORRUPT, "head of saved index");
    }
    size_t body = file.size - 4;
    if (digest_crc32c(0, bytes_of(file.data, body)) != decode_u32(file.data + body)) {
        return FAIL(CORRUPT, "checksum of saved index");
    }
    uint64_t entries = decode_u64(file.data + 56);
    uint64_t pins = decode_u64(file.data + 64);
    if (entries > body / ENTRY || pins > body / PIN ||
        HEAD + entries * ENTRY + pins * PIN != body) {
        return FAIL(CORRUPT, "length of saved index");
    }
    return OK;
}

static struct status load_entry(struct blob_account *account, const uint8_t *from)
{
    struct blob_place place;
    if (!decode_entry(from, &place) || blob_index_get(account->index, &place.id) != NULL) {
        return FAIL(CORRUPT, "entry of saved index");
    }
    TRY(blob_index_add(account->index, &place));
    blob_account_state_count(account, &place);
    return OK;
}

struct status blob_account_state_load(struct blob_account *account)
{
    BUFFER(text, FILE_MAX);
    TRY(file_read(account->dir_fd, NAME, &text));
    struct bytes file = buffer_bytes(&text);
    TRY(check_file(account, file));
    uint64_t entries = decode_u64(file.data + 56);
    uint64_t pins = decode_u64(file.data + 64);
    const uint8_t *at = file.data + HEAD;
    for (uint64_t i = 0; i < entries; i++, at += ENTRY) {
        TRY(load_entry(account, at));
    }
    for (uint64_t i = 0; i < pins; i++, at += PIN) {
        blob_segments_add_tombstone(account->segments, decode_u32(at), decode_u32(at + 4));
    }
    account->mark = (struct blob_account_mark){
        .segment = decode_u64(file.data + 24),
        .offset = decode_u64(file.data + 32),
        .lsn = decode_u64(file.data + 40),
    };
    account->damaged = decode_u64(file.data + 48);
    account->saved_lsn = account->mark.lsn;
    return OK;
}
