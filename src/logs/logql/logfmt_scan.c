/* The decoder of logfmt: pairs are separated by anything up to a blank, a key ends at '=' or a blank. */
#include "logs/logql/logfmt_scan.h"

#include <stdio.h>

#include "golang/gostr.h"

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ';
}

static void complain(struct logfmt_scan *s, const char *what)
{
    snprintf(s->fault, sizeof(s->fault), "logfmt syntax error at pos %zu : %s", s->at + 1, what);
}

static bool unexpected(struct logfmt_scan *s)
{
    char what[24];
    char c = s->line.p[s->at];
    snprintf(what, sizeof(what), "unexpected '%c'", c);
    complain(s, what);
    while (s->at < s->line.n && !is_blank(s->line.p[s->at])) {
        s->at++;
    }
    return false;
}

/* The key that ends at `at`; false (and *ret_skip: skip what follows too) when it holds broken runes. */
static bool take_key(struct logfmt_scan *s, size_t start, bool multibyte)
{
    s->key = str_slice(s->line, start, s->at);
    if (multibyte && go_has_rune_error(s->key)) {
        complain(s, "invalid key");
        return false;
    }
    return true;
}

/* A value in quotes; `at` stands on the opening one. */
static bool quoted(struct logfmt_scan *s)
{
    size_t start = s->at, i = start + 1;
    bool escapes = false;
    while (i < s->line.n && s->line.p[i] != '"') {
        if (s->line.p[i] == '\\') {
            escapes = true;
            i++;
        }
        i++;
    }
    if (i >= s->line.n) {
        s->at = s->line.n;
        complain(s, "unterminated quoted value");
        return false;
    }
    s->at = i + 1;
    struct str text = str_slice(s->line, start + 1, i);
    if (!escapes) {
        s->value = text;
        return true;
    }
    if (!go_json_unquote(s->a, text, &s->value)) {
        complain(s, "invalid quoted value");
        return false;
    }
    return true;
}

static bool plain(struct logfmt_scan *s)
{
    size_t start = s->at;
    while (s->at < s->line.n && !is_blank(s->line.p[s->at])) {
        char c = s->line.p[s->at];
        if (c == '=' || c == '"') {
            return unexpected(s);
        }
        s->at++;
    }
    s->value = str_slice(s->line, start, s->at);
    return true;
}

bool logfmt_scan_next(struct logfmt_scan *s)
{
    bool multibyte = false;
    s->key = s->value = STR("");
    while (s->at < s->line.n && is_blank(s->line.p[s->at])) {
        s->at++;
    }
    if (s->at >= s->line.n) {
        return false;
    }
    size_t start = s->at;
    for (; s->at < s->line.n; s->at++) {
        char c = s->line.p[s->at];
        if (c == '=') {
            break;
        }
        if (c == '"') {
            return unexpected(s);
        }
        if (is_blank(c)) {
            return take_key(s, start, multibyte);
        }
        multibyte = multibyte || (unsigned char)c >= 0x80;
    }
    if (s->at >= s->line.n) {
        return take_key(s, start, multibyte);
    }
    if (s->at == start) {
        return unexpected(s);
    }
    if (!take_key(s, start, multibyte)) {
        while (s->at < s->line.n && !is_blank(s->line.p[s->at])) {
            s->at++;
        }
        return false;
    }
    s->at++;
    if (s->at >= s->line.n || is_blank(s->line.p[s->at])) {
        return true;
    }
    return s->line.p[s->at] == '"' ? quoted(s) : plain(s);
}
