#include "steward/repair_metrics.h"

#include <pthread.h>

static struct repair_metrics metrics = {
    .is_active =
        {.name = "triad_steward_active",
         .help = "1 while this steward is the active one",
         .kind = METRIC_GAUGE},
    .repaired =
        {.name = "triad_steward_repaired_fragments_total", .help = "Fragments rebuilt and stored"},
    .failed = {.name = "triad_steward_failed_repairs_total", .help = "Repairs to be tried again"},
    .bytes = {.name = "triad_steward_repaired_bytes_total", .help = "Bytes rebuilt and stored"},
};

static void register_all(void)
{
    metric_register(&metrics.is_active);
    metric_register(&metrics.repaired);
    metric_register(&metrics.failed);
    metric_register(&metrics.bytes);
}

struct repair_metrics *repair_metrics(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_all);
    return &metrics;
}
