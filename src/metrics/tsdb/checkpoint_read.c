/* Reading a checkpoint back. Everything is looked at before anything is used. */
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "codec/crc32c.h"
#include "codec/varint.h"
#include "disk/file.h"
#include "disk/map_guard.h"
#include "metrics/tsdb/checkpoint.h"
#include "metrics/tsdb/flush.h"
#include "metrics/tsdb/side.h"

enum {
    ALIGN = 8
};

/* The log has everything. */
static enum err passed_over(struct tsdb *db, bool damaged, const char *why)
{
    char path[4096];
    checkpoint_path(db, path, sizeof(path));
    LOG_EVENT(damaged ? LVL_WARN : LVL_INFO, "tsdb_checkpoint_passed_over", F_C("file", path),
              F_C("why", why), F_C("action", "the log is replayed whole; nothing is lost"));
    db->checkpoint.found = false;
    atomic_fetch_add_explicit(&db->checkpoints_bad, damaged, memory_order_relaxed);
    return ERR_OK;
}

static bool names_series_file(const struct checkpoint *c, uint64_t number)
{
    bool named = false;
    for (size_t i = 0; i < c->series_file_count; i++) {
        named = named || c->series_files[i] == number;
    }
    return named;
}

/* Removes what the checkpoint does not name. */
static void sweep(struct tsdb *db)
{
    struct arena a AUTO_ARENA;
    const struct str *names = NULL;
    char path[4096];
    size_t n = 0;
    arena_init(&a, 0, NULL);
    chunk_pool_sweep(&db->pool);
    if (!db->checkpoint.found) {
        checkpoint_path(db, path, sizeof(path));
        (void)(file_remove(path, NULL) == ERR_OK);
    }
    if (dir_list(db->chunk_dir, &a, &names, &n, NULL) != ERR_OK) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t number = 0;
        if (str_ends(names[i], STR(".series")) &&
            str_to_u64(str_slice(names[i], 0, names[i].n - 7), &number) == ERR_OK &&
            !names_series_file(&db->checkpoint, number)) {
            checkpoint_series_path(db, number, path, sizeof(path));
            (void)(file_remove(path, NULL) == ERR_OK);
        }
    }
}

/* -- open ------------------------------------------------------------------------------------------------ */

/* The place behind magic and checksum, or false. */
static bool content_open(const struct buf *content, struct reader *ret_r)
{
    struct str all = buf_view(content);
    if (all.n < CHECKPOINT_MAGIC_BYTES + 4 || memcmp(all.p, CHECKPOINT_MAGIC, CHECKPOINT_MAGIC_BYTES) != 0) {
        return false;
    }
    struct reader tail = reader_of(str_slice(all, all.n - 4, all.n));
    *ret_r = reader_of(str_slice(all, CHECKPOINT_MAGIC_BYTES, all.n - 4));
    return read_u32(&tail) == crc32c(0, all.p, all.n - 4);
}

/* False: of another state of the store. */
static bool offsets_read(struct reader *r, const struct store *s, struct checkpoint *c)
{
    bool same = read_zigzag(r) == s->flushed_before;
    for (unsigned p = 0; p < PARTITIONS; p++) {
        same = read_varint(r) == s->flushed_offset[p] && same;
        c->from[p] = read_varint(r);
    }
    c->side_from = read_varint(r);
    uint64_t files = read_varint(r);
    r->bad = r->bad || files == 0 || files > CHECKPOINT_SERIES_FILES_MAX;
    for (c->series_file_count = 0; !r->bad && c->series_file_count < files; c->series_file_count++) {
        c->series_files[c->series_file_count] = read_varint(r);
    }
    return same;
}

