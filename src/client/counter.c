/* Counters. Whole units are kept as an integer apart from the rest, so that ten years of increments by one
 * stay exact and cost one atomic add. Updates: any thread, relaxed; a reader sees each cell only grow. */
#include "types_int.h"

#include <math.h>
#include <stdlib.h>

size_t cairn__counter_size(const struct cairn_family *family)
{
    (void)family;
    return sizeof(struct cairn_counter) + (cairn__stripe_mask() + 1) * sizeof(struct cairn__cell);
}

void cairn__counter_done(struct cairn__series *series)
{
    struct cairn_counter *counter = (struct cairn_counter *)series;
    free(atomic_load_explicit(&counter->exemplars, memory_order_acquire));
}

struct cairn_counter *cairn_counter(struct cairn_family *family, const char *const *values)
{
    return (struct cairn_counter *)cairn__series_get(family, CAIRN_COUNTER, values);
}

static struct cairn__cell *own_cell(struct cairn_counter *counter)
{
    return &counter->cells[cairn__stripe() & counter->series.stripe_mask];
}

void cairn_counter_inc(struct cairn_counter *counter)
{
    if (counter != NULL) {
        (void)atomic_fetch_add_explicit(&own_cell(counter)->whole, 1, memory_order_relaxed);
    }
}

void cairn_counter_add(struct cairn_counter *counter, double amount)
{
    if (counter == NULL || !(amount >= 0)) {
        return;
    }
    struct cairn__cell *cell = own_cell(counter);
    if (amount < 9007199254740992.0 && amount == (double)(uint64_t)amount) {
        (void)atomic_fetch_add_explicit(&cell->whole, (uint64_t)amount, memory_order_relaxed);
    } else {
        cairn__bits_add(&cell->part, amount);
    }
}

double cairn_counter_value(const struct cairn_counter *counter)
{
    if (counter == NULL) {
        return 0;
    }
    unsigned mask = counter->series.stripe_mask;
    return (double)cairn__cells_whole(counter->cells, mask) + cairn__cells_part(counter->cells, mask);
}

enum cairn_err cairn_counter_add_exemplar(struct cairn_counter *counter, double amount,
                                          const struct cairn_label *labels, size_t label_count)
{
    if (counter == NULL || !(amount >= 0)) {
        return CAIRN_ERR_INVALID;
    }
    cairn_counter_add(counter, amount);
    return cairn__exemplar_keep(&counter->exemplars, 1, 0, amount, labels, label_count);
}

void cairn__counter_expose(struct cairn__out *out, const struct cairn__series *series)
{
    const struct cairn_counter *counter = (const struct cairn_counter *)series;
    bool total = cairn__ends_with(series->family->name, "_total");
    struct cairn__exemplar exemplar;
    bool has_exemplar = out->openmetrics && total && cairn__exemplar_read(&counter->exemplars, 0, &exemplar);
    cairn__sample(out, out->openmetrics && total ? "_total" : "", series->values, NULL, NULL,
                  cairn_counter_value(counter));
    cairn__sample_end(out, has_exemplar ? &exemplar : NULL);
    if (total) {
        cairn__sample_created(out, series);
    }
}
