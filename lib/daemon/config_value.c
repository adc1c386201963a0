#include "lib/daemon/config_value.h"

#include "lib/base/check.h"

#include <inttypes.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Smallest first; the first is what a bare number means. */
static const struct unit size_units[] = {
    {"", 1}, {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30}, {"TiB", 1ull << 40},
};
static const struct unit count_units[] = {{"", 1}};
static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}, {"d", 24 * 3600 * 1000},
};

struct units {
    const struct unit *units;
    size_t count;
};

#define UNITS(array) ((struct units){(array), sizeof(array) / sizeof((array)[0])})

static struct units units_of(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_SIZE:
        return UNITS(size_units);
    case CONFIG_DURATION:
        return UNITS(duration_units);
    case CONFIG_COUNT:
    case CONFIG_TEXT:
    case CONFIG_FLAG:
        break;
    }
    return UNITS(count_units);
}

struct status config_value_parse(struct bytes text, enum config_kind kind, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t digits = 0;
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9') {
        uint64_t digit = (uint64_t)(text.data[digits] - '0');
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return FAIL(INVALID, "number is too large");
        }
        digits++;
    }
    if (digits == 0) {
        return FAIL(INVALID, "not a number");
    }
    struct bytes unit = bytes_from(text, digits);
    struct units units = units_of(kind);
    for (size_t i = 0; i < units.count; i++) {
        if (!bytes_equal(unit, bytes_text(units.units[i].name))) {
            continue;
        }
        if (__builtin_mul_overflow(value, units.units[i].factor, &value)) {
            return FAIL(INVALID, "number is too large");
        }
        *ret_value = value;
        return OK;
    }
    return FAIL(INVALID, "unknown unit");
}

void config_value_print(enum config_kind kind, uint64_t value, struct buffer *text)
{
    struct units units = units_of(kind);
    size_t best = 0;
    for (size_t i = 1; i < units.count && value != 0; i++) {
        if (value % units.units[i].factor == 0) {
            best = i;
        }
    }
    buffer_printf(text, "%" PRIu64 "%s", value / units.units[best].factor, units.units[best].name);
}
