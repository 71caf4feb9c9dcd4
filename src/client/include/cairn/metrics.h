/* libcairn metrics: counters, gauges, histograms, summaries, info and state sets for one process,
 * and their exposition as Prometheus text 0.0.4 / 1.0.0 or OpenMetrics.
 *
 * A registry holds families; a family has a name, a type, label names and, for every combination of label
 * values in use, one series. Ask a family for a series once (cairn_counter() and its sisters), keep the
 * pointer, and update it from any thread: updates take no lock and make no system call. A series lives as
 * long as its registry. Every update function ignores NULL, so a series that was refused needs no test at
 * each use.
 *
 * Names: families and labels may be any UTF-8; those outside [a-zA-Z_:][a-zA-Z0-9_:]* are quoted or escaped
 * as the reader asked. A family is exposed under exactly its name in every format. In OpenMetrics a counter
 * whose name lacks _total can't be a counter, so it is exposed as type unknown.
 *
 * Threads: everything here may be called from any thread, except cairn_registry_free().
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CAIRN_METRICS_H
#define CAIRN_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ceilings. */
enum {
    CAIRN_LABELS_MAX = 16,          /* label names of one family */
    CAIRN_BUCKETS_MAX = 200,        /* finite bounds of one histogram */
    CAIRN_QUANTILES_MAX = 16,       /* quantiles of one summary */
    CAIRN_STATES_MAX = 64,          /* states of one state set */
    CAIRN_SERIES_DEFAULT = 1000,    /* series of one family unless it says otherwise */
    CAIRN_LABEL_VALUE_MAX = 4096,   /* bytes of one label value; longer ones are refused */
    CAIRN_EXEMPLAR_RUNES_MAX = 128, /* characters of all names and values of an exemplar, by the standard */
};

enum cairn_type {
    CAIRN_COUNTER,
    CAIRN_GAUGE,
    CAIRN_HISTOGRAM, /* fixed buckets */
    CAIRN_SUMMARY,   /* quantiles over a sliding window */
    CAIRN_INFO,      /* constant 1; the name must end in _info */
    CAIRN_STATESET,  /* one 0/1 series for each state; a gauge outside OpenMetrics */
    CAIRN_UNKNOWN,   /* callbacks only: "untyped" in text, "unknown" in OpenMetrics */
};

struct cairn_registry;
struct cairn_family;
struct cairn_counter;
struct cairn_gauge;
struct cairn_histogram;
struct cairn_summary;
struct cairn_stateset;
struct cairn_emit;

struct cairn_label {
    const char *name;
    const char *value;
};

/* Reads values at the moment of exposition: call cairn_emit() once per series. Runs on the thread that
 * asked for the exposition, with no lock of the registry held, possibly on several threads at once. */
typedef void (*cairn_collect_fn)(struct cairn_emit *emit, void *context);

struct cairn_family_options {
    enum cairn_type type;
    const char *name; /* required */
    const char *help; /* required: one sentence; may be "" */
    const char *unit; /* NULL, or a unit that the name ends with ("seconds"), before any _total */
    const char *const
        *label_names; /* label_count distinct names; le, quantile and __* are refused where reserved */
    size_t label_count;
    size_t series_max;       /* series this family may have; 0: CAIRN_SERIES_DEFAULT */
    const double *bounds;    /* histogram: finite, ascending upper bounds; NULL: 5 ms to 10 s */
    size_t bound_count;      /* with bounds */
    const double *quantiles; /* summary: each in 0..1, ascending; none: only count and sum */
    size_t quantile_count;
    double window_s;           /* summary: length of the sliding window; 0: 600 */
    const char *const *states; /* state set: names of the states */
    size_t state_count;
    cairn_collect_fn
        collect; /* counter, gauge, info, unknown: values come from here; then no series can be asked for */
    void *collect_context;
};

/* ---- registries ---- */

/* The process-wide registry. Made on first use and never freed; NULL only when memory could not be had then.
 */
struct cairn_registry *cairn_registry_default(void);

CAIRN_MUST_USE enum cairn_err cairn_registry_new(struct cairn_registry **ret_registry);

