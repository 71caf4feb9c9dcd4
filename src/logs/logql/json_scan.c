/* Members, values and paths in JSON text. */
#include "logs/logql/json_scan.h"

#include <stdio.h>
#include <string.h>

static const char malformed_json[] = "Malformed JSON error";
static const char malformed_string[] = "Value is string, but can't find closing '\"' symbol";
static const char malformed_array[] = "Value is array, but can't find closing ']' symbol";
static const char malformed_object[] = "Value looks like object, but can't find closing '}' symbol";
static const char malformed_escape[] = "Encountered an invalid escape sequence in a string";
static const char unknown_type[] = "Unknown value type";

/* -- ends ------------------------------------------------------------------------------------------------ */

static size_t skip_blank(struct str s, size_t at)
{
    while (at < s.n && (s.p[at] == ' ' || s.p[at] == '\n' || s.p[at] == '\r' || s.p[at] == '\t')) {
        at++;
    }
    return at;
}

/* Behind the closing quote of the string whose text starts at `at`; STR_NPOS without one. */
static size_t string_end(struct str s, size_t at, bool *ret_escaped)
{
    *ret_escaped = false;
    while (at < s.n) {
        if (s.p[at] == '"') {
            return at + 1;
        }
        if (s.p[at] == '\\') {
            *ret_escaped = true;
            at++;
        }
        at++;
    }
    return STR_NPOS;
}

/* Behind the bracket that closes the one at `at`. */
static size_t block_end(struct str s, size_t at, char open, char close)
{
    size_t level = 0;
    bool ignored;
    while (at < s.n) {
        char c = s.p[at];
        if (c == '"') {
            at = string_end(s, at + 1, &ignored);
            if (at == STR_NPOS) {
                return STR_NPOS;
            }
            continue;
        }
        level += c == open;
        if (c == close && --level == 0) {
            return at + 1;
        }
        at++;
    }
    return STR_NPOS;
}

/* The value at `at` (blanks before it are skipped) and where it ends. */
static const char *value_at(struct str s, size_t at, struct scan_value *v, size_t *ret_end)
{
    bool ignored;
    at = skip_blank(s, at);
    if (at >= s.n) {
        return malformed_json;
    }
    size_t end = at;
    char c = s.p[at];
    if (c == '"') {
        end = string_end(s, at + 1, &ignored);
        if (end == STR_NPOS) {
            return malformed_string;
        }
        *v = (struct scan_value){SCAN_STRING, str_slice(s, at + 1, end - 1)};
    } else if (c == '[' || c == '{') {
        end = block_end(s, at, c, c == '[' ? ']' : '}');
        if (end == STR_NPOS) {
            return c == '[' ? malformed_array : malformed_object;
        }
        *v = (struct scan_value){c == '[' ? SCAN_ARRAY : SCAN_OBJECT, str_slice(s, at, end)};
    } else {
        while (end < s.n && !strchr(" \n\r\t,}]", s.p[end])) {
            end++;
        }
        v->text = str_slice(s, at, end);
        if (str_eq_c(v->text, "true") || str_eq_c(v->text, "false")) {
            v->type = SCAN_BOOL;
        } else if (str_eq_c(v->text, "null")) {
            v->type = SCAN_NULL;
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            v->type = SCAN_NUMBER;
        } else {
            return unknown_type;
        }
    }
    *ret_end = end;
    return NULL;
}

/* -- escapes --------------------------------------------------------------------------------------------- */

static bool hex4(struct str s, size_t at, uint32_t *ret_value)
{
    uint32_t v = 0;
    if (at + 6 > s.n || s.p[at] != '\\') {
        return false;
    }
    for (size_t i = at + 2; i < at + 6; i++) {
        char c = s.p[i];
        uint32_t d = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                            : 16;
        if (d == 16) {
            return false;
        }
        v = v << 4 | d;
    }
    *ret_value = v;
    return true;
}

/* The escape at `at`: its length and what it stands for; 0 when it is none. */
static size_t one_escape(struct str s, size_t at, char *out, size_t *ret_n)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t high, low;
    char c = at + 1 < s.n ? s.p[at + 1] : 0;
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        out[0] = to[simple - from];
        *ret_n = 1;
        return 2;
    }
    if (c != 'u' || !hex4(s, at, &high)) {
        return 0;
    }
    if (high < 0xd800 || high > 0xdfff) {
        *ret_n = utf8_put(out, high);
        return 6;
    }
    if (!hex4(s, at + 6, &low) || low < 0xdc00) {
        return 0;
    }
    uint32_t code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    *ret_n = utf8_put(out, code > 0x10ffff ? 0xfffd : code);
    return 12;
}

