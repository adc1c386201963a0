#pragma once

/*
 * What may be opened: the second half of Authorize, on the Keys partition alone. It takes a proof
 * as given and checks that bucket, record and keys belong to what was signed. Any thread.
 */

#include "keystore/grants.h"
#include "keystore/identity_prove.h"
#include "keystore/key_hierarchy.h"

struct key_release {
    struct vault *vault; /* Keys. Outlives us, as all here. */
    struct key_hierarchy *hierarchy;
    struct grants *grants;
    const struct secret *handle_key;
    uint64_t grant_life_s;
};

struct key_release_input {
    const struct identity_proof *proof;
    const struct key_authorize_item *item;
    const uint8_t *cert_sha256; /* 32 bytes: the frontend's. */
    uint64_t now_s;
};

/* Fill result (zeroed before); its verdict says whether the rest counts. Nothing may leave the
 * process before the audit record is durable. */
void key_release_run(
    const struct key_release *release, const struct key_release_input *input,
    struct key_authorize_result *result);

/* The tenant's row; value holds its bytes. KEY_FORBIDDEN unless it is active. */
enum key_verdict key_release_tenant(
    const struct key_release *release, const struct id16 *tenant, struct buffer *value,
    struct tenant_row *ret_tenant);

/* The bucket's row; KEY_NO_SUCH_BUCKET where there is none. Its state is the caller's to judge. */
enum key_verdict key_release_bucket(
    const struct key_release *release, const struct id16 *bucket, struct buffer *value,
    struct bucket_row *ret_bucket);
