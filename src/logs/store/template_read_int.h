/* A page of templates as it is read. Private to template_read.c and template_find.c. */
#ifndef CAIRN_LOGS_STORE_TEMPLATE_READ_INT_H
#define CAIRN_LOGS_STORE_TEMPLATE_READ_INT_H

#include "logs/store/template_int.h"

struct column {
    enum column_kind kind;
    struct str prefix, suffix;
    struct str pool, numbers; /* what is left of them for the values */
    bool loaded;
    /* words */
    struct str *words;
    uint64_t *word_of, word_count;
    /* texts: value i is pool[offsets[i], offsets[i + 1] - 1); a line feed is behind it */
    uint32_t *offsets;
    /* numbers, and hexadecimal ones */
    uint64_t *values, width, largest;
    const uint8_t *nibbles;
};

struct page_template {
    struct str key;
    uint32_t first, rows; /* in p->sorted */
    uint32_t column, slots;
};

struct template_page {
    struct arena *arena;
    uint32_t rows, template_count;
    uint64_t *number_of; /* by row: template + 1; 0 = none */
    uint32_t *sorted;    /* rows by template; those without one first */
    uint32_t *ordinal;   /* of each row in its template */
    uint32_t rest_rows;
    struct page_template *templates;
    struct column *columns;
    struct str rest;
    uint32_t *rest_offsets; /* by ordinal; NULL until lengths are known */
    struct buf scratch;
};

/* Decodes a column of n values, once. Errors: CORRUPT, OOM, LIMIT. */
MUST_USE enum err template_load(struct template_page *p, struct column *c, uint32_t n);
/* Value i of a loaded column, without prefix and suffix. `own` has TEMPLATE_HEX_MAX bytes, for values that
 * are not text yet. */
struct str template_value(const struct column *c, uint32_t i, char *own);
/* Errors: CORRUPT, OOM, LIMIT. */
MUST_USE enum err template_append_line(struct template_page *p, uint32_t row, struct buf *dst);

#endif
