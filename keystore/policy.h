#pragma once

/*
 * What a user may do inside the tenant: statements of (actions, resource). No statement at all
 * allows everything. A resource is "*", a bucket (and all in it), "BUCKET/PREFIX*" or one key,
 * "BUCKET/KEY". Values; pure functions.
 */

#include "lib/base/buffer.h"
#include "lib/base/encode.h"
#include "lib/base/status.h"
#include "lib/s3/s3_operation.h"

enum policy_action {
    POLICY_READ = 1,
    POLICY_WRITE = 2,
    POLICY_DELETE = 4,
    POLICY_LIST = 8,
    POLICY_ADMIN = 16, /* Make and remove buckets. */
    POLICY_ALL = 31,
};

enum { POLICY_STATEMENTS_MAX = 32, POLICY_RESOURCE_MAX = 63 + 1 + 1024 + 1 };

struct policy_statement {
    uint8_t actions;
    struct bytes resource;
};

struct policy {
    struct policy_statement statements[POLICY_STATEMENTS_MAX];
    size_t count;
};

/* "read" -> POLICY_READ, "all" -> POLICY_ALL; 0 for another word. */
uint8_t policy_action_of(const char *word);

/* INVALID unless the resource has one of the forms. */
MUST_CHECK struct status policy_check_resource(struct bytes resource);

/* count u16 { actions u8, resource len16+bytes }; decode is false on damage. */
void policy_encode(struct buffer *to, const struct policy *policy);
bool policy_decode(struct reader *reader, struct policy *ret_policy);

/* SHA-256 of the encoded policy: a handle remembers it. */
MUST_CHECK struct status policy_sha256(const struct policy *policy, uint8_t ret_sha256[32]);

/* What the proven request needs: may the user do it? For a copy both ends are asked. */
bool policy_allows(
    const struct policy *policy, enum s3_operation operation, const struct sigv4_target *target);
