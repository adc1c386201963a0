/* s3_xml: what we write, clients can read; what we read is exactly the three documents. */

#include "frontend/s3_xml.h"

#include "tests/support/cmocka.h"

#include <libxml/parser.h>
#include <stdlib.h>

static bool is(struct bytes bytes, const char *text)
{
    return bytes_equal(bytes, bytes_text(text));
}

/* Well-formed, and with the text in it. */
static void check_document(struct buffer *xml, const char *want)
{
    assert_ok(buffer_status(xml));
    xmlDocPtr document = xmlReadMemory(
        (const char *)xml->data, (int)xml->size, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR);
    assert_non_null(document);
    xmlFreeDoc(document);
    buffer_add_u8(xml, 0);
    if (strstr((const char *)xml->data, want) == NULL) {
        fail_msg("%s is not in %s", want, (const char *)xml->data);
    }
}

static void escaping_leaves_only_xml(void **state)
{
    (void)state;
    BUFFER(xml, 1024);
    s3_xml_escape(
        &xml, bytes_of("a&<>\"'\r\n\t\x01\xc3\xbc\xff\xed\xa0\x80\xf0\x9f\x98\x80\xc3", 21));
    buffer_add_u8(&xml, 0);
    assert_string_equal(
        (char *)xml.data, "a&amp;&lt;&gt;&quot;&#39;&#13;\n\t?\xc3\xbc????\xf0\x9f\x98\x80?");
}

static void listings_are_documents(void **state)
{
    static const struct s3_xml_object OBJECTS[] = {
        {.key = {(const uint8_t *)"a<b c", 5},
         .modified_ms = 1369353600000,
         .etag = {(const uint8_t *)"0123", 4},
         .size = 5000000000},
    };
    static const struct bytes PREFIXES[] = {{(const uint8_t *)"p/", 2}};
    struct s3_xml_list list = {
        .is_v2 = true,
        .bucket = bytes_text("abc"),
        .delimiter = bytes_text("/"),
        .max_keys = 2,
        .is_truncated = true,
        .next_continuation = bytes_text("t0k"),
        .has_owner = true,
        .owner = bytes_text("me"),
        .objects = OBJECTS,
        .object_count = 1,
        .prefixes = PREFIXES,
        .prefix_count = 1,
    };
    (void)state;
    BUFFER(xml, 65536);
    s3_xml_list_objects(&xml, &list);
    check_document(
        &xml, "<Contents><Key>a&lt;b c</Key><LastModified>2013-05-24T00:00:00.000Z</LastModified>"
              "<ETag>&quot;0123&quot;</ETag><Size>5000000000</Size><Owner><ID>me</ID>");
    assert_non_null(strstr((char *)xml.data, "<KeyCount>2</KeyCount>"));
    assert_non_null(strstr((char *)xml.data, "<NextContinuationToken>t0k</NextContinuationToken>"));
    assert_non_null(
        strstr((char *)xml.data, "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>"));
    buffer_reset(&xml);
    list.is_v2 = false;
    list.encodes_url = true;
    s3_xml_list_objects(&xml, &list);
    check_document(&xml, "<Key>a%3Cb%20c</Key>");
    assert_non_null(strstr((char *)xml.data, "<NextMarker>t0k</NextMarker>"));
    assert_non_null(strstr((char *)xml.data, "<EncodingType>url</EncodingType>"));
}

