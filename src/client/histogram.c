/* Classic histograms: a count for each bucket and a sum, in copies so that threads on different cores don't
 * meet. Buckets are kept apart (not cumulative) and added up when they are exposed, so the count that a
 * reader sees is always the +Inf bucket that it sees; the sum may be ahead or behind by the observations
 * under way. */
#include "types_int.h"

#include <math.h>
#include <stdlib.h>

enum {
    LINE_WORDS = CAIRN__LINE_BYTES / sizeof(uint64_t)
};

static unsigned copy_words(size_t bound_count)
{
    size_t words = 1 + bound_count + 1;
    return (unsigned)((words + LINE_WORDS - 1) / LINE_WORDS * LINE_WORDS);
}

size_t cairn__histogram_size(const struct cairn_family *family)
{
    size_t copies = cairn__stripe_mask() + 1;
    return sizeof(struct cairn_histogram) + copies * copy_words(family->number_count) * sizeof(uint64_t);
}

void cairn__histogram_init(struct cairn__series *series)
{
    struct cairn_histogram *histogram = (struct cairn_histogram *)series;
    histogram->bounds = series->family->numbers;
    histogram->bound_count = (unsigned)series->family->number_count;
    histogram->copy_words = copy_words(series->family->number_count);
}

void cairn__histogram_done(struct cairn__series *series)
{
    struct cairn_histogram *histogram = (struct cairn_histogram *)series;
    free(atomic_load_explicit(&histogram->exemplars, memory_order_acquire));
}

struct cairn_histogram *cairn_histogram(struct cairn_family *family, const char *const *values)
{
    return (struct cairn_histogram *)cairn__series_get(family, CAIRN_HISTOGRAM, values);
}

/* Index of the first bound that is not below value; bound_count for +Inf, and for NaN. */
static unsigned bucket_of(const struct cairn_histogram *histogram, double value)
{
    const double *bounds = histogram->bounds;
    unsigned low = 0;
    unsigned high = histogram->bound_count;
    while (high - low > 16) {
        unsigned middle = low + (high - low) / 2;
        if (value <= bounds[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    while (low < high && !(value <= bounds[low])) {
        low++;
    }
    return low;
}

static void count_in(struct cairn_histogram *histogram, unsigned bucket, double value)
{
    unsigned copy = cairn__stripe() & histogram->series.stripe_mask;
    _Atomic uint64_t *words = &histogram->words[(size_t)copy * histogram->copy_words];
    (void)atomic_fetch_add_explicit(&words[1 + bucket], 1, memory_order_relaxed);
    cairn__bits_add(&words[0], value);
}

void cairn_histogram_observe(struct cairn_histogram *histogram, double value)
{
    if (histogram != NULL) {
        count_in(histogram, bucket_of(histogram, value), value);
    }
}

enum cairn_err cairn_histogram_observe_exemplar(struct cairn_histogram *histogram, double value,
                                                const struct cairn_label *labels, size_t label_count)
{
    if (histogram == NULL) {
        return CAIRN_ERR_INVALID;
    }
    unsigned bucket = bucket_of(histogram, value);
    count_in(histogram, bucket, value);
    return cairn__exemplar_keep(&histogram->exemplars, histogram->bound_count + 1, bucket, value, labels,
                                label_count);
}

static uint64_t bucket_count(const struct cairn_histogram *histogram, unsigned bucket)
{
    uint64_t count = 0;
    for (unsigned copy = 0; copy <= histogram->series.stripe_mask; copy++) {
        const _Atomic uint64_t *words = &histogram->words[(size_t)copy * histogram->copy_words];
        count += atomic_load_explicit(&words[1 + bucket], memory_order_relaxed);
    }
    return count;
}

uint64_t cairn_histogram_count(const struct cairn_histogram *histogram)
{
    uint64_t count = 0;
    for (unsigned i = 0; histogram != NULL && i <= histogram->bound_count; i++) {
        count += bucket_count(histogram, i);
    }
    return count;
}

static double copies_sum(const struct cairn_histogram *histogram)
{
    double sum = 0;
    for (unsigned copy = 0; copy <= histogram->series.stripe_mask; copy++) {
        const _Atomic uint64_t *words = &histogram->words[(size_t)copy * histogram->copy_words];
        sum += cairn__from_bits(atomic_load_explicit(&words[0], memory_order_relaxed));
    }
    return sum;
}

double cairn_histogram_sum(const struct cairn_histogram *histogram)
{
    return histogram == NULL ? 0 : copies_sum(histogram);
}

void cairn__histogram_expose(struct cairn__out *out, const struct cairn__series *series)
{
    const struct cairn_histogram *histogram = (const struct cairn_histogram *)series;
    double sum = copies_sum(histogram);
    uint64_t count = 0;
    for (unsigned i = 0; i <= histogram->bound_count; i++) {
        char bound[CAIRN__NUMBER_MAX];
        struct cairn__exemplar exemplar;
        (void)cairn__number_label(i < histogram->bound_count ? histogram->bounds[i] : HUGE_VAL, bound);
        bool has_exemplar = out->openmetrics && cairn__exemplar_read(&histogram->exemplars, i, &exemplar);
        count += bucket_count(histogram, i);
        cairn__sample(out, "_bucket", series->values, "le", bound, (double)count);
        cairn__sample_end(out, has_exemplar ? &exemplar : NULL);
    }
    cairn__sample(out, "_sum", series->values, NULL, NULL, sum);
    cairn__sample_end(out, NULL);
    cairn__sample(out, "_count", series->values, NULL, NULL, (double)count);
    cairn__sample_end(out, NULL);
    cairn__sample_created(out, series);
}

void cairn_bounds_linear(double start, double width, size_t count, double *ret_bounds)
{
    for (size_t i = 0; i < count; i++) {
        ret_bounds[i] = start + (double)i * width;
    }
}

void cairn_bounds_exponential(double start, double factor, size_t count, double *ret_bounds)
{
    double bound = start;
    for (size_t i = 0; i < count; i++) {
        ret_bounds[i] = bound;
        bound *= factor;
    }
}
