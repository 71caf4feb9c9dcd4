/* Evaluation: every subexpression over the whole grid of steps at once. Private to this folder.
 *
 * A vector is a list of series, each with one column of values and one of presence over the steps. Everything
 * lives in the query's arena. */
#ifndef CAIRN_METRICS_PROMQL_EVAL_H
#define CAIRN_METRICS_PROMQL_EVAL_H

#include "metrics/promql/ast.h"
#include "metrics/promql/engine.h"

struct series {
    struct labels labels;
    double *v;                  /* steps values; undefined where !has and where h[i] != NULL */
    uint8_t *has;               /* steps flags */
    const struct histogram **h; /* NULL: floats only; else steps pointers, NULL where the point is a float */
    uint64_t order;             /* metric_series.id of a selected series */
    bool drops_name;            /* the name goes when the query ends (delayed name removal) */
};

/* One sample: a float unless h is set. */
struct point {
    double v;
    const struct histogram *h;
};

struct value {
    enum value_type type;
    size_t n, cap;
    struct series *s;
    double *scalar; /* steps values */
    struct str string;
};

struct column_ops;

struct eval {
    const struct promql_options *options;
    struct metric_source *source;
    struct query_ctx *q;
    struct arena *a;
    struct err_info *info;
    struct str text;
    ts_ms start; /* of the grid */
    int64_t step;
    size_t steps;
    bool continues; /* the steps before those of the grid are another part's */
    bool single;    /* the grid begins and ends at one time: the order of an answer is kept */
    struct notes *notes;
    struct usage *usage;
    const struct column_ops *columns; /* of this processor */
};

/* Samples held and looked at, as the original counts them. */
struct usage {
    uint64_t current, peak, total;
    uint64_t read;     /* those of a window that the step before did not see yet */
    uint64_t gathered; /* elements at the last step of the operands evaluated so far */
    /* The same at each step of the grid under way; NULL unless options.step_usage asks for it. */
    uint64_t *total_at, *read_at, *gathered_at;
};

/* The samples a range function sees at one step: (from, to], and for anchored and smoothed ranges those of
 * the look-back around it. Floats and histograms stand apart, each in time order. Functions whose row does
 * not say `histograms` see only windows with at least one float. */
struct window {
    const ts_ms *ts;
    const double *v;
    size_t n;
    const ts_ms *histogram_ts;
    const struct histogram *const *histograms;
    size_t histogram_count;
    const ts_ms *start_ts, *histogram_start_ts; /* NULL: not stored or not asked for; 0 = unknown */
    ts_ms from, to;
    ts_ms at;       /* the step's own time */
    double args[2]; /* the call's scalar arguments at this step */
    struct eval *e;
    const struct node *call;     /* NULL when no function was written */
    const struct node *selector; /* the N_SELECTOR of a stored range; NULL for a subquery */
    struct labels labels;        /* of the series, with its name: for annotations */
};

/* False: no result at this step. ret_p->h is NULL on entry. */
typedef bool range_fn(const struct window *w, struct point *ret_p);
typedef enum err call_fn(struct eval *e, const struct node *call, struct value *ret_value);
typedef double math_fn(double v);

static inline ts_ms step_time(const struct eval *e, size_t i)
{
    return e->start + (ts_ms)i * e->step;
}

MUST_USE enum err eval_node(struct eval *e, const struct node *n, struct value *ret_value);
/* eval_node without a look at what was evaluated before. */
MUST_USE enum err eval_fresh(struct eval *e, const struct node *n, struct value *ret_value);
/* share.c: marks subexpressions that are written alike; evaluates one of them. */
void share_equal(struct eval *e, struct node *root);
MUST_USE enum err share_eval(struct eval *e, const struct node *n, struct value *ret_value);
/* Looks through parentheses. */
const struct node *unparen(const struct node *n);

/* Where annotations about a function's first argument stand. The original evaluates a subquery into a range
 * that has no place, so they stand at the beginning then. */
static inline size_t argument_pos(const struct node *call)
{
    return unparen(call->args[0])->kind == N_SUBQUERY ? 0 : call->args[0]->pos;
}

/* -- selectors: select.c --------------------------------------------------------------------------------- */

/* What an instant selector hands out instead of the samples' values. */
enum select_what {
    SELECT_VALUE = 0,
    SELECT_TIME,       /* the sample's own time in seconds */
    SELECT_START_TIME, /* its start time in seconds; 0 = unknown */
    SELECT_TIME_MS,    /* in milliseconds: for info() */
};
MUST_USE enum err eval_selector(struct eval *e, const struct node *n, enum select_what what,
                                struct value *ret_value);
/* The time a selector or subquery looks at, at step i. */
ts_ms selector_time(const struct eval *e, const struct node *n, size_t i);
/* A cursor over (from, to] around the selector's times. */
MUST_USE enum err select_open(struct eval *e, const struct node *n, int64_t back_ms, int64_t ahead_ms,
                              struct metric_cursor **ret_cursor);