static void every_answer_is_a_document(void **state)
{
    static const struct s3_xml_bucket BUCKETS[] = {
        {.name = {(const uint8_t *)"abc", 3}, .created_ms = 0}};
    static const struct s3_xml_part PARTS[] = {
        {.number = 7, .modified_ms = 0, .etag = {(const uint8_t *)"e", 1}, .size = 5}};
    static const struct s3_xml_upload UPLOADS[] = {
        {.key = {(const uint8_t *)"k", 1}, .upload_id = {(const uint8_t *)"u", 1}}};
    struct bytes abc = bytes_text("abc");
    (void)state;
    BUFFER(xml, 65536);
    s3_xml_list_buckets(&xml, abc, BUCKETS, 1);
    check_document(&xml, "<Bucket><Name>abc</Name><CreationDate>1970-01-01T00:00:00.000Z");
    buffer_reset(&xml);
    s3_xml_location(&xml, bytes_text("us-east-1"));
    check_document(&xml, "></LocationConstraint>");
    buffer_reset(&xml);
    s3_xml_location(&xml, bytes_text("eu"));
    check_document(&xml, ">eu</LocationConstraint>");
    buffer_reset(&xml);
    s3_xml_versioning(&xml);
    check_document(&xml, "<VersioningConfiguration");
    buffer_reset(&xml);
    s3_xml_copy_result(&xml, true, abc, 0);
    check_document(&xml, "<CopyPartResult");
    buffer_reset(&xml);
    s3_xml_create_upload(&xml, abc, bytes_text("k&"), bytes_text("u"));
    check_document(&xml, "<Key>k&amp;</Key><UploadId>u</UploadId>");
    buffer_reset(&xml);
    s3_xml_complete_upload(&xml, bytes_text("https://h/abc/k"), abc, abc, abc);
    check_document(&xml, "<Location>https://h/abc/k</Location>");
    buffer_reset(&xml);
    s3_xml_list_parts(&xml, &(struct s3_xml_parts){.bucket = abc, .parts = PARTS, .count = 1});
    check_document(&xml, "<Part><PartNumber>7</PartNumber>");
    buffer_reset(&xml);
    s3_xml_list_uploads(
        &xml, &(struct s3_xml_uploads){.bucket = abc, .uploads = UPLOADS, .count = 1});
    check_document(&xml, "<Upload><Key>k</Key><UploadId>u</UploadId>");
    buffer_reset(&xml);
    s3_xml_delete_begin(&xml);
    s3_xml_delete_key(&xml, abc, NULL, NULL);
    s3_xml_delete_key(&xml, bytes_text("<"), "AccessDenied", "no");
    s3_xml_delete_end(&xml);
    check_document(
        &xml, "<Deleted><Key>abc</Key></Deleted><Error><Key>&lt;</Key><Code>AccessDenied</Code>");
}

static void parts_are_read(void **state)
{
    ARENA(arena, 4 * 1024 * 1024);
    const struct s3_xml_complete_part *parts;
    size_t count;
    (void)state;
    assert_ok(s3_xml_parse_complete(
        bytes_text(
            "<?xml version=\"1.0\"?><CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/"
            "doc/2006-03-01/\"> <Part><ETag>&quot;abc&quot;</ETag><PartNumber>1</PartNumber>"
            "<ChecksumCRC32>AAAA</ChecksumCRC32></Part>\n<!-- c --><Part><PartNumber> 10000 "
            "</PartNumber><ETag>\"def\"</ETag></Part></CompleteMultipartUpload>"),
        &arena, &parts, &count));
    assert_int_equal(count, 2);
    assert_int_equal(parts[0].number, 1);
    assert_true(is(parts[0].etag, "abc"));
    assert_int_equal(parts[1].number, 10000);
    assert_true(is(parts[1].etag, "def"));
}

#define PART(n) "<Part><PartNumber>" n "</PartNumber><ETag>e</ETag></Part>"
#define COMPLETE(x) "<CompleteMultipartUpload>" x "</CompleteMultipartUpload>"

