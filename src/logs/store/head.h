/* The head: recent lines in memory, by stream, in order of arrival.
 *
 * Appended to under the store's lock. Readers take a reference and a snapshot (first rows, count) under the
 * same lock and then read without it: rows once counted never move or change. */
#ifndef CAIRN_LOGS_STORE_HEAD_H
#define CAIRN_LOGS_STORE_HEAD_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "labels/labels.h"
#include "logs/model/sink.h"

struct head_entry {
    ts_ns ts;
    const char *line;
    uint32_t line_n;
    uint32_t meta_n;
    const struct label *meta;
};

struct head_rows { /* full but for the last of a stream */
    struct head_rows *next;
    uint32_t n, cap;
    struct head_entry e[];
};

struct head_stream {
    struct str tenant;
    struct labels labels;
    uint64_t hash;
    struct hash128 key; /* tenant and labels */
    struct head_rows *first, *last;
    uint64_t count, line_bytes;
    ts_ns ts_min, ts_max;
    bool sorted; /* rows are in order of ts */
    /* (ts, line) of every row once a row did not come strictly later than all before: open addressing. */
    struct hash128 *seen;
    size_t seen_cap;
};

enum {
    HEAD_META_CACHE = 256
};

struct head {
    atomic_uint refs; /* release on unref, acquire before freeing */
    struct arena arena;
    struct head_stream **streams; /* in order of creation */
    size_t stream_count, stream_cap;
    struct head_stream **table; /* by key, open addressing */
    size_t table_cap;
    uint64_t entries, bytes; /* bytes: lines, metadata and the rows themselves */
    ts_ns ts_min, ts_max;
    int64_t born_mono_ns; /* of the first entry; 0 = none */
    uint64_t wal_before;  /* set when cut: records below it are in this head or an older one */
    struct {
        uint64_t hash;
        struct labels set;
    } meta_cache[HEAD_META_CACHE];
};

MUST_USE enum err log_head_new(struct head **ret_head);
struct head *head_ref(struct head *h);
void head_unref(struct head *h); /* accepts NULL */

/* Copies the entry in. *ret_added is false for one already here; *ret_entry is the stored row. */
MUST_USE enum err head_stream_get(struct head *h, struct str tenant, struct labels labels,
                                  struct head_stream **ret_stream);
MUST_USE enum err head_append(struct head *h, struct head_stream *s, const struct log_entry *e,
                              bool *ret_added);

/* Sorts rows by ts; those of equal ts keep their order. Errors: OOM. */
MUST_USE enum err rows_sort(struct head_entry *rows, size_t n);

/* What tells two entries of one stream apart: their times, lines and metadata. */
struct hash128 line_key(ts_ns ts, struct str line, struct labels metadata);

static inline struct hash128 row_key(const struct head_entry *row)
{
    return line_key(row->ts, str_of(row->line, row->line_n), (struct labels){row->meta, row->meta_n});
}

#endif
