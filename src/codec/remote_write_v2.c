/* io.prometheus.write.v2.Request: strings are interned in a table, series refer to it. */
#include "codec/remote_write_int.h"

struct symbols {
    struct str *items;
    size_t n;
    struct wire_write *to; /* keeps count of what is refused */
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

/* A series while it is read. */
struct wire_parts {
    struct wire_series *s;
    struct wire_sample *samples;
    struct wire_histogram *histograms;
    struct wire_exemplar *exemplars;
    struct refs refs;
};

/* NOT_FOUND: refused, the reason in *reason. */
static enum err resolve(struct wire_decode *d, const struct symbols *s, const struct refs *r,
                        const struct wire_label **ret_labels, size_t *ret_n, struct err_info *reason)
{
    if (r->n % 2) {
        return err_set(reason, ERR_NOT_FOUND, "invalid labelRefs length %zu", r->n);
    }
    struct wire_label *out = arena_array(d->a, r->n / 2 + 1, sizeof(*out));
    if (!out) {
        return no_memory(d);
    }
    for (size_t i = 0; i < r->n; i += 2) {
        if (r->items[i] >= s->n || r->items[i + 1] >= s->n) {
            return err_set(reason, ERR_NOT_FOUND,
                           "labelRefs %u (name) = %u (value) outside of symbols table (size %zu)",
                           r->items[i], r->items[i + 1], s->n);
        }
        out[i / 2] = (struct wire_label){s->items[r->items[i]], s->items[r->items[i + 1]]};
    }
    *ret_labels = out;
    *ret_n = r->n / 2;
    return ERR_OK;
}

/* One part of the request is left out; the others are stored. */
static void refuse(struct wire_decode *d, const struct symbols *s, const char *part, const struct refs *r,
                   const struct err_info *reason)
{
    struct buf refs AUTO_BUF = {0};
    for (size_t i = 0; r && i < r->n && s->to->refused == 0; i++) {
        buf_printf(&refs, i ? " %u" : "%u", r->items[i]);
    }
    if (s->to->refused++ == 0) {
        s->to->refusal = arena_printf(d->a, "parsing %s for series [%.*s]: %s", part,
                                      STR_FMT(buf_view(&refs)), reason->message);
    }
}

static enum err decode_exemplar(struct wire_decode *d, const struct symbols *s, struct str m,
                                struct wire_exemplar *x, struct err_info *reason)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    static const uint8_t wires[] = {[1] = WIRE_VARINTS, [2] = WIRE_I64, [3] = WIRE_VARINT};
    struct refs refs = {0};
    bool ok = true;
    *x = (struct wire_exemplar){0};
    while (ok && proto_next(&r, &f)) {
        ok = wire_field_fits(&f, wires, ARRAY_LEN(wires));
        if (ok && f.number == 1) {
            ok = push_refs(d, &refs, &f);
        } else if (f.number == 2) {
            x->value = proto_f64(&f);
        } else if (f.number == 3) {
            x->ts = (ts_ms)f.num;
        }
    }
    return ok && !r.bad ? resolve(d, s, &refs, &x->labels, &x->label_count, reason)
                        : malformed(d, "exemplar");
}

/* Metadata has its own numbering of types: 0 unspecified, counter, gauge, histogram, gaugehistogram, summary,
 * info, stateset, as the 1.0 message. */
static enum err decode_metadata(struct wire_decode *d, const struct symbols *s, struct str m,
                                struct wire_series *to, struct err_info *reason)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    static const uint8_t wires[] = {[1] = WIRE_VARINT, [3] = WIRE_VARINT, [4] = WIRE_VARINT};
    uint64_t type = 0;
    uint32_t help = 0, unit = 0;
    while (proto_next(&r, &f)) {
        if (!wire_field_fits(&f, wires, ARRAY_LEN(wires))) {
            return malformed(d, "metadata");
        }
        type = f.number == 1 ? f.num : type;
        help = f.number == 3 ? (uint32_t)f.num : help;
        unit = f.number == 4 ? (uint32_t)f.num : unit;
    }
    if (unit >= s->n || help >= s->n) {
        return err_set(reason, ERR_NOT_FOUND, "metadata %s %u outside of symbols table (size %zu)",
                       unit >= s->n ? "unit_ref" : "help_ref", unit >= s->n ? unit : help, s->n);
    }
    to->meta_help = s->items[help];
    to->meta_unit = s->items[unit];
    to->meta_type = type || to->meta_help.n || to->meta_unit.n ? wire_type_name(type) : STR("");
    return r.bad ? malformed(d, "metadata") : ERR_OK;
}

