/* Making a checkpoint (docs/formats/metrics-chunks.md). */
#include "metrics/tsdb/checkpoint.h"

#include <stdio.h>

#include "base/mem.h"
#include "codec/crc32c.h"
#include "codec/varint.h"
#include "disk/file.h"
#include "metrics/tsdb/flush.h"
#include "metrics/tsdb/record.h"
#include "metrics/tsdb/side.h"

enum {
    EVERY_MS = 5 * 60 * 1000,
    LOG_BYTES_MIN = 64 << 20, /* that the log grew by make one due earlier, */
    LOG_PART = 16,            /* or this part of it */
    TAIL_AGE_MAX = 12         /* generations; an older tail is sealed, that it does not hold back the rest */
};

static_assert((int)TAIL_AGE_MAX < (int)GENERATIONS, "generations are told apart");

void checkpoint_path(const struct tsdb *db, char *path, size_t path_size)
{
    (void)snprintf(path, path_size, "%s/CHECKPOINT", db->chunk_dir);
}

void checkpoint_series_path(const struct tsdb *db, uint64_t number, char *path, size_t path_size)
{
    (void)snprintf(path, path_size, "%s/%012llu.series", db->chunk_dir, (unsigned long long)number);
}

void checkpoint_done(struct checkpoint *c)
{
    chunk_extents_free(c->segments, c->segment_count);
    buf_done(&c->content);
}

uint64_t checkpoint_log_from(const struct checkpoint *c)
{
    uint64_t from = c->found ? c->side_from : 0;
    for (unsigned p = 0; c->found && p < PARTITIONS; p++) {
        from = c->from[p] > from ? c->from[p] : from;
    }
    return from;
}

uint64_t checkpoint_log_least(const struct checkpoint *c)
{
    uint64_t least = c->found ? c->side_from : 0;
    for (unsigned p = 0; c->found && p < PARTITIONS; p++) {
        least = c->from[p] < least ? c->from[p] : least;
    }
    return least;
}

/* -- partitions ------------------------------------------------------------------------------------------ */

/* One that is being made. */
struct making {
    struct tsdb *db;
    struct checkpoint c;
    struct buf heads;
    bool seal_all;
    uint64_t series_file; /* of definitions, that is written, too; 0: none */
    bool logged;          /* late samples, */
    uint64_t logged_to;   /* at this offset the last */
};

/* What holds the log of a partition back. */
struct open_tails {
    bool any;
    unsigned age_max; /* generations that lie behind; 0: the present one */
    unsigned oldest;  /* the same, with the late samples that are logged once more */
};

static unsigned age(unsigned now, unsigned generation)
{
    return (now - generation) % GENERATIONS;
}

static void note(struct open_tails *o, unsigned age)
{
    o->any = true;
    o->age_max = age > o->age_max ? age : o->age_max;
    o->oldest = age > o->oldest ? age : o->oldest;
}

/* Names what is sealed. */
static enum err series_seal(const struct partition *p, struct head *h, uint32_t slot, bool seal_all,
                            struct open_tails *o)
{
    struct series *s = head_series(h, slot);
    bool due = s->tail_count && (seal_all || age(p->generation, s->generation) > TAIL_AGE_MAX);
    if (due && head_seal(h, s) != ERR_OK) {
        return ERR_OOM;
    }
    if (s->tail_count) {
        note(o, age(p->generation, s->generation));
    }
    /* The newest are without a name; what a flush put further back got it there. */
    for (struct chunk *c = s->sealed; c && c->state == CHUNK_NEW; c = c->older) {
        if (!c->segment) {
            return ERR_UNSUPPORTED;
        }
        chunk_name(c, h->tenant_number, h->partition, slot);
    }
    return ERR_OK;
}

static void clocks_write(struct buf *b, const struct head *h)
{
    write_varint(b, h->clock_count);
    for (size_t i = 0; i < h->clock_count; i++) {
        const struct ticks *k = &h->clocks[i];
        ts_ms before = 0;
        int64_t step = 0;
        write_u64(b, k->target);
        write_u8(b, k->series > 0);
        write_varint(b, k->first);
        write_varint(b, k->n);
        for (uint32_t t = 0; t < k->n; t++) {
            int64_t delta = (int64_t)((uint64_t)k->ts[t] - (uint64_t)before);
            write_zigzag(b, (int64_t)((uint64_t)delta - (uint64_t)step));
            step = delta;
            before = k->ts[t];
        }
    }
}

