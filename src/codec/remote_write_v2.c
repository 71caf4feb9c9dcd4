/* io.prometheus.write.v2.Request: strings are interned in a table, series refer to it. */
#include "codec/remote_write_int.h"

struct symbols {
    struct str *items;
    size_t n;
};

static enum err malformed(struct wire_decode *d, const char *what)
{
    return err_set(d->info, ERR_INVALID, "malformed remote write 2.0 request: bad %s", what);
}

static enum err no_memory(struct wire_decode *d)
{
    return err_set(d->info, arena_err(d->a), "not enough memory for the remote write request");
}

static size_t count_field(struct str m, uint32_t number)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    size_t n = 0;
    while (proto_next(&r, &f)) {
        n += f.number == number;
    }
    return n;
}

/* References of one field, packed or not, appended. */
struct refs {
    uint32_t *items;
    size_t n, cap;
};

static bool push_refs(struct wire_decode *d, struct refs *r, const struct proto_field *f)
{
    struct reader p = proto_packed(f);
    if (f->wire == PROTO_VARINT) {
        if (arena_reserve(d->a, (void **)&r->items, &r->cap, r->n + 1, sizeof(*r->items))) {
            return false;
        }
        r->items[r->n++] = (uint32_t)f->num;
        return true;
    }
    if (arena_reserve(d->a, (void **)&r->items, &r->cap, r->n + reader_left(&p), sizeof(*r->items))) {
        return false;
    }
    while (reader_left(&p)) {
        r->items[r->n++] = (uint32_t)read_varint(&p);
    }
    return !p.bad;
}

static enum err resolve(struct wire_decode *d, const struct symbols *s, const struct refs *r,
                        const struct wire_label **ret_labels, size_t *ret_n)
{
    if (r->n % 2) {
        return err_set(d->info, ERR_INVALID, "invalid labelRefs length %zu", r->n);
    }
    struct wire_label *out = arena_array(d->a, r->n / 2 + 1, sizeof(*out));
    if (!out) {
        return no_memory(d);
    }
    for (size_t i = 0; i < r->n; i++) {
        if (r->items[i] >= s->n) {
            return err_set(d->info, ERR_INVALID, "labelRefs %zu = %u outside of symbols table (size %zu)", i,
                           r->items[i], s->n);
        }
        *(i % 2 ? &out[i / 2].value : &out[i / 2].name) = s->items[r->items[i]];
    }
    *ret_labels = out;
    *ret_n = r->n / 2;
    return ERR_OK;
}

static enum err decode_exemplar(struct wire_decode *d, const struct symbols *s, struct str m,
                                struct wire_exemplar *x)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    struct refs refs = {0};
    bool ok = true;
    *x = (struct wire_exemplar){0};
    while (ok && proto_next(&r, &f)) {
        if (f.number == 1) {
            ok = push_refs(d, &refs, &f);
        } else if (f.number == 2) {
            x->value = proto_f64(&f);
        } else if (f.number == 3) {
            x->ts = (ts_ms)f.num;
        }
    }
    return ok && !r.bad ? resolve(d, s, &refs, &x->labels, &x->label_count) : malformed(d, "exemplar");
}

/* Metadata has its own numbering of types: 0 unspecified, counter, gauge, histogram, gaugehistogram, summary,
 * info, stateset, as the 1.0 message. */
static enum err decode_metadata(struct wire_decode *d, const struct symbols *s, struct str m,
                                struct wire_series *to)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    uint64_t type = 0;
    while (proto_next(&r, &f)) {
        if (f.number == 1) {
            type = f.num;
        } else if ((f.number == 3 || f.number == 4) && f.wire == PROTO_VARINT) {
            if (f.num >= s->n) {
                return malformed(d, "reference of metadata");
            }
            *(f.number == 3 ? &to->meta_help : &to->meta_unit) = s->items[f.num];
        }
    }
    to->meta_type = type || to->meta_help.n || to->meta_unit.n ? wire_type_name(type) : STR("");
    return r.bad ? malformed(d, "metadata") : ERR_OK;
}

static enum err decode_series(struct wire_decode *d, const struct symbols *sym, struct str m,
                              struct wire_series *s)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    struct refs refs = {0};
    size_t samples = count_field(m, 2), histograms = count_field(m, 3), exemplars = count_field(m, 4);
    struct wire_sample *sample = arena_array(d->a, samples + 1, sizeof(*sample));
    struct wire_histogram *histogram = arena_array(d->a, histograms + 1, sizeof(*histogram));
    struct wire_exemplar *exemplar = arena_array(d->a, exemplars + 1, sizeof(*exemplar));
    enum err e = ERR_OK;
    bool ok = true;
    if (!sample || !histogram || !exemplar) {
        return no_memory(d);
    }
    *s = (struct wire_series){
        .samples = sample, .histograms = histogram, .exemplars = exemplar, .meta_type = STR("")};
    while (ok && !e && proto_next(&r, &f)) {
        if (f.number == 1) {
            ok = push_refs(d, &refs, &f);
        } else if (f.wire != PROTO_BYTES) {
            continue;
        } else if (f.number == 2) {
            ok = wire_decode_sample(f.bytes, &sample[s->sample_count++]);
        } else if (f.number == 3) {
            ok = wire_decode_histogram(d, f.bytes, &histogram[s->histogram_count++]);
        } else if (f.number == 4) {
            e = decode_exemplar(d, sym, f.bytes, &exemplar[s->exemplar_count++]);
        } else if (f.number == 5) {
            e = decode_metadata(d, sym, f.bytes, s);
        }
    }
    if (e || !ok || r.bad) {
        return e ? e : arena_err(d->a) ? no_memory(d) : malformed(d, "time series");
    }
    return resolve(d, sym, &refs, &s->labels, &s->label_count);
}

static enum err decode_symbols(struct wire_decode *d, struct str body, struct symbols *s)
{
    struct reader r = reader_of(body);
    struct proto_field f;
    s->items = arena_array(d->a, count_field(body, 4) + 1, sizeof(*s->items));
    if (!s->items) {
        return no_memory(d);
    }
    while (proto_next(&r, &f)) {
        if (f.number == 4 && f.wire == PROTO_BYTES) {
            s->items[s->n++] = f.bytes;
        }
    }
    if (s->n && s->items[0].n) {
        return err_set(d->info, ERR_INVALID, "symbols table must start with an empty string");
    }
    return r.bad ? malformed(d, "symbol") : ERR_OK;
}

enum err remote_write_decode_v2(struct arena *a, struct str body, struct wire_write *ret_write,
                                struct err_info *reterr_info)
{
    struct wire_decode d = {a, reterr_info, body.p};
    struct symbols symbols = {0};
    struct reader r = reader_of(body);
    struct proto_field f;
    enum err e = decode_symbols(&d, body, &symbols);
    struct wire_series *series = e ? NULL : arena_array(a, count_field(body, 5) + 1, sizeof(*series));
    struct wire_write w = {.series = series, .series_metadata = true};
    if (e || !series) {
        return e ? e : no_memory(&d);
    }
    while (!e && proto_next(&r, &f)) {
        if (f.number == 5 && f.wire == PROTO_BYTES) {
            e = decode_series(&d, &symbols, f.bytes, &series[w.series_count++]);
        }
    }
    if (e || r.bad) {
        return e ? e : malformed(&d, "field");
    }
    *ret_write = w;
    return ERR_OK;
}
