#pragma once

/* The steward's own metrics. */

#include "lib/telemetry/metric.h"

struct repair_metrics {
    struct metric is_active;
    struct metric repaired;
    struct metric failed;
    struct metric bytes;
};

/* Registered at the first call. */
struct repair_metrics *repair_metrics(void);
