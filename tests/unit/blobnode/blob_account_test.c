/* An account keeps what it said it stored: over restarts, against other bytes, beside damage. */

#include "blobnode/blob_account.h"

#include "lib/base/clock.h"
#include "lib/base/encode.h"
#include "lib/base/task.h"
#include "tests/support/cmocka.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SEGMENT = 1024 * 1024, NOW_S = 1800000000, WEEK_S = 7 * 86400, RECORD_HEAD = 52 };

/* The account whose index is saved, by another thread, while the next sync is under way. */
static struct blob_account *saved_meanwhile;
static struct task saver;

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

static void save_now(void *context)
{
    assert_ok(blob_account_save(context));
}

int __wrap_fdatasync(int fd)
{
    if (saved_meanwhile != NULL) {
        assert_ok(task_start(&saver, "saver", save_now, TAKE(saved_meanwhile)));
        clock_sleep_ms(100); /* It copies the index now, if it may. */
    }
    return __real_fdatasync(fd);
}

static const struct id16 ACCOUNT = {{0xac, 1}};
static const struct blob_account_options OPTIONS = {
    .segment_size = SEGMENT, .trash_period_s = WEEK_S, .deletes_minute_max = 100000};

struct fixture {
    char dir[64];
    int dir_fd;
    struct blob_account *account;
};

static void open_account(struct fixture *f, const struct blob_account_options *options)
{
    char name[BLOB_ACCOUNT_NAME_SIZE];
    blob_account_name(&ACCOUNT, name);
    assert_ok(blob_account_open(f->dir_fd, name, options, NOW_S, &f->account));
}

static void reopen(struct fixture *f)
{
    blob_account_free(TAKE(f->account)); /* Saves nothing: as a kill. */
    open_account(f, &OPTIONS);
}

static void format(int data_dir_fd)
{
    OWNED(fd) int dir_fd = -1;
    assert_ok(blob_account_prepare(data_dir_fd, &ACCOUNT, &dir_fd));
    assert_ok(blob_account_finish(dir_fd, &ACCOUNT));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    snprintf(f->dir, sizeof(f->dir), "blob_account_test_XXXXXX");
    if (f == NULL || mkdtemp(f->dir) == NULL) {
        return -1;
    }
    f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    format(f->dir_fd);
    open_account(f, &OPTIONS);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    blob_account_free(f->account);
    close(f->dir_fd);
    free(f);
    return 0; /* Bazel drops the directory. */
}

static struct id16 id_of(uint32_t number)
{
    struct id16 id = {{0}};
    encode_u32(id.bytes, number * 2654435761U);
    encode_u32(id.bytes + 8, number);
    return id;
}

static enum blob_outcome put(struct blob_account *account, uint32_t number, struct bytes bytes)
{
    /* In two parts, as it arrives in pieces. */
    struct bytes parts[2] = {
        bytes_slice(bytes, 0, bytes.size / 3), bytes_from(bytes, bytes.size / 3)};
    struct blob_put_item item = {
        .id = id_of(number), .parts = parts, .count = 2, .size = (uint32_t)bytes.size};
    enum blob_outcome outcome = BLOB_NONE;
    blob_account_put(account, &item, 1, &outcome);
    return outcome;
}

static enum blob_outcome put_text(struct fixture *f, uint32_t number, const char *text)
{
    return put(f->account, number, bytes_text(text));
}

static enum blob_outcome outcome_of_get(struct fixture *f, uint32_t number)
{
    struct id16 id = id_of(number);
    uint8_t *data = NULL;
    uint32_t size = 0;
    enum blob_outcome outcome =
        blob_account_get(f->account, &id, 0, 0, BLOB_SIZE_MAX, &data, &size);
    free(data);
    return outcome;
}

static void assert_holds(struct fixture *f, uint32_t number, const char *text)
{
    struct id16 id = id_of(number);
    uint8_t *data = NULL;
    uint32_t size = 0;
    assert_int_equal(
        blob_account_get(f->account, &id, 0, 0, BLOB_SIZE_MAX, &data, &size), BLOB_FOUND);
    assert_int_equal(size, strlen(text));
    if (size > 0) {
        assert_memory_equal(data, text, size);
    }
    free(data);
}

