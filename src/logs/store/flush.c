/* Heads become blocks: one block a tenant, streams in order of labels, rows in order of time.
 *
 * A head leaves memory in the same moment as its blocks enter the list, so a query sees its lines once; only
 * when the manifest says so may the write-ahead log forget them. A flush that fails leaves everything as it
 * was and is tried again. */
#include <stdlib.h>

#include "base/mem.h"
#include "logs/store/store_int.h"

enum err store_cut(struct log_store *s)
{
    if (s->waiting_n == HEADS_WAITING_MAX) {
        return ERR_LIMIT;
    }
    struct head *fresh = NULL;
    enum err e = log_head_new(&fresh);
    if (e) {
        return e;
    }
    uint64_t before = ingest_log_end(s->wal);
    for (const struct push_ticket *t = s->tickets; t; t = t->next) {
        before = t->from < before ? t->from : before;
    }
    s->active->wal_before = before;
    s->waiting[s->waiting_n++] = s->active;
    s->active = fresh;
    return ERR_OK;
}

static int by_tenant_and_labels(const void *a, const void *b)
{
    const struct head_stream *x = *(struct head_stream *const *)a, *y = *(struct head_stream *const *)b;
    int c = str_cmp(x->tenant, y->tenant);
    return c ? c : labels_cmp(x->labels, y->labels);
}

static enum err write_rows(struct block_writer *w, const struct head_entry *rows, size_t n,
                           struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < n; i++) {
        e = block_writer_row(w, &rows[i], info);
    }
    return e;
}

/* Rows in order of arrival, sorted by time first. */
static enum err write_unsorted(struct block_writer *w, const struct head_stream *s, struct err_info *info)
{
    struct head_entry *rows = mem_array((size_t)s->count, sizeof(*rows));
    size_t n = 0;
    for (const struct head_rows *r = rows ? s->first : NULL; r; r = r->next) {
        memcpy(rows + n, r->e, r->n * sizeof(*rows));
        n += r->n;
    }
    enum err e = rows ? rows_sort(rows, n) : ERR_OOM;
    e = e ? err_set(info, e, "no memory to sort a stream") : write_rows(w, rows, n, info);
    mem_free(rows);
    return e;
}

static enum err write_stream(struct block_writer *w, const struct head_stream *s, struct err_info *info)
{
    enum err e = block_writer_stream(w, s->labels, info);
    if (!e && !s->sorted) {
        return write_unsorted(w, s, info);
    }
    for (const struct head_rows *r = s->first; !e && r; r = r->next) {
        e = write_rows(w, r->e, r->n, info);
    }
    return e;
}

/* Streams of one tenant become a block. */
static enum err write_block(struct log_store *s, struct head_stream *const *streams, size_t n,
                            struct block **ret_b, struct err_info *info)
{
    struct buf path AUTO_BUF = {0};
    struct str name = {0};
    struct block_writer *w = NULL;
    uint64_t number = 0, rows = 0;
    enum err e = blocks_new_path(s, streams[0]->tenant, &path, &name, &number);
    e = e ? err_set(info, e, "no memory to flush")
          : block_writer_new(path.p, streams[0]->tenant, 0, s->o.group_bytes, &w, info);
    for (size_t i = 0; !e && i < n; i++) {
        e = write_stream(w, streams[i], info);
    }
    if (e) {
        block_writer_abort(w);
        return e;
    }
    e = log_block_writer_finish(w, &rows, info);
    return e ? e : log_block_open(path.p, name, number, ret_b, info);
}

static size_t same_tenant(struct head_stream *const *streams, size_t n)
{
    size_t k = 1;
    while (k < n && str_eq(streams[k]->tenant, streams[0]->tenant)) {
        k++;
    }
    return k;
}

static size_t streams_of(const struct head *h, struct head_stream **streams)
{
    size_t n = 0;
    for (size_t i = 0; i < h->stream_count; i++) {
        if (h->streams[i]->count) {
            streams[n++] = h->streams[i];
        }
    }
    if (n > 1) {
        qsort(streams, n, sizeof(struct head_stream *), by_tenant_and_labels);
    }
    return n;
}

static enum err flush_head(struct log_store *s, const struct head *h, struct err_info *info)
{
    struct head_stream **streams = mem_array(h->stream_count + 1, sizeof(struct head_stream *));
    struct block **fresh = mem_array(h->stream_count + 1, sizeof(struct block *));
    size_t n = streams ? streams_of(h, streams) : 0, fresh_n = 0;
    enum err e = streams && fresh ? ERR_OK : err_set(info, ERR_OOM, "no memory to flush");
    for (size_t at = 0; !e && at < n;) {
        size_t k = same_tenant(streams + at, n - at);
        e = write_block(s, streams + at, k, &fresh[fresh_n], info);
        fresh_n += !e;
        at += k;
    }
    if (!e) {
        struct block_change ch = {
            .fresh = fresh, .fresh_n = fresh_n, .head_done = true, .wal_from = h->wal_before};
        e = blocks_change(s, &ch, info);
    }
    for (size_t i = 0; e && i < fresh_n;
         i++) { /* their files go at the next start, when they are not named */
        log_block_unref(fresh[i]);
    }
    mem_free(fresh);
    mem_free(streams);
    return e;
}

enum err store_flush_oldest(struct log_store *s, struct err_info *info)
{
    enum err e = flush_head(s, s->waiting[0], info);
    mutex_lock(&s->lock);
    s->heads_flushed += !e;
    s->flush_failures += e != ERR_OK;
    mutex_unlock(&s->lock);
    return e;
}

enum err store_flush_all(struct log_store *s, struct err_info *info)
{
    enum err e = ERR_OK;
    for (bool cut = false; !e && !cut;) {
        mutex_lock(&s->lock);
        cut = s->waiting_n < HEADS_WAITING_MAX;
        e = cut && s->active->entries ? store_cut(s) : ERR_OK;
        size_t left = cut ? s->waiting_n : 1;
        mutex_unlock(&s->lock);
        for (; !e && left; left--) { /* pushes may add heads meanwhile: those are newer */
            e = store_flush_oldest(s, info);
        }
    }
    return e;
}
