/*
 * What is synced is there after any crash, what is damaged is reported and costs only itself, and
 * nothing that a failed sync or a torn write left behind ever comes back.
 */

#include "lib/kv/segment_log.h"

#include "lib/base/encode.h"
#include "lib/base/task.h"
#include "tests/support/cmocka.h"
#include "tests/unit/kv/kv_support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>

enum { RECORDS_MAX = 4000, FIRST_AT = 64 };

static int sync_fails;  /* Countdown: 1 makes the next one fail. */
static int write_fails; /* Likewise. */

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    if (sync_fails > 0 && --sync_fails == 0) {
        errno = EIO;
        return -1;
    }
    return __real_fdatasync(fd);
}

ssize_t __real_pwritev(int fd, const struct iovec *list, int count, off_t offset);
ssize_t __wrap_pwritev(int fd, const struct iovec *list, int count, off_t offset);
ssize_t __wrap_pwritev(int fd, const struct iovec *list, int count, off_t offset)
{
    if (write_fails > 0 && --write_fails == 0) {
        ssize_t n = pwrite(fd, list[0].iov_base, list[0].iov_len, offset);
        (void)n; /* A header without its payload. */
        errno = EIO;
        return -1;
    }
    return __real_pwritev(fd, list, count, offset);
}

struct fixture {
    char path[KV_SUPPORT_PATH];
    int dir_fd;
    struct segment_log_options options;
    struct segment_log *log;
    struct segment_record found[RECORDS_MAX];
    size_t found_count;
    uint64_t damaged;
    uint8_t data[300000];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->dir_fd = kv_support_dir_new(f->path);
    f->options.segment_size = 64 * 1024;
    uint64_t seed = 7;
    for (size_t i = 0; i < sizeof(f->data); i++) {
        f->data[i] = (uint8_t)kv_support_next(&seed);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    segment_log_free(f->log);
    kv_support_dir_free(f->dir_fd, f->path);
    free(f);
    return 0;
}

/* Payloads are slices of data chosen by the id, so that a scan can check them. */
static struct bytes payload_of(const struct fixture *f, const uint8_t id[16])
{
    return bytes_of(f->data + decode_u32(id), decode_u32(id + 4));
}

static struct status keep(void *context, const struct segment_record *record, struct bytes payload)
{
    struct fixture *f = context;
    assert_true(bytes_equal(payload, payload_of(f, record->id)));
    assert_int_equal(payload.size, record->size);
    assert_true(f->found_count < RECORDS_MAX);
    f->found[f->found_count++] = *record;
    return OK;
}

static void reopen_in(struct fixture *f, int dir_fd, uint64_t segment, uint64_t offset)
{
    segment_log_free(f->log);
    f->log = NULL;
    f->found_count = 0;
    assert_ok(
        segment_log_open(dir_fd, &f->options, segment, offset, keep, f, &f->damaged, &f->log));
}

static void reopen(struct fixture *f)
{
    reopen_in(f, f->dir_fd, 0, 0);
}

static struct status append(struct fixture *f, uint32_t size, struct segment_record *ret_record)
{
    uint8_t id[16] = {0};
    encode_u32(id, size % 97);
    encode_u32(id + 4, size);
    struct bytes all = payload_of(f, id);
    struct bytes parts[3] = {
        bytes_slice(all, 0, size / 3), bytes_of(NULL, 0), bytes_from(all, size / 3)};
    return segment_log_append(f->log, id, 5, parts, 3, ret_record);
}

static uint64_t add(struct fixture *f, uint32_t size)
{
    struct segment_record record;
    assert_ok(append(f, size, &record));
    return record.lsn;
}

static void records_come_back_in_order_over_many_segments(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    assert_int_equal(f->found_count, 0);
    for (uint32_t i = 0; i < 300; i++) {
        assert_int_equal(add(f, i * 7), i + 1);
    }
    assert_ok(segment_log_sync(f->log, 300));
    assert_int_equal(segment_log_durable(f->log), 300);
    reopen(f);
    assert_int_equal(f->found_count, 300);
    assert_int_equal(f->damaged, 0);
    assert_int_equal(segment_log_last(f->log), 300);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(f->found[i].lsn, i + 1);
        assert_int_equal(f->found[i].flags, 5);
    }
    assert_true(f->found[299].segment > 3);
    assert_int_equal(add(f, 10), 301);
}