static enum blob_outcome delete_one(struct fixture *f, uint32_t number, uint64_t now_s)
{
    struct id16 id = id_of(number);
    enum blob_outcome outcome = BLOB_NONE;
    assert_ok(blob_account_delete(f->account, &id, 1, now_s, &outcome));
    return outcome;
}

static void a_blob_is_read_back_also_after_a_restart(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_text(f, 1, "hello, blob"), BLOB_STORED);
    assert_int_equal(put_text(f, 2, ""), BLOB_STORED);
    assert_holds(f, 1, "hello, blob");
    reopen(f);
    assert_holds(f, 1, "hello, blob");
    assert_holds(f, 2, "");
    assert_int_equal(outcome_of_get(f, 3), BLOB_NOT_FOUND);
}

static void put_is_put_if_absent(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_text(f, 1, "first"), BLOB_STORED);
    assert_int_equal(put_text(f, 1, "first"), BLOB_SAME);
    assert_int_equal(put_text(f, 1, "other"), BLOB_DIFFERS);
    assert_int_equal(put_text(f, 1, "longer"), BLOB_DIFFERS);
    reopen(f);
    assert_int_equal(put_text(f, 1, "first"), BLOB_SAME);
    assert_int_equal(put_text(f, 1, "other"), BLOB_DIFFERS);
    assert_holds(f, 1, "first");
}

static void a_large_blob_is_compared_whole(void **state)
{
    struct fixture *f = *state;
    enum { SIZE = 700000 };
    uint8_t *bytes = malloc(SIZE);
    for (size_t i = 0; i < SIZE; i++) {
        bytes[i] = (uint8_t)(i % 251);
    }
    assert_int_equal(put(f->account, 1, bytes_of(bytes, SIZE)), BLOB_STORED);
    assert_int_equal(put(f->account, 1, bytes_of(bytes, SIZE)), BLOB_SAME);
    bytes[SIZE - 1] ^= 1;
    assert_int_equal(put(f->account, 1, bytes_of(bytes, SIZE)), BLOB_DIFFERS);
    free(bytes);
}

static void ranges_lie_inside_the_blob_or_are_invalid(void **state)
{
    struct fixture *f = *state;
    struct id16 id = id_of(1);
    uint8_t *data = NULL;
    uint32_t size = 0;
    assert_int_equal(put_text(f, 1, "0123456789"), BLOB_STORED);
    assert_int_equal(blob_account_get(f->account, &id, 3, 4, 100, &data, &size), BLOB_FOUND);
    assert_int_equal(size, 4);
    assert_memory_equal(data, "3456", 4);
    free(data);
    assert_int_equal(blob_account_get(f->account, &id, 8, 3, 100, &data, &size), BLOB_INVALID);
    assert_int_equal(blob_account_get(f->account, &id, 11, 0, 100, &data, &size), BLOB_INVALID);
    assert_int_equal(
        blob_account_get(f->account, &id, UINT32_MAX, UINT32_MAX, 100, &data, &size), BLOB_INVALID);
    assert_int_equal(blob_account_get(f->account, &id, 0, 0, 9, &data, &size), BLOB_FAILED);
    assert_int_equal(blob_account_get(f->account, &id, 10, 0, 9, &data, &size), BLOB_FOUND);
    assert_int_equal(size, 0);
}

static void a_deleted_blob_lies_in_the_trash_and_its_id_is_refused(void **state)
{
    struct fixture *f = *state;
    struct blob_account_stat stat;
    assert_int_equal(put_text(f, 1, "doomed"), BLOB_STORED);
    assert_int_equal(delete_one(f, 2, NOW_S), BLOB_NOT_FOUND);
    assert_int_equal(delete_one(f, 1, NOW_S), BLOB_STORED);
    assert_int_equal(delete_one(f, 1, NOW_S), BLOB_STORED);
    assert_int_equal(outcome_of_get(f, 1), BLOB_NOT_FOUND);
    assert_int_equal(put_text(f, 1, "doomed"), BLOB_TRASHED);
    reopen(f);
    assert_int_equal(outcome_of_get(f, 1), BLOB_NOT_FOUND);
    assert_int_equal(put_text(f, 1, "doomed"), BLOB_TRASHED);
    blob_account_stat(f->account, &stat);
    assert_int_equal(stat.blobs, 0);
    assert_int_equal(stat.trash_bytes, 6);
}

