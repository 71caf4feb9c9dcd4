/* DEPS metrics/tsdb metrics/promtsdb metrics/model query disk codec labels base */
/* Checkpoints and files of sealed chunks that say anything, under checksums that are right. The input is a
 * list of changes (file, place u16, XOR) to those of a small store; it is opened, read, written to and
 * closed. A change with XOR 0 cuts the file. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "codec/crc32c.h"
#include "disk/file.h"
#include "metrics/tsdb/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    SERIES = 10,
    TICKS = 260, /* two sealed chunks and a tail, which the end seals */
    CHANGE_BYTES = 4,
    CHANGES_MAX = 32,
    PATH_BYTES = 128
};

#define T0 INT64_C(1600000000000)

static struct {
    char dir[64];
    struct clock clock;
    struct buf files[2]; /* CHECKPOINT and the first file of chunks, as they were */
    char paths[2][PATH_BYTES];
} store;

static struct tsdb *base_open(void)
{
    struct tsdb *db = NULL;
    struct tsdb_options o = {
        .dir = store.dir, .clock = &store.clock, .durability = DURABILITY_ASYNC, .no_housekeeping = true};
    enum err e = tsdb_open(&o, &db, NULL);
    ASSERT(e == ERR_OK || e == ERR_OOM);
    return db;
}

static void append(struct tsdb *db, unsigned tick)
{
    char names[SERIES][16];
    struct label labels[SERIES][2];
    struct sink_series series[SERIES] = {0};
    struct sink_sample samples[SERIES] = {0};
    struct histogram_span span = {0, 2};
    double counts[2] = {tick, 1};
    struct histogram h = {.schema = 1,
                          .count = tick + 1.0,
                          .sum = tick,
                          .positive_spans = &span,
                          .positive_span_count = 1,
                          .positive = counts,
                          .positive_count = 2};
    for (uint32_t i = 0; i < SERIES; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "m%u", i);
        labels[i][0] = (struct label){STR("__name__"), str_c(names[i])};
        labels[i][1] = (struct label){STR("job"), i % 2 ? STR("a") : STR("b")};
        series[i].labels = (struct labels){labels[i], 2};
        samples[i] = (struct sink_sample){.series_index = i,
                                          .ts = T0 + (ts_ms)tick * 15000 + (i == 9 ? (ts_ms)tick % 7 : 0),
                                          .value = i % 3 ? tick : 1};
        samples[i].histogram = i == 7 ? &h : NULL;
        samples[i].start_ts = i == 8 ? T0 : 0;
    }
    struct sink_batch b = {.tenant = STR("anonymous"),
                           .series = series,
                           .series_count = SERIES,
                           .samples = samples,
                           .sample_count = SERIES,
                           .allow_late = true};
    struct sink_result r = {0};
    enum err e = tsdb_sink(db)->ops->append(tsdb_sink(db), &b, &r, NULL);
    ASSERT(e == ERR_OK || e == ERR_OOM);
}

static void read_all(struct tsdb *db)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct metric_select sel = {.start_ms = INT64_MIN, .end_ms = INT64_MAX};
    struct metric_source *src = tsdb_source(db);
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    if (src->ops->select(src, &q, &sel, &c, NULL) == ERR_OK) {
        while (src->ops->next(c, &b, NULL) == ERR_OK) {
        }
        src->ops->close(c);
    }
}

static void store_make(void)
{
    /* each run syncs a few times: better in memory */
    (void)snprintf(store.dir, sizeof(store.dir), "%s/cairn-fuzz-XXXXXX",
                   dir_is("/dev/shm") ? "/dev/shm" : "/tmp");
    ASSERT(mkdtemp(store.dir));
    clock_fake_init(&store.clock, (T0 + INT64_C(15000) * TICKS) * NS_PER_MS);
    struct tsdb *db = base_open();
    for (unsigned t = 0; t < TICKS; t++) {
        append(db, t);
    }
    tsdb_close(db);
    (void)snprintf(store.paths[0], PATH_BYTES, "%s/chunks/CHECKPOINT", store.dir);
    (void)snprintf(store.paths[1], PATH_BYTES, "%s/chunks/000000000001.chunks", store.dir);
    for (size_t i = 0; i < 2; i++) {
        enum err e = file_load(store.paths[i], &store.files[i], NULL);
        ASSERT(e == ERR_OK);
    }
}

static void checksums_mend(unsigned file, char *p, size_t n)
{
    if (file == 0 && n >= 4) {
        uint32_t crc = crc32c(0, p, n - 4);
        memcpy(p + n - 4, &crc, sizeof(crc));
    }
    for (size_t at = CHUNK_FILE_HEADER_BYTES; file == 1 && at + sizeof(struct chunk) <= n;) {
        struct chunk *c = (void *)(p + at);
        if ((uint64_t)c->times_bytes + c->value_bytes > n - at - sizeof(*c)) {
            break;
        }
        size_t from = offsetof(struct chunk, count), bytes = chunk_bytes(c);
        c->crc = crc32c(0, (char *)c + from, bytes - from);
        at += (bytes + 7) / 8 * 8;
    }
}

/* The files of the store with the changes. */
static void files_put(const uint8_t *data, size_t size)
{
    for (unsigned f = 0; f < 2; f++) {
        struct buf b AUTO_BUF = {0};
        buf_append(&b, store.files[f].p, store.files[f].n);
        for (size_t i = 0; i + CHANGE_BYTES <= size && i < (size_t)CHANGES_MAX * CHANGE_BYTES;
             i += CHANGE_BYTES) {
            size_t at = (size_t)(data[i + 1] << 8 | data[i + 2]);
            if (data[i] % 2 != f || at >= b.n) {
                continue;
            }
            b.p[at] = (char)(b.p[at] ^ data[i + 3]);
            b.n = data[i + 3] ? b.n : at;
        }
        checksums_mend(f, b.p, b.n);
        enum err e = file_store(store.paths[f], buf_view(&b), NULL);
        ASSERT(e == ERR_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char series[PATH_BYTES], kept[PATH_BYTES];
    static bool made;
    if (!made) {
        store_make();
        made = true;
    }
    /* A run leaves a store with its own checkpoint; the definitions of the first one are linked to again. */
    (void)snprintf(series, sizeof(series), "%s/chunks/000000000001.series", store.dir);
    (void)snprintf(kept, sizeof(kept), "%s/kept", store.dir);
    if (!file_exists(kept)) {
        (void)!file_link(series, kept, NULL);
    }
    (void)!file_link(kept, series, NULL);
    ASSERT(file_exists(series));
    files_put(data, size);
    struct tsdb *db = base_open();
    if (db) {
        read_all(db);
        append(db, TICKS + 1);
        read_all(db);
        tsdb_close(db);
    }
    return 0;
}
