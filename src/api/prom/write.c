/* POST /api/v1/write: remote write 1.0. */
#include "api/prom/prom_call.h"
#include "codec/compress.h"
#include "codec/remote_write.h"
#include "metrics/ingest/remote_ingest.h"

static void refuse(struct prom_call *c, int status, const char *text)
{
    buf_reset(&c->out);
    buf_printf(&c->out, "%s\n", text);
    http_res_send_buf(c->r, status, "text/plain; charset=utf-8", &c->out);
}

/* False: answered with 415. */
static bool content_is_v1(struct prom_call *c)
{
    struct str type = http_req_header(c->r, "Content-Type"),
               coding = http_req_header(c->r, "Content-Encoding");
    struct str params = type;
    struct str media = str_trim(str_cut(&params, ';'));
    if (coding.n && !str_ieq(coding, STR("snappy"))) {
        refuse(c, 415, "the body must be compressed with snappy (Content-Encoding: snappy)");
        return false;
    }
    if (media.n && !str_ieq(media, STR("application/x-protobuf"))) {
        refuse(c, 415, "the body must be application/x-protobuf");
        return false;
    }
    while (params.p) {
        struct str p = str_trim(str_cut(&params, ';'));
        if (str_starts(p, STR("proto=")) && !str_eq_c(p, "proto=prometheus.WriteRequest")) {
            refuse(c, 415,
                   "this message is not accepted: only remote write 1.0 (prometheus.WriteRequest) is");
            return false;
        }
    }
    return true;
}

static void count_written(struct prom_call *c, uint64_t samples)
{
    struct str n = arena_printf(c->a, "%llu", (unsigned long long)samples);
    if (n.p) {
        http_res_header(c->r, "X-Prometheus-Remote-Write-Samples-Written", n);
    }
}

static void write(struct prom_call *c)
{
    struct buf body AUTO_BUF = {.size_bytes_max = c->api->write_body_bytes_max};
    struct arena work AUTO_ARENA = {0};
    struct wire_write w;
    struct remote_outcome o;
    if (!c->api->remote_write) {
        refuse(c, 404, "remote write receiver needs to be enabled with --web.enable-remote-write-receiver");
        return;
    }
    if (!content_is_v1(c)) {
        return;
    }
    enum err e =
        decompress_bytes(COMPRESS_SNAPPY, http_req_body(c->r), c->api->write_body_bytes_max, &body, &c->info);
    if (!e) {
        e = remote_write_decode_v1(&work, buf_view(&body), true, &w, &c->info);
    }
    e = e ? e : remote_ingest(c->api->sink, c->api->series_cache, c->q.tenant, &w, &work, &o, &c->info);
    if (e && e != ERR_OOM) {
        refuse(c, 400, c->info.message);
        return;
    }
    if (e) {
        refuse(c, 503, "not enough memory for the request: try again later");
        return;
    }
    atomic_fetch_add_explicit(&c->api->write_samples, o.stored, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->api->write_refused, o.refused, memory_order_relaxed);
    count_written(c, o.stored);
    if (o.status == 204) {
        http_res_send(c->r, 204, NULL, STR(""));
        return;
    }
    if (o.status == 429 || o.status == 503) {
        http_res_header(c->r, "Retry-After", STR("5"));
    }
    buf_reset(&c->out);
    buf_str(&c->out, o.text);
    buf_char(&c->out, '\n');
    http_res_send_buf(c->r, o.status, "text/plain; charset=utf-8", &c->out);
}

PROM_ROUTE(write)

struct prom_routes prom_routes_write(void)
{
    static const struct http_route rows[] = {
        {"POST", "/api/v1/write", write_route, HTTP_RAW_BODY, (size_t)32 << 20, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
