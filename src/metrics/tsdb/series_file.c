/* The file of series definitions, exemplars and metadata that stands in for trimmed records:
 *
 *   file  = "CAIRNTS1", entry*
 *   entry = partition u32, length u32, CRC32C u32, record (record.h, without samples; side.c)
 *
 * Without it the samples of the log have no series, and the log no longer has what it replaced: a copy stands
 * beside it (NUMBER.series.copy) and is read when the file is damaged; of two damaged ones the whole entries
 * count. */
#include <stdio.h>

#include "base/log.h"
#include "codec/crc32c.h"
#include "metrics/tsdb/flush.h"
#include "metrics/tsdb/record.h"
#include "metrics/tsdb/replay.h"
#include "metrics/tsdb/side.h"

#define SERIES_MAGIC "CAIRNTS1"

enum {
    MAGIC_BYTES = 8,
    ENTRY_BYTES = 12
};

/* For a checkpoint the series are marked as kept; those that were not (`fresh`), or all. */
static void head_define(const struct head *h, enum series_file_for purpose, struct buf *b)
{
    struct record_writer w;
    struct label labels[2][LABELS_MAX]; /* the writer looks back at the set before */
    size_t defined = 0;
    record_begin(&w, b, h->tenant->name);
    for (uint32_t i = 0; i < h->slot_count; i++) {
        struct series *s = head_series(h, i);
        if ((s->flags & SERIES_LOGGED) && !(purpose == SERIES_FILE_FRESH && (s->flags & SERIES_KEPT))) {
            s->flags |= purpose == SERIES_FILE_MANIFEST ? 0 : SERIES_KEPT;
            struct label *out = labels[defined++ % 2];
            index_labels(h->index, s->labels, out);
            record_define(&w, i, (struct labels){out, s->labels->n});
        }
    }
    record_samples(&w);
}

static enum err entry_write(int fd, unsigned partition, const struct buf *record, struct err_info *info)
{
    struct buf b AUTO_BUF = {0};
    write_u32(&b, partition);
    write_u32(&b, (uint32_t)record->n);
    write_u32(&b, crc32c(0, record->p, record->n));
    if (b.err != ERR_OK || record->err != ERR_OK) {
        return err_set(info, ERR_OOM, "no memory to write series definitions");
    }
    enum err e = file_write(fd, b.p, b.n, info);
    return e == ERR_OK ? file_write(fd, record->p, record->n, info) : e;
}

static enum err partition_save(struct partition *p, enum series_file_for purpose, int fd, struct buf *record,
                               struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK; i++) {
        mutex_lock(&p->lock);
        bool more = i < p->head_count;
        const struct head *h = more ? p->heads[i] : NULL;
        if (h) {
            head_define(h, purpose, record);
        }
        mutex_unlock(&p->lock);
        if (!more) {
            break;
        }
        e = h ? entry_write(fd, p->number, record, info) : ERR_OK;
    }
    return e;
}

static enum err sides_save(struct tsdb *db, int fd, struct buf *record, struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t i = 0; e == ERR_OK; i++) {
        mutex_lock(&db->tenants_lock);
        struct tenant *t = i < db->tenant_count ? db->tenants[i] : NULL;
        mutex_unlock(&db->tenants_lock);
        if (!t) {
            break;
        }
        e = side_save(t, record) ? entry_write(fd, 0, record, info) : ERR_OK;
    }
    return e;
}

void series_file_remove(const struct tsdb *db, uint64_t number)
{
    char path[4096], copy[4096 + 8];
    store_series_path(&db->store, number, path, sizeof(path));
    (void)snprintf(copy, sizeof(copy), "%s.copy", path);
    (void)(file_remove(path, NULL) == ERR_OK);
    (void)(file_remove(copy, NULL) == ERR_OK);
}

static enum err copy_save(const char *path, struct err_info *info)
{
    char copy[4096 + 8];
    struct file_map map;
    int fd = -1;
    (void)snprintf(copy, sizeof(copy), "%s.copy", path);
    enum err e = file_map(path, &map, info);
    if (e != ERR_OK) {
        return e;
    }
    e = file_open(copy, FILE_WRITE_NEW, &fd, info);
    e = e == ERR_OK ? file_write(fd, map.data.p, map.data.n, info) : e;
    e = e == ERR_OK ? file_sync_data(fd, info) : e;
    file_close(fd);
    file_unmap(&map);
    return e;
}

