/* Templates of the stages template and replace: Go's text/template in Promtail's dialect over the values of
 * an entry.
 *
 * Compiled once. template_run keeps compiled expressions inside the template: one thread at a time. */
#ifndef CAIRN_AGENT_STAGES_TEMPLATE_H
#define CAIRN_AGENT_STAGES_TEMPLATE_H

#include "agent/model/entry.h"
#include "base/buf.h"

struct template;

/* Lives in the arena; template_free releases what does not. Errors: INVALID (the message has the line and
 * what was expected), OOM. */
MUST_USE enum err template_new(struct arena *a, struct str text, struct template **ret_template,
                               struct err_info *reterr_info);
void template_free(struct template *t); /* accepts NULL */

/* What a template sees: the extracted values as text, and .Value and .Entry where given (p != NULL). */
struct template_data {
    const struct entry *entry;
    struct str value, line;
    bool zero_missing; /* a missing key prints nothing instead of <no value> */
};
/* Appends the result. False: the execution failed (a wrong argument, say). `a` holds what is made. */
bool template_run(struct template *t, struct arena *a, const struct template_data *data, struct buf *out);

#endif
