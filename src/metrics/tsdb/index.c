/* Symbols, label pairs and postings. */
#include "metrics/tsdb/index.h"

#include "base/hash.h"
#include "base/mem.h"

#define NONE UINT32_MAX

struct u64map_slot {
    uint64_t key;
    uint32_t value;
};

void u64map_done(struct u64map *m)
{
    mem_free(m->slots);
    *m = (struct u64map){0};
}

static struct u64map_slot *find(const struct u64map *m, uint64_t key)
{
    size_t i = hash_u64(key) & (m->cap - 1);
    while (m->slots[i].value != NONE && m->slots[i].key != key) {
        i = (i + 1) & (m->cap - 1);
    }
    return &m->slots[i];
}

enum err u64map_reserve(struct u64map *m)
{
    if ((m->count + 1) * 4 <= m->cap * 3) {
        return ERR_OK;
    }
    struct u64map grown = {.cap = m->cap ? m->cap * 2 : 16, .count = m->count};
    grown.slots = mem_array(grown.cap, sizeof(*grown.slots));
    if (!grown.slots) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < grown.cap; i++) {
        grown.slots[i] = (struct u64map_slot){0, NONE};
    }
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].value != NONE) {
            *find(&grown, m->slots[i].key) = m->slots[i];
        }
    }
    mem_free(m->slots);
    *m = grown;
    return ERR_OK;
}

uint32_t *u64map_place(struct u64map *m, uint64_t key)
{
    struct u64map_slot *s = find(m, key);
    if (s->value == NONE) {
        s->key = key;
        m->count++;
    }
    return &s->value;
}

uint32_t u64map_get(const struct u64map *m, uint64_t key)
{
    return m->cap ? find(m, key)->value : NONE;
}

enum err index_new(struct index **ret_ix)
{
    struct index *ix = mem_zalloc(sizeof(*ix));
    if (!ix || !(ix->memos = mem_zarray(INDEX_MEMOS, sizeof(*ix->memos)))) {
        mem_free(ix);
        return ERR_OOM;
    }
    atomic_init(&ix->refs, 1);
    arena_init(&ix->text, 0, NULL);
    *ret_ix = ix;
    return ERR_OK;
}

struct index *index_ref(struct index *ix)
{
    atomic_fetch_add_explicit(&ix->refs, 1, memory_order_relaxed);
    return ix;
}

