/*
 * sigv4: the signatures that AWS publishes for S3, and nothing but a whole authorization is taken.
 */

#include "lib/s3/sigv4.h"

#include "lib/crypto/digest.h"
#include "lib/s3/canonical_request.h"
#include "tests/support/vector.h"

static const char SECRET[] = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
static const char STAMP[] = "20130524T000000Z";
static const char SCOPE[] = "20130524/us-east-1/s3/aws4_request";
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HOST "host:examplebucket.s3.amazonaws.com\n"

static void aws_key(struct secret **ret_key)
{
    OWNED(secret) struct secret *secret = vector_secret(bytes_text(SECRET));
    assert_ok(sigv4_signing_key(
        secret, bytes_text("20130524"), bytes_text("us-east-1"), bytes_text("s3"), ret_key));
}

static void published_requests_have_their_signatures(void **state)
{
    static const char *const CASES[][2] = {
        {"GET\n/test.txt\n\n" HOST "range:bytes=0-9\nx-amz-content-sha256:" EMPTY
         "\nx-amz-date:20130524T000000Z\n\nhost;range;x-amz-content-sha256;x-amz-date\n" EMPTY,
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
        {"PUT\n/test%24file.text\n\ndate:Fri, 24 May 2013 00:00:00 GMT\n" HOST
         "x-amz-content-sha256:"
         "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\n"
         "x-amz-date:20130524T000000Z\nx-amz-storage-class:REDUCED_REDUNDANCY\n\n"
         "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class\n"
         "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
        {"GET\n/\nlifecycle=\n" HOST "x-amz-content-sha256:" EMPTY
         "\nx-amz-date:20130524T000000Z\n\nhost;x-amz-content-sha256;x-amz-date\n" EMPTY,
         "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
        {"GET\n/\nmax-keys=2&prefix=J\n" HOST "x-amz-content-sha256:" EMPTY
         "\nx-amz-date:20130524T000000Z\n\nhost;x-amz-content-sha256;x-amz-date\n" EMPTY,
         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
        {"GET\n/test.txt\nX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
         "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date="
         "20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\n" HOST
         "\nhost\nUNSIGNED-PAYLOAD",
         "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"},
    };
    OWNED(secret) struct secret *key = NULL;
    (void)state;
    aws_key(&key);
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        uint8_t signature[SIGV4_SIGNATURE_SIZE];
        assert_ok(sigv4_sign(
            key, bytes_text(STAMP), bytes_text(SCOPE), bytes_text(CASES[i][0]), signature));
        vector_check(BYTES_ARRAY(signature), CASES[i][1]);
    }
}

static void sign_as(struct secret *key, uint8_t previous[32], size_t size, const char *want)
{
    static uint8_t data[65536];
    uint8_t sha256[32];
    memset(data, 'a', sizeof(data));
    struct bytes bytes = bytes_of(data, size);
    assert_ok(digest_sha256(&bytes, 1, sha256));
    assert_ok(
        sigv4_sign_chunk(key, bytes_text(STAMP), bytes_text(SCOPE), previous, sha256, previous));
    vector_check(bytes_of(previous, 32), want);
}

static void published_chunks_have_their_signatures(void **state)
{
    OWNED(secret) struct secret *key = NULL;
    (void)state;
    aws_key(&key);
    VECTOR(seed, "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    uint8_t last[32];
    memcpy(last, seed.data, sizeof(last));
    sign_as(key, last, 65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
    sign_as(key, last, 1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497");
    sign_as(key, last, 0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
}

static void published_trailer_has_its_signature(void **state)
{
    OWNED(secret) struct secret *key = NULL;
    (void)state;
    aws_key(&key);
    VECTOR(last, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992");
    uint8_t sha256[32];
    uint8_t signature[32];
    struct bytes trailer = bytes_text("x-amz-checksum-crc32c:sOO8/Q==\n");
    assert_ok(digest_sha256(&trailer, 1, sha256));
    assert_ok(sigv4_sign_trailer(
        key, bytes_text(STAMP), bytes_text(SCOPE), last.data, sha256, signature));
    vector_check(
        BYTES_ARRAY(signature), "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435");
}

/* Made by botocore 1.29 (S3SigV4Auth) for another key, region and time. */
static void botocore_signs_the_same(void **state)
{
    static const char CANONICAL[] =
        "PUT\n/my-bucket/dir%20a/%C3%BCber%2Bplus%25~.txt\npartNumber=3&uploadId=abc.def\n"
        "content-type:text/plain\nhost:localhost:9000\n"
        "x-amz-content-sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n"
        "x-amz-date:20261124T172610Z\nx-amz-meta-note:two spaces\n\n"
        "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-note\n"
        "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    OWNED(secret) struct secret *secret = vector_secret(bytes_text("s3cr3t/with+odd=chars"));
    OWNED(secret) struct secret *key = NULL;
    uint8_t signature[32];
    (void)state;
    assert_ok(sigv4_signing_key(
        secret, bytes_text("20261124"), bytes_text("eu-central-1"), bytes_text("s3"), &key));
    assert_ok(sigv4_sign(
        key, bytes_text("20261124T172610Z"), bytes_text("20261124/eu-central-1/s3/aws4_request"),
        bytes_text(CANONICAL), signature));
    vector_check(
        BYTES_ARRAY(signature), "dddab4db344d098ec8617c0e98f9503d956ed887a7f521f6def7d819ab8e66f5");
}

#define CREDENTIAL "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
#define SIGNED "SignedHeaders=host;x-amz-date"
#define SIGNATURE "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"

static void header_is_taken_apart(void **state)
{
    static const char *const CASES[] = {
        "AWS4-HMAC-SHA256 " CREDENTIAL ", " SIGNED ", " SIGNATURE,
        "AWS4-HMAC-SHA256 " CREDENTIAL "," SIGNED "," SIGNATURE,
        "AWS4-HMAC-SHA256   " SIGNATURE " , " SIGNED "," CREDENTIAL,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        struct sigv4_authorization got;
        assert_ok(sigv4_parse_header(bytes_text(CASES[i]), bytes_text(STAMP), &got));
        assert_true(bytes_equal(got.access_key, bytes_text("AKIAIOSFODNN7EXAMPLE")));
        assert_true(bytes_equal(got.scope, bytes_text(SCOPE)));
        assert_true(bytes_equal(got.region, bytes_text("us-east-1")));
        assert_true(bytes_equal(got.signed_headers, bytes_text("host;x-amz-date")));
        assert_int_equal(got.time_s, 1369353600);
        assert_int_equal(got.signature[0], 0xf0);
        assert_false(got.is_presigned);
    }
}

static void header_that_is_not_whole_is_refused(void **state)
{
    static const char *const CASES[] = {
        "",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 " CREDENTIAL ", " SIGNED,
        "AWS4-HMAC-SHA256 " CREDENTIAL ", " SIGNED ", " SIGNATURE ", " SIGNATURE,
        "AWS4-HMAC-SHA256 " CREDENTIAL ", " SIGNED ", " SIGNATURE ", X=1",
        "AWS4-HMAC-SHA256 " CREDENTIAL ", " SIGNED ", " SIGNATURE "00",
        "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=x-amz-date, " SIGNATURE,
        "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=x-amz-date;host, " SIGNATURE,
        "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;host, " SIGNATURE,
        "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=Host, " SIGNATURE,
        "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;, " SIGNATURE,
        "AWS4-HMAC-SHA256 Credential=A/20130524/us-east-1/sts/aws4_request, " SIGNED ", " SIGNATURE,
        "AWS4-HMAC-SHA256 Credential=/20130524/us-east-1/s3/aws4_request, " SIGNED ", " SIGNATURE,
        "AWS4-HMAC-SHA256 Credential=A/20130523/us-east-1/s3/aws4_request, " SIGNED ", " SIGNATURE,
        "AWS4-HMAC-SHA256 Credential=A/20130524//s3/aws4_request, " SIGNED ", " SIGNATURE,
        "AWS4-HMAC-SHA256 Credential=A/20130524/a/b/s3/aws4_request, " SIGNED ", " SIGNATURE,
    };
    struct sigv4_authorization got;
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        assert_status(
            sigv4_parse_header(bytes_text(CASES[i]), bytes_text(STAMP), &got), STATUS_INVALID);
    }
    assert_status(
        sigv4_parse_header(bytes_text("AWS AKIA:abc="), bytes_text(STAMP), &got),
        STATUS_UNSUPPORTED);
    assert_status(
        sigv4_parse_header(bytes_text(CASES[3]), bytes_text("yesterday"), &got), STATUS_INVALID);
}

static const char PRESIGNED[] =
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=TRIADKEY0001%2F20261124%2Feu-central-1"
    "%2Fs3%2Faws4_request&X-Amz-Date=20261124T172610Z&X-Amz-Expires=3600&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=223601ca38e42ff17040b87a6b227211f8a42599cc99eecd78c9ee9fa4bc1a4d";

static void presigned_query_is_taken_apart(void **state)
{
    struct sigv4_pair pairs[SIGV4_PARAMETERS_MAX];
    struct sigv4_authorization got;
    size_t count;
    (void)state;
    ARENA(arena, 65536);
    assert_ok(canonical_request_query(&arena, bytes_text(PRESIGNED), pairs, 64, &count));
    assert_int_equal(count, 6);
    assert_ok(sigv4_parse_query(pairs, count, &got));
    assert_true(got.is_presigned);
    assert_int_equal(got.expires_s, 3600);
    assert_true(bytes_equal(got.access_key, bytes_text("TRIADKEY0001")));
    /* Any of the six missing, or one twice, is refused. */
    for (size_t i = 0; i < count; i++) {
        struct sigv4_pair fewer[8];
        memcpy(fewer, pairs, count * sizeof(*pairs));
        fewer[i] = fewer[count - 1];
        if (i + 1 < count) {
            assert_status(sigv4_parse_query(fewer, count, &got), STATUS_INVALID);
        }
        assert_true(i + 1 == count || !status_ok(sigv4_parse_query(fewer, count - 1, &got)));
    }
    pairs[3].value = bytes_text("604801");
    assert_status(sigv4_parse_query(pairs, count, &got), STATUS_INVALID);
    pairs[3].value = bytes_text("0");
    assert_status(sigv4_parse_query(pairs, count, &got), STATUS_INVALID);
}

static void time_has_a_window(void **state)
{
    (void)state;
    assert_ok(sigv4_check_time(1000000, 0, 1000900));
    assert_ok(sigv4_check_time(1000000, 0, 999100));
    assert_status(sigv4_check_time(1000000, 0, 1000901), STATUS_DENIED);
    assert_status(sigv4_check_time(1000000, 0, 999099), STATUS_DENIED);
    assert_ok(sigv4_check_time(1000000, 5000, 1005000));
    assert_status(sigv4_check_time(1000000, 5000, 1005001), STATUS_DENIED);
    assert_status(sigv4_check_time(1000000, 60, 1000061), STATUS_DENIED);
}

static void equal_compares_all_bytes(void **state)
{
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};
    (void)state;
    assert_true(sigv4_equal(a, b));
    b[31] = 1;
    assert_false(sigv4_equal(a, b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_requests_have_their_signatures),
        cmocka_unit_test(published_chunks_have_their_signatures),
        cmocka_unit_test(published_trailer_has_its_signature),
        cmocka_unit_test(botocore_signs_the_same),
        cmocka_unit_test(header_is_taken_apart),
        cmocka_unit_test(header_that_is_not_whole_is_refused),
        cmocka_unit_test(presigned_query_is_taken_apart),
        cmocka_unit_test(time_has_a_window),
        cmocka_unit_test(equal_compares_all_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
