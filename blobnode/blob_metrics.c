#include "blobnode/blob_metrics.h"

#define COUNTER(name, unit, help)                                                                  \
    METRIC_DEFINE(blob_metrics_##name, METRIC_COUNTER, "triad_blob_" #name, help);
#define GAUGE(name, unit, help)                                                                    \
    METRIC_DEFINE(blob_metrics_##name, METRIC_GAUGE, "triad_blob_" #name, help);
#include "blobnode/metrics.def"
#undef COUNTER
#undef GAUGE

void blob_metrics_register(void)
{
#define COUNTER(name, unit, help) metric_register(&blob_metrics_##name);
#define GAUGE(name, unit, help) metric_register(&blob_metrics_##name);
#include "blobnode/metrics.def"
#undef COUNTER
#undef GAUGE
}