/* ends[i] = number of timestamps <= times[i]. Both columns ascend. */
void count_until(const ts_ms *ts, size_t n, const ts_ms *times, size_t steps, uint32_t *ends);
bool stored_stale(const struct metric_series *s, size_t i);

/* -- ranges: range.c ------------------------------------------------------------------------------------- */

/* What is done with the windows of a range vector. */
struct range_use {
    range_fn *fn;
    double *args[2];         /* scalar values per step (NULL = none) */
    uint64_t args_held;      /* samples; the original evaluates them after a subquery */
    const struct node *call; /* may be NULL */
    bool keep_name;
    bool histograms; /* fn takes histograms too */
};
/* range: N_MATRIX or N_SUBQUERY. */
MUST_USE enum err eval_range(struct eval *e, const struct node *range, const struct range_use *use,
                             struct value *ret_value);

/* The grid of the inner expression: multiples of the step since 1970, after `low`, up to `high`. Zero steps
 * when there is none. */
MUST_USE enum err range_subquery_grid(struct eval *e, const struct node *n, ts_ms low, ts_ms high,
                                      struct eval *inner);

/* range_raw.c: the usable stored samples of a range vector at the (single) step, as rows of a result. */
struct raw_rows {
    struct promql_series *rows;
    size_t n, cap;
};
MUST_USE enum err eval_raw_range(struct eval *e, const struct node *range, struct raw_rows *ret_rows);

/* The interpolated value between two samples; a counter that fell starts at zero. */
double interpolate(ts_ms t1, double v1, ts_ms t2, double v2, ts_ms t, bool counter);
/* Samples [*first, *last] of an extended window, and the values at its edges. False: nothing in the window.
 */
bool extended_edges(const ts_ms *ts, const double *v, size_t n, ts_ms from, ts_ms to, bool smoothed,
                    bool counter, size_t *ret_first, size_t *ret_last, double *ret_left, double *ret_right);

/* -- operators: binary.c, aggregate.c, choose.c, info.c -------------------------------------------------- */

MUST_USE enum err eval_binary(struct eval *e, const struct node *n, struct value *ret_value);
/* What there is to say about an operation on two elements. */
enum binary_note {
    BINARY_FINE = 0,
    BINARY_FLOAT_FLOAT, /* incompatible types */
    BINARY_FLOAT_HISTOGRAM,
    BINARY_HISTOGRAM_FLOAT,
    BINARY_HISTOGRAM_HISTOGRAM,
    BINARY_LAYOUT,     /* exponential and custom buckets */
    BINARY_RESETS,     /* conflicting reset hints */
    BINARY_RECONCILED, /* custom bounds differed; there is a result */
    BINARY_NOTE_COUNT
};

/* A binary operator on two elements. False: no result (a comparison that does not hold, or operands that do
 * not go together, of which *ret_note tells). A comparison gives its left operand. */
bool binary_apply(struct eval *e, const struct node *n, struct point l, struct point r, struct point *ret_p,
                  bool *ret_holds, enum binary_note *ret_note);
/* Writes the annotation. */
void binary_note(struct eval *e, const struct node *n, enum binary_note what);
/* matching.c: of two vectors; set operators and the others. */
MUST_USE enum err match_sets(struct eval *e, const struct node *n, struct value *l, struct value *r,
                             struct value *out);
MUST_USE enum err match_vectors(struct eval *e, const struct node *n, struct value *l, struct value *r,
                                struct value *out);
MUST_USE enum err eval_aggregate(struct eval *e, const struct node *n, struct value *ret_value);

/* Groups of series, numbered by their first series. */
struct grouping {
    uint32_t *of;        /* group of each series */
    struct labels *keys; /* of each group; NULL when not asked for */
    size_t n;
};
MUST_USE enum err choose_elements(struct eval *e, const struct node *n, struct value *v,
                                  const struct grouping *g, const double *param, struct value *out);

/* -- values: value.c ------------------------------------------------------------------------------------- */

MUST_USE enum err value_add(struct eval *e, struct value *v, struct labels labels,
                            struct series **ret_series);
/* Selected series into the order that results depending on it follow (metric_series.id). */
void value_sort_selected(struct value *v);
/* Appends a row whose columns are made already. */
MUST_USE enum err value_push(struct eval *e, struct value *v, const struct series *row);
MUST_USE enum err scalar_new(struct eval *e, struct value *v);
/* Without name, type and unit. */
MUST_USE enum err drop_name(struct eval *e, struct labels ls, struct labels *ret_labels);
/* The series is another quantity now: its name goes, at once or when the query ends. */
MUST_USE enum err series_drop_name(struct eval *e, struct series *s);
/* A copy in the query's arena; NULL when out of memory. */
const struct histogram *eval_keep_histogram(struct eval *e, const struct histogram *h);
/* Puts the point at step i; the histogram must outlive the query's arena. */
MUST_USE enum err series_put(struct eval *e, struct series *s, size_t i, struct point p);
/* For operators that take floats only: histogram points disappear. */
void value_drop_histograms(struct eval *e, struct value *v);
/* Series without a point disappear. */
void value_drop_empty(struct eval *e, struct value *v);
/* Series with equal labels become one; EXECUTION when they overlap at a step. */
MUST_USE enum err value_merge(struct eval *e, struct value *v);
/* value_merge where names go at once; nothing where they go later. */
MUST_USE enum err value_merge_now(struct eval *e, struct value *v);
/* EXECUTION when two series have equal labels. Names that go later are still there and differ. */
MUST_USE enum err value_unique(struct eval *e, struct value *v);
size_t value_points(const struct eval *e, const struct value *v);
/* Elements at the last step. */
size_t value_last(const struct eval *e, const struct value *v);

