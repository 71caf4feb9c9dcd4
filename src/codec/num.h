/* Numbers to text and back, as Go's strconv does them: what Prometheus and Loki print and accept.
 *
 * Pure functions, any thread, independent of the locale. */
#ifndef CAIRN_CODEC_NUM_H
#define CAIRN_CODEC_NUM_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
    NUM_F64_BYTES_MAX = 400, /* the longest 'f' form: sign, 309 digits; or 0. and 324 places */
    NUM_API_BYTES_MAX = 32
};

/* The shortest decimal digits that read back as v: digits without a point in `digits` (at most 17), value
 * 0.d1d2d3... * 10^*ret_exp10. v is finite and positive. Returns the number of digits. */
size_t num_f64_digits(double v, char digits[17], int *ret_exp10);

/* strconv.FormatFloat(v, fmt, -1, 64): fmt 'f', 'e' or 'g' ('g' switches to an exponent below -4 and from
 * 6). NaN, +Inf, -Inf. Returns the number of bytes written, no NUL. */
size_t num_f64_format(char out[NUM_F64_BYTES_MAX], double v, char fmt);
/* FormatFloat(v, 'f', places, 64), places at most 20. */
size_t num_f64_fixed(char out[NUM_F64_BYTES_MAX], double v, unsigned places);
/* A sample value in the JSON of both APIs: 'f', but 'e' below 1e-6 and from 1e21. Without quotes. */
void num_f64_api(struct buf *b, double v);
/* The same into memory; of what it writes, at most NUM_API_BYTES_MAX count. */
size_t num_f64_api_format(char out[NUM_F64_BYTES_MAX], double v);
/* A timestamp in the JSON of the Prometheus API: seconds with at most three places (1435781451.781, 1). */
void num_ts_api(struct buf *b, int64_t ms);

/* strconv.ParseFloat(s, 64) on the whole string: decimal, hexadecimal (0x1p-2), underscores refused, inf,
 * infinity, nan in any case with sign. Errors: INVALID (syntax), LIMIT (out of range; *ret_value is then
 * +-Inf). */
MUST_USE enum err num_f64_parse(struct str s, double *ret_value);
/* The plain decimal number that begins at *p and ends before the first byte that cannot belong to it; *p then
 * stands there. False, with nothing changed: there is none, or reading it exactly takes num_f64_parse. */
MUST_USE bool num_f64_take(const char **p, const char *end, double *ret_value);

#endif
