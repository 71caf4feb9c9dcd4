/* The table of postings: which series have a label pair; and matchers run against it. */
#include <stdlib.h>

#include "base/mem.h"
#include "metrics/promtsdb/prom_index_int.h"
#include "metrics/promtsdb/prom_read.h"

enum {
    VALUE_MARK = 32, /* the place of every 32nd value of a name is known */
    PAIR_KEYS = 2
};

/* -- the table ------------------------------------------------------------------------------------------- */

static bool entry_read(struct reader *r, struct prom_pair *ret_pair)
{
    uint64_t keys = read_varint(r);
    *ret_pair = (struct prom_pair){.name = read_str(r), .value = read_str(r)};
    ret_pair->postings = read_varint(r);
    return !r->bad && keys == PAIR_KEYS;
}

/* The entry of number `i` of the table (v1: of the sorted table) at `place`, entered. */
static enum err entry_enter(struct prom_index *ix, const struct prom_pair *pair, uint64_t place)
{
    struct prom_name *n = ix->name_count ? &ix->names[ix->name_count - 1] : NULL;
    if (!n || !str_eq(n->name, pair->name)) {
        if (n && str_cmp(n->name, pair->name) > 0) {
            return ERR_CORRUPT;
        }
        if (vec_reserve((void **)&ix->names, &ix->name_cap, ix->name_count + 1, sizeof(*n)) != ERR_OK) {
            return ERR_OOM;
        }
        n = &ix->names[ix->name_count++];
        *n = (struct prom_name){.name = pair->name, .at = place, .mark = ix->mark_count};
    }
    if (n->values++ % VALUE_MARK == 0) {
        if (vec_reserve((void **)&ix->marks, &ix->mark_cap, ix->mark_count + 1, sizeof(*ix->marks)) !=
            ERR_OK) {
            return ERR_OOM;
        }
        ix->marks[ix->mark_count++] = place;
    }
    return ERR_OK;
}

static int pair_cmp(const void *a, const void *b)
{
    const struct prom_pair *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c ? c : str_cmp(x->value, y->value);
}

static enum err pairs_enter(struct prom_index *ix)
{
    enum err e = ERR_OK;
    if (ix->pair_count > 1) {
        qsort(ix->pairs, ix->pair_count, sizeof(*ix->pairs), pair_cmp);
    }
    for (size_t i = 0; e == ERR_OK && i < ix->pair_count; i++) {
        e = entry_enter(ix, &ix->pairs[i], i);
    }
    return e;
}

enum err prom_table_read(struct prom_index *ix, struct err_info *info)
{
    struct reader r = reader_of(ix->table);
    uint32_t n = read_be32(&r);
    enum err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && i < n && reader_left(&r); i++) {
        uint64_t place = (uint64_t)((const char *)r.p - ix->table.p);
        struct prom_pair pair;
        if (!entry_read(&r, &pair)) {
            e = ERR_CORRUPT;
        } else if (ix->version != PROM_INDEX_V1) {
            e = entry_enter(ix, &pair, place);
        } else if ((e = vec_reserve((void **)&ix->pairs, &ix->pair_cap, ix->pair_count + 1, sizeof(pair))) ==
                   ERR_OK) {
            ix->pairs[ix->pair_count++] = pair;
        }
    }
    e = e == ERR_OK && ix->version == PROM_INDEX_V1 ? pairs_enter(ix) : e;
    return e == ERR_OK ? e
                       : err_set(info, e, "the table of postings in the index %s",
                                 e == ERR_CORRUPT ? "makes no sense" : "needs more memory than there is");
}

const struct prom_name *prom_index_name(const struct prom_index *ix, struct str name)
{
    size_t lo = 0, hi = ix->name_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = str_cmp(ix->names[mid].name, name);
        if (c == 0) {
            return &ix->names[mid];
        }
        lo = c < 0 ? mid + 1 : lo;
        hi = c < 0 ? hi : mid;
    }
    return NULL;
}

struct prom_values prom_values_of(const struct prom_index *ix, const struct prom_name *name)
{
    return (struct prom_values){.ix = ix, .name = name, .place = name ? name->at : 0};
}

bool prom_values_next(struct prom_values *v)
{
    if (!v->name || v->at == v->name->values) {
        return false;
    }
    struct prom_pair pair;
    if (v->ix->version == PROM_INDEX_V1) {
        pair = v->ix->pairs[v->place++];
    } else {
        struct reader r = reader_from(v->ix->table, v->place);
        if (!entry_read(&r, &pair)) { /* it was read when the index was opened: the file has changed */
            return false;
        }
        v->place = (uint64_t)((const char *)r.p - v->ix->table.p);
    }
    v->at++;
    v->value = pair.value;
    v->postings = pair.postings;
    return true;
}

/* Moves to a value not above the wanted one, near it. */
static void values_seek(struct prom_values *v, struct str wanted)
{
    size_t lo = 0, hi = (v->name->values + VALUE_MARK - 1u) / VALUE_MARK;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        struct prom_values at = *v;
        at.at = (uint32_t)(mid * VALUE_MARK);
        at.place = v->ix->marks[v->name->mark + mid];
        if (prom_values_next(&at) && str_cmp(at.value, wanted) <= 0) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    v->at = (uint32_t)(lo * VALUE_MARK);
    v->place = v->ix->marks[v->name->mark + lo];
}

/* -- lists of ids ---------------------------------------------------------------------------------------- */

