/* Reading a section's index: matchers run once for each symbol, then the series are walked once. */
#ifndef CAIRN_METRICS_TSDB_SECTION_H
#define CAIRN_METRICS_TSDB_SECTION_H

#include "labels/matcher.h"
#include "metrics/tsdb/block.h"

struct section_column {
    ts_ms first;
    uint32_t n;
    struct str times;
};

struct section_schema {
    uint32_t n;
    struct str names; /* varints of symbols */
};

struct section_page {
    struct str data;
    uint32_t crc;
    uint8_t checked; /* 0 unknown, 1 good, 2 bad */
};

struct section_reader {
    struct arena *a;
    struct str *symbols;
    size_t symbol_count;
    struct section_column *columns;
    size_t column_count;
    struct section_schema *schemas;
    size_t schema_count;
    struct section_page *pages;
    size_t page_count;
    uint64_t series_left;
    struct reader r;      /* at the next series */
    size_t page, page_at; /* where the next chunk's data stands */
    uint8_t **verdict;    /* of matcher i on symbol s: 0 unknown, 1 accepts, 2 refuses */
    const struct matcher *matchers;
    size_t matcher_count;
    bool impossible; /* a matcher wants a value that is not here */
};

struct section_chunk {
    uint32_t column; /* UINT32_MAX: own times */
    uint32_t first_tick, count;
    uint8_t mode;
    ts_ms min_ts, max_ts;
    struct str times, values;
};

/* Errors: CORRUPT, OOM, LIMIT. Results live in the arena and the block's mapping. */
MUST_USE enum err section_open(struct section_reader *s, struct block *b, struct block_section *sec,
                               const struct matcher *matchers, size_t matcher_count, struct arena *a);
/* The next series that matches: its labels (views; the array in `a`) and number of chunks, all of which must
 * be read by section_chunk_next before the next call. NOT_FOUND at the end. */
MUST_USE enum err section_series_next(struct section_reader *s, struct arena *a, struct labels *ret_labels,
                                      uint64_t *ret_chunks);
MUST_USE enum err section_chunk_next(struct section_reader *s, struct section_chunk *ret_c);
/* Whether the page of the chunk just read has its checksum. */
bool section_chunk_good(struct section_reader *s);

#endif
