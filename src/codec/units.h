/* Durations, sizes and instants as the originals write them. Pure functions, any thread. */
#ifndef CAIRN_CODEC_UNITS_H
#define CAIRN_CODEC_UNITS_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

/* Prometheus' model.ParseDuration: "1h30m", units y w d h m s ms in this order, each at most once; "0". Not
 * empty, not negative. Errors: INVALID, LIMIT (out of range). */
MUST_USE enum err units_duration_parse(struct str s, int64_t *ret_ms);
/* model.Duration.String: "1h30m", "0s". */
void units_duration_format(struct buf *b, int64_t ms);
/* Go's time.ParseDuration: "-1h15m30.918s", "1.5h", "100us". */
MUST_USE enum err units_go_duration_parse(struct str s, int64_t *ret_ns);
/* Go's time.Duration.String: "1h15m30.918s", "2m0s", "0s". */
void units_go_duration_format(struct buf *b, int64_t ns);

/* Sizes: "512MB", "64KiB", "10GB", "1.5GiB", bare bytes. Prometheus' and Loki's flags take KB as 1024 (base2
 * true); humanize.ParseBytes takes KB as 1000 and KiB as 1024 (base2 false). */
MUST_USE enum err units_size_parse(struct str s, bool base2, uint64_t *ret_bytes);
/* "1GiB512MiB", as units.Base2Bytes prints. */
void units_size_format(struct buf *b, uint64_t bytes);

/* RFC 3339 with optional fraction ("2026-01-02T15:04:05.999Z", "+02:00"). */
MUST_USE enum err units_rfc3339_parse(struct str s, ts_ns *ret_ns);
/* The `time` parameters of the Prometheus API: seconds with fraction, or RFC 3339. Rounds to milliseconds as
 * Prometheus does. Errors: INVALID ("cannot parse \"x\" to a valid timestamp"). */
MUST_USE enum err units_prom_time_parse(struct str s, ts_ms *ret_ms, struct err_info *reterr_info);
/* The `step` and `timeout` parameters: seconds with fraction, or a duration. */
MUST_USE enum err units_prom_duration_parse(struct str s, int64_t *ret_ms, struct err_info *reterr_info);
/* The time parameters of Loki: Unix nanoseconds (more than 10 digits), seconds (float), RFC 3339. */
MUST_USE enum err units_loki_time_parse(struct str s, ts_ns *ret_ns, struct err_info *reterr_info);

#endif
