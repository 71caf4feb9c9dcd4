/* Range vectors: windows over stored samples or over the points of a subquery, and what a function makes of
 * each. Series of a batch share their clock, so the windows' bounds are found once per batch. */
#include "metrics/model/value.h"
#include "metrics/promql/columns.h"
#include "metrics/promql/functions.h"
#include "metrics/promql/go_math.h"
#include "metrics/promql/histogram_fns.h"
#include "metrics/promql/kernels.h"
#include "metrics/promql/range_fns.h"
#include "metrics/promql/rows.h"

/* The samples of one series, staleness markers taken out: floats and histograms apart. */
struct samples {
    struct labels labels;
    const ts_ms *ts, *start_ts;
    const double *v;
    size_t n;
    const ts_ms *histogram_ts, *histogram_start_ts;
    const struct histogram *const *histograms;
    size_t histogram_count;
    uint64_t order;
    bool drops_name;
};

/* The half-open index range of each step's window in a column. */
struct bounds {
    uint32_t *first, *end;
};

struct range_job {
    struct eval *e;
    const struct range_use *use;
    const struct node *selector; /* NULL for a subquery */
    ts_ms *from, *to;            /* of each step's window */
    ts_ms *low, *high;           /* what is looked at: the window, and more when it is anchored or smoothed */
    struct bounds clock, floats, histograms; /* in the batch's clock; in the columns of one series */
    bool start_times;
    struct arena scratch; /* of one series */
    struct value *out;
    const struct row_sink *sink; /* takes the rows instead of `out`; may be NULL */
    struct series row;           /* the one being filled */
    const struct kernel *kernel; /* NULL: window by window */
    kernel_fn *kernel_fn;
    struct range_grid grid; /* its bounds are those in `floats` */
    uint32_t grid_count;
    bool grid_old;         /* the batch has another clock */
    uint64_t clock_number; /* of the clock whose bounds are in `clock` */
    uint64_t grid_looked_at, grid_widest, grid_read, grid_held;
    uint32_t *grid_news; /* at each step; NULL unless asked for */
    struct usage_helds held;
    struct str noted; /* the metric last found to be no counter; its text is in the arena */
};

static bool bounds_init(struct eval *e, struct bounds *b)
{
    b->first = arena_array(e->a, e->steps, sizeof(*b->first));
    b->end = arena_array(e->a, e->steps, sizeof(*b->end));
    return b->first && b->end;
}

static void bounds_find(const struct range_job *j, const ts_ms *ts, size_t n, struct bounds *b)
{
    count_until(ts, n, j->low, j->e->steps, b->first);
    count_until(ts, n, j->high, j->e->steps, b->end);
}

/* Step i's window in a column of n samples that starts `shift` ticks after the bounds' own column. */
static size_t bounds_at(const struct bounds *b, size_t i, uint32_t shift, size_t n, size_t *ret_first)
{
    size_t lo = b->first[i] > shift ? b->first[i] - shift : 0, hi = b->end[i] > shift ? b->end[i] - shift : 0;
    hi = hi > n ? n : hi;
    *ret_first = lo;
    return hi > lo ? hi - lo : 0;
}

static void window_at(const struct range_job *j, const struct samples *s, const struct bounds *floats,
                      uint32_t shift, size_t i, struct window *w)
{
    size_t first = 0;
    *w = (struct window){.from = j->from[i],
                         .to = j->to[i],
                         .at = step_time(j->e, i),
                         .e = j->e,
                         .call = j->use->call,
                         .selector = j->selector,
                         .labels = s->labels};
    w->n = bounds_at(floats, i, shift, s->n, &first);
    w->ts = s->ts + first;
    w->v = s->v + first;
    w->start_ts = s->start_ts ? s->start_ts + first : NULL;
    if (s->histogram_count) {
        w->histogram_count = bounds_at(&j->histograms, i, 0, s->histogram_count, &first);
        w->histogram_ts = s->histogram_ts + first;
        w->histograms = s->histograms + first;
        w->histogram_start_ts = s->histogram_start_ts ? s->histogram_start_ts + first : NULL;
    }
    for (size_t k = 0; k < ARRAY_LEN(w->args); k++) {
        w->args[k] = j->use->args[k] ? j->use->args[k][i] : 0;
    }
}

