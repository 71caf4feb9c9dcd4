/* One segment file of the ingest log. Private to this folder.
 *
 * Layout, little-endian: header {magic u64, version u32, salt u32, first_offset u64, crc u32, zero u32}, then
 * records {length u32, crc u32, partition u32, zero u32, offset u64, payload}. A record's CRC32C covers
 * everything after it and starts from the segment's salt, so that what a reused file held before never passes
 * for a record. The salt is odd when the file was new, even when it was reused. */
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
/* Appends the framed record. */
void segment_frame(struct buf *b, uint32_t salt, unsigned partition, uint64_t offset, const struct str *parts,
                   size_t part_count);

struct segment_record {
    unsigned partition;
    uint64_t offset;
    struct str payload;
};

/* Where in a segment a reader is, and what it could not read so far. */
struct segment_walk {
    struct str file;
    bool mended; /* one flipped bit of the header was found and put right in memory */
    bool fresh;  /* nothing was in the file before: what is no record is damage */
    uint32_t salt;
    size_t pos;
    uint64_t expected;      /* the next record's offset is at least this */
    uint64_t damaged_bytes; /* passed over */
    uint64_t damaged_at;    /* the first of them */
};

/* False: not a segment, or not the one that begins with the record `first_offset` (a reused file whose new
 * header never reached the disk); *ret_damaged tells when that is damage. */
bool segment_walk_begin(struct segment_walk *w, struct str file, uint64_t first_offset, bool *ret_damaged);
/* The next whole record; damaged ones are passed over and counted. False at the end. */
bool segment_walk_next(struct segment_walk *w, struct segment_record *ret_record);

#endif