/* One field of a series; NOT_FOUND: the series is to be left out. */
static enum err decode_series_field(struct wire_decode *d, const struct symbols *sym,
                                    const struct proto_field *f, struct wire_parts *to)
{
    struct wire_series *s = to->s;
    struct err_info reason = {0};
    enum err e = ERR_OK;
    bool ok = true;
    if (f->number == 1) {
        ok = push_refs(d, &to->refs, f);
    } else if (f->wire != PROTO_BYTES) {
        ok = f->number > 5;
    } else if (f->number == 2) {
        ok = wire_decode_sample(f->bytes, &to->samples[s->sample_count++]);
    } else if (f->number == 3) {
        ok = wire_decode_histogram(d, f->bytes, &to->histograms[s->histogram_count++]);
    } else if (f->number == 4) {
        e = decode_exemplar(d, sym, f->bytes, &to->exemplars[s->exemplar_count++], &reason);
        if (e == ERR_NOT_FOUND) { /* the samples are stored all the same */
            refuse(d, sym, "exemplar", &to->refs, &reason);
            s->exemplar_count--;
            e = ERR_OK;
        }
    } else if (f->number == 5) {
        e = decode_metadata(d, sym, f->bytes, s, &reason);
        if (e == ERR_NOT_FOUND) {
            refuse(d, sym, "metadata", &to->refs, &reason);
        }
    }
    return ok ? e : arena_err(d->a) ? no_memory(d) : malformed(d, "time series");
}

/* NOT_FOUND: left out. */
static enum err decode_series(struct wire_decode *d, const struct symbols *sym, struct str m,
                              struct wire_series *s)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    struct err_info reason = {0};
    struct wire_parts to = {.s = s,
                            .samples = arena_array(d->a, count_field(m, 2) + 1, sizeof(*to.samples)),
                            .histograms = arena_array(d->a, count_field(m, 3) + 1, sizeof(*to.histograms)),
                            .exemplars = arena_array(d->a, count_field(m, 4) + 1, sizeof(*to.exemplars))};
    bool left_out = false;
    if (!to.samples || !to.histograms || !to.exemplars) {
        return no_memory(d);
    }
    *s = (struct wire_series){
        .samples = to.samples, .histograms = to.histograms, .exemplars = to.exemplars, .meta_type = STR("")};
    while (proto_next(&r, &f)) {
        enum err e = decode_series_field(d, sym, &f, &to);
        if (e && e != ERR_NOT_FOUND) {
            return e;
        }
        left_out |= e == ERR_NOT_FOUND;
    }
    if (r.bad) {
        return malformed(d, "time series");
    }
    if (left_out) {
        return ERR_NOT_FOUND;
    }
    enum err e = resolve(d, sym, &to.refs, &s->labels, &s->label_count, &reason);
    if (e == ERR_NOT_FOUND) {
        refuse(d, sym, "labels", &to.refs, &reason);
    }
    return e;
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
        if (f.number == 4 && f.wire != PROTO_BYTES) {
            return malformed(d, "symbol");
        }
        if (f.number == 4) {
            s->items[s->n++] = f.bytes;
        }
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
    symbols.to = &w;
    while (proto_next(&r, &f)) {
        if (f.number != 5) {
            continue;
        }
        if (f.wire != PROTO_BYTES) {
            return malformed(&d, "field");
        }
        e = decode_series(&d, &symbols, f.bytes, &series[w.series_count]);
        if (e && e != ERR_NOT_FOUND) {
            return e;
        }
        w.series_count += e == ERR_OK;
    }
    if (r.bad) {
        return malformed(&d, "field");
    }
    if (arena_err(a)) {
        return no_memory(&d);
    }
    *ret_write = w;
    return ERR_OK;
}
