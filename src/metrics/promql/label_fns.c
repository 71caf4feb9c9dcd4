/* Functions of labels, and sorting. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "labels/relabel.h"
#include "metrics/promql/functions.h"
#include "metrics/promql/go_sort.h"
#include "metrics/promql/vector_fns.h"

static struct str string_arg(const struct node *n, size_t i)
{
    return n->args[i]->string;
}

static bool label_name_is_valid(struct str name)
{
    return name.n > 0 && str_utf8_valid(name);
}

static enum err set_label(struct eval *e, struct series *s, struct str name, struct str value)
{
    struct str kept = arena_str(e->a, value);
    if (str_eq(name, LABEL_METRIC_NAME)) {
        s->drops_name = false; /* it was set on purpose */
    }
    return !kept.p || labels_with(e->a, s->labels, name, kept, &s->labels) ? eval_no_memory(e) : ERR_OK;
}

static enum err replace_one(struct eval *e, const struct regex *re, const struct node *n, struct series *s)
{
    struct str captures[REGEX_CAPTURES_MAX + 1] = {{0}};
    struct buf out AUTO_BUF = {0};
    struct str value = labels_get(s->labels, string_arg(n, 3));
    if (!value.p) {
        value = STR("");
    }
    if (!regex_find(re, value, 0, captures, ARRAY_LEN(captures))) {
        return ERR_OK;
    }
    regex_expand(&out, string_arg(n, 2), re, captures);
    return out.err ? eval_no_memory(e) : set_label(e, s, string_arg(n, 1), buf_view(&out));
}

enum err call_label_replace(struct eval *e, const struct node *n, struct value *v)
{
    struct str dst = string_arg(n, 1);
    struct regex *re = NULL;
    struct err_info why = {0};
    if (regex_new(string_arg(n, 4), REGEX_ANCHORED, &re, &why)) {
        return err_set(e->info, ERR_EXECUTION, "invalid regular expression in label_replace(): %.*s",
                       STR_FMT(string_arg(n, 4)));
    }
    enum err err = label_name_is_valid(dst)
                       ? eval_node(e, n->args[0], v)
                       : err_set(e->info, ERR_EXECUTION,
                                 "invalid destination label name in label_replace(): %.*s", STR_FMT(dst));
    for (size_t k = 0; !err && k < v->n; k++) {
        err = replace_one(e, re, n, &v->s[k]);
    }
    regex_free(re);
    return err ? err : value_merge(e, v);
}

enum err call_label_join(struct eval *e, const struct node *n, struct value *v)
{
    struct str dst = string_arg(n, 1);
    for (size_t a = 3; a < n->arg_count; a++) {
        if (!label_name_is_valid(string_arg(n, a))) {
            return err_set(e->info, ERR_EXECUTION, "invalid source label name in label_join(): %.*s",
                           STR_FMT(string_arg(n, a)));
        }
    }
    if (!label_name_is_valid(dst)) {
        return err_set(e->info, ERR_EXECUTION, "invalid destination label name in label_join(): %.*s",
                       STR_FMT(dst));
    }
    enum err err = eval_node(e, n->args[0], v);
    for (size_t k = 0; !err && k < v->n; k++) {
        struct buf out AUTO_BUF = {0};
        for (size_t a = 3; a < n->arg_count; a++) {
            buf_str(&out, a > 3 ? string_arg(n, 2) : STR(""));
            buf_str(&out, labels_get(v->s[k].labels, string_arg(n, a)));
        }
        err = out.err ? eval_no_memory(e) : set_label(e, &v->s[k], dst, buf_view(&out));
    }
    return err ? err : value_merge(e, v);
}

/* -- sorting --------------------------------------------------------------------------------------------- */

struct sort_by {
    const struct node *call; /* labels are its arguments from 1; NULL: by value */
    int sign;                /* 1: rising; -1: falling */
    const struct series **order;
};

/* Go's natural order: runs of digits compare as numbers, the rest as bytes. True: a comes before b. */
static bool natural_less(struct str a, struct str b);

static int compare_labels(const struct sort_by *by, const struct series *x, const struct series *y)
{
    for (size_t i = 1; i < by->call->arg_count; i++) {
        struct str a = labels_get(x->labels, string_arg(by->call, i));
        struct str b = labels_get(y->labels, string_arg(by->call, i));
        if (!str_eq(a, b)) {
            return natural_less(a, b) ? -by->sign : by->sign;
        }
    }
    return by->sign * labels_cmp(x->labels, y->labels);
}

