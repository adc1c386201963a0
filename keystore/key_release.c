#include "keystore/key_release.h"

#include "keystore/handle.h"
#include "lib/base/clock.h"
#include "lib/base/hex.h"
#include "lib/crypto/digest.h"
#include "lib/crypto/random.h"

/* What one run works on. */
struct run {
    const struct key_release *release;
    const struct key_release_input *input;
    const struct identity_proof *proof;
    const struct key_authorize_item *item;
    const struct tenant_row *tenant;
    const struct bucket_row *bucket;
    struct key_authorize_result *result;
    uint16_t rights;
};

static enum key_verdict verdict_of(struct status status)
{
    return status_ok(status) ? KEY_ALLOWED : KEY_FAILED;
}

enum key_verdict key_release_tenant(
    const struct key_release *release, const struct id16 *tenant, struct buffer *value,
    struct tenant_row *ret_tenant)
{
    struct key_row_key key = key_row_tenant(tenant);
    struct status status = vault_get(release->vault, key_row_view(&key), value);

    if (status_ok(status)) {
        status = key_row_decode_tenant(buffer_bytes(value), ret_tenant);
    }
    if (status.code == STATUS_NOT_FOUND) {
        return KEY_FORBIDDEN;
    }
    if (!status_ok(status)) {
        return KEY_FAILED;
    }
    return ret_tenant->state == TENANT_ACTIVE ? KEY_ALLOWED : KEY_FORBIDDEN;
}

enum key_verdict key_release_bucket(
    const struct key_release *release, const struct id16 *bucket, struct buffer *value,
    struct bucket_row *ret_bucket)
{
    struct key_row_key key = key_row_bucket(bucket);
    struct status status = vault_get(release->vault, key_row_view(&key), value);

    if (status_ok(status)) {
        status = key_row_decode_bucket(buffer_bytes(value), ret_bucket);
    }
    if (status.code == STATUS_NOT_FOUND) {
        return KEY_NO_SUCH_BUCKET;
    }
    return verdict_of(status);
}

static enum key_verdict add_handle(struct run *run, const struct id16 *bucket)
{
    struct handle handle = {
        .purpose = HANDLE_REQUEST,
        .rights = run->rights,
        .start_s = run->input->now_s,
        .tenant = run->proof->tenant,
        .bucket = *bucket,
        .data = run->result->data,
    };

    if (run->proof->operation == S3_CREATE_BUCKET) {
        handle.purpose = HANDLE_CREATES_BUCKET;
    }
    if (run->proof->operation == S3_DELETE_BUCKET) {
        handle.purpose = HANDLE_DELETES_BUCKET;
    }
    memcpy(handle.cnf, run->input->cert_sha256, sizeof(handle.cnf));
    memcpy(handle.policy_sha256, run->proof->policy_sha256, sizeof(handle.policy_sha256));
    memcpy(handle.access_key, run->proof->access_key, HANDLE_ACCESS_KEY_SIZE);
    run->result->handle_size = HANDLE_SIZE;
    return verdict_of(handle_seal(run->release->handle_key, &handle, run->result->handle));
}

static enum key_verdict add_grant(struct run *run, const struct id16 *bucket)
{
    uint64_t exp = run->input->now_s + run->release->grant_life_s;
    uint32_t shard = run->rights == GRANT_LIST_BUCKETS ? 0 : run->item->shard;

    run->result->rights = run->rights;
    run->result->has_grant = true;
    return verdict_of(grants_mint(
        run->release->grants, run->rights, &run->proof->tenant, bucket, shard,
        run->input->cert_sha256, exp, run->result->grant));
}

/* ---- buckets ---- */

static struct status name_hash(struct bytes bucket_name, uint8_t ret_sha256[DIGEST_SHA256_SIZE])
{
    return digest_sha256(&bucket_name, 1, ret_sha256);
}

static bool is_copy(const struct identity_proof *proof)
{
    return proof->operation == S3_COPY_OBJECT || proof->operation == S3_UPLOAD_PART_COPY;
}

