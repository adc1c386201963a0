#include "lib/base/clock.h"

#include "lib/base/check.h"

#include <errno.h>
#include <time.h>

static int64_t now_us(clockid_t clock)
{
    struct timespec now;
    CHECK(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
    return now_us(CLOCK_MONOTONIC) + 1;
}

int64_t clock_monotonic_ms(void)
{
    return now_us(CLOCK_MONOTONIC) / 1000 + 1;
}

int64_t clock_wall_ms(void)
{
    return now_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_wall_s(void)
{
    return now_us(CLOCK_REALTIME) / 1000000;
}

void clock_sleep_ms(int64_t duration_ms)
{
    struct timespec rest = {
        .tv_sec = duration_ms / 1000,
        .tv_nsec = duration_ms % 1000 * 1000000,
    };
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
    }
}
