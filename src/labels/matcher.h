/* Label matchers: name = "v", != "v", =~ "re", !~ "re". An absent label has the empty value. */
#ifndef CAIRN_LABELS_MATCHER_H
#define CAIRN_LABELS_MATCHER_H

#include "base/err.h"
#include "base/str.h"
#include "labels/labels.h"
#include "labels/regex.h"

enum matcher_op {
    MATCH_EQ = 0,
    MATCH_NEQ,
    MATCH_RE,
    MATCH_NRE
};

struct matcher {
    enum matcher_op op;
    struct str name, value; /* borrowed */
    struct regex *re;       /* owned; NULL for MATCH_EQ and MATCH_NEQ */
};

/* Compiles the expression of a regex matcher; name and value are borrowed and must outlive it.
 * Errors: as regex_new. */
MUST_USE enum err matcher_init(struct matcher *m, enum matcher_op op, struct str name, struct str value,
                               struct err_info *reterr_info);
void matcher_done(struct matcher *m);
bool matcher_matches(const struct matcher *m, struct str value);
/* True when every matcher accepts the set. */
bool matchers_match(const struct matcher *m, size_t n, struct labels ls);
/* True when the matcher accepts a series without the label. */
bool matcher_matches_empty(const struct matcher *m);
/* name="v" with the operator, as Prometheus prints it. */
void matcher_format(struct buf *b, const struct matcher *m);

#endif
