/* Functions of templates over numbers and instants. */
#include <math.h>
#include <stdio.h>

#include "codec/num.h"
#include "golang/gostr.h"
#include "golang/tmpl_funcs.h"

static void give_str(call *c, struct str s)
{
    c->result = tmpl_string(s);
}

/* -- numbers --------------------------------------------------------------------------------------------- */

static void fn_bytes(call *c)
{
    struct err_info why = {0};
    uint64_t n = 0;
    if (go_bytes_parse(tmpl_arg_str(c, 0), &n, &why) != ERR_OK) {
        tmpl_fail(c, "%s", why.message);
    }
    c->result = tmpl_float((double)n);
}

static void fn_duration(call *c)
{
    struct err_info why = {0};
    int64_t ns = 0;
    if (go_duration_parse(tmpl_arg_str(c, 0), &ns, &why) != ERR_OK) {
        tmpl_fail(c, "%s", why.message);
    }
    int64_t whole = ns / NS_PER_S;
    c->result = tmpl_float((double)whole + (double)(ns % NS_PER_S) / 1e9);
}

static void fn_int(call *c)
{
    c->result = tmpl_int(tmpl_to_int(&c->args[0]));
}

static void fn_float64(call *c)
{
    c->result = tmpl_float(tmpl_to_float(&c->args[0]));
}

static void fn_add(call *c)
{
    uint64_t v = 0;
    for (size_t i = 0; i < c->n; i++) {
        v += (uint64_t)tmpl_to_int(&c->args[i]);
    }
    c->result = tmpl_int64((int64_t)v);
}

static void fn_sub(call *c)
{
    c->result =
        tmpl_int64((int64_t)((uint64_t)tmpl_to_int(&c->args[0]) - (uint64_t)tmpl_to_int(&c->args[1])));
}

static void fn_mul(call *c)
{
    uint64_t v = 1;
    for (size_t i = 0; i < c->n; i++) {
        v *= (uint64_t)tmpl_to_int(&c->args[i]);
    }
    c->result = tmpl_int64((int64_t)v);
}

static void divide(call *c, bool rest)
{
    int64_t a = tmpl_to_int(&c->args[0]), b = tmpl_to_int(&c->args[1]);
    if (b == 0) {
        tmpl_fail(c, "runtime error: integer divide by zero");
        return;
    }
    if (b == -1) {
        c->result = tmpl_int64(rest ? 0 : (int64_t)(0 - (uint64_t)a));
        return;
    }
    c->result = tmpl_int64(rest ? a % b : a / b);
}

static void fn_div(call *c)
{
    divide(c, false);
}

static void fn_mod(call *c)
{
    divide(c, true);
}

static void extreme(call *c, bool max)
{
    int64_t best = tmpl_to_int(&c->args[0]);
    for (size_t i = 1; i < c->n; i++) {
        int64_t v = tmpl_to_int(&c->args[i]);
        best = (max ? v > best : v < best) ? v : best;
    }
    c->result = tmpl_int64(best);
}

static void fn_max(call *c)
{
    extreme(c, true);
}

static void fn_min(call *c)
{
    extreme(c, false);
}

static void extreme_f(call *c, bool max)
{
    double best = tmpl_to_float(&c->args[0]);
    for (size_t i = 1; i < c->n; i++) {
        double v = tmpl_to_float(&c->args[i]);
        best = isnan(v) || isnan(best) ? (double)NAN : max ? fmax(best, v) : fmin(best, v);
    }
    c->result = tmpl_float(best);
}

static void fn_maxf(call *c)
{
    extreme_f(c, true);
}

static void fn_minf(call *c)
{
    extreme_f(c, false);
}

static void fn_ceil(call *c)
{
    c->result = tmpl_float(ceil(tmpl_to_float(&c->args[0])));
}

static void fn_floor(call *c)
{
    c->result = tmpl_float(floor(tmpl_to_float(&c->args[0])));
}

static void fn_round(call *c)
{
    double whole, on = c->n > 2 ? c->args[2].f : 0.5;
    double scale = pow(10, (double)c->args[1].i), digit = scale * tmpl_to_float(&c->args[0]);
    double rest = modf(digit, &whole);
    c->result = tmpl_float((rest >= on ? ceil(digit) : floor(digit)) / scale);
}

/* -- decimals: exact where they fit, as sprig's decimal arithmetic ----------------------------------------
 */

__extension__ typedef __int128 int128;

struct decimal {
    int128 v;
    int exp;
    bool exact;
    double f;
};

#define DECIMAL_MAX ((int128)1 << 120)

static struct decimal decimal_of(double f)
{
    struct decimal d = {.f = f};
    char digits[17];
    int exp10;
    if (f == 0 || !isfinite(f)) {
        d.exact = isfinite(f);
        return d;
    }
    size_t n = num_f64_digits(fabs(f), digits, &exp10);
    for (size_t i = 0; i < n; i++) {
        d.v = d.v * 10 + (digits[i] - '0');
    }
    d.exp = exp10 - (int)n;
    d.exact = true;
    d.v = f < 0 ? -d.v : d.v;
    return d;
}