static bool name_ends(struct str name, const char *suffix)
{
    return str_ends(name, str_c(suffix));
}

/* rate and increase want counters: the name, or the type label, should say so. */
static void note_no_counter(struct range_job *j, struct labels ls)
{
    struct eval *e = j->e;
    struct buf shown AUTO_BUF = {0}, shown_type AUTO_BUF = {0};
    struct str name = metric_name(ls), type = labels_get(ls, STR("__type__"));
    if (name.n == 0 || (!e->options->type_and_unit && j->noted.n && str_eq(name, j->noted))) {
        return;
    }
    j->noted = arena_str(e->a, name);
    if (e->options->type_and_unit) {
        if (!str_eq_c(type, "counter") && !str_eq_c(type, "histogram")) {
            note(e, false, argument_pos(j->use->call),
                 "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", "
                 "got "
                 "%.*s: %.*s",
                 STR_FMT(note_quoted(e, &shown_type, type)), STR_FMT(note_quoted(e, &shown, name)));
        }
    } else if (!name_ends(name, "_total") && !name_ends(name, "_sum") && !name_ends(name, "_count") &&
               !name_ends(name, "_bucket")) {
        note(e, false, argument_pos(j->use->call),
             "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: %.*s",
             STR_FMT(note_quoted(e, &shown, name)));
    }
}

static bool any_float(const struct eval *e, const struct series *row)
{
    for (size_t i = 0; i < e->steps; i++) {
        if (row->has[i] && !(row->h && row->h[i])) {
            return true;
        }
    }
    return false;
}

/* A row to fill: the one at hand, without a point. */
static enum err blank_row(struct range_job *j, struct series **ret_row)
{
    struct eval *e = j->e;
    *ret_row = &j->row;
    if (j->row.v) {
        memset(j->row.has, 0, e->steps);
        return ERR_OK;
    }
    j->row.v = arena_array(e->a, e->steps, sizeof(*j->row.v));
    j->row.has = arena_zarray(e->a, e->steps, sizeof(*j->row.has));
    return j->row.v && j->row.has ? ERR_OK : eval_no_memory(e);
}

/* The filled row goes into the value, or to the consumer; an empty one stays at hand. */
static enum err take_row(struct range_job *j, const struct samples *s, size_t points,
                         const struct usage_held *held)
{
    struct eval *e = j->e;
    enum err err = usage_hold(e, &j->held, *held);
    err = err || e->options->step_usage ? err : eval_peak(e, held->widest);
    if (err || points == 0) {
        return err;
    }
    if (j->use->call && j->use->call->function->wants_counter && any_float(e, &j->row)) {
        note_no_counter(j, s->labels);
    }
    err = e->options->step_usage ? ERR_OK : eval_peak(e, held->points + held->last);
    e->usage->current += held->points; /* as if it were kept: the limit is on what the query looks at */
    if (err) {
        return err;
    }
    if (j->sink) {
        return j->sink->fn(j->sink->ctx, s->labels, s->order, j->row.v, j->row.has);
    }
    struct series row = j->row;
    j->row = (struct series){0};
    row.drops_name = s->drops_name;
    row.order = s->order;
    if (labels_dup(e->a, s->labels, &row.labels)) {
        return eval_no_memory(e);
    }
    err = j->use->keep_name && !s->drops_name ? ERR_OK : series_drop_name(e, &row);
    err = err ? err : value_push(e, j->out, &row);
    return err;
}

