/* cairn export: stored samples as Prometheus' blocks or as OpenMetrics text.
 *
 * A data folder that no program uses is read in place, and a snapshot is one; a running program is asked for
 * a snapshot, which is read and removed. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cairn/command.h"
#include "cairn/flags.h"
#include "cairn/snapshot_client.h"
#include "codec/units.h"
#include "disk/file.h"
#include "metrics/dump/dump_write.h"
#include "metrics/promql/engine.h"
#include "metrics/promtsdb/prom_export.h"
#include "metrics/tsdb/tsdb.h"

static const int64_t TWO_HOURS_MS = INT64_C(2) * 3600 * 1000;
static const int64_t BLOCK_RANGE_MS_MAX = INT64_C(31) * 86400 * 1000;

struct export_flags {
    bool blocks, openmetrics, thanos, allow_overlap, starts, help;
    struct str data, path, to, from, until, match, tenant;
    struct flag_list labels;
    int64_t block_range_ms;
};

#define AT(field) offsetof(struct export_flags, field)
static const struct flag table[] = {
    {"prometheus-blocks", FLAG_BOOL, AT(blocks), "", "write blocks of Prometheus below the folder --to"},
    {"openmetrics", FLAG_BOOL, AT(openmetrics), "",
     "write OpenMetrics text to the file --to, - is the output"},
    {"to", FLAG_STR, AT(to), "", "folder or file to write"},
    {"data", FLAG_STR, AT(data), "./cairn-data", "data folder; it may be in use"},
    {"storage.tsdb.path", FLAG_STR, AT(path), "",
     "folder of the metrics store itself, instead of DATA/metrics; not in use"},
    {"from", FLAG_STR, AT(from), "the oldest sample", "first time: RFC 3339 or Unix seconds"},
    {"until", FLAG_STR, AT(until), "the newest sample", "last time"},
    {"match", FLAG_STR, AT(match), "every series", "selector of the series: up{job=\"node\"}"},
    {"tenant", FLAG_STR, AT(tenant), "anonymous", "whose samples"},
    {"block-range", FLAG_DURATION, AT(block_range_ms), "2h", "span of one block, a multiple of 2h"},
    {"allow-overlap", FLAG_BOOL, AT(allow_overlap), "", "even beside blocks of the same time in the folder"},
    {"start-timestamps", FLAG_BOOL, AT(starts), "",
     "keep them: in chunks that Prometheus reads since 3.14, or as st@SECONDS in the text"},
    {"thanos", FLAG_BOOL, AT(thanos), "", "add the section to meta.json that Thanos looks for"},
    {"label", FLAG_LIST, AT(labels), "", "NAME=VALUE, an external label for Thanos; may be repeated"},
    {"help", FLAG_BOOL, AT(help), "", "this text"},
};
#undef AT

/* What the export reads, and how. */
struct export
{
    const struct export_flags *f;
    struct arena a;
    struct snapshot_use snapshot;
    struct tsdb *db;
    struct query_ctx q;
    ts_ms from_ms, until_ms; /* as asked for: exemplars may be older than the first sample */
    ts_ms start_ms, end_ms;  /* and where there are samples */
    struct matcher *matchers;
    size_t matcher_count;
    struct label labels[FLAG_LIST_MAX];
    size_t label_count;
};

static int fail(const struct err_info *info, int status)
{
    char place[1024];
    (void)fprintf(stderr, "cairn export: %s\n", err_render(info, place, sizeof(place)));
    return status;
}

static int help(const struct flag_set *set, FILE *to)
{
    struct buf text AUTO_BUF = {.size_bytes_max = 16384};
    buf_c(&text,
          "usage: cairn export --prometheus-blocks --to=DIR [FLAGS]\n"
          "       cairn export --openmetrics --to=FILE [FLAGS]\n\nWrites what is stored, while the data "
          "folder is in use or not. Blocks can be put into Prometheus' data\nfolder, or uploaded for "
          "Thanos and Mimir; each appears only when it is whole.\n");
    flags_help(&text, set, 1);
    return !text.err && fwrite(text.p, 1, text.n, to) == text.n ? 0 : 1;
}

static atomic_bool *stopping(void)
{
    static atomic_bool flag;
    return &flag;
}

static void stop(int signo)
{
    (void)signo;
    atomic_store(stopping(), true);
}

/* An interrupt ends the export between two series, and what is half done is removed. */
static void signals_catch(void)
{
    struct sigaction sa = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};
    (void)sigemptyset(&sa.sa_mask);
    (void)sigaction(SIGINT, &sa, NULL);
    (void)sigaction(SIGTERM, &sa, NULL);
}

