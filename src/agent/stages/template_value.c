/* Functions on values: lists and maps, logic, numbers; and how arguments are read. */
#include <math.h>

#include "agent/stages/template_int.h"
#include "codec/num.h"

/* -- arguments ----------------------------------------------------------------------------------------------
 */

bool targ_text(struct texec *x, const struct tval *v, struct str *ret)
{
    if (v->kind == TV_NIL) {
        *ret = STR("");
        return true;
    }
    return tv_text(x, v, ret);
}

bool targ_int(struct texec *x, const struct tval *v, int64_t *ret)
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
        if (targ_text(x, v, &s) && str_to_i64(s, ret) && num_f64_parse(s, &f) == ERR_OK && fabs(f) < 9e18) {
            *ret = (int64_t)f;
        }
        return true;
    }
}

double targ_float(struct texec *x, const struct tval *v)
{
    struct str s;
    double f = 0;
    if (v->kind == TV_INT) {
        return (double)v->i;
    }
    if (v->kind == TV_FLOAT) {
        return v->f;
    }
    return targ_text(x, v, &s) && num_f64_parse(s, &f) == ERR_OK ? f : 0;
}

bool targ_texts(struct texec *x, const struct tval *args, size_t n, struct str *ret)
{
    for (size_t i = 0; i < n; i++) {
        if (!targ_text(x, &args[i], &ret[i])) {
            return false;
        }
    }
    return true;
}

/* -- lists and maps -----------------------------------------------------------------------------------------
 */

static bool fn_split_list(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
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
    if (!targ_text(x, &args[0], &glue)) {
        return false;
    }
    if (args[1].kind != TV_LIST) {
        bool ok = targ_text(x, &args[1], &s);
        *ret = tv_str(s);
        return ok;
    }
    for (size_t i = 0; i < args[1].n; i++) {
        if (!targ_text(x, &args[1].items[i], &s)) {
            return false;
        }
        buf_str(&b, i ? glue : STR(""));
        buf_str(&b, s);
    }
    return tv_take(x, &b, ret);
}

bool tfn_list(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    *ret = (struct tval){.kind = TV_LIST, .n = n, .items = arena_array(x->a, n + 1, sizeof(*args))};
    if (ret->items && n) {
        memcpy(ret->items, args, n * sizeof(*args));
    }
    return ret->items != NULL;
}

bool tfn_dict(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    struct tval map = {.kind = TV_MAP,
                       .items = arena_array(x->a, n + 1, sizeof(*args)),
                       .keys = arena_array(x->a, n + 1, sizeof(*map.keys))};
    for (size_t i = 0; map.items && map.keys && i + 1 < n; i += 2) {
        struct str key;
        size_t at = 0;
        if (!targ_text(x, &args[i], &key)) {
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
        } else if (args[i].kind != TV_INT || !targ_int(x, &args[i], &at) || at < 0 ||
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
    if ((n > 1 && !targ_int(x, &args[1], &from)) || (n > 2 && !targ_int(x, &args[2], &to)) || from < 0 ||
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
    return targ_int(x, &args[0], &ret->i);
}

static bool fn_float(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    *ret = tv_float(targ_float(x, &args[0]));
    return true;
}

static bool fold(struct texec *x, const struct tval *args, size_t n, char op, struct tval *ret)
{
    int64_t v, total = 0;
    for (size_t i = 0; i < n; i++) {
        (void)targ_int(x, &args[i], &v);
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

static const struct tfunc_row rows[] = {
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
    {"split", fn_split, 2, 2},
    {"splitList", fn_split_list, 2, 2},
    {"join", fn_join, 2, 2},
    {"list", tfn_list, 0, TEMPLATE_ARGS_MAX},
    {"dict", tfn_dict, 0, TEMPLATE_ARGS_MAX},
    {"first", fn_first, 1, 1},
    {"last", fn_last, 1, 1},
    {"default", fn_default, 1, 2},
    {"empty", fn_empty, 1, 1},
    {"coalesce", fn_coalesce, 0, TEMPLATE_ARGS_MAX},
    {"ternary", fn_ternary, 3, 3},
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
};

const struct tfunc_row *tfuncs_value(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(rows);
    return rows;
}
