/* Streaming aggregations: the groups being filled. Private to this folder. */
#ifndef CAIRN_METRICS_PROMQL_STREAM_H
#define CAIRN_METRICS_PROMQL_STREAM_H

#include "metrics/promql/functions.h"
#include "metrics/promql/rows.h"

/* One group: columns over the steps. */
struct stream_group {
    struct labels labels;
    uint64_t hash, order; /* order: of the first of its series */
    struct labels first;  /* labels of its first series, in the order of labels */
    double *a, *c, *n;    /* sum or extreme; compensation; number of elements. Those not needed are NULL */
    uint8_t *state;       /* 0: nothing yet; 1: a value; 2: avg runs incrementally */
    bool begun;           /* it has a row */
    size_t from, to;      /* all states of these steps are 1; of count and group: the span of whole_rows */
    size_t whole_rows; /* of count and group: rows with a point at each step of it, not yet in n and state */
    uint64_t last_order; /* plus one; 0: no series yet */
};

struct stream {
    struct eval *e;
    const struct node *n;
    struct str *names; /* sorted */
    size_t name_count;
    struct stream_group *groups;
    size_t group_count, group_cap;
    uint32_t *slots; /* hash table: group + 1 */
    size_t slot_count;
    bool drops_name;
    bool other;     /* the plain way is needed after all */
    bool unordered; /* some series has no order: that of labels counts */
};

/* Reads the operand and folds its rows into the groups. */
MUST_USE enum err stream_fold(struct stream *s);
/* The group of this hash, or NULL in *ret_group and room for it at *ret_slot. */
MUST_USE enum err stream_find(struct stream *s, uint64_t hash, struct stream_group **ret_group,
                              uint32_t **ret_slot);
/* Adds an empty group with these labels, which must live as long as the query, at the slot. */
MUST_USE enum err stream_add_group(struct stream *s, struct labels labels, uint64_t hash, uint32_t *slot,
                                   struct stream_group **ret_group);

/* One group on its own, its labels given: its columns; a row of floats into them; what comes out. */
MUST_USE enum err stream_group_init(struct eval *e, enum aggregate_op op, struct stream_group *g);
void stream_group_fold(const struct eval *e, enum aggregate_op op, struct stream_group *g, const double *v,
                       const uint8_t *has);
MUST_USE enum err stream_group_finish(struct eval *e, enum aggregate_op op, struct stream_group *g,
                                      struct series *ret_row);

/* Rows that were only counted go into the columns. */
void stream_settle(struct stream_group *g);

/* stream_parts.c: stream_fold, the steps shared out among the processors that are free. */
MUST_USE enum err stream_fold_parts(struct stream *s);

#endif
