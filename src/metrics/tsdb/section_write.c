/* Sections of blocks; their format is in docs/formats/metrics-block.md. */
#include "metrics/tsdb/section_write.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "codec/crc32c.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/chunk.h"
#include "metrics/tsdb/index.h"
#include "metrics/tsdb/values.h"

/* A series as it waits for the index; its chunk entries are in `chunks`. */
struct waiting {
    uint32_t schema, chunk_count, page, page_at;
    size_t values;             /* of its value symbols in `values` */
    size_t chunks, chunks_end; /* in `chunks` */
};

struct section_writer {
    int fd;
    struct section_summary sum;
    struct index *symbols; /* used for its interning only */
    struct buf columns, chunks, pages, page;
    struct buf schema_names; /* uint32_t symbols of all schemas, one after the other */
    struct buf values;       /* uint32_t symbols of all series */
    struct buf schema_ends;  /* uint32_t, in schema_names */
    struct buf series;       /* struct waiting */
    uint32_t column_count, schema_count, page_count;
    struct u64map schema_of;
    uint64_t column_hash; /* of the newest column */
    uint32_t column_ticks;
    /* What the chunk before in the same series leaves. */
    struct {
        bool any;
        uint64_t column, tick_end;
        uint32_t page;
    } last;
    uint64_t bits[BLOCK_CHUNK_SAMPLES];
    uint8_t coded[BLOCK_CHUNK_SAMPLES * XOR_BYTES_PER_VALUE_MAX + XOR_SLACK_BYTES + 64];
    uint8_t times[BLOCK_CHUNK_SAMPLES * 10];
    struct buf rich; /* a chunk of rich samples */
};

enum err section_writer_new(int fd, struct section_writer **ret_s)
{
    struct section_writer *s = mem_zalloc(sizeof(*s));
    if (!s || index_new(&s->symbols) != ERR_OK) {
        mem_free(s);
        return ERR_OOM;
    }
    s->fd = fd;
    s->sum.min_ts = INT64_MAX;
    s->sum.max_ts = INT64_MIN;
    *ret_s = s;
    return ERR_OK;
}

void section_writer_free(struct section_writer *s)
{
    if (!s) {
        return;
    }
    index_unref(s->symbols);
    buf_done(&s->columns);
    buf_done(&s->chunks);
    buf_done(&s->pages);
    buf_done(&s->page);
    buf_done(&s->schema_names);
    buf_done(&s->schema_ends);
    buf_done(&s->values);
    buf_done(&s->series);
    buf_done(&s->rich);
    u64map_done(&s->schema_of);
    mem_free(s);
}

static enum err page_close(struct section_writer *s, struct err_info *info)
{
    if (s->page.err != ERR_OK) { /* before the reset below forgets it */
        return err_set(info, s->page.err, "no memory to write a block");
    }
    if (s->page.n == 0) {
        return ERR_OK;
    }
    enum err e = file_write(s->fd, s->page.p, s->page.n, info);
    s->sum.data_bytes += s->page.n;
    write_u64(&s->pages, s->sum.data_bytes);
    write_u32(&s->pages, crc32c(0, s->page.p, s->page.n));
    s->page_count++;
    buf_reset(&s->page);
    return e;
}

/* The column of the ticks, written unless it is the newest one. */
static uint64_t column_of(struct section_writer *s, const ts_ms *ts, size_t n)
{
    struct buf scratch AUTO_BUF = {0};
    uint64_t hash = hash_bytes(ts, n * sizeof(*ts)) ^ n;
    if (s->column_count && s->column_hash == hash) {
        return s->column_count - 1;
    }
    s->column_hash = hash;
    s->column_ticks = (uint32_t)n;
    char *p = buf_tail(&scratch, times_bound(n));
    if (!p) {
        s->columns.err = scratch.err;
        return 0;
    }
    size_t bytes = times_encode(ts, n, (uint8_t *)p);
    write_varint(&s->columns, n);
    write_zigzag(&s->columns, ts[0]);
    write_varint(&s->columns, (uint64_t)ts[n - 1] - (uint64_t)ts[0]);
    write_str(&s->columns, str_of(p, bytes));
    return s->column_count++;
}

