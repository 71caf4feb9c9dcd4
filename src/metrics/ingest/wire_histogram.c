/* Native histograms as they travel become values: deltas summed up, unknown schemas refused, finer ones
 * reduced. */
#include "metrics/ingest/wire_histogram.h"

#include "metrics/model/histogram_arith.h"
#include "metrics/model/value.h"

static struct histogram_span *copy_spans(struct arena *a, const struct wire_span *spans, size_t n)
{
    struct histogram_span *out = arena_array(a, n + 1, sizeof(*out));
    for (size_t i = 0; out && i < n; i++) {
        out[i] = (struct histogram_span){spans[i].offset, spans[i].length};
    }
    return out;
}

/* Absolute counts out of deltas or counts. */
static double *bucket_counts(struct arena *a, bool is_float, const int64_t *deltas, const double *counts,
                             size_t n)
{
    double *out = arena_array(a, n + 1, sizeof(*out));
    int64_t running = 0;
    for (size_t i = 0; out && i < n; i++) {
        if (is_float) {
            out[i] = counts[i];
        } else {
            running += deltas[i];
            out[i] = (double)running;
        }
    }
    return out;
}

static struct histogram *convert(struct arena *a, const struct wire_histogram *w)
{
    struct histogram *h = arena_zalloc(a, sizeof(*h));
    if (!h) {
        return NULL;
    }
    *h = (struct histogram){
        .schema = (int8_t)w->schema,
        .is_float = w->is_float,
        .reset_hint = w->reset_hint <= HRESET_GAUGE ? w->reset_hint : HRESET_UNKNOWN,
        .zero_threshold = w->zero_threshold,
        .zero_count = w->is_float ? w->zero_count_float : (double)w->zero_count_int,
        .count = w->is_float ? w->count_float : (double)w->count_int,
        .sum = w->sum,
        .positive_spans = copy_spans(a, w->positive_spans, w->positive_span_count),
        .negative_spans = copy_spans(a, w->negative_spans, w->negative_span_count),
        .positive_span_count = (uint32_t)w->positive_span_count,
        .negative_span_count = (uint32_t)w->negative_span_count,
        .positive = bucket_counts(a, w->is_float, w->positive_deltas, w->positive_counts, w->positive_count),
        .negative = bucket_counts(a, w->is_float, w->negative_deltas, w->negative_counts, w->negative_count),
        .positive_count = (uint32_t)w->positive_count,
        .negative_count = (uint32_t)w->negative_count,
        .custom_values = w->custom_values,
        .custom_value_count = (uint32_t)w->custom_value_count,
    };
    return h->positive_spans && h->negative_spans && h->positive && h->negative ? h : NULL;
}

/* Schemas finer than ours are known, and reduced. */
static enum err reduce(struct arena *a, const struct histogram **h, struct err_info *info)
{
    struct histogram probe = **h;
    struct histogram_acc acc;
    probe.schema = HISTOGRAM_SCHEMA_MAX;
    enum err e = histogram_check(&probe, info);
    e = e == ERR_OK ? histogram_acc_init(&acc, a, *h) : e;
    if (e != ERR_OK) {
        return e;
    }
    histogram_acc_reduce(&acc, HISTOGRAM_SCHEMA_MAX);
    acc.is_float = (*h)->is_float;
    return histogram_acc_value(&acc, h);
}

enum err histogram_from_wire(struct arena *a, const struct wire_histogram *w, const struct histogram **ret_h,
                             struct err_info *info)
{
    bool custom = w->schema == HISTOGRAM_SCHEMA_CUSTOM;
    if (!custom && (w->schema < HISTOGRAM_SCHEMA_KNOWN_MIN || w->schema > HISTOGRAM_SCHEMA_KNOWN_MAX)) {
        return err_set(
            info, ERR_INVALID,
            "histogram has an unknown schema, which must be between %d and %d for exponential buckets, "
            "or %d for custom buckets, got schema %d",
            HISTOGRAM_SCHEMA_KNOWN_MIN, HISTOGRAM_SCHEMA_KNOWN_MAX, HISTOGRAM_SCHEMA_CUSTOM, (int)w->schema);
    }
    const struct histogram *h = convert(a, w);
    if (!h) {
        return arena_err(a);
    }
    if (!custom && h->schema > HISTOGRAM_SCHEMA_MAX) {
        enum err e = reduce(a, &h, info);
        if (e != ERR_OK) {
            return e;
        }
    }
    *ret_h = h;
    return is_stale_nan(h->sum) ? ERR_OK : histogram_check(h, info);
}

static struct wire_span *wire_spans(struct arena *a, const struct histogram_span *spans, size_t n)
{
    struct wire_span *out = arena_array(a, n + 1, sizeof(*out));
    for (size_t i = 0; out && i < n; i++) {
        out[i] = (struct wire_span){spans[i].offset, spans[i].length};
    }
    return out;
}

static int64_t *wire_deltas(struct arena *a, const double *counts, size_t n)
{
    int64_t *out = arena_array(a, n + 1, sizeof(*out)), before = 0;
    for (size_t i = 0; out && i < n; i++) {
        out[i] = (int64_t)counts[i] - before;
        before = (int64_t)counts[i];
    }
    return out;
}

static const double *copy_doubles(struct arena *a, const double *v, size_t n)
{
    double *out = arena_array(a, n + 1, sizeof(*out));
    if (out && n) {
        memcpy(out, v, n * sizeof(*out));
    }
    return out;
}

/* Nothing is borrowed: the value is often a cursor's, and the message outlives it. */
enum err histogram_to_wire(struct arena *a, const struct histogram *h, ts_ms ts, struct wire_histogram *ret_w)
{
    struct wire_span *positive = wire_spans(a, h->positive_spans, h->positive_span_count),
                     *negative = wire_spans(a, h->negative_spans, h->negative_span_count);
    int64_t *positive_deltas = h->is_float ? NULL : wire_deltas(a, h->positive, h->positive_count),
            *negative_deltas = h->is_float ? NULL : wire_deltas(a, h->negative, h->negative_count);
    const double *positive_counts = h->is_float ? copy_doubles(a, h->positive, h->positive_count) : NULL,
                 *negative_counts = h->is_float ? copy_doubles(a, h->negative, h->negative_count) : NULL,
                 *custom = copy_doubles(a, h->custom_values, h->custom_value_count);
    if (!positive || !negative || !custom || (!h->is_float && (!positive_deltas || !negative_deltas)) ||
        (h->is_float && (!positive_counts || !negative_counts))) {
        return arena_err(a);
    }
    *ret_w = (struct wire_histogram){.is_float = h->is_float,
                                     .schema = h->schema,
                                     .reset_hint = h->reset_hint,
                                     .sum = h->sum,
                                     .zero_threshold = h->zero_threshold,
                                     .count_int = h->is_float ? 0 : (uint64_t)h->count,
                                     .zero_count_int = h->is_float ? 0 : (uint64_t)h->zero_count,
                                     .count_float = h->count,
                                     .zero_count_float = h->zero_count,
                                     .positive_spans = positive,
                                     .negative_spans = negative,
                                     .positive_span_count = h->positive_span_count,
                                     .negative_span_count = h->negative_span_count,
                                     .positive_deltas = positive_deltas,
                                     .negative_deltas = negative_deltas,
                                     .positive_counts = positive_counts,
                                     .negative_counts = negative_counts,
                                     .positive_count = h->positive_count,
                                     .negative_count = h->negative_count,
                                     .custom_values = custom,
                                     .custom_value_count = h->custom_value_count,
                                     .ts = ts};
    return ERR_OK;
}
