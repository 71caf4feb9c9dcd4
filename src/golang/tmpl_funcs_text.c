/* Functions of templates over text. */
#include "golang/gostr.h"
#include "golang/tmpl_funcs.h"
#include "labels/regex.h"
#include "labels/relabel.h"

static void give_str(call *c, struct str s)
{
    c->result = tmpl_string(s);
}

/* -- case and trimming ----------------------------------------------------------------------------------- */

static void map_case(call *c, struct str s, int32_t (*fn)(int32_t))
{
    struct buf b AUTO_BUF = {0};
    for (size_t i = 0; i < s.n;) {
        int32_t r;
        i += go_rune(str_slice(s, i, s.n), &r);
        go_put_rune(&b, fn(r));
    }
    tmpl_give(c, &b);
}

static void fn_lower(call *c)
{
    map_case(c, tmpl_arg_str(c, 0), go_lower);
}

static void fn_upper(call *c)
{
    map_case(c, tmpl_arg_str(c, 0), go_upper);
}

/* strings.Title: the first letter of each word. */
static void fn_title(call *c)
{
    struct buf b AUTO_BUF = {0};
    struct str s = tmpl_arg_str(c, 0);
    int32_t before = ' ';
    for (size_t i = 0; i < s.n;) {
        int32_t r;
        i += go_rune(str_slice(s, i, s.n), &r);
        bool inside = go_is_letter(before) || go_is_digit(before) || before == '_' ||
                      (before > 127 && !go_is_space(before));
        inside = before < 128 ? (go_is_letter(before) || go_is_digit(before) || before == '_') : inside;
        go_put_rune(&b, inside ? r : go_upper(r));
        before = r;
    }
    tmpl_give(c, &b);
}

static bool in_set(struct str set, int32_t r)
{
    for (size_t i = 0; i < set.n;) {
        int32_t m;
        i += go_rune(str_slice(set, i, set.n), &m);
        if (m == r) {
            return true;
        }
    }
    return false;
}

static struct str trim_left(struct str s, struct str set)
{
    int32_t r;
    while (s.n) {
        size_t n = go_rune(s, &r);
        if (!in_set(set, r)) {
            break;
        }
        s = str_slice(s, n, s.n);
    }
    return s;
}

static struct str trim_right(struct str s, struct str set)
{
    int32_t r;
    while (s.n) {
        size_t at = s.n - 1;
        while (at > 0 && s.n - at < 4 && ((unsigned char)s.p[at] & 0xc0) == 0x80) {
            at--;
        }
        if (go_rune(str_slice(s, at, s.n), &r) != s.n - at || !in_set(set, r)) {
            break;
        }
        s.n = at;
    }
    return s;
}

static void fn_trim_set(call *c)
{
    give_str(c, trim_right(trim_left(tmpl_arg_str(c, 0), tmpl_arg_str(c, 1)), tmpl_arg_str(c, 1)));
}

static void fn_trim_left(call *c)
{
    give_str(c, trim_left(tmpl_arg_str(c, 0), tmpl_arg_str(c, 1)));
}

static void fn_trim_right(call *c)
{
    give_str(c, trim_right(tmpl_arg_str(c, 0), tmpl_arg_str(c, 1)));
}

static void fn_trim_all(call *c)
{
    give_str(c, trim_right(trim_left(tmpl_arg_str(c, 1), tmpl_arg_str(c, 0)), tmpl_arg_str(c, 0)));
}

static void fn_trim_space(call *c)
{
    give_str(c, go_trim_space(tmpl_arg_str(c, 0)));
}

static struct str no_prefix(struct str s, struct str prefix)
{
    return str_starts(s, prefix) ? str_slice(s, prefix.n, s.n) : s;
}

static struct str no_suffix(struct str s, struct str suffix)
{
    return str_ends(s, suffix) ? str_slice(s, 0, s.n - suffix.n) : s;
}

static void fn_TrimPrefix(call *c)
{
    give_str(c, no_prefix(tmpl_arg_str(c, 0), tmpl_arg_str(c, 1)));
}

static void fn_TrimSuffix(call *c)
{
    give_str(c, no_suffix(tmpl_arg_str(c, 0), tmpl_arg_str(c, 1)));
}

