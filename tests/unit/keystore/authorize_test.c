/* Authorize gives keys for exactly what an authenticated user asked for, and for nothing else. */

#include "lib/base/clock.h"
#include "lib/base/hex.h"
#include "lib/crypto/digest.h"
#include "tests/unit/keystore/key_fixture.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

/* The audit log writes with pwritev; --wrap routes it here. */
static atomic_bool write_fails;

ssize_t __real_pwritev(int fd, const struct iovec *parts, int count, off_t offset);
ssize_t __wrap_pwritev(int fd, const struct iovec *parts, int count, off_t offset);

ssize_t __wrap_pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (atomic_load(&write_fails)) {
        errno = EIO;
        return -1;
    }
    return __real_pwritev(fd, parts, count, offset);
}

static struct key_fixture fixture;
static struct key_peer operator_peer;
static struct key_peer frontend;
static char admin_key[64];
static char other_admin_key[64];
static struct key_user alice;
static struct key_user mallory; /* Of another tenant. */
static struct key_user reader;  /* read below photos/public/ only. */
static struct id16 photos;

static int setup(void **state)
{
    (void)state;
    key_fixture_start(&fixture);
    key_fixture_connect(&fixture, "operator", "root", &operator_peer);
    key_fixture_connect(&fixture, "frontend", "f1", &frontend);
    key_fixture_register(&fixture, &operator_peer, "frontend", "f1");
    key_fixture_tenant(&operator_peer, "acme", admin_key);
    key_fixture_tenant(&operator_peer, "other", other_admin_key);
    key_fixture_user(&operator_peer, "acme", admin_key, "alice", NULL, NULL, &alice);
    key_fixture_user(
        &operator_peer, "acme", admin_key, "reader", "read", "photos/public/*", &reader);
    key_fixture_user(&operator_peer, "other", other_admin_key, "mallory", NULL, NULL, &mallory);
    photos = key_fixture_bucket(&frontend, &alice, "photos");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    key_fixture_disconnect(&frontend);
    key_fixture_disconnect(&operator_peer);
    key_fixture_stop(&fixture);
    return 0;
}

/* A request of user about photos, with the bucket's id. */
static void in_photos(
    const struct key_user *user, const char *method, const char *path,
    struct key_request *ret_request)
{
    key_fixture_sign(user, &(struct key_sign){.method = method, .path = path}, ret_request);
    ret_request->item.has_bucket = true;
    ret_request->item.bucket = photos;
}

static struct key_authorize_result *generate(const char *path)
{
    struct key_request request;
    struct key_authorize_result *result = NULL;

    in_photos(&alice, "PUT", path, &request);
    request.item.operation = KEY_GENERATE;
    assert_int_equal(key_fixture_authorize(&frontend, &request, &result), KEY_ALLOWED);
    return result;
}

/* An object photos/cat.jpg. */
static struct key_authorize_result *stored(struct key_record *ret_record)
{
    struct id16 version = {{7}};
    struct key_authorize_result *made = generate("/photos/cat.jpg");

    key_fixture_record(made, &photos, "cat.jpg", 0, &version, ret_record);
    return made;
}

static void generate_gives_a_key_a_grant_and_a_handle(void **state)
{
    struct key_authorize_result *made = generate("/photos/cat.jpg");
    struct grant grant;

    (void)state;
    assert_non_null(made->object_key);
    assert_non_null(made->attribute_key);
    assert_false(id16_is_zero(&made->data));
    assert_int_equal(made->key_ref_size, 48);
    assert_int_equal(made->handle_size, 184);
    assert_string_equal(made->principal, alice.access_key);
    assert_ok(grant_decode(BYTES_ARRAY(made->grant), &grant));
    assert_int_equal(grant.rights, GRANT_READ | GRANT_WRITE);
    assert_true(id16_equal(&grant.bucket, &photos));
    assert_true(id16_equal(&grant.tenant, &made->tenant));
    key_authorize_result_free(made);
}

