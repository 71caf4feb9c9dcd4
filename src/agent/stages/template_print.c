/* Functions that digest, encode, tell the time and print. */
#include <ctype.h>
#include <gnutls/crypto.h>
#include <stdio.h>

#include "agent/stages/go_time.h"
#include "agent/stages/template_int.h"
#include "codec/json.h"
#include "codec/num.h"

enum {
    DIGEST_BYTES_MAX = 64
};

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
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    return hex_digest(x, GNUTLS_DIG_SHA3_256, s[0], s[1], ret);
}

static bool fn_sha2_hash(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
    return hex_digest(x, GNUTLS_DIG_SHA256, s[0], s[1], ret);
}

static bool fn_sha256(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[1];
    if (!targ_texts(x, args, 1, s)) {
        return false;
    }
    return hex_digest(x, GNUTLS_DIG_SHA256, s[0], STR(""), ret);
}

static bool fn_b64enc(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (void)n;
    struct str s[1];
    if (!targ_texts(x, args, 1, s)) {
        return false;
    }
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
    struct str s[1];
    if (!targ_texts(x, args, 1, s)) {
        return false;
    }
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
    return map ? tfn_dict(x, pairs, n, ret) : tfn_list(x, pairs, n, ret);
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
    struct str s[1];
    if (!targ_texts(x, args, 1, s)) {
        return false;
    }
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
    if (!targ_text(x, &args[0], &layout) || args[1].kind != TV_INT || go_layout_new(x->a, layout, &l)) {
        return false;
    }
    go_time_format(l, args[1].i, NULL, &b);
    return tv_take(x, &b, ret);
}

static bool fn_to_date(struct texec *x, const struct tval *args, size_t n, struct tval *ret)
{
    (void)n;
    struct str s[2];
    if (!targ_texts(x, args, 2, s)) {
        return false;
    }
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
    struct str s[1];
    if (!targ_texts(x, args, 1, s)) {
        return false;
    }
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
    } else if (v->letter == 'q' && targ_text(x, a, &s)) {
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
    if (!targ_text(x, &args[0], &s)) {
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
    struct str s[1];
    if (!targ_texts(x, args, 1, s)) {
        return false;
    }
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
    struct str s[1];
    if (!targ_texts(x, args, 1, s)) {
        return false;
    }
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
    {"print", fn_print, 0, TEMPLATE_ARGS_MAX},
    {"println", fn_println, 0, TEMPLATE_ARGS_MAX},
    {"printf", fn_printf, 1, TEMPLATE_ARGS_MAX},
    {"html", fn_html, 1, 1},
    {"urlquery", fn_urlquery, 1, 1},
    {"Hash", fn_hash, 2, 2},
    {"Sha2Hash", fn_sha2_hash, 2, 2},
    {"toString", fn_to_string, 1, 1},
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

const struct tfunc_row *tfuncs_print(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(rows);
    return rows;
}
