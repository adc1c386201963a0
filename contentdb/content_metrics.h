#pragma once

/* The content DB's metrics: one struct metric a line of metrics.def, as content_metrics_<name>. */

#include "lib/telemetry/metric.h"

#define COUNTER(name, unit, help) extern struct metric content_metrics_##name;
#define GAUGE(name, unit, help) extern struct metric content_metrics_##name;
#include "contentdb/metrics.def"
#undef COUNTER
#undef GAUGE

/* Make all known to the exposition: once, before threads start. */
void content_metrics_register(void);
