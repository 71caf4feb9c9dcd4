/* Selectors: stored series onto the grid, and windows for range functions. */
#include "metrics/model/value.h"
#include "metrics/promql/functions.h"

/* The time a selector looks at, at step i. */
static ts_ms selector_time(const struct eval *e, const struct node *n, size_t i)
{
    ts_ms t = n->at == AT_TIME    ? n->at_ms
              : n->at == AT_START ? e->query_start
              : n->at == AT_END   ? e->query_end
                                  : step_time(e, i);
    return t - n->offset_ms;
}

static enum err open_cursor(struct eval *e, const struct node *n, int64_t range_ms, const char *func,
                            struct metric_cursor **ret_cursor)
{
    int64_t back = range_ms ? range_ms : e->options->lookback_ms;
    struct metric_select sel = {
        .matchers = n->matchers,
        .matcher_count = n->matcher_count,
        .start_ms = selector_time(e, n, 0) - back + 1,
        .end_ms = selector_time(e, n, e->steps - 1),
        .hints = {.step_ms = e->step, .range_ms = range_ms, .func = str_c(func)},
    };
    return e->source->ops->select(e->source, e->q, &sel, ret_cursor, e->info);
}

/* ends[i] = number of timestamps <= times[i]. Both columns ascend. */
static void count_until(const ts_ms *ts, size_t n, const ts_ms *times, size_t steps, uint32_t *ends)
{
    size_t k = 0;
    for (size_t i = 0; i < steps; i++) {
        if (i && times[i] < times[i - 1]) {
            k = 0;
        }
        while (k < n && ts[k] <= times[i]) {
            k++;
        }
        ends[i] = (uint32_t)k;
    }
}

static bool stored_stale(const struct metric_series *s, size_t i)
{
    const struct histogram *h = s->histograms ? s->histograms[i] : NULL;
    return is_stale_nan(h ? h->sum : s->values[i]);
}

/* -- instant --------------------------------------------------------------------------------------------- */

struct instant_job {
    struct eval *e;
    const ts_ms *times;
    uint32_t *ends;
    bool want_time;
    struct value *out;
};

static enum err instant_series(struct instant_job *j, const struct metric_batch *b,
                               const struct metric_series *s)
{
    struct eval *e = j->e;
    struct series *row = NULL;
    struct point last = {0};
    uint32_t last_at = UINT32_MAX;
    uint64_t points = 0;
    enum err err = ERR_OK;
    for (size_t i = 0; i < e->steps && !err; i++) {
        if (j->ends[i] <= s->clock_first || s->count == 0) {
            continue;
        }
        uint32_t at = j->ends[i] - 1;
        if (at >= s->clock_first + s->count) {
            at = s->clock_first + s->count - 1;
        }
        if (b->ts[at] <= j->times[i] - e->options->lookback_ms || stored_stale(s, at - s->clock_first)) {
            continue;
        }
        if (at != last_at) {
            const struct histogram *h = s->histograms ? s->histograms[at - s->clock_first] : NULL;
            last = (struct point){.v = j->want_time ? (double)b->ts[at] / 1000
                                       : h          ? 0
                                                    : s->values[at - s->clock_first]};
            last.h = h && !j->want_time ? eval_keep_histogram(e, h) : NULL;
            last_at = at;
            err = h && !j->want_time && !last.h ? eval_no_memory(e) : ERR_OK;
        }
        if (!err && !row) {
            struct labels ls;
            err = labels_dup(e->a, s->labels, &ls) ? eval_no_memory(e) : value_add(e, j->out, ls, &row);
        }
        err = err ? err : series_put(e, row, i, last);
        points++;
    }
    return err ? err : eval_charge(e, points);
}

