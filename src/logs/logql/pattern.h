/* The little pattern language: literals with <name> and <_> between them. Any thread. */
#ifndef CAIRN_LOGS_LOGQL_PATTERN_H
#define CAIRN_LOGS_LOGQL_PATTERN_H

#include "base/arena.h"
#include "base/err.h"
#include "labels/regex.h"

struct pattern_part {
    bool capture;
    struct str text; /* the literal, or the capture's name ("_": unnamed) */
};

struct pattern {
    const struct pattern_part *parts;
    size_t n;
};

/* Errors: INVALID (Loki's text), OOM. */
MUST_USE enum err pattern_parse(struct arena *a, struct str text, const struct pattern **ret_pattern,
                                struct err_info *reterr_info);
/* What the pattern parser demands: a named capture, no two in a row, no name twice. */
MUST_USE enum err pattern_check_captures(const struct pattern *p, struct err_info *reterr_info);
/* What the line filters |> and !> demand: no names, no two captures in a row. */
MUST_USE enum err pattern_check_filter(const struct pattern *p, struct err_info *reterr_info);
/* Calls fn for each named capture, left to right, until it returns false. */
void pattern_extract(const struct pattern *p, struct str line,
                     bool (*fn)(void *ctx, struct str name, struct str value), void *ctx);
bool pattern_test(const struct pattern *p, struct str line);

/* The expression of a regexp stage: with at least one named group, each name once. */
MUST_USE enum err regexp_stage_new(struct str text, struct regex **ret_re, struct err_info *reterr_info);

#endif
