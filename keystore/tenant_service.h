#pragma once

/* Handlers of the Identity service for operators: tenants and users. */

#include "keystore/key_service.h"

struct status tenant_service_create_tenant(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status tenant_service_list_tenants(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status tenant_service_create_user(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status tenant_service_list_users(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status tenant_service_disable_user(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
