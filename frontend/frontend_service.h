#pragma once

/* One S3 request from its head to its answer: parse, dispatch, answer errors, count, log. */

#include "frontend/frontend.h"

/* An http_handler_fn; context is the struct frontend. */
void frontend_service_handle(void *context, struct http_exchange *exchange);
