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

/* How many of n samples fit the open tail as they are: the clock has their ticks, and the tail ends behind
 * them at the earliest. */
static size_t run_length(const struct head *h, const struct series *s, const ts_ms *ts, size_t n)
{
    const struct ticks *k = &h->clocks[s->clock];
    if (s->tail_count == 0 || (s->flags & (SERIES_OWN_TIMES | SERIES_RICH)) || (s->ext && s->ext->rich) ||
        k->series < CLOCK_SERIES_MIN) {
        return 0;
    }
    uint32_t next = s->tail_tick + s->tail_count, count = s->tail_count, end = k->first + k->n;
    size_t got = 0;
    while (got < n && next < end && head_tick_ts(k, next) == ts[got] && count < CHUNK_SAMPLES_MAX &&
           (count < CUT_SAMPLES_MIN || !head_tails_end(k, next))) {
        got++;
        next++;
        count++;
    }
    return got;
}

/* As many of a run as there is room for. */
static size_t run_push(struct head *h, struct series *s, const ts_ms *ts, const uint64_t *bits, size_t n)
{
    size_t i = 0;
    for (; i < n; i++) {
        if (head_tail_repeats(s, bits[i])) {
            s->tail_same++;
        } else if (head_tail_has_room(s)) {
            head_tail_put(s, bits[i]);
            s->last_bits = bits[i];
        } else {
            break;
        }
        s->tail_count++;
        s->last_ts = ts[i];
    }
    h->max_ts = i && ts[i - 1] > h->max_ts ? ts[i - 1] : h->max_ts;
    return i;
}

enum err head_push_floats(struct head *h, struct series *s, const ts_ms *ts, const ts_ms *batch_ticks,
                          const uint64_t *bits, size_t n)
{
    for (size_t i = 0; i < n;) {
        i += run_push(h, s, ts + i, bits + i, run_length(h, s, ts + i, n - i));
        if (i < n) {
            struct sample_value v = {.bits = bits[i]};
            enum err e = head_push(h, s, ts[i], &v, batch_ticks[i]);
            if (e != ERR_OK) {
                return e;
            }
            i++;
        }
    }
    return ERR_OK;
}
