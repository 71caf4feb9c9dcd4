/* The functions templates may call: Go's own, Promtail's, and the common ones of sprig. One row each in the
 * table at the end. */
#include <ctype.h>
#include <gnutls/crypto.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/stages/go_time.h"
#include "agent/stages/template_int.h"
#include "codec/json.h"
#include "codec/num.h"
#include "labels/relabel.h"

enum {
    DIGEST_BYTES_MAX = 64,
    REPEAT_BYTES_MAX = 1 << 20
};

/* -- arguments ----------------------------------------------------------------------------------------------
 */

static bool text_of(struct texec *x, const struct tval *v, struct str *ret)
{
    if (v->kind == TV_NIL) {
        *ret = STR("");
        return true;
    }
    return tv_text(x, v, ret);
}

static bool int_of(struct texec *x, const struct tval *v, int64_t *ret)
{
    struct str s;
    double f;
    switch ((int)v->kind) {
    case TV_INT:
        *ret = v->i;
        return true;
    case TV_FLOAT:
        *ret = (int64_t)v->f;
        return true;
    case TV_BOOL:
        *ret = v->b;
        return true;
    default:
        *ret = 0; /* sprig: what is no number counts as 0 */
        if (text_of(x, v, &s) && str_to_i64(s, ret) && num_f64_parse(s, &f) == ERR_OK && fabs(f) < 9e18) {
            *ret = (int64_t)f;
        }
        return true;
    }
}

static double float_of(struct texec *x, const struct tval *v)
{
    struct str s;
    double f = 0;
    if (v->kind == TV_INT) {
        return (double)v->i;
    }
    if (v->kind == TV_FLOAT) {
        return v->f;
    }
    return text_of(x, v, &s) && num_f64_parse(s, &f) == ERR_OK ? f : 0;
}

#define TEXTS(n_)                             \
    struct str s[n_];                         \
    for (size_t i_ = 0; i_ < (n_); i_++) {    \
        if (!text_of(x, &args[i_], &s[i_])) { \
            return false;                     \
        }                                     \
    }

/* -- strings ------------------------------------------------------------------------------------------------
 */

static bool change_case(struct texec *x, const struct tval *v, bool upper, struct tval *ret)
{
    struct str s;
    char *out = text_of(x, v, &s) ? arena_bytes(x->a, s.n + 1) : NULL;
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
    char *out = text_of(x, &args[0], &s) ? arena_bytes(x->a, s.n + 1) : NULL;
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
    TEXTS(2)
    *ret = tv_str(cut_set(s[0], s[1], true, true));
    return true;
}

static bool fn_trim_left(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
    *ret = tv_str(cut_set(s[0], s[1], true, false));
    return true;
}

static bool fn_trim_right(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
    *ret = tv_str(cut_set(s[0], s[1], false, true));
    return true;
}

/* sprig's order: cut set, text. */
static bool fn_trim_all(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
    *ret = tv_str(cut_set(s[1], s[0], true, true));
    return true;
}

static bool fn_trim_space(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(1)
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
    TEXTS(2)
    *ret = tv_str(without(s[0], s[1], true));
    return true;
}

static bool fn_go_trim_suffix(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
    *ret = tv_str(without(s[0], s[1], false));
    return true;
}

static bool fn_trim_prefix(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
    *ret = tv_str(without(s[1], s[0], true));
    return true;
}

static bool fn_trim_suffix(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
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
    TEXTS(3)
    return int_of(x, &args[3], &times) && replaced(x, s[0], s[1], s[2], times, ret);
}

static bool fn_replace(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(3)
    return replaced(x, s[2], s[0], s[1], -1, ret);
}

static bool fn_contains(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
    *ret = tv_bool(str_find(s[1], s[0], 0) != STR_NPOS);
    return true;
}

static bool fn_has_prefix(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
    *ret = tv_bool(str_starts(s[1], s[0]));
    return true;
}

static bool fn_has_suffix(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
    *ret = tv_bool(str_ends(s[1], s[0]));
    return true;
}

