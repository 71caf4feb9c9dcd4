/* Files of head chunks: header, then ref, min, max, encoding, length, data, checksum over all of it. */
#include "metrics/promtsdb/prom_head_chunks.h"

#include <stdio.h>

#include "disk/file.h"
#include "metrics/promtsdb/prom_read.h"

static void bad(struct prom_head_report *report, const char *name, size_t at, const char *what)
{
    report->bad++;
    if (!report->where[0]) {
        (void)snprintf(report->where, sizeof(report->where), "%.150s at byte %zu: %s", name, at, what);
    }
}

static bool zeros(const struct reader *r)
{
    for (const uint8_t *p = r->p; p < r->end; p++) {
        if (*p) {
            return false;
        }
    }
    return true;
}

/* False at the end, where preallocated zeros follow; r->bad when the chunk is damaged or, *ret_torn, cut off.
 */
static bool chunk_next(struct reader *r, struct prom_head_chunk *ret_c, bool *ret_torn)
{
    const char *begin = (const char *)r->p;
    if (zeros(r)) { /* looks at one byte, unless it is the end */
        return false;
    }
    struct prom_head_chunk c = {.ref = read_be64(r)};
    c.min_ts = (ts_ms)read_be64(r);
    c.max_ts = (ts_ms)read_be64(r);
    unsigned encoding = read_u8(r);
    c.data = read_str(r);
    *ret_torn = r->bad || reader_left(r) < PROM_CRC_BYTES;
    if (*ret_torn) {
        r->bad = true;
        return false;
    }
    size_t n = (size_t)((const char *)r->p - begin);
    uint32_t crc = read_be32(r);
    if (crc != crc32c(0, begin, n)) {
        r->bad = true;
        return false;
    }
    c.encoding = encoding & ~(unsigned)PROM_ENC_OUT_OF_ORDER;
    c.out_of_order = encoding & PROM_ENC_OUT_OF_ORDER;
    *ret_c = c;
    return true;
}

enum err prom_head_file_read(struct str data, bool last, const char *name, prom_head_chunk_fn *fn, void *ctx,
                             struct prom_head_report *report)
{
    struct prom_head_chunk c;
    enum err e = ERR_OK;
    bool torn = false;
    report->files++;
    report->bytes += data.n;
    if (data.n == 0) { /* a crash right after it was made */
        return ERR_OK;
    }
    if (data.n < PROM_CHUNKS_HEADER_BYTES || prom_be32(data.p) != PROM_HEAD_CHUNKS_MAGIC ||
        data.p[4] != PROM_CHUNKS_VERSION) {
        bad(report, name, 0, "it does not begin as a file of head chunks does");
        return ERR_OK;
    }
    struct reader r = reader_from(data, PROM_CHUNKS_HEADER_BYTES);
    size_t at = PROM_CHUNKS_HEADER_BYTES;
    while (e == ERR_OK && chunk_next(&r, &c, &torn)) {
        report->chunks++;
        e = fn(ctx, &c);
        at = (size_t)((const char *)r.p - data.p);
    }
    if (r.bad && torn && last) {
        report->torn = true;
    } else if (r.bad) {
        bad(report, name, at, "a chunk is damaged or cut off");
    }
    return e;
}

static bool file_name(struct str name, uint64_t *ret_number)
{
    return name.n == 6 && str_to_u64(name, ret_number) == ERR_OK;
}

enum err prom_head_chunks_read(const char *dir, prom_head_chunk_fn *fn, void *ctx,
                               struct prom_head_report *report, struct err_info *info)
{
    struct arena a AUTO_ARENA;
    const struct str *names = NULL;
    size_t n = 0, last = 0;
    uint64_t number = 0;
    arena_init(&a, 0, NULL);
    if (!dir_is(dir)) {
        return ERR_OK;
    }
    enum err e = dir_list(dir, &a, &names, &n, info);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        last = file_name(names[i], &number) ? i : last;
    }
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        char path[4096];
        struct file_map map = {0};
        if (!file_name(names[i], &number)) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%.*s", dir, STR_FMT(names[i]));
        e = file_map(path, &map, info);
        if (e == ERR_OK) {
            e = prom_head_file_read(map.data, i == last, path, fn, ctx, report);
            file_unmap(&map);
        }
    }
    return e;
}
