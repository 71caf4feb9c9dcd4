/* What the functions of templates share; private to the tmpl_*.c files. */
#ifndef CAIRN_GOLANG_TMPL_FUNCS_H
#define CAIRN_GOLANG_TMPL_FUNCS_H

#include "golang/gostr.h"
#include "golang/tmpl_int.h"

typedef struct tmpl_call call;
struct regex;

struct tmpl_table {
    const struct tmpl_function *rows;
    size_t n;
};

struct tmpl_table tmpl_table_text(void);
struct tmpl_table tmpl_table_number(void);
struct tmpl_table tmpl_table_go(void);
/* What only one dialect has. */
struct tmpl_table tmpl_table_loki_text(void);
struct tmpl_table tmpl_table_loki_number(void);
struct tmpl_table tmpl_table_sprig(void);

/* The function failed, with this text. */
void tmpl_fail(call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The result is what the buffer holds. */
void tmpl_give(call *c, const struct buf *b);
/* Argument i, a string. */
struct str tmpl_arg_str(const call *c, size_t i);
/* The compiled expression, from the cache where there is one; NULL: the function failed. Ends with
 * tmpl_regex_done. */
struct regex *tmpl_regex(call *c, struct str pattern);
void tmpl_regex_done(const call *c, struct regex *re);
void tmpl_url_encode(struct buf *b, struct str s);

#endif
