/* POST /api/v1/write: remote write 1.0 and 2.0. */
#include "api/prom/prom_call.h"
#include "codec/compress.h"
#include "codec/remote_write.h"
#include "metrics/ingest/remote_ingest.h"

static void refuse(struct prom_call *c, int status, const char *text)
{
    buf_reset(&c->out);
    buf_printf(&c->out, "%s\n", text);
    http_res_header(c->r, "X-Content-Type-Options", STR("nosniff"));
    http_res_send_buf(c->r, status, "text/plain; charset=utf-8", &c->out);
}

/* 415; the text is of the arena, or NULL. */
static bool refuse_kind(struct prom_call *c, struct str text)
{
    refuse(c, 415, text.p ? text.p : "this content type or encoding is not accepted");
    return false;
}

enum write_message {
    WRITE_V1 = 0, /* prometheus.WriteRequest */
    WRITE_V2      /* io.prometheus.write.v2.Request */
};

/* False: answered with 415. */
static bool coding_fine(struct prom_call *c)
{
    struct str coding = http_req_header(c->r, "Content-Encoding");
    if (coding.n == 0 || str_eq_c(coding, "snappy")) {
        return true;
    }
    return refuse_kind(c, arena_printf(c->a,
                                       "%.*s encoding (compression) is not accepted by this server; only "
                                       "snappy is acceptable",
                                       STR_FMT(coding)));
}

/* False: answered with 415. */
static bool message_of(struct prom_call *c, enum write_message *ret_message)
{
    struct str whole = str_trim(http_req_header(c->r, "Content-Type")), params = whole;
    struct str media = str_cut(&params, ';');
    *ret_message = WRITE_V1;
    if (whole.n && !str_eq_c(media, "application/x-protobuf")) {
        return refuse_kind(
            c, arena_printf(
                   c->a, "expected application/x-protobuf as the first (media) part, got %.*s content-type",
                   STR_FMT(whole)));
    }
    while (params.p) {
        struct str p = str_cut(&params, ';');
        size_t equals = str_find_char(p, '=', 0);
        if (equals == STR_NPOS || str_find_char(p, '=', equals + 1) != STR_NPOS) {
            return refuse_kind(
                c, arena_printf(c->a,
                                "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters "
                                "to be key-values, got %.*s in %.*s content-type",
                                STR_FMT(p), STR_FMT(whole)));
        }
        p = str_trim(p);
        if (!str_starts(p, STR("proto="))) {
            continue;
        }
        if (str_eq_c(p, "proto=prometheus.WriteRequest")) {
            return true;
        }
        if (!str_eq_c(p, "proto=io.prometheus.write.v2.Request")) {
            return refuse_kind(
                c, arena_printf(c->a,
                                "got %.*s content type; unknown type for remote write protobuf message %.*s, "
                                "supported: prometheus.WriteRequest, io.prometheus.write.v2.Request",
                                STR_FMT(whole), STR_FMT(str_slice(p, 6, p.n))));
        }
        *ret_message = WRITE_V2;
        return true;
    }
    return true;
}

static void written_header(struct prom_call *c, const char *name, uint64_t count)
{
    struct str n = arena_printf(c->a, "%llu", (unsigned long long)count);
    if (n.p) {
        http_res_header(c->r, name, n);
    }
}

static void answer(struct prom_call *c, const struct remote_outcome *o)
{
    atomic_fetch_add_explicit(&c->api->write_samples, o->stored, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->api->write_refused, o->refused, memory_order_relaxed);
    if (o->status == 204) {
        http_res_send(c->r, 204, NULL, STR(""));
        return;
    }
    if (o->status == 429 || o->status == 503) {
        http_res_header(c->r, "Retry-After", STR("5"));
    }
    buf_reset(&c->out);
    buf_str(&c->out, o->text);
    buf_char(&c->out, '\n');
    http_res_send_buf(c->r, o->status, "text/plain; charset=utf-8", &c->out);
}

static enum err decode(struct prom_call *c, enum write_message message, struct str body, struct arena *work,
                       struct wire_write *w)
{
    return message == WRITE_V2 ? remote_write_decode_v2(work, body, w, &c->info)
                               : remote_write_decode_v1(work, body, true, w, &c->info);
}

static void write(struct prom_call *c)
{
    struct buf body AUTO_BUF = {.size_bytes_max = c->api->write_body_bytes_max};
    struct arena work AUTO_ARENA = {0};
    struct wire_write w;
    struct remote_outcome o = {0};
    enum write_message message = WRITE_V1;
    if (!c->api->remote_write) {
        refuse(c, 404, "remote write receiver needs to be enabled with --web.enable-remote-write-receiver");
        return;
    }
    if (!coding_fine(c)) {
        return;
    }
    enum err e =
        decompress_bytes(COMPRESS_SNAPPY, http_req_body(c->r), c->api->write_body_bytes_max, &body, &c->info);
    if (!e && !message_of(c, &message)) {
        return;
    }
    e = e ? e : decode(c, message, buf_view(&body), &work, &w);
    e = e ? e
          : remote_ingest(c->api->sink, message == WRITE_V1 ? c->api->series_cache : NULL, c->q.tenant, &w,
                          &work, &o, &c->info);
    if (message == WRITE_V2) {
        written_header(c, "X-Prometheus-Remote-Write-Samples-Written", o.samples);
        written_header(c, "X-Prometheus-Remote-Write-Histograms-Written", o.histograms);
        written_header(c, "X-Prometheus-Remote-Write-Exemplars-Written", o.exemplars);
    }
    if (e == ERR_OOM) {
        refuse(c, 503, "not enough memory for the request: try again later");
    } else if (e) {
        refuse(c, 400, c->info.message);
    } else {
        answer(c, &o);
    }
}

PROM_ROUTE(write)

struct prom_routes prom_routes_write(void)
{
    static const struct http_route rows[] = {
        {"POST", "/api/v1/write", write_route, HTTP_RAW_BODY | HTTP_WHILE_LOADING, (size_t)32 << 20, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
