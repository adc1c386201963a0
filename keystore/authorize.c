#include "keystore/authorize.h"

#include "keystore/key_metrics.h"
#include "lib/base/clock.h"

#include <openssl/crypto.h>

/* Back to nothing but a verdict: what was not recorded was not released. */
static void withdraw(struct key_authorize_result *result, enum key_verdict verdict)
{
    secret_free(result->attribute_key);
    secret_free(result->object_key);
    OPENSSL_cleanse(result, sizeof(*result));
    result->verdict = verdict;
}

static enum audit_kind kind_of(enum key_operation operation)
{
    switch (operation) {
    case KEY_PROVE:
        return AUDIT_PROVE;
    case KEY_GENERATE:
        return AUDIT_GENERATE;
    case KEY_OPEN:
        return AUDIT_OPEN;
    case KEY_CREATE_BUCKET:
        return AUDIT_CREATE_BUCKET;
    }
    return AUDIT_PROVE;
}

/* data16 of the record that was opened stands at a fixed place of it (FORMATS 5). */
static struct id16
data_of(const struct key_authorize_item *item, const struct key_authorize_result *result)
{
    struct version_record record;

    if (item->operation == KEY_OPEN &&
        status_ok(version_record_decode(item->version_record, &record))) {
        return record.data;
    }
    return result->data;
}

static struct status append_record(
    struct key_service *service, const struct rpc_peer *peer, const struct key_authorize_item *item,
    const struct key_authorize_result *result, uint64_t *ret_lsn)
{
    struct audit_event event = {
        .kind = kind_of(item->operation),
        .flag = (uint8_t)result->verdict,
        .number = result->rights,
        .tenant = result->tenant,
        .bucket = item->has_bucket ? item->bucket : result->bucket,
        .subject = data_of(item, result),
    };

    memcpy(event.caller, peer->cert_sha256, sizeof(event.caller));
    memcpy(event.who, result->principal, AUDIT_WHO_SIZE);
    return audit_append(service->audit, &event, ret_lsn);
}

static void judge(
    struct key_service *service, const struct rpc_peer *peer, const struct key_authorize_item *item,
    struct arena *arena, struct key_authorize_result *result)
{
    struct identity_proof proof = {.rights = 0};
    int64_t now_s = clock_wall_s();
    struct identity_prove_options options = {
        .domain = bytes_text(service->options.s3_domain),
        .clock_skew_s = service->options.clock_skew_s,
        .now_s = now_s,
    };

    result->verdict = identity_prove(service->identities, &options, item, arena, &proof);
    if (result->verdict != KEY_ALLOWED) {
        return;
    }
    struct key_release_input input = {
        .proof = &proof,
        .item = item,
        .cert_sha256 = peer->cert_sha256,
        .now_s = (uint64_t)now_s,
    };
    key_release_run(&service->release, &input, result);
    if (result->verdict != KEY_ALLOWED) {
        withdraw(result, result->verdict);
    }
}

static void judge_and_record(
    struct key_service *service, const struct rpc_peer *peer, const struct key_authorize_item *item,
    struct arena *arena, struct key_authorize_result *result, uint64_t *lsn)
{
    judge(service, peer, item, arena, result);
    if (result->verdict == KEY_ALLOWED &&
        !status_ok(append_record(service, peer, item, result, lsn))) {
        withdraw(result, KEY_FAILED);
    }
}

static void count_result(const struct key_authorize_result *result)
{
    switch (result->verdict) {
    case KEY_ALLOWED:
        metric_add(&key_metrics_authorize_allowed_total, 1);
        metric_add(&key_metrics_keys_released_total, result->object_key != NULL);
        return;
    case KEY_UNKNOWN_KEY:
    case KEY_BAD_SIGNATURE:
        metric_add(&key_metrics_authorize_signature_total, 1);
        break;
    case KEY_MISMATCH:
        metric_add(&key_metrics_authorize_mismatch_total, 1);
        break;
    case KEY_BUSY:
        metric_add(&key_metrics_authorize_busy_total, 1);
        break;
    case KEY_FAILED:
        metric_add(&key_metrics_authorize_failed_total, 1);
        break;
    case KEY_REFUSED:
    case KEY_MALFORMED:
    case KEY_SKEWED:
    case KEY_EXPIRED:
    case KEY_FORBIDDEN:
    case KEY_NO_SUCH_BUCKET:
    case KEY_UNSUPPORTED:
        break;
    }
    metric_add(&key_metrics_authorize_refused_total, 1);
}

/* Make the records durable; without that nothing is released. */
static void commit(
    struct key_service *service, uint64_t lsn, size_t count, struct key_authorize_result *results)
{
    if (lsn == 0 || status_ok(audit_sync(service->audit, lsn))) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (results[i].verdict == KEY_ALLOWED) {
            withdraw(&results[i], KEY_FAILED);
        }
    }
}

void authorize_run(
    struct key_service *service, const struct rpc_peer *peer,
    const struct key_authorize_item *items, size_t count, struct arena *arena,
    struct key_authorize_result *results)
{
    uint64_t lsn = 0;
    size_t allowed =
        authorize_budget_take(service->budget, peer->cert_sha256, count, clock_monotonic_us());

    for (size_t i = 0; i < count; i++) {
        if (i >= allowed) {
            results[i].verdict = KEY_BUSY;
            continue;
        }
        judge_and_record(service, peer, &items[i], arena, &results[i], &lsn);
    }
    commit(service, lsn, count, results);
    for (size_t i = 0; i < count; i++) {
        count_result(&results[i]);
    }
}
