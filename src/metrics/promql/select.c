/* Instant selectors: stored series onto the grid. */
#include "metrics/model/value.h"
#include "metrics/promql/columns.h"
#include "metrics/promql/functions.h"
#include "metrics/promql/histogram_fns.h"
#include "metrics/promql/rows.h"

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
    bool smoothed;
    const struct row_sink *sink; /* takes the rows instead of `out`; may be NULL */
    struct series row;           /* the one being filled */
    uint32_t *at;                /* of each step: the sample of a series that lies so on the clock, */
    uint8_t *near;               /* if there is one; else 0 */
    bool all_near;
    uint32_t at_first, at_count;
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

/* Which sample of a series each step sees, staleness aside: the same for all series that lie alike on the
 * clock. */
static void find_samples(struct instant_job *j, const struct metric_batch *b, const struct metric_series *s)
{
    int64_t lookback = j->e->options->lookback_ms;
    if (j->at_count && j->at_first == s->clock_first && j->at_count == s->count) {
        return;
    }
    j->at_first = s->clock_first;
    j->at_count = s->count;
    for (size_t i = 0; i < j->e->steps; i++) {
        uint32_t at = j->ends[i] > s->clock_first ? j->ends[i] - s->clock_first : 0;
        at = at > s->count ? s->count : at;
        j->near[i] = at > 0 && b->ts[s->clock_first + at - 1] > j->times[i] - lookback;
        j->at[i] = j->near[i] ? at - 1 : 0;
    }
    j->all_near = column_whole(j->near, j->e->steps);
}

/* A row to fill: the one at hand; what it has is undefined. */
static enum err row_at_hand(struct instant_job *j)
{
    struct eval *e = j->e;
    if (!j->row.v) {
        j->row.v = arena_array(e->a, e->steps, sizeof(*j->row.v));
        j->row.has = arena_array(e->a, e->steps, sizeof(*j->row.has));
    }
    return j->row.v && j->row.has ? ERR_OK : eval_no_memory(e);
}

/* The filled row goes into the value, or to the consumer; an empty one stays at hand. */
static enum err take_row(struct instant_job *j, const struct metric_series *s, size_t points)
{
    struct eval *e = j->e;
    if (points == 0) {
        return ERR_OK;
    }
    enum err err = j->smoothed ? ERR_OK : eval_charge(e, points);
    if (err) {
        return err;
    }
    if (!j->smoothed) { /* nor does the original count what it smooths */
        usage_row(e, &j->row);
    }
    if (j->sink) {
        return j->sink->fn(j->sink->ctx, s->labels, s->id, j->row.v, j->row.has);
    }
    struct series row = j->row;
    j->row = (struct series){0};
    row.order = s->id;
    return labels_dup(e->a, s->labels, &row.labels) ? eval_no_memory(e) : value_push(e, j->out, &row);
}

/* Floats as stored: no sample needs a look of its own. */
static size_t fill_floats(struct instant_job *j, const struct metric_series *s)
{
    size_t steps = j->e->steps;
    struct series *row = &j->row;
    bool fresh = j->e->columns->gather(s->values, j->at, steps, row->v);
    if (fresh && j->all_near) {
        memset(row->has, 1, steps);
        return steps;
    }
    j->e->columns->presence(row->v, j->near, steps, row->has);
    return column_count(row->has, steps);
}

static enum err fill_shown(struct instant_job *j, const struct metric_batch *b, const struct metric_series *s,
                           size_t *ret_points)
{
    struct eval *e = j->e;
    struct point last = {0};
    uint32_t last_at = UINT32_MAX;
    enum err err = ERR_OK;
    memset(j->row.has, 0, e->steps);
    for (size_t i = 0; i < e->steps && !err; i++) {
        uint32_t at = j->at[i];
        if (!j->near[i] || stored_stale(s, at)) {
            continue;
        }
        if (at != last_at) {
            err = show(j, b, s, at, j->times[i], &last);
            last_at = at;
        }
        err = err ? err : series_put(e, &j->row, i, last);
        *ret_points += last.h ? histogram_point_cost(last.h) : 1;
    }
    return err;
}

