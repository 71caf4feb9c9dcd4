/* Trigonometric functions with the rounding of Go's math package: the algorithms of the Cephes library, and
 * for huge arguments the reduction of Ng. Results equal Prometheus' bit for bit. */
#include "metrics/model/value.h"
#include "metrics/promql/go_math.h"

static double not_a_number(void)
{
    return f64_of_bits(UINT64_C(0x7ff8000000000001));
}

static double poly(double x, const double *c, size_t n)
{
    double v = c[0];
    for (size_t i = 1; i < n; i++) {
        v = v * x + c[i];
    }
    return v;
}

/* -- reduction to an octant ------------------------------------------------------------------------------ */

/* The binary digits of 4/pi, 64 at a time: enough for the largest exponent. */
static const uint64_t four_over_pi[] = {
    UINT64_C(0x0000000000000001), UINT64_C(0x45f306dc9c882a53), UINT64_C(0xf84eafa3ea69bb81),
    UINT64_C(0xb6c52b3278872083), UINT64_C(0xfca2c757bd778ac3), UINT64_C(0x6e48dc74849ba5c0),
    UINT64_C(0x0c925dd413a32439), UINT64_C(0xfc3bd63962534e7d), UINT64_C(0xd1046bea5d768909),
    UINT64_C(0xd338e04d68befc82), UINT64_C(0x7323ac7306a673e9), UINT64_C(0x3908bf177bf25076),
    UINT64_C(0x3ff12fffbc0b301f), UINT64_C(0xde5e2316b414da3e), UINT64_C(0xda6cfd9e4f96136e),
    UINT64_C(0x9e8c7ecd3cbfd45a), UINT64_C(0xea4f758fd7cbe2f6), UINT64_C(0x7a0e73ef14a525d4),
    UINT64_C(0xd7f6bf623f1aba10), UINT64_C(0xac06608df8f6d757)};

static uint64_t mul_high(uint64_t a, uint64_t b, uint64_t *ret_low)
{
    __extension__ typedef unsigned __int128 wide;
    wide p = (wide)a * b;
    *ret_low = (uint64_t)p;
    return (uint64_t)(p >> 64);
}

static uint64_t digit_at(unsigned digit, unsigned shift)
{
    return four_over_pi[digit] << shift | (shift ? four_over_pi[digit + 1] >> (64 - shift) : 0);
}

static uint64_t reduce_huge(double x, double *ret_z)
{
    uint64_t bits = f64_bits(x), unused, z1_low, z2_high, z1_high;
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023 - 52;
    uint64_t mantissa = (bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x0010000000000000);
    unsigned digit = (unsigned)(exponent + 61) / 64, shift = (unsigned)(exponent + 61) % 64;
    z2_high = mul_high(digit_at(digit + 2, shift), mantissa, &unused);
    z1_high = mul_high(digit_at(digit + 1, shift), mantissa, &z1_low);
    uint64_t low = z1_low + z2_high;
    uint64_t high = digit_at(digit, shift) * mantissa + z1_high + (low < z1_low);
    uint64_t octant = high >> 61;
    high = high << 3 | low >> 61;
    unsigned zeros = high ? (unsigned)__builtin_clzll(high) : 64;
    uint64_t e = 1023 - (zeros + 1);
    high = (zeros < 63 ? high << (zeros + 1) : 0) | low >> (64 - (zeros + 1));
    double z = f64_of_bits(high >> 12 | e << 52);
    if (octant & 1) {
        octant = (octant + 1) & 7;
        z -= 1;
    }
    *ret_z = z * (M_PI / 4);
    return octant;
}

/* x >= 0 is octant * pi/4 + *ret_z with an even octant. */
static uint64_t reduce(double x, double *ret_z)
{
    if (x >= 0x1p29) {
        return reduce_huge(x, ret_z);
    }
    uint64_t octant = (uint64_t)(x * (4 / M_PI));
    octant += octant & 1;
    double y = (double)octant;
    *ret_z = ((x - y * 7.85398125648498535156e-1) - y * 3.77489470793079817668e-8) -
             y * 2.69515142907905952645e-15;
    return octant;
}

/* -- sine, cosine, tangent ------------------------------------------------------------------------------- */

static double sine_series(double z)
{
    static const double c[] = {1.58962301576546568060e-10, -2.50507477628578072866e-8,
                               2.75573136213857245213e-6,  -1.98412698295895385996e-4,
                               8.33333333332211858878e-3,  -1.66666666666666307295e-1};
    double square = z * z;
    return z + z * square * poly(square, c, 6);
}

