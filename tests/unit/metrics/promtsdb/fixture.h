/* What data/ and data_st/ hold: make_data.py had a Prometheus write them, by these formulas. */
#ifndef CAIRN_TESTS_PROMTSDB_FIXTURE_H
#define CAIRN_TESTS_PROMTSDB_FIXTURE_H

#include <math.h>

#include "base/str.h"
#include "metrics/model/histogram.h"
#include "metrics/model/value.h"

enum {
    FIXTURE_TICKS = 140,
    FIXTURE_TICKS_ST = 55 /* at least */,
    FIXTURE_STEP_MS = 15000,
    FIXTURE_SERIES = 8,
    FIXTURE_SERIES_ST = 3
};

#define FIXTURE_T0 INT64_C(1700000000000)

static inline int64_t fixture_ts(int tick)
{
    return FIXTURE_T0 + (int64_t)tick * FIXTURE_STEP_MS;
}

static inline int fixture_tick(int64_t ts)
{
    return (int)((ts - FIXTURE_T0) / FIXTURE_STEP_MS);
}

/* Deleted in the block of data/: these ticks of float_0, that one of hist_int. */
static inline bool fixture_deleted(struct str name, int tick)
{
    return (str_eq(name, STR("float_0")) && tick >= 10 && tick <= 20) ||
           (str_eq(name, STR("hist_int")) && tick == 100);
}

static inline double fixture_float(int series, int tick)
{
    switch (series) {
    case 0:
        return tick * 3;
    case 1:
        return (double)(tick * tick % 97) / 100;
    case 2:
        return tick < 60 ? 5 : (double)INFINITY;
    default:
        return tick % 90 == 89 ? stale_nan() : (double)tick / 7;
    }
}

static inline int64_t fixture_start(int tick)
{
    return tick < 30 ? FIXTURE_T0 - 5000 : FIXTURE_T0 + 30 * FIXTURE_STEP_MS - 7000;
}

static inline bool fixture_integers_are(const struct histogram *h, struct str name, int tick)
{
    bool custom = str_eq(name, STR("hist_custom")), gauge = str_eq(name, STR("hist_gauge"));
    int n = str_eq(name, STR("hist_int")) && tick >= 70 ? tick - 70 : tick;
    double counts[] = {n, n * 2, n / 3}; /* NOLINT(bugprone-integer-division): as make_data.py has it */
    bool good = !h->is_float && h->schema == (custom ? -53 : 2) && h->sum == n * 1.5 &&
                h->positive_count == 3 && memcmp(h->positive, counts, sizeof(counts)) == 0 &&
                h->count == counts[0] + counts[1] + counts[2] + (custom ? 0 : n % 5) &&
                h->positive_span_count == 2 && h->positive_spans[0].offset == (custom ? 0 : -1) &&
                h->positive_spans[1].offset == (custom ? 0 : 3) && h->positive_spans[0].length == 2 &&
                (h->reset_hint == HRESET_GAUGE) == gauge;
    if (custom) {
        return good && h->custom_value_count == 3 && h->custom_values[0] == 0.005 &&
               h->custom_values[1] == 0.25 && h->custom_values[2] == 3.3333;
    }
    return good && h->zero_threshold == 0.001 && h->zero_count == n % 5 && h->custom_value_count == 0;
}

static inline bool fixture_floats_are(const struct histogram *h, int tick)
{
    return h->is_float && h->schema == 0 && h->sum == (double)tick / 3 && h->zero_threshold == 1e-128 &&
           h->zero_count == 1 && h->count == tick + 0.5 + tick * 2.25 + 1 && h->positive_count == 1 &&
           h->negative_count == 1 && h->positive[0] == tick * 2.25 && h->negative[0] == tick + 0.5 &&
           h->positive_spans[0].offset == -3 && h->negative_spans[0].offset == 2;
}

/* Whether a sample of a series is what was written at the tick. */
static inline bool fixture_sample_is(struct str name, int tick, double value, const struct histogram *h)
{
    if (name.n == 7 && memcmp(name.p, "float_", 6) == 0) {
        return !h && f64_bits(value) == f64_bits(fixture_float(name.p[6] - '0', tick));
    }
    if (!h) {
        return false;
    }
    return str_eq(name, STR("hist_float")) ? fixture_floats_are(h, tick)
                                           : fixture_integers_are(h, name, tick);
}

/* data_st/ came by scrapes at times of the moment: one part of a sample tells its tick. The other series
 * there are Prometheus' own of every scrape. */
static inline int fixture_tick_st(double value, const struct histogram *h)
{
    return (int)lround(!h ? value * 7 : h->is_float ? h->sum * 3 : h->sum / 1.5);
}

static inline bool fixture_series_st(struct str name)
{
    return str_eq(name, STR("float_3")) || str_eq(name, STR("hist_int")) || str_eq(name, STR("hist_float"));
}

#endif
