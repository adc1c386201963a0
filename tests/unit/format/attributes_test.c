/* Attributes open only for their bucket, version and key, sorted; an ETag mask is its own inverse.
 */

#include "lib/format/attributes.h"

#include "tests/support/vector.h"

#include <stdio.h>

struct fixture {
    struct secret *key;
    struct id16 tenant;
    struct id16 bucket;
    struct id16 version;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture.key = vector_key(0x60, 32);
    memset(fixture.tenant.bytes, 0x11, ID16_SIZE);
    memset(fixture.bucket.bytes, 0x22, ID16_SIZE);
    memset(fixture.version.bytes, 0x44, ID16_SIZE);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    secret_free(f->key);
    return 0;
}

static struct attribute make_attribute(const char *name, const char *value)
{
    return (struct attribute){.name = bytes_text(name), .value = bytes_text(value)};
}

static struct status open_blob(
    const struct fixture *f, struct bytes sealed, struct arena *arena, struct attribute **ret,
    size_t *ret_count)
{
    return attributes_open(
        f->key, &f->tenant, &f->bucket, &f->version, sealed, arena, ret, ret_count);
}

static void check_text(struct bytes got, const char *want)
{
    assert_true(bytes_equal(got, bytes_text(want)));
}

/* Answer of tests/support/known_answers.py. */
static void known_answer_opens(void **state)
{
    struct fixture *f = *state;
    ARENA(arena, 65536);
    VECTOR(
        sealed, "101112131415161718191a1b1c1d1e1f303132333435363738393a3b"
                "9283dbe0d469d85a6eab08709bc57b33b36a9b5c72f9dadfc81e46bfeff0783a"
                "bbef62a41f512a96a2e052396464953b94ffddcaff0d8b1e0aa6");
    struct attribute *attributes = NULL;
    size_t count = 0;
    assert_ok(open_blob(f, sealed, &arena, &attributes, &count));
    assert_int_equal(count, 2);
    check_text(attributes[0].name, "content-type");
    check_text(attributes[0].value, "image/jpeg");
    check_text(attributes[1].name, "x-amz-meta-a");
    check_text(attributes[1].value, "");
}

static void sealed_attributes_come_back_sorted(void **state)
{
    struct fixture *f = *state;
    ARENA(arena, 65536);
    BUFFER(sealed, ATTRIBUTES_MAX);
    BUFFER(second, ATTRIBUTES_MAX);
    struct attribute list[] = {
        make_attribute("md5", "2"), make_attribute("b", "3"), make_attribute("a", "1")};
    struct attribute *attributes = NULL;
    size_t count = 0;
    assert_ok(attributes_seal(f->key, &f->tenant, &f->bucket, &f->version, list, 3, &sealed));
    assert_ok(attributes_seal(f->key, &f->tenant, &f->bucket, &f->version, list, 3, &second));
    assert_false(bytes_equal(buffer_bytes(&sealed), buffer_bytes(&second)));
    assert_ok(open_blob(f, buffer_bytes(&sealed), &arena, &attributes, &count));
    assert_int_equal(count, 3);
    check_text(attributes[0].name, "a");
    check_text(attributes[1].name, "b");
    check_text(attributes[2].name, "md5");
    check_text(attributes[2].value, "2");
}

static void an_empty_list_is_an_empty_blob(void **state)
{
    struct fixture *f = *state;
    ARENA(arena, 65536);
    BUFFER(sealed, ATTRIBUTES_MAX);
    struct attribute none[1];
    struct attribute *attributes = none;
    size_t count = 9;
    assert_ok(attributes_seal(f->key, &f->tenant, &f->bucket, &f->version, none, 0, &sealed));
    assert_int_equal(sealed.size, 0);
    assert_ok(open_blob(f, buffer_bytes(&sealed), &arena, &attributes, &count));
    assert_int_equal(count, 0);
}

