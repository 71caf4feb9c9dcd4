/* Reading a body: one pass, one cache look-up a sample; labels are made for new series only. */
#include "metrics/scrape/body_int.h"

#include <math.h>
#include <stdlib.h>

#include "codec/num.h"
#include "metrics/ingest/wire_histogram.h"
#include "metrics/model/histogram_arith.h"
#include "metrics/model/value.h"
#include "metrics/scrape/limits.h"

/* -- labels ---------------------------------------------------------------------------------------------- */

/* 1 becomes 1.0, as OpenMetrics writes bounds and quantiles. */
static struct str normal_float(struct arena *a, struct str text)
{
    double v;
    char out[NUM_F64_BYTES_MAX + 2];
    if (num_f64_parse(text, &v) != ERR_OK) {
        return text;
    }
    size_t n = num_f64_format(out, v, 'g');
    bool whole = true;
    for (size_t i = 0; i < n; i++) {
        whole &= (out[i] >= '0' && out[i] <= '9') || out[i] == '-';
    }
    if (whole) {
        out[n++] = '.';
        out[n++] = '0';
    }
    return arena_str(a, str_of(out, n));
}

static bool has(const struct label *l, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(l[i].name, name) && l[i].value.n) {
            return true;
        }
    }
    return false;
}

static int shorter_first(const void *a, const void *b)
{
    const struct label *const *x = a, *const *y = b;
    return (*x)->name.n < (*y)->name.n ? -1 : (*x)->name.n > (*y)->name.n;
}

/* Scraped labels that a target label overrides become exported_<name>, shorter names first. */
static enum err rename_conflicts(const struct body_reader *r, struct label *l, size_t n)
{
    struct label *conflicts[64];
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (l[i].value.n && labels_get(r->target, l[i].name).n && count < ARRAY_LEN(conflicts)) {
            conflicts[count++] = &l[i];
        }
    }
    qsort(conflicts, count, sizeof(conflicts[0]), shorter_first);
    for (size_t i = 0; i < count; i++) {
        struct str name = conflicts[i]->name;
        do {
            name = arena_printf(r->batch->a, "exported_%.*s", STR_FMT(name));
            if (!name.p) {
                return arena_err(r->batch->a);
            }
        } while (has(l, n, name) || labels_get(r->target, name).n);
        conflicts[i]->name = name;
    }
    return ERR_OK;
}

/* Scraped labels joined with the target's, before metric_relabel_configs. */
static enum err join_labels(const struct body_reader *r, struct str text, uint8_t flags,
                            struct labels *ret_labels, struct err_info *info)
{
    struct arena *a = r->batch->a;
    const struct wire_label *scraped = NULL;
    size_t n = 0, count = 0;
    enum err e = exposition_labels(a, text, &scraped, &n, info);
    struct label *l = e ? NULL : arena_array(a, n + r->target.n + 1, sizeof(*l));
    if (e || !l) {
        return e ? e : arena_err(a);
    }
    for (size_t i = 0; i < n; i++) {
        bool number = ((flags & CACHED_LE) && str_eq_c(scraped[i].name, "le")) ||
                      ((flags & CACHED_QUANTILE) && str_eq_c(scraped[i].name, "quantile"));
        l[count].name = scraped[i].name;
        l[count].value = number ? normal_float(a, scraped[i].value) : scraped[i].value;
        count++;
    }
    size_t own = count;
    e = r->job->honor_labels ? ERR_OK : rename_conflicts(r, l, own);
    for (size_t i = 0; i < r->target.n && !e; i++) {
        bool there = false;
        for (size_t k = 0; k < own; k++) {
            there |= r->job->honor_labels && str_eq(l[k].name, r->target.l[i].name);
        }
        if (!there) {
            l[count++] = r->target.l[i];
        }
    }
    e = e ? e : labels_normalise(l, &count, info);
    *ret_labels = (struct labels){l, count};
    return e;
}

