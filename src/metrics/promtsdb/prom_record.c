/* Records of the log: a type byte, then entries until the end. */
#include "metrics/model/value.h"
#include "metrics/promtsdb/prom_chunk_int.h"
#include "metrics/promtsdb/prom_log.h"
#include "metrics/promtsdb/prom_read.h"

/* How a start timestamp follows in the newer records. */
enum start_mark {
    START_NONE = 0,
    START_SAME, /* as that of the sample before */
    START_GIVEN /* difference to the first */
};

static enum err labels_read(struct reader *r, struct arena *a, struct labels *ret_ls)
{
    uint64_t n = read_varint(r);
    if (r->bad || n > reader_left(r)) {
        return ERR_CORRUPT;
    }
    struct label *l = arena_array(a, n + 1, sizeof(*l));
    size_t kept = 0;
    if (!l) {
        return arena_err(a);
    }
    for (uint64_t i = 0; i < n; i++) {
        l[kept].name = read_str(r);
        l[kept].value = read_str(r);
        kept += l[kept].value.n > 0;
    }
    if (r->bad || labels_normalise(l, &kept, NULL) != ERR_OK) {
        return ERR_CORRUPT;
    }
    *ret_ls = (struct labels){l, kept};
    return ERR_OK;
}

static enum err series_read(struct reader *r, struct arena *a, const struct prom_log_visitor *v)
{
    enum err e = ERR_OK;
    while (e == ERR_OK && reader_left(r)) {
        struct labels ls;
        uint64_t ref = read_be64(r);
        e = labels_read(r, a, &ls);
        e = e == ERR_OK && v->series ? v->series(v->ctx, ref, ls) : e;
    }
    return e;
}

static enum err stones_read(struct reader *r, const struct prom_log_visitor *v)
{
    enum err e = ERR_OK;
    while (e == ERR_OK && reader_left(r)) {
        uint64_t ref = read_be64(r);
        ts_ms min_ts = read_zigzag(r), max_ts = read_zigzag(r);
        e = r->bad ? ERR_CORRUPT : v->stone ? v->stone(v->ctx, ref, min_ts, max_ts) : ERR_OK;
    }
    return e;
}

/* The newest type has its fields named, so that others may come. */
static enum err metadata_read(struct reader *r, const struct prom_log_visitor *v)
{
    enum err e = ERR_OK;
    while (e == ERR_OK && reader_left(r)) {
        uint64_t ref = read_varint(r);
        unsigned type = read_u8(r);
        uint64_t fields = read_varint(r);
        struct str unit = {0}, help = {0};
        for (uint64_t i = 0; i < fields && !r->bad; i++) {
            struct str name = read_str(r), value = read_str(r);
            unit = str_eq(name, STR("UNIT")) ? value : unit;
            help = str_eq(name, STR("HELP")) ? value : help;
        }
        e = r->bad ? ERR_CORRUPT : v->metadata ? v->metadata(v->ctx, ref, type, unit, help) : ERR_OK;
    }
    return e;
}

static enum err exemplars_read(struct reader *r, struct arena *a, const struct prom_log_visitor *v)
{
    enum err e = ERR_OK;
    if (!reader_left(r)) {
        return ERR_OK;
    }
    uint64_t base_ref = read_be64(r), base_ts = read_be64(r);
    while (e == ERR_OK && reader_left(r)) {
        struct labels ls;
        uint64_t ref = base_ref + (uint64_t)read_zigzag(r);
        ts_ms ts = (ts_ms)(base_ts + (uint64_t)read_zigzag(r));
        double value = f64_of_bits(read_be64(r));
        e = labels_read(r, a, &ls);
        e = e == ERR_OK && v->exemplar ? v->exemplar(v->ctx, ref, ls, value, ts) : e;
    }
    return e;
}

/* -- samples --------------------------------------------------------------------------------------------- */

/* References and times are told as differences: to the first sample in the older records; references to the
 * sample before in the newer ones. */
struct placing {
    bool newer, begun;
    uint64_t ref, base_ref;
    ts_ms base_ts, base_start, start;
};

static struct placing placing_begin(struct reader *r, bool newer)
{
    struct placing p = {.newer = newer};
    if (!newer) {
        p.base_ref = read_be64(r);
        p.base_ts = (ts_ms)read_be64(r);
    }
    return p;
}

