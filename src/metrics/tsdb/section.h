/* Reading a section: matchers run against its postings, then only the series they leave are touched. */
#ifndef CAIRN_METRICS_TSDB_SECTION_H
#define CAIRN_METRICS_TSDB_SECTION_H

#include "labels/matcher.h"
#include "metrics/tsdb/block.h"
#include "metrics/tsdb/match_cache.h"

struct section_column {
    ts_ms first, last;
    uint32_t n;
    struct str times;
};

struct section_schema {
    uint32_t n;
    struct str names; /* varints of symbols */
};

/* Views of the parts of the index; what is small is parsed into the arena. */
struct section_reader {
    struct arena *a;
    struct block *b;
    struct block_section *sec;
    struct match_cache *cache; /* of what expressions left; the caller sets it after section_open, or not */
    uint64_t block;            /* the block's number, for the cache */
    const uint8_t *symbol_ends;
    uint32_t symbol_count;
    struct str symbol_text;
    struct str column_text, schema_text;
    struct section_column *columns; /* these and the schemas after section_select, when it left series */
    uint32_t column_count;
    struct section_schema *schemas;
    uint32_t schema_count;
    const uint8_t *pages;
    uint32_t page_count;
    uint32_t name_count;
    struct str postings;
    uint32_t series_count;
    const uint8_t *restarts;
    struct str series;
    /* After section_select. */
    uint64_t *set;   /* series to come */
    uint32_t at;     /* the next to look at */
    struct reader r; /* of the present series */
    size_t page, page_at;
    bool first_chunk;
    uint32_t column, tick_end;
};

/* Where the pages of a section end, and their checksums. */
struct section_pages {
    const struct block *b;
    struct block_section *sec;
    const uint8_t *table;
    uint32_t count;
};

struct section_chunk {
    uint32_t column; /* UINT32_MAX: own times */
    uint32_t first_tick, count;
    uint32_t page;
    uint8_t mode;
    ts_ms min_ts, max_ts; /* of one with own times */
    struct str times, values;
};

/* Errors: CORRUPT, OOM, LIMIT. Results live in the arena and the block's mapping. */
MUST_USE enum err section_open(struct section_reader *s, struct block *b, struct block_section *sec,
                               struct arena *a);
/* Reads what series need. section_select does it. Errors: CORRUPT, OOM, LIMIT. */
MUST_USE enum err section_series_begin(struct section_reader *s);
/* Chooses the series that match. Errors: CORRUPT, OOM, LIMIT. */
MUST_USE enum err section_select(struct section_reader *s, const struct matcher *m, size_t n);
/* The next series that was chosen: its labels (views; the array in `a`) and number of chunks. NOT_FOUND at
 * the end. */
MUST_USE enum err section_series_next(struct section_reader *s, struct arena *a, struct labels *ret_labels,
                                      uint64_t *ret_chunks);
/* At most as often as there are chunks. */
MUST_USE enum err section_chunk_next(struct section_reader *s, struct section_chunk *ret_c);
/* Whether the page of the chunk just read has its checksum. */
bool section_chunk_good(struct section_reader *s);
/* The same later: the pages, which may be looked at as long as the block is held, and whether one is good. */
struct section_pages section_pages(const struct section_reader *s);
bool section_page_good(const struct section_pages *p, uint32_t page);

struct str section_symbol(const struct section_reader *s, uint32_t symbol);
/* The symbol's number, or UINT32_MAX. */
uint32_t section_symbol_find(const struct section_reader *s, struct str text);

/* Walking the postings: names ascending, of each the values ascending. */
struct section_name {
    uint32_t symbol, value_count;
    struct str values;
};
struct section_value {
    uint32_t symbol;
    struct str runs;
};
/* `r` begins as reader_of(s->postings). NOT_FOUND at the end, CORRUPT. */
MUST_USE enum err section_name_next(const struct section_reader *s, struct reader *r,
                                    struct section_name *ret_name);
/* `r` begins as reader_of(name->values), *ret_v zeroed before the first. NOT_FOUND at the end, CORRUPT. */
MUST_USE enum err section_value_next(const struct section_reader *s, struct reader *r,
                                     struct section_value *ret_v);
/* Whether any series of the set (NULL: of all) has the value; and adding those that do. */
bool section_value_in(const struct section_reader *s, const struct section_value *v, const uint64_t *set);
MUST_USE enum err section_value_add(const struct section_reader *s, const struct section_value *v,
                                    uint64_t *set);

#endif