static enum err check_limits(struct body_reader *r, struct labels ls, struct err_info *info)
{
    const struct scrape_limits *m = &r->job->d.limits;
    struct str metric = labels_get(ls, LABEL_METRIC_NAME);
    int shown = metric.n < 50 ? (int)metric.n : 50;
    r->counts.hit_label_limit = true;
    if (m->labels && ls.n > m->labels) {
        return err_set(info, ERR_INVALID,
                       "label_limit exceeded (metric: %.*s, number of labels: %zu, limit: %llu)", shown,
                       metric.p, ls.n, (unsigned long long)m->labels);
    }
    for (size_t i = 0; i < ls.n; i++) {
        struct str name = ls.l[i].name, value = ls.l[i].value;
        int name_shown = name.n < 50 ? (int)name.n : 50, value_shown = value.n < 50 ? (int)value.n : 50;
        if (m->label_name_length && name.n > m->label_name_length) {
            return err_set(
                info, ERR_INVALID,
                "label_name_length_limit exceeded (metric: %.*s, label name: %.*s, length: %zu, limit: %llu)",
                shown, metric.p, name_shown, name.p, name.n, (unsigned long long)m->label_name_length);
        }
        if (m->label_value_length && value.n > m->label_value_length) {
            return err_set(
                info, ERR_INVALID,
                "label_value_length_limit exceeded (metric: %.*s, label name: %.*s, value: \"%.*s\", "
                "length: %zu, limit: %llu)",
                shown, metric.p, name_shown, name.p, value_shown, value.p, value.n,
                (unsigned long long)m->label_value_length);
        }
    }
    r->counts.hit_label_limit = false;
    return ERR_OK;
}

static enum err check_names(const struct body_reader *r, struct labels ls, struct err_info *info)
{
    struct str metric = labels_get(ls, LABEL_METRIC_NAME);
    if (metric.n == 0) {
        return err_set(info, ERR_INVALID, "missing metric name (__name__ label)");
    }
    bool ok = str_utf8_valid(metric) && (!r->job->d.legacy_names || metric_name_is_legacy(metric));
    for (size_t i = 0; i < ls.n; i++) {
        ok &= str_utf8_valid(ls.l[i].name) && str_utf8_valid(ls.l[i].value) &&
              (!r->job->d.legacy_names || label_name_is_legacy(ls.l[i].name));
    }
    if (ok) {
        return ERR_OK;
    }
    struct buf text AUTO_BUF = {.size_bytes_max = 400};
    labels_format_loki(&text, ls);
    return err_set(info, ERR_INVALID, "invalid metric name or label names: %.*s", STR_FMT(buf_view(&text)));
}

/* Joined, relabelled. *ret_keep false: dropped. */
static enum err make_labels(const struct body_reader *r, struct str text, uint8_t flags,
                            struct labels *ret_labels, bool *ret_keep, struct err_info *info)
{
    struct labels ls = {0};
    enum err e = join_labels(r, text, flags, &ls, info);
    *ret_keep = ls.n > 0;
    if (!e && r->job->metric_relabel_count) {
        e = relabel(r->batch->a, r->job->metric_relabel, r->job->metric_relabel_count, ls, &ls, ret_keep);
    }
    *ret_labels = ls;
    return e;
}

enum err scrape_body_labels_again(const struct body_reader *r, const struct cached_series *s,
                                  struct labels *ret_labels)
{
    bool keep = false;
    enum err e = make_labels(r, str_of(s->text, s->text_size), s->flags, ret_labels, &keep, NULL);
    return e ? e : keep ? ERR_OK : ERR_NOT_FOUND;
}

/* -- one sample ------------------------------------------------------------------------------------------ */

static enum err add_exemplar(struct body_reader *r, const struct exposition_item *item, ts_ms ts,
                             struct err_info *info)
{
    struct scrape_batch *b = r->batch;
    const struct wire_label *raw = NULL;
    size_t n = 0;
    enum err e = exposition_labels(b->a, item->exemplar_raw, &raw, &n, info);
    struct label *l = e ? NULL : arena_array(b->a, n + 1, sizeof(*l));
    e = e ? e : !l ? arena_err(b->a) : ERR_OK;
    e = e ? e
          : arena_reserve(b->a, (void **)&b->exemplars, &b->exemplar_cap, b->exemplar_count + 1,
                          sizeof(*b->exemplars));
    if (e) {
        return e;
    }
    for (size_t i = 0; i < n; i++) {
        l[i] = (struct label){raw[i].name, raw[i].value};
    }
    if (labels_normalise(l, &n, NULL) == ERR_OK) {
        b->exemplars[b->exemplar_count++] =
            (struct sink_exemplar){.series_index = (uint32_t)(b->series_count - 1),
                                   .labels = {l, n},
                                   .value = item->exemplar_value,
                                   .ts = item->exemplar_has_ts ? item->exemplar_ts : ts,
                                   .timeless = !item->exemplar_has_ts};
    }
    return ERR_OK;
}

