/* Records of the log. */
#include "metrics/tsdb/record.h"

#include "metrics/model/value.h"
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/limits.h"

enum {
    RECORD_VERSION = 1,
    CONTROL_NEXT_SLOT = 1,
    CONTROL_SAME_TIME = 2,
    CONTROL_VALUE_SHIFT = 2,
    VALUE_BYTES_MAX = 8,
    VALUE_INTEGER = 9
};

void record_begin(struct record_writer *w, struct buf *b, struct str tenant)
{
    *w = (struct record_writer){.b = b, .slot = UINT32_MAX};
    buf_reset(b);
    write_u8(b, RECORD_VERSION);
    write_str(b, tenant);
}

void record_define(struct record_writer *w, uint32_t slot, struct labels ls)
{
    write_u8(w->b, 1);
    write_varint(w->b, slot);
    write_varint(w->b, ls.n);
    for (size_t i = 0; i < ls.n; i++) {
        write_str(w->b, ls.l[i].name);
        write_str(w->b, ls.l[i].value);
    }
}

void record_samples(struct record_writer *w)
{
    write_u8(w->b, 0);
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

void record_sample(struct record_writer *w, uint32_t slot, ts_ms ts, uint64_t bits)
{
    uint8_t head[1 + 10 + 10 + 10];
    unsigned control = 0;
    size_t n = 1;
    int64_t i = 0;
    if (slot == w->slot + 1) {
        control |= CONTROL_NEXT_SLOT;
    } else {
        n += put_varint(head + n, zigzag_encode((int64_t)slot - (int64_t)w->slot));
    }
    if (ts == w->ts) {
        control |= CONTROL_SAME_TIME;
    } else {
        n += put_varint(head + n, zigzag_encode((int64_t)((uint64_t)ts - (uint64_t)w->ts)));
    }
    unsigned bytes = bits ? 8 - (unsigned)__builtin_ctzll(bits) / 8 : 0;
    if (bytes > 1 && as_integer(bits, &i) && varint_len(zigzag_encode(i)) <= bytes) {
        control |= VALUE_INTEGER << CONTROL_VALUE_SHIFT;
        n += put_varint(head + n, zigzag_encode(i));
    } else {
        control |= bytes << CONTROL_VALUE_SHIFT;
        for (unsigned k = 0; k < bytes; k++) {
            head[n++] = (uint8_t)(bits >> (56 - 8 * k));
        }
    }
    head[0] = (uint8_t)control;
    buf_append(w->b, head, n);
    w->slot = slot;
    w->ts = ts;
}

enum err record_open(struct record_reader *r, struct str record, struct str *ret_tenant)
{
    r->r = reader_of(record);
    r->slot = UINT32_MAX;
    r->ts = 0;
    uint8_t version = read_u8(&r->r);
    struct str tenant = read_str(&r->r);
    if (r->r.bad || version != RECORD_VERSION || tenant.n == 0) {
        return ERR_CORRUPT;
    }
    *ret_tenant = tenant;
    return ERR_OK;
}

enum err record_next_definition(struct record_reader *r, uint32_t *ret_slot, struct labels *ret_labels)
{
    uint8_t more = read_u8(&r->r);
    if (!r->r.bad && more == 0) {
        return ERR_NOT_FOUND;
    }
    uint64_t slot = read_varint(&r->r), n = read_varint(&r->r);
    if (r->r.bad || more != 1 || slot >= SLOTS_MAX || n == 0 || n > LABELS_MAX) {
        return ERR_CORRUPT;
    }
    for (uint64_t i = 0; i < n; i++) {
        r->labels[i].name = read_str(&r->r);
        r->labels[i].value = read_str(&r->r);
    }
    if (r->r.bad) {
        return ERR_CORRUPT;
    }
    *ret_slot = (uint32_t)slot;
    *ret_labels = (struct labels){r->labels, (size_t)n};
    return ERR_OK;
}

enum err record_next_sample(struct record_reader *r, uint32_t *ret_slot, ts_ms *ret_ts, uint64_t *ret_bits)
{
    if (reader_left(&r->r) == 0) {
        return ERR_NOT_FOUND;
    }
    unsigned control = read_u8(&r->r), value = control >> CONTROL_VALUE_SHIFT;
    r->slot += control & CONTROL_NEXT_SLOT ? 1 : (uint32_t)read_zigzag(&r->r);
    r->ts = control & CONTROL_SAME_TIME ? r->ts : (ts_ms)((uint64_t)r->ts + (uint64_t)read_zigzag(&r->r));
    uint64_t bits = 0;
    if (value == VALUE_INTEGER) {
        bits = f64_bits((double)read_zigzag(&r->r));
    } else if (value <= VALUE_BYTES_MAX) {
        for (unsigned k = 0; k < value; k++) {
            bits |= (uint64_t)read_u8(&r->r) << (56 - 8 * k);
        }
    } else {
        return ERR_CORRUPT;
    }
    if (r->r.bad || r->slot >= SLOTS_MAX) {
        return ERR_CORRUPT;
    }
    *ret_slot = r->slot;
    *ret_ts = r->ts;
    *ret_bits = bits;
    return ERR_OK;
}