enum err prom_index_postings(const struct prom_index *ix, uint64_t offset, struct prom_postings *ret_p)
{
    struct reader r = reader_from(ix->data, offset);
    uint32_t bytes = read_be32(&r);
    struct str s = read_checked(&r, bytes);
    struct reader l = reader_of(s);
    uint32_t n = read_be32(&l);
    if (r.bad || l.bad || reader_left(&l) != (uint64_t)n * 4) {
        return ERR_CORRUPT;
    }
    *ret_p = (struct prom_postings){l.p, n};
    return ERR_OK;
}

bool prom_postings_meet(const struct prom_postings *p, const struct prom_ids *ids)
{
    /* Either walks the longer list by halving what is left of it. */
    size_t i = 0, k = 0;
    while (i < p->n && k < ids->n) {
        uint32_t id = prom_posting(p, i);
        size_t lo = k, hi = ids->n;
        while (lo < hi) {
            size_t mid = (lo + hi) / 2;
            if (ids->ids[mid] < id) {
                lo = mid + 1;
            } else {
                hi = mid;
            }
        }
        if (lo < ids->n && ids->ids[lo] == id) {
            return true;
        }
        k = lo;
        i++;
    }
    return false;
}

/* -- matchers -------------------------------------------------------------------------------------------- */

/* Series as bits by id while sets are formed. */
struct id_set {
    uint64_t *words;
    uint64_t bits;
};

static enum err set_new(const struct prom_index *ix, struct arena *a, struct id_set *ret_s)
{
    struct id_set s = {.bits = ix->data.n / (ix->version == PROM_INDEX_V1 ? 1 : PROM_INDEX_SERIES_ALIGN) + 1};
    s.words = arena_zarray(a, s.bits / 64 + 1, sizeof(*s.words));
    *ret_s = s;
    return s.words ? ERR_OK : arena_err(a);
}

static enum err set_add(const struct prom_index *ix, uint64_t postings, struct id_set *s)
{
    struct prom_postings p;
    enum err e = prom_index_postings(ix, postings, &p);
    for (uint32_t i = 0; e == ERR_OK && i < p.n; i++) {
        uint32_t id = prom_posting(&p, i);
        if (id >= s->bits) {
            return ERR_CORRUPT;
        }
        s->words[id / 64] |= UINT64_C(1) << (id % 64);
    }
    return e;
}

/* Adds the series whose value the matcher accepts (or, not `accepted`, does not). */
static enum err set_add_values(const struct prom_index *ix, const struct matcher *m, bool accepted,
                               struct id_set *s)
{
    struct prom_values v = prom_values_of(ix, prom_index_name(ix, m->name));
    bool one = v.name && ((m->op == MATCH_EQ && accepted) || (m->op == MATCH_NEQ && !accepted));
    enum err e = ERR_OK;
    if (one) {
        values_seek(&v, m->value);
    }
    while (e == ERR_OK && prom_values_next(&v)) {
        int c = one ? str_cmp(v.value, m->value) : 0;
        if (c > 0) {
            break;
        }
        if (c == 0 && (one || matcher_matches(m, v.value) == accepted)) {
            e = set_add(ix, v.postings, s);
        }
    }
    return e;
}

static enum err set_all(const struct prom_index *ix, struct id_set *s)
{
    struct prom_values v = prom_values_of(ix, prom_index_name(ix, STR("")));
    return prom_values_next(&v) ? set_add(ix, v.postings, s) : ERR_OK;
}

static enum err set_list(const struct id_set *s, struct arena *a, struct prom_ids *ret_ids)
{
    size_t n = 0;
    for (uint64_t i = 0; i <= s->bits / 64; i++) {
        n += (size_t)__builtin_popcountll(s->words[i]);
    }
    struct prom_ids out = {.ids = arena_array(a, n + 1, sizeof(*out.ids))};
    if (!out.ids) {
        return arena_err(a);
    }
    for (uint64_t i = 0; i <= s->bits / 64; i++) {
        for (uint64_t w = s->words[i]; w; w &= w - 1) {
            out.ids[out.n++] = (uint32_t)(i * 64 + (unsigned)__builtin_ctzll(w));
        }
    }
    *ret_ids = out;
    return ERR_OK;
}

/* Cuts `s` down to what the matcher accepts. A series without the label has the empty value. */
static enum err set_restrict(const struct prom_index *ix, const struct matcher *m, struct arena *a,
                             struct id_set *s)
{
    struct id_set other;
    bool empty = matcher_matches_empty(m);
    enum err e = set_new(ix, a, &other);
    e = e == ERR_OK ? set_add_values(ix, m, !empty, &other) : e;
    for (uint64_t i = 0; e == ERR_OK && i <= s->bits / 64; i++) {
        s->words[i] &= empty ? ~other.words[i] : other.words[i];
    }
    return e;
}

enum err prom_index_select(const struct prom_index *ix, const struct matcher *m, size_t n, struct arena *a,
                           struct prom_ids *ret_ids)
{
    struct arena scratch AUTO_ARENA;
    struct id_set s;
    size_t first = 0;
    arena_init(&scratch, 0, a->budget);
    while (first < n && matcher_matches_empty(&m[first])) {
        first++;
    }
    enum err e = set_new(ix, &scratch, &s);
    if (e == ERR_OK) {
        e = first < n ? set_add_values(ix, &m[first], true, &s) : set_all(ix, &s);
    }
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        if (i != first) {
            e = set_restrict(ix, &m[i], &scratch, &s);
        }
    }
    return e == ERR_OK ? set_list(&s, a, ret_ids) : e;
}
