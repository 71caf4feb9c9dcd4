/* The sample application as its users meet it: over HTTP, in its metrics page and in its log. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "demo/demo_int.h"

enum {
    PAGE_MAX = 1 << 20
};

/* One running application with a client. */
struct world {
    struct demo *demo;
    struct http_client *client;
    char log_path[512];
    struct http_answer answer; /* the last one */
};

static bool world_start(struct world *world, struct demo_options options)
{
    struct err_info info = {0};
    *world = (struct world){0};
    (void)snprintf(world->log_path, sizeof world->log_path, "%s/app.log", test_dir());
    options.port = 0;
    options.log_path = world->log_path;
    bool started = demo_start(&options, &world->demo, &info) == ERR_OK &&
                   http_client_new("test", &world->client) == ERR_OK;
    if (!started) {
        (void)fprintf(stderr, "%s\n", info.message);
    }
    return started;
}

static void world_stop(struct world *world)
{
    http_answer_done(&world->answer);
    http_client_free(world->client);
    demo_stop(world->demo);
}

/* Status of the answer, 0 when there was none. */
static int ask(struct world *world, const char *method, const char *path, const char *accept)
{
    char url[256];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", demo_port(world->demo), path);
    struct http_header header = {STR("Accept"), str_c(accept)};
    struct http_call call = {
        .method = str_c(method), .url = str_c(url), .headers = &header, .header_count = 1};
    struct err_info info;
    http_answer_done(&world->answer);
    world->answer = (struct http_answer){0};
    return http_client_do(world->client, &call, &world->answer, &info) == ERR_OK ? world->answer.status : 0;
}

static bool page_has(struct world *world, const char *text)
{
    return str_find(buf_view(&world->answer.body), str_c(text), 0) != STR_NPOS;
}

static struct demo_options quiet(void)
{
    struct demo_options options;
    demo_options_init(&options);
    options.traffic_rate = 0;
    options.version = "9.8.7";
    options.environment = "test";
    return options;
}

TEST(every_route_answers_and_is_counted_under_its_own_name)
{
    static const struct {
        const char *method, *path;
        int status;
        const char *series;
    } rows[] = {
        {"GET", "/", 200, "{method=\"GET\",endpoint=\"/\",status=\"200\"} 1\n"},
        {"GET", "/api/data", 200, "{method=\"GET\",endpoint=\"/api/data\",status=\"200\"} 1\n"},
        {"GET", "/api/users/7", 200, "{method=\"GET\",endpoint=\"/api/users/<id>\",status=\"200\"} 1\n"},
        {"GET", "/api/users/nobody", 404, "{method=\"GET\",endpoint=\"/api/users/<id>\",status=\"404\"} 1\n"},
        {"GET", "/api/error", 500, "{method=\"GET\",endpoint=\"/api/error\",status=\"500\"} 1\n"},
        {"GET", "/health", 200, "{method=\"GET\",endpoint=\"/health\",status=\"200\"} 1\n"},
        {"GET", "/no/such/page", 404, "{method=\"GET\",endpoint=\"other\",status=\"404\"} 1\n"},
        {"POST", "/api/data", 405, "{method=\"POST\",endpoint=\"/api/data\",status=\"405\"} 1\n"},
        {"BREW", "/", 405, "{method=\"OTHER\",endpoint=\"/\",status=\"405\"} 1\n"},
    };
    struct world world;
    CHECK(world_start(&world, quiet()));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CHECK_EQ(ask(&world, rows[i].method, rows[i].path, "*/*"), rows[i].status);
    }
    CHECK_EQ(ask(&world, "GET", "/metrics", "text/plain;version=0.0.4"), 200);
    CHECK(page_has(&world, "# TYPE flask_app_request_count counter\n"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char series[256];
        (void)snprintf(series, sizeof series, "\nflask_app_request_count%s", rows[i].series);
        CHECK(page_has(&world, series));
    }
    CHECK(page_has(&world, "\nflask_app_error_count{endpoint=\"/api/error\"} 1\n"));
    CHECK(page_has(&world, "\nflask_app_error_count{endpoint=\"/api/data\"} 0\n"));
    CHECK(page_has(&world, "\nflask_app_info{version=\"9.8.7\",environment=\"test\"} 1\n"));
    CHECK(page_has(
        &world,
        "\nflask_app_request_duration_seconds_count{method=\"GET\",endpoint=\"/api/users/<id>\"} 2\n"));
    CHECK(page_has(&world, "\nflask_app_active_requests 1\n"));
    CHECK(page_has(&world, "\nflask_app_request_queue_depth 0\n"));
    world_stop(&world);
}

TEST(openmetrics_keeps_the_names)
{
    struct world world;
    CHECK(world_start(&world, quiet()));
    CHECK_EQ(ask(&world, "GET", "/", "*/*"), 200);
    CHECK_EQ(ask(&world, "GET", "/metrics", "application/openmetrics-text;version=1.0.0"), 200);
    CHECK(str_starts(world.answer.content_type, STR("application/openmetrics-text; version=1.0.0")));
    CHECK(page_has(&world, "# TYPE flask_app_request_count unknown\n"));
    CHECK(page_has(&world, "\nflask_app_request_count{method=\"GET\",endpoint=\"/\",status=\"200\"} 1\n"));
    CHECK(page_has(&world, "# TYPE flask_app_error_count unknown\n"));
    CHECK(page_has(&world, "# TYPE flask_app_info gauge\n"));
    CHECK(str_ends(buf_view(&world.answer.body), STR("\n# EOF\n")));
    world_stop(&world);
}

