/* Accumulators of native histograms. */
#include "metrics/model/histogram_arith.h"

#include <math.h>

#include "metrics/model/bucket_list.h"

/* -- beginnings ------------------------------------------------------------------------------------------ */

enum err histogram_acc_init(struct histogram_acc *acc, struct arena *a, const struct histogram *h)
{
    *acc = (struct histogram_acc){.a = a,
                                  .schema = h->schema,
                                  .is_float = true,
                                  .reset_hint = h->reset_hint,
                                  .zero_threshold = h->zero_threshold,
                                  .zero_count = h->zero_count,
                                  .count = h->count,
                                  .sum = h->sum,
                                  .custom_values = h->custom_values,
                                  .custom_value_count = h->custom_value_count};
    enum err e = bucket_list_load(a, &acc->positive, histogram_side_up(h, true), 0, false);
    return e == ERR_OK ? bucket_list_load(a, &acc->negative, histogram_side_up(h, false), 0, false) : e;
}

enum err histogram_acc_copy(struct histogram_acc *to, const struct histogram_acc *from)
{
    struct bucket_list positive = to->positive, negative = to->negative, other = to->other, spare = to->spare;
    enum err e = bucket_list_copy(from->a, &positive, &from->positive);
    e = e == ERR_OK ? bucket_list_copy(from->a, &negative, &from->negative) : e;
    if (e != ERR_OK) {
        return e;
    }
    *to = *from;
    to->positive = positive;
    to->negative = negative;
    to->other = other;
    to->spare = spare;
    return ERR_OK;
}

/* -- zero buckets ---------------------------------------------------------------------------------------- */

/* Counts the buckets of a side that begin below the threshold. False: it lies inside a populated bucket, and
 * was moved to that bucket's end. `lost` has the compensations of the buckets, or is NULL. */
static bool zero_count_side(struct histogram_side side, const double *lost, int schema, double *threshold,
                            double *zero, double *zero_lost)
{
    int64_t index = 0;
    double count = 0;
    for (uint32_t i = 0; histogram_side_next(&side, &index, &count); i++) {
        if (histogram_exponential_bound(index - 1, schema) >= *threshold) {
            break;
        }
        kahan_plus(count, zero, zero_lost);
        if (lost) {
            kahan_plus(lost[i], zero, zero_lost);
        }
        double end = histogram_exponential_bound(index, schema);
        if (end > *threshold) {
            if (count != 0) {
                *threshold = end;
                return false;
            }
            break;
        }
    }
    return true;
}

double histogram_zero_count_for(const struct histogram *h, double *threshold, double *lost)
{
    if (*threshold == h->zero_threshold) {
        return h->zero_count;
    }
    for (;;) {
        double zero = h->zero_count;
        (void)zero_count_side(histogram_side_up(h, true), NULL, h->schema, threshold, &zero, lost);
        if (zero_count_side(histogram_side_up(h, false), NULL, h->schema, threshold, &zero, lost)) {
            return zero;
        }
    }
}

/* One bucket list as a side of single spans: for the few who walk both kinds alike. */
static bool zero_count_list(const struct bucket_list *l, bool compensated, int schema, double *threshold,
                            double *zero, double *zero_lost)
{
    for (uint32_t i = 0; i < l->n; i++) {
        if (histogram_exponential_bound(l->index[i] - 1, schema) >= *threshold) {
            break;
        }
        kahan_plus(l->count[i], zero, zero_lost);
        if (compensated) {
            kahan_plus(l->lost[i], zero, zero_lost);
        }
        double end = histogram_exponential_bound(l->index[i], schema);
        if (end > *threshold) {
            if (l->count[i] != 0) {
                *threshold = end;
                return false;
            }
            break;
        }
    }
    return true;
}

