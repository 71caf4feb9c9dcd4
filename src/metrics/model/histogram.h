/* Native histograms as values: one shape for integer and float counts, standard and custom buckets.
 *
 * Buckets are held as absolute counts in doubles (integer counts up to 2^53 are exact; `is_float` remembers
 * what arrived so that storage gives back the same kind). A value is immutable once shared; arenas own the
 * arrays. */
#ifndef CAIRN_METRICS_MODEL_HISTOGRAM_H
#define CAIRN_METRICS_MODEL_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HISTOGRAM_SCHEMA_CUSTOM = -53
};

enum histogram_reset {
    HRESET_UNKNOWN = 0,
    HRESET_YES,
    HRESET_NO,
    HRESET_GAUGE
};

struct histogram_span {
    int32_t offset; /* from the end of the span before (first: bucket index) */
    uint32_t length;
};

struct histogram {
    int8_t schema; /* -4..8, or HISTOGRAM_SCHEMA_CUSTOM */
    bool is_float;
    uint8_t reset_hint; /* enum histogram_reset */
    double zero_threshold, zero_count, count, sum;
    const struct histogram_span *positive_spans, *negative_spans;
    uint32_t positive_span_count, negative_span_count;
    const double *positive, *negative; /* absolute counts in span order */
    uint32_t positive_count, negative_count;
    const double *custom_values; /* upper bounds without +Inf, for the custom schema */
    uint32_t custom_value_count;
};

#endif
