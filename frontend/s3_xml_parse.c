#include "frontend/s3_xml.h"

#include <libxml/xmlreader.h>
#include <pthread.h>

/*
 * All three documents are a root with fields, and records with fields:
 *
 *   <root> <field>text</field> ... <record> <field>text</field> ... </record> ... </root>
 *
 * One walk over a pull reader serves them. What stands deeper is skipped.
 */

enum { DEPTH_MAX = 8, TEXT_MAX = 8 * 1024 };

struct document {
    const char *root;
    const char *record; /* NULL: none. */
    struct arena *arena;
    /* A record begins. */
    struct status (*on_record)(struct document *document);
    /* A field of the root, or of the record. */
    struct status (*on_field)(
        struct document *document, bool in_record, const char *name, struct bytes value);
};

struct reader_owner {
    xmlTextReaderPtr reader;
};

static void reader_release(struct reader_owner *owner)
{
    if (owner->reader != NULL) {
        xmlFreeTextReader(owner->reader);
    }
}

static const char *local_name(xmlTextReaderPtr reader)
{
    const xmlChar *name = xmlTextReaderConstLocalName(reader);
    return name == NULL ? "" : (const char *)name;
}

/* Where the walk is: the name of each open element that matters. */
struct walk {
    struct document *document;
    bool in_root;
    bool in_record;
    struct buffer text; /* Of the open field. */
};

static struct status on_begin(struct walk *walk, const char *name, int depth)
{
    struct document *document = walk->document;
    buffer_reset(&walk->text);
    if (depth == 0) {
        walk->in_root = strcmp(name, document->root) == 0;
        return walk->in_root ? OK : FAIL(INVALID, "another document than expected");
    }
    if (depth == 1) {
        walk->in_record = document->record != NULL && strcmp(name, document->record) == 0;
        return walk->in_record ? document->on_record(document) : OK;
    }
    return depth <= DEPTH_MAX ? OK : FAIL(INVALID, "the document is too deep");
}

static struct status on_end(struct walk *walk, const char *name, int depth)
{
    struct document *document = walk->document;
    bool is_field = walk->in_record ? depth == 2 : depth == 1;
    if (walk->in_record && depth == 1) {
        walk->in_record = false;
        return OK;
    }
    if (!is_field) {
        return OK;
    }
    TRY(buffer_status(&walk->text));
    struct bytes value = arena_copy(document->arena, buffer_bytes(&walk->text));
    buffer_reset(&walk->text);
    if (value.data == NULL) {
        return FAIL(NO_MEMORY, "XML field");
    }
    return document->on_field(document, walk->in_record, name, value);
}

