/* The public face: parse, evaluate over the grid, shape the result. */
#include "metrics/promql/engine.h"

#include <stdlib.h>

#include "metrics/promql/columns.h"
#include "metrics/promql/eval.h"
#include "metrics/promql/functions.h"

enum {
    LOOKBACK_DEFAULT_MS = 5 * 60 * 1000
};

struct run {
    struct eval eval;
    struct promql_options options;
    struct notes notes;
    struct usage usage;
    struct node *root;
};

static struct parse_options parse_options_of(const struct promql_options *o)
{
    return (struct parse_options){o->experimental, o->extended_ranges, o->fill_modifiers};
}

static enum err prepare(struct run *r, const struct promql_options *o, struct metric_source *s,
                        struct query_ctx *q, struct str expr, struct arena *a, struct err_info *info)
{
    *r = (struct run){.options = *o};
    if (r->options.lookback_ms <= 0) {
        r->options.lookback_ms = LOOKBACK_DEFAULT_MS;
    }
    r->eval = (struct eval){.options = &r->options,
                            .source = s,
                            .q = q,
                            .a = a,
                            .info = info,
                            .text = expr,
                            .notes = &r->notes,
                            .usage = &r->usage,
                            .columns = column_ops_best(o->sets_less)};
    struct parse_options p = parse_options_of(o);
    return promql_parse(expr, &p, a, &r->root, info);
}

static enum err set_grid(struct run *r, ts_ms start, ts_ms end, int64_t step, struct err_info *info)
{
    struct eval *e = &r->eval;
    bool instant = step == 0;
    e->start = start;
    e->step = instant ? 1 : step;
    e->steps = instant ? 1 : (size_t)((end - start) / step) + 1;
    e->single = start == end;
    enum err err = promql_resolve(&r->root, start, end, step, info);
    if (!err) {
        share_equal(e, r->root);
    }
    struct usage_scope whole;
    return err ? err : usage_enter(e, &whole);
}

/* -- results --------------------------------------------------------------------------------------------- */

static int compare_series(const void *a, const void *b)
{
    return labels_cmp(((const struct promql_series *)a)->labels, ((const struct promql_series *)b)->labels);
}

/* The times of all steps, for the rows without gaps; made when first asked for. */
struct step_times {
    ts_ms *all;
};

static enum err times_make(struct eval *e, struct step_times *times)
{
    if (times->all) {
        return ERR_OK;
    }
    times->all = arena_array(e->a, e->steps, sizeof(*times->all));
    for (size_t i = 0; times->all && i < e->steps; i++) {
        times->all[i] = step_time(e, i);
    }
    return times->all ? ERR_OK : eval_no_memory(e);
}

/* The row's columns without the steps that have no point. Points side by side stay where they are, others are
 * packed in place. */
static enum err pack_row(struct eval *e, const struct series *s, size_t points, struct step_times *times,
                         struct promql_series *out)
{
    size_t first = (size_t)((const uint8_t *)memchr(s->has, 1, e->steps) - s->has), at = 0;
    *out = (struct promql_series){.labels = s->labels, .n = points};
    if (points <= e->steps - first && column_whole(s->has + first, points)) {
        enum err err = times_make(e, times);
        out->ts = times->all + first;
        out->values = s->v + first;
        out->histograms = s->h ? s->h + first : NULL;
        return err;
    }
    ts_ms *ts = arena_array(e->a, points, sizeof(*ts));
    if (!ts) {
        return eval_no_memory(e);
    }
    for (size_t i = first; i < e->steps; i++) {
        if (!s->has[i]) {
            continue;
        }
        ts[at] = step_time(e, i);
        s->v[at] = s->v[i];
        if (s->h) {
            s->h[at] = s->h[i];
        }
        at++;
    }
    out->ts = ts;
    out->values = s->v;
    out->histograms = s->h;
    return ERR_OK;
}