/* A series that was not there before. *ret_labels stays empty when it is dropped. */
static enum err new_series(struct body_reader *r, const struct exposition_item *item, uint8_t flags,
                           struct cached_series **ret_series, struct labels *ret_labels,
                           struct err_info *info)
{
    bool keep = false;
    struct labels ls = {0};
    struct cached_series *s = NULL;
    enum err e = make_labels(r, item->raw, flags, &ls, &keep, info);
    if (!e && keep) {
        e = check_names(r, ls, info);
        e = e ? e : check_limits(r, ls, info);
    }
    e = e ? e : scrape_cache_add(r->cache, item->raw, &s);
    if (e) {
        return e;
    }
    s->flags = keep ? flags : (uint8_t)(flags | CACHED_DROPPED);
    s->labels_hash = keep ? labels_hash(ls) : 0;
    *ret_series = s;
    *ret_labels = ls;
    return ERR_OK;
}

/* floor(-log2(log2(factor))), within the schemas there are. */
static int schema_of_factor(double factor)
{
    if (factor <= 1) {
        return HISTOGRAM_SCHEMA_MAX;
    }
    double schema = floor(-log2(log2(factor)));
    return schema >= HISTOGRAM_SCHEMA_MAX   ? HISTOGRAM_SCHEMA_MAX
           : schema <= HISTOGRAM_SCHEMA_MIN ? HISTOGRAM_SCHEMA_MIN
                                            : (int)schema;
}

static enum err reduce_to(struct arena *a, const struct histogram **h, int schema)
{
    struct histogram_acc acc;
    enum err e = histogram_acc_init(&acc, a, *h);
    if (e) {
        return e;
    }
    histogram_acc_reduce(&acc, schema);
    acc.is_float = (*h)->is_float;
    return histogram_acc_value(&acc, h);
}

/* The value of a native histogram, as coarse as the job wants it; *ret_h stays NULL when it cannot be. */
static enum err read_native(struct body_reader *r, const struct wire_histogram *w,
                            const struct histogram **ret_h, struct err_info *info)
{
    const struct scrape_limits *m = &r->job->d.limits;
    const struct histogram *h = NULL;
    enum err e = histogram_from_wire(r->batch->a, w, &h, info);
    bool custom = !e && histogram_custom(h);
    int finest = m->native_min_bucket_factor > 0 ? schema_of_factor(m->native_min_bucket_factor)
                                                 : HISTOGRAM_SCHEMA_MAX;
    if (!e && !custom && w->schema > HISTOGRAM_SCHEMA_MAX && finest >= HISTOGRAM_SCHEMA_MAX) {
        e = err_set(info, ERR_INVALID, /* remote write reduces it; a scrape only when a factor is given */
                    "histogram has an invalid schema, which must be between %d and %d for exponential "
                    "buckets, or %d for custom buckets, got schema %d",
                    HISTOGRAM_SCHEMA_MIN, HISTOGRAM_SCHEMA_MAX, HISTOGRAM_SCHEMA_CUSTOM, (int)w->schema);
    }
    if (!e && !custom && h->schema > finest) {
        e = reduce_to(r->batch->a, &h, finest);
    }
    while (!e && m->native_buckets && h->positive_count + h->negative_count > m->native_buckets) {
        if (custom || h->schema <= HISTOGRAM_SCHEMA_MIN) {
            r->counts.hit_bucket_limit = true; /* the rest is read, and counted */
            return ERR_OK;
        }
        e = reduce_to(r->batch->a, &h, h->schema - 1);
    }
    *ret_h = h;
    return e;
}

/* Counts a sample that relabelling kept, whatever becomes of it. The limit is on those that are neither
 * repeated nor too fine; a series is added by its first sample that is sent. */
static bool admit(struct body_reader *r, struct cached_series *s, bool repeated, bool fits, ts_ms ts)
{
    uint64_t limit = r->job->d.limits.samples;
    r->counts.added++;
    r->counts.duplicates += repeated;
    r->counts.unsent += repeated || !fits;
    if (repeated) {
        return false;
    }
    s->flags |= CACHED_UNSENT;
    if (!fits) {
        return false;
    }
    if (limit && r->counts.added - r->counts.unsent > limit) {
        r->counts.hit_sample_limit = true;
        return false;
    }
    if (ts > r->ts + SCRAPE_FUTURE_MS) {
        r->counts.out_of_bounds++;
        s->flags &= (uint8_t)~CACHED_TRACKED;
        return false;
    }
    s->flags &= (uint8_t)~CACHED_UNSENT;
    if (!(s->flags & CACHED_COUNTED)) {
        s->flags |= ts == r->ts ? CACHED_COUNTED : CACHED_COUNTED | CACHED_JUST;
        r->counts.series_added += !r->counts.hit_sample_limit && !r->counts.hit_bucket_limit;
    }
    return true;
}