static void wrong_parts_are_refused(void **state)
{
    static const struct {
        const char *xml;
        enum status_code code;
    } CASES[] = {
        {"", STATUS_INVALID},
        {"x", STATUS_INVALID},
        {"<CompleteMultipartUpload>", STATUS_INVALID},
        {"<Other>" PART("1") "</Other>", STATUS_INVALID},
        {COMPLETE(""), STATUS_INVALID},
        {COMPLETE("<Part/>"), STATUS_INVALID},
        {COMPLETE("<Part><ETag>e</ETag></Part>"), STATUS_INVALID},
        {COMPLETE("<Part><PartNumber>1</PartNumber></Part>"), STATUS_INVALID},
        {COMPLETE(PART("0")), STATUS_INVALID},
        {COMPLETE(PART("10001")), STATUS_INVALID},
        {COMPLETE(PART("-1")), STATUS_INVALID},
        {COMPLETE(PART("2") PART("1")), STATUS_CONFLICT},
        {COMPLETE(PART("1") PART("1")), STATUS_CONFLICT},
        {COMPLETE(PART("1")) "<x/>", STATUS_INVALID},
        {"<!DOCTYPE a [<!ENTITY x \"y\">]>" COMPLETE(PART("1")), STATUS_INVALID},
        {COMPLETE("<Part><PartNumber>1</PartNumber><ETag>&x;</ETag></Part>"), STATUS_INVALID},
        {"<?xml version=\"1.0\"?><?pi x?>" COMPLETE(PART("1")), STATUS_INVALID},
        {COMPLETE("<a><b><c><d><e><f><g><h><i>x</i></h></g></f></e></d></c></b></a>" PART("1")),
         STATUS_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        ARENA(arena, 4 * 1024 * 1024);
        const struct s3_xml_complete_part *parts;
        size_t count;
        struct status status =
            s3_xml_parse_complete(bytes_text(CASES[i].xml), &arena, &parts, &count);
        if (status.code != CASES[i].code) {
            fail_msg("case %zu: %s", i, status_text(status.code));
        }
    }
}

static void more_than_ten_thousand_parts_are_refused(void **state)
{
    (void)state;
    BUFFER(xml, S3_XML_BODY_MAX);
    ARENA(arena, 16 * 1024 * 1024);
    const struct s3_xml_complete_part *parts;
    size_t count;
    buffer_add_text(&xml, "<CompleteMultipartUpload>");
    for (unsigned i = 1; i <= 10000; i++) {
        buffer_printf(&xml, "<Part><PartNumber>%u</PartNumber><ETag>e</ETag></Part>", i);
    }
    size_t body = xml.size;
    buffer_add_text(&xml, "</CompleteMultipartUpload>");
    assert_ok(s3_xml_parse_complete(buffer_bytes(&xml), &arena, &parts, &count));
    assert_int_equal(count, 10000);
    xml.size = body;
    buffer_add_text(&xml, "<Part/></CompleteMultipartUpload>");
    assert_status(
        s3_xml_parse_complete(buffer_bytes(&xml), &arena, &parts, &count), STATUS_INVALID);
}

static void locations_are_read(void **state)
{
    ARENA(arena, 65536);
    struct bytes location;
    (void)state;
    assert_ok(s3_xml_parse_create_bucket(bytes_text(""), &arena, &location));
    assert_int_equal(location.size, 0);
    assert_ok(s3_xml_parse_create_bucket(
        bytes_text("<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>"
                   "</CreateBucketConfiguration>"),
        &arena, &location));
    assert_true(is(location, "eu-west-1"));
    assert_status(
        s3_xml_parse_create_bucket(bytes_text("<Delete/>"), &arena, &location), STATUS_INVALID);
}

static void keys_to_delete_are_read(void **state)
{
    ARENA(arena, 256 * 1024);
    const struct s3_xml_delete_key_item *items;
    size_t count;
    bool is_quiet;
    (void)state;
    assert_ok(s3_xml_parse_delete(
        bytes_text("<Delete><Object><Key> a&amp;b </Key></Object><Object><Key><![CDATA[<x>]]></Key>"
                   "<VersionId>v</VersionId></Object><Quiet>true</Quiet></Delete>"),
        &arena, &items, &count, &is_quiet));
    assert_int_equal(count, 2);
    assert_true(is(items[0].key, " a&b "));
    assert_true(is(items[1].key, "<x>") && is(items[1].version_id, "v"));
    assert_true(is_quiet);
    assert_status(
        s3_xml_parse_delete(bytes_text("<Delete/>"), &arena, &items, &count, &is_quiet),
        STATUS_INVALID);
    assert_status(
        s3_xml_parse_delete(
            bytes_text("<Delete><Object><Key></Key></Object></Delete>"), &arena, &items, &count,
            &is_quiet),
        STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escaping_leaves_only_xml),
        cmocka_unit_test(listings_are_documents),
        cmocka_unit_test(every_answer_is_a_document),
        cmocka_unit_test(parts_are_read),
        cmocka_unit_test(wrong_parts_are_refused),
        cmocka_unit_test(more_than_ten_thousand_parts_are_refused),
        cmocka_unit_test(locations_are_read),
        cmocka_unit_test(keys_to_delete_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
