/* Scores of the search API, as Prometheus gives them: the same numbers, so that clients sort alike. */
#include "api/prom/fuzzy.h"

#include <math.h>

enum {
    WINKLER_PREFIX_MAX = 4
};

/* Below 1, so that only an exact match has 1 however the score is rounded. */
static const double inexact_scale = 0.999;
static const double winkler_boost = 0.1;
/* A match at the very end still scores a tenth. */
static const double position_weight = 0.9;

/* -- text ------------------------------------------------------------------------------------------------ */

/* Lower case of ASCII, Latin-1, Greek and Cyrillic. */
static uint32_t lower(uint32_t c)
{
    bool apart_by_32 = (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
                       (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) || (c >= 0x410 && c <= 0x42f);
    return apart_by_32 ? c + 32 : c >= 0x400 && c <= 0x40f ? c + 80 : c;
}

/* One code point at *at; a byte that begins none is U+FFFD. */
static uint32_t next_char(struct str s, size_t *at)
{
    unsigned char b = (unsigned char)s.p[(*at)++];
    unsigned more = b < 0xc0 ? 0 : b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3;
    if (b < 0x80) {
        return b;
    }
    if (more == 0 || *at + more > s.n) {
        return 0xfffd;
    }
    uint32_t c = b & (0x3fU >> more);
    for (; more; more--) {
        c = c << 6 | ((unsigned char)s.p[(*at)++] & 0x3f);
    }
    return c;
}

static void decode(struct str s, bool fold, struct fuzzy_text *t)
{
    t->n = 0;
    for (size_t at = 0; at < s.n;) {
        uint32_t c = next_char(s, &at);
        t->c[t->n++] = fold ? lower(c) : c;
    }
}

enum err fuzzy_terms(struct fuzzy *f, struct arena *a, const struct str *terms, size_t n,
                     size_t value_bytes_max)
{
    size_t longest = 1;
    f->term_count = 0;
    f->terms = arena_array(a, n + 1, sizeof(*f->terms));
    for (size_t i = 0; f->terms && i < n; i++) {
        struct fuzzy_text *t = &f->terms[f->term_count];
        if (terms[i].n == 0) {
            continue;
        }
        t->c = arena_array(a, terms[i].n, sizeof(*t->c));
        if (!t->c) {
            return ERR_OOM;
        }
        decode(terms[i], f->fold, t);
        longest = t->n > longest ? t->n : longest;
        f->term_count++;
    }
    f->text.c = arena_array(a, value_bytes_max + 1, sizeof(*f->text.c));
    f->term_used = arena_array(a, longest, sizeof(*f->term_used));
    f->text_used = arena_array(a, value_bytes_max + 1, sizeof(*f->text_used));
    return f->terms && f->text.c && f->term_used && f->text_used ? ERR_OK : ERR_OOM;
}

static bool same_at(const struct fuzzy_text *term, const struct fuzzy_text *text, size_t at)
{
    return text->n - at >= term->n && memcmp(text->c + at, term->c, term->n * sizeof(*term->c)) == 0;
}

/* -- subsequence ----------------------------------------------------------------------------------------- */

/* The greedy match from `at` on. False: there is none, and none from a later place either. */
static bool score_from(const struct fuzzy_text *term, const struct fuzzy_text *text, size_t at,
                       double *ret_score)
{
    double score = 0, part = 1.0 / (double)text->n;
    size_t run_end = 0;
    for (size_t k = 0; k < term->n;) {
        while (at < text->n && text->c[at] != term->c[k]) {
            at++;
        }
        if (at == text->n) {
            return false;
        }
        size_t from = at;
        while (k < term->n && at < text->n && text->c[at] == term->c[k]) {
            at++;
            k++;
        }
        score -= (double)(from - run_end) * part;
        score += (double)((at - from) * (at - from));
        run_end = at;
    }
    *ret_score = score - (double)(text->n - run_end) * part * 0.5;
    return true;
}

static double subsequence(const struct fuzzy_text *term, const struct fuzzy_text *text)
{
    double best = -1, score;
    for (size_t at = 0; at + term->n <= text->n; at++) {
        if (text->c[at] != term->c[0]) {
            continue;
        }
        if (!score_from(term, text, at, &score)) {
            break;
        }
        best = fmax(best, score);
    }
    return best < 0 ? 0 : best / (double)(term->n * term->n) * inexact_scale;
}

/* -- Jaro-Winkler ---------------------------------------------------------------------------------------- */

/* Characters of a that have a partner in b no further away than the window; both are marked. a is the
 * shorter. */
static size_t pair_up(const struct fuzzy_text *a, const struct fuzzy_text *b, bool *a_used, bool *b_used)
{
    size_t window = b->n / 2 > 1 ? b->n / 2 - 1 : 0, pairs = 0;
    memset(a_used, 0, a->n * sizeof(*a_used));
    memset(b_used, 0, b->n * sizeof(*b_used));
    for (size_t i = 0; i < a->n; i++) {
        size_t end = i + window + 1 < b->n ? i + window + 1 : b->n;
        size_t j = i > window ? i - window : 0;
        while (j < end && (b_used[j] || a->c[i] != b->c[j])) {
            j++;
        }
        if (j < end) {
            a_used[i] = b_used[j] = true;
            pairs++;
        }
    }
    return pairs;
}

static double jaro_winkler(const struct fuzzy_text *a, const struct fuzzy_text *b, bool *a_used, bool *b_used)
{
    size_t pairs = pair_up(a, b, a_used, b_used), crossed = 0, prefix = 0;
    if (pairs == 0) {
        return 0;
    }
    for (size_t i = 0, k = 0; i < a->n; i++) {
        if (a_used[i]) {
            while (!b_used[k]) {
                k++;
            }
            crossed += a->c[i] != b->c[k++];
        }
    }
    double m = (double)pairs, per_a = 1.0 / (double)a->n, per_b = 1.0 / (double)b->n;
    double jaro = (m * per_a + m * per_b + (m - (double)crossed * 0.5) / m) / 3.0;
    while (prefix < WINKLER_PREFIX_MAX && prefix < a->n && a->c[prefix] == b->c[prefix]) {
        prefix++;
    }
    return jaro + (double)prefix * winkler_boost * (1.0 - jaro);
}

/* 0: the term is nowhere in the value. */
static double by_position(const struct fuzzy_text *term, const struct fuzzy_text *text)
{
    for (size_t at = 0; at + term->n <= text->n; at++) {
        if (same_at(term, text, at)) {
            return at == 0 ? 1.0 : 1.0 - position_weight * (double)at / (double)(text->n - term->n);
        }
    }
    return 0;
}

/* -- the terms ------------------------------------------------------------------------------------------- */

static bool term_accepts(struct fuzzy *f, const struct fuzzy_text *term, double *ret_score)
{
    const struct fuzzy_text *text = &f->text;
    if (same_at(term, text, 0)) {
        *ret_score = 1;
        return true;
    }
    if (f->algorithm == FUZZY_SUBSEQUENCE) {
        *ret_score = subsequence(term, text);
        return *ret_score > 0 && *ret_score >= f->threshold;
    }
    *ret_score = by_position(term, text);
    if (*ret_score > 0 || f->threshold <= 0) {
        return *ret_score > 0;
    }
    bool shorter = term->n <= text->n;
    *ret_score = text->n == 0 ? 0
                 : shorter    ? jaro_winkler(term, text, f->term_used, f->text_used)
                              : jaro_winkler(text, term, f->text_used, f->term_used);
    return *ret_score >= f->threshold;
}

bool fuzzy_accepts(struct fuzzy *f, struct str value, double *ret_score)
{
    bool accepted = f->term_count == 0;
    double best = accepted ? 1 : 0;
    decode(value, f->fold, &f->text);
    for (size_t i = 0; i < f->term_count && best < 1; i++) {
        double score = 0;
        if (term_accepts(f, &f->terms[i], &score)) {
            accepted = true;
            best = fmax(best, score);
        }
    }
    *ret_score = best;
    return accepted;
}
