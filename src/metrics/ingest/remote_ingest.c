/* Remote write into a sink batch. Series whose encoded labels the cache knows go by reference, without
 * labels; when the store has begun a new epoch meanwhile it says CONFLICT, and the batch is made again with
 * all labels. */
#include "metrics/ingest/remote_ingest.h"

#include <stdlib.h>

#include "codec/remote_write.h"
#include "metrics/ingest/series_cache.h"
#include "metrics/ingest/wire_histogram.h"

enum {
    FUTURE_MS_MAX = 10 * 60 * 1000, /* as Prometheus: a sender's clock may be that wrong */
    REASON_BYTES_MAX = 8192
};

struct job {
    bool needs_samples; /* 2.0: a series without is refused */
    ts_ms future;       /* what is later is out of bounds */
    struct arena *a;
    struct err_info *info;
    const struct hash128 *wire_keys; /* of the request's series; NULL: no cache */
    const series_ref *wire_refs;     /* what the cache knows of them */
    struct hash128 *keys;            /* of the batch's series */
    struct sink_batch batch;
    struct sink_series *series;
    struct sink_sample *samples;
    struct sink_exemplar *exemplars;
    uint64_t refused, skipped;
    struct str first; /* reason of the first refusal */
};

/* Of labels that break the rules. 1.0 leaves such series out without a word, as Prometheus. */
static void refuse(struct job *j, const struct wire_series *s, struct str why)
{
    size_t samples = s->sample_count + s->histogram_count;
    if (!j->needs_samples) {
        j->skipped += samples;
        return;
    }
    j->refused += samples ? samples : 1;
    if (!j->first.p) {
        j->first = why;
    }
}

/* "what {labels as they came, sorted} more" */
static struct str about(const struct job *j, const char *what, struct labels ls, struct str more)
{
    struct buf b AUTO_BUF = {.size_bytes_max = REASON_BYTES_MAX};
    buf_c(&b, what);
    labels_format_loki(&b, ls);
    buf_str(&b, more);
    return arena_str(j->a, b.err ? str_c(what) : buf_view(&b));
}