static bool fn_trunc(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    int64_t len;
    struct str s;
    if (!int_of(x, &args[0], &len) || !text_of(x, &args[1], &s)) {
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
    if (!int_of(x, &args[0], &from) || !int_of(x, &args[1], &to) || !text_of(x, &args[2], &s)) {
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
    if (!int_of(x, &args[0], &times) || !text_of(x, &args[1], &s)) {
        return false;
    }
    for (int64_t i = 0; i < times && !b.err; i++) {
        buf_str(&b, s);
        times = s.n ? times : 0;
    }
    return tv_take(x, &b, ret);
}

/* -- lists and maps -----------------------------------------------------------------------------------------
 */

static bool fn_split_list(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
    struct tval list = {.kind = TV_LIST};
    size_t cap = 0, at = 0, hit = 0;
    while (hit != STR_NPOS) {
        hit = s[0].n ? str_find(s[1], s[0], at) : STR_NPOS;
        if (arena_reserve(x->a, (void **)&list.items, &cap, list.n + 1, sizeof(*list.items))) {
            return false;
        }
        list.items[list.n++] = tv_str(str_slice(s[1], at, hit == STR_NPOS ? s[1].n : hit));
        at = hit + s[0].n;
    }
    *ret = list;
    return true;
}

/* sprig's split gives a map: _0, _1, ... */
static bool fn_split(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    struct tval list;
    if (!fn_split_list(x, args, n, &list)) {
        return false;
    }
    list.kind = TV_MAP;
    list.keys = arena_array(x->a, list.n + 1, sizeof(*list.keys));
    for (size_t i = 0; list.keys && i < list.n; i++) {
        list.keys[i] = arena_printf(x->a, "_%zu", i);
    }
    *ret = list;
    return list.keys && !arena_err(x->a);
}

static bool fn_join(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str glue, s;
    struct buf b AUTO_BUF = {.size_bytes_max = TEMPLATE_OUT_BYTES_MAX};
    if (!text_of(x, &args[0], &glue)) {
        return false;
    }
    if (args[1].kind != TV_LIST) {
        bool ok = text_of(x, &args[1], &s);
        *ret = tv_str(s);
        return ok;
    }
    for (size_t i = 0; i < args[1].n; i++) {
        if (!text_of(x, &args[1].items[i], &s)) {
            return false;
        }
        buf_str(&b, i ? glue : STR(""));
        buf_str(&b, s);
    }
    return tv_take(x, &b, ret);
}

static bool fn_list(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    *ret = (struct tval){.kind = TV_LIST, .n = n, .items = arena_array(x->a, n + 1, sizeof(*args))};
    if (ret->items && n) {
        memcpy(ret->items, args, n * sizeof(*args));
    }
    return ret->items != NULL;
}

static bool fn_dict(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    struct tval map = {.kind = TV_MAP,
                       .items = arena_array(x->a, n + 1, sizeof(*args)),
                       .keys = arena_array(x->a, n + 1, sizeof(*map.keys))};
    for (size_t i = 0; map.items && map.keys && i + 1 < n; i += 2) {
        struct str key;
        size_t at = 0;
        if (!text_of(x, &args[i], &key)) {
            return false;
        }
        while (at < map.n && str_cmp(map.keys[at], key) < 0) {
            at++;
        }
        memmove(map.keys + at + 1, map.keys + at, (map.n - at) * sizeof(*map.keys));
        memmove(map.items + at + 1, map.items + at, (map.n - at) * sizeof(*map.items));
        map.keys[at] = key;
        map.items[at] = args[i + 1];
        map.n++;
    }
    *ret = map;
    return map.items && map.keys;
}

static bool fn_first(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)x;
    (void)n;
    *ret = args[0].kind == TV_LIST && args[0].n ? args[0].items[0] : (struct tval){0};
    return args[0].kind == TV_LIST;
}

static bool fn_last(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)x;
    (void)n;
    *ret = args[0].kind == TV_LIST && args[0].n ? args[0].items[args[0].n - 1] : (struct tval){0};
    return args[0].kind == TV_LIST;
}

