#include "contentdb/content_metrics.h"

#define COUNTER(name, unit, help)                                                                  \
    METRIC_DEFINE(content_metrics_##name, METRIC_COUNTER, "triad_content_" #name, help);
#define GAUGE(name, unit, help)                                                                    \
    METRIC_DEFINE(content_metrics_##name, METRIC_GAUGE, "triad_content_" #name, help);
#include "contentdb/metrics.def"
#undef COUNTER
#undef GAUGE

void content_metrics_register(void)
{
#define COUNTER(name, unit, help) metric_register(&content_metrics_##name);
#define GAUGE(name, unit, help) metric_register(&content_metrics_##name);
#include "contentdb/metrics.def"
#undef COUNTER
#undef GAUGE
}