static bool scale_up(int128 *v, int by)
{
    for (; by > 0; by--) {
        if (*v > DECIMAL_MAX / 10 || *v < -DECIMAL_MAX / 10) {
            return false;
        }
        *v *= 10;
    }
    return true;
}

static double decimal_value(const struct decimal *d)
{
    char text[64];
    size_t n = 0;
    int128 v = d->v < 0 ? -d->v : d->v;
    double f;
    if (!d->exact) {
        return d->f;
    }
    char reversed[48];
    do {
        reversed[n++] = (char)('0' + (int)(v % 10));
        v /= 10;
    } while (v);
    size_t at = 0;
    if (d->v < 0) {
        text[at++] = '-';
    }
    while (n) {
        text[at++] = reversed[--n];
    }
    at += (size_t)snprintf(text + at, sizeof(text) - at, "e%d", d->exp);
    return num_f64_parse(str_of(text, at), &f) == ERR_OK ? f : d->f;
}

static struct decimal decimal_add(struct decimal a, struct decimal b, int sign)
{
    struct decimal r = {.f = a.f + sign * b.f};
    int exp = a.exp < b.exp ? a.exp : b.exp;
    if (!a.exact || !b.exact || !scale_up(&a.v, a.exp - exp) || !scale_up(&b.v, b.exp - exp)) {
        return r;
    }
    r.v = a.v + sign * b.v;
    r.exp = exp;
    r.exact = true;
    return r;
}

static struct decimal decimal_mul(struct decimal a, struct decimal b)
{
    struct decimal r = {.f = a.f * b.f, .exp = a.exp + b.exp};
    r.exact = a.exact && b.exact && !__builtin_mul_overflow(a.v, b.v, &r.v) && r.v < DECIMAL_MAX &&
              r.v > -DECIMAL_MAX;
    return r;
}

/* To 16 places behind the point, halves away from zero. */
static struct decimal decimal_div(struct decimal a, struct decimal b)
{
    struct decimal r = {.f = b.f == 0 ? 0 : a.f / b.f, .exp = -16};
    int shift = a.exp - b.exp + 16;
    if (!a.exact || !b.exact || (shift >= 0 ? !scale_up(&a.v, shift) : !scale_up(&b.v, -shift))) {
        return r;
    }
    int128 q = a.v / b.v, rest = a.v % b.v;
    int128 twice = (rest < 0 ? -rest : rest) * 2, limit = b.v < 0 ? -b.v : b.v;
    if (twice >= limit) {
        q += (a.v < 0) == (b.v < 0) ? 1 : -1;
    }
    r.v = q;
    r.exact = true;
    return r;
}

static void decimal_fold(call *c, char op)
{
    struct decimal r = op == '+' ? decimal_of(0) : decimal_of(tmpl_to_float(&c->args[0]));
    for (size_t i = op == '+' ? 0 : 1; i < c->n; i++) {
        struct decimal d = decimal_of(tmpl_to_float(&c->args[i]));
        if (op == '/' && d.f == 0) {
            tmpl_fail(c, "decimal division by 0");
            return;
        }
        r = op == '+'   ? decimal_add(r, d, 1)
            : op == '-' ? decimal_add(r, d, -1)
            : op == '*' ? decimal_mul(r, d)
                        : decimal_div(r, d);
        r.f = decimal_value(&r);
    }
    c->result = tmpl_float(decimal_value(&r));
}

static void fn_addf(call *c)
{
    decimal_fold(c, '+');
}

static void fn_subf(call *c)
{
    decimal_fold(c, '-');
}

static void fn_mulf(call *c)
{
    decimal_fold(c, '*');
}

static void fn_divf(call *c)
{
    decimal_fold(c, '/');
}

/* -- time ------------------------------------------------------------------------------------------------ */

static void give_time(call *c, struct tmpl_time t)
{
    c->result = (struct tmpl_value){.kind = VAL_TIME, .t = t};
}

static void fn_now(call *c)
{
    int64_t ns = clock_wall_ns(clock_real());
    give_time(c, tmpl_time_unix(ns / NS_PER_S, ns % NS_PER_S));
}

static void fn_timestamp(call *c)
{
    give_time(c, tmpl_time_unix(0, c->in->ts));
}

static void fn_line(call *c)
{
    give_str(c, c->in->line.p ? c->in->line : STR(""));
}

static void fn_date(call *c)
{
    struct buf b AUTO_BUF = {0};
    const struct tmpl_value *v = &c->args[1];
    int64_t now = clock_wall_ns(clock_real());
    struct tmpl_time t = tmpl_time_unix(now / NS_PER_S, now % NS_PER_S);
    if (v->kind == VAL_TIME) {
        t = tmpl_time_in(v->t, STR("Local"));
    } else if (v->kind == VAL_INT || v->kind == VAL_INT64) {
        t = tmpl_time_unix(v->i, 0);
    }
    tmpl_time_format(&b, &t, tmpl_arg_str(c, 0));
    tmpl_give(c, &b);
}

