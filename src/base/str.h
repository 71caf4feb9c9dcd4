/* Strings are a pointer and a length, borrowed unless a name says otherwise. They may hold any byte, NUL
 * included, and need no terminator; an empty one may have p == NULL. Pure functions, any thread. */
#ifndef CAIRN_BASE_STR_H
#define CAIRN_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/err.h"

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_INIT(literal)               \
    {                                   \
        "" literal, sizeof(literal) - 1 \
    }
/* For printf: "%.*s", STR_FMT(s) */
#define STR_FMT(s) (int)(s).n, (s).p ? (s).p : ""
#define STR_NPOS SIZE_MAX

static inline struct str str_of(const char *p, size_t n)
{
    return (struct str){p, n};
}

/* View of a C string; NULL gives the empty string. */
static inline struct str str_c(const char *c)
{
    return (struct str){c, c ? strlen(c) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_eq_c(struct str a, const char *c)
{
    return str_eq(a, str_c(c));
}

/* Byte order, shorter first on a common prefix: Go's string order. */
static inline int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static inline struct str str_slice(struct str s, size_t from, size_t to)
{
    return (struct str){s.p + from, to - from};
}

bool str_ieq(struct str a, struct str b); /* ASCII case-insensitive */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Byte offset of the first match at or after `from`, or STR_NPOS. */
size_t str_find(struct str s, struct str needle, size_t from);
size_t str_find_char(struct str s, char c, size_t from);
struct str str_trim(struct str s); /* ASCII white space at both ends */
/* Cuts the part before the first `sep` off *rest and returns it; *rest is after the separator. With no
 * separator the whole is returned and *rest becomes empty with p == NULL, which ends a loop:
 *   while (rest.p) { part = str_cut(&rest, ','); ... } */
struct str str_cut(struct str *rest, char sep);

/* Whole-string decimal integers with optional sign. Errors: INVALID for anything else or overflow. */
MUST_USE enum err str_to_i64(struct str s, int64_t *ret_value);
MUST_USE enum err str_to_u64(struct str s, uint64_t *ret_value);

/* True for well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). */
bool str_utf8_valid(struct str s);
/* Writes the code point (at most U+10FFFF) as UTF-8 and returns how many bytes that took, 1 to 4. */
size_t utf8_put(char *out, uint32_t code);

/* Of `n` candidates, the one nearest to `word` by edit distance, or NULL when none is near enough to be
 * a likely typing slip. For "did you mean ...?". */
const char *str_nearest(struct str word, const char *const *candidates, size_t n);

#endif
