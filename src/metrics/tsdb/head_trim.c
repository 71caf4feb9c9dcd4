/* Taking flushed samples out of a head, and what is left of dropped series out of its tables. */
#include "base/mem.h"
#include "metrics/tsdb/head.h"

static const ts_ms *chunk_ts(const struct head *h, const struct chunk *c, ts_ms *own)
{
    if (c->clock != CLOCK_NONE) {
        const struct ticks *k = &h->clocks[c->clock];
        return k->ts + (c->first_tick - k->first);
    }
    return chunk_times(c, own) == ERR_OK ? own : NULL;
}

static void suffix_place(struct chunk *out, const struct chunk *c, uint16_t skip, ts_ms first)
{
    out->clock = c->clock;
    out->first_tick = c->clock == CLOCK_NONE ? 0 : c->first_tick + skip;
    out->count = (uint8_t)(c->count - skip);
    out->min_ts = first;
    out->max_ts = c->max_ts;
}

/* chunk_suffix of a rich chunk: the stream is written anew. */
static struct chunk *rich_suffix(const struct head *h, const struct chunk *c, ts_ms from)
{
    uint64_t bits[CHUNK_SAMPLES_MAX];
    const struct histogram *histograms[CHUNK_SAMPLES_MAX];
    ts_ms starts[CHUNK_SAMPLES_MAX], own[CHUNK_SAMPLES_MAX];
    uint8_t times[CHUNK_SAMPLES_MAX * 10];
    struct rich_columns in = {bits, histograms, starts};
    struct arena memory AUTO_ARENA;
    struct buf stream AUTO_BUF = {0};
    struct rich_state state = {0};
    const ts_ms *ts = chunk_ts(h, c, own);
    arena_init(&memory, 0, NULL);
    if (!ts || chunk_samples(c, &memory, &in) != ERR_OK) {
        return NULL;
    }
    uint16_t skip = 0;
    while (skip < c->count && ts[skip] < from) {
        skip++;
    }
    for (uint16_t i = skip; i < c->count; i++) {
        rich_write(&stream, &state, &(struct sample_value){bits[i], starts[i], histograms[i]});
    }
    size_t n = c->clock == CLOCK_NONE ? times_encode(ts + skip, c->count - skip, times) : 0;
    struct chunk *out = stream.err == ERR_OK ? chunk_new(h->pool, (uint32_t)n, (uint32_t)stream.n) : NULL;
    if (out) {
        suffix_place(out, c, skip, ts[skip]);
        out->mode = CHUNK_RICH;
        memcpy(out->data, times, n);
        memcpy(out->data + n, stream.p, stream.n);
    }
    return out;
}

/* The samples of c at or after `from` as a new chunk, or NULL when there is no memory: then c stays whole and
 * readers drop what the block has too. */
static struct chunk *chunk_suffix(const struct head *h, const struct chunk *c, ts_ms from)
{
    uint64_t values[CHUNK_SAMPLES_MAX];
    ts_ms own[CHUNK_SAMPLES_MAX];
    if (c->mode == CHUNK_RICH) {
        return rich_suffix(h, c, from);
    }
    uint8_t coded[CHUNK_SAMPLES_MAX * XOR_BYTES_PER_VALUE_MAX + XOR_SLACK_BYTES + 64];
    uint8_t times[CHUNK_SAMPLES_MAX * 10];
    const ts_ms *ts = chunk_ts(h, c, own);
    if (!ts || values_decode(c->mode, c->data + c->times_bytes, c->value_bytes, c->count, values) != ERR_OK) {
        return NULL;
    }
    uint16_t skip = 0;
    while (skip < c->count && ts[skip] < from) {
        skip++;
    }
    uint16_t n = (uint16_t)(c->count - skip);
    uint8_t mode = 0;
    size_t bytes = values_encode(values + skip, n, coded, &mode);
    size_t times_bytes = c->clock == CLOCK_NONE ? times_encode(ts + skip, n, times) : 0;
    struct chunk *out = chunk_new(h->pool, (uint32_t)times_bytes, (uint32_t)bytes);
    if (!out) {
        return NULL;
    }
    suffix_place(out, c, skip, ts[skip]);
    out->mode = mode;
    memcpy(out->data, times, times_bytes);
    memcpy(out->data + times_bytes, coded, bytes);
    return out;
}

/* Its file may outlive it, and must not bring it back. */
static void chunk_leave(struct head *h, struct chunk *c)
{
    h->chunk_bytes -= chunk_heap_bytes(c);
    h->chunk_count--;
    c->state = CHUNK_GONE;
    chunk_unref(c);
}

/* A tail that was sealed gets its name with the next checkpoint, as newest; what comes here into the middle
 * of the list at once. */
static void trim_sealed(struct head *h, struct series *s, uint32_t slot, ts_ms before)
{
    for (struct chunk **at = &s->sealed; *at;) {
        struct chunk *c = *at, *rest = NULL;
        if (c->min_ts >= before) {
            at = &c->older;
            continue;
        }
        if (c->max_ts >= before) {
            rest = chunk_suffix(h, c, before);
            if (!rest) {
                at = &c->older;
                continue;
            }
            rest->older = c->older;
            if (rest->segment) {
                chunk_name(rest, h->tenant_number, h->partition, slot);
            }
            h->chunk_bytes += chunk_heap_bytes(rest);
            h->chunk_count++;
        }
        *at = rest ? rest : c->older;
        at = rest ? &rest->older : at;
        chunk_leave(h, c);
    }
}

