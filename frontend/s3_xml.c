#include "frontend/s3_xml.h"

#include "lib/s3/s3_time.h"

static const char DECLARATION[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
#define NAMESPACE " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

/* Bytes of the UTF-8 character at the front; 0 if it is none, or one that XML forbids. */
static size_t character_size(struct bytes text)
{
    uint8_t first = text.data[0];
    if (first < 0x80) {
        return first >= ' ' || first == '\t' || first == '\n' || first == '\r' ? 1 : 0;
    }
    size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size < size) {
        return 0;
    }
    uint32_t value = first & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((text.data[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (text.data[i] & 0x3f);
    }
    bool is_short = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
    bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
    bool is_forbidden = value == 0xfffe || value == 0xffff || value > 0x10ffff;
    return is_short || is_surrogate || is_forbidden ? 0 : size;
}

static const char *escape_of(uint8_t byte)
{
    switch (byte) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\r':
        return "&#13;";
    default:
        return NULL;
    }
}

void s3_xml_escape(struct buffer *xml, struct bytes text)
{
    size_t plain = 0; /* Where the run of characters that stay began. */
    for (size_t i = 0; i < text.size;) {
        size_t size = character_size(bytes_from(text, i));
        const char *escape = size == 0 ? "?" : escape_of(text.data[i]);
        size_t step = size == 0 ? 1 : size;
        if (escape != NULL) {
            buffer_add(xml, bytes_slice(text, plain, i - plain));
            buffer_add_text(xml, escape);
            plain = i + step;
        }
        i += step;
    }
    if (text.size > plain) {
        buffer_add(xml, bytes_from(text, plain));
    }
}

static void add_element(struct buffer *xml, const char *name, struct bytes value)
{
    buffer_printf(xml, "<%s>", name);
    s3_xml_escape(xml, value);
    buffer_printf(xml, "</%s>", name);
}

static void add_time(struct buffer *xml, const char *name, int64_t time_ms)
{
    char text[S3_TIME_ISO_SIZE + 1];
    s3_time_format_iso(time_ms, text);
    buffer_printf(xml, "<%s>%s</%s>", name, text, name);
}

static void add_etag(struct buffer *xml, struct bytes etag)
{
    buffer_add_text(xml, "<ETag>&quot;");
    s3_xml_escape(xml, etag);
    buffer_add_text(xml, "&quot;</ETag>");
}

void s3_xml_location(struct buffer *xml, struct bytes region)
{
    bool is_default = bytes_equal(region, bytes_text("us-east-1"));
    buffer_add_text(xml, DECLARATION);
    buffer_add_text(xml, "<LocationConstraint" NAMESPACE ">");
    s3_xml_escape(xml, is_default ? bytes_text("") : region);
    buffer_add_text(xml, "</LocationConstraint>");
}

void s3_xml_versioning(struct buffer *xml)
{
    buffer_add_text(xml, DECLARATION);
    buffer_add_text(xml, "<VersioningConfiguration" NAMESPACE "/>");
}

void s3_xml_copy_result(struct buffer *xml, bool is_part, struct bytes etag, int64_t modified_ms)
{
    const char *name = is_part ? "CopyPartResult" : "CopyObjectResult";
    buffer_add_text(xml, DECLARATION);
    buffer_printf(xml, "<%s" NAMESPACE ">", name);
    add_time(xml, "LastModified", modified_ms);
    add_etag(xml, etag);
    buffer_printf(xml, "</%s>", name);
}

void s3_xml_create_upload(
    struct buffer *xml, struct bytes bucket, struct bytes key, struct bytes upload_id)
{
    buffer_add_text(xml, DECLARATION);
    buffer_add_text(xml, "<InitiateMultipartUploadResult" NAMESPACE ">");
    add_element(xml, "Bucket", bucket);
    add_element(xml, "Key", key);
    add_element(xml, "UploadId", upload_id);
    buffer_add_text(xml, "</InitiateMultipartUploadResult>");
}

void s3_xml_complete_upload(
    struct buffer *xml, struct bytes location, struct bytes bucket, struct bytes key,
    struct bytes etag)
{
    buffer_add_text(xml, DECLARATION);
    buffer_add_text(xml, "<CompleteMultipartUploadResult" NAMESPACE ">");
    add_element(xml, "Location", location);
    add_element(xml, "Bucket", bucket);
    add_element(xml, "Key", key);
    add_etag(xml, etag);
    buffer_add_text(xml, "</CompleteMultipartUploadResult>");
}

void s3_xml_delete_begin(struct buffer *xml)
{
    buffer_add_text(xml, DECLARATION);
    buffer_add_text(xml, "<DeleteResult" NAMESPACE ">");
}

void s3_xml_delete_key(struct buffer *xml, struct bytes key, const char *code, const char *message)
{
    buffer_add_text(xml, code == NULL ? "<Deleted>" : "<Error>");
    add_element(xml, "Key", key);
    if (code != NULL) {
        add_element(xml, "Code", bytes_text(code));
        add_element(xml, "Message", bytes_text(message));
    }
    buffer_add_text(xml, code == NULL ? "</Deleted>" : "</Error>");
}

void s3_xml_delete_end(struct buffer *xml)
{
    buffer_add_text(xml, "</DeleteResult>");
}
