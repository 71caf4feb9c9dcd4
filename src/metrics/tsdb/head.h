/* The head of one tenant in one partition: recent samples in memory. The partition's lock guards all of it.
 */
#ifndef CAIRN_METRICS_TSDB_HEAD_H
#define CAIRN_METRICS_TSDB_HEAD_H

#include <assert.h>

#include "base/clock.h"
#include "metrics/tsdb/chunk.h"
#include "metrics/tsdb/chunk_pool.h"
#include "metrics/tsdb/index.h"
#include "metrics/tsdb/limits.h"
#include "metrics/tsdb/rich.h"
#include "metrics/tsdb/values.h"

/* Ticks of one target. Tick numbers are absolute: ts[i] is tick first + i. */
struct ticks {
    ts_ms *ts;
    uint32_t first, n, cap;
    uint32_t series; /* that use it */
    uint64_t target;
};

struct late_sample {
    ts_ms ts;
    uint64_t bits; /* identity (rich.h) */
    char *rich;    /* on the heap: the sample's stream when it is more than a float */
    uint32_t rich_bytes;
    bool fresh; /* came while a flush was running, and is not part of its block */
};

/* The open tail of a series with histograms or start timestamps. */
struct rich_tail {
    struct buf stream;
    struct rich_state state;
    struct histogram *newest; /* on the heap: the newest that is no staleness marker */
    bool newest_is_last;      /* nothing came after it */
};

/* What few series need: own timestamps of the tail, late samples, rich samples. */
struct series_ext {
    struct rich_tail *rich;
    uint8_t *times; /* varint stream of the tail's timestamps after the first */
    uint32_t times_bytes, times_cap;
    uint64_t times_delta;
    ts_ms times_first;
    struct late_sample *late; /* ascending, unique */
    uint32_t late_count, late_cap;
};

enum series_flags {
    SERIES_LIVE = 1,      /* the slot is in use */
    SERIES_LOGGED = 2,    /* its definition is in the log */
    SERIES_STARTED = 4,   /* last_ts and last_bits hold */
    SERIES_OWN_TIMES = 8, /* the tail's timestamps are in ext */
    SERIES_DEFINED = 16,  /* its definition is in the record being written */
    SERIES_RICH = 32,     /* the tail's samples are in ext->rich */
    SERIES_KEPT = 128,    /* its definition is in a file of the checkpoint (checkpoint.h) */
    SERIES_TAKEN = 64,    /* has its sample of the column that is being written (append_column.c) */
};

/* One cache line: all that another sample needs. Values that equal the one before are only counted until a
 * different one comes, so that most samples of most series touch nothing else. */
struct series {
    const struct packed_labels *labels;
    struct chunk *sealed; /* newest first */
    struct series_ext *ext;
    uint8_t *tail;           /* an XOR stream: tail_bits, then a zero for each of tail_same */
    ts_ms last_ts;           /* of the newest sample that was accepted in order; the tail ends there */
    uint64_t last_bits;      /* its identity */
    uint32_t clock : 26;     /* number in clocks */
    uint32_t generation : 6; /* of the head when the tail began (checkpoint.h) */
    uint32_t tail_tick;      /* of the tail's first sample */
    uint16_t tail_bits;
    uint8_t tail_lead, tail_sig; /* of struct xor_state */
    uint8_t
        tail_units; /* of memory: TAIL_UNIT_BYTES each; from head_pool.h as long as it is TAIL_BYTES_FIRST */
    uint8_t tail_count; /* samples */
    uint8_t tail_same;
    uint8_t flags;
};

static_assert(sizeof(struct series) == 64, "a cache line");
static_assert(SLOTS_MAX <= 1 << 26, "as many clocks as series");

struct tenant;

enum {
    SERIES_PAGE = 64,
    TAIL_UNIT_BYTES = 8,
    GENERATIONS = 64
};

/* What is seldom looked at stands apart. */
struct series_page {
    struct series series[SERIES_PAGE];
    uint64_t hash[SERIES_PAGE];
    uint32_t order[SERIES_PAGE]; /* rises as series of the tenant are created */
};

