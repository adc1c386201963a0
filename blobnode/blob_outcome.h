#pragma once

/* What became of one item, as in proto/blob.proto (the numbers are the same). */

enum blob_outcome {
    BLOB_NONE = 0,
    BLOB_STORED = 1,  /* Written and synced. */
    BLOB_SAME = 2,    /* Was there, equal, and is synced. */
    BLOB_DIFFERS = 3, /* Was there with other bytes: an alert. */
    BLOB_TRASHED = 4, /* In the trash: refused. */
    BLOB_FULL = 5,
    BLOB_NOT_FOUND = 6,
    BLOB_CORRUPT = 7, /* What lies there is damaged. */
    BLOB_FOUND = 8,
    BLOB_INVALID = 9,
    BLOB_FAILED = 10, /* A write or sync failed: not stored. */
};

/* Bounds that node and client share. */
enum {
    BLOB_ITEMS_MAX = 256,                     /* Of one call. */
    BLOB_SIZE_MAX = 64 * 1024 * 1024 + 65536, /* Of one blob: a chunk of 64 MiB, sealed. */
    BLOB_CALL_BYTES_MAX = BLOB_SIZE_MAX,      /* Payload of one call. */
    BLOB_MESSAGE_MAX = BLOB_SIZE_MAX + 65536, /* message_max of server and client. */
    BLOB_ENUMERATE_MAX = 4096,                /* Entries of one page. */
};
