/* The configuration back as text: for /api/v1/status/config (secrets hidden) and for comparing jobs. */
#include <string.h>

#include "codec/json.h"
#include "metrics/scrape/config_int.h"

static bool is_secret(const struct yaml_node *n)
{
    static const char *const keys[] = {"password",      "credentials", "bearer_token",
                                       "client_secret", "secret_key",  "secrets",
                                       "token",         "key",         "client_certificate_key"};
    for (size_t i = 0; n->kind == YAML_SCALAR && i < ARRAY_LEN(keys); i++) {
        if (str_eq_c(n->key, keys[i])) {
            return true;
        }
    }
    return false;
}

/* user:password@ of a URL becomes user:xxxxx@, as Go prints it. */
static void print_url(struct buf *b, struct str s)
{
    size_t scheme = str_find(s, STR("://"), 0);
    size_t slash = scheme == STR_NPOS ? STR_NPOS : str_find_char(s, '/', scheme + 3);
    size_t at = scheme == STR_NPOS ? STR_NPOS : str_find_char(s, '@', scheme + 3);
    size_t colon = scheme == STR_NPOS ? STR_NPOS : str_find_char(s, ':', scheme + 3);
    if (at == STR_NPOS || colon == STR_NPOS || colon > at || (slash != STR_NPOS && slash < at)) {
        buf_str(b, s);
        return;
    }
    buf_append(b, s.p, colon + 1);
    buf_c(b, "xxxxx");
    buf_append(b, s.p + at, s.n - at);
}

/* Plain text that YAML would read as something else than a string. */
static bool is_word(struct str s)
{
    static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "null", "~"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_ieq(s, str_c(words[i]))) {
            return true;
        }
    }
    return false;
}

static bool needs_quotes(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ends = i + 1 == s.n || s.p[i + 1] == ' ';
        if ((unsigned char)c < ' ' || (c == ':' && ends) || (c == '#' && i && s.p[i - 1] == ' ')) {
            return true;
        }
    }
    return s.n == 0 || s.p[s.n - 1] == ' ' || strchr(" -?:,[]{}#&*!|>'\"%@`", s.p[0]) != NULL;
}

static bool looks_like_number(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != '.') {
            return false;
        }
    }
    return s.n > 0;
}

static void print_scalar(struct buf *b, const struct yaml_node *n, bool secret)
{
    struct buf text AUTO_BUF = {0};
    if (secret) {
        buf_c(b, "<secret>");
        return;
    }
    print_url(&text, n->text);
    if (needs_quotes(buf_view(&text)) ||
        (n->quoted && (is_word(buf_view(&text)) || looks_like_number(buf_view(&text))))) {
        json_quote(b, buf_view(&text));
    } else {
        buf_str(b, buf_view(&text));
    }
}

static void indent(struct buf *b, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++) {
        buf_c(b, "  ");
    }
}

static void print_node(struct buf *b, const struct yaml_node *n, unsigned depth, bool first_inline,
                       bool secret);

static void print_value(struct buf *b, const struct yaml_node *n, unsigned depth, bool secret)
{
    if (n->kind == YAML_SCALAR) {
        buf_char(b, ' ');
        print_scalar(b, n, secret || is_secret(n));
        buf_char(b, '\n');
    } else if (n->kind == YAML_NULL) {
        buf_c(b, " null\n");
    } else if (n->count == 0) {
        buf_c(b, n->kind == YAML_LIST ? " []\n" : " {}\n");
    } else {
        buf_char(b, '\n');
        print_node(b, n, n->kind == YAML_LIST ? depth : depth + 1, false,
                   secret || str_eq_c(n->key, "secrets"));
    }
}

/* A list's dashes stand below their key, as Prometheus prints them. */
static void print_node(struct buf *b, const struct yaml_node *n, unsigned depth, bool first_inline,
                       bool secret)
{
    for (const struct yaml_node *c = n->child; c; c = c->next) {
        if (!(first_inline && c == n->child)) {
            indent(b, depth);
        }
        if (n->kind == YAML_MAP) {
            if (needs_quotes(c->key) || is_word(c->key)) {
                json_quote(b, c->key);
            } else {
                buf_str(b, c->key);
            }
            buf_char(b, ':');
            print_value(b, c, depth, secret);
        } else if (c->kind == YAML_MAP && c->count) {
            buf_c(b, "- ");
            print_node(b, c, depth + 1, true, secret);
        } else {
            buf_char(b, '-');
            print_value(b, c, depth, secret);
        }
    }
}

void prom_config_print(struct buf *b, const struct prom_config *c, const struct scrape_job *job)
{
    const struct yaml_node *n = job ? job->node : c->root;
    if (n && n->kind == YAML_MAP) {
        print_node(b, n, 0, false, false);
    }
}

void config_canonical(struct buf *b, const struct yaml_node *n, const char *const *skip)
{
    if (n->kind == YAML_SCALAR) {
        buf_printf(b, "%zu:", n->text.n);
        buf_str(b, n->text);
        return;
    }
    buf_c(b, n->kind == YAML_MAP ? "{" : n->kind == YAML_LIST ? "[" : "~");
    for (const struct yaml_node *c = n->child; c; c = c->next) {
        bool skipped = false;
        for (size_t i = 0; skip && skip[i]; i++) {
            skipped |= str_eq_c(c->key, skip[i]);
        }
        if (!skipped) {
            buf_printf(b, "%.*s=", STR_FMT(c->key));
            config_canonical(b, c, NULL);
        }
    }
    buf_c(b, n->kind == YAML_MAP ? "}" : "]");
}
