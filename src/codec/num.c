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

/* Digits without trailing zeros; the value is 0.DIGITS * 10^exp10. What stands behind the n digits is
 * readable, so that they can be copied in pieces of a fixed length. */
struct decimal {
    char digits[2 * 24];
    size_t n;
    int exp10;
};

/* Eight decimal digits, the first in the lowest byte: halves, quarters, digits, several at a time. */
static uint64_t eight_digits(uint32_t v)
{
    uint64_t fours = v / 10000 | (uint64_t)(v % 10000) << 32;
    uint64_t hundreds = (fours * 10486 >> 20) & 0x0000007f0000007f;
    uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
    uint64_t tens = (twos * 103 >> 10) & 0x000f000f000f000f;
    return tens | (twos - tens * 10) << 8;
}

/* r * 10^exp10, r > 0. */
static void decimal_of(uint64_t r, int exp10, struct decimal *d)
{
    enum {
        PART = 100000000
    };
    const uint64_t zeros = 0x3030303030303030;
    uint64_t low = r % PART, high = r / PART % PART, top = r / PART / PART;
    uint64_t parts[6] = {top ? eight_digits((uint32_t)top) : 0, eight_digits((uint32_t)high),
                         eight_digits((uint32_t)low)};
    size_t from = 0, last = 2;
    while (parts[from] == 0) {
        from++;
    }
    while (parts[last] == 0) {
        last--;
    }
    size_t first = from * 8 + ((size_t)__builtin_ctzll(parts[from]) >> 3);
    size_t end = last * 8 + 8 - ((size_t)__builtin_clzll(parts[last]) >> 3);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        parts[i] |= zeros;
    }
    memcpy(d->digits, (const char *)parts + first, 24);
    memset(d->digits + 24, '0', 24);
    d->n = end - first;
    d->exp10 = 24 - (int)first + exp10;
}

/* Whole numbers and thousandths below 10^15: their digits are the shortest, and unique. */
static bool short_decimal(double v, struct decimal *d)
{
    if (v >= 1e12 || v < 1e-3) {
        if (v >= 1e12 && v < 1e15 && (double)(uint64_t)v == v) {
            decimal_of((uint64_t)v, 0, d);
            return true;
        }
        return false;
    }
    uint64_t r = (uint64_t)v;
    if ((double)r == v) {
        decimal_of(r, 0, d);
        return true;
    }
    r = (uint64_t)(v * 1000 + 0.5);
    if ((double)r / 1000 != v) {
        return false;
    }
    decimal_of(r, -3, d);
    return true;
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

/* v > 0, finite. */
static void decimal_find(double v, struct decimal *d)
{
    if (short_decimal(v, d)) {
        return;
    }
    uint64_t bits, fraction;
    memcpy(&bits, &v, sizeof(bits));
    fraction = bits & (((uint64_t)1 << 52) - 1);
    int exponent = (int)(bits >> 52 & 2047), k;
    uint64_t c = exponent ? fraction | (uint64_t)1 << 52 : fraction;
    uint64_t digits = shortest(c, (exponent ? exponent : 1) - 1075, fraction == 0 && exponent > 1, &k);
    decimal_of(digits, k, d);
}

size_t num_f64_digits(double v, char digits[17], int *ret_exp10)
{
    struct decimal d;
    decimal_find(v, &d);
    memcpy(digits, d.digits, d.n);
    *ret_exp10 = d.exp10;
    return d.n;
}

/* -- format ---------------------------------------------------------------------------------------------- */

static size_t put_plain(char *out, const struct decimal *d)
{
    size_t n = d->n;
    if (d->exp10 <= 0) {
        size_t zeros = (size_t)-d->exp10;
        memcpy(out, "0.000000", 8);
        if (zeros > 6) {
            memset(out + 2, '0', zeros);
        }
        memcpy(out + 2 + zeros, d->digits, 24);
        return 2 + zeros + n;
    }
    size_t whole = (size_t)d->exp10;
    memcpy(out, d->digits, 24);
    if (n <= whole) {
        if (whole > 24) {
            memset(out + 24, '0', whole - 24);
        }
        return whole;
    }
    out[whole] = '.';
    memcpy(out + whole + 1, d->digits + whole, 24);
    return n + 1;
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
    struct decimal d;
    decimal_find(v, &d);
    bool plain = fmt == 'f' || (fmt == 'g' && d.exp10 - 1 >= -4 && d.exp10 - 1 < 6);
    return (size_t)(o - out) + (plain ? put_plain(o, &d) : put_exponent(o, d.digits, d.n, d.exp10));
}

size_t num_f64_fixed(char out[NUM_F64_BYTES_MAX], double v, unsigned places)
{
    if (!isfinite(v)) {
        return put_special(out, v);
    }
    int n = snprintf(out, NUM_F64_BYTES_MAX, "%.*f", (int)(places > 20 ? 20 : places), v);
    return n < 0 ? 0 : (size_t)n;
}

size_t num_f64_api_format(char out[NUM_F64_BYTES_MAX], double v)
{
    double a = fabs(v);
    return num_f64_format(out, v, a != 0 && (a < 1e-6 || a >= 1e21) ? 'e' : 'f');
}

void num_f64_api(struct buf *b, double v)
{
    char *o = buf_tail(b, NUM_F64_BYTES_MAX);
    if (o) {
        b->n += num_f64_api_format(o, v);
    }
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
