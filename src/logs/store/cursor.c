/* The merge: runs in a heap by time, parts opened when the merge reaches them, one line once.
 *
 * Order on equal ts: runs without rows first (they may hold an earlier one), then streams by labels, then
 * older parts. Rows of one stream and time thus leave one after another, whatever part they come from, and a
 * small table of what left for that stream and time finds the second copy of a line. */
#include "logs/store/cursor_int.h"

#include <stdlib.h>

#include "base/mem.h"
#include "disk/file.h"
#include "disk/map_guard.h"
#include "logs/store/limits.h"
#include "logs/store/source_int.h"
#include "logs/store/tail.h"

static bool has_row(const struct run *r)
{
    return r->row_pos < r->row_n;
}

static bool ts_before(const struct log_cursor *c, ts_ns a, ts_ns b)
{
    return c->backward ? a > b : a < b;
}

static bool run_before(const struct log_cursor *c, const struct run *a, const struct run *b)
{
    if (a->key != b->key) {
        return ts_before(c, a->key, b->key);
    }
    if (has_row(a) != has_row(b)) {
        return !has_row(a);
    }
    if (a->stream != b->stream) {
        return labels_cmp(c->views[a->stream].labels, c->views[b->stream].labels) < 0;
    }
    return a->order < b->order;
}

static void heap_up(struct log_cursor *c, size_t i)
{
    struct run *r = c->heap[i];
    while (i && run_before(c, r, c->heap[(i - 1) / 2])) {
        c->heap[i] = c->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    c->heap[i] = r;
}

static void heap_down(struct log_cursor *c)
{
    struct run *r = c->heap[0];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= c->heap_n) {
            break;
        }
        if (child + 1 < c->heap_n && run_before(c, c->heap[child + 1], c->heap[child])) {
            child++;
        }
        if (!run_before(c, c->heap[child], r)) {
            break;
        }
        c->heap[i] = c->heap[child];
        i = child;
    }
    c->heap[i] = r;
}

void cursor_heap_push(struct log_cursor *c, struct run *r)
{
    c->heap[c->heap_n++] = r;
    heap_up(c, c->heap_n - 1);
}

static void finish_root(struct log_cursor *c)
{
    struct run *r = c->heap[0];
    struct cursor_stream *s = &c->streams[r->stream];
    struct run **link = &s->runs;
    while (*link != r) {
        link = &(*link)->stream_next;
    }
    *link = r->stream_next;
    s->live--;
    c->heap[0] = c->heap[--c->heap_n];
    if (c->heap_n) {
        heap_down(c);
    }
    run_release(c, r);
}

/* After rows of the root were used up or loaded: its new place in the heap. */
static void replace_root(struct log_cursor *c)
{
    struct run *r = c->heap[0];
    if (has_row(r)) {
        r->key = r->rows[r->row_pos].ts;
    } else if (r->done) {
        finish_root(c);
        return;
    } else {
        bool held_first = r->held && !ts_before(c, r->bound, r->rows[0].ts);
        r->key = held_first ? r->rows[0].ts : r->bound;
    }
    heap_down(c);
}

/* --- one line once --- */

static bool contested(const struct log_cursor *c, const struct run *r, ts_ns ts)
{
    if (c->dup_n && c->dup_ts == ts && c->dup_stream == r->stream) {
        return true;
    }
    const struct cursor_stream *s = &c->streams[r->stream];
    if (s->live < 2) {
        return false;
    }
    for (const struct run *o = s->runs; o; o = o->stream_next) {
        if (o != r && o->key == ts) {
            return true;
        }
    }
    return false;
}

static enum err seen_before(struct log_cursor *c, const struct run *r, const struct head_entry *row,
                            bool *ret_seen)
{
    *ret_seen = false;
    if (!contested(c, r, row->ts)) {
        return ERR_OK;
    }
    struct str line;
    enum err e = run_row_line(c, r, row, &line);
    if (e) {
        return e == ERR_CORRUPT ? ERR_OK : e;
    }
    if (c->dup_ts != row->ts || c->dup_stream != r->stream) {
        c->dup_n = 0;
        c->dup_ts = row->ts;
        c->dup_stream = r->stream;
    }
    struct hash128 k = line_key(row->ts, line, (struct labels){row->meta, row->meta_n});
    for (size_t i = 0; i < c->dup_n; i++) {
        if (c->dup[i].lo == k.lo && c->dup[i].hi == k.hi) {
            *ret_seen = true;
            return ERR_OK;
        }
    }
    e = cursor_grow(c, (void **)&c->dup, &c->dup_cap, c->dup_n + 1, sizeof(*c->dup));
    if (!e) {
        c->dup[c->dup_n++] = k;
    }
    return e;
}

