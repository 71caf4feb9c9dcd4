/* prometheus.WriteRequest: decoding without copies, and encoding. */
#include "codec/remote_write.h"

#include "codec/remote_write_int.h"

static enum err malformed(struct wire_decode *d, const char *what, const struct reader *r)
{
    enum err e = err_set(d->info, ERR_INVALID, "malformed remote write request: bad %s near byte %zu", what,
                         (size_t)((const char *)r->p - d->begin));
    return e;
}

static enum err no_memory(struct wire_decode *d)
{
    return err_set(d->info, arena_err(d->a), "not enough memory for the remote write request");
}

/* Fields of each number below 8, so that arrays are allocated once. */
static void count_fields(struct str message, size_t counts[16])
{
    struct reader r = reader_of(message);
    struct proto_field f;
    memset(counts, 0, 16 * sizeof(*counts));
    while (proto_next(&r, &f)) {
        if (f.number < 16) {
            counts[f.number]++;
        }
    }
}

bool wire_field_fits(const struct proto_field *f, const uint8_t *wires, size_t n)
{
    return f->number >= n || !wires[f->number] || (wires[f->number] >> f->wire & 1);
}

bool wire_decode_label(struct str m, struct wire_label *l)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    *l = (struct wire_label){STR(""), STR("")};
    while (proto_next(&r, &f)) {
        if (f.number > 2) {
            continue;
        }
        if (f.wire != PROTO_BYTES) {
            return false;
        }
        *(f.number == 1 ? &l->name : &l->value) = f.bytes;
    }
    return !r.bad;
}

bool wire_decode_sample(struct str m, struct wire_sample *s)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    *s = (struct wire_sample){0};
    while (proto_next(&r, &f)) {
        if (f.number == 1 && f.wire == PROTO_I64) {
            s->value = proto_f64(&f);
        } else if (f.number == 2 && f.wire == PROTO_VARINT) {
            s->ts = (ts_ms)f.num;
        } else if (f.number == 3 && f.wire == PROTO_VARINT) {
            s->start_ts = (ts_ms)f.num;
        } else if (f.number <= 2) {
            return false;
        }
    }
    return !r.bad;
}

/* -- histograms ------------------------------------------------------------------------------------------ */

static bool decode_span(struct str m, struct wire_span *s)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    *s = (struct wire_span){0};
    while (proto_next(&r, &f)) {
        if (f.number <= 2 && f.wire != PROTO_VARINT) {
            return false;
        }
        if (f.number == 1) {
            s->offset = (int32_t)zigzag_decode(f.num);
        } else if (f.number == 2) {
            s->length = (uint32_t)f.num;
        }
    }
    return !r.bad;
}

struct grow {
    size_t n, cap;
};

static const uint8_t histogram_wires[] = {
    [1] = WIRE_VARINT,   [2] = WIRE_I64,      [3] = WIRE_I64,     [4] = WIRE_VARINT,
    [5] = WIRE_I64,      [6] = WIRE_VARINT,   [7] = WIRE_I64,     [8] = WIRE_BYTES,
    [9] = WIRE_VARINTS,  [10] = WIRE_DOUBLES, [11] = WIRE_BYTES,  [12] = WIRE_VARINTS,
    [13] = WIRE_DOUBLES, [14] = WIRE_VARINT,  [15] = WIRE_VARINT, [16] = WIRE_DOUBLES,
};

static bool push_span(struct wire_decode *d, struct wire_span **items, struct grow *g, size_t *n,
                      const struct proto_field *f)
{
    if (arena_reserve(d->a, (void **)items, &g->cap, g->n + 1, sizeof(**items)) ||
        !decode_span(f->bytes, &(*items)[g->n])) {
        return false;
    }
    *n = ++g->n;
    return true;
}

static bool push_deltas(struct wire_decode *d, int64_t **items, struct grow *g, const struct proto_field *f)
{
    struct reader r = proto_packed(f);
    if (f->wire == PROTO_VARINT) {
        if (arena_reserve(d->a, (void **)items, &g->cap, g->n + 1, sizeof(**items))) {
            return false;
        }
        (*items)[g->n++] = zigzag_decode(f->num);
        return true;
    }
    if (arena_reserve(d->a, (void **)items, &g->cap, g->n + reader_left(&r), sizeof(**items))) {
        return false;
    }
    while (reader_left(&r)) {
        (*items)[g->n++] = read_zigzag(&r);
    }
    return !r.bad;
}

