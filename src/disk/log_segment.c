/* Framing of the ingest log. */
#include "disk/log_segment.h"

#include "codec/crc32c.h"
#include "disk/ingest_log.h"

static const uint64_t segment_magic = UINT64_C(0x31474f4c4e524943); /* "CIRNLOG1" */

static void put_u32(char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (char)(v >> (8 * i));
    }
}

static void put_u64(char *p, uint64_t v)
{
    put_u32(p, (uint32_t)v);
    put_u32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t get_u32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

static uint64_t get_u64(const char *p)
{
    return (uint64_t)get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

void segment_header_encode(char out[SEGMENT_HEADER_BYTES], const struct segment_header *h)
{
    put_u64(out, segment_magic);
    put_u32(out + 8, 1);
    put_u32(out + 12, h->salt);
    put_u64(out + 16, h->first_offset);
    put_u32(out + 24, crc32c(0, out, 24));
    put_u32(out + 28, 0);
}

bool segment_header_decode(struct str file, struct segment_header *ret_header)
{
    if (file.n < SEGMENT_HEADER_BYTES || get_u64(file.p) != segment_magic || get_u32(file.p + 8) != 1 ||
        get_u32(file.p + 24) != crc32c(0, file.p, 24)) {
        return false;
    }
    ret_header->salt = get_u32(file.p + 12);
    ret_header->first_offset = get_u64(file.p + 16);
    return true;
}

void segment_frame(struct buf *b, uint32_t salt, unsigned partition, uint64_t offset, const struct str *parts,
                   size_t part_count)
{
    char header[RECORD_HEADER_BYTES];
    size_t length = 0;
    for (size_t i = 0; i < part_count; i++) {
        length += parts[i].n;
    }
    put_u32(header, (uint32_t)length);
    put_u32(header + 8, partition);
    put_u32(header + 12, 0);
    put_u64(header + 16, offset);
    uint32_t crc = crc32c(salt ^ (uint32_t)length, header + 8, RECORD_HEADER_BYTES - 8);
    for (size_t i = 0; i < part_count; i++) {
        crc = crc32c(crc, parts[i].p, parts[i].n);
    }
    put_u32(header + 4, crc);
    buf_append(b, header, sizeof(header));
    for (size_t i = 0; i < part_count; i++) {
        buf_str(b, parts[i]);
    }
}

static bool all_zero(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i]) {
            return false;
        }
    }
    return true;
}

enum segment_end segment_next(struct str file, uint32_t salt, size_t *pos, uint64_t expected,
                              struct segment_record *ret_record)
{
    const char *p = file.p + *pos;
    size_t left = file.n - *pos;
    if (left < RECORD_HEADER_BYTES) {
        return left == 0 || all_zero(str_of(p, left)) ? SEGMENT_CLEAN : SEGMENT_TORN;
    }
    uint32_t length = get_u32(p);
    uint64_t offset = get_u64(p + 16);
    if (length <= left - RECORD_HEADER_BYTES) {
        uint32_t crc = crc32c(salt ^ length, p + 8, RECORD_HEADER_BYTES - 8 + (size_t)length);
        if (crc == get_u32(p + 4)) {
            *ret_record =
                (struct segment_record){get_u32(p + 8), offset, str_of(p + RECORD_HEADER_BYTES, length)};
            *pos += RECORD_HEADER_BYTES + (size_t)length;
            return SEGMENT_RECORD;
        }
    }
    /* What an earlier use of the file left has another salt and older offsets. */
    return offset == expected ? SEGMENT_TORN : SEGMENT_CLEAN;
}
