/* What a query sees of a group: columns are read in order of their price, each only while rows are left. */
#include "base/mem.h"
#include "logs/store/cursor_int.h"

enum {
    KEPT_WHOLE = 4, /* the text is kept when at least one part in so many is handed out; else copied */
};

struct scan { /* while a view is made */
    struct log_cursor *c;
    struct group_view *v;
    struct block *b;
    struct block_group *g;
    struct arena tmp;
    ts_ns *ts;
    uint64_t *lengths;
    uint32_t *offsets;
    uint8_t *alive, *hit;
    uint32_t left;
};

void group_view_free(struct log_cursor *c, struct group_view *v)
{
    if (v) {
        cursor_discharge(c, v->charged);
        buf_done(&v->text);
        arena_done(&v->arena);
        mem_free(v);
    }
}

/* The first range that ends behind the row. */
static size_t first_range(const struct part *p, uint32_t row)
{
    size_t lo = 0, hi = p->range_n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (p->ranges[mid].end <= row) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static void select_rows(struct scan *s)
{
    const struct part *p = s->v->part;
    uint32_t base = s->g->first_row, end = base + s->g->rows;
    for (size_t i = first_range(p, base); i < p->range_n && p->ranges[i].first < end; i++) {
        uint32_t from = p->ranges[i].first > base ? p->ranges[i].first - base : 0;
        uint32_t to = p->ranges[i].end < end ? p->ranges[i].end - base : s->g->rows;
        for (uint32_t row = from; row < to; row++) {
            s->alive[row] = s->ts[row] >= s->c->sel.start_ns && s->ts[row] < s->c->sel.end_ns;
            s->left += s->alive[row];
        }
    }
}

static enum err read_columns(struct scan *s)
{
    uint32_t n = s->g->rows;
    s->ts = arena_array(&s->tmp, n, sizeof(*s->ts));
    s->alive = arena_zarray(&s->tmp, n, 1);
    s->hit = arena_array(&s->tmp, n, 1);
    s->lengths = arena_array(&s->tmp, n, sizeof(*s->lengths));
    s->offsets = arena_array(&s->tmp, (size_t)n + 1, sizeof(*s->offsets));
    if (!s->ts || !s->alive || !s->hit || !s->lengths || !s->offsets) {
        return arena_err(&s->tmp);
    }
    enum err e = block_read_times(s->b, s->g, s->ts);
    if (e) {
        return e;
    }
    s->v->decoded = true;
    s->v->first_ts = s->ts[0];
    s->v->last_ts = s->ts[n - 1];
    select_rows(s);
    if (!s->left) {
        return ERR_OK;
    }
    e = block_read_lengths(s->b, s->g, s->lengths);
    s->offsets[0] = 0;
    for (uint32_t i = 0; !e && i < n; i++) {
        s->offsets[i + 1] = s->offsets[i] + (uint32_t)s->lengths[i];
    }
    return e;
}

static enum err read_lines(struct scan *s)
{
    struct log_cursor *c = s->c;
    if (!s->left || lines_unread(c)) {
        return ERR_OK;
    }
    s->v->charged = s->g->line_bytes;
    enum err e = cursor_charge(c, s->v->charged);
    e = e ? e : block_read_text(s->b, s->g, &s->v->text);
    if (e) {
        return e;
    }
    c->bytes_read += s->g->line_bytes;
    if (c->sel.filter_count) {
        filters_apply(c, buf_view(&s->v->text), s->offsets, s->g->rows, s->alive, s->hit);
        s->left = 0;
        for (uint32_t i = 0; i < s->g->rows; i++) {
            s->left += s->alive[i];
        }
    }
    return ERR_OK;
}

/* Copies the few lines that are left, so that the text can go. */
static enum err keep_few(struct scan *s, size_t bytes)
{
    struct group_view *v = s->v;
    char *copy = bytes ? arena_bytes(&v->arena, bytes) : NULL;
    if (bytes && !copy) {
        return arena_err(&v->arena);
    }
    for (size_t i = 0; i < v->n; i++) {
        struct head_entry *row = &v->rows[i];
        if (row->line_n) {
            memcpy(copy, row->line, row->line_n);
            row->line = copy;
            copy += row->line_n;
        } else {
            row->line = "";
        }
    }
    cursor_discharge(s->c, v->charged);
    v->charged = 0;
    buf_done(&v->text);
    return ERR_OK;
}

static enum err make_rows(struct scan *s)
{
    struct group_view *v = s->v;
    struct arena *a = &v->arena;
    const struct labels *meta = NULL;
    enum err e = ERR_OK;
    if (s->c->sel.metadata_needed) {
        e = block_read_meta(s->b, s->g, a, &meta);
    }
    v->rows = arena_array(a, s->left, sizeof(*v->rows));
    v->numbers = arena_array(a, s->left, sizeof(*v->numbers));
    if (e || !v->rows || !v->numbers) {
        return e ? e : arena_err(a);
    }
    const char *text = v->text.n ? v->text.p : NULL;
    size_t bytes = 0;
    for (uint32_t i = 0; i < s->g->rows; i++) {
        if (!s->alive[i]) {
            continue;
        }
        struct head_entry *row = &v->rows[v->n];
        *row = (struct head_entry){.ts = s->ts[i], .line_n = (uint32_t)s->lengths[i]};
        row->line = text ? text + s->offsets[i] : (const char *)row;
        if (meta) {
            row->meta = meta[i].l;
            row->meta_n = (uint32_t)meta[i].n;
        }
        v->numbers[v->n++] = s->g->first_row + i;
        bytes += row->line_n;
    }
    return text && bytes * KEPT_WHOLE < v->text.n ? keep_few(s, bytes) : ERR_OK;
}

static enum err fill(struct scan *s)
{
    const struct log_select *sel = &s->c->sel;
    bool bad = atomic_load_explicit(&s->g->bad, memory_order_relaxed);
    if (bad || s->g->ts_max < sel->start_ns || s->g->ts_min >= sel->end_ns ||
        !filters_may_accept(s->c, block_grams(s->b, s->g))) {
        return ERR_OK;
    }
    enum err e = read_columns(s);
    e = e ? e : read_lines(s);
    return e || !s->left ? e : make_rows(s);
}

enum err group_view_new(struct log_cursor *c, struct part *p, size_t group, struct group_view **ret_view)
{
    struct group_view *v = mem_zalloc(sizeof(*v));
    if (!v) {
        return ERR_OOM;
    }
    v->part = p;
    v->group = group;
    arena_init(&v->arena, 0, c->q->budget);
    struct scan s = {.c = c, .v = v, .b = p->block, .g = &p->block->groups[group]};
    arena_init(&s.tmp, 0, c->q->budget);
    enum err e = fill(&s);
    arena_done(&s.tmp);
    if (e == ERR_CORRUPT) { /* marked and counted by the block: the rest is served */
        v->n = 0;
        e = ERR_OK;
    }
    if (e) {
        group_view_free(c, v);
        return e;
    }
    *ret_view = v;
    return ERR_OK;
}

/* Reads the text late, and lets the view's rows point to their lines. */
static enum err read_late(struct log_cursor *c, struct group_view *v)
{
    struct block *b = v->part->block;
    struct block_group *g = &b->groups[v->group];
    uint64_t *lengths = mem_array(g->rows, sizeof(*lengths));
    enum err e = lengths ? cursor_charge(c, g->line_bytes) : ERR_OOM;
    v->charged += lengths ? g->line_bytes : 0;
    e = e ? e : block_read_lengths(b, g, lengths);
    e = e ? e : block_read_text(b, g, &v->text);
    size_t offset = 0, k = 0;
    for (uint32_t i = 0; !e && i < g->rows && k < v->n; i++) {
        if (v->numbers[k] == g->first_row + i) {
            v->rows[k++].line = v->text.p + offset;
        }
        offset += (size_t)lengths[i];
    }
    mem_free(lengths);
    return e;
}

enum err run_row_line(struct log_cursor *c, const struct run *r, const struct head_entry *row,
                      struct str *ret_line)
{
    const char *line = row->line;
    for (size_t i = 0; r->part && row->line_n && lines_unread(c) && i < r->pin_n; i++) {
        struct group_view *v = r->pins[i];
        const char *first = (const char *)v->rows;
        if (line < first || line >= (const char *)(v->rows + v->n)) {
            continue;
        }
        enum err e = v->text.p ? ERR_OK : read_late(c, v);
        if (e) {
            return e;
        }
        line = v->rows[(size_t)(line - first) / sizeof(*v->rows)].line;
        break;
    }
    *ret_line = str_of(line, row->line_n);
    return ERR_OK;
}
