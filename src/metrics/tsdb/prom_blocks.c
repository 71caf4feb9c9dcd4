/* The blocks of a Prometheus beside ours. */
#include "metrics/tsdb/prom_blocks.h"

#include "base/log.h"
#include "metrics/tsdb/import.h"

enum err prom_blocks_open(struct tsdb *db, struct err_info *info)
{
    struct tenant *t = NULL;
    const char *dir = db->o.prometheus_dir;
    if (!dir) {
        return ERR_OK;
    }
    if (prom_dir_busy(dir)) {
        return err_set(
            info, ERR_UNAVAILABLE,
            "a Prometheus is running in %s: stop it first, or bring its data in with `cairn import "
            "prometheus`",
            dir);
    }
    enum err e = prom_dir_open(dir, &db->prom, info);
    for (size_t i = 0; e == ERR_OK && i < db->prom.bad_count; i++) {
        LOG_EVENT(LVL_ERROR, "prometheus_block_damaged", F_C("block", db->prom.bad[i].name),
                  F_C("why", db->prom.bad[i].why), F_C("instead", "it is left out; the file stays as it is"));
    }
    if (e != ERR_OK || db->prom.n == 0) {
        return e;
    }
    e = tenant_get(db, QUERY_TENANT_DEFAULT, true, &t);
    if (e != ERR_OK) {
        return err_set(info, e, "no memory for the blocks in %s", dir);
    }
    for (size_t i = 0; i < db->prom.n; i++) {
        tenant_max_ts_raise(t, db->prom.blocks[i]->meta.max_ts - 1);
    }
    prom_blocks_retain(db, INT64_MIN);
    return ERR_OK;
}

static bool hidden(const struct tsdb *db, const struct prom_block *b)
{
    return b->meta.max_ts - 1 < atomic_load_explicit(&db->prom_hidden_before, memory_order_relaxed);
}

bool prom_block_wanted(const struct tsdb *db, const struct prom_block *b, ts_ms start, ts_ms end)
{
    return b->meta.min_ts <= end && b->meta.max_ts > start && !hidden(db, b);
}

struct match_key prom_match_key(size_t block, enum prom_remembered what, const struct matcher *m, size_t n)
{
    return (struct match_key){UINT64_MAX - block, what, match_key_of(m, n)};
}

bool prom_blocks_concern(const struct tsdb *db, struct str tenant, ts_ms start, ts_ms end)
{
    bool any = false;
    for (size_t i = 0; i < db->prom.n && str_eq(tenant, QUERY_TENANT_DEFAULT); i++) {
        any = any || prom_block_wanted(db, db->prom.blocks[i], start, end);
    }
    return any;
}

void prom_blocks_retain(struct tsdb *db, ts_ms newest)
{
    for (size_t i = 0; i < db->prom.n; i++) {
        ts_ms t = db->prom.blocks[i]->meta.max_ts - 1;
        newest = t > newest ? t : newest;
    }
    if (db->prom.n == 0 || newest < INT64_MIN + db->o.retention_ms) {
        return;
    }
    if (atomic_exchange(&db->prom_hidden_before, newest - db->o.retention_ms) !=
        newest - db->o.retention_ms) {
        atomic_fetch_add(&db->generation, 1);
    }
}

ts_ms tsdb_prom_head_from(const struct tsdb *db)
{
    return prom_dir_head_from(&db->prom);
}
