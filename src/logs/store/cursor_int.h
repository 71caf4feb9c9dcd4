/* Inside of a cursor: runs of rows (one stream of one part) merged by time.
 *
 * A part is a head or a block. Parts are opened, and the rows of a run decoded, only when the merge gets to
 * them, so that a query with a limit touches little. A cursor belongs to one thread. */
#ifndef CAIRN_LOGS_STORE_CURSOR_INT_H
#define CAIRN_LOGS_STORE_CURSOR_INT_H

#include "logs/store/block.h"
#include "logs/store/find.h"
#include "query/log_source.h"

struct log_store;
struct log_cursor;
struct run;

struct head_snap { /* a head's stream as it was when the query began */
    const struct head_stream *stream;
    const struct head_rows *first;
    uint64_t count, line_bytes;
    ts_ns ts_min, ts_max;
    bool sorted;
};

struct row_range { /* of a stream that the query selects */
    uint32_t first, end;
};

/* A group of a block as the query sees it: the rows that its streams, times and filters leave. Shared by the
 * runs that touch the group, freed when none of them needs it and no row of it waits to be handed out. */
struct group_view {
    struct part *part;
    size_t group;
    uint32_t pins; /* runs that hold rows of it, and the batch being handed out */
    size_t n;
    struct head_entry *rows;
    uint32_t *numbers;       /* of the rows in the block, ascending */
    bool read_late;          /* rows have their lines although the query did not ask for them */
    bool decoded;            /* first_ts and last_ts are known */
    ts_ns first_ts, last_ts; /* of the group's first and last row, filtered or not */
    struct buf text;
    size_t charged; /* for the text */
    struct arena arena;
};

struct part {
    struct head *head;
    const struct head_snap *snaps;
    size_t snap_count;
    struct block *block; /* or a head */
    struct group_view **views;
    uint32_t *uses; /* by group: runs that are yet to take rows from it */
    struct row_range *ranges;
    size_t range_n, range_cap;
    ts_ns ts_min, ts_max;
    uint32_t order; /* older data first: breaks ties of time and stream */
};

/* Appends the next rows of a run, ascending, filtered, inside the time range; sets run->done when there are
 * no more, else run->bound, before which (after which, going backward) none of the rest lies. */
typedef enum err run_load_fn(struct log_cursor *c, struct run *r, struct err_info *info);

struct run {
    ts_ns key; /* of the next row; of the bound when no row is loaded */
    ts_ns bound;
    uint32_t stream, order;
    bool done; /* nothing left to load */
    struct run *stream_next;
    run_load_fn *load;
    struct head_entry *rows; /* in the order they leave; [row_pos, row_n) are left */
    size_t row_pos, row_n, row_cap;
    size_t held; /* going backward: the first rows, whose time may go on in what is not loaded yet */
    const struct head_snap *snap;
    const struct head_rows **chunks;
    size_t chunk_n, chunk_pos;
    struct part *part; /* of a block: the rest is its */
    struct row_range range;
    size_t group_lo, group_hi; /* groups left */
    struct group_view **pins;
    size_t pin_n, pin_cap;
};

/* A line filter made ready: texts are looked for by their rarer bytes. An expression that is nothing but
 * texts between bars is the texts. */
struct filter {
    const struct log_line_filter *f;
    struct finder *texts; /* NULL: ask the expression */
    size_t text_n;
    struct finder
        needed; /* for an expression: a text that whatever it accepts has; empty when none is seen */
    bool wants; /* a hit accepts the line; else it refuses it */
};

struct cursor_stream {
    uint32_t live; /* runs not at their end */
    struct run *runs;
};

struct log_cursor {
    struct tail *tail;     /* set for a live tail, which has nothing else */
    uint64_t map_failures; /* when it began */
    struct query_ctx *q;
    struct log_select sel; /* matchers and filters stay the caller's */
    struct arena arena;
    bool backward;
    struct str tenant;
    struct filter *filters;
    struct group_view **unpin; /* held for the batch that was handed out last */
    size_t unpin_n, unpin_cap;

    struct part *parts; /* in the order in which they are to be opened */
    size_t part_count, part_next;

    struct log_stream_view *views;
    struct cursor_stream *streams;
    size_t stream_count, stream_cap, view_cap;
    uint32_t *stream_table; /* index + 1 by hash */
    size_t stream_table_cap;

