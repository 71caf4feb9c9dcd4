/* Prometheus' protobuf exposition: length-delimited io.prometheus.client.MetricFamily messages.
 *
 * A family is taken apart at once into the events the text formats give, so that a scrape treats all formats
 * alike: `raw` is the series in text form. The message is proto2; unknown fields are skipped. */
#include <math.h>

#include "codec/exposition_int.h"
#include "codec/num.h"
#include "codec/proto.h"

enum metric_type {
    METRIC_COUNTER = 0,
    METRIC_GAUGE,
    METRIC_SUMMARY,
    METRIC_UNTYPED,
    METRIC_HISTOGRAM,
    METRIC_GAUGE_HISTOGRAM,
    METRIC_TYPE_COUNT
};

static const char *const type_names[METRIC_TYPE_COUNT] = {"counter", "gauge",     "summary",
                                                          "unknown", "histogram", "gaugehistogram"};

enum {
    CLASSIC_BUCKETS_MAX = 100000
};

struct exposition_pending {
    enum exposition_event event;
    struct exposition_item item;
};

struct family {
    struct exposition_parser *p;
    struct arena *a;
    struct err_info *info;
    struct str name;
    enum metric_type type;
    size_t cap; /* of p->pending */
    /* of the metric at hand */
    struct str labels; /* a="b",c="d" in text form */
    bool has_ts;
    ts_ms ts;
};

static enum err malformed(const struct family *f, const char *what)
{
    return err_set(f->info, ERR_INVALID, "malformed protobuf exposition: bad %s in metric family \"%.*s\"",
                   what, STR_FMT(f->name));
}

static enum err no_memory(const struct family *f)
{
    return err_set(f->info, arena_err(f->a) ? arena_err(f->a) : ERR_OOM, "out of memory");
}

static enum err push(struct family *f, enum exposition_event event, const struct exposition_item *item)
{
    struct exposition_parser *p = f->p;
    if (arena_reserve(f->a, (void **)&p->pending, &f->cap, p->pending_count + 1, sizeof(*p->pending))) {
        return no_memory(f);
    }
    p->pending[p->pending_count++] = (struct exposition_pending){event, *item};
    return ERR_OK;
}

/* -- text forms ------------------------------------------------------------------------------------------ */

static void quote(struct buf *b, struct str s)
{
    buf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\\' || c == '"') {
            buf_char(b, '\\');
        }
        if (c == '\n') {
            buf_c(b, "\\n");
        } else {
            buf_char(b, c);
        }
    }
    buf_char(b, '"');
}

static bool plain_name(struct str s, bool colons)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (colons && c == ':');
        if (!letter && !(i && c >= '0' && c <= '9')) {
            return false;
        }
    }
    return s.n > 0;
}

/* Appends name="value" of a LabelPair. False: malformed. */
static bool add_label(struct buf *b, struct str message)
{
    struct reader r = reader_of(message);
    struct proto_field f;
    struct str name = {0}, value = {0};
    while (proto_next(&r, &f)) {
        if (f.number == 1 && f.wire == PROTO_BYTES) {
            name = f.bytes;
        } else if (f.number == 2 && f.wire == PROTO_BYTES) {
            value = f.bytes;
        }
    }
    if (r.bad || !str_utf8_valid(name) || !str_utf8_valid(value)) {
        return false;
    }
    buf_c(b, b->n ? "," : "");
    if (plain_name(name, false)) {
        buf_str(b, name);
    } else {
        quote(b, name);
    }
    buf_char(b, '=');
    quote(b, value);
    return true;
}

/* The series as text: name + suffix, the metric's labels, and one more (number as OpenMetrics writes it). */
static struct str series_text(const struct family *f, const char *suffix, const char *extra, double number)
{
    struct buf b AUTO_BUF = {0};
    bool plain = plain_name(f->name, true), any = false, braces = !plain || f->labels.n || extra;
    if (plain) {
        buf_str(&b, f->name);
        buf_c(&b, suffix);
    }
    buf_c(&b, braces ? "{" : "");
    if (!plain) {
        struct str name = arena_printf(f->a, "%.*s%s", STR_FMT(f->name), suffix);
        quote(&b, name);
        any = true;
    }
    if (f->labels.n) {
        buf_c(&b, any ? "," : "");
        buf_str(&b, f->labels);
        any = true;
    }
    if (extra) {
        char text[NUM_F64_BYTES_MAX];
        size_t n = num_f64_format(text, number, 'g');
        buf_printf(&b, "%s%s=\"%.*s", any ? "," : "", extra, (int)n, text);
        bool whole = true;
        for (size_t i = 0; i < n; i++) {
            whole &= (text[i] >= '0' && text[i] <= '9') || text[i] == '-';
        }
        buf_c(&b, whole ? ".0\"" : "\"");
    }
    buf_c(&b, braces ? "}" : "");
    return b.err ? (struct str){0} : arena_str(f->a, buf_view(&b));
}

