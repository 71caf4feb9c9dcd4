/* Routing and parameters. Exact paths are looked up in a map; paths with captures are tried in order of
 * registration. */
#include "net/http_int.h"

static enum err route_add(struct http_server *s, const struct http_route *route, void *ctx)
{
    struct http_binding *b = mem_zalloc(sizeof(*b));
    if (!b) {
        return ERR_OOM;
    }
    *b = (struct http_binding){.route = route, .ctx = ctx};
    struct str path = str_c(route->path);
    if (str_find_char(path, '{', 0) == STR_NPOS) {
        b->next = strmap_get(&s->exact, path);
        enum err e = strmap_put(&s->exact, path, b, NULL);
        if (e != ERR_OK) {
            mem_free(b);
        }
        return e;
    }
    struct http_binding **end = &s->patterns;
    while (*end) {
        end = &(*end)->next;
    }
    *end = b;
    return ERR_OK;
}

enum err http_server_routes(struct http_server *s, const struct http_route *routes, size_t n, void *ctx)
{
    enum err e = ERR_OK;
    mutex_lock(&s->routes_lock);
    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        e = route_add(s, &routes[i], ctx);
    }
    mutex_unlock(&s->routes_lock);
    return e;
}

/* True when `method` is one of the route's, GET standing for HEAD too. */
static bool method_matches(const char *methods, struct str method)
{
    struct str rest = str_c(methods);
    if (str_eq_c(rest, "*")) {
        return true;
    }
    while (rest.p) {
        struct str m = str_cut(&rest, '|');
        if (str_eq(m, method) || (str_eq_c(m, "GET") && str_eq_c(method, "HEAD"))) {
            return true;
        }
    }
    return false;
}

static const char *const known_methods[] = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"};

/* Known methods as a set of bits. */
static unsigned methods_of(const char *methods)
{
    struct str rest = str_c(methods);
    unsigned set = 0;
    while (rest.p) {
        struct str m = str_cut(&rest, '|');
        for (size_t i = 0; i < ARRAY_LEN(known_methods); i++) {
            bool is = str_eq_c(m, known_methods[i]) ||
                      (str_eq_c(m, "GET") && str_eq_c(str_c(known_methods[i]), "HEAD"));
            set |= is ? 1U << i : 0;
        }
    }
    return set;
}

void http_allow_format(struct buf *b, unsigned set)
{
    set |= methods_of("OPTIONS");
    for (size_t i = 0; i < ARRAY_LEN(known_methods); i++) {
        if (set & 1U << i) {
            buf_printf(b, "%s%s", b->n ? ", " : "", known_methods[i]);
        }
    }
}

/* Matches the raw path against a pattern; fills the captures of r (decoded). */
static bool pattern_matches(struct http_req *r, const char *pattern)
{
    struct str p = str_c(pattern), path = r->raw_path;
    r->capture_count = 0;
    while (p.n) {
        size_t open = str_find_char(p, '{', 0);
        struct str literal = open == STR_NPOS ? p : str_slice(p, 0, open);
        if (!str_starts(path, literal)) {
            return false;
        }
        path = str_slice(path, literal.n, path.n);
        if (open == STR_NPOS) {
            return path.n == 0;
        }
        size_t close = str_find_char(p, '}', open);
        struct str name = str_slice(p, open + 1, close);
        bool rest = str_ends(name, STR("..."));
        name.n -= rest ? 3 : 0;
        size_t end = rest ? path.n : str_find_char(path, '/', 0);
        end = end == STR_NPOS ? path.n : end;
        if ((end == 0 && !rest) || r->capture_count == HTTP_CAPTURES_MAX) {
            return false;
        }
        struct str value;
        if (!http_percent_decode(&r->root->arena, str_slice(path, 0, end), false, &value)) {
            return false;
        }
        r->captures[r->capture_count++] = (struct http_param){name, value};
        path = str_slice(path, end, path.n);
        p = str_slice(p, close + 1, p.n);
    }
    return path.n == 0;
}