/* Frees the registry with its families and series. No other thread may use any of them. NULL is ignored;
 * the default registry is not freed. */
void cairn_registry_free(struct cairn_registry *registry);

/* Whether OpenMetrics output has _created samples (start times). Off by default: most readers keep them as
 * ordinary series. */
void cairn_registry_created(struct cairn_registry *registry, bool on);

/* ---- families and series ---- */

/* Adds a family. Everything in options is copied. registry NULL: the default one.
 * A family without labels and without collect has its series from the start, so it is exposed as 0.
 * Errors: INVALID, EXISTS (also when a sample name like x_count would be given twice), LIMIT, OOM. */
CAIRN_MUST_USE enum cairn_err cairn_family_new(struct cairn_registry *registry,
                                               const struct cairn_family_options *options,
                                               struct cairn_family **ret_family);

/* The series with these label values (as many as the family has label names; NULL where it has none), made on
 * first use. Lock-free when it exists. NULL when it is refused: the family is full, a value is too long or
 * not UTF-8, the type is another one, or memory could not be had. Refusals are counted and exposed as
 * cairn_client_series_refused_total{family}. */
struct cairn_counter *cairn_counter(struct cairn_family *family, const char *const *values);
struct cairn_gauge *cairn_gauge(struct cairn_family *family, const char *const *values);
struct cairn_histogram *cairn_histogram(struct cairn_family *family, const char *const *values);
struct cairn_summary *cairn_summary(struct cairn_family *family, const char *const *values);
struct cairn_stateset *cairn_stateset(struct cairn_family *family, const char *const *values);

/* Makes an info series. False when it was refused (counted as above). */
bool cairn_info(struct cairn_family *family, const char *const *values);

/* Takes a series out of the exposition. Its pointer stays valid and it comes back, with its old value, when
 * it is asked for again; it keeps its place in the family's limit. False when there was none. */
bool cairn_family_hide(struct cairn_family *family, const char *const *values);

/* Requests for a series that this family refused so far. */
uint64_t cairn_family_refused(const struct cairn_family *family);

/* ---- updates: any thread, no lock, no system call ---- */

void cairn_counter_inc(struct cairn_counter *counter);
/* amount >= 0; negative and NaN amounts are ignored. */
void cairn_counter_add(struct cairn_counter *counter, double amount);
double cairn_counter_value(const struct cairn_counter *counter);

void cairn_gauge_set(struct cairn_gauge *gauge, double value);
void cairn_gauge_add(struct cairn_gauge *gauge, double amount);
void cairn_gauge_inc(struct cairn_gauge *gauge);
void cairn_gauge_dec(struct cairn_gauge *gauge);
/* Seconds since 1970, now. */
void cairn_gauge_set_to_now(struct cairn_gauge *gauge);
double cairn_gauge_value(const struct cairn_gauge *gauge);

/* NaN counts towards +Inf and makes the sum NaN. The count a reader sees is always the sum of the buckets it
 * sees. */
void cairn_histogram_observe(struct cairn_histogram *histogram, double value);
uint64_t cairn_histogram_count(const struct cairn_histogram *histogram);
double cairn_histogram_sum(const struct cairn_histogram *histogram);

/* Quantiles are within 0.8 % of an observed value for magnitudes from 2^-64 to 2^64; smaller ones are read as
 * 0. */
void cairn_summary_observe(struct cairn_summary *summary, double value);
uint64_t cairn_summary_count(const struct cairn_summary *summary);
double cairn_summary_sum(const struct cairn_summary *summary);
/* NaN when nothing was observed within the window. */
double cairn_summary_quantile(const struct cairn_summary *summary, double quantile);

/* Switches one state; an index past the last is ignored. */
void cairn_stateset_set(struct cairn_stateset *stateset, size_t state, bool on);
/* Switches one state on and all others off, in one step. */
void cairn_stateset_only(struct cairn_stateset *stateset, size_t state);