static enum err rows_of(struct run *r, const struct value *v, bool by_labels, struct promql_result *out)
{
    struct eval *e = &r->eval;
    struct promql_series *rows = arena_array(e->a, v->n + 1, sizeof(*rows));
    struct step_times times = {0};
    enum err err = rows ? ERR_OK : eval_no_memory(e);
    size_t n = 0;
    for (size_t k = 0; k < v->n && !err; k++) {
        size_t points = column_count(v->s[k].has, e->steps);
        if (points) {
            err = pack_row(e, &v->s[k], points, &times, &rows[n++]);
        }
    }
    if (err) {
        return err;
    }
    if (by_labels && n > 1) {
        qsort(rows, n, sizeof(*rows), compare_series);
    }
    out->series = rows;
    out->series_count = n;
    out->grid = times.all;
    out->grid_count = times.all ? e->steps : 0;
    return ERR_OK;
}

static enum err finish(struct run *r, struct promql_result *out)
{
    out->samples_total = r->usage.total;
    out->samples_read = r->usage.read;
    out->samples_peak = r->usage.peak;
    out->samples_total_at = r->usage.total_at;
    out->samples_read_at = r->usage.read_at;
    out->steps = r->eval.steps;
    out->start_ms = r->eval.start;
    out->step_ms = r->eval.step;
    return notes_finish(&r->eval, out);
}

/* Names that were to go at the end go now. */
static enum err clean_names(struct run *r, struct value *v)
{
    enum err err = ERR_OK;
    if (!r->options.delayed_name) {
        return ERR_OK;
    }
    for (size_t k = 0; k < v->n && !err; k++) {
        if (v->s[k].drops_name && v->s[k].labels.n && v->s[k].labels.l[0].name.n == 0) {
            err = err_set(r->eval.info, ERR_EXECUTION, "invalid label name \"\"");
        } else if (v->s[k].drops_name) {
            err = drop_name(&r->eval, v->s[k].labels, &v->s[k].labels);
        }
    }
    return err ? err : value_merge(&r->eval, v);
}

/* A range vector on its own: the stored samples of the window. */
static enum err stored_range(struct run *r, struct promql_result *out)
{
    struct eval *e = &r->eval;
    const struct node *n = unparen(r->root);
    struct raw_rows raw = {0};
    enum err err = eval_raw_range(e, n, &raw);
    if (err) {
        return err;
    }
    if (raw.n > 1) {
        qsort(raw.rows, raw.n, sizeof(*raw.rows), compare_series);
    }
    out->kind = PROMQL_MATRIX;
    out->series = raw.rows;
    out->series_count = raw.n;
    return ERR_OK;
}

static enum err scalar_row(struct run *r, const struct value *v, struct promql_result *out)
{
    struct eval *e = &r->eval;
    struct value as_vector = {.type = TYPE_VECTOR};
    struct series *s;
    enum err err = value_add(e, &as_vector, (struct labels){0}, &s);
    for (size_t i = 0; i < e->steps && !err; i++) {
        s->v[i] = v->scalar[i];
        s->has[i] = 1;
    }
    return err ? err : rows_of(r, &as_vector, false, out);
}

/* Why a query was stopped, as the original says it. */
static enum err stopped(enum err err, struct err_info *info)
{
    if (err == ERR_TIMEOUT) {
        return err_set(info, err, "query timed out in expression evaluation");
    }
    return err == ERR_CANCELED ? err_set(info, err, "query was canceled in expression evaluation") : err;
}

static enum err run_instant(struct run *r, struct promql_result *out)
{
    struct value v = {0};
    if (r->root->type == TYPE_MATRIX) {
        return stored_range(r, out);
    }
    enum err err = eval_node(&r->eval, r->root, &v);
    if (err) {
        return err;
    }
    if (v.type == TYPE_SCALAR) {
        out->kind = PROMQL_SCALAR;
        out->scalar = v.scalar[0];
        return ERR_OK;
    }
    if (v.type == TYPE_STRING) {
        out->kind = PROMQL_STRING;
        out->string = v.string;
        return ERR_OK;
    }
    out->kind = PROMQL_VECTOR;
    err = clean_names(r, &v);
    return err ? err : rows_of(r, &v, false, out);
}