TEST(the_rate_limit_answers_429_and_spares_scrapers)
{
    struct world world;
    struct demo_options options = quiet();
    options.rate_limit = 0.5;
    CHECK(world_start(&world, options));
    CHECK_EQ(ask(&world, "GET", "/", "*/*"), 200);
    CHECK_EQ(ask(&world, "GET", "/", "*/*"), 429);
    CHECK_STR(http_answer_header(&world.answer, "Retry-After"), "2");
    CHECK_EQ(ask(&world, "GET", "/metrics", "*/*"), 200);
    CHECK_EQ(ask(&world, "GET", "/health", "*/*"), 200);
    CHECK(ask(&world, "GET", "/metrics", "*/*") == 200 &&
          page_has(&world, "\nflask_app_request_count{method=\"GET\",endpoint=\"/\",status=\"429\"} 1\n"));
    world_stop(&world);
}

struct slow_answer {
    struct mutex lock;
    struct cond done;
    int status; /* -1: none yet */
};

static void slow_answered(void *ctx, enum err e, struct http_answer *answer, const struct err_info *info)
{
    struct slow_answer *slow = ctx;
    (void)info;
    mutex_lock(&slow->lock);
    slow->status = e == ERR_OK ? answer->status : 0;
    cond_signal(&slow->done);
    mutex_unlock(&slow->lock);
    if (e == ERR_OK) {
        http_answer_done(answer);
    }
}

TEST(slow_calls_wait_without_holding_others_up)
{
    struct world world;
    struct slow_answer slow = {.status = -1};
    struct http_client *other;
    char url[256];
    mutex_init(&slow.lock);
    cond_init(&slow.done);
    CHECK(world_start(&world, quiet()));
    CHECK_OK(http_client_new("slow", &other));
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/api/slow", demo_port(world.demo));
    struct http_call call = {.url = str_c(url)};
    CHECK_OK(http_client_start(other, &call, slow_answered, &slow, NULL));
    bool waiting = false;
    while (!waiting) {
        CHECK_EQ(ask(&world, "GET", "/metrics", "*/*"), 200);
        waiting = page_has(&world, "\nflask_app_request_queue_depth 1\n") &&
                  page_has(&world, "\nflask_app_active_requests 2\n");
    }
    mutex_lock(&slow.lock);
    while (slow.status < 0) {
        cond_wait(&slow.done, &slow.lock);
    }
    mutex_unlock(&slow.lock);
    CHECK_EQ(slow.status, 200);
    CHECK_EQ(ask(&world, "GET", "/metrics", "*/*"), 200);
    CHECK(page_has(&world, "\nflask_app_request_queue_depth 0\n"));
    CHECK(page_has(
        &world,
        "\nflask_app_request_duration_seconds_bucket{method=\"GET\",endpoint=\"/api/slow\",le=\"0.5\"} 0\n"));
    http_client_free(other);
    world_stop(&world);
    cond_done(&slow.done);
    mutex_done(&slow.lock);
}

TEST(the_log_tells_start_requests_errors_and_stop)
{
    struct world world;
    CHECK(world_start(&world, quiet()));
    CHECK_EQ(ask(&world, "GET", "/api/data", "*/*"), 200);
    CHECK_EQ(ask(&world, "GET", "/api/error", "*/*"), 500);
    world_stop(&world);
    FILE *file = fopen(world.log_path, "r");
    CHECK(file != NULL);
    char text[8192];
    size_t size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    (void)fclose(file);
    CHECK(strstr(text, " - app - INFO - Application started on http://127.0.0.1:") != NULL);
    CHECK(strstr(text, " - app.request - INFO - GET /api/data 200 duration_ms=") != NULL);
    CHECK(strstr(text, " - app.error - ERROR - Exception on /api/error [GET]: ") != NULL);
    CHECK(strstr(text, " - app.request - ERROR - GET /api/error 500 ") != NULL);
    CHECK(strstr(text, " - app - INFO - Application stopped\n") != NULL);
}

TEST(what_cannot_start_says_why)
{
    struct demo_options options = quiet();
    struct demo *demo = NULL;
    struct err_info info = {0};
    options.port = 0;
    options.log_path = "/proc/no/app.log";
    CHECK(demo_start(&options, &demo, &info) != ERR_OK);
    CHECK(strstr(info.message, "/proc/no/app.log") != NULL && strstr(info.message, "--log-path") != NULL);
    options.log_path = "-";
    options.log_format = "xml";
    CHECK_EQ(demo_start(&options, &demo, &info), ERR_INVALID);
    CHECK(strstr(info.message, "xml") != NULL);
    CHECK(demo == NULL);
}

TEST(generated_traffic_reaches_every_route)
{
    struct world world;
    struct demo_options options = quiet();
    options.traffic_rate = 20;
    CHECK(world_start(&world, options));
    int64_t until_ns = clock_mono_ns(clock_real()) + 20 * NS_PER_S;
    size_t missing = DEMO_ROUTE_COUNT;
    while (missing > 0 && clock_mono_ns(clock_real()) < until_ns) {
        CHECK_EQ(ask(&world, "GET", "/metrics", "*/*"), 200);
        missing = 0;
        for (size_t i = 0; i < DEMO_ROUTE_COUNT; i++) {
            char empty[256];
            (void)snprintf(empty, sizeof empty,
                           "\nflask_app_request_duration_seconds_count{method=\"GET\",endpoint=\"%s\"} 0\n",
                           demo_route_endpoint((enum demo_route)i));
            missing += page_has(&world, empty);
        }
        clock_sleep_ms(20);
    }
    CHECK_EQ(missing, 0);
    CHECK(page_has(&world, "\nflask_app_error_count{endpoint=\"/api/error\"} "));
    CHECK(!page_has(&world, "\nflask_app_error_count{endpoint=\"/api/error\"} 0\n"));
    world_stop(&world);
}
