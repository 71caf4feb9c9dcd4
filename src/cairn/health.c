/* cairn health: asks each role's health page, for scripts and container health checks. Exit status 0 when all
 * that were asked answer 200. */
#include <stdio.h>
#include <string.h>

#include "cairn/command.h"
#include "cairn/flags.h"
#include "net/http_client.h"

struct health_flags {
    struct flag_list urls;
    int64_t timeout_ms;
    bool help;
};

static const struct flag flags[] = {
    {"url", FLAG_LIST, offsetof(struct health_flags, urls), "", "page to ask, may be repeated"},
    {"timeout", FLAG_DURATION, offsetof(struct health_flags, timeout_ms), "5s", "how long to wait for each"},
    {"help", FLAG_BOOL, offsetof(struct health_flags, help), "", "this text"},
};

/* Where a stack with default ports answers. */
static const char *const defaults[] = {
    "http://127.0.0.1:9090/-/ready",
    "http://127.0.0.1:3100/ready",
    "http://127.0.0.1:3000/api/health",
};

/* True when the page answers 200. */
static bool ask(struct http_client *client, struct str url, int64_t timeout_ms)
{
    struct http_answer answer = {0};
    struct err_info info = {0};
    struct http_call call = {.url = url, .timeout_ms = timeout_ms, .response_bytes_max = 1 << 20};
    enum err e = http_client_do(client, &call, &answer, &info);
    bool ok = !e && answer.status == 200;
    struct str body = str_trim(buf_view(&answer.body));
    if (e) {
        (void)printf("%-44.*s %s\n", STR_FMT(url), info.message);
    } else {
        body.n = body.n > 200 ? 200 : body.n;
        (void)printf("%-44.*s %d %s%.*s\n", STR_FMT(url), answer.status, ok ? "ok" : "", ok ? 0 : (int)body.n,
                     body.p);
    }
    http_answer_done(&answer);
    return ok;
}

static int help(const struct flag_set *set)
{
    struct buf text AUTO_BUF = {.size_bytes_max = 4096};
    buf_c(&text, "usage: cairn health [--url=URL ...]\n\nAsks the roles on their default ports, or the pages "
                 "given.\n");
    flags_help(&text, set, 1);
    return !text.err && fwrite(text.p, 1, text.n, stdout) == text.n ? 0 : 1;
}

int command_health(int argc, char **argv)
{
    struct health_flags f = {.timeout_ms = 5000};
    const struct flag_set set = {"Flags", flags, ARRAY_LEN(flags), &f};
    struct err_info info = {0};
    struct http_client *client = NULL;
    size_t n = 0;
    if (flags_parse(argc, argv, &set, 1, NULL, 0, &n, NULL, NULL, &info)) {
        (void)fprintf(stderr, "cairn health: %s\n", info.message);
        return 2;
    }
    if (f.help) {
        return help(&set);
    }
    if (http_client_new("health", &client)) {
        (void)fprintf(stderr, "cairn health: out of memory\n");
        return 1;
    }
    bool ok = true;
    for (size_t i = 0; i < (f.urls.n ? f.urls.n : ARRAY_LEN(defaults)); i++) {
        ok = ask(client, f.urls.n ? f.urls.items[i] : str_c(defaults[i]), f.timeout_ms) && ok;
    }
    http_client_free(client);
    return ok ? 0 : 1;
}
