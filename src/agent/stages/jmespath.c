/* A recursive-descent parser into a small tree, and its evaluation. */
#include "agent/stages/jmespath.h"

enum {
    DEPTH_MAX = 32
};

enum node_kind {
    NODE_CURRENT = 0,
    NODE_FIELD,
    NODE_INDEX,
    NODE_OR,
    NODE_THEN, /* a.b, a | b: right is evaluated on left's result */
    NODE_STRING
};

struct jmespath {
    enum node_kind kind;
    struct str name;
    int64_t index;
    const struct jmespath *left, *right;
    struct json_value string;
};

struct parser {
    struct arena *a;
    struct str text;
    size_t at;
    unsigned depth;
    struct err_info *info;
};

static enum err parse_or(struct parser *p, const struct jmespath **ret);

static enum err refuse(struct parser *p, enum err e, const char *what)
{
    return err_set(p->info, e, "%s at position %zu of \"%.*s\"", what, p->at + 1, STR_FMT(p->text));
}

static char peek(struct parser *p)
{
    while (p->at < p->text.n && (p->text.p[p->at] == ' ' || p->text.p[p->at] == '\t')) {
        p->at++;
    }
    return p->at < p->text.n ? p->text.p[p->at] : '\0';
}

static enum err make(struct parser *p, struct jmespath n, const struct jmespath **ret)
{
    struct jmespath *copy = arena_alloc(p->a, sizeof(*copy));
    if (!copy) {
        return arena_err(p->a);
    }
    *copy = n;
    *ret = copy;
    return ERR_OK;
}

static bool name_char(char c, bool first)
{
    return c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z') || (!first && c >= '0' && c <= '9');
}

/* "quoted": a JSON string. */
static enum err parse_quoted(struct parser *p, struct str *ret)
{
    size_t from = p->at++;
    while (p->at < p->text.n && p->text.p[p->at] != '"') {
        p->at += p->text.p[p->at] == '\\' ? 2 : 1;
    }
    if (p->at >= p->text.n) {
        return refuse(p, ERR_INVALID, "unterminated quoted name");
    }
    p->at++;
    const struct json_value *v;
    enum err e = json_parse(p->a, str_slice(p->text, from, p->at), &v, NULL);
    if (e == ERR_OOM) {
        return e;
    }
    if (e || v->kind != JSON_STRING) {
        return refuse(p, ERR_INVALID, "wrong quoted name");
    }
    *ret = v->string;
    return ERR_OK;
}

static enum err parse_raw(struct parser *p, const struct jmespath **ret)
{
    size_t from = ++p->at;
    while (p->at < p->text.n && p->text.p[p->at] != '\'') {
        p->at++;
    }
    if (p->at >= p->text.n) {
        return refuse(p, ERR_INVALID, "unterminated string");
    }
    struct str s = str_slice(p->text, from, p->at++);
    return make(
        p, (struct jmespath){.kind = NODE_STRING, .string = {.kind = JSON_STRING, .string = s, .raw = s}},
        ret);
}

static enum err parse_index(struct parser *p, const struct jmespath **ret)
{
    size_t from = ++p->at;
    while (p->at < p->text.n && p->text.p[p->at] != ']') {
        p->at++;
    }
    struct jmespath n = {.kind = NODE_INDEX};
    if (p->at >= p->text.n) {
        return refuse(p, ERR_INVALID, "unterminated bracket");
    }
    if (str_to_i64(str_slice(p->text, from, p->at), &n.index)) {
        return refuse(p, ERR_UNSUPPORTED, "only plain indexes are offered within brackets; see there");
    }
    p->at++;
    return make(p, n, ret);
}

static enum err parse_name(struct parser *p, const struct jmespath **ret)
{
    struct jmespath n = {.kind = NODE_FIELD};
    if (peek(p) == '"') {
        enum err e = parse_quoted(p, &n.name);
        return e ? e : make(p, n, ret);
    }
    size_t from = p->at;
    while (p->at < p->text.n && name_char(p->text.p[p->at], p->at == from)) {
        p->at++;
    }
    if (p->at == from) {
        return refuse(p, ERR_INVALID, "a name is missing or needs quotes");
    }
    if (peek(p) == '(') {
        return refuse(p, ERR_UNSUPPORTED, "functions are not offered; see there");
    }
    n.name = str_slice(p->text, from, p->at);
    return make(p, n, ret);
}