static uint64_t histograms_cost(const struct window *w, size_t i)
{
    uint64_t cost = 0;
    for (; i < w->histogram_count; i++) {
        cost += histogram_point_cost(w->histograms[i]);
    }
    return cost;
}

/* In samples; a histogram weighs as much as its size. */
static uint64_t window_cost(const struct window *w)
{
    return w->n + histograms_cost(w, 0);
}

/* Of that, what the window of the step before did not see. */
static uint64_t window_news(const struct range_job *j, const struct window *w, size_t i)
{
    size_t floats = w->n, histograms = w->histogram_count;
    if (!j->selector || (i && j->selector->at != AT_NONE)) {
        return 0;
    }
    ts_ms seen = i || j->e->continues ? j->high[i] - j->e->step : INT64_MIN;
    while (floats && w->ts[floats - 1] > seen) {
        floats--;
    }
    while (histograms && w->histogram_ts[histograms - 1] > seen) {
        histograms--;
    }
    return w->n - floats + histograms_cost(w, histograms);
}

/* Runs the function over one series. `floats` are bounds in a column that starts `shift` ticks earlier. */
static enum err run_windows(struct range_job *j, const struct samples *s, const struct bounds *floats,
                            uint32_t shift)
{
    struct eval *e = j->e;
    struct series *row;
    struct usage_held held = {.order = s->order};
    uint64_t looked_at = 0, read = 0;
    size_t points = 0;
    enum err err = blank_row(j, &row);
    for (size_t i = 0; i < e->steps && !err; i++) {
        struct window w;
        struct point p = {0};
        window_at(j, s, floats, shift, i, &w);
        uint64_t news = window_news(j, &w, i);
        held.last = window_cost(&w);
        held.widest = held.last > held.widest ? held.last : held.widest;
        looked_at += held.last;
        read += news;
        usage_at(e, i, held.last, news);
        if (w.n + (j->use->histograms ? w.histogram_count : 0) == 0 || !j->use->fn(&w, &p)) {
            continue;
        }
        points++;
        held.points += p.h ? histogram_point_cost(p.h) : 1;
        err = series_put(e, row, i, p);
    }
    e->usage->total += looked_at;
    e->usage->read += read;
    err = err ? err : take_row(j, s, points, &held);
    return err ? err : query_ctx_check(e->q, e->info);
}

/* -- kernels --------------------------------------------------------------------------------------------- */

/* The bounds of a series within its own column, for all series of the batch that lie alike on the clock. */
static enum err grid_find(struct range_job *j, const struct metric_batch *b, const struct metric_series *s)
{
    if (j->grid.ts == b->ts + s->clock_first && j->grid_count == s->count && !j->grid_old) {
        return ERR_OK;
    }
    j->grid.ts = b->ts + s->clock_first;
    j->grid_count = s->count;
    j->grid_old = false;
    j->grid_looked_at = j->grid_widest = j->grid_read = 0;
    bool fixed = j->selector->at != AT_NONE;
    size_t seen = 0;
    while (j->e->continues && seen < s->count && j->grid.ts[seen] <= j->high[0] - j->e->step) {
        seen++;
    }
    j->grid.low = s->count;
    j->grid.high = 0;
    for (size_t i = 0; i < j->e->steps; i++) {
        size_t first = 0, n = bounds_at(&j->clock, i, s->clock_first, s->count, &first);
        j->floats.first[i] = (uint32_t)first;
        j->floats.end[i] = (uint32_t)(first + n);
        j->grid.low = n && first < j->grid.low ? first : j->grid.low;
        j->grid.high = n && first + n > j->grid.high ? first + n : j->grid.high;
        j->grid_looked_at += n;
        seen = seen < first ? first : seen;
        size_t news = i && fixed ? 0 : first + n - seen;
        j->grid_read += news;
        if (j->grid_news) {
            j->grid_news[i] = (uint32_t)news;
        }
        seen = first + n;
        j->grid_held = n;
        j->grid_widest = n > j->grid_widest ? n : j->grid_widest;
    }
    return kernel_prepare(j->e, j->kernel, &j->grid);
}

