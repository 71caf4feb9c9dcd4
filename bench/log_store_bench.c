/* DEPS logs/store disk query labels codec base */
/* What the log store costs: bytes on disk beside gzip -6 and zstd, ingest in MiB of lines a second of CPU,
 * and scans in GiB of lines a second of CPU. Arguments: MiB of lines of each kind (default 64), a folder to
 * work in (default /tmp). CPU time is that of all threads of the process: other work on the machine disturbs
 * it little. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "codec/compress.h"
#include "disk/file.h"
#include "logs/store/log_store.h"

enum {
    STREAMS = 4,
    BATCH = 2000,
    LINE_MAX_BYTES = 600
};

struct corpus {
    const char *name;
    size_t (*line)(struct rng *rng, ts_ns ts, char *dst);
    const char *common, *rare; /* words to look for; the rare one is in one of 100,000 lines */
};

static const char *const levels[] = {"INFO", "INFO",  "INFO",    "INFO", "INFO",
                                     "INFO", "DEBUG", "WARNING", "ERROR"};
static const char *const routes[] = {"/",          "/api/data",     "/api/users/%u",  "/api/slow",
                                     "/api/error", "/health",       "/api/orders/%u", "/metrics",
                                     "/api/cart",  "/static/app.js"};

static struct tm date_of(ts_ns ts)
{
    time_t t = (time_t)(ts / NS_PER_S);
    struct tm tm;
    (void)gmtime_r(&t, &tm);
    return tm;
}

static size_t route(struct rng *rng, char *dst, size_t size)
{
    const char *r = routes[rng_below(rng, ARRAY_LEN(routes))];
    int n = strchr(r, '%')
                ? snprintf(dst, size, "%.*s%u", (int)(strchr(r, '%') - r), r, (unsigned)rng_below(rng, 5000))
                : snprintf(dst, size, "%s", r);
    return (size_t)n;
}