// NOLINTNEXTLINE(misc-no-recursion): bounded by DEPTH_MAX
static enum err parse_primary(struct parser *p, const struct jmespath **ret)
{
    char c = peek(p);
    if (c == '@') {
        p->at++;
        return make(p, (struct jmespath){.kind = NODE_CURRENT}, ret);
    }
    if (c == '\'') {
        return parse_raw(p, ret);
    }
    if (c == '[') {
        return parse_index(p, ret);
    }
    if (c != '(') {
        return parse_name(p, ret);
    }
    p->at++;
    enum err e = parse_or(p, ret);
    if (!e && peek(p) != ')') {
        e = refuse(p, ERR_INVALID, "a parenthesis is not closed");
    }
    p->at += !e;
    return e;
}

// NOLINTNEXTLINE(misc-no-recursion): bounded by DEPTH_MAX
static enum err parse_chain(struct parser *p, const struct jmespath **ret)
{
    enum err e = parse_primary(p, ret);
    for (char c = peek(p); !e && (c == '.' || c == '['); c = peek(p)) {
        const struct jmespath *right = NULL;
        if (c == '.') {
            p->at++;
        }
        e = c == '[' ? parse_index(p, &right) : parse_name(p, &right);
        e = e ? e : make(p, (struct jmespath){.kind = NODE_THEN, .left = *ret, .right = right}, ret);
    }
    return e;
}

// NOLINTNEXTLINE(misc-no-recursion): bounded by DEPTH_MAX
static enum err parse_or(struct parser *p, const struct jmespath **ret)
{
    if (++p->depth > DEPTH_MAX) {
        return refuse(p, ERR_LIMIT, "nested too deeply");
    }
    enum err e = parse_chain(p, ret);
    while (!e && peek(p) == '|') {
        bool alternative = p->at + 1 < p->text.n && p->text.p[p->at + 1] == '|';
        const struct jmespath *right = NULL;
        p->at += alternative ? 2 : 1;
        e = alternative ? parse_chain(p, &right) : parse_or(p, &right);
        e = e ? e
              : make(p,
                     (struct jmespath){
                         .kind = alternative ? NODE_OR : NODE_THEN, .left = *ret, .right = right},
                     ret);
    }
    p->depth--;
    return e;
}

enum err jmespath_new(struct arena *a, struct str text, const struct jmespath **ret_path,
                      struct err_info *reterr_info)
{
    struct parser p = {.a = a, .text = text, .info = reterr_info};
    const struct jmespath *root = NULL;
    enum err e = parse_or(&p, &root);
    if (!e && peek(&p)) {
        e = refuse(&p, ERR_UNSUPPORTED, "not offered or not understood");
    }
    if (!e) {
        *ret_path = root;
    }
    return e;
}

/* null, false, and what is empty. */
static bool falsy(const struct json_value *v)
{
    if (!v || v->kind == JSON_NULL) {
        return true;
    }
    if (v->kind == JSON_BOOL) {
        return !v->boolean;
    }
    if (v->kind == JSON_STRING) {
        return v->string.n == 0;
    }
    return (v->kind == JSON_ARRAY || v->kind == JSON_OBJECT) && v->count == 0;
}

static const struct json_value *element(const struct json_value *list, int64_t index)
{
    if (!list || list->kind != JSON_ARRAY) {
        return NULL;
    }
    index = index < 0 ? index + (int64_t)list->count : index;
    const struct json_value *v = index < 0 ? NULL : list->child;
    while (v && index-- > 0) {
        v = v->next;
    }
    return v;
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as the expression
const struct json_value *jmespath_find(const struct jmespath *p, const struct json_value *root)
{
    const struct json_value *v;
    switch (p->kind) {
    case NODE_CURRENT:
        return root;
    case NODE_FIELD:
        return json_get(root, p->name);
    case NODE_INDEX:
        return element(root, p->index);
    case NODE_STRING:
        return &p->string;
    case NODE_OR:
        v = jmespath_find(p->left, root);
        return falsy(v) ? jmespath_find(p->right, root) : v;
    case NODE_THEN:
        v = jmespath_find(p->left, root);
        return v ? jmespath_find(p->right, v) : NULL;
    }
    return NULL;
}
