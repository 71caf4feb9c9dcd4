/* Batches. Streams are found by a small hash table over the raw labels; the last stream is tried first, since
 * lines of one file come in runs. */
#include "agent/outputs/batch.h"

#include "base/hash.h"
#include "base/mem.h"
#include "codec/loki_push.h"

enum {
    TABLE_START = 64
};

static const struct str tenant_label = STR_INIT("__tenant_id__");

enum err batch_new(struct batch **ret_batch)
{
    struct batch *b = mem_zalloc(sizeof(*b));
    uint32_t *table = mem_zarray(TABLE_START, sizeof(*table));
    if (!b || !table) {
        mem_free(b);
        mem_free(table);
        return ERR_OOM;
    }
    arena_init(&b->arena, 0, NULL);
    b->table = table;
    b->table_cap = TABLE_START;
    *ret_batch = b;
    return ERR_OK;
}

void batch_free(struct batch *b, bool ok)
{
    if (!b) {
        return;
    }
    for (size_t i = 0; i < b->receipt_count; i++) {
        if (!ok) {
            receipt_fail(b->receipts[i]);
        }
        receipt_unref(b->receipts[i]);
    }
    mem_free(b->receipts);
    mem_free(b->items);
    mem_free(b->streams);
    mem_free(b->table);
    arena_done(&b->arena);
    mem_free(b);
}

size_t batch_entry_bytes(const struct entry *e, size_t line_bytes)
{
    size_t n = line_bytes;
    for (size_t i = 0; i < e->metadata_count; i++) {
        n += e->metadata[i].name.n + e->metadata[i].value.n;
    }
    return n;
}

static uint64_t hash_of(const struct entry *e)
{
    uint64_t h = 0;
    for (size_t i = 0; i < e->label_count; i++) {
        h = hash_seeded(e->labels[i].name.p, e->labels[i].name.n, h);
        h = hash_seeded(e->labels[i].value.p, e->labels[i].value.n, h);
    }
    return h;
}

/* Index of the stream, or stream_count. */
static size_t find(struct batch *b, const struct entry *e, uint64_t *ret_hash)
{
    struct labels ls = entry_labels(e);
    if (b->stream_count && labels_eq(b->streams[b->last_stream].raw, ls)) {
        *ret_hash = b->streams[b->last_stream].hash;
        return b->last_stream;
    }
    uint64_t h = hash_of(e);
    *ret_hash = h;
    for (size_t at = h & (b->table_cap - 1); b->table[at]; at = (at + 1) & (b->table_cap - 1)) {
        struct batch_stream *s = &b->streams[b->table[at] - 1];
        if (s->hash == h && labels_eq(s->raw, ls)) {
            return b->table[at] - 1;
        }
    }
    return b->stream_count;
}

bool batch_has_stream(struct batch *b, const struct entry *e)
{
    uint64_t h;
    return find(b, e, &h) < b->stream_count;
}

static void place(uint32_t *table, size_t cap, uint64_t h, uint32_t index)
{
    size_t at = h & (cap - 1);
    while (table[at]) {
        at = (at + 1) & (cap - 1);
    }
    table[at] = index + 1;
}

static enum err grow_table(struct batch *b)
{
    if ((b->stream_count + 1) * 2 <= b->table_cap) {
        return ERR_OK;
    }
    size_t cap = b->table_cap * 2;
    uint32_t *table = mem_zarray(cap, sizeof(*table));
    if (!table) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < b->stream_count; i++) {
        place(table, cap, b->streams[i].hash, (uint32_t)i);
    }
    mem_free(b->table);
    b->table = table;
    b->table_cap = cap;
    return ERR_OK;
}

/* The labels that are sent: own ones win over external ones, both sorted. */
static enum err merge(struct arena *a, struct labels own, struct labels external, struct labels *ret)
{
    struct label *out = arena_array(a, own.n + external.n + 1, sizeof(*out));
    size_t n = 0, i = 0, j = 0;
    while (out && (i < own.n || j < external.n)) {
        int c = i == own.n ? 1 : j == external.n ? -1 : str_cmp(own.l[i].name, external.l[j].name);
        const struct label *l = c <= 0 ? &own.l[i] : &external.l[j];
        if (l->value.n && !str_eq(l->name, tenant_label)) {
            out[n++] = *l;
        }
        i += c <= 0;
        j += c >= 0;
    }
    *ret = (struct labels){out, n};
    return out ? ERR_OK : arena_err(a);
}

static enum err add_stream(struct batch *b, const struct entry *e, uint64_t hash, struct labels external)
{
    if (b->stream_count >= AGENT_BATCH_STREAMS_MAX) {
        return ERR_LIMIT;
    }
    struct batch_stream s = {.hash = hash};
    enum err err = grow_table(b);
    err = err ? err
              : vec_reserve((void **)&b->streams, &b->stream_cap, b->stream_count + 1, sizeof(*b->streams));
    err = err ? err : labels_dup(&b->arena, entry_labels(e), &s.raw);
    err = err ? err : merge(&b->arena, s.raw, external, &s.labels);
    if (!err) {
        place(b->table, b->table_cap, hash, (uint32_t)b->stream_count);
        b->streams[b->stream_count++] = s;
    }
    return err;
}

static enum err copy_entry(struct arena *a, const struct entry *e, struct str line, struct log_entry *to)
{
    *to = (struct log_entry){.ts = e->ts, .line = arena_str(a, line)};
    if (e->metadata_count && to->line.p) {
        struct labels copy;
        enum err err = labels_dup(a, (struct labels){e->metadata, e->metadata_count}, &copy);
        if (err) {
            return err;
        }
        to->metadata = copy.l;
        to->metadata_count = (uint32_t)copy.n;
    }
    return to->line.p ? ERR_OK : arena_err(a);
}

