/* Reading blocks. The index of groups is read when a block is opened; streams are read for each query, from
 * the mapping, so that a block costs little memory while nobody asks for it. */
#include "logs/store/block.h"

#include "base/mem.h"
#include "codec/varint.h"
#include "disk/file.h"
#include "logs/store/block_int.h"
#include "logs/store/ints.h"
#include "logs/store/limits.h"
#include "logs/store/meta.h"

enum {
    GROUP_RECORD_BYTES_MIN = 6
};

static enum err damaged(const struct block *b, const char *what, struct err_info *info)
{
    return err_set(info, ERR_CORRUPT, "%s: %s", b->name, what);
}

static enum err read_info(struct block *b, struct err_info *info)
{
    struct str section;
    enum err e = container_section(b->file, STR("info"), &section, info);
    if (e) {
        return e;
    }
    struct reader r = reader_of(section);
    b->tenant = read_str(&r);
    uint64_t level = read_varint(&r);
    b->rows = read_varint(&r);
    b->line_bytes = read_varint(&r);
    b->ts_min = read_zigzag(&r);
    b->ts_max = read_zigzag(&r);
    b->level = level > UINT8_MAX ? UINT8_MAX : (uint32_t)level;
    return r.bad || b->rows > UINT32_MAX ? damaged(b, "its summary is damaged", info) : ERR_OK;
}

/* False when the record cannot be right. */
static bool read_group(struct reader *r, struct block_group *g, uint64_t *row, uint64_t *page, uint64_t *gram,
                       size_t grams_n)
{
    uint64_t rows = read_varint(r), bytes = read_varint(r);
    int64_t ts_min = read_zigzag(r);
    uint64_t span = read_varint(r);
    uint8_t has_meta = read_u8(r);
    uint64_t grams = read_varint(r);
    if (r->bad || rows == 0 || rows > GROUP_ROWS || bytes > UINT32_MAX || grams > grams_n - *gram ||
        span > (uint64_t)INT64_MAX - (uint64_t)ts_min) {
        return false;
    }
    g->first_row = (uint32_t)*row;
    g->rows = (uint32_t)rows;
    g->line_bytes = (uint32_t)bytes;
    g->ts_min = ts_min;
    g->ts_max = (int64_t)((uint64_t)ts_min + span);
    g->has_meta = has_meta != 0;
    g->page = (uint32_t)*page;
    g->grams_at = (uint32_t)*gram;
    g->grams_n = (uint32_t)grams;
    *row += rows;
    *page += g->has_meta ? 4 : 3;
    *gram += grams;
    return true;
}

static enum err read_groups(struct block *b, struct err_info *info)
{
    struct str section;
    enum err e = container_section(b->file, STR("groups"), &section, info);
    e = e ? e : container_section(b->file, STR("grams"), &b->grams, info);
    if (e) {
        return e;
    }
    struct reader r = reader_of(section);
    uint64_t n = read_varint(&r), row = 0, page = 0, gram = 0;
    if (r.bad || n > reader_left(&r) / GROUP_RECORD_BYTES_MIN) {
        return damaged(b, "its index of groups is damaged", info);
    }
    b->groups = arena_zarray(&b->arena, (size_t)n + 1, sizeof(*b->groups));
    if (!b->groups) {
        return err_set(info, ERR_OOM, "no memory to open %s", b->name);
    }
    for (; b->group_count < n; b->group_count++) {
        if (!read_group(&r, &b->groups[b->group_count], &row, &page, &gram, b->grams.n)) {
            return damaged(b, "its index of groups is damaged", info);
        }
    }
    bool sound = row == b->rows && page <= container_page_count(b->file);
    return sound ? ERR_OK : damaged(b, "its index of groups does not fit its summary", info);
}

enum err log_block_open(const char *path, struct str name, uint64_t number, struct block **ret_b,
                        struct err_info *reterr_info)
{
    struct block *b = mem_zalloc(sizeof(*b));
    if (!b) {
        return err_set(reterr_info, ERR_OOM, "no memory to open %s", path);
    }
    atomic_init(&b->refs, 1);
    arena_init(&b->arena, 0, NULL);
    b->number = number;
    memcpy(b->name, name.p, name.n < sizeof(b->name) ? name.n : sizeof(b->name) - 1);
    enum err e = container_open(path, STR(BLOCK_KIND), &b->file, reterr_info);
    if (!e && container_version(b->file) != BLOCK_VERSION) {
        e = err_set(reterr_info, ERR_UNSUPPORTED, "%s: log block version %u; this program reads %d", path,
                    container_version(b->file), BLOCK_VERSION);
    }
    e = e ? e : read_info(b, reterr_info);
    e = e ? e : read_groups(b, reterr_info);
    if (e) {
        log_block_unref(b);
        return e == ERR_NOT_FOUND && file_exists(path) ? ERR_CORRUPT : e; /* a section is missing */
    }
    b->file_bytes = container_bytes(b->file);
    *ret_b = b;
    return ERR_OK;
}