static void acc_widen_zero(struct histogram_acc *acc, double threshold)
{
    double zero = 0, lost = acc->compensated ? acc->zero_lost : 0;
    do {
        zero = acc->zero_count;
        (void)zero_count_list(&acc->positive, acc->compensated, acc->schema, &threshold, &zero, &lost);
    } while (!zero_count_list(&acc->negative, acc->compensated, acc->schema, &threshold, &zero, &lost));
    acc->zero_count = zero;
    acc->zero_lost = acc->compensated ? lost : 0;
    acc->zero_threshold = threshold;
    struct bucket_list *sides[] = {&acc->positive, &acc->negative};
    for (int s = 0; s < 2; s++) {
        struct bucket_list *l = sides[s];
        for (uint32_t i = 0; i < l->n; i++) {
            if (histogram_exponential_bound(l->index[i] - 1, acc->schema) >= threshold) {
                break;
            }
            l->count[i] = l->lost[i] = 0;
        }
        bucket_list_compact(l, acc->compensated);
    }
}

/* Finds a threshold that lies inside no populated bucket of either. Returns the other's zero count with it.
 */
static double reconcile_zero(struct histogram_acc *acc, const struct histogram *h, double *ret_lost)
{
    double zero = h->zero_count, threshold = h->zero_threshold;
    *ret_lost = 0;
    while (threshold != acc->zero_threshold) {
        if (acc->zero_threshold > threshold) {
            threshold = acc->zero_threshold;
            *ret_lost = 0;
            zero = histogram_zero_count_for(h, &threshold, ret_lost);
        }
        if (threshold > acc->zero_threshold) {
            acc_widen_zero(acc, threshold);
        }
    }
    return zero;
}

/* -- additions ------------------------------------------------------------------------------------------- */

enum adding {
    ADD_PLAIN,
    ADD_NEGATIVE,
    ADD_COMPENSATED
};

static bool hints_collide(struct histogram_acc *acc, uint8_t other)
{
    if (acc->reset_hint == other || acc->reset_hint == HRESET_GAUGE) {
        return false;
    }
    if (other == HRESET_GAUGE) {
        acc->reset_hint = HRESET_GAUGE;
        return false;
    }
    bool collide = acc->reset_hint != HRESET_UNKNOWN && other != HRESET_UNKNOWN;
    acc->reset_hint = HRESET_UNKNOWN;
    return collide;
}

static void bucket_add(struct bucket_list *l, uint32_t at, double count, double lost, enum adding how)
{
    if (how != ADD_COMPENSATED) {
        l->count[at] += count;
        return;
    }
    kahan_plus(count, &l->count[at], &l->lost[at]);
    if (lost != 0) {
        kahan_plus(lost, &l->count[at], &l->lost[at]);
    }
}

/* Adds acc->other, from bucket `from` on, to a side of the same schema. */
static enum err list_merge(struct histogram_acc *acc, struct bucket_list *l, uint32_t from, enum adding how)
{
    struct bucket_list *b = &acc->other, *out = &acc->spare;
    uint32_t i = 0, k = from;
    while (k < b->n) { /* the usual case: every bucket is there */
        while (i < l->n && l->index[i] < b->index[k]) {
            i++;
        }
        if (i == l->n || l->index[i] != b->index[k]) {
            break;
        }
        k++;
    }
    bool all = k == b->n;
    if (all) {
        for (i = 0, k = from; k < b->n; k++) {
            while (l->index[i] < b->index[k]) {
                i++;
            }
            bucket_add(l, i, b->count[k], b->lost[k], how);
        }
        return ERR_OK;
    }
    out->n = 0;
    enum err e = bucket_list_reserve(acc->a, out, l->n + b->n);
    if (e != ERR_OK) {
        return e;
    }
    for (i = 0, k = from; i < l->n || k < b->n;) {
        if (k == b->n || (i < l->n && l->index[i] < b->index[k])) {
            bucket_list_put(out, l->index[i], l->count[i], l->lost[i]);
            i++;
        } else if (i == l->n || l->index[i] > b->index[k]) {
            bucket_list_put(out, b->index[k], b->count[k], b->lost[k]);
            k++;
        } else {
            bucket_list_put(out, l->index[i], l->count[i], l->lost[i]);
            bucket_add(out, out->n - 1, b->count[k], b->lost[k], how);
            i++;
            k++;
        }
    }
    struct bucket_list swap = *l;
    *l = *out;
    *out = swap;
    return ERR_OK;
}