static bool push_doubles(struct wire_decode *d, double **items, struct grow *g, const struct proto_field *f)
{
    struct reader r = proto_packed(f);
    size_t more = f->wire == PROTO_I64 ? 1 : reader_left(&r) / 8;
    if (arena_reserve(d->a, (void **)items, &g->cap, g->n + more, sizeof(**items))) {
        return false;
    }
    if (f->wire == PROTO_I64) {
        (*items)[g->n++] = proto_f64(f);
        return true;
    }
    for (size_t i = 0; i < more; i++) {
        struct proto_field one = {.num = read_u64(&r)};
        (*items)[g->n++] = proto_f64(&one);
    }
    return !r.bad && reader_left(&r) == 0;
}

bool wire_decode_histogram(struct wire_decode *d, struct str m, struct wire_histogram *h)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    struct wire_span *pos = NULL, *neg = NULL;
    int64_t *pos_d = NULL, *neg_d = NULL;
    double *pos_c = NULL, *neg_c = NULL, *custom = NULL;
    struct grow gp = {0}, gn = {0}, gpd = {0}, gnd = {0}, gpc = {0}, gnc = {0}, gc = {0};
    bool ok = true;
    *h = (struct wire_histogram){0};
    while (ok && proto_next(&r, &f)) {
        if (!wire_field_fits(&f, histogram_wires, ARRAY_LEN(histogram_wires))) {
            return false;
        }
        switch (f.number) {
        case 1: /* of two counts the last one says what kind it is */
            h->count_int = f.num;
            h->is_float = false;
            break;
        case 2:
            h->count_float = proto_f64(&f);
            h->is_float = true;
            break;
        case 3:
            h->sum = proto_f64(&f);
            break;
        case 4:
            h->schema = (int32_t)zigzag_decode(f.num);
            break;
        case 5:
            h->zero_threshold = proto_f64(&f);
            break;
        case 6: /* one of the two; that of the other kind is none */
            h->zero_count_int = f.num;
            h->zero_count_float = 0;
            break;
        case 7:
            h->zero_count_float = proto_f64(&f);
            h->zero_count_int = 0;
            break;
        case 8:
            ok = push_span(d, &neg, &gn, &h->negative_span_count, &f);
            break;
        case 9:
            ok = push_deltas(d, &neg_d, &gnd, &f);
            break;
        case 10:
            ok = push_doubles(d, &neg_c, &gnc, &f);
            break;
        case 11:
            ok = push_span(d, &pos, &gp, &h->positive_span_count, &f);
            break;
        case 12:
            ok = push_deltas(d, &pos_d, &gpd, &f);
            break;
        case 13:
            ok = push_doubles(d, &pos_c, &gpc, &f);
            break;
        case 14:
            h->reset_hint = (uint8_t)f.num;
            break;
        case 15:
            h->ts = (ts_ms)f.num;
            break;
        case 16:
            ok = push_doubles(d, &custom, &gc, &f);
            break;
        case 17:
            h->start_ts = (ts_ms)f.num;
            break;
        default:
            break;
        }
    }
    h->positive_spans = pos;
    h->negative_spans = neg;
    h->positive_deltas = pos_d;
    h->negative_deltas = neg_d;
    h->positive_counts = pos_c;
    h->negative_counts = neg_c;
    h->positive_count = h->is_float ? gpc.n : gpd.n;
    h->negative_count = h->is_float ? gnc.n : gnd.n;
    h->custom_values = custom;
    h->custom_value_count = gc.n;
    return ok && !r.bad;
}

/* -- 1.0 ------------------------------------------------------------------------------------------------- */