static enum err run_kernel(struct range_job *j, const struct metric_batch *b, const struct metric_series *s,
                           const struct samples *all)
{
    struct eval *e = j->e;
    struct range_grid *g = &j->grid;
    struct series *row;
    enum err err = blank_row(j, &row);
    arena_reset(&j->scratch);
    double *scratch = arena_array(&j->scratch, s->count + (size_t)1, sizeof(*scratch));
    if (err || !scratch) {
        return err ? err : eval_no_memory(e);
    }
    err = grid_find(j, b, s);
    if (err) {
        return err;
    }
    if (g->points) {
        j->kernel_fn(g, s->values, scratch, row->v);
        memcpy(row->has, g->has, e->steps);
    }
    e->usage->total += j->grid_looked_at;
    e->usage->read += j->grid_read;
    for (size_t i = 0; j->grid_news && i < e->steps; i++) {
        usage_at(e, i, j->floats.end[i] - j->floats.first[i], j->grid_news[i]);
    }
    struct usage_held held = {all->order, g->points, j->grid_widest, j->grid_held};
    err = take_row(j, all, g->points, &held);
    return err ? err : query_ctx_check(e->q, e->info);
}

/* A quantile that is none is told of wherever it is asked for. */
static bool quantiles_fine(const struct eval *e, const double *q)
{
    bool fine = q != NULL;
    for (size_t i = 0; fine && i < e->steps; i++) {
        fine = q[i] >= 0 && q[i] <= 1;
    }
    return fine;
}

static enum err grid_init(struct range_job *j, const struct node *n)
{
    struct eval *e = j->e;
    struct range_grid g = {.steps = e->steps,
                           .columns = e->columns,
                           .first = j->floats.first,
                           .end = j->floats.end,
                           .from = j->from,
                           .to = j->to,
                           .args = {j->use->args[0], j->use->args[1]},
                           .range_seconds = go_seconds(n->range_ms)};
    g.has = arena_array(e->a, e->steps, sizeof(*g.has));
    g.oldest = arena_array(e->a, e->steps, sizeof(*g.oldest));
    g.newest = arena_array(e->a, e->steps, sizeof(*g.newest));
    bool whole = g.has && g.oldest && g.newest;
    if (e->options->step_usage) {
        j->grid_news = arena_array(e->a, e->steps, sizeof(*j->grid_news));
        whole = whole && j->grid_news;
    }
    if (j->kernel->kind == EXTRAPOLATED || j->kernel->kind == RATE) {
        g.sampled = arena_array(e->a, e->steps, sizeof(*g.sampled));
        g.to_start = arena_array(e->a, e->steps, sizeof(*g.to_start));
        g.to_end = arena_array(e->a, e->steps, sizeof(*g.to_end));
        g.factor = arena_array(e->a, e->steps, sizeof(*g.factor));
        whole = whole && g.sampled && g.to_start && g.to_end && g.factor;
    }
    if (j->kernel->kind == REGRESSION) {
        g.origin = arena_array(e->a, e->steps, sizeof(*g.origin));
        whole = whole && g.origin;
    }
    j->grid = g;
    return whole ? ERR_OK : eval_no_memory(e);
}

/* A kernel applies to stored floats in plain ranges. */
static enum err kernel_init(struct range_job *j, const struct node *n)
{
    struct eval *e = j->e;
    const struct node *s = j->selector;
    if (e->options->plain || !s || s->anchored || s->smoothed || j->start_times) {
        return ERR_OK;
    }
    j->kernel = kernel_for(j->use->fn);
    if (j->kernel && j->use->fn == range_quantile && !quantiles_fine(e, j->use->args[0])) {
        j->kernel = NULL;
    }
    if (!j->kernel) {
        return ERR_OK;
    }
    j->kernel_fn =
        kernel_in_set(j->kernel, kernel_best_set((enum kernel_set)(SET_COUNT - 1 - e->options->sets_less)));
    return grid_init(j, n);
}

