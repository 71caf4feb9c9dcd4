/* A block from batches: collecting, and making it whole. */
#include "metrics/promtsdb/prom_block_write.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/rng.h"
#include "disk/file.h"
#include "metrics/promtsdb/prom_block_write_int.h"

enum {
    ULID_TIME_CHARS = 10,
    ULID_RANDOM_BYTES = 10
};

#define TMP_SUFFIX ".tmp-for-creation"

/* 48 bits of time and 80 of chance in Crockford's base 32: names sort by when they were made. */
static enum err ulid_make(char out[PROM_ULID_BYTES + 1])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint8_t chance[ULID_RANDOM_BYTES];
    enum err e = rng_secret(chance, sizeof(chance));
    if (e != ERR_OK) {
        return e;
    }
    uint64_t ms = (uint64_t)clock_wall_ms(clock_real());
    for (int i = ULID_TIME_CHARS - 1; i >= 0; i--, ms >>= 5) {
        out[i] = digits[ms & 31];
    }
    for (unsigned i = 0; i < PROM_ULID_BYTES - ULID_TIME_CHARS; i++) {
        unsigned bit = i * 5, two = (unsigned)chance[bit / 8] << 8;
        two |= bit / 8 + 1 < ULID_RANDOM_BYTES ? chance[bit / 8 + 1] : 0u;
        out[ULID_TIME_CHARS + i] = digits[(two >> (11 - bit % 8)) & 31];
    }
    out[PROM_ULID_BYTES] = '\0';
    return ERR_OK;
}

static enum err out_of_memory(struct err_info *info)
{
    return err_set(info, ERR_OOM, "no memory to write a block");
}

static enum err waiting_path(const struct prom_block_writer *w, char path[PROM_PATH_BYTES])
{
    int n = snprintf(path, PROM_PATH_BYTES, "%s/waiting", w->tmp);
    return n > 0 && n < PROM_PATH_BYTES ? ERR_OK : ERR_LIMIT;
}

static enum err folder_make(struct prom_block_writer *w, const char *dir, struct err_info *info)
{
    char path[PROM_PATH_BYTES];
    if (snprintf(w->dir, sizeof(w->dir), "%s", dir) >= (int)sizeof(w->dir)) {
        return err_set(info, ERR_LIMIT, "the folder's name is too long: %s", dir);
    }
    enum err e = ulid_make(w->stats.ulid);
    if (e != ERR_OK) {
        return err_set(info, e, "no random numbers for the name of a block");
    }
    (void)snprintf(w->tmp, sizeof(w->tmp), "%s/%s" TMP_SUFFIX, w->dir, w->stats.ulid);
    e = dir_make(w->tmp, info);
    e = e == ERR_OK ? waiting_path(w, path) : e;
    return e == ERR_OK ? prom_out_open(&w->waiting, path, info) : e;
}

enum err prom_block_writer_new(const char *dir, bool with_starts, struct prom_block_writer **ret_w,
                               struct err_info *reterr_info)
{
    struct prom_block_writer *w = mem_zalloc(sizeof(*w));
    if (!w) {
        return out_of_memory(reterr_info);
    }
    w->waiting.fd = -1;
    w->stats.min_ts = INT64_MAX;
    w->stats.max_ts = INT64_MIN;
    prom_symbols_init(&w->symbols);
    enum err e = prom_chunk_encoder_init(&w->encoder);
    w->encoder.with_starts = with_starts;
    e = e == ERR_OK ? folder_make(w, dir, reterr_info) : out_of_memory(reterr_info);
    if (e != ERR_OK) {
        prom_block_writer_free(w);
        return e;
    }
    *ret_w = w;
    return ERR_OK;
}

void prom_block_writer_free(struct prom_block_writer *w)
{
    if (!w) {
        return;
    }
    prom_out_done(&w->waiting);
    if (w->tmp[0]) {
        (void)(dir_remove(w->tmp, NULL) == ERR_OK); /* a left-over is no block, by its name */
    }
    prom_symbols_done(&w->symbols);
    prom_chunk_encoder_done(&w->encoder);
    buf_done(&w->encoded);
    mem_free(w->series);
    mem_free(w->pair_numbers);
    mem_free(w);
}

/* -- collecting ------------------------------------------------------------------------------------------ */

static enum err labels_keep_numbers(struct prom_block_writer *w, struct labels ls)
{
    if (vec_reserve((void **)&w->pair_numbers, &w->pair_numbers_cap, w->pair_numbers_count + ls.n,
                    sizeof(*w->pair_numbers)) != ERR_OK) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < ls.n; i++) {
        enum err e = prom_symbols_pair(&w->symbols, ls.l[i], &w->pair_numbers[w->pair_numbers_count]);
        if (e != ERR_OK) {
            return e;
        }
        w->pair_numbers_count++;
    }
    return ERR_OK;
}