    struct run **heap;
    size_t heap_n, heap_cap;
    struct run **all; /* to free their rows */
    size_t run_count, run_cap;

    /* lines already handed out for (dup_ts, dup_stream), when several parts may hold them */
    ts_ns dup_ts;
    uint32_t dup_stream;
    struct hash128 *dup;
    size_t dup_n, dup_cap;

    ts_ns *out_ts;
    struct str *out_lines;
    uint32_t *out_stream;
    struct labels *out_meta;
    size_t out_n, out_line_bytes;
    bool out_has_meta;
    uint64_t bytes_read;
    size_t emitted;
    size_t budget_bytes; /* taken from the query's budget for row buffers */
};

/* runs.c */
MUST_USE enum err cursor_open_part(struct log_cursor *c, struct part *p, struct err_info *info);
/* The stream's index, made when new. */
MUST_USE enum err cursor_stream_index(struct log_cursor *c, struct labels labels, uint64_t hash,
                                      uint32_t *ret_index);
MUST_USE enum err run_push_row(struct log_cursor *c, struct run *r, const struct head_entry *row);
/* Loads rows into a run that has none: afterwards it has some, is done, or has a later bound. */
MUST_USE enum err run_advance(struct log_cursor *c, struct run *r, struct err_info *info);
MUST_USE enum err cursor_grow(struct log_cursor *c, void **items, size_t *cap, size_t need, size_t item_size);

/* Frees the run's rows. */
void run_release(struct log_cursor *c, struct run *r);
/* Lets go of what only the last batch needed. */
void cursor_unpin(struct log_cursor *c);

/* cursor.c. There is room: add_run made it. */
void cursor_heap_push(struct log_cursor *c, struct run *r);

/* Makes a run of the template and puts it into the heap. */
MUST_USE enum err cursor_add_run(struct log_cursor *c, const struct run *template);
/* Memory outside of the arena, against the query's budget. LIMIT when it is spent; it is charged all the
 * same.
 */
MUST_USE enum err cursor_charge(struct log_cursor *c, size_t bytes);
void cursor_discharge(struct log_cursor *c, size_t bytes);

/* block_run.c */
MUST_USE enum err cursor_open_block(struct log_cursor *c, struct part *p, struct err_info *info);
void group_view_unpin(struct log_cursor *c, struct group_view *v);
/* What the run held of views goes with the batch being made. On failure they stay until the cursor ends. */
MUST_USE enum err run_hand_over_pins(struct log_cursor *c, struct run *r);
/* Frees the views that runs no longer ask for: at the end of the cursor. */
void part_release_views(struct log_cursor *c, struct part *p);

/* group_view.c */
MUST_USE enum err group_view_new(struct log_cursor *c, struct part *p, size_t group,
                                 struct group_view **ret_view);
void group_view_free(struct log_cursor *c, struct group_view *v);
/* A query that needs no lines still needs the text of those that may be there twice: then it is read. Rows of
 * blocks point to themselves in place of their lines until then. CORRUPT: it cannot be known. */
static inline bool lines_unread(const struct log_cursor *c)
{
    return !c->sel.lines_needed;
}
MUST_USE enum err run_row_line(struct log_cursor *c, const struct run *r, const struct head_entry *row,
                               struct str *ret_line);

/* filter.c */
MUST_USE enum err filters_init(struct log_cursor *c);
bool filters_accept(const struct log_cursor *c, struct str line);
/* False when no line of a text with these three-byte sequences can be accepted. */
bool filters_may_accept(const struct log_cursor *c, struct str grams);
/* Clears alive[i] for each row of the page that a filter refuses. `hit` and `lines` have room for its rows.
 * Errors: CORRUPT, OOM, LIMIT. */
MUST_USE enum err filters_apply(const struct log_cursor *c, struct text_page *t, uint8_t *alive, uint8_t *hit,
                                struct str *lines, uint32_t *ret_left);

/* Parts of a tenant that overlap a time range, with references taken. */
MUST_USE enum err store_parts(struct log_store *s, struct str tenant, struct arena *a, ts_ns start, ts_ns end,
                              struct part **ret_parts, size_t *ret_n, struct err_info *info);
void store_parts_release(struct part *parts, size_t n);

#endif
