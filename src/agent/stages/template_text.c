/* Functions on text, and regular expressions. */
#include <ctype.h>

#include "agent/stages/template_int.h"
#include "labels/relabel.h"

enum {
    REPEAT_BYTES_MAX = 1 << 20
};

/* -- strings ------------------------------------------------------------------------------------------------
 */

static bool change_case(struct texec *x, const struct tval *v, bool upper, struct tval *ret)
{
    struct str s;
    char *out = targ_text(x, v, &s) ? arena_bytes(x->a, s.n + 1) : NULL;
    for (size_t i = 0; out && i < s.n; i++) {
        out[i] = (char)(upper ? toupper((unsigned char)s.p[i]) : tolower((unsigned char)s.p[i]));
    }
    *ret = tv_str(str_of(out, s.n));
    return out != NULL;
}

static bool fn_lower(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    return change_case(x, &args[0], false, ret);
}

static bool fn_upper(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    return change_case(x, &args[0], true, ret);
}

static bool fn_title(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s;
    char *out = targ_text(x, &args[0], &s) ? arena_bytes(x->a, s.n + 1) : NULL;
    for (size_t i = 0; out && i < s.n; i++) {
        bool start = i == 0 || s.p[i - 1] == ' ';
        out[i] = start ? (char)toupper((unsigned char)s.p[i]) : s.p[i];
    }
    *ret = tv_str(str_of(out, s.n));
    return out != NULL;
}

static struct str cut_set(struct str s, struct str set, bool left, bool right)
{
    while (left && s.n && memchr(set.p, s.p[0], set.n)) {
        s = str_slice(s, 1, s.n);
    }
    while (right && s.n && memchr(set.p, s.p[s.n - 1], set.n)) {
        s.n--;
    }
    return s;
}

/* Go's order: text, cut set. */
static bool fn_trim_set(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    *ret = tv_str(cut_set(s[0], s[1], true, true));
    return true;
}

static bool fn_trim_left(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    *ret = tv_str(cut_set(s[0], s[1], true, false));
    return true;
}

static bool fn_trim_right(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    *ret = tv_str(cut_set(s[0], s[1], false, true));
    return true;
}

/* sprig's order: cut set, text. */
static bool fn_trim_all(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    *ret = tv_str(cut_set(s[1], s[0], true, true));
    return true;
}

static bool fn_trim_space(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[1];
    if (!targ_texts(x, args, 1, s)) {
        return false;
    }
    *ret = tv_str(str_trim(s[0]));
    return true;
}

static struct str without(struct str s, struct str affix, bool front)
{
    if (front) {
        return str_starts(s, affix) ? str_slice(s, affix.n, s.n) : s;
    }
    return str_ends(s, affix) ? str_slice(s, 0, s.n - affix.n) : s;
}

static bool fn_go_trim_prefix(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    *ret = tv_str(without(s[0], s[1], true));
    return true;
}

static bool fn_go_trim_suffix(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    *ret = tv_str(without(s[0], s[1], false));
    return true;
}

static bool fn_trim_prefix(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    *ret = tv_str(without(s[1], s[0], true));
    return true;
}

static bool fn_trim_suffix(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    *ret = tv_str(without(s[1], s[0], false));
    return true;
}

static bool replaced(struct texec *x, struct str text, struct str old, struct str new, int64_t times,
                     struct tval *ret)
{
    struct buf b AUTO_BUF = {.size_bytes_max = TEMPLATE_OUT_BYTES_MAX};
    size_t at = 0, hit;
    while (old.n && times != 0 && (hit = str_find(text, old, at)) != STR_NPOS) {
        buf_str(&b, str_slice(text, at, hit));
        buf_str(&b, new);
        at = hit + old.n;
        times--;
    }
    buf_str(&b, str_slice(text, at, text.n));
    return tv_take(x, &b, ret);
}

static bool fn_go_replace(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    int64_t times;
    struct str s[3];
    if (!targ_texts(x, args, 3, s)) {
        return false;
    }
    return targ_int(x, &args[3], &times) && replaced(x, s[0], s[1], s[2], times, ret);
}

static bool fn_replace(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[3];
    if (!targ_texts(x, args, 3, s)) {
        return false;
    }
    return replaced(x, s[2], s[0], s[1], -1, ret);
}

static bool fn_contains(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    *ret = tv_bool(str_find(s[1], s[0], 0) != STR_NPOS);
    return true;
}

static bool fn_has_prefix(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    *ret = tv_bool(str_starts(s[1], s[0]));
    return true;
}

static bool fn_has_suffix(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    *ret = tv_bool(str_ends(s[1], s[0]));
    return true;
}