/* The tail becomes a chunk, and that is trimmed; a tail that is old as a whole just goes. */
static void trim_tail(struct head *h, struct series *s, ts_ms before)
{
    if (s->tail_count == 0 || head_tail_ts(h, s) >= before) {
        return;
    }
    if (s->last_ts >= before) {
        (void)(head_seal(h, s) == ERR_OK); /* else the block has it too, and the next flush tries again */
        return;
    }
    head_tail_clear(s);
}

static void trim_late(struct head *h, struct series *s, ts_ms before)
{
    uint32_t kept = 0;
    struct series_ext *x = s->ext;
    for (uint32_t i = 0; x && i < x->late_count; i++) {
        if (x->late[i].ts >= before || x->late[i].fresh) {
            x->late[kept++] = x->late[i];
        } else {
            mem_free(x->late[i].rich);
        }
    }
    if (x) {
        h->late_count -= x->late_count - kept;
        x->late_count = kept;
    }
    if (x && kept == 0) {
        mem_free(x->late);
        x->late = NULL;
        x->late_cap = 0;
    }
}

static bool series_empty(const struct series *s)
{
    return !s->sealed && s->tail_count == 0 && (!s->ext || s->ext->late_count == 0);
}

static void times_note(struct head *h, const struct series *s, uint32_t *needed)
{
    for (const struct chunk *c = s->sealed; c; c = c->older) {
        h->min_ts = c->min_ts < h->min_ts ? c->min_ts : h->min_ts;
        if (c->clock != CLOCK_NONE && c->first_tick < needed[c->clock]) {
            needed[c->clock] = c->first_tick;
        }
    }
    if (s->tail_count) {
        ts_ms first = head_tail_ts(h, s);
        h->min_ts = first < h->min_ts ? first : h->min_ts;
        if (!(s->flags & SERIES_OWN_TIMES) && s->tail_tick < needed[s->clock]) {
            needed[s->clock] = s->tail_tick;
        }
    }
    if (s->ext && s->ext->late_count && s->ext->late[0].ts < h->min_ts) {
        h->min_ts = s->ext->late[0].ts;
    }
}

/* Forgets ticks that no chunk uses; the newest stays, so that a target keeps its clock. */
static void ticks_trim(struct ticks *k, uint32_t needed)
{
    uint32_t drop = needed > k->first ? needed - k->first : 0;
    drop = drop > k->n ? k->n : drop;
    if (drop == 0) {
        return;
    }
    memmove(k->ts, k->ts + drop, (k->n - drop) * sizeof(*k->ts));
    k->first += drop;
    k->n -= drop;
    if (k->cap > 64 && k->n < k->cap / 4) {
        ts_ms *p = mem_realloc(k->ts, k->cap / 2 * sizeof(*p));
        k->ts = p ? p : k->ts;
        k->cap = p ? k->cap / 2 : k->cap;
    }
}

void head_keep_fresh(struct head *h)
{
    for (uint32_t i = 0; i < h->slot_count && h->late_count; i++) {
        struct series_ext *x = head_series(h, i)->ext;
        for (uint32_t k = 0; x && k < x->late_count; k++) {
            x->late[k].fresh = false;
        }
    }
}

/* Nothing is left of it, and no sample that may still come would not fit what it had. */
static bool series_over(const struct series *s, ts_ms alive_from)
{
    return series_empty(s) && !((s->flags & SERIES_STARTED) && s->last_ts >= alive_from);
}

enum err head_trim(struct head *h, ts_ms before, ts_ms alive_from, size_t *ret_removed)
{
    uint32_t *needed = mem_array(h->clock_count + 1, sizeof(*needed));
    if (!needed) {
        return ERR_OOM;
    }
    memset(needed, 0xff, h->clock_count * sizeof(*needed));
    h->min_ts = INT64_MAX;
    size_t removed = 0;
    for (uint32_t i = 0; i < h->slot_count; i++) {
        struct series *s = head_series(h, i);
        if (!(s->flags & SERIES_LIVE)) {
            continue;
        }
        trim_tail(h, s, before);
        trim_sealed(h, s, i, before);
        trim_late(h, s, before);
        if (series_over(s, alive_from)) {
            head_remove(h, i);
            removed++;
        } else {
            times_note(h, s, needed);
        }
    }
    for (size_t i = 0; i < h->clock_count; i++) {
        ticks_trim(&h->clocks[i], needed[i] == UINT32_MAX ? h->clocks[i].first + h->clocks[i].n : needed[i]);
    }
    h->max_ts = h->min_ts == INT64_MAX ? INT64_MIN : h->max_ts;
    h->dropped += removed;
    mem_free(needed);
    *ret_removed = removed;
    return ERR_OK;
}

enum err head_compact(struct head *h)
{
    if (h->dropped <= h->series_count / 2 + 16) {
        return ERR_OK;
    }
    struct index *ix = NULL;
    const struct packed_labels **packed = mem_zarray(h->slot_count + 1u, sizeof(*packed));
    struct label labels[LABELS_MAX];
    enum err e = packed ? index_new(&ix) : ERR_OOM;
    for (uint32_t i = 0; e == ERR_OK && i < h->slot_count; i++) {
        const struct series *s = head_series(h, i);
        if (s->flags & SERIES_LIVE) {
            index_labels(h->index, s->labels, labels);
            e = index_add(ix, (struct labels){labels, s->labels->n}, i, &packed[i]);
        }
    }
    for (uint32_t i = 0; e == ERR_OK && i < h->slot_count; i++) {
        if (packed[i]) {
            head_series(h, i)->labels = packed[i];
        }
    }
    if (e == ERR_OK) {
        struct index *old = h->index;
        h->index = ix;
        h->dropped = 0;
        index_unref(old);
        clocks_release(h);
    } else {
        index_unref(ix);
    }
    mem_free(packed);
    return e;
}
