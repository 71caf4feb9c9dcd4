/* A head from what a checkpoint kept: sealed chunks in place of the samples they were made of. */
#include "base/mem.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/head.h"

void head_chunk_restore(struct head *h, uint32_t slot, struct chunk *c)
{
    struct series *s = head_series(h, slot);
    c->older = s->sealed;
    s->sealed = c;
    h->chunk_count++;
    h->min_ts = c->min_ts < h->min_ts ? c->min_ts : h->min_ts;
    h->max_ts = c->max_ts > h->max_ts ? c->max_ts : h->max_ts;
}

/* The next histogram is compared with the one that came last (histogram_hint_after). */
static enum err newest_restore(struct series *s, const struct histogram *last)
{
    void *mem = mem_alloc(histogram_copy_bytes(last));
    s->ext = s->ext ? s->ext : mem_zalloc(sizeof(*s->ext));
    if (s->ext && !s->ext->rich) {
        s->ext->rich = mem_zalloc(sizeof(*s->ext->rich));
    }
    if (!mem || !s->ext || !s->ext->rich) {
        mem_free(mem);
        return ERR_OOM;
    }
    s->ext->rich->newest = histogram_copy(last, mem);
    s->ext->rich->newest_is_last = true;
    return ERR_OK;
}

/* What the newest chunk says of the sample that came last. */
static enum err series_restored(struct series *s)
{
    const struct chunk *c = s->sealed;
    uint64_t bits[CHUNK_SAMPLES_MAX];
    ts_ms starts[CHUNK_SAMPLES_MAX];
    const struct histogram *histograms[CHUNK_SAMPLES_MAX] = {NULL};
    struct rich_columns columns = {bits, histograms, starts};
    struct arena memory AUTO_ARENA;
    arena_init(&memory, 0, NULL);
    enum err e = chunk_samples(c, &memory, &columns);
    if (e != ERR_OK && e != ERR_CORRUPT) {
        return e;
    }
    if (e == ERR_CORRUPT) { /* under a right checksum: its samples are missing from answers, no more */
        bits[c->count - 1] = 0;
        histograms[c->count - 1] = NULL;
    }
    const struct histogram *last = histograms[c->count - 1];
    s->last_ts = c->max_ts;
    s->last_bits = last ? value_identity(&(struct sample_value){.h = last}) : bits[c->count - 1];
    s->flags |= SERIES_STARTED | SERIES_LOGGED;
    return last && !is_stale_nan(last->sum) ? newest_restore(s, last) : ERR_OK;
}

enum err head_restored(struct head *h)
{
    enum err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && i < h->slot_count; i++) {
        struct series *s = head_series(h, i);
        e = (s->flags & SERIES_LIVE) && s->sealed ? series_restored(s) : ERR_OK;
    }
    return e;
}
