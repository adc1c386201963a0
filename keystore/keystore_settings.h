#pragma once

/* The options of keystore.def as a struct, and their table. */

#include "keystore/key_service.h"
#include "lib/daemon/config.h"

struct keystore_settings {
#define OPTION CONFIG_FIELD
#include "keystore/keystore.def"
#undef OPTION
};

/* The table; *ret_count rows. */
const struct config_option *keystore_settings_options(size_t *ret_count);

/* INVALID if the seal's key file lies inside data_dir, where a thief of the disk would find it. */
MUST_CHECK struct status keystore_settings_check(const struct keystore_settings *settings);

/* What key_service_open wants. */
struct key_service_options
keystore_settings_service(const struct keystore_settings *settings, const struct secret *slot_key);
