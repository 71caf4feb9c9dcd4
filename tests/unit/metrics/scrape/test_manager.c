/* The manager against a real HTTP server and a sink that remembers. Waits for what must come, never for time.
 */
#include <stdio.h>

#include "base/mem.h"
#include "base/thread.h"
#include "harness.h"
#include "metrics/model/value.h"
#include "metrics/scrape/scrape.h"
#include "net/http_server.h"

enum {
    EVENTS_MAX = 20000,
    PATIENCE_S = 30
};

/* A sink that keeps samples as "series value" and gives references; with `epoch` it can forget them. */
struct recorder {
    struct metric_sink sink;
    struct mutex lock;
    struct cond more;
    struct arena memory;
    struct str events[EVENTS_MAX];
    size_t n;
    struct labels known[4096];
    size_t known_count;
    uint64_t epoch;
};

static enum err record(struct metric_sink *sink, struct sink_batch *b, struct sink_result *result,
                       struct err_info *info)
{
    struct recorder *r = (struct recorder *)sink;
    mutex_lock(&r->lock);
    *result = (struct sink_result){.epoch = r->epoch};
    enum err e = ERR_OK;
    for (size_t i = 0; i < b->series_count && b->epoch != r->epoch; i++) {
        e = b->series[i].ref && b->series[i].labels.n == 0 ? err_set(info, ERR_CONFLICT, "old references")
                                                           : e;
    }
    for (size_t i = 0; i < b->series_count && !e; i++) {
        struct sink_series *s = &b->series[i];
        if ((s->ref == 0 || b->epoch != r->epoch) &&
            labels_dup(&r->memory, s->labels, &r->known[r->known_count]) == ERR_OK) {
            s->ref = ++r->known_count;
        }
    }
    for (size_t i = 0; i < b->sample_count && !e && r->n < EVENTS_MAX; i++) {
        struct buf text AUTO_BUF = {0};
        labels_format(&text, r->known[b->series[b->samples[i].series_index].ref - 1]);
        buf_printf(&text, is_stale_nan(b->samples[i].value) ? " stale" : " %g", b->samples[i].value);
        r->events[r->n++] = arena_str(&r->memory, buf_view(&text));
    }
    cond_broadcast(&r->more);
    mutex_unlock(&r->lock);
    return e;
}

/* Waits until an event with `text` came after position `from`; the position after it, or 0. */
static size_t wait_event(struct recorder *r, size_t from, const char *text)
{
    int64_t until = clock_mono_ns(clock_real()) + PATIENCE_S * NS_PER_S;
    size_t found = 0;
    mutex_lock(&r->lock);
    while (!found) {
        for (; from < r->n && !found; from++) {
            found = str_find(r->events[from], str_c(text), 0) != STR_NPOS ? from + 1 : 0;
        }
        if (!found && !cond_wait_until(&r->more, &r->lock, until)) {
            break;
        }
    }
    mutex_unlock(&r->lock);
    return found;
}

static size_t events(struct recorder *r)
{
    mutex_lock(&r->lock);
    size_t n = r->n;
    mutex_unlock(&r->lock);
    return n;
}

/* -- the target ------------------------------------------------------------------------------------------ */

struct target {
    struct http_server *server;
    struct mutex lock; /* guards the two below */
    const char *body;
    int status;
    char accept[1024];
};

static void serve(void *ctx, struct http_req *r)
{
    struct target *t = ctx;
    struct str accept = http_req_header(r, "Accept");
    mutex_lock(&t->lock);
    const char *body = t->body;
    int status = t->status;
    (void)snprintf(t->accept, sizeof(t->accept), "%.*s", STR_FMT(accept));
    mutex_unlock(&t->lock);
    http_res_send(r, status, "text/plain; version=0.0.4", str_c(body));
}

static void answer(struct target *t, int status, const char *body)
{
    mutex_lock(&t->lock);
    t->body = body;
    t->status = status;
    mutex_unlock(&t->lock);
}

static bool accept_starts(struct target *t, const char *prefix)
{
    mutex_lock(&t->lock);
    bool yes = str_starts(str_c(t->accept), str_c(prefix));
    mutex_unlock(&t->lock);
    return yes;
}

struct fixture {
    struct recorder *recorder;
    struct target target;
    struct scrape_manager *manager;
    unsigned port;
};