static enum err instant_series(struct instant_job *j, const struct metric_batch *b,
                               const struct metric_series *s)
{
    size_t points = 0;
    if (s->histograms && j->sink) {
        *j->sink->ret_other = true;
        return ERR_OK;
    }
    enum err err = row_at_hand(j);
    if (err || s->count == 0) {
        return err;
    }
    find_samples(j, b, s);
    if (j->what == SELECT_VALUE && !s->histograms) {
        points = fill_floats(j, s);
    } else {
        err = fill_shown(j, b, s, &points);
    }
    return err ? err : take_row(j, s, points);
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

static uint64_t around_cost(const struct around *x)
{
    uint64_t cost = x->n;
    for (size_t i = 0; i < x->histogram_count; i++) {
        cost += histogram_point_cost(x->h[i]);
    }
    return cost;
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
    struct around x;
    int64_t back = e->options->lookback_ms;
    enum err err = around_init(&x, &scratch, s->count + (size_t)1) ? row_at_hand(j) : eval_no_memory(e);
    size_t points = 0;
    uint64_t held = 0;
    if (!err) {
        memset(j->row.has, 0, e->steps);
    }
    for (size_t i = 0; i < e->steps && !err; i++) {
        struct point p = {0};
        around_fill(&x, b, s, j->times[i] - back, j->times[i] + back);
        held = around_cost(&x);
        err = eval_peak(e, held);
        err = err ? err : smoothed_point(j, s, &x, j->times[i], &p);
        if (err == ERR_NOT_FOUND) {
            err = ERR_OK;
            continue;
        }
        err = err ? err : series_put(e, &j->row, i, p);
        points += p.h ? histogram_point_cost(p.h) : 1;
    }
    e->usage->current += held; /* the original keeps its last windows */
    return err ? err : take_row(j, s, points);
}

/* -- both ------------------------------------------------------------------------------------------------ */

static enum err select_rows(struct instant_job *j)
{
    struct eval *e = j->e;
    const struct node *n = j->n;
    struct metric_cursor *cursor = NULL;
    struct metric_batch b;
    uint64_t clock = 0;
    ts_ms *times = arena_array(e->a, e->steps, sizeof(*times));
    j->ends = arena_array(e->a, e->steps, sizeof(*j->ends));
    j->at = arena_array(e->a, e->steps, sizeof(*j->at));
    j->near = arena_array(e->a, e->steps, sizeof(*j->near));
    if (!times || !j->ends || !j->at || !j->near) {
        return eval_no_memory(e);
    }
    for (size_t i = 0; i < e->steps; i++) {
        times[i] = selector_time(e, n, i);
    }
    j->times = times;
    bool smoothed = j->smoothed = n->smoothed && j->what == SELECT_VALUE;
    int64_t back = e->options->lookback_ms;
    enum err err = select_open(e, n, back, smoothed ? back : 0, &cursor);
    while (!err && !(j->sink && *j->sink->ret_other) &&
           (err = e->source->ops->next(cursor, &b, e->info)) == ERR_OK) {
        if (!b.clock || b.clock != clock) {
            count_until(b.ts, b.ts_count, times, e->steps, j->ends);
            clock = b.clock;
            j->at_count = 0;
        }
        for (uint32_t k = 0; k < b.series_count && !err && !(j->sink && *j->sink->ret_other); k++) {
            err = smoothed ? smoothed_series(j, &b, &b.series[k]) : instant_series(j, &b, &b.series[k]);
        }
    }
    if (cursor) {
        notes_of_cursor(e, cursor);
        e->source->ops->close(cursor);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err eval_selector(struct eval *e, const struct node *n, enum select_what what, struct value *ret_value)
{
    struct instant_job j = {.e = e, .n = n, .what = what, .out = ret_value};
    *ret_value = (struct value){.type = TYPE_VECTOR};
    enum err err = select_rows(&j);
    value_sort_selected(ret_value);
    return err;
}

enum err selector_rows(struct eval *e, const struct node *n, const struct row_sink *sink)
{
    struct instant_job j = {.e = e, .n = n, .what = SELECT_VALUE, .sink = sink};
    return select_rows(&j);
}