static bool fn_index(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    *ret = args[0];
    for (size_t i = 1; i < n; i++) {
        struct tval of = *ret;
        int64_t at;
        if (of.kind == TV_MAP || of.kind == TV_DATA) {
            if (args[i].kind != TV_STR || !tv_member(x, &of, args[i].s, ret)) {
                return false;
            }
        } else if (args[i].kind != TV_INT || !int_of(x, &args[i], &at) || at < 0 ||
                   (size_t)at >= (of.kind == TV_LIST ? of.n : of.s.n)) {
            return false;
        } else {
            *ret = of.kind == TV_LIST ? of.items[at] : tv_int((unsigned char)of.s.p[at]);
        }
    }
    return true;
}

static bool fn_slice(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    size_t len = args[0].kind == TV_LIST ? args[0].n : args[0].s.n;
    int64_t from = 0, to = (int64_t)len;
    if ((n > 1 && !int_of(x, &args[1], &from)) || (n > 2 && !int_of(x, &args[2], &to)) || from < 0 ||
        to < from || to > (int64_t)len) {
        return false;
    }
    *ret = args[0];
    if (args[0].kind == TV_LIST) {
        ret->items += from;
        ret->n = (size_t)(to - from);
    } else if (args[0].kind == TV_STR) {
        ret->s = str_slice(args[0].s, (size_t)from, (size_t)to);
    }
    return args[0].kind == TV_LIST || args[0].kind == TV_STR;
}

static bool fn_len(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    const struct tval *v = &args[0];
    *ret = tv_int((int64_t)(v->kind == TV_STR    ? v->s.n
                            : v->kind == TV_DATA ? x->data->entry->extracted_count
                                                 : v->n));
    return v->kind == TV_STR || v->kind == TV_LIST || v->kind == TV_MAP || v->kind == TV_DATA;
}

/* -- logic --------------------------------------------------------------------------------------------------
 */

/* The runner evaluates and and or itself; these rows only give them names. */
static bool fn_logic(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)x;
    *ret = args[n - 1];
    return true;
}

static bool fn_not(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    *ret = tv_bool(!tv_truth(x, &args[0]));
    return true;
}

/* -1, 0, 1; false when the kinds cannot be compared. */
static bool compare(const struct tval *a, const struct tval *b, int *ret)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch ((int)a->kind) {
    case TV_INT:
        *ret = (a->i > b->i) - (a->i < b->i);
        return true;
    case TV_FLOAT:
        *ret = (a->f > b->f) - (a->f < b->f);
        return true;
    case TV_STR:
        *ret = str_cmp(a->s, b->s);
        return true;
    case TV_BOOL:
        *ret = a->b - b->b;
        return true;
    case TV_NIL:
        *ret = 0;
        return true;
    default:
        return false;
    }
}

static bool fn_eq(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)x;
    *ret = tv_bool(false);
    for (size_t i = 1; i < n; i++) {
        int c;
        bool nil = args[0].kind == TV_NIL || args[i].kind == TV_NIL;
        if (!compare(&args[0], &args[i], &c)) {
            if (!nil) {
                return false;
            }
            c = 1;
        }
        ret->b |= c == 0;
    }
    return true;
}

static bool fn_ne(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    bool ok = fn_eq(x, args, n, ret);
    ret->b = !ret->b;
    return ok;
}

static bool ordered(const struct tval *args, bool less, bool equal, struct tval *ret)
{
    int c;
    if (!compare(&args[0], &args[1], &c)) {
        return false;
    }
    *ret = tv_bool((c == 0 && equal) || (c != 0 && (c < 0) == less));
    return true;
}

static bool fn_lt(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)x;
    (void)n;
    return ordered(args, true, false, ret);
}

static bool fn_le(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)x;
    (void)n;
    return ordered(args, true, true, ret);
}

static bool fn_gt(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)x;
    (void)n;
    return ordered(args, false, false, ret);
}

static bool fn_ge(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)x;
    (void)n;
    return ordered(args, false, true, ret);
}

static bool fn_default(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    *ret = n > 1 && tv_truth(x, &args[1]) ? args[1] : args[0];
    return true;
}

