/* Series table and clocks of a head. */
#include "metrics/tsdb/head.h"

#include <assert.h>

#include "base/assert.h"
#include "base/mem.h"

enum {
    ENTRY_BITS = 27 /* of a table entry: slot + 1; the bits above are the hash's, and spare a look at most
                       series that only stand near */
};

static_assert(SLOTS_MAX < 1 << ENTRY_BITS, "a slot fits its entry");

enum err head_new(struct tenant *t, uint32_t tenant_number, unsigned partition, struct chunk_pool *pool,
                  struct head **ret_h)
{
    struct head *h = mem_zalloc(sizeof(*h));
    if (!h || index_new(&h->index) != ERR_OK) {
        mem_free(h);
        return ERR_OOM;
    }
    h->tenant = t;
    h->tenant_number = tenant_number;
    h->partition = partition;
    h->pool = pool;
    h->min_ts = INT64_MAX;
    h->max_ts = INT64_MIN;
    *ret_h = h;
    return ERR_OK;
}

static void series_done(struct head *h, struct series *s)
{
    for (struct chunk *c = s->sealed, *older; c; c = older) {
        older = c->older;
        h->chunk_count--;
        h->chunk_bytes -= chunk_heap_bytes(c);
        chunk_unref(c);
    }
    if (s->ext) {
        h->late_count -= s->ext->late_count;
        for (uint32_t i = 0; i < s->ext->late_count; i++) {
            mem_free(s->ext->late[i].rich);
        }
        if (s->ext->rich) {
            h->tail_bytes -= s->ext->rich->stream.cap;
            buf_done(&s->ext->rich->stream);
            mem_free(s->ext->rich->newest);
            mem_free(s->ext->rich);
        }
        mem_free(s->ext->times);
        mem_free(s->ext->late);
        mem_free(s->ext);
    }
    head_tail_free(h, s);
    *s = (struct series){0};
}

void head_free(struct head *h)
{
    if (!h) {
        return;
    }
    for (uint32_t i = 0; i < h->slot_count; i++) {
        series_done(h, head_series(h, i));
    }
    for (size_t i = 0; i < h->clock_count; i++) {
        mem_free(h->clocks[i].ts);
    }
    mem_free(h->pages);
    mem_free(h->free_slots);
    mem_free(h->table);
    mem_free(h->clocks);
    mem_free(h->free_clocks);
    u64map_done(&h->clock_of);
    index_unref(h->index);
    mem_free(h);
}

struct head_bytes head_bytes(const struct head *h)
{
    struct head_bytes b = {.index = index_bytes(h->index)};
    b.series = sizeof(*h) + h->page_count * sizeof(struct series_page) + h->table_cap * sizeof(*h->table) +
               h->free_cap * sizeof(*h->free_slots) + h->page_cap * sizeof(struct series_page *);
    b.clocks = h->clock_cap * sizeof(*h->clocks);
    for (size_t i = 0; i < h->clock_count; i++) {
        b.clocks += h->clocks[i].cap * sizeof(ts_ms);
    }
    b.tails = h->tail_bytes;
    b.chunks = h->chunk_bytes;
    b.late = h->late_count * sizeof(struct late_sample);
    return b;
}

static uint32_t entry_of(uint64_t hash, uint32_t slot)
{
    return (uint32_t)(hash >> (32 + ENTRY_BITS)) << ENTRY_BITS | (slot + 1);
}

static uint32_t entry_slot(uint32_t entry)
{
    return (entry & ((UINT32_C(1) << ENTRY_BITS) - 1)) - 1;
}

uint32_t head_find(const struct head *h, struct labels ls, uint64_t hash)
{
    if (!h->table_cap) {
        return UINT32_MAX;
    }
    for (size_t i = hash & (h->table_cap - 1); h->table[i]; i = (i + 1) & (h->table_cap - 1)) {
        if ((h->table[i] ^ entry_of(hash, 0)) >> ENTRY_BITS) {
            continue;
        }
        uint32_t slot = entry_slot(h->table[i]);
        if (*head_hash(h, slot) == hash && index_labels_eq(h->index, head_series(h, slot)->labels, ls)) {
            return slot;
        }
    }
    return UINT32_MAX;
}

