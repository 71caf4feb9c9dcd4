/* Runs: opening parts, loading rows window by window, in the direction of the query. */
#include "base/mem.h"
#include "logs/store/cursor_int.h"

enum err cursor_grow(struct log_cursor *c, void **items, size_t *cap, size_t need, size_t item_size)
{
    size_t before = *cap;
    enum err e = vec_reserve(items, cap, need, item_size);
    size_t more = (*cap - before) * item_size;
    return e || !more ? e : cursor_charge(c, more);
}

enum err cursor_charge(struct log_cursor *c, size_t bytes)
{
    struct mem_budget *b = c->q->budget;
    if (!b) {
        return ERR_OK;
    }
    size_t used = atomic_fetch_add_explicit(&b->used_bytes, bytes, memory_order_relaxed);
    c->budget_bytes += bytes;
    return used + bytes > b->limit_bytes ? ERR_LIMIT : ERR_OK;
}

void cursor_discharge(struct log_cursor *c, size_t bytes)
{
    if (c->q->budget) {
        atomic_fetch_sub_explicit(&c->q->budget->used_bytes, bytes, memory_order_relaxed);
        c->budget_bytes -= bytes;
    }
}

static void table_put(uint32_t *table, size_t cap, uint64_t hash, uint32_t value)
{
    size_t i = (size_t)hash & (cap - 1);
    while (table[i]) {
        i = (i + 1) & (cap - 1);
    }
    table[i] = value;
}

static enum err table_grow(struct log_cursor *c)
{
    size_t cap = c->stream_table_cap ? c->stream_table_cap * 2 : 64;
    uint32_t *table = arena_zarray(&c->arena, cap, sizeof(*table));
    if (!table) {
        return arena_err(&c->arena);
    }
    for (size_t i = 0; i < c->stream_count; i++) {
        table_put(table, cap, c->views[i].hash, (uint32_t)i + 1);
    }
    c->stream_table = table;
    c->stream_table_cap = cap;
    return ERR_OK;
}

enum err cursor_stream_index(struct log_cursor *c, struct labels labels, uint64_t hash, uint32_t *ret_index)
{
    if (c->stream_count * 2 >= c->stream_table_cap) {
        enum err e = table_grow(c);
        if (e) {
            return e;
        }
    }
    size_t i = (size_t)hash & (c->stream_table_cap - 1);
    for (; c->stream_table[i]; i = (i + 1) & (c->stream_table_cap - 1)) {
        uint32_t at = c->stream_table[i] - 1;
        if (c->views[at].hash == hash && labels_eq(c->views[at].labels, labels)) {
            *ret_index = at;
            return ERR_OK;
        }
    }
    size_t n = c->stream_count;
    enum err e = arena_reserve(&c->arena, (void **)&c->views, &c->view_cap, n + 1, sizeof(*c->views));
    e = e ? e : arena_reserve(&c->arena, (void **)&c->streams, &c->stream_cap, n + 1, sizeof(*c->streams));
    if (e) {
        return e;
    }
    c->views[n] = (struct log_stream_view){labels, hash};
    c->streams[n] = (struct cursor_stream){0};
    c->stream_count++;
    c->stream_table[i] = (uint32_t)n + 1;
    *ret_index = (uint32_t)n;
    return ERR_OK;
}

enum err run_push_row(struct log_cursor *c, struct run *r, const struct head_entry *row)
{
    if (r->row_n == r->row_cap) {
        enum err e = cursor_grow(c, (void **)&r->rows, &r->row_cap, r->row_n + 1, sizeof(*r->rows));
        if (e) {
            return e;
        }
    }
    r->rows[r->row_n++] = *row;
    return ERR_OK;
}

/* --- rows of a head --- */

static bool row_wanted(const struct log_cursor *c, const struct head_entry *row)
{
    return row->ts >= c->sel.start_ns && row->ts < c->sel.end_ns &&
           filters_accept(c, str_of(row->line, row->line_n));
}

