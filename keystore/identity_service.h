#pragma once

/* The handlers of the Identity service. */

#include "keystore/key_service.h"

void identity_service_table(struct key_service *service, struct rpc_service *ret_table);
