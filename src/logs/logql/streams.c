/* Log queries: lines from the source through the pipeline into streams. */
#include "logs/logql/streams.h"

#include <stdlib.h>

#include "base/hash.h"

struct row {
    struct logql_stream s;
    struct str text; /* labels as clients see them: the order of streams */
    struct logql_entry *entries;
    size_t cap;
};

struct job {
    const struct logql_request *r;
    struct arena *a;
    struct pipeline p;
    struct row *rows;
    size_t n, cap;
    uint32_t *slots; /* open addressing over rows; 0 = free, else index + 1 */
    size_t slot_cap;
    size_t entries;
    ts_ns last; /* of the entry put out last */
    uint64_t lines;
};

static enum err slots_reserve(struct job *j)
{
    if (j->slot_cap && (j->n + 1) * 2 <= j->slot_cap) {
        return ERR_OK;
    }
    size_t cap = j->slot_cap ? j->slot_cap * 2 : 64;
    uint32_t *slots = arena_zarray(j->a, cap, sizeof(*slots));
    if (!slots) {
        return arena_err(j->a);
    }
    for (size_t i = 0; i < j->n; i++) {
        size_t slot = labels_hash(j->rows[i].s.labels) & (cap - 1);
        while (slots[slot]) {
            slot = (slot + 1) & (cap - 1);
        }
        slots[slot] = (uint32_t)(i + 1);
    }
    j->slots = slots;
    j->slot_cap = cap;
    return ERR_OK;
}

static enum err row_new(struct job *j, struct labels ls, size_t slot)
{
    struct buf text AUTO_BUF = {0};
    enum err e = arena_reserve(j->a, (void **)&j->rows, &j->cap, j->n + 1, sizeof(*j->rows));
    if (e) {
        return e;
    }
    struct row *row = &j->rows[j->n];
    *row = (struct row){0};
    e = labels_dup(j->a, ls, &row->s.labels);
    labels_format_loki(&text, ls);
    row->text = e || text.err ? (struct str){0} : arena_str(j->a, buf_view(&text));
    if (!row->text.p) {
        return e ? e : ERR_OOM;
    }
    j->slots[slot] = (uint32_t)++j->n;
    return ERR_OK;
}

/* The stream of these labels. */
static enum err row_of(struct job *j, struct labels ls, struct row **ret_row)
{
    enum err e = slots_reserve(j);
    if (e) {
        return e;
    }
    size_t slot = labels_hash(ls) & (j->slot_cap - 1);
    while (j->slots[slot] && !labels_eq(j->rows[j->slots[slot] - 1].s.labels, ls)) {
        slot = (slot + 1) & (j->slot_cap - 1);
    }
    e = j->slots[slot] ? ERR_OK : row_new(j, ls, slot);
    if (!e) {
        *ret_row = &j->rows[j->slots[slot] - 1];
    }
    return e;
}

static enum err put(struct job *j, ts_ns ts, struct str line)
{
    struct builder *b = &j->p.b;
    struct row *row = NULL;
    struct logql_entry entry = {.ts = ts};
    struct labels ls = j->r->categorize_labels ? builder_category(b, LABEL_STREAM) : builder_sorted(b);
    enum err e = b->out_of_memory ? ERR_OOM : row_of(j, ls, &row);
    if (!e && j->r->categorize_labels) {
        e = labels_dup(j->a, builder_category(b, LABEL_METADATA), &entry.metadata);
        e = e ? e : labels_dup(j->a, builder_category(b, LABEL_PARSED), &entry.parsed);
    }
    e = e ? e
          : arena_reserve(j->a, (void **)&row->entries, &row->cap, row->s.entry_count + 1,
                          sizeof(*row->entries));
    if (e) {
        return e;
    }
    entry.line = arena_str(j->a, line);
    if (!entry.line.p) {
        return arena_err(j->a);
    }
    row->entries[row->s.entry_count++] = entry;
    row->s.entries = row->entries;
    j->entries++;
    j->last = ts;
    return ERR_OK;
}