/* The first bucket that ends above the zero bucket. */
static uint32_t above_zero(const struct histogram_acc *acc, const struct bucket_list *l)
{
    uint32_t i = 0;
    while (acc->schema != HISTOGRAM_SCHEMA_CUSTOM && i < l->n &&
           histogram_exponential_bound(l->index[i], acc->schema) <= acc->zero_threshold) {
        i++;
    }
    return i;
}

/* The place in l, from `at` on, of all buckets of a run; l->n when one is missing. */
static uint32_t run_place(const struct bucket_list *l, uint32_t at, int64_t index, uint32_t length)
{
    while (at < l->n && l->index[at] < index) {
        at++;
    }
    bool there = at < l->n && length <= l->n - at && l->index[at] == index &&
                 l->index[at + length - 1] == index + length - 1; /* ascending: so are those between */
    return there ? at : l->n;
}

static void run_add(struct bucket_list *l, uint32_t at, const double *counts, uint32_t n, enum adding how)
{
    double *sum = l->count + at, *lost = l->lost + at;
    if (how == ADD_PLAIN) {
        for (uint32_t i = 0; i < n; i++) {
            sum[i] += counts[i];
        }
    } else if (how == ADD_NEGATIVE) {
        for (uint32_t i = 0; i < n; i++) {
            sum[i] -= counts[i];
        }
    } else {
        for (uint32_t i = 0; i < n; i++) {
            kahan_plus(counts[i], &sum[i], &lost[i]);
        }
    }
}

/* The usual case, without a copy: every bucket is there and none lies in the zero bucket. False: not so,
 * nothing is added. */
static bool side_add_runs(const struct histogram_acc *acc, struct bucket_list *l, const struct histogram *h,
                          bool positive, enum adding how)
{
    struct histogram_side s = histogram_side_up(h, positive);
    bool bounded = acc->schema != HISTOGRAM_SCHEMA_CUSTOM;
    for (int adds = 0; adds < 2; adds++) {
        int64_t index = 0;
        uint32_t at = 0, n = 0;
        for (uint32_t i = 0; i < s.span_count; i++) {
            uint32_t length = s.spans[i].length;
            index += s.spans[i].offset;
            if (!length) {
                continue;
            }
            at = run_place(l, at, index, length);
            if (adds) {
                run_add(l, at, s.counts + n, length, how);
            } else if (at == l->n || length > s.count - n ||
                       (n == 0 && bounded &&
                        histogram_exponential_bound(index, acc->schema) <= acc->zero_threshold)) {
                return false;
            }
            n += length;
            index += length;
        }
    }
    return true;
}

static enum err side_add(struct histogram_acc *acc, struct bucket_list *l, const struct histogram *h,
                         bool positive, enum adding how)
{
    unsigned shift = h->schema > acc->schema ? (unsigned)(h->schema - acc->schema) : 0;
    if (!shift && side_add_runs(acc, l, h, positive, how)) {
        return ERR_OK;
    }
    enum err e =
        bucket_list_load(acc->a, &acc->other, histogram_side_up(h, positive), shift, how == ADD_COMPENSATED);
    if (e != ERR_OK) {
        return e;
    }
    for (uint32_t i = 0; how == ADD_NEGATIVE && i < acc->other.n; i++) {
        acc->other.count[i] *= -1;
    }
    return list_merge(acc, l, above_zero(acc, &acc->other), how);
}

