/* Regular expressions in the RE2 dialect that Prometheus and Loki share. Matching is linear in the input.
 *
 * A compiled expression is immutable and may be used by any number of threads. */
#ifndef CAIRN_LABELS_REGEX_H
#define CAIRN_LABELS_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct regex;

enum regex_flags {
    REGEX_ANCHORED = 1 << 0, /* must match the whole input (label matchers, relabelling): ^(?s:...)$ */
    REGEX_ICASE = 1 << 1,
    REGEX_DOTALL = 1 << 2, /* '.' matches a newline (implied by REGEX_ANCHORED) */
};

enum {
    REGEX_PATTERN_BYTES_MAX = 1 << 20, /* dashboards list the chosen values of a variable one by one */
    REGEX_CAPTURES_MAX = 64,
    REGEX_MEM_BYTES_MAX = 8 << 20, /* and as much again for each byte of the pattern as the next says */
    REGEX_MEM_BYTES_PER_BYTE = 64
};

/* Errors: INVALID (info carries Go's wording: "error parsing regexp: missing closing ): `...`"), LIMIT, OOM.
 */
MUST_USE enum err regex_new(struct str pattern, unsigned flags, struct regex **ret_regex,
                            struct err_info *reterr_info);
/* Accepts NULL. */
void regex_free(struct regex *re);
bool regex_match(const struct regex *re, struct str text);
/* First match at or after `from`: captures[0] is the whole match, [i] the i-th group (p == NULL when it did
 * not take part). Fills at most `n` captures. */
bool regex_find(const struct regex *re, struct str text, size_t from, struct str *ret_captures, size_t n);
/* Number of groups, without the whole match. */
size_t regex_group_count(const struct regex *re);
/* Name of group i (1-based), or an empty string. Lives as long as the expression. */
struct str regex_group_name(const struct regex *re, size_t i);
struct str regex_pattern(const struct regex *re);

/* When the anchored expression matches only a finite set of literals (a|b|c, without case folding), their
 * number, and the literals by regex_literal; 0 otherwise. Index look-ups replace scans then. */
size_t regex_literal_count(const struct regex *re);
struct str regex_literal(const struct regex *re, size_t i);
/* A literal every anchored match starts with; empty when there is none. */
struct str regex_prefix(const struct regex *re);

#endif