static void orders_write(struct buf *b, const struct head *h)
{
    uint32_t expected = 0;
    write_varint(b, h->slot_count);
    for (uint32_t i = 0; i < h->slot_count; i++) {
        uint32_t order = *head_order(h, i);
        write_zigzag(b, (int32_t)(order - expected));
        expected = order + 1;
    }
}

static void late_write(struct record_writer *w, uint32_t slot, const struct late_sample *l, struct arena *a)
{
    struct sample_value v = {.bits = l->bits};
    if (l->rich && rich_read_one(str_of(l->rich, l->rich_bytes), a, &v) != ERR_OK) {
        w->b->err = ERR_OOM; /* it was written by us, and is whole */
        return;
    }
    record_sample(w, slot, l->ts, &v);
}

/* Late samples once more into the log, that they do not hold back the rest. */
static enum err late_log(struct making *m, struct partition *p, struct head *h, struct err_info *info)
{
    struct record_writer w;
    struct arena a AUTO_ARENA;
    uint64_t offset = 0;
    arena_init(&a, 0, NULL);
    record_begin(&w, &p->record, h->tenant->name);
    record_samples(&w);
    for (uint32_t i = 0; i < h->slot_count; i++) {
        const struct series_ext *x = head_series(h, i)->ext;
        for (uint32_t k = 0; x && k < x->late_count; k++) {
            late_write(&w, i, &x->late[k], &a);
        }
    }
    struct str part = buf_view(&p->record);
    enum err e = p->record.err != ERR_OK ? p->record.err
                                         : ingest_log_place(m->db->log, p->number, &part, 1, &offset, info);
    arena_done(&a);
    if (e == ERR_OK) {
        p->end = offset + 1;
        h->late_generation = p->generation;
        m->logged = true;
        m->logged_to = offset > m->logged_to ? offset : m->logged_to;
    }
    return e;
}

/* With the generation that was the present one when tails were looked at. */
static bool late_due(unsigned now, const struct head *h, bool seal_all)
{
    return h->late_count && (seal_all || age(now, h->late_generation) > TAIL_AGE_MAX);
}

/* Errors: OOM; UNSUPPORTED: there was no room for chunks in files. */
static enum err head_capture(const struct partition *p, struct head *h, bool seal_all, struct open_tails *o,
                             struct buf *b)
{
    enum err e = ERR_OK;
    for (uint32_t i = 0; e == ERR_OK && i < h->slot_count; i++) {
        e = head_series(h, i)->flags & SERIES_LIVE ? series_seal(p, h, i, seal_all, o) : ERR_OK;
    }
    unsigned late = age(p->generation, h->late_generation);
    if (h->late_count && !late_due(p->generation, h, seal_all)) {
        note(o, late);
    } else if (h->late_count && late > o->oldest) {
        o->oldest = late; /* until they are logged */
    }
    write_u8(b, 1);
    write_u8(b, (uint8_t)p->number);
    write_varint(b, h->tenant_number);
    clocks_write(b, h);
    orders_write(b, h);
    return e != ERR_OK ? e : h->chunk_bytes ? ERR_UNSUPPORTED : ERR_OK;
}

/* Tails that begin from now on are of a new generation; or of the present one still, when the oldest there
 * are would be mistaken for the new one's. */
static void generation_begin(struct partition *p, const struct open_tails *o)
{
    if (o->oldest + 2 >= GENERATIONS) {
        return;
    }
    p->generation = (uint8_t)((p->generation + 1u) % GENERATIONS);
    p->begun[p->generation] = p->end;
    for (size_t i = 0; i < p->head_count; i++) {
        if (p->heads[i]) {
            p->heads[i]->generation = p->generation;
        }
    }
}

