/* The public face: parse, check, evaluate, and put the result into order. */
#include "logs/logql/engine.h"

#include <stdlib.h>

#include "base/mem.h"
#include "logs/logql/streams.h"

static enum err parse(struct str text, struct arena *a, struct ast *ast, struct err_info *info)
{
    enum err e = logql_parse(text, a, ast, info);
    return e ? e : logql_check(ast, info);
}

/* -- metric results -------------------------------------------------------------------------------------- */

static bool sorts(const struct expr *x)
{
    if (!x) {
        return false;
    }
    if (x->kind == EXPR_VECTOR_AGG && (x->vector_op == VECTOR_SORT || x->vector_op == VECTOR_SORT_DESC)) {
        return true;
    }
    return sorts(x->left) || sorts(x->right);
}

static int compare_series(const void *a, const void *b)
{
    return labels_cmp(((const struct logql_series *)a)->labels, ((const struct logql_series *)b)->labels);
}

static ts_ms step_ms(const struct eval *ev, size_t k)
{
    return (ev->start_ns + (int64_t)k * ev->step_ns) / NS_PER_MS;
}

static enum err fill_series(struct eval *ev, const struct eval_series *s, struct logql_series *out)
{
    size_t n = 0;
    ts_ms *ts = arena_array(ev->a, ev->steps, sizeof(*ts));
    if (!ts) {
        return arena_err(ev->a);
    }
    for (size_t k = 0; k < ev->steps; k++) {
        if (!sample_absent(s->values[k])) {
            ts[n] = step_ms(ev, k);
            s->values[n++] = s->values[k];
        }
    }
    *out = (struct logql_series){.labels = s->labels, .n = n, .ts = ts, .values = s->values};
    return ERR_OK;
}

/* Series of equal labels that never meet in one step are one series to clients. */
static enum err join_series(struct eval *ev, const struct matrix *m, struct matrix *out)
{
    struct label_index index = {0};
    for (size_t i = 0; i < m->n; i++) {
        struct eval_series *s = &m->items[i];
        size_t slot, at;
        if (!series_present(ev, s)) {
            continue;
        }
        enum err e = label_index_reserve(ev, &index, out);
        e = e ? e : arena_reserve(ev->a, (void **)&out->items, &out->cap, out->n + 1, sizeof(*out->items));
        if (e) {
            return e;
        }
        bool known = label_index_find(&index, out, s->labels, &slot, &at), apart = known;
        for (size_t k = 0; k < ev->steps && apart; k++) {
            apart = sample_absent(s->values[k]) || sample_absent(out->items[at].values[k]);
        }
        for (size_t k = 0; k < ev->steps && apart; k++) {
            double *v = &out->items[at].values[k];
            *v = sample_absent(*v) ? s->values[k] : *v;
        }
        if (!apart) {
            out->items[out->n++] = *s;
        }
        if (!known) {
            index.slots[slot] = (uint32_t)out->n;
        }
    }
    return ERR_OK;
}

/* The series that have samples, in the order clients see. */
static enum err put_matrix(struct eval *ev, const struct logql_options *o, const struct expr *x,
                           const struct matrix *all, struct logql_result *result)
{
    struct matrix joined = {0};
    const struct matrix *m = &joined;
    size_t most = o->series_max ? o->series_max : LOGQL_SERIES_MAX_DEFAULT;
    if (join_series(ev, all, &joined) != ERR_OK) {
        return logql_eval_no_memory(ev);
    }
    size_t n = m->n;
    if (n > most) {
        return err_set(ev->info, ERR_LIMIT,
                       "maximum number of series (%zu) reached for a single query; consider reducing query "
                       "cardinality by adding more specific stream selectors, reducing the time range, or "
                       "aggregating results with functions like sum(), count() or topk()",
                       most);
    }
    struct logql_series *series = arena_array(ev->a, n + 1, sizeof(*series));
    if (!series) {
        return logql_eval_no_memory(ev);
    }
    for (size_t i = 0; i < n; i++) {
        if (fill_series(ev, &m->items[i], &series[i]) != ERR_OK) {
            return logql_eval_no_memory(ev);
        }
    }
    if (n > 1 && !(ev->instant && sorts(x))) {
        qsort(series, n, sizeof(*series), compare_series);
    }
    result->series = series;
    result->series_count = n;
    return ERR_OK;
}

static enum err literal(struct eval *ev, double v, struct logql_result *result)
{
    result->kind = LOGQL_SCALAR;
    result->scalar = v;
    result->ts = step_ms(ev, 0);
    return ERR_OK;
}

static enum err metric_query(const struct logql_options *o, struct eval *ev, const struct expr *x,
                             struct logql_result *result)
{
    struct matrix m = {0};
    result->kind = ev->instant ? LOGQL_VECTOR : LOGQL_MATRIX;
    if (x->kind == EXPR_LITERAL && ev->instant) {
        return literal(ev, x->value, result);
    }
    if (x->kind == EXPR_LITERAL) {
        struct expr vector = {.kind = EXPR_VECTOR, .value = x->value};
        enum err e = eval_expr(ev, &vector, &m);
        return e ? e : put_matrix(ev, o, x, &m, result);
    }
    enum err e = logql_eval_compiles(ev, x);
    const struct expr *rewritten = x;
    e = e ? e : logql_rewrite(ev->a, x, &rewritten);
    e = e ? e : eval_expr(ev, rewritten, &m);
    return e ? e : put_matrix(ev, o, x, &m, result);
}