/* -- stored ---------------------------------------------------------------------------------------------- */

/* Splits stored samples into columns of floats and histograms without staleness markers. */
static enum err split_samples(struct range_job *j, const struct metric_batch *b,
                              const struct metric_series *s, struct samples *out)
{
    size_t n = s->count + (size_t)1;
    const ts_ms *stored_st = j->start_times ? s->start_ts : NULL;
    ts_ms *ts = arena_array(&j->scratch, n, sizeof(*ts)), *hts = arena_array(&j->scratch, n, sizeof(*hts));
    ts_ms *st = stored_st ? arena_array(&j->scratch, n, sizeof(*st)) : NULL;
    ts_ms *hst = stored_st ? arena_array(&j->scratch, n, sizeof(*hst)) : NULL;
    double *v = arena_array(&j->scratch, n, sizeof(*v));
    const struct histogram **h = arena_array(&j->scratch, n, sizeof(*h));
    if (!ts || !hts || !v || !h || (stored_st && (!st || !hst))) {
        return eval_no_memory(j->e);
    }
    *out = (struct samples){.labels = s->labels,
                            .order = s->id,
                            .ts = ts,
                            .v = v,
                            .start_ts = st,
                            .histogram_ts = hts,
                            .histograms = h,
                            .histogram_start_ts = hst};
    bool counts = j->selector && j->selector->counts_only;
    const struct histogram *before = NULL;
    for (size_t i = 0; i < s->count; i++) {
        bool is_histogram = s->histograms && s->histograms[i];
        size_t at = is_histogram ? out->histogram_count : out->n;
        if (stored_stale(s, i)) {
            continue;
        }
        (is_histogram ? hts : ts)[at] = b->ts[s->clock_first + i];
        if (stored_st) {
            (is_histogram ? hst : st)[at] = stored_st[i];
        }
        if (is_histogram) {
            const struct histogram *stored = s->histograms[i];
            bool known = before && hts[at - 1] > j->low[0];
            h[at] = counts ? histogram_counts(&j->scratch, stored, known ? before : NULL) : stored;
            before = stored;
            if (!h[out->histogram_count++]) {
                return eval_no_memory(j->e);
            }
        } else {
            v[out->n++] = s->values[i];
        }
    }
    return ERR_OK;
}

static bool all_plain(const struct eval *e, const struct metric_series *s)
{
    return !s->histograms && !e->columns->any_stale(s->values, s->count);
}

static enum err range_series(struct range_job *j, const struct metric_batch *b, const struct metric_series *s)
{
    if (all_plain(j->e, s)) {
        struct samples all = {.labels = s->labels,
                              .order = s->id,
                              .ts = b->ts + s->clock_first,
                              .v = s->values,
                              .start_ts = j->start_times ? s->start_ts : NULL,
                              .n = s->count};
        return j->kernel ? run_kernel(j, b, s, &all) : run_windows(j, &all, &j->clock, s->clock_first);
    }
    struct samples split;
    if (s->histograms && j->sink) {
        *j->sink->ret_other = true;
        return ERR_OK;
    }
    arena_reset(&j->scratch);
    enum err err = split_samples(j, b, s, &split);
    if (err) {
        return err;
    }
    j->grid_old = true;
    bounds_find(j, split.ts, split.n, &j->floats);
    bounds_find(j, split.histogram_ts, split.histogram_count, &j->histograms);
    return run_windows(j, &split, &j->floats, 0);
}

