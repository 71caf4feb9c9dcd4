/* Cutting and encoding chunks. */
#include "metrics/promtsdb/prom_chunks_write.h"

#include "codec/varint.h"
#include "metrics/ingest/wire_histogram.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"

enum err prom_chunk_encoder_init(struct prom_chunk_encoder *c)
{
    *c = (struct prom_chunk_encoder){0};
    arena_init(&c->scratch, 0, NULL);
    return prom_histogram_chunk_new(&c->histograms);
}

void prom_chunk_encoder_done(struct prom_chunk_encoder *c)
{
    prom_histogram_chunk_free(c->histograms);
    arena_done(&c->scratch);
    buf_done(&c->data);
}

/* The samples at hand. */
struct samples {
    const ts_ms *ts;
    const double *values;
    const struct histogram *const *histograms; /* may be NULL */
    const ts_ms *starts;                       /* NULL: none are written */
    size_t n;
};

static bool any_start(const struct samples *s, size_t from, size_t n)
{
    for (size_t i = from; s->starts && i < from + n; i++) {
        if (s->starts[i]) {
            return true;
        }
    }
    return false;
}

static const struct histogram *histogram_at(const struct samples *s, size_t i)
{
    return s->histograms ? s->histograms[i] : NULL;
}

static void chunk_append(struct prom_chunk_encoder *c, const struct samples *s, size_t from, size_t n,
                         enum prom_chunk_encoding encoding, struct buf *out)
{
    write_zigzag(out, s->ts[from]);
    write_varint(out, (uint64_t)s->ts[from + n - 1] - (uint64_t)s->ts[from]);
    write_varint(out, c->data.n);
    write_u8(out, (uint8_t)encoding);
    buf_append(out, c->data.p, c->data.n);
    out->err = out->err == ERR_OK ? c->data.err : out->err;
}

/* -- floats ---------------------------------------------------------------------------------------------- */

static size_t floats_encode(struct prom_chunk_encoder *c, const struct samples *s, size_t from,
                            struct buf *out)
{
    size_t n = 1;
    while (from + n < s->n && n < PROM_CHUNK_SAMPLES_MAX && !histogram_at(s, from + n)) {
        n++;
    }
    buf_reset(&c->data);
    bool starts = any_start(s, from, n);
    if (starts) {
        prom_chunk_xor2(&c->data, s->ts + from, s->starts + from, s->values + from, n);
    } else {
        prom_chunk_xor(&c->data, s->ts + from, s->values + from, n);
    }
    chunk_append(c, s, from, n, starts ? PROM_CHUNK_XOR2 : PROM_CHUNK_XOR, out);
    return n;
}

/* -- histograms ------------------------------------------------------------------------------------------ */

static bool spans_equal(const struct histogram_span *a, uint32_t an, const struct histogram_span *b,
                        uint32_t bn)
{
    return an == bn && (an == 0 || memcmp(a, b, an * sizeof(*a)) == 0);
}

static bool layout_equal(const struct histogram *a, const struct histogram *b)
{
    return a->is_float == b->is_float && a->schema == b->schema &&
           f64_bits(a->zero_threshold) == f64_bits(b->zero_threshold) &&
           spans_equal(a->positive_spans, a->positive_span_count, b->positive_spans,
                       b->positive_span_count) &&
           spans_equal(a->negative_spans, a->negative_span_count, b->negative_spans,
                       b->negative_span_count) &&
           a->custom_value_count == b->custom_value_count &&
           (a->custom_value_count == 0 || memcmp(a->custom_values, b->custom_values,
                                                 a->custom_value_count * sizeof(*a->custom_values)) == 0);
}

static bool stale(const struct histogram *h)
{
    return is_stale_nan(h->sum);
}

/* Whether h goes into the chunk that began with `first` and ends with `last`. Inside a chunk of counters
 * readers take it for granted that nothing was reset. */
