/* Replay: records of one partition into its heads; what is there already stays.
 *
 * Samples are not applied as they are read. They are put aside in chains, one for each series, and a chain is
 * applied as a whole: the record of the series, the end of its tail and its clock are touched once for all of
 * its samples instead of once for each. A series' samples keep their order; those of different series do not,
 * which nobody sees: the partition is locked meanwhile, and the clock of a target gets its ticks from
 * whichever series comes first. */
#include "base/mem.h"
#include "metrics/tsdb/record.h"
#include "metrics/tsdb/replay_int.h"
#include "metrics/tsdb/side.h"

enum {
    GROUP_SAMPLES = 1 << 17, /* 2 MiB a thread */
    GROUP_MOMENTS = 4096,
    ROW = 64, /* samples read at once */
    RUN = 64  /* samples of a series applied at once */
};

struct pending {
    uint64_t bits;
    uint32_t next;   /* of the series: place + 1; 0: none */
    uint32_t moment; /* number */
};

/* Timestamps, as most samples of a record share theirs. */
struct moment {
    ts_ms ts, tick;
};

/* The samples of a slot that wait: places + 1; 0: none. */
struct chain {
    uint32_t first, last;
};

struct replay_group {
    struct tsdb *db;
    struct tenant *tenant;
    struct head *head;
    struct chain *chains; /* by slot */
    size_t chain_cap;
    uint32_t *slots; /* that have a chain, in the order of their first sample */
    size_t slot_count, sample_count, moment_count;
    ts_ms max; /* of what was applied */
    struct pending samples[GROUP_SAMPLES];
    struct moment moments[GROUP_MOMENTS];
};

struct replay_group *replay_group_new(void)
{
    struct replay_group *g = mem_alloc(sizeof(*g));
    uint32_t *slots = mem_array(GROUP_SAMPLES, sizeof(*slots));
    if (!g || !slots) {
        mem_free(g);
        mem_free(slots);
        return NULL;
    }
    memset(g, 0, offsetof(struct replay_group, samples));
    g->slots = slots;
    return g;
}

void replay_group_free(struct replay_group *g)
{
    if (g) {
        mem_free(g->chains);
        mem_free(g->slots);
        mem_free(g);
    }
}

static void orphan(struct tsdb *db)
{
    atomic_fetch_add_explicit(&db->wal_orphans, 1, memory_order_relaxed);
}

/* -- samples --------------------------------------------------------------------------------------------- */

static enum err sample(struct head *h, struct series *s, ts_ms ts, const struct sample_value *v, ts_ms tick)
{
    enum err e = ERR_OK;
    if (!(s->flags & SERIES_STARTED) || ts > s->last_ts) {
        e = head_push(h, s, ts, v, tick);
    } else if (ts < s->last_ts && !head_sealed_at(h, s, ts)) {
        e = head_push_late(h, s, ts, v, false);
    }
    return e == ERR_EXISTS || e == ERR_LIMIT ? ERR_OK : e;
}

/* Samples in ascending order, none of which is there yet. */
struct run {
    ts_ms ts[RUN], ticks[RUN];
    uint64_t bits[RUN];
    size_t n;
};

static enum err run_apply(struct replay_group *g, struct series *s, struct run *r)
{
    enum err e = r->n ? head_push_floats(g->head, s, r->ts, r->ticks, r->bits, r->n) : ERR_OK;
    if (r->n) {
        g->max = r->ts[r->n - 1] > g->max ? r->ts[r->n - 1] : g->max;
    }
    r->n = 0;
    return e;
}