static void open_gives_the_key_that_was_made(void **state)
{
    struct key_record record;
    struct key_request request;
    struct key_authorize_result *opened = NULL;
    struct key_authorize_result *made = stored(&record);

    (void)state;
    in_photos(&alice, "GET", "/photos/cat.jpg", &request);
    key_fixture_open_item(&request, &photos, &record);
    assert_int_equal(key_fixture_authorize(&frontend, &request, &opened), KEY_ALLOWED);
    assert_true(secret_equal(secret_bytes(opened->object_key), secret_bytes(made->object_key)));
    assert_true(
        secret_equal(secret_bytes(opened->attribute_key), secret_bytes(made->attribute_key)));
    assert_int_equal(opened->rights, GRANT_READ);
    key_authorize_result_free(opened);
    key_authorize_result_free(made);
}

static void a_record_of_another_name_is_a_mismatch(void **state)
{
    struct key_record record;
    struct key_request request;
    struct key_authorize_result *made = stored(&record);

    (void)state;
    in_photos(&alice, "GET", "/photos/dog.jpg", &request);
    key_fixture_open_item(&request, &photos, &record);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_MISMATCH);
    key_authorize_result_free(made);
}

static void a_swapped_vmac_or_key_is_a_mismatch(void **state)
{
    struct key_record record;
    struct key_record other;
    struct key_request request;
    struct key_authorize_result *made = stored(&record);
    struct key_authorize_result *made_too = stored(&other);

    (void)state;
    in_photos(&alice, "GET", "/photos/cat.jpg", &request);
    key_fixture_open_item(&request, &photos, &record);
    request.item.vmac = BYTES_ARRAY(other.vmac);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_MISMATCH);
    request.item.vmac = BYTES_ARRAY(record.vmac);
    request.item.key_ref = bytes_of(other.key_ref, other.key_ref_size);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_MISMATCH);
    request.item.key_ref = bytes_of(record.key_ref, record.key_ref_size);
    for (size_t i = 0; i < sizeof(record.record); i += 7) {
        record.record[i] ^= 1;
        assert_int_not_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_ALLOWED);
        record.record[i] ^= 1;
    }
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_ALLOWED);
    key_authorize_result_free(made);
    key_authorize_result_free(made_too);
}

static void open_is_refused_to_a_request_that_reads_nothing(void **state)
{
    struct key_record record;
    struct key_request request;
    struct key_authorize_result *made = stored(&record);

    (void)state;
    in_photos(&alice, "DELETE", "/photos/cat.jpg", &request);
    key_fixture_open_item(&request, &photos, &record);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_MISMATCH);
    in_photos(&alice, "GET", "/photos/cat.jpg", &request);
    request.item.operation = KEY_GENERATE;
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_UNSUPPORTED);
    key_authorize_result_free(made);
}

static void an_upload_opens_only_under_its_signed_id(void **state)
{
    struct id16 version;
    struct key_record record;
    struct key_request request;
    char query[128];
    char hex[33];

    (void)state;
    memset(version.bytes, 0x5c, ID16_SIZE);
    struct key_authorize_result *made = generate("/photos/big.bin");
    key_fixture_record(
        made, &photos, "big.bin", VERSION_OPEN_UPLOAD | VERSION_MULTIPART, &version, &record);
    hex_encode(id16_view(&version), hex);
    snprintf(query, sizeof(query), "partNumber=1&uploadId=%s", hex);
    struct key_sign sign = {.method = "PUT", .path = "/photos/big.bin", .query = query};
    key_fixture_sign(&alice, &sign, &request);
    key_fixture_open_item(&request, &photos, &record);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_ALLOWED);

    query[strlen(query) - 1] ^= 1;
    key_fixture_sign(&alice, &sign, &request);
    key_fixture_open_item(&request, &photos, &record);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_MISMATCH);

    in_photos(&alice, "GET", "/photos/big.bin", &request);
    key_fixture_open_item(&request, &photos, &record);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_MISMATCH);
    key_authorize_result_free(made);
}

