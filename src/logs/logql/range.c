/* Range aggregations: lines into samples into windows. One pass over the lines; only the samples that some
 * window still needs are held, or, for counts and byte sums, nothing but one number a step. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/num.h"
#include "golang/gostr.h"
#include "logs/logql/eval.h"

/* -- what is selected ------------------------------------------------------------------------------------ */

enum err selection_init(struct selection *s, struct arena *a, const struct log_expr *log,
                        const struct pipeline *p)
{
    size_t n = 0;
    for (const struct line_test *t = pipeline_leading_tests(p); t; t = t->next) {
        n++;
    }
    *s = (struct selection){.filters = arena_array(a, n + 1, sizeof(*s->filters))};
    if (!s->filters) {
        return arena_err(a);
    }
    n = 0;
    for (const struct line_test *t = pipeline_leading_tests(p); t; t = t->next) {
        bool literal = t->kind == LINE_TEST_CONTAINS, regex = t->kind == LINE_TEST_REGEX;
        if (t->alt || (!literal && !regex)) {
            continue;
        }
        s->filters[n++] = (struct log_line_filter){literal ? (t->negate ? LOG_NOT_CONTAINS : LOG_CONTAINS)
                                                           : (t->negate ? LOG_NOT_MATCHES : LOG_MATCHES),
                                                   t->text, t->re};
    }
    s->select.matchers = log->matchers;
    s->select.matcher_count = log->matcher_count;
    s->select.filters = s->filters;
    s->select.filter_count = n;
    return ERR_OK;
}

bool selection_is_exact(const struct selection *s, const struct pipeline *p)
{
    size_t n = 0;
    for (const struct line_test *t = pipeline_leading_tests(p); t; t = t->next) {
        n++;
    }
    return n == s->select.filter_count && p->n <= 1 && (p->n == 0 || p->stages[0].kind == STAGE_LINE_FILTER);
}

/* -- the job --------------------------------------------------------------------------------------------- */

/* The samples of one series that a window may still need: a queue in time order. */
struct queue {
    struct window_sample *items;
    size_t first, n, cap;
};

/* Sums by step as differences: +v where the sample enters the windows, -v behind where it leaves. */
struct sums {
    int64_t *count, *bytes;
};

struct range_job {
    struct eval *ev;
    const struct expr *x;
    const struct range_expr *r;
    struct pipeline p;
    struct label_groups groups;
    struct label_test **post;
    size_t post_count;
    bool additive;     /* counts and bytes: any order will do */
    bool stream_keyed; /* the labels of a sample are those of its stream */
    int64_t first_ns;  /* end of the first window */
    size_t step;       /* the window being filled */
    struct matrix *m;
    struct label_index index;
    struct queue *queues; /* one a series, or */
    struct sums *sums;
    size_t side_cap;
    uint32_t *by_stream; /* series + 1 of a stream of the batch; stream_keyed */
    size_t by_stream_cap;
    uint64_t lines;
};

static bool is_additive(const struct expr *x)
{
    enum range_op op = x->range_op;
    return !x->range->unwrap && (op == RANGE_COUNT || op == RANGE_RATE || op == RANGE_BYTES ||
                                 op == RANGE_BYTES_RATE || op == RANGE_ABSENT);
}

