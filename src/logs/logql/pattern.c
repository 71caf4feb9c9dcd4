/* Patterns: parse, extract, test. No backtracking: a literal is looked for from where the last one ended. */
#include "logs/logql/pattern.h"

#include <stdio.h>

static bool name_char(char c, bool first)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (!first && c >= '0' && c <= '9');
}

/* The length of <name> at the start of s, 0 when there is none. */
static size_t capture_at(struct str s)
{
    size_t i = 1;
    if (s.n < 3 || s.p[0] != '<' || !name_char(s.p[1], true)) {
        return 0;
    }
    while (i < s.n && name_char(s.p[i], false)) {
        i++;
    }
    return i < s.n && s.p[i] == '>' ? i + 1 : 0;
}

enum err pattern_parse(struct arena *a, struct str text, const struct pattern **ret_pattern,
                       struct err_info *reterr_info)
{
    struct pattern *p = arena_zalloc(a, sizeof(*p));
    struct pattern_part *parts = NULL;
    size_t n = 0, cap = 0, literal = 0;
    if (!p) {
        return arena_err(a);
    }
    if (text.n == 0) {
        return err_set(reterr_info, ERR_INVALID,
                       "syntax error: unexpected $end, expecting IDENTIFIER or LITERAL");
    }
    if (!str_utf8_valid(text)) {
        return err_set(reterr_info, ERR_INVALID,
                       "syntax error: unexpected $end, expecting IDENTIFIER or LITERAL");
    }
    for (size_t i = 0; i <= text.n;) {
        size_t len = i < text.n ? capture_at(str_slice(text, i, text.n)) : 0;
        if (i < text.n && len == 0) {
            i++;
            continue;
        }
        enum err e = arena_reserve(a, (void **)&parts, &cap, n + 2, sizeof(*parts));
        if (e) {
            return e;
        }
        if (i > literal) {
            parts[n++] = (struct pattern_part){false, str_slice(text, literal, i)};
        }
        if (i == text.n) {
            break;
        }
        parts[n++] = (struct pattern_part){true, str_slice(text, i + 1, i + len - 1)};
        i += len;
        literal = i;
    }
    p->parts = parts;
    p->n = n;
    *ret_pattern = p;
    return ERR_OK;
}

static bool is_unnamed(const struct pattern_part *part)
{
    return str_eq_c(part->text, "_");
}

static enum err check_neighbours(const struct pattern *p, struct err_info *info)
{
    for (size_t i = 1; i < p->n; i++) {
        if (p->parts[i].capture && p->parts[i - 1].capture) {
            return err_set(info, ERR_INVALID, "found consecutive capture '<%.*s><%.*s>': invalid expression",
                           STR_FMT(p->parts[i - 1].text), STR_FMT(p->parts[i].text));
        }
    }
    return ERR_OK;
}

enum err pattern_check_captures(const struct pattern *p, struct err_info *reterr_info)
{
    size_t named = 0;
    for (size_t i = 0; i < p->n; i++) {
        named += p->parts[i].capture && !is_unnamed(&p->parts[i]);
    }
    if (named == 0) {
        return err_set(reterr_info, ERR_INVALID, "at least one capture is required");
    }
    enum err e = check_neighbours(p, reterr_info);
    for (size_t i = 0; i < p->n && !e; i++) {
        for (size_t k = 0; k < i; k++) {
            const struct pattern_part *a = &p->parts[i], *b = &p->parts[k];
            if (a->capture && b->capture && !is_unnamed(a) && str_eq(a->text, b->text)) {
                return err_set(reterr_info, ERR_INVALID, "duplicate capture name (%.*s): invalid expression",
                               STR_FMT(a->text));
            }
        }
    }
    return e;
}

enum err pattern_check_filter(const struct pattern *p, struct err_info *reterr_info)
{
    enum err e = check_neighbours(p, reterr_info);
    for (size_t i = 0; i < p->n && !e; i++) {
        if (p->parts[i].capture && !is_unnamed(&p->parts[i])) {
            return err_set(reterr_info, ERR_INVALID, "named captures are not allowed: found '<%.*s>'",
                           STR_FMT(p->parts[i].text));
        }
    }
    return e;
}

void pattern_extract(const struct pattern *p, struct str line,
                     bool (*fn)(void *ctx, struct str name, struct str value), void *ctx)
{
    size_t i = 0;
    if (line.n == 0 || p->n == 0) {
        return;
    }
    if (!p->parts[0].capture) {
        if (!str_starts(line, p->parts[0].text)) {
            return;
        }
        line = str_slice(line, p->parts[0].text.n, line.n);
        i = 1;
    }
    /* from here: capture, literal, capture, ... */
    for (; i < p->n; i += 2) {
        const struct pattern_part *c = &p->parts[i];
        size_t at = i + 1 < p->n ? str_find(line, p->parts[i + 1].text, 0) : STR_NPOS;
        struct str value = at == STR_NPOS ? line : str_slice(line, 0, at);
        if (!is_unnamed(c) && !fn(ctx, c->text, value)) {
            return;
        }
        if (at == STR_NPOS) {
            return;
        }
        line = str_slice(line, at + p->parts[i + 1].text.n, line.n);
    }
}

bool pattern_test(const struct pattern *p, struct str line)
{
    size_t off = 0;
    if (line.n == 0 || p->n == 0) {
        return line.n == 0 && p->n == 0;
    }
    for (size_t i = 0; i < p->n; i++) {
        if (p->parts[i].capture) {
            continue;
        }
        size_t at = str_find(line, p->parts[i].text, off);
        if (at == STR_NPOS || (i != 0 && at == off)) {
            return false;
        }
        off = at + p->parts[i].text.n;
    }
    return p->parts[p->n - 1].capture == (off != line.n);
}

/* -- regexp ---------------------------------------------------------------------------------------------- */

enum err regexp_stage_new(struct str text, struct regex **ret_re, struct err_info *reterr_info)
{
    struct regex *re;
    enum err e = regex_new(text, 0, &re, reterr_info);
    if (e) {
        return e;
    }
    size_t named = 0;
    for (size_t i = 1; i <= regex_group_count(re); i++) {
        struct str name = regex_group_name(re, i);
        named += name.n > 0;
        for (size_t k = 1; k < i && name.n; k++) {
            if (str_eq(name, regex_group_name(re, k))) {
                e = err_set(reterr_info, ERR_INVALID, "duplicate extracted label name '%.*s'", STR_FMT(name));
                regex_free(re);
                return e;
            }
        }
    }
    if (named == 0) {
        regex_free(re);
        return err_set(reterr_info, ERR_INVALID, "at least one named capture must be supplied");
    }
    *ret_re = re;
    return ERR_OK;
}
