/* The series of each metric type, for the files that update and expose them. */
#ifndef CAIRN_CLIENT_TYPES_INT_H
#define CAIRN_CLIENT_TYPES_INT_H

#include "client_int.h"

struct cairn_counter {
    struct cairn__series series;
    _Atomic(struct cairn__exemplar *) exemplars; /* one; NULL until the first */
    struct cairn__cell cells[];                  /* stripe_mask + 1; whole: whole units, part: the rest */
};

struct cairn_gauge {
    struct cairn__series series;
    _Alignas(CAIRN__LINE_BYTES) _Atomic uint64_t bits; /* a double's */
};

/* One copy: its sum, then the count of each bucket (number_count + 1, the last one is +Inf), padded to lines.
 */
struct cairn_histogram {
    struct cairn__series series;
    _Atomic(struct cairn__exemplar *) exemplars; /* one a bucket; NULL until the first */
    const double *bounds;                        /* the family's */
    unsigned bound_count;
    unsigned copy_words;
    _Alignas(CAIRN__LINE_BYTES) _Atomic uint64_t words[];
};

enum {
    SUMMARY_AGES = 6,        /* slices of the window kept: five whole ones and the current */
    SUMMARY_STEPS = 64,      /* buckets of one power of two */
    SUMMARY_EXPONENTS = 128, /* powers of two kept for each sign, from 2^-64 */
    SUMMARY_PAGES = 2 * SUMMARY_EXPONENTS,
};

/* Counts of the observations of one sign and power of two, by age and position. Made on first use. */
struct summary_page {
    _Atomic uint32_t counts[SUMMARY_AGES][SUMMARY_STEPS];
};

struct cairn_summary {
    struct cairn__series series;
    int64_t slice_ns;
    _Atomic int64_t slices[SUMMARY_AGES]; /* which slice of time each age holds; -1 while it is cleared */
    _Atomic uint32_t zeros[SUMMARY_AGES];
    _Atomic(struct summary_page *) pages[SUMMARY_PAGES]; /* positive ones first */
    struct cairn__cell cells[];                          /* stripe_mask + 1; whole: count, part: sum */
};

struct cairn_stateset {
    struct cairn__series series;
    _Atomic uint64_t states; /* bit i: state i */
};

/* Sum of a striped value. */
static inline uint64_t cairn__cells_whole(const struct cairn__cell *cells, unsigned mask)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i <= mask; i++) {
        sum += atomic_load_explicit(&cells[i].whole, memory_order_relaxed);
    }
    return sum;
}

static inline double cairn__cells_part(const struct cairn__cell *cells, unsigned mask)
{
    double sum = 0;
    for (unsigned i = 0; i <= mask; i++) {
        sum += cairn__from_bits(atomic_load_explicit(&cells[i].part, memory_order_relaxed));
    }
    return sum;
}

size_t cairn__counter_size(const struct cairn_family *family);
size_t cairn__gauge_size(const struct cairn_family *family);
size_t cairn__histogram_size(const struct cairn_family *family);
size_t cairn__summary_size(const struct cairn_family *family);
size_t cairn__stateset_size(const struct cairn_family *family);
void cairn__histogram_init(struct cairn__series *series);
void cairn__summary_init(struct cairn__series *series);
void cairn__counter_done(struct cairn__series *series);
void cairn__histogram_done(struct cairn__series *series);
void cairn__summary_done(struct cairn__series *series);
void cairn__counter_expose(struct cairn__out *out, const struct cairn__series *series);
void cairn__gauge_expose(struct cairn__out *out, const struct cairn__series *series);
void cairn__histogram_expose(struct cairn__out *out, const struct cairn__series *series);
void cairn__summary_expose(struct cairn__out *out, const struct cairn__series *series);
void cairn__info_expose(struct cairn__out *out, const struct cairn__series *series);
void cairn__stateset_expose(struct cairn__out *out, const struct cairn__series *series);

#endif
