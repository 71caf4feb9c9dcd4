/* What the files of the parser share. Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_PARSE_INT_H
#define CAIRN_METRICS_PROMQL_PARSE_INT_H

#include "metrics/promql/ast.h"

/* Where the parser is, in the words of its errors: set by each rule that has words of its own, and put back
 * when the rule ends. */
struct parse_context {
    const char *in, *expected; /* NULL: nothing said */
};

struct parser {
    struct lexer lex;
    struct token t; /* the token looked at, when `have`: read only when a rule must know it */
    bool have;
    size_t last_end; /* of the newest token taken */
    struct parse_context context;
    struct parse_options options;
    unsigned depth;
    struct arena *a;
    struct err_info *info;
};

const struct token *parse_peek(struct parser *p);
/* Takes the token looked at. */
struct token parse_take(struct parser *p);
bool parse_is_op(struct parser *p, enum binary_op op);
/* "unexpected X in context, expected Y" about the token looked at. */
enum err parse_unexpected(struct parser *p);
enum err parse_unexpected_in(struct parser *p, const char *in, const char *expected);
MUST_USE enum err parse_expect(struct parser *p, enum token_kind kind);
enum err parse_fail(struct parser *p, size_t pos, const char *fmt, ...) PRINTF_LIKE(3, 4);
enum err parse_no_memory(struct parser *p);
struct node *parse_node(struct parser *p, enum node_kind kind, size_t pos);
MUST_USE enum err node_add_arg(struct parser *p, struct node *n, struct node *arg);
MUST_USE enum err parse_nest(struct parser *p);

MUST_USE enum err parse_expr(struct parser *p, unsigned min_precedence, struct node **ret_n);
MUST_USE enum err parse_selector(struct parser *p, struct node **ret_n);
MUST_USE enum err parse_string(struct parser *p, const struct token *t, struct str *ret_value);

/* A literal, selector, call, aggregation or expression in parentheses. */
MUST_USE enum err parse_primary(struct parser *p, struct node **ret_n);
/* parse_postfix.c: one with the ranges, offsets and times that follow it */
MUST_USE enum err parse_postfix(struct parser *p, struct node **ret_n);

/* parse_number.c */
MUST_USE enum err parse_number(struct parser *p, const struct token *t, double *ret_v);
/* A number or duration literal that is the token looked at. */
MUST_USE enum err parse_literal(struct parser *p, struct node **ret_n);
/* What follows `offset`, and a range or step: a N_NUMBER or N_DURATION. */
MUST_USE enum err parse_offset_duration(struct parser *p, struct node **ret_n);
MUST_USE enum err parse_positive_duration(struct parser *p, struct node **ret_n);
/* Seconds, as Go's time.Duration keeps them, in milliseconds. */
int64_t duration_ms(double seconds);

#endif