static bool fixture_init(struct fixture *f)
{
    static const struct http_route routes[] = {{"GET", "/{path...}", serve, HTTP_INLINE, 0, NULL}};
    static const struct metric_sink_ops ops = {.append = record};
    const struct http_server_options o = {.role = "test", .listen_address = STR("127.0.0.1:0")};
    *f = (struct fixture){.target = {.body = "a 1\n", .status = 200}};
    f->recorder = mem_zalloc(sizeof(*f->recorder));
    if (!f->recorder) {
        return false;
    }
    f->recorder->sink.ops = &ops;
    f->recorder->epoch = 1;
    mutex_init(&f->recorder->lock);
    cond_init(&f->recorder->more);
    mutex_init(&f->target.lock);
    const struct scrape_options s = {.clock = clock_real(),
                                     .sink = &f->recorder->sink,
                                     .tenant = STR("t"),
                                     .user_agent = STR("Prometheus/3.14.0"),
                                     .workers = 2};
    bool ok = http_server_start(&o, &f->target.server, NULL) == ERR_OK &&
              http_server_routes(f->target.server, routes, 1, &f->target) == ERR_OK &&
              scrape_manager_new(&s, &f->manager) == ERR_OK;
    f->port = ok ? http_server_port(f->target.server) : 0;
    return ok;
}

static void fixture_done(struct fixture *f)
{
    scrape_manager_free(f->manager);
    http_server_stop(f->target.server, 1000);
    cond_done(&f->recorder->more);
    mutex_done(&f->recorder->lock);
    mutex_done(&f->target.lock);
    arena_done(&f->recorder->memory);
    mem_free(f->recorder);
}

/* Applies "global: 50ms" and one job with `job` in it and the test's server as target. */
static enum err apply(struct fixture *f, const char *job)
{
    struct arena a AUTO_ARENA = {0};
    struct prom_config *c = NULL;
    struct str yaml =
        arena_printf(&a, "global: {scrape_interval: 50ms}\nscrape_configs:\n- {job_name: j, %s}\n", job);
    size_t at = str_find(yaml, STR("PORT"), 0);
    if (at != STR_NPOS) {
        yaml = arena_printf(&a, "%.*s127.0.0.1:%u%.*s", (int)at, yaml.p, f->port, (int)(yaml.n - at - 4),
                            yaml.p + at + 4);
    }
    struct err_info info = {0};
    enum err e = prom_config_parse(yaml, "p.yml", &c, &info);
    e = e ? e : scrape_manager_apply(f->manager, c, &info);
    prom_config_unref(c);
    return e;
}

#define JOB "static_configs: [{targets: [PORT]}]"

