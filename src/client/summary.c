/* Summaries: quantiles over a sliding window, without a lock.
 *
 * An observation goes into a bucket by sign, power of two and one of 64 linear steps within it: at most 0.8 %
 * away from the bucket's middle (the scheme of log-linear histograms). The window is cut into five slices;
 * six ages are kept, the current slice and five whole ones, so a quantile covers the last 1.0 to 1.2 windows.
 * The first thread that comes with a new slice clears the age it takes over. An observation that meets an age
 * being cleared counts in the slice before. Count and sum are exact and never reset. Does not keep minimum,
 * maximum or single values. */
#include "types_int.h"

#include <math.h>
#include <stdlib.h>

enum {
    CLEARING = -1,
    NOWHERE = -1
};

size_t cairn__summary_size(const struct cairn_family *family)
{
    (void)family;
    return sizeof(struct cairn_summary) + (cairn__stripe_mask() + 1) * sizeof(struct cairn__cell);
}

void cairn__summary_init(struct cairn__series *series)
{
    struct cairn_summary *summary = (struct cairn_summary *)series;
    summary->slice_ns = series->family->window_ns / (SUMMARY_AGES - 1);
    summary->slice_ns = summary->slice_ns > 0 ? summary->slice_ns : 1;
}

void cairn__summary_done(struct cairn__series *series)
{
    struct cairn_summary *summary = (struct cairn_summary *)series;
    for (size_t i = 0; i < SUMMARY_PAGES; i++) {
        free(atomic_load_explicit(&summary->pages[i], memory_order_acquire));
    }
}

struct cairn_summary *cairn_summary(struct cairn_family *family, const char *const *values)
{
    return (struct cairn_summary *)cairn__series_get(family, CAIRN_SUMMARY, values);
}

/* Slices count from 1: an age that holds slice 0 has never been used. */
static int64_t slice_now(const struct cairn_summary *summary)
{
    return cairn__monotonic_ns() / summary->slice_ns + 1;
}

static void age_clear(struct cairn_summary *summary, size_t age)
{
    atomic_store_explicit(&summary->zeros[age], 0, memory_order_relaxed);
    for (size_t i = 0; i < SUMMARY_PAGES; i++) {
        struct summary_page *page = atomic_load_explicit(&summary->pages[i], memory_order_acquire);
        for (size_t step = 0; page != NULL && step < SUMMARY_STEPS; step++) {
            atomic_store_explicit(&page->counts[age][step], 0, memory_order_relaxed);
        }
    }
}

/* The age to count in now; NOWHERE when the clock has jumped so that none fits. */
static int age_take(struct cairn_summary *summary)
{
    int64_t slice = slice_now(summary);
    size_t age = (size_t)(slice % SUMMARY_AGES);
    /* Acquire: pairs with the release below, so that nobody counts before the clearing is done. */
    int64_t held = atomic_load_explicit(&summary->slices[age], memory_order_acquire);
    if (held == slice) {
        return (int)age;
    }
    if (held < slice && held != CLEARING &&
        atomic_compare_exchange_strong_explicit(&summary->slices[age], &held, CLEARING, memory_order_acquire,
                                                memory_order_acquire)) {
        age_clear(summary, age);
        atomic_store_explicit(&summary->slices[age], slice, memory_order_release);
        return (int)age;
    }
    size_t before = (size_t)((slice - 1) % SUMMARY_AGES);
    held = atomic_load_explicit(&summary->slices[before], memory_order_acquire);
    return held == slice - 1 ? (int)before : NOWHERE;
}

/* The page for pages[index], made on first use; NULL when memory is short. */
static struct summary_page *page_take(struct cairn_summary *summary, size_t index)
{
    struct summary_page *page = atomic_load_explicit(&summary->pages[index], memory_order_acquire);
    if (page != NULL) {
        return page;
    }
    struct summary_page *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL) {
        return NULL;
    }
    if (atomic_compare_exchange_strong_explicit(&summary->pages[index], &page, fresh, memory_order_acq_rel,
                                                memory_order_acquire)) {
        return fresh;
    }
    free(fresh); /* another thread was first */
    return page;
}

static void quantile_count(struct cairn_summary *summary, double value)
{
    int age = age_take(summary);
    if (age == NOWHERE || isnan(value)) {
        return;
    }
    uint64_t bits = cairn__to_bits(value);
    int exponent = (int)((bits >> 52) & 0x7ff) - 1023 + SUMMARY_EXPONENTS / 2;
    size_t step = (size_t)(bits >> 46) & (SUMMARY_STEPS - 1);
    if (exponent < 0) {
        (void)atomic_fetch_add_explicit(&summary->zeros[age], 1, memory_order_relaxed);
        return;
    }
    if (exponent >= SUMMARY_EXPONENTS) {
        exponent = SUMMARY_EXPONENTS - 1;
        step = SUMMARY_STEPS - 1;
    }
    size_t sign = (size_t)(bits >> 63) * SUMMARY_EXPONENTS;
    struct summary_page *page = page_take(summary, sign + (size_t)exponent);
    if (page != NULL) {
        (void)atomic_fetch_add_explicit(&page->counts[age][step], 1, memory_order_relaxed);
    }
}

