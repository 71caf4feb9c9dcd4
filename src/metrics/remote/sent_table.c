/* Open addressing, linear probing; nothing is ever removed: each round makes a new table. */
#include "metrics/remote/sent_table.h"

#include "base/hash.h"
#include "base/mem.h"

enum {
    TABLE_MIN = 256
};

void sent_table_done(struct sent_table *t)
{
    mem_free(t->slots);
    *t = (struct sent_table){0};
}

static struct sent_slot *slot_of(const struct sent_table *t, uint64_t id)
{
    size_t i = hash_u64(id) & (t->cap - 1);
    while (t->slots[i].used && t->slots[i].id != id) {
        i = (i + 1) & (t->cap - 1);
    }
    return &t->slots[i];
}

ts_ms sent_table_get(const struct sent_table *t, uint64_t id, ts_ms otherwise)
{
    const struct sent_slot *s = t->cap ? slot_of(t, id) : NULL;
    return s && s->used ? s->ts : otherwise;
}

static enum err grow(struct sent_table *t)
{
    struct sent_table bigger = {.cap = t->cap ? t->cap * 2 : TABLE_MIN};
    bigger.slots = mem_zarray(bigger.cap, sizeof(*bigger.slots));
    if (!bigger.slots) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < t->cap; i++) {
        if (t->slots[i].used) {
            *slot_of(&bigger, t->slots[i].id) = t->slots[i];
        }
    }
    bigger.count = t->count;
    mem_free(t->slots);
    *t = bigger;
    return ERR_OK;
}

enum err sent_table_put(struct sent_table *t, uint64_t id, ts_ms ts)
{
    if ((t->count + 1) * 4 > t->cap * 3 && grow(t)) {
        return ERR_OOM;
    }
    struct sent_slot *s = slot_of(t, id);
    t->count += !s->used;
    *s = (struct sent_slot){id, ts, true};
    return ERR_OK;
}
