/* Walking the index of a section. */
#include "metrics/tsdb/section.h"

#include "codec/crc32c.h"
#include "metrics/tsdb/limits.h"

static void *counted(struct section_reader *s, uint64_t *ret_n, size_t item_bytes)
{
    uint64_t n = read_varint(&s->r);
    if (s->r.bad || n > reader_left(&s->r)) { /* an item takes a byte at least */
        s->r.bad = true;
        return NULL;
    }
    *ret_n = n;
    return arena_zarray(s->a, (size_t)n + 1, item_bytes);
}

static bool symbols_read(struct section_reader *s)
{
    uint64_t n = 0;
    s->symbols = counted(s, &n, sizeof(*s->symbols));
    for (uint64_t i = 0; s->symbols && i < n; i++) {
        s->symbols[i] = read_str(&s->r);
    }
    s->symbol_count = (size_t)n;
    return s->symbols != NULL;
}

static bool columns_read(struct section_reader *s)
{
    uint64_t n = 0;
    s->columns = counted(s, &n, sizeof(*s->columns));
    for (uint64_t i = 0; s->columns && i < n; i++) {
        uint64_t ticks = read_varint(&s->r);
        s->columns[i].first = read_zigzag(&s->r);
        s->columns[i].times = read_str(&s->r);
        s->columns[i].n = (uint32_t)ticks;
        s->r.bad = s->r.bad || ticks == 0 || ticks > s->columns[i].times.n + 1;
    }
    s->column_count = (size_t)n;
    return s->columns != NULL;
}

static bool schemas_read(struct section_reader *s)
{
    uint64_t n = 0;
    s->schemas = counted(s, &n, sizeof(*s->schemas));
    for (uint64_t i = 0; s->schemas && i < n; i++) {
        uint64_t names = read_varint(&s->r);
        const uint8_t *from = s->r.p;
        if (names > LABELS_MAX) {
            s->r.bad = true;
        }
        for (uint64_t k = 0; k < names && !s->r.bad; k++) {
            s->r.bad = read_varint(&s->r) >= s->symbol_count || s->r.bad;
        }
        s->schemas[i] =
            (struct section_schema){(uint32_t)names, str_of((const char *)from, (size_t)(s->r.p - from))};
    }
    s->schema_count = (size_t)n;
    return s->schemas != NULL;
}

static bool pages_read(struct section_reader *s, const struct block *b, uint64_t at)
{
    uint64_t n = 0;
    s->pages = counted(s, &n, sizeof(*s->pages));
    for (uint64_t i = 0; s->pages && i < n; i++) {
        uint64_t bytes = read_varint(&s->r);
        s->pages[i].crc = read_u32(&s->r);
        if (bytes > b->map.data.n - at) {
            s->r.bad = true;
            break;
        }
        s->pages[i].data = str_slice(b->map.data, (size_t)at, (size_t)(at + bytes));
        at += bytes;
    }
    s->page_count = (size_t)n;
    return s->pages != NULL;
}