/* Stable, by ts: runs of two halves merged bottom up. */
enum err rows_sort(struct head_entry *rows, size_t n)
{
    struct head_entry *tmp = mem_array(n ? n : 1, sizeof(*tmp));
    if (!tmp) {
        return ERR_OOM;
    }
    struct head_entry *from = rows, *to = tmp;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = mid + width < n ? mid + width : n;
            for (size_t a = lo, b = mid, at = lo; at < hi; at++) {
                bool left = a < mid && (b >= hi || from[a].ts <= from[b].ts);
                to[at] = from[left ? a++ : b++];
            }
        }
        struct head_entry *swap = from;
        from = to;
        to = swap;
    }
    if (from != rows) {
        memcpy(rows, from, n * sizeof(*rows));
    }
    mem_free(tmp);
    return ERR_OK;
}

static uint32_t chunk_rows(const struct run *r, size_t chunk)
{
    uint64_t before = 0;
    for (size_t i = 0; i < chunk; i++) {
        before += r->chunks[i]->cap;
    }
    uint64_t left = r->snap->count - before;
    return left < r->chunks[chunk]->cap ? (uint32_t)left : r->chunks[chunk]->cap;
}

static enum err load_chunk(struct log_cursor *c, struct run *r, size_t chunk)
{
    const struct head_rows *rows = r->chunks[chunk];
    uint32_t n = chunk_rows(r, chunk);
    if (r->snap->sorted && (rows->e[0].ts >= c->sel.end_ns || rows->e[n - 1].ts < c->sel.start_ns)) {
        return ERR_OK;
    }
    for (uint32_t i = 0; i < n; i++) {
        c->bytes_read += rows->e[i].line_n;
        if (row_wanted(c, &rows->e[i])) {
            enum err e = run_push_row(c, r, &rows->e[i]);
            if (e) {
                return e;
            }
        }
    }
    return ERR_OK;
}

static enum err load_head(struct log_cursor *c, struct run *r, struct err_info *info)
{
    (void)info;
    enum err e = ERR_OK;
    if (!r->snap->sorted) {
        size_t from = r->row_n;
        for (size_t i = 0; !e && i < r->chunk_n; i++) {
            e = load_chunk(c, r, i);
        }
        r->done = true;
        return e ? e : rows_sort(r->rows + from, r->row_n - from);
    }
    size_t chunk = c->backward ? r->chunk_n - 1 - r->chunk_pos : r->chunk_pos;
    e = load_chunk(c, r, chunk);
    r->chunk_pos++;
    r->done = r->chunk_pos == r->chunk_n;
    if (!r->done) {
        const struct head_rows *next = r->chunks[c->backward ? chunk - 1 : chunk + 1];
        r->bound = c->backward ? next->e[next->cap - 1].ts : next->e[0].ts;
    }
    return e;
}

static enum err head_chunks(struct log_cursor *c, struct run *r)
{
    uint64_t seen = 0;
    size_t n = 0, cap = 0;
    const struct head_rows *rows = r->snap->first;
    for (; seen < r->snap->count; rows = rows->next) {
        enum err e = arena_reserve(&c->arena, (void **)&r->chunks, &cap, n + 1, sizeof(*r->chunks));
        if (e) {
            return e;
        }
        r->chunks[n++] = rows;
        seen += rows->cap;
        if (seen >= r->snap->count) {
            break; /* `next` of the last belongs to the writer */
        }
    }
    r->chunk_n = n;
    return ERR_OK;
}

/* --- direction --- */

/* The first `from` rows, ascending, into the order of the query: groups of equal ts keep theirs. */
static void reverse_groups(struct head_entry *rows, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        struct head_entry swap = rows[i];
        rows[i] = rows[n - 1 - i];
        rows[n - 1 - i] = swap;
    }
    for (size_t at = 0; at < n;) {
        size_t end = at + 1;
        while (end < n && rows[end].ts == rows[at].ts) {
            end++;
        }
        for (size_t i = at, k = end - 1; i < k; i++, k--) {
            struct head_entry swap = rows[i];
            rows[i] = rows[k];
            rows[k] = swap;
        }
        at = end;
    }
}

