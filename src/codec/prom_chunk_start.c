/* Chunks with start timestamps, which Prometheus has since 3.14: XOR2 for floats, and the part that chunks of
 * histograms have in common with it.
 *
 * A byte behind the count says whether the first sample has a start, and from which sample on they change;
 * from there on each has one, as the time of the sample before it minus the start. */
#include "codec/prom_chunk_int.h"

#define STALE_BITS UINT64_C(0x7ff0000000000002)

enum {
    FIRST_KNOWN = 0x80,
    HEADER_BYTES = 2
};

static int64_t minus(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

/* The start of a later sample. */
static void later_put(struct start_writer *w, struct bits *s, ts_ms start)
{
    int64_t difference = minus(w->ts, start);
    if (w->changed) {
        bits_put_varbit_int(s, minus(difference, w->difference));
    } else if (start != w->start) {
        w->changed = true;
        s->b->p[w->header] = (char)((unsigned char)s->b->p[w->header] | w->n);
        bits_put_varbit_int(s, difference);
    } else {
        return;
    }
    w->difference = difference;
}

void start_put(struct start_writer *w, struct bits *s, ts_ms ts, ts_ms start)
{
    if (s->b->err) {
        return;
    }
    if (w->n > 0) {
        later_put(w, s, start);
    } else if (start) {
        s->b->p[w->header] = (char)FIRST_KNOWN;
        bits_put_uvarint(s, bits_zigzag(minus(ts, start)));
    }
    w->n++;
    w->start = start;
    w->ts = ts;
}

/* -- XOR2 ------------------------------------------------------------------------------------------------ */

struct xor2 {
    struct bits s;
    uint64_t base; /* newest value that is no staleness marker */
    unsigned leading, trailing;
    bool open; /* there is a window */
};

/* What is different in the value; `joint`: a bit before it has said that something is. */
static void window_put(struct xor2 *x, uint64_t v, bool joint)
{
    unsigned leading = (unsigned)__builtin_clzll(v), trailing = (unsigned)__builtin_ctzll(v);
    leading = leading > 31 ? 31 : leading;
    if (x->open && leading >= x->leading && trailing >= x->trailing) {
        bits_put(&x->s, joint ? 0 : 2, joint ? 1 : 2);
        bits_put(&x->s, v >> x->trailing, 64 - x->leading - x->trailing);
        return;
    }
    unsigned significant = 64 - leading - trailing;
    x->leading = leading;
    x->trailing = trailing;
    x->open = true;
    bits_put(&x->s, joint ? 1 : 6, joint ? 1 : 3);
    bits_put(&x->s, leading, 5);
    bits_put(&x->s, significant & 63, 6); /* 64 is written as 0 */
    bits_put(&x->s, v >> trailing, significant);
}

/* The value where the time did not come as expected, or of the second sample. */
static void value_put(struct xor2 *x, uint64_t v)
{
    if (v == STALE_BITS) {
        bits_put(&x->s, 7, 3);
    } else if (v == x->base) {
        bits_put(&x->s, 0, 1);
    } else {
        window_put(x, v ^ x->base, false);
    }
}

/* Time and value together, from the third sample on. */
static void joint_put(struct xor2 *x, int64_t dod, uint64_t v)
{
    if (dod == 0) {
        if (v == STALE_BITS) {
            bits_put(&x->s, 31, 5);
        } else if (v == x->base) {
            bits_put(&x->s, 0, 1);
        } else {
            bits_put(&x->s, 2, 2);
            window_put(x, v ^ x->base, true);
        }
        return;
    }
    if (dod >= -(INT64_C(1) << 12) && dod < INT64_C(1) << 12) {
        bits_put(&x->s, 6, 3);
        bits_put(&x->s, (uint64_t)dod, 13);
    } else if (dod >= -(INT64_C(1) << 19) && dod < INT64_C(1) << 19) {
        bits_put(&x->s, 14, 4);
        bits_put(&x->s, (uint64_t)dod, 20);
    } else {
        bits_put(&x->s, 30, 5);
        bits_put(&x->s, (uint64_t)dod, 64);
    }
    value_put(x, v);
}

void prom_chunk_xor2(struct buf *b, const ts_ms *ts, const ts_ms *starts, const double *values, size_t n)
{
    struct xor2 x = {.s = {.b = b}};
    struct start_writer w = {.header = b->n + HEADER_BYTES};
    bits_put(&x.s, n, 16);
    bits_put(&x.s, 0, 8);
    for (size_t i = 0; i < n; i++) {
        uint64_t v = bits_of(values[i]);
        int64_t delta = i ? minus(ts[i], ts[i - 1]) : 0;
        if (i == 0) {
            bits_put_uvarint(&x.s, bits_zigzag(ts[0]));
            bits_put(&x.s, v, 64);
        } else if (i == 1) {
            bits_put_uvarint(&x.s, (uint64_t)delta);
            value_put(&x, v);
        } else {
            joint_put(&x, minus(delta, minus(ts[i - 1], ts[i - 2])), v);
        }
        x.base = v == STALE_BITS ? x.base : v;
        start_put(&w, &x.s, ts[i], starts[i]);
    }
}
