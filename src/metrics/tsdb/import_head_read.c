/* Log and head chunks of a Prometheus, read by series.
 *
 * The log has what was sent since the head was cut; the mapped chunks of the head have what became of most of
 * it. As in a replay by Prometheus, these count as far as they reach and the log from there on, samples that
 * the log has out of order are not of the series (they were refused), but those of its log of late samples
 * are. When a mapped chunk is damaged, the log counts and the chunks fill what it has lost. */
#include <stdio.h>

#include "base/mem.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"
#include "metrics/promtsdb/prom_format.h"
#include "metrics/tsdb/import_head_int.h"

enum {
    SAMPLE_COST = sizeof(struct head_sample) * 3 / 2 /* arrays double as they grow */
};

static enum err log_read(struct head_import *im, const struct prom_log_visitor *v, const char *folder,
                         struct prom_log_report *report, struct err_info *info)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", im->dir, folder);
    return prom_log_read(path, v, report, info);
}

/* -- counting -------------------------------------------------------------------------------------------- */

static struct head_ref *numbered(const struct head_import *im, uint64_t ref)
{
    uint32_t i = u64map_get(&im->ref_of, ref);
    return i == UINT32_MAX ? NULL : &im->refs[i];
}

static enum err count_series(void *ctx, uint64_t ref, struct labels ls)
{
    struct head_import *im = ctx;
    if (ls.n == 0) {
        return ERR_OK;
    }
    struct head_ref *r = numbered(im, ref);
    if (!r) {
        if (u64map_reserve(&im->ref_of) != ERR_OK ||
            vec_reserve((void **)&im->refs, &im->ref_cap, im->ref_count + 1, sizeof(*im->refs)) != ERR_OK) {
            return ERR_OOM;
        }
        *u64map_place(&im->ref_of, ref) = (uint32_t)im->ref_count;
        r = &im->refs[im->ref_count++];
        r->mapped_until = INT64_MIN;
        r->mapped_kind = HEAD_FLOAT;
        r->gone = false;
    }
    r->partition = (uint8_t)(series_target(im->o->tenant, ls, labels_hash(ls)) % PARTITIONS);
    return ERR_OK;
}

/* However old: no block has a late sample yet. */
static enum err count_late(void *ctx, const struct prom_log_sample *s)
{
    struct head_import *im = ctx;
    const struct head_ref *r = numbered(im, s->ref);
    if (!r) {
        im->orphans++;
    } else {
        im->cost[r->partition] += SAMPLE_COST + (s->h ? histogram_copy_bytes(s->h) : 0);
    }
    return ERR_OK;
}

static enum err count_sample(void *ctx, const struct prom_log_sample *s)
{
    const struct head_import *im = ctx;
    return s->ts < im->from ? ERR_OK : count_late(ctx, s);
}

static enum head_kind kind_of(unsigned encoding)
{
    return encoding == PROM_ENC_HISTOGRAM || encoding == PROM_ENC_HISTOGRAM_ST ? HEAD_HISTOGRAM
           : encoding == PROM_ENC_FLOAT_HISTOGRAM || encoding == PROM_ENC_FLOAT_HISTOGRAM_ST
               ? HEAD_FLOAT_HISTOGRAM
               : HEAD_FLOAT;
}

static enum err count_chunk(void *ctx, const struct prom_head_chunk *c)
{
    struct head_import *im = ctx;
    struct head_ref *r = numbered(im, c->ref);
    uint32_t n = 0;
    if (r && c->out_of_order && prom_chunk_count(c->encoding, c->data, &n) == ERR_OK) {
        im->cost[r->partition] += (uint64_t)n * SAMPLE_COST;
    } else if (r && !c->out_of_order && c->max_ts >= im->from && c->max_ts > r->mapped_until) {
        r->mapped_until = c->max_ts;
        r->mapped_kind = (uint8_t)kind_of(c->encoding);
    }
    return ERR_OK;
}

static void damage(struct head_import *im, uint64_t bad, const char *where)
{
    im->done->records_bad += bad;
    if (bad) {
        import_damage(im->done, "%s", where);
    }
}

