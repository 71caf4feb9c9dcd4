/* -config.expand-env: Promtail's substitution over the raw text, comments included. Only the braced form is
 * replaced; $$ gives $, and a backslash before a backslash or a slash goes away, in the whole file: live
 * configurations are written around that. */
#include <stdlib.h>

#include "agent/config.h"
#include "base/mem.h"

enum {
    NAME_BYTES_MAX = 256
};

static bool name_char(char c)
{
    return (c >= '0' && c <= '9') || c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static struct str variable(struct str name)
{
    char text[NAME_BYTES_MAX];
    if (name.n >= sizeof(text)) {
        return STR("");
    }
    memcpy(text, name.p, name.n);
    text[name.n] = '\0';
    const char *v = getenv(text); // NOLINT(concurrency-mt-unsafe): nobody sets the environment
    return v ? str_c(v) : STR("");
}

static void put_case(struct buf *out, struct str v, bool upper, bool all)
{
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        bool letter = upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z';
        buf_char(out, letter && (all || i == 0) ? (char)(c ^ 32) : c);
    }
}

/* ${NAME:pos} and ${NAME:pos:len}. */
static bool put_slice(struct buf *out, struct str v, struct str spec)
{
    int64_t from = 0, n = (int64_t)v.n;
    struct str first = str_cut(&spec, ':');
    if (str_to_i64(first, &from) || from < 0 || (spec.p && (str_to_i64(spec, &n) || n < 0))) {
        return false;
    }
    from = from > (int64_t)v.n ? (int64_t)v.n : from;
    n = n > (int64_t)v.n - from ? (int64_t)v.n - from : n;
    buf_str(out, str_of(v.p + from, (size_t)n));
    return true;
}

/* ${NAME#text} and ${NAME%text}: plain text, the shortest and the longest match are then the same. */
static void put_trimmed(struct buf *out, struct str v, struct str what, bool front)
{
    if (front && str_starts(v, what)) {
        v = str_slice(v, what.n, v.n);
    } else if (!front && str_ends(v, what)) {
        v = str_slice(v, 0, v.n - what.n);
    }
    buf_str(out, v);
}

/* ${NAME/old/new} and ${NAME//old/new}. */
static void put_replaced(struct buf *out, struct str v, struct str spec, bool all)
{
    struct str old = str_cut(&spec, '/');
    size_t at = 0, hit;
    while (old.n && (hit = str_find(v, old, at)) != STR_NPOS) {
        buf_str(out, str_slice(v, at, hit));
        buf_str(out, spec);
        at = hit + old.n;
        if (!all) {
            break;
        }
    }
    buf_str(out, str_slice(v, at, v.n));
}

/* The inside of ${...}. False: no form that is known. */
static bool put_form(struct buf *out, struct str form)
{
    if (form.n && form.p[0] == '#') {
        buf_u64(out, variable(str_slice(form, 1, form.n)).n);
        return true;
    }
    size_t n = 0;
    while (n < form.n && name_char(form.p[n])) {
        n++;
    }
    struct str v = variable(str_slice(form, 0, n)), op = str_slice(form, n, form.n);
    if (n == 0) {
        return false;
    }
    if (op.n == 0) {
        buf_str(out, v);
    } else if (str_starts(op, STR(":-")) || str_starts(op, STR(":="))) {
        buf_str(out, v.n ? v : str_slice(op, 2, op.n));
    } else if (op.p[0] == '=') {
        buf_str(out, v.n ? v : str_slice(op, 1, op.n));
    } else if (op.p[0] == '^' || op.p[0] == ',') {
        put_case(out, v, op.p[0] == '^', op.n > 1 && op.p[1] == op.p[0]);
    } else if (op.p[0] == ':') {
        return put_slice(out, v, str_slice(op, 1, op.n));
    } else if (op.p[0] == '#' || op.p[0] == '%') {
        size_t skip = op.n > 1 && op.p[1] == op.p[0] ? 2 : 1;
        put_trimmed(out, v, str_slice(op, skip, op.n), op.p[0] == '#');
    } else if (op.p[0] == '/') {
        bool all = op.n > 1 && op.p[1] == '/';
        put_replaced(out, v, str_slice(op, all ? 2 : 1, op.n), all);
    } else {
        return false;
    }
    return true;
}

static enum err bad_form(struct str text, size_t at, struct err_info *info)
{
    unsigned line = 1, col = 1;
    for (size_t i = 0; i < at; i++) {
        col = text.p[i] == '\n' ? 1 : col + 1;
        line += text.p[i] == '\n';
    }
    size_t n = text.n - at < 40 ? text.n - at : 40;
    return err_set_at(info, ERR_INVALID, line, col, "bad substitution: %.*s", (int)n, text.p + at);
}

enum err config_expand_env(struct str text, struct buf *out, struct err_info *reterr_info)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i], next = i + 1 < text.n ? text.p[i + 1] : '\0';
        if (c == '\\' && (next == '\\' || next == '/')) {
            buf_char(out, next);
            i++;
        } else if (c == '$' && next == '$') {
            buf_char(out, '$');
            i++;
        } else if (c == '$' && next == '{') {
            size_t end = str_find_char(text, '}', i);
            if (end == STR_NPOS || !put_form(out, str_slice(text, i + 2, end))) {
                return bad_form(text, i, reterr_info);
            }
            i = end;
        } else {
            buf_char(out, c);
        }
    }
    return out->err;
}