/* -- custom bounds --------------------------------------------------------------------------------------- */

static enum err bounds_intersect(struct histogram_acc *acc, const struct histogram *h, double **ret_bounds,
                                 uint32_t *ret_n)
{
    uint32_t i = 0, k = 0, n = 0;
    uint32_t most =
        acc->custom_value_count < h->custom_value_count ? acc->custom_value_count : h->custom_value_count;
    double *out = arena_array(acc->a, most + 1u, sizeof(*out));
    if (!out) {
        return arena_err(acc->a);
    }
    while (i < acc->custom_value_count && k < h->custom_value_count) {
        double x = acc->custom_values[i], y = h->custom_values[k];
        if (x == y) {
            out[n++] = x;
        }
        i += x <= y;
        k += y <= x;
    }
    *ret_bounds = out;
    *ret_n = n;
    return ERR_OK;
}

/* Adds buckets with bounds of their own to the buckets of the intersection, which are all there. */
static void custom_map(struct bucket_list *out, const double *common, uint32_t common_n,
                       const struct bucket_list *in, const double *bounds, uint32_t bound_n, enum adding how,
                       bool with_lost)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < in->n; i++) {
        uint32_t target = common_n;
        if (in->index[i] < (int64_t)bound_n && in->index[i] >= 0) {
            while (at < common_n && common[at] < bounds[in->index[i]]) {
                at++;
            }
            target = at;
        }
        kahan_plus(how == ADD_NEGATIVE ? -in->count[i] : in->count[i], &out->count[target],
                   &out->lost[target]);
        if (with_lost) {
            kahan_plus(in->lost[i], &out->count[target], &out->lost[target]);
        }
    }
}

static enum err custom_reconcile(struct histogram_acc *acc, const struct histogram *h, enum adding how)
{
    double *common = NULL;
    uint32_t n = 0;
    enum err e = bounds_intersect(acc, h, &common, &n);
    struct bucket_list *out = &acc->spare;
    out->n = 0;
    e = e == ERR_OK ? bucket_list_reserve(acc->a, out, n + 1) : e;
    e = e == ERR_OK ? bucket_list_load(acc->a, &acc->other, histogram_side_up(h, true), 0, false) : e;
    if (e != ERR_OK) {
        return e;
    }
    for (uint32_t i = 0; i <= n; i++) {
        bucket_list_put(out, i, 0, 0);
    }
    bool compensated = how == ADD_COMPENSATED;
    custom_map(out, common, n, &acc->positive, acc->custom_values, acc->custom_value_count, ADD_PLAIN,
               compensated);
    custom_map(out, common, n, &acc->other, h->custom_values, h->custom_value_count, how, false);
    bucket_list_compact(out, true);
    for (uint32_t i = 0; !compensated && i < out->n; i++) {
        out->lost[i] = 0;
    }
    struct bucket_list swap = acc->positive;
    acc->positive = *out;
    *out = swap;
    acc->custom_values = common;
    acc->custom_value_count = n;
    return ERR_OK;
}

static bool acc_bounds_equal(const struct histogram_acc *acc, const struct histogram *h)
{
    struct histogram mine = {.custom_values = acc->custom_values,
                             .custom_value_count = acc->custom_value_count};
    return histogram_bounds_equal(&mine, h);
}

/* -- public ---------------------------------------------------------------------------------------------- */

static void totals_add(struct histogram_acc *acc, const struct histogram *h, enum adding how)
{
    double zero_lost = 0;
    double zero = acc->schema == HISTOGRAM_SCHEMA_CUSTOM ? 0 : reconcile_zero(acc, h, &zero_lost);
    if (how == ADD_NEGATIVE) {
        acc->zero_count -= zero;
        acc->count -= h->count;
        acc->sum -= h->sum;
    } else if (how == ADD_PLAIN) {
        acc->zero_count += zero;
        acc->count += h->count;
        acc->sum += h->sum;
    } else {
        kahan_plus(zero, &acc->zero_count, &acc->zero_lost);
        kahan_plus(zero_lost, &acc->zero_count, &acc->zero_lost);
        kahan_plus(h->count, &acc->count, &acc->count_lost);
        kahan_plus(h->sum, &acc->sum, &acc->sum_lost);
    }
}

