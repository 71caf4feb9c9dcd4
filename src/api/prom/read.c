/* POST /api/v1/read: remote read, as samples or as streamed chunks. */
#include <stdlib.h>

#include "api/prom/prom_call.h"
#include "base/mem.h"
#include "codec/compress.h"
#include "codec/crc32c.h"
#include "codec/prom_chunk.h"
#include "codec/proto.h"
#include "codec/remote_read.h"
#include "metrics/ingest/wire_histogram.h"
#include "metrics/scrape/scrape.h"

enum {
    READ_BODY_BYTES_MAX = 32 << 20,
    FRAME_BYTES_MAX = 1 << 20 /* --storage.remote.read-max-bytes-in-frame */
};

/* One series of an answer: the query's part of its samples. */
struct read_series {
    struct labels labels; /* with external labels */
    struct wire_series wire;
};

struct read_result {
    struct read_series *items;
    size_t n, cap;
};

struct reader_call {
    struct prom_call *c;
    struct arena *a; /* the query's memory */
    struct labels external;
    uint64_t samples;
};

static void refuse(struct prom_call *c, int status, const char *text)
{
    buf_reset(&c->out);
    buf_printf(&c->out, "%s\n", text);
    http_res_header(c->r, "X-Content-Type-Options", STR("nosniff"));
    http_res_send_buf(c->r, status, "text/plain; charset=utf-8", &c->out);
}

/* -- selecting ------------------------------------------------------------------------------------------- */

/* Stored labels win over external ones. */
static enum err merged_labels(struct reader_call *r, struct labels own, struct read_series *s)
{
    struct label *l = arena_array(r->a, own.n + r->external.n + 1, sizeof(*l));
    struct wire_label *w = arena_array(r->a, own.n + r->external.n + 1, sizeof(*w));
    struct labels copy;
    enum err e = l && w ? labels_dup(r->a, own, &copy) : ERR_OOM;
    size_t n = 0;
    if (e) {
        return e;
    }
    for (size_t i = 0; i < copy.n; i++) {
        l[n++] = copy.l[i];
    }
    for (size_t i = 0; i < r->external.n; i++) {
        if (labels_get(own, r->external.l[i].name).n == 0) {
            l[n++] = r->external.l[i];
        }
    }
    e = labels_normalise(l, &n, NULL);
    for (size_t i = 0; i < n; i++) {
        w[i] = (struct wire_label){l[i].name, l[i].value};
    }
    s->labels = (struct labels){l, n};
    s->wire.labels = w;
    s->wire.label_count = n;
    return e;
}

static enum err add_samples(struct reader_call *r, const struct metric_batch *b,
                            const struct metric_series *in, const struct read_query *q, struct read_series *s)
{
    struct wire_sample *samples = arena_array(r->a, in->count + 1, sizeof(*samples));
    struct wire_histogram *histograms =
        in->histograms ? arena_array(r->a, in->count + 1, sizeof(*histograms)) : NULL;
    enum err e = samples && (histograms || !in->histograms) ? ERR_OK : ERR_OOM;
    for (uint32_t i = 0; i < in->count && !e; i++) {
        ts_ms ts = b->ts[in->clock_first + i];
        const struct histogram *h = in->histograms ? in->histograms[i] : NULL;
        if (ts < q->start_ms || ts > q->end_ms) {
            continue;
        }
        if (r->c->api->query_samples_max && ++r->samples > r->c->api->query_samples_max) {
            return err_set(&r->c->info, ERR_LIMIT, "exceeded sample limit (%llu)",
                           (unsigned long long)r->c->api->query_samples_max);
        }
        if (h) {
            e = histogram_to_wire(r->a, h, ts, &histograms[s->wire.histogram_count++]);
        } else {
            samples[s->wire.sample_count++] = (struct wire_sample){.value = in->values[i], .ts = ts};
        }
    }
    s->wire.samples = samples;
    s->wire.histograms = histograms;
    return e;
}

static enum err add_series(struct reader_call *r, const struct metric_batch *b,
                           const struct metric_series *in, const struct read_query *q,
                           struct read_result *out)
{
    struct read_series s = {0};
    enum err e = add_samples(r, b, in, q, &s);
    if (e || s.wire.sample_count + s.wire.histogram_count == 0) {
        return e;
    }
    e = merged_labels(r, in->labels, &s);
    e = e ? e : arena_reserve(r->a, (void **)&out->items, &out->cap, out->n + 1, sizeof(*out->items));
    if (!e) {
        out->items[out->n++] = s;
    }
    return e;
}

static int by_labels(const void *a, const void *b)
{
    return labels_cmp(((const struct read_series *)a)->labels, ((const struct read_series *)b)->labels);
}