enum err series_file_write(struct tsdb *db, const char *path, enum series_file_for purpose,
                           struct err_info *info)
{
    struct buf record AUTO_BUF = {.size_bytes_max = INGEST_LOG_RECORD_BYTES_MAX};
    int fd = -1;
    enum err e = file_open(path, FILE_WRITE_NEW, &fd, info);
    if (e != ERR_OK) {
        return e;
    }
    e = file_write(fd, SERIES_MAGIC, MAGIC_BYTES, info);
    for (unsigned p = 0; e == ERR_OK && p < PARTITIONS; p++) {
        e = partition_save(&db->partitions[p], purpose, fd, &record, info);
    }
    e = e == ERR_OK && purpose == SERIES_FILE_MANIFEST ? sides_save(db, fd, &record, info) : e;
    e = e == ERR_OK ? file_sync_data(fd, info) : e;
    file_close(fd);
    return e;
}

enum err series_file_save(struct tsdb *db, uint64_t number, struct err_info *info)
{
    char path[4096], dir[4096];
    store_series_path(&db->store, number, path, sizeof(path));
    (void)snprintf(dir, sizeof(dir), "%s/blocks", db->dir);
    enum err e = series_file_write(db, path, SERIES_FILE_MANIFEST, info);
    e = e == ERR_OK ? copy_save(path, info) : e;
    e = e == ERR_OK ? dir_sync(dir, info) : e;
    if (e != ERR_OK) {
        series_file_remove(db, number); /* else the next start does */
    }
    return e;
}

/* Goes through the entries; applies the whole ones unless db is NULL. *ret_bad counts what was passed over:
 * behind an entry whose length makes no sense nothing is found. */
static enum err entries_read(struct tsdb *db, struct str content, unsigned *ret_bad)
{
    struct reader r = reader_of(content);
    struct str magic = read_bytes(&r, MAGIC_BYTES);
    *ret_bad = r.bad || memcmp(magic.p, SERIES_MAGIC, MAGIC_BYTES) != 0;
    while (!r.bad && reader_left(&r)) {
        uint32_t partition = read_u32(&r), n = read_u32(&r), crc = read_u32(&r);
        struct str record = read_bytes(&r, n);
        if (r.bad || partition >= PARTITIONS || crc32c(0, record.p, record.n) != crc) {
            ++*ret_bad;
            continue;
        }
        enum err e = db ? replay_record(db, partition, 0, record) : ERR_OK;
        *ret_bad += e == ERR_CORRUPT;
        if (e != ERR_OK && e != ERR_CORRUPT) {
            return e;
        }
    }
    return ERR_OK;
}

enum err series_file_read(struct tsdb *db, const char *path, bool only_whole, unsigned *ret_bad,
                          struct err_info *info)
{
    struct file_map map;
    enum err e = file_map(path, &map, info);
    if (e != ERR_OK) {
        *ret_bad = 1;
        return e;
    }
    e = entries_read(NULL, map.data, ret_bad);
    if (e == ERR_OK && (*ret_bad == 0 || !only_whole)) {
        e = entries_read(db, map.data, ret_bad);
    }
    file_unmap(&map);
    return e;
}

/* Errors of the disk count as damage: with some definitions the store serves more than with none. */
enum err series_file_load(struct tsdb *db, uint64_t number, struct err_info *info)
{
    char path[4096], copy[4096 + 8];
    unsigned bad = 0, copy_bad = 1;
    store_series_path(&db->store, number, path, sizeof(path));
    (void)snprintf(copy, sizeof(copy), "%s.copy", path);
    enum err e = series_file_read(db, path, true, &bad, info);
    if (e == ERR_OOM || bad == 0) {
        return e;
    }
    e = series_file_read(db, copy, true, &copy_bad, NULL);
    if (copy_bad) {
        e = series_file_read(db, path, false, &bad, NULL) == ERR_OOM ? ERR_OOM : e;
        e = series_file_read(db, copy, false, &copy_bad, NULL) == ERR_OOM ? ERR_OOM : e;
    }
    db->store.blocks_bad++;
    LOG_EVENT(LVL_ERROR, "tsdb_series_file_damaged", F_C("file", path), F_U64("parts_damaged", bad),
              F_C("action",
                  copy_bad ? "samples since the last flush are missing of series that are in the damaged part"
                           : "its copy was read; the next flush writes both anew"));
    return e == ERR_OOM ? err_set(info, e, "no memory for the series definitions in %s", path) : ERR_OK;
}