/* --- handing out --- */

static bool batch_full(const struct log_cursor *c)
{
    return c->out_n == BATCH_ENTRIES || c->out_line_bytes >= BATCH_LINE_BYTES ||
           (c->sel.limit && c->emitted >= c->sel.limit);
}

static void put_out(struct log_cursor *c, const struct run *r, const struct head_entry *row)
{
    size_t n = c->out_n++;
    c->out_ts[n] = row->ts;
    c->out_lines[n] = str_of(c->sel.lines_needed ? row->line : NULL, row->line_n);
    c->out_stream[n] = r->stream;
    c->out_meta[n] = (struct labels){row->meta, row->meta_n};
    c->out_has_meta |= row->meta_n > 0;
    c->out_line_bytes += row->line_n;
    c->emitted++;
}

/* The time up to which rows of the root may leave without another look at the heap. In any order only runs of
 * the same stream matter, for they may hold the same lines. */
static ts_ns free_until(const struct log_cursor *c, const struct run *r)
{
    ts_ns until = c->backward ? INT64_MIN : INT64_MAX;
    if (c->part_next < c->part_count) {
        const struct part *p = &c->parts[c->part_next];
        until = c->backward ? p->ts_max : p->ts_min;
    }
    if (c->sel.order == LOG_UNORDERED) {
        for (const struct run *o = c->streams[r->stream].runs; o; o = o->stream_next) {
            until = o != r && ts_before(c, o->key, until) ? o->key : until;
        }
        return until;
    }
    for (size_t i = 1; i <= 2 && i < c->heap_n; i++) {
        until = ts_before(c, c->heap[i]->key, until) ? c->heap[i]->key : until;
    }
    return until;
}

static enum err emit_root(struct log_cursor *c)
{
    struct run *r = c->heap[0];
    ts_ns until = free_until(c, r);
    bool first = true;
    while (has_row(r) && !batch_full(c)) {
        const struct head_entry *row = &r->rows[r->row_pos];
        if (!first && !ts_before(c, row->ts, until)) {
            break;
        }
        bool seen;
        enum err e = seen_before(c, r, row, &seen);
        if (e) {
            return e;
        }
        if (!seen) {
            put_out(c, r, row);
        }
        r->row_pos++;
        first = false;
    }
    replace_root(c);
    return ERR_OK;
}

