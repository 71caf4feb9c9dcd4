/* DEPS metrics/scrape metrics/tsdb metrics/ingest metrics/discovery metrics/model query disk net labels codec
 * base */
/* Scraped bodies into the store, without the network: parse and append, with the log.
 *
 *   scrape_bench CAPTURE DIR [TARGETS] [SCRAPES] [text|openmetrics]
 *
 * CAPTURE as bench/node_capture.py makes it; DIR is made and must be empty. Every target exposes the capture
 * from another place on, with HELP and TYPE lines, 15 s between scrapes. Prints samples for each second of
 * the thread's CPU time, apart for reading and appending, and of the whole process (the log's thread too);
 * the first scrape, in which all series are new, is left out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/num.h"
#include "metrics/scrape/body.h"
#include "metrics/tsdb/tsdb.h"

enum {
    BODIES = 60,
    STEP_MS = 15000
};

struct target {
    struct scrape_cache cache;
    struct metadata_table metadata;
    struct label labels[2];
    char instance[32];
    uint64_t epoch;
};

struct bench {
    struct buf bodies[BODIES];
    struct target *targets;
    size_t target_count, scrapes;
    enum exposition_format format;
    struct scrape_job job;
    struct tsdb *db;
    uint64_t samples, body_bytes;
    double read_s, append_s;
};

static void die(const char *what, const struct err_info *info)
{
    (void)fprintf(stderr, "scrape_bench: %s %s\n", what, info ? info->message : "");
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* -- bodies ---------------------------------------------------------------------------------------------- */

static struct str family_of(const char *line)
{
    return str_of(line, strcspn(line, "{ \n"));
}

static void body_make(struct bench *b, struct buf *out, char **lines, size_t n, const double *row)
{
    struct str family = {0};
    for (size_t i = 0; i < n; i++) {
        char value[NUM_F64_BYTES_MAX];
        if (isnan(row[i])) {
            continue;
        }
        if (!str_eq(family, family_of(lines[i]))) {
            family = family_of(lines[i]);
            buf_printf(out, "# HELP %.*s What %.*s tells of the machine.\n# TYPE %.*s %s\n", STR_FMT(family),
                       STR_FMT(family), STR_FMT(family),
                       b->format == EXPOSITION_TEXT ? "untyped" : "unknown");
        }
        size_t size = num_f64_format(value, row[i], 'g');
        buf_printf(out, "%s %.*s\n", lines[i], (int)size, value);
    }
    buf_c(out, b->format == EXPOSITION_OPENMETRICS ? "# EOF\n" : "");
    if (out->err) {
        die("no memory for bodies", NULL);
    }
}

static void bodies_load(struct bench *b, const char *path)
{
    FILE *f = fopen(path, "rb");
    char *line = NULL;
    size_t cap = 0, n = 0, scrapes = 0;
    if (!f || getline(&line, &cap, f) < 0 || sscanf(line, "cairn-capture %zu %zu", &n, &scrapes) != 2 ||
        n == 0 || scrapes < BODIES) {
        die("the capture cannot be read; make one with bench/node_capture.py", NULL);
    }
    char **lines = mem_zarray(n, sizeof(char *));
    double *row = mem_zarray(n, sizeof(*row));
    for (size_t i = 0; lines && i < n; i++) {
        ssize_t size = getline(&line, &cap, f);
        lines[i] = size > 0 ? mem_dup(line, (size_t)size) : NULL;
        if (!lines[i]) {
            die("the capture is cut short", NULL);
        }
        lines[i][size - 1] = '\0';
    }
    for (size_t i = 0; lines && row && i < BODIES; i++) {
        if (fread(row, sizeof(*row), n, f) != n) {
            die("the capture is cut short", NULL);
        }
        body_make(b, &b->bodies[i], lines, n, row);
    }
    (void)fclose(f);
}

/* -- scrapes --------------------------------------------------------------------------------------------- */

static void keep_refs(struct target *t, const struct scrape_batch *batch, uint64_t epoch)
{
    t->epoch = epoch;
    for (size_t i = 0; i < batch->series_count; i++) {
        batch->cached[i]->ref = batch->series[i].ref;
    }
}

/* The store began a new epoch: once more with labels. */
static void give_labels(struct target *t, const struct body_reader *r)
{
    size_t pos = 0;
    struct cached_series *s;
    while ((s = scrape_cache_next(&t->cache, &pos))) {
        s->ref = 0;
    }
    for (size_t i = 0; i < r->batch->series_count; i++) {
        struct sink_series *in = &r->batch->series[i];
        in->ref = 0;
        if (in->labels.n == 0 && scrape_body_labels_again(r, r->batch->cached[i], &in->labels)) {
            die("no labels", NULL);
        }
    }
}

