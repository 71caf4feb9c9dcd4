/* The agent's own pages: readiness, metrics, targets, configuration, reload. Pages are HTML, or JSON with
 * ?format=json. */
#include <stdio.h>

#include "agent/agent_int.h"
#include "base/log.h"
#include "codec/json.h"

enum {
    PAGE_BYTES_MAX = 64 << 20
};

static const struct {
    const char *name;
} kind_names[] = {{"File"}, {"Journal"}, {"Syslog"}, {"Push"}};

/* -- readiness and metrics --------------------------------------------------------------------------------
 */

static bool is_ready(struct agent *a)
{
    mutex_lock(&a->lock);
    struct agent_run *r = a->run;
    bool ready = !r->config->health_check_target || (r->files && file_input_open_count(r->files) > 0);
    for (size_t i = 0; i < r->job_count && !ready; i++) {
        struct input *in = r->jobs[i].input;
        ready = in && in->ops->ready(in);
    }
    mutex_unlock(&a->lock);
    return ready;
}

static void ready(void *ctx, struct http_req *r)
{
    if (is_ready(ctx)) {
        http_res_send(r, 200, "text/plain; charset=utf-8", STR("Ready"));
    } else {
        http_res_send(r, 500, "text/plain; charset=utf-8",
                      STR("Not ready: Unable to find any logs to tail. Please verify permissions, volumes, "
                          "scrape_config, etc.\n"));
    }
}

static bool append(void *ctx, const char *data, size_t size)
{
    buf_append(ctx, data, size);
    return ((struct buf *)ctx)->err == ERR_OK;
}

/* The pipelines' own metrics, before the end mark of OpenMetrics. */
static void add_custom(struct agent *a, bool openmetrics, struct buf *out)
{
    static const struct str end = STR_INIT("# EOF\n");
    bool marked = !out->err && str_ends(buf_view(out), end);
    if (marked) {
        out->n -= end.n;
    }
    custom_metrics_write(a->metrics.custom, openmetrics, clock_mono_ns(clock_real()), out);
    if (marked) {
        buf_str(out, end);
    }
}

static void metrics(void *ctx, struct http_req *r)
{
    struct agent *a = ctx;
    struct buf out AUTO_BUF = {.size_bytes_max = PAGE_BYTES_MAX};
    char accept[512], type[CAIRN_CONTENT_TYPE_MAX];
    (void)snprintf(accept, sizeof(accept), "%.*s", STR_FMT(http_req_header(r, "Accept")));
    struct cairn_format f = cairn_format_negotiate(accept);
    cairn_format_content_type(f, type);
    if (cairn_registry_write(a->metrics.registry, f, append, &out) != CAIRN_OK) {
        out.err = out.err ? out.err : ERR_OOM;
    }
    add_custom(a, f.exposition >= CAIRN_OPENMETRICS_0_0_1, &out);
    http_res_send_buf(r, 200, type, &out);
}

/* -- targets ----------------------------------------------------------------------------------------------
 */

struct page {
    struct json_writer w;
    struct buf *out;
    bool json;
};

static void html_text(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '<' || c == '>' || c == '&' || c == '"') {
            buf_printf(b, "&#%d;", c);
        } else {
            buf_char(b, c);
        }
    }
}

static void put_labels(struct page *p, struct labels ls)
{
    if (!p->json) {
        struct buf text AUTO_BUF = {0};
        labels_format_loki(&text, ls);
        html_text(p->out, buf_view(&text));
        return;
    }
    json_object_begin(&p->w);
    for (size_t i = 0; i < ls.n; i++) {
        json_key_str(&p->w, ls.l[i].name);
        json_str(&p->w, ls.l[i].value);
    }
    json_object_end(&p->w);
}

static void file_row(void *ctx, struct str path, struct labels labels, uint64_t acked, uint64_t size)
{
    struct page *p = ctx;
    if (!p->json) {
        buf_c(p->out, "<tr><td>");
        html_text(p->out, path);
        buf_c(p->out, "</td><td>");
        put_labels(p, labels);
        buf_printf(p->out, "</td><td>%llu of %llu bytes delivered</td></tr>\n", (unsigned long long)acked,
                   (unsigned long long)size);
        return;
    }
    json_object_begin(&p->w);
    json_key(&p->w, "path");
    json_str(&p->w, path);
    json_key(&p->w, "labels");
    put_labels(p, labels);
    json_key(&p->w, "acknowledgedBytes");
    json_u64(&p->w, acked);
    json_key(&p->w, "sizeBytes");
    json_u64(&p->w, size);
    json_object_end(&p->w);
}

static bool job_ready(struct agent_run *r, const struct run_job *j)
{
    return j->input ? j->input->ops->ready(j->input) : r->files && file_input_open_count(r->files) > 0;
}

static size_t file_index(const struct agent_run *r, const struct run_job *j)
{
    size_t i = 0;
    while (i < r->file_job_count && !str_eq(r->file_jobs[i].name, j->config->name)) {
        i++;
    }
    return i;
}