/* A symbol that an equality needs and the section does not have ends the matter. */
static enum err verdicts_init(struct section_reader *s)
{
    s->verdict = arena_zarray(s->a, s->matcher_count + 1, sizeof(*s->verdict));
    if (!s->verdict) {
        return arena_err(s->a);
    }
    for (size_t i = 0; i < s->matcher_count; i++) {
        const struct matcher *m = &s->matchers[i];
        if (m->op == MATCH_EQ && m->value.n) {
            size_t k = 0;
            while (k < s->symbol_count && !str_eq(s->symbols[k], m->value)) {
                k++;
            }
            s->impossible = s->impossible || k == s->symbol_count;
        }
        s->verdict[i] = arena_zalloc(s->a, s->symbol_count + 1);
        if (!s->verdict[i]) {
            return arena_err(s->a);
        }
    }
    return ERR_OK;
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

enum err section_open(struct section_reader *s, struct block *b, struct block_section *sec,
                      const struct matcher *matchers, size_t matcher_count, struct arena *a)
{
    *s = (struct section_reader){.a = a, .matchers = matchers, .matcher_count = matcher_count};
    if (!index_good(b, sec)) {
        return ERR_CORRUPT;
    }
    s->r = reader_of(str_of(b->map.data.p + sec->offset, sec->index_bytes));
    bool ok = symbols_read(s) && columns_read(s) && schemas_read(s) &&
              pages_read(s, b, sec->offset + sec->index_bytes);
    if (!ok || s->r.bad) {
        return s->r.bad ? ERR_CORRUPT : arena_err(a);
    }
    s->series_left = read_varint(&s->r);
    return verdicts_init(s);
}

static bool accepts(struct section_reader *s, size_t i, uint32_t symbol)
{
    uint8_t *v = &s->verdict[i][symbol];
    if (*v == 0) {
        *v = matcher_matches(&s->matchers[i], s->symbols[symbol]) ? 1 : 2;
    }
    return *v == 1;
}

struct pair {
    uint32_t name, value;
};

static bool matches(struct section_reader *s, const struct pair *l, size_t n)
{
    for (size_t i = 0; i < s->matcher_count; i++) {
        size_t k = 0;
        while (k < n && !str_eq(s->symbols[l[k].name], s->matchers[i].name)) {
            k++;
        }
        if (k < n ? !accepts(s, i, l[k].value) : !matcher_matches_empty(&s->matchers[i])) {
            return false;
        }
    }
    return true;
}

static enum err labels_read(struct section_reader *s, struct pair *l, size_t *ret_n)
{
    uint64_t schema = read_varint(&s->r);
    if (s->r.bad || schema >= s->schema_count) {
        return ERR_CORRUPT;
    }
    struct reader names = reader_of(s->schemas[schema].names);
    *ret_n = s->schemas[schema].n;
    for (size_t i = 0; i < *ret_n; i++) {
        uint64_t value = read_varint(&s->r);
        l[i].name = (uint32_t)read_varint(&names);
        if (value >= s->symbol_count) {
            return ERR_CORRUPT;
        }
        l[i].value = (uint32_t)value;
    }
    return s->r.bad ? ERR_CORRUPT : ERR_OK;
}

enum err section_series_next(struct section_reader *s, struct arena *a, struct labels *ret_labels,
                             uint64_t *ret_chunks)
{
    struct pair l[LABELS_MAX];
    size_t n = 0;
    for (; s->series_left && !s->impossible; s->series_left--) {
        enum err e = labels_read(s, l, &n);
        uint64_t chunks = read_varint(&s->r);
        if (e != ERR_OK || s->r.bad) {
            return ERR_CORRUPT;
        }
        if (!matches(s, l, n)) {
            struct section_chunk skipped;
            for (uint64_t i = 0; i < chunks; i++) {
                if ((e = section_chunk_next(s, &skipped)) != ERR_OK) {
                    return e;
                }
            }
            continue;
        }
        struct label *out = arena_array(a, n + 1, sizeof(*out));
        if (!out) {
            return arena_err(a);
        }
        for (size_t i = 0; i < n; i++) {
            out[i] = (struct label){s->symbols[l[i].name], s->symbols[l[i].value]};
        }
        *ret_labels = (struct labels){out, n};
        *ret_chunks = chunks;
        s->series_left--;
        return ERR_OK;
    }
    return ERR_NOT_FOUND;
}

static bool page_good(struct section_page *p)
{
    if (p->checked == 0) {
        p->checked = crc32c(0, p->data.p, p->data.n) == p->crc ? 1 : 2;
    }
    return p->checked == 1;
}

enum err section_chunk_next(struct section_reader *s, struct section_chunk *ret_c)
{
    struct reader *r = &s->r;
    uint64_t column = read_varint(r), tick = read_varint(r), count = read_varint(r);
    uint8_t mode = read_u8(r);
    ts_ms first = read_zigzag(r);
    uint64_t span = read_varint(r), times = read_varint(r), values = read_varint(r), page = read_varint(r);
    if (r->bad || column > s->column_count || page >= s->page_count || count == 0 ||
        count > BLOCK_CHUNK_SAMPLES ||
        (column && (tick > s->columns[column - 1].n || count > s->columns[column - 1].n - tick))) {
        return ERR_CORRUPT;
    }
    if (page != s->page) {
        s->page = (size_t)page;
        s->page_at = 0;
    }
    struct section_page *p = &s->pages[page];
    if (times > p->data.n - s->page_at || values > p->data.n - s->page_at - times) {
        return ERR_CORRUPT;
    }
    const char *data = p->data.p + s->page_at;
    s->page_at += (size_t)(times + values);
    *ret_c = (struct section_chunk){.column = (uint32_t)column - 1,
                                    .first_tick = (uint32_t)tick,
                                    .count = (uint32_t)count,
                                    .mode = mode,
                                    .min_ts = first,
                                    .max_ts = (ts_ms)((uint64_t)first + span),
                                    .times = str_of(data, (size_t)times),
                                    .values = str_of(data + times, (size_t)values)};
    return ERR_OK;
}

bool section_chunk_good(struct section_reader *s)
{
    return page_good(&s->pages[s->page]);
}
