/* Segments of 32 KiB pages; records in fragments that never cross a segment. */
#include "metrics/promtsdb/prom_log.h"

#include <stdio.h>

#include "codec/compress.h"
#include "codec/crc32c.h"
#include "disk/file.h"
#include "metrics/promtsdb/prom_format.h"

enum {
    RECORD_BYTES_MAX = 256 << 20 /* a scrape of millions of samples is a tenth of it */
};

struct segment {
    const uint8_t *p;
    size_t n, at;
    const char *name;
    const struct prom_log_visitor *v;
    struct prom_log_report *report;
    struct buf record, plain;
    struct arena a; /* of one record */
};

static void bad(struct segment *s, const char *what)
{
    s->report->bad++;
    if (!s->report->where[0]) {
        (void)snprintf(s->report->where, sizeof(s->report->where), "%.150s at byte %zu: %s", s->name, s->at,
                       what);
    }
}

struct fragment {
    unsigned type, compression;
    struct str data;
};

enum fragment_end {
    FRAGMENT_OK,
    FRAGMENT_END,  /* of the segment */
    FRAGMENT_TORN, /* it is cut off */
    FRAGMENT_BAD
};

/* The rest of a page that has no room for a fragment, or is padded, is zeros. */
static bool page_rest(struct segment *s)
{
    size_t end = (s->at / PROM_WAL_PAGE_BYTES + 1) * PROM_WAL_PAGE_BYTES;
    end = end < s->n ? end : s->n;
    while (s->at < end && s->p[s->at] == 0) {
        s->at++;
    }
    return s->at == end;
}

static enum fragment_end fragment_next(struct segment *s, struct fragment *ret_f)
{
    while (s->at < s->n && s->p[s->at] == PROM_WAL_PAGE_END) {
        if (!page_rest(s)) {
            return FRAGMENT_BAD;
        }
    }
    if (s->at == s->n) {
        return FRAGMENT_END;
    }
    const uint8_t *h = s->p + s->at;
    if (s->n - s->at < PROM_WAL_HEADER_BYTES) {
        return FRAGMENT_TORN;
    }
    size_t length = prom_be16(h + 1);
    if (s->at % PROM_WAL_PAGE_BYTES + PROM_WAL_HEADER_BYTES + length > PROM_WAL_PAGE_BYTES) {
        return FRAGMENT_BAD; /* a fragment never leaves its page */
    }
    if (s->n - s->at - PROM_WAL_HEADER_BYTES < length) {
        return FRAGMENT_TORN;
    }
    *ret_f = (struct fragment){.type = h[0] & PROM_WAL_TYPE_MASK,
                               .compression = h[0] & (PROM_WAL_SNAPPY | PROM_WAL_ZSTD),
                               .data = str_of((const char *)h + PROM_WAL_HEADER_BYTES, length)};
    if (prom_be32(h + 3) != crc32c(0, ret_f->data.p, length)) {
        return FRAGMENT_BAD;
    }
    s->at += PROM_WAL_HEADER_BYTES + length;
    return FRAGMENT_OK;
}

/* The fragments of a record put together in s->record. */
static enum fragment_end record_next(struct segment *s, unsigned *ret_compression)
{
    buf_reset(&s->record);
    for (bool begun = false;;) {
        struct fragment f = {0};
        enum fragment_end end = fragment_next(s, &f);
        if (end != FRAGMENT_OK) {
            return end == FRAGMENT_END && begun ? FRAGMENT_TORN : end;
        }
        bool first = f.type == PROM_WAL_FULL || f.type == PROM_WAL_FIRST;
        if (first == begun || f.type > PROM_WAL_LAST) {
            return FRAGMENT_BAD;
        }
        begun = true;
        buf_str(&s->record, f.data);
        if (f.type == PROM_WAL_FULL || f.type == PROM_WAL_LAST) {
            *ret_compression = f.compression;
            return FRAGMENT_OK;
        }
    }
}

static enum err record_plain(struct segment *s, unsigned compression, struct str *ret_record)
{
    *ret_record = buf_view(&s->record);
    if (s->record.err != ERR_OK || compression == 0 || s->record.n == 0) {
        return s->record.err == ERR_LIMIT ? ERR_CORRUPT : s->record.err;
    }
    buf_reset(&s->plain);
    enum err e = decompress_bytes(compression & PROM_WAL_SNAPPY ? COMPRESS_SNAPPY : COMPRESS_ZSTD,
                                  *ret_record, RECORD_BYTES_MAX, &s->plain, NULL);
    *ret_record = buf_view(&s->plain);
    return e == ERR_LIMIT ? ERR_CORRUPT : e;
}

