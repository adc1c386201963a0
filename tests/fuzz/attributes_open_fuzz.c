/* No blob crashes; what is sealed from the input opens to the same. */

#include "lib/base/check.h"
#include "lib/format/attributes.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct id16 id;
    struct attribute *opened = NULL;
    size_t count = 0;
    ARENA(arena, 128 * 1024);
    BUFFER(sealed, ATTRIBUTES_MAX);
    OWNED(secret) struct secret *key = NULL;
    if (!status_ok(secret_new(SECRET_KEY_SIZE, &key))) {
        return 0;
    }
    IGNORE(attributes_open(/* Any outcome is right. */
                           key, &id, &id, &id, bytes_of(data, size), &arena, &opened, &count));
    if (size < 2) {
        return 0;
    }
    /* The first byte says where a name ends. */
    size_t cut = 1 + data[0] % (size - 1);
    struct attribute one = {
        .name = bytes_of(data + 1, cut - 1), .value = bytes_of(data + cut, size - cut)};
    if (status_ok(attributes_seal(key, &id, &id, &id, &one, 1, &sealed))) {
        CHECK(status_ok(
            attributes_open(key, &id, &id, &id, buffer_bytes(&sealed), &arena, &opened, &count)));
        CHECK(count == 1 && bytes_equal(opened[0].name, one.name));
        CHECK(bytes_equal(opened[0].value, one.value));
    }
    return 0;
}
