/* Rows are, byte for byte, what FORMATS 10 says; nothing else is read. */

#include "contentdb/rows.h"

#include "contentdb/row_key.h"
#include "lib/base/hex.h"
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct id16 id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
static const char id_hex[] = "0102030405060708090a0b0c0d0e0f10";
static const struct content content = {{0, 0, 5, 0, 0, 6, 0, 0, 0, 7}};

static void assert_hex(struct bytes bytes, const char *want)
{
    char text[4096];
    assert_true(bytes.size * 2 < sizeof(text));
    hex_encode(bytes, text);
    assert_string_equal(text, want);
}

static void keys_are_as_written_down(void **state)
{
    (void)state;
    struct row_key key;
    struct bytes name = bytes_text("a/b");
    assert_hex(row_key_bucket_name(&key, name), "4e612f62");
    assert_hex(row_key_tenant_bucket(&key, &id, name), "6e0102030405060708090a0b0c0d0e0f10612f62");
    assert_hex(row_key_bucket(&key, &id), "420102030405060708090a0b0c0d0e0f10");
    assert_hex(row_key_usage(&key, &id), "420102030405060708090a0b0c0d0e0f107573616765");
    assert_hex(row_key_object(&key, &id, name), "4f0102030405060708090a0b0c0d0e0f10612f62");
    assert_hex(
        row_key_attributes(&key, &id, name, 258),
        "410102030405060708090a0b0c0d0e0f10612f62000000000000000102");
    assert_hex(row_key_manifest(&key, &content, 3), "4d0000050000060000000700000003");
    assert_hex(row_key_placement(&key, &content, 3), "500000050000060000000700000003");
    assert_hex(row_key_segments(&key, &id, 3), "530102030405060708090a0b0c0d0e0f1000000003");
    assert_hex(
        row_key_reference(&key, &content, &id),
        "52000005000006000000070102030405060708090a0b0c0d0e0f10");
    assert_hex(
        row_key_upload(&key, &id, name, &id),
        "550102030405060708090a0b0c0d0e0f10612f62000102030405060708090a0b0c0d0e0f10");
    assert_hex(row_key_part(&key, &id, 3), "540102030405060708090a0b0c0d0e0f1000000003");
    assert_hex(row_key_lease(&key, 0x000005000006), "4c000005000006");
    assert_hex(row_key_due(&key, 258, &content), "44000000000000010200000500000600000007");
    assert_hex(row_key_condemned(&key, &content), "5a00000500000600000007");
    assert_hex(
        row_key_repair(&key, 2, &content, 3, 4), "51020000050000060000000700000003000000"
                                                 "04");
    assert_hex(row_key_account(&key, 3), "6100000003");
    assert_hex(row_key_steward(&key), "4b");
}

static void keys_are_read_back(void **state)
{
    (void)state;
    struct row_key key;
    struct bytes name;
    struct id16 upload;
    struct content found;
    uint8_t priority = 0;
    uint32_t page = 0;
    uint32_t chunk = 0;
    assert_true(
        row_key_upload_parse(row_key_upload(&key, &id, bytes_text("n"), &id), &name, &upload));
    assert_true(bytes_equal(name, bytes_text("n")) && id16_equal(&upload, &id));
    assert_false(row_key_upload_parse(bytes_text("U"), &name, &upload));
    assert_true(row_key_repair_parse(
        row_key_repair(&key, 2, &content, 3, 4), &priority, &found, &page, &chunk));
    assert_true(priority == 2 && page == 3 && chunk == 4);
    assert_int_equal(row_key_part_number(row_key_part(&key, &id, 9999)), 9999);
    row_key_prefix(&key, 'O', bytes_of("a\xff\xff", 3));
    assert_true(row_key_skip(&key));
    assert_hex(row_key_bytes(&key), "4f62");
    key = (struct row_key){.size = 1, .data = {0xff}};
    assert_false(row_key_skip(&key));
}

static void values_are_as_written_down(void **state)
{
    (void)state;
    uint8_t record[VERSION_RECORD_SIZE] = {7};
    uint8_t mac[VERSION_MAC_SIZE] = {8};
    char want[2048];
    BUFFER(value, 4096);
    const struct row_reference reference = {.state = REFERENCE_DEAD, .bucket = id, .seq = 258};
    rows_reference_encode(&value, &reference);
    snprintf(want, sizeof(want), "0102%s0000000000000102", id_hex);
    assert_hex(buffer_bytes(&value), want);

    const struct row_object object = {
        .seq = 258,
        .record = BYTES_ARRAY(record),
        .vmac = BYTES_ARRAY(mac),
        .key_ref = bytes_text("k"),
        .attributes = bytes_text("at"),
    };
    buffer_reset(&value);
    rows_object_encode(&value, &object);
    snprintf(want, sizeof(want), "0100000000000000010207%0398d08%062d00016b00026174", 0, 0);
    assert_hex(buffer_bytes(&value), want);

    struct row_part part = {.content = content, .size = 5, .chunks = 1, .modified_ms = 9};
    buffer_reset(&value);
    rows_part_encode(&value, &part);
    snprintf(
        want, sizeof(want), "0100000500000600000007%032d0000000000000005000000010000000000000009",
        0);
    assert_hex(buffer_bytes(&value), want);
}

static void other_values_are_refused(void **state)
{
    (void)state;
    BUFFER(value, 4096);
    const struct row_reference reference = {.state = REFERENCE_LIVE, .bucket = id};
    struct row_reference back;
    rows_reference_encode(&value, &reference);
    assert_ok(rows_reference_decode(buffer_bytes(&value), &back));
    assert_status(
        rows_reference_decode(bytes_of(value.data, value.size - 1), &back), STATUS_CORRUPT);
    buffer_add_u8(&value, 0);
    assert_status(rows_reference_decode(buffer_bytes(&value), &back), STATUS_CORRUPT);
    value.size--;
    value.data[0] = 2;
    assert_status(rows_reference_decode(buffer_bytes(&value), &back), STATUS_CORRUPT);
    value.data[0] = 1;
    value.data[1] = 4;
    assert_status(rows_reference_decode(buffer_bytes(&value), &back), STATUS_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_as_written_down),
        cmocka_unit_test(keys_are_read_back),
        cmocka_unit_test(values_are_as_written_down),
        cmocka_unit_test(other_values_are_refused),
    };
    return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}