static enum err acc_add(struct histogram_acc *acc, const struct histogram *h, enum adding how,
                        struct histogram_meeting *ret_m)
{
    *ret_m = (struct histogram_meeting){0};
    bool custom = acc->schema == HISTOGRAM_SCHEMA_CUSTOM;
    if (custom != histogram_custom(h)) {
        ret_m->incompatible = true;
        return ERR_OK;
    }
    ret_m->collision = hints_collide(acc, h->reset_hint);
    acc->compensated |= how == ADD_COMPENSATED;
    totals_add(acc, h, how);
    if (custom) {
        ret_m->reconciled = !acc_bounds_equal(acc, h);
        return ret_m->reconciled ? custom_reconcile(acc, h, how)
                                 : side_add(acc, &acc->positive, h, true, how);
    }
    if (h->schema < acc->schema) {
        histogram_acc_reduce(acc, h->schema);
    }
    enum err e = side_add(acc, &acc->positive, h, true, how);
    return e == ERR_OK ? side_add(acc, &acc->negative, h, false, how) : e;
}

enum err histogram_acc_add(struct histogram_acc *acc, const struct histogram *h,
                           struct histogram_meeting *ret_m)
{
    return acc_add(acc, h, ADD_PLAIN, ret_m);
}

enum err histogram_acc_sub(struct histogram_acc *acc, const struct histogram *h,
                           struct histogram_meeting *ret_m)
{
    return acc_add(acc, h, ADD_NEGATIVE, ret_m);
}

enum err histogram_acc_add_compensated(struct histogram_acc *acc, const struct histogram *h,
                                       struct histogram_meeting *ret_m)
{
    return acc_add(acc, h, ADD_COMPENSATED, ret_m);
}

void histogram_acc_settle(struct histogram_acc *acc)
{
    if (!acc->compensated) {
        return;
    }
    struct bucket_list *sides[] = {&acc->positive, &acc->negative};
    acc->zero_count += acc->zero_lost;
    acc->count += acc->count_lost;
    acc->sum += acc->sum_lost;
    acc->zero_lost = acc->count_lost = acc->sum_lost = 0;
    for (int s = 0; s < 2; s++) {
        for (uint32_t i = above_zero(acc, sides[s]); i < sides[s]->n; i++) {
            sides[s]->count[i] += sides[s]->lost[i];
            sides[s]->lost[i] = 0;
        }
    }
    acc->compensated = false;
}

static void acc_each(struct histogram_acc *acc, double (*fn)(double, double), double by)
{
    struct bucket_list *sides[] = {&acc->positive, &acc->negative};
    double *totals[] = {&acc->zero_count, &acc->count,      &acc->sum,
                        &acc->zero_lost,  &acc->count_lost, &acc->sum_lost};
    for (size_t i = 0; i < (acc->compensated ? 6 : 3); i++) {
        *totals[i] = fn(*totals[i], by);
    }
    for (int s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < sides[s]->n; i++) {
            sides[s]->count[i] = fn(sides[s]->count[i], by);
            sides[s]->lost[i] = acc->compensated ? fn(sides[s]->lost[i], by) : 0;
        }
    }
    if (by < 0) {
        acc->reset_hint = HRESET_GAUGE;
    }
}

static double times(double v, double by)
{
    return v * by;
}

static double divided(double v, double by)
{
    return v / by;
}

void histogram_acc_scale(struct histogram_acc *acc, double factor)
{
    acc_each(acc, times, factor);
}

