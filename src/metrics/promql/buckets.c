/* Functions of classic histograms: series that differ in `le` alone are the buckets of one histogram. */
#include <math.h>
#include <stdlib.h>

#include "codec/num.h"
#include "metrics/promql/functions.h"
#include "metrics/promql/quantile.h"
#include "metrics/promql/vector_fns.h"

#define LABEL_BUCKET STR("le")

/* One bucket: a series with a readable `le`. */
struct le_series {
    struct labels key; /* without le */
    uint64_t hash;
    double upper;
    const struct series *s;
    size_t index;
};

static int compare_le(const void *a, const void *b)
{
    const struct le_series *x = a, *y = b;
    int c = (x->hash > y->hash) - (x->hash < y->hash);
    return c ? c : (x->index > y->index) - (x->index < y->index);
}

static void note_bad_le(struct eval *e, const struct node *arg, const struct series *s, struct str text)
{
    struct buf shown AUTO_BUF = {0}, shown_name AUTO_BUF = {0};
    struct str name = e->options->delayed_name ? metric_name(s->labels) : STR("");
    note(e, true, arg->pos, "bucket label \"le\" is missing or has a malformed value of %.*s%s%.*s",
         STR_FMT(quoted(&shown, text)), name.n ? " for metric name " : "",
         STR_FMT(name.n ? quoted(&shown_name, name) : name));
}

/* Series with buckets, those of one histogram together. */
static enum err collect_le(struct eval *e, const struct node *arg, const struct value *in,
                           struct le_series **ret_rows, size_t *ret_n)
{
    struct le_series *rows = arena_array(e->a, in->n + 1, sizeof(*rows));
    struct str le = LABEL_BUCKET;
    size_t n = 0;
    for (size_t k = 0; k < in->n && rows; k++) {
        struct le_series r = {.s = &in->s[k], .index = k};
        struct str text = labels_get(in->s[k].labels, le);
        if (num_f64_parse(text, &r.upper)) {
            if (memchr(in->s[k].has, 1, e->steps)) {
                note_bad_le(e, arg, &in->s[k], text);
            }
            continue;
        }
        if (labels_drop(e->a, in->s[k].labels, &le, 1, &r.key)) {
            return eval_no_memory(e);
        }
        r.hash = labels_hash(r.key);
        rows[n++] = r;
    }
    if (n > 1) {
        qsort(rows, n, sizeof(*rows), compare_le);
    }
    *ret_rows = rows;
    *ret_n = n;
    return rows ? ERR_OK : eval_no_memory(e);
}

/* What is computed of each histogram: a quantile, or a fraction when `upper` is set. */
struct bucket_use {
    const struct node *arg; /* the vector argument */
    const double *lower, *upper;
    struct str label, label_value; /* added to the result when label.n */
};

static void note_forced(struct eval *e, const struct bucket_use *use, size_t i, const struct bucket_fix *fix)
{
    struct note_detail d = {.buckets = true,
                            .first = step_time(e, i),
                            .last = step_time(e, i),
                            .low = fix->low,
                            .high = fix->high,
                            .diff = fix->diff,
                            .count = 1};
    note_detailed(e, false, use->arg->pos, &d,
                  "input to histogram_quantile needed to be fixed for monotonicity (see "
                  "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)");
}

/* The buckets of rows[0..n) at step i; false when there are none. */
static bool buckets_at(const struct le_series *rows, size_t n, size_t i, struct bucket *b, size_t *ret_n)
{
    size_t k = 0;
    for (size_t r = 0; r < n; r++) {
        if (rows[r].s->has[i]) {
            b[k++] = (struct bucket){rows[r].upper, rows[r].s->v[i]};
        }
    }
    *ret_n = k;
    return k > 0;
}

static enum err one_histogram(struct eval *e, const struct bucket_use *use, const struct le_series *rows,
                              size_t n, struct bucket *b, struct value *v)
{
    struct series *s = NULL;
    struct labels ls = {0};
    struct str name = LABEL_METRIC_NAME;
    enum err err = labels_drop(e->a, rows[0].key, &name, 1, &ls) ? eval_no_memory(e) : ERR_OK;
    if (!err && !e->options->delayed_name) {
        err = drop_name(e, ls, &ls);
    }
    if (!err && use->label.n && labels_with(e->a, ls, use->label, use->label_value, &ls)) {
        err = eval_no_memory(e);
    }
    err = err ? err : value_add(e, v, ls, &s);
    for (size_t i = 0; i < e->steps && !err; i++) {
        size_t k = 0;
        struct bucket_fix fix = {0};
        if (!buckets_at(rows, n, i, b, &k)) {
            continue;
        }
        s->has[i] = 1;
        s->drops_name = true;
        s->v[i] = use->upper ? bucket_fraction(use->lower[i], use->upper[i], b, k)
                             : bucket_quantile(use->lower[i], b, k, &fix);
        if (fix.forced) {
            note_forced(e, use, i, &fix);
        }
    }
    return err;
}