static double cosine_series(double z)
{
    static const double c[] = {-1.13585365213876817300e-11, 2.08757008419747316778e-9,
                               -2.75573141792967388112e-7,  2.48015872888517045348e-5,
                               -1.38888888888730564116e-3,  4.16666666666665929218e-2};
    double square = z * z;
    return 1.0 - 0.5 * square + square * square * poly(square, c, 6);
}

double go_sin(double x)
{
    double z;
    if (x == 0 || isnan(x) || isinf(x)) {
        return isinf(x) ? not_a_number() : x;
    }
    uint64_t octant = reduce(fabs(x), &z) & 7;
    bool negative = (x < 0) != (octant > 3);
    octant &= 3;
    double y = octant == 1 || octant == 2 ? cosine_series(z) : sine_series(z);
    return negative ? -y : y;
}

double go_cos(double x)
{
    double z;
    if (isnan(x) || isinf(x)) {
        return not_a_number();
    }
    uint64_t octant = reduce(fabs(x), &z) & 7;
    bool negative = octant > 3;
    octant &= 3;
    negative = negative != (octant > 1);
    double y = octant == 1 || octant == 2 ? sine_series(z) : cosine_series(z);
    return negative ? -y : y;
}

double go_tan(double x)
{
    static const double p[] = {-1.30936939181383777646e4, 1.15351664838587416140e6,
                               -1.79565251976484877988e7};
    static const double q[] = {1, 1.36812963470692954678e4, -1.32089234440210967447e6,
                               2.50083801823357915839e7, -5.38695755929454629881e7};
    double z;
    if (x == 0 || isnan(x) || isinf(x)) {
        return isinf(x) ? not_a_number() : x;
    }
    uint64_t octant = reduce(fabs(x), &z);
    double square = z * z, y = z;
    if (square > 1e-14) {
        y = z + z * (square * poly(square, p, 3) / poly(square, q, 5));
    }
    y = octant & 2 ? -1 / y : y;
    return x < 0 ? -y : y;
}

/* -- inverse --------------------------------------------------------------------------------------------- */

static double arctan_series(double x)
{
    static const double p[] = {-8.750608600031904122785e-01, -1.615753718733365076637e+01,
                               -7.500855792314704667340e+01, -1.228866684490136173410e+02,
                               -6.485021904942025371773e+01};
    static const double q[] = {1,
                               2.485846490142306297962e+01,
                               1.650270098316988542046e+02,
                               4.328810604912902668951e+02,
                               4.853903996359136964868e+02,
                               1.945506571482613964425e+02};
    double z = x * x;
    z = z * poly(z, p, 5) / poly(z, q, 6);
    return x * z + x;
}

/* Of a positive number. */
static double arctan_positive(double x)
{
    static const double more_bits = 6.123233995736765886130e-17;
    if (x <= 0.66) {
        return arctan_series(x);
    }
    if (x > 2.41421356237309504880) {
        return M_PI / 2 - arctan_series(1 / x) + more_bits;
    }
    return M_PI / 4 + arctan_series((x - 1) / (x + 1)) + 0.5 * more_bits;
}

double go_atan(double x)
{
    if (x == 0) {
        return x;
    }
    return x > 0 ? arctan_positive(x) : -arctan_positive(-x);
}

double go_asin(double x)
{
    double a = x < 0 ? -x : x;
    if (x == 0) {
        return x;
    }
    if (a > 1) {
        return not_a_number();
    }
    double root = sqrt(1 - a * a);
    double v = a > 0.7 ? M_PI / 2 - arctan_positive(root / a) : arctan_positive(a / root);
    return x < 0 ? -v : v;
}

double go_acos(double x)
{
    return M_PI / 2 - go_asin(x);
}

double go_atan2(double y, double x)
{
    if (isnan(y) || isnan(x)) {
        return not_a_number();
    }
    if (y == 0) {
        return copysign(x >= 0 && !signbit(x) ? 0 : M_PI, y);
    }
    if (x == 0) {
        return copysign(M_PI / 2, y);
    }
    if (isinf(x)) {
        return copysign(x > 0 ? (isinf(y) ? M_PI / 4 : 0) : isinf(y) ? 3 * M_PI / 4 : M_PI, y);
    }
    if (isinf(y)) {
        return copysign(M_PI / 2, y);
    }
    double q = go_atan(y / x);
    if (x >= 0) {
        return q;
    }
    return q <= 0 ? q + M_PI : q - M_PI;
}
