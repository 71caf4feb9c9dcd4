/* CRC32C (Castagnoli), as iSCSI, Prometheus' WAL and snappy framing use it. Hardware where there is some. */
#ifndef CAIRN_CODEC_CRC32C_H
#define CAIRN_CODEC_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Checksum of the bytes, continuing `crc` (0 to begin). */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

#endif