/* With writers held off, so that every record below p->end is in the heads. */
static enum err partition_capture(struct making *m, struct partition *p, struct err_info *info)
{
    enum err e = ERR_OK;
    struct open_tails o = {0};
    mutex_lock(&p->writer);
    mutex_lock(&p->lock);
    unsigned now = p->generation;
    for (size_t i = 0; e == ERR_OK && i < p->head_count; i++) {
        e = p->heads[i] ? head_capture(p, p->heads[i], m->seal_all, &o, &m->heads) : ERR_OK;
    }
    m->c.from[p->number] = o.any ? p->begun[age(now, o.age_max)] : p->end;
    if (e == ERR_OK) { /* else not all tails were looked at */
        generation_begin(p, &o);
    }
    for (size_t i = 0; e == ERR_OK && i < p->head_count; i++) {
        struct head *h = p->heads[i];
        e = h && late_due(now, h, m->seal_all) ? late_log(m, p, h, info) : ERR_OK;
    }
    mutex_unlock(&p->lock);
    mutex_unlock(&p->writer);
    return e;
}

/* -- the file -------------------------------------------------------------------------------------------- */

static void sides_write(struct tsdb *db, struct buf *b)
{
    struct buf record AUTO_BUF = {.size_bytes_max = INGEST_LOG_RECORD_BYTES_MAX};
    for (size_t i = 0; b->err == ERR_OK; i++) {
        mutex_lock(&db->tenants_lock);
        struct tenant *t = i < db->tenant_count ? db->tenants[i] : NULL;
        mutex_unlock(&db->tenants_lock);
        if (!t) {
            break;
        }
        if (side_save(t, &record)) {
            write_u8(b, 1);
            write_str(b, buf_view(&record));
        }
        b->err = record.err != ERR_OK ? record.err : b->err;
    }
    write_u8(b, 0);
}

static void tenants_write(struct tsdb *db, struct buf *b)
{
    mutex_lock(&db->tenants_lock);
    write_varint(b, db->tenant_count);
    for (size_t i = 0; i < db->tenant_count; i++) {
        write_str(b, db->tenants[i]->name);
        write_varint(b, atomic_load_explicit(&db->tenants[i]->created, memory_order_relaxed));
    }
    mutex_unlock(&db->tenants_lock);
}

static void content_write(struct making *m)
{
    struct buf *b = &m->c.content;
    const struct store *s = &m->db->store;
    buf_append(b, CHECKPOINT_MAGIC, CHECKPOINT_MAGIC_BYTES);
    write_zigzag(b, s->flushed_before);
    for (unsigned p = 0; p < PARTITIONS; p++) {
        write_varint(b, s->flushed_offset[p]);
        write_varint(b, m->c.from[p]);
    }
    write_varint(b, m->c.side_from);
    write_varint(b, m->c.series_file_count);
    for (size_t i = 0; i < m->c.series_file_count; i++) {
        write_varint(b, m->c.series_files[i]);
    }
    tenants_write(m->db, b);
    write_varint(b, m->c.segment_count);
    for (size_t i = 0; i < m->c.segment_count; i++) {
        write_varint(b, m->c.segments[i].number);
        write_varint(b, m->c.segments[i].bytes);
    }
    buf_append(b, m->heads.p, m->heads.n);
    write_u8(b, 0);
    sides_write(m->db, b);
    write_u32(b, crc32c(0, b->p, b->n));
}

static enum err capture(struct making *m, struct err_info *info)
{
    enum err e = ERR_OK;
    m->c.series = atomic_load(&m->db->series_created); /* before their definitions are looked at */
    m->c.flushes = atomic_load(&m->db->flushes);
    m->c.log_bytes = ingest_log_bytes(m->db->log);
    for (unsigned p = 0; e == ERR_OK && p < PARTITIONS; p++) {
        e = partition_capture(m, &m->db->partitions[p], info);
    }
    m->c.side_from = ingest_log_end(m->db->log); /* they are kept before they are logged */
    e = e == ERR_OK && m->logged ? ingest_log_wait(m->db->log, m->logged_to, info) : e;
    return e == ERR_OK ? chunk_pool_extents(&m->db->pool, &m->c.segments, &m->c.segment_count) : e;
}

