/* Exponentials, logarithms and powers with the rounding of Go's math package on amd64: the same well-known
 * algorithms (Shibata's exp with fused multiply-add; FreeBSD's log and log1p; square-and-multiply powers;
 * Cephes' hyperbolic functions), the same order of operations. Results equal Prometheus' bit for bit. */
#include "metrics/promql/go_math.h"

#include <string.h>

#include "metrics/model/value.h"

static const double ln2 = 0.693147180559945309417232121458176568;

static double not_a_number(void)
{
    return f64_of_bits(UINT64_C(0x7ff8000000000001)); /* Go's math.NaN() */
}

/* Horner's rule, the leading coefficient first. */
static double poly(double x, const double *c, size_t n)
{
    double v = c[0];
    for (size_t i = 1; i < n; i++) {
        v = v * x + c[i];
    }
    return v;
}

/* -- exp ------------------------------------------------------------------------------------------------- */

/* r * 2^k, rounding twice below the normal range as the original does. */
static double scale(double r, int32_t k)
{
    int32_t biased = k + 0x3ff;
    if (biased >= 0x7ff) {
        return (double)INFINITY;
    }
    if (biased > 0) {
        return r * f64_of_bits((uint64_t)biased << 52);
    }
    return biased < -52 ? 0
                        : r * f64_of_bits((uint64_t)(biased + 0x3fe) << 52) * f64_of_bits(UINT64_C(1) << 52);
}

double go_exp(double x)
{
    static const double taylor[] = {2.4801587301587301587e-5,
                                    1.9841269841269841270e-4,
                                    1.3888888888888888889e-3,
                                    8.3333333333333333333e-3,
                                    4.1666666666666666667e-2,
                                    1.6666666666666666667e-1,
                                    0.5,
                                    1.0};
    if (isnan(x) || isinf(x)) {
        return x < 0 ? 0 : x;
    }
    if (x > 7.09782712893384e+02) {
        return (double)INFINITY;
    }
    double turns = x * 1.4426950408889634073599246810018920;
    if (turns < -2000) {
        return 0;
    }
    double k = nearbyint(turns);
    double r = fma(-k, 0.69314718055966295651160180568695068359375, x);
    r = fma(-k, 0.28235290563031577122588448175013436025525412068e-12, r) * 0.0625;
    double p = taylor[0];
    for (size_t i = 1; i < sizeof(taylor) / sizeof(taylor[0]); i++) {
        p = fma(p, r, taylor[i]);
    }
    r *= p;
    for (int i = 0; i < 3; i++) { /* (1+r)^2 - 1 = r(2+r), four times: 16 = 1 / 0.0625 */
        r *= r + 2;
    }
    return scale(fma(r + 2, r, 1.0), (int32_t)k);
}

/* -- logarithms ------------------------------------------------------------------------------------------ */

static const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;

double go_log(double x)
{
    static const double t1_c[] = {1.479819860511658591e-01, 1.818357216161805012e-01,
                                  2.857142874366239149e-01, 6.666666666666735130e-01};
    static const double t2_c[] = {1.531383769920937332e-01, 2.222219843214978396e-01,
                                  3.999999999940941908e-01};
    if (isnan(x) || x == (double)INFINITY) {
        return x;
    }
    if (x < 0) {
        return not_a_number();
    }
    if (x == 0) {
        return -(double)INFINITY;
    }
    uint64_t bits = f64_bits(x); /* numbers below the normal range are not normalised, as in the original */
    double m = f64_of_bits((bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3fe0000000000000));
    double k = (double)((int)(bits >> 52 & 0x7ff) - 0x3fe);
    if (m < 7.07106781186547524401e-01) {
        m *= 2;
        k -= 1;
    }
    double f = m - 1, s = f / (2 + f), s2 = s * s, s4 = s2 * s2;
    double t1 = s2 * poly(s4, t1_c, 4), t2 = s4 * poly(s4, t2_c, 3);
    double r = t1 + t2, half = 0.5 * f * f;
    return k * ln2_high - ((half - (s * (half + r) + k * ln2_low)) - f);
}

double go_log2(double x)
{
    int exponent;
    double fraction = frexp(x, &exponent);
    if (isnan(x) || isinf(x) || x == 0) {
        exponent = 0;
        fraction = x;
    }
    return fraction == 0.5 ? (double)(exponent - 1) : go_log(fraction) * (1 / ln2) + (double)exponent;
}

