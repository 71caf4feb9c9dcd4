/* The tree of a LogQL query. Nodes and strings live in the parser's arena; nothing owns memory of its own but
 * the regular expressions of matchers, which ast_done releases. */
#ifndef CAIRN_LOGS_LOGQL_AST_H
#define CAIRN_LOGS_LOGQL_AST_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "labels/matcher.h"
#include "logs/logql/limits.h"

/* -- pipeline -------------------------------------------------------------------------------------------- */

enum line_op {
    LINE_EQ = 0,
    LINE_NEQ,
    LINE_RE,
    LINE_NRE,
    LINE_PATTERN,
    LINE_NPATTERN
};

/* One operand of a line filter; `alt` chains the alternatives of a positive one. */
struct line_filter {
    enum line_op op;
    bool ip;
    struct str text;
    struct line_filter *alt;
    struct line_filter *next; /* the following filter of the stage: all must pass */
};

enum filter_op {
    FILTER_EQ = 0,
    FILTER_NEQ,
    FILTER_GT,
    FILTER_GTE,
    FILTER_LT,
    FILTER_LTE
};

enum label_filter_kind {
    LABEL_FILTER_STRING = 0,
    LABEL_FILTER_NUMBER,
    LABEL_FILTER_DURATION,
    LABEL_FILTER_BYTES,
    LABEL_FILTER_IP,
    LABEL_FILTER_AND,
    LABEL_FILTER_OR
};

struct label_filter {
    enum label_filter_kind kind;
    enum filter_op op;
    struct str name;
    struct matcher *matcher; /* STRING */
    double number;
    int64_t duration_ns;
    uint64_t bytes;
    struct str ip;
    struct label_filter *left, *right;
};

enum stage_kind {
    STAGE_LINE_FILTER = 0,
    STAGE_JSON,
    STAGE_LOGFMT,
    STAGE_REGEXP,
    STAGE_PATTERN,
    STAGE_UNPACK,
    STAGE_JSON_EXPR,
    STAGE_LOGFMT_EXPR,
    STAGE_LABEL_FILTER,
    STAGE_LINE_FORMAT,
    STAGE_LABEL_FORMAT,
    STAGE_DECOLORIZE,
    STAGE_DROP,
    STAGE_KEEP
};

/* A pair of a stage: extraction (name = expression), label_format (name = label or template), drop and keep
 * (a name or a matcher). */
struct stage_item {
    struct str name, value;
    bool rename;
    struct matcher *matcher;
    struct stage_item *next;
};

struct stage {
    enum stage_kind kind;
    struct str text; /* regexp, pattern, line_format */
    struct regex *re;
    const struct pattern *pattern;
    bool strict, keep_empty;
    struct line_filter *lines;
    struct label_filter *filter;
    struct stage_item *items;
    struct stage *next;
};

struct log_expr {
    struct matcher *matchers;
    size_t matcher_count;
    struct stage *stages;
};

/* -- metric expressions ---------------------------------------------------------------------------------- */

enum unwrap_conv {
    CONV_FLOAT = 0,
    CONV_BYTES,
    CONV_DURATION,
    CONV_DURATION_SECONDS
};

struct post_filter {
    struct label_filter *filter;
    struct post_filter *next;
};

struct unwrap_expr {
    struct str label;
    enum unwrap_conv conv;
    struct post_filter *filters;
};

struct range_expr {
    struct log_expr log;
    int64_t interval_ns, offset_ns;
    struct unwrap_expr *unwrap;
};

enum range_op {
    RANGE_COUNT = 0,
    RANGE_RATE,
    RANGE_RATE_COUNTER,
    RANGE_BYTES,
    RANGE_BYTES_RATE,
    RANGE_AVG,
    RANGE_SUM,
    RANGE_MIN,
    RANGE_MAX,
    RANGE_STDVAR,
    RANGE_STDDEV,
    RANGE_QUANTILE,
    RANGE_FIRST,
    RANGE_LAST,
    RANGE_ABSENT,
    RANGE_OP_COUNT
};