static enum err chain_apply(struct replay_group *g, uint32_t slot)
{
    struct series *s = head_series(g->head, slot);
    struct run r;
    enum err e = ERR_OK;
    uint32_t at = g->chains[slot].first;
    ts_ms newest = s->flags & SERIES_STARTED ? s->last_ts : INT64_MIN;
    g->chains[slot] = (struct chain){0};
    r.n = 0;
    while (at && e == ERR_OK) {
        const struct pending *p = &g->samples[at - 1];
        const struct moment *m = &g->moments[p->moment];
        at = p->next;
        if (m->ts > newest) {
            r.ts[r.n] = newest = m->ts;
            r.ticks[r.n] = m->tick;
            r.bits[r.n++] = p->bits;
            e = r.n == RUN ? run_apply(g, s, &r) : ERR_OK;
        } else if (m->ts < newest && !head_sealed_at(g->head, s, m->ts)) {
            struct sample_value v = {.bits = p->bits};
            e = run_apply(g, s, &r);
            e = e == ERR_OK ? sample(g->head, s, m->ts, &v, m->tick) : e;
        }
    }
    return e == ERR_OK ? run_apply(g, s, &r) : e;
}

/* Asks memory for the record of a series that comes soon, and for the tail of one that comes sooner.
 * In line: gcc takes a function that only prefetches for one without effects, and drops calls of it. */
static inline __attribute__((always_inline)) void chain_soon(const struct replay_group *g, size_t at)
{
    enum {
        RECORD_AHEAD = 24,
        TAIL_AHEAD = 12
    };
    if (at + RECORD_AHEAD < g->slot_count) {
        __builtin_prefetch(head_series(g->head, g->slots[at + RECORD_AHEAD]), 1);
    }
    if (at + TAIL_AHEAD < g->slot_count) {
        const struct series *s = head_series(g->head, g->slots[at + TAIL_AHEAD]);
        if (s->tail) {
            __builtin_prefetch(s->tail + s->tail_bits / 8, 1);
        }
    }
}

/* Applies what waits. */
static enum err group_flush(struct replay_group *g)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < g->slot_count && e == ERR_OK; i++) {
        chain_soon(g, i);
        e = chain_apply(g, g->slots[i]);
    }
    g->slot_count = g->sample_count = g->moment_count = 0;
    return e;
}

static enum err chains_reserve(struct replay_group *g, size_t slots)
{
    size_t before = g->chain_cap;
    if (slots <= before) {
        return ERR_OK;
    }
    if (vec_reserve((void **)&g->chains, &g->chain_cap, slots, sizeof(*g->chains)) != ERR_OK) {
        return ERR_OOM;
    }
    memset(g->chains + before, 0, (g->chain_cap - before) * sizeof(*g->chains));
    return ERR_OK;
}

/* The head whose samples come next. */
static enum err group_open(struct replay_group *g, struct tsdb *db, struct tenant *t, struct head *h)
{
    enum err e = g->head == h ? ERR_OK : group_flush(g);
    if (g->tenant && g->tenant != t) {
        tenant_max_ts_raise(g->tenant, g->max);
        g->max = INT64_MIN;
    }
    g->db = db;
    g->tenant = t;
    g->head = h;
    return e;
}

/* Applies what waits and forgets the head. */
static enum err group_close(struct replay_group *g)
{
    enum err e = g->head ? group_flush(g) : ERR_OK;
    if (g->tenant) {
        tenant_max_ts_raise(g->tenant, g->max);
    }
    g->head = NULL;
    g->tenant = NULL;
    g->max = INT64_MIN;
    return e;
}

static bool slot_lives(const struct head *h, uint32_t slot)
{
    return slot < h->slot_count && (head_series(h, slot)->flags & SERIES_LIVE);
}

static bool chain_waits(const struct replay_group *g, uint32_t slot)
{
    return slot < g->chain_cap && g->chains[slot].first;
}

/* There is room for ROW more samples and moments. */
static void put_aside(struct replay_group *g, uint32_t slot, ts_ms ts, uint64_t bits, ts_ms tick)
{
    struct moment *m = g->moment_count ? &g->moments[g->moment_count - 1] : NULL;
    if (!m || m->ts != ts || m->tick != tick) {
        g->moments[g->moment_count++] = (struct moment){ts, tick};
    }
    g->samples[g->sample_count++] = (struct pending){.bits = bits, .moment = (uint32_t)g->moment_count - 1};
    uint32_t place = (uint32_t)g->sample_count;
    struct chain *c = &g->chains[slot];
    if (c->first) {
        g->samples[c->last - 1].next = place;
    } else {
        c->first = place;
        g->slots[g->slot_count++] = slot;
    }
    c->last = place;
}