/* True where an OPEN is about the copy's source. */
static bool opens_source(const struct run *run, const struct version_record *record)
{
    return is_copy(run->proof) && (record->flags & VERSION_OPEN_UPLOAD) == 0;
}

/* Do the bucket's id and the signed name belong together, and is it the tenant's? */
static enum key_verdict fit_bucket(const struct run *run, struct bytes name)
{
    uint8_t sha256[DIGEST_SHA256_SIZE];

    if (!status_ok(name_hash(name, sha256))) {
        return KEY_FAILED;
    }
    if (memcmp(sha256, run->bucket->name_sha256, sizeof(sha256)) != 0) {
        return KEY_NO_SUCH_BUCKET;
    }
    return id16_equal(&run->bucket->tenant, &run->proof->tenant) ? KEY_ALLOWED : KEY_FORBIDDEN;
}

struct new_bucket {
    struct id16 id;
    struct bytes row;
    uint64_t created_ms;
};

static struct status put_bucket(struct kv_view *view, void *arg)
{
    const struct new_bucket *new = arg;
    struct key_row_key key = key_row_bucket(&new->id);
    struct key_row_key creating = key_row_creating(&new->id);
    struct bytes found;
    uint8_t created[8];

    if (status_ok(kv_view_get(view, key_row_view(&key), &found))) {
        return FAIL(EXISTS, "bucket id");
    }
    encode_u64(created, new->created_ms);
    TRY(kv_view_put(view, key_row_view(&key), new->row));
    return kv_view_put(view, key_row_view(&creating), BYTES_ARRAY(created));
}

static struct status make_bucket(const struct run *run, const struct id16 *id)
{
    BUFFER(row, KEY_ROW_VALUE_MAX);
    uint8_t sha256[DIGEST_SHA256_SIZE];

    TRY(name_hash(run->proof->target.bucket, sha256));
    TRY(key_hierarchy_make_bucket(run->release->hierarchy, run->tenant, id, sha256, &row));
    struct new_bucket new = {
        .id = *id, .row = buffer_bytes(&row), .created_ms = (uint64_t)clock_wall_ms()};
    return vault_apply(run->release->vault, put_bucket, &new);
}

/* A bucket that the content DB knows already: the same id again, if it is this tenant's. */
static enum key_verdict resume_create(struct run *run)
{
    enum key_verdict verdict = fit_bucket(run, run->proof->target.bucket);

    if (verdict != KEY_ALLOWED) {
        return verdict;
    }
    return run->bucket->state == BUCKET_DELETING ? KEY_NO_SUCH_BUCKET : KEY_ALLOWED;
}

static enum key_verdict create_bucket(struct run *run)
{
    BUFFER(value, KEY_ROW_VALUE_MAX);
    struct bucket_row bucket;
    struct id16 id = run->item->bucket;

    if (run->proof->operation != S3_CREATE_BUCKET) {
        return KEY_UNSUPPORTED;
    }
    if (!run->item->has_bucket) {
        if (!status_ok(random_bytes(id.bytes, ID16_SIZE)) || !status_ok(make_bucket(run, &id))) {
            return KEY_FAILED;
        }
    }
    enum key_verdict verdict = key_release_bucket(run->release, &id, &value, &bucket);
    run->bucket = &bucket;
    if (verdict == KEY_ALLOWED) {
        verdict = resume_create(run);
    }
    if (verdict == KEY_ALLOWED) {
        run->result->bucket = id;
        verdict = verdict_of(key_hierarchy_attribute_key(
            run->release->hierarchy, run->tenant, &bucket, &run->result->attribute_key));
    }
    if (verdict == KEY_ALLOWED) {
        verdict = add_grant(run, &id);
    }
    return verdict == KEY_ALLOWED ? add_handle(run, &id) : verdict;
}

/* ---- objects ---- */

static bool makes_data(enum s3_operation operation)
{
    return operation == S3_PUT_OBJECT || operation == S3_COPY_OBJECT ||
           operation == S3_CREATE_MULTIPART_UPLOAD;
}

static enum key_verdict generate(struct run *run)
{
    BUFFER(ref, KEY_REF_MAX);