static bool fn_trunc(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    int64_t len;
    struct str s;
    if (!targ_int(x, &args[0], &len) || !targ_text(x, &args[1], &s)) {
        return false;
    }
    if (len >= 0 && (uint64_t)len < s.n) {
        s.n = (size_t)len;
    } else if (len < 0 && (uint64_t)-len < s.n) {
        s = str_slice(s, s.n - (size_t)-len, s.n);
    }
    *ret = tv_str(s);
    return true;
}

static bool fn_substr(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    int64_t from, to;
    struct str s;
    if (!targ_int(x, &args[0], &from) || !targ_int(x, &args[1], &to) || !targ_text(x, &args[2], &s)) {
        return false;
    }
    from = from < 0 ? 0 : from;
    to = to < 0 || to > (int64_t)s.n ? (int64_t)s.n : to;
    *ret = tv_str(from < to ? str_slice(s, (size_t)from, (size_t)to) : STR(""));
    return true;
}

static bool fn_repeat(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    int64_t times;
    struct str s;
    struct buf b AUTO_BUF = {.size_bytes_max = REPEAT_BYTES_MAX};
    if (!targ_int(x, &args[0], &times) || !targ_text(x, &args[1], &s)) {
        return false;
    }
    for (int64_t i = 0; i < times && !b.err; i++) {
        buf_str(&b, s);
        times = s.n ? times : 0;
    }
    return tv_take(x, &b, ret);
}

/* -- regular expressions ------------------------------------------------------------------------------------
 */

static bool fn_regex_match(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    struct regex *re = template_regex(x->t, s[0]);
    *ret = tv_bool(re && regex_match(re, s[1]));
    return re != NULL;
}

static bool fn_regex_find(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    struct regex *re = template_regex(x->t, s[0]);
    struct str hit = {0};
    *ret = tv_str(re && regex_find(re, s[1], 0, &hit, 1) ? hit : STR(""));
    return re != NULL;
}

static bool replace_all(struct texec *x, const struct tval *args, bool literal, struct tval *ret)
{
    struct str s[3];
    if (!targ_texts(x, args, 3, s)) {
        return false;
    }
    struct regex *re = template_regex(x->t, s[0]);
    struct str c[REGEX_CAPTURES_MAX + 1] = {{0}};
    struct buf b AUTO_BUF = {.size_bytes_max = TEMPLATE_OUT_BYTES_MAX};
    size_t at = 0, from = 0;
    while (re && from <= s[1].n && regex_find(re, s[1], from, c, ARRAY_LEN(c))) {
        size_t start = (size_t)(c[0].p - s[1].p);
        buf_str(&b, str_slice(s[1], at, start));
        if (literal) {
            buf_str(&b, s[2]);
        } else {
            regex_expand(&b, s[2], re, c);
        }
        at = start + c[0].n;
        from = c[0].n ? at : at + 1;
        if (!c[0].n && at < s[1].n) {
            buf_char(&b, s[1].p[at]);
            at++;
        }
    }
    buf_str(&b, at < s[1].n ? str_slice(s[1], at, s[1].n) : STR(""));
    return re && tv_take(x, &b, ret);
}

static bool fn_regex_replace(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    return replace_all(x, args, false, ret);
}

static bool fn_regex_replace_literal(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    return replace_all(x, args, true, ret);
}

static const struct tfunc_row rows[] = {
    {"ToLower", fn_lower, 1, 1},
    {"ToUpper", fn_upper, 1, 1},
    {"Replace", fn_go_replace, 4, 4},
    {"Trim", fn_trim_set, 2, 2},
    {"TrimLeft", fn_trim_left, 2, 2},
    {"TrimRight", fn_trim_right, 2, 2},
    {"TrimPrefix", fn_go_trim_prefix, 2, 2},
    {"TrimSuffix", fn_go_trim_suffix, 2, 2},
    {"TrimSpace", fn_trim_space, 1, 1},
    {"regexReplaceAll", fn_regex_replace, 3, 3},
    {"regexReplaceAllLiteral", fn_regex_replace_literal, 3, 3},
    {"lower", fn_lower, 1, 1},
    {"upper", fn_upper, 1, 1},
    {"title", fn_title, 1, 1},
    {"trim", fn_trim_space, 1, 1},
    {"trimAll", fn_trim_all, 2, 2},
    {"trimPrefix", fn_trim_prefix, 2, 2},
    {"trimSuffix", fn_trim_suffix, 2, 2},
    {"trunc", fn_trunc, 2, 2},
    {"substr", fn_substr, 3, 3},
    {"replace", fn_replace, 3, 3},
    {"contains", fn_contains, 2, 2},
    {"hasPrefix", fn_has_prefix, 2, 2},
    {"hasSuffix", fn_has_suffix, 2, 2},
    {"repeat", fn_repeat, 2, 2},
    {"regexMatch", fn_regex_match, 2, 2},
    {"regexFind", fn_regex_find, 2, 2},
};

const struct tfunc_row *tfuncs_text(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(rows);
    return rows;
}
