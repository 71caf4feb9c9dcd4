/* cairn import prometheus: the data of a Prometheus into a data folder, block by block. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cairn/flags.h"
#include "cairn/import_int.h"
#include "metrics/promtsdb/prom_dir.h"
#include "metrics/tsdb/import.h"

/* Nothing goes by age while old data comes in: what is kept is for the server to decide. */
#define IMPORT_RETENTION_MS (INT64_C(1000) * 365 * 86400 * MS_PER_S)

static const int64_t DAY_MS = INT64_C(86400) * MS_PER_S;

enum {
    RETENTION_DAYS = 15 /* unless the server is told otherwise */
};

struct import_flags {
    struct str from, data, path, tenant;
    bool help;
};

static const struct flag import_table[] = {
    {"from", FLAG_STR, offsetof(struct import_flags, from), "",
     "Prometheus' data folder (its storage.tsdb.path)"},
    {"data", FLAG_STR, offsetof(struct import_flags, data), "./cairn-data", "data folder of Cairn"},
    {"storage.tsdb.path", FLAG_STR, offsetof(struct import_flags, path), "",
     "folder of the metrics store, when it is not DATA/metrics"},
    {"tenant", FLAG_STR, offsetof(struct import_flags, tenant), "anonymous", "whose data it becomes"},
    {"help", FLAG_BOOL, offsetof(struct import_flags, help), "", "this text"},
};

struct import_run {
    struct tsdb *db;
    struct tsdb_import o;
    const char *name; /* of what is brought in now */
    struct tsdb_imported sum;
    size_t blocks, blocks_already;
    bool head_already;
    unsigned damaged; /* things with damage */
};

static int fail(const struct err_info *info, int status)
{
    char text[1024];
    (void)fprintf(stderr, "cairn import: %s\n", err_render(info, text, sizeof(text)));
    return status;
}

/* On a terminal a line that is written over; elsewhere nothing. */
static void progress(void *ctx, uint64_t done, uint64_t total)
{
    const struct import_run *run = ctx;
    if (isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r%s: %llu of %llu series ", run->name, (unsigned long long)done,
                      (unsigned long long)total);
    }
}

static void progress_end(void)
{
    if (isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r\033[K");
    }
}

static void say(struct import_run *run, const struct tsdb_imported *d)
{
    char from[32] = "", to[32] = "";
    progress_end();
    if (d->already) {
        (void)printf("%s: brought in before\n", run->name);
        return;
    }
    if (d->samples == 0) {
        (void)printf("%s: no samples\n", run->name);
    } else {
        (void)printf(
            "%s: %llu series, %llu samples, %s to %s; %llu bytes\n", run->name, (unsigned long long)d->series,
            (unsigned long long)d->samples, clock_format_rfc3339(d->min_ts * NS_PER_MS, from, sizeof(from)),
            clock_format_rfc3339(d->max_ts * NS_PER_MS, to, sizeof(to)), (unsigned long long)d->bytes);
    }
    if (d->samples_deleted) {
        (void)printf("%s: %llu samples were deleted there and stay away\n", run->name,
                     (unsigned long long)d->samples_deleted);
    }
    if (d->damage[0]) {
        run->damaged++;
        (void)printf("%s: damaged: %llu chunks, %llu series, %llu log records are missing; the first: %s\n",
                     run->name, (unsigned long long)d->chunks_bad, (unsigned long long)d->series_bad,
                     (unsigned long long)d->records_bad, d->damage);
    } else if (d->samples_expected && d->samples + d->samples_deleted != d->samples_expected) {
        run->damaged++;
        (void)printf("%s: its meta.json says %llu samples, its chunks hold %llu\n", run->name,
                     (unsigned long long)d->samples_expected,
                     (unsigned long long)(d->samples + d->samples_deleted));
    }
}

static void sum_up(struct import_run *run, const struct tsdb_imported *d)
{
    struct tsdb_imported *s = &run->sum;
    s->samples += d->samples;
    s->bytes += d->bytes;
    s->exemplars += d->exemplars;
    s->metadata += d->metadata;
    if (d->samples) {
        s->min_ts = d->min_ts < s->min_ts ? d->min_ts : s->min_ts;
        s->max_ts = d->max_ts > s->max_ts ? d->max_ts : s->max_ts;
    }
}

static enum err blocks_import(struct import_run *run, const struct prom_dir *dir, struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < dir->bad_count; i++) {
        run->damaged++;
        (void)printf("%s: left out: %s\n", dir->bad[i].name, dir->bad[i].why);
    }
    for (size_t i = 0; e == ERR_OK && i < dir->n; i++) {
        struct tsdb_imported d = {0};
        run->name = dir->blocks[i]->meta.ulid;
        e = tsdb_import_block(run->db, &run->o, dir->blocks[i], &d, info);
        if (e == ERR_OK) {
            run->blocks += !d.already;
            run->blocks_already += d.already;
            say(run, &d);
            sum_up(run, &d);
        }
    }
    return e;
}