enum err eval_selector(struct eval *e, const struct node *n, bool want_time, struct value *ret_value)
{
    struct metric_cursor *cursor = NULL;
    struct metric_batch b;
    ts_ms *times = arena_array(e->a, e->steps, sizeof(*times));
    uint32_t *ends = arena_array(e->a, e->steps, sizeof(*ends));
    if (!times || !ends) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < e->steps; i++) {
        times[i] = selector_time(e, n, i);
    }
    *ret_value = (struct value){.type = TYPE_VECTOR};
    struct instant_job j = {.e = e, .times = times, .ends = ends, .want_time = want_time, .out = ret_value};
    enum err err = open_cursor(e, n, 0, "", &cursor);
    while (!err && (err = e->source->ops->next(cursor, &b, e->info)) == ERR_OK) {
        count_until(b.ts, b.ts_count, times, e->steps, ends);
        for (uint32_t k = 0; k < b.series_count && !err; k++) {
            err = instant_series(&j, &b, &b.series[k]);
        }
    }
    if (cursor) {
        e->source->ops->close(cursor);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* -- range ----------------------------------------------------------------------------------------------- */

/* The samples of one series, staleness markers taken out: floats and histograms apart. */
struct samples {
    struct labels labels;
    const ts_ms *ts, *start_ts;
    const double *v;
    size_t n;
    const ts_ms *histogram_ts, *histogram_start_ts;
    const struct histogram *const *histograms;
    size_t histogram_count;
};

/* The half-open index range of each step's window in a column. */
struct bounds {
    uint32_t *first, *end;
};

struct range_job {
    struct eval *e;
    const struct range_use *use;
    ts_ms *from, *to;                        /* of each step */
    struct bounds clock, floats, histograms; /* in the batch's clock; in the columns of one series */
    struct arena scratch;                    /* of one series */
    struct value *out;
};

static bool bounds_init(struct eval *e, struct bounds *b)
{
    b->first = arena_array(e->a, e->steps, sizeof(*b->first));
    b->end = arena_array(e->a, e->steps, sizeof(*b->end));
    return b->first && b->end;
}

static void bounds_find(const struct range_job *j, const ts_ms *ts, size_t n, struct bounds *b)
{
    count_until(ts, n, j->from, j->e->steps, b->first);
    count_until(ts, n, j->to, j->e->steps, b->end);
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
    *w = (struct window){
        .from = j->from[i], .to = j->to[i], .e = j->e, .call = j->use->call, .labels = s->labels};
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

/* Runs the function over one series. `floats` are bounds in a column that starts `shift` ticks earlier. */
static enum err run_windows(struct range_job *j, const struct samples *s, const struct bounds *floats,
                            uint32_t shift)
{
    struct eval *e = j->e;
    struct series *row = NULL;
    enum err err = ERR_OK;
    for (size_t i = 0; i < e->steps && !err; i++) {
        struct window w;
        struct point p = {0};
        window_at(j, s, floats, shift, i, &w);
        if (w.n + (j->use->histograms ? w.histogram_count : 0) == 0 || !j->use->fn(&w, &p)) {
            continue;
        }
        if (!row) {
            struct labels ls;
            err = labels_dup(e->a, s->labels, &ls) ? eval_no_memory(e) : ERR_OK;
            err = err || j->use->keep_name ? err : drop_name(e, ls, &ls);
            err = err ? err : value_add(e, j->out, ls, &row);
        }
        err = err ? err : series_put(e, row, i, p);
    }
    return err;
}

/* Splits stored samples into columns of floats and histograms without staleness markers. */
static enum err split_samples(struct range_job *j, const struct metric_batch *b,
                              const struct metric_series *s, struct samples *out)
{
    size_t n = s->count + (size_t)1;
    ts_ms *ts = arena_array(&j->scratch, n, sizeof(*ts)), *hts = arena_array(&j->scratch, n, sizeof(*hts));
    ts_ms *st = s->start_ts ? arena_array(&j->scratch, n, sizeof(*st)) : NULL;
    ts_ms *hst = s->start_ts ? arena_array(&j->scratch, n, sizeof(*hst)) : NULL;
    double *v = arena_array(&j->scratch, n, sizeof(*v));
    const struct histogram **h = arena_array(&j->scratch, n, sizeof(*h));
    if (!ts || !hts || !v || !h || (s->start_ts && (!st || !hst))) {
        return eval_no_memory(j->e);
    }
    *out = (struct samples){.labels = s->labels,
                            .ts = ts,
                            .v = v,
                            .start_ts = st,
                            .histogram_ts = hts,
                            .histograms = h,
                            .histogram_start_ts = hst};
    for (size_t i = 0; i < s->count; i++) {
        bool is_histogram = s->histograms && s->histograms[i];
        size_t at = is_histogram ? out->histogram_count : out->n;
        if (stored_stale(s, i)) {
            continue;
        }
        (is_histogram ? hts : ts)[at] = b->ts[s->clock_first + i];
        if (s->start_ts) {
            (is_histogram ? hst : st)[at] = s->start_ts[i];
        }
        if (is_histogram) {
            h[out->histogram_count++] = s->histograms[i];
        } else {
            v[out->n++] = s->values[i];
        }
    }
    return ERR_OK;
}

static enum err range_series(struct range_job *j, const struct metric_batch *b, const struct metric_series *s)
{
    bool plain = s->histograms == NULL;
    for (size_t i = 0; i < s->count && plain; i++) {
        plain = !is_stale_nan(s->values[i]);
    }
    if (plain) {
        struct samples all = {.labels = s->labels,
                              .ts = b->ts + s->clock_first,
                              .v = s->values,
                              .start_ts = s->start_ts,
                              .n = s->count};
        enum err err = eval_charge(j->e, all.n);
        return err ? err : run_windows(j, &all, &j->clock, s->clock_first);
    }
    struct samples split;
    arena_reset(&j->scratch);
    enum err err = split_samples(j, b, s, &split);
    err = err ? err : eval_charge(j->e, split.n + split.histogram_count);
    if (err) {
        return err;
    }
    bounds_find(j, split.ts, split.n, &j->floats);
    bounds_find(j, split.histogram_ts, split.histogram_count, &j->histograms);
    return run_windows(j, &split, &j->floats, 0);
}

static enum err range_stored(struct range_job *j, const struct node *selector, int64_t range_ms)
{
    struct eval *e = j->e;
    struct metric_cursor *cursor = NULL;
    struct metric_batch b;
    enum err err = open_cursor(e, selector, range_ms, "", &cursor);
    while (!err && (err = e->source->ops->next(cursor, &b, e->info)) == ERR_OK) {
        bounds_find(j, b.ts, b.ts_count, &j->clock);
        for (uint32_t k = 0; k < b.series_count && !err; k++) {
            err = range_series(j, &b, &b.series[k]);
        }
    }
    if (cursor) {
        e->source->ops->close(cursor);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum {
    SUBQUERY_STEP_DEFAULT_MS = 60000,
    SUBQUERY_STEPS_MAX = 10000000
};

/* The points of a row on the inner grid, as if they were stored. */
static enum err subquery_samples(struct arena *a, const struct eval *inner, const struct series *row,
                                 struct samples *out)
{
    size_t n = inner->steps;
    ts_ms *ts = arena_array(a, n, sizeof(*ts)), *hts = arena_array(a, n, sizeof(*hts));
    double *v = arena_array(a, n, sizeof(*v));
    const struct histogram **h = arena_array(a, n, sizeof(*h));
    if (!ts || !hts || !v || !h) {
        return arena_err(a);
    }
    *out = (struct samples){.labels = row->labels, .ts = ts, .v = v, .histogram_ts = hts, .histograms = h};
    for (size_t i = 0; i < n; i++) {
        if (!row->has[i]) {
            continue;
        }
        if (row->h && row->h[i]) {
            hts[out->histogram_count] = step_time(inner, i);
            h[out->histogram_count++] = row->h[i];
        } else {
            ts[out->n] = step_time(inner, i);
            v[out->n++] = row->v[i];
        }
    }
    return ERR_OK;
}

static enum err subquery_series(struct range_job *j, const struct eval *inner, const struct series *row)
{
    struct samples s;
    arena_reset(&j->scratch);
    if (subquery_samples(&j->scratch, inner, row, &s)) {
        return eval_no_memory(j->e);
    }
    bounds_find(j, s.ts, s.n, &j->floats);
    bounds_find(j, s.histogram_ts, s.histogram_count, &j->histograms);
    enum err err = eval_charge(j->e, s.n + s.histogram_count);
    return err ? err : run_windows(j, &s, &j->floats, 0);
}

/* The inner expression on a grid of its own, then windows over its points. */
static enum err range_subquery(struct range_job *j, const struct node *n)
{
    struct eval *e = j->e, inner = *e;
    int64_t step = n->step_ms ? n->step_ms : SUBQUERY_STEP_DEFAULT_MS;
    ts_ms low = j->from[0], high = j->to[e->steps - 1];
    ts_ms first = low / step * step;
    while (first <= low) {
        first += step;
    }
    if (high < first) {
        return ERR_OK;
    }
    inner.start = first;
    inner.step = step;
    inner.steps = (size_t)((high - first) / step) + 1;
    if (inner.steps > SUBQUERY_STEPS_MAX) {
        return err_set(e->info, ERR_LIMIT, "the subquery has more than %d steps: choose a larger step",
                       SUBQUERY_STEPS_MAX);
    }
    struct value v;
    enum err err = eval_node(&inner, n->args[0], &v);
    for (size_t k = 0; !err && k < v.n; k++) {
        err = subquery_series(j, &inner, &v.s[k]);
    }
    return err;
}

enum err eval_range(struct eval *e, const struct node *range, const struct range_use *use,
                    struct value *ret_value)
{
    const struct node *n = unparen(range), *timed = n->kind == N_MATRIX ? n->args[0] : n;
    struct range_job j = {
        .e = e,
        .use = use,
        .from = arena_array(e->a, e->steps, sizeof(ts_ms)),
        .to = arena_array(e->a, e->steps, sizeof(ts_ms)),
        .out = ret_value,
    };
    *ret_value = (struct value){.type = TYPE_VECTOR};
    if (!j.from || !j.to || !bounds_init(e, &j.clock) || !bounds_init(e, &j.floats) ||
        !bounds_init(e, &j.histograms)) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < e->steps; i++) {
        j.to[i] = selector_time(e, timed, i);
        j.from[i] = j.to[i] - n->range_ms;
    }
    arena_init(&j.scratch, 0, e->a->budget);
    enum err err = n->kind == N_MATRIX ? range_stored(&j, timed, n->range_ms) : range_subquery(&j, n);
    arena_done(&j.scratch);
    return err || use->keep_name ? err : value_merge(e, ret_value);
}

/* -- the window itself ----------------------------------------------------------------------------------- */

static enum err raw_series(struct eval *e, const struct metric_batch *b, const struct metric_series *s,
                           ts_ms from, ts_ms to, struct raw_rows *out)
{
    ts_ms *ts = arena_array(e->a, (size_t)s->count + 1, sizeof(*ts));
    double *v = arena_array(e->a, (size_t)s->count + 1, sizeof(*v));
    const struct histogram **h = s->histograms ? arena_array(e->a, (size_t)s->count + 1, sizeof(*h)) : NULL;
    size_t n = 0;
    if (!ts || !v || (s->histograms && !h)) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < s->count; i++) {
        ts_ms t = b->ts[s->clock_first + i];
        if (t <= from || t > to || stored_stale(s, i)) {
            continue;
        }
        ts[n] = t;
        v[n] = s->values[i];
        if (h) {
            h[n] = s->histograms[i] ? eval_keep_histogram(e, s->histograms[i]) : NULL;
            if (s->histograms[i] && !h[n]) {
                return eval_no_memory(e);
            }
        }
        n++;
    }
    enum err err = eval_charge(e, n);
    if (err || n == 0) {
        return err;
    }
    struct labels ls;
    if (labels_dup(e->a, s->labels, &ls) ||
        arena_reserve(e->a, (void **)&out->rows, &out->cap, out->n + 1, sizeof(*out->rows))) {
        return eval_no_memory(e);
    }
    out->rows[out->n++] =
        (struct promql_series){.labels = ls, .n = n, .ts = ts, .values = v, .histograms = h};
    return ERR_OK;
}

static enum err raw_subquery(struct eval *e, const struct node *n, struct raw_rows *out)
{
    struct eval inner = *e;
    struct value v;
    int64_t step = n->step_ms ? n->step_ms : SUBQUERY_STEP_DEFAULT_MS;
    ts_ms to = selector_time(e, n, 0), from = to - n->range_ms, first = from / step * step;
    while (first <= from) {
        first += step;
    }
    if (to < first) {
        return ERR_OK;
    }
    inner.start = first;
    inner.step = step;
    inner.steps = (size_t)((to - first) / step) + 1;
    enum err err = inner.steps > SUBQUERY_STEPS_MAX ? eval_no_memory(e) : eval_node(&inner, n->args[0], &v);
    for (size_t k = 0; !err && k < v.n; k++) {
        ts_ms *ts = arena_array(e->a, inner.steps, sizeof(*ts));
        size_t count = 0;
        if (!ts || arena_reserve(e->a, (void **)&out->rows, &out->cap, out->n + 1, sizeof(*out->rows))) {
            return eval_no_memory(e);
        }
        for (size_t i = 0; i < inner.steps; i++) {
            if (v.s[k].has[i]) {
                ts[count] = step_time(&inner, i);
                if (v.s[k].h) {
                    v.s[k].h[count] = v.s[k].h[i];
                }
                v.s[k].v[count++] = v.s[k].v[i];
            }
        }
        if (count) {
            out->rows[out->n++] = (struct promql_series){
                .labels = v.s[k].labels, .n = count, .ts = ts, .values = v.s[k].v, .histograms = v.s[k].h};
        }
    }
    return err;
}

enum err eval_raw_range(struct eval *e, const struct node *range, struct raw_rows *ret_rows)
{
    const struct node *n = unparen(range);
    if (n->kind == N_SUBQUERY) {
        return raw_subquery(e, n, ret_rows);
    }
    struct metric_cursor *cursor = NULL;
    struct metric_batch b;
    ts_ms to = selector_time(e, n->args[0], 0), from = to - n->range_ms;
    enum err err = open_cursor(e, n->args[0], n->range_ms, "", &cursor);
    while (!err && (err = e->source->ops->next(cursor, &b, e->info)) == ERR_OK) {
        for (uint32_t k = 0; k < b.series_count && !err; k++) {
            err = raw_series(e, &b, &b.series[k], from, to, ret_rows);
        }
    }
    if (cursor) {
        e->source->ops->close(cursor);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}
