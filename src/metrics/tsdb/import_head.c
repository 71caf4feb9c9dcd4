/* The head of a Prometheus becomes a block of ours.
 *
 * Memory is bounded by reading log and head chunks several times: once to learn how many samples each
 * partition has, then for one group of partitions after the other. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "disk/file.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"
#include "metrics/promtsdb/prom_format.h"
#include "metrics/tsdb/import_head_int.h"

enum {
    GROUP_BYTES_MIN = 64 << 20,
    KEY_BYTES = 32
};

/* -- writing --------------------------------------------------------------------------------------------- */

static int order_cmp(const void *a, const void *b, void *ctx)
{
    const struct head_import *im = ctx;
    const struct head_series *x = &im->series[*(const uint32_t *)a], *y = &im->series[*(const uint32_t *)b];
    unsigned p = (unsigned)(x->target % PARTITIONS), q = (unsigned)(y->target % PARTITIONS);
    return p != q                   ? (p > q) - (p < q)
           : x->target != y->target ? (x->target > y->target) - (x->target < y->target)
                                    : labels_cmp(x->labels, y->labels);
}

/* Deleted samples go. */
static void samples_cut(struct head_import *im, uint32_t number, struct head_series *s)
{
    struct prom_stones stones = prom_stones_of(&im->stones, number);
    size_t kept = 0;
    for (size_t i = 0; i < s->n && stones.n; i++) {
        if (!prom_stones_cover(&stones, s->samples[i].ts)) {
            s->samples[kept++] = s->samples[i];
        }
    }
    if (stones.n) {
        im->done->samples_deleted += s->n - kept;
        s->n = kept;
    }
}

/* What is known of resets is known against the sample before. */
static void hints_set(struct prom_samples *s)
{
    const struct histogram *before = NULL;
    for (size_t i = 0; i < s->n; i++) {
        struct histogram *h = (struct histogram *)(uintptr_t)s->histograms[i]; /* a copy of ours */
        bool stale = h && is_stale_nan(h->sum);
        if (h && !stale) {
            h->reset_hint = (uint8_t)histogram_hint_after(h, before);
        }
        before = stale ? NULL : h;
    }
}

static enum err samples_take(struct head_import *im, uint32_t number, struct arena *a,
                             struct prom_samples *ret_s)
{
    struct head_series *in = &im->series[number];
    bool histograms = false, starts = false;
    samples_cut(im, number, in);
    for (size_t i = 0; i < in->n; i++) {
        histograms |= in->samples[i].h != NULL;
        starts |= in->samples[i].start != 0;
    }
    struct prom_samples s = {.n = in->n,
                             .ts = arena_array(a, in->n + 1, sizeof(*s.ts)),
                             .values = arena_array(a, in->n + 1, sizeof(*s.values))};
    s.histograms = histograms ? arena_array(a, in->n + 1, sizeof(*s.histograms)) : NULL;
    s.starts = starts ? arena_array(a, in->n + 1, sizeof(*s.starts)) : NULL;
    if (!s.ts || !s.values || (histograms && !s.histograms) || (starts && !s.starts)) {
        return arena_err(a);
    }
    for (size_t i = 0; i < in->n; i++) {
        s.ts[i] = in->samples[i].ts;
        s.values[i] = in->samples[i].value;
        if (histograms) {
            s.histograms[i] = in->samples[i].h;
        }
        if (starts) {
            s.starts[i] = in->samples[i].start;
        }
    }
    enum err e = import_order(a, &s);
    if (e == ERR_OK && histograms) {
        hints_set(&s);
    }
    *ret_s = s;
    return e;
}

/* The series of one partition: order[*at] and those that follow. */
static enum err section_write(struct head_import *im, struct import_batch *batch, const uint32_t *order,
                              size_t *at, struct err_info *info)
{
    unsigned partition = (unsigned)(im->series[order[*at]].target % PARTITIONS);
    enum err e = block_section_begin(&im->to.w, im->o->tenant, partition, info);
    while (e == ERR_OK && *at < im->series_count && im->series[order[*at]].target % PARTITIONS == partition) {
        struct prom_samples s = {0};
        uint32_t i = order[*at];
        e = samples_take(im, i, &batch->a, &s);
        e = e == ERR_OK && s.n ? import_batch_add(batch, im->series[i].labels, s, info) : e;
        mem_free(im->series[i].samples);
        im->series[i].samples = NULL;
        *at += 1;
    }
    e = e == ERR_OK ? import_batch_write(batch, info) : e;
    return e == ERR_OK ? block_section_end(&im->to.w, info) : e;
}

static enum err group_write(struct head_import *im, struct err_info *info)
{
    struct import_batch batch;
    uint32_t *order = mem_array(im->series_count + 1, sizeof(*order));
    size_t at = 0;
    if (!order) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < im->series_count; i++) {
        order[i] = (uint32_t)i;
    }
    qsort_r(order, im->series_count, sizeof(*order), order_cmp, im);
    import_batch_init(&batch, &im->to.w, im->done);
    enum err e = ERR_OK;
    while (e == ERR_OK && at < im->series_count) {
        e = section_write(im, &batch, order, &at, info);
    }
    import_batch_done(&batch);
    mem_free(order);
    return e;
}