static void a_copy_opens_its_signed_source(void **state)
{
    struct key_record record;
    struct key_request request;
    struct key_authorize_result *made = stored(&record);
    struct key_sign sign = {
        .method = "PUT", .path = "/photos/copy.jpg", .copy_source = "/photos/cat.jpg"};

    (void)state;
    key_fixture_sign(&alice, &sign, &request);
    key_fixture_open_item(&request, &photos, &record);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_ALLOWED);
    sign.copy_source = "/photos/dog.jpg";
    key_fixture_sign(&alice, &sign, &request);
    key_fixture_open_item(&request, &photos, &record);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_MISMATCH);
    key_authorize_result_free(made);
}

static void a_copy_to_another_bucket_only_reads_the_source(void **state)
{
    struct key_record record;
    struct key_request request;
    struct key_authorize_result *opened = NULL;
    struct id16 backup = key_fixture_bucket(&frontend, &alice, "backup");
    struct key_authorize_result *made = stored(&record);
    struct key_sign sign = {
        .method = "PUT", .path = "/backup/cat.jpg", .copy_source = "/photos/cat.jpg"};

    (void)state;
    key_fixture_sign(&alice, &sign, &request);
    key_fixture_open_item(&request, &photos, &record);
    assert_int_equal(key_fixture_authorize(&frontend, &request, &opened), KEY_ALLOWED);
    assert_int_equal(opened->rights, GRANT_READ);
    key_authorize_result_free(opened);
    request.item.operation = KEY_GENERATE;
    request.item.bucket = backup;
    assert_int_equal(key_fixture_authorize(&frontend, &request, &opened), KEY_ALLOWED);
    assert_int_equal(opened->rights, GRANT_READ | GRANT_WRITE);
    key_authorize_result_free(opened);
    key_authorize_result_free(made);
}

/* The frontend has to find the source's row before it can ask to open it. */
static void a_copy_gets_a_grant_to_find_its_source(void **state)
{
    struct key_request request;
    struct key_authorize_result *proved = NULL;
    struct id16 copies = key_fixture_bucket(&frontend, &alice, "copies");
    struct key_sign sign = {
        .method = "PUT", .path = "/copies/cat.jpg", .copy_source = "/photos/cat.jpg"};

    (void)state;
    key_fixture_sign(&alice, &sign, &request);
    request.item.has_bucket = true;
    request.item.bucket = photos;
    assert_int_equal(key_fixture_authorize(&frontend, &request, &proved), KEY_ALLOWED);
    assert_int_equal(proved->rights, GRANT_READ);
    key_authorize_result_free(proved);
    request.item.bucket = copies;
    assert_int_equal(key_fixture_authorize(&frontend, &request, &proved), KEY_ALLOWED);
    assert_int_equal(proved->rights, GRANT_READ | GRANT_WRITE);
    key_authorize_result_free(proved);

    request.item.bucket = photos;
    request.item.operation = KEY_GENERATE; /* Nothing is made in the source's bucket. */
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_NO_SUCH_BUCKET);

    sign.copy_source = NULL;
    key_fixture_sign(&alice, &sign, &request);
    request.item.has_bucket = true;
    request.item.bucket = photos;
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_NO_SUCH_BUCKET);

    struct id16 theirs = key_fixture_bucket(&frontend, &mallory, "theirs");
    sign.copy_source = "/theirs/cat.jpg";
    key_fixture_sign(&alice, &sign, &request);
    request.item.has_bucket = true;
    request.item.bucket = theirs;
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_FORBIDDEN);
}

static void a_wrong_signature_is_told_from_an_unknown_key(void **state)
{
    struct key_request request;
    struct key_user nobody = alice;

    (void)state;
    in_photos(&alice, "GET", "/photos/cat.jpg", &request);
    request.item.signature[31] ^= 1;
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_BAD_SIGNATURE);
    nobody.access_key[0] ^= 1;
    in_photos(&nobody, "GET", "/photos/cat.jpg", &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_UNKNOWN_KEY);
}

static void a_date_out_of_the_window_is_skewed(void **state)
{
    struct key_request request;
    struct key_sign sign = {.method = "GET", .path = "/", .age_s = 16 * 60};

    (void)state;
    key_fixture_sign(&alice, &sign, &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_SKEWED);
    sign.age_s = -16 * 60;
    key_fixture_sign(&alice, &sign, &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_SKEWED);
    sign.age_s = 14 * 60;
    key_fixture_sign(&alice, &sign, &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_ALLOWED);
}

