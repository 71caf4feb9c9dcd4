/* ReadRequest in; TimeSeries out. */
#include "codec/remote_read.h"

#include "codec/proto.h"

static enum err malformed(struct err_info *info)
{
    return err_set(info, ERR_INVALID, "malformed remote read request");
}

static bool decode_matcher(struct str m, struct read_matcher *to)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    *to = (struct read_matcher){.name = STR(""), .value = STR("")};
    while (proto_next(&r, &f)) {
        if (f.number == 1 && f.wire == PROTO_VARINT && f.num <= 3) {
            to->type = (int)f.num;
        } else if (f.number == 1) {
            return false;
        } else if (f.number == 2 && f.wire == PROTO_BYTES) {
            to->name = f.bytes;
        } else if (f.number == 3 && f.wire == PROTO_BYTES) {
            to->value = f.bytes;
        }
    }
    return !r.bad;
}

static enum err decode_query(struct arena *a, struct str m, struct read_query *q, struct err_info *info)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    struct read_matcher *matchers = arena_array(a, proto_count(m, 3) + 1, sizeof(*matchers));
    if (!matchers) {
        return err_set(info, arena_err(a), "out of memory");
    }
    *q = (struct read_query){.matchers = matchers};
    while (proto_next(&r, &f)) {
        if (f.number == 1 && f.wire == PROTO_VARINT) {
            q->start_ms = (ts_ms)f.num;
        } else if (f.number == 2 && f.wire == PROTO_VARINT) {
            q->end_ms = (ts_ms)f.num;
        } else if (f.number == 3) {
            if (f.wire != PROTO_BYTES || !decode_matcher(f.bytes, &matchers[q->matcher_count++])) {
                return malformed(info);
            }
        }
    }
    return r.bad ? malformed(info) : ERR_OK;
}

/* The first known of the accepted types, in their order; samples when none is named. */
struct accepted {
    bool any, known;
    enum read_response response;
};

static void accept(struct accepted *to, uint64_t type)
{
    to->any = true;
    if (!to->known && type <= READ_STREAMED_CHUNKS) {
        to->known = true;
        to->response = (enum read_response)type;
    }
}

enum err remote_read_decode(struct arena *a, struct str body, struct read_request *ret_request,
                            struct err_info *reterr_info)
{
    struct reader r = reader_of(body);
    struct proto_field f;
    struct accepted types = {0};
    struct read_query *queries = arena_array(a, proto_count(body, 1) + 1, sizeof(*queries));
    struct read_request request = {.queries = queries};
    if (!queries) {
        return err_set(reterr_info, arena_err(a), "out of memory");
    }
    while (proto_next(&r, &f)) {
        if (f.number == 1 && f.wire == PROTO_BYTES) {
            enum err e = decode_query(a, f.bytes, &queries[request.query_count++], reterr_info);
            if (e) {
                return e;
            }
        } else if (f.number == 2 && f.wire == PROTO_VARINT) {
            accept(&types, f.num);
        } else if (f.number == 2 && f.wire == PROTO_BYTES) {
            struct reader p = proto_packed(&f);
            while (reader_left(&p)) {
                accept(&types, read_varint(&p));
            }
        }
    }
    if (r.bad) {
        return malformed(reterr_info);
    }
    if (types.any && !types.known) {
        return err_set(reterr_info, ERR_INVALID,
                       "server does not support any of the requested response types");
    }
    request.response = types.response;
    *ret_request = request;
    return ERR_OK;
}

/* -- answers --------------------------------------------------------------------------------------------- */

void remote_read_labels(struct buf *b, const struct wire_label *labels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t mark = proto_nested_begin(b, 1);
        proto_write_bytes(b, 1, labels[i].name);
        proto_write_bytes(b, 2, labels[i].value);
        proto_nested_end(b, mark);
    }
}

static uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static void write_spans(struct buf *b, uint32_t number, const struct wire_span *spans, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t mark = proto_nested_begin(b, number);
        proto_write_u64(b, 1, zigzag(spans[i].offset) & UINT32_MAX);
        proto_write_u64(b, 2, spans[i].length);
        proto_nested_end(b, mark);
    }
}

static void write_deltas(struct buf *b, uint32_t number, const int64_t *deltas, size_t n)
{
    size_t mark = proto_nested_begin(b, number);
    for (size_t i = 0; i < n; i++) {
        write_varint(b, zigzag(deltas[i]));
    }
    proto_nested_end(b, mark);
}

static void write_doubles(struct buf *b, uint32_t number, const double *values, size_t n)
{
    size_t mark = proto_nested_begin(b, number);
    for (size_t i = 0; i < n; i++) {
        buf_append(b, &values[i], sizeof(values[i])); /* little-endian, as both our machines are */
    }
    proto_nested_end(b, mark);
}

static void write_histogram(struct buf *b, const struct wire_histogram *h)
{
    size_t mark = proto_nested_begin(b, 4);
    if (h->is_float) {
        proto_write_f64(b, 2, h->count_float);
        proto_write_f64(b, 7, h->zero_count_float);
        write_doubles(b, 10, h->negative_counts, h->negative_count);
        write_doubles(b, 13, h->positive_counts, h->positive_count);
    } else {
        proto_write_u64(b, 1, h->count_int);
        proto_write_u64(b, 6, h->zero_count_int);
        write_deltas(b, 9, h->negative_deltas, h->negative_count);
        write_deltas(b, 12, h->positive_deltas, h->positive_count);
    }
    proto_write_f64(b, 3, h->sum);
    proto_write_u64(b, 4, zigzag(h->schema) & UINT32_MAX);
    proto_write_f64(b, 5, h->zero_threshold);
    write_spans(b, 8, h->negative_spans, h->negative_span_count);
    write_spans(b, 11, h->positive_spans, h->positive_span_count);
    proto_write_u64(b, 14, h->reset_hint);
    proto_write_u64(b, 15, (uint64_t)h->ts);
    if (h->custom_value_count) {
        write_doubles(b, 16, h->custom_values, h->custom_value_count);
    }
    proto_nested_end(b, mark);
}

void remote_read_series(struct buf *b, uint32_t number, const struct wire_series *s)
{
    size_t mark = proto_nested_begin(b, number);
    remote_read_labels(b, s->labels, s->label_count);
    for (size_t i = 0; i < s->sample_count; i++) {
        size_t sample = proto_nested_begin(b, 2);
        proto_write_f64(b, 1, s->samples[i].value);
        proto_write_u64(b, 2, (uint64_t)s->samples[i].ts);
        proto_nested_end(b, sample);
    }
    for (size_t i = 0; i < s->histogram_count; i++) {
        write_histogram(b, &s->histograms[i]);
    }
    proto_nested_end(b, mark);
}
