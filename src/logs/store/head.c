/* The head's tables: streams by label set, rows by stream, and who has been seen. */
#include "logs/store/head.h"

#include "base/mem.h"

enum {
    ROWS_FIRST = 8,
    ROWS_MAX = 1024,
    TIES_SCANNED = 8, /* rows of one time compared one by one before a table of what was seen is made */
};

enum err log_head_new(struct head **ret_head)
{
    struct head *h = mem_zalloc(sizeof(*h));
    if (!h) {
        return ERR_OOM;
    }
    atomic_init(&h->refs, 1);
    arena_init(&h->arena, 0, NULL);
    h->ts_min = INT64_MAX;
    h->ts_max = INT64_MIN;
    *ret_head = h;
    return ERR_OK;
}

struct head *head_ref(struct head *h)
{
    atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
    return h;
}

void head_unref(struct head *h)
{
    if (!h || atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < h->stream_count; i++) {
        mem_free(h->streams[i]->seen);
    }
    mem_free(h->streams);
    mem_free(h->table);
    arena_done(&h->arena);
    mem_free(h);
}

struct hash128 line_key(ts_ns ts, struct str line, struct labels metadata)
{
    struct hash128 k = hash128_bytes(line.p ? line.p : "", line.n);
    k.lo ^= hash_u64((uint64_t)ts + 0x9e3779b97f4a7c15u);
    if (metadata.n) {
        struct hash128 m = labels_hash128(metadata);
        k.lo ^= hash_u64(m.lo);
        k.hi ^= m.hi;
    }
    if (k.lo == 0 && k.hi == 0) { /* zero marks an empty place of the table */
        k.hi = 1;
    }
    return k;
}

static struct hash128 stream_key(struct str tenant, struct labels labels)
{
    struct hash128 k = labels_hash128(labels);
    uint64_t t = hash_str(tenant);
    return (struct hash128){k.lo ^ hash_u64(t), k.hi + t};
}

static size_t table_place(struct head_stream *const *table, size_t cap, struct hash128 key)
{
    size_t i = (size_t)key.lo & (cap - 1);
    while (table[i] && (table[i]->key.lo != key.lo || table[i]->key.hi != key.hi)) {
        i = (i + 1) & (cap - 1);
    }
    return i;
}

static enum err table_grow(struct head *h)
{
    size_t cap = h->table_cap ? h->table_cap * 2 : 64;
    struct head_stream **table = mem_zarray(cap, sizeof(struct head_stream *));
    if (!table) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < h->stream_count; i++) {
        table[table_place(table, cap, h->streams[i]->key)] = h->streams[i];
    }
    mem_free(h->table);
    h->table = table;
    h->table_cap = cap;
    return ERR_OK;
}

static enum err stream_new(struct head *h, struct str tenant, struct labels labels, struct hash128 key,
                           struct head_stream **ret_stream)
{
    struct head_stream *s = arena_zalloc(&h->arena, sizeof(*s));
    if (!s) {
        return ERR_OOM;
    }
    s->tenant = arena_str(&h->arena, tenant);
    if (!s->tenant.p) {
        return ERR_OOM;
    }
    enum err e = labels_dup(&h->arena, labels, &s->labels);
    if (e) {
        return e;
    }
    s->hash = labels_hash(labels);
    s->key = key;
    s->ts_min = INT64_MAX;
    s->ts_max = INT64_MIN;
    s->sorted = true;
    *ret_stream = s;
    return ERR_OK;
}

enum err head_stream_get(struct head *h, struct str tenant, struct labels labels,
                         struct head_stream **ret_stream)
{
    struct hash128 key = stream_key(tenant, labels);
    if (h->stream_count * 2 >= h->table_cap) {
        enum err e = table_grow(h);
        if (e) {
            return e;
        }
    }
    size_t at = table_place(h->table, h->table_cap, key);
    if (h->table[at]) {
        *ret_stream = h->table[at];
        return ERR_OK;
    }
    enum err e =
        vec_reserve((void **)&h->streams, &h->stream_cap, h->stream_count + 1, sizeof(struct head_stream *));
    struct head_stream *s = NULL;
    e = e ? e : stream_new(h, tenant, labels, key, &s);
    if (e) {
        return e;
    }
    h->streams[h->stream_count++] = s;
    h->table[at] = s;
    h->bytes += sizeof(*s);
    for (size_t i = 0; i < labels.n; i++) {
        h->bytes += labels.l[i].name.n + labels.l[i].value.n + sizeof(struct label);
    }
    *ret_stream = s;
    return ERR_OK;
}

/* --- rows seen --- */

/* False when the key was there already. There must be a free place. */
static bool seen_put(struct hash128 *seen, size_t cap, struct hash128 k)
{
    size_t i = (size_t)k.lo & (cap - 1);
    while (seen[i].lo | seen[i].hi) {
        if (seen[i].lo == k.lo && seen[i].hi == k.hi) {
            return false;
        }
        i = (i + 1) & (cap - 1);
    }
    seen[i] = k;
    return true;
}