static void a_presigned_request_has_its_own_window(void **state)
{
    struct key_request request;
    struct key_sign sign = {
        .method = "GET", .path = "/photos/cat.jpg", .age_s = 3600, .expires_s = 7200};

    (void)state;
    key_fixture_sign(&alice, &sign, &request);
    request.item.has_bucket = true;
    request.item.bucket = photos;
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_ALLOWED);
    request.item.presigned_expires_s = 7201; /* Not what was signed. */
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_MALFORMED);
    sign.expires_s = 3000;
    key_fixture_sign(&alice, &sign, &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_EXPIRED);
    sign.expires_s = 8 * 24 * 3600;
    key_fixture_sign(&alice, &sign, &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_MALFORMED);
}

static void a_canonical_request_that_is_none_is_malformed(void **state)
{
    struct key_request request;

    (void)state;
    in_photos(&alice, "GET", "/photos/cat.jpg", &request);
    request.item.canonical_request = bytes_text("GET\n/photos\n\n");
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_MALFORMED);
    in_photos(&alice, "GET", "/photos/cat.jpg", &request);
    request.date[15] = 'X';
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_MALFORMED);
}

static void another_tenant_is_forbidden(void **state)
{
    struct key_record record;
    struct key_request request;
    struct key_authorize_result *made = stored(&record);

    (void)state;
    in_photos(&mallory, "GET", "/photos/cat.jpg", &request);
    key_fixture_open_item(&request, &photos, &record);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_FORBIDDEN);
    request.item.operation = KEY_PROVE;
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_FORBIDDEN);
    key_authorize_result_free(made);
}

static void name_and_id_that_do_not_belong_together_are_no_bucket(void **state)
{
    struct key_request request;

    (void)state;
    in_photos(&alice, "GET", "/backup/cat.jpg", &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_NO_SUCH_BUCKET);
    in_photos(&alice, "GET", "/photos/cat.jpg", &request);
    request.item.bucket.bytes[3] ^= 1;
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_NO_SUCH_BUCKET);
    /* A signature comes first. */
    request.item.signature[0] ^= 1;
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_BAD_SIGNATURE);
}

static void a_policy_bounds_what_a_user_may(void **state)
{
    struct key_request request;

    (void)state;
    in_photos(&reader, "GET", "/photos/public/cat.jpg", &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_ALLOWED);
    in_photos(&reader, "GET", "/photos/private.jpg", &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_FORBIDDEN);
    in_photos(&reader, "PUT", "/photos/public/cat.jpg", &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_FORBIDDEN);
    in_photos(&reader, "GET", "/photos", &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_FORBIDDEN);
    in_photos(&reader, "GET", "/", &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_FORBIDDEN);
}

static void a_request_without_a_bucket_is_proved_only(void **state)
{
    struct key_request request;
    struct key_authorize_result *result = NULL;

    (void)state;
    key_fixture_sign(&alice, &(struct key_sign){.method = "GET", .path = "/nowhere/x"}, &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, &result), KEY_ALLOWED);
    assert_false(result->has_grant);
    assert_int_equal(result->handle_size, 0);
    assert_null(result->attribute_key);
    key_authorize_result_free(result);
    key_fixture_sign(&alice, &(struct key_sign){.method = "GET", .path = "/"}, &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, &result), KEY_ALLOWED);
    assert_true(result->has_grant);
    assert_int_equal(result->rights, GRANT_LIST_BUCKETS);
    key_authorize_result_free(result);
}