static void the_trash_forgets_after_its_period_and_not_before(void **state)
{
    struct fixture *f = *state;
    struct blob_account_stat stat;
    assert_int_equal(put_text(f, 1, "old"), BLOB_STORED);
    assert_int_equal(delete_one(f, 1, NOW_S), BLOB_STORED);
    blob_account_expire(f->account, NOW_S + WEEK_S - 1);
    assert_int_equal(put_text(f, 1, "new"), BLOB_TRASHED);
    blob_account_expire(f->account, NOW_S + WEEK_S);
    blob_account_stat(f->account, &stat);
    assert_int_equal(stat.trash_bytes, 0);
    assert_int_equal(put_text(f, 1, "new"), BLOB_STORED);
    assert_holds(f, 1, "new");
}

static void a_mass_delete_is_stopped(void **state)
{
    struct fixture *f = *state;
    struct blob_account_options options = OPTIONS;
    options.deletes_minute_max = 2;
    blob_account_free(TAKE(f->account));
    open_account(f, &options);
    struct id16 ids[3] = {id_of(1), id_of(2), id_of(3)};
    enum blob_outcome outcomes[3];
    assert_int_equal(put_text(f, 1, "x"), BLOB_STORED);
    assert_status(blob_account_delete(f->account, ids, 3, NOW_S, outcomes), STATUS_BUSY);
    assert_holds(f, 1, "x");
    assert_ok(blob_account_delete(f->account, ids, 2, NOW_S, outcomes));
    assert_status(blob_account_delete(f->account, ids, 1, NOW_S, outcomes), STATUS_BUSY);
}

static void many_items_are_answered_each_for_itself_with_one_sync(void **state)
{
    struct fixture *f = *state;
    struct bytes texts[4] = {
        bytes_text("one"), bytes_text("two"), bytes_text("three"), bytes_text("twofold")};
    uint32_t numbers[4] = {1, 2, 3, 2};
    struct blob_put_item items[4];
    for (size_t i = 0; i < 4; i++) {
        items[i] = (struct blob_put_item){
            .id = id_of(numbers[i]),
            .parts = &texts[i],
            .count = 1,
            .size = (uint32_t)texts[i].size};
    }
    struct blob_account_stat before;
    struct blob_account_stat after;
    assert_int_equal(put_text(f, 3, "three"), BLOB_STORED);
    blob_account_stat(f->account, &before);
    enum blob_outcome outcomes[4];
    blob_account_put(f->account, items, 4, outcomes);
    blob_account_stat(f->account, &after);
    assert_int_equal(outcomes[0], BLOB_STORED);
    assert_int_equal(outcomes[1], BLOB_STORED);
    assert_int_equal(outcomes[2], BLOB_SAME);
    assert_int_equal(outcomes[3], BLOB_DIFFERS);
    assert_int_equal(after.syncs, before.syncs + 1);
    assert_int_equal(after.blobs, 3);
}

static void enumerate_gives_live_blobs_in_order_by_pages(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 100, PAGE = 7 };
    struct blob_listed page[PAGE];
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(put_text(f, i, "x"), BLOB_STORED);
    }
    assert_int_equal(delete_one(f, 50, NOW_S), BLOB_STORED);
    size_t seen = 0;
    struct id16 last = {{0}};
    for (bool is_complete = false; !is_complete;) {
        size_t count =
            blob_account_enumerate(f->account, seen == 0 ? NULL : &last, PAGE, page, &is_complete);
        for (size_t i = 0; i < count; i++, seen++) {
            assert_true(seen == 0 || memcmp(last.bytes, page[i].id.bytes, ID16_SIZE) < 0);
            assert_int_equal(page[i].size, 1);
            last = page[i].id;
        }
        assert_true(is_complete || count == PAGE);
    }
    assert_int_equal(seen, COUNT - 1);
}

/* ---------------------------------------------------------------- faults */

static void path_of_segment(const char *dir, char *path, size_t size)
{
    char name[BLOB_ACCOUNT_NAME_SIZE];
    blob_account_name(&ACCOUNT, name);
    snprintf(path, size, "%s/%s/log/%016x.seg", dir, name, 1);
}

