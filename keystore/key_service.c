#include "keystore/key_service.h"

#include "keystore/handle.h"
#include "keystore/identity_service.h"
#include "keystore/key_metrics.h"
#include "keystore/keys_service.h"
#include "lib/base/clock.h"
#include "lib/base/file.h"
#include "lib/telemetry/log.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH_SIZE = 4096 };

static struct status path_of(const char *data_dir, const char *name, char path[PATH_SIZE])
{
    int length = snprintf(path, PATH_SIZE, "%s/%s", data_dir, name);

    return length > 0 && length < PATH_SIZE ? OK : FAIL(INVALID, "data_dir is too long");
}

/* ---- init ---- */

static struct status create_vault(const char *data_dir, const char *name, const struct secret *key)
{
    char path[PATH_SIZE];

    TRY(path_of(data_dir, name, path));
    struct status status = vault_create(path, key);
    return status.code == STATUS_EXISTS ? OK : status;
}

/* Both steps are atomic by themselves, so a crash between them is completed by the next init. */
static struct status first_keys(struct vault *vault)
{
    struct status hierarchy = key_hierarchy_init(vault);
    struct status keysets = keysets_init(vault);

    if (!status_ok(hierarchy) && hierarchy.code != STATUS_EXISTS) {
        return hierarchy;
    }
    return status_ok(hierarchy) && keysets.code == STATUS_EXISTS ? OK : keysets;
}

struct status key_service_init(const char *data_dir, const struct secret *slot_key)
{
    OWNED(vault) struct vault *identity = NULL;
    OWNED(vault) struct vault *keys = NULL;
    OWNED(fd) int dir_fd = -1;
    char path[PATH_SIZE];

    TRY(file_open_dir(data_dir, true, &dir_fd));
    TRY(create_vault(data_dir, "identity", slot_key));
    TRY(create_vault(data_dir, "keys", slot_key));
    TRY(path_of(data_dir, "identity", path));
    struct vault_options options = {.dir = path, .slot_key = slot_key};
    TRY(vault_open(&options, &identity));
    TRY(path_of(data_dir, "keys", path));
    TRY(vault_open(&options, &keys));
    return first_keys(keys);
}

/* ---- open ---- */

static struct status
open_vault(struct key_service *service, const char *name, struct vault **ret_vault)
{
    char path[PATH_SIZE];

    TRY(path_of(service->options.data_dir, name, path));
    struct vault_options options = {
        .dir = path,
        .slot_key = service->options.slot_key,
        .on_fatal = service->options.on_fatal,
    };
    return vault_open(&options, ret_vault);
}

static struct status open_audit(struct key_service *service)
{
    char path[PATH_SIZE];
    bool is_broken = false;

    TRY(path_of(service->options.data_dir, "audit", path));
    TRY(audit_open(path, &service->audit, &is_broken));
    audit_on_fatal(service->audit, service->options.on_fatal, NULL);
    if (is_broken) {
        log_event(LOG_ERROR, "the audit log was changed or lost records");
    }
    struct audit_event event = {.kind = AUDIT_START, .flag = is_broken};
    return audit_record(service->audit, &event);
}

static struct status open_parts(struct key_service *service)
{
    const struct key_service_options *options = &service->options;

    TRY(open_vault(service, "identity", &service->identity_vault));
    TRY(open_vault(service, "keys", &service->keys_vault));
    TRY(identity_store_new(service->identity_vault, options->cache_entries, &service->identities));
    TRY(key_hierarchy_new(service->keys_vault, options->cache_entries, &service->hierarchy));
    TRY(grants_new(service->keys_vault, &service->grants));
    TRY(handle_key(vault_root(service->keys_vault), &service->handle_key));
    TRY(keysets_new(service->keys_vault, &service->keysets));
    TRY(shards_new(service->keys_vault, service->hierarchy, &service->shards));
    TRY(registry_new(service->keys_vault, options->cluster, &service->registry));
    TRY(authorize_budget_new(options->authorize_rate_max, &service->budget));
    return open_audit(service);
}

struct status
key_service_open(const struct key_service_options *options, struct key_service **ret_service)
{
    OWNED(key_service) struct key_service *service = calloc(1, sizeof(*service));
    if (service == NULL) {
        return FAIL(NO_MEMORY, "key service");
    }
    service->options = *options;
    TRY(open_parts(service));
    service->options.slot_key = NULL;
    service->release = (struct key_release){
        .vault = service->keys_vault,
        .hierarchy = service->hierarchy,
        .grants = service->grants,
        .handle_key = service->handle_key,
        .grant_life_s = options->grant_life_s,
    };
    *ret_service = TAKE(service);
    return OK;
}

void key_service_free(struct key_service *service)
{
    if (service == NULL) {
        return;
    }
    authorize_budget_free(service->budget);
    registry_free(service->registry);
    shards_free(service->shards);
    keysets_free(service->keysets);
    secret_free(service->handle_key);
    grants_free(service->grants);
    key_hierarchy_free(service->hierarchy);
    identity_store_free(service->identities);
    vault_free(service->keys_vault);
    vault_free(service->identity_vault);
    audit_free(service->audit);
    free(service);
}

/* ---- serving ---- */

void key_service_tables(struct key_service *service, struct rpc_service ret_services[2])
{
    identity_service_table(service, &ret_services[0]);
    keys_service_table(service, &ret_services[1]);
}

struct status key_service_admit(void *context, const struct rpc_peer *peer, const char *method)
{
    struct key_service *service = context;

    (void)method;
    struct status status = registry_admit(service->registry, peer);
    metric_add(&key_metrics_not_registered_total, !status_ok(status));
    return status;
}

struct status key_service_record(
    struct key_service *service, struct rpc_call *call, enum audit_kind kind, uint32_t number,
    const uint8_t *subject16)
{
    struct audit_event event = {.kind = kind, .number = number};

    memcpy(event.caller, rpc_call_peer(call)->cert_sha256, sizeof(event.caller));
    if (subject16 != NULL) {
        memcpy(event.subject.bytes, subject16, ID16_SIZE);
    }
    return audit_record(service->audit, &event);
}

struct status key_service_rotate(struct key_service *service)
{
    uint32_t changed = 0;

    TRY(account_keys_rotate(service->keys_vault, (uint64_t)clock_wall_s(), &changed));
    if (changed == 0) {
        return OK;
    }
    keysets_forget(service->keysets);
    log_event(LOG_INFO, "signing pairs rotated", LOG_INT("accounts", changed));
    struct audit_event event = {.kind = AUDIT_ROTATE_PAIR, .number = changed};
    return audit_record(service->audit, &event);
}