void cairn_summary_observe(struct cairn_summary *summary, double value)
{
    if (summary == NULL) {
        return;
    }
    struct cairn__cell *cell = &summary->cells[cairn__stripe() & summary->series.stripe_mask];
    (void)atomic_fetch_add_explicit(&cell->whole, 1, memory_order_relaxed);
    cairn__bits_add(&cell->part, value);
    if (summary->series.family->number_count > 0) {
        quantile_count(summary, value);
    }
}

uint64_t cairn_summary_count(const struct cairn_summary *summary)
{
    return summary == NULL ? 0 : cairn__cells_whole(summary->cells, summary->series.stripe_mask);
}

double cairn_summary_sum(const struct cairn_summary *summary)
{
    return summary == NULL ? 0 : cairn__cells_part(summary->cells, summary->series.stripe_mask);
}

/* ---- reading ---- */

/* Which ages lie within the window. */
static unsigned ages_within(const struct cairn_summary *summary)
{
    int64_t slice = slice_now(summary);
    unsigned ages = 0;
    for (unsigned age = 0; age < SUMMARY_AGES; age++) {
        int64_t held = atomic_load_explicit(&summary->slices[age], memory_order_acquire);
        if (held > 0 && held > slice - SUMMARY_AGES && held <= slice) {
            ages |= 1U << age;
        }
    }
    return ages;
}

static uint64_t step_count(const struct summary_page *page, size_t step, unsigned ages)
{
    uint64_t count = 0;
    for (size_t age = 0; page != NULL && age < SUMMARY_AGES; age++) {
        if ((ages >> age) & 1) {
            count += atomic_load_explicit(&page->counts[age][step], memory_order_relaxed);
        }
    }
    return count;
}

static uint64_t zero_count(const struct cairn_summary *summary, unsigned ages)
{
    uint64_t count = 0;
    for (size_t age = 0; age < SUMMARY_AGES; age++) {
        if ((ages >> age) & 1) {
            count += atomic_load_explicit(&summary->zeros[age], memory_order_relaxed);
        }
    }
    return count;
}

static double step_middle(size_t page, size_t step)
{
    bool negative = page >= SUMMARY_EXPONENTS;
    int exponent = (int)(page % SUMMARY_EXPONENTS) - SUMMARY_EXPONENTS / 2;
    double middle = ldexp(1 + ((double)step + 0.5) / SUMMARY_STEPS, exponent);
    return negative ? -middle : middle;
}

/* Walks all buckets from the lowest value to the highest and stops where the running count reaches rank; the
 * total when it does not. ret_value may be NULL to count only. */
static uint64_t buckets_walk(const struct cairn_summary *summary, unsigned ages, uint64_t rank,
                             double *ret_value)
{
    uint64_t seen = 0;
    for (size_t i = 0; i < SUMMARY_PAGES; i++) {
        bool negative = i < SUMMARY_EXPONENTS;
        size_t index = negative ? SUMMARY_PAGES - 1 - i : i - SUMMARY_EXPONENTS;
        if (i == SUMMARY_EXPONENTS) {
            seen += zero_count(summary, ages);
            if (ret_value != NULL && seen >= rank) {
                *ret_value = 0;
                return seen;
            }
        }
        const struct summary_page *page = atomic_load_explicit(&summary->pages[index], memory_order_acquire);
        for (size_t k = 0; page != NULL && k < SUMMARY_STEPS; k++) {
            size_t step = negative ? SUMMARY_STEPS - 1 - k : k;
            seen += step_count(page, step, ages);
            if (ret_value != NULL && seen >= rank) {
                *ret_value = step_middle(index, step);
                return seen;
            }
        }
    }
    return seen;
}

double cairn_summary_quantile(const struct cairn_summary *summary, double quantile)
{
    if (summary == NULL || !(quantile >= 0 && quantile <= 1)) {
        return (double)NAN;
    }
    unsigned ages = ages_within(summary);
    uint64_t total = buckets_walk(summary, ages, 0, NULL);
    double value = (double)NAN;
    if (total > 0) {
        uint64_t rank = (uint64_t)ceil(quantile * (double)total);
        (void)buckets_walk(summary, ages, rank > 0 ? rank : 1, &value);
    }
    return value;
}

void cairn__summary_expose(struct cairn__out *out, const struct cairn__series *series)
{
    const struct cairn_summary *summary = (const struct cairn_summary *)series;
    const struct cairn_family *family = series->family;
    for (size_t i = 0; i < family->number_count; i++) {
        char quantile[CAIRN__NUMBER_MAX];
        (void)cairn__number_label(family->numbers[i], quantile);
        cairn__sample(out, "", series->values, "quantile", quantile,
                      cairn_summary_quantile(summary, family->numbers[i]));
        cairn__sample_end(out, NULL);
    }
    cairn__sample(out, "_sum", series->values, NULL, NULL, cairn_summary_sum(summary));
    cairn__sample_end(out, NULL);
    cairn__sample(out, "_count", series->values, NULL, NULL, (double)cairn_summary_count(summary));
    cairn__sample_end(out, NULL);
    cairn__sample_created(out, series);
}