    if (!makes_data(run->proof->operation)) {
        return KEY_UNSUPPORTED;
    }
    if (!status_ok(random_bytes(run->result->data.bytes, ID16_SIZE))) {
        return KEY_FAILED;
    }
    struct status status = key_hierarchy_make_object_key(
        run->release->hierarchy, run->tenant, run->bucket, &run->result->data,
        &run->result->object_key, &ref);
    if (!status_ok(status)) {
        return KEY_FAILED;
    }
    memcpy(run->result->key_ref, ref.data, ref.size);
    run->result->key_ref_size = ref.size;
    return KEY_ALLOWED;
}

/* The signed uploadId is hex(version16). */
static bool is_signed_upload(const struct run *run, const struct version_record *record)
{
    uint8_t id[ID16_SIZE];

    return hex_decode(run->proof->target.upload_id, id, ID16_SIZE) &&
           memcmp(id, record->version.bytes, ID16_SIZE) == 0;
}

/* A signed versionId is hex(seq u64 | version16), or "null", which binds nothing. */
static bool version_fits(struct bytes version_id, const struct version_record *record)
{
    uint8_t id[8 + ID16_SIZE];

    if (version_id.size == 0 || bytes_equal(version_id, bytes_text("null"))) {
        return true;
    }
    return hex_decode(version_id, id, sizeof(id)) &&
           memcmp(id + 8, record->version.bytes, ID16_SIZE) == 0;
}

static bool opens_object(enum s3_operation operation)
{
    return operation == S3_GET_OBJECT || operation == S3_HEAD_OBJECT ||
           operation == S3_COPY_OBJECT || operation == S3_UPLOAD_PART_COPY;
}

static bool record_is_wanted(const struct run *run, const struct version_record *record)
{
    const struct sigv4_target *target = &run->proof->target;

    if ((record->flags & VERSION_OPEN_UPLOAD) != 0) {
        return is_signed_upload(run, record);
    }
    if (!opens_object(run->proof->operation)) {
        return false;
    }
    return version_fits(
        opens_source(run, record) ? target->copy_version_id : target->version_id, record);
}

/* Tenant, bucket and name hash of the record are the signed ones. */
static enum key_verdict fit_record(const struct run *run, const struct version_record *record)
{
    const struct sigv4_target *target = &run->proof->target;
    struct bytes key = opens_source(run, record) ? target->copy_key : target->key;
    uint8_t hash[32];

    if (!record_is_wanted(run, record) || key.size == 0) {
        return KEY_MISMATCH;
    }
    if (!status_ok(object_name_hash(&run->bucket->bucket, key, hash))) {
        return KEY_FAILED;
    }
    bool fits = id16_equal(&record->tenant, &run->proof->tenant) &&
                id16_equal(&record->bucket, &run->bucket->bucket) &&
                memcmp(record->name_hash, hash, sizeof(hash)) == 0;
    return fits ? KEY_ALLOWED : KEY_MISMATCH;
}

static enum key_verdict open_record(struct run *run, const struct version_record *record)
{
    const struct key_authorize_item *item = run->item;
    OWNED(secret) struct secret *key = NULL;

    enum key_verdict verdict = fit_record(run, record);
    if (verdict != KEY_ALLOWED) {
        return verdict;
    }
    struct status status = key_hierarchy_open_object_key(
        run->release->hierarchy, run->tenant, run->bucket, &record->data, item->key_ref, &key);
    if (status_ok(status)) {
        status = version_record_verify(key, &record->data, item->version_record, item->vmac);
    }
    if (status.code == STATUS_CORRUPT || status.code == STATUS_INVALID) {
        return KEY_MISMATCH;
    }
    if (!status_ok(status)) {
        return status.code == STATUS_UNSUPPORTED ? KEY_UNSUPPORTED : KEY_FAILED;
    }
    run->result->object_key = TAKE(key);
    return KEY_ALLOWED;
}

/* The source of a copy from another bucket is only read. */
static uint16_t rights_in(const struct run *run, bool is_source)
{
    bool is_same = bytes_equal(run->proof->target.bucket, run->proof->target.copy_bucket);

    return is_source && !is_same ? (uint16_t)GRANT_READ : run->proof->rights;
}

