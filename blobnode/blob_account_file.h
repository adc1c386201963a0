#pragma once

/*
 * The file "account" in an account's directory: which account this is and which copy of it.
 * Written last when an account is made, so a directory without it is a making that was cut off.
 */

#include "lib/format/ids.h"

struct blob_identity {
    struct id16 account;
    struct id16 store_uuid; /* Random, from the making. */
};

enum { BLOB_ACCOUNT_FILE_SIZE = 44 };

void blob_account_file_encode(
    const struct blob_identity *identity, uint8_t ret[BLOB_ACCOUNT_FILE_SIZE]);
/* CORRUPT: damage; UNSUPPORTED: another version. */
MUST_CHECK struct status
blob_account_file_decode(struct bytes encoded, struct blob_identity *ret_identity);

MUST_CHECK struct status blob_account_file_write(int dir_fd, const struct blob_identity *identity);
/* NOT_FOUND: there is none. */
MUST_CHECK struct status blob_account_file_read(int dir_fd, struct blob_identity *ret_identity);