enum err head_count(struct head_import *im, struct err_info *info)
{
    char path[4096];
    struct prom_log_visitor v = {.series = count_series, .sample = count_sample, .ctx = im};
    struct prom_log_report log = {0};
    struct prom_head_report chunks = {0};
    enum err e = log_read(im, &v, PROM_WAL_DIR, &log, info);
    v.sample = count_late;
    e = e == ERR_OK ? log_read(im, &v, PROM_WBL_DIR, &log, info) : e;
    (void)snprintf(path, sizeof(path), "%s/%s", im->dir, PROM_HEAD_CHUNKS_DIR);
    e = e == ERR_OK ? prom_head_chunks_read(path, count_chunk, im, &chunks, info) : e;
    damage(im, log.bad, log.where);
    damage(im, chunks.bad, chunks.where);
    im->chunks_whole = chunks.bad == 0;
    if (im->orphans) {
        import_damage(im->done, "%llu samples of the log are of series it does not define",
                      (unsigned long long)im->orphans);
    }
    return e;
}

/* -- series ---------------------------------------------------------------------------------------------- */

static bool in_group(const struct head_import *im, uint64_t ref)
{
    const struct head_ref *r = numbered(im, ref);
    return r && r->partition >= im->first && r->partition <= im->last;
}

static struct head_series *series_of(struct head_import *im, uint64_t ref)
{
    uint32_t i = u64map_get(&im->series_of, ref);
    return i == UINT32_MAX ? NULL : &im->series[i];
}

/* The series with these labels, made when absent. Equal hashes of other labels are stepped over. */
static enum err series_for(struct head_import *im, struct labels ls, uint32_t *ret_i)
{
    uint64_t hash = labels_hash(ls), key = hash;
    uint32_t i;
    while ((i = u64map_get(&im->series_by_hash, key)) != UINT32_MAX && !labels_eq(im->series[i].labels, ls)) {
        key++;
    }
    if (i == UINT32_MAX) {
        struct labels own;
        if (u64map_reserve(&im->series_by_hash) != ERR_OK || labels_dup(&im->a, ls, &own) != ERR_OK ||
            vec_reserve((void **)&im->series, &im->series_cap, im->series_count + 1, sizeof(*im->series)) !=
                ERR_OK) {
            return ERR_OOM;
        }
        i = (uint32_t)im->series_count++;
        im->series[i] = (struct head_series){.labels = own,
                                             .hash = hash,
                                             .target = series_target(im->o->tenant, own, hash),
                                             .last_ts = INT64_MIN};
        *u64map_place(&im->series_by_hash, key) = i;
    }
    *ret_i = i;
    return ERR_OK;
}

static enum err read_series(void *ctx, uint64_t ref, struct labels ls)
{
    struct head_import *im = ctx;
    uint32_t i = 0;
    if (!in_group(im, ref)) {
        return ERR_OK;
    }
    enum err e = series_for(im, ls, &i);
    if (e != ERR_OK || u64map_reserve(&im->series_of) != ERR_OK) {
        return ERR_OOM;
    }
    *u64map_place(&im->series_of, ref) = i;
    return ERR_OK;
}

/* -- samples --------------------------------------------------------------------------------------------- */

static enum err sample_add(struct head_import *im, struct head_series *s, const struct prom_log_sample *in)
{
    struct histogram *h = NULL;
    if (in->h) {
        void *mem = arena_alloc(&im->a, histogram_copy_bytes(in->h));
        if (!mem) {
            return ERR_OOM;
        }
        h = histogram_copy(in->h, mem);
    }
    if (vec_reserve((void **)&s->samples, &s->cap, s->n + 1, sizeof(*s->samples)) != ERR_OK) {
        return ERR_OOM;
    }
    s->samples[s->n++] = (struct head_sample){in->ts, in->start, h ? 0 : in->value, h};
    return ERR_OK;
}

/* What the sample before the log's next one is. */
static enum head_kind kind_before(const struct head_import *im, const struct head_series *s,
                                  const struct head_ref *r)
{
    const struct histogram *h = s->n ? s->samples[s->n - 1].h : NULL;
    return !s->n && im->chunks_whole ? r->mapped_kind
           : !h                      ? HEAD_FLOAT
           : h->is_float             ? HEAD_FLOAT_HISTOGRAM
                                     : HEAD_HISTOGRAM;
}

