/* A block of Prometheus becomes one of ours: its series in order of partition and target, so that the series
 * of a target meet in a batch and share their clock. */
#include <stdlib.h>

#include "metrics/promtsdb/prom_block.h"
#include "metrics/tsdb/import_int.h"

struct place { /* of a series in the order of writing */
    uint64_t target;
    uint32_t id;
};

struct importing {
    struct tsdb *db;
    const struct tsdb_import *o;
    struct prom_block *from;
    struct tsdb_imported *done;
    struct import_block to;
    struct import_batch batch;
    struct arena a; /* the places */
    struct place *places;
    size_t n;
};

static int place_cmp(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    unsigned p = (unsigned)(x->target % PARTITIONS), q = (unsigned)(y->target % PARTITIONS);
    return p != q                   ? (p > q) - (p < q)
           : x->target != y->target ? (x->target > y->target) - (x->target < y->target)
                                    : (x->id > y->id) - (x->id < y->id);
}

/* Where every series goes. */
static enum err places_make(struct importing *im, struct err_info *info)
{
    struct arena scratch AUTO_ARENA;
    struct prom_ids ids = {0};
    arena_init(&scratch, 0, NULL);
    enum err e = prom_index_select(&im->from->index, NULL, 0, &im->a, &ids);
    im->places = e == ERR_OK ? arena_array(&im->a, ids.n + 1, sizeof(*im->places)) : NULL;
    if (!im->places) {
        return err_set(info, e == ERR_OK ? ERR_OOM : e, "the list of series of block %s: %s",
                       im->from->meta.ulid, err_text(e == ERR_OK ? ERR_OOM : e));
    }
    for (size_t i = 0; i < ids.n; i++) {
        struct prom_series s;
        e = prom_index_series(&im->from->index, ids.ids[i], &scratch, &s);
        if (e == ERR_OK && s.labels.n) {
            uint64_t hash = labels_hash(s.labels);
            im->places[im->n++] = (struct place){series_target(im->o->tenant, s.labels, hash), ids.ids[i]};
        } else if (e == ERR_OOM) {
            return err_set(info, e, "no memory for the list of series");
        } else {
            im->done->series_bad++;
            import_damage(im->done, "block %s: the series at id %u of its index is damaged",
                          im->from->meta.ulid, ids.ids[i]);
        }
        arena_reset(&scratch);
    }
    if (im->n > 1) {
        qsort(im->places, im->n, sizeof(*im->places), place_cmp);
    }
    return ERR_OK;
}

static void append(struct prom_samples *to, const struct prom_samples *from)
{
    memcpy(to->ts + to->n, from->ts, from->n * sizeof(*to->ts));
    memcpy(to->values + to->n, from->values, from->n * sizeof(*to->values));
    if (from->histograms) {
        memcpy(to->histograms + to->n, from->histograms, from->n * sizeof(*to->histograms));
    }
    if (from->starts) {
        memcpy(to->starts + to->n, from->starts, from->n * sizeof(*to->starts));
    }
    to->n += from->n;
}

/* The decoded chunks of a series; damaged ones are counted and left out. */
static enum err chunks_decode(struct importing *im, const struct prom_series *s, struct prom_samples *parts,
                              size_t *ret_n)
{
    for (size_t i = 0; i < s->chunk_count; i++) {
        unsigned encoding = 0;
        struct str data;
        enum err e = prom_block_chunk(im->from, s->chunks[i].ref, &encoding, &data);
        e = e == ERR_OK ? prom_chunk_decode(encoding, data, &im->batch.a, &parts[*ret_n]) : e;
        if (e == ERR_OK) {
            *ret_n += 1;
        } else if (e == ERR_CORRUPT || e == ERR_UNSUPPORTED) {
            im->done->chunks_bad++;
            import_damage(im->done, "block %s: the chunk at %llu of file %06llu is damaged",
                          im->from->meta.ulid, (unsigned long long)(s->chunks[i].ref & UINT32_MAX),
                          (unsigned long long)((s->chunks[i].ref >> 32) + 1));
        } else {
            return e;
        }
    }
    return ERR_OK;
}

static enum err samples_join(struct importing *im, const struct prom_samples *parts, size_t n,
                             struct prom_samples *ret_s)
{
    struct arena *a = &im->batch.a;
    size_t total = 0;
    bool histograms = false, starts = false;
    for (size_t i = 0; i < n; i++) {
        total += parts[i].n;
        histograms |= parts[i].histograms != NULL;
        starts |= parts[i].starts != NULL;
    }
    struct prom_samples s = {.ts = arena_array(a, total + 1, sizeof(*s.ts)),
                             .values = arena_array(a, total + 1, sizeof(*s.values))};
    s.histograms = histograms ? arena_zarray(a, total + 1, sizeof(*s.histograms)) : NULL;
    s.starts = starts ? arena_zarray(a, total + 1, sizeof(*s.starts)) : NULL;
    if (!s.ts || !s.values || (histograms && !s.histograms) || (starts && !s.starts)) {
        return arena_err(a);
    }
    for (size_t i = 0; i < n; i++) {
        append(&s, &parts[i]);
    }
    *ret_s = s;
    return import_order(a, ret_s);
}