static enum err sample(struct body_reader *r, const struct exposition_item *item, uint8_t flags,
                       const struct scrape_gap *gap, struct err_info *info)
{
    struct cached_series *s =
        item->expected ? scrape_cache_expected(r->cache) : scrape_cache_find(r->cache, item->raw);
    const struct scrape_gap none = {.flags = SCRAPE_GAP_NO_TYPE};
    struct labels ls = {0};
    bool fresh = !s, timed = item->has_ts && r->job->honor_timestamps;
    enum err e = s ? ERR_OK : new_series(r, item, flags, &s, &ls, info);
    r->counts.total++;
    if (e) {
        return e;
    }
    scrape_cache_settle(r->cache);
    bool again = !scrape_cache_see(r->cache, s);
    scrape_cache_came(r->cache, s, gap ? *gap : none, again);
    if (s->flags & CACHED_DROPPED) {
        return ERR_OK;
    }
    const struct histogram *h = NULL;
    ts_ms ts = timed ? item->ts : r->ts;
    bool repeated = again && !timed;
    e = !item->histogram || repeated ? ERR_OK : read_native(r, item->histogram, &h, info);
    if (e) {
        s->flags |= CACHED_UNSENT;
        return e;
    }
    if (!admit(r, s, repeated, h || !item->histogram, ts)) {
        return ERR_OK;
    }
    bool track = !timed || r->job->track_timestamps_staleness;
    s->flags = track ? (uint8_t)(s->flags | CACHED_TRACKED) : (uint8_t)(s->flags & ~CACHED_TRACKED);
    r->batch->has_timestamps |= timed;
    /* It was never stored; or exemplars, which are kept by labels, come with it. */
    if (!fresh && (s->ref == 0 || item->has_exemplar)) {
        e = scrape_body_labels_again(r, s, &ls);
    }
    e = e ? e
          : scrape_batch_add(r->batch,
                             (struct sink_series){.labels = ls, .hash = s->labels_hash, .ref = s->ref}, s,
                             (struct sink_sample){.ts = ts, .value = item->value, .histogram = h});
    return e || !item->has_exemplar ? e : add_exemplar(r, item, ts, info);
}

/* -- the whole ------------------------------------------------------------------------------------------- */

static uint8_t flags_of_type(struct str type)
{
    return str_eq_c(type, "histogram") ? CACHED_LE : str_eq_c(type, "summary") ? CACHED_QUANTILE : 0;
}

static enum err describe(struct body_reader *r, enum exposition_event event,
                         const struct exposition_item *item)
{
    struct str none = {0};
    struct str text = item->text.p ? item->text : STR("");
    return scrape_metadata_set(r->metadata, item->metric, event == EXPOSITION_TYPE ? text : none,
                               event == EXPOSITION_HELP ? text : none, event == EXPOSITION_UNIT ? text : none,
                               r->cache->page_reads + 1);
}

/* One event. */
static enum err read_event(struct body_reader *r, struct exposition_parser *p, uint8_t *flags,
                           enum exposition_event *ret_event, struct exposition_item *ret_item,
                           struct err_info *info)
{
    const struct cached_series *next = scrape_cache_expected(r->cache);
    p->expect = next ? str_of(next->text, next->text_size) : (struct str){0};
    enum err e = exposition_next(p, r->batch->a, ret_event, ret_item, info);
    if (e || *ret_event == EXPOSITION_END || *ret_event == EXPOSITION_COMMENT ||
        *ret_event == EXPOSITION_SAMPLE) {
        return e;
    }
    if (*ret_event == EXPOSITION_TYPE) {
        *flags = flags_of_type(ret_item->text);
    }
    return describe(r, *ret_event, ret_item);
}

/* Protobuf: families come apart, and no bytes stand for a series. */
static enum err read_proto(struct body_reader *r, struct str body, struct err_info *info)
{
    struct exposition_parser p;
    struct exposition_item item;
    enum exposition_event event = EXPOSITION_COMMENT;
    uint8_t flags = 0;
    enum err e = ERR_OK;
    exposition_init(&p, EXPOSITION_PROTO, body);
    p.native = r->native_histograms;
    p.classic = r->classic_histograms;
    while (!e && event != EXPOSITION_END) {
        e = read_event(r, &p, &flags, &event, &item, info);
        e = e || event != EXPOSITION_SAMPLE ? e : sample(r, &item, flags, NULL, info);
    }
    if (!e) {
        scrape_cache_read(r->cache, (struct scrape_gap){0}, EXPOSITION_PROTO);
    }
    return e;
}

