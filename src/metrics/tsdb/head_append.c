/* Samples into a head: the tail of a series, its clock, sealing, late samples. */
#include "base/assert.h"
#include "base/mem.h"
#include "codec/varint.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/bits.h"
#include "metrics/tsdb/head.h"

enum {
    TAIL_BYTES_MORE = 8,
    TIME_BYTES_MAX = 10 /* of a varint */
};

static struct series_ext *ext_of(struct series *s)
{
    if (!s->ext) {
        s->ext = mem_zalloc(sizeof(*s->ext));
    }
    return s->ext;
}

static size_t tail_cap(const struct series *s)
{
    return s->tail_units * (size_t)TAIL_UNIT_BYTES;
}

void head_tail_free(struct head *h, struct series *s)
{
    h->tail_bytes -= tail_cap(s);
    if (tail_cap(s) == TAIL_BYTES_FIRST) {
        head_pool_tail_free(&h->tails, s->tail);
    } else {
        mem_free(s->tail);
    }
    s->tail = NULL;
    s->tail_units = 0;
}

/* Gives the tail memory of another size; what is in it fits. */
static enum err tail_resize(struct head *h, struct series *s, size_t size)
{
    size_t before = tail_cap(s), keep = (s->tail_bits + 7u) / 8;
    bool grown = before > TAIL_BYTES_FIRST && size > TAIL_BYTES_FIRST;
    uint8_t *p = grown                      ? mem_realloc(s->tail, size)
                 : size == TAIL_BYTES_FIRST ? head_pool_tail(&h->pool->heads, &h->tails)
                                            : mem_alloc(size);
    if (!p) {
        return ERR_OOM;
    }
    if (!grown) {
        if (s->tail) {
            memcpy(p, s->tail, keep);
        }
        head_tail_free(h, s);
        before = 0;
    }
    h->tail_bytes += size - before;
    s->tail = p;
    s->tail_units = (uint8_t)(size / TAIL_UNIT_BYTES);
    return ERR_OK;
}

static enum err tail_reserve(struct head *h, struct series *s)
{
    if (head_tail_has_room(s)) {
        return ERR_OK;
    }
    size_t need = head_tail_bytes_needed(s), before = tail_cap(s);
    size_t size = before ? before + before / 4 + TAIL_BYTES_MORE : TAIL_BYTES_FIRST;
    size = ((size < need ? need : size) + TAIL_UNIT_BYTES - 1) / TAIL_UNIT_BYTES * TAIL_UNIT_BYTES;
    return tail_resize(h, s, size);
}

static enum err times_reserve(struct series_ext *x, size_t more)
{
    size_t need = x->times_bytes + more;
    if (need <= x->times_cap) {
        return ERR_OK;
    }
    size_t cap = x->times_cap * 2u > need ? x->times_cap * 2u : need + 16;
    uint8_t *p = mem_realloc(x->times, cap);
    if (!p) {
        return ERR_OOM;
    }
    x->times = p;
    x->times_cap = (uint32_t)cap;
    return ERR_OK;
}

static void time_append(struct series_ext *x, ts_ms before, ts_ms ts)
{
    uint64_t delta = (uint64_t)ts - (uint64_t)before;
    uint64_t v = zigzag_encode((int64_t)(delta - x->times_delta));
    x->times_delta = delta;
    x->times_bytes += (uint32_t)put_varint(x->times + x->times_bytes, v);
}

/* The number of the clock's tick at ts, or CLOCK_NONE. */
static uint32_t tick_find(const struct ticks *k, ts_ms ts)
{
    uint32_t lo = 0, hi = k->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (k->ts[mid] < ts) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < k->n && k->ts[lo] == ts ? k->first + lo : CLOCK_NONE;
}

static bool tick_push(struct ticks *k, ts_ms ts)
{
    if (k->n == k->cap) {
        uint32_t cap = k->cap < 16 ? 16 : k->cap + k->cap / 2;
        ts_ms *p = mem_realloc(k->ts, cap * sizeof(*p));
        if (!p) {
            return false; /* own timestamps then */
        }
        k->ts = p;
        k->cap = cap;
    }
    k->ts[k->n++] = ts;
    return true;
}

