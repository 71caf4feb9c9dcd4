/* Series as they travel: the common shape of remote write, remote read and exposition. Histograms are kept in
 * the wire's own terms (delta-encoded integer buckets or absolute float buckets); metrics/ingest turns them
 * into values. */
#ifndef CAIRN_CODEC_WIRE_SERIES_H
#define CAIRN_CODEC_WIRE_SERIES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/str.h"

struct wire_label {
    struct str name, value;
};

struct wire_span {
    int32_t offset;
    uint32_t length;
};

struct wire_histogram {
    bool is_float;
    int32_t schema;
    uint8_t reset_hint; /* 0 unknown, 1 yes, 2 no, 3 gauge */
    double sum, zero_threshold;
    uint64_t count_int, zero_count_int; /* !is_float */
    double count_float, zero_count_float;
    const struct wire_span *positive_spans, *negative_spans;
    size_t positive_span_count, negative_span_count;
    const int64_t *positive_deltas, *negative_deltas; /* !is_float */
    const double *positive_counts, *negative_counts;  /* is_float */
    size_t positive_count, negative_count;
    const double *custom_values;
    size_t custom_value_count;
    ts_ms ts, start_ts;
};

struct wire_sample {
    double value;
    ts_ms ts, start_ts;
};

struct wire_exemplar {
    const struct wire_label *labels;
    size_t label_count;
    double value;
    ts_ms ts;
};

struct wire_series {
    const struct wire_label *labels;
    size_t label_count;
    struct str label_bytes; /* remote write 1.0, decoded with labels_later: the labels as they came */
    const struct wire_sample *samples;
    size_t sample_count;
    const struct wire_histogram *histograms;
    size_t histogram_count;
    const struct wire_exemplar *exemplars;
    size_t exemplar_count;
    struct str meta_type, meta_help, meta_unit; /* 2.0: metadata of the series; type "" = none */
};

struct wire_metadata { /* 1.0 */
    struct str metric, type, help, unit;
};

struct wire_write {
    struct wire_series *series;
    size_t series_count;
    const struct wire_metadata *metadata;
    size_t metadata_count;
    size_t refused; /* parts of a 2.0 request that refer to no symbol, and why the first does */
    struct str refusal;
    bool series_metadata; /* 2.0: metadata comes with the series, and a series without samples is an error */
};

#endif
