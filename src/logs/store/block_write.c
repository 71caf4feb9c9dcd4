/* Writing a block: rows are collected until a group is full, then its columns become pages. */
#include "base/mem.h"
#include "base/strmap.h"
#include "codec/varint.h"
#include "logs/store/block_int.h"
#include "logs/store/grams.h"
#include "logs/store/ints.h"
#include "logs/store/limits.h"
#include "logs/store/meta.h"
#include "logs/store/text.h"

struct block_writer {
    struct container_writer *file;
    struct buf tenant;
    uint32_t level;
    uint64_t group_bytes;

    /* the group being filled */
    struct buf text;
    ts_ns *ts;
    uint64_t *lengths, *column;
    uint32_t *offsets; /* of lines in the text */
    struct text_writer lines;
    uint32_t *runs; /* the group's first row of each stream */
    uint32_t n, run_count;
    ts_ns ts_min, ts_max;
    struct meta_writer meta;

    /* the stream being filled */
    bool in_stream;
    uint64_t stream_rows, stream_bytes;
    ts_ns stream_min, stream_max;

    struct strmap symbols; /* -> number + 1 */
    struct buf symbol_bytes, streams, stream_labels, groups, grams, page;
    uint64_t symbol_count, stream_count, group_count, rows, line_bytes;
    ts_ns block_min, block_max;
    uint8_t *scratch;
};

static void writer_free(struct block_writer *w)
{
    buf_done(&w->tenant);
    buf_done(&w->text);
    mem_free(w->ts);
    mem_free(w->lengths);
    mem_free(w->column);
    mem_free(w->runs);
    mem_free(w->offsets);
    text_writer_done(&w->lines);
    meta_writer_done(&w->meta);
    strmap_done(&w->symbols);
    buf_done(&w->symbol_bytes);
    buf_done(&w->streams);
    buf_done(&w->stream_labels);
    buf_done(&w->groups);
    buf_done(&w->grams);
    buf_done(&w->page);
    mem_free(w->scratch);
    mem_free(w);
}

void block_writer_abort(struct block_writer *w)
{
    if (w) {
        container_abort(w->file);
        writer_free(w);
    }
}

enum err block_writer_new(const char *path, struct str tenant, uint32_t level, uint64_t group_bytes,
                          struct block_writer **ret_w, struct err_info *reterr_info)
{
    struct block_writer *w = mem_zalloc(sizeof(*w));
    if (!w) {
        return err_set(reterr_info, ERR_OOM, "no memory to write %s", path);
    }
    w->level = level;
    w->group_bytes = group_bytes ? group_bytes : GROUP_BYTES;
    w->block_min = INT64_MAX;
    w->block_max = INT64_MIN;
    meta_writer_init(&w->meta);
    buf_str(&w->tenant, tenant);
    w->ts = mem_array(GROUP_ROWS, sizeof(*w->ts));
    w->lengths = mem_array(GROUP_ROWS, sizeof(*w->lengths));
    w->column = mem_array(GROUP_ROWS, sizeof(*w->column));
    w->runs = mem_array(GROUP_ROWS, sizeof(*w->runs));
    w->offsets = mem_array(GROUP_ROWS + 1, sizeof(*w->offsets));
    w->scratch = mem_alloc(GRAMS_BITS);
    bool ok = w->ts && w->lengths && w->column && w->runs && w->offsets && w->scratch;
    enum err e = ok ? text_writer_init(&w->lines) : ERR_OOM;
    e = e ? e : w->tenant.err;
    if (e) {
        (void)err_set(reterr_info, e, "no memory to write %s", path);
    }
    e = e ? e : container_create(path, STR(BLOCK_KIND), BLOCK_VERSION, &w->file, reterr_info);
    if (e) {
        writer_free(w);
        return e;
    }
    *ret_w = w;
    return ERR_OK;
}

/* --- groups --- */

static unsigned scale_of(const uint64_t *deltas, size_t n)
{
    unsigned scale = BLOCK_SCALES - 1;
    for (size_t i = 0; i < n && scale; i++) {
        while (scale && deltas[i] % block_scale[scale]) {
            scale--;
        }
    }
    return scale;
}

