/* A chunk's key lies in its manifest row as KW(D(FK, "triad/v1/dek", data16), DEK). */

#include "lib/crypto/kdf.h"
#include "lib/format/manifest_page.h"

struct status
dek_kek(const struct secret *object_key, const struct id16 *data, struct secret **ret_kek)
{
    return kdf_derive1(object_key, "triad/v1/dek", id16_view(data), ret_kek);
}
