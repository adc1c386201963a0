/* A daemon starts, says what it does, and ends in order with the right exit code. */

#include "lib/base/clock.h"
#include "tests/support/cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program;
static char output[65536];

/* Start the sample daemon; both outputs go to *ret_fd. */
static pid_t spawn(const char *config, const char *flag, int *ret_fd)
{
    FILE *file = fopen("sample.conf", "we");
    assert_non_null(file);
    fputs(config, file);
    fclose(file);
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        execl(program, program, "--config", "sample.conf", flag, (char *)NULL);
        _exit(99);
    }
    close(fds[1]);
    *ret_fd = fds[0];
    return pid;
}

/* Read until text appeared, or to the end. */
static void read_until(int fd, const char *text)
{
    size_t size = strlen(output);
    while (text == NULL || strstr(output, text) == NULL) {
        ssize_t n = read(fd, output + size, sizeof(output) - 1 - size);
        if (n <= 0) {
            return;
        }
        size += (size_t)n;
        output[size] = '\0';
    }
}

static int finish(pid_t pid, int fd)
{
    int status = 0;
    read_until(fd, NULL);
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int run(const char *config, const char *flag, const char *until, int signal_number)
{
    int fd = -1;
    output[0] = '\0';
    pid_t pid = spawn(config, flag, &fd);
    if (until != NULL) {
        read_until(fd, until);
        kill(pid, signal_number);
    }
    return finish(pid, fd);
}

static void a_signal_ends_it_in_order(void **state)
{
    (void)state;
    const char *ready = "\"event\":\"ready\"";
    assert_int_equal(run("admin_address = 127.0.0.1:0", NULL, ready, SIGTERM), 0);
    assert_non_null(strstr(output, "stopped in order"));
    assert_int_equal(run("", NULL, ready, SIGINT), 0);
    assert_non_null(strstr(output, "stopped in order"));
}

static void a_signal_ends_a_start_that_waits(void **state)
{
    (void)state;
    assert_int_equal(run("mode = wait", NULL, "\"event\":\"starting\"", SIGTERM), 0);
    assert_null(strstr(output, "stopped in order"));
}

static void a_failed_start_is_exit_1(void **state)
{
    (void)state;
    assert_int_equal(run("mode = refuse", NULL, NULL, 0), 1);
    assert_non_null(strstr(output, "\"status\":\"CORRUPT\""));
}

static void daemon_fail_stops_in_order_with_exit_1(void **state)
{
    (void)state;
    assert_int_equal(run("mode = fail", NULL, NULL, 0), 1);
    assert_non_null(strstr(output, "a sync failed"));
    assert_non_null(strstr(output, "stopped in order"));
}

static void a_bad_configuration_is_exit_2(void **state)
{
    (void)state;
    assert_int_equal(run("mod = x", NULL, NULL, 0), 2);
    assert_non_null(strstr(output, "sample: sample.conf:1: mod: there is no such option"));
    assert_int_equal(run("", "--nonsense", NULL, 0), 2);
}

static void configuration_can_be_checked_and_printed(void **state)
{
    (void)state;
    assert_int_equal(run("mode = run", "--check-config", NULL, 0), 0);
    assert_non_null(strstr(output, "sample.conf: ok"));
    assert_int_equal(run("mode = wait", "--print-config", NULL, 0), 0);
    assert_non_null(strstr(output, "# run, wait, refuse or fail\nmode = wait\n"));
    assert_int_equal(run("", "--help", NULL, 0), 0);
    assert_non_null(strstr(output, "usage: sample --config FILE"));
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return EXIT_FAILURE;
    }
    program = realpath(argv[1], NULL);
    const char *dir = getenv("TEST_TMPDIR");
    if (program == NULL || (dir != NULL && chdir(dir) != 0)) {
        return EXIT_FAILURE;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_ends_it_in_order),
        cmocka_unit_test(a_signal_ends_a_start_that_waits),
        cmocka_unit_test(a_failed_start_is_exit_1),
        cmocka_unit_test(daemon_fail_stops_in_order_with_exit_1),
        cmocka_unit_test(a_bad_configuration_is_exit_2),
        cmocka_unit_test(configuration_can_be_checked_and_printed),
    };
    int failed = cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
    free((void *)(uintptr_t)program);
    return failed;
}