static void scan_starts_at_the_position_given(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    struct segment_record middle = {0};
    struct segment_record last = {0};
    for (uint32_t i = 0; i < 200; i++) {
        assert_ok(append(f, 1000, i == 100 ? &middle : &last));
    }
    reopen_in(f, f->dir_fd, middle.segment, middle.offset);
    assert_int_equal(f->found_count, 100);
    assert_int_equal(f->found[0].lsn, 101);
    /* At the very end nothing is found, and yet no LSN is given twice. */
    reopen_in(f, f->dir_fd, last.segment, last.offset + 1072);
    assert_int_equal(f->found_count, 0);
    assert_int_equal(add(f, 1), 201);
    /* A mark behind the end does not leave a hole. */
    reopen_in(f, f->dir_fd, last.segment, 60000);
    assert_int_equal(add(f, 2), 202);
    reopen(f);
    assert_int_equal(f->found_count, 202);
    assert_int_equal(f->damaged, 0);
}

static void parts_of_a_payload_can_be_read(void **state)
{
    struct fixture *f = *state;
    f->options.segment_size = 1024 * 1024;
    reopen(f);
    struct segment_record record;
    uint32_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 200001};
    static uint8_t got[300000];
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint32_t size = sizes[i];
        assert_ok(append(f, size, &record));
        struct bytes want = payload_of(f, record.id);
        uint32_t cuts[] = {0, 1, 65535, 65536, 65537, 131072, 150000, size};
        for (size_t a = 0; a < 8; a++) {
            for (size_t b = a; b < 8; b++) {
                if (cuts[a] <= cuts[b] && cuts[b] <= size) {
                    size_t part = cuts[b] - cuts[a];
                    assert_ok(segment_log_read(f->log, &record, cuts[a], got, part));
                    assert_memory_equal(got, want.data + cuts[a], part);
                }
            }
        }
        assert_status(segment_log_read(f->log, &record, 1, got, size), STATUS_RANGE);
    }
}

static void each_flipped_bit_is_found_by_a_read(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    struct segment_record record;
    add(f, 100);
    assert_ok(append(f, 77, &record));
    uint8_t got[77];
    assert_ok(segment_log_read(f->log, &record, 0, got, 77));
    uint64_t total = 144; /* 48 + 4 + 77 and padding. */
    for (uint64_t at = record.offset; at < record.offset + total; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            kv_support_flip(f->path, "0000000000000001.seg", at, bit);
            assert_status(segment_log_read(f->log, &record, 0, got, 77), STATUS_CORRUPT);
            kv_support_flip(f->path, "0000000000000001.seg", at, bit);
        }
    }
    assert_ok(segment_log_read(f->log, &record, 0, got, 77));
}

static void a_damaged_record_costs_only_itself(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    struct segment_record record = {0};
    for (uint32_t i = 0; i < 10; i++) {
        struct segment_record other;
        assert_ok(append(f, 500 + i, i == 4 ? &record : &other));
        assert_ok(segment_log_sync(f->log, i + 1));
    }
    uint64_t places[] = {
        record.offset, record.offset + 21, record.offset + 50, record.offset + 200};
    for (size_t i = 0; i < 4; i++) {
        kv_support_flip(f->path, "0000000000000001.seg", places[i], 3);
        reopen(f);
        assert_int_equal(f->damaged, 1);
        assert_int_equal(f->found_count, 9);
        assert_int_equal(segment_log_last(f->log), 10);
        kv_support_flip(f->path, "0000000000000001.seg", places[i], 3);
    }
    kv_support_flip(f->path, "0000000000000001.seg", 17, 3); /* The first copy of the salt. */
    reopen(f);
    assert_int_equal(f->damaged, 1);
    assert_int_equal(f->found_count, 10);
}

static void damage_in_an_older_segment_is_never_a_tail(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    struct segment_record record = {0};
    struct segment_record first[64];
    size_t in_first = 0;
    for (uint32_t i = 0; i < 100; i++) {
        assert_ok(append(f, 1500, &record));
        if (record.segment == 1) {
            first[in_first++] = record;
        }
    }
    /* The last record of the first segment, whole, is gone. */
    uint64_t at = first[in_first - 1].offset;
    for (uint64_t i = 0; i < 1552; i += 16) {
        kv_support_flip(f->path, "0000000000000001.seg", at + i, 1);
    }
    reopen(f);
    assert_int_equal(f->damaged, 1);
    assert_int_equal(f->found_count, 99);
}