struct head {
    struct tenant *tenant;
    uint32_t tenant_number;
    unsigned partition;
    uint8_t generation;      /* of tails and late samples that begin now, modulo GENERATIONS */
    uint8_t late_generation; /* of the oldest late sample */
    struct chunk_pool *pool; /* where chunks are sealed to, and series and tails come from */
    struct index *index;
    struct tail_pool tails;
    struct series_page **pages; /* addresses stay */
    size_t page_count, page_cap;
    uint32_t slot_count; /* slots ever used */
    uint32_t *free_slots;
    size_t free_count, free_cap;
    uint32_t *table; /* hash table: slot + 1, and bits of the hash above (head.c) */
    size_t table_cap, series_count;
    struct ticks *clocks;
    size_t clock_count, clock_cap;
    struct u64map clock_of; /* target hash -> clock */
    uint32_t *free_clocks;
    size_t free_clock_count, free_clock_cap;
    size_t dropped; /* series removed since the index was built */
    size_t chunk_count, tail_bytes, late_count;
    size_t chunk_bytes;   /* of those on the heap */
    ts_ms min_ts, max_ts; /* of the samples; INT64_MAX, INT64_MIN when there are none */
};

/* The pool outlives the head. */
MUST_USE enum err head_new(struct tenant *t, uint32_t tenant_number, unsigned partition,
                           struct chunk_pool *pool, struct head **ret_h);
void head_free(struct head *h); /* accepts NULL */
/* Memory by purpose; what the allocator adds is guessed. */
struct head_bytes {
    size_t series, index, tails, clocks, chunks, late;
};
struct head_bytes head_bytes(const struct head *h);

static inline struct series *head_series(const struct head *h, uint32_t slot)
{
    return &h->pages[slot / SERIES_PAGE]->series[slot % SERIES_PAGE];
}

static inline uint64_t *head_hash(const struct head *h, uint32_t slot)
{
    return &h->pages[slot / SERIES_PAGE]->hash[slot % SERIES_PAGE];
}

static inline uint32_t *head_order(const struct head *h, uint32_t slot)
{
    return &h->pages[slot / SERIES_PAGE]->order[slot % SERIES_PAGE];
}

/* The slot, or UINT32_MAX. */
uint32_t head_find(const struct head *h, struct labels ls, uint64_t hash);
/* head_find comes soon: memory is asked for what it will look at. */
void head_find_soon(const struct head *h, uint64_t hash);
/* A new series at a free slot (want == UINT32_MAX), or at `want` when a log is replayed: a series that is
 * there with other labels has no samples that matter any more and goes. Errors: OOM, LIMIT. */
MUST_USE enum err head_create(struct head *h, struct labels ls, uint64_t hash, uint64_t target, uint32_t want,
                              uint32_t *ret_slot);
/* Takes a series and its samples out. */
void head_remove(struct head *h, uint32_t slot);

/* Appends after the newest sample. batch_tick: the timestamp most samples of the batch share, INT64_MIN for
 * none. Errors: OOM, and the series is as before. */
MUST_USE enum err head_push(struct head *h, struct series *s, ts_ms ts, const struct sample_value *v,
                            ts_ms batch_tick);
/* The time of samples of many series, and where it is on the clock that the last of them was on. */
struct column_tick {
    ts_ms ts, batch_tick; /* the caller's; batch_tick as in head_push */
    uint32_t clock, tick; /* CLOCK_NONE at first */
    uint32_t count_max;   /* a tail with that many samples ends before the tick */
};
/* head_push of a float at t->ts, quick where the series keeps step with the one before. */
MUST_USE enum err head_push_column(struct head *h, struct series *s, uint64_t bits, struct column_tick *t);
/* head_push of n floats of one series with ascending timestamps, each with its batch_tick. Errors: OOM, and
 * the first samples may be in. */
MUST_USE enum err head_push_floats(struct head *h, struct series *s, const ts_ms *ts,
                                   const ts_ms *batch_ticks, const uint64_t *bits, size_t n);
