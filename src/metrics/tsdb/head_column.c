/* One more sample for many series, all at one time. What does not continue its tail at the newest tick of its
 * clock goes the long way (head_push). */
#include "metrics/tsdb/head.h"

/* The clock now has the column's time as its newest tick, or the samples are none of its. */
static void tick_look(const struct head *h, uint32_t clock, struct column_tick *t)
{
    const struct ticks *k = &h->clocks[clock];
    if (k->n == 0 || k->ts[k->n - 1] != t->ts || k->series < CLOCK_SERIES_MIN) {
        t->clock = CLOCK_NONE;
        return;
    }
    t->clock = clock;
    t->tick = k->first + k->n - 1;
    t->count_max = head_tails_end(k, t->tick) ? CUT_SAMPLES_MIN : CHUNK_SAMPLES_MAX;
}

static inline bool continues(const struct series *s, const struct column_tick *t)
{
    return s->clock == t->clock && s->tail_tick + s->tail_count == t->tick && s->tail_count > 0 &&
           s->tail_count < t->count_max && !(s->flags & (SERIES_OWN_TIMES | SERIES_RICH)) &&
           !(s->ext && s->ext->rich);
}

enum err head_push_column(struct head *h, struct series *s, uint64_t bits, struct column_tick *t)
{
    bool same = head_tail_repeats(s, bits);
    if (UNLIKELY(!continues(s, t) || (!same && !head_tail_has_room(s)))) {
        struct sample_value v = {.bits = bits};
        enum err e = head_push(h, s, t->ts, &v, t->batch_tick);
        tick_look(h, s->clock, t);
        return e;
    }
    if (same) {
        s->tail_same++;
    } else {
        head_tail_put(s, bits);
        s->last_bits = bits;
    }
    s->tail_count++;
    s->last_ts = t->ts;
    return ERR_OK;
}
