/* A block: an immutable file of one tenant's lines, by stream (in order of labels), then by time.
 *
 * Rows are numbered through the block. A group is a range of rows whose columns (times, lengths, text,
 * metadata) are pages of the file; a stream is a range of rows too, and may begin and end inside of a group.
 * docs/formats/log-block.md draws the bytes. A block is shared by reference and read by any thread. */
#ifndef CAIRN_LOGS_STORE_BLOCK_H
#define CAIRN_LOGS_STORE_BLOCK_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/clock.h"
#include "disk/container.h"
#include "labels/labels.h"
#include "logs/store/head.h"
#include "logs/store/text.h"

#define BLOCK_SUFFIX ".block"

enum {
    BLOCK_NAME_BYTES = 256,
    BLOCK_VERSION = 1
};

struct block_group {
    uint32_t first_row, rows, line_bytes;
    uint32_t page; /* times; then lengths, text and, when has_meta, metadata */
    uint32_t grams_at, grams_n;
    ts_ns ts_min, ts_max;
    bool has_meta;
    atomic_bool bad; /* relaxed: a page was damaged when it was read */
};

struct block {
    atomic_uint refs; /* release on unref, acquire before freeing */
    struct container *file;
    char name[BLOCK_NAME_BYTES]; /* of the file, NUL-terminated */
    struct str tenant;
    uint64_t number, rows, line_bytes, file_bytes;
    uint32_t level; /* how often merged */
    ts_ns ts_min, ts_max;
    struct block_group *groups;
    size_t group_count;
    struct str grams;
    struct arena arena;
    atomic_uint bad_groups; /* relaxed: a count */
    bool unmergeable;       /* the maintenance thread's: it could not be read whole */
};

/* --- writing (block_write.c) --- */

struct block_writer;

/* A group is full when its lines would exceed group_bytes (0 = GROUP_BYTES). Errors: those of
 * container_create. */
MUST_USE enum err block_writer_new(const char *path, struct str tenant, uint32_t level, uint64_t group_bytes,
                                   struct block_writer **ret_w, struct err_info *reterr_info);
/* Begins a stream; streams come in order of labels (labels_cmp). Errors: OOM, LIMIT. */
MUST_USE enum err block_writer_stream(struct block_writer *w, struct labels labels,
                                      struct err_info *reterr_info);
/* The next row of the stream, in order of ts. Errors: OOM, LIMIT, NO_SPACE, IO. */
MUST_USE enum err block_writer_row(struct block_writer *w, const struct head_entry *row,
                                   struct err_info *reterr_info);
/* Completes the file and releases w, also on failure. *ret_rows is 0, and there is no file, when no row came.
 */
MUST_USE enum err log_block_writer_finish(struct block_writer *w, uint64_t *ret_rows,
                                          struct err_info *reterr_info);
void block_writer_abort(struct block_writer *w); /* accepts NULL */

/* --- reading (block.c) --- */

/* Errors: NOT_FOUND, CORRUPT, UNSUPPORTED, IO, OOM. */
MUST_USE enum err log_block_open(const char *path, struct str name, uint64_t number, struct block **ret_b,
                                 struct err_info *reterr_info);
struct block *log_block_ref(struct block *b);
void log_block_unref(struct block *b); /* accepts NULL */

struct block_stream {
    struct labels labels; /* strings in the mapping */
    uint32_t first_row, rows;
    uint64_t line_bytes;
    ts_ns ts_min, ts_max;
};

/* Calls fn for each stream in order; `labels.l` is valid during the call only. An error of fn ends it.
 * Errors: CORRUPT, OOM. */
typedef enum err block_stream_fn(void *ctx, const struct block_stream *s);
MUST_USE enum err block_each_stream(struct block *b, block_stream_fn *fn, void *ctx,
                                    struct err_info *reterr_info);

/* One column of a group each; arrays have a place for each of its rows. Errors: CORRUPT (the group is marked
 * and counted as bad), OOM, LIMIT. */
MUST_USE enum err block_read_times(struct block *b, struct block_group *g, ts_ns *ts);
MUST_USE enum err block_read_lengths(struct block *b, struct block_group *g, uint64_t *lengths);
/* Errors from t later on are told by block_mark. */
MUST_USE enum err block_open_text(struct block *b, struct block_group *g, struct arena *a,
                                  struct text_page *t);
/* Marks and counts the group as bad when e is CORRUPT; returns e. */
enum err block_mark(struct block *b, struct block_group *g, enum err e);
/* NULL when no row has any. */
MUST_USE enum err block_read_meta(struct block *b, struct block_group *g, struct arena *a,
                                  const struct labels **ret_rows);
/* What the needles of a search are looked up in. */
static inline struct str block_grams(const struct block *b, const struct block_group *g)
{
    return str_slice(b->grams, g->grams_at, g->grams_at + g->grams_n);
}

/* --- reading row by row, for merges (block.c) --- */

struct block_reader {
    struct block *b;
    size_t group;
    uint32_t at; /* row inside of the group */
    bool loaded;
    ts_ns *ts;
    struct text_page text;
    struct str *lines;
    const struct labels *meta;
    struct arena arena;
};

void block_reader_init(struct block_reader *r, struct block *b);
void block_reader_done(struct block_reader *r);
/* The next row of the block; it is valid until the next call. NOT_FOUND after the last. */
MUST_USE enum err block_reader_next(struct block_reader *r, struct head_entry *ret_row);

#endif
