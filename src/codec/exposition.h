/* Exposition formats, read as a scrape reads them: Prometheus text 0.0.4 / 1.0.0, OpenMetrics 1.0 and
 * Prometheus' protobuf, with Prometheus' own parser as the measure (what it takes is taken, what it refuses
 * is refused).
 *
 * A pull parser over the whole body: no allocation per sample. `raw` of a sample is the series exactly as
 * written (name and braces): a scrape cache keyed by it needs no label parsing for series it knows. */
#ifndef CAIRN_CODEC_EXPOSITION_H
#define CAIRN_CODEC_EXPOSITION_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "codec/wire_series.h"

enum exposition_format {
    EXPOSITION_TEXT = 0,
    EXPOSITION_OPENMETRICS,
    EXPOSITION_PROTO /* delimited io.prometheus.client.MetricFamily messages */
};

enum exposition_event {
    EXPOSITION_SAMPLE = 0,
    EXPOSITION_TYPE,
    EXPOSITION_HELP,
    EXPOSITION_UNIT,
    EXPOSITION_COMMENT,
    EXPOSITION_END /* end of input, or OpenMetrics' # EOF */
};

struct exposition_parser {
    enum exposition_format format;
    struct str text;
    size_t pos;
    unsigned line;
    bool eof_seen;
    bool starts_inline; /* OpenMetrics: "st@SECONDS" behind a timestamp, as 2.0 has it; set after
                           exposition_init */
    struct str family;  /* of the last TYPE, HELP or UNIT */
    bool comments_only; /* samples are passed over unread; set after exposition_init */
    struct str expect;  /* a hint, set before each call: the series the next sample is likely to be of */
    /* Protobuf: a family is taken apart at once; set `native` and `classic` after exposition_init. */
    bool native;  /* native histograms are handed out as such; else as their classic buckets */
    bool classic; /* their classic buckets too */
    struct exposition_pending *pending;
    size_t pending_count, pending_at;
};

struct exposition_item {
    struct str metric; /* TYPE, HELP, UNIT: the family's name (unescaped into the arena when quoted) */
    struct str text;   /* TYPE: "counter"...; HELP: unescaped; UNIT */
    struct str raw;    /* SAMPLE: the series as written */
    bool expected;     /* SAMPLE: raw equals the hint */
    double value;      /* SAMPLE; any NaN is the normal NaN */
    bool has_ts;
    ts_ms ts;
    ts_ms start_ts; /* where starts_inline; 0 = none */
    bool has_exemplar;
    struct str exemplar_raw; /* "{...}" as written */
    double exemplar_value;
    bool exemplar_has_ts;
    ts_ms exemplar_ts;
    const struct wire_histogram *histogram; /* SAMPLE of a native histogram; value is then without meaning */
};

struct exposition_pending;

/* Chooses by Content-Type ("text/plain; version=0.0.4", "application/openmetrics-text; ...", protobuf); an
 * empty or unknown type with `fallback` false is UNSUPPORTED with Prometheus' text. */
MUST_USE enum err exposition_format_of(struct str content_type, bool fallback_to_text,
                                       enum exposition_format *ret_format, struct err_info *reterr_info);
void exposition_init(struct exposition_parser *p, enum exposition_format format, struct str text);
/* The next event. Errors: INVALID with line and Prometheus' wording. Strings borrow from the text or live in
 * the arena. */
MUST_USE enum err exposition_next(struct exposition_parser *p, struct arena *a,
                                  enum exposition_event *ret_event, struct exposition_item *ret_item,
                                  struct err_info *reterr_info);
/* The value that begins at *p, as exposition_next reads it; *p then stands behind. False, with *p as it was:
 * there is none, and exposition_next says why. */
MUST_USE bool exposition_value_take(const char **p, const char *end, double *ret_value);
/* Parses `raw` of a sample (or an exemplar's labels): __name__ first, the rest in the order written,
 * unescaped. */
MUST_USE enum err exposition_labels(struct arena *a, struct str raw, const struct wire_label **ret_labels,
                                    size_t *ret_n, struct err_info *reterr_info);

#endif
