#pragma once

/* The blob node's metrics: one struct metric a line of metrics.def, as blob_metrics_<name>. */

#include "lib/telemetry/metric.h"

#define COUNTER(name, unit, help) extern struct metric blob_metrics_##name;
#define GAUGE(name, unit, help) extern struct metric blob_metrics_##name;
#include "blobnode/metrics.def"
#undef COUNTER
#undef GAUGE

/* Make all known to the exposition: once, before threads start. */
void blob_metrics_register(void);