static bool fn_empty(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    *ret = tv_bool(!tv_truth(x, &args[0]));
    return true;
}

static bool fn_coalesce(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    for (size_t i = 0; i < n; i++) {
        if (tv_truth(x, &args[i])) {
            *ret = args[i];
            return true;
        }
    }
    return true;
}

static bool fn_ternary(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    *ret = tv_truth(x, &args[2]) ? args[0] : args[1];
    return true;
}

/* -- numbers ------------------------------------------------------------------------------------------------
 */

static bool fn_int(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    *ret = tv_int(0);
    return int_of(x, &args[0], &ret->i);
}

static bool fn_float(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    *ret = tv_float(float_of(x, &args[0]));
    return true;
}

static bool fold(struct texec *x, const struct tval *args, size_t n, char op, struct tval *ret)
{
    int64_t v, total = 0;
    for (size_t i = 0; i < n; i++) {
        (void)int_of(x, &args[i], &v);
        bool over = false;
        if (i == 0) {
            total = v;
        } else if (op == '+') {
            over = __builtin_add_overflow(total, v, &total);
        } else if (op == '-') {
            over = __builtin_sub_overflow(total, v, &total);
        } else if (op == '*') {
            over = __builtin_mul_overflow(total, v, &total);
        } else if (op == '>' || op == '<') {
            total = (v > total) == (op == '>') ? v : total;
        } else if (v == 0 || (v == -1 && total == INT64_MIN)) {
            return false;
        } else {
            total = op == '/' ? total / v : total % v;
        }
        if (over) {
            return false;
        }
    }
    *ret = tv_int(total);
    return true;
}

static bool fn_add(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    return fold(x, args, n, '+', ret);
}

static bool fn_sub(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    return fold(x, args, n, '-', ret);
}

static bool fn_mul(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    return fold(x, args, n, '*', ret);
}

static bool fn_div(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    return fold(x, args, n, '/', ret);
}

static bool fn_mod(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    return fold(x, args, n, '%', ret);
}

static bool fn_max(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    return fold(x, args, n, '>', ret);
}

static bool fn_min(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    return fold(x, args, n, '<', ret);
}

/* -- regular expressions ------------------------------------------------------------------------------------
 */

static bool fn_regex_match(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
    struct regex *re = template_regex(x->t, s[0]);
    *ret = tv_bool(re && regex_match(re, s[1]));
    return re != NULL;
}

static bool fn_regex_find(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
    struct regex *re = template_regex(x->t, s[0]);
    struct str hit = {0};
    *ret = tv_str(re && regex_find(re, s[1], 0, &hit, 1) ? hit : STR(""));
    return re != NULL;
}