struct block *log_block_ref(struct block *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void log_block_unref(struct block *b)
{
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) {
        container_close(b->file);
        arena_done(&b->arena);
        mem_free(b);
    }
}

/* --- streams --- */

static enum err read_symbols(struct reader *r, struct arena *a, struct str **ret_symbols, uint64_t *ret_n)
{
    uint64_t n = read_varint(r);
    if (r->bad || n > reader_left(r)) {
        return ERR_CORRUPT;
    }
    struct str *symbols = arena_array(a, (size_t)n + 1, sizeof(*symbols));
    if (!symbols) {
        return arena_err(a);
    }
    for (uint64_t i = 0; i < n; i++) {
        symbols[i] = read_str(r);
    }
    *ret_symbols = symbols;
    *ret_n = n;
    return r->bad ? ERR_CORRUPT : ERR_OK;
}

/* `labels` has STREAM_LABELS_MAX places. */
static bool read_stream(struct reader *r, const struct str *symbols, uint64_t symbol_count,
                        struct label *labels, struct block_stream *ret_s)
{
    uint64_t n = read_varint(r);
    if (n > STREAM_LABELS_MAX) {
        return false;
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t name = read_varint(r), value = read_varint(r);
        if (r->bad || name >= symbol_count || value >= symbol_count) {
            return false;
        }
        labels[i] = (struct label){symbols[name], symbols[value]};
    }
    uint64_t rows = read_varint(r);
    ret_s->labels = (struct labels){labels, (size_t)n};
    ret_s->line_bytes = read_varint(r);
    ret_s->ts_min = read_zigzag(r);
    ret_s->ts_max = (int64_t)((uint64_t)ret_s->ts_min + read_varint(r));
    ret_s->rows = (uint32_t)rows;
    return !r->bad && rows > 0 && rows <= UINT32_MAX && ret_s->ts_max >= ret_s->ts_min;
}

static enum err each_stream(struct block *b, struct str section, struct arena *a, block_stream_fn *fn,
                            void *ctx)
{
    struct reader r = reader_of(section);
    struct str *symbols = NULL;
    uint64_t symbol_count = 0, row = 0;
    enum err e = read_symbols(&r, a, &symbols, &symbol_count);
    struct label *labels = e ? NULL : arena_array(a, STREAM_LABELS_MAX, sizeof(*labels));
    if (!labels) {
        return e ? e : arena_err(a);
    }
    uint64_t n = read_varint(&r);
    for (uint64_t i = 0; !e && i < n; i++) {
        struct block_stream s = {.first_row = (uint32_t)row};
        if (!read_stream(&r, symbols, symbol_count, labels, &s) || s.rows > b->rows - row) {
            return ERR_CORRUPT;
        }
        row += s.rows;
        e = fn(ctx, &s);
    }
    return e;
}

enum err block_each_stream(struct block *b, block_stream_fn *fn, void *ctx, struct err_info *reterr_info)
{
    struct str section;
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    enum err e = container_section(b->file, STR("streams"), &section, reterr_info);
    e = e ? e : each_stream(b, section, &a, fn, ctx);
    if (e == ERR_CORRUPT) {
        (void)damaged(b, "its index of streams is damaged", reterr_info);
    }
    return e;
}

/* --- columns --- */

enum err block_mark(struct block *b, struct block_group *g, enum err e)
{
    if (e == ERR_CORRUPT && !atomic_exchange_explicit(&g->bad, true, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&b->bad_groups, 1, memory_order_relaxed);
    }
    return e;
}

static enum err decode_times(struct str page, ts_ns *ts, uint32_t rows)
{
    struct reader r = reader_of(page), runs;
    uint64_t run_count = read_varint(&r), before = 0, n = 0;
    runs = r;
    for (uint64_t i = 0; i < run_count && !r.bad; i++) {
        uint64_t len = read_varint(&r);
        (void)read_zigzag(&r);
        r.bad = r.bad || len == 0 || len > rows - n;
        n += len;
    }
    uint8_t scale = read_u8(&r);
    if (r.bad || n != rows || scale >= BLOCK_SCALES) {
        return ERR_CORRUPT;
    }
    /* The differences are read to the end of the array and taken from there as rows are made. */
    uint64_t *deltas = mem_array(rows, sizeof(*deltas));
    if (!deltas) {
        return ERR_OOM;
    }
    enum err e = ints_read(&r, deltas, rows - run_count);
    const uint64_t *d = deltas;
    for (uint64_t i = 0, row = 0; !e && i < run_count; i++) {
        uint64_t len = read_varint(&runs), t = before + (uint64_t)read_zigzag(&runs);
        before = t;
        ts[row++] = (ts_ns)t;
        for (uint64_t k = 1; k < len; k++) {
            t += *d++ * block_scale[scale];
            ts[row++] = (ts_ns)t;
        }
    }
    mem_free(deltas);
    return e;
}