static enum err definitions_write(struct making *m, struct err_info *info)
{
    char path[4096];
    const struct checkpoint *before = &m->db->checkpoint;
    bool all = before->series_file_count == 0 || before->series_file_count == CHECKPOINT_SERIES_FILES_MAX ||
               before->flushes != m->c.flushes; /* a flush lets series go */
    if (!all) {
        m->c.series_file_count = before->series_file_count;
        memcpy(m->c.series_files, before->series_files, sizeof(before->series_files));
    }
    if (!all && before->series == m->c.series) {
        return ERR_OK;
    }
    m->series_file = ++m->db->store.number;
    m->c.series_files[m->c.series_file_count++] = m->series_file;
    checkpoint_series_path(m->db, m->series_file, path, sizeof(path));
    (void)(file_remove(path, NULL) == ERR_OK); /* of a store that lost its manifest */
    return series_file_write(m->db, path, all ? SERIES_FILE_ALL : SERIES_FILE_FRESH, info);
}

static enum err write_all(struct making *m, struct err_info *info)
{
    char path[4096];
    enum err e = dir_make(m->db->chunk_dir, info); /* there was no room when the store was opened */
    e = e == ERR_OK ? definitions_write(m, info) : e;
    e = e == ERR_OK ? chunk_pool_sync(&m->db->pool, m->c.segments, m->c.segment_count, info) : e;
    if (e != ERR_OK) {
        return e;
    }
    m->c.content.size_bytes_max = CHECKPOINT_BYTES_MAX;
    content_write(m);
    e = m->c.content.err != ERR_OK ? m->c.content.err : m->heads.err;
    if (e != ERR_OK) {
        return err_set(info, e, "no memory for a checkpoint of %s", m->db->dir);
    }
    checkpoint_path(m->db, path, sizeof(path));
    return file_store(path, buf_view(&m->c.content), info);
}

static void series_remove(const struct tsdb *db, uint64_t number)
{
    char path[4096];
    checkpoint_series_path(db, number, path, sizeof(path));
    (void)(file_remove(path, NULL) == ERR_OK); /* else the next start does */
}

enum err checkpoint_make(struct tsdb *db, bool seal_all, struct err_info *info)
{
    struct making m = {.db = db, .seal_all = seal_all, .heads.size_bytes_max = CHECKPOINT_BYTES_MAX};
    struct checkpoint *now = &db->checkpoint;
    enum err e = capture(&m, info);
    if (e == ERR_OK) {
        e = write_all(&m, info);
    } else if (e == ERR_OOM) {
        (void)err_set(info, e, "no memory for a checkpoint of %s", db->dir);
    }
    buf_done(&m.heads);
    buf_done(&m.c.content);
    m.c.content = (struct buf){0};
    m.c.made_ns = now->made_ns = clock_mono_ns(db->o.clock);
    if (e == ERR_OK) {
        for (size_t i = 0; i < now->series_file_count; i++) {
            if (now->series_files[i] != m.c.series_files[i]) {
                series_remove(db, now->series_files[i]);
            }
        }
        checkpoint_done(now);
        *now = m.c;
        atomic_fetch_add(&db->checkpoints, 1);
        return ERR_OK;
    }
    now->log_bytes = m.c.log_bytes; /* tried again when it is time to, not at once */
    if (m.series_file) {            /* what is marked as kept is not: all are written the next time */
        series_remove(db, m.series_file);
        now->flushes = UINT64_MAX;
    }
    checkpoint_done(&m.c);
    return e == ERR_UNSUPPORTED ? ERR_OK : e; /* the one before is as good as ever */
}

enum err checkpoint_due(struct tsdb *db, struct err_info *info)
{
    const struct checkpoint *c = &db->checkpoint;
    uint64_t log = ingest_log_bytes(db->log), grown = log > c->log_bytes ? log - c->log_bytes : 0;
    int64_t age_ns = clock_mono_ns(db->o.clock) - c->made_ns;
    bool due = age_ns >= EVERY_MS * NS_PER_MS || c->flushes != atomic_load(&db->flushes) ||
               (grown > LOG_BYTES_MIN && grown > log / LOG_PART);
    return due && !atomic_load(&db->disk_full) ? checkpoint_make(db, false, info) : ERR_OK;
}
