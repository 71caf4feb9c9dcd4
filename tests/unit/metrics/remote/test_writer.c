/* The writer against a real HTTP server: what it sends, what it repeats, what it gives up. */
#include <stdio.h>

#include "base/thread.h"
#include "codec/compress.h"
#include "codec/remote_write.h"
#include "harness.h"
#include "metrics/remote/writer.h"
#include "net/http_server.h"
#include "query/array_source.h"

enum {
    REQUESTS_MAX = 64,
    PATIENCE_S = 30
};

/* A receiver that answers with the next status of a script and keeps what it took. */
struct receiver {
    struct http_server *server;
    struct mutex lock;
    struct cond more;
    int script[8]; /* statuses of the first requests; then 204 */
    size_t requests;
    struct arena memory;
    struct str taken[REQUESTS_MAX]; /* "labels value@ts" lines of each request */
    size_t taken_count;
};

static void receive(void *ctx, struct http_req *r)
{
    struct receiver *rec = ctx;
    struct buf body AUTO_BUF = {0}, text AUTO_BUF = {0};
    struct arena a AUTO_ARENA = {0};
    struct wire_write w = {0};
    enum err e = decompress_bytes(COMPRESS_SNAPPY, http_req_body(r), 1 << 20, &body, NULL);
    e = e ? e : remote_write_decode_v1(&a, buf_view(&body), false, &w, NULL);
    for (size_t i = 0; i < w.series_count && !e; i++) {
        for (size_t k = 0; k < w.series[i].label_count; k++) {
            buf_printf(&text, "%.*s=%.*s ", STR_FMT(w.series[i].labels[k].name),
                       STR_FMT(w.series[i].labels[k].value));
        }
        for (size_t k = 0; k < w.series[i].sample_count; k++) {
            buf_printf(&text, "%g ", w.series[i].samples[k].value);
        }
    }
    mutex_lock(&rec->lock);
    int status = rec->requests < ARRAY_LEN(rec->script) && rec->script[rec->requests]
                     ? rec->script[rec->requests]
                     : 204;
    rec->requests++;
    if (status == 204 && rec->taken_count < REQUESTS_MAX) {
        rec->taken[rec->taken_count++] = arena_str(&rec->memory, buf_view(&text));
    }
    cond_broadcast(&rec->more);
    mutex_unlock(&rec->lock);
    http_res_send(r, status, "text/plain", STR("no"));
}

static bool receiver_init(struct receiver *rec)
{
    static const struct http_route routes[] = {{"POST", "/w", receive, HTTP_RAW_BODY, 0, NULL}};
    const struct http_server_options o = {.role = "test", .listen_address = STR("127.0.0.1:0")};
    mutex_init(&rec->lock);
    cond_init(&rec->more);
    return http_server_start(&o, &rec->server, NULL) == ERR_OK &&
           http_server_routes(rec->server, routes, 1, rec) == ERR_OK;
}

static void receiver_done(struct receiver *rec)
{
    http_server_stop(rec->server, 1000);
    cond_done(&rec->more);
    mutex_done(&rec->lock);
    arena_done(&rec->memory);
}

/* Waits until the receiver had `n` requests. */
static bool wait_requests(struct receiver *rec, size_t n)
{
    int64_t until = clock_mono_ns(clock_real()) + PATIENCE_S * NS_PER_S;
    mutex_lock(&rec->lock);
    while (rec->requests < n && cond_wait_until(&rec->more, &rec->lock, until)) {
    }
    bool there = rec->requests >= n;
    mutex_unlock(&rec->lock);
    return there;
}

/* Two series; samples before the writer's start and after it. Times are real: the writer's are. */
struct fixture {
    struct receiver receiver;
    struct array_source source;
    struct array_series series[2];
    struct label labels[2][2];
    ts_ms ts[3];
    double values[3];
    struct remote_writer_options options;
    char url[64];
};

