#pragma once

/* CRC-64/NVME, S3's x-amz-checksum-crc64nvme: what the AWS CLI sends by default. Any thread. */

#include "lib/base/bytes.h"

/* The CRC of bytes, continued from crc (0 at first). */
uint64_t s3_crc64_nvme(uint64_t crc, struct bytes bytes);
