/* Opening an index, symbols, series. */
#include "metrics/promtsdb/prom_index.h"

#include <stdlib.h>

#include "base/mem.h"
#include "metrics/promtsdb/prom_index_int.h"
#include "metrics/promtsdb/prom_read.h"

enum {
    SYMBOL_MARK = 8
};

/* A section: length, content, checksum. */
static struct str section(const struct prom_index *ix, uint64_t offset)
{
    struct reader r = reader_from(ix->data, offset);
    uint32_t n = read_be32(&r);
    struct str s = read_checked(&r, n);
    return r.bad ? (struct str){0} : s;
}

static enum err toc_read(struct prom_index *ix, struct err_info *info)
{
    size_t n = ix->data.n;
    if (n < PROM_INDEX_HEADER_BYTES + PROM_INDEX_TOC_BYTES) {
        return err_set(info, ERR_CORRUPT, "the index has %zu bytes: it is cut off", n);
    }
    if (prom_be32(ix->data.p) != PROM_INDEX_MAGIC) {
        return err_set(info, ERR_CORRUPT, "the index does not begin as an index does");
    }
    ix->version = (uint8_t)ix->data.p[4];
    if (ix->version < PROM_INDEX_V1 || ix->version > PROM_INDEX_V3) {
        return err_set(info, ERR_UNSUPPORTED, "the index has version %u; known are 1 to 3", ix->version);
    }
    struct reader r = reader_from(ix->data, n - PROM_INDEX_TOC_BYTES);
    struct str toc = read_checked(&r, PROM_INDEX_TOC_BYTES - PROM_CRC_BYTES);
    if (r.bad) {
        return err_set(info, ERR_CORRUPT, "the table of contents at the index's end is damaged or cut off");
    }
    struct reader t = reader_of(toc);
    for (int i = 0; i < PROM_TOC_ENTRIES; i++) {
        ix->toc[i] = read_be64(&t);
    }
    return ERR_OK;
}

static enum err symbols_read(struct prom_index *ix, struct err_info *info)
{
    struct str s = section(ix, ix->toc[PROM_TOC_SYMBOLS]);
    struct reader r = reader_of(s);
    uint32_t n = s.p ? read_be32(&r) : 0;
    if (!s.p || r.bad || n > reader_left(&r)) {
        return err_set(info, ERR_CORRUPT, "the symbols of the index are damaged");
    }
    ix->symbol_marks = mem_array(n / SYMBOL_MARK + 1, sizeof(*ix->symbol_marks));
    if (!ix->symbol_marks) {
        return err_set(info, ERR_OOM, "no memory for the symbols of an index");
    }
    for (uint32_t i = 0; i < n && !r.bad; i++) {
        if (i % SYMBOL_MARK == 0) {
            ix->symbol_marks[i / SYMBOL_MARK] = (uint64_t)((const char *)r.p - ix->data.p);
        }
        (void)read_str(&r);
    }
    ix->symbol_count = n;
    return r.bad ? err_set(info, ERR_CORRUPT, "the symbols of the index end early") : ERR_OK;
}

/* The text of a symbol, p == NULL when there is none. In v1 the symbol is its place. */
static struct str symbol(const struct prom_index *ix, uint64_t s)
{
    if (ix->version == PROM_INDEX_V1) {
        struct reader r = reader_from(ix->data, s);
        return read_str(&r);
    }
    if (s >= ix->symbol_count) {
        return (struct str){0};
    }
    struct reader r = reader_from(ix->data, ix->symbol_marks[s / SYMBOL_MARK]);
    for (uint64_t i = 0; i < s % SYMBOL_MARK; i++) {
        (void)read_str(&r);
    }
    return read_str(&r);
}

