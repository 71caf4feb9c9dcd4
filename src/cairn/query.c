/* cairn query: asks a Cairn or any Prometheus, and prints what it says as a table, a graph, CSV or its JSON.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cairn/command.h"
#include "cairn/flags.h"
#include "cairn/query_int.h"
#include "codec/units.h"
#include "net/http_client.h"

enum {
    ARGS_MAX = 2,
    OUTPUT_BYTES_MAX = 1 << 30,
    COLUMNS_DEFAULT = 80,
    COLUMNS_BESIDE = 16, /* of the scale and margins */
    STEPS_WANTED = 250
};

struct query_flags {
    struct str url, time, start, end, step, format;
    struct flag_list match;
    int64_t since_ms, timeout_ms;
    bool help;
};

static const struct flag flags[] = {
    {"url", FLAG_STR, offsetof(struct query_flags, url), "http://127.0.0.1:9090",
     "server to ask, http://NAME:PASSWORD@HOST:PORT with basic authentication"},
    {"time", FLAG_STR, offsetof(struct query_flags, time), "now", "instant: when (Unix seconds or RFC 3339)"},
    {"start", FLAG_STR, offsetof(struct query_flags, start), "", "range: from when"},
    {"end", FLAG_STR, offsetof(struct query_flags, end), "now", "range: until when"},
    {"since", FLAG_DURATION, offsetof(struct query_flags, since_ms), "1h",
     "range: how far back, without --start"},
    {"step", FLAG_STR, offsetof(struct query_flags, step), "",
     "range: distance of the points, about 250 unless told"},
    {"match", FLAG_LIST, offsetof(struct query_flags, match), "", "labels: only of series that match"},
    {"format", FLAG_STR, offsetof(struct query_flags, format), "table", "table, graph, csv or json"},
    {"timeout", FLAG_DURATION, offsetof(struct query_flags, timeout_ms), "2m",
     "how long to wait for the answer"},
    {"help", FLAG_BOOL, offsetof(struct query_flags, help), "", "this text"},
};

/* A kind of question: its word, what it takes, and how its answer is printed. */
struct question {
    const char *word;
    bool argument;
    bool (*form)(struct buf *form, struct buf *path, const struct query_flags *f, struct str argument,
                 struct err_info *info);
    void (*print)(struct buf *out, struct arena *a, const struct json_value *data,
                  const struct query_flags *f);
};

static void form_add(struct buf *b, const char *name, struct str value)
{
    static const char hex[] = "0123456789ABCDEF";
    buf_printf(b, "%s%s=", b->n ? "&" : "", name);
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '.' ||
                     c == '_';
        if (plain) {
            buf_char(b, (char)c);
        } else {
            buf_char(b, '%');
            buf_char(b, hex[c >> 4]);
            buf_char(b, hex[c & 15]);
        }
    }
}

static void form_add_ms(struct buf *b, const char *name, int64_t ms)
{
    buf_printf(b, "%s%s=%lld.%03d", b->n ? "&" : "", name, (long long)(ms / 1000), (int)(ms % 1000));
}

/* -- questions ------------------------------------------------------------------------------------------- */

static bool instant_form(struct buf *form, struct buf *path, const struct query_flags *f, struct str expr,
                         struct err_info *info)
{
    (void)info;
    buf_c(path, "/api/v1/query");
    form_add(form, "query", expr);
    if (f->time.n) {
        form_add(form, "time", f->time);
    }
    return true;
}

static bool range_form(struct buf *form, struct buf *path, const struct query_flags *f, struct str expr,
                       struct err_info *info)
{
    ts_ms end = clock_wall_ms(clock_real()), start;
    if (f->end.n && units_prom_time_parse(f->end, &end, info)) {
        return false;
    }
    start = end - f->since_ms;
    if (f->start.n && units_prom_time_parse(f->start, &start, info)) {
        return false;
    }
    buf_c(path, "/api/v1/query_range");
    form_add(form, "query", expr);
    form_add_ms(form, "start", start);
    form_add_ms(form, "end", end);
    if (f->step.n) {
        form_add(form, "step", f->step);
    } else {
        int64_t step = (end - start) / STEPS_WANTED;
        form_add_ms(form, "step", step < 1000 ? 1000 : step);
    }
    return true;
}

