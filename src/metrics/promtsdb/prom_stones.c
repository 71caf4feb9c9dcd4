/* Tombstones: magic, version, (ref, min, max)*, checksum over the entries. */
#include "metrics/promtsdb/prom_stones.h"

#include <stdlib.h>

#include "base/mem.h"
#include "metrics/promtsdb/prom_read.h"

enum {
    HEADER_BYTES = 5
};

enum err prom_stones_add(struct prom_stones *s, struct prom_stone stone)
{
    enum err e = vec_reserve((void **)&s->items, &s->cap, s->n + 1, sizeof(*s->items));
    if (e == ERR_OK) {
        s->items[s->n++] = stone;
    }
    return e;
}

static int stone_cmp(const void *a, const void *b)
{
    const struct prom_stone *x = a, *y = b;
    return x->ref != y->ref ? (x->ref > y->ref) - (x->ref < y->ref)
                            : (x->min_ts > y->min_ts) - (x->min_ts < y->min_ts);
}

void prom_stones_sort(struct prom_stones *s)
{
    if (s->n > 1) {
        qsort(s->items, s->n, sizeof(*s->items), stone_cmp);
    }
}

enum err prom_stones_parse(struct str content, struct prom_stones *ret_s, struct err_info *info)
{
    struct prom_stones s = {0};
    if (content.n < HEADER_BYTES + PROM_CRC_BYTES || prom_be32(content.p) != PROM_TOMBSTONES_MAGIC) {
        return err_set(info, ERR_CORRUPT, "the file of tombstones is cut off or begins wrongly");
    }
    if ((uint8_t)content.p[4] != PROM_TOMBSTONES_VERSION) {
        return err_set(info, ERR_UNSUPPORTED, "the tombstones have version %u; known is 1",
                       (unsigned)(uint8_t)content.p[4]);
    }
    struct reader r = reader_from(content, HEADER_BYTES);
    struct str entries = read_checked(&r, content.n - HEADER_BYTES - PROM_CRC_BYTES);
    if (r.bad) {
        return err_set(info, ERR_CORRUPT, "the checksum of the tombstones is wrong");
    }
    struct reader t = reader_of(entries);
    while (reader_left(&t) && !t.bad) {
        struct prom_stone stone = {.ref = read_varint(&t)};
        stone.min_ts = read_zigzag(&t);
        stone.max_ts = read_zigzag(&t);
        if (!t.bad && prom_stones_add(&s, stone) != ERR_OK) {
            prom_stones_done(&s);
            return err_set(info, ERR_OOM, "no memory for tombstones");
        }
    }
    if (t.bad) {
        prom_stones_done(&s);
        return err_set(info, ERR_CORRUPT, "the tombstones end early");
    }
    prom_stones_sort(&s);
    *ret_s = s;
    return ERR_OK;
}

void prom_stones_done(struct prom_stones *s)
{
    mem_free(s->items);
    *s = (struct prom_stones){0};
}

struct prom_stones prom_stones_of(const struct prom_stones *s, uint64_t ref)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (s->items[mid].ref < ref) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    size_t n = 0;
    while (lo + n < s->n && s->items[lo + n].ref == ref) {
        n++;
    }
    return (struct prom_stones){.items = n ? s->items + lo : NULL, .n = n};
}

bool prom_stones_cover(const struct prom_stones *of_series, ts_ms ts)
{
    for (size_t i = 0; i < of_series->n && of_series->items[i].min_ts <= ts; i++) {
        if (ts <= of_series->items[i].max_ts) {
            return true;
        }
    }
    return false;
}
