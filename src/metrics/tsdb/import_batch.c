/* Decoded series on their way into a section: those with the same timestamps share a clock there, as if they
 * had been scraped here. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/tsdb/import_int.h"

void import_batch_init(struct import_batch *b, struct block_writer *w, struct tsdb_imported *done)
{
    *b = (struct import_batch){.w = w, .done = done};
    arena_init(&b->a, 0, NULL);
}

void import_batch_done(struct import_batch *b)
{
    arena_done(&b->a);
}

void import_damage(struct tsdb_imported *done, const char *fmt, ...)
{
    if (!done->damage[0]) {
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(done->damage, sizeof(done->damage), fmt, ap);
        va_end(ap);
    }
}

static size_t cost_of(const struct prom_samples *s)
{
    size_t cost = s->n;
    for (size_t i = 0; s->histograms && i < s->n; i++) {
        cost += s->histograms[i] ? histogram_point_cost(s->histograms[i]) : 0;
    }
    return cost;
}

enum err import_batch_add(struct import_batch *b, struct labels ls, struct prom_samples s,
                          struct err_info *info)
{
    if (arena_reserve(&b->a, (void **)&b->items, &b->cap, b->n + 1, sizeof(*b->items)) != ERR_OK) {
        return err_set(info, ERR_OOM, "no memory to bring series in");
    }
    b->items[b->n++] = (struct import_series){ls, s, hash_bytes(s.ts, s.n * sizeof(*s.ts)) ^ s.n};
    b->cost += cost_of(&s);
    b->done->series++;
    b->done->samples += s.n;
    b->done->min_ts = s.ts[0] < b->done->min_ts ? s.ts[0] : b->done->min_ts;
    b->done->max_ts = s.ts[s.n - 1] > b->done->max_ts ? s.ts[s.n - 1] : b->done->max_ts;
    return b->cost >= BATCH_SAMPLES_MAX ? import_batch_write(b, info) : ERR_OK;
}

static int clock_cmp(const void *a, const void *b)
{
    const struct import_series *x = a, *y = b;
    return x->clock != y->clock ? (x->clock > y->clock) - (x->clock < y->clock)
                                : labels_cmp(x->labels, y->labels);
}

static bool same_clock(const struct import_series *a, const struct import_series *b)
{
    return a->clock == b->clock && a->samples.n == b->samples.n &&
           memcmp(a->samples.ts, b->samples.ts, a->samples.n * sizeof(*a->samples.ts)) == 0;
}

static enum err group_write(struct import_batch *b, const struct import_series *first, size_t n,
                            struct err_info *info)
{
    struct metric_series *out = arena_zarray(&b->a, n, sizeof(*out));
    if (!out) {
        return err_set(info, arena_err(&b->a), "no memory to bring series in");
    }
    for (size_t i = 0; i < n; i++) {
        const struct prom_samples *s = &first[i].samples;
        out[i] = (struct metric_series){.labels = first[i].labels,
                                        .count = (uint32_t)s->n,
                                        .values = s->values,
                                        .histograms = s->histograms,
                                        .start_ts = s->starts};
    }
    struct metric_batch batch = {.ts = first->samples.ts,
                                 .ts_count = (uint32_t)first->samples.n,
                                 .series_count = (uint32_t)n,
                                 .series = out};
    return block_section_add(b->w, &batch, INT64_MIN, INT64_MAX, info);
}

enum err import_batch_write(struct import_batch *b, struct err_info *info)
{
    enum err e = ERR_OK;
    if (b->n > 1) {
        qsort(b->items, b->n, sizeof(*b->items), clock_cmp);
    }
    for (size_t i = 0; e == ERR_OK && i < b->n;) {
        size_t end = i + 1;
        while (end < b->n && same_clock(&b->items[i], &b->items[end])) {
            end++;
        }
        e = group_write(b, &b->items[i], end - i, info);
        i = end;
    }
    arena_reset(&b->a);
    b->items = NULL;
    b->n = b->cap = b->cost = 0;
    return e;
}

struct order {
    ts_ms ts;
    size_t at;
};

static int order_cmp(const void *a, const void *b)
{
    const struct order *x = a, *y = b;
    return x->ts != y->ts ? (x->ts > y->ts) - (x->ts < y->ts) : (x->at > y->at) - (x->at < y->at);
}

enum err import_order(struct arena *a, struct prom_samples *s)
{
    size_t i = 1, n = 0;
    while (i < s->n && s->ts[i] > s->ts[i - 1]) {
        i++;
    }
    if (i >= s->n) {
        return ERR_OK;
    }
    struct order *order = arena_array(a, s->n, sizeof(*order));
    struct prom_samples out = {.ts = arena_array(a, s->n, sizeof(*out.ts)),
                               .values = arena_array(a, s->n, sizeof(*out.values))};
    out.histograms = s->histograms ? arena_array(a, s->n, sizeof(*out.histograms)) : NULL;
    out.starts = s->starts ? arena_array(a, s->n, sizeof(*out.starts)) : NULL;
    if (!order || !out.ts || !out.values || (s->histograms && !out.histograms) ||
        (s->starts && !out.starts)) {
        return arena_err(a);
    }
    for (i = 0; i < s->n; i++) {
        order[i] = (struct order){s->ts[i], i};
    }
    qsort(order, s->n, sizeof(*order), order_cmp);
    for (i = 0; i < s->n; i++) {
        if (n && out.ts[n - 1] == order[i].ts) {
            continue;
        }
        size_t at = order[i].at;
        out.ts[n] = s->ts[at];
        out.values[n] = s->values[at];
        if (out.histograms) {
            out.histograms[n] = s->histograms[at];
        }
        if (out.starts) {
            out.starts[n] = s->starts[at];
        }
        n++;
    }
    out.n = n;
    *s = out;
    return ERR_OK;
}
