/* Counter resets of native histograms: does a histogram hold all that the one before it held? */
#include <math.h>

#include "metrics/model/histogram_arith.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"

/* The buckets of a side in a coarser schema, without those that end at or below a threshold. */
struct coarse {
    struct histogram_side side;
    unsigned shift;
    int schema; /* of the result */
    double from;
    bool skipping;
    bool ahead; /* one bucket has been read and not used */
    int64_t ahead_index;
    double ahead_count;
};

static struct coarse coarse_up(const struct histogram *h, bool positive, int schema, double from)
{
    return (struct coarse){.side = histogram_side_up(h, positive),
                           .shift = (unsigned)(h->schema - schema),
                           .schema = schema,
                           .from = from,
                           .skipping = from != 0 && schema != HISTOGRAM_SCHEMA_CUSTOM};
}

static bool coarse_read(struct coarse *c, int64_t *ret_index, double *ret_count)
{
    if (c->ahead) {
        c->ahead = false;
        *ret_index = c->ahead_index;
        *ret_count = c->ahead_count;
        return true;
    }
    if (!histogram_side_next(&c->side, ret_index, ret_count)) {
        return false;
    }
    *ret_index = c->shift ? histogram_coarser(*ret_index, c->shift) : *ret_index;
    return true;
}

static bool coarse_next(struct coarse *c, int64_t *ret_index, double *ret_count)
{
    int64_t index = 0, next = 0;
    double count = 0, more = 0;
    do {
        if (!coarse_read(c, &index, &count)) {
            return false;
        }
        while (c->shift && coarse_read(c, &next, &more)) {
            if (next != index) {
                c->ahead = true;
                c->ahead_index = next;
                c->ahead_count = more;
                break;
            }
            count += more;
        }
    } while (c->skipping && histogram_exponential_bound(index, c->schema) <= c->from);
    c->skipping = false;
    *ret_index = index;
    *ret_count = count;
    return true;
}

/* True when a bucket of `before` lost observations. */
static bool side_lost(struct coarse now, struct coarse before)
{
    int64_t index = 0, at = 0;
    double was = 0, is = 0;
    bool have = coarse_next(&now, &at, &is);
    while (coarse_next(&before, &index, &was)) {
        while (have && at < index) {
            have = coarse_next(&now, &at, &is);
        }
        if (!have || at > index ? was != 0 : is < was) {
            return true;
        }
    }
    return false;
}

/* The sum of the buckets that end at or below a bound and have not been counted yet. */
struct roll {
    struct histogram_side side;
    const struct histogram *h;
    bool ahead, over;
    double upper, count;
};

static double roll_to(struct roll *r, double bound)
{
    double sum = 0;
    while (!r->over) {
        if (!r->ahead) {
            int64_t index = 0;
            r->over = !histogram_side_next(&r->side, &index, &r->count);
            if (r->over) {
                break;
            }
            r->upper = histogram_bound(r->h, index);
            r->ahead = true;
        }
        if (!(r->upper <= bound)) {
            break;
        }
        sum += r->count;
        r->ahead = false;
    }
    return sum;
}

/* Custom buckets are compared between the bounds that both have. */
static bool custom_lost(const struct histogram *h, const struct histogram *before)
{
    struct roll now = {.side = histogram_side_up(h, true), .h = h};
    struct roll was = {.side = histogram_side_up(before, true), .h = before};
    uint32_t i = 0, k = 0;
    while (i <= h->custom_value_count && k <= before->custom_value_count) {
        double x = histogram_bound(h, i), y = histogram_bound(before, k);
        if (x == y) {
            double is = roll_to(&now, x), had = roll_to(&was, x);
            if (is < had) {
                return true;
            }
            i++;
            k++;
        } else if (x < y) {
            i++;
        } else {
            k++;
        }
    }
    return false;
}

static bool exponential_lost(const struct histogram *h, const struct histogram *before)
{
    if (h->schema > before->schema || h->zero_threshold < before->zero_threshold) {
        return true;
    }
    double threshold = h->zero_threshold, compensation = 0;
    double zero = histogram_zero_count_for(before, &threshold, &compensation);
    if (threshold != h->zero_threshold || h->zero_count < zero) {
        return true;
    }
    for (int positive = 1; positive >= 0; positive--) {
        if (side_lost(coarse_up(h, positive, h->schema, h->zero_threshold),
                      coarse_up(before, positive, h->schema, h->zero_threshold))) {
            return true;
        }
    }
    return false;
}

bool histogram_reset_since(const struct histogram *h, const struct histogram *before)
{
    if (h->reset_hint == HRESET_YES || h->reset_hint == HRESET_NO) {
        return h->reset_hint == HRESET_YES;
    }
    if (h->count < before->count) {
        return true;
    }
    if (!histogram_custom(h)) {
        return histogram_custom(before) || exponential_lost(h, before);
    }
    if (!histogram_custom(before)) {
        return true;
    }
    if (!histogram_bounds_equal(h, before)) {
        return custom_lost(h, before);
    }
    return side_lost(coarse_up(h, true, h->schema, 0), coarse_up(before, true, h->schema, 0));
}

enum histogram_reset histogram_hint_after(const struct histogram *h, const struct histogram *before)
{
    if (h->reset_hint == HRESET_GAUGE) {
        return HRESET_GAUGE;
    }
    if (!before || h->reset_hint == HRESET_YES || before->reset_hint == HRESET_GAUGE ||
        before->is_float != h->is_float || is_stale_nan(before->sum)) {
        return HRESET_UNKNOWN;
    }
    if (is_stale_nan(h->sum)) {
        return HRESET_NO;
    }
    if (h->schema != before->schema || h->zero_threshold != before->zero_threshold ||
        !histogram_bounds_equal(h, before)) {
        return HRESET_UNKNOWN;
    }
    struct histogram unknown = *h;
    unknown.reset_hint = HRESET_UNKNOWN;
    return histogram_reset_since(&unknown, before) ? HRESET_UNKNOWN : HRESET_NO;
}