/* -- what to read ---------------------------------------------------------------------------------------- */

static enum err store_open_at(struct export *x, struct str dir, struct err_info *info)
{
    static const int64_t CENTURIES_MS = INT64_C(200) * 365 * 86400 * 1000;
    struct str path = arena_str(&x->a, dir);
    if (!path.p) {
        return err_set(info, ERR_OOM, "out of memory");
    }
    if (!dir_is(path.p)) {
        return err_set(info, ERR_NOT_FOUND, "there is no metrics store in %s", path.p);
    }
    struct tsdb_options o = {.dir = path.p,
                             .durability = DURABILITY_OS,
                             .retention_ms = CENTURIES_MS,
                             .exemplars_max = INT64_MAX,
                             .no_housekeeping = true};
    return tsdb_open(&o, &x->db, info);
}

static enum err store_open(struct export *x, struct err_info *info)
{
    const struct export_flags *f = x->f;
    struct str dir = f->path.n ? f->path : arena_printf(&x->a, "%.*s/metrics", STR_FMT(f->data));
    enum err e = store_open_at(x, dir, info);
    if (e != ERR_EXISTS || f->path.n) {
        return e;
    }
    e = snapshot_take(&x->a, f->data, &x->snapshot, info);
    if (e != ERR_OK) {
        return e;
    }
    return store_open_at(x, arena_printf(&x->a, "%.*s/metrics", STR_FMT(x->snapshot.folder)), info);
}

static enum err range_take(struct export *x, struct err_info *info)
{
    struct tsdb_stats s;
    char from[32], to[32];
    tsdb_stats(x->db, &s);
    if (s.oldest_time > s.newest_time) {
        return err_set(info, ERR_NOT_FOUND, "the store is empty");
    }
    x->start_ms = x->from_ms > s.oldest_time ? x->from_ms : s.oldest_time;
    x->end_ms = x->until_ms < s.newest_time ? x->until_ms : s.newest_time;
    return x->start_ms <= x->end_ms
               ? ERR_OK
               : err_set(info, ERR_NOT_FOUND, "no samples in the range: the store has %s to %s",
                         clock_format_rfc3339(s.oldest_time * NS_PER_MS, from, sizeof(from)),
                         clock_format_rfc3339(s.newest_time * NS_PER_MS, to, sizeof(to)));
}

/* The flags that can be wrong by themselves. Errors: INVALID. */
static enum err flags_take(struct export *x, struct err_info *info)
{
    const struct export_flags *f = x->f;
    x->from_ms = INT64_MIN;
    x->until_ms = INT64_MAX;
    enum err e = f->from.n ? units_prom_time_parse(f->from, &x->from_ms, info) : ERR_OK;
    e = e == ERR_OK && f->until.n ? units_prom_time_parse(f->until, &x->until_ms, info) : e;
    if (e == ERR_OK && x->from_ms > x->until_ms) {
        e = err_set(info, ERR_INVALID, "--from=%.*s is after --until=%.*s", STR_FMT(f->from),
                    STR_FMT(f->until));
    }
    if (e == ERR_OK && (f->block_range_ms <= 0 || f->block_range_ms % TWO_HOURS_MS != 0 ||
                        f->block_range_ms > BLOCK_RANGE_MS_MAX)) {
        e = err_set(info, ERR_INVALID, "--block-range: expected a multiple of 2h, at most 31d");
    }
    if (e == ERR_OK && f->match.n) {
        e = promql_selector(f->match, &x->a, &x->matchers, &x->matcher_count, info);
    }
    for (size_t i = 0; e == ERR_OK && i < f->labels.n; i++) {
        struct str value = f->labels.items[i], name = str_cut(&value, '=');
        e = label_name_is_legacy(name) && str_utf8_valid(value) && name.n < f->labels.items[i].n
                ? ERR_OK
                : err_set(info, ERR_INVALID, "--label=%.*s: expected NAME=VALUE",
                          STR_FMT(f->labels.items[i]));
        x->labels[x->label_count++] = (struct label){name, value};
    }
    if (e == ERR_OK && f->thanos && !x->label_count) {
        e = err_set(info, ERR_INVALID, "--thanos needs external labels: --label=replica=a");
    }
    return e;
}

/* -- writing --------------------------------------------------------------------------------------------- */

static void progress(void *ctx, uint64_t done, uint64_t total)
{
    if (isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r%s %llu of %llu, %u %%\x1b[K", (const char *)ctx, (unsigned long long)done,
                      (unsigned long long)total, (unsigned)(done * 100 / total));
    }
}

static void progress_end(void)
{
    if (isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "\r\x1b[K");
    }
}