static bool continues(const struct histogram *first, const struct histogram *last, const struct histogram *h)
{
    if (!h || h->is_float != first->is_float) {
        return false;
    }
    if (stale(h)) {
        return true; /* of whatever layout */
    }
    bool gauge = first->reset_hint == HRESET_GAUGE;
    return !stale(last) && layout_equal(first, h) && gauge == (h->reset_hint == HRESET_GAUGE) &&
           (gauge || !histogram_reset_since(h, last));
}

/* What the chunk's header says of resets before it. `before`: the histogram before it in the block. */
static uint8_t header_hint(const struct histogram *h, const struct histogram *before)
{
    if (h->reset_hint == HRESET_GAUGE) {
        return HRESET_GAUGE;
    }
    if (!before || stale(before) || stale(h) || before->reset_hint == HRESET_GAUGE) {
        return HRESET_UNKNOWN;
    }
    return histogram_reset_since(h, before) ? HRESET_YES : HRESET_NO;
}

/* How many histograms from `from` on make a chunk. */
static size_t histograms_count(const struct samples *s, size_t from)
{
    size_t n = 1;
    while (from + n < s->n && n < PROM_CHUNK_SAMPLES_MAX &&
           continues(s->histograms[from], s->histograms[from + n - 1], histogram_at(s, from + n))) {
        n++;
    }
    return n;
}

static enum prom_chunk_encoding histogram_encoding(bool is_float, bool starts)
{
    return is_float ? starts ? PROM_CHUNK_FLOAT_HISTOGRAM_ST : PROM_CHUNK_FLOAT_HISTOGRAM
           : starts ? PROM_CHUNK_HISTOGRAM_ST
                    : PROM_CHUNK_HISTOGRAM;
}

static enum err histograms_encode(struct prom_chunk_encoder *c, const struct samples *s, size_t from,
                                  struct buf *out, size_t *ret_n)
{
    const struct histogram *first = s->histograms[from];
    size_t n = histograms_count(s, from);
    bool starts = any_start(s, from, n);
    buf_reset(&c->data);
    for (size_t i = from; i < from + n; i++) {
        struct wire_histogram w = {0};
        arena_reset(&c->scratch);
        enum err e = histogram_to_wire(&c->scratch, s->histograms[i], s->ts[i], &w);
        if (e != ERR_OK) {
            return e;
        }
        w.start_ts = starts ? s->starts[i] : 0;
        if (i > from) {
            prom_histogram_chunk_add(c->histograms, &w);
        } else {
            w.reset_hint = header_hint(first, from > 0 ? histogram_at(s, from - 1) : NULL);
            prom_histogram_chunk_begin(c->histograms, &c->data, &w, starts);
        }
    }
    chunk_append(c, s, from, n, histogram_encoding(first->is_float, starts), out);
    *ret_n = n;
    return ERR_OK;
}

enum err prom_chunks_encode(struct prom_chunk_encoder *c, const ts_ms *ts, const struct metric_series *s,
                            size_t from, size_t n, struct buf *out, struct prom_encoded *counts)
{
    const struct samples all = {.ts = ts + s->clock_first + from,
                                .values = s->values + from,
                                .histograms = s->histograms ? s->histograms + from : NULL,
                                .starts = c->with_starts && s->start_ts ? s->start_ts + from : NULL,
                                .n = n};
    for (size_t i = 0; i < n;) {
        size_t took = 0;
        if (histogram_at(&all, i)) {
            enum err e = histograms_encode(c, &all, i, out, &took);
            if (e != ERR_OK) {
                return e;
            }
            counts->histograms += took;
        } else {
            took = floats_encode(c, &all, i, out);
            counts->floats += took;
        }
        counts->chunks++;
        i += took;
    }
    for (size_t i = 0; s->start_ts && i < n; i++) {
        counts->starts += s->start_ts[from + i] != 0;
    }
    return out->err;
}