static void fn_to_date(call *c)
{
    give_time(c, tmpl_time_parse(tmpl_arg_str(c, 0), tmpl_arg_str(c, 1), STR("Local")));
}

static void fn_to_date_in_zone(call *c)
{
    give_time(c, tmpl_time_parse(tmpl_arg_str(c, 0), tmpl_arg_str(c, 2), tmpl_arg_str(c, 1)));
}

static void give_number(call *c, int64_t v)
{
    struct buf b AUTO_BUF = {0};
    buf_i64(&b, v);
    tmpl_give(c, &b);
}

static void fn_unix_epoch(call *c)
{
    give_number(c, c->args[0].t.s);
}

static void fn_unix_epoch_millis(call *c)
{
    give_number(c, c->args[0].t.s * 1000 + c->args[0].t.ns / 1000000);
}

static void fn_unix_epoch_nanos(call *c)
{
    give_number(c, (int64_t)((uint64_t)c->args[0].t.s * (uint64_t)NS_PER_S + (uint64_t)c->args[0].t.ns));
}

static void fn_unix_to_time(call *c)
{
    struct str s = tmpl_arg_str(c, 0);
    int64_t v;
    if (str_to_i64(s, &v) != ERR_OK) {
        struct buf q AUTO_BUF = {0};
        labels_quote(&q, s);
        tmpl_fail(c, "unable to parse time '%.*s': strconv.ParseInt: parsing %.*s: invalid syntax",
                  STR_FMT(s), STR_FMT(buf_view(&q)));
        return;
    }
    switch (s.n) {
    case 5:
        give_time(c, tmpl_time_unix(v * 86400, 0));
        break;
    case 10:
        give_time(c, tmpl_time_unix(v, 0));
        break;
    case 13:
        give_time(c, tmpl_time_unix(v / 1000, v % 1000 * 1000000));
        break;
    case 16:
        give_time(c, tmpl_time_unix(v / 1000000, v % 1000000 * 1000));
        break;
    case 19:
        give_time(c, tmpl_time_unix(0, v));
        break;
    default:
        tmpl_fail(c, "unable to parse time '%.*s': %%!w(<nil>)", STR_FMT(s));
    }
}

/* -- the table ------------------------------------------------------------------------------------------- */

#define S ARG_STRING
#define I ARG_INT
#define A ARG_ANY
#define V ARG_VALUE
#define T ARG_TIME

static const struct tmpl_function functions[] = {
    {"int", {A}, ARG_NONE, fn_int},
    {"float64", {A}, ARG_NONE, fn_float64},
    {"add", {ARG_NONE}, A, fn_add},
    {"sub", {A, A}, ARG_NONE, fn_sub},
    {"mul", {A}, A, fn_mul},
    {"div", {A, A}, ARG_NONE, fn_div},
    {"mod", {A, A}, ARG_NONE, fn_mod},
    {"addf", {ARG_NONE}, A, fn_addf},
    {"subf", {A}, A, fn_subf},
    {"mulf", {A}, A, fn_mulf},
    {"divf", {A}, A, fn_divf},
    {"max", {A}, A, fn_max},
    {"min", {A}, A, fn_min},
    {"maxf", {A}, A, fn_maxf},
    {"minf", {A}, A, fn_minf},
    {"ceil", {A}, ARG_NONE, fn_ceil},
    {"floor", {A}, ARG_NONE, fn_floor},
    {"round", {A, I}, ARG_FLOAT, fn_round},
    {"date", {S, A}, ARG_NONE, fn_date},
    {"toDate", {S, S}, ARG_NONE, fn_to_date},
    {"now", {ARG_NONE}, ARG_NONE, fn_now},
    {"unixEpoch", {T}, ARG_NONE, fn_unix_epoch},
};

static const struct tmpl_function loki_functions[] = {
    {"__line__", {ARG_NONE}, ARG_NONE, fn_line},
    {"__timestamp__", {ARG_NONE}, ARG_NONE, fn_timestamp},
    {"bytes", {S}, ARG_NONE, fn_bytes},
    {"duration", {S}, ARG_NONE, fn_duration},
    {"duration_seconds", {S}, ARG_NONE, fn_duration},
    {"unixEpochMillis", {T}, ARG_NONE, fn_unix_epoch_millis},
    {"unixEpochNanos", {T}, ARG_NONE, fn_unix_epoch_nanos},
    {"toDateInZone", {S, S, S}, ARG_NONE, fn_to_date_in_zone},
    {"unixToTime", {S}, ARG_NONE, fn_unix_to_time},
};

struct tmpl_table tmpl_table_loki_number(void)
{
    return (struct tmpl_table){loki_functions, ARRAY_LEN(loki_functions)};
}

struct tmpl_table tmpl_table_number(void)
{
    return (struct tmpl_table){functions, ARRAY_LEN(functions)};
}
