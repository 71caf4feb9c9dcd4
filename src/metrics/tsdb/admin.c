/* Deletes and snapshots: what an administrator asks for. Both hold the maintenance lock, so that no flush or
 * merge runs meanwhile. */
#include <stdio.h>

#include "base/mem.h"
#include "disk/file.h"
#include "metrics/tsdb/flush.h"

enum {
    PATH_BYTES_MAX = 4096
};

/* The set with one tombstone more becomes the present one. */
static enum err tombstone_add(struct tsdb *db, struct tombstone *t, struct err_info *info)
{
    struct store_set *set = store_view(&db->store);
    struct tombstone **kept = mem_array(set->tombstone_count + 1, sizeof(struct tombstone *));
    enum err e = kept ? ERR_OK : err_set(info, ERR_OOM, "no memory for a deletion");
    for (size_t i = 0; !e && i < set->tombstone_count; i++) {
        kept[i] = set->tombstones[i];
    }
    if (!e) {
        kept[set->tombstone_count] = t;
        e = store_change(&db->store, NULL, 0, NULL, kept, set->tombstone_count + 1, info);
    }
    mem_free(kept);
    store_set_unref(set);
    return e;
}

/* Nothing as old as `newest` is in the heads alone afterwards. */
static enum err blocks_first(struct tsdb *db, ts_ms newest, struct err_info *info)
{
    struct tsdb_stats s;
    ts_ms flushed = db->store.flushed_before;
    tsdb_stats(db, &s);
    if (newest < flushed && newest < s.min_time) {
        return ERR_OK;
    }
    ts_ms bound = newest < INT64_MAX ? newest + 1 : newest;
    return tsdb_flush(db, bound > flushed ? bound : flushed, info);
}

enum err tsdb_delete(struct tsdb *db, struct query_ctx *q, const struct matcher *matchers,
                     size_t matcher_count, ts_ms start_ms, ts_ms end_ms, struct err_info *reterr_info)
{
    struct tenant *tenant = NULL;
    struct tombstone *t = NULL;
    enum err e = tenant_get(db, q->tenant, false, &tenant);
    if (e || !tenant) {
        return e;
    }
    if (matcher_count > TOMBSTONE_MATCHERS_MAX) {
        return err_set(reterr_info, ERR_LIMIT, "a deletion takes at most %d matchers",
                       TOMBSTONE_MATCHERS_MAX);
    }
    mutex_lock(&db->maintenance);
    ts_ms newest = atomic_load_explicit(&tenant->max_ts, memory_order_relaxed);
    end_ms = end_ms < newest ? end_ms : newest;
    if (start_ms <= end_ms) {
        /* Only what is there now: it goes to a block, and what is yet to come is in the heads. */
        e = blocks_first(db, end_ms, reterr_info);
        e = e ? e
              : tombstone_new(tenant->name, matchers, matcher_count, start_ms, end_ms, ++db->store.number, &t,
                              reterr_info);
        e = e ? e : tombstone_add(db, t, reterr_info);
        tombstone_unref(t);
        atomic_fetch_add(&db->generation, 1);
    }
    mutex_unlock(&db->maintenance);
    return e;
}

/* -- snapshot -------------------------------------------------------------------------------------------- */

/* TO/blocks/NAME becomes another name of DIR/blocks/NAME. */
static enum err file_share(const struct tsdb *db, const char *to, const char *name, struct err_info *info)
{
    char from_path[PATH_BYTES_MAX], to_path[PATH_BYTES_MAX];
    if ((size_t)snprintf(from_path, sizeof(from_path), "%s/blocks/%s", db->dir, name) >= sizeof(from_path) ||
        (size_t)snprintf(to_path, sizeof(to_path), "%s/blocks/%s", to, name) >= sizeof(to_path)) {
        return err_set(info, ERR_LIMIT, "the folder's name is too long: %s", to);
    }
    return file_link(from_path, to_path, info);
}

static enum err files_share(struct tsdb *db, const char *to, struct err_info *info)
{
    char name[PATH_BYTES_MAX];
    struct store_set *set = store_view(&db->store);
    enum err e = ERR_OK;
    for (size_t i = 0; !e && i < set->block_count; i++) {
        e = file_share(db, to, set->blocks[i]->name, info);
    }
    if (!e && db->store.series_file) {
        (void)snprintf(name, sizeof(name), "%012llu.series", (unsigned long long)db->store.series_file);
        e = file_share(db, to, name, info);
    }
    store_set_unref(set);
    return e;
}

/* The manifest comes last: a copy without one is none. */
static enum err manifest_copy(const struct tsdb *db, const char *to, struct err_info *info)
{
    char path[PATH_BYTES_MAX];
    struct buf content AUTO_BUF = {.size_bytes_max = MANIFEST_BYTES_MAX};
    (void)snprintf(path, sizeof(path), "%s/MANIFEST", db->dir);
    if (!file_exists(path)) {
        return ERR_OK; /* nothing was ever flushed */
    }
    enum err e = file_load(path, &content, info);
    (void)snprintf(path, sizeof(path), "%s/MANIFEST", to);
    return e ? e : file_store(path, buf_view(&content), info);
}

static enum err snapshot_write(struct tsdb *db, const char *to, struct err_info *info)
{
    char blocks[PATH_BYTES_MAX];
    if ((size_t)snprintf(blocks, sizeof(blocks), "%s/blocks", to) >= sizeof(blocks)) {
        return err_set(info, ERR_LIMIT, "the folder's name is too long: %s", to);
    }
    enum err e = dir_make(blocks, info);
    e = e ? e : files_share(db, to, info);
    e = e ? e : dir_sync(blocks, info);
    return e ? e : manifest_copy(db, to, info);
}

enum err tsdb_snapshot(struct tsdb *db, const char *to, bool skip_head, struct err_info *reterr_info)
{
    struct tsdb_stats s;
    enum err e = ERR_OK;
    if (dir_is(to)) {
        return err_set(reterr_info, ERR_EXISTS, "%s is there already", to);
    }
    mutex_lock(&db->maintenance);
    tsdb_stats(db, &s);
    if (!skip_head && s.min_time <= s.max_time) {
        /* Late samples alone must not take the bound back: what the log has above it is in blocks already. */
        ts_ms bound = s.max_time + 1, before = db->store.flushed_before;
        e = tsdb_flush(db, bound > before ? bound : before, reterr_info);
    }
    e = e ? e : snapshot_write(db, to, reterr_info);
    mutex_unlock(&db->maintenance);
    if (e) {
        (void)(dir_remove(to, NULL) == ERR_OK);
    }
    return e;
}