/* As cairn_counter_add() and cairn_histogram_observe(), and keeps labels (a trace id, say) with the value as
 * the newest exemplar of the counter or of the bucket. Exposed in OpenMetrics only. The value is always
 * counted; the exemplar is given up when another thread is writing there. Errors (the value is counted all
 * the same): LIMIT, INVALID, OOM. */
enum cairn_err cairn_counter_add_exemplar(struct cairn_counter *counter, double amount,
                                          const struct cairn_label *labels, size_t label_count);
enum cairn_err cairn_histogram_observe_exemplar(struct cairn_histogram *histogram, double value,
                                                const struct cairn_label *labels, size_t label_count);

/* Inside a collect callback: one series of the family that is being exposed. Values as in cairn_counter().
 * Values that are not UTF-8 or too long, and series past the family's limit, are refused and counted. */
void cairn_emit(struct cairn_emit *emit, const char *const *values, double value);

/* Fill ret_bounds[count] with start, start+width, .. or start, start*factor, ..; factor must be > 1. */
void cairn_bounds_linear(double start, double width, size_t count, double *ret_bounds);
void cairn_bounds_exponential(double start, double factor, size_t count, double *ret_bounds);

/* ---- ready-made collectors ---- */

/* process_cpu_seconds_total, process_open_fds, process_max_fds, process_virtual_memory_bytes,
 * process_virtual_memory_max_bytes, process_resident_memory_bytes, process_start_time_seconds,
 * process_threads. Read from /proc at exposition; a value that can't be read is left out. Errors as
 * cairn_family_new(). */
CAIRN_MUST_USE enum cairn_err cairn_process_collector(struct cairn_registry *registry);

/* <application>_build_info, constant 1, with these labels (version, revision, ..).
 * Errors as cairn_family_new(). */
CAIRN_MUST_USE enum cairn_err cairn_build_collector(struct cairn_registry *registry, const char *application,
                                                    const struct cairn_label *labels, size_t label_count);

/* ---- exposition ---- */

enum cairn_exposition {
    CAIRN_TEXT_0_0_4,
    CAIRN_TEXT_1_0_0,
    CAIRN_OPENMETRICS_0_0_1,
    CAIRN_OPENMETRICS_1_0_0,
};

/* What becomes of names outside [a-zA-Z_:][a-zA-Z0-9_:]*. */
enum cairn_escaping {
    CAIRN_ESCAPE_UNDERSCORES,
    CAIRN_ESCAPE_DOTS,
    CAIRN_ESCAPE_VALUES,
    CAIRN_ESCAPE_ALLOW_UTF8, /* quoted */
};

/* {0} is text 0.0.4 with underscores, which every reader knows. */
struct cairn_format {
    enum cairn_exposition exposition;
    enum cairn_escaping escaping;
};

/* Enough for any cairn_format_content_type(). */
enum {
    CAIRN_CONTENT_TYPE_MAX = 128
};

/* Picks the format for an HTTP Accept header (NULL or "": none was sent): the acceptable one of highest q,
 * the earlier of equals; text 0.0.4 when nothing in it is known. Never fails. */
struct cairn_format cairn_format_negotiate(const char *accept);

/* The Content-Type of that format, NUL-terminated. */
void cairn_format_content_type(struct cairn_format format, char ret_text[CAIRN_CONTENT_TYPE_MAX]);

/* Takes a piece of the output; false stops the exposition. */
typedef bool (*cairn_write_fn)(void *context, const char *data, size_t size);

/* Streams the exposition to write() in pieces of up to 16 KiB, in memory that does not grow with the
 * registry. registry NULL: the default one. Errors: IO when write() said false, OOM. */
CAIRN_MUST_USE enum cairn_err cairn_registry_write(struct cairn_registry *registry,
                                                   struct cairn_format format, cairn_write_fn write,
                                                   void *context);

/* The same into one buffer from malloc(), which the caller frees; NUL-terminated, size without the NUL. */
CAIRN_MUST_USE enum cairn_err cairn_registry_render(struct cairn_registry *registry,
                                                    struct cairn_format format, char **ret_text,
                                                    size_t *ret_size);

#ifdef __cplusplus
}
#endif

#endif