static bool series_form(struct buf *form, struct buf *path, const struct query_flags *f, struct str selector,
                        struct err_info *info)
{
    (void)f;
    (void)info;
    buf_c(path, "/api/v1/series");
    form_add(form, "match[]", selector);
    return true;
}

static bool labels_form(struct buf *form, struct buf *path, const struct query_flags *f, struct str name,
                        struct err_info *info)
{
    (void)info;
    if (name.n) {
        buf_printf(path, "/api/v1/label/%.*s/values?", STR_FMT(name));
    } else {
        buf_c(path, "/api/v1/labels?");
    }
    struct buf query AUTO_BUF = {.size_bytes_max = 1 << 16};
    for (size_t i = 0; i < f->match.n; i++) {
        form_add(&query, "match[]", f->match.items[i]);
    }
    buf_str(path, buf_view(&query));
    (void)form;
    return !query.err;
}

static unsigned terminal_width(void)
{
    struct winsize size = {0};
    unsigned columns =
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : COLUMNS_DEFAULT;
    return columns > 2 * COLUMNS_BESIDE ? columns - COLUMNS_BESIDE : COLUMNS_BESIDE;
}

static void print_result(struct buf *out, struct arena *a, const struct json_value *data,
                         const struct query_flags *f)
{
    struct answer x;
    struct err_info info = {0};
    if (answer_read(a, data, &x, &info)) {
        buf_printf(out, "%s\n", info.message);
    } else if (str_eq_c(f->format, "csv")) {
        answer_csv(out, &x);
    } else if (str_eq_c(f->format, "graph")) {
        answer_graph(out, &x, terminal_width());
    } else {
        answer_table(out, &x);
    }
}

/* Strings a line each; series as the selectors they are. */
static void print_list(struct buf *out, struct arena *a, const struct json_value *data,
                       const struct query_flags *f)
{
    (void)a;
    (void)f;
    for (const struct json_value *v = data ? data->child : NULL; v; v = v->next) {
        buf_str(out, v->kind == JSON_STRING ? v->string : v->raw);
        buf_char(out, '\n');
    }
}

static const struct question questions[] = {
    {"instant", true, instant_form, print_result},
    {"range", true, range_form, print_result},
    {"series", true, series_form, print_list},
    {"labels", false, labels_form, print_list},
};

/* -- asking ---------------------------------------------------------------------------------------------- */

/* The server's own sentence, whatever the status. */
static enum err refused(const struct http_answer *answer, const struct json_value *root,
                        struct err_info *info)
{
    const struct json_value *why = json_get(root, STR("error")), *type = json_get(root, STR("errorType"));
    if (why) {
        return err_set(info, ERR_EXECUTION, "%.*s: %.*s", STR_FMT(type ? type->string : STR("error")),
                       STR_FMT(why->string));
    }
    struct str body = buf_view(&answer->body);
    body.n = body.n > 300 ? 300 : body.n;
    return err_set(info, ERR_EXECUTION, "the server answered %d: %.*s", answer->status, STR_FMT(body));
}

static enum err ask(const struct query_flags *f, const struct buf *path, const struct buf *form,
                    struct arena *a, struct http_answer *answer, const struct json_value **ret_root,
                    struct err_info *info)
{
    struct http_client *client = NULL;
    const struct http_header form_type = {STR("Content-Type"), STR("application/x-www-form-urlencoded")};
    struct str base = f->url;
    while (base.n && base.p[base.n - 1] == '/') {
        base.n--;
    }
    struct http_call call = {.method = form->n ? STR("POST") : STR("GET"),
                             .url = arena_printf(a, "%.*s%.*s", STR_FMT(base), STR_FMT(buf_view(path))),
                             .headers = &form_type,
                             .header_count = form->n ? 1 : 0,
                             .body = buf_view(form),
                             .timeout_ms = f->timeout_ms,
                             .response_bytes_max = OUTPUT_BYTES_MAX,
                             .accept_compressed = true,
                             .follow_redirects = true};
    enum err e = http_client_new("query", &client);
    e = e ? e : http_client_do(client, &call, answer, info);
    http_client_free(client);
    if (e) {
        return e;
    }
    e = json_parse(a, buf_view(&answer->body), ret_root, info);
    if (e || answer->status != 200) {
        return refused(answer, e ? NULL : *ret_root, info);
    }
    return ERR_OK;
}

