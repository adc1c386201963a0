#include "keystore/registry.h"

#include "lib/base/clock.h"
#include "lib/base/map.h"

#include <stdlib.h>
#include <time.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

struct registry {
    struct vault *vault; /* Outlives us. */
    const char *cluster; /* Outlives us. */
    pthread_mutex_t
        changes;           /* One change at a time, row and memory together: over I/O, but rare. */
    pthread_mutex_t mutex; /* The map: held for no I/O. */
    struct map *entries;   /* Owned, values too: struct registry_entry by SHA-256. */
};

/* ---- life ---- */

static struct status keep(struct registry *registry, const struct registry_entry *entry)
{
    struct registry_entry *copy = malloc(sizeof(*copy));
    void *old = NULL;

    if (copy == NULL) {
        return FAIL(NO_MEMORY, "registry entry");
    }
    *copy = *entry;
    struct status status = map_put(registry->entries, copy->sha256, copy, &old);
    free(status_ok(status) ? old : copy);
    return status;
}

static struct status
decode_entry(struct bytes key, struct bytes value, struct registry_entry *ret_entry)
{
    struct registry_row row;

    if (key.size != 1 + 32) {
        return FAIL(CORRUPT, "key of a registry row");
    }
    TRY(key_row_decode_certificate(value, &row));
    *ret_entry = (struct registry_entry){
        .not_after = row.not_after, .added = row.added, .retire_at = row.retire_at};
    memcpy(ret_entry->sha256, key.data + 1, 32);
    memcpy(ret_entry->uri, row.uri.data, row.uri.size);
    return OK;
}

static struct status load(void *context, struct bytes key, struct bytes value)
{
    struct registry_entry entry;

    TRY(decode_entry(key, value, &entry));
    return keep(context, &entry);
}

struct status registry_new(struct vault *vault, const char *cluster, struct registry **ret_registry)
{
    OWNED(registry) struct registry *registry = calloc(1, sizeof(*registry));
    if (registry == NULL) {
        return FAIL(NO_MEMORY, "registry");
    }
    registry->vault = vault;
    registry->cluster = cluster;
    pthread_mutex_init(&registry->changes, NULL);
    pthread_mutex_init(&registry->mutex, NULL);
    TRY(map_new(32, &registry->entries));
    TRY(vault_walk(vault, bytes_text("R"), load, registry));
    *ret_registry = TAKE(registry);
    return OK;
}

void registry_free(struct registry *registry)
{
    const void *key = NULL;
    void *value = NULL;
    size_t cursor = 0;

    if (registry == NULL) {
        return;
    }
    while (registry->entries != NULL && map_next(registry->entries, &cursor, &key, &value)) {
        free(value);
    }
    map_free(registry->entries);
    pthread_mutex_destroy(&registry->mutex);
    pthread_mutex_destroy(&registry->changes);
    free(registry);
}

/* ---- admission ---- */

static bool is_live(const struct registry_entry *entry, uint64_t now_s)
{
    return now_s <= entry->not_after && (entry->retire_at == 0 || now_s < entry->retire_at);
}

struct status registry_admit(struct registry *registry, const struct rpc_peer *peer)
{
    if (peer->role == RPC_ROLE_OPERATOR) {
        return OK;
    }
    LOCKED(&registry->mutex);
    const struct registry_entry *entry = map_get(registry->entries, peer->cert_sha256);
    if (entry == NULL) {
        return FAIL(DENIED, "certificate is not registered: run triad cert add");
    }
    if (strcmp(entry->uri, peer->uri) != 0 || !is_live(entry, (uint64_t)clock_wall_s())) {
        return FAIL(DENIED, "certificate is registered no longer");
    }
    return OK;
}

/* ---- changes ---- */

static struct status not_after_of(struct bytes pem, uint64_t *ret_not_after)
{
    struct tm tm;
    struct status status = FAIL(INVALID, "not a certificate in PEM");

    if (pem.size > REGISTRY_PEM_MAX) {
        return FAIL(INVALID, "certificate is too long");
    }
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (certificate != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) == 1) {
        *ret_not_after = (uint64_t)timegm(&tm);
        status = OK;
    }
    X509_free(certificate);
    BIO_free(bio);
    return status;
}

static struct status entry_of_pem(
    const struct registry *registry, struct bytes pem, struct registry_entry *ret_entry,
    enum rpc_role *ret_role)
{
    struct rpc_peer peer;
    struct registry_entry entry = {.added = (uint64_t)clock_wall_s()};

    TRY(not_after_of(pem, &entry.not_after));
    TRY(rpc_identity_of_pem(pem, registry->cluster, &peer));
    if (peer.role == RPC_ROLE_OPERATOR) {
        return FAIL(DENIED, "operators are not registered");
    }
    if (entry.not_after <= entry.added) {
        return FAIL(DENIED, "certificate is over");
    }
    memcpy(entry.sha256, peer.cert_sha256, sizeof(entry.sha256));
    memcpy(entry.uri, peer.uri, sizeof(entry.uri));
    *ret_role = peer.role;
    *ret_entry = entry;
    return OK;
}

/* Rows to write and to remove, at once. */
struct change {
    struct {
        struct key_row_key key;
        struct buffer value; /* Owned. */
    } puts[2];
    size_t puts_count;
    const struct key_row_key *removals;
    size_t removals_count;
};

static struct status apply_change(struct kv_view *view, void *arg)
{
    const struct change *change = arg;

    for (size_t i = 0; i < change->puts_count; i++) {
        TRY(kv_view_put(
            view, key_row_view(&change->puts[i].key), buffer_bytes(&change->puts[i].value)));
    }
    for (size_t i = 0; i < change->removals_count; i++) {
        TRY(kv_view_delete(view, key_row_view(&change->removals[i])));
    }
    return OK;
}

