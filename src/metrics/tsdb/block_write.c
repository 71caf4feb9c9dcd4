/* Writing blocks. The index of a section:
 *
 *   symbols = count, (length, bytes)*
 *   columns = count, (ticks, first time, length, times)*
 *   schemas = count, (labels, name symbol*)*
 *   pages   = count, (bytes, CRC32C u32)*
 *   series  = count, (schema, value symbol*, chunk count, chunk*)*
 *   chunk   = column + 1 (0: own times), first tick, samples, mode, min time,
 *             span, bytes of times, bytes of values, page
 *
 * Chunk data stands in the pages in the order of the chunks; a chunk never crosses pages. */
#include "base/hash.h"
#include "base/mem.h"
#include "codec/crc32c.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/block.h"
#include "metrics/tsdb/chunk.h"
#include "metrics/tsdb/index.h"
#include "metrics/tsdb/values.h"

struct section_writer {
    struct str tenant;
    unsigned partition;
    ts_ms min_ts, max_ts;
    struct index *symbols; /* used for its interning only */
    struct buf columns, schemas, pages, series, page, data;
    uint64_t column_count, schema_count, page_count, series_count;
    struct u64map schema_of;
    uint64_t column_hash; /* of the newest column */
    uint64_t bits[BLOCK_CHUNK_SAMPLES];
    uint8_t coded[BLOCK_CHUNK_SAMPLES * XOR_BYTES_PER_VALUE_MAX + XOR_SLACK_BYTES + 64];
    uint8_t times[BLOCK_CHUNK_SAMPLES * 10];
    struct buf rich; /* a chunk of rich samples */
};

static void section_free(struct section_writer *s)
{
    if (!s) {
        return;
    }
    index_unref(s->symbols);
    buf_done(&s->columns);
    buf_done(&s->schemas);
    buf_done(&s->pages);
    buf_done(&s->series);
    buf_done(&s->page);
    buf_done(&s->data);
    buf_done(&s->rich);
    u64map_done(&s->schema_of);
    mem_free(s);
}

enum err block_writer_begin(struct block_writer *w, const char *path, struct err_info *info)
{
    *w = (struct block_writer){.fd = -1, .min_ts = INT64_MAX, .max_ts = INT64_MIN};
    enum err e = file_open(path, FILE_WRITE_NEW, &w->fd, info);
    if (e == ERR_OK) {
        e = file_write(w->fd, BLOCK_MAGIC, BLOCK_MAGIC_BYTES, info);
        w->at = BLOCK_MAGIC_BYTES;
    }
    return e;
}

void block_writer_done(struct block_writer *w)
{
    section_free(w->section);
    buf_done(&w->footer);
    file_close(w->fd);
    *w = (struct block_writer){.fd = -1};
}

enum err block_section_begin(struct block_writer *w, struct str tenant, unsigned partition,
                             struct err_info *info)
{
    struct section_writer *s = mem_zalloc(sizeof(*s));
    if (!s || index_new(&s->symbols) != ERR_OK) {
        mem_free(s);
        return err_set(info, ERR_OOM, "no memory to write a block");
    }
    s->tenant = tenant;
    s->partition = partition;
    s->min_ts = INT64_MAX;
    s->max_ts = INT64_MIN;
    w->section = s;
    return ERR_OK;
}

static void page_close(struct section_writer *s)
{
    if (s->page.n == 0) {
        return;
    }
    write_varint(&s->pages, s->page.n);
    write_u32(&s->pages, crc32c(0, s->page.p, s->page.n));
    s->page_count++;
    buf_append(&s->data, s->page.p, s->page.n);
    buf_reset(&s->page);
}

/* The column of the ticks, written unless it is the newest one. */
static uint64_t column_of(struct section_writer *s, const ts_ms *ts, size_t n, struct buf *scratch)
{
    uint64_t hash = hash_bytes(ts, n * sizeof(*ts)) ^ n;
    if (s->column_count && s->column_hash == hash) {
        return s->column_count - 1;
    }
    s->column_hash = hash;
    buf_reset(scratch);
    char *p = buf_tail(scratch, times_bound(n));
    if (!p) {
        s->columns.err = scratch->err;
        return 0;
    }
    size_t bytes = times_encode(ts, n, (uint8_t *)p);
    write_varint(&s->columns, n);
    write_zigzag(&s->columns, ts[0]);
    write_str(&s->columns, str_of(p, bytes));
    return s->column_count++;
}