static void append(struct bench *b, struct target *t, const struct body_reader *r)
{
    const struct scrape_destination to = {tsdb_sink(b->db), STR("anonymous"), t->epoch};
    struct err_info info = {0};
    uint64_t epoch = 0;
    enum err e = scrape_batch_send(r->batch, &to, false, &epoch, &info);
    if (e == ERR_CONFLICT) {
        give_labels(t, r);
        e = scrape_batch_send(r->batch, &to, false, &epoch, &info);
    }
    if (e) {
        die("a batch was refused:", &info);
    }
    for (size_t i = 0; i < r->batch->sample_count; i++) {
        if (r->batch->samples[i].status != SAMPLE_STORED) {
            die("a sample was refused", NULL);
        }
    }
    keep_refs(t, r->batch, epoch);
}

static void scrape(struct bench *b, size_t number, size_t scrape, ts_ms ts)
{
    struct target *t = &b->targets[number];
    struct arena work AUTO_ARENA = {0};
    struct scrape_batch batch = {.a = &work};
    struct err_info info = {0};
    struct body_reader r = {.job = &b->job,
                            .target = {t->labels, 2},
                            .ts = ts,
                            .cache = &t->cache,
                            .metadata = &t->metadata,
                            .batch = &batch};
    struct str body = buf_view(&b->bodies[(scrape + number * 37) % BODIES]);
    double begun = seconds(CLOCK_THREAD_CPUTIME_ID);
    scrape_cache_begin(&t->cache);
    if (scrape_body_read(&r, b->format, body, &info) || scrape_body_mark_stale(&r)) {
        die("a body was refused:", &info);
    }
    double read = seconds(CLOCK_THREAD_CPUTIME_ID);
    append(b, t, &r);
    scrape_cache_trim(&t->cache);
    scrape_metadata_trim(&t->metadata, t->cache.page_reads, t->cache.page_repeats);
    b->samples += scrape_batch_samples(&batch);
    b->body_bytes += body.n;
    b->read_s += read - begun;
    b->append_s += seconds(CLOCK_THREAD_CPUTIME_ID) - read;
}

static void run(struct bench *b)
{
    ts_ms start = clock_wall_ms(clock_real()) - (ts_ms)b->scrapes * STEP_MS;
    double begun = 0;
    for (size_t s = 0; s < b->scrapes; s++) {
        for (size_t t = 0; t < b->target_count; t++) {
            scrape(b, t, s, start + (ts_ms)s * STEP_MS + (ts_ms)(t * 7919 % STEP_MS));
        }
        if (s == 0) {
            b->samples = b->body_bytes = 0;
            b->read_s = b->append_s = 0;
            begun = seconds(CLOCK_PROCESS_CPUTIME_ID);
        }
    }
    double all = seconds(CLOCK_PROCESS_CPUTIME_ID) - begun, n = (double)b->samples;
    (void)printf(
        "samples %.0f  body MiB %.1f  read %.2f M/s  append %.2f M/s  both %.2f M/s  process %.2f M/s\n", n,
        (double)b->body_bytes / 1048576, n / b->read_s / 1e6, n / b->append_s / 1e6,
        n / (b->read_s + b->append_s) / 1e6, n / all / 1e6);
}

int main(int argc, char **argv)
{
    static struct bench b;
    struct err_info info = {0};
    if (argc < 3) {
        die("CAPTURE and DIR are needed", NULL);
    }
    b.target_count = argc > 3 ? strtoul(argv[3], NULL, 10) : 100;
    b.scrapes = argc > 4 ? strtoul(argv[4], NULL, 10) : 60;
    b.format = argc > 5 && strcmp(argv[5], "openmetrics") == 0 ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
    b.job = (struct scrape_job){.honor_timestamps = true};
    b.targets = mem_zarray(b.target_count, sizeof(*b.targets));
    if (!b.targets ||
        tsdb_open(&(struct tsdb_options){.dir = argv[2], .durability = DURABILITY_INTERVAL}, &b.db, &info)) {
        die("no store:", &info);
    }
    bodies_load(&b, argv[1]);
    for (size_t i = 0; i < b.target_count; i++) {
        struct target *t = &b.targets[i];
        int n = snprintf(t->instance, sizeof(t->instance), "host-%zu:9100", i);
        t->labels[0] = (struct label){STR("instance"), str_of(t->instance, (size_t)n)};
        t->labels[1] = (struct label){STR("job"), STR("node")};
    }
    run(&b);
    (void)fflush(stdout);
    _exit(0); /* what a close costs is not asked for */
}
