/* Tokens of LogQL, with the positions Loki reports: those of Go's text/scanner, its habits included (a token
 * that needed a second look has line 0). */
#ifndef CAIRN_LOGS_LOGQL_LEX_H
#define CAIRN_LOGS_LOGQL_LEX_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* In this order they are named in "expecting ..." lists. */
enum token_kind {
    T_END = 0,
    T_BYTES,
    T_IDENTIFIER,
    T_STRING,
    T_NUMBER,
    T_FUNCTION_FLAG,
    T_DURATION,
    T_RANGE,
    T_EQ,
    T_RE,
    T_NRE,
    T_NPA,
    T_OPEN_BRACE,
    T_CLOSE_BRACE,
    T_OPEN_BRACKET,
    T_CLOSE_BRACKET,
    T_COMMA,
    T_DOT,
    T_PIPE_MATCH,
    T_PIPE_EXACT,
    T_PIPE_PATTERN,
    T_OPEN_PAREN,
    T_CLOSE_PAREN,
    T_BY,
    T_WITHOUT,
    T_COUNT_OVER_TIME,
    T_RATE,
    T_RATE_COUNTER,
    T_SUM,
    T_SORT,
    T_SORT_DESC,
    T_AVG,
    T_MAX,
    T_MIN,
    T_COUNT,
    T_STDDEV,
    T_STDVAR,
    T_BOTTOMK,
    T_TOPK,
    T_APPROX_TOPK,
    T_BYTES_OVER_TIME,
    T_BYTES_RATE,
    T_BOOL,
    T_JSON,
    T_REGEXP,
    T_LOGFMT,
    T_PIPE,
    T_LINE_FMT,
    T_LABEL_FMT,
    T_UNWRAP,
    T_AVG_OVER_TIME,
    T_SUM_OVER_TIME,
    T_MIN_OVER_TIME,
    T_MAX_OVER_TIME,
    T_STDVAR_OVER_TIME,
    T_STDDEV_OVER_TIME,
    T_QUANTILE_OVER_TIME,
    T_BYTES_CONV,
    T_DURATION_CONV,
    T_DURATION_SECONDS_CONV,
    T_FIRST_OVER_TIME,
    T_LAST_OVER_TIME,
    T_ABSENT_OVER_TIME,
    T_VECTOR,
    T_LABEL_REPLACE,
    T_UNPACK,
    T_OFFSET,
    T_PATTERN,
    T_IP,
    T_ON,
    T_IGNORING,
    T_GROUP_LEFT,
    T_GROUP_RIGHT,
    T_DECOLORIZE,
    T_DROP,
    T_KEEP,
    T_OR,
    T_AND,
    T_UNLESS,
    T_CMP_EQ,
    T_NEQ,
    T_LT,
    T_LTE,
    T_GT,
    T_GTE,
    T_ADD,
    T_SUB,
    T_MUL,
    T_DIV,
    T_MOD,
    T_POW,
    T_KIND_COUNT
};

const char *token_name(enum token_kind k);

struct token {
    enum token_kind kind;
    struct str text;     /* IDENTIFIER, NUMBER, FUNCTION_FLAG: as written; STRING: unquoted, in the arena */
    int64_t duration_ns; /* DURATION, RANGE */
    uint64_t bytes;      /* BYTES */
};

struct lexer {
    struct str text;
    struct arena *a;
    /* the scanner: one character of look-ahead */
    size_t pos; /* of the byte after `ch` */
    int32_t ch; /* -1: end; -2: nothing read yet */
    size_t ch_bytes;
    unsigned line, column, last_line_len;
    unsigned token_line, token_column; /* of the last token */
    /* the first complaint wins */
    bool failed;
    enum err err;
    struct err_info *info;
};

void lex_init(struct lexer *l, struct str text, struct arena *a, struct err_info *info);
/* The next token; T_END at the end and after a failure (l->failed). Errors: OOM. */
MUST_USE enum err logql_lex_next(struct lexer *l, struct token *ret_token);
/* Notes a complaint at the last token, "parse error at line 1, col 5: ...", unless there is one already. */
void lex_complain(struct lexer *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same without a place: "parse error : ...". */
enum err lex_fault(struct lexer *l, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
