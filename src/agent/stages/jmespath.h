/* The part of JMESPath that log pipelines use: names, "quoted names", sub-expressions, indexes, ||, |, @,
 * parentheses, 'raw strings'. The rest is refused when it is compiled, by name. Immutable; any thread. */
#ifndef CAIRN_AGENT_STAGES_JMESPATH_H
#define CAIRN_AGENT_STAGES_JMESPATH_H

#include "base/arena.h"
#include "codec/json.h"

struct jmespath;

/* Lives in the arena. Errors: INVALID, UNSUPPORTED, OOM. */
MUST_USE enum err jmespath_new(struct arena *a, struct str text, const struct jmespath **ret_path,
                               struct err_info *reterr_info);
/* NULL stands for null. A raw string is a value in the arena. */
const struct json_value *jmespath_find(const struct jmespath *p, const struct json_value *root);

#endif
