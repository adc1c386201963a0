#pragma once

/* What a frontend counts. */

#include "lib/s3/s3_operation.h"
#include "lib/telemetry/metric.h"

extern struct metric frontend_metrics_bytes_in;
extern struct metric frontend_metrics_bytes_out;
extern struct metric frontend_metrics_buffers;

/* Make all known, once, before threads start. */
void frontend_metrics_register(void);

/* Count a request answered with that HTTP status. */
void frontend_metrics_count(enum s3_operation operation, unsigned http_status);
