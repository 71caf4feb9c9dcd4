/* Sums and means of native histograms over a window. */
#include "metrics/promql/histogram_fns.h"

struct hints {
    bool reset, no_reset, reconciled;
};

static void hints_see(struct hints *s, const struct histogram *h)
{
    s->reset |= h->reset_hint == HRESET_YES;
    s->no_reset |= h->reset_hint == HRESET_NO;
}

static void hints_note(const struct window *w, const struct hints *s)
{
    size_t pos = argument_pos(w->call);
    if (s->reset && s->no_reset) {
        note(w->e, true, pos, "conflicting counter resets during histogram aggregation");
    }
    if (s->reconciled) {
        note(w->e, false, pos, "mismatched custom buckets were reconciled during aggregation");
    }
}

static bool give(const struct window *w, const struct histogram *h, struct point *ret_p)
{
    ret_p->h = h ? eval_keep_histogram(w->e, h) : NULL;
    if (!ret_p->h) {
        w->e->notes->failed = ERR_OOM;
    }
    return ret_p->h != NULL;
}

/* Exponential and custom buckets met: no result, and nothing else is said. */
static bool incompatible(const struct window *w)
{
    struct buf shown AUTO_BUF = {0};
    note(w->e, true, argument_pos(w->call),
         "vector contains a mix of histograms with exponential and custom buckets schemas for metric name "
         "%.*s",
         STR_FMT(note_quoted(w->e, &shown, metric_name(w->labels))));
    return false;
}

bool histogram_range_sum(const struct window *w, struct point *ret_p)
{
    struct arena scratch AUTO_ARENA;
    struct histogram_acc acc;
    struct histogram_meeting m;
    struct hints seen = {0};
    const struct histogram *sum = w->histograms[0];
    arena_init(&scratch, 0, w->e->q->budget);
    if (histogram_window_mixed(w)) {
        return false;
    }
    enum err err = histogram_acc_init(&acc, &scratch, sum);
    hints_see(&seen, sum);
    for (size_t i = 1; i < w->histogram_count && err == ERR_OK; i++) {
        hints_see(&seen, w->histograms[i]);
        err = histogram_acc_add_compensated(&acc, w->histograms[i], &m);
        if (err == ERR_OK && m.incompatible) {
            return incompatible(w);
        }
        seen.reconciled |= err == ERR_OK && m.reconciled;
    }
    if (err == ERR_OK && w->histogram_count > 1) {
        histogram_acc_settle(&acc);
        err = histogram_acc_value(&acc, &sum);
    }
    hints_note(w, &seen);
    return give(w, err == ERR_OK ? sum : NULL, ret_p);
}

/* A mean as it grows: the direct sum until it overflows, the running mean from then on. */
struct mean {
    struct histogram_acc sum, next;
    bool running;
};

static enum err mean_add(struct mean *m, struct arena *a, const struct histogram *h, double count,
                         struct histogram_meeting *ret_m)
{
    const struct histogram *share = NULL;
    enum err err;
    if (!m->running) {
        err = histogram_acc_copy(&m->next, &m->sum);
        err = err == ERR_OK ? histogram_acc_add_compensated(&m->next, h, ret_m) : err;
        if (err != ERR_OK || ret_m->incompatible) {
            return err;
        }
        if (!histogram_acc_overflows(&m->next)) {
            struct histogram_acc swap = m->sum;
            m->sum = m->next;
            m->next = swap;
            return ERR_OK;
        }
        m->running = true;
        histogram_acc_divide(&m->sum, count - 1);
    }
    histogram_acc_scale(&m->sum, (count - 1) / count);
    struct histogram_acc part;
    err = histogram_acc_init(&part, a, h);
    if (err == ERR_OK) {
        histogram_acc_divide(&part, count);
        err = histogram_acc_value(&part, &share);
    }
    return err == ERR_OK ? histogram_acc_add_compensated(&m->sum, share, ret_m) : err;
}

bool histogram_range_avg(const struct window *w, struct point *ret_p)
{
    struct arena scratch AUTO_ARENA;
    struct mean m = {.running = false};
    struct hints seen = {0};
    const struct histogram *mean = NULL;
    arena_init(&scratch, 0, w->e->q->budget);
    if (histogram_window_mixed(w)) {
        return false;
    }
    enum err err = histogram_acc_init(&m.sum, &scratch, w->histograms[0]);
    m.next.a = &scratch;
    hints_see(&seen, w->histograms[0]);
    for (size_t i = 1; i < w->histogram_count && err == ERR_OK; i++) {
        struct histogram_meeting met = {0};
        hints_see(&seen, w->histograms[i]);
        err = mean_add(&m, &scratch, w->histograms[i], (double)(i + 1), &met);
        if (err == ERR_OK && met.incompatible) {
            return incompatible(w);
        }
        seen.reconciled |= err == ERR_OK && met.reconciled;
    }
    if (err == ERR_OK) {
        if (!m.running) {
            histogram_acc_divide(&m.sum, (double)w->histogram_count);
        }
        histogram_acc_settle(&m.sum);
        err = histogram_acc_value(&m.sum, &mean);
    }
    hints_note(w, &seen);
    return give(w, err == ERR_OK ? mean : NULL, ret_p);
}
