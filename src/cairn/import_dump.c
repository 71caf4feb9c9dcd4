/* cairn import text and openmetrics: dumps with timestamps. */
#include <stdio.h>
#include <unistd.h>

#include "cairn/flags.h"
#include "cairn/import_int.h"
#include "metrics/dump/dump_read.h"

enum {
    ARGUMENTS_MAX = 4096,
    SHOW_EVERY_MS = 200,
    RETENTION_DAYS = 15 /* unless the server is told otherwise */
};

struct import {
    struct str tenant;
    struct tsdb *db;
    struct tsdb_bulk *bulk;
    struct label labels[FLAG_LIST_MAX];
    size_t label_count;
    const char *what; /* is read now; for the progress line */
    int64_t shown_ns; /* when the progress was shown last */
    bool progress;    /* standard error is a terminal */
};

struct import_flags {
    struct str data, path, tenant;
    struct flag_list labels;
    uint64_t memory;
    bool help;
};

static const struct flag table[] = {
    {"data", FLAG_STR, offsetof(struct import_flags, data), "./cairn-data", "data folder"},
    {"storage.tsdb.path", FLAG_STR, offsetof(struct import_flags, path), "",
     "folder of the metrics store itself, instead of DATA/metrics"},
    {"label", FLAG_LIST, offsetof(struct import_flags, labels), "",
     "NAME=VALUE for every series that has no such label; may be repeated"},
    {"tenant", FLAG_STR, offsetof(struct import_flags, tenant), "anonymous", "whose samples they become"},
    {"memory", FLAG_SIZE, offsetof(struct import_flags, memory), "a quarter of the host",
     "memory the import may use"},
    {"help", FLAG_BOOL, offsetof(struct import_flags, help), "", "this text"},
};

static int fail(const struct err_info *info, int status)
{
    char place[1024];
    (void)fprintf(stderr, "cairn import: %s\n", err_render(info, place, sizeof(place)));
    return status;
}

static void progress(void *ctx, uint64_t done_bytes, uint64_t total_bytes)
{
    struct import *im = ctx;
    int64_t now = clock_mono_ns(clock_real());
    if (!im->progress || now - im->shown_ns < SHOW_EVERY_MS * NS_PER_MS) {
        return;
    }
    im->shown_ns = now;
    (void)fprintf(stderr, "\r%s: %llu", im->what, (unsigned long long)(done_bytes >> 20));
    if (total_bytes) {
        (void)fprintf(stderr, " of %llu MiB, %u %%", (unsigned long long)(total_bytes >> 20),
                      (unsigned)(done_bytes * 100 / total_bytes));
    } else {
        (void)fprintf(stderr, " MiB");
    }
    (void)fprintf(stderr, "\x1b[K");
}

static void progress_end(struct import *im)
{
    if (im->shown_ns) {
        (void)fprintf(stderr, "\r\x1b[K");
    }
}

static enum err labels_take(struct import *im, const struct flag_list *given, struct err_info *info)
{
    for (size_t i = 0; i < given->n; i++) {
        struct str value = given->items[i], name = str_cut(&value, '=');
        if (!label_name_is_legacy(name) || !str_utf8_valid(value) ||
            str_find_char(given->items[i], '=', 0) == STR_NPOS) {
            return err_set(info, ERR_INVALID, "--label=%.*s: expected NAME=VALUE", STR_FMT(given->items[i]));
        }
        im->labels[im->label_count++] = (struct label){name, value};
    }
    return ERR_OK;
}

/* -- the store ------------------------------------------------------------------------------------------- */

static enum err store_open(struct import *im, const struct import_flags *f, struct err_info *info)
{
    static const int64_t CENTURIES_MS = INT64_C(200) * 365 * 86400 * 1000;
    char dir[4096];
    int n = f->path.n ? snprintf(dir, sizeof(dir), "%.*s", STR_FMT(f->path))
                      : snprintf(dir, sizeof(dir), "%.*s/metrics", STR_FMT(f->data));
    if (n < 0 || (size_t)n >= sizeof(dir)) {
        return err_set(info, ERR_LIMIT, "the folder's name is too long");
    }
    struct tsdb_options o = {.dir = dir,
                             .durability = DURABILITY_OS,
                             .retention_ms = CENTURIES_MS,
                             .memory_bytes = f->memory,
                             .no_housekeeping = true};
    enum err e = tsdb_open(&o, &im->db, info);
    if (e == ERR_EXISTS) {
        char why[400];
        (void)snprintf(why, sizeof(why), "%.399s", info->message);
        return err_set(info, e, "%s; stop it, import, and start it again", why);
    }
    return e == ERR_OK ? tsdb_bulk_new(im->db, f->tenant, f->memory ? f->memory / 2 : 0, &im->bulk, info) : e;
}

