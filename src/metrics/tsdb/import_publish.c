/* The block that an import writes, and the notes of what has been brought in.
 *
 *   DIR/imports = (key, block number, "begun" | "done")*, a line each
 *
 * "begun" is written before the block is published: should the process end in between, the block's being
 * there tells whether it was. */
#include <stdio.h>

#include "metrics/tsdb/import_int.h"

enum {
    NOTES_BYTES_MAX = 16 << 20
};

static void notes_path(const struct tsdb *db, char path[4096])
{
    (void)snprintf(path, 4096, "%s/imports", db->dir);
}

static enum err notes_load(struct tsdb *db, struct buf *b, struct err_info *info)
{
    char path[4096];
    notes_path(db, path);
    return file_exists(path) ? file_load(path, b, info) : ERR_OK;
}

static bool block_exists(struct tsdb *db, uint64_t number)
{
    struct store_set *set = store_view(&db->store);
    bool found = false;
    for (size_t i = 0; i < set->block_count; i++) {
        found = found || store_block_number(set->blocks[i]) == number;
    }
    store_set_unref(set);
    return found;
}

enum err import_noted(struct tsdb *db, struct str key, bool *ret_noted, struct err_info *info)
{
    struct buf b AUTO_BUF = {.size_bytes_max = NOTES_BYTES_MAX};
    enum err e = notes_load(db, &b, info);
    struct str rest = buf_view(&b);
    *ret_noted = false;
    while (e == ERR_OK && rest.n) {
        uint64_t number = 0;
        struct str line = str_cut(&rest, '\n');
        struct str name = str_cut(&line, ' '), text = str_cut(&line, ' ');
        if (str_eq(name, key) && str_to_u64(text, &number) == ERR_OK) {
            *ret_noted = *ret_noted || str_eq(line, STR("done")) || block_exists(db, number);
        }
    }
    return e;
}

enum err import_note(struct tsdb *db, struct str key, uint64_t number, bool published, struct err_info *info)
{
    struct buf b AUTO_BUF = {.size_bytes_max = NOTES_BYTES_MAX};
    char path[4096];
    enum err e = notes_load(db, &b, info);
    buf_printf(&b, "%.*s %llu %s\n", STR_FMT(key), (unsigned long long)number, published ? "done" : "begun");
    notes_path(db, path);
    if (e == ERR_OK && b.err != ERR_OK) {
        return err_set(info, b.err, "no memory for the notes of imports in %s", path);
    }
    return e == ERR_OK ? file_store(path, buf_view(&b), info) : e;
}

enum err import_block_begin(struct import_block *ib, struct tsdb *db, struct err_info *info)
{
    *ib = (struct import_block){.db = db, .w = {.fd = -1}, .number = ++db->store.number};
    store_block_path(&db->store, ib->number, ib->path, sizeof(ib->path));
    return block_writer_begin(&ib->w, ib->path, info);
}

/* Makes the written file a block of the store. */
static enum err block_enter(struct import_block *ib, struct str tenant, struct err_info *info)
{
    struct tsdb *db = ib->db;
    char dir[4096], name[BLOCK_NAME_BYTES];
    struct block *fresh = NULL;
    struct tenant *t = NULL;
    ts_ms max_ts = ib->w.max_ts;
    (void)snprintf(dir, sizeof(dir), "%s/blocks", db->dir);
    (void)snprintf(name, sizeof(name), "%012llu.block", (unsigned long long)ib->number);
    enum err e = tenant_get(db, tenant, true, &t);
    e = e == ERR_OK ? dir_sync(dir, info) : err_set(info, e, "no memory for a tenant");
    e = e == ERR_OK ? block_open(ib->path, name, &fresh, info) : e;
    if (e != ERR_OK) {
        return e;
    }
    struct store_set *set = store_view(&db->store);
    e = store_change(&db->store, NULL, 0, fresh, set->tombstones, set->tombstone_count, info);
    store_set_unref(set);
    if (e != ERR_OK) { /* the file stays: the manifest on disk may be the new one all the same */
        block_unref(fresh);
        return e;
    }
    tenant_max_ts_raise(t, max_ts);
    atomic_fetch_add(&db->generation, 1);
    return ERR_OK;
}

enum err import_block_publish(struct import_block *ib, struct str tenant, struct str key,
                              struct tsdb_imported *done, struct err_info *info)
{
    enum err e = block_writer_finish(&ib->w, info);
    bool empty = ib->w.samples == 0;
    if (e == ERR_OK && empty) {
        e = file_remove(ib->path, info);
        ib->path[0] = 0;
    } else if (e == ERR_OK) {
        done->bytes = ib->w.at;
        e = import_note(ib->db, key, ib->number, false, info);
        e = e == ERR_OK ? block_enter(ib, tenant, info) : e;
        ib->path[0] = 0;
    }
    return e == ERR_OK ? import_note(ib->db, key, ib->number, true, info) : e;
}

void import_block_done(struct import_block *ib)
{
    block_writer_done(&ib->w);
    if (ib->path[0]) {
        (void)(file_remove(ib->path, NULL) == ERR_OK); /* else the next start does */
    }
}