const struct http_binding *http_route_find(const struct http_server *s, struct http_req *r,
                                           unsigned *ret_allow)
{
    for (const struct http_binding *b = strmap_get(&s->exact, r->path); b; b = b->next) {
        if (method_matches(b->route->method, r->method)) {
            return b;
        }
        *ret_allow |= methods_of(b->route->method);
    }
    bool options = str_eq_c(r->method, "OPTIONS");
    for (const struct http_binding *b = s->patterns; b && (*ret_allow == 0 || options); b = b->next) {
        if (pattern_matches(r, b->route->path) && method_matches(b->route->method, r->method)) {
            return b;
        }
    }
    for (const struct http_binding *b = s->patterns; b; b = b->next) {
        if (!str_eq_c(str_c(b->route->method), "OPTIONS") && pattern_matches(r, b->route->path)) {
            *ret_allow |= methods_of(b->route->method);
        }
    }
    return NULL;
}

void http_bindings_free(struct http_server *s)
{
    size_t pos = 0;
    void *value;
    while (strmap_next(&s->exact, &pos, NULL, &value)) {
        for (struct http_binding *b = value, *next; b; b = next) {
            next = b->next;
            mem_free(b);
        }
    }
    strmap_done(&s->exact);
    for (struct http_binding *b = s->patterns, *next; b; b = next) {
        next = b->next;
        mem_free(b);
    }
    s->patterns = NULL;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* False on a broken escape or when memory is short. Text without escapes is returned as it is. */
bool http_percent_decode(struct arena *a, struct str text, bool plus_is_space, struct str *ret_text)
{
    if (str_find_char(text, '%', 0) == STR_NPOS &&
        (!plus_is_space || str_find_char(text, '+', 0) == STR_NPOS)) {
        *ret_text = text;
        return true;
    }
    char *out = arena_bytes(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int h = i + 1 < text.n ? hex_digit(text.p[i + 1]) : -1,
                l = i + 2 < text.n ? hex_digit(text.p[i + 2]) : -1;
            if (h < 0 || l < 0) {
                return false;
            }
            c = (char)(h * 16 + l);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        out[n++] = c;
    }
    *ret_text = str_of(out, n);
    return out != NULL;
}

static enum err param_add(struct http_req *r, struct arena *a, struct str pair, bool drops)
{
    struct str value = pair, name = str_cut(&value, '=');
    struct http_param param = {0};
    if ((drops && str_find_char(pair, ';', 0) != STR_NPOS) ||
        !http_percent_decode(a, name, true, &param.name) ||
        !http_percent_decode(a, value.p ? value : STR(""), true, &param.value)) {
        return drops ? ERR_OK : ERR_INVALID;
    }
    if (r->param_count == HTTP_PARAMS_MAX) {
        return ERR_LIMIT;
    }
    enum err e = arena_reserve(a, (void **)&r->params, &r->param_cap, r->param_count + 1, sizeof(*r->params));
    if (e == ERR_OK) {
        r->params[r->param_count++] = param;
    }
    return e;
}

/* Parses a=b&c=d and appends to the request's parameters. Broken escapes are INVALID, or the parameter is
 * left out, as Go does, which does so with a semicolon in one too. */
enum err http_params_add(struct http_req *r, struct arena *a, struct str encoded)
{
    bool drops = r->binding && (r->binding->route->flags & HTTP_DROP_BROKEN);
    enum err e = ERR_OK;
    for (struct str rest = encoded; rest.p && rest.n && !e;) {
        struct str pair = str_cut(&rest, '&');
        e = pair.n ? param_add(r, a, pair, drops) : ERR_OK;
    }
    return e;
}

struct str http_req_param(const struct http_req *r, const char *name)
{
    struct str value = {0};
    return http_req_params(r, name, &value, 1) ? value : (struct str){0};
}

size_t http_req_params(const struct http_req *r, const char *name, struct str *ret_values, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < r->param_count && n < max; i++) {
        if (str_eq_c(r->params[i].name, name)) {
            ret_values[n++] = r->params[i].value;
        }
    }
    return n;
}

bool http_req_param_next(const struct http_req *r, size_t *pos, struct str *ret_name, struct str *ret_value)
{
    if (*pos >= r->param_count) {
        return false;
    }
    *ret_name = r->params[*pos].name;
    *ret_value = r->params[(*pos)++].value;
    return true;
}

bool http_req_while_loading(const struct http_req *r)
{
    return r->while_loading;
}

struct str http_req_capture(const struct http_req *r, const char *name)
{
    for (size_t i = 0; i < r->capture_count; i++) {
        if (str_eq_c(r->captures[i].name, name)) {
            return r->captures[i].value;
        }
    }
    return (struct str){0};
}
