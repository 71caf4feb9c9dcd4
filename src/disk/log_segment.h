/* One segment file of the ingest log. Private to this folder.
 *
 * Layout, little-endian: header {magic u64, version u32, salt u32, first_offset u64, crc u32, zero u32}, then
 * records {length u32, crc u32, partition u32, zero u32, offset u64, payload}. A record's CRC32C covers
 * everything after it and starts from the segment's salt, so that what a reused file held before never passes
 * for a record. */
#ifndef CAIRN_DISK_LOG_SEGMENT_H
#define CAIRN_DISK_LOG_SEGMENT_H

#include "base/buf.h"
#include "base/err.h"

enum {
    SEGMENT_HEADER_BYTES = 32,
    RECORD_HEADER_BYTES = 24
};

struct segment_header {
    uint32_t salt;
    uint64_t first_offset;
};

void segment_header_encode(char out[SEGMENT_HEADER_BYTES], const struct segment_header *h);
/* False: not a segment. */
bool segment_header_decode(struct str file, struct segment_header *ret_header);
/* Appends the framed record. */
void segment_frame(struct buf *b, uint32_t salt, unsigned partition, uint64_t offset, const struct str *parts,
                   size_t part_count);

struct segment_record {
    unsigned partition;
    uint64_t offset;
    struct str payload;
};

enum segment_end {
    SEGMENT_RECORD = 0, /* *ret_record is filled */
    SEGMENT_CLEAN,      /* nothing more was written here */
    SEGMENT_TORN        /* a record begins here but is damaged or cut off */
};

/* The record at *pos, which moves behind it. `expected` is the offset the next record has at least. */
enum segment_end segment_next(struct str file, uint32_t salt, size_t *pos, uint64_t expected,
                              struct segment_record *ret_record);

#endif
