/* What every match of an expression has in it. */
#ifndef CAIRN_LOGS_STORE_NEEDED_H
#define CAIRN_LOGS_STORE_NEEDED_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* A text that is in whatever the expression (RE2's syntax, no flags) matches; empty when none is seen. In the
 * arena. Errors: OOM, LIMIT. */
MUST_USE enum err regex_needed_text(struct str re, struct arena *a, struct str *ret_text);

#endif