static bool names_valid(struct labels ls)
{
    bool metric = false;
    for (size_t i = 0; i < ls.n; i++) {
        struct label l = ls.l[i];
        if (l.name.n == 0 || !str_utf8_valid(l.name) || !str_utf8_valid(l.value)) {
            return false;
        }
        metric |= str_eq(l.name, LABEL_METRIC_NAME) && l.value.n;
    }
    return metric;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

/* Sorted labels that follow the rules, without empty ones. False: refused. */
static bool series_labels(struct job *j, const struct wire_series *s, struct labels *ret_labels,
                          enum err *ret_e)
{
    struct label *out = arena_array(j->a, s->label_count + 1, sizeof(*out));
    struct labels ls = {out, s->label_count};
    bool sorted = true;
    if (!out) {
        *ret_e = arena_err(j->a);
        return false;
    }
    for (size_t i = 0; i < ls.n; i++) {
        out[i] = (struct label){s->labels[i].name, s->labels[i].value};
        sorted &= i == 0 || by_name(&out[i - 1], &out[i]) <= 0;
    }
    if (!sorted) {
        qsort(out, ls.n, sizeof(*out), by_name);
    }
    if (!names_valid(ls)) {
        refuse(j, s, about(j, "invalid metric name or labels, got ", ls, STR("")));
        return false;
    }
    size_t kept = 0;
    for (size_t i = 0; i < ls.n; i++) { /* a name that comes twice is one too many, also when it is empty */
        if (i > 0 && str_eq(out[i].name, out[i - 1].name)) {
            struct str more = arena_printf(j->a, ", duplicated label %.*s", STR_FMT(out[i].name));
            refuse(j, s, about(j, "invalid labels for series, labels ", ls, more));
            return false;
        }
    }
    for (size_t i = 0; i < ls.n; i++) {
        out[kept] = out[i];
        kept += out[i].value.n > 0;
    }
    *ret_labels = (struct labels){out, kept};
    return true;
}

/* -- the batch ------------------------------------------------------------------------------------------- */

static enum err add_exemplars(struct job *j, const struct wire_series *s, uint32_t index)
{
    for (size_t i = 0; i < s->exemplar_count; i++) {
        const struct wire_exemplar *x = &s->exemplars[i];
        struct label *l = arena_array(j->a, x->label_count + 1, sizeof(*l));
        size_t n = 0;
        if (!l) {
            return arena_err(j->a);
        }
        for (size_t k = 0; k < x->label_count; k++) {
            l[n++] = (struct label){x->labels[k].name, x->labels[k].value};
        }
        if (x->ts <= j->future && labels_normalise(l, &n, NULL) == ERR_OK) {
            j->exemplars[j->batch.exemplar_count++] = (struct sink_exemplar){.series_index = index,
                                                                             .labels = {l, n},
                                                                             .value = x->value,
                                                                             .ts = x->ts,
                                                                             .timeless = x->ts == 0};
        }
    }
    return ERR_OK;
}

/* True: refused. */
static bool in_future(struct job *j, ts_ms ts)
{
    if (ts <= j->future) {
        return false;
    }
    j->refused++;
    j->first = j->first.p ? j->first : STR("out of bounds: timestamp is too far in the future");
    return true;
}

/* False: an error that ends all. */
static bool add_histograms(struct job *j, const struct wire_series *s, uint32_t index, enum err *ret_e)
{
    for (size_t i = 0; i < s->histogram_count; i++) {
        const struct histogram *h = NULL;
        struct err_info info = {0};
        if (in_future(j, s->histograms[i].ts)) {
            continue;
        }
        *ret_e = histogram_from_wire(j->a, &s->histograms[i], &h, &info);
        if (*ret_e == ERR_INVALID) {
            j->refused++;
            j->first = j->first.p ? j->first : arena_str(j->a, str_c(info.message));
            continue;
        }
        if (*ret_e != ERR_OK) {
            return false;
        }
        j->samples[j->batch.sample_count++] = (struct sink_sample){.series_index = index,
                                                                   .ts = s->histograms[i].ts,
                                                                   .start_ts = s->histograms[i].start_ts,
                                                                   .histogram = h};
    }
    *ret_e = ERR_OK;
    return true;
}

static enum err add_series(struct job *j, struct wire_series *s, size_t number)
{
    struct labels ls = {0};
    series_ref ref = j->wire_refs && s->label_bytes.n && !s->exemplar_count ? j->wire_refs[number] : 0;
    enum err e = ref ? ERR_OK : remote_write_labels(j->a, s, j->info);
    if (e || (!ref && !series_labels(j, s, &ls, &e))) {
        return e;
    }
    if (j->needs_samples && s->sample_count + s->histogram_count == 0) {
        j->refused++;
        struct str why =
            about(j, "TimeSeries must contain at least one sample or histogram for series ", ls, STR(""));
        j->first = j->first.p ? j->first : why;
        return ERR_OK;
    }
    uint32_t index = (uint32_t)j->batch.series_count;
    if (j->keys) {
        j->keys[index] = j->wire_keys[number];
    }
    j->series[j->batch.series_count++] = (struct sink_series){.labels = ls, .ref = ref};
    for (size_t i = 0; i < s->sample_count; i++) {
        if (in_future(j, s->samples[i].ts)) {
            continue;
        }
        j->samples[j->batch.sample_count++] = (struct sink_sample){.series_index = index,
                                                                   .ts = s->samples[i].ts,
                                                                   .start_ts = s->samples[i].start_ts,
                                                                   .value = s->samples[i].value};
    }
    return add_histograms(j, s, index, &e) ? add_exemplars(j, s, index) : e;
}

static enum err allocate(struct job *j, const struct wire_write *w)
{
    size_t samples = 0, exemplars = 0;
    for (size_t i = 0; i < w->series_count; i++) {
        samples += w->series[i].sample_count + w->series[i].histogram_count;
        exemplars += w->series[i].exemplar_count;
    }
    struct sink_metadata *metadata = arena_array(j->a, w->metadata_count + 1, sizeof(*metadata));
    j->series = arena_array(j->a, w->series_count + 1, sizeof(*j->series));
    j->samples = arena_array(j->a, samples + 1, sizeof(*j->samples));
    j->exemplars = arena_array(j->a, exemplars + 1, sizeof(*j->exemplars));
    if (!metadata || !j->series || !j->samples || !j->exemplars) {
        return arena_err(j->a);
    }
    for (size_t i = 0; i < w->metadata_count; i++) {
        const struct wire_metadata *m = &w->metadata[i];
        metadata[i] = (struct sink_metadata){m->metric, m->type, m->help, m->unit};
    }
    j->batch.metadata = metadata;
    j->batch.metadata_count = w->metadata_count;
    j->batch.series = j->series;
    j->batch.samples = j->samples;
    j->batch.exemplars = j->exemplars;
    return ERR_OK;
}

static int retry_status(enum err e)
{
    return e == ERR_LIMIT ? 429 : err_retryable(e) ? 503 : 500;
}

/* What the cache knows of the request's series. */
static enum err ask_cache(struct job *j, struct series_cache *cache, const struct wire_write *w)
{
    struct hash128 *keys = arena_array(j->a, w->series_count + 1, sizeof(*keys));
    series_ref *refs = arena_array(j->a, w->series_count + 1, sizeof(*refs));
    j->keys = arena_array(j->a, w->series_count + 1, sizeof(*j->keys));
    if (!keys || !refs || !j->keys) {
        return arena_err(j->a);
    }
    for (size_t i = 0; i < w->series_count; i++) {
        keys[i] = series_cache_key(j->batch.tenant, w->series[i].label_bytes);
    }
    series_cache_get(cache, keys, w->series_count, refs, &j->batch.epoch);
    j->wire_keys = keys;
    j->wire_refs = refs;
    return ERR_OK;
}

static enum err fill(struct job *j, struct wire_write *w)
{
    enum err e = ERR_OK;
    j->batch.series_count = j->batch.sample_count = j->batch.exemplar_count = 0;
    j->refused = w->refused;
    j->first = w->refusal;
    j->skipped = 0;
    for (size_t i = 0; i < w->series_count && !e; i++) {
        e = add_series(j, &w->series[i], i);
    }
    return e;
}

/* Series are remembered when they come again: many that are new never do. */
static void tell_cache(const struct job *j, struct series_cache *cache, uint64_t epoch)
{
    series_ref *refs = arena_array(j->a, j->batch.series_count + 1, sizeof(*refs));
    for (size_t i = 0; refs && i < j->batch.series_count; i++) {
        refs[i] = j->series[i].labels.n && !j->series[i].made ? j->series[i].ref : 0;
    }
    if (refs) {
        series_cache_put(cache, j->keys, refs, j->batch.series_count, epoch);
    }
}

static void count_stored(const struct job *j, struct remote_outcome *o)
{
    for (size_t i = 0; i < j->batch.sample_count; i++) {
        bool stored = j->samples[i].status <= SAMPLE_DUPLICATE, histogram = j->samples[i].histogram != NULL;
        o->samples += stored && !histogram;
        o->histograms += stored && histogram;
    }
}

static enum err tell_refused(const struct job *j, const struct sink_result *r, struct remote_outcome *o)
{
    uint64_t late = j->needs_samples ? r->exemplars_late : 0; /* 1.0 leaves them out without a word */
    if (j->refused) {
        o->text = arena_printf(j->a, "%llu of %llu samples were refused; the first: %.*s",
                               (unsigned long long)j->refused, (unsigned long long)(j->refused + r->stored),
                               STR_FMT(j->first));
    }
    if (o->text.p && late) {
        o->text = arena_printf(j->a, "%.*s%s%llu exemplars were refused: out of order exemplar",
                               STR_FMT(o->text), j->refused ? "\n" : "", (unsigned long long)late);
    }
    o->status = j->refused || late ? 400 : o->status;
    return o->text.p ? ERR_OK : arena_err(j->a);
}

/* 2.0 sends metadata with the series. */
static enum err series_metadata(struct job *j, const struct wire_write *w)
{
    size_t n = j->batch.metadata_count;
    struct sink_metadata *out = arena_array(j->a, n + w->series_count + 1, sizeof(*out));
    if (!out) {
        return arena_err(j->a);
    }
    if (n) {
        memcpy(out, j->batch.metadata, n * sizeof(*out));
    }
    for (size_t i = 0; i < w->series_count; i++) {
        const struct wire_series *s = &w->series[i];
        struct str metric = {0};
        for (size_t k = 0; s->meta_type.n && k < s->label_count; k++) {
            metric = str_eq(s->labels[k].name, LABEL_METRIC_NAME) ? s->labels[k].value : metric;
        }
        bool again = n && str_eq(out[n - 1].metric, metric);
        if (metric.n && !again) {
            out[n++] = (struct sink_metadata){metric, s->meta_type, s->meta_help, s->meta_unit};
        }
    }
    j->batch.metadata = out;
    j->batch.metadata_count = n;
    return ERR_OK;
}

enum err remote_ingest(struct metric_sink *sink, struct series_cache *cache, struct str tenant,
                       struct wire_write *w, struct arena *a, struct remote_outcome *ret_outcome,
                       struct err_info *reterr_info)
{
    struct job j = {.a = a,
                    .info = reterr_info,
                    .needs_samples = w->series_metadata,
                    .future = clock_wall_ms(clock_real()) + FUTURE_MS_MAX,
                    .batch = {.tenant = tenant, .allow_late = true, .exemplars_need_series = true}};
    struct sink_result r = {0};
    struct err_info info = {0};
    enum err e = allocate(&j, w);
    e = !e && w->series_metadata ? series_metadata(&j, w) : e;
    e = !e && cache ? ask_cache(&j, cache, w) : e;
    e = e ? e : fill(&j, w);
    if (e) {
        return e;
    }
    *ret_outcome = (struct remote_outcome){.status = 204, .text = STR("")};
    e = sink->ops->append(sink, &j.batch, &r, &info);
    if (e == ERR_CONFLICT) {
        j.wire_refs = NULL;
        if ((e = fill(&j, w)) != ERR_OK) {
            return e;
        }
        e = sink->ops->append(sink, &j.batch, &r, &info);
    }
    if (e) {
        ret_outcome->status = retry_status(e);
        ret_outcome->text = arena_str(a, str_c(info.message[0] ? info.message : err_text(e)));
        return ret_outcome->text.p ? ERR_OK : arena_err(a);
    }
    if (cache) {
        tell_cache(&j, cache, r.epoch);
    }
    ret_outcome->stored = r.stored;
    ret_outcome->exemplars = r.exemplars;
    count_stored(&j, ret_outcome);
    for (size_t i = SAMPLE_CONFLICT; i < SAMPLE_STATUS_COUNT; i++) {
        j.refused += r.refused[i];
    }
    if (!j.first.p && r.first_refusal.code) {
        j.first = arena_str(a, str_c(r.first_refusal.message));
    }
    ret_outcome->refused = j.refused + j.skipped;
    return tell_refused(&j, &r, ret_outcome);
}