/* After a histogram the end of a series is marked in the log by a float; in a series it is a histogram. */
static enum err read_sample(void *ctx, const struct prom_log_sample *in)
{
    struct head_import *im = ctx;
    struct head_series *s = in->ts < im->from ? NULL : series_of(im, in->ref);
    const struct head_ref *r = numbered(im, in->ref);
    if (!s || !r || in->ts <= s->last_ts || (im->chunks_whole && in->ts <= r->mapped_until)) {
        return ERR_OK;
    }
    enum head_kind before = kind_before(im, s, r);
    const struct histogram end = {.is_float = before == HEAD_FLOAT_HISTOGRAM, .sum = in->value};
    struct prom_log_sample one = *in;
    one.h = in->h ? in->h : is_stale_nan(in->value) && before != HEAD_FLOAT ? &end : NULL;
    s->last_ts = in->ts;
    enum err e = sample_add(im, s, &one);
    s->ordered = s->n;
    return e;
}

static enum err read_late(void *ctx, const struct prom_log_sample *in)
{
    struct head_import *im = ctx;
    const struct head_ref *r = numbered(im, in->ref);
    struct head_series *s = series_of(im, in->ref); /* however old: no block has it yet */
    return s && r && !r->gone ? sample_add(im, s, in) : ERR_OK;
}

/* How many samples the log had in the span. */
static size_t ordered_in(const struct head_series *s, ts_ms min_ts, ts_ms max_ts)
{
    size_t lo[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        size_t hi = s->ordered;
        while (lo[k] < hi) {
            size_t mid = (lo[k] + hi) / 2;
            if (k ? s->samples[mid].ts <= max_ts : s->samples[mid].ts < min_ts) {
                lo[k] = mid + 1;
            } else {
                hi = mid;
            }
        }
    }
    return lo[1] - lo[0];
}

static enum err chunk_add(struct head_import *im, struct head_series *s, const struct prom_head_chunk *c)
{
    struct arena scratch AUTO_ARENA;
    struct prom_samples in;
    arena_init(&scratch, 0, NULL);
    enum err e = prom_chunk_decode(c->encoding, c->data, &scratch, &in);
    for (size_t i = 0; e == ERR_OK && i < in.n; i++) {
        struct prom_log_sample one = {.ts = in.ts[i],
                                      .start = in.starts ? in.starts[i] : 0,
                                      .value = in.values[i],
                                      .h = in.histograms ? in.histograms[i] : NULL};
        e = one.ts < im->from && !c->out_of_order ? ERR_OK : sample_add(im, s, &one);
    }
    if (e == ERR_CORRUPT || e == ERR_UNSUPPORTED) {
        im->done->chunks_bad++;
        import_damage(im->done, "a chunk of the head is damaged");
        e = ERR_OK;
    }
    return e;
}

/* Whether the log has all of a chunk in order. */
static bool in_log(const struct head_import *im, const struct head_series *s, const struct prom_head_chunk *c)
{
    uint32_t n = 0;
    return !im->chunks_whole && c->min_ts >= im->from &&
           prom_chunk_count(c->encoding, c->data, &n) == ERR_OK && ordered_in(s, c->min_ts, c->max_ts) >= n;
}

static enum err read_chunk(void *ctx, const struct prom_head_chunk *c)
{
    struct head_import *im = ctx;
    const struct head_ref *r = numbered(im, c->ref);
    struct head_series *s = c->max_ts < im->from && !c->out_of_order ? NULL : series_of(im, c->ref);
    return !s || !r || r->gone || (!c->out_of_order && in_log(im, s, c)) ? ERR_OK : chunk_add(im, s, c);
}

/* A stone over the whole of time is no deletion: the series went to a block of its own, where deletions find
 * it, and left the head. Should it come again, it does so under another number. */
static enum err read_stone(void *ctx, uint64_t ref, ts_ms min_ts, ts_ms max_ts)
{
    struct head_import *im = ctx;
    struct head_ref *r = numbered(im, ref);
    uint32_t i = u64map_get(&im->series_of, ref);
    if (i == UINT32_MAX || !r) {
        return ERR_OK;
    }
    if (min_ts == INT64_MIN && max_ts == INT64_MAX) {
        r->gone = true;
        im->series[i].n = im->series[i].ordered = 0;
        im->series[i].last_ts = INT64_MIN;
        return ERR_OK;
    }
    return prom_stones_add(&im->stones, (struct prom_stone){i, min_ts, max_ts});
}

