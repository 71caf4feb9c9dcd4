/* GET /federate: the newest sample of every selected series, as an exposition that another Prometheus
 * scrapes.
 *
 * Formats: text, and protobuf, which alone carries native histograms. */
#include <stdlib.h>

#include "api/prom/exposition_format.h"
#include "api/prom/prom_call.h"
#include "codec/num.h"
#include "codec/proto.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"
#include "metrics/scrape/scrape.h"

enum { /* io.prometheus.client.MetricType */
    TYPE_UNTYPED = 3,
    TYPE_HISTOGRAM = 4,
    TYPE_GAUGE_HISTOGRAM = 5
};

struct federate_sample {
    struct labels labels;
    struct str name;
    ts_ms ts;
    double value;
    const struct histogram *histogram;
};

struct federate {
    struct prom_call *c;
    struct exposition_format format;
    struct federate_sample *items;
    size_t n, cap;
    struct labels external; /* with an empty instance, unless there is one */
};

/* -- what is shown --------------------------------------------------------------------------------------- */

static enum err add_series(struct federate *f, const struct metric_batch *b, const struct metric_series *s,
                           ts_ms from, ts_ms to)
{
    for (uint32_t i = s->count; i-- > 0;) {
        ts_ms ts = b->ts[s->clock_first + i];
        const struct histogram *h = s->histograms ? s->histograms[i] : NULL;
        if (ts > to) {
            continue;
        }
        if (ts < from || is_stale_nan(h ? h->sum : s->values[i])) {
            return ERR_OK;
        }
        enum err e =
            arena_reserve(&f->c->query_arena, (void **)&f->items, &f->cap, f->n + 1, sizeof(*f->items));
        struct federate_sample *out = e ? NULL : &f->items[f->n];
        e = e ? e : labels_dup(&f->c->query_arena, s->labels, &out->labels);
        if (e) {
            return e;
        }
        out->name = labels_get(out->labels, LABEL_METRIC_NAME);
        out->ts = ts;
        out->value = h ? 0 : s->values[i];
        out->histogram = NULL;
        if (h) {
            void *place = arena_alloc(&f->c->query_arena, histogram_copy_bytes(h));
            out->histogram = place ? histogram_copy(h, place) : NULL;
            e = place ? ERR_OK : ERR_OOM;
        }
        f->n += !e && out->name.n > 0;
        return e;
    }
    return ERR_OK;
}