void head_find_soon(const struct head *h, uint64_t hash)
{
    if (h->table_cap) {
        __builtin_prefetch(&h->table[hash & (h->table_cap - 1)]);
    }
}

static void table_enter(uint32_t *table, size_t cap, uint64_t hash, uint32_t slot)
{
    size_t i = hash & (cap - 1);
    while (table[i]) {
        i = (i + 1) & (cap - 1);
    }
    table[i] = entry_of(hash, slot);
}

/* Linear probing without tombstones: what follows moves up. */
static void table_remove(struct head *h, uint64_t hash, uint32_t slot)
{
    size_t mask = h->table_cap - 1, i = hash & mask;
    while (entry_slot(h->table[i]) != slot) {
        ASSERT(h->table[i]);
        i = (i + 1) & mask;
    }
    for (size_t j = (i + 1) & mask; h->table[j]; j = (j + 1) & mask) {
        size_t home = *head_hash(h, entry_slot(h->table[j])) & mask;
        if (((j - home) & mask) >= ((j - i) & mask)) {
            h->table[i] = h->table[j];
            i = j;
        }
    }
    h->table[i] = 0;
}

static enum err table_reserve(struct head *h)
{
    if ((h->series_count + 1) * 4 <= h->table_cap * 3) {
        return ERR_OK;
    }
    size_t cap = h->table_cap ? h->table_cap * 2 : 16;
    uint32_t *table = mem_zarray(cap, sizeof(*table));
    if (!table) {
        return ERR_OOM;
    }
    for (uint32_t i = 0; i < h->slot_count; i++) { /* in order of memory */
        if (head_series(h, i)->flags & SERIES_LIVE) {
            table_enter(table, cap, *head_hash(h, i), i);
        }
    }
    mem_free(h->table);
    h->table = table;
    h->table_cap = cap;
    return ERR_OK;
}

static enum err slots_reserve(struct head *h, uint32_t slot)
{
    while (slot / SERIES_PAGE >= h->page_count) {
        if (vec_reserve((void **)&h->pages, &h->page_cap, h->page_count + 1, sizeof(struct series_page *)) !=
            ERR_OK) {
            return ERR_OOM;
        }
        struct series_page *page = head_pool_page(&h->pool->heads, sizeof(*page));
        if (!page) {
            return ERR_OOM;
        }
        h->pages[h->page_count++] = page;
    }
    return ERR_OK;
}

static enum err clocks_reserve(struct head *h)
{
    return u64map_reserve(&h->clock_of) != ERR_OK ||
                   vec_reserve((void **)&h->clocks, &h->clock_cap, h->clock_count + 1, sizeof(*h->clocks)) !=
                       ERR_OK ||
                   vec_reserve((void **)&h->free_clocks, &h->free_clock_cap, h->clock_count + 1,
                               sizeof(uint32_t)) != ERR_OK
               ? ERR_OOM
               : ERR_OK;
}

static enum err clock_for(struct head *h, uint64_t target, uint32_t *ret_clock)
{
    if (clocks_reserve(h) != ERR_OK) {
        return ERR_OOM;
    }
    uint32_t *place = u64map_place(&h->clock_of, target);
    if (*place == UINT32_MAX) {
        *place = h->free_clock_count ? h->free_clocks[--h->free_clock_count] : (uint32_t)h->clock_count++;
        h->clocks[*place] = (struct ticks){.target = target};
    }
    *ret_clock = *place;
    return ERR_OK;
}

enum err head_clock_restore(struct head *h, uint32_t number, const struct ticks *ticks)
{
    while (h->clock_count <= number) {
        if (clocks_reserve(h) != ERR_OK) {
            return ERR_OOM;
        }
        h->clocks[h->clock_count] = (struct ticks){0};
        h->free_clocks[h->free_clock_count++] = (uint32_t)h->clock_count++;
    }
    for (size_t i = h->free_clock_count; i-- > 0;) {
        if (h->free_clocks[i] == number) {
            h->free_clocks[i] = h->free_clocks[--h->free_clock_count];
            break;
        }
    }
    *u64map_place(&h->clock_of, ticks->target) = number;
    h->clocks[number] = *ticks;
    return ERR_OK;
}