static enum err select_series(struct reader_call *r, const struct read_query *q, const struct matcher *m,
                              size_t n, struct read_result *out)
{
    struct metric_source *source = r->c->api->source;
    const struct metric_select sel = {
        .matchers = m, .matcher_count = n, .start_ms = q->start_ms, .end_ms = q->end_ms};
    struct metric_cursor *cursor;
    struct metric_batch batch;
    enum err e = source->ops->select(source, &r->c->q, &sel, &cursor, &r->c->info);
    if (e) {
        return e;
    }
    while ((e = source->ops->next(cursor, &batch, &r->c->info)) == ERR_OK) {
        for (uint32_t i = 0; i < batch.series_count && !e; i++) {
            e = add_series(r, &batch, &batch.series[i], q, out);
        }
        if (e) {
            break;
        }
    }
    source->ops->close(cursor);
    e = e == ERR_NOT_FOUND ? ERR_OK : e;
    if (!e && out->n > 1) {
        qsort(out->items, out->n, sizeof(*out->items), by_labels);
    }
    return e;
}

/* An external label asked for with its value is not stored: the series must lack it. */
static struct str stored_value(const struct reader_call *r, const struct read_matcher *m)
{
    struct str external = labels_get(r->external, m->name);
    return m->type == 0 && external.n && str_eq(external, m->value) ? STR("") : m->value;
}

static enum err run_query(struct reader_call *r, const struct read_query *q, struct read_result *out)
{
    static const enum matcher_op ops[] = {MATCH_EQ, MATCH_NEQ, MATCH_RE, MATCH_NRE};
    struct matcher *m = arena_array(r->a, q->matcher_count + 1, sizeof(*m));
    size_t n = 0;
    enum err e = m ? ERR_OK : ERR_OOM;
    for (size_t i = 0; i < q->matcher_count && !e; i++) {
        const struct read_matcher *in = &q->matchers[i];
        e = matcher_init(&m[n], ops[in->type], in->name, stored_value(r, in), &r->c->info);
        n += !e;
    }
    e = e ? e : select_series(r, q, m, n, out);
    for (size_t i = 0; i < n; i++) {
        matcher_done(&m[i]);
    }
    return e;
}

/* -- samples --------------------------------------------------------------------------------------------- */

static enum err encode_samples(struct reader_call *r, const struct read_request *request, struct buf *body)
{
    struct buf plain AUTO_BUF = {0};
    enum err e = ERR_OK;
    for (size_t i = 0; i < request->query_count && !e; i++) {
        struct read_result result = {0};
        e = run_query(r, &request->queries[i], &result);
        size_t mark = proto_nested_begin(&plain, 1);
        for (size_t k = 0; k < result.n && !e; k++) {
            remote_read_series(&plain, 1, &result.items[k].wire);
        }
        proto_nested_end(&plain, mark);
    }
    e = e ? e : plain.err;
    return e ? e : compress_bytes(COMPRESS_SNAPPY, 0, buf_view(&plain), body);
}

static void fail(struct prom_call *c, enum err e)
{
    bool theirs = e == ERR_LIMIT || e == ERR_INVALID;
    refuse(c, theirs ? 400 : 500, c->info.message[0] ? c->info.message : err_text(e));
}

static void send_samples(struct reader_call *r, const struct read_request *request)
{
    struct buf body AUTO_BUF = {0};
    enum err e = encode_samples(r, request, &body);
    if (e) {
        fail(r->c, e);
        return;
    }
    http_res_header(r->c->r, "Content-Encoding", STR("snappy"));
    http_res_send_buf(r->c->r, 200, "application/x-protobuf", &body);
}

/* -- chunks ---------------------------------------------------------------------------------------------- */

static void write_chunk(struct buf *series, ts_ms min, ts_ms max, enum prom_chunk_encoding encoding,
                        struct str data)
{
    size_t mark = proto_nested_begin(series, 2);
    proto_write_u64(series, 1, (uint64_t)min);
    proto_write_u64(series, 2, (uint64_t)max);
    proto_write_u64(series, 3, (uint64_t)encoding);
    proto_write_bytes(series, 4, data);
    proto_nested_end(series, mark);
}

/* A frame: length, checksum, ChunkedReadResponse with one series (or a part of it). */
static enum err send_frame(struct prom_call *c, const struct buf *series, size_t query)
{
    struct buf message AUTO_BUF = {0}, head AUTO_BUF = {0};
    proto_write_bytes(&message, 1, buf_view(series));
    if (query) {
        proto_write_u64(&message, 2, query);
    }
    uint32_t crc = crc32c(0, message.p, message.n);
    write_varint(&head, message.n);
    for (int shift = 24; shift >= 0; shift -= 8) {
        buf_char(&head, (char)(unsigned char)(crc >> shift));
    }
    enum err e = series->err ? series->err : message.err ? message.err : head.err;
    e = e ? e : http_res_write(c->r, head.p, head.n);
    return e ? e : http_res_write(c->r, message.p, message.n);
}

