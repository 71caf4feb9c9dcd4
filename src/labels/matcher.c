/* Label matchers. */
#include "labels/matcher.h"

enum err matcher_init(struct matcher *m, enum matcher_op op, struct str name, struct str value,
                      struct err_info *reterr_info)
{
    struct regex *re = NULL;
    if (op == MATCH_RE || op == MATCH_NRE) {
        enum err e = regex_new(value, REGEX_ANCHORED, &re, reterr_info);
        if (e != ERR_OK) {
            return e;
        }
    }
    *m = (struct matcher){op, name, value, re};
    return ERR_OK;
}

void matcher_done(struct matcher *m)
{
    regex_free(m->re);
    m->re = NULL;
}

bool matcher_matches(const struct matcher *m, struct str value)
{
    switch (m->op) {
    case MATCH_EQ:
        return str_eq(m->value, value);
    case MATCH_NEQ:
        return !str_eq(m->value, value);
    case MATCH_RE:
        return regex_match(m->re, value);
    case MATCH_NRE:
        return !regex_match(m->re, value);
    }
    return false;
}

bool matchers_match(const struct matcher *m, size_t n, struct labels ls)
{
    for (size_t i = 0; i < n; i++) {
        if (!matcher_matches(&m[i], labels_get(ls, m[i].name))) {
            return false;
        }
    }
    return true;
}

bool matcher_matches_empty(const struct matcher *m)
{
    return matcher_matches(m, (struct str){0});
}

void matcher_format(struct buf *b, const struct matcher *m)
{
    static const char *const ops[] = {"=", "!=", "=~", "!~"};
    if (label_name_is_legacy(m->name)) {
        buf_str(b, m->name);
    } else {
        labels_quote(b, m->name);
    }
    buf_c(b, ops[m->op]);
    labels_quote(b, m->value);
}
