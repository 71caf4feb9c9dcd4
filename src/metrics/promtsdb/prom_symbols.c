/* Interning strings and pairs. */
#include "metrics/promtsdb/prom_symbols.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

void prom_symbols_init(struct prom_symbols *s)
{
    *s = (struct prom_symbols){0};
    arena_init(&s->text, 0, NULL);
}

void prom_symbols_done(struct prom_symbols *s)
{
    arena_done(&s->text);
    mem_free(s->strings);
    mem_free(s->string_table);
    mem_free(s->pairs);
    mem_free(s->pair_table);
    mem_free(s->order);
    mem_free(s->rank);
    mem_free(s->pair_order);
    mem_free(s->pair_rank);
    *s = (struct prom_symbols){0};
}

static uint32_t *string_place(const struct prom_symbols *s, struct str text)
{
    size_t i = hash_str(text) & (s->string_table_cap - 1);
    while (s->string_table[i] && !str_eq(s->strings[s->string_table[i] - 1], text)) {
        i = (i + 1) & (s->string_table_cap - 1);
    }
    return &s->string_table[i];
}

static uint64_t pair_hash(struct prom_label_pair p)
{
    return hash_u64((uint64_t)p.name << 32 | p.value);
}

static uint32_t *pair_place(const struct prom_symbols *s, struct prom_label_pair p)
{
    size_t i = pair_hash(p) & (s->pair_table_cap - 1);
    for (; s->pair_table[i]; i = (i + 1) & (s->pair_table_cap - 1)) {
        const struct prom_label_pair *there = &s->pairs[s->pair_table[i] - 1];
        if (there->name == p.name && there->value == p.value) {
            break;
        }
    }
    return &s->pair_table[i];
}

/* Room for one more; *ret_grown when the table is a new, empty one. */
static enum err table_grow(uint32_t **table, size_t *cap, size_t count, bool *ret_grown)
{
    *ret_grown = (count + 1) * 2 > *cap;
    if (!*ret_grown) {
        return ERR_OK;
    }
    size_t larger = *cap ? *cap * 2 : 1024;
    uint32_t *fresh = mem_zarray(larger, sizeof(*fresh));
    if (!fresh) {
        return ERR_OOM;
    }
    mem_free(*table);
    *table = fresh;
    *cap = larger;
    return ERR_OK;
}

static enum err string_number(struct prom_symbols *s, struct str text, uint32_t *ret_number)
{
    bool grown = false;
    if (table_grow(&s->string_table, &s->string_table_cap, s->count, &grown) != ERR_OK) {
        return ERR_OOM;
    }
    for (size_t i = 0; grown && i < s->count; i++) {
        *string_place(s, s->strings[i]) = (uint32_t)i + 1;
    }
    uint32_t *place = string_place(s, text);
    if (!*place) {
        struct str own = arena_str(&s->text, text);
        if (!own.p ||
            vec_reserve((void **)&s->strings, &s->cap, s->count + 1, sizeof(*s->strings)) != ERR_OK) {
            return ERR_OOM;
        }
        s->strings[s->count++] = own;
        *place = (uint32_t)s->count;
    }
    *ret_number = *place - 1;
    return ERR_OK;
}

enum err prom_symbols_pair(struct prom_symbols *s, struct label l, uint32_t *ret_pair)
{
    struct prom_label_pair p = {0};
    bool grown = false;
    if (string_number(s, l.name, &p.name) != ERR_OK || string_number(s, l.value, &p.value) != ERR_OK ||
        table_grow(&s->pair_table, &s->pair_table_cap, s->pair_count, &grown) != ERR_OK) {
        return ERR_OOM;
    }
    for (size_t i = 0; grown && i < s->pair_count; i++) {
        *pair_place(s, s->pairs[i]) = (uint32_t)i + 1;
    }
    uint32_t *place = pair_place(s, p);
    if (!*place) {
        if (vec_reserve((void **)&s->pairs, &s->pair_cap, s->pair_count + 1, sizeof(*s->pairs)) != ERR_OK) {
            return ERR_OOM;
        }
        s->pairs[s->pair_count++] = p;
        *place = (uint32_t)s->pair_count;
    }
    *ret_pair = *place - 1;
    return ERR_OK;
}

static int string_cmp(const void *a, const void *b, void *ctx)
{
    const struct prom_symbols *s = ctx;
    return str_cmp(s->strings[*(const uint32_t *)a], s->strings[*(const uint32_t *)b]);
}

static int pair_cmp(const void *a, const void *b, void *ctx)
{
    const struct prom_symbols *s = ctx;
    const struct prom_label_pair *x = &s->pairs[*(const uint32_t *)a], *y = &s->pairs[*(const uint32_t *)b];
    uint32_t xn = s->rank[x->name], yn = s->rank[y->name], xv = s->rank[x->value], yv = s->rank[y->value];
    return xn != yn ? (xn > yn) - (xn < yn) : (xv > yv) - (xv < yv);
}

static enum err sorted(size_t n, int (*cmp)(const void *, const void *, void *), void *ctx,
                       uint32_t **ret_order, uint32_t **ret_rank)
{
    uint32_t *order = mem_array(n + 1, sizeof(*order)), *rank = mem_array(n + 1, sizeof(*rank));
    *ret_order = order;
    *ret_rank = rank;
    if (!order || !rank) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < n; i++) {
        order[i] = (uint32_t)i;
    }
    qsort_r(order, n, sizeof(*order), cmp, ctx);
    for (size_t i = 0; i < n; i++) {
        rank[order[i]] = (uint32_t)i;
    }
    return ERR_OK;
}

enum err prom_symbols_rank(struct prom_symbols *s)
{
    enum err e = sorted(s->count, string_cmp, s, &s->order, &s->rank);
    return e == ERR_OK ? sorted(s->pair_count, pair_cmp, s, &s->pair_order, &s->pair_rank) : e;
}