static void flip_byte_of(const char *dir, const char *needle)
{
    char path[256];
    path_of_segment(dir, path, sizeof(path));
    OWNED(fd) int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    char *text = malloc(SEGMENT);
    ssize_t size = pread(fd, text, SEGMENT, 0);
    assert_true(size > 0);
    char *found = memmem(text, (size_t)size, needle, strlen(needle));
    assert_non_null(found);
    char flipped = (char)(*found ^ 1);
    assert_int_equal(pwrite(fd, &flipped, 1, found - text), 1);
    free(text);
}

static void a_damaged_blob_is_corrupt_and_the_others_are_read(void **state)
{
    struct fixture *f = *state;
    struct blob_account_stat stat;
    assert_int_equal(put_text(f, 1, "needle-one"), BLOB_STORED);
    assert_int_equal(put_text(f, 2, "needle-two"), BLOB_STORED);
    assert_int_equal(put_text(f, 3, "needle-three"), BLOB_STORED);
    flip_byte_of(f->dir, "needle-two");
    assert_int_equal(outcome_of_get(f, 2), BLOB_CORRUPT);
    assert_int_equal(outcome_of_get(f, 2), BLOB_CORRUPT);
    assert_int_equal(put_text(f, 2, "needle-two"), BLOB_CORRUPT);
    assert_holds(f, 1, "needle-one");
    assert_holds(f, 3, "needle-three");
    blob_account_stat(f->account, &stat);
    assert_int_equal(stat.damaged, 1);
    reopen(f);
    assert_holds(f, 1, "needle-one");
    assert_holds(f, 3, "needle-three");
    assert_int_not_equal(outcome_of_get(f, 2), BLOB_FOUND);
    blob_account_stat(f->account, &stat);
    assert_int_equal(stat.damaged, 1);
}

/* Zero the file from cut bytes into the record whose payload starts with needle. */
static void tear_record(const char *dir, const char *needle, size_t cut)
{
    static const uint8_t zeros[256];
    char path[256];
    path_of_segment(dir, path, sizeof(path));
    OWNED(fd) int fd = open(path, O_RDWR | O_CLOEXEC);
    char *text = malloc(SEGMENT);
    ssize_t size = pread(fd, text, SEGMENT, 0);
    assert_true(size > 0);
    char *found = memmem(text, (size_t)size, needle, strlen(needle));
    assert_non_null(found);
    off_t record = found - text - RECORD_HEAD;
    assert_int_equal(pwrite(fd, zeros, sizeof(zeros), record + (off_t)cut), sizeof(zeros));
    free(text);
}

/* As a kill in a put leaves it: the directory copied while it is open, its last record torn. */
static void what_was_answered_survives_a_put_cut_off_anywhere(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 20 };
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(put_text(f, i, "a blob that must stay"), BLOB_STORED);
    }
    assert_int_equal(put_text(f, COUNT, "torn-torn-torn"), BLOB_STORED);
    for (size_t cut = 0; cut < RECORD_HEAD + strlen("torn-torn-torn"); cut += 5) {
        char command[256];
        char copy[128];
        snprintf(copy, sizeof(copy), "%s_copy_%zu", f->dir, cut);
        snprintf(command, sizeof(command), "cp -r %s %s", f->dir, copy);
        assert_int_equal(system(command), 0);
        tear_record(copy, "torn-torn-torn", cut);
        struct fixture other = {.dir_fd = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        open_account(&other, &OPTIONS);
        for (uint32_t i = 0; i < COUNT; i++) {
            assert_holds(&other, i, "a blob that must stay");
        }
        assert_int_equal(outcome_of_get(&other, COUNT), BLOB_NOT_FOUND);
        assert_int_equal(put_text(&other, COUNT, "torn-torn-torn"), BLOB_STORED);
        blob_account_free(other.account);
        close(other.dir_fd);
    }
}