/* Going backward, earlier windows may hold earlier arrivals of the lowest ts: those rows wait for them. */
static enum err load_backward(struct log_cursor *c, struct run *r, struct err_info *info)
{
    size_t held = r->held;
    struct head_entry *kept = NULL;
    if (held) {
        kept = mem_array(held, sizeof(*kept));
        if (!kept) {
            return ERR_OOM;
        }
        memcpy(kept, r->rows, held * sizeof(*kept));
    }
    r->row_n = 0;
    enum err e = r->load(c, r, info);
    r->held = 0;
    for (size_t i = 0; !e && i < held; i++) {
        e = run_push_row(c, r, &kept[i]);
    }
    mem_free(kept);
    if (e) {
        return e;
    }
    size_t lowest = 0;
    while (!r->done && lowest < r->row_n && r->rows[lowest].ts == r->rows[0].ts) {
        lowest++;
    }
    /* Held rows lie first, ascending; the rest leaves from behind them. */
    r->held = lowest;
    reverse_groups(r->rows + lowest, r->row_n - lowest);
    r->row_pos = lowest;
    if (r->row_pos == r->row_n && lowest && r->bound < r->rows[0].ts) {
        r->bound = r->rows[0].ts;
    }
    return ERR_OK;
}

enum err run_advance(struct log_cursor *c, struct run *r, struct err_info *info)
{
    if (r->row_pos == r->row_n && !r->done) {
        enum err e = ERR_OK;
        if (c->backward) {
            e = load_backward(c, r, info);
        } else {
            r->row_pos = r->row_n = 0;
            e = r->load(c, r, info);
        }
        if (e) {
            return e == ERR_LIMIT ? err_set(info, e, "the query needs more memory than it is allowed") : e;
        }
    }
    return ERR_OK;
}

void run_release(struct log_cursor *c, struct run *r)
{
    (void)(run_hand_over_pins(c, r) == ERR_OK);
    cursor_discharge(c, r->row_cap * sizeof(*r->rows));
    mem_free(r->rows);
    r->rows = NULL;
    r->row_n = r->row_cap = r->row_pos = r->held = 0;
}

void cursor_unpin(struct log_cursor *c)
{
    for (size_t i = 0; i < c->unpin_n; i++) {
        group_view_unpin(c, c->unpin[i]);
    }
    c->unpin_n = 0;
}

/* --- opening --- */

enum err cursor_add_run(struct log_cursor *c, const struct run *template)
{
    enum err e = arena_reserve(&c->arena, (void **)&c->all, &c->run_cap, c->run_count + 1, sizeof(*c->all));
    e = e ? e : arena_reserve(&c->arena, (void **)&c->heap, &c->heap_cap, c->heap_n + 1, sizeof(*c->heap));
    struct run *r = e ? NULL : arena_alloc(&c->arena, sizeof(*r));
    if (!r) {
        return e ? e : arena_err(&c->arena);
    }
    *r = *template;
    struct cursor_stream *s = &c->streams[r->stream];
    r->stream_next = s->runs;
    s->runs = r;
    s->live++;
    c->all[c->run_count++] = r;
    cursor_heap_push(c, r);
    return ERR_OK;
}

static enum err open_snap(struct log_cursor *c, const struct part *p, const struct head_snap *snap)
{
    const struct head_stream *s = snap->stream;
    struct run t = {.order = p->order, .load = load_head, .snap = snap};
    t.bound = t.key = c->backward ? snap->ts_max : snap->ts_min;
    enum err e = cursor_stream_index(c, s->labels, s->hash, &t.stream);
    e = e ? e : head_chunks(c, &t);
    return e ? e : cursor_add_run(c, &t);
}

enum err cursor_open_part(struct log_cursor *c, struct part *p, struct err_info *info)
{
    if (p->block) {
        return cursor_open_block(c, p, info);
    }
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < p->snap_count; i++) {
        const struct head_snap *s = &p->snaps[i];
        if (str_eq(s->stream->tenant, c->tenant) && s->ts_max >= c->sel.start_ns &&
            s->ts_min < c->sel.end_ns &&
            matchers_match(c->sel.matchers, c->sel.matcher_count, s->stream->labels)) {
            e = open_snap(c, p, s);
        }
    }
    return e;
}
