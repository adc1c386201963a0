#include "keystore/key_metrics.h"

#define COUNTER(name, unit, help)                                                                  \
    METRIC_DEFINE(key_metrics_##name, METRIC_COUNTER, "triad_key_" #name, help);
#define GAUGE(name, unit, help)                                                                    \
    METRIC_DEFINE(key_metrics_##name, METRIC_GAUGE, "triad_key_" #name, help);
#include "keystore/metrics.def"
#undef COUNTER
#undef GAUGE

void key_metrics_register(void)
{
#define COUNTER(name, unit, help) metric_register(&key_metrics_##name);
#define GAUGE(name, unit, help) metric_register(&key_metrics_##name);
#include "keystore/metrics.def"
#undef COUNTER
#undef GAUGE
}