static enum err range_stored(struct range_job *j, const struct node *n)
{
    struct eval *e = j->e;
    const struct node *s = j->selector;
    struct metric_cursor *cursor = NULL;
    struct metric_batch b;
    int64_t lookback = e->options->lookback_ms;
    uint64_t before = e->usage->current;
    enum err err = select_open(e, s, n->range_ms + (s->anchored || s->smoothed ? lookback : 0),
                               s->smoothed ? lookback : 0, &cursor);
    while (!err && !(j->sink && *j->sink->ret_other) &&
           (err = e->source->ops->next(cursor, &b, e->info)) == ERR_OK) {
        if (!b.clock || b.clock != j->clock_number) {
            bounds_find(j, b.ts, b.ts_count, &j->clock);
            j->clock_number = b.clock;
            j->grid_old = true;
        }
        for (uint32_t k = 0; k < b.series_count && !err && !(j->sink && *j->sink->ret_other); k++) {
            err = range_series(j, &b, &b.series[k]);
        }
    }
    if (cursor) {
        notes_of_cursor(e, cursor);
        e->source->ops->close(cursor);
    }
    if (!j->sink) {
        value_sort_selected(j->out);
    }
    return err == ERR_NOT_FOUND ? usage_peak_series(e, &j->held, before) : err;
}

/* -- subqueries ------------------------------------------------------------------------------------------ */

/* Resets between points of a subquery say nothing about resets between the samples below. */
static const struct histogram *without_hint(struct arena *a, const struct histogram *h)
{
    if (h->reset_hint != HRESET_YES && h->reset_hint != HRESET_NO) {
        return h;
    }
    struct histogram *copy = arena_alloc(a, sizeof(*copy));
    if (copy) {
        *copy = *h;
        copy->reset_hint = HRESET_UNKNOWN;
    }
    return copy;
}

/* The points of a row on the inner grid, as if they were stored. */
static enum err subquery_samples(struct range_job *j, const struct eval *inner, const struct series *row,
                                 struct samples *out)
{
    struct arena *a = &j->scratch;
    size_t n = inner->steps;
    ts_ms *ts = arena_array(a, n, sizeof(*ts)), *hts = arena_array(a, n, sizeof(*hts));
    double *v = arena_array(a, n, sizeof(*v));
    const struct histogram **h = arena_array(a, n, sizeof(*h));
    if (!ts || !hts || !v || !h) {
        return eval_no_memory(j->e);
    }
    *out = (struct samples){.labels = row->labels,
                            .ts = ts,
                            .v = v,
                            .histogram_ts = hts,
                            .histograms = h,
                            .order = row->order,
                            .drops_name = row->drops_name};
    for (size_t i = 0; i < n; i++) {
        if (!row->has[i]) {
            continue;
        }
        if (!row->h || !row->h[i]) {
            ts[out->n] = step_time(inner, i);
            v[out->n++] = row->v[i];
            continue;
        }
        hts[out->histogram_count] = step_time(inner, i);
        h[out->histogram_count] = without_hint(j->e->a, row->h[i]);
        if (!h[out->histogram_count++]) {
            return eval_no_memory(j->e);
        }
    }
    return ERR_OK;
}

static enum err subquery_series(struct range_job *j, const struct eval *inner, const struct series *row)
{
    struct samples s;
    arena_reset(&j->scratch);
    enum err err = subquery_samples(j, inner, row, &s);
    if (err) {
        return err;
    }
    bounds_find(j, s.ts, s.n, &j->floats);
    bounds_find(j, s.histogram_ts, s.histogram_count, &j->histograms);
    return run_windows(j, &s, &j->floats, 0);
}