static bool replace_all(struct texec *x, const struct tval *args, bool literal, struct tval *ret)
{
    TEXTS(3)
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

/* -- digests and encodings ----------------------------------------------------------------------------------
 */

static bool hex_digest(struct texec *x, gnutls_digest_algorithm_t algorithm, struct str a, struct str b,
                       struct tval *ret)
{
    unsigned char sum[DIGEST_BYTES_MAX];
    struct buf text AUTO_BUF = {0}, hex AUTO_BUF = {0};
    buf_str(&text, a);
    buf_str(&text, b);
    if (text.err || gnutls_hash_fast(algorithm, text.p ? text.p : "", text.n, sum) != 0) {
        return false;
    }
    for (unsigned i = 0; i < gnutls_hash_get_len(algorithm); i++) {
        buf_printf(&hex, "%02x", sum[i]);
    }
    return tv_take(x, &hex, ret);
}

/* Hash(salt, text). */
static bool fn_hash(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
    return hex_digest(x, GNUTLS_DIG_SHA3_256, s[0], s[1], ret);
}

static bool fn_sha2_hash(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
    return hex_digest(x, GNUTLS_DIG_SHA256, s[0], s[1], ret);
}

static bool fn_sha256(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(1)
    return hex_digest(x, GNUTLS_DIG_SHA256, s[0], STR(""), ret);
}

static bool fn_b64enc(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (void)n;
    TEXTS(1)
    struct buf b AUTO_BUF = {.size_bytes_max = TEMPLATE_OUT_BYTES_MAX};
    for (size_t i = 0; i < s[0].n; i += 3) {
        uint32_t v = 0;
        size_t have = s[0].n - i < 3 ? s[0].n - i : 3;
        for (size_t k = 0; k < 3; k++) {
            v = v << 8 | (k < have ? (unsigned char)s[0].p[i + k] : 0u);
        }
        for (size_t k = 0; k < 4; k++) {
            buf_char(&b, k <= have ? digits[v >> (18 - 6 * k) & 63] : '=');
        }
    }
    return tv_take(x, &b, ret);
}

static int b64_value(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

static bool fn_b64dec(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(1)
    struct buf b AUTO_BUF = {.size_bytes_max = TEMPLATE_OUT_BYTES_MAX};
    uint32_t v = 0, bits = 0;
    while (s[0].n && s[0].p[s[0].n - 1] == '=') {
        s[0].n--;
    }
    for (size_t i = 0; i < s[0].n; i++) {
        int d = b64_value(s[0].p[i]);
        if (d < 0) {
            return false;
        }
        v = v << 6 | (uint32_t)d;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_char(&b, (char)(v >> bits & 255));
        }
    }
    return tv_take(x, &b, ret);
}

// NOLINTNEXTLINE(misc-no-recursion): lists are as deep as the template that made them
static void write_json(struct texec *x, struct json_writer *w, const struct tval *v)
{
    struct buf number AUTO_BUF = {0};
    switch (v->kind) {
    case TV_NIL:
    case TV_DATA:
        json_null(w);
        break;
    case TV_BOOL:
        json_bool(w, v->b);
        break;
    case TV_INT:
        json_i64(w, v->i);
        break;
    case TV_FLOAT:
        num_f64_api(&number, v->f);
        json_raw(w, buf_view(&number));
        break;
    case TV_STR:
        json_str(w, v->s);
        break;
    case TV_LIST:
    case TV_MAP:
        if (v->kind == TV_LIST) {
            json_array_begin(w);
        } else {
            json_object_begin(w);
        }
        for (size_t i = 0; i < v->n; i++) {
            if (v->kind == TV_MAP) {
                json_key_str(w, v->keys[i]);
            }
            write_json(x, w, &v->items[i]);
        }
        if (v->kind == TV_LIST) {
            json_array_end(w);
        } else {
            json_object_end(w);
        }
        break;
    }
}

static bool fn_to_json(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct buf b AUTO_BUF = {.size_bytes_max = TEMPLATE_OUT_BYTES_MAX};
    struct json_writer w = json_writer(&b);
    w.html = true;
    write_json(x, &w, &args[0]);
    return tv_take(x, &b, ret);
}

static bool from_json(struct texec *x, const struct json_value *v, struct tval *ret);

// NOLINTNEXTLINE(misc-no-recursion): the parser bounds the depth
static bool from_children(struct texec *x, const struct json_value *v, struct tval *ret)
{
    bool map = v->kind == JSON_OBJECT;
    size_t n = 0;
    struct tval *pairs = arena_array(x->a, v->count * 2 + 1, sizeof(*pairs));
    if (!pairs) {
        return false;
    }
    for (const struct json_value *c = v->child; c; c = c->next) {
        if (map) {
            pairs[n++] = tv_str(c->key);
        }
        if (!from_json(x, c, &pairs[n++])) {
            return false;
        }
    }
    return map ? fn_dict(x, pairs, n, ret) : fn_list(x, pairs, n, ret);
}

// NOLINTNEXTLINE(misc-no-recursion): the parser bounds the depth
static bool from_json(struct texec *x, const struct json_value *v, struct tval *ret)
{
    *ret = (struct tval){0};
    switch (v->kind) {
    case JSON_NULL:
        return true;
    case JSON_BOOL:
        *ret = tv_bool(v->boolean);
        return true;
    case JSON_NUMBER:
        ret->kind = TV_FLOAT;
        return num_f64_parse(v->raw, &ret->f) == ERR_OK;
    case JSON_STRING:
        *ret = tv_str(v->string);
        return true;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return from_children(x, v, ret);
    }
    return false;
}

static bool fn_from_json(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(1)
    const struct json_value *v;
    return json_parse(x->a, s[0], &v, NULL) == ERR_OK && from_json(x, v, ret);
}

/* -- time ---------------------------------------------------------------------------------------------------
 */

/* Instants travel as integers of nanoseconds; they are only good for date and unixEpoch. */
static bool fn_now(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)x;
    (void)args;
    (void)n;
    *ret = tv_int(clock_wall_ns(clock_real()));
    return true;
}