static void a_torn_tail_is_cut_and_stays_away(void **state)
{
    struct fixture *f = *state;
    char synced[KV_SUPPORT_PATH];
    char torn[KV_SUPPORT_PATH];
    int synced_fd = kv_support_dir_new(synced);
    int torn_fd = kv_support_dir_new(torn);
    uint64_t seed = 12345;
    uint64_t floor = 0;
    reopen(f);
    for (int round = 0; round < 120; round++) {
        uint64_t n = kv_support_next(&seed) % 5;
        for (uint64_t i = 0; i < n; i++) {
            floor = add(f, (uint32_t)(kv_support_next(&seed) % 3000));
        }
        assert_ok(segment_log_sync(f->log, floor));
        kv_support_copy(f->path, synced);
        uint64_t segment = segment_log_active(f->log);
        uint64_t last = floor;
        n = 1 + kv_support_next(&seed) % 5;
        for (uint64_t i = 0; i < n; i++) {
            last = add(f, (uint32_t)(kv_support_next(&seed) % 3000));
        }
        if (segment_log_active(f->log) != segment) {
            floor = segment_log_durable(f->log);
            continue; /* The change of segments synced; our image is of before. */
        }
        kv_support_tear(synced, f->path, torn, &seed);
        reopen_in(f, torn_fd, 0, 0);
        assert_int_equal(f->damaged, 0);
        assert_true(f->found_count >= floor && f->found_count <= last);
        assert_int_equal(segment_log_last(f->log), f->found_count);
        for (size_t i = 0; i < f->found_count; i++) {
            assert_int_equal(f->found[i].lsn, i + 1);
        }
        /* Go on from the image: what was cut must never appear. */
        floor = f->found_count;
        kv_support_copy(torn, f->path);
        reopen(f);
        assert_int_equal(f->found_count, floor);
        assert_int_equal(f->damaged, 0);
    }
    kv_support_dir_free(synced_fd, synced);
    kv_support_dir_free(torn_fd, torn);
}

static void a_whole_record_behind_the_cut_does_not_come_back(void **state)
{
    struct fixture *f = *state;
    struct segment_record torn;
    reopen(f);
    add(f, 100);
    assert_ok(append(f, 200, &torn));
    add(f, 300); /* Whole on the disk, but never acknowledged. */
    kv_support_flip(f->path, "0000000000000001.seg", torn.offset + 8, 0);
    reopen(f);
    assert_int_equal(f->found_count, 1);
    assert_int_equal(f->damaged, 0);
    assert_int_equal(add(f, 200), 2); /* Exactly up to where that one begins. */
    reopen(f);
    assert_int_equal(f->found_count, 2);
    assert_int_equal(segment_log_last(f->log), 2);
}

static void a_failed_sync_seals_the_segment_and_nothing_comes_back(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    add(f, 100);
    assert_ok(segment_log_sync(f->log, 1));
    add(f, 200);
    add(f, 300);
    sync_fails = 1;
    assert_status(segment_log_sync(f->log, 2), STATUS_IO);
    assert_status(segment_log_sync(f->log, 3), STATUS_IO);
    assert_int_equal(segment_log_durable(f->log), 1);
    assert_int_equal(add(f, 400), 4);
    assert_int_equal(segment_log_active(f->log), 2);
    assert_ok(segment_log_sync(f->log, 4));
    assert_status(segment_log_sync(f->log, 3), STATUS_IO);
    assert_ok(segment_log_sync(f->log, 1));
    reopen(f);
    assert_int_equal(f->damaged, 0);
    assert_int_equal(f->found_count, 2);
    assert_int_equal(f->found[0].size, 100);
    assert_int_equal(f->found[1].size, 400);
    assert_int_equal(add(f, 500), 5);
    /* Removing the segment that says so does not bring them back. */
    f->options.segment_size = 8192;
    while (segment_log_active(f->log) < 3) {
        add(f, 7000);
    }
    assert_ok(segment_log_remove(f->log, 2));
    assert_status(segment_log_remove(f->log, 2), STATUS_NOT_FOUND);
    assert_status(segment_log_remove(f->log, 3), STATUS_BUSY);
    reopen(f);
    assert_int_equal(f->found[0].size, 100);
    assert_int_equal(f->found[1].segment, 3);
    assert_int_equal(f->damaged, 0);
}