static void put_times(struct block_writer *w, struct buf *dst)
{
    write_varint(dst, w->run_count);
    uint64_t before = 0;
    size_t n = 0;
    for (uint32_t i = 0; i < w->run_count; i++) {
        uint32_t first = w->runs[i], end = i + 1 < w->run_count ? w->runs[i + 1] : w->n;
        write_varint(dst, end - first);
        write_zigzag(dst, (int64_t)((uint64_t)w->ts[first] - before));
        before = (uint64_t)w->ts[first];
        for (uint32_t row = first + 1; row < end; row++) {
            w->column[n++] = (uint64_t)w->ts[row] - (uint64_t)w->ts[row - 1];
        }
    }
    unsigned scale = scale_of(w->column, n);
    for (size_t i = 0; i < n && scale; i++) {
        w->column[i] /= block_scale[scale];
    }
    write_u8(dst, (uint8_t)scale);
    ints_write(dst, w->column, n);
}

static enum err add_page(struct block_writer *w, struct err_info *info)
{
    enum err e = w->page.err ? err_set(info, w->page.err, "no memory to write a block")
                             : container_add_page(w->file, buf_view(&w->page), NULL, info);
    buf_reset(&w->page);
    return e;
}

static enum err finish_group(struct block_writer *w, struct err_info *info)
{
    if (w->n == 0) {
        return ERR_OK;
    }
    size_t grams_at = w->grams.n;
    bool has_meta = w->meta.any;
    put_times(w, &w->page);
    enum err e = add_page(w, info);
    ints_write(&w->page, w->lengths, w->n);
    e = e ? e : add_page(w, info);
    w->offsets[w->n] = (uint32_t)w->text.n;
    text_write(&w->lines, &w->page, buf_view(&w->text), w->offsets, w->n);
    e = e ? e : add_page(w, info);
    grams_write(&w->grams, buf_view(&w->text), w->scratch);
    if (!e && has_meta) {
        e = meta_writer_page(&w->meta, &w->page);
        e = e ? err_set(info, e, "no memory to write a block") : add_page(w, info);
    }
    w->meta.row_count = 0;
    write_varint(&w->groups, w->n);
    write_varint(&w->groups, w->text.n);
    write_zigzag(&w->groups, w->ts_min);
    write_varint(&w->groups, (uint64_t)w->ts_max - (uint64_t)w->ts_min);
    write_u8(&w->groups, has_meta);
    write_varint(&w->groups, w->grams.n - grams_at);
    w->group_count++;
    w->n = w->run_count = 0;
    buf_reset(&w->text);
    return e;
}

/* --- streams --- */

static enum err put_symbol(struct block_writer *w, struct str s)
{
    void *v = strmap_get(&w->symbols, s);
    enum err e = ERR_OK;
    if (!v) {
        v = (void *)(uintptr_t)++w->symbol_count;
        e = strmap_put(&w->symbols, s, v, NULL);
        write_str(&w->symbol_bytes, s);
    }
    write_varint(&w->stream_labels, (uint64_t)(uintptr_t)v - 1);
    return e;
}

static void finish_stream(struct block_writer *w)
{
    if (w->in_stream && w->stream_rows) {
        buf_str(&w->streams, buf_view(&w->stream_labels));
        write_varint(&w->streams, w->stream_rows);
        write_varint(&w->streams, w->stream_bytes);
        write_zigzag(&w->streams, w->stream_min);
        write_varint(&w->streams, (uint64_t)w->stream_max - (uint64_t)w->stream_min);
        w->stream_count++;
    }
    w->in_stream = false;
}

enum err block_writer_stream(struct block_writer *w, struct labels labels, struct err_info *reterr_info)
{
    finish_stream(w);
    buf_reset(&w->stream_labels);
    write_varint(&w->stream_labels, labels.n);
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < labels.n; i++) {
        e = put_symbol(w, labels.l[i].name);
        e = e ? e : put_symbol(w, labels.l[i].value);
    }
    e = e ? e : w->streams.err ? w->streams.err : w->stream_labels.err;
    w->stream_rows = w->stream_bytes = 0;
    w->in_stream = true;
    return e ? err_set(reterr_info, e, "no memory to write a block") : ERR_OK;
}