enum err prom_segment_read(struct str data, bool last, const char *name, const struct prom_log_visitor *v,
                           struct prom_log_report *report)
{
    struct segment s = {.p = (const uint8_t *)data.p,
                        .n = data.n,
                        .name = name,
                        .v = v,
                        .report = report,
                        .record = {.size_bytes_max = RECORD_BYTES_MAX},
                        .plain = {.size_bytes_max = RECORD_BYTES_MAX}};
    unsigned compression = 0;
    enum err e = ERR_OK;
    enum fragment_end end = FRAGMENT_OK;
    arena_init(&s.a, 0, NULL);
    while (e == ERR_OK && (end = record_next(&s, &compression)) == FRAGMENT_OK) {
        struct str record;
        e = record_plain(&s, compression, &record);
        e = e == ERR_OK ? prom_record_read(record, &s.a, v) : e;
        arena_reset(&s.a);
        report->records++;
        if (e == ERR_CORRUPT) { /* its fragments were whole: the next record can be found */
            bad(&s, "a record makes no sense");
            e = ERR_OK;
        }
    }
    if (e == ERR_OK && end == FRAGMENT_TORN && last) {
        report->torn = true;
    } else if (e == ERR_OK && end != FRAGMENT_END) {
        bad(&s, end == FRAGMENT_TORN ? "the segment is cut off" : "a record is damaged");
    }
    report->segments++;
    report->bytes += data.n;
    arena_done(&s.a);
    buf_done(&s.record);
    buf_done(&s.plain);
    return e;
}

/* -- the folder ------------------------------------------------------------------------------------------ */

static bool number_of(struct str name, struct str prefix, uint64_t *ret_number)
{
    struct str digits = str_starts(name, prefix) ? str_slice(name, prefix.n, name.n) : (struct str){0};
    return digits.n == 8 && str_to_u64(digits, ret_number) == ERR_OK;
}

static enum err file_read(const char *dir, struct str name, bool last, const struct prom_log_visitor *v,
                          struct prom_log_report *report, struct err_info *info)
{
    char path[4096];
    struct file_map map = {0};
    (void)snprintf(path, sizeof(path), "%s/%.*s", dir, STR_FMT(name));
    enum err e = file_map(path, &map, info);
    if (e == ERR_OK) {
        e = prom_segment_read(map.data, last, path, v, report);
        file_unmap(&map);
        if (e == ERR_OOM) {
            (void)err_set(info, e, "no memory to read %s", path);
        }
    }
    return e;
}

/* The segments of a folder from a number on. */
static enum err folder_read(const char *dir, uint64_t from, bool last_torn, const struct prom_log_visitor *v,
                            struct prom_log_report *report, struct err_info *info)
{
    struct arena a AUTO_ARENA;
    const struct str *names = NULL;
    size_t n = 0, last = 0;
    uint64_t number = 0;
    arena_init(&a, 0, NULL);
    enum err e = dir_list(dir, &a, &names, &n, info);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        last = number_of(names[i], STR(""), &number) ? i : last;
    }
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        if (number_of(names[i], STR(""), &number) && number >= from) {
            e = file_read(dir, names[i], last_torn && i == last, v, report, info);
        }
    }
    return e;
}

enum err prom_log_read(const char *dir, const struct prom_log_visitor *v, struct prom_log_report *report,
                       struct err_info *info)
{
    struct arena a AUTO_ARENA;
    const struct str *names = NULL;
    char checkpoint[4096] = "";
    size_t n = 0;
    uint64_t number = 0, from = 0;
    arena_init(&a, 0, NULL);
    if (!dir_is(dir)) {
        return ERR_OK;
    }
    enum err e = dir_list(dir, &a, &names, &n, info);
    for (size_t i = 0; e == ERR_OK && i < n; i++) { /* ascending: the last is the newest */
        if (number_of(names[i], STR("checkpoint."), &number)) {
            (void)snprintf(checkpoint, sizeof(checkpoint), "%s/%.*s", dir, STR_FMT(names[i]));
            from = number + 1;
        }
    }
    if (e == ERR_OK && checkpoint[0]) {
        e = folder_read(checkpoint, 0, false, v, report, info);
    }
    return e == ERR_OK ? folder_read(dir, from, true, v, report, info) : e;
}