enum err eval_no_memory(struct eval *e);
/* Counts samples looked at and held against the query's limit, and looks at its deadline. */
MUST_USE enum err eval_charge(struct eval *e, uint64_t samples);
/* The peak when `samples` more were held for a moment. */
MUST_USE enum err eval_peak(struct eval *e, uint64_t samples);

/* -- samples at each step: usage.c; all of it does nothing unless options.step_usage asks -------------------
 */

/* What is counted until usage_leave is counted by itself, for the steps of `e`. */
struct usage_scope {
    struct usage outer;
};
MUST_USE enum err usage_enter(struct eval *e, struct usage_scope *scope);
/* The same for an evaluation on a grid of its own. */
MUST_USE enum err usage_enter_grid(struct eval *inner, struct usage_scope *scope);
/* The counts of the scope at each step, and the outer ones put back: sums stay. */
struct usage usage_leave(struct eval *e, const struct usage_scope *scope);
void usage_at(struct eval *e, size_t step, uint64_t total, uint64_t read);
/* Every point of the row was looked at. */
void usage_row(struct eval *e, const struct series *row);
/* Adds what a scope over the same steps counted. */
void usage_add(struct eval *e, const uint64_t *total_at, const uint64_t *read_at);
/* What evaluated once counted: all of it is looked at in each step, and read for the first. */
void usage_repeat(struct eval *e, uint64_t total, uint64_t read);
/* Adds what a subquery's inner expression read to the steps whose windows have it, and corrects the sum by
 * what no window has. range_ms 0: all is wanted. */
void usage_subquery(struct eval *e, const struct eval *inner, const struct usage *counted, int64_t offset_ms,
                    int64_t range_ms);
/* The elements of an operand at each step. */
void usage_gather(struct eval *e, const struct value *v);
/* The most that was held while an operator went through its gathered operands step by step. */
MUST_USE enum err usage_peak_stepwise(struct eval *e, const struct value *result);

/* What a series of a range held, in the order of series: the widest window and the last, and its points. */
struct usage_held {
    uint64_t order, points, widest, last;
};
struct usage_helds {
    struct usage_held *items;
    size_t n, cap;
};
MUST_USE enum err usage_hold(struct eval *e, struct usage_helds *h, struct usage_held item);
/* The peak of the series one after another; current is that before the first. */
MUST_USE enum err usage_peak_series(struct eval *e, struct usage_helds *h, uint64_t current);

/* -- annotations: notes.c -------------------------------------------------------------------------------- */

/* Annotations of a query: each text once, with the place where it was seen last. Memory that runs out while
 * noting is reported when the query ends. */
struct notes {
    struct note_entry *entries;
    size_t n, cap;
    enum err failed;
};

/* Quantities some annotations carry, merged over all steps. */
struct note_detail {
    bool buckets;     /* of a classic histogram that had to be made monotone */
    bool occurrences; /* count is shown when more than one */
    bool storage;     /* of the source: shown as it is, without a place */
    ts_ms first, last;
    double low, high, diff;
    uint64_t count;
};

void note(struct eval *e, bool warning, size_t pos, const char *fmt, ...) PRINTF_LIKE(4, 5);
void note_detailed(struct eval *e, bool warning, size_t pos, const struct note_detail *d, const char *fmt,
                   ...) PRINTF_LIKE(5, 6);
/* What the source says is missing, as warnings; before the cursor is closed. */
void notes_of_cursor(struct eval *e, struct metric_cursor *cursor);
/* Notes all of `from` once more; what stood at or after `pos` stands as far from `to`. */
void notes_tell(struct eval *e, const struct notes *from, size_t pos, size_t to);
bool notes_at_0(const struct notes *n);
/* "ignored histograms in a range containing both ..." when the window has both. */
void note_ignored_histograms(const struct window *w);
void note_bad_quantile(struct eval *e, size_t pos, double q);
struct str metric_name(struct labels ls);
/* A name in quotes, for a note. */
struct str note_quoted(struct eval *e, struct buf *b, struct str name);
/* At most ten of each kind, then how many were left out. */
MUST_USE enum err notes_finish(struct eval *e, struct promql_result *out);

#endif