/* The number of the schema of the set's names. */
static enum err schema_for(struct section_writer *s, struct labels ls, uint32_t *ret_schema)
{
    uint32_t name = 0;
    uint64_t key = ls.n;
    size_t before = s->schema_names.n;
    for (size_t i = 0; i < ls.n; i++) {
        if (index_intern(s->symbols, ls.l[i].name, &name) != ERR_OK) {
            return ERR_OOM;
        }
        buf_append(&s->schema_names, &name, sizeof(name));
        key = hash_u64(key ^ name) + i;
    }
    if (s->schema_names.err != ERR_OK || u64map_reserve(&s->schema_of) != ERR_OK) {
        return ERR_OOM;
    }
    uint32_t *schema = u64map_place(&s->schema_of, key);
    if (*schema == UINT32_MAX) {
        uint32_t end = (uint32_t)(s->schema_names.n / sizeof(name));
        *schema = s->schema_count++;
        buf_append(&s->schema_ends, &end, sizeof(end));
    } else {
        s->schema_names.n = before;
    }
    *ret_schema = *schema;
    return s->schema_ends.err;
}

static enum err series_begin(struct section_writer *s, struct labels ls)
{
    struct waiting w = {.values = s->values.n / sizeof(uint32_t),
                        .page = s->page_count,
                        .page_at = (uint32_t)s->page.n,
                        .chunks = s->chunks.n};
    uint32_t value = 0;
    enum err e = schema_for(s, ls, &w.schema);
    for (size_t i = 0; e == ERR_OK && i < ls.n; i++) {
        e = index_intern(s->symbols, ls.l[i].value, &value);
        buf_append(&s->values, &value, sizeof(value));
    }
    buf_append(&s->series, &w, sizeof(w));
    s->last.any = false;
    return e != ERR_OK || s->values.err != ERR_OK || s->series.err != ERR_OK ? ERR_OOM : ERR_OK;
}

