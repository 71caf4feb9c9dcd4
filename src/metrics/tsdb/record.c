/* Records of the log. */
#include "metrics/tsdb/record.h"

#include "metrics/model/value.h"
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/limits.h"

enum {
    DEFINITION_END = 0,
    DEFINITION_WHOLE = 1,
    DEFINITION_SHARED = 2,
    CONTROL_NEXT_SLOT = 1,
    CONTROL_SAME_TIME = 2,
    CONTROL_VALUE_SHIFT = 2,
    VALUE_BYTES_MAX = 8,
    VALUE_INTEGER = 9,
    VALUE_RICH = 10,
    SAMPLE_BYTES_MAX = 1 + 10 + 10 + 10 /* of a float */
};

static void begin(struct record_writer *w, struct buf *b, enum record_version version, struct str tenant)
{
    *w = (struct record_writer){.b = b, .slot = UINT32_MAX};
    buf_reset(b);
    write_u8(b, (uint8_t)version);
    write_str(b, tenant);
}

void record_begin(struct record_writer *w, struct buf *b, struct str tenant)
{
    begin(w, b, RECORD_SAMPLES, tenant);
}

void record_begin_whole(struct record_writer *w, struct buf *b, struct str tenant, bool allow_late)
{
    begin(w, b, RECORD_WHOLE, tenant);
    write_u8(b, allow_late);
}

static uint8_t *put_text(uint8_t *p, struct str s)
{
    p += put_varint(p, s.n);
    memcpy(p, s.p, s.n);
    return p + s.n;
}

void record_define(struct record_writer *w, uint32_t slot, struct labels ls)
{
    enum {
        VARINT_BYTES = 10
    };
    size_t bound = 1 + 2 * VARINT_BYTES + (ls.n + 7) / 8, shared = 0;
    uint8_t same[LABELS_MAX / 8] = {0};
    for (size_t i = 0; i < ls.n; i++) {
        bool again = i < w->defined.n && str_eq(ls.l[i].value, w->defined.l[i].value) &&
                     str_eq(ls.l[i].name, w->defined.l[i].name);
        same[i / 8] |= (uint8_t)(again << (i % 8));
        shared += again;
        bound += again ? 0 : ls.l[i].name.n + ls.l[i].value.n + 2 * VARINT_BYTES;
    }
    uint8_t *from = (uint8_t *)buf_tail(w->b, bound), *p = from;
    if (!from) {
        return;
    }
    *p++ = shared ? DEFINITION_SHARED : DEFINITION_WHOLE;
    p += put_varint(p, slot);
    p += put_varint(p, ls.n);
    if (shared) {
        memcpy(p, same, (ls.n + 7) / 8);
        p += (ls.n + 7) / 8;
    }
    for (size_t i = 0; i < ls.n; i++) {
        if (!(same[i / 8] >> (i % 8) & 1)) {
            p = put_text(put_text(p, ls.l[i].name), ls.l[i].value);
        }
    }
    w->b->n += (size_t)(p - from);
    w->defined = ls;
}

void record_samples(struct record_writer *w)
{
    write_u8(w->b, DEFINITION_END);
}

/* Integers that take fewer bytes as such than as the leading bytes of a float. */
static bool as_integer(uint64_t bits, int64_t *ret_i)
{
    double v = f64_of_bits(bits);
    if (!(v > -268435456.0 && v < 268435456.0)) {
        return false;
    }
    *ret_i = (int64_t)v;
    return f64_bits((double)*ret_i) == bits;
}

/* The value of a float at *p, with 8 bytes of room, and the bits of the control byte that tell its form. */
static inline unsigned put_float(uint8_t **p, uint64_t bits)
{
    int64_t i = 0;
    unsigned bytes = bits ? 8 - (unsigned)__builtin_ctzll(bits) / 8 : 0;
    if (bytes > 1 && as_integer(bits, &i) && varint_len(zigzag_encode(i)) <= bytes) {
        *p += put_varint(*p, zigzag_encode(i));
        return VALUE_INTEGER;
    }
    store_be64(*p, bits);
    *p += bytes;
    return bytes;
}

