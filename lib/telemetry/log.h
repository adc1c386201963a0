#pragma once

/*
 * One JSON line an event, on stderr: time, level, daemon, event, request id, typed fields.
 *
 * The event is a fixed string; what varies are fields. No constructor takes a secret. Any thread.
 * Not visible to lib/base, lib/crypto, lib/kv.
 */

#include "lib/base/bytes.h"
#include "lib/base/status.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_field_kind { LOG_KIND_TEXT, LOG_KIND_INT, LOG_KIND_HEX, LOG_KIND_STATUS };

struct log_field {
    const char *name;
    enum log_field_kind kind;
    struct bytes bytes;
    int64_t number;
    struct status status;
};

#define LOG_TEXT(name_, text_)                                                                     \
    ((struct log_field){.name = (name_), .kind = LOG_KIND_TEXT, .bytes = bytes_text(text_)})
#define LOG_BYTES(name_, bytes_)                                                                   \
    ((struct log_field){.name = (name_), .kind = LOG_KIND_TEXT, .bytes = (bytes_)})
#define LOG_INT(name_, number_)                                                                    \
    ((struct log_field){.name = (name_), .kind = LOG_KIND_INT, .number = (int64_t)(number_)})
#define LOG_HEX(name_, bytes_)                                                                     \
    ((struct log_field){.name = (name_), .kind = LOG_KIND_HEX, .bytes = (bytes_)})
#define LOG_STATUS(status_)                                                                        \
    ((struct log_field){.name = "status", .kind = LOG_KIND_STATUS, .status = (status_)})

/* log_event(LOG_WARN, "replica write failed", LOG_TEXT("node", id), LOG_STATUS(status)); */
#define log_event(level_, event_, ...)                                                             \
    log_write(                                                                                     \
        (level_), (event_), (const struct log_field[]){{.name = NULL}, ##__VA_ARGS__},             \
        sizeof((const struct log_field[]){{.name = NULL}, ##__VA_ARGS__}) /                        \
            sizeof(struct log_field))

/* The daemon's name in every line, and the lowest level written (INFO at first). */
void log_setup(const char *daemon, enum log_level lowest);

/* The same with the level's name, as an option has it: debug, info, warn, error; else INVALID. */
MUST_CHECK struct status log_setup_named(const char *daemon, const char *lowest);

/* The request id that this thread's lines carry; "" for none. At most 31 characters are kept. */
void log_set_request(const char *request_id);
const char *log_request(void);

/* Behind log_event: fields[0] is a placeholder. */
void log_write(
    enum log_level level, const char *event, const struct log_field *fields, size_t count);
