/* Reading the index of a section. Every number from the file is checked before it is used. */
#include "metrics/tsdb/section.h"

#include "base/mem.h"
#include "codec/crc32c.h"
#include "metrics/tsdb/chunk.h"
#include "metrics/tsdb/limits.h"

enum {
    PAGE_ENTRY_BYTES = 12
};

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get_u64(const uint8_t *p)
{
    return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

static bool index_good(const struct block *b, struct block_section *sec)
{
    unsigned char checked = atomic_load_explicit(&sec->checked, memory_order_relaxed);
    if (checked == 0) {
        checked = crc32c(0, b->map.data.p + sec->offset, sec->index_bytes) == sec->index_crc ? 1 : 2;
        atomic_store_explicit(&sec->checked, checked, memory_order_relaxed);
    }
    return checked == 1;
}

struct str section_symbol(const struct section_reader *s, uint32_t symbol)
{
    if (symbol >= s->symbol_count) {
        return (struct str){0};
    }
    uint32_t from = symbol ? get_u32(s->symbol_ends + (size_t)(symbol - 1) * 4) : 0;
    uint32_t to = get_u32(s->symbol_ends + (size_t)symbol * 4);
    return from > to || to > s->symbol_text.n ? (struct str){0} : str_slice(s->symbol_text, from, to);
}

uint32_t section_symbol_find(const struct section_reader *s, struct str text)
{
    uint32_t lo = 0, hi = s->symbol_count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (str_cmp(section_symbol(s, mid), text) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < s->symbol_count && str_eq(section_symbol(s, lo), text) ? lo : UINT32_MAX;
}

/* The next n items of item_bytes. */
static struct str part(struct reader *r, uint64_t n, size_t item_bytes)
{
    if (n > reader_left(r) / item_bytes) {
        r->bad = true;
        return (struct str){0};
    }
    return read_bytes(r, (size_t)n * item_bytes);
}

static bool columns_read(struct section_reader *s, struct str in)
{
    struct reader r = reader_of(in);
    s->columns =
        s->column_count <= in.n ? arena_array(s->a, s->column_count + 1u, sizeof(*s->columns)) : NULL;
    for (uint32_t i = 0; s->columns && i < s->column_count; i++) {
        struct section_column *c = &s->columns[i];
        uint64_t ticks = read_varint(&r);
        c->first = read_zigzag(&r);
        c->last = (ts_ms)((uint64_t)c->first + read_varint(&r));
        c->times = read_str(&r);
        c->n = (uint32_t)ticks;
        if (r.bad || ticks == 0 || ticks > c->times.n + 1 || ticks > BLOCK_COLUMN_TICKS_MAX ||
            c->last < c->first) {
            return false;
        }
    }
    return s->columns != NULL;
}

static bool schemas_read(struct section_reader *s, struct str in)
{
    struct reader r = reader_of(in);
    s->schemas =
        s->schema_count <= in.n ? arena_array(s->a, s->schema_count + 1u, sizeof(*s->schemas)) : NULL;
    for (uint32_t i = 0; s->schemas && i < s->schema_count; i++) {
        uint64_t names = read_varint(&r);
        const uint8_t *from = r.p;
        for (uint64_t k = 0; k < names && !r.bad && names <= LABELS_MAX; k++) {
            r.bad = read_varint(&r) >= s->symbol_count || r.bad;
        }
        if (r.bad || names > LABELS_MAX) {
            return false;
        }
        s->schemas[i] =
            (struct section_schema){(uint32_t)names, str_of((const char *)from, (size_t)(r.p - from))};
    }
    return s->schemas != NULL;
}

static bool parts_read(struct section_reader *s, struct str index)
{
    struct reader r = reader_of(index);
    uint32_t header[SECTION_HEADER_BYTES / 4];
    for (size_t i = 0; i < ARRAY_LEN(header); i++) {
        header[i] = read_u32(&r);
    }
    s->symbol_count = header[0];
    s->column_count = header[2];
    s->schema_count = header[4];
    s->page_count = header[6];
    s->name_count = header[7];
    s->series_count = header[9];
    s->symbol_ends = (const uint8_t *)part(&r, header[0], 4).p;
    s->symbol_text = part(&r, header[1], 1);
    s->column_text = part(&r, header[3], 1);
    s->schema_text = part(&r, header[5], 1);
    s->pages = (const uint8_t *)part(&r, header[6], PAGE_ENTRY_BYTES).p;
    s->postings = part(&r, header[8], 1);
    s->restarts =
        (const uint8_t *)part(&r, (header[9] + (uint64_t)SECTION_RESTART - 1) / SECTION_RESTART, 4).p;
    s->series = part(&r, header[10], 1);
    return !r.bad && s->series_count <= s->series.n;
}

enum err section_series_begin(struct section_reader *s)
{
    if (s->columns || (columns_read(s, s->column_text) && schemas_read(s, s->schema_text))) {
        return ERR_OK;
    }
    s->columns = NULL;
    return arena_err(s->a) != ERR_OK ? arena_err(s->a) : ERR_CORRUPT;
}

enum err section_open(struct section_reader *s, struct block *b, struct block_section *sec, struct arena *a)
{
    *s = (struct section_reader){.a = a, .b = b, .sec = sec};
    if (!index_good(b, sec)) {
        return ERR_CORRUPT;
    }
    if (!parts_read(s, str_of(b->map.data.p + sec->offset, sec->index_bytes))) {
        return arena_err(a) != ERR_OK ? arena_err(a) : ERR_CORRUPT;
    }
    return ERR_OK;
}

/* -- postings -------------------------------------------------------------------------------------------- */

enum err section_name_next(const struct section_reader *s, struct reader *r, struct section_name *ret_name)
{
    if (reader_left(r) == 0) {
        return ERR_NOT_FOUND;
    }
    uint64_t symbol = read_varint(r), values = read_varint(r);
    struct str bytes = read_str(r);
    if (r->bad || symbol >= s->symbol_count || values > bytes.n) {
        return ERR_CORRUPT;
    }
    *ret_name = (struct section_name){(uint32_t)symbol, (uint32_t)values, bytes};
    return ERR_OK;
}

enum err section_value_next(const struct section_reader *s, struct reader *r, struct section_value *ret_v)
{
    if (reader_left(r) == 0) {
        return ERR_NOT_FOUND;
    }
    uint64_t symbol = ret_v->symbol + read_varint(r);
    ret_v->runs = read_str(r);
    if (r->bad || symbol >= s->symbol_count) {
        return ERR_CORRUPT;
    }
    ret_v->symbol = (uint32_t)symbol;
    return ERR_OK;
}

/* The next run [*from, *to) of series; false at the end, r->bad when it makes no sense. */
static bool run_next(const struct section_reader *s, struct reader *r, uint64_t *from, uint64_t *to)
{
    if (reader_left(r) == 0) {
        return false;
    }
    uint64_t gap = read_varint(r), more = read_varint(r);
    if (r->bad || gap >= s->series_count || more >= s->series_count || *to + gap + more >= s->series_count) {
        r->bad = true;
        return false;
    }
    *from = *to + gap;
    *to = *from + more + 1;
    return true;
}

bool section_value_in(const struct section_reader *s, const struct section_value *v, const uint64_t *set)
{
    struct reader r = reader_of(v->runs);
    uint64_t from = 0, to = 0;
    while (run_next(s, &r, &from, &to)) {
        for (uint64_t i = from; i < to; i++) {
            if (!set || (set[i / 64] >> (i % 64) & 1)) {
                return true;
            }
        }
    }
    return false;
}

enum err section_value_add(const struct section_reader *s, const struct section_value *v, uint64_t *set)
{
    struct reader r = reader_of(v->runs);
    uint64_t from = 0, to = 0;
    while (run_next(s, &r, &from, &to)) {
        for (uint64_t i = from; i < to; i++) {
            set[i / 64] |= UINT64_C(1) << (i % 64);
        }
    }
    return r.bad ? ERR_CORRUPT : ERR_OK;
}

/* -- series ---------------------------------------------------------------------------------------------- */

/* Moves to series i of the file. */
static bool series_seek(struct section_reader *s, uint32_t i)
{
    uint32_t from = get_u32(s->restarts + (size_t)(i / SECTION_RESTART) * 4);
    if (from > s->series.n) {
        return false;
    }
    struct reader r = reader_of(str_slice(s->series, from, s->series.n));
    for (uint32_t k = i % SECTION_RESTART; k > 0; k--) {
        (void)read_str(&r);
    }
    struct str entry = read_str(&r);
    s->r = reader_of(entry);
    return !r.bad;
}

static enum err labels_read(struct section_reader *s, struct arena *a, struct labels *ret_labels)
{
    uint64_t schema = read_varint(&s->r);
    if (s->r.bad || schema >= s->schema_count) {
        return ERR_CORRUPT;
    }
    size_t n = s->schemas[schema].n;
    struct reader names = reader_of(s->schemas[schema].names);
    struct label *out = arena_array(a, n + 1, sizeof(*out));
    if (!out) {
        return arena_err(a);
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t value = read_varint(&s->r);
        if (s->r.bad || value >= s->symbol_count) {
            return ERR_CORRUPT;
        }
        out[i] = (struct label){section_symbol(s, (uint32_t)read_varint(&names)),
                                section_symbol(s, (uint32_t)value)};
    }
    *ret_labels = (struct labels){out, n};
    return ERR_OK;
}

enum err section_series_next(struct section_reader *s, struct arena *a, struct labels *ret_labels,
                             uint64_t *ret_chunks)
{
    while (s->at < s->series_count && !(s->set[s->at / 64] >> (s->at % 64) & 1)) {
        s->at = s->set[s->at / 64] >> (s->at % 64) ? s->at + 1 : (s->at / 64 + 1) * 64;
    }
    if (s->at >= s->series_count) {
        return ERR_NOT_FOUND;
    }
    if (!series_seek(s, s->at++)) {
        return ERR_CORRUPT;
    }
    enum err e = labels_read(s, a, ret_labels);
    if (e != ERR_OK) {
        return e;
    }
    uint64_t page = read_varint(&s->r), at = read_varint(&s->r);
    *ret_chunks = read_varint(&s->r);
    if (s->r.bad || page > s->page_count || at > BLOCK_PAGE_BYTES || *ret_chunks > reader_left(&s->r)) {
        return ERR_CORRUPT;
    }
    s->page = (size_t)page;
    s->page_at = (size_t)at;
    s->first_chunk = true;
    s->column = UINT32_MAX;
    s->tick_end = 0;
    return ERR_OK;
}

/* The bytes of a page; p == NULL when the entry makes no sense. Chunks that take no byte (zeros on a shared
 * column) may come after the last page, or where there is none. */
static struct str page_data(const struct section_pages *p, size_t page)
{
    if (page >= p->count) {
        return page == p->count ? str_of(p->b->map.data.p + p->sec->data_offset, 0) : (struct str){0};
    }
    uint64_t from = page ? get_u64(p->table + (page - 1) * PAGE_ENTRY_BYTES) : 0;
    uint64_t to = get_u64(p->table + page * PAGE_ENTRY_BYTES), data = p->sec->data_offset;
    if (from > to || to > p->sec->data_bytes) {
        return (struct str){0};
    }
    return str_slice(p->b->map.data, (size_t)(data + from), (size_t)(data + to));
}

struct section_pages section_pages(const struct section_reader *s)
{
    return (struct section_pages){s->b, s->sec, s->pages, s->page_count};
}

/* Where and when a chunk on a shared column is. */
static bool place_read(struct section_reader *s, unsigned flags, struct section_chunk *c)
{
    struct reader *r = &s->r;
    bool same = flags & SECTION_SAME_COLUMN;
    uint64_t column = same ? s->column : read_varint(r);
    uint64_t tick = flags & SECTION_NEXT_TICK ? (same ? s->tick_end : 0) : read_varint(r);
    if (r->bad || column >= s->column_count || tick >= s->columns[column].n) {
        return false;
    }
    uint64_t rest = s->columns[column].n - tick;
    uint64_t natural = rest < BLOCK_CHUNK_SAMPLES ? rest : BLOCK_CHUNK_SAMPLES;
    uint64_t count = flags & SECTION_NATURAL_COUNT ? natural : read_varint(r);
    if (r->bad || count == 0 || count > natural) {
        return false;
    }
    *c = (struct section_chunk){
        .column = (uint32_t)column, .first_tick = (uint32_t)tick, .count = (uint32_t)count};
    return true;
}

static bool times_read(struct section_reader *s, struct section_chunk *c, uint64_t *ret_bytes)
{
    uint64_t count = read_varint(&s->r);
    ts_ms first = read_zigzag(&s->r);
    uint64_t span = read_varint(&s->r);
    *ret_bytes = read_varint(&s->r);
    *c = (struct section_chunk){.column = UINT32_MAX,
                                .count = (uint32_t)count,
                                .min_ts = first,
                                .max_ts = (ts_ms)((uint64_t)first + span)};
    return !s->r.bad && count > 0 && count <= BLOCK_CHUNK_SAMPLES;
}

enum err section_chunk_next(struct section_reader *s, struct section_chunk *ret_c)
{
    struct section_chunk c = {0};
    unsigned flags = read_u8(&s->r);
    uint64_t times = 0;
    bool own = flags & SECTION_OWN_TIMES;
    if (s->r.bad || !(own ? times_read(s, &c, &times) : place_read(s, flags, &c))) {
        return ERR_CORRUPT;
    }
    uint64_t values = read_varint(&s->r);
    if (flags & SECTION_NEXT_PAGE) {
        s->page++;
        s->page_at = 0;
    }
    struct section_pages pages = section_pages(s);
    struct str data = page_data(&pages, s->page);
    if (s->r.bad || !data.p || s->page_at > data.n || times > data.n - s->page_at ||
        values > data.n - s->page_at - times) {
        return ERR_CORRUPT;
    }
    const char *p = data.p + s->page_at;
    c.times = str_of(p, (size_t)times);
    c.values = str_of(p + times, (size_t)values);
    c.page = (uint32_t)s->page;
    c.mode = (flags & SECTION_MODE_MASK) == SECTION_MODE_RICH ? CHUNK_RICH : flags & SECTION_MODE_MASK;
    s->page_at += (size_t)(times + values);
    s->column = c.column;
    s->tick_end = c.first_tick + c.count;
    *ret_c = c;
    return ERR_OK;
}

/* One byte a page: 0 unknown, 1 good, 2 bad. NULL when there is no memory: then every read checks. */
static atomic_uchar *page_marks(const struct section_pages *p)
{
    atomic_uchar *marks = atomic_load_explicit(&p->sec->pages_checked, memory_order_acquire);
    if (!marks) {
        atomic_uchar *fresh = mem_zarray(p->count, sizeof(*fresh));
        /* release: whoever sees the pointer sees the zeroes */
        if (fresh && atomic_compare_exchange_strong_explicit(&p->sec->pages_checked, &marks, fresh,
                                                             memory_order_acq_rel, memory_order_acquire)) {
            return fresh;
        }
        mem_free(fresh);
    }
    return marks;
}

bool section_page_good(const struct section_pages *p, uint32_t page)
{
    if (page == p->count) {
        return true; /* no byte that could be wrong */
    }
    atomic_uchar *marks = page_marks(p);
    unsigned char mark = marks ? atomic_load_explicit(&marks[page], memory_order_relaxed) : 0;
    if (mark == 0) {
        struct str data = page_data(p, page);
        uint32_t crc = get_u32(p->table + (size_t)page * PAGE_ENTRY_BYTES + 8);
        mark = crc32c(0, data.p, data.n) == crc ? 1 : 2;
        if (marks) {
            atomic_store_explicit(&marks[page], mark, memory_order_relaxed);
        }
    }
    return mark == 1;
}

bool section_chunk_good(struct section_reader *s)
{
    struct section_pages pages = section_pages(s);
    return section_page_good(&pages, (uint32_t)s->page);
}
