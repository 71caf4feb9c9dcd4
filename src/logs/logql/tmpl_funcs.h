/* What the functions of templates share; private to the tmpl_*.c files. */
#ifndef CAIRN_LOGS_LOGQL_TMPL_FUNCS_H
#define CAIRN_LOGS_LOGQL_TMPL_FUNCS_H

#include "logs/logql/tmpl_int.h"

typedef struct tmpl_call call;

struct tmpl_table {
    const struct tmpl_function *rows;
    size_t n;
};

struct tmpl_table tmpl_table_text(void);
struct tmpl_table tmpl_table_number(void);
struct tmpl_table tmpl_table_go(void);

/* The function failed, with this text. */
void tmpl_fail(call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The result is what the buffer holds. */
void tmpl_give(call *c, const struct buf *b);
/* Argument i, a string. */
struct str tmpl_arg_str(const call *c, size_t i);
void tmpl_url_encode(struct buf *b, struct str s);

#endif