/* The tick for a sample at ts that continues a run ending before tick `next` (CLOCK_NONE: begins a run), or
 * CLOCK_NONE when the sample does not fit the clock. Only a series that is up to date, or a batch's common
 * timestamp, moves the clock on: a single series with times of its own must not tear gaps into the others. */
static uint32_t tick_for(struct ticks *k, uint32_t next, ts_ms ts, ts_ms batch_tick)
{
    if (k->series < CLOCK_SERIES_MIN) {
        return CLOCK_NONE;
    }
    uint32_t end = k->first + k->n;
    if (next != CLOCK_NONE && next < end) {
        return head_tick_ts(k, next) == ts ? next : CLOCK_NONE;
    }
    if (k->n > 0 && ts <= k->ts[k->n - 1]) {
        return next == CLOCK_NONE ? tick_find(k, ts) : CLOCK_NONE;
    }
    if (k->n == 0 || next == end || ts == batch_tick) {
        return tick_push(k, ts) ? end : CLOCK_NONE;
    }
    return CLOCK_NONE;
}

/* The tail leaves the clock: its timestamps become its own. */
static enum err tail_own_times(struct head *h, struct series *s)
{
    struct series_ext *x = ext_of(s);
    if (!x) {
        return ERR_OOM;
    }
    x->times_bytes = 0;
    x->times_delta = 0;
    if (times_reserve(x, (s->tail_count + 1u) * TIME_BYTES_MAX) != ERR_OK) {
        return ERR_OOM;
    }
    const struct ticks *k = &h->clocks[s->clock];
    x->times_first = s->tail_count ? head_tick_ts(k, s->tail_tick) : 0;
    for (uint32_t i = 1; i < s->tail_count; i++) {
        time_append(x, head_tick_ts(k, s->tail_tick + i - 1), head_tick_ts(k, s->tail_tick + i));
    }
    s->flags |= SERIES_OWN_TIMES;
    return ERR_OK;
}

static enum err push_time(struct head *h, struct series *s, ts_ms ts, ts_ms batch_tick)
{
    if (s->tail_count > 0 && !(s->flags & SERIES_OWN_TIMES)) {
        if (tick_for(&h->clocks[s->clock], s->tail_tick + s->tail_count, ts, batch_tick) != CLOCK_NONE) {
            return ERR_OK;
        }
        enum err e = s->tail_count >= CUT_SAMPLES_MIN ? head_seal(h, s) : tail_own_times(h, s);
        if (e != ERR_OK) {
            return e;
        }
    }
    if (s->tail_count > 0) {
        if (times_reserve(s->ext, TIME_BYTES_MAX) != ERR_OK) {
            return ERR_OOM;
        }
        time_append(s->ext, s->last_ts, ts);
        return ERR_OK;
    }
    uint32_t tick = tick_for(&h->clocks[s->clock], CLOCK_NONE, ts, batch_tick);
    if (tick == CLOCK_NONE) {
        if (tail_own_times(h, s) != ERR_OK) {
            return ERR_OOM;
        }
        s->ext->times_first = ts;
    }
    s->tail_tick = tick;
    return ERR_OK;
}

/* -- rich samples ---------------------------------------------------------------------------------------- */

static enum err rich_reserve(struct head *h, struct series *s, const struct sample_value *v)
{
    struct series_ext *x = ext_of(s);
    if (x && !x->rich) {
        x->rich = mem_zalloc(sizeof(*x->rich));
    }
    if (!x || !x->rich) {
        return ERR_OOM;
    }
    struct buf *b = &x->rich->stream;
    size_t before = b->cap;
    bool room = buf_reserve(b, rich_bound(v));
    b->err = ERR_OK; /* what is in it stays good */
    h->tail_bytes += b->cap - before;
    return room ? ERR_OK : ERR_OOM;
}

/* A private copy of a histogram with the hint it gets as a stored sample. */
static struct histogram *rich_keep(const struct rich_tail *t, const struct histogram *in)
{
    void *mem = mem_alloc(histogram_copy_bytes(in));
    struct histogram *own = mem ? histogram_copy(in, mem) : NULL;
    if (own) {
        own->reset_hint = (uint8_t)histogram_hint_after(in, t->newest_is_last ? t->newest : NULL);
    }
    return own;
}

