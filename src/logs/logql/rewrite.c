/* What Loki's query front end makes of a metric query before it hands it out in shards
 * (pkg/logql/shardmapper.go, with its default settings). There are no shards here, but three traces of the
 * rewriting are seen in answers and so are kept: avg is a sum divided by a count, which rounds differently;
 * what is merged by a `without`, and what is divided, loses labels that are empty. */
#include "logs/logql/eval.h"

static bool names_some(const struct grouping *g)
{
    return g && g->n > 0;
}

/* Different series may come out with equal labels. */
static bool reduces_labels(const struct expr *x)
{
    bool yes = names_some(x->grouping);
    for (const struct stage *s = x->kind == EXPR_RANGE ? x->range->log.stages : NULL; s && !yes;
         s = s->next) {
        yes = s->kind == STAGE_DROP || s->kind == STAGE_KEEP;
        for (const struct stage_item *i = s->kind == STAGE_LABEL_FORMAT ? s->items : NULL; i; i = i->next) {
            yes = yes || i->rename;
        }
    }
    return yes || (x->left && reduces_labels(x->left)) || (x->right && reduces_labels(x->right));
}

static bool range_shards(enum range_op op, bool top)
{
    switch (op) {
    case RANGE_COUNT:
    case RANGE_RATE:
    case RANGE_BYTES:
    case RANGE_BYTES_RATE:
    case RANGE_AVG:
    case RANGE_SUM:
    case RANGE_MIN:
    case RANGE_MAX:
    case RANGE_FIRST:
    case RANGE_LAST:
        return true;
    case RANGE_QUANTILE:
        return top;
    case RANGE_RATE_COUNTER:
    case RANGE_STDVAR:
    case RANGE_STDDEV:
    case RANGE_ABSENT:
    case RANGE_OP_COUNT:
        break;
    }
    return false;
}

static bool shards(const struct expr *x, bool top);

static bool vector_shards(const struct expr *x, bool top)
{
    enum vector_op op = x->vector_op;
    if (op == VECTOR_SUM) {
        const struct expr *l = x->left;
        bool extremes =
            l->kind == EXPR_VECTOR_AGG && (l->vector_op == VECTOR_MIN || l->vector_op == VECTOR_MAX);
        return shards(l, top) && !extremes;
    }
    if (op == VECTOR_AVG || op == VECTOR_COUNT) {
        return shards(x->left, top) && !reduces_labels(x->left);
    }
    return (op == VECTOR_MIN || op == VECTOR_MAX) && shards(x->left, top) && x->left->kind == EXPR_RANGE &&
           shards(x->left, false);
}

static bool shards(const struct expr *x, bool top)
{
    switch (x->kind) {
    case EXPR_RANGE:
        return range_shards(x->range_op, top);
    case EXPR_VECTOR_AGG:
        return vector_shards(x, top);
    case EXPR_BIN:
        return (x->bin_op == BIN_ADD || x->bin_op == BIN_MUL) && !x->options.on &&
               x->options.name_count == 0 && shards(x->left, top) && shards(x->right, top);
    case EXPR_LITERAL:
    case EXPR_LOG:
        return true;
    case EXPR_LABEL_REPLACE:
    case EXPR_VECTOR:
        break;
    }
    return false;
}

static struct expr *copy(struct arena *a, const struct expr *x)
{
    struct expr *y = arena_alloc(a, sizeof(*y));
    if (y) {
        *y = *x;
    }
    return y;
}

/* sum without () (x): every series by itself, empty labels gone. */
static struct expr *merged(struct arena *a, const struct expr *x, enum vector_op op)
{
    struct expr *m = arena_zalloc(a, sizeof(*m)), *inner = copy(a, x);
    struct grouping *g = arena_zalloc(a, sizeof(*g));
    if (!m || !inner || !g) {
        return NULL;
    }
    g->without = true;
    *m = (struct expr){.kind = EXPR_VECTOR_AGG, .vector_op = op, .grouping = g, .left = inner};
    return m;
}

static bool asks_for_errors(const struct label_filter *f)
{
    if (f->kind == LABEL_FILTER_AND || f->kind == LABEL_FILTER_OR) {
        return asks_for_errors(f->left) || asks_for_errors(f->right);
    }
    struct str name = f->kind == LABEL_FILTER_STRING ? f->matcher->name : f->name;
    return str_eq_c(name, "__error__") || str_eq_c(name, "__error_details__");
}

static struct expr *range_rewritten(struct arena *a, const struct expr *x)
{
    enum range_op op = x->range_op;
    struct grouping *g = x->grouping;
    bool conflict = reduces_labels(x) || (g && !(g->without && g->n == 0));
    if (op == RANGE_AVG && conflict) {
        const struct post_filter *p = x->range->unwrap ? x->range->unwrap->filters : NULL;
        while (p && !asks_for_errors(p->filter)) {
            p = p->next;
        }
        struct expr *m = p ? NULL : merged(a, x, VECTOR_SUM);
        if (m) {
            m->left->as_ratio = true;
        }
        return p ? copy(a, x) : m;
    }
    bool merges = op == RANGE_COUNT || op == RANGE_RATE || op == RANGE_BYTES || op == RANGE_BYTES_RATE ||
                  op == RANGE_SUM || op == RANGE_MAX || op == RANGE_MIN;
    return merges && conflict && (!g || g->without) ? merged(a, x,
                                                             op == RANGE_MAX   ? VECTOR_MAX
                                                             : op == RANGE_MIN ? VECTOR_MIN
                                                                               : VECTOR_SUM)
                                                    : copy(a, x);
}

static bool adds_up(const struct expr *x)
{
    if (x->kind == EXPR_RANGE) {
        return x->range_op == RANGE_COUNT || x->range_op == RANGE_RATE || x->range_op == RANGE_BYTES ||
               x->range_op == RANGE_BYTES_RATE || x->range_op == RANGE_SUM;
    }
    return !(x->kind == EXPR_VECTOR_AGG && x->vector_op == VECTOR_AVG) && (!x->left || adds_up(x->left)) &&
           (!x->right || adds_up(x->right));
}

/* True when the node goes into the shards as it is. */
static bool goes_whole(const struct expr *x, bool top)
{
    if (!vector_shards(x, top)) {
        return false;
    }
    return x->vector_op == VECTOR_SUM ? !reduces_labels(x->left) || adds_up(x->left)
                                      : !reduces_labels(x->left);
}

static struct expr *rewritten(struct arena *a, const struct expr *x, bool top)
{
    if (x->kind == EXPR_RANGE) {
        return range_rewritten(a, x);
    }
    struct expr *y = copy(a, x);
    bool aggregate = x->kind == EXPR_VECTOR_AGG;
    if (y && aggregate && x->vector_op == VECTOR_AVG && vector_shards(x, top)) {
        y->as_ratio = true;
        return merged(a, y, VECTOR_SUM);
    }
    if (!y || (aggregate && goes_whole(x, top))) {
        return y;
    }
    if (x->left) {
        y->left = rewritten(a, x->left, top && !aggregate);
    }
    if (x->right) {
        y->right = rewritten(a, x->right, top);
    }
    return (x->left && !y->left) || (x->right && !y->right) ? NULL : y;
}

enum err logql_rewrite(struct arena *a, const struct expr *x, const struct expr **ret_expr)
{
    *ret_expr = rewritten(a, x, true);
    return *ret_expr ? ERR_OK : arena_err(a);
}