/* Makes the table large enough for one more row, with all rows of the stream in it. */
static enum err seen_prepare(struct head *h, struct head_stream *s)
{
    if (s->seen && (s->count + 1) * 2 <= s->seen_cap) {
        return ERR_OK;
    }
    size_t cap = 64;
    while (cap < (s->count + 1) * 4) {
        cap *= 2;
    }
    struct hash128 *seen = mem_zarray(cap, sizeof(*seen));
    if (!seen) {
        return ERR_OOM;
    }
    for (size_t i = 0; s->seen && i < s->seen_cap; i++) {
        if (s->seen[i].lo | s->seen[i].hi) {
            (void)seen_put(seen, cap, s->seen[i]);
        }
    }
    for (const struct head_rows *r = s->seen ? NULL : s->first; r; r = r->next) {
        for (uint32_t i = 0; i < r->n; i++) {
            (void)seen_put(seen, cap, row_key(&r->e[i]));
        }
    }
    h->bytes += (cap - s->seen_cap) * sizeof(*seen);
    mem_free(s->seen);
    s->seen = seen;
    s->seen_cap = cap;
    return ERR_OK;
}

/* Whether the last rows, all of time ts, hold the line; *ret_sure is false when there are too many to say. */
static bool among_last(const struct head_stream *s, const struct log_entry *e, bool *ret_sure)
{
    const struct head_rows *r = s->last;
    uint32_t scanned = 0;
    *ret_sure = true;
    for (uint32_t i = r->n; i > 0 && r->e[i - 1].ts == e->ts; i--) {
        const struct head_entry *x = &r->e[i - 1];
        struct labels had = {x->meta, x->meta_n}, has = {e->metadata, e->metadata_count};
        if (str_eq(str_of(x->line, x->line_n), e->line) && labels_eq(had, has)) {
            return true;
        }
        if (++scanned == TIES_SCANNED || i == 1) { /* i == 1: the rows before may have the same time */
            *ret_sure = s->count == scanned;
            return false;
        }
    }
    return false;
}

/* The stream's table, once there is one, learns the row here. */
static enum err is_duplicate(struct head *h, struct head_stream *s, const struct log_entry *e,
                             bool *ret_duplicate)
{
    *ret_duplicate = false;
    if (!s->seen && (s->count == 0 || e->ts > s->ts_max)) {
        return ERR_OK;
    }
    if (!s->seen && s->sorted && e->ts == s->ts_max) {
        bool sure;
        *ret_duplicate = among_last(s, e, &sure);
        if (sure) {
            return ERR_OK;
        }
    }
    enum err err = seen_prepare(h, s);
    if (!err) {
        *ret_duplicate = !seen_put(s->seen, s->seen_cap,
                                   line_key(e->ts, e->line, (struct labels){e->metadata, e->metadata_count}));
    }
    return err;
}

/* --- appending --- */

static enum err copy_metadata(struct head *h, const struct log_entry *e, struct head_entry *row)
{
    if (!e->metadata_count) {
        return ERR_OK;
    }
    struct labels set = {e->metadata, e->metadata_count};
    uint64_t hash = labels_hash(set);
    size_t slot = hash % HEAD_META_CACHE;
    if (h->meta_cache[slot].hash != hash || !labels_eq(h->meta_cache[slot].set, set)) {
        struct labels copy;
        enum err err = labels_dup(&h->arena, set, &copy);
        if (err) {
            return err;
        }
        h->meta_cache[slot].hash = hash;
        h->meta_cache[slot].set = copy;
        for (size_t i = 0; i < set.n; i++) {
            h->bytes += set.l[i].name.n + set.l[i].value.n + sizeof(struct label);
        }
    }
    row->meta = h->meta_cache[slot].set.l;
    row->meta_n = e->metadata_count;
    return ERR_OK;
}

static enum err rows_make_room(struct head *h, struct head_stream *s)
{
    if (s->last && s->last->n < s->last->cap) {
        return ERR_OK;
    }
    uint32_t cap = s->last ? s->last->cap * 2 : ROWS_FIRST;
    cap = cap > ROWS_MAX ? ROWS_MAX : cap;
    size_t size = sizeof(struct head_rows) + cap * sizeof(struct head_entry);
    struct head_rows *r = arena_alloc(&h->arena, size);
    if (!r) {
        return ERR_OOM;
    }
    h->bytes += size;
    *r = (struct head_rows){.cap = cap};
    if (s->last) {
        s->last->next = r;
    } else {
        s->first = r;
    }
    s->last = r;
    return ERR_OK;
}

enum err head_append(struct head *h, struct head_stream *s, const struct log_entry *e, bool *ret_added)
{
    enum err err = rows_make_room(h, s);
    struct head_entry row = {.ts = e->ts, .line_n = (uint32_t)e->line.n};
    err = err ? err : copy_metadata(h, e, &row);
    if (err) {
        return err;
    }
    bool duplicate;
    err = is_duplicate(h, s, e, &duplicate);
    if (err || duplicate) {
        *ret_added = false;
        return err;
    }
    char *copy = arena_bytes(&h->arena, e->line.n ? e->line.n : 1);
    if (!copy) {
        /* The table may know a row that is not there: without the table it is made again from the rows. */
        mem_free(s->seen);
        s->seen = NULL;
        s->seen_cap = 0;
        return ERR_OOM;
    }
    if (e->line.n) {
        memcpy(copy, e->line.p, e->line.n);
    }
    row.line = copy;
    s->last->e[s->last->n++] = row;
    s->sorted = s->sorted && (s->count == 0 || e->ts >= s->ts_max);
    s->ts_min = e->ts < s->ts_min ? e->ts : s->ts_min;
    s->ts_max = e->ts > s->ts_max ? e->ts : s->ts_max;
    h->ts_min = e->ts < h->ts_min ? e->ts : h->ts_min;
    h->ts_max = e->ts > h->ts_max ? e->ts : h->ts_max;
    s->count++;
    s->line_bytes += e->line.n;
    h->entries++;
    h->bytes += e->line.n;
    *ret_added = true;
    return ERR_OK;
}
