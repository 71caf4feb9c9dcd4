/* Between parsing and evaluation: what depends on the query's times becomes numbers, and what is the same at
 * every step is marked, so that it is evaluated once. */
#include <math.h>

#include "metrics/promql/functions.h"
#include "metrics/promql/go_math.h"
#include "metrics/promql/parse_int.h"

struct resolve {
    ts_ms start, end;
    int64_t step_ms;
    struct err_info *info;
};

/* -- durations ------------------------------------------------------------------------------------------- */

static enum err duration_fail(struct resolve *r, const struct node *n, const char *what)
{
    return err_set(r->info, ERR_INVALID, "%zu:%zu: %s", n->pos, n->end, what);
}

static enum err duration_value(struct resolve *r, const struct node *n, double *ret_v)
{
    double l = 0, v = 0;
    if (n->kind == N_NUMBER) {
        *ret_v = n->number;
        return ERR_OK;
    }
    enum err e = n->args[0] ? duration_value(r, n->args[0], &l) : ERR_OK;
    e = e || !n->args[1] ? e : duration_value(r, n->args[1], &v);
    if (e) {
        return e;
    }
    switch (n->duration) {
    case DURATION_ADD:
        *ret_v = l + v;
        return ERR_OK;
    case DURATION_SUB:
        *ret_v = n->args[0] ? l - v : -v;
        return ERR_OK;
    case DURATION_MUL:
        *ret_v = l * v;
        return ERR_OK;
    case DURATION_DIV:
        *ret_v = l / v;
        return v == 0 ? duration_fail(r, n, "division by zero") : ERR_OK;
    case DURATION_MOD:
        *ret_v = fmod(l, v);
        return v == 0 ? duration_fail(r, n, "modulo by zero") : ERR_OK;
    case DURATION_POW:
        *ret_v = go_pow(l, v);
        return ERR_OK;
    case DURATION_STEP:
        *ret_v = go_seconds(r->step_ms);
        return ERR_OK;
    case DURATION_RANGE:
        *ret_v = go_seconds(r->end - r->start);
        return ERR_OK;
    case DURATION_MIN_OF:
        *ret_v = go_min(l, v);
        return ERR_OK;
    case DURATION_MAX_OF:
        *ret_v = go_max(l, v);
        return ERR_OK;
    }
    return ERR_OK;
}

static enum err resolve_duration(struct resolve *r, const struct node *n, bool negative, int64_t *ret_ms)
{
    double v = 0;
    enum err e = n ? duration_value(r, n, &v) : ERR_OK;
    if (e || !n) {
        return e;
    }
    if (isnan(v) || isinf(v)) {
        return duration_fail(r, n, "duration is NaN or infinite");
    }
    if (v <= 0 && !negative) {
        return duration_fail(r, n, "duration must be greater than 0");
    }
    if (v > 9223372036854775808.0 / 1e9 || v < -9223372036854775808.0 / 1e9) {
        return duration_fail(r, n, "duration is out of range");
    }
    *ret_ms = (int64_t)(v * 1000);
    return ERR_OK;
}

static enum err resolve_durations(struct resolve *r, struct node *n)
{
    enum err e = resolve_duration(r, n->offset_expr, true, &n->offset_ms);
    e = e ? e : resolve_duration(r, n->step_expr, false, &n->step_ms);
    e = e ? e : resolve_duration(r, n->range_expr, false, &n->range_ms);
    for (size_t i = 0; i < n->arg_count && !e && n->kind != N_DURATION; i++) {
        e = resolve_durations(r, n->args[i]);
    }
    return e || !n->param ? e : resolve_durations(r, n->param);
}

/* -- times ----------------------------------------------------------------------------------------------- */

static void fold_times(const struct resolve *r, struct node *n)
{
    static const char *const names[] = {"start", "end", "range", "step"};
    const double values[] = {(double)r->start / 1000, (double)r->end / 1000, go_seconds(r->end - r->start),
                             r->start == r->end ? 0 : go_seconds(r->step_ms)};
    for (size_t i = 0; i < ARRAY_LEN(names) && n->kind == N_CALL; i++) {
        if (str_eq_c(str_c(n->function->name), names[i])) {
            n->kind = N_NUMBER;
            n->number = values[i];
            n->arg_count = 0;
        }
    }
    for (size_t i = 0; i < n->arg_count && n->kind != N_DURATION; i++) {
        fold_times(r, n->args[i]);
    }
    if (n->param) {
        fold_times(r, n->param);
    }
    if (n->at == AT_START || n->at == AT_END) {
        n->at_ms = n->at == AT_START ? r->start : r->end;
        n->at = AT_TIME;
    }
}