enum err batch_add(struct batch *b, const struct entry *e, struct str line, struct labels external)
{
    uint64_t hash;
    size_t at = find(b, e, &hash);
    enum err err = at < b->stream_count ? ERR_OK : add_stream(b, e, hash, external);
    err = err ? err : vec_reserve((void **)&b->items, &b->item_cap, b->item_count + 1, sizeof(*b->items));
    bool counted = e->receipt && (b->receipt_count == 0 || b->receipts[b->receipt_count - 1] != e->receipt);
    if (counted && !err) {
        err = vec_reserve((void **)&b->receipts, &b->receipt_cap, b->receipt_count + 1, sizeof(*b->receipts));
    }
    struct batch_item *item = err ? NULL : &b->items[b->item_count];
    err = err ? err : copy_entry(&b->arena, e, line, &item->entry);
    if (err) {
        return err;
    }
    item->stream = (uint32_t)at;
    b->item_count++;
    b->streams[at].count++;
    b->last_stream = (uint32_t)at;
    b->bytes += batch_entry_bytes(e, line.n);
    if (counted) {
        receipt_ref(e->receipt);
        b->receipts[b->receipt_count++] = e->receipt;
    }
    return ERR_OK;
}

enum err batch_view(struct batch *b, struct str tenant, struct log_push *ret_push)
{
    struct log_entry *entries = arena_array(&b->arena, b->item_count + 1, sizeof(*entries));
    struct log_stream_push *streams = arena_array(&b->arena, b->stream_count + 1, sizeof(*streams));
    size_t *next = arena_array(&b->arena, b->stream_count + 1, sizeof(*next));
    if (!entries || !streams || !next) {
        return arena_err(&b->arena);
    }
    size_t from = 0, n = 0;
    for (size_t i = 0; i < b->stream_count; i++) {
        next[i] = from;
        if (b->streams[i].count) {
            streams[n++] =
                (struct log_stream_push){b->streams[i].labels, entries + from, b->streams[i].count};
        }
        from += b->streams[i].count;
    }
    for (size_t i = 0; i < b->item_count; i++) {
        entries[next[b->items[i].stream]++] = b->items[i].entry;
    }
    *ret_push = (struct log_push){tenant, streams, n};
    return ERR_OK;
}

enum err batch_split(struct batch *b, struct batch **ret_second)
{
    struct batch *second = NULL;
    enum err err = batch_new(&second);
    size_t half = b->item_count / 2;
    for (size_t i = half; i < b->item_count && !err; i++) {
        const struct batch_item *item = &b->items[i];
        struct batch_stream *s = &b->streams[item->stream];
        struct arena scratch AUTO_ARENA;
        arena_init(&scratch, 0, NULL);
        struct entry e;
        entry_init(&e, &scratch, s->labels, item->entry.ts, item->entry.line, NULL);
        for (size_t m = 0; m < item->entry.metadata_count; m++) {
            entry_metadata_set(&e, item->entry.metadata[m].name, item->entry.metadata[m].value);
        }
        err = e.err ? e.err : batch_add(second, &e, e.line, (struct labels){0});
    }
    err = err ? err
              : vec_reserve((void **)&second->receipts, &second->receipt_cap, b->receipt_count + 1,
                            sizeof(*second->receipts));
    if (err) {
        batch_free(second, true); /* it holds no receipt yet */
        return err;
    }
    for (size_t i = 0; i < b->receipt_count; i++) {
        receipt_ref(b->receipts[i]);
        second->receipts[second->receipt_count++] = b->receipts[i];
    }
    for (size_t i = half; i < b->item_count; i++) {
        b->streams[b->items[i].stream].count--;
    }
    b->item_count = half;
    b->bytes = b->bytes > second->bytes ? b->bytes - second->bytes : 0;
    *ret_second = second;
    return ERR_OK;
}

static const struct wire_label *wire_labels(struct arena *a, const struct label *l, size_t n)
{
    struct wire_label *out = arena_array(a, n + 1, sizeof(*out));
    for (size_t i = 0; out && i < n; i++) {
        out[i] = (struct wire_label){l[i].name, l[i].value};
    }
    return out;
}

static enum err wire_stream(struct arena *a, const struct log_stream_push *from, struct wire_stream *to)
{
    struct wire_entry *entries = arena_zarray(a, from->entry_count + 1, sizeof(*entries));
    *to = (struct wire_stream){wire_labels(a, from->labels.l, from->labels.n), from->labels.n, entries,
                               from->entry_count};
    for (size_t i = 0; entries && i < from->entry_count; i++) {
        const struct log_entry *e = &from->entries[i];
        entries[i] = (struct wire_entry){.ts = e->ts, .line = e->line};
        if (e->metadata_count) {
            entries[i].metadata = wire_labels(a, e->metadata, e->metadata_count);
            entries[i].metadata_count = e->metadata_count;
        }
    }
    return arena_err(a);
}

enum err batch_encode(struct batch *b, struct buf *out)
{
    struct log_push push;
    enum err err = batch_view(b, (struct str){0}, &push);
    if (err) {
        return err;
    }
    struct arena scratch AUTO_ARENA;
    arena_init(&scratch, 0, NULL);
    struct wire_stream *streams = arena_array(&scratch, push.stream_count + 1, sizeof(*streams));
    err = streams ? ERR_OK : ERR_OOM;
    for (size_t i = 0; i < push.stream_count && !err; i++) {
        err = wire_stream(&scratch, &push.streams[i], &streams[i]);
    }
    if (!err) {
        struct wire_push wire = {streams, push.stream_count};
        loki_push_encode_proto(out, &wire);
        err = out->err;
    }
    return err;
}
