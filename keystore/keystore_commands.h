#pragma once

/* What the keystore binary does besides serving: init, and checking the audit log. */

#include "keystore/keystore_settings.h"

/* `keystore init --config FILE`: make the vaults. Exit code. */
int keystore_commands_init(int argc, char **argv);

/* `keystore audit --config FILE`: check the chain of a stopped key store's audit log. Exit code. */
int keystore_commands_audit(int argc, char **argv);