/* Room is reserved. `own` (NULL for a float or a staleness marker) is taken. */
static void rich_append(struct rich_tail *t, const struct sample_value *v, struct histogram *own)
{
    struct sample_value kept = *v;
    kept.h = own ? own : v->h;
    rich_write(&t->stream, &t->state, &kept);
    ASSERT(t->stream.err == ERR_OK);
    t->newest_is_last = own != NULL;
    if (own) {
        mem_free(t->newest);
        t->newest = own;
    }
}

static enum err push_rich(struct head *h, struct series *s, ts_ms ts, const struct sample_value *v,
                          ts_ms batch_tick)
{
    bool full =
        s->tail_count > 0 && (!(s->flags & SERIES_RICH) || s->ext->rich->stream.n > RICH_TAIL_BYTES_MAX);
    if ((full && head_seal(h, s) != ERR_OK) || rich_reserve(h, s, v) != ERR_OK) {
        return ERR_OOM;
    }
    struct rich_tail *t = s->ext->rich;
    struct histogram *own = NULL;
    if (v->h && !is_stale_nan(v->h->sum) && !(own = rich_keep(t, v->h))) {
        return ERR_OOM;
    }
    if (push_time(h, s, ts, batch_tick) != ERR_OK) {
        mem_free(own);
        return ERR_OOM;
    }
    rich_append(t, v, own);
    s->flags |= SERIES_RICH;
    return ERR_OK;
}

static enum err push_plain(struct head *h, struct series *s, ts_ms ts, uint64_t bits, ts_ms batch_tick)
{
    if ((!head_tail_repeats(s, bits) && tail_reserve(h, s) != ERR_OK) ||
        push_time(h, s, ts, batch_tick) != ERR_OK) {
        return ERR_OOM;
    }
    if (head_tail_repeats(s, bits)) {
        s->tail_same++;
    } else if (tail_reserve(h, s) == ERR_OK) {
        head_tail_put(s, bits);
    } else {
        return ERR_OOM;
    }
    if (s->ext && s->ext->rich) {
        s->ext->rich->newest_is_last = false;
    }
    return ERR_OK;
}

/* A tail ends with CHUNK_SAMPLES_MAX samples, or where its target's chunks end. */
static bool tail_full(const struct head *h, const struct series *s)
{
    if (s->tail_count < CUT_SAMPLES_MIN || (s->flags & SERIES_OWN_TIMES)) {
        return s->tail_count == CHUNK_SAMPLES_MAX;
    }
    return s->tail_count == CHUNK_SAMPLES_MAX ||
           head_tails_end(&h->clocks[s->clock], s->tail_tick + s->tail_count);
}

enum err head_push(struct head *h, struct series *s, ts_ms ts, const struct sample_value *v, ts_ms batch_tick)
{
    if (tail_full(h, s) && head_seal(h, s) != ERR_OK) {
        return ERR_OOM;
    }
    bool rich = value_is_rich(v) || (s->tail_count > 0 && (s->flags & SERIES_RICH));
    enum err e = rich ? push_rich(h, s, ts, v, batch_tick) : push_plain(h, s, ts, v->bits, batch_tick);
    if (e != ERR_OK) {
        return e;
    }
    if (s->tail_count++ == 0) {
        s->generation = h->generation & (GENERATIONS - 1u);
    }
    s->last_ts = ts;
    s->last_bits = value_identity(v);
    s->flags |= SERIES_STARTED;
    h->min_ts = ts < h->min_ts ? ts : h->min_ts;
    h->max_ts = ts > h->max_ts ? ts : h->max_ts;
    return ERR_OK;
}

/* -- chunks ---------------------------------------------------------------------------------------------- */

void head_tail_clear(struct series *s)
{
    if (s->flags & SERIES_RICH) {
        buf_reset(&s->ext->rich->stream);
        s->ext->rich->state = (struct rich_state){0};
    }
    s->tail_count = s->tail_same = 0;
    s->tail_bits = 0;
    s->tail_lead = s->tail_sig = 0;
    s->flags &= (uint8_t) ~(SERIES_OWN_TIMES | SERIES_RICH);
}

