/* The selector of the match stage: {label matchers} and line filters, as LogQL writes them. Immutable. */
#ifndef CAIRN_AGENT_STAGES_SELECTOR_H
#define CAIRN_AGENT_STAGES_SELECTOR_H

#include "base/arena.h"
#include "labels/matcher.h"

struct selector;

/* Errors: INVALID (with what was expected and where), LIMIT, OOM. */
MUST_USE enum err selector_new(struct arena *a, struct str text, struct selector **ret_selector,
                               struct err_info *reterr_info);
void selector_free(struct selector *s); /* its expressions; the rest lives in the arena. Accepts NULL */
bool selector_matches(const struct selector *s, struct labels labels, struct str line);

#endif
