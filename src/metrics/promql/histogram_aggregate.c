/* Sums and means of the native histograms of a group at one step. */
#include "metrics/promql/histogram_fns.h"

struct histogram_group {
    struct histogram_acc sum, next; /* next: the sum with one more, before it is known not to overflow */
    bool running;                   /* a running mean: the sum overflowed */
    bool spoilt, reset, no_reset;
};

static size_t place(const struct node *n)
{
    return n->args[0]->pos;
}

void note_histogram_ignored(struct eval *e, const struct node *n)
{
    bool whole = n->aggregate == AGG_TOPK || n->aggregate == AGG_BOTTOMK;
    note(e, false, whole ? n->pos : place(n), "ignored histogram in %s aggregation",
         aggregate_op_text(n->aggregate));
}

static enum err group_begin(struct eval *e, struct histogram_group **group, const struct histogram *h)
{
    struct histogram_group *g = arena_zalloc(e->a, sizeof(*g));
    if (!g || histogram_acc_init(&g->sum, e->a, h)) {
        return eval_no_memory(e);
    }
    g->next.a = e->a;
    *group = g;
    return ERR_OK;
}

static enum err running_add(struct eval *e, struct histogram_group *g, const struct histogram *h,
                            double count, struct histogram_meeting *ret_m)
{
    struct arena scratch AUTO_ARENA;
    struct histogram_acc part;
    const struct histogram *share = NULL;
    arena_init(&scratch, 0, e->q->budget);
    histogram_acc_scale(&g->sum, (count - 1) / count);
    enum err err = histogram_acc_init(&part, &scratch, h);
    if (err == ERR_OK) {
        histogram_acc_divide(&part, count);
        err = histogram_acc_value(&part, &share);
    }
    return err == ERR_OK ? histogram_acc_add_compensated(&g->sum, share, ret_m) : err;
}

/* A mean is a sum to be divided at the end, as long as that does not overflow. */
static enum err mean_add(struct eval *e, struct histogram_group *g, const struct histogram *h, double count,
                         struct histogram_meeting *ret_m)
{
    if (!g->running) {
        enum err err = histogram_acc_copy(&g->next, &g->sum);
        err = err == ERR_OK ? histogram_acc_add_compensated(&g->next, h, ret_m) : err;
        if (err != ERR_OK || ret_m->incompatible) {
            return err;
        }
        if (!histogram_acc_overflows(&g->next)) {
            struct histogram_acc swap = g->sum;
            g->sum = g->next;
            g->next = swap;
            return ERR_OK;
        }
        g->running = true;
        histogram_acc_divide(&g->sum, count - 1);
    }
    return running_add(e, g, h, count, ret_m);
}

static void group_notes(struct eval *e, const struct node *n, const struct histogram_meeting *m,
                        struct str name)
{
    struct buf shown AUTO_BUF = {0};
    if (m->incompatible) {
        note(e, true, place(n),
             "vector contains a mix of histograms with exponential and custom buckets schemas for metric "
             "name %.*s",
             STR_FMT(note_quoted(e, &shown, name)));
    }
    if (m->reconciled) {
        note(e, false, place(n), "mismatched custom buckets were reconciled during aggregation");
    }
}

enum err histogram_group_add(struct eval *e, const struct node *n, struct histogram_group **group,
                             const struct histogram *h, double count, struct str name)
{
    struct histogram_meeting m = {0};
    enum err err = ERR_OK;
    bool first = !*group;
    if (first) {
        err = group_begin(e, group, h);
    }
    struct histogram_group *g = *group;
    if (err != ERR_OK || g->spoilt) {
        return err;
    }
    g->reset |= h->reset_hint == HRESET_YES;
    g->no_reset |= h->reset_hint == HRESET_NO;
    if (first) {
        return ERR_OK;
    }
    err = n->aggregate == AGG_AVG ? mean_add(e, g, h, count, &m)
                                  : histogram_acc_add_compensated(&g->sum, h, &m);
    g->spoilt = m.incompatible;
    group_notes(e, n, &m, name);
    return err == ERR_OK ? ERR_OK : eval_no_memory(e);
}

bool histogram_group_spoilt(const struct histogram_group *group)
{
    return group && group->spoilt;
}

enum err histogram_group_value(struct eval *e, const struct node *n, struct histogram_group *group,
                               double count, const struct histogram **ret_h)
{
    *ret_h = NULL;
    if (group->spoilt) {
        return ERR_OK;
    }
    if (n->aggregate == AGG_AVG && !group->running) {
        histogram_acc_divide(&group->sum, count);
    }
    histogram_acc_settle(&group->sum);
    histogram_acc_compact(&group->sum);
    if (group->reset && group->no_reset) {
        note(e, true, place(n), "conflicting counter resets during histogram aggregation");
    }
    return histogram_acc_value(&group->sum, ret_h) ? eval_no_memory(e) : ERR_OK;
}