static void a_bucket_is_created_resumed_and_dropped(void **state)
{
    struct key_request request;
    struct key_authorize_result *first = NULL;
    struct key_authorize_result *again = NULL;
    struct key_sign sign = {.method = "PUT", .path = "/fresh-one"};
    int64_t deadline_ms = clock_monotonic_ms() + 10000;

    (void)state;
    key_fixture_sign(&alice, &sign, &request);
    request.item.operation = KEY_CREATE_BUCKET;
    assert_int_equal(key_fixture_authorize(&frontend, &request, &first), KEY_ALLOWED);
    assert_int_equal(first->rights, GRANT_READ | GRANT_WRITE | GRANT_ADMIN);
    struct id16 bucket = first->bucket;
    /* Nothing works in it yet; the same id comes back to who asks with it. */
    struct key_request get;
    key_fixture_sign(&alice, &(struct key_sign){.method = "GET", .path = "/fresh-one/x"}, &get);
    get.item.has_bucket = true;
    get.item.bucket = bucket;
    assert_int_equal(key_fixture_authorize(&frontend, &get, NULL), KEY_NO_SUCH_BUCKET);
    request.item.has_bucket = true;
    request.item.bucket = bucket;
    assert_int_equal(key_fixture_authorize(&frontend, &request, &again), KEY_ALLOWED);
    assert_true(id16_equal(&again->bucket, &bucket));
    struct bytes handle = bytes_of(again->handle, again->handle_size);
    assert_ok(key_client_activate_bucket(frontend.client, handle, &bucket, deadline_ms));
    assert_ok(key_client_activate_bucket(frontend.client, handle, &bucket, deadline_ms));
    assert_int_equal(key_fixture_authorize(&frontend, &get, NULL), KEY_ALLOWED);
    /* The creator's handle cannot drop it any more; a DeleteBucket request's can. */
    assert_status(
        key_client_drop_bucket(frontend.client, handle, &bucket, deadline_ms), STATUS_CONFLICT);
    key_authorize_result_free(first);
    key_authorize_result_free(again);
    sign.method = "DELETE";
    key_fixture_sign(&alice, &sign, &request);
    request.item.has_bucket = true;
    request.item.bucket = bucket;
    assert_int_equal(key_fixture_authorize(&frontend, &request, &again), KEY_ALLOWED);
    handle = bytes_of(again->handle, again->handle_size);
    assert_ok(key_client_drop_bucket(frontend.client, handle, &bucket, deadline_ms));
    assert_ok(key_client_drop_bucket(frontend.client, handle, &bucket, deadline_ms));
    assert_int_equal(key_fixture_authorize(&frontend, &get, NULL), KEY_NO_SUCH_BUCKET);
    key_authorize_result_free(again);
}

static void a_handle_renews_its_grant_and_is_nobody_elses(void **state)
{
    struct key_authorize_result *made = generate("/photos/slow.bin");
    struct key_peer thief;
    uint8_t grant[GRANT_SIZE];
    enum key_verdict verdict = KEY_REFUSED;
    int64_t deadline_ms = clock_monotonic_ms() + 10000;
    struct bytes handle = bytes_of(made->handle, made->handle_size);

    (void)state;
    assert_ok(key_client_renew_grant(frontend.client, handle, 3, deadline_ms, grant, &verdict));
    assert_int_equal(verdict, KEY_ALLOWED);
    key_fixture_connect(&fixture, "frontend", "f2", &thief);
    key_fixture_register(&fixture, &operator_peer, "frontend", "f2");
    struct key_request request;
    key_fixture_sign(&alice, &(struct key_sign){.method = "GET", .path = "/"}, &request);
    assert_int_equal(key_fixture_authorize(&thief, &request, NULL), KEY_ALLOWED);
    assert_ok(key_client_renew_grant(thief.client, handle, 3, deadline_ms, grant, &verdict));
    assert_int_equal(verdict, KEY_FORBIDDEN);
    for (size_t i = 0; i < made->handle_size; i += 5) {
        made->handle[i] ^= 4;
        assert_ok(key_client_renew_grant(frontend.client, handle, 3, deadline_ms, grant, &verdict));
        assert_int_not_equal(verdict, KEY_ALLOWED);
        made->handle[i] ^= 4;
    }
    key_fixture_disconnect(&thief);
    key_authorize_result_free(made);
}