static void note_time(struct block_writer *w, const struct head_entry *row)
{
    if (w->n == 0) {
        w->ts_min = w->ts_max = row->ts;
    }
    if (w->stream_rows == 0) {
        w->stream_min = row->ts;
    }
    w->stream_max = row->ts;
    w->ts_min = row->ts < w->ts_min ? row->ts : w->ts_min;
    w->ts_max = row->ts > w->ts_max ? row->ts : w->ts_max;
    w->block_min = row->ts < w->block_min ? row->ts : w->block_min;
    w->block_max = row->ts > w->block_max ? row->ts : w->block_max;
}

enum err block_writer_row(struct block_writer *w, const struct head_entry *row, struct err_info *reterr_info)
{
    if (w->n == GROUP_ROWS || (w->n && w->text.n + row->line_n > w->group_bytes)) {
        enum err e = finish_group(w, reterr_info);
        if (e) {
            return e;
        }
    }
    enum err e = meta_writer_row(&w->meta, (struct labels){row->meta, row->meta_n});
    w->offsets[w->n] = (uint32_t)w->text.n;
    buf_append(&w->text, row->line, row->line_n);
    e = e ? e : w->text.err;
    if (e || w->rows == UINT32_MAX) {
        return err_set(reterr_info, e ? e : ERR_LIMIT, "no memory for a row of a block, or too many rows");
    }
    if (w->stream_rows == 0 || w->n == 0) {
        w->runs[w->run_count++] = w->n;
    }
    note_time(w, row);
    w->ts[w->n] = row->ts;
    w->lengths[w->n] = row->line_n;
    w->n++;
    w->rows++;
    w->line_bytes += row->line_n;
    w->stream_rows++;
    w->stream_bytes += row->line_n;
    return ERR_OK;
}

/* --- the end --- */

static enum err add_section(struct block_writer *w, const char *name, const struct buf *b,
                            struct err_info *info)
{
    return b->err ? err_set(info, b->err, "no memory to write a block")
                  : container_add_section(w->file, str_c(name), buf_view(b), info);
}

static enum err add_sections(struct block_writer *w, struct err_info *info)
{
    struct buf b AUTO_BUF = {0}, streams AUTO_BUF = {0}, groups AUTO_BUF = {0};
    write_str(&b, buf_view(&w->tenant));
    write_varint(&b, w->level);
    write_varint(&b, w->rows);
    write_varint(&b, w->line_bytes);
    write_zigzag(&b, w->block_min);
    write_zigzag(&b, w->block_max);
    enum err e = add_section(w, "info", &b, info);
    write_varint(&streams, w->symbol_count);
    buf_str(&streams, buf_view(&w->symbol_bytes));
    write_varint(&streams, w->stream_count);
    buf_str(&streams, buf_view(&w->streams));
    streams.err = streams.err ? streams.err : w->symbol_bytes.err ? w->symbol_bytes.err : w->streams.err;
    e = e ? e : add_section(w, "streams", &streams, info);
    write_varint(&groups, w->group_count);
    buf_str(&groups, buf_view(&w->groups));
    groups.err = groups.err ? groups.err : w->groups.err;
    e = e ? e : add_section(w, "groups", &groups, info);
    return e ? e : add_section(w, "grams", &w->grams, info);
}

enum err log_block_writer_finish(struct block_writer *w, uint64_t *ret_rows, struct err_info *reterr_info)
{
    uint64_t rows = w->rows;
    finish_stream(w);
    enum err e = finish_group(w, reterr_info);
    e = e || rows == 0 ? e : add_sections(w, reterr_info);
    if (e || rows == 0) {
        container_abort(w->file);
    } else {
        e = container_finish(w->file, NULL, reterr_info);
    }
    writer_free(w);
    if (!e) {
        *ret_rows = rows;
    }
    return e;
}
