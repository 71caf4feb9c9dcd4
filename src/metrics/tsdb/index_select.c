/* Matchers against the index: a regular expression runs once for each distinct value of its label. */
#include "metrics/tsdb/index.h"

static void add_pair(const struct label_pair *p, uint64_t *set)
{
    for (uint32_t i = 0; i < p->count; i++) {
        set[p->slots[i] / 64] |= UINT64_C(1) << (p->slots[i] % 64);
    }
}

/* The union of the series whose value the matcher accepts (or does not, when `want` is false). */
static void add_values(const struct index *ix, const struct label_name *n, const struct matcher *m, bool want,
                       uint64_t *set)
{
    for (uint32_t i = 0; i < n->count; i++) {
        const struct label_pair *p = &ix->pairs[n->pairs[i]];
        if (p->count && matcher_matches(m, ix->symbols[p->value]) == want) {
            add_pair(p, set);
        }
    }
}

static void add_accepted(const struct index *ix, const struct label_name *n, const struct matcher *m,
                         uint64_t *set)
{
    size_t literals = m->op == MATCH_RE ? regex_literal_count(m->re) : 0;
    if (m->op != MATCH_EQ && literals == 0) {
        add_values(ix, n, m, true, set);
        return;
    }
    for (size_t i = 0; i < (literals ? literals : 1); i++) {
        const struct label_pair *p = index_pair(ix, m->name, literals ? regex_literal(m->re, i) : m->value);
        if (p) {
            add_pair(p, set);
        }
    }
}

static void apply(const struct index *ix, const struct matcher *m, size_t words, uint64_t *set, uint64_t *tmp)
{
    const struct label_name *n = index_name(ix, m->name);
    bool accepts_absent = matcher_matches_empty(m);
    if (!n) {
        if (!accepts_absent) {
            memset(set, 0, words * sizeof(*set));
        }
        return;
    }
    memset(tmp, 0, words * sizeof(*tmp));
    if (accepts_absent) {
        add_values(ix, n, m, false, tmp);
        for (size_t w = 0; w < words; w++) {
            set[w] &= ~tmp[w];
        }
        return;
    }
    add_accepted(ix, n, m, tmp);
    for (size_t w = 0; w < words; w++) {
        set[w] &= tmp[w];
    }
}

enum err index_select(const struct index *ix, const struct matcher *m, size_t n, size_t slots, uint64_t *set,
                      struct arena *scratch)
{
    size_t words = bitmap_words(slots);
    uint64_t *tmp = arena_array(scratch, words ? words : 1, sizeof(*tmp));
    if (!tmp) {
        return arena_err(scratch);
    }
    for (size_t i = 0; i < n; i++) {
        apply(ix, &m[i], words, set, tmp);
    }
    return ERR_OK;
}