static void fn_trim_prefix(call *c)
{
    give_str(c, no_prefix(tmpl_arg_str(c, 1), tmpl_arg_str(c, 0)));
}

static void fn_trim_suffix(call *c)
{
    give_str(c, no_suffix(tmpl_arg_str(c, 1), tmpl_arg_str(c, 0)));
}

/* -- pieces ---------------------------------------------------------------------------------------------- */

/* strings.Replace; most < 0: all. */
static void replace(call *c, struct str s, struct str old, struct str new, int64_t most)
{
    struct buf b AUTO_BUF = {0};
    size_t at = 0;
    int32_t r;
    for (int64_t k = 0; most < 0 || k < most; k++) {
        size_t hit = at;
        if (old.n == 0) {
            if (k > 0) {
                if (at >= s.n) {
                    break;
                }
                hit = at + go_rune(str_slice(s, at, s.n), &r);
            }
        } else {
            hit = str_find(s, old, at);
            if (hit == STR_NPOS) {
                break;
            }
        }
        buf_append(&b, s.p + at, hit - at);
        buf_str(&b, new);
        at = hit + old.n;
        if (b.n > TMPL_OUT_BYTES_MAX) {
            break;
        }
    }
    buf_append(&b, s.p + at, s.n - at);
    tmpl_give(c, &b);
}

static void fn_Replace(call *c)
{
    replace(c, tmpl_arg_str(c, 0), tmpl_arg_str(c, 1), tmpl_arg_str(c, 2), c->args[3].i);
}

static void fn_replace(call *c)
{
    replace(c, tmpl_arg_str(c, 2), tmpl_arg_str(c, 0), tmpl_arg_str(c, 1), -1);
}

static void fn_trunc(call *c)
{
    struct str s = tmpl_arg_str(c, 1);
    int64_t n = c->args[0].i, len = (int64_t)s.n;
    if (n < 0 && len + n > 0) {
        s = str_slice(s, (size_t)(len + n), s.n);
    } else if (n >= 0 && len > n) {
        s.n = (size_t)n;
    }
    give_str(c, s);
}

static void fn_substr(call *c)
{
    struct str s = tmpl_arg_str(c, 2);
    int64_t from = c->args[0].i, to = c->args[1].i, len = (int64_t)s.n;
    if (from < 0) {
        if (to < 0) {
            tmpl_fail(c, "runtime error: slice bounds out of range [:%lld]", (long long)to);
        } else if (to > len) {
            tmpl_fail(c, "runtime error: slice bounds out of range [:%lld] with length %lld", (long long)to,
                      (long long)len);
        } else {
            give_str(c, str_slice(s, 0, (size_t)to));
        }
        return;
    }
    if (to < 0 || to > len) {
        to = len;
        if (from > len) {
            tmpl_fail(c, "runtime error: slice bounds out of range [%lld:%lld]", (long long)from,
                      (long long)len);
            return;
        }
    }
    if (from > to) {
        tmpl_fail(c, "runtime error: slice bounds out of range [%lld:%lld]", (long long)from, (long long)to);
        return;
    }
    give_str(c, str_slice(s, (size_t)from, (size_t)to));
}

static void fn_contains(call *c)
{
    c->result = tmpl_bool(str_find(tmpl_arg_str(c, 1), tmpl_arg_str(c, 0), 0) != STR_NPOS ||
                          tmpl_arg_str(c, 0).n == 0);
}

static void fn_has_prefix(call *c)
{
    c->result = tmpl_bool(str_starts(tmpl_arg_str(c, 1), tmpl_arg_str(c, 0)));
}

static void fn_has_suffix(call *c)
{
    c->result = tmpl_bool(str_ends(tmpl_arg_str(c, 1), tmpl_arg_str(c, 0)));
}

static void fn_repeat(call *c)
{
    struct buf b AUTO_BUF = {0};
    struct str s = tmpl_arg_str(c, 1);
    int64_t n = c->args[0].i;
    if (n < 0) {
        tmpl_fail(c, "strings: negative Repeat count");
        return;
    }
    for (int64_t i = 0; s.n && i < n && b.n <= TMPL_OUT_BYTES_MAX; i++) {
        buf_str(&b, s);
    }
    if (b.n > TMPL_OUT_BYTES_MAX) {
        tmpl_fail(c, "strings: Repeat output length overflow");
        return;
    }
    tmpl_give(c, &b);
}