bool scan_unescape(struct arena *a, struct str s, struct str *ret_text)
{
    if (str_find_char(s, '\\', 0) == STR_NPOS) {
        *ret_text = s;
        return true;
    }
    char *out = arena_bytes(a, s.n + 1);
    size_t n = 0;
    if (!out) {
        return false;
    }
    for (size_t i = 0; i < s.n;) {
        size_t put;
        if (s.p[i] != '\\') {
            out[n++] = s.p[i++];
            continue;
        }
        size_t len = one_escape(s, i, out + n, &put);
        if (len == 0) {
            return false;
        }
        i += len;
        n += put;
    }
    *ret_text = str_of(out, n);
    return true;
}

/* -- members --------------------------------------------------------------------------------------------- */

/* The key whose text starts at `at`, and where its string ends. */
static const char *key_at(struct arena *a, struct str s, size_t at, struct str *ret_key, size_t *ret_end)
{
    bool escaped;
    size_t end = string_end(s, at, &escaped);
    if (end == STR_NPOS) {
        return malformed_json;
    }
    *ret_key = str_slice(s, at, end - 1);
    *ret_end = end;
    return escaped && !scan_unescape(a, *ret_key, ret_key) ? malformed_escape : NULL;
}

const char *scan_object(struct arena *a, struct str text, scan_member_fn fn, void *ctx)
{
    size_t at = skip_blank(text, 0);
    if (at >= text.n || text.p[at] != '{') {
        return malformed_object;
    }
    at = skip_blank(text, at + 1);
    if (at >= text.n) {
        return malformed_json;
    }
    while (at < text.n) {
        struct str key;
        struct scan_value v;
        if (text.p[at] == '}') {
            return NULL;
        }
        if (text.p[at] != '"') {
            return malformed_object;
        }
        const char *fault = key_at(a, text, at + 1, &key, &at);
        if (fault) {
            return fault;
        }
        at = skip_blank(text, at);
        if (at >= text.n || text.p[at] != ':') {
            return malformed_json;
        }
        fault = value_at(text, at + 1, &v, &at);
        if (!fault) {
            fault = fn(ctx, key, &v);
        }
        if (fault) {
            return fault;
        }
        at = skip_blank(text, at);
        if (at >= text.n) {
            return malformed_array;
        }
        if (text.p[at] == '}') {
            return NULL;
        }
        if (text.p[at] != ',') {
            return malformed_object;
        }
        at = skip_blank(text, at + 1);
        if (at >= text.n) {
            return malformed_array;
        }
    }
    return malformed_object;
}

/* -- paths ----------------------------------------------------------------------------------------------- */

struct walk {
    struct arena *a;
    const struct scan_path *paths;
    size_t n, found;
    bool done[SCAN_PATHS_MAX];
    struct str at[SCAN_PATH_STEPS_MAX]; /* the keys that lead to where we are */
    size_t longest;
    scan_path_fn fn;
    void *ctx;
};

/* Whether the first `level` steps of the path are those walked. */
static bool same_way(const struct walk *w, const struct scan_path *p, size_t level)
{
    for (size_t i = 0; i < level; i++) {
        if (p->steps[i].is_index || !str_eq(p->steps[i].name, w->at[i])) {
            return false;
        }
    }
    return true;
}

static bool find_in(struct arena *a, struct str text, const struct scan_step *steps, size_t n,
                    struct scan_value *v);

struct find {
    struct arena *a;
    const struct scan_step *steps;
    size_t n;
    struct scan_value *v;
    bool found;
};

static const char found_it[] = "found";

static const char *find_member(void *ctx, struct str key, const struct scan_value *v)
{
    struct find *f = ctx;
    if (!str_eq(key, f->steps[0].name)) {
        return NULL;
    }
    if (f->n == 1) {
        *f->v = *v;
        f->found = true;
    } else if (v->type == SCAN_OBJECT || v->type == SCAN_ARRAY) {
        f->found = find_in(f->a, v->text, f->steps + 1, f->n - 1, f->v);
    }
    return found_it;
}

/* The element `index` of the array that starts at the first byte of text. */
static bool element(struct str text, int64_t index, struct scan_value *v)
{
    size_t at = skip_blank(text, 1);
    for (int64_t i = 0; at < text.n && text.p[at] != ']'; i++) {
        if (value_at(text, at, v, &at)) {
            return false;
        }
        if (i == index) {
            return true;
        }
        at = skip_blank(text, at);
        if (at >= text.n || text.p[at] != ',') {
            return false;
        }
        at++;
    }
    return false;
}