/* A copy is proved in the bucket of its source too, to find there what it will open. */
static bool proves_source(const struct run *run)
{
    const struct sigv4_target *target = &run->proof->target;
    uint8_t sha256[DIGEST_SHA256_SIZE];

    return run->item->operation == KEY_PROVE && is_copy(run->proof) &&
           !bytes_equal(target->bucket, target->copy_bucket) &&
           status_ok(name_hash(target->copy_bucket, sha256)) &&
           memcmp(sha256, run->bucket->name_sha256, sizeof(sha256)) == 0;
}

static enum key_verdict run_in_bucket(struct run *run, const struct version_record *record)
{
    bool is_source = record != NULL ? opens_source(run, record) : proves_source(run);
    const struct sigv4_target *target = &run->proof->target;

    enum key_verdict verdict = fit_bucket(run, is_source ? target->copy_bucket : target->bucket);
    if (verdict == KEY_ALLOWED && record != NULL) {
        verdict = open_record(run, record);
    }
    if (verdict == KEY_ALLOWED && run->item->operation == KEY_GENERATE) {
        verdict = generate(run);
    }
    if (verdict == KEY_ALLOWED) {
        verdict = verdict_of(key_hierarchy_attribute_key(
            run->release->hierarchy, run->tenant, run->bucket, &run->result->attribute_key));
    }
    run->rights = rights_in(run, is_source);
    if (verdict == KEY_ALLOWED) {
        verdict = add_grant(run, &run->bucket->bucket);
    }
    return verdict == KEY_ALLOWED ? add_handle(run, &run->bucket->bucket) : verdict;
}

static enum key_verdict with_bucket(struct run *run)
{
    BUFFER(value, KEY_ROW_VALUE_MAX);
    struct bucket_row bucket;
    struct version_record record;

    enum key_verdict verdict =
        key_release_bucket(run->release, &run->item->bucket, &value, &bucket);
    if (verdict != KEY_ALLOWED) {
        return verdict;
    }
    if (bucket.state != BUCKET_ACTIVE) {
        return KEY_NO_SUCH_BUCKET;
    }
    run->bucket = &bucket;
    if (run->item->operation != KEY_OPEN) {
        return run_in_bucket(run, NULL);
    }
    if (!status_ok(version_record_decode(run->item->version_record, &record))) {
        return KEY_MISMATCH;
    }
    return run_in_bucket(run, &record);
}

/* No bucket: the signature and the principal only; ListBuckets gets a grant of its own. */
static enum key_verdict without_bucket(struct run *run)
{
    static const struct id16 none;

    if (run->item->operation != KEY_PROVE) {
        return KEY_NO_SUCH_BUCKET;
    }
    if (run->proof->operation != S3_LIST_BUCKETS) {
        return KEY_ALLOWED;
    }
    enum key_verdict verdict = add_grant(run, &none);
    return verdict == KEY_ALLOWED ? add_handle(run, &none) : verdict;
}

static enum key_verdict dispatch(struct run *run)
{
    if (run->item->operation == KEY_CREATE_BUCKET) {
        return create_bucket(run);
    }
    /* Listing buckets is about no bucket, whatever id comes with it. */
    if (!run->item->has_bucket || run->proof->operation == S3_LIST_BUCKETS) {
        return without_bucket(run);
    }
    return with_bucket(run);
}

void key_release_run(
    const struct key_release *release, const struct key_release_input *input,
    struct key_authorize_result *result)
{
    BUFFER(value, KEY_ROW_VALUE_MAX);
    struct tenant_row tenant;
    struct run run = {
        .release = release,
        .input = input,
        .proof = input->proof,
        .item = input->item,
        .tenant = &tenant,
        .result = result,
        .rights = input->proof->rights,
    };

    result->tenant = input->proof->tenant;
    memcpy(result->principal, input->proof->access_key, IDENTITY_ACCESS_KEY_SIZE + 1);
    result->verdict = key_release_tenant(release, &input->proof->tenant, &value, &tenant);
    if (result->verdict == KEY_ALLOWED) {
        result->verdict = dispatch(&run);
    }
}
