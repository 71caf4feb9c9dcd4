/* How many queries run at once: others wait for their turn, as long as their deadline allows. */
#ifndef CAIRN_API_PROM_QUERY_GATE_H
#define CAIRN_API_PROM_QUERY_GATE_H

#include "query/limits.h"

struct query_gate;

/* Errors: OOM. */
MUST_USE enum err query_gate_new(unsigned max, struct query_gate **ret_gate);
/* Nobody is inside or waits. Accepts NULL. */
void query_gate_free(struct query_gate *g);
/* Waits for a place. Errors: TIMEOUT, CANCELED, worded as the original words them. Any thread. */
MUST_USE enum err query_gate_enter(struct query_gate *g, const struct query_ctx *q,
                                   struct err_info *reterr_info);
void query_gate_leave(struct query_gate *g);

#endif
