/* The index of a Prometheus block, read in place.
 *
 * Opening checks the table of contents, the symbols and the table of postings; every series and list of
 * postings has its checksum verified when it is read. An open index never changes: any thread. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_INDEX_H
#define CAIRN_METRICS_PROMTSDB_PROM_INDEX_H

#include "base/arena.h"
#include "base/clock.h"
#include "disk/file.h"
#include "labels/labels.h"
#include "labels/matcher.h"
#include "metrics/promtsdb/prom_format.h"

struct prom_name {
    struct str name;
    uint64_t at;     /* of its first entry, in the postings table; in v1 its number among the sorted */
    uint32_t values; /* how many entries */
    size_t mark;     /* of its first mark */
};

struct prom_pair { /* v1: the table sorted */
    struct str name, value;
    uint64_t postings;
};

struct prom_index {
    struct file_map map;
    struct str data;
    unsigned version;
    uint64_t toc[PROM_TOC_ENTRIES];
    uint32_t symbol_count;
    uint64_t *symbol_marks;  /* place of every 8th symbol */
    struct str table;        /* entries of the postings table */
    struct prom_name *names; /* ascending; the first is "" when there is a list of all series */
    size_t name_count, name_cap;
    uint64_t *marks; /* place of every 32nd value of each name */
    size_t mark_count, mark_cap;
    struct prom_pair *pairs; /* v1 only */
    size_t pair_count, pair_cap;
};

/* Errors: CORRUPT (info says what), NOT_FOUND, IO, OOM. */
MUST_USE enum err prom_index_open(const char *path, struct prom_index *ret_ix, struct err_info *info);
/* The same over bytes that outlive it. */
MUST_USE enum err prom_index_parse(struct str data, struct prom_index *ret_ix, struct err_info *info);
void prom_index_done(struct prom_index *ix); /* accepts a zeroed struct */

struct prom_chunk_meta {
    uint64_t ref; /* of a block: file number << 32 | offset */
    ts_ms min_ts, max_ts;
};

struct prom_series {
    struct labels labels;
    const struct prom_chunk_meta *chunks;
    size_t chunk_count;
};

/* Arrays in the arena, text in the index. Errors: CORRUPT, those of the arena. */
MUST_USE enum err prom_index_series(const struct prom_index *ix, uint32_t id, struct arena *a,
                                    struct prom_series *ret_series);

/* Ids in ascending order, which is the order of labels. */
struct prom_ids {
    uint32_t *ids;
    size_t n;
};

/* The series all matchers accept (none: all series). Errors: CORRUPT, those of the arena. */
MUST_USE enum err prom_index_select(const struct prom_index *ix, const struct matcher *m, size_t n,
                                    struct arena *a, struct prom_ids *ret_ids);

/* NULL when no series has the label. */
const struct prom_name *prom_index_name(const struct prom_index *ix, struct str name);

/* The values of a name, ascending. */
struct prom_values {
    const struct prom_index *ix;
    const struct prom_name *name;
    uint32_t at;    /* the next */
    uint64_t place; /* of it */
    struct str value;
    uint64_t postings;
};
struct prom_values prom_values_of(const struct prom_index *ix, const struct prom_name *name);
/* False at the end. */
bool prom_values_next(struct prom_values *v);

/* A list of ids as it stands in the index. */
struct prom_postings {
    const uint8_t *p;
    uint32_t n;
};
MUST_USE enum err prom_index_postings(const struct prom_index *ix, uint64_t offset,
                                      struct prom_postings *ret_p);
static inline uint32_t prom_posting(const struct prom_postings *p, size_t i)
{
    return prom_be32(p->p + i * 4);
}
/* Whether the list has any of the ids. */
bool prom_postings_meet(const struct prom_postings *p, const struct prom_ids *ids);

#endif