/* Slot and time of a sample at *p, and their bits of the control byte. */
static inline unsigned put_place(struct record_writer *w, uint8_t **p, uint32_t slot, ts_ms ts)
{
    unsigned control = 0;
    if (LIKELY(slot == w->slot + 1)) {
        control |= CONTROL_NEXT_SLOT;
    } else {
        *p += put_varint(*p, zigzag_encode((int64_t)slot - (int64_t)w->slot));
    }
    if (LIKELY(ts == w->ts)) {
        control |= CONTROL_SAME_TIME;
    } else {
        *p += put_varint(*p, zigzag_encode((int64_t)((uint64_t)ts - (uint64_t)w->ts)));
    }
    w->slot = slot;
    w->ts = ts;
    return control;
}

/* A rich sample after its control byte; its length is known when it is written. */
static void append_rich(struct buf *b, const struct sample_value *v)
{
    struct buf own AUTO_BUF = {0};
    struct rich_state state = {0};
    rich_write(&own, &state, v);
    write_str(b, buf_view(&own));
    b->err = b->err == ERR_OK ? own.err : b->err;
}

void record_float(struct record_writer *w, uint32_t slot, ts_ms ts, uint64_t bits)
{
    struct buf *b = w->b;
    if (UNLIKELY(b->cap - b->n <= SAMPLE_BYTES_MAX) && !buf_reserve(b, SAMPLE_BYTES_MAX)) {
        return;
    }
    uint8_t *from = (uint8_t *)b->p + b->n, *p = from + 1;
    unsigned control = put_place(w, &p, slot, ts);
    *from = (uint8_t)(control | put_float(&p, bits) << CONTROL_VALUE_SHIFT);
    b->n += (size_t)(p - from);
}

void record_sample(struct record_writer *w, uint32_t slot, ts_ms ts, const struct sample_value *v)
{
    if (!value_is_rich(v)) {
        record_float(w, slot, ts, v->bits);
        return;
    }
    uint8_t head[SAMPLE_BYTES_MAX], *p = head + 1;
    unsigned control = put_place(w, &p, slot, ts);
    head[0] = (uint8_t)(control | VALUE_RICH << CONTROL_VALUE_SHIFT);
    buf_append(w->b, head, (size_t)(p - head));
    append_rich(w->b, v);
}

static enum err open_version(struct record_reader *r, struct str record, enum record_version first,
                             enum record_version now, struct str *ret_tenant)
{
    r->r = reader_of(record);
    r->slot = UINT32_MAX;
    r->ts = 0;
    r->label_count = 0;
    uint8_t version = read_u8(&r->r);
    struct str tenant = read_str(&r->r);
    if (r->r.bad || (version != first && version != now) || tenant.n == 0) {
        return ERR_CORRUPT;
    }
    *ret_tenant = tenant;
    return ERR_OK;
}

enum err record_open(struct record_reader *r, struct str record, struct str *ret_tenant)
{
    return open_version(r, record, RECORD_SAMPLES_V1, RECORD_SAMPLES, ret_tenant);
}

enum err record_open_whole(struct record_reader *r, struct str record, struct str *ret_tenant,
                           bool *ret_allow_late)
{
    enum err e = open_version(r, record, RECORD_WHOLE_V1, RECORD_WHOLE, ret_tenant);
    *ret_allow_late = e == ERR_OK && read_u8(&r->r) != 0;
    return e == ERR_OK && r->r.bad ? ERR_CORRUPT : e;
}

enum err record_next_definition(struct record_reader *r, uint32_t *ret_slot, struct labels *ret_labels)
{
    uint8_t form = read_u8(&r->r);
    if (!r->r.bad && form == DEFINITION_END) {
        return ERR_NOT_FOUND;
    }
    uint64_t slot = read_varint(&r->r), n = read_varint(&r->r);
    if (r->r.bad || (form != DEFINITION_WHOLE && form != DEFINITION_SHARED) || slot >= SLOTS_MAX || n == 0 ||
        n > LABELS_MAX) {
        return ERR_CORRUPT;
    }
    struct str same = read_bytes(&r->r, form == DEFINITION_SHARED ? (size_t)(n + 7) / 8 : 0);
    for (size_t i = 0; i < n && !r->r.bad; i++) {
        if (form == DEFINITION_SHARED && ((uint8_t)same.p[i / 8] >> (i % 8) & 1)) {
            r->r.bad = i >= r->label_count;
            continue;
        }
        r->labels[i].name = read_str(&r->r);
        r->labels[i].value = read_str(&r->r);
    }
    r->label_count = r->r.bad ? 0 : (size_t)n;
    if (r->r.bad) {
        return ERR_CORRUPT;
    }
    *ret_slot = (uint32_t)slot;
    *ret_labels = (struct labels){r->labels, (size_t)n};
    return ERR_OK;
}