/* Adds a row for each histogram. */
static enum err of_buckets(struct eval *e, const struct bucket_use *use, struct value *in, struct value *v)
{
    struct le_series *rows = NULL;
    size_t count = 0;
    enum err err = collect_le(e, use->arg, in, &rows, &count);
    struct bucket *b = err ? NULL : arena_array(e->a, count + 1, sizeof(*b));
    if (err || !b) {
        return err ? err : eval_no_memory(e);
    }
    for (size_t from = 0, to; from < count && !err; from = to) {
        for (to = from + 1; to < count && rows[to].hash == rows[from].hash; to++) {
        }
        err = one_histogram(e, use, rows + from, to - from, b, v);
    }
    return err;
}

static void check_quantiles(struct eval *e, const struct node *arg, const double *q)
{
    for (size_t i = 0; i < e->steps; i++) {
        if (isnan(q[i]) || q[i] < 0 || q[i] > 1) {
            note_bad_quantile(e, arg->pos, q[i]);
        }
    }
}

enum err call_histogram_quantile(struct eval *e, const struct node *n, struct value *v)
{
    struct value q = {0}, in = {0};
    enum err err = eval_node(e, n->args[0], &q);
    err = err ? err : eval_node(e, n->args[1], &in);
    if (err) {
        return err;
    }
    struct bucket_use use = {.arg = n->args[1], .lower = q.scalar};
    *v = (struct value){.type = TYPE_VECTOR};
    check_quantiles(e, n->args[0], q.scalar);
    value_drop_histograms(e, &in);
    err = of_buckets(e, &use, &in, v);
    return err ? err : value_merge_now(e, v);
}

enum err call_histogram_fraction(struct eval *e, const struct node *n, struct value *v)
{
    struct value lower = {0}, upper = {0}, in = {0};
    enum err err = eval_node(e, n->args[0], &lower);
    err = err ? err : eval_node(e, n->args[1], &upper);
    err = err ? err : eval_node(e, n->args[2], &in);
    if (err) {
        return err;
    }
    struct bucket_use use = {.arg = n->args[2], .lower = lower.scalar, .upper = upper.scalar};
    *v = (struct value){.type = TYPE_VECTOR};
    value_drop_histograms(e, &in);
    err = of_buckets(e, &use, &in, v);
    return err ? err : value_merge_now(e, v);
}

/* As the text exposition writes floats: at least one place after the point. */
static enum err quantile_text(struct eval *e, double q, struct str *ret_text)
{
    char text[NUM_F64_BYTES_MAX + 2];
    size_t n = num_f64_format(text, q, 'g');
    bool plain = isfinite(q);
    for (size_t i = 0; i < n && plain; i++) {
        plain = text[i] != '.' && text[i] != 'e';
    }
    if (plain) {
        text[n++] = '.';
        text[n++] = '0';
    }
    *ret_text = arena_str(e->a, str_of(text, n));
    return ret_text->p ? ERR_OK : eval_no_memory(e);
}

/* histogram_quantiles(v, "label", q...): the quantiles are those of the first step of each run of equal ones;
 * they are constants in practice. */
enum err call_histogram_quantiles(struct eval *e, const struct node *n, struct value *v)
{
    struct value in = {0};
    enum err err = eval_node(e, n->args[0], &in);
    *v = (struct value){.type = TYPE_VECTOR};
    if (err) {
        return err;
    }
    value_drop_histograms(e, &in);
    for (size_t a = 2; a < n->arg_count && !err; a++) {
        struct value q = {0};
        struct bucket_use use = {.arg = n->args[0], .label = n->args[1]->string};
        err = eval_node(e, n->args[a], &q);
        if (err) {
            return err;
        }
        check_quantiles(e, n->args[a], q.scalar);
        use.lower = q.scalar;
        err = quantile_text(e, q.scalar[0], &use.label_value);
        err = err ? err : of_buckets(e, &use, &in, v);
    }
    return err ? err : value_merge_now(e, v);
}