static void job_targets(struct page *p, struct agent_run *r, const struct run_job *j)
{
    const char *kind = kind_names[j->config->kind].name;
    size_t index = file_index(r, j);
    if (p->json) {
        json_object_begin(&p->w);
        json_key(&p->w, "job");
        json_str(&p->w, j->config->name);
        json_key(&p->w, "type");
        json_str(&p->w, str_c(kind));
        json_key(&p->w, "ready");
        json_bool(&p->w, job_ready(r, j));
        json_key(&p->w, "files");
        json_array_begin(&p->w);
    } else {
        buf_c(p->out, "<h2>");
        html_text(p->out, j->config->name);
        buf_printf(p->out, " (%s, %s)</h2>\n<table>\n", kind, job_ready(r, j) ? "ready" : "not ready");
    }
    if (r->files && index < r->file_job_count) {
        file_input_each(r->files, index, file_row, p);
    }
    if (p->json) {
        json_array_end(&p->w);
        json_object_end(&p->w);
    } else {
        buf_c(p->out, "</table>\n");
    }
}

static void job_discovery(struct page *p, struct agent_run *r, const struct run_job *j)
{
    (void)r;
    if (p->json) {
        json_object_begin(&p->w);
        json_key(&p->w, "job");
        json_str(&p->w, j->config->name);
        json_key(&p->w, "targets");
        json_array_begin(&p->w);
    } else {
        buf_c(p->out, "<h2>");
        html_text(p->out, j->config->name);
        buf_c(p->out, "</h2>\n<table>\n");
    }
    for (size_t i = 0; i < j->config->target_count; i++) {
        file_row(p, j->config->targets[i].path, j->config->targets[i].labels, 0, 0);
    }
    if (p->json) {
        json_array_end(&p->w);
        json_object_end(&p->w);
    } else {
        buf_c(p->out, "</table>\n");
    }
}

static void send_jobs(struct agent *a, struct http_req *req, const char *title,
                      void (*job)(struct page *p, struct agent_run *r, const struct run_job *j))
{
    struct buf out AUTO_BUF = {.size_bytes_max = PAGE_BYTES_MAX};
    struct page p = {json_writer(&out), &out, str_eq_c(http_req_param(req, "format"), "json")};
    if (p.json) {
        json_array_begin(&p.w);
    } else {
        buf_printf(&out, "<!doctype html><meta charset=utf-8><title>%s</title><h1>%s</h1>\n", title, title);
    }
    mutex_lock(&a->lock);
    for (size_t i = 0; i < a->run->job_count; i++) {
        job(&p, a->run, &a->run->jobs[i]);
    }
    mutex_unlock(&a->lock);
    if (p.json) {
        json_array_end(&p.w);
    }
    http_res_send_buf(req, 200, p.json ? "application/json" : "text/html; charset=utf-8", &out);
}

static void targets(void *ctx, struct http_req *r)
{
    send_jobs(ctx, r, "Targets", job_targets);
}

static void discovery(void *ctx, struct http_req *r)
{
    send_jobs(ctx, r, "Service discovery", job_discovery);
}

/* -- configuration ----------------------------------------------------------------------------------------
 */

static void config(void *ctx, struct http_req *r)
{
    struct agent *a = ctx;
    struct buf text AUTO_BUF = {.size_bytes_max = PAGE_BYTES_MAX},
                    out AUTO_BUF = {.size_bytes_max = PAGE_BYTES_MAX};
    mutex_lock(&a->lock);
    agent_config_print(a->run->config, &text);
    mutex_unlock(&a->lock);
    if (str_eq_c(http_req_param(r, "format"), "json")) {
        buf_c(&out, "{\"yaml\":");
        json_quote(&out, buf_view(&text));
        buf_c(&out, "}");
        http_res_send_buf(r, 200, "application/json", &out);
        return;
    }
    buf_c(&out, "<!doctype html><meta charset=utf-8><title>Configuration</title><h1>Configuration</h1><pre>");
    html_text(&out, buf_view(&text));
    buf_c(&out, "</pre>\n");
    http_res_send_buf(r, 200, "text/html; charset=utf-8", &out);
}

static void reload(void *ctx, struct http_req *r)
{
    struct agent *a = ctx;
    struct err_info info = {0};
    char text[1024];
    mutex_lock(&a->lock);
    bool allowed = a->run->config->runtime_reload;
    mutex_unlock(&a->lock);
    if (!allowed) {
        http_res_send(r, 404, "text/plain; charset=utf-8",
                      STR("404 page not found: set server.enable_runtime_reload to reload over HTTP\n"));
        return;
    }
    if (agent_reload(a, &info)) {
        struct str why = str_c(err_render(&info, text, sizeof(text)));
        http_res_send(r, 500, "text/plain; charset=utf-8", why);
        return;
    }
    http_res_send(r, 200, "text/plain; charset=utf-8", STR(""));
}

static void root(void *ctx, struct http_req *r)
{
    (void)ctx;
    http_res_header(r, "Location", STR("/targets"));
    http_res_send(r, 303, "text/html; charset=utf-8", STR("<a href=\"/targets\">See Other</a>.\n"));
}

static const struct http_route routes[] = {
    {.method = "GET", .path = "/", .handler = root},
    {.method = "GET", .path = "/ready", .handler = ready, .flags = HTTP_NO_AUTH},
    {.method = "GET", .path = "/metrics", .handler = metrics},
    {.method = "GET", .path = "/targets", .handler = targets},
    {.method = "GET", .path = "/service-discovery", .handler = discovery},
    {.method = "GET", .path = "/config", .handler = config},
    {.method = "GET|POST", .path = "/reload", .handler = reload},
};

enum err agent_routes(struct agent *a, struct http_server *server)
{
    return http_server_routes(server, routes, ARRAY_LEN(routes), a);
}