static void a_full_disk_refuses_puts_and_takes_deletes(void **state)
{
    struct fixture *f = *state;
    struct blob_account_options options = OPTIONS;
    assert_int_equal(put_text(f, 1, "there"), BLOB_STORED);
    options.space_reserve = UINT64_MAX;
    blob_account_free(TAKE(f->account));
    open_account(f, &options);
    assert_int_equal(put_text(f, 2, "no room"), BLOB_FULL);
    assert_int_equal(put_text(f, 1, "there"), BLOB_SAME);
    assert_holds(f, 1, "there");
    assert_int_equal(outcome_of_get(f, 2), BLOB_NOT_FOUND);
    assert_int_equal(delete_one(f, 1, NOW_S), BLOB_STORED);
    assert_int_equal(outcome_of_get(f, 1), BLOB_NOT_FOUND);
}

struct racer {
    struct blob_account *account;
    const char *text;
    unsigned stored;
    unsigned same;
    unsigned differs;
};

enum { RACES = 200 };

static void race(void *context)
{
    struct racer *racer = context;
    for (uint32_t i = 0; i < RACES; i++) {
        enum blob_outcome outcome = put(racer->account, i, bytes_text(racer->text));
        racer->stored += outcome == BLOB_STORED;
        racer->same += outcome == BLOB_SAME;
        racer->differs += outcome == BLOB_DIFFERS;
    }
}

static void of_concurrent_puts_of_one_id_one_is_stored(void **state)
{
    struct fixture *f = *state;
    struct racer racers[4] = {
        {.account = f->account, .text = "ours"},
        {.account = f->account, .text = "ours"},
        {.account = f->account, .text = "theirs"},
        {.account = f->account, .text = "theirs"},
    };
    struct task tasks[4] = {{.is_running = false}};
    for (size_t i = 0; i < 4; i++) {
        assert_ok(task_start(&tasks[i], "racer", race, &racers[i]));
    }
    unsigned stored = 0;
    unsigned answered = 0;
    for (size_t i = 0; i < 4; i++) {
        task_join(&tasks[i]);
        stored += racers[i].stored;
        answered += racers[i].stored + racers[i].same + racers[i].differs;
    }
    assert_int_equal(stored, RACES);
    assert_int_equal(answered, 4 * RACES);
    struct blob_account_stat stat;
    blob_account_stat(f->account, &stat);
    assert_int_equal(stat.blobs, RACES);
    reopen(f);
    blob_account_stat(f->account, &stat);
    assert_int_equal(stat.blobs, RACES);
}

/* ---------------------------------------------------------------- space */

static int count_segments(struct fixture *f)
{
    char path[256];
    path_of_segment(f->dir, path, sizeof(path));
    *strrchr(path, '/') = '\0';
    DIR *dir = opendir(path);
    assert_non_null(dir);
    int count = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        count += strstr(entry->d_name, ".seg") != NULL;
    }
    closedir(dir);
    return count;
}

/* About three of them fill a segment. */
static void put_large(struct fixture *f, uint32_t first, uint32_t count)
{
    enum { SIZE = 300000 };
    uint8_t *bytes = calloc(1, SIZE);
    assert_non_null(bytes);
    for (uint32_t i = first; i < first + count; i++) {
        assert_int_equal(put(f->account, i, bytes_of(bytes, SIZE)), BLOB_STORED);
    }
    free(bytes);
}

static uint64_t expire_and_reclaim(struct fixture *f)
{
    uint64_t removed = 0;
    blob_account_expire(f->account, NOW_S + WEEK_S);
    assert_ok(blob_account_reclaim(f->account, &removed));
    return removed;
}

static void deleted_blobs_give_their_segments_back_after_the_trash(void **state)
{
    struct fixture *f = *state;
    uint64_t removed = 0;
    put_large(f, 0, 12);
    int before = count_segments(f);
    assert_true(before >= 4);
    for (uint32_t i = 0; i < 11; i++) {
        assert_int_equal(delete_one(f, i, NOW_S), BLOB_STORED);
    }
    assert_ok(blob_account_reclaim(f->account, &removed));
    assert_int_equal(removed, 0); /* The trash still holds them. */
    assert_true(expire_and_reclaim(f) >= 3);
    assert_true(count_segments(f) <= before - 3);
    assert_int_equal(outcome_of_get(f, 11), BLOB_FOUND);
    reopen(f);
    assert_int_equal(outcome_of_get(f, 11), BLOB_FOUND);
    for (uint32_t i = 0; i < 11; i++) {
        assert_int_equal(outcome_of_get(f, i), BLOB_NOT_FOUND);
    }
}

