/* Sixteen places at a time, with the instructions of the machine's baseline; elsewhere the library's search.
 */
#include "logs/store/find.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

enum {
    LANES = 16,
    NEON_BITS = 4, /* of its mask for each lane */
};

/* How common a byte is in log text, roughly: the less, the better a probe. */
static unsigned commonness(unsigned char c)
{
    static const char frequent[] = " etaoinsr";
    if (memchr(frequent, c, sizeof(frequent) - 1)) {
        return 6;
    }
    if (c >= '0' && c <= '9') {
        return 5;
    }
    if (c == '"' || c == ':' || c == '-' || c == '=' || c == '/' || c == '.' || c == ',') {
        return 4;
    }
    if (c >= 'a' && c <= 'z') {
        return 3;
    }
    return c >= 'A' && c <= 'Z' ? 2 : 1;
}

void finder_init(struct finder *f, struct str needle)
{
    *f = (struct finder){.needle = needle};
    size_t best = 0, second = needle.n > 1 ? 1 : 0;
    for (size_t i = 1; i < needle.n; i++) {
        if (commonness((unsigned char)needle.p[i]) < commonness((unsigned char)needle.p[best])) {
            second = best;
            best = i;
        } else if (i != second && (second == best || commonness((unsigned char)needle.p[i]) <
                                                         commonness((unsigned char)needle.p[second]))) {
            second = i;
        }
    }
    f->probe[0] = best < second ? best : second;
    f->probe[1] = best < second ? second : best;
}

#if defined(__SSE2__)
typedef __m128i lanes;

static inline lanes lanes_of(char c)
{
    return _mm_set1_epi8(c);
}

/* One bit (or NEON_BITS) set for each place where both bytes fit. */
static inline uint64_t both(const char *a, lanes x, const char *b, lanes y)
{
    lanes p = _mm_loadu_si128((const lanes *)(const void *)a);
    lanes q = _mm_loadu_si128((const lanes *)(const void *)b);
    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_and_si128(_mm_cmpeq_epi8(p, x), _mm_cmpeq_epi8(q, y)));
}

static const unsigned mask_bits = 1;
#elif defined(__ARM_NEON)
typedef uint8x16_t lanes;

static inline lanes lanes_of(char c)
{
    return vdupq_n_u8((uint8_t)c);
}

static inline uint64_t both(const char *a, lanes x, const char *b, lanes y)
{
    lanes p = vld1q_u8((const uint8_t *)a), q = vld1q_u8((const uint8_t *)b);
    uint16x8_t m = vreinterpretq_u16_u8(vandq_u8(vceqq_u8(p, x), vceqq_u8(q, y)));
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(m, NEON_BITS)), 0);
}

static const unsigned mask_bits = NEON_BITS;
#endif

#if defined(__SSE2__) || defined(__ARM_NEON)
size_t finder_next(const struct finder *f, struct str text, size_t from)
{
    size_t n = f->needle.n;
    if (from > text.n || n > text.n - from) {
        return STR_NPOS;
    }
    if (n == 0) {
        return from;
    }
    size_t last = text.n - n; /* the last place a match may begin at */
    lanes x = lanes_of(f->needle.p[f->probe[0]]), y = lanes_of(f->needle.p[f->probe[1]]);
    size_t at = from;
    for (; at + LANES <= last + 1; at += LANES) {
        uint64_t mask = both(text.p + at + f->probe[0], x, text.p + at + f->probe[1], y);
        while (UNLIKELY(mask)) {
            unsigned lane = (unsigned)__builtin_ctzll(mask) / mask_bits;
            if (memcmp(text.p + at + lane, f->needle.p, n) == 0) {
                return at + lane;
            }
            mask &= ~((((uint64_t)1 << mask_bits) - 1) << (lane * mask_bits));
        }
    }
    for (; at <= last; at++) {
        if (text.p[at] == f->needle.p[0] && memcmp(text.p + at, f->needle.p, n) == 0) {
            return at;
        }
    }
    return STR_NPOS;
}
#else
size_t finder_next(const struct finder *f, struct str text, size_t from)
{
    return str_find(text, f->needle, from);
}
#endif