static enum err open_due_parts(struct log_cursor *c, struct err_info *info)
{
    while (c->part_next < c->part_count) {
        struct part *p = &c->parts[c->part_next];
        ts_ns key = c->backward ? p->ts_max : p->ts_min;
        if (c->heap_n && ts_before(c, c->heap[0]->key, key)) {
            return ERR_OK;
        }
        c->part_next++;
        enum err e = cursor_open_part(c, p, info);
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

static enum err fill(struct log_cursor *c, struct err_info *info)
{
    unsigned steps = 0;
    enum err e = query_ctx_check(c->q, info);
    while (!e && !batch_full(c)) {
        e = open_due_parts(c, info);
        if (e || !c->heap_n) {
            break;
        }
        if (has_row(c->heap[0])) {
            e = emit_root(c);
            continue;
        }
        e = run_advance(c, c->heap[0], info);
        if (!e) {
            replace_root(c);
        }
        if (!e && ++steps % 16 == 0) {
            e = query_ctx_check(c->q, info);
        }
    }
    return e;
}

enum err log_cursor_next(struct log_cursor *c, struct log_batch *ret_batch, struct err_info *reterr_info)
{
    if (c->tail) {
        return ERR_NOT_FOUND;
    }
    c->out_n = c->out_line_bytes = 0;
    c->out_has_meta = false;
    c->bytes_read = 0;
    cursor_unpin(c);
    if (c->sel.limit && c->emitted >= c->sel.limit) {
        return ERR_NOT_FOUND;
    }
    enum err e = fill(c, reterr_info);
    if (file_map_failures() != c->map_failures) {
        return err_set(reterr_info, ERR_IO,
                       "the disk did not give a part of a block: ask again for what is left");
    }
    if (e) {
        if (e == ERR_OOM || (e == ERR_LIMIT && reterr_info && reterr_info->code != e)) {
            return err_set(reterr_info, e, "the query needs more memory than it may use");
        }
        return e;
    }
    if (c->out_n == 0) {
        return ERR_NOT_FOUND;
    }
    *ret_batch = (struct log_batch){
        .count = c->out_n,
        .ts = c->out_ts,
        .lines = c->out_lines,
        .stream = c->out_stream,
        .streams = c->views,
        .stream_count = c->stream_count,
        .metadata = c->out_has_meta ? c->out_meta : NULL,
        .filtered = true,
        .bytes_read = c->bytes_read,
    };
    return ERR_OK;
}

static int by_opening(const void *a, const void *b, void *ctx)
{
    const struct part *x = a, *y = b;
    const struct log_cursor *c = ctx;
    ts_ns kx = c->backward ? x->ts_max : x->ts_min, ky = c->backward ? y->ts_max : y->ts_min;
    if (kx != ky) {
        return ts_before(c, kx, ky) ? -1 : 1;
    }
    return (x->order > y->order) - (x->order < y->order);
}

static enum err copy_select(struct log_cursor *c, const struct log_select *sel)
{
    c->sel = *sel;
    struct matcher *m = arena_array(&c->arena, sel->matcher_count + 1, sizeof(*m));
    struct log_line_filter *f = arena_array(&c->arena, sel->filter_count + 1, sizeof(*f));
    if (!m || !f) {
        return arena_err(&c->arena);
    }
    if (sel->matcher_count) {
        memcpy(m, sel->matchers, sel->matcher_count * sizeof(*m));
    }
    if (sel->filter_count) {
        memcpy(f, sel->filters, sel->filter_count * sizeof(*f));
    }
    c->sel.matchers = m;
    c->sel.filters = f;
    return ERR_OK;
}

static enum err make_output(struct log_cursor *c)
{
    c->out_ts = arena_array(&c->arena, BATCH_ENTRIES, sizeof(*c->out_ts));
    c->out_lines = arena_array(&c->arena, BATCH_ENTRIES, sizeof(*c->out_lines));
    c->out_stream = arena_array(&c->arena, BATCH_ENTRIES, sizeof(*c->out_stream));
    c->out_meta = arena_array(&c->arena, BATCH_ENTRIES, sizeof(*c->out_meta));
    return c->out_ts && c->out_lines && c->out_stream && c->out_meta ? ERR_OK : arena_err(&c->arena);
}

enum err cursor_new(struct log_store *s, struct query_ctx *q, const struct log_select *sel,
                    struct log_cursor **ret_cursor, struct err_info *reterr_info)
{
    struct log_cursor *c = mem_zalloc(sizeof(*c));
    if (!c) {
        return err_set(reterr_info, ERR_OOM, "no memory for a query");
    }
    c->map_failures = file_map_failures();
    c->q = q;
    c->backward = sel->order == LOG_BACKWARD;
    arena_init(&c->arena, 0, q->budget);
    enum err e = copy_select(c, sel);
    c->tenant = arena_str(&c->arena, q->tenant);
    e = e ? e : c->tenant.p ? ERR_OK : arena_err(&c->arena);
    e = e ? e : filters_init(c);
    e = e ? e : make_output(c);
    e = e ? e
          : store_parts(s, c->tenant, &c->arena, sel->start_ns, sel->end_ns, &c->parts, &c->part_count,
                        reterr_info);
    if (e) {
        log_cursor_close(c);
        return err_set(reterr_info, e, "the query needs more memory than it may use");
    }
    c->sel.metadata_needed |= c->part_count > 1; /* it tells entries of different parts apart */
    if (c->part_count) {
        qsort_r(c->parts, c->part_count, sizeof(*c->parts), by_opening, c);
    }
    *ret_cursor = c;
    return ERR_OK;
}

void log_cursor_close(struct log_cursor *c)
{
    if (!c) {
        return;
    }
    if (c->tail) {
        tail_close(c->tail);
        mem_free(c);
        return;
    }
    for (size_t i = 0; i < c->run_count; i++) {
        run_release(c, c->all[i]);
    }
    cursor_unpin(c);
    for (size_t i = 0; i < c->part_count; i++) {
        part_release_views(c, &c->parts[i]);
    }
    store_parts_release(c->parts, c->part_count);
    mem_free(c->dup);
    cursor_discharge(c, c->budget_bytes);
    arena_done(&c->arena);
    mem_free(c);
}
