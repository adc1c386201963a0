#include "frontend/s3_crc64.h"

#include <endian.h>
#include <pthread.h>

/* The polynomial, bits reversed. ISA-L of Debian 12 has other CRC-64s, not this one. */
static const uint64_t POLYNOMIAL = 0x9a6c9329ac4bc9b5;

enum { SLICES = 8 };

/* tables[s][b]: what byte b does to the CRC when s more bytes follow it. */
static uint64_t tables[SLICES][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void fill_tables(void)
{
    for (uint64_t byte = 0; byte < 256; byte++) {
        uint64_t crc = byte;
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc % 2 == 1 ? POLYNOMIAL : 0);
        }
        tables[0][byte] = crc;
    }
    for (unsigned slice = 1; slice < SLICES; slice++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint64_t last = tables[slice - 1][byte];
            tables[slice][byte] = last >> 8 ^ tables[0][last & 0xff];
        }
    }
}

static uint64_t load_little_endian(const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof(value));
    return le64toh(value);
}

uint64_t s3_crc64_nvme(uint64_t crc, struct bytes bytes)
{
    pthread_once(&tables_once, fill_tables);
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    crc = ~crc;
    for (; left >= SLICES; at += SLICES, left -= SLICES) {
        uint64_t word = crc ^ load_little_endian(at);
        crc = 0;
        for (unsigned i = 0; i < SLICES; i++) {
            crc ^= tables[SLICES - 1 - i][word >> (8 * i) & 0xff];
        }
    }
    for (; left > 0; at++, left--) {
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xff];
    }
    return ~crc;
}