static void a_failed_write_leaves_no_record(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    add(f, 100);
    struct segment_record record;
    write_fails = 1;
    assert_status(append(f, 200, &record), STATUS_IO);
    assert_int_equal(segment_log_last(f->log), 1);
    assert_int_equal(add(f, 300), 2);
    assert_int_equal(segment_log_active(f->log), 2);
    reopen(f);
    assert_int_equal(f->found_count, 2);
    assert_int_equal(f->damaged, 0);
}

/* The segment that follows a failed sync may have no record yet when it is given up itself. */
static void a_failed_write_right_after_a_failed_sync_costs_only_itself(void **state)
{
    struct fixture *f = *state;
    struct segment_record record;
    reopen(f);
    add(f, 100);
    sync_fails = 1;
    assert_status(segment_log_sync(f->log, 1), STATUS_IO);
    write_fails = 1;
    assert_status(append(f, 200, &record), STATUS_IO);
    assert_int_equal(add(f, 300), 2);
    assert_ok(segment_log_sync(f->log, 2));
    assert_status(segment_log_sync(f->log, 1), STATUS_IO);
    reopen(f);
    assert_int_equal(f->damaged, 0);
    assert_int_equal(f->found_count, 1);
    assert_int_equal(f->found[0].size, 300);
}

static void a_full_disk_refuses_a_new_segment_only(void **state)
{
    struct fixture *f = *state;
    reopen(f);
    add(f, 1000);
    f->options.space_reserve = UINT64_MAX / 4;
    reopen(f);
    struct segment_record record;
    for (int i = 0; i < 60; i++) {
        assert_ok(append(f, 1000, &record));
    }
    assert_status(append(f, 3000, &record), STATUS_FULL);
    assert_int_equal(add(f, 10), 62);
    assert_status(append(f, 70000, &record), STATUS_TOO_LARGE);
}

struct crowd {
    struct fixture *f;
    unsigned index;
};

static void crowd_run(void *context)
{
    struct crowd *crowd = context;
    for (uint32_t i = 0; i < 100; i++) {
        struct segment_record record;
        uint8_t id[16] = {0};
        encode_u32(id, crowd->index);
        encode_u32(id + 4, i * 3);
        struct bytes part = payload_of(crowd->f, id);
        assert_ok(segment_log_append(crowd->f->log, id, 1, &part, 1, &record));
        assert_ok(segment_log_sync(crowd->f->log, record.lsn));
        uint8_t got[300];
        assert_ok(segment_log_read(crowd->f->log, &record, 0, got, record.size));
        assert_memory_equal(got, part.data, part.size);
    }
}

static void many_threads_share_syncs(void **state)
{
    struct fixture *f = *state;
    f->options.prefill = true;
    reopen(f);
    struct crowd crowd[8];
    struct task tasks[8] = {{0}};
    for (unsigned i = 0; i < 8; i++) {
        crowd[i] = (struct crowd){f, i};
        assert_ok(task_start(&tasks[i], "crowd", crowd_run, &crowd[i]));
    }
    for (unsigned i = 0; i < 8; i++) {
        task_join(&tasks[i]);
    }
    assert_int_equal(segment_log_durable(f->log), 800);
    assert_true(segment_log_syncs(f->log) < 800);
    reopen(f);
    assert_int_equal(f->found_count, 800);
    assert_int_equal(f->damaged, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            records_come_back_in_order_over_many_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(scan_starts_at_the_position_given, setup, teardown),
        cmocka_unit_test_setup_teardown(parts_of_a_payload_can_be_read, setup, teardown),
        cmocka_unit_test_setup_teardown(each_flipped_bit_is_found_by_a_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_record_costs_only_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(
            damage_in_an_older_segment_is_never_a_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_tail_is_cut_and_stays_away, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_whole_record_behind_the_cut_does_not_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_failed_sync_seals_the_segment_and_nothing_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_no_record, setup, teardown),
        cmocka_unit_test_setup_teardown(
            a_failed_write_right_after_a_failed_sync_costs_only_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_refuses_a_new_segment_only, setup, teardown),
        cmocka_unit_test_setup_teardown(many_threads_share_syncs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