/* -- the same at every step ------------------------------------------------------------------------------ */

static void strip_parens(struct node **n)
{
    while (*n && (*n)->kind == N_PAREN) {
        *n = (*n)->args[0];
    }
}

static bool mark(struct node *n, bool *ret_wrap);

static bool mark_call(struct node *n, bool *ret_wrap)
{
    bool same = !n->function->reads_clock, plain_timestamp = str_eq_c(STR("timestamp"), n->function->name);
    for (size_t i = 0; i < n->arg_count; i++) {
        bool wrap;
        strip_parens(&n->args[i]);
        bool arg = mark(n->args[i], &wrap);
        n->args[i]->invariant = wrap;
        same = same && arg;
        plain_timestamp = plain_timestamp && arg && n->args[i]->kind == N_SELECTOR;
    }
    *ret_wrap = same || plain_timestamp;
    for (size_t i = 0; i < n->arg_count && *ret_wrap; i++) {
        n->args[i]->invariant = false;
    }
    return *ret_wrap;
}

static bool mark_binary(struct node *n, bool *ret_wrap)
{
    bool wrap[2], same[2];
    for (size_t i = 0; i < 2; i++) {
        same[i] = mark(n->args[i], &wrap[i]);
    }
    *ret_wrap = same[0] && same[1];
    for (size_t i = 0; i < 2; i++) {
        n->args[i]->invariant = !*ret_wrap && wrap[i];
    }
    return *ret_wrap;
}

/* True: the value does not depend on the step. *ret_wrap: it is worth evaluating once. */
static bool mark(struct node *n, bool *ret_wrap)
{
    bool same = false, wrap;
    *ret_wrap = false;
    switch (n->kind) {
    case N_SELECTOR:
        *ret_wrap = n->at != AT_NONE;
        return *ret_wrap;
    case N_AGGREGATE:
        strip_parens(&n->args[0]);
        strip_parens(&n->param);
        return mark(n->args[0], ret_wrap);
    case N_BINARY:
        return mark_binary(n, ret_wrap);
    case N_CALL:
        return mark_call(n, ret_wrap);
    case N_MATRIX:
        return mark(n->args[0], &wrap);
    case N_SUBQUERY:
        n->args[0]->invariant = mark(n->args[0], &wrap);
        return n->at != AT_NONE;
    case N_PAREN:
    case N_UNARY:
        return mark(n->args[0], ret_wrap);
    case N_NUMBER:
    case N_STRING:
    case N_DURATION:
        same = true;
        break;
    }
    return same;
}

/* -- histograms of which only count and sum are read ----------------------------------------------------- */

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq_c(str_c(name), names[i])) {
            return true;
        }
    }
    return false;
}

/* counts_only: a function below the last obstacle reads no buckets. blocked: something above reads them. */
static void mark_counts(struct node *n, bool counts_only, bool blocked)
{
    static const char *const reads_counts[] = {"histogram_count", "histogram_sum", "histogram_avg"};
    static const char *const reads_buckets[] = {"histogram_quantile", "histogram_quantiles",
                                                "histogram_fraction"};
    if (n->kind == N_SELECTOR) {
        n->counts_only = counts_only && !blocked;
    } else if (n->kind == N_SUBQUERY ||
               (n->kind == N_BINARY && (n->op == OP_TRIM_LOWER || n->op == OP_TRIM_UPPER))) {
        blocked = true;
    } else if (n->kind == N_CALL) {
        counts_only |= is_one_of(n->function->name, reads_counts, ARRAY_LEN(reads_counts));
        blocked |= is_one_of(n->function->name, reads_buckets, ARRAY_LEN(reads_buckets));
    }
    for (size_t i = 0; i < n->arg_count && n->kind != N_DURATION; i++) {
        mark_counts(n->args[i], counts_only, blocked);
    }
    if (n->param) {
        mark_counts(n->param, counts_only, blocked);
    }
}

enum err promql_resolve(struct node **root, ts_ms start, ts_ms end, int64_t step_ms,
                        struct err_info *reterr_info)
{
    struct resolve r = {start, end, step_ms, reterr_info};
    bool wrap;
    mark_counts(*root, false, false);
    fold_times(&r, *root);
    enum err e = resolve_durations(&r, *root);
    if (e) {
        return e;
    }
    (void)mark(*root, &wrap);
    (*root)->invariant = wrap;
    return ERR_OK;
}
