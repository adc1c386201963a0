#pragma once

/* The handlers of the Keys service. */

#include "keystore/key_service.h"

void keys_service_table(struct key_service *service, struct rpc_service *ret_table);
