#include "lib/rpc/rpc_route.h"

#include <stdio.h>
#include <stdlib.h>

struct rpc_routes {
    struct rpc_route *rows; /* Owned, sorted by path. */
    size_t count;
};

void rpc_routes_free(struct rpc_routes *routes)
{
    if (routes == NULL) {
        return;
    }
    for (size_t i = 0; i < routes->count; i++) {
        free(routes->rows[i].path);
    }
    free(routes->rows);
    free(routes);
}

static int compare_rows(const void *a, const void *b)
{
    const struct rpc_route *one = a;
    const struct rpc_route *other = b;
    return bytes_compare(bytes_text(one->path), bytes_text(other->path));
}

static int compare_path(const void *key, const void *row)
{
    const struct bytes *path = key;
    const struct rpc_route *route = row;
    return bytes_compare(*path, bytes_text(route->path));
}

static struct status
add_row(struct rpc_routes *routes, const struct rpc_service *service, const struct rpc_method *row)
{
    const ProtobufCMethodDescriptor *descriptor =
        protobuf_c_service_descriptor_get_method_by_name(service->descriptor, row->name);
    if (descriptor == NULL) {
        return FAIL(INVALID, "method row without a method of the service");
    }
    char *path = NULL;
    if (asprintf(&path, "/%s/%s", service->descriptor->name, row->name) < 0) {
        return FAIL(NO_MEMORY, "method path");
    }
    routes->rows[routes->count++] = (struct rpc_route){
        .path = path, .method = row, .descriptor = descriptor, .context = service->context};
    return OK;
}

struct status
rpc_route_new(const struct rpc_service *services, size_t count, struct rpc_routes **ret_routes)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += services[i].count;
    }
    OWNED(rpc_routes) struct rpc_routes *routes = calloc(1, sizeof(*routes));
    if (routes == NULL) {
        return FAIL(NO_MEMORY, "methods");
    }
    routes->rows = calloc(total + 1, sizeof(*routes->rows));
    if (routes->rows == NULL) {
        return FAIL(NO_MEMORY, "methods");
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < services[i].count; j++) {
            TRY(add_row(routes, &services[i], &services[i].methods[j]));
        }
    }
    qsort(routes->rows, routes->count, sizeof(*routes->rows), compare_rows);
    *ret_routes = TAKE(routes);
    return OK;
}

const struct rpc_route *rpc_route_find(const struct rpc_routes *routes, struct bytes path)
{
    return bsearch(&path, routes->rows, routes->count, sizeof(*routes->rows), compare_path);
}
