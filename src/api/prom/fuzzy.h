/* How well a value answers search terms: in 0..1, 1 for a value that begins with a term.
 *
 * Subsequence: all characters of the term in their order; runs are worth their square, gaps cost.
 * Jaro-Winkler: the term anywhere (the earlier the better), or by similarity when a threshold is set. */
#ifndef CAIRN_API_PROM_FUZZY_H
#define CAIRN_API_PROM_FUZZY_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum fuzzy_algorithm {
    FUZZY_SUBSEQUENCE = 0,
    FUZZY_JARO_WINKLER
};

struct fuzzy_text {
    uint32_t *c; /* code points */
    size_t n;
};

struct fuzzy {
    enum fuzzy_algorithm algorithm;
    double threshold; /* 0..1: values below it are refused */
    bool fold;        /* case does not matter */
    struct fuzzy_text *terms;
    size_t term_count;      /* 0: every value is accepted with 1 */
    struct fuzzy_text text; /* scratch: the value */
    bool *term_used, *text_used;
};

/* Takes the terms, leaving out empty ones; values are at most value_bytes_max long. The other fields are the
 * caller's. Memory of the arena. Errors: OOM. */
MUST_USE enum err fuzzy_terms(struct fuzzy *f, struct arena *a, const struct str *terms, size_t n,
                              size_t value_bytes_max);
/* True when one of the terms accepts the value; the score is the best of them. One thread at a time. */
bool fuzzy_accepts(struct fuzzy *f, struct str value, double *ret_score);

#endif
