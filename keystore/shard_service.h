#pragma once

/* Handlers of the Keys service for content DBs: shards and anchors; and the status of all. */

#include "keystore/key_service.h"

struct status shard_service_open_shard(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status shard_service_anchor(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status shard_service_create_shard(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
struct status shard_service_status(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply);