/* Reads comments and one sample from at->pos on, as far as the END at most. */
static enum err read_lines(struct body_reader *r, enum exposition_format format, struct body_place *at,
                           bool *ret_end, struct err_info *info)
{
    struct exposition_parser p;
    struct exposition_item item;
    enum exposition_event event = EXPOSITION_COMMENT;
    uint8_t type = SCRAPE_GAP_NO_TYPE;
    const char *from = at->body.p + at->pos;
    enum err e = ERR_OK;
    exposition_init(&p, format, at->body);
    p.pos = at->pos;
    p.line = at->line;
    while (!e && event != EXPOSITION_END && event != EXPOSITION_SAMPLE) {
        e = read_event(r, &p, &at->flags, &event, &item, info);
        type = !e && event == EXPOSITION_TYPE ? at->flags : type;
    }
    if (!e && event == EXPOSITION_SAMPLE) {
        struct scrape_gap gap = scrape_gap_of(from, item.raw.p, p.line - at->line - 1, type);
        e = sample(r, &item, at->flags, &gap, info);
    } else if (!e) {
        scrape_cache_read(r->cache, scrape_gap_of(from, at->body.p + p.pos, p.line - at->line, type), format);
    }
    at->pos = p.pos;
    at->line = p.line;
    *ret_end = event == EXPOSITION_END;
    return e;
}

/* What comments say that were passed over with lines of the page: they may stand elsewhere now. */
static enum err read_comments(struct body_reader *r, enum exposition_format format, struct str body,
                              struct err_info *info)
{
    struct exposition_parser p;
    struct exposition_item item;
    enum exposition_event event = EXPOSITION_COMMENT;
    uint8_t flags = 0;
    enum err e = ERR_OK;
    exposition_init(&p, format, body);
    p.comments_only = true;
    while (!e && event != EXPOSITION_END) {
        e = read_event(r, &p, &flags, &event, &item, info);
    }
    return e;
}

static enum err read_text(struct body_reader *r, enum exposition_format format, struct str body,
                          struct err_info *info)
{
    struct body_place at = {.body = body};
    bool known = r->cache->page_of == (unsigned)format + 1, passed = false, end = false;
    enum err e = ERR_OK;
    while (!e && !end) {
        size_t before = at.pos;
        e = known ? scrape_body_read_known(r, &at) : ERR_OK;
        passed |= at.pos > before;
        if (!e && known && scrape_body_tail_known(r, &at)) {
            scrape_cache_read(r->cache, r->cache->page.tail, format);
            break;
        }
        e = e ? e : read_lines(r, format, &at, &end, info);
    }
    if (passed && e) {
        (void)read_comments(r, format, str_slice(body, 0, at.pos), NULL);
    } else if (passed && (r->cache->comments_due || !scrape_cache_unchanged(r->cache))) {
        e = read_comments(r, format, body, info);
    }
    r->cache->comments_due = r->cache->comments_due && e;
    return e;
}

enum err scrape_body_read(struct body_reader *r, enum exposition_format format, struct str body,
                          struct err_info *info)
{
    r->batch->ts = r->ts;
    enum err e = format == EXPOSITION_PROTO ? read_proto(r, body, info) : read_text(r, format, body, info);
    if (!e && (r->counts.hit_sample_limit || r->counts.hit_bucket_limit)) {
        e = err_set(info, ERR_LIMIT, "%s limit exceeded",
                    r->counts.hit_sample_limit ? "sample" : "histogram bucket");
    }
    return e;
}

enum err scrape_body_mark_stale(struct body_reader *r)
{
    size_t pos = 0;
    struct cached_series *s;
    if (scrape_cache_unchanged(r->cache)) {
        return ERR_OK;
    }
    scrape_cache_settle(r->cache);
    while ((s = scrape_cache_next(r->cache, &pos))) {
        if (s->seen == 0 || s->seen + 1 != r->cache->scrape || !(s->flags & CACHED_TRACKED) ||
            (s->flags & CACHED_DROPPED) || s->ref == 0) {
            continue;
        }
        enum err e = scrape_batch_add(r->batch, (struct sink_series){.hash = s->labels_hash, .ref = s->ref},
                                      s, (struct sink_sample){.ts = r->ts, .value = stale_nan()});
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}