static void chunk_signatures_are_verified_in_a_chain(void **state)
{
    struct key_request request;
    struct key_authorize_result *made = NULL;
    struct key_chunk_signature chunks[3];
    struct secret *secret = NULL;
    struct secret *key = NULL;
    uint8_t last[32];
    enum key_verdict verdict = KEY_REFUSED;
    int64_t deadline_ms = clock_monotonic_ms() + 10000;

    (void)state;
    in_photos(&alice, "PUT", "/photos/stream.bin", &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, &made), KEY_ALLOWED);
    assert_ok(secret_new_copy(bytes_text(alice.secret), &secret));
    assert_ok(sigv4_signing_key(
        secret, bytes_of(request.date, 8), bytes_text("eu-west-1"), bytes_text("s3"), &key));
    memcpy(last, request.item.signature, 32);
    for (int i = 0; i < 3; i++) {
        memset(chunks[i].sha256, i + 1, 32);
        assert_ok(sigv4_sign_chunk(
            key, request.item.date, request.item.scope, last, chunks[i].sha256,
            chunks[i].signature));
        memcpy(last, chunks[i].signature, 32);
    }
    uint8_t seed[32];
    memcpy(seed, request.item.signature, 32);
    struct bytes handle = bytes_of(made->handle, made->handle_size);
    assert_ok(key_client_verify_chunks(
        frontend.client, handle, request.item.date, request.item.scope, chunks, 3, deadline_ms,
        seed, &verdict));
    assert_int_equal(verdict, KEY_ALLOWED);
    assert_memory_equal(seed, last, 32);
    assert_ok(key_client_verify_chunks(
        frontend.client, handle, request.item.date, request.item.scope, chunks, 3, deadline_ms,
        seed, &verdict));
    assert_int_equal(verdict, KEY_BAD_SIGNATURE);
    secret_free(secret);
    secret_free(key);
    key_authorize_result_free(made);
}

static void a_disabled_user_stops_at_once(void **state)
{
    struct key_user user;
    struct key_request request;
    struct rpc_reply *reply = NULL;
    Triad__Key__DisableUserRequest disable;
    struct key_authorize_result *made = NULL;
    uint8_t grant[GRANT_SIZE];
    enum key_verdict verdict = KEY_REFUSED;

    (void)state;
    key_fixture_user(&operator_peer, "acme", admin_key, "temp", NULL, NULL, &user);
    in_photos(&user, "GET", "/photos/cat.jpg", &request);
    assert_int_equal(key_fixture_authorize(&frontend, &request, &made), KEY_ALLOWED);
    triad__key__disable_user_request__init(&disable);
    disable.tenant = strdup("acme");
    disable.admin_key = other_admin_key;
    disable.access_key = user.access_key;
    assert_status(
        key_fixture_identity(&operator_peer, "DisableUser", &disable, &reply), STATUS_DENIED);
    disable.admin_key = admin_key;
    assert_ok(key_fixture_identity(&operator_peer, "DisableUser", &disable, &reply));
    rpc_reply_free(reply);
    free(disable.tenant);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_UNKNOWN_KEY);
    assert_ok(key_client_renew_grant(
        frontend.client, bytes_of(made->handle, made->handle_size), 0, clock_monotonic_ms() + 5000,
        grant, &verdict));
    assert_int_not_equal(verdict, KEY_ALLOWED);
    key_authorize_result_free(made);
}

static void an_unregistered_certificate_gets_nothing(void **state)
{
    struct key_peer stranger;
    struct key_request request;
    struct key_authorize_result *result = NULL;
    struct status status = {.code = STATUS_UNAVAILABLE};

    (void)state;
    key_fixture_connect(&fixture, "frontend", "f9", &stranger);
    key_fixture_sign(&alice, &(struct key_sign){.method = "GET", .path = "/"}, &request);
    for (int i = 0; i < 50 && status.code == STATUS_UNAVAILABLE; i++) {
        status = key_client_authorize(
            stranger.client, &request.item, clock_monotonic_ms() + 3000, &result);
        clock_sleep_ms(20);
    }
    assert_int_equal(status.code, STATUS_DENIED);
    key_fixture_disconnect(&stranger);
}

static void a_caller_that_gives_up_leaves_nothing_behind(void **state)
{
    struct key_request request;

    (void)state;
    in_photos(&alice, "GET", "/photos/cat.jpg", &request);
    for (int i = 0; i < 300; i++) {
        struct key_authorize_result *result = NULL;
        struct status status = key_client_authorize(
            frontend.client, &request.item, clock_monotonic_ms() + i % 3, &result);
        assert_true(status_ok(status) || status.code == STATUS_TIMEOUT);
        key_authorize_result_free(result);
    }
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_ALLOWED);
}