enum vector_op {
    VECTOR_SUM = 0,
    VECTOR_AVG,
    VECTOR_COUNT,
    VECTOR_MAX,
    VECTOR_MIN,
    VECTOR_STDDEV,
    VECTOR_STDVAR,
    VECTOR_BOTTOMK,
    VECTOR_TOPK,
    VECTOR_SORT,
    VECTOR_SORT_DESC,
    VECTOR_APPROX_TOPK,
    VECTOR_OP_COUNT
};

enum bin_op {
    BIN_OR = 0,
    BIN_AND,
    BIN_UNLESS,
    BIN_EQ,
    BIN_NEQ,
    BIN_LT,
    BIN_LTE,
    BIN_GT,
    BIN_GTE,
    BIN_ADD,
    BIN_SUB,
    BIN_MUL,
    BIN_DIV,
    BIN_MOD,
    BIN_POW,
    BIN_OP_COUNT
};

struct grouping {
    struct str *names; /* in the order written */
    size_t n;
    bool without;
};

enum match_card {
    CARD_ONE_TO_ONE = 0,
    CARD_MANY_TO_ONE,
    CARD_ONE_TO_MANY
};

struct bin_options {
    bool return_bool, on;
    enum match_card card;
    struct str *names, *include;
    size_t name_count, include_count;
};

enum expr_kind {
    EXPR_LOG = 0,
    EXPR_RANGE,
    EXPR_VECTOR_AGG,
    EXPR_BIN,
    EXPR_LITERAL,
    EXPR_LABEL_REPLACE,
    EXPR_VECTOR
};

struct expr {
    enum expr_kind kind;
    struct str
        fault; /* what is wrong with this node: told by the check after the parse, if the parse succeeds */
    struct log_expr *log;
    /* RANGE */
    enum range_op range_op;
    struct range_expr *range;
    bool has_param;
    double param;
    /* VECTOR_AGG */
    enum vector_op vector_op;
    int64_t k;
    struct grouping *grouping; /* NULL: none written */
    bool as_ratio;             /* an average: the sum divided by the count (rewrite.c) */
    /* BIN (left, right); VECTOR_AGG and LABEL_REPLACE (left) */
    struct expr *left, *right;
    enum bin_op bin_op;
    struct bin_options options;
    double value; /* LITERAL, VECTOR */
    struct str dst, replacement, src, regex;
    struct regex *re;
};

struct ast {
    struct arena *a;
    struct expr *root;
    struct regex_ref *regexes; /* every compiled expression of the tree */
};

struct regex_ref {
    struct regex *re;
    struct regex_ref *next;
};

/* Text into a tree, without the checks that Loki makes afterwards. INVALID: info->message is Loki's text. The
 * caller ends the tree with ast_done in either case. */
MUST_USE enum err logql_parse(struct str text, struct arena *a, struct ast *ret_ast,
                              struct err_info *reterr_info);
void ast_done(struct ast *ast);
/* The checks of a complete tree: faults found on the way, selectors that select everything. */
MUST_USE enum err logql_check(const struct ast *ast, struct err_info *reterr_info);
/* Hands a compiled expression to the tree, which then owns it; frees it when there is no memory. */
MUST_USE enum err ast_own_regex(struct ast *ast, struct regex *re);

/* As Loki prints trees; equal text for equal meaning. */
void print_expr(struct buf *b, const struct expr *x);
void print_stage(struct buf *b, const struct stage *s);
void print_label_filter(struct buf *b, const struct label_filter *f);
void print_matchers(struct buf *b, const struct log_expr *l);
void logql_print_pretty(struct buf *b, const struct expr *x, unsigned level);
const char *range_op_text(enum range_op op);
const char *vector_op_text(enum vector_op op);
const char *bin_op_text(enum bin_op op);
const char *conv_text(enum unwrap_conv c);
const char *filter_op_text(enum filter_op op);
bool bin_op_is_comparison(enum bin_op op);
bool bin_op_is_set(enum bin_op op);

/* a op b on numbers as Loki merges samples; false: a comparison that filters the sample away. */
bool bin_op_merge(enum bin_op op, double a, double b, bool filter, double *ret_value);

#endif
