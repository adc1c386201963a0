#pragma once

/* Which names S3 allows. */

#include "lib/base/bytes.h"

enum { BUCKET_NAME_MIN = 3, BUCKET_NAME_MAX = 63, BUCKET_NAME_KEY_MAX = 1024 };

/*
 * 3 to 63 characters of a-z 0-9 . -, beginning and ending with a letter or digit, no ".." nor
 * "-." nor ".-", not an IPv4 address, not one of the prefixes and suffixes that S3 reserves.
 */
bool bucket_name_is_valid(struct bytes name);

/* 1 to 1024 bytes without a NUL. Bytes that are not UTF-8 are allowed. */
bool bucket_name_key_is_valid(struct bytes key);