static size_t app_line(struct rng *rng, ts_ns ts, char *dst)
{
    char when[32], path[64];
    struct tm tm = date_of(ts);
    (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    (void)route(rng, path, sizeof(path));
    const char *level = levels[rng_below(rng, ARRAY_LEN(levels))];
    unsigned a = (unsigned)rng_below(rng, 100000), b = (unsigned)rng_below(rng, 900);
    int n;
    if (rng_below(rng, 100000) == 0) {
        n = snprintf(dst, LINE_MAX_BYTES, "%s - app.worker - ERROR - OutOfMemoryKiller stopped worker %u",
                     when, a);
    } else {
        switch (rng_below(rng, 5)) {
        case 0:
            n = snprintf(dst, LINE_MAX_BYTES, "%s - app.http - %s - GET %s 200 in %u.%03us", when, level,
                         path, b / 100, b);
            break;
        case 1:
            n = snprintf(dst, LINE_MAX_BYTES, "%s - app.db - %s - query took %u ms, %u rows", when, level, b,
                         a % 500);
            break;
        case 2:
            n = snprintf(dst, LINE_MAX_BYTES, "%s - app.auth - %s - user %u logged in from 10.%u.%u.%u", when,
                         level, a, a % 4, b % 256, a % 251);
            break;
        case 3:
            n = snprintf(dst, LINE_MAX_BYTES, "%s - app.cache - %s - miss for key session:%08x", when, level,
                         (unsigned)rng_u64(rng));
            break;
        default:
            n = snprintf(dst, LINE_MAX_BYTES,
                         "%s - app.http - %s - POST %s 201 in 0.%03us request_id=%016llx", when, level, path,
                         b, (unsigned long long)rng_u64(rng));
        }
    }
    return (size_t)n;
}

static size_t json_line(struct rng *rng, ts_ns ts, char *dst)
{
    char when[40], path[64];
    struct tm tm = date_of(ts);
    (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)route(rng, path, sizeof(path));
    const char *msg = rng_below(rng, 100000) == 0 ? "OutOfMemoryKiller" : "request finished";
    int n = snprintf(
        dst, LINE_MAX_BYTES,
        "{\"ts\":\"%s.%03uZ\",\"level\":\"%s\",\"logger\":\"http\",\"msg\":\"%s\",\"method\":\"GET\","
        "\"path\":\"%s\",\"status\":%u,\"duration_ms\":%u.%u,\"user_id\":%u,\"trace_id\":"
        "\"%016llx%016llx\",\"span_id\":\"%016llx\",\"host\":\"web-%u\",\"bytes\":%u}",
        when, (unsigned)(ts / NS_PER_MS % 1000), levels[rng_below(rng, ARRAY_LEN(levels))], msg, path,
        rng_below(rng, 20) ? 200u : 500u, (unsigned)rng_below(rng, 300), (unsigned)rng_below(rng, 10),
        (unsigned)rng_below(rng, 20000), (unsigned long long)rng_u64(rng), (unsigned long long)rng_u64(rng),
        (unsigned long long)rng_u64(rng), (unsigned)rng_below(rng, 4), (unsigned)rng_below(rng, 30000));
    return (size_t)n;
}

static size_t nginx_line(struct rng *rng, ts_ns ts, char *dst)
{
    static const char *const agents[] = {
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 "
        "Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.3 Safari/605.1.15",
        "Mozilla/5.0 (X11; Linux x86_64; rv:123.0) Gecko/20100101 Firefox/123.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_3_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Mobile/15E148",
        "curl/7.88.1",
        "kube-probe/1.29",
        "Googlebot/2.1 (+http://www.google.com/bot.html)"};
    char when[40], path[64];
    struct tm tm = date_of(ts);
    (void)strftime(when, sizeof(when), "%d/%b/%Y:%H:%M:%S +0000", &tm);
    (void)route(rng, path, sizeof(path));
    unsigned client = (unsigned)(rng_below(rng, 40) * rng_below(rng, 40));
    int n =
        snprintf(dst, LINE_MAX_BYTES, "10.%u.%u.%u - - [%s] \"GET %s HTTP/1.1\" %u %u \"%s\" \"%s\"",
                 client % 7, client % 13, client % 251, when, path, rng_below(rng, 30) ? 200u : 404u,
                 (unsigned)rng_below(rng, 60) * 137, rng_below(rng, 3) ? "-" : "https://shop.example.com/",
                 rng_below(rng, 100000) ? agents[client % ARRAY_LEN(agents)] : "OutOfMemoryKiller");
    return (size_t)n;
}

static const struct corpus corpora[] = {
    {"app", app_line, "ERROR", "OutOfMemoryKiller"},
    {"json", json_line, "ERROR", "OutOfMemoryKiller"},
    {"nginx", nginx_line, " 404 ", "OutOfMemoryKiller"},
};

static double cpu_s(clockid_t of)
{
    struct timespec t;
    (void)clock_gettime(of, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what, const struct err_info *info)
{
    (void)fprintf(stderr, "%s: %s\n", what, info ? info->message : "");
    exit(1);
}

static struct log_store *open_in(const char *dir)
{
    struct log_store_options o = {.dir = dir, .durability = DURABILITY_INTERVAL, .retention_ms = -1};
    struct log_store *s = NULL;
    struct err_info info = {0};
    if (log_store_open(&o, &s, &info)) {
        die("open", &info);
    }
    return s;
}

struct batch {
    struct log_entry entries[STREAMS][BATCH];
    size_t n[STREAMS], total;
};

static void push(struct log_store *s, const struct batch *b)
{
    static const char *const hosts[STREAMS] = {"web-0", "web-1", "web-2", "web-3"};
    struct log_stream_push p[STREAMS];
    struct label labels[STREAMS][2];
    for (size_t i = 0; i < STREAMS; i++) {
        labels[i][0] = (struct label){STR("host"), str_c(hosts[i])};
        labels[i][1] = (struct label){STR("job"), STR("bench")};
        p[i] = (struct log_stream_push){{labels[i], 2}, b->entries[i], b->n[i]};
    }
    struct log_push_result r;
    struct err_info info = {0};
    struct log_sink *sink = log_store_sink(s);
    enum err e;
    while ((e = sink->ops->push(sink, &(struct log_push){STR("anonymous"), p, STREAMS}, &r, &info)) ==
           ERR_UNAVAILABLE) {
        clock_sleep_ms(10);
    }
    if (e || r.stored != b->total) {
        die("push", &info);
    }
}

/* The lines as one text, with where each begins, its time and stream. */
struct lines {
    struct buf text;
    size_t *starts;
    ts_ns *ts;
    size_t n, cap_starts, cap_ts;
};

static void make_lines(const struct corpus *c, size_t bytes, struct lines *l)
{
    struct rng rng;
    rng_init(&rng, 1);
    ts_ns ts = INT64_C(1700000000) * NS_PER_S;
    while (l->text.n < bytes) {
        char line[LINE_MAX_BYTES];
        ts += (ts_ns)rng_below(&rng, 10) * NS_PER_MS;
        size_t n = c->line(&rng, ts, line);
        if (vec_reserve((void **)&l->starts, &l->cap_starts, l->n + 2, sizeof(*l->starts)) ||
            vec_reserve((void **)&l->ts, &l->cap_ts, l->n + 1, sizeof(*l->ts))) {
            die("memory", NULL);
        }
        l->starts[l->n] = l->text.n;
        l->ts[l->n++] = ts;
        buf_append(&l->text, line, n);
        buf_char(&l->text, '\n');
    }
    l->starts[l->n] = l->text.n;
}

static size_t packed(enum compression how, int level, struct str text)
{
    struct buf out AUTO_BUF = {.size_bytes_max = (size_t)4 << 30};
    return compress_bytes(how, level, text, &out) ? 0 : out.n;
}

static void push_all(struct log_store *s, const struct lines *l)
{
    static struct batch b;
    b.total = 0;
    memset(b.n, 0, sizeof(b.n));
    for (size_t i = 0; i < l->n; i++) {
        size_t k = i % STREAMS;
        struct log_entry *e = &b.entries[k][b.n[k]++];
        *e = (struct log_entry){.ts = l->ts[i],
                                .line = str_slice(buf_view(&l->text), l->starts[i], l->starts[i + 1] - 1)};
        b.total++;
        if (b.n[k] == BATCH || i + 1 == l->n) {
            push(s, &b);
            b.total = 0;
            memset(b.n, 0, sizeof(b.n));
        }
    }
}

static void scan(struct log_store *s, const struct lines *l, const char *what, const char *word,
                 const struct regex *re)
{
    struct log_line_filter f = {.op = re ? LOG_MATCHES : LOG_CONTAINS, .text = str_c(word), .re = re};
    struct log_select sel = {.start_ns = INT64_MIN,
                             .end_ns = INT64_MAX,
                             .order = LOG_UNORDERED,
                             .filters = &f,
                             .filter_count = word ? 1 : 0};
    struct query_ctx q = {.tenant = STR("anonymous")};
    struct log_source *src = log_store_source(s);
    double best = 1e9;
    size_t n = 0;
    for (int round = 0; round < 3; round++) {
        struct log_cursor *c = NULL;
        struct log_batch batch;
        double start = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
        n = 0;
        if (src->ops->select(src, &q, &sel, &c, NULL)) {
            die("select", NULL);
        }
        while (src->ops->next(c, &batch, NULL) == ERR_OK) {
            n += batch.count;
        }
        src->ops->close(c);
        double took = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - start;
        best = took < best ? took : best;
    }
    printf("  scan %-18s %8.2f GiB/s of lines  (%zu lines found)\n", what,
           (double)l->text.n / best / (1 << 30), n);
}

static void run(const struct corpus *c, size_t bytes, const char *dir)
{
    struct lines l = {.text = {.size_bytes_max = (size_t)4 << 30}};
    make_lines(c, bytes, &l);
    struct str text = buf_view(&l.text);
    double raw = (double)text.n;
    printf("%s: %zu lines of %.1f bytes\n", c->name, l.n, raw / (double)l.n);
    printf("  gzip -6 %.2fx, zstd -1 %.2fx, zstd -3 %.2fx, zstd -9 %.2fx (whole file)\n",
           raw / (double)packed(COMPRESS_GZIP, 6, text), raw / (double)packed(COMPRESS_ZSTD, 1, text),
           raw / (double)packed(COMPRESS_ZSTD, 3, text), raw / (double)packed(COMPRESS_ZSTD, 9, text));
    (void)(dir_remove(dir, NULL) == ERR_OK);
    struct log_store *s = open_in(dir);
    double start = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
    double pushing = cpu_s(CLOCK_THREAD_CPUTIME_ID);
    push_all(s, &l);
    pushing = cpu_s(CLOCK_THREAD_CPUTIME_ID) - pushing;
    log_store_close(s);
    double all = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - start;
    s = open_in(dir);
    struct log_store_stats st;
    log_store_stats(s, &st);
    printf("  store %.2fx: %.2f bytes a line, all of it (times, streams, index); %llu blocks\n",
           raw / (double)st.block_bytes, (double)st.block_bytes / (double)l.n, (unsigned long long)st.blocks);
    printf("  ingest %.0f MiB/s of CPU: %.0f to log and head, %.0f to blocks\n", raw / (1 << 20) / all,
           raw / (1 << 20) / pushing, raw / (1 << 20) / (all - pushing));
    scan(s, &l, "no filter", NULL, NULL);
    scan(s, &l, c->common, c->common, NULL);
    scan(s, &l, c->rare, c->rare, NULL);
    scan(s, &l, "request_id=00ab", "request_id=00ab", NULL);
    scan(s, &l, "absent word", "NoSuchWordAnywhere", NULL);
    struct regex *re = NULL;
    if (regex_new(STR("ERROR.*[13579]\\d"), 0, &re, NULL) == ERR_OK) {
        scan(s, &l, "~ ERROR.*[13579]", "ERROR.*[13579]\\d", re);
        regex_free(re);
    }
    log_store_close(s);
    (void)(dir_remove(dir, NULL) == ERR_OK);
    buf_done(&l.text);
    mem_free(l.starts);
    mem_free(l.ts);
}

int main(int argc, char **argv)
{
    size_t mib = argc > 1 ? strtoul(argv[1], NULL, 10) : 64;
    char dir[4096];
    (void)snprintf(dir, sizeof(dir), "%s/log_store_bench.%d", argc > 2 ? argv[2] : "/tmp", (int)getpid());
    for (size_t i = 0; i < ARRAY_LEN(corpora); i++) {
        run(&corpora[i], (mib ? mib : 1) << 20, dir);
    }
    return 0;
}
