/* Distinct texts by hash, sorted by their first differing bytes, and merging of sorted lists. */
#include "metrics/tsdb/name_set.h"

#include <string.h>

#include "base/hash.h"

/* -- by hash --------------------------------------------------------------------------------------------- */

static uint32_t *place_of(const struct name_set *s, struct str text)
{
    size_t mask = s->table_cap - 1, i = hash_seeded(text.p, text.n, hash_seed()) & mask;
    while (s->table[i] && !str_eq(s->items[s->table[i] - 1], text)) {
        i = (i + 1) & mask;
    }
    return &s->table[i];
}

static enum err table_grow(struct name_set *s)
{
    size_t cap = s->table_cap ? s->table_cap * 4 : 256;
    uint32_t *table = arena_zarray(s->a, cap, sizeof(*table));
    if (!table) {
        return arena_err(s->a);
    }
    s->table = table;
    s->table_cap = cap;
    for (size_t i = 0; i < s->n; i++) {
        *place_of(s, s->items[i]) = (uint32_t)i + 1;
    }
    return ERR_OK;
}

enum err name_set_add(struct name_set *s, struct str text)
{
    if (s->guess < s->n && str_eq(s->items[s->guess], text)) {
        s->guess++;
        return ERR_OK;
    }
    if ((s->n + 1) * 2 > s->table_cap && table_grow(s) != ERR_OK) {
        return arena_err(s->a);
    }
    uint32_t *place = place_of(s, text);
    if (*place) {
        s->guess = *place;
        return ERR_OK;
    }
    if (s->n == UINT32_MAX - 1) {
        return ERR_LIMIT;
    }
    if (arena_reserve(s->a, (void **)&s->items, &s->cap, s->n + 1, sizeof(*s->items)) != ERR_OK) {
        return arena_err(s->a);
    }
    s->items[s->n++] = text;
    *place = (uint32_t)s->n;
    return ERR_OK;
}

/* -- sorting --------------------------------------------------------------------------------------------- */

/* A text with the eight bytes behind what all have in common: most comparisons end there. */
struct keyed {
    uint64_t key;
    struct str text;
};

static uint64_t key_of(struct str s, size_t from)
{
    uint64_t key = 0;
    if (s.n >= from + 8) {
        memcpy(&key, s.p + from, 8);
        return __builtin_bswap64(key);
    }
    for (size_t i = 0; i < 8; i++) {
        key = key << 8 | (from + i < s.n ? (uint8_t)s.p[from + i] : 0);
    }
    return key;
}

static inline bool after(const struct keyed *x, const struct keyed *y)
{
    return x->key != y->key ? x->key > y->key : str_cmp(x->text, y->text) > 0;
}

/* Merges the halves [from, mid) and [mid, to) of `in` into `out`. */
static void halves_merge(const struct keyed *in, size_t from, size_t mid, size_t to, struct keyed *out)
{
    size_t i = from, k = mid;
    for (size_t at = from; at < to; at++) {
        bool left = i < mid && (k >= to || !after(&in[i], &in[k]));
        out[at] = left ? in[i++] : in[k++];
    }
}

static size_t common_prefix(const struct str *items, size_t n)
{
    size_t common = items[0].n;
    for (size_t i = 1; i < n && common; i++) {
        size_t most = items[i].n < common ? items[i].n : common, at = 0;
        while (at < most && items[i].p[at] == items[0].p[at]) {
            at++;
        }
        common = at;
    }
    return common;
}

enum err name_set_sort(struct name_set *s)
{
    struct keyed *in = arena_array(s->a, s->n + 1, sizeof(*in));
    struct keyed *out = arena_array(s->a, s->n + 1, sizeof(*out));
    if (!in || !out) {
        return arena_err(s->a);
    }
    size_t common = s->n ? common_prefix(s->items, s->n) : 0;
    for (size_t i = 0; i < s->n; i++) {
        in[i] = (struct keyed){key_of(s->items[i], common), s->items[i]};
    }
    for (size_t width = 1; width < s->n; width *= 2) {
        for (size_t from = 0; from < s->n; from += width * 2) {
            size_t mid = from + width < s->n ? from + width : s->n;
            size_t to = from + width * 2 < s->n ? from + width * 2 : s->n;
            halves_merge(in, from, mid, to, out);
        }
        struct keyed *t = in;
        in = out;
        out = t;
    }
    for (size_t i = 0; i < s->n; i++) {
        s->items[i] = in[i].text;
    }
    return ERR_OK;
}

/* -- merging --------------------------------------------------------------------------------------------- */

void name_runs_done(struct name_runs *r)
{
    while (r->n) {
        arena_done(&r->runs[--r->n].memory);
    }
}

/* The two newest become one. */
static enum err top_merge(struct name_runs *r)
{
    struct name_run *x = &r->runs[r->n - 2], *y = &r->runs[r->n - 1], z = {.n = 0};
    size_t i = 0, k = 0;
    arena_init(&z.memory, 0, r->budget);
    z.items = arena_array(&z.memory, x->n + y->n + 1, sizeof(*z.items));
    if (!z.items) {
        enum err e = arena_err(&z.memory);
        arena_done(&z.memory);
        return e;
    }
    while (i < x->n || k < y->n) {
        int c = i == x->n ? 1 : k == y->n ? -1 : str_cmp(x->items[i], y->items[k]);
        z.items[z.n++] = c <= 0 ? x->items[i] : y->items[k];
        i += c <= 0;
        k += c >= 0;
    }
    arena_done(&x->memory);
    arena_done(&y->memory);
    *x = z;
    r->n--;
    return ERR_OK;
}

enum err name_runs_add(struct name_runs *r, const struct str *items, size_t n)
{
    if (n == 0) {
        return ERR_OK;
    }
    struct name_run *run = &r->runs[r->n];
    arena_init(&run->memory, 0, r->budget);
    run->items = arena_array(&run->memory, n, sizeof(*items));
    if (!run->items) {
        enum err e = arena_err(&run->memory);
        arena_done(&run->memory);
        return e;
    }
    memcpy(run->items, items, n * sizeof(*items));
    run->n = n;
    r->n++;
    enum err e = ERR_OK;
    while (e == ERR_OK && r->n > 1 &&
           (r->n == NAME_RUNS_MAX || r->runs[r->n - 2].n < 2 * r->runs[r->n - 1].n)) {
        e = top_merge(r);
    }
    return e;
}

enum err name_runs_merge(struct name_runs *r, const struct str **ret_items, size_t *ret_n)
{
    enum err e = ERR_OK;
    while (e == ERR_OK && r->n > 1) {
        e = top_merge(r);
    }
    if (e == ERR_OK) {
        *ret_items = r->n ? r->runs[0].items : NULL;
        *ret_n = r->n ? r->runs[0].n : 0;
    }
    return e;
}
