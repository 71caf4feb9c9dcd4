/* Native histograms as they are: iteration over buckets, validity, equality, copies. */
#include <math.h>

#include "metrics/model/histogram_arith.h"
#include "metrics/model/value.h"

/* -- iteration ------------------------------------------------------------------------------------------- */

struct histogram_side histogram_side_up(const struct histogram *h, bool positive)
{
    return (struct histogram_side){.spans = positive ? h->positive_spans : h->negative_spans,
                                   .counts = positive ? h->positive : h->negative,
                                   .span_count = positive ? h->positive_span_count : h->negative_span_count,
                                   .count = positive ? h->positive_count : h->negative_count};
}

bool histogram_side_next(struct histogram_side *s, int64_t *ret_index, double *ret_count)
{
    if (s->at >= s->count) {
        return false;
    }
    while (s->span < s->span_count && s->in_span >= s->spans[s->span].length) {
        s->span++;
        s->in_span = 0;
    }
    if (s->span >= s->span_count) {
        return false;
    }
    if (s->in_span == 0) { /* spans without buckets shift what follows, too */
        s->index = s->at == 0 ? 0 : s->index;
        for (uint32_t i = s->span; i > 0 && s->spans[i - 1].length == 0; i--) {
            s->index += s->spans[i - 1].offset;
        }
        s->index += s->spans[s->span].offset;
    }
    *ret_index = s->index++;
    *ret_count = s->counts[s->at++];
    s->in_span++;
    return true;
}

struct histogram_side histogram_side_down(const struct histogram *h, bool positive)
{
    struct histogram_side s = histogram_side_up(h, positive);
    for (uint32_t i = 0; i < s.span_count; i++) {
        s.index += s.spans[i].offset + (int64_t)s.spans[i].length;
    }
    s.span = s.span_count;
    s.at = s.count;
    return s;
}

bool histogram_side_prev(struct histogram_side *s, int64_t *ret_index, double *ret_count)
{
    while (s->in_span == 0) {
        if (s->span == 0) {
            return false;
        }
        if (s->span < s->span_count) {
            s->index -= s->spans[s->span].offset;
        }
        s->in_span = s->spans[--s->span].length;
    }
    if (s->at == 0) {
        return false;
    }
    s->in_span--;
    *ret_index = --s->index;
    *ret_count = s->counts[--s->at];
    return true;
}

struct histogram_bucket histogram_bucket_at(const struct histogram *h, bool positive, int64_t index,
                                            double count)
{
    double far = histogram_bound(h, index), near = histogram_bound(h, index - 1);
    struct histogram_bucket b = {.index = index, .count = count};
    b.lower = positive ? near : -far;
    b.upper = positive ? far : -near;
    b.lower_inclusive = histogram_custom(h) ? index == 0 : b.lower < 0;
    b.upper_inclusive = histogram_custom(h) || b.upper > 0;
    return b;
}

struct histogram_iter histogram_iter_all(const struct histogram *h, bool descending)
{
    return (struct histogram_iter){.h = h,
                                   .down = histogram_side_down(h, descending),
                                   .up = histogram_side_up(h, !descending),
                                   .descending = descending};
}

/* Cuts a bucket where the zero bucket begins. */
static void cut_at_zero(const struct histogram *h, struct histogram_bucket *b)
{
    if (b->upper < 0 && b->upper > -h->zero_threshold) {
        b->upper = -h->zero_threshold;
    } else if (b->lower > 0 && b->lower < h->zero_threshold) {
        b->lower = h->zero_threshold;
    }
}

bool histogram_iter_next(struct histogram_iter *it, struct histogram_bucket *ret_bucket)
{
    const struct histogram *h = it->h;
    int64_t index = 0;
    double count = 0;
    if (it->state == 0) {
        if (histogram_side_prev(&it->down, &index, &count)) {
            *ret_bucket = histogram_bucket_at(h, it->descending, index, count);
            cut_at_zero(h, ret_bucket);
            return true;
        }
        it->state = 1;
    }
    if (it->state == 1) {
        it->state = 2;
        if (h->zero_count > 0) {
            *ret_bucket = (struct histogram_bucket){
                -h->zero_threshold, h->zero_threshold, h->zero_count, 0, true, true};
            return true;
        }
    }
    if (!histogram_side_next(&it->up, &index, &count)) {
        return false;
    }
    *ret_bucket = histogram_bucket_at(h, !it->descending, index, count);
    cut_at_zero(h, ret_bucket);
    return true;
}

/* -- validity -------------------------------------------------------------------------------------------- */

static enum err check_spans(const char *side, const struct histogram_span *spans, uint32_t n,
                            uint32_t buckets, bool first_too, struct err_info *info)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        if ((i > 0 || first_too) && spans[i].offset < 0) {
            return err_set(info, ERR_INVALID,
                           "%s: span number %u with offset %d: histogram has a span whose offset is negative",
                           side, i + 1, spans[i].offset);
        }
        sum += spans[i].length;
    }
    if (sum != buckets) {
        return err_set(
            info, ERR_INVALID,
            "%s: spans need %llu buckets, have %u buckets: histogram spans specify different number of "
            "buckets than provided",
            side, (unsigned long long)sum, buckets);
    }
    return ERR_OK;
}

