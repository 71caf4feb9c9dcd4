/* The label index of one head: interned strings, and for every label pair the series that carry it.
 *
 * Owned by its head and changed under the head's lock. Texts and packed label sets are never moved or freed
 * before the index is, so a cursor that holds a reference may keep views of them. When series were removed
 * the head builds a new index and drops the old one: that bounds it. */
#ifndef CAIRN_METRICS_TSDB_INDEX_H
#define CAIRN_METRICS_TSDB_INDEX_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/hash.h"
#include "labels/labels.h"
#include "labels/matcher.h"

/* u64 -> u32 with open addressing; value UINT32_MAX means empty. */
struct u64map {
    struct u64map_slot *slots;
    size_t cap, count;
};

void u64map_done(struct u64map *m);
MUST_USE enum err u64map_reserve(struct u64map *m); /* room for one more */
/* The place of key: *place is UINT32_MAX when it is new, and the caller fills it after u64map_reserve. */
uint32_t *u64map_place(struct u64map *m, uint64_t key);
uint32_t u64map_get(const struct u64map *m, uint64_t key);

struct label_pair {
    uint32_t name;  /* index into names */
    uint32_t value; /* symbol */
    uint32_t count, cap;
    uint32_t *slots; /* ascending */
};

struct label_name {
    uint32_t symbol;
    uint32_t count, cap;
    uint32_t *pairs; /* in order of arrival */
};

/* A label set as pair numbers, sorted by name. */
struct packed_labels {
    uint32_t n;
    uint32_t pairs[];
};

/* What regular expressions accepted before. Pairs of a name are only ever added, so what was found stays
 * right, and only values that came since are looked at. */
struct index_memo {
    struct hash128 key; /* of operator, name and expression; seeded */
    uint32_t *pairs;
    uint32_t count, cap;
    uint32_t seen; /* pairs of the name that were looked at */
    uint64_t used; /* number of the look-up; 0: never */
};

enum {
    INDEX_MEMOS = 16 /* expressions of a few dashboards */
};

struct index {
    atomic_uint refs;
    struct arena text; /* strings and packed label sets */
    struct str *symbols;
    size_t symbol_count, symbol_cap;
    uint32_t *symbol_table; /* hash table of symbol numbers + 1 */
    size_t symbol_table_cap;
    struct label_name *names;
    size_t name_count, name_cap;
    struct label_pair *pairs;
    size_t pair_count, pair_cap;
    struct u64map name_of_symbol;
    uint64_t *pair_table; /* hash table of pairs by their text: upper half of the hash, pair number + 1 */
    size_t pair_table_cap;
    const struct packed_labels *last; /* the set added last: the next one often repeats most of it */
    size_t postings_bytes;
    struct index_memo *memos; /* of INDEX_MEMOS; written by index_select too */
    uint64_t memo_look_ups;
};

MUST_USE enum err index_new(struct index **ret_ix);
struct index *index_ref(struct index *ix);
void index_unref(struct index *ix); /* accepts NULL */
size_t index_bytes(const struct index *ix);

/* Interns the set and enters `slot` in the postings of its pairs. Errors: OOM, with no posting entered. */
MUST_USE enum err index_add(struct index *ix, struct labels ls, uint32_t slot,
                            const struct packed_labels **ret_packed);
/* Takes the slot out of the postings of its pairs; symbols and pairs stay. */
void index_remove(struct index *ix, const struct packed_labels *p, uint32_t slot);
bool index_labels_eq(const struct index *ix, const struct packed_labels *p, struct labels ls);
/* Views of the labels of p in out[p->n]. */
void index_labels(const struct index *ix, const struct packed_labels *p, struct label *out);
/* The name's entry, or NULL. */
const struct label_name *index_name(const struct index *ix, struct str name);
/* The pair's entry, or NULL. */
const struct label_pair *index_pair(const struct index *ix, struct str name, struct str value);

/* Errors: OOM. */
MUST_USE enum err index_intern(struct index *ix, struct str s, uint32_t *ret_symbol);
/* The number of an interned string, or UINT32_MAX. */
uint32_t index_symbol_find(const struct index *ix, struct str s);

static inline struct str index_symbol(const struct index *ix, uint32_t symbol)
{
    return ix->symbols[symbol];
}

/* Sets of slots as bitmaps: a head has few enough. */
static inline size_t bitmap_words(size_t slots)
{
    return (slots + 63) / 64;
}

/* Under the head's lock: it remembers what regular expressions accept.
 * Clears in `set` (bitmap_words(slots) words, given: the live series) what the matchers do not accept; the
 * arena is scratch. Errors: OOM, LIMIT. */
MUST_USE enum err index_select(struct index *ix, const struct matcher *m, size_t n, size_t slots,
                               uint64_t *set, struct arena *scratch);

#endif
