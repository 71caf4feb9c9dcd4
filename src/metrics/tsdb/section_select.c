/* Matchers against the postings of a section: a regular expression runs once for each distinct value, and
 * what it left is remembered, for a section never changes:
 *
 *   remembered = 0, word u64 *            the series as bits
 *              | 1, (gap, more varint)*   the series as runs, as in postings, where that is shorter
 */
#include "metrics/tsdb/section.h"

enum {
    REMEMBER_VALUES_MIN = 64, /* fewer are asked each time */
    LITERALS_MAX = 64,        /* alternatives of an expression that are looked up as symbols */
    AS_BITS = 0,
    AS_RUNS = 1
};

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

/* Adds the series with one of the values an expression lists. */
static enum err add_literals(const struct section_reader *s, const struct section_name *n,
                             const struct regex *re, uint64_t *set)
{
    uint32_t wanted[LITERALS_MAX], found = 0;
    for (size_t i = 0; i < regex_literal_count(re); i++) {
        uint32_t symbol = section_symbol_find(s, regex_literal(re, i));
        if (symbol != UINT32_MAX) {
            uint32_t at = found++;
            for (; at > 0 && wanted[at - 1] > symbol; at--) {
                wanted[at] = wanted[at - 1];
            }
            wanted[at] = symbol;
        }
    }
    struct reader r = reader_of(n->values);
    struct section_value v = {0};
    enum err e = ERR_OK;
    for (uint32_t at = 0; at < found && (e = section_value_next(s, &r, &v)) == ERR_OK;) {
        while (at < found && wanted[at] < v.symbol) {
            at++;
        }
        if (at < found && wanted[at] == v.symbol && (e = section_value_add(s, &v, set)) != ERR_OK) {
            return e;
        }
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* -- what was found before ------------------------------------------------------------------------------- */

static enum err bits_of(struct reader *r, size_t words, uint64_t *set)
{
    for (size_t w = 0; w < words; w++) {
        set[w] = read_u64(r);
    }
    return r->bad ? ERR_CORRUPT : ERR_OK;
}

/* The set as it was remembered. Errors: NOT_FOUND, those of the arena. */
static enum err recall(const struct section_reader *s, const struct match_key *key, size_t words,
                       uint64_t *set)
{
    struct str bytes;
    enum err e = match_cache_find(s->cache, key, s->a, &bytes);
    if (e != ERR_OK) {
        return e;
    }
    struct reader r = reader_of(bytes);
    if (read_u8(&r) == AS_BITS) {
        return bits_of(&r, words, set);
    }
    struct section_value v = {.runs = str_of((const char *)r.p, reader_left(&r))};
    return section_value_add(s, &v, set);
}

/* The first series at or after `i` that is in the set, or is not; `end` when there is none. */
static uint64_t next_where(const uint64_t *set, uint64_t i, uint64_t end, bool in)
{
    while (i < end) {
        uint64_t left = (in ? set[i / 64] : ~set[i / 64]) >> (i % 64);
        if (left) {
            i += (unsigned)__builtin_ctzll(left);
            return i < end ? i : end;
        }
        i = (i / 64 + 1) * 64;
    }
    return end;
}

static void remember(const struct section_reader *s, const struct match_key *key, size_t words,
                     const uint64_t *set)
{
    struct buf b AUTO_BUF = {.size_bytes_max = words * sizeof(*set) + 1}; /* longer runs are no gain */
    uint64_t from = 0, to = 0, end = s->series_count;
    write_u8(&b, AS_RUNS);
    while (b.err == ERR_OK && (from = next_where(set, to, end, true)) < end) {
        write_varint(&b, from - to);
        to = next_where(set, from, end, false);
        write_varint(&b, to - from - 1);
    }
    if (b.err == ERR_LIMIT) {
        buf_reset(&b);
        write_u8(&b, AS_BITS);
        for (size_t w = 0; w < words; w++) {
            write_u64(&b, set[w]);
        }
    }
    if (b.err == ERR_OK) {
        match_cache_keep(s->cache, key, buf_view(&b));
    }
}

/* Adds what the expression accepts, or does not when `want` is false. */
static enum err add_remembered(const struct section_reader *s, const struct section_name *n,
                               const struct matcher *m, bool want, size_t words, uint64_t *set)
{
    if (!s->cache || n->value_count < REMEMBER_VALUES_MIN) {
        return add_matching(s, n, m, want, set);
    }
    struct match_key key = {s->block, (uint64_t)(s->sec - s->b->sections), match_key_of(m, 1)};
    enum err e = recall(s, &key, words, set);
    if (e != ERR_NOT_FOUND) {
        return e;
    }
    e = add_matching(s, n, m, want, set);
    if (e == ERR_OK) {
        remember(s, &key, words, set);
    }
    return e;
}

/* -- matchers -------------------------------------------------------------------------------------------- */

static enum err add_accepted(const struct section_reader *s, const struct section_name *n,
                             const struct matcher *m, bool want, size_t words, uint64_t *set)
{
    bool listed = want == (m->op == MATCH_EQ || m->op == MATCH_RE); /* the values it names are those wanted */
    if (listed && !m->re && m->value.n) {
        return add_equal(s, n, m->value, set);
    }
    size_t literals = listed && m->re ? regex_literal_count(m->re) : 0;
    if (literals && literals <= LITERALS_MAX) {
        return add_literals(s, n, m->re, set);
    }
    return m->re ? add_remembered(s, n, m, want, words, set) : add_matching(s, n, m, want, set);
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
    e = e == ERR_OK ? add_accepted(s, &n, m, !accepts_absent, words, scratch) : e;
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
