/* The store as a log source: which parts a query sees, and the table of its operations. */
#include "base/mem.h"
#include "logs/store/store_int.h"

/* Under the store's lock: what the head holds now, by stream. */
static enum err snap_head(struct head *h, struct arena *a, struct part *p)
{
    struct head_snap *snaps = arena_array(a, h->stream_count ? h->stream_count : 1, sizeof(*snaps));
    if (!snaps) {
        return arena_err(a);
    }
    for (size_t i = 0; i < h->stream_count; i++) {
        const struct head_stream *s = h->streams[i];
        if (s->count) {
            snaps[p->snap_count++] =
                (struct head_snap){s, s->first, s->count, s->line_bytes, s->ts_min, s->ts_max, s->sorted};
        }
    }
    p->snaps = snaps;
    p->head = head_ref(h);
    p->ts_min = h->ts_min;
    p->ts_max = h->ts_max;
    return ERR_OK;
}

/* lock held */
static enum err snap_all(struct log_store *s, struct str tenant, struct arena *a, ts_ns start, ts_ns end,
                         struct part **ret_parts, size_t *ret_n)
{
    struct block **blocks = NULL;
    size_t block_n = 0, n = 0;
    enum err e = blocks_pick(&s->blocks, tenant, start, end, a, &blocks, &block_n);
    struct part *parts = e ? NULL : arena_zarray(a, block_n + s->waiting_n + 1, sizeof(*parts));
    for (; n < block_n; n++) {
        if (!parts) {
            log_block_unref(blocks[n]);
            continue;
        }
        parts[n] = (struct part){.block = blocks[n],
                                 .ts_min = blocks[n]->ts_min,
                                 .ts_max = blocks[n]->ts_max,
                                 .order = (uint32_t)n};
    }
    if (!parts) {
        return e ? e : arena_err(a);
    }
    for (size_t i = 0; !e && i <= s->waiting_n; i++) {
        struct head *h = i < s->waiting_n ? s->waiting[i] : s->active;
        if (h->entries && h->ts_max >= start && h->ts_min < end) {
            e = snap_head(h, a, &parts[n]);
            parts[n].order = (uint32_t)n;
            n += !e;
        }
    }
    *ret_parts = parts;
    *ret_n = n;
    return e;
}

enum err store_parts(struct log_store *s, struct str tenant, struct arena *a, ts_ns start, ts_ns end,
                     struct part **ret_parts, size_t *ret_n, struct err_info *info)
{
    (void)info;
    struct part *parts = NULL;
    size_t n = 0;
    mutex_lock(&s->lock);
    enum err e = snap_all(s, tenant, a, start, end, &parts, &n);
    mutex_unlock(&s->lock);
    if (e) {
        store_parts_release(parts, parts ? n : 0);
        return e;
    }
    *ret_parts = parts;
    *ret_n = n;
    return ERR_OK;
}

void store_parts_release(struct part *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        head_unref(parts[i].head);
        log_block_unref(parts[i].block);
    }
}

static enum err op_select(struct log_source *src, struct query_ctx *q, const struct log_select *sel,
                          struct log_cursor **ret_cursor, struct err_info *reterr_info)
{
    return cursor_new(store_of_source(src), q, sel, ret_cursor, reterr_info);
}

static enum err op_names(struct log_source *src, struct query_ctx *q, const struct log_select *sel,
                         struct arena *a, struct str_list *ret_names, struct err_info *reterr_info)
{
    return log_source_label_names(store_of_source(src), q, sel, a, ret_names, reterr_info);
}

static enum err op_values(struct log_source *src, struct query_ctx *q, struct str name,
                          const struct log_select *sel, struct arena *a, struct str_list *ret_values,
                          struct err_info *reterr_info)
{
    return log_source_label_values(store_of_source(src), q, name, sel, a, ret_values, reterr_info);
}

static enum err op_streams(struct log_source *src, struct query_ctx *q, const struct log_select *sel,
                           struct arena *a, const struct log_stream_view **ret_streams, size_t *ret_n,
                           struct err_info *reterr_info)
{
    return source_streams(store_of_source(src), q, sel, a, ret_streams, ret_n, reterr_info);
}

static enum err op_tail(struct log_source *src, struct query_ctx *q, const struct log_select *sel,
                        void (*fn)(void *ctx, const struct log_stream_view *stream, ts_ns ts, struct str line,
                                   struct labels metadata),
                        void *ctx, struct log_cursor **ret_cursor, struct err_info *reterr_info)
{
    struct log_store *s = store_of_source(src);
    struct log_cursor *c = mem_zalloc(sizeof(*c));
    enum err e = c ? tail_new(&s->tails, q->tenant, sel, fn, ctx, &c->tail) : ERR_OOM;
    if (e) {
        mem_free(c);
        return err_set(reterr_info, e, "no memory for a live tail");
    }
    *ret_cursor = c;
    return ERR_OK;
}

const struct log_source_ops store_source_ops = {
    .select = op_select,
    .next = log_cursor_next,
    .close = log_cursor_close,
    .label_names = op_names,
    .label_values = op_values,
    .streams = op_streams,
    .tail = op_tail,
};