/* The inner expression on a grid of its own, then windows over its points. */
static enum err range_subquery(struct range_job *j, const struct node *n)
{
    struct eval inner;
    struct value v = {0};
    enum err err = range_subquery_grid(j->e, n, j->from[0], j->to[j->e->steps - 1], &inner);
    if (err || inner.steps == 0) {
        return err;
    }
    struct usage_scope scope;
    j->e->usage->current -= j->use->args_held;
    err = usage_enter_grid(&inner, &scope);
    err = err ? err : eval_node(&inner, n->args[0], &v);
    struct usage counted = usage_leave(&inner, &scope);
    j->e->usage->total -= counted.total; /* the windows count instead */
    usage_subquery(j->e, &inner, &counted, n->offset_ms, n->range_ms);
    j->e->usage->current += j->use->args_held;
    uint64_t before = j->e->usage->current;
    for (size_t k = 0; !err && k < v.n; k++) {
        v.s[k].order = k;
        err = subquery_series(j, &inner, &v.s[k]);
    }
    err = err ? err : usage_peak_series(j->e, &j->held, before);
    j->e->usage->current -= err ? 0 : value_points(&inner, &v);
    return err;
}

/* -- calls ----------------------------------------------------------------------------------------------- */

static enum err check_extended(struct eval *e, const struct node *s, const struct function *f)
{
    if (s->anchored && (!f || !f->anchored)) {
        return err_set(
            e->info, ERR_EXECUTION,
            "anchored modifier can only be used with: changes, delta, increase, rate, resets - not with %s",
            f ? f->name : "");
    }
    if (s->smoothed && (!f || !f->smoothed)) {
        return err_set(e->info, ERR_EXECUTION,
                       "smoothed modifier can only be used with: delta, increase, rate - not with %s",
                       f ? f->name : "");
    }
    return ERR_OK;
}

static enum err job_init(struct range_job *j, struct eval *e, const struct node *n,
                         const struct range_use *use)
{
    const struct node *s = n->kind == N_MATRIX ? n->args[0] : NULL, *timed = s ? s : n;
    int64_t lookback = e->options->lookback_ms, before = 0, after = 0;
    *j = (struct range_job){.e = e, .use = use, .selector = s};
    if (s) {
        before = s->anchored || s->smoothed ? lookback : 0;
        after = s->smoothed ? lookback : 0;
        j->start_times = e->options->start_times && use->call && use->call->function->uses_start_times;
    }
    j->from = arena_array(e->a, e->steps, sizeof(ts_ms));
    j->to = arena_array(e->a, e->steps, sizeof(ts_ms));
    j->low = arena_array(e->a, e->steps, sizeof(ts_ms));
    j->high = arena_array(e->a, e->steps, sizeof(ts_ms));
    if (!j->from || !j->to || !j->low || !j->high || !bounds_init(e, &j->clock) ||
        !bounds_init(e, &j->floats) || !bounds_init(e, &j->histograms)) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < e->steps; i++) {
        j->to[i] = selector_time(e, timed, i);
        j->from[i] = j->to[i] - n->range_ms;
        j->low[i] = j->from[i] - before;
        j->high[i] = j->to[i] + after;
    }
    arena_init(&j->scratch, 0, e->a->budget);
    enum err err = s && use->call ? check_extended(e, s, use->call->function) : ERR_OK;
    return err ? err : kernel_init(j, n);
}

enum err range_rows(struct eval *e, const struct range_use *use, const struct node *range,
                    const struct row_sink *sink)
{
    struct range_job j;
    enum err err = job_init(&j, e, range, use);
    if (err) {
        return err;
    }
    j.sink = sink;
    err = range_stored(&j, range);
    arena_done(&j.scratch);
    return err;
}

enum err eval_range(struct eval *e, const struct node *range, const struct range_use *use,
                    struct value *ret_value)
{
    const struct node *n = unparen(range);
    struct range_job j;
    *ret_value = (struct value){.type = TYPE_VECTOR};
    enum err err = job_init(&j, e, n, use);
    if (err) {
        return err;
    }
    j.out = ret_value;
    err = n->kind == N_MATRIX ? range_stored(&j, n) : range_subquery(&j, n);
    arena_done(&j.scratch);
    return err ? err : value_unique(e, ret_value);
}