void clocks_release(struct head *h)
{
    struct u64map kept = {0};
    for (size_t i = 0; i < h->clock_count; i++) {
        if (h->clocks[i].series == 0) {
            continue;
        }
        if (u64map_reserve(&kept) != ERR_OK) {
            u64map_done(&kept);
            return;
        }
        *u64map_place(&kept, h->clocks[i].target) = (uint32_t)i;
    }
    h->free_clock_count = 0;
    for (size_t i = 0; i < h->clock_count; i++) { /* clock_for made room for all */
        if (h->clocks[i].series == 0) {
            mem_free(h->clocks[i].ts);
            h->clocks[i] = (struct ticks){0};
            h->free_clocks[h->free_clock_count++] = (uint32_t)i;
        }
    }
    u64map_done(&h->clock_of);
    h->clock_of = kept;
}

/* A slot for a new series: the wanted one (emptied), a free one or the next. */
static enum err slot_take(struct head *h, uint32_t want, uint32_t *ret_slot)
{
    uint32_t slot = want != UINT32_MAX  ? want
                    : h->free_count > 0 ? h->free_slots[h->free_count - 1]
                                        : h->slot_count;
    if (slot >= SLOTS_MAX) {
        return ERR_LIMIT;
    }
    if (slots_reserve(h, slot) != ERR_OK ||
        vec_reserve((void **)&h->free_slots, &h->free_cap, h->page_count * SERIES_PAGE, sizeof(uint32_t)) !=
            ERR_OK) {
        return ERR_OOM;
    }
    *ret_slot = slot;
    return ERR_OK;
}

static void slot_occupy(struct head *h, uint32_t slot)
{
    if (slot >= h->slot_count) {
        while (h->slot_count < slot) {
            h->free_slots[h->free_count++] = h->slot_count++;
        }
        h->slot_count++;
        return;
    }
    for (size_t i = h->free_count; i-- > 0;) {
        if (h->free_slots[i] == slot) {
            h->free_slots[i] = h->free_slots[--h->free_count];
            return;
        }
    }
}

enum err head_create(struct head *h, struct labels ls, uint64_t hash, uint64_t target, uint32_t want,
                     uint32_t *ret_slot)
{
    uint32_t slot = 0, clock = 0;
    enum err e = slot_take(h, want, &slot);
    if (e != ERR_OK) {
        return e;
    }
    if (slot < h->slot_count && (head_series(h, slot)->flags & SERIES_LIVE)) {
        head_remove(h, slot);
    }
    const struct packed_labels *packed = NULL;
    if (table_reserve(h) != ERR_OK || clock_for(h, target, &clock) != ERR_OK ||
        index_add(h->index, ls, slot, &packed) != ERR_OK) {
        return ERR_OOM;
    }
    slot_occupy(h, slot);
    *head_series(h, slot) =
        (struct series){.labels = packed, .clock = clock & ((1u << 26) - 1), .flags = SERIES_LIVE};
    *head_hash(h, slot) = hash;
    *head_order(h, slot) = 0;
    h->clocks[clock].series++;
    h->series_count++;
    table_enter(h->table, h->table_cap, hash, slot);
    *ret_slot = slot;
    return ERR_OK;
}

void head_remove(struct head *h, uint32_t slot)
{
    struct series *s = head_series(h, slot);
    table_remove(h, *head_hash(h, slot), slot);
    index_remove(h->index, s->labels, slot);
    h->clocks[s->clock].series--;
    for (struct chunk *c = s->sealed; c; c = c->older) { /* its file must not give it to another */
        c->state = CHUNK_GONE;
    }
    series_done(h, s);
    h->series_count--;
    h->free_slots[h->free_count++] = slot; /* slot_take made room for all slots */
}