/* -- exemplars ------------------------------------------------------------------------------------------- */

static bool read_time(struct str message, ts_ms *ret_ts)
{
    struct reader r = reader_of(message);
    struct proto_field f;
    int64_t seconds = 0, nanos = 0;
    while (proto_next(&r, &f)) {
        if (f.number == 1) {
            seconds = (int64_t)f.num;
        } else if (f.number == 2) {
            nanos = (int64_t)f.num;
        }
    }
    if (r.bad || seconds > INT64_MAX / 1000 || seconds < INT64_MIN / 1000 || nanos < 0 || nanos > 999999999) {
        return false;
    }
    *ret_ts = seconds * 1000 + nanos / 1000000;
    return true;
}

static enum err read_exemplar(const struct family *f, struct str message, struct exposition_item *item)
{
    struct reader r = reader_of(message);
    struct proto_field field;
    struct buf b AUTO_BUF = {0};
    while (proto_next(&r, &field)) {
        bool ok = true;
        if (field.number == 1 && field.wire == PROTO_BYTES) {
            ok = add_label(&b, field.bytes);
        } else if (field.number == 2) {
            item->exemplar_value = proto_f64(&field);
        } else if (field.number == 3 && field.wire == PROTO_BYTES) {
            ok = read_time(field.bytes, &item->exemplar_ts);
            item->exemplar_has_ts = true;
        }
        if (!ok) {
            return malformed(f, "exemplar");
        }
    }
    item->exemplar_raw = arena_printf(f->a, "{%.*s}", STR_FMT(buf_view(&b)));
    item->has_exemplar = true;
    return r.bad ? malformed(f, "exemplar") : !item->exemplar_raw.p ? no_memory(f) : ERR_OK;
}

/* -- samples --------------------------------------------------------------------------------------------- */

static enum err push_sample(struct family *f, const char *suffix, const char *extra, double number,
                            double value, struct str exemplar)
{
    struct exposition_item item = {
        .raw = series_text(f, suffix, extra, number), .value = value, .has_ts = f->has_ts, .ts = f->ts};
    if (!item.raw.p) {
        return no_memory(f);
    }
    enum err e = exemplar.p ? read_exemplar(f, exemplar, &item) : ERR_OK;
    return e ? e : push(f, EXPOSITION_SAMPLE, &item);
}

/* Counter, gauge, untyped: value 1; a counter's exemplar 2. */
static enum err read_simple(struct family *f, struct str message, bool counter)
{
    struct reader r = reader_of(message);
    struct proto_field field;
    struct str exemplar = {0};
    double value = 0;
    while (proto_next(&r, &field)) {
        if (field.number == 1) {
            value = proto_f64(&field);
        } else if (field.number == 2 && counter && field.wire == PROTO_BYTES) {
            exemplar = field.bytes;
        }
    }
    return r.bad ? malformed(f, "value") : push_sample(f, "", NULL, 0, value, exemplar);
}

static bool read_pair(struct str message, double *first, double *second)
{
    struct reader r = reader_of(message);
    struct proto_field f;
    while (proto_next(&r, &f)) {
        if (f.number == 1) {
            *first = proto_f64(&f);
        } else if (f.number == 2) {
            *second = proto_f64(&f);
        }
    }
    return !r.bad;
}

/* Count and sum come before the quantiles, as Prometheus reads them. */
static enum err read_summary(struct family *f, struct str message)
{
    struct reader r = reader_of(message);
    struct proto_field field;
    double count = 0, sum = 0;
    while (proto_next(&r, &field)) {
        count = field.number == 1 ? (double)field.num : count;
        sum = field.number == 2 ? proto_f64(&field) : sum;
    }
    enum err e = r.bad ? malformed(f, "summary") : push_sample(f, "_count", NULL, 0, count, (struct str){0});
    e = e ? e : push_sample(f, "_sum", NULL, 0, sum, (struct str){0});
    r = reader_of(message);
    while (!e && proto_next(&r, &field)) {
        double quantile = 0, value = 0;
        if (field.number == 3 && field.wire == PROTO_BYTES) {
            e = read_pair(field.bytes, &quantile, &value)
                    ? push_sample(f, "", "quantile", quantile, value, (struct str){0})
                    : malformed(f, "quantile");
        }
    }
    return e;
}

