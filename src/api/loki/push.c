/* Pushes: /loki/api/v1/push in protobuf and JSON, and the older JSON of /api/prom/push. */
#include "api/loki/loki_call.h"
#include "codec/compress.h"
#include "codec/loki_push.h"
#include "codec/units.h"

enum {
    PUSH_RECEIVED_BYTES_MAX = 100 << 20 /* as sent: distributor.max-recv-msg-size */
};

/* -- the older JSON ---------------------------------------------------------------------------------------
 */

static enum err old_entry(struct loki_call *c, const struct json_value *v, struct wire_entry *e)
{
    const struct json_value *ts = json_get(v, STR("ts")), *line = json_get(v, STR("line"));
    ts = ts ? ts : json_get(v, STR("timestamp"));
    if (!ts || ts->kind != JSON_STRING || units_rfc3339_parse(ts->string, &e->ts) != ERR_OK) {
        return err_set(&c->info, ERR_INVALID, "the timestamp %.*s is not RFC 3339",
                       STR_FMT(ts ? ts->raw : STR("(none)")));
    }
    e->line = line && line->kind == JSON_STRING ? line->string : STR("");
    return ERR_OK;
}

static enum err old_stream(struct loki_call *c, const struct json_value *v, struct wire_stream *s)
{
    const struct json_value *labels = json_get(v, STR("labels")), *entries = json_get(v, STR("entries"));
    struct wire_entry *out = arena_zarray(c->a, entries ? entries->count + 1 : 1, sizeof(*out));
    if (!out) {
        return ERR_OOM;
    }
    *s = (struct wire_stream){.entries = out};
    enum err e = loki_labels_parse(c->a, labels && labels->kind == JSON_STRING ? labels->string : STR("{}"),
                                   &s->labels, &s->label_count, &c->info);
    for (const struct json_value *x = entries ? entries->child : NULL; x && !e; x = x->next) {
        e = old_entry(c, x, &out[s->entry_count++]);
    }
    return e;
}

static enum err decode_old_json(struct loki_call *c, struct str body, struct wire_push *ret_push)
{
    const struct json_value *root;
    enum err e = json_parse(c->a, body, &root, &c->info);
    const struct json_value *list = e ? NULL : json_get(root, STR("streams"));
    struct wire_stream *streams = arena_array(c->a, list ? list->count + 1 : 1, sizeof(*streams));
    size_t n = 0;
    if (!e && !streams) {
        return ERR_OOM;
    }
    for (const struct json_value *x = list ? list->child : NULL; x && !e; x = x->next) {
        e = old_stream(c, x, &streams[n++]);
    }
    *ret_push = (struct wire_push){streams, n};
    return e;
}

/* -- bodies ---------------------------------------------------------------------------------------------- */

static void too_large(struct loki_call *c, size_t n, size_t most)
{
    loki_call_refuse(c, 413, "request body too large: %zu bytes, limit: %zu bytes\n", n, most);
}

/* The body without its Content-Encoding. False: answered. */
static bool plain_body(struct loki_call *c, struct buf *out, struct str *ret_body)
{
    struct str coding = http_req_header(c->r, "Content-Encoding"), body = http_req_body(c->r);
    enum err e = ERR_OK;
    *ret_body = body;
    if (body.n > PUSH_RECEIVED_BYTES_MAX) {
        too_large(c, body.n, PUSH_RECEIVED_BYTES_MAX);
        return false;
    }
    if (coding.n == 0 || str_eq_c(coding, "snappy")) {
        return true;
    }
    if (str_eq_c(coding, "gzip")) {
        e = decompress_bytes(COMPRESS_GZIP, body, c->api->push_body_bytes_max, out, &c->info);
    } else if (str_eq_c(coding, "deflate")) {
        e = decompress_bytes(COMPRESS_DEFLATE, body, c->api->push_body_bytes_max, out, &c->info);
    } else {
        loki_call_refuse(c, 400, "Content-Encoding \"%.*s\" not supported\n", STR_FMT(coding));
        return false;
    }
    if (e == ERR_LIMIT) {
        too_large(c, body.n, c->api->push_body_bytes_max);
        return false;
    }
    if (e) {
        loki_call_refuse(c, e == ERR_OOM ? 503 : 400, "%s\n",
                         e == ERR_OOM ? c->info.message : "gzip: invalid header");
        return false;
    }
    *ret_body = buf_view(out);
    return true;
}

/* Content-Type without its parameters. False: answered. */
static bool media_type(struct loki_call *c, bool *ret_json)
{
    struct str type = http_req_header(c->r, "Content-Type");
    struct str media = str_trim(str_cut(&type, ';'));
    if (media.n == 0) {
        loki_call_refuse(c, 400, "mime: no media type\n");
        return false;
    }
    *ret_json = str_ieq(media, STR("application/json"));
    return true;
}

static enum err decode(struct loki_call *c, struct str body, bool json, bool old, struct buf *raw,
                       struct wire_push *ret_push)
{
    if (json) {
        if (body.n == 0) {
            return err_set(&c->info, ERR_INVALID, "EOF");
        }
        return old ? decode_old_json(c, body, ret_push)
                   : loki_push_decode_json(c->a, body, ret_push, &c->info);
    }
    enum err e = decompress_bytes(COMPRESS_SNAPPY, body, c->api->push_body_bytes_max, raw, &c->info);
    if (e && e != ERR_LIMIT && e != ERR_OOM) {
        return err_set(&c->info, e, "snappy: corrupt input");
    }
    return e ? e : loki_push_decode_proto(c->a, buf_view(raw), ret_push, &c->info);
}

static void push_as(struct loki_call *c, bool old)
{
    struct buf unzipped AUTO_BUF = {.size_bytes_max = c->api->push_body_bytes_max + 1};
    struct buf raw AUTO_BUF = {.size_bytes_max = c->api->push_body_bytes_max + 1};
    struct str body;
    struct wire_push push = {0};
    struct push_outcome o = {0};
    bool json;
    if (!media_type(c, &json) || !plain_body(c, &unzipped, &body)) {
        return;
    }
    enum err e = decode(c, body, json, old, &raw, &push);
    if (e == ERR_LIMIT) {
        too_large(c, body.n, c->api->push_body_bytes_max);
        return;
    }
    if (e == ERR_INVALID || e == ERR_CORRUPT) {
        loki_call_refuse(c, 400, "%s\n", c->info.message);
        return;
    }
    e = e ? e : push_ingest_push(c->api->ingest, c->q.tenant, &push, c->a, &o);
    if (e) {
        loki_call_refuse(c, 503, "not enough memory for the request: try again later\n");
        return;
    }
    if (o.status == 204) {
        http_res_send(c->r, 204, NULL, STR(""));
        return;
    }
    loki_call_refuse(c, o.status, "%.*s\n", STR_FMT(o.text));
}

static void push(struct loki_call *c)
{
    push_as(c, false);
}

static void push_old(struct loki_call *c)
{
    push_as(c, true);
}

LOKI_ROUTE(push)
LOKI_ROUTE(push_old)

struct loki_routes loki_routes_push(void)
{
    static const struct http_route rows[] = {
        {"POST", "/loki/api/v1/push", push_route, HTTP_RAW_BODY, PUSH_RECEIVED_BYTES_MAX, "loki_api_v1_push"},
        {"POST", "/api/prom/push", push_old_route, HTTP_RAW_BODY, PUSH_RECEIVED_BYTES_MAX, "api_prom_push"},
    };
    return (struct loki_routes){rows, ARRAY_LEN(rows)};
}