static bool has_room(const struct replay_group *g)
{
    return g->sample_count + ROW <= GROUP_SAMPLES && g->moment_count + ROW <= GROUP_MOMENTS;
}

/* A histogram lives in the reader's memory: what its series has waits no longer, nor does it. */
static enum err rich_apply(struct replay_group *g, uint32_t slot, ts_ms ts, const struct sample_value *v,
                           ts_ms tick)
{
    enum err e = chain_apply(g, slot);
    e = e == ERR_OK ? sample(g->head, head_series(g->head, slot), ts, v, tick) : e;
    g->max = ts > g->max ? ts : g->max;
    return e;
}

/* One sample of any kind. Errors also: NOT_FOUND at the end. */
static enum err any_sample(struct replay_group *g, struct record_reader *in, ts_ms keep_from, ts_ms *tick)
{
    uint32_t slot = 0;
    ts_ms ts = 0;
    struct sample_value v = {0};
    enum err e = record_next_sample(in, &slot, &ts, &v);
    if (e != ERR_OK) {
        return e;
    }
    *tick = *tick == INT64_MIN ? ts : *tick;
    if (ts < keep_from) {
        return ERR_OK;
    }
    if (!slot_lives(g->head, slot)) {
        orphan(g->db);
        return ERR_OK;
    }
    if (value_is_rich(&v)) {
        return rich_apply(g, slot, ts, &v, *tick);
    }
    put_aside(g, slot, ts, v.bits, *tick);
    return ERR_OK;
}

