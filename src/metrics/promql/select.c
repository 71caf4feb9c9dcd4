/* Instant selectors: stored series onto the grid. */
#include "metrics/model/value.h"
#include "metrics/promql/functions.h"
#include "metrics/promql/histogram_fns.h"

ts_ms selector_time(const struct eval *e, const struct node *n, size_t i)
{
    return (n->at == AT_TIME ? n->at_ms : step_time(e, i)) - n->offset_ms;
}

enum err select_open(struct eval *e, const struct node *n, int64_t back_ms, int64_t ahead_ms,
                     struct metric_cursor **ret_cursor)
{
    struct metric_select sel = {
        .matchers = n->matchers,
        .matcher_count = n->matcher_count,
        .start_ms = selector_time(e, n, 0) - back_ms + 1,
        .end_ms = selector_time(e, n, e->steps - 1) + ahead_ms,
        .hints = {.step_ms = e->step},
    };
    return e->source->ops->select(e->source, e->q, &sel, ret_cursor, e->info);
}

void count_until(const ts_ms *ts, size_t n, const ts_ms *times, size_t steps, uint32_t *ends)
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

bool stored_stale(const struct metric_series *s, size_t i)
{
    const struct histogram *h = s->histograms ? s->histograms[i] : NULL;
    return is_stale_nan(h ? h->sum : s->values[i]);
}

struct instant_job {
    struct eval *e;
    const struct node *n;
    const ts_ms *times;
    uint32_t *ends;
    enum select_what what;
    struct value *out;
};

/* The newest histogram before index i that is looked at with it. */
static const struct histogram *histogram_before(const struct metric_batch *b, const struct metric_series *s,
                                                uint32_t i, ts_ms after)
{
    while (i-- > 0 && b->ts[s->clock_first + i] > after) {
        if (s->histograms[i] && !stored_stale(s, i)) {
            return s->histograms[i];
        }
    }
    return NULL;
}

/* The sample at index i of the series, as this selector shows it. */
static enum err show(struct instant_job *j, const struct metric_batch *b, const struct metric_series *s,
                     uint32_t i, ts_ms at, struct point *ret_p)
{
    const struct histogram *h = s->histograms ? s->histograms[i] : NULL;
    ts_ms t = b->ts[s->clock_first + i];
    *ret_p = (struct point){0};
    switch (j->what) {
    case SELECT_TIME:
        ret_p->v = (double)t / 1000;
        return ERR_OK;
    case SELECT_TIME_MS:
        ret_p->v = (double)t;
        return h ? err_set(j->e->info, ERR_EXECUTION, "info sample should be float") : ERR_OK;
    case SELECT_START_TIME:
        ret_p->v = s->start_ts ? (double)s->start_ts[i] / 1000 : 0;
        return ERR_OK;
    case SELECT_VALUE:
        break;
    }
    ret_p->v = h ? 0 : s->values[i];
    if (h && j->n->counts_only) {
        const struct histogram *before = histogram_before(b, s, i, at - j->e->options->lookback_ms);
        ret_p->h = histogram_counts(j->e->a, h, before);
    } else {
        ret_p->h = h ? eval_keep_histogram(j->e, h) : NULL;
    }
    return h && !ret_p->h ? eval_no_memory(j->e) : ERR_OK;
}

static enum err new_row(struct instant_job *j, const struct metric_series *s, struct series **ret_row)
{
    struct labels ls;
    if (*ret_row) {
        return ERR_OK;
    }
    enum err err =
        labels_dup(j->e->a, s->labels, &ls) ? eval_no_memory(j->e) : value_add(j->e, j->out, ls, ret_row);
    if (!err) {
        (*ret_row)->order = s->id;
    }
    return err;
}

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
        uint32_t at = j->ends[i] - s->clock_first;
        at = at > s->count ? s->count - 1 : at - 1;
        if (b->ts[s->clock_first + at] <= j->times[i] - e->options->lookback_ms || stored_stale(s, at)) {
            continue;
        }
        if (at != last_at) {
            err = show(j, b, s, at, j->times[i], &last);
            last_at = at;
        }
        err = err ? err : new_row(j, s, &row);
        err = err ? err : series_put(e, row, i, last);
        points += last.h ? histogram_point_cost(last.h) : 1;
    }
    return err ? err : eval_charge(e, points);
}

/* -- smoothed -------------------------------------------------------------------------------------------- */

/* Usable samples around a point in time: floats and histograms apart. */
struct around {
    ts_ms *ts, *histogram_ts;
    double *v;
    const struct histogram **h;
    size_t n, histogram_count;
};

