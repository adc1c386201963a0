#pragma once

/*
 * Counters and gauges in Prometheus' text form.
 *
 * A daemon lists its own in a metrics.def of COUNTER(name, unit, help) and GAUGE(name, unit, help)
 * lines and registers one static struct metric for each with METRIC_DEFINE. Relaxed atomics.
 */

#include "lib/base/buffer.h"

#include <stdatomic.h>

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };

struct metric {
    const char *name; /* As "triad_blob_put_bytes_total". */
    const char *help;
    enum metric_kind kind;
    atomic_int_fast64_t value;
    struct metric *next;
};

static inline void metric_add(struct metric *metric, int64_t amount)
{
    atomic_fetch_add_explicit(&metric->value, amount, memory_order_relaxed);
}

static inline void metric_set(struct metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

/* METRIC_DEFINE(puts, METRIC_COUNTER, "triad_blob_puts_total", "Fragments stored"); */
#define METRIC_DEFINE(variable, kind_, name_, help_)                                               \
    struct metric variable = {.name = (name_), .help = (help_), .kind = (kind_)}

/* Make a metric known to the exposition; once each, before threads start. */
void metric_register(struct metric *metric);

/* Append the exposition of everything registered, and of the process (RSS, CPU, fds). */
void metric_expose(struct buffer *text);