double go_log10(double x)
{
    return go_log(x) * 0.43429448190325182765112891891660508; /* 1 / ln 10 */
}

struct log1p_parts {
    double f, c;
    int k;
    bool exact; /* f carries the whole mantissa: its series ends early */
};

/* 1 + x = 2^k * (1 + f), with the rounding error c. */
static struct log1p_parts split_log1p(double x)
{
    struct log1p_parts p = {.k = 1};
    double magnitude = fabs(x), u = x;
    if (magnitude < 9007199254740992.0) {
        u = 1.0 + x;
    }
    uint64_t bits = f64_bits(u);
    p.k = (int)(bits >> 52) - 1023;
    if (magnitude < 9007199254740992.0) {
        p.c = (p.k > 0 ? 1.0 - (u - x) : x - (u - 1.0)) / u;
    }
    bits &= UINT64_C(0x000fffffffffffff);
    if (bits < UINT64_C(0x0006a09e667f3bcd)) {
        u = f64_of_bits(bits | UINT64_C(0x3ff0000000000000));
    } else {
        p.k++;
        u = f64_of_bits(bits | UINT64_C(0x3fe0000000000000));
        bits = (UINT64_C(0x0010000000000000) - bits) >> 2;
    }
    p.exact = bits == 0;
    p.f = u - 1.0;
    return p;
}

double go_log1p(double x)
{
    static const double series[] = {1.479819860511658591e-01, 1.531383769920937332e-01,
                                    1.818357216161805012e-01, 2.222219843214978396e-01,
                                    2.857142874366239149e-01, 3.999999999940941908e-01,
                                    6.666666666666735130e-01};
    double magnitude = fabs(x);
    if (x < -1 || isnan(x)) {
        return not_a_number();
    }
    if (x == -1 || isinf(x)) {
        return x < 0 ? -(double)INFINITY : x;
    }
    if (magnitude < 0x1p-29) {
        return magnitude < 0x1p-54 ? x : x - x * x * 0.5;
    }
    struct log1p_parts p = {.f = x};
    if (!(magnitude < 4.142135623730950488017e-01 && x > -2.928932188134524755992e-01)) {
        p = split_log1p(x);
    }
    double k = (double)p.k, half = 0.5 * p.f * p.f;
    if (p.exact) {
        if (p.f == 0) {
            return p.k == 0 ? 0 : k * ln2_high + (p.c + k * ln2_low);
        }
        double r = half * (1.0 - 0.66666666666666666 * p.f);
        return p.k == 0 ? p.f - r : k * ln2_high - ((r - (k * ln2_low + p.c)) - p.f);
    }
    double s = p.f / (2.0 + p.f), z = s * s, r = z * poly(z, series, 7);
    if (p.k == 0) {
        return p.f - (half - s * (half + r));
    }
    return k * ln2_high - ((half - (s * (half + r) + (k * ln2_low + p.c))) - p.f);
}

/* -- powers ---------------------------------------------------------------------------------------------- */

static bool is_odd(double v)
{
    double whole;
    return fabs(v) < 9007199254740992.0 && modf(v, &whole) == 0 && ((int64_t)whole & 1) == 1;
}

/* The cases without arithmetic. */
static bool special_pow(double x, double y, double *ret_v)
{
    if (y == 0 || x == 1) {
        *ret_v = 1;
    } else if (y == 1) {
        *ret_v = x;
    } else if (isnan(x) || isnan(y)) {
        *ret_v = not_a_number();
    } else if (x == 0) {
        bool odd = is_odd(y);
        *ret_v = y < 0               ? (signbit(x) && odd ? -(double)INFINITY : (double)INFINITY)
                 : signbit(x) && odd ? x
                                     : 0;
    } else if (isinf(y)) {
        *ret_v = x == -1 ? 1 : (fabs(x) < 1) == (y > 0) ? 0 : (double)INFINITY;
    } else if (isinf(x)) {
        *ret_v = x < 0 ? go_pow(1 / x, -y) : y < 0 ? 0 : (double)INFINITY;
    } else if (y == 0.5 || y == -0.5) {
        *ret_v = y > 0 ? sqrt(x) : 1 / sqrt(x);
    } else {
        return false;
    }
    return true;
}

