/* CRC32C by Intel's isa-l, which picks the processor's instructions at run time. */
#include "codec/crc32c.h"

#include <isa-l/crc.h>

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    const char *at = p;
    crc = ~crc;
    while (n) {
        int part = n > (1 << 30) ? 1 << 30 : (int)n;
        crc = crc32_iscsi((unsigned char *)(uintptr_t)at, part, crc);
        at += part;
        n -= (size_t)part;
    }
    return ~crc;
}
