/* Number formatting and reading. Most values of dashboards are integers or short decimals: both directions
 * have a fast path that is exact by construction; reading falls back to the C library's correctly rounded
 * conversion. */
#include "codec/num.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/num_int.h"

__extension__ typedef unsigned __int128 u128; /* not ISO C, both compilers have it */

enum {
    POW10_EXACT = 22, /* 10^22 is the largest power of ten a double holds exactly */
    PARSE_STACK_BYTES = 128
};

static const double pow10_exact[POW10_EXACT + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* -- digits ---------------------------------------------------------------------------------------------- */

/* Decimal digits of r without trailing zeros; *ret_len_all counts them all. */
static size_t digits_of_u64(uint64_t r, char digits[20], int *ret_len_all)
{
    char tmp[20];
    size_t n = 0;
    do {
        tmp[n++] = (char)('0' + r % 10);
        r /= 10;
    } while (r);
    for (size_t i = 0; i < n; i++) {
        digits[i] = tmp[n - 1 - i];
    }
    *ret_len_all = (int)n;
    while (n > 1 && digits[n - 1] == '0') {
        n--;
    }
    return n;
}

/* r / 10^k == v with r < 10^15: then r's digits are the shortest, and unique. */
static size_t digits_short_decimal(double v, char digits[17], int *ret_exp10)
{
    if (v >= 1e15 || v < 1e-7) {
        return 0;
    }
    for (int k = 0; k <= POW10_EXACT; k++) {
        double scaled = v * pow10_exact[k];
        if (scaled >= 1e15) {
            return 0;
        }
        double r = nearbyint(scaled);
        if (r > 0 && r / pow10_exact[k] == v) {
            char all[20];
            int len;
            size_t n = digits_of_u64((uint64_t)r, all, &len);
            memcpy(digits, all, n);
            *ret_exp10 = len - k;
            return n;
        }
        if (k >= 3 && fabs(scaled - r) > 1e-2 && scaled > 1e12) {
            return 0;
        }
    }
    return 0;
}

/* floor(log2(10^k)) and floor(log10(2^q)), exact for all exponents of doubles. */
static int log2_pow10(int k)
{
    return (k * 1741647) >> 19;
}

static int log10_pow2(int q, bool power_of_two)
{
    return (q * 1262611 - (power_of_two ? 524031 : 0)) >> 22;
}

/* The upper 64 bits of g * c / 2^64, its last bit set when the rest is not zero. */
static uint64_t round_to_odd(struct pow10_128 g, uint64_t c)
{
    u128 low = (u128)g.low * c, high = (u128)g.high * c + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* The shortest decimal within the interval that rounds to c * 2^q, and of those the nearest: Schubfach
 * (R. Giulietti, "The Schubfach way to render doubles", 2020). Returns s with *ret_k: s * 10^k. */
static uint64_t shortest(uint64_t c, int q, bool power_of_two, int *ret_k)
{
    int k = log10_pow2(q, power_of_two), h = q + log2_pow10(-k) + 1;
    struct pow10_128 g = pow10_128[-k - POW10_128_MIN];
    uint64_t lower = round_to_odd(g, (4 * c - 2 + power_of_two) << h) + (c & 1),
             middle = round_to_odd(g, (4 * c) << h),
             upper = round_to_odd(g, (4 * c + 2) << h) - (c & 1); /* ends belong to even c */
    uint64_t s = middle / 4;
    *ret_k = k;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
        if (below != above) {
            *ret_k = k + 1;
            return tens + above;
        }
    }
    bool below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    if (below != above) {
        return s + above;
    }
    uint64_t half = 4 * s + 2;
    return s + (middle > half || (middle == half && (s & 1)));
}

size_t num_f64_digits(double v, char digits[17], int *ret_exp10)
{
    size_t n = digits_short_decimal(v, digits, ret_exp10);
    if (n) {
        return n;
    }
    uint64_t bits, fraction;
    memcpy(&bits, &v, sizeof(bits));
    fraction = bits & (((uint64_t)1 << 52) - 1);
    int exponent = (int)(bits >> 52 & 2047), k, len;
    char all[20];
    uint64_t c = exponent ? fraction | (uint64_t)1 << 52 : fraction;
    n = digits_of_u64(shortest(c, (exponent ? exponent : 1) - 1075, fraction == 0 && exponent > 1, &k), all,
                      &len);
    memcpy(digits, all, n);
    *ret_exp10 = len + k;
    return n;
}

/* -- format ---------------------------------------------------------------------------------------------- */

static size_t put_plain(char *out, const char *digits, size_t n, int exp10)
{
    char *o = out;
    if (exp10 <= 0) {
        *o++ = '0';
        *o++ = '.';
        for (int i = 0; i < -exp10; i++) {
            *o++ = '0';
        }
        memcpy(o, digits, n);
        return (size_t)(o - out) + n;
    }
    for (int i = 0; i < exp10; i++) {
        *o++ = i < (int)n ? digits[i] : '0';
    }
    if ((int)n > exp10) {
        *o++ = '.';
        memcpy(o, digits + exp10, n - (size_t)exp10);
        o += n - (size_t)exp10;
    }
    return (size_t)(o - out);
}

static size_t put_exponent(char *out, const char *digits, size_t n, int exp10)
{
    char *o = out;
    *o++ = digits[0];
    if (n > 1) {
        *o++ = '.';
        memcpy(o, digits + 1, n - 1);
        o += n - 1;
    }
    int e = exp10 - 1;
    *o++ = 'e';
    *o++ = e < 0 ? '-' : '+';
    e = e < 0 ? -e : e;
    if (e >= 100) {
        *o++ = (char)('0' + e / 100);
        e %= 100;
    }
    *o++ = (char)('0' + e / 10);
    *o++ = (char)('0' + e % 10);
    return (size_t)(o - out);
}

static size_t put_special(char *out, double v)
{
    const char *s = isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf";
    size_t n = strlen(s);
    memcpy(out, s, n);
    return n;
}

size_t num_f64_format(char out[NUM_F64_BYTES_MAX], double v, char fmt)
{
    if (!isfinite(v)) {
        return put_special(out, v);
    }
    char *o = out;
    if (signbit(v)) {
        *o++ = '-';
        v = -v;
    }
    if (v == 0) {
        memcpy(o, fmt == 'e' ? "0e+00" : "0", fmt == 'e' ? 5 : 1);
        return (size_t)(o - out) + (fmt == 'e' ? 5 : 1);
    }
    char digits[17];
    int exp10;
    size_t n = num_f64_digits(v, digits, &exp10);
    bool plain = fmt == 'f' || (fmt == 'g' && exp10 - 1 >= -4 && exp10 - 1 < 6);
    return (size_t)(o - out) + (plain ? put_plain(o, digits, n, exp10) : put_exponent(o, digits, n, exp10));
}

size_t num_f64_fixed(char out[NUM_F64_BYTES_MAX], double v, unsigned places)
{
    if (!isfinite(v)) {
        return put_special(out, v);
    }
    int n = snprintf(out, NUM_F64_BYTES_MAX, "%.*f", (int)(places > 20 ? 20 : places), v);
    return n < 0 ? 0 : (size_t)n;
}

void num_f64_api(struct buf *b, double v)
{
    char *o = buf_tail(b, NUM_F64_BYTES_MAX);
    if (!o) {
        return;
    }
    double a = fabs(v);
    b->n += num_f64_format(o, v, a != 0 && (a < 1e-6 || a >= 1e21) ? 'e' : 'f');
}

void num_ts_api(struct buf *b, int64_t ms)
{
    uint64_t u = ms < 0 ? (uint64_t)0 - (uint64_t)ms : (uint64_t)ms;
    if (ms < 0) {
        buf_char(b, '-');
    }
    buf_u64(b, u / 1000);
    unsigned rest = (unsigned)(u % 1000);
    if (rest) {
        char text[4] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10), (char)('0' + rest % 10)};
        buf_append(b, text, 4);
    }
}