/* Whether x must come before y which stands before it, in Go's words: NaN is always moved behind. */
static bool moves_before(const struct sort_by *by, const struct series *x, const struct series *y)
{
    if (by->call) {
        return compare_labels(by, x, y) < 0;
    }
    return isnan(y->v[0]) || (by->sign > 0 ? y->v[0] > x->v[0] : y->v[0] < x->v[0]);
}

static bool sorts_before(const void *sort_by, size_t i, size_t k)
{
    const struct sort_by *by = sort_by;
    return moves_before(by, by->order[i], by->order[k]);
}

static void exchange(const void *sort_by, size_t i, size_t k)
{
    const struct series **order = ((const struct sort_by *)sort_by)->order, *s = order[i];
    order[i] = order[k];
    order[k] = s;
}

static enum err sort_series(struct eval *e, const struct node *n, struct value *v, struct sort_by *by)
{
    enum err err = eval_node(e, n->args[0], v);
    if (err) {
        return err;
    }
    if (!e->single) {
        note(e, true, n->pos,
             "sort is ineffective for range queries since results are always ordered by labels");
    }
    if (!by->call) {
        value_drop_histograms(e, v);
    }
    value_drop_empty(e, v);
    if (!e->single) {
        return ERR_OK;
    }
    const struct series **order = arena_array(e->a, v->n + 1, sizeof(const struct series *));
    struct series *sorted = arena_array(e->a, v->n + 1, sizeof(*sorted));
    if (!order || !sorted) {
        return eval_no_memory(e);
    }
    for (size_t k = 0; k < v->n; k++) {
        order[k] = &v->s[k];
    }
    by->order = order;
    go_sort(&(struct go_sort){sorts_before, exchange, by}, v->n);
    for (size_t k = 0; k < v->n; k++) {
        sorted[k] = *order[k];
    }
    v->s = sorted;
    v->cap = v->n + 1;
    return value_merge_now(e, v);
}

enum err call_sort(struct eval *e, const struct node *n, struct value *v)
{
    return sort_series(e, n, v, &(struct sort_by){.sign = 1});
}

enum err call_sort_desc(struct eval *e, const struct node *n, struct value *v)
{
    return sort_series(e, n, v, &(struct sort_by){.sign = -1});
}

enum err call_sort_by_label(struct eval *e, const struct node *n, struct value *v)
{
    return sort_series(e, n, v, &(struct sort_by){.call = n, .sign = 1});
}

enum err call_sort_by_label_desc(struct eval *e, const struct node *n, struct value *v)
{
    return sort_series(e, n, v, &(struct sort_by){.call = n, .sign = -1});
}

/* -- natural order --------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The run of digits, or of anything else, at `at`. */
static struct str run_at(struct str s, size_t at)
{
    size_t end = at;
    while (end < s.n && is_digit(s.p[end]) == is_digit(s.p[at])) {
        end++;
    }
    return str_slice(s, at, end);
}

enum {
    NUMBER_DIGITS_MAX = 18 /* longer runs compare as text: they would not fit an integer */
};

static bool parse_run(struct str s, uint64_t *ret_v)
{
    *ret_v = 0;
    if (s.n > NUMBER_DIGITS_MAX || !is_digit(s.p[0])) {
        return false;
    }
    for (size_t i = 0; i < s.n; i++) {
        *ret_v = *ret_v * 10 + (uint64_t)(s.p[i] - '0');
    }
    return true;
}

static bool natural_less(struct str a, struct str b)
{
    size_t i = 0, k = 0;
    while (i < a.n && k < b.n) {
        struct str x = run_at(a, i), y = run_at(b, k);
        uint64_t p = 0, q = 0;
        bool numbers = parse_run(x, &p) && parse_run(y, &q);
        bool same = numbers ? p == q : str_eq(x, y);
        if (!same) {
            return numbers ? p < q : str_cmp(x, y) < 0;
        }
        i += x.n;
        k += y.n;
        if (i == a.n || k == b.n) { /* the one that ends first comes first; a when both end */
            return i == a.n;
        }
    }
    return false;
}
