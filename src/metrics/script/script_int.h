/* Seen by the files of this folder. */
#ifndef CAIRN_METRICS_SCRIPT_SCRIPT_INT_H
#define CAIRN_METRICS_SCRIPT_SCRIPT_INT_H

#include "base/arena.h"
#include "metrics/script/script.h"

struct script_value {
    bool absent;
    double v;
    const struct histogram *h; /* NULL: a float */
    bool has_start;
    int64_t start_ms; /* start timestamp, counted from the sample's own */
};

/* name{labels} and its values, one a step. */
struct script_series {
    struct labels labels;
    struct script_value *values;
    size_t n, cap;
    bool starts; /* a line of start timestamps (name@st): values[].start_ms alone counts */
};

struct script_block {
    struct script_series *series;
    size_t n, cap;
};

enum expect_kind {
    EXPECT_WARN = 0,
    EXPECT_INFO,
    EXPECT_NO_WARN,
    EXPECT_NO_INFO,
    EXPECT_KIND_COUNT
};

struct script_text { /* what a message must be */
    bool given, is_regex;
    struct str text;
};

enum {
    EXPECTS_MAX = 16
};

struct script_eval {
    unsigned line;
    struct str expr;
    bool range, fail, ordered;
    ts_ms start, end; /* instant: start is the time */
    int64_t step;
    struct script_text failure;
    struct {
        enum expect_kind kind;
        struct script_text text;
    } expects[EXPECTS_MAX];
    size_t expect_count;
    bool has_scalar, has_string, has_range_vector;
    double scalar;
    struct str string;
    ts_ms vector_start;
    int64_t vector_step;
    struct script_block want;
};

/* line.c. Errors: INVALID with a sentence (the caller knows the line), OOM. */
MUST_USE enum err script_series_read(struct arena *a, struct str line, struct script_series *ret_series,
                                     struct err_info *reterr_info);
MUST_USE enum err script_duration(struct str text, int64_t *ret_ms, struct err_info *reterr_info);
MUST_USE enum err script_number(struct str text, double *ret_v);
/* A quoted string at the beginning of *text, which is cut off. */
MUST_USE enum err script_unquote(struct arena *a, struct str *text, struct str *ret_value);
MUST_USE enum err script_add(struct arena *a, struct script_block *b, const struct script_series *s);

/* nhcb.c: adds to the block what its classic histograms are with custom buckets. */
MUST_USE enum err script_custom_buckets(struct arena *a, struct script_block *b);

/* parse.c: the eval at the head of the lines; *text is behind it. */
MUST_USE enum err script_eval_read(struct arena *a, struct str head, struct script_eval *ret_eval,
                                   struct err_info *reterr_info);
MUST_USE enum err script_eval_line(struct arena *a, struct script_eval *e, struct str line,
                                   struct err_info *reterr_info);

/* compare.c: true when the result is what is wanted; else a sentence in `why`. */
bool script_compare(const struct script_eval *e, const struct promql_result *r, struct arena *a,
                    struct buf *why);
bool script_notes(const struct script_eval *e, const struct promql_result *r, struct buf *why);
bool script_text_is(const struct script_text *want, struct str got);

#endif
