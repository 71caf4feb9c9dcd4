/* Samples of a scrape as a column and as rows. */
#include "metrics/scrape/batch.h"

static enum err rows_reserve(struct scrape_batch *b, size_t more)
{
    enum err e =
        arena_reserve(b->a, (void **)&b->series, &b->series_cap, b->series_count + more, sizeof(*b->series));
    e = e ? e
          : arena_reserve(b->a, (void **)&b->cached, &b->cached_cap, b->series_count + more,
                          sizeof(struct cached_series *));
    return e ? e
             : arena_reserve(b->a, (void **)&b->samples, &b->sample_cap, b->sample_count + more,
                             sizeof(*b->samples));
}

/* There is room. */
static void row_put(struct scrape_batch *b, struct sink_series series, struct cached_series *cached,
                    struct sink_sample sample)
{
    sample.series_index = (uint32_t)b->series_count;
    b->series[b->series_count] = series;
    b->cached[b->series_count++] = cached;
    b->samples[b->sample_count++] = sample;
}

static void known_put(struct scrape_batch *b, struct cached_series *s, series_ref ref, double value)
{
    row_put(b, (struct sink_series){.hash = s->labels_hash, .ref = ref}, s,
            (struct sink_sample){.ts = b->ts, .value = value});
}

enum err scrape_batch_add(struct scrape_batch *b, struct sink_series series, struct cached_series *cached,
                          struct sink_sample sample)
{
    enum err e = rows_reserve(b, 1);
    if (!e) {
        row_put(b, series, cached, sample);
    }
    return e;
}

static enum err column_reserve(struct scrape_batch *b, size_t more)
{
    size_t cap = b->column_cap, need = b->column_count + more, same = cap;
    enum err e = arena_reserve(b->a, (void **)&b->refs, &cap, need, sizeof(*b->refs));
    cap = same;
    e = e ? e : arena_reserve(b->a, (void **)&b->values, &cap, need, sizeof(*b->values));
    cap = same;
    e = e ? e : arena_reserve(b->a, (void **)&b->known, &cap, need, sizeof(struct cached_series *));
    b->column_cap = e ? same : cap;
    return e;
}

enum err scrape_batch_reserve_known(struct scrape_batch *b, size_t more)
{
    return b->series_count ? rows_reserve(b, more) : column_reserve(b, more);
}

void scrape_batch_add_known_row(struct scrape_batch *b, struct cached_series *s, double value)
{
    known_put(b, s, s->ref, value);
}

enum err scrape_batch_rows(struct scrape_batch *b)
{
    struct scrape_batch all = {.a = b->a, .ts = b->ts};
    if (b->column_count == 0) {
        return ERR_OK;
    }
    enum err e = rows_reserve(&all, b->column_count + b->series_count);
    if (e) {
        return e;
    }
    for (size_t i = 0; i < b->column_count; i++) {
        known_put(&all, b->known[i], b->refs[i], b->values[i]);
    }
    size_t shift = all.series_count;
    for (size_t i = 0; i < b->series_count; i++) {
        row_put(&all, b->series[i], b->cached[i], b->samples[i]);
    }
    for (size_t i = 0; i < b->exemplar_count; i++) {
        b->exemplars[i].series_index += (uint32_t)shift;
    }
    b->column_count = 0;
    b->series = all.series;
    b->cached = all.cached;
    b->samples = all.samples;
    b->series_count = all.series_count;
    b->sample_count = all.sample_count;
    b->series_cap = all.series_cap;
    b->cached_cap = all.cached_cap;
    b->sample_cap = all.sample_cap;
    return ERR_OK;
}

/* -- sending --------------------------------------------------------------------------------------------- */

/* Rows that could as well be in the column (the synthetic series mostly) are counted in. */
static bool all_plain(const struct scrape_batch *b)
{
    bool plain = b->column_count > 0 && b->exemplar_count == 0 && !b->has_timestamps;
    for (size_t i = 0; plain && i < b->sample_count; i++) {
        const struct sink_sample *m = &b->samples[i];
        plain = m->ts == b->ts && !m->histogram && !m->start_ts && b->series[m->series_index].ref;
    }
    return plain;
}

static enum err send_column(struct scrape_batch *b, const struct scrape_destination *to,
                            struct err_info *info)
{
    enum err e = column_reserve(b, b->sample_count);
    if (e) {
        return e;
    }
    struct sink_column c = {.tenant = to->tenant,
                            .refs = b->refs,
                            .values = b->values,
                            .count = b->column_count + b->sample_count,
                            .ts = b->ts,
                            .epoch = to->epoch};
    for (size_t i = 0; i < b->sample_count; i++) {
        b->refs[b->column_count + i] = b->series[b->samples[i].series_index].ref;
        b->values[b->column_count + i] = b->samples[i].value;
    }
    return to->sink->ops->append_column(to->sink, &c, info);
}

enum err scrape_batch_send(struct scrape_batch *b, const struct scrape_destination *to, bool allow_late,
                           uint64_t *ret_epoch, struct err_info *info)
{
    struct sink_result result = {.epoch = to->epoch};
    *ret_epoch = to->epoch;
    if (to->sink->ops->append_column && all_plain(b)) {
        enum err e = send_column(b, to, info);
        if (e != ERR_UNSUPPORTED) {
            return e;
        }
    }
    enum err e = scrape_batch_rows(b);
    struct sink_batch out = {.tenant = to->tenant,
                             .series = b->series,
                             .series_count = b->series_count,
                             .samples = b->samples,
                             .sample_count = b->sample_count,
                             .exemplars = b->exemplars,
                             .exemplar_count = b->exemplar_count,
                             .epoch = to->epoch,
                             .exemplars_need_series = true,
                             .allow_late = allow_late};
    if (!e && b->sample_count) {
        e = to->sink->ops->append(to->sink, &out, &result, info);
    }
    if (!e) {
        *ret_epoch = result.epoch;
    }
    return e;
}