static enum err select_set(struct federate *f, const struct matcher *m, size_t n, ts_ms from, ts_ms to)
{
    struct metric_source *source = f->c->api->source;
    const struct metric_select sel = {.matchers = m, .matcher_count = n, .start_ms = from, .end_ms = to};
    struct metric_cursor *cursor;
    struct metric_batch batch;
    enum err e = source->ops->select(source, &f->c->q, &sel, &cursor, &f->c->info);
    if (e) {
        return e;
    }
    while ((e = source->ops->next(cursor, &batch, &f->c->info)) == ERR_OK) {
        for (uint32_t i = 0; i < batch.series_count && !e; i++) {
            e = add_series(f, &batch, &batch.series[i], from, to);
        }
        if (e) {
            break;
        }
    }
    source->ops->close(cursor);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static int by_name_then_labels(const void *a, const void *b)
{
    const struct federate_sample *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c ? c : labels_cmp(x->labels, y->labels);
}

/* Names as the reader can take them. */
static enum err escape_names(struct federate *f, struct labels *ls)
{
    bool change = false;
    for (size_t i = 0; i < ls->n; i++) {
        change |= !label_name_is_legacy(ls->l[i].name);
    }
    if (!change) {
        return ERR_OK;
    }
    struct label *l = arena_array(&f->c->query_arena, ls->n, sizeof(*l));
    for (size_t i = 0; l && i < ls->n; i++) {
        bool reserved = str_eq(ls->l[i].name, LABEL_METRIC_NAME);
        l[i] = ls->l[i];
        if (!reserved) {
            l[i].name = exposition_name(&f->c->query_arena, ls->l[i].name, f->format.escaping);
        }
        if (!l[i].name.p) {
            return ERR_OOM;
        }
    }
    ls->l = l;
    return l ? ERR_OK : ERR_OOM;
}

static enum err escape_all(struct federate *f)
{
    if (f->format.escaping == ESCAPE_NONE) {
        return ERR_OK;
    }
    enum err e = escape_names(f, &f->external);
    for (size_t i = 0; i < f->n && !e; i++) {
        f->items[i].name = exposition_name(&f->c->query_arena, f->items[i].name, f->format.escaping);
        e = f->items[i].name.p ? escape_names(f, &f->items[i].labels) : ERR_OOM;
    }
    return e;
}

static enum err gather(struct federate *f, const struct prom_selectors *s)
{
    int64_t lookback = f->c->api->promql.lookback_ms ? f->c->api->promql.lookback_ms : 5 * 60 * MS_PER_S;
    enum err e = ERR_OK;
    for (size_t i = 0; i < s->count && !e; i++) {
        if (s->sets[i].n) { /* {} selects nothing, as at the original */
            e = select_set(f, s->sets[i].m, s->sets[i].n, f->c->now - lookback, f->c->now);
        }
    }
    if (e || f->n < 2) {
        return e;
    }
    qsort(f->items, f->n, sizeof(*f->items), by_name_then_labels);
    size_t kept = 1;
    for (size_t i = 1; i < f->n; i++) { /* several selectors may find the same series */
        if (!labels_eq(f->items[i].labels, f->items[kept - 1].labels)) {
            f->items[kept++] = f->items[i];
        }
    }
    f->n = kept;
    return ERR_OK;
}

/* External labels fill what is missing; instance="" keeps the reader from adding its own. */
static enum err read_external(struct federate *f)
{
    struct prom_config *config = f->c->api->scrape ? scrape_manager_config(f->c->api->scrape) : NULL;
    struct labels own = config ? config->external_labels : (struct labels){0}, copy;
    enum err e = labels_dup(f->c->a, own, &copy);
    prom_config_unref(config);
    struct label *l = e ? NULL : arena_array(f->c->a, copy.n + 1, sizeof(*l));
    if (!l) {
        return e ? e : ERR_OOM;
    }
    size_t n = 0;
    bool instance = labels_get(copy, STR("instance")).n > 0;
    for (size_t i = 0; i < copy.n; i++) {
        if (!instance && str_cmp(copy.l[i].name, STR("instance")) > 0) {
            l[n++] = (struct label){STR("instance"), STR("")};
            instance = true;
        }
        l[n++] = copy.l[i];
    }
    if (!instance) {
        l[n++] = (struct label){STR("instance"), STR("")};
    }
    f->external = (struct labels){l, n};
    return ERR_OK;
}

/* -- text ------------------------------------------------------------------------------------------------ */

static void text_value(struct buf *b, struct str s)
{
    buf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        buf_c(b, c == '\\' ? "\\\\" : c == '"' ? "\\\"" : c == '\n' ? "\\n" : "");
        if (c != '\\' && c != '"' && c != '\n') {
            buf_char(b, c);
        }
    }
    buf_char(b, '"');
}

static void text_label(struct buf *b, bool *any, struct label l)
{
    buf_char(b, *any ? ',' : '{');
    *any = true;
    if (label_name_is_legacy(l.name)) {
        buf_str(b, l.name);
    } else {
        text_value(b, l.name);
    }
    buf_char(b, '=');
    text_value(b, l.value);
}

static void text_series(struct buf *b, const struct federate *f, const struct federate_sample *s,
                        struct str suffix, struct str le)
{
    bool any = false;
    if (metric_name_is_legacy(s->name)) {
        buf_str(b, s->name);
        buf_str(b, suffix);
    } else {
        struct str quoted = arena_printf(f->c->a, "%.*s%.*s", STR_FMT(s->name), STR_FMT(suffix));
        buf_char(b, '{');
        text_value(b, quoted);
        any = true;
    }
    for (size_t i = 0; i < s->labels.n; i++) {
        if (!str_eq(s->labels.l[i].name, LABEL_METRIC_NAME)) {
            text_label(b, &any, s->labels.l[i]);
        }
    }
    for (size_t i = 0; i < f->external.n; i++) {
        if (labels_get(s->labels, f->external.l[i].name).n == 0) {
            text_label(b, &any, f->external.l[i]);
        }
    }
    if (le.p) {
        text_label(b, &any, (struct label){STR("le"), le});
    }
    buf_c(b, any ? "} " : " ");
}

static void text_number(struct buf *b, double v)
{
    char out[NUM_F64_BYTES_MAX];
    buf_append(b, out, num_f64_format(out, v, 'g'));
}

