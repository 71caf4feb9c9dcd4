/* Gauges: one double each, last writer wins; and the types that are made of plain ones: info and state sets.
 */
#include "types_int.h"

size_t cairn__gauge_size(const struct cairn_family *family)
{
    (void)family;
    return sizeof(struct cairn_gauge);
}

struct cairn_gauge *cairn_gauge(struct cairn_family *family, const char *const *values)
{
    return (struct cairn_gauge *)cairn__series_get(family, CAIRN_GAUGE, values);
}

void cairn_gauge_set(struct cairn_gauge *gauge, double value)
{
    if (gauge != NULL) {
        atomic_store_explicit(&gauge->bits, cairn__to_bits(value), memory_order_relaxed);
    }
}

void cairn_gauge_add(struct cairn_gauge *gauge, double amount)
{
    if (gauge != NULL) {
        cairn__bits_add(&gauge->bits, amount);
    }
}

void cairn_gauge_inc(struct cairn_gauge *gauge)
{
    cairn_gauge_add(gauge, 1);
}

void cairn_gauge_dec(struct cairn_gauge *gauge)
{
    cairn_gauge_add(gauge, -1);
}

void cairn_gauge_set_to_now(struct cairn_gauge *gauge)
{
    int64_t now_ms = cairn__wall_ns() / 1000000;
    cairn_gauge_set(gauge, (double)now_ms / 1e3);
}

double cairn_gauge_value(const struct cairn_gauge *gauge)
{
    return gauge == NULL ? 0 : cairn__from_bits(atomic_load_explicit(&gauge->bits, memory_order_relaxed));
}

void cairn__gauge_expose(struct cairn__out *out, const struct cairn__series *series)
{
    const struct cairn_gauge *gauge = (const struct cairn_gauge *)series;
    cairn__sample(out, "", series->values, NULL, NULL, cairn_gauge_value(gauge));
    cairn__sample_end(out, NULL);
}

/* ---- info ---- */

bool cairn_info(struct cairn_family *family, const char *const *values)
{
    return cairn__series_get(family, CAIRN_INFO, values) != NULL;
}

void cairn__info_expose(struct cairn__out *out, const struct cairn__series *series)
{
    cairn__sample(out, out->openmetrics ? "_info" : "", series->values, NULL, NULL, 1);
    cairn__sample_end(out, NULL);
}

/* ---- state sets ---- */

size_t cairn__stateset_size(const struct cairn_family *family)
{
    (void)family;
    return sizeof(struct cairn_stateset);
}

struct cairn_stateset *cairn_stateset(struct cairn_family *family, const char *const *values)
{
    return (struct cairn_stateset *)cairn__series_get(family, CAIRN_STATESET, values);
}

void cairn_stateset_set(struct cairn_stateset *stateset, size_t state, bool on)
{
    if (stateset == NULL || state >= stateset->series.family->state_count) {
        return;
    }
    uint64_t bit = UINT64_C(1) << state;
    if (on) {
        (void)atomic_fetch_or_explicit(&stateset->states, bit, memory_order_relaxed);
    } else {
        (void)atomic_fetch_and_explicit(&stateset->states, ~bit, memory_order_relaxed);
    }
}

void cairn_stateset_only(struct cairn_stateset *stateset, size_t state)
{
    if (stateset != NULL && state < stateset->series.family->state_count) {
        atomic_store_explicit(&stateset->states, UINT64_C(1) << state, memory_order_relaxed);
    }
}

void cairn__stateset_expose(struct cairn__out *out, const struct cairn__series *series)
{
    const struct cairn_stateset *stateset = (const struct cairn_stateset *)series;
    const struct cairn_family *family = series->family;
    uint64_t states = atomic_load_explicit(&stateset->states, memory_order_relaxed);
    for (size_t i = 0; i < family->state_count; i++) {
        cairn__sample(out, "", series->values, family->name, family->states[i], (double)((states >> i) & 1));
        cairn__sample_end(out, NULL);
    }
}
