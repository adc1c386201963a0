#include "lib/rpc/rpc_peer_cache.h"

#include <stdlib.h>

enum { ENTRIES = 64 };

struct entry {
    char *pem; /* Owned; NULL for none. */
    size_t size;
    struct rpc_peer peer;
};

struct rpc_peer_cache {
    char *cluster; /* Owned. */
    struct entry entries[ENTRIES];
    size_t next; /* Replaced next. */
};

struct status rpc_peer_cache_new(const char *cluster, struct rpc_peer_cache **ret_cache)
{
    OWNED(rpc_peer_cache) struct rpc_peer_cache *cache = calloc(1, sizeof(*cache));
    if (cache == NULL) {
        return FAIL(NO_MEMORY, "peer cache");
    }
    cache->cluster = strdup(cluster);
    if (cache->cluster == NULL) {
        return FAIL(NO_MEMORY, "peer cache");
    }
    *ret_cache = TAKE(cache);
    return OK;
}

void rpc_peer_cache_free(struct rpc_peer_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    for (size_t i = 0; i < ENTRIES; i++) {
        free(cache->entries[i].pem);
    }
    free(cache->cluster);
    free(cache);
}

static void remember(struct rpc_peer_cache *cache, struct bytes pem, const struct rpc_peer *peer)
{
    char *copy = malloc(pem.size);
    if (copy == NULL) {
        return; /* Only slower. */
    }
    memcpy(copy, pem.data, pem.size);
    struct entry *entry = &cache->entries[cache->next];
    cache->next = (cache->next + 1) % ENTRIES;
    free(entry->pem);
    *entry = (struct entry){.pem = copy, .size = pem.size, .peer = *peer};
}

static struct status
find_or_parse(struct rpc_peer_cache *cache, struct bytes pem, struct rpc_peer *ret_peer)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        const struct entry *entry = &cache->entries[i];
        if (entry->pem != NULL && bytes_equal(bytes_of(entry->pem, entry->size), pem)) {
            *ret_peer = entry->peer;
            return OK;
        }
    }
    TRY(rpc_identity_of_pem(pem, cache->cluster, ret_peer));
    remember(cache, pem, ret_peer);
    return OK;
}

struct status
rpc_peer_cache_get(struct rpc_peer_cache *cache, grpc_call *call, struct rpc_peer *ret_peer)
{
    grpc_auth_context *context = grpc_call_auth_context(call);
    if (context == NULL || grpc_auth_context_peer_is_authenticated(context) == 0) {
        grpc_auth_context_release(context);
        return FAIL(UNAUTHENTICATED, "call without a client certificate");
    }
    grpc_auth_property_iterator iterator =
        grpc_auth_context_find_properties_by_name(context, GRPC_X509_PEM_CERT_PROPERTY_NAME);
    const grpc_auth_property *property = grpc_auth_property_iterator_next(&iterator);
    struct status status =
        property == NULL
            ? FAIL(UNAUTHENTICATED, "call without a client certificate")
            : find_or_parse(cache, bytes_of(property->value, property->value_length), ret_peer);
    grpc_auth_context_release(context);
    return status;
}