/* The identity of the sample at ts in chunks, tail and late samples. */
bool head_sample_at(const struct head *h, const struct series *s, ts_ms ts, uint64_t *ret_identity);
/* There is a sample at ts in the sealed chunks; values are not looked at. */
bool head_sealed_at(const struct head *h, const struct series *s, ts_ms ts);
/* Enters a sample older than the newest. Errors: OOM, EXISTS (there is one at ts), LIMIT. */
MUST_USE enum err head_push_late(struct head *h, struct series *s, ts_ms ts, const struct sample_value *v,
                                 bool fresh);
/* Gives back the memory of the tail. */
void head_tail_free(struct head *h, struct series *s);
/* Forgets the open tail. */
void head_tail_clear(struct series *s);
/* Turns the tail into a chunk. */
MUST_USE enum err head_seal(struct head *h, struct series *s);
/* The tail as a chunk outside the series' list; memory from the arena when `a` is given (it is never
 * unreferenced then), else from the pool, which may be NULL, or the heap. NULL when there is no memory. */
struct chunk *head_tail_copy(const struct head *h, const struct series *s, struct chunk_pool *pool,
                             struct arena *a);

/* A clock as it was, before there are series (head_restore.c); `ticks` has the number it had, and its times,
 * which the head takes from the heap. Errors: OOM. */
MUST_USE enum err head_clock_restore(struct head *h, uint32_t number, const struct ticks *ticks);
/* A sealed chunk of the series at the slot, newer than those it has; the reference is taken. */
void head_chunk_restore(struct head *h, uint32_t slot, struct chunk *c);
/* After the last one: what the series know of their newest samples. Errors: OOM. */
MUST_USE enum err head_restored(struct head *h);

/* All late samples there are belong to the flush that begins. */
void head_keep_fresh(struct head *h);
/* Takes out what is older than `before` but late samples that are fresh, and series that have nothing left,
 * but those whose newest sample was at alive_from or later: what follows is still judged beside it. Errors:
 * OOM, with nothing done. */
MUST_USE enum err head_trim(struct head *h, ts_ms before, ts_ms alive_from, size_t *ret_removed);
/* Builds the index anew when many series are gone. Errors: OOM, harmless. */
MUST_USE enum err head_compact(struct head *h);
/* Frees the clocks that no series uses. */
void clocks_release(struct head *h);

/* Room that the tail needs for one more value. */
static inline size_t head_tail_bytes_needed(const struct series *s)
{
    return (s->tail_bits + s->tail_same + 7u) / 8 + XOR_BYTES_PER_VALUE_MAX + XOR_SLACK_BYTES;
}

static inline bool head_tail_has_room(const struct series *s)
{
    return head_tail_bytes_needed(s) <= s->tail_units * (size_t)TAIL_UNIT_BYTES;
}

/* The value is that of the sample before, which is in the tail as a float. */
static inline bool head_tail_repeats(const struct series *s, uint64_t bits)
{
    return s->tail_bits && bits == s->last_bits;
}

/* Appends a value to the stream; there is room. last_bits is still that of the sample before. */
static inline void head_tail_put(struct series *s, uint64_t bits)
{
    struct xor_state x = {s->last_bits, s->tail_bits, s->tail_lead, s->tail_sig};
    xor_append_same(s->tail, &x, s->tail_same);
    xor_append(s->tail, &x, bits);
    s->tail_bits = (uint16_t)x.bits;
    s->tail_lead = x.lead;
    s->tail_sig = x.sig;
    s->tail_same = 0;
}

/* Tails of the clock's series end before this tick (of any, when they are full). It is another one for every
 * target, so that sealing is spread over time and tails are half full on average, not all full at once. */
static inline bool head_tails_end(const struct ticks *k, uint32_t tick)
{
    return (tick + (uint32_t)(k->target % CHUNK_SAMPLES_MAX)) % CHUNK_SAMPLES_MAX == 0;
}

static inline ts_ms head_tick_ts(const struct ticks *k, uint32_t tick)
{
    return k->ts[tick - k->first];
}

/* The time of the tail's first sample; there is one. */
static inline ts_ms head_tail_ts(const struct head *h, const struct series *s)
{
    return s->flags & SERIES_OWN_TIMES ? s->ext->times_first
                                       : head_tick_ts(&h->clocks[s->clock], s->tail_tick);
}

#endif
