#pragma once

/*
 * The seal file of a vault partition ("TSL1", drawn in seal.c and FORMATS.md 2 and 10): its root
 * key wrapped once for each slot, and the keys of its storage (SEK versions) wrapped under the
 * root. Opened once at start; one thread.
 */

#include "lib/crypto/secret.h"
#include "lib/format/ids.h"

enum seal_slot_kind { SEAL_SLOT_KEYFILE = 1 };
enum { SEAL_SLOTS_MAX = 16, SEAL_SEKS_MAX = 64, SEAL_FILE_MAX = 16 * 1024 };

struct seal;

/* A new root and SEK version 1, sealed for one slot, written durably to dir_fd/seal. EXISTS if a
 * seal is there already. slot_key has 32 bytes. */
MUST_CHECK struct status seal_create(int dir_fd, const struct secret *slot_key);

/* NOT_FOUND: no seal file. DENIED: no slot opens with this key. CORRUPT: not a seal file. */
MUST_CHECK struct status
seal_open(int dir_fd, const struct secret *slot_key, struct seal **ret_seal);

void seal_free(struct seal *seal);

const struct id16 *seal_vault_uuid(const struct seal *seal);
const struct secret *seal_root(const struct seal *seal);
size_t seal_sek_count(const struct seal *seal);
/* By rising version; the last is current. */
const struct secret *seal_sek(const struct seal *seal, size_t index, uint32_t *ret_version);

/* 32 bytes from a key file; with create, a missing file is made (mode 0600), whole and durable. */
MUST_CHECK struct status seal_read_key_file(const char *path, bool create, struct secret **ret_key);

DEFINE_OWNED(seal)