static struct prom_log_sample placing_next(struct placing *p, struct reader *r)
{
    struct prom_log_sample s = {0};
    if (!p->newer) {
        s.ref = p->base_ref + (uint64_t)read_zigzag(r);
        s.ts = prom_add(p->base_ts, read_zigzag(r));
        return s;
    }
    s.ref = p->ref += (uint64_t)read_zigzag(r);
    s.ts = prom_add(p->base_ts, read_zigzag(r));
    if (!p->begun) {
        p->begun = true;
        p->base_ts = s.ts;
        p->base_start = p->start = read_zigzag(r);
    } else {
        unsigned mark = read_u8(r);
        p->start = mark == START_NONE   ? 0
                   : mark == START_SAME ? p->start
                                        : prom_add(p->base_start, read_zigzag(r));
    }
    s.start = p->start;
    return s;
}

static enum err samples_read(struct reader *r, bool newer, const struct prom_log_visitor *v)
{
    enum err e = ERR_OK;
    if (!reader_left(r)) {
        return ERR_OK;
    }
    struct placing p = placing_begin(r, newer);
    while (e == ERR_OK && reader_left(r)) {
        struct prom_log_sample s = placing_next(&p, r);
        s.value = f64_of_bits(read_be64(r));
        e = r->bad ? ERR_CORRUPT : v->sample ? v->sample(v->ctx, &s) : ERR_OK;
    }
    return e;
}

/* -- histograms ------------------------------------------------------------------------------------------ */

static enum err spans_read(struct reader *r, struct arena *a, const struct histogram_span **ret_spans,
                           uint32_t *ret_n)
{
    uint64_t n = read_varint(r);
    if (r->bad || n > reader_left(r)) {
        return ERR_CORRUPT;
    }
    struct histogram_span *s = arena_array(a, n + 1, sizeof(*s));
    if (!s) {
        return arena_err(a);
    }
    for (uint64_t i = 0; i < n; i++) {
        int64_t offset = read_zigzag(r);
        uint64_t length = read_varint(r);
        if (offset < INT32_MIN || offset > INT32_MAX || length > UINT32_MAX) {
            return ERR_CORRUPT;
        }
        s[i] = (struct histogram_span){(int32_t)offset, (uint32_t)length};
    }
    *ret_spans = s;
    *ret_n = (uint32_t)n;
    return r->bad ? ERR_CORRUPT : ERR_OK;
}

/* Differences to the bucket before, or counts as they are. */
static enum err counts_read(struct reader *r, bool is_float, struct arena *a, const double **ret_counts,
                            uint32_t *ret_n)
{
    uint64_t n = read_varint(r);
    int64_t running = 0;
    if (r->bad || n > reader_left(r)) {
        return ERR_CORRUPT;
    }
    double *c = arena_array(a, n + 1, sizeof(*c));
    if (!c) {
        return arena_err(a);
    }
    for (uint64_t i = 0; i < n; i++) {
        if (is_float) {
            c[i] = f64_of_bits(read_be64(r));
        } else {
            running = prom_add(running, read_zigzag(r));
            c[i] = (double)running;
        }
    }
    *ret_counts = c;
    *ret_n = (uint32_t)n;
    return r->bad ? ERR_CORRUPT : ERR_OK;
}

static enum err bounds_read(struct reader *r, struct arena *a, struct histogram *h)
{
    uint64_t n = read_varint(r);
    if (r->bad || n > reader_left(r) / 8) {
        return ERR_CORRUPT;
    }
    double *b = arena_array(a, n + 1, sizeof(*b));
    if (!b) {
        return arena_err(a);
    }
    for (uint64_t i = 0; i < n; i++) {
        b[i] = f64_of_bits(read_be64(r));
    }
    h->custom_values = b;
    h->custom_value_count = (uint32_t)n;
    return ERR_OK;
}