static enum err tenants_read(struct reader *r, struct tsdb *db)
{
    uint64_t n = read_varint(r);
    for (uint64_t i = 0; i < n && !r->bad; i++) {
        struct tenant *t = NULL;
        struct str name = read_str(r);
        uint32_t created = (uint32_t)read_varint(r);
        enum err e = r->bad ? ERR_CORRUPT : tenant_get(db, name, true, &t);
        if (e != ERR_OK) {
            return e;
        }
        atomic_store_explicit(&t->created, created, memory_order_relaxed);
    }
    return r->bad ? ERR_CORRUPT : ERR_OK;
}

static enum err segments_read(struct reader *r, struct checkpoint *c)
{
    uint64_t n = read_varint(r);
    if (n > reader_left(r)) {
        return ERR_CORRUPT;
    }
    c->segments = mem_zarray(n + 1, sizeof(*c->segments));
    if (!c->segments) {
        return ERR_OOM;
    }
    for (; c->segment_count < n; c->segment_count++) {
        struct chunk_extent *x = &c->segments[c->segment_count];
        x->number = read_varint(r);
        x->bytes = read_varint(r);
    }
    return r->bad ? ERR_CORRUPT : ERR_OK;
}

enum err checkpoint_open(struct tsdb *db, struct err_info *info)
{
    char path[4096];
    struct checkpoint *c = &db->checkpoint;
    struct reader r;
    c->content.size_bytes_max = CHECKPOINT_BYTES_MAX;
    checkpoint_path(db, path, sizeof(path));
    enum err e = file_load(path, &c->content, NULL);
    if (e == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    if (e == ERR_OOM) {
        return err_set(info, e, "no memory for %s", path);
    }
    if (e != ERR_OK || !content_open(&c->content, &r)) {
        return passed_over(db, true, e != ERR_OK ? err_text(e) : "its checksum does not match");
    }
    if (!offsets_read(&r, &db->store, c)) {
        return passed_over(db, false, "a flush came after it");
    }
    e = tenants_read(&r, db);
    e = e == ERR_OK ? segments_read(&r, c) : e;
    if (e == ERR_OOM) {
        return err_set(info, e, "no memory for %s", path);
    }
    c->found = e == ERR_OK;
    c->heads_at = c->content.n - 4 - reader_left(&r);
    for (size_t i = 0; i < c->series_file_count; i++) {
        db->store.number = c->series_files[i] > db->store.number ? c->series_files[i] : db->store.number;
    }
    return e == ERR_OK ? e : passed_over(db, true, err_text(e));
}

/* -- what a head had ------------------------------------------------------------------------------------- */

/* A head as the file has it: what of its parts lies where. */
struct saved_head {
    unsigned partition;
    uint32_t tenant;
    struct ticks *clocks;
    uint32_t clock_count;
    uint32_t *orders;
    uint32_t slot_count;
};

struct saved {
    struct arena a;
    struct saved_head *heads;
    size_t count, cap;
    struct saved_head **by_place; /* tenant * PARTITIONS + partition */
    size_t tenants;
    struct reader sides; /* what follows the heads */
};

static enum err clock_read(struct reader *r, struct arena *a, struct ticks *k)
{
    ts_ms before = 0;
    int64_t step = 0;
    k->target = read_u64(r);
    k->series = read_u8(r);
    k->first = (uint32_t)read_varint(r);
    uint64_t n = read_varint(r);
    if (n > reader_left(r)) {
        return ERR_CORRUPT;
    }
    k->n = k->cap = (uint32_t)n;
    k->ts = n ? arena_array(a, n, sizeof(*k->ts)) : NULL;
    if (n && !k->ts) {
        return ERR_OOM;
    }
    for (uint64_t i = 0; i < n; i++) {
        step = (int64_t)((uint64_t)step + (uint64_t)read_zigzag(r));
        k->ts[i] = before = (ts_ms)((uint64_t)before + (uint64_t)step);
    }
    return r->bad ? ERR_CORRUPT : ERR_OK;
}

static enum err head_read(struct reader *r, struct arena *a, struct saved_head *h)
{
    uint32_t expected = 0;
    enum err e = ERR_OK;
    h->partition = read_u8(r);
    h->tenant = (uint32_t)read_varint(r);
    uint64_t n = read_varint(r);
    if (r->bad || h->partition >= PARTITIONS || n > reader_left(r)) {
        return ERR_CORRUPT;
    }
    h->clocks = arena_zarray(a, n + 1, sizeof(*h->clocks));
    for (; h->clocks && e == ERR_OK && h->clock_count < n; h->clock_count++) {
        e = clock_read(r, a, &h->clocks[h->clock_count]);
    }
    n = read_varint(r);
    if (e != ERR_OK || r->bad || n > reader_left(r) || n > SLOTS_MAX) {
        return e != ERR_OK ? e : ERR_CORRUPT;
    }
    h->orders = arena_array(a, n + 1, sizeof(*h->orders));
    if (!h->clocks || !h->orders) {
        return ERR_OOM;
    }
    for (; h->slot_count < n; h->slot_count++) {
        uint32_t order = expected + (uint32_t)read_zigzag(r);
        h->orders[h->slot_count] = order;
        expected = order + 1;
    }
    return r->bad ? ERR_CORRUPT : ERR_OK;
}

/* The heads and where what follows them begins. */
static enum err saved_read(struct tsdb *db, struct saved *s)
{
    struct str all = buf_view(&db->checkpoint.content);
    struct reader r = reader_of(str_slice(all, db->checkpoint.heads_at, all.n - 4));
    s->tenants = db->tenant_count;
    s->by_place = arena_zarray(&s->a, s->tenants * PARTITIONS + 1, sizeof(struct saved_head *));
    enum err e = s->by_place ? ERR_OK : ERR_OOM;
    while (e == ERR_OK && read_u8(&r) == 1) {
        struct saved_head h = {0};
        e = arena_reserve(&s->a, (void **)&s->heads, &s->cap, s->count + 1, sizeof(*s->heads));
        e = e == ERR_OK ? head_read(&r, &s->a, &h) : e;
        e = e == ERR_OK && h.tenant >= s->tenants ? ERR_CORRUPT : e;
        if (e == ERR_OK) {
            s->heads[s->count++] = h;
        }
    }
    for (size_t i = 0; e == ERR_OK && i < s->count; i++) {
        s->by_place[s->heads[i].tenant * PARTITIONS + s->heads[i].partition] = &s->heads[i];
    }
    s->sides = r;
    return e == ERR_OK && r.bad ? ERR_CORRUPT : e;
}

static const struct saved_head *head_of(const struct saved *s, const struct chunk *c)
{
    return c->tenant < s->tenants && c->partition < PARTITIONS
               ? s->by_place[c->tenant * PARTITIONS + c->partition]
               : NULL;
}

/* -- chunks ---------------------------------------------------------------------------------------------- */

/* It belongs to a head as that is saved. */
static bool chunk_fits(const struct saved *s, const struct chunk *c)
{
    const struct saved_head *h = head_of(s, c);
    if (!h || c->slot >= h->slot_count || c->count == 0 || c->count > CHUNK_SAMPLES_MAX ||
        c->min_ts > c->max_ts) {
        return false;
    }
    if (c->clock == CLOCK_NONE) {
        return true;
    }
    const struct ticks *k = c->clock < h->clock_count ? &h->clocks[c->clock] : NULL;
    return k && c->first_tick >= k->first && (uint64_t)c->first_tick - k->first + c->count <= k->n;
}

/* Goes through the chunks of a file, or of what is mapped of it; false: it is not what the checkpoint says.
 */
static bool chunks_check(const struct saved *s, const char *p, uint64_t number, size_t bytes)
{
    size_t at = CHUNK_FILE_HEADER_BYTES;
    if (bytes < at || !chunk_file_is(p, number)) {
        return false;
    }
    while (at < bytes) {
        const struct chunk *c = (const void *)(p + at);
        if (!chunk_whole(c, bytes - at) || (c->state == CHUNK_NAMED && !chunk_fits(s, c))) {
            return false;
        }
        at += (chunk_bytes(c) + ALIGN - 1) / ALIGN * ALIGN;
    }
    return at == bytes;
}

static bool segment_check(const struct tsdb *db, const struct saved *s, const struct chunk_extent *x)
{
    char path[4096 + 32];
    struct file_map map = {0};
    chunk_file_path(db->chunk_dir, x->number, path, sizeof(path));
    if (file_map(path, &map, NULL) != ERR_OK) {
        return false;
    }
    bool good = map.data.n >= x->bytes && chunks_check(s, map.data.p, x->number, x->bytes);
    good = good && !file_map_failed(&map);
    file_unmap(&map);
    return good;
}

static bool series_check(const struct tsdb *db, uint64_t number)
{
    char path[4096];
    unsigned bad = 0;
    checkpoint_series_path(db, number, path, sizeof(path));
    return series_file_read(NULL, path, true, &bad, NULL) == ERR_OK && bad == 0;
}

static bool all_check(const struct tsdb *db, const struct saved *s)
{
    const struct checkpoint *c = &db->checkpoint;
    bool good = true;
    for (size_t i = 0; good && i < c->series_file_count; i++) {
        good = series_check(db, c->series_files[i]);
    }
    for (size_t i = 0; good && i < c->segment_count; i++) {
        good = segment_check(db, s, &c->segments[i]);
    }
    return good;
}

/* -- restoring ------------------------------------------------------------------------------------------- */

static enum err head_begin(struct tsdb *db, const struct saved_head *in)
{
    struct head *h = NULL;
    enum err e = partition_head(&db->partitions[in->partition], db->tenants[in->tenant], &db->pool, &h);
    for (uint32_t i = 0; e == ERR_OK && i < in->clock_count; i++) {
        struct ticks k = in->clocks[i];
        if (k.series == 0) {
            continue;
        }
        k.series = 0; /* they count themselves */
        k.ts = k.n ? mem_array(k.n, sizeof(*k.ts)) : NULL;
        if (k.n && !k.ts) {
            return ERR_OOM;
        }
        if (k.n) {
            memcpy(k.ts, in->clocks[i].ts, k.n * sizeof(*k.ts));
        }
        e = head_clock_restore(h, i, &k);
    }
    return e;
}

/* Takes the chunks of a segment into their series; one whose series is not defined is left alone. */
static void segment_restore(struct tsdb *db, char *p, const struct chunk_extent *x)
{
    for (size_t at = 0, bytes = x->bytes - CHUNK_FILE_HEADER_BYTES; at < bytes;) {
        struct chunk *c = (void *)(p + at);
        at += (chunk_bytes(c) + ALIGN - 1) / ALIGN * ALIGN;
        if (c->state != CHUNK_NAMED) {
            continue;
        }
        struct head *h = db->partitions[c->partition].heads[c->tenant];
        if (c->slot >= h->slot_count || !(head_series(h, c->slot)->flags & SERIES_LIVE)) {
            c->state = CHUNK_GONE;
            atomic_fetch_add_explicit(&db->wal_orphans, c->count, memory_order_relaxed);
            continue;
        }
        c->segment = x->segment;
        chunk_segment_ref(x->segment);
        head_chunk_restore(h, c->slot, c);
        tenant_max_ts_raise(h->tenant, c->max_ts);
        atomic_fetch_add_explicit(&db->chunks_restored, 1, memory_order_relaxed);
    }
}

static enum err head_end(struct tsdb *db, const struct saved_head *in)
{
    struct head *h = db->partitions[in->partition].heads[in->tenant];
    for (uint32_t i = 0; i < in->slot_count && i < h->slot_count; i++) {
        *head_order(h, i) = in->orders[i];
    }
    return head_restored(h);
}

static enum err sides_restore(struct tsdb *db, struct reader *r)
{
    enum err e = ERR_OK;
    while (e == ERR_OK && read_u8(r) == 1) {
        e = side_replay(db, read_str(r));
        e = e == ERR_CORRUPT ? ERR_OK : e;
    }
    return e;
}

static void series_kept(struct tsdb *db)
{
    for (unsigned p = 0; p < PARTITIONS; p++) {
        for (size_t i = 0; i < db->partitions[p].head_count; i++) {
            struct head *h = db->partitions[p].heads[i];
            for (uint32_t k = 0; h && k < h->slot_count; k++) {
                head_series(h, k)->flags |= head_series(h, k)->flags & SERIES_LIVE ? SERIES_KEPT : 0;
            }
        }
    }
}

static enum err definitions_restore(struct tsdb *db)
{
    char path[4096];
    unsigned bad = 0;
    enum err e = ERR_OK;
    uint32_t created[TENANTS_MAX];
    for (size_t i = 0; i < db->tenant_count; i++) {
        created[i] = (uint32_t)atomic_load_explicit(&db->tenants[i]->created, memory_order_relaxed);
    }
    for (size_t i = 0; e == ERR_OK && i < db->checkpoint.series_file_count; i++) {
        checkpoint_series_path(db, db->checkpoint.series_files[i], path, sizeof(path));
        e = series_file_read(db, path, true, &bad, NULL);
    }
    series_kept(db);
    for (size_t i = 0; i < db->tenant_count; i++) {
        atomic_store_explicit(&db->tenants[i]->created, created[i], memory_order_relaxed);
    }
    return e;
}

static enum err restore(struct tsdb *db, struct saved *s)
{
    struct checkpoint *c = &db->checkpoint;
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK && i < s->count; i++) {
        e = head_begin(db, &s->heads[i]);
    }
    e = e == ERR_OK ? definitions_restore(db) : e;
    for (size_t i = 0; e == ERR_OK && i < c->segment_count; i++) {
        char *p = NULL;
        e = chunk_pool_adopt(&db->pool, &c->segments[i], &p, NULL);
        if (e == ERR_OK) {
            segment_restore(db, p, &c->segments[i]);
        }
    }
    for (size_t i = 0; e == ERR_OK && i < s->count; i++) {
        e = head_end(db, &s->heads[i]);
    }
    return e == ERR_OK ? sides_restore(db, &s->sides) : e;
}