static enum err head_import(struct import_run *run, const struct import_flags *f, const struct prom_dir *dir,
                            struct err_info *info)
{
    struct tsdb_imported d = {0};
    run->name = "head";
    enum err e = tsdb_import_head(run->db, &run->o, f->from.p, prom_dir_head_from(dir), &d, info);
    if (e == ERR_OK) {
        run->head_already = d.already;
        say(run, &d);
        sum_up(run, &d);
    }
    return e;
}

static int finish(const struct import_run *run)
{
    (void)printf(
        "brought in: %zu blocks, %llu samples, %llu exemplars, %llu bytes; there before: %zu blocks%s\n",
        run->blocks, (unsigned long long)run->sum.samples, (unsigned long long)run->sum.exemplars,
        (unsigned long long)run->sum.bytes, run->blocks_already, run->head_already ? " and the head" : "");
    ts_ms now = clock_wall_ms(clock_real());
    if (run->sum.samples && run->sum.min_ts < now - RETENTION_DAYS * DAY_MS) {
        (void)printf("the oldest samples are %lld days old: start the server with "
                     "--storage.tsdb.retention.time=%lldd or longer, or it lets them go\n",
                     (long long)((now - run->sum.min_ts) / DAY_MS),
                     (long long)((now - run->sum.min_ts) / DAY_MS + 1));
    }
    if (run->damaged) {
        (void)printf("damage was found: everything else was brought in\n");
    }
    return run->damaged ? 1 : 0;
}

static enum err store_open(const struct import_flags *f, struct tsdb **ret_db, struct err_info *info)
{
    struct buf path AUTO_BUF = {.size_bytes_max = 4096};
    struct tsdb_options o = {.retention_ms = IMPORT_RETENTION_MS, .no_housekeeping = true};
    buf_printf(&path, f->path.n ? "%.*s" : "%.*s/metrics", STR_FMT(f->path.n ? f->path : f->data));
    buf_char(&path, '\0');
    if (path.err != ERR_OK) {
        return err_set(info, path.err, "the folder's name is too long");
    }
    o.dir = path.p;
    return tsdb_open(&o, ret_db, info);
}

static int import_run(const struct import_flags *f)
{
    struct import_run run = {.o = {.tenant = f->tenant, .progress = progress, .ctx = &run},
                             .sum = {.min_ts = INT64_MAX, .max_ts = INT64_MIN}};
    struct err_info info = {0};
    struct prom_dir dir = {0};
    if (!prom_dir_is(f->from.p)) {
        (void)err_set(&info, ERR_NOT_FOUND, "%.*s holds no data of a Prometheus: no block, no log",
                      STR_FMT(f->from));
        return fail(&info, 1);
    }
    enum err e = prom_dir_open(f->from.p, &dir, &info);
    e = e == ERR_OK ? store_open(f, &run.db, &info) : e;
    if (e == ERR_OK && prom_dir_busy(f->from.p)) {
        (void)printf("a Prometheus is running in %.*s: what it writes from now on is not brought in\n",
                     STR_FMT(f->from));
    }
    e = e == ERR_OK ? blocks_import(&run, &dir, &info) : e;
    e = e == ERR_OK ? head_import(&run, f, &dir, &info) : e;
    progress_end();
    tsdb_close(run.db);
    prom_dir_done(&dir);
    return e == ERR_OK ? finish(&run) : fail(&info, 1);
}

int import_prometheus(int argc, char **argv)
{
    struct import_flags f = {.data = STR("./cairn-data"), .tenant = STR("anonymous")};
    const struct flag_set set = {"Flags", import_table, ARRAY_LEN(import_table), &f};
    const char *what = NULL;
    struct err_info info = {0};
    size_t n = 0;
    if (flags_parse(argc, argv, &set, 1, &what, 1, &n, NULL, NULL, &info)) {
        return fail(&info, 2);
    }
    if (f.help || !f.from.n || n != 1 || strcmp(what, "prometheus") != 0) {
        struct buf text AUTO_BUF = {.size_bytes_max = 8192};
        buf_c(&text,
              "usage: cairn import prometheus --from=DIR --data=DIR\n\n"
              "Brings blocks, log and head chunks of a Prometheus into a data folder that no server uses\n"
              "meanwhile. Damaged parts are counted and named, everything else comes in.\n"
              "Prometheus' files stay as they are. Doing it again brings in only what is new.\n");
        flags_help(&text, &set, 1);
        (void)fwrite(text.p, 1, text.n, f.help ? stdout : stderr);
        return f.help ? 0 : 2;
    }
    return import_run(&f);
}
