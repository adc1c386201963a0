/*
 * The audit log goes on over restarts, a byte changed or a record lost is found, and a disk that
 * fails is not mistaken for that.
 */

#include "keystore/audit.h"

#include "tests/support/cmocka.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64];
static bool sync_fails; /* The next one. */

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    if (sync_fails) {
        sync_fails = false;
        errno = EIO;
        return -1;
    }
    return __real_fdatasync(fd);
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "%s", "/tmp/audit_test_XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command);
}

static void add(struct audit *audit, uint32_t number)
{
    struct audit_event event = {.kind = AUDIT_OPEN, .number = number, .who = "ABCDEFGHIJKLMNOPQRS"};

    assert_ok(audit_record(audit, &event));
}

static struct audit *open_log(bool *ret_is_broken)
{
    struct audit *audit = NULL;

    assert_ok(audit_open(dir, &audit, ret_is_broken));
    return audit;
}

static void write_records(uint32_t count)
{
    bool is_broken = true;
    struct audit *audit = open_log(&is_broken);

    assert_false(is_broken);
    for (uint32_t i = 0; i < count; i++) {
        add(audit, i);
    }
    audit_free(audit);
}

static void the_chain_goes_on_over_restarts(void **state)
{
    bool is_broken = true;

    (void)state;
    write_records(5);
    write_records(3);
    struct audit *audit = open_log(&is_broken);
    assert_false(is_broken);
    assert_int_equal(audit_records(audit), 8);
    audit_free(audit);
}

/* The only segment file. */
static int open_segment(void)
{
    DIR *list = opendir(dir);
    char path[512] = "";

    for (struct dirent *entry = readdir(list); entry != NULL; entry = readdir(list)) {
        if (strstr(entry->d_name, ".seg") != NULL) {
            snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        }
    }
    closedir(list);
    return open(path, O_RDWR | O_CLOEXEC);
}

static off_t find(int fd, const void *what, size_t size, int nth)
{
    static uint8_t bytes[64 * 1024];
    ssize_t got = pread(fd, bytes, sizeof(bytes), 0);

    assert_true(got > 0);
    for (size_t i = 0; i + size <= (size_t)got; i++) {
        if (memcmp(bytes + i, what, size) == 0 && nth-- == 0) {
            return (off_t)i;
        }
    }
    return -1;
}

static void a_flipped_byte_breaks_the_chain(void **state)
{
    bool is_broken = false;
    uint8_t byte = 0;

    (void)state;
    write_records(6);
    int fd = open_segment();
    off_t at = find(fd, "TAU1", 4, 2) + 77;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x20;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
    struct audit *audit = open_log(&is_broken);
    assert_true(is_broken);
    add(audit, 99);
    audit_free(audit);
}

static void count_fatal(void *context, struct status status)
{
    int *count = context;

    assert_int_equal(status.code, STATUS_IO);
    *count += 1;
}

static void after_a_failed_sync_nothing_follows_what_was_lost(void **state)
{
    struct audit_event event = {.kind = AUDIT_OPEN};
    bool is_broken = true;
    uint64_t lsn = 0;
    int fatal = 0;

    (void)state;
    struct audit *audit = open_log(&is_broken);
    audit_on_fatal(audit, count_fatal, &fatal);
    add(audit, 1);
    sync_fails = true;
    assert_int_equal(audit_record(audit, &event).code, STATUS_IO);
    assert_int_equal(fatal, 1);
    assert_int_equal(audit_append(audit, &event, &lsn).code, STATUS_IO);
    audit_free(audit);

    audit = open_log(&is_broken);
    assert_false(is_broken);
    add(audit, 2);
    audit_free(audit);
    audit_free(open_log(&is_broken));
    assert_false(is_broken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_chain_goes_on_over_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flipped_byte_breaks_the_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(
            after_a_failed_sync_nothing_follows_what_was_lost, setup, teardown),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
