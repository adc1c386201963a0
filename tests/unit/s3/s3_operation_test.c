/* s3_operation: each verb, resource and subresource is one operation, and the rest is none. */

#include "lib/s3/s3_operation.h"

#include "tests/support/cmocka.h"

static void each_target_is_one_operation(void **state)
{
    static const struct {
        enum sigv4_verb verb;
        const char *bucket;
        const char *key;
        unsigned subresources;
        bool has_copy_source;
        enum s3_operation want;
    } CASES[] = {
        {SIGV4_GET, "", "", 0, false, S3_LIST_BUCKETS},
        {SIGV4_PUT, "", "", 0, false, S3_NOT_IMPLEMENTED},
        {SIGV4_GET, "b", "", 0, false, S3_LIST_OBJECTS},
        {SIGV4_GET, "b", "", SIGV4_SUB_LIST_TYPE, false, S3_LIST_OBJECTS_V2},
        {SIGV4_GET, "b", "", SIGV4_SUB_LOCATION, false, S3_GET_BUCKET_LOCATION},
        {SIGV4_GET, "b", "", SIGV4_SUB_VERSIONING, false, S3_GET_BUCKET_VERSIONING},
        {SIGV4_GET, "b", "", SIGV4_SUB_UPLOADS, false, S3_LIST_MULTIPART_UPLOADS},
        {SIGV4_GET, "b", "", SIGV4_SUB_UPLOADS | SIGV4_SUB_LOCATION, false, S3_NOT_IMPLEMENTED},
        {SIGV4_GET, "b", "", SIGV4_SUB_OTHER, false, S3_NOT_IMPLEMENTED},
        {SIGV4_HEAD, "b", "", 0, false, S3_HEAD_BUCKET},
        {SIGV4_PUT, "b", "", 0, false, S3_CREATE_BUCKET},
        {SIGV4_PUT, "b", "", SIGV4_SUB_VERSIONING, false, S3_NOT_IMPLEMENTED},
        {SIGV4_DELETE, "b", "", 0, false, S3_DELETE_BUCKET},
        {SIGV4_DELETE, "b", "", SIGV4_SUB_OTHER, false, S3_NOT_IMPLEMENTED},
        {SIGV4_POST, "b", "", SIGV4_SUB_DELETE, false, S3_DELETE_OBJECTS},
        {SIGV4_POST, "b", "", 0, false, S3_NOT_IMPLEMENTED},
        {SIGV4_GET, "b", "k", 0, false, S3_GET_OBJECT},
        {SIGV4_GET, "b", "k", SIGV4_SUB_VERSION_ID, false, S3_GET_OBJECT},
        {SIGV4_GET, "b", "k", SIGV4_SUB_PART_NUMBER, false, S3_GET_OBJECT},
        {SIGV4_GET, "b", "k", SIGV4_SUB_UPLOAD_ID, false, S3_LIST_PARTS},
        {SIGV4_GET, "b", "k", SIGV4_SUB_OTHER, false, S3_NOT_IMPLEMENTED},
        {SIGV4_HEAD, "b", "k", 0, false, S3_HEAD_OBJECT},
        {SIGV4_PUT, "b", "k", 0, false, S3_PUT_OBJECT},
        {SIGV4_PUT, "b", "k", 0, true, S3_COPY_OBJECT},
        {SIGV4_PUT, "b", "k", SIGV4_SUB_UPLOAD_ID | SIGV4_SUB_PART_NUMBER, false, S3_UPLOAD_PART},
        {SIGV4_PUT, "b", "k", SIGV4_SUB_UPLOAD_ID | SIGV4_SUB_PART_NUMBER, true,
         S3_UPLOAD_PART_COPY},
        {SIGV4_PUT, "b", "k", SIGV4_SUB_UPLOAD_ID, false, S3_NOT_IMPLEMENTED},
        {SIGV4_PUT, "b", "k", SIGV4_SUB_VERSION_ID, false, S3_NOT_IMPLEMENTED},
        {SIGV4_POST, "b", "k", SIGV4_SUB_UPLOADS, false, S3_CREATE_MULTIPART_UPLOAD},
        {SIGV4_POST, "b", "k", SIGV4_SUB_UPLOAD_ID, false, S3_COMPLETE_MULTIPART_UPLOAD},
        {SIGV4_POST, "b", "k", 0, false, S3_NOT_IMPLEMENTED},
        {SIGV4_DELETE, "b", "k", 0, false, S3_DELETE_OBJECT},
        {SIGV4_DELETE, "b", "k", SIGV4_SUB_VERSION_ID, false, S3_DELETE_OBJECT},
        {SIGV4_DELETE, "b", "k", SIGV4_SUB_UPLOAD_ID, false, S3_ABORT_MULTIPART_UPLOAD},
        {SIGV4_DELETE, "b", "k", SIGV4_SUB_OTHER, false, S3_NOT_IMPLEMENTED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct sigv4_target target = {
            .verb = CASES[i].verb,
            .bucket = bytes_text(CASES[i].bucket),
            .key = bytes_text(CASES[i].key),
            .subresources = CASES[i].subresources,
            .has_copy_source = CASES[i].has_copy_source,
        };
        enum s3_operation got = s3_operation_of(&target);
        if (got != CASES[i].want) {
            fail_msg("case %zu: %s", i, s3_operation_name(got));
        }
    }
}

static void operations_have_names_and_actions(void **state)
{
    (void)state;
    assert_string_equal(s3_operation_name(S3_PUT_OBJECT), "PUT_OBJECT");
    assert_string_equal(s3_operation_action(S3_UPLOAD_PART), "s3:PutObject");
    assert_string_equal(s3_operation_action(S3_NOT_IMPLEMENTED), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_target_is_one_operation),
        cmocka_unit_test(operations_have_names_and_actions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