static enum err check_buckets(const char *side, const double *counts, uint32_t n, double *sum,
                              struct err_info *info)
{
    for (uint32_t i = 0; i < n; i++) {
        if (counts[i] < 0) {
            return err_set(
                info, ERR_INVALID,
                "%s: bucket number %u has observation count of %.17g: histogram has a bucket whose "
                "observation count is negative",
                side, i + 1, counts[i]);
        }
        *sum += counts[i];
    }
    return ERR_OK;
}

static enum err check_bounds(const struct histogram *h, struct err_info *info)
{
    const double *v = h->custom_values;
    uint32_t n = h->custom_value_count;
    for (uint32_t i = 0; i < n; i++) {
        if (isnan(v[i])) {
            return err_set(info, ERR_INVALID, "custom buckets: histogram custom bounds must not be NaN");
        }
        if (i > 0 && v[i] <= v[i - 1]) {
            return err_set(
                info, ERR_INVALID,
                "custom buckets: previous bound is %f and current is %f: histogram custom bounds must "
                "be in strictly increasing order",
                v[i - 1], v[i]);
        }
    }
    if (n > 0 && isinf(v[n - 1]) && v[n - 1] > 0) {
        return err_set(
            info, ERR_INVALID,
            "custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds "
            "must be finite");
    }
    enum err e = check_spans("custom buckets", h->positive_spans, h->positive_span_count, h->positive_count,
                             true, info);
    uint64_t covered = 0;
    for (uint32_t i = 0; i < h->positive_span_count && e == ERR_OK; i++) {
        covered += (uint64_t)h->positive_spans[i].offset + h->positive_spans[i].length;
    }
    if (e == ERR_OK && (uint64_t)n + 1 < covered) {
        e = err_set(
            info, ERR_INVALID,
            "custom buckets: only %u custom bounds defined which is insufficient to cover total span length "
            "of %llu: histogram custom bounds are too few",
            n, (unsigned long long)covered);
    }
    return e;
}

static enum err check_custom(const struct histogram *h, struct err_info *info)
{
    enum err e = check_bounds(h, info);
    if (e != ERR_OK) {
        return e;
    }
    const char *flaw = h->zero_count != 0       ? "must have zero count of 0"
                       : h->zero_threshold != 0 ? "must have zero threshold of 0"
                       : h->negative_span_count ? "must not have negative spans"
                       : h->negative_count      ? "must not have negative buckets"
                                                : NULL;
    return flaw ? err_set(info, ERR_INVALID, "custom buckets: %s", flaw) : ERR_OK;
}

static enum err check_exponential(const struct histogram *h, double *sum, struct err_info *info)
{
    enum err e = check_spans("positive side", h->positive_spans, h->positive_span_count, h->positive_count,
                             false, info);
    if (e == ERR_OK) {
        e = check_spans("negative side", h->negative_spans, h->negative_span_count, h->negative_count, false,
                        info);
    }
    e = e == ERR_OK ? check_buckets("negative side", h->negative, h->negative_count, sum, info) : e;
    if (e == ERR_OK && h->zero_count < 0) {
        e = err_set(
            info, ERR_INVALID,
            "zero bucket has observation count of %.17g: histogram has a bucket whose observation count is "
            "negative",
            h->zero_count);
    }
    if (e == ERR_OK && h->custom_value_count) {
        e = err_set(info, ERR_INVALID, "histogram with exponential schema must not have custom bounds");
    }
    return e;
}

/* Integer counts add up to the total; with NaN observations, which are in no bucket, to no more. */
static enum err check_total(const struct histogram *h, double sum, struct err_info *info)
{
    if (h->is_float || (isnan(h->sum) ? sum <= h->count : sum == h->count)) {
        return ERR_OK;
    }
    return err_set(info, ERR_INVALID, "%.0f observations found in buckets, but the Count field is %.0f: %s",
                   sum, h->count,
                   isnan(h->sum)
                       ? "histogram's observation count should be at least the number of observations "
                         "found in the buckets"
                       : "histogram's observation count should equal the number of observations found "
                         "in the buckets (in absence of NaN)");
}