static bool decode_exemplar(struct wire_decode *d, struct str m, struct wire_exemplar *x)
{
    static const uint8_t wires[] = {[1] = WIRE_BYTES, [2] = WIRE_I64, [3] = WIRE_VARINT};
    size_t counts[16];
    struct reader r = reader_of(m);
    struct proto_field f;
    count_fields(m, counts);
    struct wire_label *labels = arena_array(d->a, counts[1] + 1, sizeof(*labels));
    bool ok = labels != NULL;
    *x = (struct wire_exemplar){.labels = labels};
    while (ok && proto_next(&r, &f)) {
        if (!wire_field_fits(&f, wires, ARRAY_LEN(wires))) {
            return false;
        }
        if (f.number == 1) {
            ok = wire_decode_label(f.bytes, &labels[x->label_count++]);
        } else if (f.number == 2) {
            x->value = proto_f64(&f);
        } else if (f.number == 3) {
            x->ts = (ts_ms)f.num;
        }
    }
    return ok && !r.bad;
}

/* The label fields that the message begins with; the reader stands behind them. */
static struct str label_span(struct reader *r)
{
    const uint8_t *begin = r->p;
    while (r->p < r->end && *r->p == (1 << 3 | PROTO_BYTES)) {
        r->p++;
        (void)read_str(r);
    }
    return str_of((const char *)begin, (size_t)(r->p - begin));
}

/* Stores the first `cap` labels and counts all. */
static bool decode_labels(struct str bytes, struct wire_label *labels, size_t cap, size_t *ret_n)
{
    struct reader r = reader_of(bytes);
    struct proto_field f;
    size_t n = 0;
    while (proto_next(&r, &f)) {
        if (f.wire != PROTO_BYTES || f.number != 1) {
            continue;
        }
        if (n < cap && !wire_decode_label(f.bytes, &labels[n])) {
            return false;
        }
        n++;
    }
    *ret_n = n;
    return !r.bad;
}

enum err remote_write_labels(struct arena *a, struct wire_series *s, struct err_info *reterr_info)
{
    struct wire_decode d = {a, reterr_info, s->label_bytes.p};
    struct wire_label few[24]; /* most sets: one pass */
    size_t n = 0;
    if (s->label_bytes.n == 0) {
        return ERR_OK;
    }
    bool ok = decode_labels(s->label_bytes, few, ARRAY_LEN(few), &n);
    struct wire_label *labels = ok ? arena_array(a, n + 1, sizeof(*labels)) : NULL;
    if (ok && !labels) {
        return no_memory(&d);
    }
    if (ok && n <= ARRAY_LEN(few)) {
        memcpy(labels, few, n * sizeof(*labels));
    } else if (!ok || !decode_labels(s->label_bytes, labels, n, &n)) {
        return err_set(reterr_info, ERR_INVALID, "malformed remote write request: bad label");
    }
    s->labels = labels;
    s->label_count = n;
    s->label_bytes = (struct str){0};
    return ERR_OK;
}

/* What follows the labels is one sample: so it is nearly always. */
static bool is_one_sample(const struct reader *r)
{
    return reader_left(r) >= 2 && r->p[0] == (2 << 3 | PROTO_BYTES) && r->p[1] < 0x80 &&
           reader_left(r) == 2u + r->p[1];
}

static enum err decode_series(struct wire_decode *d, struct str m, struct wire_series *s)
{
    size_t counts[16] = {[2] = 1};
    struct reader r = reader_of(m);
    struct proto_field f;
    *s = (struct wire_series){.label_bytes = label_span(&r), .meta_type = STR("")};
    if (!is_one_sample(&r)) {
        count_fields(str_of((const char *)r.p, reader_left(&r)), counts);
    }
    struct wire_sample *samples = arena_array(d->a, counts[2] + 1, sizeof(*samples));
    struct wire_exemplar *exemplars = counts[3] ? arena_array(d->a, counts[3], sizeof(*exemplars)) : NULL;
    struct wire_histogram *histograms = counts[4] ? arena_array(d->a, counts[4], sizeof(*histograms)) : NULL;
    if (!samples || (counts[3] && !exemplars) || (counts[4] && !histograms)) {
        return no_memory(d);
    }
    s->samples = samples;
    s->exemplars = exemplars;
    s->histograms = histograms;
    bool ok = true;
    while (ok && proto_next(&r, &f)) {
        if (f.wire != PROTO_BYTES) {
            ok = f.number > 4;
        } else if (f.number ==
                   1) { /* a label behind samples: the whole message is looked at again for them */
            s->label_bytes = m;
        } else if (f.number == 2) {
            ok = wire_decode_sample(f.bytes, &samples[s->sample_count++]);
        } else if (f.number == 3) {
            ok = decode_exemplar(d, f.bytes, &exemplars[s->exemplar_count++]);
        } else if (f.number == 4) {
            ok = wire_decode_histogram(d, f.bytes, &histograms[s->histogram_count++]);
        }
    }
    return ok && !r.bad ? ERR_OK : malformed(d, "time series", &r);
}