enum err logql_query(const struct logql_options *o, struct log_source *s, struct query_ctx *q,
                     const struct logql_request *r, struct arena *a, struct logql_result *ret_result,
                     struct err_info *reterr_info)
{
    struct ast ast;
    struct err_info own = {0};
    struct err_info *info = reterr_info ? reterr_info : &own;
    int64_t began = clock_mono_ns(clock_real());
    *ret_result = (struct logql_result){0};
    enum err e = parse(r->expr, a, &ast, info);
    if (!e && ast.root->kind == EXPR_LOG) {
        e = streams_query(s, q, r, ast.root->log, a, ret_result, info);
    } else if (!e) {
        struct eval ev = {.source = s,
                          .q = q,
                          .a = a,
                          .info = info,
                          .stats = &ret_result->stats,
                          .start_ns = r->instant ? r->end_ns : r->start_ns,
                          .step_ns = r->instant ? 0 : r->step_ns,
                          .instant = r->instant};
        ev.steps = r->instant || r->step_ns <= 0 ? 1 : (size_t)((r->end_ns - r->start_ns) / r->step_ns) + 1;
        e = metric_query(o, &ev, ast.root, ret_result);
    }
    ast_done(&ast);
    ret_result->stats.seconds = (double)(clock_mono_ns(clock_real()) - began) / 1e9;
    return e;
}

/* -- questions about a query ----------------------------------------------------------------------------- */

enum err logql_is_log_query(struct str expr, bool *ret_is_log, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA;
    struct ast ast;
    arena_init(&a, 0, NULL);
    enum err e = parse(expr, &a, &ast, reterr_info);
    if (!e) {
        *ret_is_log = ast.root->kind == EXPR_LOG;
    }
    ast_done(&ast);
    return e;
}

enum err logql_format(struct str expr, struct buf *b, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA;
    struct ast ast;
    arena_init(&a, 0, NULL);
    enum err e = parse(expr, &a, &ast, reterr_info);
    if (!e) {
        logql_print_pretty(b, ast.root, 0);
        e = b->err;
    }
    ast_done(&ast);
    return e;
}

enum err logql_selector(struct str text, struct arena *a, struct matcher **ret_matchers, size_t *ret_n,
                        struct err_info *reterr_info)
{
    struct ast ast;
    enum err e = parse(text, a, &ast, reterr_info);
    if (!e && (ast.root->kind != EXPR_LOG || ast.root->log->stages)) {
        e = err_set(reterr_info, ERR_INVALID, "only label matchers are supported");
    }
    if (e) {
        ast_done(&ast);
        return e;
    }
    /* the caller ends each matcher, and with it the expression the tree compiled */
    *ret_matchers = ast.root->log->matchers;
    *ret_n = ast.root->log->matcher_count;
    return ERR_OK;
}

/* -- pipelines over single lines ------------------------------------------------------------------------- */

struct logql_pipeline {
    struct arena a;
    struct ast ast;
    struct pipeline p;
    bool ready;
};

enum err logql_pipeline_new(struct str expr, struct logql_pipeline **ret_pipeline,
                            const struct matcher **ret_matchers, size_t *ret_matcher_count,
                            struct err_info *reterr_info)
{
    struct logql_pipeline *p = mem_zalloc(sizeof(*p));
    if (!p) {
        return err_set(reterr_info, ERR_OOM, "not enough memory");
    }
    arena_init(&p->a, 0, NULL);
    struct str text = arena_str(&p->a, expr); /* the tree borrows from it */
    enum err e = text.p ? parse(text, &p->a, &p->ast, reterr_info) : ERR_OOM;
    if (!e && p->ast.root->kind != EXPR_LOG) {
        e = err_set(reterr_info, ERR_INVALID, "only log selector is supported");
    }
    if (!e) {
        p->ready = true;
        e = pipeline_init(&p->p, &p->a, p->ast.root->log, false, reterr_info);
        e = e ? e : pipeline_hints_log(&p->p);
    }
    if (e) {
        logql_pipeline_free(p);
        return e;
    }
    *ret_pipeline = p;
    *ret_matchers = p->ast.root->log->matchers;
    *ret_matcher_count = p->ast.root->log->matcher_count;
    return ERR_OK;
}

void logql_pipeline_free(struct logql_pipeline *p)
{
    if (p) {
        if (p->ready) {
            pipeline_done(&p->p);
        }
        ast_done(&p->ast);
        arena_done(&p->a);
        mem_free(p);
    }
}

bool logql_pipeline_run(struct logql_pipeline *p, struct arena *a, struct labels stream,
                        struct labels metadata, ts_ns ts, struct str line, struct str *ret_line,
                        struct labels *ret_labels)
{
    if (!pipeline_line(&p->p, stream, metadata, ts, &line) || p->p.b.out_of_memory) {
        p->p.b.out_of_memory = false;
        return false;
    }
    *ret_line = arena_str(a, line);
    return ret_line->p && labels_dup(a, builder_sorted(&p->p.b), ret_labels) == ERR_OK;
}

enum err logql_pipeline_split(struct logql_pipeline *p, struct arena *a, struct labels *ret_stream,
                              struct labels *ret_metadata, struct labels *ret_parsed)
{
    struct builder *b = &p->p.b;
    enum err e = labels_dup(a, builder_category(b, LABEL_STREAM), ret_stream);
    e = e ? e : labels_dup(a, builder_category(b, LABEL_METADATA), ret_metadata);
    e = e ? e : labels_dup(a, builder_category(b, LABEL_PARSED), ret_parsed);
    if (!e && b->out_of_memory) {
        b->out_of_memory = false;
        e = ERR_OOM;
    }
    return e;
}