static void any_flipped_bit_and_other_places_are_refused(void **state)
{
    struct fixture *f = *state;
    BUFFER(sealed, ATTRIBUTES_MAX);
    struct attribute list[] = {make_attribute("content-type", "text/plain")};
    struct attribute *attributes = NULL;
    size_t count = 0;
    assert_ok(attributes_seal(f->key, &f->tenant, &f->bucket, &f->version, list, 1, &sealed));
    for (size_t i = 0; i < 8 * sealed.size; i++) {
        ARENA(arena, 65536);
        sealed.data[i / 8] ^= (uint8_t)(1U << i % 8);
        assert_status(
            open_blob(f, buffer_bytes(&sealed), &arena, &attributes, &count), STATUS_CORRUPT);
        sealed.data[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    for (size_t size = 1; size < sealed.size; size++) {
        ARENA(arena, 65536);
        assert_status(
            open_blob(f, bytes_of(sealed.data, size), &arena, &attributes, &count), STATUS_CORRUPT);
    }
    struct id16 *places[] = {&f->tenant, &f->bucket, &f->version};
    for (size_t i = 0; i < 3; i++) {
        ARENA(arena, 65536);
        places[i]->bytes[3] ^= 1;
        assert_status(
            open_blob(f, buffer_bytes(&sealed), &arena, &attributes, &count), STATUS_CORRUPT);
        places[i]->bytes[3] ^= 1;
    }
}

static void doubles_unnamed_and_too_many_are_refused(void **state)
{
    struct fixture *f = *state;
    BUFFER(sealed, ATTRIBUTES_MAX);
    static uint8_t large[ATTRIBUTES_MAX];
    static char names[ATTRIBUTE_COUNT_MAX + 1][8];
    static struct attribute many[ATTRIBUTE_COUNT_MAX + 1];
    struct attribute twice[] = {make_attribute("a", "1"), make_attribute("a", "2")};
    struct attribute unnamed[] = {make_attribute("", "1")};
    struct attribute big[] = {make_attribute("a", "")};
    big[0].value = BYTES_ARRAY(large);
    assert_status(
        attributes_seal(f->key, &f->tenant, &f->bucket, &f->version, twice, 2, &sealed),
        STATUS_INVALID);
    assert_status(
        attributes_seal(f->key, &f->tenant, &f->bucket, &f->version, unnamed, 1, &sealed),
        STATUS_INVALID);
    assert_status(
        attributes_seal(f->key, &f->tenant, &f->bucket, &f->version, big, 1, &sealed),
        STATUS_TOO_LARGE);
    for (size_t i = 0; i <= ATTRIBUTE_COUNT_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "n%03zu", i);
        many[i] = make_attribute(names[i], "v");
    }
    assert_status(
        attributes_seal(
            f->key, &f->tenant, &f->bucket, &f->version, many, ATTRIBUTE_COUNT_MAX + 1, &sealed),
        STATUS_TOO_LARGE);
    assert_int_equal(sealed.size, 0);
    assert_ok(attributes_seal(
        f->key, &f->tenant, &f->bucket, &f->version, many, ATTRIBUTE_COUNT_MAX, &sealed));
    ARENA(arena, 65536);
    struct attribute *attributes = NULL;
    size_t count = 0;
    assert_ok(open_blob(f, buffer_bytes(&sealed), &arena, &attributes, &count));
    assert_int_equal(count, ATTRIBUTE_COUNT_MAX);
}

static void etag_masks_are_known_and_their_own_inverse(void **state)
{
    struct fixture *f = *state;
    static const char md5[] = "5d41402abc4b2a76b9719d911017c592";
    VECTOR(etag, "5d41402abc4b2a76b9719d911017c592");
    struct content content = content_of(((uint64_t)5 << 24) | 6, 7);
    assert_ok(etag_mask(f->key, &f->bucket, &f->version, etag_room));
    vector_check(etag, "a68b61fe0acbb3eba6903db2c0a9ef89");
    assert_ok(etag_mask(f->key, &f->bucket, &f->version, etag_room));
    vector_check(etag, md5);
    assert_ok(etag_mask_part(f->key, &f->bucket, &content, 12, etag_room));
    vector_check(etag, "09d2cd2ff25a18804ccd8be69e4a2a2d");
    assert_ok(etag_mask_part(f->key, &f->bucket, &content, 12, etag_room));
    vector_check(etag, md5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer_opens),
        cmocka_unit_test(sealed_attributes_come_back_sorted),
        cmocka_unit_test(an_empty_list_is_an_empty_blob),
        cmocka_unit_test(any_flipped_bit_and_other_places_are_refused),
        cmocka_unit_test(doubles_unnamed_and_too_many_are_refused),
        cmocka_unit_test(etag_masks_are_known_and_their_own_inverse),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