static void chunk_fill(struct chunk *c, const struct head *h, const struct series *s)
{
    bool own = (s->flags & SERIES_OWN_TIMES) != 0;
    c->count = s->tail_count;
    c->min_ts = head_tail_ts(h, s);
    c->max_ts = s->last_ts;
    c->clock = own ? CLOCK_NONE : s->clock;
    c->first_tick = own ? 0 : s->tail_tick;
    if (own && c->times_bytes) {
        memcpy(c->data, s->ext->times, c->times_bytes);
    }
}

struct chunk *head_tail_copy(const struct head *h, const struct series *s, struct chunk_pool *pool,
                             struct arena *a)
{
    uint32_t times = s->flags & SERIES_OWN_TIMES ? s->ext->times_bytes : 0;
    bool rich = (s->flags & SERIES_RICH) != 0;
    uint32_t there = rich ? (uint32_t)s->ext->rich->stream.n : (s->tail_bits + 7u) / 8;
    uint32_t values = rich ? there : (s->tail_bits + s->tail_same + 7u) / 8;
    struct chunk *c = a ? arena_alloc(a, sizeof(*c) + times + values) : chunk_new(pool, times, values);
    if (!c) {
        return NULL;
    }
    if (a) {
        *c = (struct chunk){.times_bytes = times, .value_bytes = values};
        atomic_init(&c->refs, 1);
    }
    chunk_fill(c, h, s);
    c->mode = rich ? CHUNK_RICH : VALUES_XOR;
    memcpy(c->data + times, rich ? (const void *)s->ext->rich->stream.p : s->tail, there);
    memset(c->data + times + there, 0, values - there);
    return c;
}

/* What a full tail needed the next one will need only when it is full again. */
static void tail_shrink(struct head *h, struct series *s)
{
    if (tail_cap(s) > TAIL_BYTES_FIRST) {
        (void)(tail_resize(h, s, TAIL_BYTES_FIRST) == ERR_OK); /* without memory it stays large */
    }
}

static void sealed_enter(struct head *h, struct series *s, struct chunk *c)
{
    c->older = s->sealed;
    s->sealed = c;
    h->chunk_count++;
    h->chunk_bytes += chunk_heap_bytes(c);
    head_tail_clear(s);
    tail_shrink(h, s);
}

enum err head_seal(struct head *h, struct series *s)
{
    if (s->tail_count == 0) {
        return ERR_OK;
    }
    if (s->flags & SERIES_RICH) { /* the stream is as good as it gets */
        struct chunk *as_is = head_tail_copy(h, s, h->pool, NULL);
        if (as_is) {
            sealed_enter(h, s, as_is);
        }
        return as_is ? ERR_OK : ERR_OOM;
    }
    uint64_t values[CHUNK_SAMPLES_MAX];
    uint8_t coded[CHUNK_SAMPLES_MAX * XOR_BYTES_PER_VALUE_MAX + XOR_SLACK_BYTES + 32];
    size_t different = s->tail_count - s->tail_same;
    enum err e = values_decode(VALUES_XOR, s->tail, (s->tail_bits + 7u) / 8, different, values);
    ASSERT(e == ERR_OK);
    for (size_t i = different; i < s->tail_count; i++) {
        values[i] = s->last_bits;
    }
    uint8_t mode = VALUES_XOR;
    size_t n = values_encode(values, s->tail_count, coded, &mode);
    struct chunk *c = chunk_new(h->pool, s->flags & SERIES_OWN_TIMES ? s->ext->times_bytes : 0, (uint32_t)n);
    if (!c) {
        return ERR_OOM;
    }
    chunk_fill(c, h, s);
    c->mode = mode;
    memcpy(c->data + c->times_bytes, coded, n);
    sealed_enter(h, s, c);
    return ERR_OK;
}

/* The identity of the sample at ts in a chunk that spans it. */
static bool chunk_sample_at(const struct head *h, const struct chunk *c, ts_ms ts, uint64_t *ret_bits)
{
    uint64_t values[CHUNK_SAMPLES_MAX];
    ts_ms own[CHUNK_SAMPLES_MAX];
    const ts_ms *times = own;
    if (c->clock != CLOCK_NONE) {
        const struct ticks *k = &h->clocks[c->clock];
        times = k->ts + (c->first_tick - k->first);
    } else if (chunk_times(c, own) != ERR_OK) {
        return false;
    }
    if (chunk_identities(c, values) != ERR_OK) {
        return false;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        if (times[i] == ts) {
            *ret_bits = values[i];
            return true;
        }
    }
    return false;
}

