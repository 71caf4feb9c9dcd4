/* A native histogram of the wire (remote write, protobuf exposition) as a value. */
#ifndef CAIRN_METRICS_INGEST_WIRE_HISTOGRAM_H
#define CAIRN_METRICS_INGEST_WIRE_HISTOGRAM_H

#include "base/arena.h"
#include "base/err.h"
#include "codec/wire_series.h"
#include "metrics/model/histogram.h"

/* The value lives in the arena (custom_values borrow from w). A staleness marker in the sum passes unchecked.
 * Errors: INVALID with Prometheus' reason; those of the arena. */
MUST_USE enum err histogram_from_wire(struct arena *a, const struct wire_histogram *w,
                                      const struct histogram **ret_h, struct err_info *info);
/* The other way, with a timestamp; nothing of h is borrowed. Errors: those of the
 * arena. */
MUST_USE enum err histogram_to_wire(struct arena *a, const struct histogram *h, ts_ms ts,
                                    struct wire_histogram *ret_w);

#endif
