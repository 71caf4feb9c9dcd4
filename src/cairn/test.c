/* cairn test promql: runs PromQL test scripts against Cairn's own engine and store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cairn/command.h"
#include "cairn/flags.h"
#include "disk/file.h"
#include "metrics/script/script.h"
#include "metrics/tsdb/tsdb.h"

enum {
    FILES_MAX = 256,
    SCRIPT_BYTES_MAX = 16 << 20,
    PATH_BYTES_MAX = 512
};

struct test_flags {
    bool help;
};

static const struct flag flags[] = {
    {"help", FLAG_BOOL, offsetof(struct test_flags, help), "", "this text"},
};

/* The store of one script, in a folder of its own that goes with it. */
struct host {
    const char *file;
    struct tsdb *db;
    char dir[PATH_BYTES_MAX];
};

static void host_clear(struct host *h)
{
    tsdb_close(h->db);
    h->db = NULL;
    if (h->dir[0]) {
        (void)(dir_remove(h->dir, NULL) == ERR_OK); /* a left-over in the folder for temporary files */
        h->dir[0] = '\0';
    }
}

static enum err fresh(void *ctx, struct metric_sink **ret_sink, struct metric_source **ret_source,
                      struct err_info *reterr_info)
{
    static const int64_t CENTURIES_MS = INT64_C(200) * 365 * 86400 * 1000;
    struct host *h = ctx;
    const char *tmp = getenv("TMPDIR");
    host_clear(h);
    (void)snprintf(h->dir, sizeof(h->dir), "%s/cairn-test-XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
    if (!mkdtemp(h->dir)) {
        h->dir[0] = '\0';
        return err_set(reterr_info, ERR_IO, "cannot make a folder in %s", tmp && tmp[0] ? tmp : "/tmp");
    }
    struct tsdb_options o = {.dir = h->dir,
                             .durability = DURABILITY_ASYNC,
                             .retention_ms = CENTURIES_MS,
                             .late_window_ms = CENTURIES_MS};
    enum err e = tsdb_open(&o, &h->db, reterr_info);
    if (!e) {
        *ret_sink = tsdb_sink(h->db);
        *ret_source = tsdb_source(h->db);
    }
    return e;
}

static void failed(void *ctx, unsigned line, const char *expression, const char *why)
{
    const struct host *h = ctx;
    (void)printf("%s:%u: FAILED %s\n    %s\n", h->file, line, expression, why);
}

static int run_file(const char *file, struct script_counts *sum)
{
    struct buf text AUTO_BUF = {.size_bytes_max = SCRIPT_BYTES_MAX};
    struct host h = {.file = file};
    const struct script_host host = {fresh, failed, &h};
    const struct promql_options o = {.experimental = true,
                                     .delayed_name = true,
                                     .extended_ranges = true,
                                     .fill_modifiers = true,
                                     .start_times = true};
    struct script_counts counts = {0};
    struct err_info info = {0};
    char place[1024];
    enum err e = file_load(file, &text, &info);
    e = e ? e : script_run(buf_view(&text), &o, &host, &counts, &info);
    host_clear(&h);
    sum->passed += counts.passed;
    sum->failed += counts.failed + (e ? 1 : 0);
    if (e) {
        err_in_file(&info, file);
        (void)fprintf(stderr, "%s\n", err_render(&info, place, sizeof(place)));
    }
    return e || counts.failed ? 1 : 0;
}

static int help(const struct flag_set *set)
{
    struct buf text AUTO_BUF = {.size_bytes_max = 4096};
    buf_c(&text, "usage: cairn test promql FILE...\n\nRuns scripts in the notation of Prometheus' promqltest "
                 "(load, eval, "
                 "expect), with every feature of the language on,\neach on empty stores. Ends with \"N "
                 "passed, N failed\"; exit "
                 "status 1 when one failed.\n");
    flags_help(&text, set, 1);
    return !text.err && fwrite(text.p, 1, text.n, stdout) == text.n ? 0 : 1;
}

int command_test(int argc, char **argv)
{
    struct test_flags f = {0};
    const struct flag_set set = {"Flags", flags, ARRAY_LEN(flags), &f};
    const char *args[FILES_MAX];
    size_t n = 0;
    struct err_info info = {0};
    struct script_counts sum = {0};
    int status = 0;
    if (flags_parse(argc, argv, &set, 1, args, FILES_MAX, &n, NULL, NULL, &info)) {
        (void)fprintf(stderr, "cairn test: %s\n", info.message);
        return 2;
    }
    if (f.help || n < 2 || strcmp(args[0], "promql") != 0) {
        int printed = help(&set);
        return f.help ? printed : 2;
    }
    for (size_t i = 1; i < n; i++) {
        status |= run_file(args[i], &sum);
    }
    (void)printf("%llu passed, %llu failed\n", (unsigned long long)sum.passed,
                 (unsigned long long)sum.failed);
    return status;
}
