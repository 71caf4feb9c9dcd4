/* Distinct texts on their way to a sorted list: gathered in any order by hash, or merged from lists that are
 * sorted already. Texts are views, which must outlive what is made of them. One thread. */
#ifndef CAIRN_METRICS_TSDB_NAME_SET_H
#define CAIRN_METRICS_TSDB_NAME_SET_H

#include "base/arena.h"
#include "base/str.h"

struct name_set {
    struct arena *a;
    struct str *items; /* in order of arrival, until they are sorted */
    size_t n, cap;
    size_t guess;    /* place of the next text, if this source has them in the order of one before */
    uint32_t *table; /* hash table of places + 1 */
    size_t table_cap;
};

/* Errors: those of the arena. */
MUST_USE enum err name_set_add(struct name_set *s, struct str text);
/* Sorts the items; nothing can be added any more. Errors: those of the arena. */
MUST_USE enum err name_set_sort(struct name_set *s);

enum {
    NAME_RUNS_MAX = 64 /* each is at least twice as long as the next */
};

/* Sorted lists; those of like length are merged as they come. */
struct name_runs {
    struct mem_budget *budget;
    struct name_run {
        struct arena memory; /* of the array */
        struct str *items;
        size_t n;
    } runs[NAME_RUNS_MAX];
    size_t n;
};

void name_runs_done(struct name_runs *r);
/* Adds a list that is sorted and has no text twice: the array is copied. Errors: those of the arena. */
MUST_USE enum err name_runs_add(struct name_runs *r, const struct str *items, size_t n);
/* All of them as one list, as long as `r` lives. Errors: those of the arena. */
MUST_USE enum err name_runs_merge(struct name_runs *r, const struct str **ret_items, size_t *ret_n);

#endif