/* -- groups of partitions -------------------------------------------------------------------------------- */

static unsigned group_end(const struct head_import *im, unsigned first, uint64_t budget)
{
    uint64_t cost = im->cost[first];
    unsigned last = first;
    while (last + 1 < PARTITIONS && cost + im->cost[last + 1] <= budget) {
        cost += im->cost[++last];
    }
    return last;
}

static enum err groups_import(struct head_import *im, struct err_info *info)
{
    uint64_t quarter = im->db->o.memory_bytes / 4;
    uint64_t budget = quarter < GROUP_BYTES_MIN ? GROUP_BYTES_MIN : quarter;
    enum err e = head_count(im, info);
    budget = im->o->memory_bytes ? im->o->memory_bytes : budget;
    for (unsigned p = 0; e == ERR_OK && p < PARTITIONS; p = im->last + 1) {
        im->first = p;
        im->last = group_end(im, p, budget);
        e = head_read(im, info);
        e = e == ERR_OK ? group_write(im, info) : e;
        head_forget(im);
        if (im->o->progress) {
            im->o->progress(im->o->ctx, im->done->series, im->ref_count);
        }
    }
    return e;
}

/* -- what has been brought in ---------------------------------------------------------------------------- */

/* Adds names and sizes of a folder's files, and of the folders in it. */
static enum err files_hash(const char *dir, unsigned depth, uint64_t *hash, struct err_info *info)
{
    struct arena a AUTO_ARENA;
    const struct str *names = NULL;
    size_t n = 0;
    arena_init(&a, 0, NULL);
    if (!dir_is(dir)) {
        return ERR_OK;
    }
    enum err e = dir_list(dir, &a, &names, &n, info);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        char path[4096];
        int fd = -1;
        uint64_t bytes = 0;
        (void)snprintf(path, sizeof(path), "%s/%.*s", dir, STR_FMT(names[i]));
        if (dir_is(path)) {
            e = depth ? files_hash(path, depth - 1, hash, info) : ERR_OK;
        } else if ((e = file_open(path, FILE_READ, &fd, info)) == ERR_OK) {
            e = file_size(fd, &bytes, info);
            file_close(fd);
        }
        *hash = hash_u64(hash_u64(*hash ^ hash_str(names[i])) ^ bytes);
    }
    return e;
}

/* The same log, wherever the folder stands, has the same key; one that has grown another. */
static enum err head_key(const char *dir, char key[KEY_BYTES], struct err_info *info)
{
    static const char *const folders[] = {PROM_WAL_DIR, PROM_WBL_DIR, PROM_HEAD_CHUNKS_DIR};
    uint64_t hash = 0;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < ARRAY_LEN(folders); i++) {
        char path[4096];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, folders[i]);
        e = files_hash(path, 1, &hash, info);
    }
    (void)snprintf(key, KEY_BYTES, "head-%016llx", (unsigned long long)hash);
    return e;
}

static enum err head_import(struct head_import *im, struct str key, struct err_info *info)
{
    enum err e = import_block_begin(&im->to, im->db, info);
    if (e != ERR_OK) {
        return e;
    }
    e = groups_import(im, info);
    if (e == ERR_OOM) {
        (void)err_set(info, e, "no memory to bring in the head of %s", im->dir);
    }
    e = e == ERR_OK ? import_block_publish(&im->to, im->o->tenant, key, im->done, info) : e;
    import_block_done(&im->to);
    return e;
}

enum err tsdb_import_head(struct tsdb *db, const struct tsdb_import *o, const char *dir, ts_ms from,
                          struct tsdb_imported *ret_done, struct err_info *reterr_info)
{
    char key[KEY_BYTES];
    struct tsdb_imported done = {.min_ts = INT64_MAX, .max_ts = INT64_MIN};
    struct head_import *im = mem_zalloc(sizeof(*im));
    if (!im) {
        return err_set(reterr_info, ERR_OOM, "no memory to bring in the head of %s", dir);
    }
    im->db = db;
    im->o = o;
    im->dir = dir;
    im->from = from;
    im->done = &done;
    arena_init(&im->a, 0, NULL);
    arena_init(&im->side, 0, NULL);
    mutex_lock(&db->maintenance);
    enum err e = strlen(dir) > 3900 ? err_set(reterr_info, ERR_LIMIT, "the folder's name is too long")
                                    : head_key(dir, key, reterr_info);
    e = e == ERR_OK ? import_noted(db, str_c(key), &done.already, reterr_info) : e;
    if (e == ERR_OK && !done.already) {
        e = head_import(im, str_c(key), reterr_info);
    }
    mutex_unlock(&db->maintenance);
    u64map_done(&im->ref_of);
    mem_free(im->refs);
    arena_done(&im->a);
    arena_done(&im->side);
    mem_free(im);
    if (e == ERR_OK) {
        *ret_done = done;
    }
    return e;
}