/* At most one entry an interval, over all streams. */
static bool due(const struct job *j, ts_ns ts)
{
    int64_t interval = j->r->interval_ns;
    if (interval == 0 || j->entries == 0) {
        return true;
    }
    return j->r->backward ? ts <= j->last - interval : ts >= j->last + interval;
}

static enum err read_batch(struct job *j, struct query_ctx *q, const struct log_batch *b,
                           struct logql_stats *stats, struct err_info *info)
{
    for (size_t i = 0; i < b->count && j->entries < j->r->limit; i++) {
        struct str line = b->lines[i];
        if (++j->lines % LOGQL_CHECK_EVERY == 0) {
            enum err e = query_ctx_check(q, info);
            if (e) {
                return e;
            }
        }
        struct labels metadata = b->metadata ? b->metadata[i] : (struct labels){0};
        bool passes = pipeline_line(&j->p, b->streams[b->stream[i]].labels, metadata, b->ts[i], &line);
        if (j->p.b.out_of_memory) {
            return err_set(info, ERR_OOM, "not enough memory");
        }
        if (!passes) {
            continue;
        }
        stats->lines_matched++;
        enum err e = due(j, b->ts[i]) ? put(j, b->ts[i], line) : ERR_OK;
        if (e) {
            return err_set(info, e, "the result needs more memory than one query may have; lower the limit");
        }
    }
    return ERR_OK;
}

static int compare_rows(const void *a, const void *b)
{
    return str_cmp(((const struct row *)a)->text, ((const struct row *)b)->text);
}

static enum err finish(struct job *j, struct logql_result *result)
{
    struct logql_stream *streams = arena_array(j->a, j->n + 1, sizeof(*streams));
    if (!streams) {
        return arena_err(j->a);
    }
    if (j->n > 1) {
        qsort(j->rows, j->n, sizeof(*j->rows), compare_rows);
    }
    for (size_t i = 0; i < j->n; i++) {
        streams[i] = j->rows[i].s;
    }
    result->kind = LOGQL_STREAMS;
    result->streams = streams;
    result->stream_count = j->n;
    return ERR_OK;
}

static enum err read_all(struct job *j, struct log_source *s, struct query_ctx *q, const struct log_expr *log,
                         struct logql_stats *stats, struct err_info *info)
{
    struct selection sel;
    struct log_cursor *c = NULL;
    struct log_batch b;
    enum err e = selection_init(&sel, j->a, log, &j->p);
    if (e) {
        return e;
    }
    sel.select.start_ns = j->r->start_ns;
    sel.select.end_ns = j->r->end_ns;
    sel.select.order = j->r->backward ? LOG_BACKWARD : LOG_FORWARD;
    sel.select.limit = selection_is_exact(&sel, &j->p) && j->r->interval_ns == 0 ? j->r->limit : 0;
    sel.select.lines_needed = true;
    sel.select.metadata_needed = true;
    e = s->ops->select(s, q, &sel.select, &c, info);
    while (!e && j->entries < j->r->limit) {
        e = s->ops->next(c, &b, info);
        if (!e) {
            stats->lines_read += b.count;
            stats->bytes_read += b.bytes_read;
            e = read_batch(j, q, &b, stats, info);
        }
    }
    s->ops->close(c);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

enum err streams_query(struct log_source *s, struct query_ctx *q, const struct logql_request *r,
                       const struct log_expr *log, struct arena *a, struct logql_result *result,
                       struct err_info *info)
{
    struct job *j = arena_zalloc(a, sizeof(*j));
    if (!j) {
        return arena_err(a);
    }
    j->r = r;
    j->a = a;
    enum err e = pipeline_init(&j->p, a, log, false, info);
    e = e ? e : pipeline_hints_log(&j->p);
    e = e ? e : read_all(j, s, q, log, &result->stats, info);
    e = e ? e : finish(j, result);
    pipeline_done(&j->p);
    return e;
}
