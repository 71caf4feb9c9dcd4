/* Matchers against the postings of a section: a regular expression runs once for each distinct value. */
#include "metrics/tsdb/section.h"

static enum err name_find(const struct section_reader *s, struct str name, struct section_name *ret_name)
{
    struct reader r = reader_of(s->postings);
    uint32_t symbol = section_symbol_find(s, name);
    enum err e;
    if (symbol == UINT32_MAX) {
        return ERR_NOT_FOUND;
    }
    while ((e = section_name_next(s, &r, ret_name)) == ERR_OK && ret_name->symbol != symbol) {
    }
    return e;
}

/* Adds the series with the one value. */
static enum err add_equal(const struct section_reader *s, const struct section_name *n, struct str value,
                          uint64_t *set)
{
    struct reader r = reader_of(n->values);
    struct section_value v = {0};
    uint32_t symbol = section_symbol_find(s, value);
    enum err e = ERR_OK;
    while (symbol != UINT32_MAX && (e = section_value_next(s, &r, &v)) == ERR_OK) {
        if (v.symbol >= symbol) {
            return v.symbol == symbol ? section_value_add(s, &v, set) : ERR_OK;
        }
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* Adds the series whose value the matcher accepts, or does not when `want` is false. */
static enum err add_matching(const struct section_reader *s, const struct section_name *n,
                             const struct matcher *m, bool want, uint64_t *set)
{
    struct reader r = reader_of(n->values);
    struct section_value v = {0};
    enum err e;
    while ((e = section_value_next(s, &r, &v)) == ERR_OK) {
        if (matcher_matches(m, section_symbol(s, v.symbol)) == want &&
            (e = section_value_add(s, &v, set)) != ERR_OK) {
            return e;
        }
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err apply(struct section_reader *s, const struct matcher *m, size_t words, uint64_t *scratch)
{
    struct section_name n;
    bool accepts_absent = matcher_matches_empty(m);
    enum err e = name_find(s, m->name, &n);
    if (e == ERR_NOT_FOUND) {
        if (!accepts_absent) {
            memset(s->set, 0, words * sizeof(*s->set));
        }
        return ERR_OK;
    }
    memset(scratch, 0, words * sizeof(*scratch));
    if (e == ERR_OK) {
        e = m->op == MATCH_EQ && m->value.n ? add_equal(s, &n, m->value, scratch)
                                            : add_matching(s, &n, m, !accepts_absent, scratch);
    }
    for (size_t w = 0; e == ERR_OK && w < words; w++) {
        s->set[w] &= accepts_absent ? ~scratch[w] : scratch[w];
    }
    return e;
}

enum err section_select(struct section_reader *s, const struct matcher *m, size_t n)
{
    size_t words = ((size_t)s->series_count + 63) / 64;
    uint64_t *scratch = arena_array(s->a, words + 1, sizeof(*scratch));
    s->set = arena_array(s->a, words + 1, sizeof(*s->set));
    if (!scratch || !s->set) {
        return arena_err(s->a);
    }
    memset(s->set, 0xff, words * sizeof(*s->set));
    s->at = 0;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        e = apply(s, &m[i], words, scratch);
    }
    uint64_t any = 0;
    for (size_t w = 0; w < words; w++) {
        any |= s->set[w];
    }
    return e == ERR_OK && any ? section_series_begin(s) : e;
}