static struct status
add_put(struct change *change, const struct registry_entry *entry, enum rpc_role role)
{
    struct registry_row row = {
        .role = role,
        .not_after = entry->not_after,
        .added = entry->added,
        .retire_at = entry->retire_at,
        .uri = bytes_text(entry->uri),
    };
    size_t i = change->puts_count++;

    change->puts[i].key = key_row_certificate(entry->sha256);
    buffer_init(&change->puts[i].value, KEY_ROW_VALUE_MAX);
    key_row_encode_certificate(&change->puts[i].value, &row);
    return buffer_status(&change->puts[i].value);
}

static struct status put_entries(
    struct registry *registry, const struct registry_entry *const *entries, size_t count,
    enum rpc_role role)
{
    struct change change = {.puts_count = 0};
    struct status status = OK;

    for (size_t i = 0; i < count && status_ok(status); i++) {
        status = add_put(&change, entries[i], role);
    }
    if (status_ok(status)) {
        status = vault_apply(registry->vault, apply_change, &change);
    }
    for (size_t i = 0; i < change.puts_count; i++) {
        buffer_done(&change.puts[i].value);
    }
    TRY(status);
    LOCKED(&registry->mutex);
    for (size_t i = 0; i < count; i++) {
        TRY(keep(registry, entries[i]));
    }
    return OK;
}

static bool
find(struct registry *registry, const uint8_t sha256[32], struct registry_entry *ret_entry)
{
    LOCKED(&registry->mutex);
    const struct registry_entry *entry = map_get(registry->entries, sha256);
    if (entry != NULL) {
        *ret_entry = *entry;
    }
    return entry != NULL;
}

struct status
registry_add(struct registry *registry, struct bytes pem, struct registry_entry *ret_entry)
{
    struct registry_entry entry;
    enum rpc_role role;

    TRY(entry_of_pem(registry, pem, &entry, &role));
    LOCKED(&registry->changes);
    if (find(registry, entry.sha256, ret_entry) && ret_entry->retire_at == 0) {
        return OK;
    }
    const struct registry_entry *entries[] = {&entry};
    TRY(put_entries(registry, entries, 1, role));
    *ret_entry = entry;
    return OK;
}

struct status registry_renew(
    struct registry *registry, const struct rpc_peer *peer, struct bytes pem,
    struct registry_entry *ret_entry)
{
    struct registry_entry successor;
    struct registry_entry old;
    enum rpc_role role;

    TRY(entry_of_pem(registry, pem, &successor, &role));
    if (strcmp(successor.uri, peer->uri) != 0) {
        return FAIL(DENIED, "a successor has the same URI");
    }
    LOCKED(&registry->changes);
    if (!find(registry, peer->cert_sha256, &old)) {
        return FAIL(DENIED, "certificate is not registered");
    }
    if (find(registry, successor.sha256, ret_entry)) {
        return OK; /* The same call again. */
    }
    if (old.retire_at != 0) {
        return FAIL(DENIED, "certificate has its successor already");
    }
    old.retire_at = (uint64_t)clock_wall_s() + REGISTRY_OVERLAP_S;
    const struct registry_entry *entries[] = {&successor, &old};
    TRY(put_entries(registry, entries, 2, role));
    *ret_entry = successor;
    return OK;
}

/* Collect the keys that match, at most max. */
static size_t matching(
    struct registry *registry, struct bytes uri, const uint8_t *sha256, struct key_row_key *keys,
    size_t max)
{
    const void *key = NULL;
    void *value = NULL;
    size_t cursor = 0;
    size_t count = 0;

    LOCKED(&registry->mutex);
    while (count < max && map_next(registry->entries, &cursor, &key, &value)) {
        const struct registry_entry *entry = value;
        bool fits = uri.size > 0 ? bytes_equal(uri, bytes_text(entry->uri))
                                 : memcmp(entry->sha256, sha256, 32) == 0;
        if (fits) {
            keys[count++] = key_row_certificate(entry->sha256);
        }
    }
    return count;
}

static void forget(struct registry *registry, const struct key_row_key *keys, size_t count)
{
    LOCKED(&registry->mutex);
    for (size_t i = 0; i < count; i++) {
        free(map_remove(registry->entries, keys[i].bytes + 1));
    }
}

struct status registry_remove(
    struct registry *registry, struct bytes uri, const uint8_t *sha256, uint32_t *ret_removed)
{
    struct key_row_key keys[64];
    struct change change = {.removals = keys};

    if (uri.size == 0 && sha256 == NULL) {
        return FAIL(INVALID, "name a URI or a fingerprint");
    }
    *ret_removed = 0;
    LOCKED(&registry->changes);
    do {
        change.removals_count = matching(registry, uri, sha256, keys, 64);
        TRY(vault_apply(registry->vault, apply_change, &change));
        forget(registry, keys, change.removals_count);
        *ret_removed += (uint32_t)change.removals_count;
    } while (change.removals_count > 0);
    return OK;
}

struct walk {
    registry_fn *each;
    void *context;
};

static struct status found(void *context, struct bytes key, struct bytes value)
{
    const struct walk *walk = context;
    struct registry_entry entry;

    TRY(decode_entry(key, value, &entry));
    return walk->each(walk->context, &entry);
}

struct status registry_each(struct registry *registry, registry_fn *each, void *context)
{
    struct walk walk = {each, context};

    return vault_walk(registry->vault, bytes_text("R"), found, &walk);
}

uint32_t registry_count(struct registry *registry)
{
    LOCKED(&registry->mutex);
    return (uint32_t)map_count(registry->entries);
}
