/* Shared by the two halves of the parser; private to this folder. */
#ifndef CAIRN_LOGS_LOGQL_PARSE_INT_H
#define CAIRN_LOGS_LOGQL_PARSE_INT_H

#include "logs/logql/ast.h"
#include "logs/logql/lex.h"

struct parser {
    struct lexer lex;
    struct token t; /* the one looked at */
    struct ast *ast;
    struct arena *a;
    struct err_info *info;
    unsigned depth;
    bool in_range; /* the selector at hand is one of a range aggregation */
};

MUST_USE enum err parse_advance(struct parser *p);
/* "syntax error: unexpected X, expecting A or B"; the list ends with T_END, an empty one is left out. */
MUST_USE enum err logql_parse_unexpected(struct parser *p, ...);
/* Takes the token of this kind, or complains that it was expected. */
MUST_USE enum err logql_parse_expect(struct parser *p, enum token_kind k);
/* As logql_parse_expect for a token with text. */
MUST_USE enum err parse_text(struct parser *p, enum token_kind k, struct str *ret_text);
MUST_USE enum err logql_parse_no_memory(struct parser *p);
MUST_USE enum err parse_deeper(struct parser *p);
/* A list of names in parentheses: "(" has been seen; may be empty. */
MUST_USE enum err parse_names(struct parser *p, struct str **ret_names, size_t *ret_n);
/* "+"/"-" NUMBER or NUMBER as its value; `fault` gets the text when it is out of range. */
MUST_USE enum err logql_parse_number(struct parser *p, double *ret_value, struct str *ret_fault);

/* {..} */
MUST_USE enum err logql_parse_selector(struct parser *p, struct log_expr *log);
/* Every stage that follows, up to something else. *ret_unwrap: "|" was taken and "unwrap" is next. */
MUST_USE enum err parse_stages(struct parser *p, struct log_expr *log, bool *ret_unwrap);
/* After "|". */
MUST_USE enum err parse_label_filter(struct parser *p, struct label_filter **ret_filter);

#endif
