/* The label pairs of a block that is being written: strings and (name, value) pairs by number, ranked in the
 * order of their bytes at the end. Private to this folder. One owner. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_SYMBOLS_H
#define CAIRN_METRICS_PROMTSDB_PROM_SYMBOLS_H

#include "base/arena.h"
#include "labels/labels.h"

struct prom_label_pair {
    uint32_t name, value; /* strings */
};

struct prom_symbols {
    struct arena text;
    struct str *strings;
    size_t count, cap;
    uint32_t *string_table; /* hash table of numbers + 1 */
    size_t string_table_cap;
    struct prom_label_pair *pairs;
    size_t pair_count, pair_cap;
    uint32_t *pair_table;
    size_t pair_table_cap;
    /* After prom_symbols_rank: */
    uint32_t *order, *rank;           /* strings in order, and the place of each */
    uint32_t *pair_order, *pair_rank; /* pairs by name, then value */
};

void prom_symbols_init(struct prom_symbols *s);
void prom_symbols_done(struct prom_symbols *s);
/* The number of a pair. Errors: OOM. */
MUST_USE enum err prom_symbols_pair(struct prom_symbols *s, struct label l, uint32_t *ret_pair);
/* Errors: OOM. */
MUST_USE enum err prom_symbols_rank(struct prom_symbols *s);

static inline struct str prom_symbols_name(const struct prom_symbols *s, uint32_t pair)
{
    return s->strings[s->pairs[pair].name];
}

static inline struct str prom_symbols_value(const struct prom_symbols *s, uint32_t pair)
{
    return s->strings[s->pairs[pair].value];
}

#endif