static bool fn_date(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str layout;
    const struct go_layout *l;
    struct buf b AUTO_BUF = {0};
    if (!text_of(x, &args[0], &layout) || args[1].kind != TV_INT || go_layout_new(x->a, layout, &l)) {
        return false;
    }
    go_time_format(l, args[1].i, NULL, &b);
    return tv_take(x, &b, ret);
}

static bool fn_to_date(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(2)
    const struct go_layout *l;
    struct go_time t;
    if (go_layout_new(x->a, s[0], &l) || go_time_parse(l, s[1], NULL, &t)) {
        return false;
    }
    *ret = tv_int(go_time_ns(&t, NULL));
    return true;
}

static bool fn_unix_epoch(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    *ret = tv_str(arena_printf(x->a, "%lld", (long long)(args[0].i / NS_PER_S)));
    return args[0].kind == TV_INT && ret->s.p;
}

/* -- printing -----------------------------------------------------------------------------------------------
 */

static bool fn_to_string(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(1)
    *ret = tv_str(s[0]);
    return true;
}

static bool fn_print(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    struct buf b AUTO_BUF = {.size_bytes_max = TEMPLATE_OUT_BYTES_MAX};
    for (size_t i = 0; i < n; i++) { /* Go puts a blank between two that are no strings */
        buf_c(&b, i && args[i].kind != TV_STR && args[i - 1].kind != TV_STR ? " " : "");
        tv_print(x, &b, &args[i]);
    }
    return tv_take(x, &b, ret);
}

static bool fn_println(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    struct buf b AUTO_BUF = {.size_bytes_max = TEMPLATE_OUT_BYTES_MAX};
    for (size_t i = 0; i < n; i++) {
        buf_c(&b, i ? " " : "");
        tv_print(x, &b, &args[i]);
    }
    buf_char(&b, '\n');
    return tv_take(x, &b, ret);
}

struct verb {
    bool minus, zero, plus;
    int width, precision; /* -1: none */
    char letter;
};

static struct str parse_verb(struct str s, struct verb *v)
{
    size_t i = 1;
    *v = (struct verb){.precision = -1};
    for (; i < s.n && strchr("-0+ #", s.p[i]); i++) {
        v->minus |= s.p[i] == '-';
        v->zero |= s.p[i] == '0';
        v->plus |= s.p[i] == '+';
    }
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && v->width < 10000; i++) {
        v->width = v->width * 10 + (s.p[i] - '0');
    }
    if (i < s.n && s.p[i] == '.') {
        v->precision = 0;
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && v->precision < 10000; i++) {
            v->precision = v->precision * 10 + (s.p[i] - '0');
        }
    }
    v->letter = i < s.n ? s.p[i] : '\0';
    return str_slice(s, i < s.n ? i + 1 : i, s.n);
}