struct stream {
    struct prom_call *c;
    size_t query;
    const struct wire_series *s;
    struct buf series, chunk;
};

static void begin_part(struct stream *out)
{
    buf_reset(&out->series);
    remote_read_labels(&out->series, out->s->labels, out->s->label_count);
}

static enum err end_chunk(struct stream *out, ts_ms min, ts_ms max, enum prom_chunk_encoding encoding,
                          bool last)
{
    write_chunk(&out->series, min, max, encoding, buf_view(&out->chunk));
    enum err e = out->chunk.err;
    buf_reset(&out->chunk);
    if (!e && (last || out->series.n >= FRAME_BYTES_MAX)) {
        e = send_frame(out->c, &out->series, out->query);
        begin_part(out);
    }
    return e;
}

/* The next chunk of floats: up to where a histogram stands between, or the chunk is full. */
static enum err float_chunk(struct stream *out, size_t *at, ts_ms until, size_t histograms_left)
{
    ts_ms ts[PROM_CHUNK_SAMPLES_MAX];
    double values[PROM_CHUNK_SAMPLES_MAX];
    size_t n = 0;
    while (*at < out->s->sample_count && n < PROM_CHUNK_SAMPLES_MAX && out->s->samples[*at].ts < until) {
        ts[n] = out->s->samples[*at].ts;
        values[n++] = out->s->samples[(*at)++].value;
    }
    prom_chunk_xor(&out->chunk, ts, values, n);
    return end_chunk(out, ts[0], ts[n - 1], PROM_CHUNK_XOR,
                     *at == out->s->sample_count && histograms_left == 0);
}

static enum err stream_series(struct stream *out)
{
    const struct wire_series *s = out->s;
    size_t f = 0, h = 0;
    enum err e = ERR_OK;
    begin_part(out);
    while (!e && (f < s->sample_count || h < s->histogram_count)) {
        ts_ms next = h < s->histogram_count ? s->histograms[h].ts : INT64_MAX;
        if (f < s->sample_count && s->samples[f].ts < next) {
            e = float_chunk(out, &f, next, s->histogram_count - h);
            continue;
        }
        const struct wire_histogram *one = &s->histograms[h++];
        prom_chunk_histogram(&out->chunk, one);
        e = end_chunk(out, one->ts, one->ts,
                      one->is_float ? PROM_CHUNK_FLOAT_HISTOGRAM : PROM_CHUNK_HISTOGRAM,
                      f == s->sample_count && h == s->histogram_count);
    }
    return e;
}

static void send_chunks(struct reader_call *r, const struct read_request *request)
{
    struct read_result *results = arena_zarray(r->a, request->query_count + 1, sizeof(*results));
    enum err e = results ? ERR_OK : ERR_OOM;
    for (size_t i = 0; i < request->query_count && !e; i++) {
        e = run_query(r, &request->queries[i], &results[i]);
    }
    if (e) {
        fail(r->c, e);
        return;
    }
    e = http_res_begin(r->c->r, 200, "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse");
    struct stream out = {.c = r->c};
    for (size_t i = 0; i < request->query_count && !e; i++) {
        for (size_t k = 0; k < results[i].n && !e; k++) {
            out.query = i;
            out.s = &results[i].items[k].wire;
            e = stream_series(&out);
        }
    }
    buf_done(&out.series);
    buf_done(&out.chunk);
    http_res_end(r->c->r);
}

/* -- the endpoint ---------------------------------------------------------------------------------------- */

static void answer(struct prom_call *c)
{
    struct buf body AUTO_BUF = {.size_bytes_max = READ_BODY_BYTES_MAX};
    struct reader_call r = {.c = c, .a = &c->query_arena};
    struct read_request request = {0};
    struct prom_config *config = c->api->scrape ? scrape_manager_config(c->api->scrape) : NULL;
    enum err e = config ? labels_dup(c->a, config->external_labels, &r.external) : ERR_OK;
    prom_config_unref(config);
    e = e ? e : decompress_bytes(COMPRESS_SNAPPY, http_req_body(c->r), READ_BODY_BYTES_MAX, &body, &c->info);
    e = e ? e : remote_read_decode(c->a, buf_view(&body), &request, &c->info);
    if (e) {
        refuse(c, e == ERR_OOM ? 500 : 400, c->info.message[0] ? c->info.message : err_text(e));
    } else if (request.response == READ_STREAMED_CHUNKS) {
        send_chunks(&r, &request);
    } else {
        send_samples(&r, &request);
    }
}

static void read(struct prom_call *c)
{
    atomic_fetch_add(&c->api->reads_running, 1);
    answer(c);
    atomic_fetch_sub(&c->api->reads_running, 1);
}

PROM_ROUTE(read)

struct prom_routes prom_routes_read(void)
{
    static const struct http_route rows[] = {
        {"POST", "/api/v1/read", read_route, HTTP_RAW_BODY, READ_BODY_BYTES_MAX, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