static bool find_in(struct arena *a, struct str text, const struct scan_step *steps, size_t n,
                    struct scan_value *v)
{
    if (steps[0].is_index) {
        struct scan_value e;
        if (text.n == 0 || text.p[0] != '[' || !element(text, steps[0].index, &e)) {
            return false;
        }
        if (n == 1) {
            *v = e;
            return true;
        }
        return (e.type == SCAN_OBJECT || e.type == SCAN_ARRAY) && find_in(a, e.text, steps + 1, n - 1, v);
    }
    struct find f = {.a = a, .steps = steps, .n = n, .v = v};
    (void)scan_object(a, text, find_member, &f);
    return f.found;
}

/* Paths that go on with an index into the array at `at`. True: some did. */
static bool into_array(struct walk *w, struct str text, size_t at, size_t level)
{
    bool any = false;
    for (size_t i = 0; i < w->n; i++) {
        const struct scan_path *p = &w->paths[i];
        struct scan_value v;
        if (w->done[i] || p->n <= level || !p->steps[level].is_index || !same_way(w, p, level)) {
            continue;
        }
        any = true;
        struct str array = str_slice(text, at, text.n);
        if (!element(array, p->steps[level].index, &v)) {
            continue;
        }
        w->done[i] = true;
        w->found++;
        if (p->n == level + 1 || ((v.type == SCAN_OBJECT || v.type == SCAN_ARRAY) &&
                                  find_in(w->a, v.text, p->steps + level + 1, p->n - level - 1, &v))) {
            w->fn(w->ctx, i, &v, NULL);
        }
    }
    return any;
}

/* A key at this level: hands out the value to the paths that end here. */
static void at_key(struct walk *w, struct str text, size_t colon, size_t level)
{
    for (size_t i = 0; i < w->n && w->found < w->n; i++) {
        const struct scan_path *p = &w->paths[i];
        struct scan_value v = {0};
        size_t ignored;
        if (w->done[i] || p->n != level || !same_way(w, p, level)) {
            continue;
        }
        w->done[i] = true;
        w->found++;
        const char *fault = value_at(text, colon + 1, &v, &ignored);
        w->fn(w->ctx, i, &v, fault);
    }
}

void scan_paths(struct arena *a, struct str text, const struct scan_path *paths, size_t n, scan_path_fn fn,
                void *ctx)
{
    struct walk w = {.a = a, .paths = paths, .n = n, .fn = fn, .ctx = ctx};
    int64_t level = 0;
    for (size_t i = 0; i < n; i++) {
        w.longest = paths[i].n > w.longest ? paths[i].n : w.longest;
    }
    for (size_t at = 0; at < text.n && w.found < n; at++) {
        char c = text.p[at];
        if (c == '{') {
            level++;
        } else if (c == '}' || c == ']') {
            level--;
        } else if (c == '[') {
            if (level < 0) {
                fn(ctx, 0, NULL, malformed_json);
                return;
            }
            (void)into_array(&w, text, at, (size_t)level);
            size_t end = block_end(text, at, '[', ']');
            if (end == STR_NPOS) {
                return;
            }
            at = end - 1;
        } else if (c == '"') {
            struct str key;
            size_t end;
            if (key_at(a, text, at + 1, &key, &end)) {
                return;
            }
            end = skip_blank(text, end);
            if (end >= text.n) {
                return;
            }
            at = end - 1;
            if (text.p[end] != ':') {
                continue;
            }
            at = end;
            if ((int64_t)w.longest >= level) {
                if (level < 1) {
                    fn(ctx, 0, NULL, malformed_json);
                    return;
                }
                w.at[level - 1] = key;
                at_key(&w, text, end, (size_t)level);
            }
        }
    }
}

/* -- path expressions ------------------------------------------------------------------------------------ */

enum path_token {
    PATH_END = 0,
    PATH_DOT,
    PATH_OPEN,
    PATH_CLOSE,
    PATH_STRING,
    PATH_FIELD,
    PATH_INDEX
};

struct path_lexer {
    struct str text;
    size_t at;
    char fault[80];
    struct str word;
    int64_t index;
};

static bool word_char(char c, bool first)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (!first && c >= '0' && c <= '9');
}

