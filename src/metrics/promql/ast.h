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

/* -- tokens ---------------------------------------------------------------------------------------------- */

enum token_kind {
    T_END = 0,
    T_NUMBER,   /* value holds it; a duration counts as seconds */
    T_DURATION, /* a number written as a duration */
    T_STRING,
    T_WORD, /* identifiers and keywords; those with ':' are metric names only */
    T_LPAREN,
    T_RPAREN,
    T_LBRACE,
    T_RBRACE,
    T_LBRACKET,
    T_RBRACKET,
    T_COMMA,
    T_COLON,
    T_AT,
    T_ADD,
    T_SUB,
    T_MUL,
    T_DIV,
    T_MOD,
    T_POW,
    T_EQ,  /* = */
    T_EQL, /* == */
    T_NEQ,
    T_LT,
    T_LE,
    T_GT,
    T_GE,
    T_RE,  /* =~ */
    T_NRE, /* !~ */
};

struct token {
    enum token_kind kind;
    size_t pos, end;
    struct str text;   /* as written */
    struct str string; /* T_STRING: unquoted */
    double value;
};

struct lexer {
    struct str text;
    size_t pos;
    struct arena *arena;
    struct err_info *info;
};

MUST_USE enum err lex_next(struct lexer *l, struct token *ret_token);
/* INVALID with Prometheus' shape: "line:col: parse error: ...". */
enum err parse_error(struct str text, size_t pos, struct err_info *info, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* A word of the language that may not name a metric or label at this place (on, ignoring, bool, ...). */
bool word_is(const struct token *t, const char *keyword);

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
    N_UNARY, /* only minus is kept */
    N_PAREN
};

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

struct node {
    enum node_kind kind;
    enum value_type type;
    size_t pos, end; /* in the expression */
    double number;
    struct str string; /* N_STRING; name of a N_SELECTOR */
    bool as_duration;  /* N_NUMBER written as one */

    struct node *args[12]; /* operands, arguments */
    size_t arg_count;

    /* N_SELECTOR */
    struct matcher *matchers;
    size_t matcher_count;
    /* N_SELECTOR, N_SUBQUERY */
    int64_t offset_ms;
    enum at_kind at;
    ts_ms at_ms;
    /* N_MATRIX, N_SUBQUERY */
    int64_t range_ms, step_ms; /* step 0 = the default */

    const struct function *function; /* N_CALL */
    enum aggregate_op aggregate;
    struct node *param; /* of an aggregate */
    enum binary_op op;
    bool return_bool;
    enum card card;
    bool on;           /* N_BINARY: labels are those of on(), else of ignoring() */
    bool matching;     /* N_BINARY: on or ignoring was written */
    bool without;      /* N_AGGREGATE */
    struct str *names; /* on/ignoring, by/without; sorted */
    size_t name_count;
    struct str *include; /* group_left/right */
    size_t include_count;
};

/* Parses and checks. The caller ends the matchers with tree_done in any case of success. */
MUST_USE enum err promql_parse(struct str text, bool experimental, struct arena *a, struct node **ret_root,
                               struct err_info *reterr_info);
void tree_done(struct node *n);
/* Types of the whole tree. */
MUST_USE enum err promql_check_tree(struct str text, struct node *n, bool experimental,
                                    struct err_info *reterr_info);
void print_node(struct buf *b, const struct node *n);

#endif