double go_pow(double x, double y)
{
    double v, whole, fraction = modf(fabs(y), &whole), mantissa = 1;
    int64_t exponent = 0;
    int e;
    if (special_pow(x, y, &v)) {
        return v;
    }
    if (fraction != 0 && x < 0) {
        return not_a_number();
    }
    if (whole >= 9223372036854775808.0) {
        return x == -1 ? 1 : (fabs(x) < 1) == (y > 0) ? 0 : (double)INFINITY;
    }
    if (fraction != 0) {
        if (fraction > 0.5) {
            fraction -= 1;
            whole += 1;
        }
        mantissa = go_exp(fraction * go_log(x));
    }
    double square = frexp(x, &e);
    int64_t square_exponent = e;
    for (int64_t i = (int64_t)whole; i != 0; i >>= 1) {
        if (square_exponent < -4096 || square_exponent > 4096) { /* certain to leave the range */
            exponent += square_exponent;
            break;
        }
        if (i & 1) {
            mantissa *= square;
            exponent += square_exponent;
        }
        square *= square;
        square_exponent *= 2;
        if (square < .5) {
            square += square;
            square_exponent--;
        }
    }
    if (y < 0) {
        mantissa = 1 / mantissa;
        exponent = -exponent;
    }
    return ldexp(mantissa, (int)exponent);
}

/* -- hyperbolic ------------------------------------------------------------------------------------------ */

double go_sinh(double x)
{
    static const double p[] = {-0.2630563213397497062819489e+2, -0.2894211355989563807284660366e+4,
                               -0.8991272022039509355398013511e+5, -0.6307673640497716991184787251e+6};
    static const double q[] = {1, -0.173678953558233699533450911e+3, 0.1521517378790019070696485176e+5,
                               -0.6307673640497716991212077277e+6};
    double a = x < 0 ? -x : x, v;
    if (a > 21) {
        v = go_exp(a) * 0.5;
    } else if (a > 0.5) {
        double e = go_exp(a);
        v = (e - 1 / e) * 0.5;
    } else {
        double square = a * a;
        v = poly(square, p, 4) * a / poly(square, q, 4);
    }
    return x < 0 ? -v : v;
}

double go_cosh(double x)
{
    double a = fabs(x), e = go_exp(a);
    return a > 21 ? e * 0.5 : (e + 1 / e) * 0.5;
}

double go_tanh(double x)
{
    static const double p[] = {-9.64399179425052238628e-1, -9.92877231001918586564e1,
                               -1.61468768441708447952e3};
    static const double q[] = {1, 1.12811678491632931402e2, 2.23548839060100448583e3,
                               4.84406305325125486048e3};
    double a = fabs(x);
    if (a > 0.5 * 8.8029691931113054295988e+01) {
        return x < 0 ? -1 : 1;
    }
    if (a >= 0.625) {
        double v = 1 - 2 / (go_exp(2 * a) + 1);
        return x < 0 ? -v : v;
    }
    double s = x * x;
    return x == 0 ? x : x + x * s * poly(s, p, 3) / poly(s, q, 4);
}

double go_asinh(double x)
{
    double a = x < 0 ? -x : x, v;
    if (isnan(x) || isinf(x)) {
        return x;
    }
    if (a > 0x1p28) {
        v = go_log(a) + 6.93147180559945286227e-01;
    } else if (a > 2) {
        v = go_log(2 * a + 1 / (sqrt(a * a + 1) + a));
    } else if (a < 0x1p-28) {
        v = a;
    } else {
        v = go_log1p(a + a * a / (1 + sqrt(1 + a * a)));
    }
    return x < 0 ? -v : v;
}

double go_acosh(double x)
{
    if (x < 1 || isnan(x)) {
        return not_a_number();
    }
    if (x == 1) {
        return 0;
    }
    if (x >= 0x1p28) {
        return go_log(x) + ln2;
    }
    if (x > 2) {
        return go_log(2 * x - 1 / (x + sqrt(x * x - 1)));
    }
    double t = x - 1;
    return go_log1p(t + sqrt(2 * t + t * t));
}

double go_atanh(double x)
{
    double a = x < 0 ? -x : x, v;
    if (!(a <= 1)) {
        return not_a_number();
    }
    if (a == 1) {
        return x < 0 ? -(double)INFINITY : (double)INFINITY;
    }
    if (a < 0x1p-28) {
        v = a;
    } else if (a < 0.5) {
        v = a + a;
        v = 0.5 * go_log1p(v + v * a / (1 - a));
    } else {
        v = 0.5 * go_log1p((a + a) / (1 - a));
    }
    return x < 0 ? -v : v;
}
