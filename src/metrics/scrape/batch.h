/* The samples of one scrape, on their way to the sink.
 *
 * As long as a body says nothing new its samples are a column: references and values, all at the time of the
 * scrape. What is more than that (labels, timestamps, histograms) makes a row of its own, and rows stay rows.
 * The column comes before the rows. */
#ifndef CAIRN_METRICS_SCRAPE_BATCH_H
#define CAIRN_METRICS_SCRAPE_BATCH_H

#include "base/arena.h"
#include "metrics/model/sink.h"
#include "metrics/scrape/cache.h"

/* Arrays live in the arena. */
struct scrape_batch {
    struct arena *a;
    ts_ms ts; /* of the column */
    series_ref *refs;
    double *values;
    struct cached_series **known; /* of each reference */
    size_t column_count, column_cap;
    struct sink_series *series;
    struct cached_series **cached; /* of each series; NULL: synthetic */
    size_t series_count, series_cap, cached_cap;
    struct sink_sample *samples;
    size_t sample_count, sample_cap;
    struct sink_exemplar *exemplars;
    size_t exemplar_count, exemplar_cap;
    bool has_timestamps;
};

/* Adds one series with one sample; `cached` may be NULL. Errors of all: OOM, LIMIT (of the arena). */
MUST_USE enum err scrape_batch_add(struct scrape_batch *b, struct sink_series series,
                                   struct cached_series *cached, struct sink_sample sample);
/* Room for so many more known series, in the column or in rows. */
MUST_USE enum err scrape_batch_reserve_known(struct scrape_batch *b, size_t more);
/* scrape_batch_add_known when there are rows. */
void scrape_batch_add_known_row(struct scrape_batch *b, struct cached_series *s, double value);
/* A known series with its value at b->ts. There is room. */
static inline void scrape_batch_add_known(struct scrape_batch *b, struct cached_series *s, double value)
{
    if (b->series_count) {
        scrape_batch_add_known_row(b, s, value);
        return;
    }
    b->refs[b->column_count] = s->ref;
    b->values[b->column_count] = value;
    b->known[b->column_count++] = s;
}
/* Makes rows of the column. */
MUST_USE enum err scrape_batch_rows(struct scrape_batch *b);
static inline size_t scrape_batch_samples(const struct scrape_batch *b)
{
    return b->column_count + b->sample_count;
}

struct scrape_destination {
    struct metric_sink *sink;
    struct str tenant;
    uint64_t epoch; /* of the references */
};
/* Sends it all. *ret_epoch is that of the references that are then in the rows; rows have their status. After
 * CONFLICT the batch is all rows, which want labels. Errors: those of the sink's append. */
MUST_USE enum err scrape_batch_send(struct scrape_batch *b, const struct scrape_destination *to,
                                    bool allow_late, uint64_t *ret_epoch, struct err_info *info);

#endif