static void nothing_is_released_that_cannot_be_recorded(void **state)
{
    struct key_record record;
    struct key_request request;
    struct key_authorize_result *made = stored(&record);
    struct key_authorize_result *result = NULL;

    (void)state;
    in_photos(&alice, "GET", "/photos/cat.jpg", &request);
    key_fixture_open_item(&request, &photos, &record);
    atomic_store(&write_fails, true);
    assert_int_equal(key_fixture_authorize(&frontend, &request, &result), KEY_FAILED);
    assert_null(result->object_key);
    assert_null(result->attribute_key);
    assert_false(result->has_grant);
    key_authorize_result_free(result);
    atomic_store(&write_fails, false);
    assert_int_equal(key_fixture_authorize(&frontend, &request, NULL), KEY_ALLOWED);
    key_authorize_result_free(made);
}

static void what_was_made_is_there_after_a_restart(void **state)
{
    struct key_record record;
    struct key_request request;
    struct key_authorize_result *opened = NULL;
    struct key_authorize_result *made = stored(&record);

    (void)state;
    key_fixture_disconnect(&frontend);
    key_fixture_disconnect(&operator_peer);
    key_fixture_restart(&fixture);
    key_fixture_connect(&fixture, "operator", "again", &operator_peer);
    key_fixture_connect(&fixture, "frontend", "f3", &frontend);
    key_fixture_register(&fixture, &operator_peer, "frontend", "f3");
    in_photos(&alice, "GET", "/photos/cat.jpg", &request);
    key_fixture_open_item(&request, &photos, &record);
    assert_int_equal(key_fixture_authorize(&frontend, &request, &opened), KEY_ALLOWED);
    assert_true(secret_equal(secret_bytes(opened->object_key), secret_bytes(made->object_key)));
    key_authorize_result_free(opened);
    key_authorize_result_free(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generate_gives_a_key_a_grant_and_a_handle),
        cmocka_unit_test(open_gives_the_key_that_was_made),
        cmocka_unit_test(a_record_of_another_name_is_a_mismatch),
        cmocka_unit_test(a_swapped_vmac_or_key_is_a_mismatch),
        cmocka_unit_test(open_is_refused_to_a_request_that_reads_nothing),
        cmocka_unit_test(an_upload_opens_only_under_its_signed_id),
        cmocka_unit_test(a_copy_opens_its_signed_source),
        cmocka_unit_test(a_copy_to_another_bucket_only_reads_the_source),
        cmocka_unit_test(a_copy_gets_a_grant_to_find_its_source),
        cmocka_unit_test(a_wrong_signature_is_told_from_an_unknown_key),
        cmocka_unit_test(a_date_out_of_the_window_is_skewed),
        cmocka_unit_test(a_presigned_request_has_its_own_window),
        cmocka_unit_test(a_canonical_request_that_is_none_is_malformed),
        cmocka_unit_test(another_tenant_is_forbidden),
        cmocka_unit_test(name_and_id_that_do_not_belong_together_are_no_bucket),
        cmocka_unit_test(a_policy_bounds_what_a_user_may),
        cmocka_unit_test(a_request_without_a_bucket_is_proved_only),
        cmocka_unit_test(a_bucket_is_created_resumed_and_dropped),
        cmocka_unit_test(a_handle_renews_its_grant_and_is_nobody_elses),
        cmocka_unit_test(chunk_signatures_are_verified_in_a_chain),
        cmocka_unit_test(a_disabled_user_stops_at_once),
        cmocka_unit_test(an_unregistered_certificate_gets_nothing),
        cmocka_unit_test(a_caller_that_gives_up_leaves_nothing_behind),
        cmocka_unit_test(nothing_is_released_that_cannot_be_recorded),
        cmocka_unit_test(what_was_made_is_there_after_a_restart),
    };
    return cmocka_run_group_tests_name("authorize", tests, setup, teardown);
}