enum err promql_instant(const struct promql_options *o, struct metric_source *s, struct query_ctx *q,
                        struct str expr, ts_ms at_ms, struct arena *a, struct promql_result *ret_result,
                        struct err_info *reterr_info)
{
    struct run r;
    struct promql_result out = {.ts = at_ms};
    enum err err = prepare(&r, o, s, q, expr, a, reterr_info);
    if (err) {
        return err;
    }
    err = set_grid(&r, at_ms, at_ms, 0, reterr_info);
    err = err ? err : run_instant(&r, &out);
    err = err ? err : finish(&r, &out);
    tree_done(r.root);
    if (!err) {
        *ret_result = out;
    }
    return stopped(err, reterr_info);
}

static enum err run_range(struct run *r, struct promql_result *out)
{
    struct value v = {0};
    enum err err = eval_node(&r->eval, r->root, &v);
    if (err) {
        return err;
    }
    if (v.type == TYPE_SCALAR) {
        return scalar_row(r, &v, out);
    }
    err = clean_names(r, &v);
    return err ? err : rows_of(r, &v, true, out);
}

enum err promql_range(const struct promql_options *o, struct metric_source *s, struct query_ctx *q,
                      struct str expr, ts_ms start_ms, ts_ms end_ms, int64_t step_ms, struct arena *a,
                      struct promql_result *ret_result, struct err_info *reterr_info)
{
    struct run r;
    struct promql_result out = {.kind = PROMQL_MATRIX, .ts = end_ms};
    enum err err = prepare(&r, o, s, q, expr, a, reterr_info);
    if (err) {
        return err;
    }
    if (r.root->type != TYPE_SCALAR && r.root->type != TYPE_VECTOR) {
        err = err_set(reterr_info, ERR_INVALID,
                      "invalid expression type \"%s\" for range query, must be Scalar or instant Vector",
                      type_name(r.root->type));
    }
    err = err ? err : set_grid(&r, start_ms, end_ms, step_ms, reterr_info);
    err = err ? err : run_range(&r, &out);
    err = err ? err : finish(&r, &out);
    tree_done(r.root);
    if (!err) {
        *ret_result = out;
    }
    return stopped(err, reterr_info);
}

/* -- without a source ------------------------------------------------------------------------------------ */

enum err promql_check(const struct promql_options *o, struct str expr, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    struct node *root = NULL;
    struct parse_options p = parse_options_of(o);
    enum err err = promql_parse(expr, &p, &a, &root, reterr_info);
    tree_done(root);
    return err;
}

static enum err print_expr(const struct promql_options *o, struct str expr, bool pretty, struct buf *b,
                           struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    struct node *root = NULL;
    struct parse_options p = parse_options_of(o);
    enum err err = promql_parse(expr, &p, &a, &root, reterr_info);
    if (!err && pretty) {
        print_pretty(b, root, 0);
    } else if (!err) {
        print_node(b, root);
    }
    tree_done(root);
    return err ? err : b->err;
}

enum err promql_format(const struct promql_options *o, struct str expr, struct buf *b,
                       struct err_info *reterr_info)
{
    return print_expr(o, expr, true, b, reterr_info);
}

enum err promql_string(const struct promql_options *o, struct str expr, struct buf *b,
                       struct err_info *reterr_info)
{
    return print_expr(o, expr, false, b, reterr_info);
}

enum err promql_selector(struct str text, struct arena *a, struct matcher **ret_matchers, size_t *ret_n,
                         struct err_info *reterr_info)
{
    struct node *n = NULL;
    enum err err = promql_parse_selector(text, a, &n, reterr_info);
    if (err) {
        return err;
    }
    *ret_matchers = n->matchers;
    *ret_n = n->matcher_count;
    return ERR_OK;
}