static enum err series_add(struct prom_block_writer *w, const ts_ms *ts, const struct metric_series *s,
                           size_t from, size_t n, struct err_info *info)
{
    struct prom_encoded counts = {0};
    struct prom_waiting row = {
        .at = w->waiting.at, .pairs = (uint32_t)w->pair_numbers_count, .pair_count = (uint32_t)s->labels.n};
    if (w->pair_numbers_count + s->labels.n > UINT32_MAX) {
        return err_set(info, ERR_LIMIT, "too many series for one block: export shorter spans");
    }
    buf_reset(&w->encoded);
    if (prom_chunks_encode(&w->encoder, ts, s, from, n, &w->encoded, &counts) != ERR_OK ||
        labels_keep_numbers(w, s->labels) != ERR_OK ||
        vec_reserve((void **)&w->series, &w->series_cap, w->series_count + 1, sizeof(*w->series)) != ERR_OK) {
        return out_of_memory(info);
    }
    row.bytes = (uint32_t)w->encoded.n;
    row.chunks = (uint32_t)counts.chunks;
    w->series[w->series_count++] = row;
    w->waiting.info = info;
    prom_out_bytes(&w->waiting, w->encoded.p, w->encoded.n);
    ts_ms first = ts[s->clock_first + from], last = ts[s->clock_first + from + n - 1];
    w->stats.series++;
    w->stats.chunks += counts.chunks;
    w->stats.floats += counts.floats;
    w->stats.histograms += counts.histograms;
    w->stats.starts += counts.starts;
    w->stats.min_ts = first < w->stats.min_ts ? first : w->stats.min_ts;
    w->stats.max_ts = last > w->stats.max_ts ? last : w->stats.max_ts;
    return w->waiting.err;
}

enum err prom_block_writer_add(struct prom_block_writer *w, const struct metric_batch *b, ts_ms from,
                               ts_ms to, struct err_info *reterr_info)
{
    size_t lo = ts_lower_bound(b->ts, b->ts_count, from);
    size_t hi = to == INT64_MAX ? b->ts_count : ts_lower_bound(b->ts, b->ts_count, to + 1);
    enum err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && i < b->series_count; i++) {
        const struct metric_series *s = &b->series[i];
        size_t first = s->clock_first > lo ? s->clock_first : lo, end = s->clock_first + (size_t)s->count;
        end = end < hi ? end : hi;
        if (first < end) {
            e = series_add(w, b->ts, s, first - s->clock_first, end - first, reterr_info);
        }
    }
    return e;
}

/* -- making it whole ------------------------------------------------------------------------------------- */

static enum err tombstones_write(const struct prom_block_writer *w, struct err_info *info)
{
    char path[PROM_PATH_BYTES];
    struct prom_out out;
    (void)snprintf(path, sizeof(path), "%s/" PROM_TOMBSTONES_FILE, w->tmp);
    enum err e = prom_out_open(&out, path, info);
    prom_out_be32(&out, PROM_TOMBSTONES_MAGIC);
    prom_out_bytes(&out, &(char){PROM_TOMBSTONES_VERSION}, 1);
    prom_out_crc_begin(&out); /* of the stones: what was deleted is not written */
    prom_out_crc_end(&out);
    e = e == ERR_OK ? prom_out_finish(&out, true) : e;
    prom_out_done(&out);
    return e;
}

/* Index and chunks from the file where they waited, which goes. */
static enum err body_write(struct prom_block_writer *w, unsigned *ret_segments, struct err_info *info)
{
    char path[PROM_PATH_BYTES];
    struct file_map map = {0};
    enum err e = prom_out_finish(&w->waiting, false);
    e = e == ERR_OK ? waiting_path(w, path) : e;
    e = e == ERR_OK ? file_map(path, &map, info) : e;
    if (e == ERR_OK) {
        e = prom_index_write(w, map.data, ret_segments, info);
        file_unmap(&map);
    }
    return e == ERR_OK ? file_remove(path, info) : e;
}

static enum err block_publish(struct prom_block_writer *w, struct err_info *info)
{
    char path[PROM_PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/" PROM_CHUNKS_DIR, w->tmp);
    enum err e = dir_sync(path, info);
    e = e == ERR_OK ? dir_sync(w->tmp, info) : e;
    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, w->stats.ulid);
    e = e == ERR_OK ? file_rename(w->tmp, path, info) : e;
    if (e == ERR_OK) {
        w->tmp[0] = '\0';
        e = dir_sync(w->dir, info);
    }
    return e;
}

enum err prom_block_writer_finish(struct prom_block_writer *w, const struct prom_block_extra *extra,
                                  struct prom_block_stats *ret_stats, struct err_info *reterr_info)
{
    unsigned segments = 0;
    enum err e = ERR_OK;
    w->waiting.info = reterr_info;
    if (w->series_count) {
        e = body_write(w, &segments, reterr_info);
        e = e == ERR_OK ? tombstones_write(w, reterr_info) : e;
        e = e == ERR_OK ? prom_meta_write(w, extra, segments, reterr_info) : e;
        e = e == ERR_OK ? block_publish(w, reterr_info) : e;
    }
    *ret_stats = w->stats;
    return e;
}