/* ret_known: false for a schema that no version has; such samples are left out, as Prometheus does. */
static enum err histogram_read(struct reader *r, struct arena *a, struct histogram *h, bool *ret_known)
{
    unsigned hint = read_u8(r);
    int64_t schema = read_zigzag(r);
    bool custom = schema == HISTOGRAM_SCHEMA_CUSTOM;
    *ret_known = custom || (schema >= -9 && schema <= 52);
    h->reset_hint = (uint8_t)(hint <= HRESET_GAUGE ? hint : HRESET_UNKNOWN);
    h->schema = (int8_t)(*ret_known ? schema : 0);
    h->zero_threshold = f64_of_bits(read_be64(r));
    h->zero_count = h->is_float ? f64_of_bits(read_be64(r)) : (double)read_varint(r);
    h->count = h->is_float ? f64_of_bits(read_be64(r)) : (double)read_varint(r);
    h->sum = f64_of_bits(read_be64(r));
    enum err e = spans_read(r, a, &h->positive_spans, &h->positive_span_count);
    e = e == ERR_OK ? spans_read(r, a, &h->negative_spans, &h->negative_span_count) : e;
    e = e == ERR_OK ? counts_read(r, h->is_float, a, &h->positive, &h->positive_count) : e;
    e = e == ERR_OK ? counts_read(r, h->is_float, a, &h->negative, &h->negative_count) : e;
    return e == ERR_OK && custom ? bounds_read(r, a, h) : e;
}

static enum err histograms_read(struct reader *r, bool newer, bool is_float, struct arena *a,
                                const struct prom_log_visitor *v)
{
    enum err e = ERR_OK, first_bad = ERR_OK;
    if (!reader_left(r) || v->floats_only) {
        return ERR_OK;
    }
    struct placing p = placing_begin(r, newer);
    while (e == ERR_OK && reader_left(r)) {
        struct prom_log_sample s = placing_next(&p, r);
        struct histogram *h = arena_alloc(a, sizeof(*h));
        bool known = false;
        if (!h) {
            return arena_err(a);
        }
        *h = (struct histogram){.is_float = is_float};
        e = histogram_read(r, a, h, &known);
        if (e != ERR_OK || !known) {
            continue;
        }
        e = prom_histogram_settle(a, h, &s.h);
        if (e == ERR_CORRUPT) { /* this one makes no sense, the next may */
            first_bad = e;
            e = ERR_OK;
        } else {
            e = e == ERR_OK && v->sample ? v->sample(v->ctx, &s) : e;
        }
    }
    return e == ERR_OK ? first_bad : e;
}

enum err prom_record_read(struct str record, struct arena *a, const struct prom_log_visitor *v)
{
    struct reader r = reader_of(record);
    unsigned type = read_u8(&r);
    if (r.bad) {
        return ERR_CORRUPT;
    }
    switch (type) {
    case PROM_REC_SERIES:
        return series_read(&r, a, v);
    case PROM_REC_SAMPLES:
    case PROM_REC_SAMPLES_V2:
        return samples_read(&r, type == PROM_REC_SAMPLES_V2, v);
    case PROM_REC_TOMBSTONES:
        return stones_read(&r, v);
    case PROM_REC_EXEMPLARS:
        return exemplars_read(&r, a, v);
    case PROM_REC_METADATA:
        return metadata_read(&r, v);
    case PROM_REC_HISTOGRAMS:
    case PROM_REC_CUSTOM_HISTOGRAMS:
    case PROM_REC_HISTOGRAMS_V2:
        return histograms_read(&r, type == PROM_REC_HISTOGRAMS_V2, false, a, v);
    case PROM_REC_FLOAT_HISTOGRAMS:
    case PROM_REC_CUSTOM_FLOAT_HISTOGRAMS:
    case PROM_REC_FLOAT_HISTOGRAMS_V2:
        return histograms_read(&r, type == PROM_REC_FLOAT_HISTOGRAMS_V2, true, a, v);
    default: /* markers of out-of-order chunks, and what later versions add */
        return ERR_OK;
    }
}

struct str prom_metric_type(unsigned type)
{
    static const struct str names[] = {STR_INIT("unknown"),   STR_INIT("counter"),        STR_INIT("gauge"),
                                       STR_INIT("histogram"), STR_INIT("gaugehistogram"), STR_INIT("summary"),
                                       STR_INIT("info"),      STR_INIT("stateset")};
    return names[type < ARRAY_LEN(names) ? type : 0];
}
