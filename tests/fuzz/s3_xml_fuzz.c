/* Any bytes are one of the three documents or refused. */

#include "frontend/s3_xml.h"

#include "lib/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA(arena, 4 << 20);
    struct bytes xml = bytes_of(data, size);
    const struct s3_xml_complete_part *parts;
    const struct s3_xml_delete_key_item *items;
    struct bytes location;
    size_t count = 0;
    bool is_quiet;
    if (status_ok(s3_xml_parse_complete(xml, &arena, &parts, &count))) {
        CHECK(count >= 1 && count <= S3_XML_PARTS_MAX && parts[count - 1].number >= count);
    }
    if (status_ok(s3_xml_parse_delete(xml, &arena, &items, &count, &is_quiet))) {
        CHECK(count >= 1 && count <= S3_XML_DELETE_MAX && items[0].key.size > 0);
    }
    if (status_ok(s3_xml_parse_create_bucket(xml, &arena, &location))) {
        BUFFER(escaped, 1 << 20);
        s3_xml_escape(&escaped, location);
    }
    return 0;
}