/* The sample before is gone: what was known of a reset against it says nothing any more. */
static enum err hint_forget(struct arena *a, const struct histogram **h)
{
    if ((*h)->reset_hint != HRESET_NO) {
        return ERR_OK;
    }
    struct histogram *own = arena_alloc(a, sizeof(*own));
    if (!own) {
        return arena_err(a);
    }
    *own = **h;
    own->reset_hint = HRESET_UNKNOWN;
    *h = own;
    return ERR_OK;
}

/* Takes out what tombstones cover. */
static enum err samples_cut(struct importing *im, uint32_t id, struct prom_samples *s)
{
    struct prom_stones stones = prom_stones_of(&im->from->stones, id);
    size_t kept = 0;
    for (size_t i = 0; stones.n && i < s->n; i++) {
        if (prom_stones_cover(&stones, s->ts[i])) {
            continue;
        }
        if (i > kept && s->histograms && s->histograms[i] &&
            hint_forget(&im->batch.a, &s->histograms[i]) != ERR_OK) {
            return arena_err(&im->batch.a);
        }
        s->ts[kept] = s->ts[i];
        s->values[kept] = s->values[i];
        if (s->histograms) {
            s->histograms[kept] = s->histograms[i];
        }
        if (s->starts) {
            s->starts[kept] = s->starts[i];
        }
        kept++;
    }
    if (stones.n) {
        im->done->samples_deleted += s->n - kept;
        s->n = kept;
    }
    return ERR_OK;
}

static enum err series_import(struct importing *im, uint32_t id, struct err_info *info)
{
    struct arena *a = &im->batch.a;
    struct prom_series s;
    struct prom_samples samples = {0};
    size_t n = 0;
    enum err e = prom_index_series(&im->from->index, id, a, &s);
    struct prom_samples *parts = e == ERR_OK ? arena_array(a, s.chunk_count + 1, sizeof(*parts)) : NULL;
    e = e == ERR_OK && !parts ? arena_err(a) : e;
    e = e == ERR_OK ? chunks_decode(im, &s, parts, &n) : e;
    e = e == ERR_OK ? samples_join(im, parts, n, &samples) : e;
    e = e == ERR_OK ? samples_cut(im, id, &samples) : e;
    if (e != ERR_OK) {
        return err_set(info, e, "no memory for a series of block %s", im->from->meta.ulid);
    }
    return samples.n ? import_batch_add(&im->batch, s.labels, samples, info) : ERR_OK;
}

/* The places of one partition, from *at on. */
static enum err section_import(struct importing *im, size_t *at, struct err_info *info)
{
    unsigned partition = (unsigned)(im->places[*at].target % PARTITIONS);
    enum err e = block_section_begin(&im->to.w, im->o->tenant, partition, info);
    while (e == ERR_OK && *at < im->n && im->places[*at].target % PARTITIONS == partition) {
        uint64_t target = im->places[*at].target;
        for (; e == ERR_OK && *at < im->n && im->places[*at].target == target; *at += 1) {
            e = series_import(im, im->places[*at].id, info);
        }
        if (im->batch.cost > BATCH_SAMPLES_MAX / 4 && e == ERR_OK) {
            e = import_batch_write(&im->batch, info);
        }
        if (im->o->progress) {
            im->o->progress(im->o->ctx, *at, im->n);
        }
    }
    e = e == ERR_OK ? import_batch_write(&im->batch, info) : e;
    return e == ERR_OK ? block_section_end(&im->to.w, info) : e;
}

static enum err block_import(struct importing *im, struct err_info *info)
{
    size_t at = 0;
    enum err e = places_make(im, info);
    while (e == ERR_OK && at < im->n) {
        e = section_import(im, &at, info);
    }
    return e == ERR_OK
               ? import_block_publish(&im->to, im->o->tenant, str_c(im->from->meta.ulid), im->done, info)
               : e;
}

enum err tsdb_import_block(struct tsdb *db, const struct tsdb_import *o, struct prom_block *b,
                           struct tsdb_imported *ret_done, struct err_info *reterr_info)
{
    struct tsdb_imported done = {
        .samples_expected = b->meta.samples, .min_ts = INT64_MAX, .max_ts = INT64_MIN};
    struct importing im = {.db = db, .o = o, .from = b, .done = &done};
    mutex_lock(&db->maintenance);
    enum err e = import_noted(db, str_c(b->meta.ulid), &done.already, reterr_info);
    if (e == ERR_OK && !done.already && (e = import_block_begin(&im.to, db, reterr_info)) == ERR_OK) {
        arena_init(&im.a, 0, NULL);
        import_batch_init(&im.batch, &im.to.w, &done);
        e = block_import(&im, reterr_info);
        import_batch_done(&im.batch);
        arena_done(&im.a);
        import_block_done(&im.to);
    }
    mutex_unlock(&db->maintenance);
    if (e == ERR_OK) {
        *ret_done = done;
    }
    return e;
}