static struct waiting *newest(struct section_writer *s)
{
    return (struct waiting *)(void *)(s->series.p + s->series.n - sizeof(struct waiting));
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

/* The chunk's entry: what follows from the chunk before or from the column is left out. */
static void entry_write(struct section_writer *s, const struct span *p, size_t from, size_t n, unsigned mode,
                        size_t times_bytes, size_t value_bytes)
{
    uint64_t tick = p->first_tick + from;
    size_t rest = p->shared ? s->column_ticks - tick : 0;
    unsigned flags = mode == CHUNK_RICH ? SECTION_MODE_RICH : mode;
    bool same_column = p->shared && s->last.any && s->last.column == p->column;
    bool next_tick = p->shared && tick == (same_column ? s->last.tick_end : 0);
    bool natural = p->shared && n == (rest < BLOCK_CHUNK_SAMPLES ? rest : BLOCK_CHUNK_SAMPLES);
    flags |= p->shared ? 0 : SECTION_OWN_TIMES;
    flags |= same_column ? SECTION_SAME_COLUMN : 0;
    flags |= next_tick ? SECTION_NEXT_TICK : 0;
    flags |= natural ? SECTION_NATURAL_COUNT : 0;
    flags |= s->last.any && s->last.page != s->page_count ? SECTION_NEXT_PAGE : 0;
    write_u8(&s->chunks, (uint8_t)flags);
    if (p->shared && !same_column) {
        write_varint(&s->chunks, p->column);
    }
    if (p->shared && !next_tick) {
        write_varint(&s->chunks, tick);
    }
    if (!natural) {
        write_varint(&s->chunks, n);
    }
    if (!p->shared) {
        write_zigzag(&s->chunks, p->ts[from]);
        write_varint(&s->chunks, (uint64_t)p->ts[from + n - 1] - (uint64_t)p->ts[from]);
        write_varint(&s->chunks, times_bytes);
    }
    write_varint(&s->chunks, value_bytes);
    s->last.any = true;
    s->last.page = s->page_count;
    s->last.column = p->shared ? p->column : UINT64_MAX;
    s->last.tick_end = tick + n;
}

static enum err chunk_write(struct section_writer *s, const struct span *p, size_t from, size_t n,
                            struct err_info *info)
{
    uint8_t mode = 0;
    struct str coded = chunk_encode(s, p, from, n, &mode);
    size_t times_bytes = p->shared ? 0 : times_encode(p->ts + from, n, s->times);
    ts_ms first = p->ts[from], last = p->ts[from + n - 1];
    if (s->page.n && s->page.n + coded.n + times_bytes > BLOCK_PAGE_BYTES) {
        enum err e = page_close(s, info);
        if (e != ERR_OK) {
            return e;
        }
    }
    if (!s->last.any) {
        newest(s)->page = s->page_count;
        newest(s)->page_at = (uint32_t)s->page.n;
    }
    entry_write(s, p, from, n, mode, times_bytes, coded.n);
    buf_append(&s->page, s->times, times_bytes);
    buf_append(&s->page, coded.p, coded.n);
    s->sum.min_ts = first < s->sum.min_ts ? first : s->sum.min_ts;
    s->sum.max_ts = last > s->sum.max_ts ? last : s->sum.max_ts;
    return ERR_OK;
}

static enum err series_add(struct section_writer *s, struct labels ls, const struct span *p,
                           struct err_info *info)
{
    size_t step = p->histograms ? BLOCK_HISTOGRAM_SAMPLES : BLOCK_CHUNK_SAMPLES;
    enum err e = series_begin(s, ls);
    if (e != ERR_OK) {
        return err_set(info, e, "no memory to write a block");
    }
    for (size_t at = 0; e == ERR_OK && at < p->n; at += step) {
        e = chunk_write(s, p, at, p->n - at < step ? p->n - at : step, info);
        newest(s)->chunk_count++;
    }
    newest(s)->chunks_end = s->chunks.n;
    s->sum.series++;
    s->sum.samples += p->n;
    return e;
}

enum err section_writer_add(struct section_writer *s, const struct metric_batch *b, ts_ms from, ts_ms to,
                            struct err_info *info)
{
    size_t lo = ts_lower_bound(b->ts, b->ts_count, from);
    size_t hi = to == INT64_MAX ? b->ts_count : ts_lower_bound(b->ts, b->ts_count, to + 1);
    if (lo >= hi) {
        return ERR_OK;
    }
    bool shared = b->series_count > 1;
    uint64_t column = shared ? column_of(s, b->ts + lo, hi - lo) : 0;
    enum err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && i < b->series_count; i++) {
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
        e = series_add(s, m->labels, &p, info);
    }
    return e;
}

/* -- index ----------------------------------------------------------------------------------------------- */

/* Symbols in the order of their bytes, and the place of each in it. */
struct ranks {
    uint32_t *order, *rank;
};

static int by_text(const void *a, const void *b, void *ctx)
{
    const struct index *ix = ctx;
    return str_cmp(index_symbol(ix, *(const uint32_t *)a), index_symbol(ix, *(const uint32_t *)b));
}

static enum err ranks_make(const struct section_writer *s, struct ranks *r)
{
    size_t n = s->symbols->symbol_count;
    r->order = mem_array(n + 1, sizeof(*r->order));
    r->rank = mem_array(n + 1, sizeof(*r->rank));
    if (!r->order || !r->rank) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < n; i++) {
        r->order[i] = (uint32_t)i;
    }
    qsort_r(r->order, n, sizeof(*r->order), by_text, s->symbols);
    for (size_t i = 0; i < n; i++) {
        r->rank[r->order[i]] = (uint32_t)i;
    }
    return ERR_OK;
}

struct posting {
    uint32_t name, value, series;
};

