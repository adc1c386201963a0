#include "contentdb/object_lister.h"

#include "contentdb/reply_bytes.h"
#include "contentdb/row_key.h"

struct walk {
    struct kv_snapshot *snapshot;
    const struct object_listing *listing;
    struct arena *arena;
    Triad__Content__ListReply *reply;
    struct row_key from;
    struct row_key first; /* What every row begins with: O, bucket, prefix. */
    bool is_end;
};

/* The common prefix that name belongs to; empty if it is listed itself. */
static struct bytes common_prefix(const struct object_listing *listing, struct bytes name)
{
    struct bytes delimiter = listing->delimiter;
    if (delimiter.size == 0 || !bytes_starts_with(name, listing->prefix)) {
        return bytes_of(NULL, 0);
    }
    struct bytes rest = bytes_from(name, listing->prefix.size);
    const uint8_t *at =
        rest.size == 0 ? NULL : memmem(rest.data, rest.size, delimiter.data, delimiter.size);
    if (at == NULL) {
        return bytes_of(NULL, 0);
    }
    return bytes_of(name.data, (size_t)(at - name.data) + delimiter.size);
}

static bool skip_behind(struct walk *walk, struct bytes prefix)
{
    row_key_object(&walk->from, &walk->listing->bucket, prefix);
    return row_key_skip(&walk->from);
}

static void begin(struct walk *walk)
{
    const struct object_listing *listing = walk->listing;
    row_key_object(&walk->first, &listing->bucket, listing->prefix);
    walk->from = walk->first;
    if (listing->after.size == 0 || bytes_compare(listing->after, listing->prefix) < 0) {
        return;
    }
    struct bytes group = common_prefix(listing, listing->after);
    if (group.size == listing->after.size) {
        walk->is_end = !skip_behind(walk, group);
        return;
    }
    row_key_object(&walk->from, &listing->bucket, listing->after);
    walk->from.data[walk->from.size++] = 0; /* Names hold no NUL: the first one behind after. */
}

static struct status add_row(struct walk *walk, struct bytes name, struct bytes value)
{
    struct row_object decoded;
    TRY(rows_object_decode(value, &decoded));
    Triad__Content__ObjectRow *row = arena_alloc(walk->arena, sizeof(*row));
    if (row == NULL) {
        return FAIL(NO_MEMORY, "listing");
    }
    triad__content__object_row__init(row);
    row->seq = decoded.seq;
    TRY(reply_bytes_copy(walk->arena, name, &row->key));
    TRY(reply_bytes_copy(walk->arena, decoded.record, &row->version_record));
    walk->reply->rows[walk->reply->n_rows++] = row;
    return OK;
}

/* One entry of the answer. */
static struct status add(struct walk *walk, struct bytes key, struct bytes value)
{
    Triad__Content__ListReply *reply = walk->reply;
    struct bytes name = row_key_object_name(key);
    struct bytes group = common_prefix(walk->listing, name);
    struct bytes last = group.size > 0 ? group : name;
    if (group.size > 0) {
        TRY(reply_bytes_copy(walk->arena, group, &reply->prefixes[reply->n_prefixes]));
        reply->n_prefixes++;
    } else {
        TRY(add_row(walk, name, value));
    }
    if (reply->n_rows + reply->n_prefixes == walk->listing->limit) {
        TRY(reply_bytes_copy(walk->arena, last, &reply->next_after));
    }
    return OK;
}

/* Entries from one seek on, until a common prefix asks for the next. */
static struct status walk_on(struct walk *walk)
{
    OWNED(kv_cursor) struct kv_cursor *cursor = NULL;
    TRY(kv_cursor_seek(walk->snapshot, row_key_bytes(&walk->from), &cursor));
    for (;;) {
        struct bytes key;
        struct bytes value;
        struct status status = kv_cursor_next(cursor, &key, &value);
        bool is_end = status.code == STATUS_NOT_FOUND;
        if (!is_end) {
            TRY(status);
        }
        if (is_end || !bytes_starts_with(key, row_key_bytes(&walk->first))) {
            walk->is_end = true;
            return OK;
        }
        Triad__Content__ListReply *reply = walk->reply;
        if (reply->n_rows + reply->n_prefixes == walk->listing->limit) {
            reply->is_truncated = 1;
            walk->is_end = true;
            return OK;
        }
        size_t groups = reply->n_prefixes;
        TRY(add(walk, key, value));
        if (reply->n_prefixes > groups) {
            struct bytes group = common_prefix(walk->listing, row_key_object_name(key));
            walk->is_end = !skip_behind(walk, group);
            return OK;
        }
    }
}

struct status object_lister_list(
    struct kv_snapshot *snapshot, const struct object_listing *listing, struct arena *arena,
    Triad__Content__ListReply *reply)
{
    struct walk walk = {.snapshot = snapshot, .listing = listing, .arena = arena, .reply = reply};
    reply->rows = arena_zalloc(arena, listing->limit, sizeof(*reply->rows));
    reply->prefixes = arena_zalloc(arena, listing->limit, sizeof(*reply->prefixes));
    if (reply->rows == NULL || reply->prefixes == NULL) {
        return FAIL(NO_MEMORY, "listing");
    }
    begin(&walk);
    while (!walk.is_end) {
        TRY(walk_on(&walk));
    }
    if (!reply->is_truncated) {
        reply->next_after = (ProtobufCBinaryData){.len = 0};
    }
    return OK;
}