static void print_notes(const struct json_value *root, const char *member, const char *word)
{
    const struct json_value *list = json_get(root, str_c(member));
    for (const struct json_value *v = list ? list->child : NULL; v; v = v->next) {
        (void)fprintf(stderr, "%s: %.*s\n", word, STR_FMT(v->string));
    }
}

static int fail(const struct err_info *info, int status)
{
    (void)fprintf(stderr, "cairn query: %s\n", info->message);
    return status;
}

static int run(const struct question *q, const struct query_flags *f, struct str argument)
{
    struct arena a AUTO_ARENA = {0};
    struct buf form AUTO_BUF = {.size_bytes_max = 1 << 20}, path AUTO_BUF = {.size_bytes_max = 1 << 16},
                    out AUTO_BUF = {.size_bytes_max = OUTPUT_BYTES_MAX};
    struct http_answer answer = {0};
    struct err_info info = {0};
    const struct json_value *root = NULL;
    if (!q->form(&form, &path, f, argument, &info)) {
        return fail(&info, 2);
    }
    enum err e = ask(f, &path, &form, &a, &answer, &root, &info);
    if (e) {
        http_answer_done(&answer);
        return fail(&info, 1);
    }
    if (str_eq_c(f->format, "json")) {
        buf_str(&out, buf_view(&answer.body));
        buf_char(&out, '\n');
    } else {
        q->print(&out, &a, json_get(root, STR("data")), f);
    }
    print_notes(root, "warnings", "warning");
    print_notes(root, "infos", "info");
    http_answer_done(&answer);
    bool ok = !out.err && fwrite(out.p, 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    return ok ? 0 : 1;
}

static int help(const struct flag_set *set)
{
    struct buf text AUTO_BUF = {.size_bytes_max = 16384};
    buf_c(&text, "usage: cairn query [instant|range] EXPRESSION\n"
                 "       cairn query series SELECTOR\n"
                 "       cairn query labels [NAME]\n"
                 "\nAsks a Cairn or a Prometheus. Without a word in front, an expression is an instant "
                 "query, or a range query\n"
                 "when --start, --since or --step is given.\n");
    flags_help(&text, set, 1);
    return !text.err && fwrite(text.p, 1, text.n, stdout) == text.n ? 0 : 1;
}

static void seen(void *ctx, const struct flag *f, struct str value)
{
    (void)value;
    bool *range = ctx;
    *range = *range || strcmp(f->name, "start") == 0 || strcmp(f->name, "since") == 0 ||
             strcmp(f->name, "step") == 0;
}

static const struct question *question_of(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
        if (strcmp(questions[i].word, word) == 0) {
            return &questions[i];
        }
    }
    return NULL;
}

int command_query(int argc, char **argv)
{
    struct query_flags f = {.url = STR("http://127.0.0.1:9090"),
                            .format = STR("table"),
                            .since_ms = 3600 * MS_PER_S,
                            .timeout_ms = 120 * MS_PER_S};
    const struct flag_set set = {"Flags", flags, ARRAY_LEN(flags), &f};
    const char *args[ARGS_MAX];
    size_t n = 0;
    bool range = false;
    struct err_info info = {0};
    if (flags_parse(argc, argv, &set, 1, args, ARGS_MAX, &n, seen, &range, &info)) {
        return fail(&info, 2);
    }
    if (f.help || n == 0) {
        int status = help(&set);
        return f.help ? status : 2;
    }
    static const char *const formats[] = {"table", "graph", "csv", "json"};
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        known = known || str_eq_c(f.format, formats[i]);
    }
    if (!known) {
        (void)err_set(&info, ERR_INVALID, "--format: \"%.*s\" is not one of table, graph, csv, json",
                      STR_FMT(f.format));
        return fail(&info, 2);
    }
    const struct question *q = question_of(args[0]);
    if (!q && n == 1) {
        return run(&questions[range], &f, str_c(args[0]));
    }
    if (!q || (q->argument && n < 2)) {
        (void)err_set(&info, ERR_INVALID,
                      q ? "\"%s\" needs an argument, see --help" : "unknown question \"%s\", see --help",
                      args[0]);
        return fail(&info, 2);
    }
    return run(q, &f, n > 1 ? str_c(args[1]) : STR(""));
}
