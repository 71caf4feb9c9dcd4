/* Unpacking for processors with AVX-512 and its byte permutations: eight values at a time, from their bits to
 * doubles in registers. The operations of each value are those of the plain way. Empty for other kinds. */
#include "metrics/tsdb/integers.h"

#if defined(__AVX512F__) && defined(__AVX512VBMI__)
#include <immintrin.h>

#include "metrics/tsdb/bits.h"

enum {
    LANES = 8,
    GROUP = 32,
    WIDTH_BITS = 6,
    WIDTH_MAX = 60,
    SIMPLE_MAX = 56 /* a value of so many bits lies in the eight bytes from its first on */
};

bool integers_v4_runs(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("bmi2");
}

/* Where eight values of one width begin in 64 bytes, and how far into their first byte. */
struct spread {
    __m512i bytes, shift;
    __m128i down;
};

static inline void spread_of(struct spread *s, size_t pos, unsigned width)
{
    const __m512i lane = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    __m512i at = _mm512_add_epi64(_mm512_mullo_epi64(lane, _mm512_set1_epi64(width)),
                                  _mm512_set1_epi64((long long)(pos & 7)));
    __m512i first = _mm512_mullo_epi64(_mm512_srli_epi64(at, 3), _mm512_set1_epi64(0x0101010101010101));
    s->bytes = _mm512_add_epi8(first, _mm512_set1_epi64(0x0001020304050607));
    s->shift = _mm512_and_si512(at, _mm512_set1_epi64(7));
    s->down = _mm_cvtsi32_si128(64 - (int)width);
}

static inline __m512i take(const struct spread *s, const uint8_t *p, size_t left)
{
    __mmask64 there = left >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1;
    __m512i x = _mm512_permutexvar_epi8(s->bytes, _mm512_maskz_loadu_epi8(there, p));
    return _mm512_srl_epi64(_mm512_sllv_epi64(x, s->shift), s->down);
}

static __m512i take_wide(struct bit_reader *b, unsigned width, size_t n)
{
    uint64_t v[LANES] = {0};
    for (size_t i = 0; i < n; i++) {
        v[i] = bits_get(b, width);
    }
    return _mm512_loadu_si512(v);
}

/* Running sums that go on from `before`, which becomes the last of them. */
static inline __m512i running(__m512i x, __m512i *before)
{
    const __m512i none = _mm512_setzero_si512();
    x = _mm512_add_epi64(x, _mm512_alignr_epi64(x, none, 7));
    x = _mm512_add_epi64(x, _mm512_alignr_epi64(x, none, 6));
    x = _mm512_add_epi64(x, _mm512_alignr_epi64(x, none, 4));
    x = _mm512_add_epi64(x, *before);
    *before = _mm512_permutexvar_epi64(_mm512_set1_epi64(7), x);
    return x;
}

/* What has been summed up so far. */
struct sums {
    __m512i value, slope;
    unsigned order;
};

static inline void put(struct sums *s, __m512i x, __m512d power, size_t n, value_bits *v)
{
    if (s->order == 2) {
        x = running(x, &s->slope);
    }
    if (s->order) {
        x = running(x, &s->value);
    }
    __m512d out = _mm512_div_pd(_mm512_cvtepi64_pd(x), power);
    unsigned there = n >= LANES ? 0xffu : (1u << n) - 1;
    _mm512_mask_storeu_pd(v, (__mmask8)there, out);
}

static void put_group(struct sums *s, const struct integers_packed *in, struct bit_reader *b, unsigned width,
                      size_t count, value_bits *v)
{
    const __m512i min = _mm512_set1_epi64((long long)in->min);
    const __m512d power = _mm512_set1_pd(in->power);
    struct spread spread;
    spread_of(&spread, b->pos, width ? width : 1);
    for (size_t i = 0; i < count; i += LANES) {
        size_t n = count - i < LANES ? count - i : LANES;
        __m512i x = _mm512_setzero_si512();
        if (width > SIMPLE_MAX) {
            x = take_wide(b, width, n);
        } else if (width) {
            x = take(&spread, in->p + (b->pos >> 3), in->n_bytes - (b->pos >> 3));
            b->pos += n * width; /* eight times any width: the place in a byte stays */
        }
        put(s, _mm512_add_epi64(x, min), power, n, v + i);
    }
}

enum err integers_unpack_v4(const struct integers_packed *in, size_t n, value_bits *v)
{
    struct bit_reader b = {.p = in->p, .n_bytes = in->n_bytes};
    struct sums s = {.value = _mm512_setzero_si512(), .slope = _mm512_setzero_si512(), .order = in->order};
    uint64_t head[2] = {in->order ? v[0] : 0, in->order == 2 ? v[0] + v[1] : 0};
    if (in->order) {
        s.value = _mm512_set1_epi64((long long)head[in->order - 1]);
        s.slope = _mm512_set1_epi64((long long)(in->order == 2 ? v[1] : 0));
    }
    for (size_t g = in->order; g < n; g += GROUP) {
        size_t count = n - g < GROUP ? n - g : GROUP;
        unsigned width = (unsigned)bits_get(&b, WIDTH_BITS);
        if (b.bad || width > WIDTH_MAX || count * width > in->n_bytes * 8 - b.pos) {
            return ERR_CORRUPT;
        }
        put_group(&s, in, &b, width, count, v + g);
    }
    for (unsigned k = 0; k < in->order; k++) {
        double x = (double)(int64_t)head[k] / in->power;
        memcpy(&v[k], &x, sizeof(x));
    }
    return ERR_OK;
}
#elif defined(__x86_64__)
bool integers_v4_runs(void)
{
    return false;
}

enum err integers_unpack_v4(const struct integers_packed *in, size_t n, value_bits *v)
{
    (void)in;
    (void)n;
    (void)v;
    return ERR_CORRUPT;
}
#else
typedef int integers_v4_is_empty; /* a translation unit has a declaration */
#endif