/* -- exemplars and metadata ------------------------------------------------------------------------------ */

static enum err side_send(struct head_import *im)
{
    struct sink_result r;
    struct sink_batch b = {.tenant = im->o->tenant,
                           .series = im->waiting_series,
                           .series_count = im->exemplar_count,
                           .exemplars = im->exemplars,
                           .exemplar_count = im->exemplar_count,
                           .metadata = im->metadata,
                           .metadata_count = im->metadata_count};
    enum err e = ERR_OK;
    if (im->exemplar_count || im->metadata_count) {
        e = im->db->sink.ops->append(&im->db->sink, &b, &r, NULL);
        im->done->exemplars += im->exemplar_count;
        im->done->metadata += im->metadata_count;
    }
    im->exemplar_count = im->metadata_count = 0;
    arena_reset(&im->side);
    return e;
}

static enum err read_exemplar(void *ctx, uint64_t ref, struct labels ls, double value, ts_ms ts)
{
    struct head_import *im = ctx;
    const struct head_series *s = ts < im->from ? NULL : series_of(im, ref);
    struct labels own = {0};
    if (!s) {
        return ERR_OK;
    }
    enum err e = im->exemplar_count == HEAD_EXEMPLARS_WAIT ? side_send(im) : ERR_OK;
    e = e == ERR_OK ? labels_dup(&im->side, ls, &own) : e;
    if (e == ERR_OK) {
        size_t i = im->exemplar_count++;
        im->waiting_series[i] = (struct sink_series){.labels = s->labels, .hash = s->hash};
        im->exemplars[i] = (struct sink_exemplar){(uint32_t)i, own, value, ts, false};
    }
    return e;
}

static enum err read_metadata(void *ctx, uint64_t ref, unsigned type, struct str unit, struct str help)
{
    struct head_import *im = ctx;
    const struct head_series *s = series_of(im, ref);
    struct str metric = s ? labels_get(s->labels, LABEL_METRIC_NAME) : (struct str){0};
    if (!metric.n) {
        return ERR_OK;
    }
    enum err e = im->metadata_count == HEAD_EXEMPLARS_WAIT ? side_send(im) : ERR_OK;
    struct sink_metadata m = {.metric = metric, .type = prom_metric_type(type)};
    m.help = e == ERR_OK ? arena_str(&im->side, help) : (struct str){0};
    m.unit = e == ERR_OK ? arena_str(&im->side, unit) : (struct str){0};
    if (e == ERR_OK && (!m.help.p || !m.unit.p)) {
        return ERR_OOM;
    }
    if (e == ERR_OK) {
        im->metadata[im->metadata_count++] = m;
    }
    return e;
}

/* -- a group --------------------------------------------------------------------------------------------- */

enum err head_read(struct head_import *im, struct err_info *info)
{
    char path[4096];
    struct prom_log_report log = {0};
    struct prom_head_report chunks = {0};
    struct prom_log_visitor v = {.series = read_series,
                                 .sample = read_sample,
                                 .stone = read_stone,
                                 .exemplar = read_exemplar,
                                 .metadata = read_metadata,
                                 .ctx = im};
    enum err e = log_read(im, &v, PROM_WAL_DIR, &log, info);
    v.sample = read_late;
    e = e == ERR_OK ? log_read(im, &v, PROM_WBL_DIR, &log, info) : e;
    (void)snprintf(path, sizeof(path), "%s/%s", im->dir, PROM_HEAD_CHUNKS_DIR);
    e = e == ERR_OK ? prom_head_chunks_read(path, read_chunk, im, &chunks, info) : e;
    e = e == ERR_OK ? side_send(im) : e;
    prom_stones_sort(&im->stones);
    return e;
}

void head_forget(struct head_import *im)
{
    for (size_t i = 0; i < im->series_count; i++) {
        mem_free(im->series[i].samples);
    }
    mem_free(im->series);
    im->series = NULL;
    im->series_count = im->series_cap = 0;
    u64map_done(&im->series_of);
    u64map_done(&im->series_by_hash);
    prom_stones_done(&im->stones);
    arena_reset(&im->a);
    arena_reset(&im->side);
}