static void indent(call *c, bool newline)
{
    struct buf b AUTO_BUF = {0};
    struct str s = tmpl_arg_str(c, 1);
    int64_t n = c->args[0].i;
    if (n < 0 || n > 10000) {
        tmpl_fail(c, "strings: negative Repeat count");
        return;
    }
    buf_c(&b, newline ? "\n" : "");
    for (size_t i = 0; i <= s.n && b.n <= TMPL_OUT_BYTES_MAX; i++) {
        if (i == 0 || s.p[i - 1] == '\n') {
            buf_printf(&b, "%*s", (int)n, "");
        }
        if (i < s.n) {
            buf_char(&b, s.p[i]);
        }
    }
    tmpl_give(c, &b);
}

static void fn_indent(call *c)
{
    indent(c, false);
}

static void fn_nindent(call *c)
{
    indent(c, true);
}

static void align(call *c, bool left)
{
    struct buf b AUTO_BUF = {0};
    struct str s = tmpl_arg_str(c, 1);
    int64_t want = c->args[0].i, have = (int64_t)go_rune_count(s);
    if (want < 0 || want == have) {
        give_str(c, s);
        return;
    }
    int64_t pad = want > have ? want - have : 0;
    pad = pad > TMPL_OUT_BYTES_MAX ? TMPL_OUT_BYTES_MAX : pad;
    size_t skip = left || want >= have ? 0 : (size_t)(have - want);
    for (int64_t i = 0; !left && i < pad; i++) {
        buf_char(&b, ' ');
    }
    size_t at = 0, seen = 0;
    while (at < s.n) {
        int32_t r;
        at += go_rune(str_slice(s, at, s.n), &r);
        if (seen >= skip && (int64_t)(seen - skip) < want) {
            go_put_rune(&b, r);
        }
        seen++;
    }
    for (int64_t i = 0; left && i < pad; i++) {
        buf_char(&b, ' ');
    }
    tmpl_give(c, &b);
}

static void fn_align_left(call *c)
{
    align(c, true);
}

static void fn_align_right(call *c)
{
    align(c, false);
}

/* -- regular expressions --------------------------------------------------------------------------------- */

static void free_regex(void *re)
{
    regex_free(re);
}

void tmpl_regexes_done(struct tmpl_regexes *r)
{
    strmap_clear(&r->of, free_regex);
    strmap_done(&r->of);
}

struct regex *tmpl_regex(call *c, struct str pattern)
{
    struct strmap *known = c->in->regexes ? &c->in->regexes->of : NULL;
    struct regex *re = known ? strmap_get(known, pattern) : NULL;
    struct err_info why = {0};
    if (re) {
        return re;
    }
    if (regex_new(pattern, 0, &re, &why) != ERR_OK) {
        tmpl_fail(c, "%s", why.message);
        return NULL;
    }
    if (known && known->count >= TMPL_REGEXES_MAX) { /* patterns made from data */
        strmap_clear(known, free_regex);
    }
    if (known && strmap_put(known, pattern, re, NULL)) {
        regex_free(re);
        c->out_of_memory = true;
        return NULL;
    }
    return re;
}

void tmpl_regex_done(const call *c, struct regex *re)
{
    if (!c->in->regexes) {
        regex_free(re);
    }
}

/* Calls for each match as Go finds them: an empty one next to the last does not count. */
static size_t replace_all(call *c, const struct regex *re, struct str s, struct str with, bool expand,
                          struct buf *out)
{
    struct str m[REGEX_CAPTURES_MAX + 1] = {{0}};
    size_t at = 0, copied = 0, n = 0, groups = regex_group_count(re) + 1, last_end = STR_NPOS;
    groups = groups > ARRAY_LEN(m) ? ARRAY_LEN(m) : groups;
    (void)c;
    while (at <= s.n && regex_find(re, s, at, m, groups)) {
        size_t start = (size_t)(m[0].p - s.p), end = start + m[0].n;
        if (m[0].n || start != last_end) {
            buf_append(out, s.p + copied, start - copied);
            if (expand) {
                regex_expand(out, with, re, m);
            } else {
                buf_str(out, with);
            }
            copied = end;
            n++;
        }
        last_end = end;
        int32_t r;
        at = end > at ? end : at;
        if (m[0].n == 0) {
            at = end < s.n ? end + go_rune(str_slice(s, end, s.n), &r) : s.n + 1;
        }
    }
    buf_append(out, s.p + copied, s.n - copied);
    return n;
}

