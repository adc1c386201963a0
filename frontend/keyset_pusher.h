#pragma once

/*
 * Keysets on their way to the blob nodes (DESIGN 3): a node trusts the signature, not who pushes,
 * and refuses everything once its keyset is too old. A thread looks every 20 s, and at once when
 * asked, and pushes where a node has an older one than the wallet. Any thread.
 */

#include "blobnode/blob_client.h"
#include "contentdb/account_directory.h"
#include "keystore/key_wallet.h"

struct keyset_pusher;

/* All three outlive the thread. */
MUST_CHECK struct status keyset_pusher_start(
    struct account_directory *directory, struct key_wallet *wallet, struct blob_client *blobs,
    struct keyset_pusher **ret_pusher);

/* Look now: a node named another version than before. Does not block. */
void keyset_pusher_hurry(struct keyset_pusher *pusher);

/* Ends the thread; keyset_pusher_hurry still may be called, and does nothing. NULL is allowed. */
void keyset_pusher_stop(struct keyset_pusher *pusher);

/* Stops first. */
void keyset_pusher_free(struct keyset_pusher *pusher);

DEFINE_OWNED(keyset_pusher)