/* The samples of a record; what is older than keep_from is in a block. */
static enum err samples(struct replay_group *g, struct record_reader *in, ts_ms keep_from)
{
    struct record_float row[ROW];
    ts_ms tick = INT64_MIN; /* what the first sample has, most have */
    enum err e = chains_reserve(g, g->head->slot_count);
    while (e == ERR_OK) {
        if (!has_room(g) && (e = group_flush(g)) != ERR_OK) {
            break;
        }
        size_t n = record_next_floats(in, row, ROW);
        if (n == 0) {
            e = any_sample(g, in, keep_from, &tick);
            continue;
        }
        tick = tick == INT64_MIN ? row[0].ts : tick;
        for (size_t i = 0; i < n; i++) { /* a slot with a chain lives; for others memory is asked */
            if (!chain_waits(g, row[i].slot) && row[i].slot < g->head->slot_count) {
                __builtin_prefetch(&head_series(g->head, row[i].slot)->flags);
            }
        }
        for (size_t i = 0; i < n; i++) {
            if (row[i].ts < keep_from) {
                continue;
            }
            if (chain_waits(g, row[i].slot) || slot_lives(g->head, row[i].slot)) {
                put_aside(g, row[i].slot, row[i].ts, row[i].bits, tick);
            } else {
                orphan(g->db);
            }
        }
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* -- definitions ----------------------------------------------------------------------------------------- */

static enum err define(struct replay_group *g, uint32_t slot, struct labels ls, uint32_t order)
{
    struct head *h = g->head;
    struct tenant *t = g->tenant;
    uint64_t hash = labels_hash(ls);
    uint32_t known = head_find(h, ls, hash);
    if (known == slot) {
        return ERR_OK;
    }
    if (known != UINT32_MAX || slot_lives(h, slot)) { /* what waits is of the series that were */
        enum err e = group_flush(g);
        if (e != ERR_OK) {
            return e;
        }
    }
    if (known != UINT32_MAX) { /* it was dropped and came back elsewhere: what it had is in a block */
        head_remove(h, known);
        atomic_fetch_sub_explicit(&t->series, 1, memory_order_relaxed);
    }
    size_t before = h->series_count;
    enum err e = head_create(h, ls, hash, series_target(t->name, ls, hash), slot, &slot);
    if (e != ERR_OK) {
        return e;
    }
    head_series(h, slot)->flags |= SERIES_LOGGED;
    *head_order(h, slot) = order;
    atomic_fetch_add_explicit(&t->series, h->series_count - before, memory_order_relaxed);
    return ERR_OK;
}

/* Definitions apply at once, samples when the group is flushed. */
static enum err record_apply(struct replay_group *g, unsigned partition, const struct queued *q,
                             struct str record)
{
    struct label labels[LABELS_MAX];
    struct arena memory AUTO_ARENA;
    struct record_reader in = {.labels = labels, .memory = &memory};
    struct str name = {0};
    struct labels ls = {0};
    uint32_t slot = 0, order = q->order;
    bool flushed = q->offset < g->db->store.flushed_offset[partition]; /* OFFSET_NONE: not */
    arena_init(&memory, 0, NULL);
    enum err e = record_open(&in, record, &name);
    while (e == ERR_OK && (e = record_next_definition(&in, &slot, &ls)) == ERR_OK) {
        e = define(g, slot, ls, order++);
    }
    return e == ERR_NOT_FOUND ? samples(g, &in, flushed ? g->db->store.flushed_before : INT64_MIN) : e;
}

/* One record of a queue. Under the partition's lock. */
static enum err queued_apply(struct tsdb *db, unsigned partition, const struct queued *q, struct str record,
                             struct replay_group *g)
{
    struct head *h = NULL;
    enum err e = partition_head(&db->partitions[partition], q->tenant, &db->pool, &h);
    e = e == ERR_OK ? group_open(g, db, q->tenant, h) : e;
    e = e == ERR_OK ? record_apply(g, partition, q, record) : e;
    if (e == ERR_CORRUPT) { /* it passed its checksum: not a torn write; the rest is worth more than order */
        orphan(db);
        e = ERR_OK;
    }
    return e;
}

/* The next record of the queue, or NULL. */
static const char *queue_next(const struct buf *queue, size_t *at, struct queued *ret_q)
{
    if (*at >= queue->n) {
        return NULL;
    }
    memcpy(ret_q, queue->p + *at, sizeof(*ret_q));
    const char *record = queue->p + *at + sizeof(*ret_q);
    *at += sizeof(*ret_q) + ret_q->bytes;
    return record;
}

enum err replay_queue_apply(struct tsdb *db, unsigned partition, struct buf *queue, struct replay_group *g)
{
    struct partition *p = &db->partitions[partition];
    struct queued q;
    const char *record;
    enum err e = ERR_OK;
    size_t at = 0;
    g->max = INT64_MIN;
    mutex_lock(&p->lock); /* nobody appends, but figures may be asked for */
    while (e == ERR_OK && (record = queue_next(queue, &at, &q)) != NULL) {
        e = queued_apply(db, partition, &q, str_of(record, q.bytes), g);
        p->end = q.offset == OFFSET_NONE ? p->end : q.offset + 1;
    }
    enum err closed = group_close(g);
    mutex_unlock(&p->lock);
    buf_reset(queue);
    return e == ERR_OK ? closed : e;
}

enum err replay_record_look(struct tsdb *db, struct str record, struct tenant **ret_t, uint32_t *ret_order)
{
    struct label labels[LABELS_MAX];
    struct record_reader in = {.labels = labels};
    struct str name = {0};
    struct labels ls = {0};
    uint32_t n = 0, slot = 0;
    enum err e = record_open(&in, record, &name);
    while (e == ERR_OK && (e = record_next_definition(&in, &slot, &ls)) == ERR_OK) {
        n++;
    }
    e = e == ERR_NOT_FOUND ? tenant_get(db, name, true, ret_t) : e;
    if (e == ERR_OK) {
        *ret_order = n ? (uint32_t)atomic_fetch_add_explicit(&(*ret_t)->created, n, memory_order_relaxed) : 0;
    }
    return e;
}