/* -- parse ----------------------------------------------------------------------------------------------- */

static bool parse_word(struct str s, double *ret_value)
{
    bool negative = s.p[0] == '-';
    struct str w = s.p[0] == '-' || s.p[0] == '+' ? str_slice(s, 1, s.n) : s;
    if (str_ieq(w, STR("inf")) || str_ieq(w, STR("infinity"))) {
        *ret_value = negative ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (w.n == s.n && str_ieq(w, STR("nan"))) {
        *ret_value = (double)NAN;
        return true;
    }
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Scans decimal syntax. False when it is no decimal number. *ret_fast: mantissa and exponent are exact. */
static bool scan_decimal(struct str s, bool *ret_negative, uint64_t *ret_mantissa, int *ret_exp10,
                         bool *ret_fast)
{
    const char *p = s.p, *end = s.p + s.n;
    *ret_negative = *p == '-';
    if (*p == '-' || *p == '+') {
        p++;
    }
    uint64_t m = 0;
    unsigned digits = 0, significant = 0;
    int exp10 = 0;
    bool point = false;
    for (; p < end && (is_digit(*p) || (*p == '.' && !point)); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        digits++;
        if (significant || *p != '0') {
            significant++;
        }
        if (significant <= 19) {
            m = m * 10 + (uint64_t)(*p - '0');
        }
        exp10 -= point;
    }
    if (digits == 0) {
        return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        bool negative = p < end && *p == '-';
        p += p < end && (*p == '-' || *p == '+');
        int e = 0;
        if (p == end) {
            return false;
        }
        for (; p < end && is_digit(*p); p++) {
            e = e < 100000 ? e * 10 + (*p - '0') : e;
        }
        exp10 += negative ? -e : e;
    }
    *ret_mantissa = m;
    *ret_exp10 = exp10;
    *ret_fast = significant <= 19 && m < (UINT64_C(1) << 53) && exp10 >= -POW10_EXACT && exp10 <= POW10_EXACT;
    return p == end;
}

/* 0x, hexadecimal digits with at most one point, p, sign, decimal digits. */
static bool scan_hexadecimal(struct str s)
{
    const char *p = s.p, *end = s.p + s.n;
    p += *p == '-' || *p == '+';
    if (end - p < 4 || p[0] != '0' || (p[1] | 32) != 'x') {
        return false;
    }
    unsigned digits = 0;
    bool point = false;
    for (p += 2; p < end && (is_digit(*p) || ((*p | 32) >= 'a' && (*p | 32) <= 'f') || (*p == '.' && !point));
         p++) {
        point |= *p == '.';
        digits += *p != '.';
    }
    if (digits == 0 || p == end || (*p | 32) != 'p') {
        return false;
    }
    p++;
    p += p < end && (*p == '-' || *p == '+');
    const char *from = p;
    while (p < end && is_digit(*p)) {
        p++;
    }
    return p == end && p > from;
}

static enum err parse_slow(struct str s, double *ret_value)
{
    char stack[PARSE_STACK_BYTES], *text = stack;
    if (s.n >= sizeof(stack)) {
        text = mem_alloc(s.n + 1);
        if (!text) {
            return ERR_OOM;
        }
    }
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    double v = strtod(text, NULL);
    if (text != stack) {
        mem_free(text);
    }
    *ret_value = v;
    return isinf(v) ? ERR_LIMIT : ERR_OK;
}

enum err num_f64_parse(struct str s, double *ret_value)
{
    if (s.n == 0) {
        return ERR_INVALID;
    }
    bool negative, fast;
    uint64_t m;
    int exp10;
    if (scan_decimal(s, &negative, &m, &exp10, &fast)) {
        if (!fast) {
            return parse_slow(s, ret_value);
        }
        double v = (double)m;
        v = exp10 < 0 ? v / pow10_exact[-exp10] : v * pow10_exact[exp10];
        *ret_value = negative ? -v : v;
        return ERR_OK;
    }
    if (parse_word(s, ret_value)) {
        return ERR_OK;
    }
    return scan_hexadecimal(s) ? parse_slow(s, ret_value) : ERR_INVALID;
}

/* Digits at p into *m; at most 19 in all, so that nothing overflows. */
static const char *take_digits(const char *p, const char *end, uint64_t *m)
{
    uint64_t v = *m;
    for (; p < end && is_digit(*p); p++) {
        v = v * 10 + (uint64_t)(*p - '0');
    }
    *m = v;
    return p;
}

static const char *take_exponent(const char *p, const char *end, int *exp10)
{
    uint64_t v = 0;
    bool negative = p < end && *p == '-';
    p += p < end && (*p == '-' || *p == '+');
    const char *from = p, *most = end - p > 4 ? p + 4 : end;
    p = take_digits(p, most, &v);
    *exp10 += negative ? -(int)v : (int)v;
    return p > from && p - from < 4 ? p : NULL;
}

bool num_f64_take(const char **ret_p, const char *end, double *ret_value)
{
    enum {
        DIGITS_MAX = 19
    };
    const char *p = *ret_p;
    bool negative = p < end && *p == '-';
    p += negative;
    const char *from = p, *most = end - p > DIGITS_MAX + 1 ? p + DIGITS_MAX + 1 : end;
    uint64_t m = 0;
    int exp10 = 0, point = 0;
    p = take_digits(p, most, &m);
    if (p < most && *p == '.') {
        const char *fraction = p + 1;
        p = take_digits(fraction, most, &m);
        exp10 = (int)(fraction - p);
        point = 1;
    }
    if (p - from - point <= 0 || p - from - point > DIGITS_MAX || (p < end && (is_digit(*p) || *p == '.'))) {
        return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p = take_exponent(p + 1, end, &exp10);
    }
    if (!p || m >= UINT64_C(1) << 53 || exp10 < -POW10_EXACT || exp10 > POW10_EXACT) {
        return false;
    }
    double v = exp10 < 0 ? (double)m / pow10_exact[-exp10] : (double)m * pow10_exact[exp10];
    *ret_value = negative ? -v : v;
    *ret_p = p;
    return true;
}