static void text_end(struct buf *b, ts_ms ts)
{
    buf_char(b, ' ');
    buf_i64(b, ts);
    buf_char(b, '\n');
}

/* A histogram with custom buckets as the classic one it stands for. */
static void text_classic(struct buf *b, const struct federate *f, const struct federate_sample *s)
{
    const struct histogram *h = s->histogram;
    struct histogram_iter it = histogram_iter_all(h, false);
    struct histogram_bucket bucket;
    char le[NUM_F64_BYTES_MAX];
    double running = 0;
    while (histogram_iter_next(&it, &bucket)) {
        running += bucket.count;
        size_t n = num_f64_format(le, bucket.upper, 'g');
        text_series(b, f, s, STR("_bucket"), str_of(le, n));
        text_number(b, running);
        text_end(b, s->ts);
    }
    text_series(b, f, s, STR("_sum"), (struct str){0});
    text_number(b, h->sum);
    text_end(b, s->ts);
    text_series(b, f, s, STR("_count"), (struct str){0});
    text_number(b, h->count);
    text_end(b, s->ts);
}

static void write_text(struct buf *b, const struct federate *f)
{
    struct str last = {0};
    bool last_histogram = false;
    for (size_t i = 0; i < f->n; i++) {
        const struct federate_sample *s = &f->items[i];
        bool histogram = s->histogram != NULL;
        if (histogram && !histogram_custom(s->histogram)) {
            continue; /* only protobuf has native histograms */
        }
        if (!last.p || !str_eq(last, s->name) || last_histogram != histogram) {
            buf_c(b, "# TYPE ");
            if (metric_name_is_legacy(s->name)) {
                buf_str(b, s->name);
            } else {
                text_value(b, s->name);
            }
            buf_c(b, histogram ? " histogram\n" : " untyped\n");
        }
        last = s->name;
        last_histogram = histogram;
        if (histogram) {
            text_classic(b, f, s);
            continue;
        }
        text_series(b, f, s, STR(""), (struct str){0});
        text_number(b, s->value);
        text_end(b, s->ts);
    }
}

/* -- protobuf -------------------------------------------------------------------------------------------- */

static void proto_label(struct buf *b, struct label l)
{
    size_t mark = proto_nested_begin(b, 1);
    proto_write_bytes(b, 1, l.name);
    proto_write_bytes(b, 2, l.value);
    proto_nested_end(b, mark);
}

static void proto_side(struct buf *b, const struct histogram_span *spans, uint32_t span_count,
                       const double *counts, uint32_t n, uint32_t span_field, uint32_t count_field)
{
    for (uint32_t i = 0; i < span_count; i++) {
        size_t mark = proto_nested_begin(b, span_field);
        int32_t offset = spans[i].offset;
        proto_write_u64(b, 1, ((uint32_t)offset << 1) ^ (uint32_t)(offset >> 31));
        proto_write_u64(b, 2, spans[i].length);
        proto_nested_end(b, mark);
    }
    for (uint32_t i = 0; i < n; i++) {
        proto_write_f64(b, count_field, counts[i]);
    }
}

static void proto_native(struct buf *b, const struct histogram *h)
{
    int32_t schema = h->schema;
    proto_write_f64(b, 4, h->count);
    proto_write_f64(b, 2, h->sum);
    proto_write_u64(b, 5, ((uint32_t)schema << 1) ^ (uint32_t)(schema >> 31));
    proto_write_f64(b, 6, h->zero_threshold);
    proto_write_f64(b, 8, h->zero_count);
    proto_side(b, h->negative_spans, h->negative_span_count, h->negative, h->negative_count, 9, 11);
    proto_side(b, h->positive_spans, h->positive_span_count, h->positive, h->positive_count, 12, 14);
    if (h->positive_span_count == 0 && h->negative_span_count == 0 && h->zero_threshold == 0 &&
        h->zero_count == 0) {
        size_t mark = proto_nested_begin(b, 12); /* an empty span says that it is a native histogram */
        proto_write_u64(b, 1, 0);
        proto_write_u64(b, 2, 0);
        proto_nested_end(b, mark);
    }
}

