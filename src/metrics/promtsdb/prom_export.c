/* Span by span: a cursor over everything in it, a block, the next span. */
#include "metrics/promtsdb/prom_export.h"

#include <stdio.h>

#include "disk/file.h"
#include "metrics/promtsdb/prom_block.h"

static const int64_t SPAN_MS = INT64_C(2) * 3600 * 1000;

static ts_ms align_down(ts_ms t, int64_t step)
{
    ts_ms r = t % step;
    return t - (r < 0 ? r + step : r);
}

/* A second block of the same time would have every sample twice. */
static enum err overlap_check(const struct prom_export_options *o, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    const struct str *names = NULL;
    size_t n = 0;
    char path[4096];
    enum err e = dir_list(o->dir, &a, &names, &n, info);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        struct prom_meta meta = {0};
        if (!prom_ulid_is(names[i])) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%.*s", o->dir, STR_FMT(names[i]));
        e = prom_meta_read(path, &meta, info);
        if (e == ERR_NOT_FOUND) { /* no block: Prometheus passes it over too */
            e = ERR_OK;
        } else if (e == ERR_OK && meta.min_ts <= o->end_ms && meta.max_ts > o->start_ms) {
            char from[32], to[32];
            e = err_set(info, ERR_EXISTS,
                        "%s is a block of the same time (%s to %s): give an empty folder, another time, or "
                        "allow overlaps",
                        path, clock_format_rfc3339(meta.min_ts * NS_PER_MS, from, sizeof(from)),
                        clock_format_rfc3339(meta.max_ts * NS_PER_MS, to, sizeof(to)));
        }
        prom_meta_done(&meta);
    }
    return e;
}

/* promtool reads a folder of blocks only when it looks like one of Prometheus'. */
static enum err wal_folder_make(const char *dir, struct err_info *info)
{
    char path[4096];
    int n = snprintf(path, sizeof(path), "%s/" PROM_WAL_DIR, dir);
    return n > 0 && n < (int)sizeof(path)
               ? dir_make(path, info)
               : err_set(info, ERR_LIMIT, "the folder's name is too long: %s", dir);
}

static enum err batches_add(struct metric_source *src, struct query_ctx *q,
                            const struct prom_export_options *o, ts_ms from, ts_ms to,
                            struct prom_block_writer *w, struct err_info *info)
{
    const struct metric_select sel = {
        .matchers = o->matchers, .matcher_count = o->matcher_count, .start_ms = from, .end_ms = to};
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    enum err e = src->ops->select(src, q, &sel, &c, info);
    if (e != ERR_OK) {
        return e;
    }
    while ((e = src->ops->next(c, &b, info)) == ERR_OK &&
           (e = prom_block_writer_add(w, &b, from, to, info)) == ERR_OK) {
    }
    struct str_list warnings = src->ops->warnings(c);
    if (e == ERR_NOT_FOUND && warnings.n) { /* a block that lacks samples would look whole */
        e = err_set(info, ERR_CORRUPT, "%.*s", STR_FMT(warnings.items[0]));
    }
    src->ops->close(c);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err span_export(struct metric_source *src, struct query_ctx *q,
                            const struct prom_export_options *o, ts_ms from, ts_ms to,
                            struct prom_export_result *r, struct err_info *info)
{
    struct prom_block_writer *w = NULL;
    struct prom_block_stats s = {0};
    enum err e = prom_block_writer_new(o->dir, o->starts, &w, info);
    e = e == ERR_OK ? batches_add(src, q, o, from, to, w, info) : e;
    e = e == ERR_OK ? prom_block_writer_finish(w, &o->extra, &s, info) : e;
    prom_block_writer_free(w);
    if (e == ERR_OK && s.series) {
        r->blocks++;
        r->samples += s.floats + s.histograms;
        r->starts += s.starts;
        r->min_ts = s.min_ts < r->min_ts ? s.min_ts : r->min_ts;
        r->max_ts = s.max_ts > r->max_ts ? s.max_ts : r->max_ts;
    }
    return e;
}

/* A failed write knows neither its file nor what to do. */
static enum err explain(const struct prom_export_options *o, enum err e, struct err_info *info)
{
    char why[300];
    if (!info || (e != ERR_NO_SPACE && e != ERR_IO)) {
        return e;
    }
    (void)snprintf(why, sizeof(why), "%.299s", info->message);
    return err_set(info, e, "%s: %s; %s", o->dir, why,
                   e == ERR_NO_SPACE ? "make room and export what is missing" : "the block was not finished");
}

enum err prom_export(struct metric_source *src, struct query_ctx *q, const struct prom_export_options *o,
                     struct prom_export_result *ret_result, struct err_info *reterr_info)
{
    struct prom_export_result r = {.min_ts = INT64_MAX, .max_ts = INT64_MIN};
    int64_t span = o->span_ms > 0 ? o->span_ms : SPAN_MS;
    ts_ms first = align_down(o->start_ms, span);
    if (o->start_ms > o->end_ms || (o->end_ms - first) / span >= PROM_EXPORT_SPANS_MAX) {
        return err_set(reterr_info, ERR_INVALID, "%s",
                       o->start_ms > o->end_ms ? "the range ends before it begins"
                                               : "the range is too long for blocks of this span");
    }
    uint64_t total = (uint64_t)((o->end_ms - first) / span) + 1;
    enum err e = dir_make(o->dir, reterr_info);
    e = e == ERR_OK && !o->allow_overlap ? overlap_check(o, reterr_info) : e;
    for (uint64_t i = 0; e == ERR_OK && i < total; i++) {
        ts_ms from = first + (ts_ms)i * span, to = from + span - 1;
        from = from > o->start_ms ? from : o->start_ms;
        to = to < o->end_ms ? to : o->end_ms;
        e = query_ctx_check(q, reterr_info);
        e = e == ERR_OK ? explain(o, span_export(src, q, o, from, to, &r, reterr_info), reterr_info) : e;
        if (o->progress) {
            o->progress(o->ctx, i + 1, total);
        }
    }
    *ret_result = r;
    e = e == ERR_OK && r.blocks ? wal_folder_make(o->dir, reterr_info) : e;
    if (e == ERR_OK && r.blocks == 0) {
        e = err_set(reterr_info, ERR_NOT_FOUND, "no samples in the range");
    }
    return e;
}
