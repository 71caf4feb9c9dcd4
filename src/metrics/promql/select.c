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

static bool usable(const struct metric_series *s, size_t i)
{
    return !(s->histograms && s->histograms[i]) && !is_stale_nan(s->values[i]);
}

/* -- instant --------------------------------------------------------------------------------------------- */

static enum err instant_batch(struct eval *e, const struct metric_batch *b, const ts_ms *times,
                              uint32_t *ends, bool want_time, struct value *out)
{
    count_until(b->ts, b->ts_count, times, e->steps, ends);
    for (uint32_t k = 0; k < b->series_count; k++) {
        const struct metric_series *s = &b->series[k];
        struct series *row = NULL;
        uint64_t points = 0;
        for (size_t i = 0; i < e->steps; i++) {
            if (ends[i] <= s->clock_first || s->count == 0) {
                continue;
            }
            uint32_t at = ends[i] - 1;
            if (at >= s->clock_first + s->count) {
                at = s->clock_first + s->count - 1;
            }
            if (b->ts[at] <= times[i] - e->options->lookback_ms || !usable(s, at - s->clock_first)) {
                continue;
            }
            if (!row) {
                struct labels ls;
                enum err err = labels_dup(e->a, s->labels, &ls);
                err = err ? err : value_add(e, out, ls, &row);
                if (err) {
                    return err;
                }
            }
            row->v[i] = want_time ? (double)b->ts[at] / 1000 : s->values[at - s->clock_first];
            row->has[i] = 1;
            points++;
        }
        enum err err = eval_charge(e, points);
        if (err) {
            return err;
        }
    }
    return ERR_OK;
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
    enum err err = open_cursor(e, n, 0, "", &cursor);
    while (!err && (err = e->source->ops->next(cursor, &b, e->info)) == ERR_OK) {
        err = instant_batch(e, &b, times, ends, want_time, ret_value);
    }
    if (cursor) {
        e->source->ops->close(cursor);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* -- range ----------------------------------------------------------------------------------------------- */

struct range_job {
    struct eval *e;
    range_fn *fn;
    double *const *args;
    bool keep_name;
    ts_ms *from, *to;      /* of each step */
    uint32_t *first, *end; /* batch indices of each step's window */
    struct value *out;
};

/* Runs the function over one series whose usable samples are ts[0..n), windows given by first and end. */
static enum err run_windows(struct range_job *j, struct labels labels, const ts_ms *ts, const double *v,
                            size_t n, uint32_t shift, const uint32_t *first, const uint32_t *end)
{
    struct eval *e = j->e;
    struct series *row = NULL;
    for (size_t i = 0; i < e->steps; i++) {
        uint32_t lo = first[i] > shift ? first[i] - shift : 0;
        uint32_t hi = end[i] > shift ? end[i] - shift : 0;
        hi = hi > n ? (uint32_t)n : hi;
        if (hi <= lo) {
            continue;
        }
        struct window w = {.ts = ts + lo, .v = v + lo, .n = hi - lo, .from = j->from[i], .to = j->to[i]};
        double result;
        for (size_t k = 0; j->args && k < 2; k++) {
            w.args[k] = j->args[k] ? j->args[k][i] : 0;
        }
        if (!j->fn(&w, &result)) {
            continue;
        }
        if (!row) {
            struct labels ls;
            enum err err = labels_dup(e->a, labels, &ls);
            err = err || j->keep_name ? err : drop_name(e, ls, &ls);
            err = err ? err : value_add(e, j->out, ls, &row);
            if (err) {
                return err;
            }
        }
        row->v[i] = result;
        row->has[i] = 1;
    }
    return ERR_OK;
}

static enum err range_series(struct range_job *j, const struct metric_batch *b, const struct metric_series *s)
{
    struct eval *e = j->e;
    size_t usable_count = 0;
    for (size_t i = 0; i < s->count; i++) {
        usable_count += usable(s, i);
    }
    enum err err = eval_charge(e, usable_count);
    if (err || usable_count == 0) {
        return err;
    }
    if (usable_count == s->count) {
        return run_windows(j, s->labels, b->ts + s->clock_first, s->values, s->count, s->clock_first,
                           j->first, j->end);
    }
    struct arena scratch AUTO_ARENA = {0};
    ts_ms *ts = arena_array(&scratch, usable_count, sizeof(*ts));
    double *v = arena_array(&scratch, usable_count, sizeof(*v));
    uint32_t *first = arena_array(&scratch, e->steps, sizeof(*first));
    uint32_t *end = arena_array(&scratch, e->steps, sizeof(*end));
    if (!ts || !v || !first || !end) {
        return eval_no_memory(e);
    }
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (usable(s, i)) {
            ts[n] = b->ts[s->clock_first + i];
            v[n++] = s->values[i];
        }
    }
    count_until(ts, n, j->from, e->steps, first);
    count_until(ts, n, j->to, e->steps, end);
    return run_windows(j, s->labels, ts, v, n, 0, first, end);
}

static enum err range_stored(struct range_job *j, const struct node *selector, int64_t range_ms)
{
    struct eval *e = j->e;
    struct metric_cursor *cursor = NULL;
    struct metric_batch b;
    enum err err = open_cursor(e, selector, range_ms, "", &cursor);
    while (!err && (err = e->source->ops->next(cursor, &b, e->info)) == ERR_OK) {
        count_until(b.ts, b.ts_count, j->from, e->steps, j->first);
        count_until(b.ts, b.ts_count, j->to, e->steps, j->end);
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
    ts_ms *ts = err ? NULL : arena_array(e->a, inner.steps, sizeof(*ts));
    double *values = err ? NULL : arena_array(e->a, inner.steps, sizeof(*values));
    uint32_t *first_index = err ? NULL : arena_array(e->a, e->steps, sizeof(*first_index));
    uint32_t *end_index = err ? NULL : arena_array(e->a, e->steps, sizeof(*end_index));
    if (err || !ts || !values || !first_index || !end_index) {
        return err ? err : eval_no_memory(e);
    }
    for (size_t k = 0; k < v.n && !err; k++) {
        size_t count = 0;
        for (size_t i = 0; i < inner.steps; i++) {
            if (v.s[k].has[i]) {
                ts[count] = step_time(&inner, i);
                values[count++] = v.s[k].v[i];
            }
        }
        count_until(ts, count, j->from, e->steps, first_index);
        count_until(ts, count, j->to, e->steps, end_index);
        err = eval_charge(e, count);
        err = err ? err : run_windows(j, v.s[k].labels, ts, values, count, 0, first_index, end_index);
    }
    return err;
}

enum err eval_range(struct eval *e, const struct node *range, range_fn *fn, double *const args[2],
                    bool keep_name, struct value *ret_value)
{
    const struct node *n = unparen(range), *timed = n->kind == N_MATRIX ? n->args[0] : n;
    struct range_job j = {
        .e = e,
        .fn = fn,
        .args = args,
        .keep_name = keep_name,
        .from = arena_array(e->a, e->steps, sizeof(ts_ms)),
        .to = arena_array(e->a, e->steps, sizeof(ts_ms)),
        .first = arena_array(e->a, e->steps, sizeof(uint32_t)),
        .end = arena_array(e->a, e->steps, sizeof(uint32_t)),
        .out = ret_value,
    };
    *ret_value = (struct value){.type = TYPE_VECTOR};
    if (!j.from || !j.to || !j.first || !j.end) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < e->steps; i++) {
        j.to[i] = selector_time(e, timed, i);
        j.from[i] = j.to[i] - n->range_ms;
    }
    enum err err = n->kind == N_MATRIX ? range_stored(&j, timed, n->range_ms) : range_subquery(&j, n);
    return err || keep_name ? err : value_merge(e, ret_value);
}

/* -- the window itself ----------------------------------------------------------------------------------- */

static enum err raw_series(struct eval *e, const struct metric_batch *b, const struct metric_series *s,
                           ts_ms from, ts_ms to, struct raw_rows *out)
{
    ts_ms *ts = arena_array(e->a, (size_t)s->count + 1, sizeof(*ts));
    double *v = arena_array(e->a, (size_t)s->count + 1, sizeof(*v));
    size_t n = 0;
    if (!ts || !v) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < s->count; i++) {
        ts_ms t = b->ts[s->clock_first + i];
        if (t > from && t <= to && usable(s, i)) {
            ts[n] = t;
            v[n++] = s->values[i];
        }
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
    out->rows[out->n++] = (struct promql_series){.labels = ls, .n = n, .ts = ts, .values = v};
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
                v.s[k].v[count++] = v.s[k].v[i];
            }
        }
        if (count) {
            out->rows[out->n++] =
                (struct promql_series){.labels = v.s[k].labels, .n = count, .ts = ts, .values = v.s[k].v};
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
