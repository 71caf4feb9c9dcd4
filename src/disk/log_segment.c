/* Framing of the ingest log. */
#include "disk/log_segment.h"

#include <string.h>

#include "codec/crc32c.h"
#include "disk/ingest_log.h"

enum {
    OFFSETS_AHEAD_MAX = 1 << 24 /* a full disk may refuse that many records in a row */
};

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

static bool header_decode(const char *p, struct segment_header *ret_header)
{
    if (get_u64(p) != segment_magic || get_u32(p + 8) != 1 || get_u32(p + 24) != crc32c(0, p, 24)) {
        return false;
    }
    ret_header->salt = get_u32(p + 12);
    ret_header->first_offset = get_u64(p + 16);
    return true;
}

/* Without its header no record of a segment can be told from nonsense. One flipped bit is found by trying
 * all: no other header passes the checksum and has the first offset that the file's name says. */
static bool header_mend(const char *p, uint64_t first_offset, struct segment_header *ret_header)
{
    char copy[SEGMENT_HEADER_BYTES];
    memcpy(copy, p, sizeof(copy));
    for (unsigned bit = 0; bit < 28 * 8; bit++) {
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        if (header_decode(copy, ret_header) && ret_header->first_offset == first_offset) {
            return true;
        }
        copy[bit / 8] = p[bit / 8];
    }
    return false;
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

bool segment_walk_begin(struct segment_walk *w, struct str file, uint64_t first_offset, bool *ret_damaged)
{
    struct segment_header h;
    *w = (struct segment_walk){.file = file, .pos = SEGMENT_HEADER_BYTES, .expected = first_offset};
    *ret_damaged = false;
    if (file.n < SEGMENT_HEADER_BYTES) {
        *ret_damaged = file.n > 0;
        return false;
    }
    if (!header_decode(file.p, &h)) {
        *ret_damaged = !all_zero(str_of(file.p, SEGMENT_HEADER_BYTES));
        w->mended = header_mend(file.p, first_offset, &h);
        if (!w->mended) {
            return false;
        }
    }
    w->salt = h.salt;
    w->fresh = h.salt & 1;
    return h.first_offset == first_offset;
}

/* The record at `pos`, when there is a whole one. */
static bool record_at(const struct segment_walk *w, size_t pos, struct segment_record *ret_record)
{
    const char *p = w->file.p + pos;
    size_t left = w->file.n - pos;
    if (left < RECORD_HEADER_BYTES) {
        return false;
    }
    uint32_t length = get_u32(p);
    uint64_t offset = get_u64(p + 16);
    if (length > left - RECORD_HEADER_BYTES || offset < w->expected ||
        crc32c(w->salt ^ length, p + 8, RECORD_HEADER_BYTES - 8 + (size_t)length) != get_u32(p + 4)) {
        return false;
    }
    *ret_record = (struct segment_record){get_u32(p + 8), offset, str_of(p + RECORD_HEADER_BYTES, length)};
    return true;
}

/* The next place behind `pos` at which a whole record stands; the file's size when there is none. What a
 * payload or an earlier use of the file has there does not pass for one: it cannot know the salt. */
static size_t resync(const struct segment_walk *w, size_t pos)
{
    struct segment_record unused;
    for (size_t at = pos + 1; at + RECORD_HEADER_BYTES <= w->file.n; at++) {
        const char *p = w->file.p + at;
        if (get_u32(p + 12) == 0 && get_u64(p + 16) - w->expected < (uint64_t)OFFSETS_AHEAD_MAX &&
            record_at(w, at, &unused)) {
            return at;
        }
    }
    return w->file.n;
}

/* How many bytes at the end are damage: a record was begun here, and this much of it is there. Zeros never
 * are; what an earlier use of the file left has older offsets. */
static uint64_t tail_damage(const struct segment_walk *w)
{
    const char *p = w->file.p + w->pos;
    size_t left = w->file.n - w->pos;
    if (all_zero(str_of(p, left))) {
        return 0;
    }
    if (left < RECORD_HEADER_BYTES) {
        return left;
    }
    uint32_t length = get_u32(p);
    bool fits = length <= left - RECORD_HEADER_BYTES;
    char header[RECORD_HEADER_BYTES - 8]; /* as it was, should a bit of the offset be wrong */
    memcpy(header, p + 8, 8);
    put_u64(header + 8, w->expected);
    bool begun = get_u64(p + 16) - w->expected < (uint64_t)OFFSETS_AHEAD_MAX;
    if (!begun && fits) {
        uint32_t crc = crc32c(w->salt ^ length, header, sizeof(header));
        begun = crc32c(crc, p + RECORD_HEADER_BYTES, length) == get_u32(p + 4);
    }
    if (!begun && !w->fresh) {
        return 0;
    }
    return begun && fits ? RECORD_HEADER_BYTES + (uint64_t)length : left;
}

bool segment_walk_next(struct segment_walk *w, struct segment_record *ret_record)
{
    if (w->pos >= w->file.n) {
        return false;
    }
    if (!record_at(w, w->pos, ret_record)) {
        size_t at = resync(w, w->pos);
        uint64_t bytes = at < w->file.n ? at - w->pos : tail_damage(w);
        w->damaged_at = w->damaged_bytes || !bytes ? w->damaged_at : w->pos;
        w->damaged_bytes += bytes;
        w->pos = at;
        if (at >= w->file.n || !record_at(w, at, ret_record)) {
            return false;
        }
    }
    w->pos += RECORD_HEADER_BYTES + ret_record->payload.n;
    w->expected = ret_record->offset + 1;
    return true;
}