static void say(const struct tsdb_bulk_stats *s)
{
    char from[32], to[32];
    (void)printf("imported %llu samples", (unsigned long long)s->samples);
    if (s->samples) {
        (void)printf(", from %s to %s", clock_format_rfc3339(s->min_ts * NS_PER_MS, from, sizeof(from)),
                     clock_format_rfc3339(s->max_ts * NS_PER_MS, to, sizeof(to)));
    }
    (void)printf("; %llu were there already\n", (unsigned long long)s->known);
    if (s->conflicts) {
        (void)printf("%llu samples have the time of a stored one and another value: the stored one stays\n",
                     (unsigned long long)s->conflicts);
    }
}

/* Seconds read as milliseconds are January of 1970. */
static void warn_of_unit(enum exposition_format format, const struct tsdb_bulk_stats *s)
{
    static const ts_ms YEAR_MS = INT64_C(365) * 86400 * MS_PER_S;
    if (format == EXPOSITION_TEXT && s->samples && s->min_ts > YEAR_MS / 365 && s->max_ts < YEAR_MS) {
        (void)fprintf(
            stderr,
            "cairn import: the samples lie in 1970: timestamps of this format are milliseconds; a dump "
            "in seconds is one of OpenMetrics\n");
    }
}

/* Blocks leave the store by their age beside its newest sample. */
static void warn_of_retention(struct tsdb *db, const struct tsdb_bulk_stats *s)
{
    static const int64_t DAY_MS = INT64_C(86400) * MS_PER_S;
    struct tsdb_stats now;
    tsdb_stats(db, &now);
    ts_ms newest = now.newest_time;
    if (s->samples && newest - s->min_ts > RETENTION_DAYS * DAY_MS) {
        (void)fprintf(stderr,
                      "cairn import: the oldest sample is %lld days older than the newest; start with "
                      "--storage.tsdb.retention.time=%lldd or more to keep it (the default is 15d)\n",
                      (long long)((newest - s->min_ts) / DAY_MS),
                      (long long)((newest - s->min_ts) / DAY_MS + 1));
    }
}

static enum err read_dump(struct import *im, const char *path, enum exposition_format format,
                          struct err_info *info)
{
    const struct dump_target to = {.bulk = im->bulk,
                                   .sink = tsdb_sink(im->db),
                                   .tenant = im->tenant,
                                   .labels = im->labels,
                                   .label_count = im->label_count,
                                   .progress = progress,
                                   .ctx = im};
    return dump_read(&to, path, format, info);
}

static int run(const struct import_flags *f, enum exposition_format format, const char **files, size_t n)
{
    struct import im = {.tenant = f->tenant, .progress = isatty(STDERR_FILENO)};
    struct err_info info = {0};
    struct tsdb_bulk_stats stats = {0};
    int status = 0;
    if (labels_take(&im, &f->labels, &info) != ERR_OK) {
        return fail(&info, 2);
    }
    enum err e = store_open(&im, f, &info);
    for (size_t i = 0; e == ERR_OK && i < n; i++) {
        im.what = files[i];
        e = read_dump(&im, files[i], format, &info);
    }
    e = e == ERR_OK ? tsdb_bulk_finish(im.bulk, &stats, &info) : e;
    progress_end(&im);
    if (e == ERR_OK) {
        say(&stats);
        warn_of_retention(im.db, &stats);
        warn_of_unit(format, &stats);
    } else {
        status = fail(&info, 1);
        if (im.bulk) {
            (void)fprintf(stderr, "cairn import: mend it and run it again: what is stored by then is not "
                                  "stored twice\n");
        }
    }
    tsdb_bulk_free(im.bulk);
    tsdb_close(im.db);
    return status;
}

static int import_dump(int argc, char **argv, enum exposition_format format, const char *usage)
{
    struct import_flags f = {.data = STR("./cairn-data"), .tenant = QUERY_TENANT_DEFAULT};
    const struct flag_set set = {"Flags", table, ARRAY_LEN(table), &f};
    static const char *arguments[ARGUMENTS_MAX]; /* the kind comes first */
    struct err_info info = {0};
    size_t n = 0;
    if (flags_parse(argc, argv, &set, 1, arguments, ARGUMENTS_MAX, &n, NULL, NULL, &info) != ERR_OK) {
        return fail(&info, 2);
    }
    if (f.help || n < 2) {
        struct buf text AUTO_BUF = {.size_bytes_max = 16384};
        buf_printf(
            &text,
            "usage: cairn import %s\n\nReads dumps (plain, gzip or zstd; \"-\" is the standard input) "
            "into a data folder that no server\nuses meanwhile. What is stored already is left out, so "
            "that an import may be repeated.\n",
            usage);
        flags_help(&text, &set, 1);
        (void)fwrite(text.p, 1, text.n, f.help ? stdout : stderr);
        return f.help ? 0 : 2;
    }
    return run(&f, format, arguments + 1, n - 1);
}

int import_text(int argc, char **argv)
{
    return import_dump(argc, argv, EXPOSITION_TEXT,
                       "text [FLAGS] FILE...\n\nPrometheus' text format, with timestamps in milliseconds.");
}

int import_openmetrics(int argc, char **argv)
{
    return import_dump(argc, argv, EXPOSITION_OPENMETRICS,
                       "openmetrics [FLAGS] FILE...\n\nOpenMetrics text, with timestamps in seconds.");
}