static void regex_replace(call *c, bool expand)
{
    struct buf b AUTO_BUF = {0};
    struct regex *re = tmpl_regex(c, tmpl_arg_str(c, 0));
    if (re) {
        (void)replace_all(c, re, tmpl_arg_str(c, 1), tmpl_arg_str(c, 2), expand, &b);
        tmpl_regex_done(c, re);
        tmpl_give(c, &b);
    }
}

static void fn_regex_replace(call *c)
{
    regex_replace(c, true);
}

static void fn_regex_replace_literal(call *c)
{
    regex_replace(c, false);
}

static void fn_count(call *c)
{
    struct buf b AUTO_BUF = {0};
    struct regex *re = tmpl_regex(c, tmpl_arg_str(c, 0));
    if (re) {
        c->result = tmpl_int((int64_t)replace_all(c, re, tmpl_arg_str(c, 1), STR(""), false, &b));
        tmpl_regex_done(c, re);
    }
}

/* -- encodings ------------------------------------------------------------------------------------------- */

static int hex_value(char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }
    ch |= 32;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

static void fn_urldecode(call *c)
{
    struct buf b AUTO_BUF = {0};
    struct str s = tmpl_arg_str(c, 0);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '%') {
            buf_char(&b, s.p[i] == '+' ? ' ' : s.p[i]);
            continue;
        }
        int high = i + 1 < s.n ? hex_value(s.p[i + 1]) : -1, low = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;
        if (high < 0 || low < 0) {
            struct buf q AUTO_BUF = {0};
            labels_quote(&q, str_slice(s, i, i + 3 > s.n ? s.n : i + 3));
            tmpl_fail(c, "invalid URL escape %.*s", STR_FMT(buf_view(&q)));
            return;
        }
        buf_char(&b, (char)(high << 4 | low));
        i += 2;
    }
    tmpl_give(c, &b);
}

void tmpl_url_encode(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        bool plain = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
                     (ch && strchr("-_.~", ch));
        if (plain) {
            buf_char(b, (char)ch);
        } else if (ch == ' ') {
            buf_char(b, '+');
        } else {
            buf_printf(b, "%%%02X", ch);
        }
    }
}