static enum err series_labels(const struct prom_index *ix, struct reader *r, struct arena *a,
                              struct labels *ret_ls)
{
    uint64_t n = read_varint(r);
    if (r->bad || n > reader_left(r)) {
        return ERR_CORRUPT;
    }
    struct label *l = arena_array(a, n + 1, sizeof(*l));
    size_t kept = 0;
    if (!l) {
        return arena_err(a);
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t name = read_varint(r), value = read_varint(r);
        l[kept] = (struct label){symbol(ix, name), symbol(ix, value)};
        if (r->bad || !l[kept].name.p || !l[kept].value.p) {
            return ERR_CORRUPT;
        }
        if (kept && str_cmp(l[kept - 1].name, l[kept].name) >= 0) {
            return ERR_CORRUPT;
        }
        kept += l[kept].value.n > 0;
    }
    *ret_ls = (struct labels){l, kept};
    return ERR_OK;
}

static enum err series_chunks(struct reader *r, struct arena *a, struct prom_series *s)
{
    uint64_t n = read_varint(r);
    if (r->bad || n > reader_left(r)) {
        return ERR_CORRUPT;
    }
    struct prom_chunk_meta *c = arena_array(a, n + 1, sizeof(*c));
    if (!c) {
        return arena_err(a);
    }
    uint64_t ts = 0, ref = 0;
    for (uint64_t i = 0; i < n; i++) {
        ts = i ? ts + read_varint(r) : (uint64_t)read_zigzag(r);
        c[i].min_ts = (ts_ms)ts;
        ts += read_varint(r);
        c[i].max_ts = (ts_ms)ts;
        ref += i ? (uint64_t)read_zigzag(r) : read_varint(r);
        c[i].ref = ref;
    }
    s->chunks = c;
    s->chunk_count = (size_t)n;
    return r->bad ? ERR_CORRUPT : ERR_OK;
}

enum err prom_index_series(const struct prom_index *ix, uint32_t id, struct arena *a,
                           struct prom_series *ret_series)
{
    uint64_t offset = ix->version == PROM_INDEX_V1 ? id : (uint64_t)id * PROM_INDEX_SERIES_ALIGN;
    struct reader r = reader_from(ix->data, offset);
    size_t n = (size_t)read_varint(&r);
    struct str body = read_checked(&r, n);
    if (r.bad) {
        return ERR_CORRUPT;
    }
    struct prom_series s = {0};
    struct reader b = reader_of(body);
    enum err e = series_labels(ix, &b, a, &s.labels);
    e = e == ERR_OK ? series_chunks(&b, a, &s) : e;
    if (e == ERR_OK) {
        *ret_series = s;
    }
    return e;
}

enum err prom_index_parse(struct str data, struct prom_index *ret_ix, struct err_info *info)
{
    struct prom_index ix = {.data = data};
    enum err e = toc_read(&ix, info);
    e = e == ERR_OK ? symbols_read(&ix, info) : e;
    if (e == ERR_OK) {
        ix.table = section(&ix, ix.toc[PROM_TOC_POSTINGS_TABLE]);
        e = ix.table.p ? prom_table_read(&ix, info)
                       : err_set(info, ERR_CORRUPT, "the table of postings in the index is damaged");
    }
    if (e != ERR_OK) {
        prom_index_done(&ix);
        return e;
    }
    *ret_ix = ix;
    return ERR_OK;
}

enum err prom_index_open(const char *path, struct prom_index *ret_ix, struct err_info *info)
{
    struct file_map map = {0};
    enum err e = file_map(path, &map, info);
    if (e != ERR_OK) {
        return e;
    }
    e = prom_index_parse(map.data, ret_ix, info);
    if (e != ERR_OK) {
        file_unmap(&map);
        return e;
    }
    ret_ix->map = map;
    return ERR_OK;
}

void prom_index_done(struct prom_index *ix)
{
    mem_free(ix->symbol_marks);
    mem_free(ix->names);
    mem_free(ix->marks);
    mem_free(ix->pairs);
    file_unmap(&ix->map);
    *ix = (struct prom_index){0};
}
