/* Records with a length before and a checksum behind them, and big-endian numbers, over a reader that never
 * passes its end. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_READ_H
#define CAIRN_METRICS_PROMTSDB_PROM_READ_H

#include "codec/crc32c.h"
#include "codec/varint.h"
#include "metrics/promtsdb/prom_format.h"

static inline uint32_t read_be32(struct reader *r)
{
    struct str s = read_bytes(r, 4);
    return s.p ? prom_be32(s.p) : 0;
}

static inline uint64_t read_be64(struct reader *r)
{
    struct str s = read_bytes(r, 8);
    return s.p ? prom_be64(s.p) : 0;
}

/* Reads n bytes and the checksum over them; bad when it differs. */
static inline struct str read_checked(struct reader *r, size_t n)
{
    struct str s = read_bytes(r, n);
    uint32_t crc = read_be32(r);
    if (!r->bad && crc != crc32c(0, s.p, s.n)) {
        r->bad = true;
    }
    return r->bad ? (struct str){0} : s;
}

/* From an offset on; bad when that is past the end. */
static inline struct reader reader_from(struct str data, uint64_t offset)
{
    struct reader r = reader_of(offset <= data.n ? str_slice(data, (size_t)offset, data.n) : STR(""));
    r.bad = offset > data.n;
    return r;
}

#endif