/* From here on replay and appends go on as if all that had been replayed. */
static void go_on(struct tsdb *db)
{
    struct checkpoint *c = &db->checkpoint;
    for (unsigned i = 0; i < PARTITIONS; i++) {
        struct partition *p = &db->partitions[i];
        p->end = c->from[i] > p->end ? c->from[i] : p->end;
        p->begun[p->generation] = c->from[i];
    }
    tsdb_mark_at(db, checkpoint_log_least(c));
    c->flushes = atomic_load(&db->flushes);
}

enum err checkpoint_restore(struct tsdb *db, struct err_info *info)
{
    struct saved s = {0};
    arena_init(&s.a, 0, NULL);
    enum err e = db->checkpoint.found ? saved_read(db, &s) : ERR_OK;
    if (e == ERR_CORRUPT || (e == ERR_OK && db->checkpoint.found && !all_check(db, &s))) {
        e = passed_over(db, true, "a file it names is damaged or missing");
    }
    if (e == ERR_OK && db->checkpoint.found) {
        e = restore(db, &s);
        go_on(db);
    }
    arena_done(&s.a);
    buf_done(&db->checkpoint.content);
    db->checkpoint.content = (struct buf){0};
    if (e != ERR_OK) {
        return err_set(info, e, "reading the checkpoint of %s: %s", db->dir, err_text(e));
    }
    if (!db->checkpoint.found) {
        mem_free(db->checkpoint.segments);
        db->checkpoint = (struct checkpoint){0};
    }
    sweep(db);
    return ERR_OK;
}
