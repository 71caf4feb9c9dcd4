/* What Loki's rewriting of regular expressions makes of one: some become comparisons with literals, and some
 * of those lose their anchors on the way. Clients see the difference, so it is kept. */
#ifndef CAIRN_LOGS_LOGQL_SIMPLIFY_H
#define CAIRN_LOGS_LOGQL_SIMPLIFY_H

#include "base/arena.h"
#include "base/str.h"

struct label_words;

/* *ret_words: what the expression of a label filter becomes, NULL when it stays an expression. */
MUST_USE enum err simplify_label_regex(struct arena *a, struct str pattern,
                                       const struct label_words **ret_words);
bool label_words_match_all(const struct label_words *w);
bool label_words_match(const struct label_words *w, struct str value);

#endif