static void fn_urlencode(call *c)
{
    struct buf b AUTO_BUF = {0};
    tmpl_url_encode(&b, tmpl_arg_str(c, 0));
    tmpl_give(c, &b);
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void fn_b64enc(call *c)
{
    struct buf b AUTO_BUF = {0};
    struct str s = tmpl_arg_str(c, 0);
    for (size_t i = 0; i < s.n; i += 3) {
        uint32_t v = (uint32_t)(unsigned char)s.p[i] << 16;
        v |= i + 1 < s.n ? (uint32_t)(unsigned char)s.p[i + 1] << 8 : 0;
        v |= i + 2 < s.n ? (unsigned char)s.p[i + 2] : 0;
        buf_char(&b, base64_digits[v >> 18 & 63]);
        buf_char(&b, base64_digits[v >> 12 & 63]);
        buf_char(&b, i + 1 < s.n ? base64_digits[v >> 6 & 63] : '=');
        buf_char(&b, i + 2 < s.n ? base64_digits[v & 63] : '=');
    }
    tmpl_give(c, &b);
}

/* Loki's: missing padding is forgiven; what is wrong becomes the text. */
static void fn_b64dec(call *c)
{
    struct buf b AUTO_BUF = {0}, clean AUTO_BUF = {0};
    struct str s = tmpl_arg_str(c, 0);
    buf_str(&clean, s);
    for (size_t n = s.n % 4; n == 2 || n == 3; n = n == 3 ? 0 : n + 1) {
        buf_char(&clean, '=');
    }
    s = buf_view(&clean);
    size_t at = 0, bad = STR_NPOS, digits = 0, pads = 0;
    uint32_t v = 0;
    for (; at < s.n && bad == STR_NPOS; at++) {
        char ch = s.p[at];
        if (ch == '\n' || ch == '\r') {
            continue;
        }
        const char *d = ch ? strchr(base64_digits, ch) : NULL;
        if (ch == '=' && digits % 4 >= 2) {
            pads++;
            digits++;
            v <<= 6;
        } else if (d && pads == 0) {
            digits++;
            v = v << 6 | (uint32_t)(d - base64_digits);
        } else {
            bad = at;
            break;
        }
        if (digits % 4 == 0) {
            const char three[] = {(char)(v >> 16), (char)(v >> 8), (char)v};
            buf_append(&b, three, 3 - pads);
            v = 0;
        }
    }
    if (bad == STR_NPOS && digits % 4) {
        bad = s.n - digits % 4;
    }
    if (bad != STR_NPOS) {
        buf_reset(&b);
        buf_printf(&b, "illegal base64 data at input byte %zu", bad);
    }
    tmpl_give(c, &b);
}

/* -- the table ------------------------------------------------------------------------------------------- */

#define S ARG_STRING
#define I ARG_INT
#define A ARG_ANY
#define V ARG_VALUE
#define T ARG_TIME

static const struct tmpl_function functions[] = {
    {"ToLower", {S}, ARG_NONE, fn_lower},
    {"ToUpper", {S}, ARG_NONE, fn_upper},
    {"Replace", {S, S, S, I}, ARG_NONE, fn_Replace},
    {"Trim", {S, S}, ARG_NONE, fn_trim_set},
    {"TrimLeft", {S, S}, ARG_NONE, fn_trim_left},
    {"TrimRight", {S, S}, ARG_NONE, fn_trim_right},
    {"TrimPrefix", {S, S}, ARG_NONE, fn_TrimPrefix},
    {"TrimSuffix", {S, S}, ARG_NONE, fn_TrimSuffix},
    {"TrimSpace", {S}, ARG_NONE, fn_trim_space},
    {"regexReplaceAll", {S, S, S}, ARG_NONE, fn_regex_replace},
    {"regexReplaceAllLiteral", {S, S, S}, ARG_NONE, fn_regex_replace_literal},
    {"b64dec", {S}, ARG_NONE, fn_b64dec},
    {"b64enc", {S}, ARG_NONE, fn_b64enc},
    {"lower", {S}, ARG_NONE, fn_lower},
    {"upper", {S}, ARG_NONE, fn_upper},
    {"title", {S}, ARG_NONE, fn_title},
    {"trunc", {I, S}, ARG_NONE, fn_trunc},
    {"substr", {I, I, S}, ARG_NONE, fn_substr},
    {"contains", {S, S}, ARG_NONE, fn_contains},
    {"hasPrefix", {S, S}, ARG_NONE, fn_has_prefix},
    {"hasSuffix", {S, S}, ARG_NONE, fn_has_suffix},
    {"indent", {I, S}, ARG_NONE, fn_indent},
    {"nindent", {I, S}, ARG_NONE, fn_nindent},
    {"replace", {S, S, S}, ARG_NONE, fn_replace},
    {"repeat", {I, S}, ARG_NONE, fn_repeat},
    {"trim", {S}, ARG_NONE, fn_trim_space},
    {"trimAll", {S, S}, ARG_NONE, fn_trim_all},
    {"trimSuffix", {S, S}, ARG_NONE, fn_trim_suffix},
    {"trimPrefix", {S, S}, ARG_NONE, fn_trim_prefix},
};

static const struct tmpl_function loki_functions[] = {
    {"count", {S, S}, ARG_NONE, fn_count},
    {"urldecode", {S}, ARG_NONE, fn_urldecode},
    {"urlencode", {S}, ARG_NONE, fn_urlencode},
    {"alignLeft", {I, S}, ARG_NONE, fn_align_left},
    {"alignRight", {I, S}, ARG_NONE, fn_align_right},
};

struct tmpl_table tmpl_table_loki_text(void)
{
    return (struct tmpl_table){loki_functions, ARRAY_LEN(loki_functions)};
}

struct tmpl_table tmpl_table_text(void)
{
    return (struct tmpl_table){functions, ARRAY_LEN(functions)};
}
