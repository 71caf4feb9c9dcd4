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
    struct text_page text;
    ts_ns *ts;         /* NULL until read */
    uint64_t *lengths; /* NULL until read */
    struct str *lines;
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
        memset(s->alive + from, 1, to - from);
        s->left += to - from;
    }
}

static enum err read_times(struct scan *s)
{
    uint32_t n = s->g->rows;
    if (s->ts || !s->left) {
        return ERR_OK;
    }
    s->ts = arena_array(&s->tmp, n, sizeof(*s->ts));
    enum err e = s->ts ? block_read_times(s->b, s->g, s->ts) : arena_err(&s->tmp);
    if (e) {
        return e;
    }
    s->v->decoded = true;
    s->v->first_ts = s->ts[0];
    s->v->last_ts = s->ts[n - 1];
    for (uint32_t row = 0; row < n; row++) {
        if (s->alive[row] && (s->ts[row] < s->c->sel.start_ns || s->ts[row] >= s->c->sel.end_ns)) {
            s->alive[row] = 0;
            s->left--;
        }
    }
    return ERR_OK;
}

static enum err read_lengths(struct scan *s)
{
    if (s->lengths) {
        return ERR_OK;
    }
    s->lengths = arena_array(&s->tmp, s->g->rows, sizeof(*s->lengths));
    return s->lengths ? block_read_lengths(s->b, s->g, s->lengths) : arena_err(&s->tmp);
}

static enum err open_text(struct scan *s)
{
    s->v->charged = s->g->line_bytes;
    enum err e = cursor_charge(s->c, s->v->charged);
    s->lines = arena_array(&s->tmp, s->g->rows, sizeof(*s->lines));
    e = e ? e : s->lines ? block_open_text(s->b, s->g, &s->tmp, &s->text) : arena_err(&s->tmp);
    if (!e && text_needs_lengths(&s->text)) {
        e = read_lengths(s);
        e = e ? e : block_mark(s->b, s->g, text_set_lengths(&s->text, s->lengths));
    }
    s->c->bytes_read += s->g->line_bytes;
    return e;
}

/* The lines that are handed out. What of the text nobody wants is not kept. */
static enum err keep_lines(struct scan *s)
{
    struct group_view *v = s->v;
    size_t bytes = 0;
    enum err e = block_mark(s->b, s->g, text_lines(&s->text, s->alive, s->lines));
    for (uint32_t i = 0; !e && i < s->g->rows; i++) {
        bytes += s->alive[i] ? s->lines[i].n : 0;
    }
    if (e || bytes * KEPT_WHOLE >= s->text.text.n) {
        v->text = s->text.text;
        s->text.text = (struct buf){0};
        return e;
    }
    char *copy = arena_bytes(&v->arena, bytes + 1);
    if (!copy) {
        return arena_err(&v->arena);
    }
    for (uint32_t i = 0; i < s->g->rows; i++) {
        if (s->alive[i] && s->lines[i].n) {
            memcpy(copy, s->lines[i].p, s->lines[i].n);
            s->lines[i].p = copy;
            copy += s->lines[i].n;
        }
    }
    cursor_discharge(s->c, v->charged);
    v->charged = 0;
    return ERR_OK;
}

static enum err make_rows(struct scan *s)
{
    struct group_view *v = s->v;
    struct arena *a = &v->arena;
    const struct labels *meta = NULL;
    bool unread = lines_unread(s->c);
    enum err e = s->c->sel.metadata_needed ? block_read_meta(s->b, s->g, a, &meta) : ERR_OK;
    e = e ? e : unread ? read_lengths(s) : keep_lines(s);
    v->rows = arena_array(a, s->left, sizeof(*v->rows));
    v->numbers = arena_array(a, s->left, sizeof(*v->numbers));
    if (e || !v->rows || !v->numbers) {
        return e ? e : arena_err(a);
    }
    for (uint32_t i = 0; i < s->g->rows; i++) {
        if (!s->alive[i]) {
            continue;
        }
        struct head_entry *row = &v->rows[v->n];
        *row = (struct head_entry){.ts = s->ts[i]};
        row->line = unread ? (const char *)row : s->lines[i].n ? s->lines[i].p : "";
        row->line_n = (uint32_t)(unread ? s->lengths[i] : s->lines[i].n);
        if (meta) {
            row->meta = meta[i].l;
            row->meta_n = (uint32_t)meta[i].n;
        }
        v->numbers[v->n++] = s->g->first_row + i;
    }
    return ERR_OK;
}

/* Times before the text only where they decide something. */
static enum err fill(struct scan *s)
{
    const struct log_select *sel = &s->c->sel;
    bool bad = atomic_load_explicit(&s->g->bad, memory_order_relaxed);
    if (bad || s->g->ts_max < sel->start_ns || s->g->ts_min >= sel->end_ns ||
        !filters_may_accept(s->c, block_grams(s->b, s->g))) {
        return ERR_OK;
    }
    s->alive = arena_zarray(&s->tmp, s->g->rows, 1);
    s->hit = arena_array(&s->tmp, s->g->rows, 1);
    if (!s->alive || !s->hit) {
        return arena_err(&s->tmp);
    }
    select_rows(s);
    bool inside = s->g->ts_min >= sel->start_ns && s->g->ts_max < sel->end_ns;
    enum err e = inside ? ERR_OK : read_times(s);
    if (!e && s->left && (sel->lines_needed || sel->filter_count)) {
        e = open_text(s);
        e = e || !sel->filter_count
                ? e
                : block_mark(s->b, s->g, filters_apply(s->c, &s->text, s->alive, s->hit, s->lines, &s->left));
    }
    e = e ? e : read_times(s);
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
    text_done(&s.text);
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
    struct scan s = {.c = c, .v = v, .b = v->part->block, .g = &v->part->block->groups[v->group]};
    arena_init(&s.tmp, 0, c->q->budget);
    s.alive = arena_zarray(&s.tmp, s.g->rows, 1);
    enum err e = s.alive ? ERR_OK : arena_err(&s.tmp);
    for (size_t k = 0; !e && k < v->n; k++) {
        s.alive[v->numbers[k] - s.g->first_row] = 1;
    }
    e = e ? e : open_text(&s);
    e = e ? e : block_mark(s.b, s.g, text_lines(&s.text, s.alive, s.lines));
    for (size_t k = 0; !e && k < v->n; k++) {
        v->rows[k].line = s.lines[v->numbers[k] - s.g->first_row].p;
    }
    v->text = s.text.text;
    s.text.text = (struct buf){0};
    arena_done(&s.tmp);
    v->read_late = !e;
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
        enum err e = v->read_late ? ERR_OK : read_late(c, v);
        if (e) {
            return e;
        }
        line = v->rows[(size_t)(line - first) / sizeof(*v->rows)].line;
        break;
    }
    *ret_line = str_of(line, row->line_n);
    return ERR_OK;
}
