#pragma once

/* Time. Wall time is for what people and certificates see; everything else is monotonic. */

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC: deadlines and intervals. Never 0. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

/* Unix time. */
int64_t clock_wall_ms(void);
int64_t clock_wall_s(void);

/* Sleep, through signals. */
void clock_sleep_ms(int64_t duration_ms);
