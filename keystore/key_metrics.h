#pragma once

/* The key store's metrics: one struct metric a line of metrics.def, as key_metrics_<name>. */

#include "lib/telemetry/metric.h"

#define COUNTER(name, unit, help) extern struct metric key_metrics_##name;
#define GAUGE(name, unit, help) extern struct metric key_metrics_##name;
#include "keystore/metrics.def"
#undef COUNTER
#undef GAUGE

/* Make all known to the exposition: once, before threads start. */
void key_metrics_register(void);
