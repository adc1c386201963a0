/*
 * record (192) = "TAU1" | kind u8 | flag u8 | 0^2 | seq u64 | time_ms u64 | caller32 | who20
 *                | number u32 | tenant16 | bucket16 | subject16 | hash of the record before 32
 *                | SHA-256("triad/v1/audit" | 00 | the 160 bytes before) 32
 * seq counts from 1; the first record's "hash before" is zeros. Each is the payload of one record
 * of a segment log.
 */

#include "keystore/audit.h"

#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/base/file.h"
#include "lib/crypto/digest.h"
#include "lib/kv/segment_log.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    HASHED_SIZE = AUDIT_RECORD_SIZE - 32,
    PREVIOUS_OFFSET = HASHED_SIZE - 32,
    SEQ_OFFSET = 8,
    SEGMENT_BYTES = 16 * 1024 * 1024,
    SPACE_RESERVE = 64 * 1024 * 1024,
};

struct audit {
    pthread_mutex_t mutex;   /* The chain: seq and hash go with the order of appends. */
    int dir_fd;              /* Owned. */
    struct segment_log *log; /* Owned. */
    uint64_t seq;            /* Of the last record. */
    uint8_t hash[32];        /* Of the last record. */
    bool is_broken;
    bool is_failed; /* A sync failed: the log takes nothing more. */
    void (*on_fatal)(void *context, struct status status);
    void *on_fatal_context;
};

static struct status hash_of(const uint8_t *record, uint8_t ret_hash[32])
{
    const struct bytes parts[] = {
        bytes_of("triad/v1/audit", sizeof("triad/v1/audit")), bytes_of(record, HASHED_SIZE)};

    return digest_sha256(parts, 2, ret_hash);
}

/* At open: each record must name the one before. */
static struct status scan(void *context, const struct segment_record *record, struct bytes payload)
{
    struct audit *audit = context;
    uint8_t hash[32];

    (void)record;
    if (payload.size != AUDIT_RECORD_SIZE ||
        !bytes_equal(bytes_slice(payload, 0, 4), bytes_text("TAU1"))) {
        audit->is_broken = true;
        return OK;
    }
    TRY(hash_of(payload.data, hash));
    bool is_next = decode_u64(payload.data + SEQ_OFFSET) == audit->seq + 1 &&
                   memcmp(payload.data + PREVIOUS_OFFSET, audit->hash, 32) == 0;
    if (!is_next || memcmp(payload.data + HASHED_SIZE, hash, 32) != 0) {
        audit->is_broken = true;
    }
    audit->seq = decode_u64(payload.data + SEQ_OFFSET);
    memcpy(audit->hash, hash, sizeof(hash));
    return OK;
}

struct status audit_open(const char *dir, struct audit **ret_audit, bool *ret_is_broken)
{
    struct segment_log_options options = {
        .segment_size = SEGMENT_BYTES,
        .space_reserve = SPACE_RESERVE,
        .prefill = true,
        /* Each record names the one before: none may follow one that was lost. */
        .ends_on_failed_sync = true,
    };
    uint64_t damaged = 0;

    OWNED(audit) struct audit *audit = calloc(1, sizeof(*audit));
    if (audit == NULL) {
        return FAIL(NO_MEMORY, "audit log");
    }
    audit->dir_fd = -1;
    pthread_mutex_init(&audit->mutex, NULL);
    TRY(file_open_dir(dir, true, &audit->dir_fd));
    TRY(segment_log_open(audit->dir_fd, &options, 0, 0, scan, audit, &damaged, &audit->log));
    *ret_is_broken = audit->is_broken || damaged > 0;
    *ret_audit = TAKE(audit);
    return OK;
}

void audit_free(struct audit *audit)
{
    if (audit == NULL) {
        return;
    }
    segment_log_free(audit->log);
    fd_release(&audit->dir_fd);
    pthread_mutex_destroy(&audit->mutex);
    free(audit);
}

static void
encode(const struct audit *audit, const struct audit_event *event, uint8_t record[HASHED_SIZE])
{
    memset(record, 0, HASHED_SIZE);
    memcpy(record, "TAU1", 4);
    record[4] = (uint8_t)event->kind;
    record[5] = event->flag;
    encode_u64(record + SEQ_OFFSET, audit->seq + 1);
    encode_u64(record + 16, (uint64_t)clock_wall_ms());
    memcpy(record + 24, event->caller, 32);
    memcpy(record + 56, event->who, AUDIT_WHO_SIZE);
    encode_u32(record + 76, event->number);
    memcpy(record + 80, event->tenant.bytes, ID16_SIZE);
    memcpy(record + 96, event->bucket.bytes, ID16_SIZE);
    memcpy(record + 112, event->subject.bytes, ID16_SIZE);
    memcpy(record + PREVIOUS_OFFSET, audit->hash, 32);
}

struct status audit_append(struct audit *audit, const struct audit_event *event, uint64_t *ret_lsn)
{
    static const uint8_t no_id[16];
    uint8_t bytes[AUDIT_RECORD_SIZE];
    struct segment_record record;

    LOCKED(&audit->mutex);
    encode(audit, event, bytes);
    TRY(hash_of(bytes, bytes + HASHED_SIZE));
    struct bytes payload = BYTES_ARRAY(bytes);
    TRY(segment_log_append(audit->log, no_id, 0, &payload, 1, &record));
    audit->seq++;
    memcpy(audit->hash, bytes + HASHED_SIZE, 32);
    *ret_lsn = record.lsn;
    return OK;
}

void audit_on_fatal(
    struct audit *audit, void (*on_fatal)(void *context, struct status status), void *context)
{
    LOCKED(&audit->mutex);
    audit->on_fatal = on_fatal;
    audit->on_fatal_context = context;
}

/* True the first time. */
static bool note_failure(struct audit *audit)
{
    LOCKED(&audit->mutex);
    bool is_first = !audit->is_failed;
    audit->is_failed = true;
    return is_first && audit->on_fatal != NULL;
}

struct status audit_sync(struct audit *audit, uint64_t lsn)
{
    struct status status = segment_log_sync(audit->log, lsn);
    if (!status_ok(status) && note_failure(audit)) {
        audit->on_fatal(audit->on_fatal_context, status);
    }
    return status;
}

struct status audit_record(struct audit *audit, const struct audit_event *event)
{
    uint64_t lsn = 0;

    TRY(audit_append(audit, event, &lsn));
    return audit_sync(audit, lsn);
}

uint64_t audit_records(struct audit *audit)
{
    LOCKED(&audit->mutex);
    return audit->seq;
}

const char *audit_kind_name(enum audit_kind kind)
{
    switch (kind) {
#define X(name, number)                                                                            \
    case AUDIT_##name:                                                                             \
        return #name;
        AUDIT_KINDS(X)
#undef X
    }
    return "?";
}