/* Interns the names and returns the schema's number. */
static enum err series_labels(struct section_writer *s, struct labels ls)
{
    uint32_t name = 0, value = 0;
    uint64_t key = ls.n;
    for (size_t i = 0; i < ls.n; i++) {
        if (index_intern(s->symbols, ls.l[i].name, &name) != ERR_OK) {
            return ERR_OOM;
        }
        key = hash_u64(key ^ name) + i;
    }
    if (u64map_reserve(&s->schema_of) != ERR_OK) {
        return ERR_OOM;
    }
    uint32_t *schema = u64map_place(&s->schema_of, key);
    if (*schema == UINT32_MAX) {
        *schema = (uint32_t)s->schema_count++;
        write_varint(&s->schemas, ls.n);
        for (size_t i = 0; i < ls.n; i++) {
            write_varint(&s->schemas, index_symbol_find(s->symbols, ls.l[i].name));
        }
    }
    write_varint(&s->series, *schema);
    for (size_t i = 0; i < ls.n; i++) {
        if (index_intern(s->symbols, ls.l[i].value, &value) != ERR_OK) {
            return ERR_OOM;
        }
        write_varint(&s->series, value);
    }
    return ERR_OK;
}

struct span { /* part of a series in a batch */
    const ts_ms *ts;
    const double *values;
    size_t n;
    bool shared;
    uint64_t column, first_tick;
    const struct histogram *const *histograms; /* these two may be NULL */
    const ts_ms *starts;
};

static struct sample_value span_value(const struct span *p, size_t i)
{
    struct sample_value v = {.h = p->histograms ? p->histograms[i] : NULL,
                             .start = p->starts ? p->starts[i] : 0};
    v.bits = v.h ? 0 : f64_bits(p->values[i]);
    return v;
}

static bool span_rich(const struct span *p, size_t from, size_t n)
{
    for (size_t i = from; (p->histograms || p->starts) && i < from + n; i++) {
        struct sample_value v = span_value(p, i);
        if (value_is_rich(&v)) {
            return true;
        }
    }
    return false;
}

/* The chunk's values as bytes, in s->coded or s->rich. */
static struct str chunk_encode(struct section_writer *s, const struct span *p, size_t from, size_t n,
                               uint8_t *mode)
{
    if (!span_rich(p, from, n)) {
        memcpy(s->bits, p->values + from, n * sizeof(*s->bits));
        size_t bytes = values_encode(s->bits, n, s->coded, mode);
        return str_of((const char *)s->coded, bytes);
    }
    struct rich_state state = {0};
    buf_reset(&s->rich);
    for (size_t i = from; i < from + n; i++) {
        struct sample_value v = span_value(p, i);
        rich_write(&s->rich, &state, &v);
    }
    if (s->rich.err != ERR_OK) {
        s->page.err = s->rich.err;
    }
    *mode = CHUNK_RICH;
    return buf_view(&s->rich);
}

static void chunk_write(struct section_writer *s, const struct span *p, size_t from, size_t n)
{
    uint8_t mode = 0;
    struct str coded = chunk_encode(s, p, from, n, &mode);
    size_t bytes = coded.n, times_bytes = 0;
    ts_ms first = p->ts[from], last = p->ts[from + n - 1];
    if (!p->shared) {
        times_bytes = times_encode(p->ts + from, n, s->times);
    }
    if (s->page.n && s->page.n + bytes + times_bytes > BLOCK_PAGE_BYTES) {
        page_close(s);
    }
    write_varint(&s->series, p->shared ? p->column + 1 : 0);
    write_varint(&s->series, p->shared ? p->first_tick + from : 0);
    write_varint(&s->series, n);
    write_u8(&s->series, mode);
    write_zigzag(&s->series, first);
    write_varint(&s->series, (uint64_t)last - (uint64_t)first);
    write_varint(&s->series, times_bytes);
    write_varint(&s->series, bytes);
    write_varint(&s->series, s->page_count);
    buf_append(&s->page, s->times, times_bytes);
    buf_append(&s->page, coded.p, bytes);
    s->min_ts = first < s->min_ts ? first : s->min_ts;
    s->max_ts = last > s->max_ts ? last : s->max_ts;
}

static size_t lower_bound(const ts_ms *ts, size_t n, ts_ms t)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (ts[mid] < t) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