static bool fixture_init(struct fixture *f)
{
    ts_ms now = clock_wall_ms(clock_real());
    for (size_t i = 0; i < 3; i++) {
        f->ts[i] = now + (i == 0 ? -60000 : 2000 + (ts_ms)i); /* one is older than the writer */
        f->values[i] = (double)i + 1;
    }
    for (size_t i = 0; i < 2; i++) {
        f->labels[i][0] = (struct label){STR("__name__"), i ? STR("b") : STR("a")};
        f->series[i] =
            (struct array_series){.labels = {f->labels[i], 1}, .ts = f->ts, .values = f->values, .n = 3};
    }
    array_source_init(&f->source, f->series, 2);
    if (!receiver_init(&f->receiver)) {
        return false;
    }
    int n = snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u/w", http_server_port(f->receiver.server));
    f->options =
        (struct remote_writer_options){.name = STR("t"),
                                       .url = str_of(f->url, (size_t)n),
                                       .user_agent = STR("test"),
                                       .tenant = QUERY_TENANT_DEFAULT,
                                       .source = &f->source.source,
                                       .timeout_ms = 10000,
                                       .deadline_ms = 2100, /* the newest sample is in the first round */
                                       .backoff_min_ms = 1,
                                       .backoff_max_ms = 2,
                                       .samples_max = 1000};
    return true;
}

TEST(new_samples_are_sent_once_with_external_labels)
{
    static struct label external[] = {{STR_INIT("region"), STR_INIT("eu")}};
    struct fixture f = {0};
    struct remote_writer *w = NULL;
    struct remote_writer_stats stats;
    CHECK(fixture_init(&f));
    f.options.external = (struct labels){external, 1};
    CHECK_OK(remote_writer_start(&f.options, &w));
    CHECK(wait_requests(&f.receiver, 1));
    remote_writer_stats(w, &stats);
    remote_writer_stop(w);
    struct buf all AUTO_BUF = {0};
    for (size_t i = 0; i < f.receiver.taken_count; i++) {
        buf_str(&all, f.receiver.taken[i]);
    }
    CHECK_STR(buf_view(&all), "__name__=a region=eu 2 3 __name__=b region=eu 2 3 ");
    receiver_done(&f.receiver);
}

TEST(a_receiver_that_is_away_gets_it_later_and_a_refusal_is_final)
{
    struct fixture f = {.receiver.script = {503, 500, 204}};
    struct remote_writer *w = NULL;
    struct remote_writer_stats stats;
    CHECK(fixture_init(&f));
    CHECK_OK(remote_writer_start(&f.options, &w));
    CHECK(wait_requests(&f.receiver, 3));
    remote_writer_stop(w);
    CHECK_EQ(f.receiver.taken_count, 1);
    receiver_done(&f.receiver);

    struct fixture g = {.receiver.script = {400}};
    CHECK(fixture_init(&g));
    CHECK_OK(remote_writer_start(&g.options, &w));
    CHECK(wait_requests(&g.receiver, 1));
    do { /* the answer is counted after the receiver has given it */
        remote_writer_stats(w, &stats);
    } while (stats.samples_failed == 0);
    remote_writer_stop(w);
    CHECK_EQ(stats.samples_failed, 4);
    CHECK_EQ(g.receiver.taken_count, 0);
    receiver_done(&g.receiver);
}

TEST(relabelling_drops_and_stopping_releases)
{
    struct fixture f = {0};
    struct remote_writer *w = NULL;
    static const struct str names[] = {STR_INIT("__name__")};
    struct relabel_rule rule = {
        .action = RELABEL_DROP, .source_labels = names, .source_count = 1, .separator = STR(";")};
    CHECK(fixture_init(&f));
    CHECK_OK(regex_new(STR("a"), REGEX_ANCHORED, &rule.re, NULL));
    f.options.relabel = &rule;
    f.options.relabel_count = 1;
    CHECK_OK(remote_writer_start(&f.options, &w));
    CHECK(wait_requests(&f.receiver, 1));
    remote_writer_stop(w);
    CHECK(str_starts(f.receiver.taken[0], STR("__name__=b 2 ")));
    regex_free(rule.re);
    receiver_done(&f.receiver);
}
