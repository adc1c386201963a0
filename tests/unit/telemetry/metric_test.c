/* What is registered is exposed in Prometheus' text form, with the process's own figures. */

#include "lib/telemetry/metric.h"

#include "tests/support/cmocka.h"

#include <string.h>

static METRIC_DEFINE(puts_total, METRIC_COUNTER, "triad_test_puts_total", "Puts");
static METRIC_DEFINE(depth, METRIC_GAUGE, "triad_test_depth", "Queue depth");

static void registered_metrics_are_exposed(void **state)
{
    (void)state;
    metric_register(&puts_total);
    metric_register(&depth);
    metric_add(&puts_total, 3);
    metric_add(&puts_total, 4);
    metric_set(&depth, -2);
    BUFFER(text, 65536);
    metric_expose(&text);
    buffer_add_u8(&text, 0);
    assert_ok(buffer_status(&text));
    const char *got = (const char *)text.data;
    assert_non_null(strstr(
        got, "# HELP triad_test_puts_total Puts\n# TYPE triad_test_puts_total counter\n"
             "triad_test_puts_total 7\n"));
    assert_non_null(strstr(got, "# TYPE triad_test_depth gauge\ntriad_test_depth -2\n"));
    assert_non_null(strstr(got, "\nprocess_resident_memory_bytes "));
    assert_non_null(strstr(got, "\nprocess_cpu_seconds_total "));
    assert_non_null(strstr(got, "\nprocess_open_fds "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registered_metrics_are_exposed),
    };
    return cmocka_run_group_tests_name("metric", tests, NULL, NULL);
}