static int compare_str(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The grouping that is applied while samples are made. */
static enum err job_groups(struct range_job *j, const struct grouping *outer, bool has_outer)
{
    const struct grouping *g = has_outer ? outer : j->x->grouping;
    struct str unwrap = j->r->unwrap ? j->r->unwrap->label : (struct str){0};
    size_t n = g ? g->n : 0;
    struct str *names = arena_array(j->ev->a, n + 1, sizeof(*names));
    if (!names) {
        return arena_err(j->ev->a);
    }
    if (n) {
        memcpy(names, g->names, n * sizeof(*names));
    }
    j->groups.none = ((g || has_outer) && n == 0 && !(g && g->without)) || j->x->range_op == RANGE_ABSENT;
    j->groups.without = g && g->without;
    if (unwrap.n && (n == 0 || j->groups.without)) {
        j->groups.without = true;
        names[n++] = unwrap;
    }
    if (n > 1) {
        qsort(names, n, sizeof(*names), compare_str);
    }
    j->groups.names = names;
    j->groups.n = n;
    return ERR_OK;
}

static enum err job_post_filters(struct range_job *j)
{
    size_t n = 0;
    for (const struct post_filter *f = j->r->unwrap ? j->r->unwrap->filters : NULL; f; f = f->next) {
        n++;
    }
    j->post = arena_array(j->ev->a, n + 1, sizeof(struct label_test *));
    if (!j->post) {
        return arena_err(j->ev->a);
    }
    for (const struct post_filter *f = n ? j->r->unwrap->filters : NULL; f; f = f->next) {
        enum err e = label_test_new(j->ev->a, f->filter, &j->post[j->post_count], j->ev->info);
        /* a bad address pattern matches nothing here */
        if (e && e != ERR_INVALID) {
            return e;
        }
        j->post_count++;
    }
    return ERR_OK;
}

static enum err job_pipeline(struct eval *ev, const struct expr *x, struct pipeline *p)
{
    bool sized = x->range_op == RANGE_BYTES || x->range_op == RANGE_BYTES_RATE;
    return pipeline_init(p, ev->a, &x->range->log, !sized, ev->info);
}

enum err logql_eval_compiles(struct eval *ev, const struct expr *x)
{
    if (x->kind == EXPR_RANGE) {
        struct pipeline p;
        enum err e = job_pipeline(ev, x, &p);
        pipeline_done(&p);
        return e && e != ERR_INVALID ? logql_eval_no_memory(ev) : e;
    }
    enum err e = x->left ? logql_eval_compiles(ev, x->left) : ERR_OK;
    return !e && x->right ? logql_eval_compiles(ev, x->right) : e;
}

static enum err job_init(struct range_job *j, const struct grouping *outer, bool has_outer)
{
    j->r = j->x->range;
    j->additive = is_additive(j->x);
    j->first_ns = j->ev->start_ns - j->r->offset_ns;
    enum err e = job_pipeline(j->ev, j->x, &j->p);
    if (e == ERR_INVALID) {
        return e;
    }
    e = e ? e : job_groups(j, outer, has_outer);
    e = e ? e : job_post_filters(j);
    e = e ? e
          : pipeline_hints_metric(&j->p, &j->groups, j->r->unwrap ? j->r->unwrap->label : (struct str){0},
                                  j->post, j->post_count);
    j->stream_keyed =
        !j->r->unwrap && (j->p.n == 0 || (j->p.n == 1 && j->p.stages[0].kind == STAGE_LINE_FILTER));
    return e ? logql_eval_no_memory(j->ev) : ERR_OK;
}

/* -- samples --------------------------------------------------------------------------------------------- */

static enum err conversion(enum unwrap_conv conv, struct str text, double *ret_value, struct err_info *why)
{
    int64_t ns;
    uint64_t bytes;
    enum err e;
    switch (conv) {
    case CONV_BYTES:
        e = go_bytes_parse(text, &bytes, why);
        *ret_value = e ? 0 : (double)bytes;
        return e;
    case CONV_DURATION:
    case CONV_DURATION_SECONDS:
        e = go_duration_parse(text, &ns, why);
        *ret_value = e ? 0 : seconds_of(ns);
        return e;
    case CONV_FLOAT:
        break;
    }
    *ret_value = 0;
    e = num_f64_parse(text, ret_value);
    return e ? go_float_parse(text, ret_value, why) : ERR_OK;
}

/* The sample of a line that went through the pipeline; false: none. */
static bool sample_of(struct range_job *j, double *ret_value)
{
    struct builder *b = &j->p.b;
    const struct unwrap_expr *u = j->r->unwrap;
    struct err_info why = {0};
    struct str text;
    if (!builder_get(b, u->label, &text) || text.n == 0) {
        return false;
    }
    if (conversion(u->conv, text, ret_value, &why) != ERR_OK) {
        struct str details = arena_str(b->line, str_c(why.message));
        b->out_of_memory = b->out_of_memory || !details.p;
        builder_error(b, STR("SampleExtractionErr"), details);
    }
    for (size_t i = 0; i < j->post_count; i++) {
        if (!label_test_passes(j->post[i], b)) {
            return false;
        }
    }
    return true;
}

/* Room at the side of the matrix for what each series is made of. */
static enum err side_reserve(struct range_job *j)
{
    size_t need = j->m->n, had = j->side_cap;
    if (need <= had) {
        return ERR_OK;
    }
    size_t size = j->additive ? sizeof(*j->sums) : sizeof(*j->queues);
    void *side = j->additive ? (void *)j->sums : (void *)j->queues;
    enum err e = arena_reserve(j->ev->a, &side, &j->side_cap, need, size);
    if (e) {
        return e;
    }
    memset((char *)side + had * size, 0, (j->side_cap - had) * size);
    if (j->additive) {
        j->sums = side;
    } else {
        j->queues = side;
    }
    return ERR_OK;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* A sample at ts is in the windows that end at ts or later, before ts + range. */
static enum err add_to_sums(struct range_job *j, size_t at, ts_ns ts, size_t bytes)
{
    struct eval *ev = j->ev;
    struct sums *s = &j->sums[at];
    if (!s->count) {
        s->count = arena_zarray(ev->a, ev->steps + 1, sizeof(*s->count));
        s->bytes = arena_zarray(ev->a, ev->steps + 1, sizeof(*s->bytes));
        if (!s->count || !s->bytes) {
            return arena_err(ev->a);
        }
    }
    int64_t step = ev->step_ns ? ev->step_ns : 1;
    int64_t from = floor_div(ts - j->first_ns + step - 1, step);
    int64_t to =
        floor_div(ts + j->r->interval_ns - j->first_ns + step - 1, step); /* the first it is not in */
    from = from < 0 ? 0 : from;
    to = to > (int64_t)ev->steps ? (int64_t)ev->steps : to;
    if (from >= to) {
        return ERR_OK;
    }
    s->count[from]++;
    s->count[to]--;
    s->bytes[from] += (int64_t)bytes;
    s->bytes[to] -= (int64_t)bytes;
    return ERR_OK;
}

static enum err add_to_queue(struct range_job *j, size_t at, ts_ns ts, double v)
{
    struct queue *q = &j->queues[at];
    if (q->first && q->first + q->n == q->cap) {
        memmove(q->items, q->items + q->first, q->n * sizeof(*q->items));
        q->first = 0;
    }
    enum err e = arena_reserve(j->ev->a, (void **)&q->items, &q->cap, q->first + q->n + 1, sizeof(*q->items));
    if (!e) {
        q->items[q->first + q->n++] = (struct window_sample){ts, v};
    }
    return e;
}

/* -- windows --------------------------------------------------------------------------------------------- */

static ts_ns window_end(const struct range_job *j, size_t k)
{
    return j->first_ns + (int64_t)k * j->ev->step_ns;
}

/* Closes the window at step k of every series. */
static void close_window(struct range_job *j, size_t k)
{
    ts_ns end = window_end(j, k);
    for (size_t i = 0; i < j->m->n; i++) {
        struct queue *q = &j->queues[i];
        while (q->n && q->items[q->first].ts <= end - j->r->interval_ns) {
            q->first++;
            q->n--;
        }
        if (q->n) {
            double v = range_value(j->x->as_ratio ? RANGE_SUM : j->x->range_op, j->x->param,
                                   q->items + q->first, q->n, j->r->interval_ns, end);
            j->m->items[i].values[k] = j->x->as_ratio ? v / (double)q->n : v;
        }
    }
}

static void close_windows_before(struct range_job *j, ts_ns ts)
{
    while (j->step < j->ev->steps && window_end(j, j->step) < ts) {
        close_window(j, j->step++);
    }
}

static void finish_sums(struct range_job *j)
{
    double seconds = seconds_of(j->r->interval_ns);
    enum range_op op = j->x->range_op;
    for (size_t i = 0; i < j->m->n; i++) {
        const struct sums *s = &j->sums[i];
        int64_t count = 0, bytes = 0;
        for (size_t k = 0; k < j->ev->steps && s->count; k++) {
            count += s->count[k];
            bytes += s->bytes[k];
            if (count) {
                double v = op == RANGE_BYTES || op == RANGE_BYTES_RATE ? (double)bytes : (double)count;
                j->m->items[i].values[k] = op == RANGE_RATE || op == RANGE_BYTES_RATE ? v / seconds : v;
            }
        }
    }
}

/* -- lines ----------------------------------------------------------------------------------------------- */

static enum err add_sample(struct range_job *j, size_t at, ts_ns ts, double v, size_t bytes)
{
    enum err e = side_reserve(j);
    if (e) {
        return e;
    }
    j->ev->stats->lines_matched++;
    if (j->additive) {
        return add_to_sums(j, at, ts, bytes);
    }
    close_windows_before(j, ts);
    return add_to_queue(j, at, ts, v);
}

static enum err series_of(struct range_job *j, struct labels ls, size_t *ret_at)
{
    struct eval_series *s = matrix_series(j->ev, &j->index, j->m, ls);
    if (!s) {
        return arena_err(j->ev->a);
    }
    *ret_at = (size_t)(s - j->m->items);
    return ERR_OK;
}

static enum err one_line(struct range_job *j, const struct log_batch *b, size_t i)
{
    struct labels stream = b->streams[b->stream[i]].labels;
    struct labels metadata = b->metadata ? b->metadata[i] : (struct labels){0};
    struct str line = b->lines[i];
    double v = 1;
    size_t at = 0;
    uint32_t *known = j->stream_keyed && metadata.n == 0 ? &j->by_stream[b->stream[i]] : NULL;
    if (known && (j->p.n == 0 || (b->filtered && !j->p.stages[0].lines->alt))) {
        /* nothing but the stream decides about this line */
        if (j->p.n && !line_tests_pass(j->p.stages[0].lines, line)) {
            return ERR_OK;
        }
        if (*known) {
            return add_sample(j, *known - 1, b->ts[i], v, line.n);
        }
    }
    if (!pipeline_line(&j->p, stream, metadata, b->ts[i], &line) || (j->r->unwrap && !sample_of(j, &v))) {
        return j->p.b.out_of_memory ? ERR_OOM : ERR_OK;
    }
    struct labels ls = builder_grouped(&j->p.b, &j->groups);
    if (j->p.b.out_of_memory) {
        return ERR_OOM;
    }
    enum err e = series_of(j, ls, &at);
    if (e) {
        return e;
    }
    if (known) {
        *known = (uint32_t)(at + 1);
    }
    return add_sample(j, at, b->ts[i], v, line.n);
}

static enum err begin_batch(struct range_job *j, const struct log_batch *b)
{
    j->ev->stats->lines_read += b->count;
    j->ev->stats->bytes_read += b->bytes_read;
    if (!j->stream_keyed) {
        return ERR_OK;
    }
    enum err e = arena_reserve(j->ev->a, (void **)&j->by_stream, &j->by_stream_cap, b->stream_count,
                               sizeof(*j->by_stream));
    if (!e && b->stream_count) {
        memset(j->by_stream, 0, b->stream_count * sizeof(*j->by_stream));
    }
    return e;
}

static enum err read_lines(struct range_job *j, struct log_cursor *c)
{
    struct log_batch b;
    for (;;) {
        enum err e = j->ev->source->ops->next(c, &b, j->ev->info);
        if (e) {
            return e == ERR_NOT_FOUND ? ERR_OK : e;
        }
        if (begin_batch(j, &b) != ERR_OK) {
            return logql_eval_no_memory(j->ev);
        }
        for (size_t i = 0; i < b.count; i++) {
            if (++j->lines % LOGQL_CHECK_EVERY == 0) {
                e = query_ctx_check(j->ev->q, j->ev->info);
                if (e) {
                    return e;
                }
            }
            e = one_line(j, &b, i);
            if (e) {
                return e == ERR_OOM || e == ERR_LIMIT ? logql_eval_no_memory(j->ev) : e;
            }
        }
    }
}

static enum err run(struct range_job *j)
{
    struct selection s;
    struct log_cursor *c = NULL;
    struct eval *ev = j->ev;
    enum err e = selection_init(&s, ev->a, &j->r->log, &j->p);
    if (e) {
        return logql_eval_no_memory(ev);
    }
    s.select.start_ns = j->first_ns - j->r->interval_ns + 1;
    s.select.end_ns = window_end(j, ev->steps - 1) + 1;
    s.select.order = j->additive ? LOG_UNORDERED : LOG_FORWARD;
    s.select.lines_needed = pipeline_needs_line(&j->p);
    s.select.metadata_needed = !(j->groups.none && j->p.n == 0);
    e = ev->source->ops->select(ev->source, ev->q, &s.select, &c, ev->info);
    e = e ? e : read_lines(j, c);
    ev->source->ops->close(c);
    if (e) {
        return e;
    }
    if (j->additive) {
        finish_sums(j);
    }
    while (!j->additive && j->step < ev->steps) {
        close_window(j, j->step++);
    }
    return ERR_OK;
}

/* -- results --------------------------------------------------------------------------------------------- */

/* A sample in error fails the query unless the error was asked for. */
static enum err check_errors(struct range_job *j)
{
    for (size_t i = 0; i < j->m->n; i++) {
        const struct eval_series *s = &j->m->items[i];
        struct str err = labels_get(s->labels, ERROR_LABEL);
        if (err.n == 0 || str_eq_c(labels_get(s->labels, PRESERVE_ERROR_LABEL), "true") ||
            !series_present(j->ev, s)) {
            continue;
        }
        struct buf text AUTO_BUF = {0};
        labels_format_loki(&text, s->labels);
        return err_set(j->ev->info, ERR_EXECUTION,
                       "pipeline error: '%.*s' for series: '%.*s'.\n"
                       "Use a label filter to intentionally skip this error. (e.g | __error__!=\"%.*s\").\n"
                       "To skip all potential errors you can match empty errors.(e.g __error__=\"\")\n"
                       "The label filter can also be specified after unwrap. (e.g | unwrap latency | "
                       "__error__=\"\" )\n",
                       STR_FMT(err), STR_FMT(buf_view(&text)), STR_FMT(err));
    }
    return ERR_OK;
}

/* The labels of an absence: those the selector demands by equality, once each. */
static enum err absent_labels(struct eval *ev, const struct log_expr *log, struct labels *ret_labels)
{
    struct label *out = arena_array(ev->a, log->matcher_count + 1, sizeof(*out));
    size_t n = 0;
    if (!out) {
        return arena_err(ev->a);
    }
    for (size_t i = 0; i < log->matcher_count; i++) {
        const struct matcher *m = &log->matchers[i];
        bool single = m->op == MATCH_EQ;
        for (size_t k = 0; k < log->matcher_count; k++) {
            single = single && (k == i || !str_eq(log->matchers[k].name, m->name));
        }
        if (single && !str_eq(m->name, LABEL_METRIC_NAME)) {
            out[n++] = (struct label){m->name, m->value};
        }
    }
    enum err e = labels_normalise(out, &n, NULL);
    *ret_labels = (struct labels){out, n};
    return e;
}

static enum err absence(struct eval *ev, const struct expr *x, const struct matrix *found,
                        struct matrix *ret_matrix)
{
    struct labels ls;
    struct matrix m = {0};
    enum err e = absent_labels(ev, &x->range->log, &ls);
    struct eval_series *s = e ? NULL : matrix_add(ev, &m, ls);
    if (!s) {
        return logql_eval_no_memory(ev);
    }
    for (size_t k = 0; k < ev->steps; k++) {
        bool any = false;
        for (size_t i = 0; i < found->n && !any; i++) {
            any = !sample_absent(found->items[i].values[k]);
        }
        s->values[k] = any ? sample_none() : 1;
    }
    *ret_matrix = m;
    return ERR_OK;
}

enum err logql_eval_range(struct eval *ev, const struct expr *x, const struct grouping *outer, bool has_outer,
                          struct matrix *ret_matrix)
{
    struct matrix m = {0};
    struct range_job *j = arena_zalloc(ev->a, sizeof(*j));
    if (!j) {
        return logql_eval_no_memory(ev);
    }
    j->ev = ev;
    j->x = x;
    j->m = &m;
    enum err e = job_init(j, outer, has_outer);
    e = e ? e : run(j);
    e = e ? e : check_errors(j);
    pipeline_done(&j->p);
    if (!e && x->range_op == RANGE_ABSENT) {
        return absence(ev, x, &m, ret_matrix);
    }
    if (!e) {
        *ret_matrix = m;
    }
    return e;
}