static int posting_cmp(const void *a, const void *b)
{
    const struct posting *x = a, *y = b;
    return x->name != y->name     ? (x->name > y->name) - (x->name < y->name)
           : x->value != y->value ? (x->value > y->value) - (x->value < y->value)
                                  : (x->series > y->series) - (x->series < y->series);
}

static const uint32_t *schema_names(const struct section_writer *s, uint32_t schema, size_t *ret_n)
{
    const uint32_t *ends = (const uint32_t *)(const void *)s->schema_ends.p;
    uint32_t from = schema ? ends[schema - 1] : 0;
    *ret_n = ends[schema] - from;
    return (const uint32_t *)(const void *)s->schema_names.p + from;
}

/* One label pair: runs of series as (gap, length - 1)*. */
static void runs_write(struct buf *out, const struct posting *p, size_t n)
{
    uint32_t next = 0;
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && p[end].series == p[end - 1].series + 1) {
            end++;
        }
        write_varint(out, p[i].series - next);
        write_varint(out, end - i - 1);
        next = p[end - 1].series + 1;
        i = end;
    }
}

/* Names ascending: symbol, values, bytes, (symbol difference, bytes, runs)*. */
static uint32_t postings_write(struct buf *out, const struct posting *p, size_t n)
{
    struct buf values AUTO_BUF = {0}, runs AUTO_BUF = {0};
    uint32_t names = 0;
    for (size_t i = 0; i < n; names++) {
        size_t from = i;
        uint32_t count = 0, before = 0;
        buf_reset(&values);
        while (i < n && p[i].name == p[from].name) {
            size_t end = i + 1;
            while (end < n && p[end].name == p[i].name && p[end].value == p[i].value) {
                end++;
            }
            buf_reset(&runs);
            runs_write(&runs, p + i, end - i);
            write_varint(&values, p[i].value - before);
            write_str(&values, buf_view(&runs));
            values.err = runs.err != ERR_OK ? runs.err : values.err; /* before it is reset */
            before = p[i].value;
            count++;
            i = end;
        }
        write_varint(out, p[from].name);
        write_varint(out, count);
        write_str(out, buf_view(&values));
        out->err = out->err != ERR_OK ? out->err : values.err;
    }
    return names;
}

static enum err postings_make(const struct section_writer *s, const struct ranks *r, struct buf *out,
                              uint32_t *ret_names)
{
    const struct waiting *w = (const struct waiting *)(const void *)s->series.p;
    const uint32_t *values = (const uint32_t *)(const void *)s->values.p;
    size_t n = s->values.n / sizeof(*values), at = 0;
    struct posting *p = mem_array(n + 1, sizeof(*p));
    if (!p) {
        return ERR_OOM;
    }
    for (uint32_t i = 0; i < s->sum.series; i++) {
        size_t labels = 0;
        const uint32_t *names = schema_names(s, w[i].schema, &labels);
        for (size_t k = 0; k < labels; k++) {
            p[at++] = (struct posting){r->rank[names[k]], r->rank[values[w[i].values + k]], i};
        }
    }
    qsort(p, n, sizeof(*p), posting_cmp);
    *ret_names = postings_write(out, p, n);
    mem_free(p);
    return out->err;
}

static void series_write(const struct section_writer *s, const struct ranks *r, struct buf *restarts,
                         struct buf *out)
{
    const struct waiting *w = (const struct waiting *)(const void *)s->series.p;
    const uint32_t *values = (const uint32_t *)(const void *)s->values.p;
    struct buf one AUTO_BUF = {0};
    for (uint32_t i = 0; i < s->sum.series; i++) {
        size_t labels = 0;
        (void)schema_names(s, w[i].schema, &labels);
        buf_reset(&one);
        write_varint(&one, w[i].schema);
        for (size_t k = 0; k < labels; k++) {
            write_varint(&one, r->rank[values[w[i].values + k]]);
        }
        write_varint(&one, w[i].page);
        write_varint(&one, w[i].page_at);
        write_varint(&one, w[i].chunk_count);
        buf_append(&one, s->chunks.p + w[i].chunks, w[i].chunks_end - w[i].chunks);
        if (i % SECTION_RESTART == 0) {
            write_u32(restarts, (uint32_t)out->n);
        }
        write_str(out, buf_view(&one));
        out->err = one.err != ERR_OK ? one.err : out->err;
    }
}

