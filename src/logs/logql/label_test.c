/* Label filters: compiled once, asked for each line. */
#include "golang/gostr.h"
#include "logs/logql/pipeline.h"
#include "logs/logql/simplify.h"

/* Loki notices a bad address pattern only where it stands alone; in company it matches nothing. */
static enum err side_new(struct arena *a, const struct label_filter *f, struct label_test **ret_test,
                         struct err_info *reterr_info)
{
    enum err e = label_test_new(a, f, ret_test, reterr_info);
    return e == ERR_INVALID ? ERR_OK : e;
}

enum err label_test_new(struct arena *a, const struct label_filter *f, struct label_test **ret_test,
                        struct err_info *reterr_info)
{
    struct label_test *t = arena_zalloc(a, sizeof(*t));
    enum err e = t ? ERR_OK : arena_err(a);
    if (e) {
        return e;
    }
    t->f = f;
    if (f->kind == LABEL_FILTER_AND || f->kind == LABEL_FILTER_OR) {
        e = side_new(a, f->left, &t->left, reterr_info);
        e = e ? e : side_new(a, f->right, &t->right, reterr_info);
    } else if (f->kind == LABEL_FILTER_IP) {
        e = ip_parse(f->ip, &t->ip, reterr_info);
        t->ip_valid = e == ERR_OK;
    } else if (f->kind == LABEL_FILTER_STRING && f->matcher->re) {
        e = simplify_label_regex(a, f->matcher->value, &t->words);
    }
    *ret_test = t;
    return e;
}

bool label_test_is_noop(const struct label_test *t)
{
    return t->f->kind == LABEL_FILTER_STRING && t->words && label_words_match_all(t->words) &&
           t->f->matcher->op == MATCH_RE;
}

void label_test_names(const struct label_test *t, struct arena *a, struct str **names, size_t *n, size_t *cap,
                      enum err *e)
{
    if (t->f->kind == LABEL_FILTER_AND || t->f->kind == LABEL_FILTER_OR) {
        label_test_names(t->left, a, names, n, cap, e);
        label_test_names(t->right, a, names, n, cap, e);
        return;
    }
    if (label_test_is_noop(t)) {
        return;
    }
    *e = *e ? *e : arena_reserve(a, (void **)names, cap, *n + 1, sizeof(**names));
    if (!*e) {
        (*names)[(*n)++] = t->f->kind == LABEL_FILTER_STRING ? t->f->matcher->name : t->f->name;
    }
}

static bool passes_string(const struct label_test *t, const struct builder *b)
{
    const struct matcher *m = t->f->matcher;
    struct str v = builder_value(b, m->name);
    if (t->words) {
        return label_words_match(t->words, v) == (m->op == MATCH_RE);
    }
    return matcher_matches(m, v);
}

static bool compare_f64(enum filter_op op, double a, double b)
{
    switch (op) {
    case FILTER_EQ:
        return a == b;
    case FILTER_NEQ:
        return a != b;
    case FILTER_GT:
        return a > b;
    case FILTER_GTE:
        return a >= b;
    case FILTER_LT:
        return a < b;
    case FILTER_LTE:
        return a <= b;
    }
    return false;
}

/* -1, 0, 1 compared with 0. */
static bool compare_order(enum filter_op op, int order)
{
    return compare_f64(op, order, 0);
}

/* A value that does not convert keeps the line and marks it, unless it is marked already. */
static bool not_a_value(struct builder *b, const struct err_info *why)
{
    if (b->err.n == 0) {
        struct str details = arena_str(b->line, str_c(why->message));
        b->out_of_memory = b->out_of_memory || !details.p;
        builder_error(b, STR("LabelFilterErr"), details);
    }
    return true;
}

static bool passes_number(const struct label_filter *f, struct builder *b, struct str v)
{
    struct err_info why = {0};
    double number = 0;
    int64_t ns = 0;
    uint64_t bytes = 0;
    switch ((int)f->kind) {
    case LABEL_FILTER_NUMBER:
        return go_float_parse(v, &number, &why) ? not_a_value(b, &why)
                                                : compare_f64(f->op, number, f->number);
    case LABEL_FILTER_DURATION:
        return go_duration_parse(v, &ns, &why)
                   ? not_a_value(b, &why)
                   : compare_order(f->op, (ns > f->duration_ns) - (ns < f->duration_ns));
    default:
        return go_bytes_parse(v, &bytes, &why)
                   ? not_a_value(b, &why)
                   : compare_order(f->op, (bytes > f->bytes) - (bytes < f->bytes));
    }
}

bool label_test_passes(const struct label_test *t, struct builder *b)
{
    const struct label_filter *f = t->f;
    struct str v;
    switch (f->kind) {
    case LABEL_FILTER_AND: {
        bool left = label_test_passes(t->left, b), right = label_test_passes(t->right, b);
        return left && right;
    }
    case LABEL_FILTER_OR:
        return label_test_passes(t->left, b) || label_test_passes(t->right, b);
    case LABEL_FILTER_STRING:
        return passes_string(t, b);
    case LABEL_FILTER_IP:
        if (b->err.n) {
            return true;
        }
        if (!builder_get(b, f->name, &v) || !t->ip_valid) {
            return false;
        }
        return ip_found(&t->ip, v) == (f->op == FILTER_EQ);
    case LABEL_FILTER_NUMBER:
    case LABEL_FILTER_DURATION:
    case LABEL_FILTER_BYTES:
        return builder_get(b, f->name, &v) && passes_number(f, b, v);
    }
    return false;
}
