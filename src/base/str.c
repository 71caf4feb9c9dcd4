/* String helpers without allocation. */
#include "base/str.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_ieq(struct str a, struct str b)
{
    if (a.n != b.n) {
        return false;
    }
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i])) {
            return false;
        }
    }
    return true;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

size_t str_find(struct str s, struct str needle, size_t from)
{
    if (from > s.n || needle.n > s.n - from) {
        return STR_NPOS;
    }
    if (needle.n == 0) {
        return from;
    }
    const char *hit = memmem(s.p + from, s.n - from, needle.p, needle.n);
    return hit ? (size_t)(hit - s.p) : STR_NPOS;
}

size_t str_find_char(struct str s, char c, size_t from)
{
    if (from >= s.n) {
        return STR_NPOS;
    }
    const char *hit = memchr(s.p + from, c, s.n - from);
    return hit ? (size_t)(hit - s.p) : STR_NPOS;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
    while (s.n && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_space(s.p[s.n - 1])) {
        s.n--;
    }
    return s;
}

struct str str_cut(struct str *rest, char sep)
{
    size_t at = str_find_char(*rest, sep, 0);
    if (at == STR_NPOS) {
        struct str whole = *rest;
        *rest = (struct str){0};
        return whole;
    }
    struct str part = str_slice(*rest, 0, at);
    *rest = str_slice(*rest, at + 1, rest->n);
    return part;
}

enum err str_to_u64(struct str s, uint64_t *ret_value)
{
    if (s.n && s.p[0] == '+') {
        s = str_slice(s, 1, s.n);
    }
    if (s.n == 0) {
        return ERR_INVALID;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v)) {
            return ERR_INVALID;
        }
    }
    *ret_value = v;
    return ERR_OK;
}

enum err str_to_i64(struct str s, int64_t *ret_value)
{
    bool negative = s.n && s.p[0] == '-';
    if (negative) {
        s = str_slice(s, 1, s.n);
        if (s.n && s.p[0] == '+') {
            return ERR_INVALID;
        }
    }
    uint64_t v;
    if (str_to_u64(s, &v) != ERR_OK || v > (uint64_t)INT64_MAX + (negative ? 1 : 0)) {
        return ERR_INVALID;
    }
    *ret_value = negative ? (int64_t)(0 - v) : (int64_t)v;
    return ERR_OK;
}

/* Length of the well-formed sequence at p, or 0. Ranges from the Unicode standard, table 3-7. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80) {
        return 1;
    }
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < len) {
        return 0;
    }
    unsigned char lo = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char hi = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < lo || p[1] > hi) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

size_t utf8_put(char *out, uint32_t code)
{
    size_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(first[more] | code >> 6 * more);
    for (size_t i = 1; i <= more; i++) {
        out[i] = (char)(0x80 | (code >> 6 * (more - i) & 63));
    }
    return more + 1;
}

bool str_utf8_valid(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    while (i < s.n) {
        uint64_t word;
        if (s.n - i >= sizeof(word)) {
            memcpy(&word, p + i, sizeof(word));
            if ((word & 0x8080808080808080u) == 0) {
                i += sizeof(word);
                continue;
            }
        }
        if (p[i] < 0x80) { /* short and plain: most names and values */
            i++;
            continue;
        }
        size_t len = utf8_sequence(p + i, s.n - i);
        if (len == 0) {
            return false;
        }
        i += len;
    }
    return true;
}

enum {
    NEAREST_WORD_MAX = 64
};

/* Levenshtein distance with a swap of neighbours counted once; both words at most NEAREST_WORD_MAX. */
static unsigned edit_distance(struct str a, struct str b)
{
    unsigned rows[3][NEAREST_WORD_MAX + 1];
    for (unsigned j = 0; j <= b.n; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a.n; i++) {
        unsigned *cur = rows[i % 3], *prev = rows[(i + 2) % 3];
        const unsigned *prev2 = rows[(i + 1) % 3];
        cur[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            unsigned cost = lower(a.p[i - 1]) != lower(b.p[j - 1]);
            unsigned best = prev[j - 1] + cost;
            best = prev[j] + 1 < best ? prev[j] + 1 : best;
            best = cur[j - 1] + 1 < best ? cur[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
                prev2[j - 2] + 1 < best) {
                best = prev2[j - 2] + 1;
            }
            cur[j] = best;
        }
    }
    return rows[a.n % 3][b.n];
}

const char *str_nearest(struct str word, const char *const *candidates, size_t n)
{
    const char *best = NULL;
    unsigned best_distance = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        struct str c = str_c(candidates[i]);
        if (c.n > NEAREST_WORD_MAX || word.n > NEAREST_WORD_MAX) {
            continue;
        }
        unsigned d = edit_distance(word, c);
        size_t longer = c.n > word.n ? c.n : word.n;
        if (d < best_distance && d <= 1 + longer / 4) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}