static void symbols_write(const struct section_writer *s, const struct ranks *r, struct buf *ends,
                          struct buf *text)
{
    for (size_t i = 0; i < s->symbols->symbol_count; i++) {
        buf_str(text, index_symbol(s->symbols, r->order[i]));
        write_u32(ends, (uint32_t)text->n);
    }
}

static void schemas_write(const struct section_writer *s, const struct ranks *r, struct buf *out)
{
    for (uint32_t i = 0; i < s->schema_count; i++) {
        size_t n = 0;
        const uint32_t *names = schema_names(s, i, &n);
        write_varint(out, n);
        for (size_t k = 0; k < n; k++) {
            write_varint(out, r->rank[names[k]]);
        }
    }
}

enum {
    ENDS = 0,
    TEXT,
    SCHEMAS,
    POSTINGS,
    RESTARTS,
    SERIES,
    PARTS
};

static enum err parts_join(const struct section_writer *s, const struct buf *part, uint32_t names,
                           struct buf *out)
{
    const struct buf *all[] = {&part[ENDS], &part[TEXT],     &s->columns,     &part[SCHEMAS],
                               &s->pages,   &part[POSTINGS], &part[RESTARTS], &part[SERIES]};
    uint64_t total = 0;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i]->err != ERR_OK) {
            return all[i]->err;
        }
        total += all[i]->n;
    }
    if (total > UINT32_MAX - SECTION_HEADER_BYTES) {
        return ERR_LIMIT;
    }
    const size_t header[SECTION_HEADER_BYTES / 4] = {
        s->symbols->symbol_count, part[TEXT].n,          s->column_count, s->columns.n,
        s->schema_count,          part[SCHEMAS].n,       s->page_count,   names,
        part[POSTINGS].n,         (size_t)s->sum.series, part[SERIES].n};
    for (size_t i = 0; i < ARRAY_LEN(header); i++) {
        write_u32(out, (uint32_t)header[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        buf_append(out, all[i]->p, all[i]->n);
    }
    return out->err;
}

static enum err index_make(struct section_writer *s, struct buf *out)
{
    struct buf part[PARTS] = {0};
    struct ranks r = {0};
    uint32_t names = 0;
    enum err e = s->page.err != ERR_OK ? s->page.err : s->chunks.err;
    e = e == ERR_OK ? ranks_make(s, &r) : e;
    e = e == ERR_OK ? postings_make(s, &r, &part[POSTINGS], &names) : e;
    if (e == ERR_OK) {
        symbols_write(s, &r, &part[ENDS], &part[TEXT]);
        schemas_write(s, &r, &part[SCHEMAS]);
        series_write(s, &r, &part[RESTARTS], &part[SERIES]);
        e = parts_join(s, part, names, out);
    }
    for (size_t i = 0; i < PARTS; i++) {
        buf_done(&part[i]);
    }
    mem_free(r.order);
    mem_free(r.rank);
    return e;
}

enum err section_writer_finish(struct section_writer *s, struct section_summary *ret_sum,
                               struct err_info *info)
{
    struct buf index AUTO_BUF = {.size_bytes_max = UINT32_MAX};
    enum err e = ERR_OK;
    if (s->sum.series) {
        e = page_close(s, info);
        if (e == ERR_OK && (e = index_make(s, &index)) != ERR_OK) {
            return err_set(info, e, "no memory to write a block");
        }
        s->sum.index_bytes = index.n;
        s->sum.index_crc = crc32c(0, index.p, index.n);
        e = e == ERR_OK ? file_write(s->fd, index.p, index.n, info) : e;
    }
    *ret_sum = s->sum;
    return e;
}