static struct status on_node(struct walk *walk, xmlTextReaderPtr reader)
{
    const char *name = local_name(reader);
    int depth = xmlTextReaderDepth(reader);
    int type = xmlTextReaderNodeType(reader);
    switch (type) {
    case XML_READER_TYPE_ELEMENT:
        TRY(on_begin(walk, name, depth));
        return xmlTextReaderIsEmptyElement(reader) == 1 ? on_end(walk, name, depth) : OK;
    case XML_READER_TYPE_END_ELEMENT:
        return on_end(walk, name, depth);
    case XML_READER_TYPE_TEXT:
    case XML_READER_TYPE_CDATA:
    case XML_READER_TYPE_WHITESPACE:
    case XML_READER_TYPE_SIGNIFICANT_WHITESPACE: {
        const xmlChar *value = xmlTextReaderConstValue(reader);
        buffer_add_text(&walk->text, value == NULL ? "" : (const char *)value);
        return buffer_status(&walk->text);
    }
    case XML_READER_TYPE_COMMENT:
        return OK;
    default:
        return FAIL(INVALID, "the document has more than elements and text");
    }
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void start_library(void)
{
    xmlInitParser();
}

/* Declarations could define entities; none of our documents has any. */
static bool has_declarations(struct bytes xml)
{
    return memmem(xml.data, xml.size, "<!DOCTYPE", 9) != NULL ||
           memmem(xml.data, xml.size, "<!ENTITY", 8) != NULL;
}

static struct status walk_document(struct bytes xml, struct document *document)
{
    enum { OPTIONS = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING };
    pthread_once(&library_once, start_library);
    if (xml.size == 0 || xml.size > S3_XML_BODY_MAX || has_declarations(xml)) {
        return FAIL(INVALID, "the document is empty, too long, or has declarations");
    }
    __attribute__((cleanup(reader_release))) struct reader_owner owner = {
        .reader = xmlReaderForMemory((const char *)xml.data, (int)xml.size, NULL, "UTF-8", OPTIONS),
    };
    if (owner.reader == NULL) {
        return FAIL(NO_MEMORY, "XML reader");
    }
    struct walk walk = {.document = document};
    buffer_init(&walk.text, TEXT_MAX);
    struct status status = OK;
    int more = 1;
    while (status_ok(status) && (more = xmlTextReaderRead(owner.reader)) == 1) {
        status = on_node(&walk, owner.reader);
    }
    buffer_done(&walk.text);
    TRY(status);
    if (more != 0 || !walk.in_root) {
        return FAIL(INVALID, "the document is not well-formed");
    }
    return OK;
}

/* TOO_LARGE from inside is one more way in which the document is wrong. */
static struct status as_invalid(struct status status)
{
    return status.code == STATUS_TOO_LARGE ? FAIL(INVALID, "an XML field is too long") : status;
}

static struct bytes trim(struct bytes text)
{
    static const char SPACES[] = " \t\r\n";
    while (text.size > 0 && text.data[0] != '\0' && strchr(SPACES, text.data[0]) != NULL) {
        text = bytes_from(text, 1);
    }
    while (text.size > 0 && strchr(SPACES, text.data[text.size - 1]) != NULL) {
        text.size--;
    }
    return text;
}

static struct bytes unquote(struct bytes etag)
{
    if (etag.size >= 2 && etag.data[0] == '"' && etag.data[etag.size - 1] == '"') {
        return bytes_slice(etag, 1, etag.size - 2);
    }
    return etag;
}

/* ---- CompleteMultipartUpload ---- */

struct complete {
    struct document document; /* First, so that the callbacks find us. */
    struct s3_xml_complete_part *parts;
    size_t count;
};

static struct status begin_part(struct document *document)
{
    struct complete *complete = (struct complete *)document;
    if (complete->count == S3_XML_PARTS_MAX) {
        return FAIL(INVALID, "more than 10,000 parts");
    }
    complete->parts[complete->count++] = (struct s3_xml_complete_part){.etag = bytes_of("", 0)};
    return OK;
}

static struct status parse_number(struct bytes text, uint32_t max, uint32_t *ret_number)
{
    uint32_t number = 0;
    if (text.size == 0 || text.size > 6) {
        return FAIL(INVALID, "part number is empty or too long");
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return FAIL(INVALID, "part number is not a number");
        }
        number = number * 10 + (uint32_t)(text.data[i] - '0');
    }
    if (number < 1 || number > max) {
        return FAIL(INVALID, "part number is not 1 to 10,000");
    }
    *ret_number = number;
    return OK;
}

static struct status
part_field(struct document *document, bool in_record, const char *name, struct bytes value)
{
    struct complete *complete = (struct complete *)document;
    if (!in_record) {
        return OK;
    }
    struct s3_xml_complete_part *part = &complete->parts[complete->count - 1];
    if (strcmp(name, "PartNumber") == 0) {
        return parse_number(trim(value), S3_XML_PARTS_MAX, &part->number);
    }
    if (strcmp(name, "ETag") == 0) {
        part->etag = unquote(trim(value));
    }
    return OK;
}