TEST(a_target_is_scraped_and_its_synthetic_series_come_with_it)
{
    struct fixture f;
    CHECK(fixture_init(&f));
    CHECK_OK(apply(&f, JOB));
    size_t at = wait_event(f.recorder, 0, "a{instance=");
    CHECK(at);
    CHECK(wait_event(f.recorder, at, "up{"));
    CHECK(wait_event(f.recorder, at, "scrape_samples_scraped{"));
    CHECK(wait_event(f.recorder, at, "scrape_series_added{"));
    CHECK(accept_starts(&f.target, "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                                   "application/openmetrics-text;version=0.0.1;q=0.5"));
    CHECK(wait_event(f.recorder, at + 5, "a{instance=")); /* and again, by reference */
    fixture_done(&f);
}

TEST(a_failing_target_is_down_and_its_series_are_stale)
{
    struct fixture f;
    struct arena a AUTO_ARENA = {0};
    const struct scrape_pool_view *pools;
    size_t n;
    CHECK(fixture_init(&f));
    CHECK_OK(apply(&f, JOB));
    CHECK(wait_event(f.recorder, 0, "up{"));
    answer(&f.target, 404, "");
    size_t at = wait_event(f.recorder, 0, "\"} stale");
    CHECK(at);
    CHECK(str_starts(f.recorder->events[at - 1], STR("a{")));
    CHECK(wait_event(f.recorder, at, "up{instance="));
    CHECK(str_ends(f.recorder->events[at], STR(" 0")));
    CHECK(wait_event(f.recorder, at + 5, "up{")); /* its status is set by now */
    CHECK_OK(scrape_view(f.manager, &a, (struct str){0}, &pools, &n));
    CHECK_EQ(n, 1);
    CHECK_EQ(pools[0].active[0].health, SCRAPE_DOWN);
    CHECK_STR(pools[0].active[0].last_error, "server returned HTTP status 404 Not Found");
    answer(&f.target, 200, "a 2\n");
    CHECK(wait_event(f.recorder, events(f.recorder), "a{"));
    fixture_done(&f);
}

TEST(a_target_that_ends_goes_stale_with_its_synthetic_series)
{
    struct fixture f;
    CHECK(fixture_init(&f));
    CHECK_OK(apply(&f, JOB));
    CHECK(wait_event(f.recorder, 0, "up{"));
    CHECK_OK(apply(&f, "static_configs: []"));
    size_t at = wait_event(f.recorder, 0, "a{instance=");
    while (at && !str_ends(f.recorder->events[at - 1], STR(" stale"))) {
        at = wait_event(f.recorder, at, "a{instance=");
    }
    CHECK(at);
    CHECK(wait_event(f.recorder, at, "up{"));
    CHECK(str_ends(f.recorder->events[at], STR(" stale")));
    fixture_done(&f);
}

TEST(stopping_writes_no_marker)
{
    struct fixture f;
    CHECK(fixture_init(&f));
    CHECK_OK(apply(&f, JOB));
    CHECK(wait_event(f.recorder, 0, "up{"));
    scrape_manager_stop(f.manager);
    for (size_t i = 0; i < f.recorder->n; i++) {
        CHECK(!str_ends(f.recorder->events[i], STR(" stale")));
    }
    fixture_done(&f);
}

TEST(a_reload_that_changes_timing_keeps_the_series_and_one_that_changes_labels_ends_them)
{
    struct fixture f;
    CHECK(fixture_init(&f));
    CHECK_OK(apply(&f, JOB));
    CHECK(wait_event(f.recorder, 0, "scrape_series_added{"));
    CHECK_OK(apply(&f, "scrape_interval: 60ms, " JOB));
    size_t from = events(f.recorder);
    size_t at = wait_event(f.recorder, from, "scrape_series_added{");
    at = at ? wait_event(f.recorder, at, "scrape_series_added{") : 0;
    CHECK(at);
    CHECK(str_ends(f.recorder->events[at - 1], STR(" 0")));
    CHECK_OK(apply(&f, "honor_labels: true, " JOB));
    CHECK(wait_event(f.recorder, events(f.recorder), "a{"));
    CHECK(wait_event(f.recorder, at, "} stale"));
    fixture_done(&f);
}

TEST(a_new_epoch_of_the_store_is_answered_with_labels)
{
    struct fixture f;
    CHECK(fixture_init(&f));
    CHECK_OK(apply(&f, JOB));
    CHECK(wait_event(f.recorder, 0, "up{"));
    mutex_lock(&f.recorder->lock);
    f.recorder->epoch++;
    size_t before = f.recorder->known_count;
    mutex_unlock(&f.recorder->lock);
    CHECK(wait_event(f.recorder, events(f.recorder), "a{instance="));
    CHECK(f.recorder->known_count > before);
    fixture_done(&f);
}

TEST(more_targets_than_target_limit_fail_all)
{
    struct fixture f;
    struct arena a AUTO_ARENA = {0};
    const struct scrape_pool_view *pools;
    size_t n;
    CHECK(fixture_init(&f));
    CHECK_OK(apply(&f, "target_limit: 1, static_configs: [{targets: [PORT, 'localhost:1']}]"));
    size_t at = wait_event(f.recorder, 0, "up{");
    at = at ? wait_event(f.recorder, at, "up{") : 0;
    CHECK(at && wait_event(f.recorder, at, "up{"));
    CHECK(str_ends(f.recorder->events[at - 1], STR(" 0")));
    CHECK_OK(scrape_view(f.manager, &a, STR("j"), &pools, &n));
    CHECK_EQ(pools[0].active_count, 2);
    fixture_done(&f);
}

TEST(file_discovery_follows_the_file)
{
    struct fixture f;
    struct arena a AUTO_ARENA = {0};
    CHECK(fixture_init(&f));
    struct str path = arena_printf(&a, "%s/t.json", test_dir());
    FILE *file = fopen(path.p, "we");
    CHECK(file &&
          fprintf(file, "[{\"targets\": [\"127.0.0.1:%u\"], \"labels\": {\"v\": \"1\"}}]", f.port) > 0 &&
          fclose(file) == 0);
    struct str job = arena_printf(&a, "file_sd_configs: [{files: ['%s']}]", path.p);
    CHECK_OK(apply(&f, job.p));
    CHECK(wait_event(f.recorder, 0, "v=\"1\"} 1"));
    file = fopen(path.p, "we");
    CHECK(file &&
          fprintf(file, "[{\"targets\": [\"127.0.0.1:%u\"], \"labels\": {\"v\": \"2\"}}]", f.port) > 0 &&
          fclose(file) == 0);
    size_t at = wait_event(f.recorder, 0, "v=\"2\"} 1");
    CHECK(at);
    file = fopen(path.p, "we");
    CHECK(file && fputs("[{", file) >= 0 && fclose(file) == 0);
    CHECK(wait_event(f.recorder, events(f.recorder), "v=\"2\"} 1")); /* a broken file keeps its targets */
    fixture_done(&f);
}
