#pragma once

/* Handlers of the Keys service for the registry of certificates. */

#include "keystore/key_service.h"

struct status registry_service_cert_add(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status registry_service_cert_renew(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status registry_service_cert_list(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status registry_service_cert_remove(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
