/* Equal subexpressions of a query are evaluated once: `rate(a[5m]) / (rate(a[5m]) + rate(b[5m]))`. What is
 * written alike means the same wherever it stands on the same grid, so the text is compared.
 *
 * Annotations of the first evaluation are told again for each use, moved to its place; samples are counted
 * again. The result is that of evaluating every use. */
#include "metrics/promql/rows.h"

struct shared {
    struct str text;
    const struct node *node; /* the first of them */
    size_t uses, used;
    bool filled;
    ts_ms start; /* the grid it was evaluated on */
    int64_t step;
    size_t steps;
    bool single;
    struct value value;
    struct notes notes;
    uint64_t total, read;  /* samples looked at */
    uint64_t above, after; /* and held, more than before: at most, and in the end */
    const uint64_t *total_at, *read_at;
};

struct shared_list {
    struct shared **items;
    size_t n, cap;
};

/* -- before evaluation ----------------------------------------------------------------------------------- */

enum {
    SHARED_MAX = 64 /* different expressions looked at; a query with more shares fewer */
};

/* Beyond the text: modifiers that the text of a node does not span, and whether histograms are read whole,
 * which is decided by what stands around it. */
static bool reads_alike(const struct node *a, const struct node *b)
{
    bool alike = a->kind == b->kind && a->counts_only == b->counts_only && a->arg_count == b->arg_count &&
                 a->anchored == b->anchored && a->smoothed == b->smoothed && a->offset_ms == b->offset_ms &&
                 a->at == b->at && a->at_ms == b->at_ms && a->range_ms == b->range_ms &&
                 a->step_ms == b->step_ms && !a->param == !b->param;
    for (size_t i = 0; i < a->arg_count && alike; i++) {
        alike = reads_alike(a->args[i], b->args[i]);
    }
    return alike && (!a->param || reads_alike(a->param, b->param));
}

static bool worth_it(const struct node *n)
{
    bool is_vector = n->type == TYPE_VECTOR;
    return is_vector && (n->kind == N_SELECTOR || n->kind == N_AGGREGATE || n->kind == N_BINARY ||
                         (n->kind == N_CALL && n->arg_count > 0));
}

/* True: the node is like one before it. */
static bool find(struct eval *e, struct shared_list *list, struct node *n)
{
    struct str text = str_of(e->text.p + n->pos, n->end - n->pos);
    for (size_t i = 0; i < list->n; i++) {
        struct shared *s = list->items[i];
        if (str_eq(s->text, text) && reads_alike(s->node, n)) {
            s->uses++;
            n->shared = s;
            return true;
        }
    }
    struct shared *s = list->n < SHARED_MAX ? arena_alloc(e->a, sizeof(*s)) : NULL;
    if (s && arena_reserve(e->a, (void **)&list->items, &list->cap, list->n + 1, sizeof(struct shared *)) ==
                 ERR_OK) {
        *s = (struct shared){.text = text, .node = n, .uses = 1};
        list->items[list->n++] = s;
        n->shared = s;
    }
    return false;
}

static void look(struct eval *e, struct shared_list *list, struct node *n)
{
    if (worth_it(n) && find(e, list, n)) {
        return;
    }
    bool streamed = n->kind == N_AGGREGATE && stream_applies(e, n);
    for (size_t i = 0; i < n->arg_count && n->kind != N_DURATION; i++) {
        struct node *arg = n->args[i];
        if (!streamed && n->kind != N_MATRIX) {
            look(e, list, arg);
        }
    }
    if (n->param) {
        look(e, list, n->param);
    }
}

void share_equal(struct eval *e, struct node *root)
{
    struct shared_list list = {0};
    if (!e->options->plain) {
        look(e, &list, root);
    }
}

/* -- evaluation ------------------------------------------------------------------------------------------ */

static void *copy_column(struct eval *e, const void *column, size_t size)
{
    void *copy = arena_array(e->a, e->steps, size);
    if (copy) {
        memcpy(copy, column, e->steps * size);
    }
    return copy;
}

/* Operators write over the columns of their operands, so that each use has its own. */
static enum err copy_value(struct eval *e, const struct value *from, struct value *to)
{
    *to = (struct value){.type = from->type};
    for (size_t k = 0; k < from->n; k++) {
        struct series s = from->s[k];
        s.v = copy_column(e, s.v, sizeof(*s.v));
        s.has = copy_column(e, s.has, sizeof(*s.has));
        s.h = s.h ? copy_column(e, s.h, sizeof(*s.h)) : NULL;
        if (!s.v || !s.has || (from->s[k].h && !s.h)) {
            return eval_no_memory(e);
        }
        enum err err = value_push(e, to, &s);
        if (err) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err first_use(struct eval *e, const struct node *n, struct shared *s, struct value *ret_value)
{
    struct usage *usage = e->usage, before = *usage;
    struct eval own = *e;
    own.notes = &s->notes;
    struct usage_scope scope;
    usage->peak = usage->current;
    enum err err = usage_enter(e, &scope);
    err = err ? err : eval_fresh(&own, n, ret_value);
    struct usage counted = usage_leave(e, &scope);
    usage_add(e, counted.total_at, counted.read_at);
    s->total_at = counted.total_at;
    s->read_at = counted.read_at;
    s->total = usage->total - before.total;
    s->read = usage->read - before.read;
    s->above = usage->peak - before.current;
    s->after = usage->current - before.current;
    usage->peak = usage->peak > before.peak ? usage->peak : before.peak;
    notes_tell(e, &s->notes, n->pos, n->pos);
    /* a place of 0 may be that of the expression's beginning or that of nothing in particular */
    if (err || (n->pos == 0 && notes_at_0(&s->notes))) {
        s->uses = 1;
        return err;
    }
    s->start = e->start;
    s->step = e->step;
    s->steps = e->steps;
    s->single = e->single;
    s->node = n;
    s->filled = true;
    return copy_value(e, ret_value, &s->value);
}

static enum err next_use(struct eval *e, const struct node *n, struct shared *s, struct value *ret_value)
{
    enum err err = eval_peak(e, s->above);
    notes_tell(e, &s->notes, s->node->pos, n->pos);
    e->usage->total += s->total;
    e->usage->read += s->read;
    usage_add(e, s->total_at, s->read_at);
    if (s->used == s->uses) { /* nobody comes after */
        *ret_value = s->value;
        s->filled = false;
        s->uses = 1;
    } else if (!err) {
        err = copy_value(e, &s->value, ret_value);
    }
    if (!err) {
        e->usage->current += s->after;
        e->usage->gathered += value_last(e, ret_value);
        usage_gather(e, ret_value);
    }
    return err;
}

enum err share_eval(struct eval *e, const struct node *n, struct value *ret_value)
{
    struct shared *s = n->shared;
    *ret_value = (struct value){0};
    s->used++;
    if (s->filled && s->start == e->start && s->step == e->step && s->steps == e->steps &&
        s->single == e->single) {
        return next_use(e, n, s, ret_value);
    }
    return s->uses == 1 || s->filled ? eval_fresh(e, n, ret_value) : first_use(e, n, s, ret_value);
}