/* -- histograms ------------------------------------------------------------------------------------------ */

struct doubles {
    double *items;
    size_t n, cap;
};

struct deltas {
    int64_t *items;
    size_t n, cap;
};

struct spans {
    struct wire_span *items;
    size_t n, cap;
};

struct raw_histogram {
    struct wire_histogram h;
    struct spans positive_spans, negative_spans;
    struct deltas positive_deltas, negative_deltas;
    struct doubles positive_counts, negative_counts;
    size_t buckets;      /* classic ones */
    struct str exemplar; /* the last of the native ones */
};

static bool push_span(const struct family *f, struct spans *s, struct str message)
{
    struct reader r = reader_of(message);
    struct proto_field field;
    struct wire_span span = {0};
    while (proto_next(&r, &field)) {
        if (field.number == 1) {
            span.offset = (int32_t)zigzag_decode(field.num);
        } else if (field.number == 2) {
            span.length = (uint32_t)field.num;
        }
    }
    if (r.bad || arena_reserve(f->a, (void **)&s->items, &s->cap, s->n + 1, sizeof(*s->items))) {
        return false;
    }
    s->items[s->n++] = span;
    return true;
}

static bool push_deltas(const struct family *f, struct deltas *d, const struct proto_field *field)
{
    struct reader r = proto_packed(field);
    bool one = field->wire == PROTO_VARINT;
    size_t more = one ? 1 : reader_left(&r);
    if (arena_reserve(f->a, (void **)&d->items, &d->cap, d->n + more, sizeof(*d->items))) {
        return false;
    }
    if (one) {
        d->items[d->n++] = zigzag_decode(field->num);
    }
    while (!one && reader_left(&r)) {
        d->items[d->n++] = read_zigzag(&r);
    }
    return one || !r.bad;
}

static bool push_doubles(const struct family *f, struct doubles *d, const struct proto_field *field)
{
    struct reader r = proto_packed(field);
    bool one = field->wire == PROTO_I64;
    size_t more = one ? 1 : reader_left(&r) / 8;
    if (arena_reserve(f->a, (void **)&d->items, &d->cap, d->n + more, sizeof(*d->items))) {
        return false;
    }
    for (size_t i = 0; i < more; i++) {
        struct proto_field value = {.num = one ? field->num : read_u64(&r)};
        d->items[d->n++] = proto_f64(&value);
    }
    return one || reader_left(&r) == 0;
}

static bool read_bucket_field(const struct family *f, struct raw_histogram *h,
                              const struct proto_field *field)
{
    switch (field->number) {
    case 9:
        return field->wire == PROTO_BYTES && push_span(f, &h->negative_spans, field->bytes);
    case 10:
        return push_deltas(f, &h->negative_deltas, field);
    case 11:
        return push_doubles(f, &h->negative_counts, field);
    case 12:
        return field->wire == PROTO_BYTES && push_span(f, &h->positive_spans, field->bytes);
    case 13:
        return push_deltas(f, &h->positive_deltas, field);
    case 14:
        return push_doubles(f, &h->positive_counts, field);
    default:
        return true;
    }
}

static bool read_histogram_field(const struct family *f, struct raw_histogram *h,
                                 const struct proto_field *field)
{
    switch (field->number) {
    case 1:
        h->h.count_int = field->num;
        return true;
    case 2:
        h->h.sum = proto_f64(field);
        return true;
    case 3:
        h->buckets++;
        return field->wire == PROTO_BYTES;
    case 4:
        h->h.count_float = proto_f64(field);
        h->h.is_float |= h->h.count_float > 0;
        return true;
    case 5:
        h->h.schema = (int32_t)zigzag_decode(field->num);
        return true;
    case 6:
        h->h.zero_threshold = proto_f64(field);
        return true;
    case 7:
        h->h.zero_count_int = field->num;
        return true;
    case 8:
        h->h.zero_count_float = proto_f64(field);
        h->h.is_float |= h->h.zero_count_float > 0;
        return true;
    case 16:
        h->exemplar = field->wire == PROTO_BYTES ? field->bytes : h->exemplar;
        return true;
    default:
        return read_bucket_field(f, h, field);
    }
}