/* The record of a deleted blob lies beside one that lives; its tombstone in a segment of its own.
 */
static void a_tombstone_stays_as_long_as_the_record_that_it_buries(void **state)
{
    struct fixture *f = *state;
    put_large(f, 0, 3); /* The first segment. */
    put_large(f, 10, 1);
    assert_int_equal(delete_one(f, 0, NOW_S), BLOB_STORED); /* Its tombstone is in the second. */
    put_large(f, 11, 2);
    put_large(f, 20, 2); /* The third. */
    for (uint32_t i = 10; i < 13; i++) {
        assert_int_equal(delete_one(f, i, NOW_S), BLOB_STORED);
    }
    assert_int_equal(expire_and_reclaim(f), 0);
    reopen(f);
    assert_int_equal(outcome_of_get(f, 0), BLOB_NOT_FOUND);
    assert_int_equal(delete_one(f, 1, NOW_S), BLOB_STORED);
    assert_int_equal(delete_one(f, 2, NOW_S), BLOB_STORED);
    assert_int_equal(expire_and_reclaim(f), 2);
    reopen(f);
    for (uint32_t i = 0; i < 13; i++) {
        assert_int_equal(outcome_of_get(f, i), BLOB_NOT_FOUND);
    }
    assert_int_equal(outcome_of_get(f, 20), BLOB_FOUND);
}

static void damage_stops_the_reclaiming(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_text(f, 100, "needle"), BLOB_STORED);
    put_large(f, 0, 9);
    flip_byte_of(f->dir, "needle");
    assert_int_equal(outcome_of_get(f, 100), BLOB_CORRUPT);
    for (uint32_t i = 0; i < 9; i++) {
        assert_int_equal(delete_one(f, i, NOW_S), BLOB_STORED);
    }
    assert_int_equal(expire_and_reclaim(f), 0);
}

static void an_id_that_came_again_after_the_trash_lives_over_a_restart(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_text(f, 1, "old"), BLOB_STORED);
    assert_int_equal(delete_one(f, 1, NOW_S), BLOB_STORED);
    blob_account_expire(f->account, NOW_S + WEEK_S);
    assert_int_equal(put_text(f, 1, "new"), BLOB_STORED);
    reopen(f); /* With the clock back where it was before. */
    assert_holds(f, 1, "new");
}

/* Reclaiming beside puts and deletes: what is live stays. */
static void reclaim_for_a_while(void *context)
{
    struct fixture *f = context;
    for (int i = 0; i < 200; i++) {
        IGNORE(expire_and_reclaim(f));
        assert_ok(blob_account_save(f->account));
    }
}

static void reclaiming_beside_puts_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct task task = {.is_running = false};
    assert_ok(task_start(&task, "reclaim", reclaim_for_a_while, f));
    for (uint32_t i = 0; i < 60; i++) {
        put_large(f, i, 1);
        if (i % 10 != 0) {
            assert_int_equal(delete_one(f, i, NOW_S - 1), BLOB_STORED);
        }
    }
    task_join(&task);
    IGNORE(expire_and_reclaim(f));
    assert_true(count_segments(f) <= 15);
    reopen(f);
    for (uint32_t i = 0; i < 60; i++) {
        assert_int_equal(outcome_of_get(f, i), i % 10 == 0 ? BLOB_FOUND : BLOB_NOT_FOUND);
    }
}

/* ---------------------------------------------------------------- the saved index */

static void a_saved_index_spares_the_log_and_misses_nothing(void **state)
{
    struct fixture *f = *state;
    struct blob_account_stat stat;
    assert_int_equal(put_text(f, 1, "needle-one"), BLOB_STORED);
    assert_int_equal(put_text(f, 2, "two"), BLOB_STORED);
    assert_int_equal(put_text(f, 3, "three"), BLOB_STORED);
    assert_int_equal(delete_one(f, 2, NOW_S), BLOB_STORED);
    assert_ok(blob_account_save(f->account));
    assert_int_equal(put_text(f, 4, "four"), BLOB_STORED);
    assert_int_equal(delete_one(f, 3, NOW_S), BLOB_STORED);
    flip_byte_of(f->dir, "needle-one");
    reopen(f);
    blob_account_stat(f->account, &stat);
    assert_int_equal(stat.damaged, 0); /* Nobody read it: */
    assert_int_equal(outcome_of_get(f, 1), BLOB_CORRUPT);
    assert_int_equal(put_text(f, 2, "two"), BLOB_TRASHED);
    assert_int_equal(put_text(f, 3, "three"), BLOB_TRASHED);
    assert_holds(f, 4, "four");
    assert_int_equal(stat.blobs, 2);
    assert_int_equal(stat.bytes, strlen("needle-one") + strlen("four"));
    assert_int_equal(stat.trash_bytes, strlen("two") + strlen("three"));
    assert_int_equal(stat.durable_lsn, 6);
}

