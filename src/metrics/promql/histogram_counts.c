/* Histograms without buckets, for functions that read count and sum alone. */
#include "metrics/model/value.h"
#include "metrics/promql/histogram_fns.h"

const struct histogram *histogram_counts(struct arena *a, const struct histogram *h,
                                         const struct histogram *before)
{
    struct histogram *out = arena_alloc(a, sizeof(*out));
    uint8_t hint = h->reset_hint;
    if (!out) {
        return NULL;
    }
    if (hint == HRESET_UNKNOWN && before && !is_stale_nan(h->sum)) {
        hint = histogram_reset_since(h, before) ? HRESET_YES : HRESET_NO;
    }
    *out = (struct histogram){
        .schema = h->schema, .is_float = h->is_float, .reset_hint = hint, .count = h->count, .sum = h->sum};
    return out;
}