enum err histogram_check(const struct histogram *h, struct err_info *reterr_info)
{
    double negative = 0, positive = 0;
    enum err e = ERR_OK;
    if (histogram_custom(h)) {
        e = check_custom(h, reterr_info);
    } else if (h->schema >= HISTOGRAM_SCHEMA_MIN && h->schema <= HISTOGRAM_SCHEMA_MAX) {
        e = check_exponential(h, &negative, reterr_info);
    } else {
        return err_set(
            reterr_info, ERR_INVALID,
            "histogram has an invalid schema, which must be between %d and %d for exponential buckets, "
            "or %d for custom buckets, got schema %d",
            HISTOGRAM_SCHEMA_MIN, HISTOGRAM_SCHEMA_MAX, HISTOGRAM_SCHEMA_CUSTOM, h->schema);
    }
    if (e == ERR_OK && h->count < 0) {
        e = err_set(reterr_info, ERR_INVALID,
                    "observation count is  %.17g: histogram's observation count is negative", h->count);
    }
    e = e == ERR_OK ? check_buckets("positive side", h->positive, h->positive_count, &positive, reterr_info)
                    : e;
    return e == ERR_OK ? check_total(h, negative + positive + h->zero_count, reterr_info) : e;
}

/* -- equality and copies --------------------------------------------------------------------------------- */

/* The next span that has buckets, with what empty ones before it add to its offset. False: only empty ones.
 */
static bool next_span(const struct histogram_span *spans, uint32_t n, uint32_t *at, int64_t *ret_offset,
                      uint32_t *ret_length)
{
    *ret_offset = 0;
    while (*at < n) {
        const struct histogram_span *s = &spans[(*at)++];
        *ret_offset += s->offset;
        if (s->length) {
            *ret_length = s->length;
            return true;
        }
    }
    return false;
}

static bool spans_equal(const struct histogram_span *a, uint32_t an, const struct histogram_span *b,
                        uint32_t bn)
{
    uint32_t i = 0, k = 0, la = 0, lb = 0;
    for (;;) {
        int64_t oa, ob;
        bool more_a = next_span(a, an, &i, &oa, &la), more_b = next_span(b, bn, &k, &ob, &lb);
        if (!more_a || !more_b) {
            return more_a == more_b;
        }
        if (oa != ob || la != lb) {
            return false;
        }
    }
}

static bool bits_equal(const double *a, uint32_t an, const double *b, uint32_t bn)
{
    return an == bn && (an == 0 || memcmp(a, b, an * sizeof(*a)) == 0);
}

bool histogram_bounds_equal(const struct histogram *a, const struct histogram *b)
{
    if (a->custom_value_count != b->custom_value_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->custom_value_count; i++) {
        if (a->custom_values[i] != b->custom_values[i]) {
            return false;
        }
    }
    return true;
}

bool histogram_equal(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema && f64_bits(a->count) == f64_bits(b->count) &&
           f64_bits(a->sum) == f64_bits(b->sum) && (!histogram_custom(a) || histogram_bounds_equal(a, b)) &&
           a->zero_threshold == b->zero_threshold && f64_bits(a->zero_count) == f64_bits(b->zero_count) &&
           spans_equal(a->negative_spans, a->negative_span_count, b->negative_spans,
                       b->negative_span_count) &&
           bits_equal(a->negative, a->negative_count, b->negative, b->negative_count) &&
           spans_equal(a->positive_spans, a->positive_span_count, b->positive_spans,
                       b->positive_span_count) &&
           bits_equal(a->positive, a->positive_count, b->positive, b->positive_count);
}

size_t histogram_copy_bytes(const struct histogram *h)
{
    return sizeof(*h) +
           ((size_t)h->positive_count + h->negative_count + h->custom_value_count) * sizeof(double) +
           ((size_t)h->positive_span_count + h->negative_span_count) * sizeof(struct histogram_span);
}

static void *put(char **at, const void *p, size_t n)
{
    void *to = *at;
    if (n) {
        memcpy(to, p, n);
    }
    *at += n;
    return to;
}

struct histogram *histogram_copy(const struct histogram *h, void *mem)
{
    struct histogram *c = mem;
    char *at = (char *)mem + sizeof(*c);
    *c = *h;
    c->positive = put(&at, h->positive, h->positive_count * sizeof(double));
    c->negative = put(&at, h->negative, h->negative_count * sizeof(double));
    c->custom_values = put(&at, h->custom_values, h->custom_value_count * sizeof(double));
    c->positive_spans = put(&at, h->positive_spans, h->positive_span_count * sizeof(*h->positive_spans));
    c->negative_spans = put(&at, h->negative_spans, h->negative_span_count * sizeof(*h->negative_spans));
    return c;
}

enum {
    HEADER_BYTES = 168, /* of the original's structure: its limits count with it */
    POINT_BYTES = 8,
    FLOAT_POINT_BYTES = 16
};

static size_t original_bytes(const struct histogram *h)
{
    size_t parts = (size_t)h->positive_count + h->negative_count + h->custom_value_count +
                   h->positive_span_count + h->negative_span_count;
    return HEADER_BYTES + parts * 8;
}

size_t histogram_point_cost(const struct histogram *h)
{
    return (original_bytes(h) + POINT_BYTES) / FLOAT_POINT_BYTES;
}

size_t histogram_element_cost(const struct histogram *h)
{
    return 1 + original_bytes(h) / FLOAT_POINT_BYTES;
}