static void proto_classic(struct buf *b, const struct histogram *h)
{
    struct histogram_iter it = histogram_iter_all(h, false);
    struct histogram_bucket bucket;
    double running = 0;
    proto_write_f64(b, 4, h->count);
    proto_write_f64(b, 2, h->sum);
    while (histogram_iter_next(&it, &bucket)) {
        running += bucket.count;
        size_t mark = proto_nested_begin(b, 3);
        proto_write_f64(b, 4, running); /* cumulative_count_float */
        proto_write_f64(b, 2, bucket.upper);
        proto_nested_end(b, mark);
    }
}

static void proto_metric(struct buf *b, const struct federate *f, const struct federate_sample *s)
{
    size_t metric = proto_nested_begin(b, 4);
    for (size_t i = 0; i < s->labels.n; i++) {
        if (!str_eq(s->labels.l[i].name, LABEL_METRIC_NAME)) {
            proto_label(b, s->labels.l[i]);
        }
    }
    for (size_t i = 0; i < f->external.n; i++) {
        if (labels_get(s->labels, f->external.l[i].name).n == 0) {
            proto_label(b, f->external.l[i]);
        }
    }
    size_t value = proto_nested_begin(b, s->histogram ? 7 : 5);
    if (!s->histogram) {
        proto_write_f64(b, 1, s->value);
    } else if (histogram_custom(s->histogram)) {
        proto_classic(b, s->histogram);
    } else {
        proto_native(b, s->histogram);
    }
    proto_nested_end(b, value);
    proto_write_u64(b, 6, (uint64_t)s->ts);
    proto_nested_end(b, metric);
}

static uint64_t proto_type(const struct federate_sample *s)
{
    return !s->histogram                              ? TYPE_UNTYPED
           : s->histogram->reset_hint == HRESET_GAUGE ? TYPE_GAUGE_HISTOGRAM
                                                      : TYPE_HISTOGRAM;
}

static void write_proto(struct buf *b, const struct federate *f)
{
    for (size_t i = 0; i < f->n;) {
        struct buf family AUTO_BUF = {0};
        uint64_t type = proto_type(&f->items[i]);
        proto_write_bytes(&family, 1, f->items[i].name);
        proto_write_u64(&family, 3, type);
        size_t from = i;
        while (i < f->n && str_eq(f->items[i].name, f->items[from].name) &&
               proto_type(&f->items[i]) == type) {
            proto_metric(&family, f, &f->items[i++]);
        }
        write_varint(b, family.n);
        buf_str(b, buf_view(&family));
        b->err = b->err ? b->err : family.err;
    }
}

/* -- the endpoint ---------------------------------------------------------------------------------------- */

static void plain_error(struct prom_call *c, int status)
{
    buf_reset(&c->out);
    buf_printf(&c->out, "%s\n", c->info.message[0] ? c->info.message : "the query failed");
    http_res_header(c->r, "X-Content-Type-Options", STR("nosniff"));
    http_res_send_buf(c->r, status, "text/plain; charset=utf-8", &c->out);
}

/* Every match[], without the JSON of param_selectors. The caller ends them. */
static enum err read_selectors(struct prom_call *c, struct prom_selectors *s)
{
    struct str texts[SELECTORS_MAX];
    size_t n = http_req_params(c->r, "match[]", texts, SELECTORS_MAX);
    enum err e = ERR_OK;
    for (size_t i = 0; i < n && !e; i++) {
        e = promql_selector(texts[i], c->a, &s->sets[i].m, &s->sets[i].n, &c->info);
        s->count += !e;
    }
    return e;
}

static void federate(struct prom_call *c)
{
    struct prom_selectors s = {0};
    struct federate f = {.c = c, .format = exposition_negotiate(http_req_header(c->r, "Accept"))};
    enum err e = read_selectors(c, &s);
    if (e) {
        plain_error(c, e == ERR_INVALID ? 400 : 500);
        prom_selectors_done(&s);
        return;
    }
    e = read_external(&f);
    e = e ? e : gather(&f, &s);
    e = e ? e : escape_all(&f);
    prom_selectors_done(&s);
    if (e) {
        atomic_fetch_add_explicit(&c->api->federation_errors, 1, memory_order_relaxed);
        plain_error(c, 500);
        return;
    }
    if (f.format.protobuf) {
        write_proto(&c->out, &f);
    } else {
        write_text(&c->out, &f);
    }
    http_res_send_buf(c->r, 200, exposition_content_type(f.format), &c->out);
}

PROM_ROUTE(federate)

struct prom_routes prom_routes_federate(void)
{
    static const struct http_route rows[] = {
        {"GET", "/federate", federate_route, 0, 0, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