static bool around_init(struct around *x, struct arena *a, size_t n)
{
    *x = (struct around){.ts = arena_array(a, n, sizeof(*x->ts)),
                         .histogram_ts = arena_array(a, n, sizeof(*x->histogram_ts)),
                         .v = arena_array(a, n, sizeof(*x->v)),
                         .h = arena_array(a, n, sizeof(*x->h))};
    return x->ts && x->histogram_ts && x->v && x->h;
}

/* Those in (from, to]. */
static void around_fill(struct around *x, const struct metric_batch *b, const struct metric_series *s,
                        ts_ms from, ts_ms to)
{
    x->n = x->histogram_count = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        ts_ms t = b->ts[s->clock_first + i];
        const struct histogram *h = s->histograms ? s->histograms[i] : NULL;
        if (t <= from || t > to || stored_stale(s, i)) {
            continue;
        }
        if (h) {
            x->histogram_ts[x->histogram_count] = t;
            x->h[x->histogram_count++] = h;
        } else {
            x->ts[x->n] = t;
            x->v[x->n++] = s->values[i];
        }
    }
}

static bool smoothed_at(const ts_ms *ts, const double *v, size_t n, ts_ms t, double *ret_v)
{
    size_t i = 0;
    while (i < n && ts[i] < t) {
        i++;
    }
    if (i < n && ts[i] == t) {
        *ret_v = v[i];
        return true;
    }
    if (i == 0) {
        return false;
    }
    *ret_v = i < n ? interpolate(ts[i - 1], v[i - 1], ts[i], v[i], t, false) : v[i - 1];
    return true;
}

/* NOT_FOUND: nothing to show. */
static enum err smoothed_point(struct instant_job *j, const struct metric_series *s, const struct around *x,
                               ts_ms t, struct point *ret_p)
{
    struct eval *e = j->e;
    struct str name = metric_name(s->labels);
    const struct histogram *h = NULL;
    if (x->n && x->histogram_count) {
        note_mixed(e, j->n->pos, name);
        return ERR_NOT_FOUND;
    }
    if (x->histogram_count == 0) {
        return smoothed_at(x->ts, x->v, x->n, t, &ret_p->v) ? ERR_OK : ERR_NOT_FOUND;
    }
    enum err err = histogram_smoothed(e, x->histogram_ts, x->h, x->histogram_count, t, j->n->pos, name, &h);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? err : eval_no_memory(e);
    }
    ret_p->h = eval_keep_histogram(e, h);
    return ret_p->h ? ERR_OK : eval_no_memory(e);
}

static enum err smoothed_series(struct instant_job *j, const struct metric_batch *b,
                                const struct metric_series *s)
{
    struct eval *e = j->e;
    struct arena scratch AUTO_ARENA = {0};
    struct series *row = NULL;
    struct around x;
    int64_t back = e->options->lookback_ms;
    enum err err = around_init(&x, &scratch, s->count + (size_t)1) ? ERR_OK : eval_no_memory(e);
    uint64_t points = 0;
    for (size_t i = 0; i < e->steps && !err; i++) {
        struct point p = {0};
        around_fill(&x, b, s, j->times[i] - back, j->times[i] + back);
        err = smoothed_point(j, s, &x, j->times[i], &p);
        if (err == ERR_NOT_FOUND) {
            err = ERR_OK;
            continue;
        }
        err = err ? err : new_row(j, s, &row);
        err = err ? err : series_put(e, row, i, p);
        points += p.h ? histogram_point_cost(p.h) : 1;
    }
    return err ? err : eval_charge(e, points);
}

/* -- both ------------------------------------------------------------------------------------------------ */

enum err eval_selector(struct eval *e, const struct node *n, enum select_what what, struct value *ret_value)
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
    bool smoothed = n->smoothed && what == SELECT_VALUE;
    struct instant_job j = {.e = e, .n = n, .times = times, .ends = ends, .what = what, .out = ret_value};
    int64_t back = e->options->lookback_ms;
    enum err err = select_open(e, n, back, smoothed ? back : 0, &cursor);
    while (!err && (err = e->source->ops->next(cursor, &b, e->info)) == ERR_OK) {
        count_until(b.ts, b.ts_count, times, e->steps, ends);
        for (uint32_t k = 0; k < b.series_count && !err; k++) {
            err = smoothed ? smoothed_series(&j, &b, &b.series[k]) : instant_series(&j, &b, &b.series[k]);
        }
    }
    if (cursor) {
        e->source->ops->close(cursor);
    }
    value_sort_selected(ret_value);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}