void index_unref(struct index *ix)
{
    /* acq_rel: the last owner sees what the others wrote. */
    if (!ix || atomic_fetch_sub_explicit(&ix->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < ix->name_count; i++) {
        mem_free(ix->names[i].pairs);
    }
    for (size_t i = 0; i < ix->pair_count; i++) {
        mem_free(ix->pairs[i].slots);
    }
    for (size_t i = 0; i < INDEX_MEMOS; i++) {
        mem_free(ix->memos[i].pairs);
    }
    mem_free(ix->memos);
    mem_free(ix->names);
    mem_free(ix->pairs);
    mem_free(ix->symbols);
    mem_free(ix->symbol_table);
    u64map_done(&ix->name_of_symbol);
    mem_free(ix->pair_table);
    arena_done(&ix->text);
    mem_free(ix);
}

size_t index_bytes(const struct index *ix)
{
    return sizeof(*ix) + ix->text.used_bytes + ix->symbol_cap * sizeof(*ix->symbols) +
           ix->symbol_table_cap * sizeof(*ix->symbol_table) + ix->name_cap * sizeof(*ix->names) +
           ix->pair_cap * sizeof(*ix->pairs) + ix->postings_bytes +
           ix->name_of_symbol.cap * sizeof(struct u64map_slot) + ix->pair_table_cap * sizeof(*ix->pair_table);
}

static size_t symbol_slot(const struct index *ix, struct str s)
{
    size_t mask = ix->symbol_table_cap - 1;
    size_t i = hash_seeded(s.p, s.n, hash_seed()) & mask;
    while (ix->symbol_table[i] && !str_eq(ix->symbols[ix->symbol_table[i] - 1], s)) {
        i = (i + 1) & mask;
    }
    return i;
}

uint32_t index_symbol_find(const struct index *ix, struct str s)
{
    return ix->symbol_table_cap ? ix->symbol_table[symbol_slot(ix, s)] - 1 : NONE;
}

static enum err symbol_table_grow(struct index *ix)
{
    size_t cap = ix->symbol_table_cap ? ix->symbol_table_cap * 2 : 64;
    uint32_t *table = mem_zarray(cap, sizeof(*table));
    if (!table) {
        return ERR_OOM;
    }
    mem_free(ix->symbol_table);
    ix->symbol_table = table;
    ix->symbol_table_cap = cap;
    for (size_t i = 0; i < ix->symbol_count; i++) {
        table[symbol_slot(ix, ix->symbols[i])] = (uint32_t)i + 1;
    }
    return ERR_OK;
}

enum err index_intern(struct index *ix, struct str s, uint32_t *ret_symbol)
{
    uint32_t known = index_symbol_find(ix, s);
    if (known != NONE) {
        *ret_symbol = known;
        return ERR_OK;
    }
    if ((ix->symbol_count + 1) * 4 > ix->symbol_table_cap * 3 && symbol_table_grow(ix) != ERR_OK) {
        return ERR_OOM;
    }
    if (vec_reserve((void **)&ix->symbols, &ix->symbol_cap, ix->symbol_count + 1, sizeof(*ix->symbols)) !=
        ERR_OK) {
        return ERR_OOM;
    }
    char *copy = arena_bytes(&ix->text, s.n ? s.n : 1);
    if (!copy) {
        return ERR_OOM;
    }
    if (s.n) {
        memcpy(copy, s.p, s.n);
    }
    ix->symbol_table[symbol_slot(ix, s)] = (uint32_t)ix->symbol_count + 1;
    ix->symbols[ix->symbol_count] = str_of(copy, s.n);
    *ret_symbol = (uint32_t)ix->symbol_count++;
    return ERR_OK;
}

static enum err reserve_u32(struct index *ix, uint32_t **items, uint32_t *cap, uint32_t need)
{
    if (need <= *cap) {
        return ERR_OK;
    }
    uint32_t want = *cap == 0 ? 1 : *cap < 8 ? *cap * 2 : *cap + *cap / 2;
    uint32_t *p = mem_realloc(*items, want * sizeof(*p));
    if (!p) {
        return ERR_OOM;
    }
    ix->postings_bytes += (want - *cap) * sizeof(*p);
    *items = p;
    *cap = want;
    return ERR_OK;
}

static enum err name_intern(struct index *ix, struct str name, uint32_t *ret_name)
{
    uint32_t symbol;
    if (index_intern(ix, name, &symbol) != ERR_OK || u64map_reserve(&ix->name_of_symbol) != ERR_OK ||
        vec_reserve((void **)&ix->names, &ix->name_cap, ix->name_count + 1, sizeof(*ix->names)) != ERR_OK) {
        return ERR_OOM;
    }
    uint32_t *place = u64map_place(&ix->name_of_symbol, symbol);
    if (*place == NONE) {
        *place = (uint32_t)ix->name_count;
        ix->names[ix->name_count++] = (struct label_name){.symbol = symbol};
    }
    *ret_name = *place;
    return ERR_OK;
}

/* -- pairs ----------------------------------------------------------------------------------------------- */

static bool pair_is(const struct index *ix, uint32_t pair, struct str name, struct str value)
{
    const struct label_pair *p = &ix->pairs[pair];
    return str_eq(ix->symbols[p->value], value) && str_eq(ix->symbols[ix->names[p->name].symbol], name);
}

static uint64_t pair_hash(struct str name, struct str value)
{
    uint64_t seed = hash_seed();
    return hash_seeded(value.p, value.n, hash_seeded(name.p, name.n, seed));
}

/* The place of a pair, or of the gap where it belongs. */
static uint64_t *pair_place(const struct index *ix, uint64_t hash, struct str name, struct str value)
{
    size_t mask = ix->pair_table_cap - 1, i = hash & mask;
    uint64_t slot;
    while ((slot = ix->pair_table[i]) != 0) {
        if (slot >> 32 == hash >> 32 && pair_is(ix, (uint32_t)slot - 1, name, value)) {
            break;
        }
        i = (i + 1) & mask;
    }
    return &ix->pair_table[i];
}

/* Room for one more. The place of a slot needs more bits of its hash than the slot has: it is made again. */
static enum err pair_table_reserve(struct index *ix)
{
    if ((ix->pair_count + 1) * 4 <= ix->pair_table_cap * 3) {
        return ERR_OK;
    }
    size_t cap = ix->pair_table_cap ? ix->pair_table_cap * 2 : 64;
    uint64_t *table = mem_zarray(cap, sizeof(*table));
    if (!table) {
        return ERR_OOM;
    }
    for (uint32_t k = 0; k < ix->pair_count; k++) {
        const struct label_pair *p = &ix->pairs[k];
        uint64_t hash = pair_hash(ix->symbols[ix->names[p->name].symbol], ix->symbols[p->value]);
        size_t i = hash & (cap - 1);
        while (table[i]) {
            i = (i + 1) & (cap - 1);
        }
        table[i] = (hash >> 32 << 32) | (k + 1);
    }
    mem_free(ix->pair_table);
    ix->pair_table = table;
    ix->pair_table_cap = cap;
    return ERR_OK;
}

const struct label_pair *index_pair(const struct index *ix, struct str name, struct str value)
{
    uint64_t slot = ix->pair_table_cap ? *pair_place(ix, pair_hash(name, value), name, value) : 0;
    return slot ? &ix->pairs[(uint32_t)slot - 1] : NULL;
}

static enum err pair_make(struct index *ix, struct label l, uint32_t *ret_pair)
{
    uint32_t name = 0, value = 0;
    if (name_intern(ix, l.name, &name) != ERR_OK || index_intern(ix, l.value, &value) != ERR_OK ||
        vec_reserve((void **)&ix->pairs, &ix->pair_cap, ix->pair_count + 1, sizeof(*ix->pairs)) != ERR_OK) {
        return ERR_OOM;
    }
    struct label_name *n = &ix->names[name];
    if (reserve_u32(ix, &n->pairs, &n->cap, n->count + 1) != ERR_OK) {
        return ERR_OOM;
    }
    n->pairs[n->count++] = (uint32_t)ix->pair_count;
    *ret_pair = (uint32_t)ix->pair_count;
    ix->pairs[ix->pair_count++] = (struct label_pair){.name = name, .value = value};
    return ERR_OK;
}

static enum err pair_intern(struct index *ix, struct label l, uint32_t *ret_pair)
{
    if (pair_table_reserve(ix) != ERR_OK) {
        return ERR_OOM;
    }
    uint64_t hash = pair_hash(l.name, l.value), *place = pair_place(ix, hash, l.name, l.value);
    if (*place) {
        *ret_pair = (uint32_t)*place - 1;
        return ERR_OK;
    }
    enum err e = pair_make(ix, l, ret_pair);
    if (e == ERR_OK) {
        *place = (hash >> 32 << 32) | (*ret_pair + 1);
    }
    return e;
}

static void posting_enter(struct label_pair *p, uint32_t slot)
{
    uint32_t at = p->count;
    while (at > 0 && p->slots[at - 1] > slot) {
        at--;
    }
    memmove(p->slots + at + 1, p->slots + at, (p->count - at) * sizeof(*p->slots));
    p->slots[at] = slot;
    p->count++;
}

enum err index_add(struct index *ix, struct labels ls, uint32_t slot, const struct packed_labels **ret_packed)
{
    struct packed_labels *p = arena_alloc(&ix->text, sizeof(*p) + ls.n * sizeof(p->pairs[0]));
    if (!p) {
        return ERR_OOM;
    }
    p->n = (uint32_t)ls.n;
    for (size_t i = 0; i < ls.n; i++) {
        uint32_t pair = ix->last && i < ix->last->n ? ix->last->pairs[i] : NONE;
        bool repeated = pair != NONE && pair_is(ix, pair, ls.l[i].name, ls.l[i].value);
        if (!repeated && pair_intern(ix, ls.l[i], &pair) != ERR_OK) {
            return ERR_OOM;
        }
        p->pairs[i] = pair;
        struct label_pair *lp = &ix->pairs[pair];
        if (reserve_u32(ix, &lp->slots, &lp->cap, lp->count + 1) != ERR_OK) {
            return ERR_OOM;
        }
    }
    for (size_t i = 0; i < ls.n; i++) {
        posting_enter(&ix->pairs[p->pairs[i]], slot);
    }
    ix->last = p;
    *ret_packed = p;
    return ERR_OK;
}

void index_remove(struct index *ix, const struct packed_labels *p, uint32_t slot)
{
    for (uint32_t i = 0; i < p->n; i++) {
        struct label_pair *lp = &ix->pairs[p->pairs[i]];
        uint32_t at = 0, end = lp->count;
        while (at < end) {
            uint32_t mid = at + (end - at) / 2;
            if (lp->slots[mid] < slot) {
                at = mid + 1;
            } else {
                end = mid;
            }
        }
        if (at < lp->count && lp->slots[at] == slot) {
            lp->count--;
            memmove(lp->slots + at, lp->slots + at + 1, (lp->count - at) * sizeof(*lp->slots));
        }
    }
}

bool index_labels_eq(const struct index *ix, const struct packed_labels *p, struct labels ls)
{
    if (p->n != ls.n) {
        return false;
    }
    for (size_t i = 0; i < ls.n; i++) {
        if (!pair_is(ix, p->pairs[i], ls.l[i].name, ls.l[i].value)) {
            return false;
        }
    }
    return true;
}

void index_labels(const struct index *ix, const struct packed_labels *p, struct label *out)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct label_pair *lp = &ix->pairs[p->pairs[i]];
        out[i] = (struct label){ix->symbols[ix->names[lp->name].symbol], ix->symbols[lp->value]};
    }
}

const struct label_name *index_name(const struct index *ix, struct str name)
{
    uint32_t symbol = index_symbol_find(ix, name);
    uint32_t n = symbol == NONE ? NONE : u64map_get(&ix->name_of_symbol, symbol);
    return n == NONE ? NULL : &ix->names[n];
}