struct status s3_xml_parse_complete(
    struct bytes xml, struct arena *arena, const struct s3_xml_complete_part **ret_parts,
    size_t *ret_count)
{
    struct complete complete = {
        .document =
            {
                .root = "CompleteMultipartUpload",
                .record = "Part",
                .arena = arena,
                .on_record = begin_part,
                .on_field = part_field,
            },
    };
    complete.parts = arena_zalloc(arena, S3_XML_PARTS_MAX, sizeof(*complete.parts));
    if (complete.parts == NULL) {
        return FAIL(NO_MEMORY, "parts");
    }
    TRY(as_invalid(walk_document(xml, &complete.document)));
    if (complete.count == 0) {
        return FAIL(INVALID, "no parts");
    }
    for (size_t i = 0; i < complete.count; i++) {
        if (complete.parts[i].number == 0 || complete.parts[i].etag.size == 0) {
            return FAIL(INVALID, "a part lacks its number or its ETag");
        }
        if (i > 0 && complete.parts[i - 1].number >= complete.parts[i].number) {
            return FAIL(CONFLICT, "parts are not in ascending order");
        }
    }
    *ret_parts = complete.parts;
    *ret_count = complete.count;
    return OK;
}

/* ---- CreateBucketConfiguration ---- */

struct create_bucket {
    struct document document;
    struct bytes location;
};

static struct status
location_field(struct document *document, bool in_record, const char *name, struct bytes value)
{
    (void)in_record;
    if (strcmp(name, "LocationConstraint") == 0) {
        ((struct create_bucket *)document)->location = trim(value);
    }
    return OK;
}

struct status
s3_xml_parse_create_bucket(struct bytes xml, struct arena *arena, struct bytes *ret_location)
{
    struct create_bucket create = {
        .document =
            {
                .root = "CreateBucketConfiguration",
                .arena = arena,
                .on_field = location_field,
            },
        .location = bytes_of("", 0),
    };
    if (xml.size > 0) {
        TRY(as_invalid(walk_document(xml, &create.document)));
    }
    *ret_location = create.location;
    return OK;
}

/* ---- Delete ---- */

struct delete_list {
    struct document document;
    struct s3_xml_delete_key_item *items;
    size_t count;
    bool is_quiet;
};

static struct status begin_object(struct document *document)
{
    struct delete_list *list = (struct delete_list *)document;
    if (list->count == S3_XML_DELETE_MAX) {
        return FAIL(INVALID, "more than 1,000 keys");
    }
    list->items[list->count++] =
        (struct s3_xml_delete_key_item){.key = bytes_of("", 0), .version_id = bytes_of("", 0)};
    return OK;
}

static struct status
object_field(struct document *document, bool in_record, const char *name, struct bytes value)
{
    struct delete_list *list = (struct delete_list *)document;
    if (!in_record) {
        if (strcmp(name, "Quiet") == 0) {
            list->is_quiet = bytes_equal(trim(value), bytes_text("true"));
        }
        return OK;
    }
    struct s3_xml_delete_key_item *item = &list->items[list->count - 1];
    if (strcmp(name, "Key") == 0) {
        item->key = value;
    } else if (strcmp(name, "VersionId") == 0) {
        item->version_id = trim(value);
    }
    return OK;
}

struct status s3_xml_parse_delete(
    struct bytes xml, struct arena *arena, const struct s3_xml_delete_key_item **ret_items,
    size_t *ret_count, bool *ret_is_quiet)
{
    struct delete_list list = {
        .document =
            {
                .root = "Delete",
                .record = "Object",
                .arena = arena,
                .on_record = begin_object,
                .on_field = object_field,
            },
    };
    list.items = arena_zalloc(arena, S3_XML_DELETE_MAX, sizeof(*list.items));
    if (list.items == NULL) {
        return FAIL(NO_MEMORY, "keys");
    }
    TRY(as_invalid(walk_document(xml, &list.document)));
    if (list.count == 0) {
        return FAIL(INVALID, "no keys");
    }
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].key.size == 0) {
            return FAIL(INVALID, "an object without a key");
        }
    }
    *ret_items = list.items;
    *ret_count = list.count;
    *ret_is_quiet = list.is_quiet;
    return OK;
}