enum err block_read_times(struct block *b, struct block_group *g, ts_ns *ts)
{
    struct str page;
    enum err e = container_page(b->file, g->page, &page, NULL);
    return block_mark(b, g, e ? e : decode_times(page, ts, g->rows));
}

enum err block_read_lengths(struct block *b, struct block_group *g, uint64_t *lengths)
{
    struct str page;
    enum err e = container_page(b->file, g->page + 1, &page, NULL);
    if (!e) {
        struct reader r = reader_of(page);
        e = ints_read(&r, lengths, g->rows);
    }
    uint64_t sum = 0;
    for (uint32_t i = 0; !e && i < g->rows; i++) {
        if (lengths[i] > g->line_bytes - sum) {
            e = ERR_CORRUPT;
            break;
        }
        sum += lengths[i];
    }
    return block_mark(b, g, !e && sum != g->line_bytes ? ERR_CORRUPT : e);
}

enum err block_open_text(struct block *b, struct block_group *g, struct arena *a, struct text_page *t)
{
    struct str page;
    enum err e = container_page(b->file, g->page + 2, &page, NULL);
    return block_mark(b, g, e ? e : text_open(t, page, g->rows, g->line_bytes, a));
}

enum err block_read_meta(struct block *b, struct block_group *g, struct arena *a,
                         const struct labels **ret_rows)
{
    if (!g->has_meta) {
        *ret_rows = NULL;
        return ERR_OK;
    }
    struct str page;
    enum err e = container_page(b->file, g->page + 3, &page, NULL);
    return block_mark(b, g, e ? e : meta_read(page, g->rows, a, ret_rows));
}

/* --- row by row --- */

void block_reader_init(struct block_reader *r, struct block *b)
{
    *r = (struct block_reader){.b = b};
    arena_init(&r->arena, 0, NULL);
}

void block_reader_done(struct block_reader *r)
{
    text_done(&r->text);
    arena_done(&r->arena);
}

static enum err load_lines(struct block_reader *r, struct block_group *g)
{
    uint64_t *lengths = arena_array(&r->arena, g->rows, sizeof(*lengths));
    uint8_t *alive = arena_array(&r->arena, g->rows, 1);
    r->lines = arena_array(&r->arena, g->rows, sizeof(*r->lines));
    if (!lengths || !alive || !r->lines) {
        return ERR_OOM;
    }
    memset(alive, 1, g->rows);
    enum err e = block_read_lengths(r->b, g, lengths);
    e = e ? e : block_open_text(r->b, g, &r->arena, &r->text);
    e = e || !text_needs_lengths(&r->text) ? e : text_set_lengths(&r->text, lengths);
    return block_mark(r->b, g, e ? e : text_lines(&r->text, alive, r->lines));
}

static enum err load_group(struct block_reader *r)
{
    struct block_group *g = &r->b->groups[r->group];
    text_done(&r->text);
    arena_reset(&r->arena);
    r->ts = arena_array(&r->arena, g->rows, sizeof(*r->ts));
    enum err e = r->ts ? block_read_times(r->b, g, r->ts) : ERR_OOM;
    e = e ? e : load_lines(r, g);
    e = e ? e : block_read_meta(r->b, g, &r->arena, &r->meta);
    r->at = 0;
    r->loaded = !e;
    return e;
}

enum err block_reader_next(struct block_reader *r, struct head_entry *ret_row)
{
    if (r->loaded && r->at == r->b->groups[r->group].rows) {
        r->group++;
        r->loaded = false;
    }
    if (!r->loaded) {
        if (r->group == r->b->group_count) {
            return ERR_NOT_FOUND;
        }
        enum err e = load_group(r);
        if (e) {
            return e;
        }
    }
    struct str line = r->lines[r->at];
    *ret_row =
        (struct head_entry){.ts = r->ts[r->at], .line = line.n ? line.p : "", .line_n = (uint32_t)line.n};
    if (r->meta) {
        ret_row->meta = r->meta[r->at].l;
        ret_row->meta_n = (uint32_t)r->meta[r->at].n;
    }
    r->at++;
    return ERR_OK;
}
