/* What exists: streams, label names, label values, and how much a selection touches. */
#include <stdlib.h>

#include "base/mem.h"
#include "base/strmap.h"
#include "logs/store/store_int.h"

static enum err each_in_head(const struct part *p, const struct query_ctx *q, const struct log_select *sel,
                             stream_fn *fn, void *ctx)
{
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < p->snap_count; i++) {
        const struct head_snap *s = &p->snaps[i];
        if (s->ts_max >= sel->start_ns && s->ts_min < sel->end_ns && str_eq(s->stream->tenant, q->tenant) &&
            matchers_match(sel->matchers, sel->matcher_count, s->stream->labels)) {
            e = fn(ctx, s->stream->labels, s->stream->hash, s->count, s->line_bytes);
        }
    }
    return e;
}

struct block_scan {
    const struct log_select *sel;
    stream_fn *fn;
    void *ctx;
};

static enum err each_block_stream(void *ctx, const struct block_stream *s)
{
    const struct block_scan *scan = ctx;
    bool wanted = s->ts_max >= scan->sel->start_ns && s->ts_min < scan->sel->end_ns &&
                  matchers_match(scan->sel->matchers, scan->sel->matcher_count, s->labels);
    return wanted ? scan->fn(scan->ctx, s->labels, labels_hash(s->labels), s->rows, s->line_bytes) : ERR_OK;
}

/* A block whose index is damaged is passed over; it was counted when it was opened or is with the next start.
 */
static enum err each_in_block(const struct part *p, const struct log_select *sel, stream_fn *fn, void *ctx)
{
    struct block_scan scan = {sel, fn, ctx};
    enum err e = block_each_stream(p->block, each_block_stream, &scan, NULL);
    return e == ERR_CORRUPT ? ERR_OK : e;
}

enum err source_each_stream(struct log_store *s, struct query_ctx *q, const struct log_select *sel,
                            stream_fn *fn, void *ctx, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, q->budget);
    struct part *parts = NULL;
    size_t n = 0;
    enum err e = store_parts(s, q->tenant, &a, sel->start_ns, sel->end_ns, &parts, &n, reterr_info);
    for (size_t i = 0; !e && i < n; i++) {
        e = query_ctx_check(q, reterr_info);
        if (!e) {
            e = parts[i].block ? each_in_block(&parts[i], sel, fn, ctx)
                               : each_in_head(&parts[i], q, sel, fn, ctx);
        }
    }
    store_parts_release(parts, n);
    if (e == ERR_OOM || e == ERR_LIMIT) {
        err_set(reterr_info, e, "the query needs more memory than it may use");
    }
    return e;
}

/* --- sets of strings --- */

struct set {
    struct strmap map; /* string -> itself */
    struct arena *a;
    struct str *items;
    size_t n, cap;
    struct str name; /* of the label whose values are asked for; empty: names are asked for */
};

static enum err set_add(struct set *s, struct str v)
{
    if (strmap_get(&s->map, v)) {
        return ERR_OK;
    }
    enum err e = arena_reserve(s->a, (void **)&s->items, &s->cap, s->n + 1, sizeof(*s->items));
    struct str copy = e ? (struct str){0} : arena_str(s->a, v);
    if (!copy.p) {
        return e ? e : arena_err(s->a);
    }
    s->items[s->n++] = copy;
    return strmap_put(&s->map, v, s, NULL);
}

static enum err add_stream(void *ctx, struct labels labels, uint64_t hash, uint64_t entries, uint64_t bytes)
{
    struct set *s = ctx;
    (void)hash;
    (void)entries;
    (void)bytes;
    if (s->name.n) {
        struct str v = labels_get(labels, s->name);
        return v.n ? set_add(s, v) : ERR_OK;
    }
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < labels.n; i++) {
        e = set_add(s, labels.l[i].name);
    }
    return e;
}

static int by_bytes(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static enum err collect(struct log_store *s, struct query_ctx *q, struct set *set,
                        const struct log_select *sel, struct str_list *ret_list, struct err_info *info)
{
    enum err e = source_each_stream(s, q, sel, add_stream, set, info);
    strmap_done(&set->map);
    if (e) {
        return e;
    }
    if (set->n) {
        qsort(set->items, set->n, sizeof(*set->items), by_bytes);
    }
    *ret_list = (struct str_list){.items = set->items, .n = set->n};
    return ERR_OK;
}

enum err log_source_label_names(struct log_store *s, struct query_ctx *q, const struct log_select *sel,
                                struct arena *a, struct str_list *ret_names, struct err_info *reterr_info)
{
    struct set set = {.a = a};
    return collect(s, q, &set, sel, ret_names, reterr_info);
}

enum err log_source_label_values(struct log_store *s, struct query_ctx *q, struct str name,
                                 const struct log_select *sel, struct arena *a, struct str_list *ret_values,
                                 struct err_info *reterr_info)
{
    if (name.n == 0) {
        return err_set(reterr_info, ERR_INVALID, "a label name is needed");
    }
    struct set set = {.a = a, .name = name};
    return collect(s, q, &set, sel, ret_values, reterr_info);
}

/* --- streams --- */

struct stream_set {
    struct arena *a;
    struct log_stream_view *views;
    size_t n, cap;
    struct strmap map; /* the hash's bytes -> view number + 1; equal hashes are compared in full */
    struct log_store_volume *volume;
};

static enum err note_stream(void *ctx, struct labels labels, uint64_t hash, uint64_t entries, uint64_t bytes)
{
    struct stream_set *s = ctx;
    if (s->volume) {
        s->volume->chunks++;
        s->volume->entries += entries;
        s->volume->bytes += bytes;
    }
    struct hash128 h = labels_hash128(labels);
    struct str key = str_of((const char *)&h, sizeof(h));
    if (strmap_get(&s->map, key)) {
        return ERR_OK;
    }
    enum err e = strmap_put(&s->map, key, s, NULL);
    e = e ? e : arena_reserve(s->a, (void **)&s->views, &s->cap, s->n + 1, sizeof(*s->views));
    e = e ? e : labels_dup(s->a, labels, &s->views[s->n].labels);
    if (!e) {
        s->views[s->n++].hash = hash;
    }
    return e;
}

static int by_labels(const void *a, const void *b)
{
    const struct log_stream_view *x = a, *y = b;
    return labels_cmp(x->labels, y->labels);
}

enum err source_streams(struct log_store *s, struct query_ctx *q, const struct log_select *sel,
                        struct arena *a, const struct log_stream_view **ret_streams, size_t *ret_n,
                        struct err_info *reterr_info)
{
    struct stream_set set = {.a = a};
    enum err e = source_each_stream(s, q, sel, note_stream, &set, reterr_info);
    strmap_done(&set.map);
    if (e) {
        return e;
    }
    if (set.n) {
        qsort(set.views, set.n, sizeof(*set.views), by_labels);
    }
    *ret_streams = set.views;
    *ret_n = set.n;
    return ERR_OK;
}

enum err log_store_volume(struct log_store *s, struct query_ctx *q, const struct log_select *sel,
                          struct log_store_volume *ret_volume, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, q->budget);
    struct log_store_volume volume = {0};
    struct stream_set set = {.a = &a, .volume = &volume};
    enum err e = source_each_stream(s, q, sel, note_stream, &set, reterr_info);
    strmap_done(&set.map);
    if (e) {
        return e;
    }
    volume.streams = set.n;
    *ret_volume = volume;
    return ERR_OK;
}