/* The mark stands behind the tombstones: an index without them would let the blobs live again. */
static void an_index_saved_during_a_delete_knows_of_it(void **state)
{
    struct fixture *f = *state;
    struct id16 ids[3];
    enum blob_outcome outcomes[3];
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(put_text(f, i, "text"), BLOB_STORED);
        ids[i] = id_of(i);
    }
    saved_meanwhile = f->account;
    assert_ok(blob_account_delete(f->account, ids, 3, NOW_S, outcomes));
    task_join(&saver);
    reopen(f);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(outcomes[i], BLOB_STORED);
        assert_int_equal(put_text(f, i, "text"), BLOB_TRASHED);
    }
}

static void a_saved_index_with_any_byte_wrong_is_not_believed(void **state)
{
    struct fixture *f = *state;
    char path[256];
    assert_int_equal(put_text(f, 1, "one"), BLOB_STORED);
    assert_int_equal(put_text(f, 2, "two"), BLOB_STORED);
    assert_int_equal(delete_one(f, 2, NOW_S), BLOB_STORED);
    assert_ok(blob_account_save(f->account));
    path_of_segment(f->dir, path, sizeof(path));
    char *log = strstr(path, "log/");
    assert_non_null(log);
    memcpy(log, "index", sizeof("index"));
    OWNED(fd) int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    off_t size = lseek(fd, 0, SEEK_END);
    for (off_t at = 0; at < size; at++) {
        uint8_t byte = 0;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 4;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        reopen(f);
        assert_holds(f, 1, "one");
        assert_int_equal(put_text(f, 2, "two"), BLOB_TRASHED);
        byte ^= 4;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    assert_int_equal(ftruncate(fd, size - 1), 0);
    reopen(f);
    assert_holds(f, 1, "one");
}

/* Somebody put back an older disk: the log alone is the truth. */
static void a_saved_index_newer_than_the_log_is_not_believed(void **state)
{
    struct fixture *f = *state;
    char command[512];
    assert_int_equal(put_text(f, 1, "one"), BLOB_STORED);
    snprintf(command, sizeof(command), "cp -r %s %s_old", f->dir, f->dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(put_text(f, 2, "two"), BLOB_STORED);
    assert_int_equal(delete_one(f, 1, NOW_S), BLOB_STORED);
    assert_ok(blob_account_save(f->account));
    blob_account_free(TAKE(f->account));
    snprintf(
        command, sizeof(command), "cp %s_old/*/log/* %s/*/log/ && test -e %s/*/index", f->dir,
        f->dir, f->dir);
    assert_int_equal(system(command), 0);
    open_account(f, &OPTIONS);
    assert_holds(f, 1, "one");
    assert_int_equal(outcome_of_get(f, 2), BLOB_NOT_FOUND);
    struct blob_account_stat stat;
    blob_account_stat(f->account, &stat);
    assert_int_equal(stat.durable_lsn, 1);
}

static void reclaiming_forgets_the_saved_index(void **state)
{
    struct fixture *f = *state;
    put_large(f, 0, 12);
    assert_ok(blob_account_save(f->account));
    for (uint32_t i = 0; i < 11; i++) {
        assert_int_equal(delete_one(f, i, NOW_S), BLOB_STORED);
    }
    assert_true(expire_and_reclaim(f) >= 3);
    reopen(f); /* With the old index those without a tombstone would live again. */
    struct blob_account_stat stat;
    blob_account_stat(f->account, &stat);
    assert_int_equal(stat.blobs, 1);
    assert_int_equal(outcome_of_get(f, 11), BLOB_FOUND);
    /* And what is saved now knows the tombstones that are still needed. */
    assert_ok(blob_account_save(f->account));
    reopen(f);
    IGNORE(expire_and_reclaim(f));
    blob_account_stat(f->account, &stat);
    assert_int_equal(stat.blobs, 1);
    assert_int_equal(outcome_of_get(f, 11), BLOB_FOUND);
}

/* ---------------------------------------------------------------- making */

static void a_making_that_was_cut_off_is_finished_and_a_whole_one_refused(void **state)
{
    struct fixture *f = *state;
    struct id16 other = {{7}};
    char name[BLOB_ACCOUNT_NAME_SIZE];
    blob_account_name(&other, name);
    struct blob_account *account = NULL;
    {
        OWNED(fd) int dir_fd = -1;
        assert_ok(blob_account_prepare(f->dir_fd, &other, &dir_fd));
    }
    assert_status(blob_account_open(f->dir_fd, name, &OPTIONS, NOW_S, &account), STATUS_NOT_FOUND);
    OWNED(fd) int dir_fd = -1;
    assert_ok(blob_account_prepare(f->dir_fd, &other, &dir_fd));
    assert_ok(blob_account_finish(dir_fd, &other));
    OWNED(fd) int again_fd = -1;
    assert_status(blob_account_prepare(f->dir_fd, &other, &again_fd), STATUS_EXISTS);
    assert_ok(blob_account_open(f->dir_fd, name, &OPTIONS, NOW_S, &account));
    assert_false(id16_is_zero(&blob_account_identity(account)->store_uuid));
    blob_account_free(account);
}

static void every_flipped_bit_of_the_account_file_is_noticed(void **state)
{
    (void)state;
    struct blob_identity identity = {.account = {{1}}, .store_uuid = {{2}}};
    struct blob_identity decoded;
    uint8_t encoded[BLOB_ACCOUNT_FILE_SIZE];
    blob_account_file_encode(&identity, encoded);
    assert_ok(blob_account_file_decode(BYTES_ARRAY(encoded), &decoded));
    assert_memory_equal(&identity, &decoded, sizeof(identity));
    for (size_t bit = 0; bit < 8 * sizeof(encoded); bit++) {
        encoded[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        assert_status(blob_account_file_decode(BYTES_ARRAY(encoded), &decoded), STATUS_CORRUPT);
        encoded[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    assert_status(
        blob_account_file_decode(bytes_of(encoded, sizeof(encoded) - 1), &decoded), STATUS_CORRUPT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_blob_is_read_back_also_after_a_restart),
        TEST(put_is_put_if_absent),
        TEST(a_large_blob_is_compared_whole),
        TEST(ranges_lie_inside_the_blob_or_are_invalid),
        TEST(a_deleted_blob_lies_in_the_trash_and_its_id_is_refused),
        TEST(the_trash_forgets_after_its_period_and_not_before),
        TEST(a_mass_delete_is_stopped),
        TEST(many_items_are_answered_each_for_itself_with_one_sync),
        TEST(enumerate_gives_live_blobs_in_order_by_pages),
        TEST(a_damaged_blob_is_corrupt_and_the_others_are_read),
        TEST(what_was_answered_survives_a_put_cut_off_anywhere),
        TEST(a_full_disk_refuses_puts_and_takes_deletes),
        TEST(of_concurrent_puts_of_one_id_one_is_stored),
        TEST(deleted_blobs_give_their_segments_back_after_the_trash),
        TEST(a_tombstone_stays_as_long_as_the_record_that_it_buries),
        TEST(damage_stops_the_reclaiming),
        TEST(an_id_that_came_again_after_the_trash_lives_over_a_restart),
        TEST(reclaiming_beside_puts_loses_nothing),
        TEST(a_saved_index_spares_the_log_and_misses_nothing),
        TEST(an_index_saved_during_a_delete_knows_of_it),
        TEST(a_saved_index_with_any_byte_wrong_is_not_believed),
        TEST(a_saved_index_newer_than_the_log_is_not_believed),
        TEST(reclaiming_forgets_the_saved_index),
        TEST(a_making_that_was_cut_off_is_finished_and_a_whole_one_refused),
        TEST(every_flipped_bit_of_the_account_file_is_noticed),
    };
    return cmocka_run_group_tests_name("blob_account", tests, NULL, NULL);
}
