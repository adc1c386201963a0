/* Any text as a configuration: taken, or refused with a sentence. */

#include "lib/daemon/config.h"

#include "lib/base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct settings {
    const char *text;
    uint64_t size;
    uint64_t count;
    uint64_t duration;
    bool flag;
};

static const struct config_option options[] = {
#define OPTION(...) CONFIG_ROW(struct settings, __VA_ARGS__)
    OPTION(text, TEXT, "", NULL, NULL, "text") OPTION(size, SIZE, "1MiB", "1KiB", "1TiB", "size")
        OPTION(count, COUNT, "1", NULL, "1000", "count")
            OPTION(duration, DURATION, "1s", NULL, NULL, "duration")
                OPTION(flag, FLAG, "false", NULL, NULL, "flag")
#undef OPTION
};

enum { COUNT = sizeof(options) / sizeof(options[0]) };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA(arena, 1 << 20);
    BUFFER(error, 65536);
    struct settings settings = {.text = NULL};
    struct status status =
        config_parse(bytes_of(data, size), "fuzz", options, COUNT, &arena, &settings, &error);
    if (!status_ok(status)) {
        CHECK(error.size > 0 || status.code == STATUS_NO_MEMORY);
        return 0;
    }
    CHECK(settings.size >= 1024 && settings.size <= 1ull << 40 && settings.count <= 1000);

    /* What is printed means the same. */
    BUFFER(text, 1 << 20);
    config_print(options, COUNT, &settings, &text);
    struct settings again = {.text = NULL};
    CHECK(status_ok(
        config_parse(buffer_bytes(&text), "fuzz", options, COUNT, &arena, &again, &error)));
    CHECK(settings.size == again.size && settings.duration == again.duration);
    return 0;
}