static enum err blocks_write(struct export *x, struct err_info *info)
{
    static char word[] = "spans";
    char from[32], to[32];
    struct prom_export_result r = {0};
    const struct prom_export_options o = {
        .dir = x->f->to.p,
        .start_ms = x->start_ms,
        .end_ms = x->end_ms,
        .span_ms = x->f->block_range_ms,
        .matchers = x->matchers,
        .matcher_count = x->matcher_count,
        .starts = x->f->starts,
        .allow_overlap = x->f->allow_overlap,
        .extra = {.thanos = x->f->thanos, .labels = x->labels, .label_count = x->label_count},
        .progress = progress,
        .ctx = word};
    enum err e = prom_export(tsdb_source(x->db), &x->q, &o, &r, info);
    progress_end();
    if (r.blocks) {
        (void)printf("%s %llu blocks, %llu samples, from %s to %s\n", e ? "written before that:" : "exported",
                     (unsigned long long)r.blocks, (unsigned long long)r.samples,
                     clock_format_rfc3339(r.min_ts * NS_PER_MS, from, sizeof(from)),
                     clock_format_rfc3339(r.max_ts * NS_PER_MS, to, sizeof(to)));
    }
    if (r.starts && !x->f->starts) {
        (void)printf("%llu samples have a start timestamp: --start-timestamps writes it, for Prometheus 3.14 "
                     "or newer\n",
                     (unsigned long long)r.starts);
    }
    return e;
}

static enum err text_write(struct export *x, struct err_info *info)
{
    static char word[] = "metrics";
    struct dump_written r = {0};
    const struct dump_write_options o = {.path = x->f->to.p,
                                         .start_ms = x->from_ms,
                                         .end_ms = x->until_ms,
                                         .matchers = x->matchers,
                                         .matcher_count = x->matcher_count,
                                         .starts = x->f->starts,
                                         .progress = progress,
                                         .ctx = word};
    enum err e = dump_write(tsdb_source(x->db), &x->q, &o, &r, info);
    progress_end();
    if (e == ERR_OK) {
        (void)fprintf(stderr, "exported %llu samples and %llu exemplars of %llu series\n",
                      (unsigned long long)r.samples, (unsigned long long)r.exemplars,
                      (unsigned long long)r.series);
    }
    if (e == ERR_OK && r.exemplars_left) {
        (void)fprintf(stderr, "%llu exemplars are left out: they have no sample of their own in the text\n",
                      (unsigned long long)r.exemplars_left);
    }
    if (e == ERR_OK && r.starts_left) {
        (void)fprintf(stderr, "%llu samples have a start timestamp: --start-timestamps writes it\n",
                      (unsigned long long)r.starts_left);
    }
    if (e == ERR_OK && r.histograms + r.stale) {
        (void)fprintf(stderr, "the text cannot hold %llu native histograms and %llu staleness markers\n",
                      (unsigned long long)r.histograms, (unsigned long long)r.stale);
    }
    return e;
}

static enum err run(struct export *x, struct err_info *info)
{
    enum err e = store_open(x, info);
    e = e == ERR_OK ? range_take(x, info) : e;
    if (e == ERR_OK) {
        e = x->f->blocks ? blocks_write(x, info) : text_write(x, info);
    }
    tsdb_close(x->db);
    snapshot_drop(&x->snapshot);
    return e;
}

int command_export(int argc, char **argv)
{
    struct export_flags f = {
        .data = STR("./cairn-data"), .tenant = QUERY_TENANT_DEFAULT, .block_range_ms = TWO_HOURS_MS};
    const struct flag_set set = {"Flags", table, ARRAY_LEN(table), &f};
    struct export x = {.f = &f, .q = {.tenant = QUERY_TENANT_DEFAULT, .canceled_by = stopping()}};
    struct err_info info = {0};
    size_t n = 0;
    if (flags_parse(argc, argv, &set, 1, NULL, 0, &n, NULL, NULL, &info) != ERR_OK) {
        return fail(&info, 2);
    }
    if (f.help || f.blocks == f.openmetrics || !f.to.n) {
        int status = help(&set, f.help ? stdout : stderr);
        return f.help ? status : 2;
    }
    arena_init(&x.a, 0, NULL);
    x.q.tenant = f.tenant;
    signals_catch();
    int status = 0;
    if (flags_take(&x, &info) != ERR_OK) {
        status = fail(&info, 2);
    } else if (run(&x, &info) != ERR_OK) {
        status = fail(&info, 1);
    }
    for (size_t i = 0; i < x.matcher_count; i++) {
        matcher_done(&x.matchers[i]);
    }
    arena_done(&x.a);
    return status;
}