bool head_sealed_at(const struct head *h, const struct series *s, ts_ms ts)
{
    const struct chunk *c = s->sealed;
    while (c && ts < c->min_ts) {
        c = c->older;
    }
    if (!c || ts > c->max_ts) {
        return false;
    }
    ts_ms own[CHUNK_SAMPLES_MAX];
    const ts_ms *times = own;
    if (c->clock != CLOCK_NONE) {
        const struct ticks *k = &h->clocks[c->clock];
        times = k->ts + (c->first_tick - k->first);
    } else if (chunk_times(c, own) != ERR_OK) {
        return false;
    }
    uint32_t lo = 0, hi = c->count - 1u; /* its times span ts */
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (times[mid] < ts) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return times[lo] == ts;
}

/* The first late sample at or after ts. */
static uint32_t late_lower(const struct series_ext *x, ts_ms ts)
{
    uint32_t at = x->late_count;
    while (at > 0 && x->late[at - 1].ts >= ts) {
        at--;
    }
    return at;
}

bool head_sample_at(const struct head *h, const struct series *s, ts_ms ts, uint64_t *ret_identity)
{
    for (const struct chunk *c = s->sealed; c; c = c->older) {
        if (c->min_ts <= ts && ts <= c->max_ts) {
            if (chunk_sample_at(h, c, ts, ret_identity)) {
                return true;
            }
            break;
        }
    }
    if (s->tail_count > 0 && ts >= head_tail_ts(h, s) && ts <= s->last_ts) {
        struct chunk *c = head_tail_copy(h, s, NULL, NULL);
        bool found = c && chunk_sample_at(h, c, ts, ret_identity);
        chunk_unref(c);
        if (found) {
            return true;
        }
    }
    if (s->ext && s->ext->late_count) {
        uint32_t at = late_lower(s->ext, ts);
        if (at < s->ext->late_count && s->ext->late[at].ts == ts) {
            *ret_identity = s->ext->late[at].bits;
            return true;
        }
    }
    return false;
}

/* The stream of a late sample. What comes before it in time is not looked at, so nothing is known of resets.
 */
static enum err late_rich(const struct sample_value *v, char **ret_p, uint32_t *ret_n)
{
    struct buf b AUTO_BUF = {0};
    struct rich_state state = {0};
    struct sample_value kept = *v;
    struct histogram h;
    if (v->h) {
        h = *v->h;
        h.reset_hint = (uint8_t)histogram_hint_after(v->h, NULL);
        kept.h = &h;
    }
    rich_write(&b, &state, &kept);
    size_t n = 0;
    char *p = buf_take(&b, &n);
    *ret_p = p;
    *ret_n = (uint32_t)n;
    return p ? ERR_OK : ERR_OOM;
}

enum err head_push_late(struct head *h, struct series *s, ts_ms ts, const struct sample_value *v, bool fresh)
{
    struct series_ext *x = ext_of(s);
    if (!x) {
        return ERR_OOM;
    }
    uint64_t there;
    if (head_sample_at(h, s, ts, &there)) {
        return ERR_EXISTS;
    }
    if (x->late_count == LATE_SAMPLES_MAX) {
        return ERR_LIMIT;
    }
    size_t cap = x->late_cap;
    if (vec_reserve((void **)&x->late, &cap, x->late_count + 1u, sizeof(*x->late)) != ERR_OK) {
        return ERR_OOM;
    }
    x->late_cap = (uint32_t)cap;
    struct late_sample late = {.ts = ts, .bits = value_identity(v), .fresh = fresh};
    if (value_is_rich(v) && late_rich(v, &late.rich, &late.rich_bytes) != ERR_OK) {
        return ERR_OOM;
    }
    uint32_t at = late_lower(x, ts);
    memmove(x->late + at + 1, x->late + at, (x->late_count - at) * sizeof(*x->late));
    x->late[at] = late;
    x->late_count++;
    if (h->late_count++ == 0) {
        h->late_generation = h->generation;
    }
    h->min_ts = ts < h->min_ts ? ts : h->min_ts;
    h->max_ts = ts > h->max_ts ? ts : h->max_ts;
    return ERR_OK;
}