void histogram_acc_divide(struct histogram_acc *acc, double by)
{
    if (by == 0) {
        acc->positive.n = acc->negative.n = 0;
    }
    acc_each(acc, divided, by);
}

void histogram_acc_reduce(struct histogram_acc *acc, int schema)
{
    unsigned shift = (unsigned)(acc->schema - schema);
    bucket_list_reduce(&acc->positive, shift, acc->compensated);
    bucket_list_reduce(&acc->negative, shift, acc->compensated);
    acc->schema = schema;
}

bool histogram_acc_overflows(const struct histogram_acc *acc)
{
    const struct bucket_list *sides[] = {&acc->positive, &acc->negative};
    bool any = isinf(acc->zero_count) || isinf(acc->count) || isinf(acc->sum);
    for (int s = 0; s < 2; s++) {
        for (uint32_t i = 0; !any && i < sides[s]->n; i++) {
            any = isinf(sides[s]->count[i]);
        }
    }
    return any;
}

void histogram_acc_compact(struct histogram_acc *acc)
{
    bucket_list_compact(&acc->positive, acc->compensated);
    bucket_list_compact(&acc->negative, acc->compensated);
}

enum err histogram_acc_value(const struct histogram_acc *acc, const struct histogram **ret_h)
{
    struct histogram *h = arena_alloc(acc->a, sizeof(*h));
    if (!h) {
        return arena_err(acc->a);
    }
    *h = (struct histogram){.schema = (int8_t)acc->schema,
                            .is_float = acc->is_float,
                            .reset_hint = acc->reset_hint,
                            .zero_threshold = acc->zero_threshold,
                            .zero_count = acc->zero_count,
                            .count = acc->count,
                            .sum = acc->sum,
                            .positive_count = acc->positive.n,
                            .negative_count = acc->negative.n,
                            .custom_values = acc->custom_values,
                            .custom_value_count = acc->custom_value_count};
    enum err e =
        bucket_list_spans(acc->a, &acc->positive, &h->positive_spans, &h->positive_span_count, &h->positive);
    if (e == ERR_OK) {
        e = bucket_list_spans(acc->a, &acc->negative, &h->negative_spans, &h->negative_span_count,
                              &h->negative);
    }
    if (e == ERR_OK) {
        *ret_h = h;
    }
    return e;
}

static enum err counts_scaled(struct arena *a, const double *in, uint32_t n, double factor,
                              const double **ret_out)
{
    double *out = arena_array(a, n + 1u, sizeof(*out));
    for (uint32_t i = 0; out && i < n; i++) {
        out[i] = in[i] * factor;
    }
    *ret_out = out;
    return out ? ERR_OK : arena_err(a);
}

enum err histogram_scaled(struct arena *a, const struct histogram *h, double factor,
                          const struct histogram **ret_h)
{
    struct histogram *s = arena_alloc(a, sizeof(*s));
    if (!s) {
        return arena_err(a);
    }
    *s = *h;
    s->is_float = true;
    s->zero_count *= factor;
    s->count *= factor;
    s->sum *= factor;
    s->reset_hint = factor < 0 ? HRESET_GAUGE : s->reset_hint;
    enum err e = counts_scaled(a, h->positive, h->positive_count, factor, &s->positive);
    e = e == ERR_OK ? counts_scaled(a, h->negative, h->negative_count, factor, &s->negative) : e;
    if (e == ERR_OK) {
        *ret_h = s;
    }
    return e;
}

enum err histogram_times(struct arena *a, const struct histogram *h, double factor, bool divide,
                         const struct histogram **ret_h)
{
    struct histogram_acc acc;
    enum err e = histogram_acc_init(&acc, a, h);
    if (e != ERR_OK) {
        return e;
    }
    if (divide) {
        histogram_acc_divide(&acc, factor);
    } else {
        histogram_acc_scale(&acc, factor);
    }
    histogram_acc_compact(&acc);
    return histogram_acc_value(&acc, ret_h);
}