enum err block_section_add(struct block_writer *w, const struct metric_batch *b, ts_ms from, ts_ms to,
                           struct err_info *info)
{
    struct section_writer *s = w->section;
    struct buf scratch AUTO_BUF = {0};
    size_t lo = lower_bound(b->ts, b->ts_count, from);
    size_t hi = to == INT64_MAX ? b->ts_count : lower_bound(b->ts, b->ts_count, to + 1);
    if (lo >= hi) {
        return ERR_OK;
    }
    bool shared = b->series_count > 1;
    uint64_t column = shared ? column_of(s, b->ts + lo, hi - lo, &scratch) : 0;
    for (uint32_t i = 0; i < b->series_count; i++) {
        const struct metric_series *m = &b->series[i];
        size_t first = m->clock_first > lo ? m->clock_first : lo;
        size_t last = m->clock_first + (size_t)m->count < hi ? m->clock_first + (size_t)m->count : hi;
        if (first >= last) {
            continue;
        }
        size_t skip = first - m->clock_first;
        struct span p = {.ts = b->ts + first,
                         .values = m->values + skip,
                         .n = last - first,
                         .shared = shared,
                         .column = column,
                         .first_tick = first - lo,
                         .histograms = m->histograms ? m->histograms + skip : NULL,
                         .starts = m->start_ts ? m->start_ts + skip : NULL};
        size_t step = p.histograms ? BLOCK_HISTOGRAM_SAMPLES : BLOCK_CHUNK_SAMPLES;
        if (series_labels(s, m->labels) != ERR_OK) {
            return err_set(info, ERR_OOM, "no memory to write a block");
        }
        write_varint(&s->series, (p.n + step - 1) / step);
        for (size_t at = 0; at < p.n; at += step) {
            chunk_write(s, &p, at, p.n - at < step ? p.n - at : step);
        }
        s->series_count++;
        w->samples += p.n;
    }
    return ERR_OK;
}

static enum err section_index(struct section_writer *s, struct buf *b)
{
    write_varint(b, s->symbols->symbol_count);
    for (size_t i = 0; i < s->symbols->symbol_count; i++) {
        write_str(b, s->symbols->symbols[i]);
    }
    const struct buf *parts[] = {&s->columns, &s->schemas, &s->pages, &s->series};
    uint64_t counts[] = {s->column_count, s->schema_count, s->page_count, s->series_count};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i]->err != ERR_OK) {
            return parts[i]->err;
        }
        write_varint(b, counts[i]);
        buf_append(b, parts[i]->p, parts[i]->n);
    }
    return b->err != ERR_OK ? b->err : s->data.err != ERR_OK ? s->data.err : s->page.err;
}

enum err block_section_end(struct block_writer *w, struct err_info *info)
{
    struct section_writer *s = w->section;
    struct buf index AUTO_BUF = {0};
    enum err e = ERR_OK;
    if (s->series_count) {
        page_close(s);
        e = section_index(s, &index);
        if (e != ERR_OK) {
            return err_set(info, e, "no memory to write a block");
        }
        write_str(&w->footer, s->tenant);
        write_varint(&w->footer, s->partition);
        write_varint(&w->footer, w->at);
        write_varint(&w->footer, index.n);
        write_u32(&w->footer, crc32c(0, index.p, index.n));
        write_zigzag(&w->footer, s->min_ts);
        write_zigzag(&w->footer, s->max_ts);
        write_varint(&w->footer, s->series_count);
        w->sections++;
        w->at += index.n + s->data.n;
        w->min_ts = s->min_ts < w->min_ts ? s->min_ts : w->min_ts;
        w->max_ts = s->max_ts > w->max_ts ? s->max_ts : w->max_ts;
        e = file_write(w->fd, index.p, index.n, info);
        e = e == ERR_OK ? file_write(w->fd, s->data.p, s->data.n, info) : e;
    }
    section_free(s);
    w->section = NULL;
    return e;
}

enum err block_writer_finish(struct block_writer *w, struct err_info *info)
{
    struct buf b AUTO_BUF = {0};
    write_u8(&b, BLOCK_VERSION);
    write_zigzag(&b, w->min_ts);
    write_zigzag(&b, w->max_ts);
    write_varint(&b, w->samples);
    write_varint(&b, w->sections);
    buf_append(&b, w->footer.p, w->footer.n);
    size_t n = b.n;
    write_u32(&b, (uint32_t)n);
    write_u32(&b, crc32c(0, b.p, n));
    buf_append(&b, BLOCK_MAGIC, BLOCK_MAGIC_BYTES);
    if (b.err != ERR_OK || w->footer.err != ERR_OK) {
        return err_set(info, ERR_OOM, "no memory to write a block");
    }
    enum err e = file_write(w->fd, b.p, b.n, info);
    w->at += b.n;
    e = e == ERR_OK ? file_sync_data(w->fd, info) : e;
    file_close(w->fd);
    w->fd = -1;
    return e;
}
