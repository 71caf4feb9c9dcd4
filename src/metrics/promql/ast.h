/* PromQL's syntax tree, its tokens, and the parser's face. Private to this folder.
 *
 * Nodes live in the query's arena; places are byte offsets into the expression. */
#ifndef CAIRN_METRICS_PROMQL_AST_H
#define CAIRN_METRICS_PROMQL_AST_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "labels/matcher.h"

/* -- operators ------------------------------------------------------------------------------------------- */

enum binary_op {
    OP_ADD = 0,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_POW,
    OP_ATAN2,
    OP_EQ,
    OP_NEQ,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_TRIM_UPPER, /* </ */
    OP_TRIM_LOWER, /* >/ */
    OP_AND,
    OP_OR,
    OP_UNLESS,
    OP_COUNT
};

const char *binary_op_text(enum binary_op op);
static inline bool op_is_comparison(enum binary_op op)
{
    return op >= OP_EQ && op <= OP_GE;
}
static inline bool op_is_set(enum binary_op op)
{
    return op >= OP_AND;
}
/* The result is another quantity: the name goes. */
static inline bool op_is_arithmetic(enum binary_op op)
{
    return op <= OP_ATAN2;
}

enum aggregate_op {
    AGG_SUM = 0,
    AGG_AVG,
    AGG_MIN,
    AGG_MAX,
    AGG_COUNT,
    AGG_GROUP,
    AGG_STDDEV,
    AGG_STDVAR,
    AGG_TOPK,
    AGG_BOTTOMK,
    AGG_COUNT_VALUES,
    AGG_QUANTILE,
    AGG_LIMITK,
    AGG_LIMIT_RATIO,
    AGG_OP_COUNT
};

const char *aggregate_op_text(enum aggregate_op op);
static inline bool aggregate_has_param(enum aggregate_op op)
{
    return op >= AGG_TOPK;
}

/* -- tokens ---------------------------------------------------------------------------------------------- */

enum token_kind {
    T_END = 0,
    T_ERROR, /* the lexer has filled its err_info */
    T_NUMBER,
    T_DURATION,
    T_STRING,
    T_IDENTIFIER,
    T_METRIC_IDENTIFIER, /* with a colon: a metric name only */
    T_LPAREN,
    T_RPAREN,
    T_LBRACE,
    T_RBRACE,
    T_LBRACKET,
    T_RBRACKET,
    T_COMMA,
    T_COLON,
    T_EQ, /* = */
    T_RE, /* =~ */
    T_NRE,
    T_AT,
    T_BINARY,    /* number: enum binary_op; != serves matchers too */
    T_AGGREGATE, /* number: enum aggregate_op */
    T_BOOL,
    T_BY,
    T_GROUP_LEFT,
    T_GROUP_RIGHT,
    T_FILL,
    T_FILL_LEFT,
    T_FILL_RIGHT,
    T_IGNORING,
    T_OFFSET,
    T_SMOOTHED,
    T_ANCHORED,
    T_ON,
    T_WITHOUT,
    T_START,
    T_STOP, /* end */
    T_STEP,
    T_RANGE,
    T_MAX_OF,
    T_MIN_OF,
};

struct token {
    enum token_kind kind;
    int number;
    size_t pos, end;
    struct str text; /* as written */
};

struct lexer {
    struct str text;
    size_t start, pos; /* of the token being read; where reading goes on */
    unsigned paren_depth;
    bool in_braces, in_brackets, in_duration, saw_colon, saw_duration;
    bool failed; /* the error was handed out: only T_END follows */
    struct err_info *info;
};

