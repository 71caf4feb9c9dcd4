/* What Loki's rewriting of regular expressions makes of one: some become comparisons with literals, and some
 * of those lose their anchors. Clients see the difference, so it is kept. */
#ifndef CAIRN_LOGS_LOGQL_SIMPLIFY_H
#define CAIRN_LOGS_LOGQL_SIMPLIFY_H

#include "base/str.h"

enum simplify_kind {
    SIMPLIFY_NOT = 0, /* stays a regular expression */
    SIMPLIFY_LITERAL
};

enum simplify_kind simplify_regex(struct str pattern, bool is_label);

#endif