struct str wire_type_name(uint64_t t)
{
    static const char *const names[] = {"unknown",        "counter", "gauge", "histogram",
                                        "gaugehistogram", "summary", "info",  "stateset"};
    return str_c(names[t < ARRAY_LEN(names) ? t : 0]);
}

static bool decode_metadata(struct str m, struct wire_metadata *w)
{
    static const uint8_t wires[] = {[1] = WIRE_VARINT, [2] = WIRE_BYTES, [4] = WIRE_BYTES, [5] = WIRE_BYTES};
    struct reader r = reader_of(m);
    struct proto_field f;
    *w = (struct wire_metadata){STR(""), STR("unknown"), STR(""), STR("")};
    while (proto_next(&r, &f)) {
        if (!wire_field_fits(&f, wires, ARRAY_LEN(wires))) {
            return false;
        }
        if (f.number == 1) {
            w->type = wire_type_name(f.num);
        } else if (f.number == 2) {
            w->metric = f.bytes;
        } else if (f.number == 4) {
            w->help = f.bytes;
        } else if (f.number == 5) {
            w->unit = f.bytes;
        }
    }
    return !r.bad;
}

enum err remote_write_decode_v1(struct arena *a, struct str body, bool labels_later,
                                struct wire_write *ret_write, struct err_info *reterr_info)
{
    struct wire_decode d = {a, reterr_info, body.p};
    size_t counts[16];
    struct reader r = reader_of(body);
    struct proto_field f;
    count_fields(body, counts);
    struct wire_series *series = arena_array(a, counts[1] + 1, sizeof(*series));
    struct wire_metadata *metadata = arena_array(a, counts[3] + 1, sizeof(*metadata));
    struct wire_write w = {.series = series, .metadata = metadata};
    if (!series || !metadata) {
        return no_memory(&d);
    }
    while (proto_next(&r, &f)) {
        if ((f.number == 1 || f.number == 3) && f.wire != PROTO_BYTES) {
            return malformed(&d, "field", &r);
        }
        if (f.number == 1) {
            struct wire_series *one = &series[w.series_count++];
            enum err e = decode_series(&d, f.bytes, one);
            e = e || labels_later ? e : remote_write_labels(a, one, reterr_info);
            if (e) {
                return e;
            }
        } else if (f.number == 3) {
            if (!decode_metadata(f.bytes, &metadata[w.metadata_count++])) {
                return malformed(&d, "metadata", &r);
            }
        }
    }
    if (r.bad) {
        return malformed(&d, "field", &r);
    }
    *ret_write = w;
    return ERR_OK;
}

void remote_write_encode_v1(struct buf *b, const struct wire_write *w)
{
    for (size_t i = 0; i < w->series_count; i++) {
        const struct wire_series *s = &w->series[i];
        size_t mark = proto_nested_begin(b, 1);
        for (size_t k = 0; k < s->label_count; k++) {
            size_t label = proto_nested_begin(b, 1);
            proto_write_bytes(b, 1, s->labels[k].name);
            proto_write_bytes(b, 2, s->labels[k].value);
            proto_nested_end(b, label);
        }
        for (size_t k = 0; k < s->sample_count; k++) {
            size_t sample = proto_nested_begin(b, 2);
            proto_write_f64(b, 1, s->samples[k].value);
            proto_write_u64(b, 2, (uint64_t)s->samples[k].ts);
            proto_nested_end(b, sample);
        }
        proto_nested_end(b, mark);
    }
}