static void put_body(struct texec *x, struct buf *b, const struct verb *v, const struct tval *a)
{
    char number[NUM_F64_BYTES_MAX];
    struct str s;
    if (v->letter == 'd' && a->kind == TV_INT) {
        buf_c(b, v->plus && a->i >= 0 ? "+" : "");
        buf_i64(b, a->i);
    } else if ((v->letter == 'x' || v->letter == 'X') && a->kind == TV_INT) {
        buf_printf(b, v->letter == 'x' ? "%llx" : "%llX", (unsigned long long)a->i);
    } else if (v->letter == 'f' && a->kind == TV_FLOAT) {
        int places = v->precision < 0 ? 6 : v->precision > 20 ? 20 : v->precision;
        buf_append(b, number, num_f64_fixed(number, a->f, (unsigned)places));
    } else if ((v->letter == 'g' || v->letter == 'e') && a->kind == TV_FLOAT) {
        buf_append(b, number, num_f64_format(number, a->f, v->letter));
    } else if (v->letter == 'q' && text_of(x, a, &s)) {
        labels_quote(b, s);
    } else if (v->letter == 't' && a->kind == TV_BOOL) {
        buf_c(b, a->b ? "true" : "false");
    } else if ((v->letter == 's' && a->kind == TV_STR) || v->letter == 'v') {
        size_t from = b->n;
        tv_print(x, b, a);
        if (v->precision >= 0 && b->n - from > (size_t)v->precision && a->kind == TV_STR) {
            b->n = from + (size_t)v->precision;
        }
    } else {
        buf_printf(b, "%%!%c(", v->letter ? v->letter : '?');
        tv_print(x, b, a);
        buf_char(b, ')');
    }
}

static void put_verb(struct texec *x, struct buf *b, const struct verb *v, const struct tval *a)
{
    struct buf body AUTO_BUF = {.size_bytes_max = TEMPLATE_OUT_BYTES_MAX};
    put_body(x, &body, v, a);
    size_t pad = (size_t)v->width > body.n ? (size_t)v->width - body.n : 0;
    bool zeros = v->zero && !v->minus && (a->kind == TV_INT || a->kind == TV_FLOAT);
    struct str s = buf_view(&body);
    if (zeros && s.n && (s.p[0] == '-' || s.p[0] == '+')) {
        buf_char(b, s.p[0]);
        s = str_slice(s, 1, s.n);
    }
    for (size_t i = 0; i < pad && !v->minus; i++) {
        buf_char(b, zeros ? '0' : ' ');
    }
    buf_str(b, s);
    for (size_t i = 0; i < pad && v->minus; i++) {
        buf_char(b, ' ');
    }
    b->err = b->err ? b->err : body.err;
}

static bool fn_printf(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    struct buf b AUTO_BUF = {.size_bytes_max = TEMPLATE_OUT_BYTES_MAX};
    struct str s;
    size_t next = 1;
    if (!text_of(x, &args[0], &s)) {
        return false;
    }
    while (s.n) {
        struct verb v;
        if (s.p[0] != '%') {
            buf_char(&b, s.p[0]);
            s = str_slice(s, 1, s.n);
            continue;
        }
        s = parse_verb(s, &v);
        if (v.letter == '%') {
            buf_char(&b, '%');
        } else if (next < n) {
            put_verb(x, &b, &v, &args[next++]);
        } else {
            buf_printf(&b, "%%!%c(MISSING)", v.letter ? v.letter : '?');
        }
    }
    return tv_take(x, &b, ret);
}

static bool fn_urlquery(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    TEXTS(1)
    struct buf b AUTO_BUF = {.size_bytes_max = TEMPLATE_OUT_BYTES_MAX};
    for (size_t i = 0; i < s[0].n; i++) {
        unsigned char c = (unsigned char)s[0].p[i];
        if (isalnum(c) || strchr("-_.~", c)) {
            buf_char(&b, (char)c);
        } else if (c == ' ') {
            buf_char(&b, '+');
        } else {
            buf_printf(&b, "%%%02X", c);
        }
    }
    return tv_take(x, &b, ret);
}

