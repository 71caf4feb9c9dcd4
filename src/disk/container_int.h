/* What writer and reader of containers share. Private to this folder. */
#ifndef CAIRN_DISK_CONTAINER_INT_H
#define CAIRN_DISK_CONTAINER_INT_H

#include <stdint.h>

#define CONTAINER_MAGIC "CAIRNBLK"

enum {
    CONTAINER_MAGIC_BYTES = 8,
    CONTAINER_HEAD_BYTES = 16,
    CONTAINER_TAIL_BYTES = 16,
    CONTAINER_ALIGN = 8,
    CONTAINER_VERSION = 1
};

struct container_page_at {
    uint64_t offset;
    uint32_t length, crc;
};

#endif