static void settle_histogram(struct raw_histogram *h)
{
    struct wire_histogram *w = &h->h;
    w->positive_spans = h->positive_spans.items;
    w->positive_span_count = h->positive_spans.n;
    w->negative_spans = h->negative_spans.items;
    w->negative_span_count = h->negative_spans.n;
    /* One empty span only says that the histogram is a native one. */
    if (w->positive_span_count == 1 && w->positive_spans[0].offset == 0 && w->positive_spans[0].length == 0) {
        w->positive_span_count = 0;
    }
    w->positive_deltas = h->positive_deltas.items;
    w->negative_deltas = h->negative_deltas.items;
    w->positive_counts = h->positive_counts.items;
    w->negative_counts = h->negative_counts.items;
    w->positive_count = w->is_float ? h->positive_counts.n : h->positive_deltas.n;
    w->negative_count = w->is_float ? h->negative_counts.n : h->negative_deltas.n;
}

static bool is_native(const struct raw_histogram *h)
{
    return h->positive_spans.n || h->negative_spans.n || h->h.zero_threshold > 0 || h->h.zero_count_int > 0 ||
           h->h.zero_count_float > 0;
}

static enum err push_native(struct family *f, const struct raw_histogram *raw)
{
    struct wire_histogram *copy = arena_alloc(f->a, sizeof(*copy));
    struct exposition_item item = {
        .raw = series_text(f, "", NULL, 0), .has_ts = f->has_ts, .ts = f->ts, .histogram = copy};
    if (!copy || !item.raw.p) {
        return no_memory(f);
    }
    *copy = raw->h;
    copy->reset_hint = f->type == METRIC_GAUGE_HISTOGRAM ? 3 : 0;
    enum err e = raw->exemplar.p ? read_exemplar(f, raw->exemplar, &item) : ERR_OK;
    item.has_exemplar &= item.exemplar_has_ts; /* a native histogram's exemplar needs a time of its own */
    return e ? e : push(f, EXPOSITION_SAMPLE, &item);
}

/* Bucket: cumulative_count 1, upper_bound 2, exemplar 3, cumulative_count_float 4. */
static enum err push_bucket(struct family *f, struct str message, bool *infinite)
{
    struct reader r = reader_of(message);
    struct proto_field field;
    struct str exemplar = {0};
    double count = 0, bound = 0;
    while (proto_next(&r, &field)) {
        if (field.number == 1) {
            count = (double)field.num;
        } else if (field.number == 2) {
            bound = proto_f64(&field);
        } else if (field.number == 3 && field.wire == PROTO_BYTES) {
            exemplar = field.bytes;
        } else if (field.number == 4) {
            count = proto_f64(&field) > 0 ? proto_f64(&field) : count;
        }
    }
    *infinite |= isinf(bound) && bound > 0;
    return r.bad ? malformed(f, "bucket") : push_sample(f, "_bucket", "le", bound, count, exemplar);
}

static enum err push_classic(struct family *f, const struct raw_histogram *h, struct str message)
{
    struct reader r = reader_of(message);
    struct proto_field field;
    double count = h->h.is_float ? h->h.count_float : (double)h->h.count_int;
    bool infinite = false;
    enum err e = push_sample(f, "_count", NULL, 0, count, (struct str){0});
    e = e ? e : push_sample(f, "_sum", NULL, 0, h->h.sum, (struct str){0});
    while (!e && proto_next(&r, &field)) {
        if (field.number == 3) {
            e = push_bucket(f, field.bytes, &infinite);
        }
    }
    return e || infinite ? e : push_sample(f, "_bucket", "le", (double)INFINITY, count, (struct str){0});
}

static enum err read_histogram(struct family *f, struct str message)
{
    struct raw_histogram h = {0};
    struct reader r = reader_of(message);
    struct proto_field field;
    while (proto_next(&r, &field)) {
        if (!read_histogram_field(f, &h, &field)) {
            return arena_err(f->a) ? no_memory(f) : malformed(f, "histogram");
        }
    }
    if (r.bad || h.buckets > CLASSIC_BUCKETS_MAX) {
        return malformed(f, "histogram");
    }
    settle_histogram(&h);
    bool native = f->p->native && is_native(&h);
    enum err e = native ? push_native(f, &h) : ERR_OK;
    return e || (native && !(f->p->classic && h.buckets)) ? e : push_classic(f, &h, message);
}