static enum path_token index_token(struct path_lexer *l)
{
    size_t start = l->at;
    while (l->at < l->text.n) {
        char c = l->text.p[l->at];
        if (c == '.') {
            (void)snprintf(l->fault, sizeof(l->fault), "cannot use float as array index");
            return PATH_END;
        }
        if (c == ' ' || c == '\t' || c == '\n' || c == ']') {
            break;
        }
        if (c < '0' || c > '9') {
            (void)snprintf(l->fault, sizeof(l->fault), "non-integer value: %c", c);
            return PATH_END;
        }
        l->at++;
    }
    if (l->at == l->text.n || str_to_i64(str_slice(l->text, start, l->at), &l->index) != ERR_OK) {
        (void)snprintf(l->fault, sizeof(l->fault), "non-integer value: %c", 0);
        return PATH_END;
    }
    return PATH_INDEX;
}

static enum path_token path_next(struct path_lexer *l)
{
    while (l->at < l->text.n &&
           (l->text.p[l->at] == ' ' || l->text.p[l->at] == '\t' || l->text.p[l->at] == '\n')) {
        l->at++;
    }
    if (l->at >= l->text.n || l->text.p[l->at] == 0) {
        return PATH_END;
    }
    char c = l->text.p[l->at];
    size_t start = l->at;
    if (c >= '0' && c <= '9') {
        return index_token(l);
    }
    if (word_char(c, true)) {
        while (l->at < l->text.n && word_char(l->text.p[l->at], false)) {
            l->at++;
        }
        l->word = str_slice(l->text, start, l->at);
        return PATH_FIELD;
    }
    l->at++;
    if (c == '"') {
        while (l->at < l->text.n && l->text.p[l->at] != '"' && l->text.p[l->at] != ']') {
            l->at++;
        }
        l->word = str_slice(l->text, start + 1, l->at);
        l->at += l->at < l->text.n;
        return PATH_STRING;
    }
    if (c == '[' || c == ']' || c == '.') {
        return c == '[' ? PATH_OPEN : c == ']' ? PATH_CLOSE : PATH_DOT;
    }
    l->at = l->text.n;
    (void)snprintf(l->fault, sizeof(l->fault), "unexpected char %.*s", 4, l->text.p + start);
    return PATH_END;
}

static enum err path_fault(enum path_token got, const char *expecting, struct err_info *info)
{
    static const char *const names[] = {"$end", "DOT", "LSB", "RSB", "STRING", "FIELD", "INDEX"};
    return err_set(info, ERR_INVALID, "syntax error: unexpected %s, expecting %s", names[got], expecting);
}

static enum err path_step(struct path_lexer *l, enum path_token *t, bool first, struct scan_step *s,
                          struct err_info *info)
{
    *s = (struct scan_step){0};
    if (*t == PATH_DOT && !first) {
        *t = path_next(l);
        if (*t != PATH_FIELD) {
            return path_fault(*t, "FIELD", info);
        }
    }
    if (*t == PATH_FIELD) {
        s->name = l->word;
        *t = path_next(l);
        return ERR_OK;
    }
    *t = path_next(l);
    if (*t != PATH_STRING && *t != PATH_INDEX) {
        return path_fault(*t, "STRING or INDEX", info);
    }
    s->is_index = *t == PATH_INDEX;
    s->name = l->word;
    s->index = l->index;
    *t = path_next(l);
    if (*t != PATH_CLOSE) {
        return path_fault(*t, "RSB", info);
    }
    *t = path_next(l);
    return ERR_OK;
}

enum err scan_path_parse(struct arena *a, struct str text, struct scan_path *ret_path,
                         struct err_info *reterr_info)
{
    struct path_lexer l = {.text = text};
    struct scan_step *steps = NULL;
    size_t n = 0, cap = 0;
    enum path_token t = path_next(&l);
    if (t != PATH_FIELD && t != PATH_OPEN) {
        return path_fault(t, "LSB or FIELD", reterr_info);
    }
    while (t != PATH_END) {
        if (n && t != PATH_DOT && t != PATH_OPEN) {
            return path_fault(t, "DOT or LSB", reterr_info);
        }
        if (n == SCAN_PATH_STEPS_MAX) {
            return err_set(reterr_info, ERR_INVALID, "more than %d steps", SCAN_PATH_STEPS_MAX);
        }
        enum err e = arena_reserve(a, (void **)&steps, &cap, n + 1, sizeof(*steps));
        e = e ? e : path_step(&l, &t, n == 0, &steps[n], reterr_info);
        if (e) {
            return e;
        }
        n++;
    }
    if (l.fault[0]) {
        return err_set(reterr_info, ERR_INVALID, "%s", l.fault);
    }
    *ret_path = (struct scan_path){steps, n};
    return ERR_OK;
}
