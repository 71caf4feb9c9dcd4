/* Line filters, compiled. */
#include "logs/logql/pipeline.h"

static enum err own(struct arena *a, struct regex_ref **regexes, struct regex *re)
{
    struct regex_ref *r = arena_alloc(a, sizeof(*r));
    if (!r) {
        regex_free(re);
        return arena_err(a);
    }
    *r = (struct regex_ref){re, *regexes};
    *regexes = r;
    return ERR_OK;
}

/* As Loki: in a chain of alternatives one that every line passes is left out. */
static bool says_nothing(const struct line_filter *f)
{
    bool all = f->text.n == 0 || (f->op == LINE_RE && str_eq_c(f->text, ".*"));
    return !f->ip && (f->op == LINE_EQ || f->op == LINE_RE) && all;
}

static bool some_say_something(const struct line_filter *f)
{
    while (f && says_nothing(f)) {
        f = f->alt;
    }
    return f != NULL;
}

static enum err one_test(struct arena *a, const struct line_filter *f, struct regex_ref **regexes,
                         struct line_test *t, struct err_info *info)
{
    t->negate = f->op == LINE_NEQ || f->op == LINE_NRE || f->op == LINE_NPATTERN;
    t->text = f->text;
    if (f->ip) {
        t->kind = LINE_TEST_IP;
        if (f->op != LINE_EQ && f->op != LINE_NEQ) {
            return err_set(info, ERR_INVALID, "ip: invalid operation");
        }
        return ip_parse(f->text, &t->ip, info);
    }
    if (f->op == LINE_RE || f->op == LINE_NRE) {
        struct regex *re;
        t->kind = LINE_TEST_REGEX;
        enum err e = regex_new(f->text, 0, &re, info);
        t->re = e ? NULL : re;
        return e ? e : own(a, regexes, re);
    }
    if (f->op == LINE_PATTERN || f->op == LINE_NPATTERN) {
        static const struct pattern empty = {0};
        t->kind = LINE_TEST_PATTERN;
        t->pattern = &empty;
        if (f->text.n == 0) {
            return ERR_OK;
        }
        enum err e = pattern_parse(a, f->text, &t->pattern, info);
        return e ? e : pattern_check_filter(t->pattern, info);
    }
    return ERR_OK;
}

enum err line_tests_new(struct arena *a, const struct line_filter *f, struct regex_ref **regexes,
                        struct line_test **ret_tests, struct err_info *reterr_info)
{
    struct line_test **tail = ret_tests;
    *ret_tests = NULL;
    for (; f; f = f->next) {
        struct line_test **alt = tail;
        bool some = some_say_something(f);
        for (const struct line_filter *o = f; o; o = o->alt) {
            if (some && says_nothing(o)) {
                continue;
            }
            struct line_test *t = arena_zalloc(a, sizeof(*t));
            if (!t) {
                return arena_err(a);
            }
            enum err e = one_test(a, o, regexes, t, reterr_info);
            if (e) {
                return e;
            }
            *alt = t;
            alt = &t->alt;
        }
        tail = &(*tail)->next;
    }
    return ERR_OK;
}

static bool one_passes(const struct line_test *t, struct str line)
{
    bool found = false;
    switch (t->kind) {
    case LINE_TEST_CONTAINS:
        found = t->text.n == 0 || str_find(line, t->text, 0) != STR_NPOS;
        break;
    case LINE_TEST_REGEX:
        found = regex_match(t->re, line);
        break;
    case LINE_TEST_IP:
        found = ip_found(&t->ip, line);
        break;
    case LINE_TEST_PATTERN:
        found = pattern_test(t->pattern, line);
        break;
    }
    return found != t->negate;
}

bool line_tests_pass(const struct line_test *t, struct str line)
{
    for (; t; t = t->next) {
        bool any = false;
        for (const struct line_test *o = t; o && !any; o = o->alt) {
            any = one_passes(o, line);
        }
        if (!any) {
            return false;
        }
    }
    return true;
}
