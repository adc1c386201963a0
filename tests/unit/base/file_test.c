/* Files are written and read whole, replaced at once or not at all, and locked by one. */

#include "lib/base/file.h"

#include "lib/base/cleanup.h"
#include "tests/support/cmocka.h"
#include "tests/support/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char path[64];
    int dir_fd;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){.path = "file_test_XXXXXX"};
    if (mkdtemp(fixture.path) == NULL) {
        return -1;
    }
    *state = &fixture;
    return status_ok(file_open_dir(fixture.path, false, &fixture.dir_fd)) ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    unlinkat(f->dir_fd, "file", 0);
    unlinkat(f->dir_fd, "file.new", 0);
    unlinkat(f->dir_fd, "lock", 0);
    close(f->dir_fd);
    return rmdir(f->path);
}

static void check_file(const struct fixture *f, const char *want)
{
    BUFFER(buffer, 100000);
    assert_ok(file_read(f->dir_fd, "file", &buffer));
    assert_true(bytes_equal(buffer_bytes(&buffer), bytes_text(want)));
}

static void short_writes_are_continued_and_errors_told(void **state)
{
    struct fixture *f = *state;
    OWNED(fd) int fd = openat(f->dir_fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char back[9] = {0};
    assert_true(fd >= 0);
    fault_pwrite(100, EIO); /* Every write until then is short. */
    assert_ok(file_write_at(fd, bytes_text("12345678"), 4));
    fault_pwrite(2, ENOSPC);
    assert_status(file_write_at(fd, bytes_text("abcdefgh"), 100), STATUS_FULL);
    assert_ok(file_read_at(fd, back, 8, 4));
    assert_string_equal(back, "12345678");
    assert_status(file_read_at(fd, back, 8, 200), STATUS_CORRUPT);
}

static void a_replaced_file_is_new_or_old(void **state)
{
    struct fixture *f = *state;
    struct stat about;
    fault_pwrite(-1, 0);
    assert_ok(file_replace(f->dir_fd, "file", bytes_text("first"), 0600));
    check_file(f, "first");
    assert_ok(file_replace(f->dir_fd, "file", bytes_text("second"), 0640));
    check_file(f, "second");
    assert_int_equal(fstatat(f->dir_fd, "file", &about, 0), 0);
    fault_pwrite(0, ENOSPC);
    assert_status(file_replace(f->dir_fd, "file", bytes_text("third"), 0600), STATUS_FULL);
    check_file(f, "second");
    /* What the failure left behind does not stop the next. */
    assert_ok(file_replace(f->dir_fd, "file", bytes_text("fourth"), 0600));
    check_file(f, "fourth");
    assert_int_equal(fstatat(f->dir_fd, "file", &about, 0), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void a_read_is_bounded_by_the_buffer(void **state)
{
    struct fixture *f = *state;
    BUFFER(small, 4);
    BUFFER(exact, 5);
    assert_ok(file_replace(f->dir_fd, "file", bytes_text("12345"), 0600));
    assert_status(file_read(f->dir_fd, "file", &small), STATUS_TOO_LARGE);
    assert_ok(file_read(f->dir_fd, "file", &exact));
    assert_status(file_read(f->dir_fd, "none", &exact), STATUS_NOT_FOUND);
}

static void one_holds_the_lock(void **state)
{
    struct fixture *f = *state;
    int first = -1;
    int second = -1;
    assert_ok(file_lock(f->dir_fd, "lock", &first));
    assert_status(file_lock(f->dir_fd, "lock", &second), STATUS_BUSY);
    close(first);
    assert_ok(file_lock(f->dir_fd, "lock", &second));
    close(second);
}

static void a_directory_is_made_on_demand(void **state)
{
    struct fixture *f = *state;
    char path[96];
    int fd = -1;
    snprintf(path, sizeof(path), "%s/sub", f->path);
    assert_status(file_open_dir(path, false, &fd), STATUS_NOT_FOUND);
    for (int i = 0; i < 2; i++) {
        assert_ok(file_open_dir(path, true, &fd));
        assert_ok(file_sync_dir(fd));
        close(fd);
    }
    assert_int_equal(rmdir(path), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(short_writes_are_continued_and_errors_told),
        TEST(a_replaced_file_is_new_or_old),
        TEST(a_read_is_bounded_by_the_buffer),
        TEST(one_holds_the_lock),
        TEST(a_directory_is_made_on_demand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
