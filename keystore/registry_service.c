#include "keystore/registry_service.h"

#include "keystore/reply_fields.h"

static struct status put_certificate(
    struct arena *arena, const struct registry_entry *entry, Triad__Key__CertInfo **ret_message)
{
    Triad__Key__CertInfo *message = arena_alloc(arena, sizeof(*message));

    if (message == NULL) {
        return FAIL(NO_MEMORY, "certificate in a reply");
    }
    triad__key__cert_info__init(message);
    message->not_after = entry->not_after;
    message->added = entry->added;
    message->retire_at = entry->retire_at;
    TRY(reply_fields_put_text(arena, bytes_text(entry->uri), &message->uri));
    TRY(reply_fields_put(arena, BYTES_ARRAY(entry->sha256), &message->sha256));
    *ret_message = message;
    return OK;
}

struct status registry_service_cert_add(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__CertAddRequest *in = (const void *)request;
    Triad__Key__CertAddReply *out = (void *)reply;
    struct key_service *service = context;
    struct registry_entry entry;

    TRY(registry_add(service->registry, field_view(&in->certificate), &entry));
    TRY(key_service_record(service, call, AUDIT_CERT_ADD, 0, entry.sha256));
    return put_certificate(rpc_call_arena(call), &entry, &out->info);
}

struct status registry_service_cert_renew(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__CertRenewRequest *in = (const void *)request;
    Triad__Key__CertRenewReply *out = (void *)reply;
    struct key_service *service = context;
    struct registry_entry entry;

    TRY(registry_renew(
        service->registry, rpc_call_peer(call), field_view(&in->certificate), &entry));
    TRY(key_service_record(service, call, AUDIT_CERT_RENEW, 0, entry.sha256));
    return put_certificate(rpc_call_arena(call), &entry, &out->info);
}

enum { CERTIFICATES_MAX = 4096 };

struct certificates {
    struct arena *arena;
    Triad__Key__CertInfo **messages;
    size_t count;
};

static struct status add_certificate(void *context, const struct registry_entry *entry)
{
    struct certificates *list = context;

    if (list->count == CERTIFICATES_MAX) {
        return FAIL(TOO_LARGE, "too many certificates to list");
    }
    TRY(put_certificate(list->arena, entry, &list->messages[list->count]));
    list->count++;
    return OK;
}

struct status registry_service_cert_list(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    Triad__Key__CertListReply *out = (void *)reply;
    struct key_service *service = context;
    struct certificates list = {.arena = rpc_call_arena(call)};

    (void)request;
    list.messages = arena_zalloc(list.arena, CERTIFICATES_MAX, sizeof(Triad__Key__CertInfo *));
    if (list.messages == NULL) {
        return FAIL(NO_MEMORY, "certificates");
    }
    TRY(registry_each(service->registry, add_certificate, &list));
    out->certificates = list.messages;
    out->n_certificates = list.count;
    return OK;
}

struct status registry_service_cert_remove(
    void *context, struct rpc_call *call, const ProtobufCMessage *request, ProtobufCMessage *reply)
{
    const Triad__Key__CertRemoveRequest *in = (const void *)request;
    Triad__Key__CertRemoveReply *out = (void *)reply;
    struct key_service *service = context;
    const uint8_t *sha256 = in->sha256.len == 32 ? in->sha256.data : NULL;

    TRY(key_service_record(service, call, AUDIT_CERT_REMOVE, 0, sha256));
    return registry_remove(service->registry, bytes_text(in->uri), sha256, &out->removed);
}
