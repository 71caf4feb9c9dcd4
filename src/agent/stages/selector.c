/* A hand-written parser for {a="b", c=~"d"} |= "x" !~ `y`. */
#include "agent/stages/selector.h"

#include "codec/json.h"

enum {
    MATCHERS_MAX = 64,
    FILTERS_MAX = 64
};

enum filter_kind {
    FILTER_HAS = 0, /* |= */
    FILTER_HAS_NOT, /* != */
    FILTER_RE,      /* |~ */
    FILTER_RE_NOT   /* !~ */
};

struct filter {
    enum filter_kind kind;
    struct str text;
    struct regex *re;
};

struct selector {
    struct matcher matchers[MATCHERS_MAX];
    size_t matcher_count;
    struct filter filters[FILTERS_MAX];
    size_t filter_count;
};

struct parser {
    struct arena *a;
    struct str text;
    size_t at;
    struct err_info *info;
};

static enum err fail(const struct parser *p, const char *what)
{
    return err_set(p->info, ERR_INVALID, "parse error at line 1, col %zu: %s in the selector \"%.*s\"",
                   p->at + 1, what, STR_FMT(p->text));
}

static void skip_blanks(struct parser *p)
{
    while (p->at < p->text.n && strchr(" \t\r\n", p->text.p[p->at])) {
        p->at++;
    }
}

static bool take(struct parser *p, const char *token)
{
    skip_blanks(p);
    if (!str_starts(str_slice(p->text, p->at, p->text.n), str_c(token))) {
        return false;
    }
    p->at += strlen(token);
    return true;
}

/* "text" with Go's escapes (JSON's are the common ones), or `text`. */
static enum err parse_string(struct parser *p, struct str *ret)
{
    skip_blanks(p);
    size_t from = p->at;
    char quote = from < p->text.n ? p->text.p[from] : '\0';
    if (quote != '"' && quote != '`') {
        return fail(p, "a quoted string is missing");
    }
    for (p->at++; p->at < p->text.n && p->text.p[p->at] != quote; p->at++) {
        p->at += quote == '"' && p->text.p[p->at] == '\\';
    }
    if (p->at >= p->text.n) {
        return fail(p, "a string is not closed");
    }
    p->at++;
    if (quote == '`') {
        *ret = str_slice(p->text, from + 1, p->at - 1);
        return ERR_OK;
    }
    const struct json_value *v;
    enum err e = json_parse(p->a, str_slice(p->text, from, p->at), &v, NULL);
    if (e) {
        return e == ERR_OOM ? e : fail(p, "a string has a wrong escape");
    }
    *ret = v->string;
    return ERR_OK;
}

static enum err parse_matcher(struct parser *p, struct selector *s)
{
    static const struct {
        const char *token;
        enum matcher_op op;
    } ops[] = {{"=~", MATCH_RE}, {"!~", MATCH_NRE}, {"!=", MATCH_NEQ}, {"=", MATCH_EQ}};
    struct str value;
    struct err_info why = {0};
    skip_blanks(p);
    size_t from = p->at, i = 0;
    while (p->at < p->text.n && !strchr(" \t\r\n=!~{},\"", p->text.p[p->at])) {
        p->at++;
    }
    struct str name = str_slice(p->text, from, p->at);
    if (!label_name_is_legacy(name)) {
        return fail(p, "a label name is missing");
    }
    while (i < ARRAY_LEN(ops) && !take(p, ops[i].token)) {
        i++;
    }
    if (i == ARRAY_LEN(ops)) {
        return fail(p, "one of = != =~ !~ is missing");
    }
    if (s->matcher_count >= MATCHERS_MAX) {
        return fail(p, "too many matchers");
    }
    enum err e = parse_string(p, &value);
    if (e) {
        return e;
    }
    e = matcher_init(&s->matchers[s->matcher_count], ops[i].op, name, value, &why);
    if (e) {
        return e == ERR_OOM ? e : fail(p, why.message);
    }
    s->matcher_count++;
    return ERR_OK;
}

static enum err parse_filter(struct parser *p, struct selector *s)
{
    static const char *const ops[] = {"|=", "!=", "|~", "!~"};
    struct filter f = {0};
    struct err_info why = {0};
    size_t i = 0;
    while (i < ARRAY_LEN(ops) && !take(p, ops[i])) {
        i++;
    }
    if (i == ARRAY_LEN(ops)) {
        return fail(p, "only the line filters |= != |~ !~ can follow");
    }
    if (s->filter_count >= FILTERS_MAX) {
        return fail(p, "too many line filters");
    }
    f.kind = (enum filter_kind)i;
    enum err e = parse_string(p, &f.text);
    if (!e && (f.kind == FILTER_RE || f.kind == FILTER_RE_NOT)) {
        e = regex_new(f.text, 0, &f.re, &why);
        e = e && e != ERR_OOM ? fail(p, why.message) : e;
    }
    if (!e) {
        s->filters[s->filter_count++] = f;
    }
    return e;
}

static enum err parse(struct parser *p, struct selector *s)
{
    enum err e = ERR_OK;
    if (!take(p, "{")) {
        return fail(p, "a selector begins with {");
    }
    while (!e && !take(p, "}")) {
        if (s->matcher_count && !take(p, ",")) {
            return fail(p, "a comma or } is missing");
        }
        if (s->matcher_count && take(p, "}")) {
            break;
        }
        e = parse_matcher(p, s);
    }
    if (!e && s->matcher_count == 0) {
        return fail(p, "at least one label matcher is needed");
    }
    for (skip_blanks(p); !e && p->at < p->text.n; skip_blanks(p)) {
        e = parse_filter(p, s);
    }
    return e;
}

enum err selector_new(struct arena *a, struct str text, struct selector **ret_selector,
                      struct err_info *reterr_info)
{
    struct selector *s = arena_zalloc(a, sizeof(*s));
    struct parser p = {.a = a, .text = text, .info = reterr_info};
    if (!s) {
        return arena_err(a);
    }
    enum err e = parse(&p, s);
    if (e) {
        selector_free(s);
        return e;
    }
    *ret_selector = s;
    return ERR_OK;
}

void selector_free(struct selector *s)
{
    for (size_t i = 0; s && i < s->matcher_count; i++) {
        matcher_done(&s->matchers[i]);
    }
    for (size_t i = 0; s && i < s->filter_count; i++) {
        regex_free(s->filters[i].re);
    }
}

bool selector_matches(const struct selector *s, struct labels labels, struct str line)
{
    bool ok = matchers_match(s->matchers, s->matcher_count, labels);
    for (size_t i = 0; ok && i < s->filter_count; i++) {
        const struct filter *f = &s->filters[i];
        bool hit = f->re ? regex_match(f->re, line) : str_find(line, f->text, 0) != STR_NPOS;
        ok = hit != (f->kind == FILTER_HAS_NOT || f->kind == FILTER_RE_NOT);
    }
    return ok;
}
