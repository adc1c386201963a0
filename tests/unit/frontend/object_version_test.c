/* What a version says holds together under its keys, and what clients are told is what S3 says. */

#include "frontend/object_version.h"

#include "frontend/access.h"
#include "frontend/object_open.h"
#include "lib/crypto/digest.h"
#include "tests/support/cmocka.h"

static void a_version_verifies_and_unmasks(void **state)
{
    (void)state;
    OWNED(secret) struct secret *object_key = NULL;
    OWNED(secret) struct secret *attribute_key = NULL;
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &object_key));
    assert_ok(secret_new_random(SECRET_KEY_SIZE, &attribute_key));
    struct id16 tenant = {{1}};
    struct id16 bucket = {{2}};
    struct id16 data = {{3}};
    struct content content = content_of(5, 6);
    uint8_t etag[16] = {0xab, 0xcd};
    struct attribute attributes[] = {
        {bytes_text("x-amz-meta-b"), bytes_text("2")},
        {bytes_text("content-type"), bytes_text("text/plain")},
    };
    struct object_version_options options = {
        .tenant = &tenant,
        .bucket = &bucket,
        .attribute_key = attribute_key,
        .object_key = object_key,
        .data = &data,
        .key = bytes_text("photos/cat.jpg"),
        .content = &content,
        .size = 12345,
        .chunks = 1,
        .etag = etag,
        .attributes = attributes,
        .attribute_count = 2,
    };
    OBJECT_VERSION(version);
    assert_ok(object_version_make(&options, &version));
    struct version_record record;
    struct bytes encoded = BYTES_ARRAY(version.encoded);
    assert_ok(version_record_decode(encoded, &record));
    assert_ok(version_record_verify(object_key, &data, encoded, BYTES_ARRAY(version.vmac)));
    assert_int_equal(record.size, 12345);
    assert_memory_not_equal(record.etag, etag, sizeof(etag)); /* Only who has AK knows the MD5. */
    assert_ok(etag_mask(attribute_key, &bucket, &record.version, record.etag));
    assert_memory_equal(record.etag, etag, sizeof(etag));
    uint8_t hash[32];
    struct bytes sealed = buffer_bytes(&version.attributes);
    assert_ok(digest_sha256(&sealed, 1, hash));
    assert_memory_equal(record.attr_sha256, hash, sizeof(hash));
}

static void etags_are_hex_with_the_number_of_parts(void **state)
{
    (void)state;
    const uint8_t etag[16] = {0xd4, 0x1d, 0x8c, 0xd9, 0x8f, 0x00, 0xb2, 0x04,
                              0xe9, 0x80, 0x09, 0x98, 0xec, 0xf8, 0x42, 0x7e};
    char text[OBJECT_ETAG_MAX];
    object_open_etag_text(etag, 0, text);
    assert_string_equal(text, "d41d8cd98f00b204e9800998ecf8427e");
    object_open_etag_text(etag, 10000, text);
    assert_string_equal(text, "d41d8cd98f00b204e9800998ecf8427e-10000");
}

static void verdicts_become_s3_errors(void **state)
{
    (void)state;
    assert_int_equal(access_error_of_verdict(KEY_ALLOWED), S3_ERROR_NONE);
    assert_int_equal(access_error_of_verdict(KEY_UNKNOWN_KEY), S3_ERROR_INVALID_ACCESS_KEY);
    assert_int_equal(access_error_of_verdict(KEY_BAD_SIGNATURE), S3_ERROR_SIGNATURE_MISMATCH);
    assert_int_equal(access_error_of_verdict(KEY_SKEWED), S3_ERROR_REQUEST_TIME_SKEWED);
    assert_int_equal(access_error_of_verdict(KEY_FORBIDDEN), S3_ERROR_ACCESS_DENIED);
    assert_int_equal(access_error_of_verdict(KEY_REFUSED), S3_ERROR_ACCESS_DENIED);
    assert_int_equal(access_error_of_verdict(KEY_NO_SUCH_BUCKET), S3_ERROR_NO_SUCH_BUCKET);
    assert_int_equal(access_error_of_verdict(KEY_BUSY), S3_ERROR_SLOW_DOWN);
    assert_int_equal(access_error_of_verdict(KEY_FAILED), S3_ERROR_SERVICE_UNAVAILABLE);
}

static void outcomes_become_s3_errors(void **state)
{
    (void)state;
    assert_int_equal(frontend_error_of_outcome(TRIAD__CONTENT__OUTCOME__DONE), S3_ERROR_NONE);
    assert_int_equal(
        frontend_error_of_outcome(TRIAD__CONTENT__OUTCOME__NOT_FOUND), S3_ERROR_NO_SUCH_KEY);
    assert_int_equal(
        frontend_error_of_outcome(TRIAD__CONTENT__OUTCOME__EXISTS), S3_ERROR_PRECONDITION_FAILED);
    assert_int_equal(
        frontend_error_of_outcome(TRIAD__CONTENT__OUTCOME__LEASE_CLOSED),
        S3_ERROR_SERVICE_UNAVAILABLE);
    assert_int_equal(
        frontend_error_of_outcome(TRIAD__CONTENT__OUTCOME__PART_TOO_SMALL),
        S3_ERROR_ENTITY_TOO_SMALL);
    assert_int_equal(
        frontend_error_of_outcome(TRIAD__CONTENT__OUTCOME__INVALID), S3_ERROR_INTERNAL_ERROR);
}

/* What a peer refuses us is not the client's fault. */
static void failures_inside_are_not_the_clients(void **state)
{
    (void)state;
    struct frontend_call call = {.error = S3_ERROR_NONE};
    assert_int_equal(frontend_error(&call, FAIL(DENIED, "x")), S3_ERROR_SERVICE_UNAVAILABLE);
    assert_int_equal(frontend_error(&call, FAIL(INVALID, "x")), S3_ERROR_INTERNAL_ERROR);
    assert_int_equal(frontend_error(&call, FAIL(BUSY, "x")), S3_ERROR_SLOW_DOWN);
    assert_int_equal(frontend_error(&call, FAIL(TIMEOUT, "x")), S3_ERROR_SERVICE_UNAVAILABLE);
    struct status refused = frontend_refuse(&call, S3_ERROR_BAD_DIGEST, FAIL(INVALID, "x"));
    assert_int_equal(frontend_error(&call, refused), S3_ERROR_BAD_DIGEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_verifies_and_unmasks),
        cmocka_unit_test(etags_are_hex_with_the_number_of_parts),
        cmocka_unit_test(verdicts_become_s3_errors),
        cmocka_unit_test(outcomes_become_s3_errors),
        cmocka_unit_test(failures_inside_are_not_the_clients),
    };
    return cmocka_run_group_tests_name("object_version", tests, NULL, NULL);
}