static bool fn_html(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    static const struct {
        char c;
        const char *text;
    } escapes[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&#34;"}, {'\'', "&#39;"}};
    (void)n;
    TEXTS(1)
    struct buf b AUTO_BUF = {.size_bytes_max = TEMPLATE_OUT_BYTES_MAX};
    for (size_t i = 0; i < s[0].n; i++) {
        size_t k = 0;
        while (k < ARRAY_LEN(escapes) && escapes[k].c != s[0].p[i]) {
            k++;
        }
        if (k < ARRAY_LEN(escapes)) {
            buf_c(&b, escapes[k].text);
        } else {
            buf_char(&b, s[0].p[i]);
        }
    }
    return tv_take(x, &b, ret);
}

static const struct tfunc_row rows[] = {
    /* Go */
    {"and", fn_logic, 1, TEMPLATE_ARGS_MAX},
    {"or", fn_logic, 1, TEMPLATE_ARGS_MAX},
    {"not", fn_not, 1, 1},
    {"eq", fn_eq, 2, TEMPLATE_ARGS_MAX},
    {"ne", fn_ne, 2, 2},
    {"lt", fn_lt, 2, 2},
    {"le", fn_le, 2, 2},
    {"gt", fn_gt, 2, 2},
    {"ge", fn_ge, 2, 2},
    {"len", fn_len, 1, 1},
    {"index", fn_index, 1, TEMPLATE_ARGS_MAX},
    {"slice", fn_slice, 1, 3},
    {"print", fn_print, 0, TEMPLATE_ARGS_MAX},
    {"println", fn_println, 0, TEMPLATE_ARGS_MAX},
    {"printf", fn_printf, 1, TEMPLATE_ARGS_MAX},
    {"html", fn_html, 1, 1},
    {"urlquery", fn_urlquery, 1, 1},
    /* Promtail */
    {"ToLower", fn_lower, 1, 1},
    {"ToUpper", fn_upper, 1, 1},
    {"Replace", fn_go_replace, 4, 4},
    {"Trim", fn_trim_set, 2, 2},
    {"TrimLeft", fn_trim_left, 2, 2},
    {"TrimRight", fn_trim_right, 2, 2},
    {"TrimPrefix", fn_go_trim_prefix, 2, 2},
    {"TrimSuffix", fn_go_trim_suffix, 2, 2},
    {"TrimSpace", fn_trim_space, 1, 1},
    {"Hash", fn_hash, 2, 2},
    {"Sha2Hash", fn_sha2_hash, 2, 2},
    {"regexReplaceAll", fn_regex_replace, 3, 3},
    {"regexReplaceAllLiteral", fn_regex_replace_literal, 3, 3},
    /* sprig */
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
    {"split", fn_split, 2, 2},
    {"splitList", fn_split_list, 2, 2},
    {"join", fn_join, 2, 2},
    {"list", fn_list, 0, TEMPLATE_ARGS_MAX},
    {"dict", fn_dict, 0, TEMPLATE_ARGS_MAX},
    {"first", fn_first, 1, 1},
    {"last", fn_last, 1, 1},
    {"default", fn_default, 1, 2},
    {"empty", fn_empty, 1, 1},
    {"coalesce", fn_coalesce, 0, TEMPLATE_ARGS_MAX},
    {"ternary", fn_ternary, 3, 3},
    {"toString", fn_to_string, 1, 1},
    {"int", fn_int, 1, 1},
    {"int64", fn_int, 1, 1},
    {"float64", fn_float, 1, 1},
    {"add", fn_add, 1, TEMPLATE_ARGS_MAX},
    {"sub", fn_sub, 2, 2},
    {"mul", fn_mul, 1, TEMPLATE_ARGS_MAX},
    {"div", fn_div, 2, 2},
    {"mod", fn_mod, 2, 2},
    {"max", fn_max, 1, TEMPLATE_ARGS_MAX},
    {"min", fn_min, 1, TEMPLATE_ARGS_MAX},
    {"regexMatch", fn_regex_match, 2, 2},
    {"regexFind", fn_regex_find, 2, 2},
    {"sha256sum", fn_sha256, 1, 1},
    {"b64enc", fn_b64enc, 1, 1},
    {"b64dec", fn_b64dec, 1, 1},
    {"toJson", fn_to_json, 1, 1},
    {"fromJson", fn_from_json, 1, 1},
    {"now", fn_now, 0, 0},
    {"date", fn_date, 2, 2},
    {"toDate", fn_to_date, 2, 2},
    {"unixEpoch", fn_unix_epoch, 1, 1},
};

const struct tfunc_row *tfunc_find(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (str_eq_c(name, rows[i].name)) {
            return &rows[i];
        }
    }
    return NULL;
}