/* The next token; after T_ERROR and T_END only T_END follows. */
struct token lex_next(struct lexer *l);
/* INVALID with Prometheus' shape: "line:col: parse error: ...". */
enum err parse_error(struct str text, size_t pos, struct err_info *info, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* A string literal's value. False: Go's strconv would refuse it. p == NULL when out of memory. */
bool string_unquote(struct arena *a, struct str quoted, struct str *ret_value);
/* Go's %q of a word of any length, for messages. */
struct str quoted(struct buf *b, struct str s);

/* -- tree ------------------------------------------------------------------------------------------------ */

enum value_type {
    TYPE_NONE = 0,
    TYPE_SCALAR,
    TYPE_VECTOR,
    TYPE_MATRIX,
    TYPE_STRING
};

const char *type_name(enum value_type t); /* "instant vector" ... */

enum node_kind {
    N_NUMBER = 0,
    N_STRING,
    N_SELECTOR,
    N_MATRIX, /* selector[range] */
    N_SUBQUERY,
    N_CALL,
    N_AGGREGATE,
    N_BINARY,
    N_UNARY,
    N_PAREN,
    N_DURATION /* an expression of durations, in seconds */
};

enum duration_op {
    DURATION_ADD = 0, /* without args[0]: unary */
    DURATION_SUB,
    DURATION_MUL,
    DURATION_DIV,
    DURATION_MOD,
    DURATION_POW,
    DURATION_STEP,
    DURATION_RANGE,
    DURATION_MIN_OF,
    DURATION_MAX_OF
};

enum card {
    CARD_ONE_TO_ONE = 0,
    CARD_MANY_TO_ONE, /* group_left */
    CARD_ONE_TO_MANY, /* group_right */
    CARD_MANY_TO_MANY /* set operators */
};

enum at_kind {
    AT_NONE = 0,
    AT_TIME,
    AT_START,
    AT_END
};

struct function;
struct shared;

struct node {
    enum node_kind kind;
    enum value_type type;
    size_t pos, end;       /* in the expression */
    double number;         /* N_NUMBER; N_UNARY: +1 or -1 */
    struct str string;     /* N_STRING; the name before the braces of a N_SELECTOR */
    unsigned height;       /* of the tree below */
    bool as_duration;      /* N_NUMBER written as one */
    bool invariant;        /* the same at every step: evaluated once */
    struct shared *shared; /* with others like it; may be NULL */

    struct node **args; /* operands, arguments; N_DURATION: [0] is NULL when unary */
    size_t arg_count, arg_cap;

    /* N_SELECTOR; a name before the braces comes last */
    struct matcher *matchers;
    size_t matcher_count;
    bool anchored, smoothed;
    bool any_matchers; /* the second argument of info(): may match everything */
    bool counts_only;  /* only count and sum of histograms are looked at */
    /* N_SELECTOR, N_SUBQUERY */
    int64_t offset_ms;
    struct node *offset_expr; /* N_DURATION or NULL */
    enum at_kind at;
    ts_ms at_ms;
    /* N_MATRIX, N_SUBQUERY */
    int64_t range_ms, step_ms; /* step 0 = the default */
    struct node *range_expr, *step_expr;

    const struct function *function; /* N_CALL */
    enum aggregate_op aggregate;
    struct node *param; /* of an aggregate */
    enum binary_op op;
    enum duration_op duration;
    bool wrapped; /* N_DURATION in parentheses */
    bool return_bool;
    bool both_vectors; /* N_BINARY: the matching below means something */
    enum card card;
    bool on;           /* N_BINARY: labels are those of on(), else of ignoring() */
    bool without;      /* N_AGGREGATE */
    struct str *names; /* on/ignoring, by/without; as written */
    size_t name_count;
    struct str *include; /* group_left/right */
    size_t include_count;
    bool fills_left, fills_right;
    double fill_left, fill_right;
};

/* What the flags of --enable-feature let through. */
struct parse_options {
    bool experimental, extended_ranges, fill_modifiers;
};

/* Parses and checks. The caller ends the matchers with tree_done in any case of success. */
MUST_USE enum err promql_parse(struct str text, const struct parse_options *o, struct arena *a,
                               struct node **ret_root, struct err_info *reterr_info);
/* A series selector alone; without the check that it matches less than everything. */
MUST_USE enum err promql_parse_selector(struct str text, struct arena *a, struct node **ret_selector,
                                        struct err_info *reterr_info);
void tree_done(struct node *n);
/* Types of the whole tree. */
MUST_USE enum err promql_check_tree(struct str text, struct node *n, struct err_info *reterr_info);
void print_node(struct buf *b, const struct node *n);
void print_pretty(struct buf *b, const struct node *n, unsigned level);
/* ' on (a) group_left (b)' of a binary expression, '[5m:1m] @ 1.000 offset 5m' of a subquery. */
void print_matching(struct buf *b, const struct node *n);
void print_subquery_suffix(struct buf *b, const struct node *n);
void print_aggregate_head(struct buf *b, const struct node *n);
void print_duration_expr(struct buf *b, const struct node *n);

/* -- before evaluation ----------------------------------------------------------------------------------- */

/* Puts numbers where the query's times stand for them: start(), end(), step(), range(), duration expressions;
 * takes parentheses off arguments; marks what is the same at every step. Errors: INVALID (a duration). */
MUST_USE enum err promql_resolve(struct node **root, ts_ms start, ts_ms end, int64_t step_ms,
                                 struct err_info *reterr_info);

#endif
