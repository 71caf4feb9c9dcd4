/* Matchers against the index: a regular expression runs once for each distinct value of its label. */
#include "metrics/tsdb/index.h"

#include "base/mem.h"

enum {
    MEMO_VALUES_MIN = 16 /* fewer are asked each time */
};

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

/* -- what was found before ------------------------------------------------------------------------------- */

static struct hash128 memo_key(const struct matcher *m)
{
    uint64_t seed = hash_seeded(m->name.p, m->name.n, hash_seed() + (uint64_t)m->op);
    return hash128_seeded(m->value.p, m->value.n, seed);
}

/* The expression's entry, or the one used longest ago, emptied. */
static struct index_memo *memo_find(struct index *ix, struct hash128 key)
{
    struct index_memo *oldest = &ix->memos[0];
    for (size_t i = 0; i < INDEX_MEMOS; i++) {
        struct index_memo *e = &ix->memos[i];
        if (e->used && e->key.lo == key.lo && e->key.hi == key.hi) {
            return e;
        }
        oldest = e->used < oldest->used ? e : oldest;
    }
    oldest->key = key;
    oldest->count = oldest->seen = 0;
    return oldest;
}

static bool memo_push(struct index *ix, struct index_memo *e, uint32_t pair)
{
    if (e->count == e->cap) {
        uint32_t cap = e->cap ? e->cap * 2 : 16;
        uint32_t *p = mem_realloc(e->pairs, cap * sizeof(*p));
        if (!p) {
            return false;
        }
        ix->postings_bytes += (cap - e->cap) * sizeof(*p);
        e->pairs = p;
        e->cap = cap;
    }
    e->pairs[e->count++] = pair;
    return true;
}

/* The union of the series whose value the expression accepts (or does not). */
static void add_remembered(struct index *ix, const struct label_name *n, const struct matcher *m, bool want,
                           uint64_t *set)
{
    struct index_memo *e = memo_find(ix, memo_key(m));
    e->used = ++ix->memo_look_ups;
    for (; e->seen < n->count; e->seen++) {
        uint32_t pair = n->pairs[e->seen];
        if (matcher_matches(m, ix->symbols[ix->pairs[pair].value]) == want && !memo_push(ix, e, pair)) {
            mem_free(e->pairs); /* no memory to remember it */
            ix->postings_bytes -= e->cap * sizeof(*e->pairs);
            *e = (struct index_memo){0};
            add_values(ix, n, m, want, set);
            return;
        }
    }
    for (uint32_t i = 0; i < e->count; i++) {
        add_pair(&ix->pairs[e->pairs[i]], set);
    }
}

/* -- matchers -------------------------------------------------------------------------------------------- */

static void add_each(struct index *ix, const struct label_name *n, const struct matcher *m, bool want,
                     uint64_t *set)
{
    if (m->re && n->count >= MEMO_VALUES_MIN) {
        add_remembered(ix, n, m, want, set);
    } else {
        add_values(ix, n, m, want, set);
    }
}

static void add_accepted(struct index *ix, const struct label_name *n, const struct matcher *m, uint64_t *set)
{
    size_t literals = m->op == MATCH_RE ? regex_literal_count(m->re) : 0;
    if (m->op != MATCH_EQ && literals == 0) {
        add_each(ix, n, m, true, set);
        return;
    }
    for (size_t i = 0; i < (literals ? literals : 1); i++) {
        const struct label_pair *p = index_pair(ix, m->name, literals ? regex_literal(m->re, i) : m->value);
        if (p) {
            add_pair(p, set);
        }
    }
}

static void apply(struct index *ix, const struct matcher *m, size_t words, uint64_t *set, uint64_t *tmp)
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
        add_each(ix, n, m, false, tmp);
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

enum err index_select(struct index *ix, const struct matcher *m, size_t n, size_t slots, uint64_t *set,
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