/* -- metrics and families -------------------------------------------------------------------------------- */

/* Labels and time first: their fields may stand behind the values. */
static enum err read_metric_head(struct family *f, struct str message)
{
    struct reader r = reader_of(message);
    struct proto_field field;
    struct buf b AUTO_BUF = {0};
    f->has_ts = false;
    while (proto_next(&r, &field)) {
        if (field.number == 1 && (field.wire != PROTO_BYTES || !add_label(&b, field.bytes))) {
            return malformed(f, "label");
        }
        if (field.number == 6) {
            f->ts = (ts_ms)field.num;
            f->has_ts = field.num != 0;
        }
    }
    f->labels = b.err ? (struct str){0} : arena_str(f->a, buf_view(&b));
    return r.bad ? malformed(f, "metric") : !f->labels.p ? no_memory(f) : ERR_OK;
}

static enum err read_metric(struct family *f, struct str message)
{
    static const uint32_t value_field[METRIC_TYPE_COUNT] = {3, 2, 4, 5, 7, 7};
    enum err e = read_metric_head(f, message);
    struct reader r = reader_of(message);
    struct proto_field field;
    while (!e && proto_next(&r, &field)) {
        if (field.number != value_field[f->type] || field.wire != PROTO_BYTES) {
            continue;
        }
        if (f->type == METRIC_SUMMARY) {
            e = read_summary(f, field.bytes);
        } else if (f->type >= METRIC_HISTOGRAM) {
            e = read_histogram(f, field.bytes);
        } else {
            e = read_simple(f, field.bytes, f->type == METRIC_COUNTER);
        }
    }
    return e;
}

static enum err push_text(struct family *f, enum exposition_event event, struct str text)
{
    struct exposition_item item = {.metric = f->name, .text = text};
    return push(f, event, &item);
}

static enum err read_family(struct family *f, struct str message)
{
    struct reader r = reader_of(message);
    struct proto_field field;
    struct str help = {0}, unit = {0};
    f->type = METRIC_COUNTER;
    while (proto_next(&r, &field)) {
        if (field.number == 1 && field.wire == PROTO_BYTES) {
            f->name = field.bytes;
        } else if (field.number == 2 && field.wire == PROTO_BYTES) {
            help = field.bytes;
        } else if (field.number == 3 && field.num < METRIC_TYPE_COUNT) {
            f->type = (enum metric_type)field.num;
        } else if (field.number == 5 && field.wire == PROTO_BYTES) {
            unit = field.bytes;
        }
    }
    if (!r.bad && proto_count(message, 4) == 0) { /* a family without metrics says nothing */
        return ERR_OK;
    }
    if (r.bad || f->name.n == 0 || !str_utf8_valid(f->name) || !str_utf8_valid(help)) {
        return malformed(f, "name or help");
    }
    enum err e = push_text(f, EXPOSITION_TYPE, str_c(type_names[f->type]));
    e = e ? e : push_text(f, EXPOSITION_HELP, help.p ? help : STR("")); /* none takes away what there was */
    e = e || !unit.n ? e : push_text(f, EXPOSITION_UNIT, unit);
    r = reader_of(message);
    while (!e && proto_next(&r, &field)) {
        if (field.number == 4 && field.wire == PROTO_BYTES) {
            e = read_metric(f, field.bytes);
        }
    }
    return e;
}

enum err exposition_proto_next(struct exposition_parser *p, struct arena *a, enum exposition_event *ret_event,
                               struct exposition_item *ret_item, struct err_info *reterr_info)
{
    while (p->pending_at == p->pending_count) {
        if (p->pos >= p->text.n) {
            *ret_event = EXPOSITION_END;
            return ERR_OK;
        }
        struct reader r = reader_of(str_of(p->text.p + p->pos, p->text.n - p->pos));
        struct str message = read_str(&r);
        struct family f = {.p = p, .a = a, .info = reterr_info, .name = STR("")};
        if (r.bad) {
            return malformed(&f, "length");
        }
        p->pos = p->text.n - reader_left(&r);
        p->pending = NULL;
        p->pending_count = p->pending_at = 0;
        enum err e = read_family(&f, message);
        if (e) {
            return e;
        }
    }
    const struct exposition_pending *next = &p->pending[p->pending_at++];
    *ret_event = next->event;
    *ret_item = next->item;
    return ERR_OK;
}