static enum err read_value(struct record_reader *r, unsigned form, struct sample_value *ret_v)
{
    *ret_v = (struct sample_value){0};
    if (form == VALUE_RICH) {
        struct str bytes = read_str(&r->r);
        return r->r.bad ? ERR_CORRUPT : rich_read_one(bytes, r->memory, ret_v);
    }
    if (form == VALUE_INTEGER) {
        ret_v->bits = f64_bits((double)read_zigzag(&r->r));
        return ERR_OK;
    }
    if (form > VALUE_BYTES_MAX) {
        return ERR_CORRUPT;
    }
    for (unsigned k = 0; k < form; k++) {
        ret_v->bits |= (uint64_t)read_u8(&r->r) << (56 - 8 * k);
    }
    return ERR_OK;
}

enum err record_next_sample(struct record_reader *r, uint32_t *ret_slot, ts_ms *ret_ts,
                            struct sample_value *ret_v)
{
    if (reader_left(&r->r) == 0) {
        return ERR_NOT_FOUND;
    }
    unsigned control = read_u8(&r->r), value = control >> CONTROL_VALUE_SHIFT;
    r->slot += control & CONTROL_NEXT_SLOT ? 1 : (uint32_t)read_zigzag(&r->r);
    r->ts = control & CONTROL_SAME_TIME ? r->ts : (ts_ms)((uint64_t)r->ts + (uint64_t)read_zigzag(&r->r));
    enum err e = read_value(r, value, ret_v);
    if (e != ERR_OK || r->r.bad || r->slot >= SLOTS_MAX) {
        return e == ERR_OOM ? e : ERR_CORRUPT;
    }
    *ret_slot = r->slot;
    *ret_ts = r->ts;
    return ERR_OK;
}

/* A varint of which the end is far enough from that of the record. False: malformed. */
static inline bool varint_near(const uint8_t **p, uint64_t *ret_v)
{
    uint64_t v = *(*p)++;
    if (UNLIKELY(v >= 0x80)) {
        v &= 0x7f;
        for (unsigned shift = 7;; shift += 7) {
            uint64_t byte = *(*p)++;
            if (shift == 63 && byte > 1) {
                return false;
            }
            v |= (byte & 0x7f) << shift;
            if (byte < 0x80) {
                break;
            }
        }
    }
    *ret_v = v;
    return true;
}

/* The value of a float in one of its forms. */
static inline bool float_near(const uint8_t **p, unsigned form, uint64_t *ret_bits)
{
    uint64_t v = 0;
    if (form == VALUE_INTEGER) {
        bool good = varint_near(p, &v);
        *ret_bits = f64_bits((double)zigzag_decode(v));
        return good;
    }
    if (form > 0 && form <= VALUE_BYTES_MAX) {
        v = load_be64(*p) & (~UINT64_C(0) << (64 - 8 * form));
        *p += form;
    }
    *ret_bits = v;
    return form <= VALUE_BYTES_MAX;
}

size_t record_next_floats(struct record_reader *r, struct record_float *out, size_t n)
{
    const uint8_t *p = r->r.p;
    size_t got = 0;
    while (got < n && r->r.end - p >= SAMPLE_BYTES_MAX) {
        const uint8_t *at = p;
        unsigned control = *at++;
        uint32_t slot = r->slot + 1;
        ts_ms ts = r->ts;
        uint64_t v = 0, bits = 0;
        bool good = true;
        if (!(control & CONTROL_NEXT_SLOT)) {
            good = varint_near(&at, &v);
            slot = r->slot + (uint32_t)zigzag_decode(v);
        }
        if (!(control & CONTROL_SAME_TIME)) {
            good = varint_near(&at, &v) && good;
            ts = (ts_ms)((uint64_t)ts + (uint64_t)zigzag_decode(v));
        }
        if (!float_near(&at, control >> CONTROL_VALUE_SHIFT, &bits) || !good || slot >= SLOTS_MAX) {
            break; /* as it stood: record_next_sample says what is wrong */
        }
        out[got++] = (struct record_float){bits, ts, slot};
        r->slot = slot;
        r->ts = ts;
        p = at;
    }
    r->r.p = p;
    return got;
}
