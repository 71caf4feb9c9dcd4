/* Tenants, and their heads in the partitions. */
#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "metrics/tsdb/side.h"

static enum err tenant_new(struct tsdb *db, struct str name, struct tenant **ret_t)
{
    if (db->tenant_count == TENANTS_MAX) {
        return ERR_LIMIT;
    }
    if (name.n == 0 || name.n > TENANT_BYTES_MAX) {
        return ERR_INVALID;
    }
    if (vec_reserve((void **)&db->tenants, &db->tenant_cap, db->tenant_count + 1, sizeof(*db->tenants)) !=
        ERR_OK) {
        return ERR_OOM;
    }
    struct tenant *t = mem_zalloc(sizeof(*t));
    char *copy = mem_dup(name.p, name.n);
    if (!t || !copy) {
        mem_free(t);
        mem_free(copy);
        return ERR_OOM;
    }
    t->number = (uint32_t)db->tenant_count;
    t->name = str_of(copy, name.n);
    atomic_init(&t->series, 0);
    atomic_init(&t->max_ts, INT64_MIN);
    mutex_init(&t->side_lock);
    db->tenants[db->tenant_count++] = t;
    exemplars_limit(db);
    *ret_t = t;
    return ERR_OK;
}

enum err tenant_get(struct tsdb *db, struct str name, bool make, struct tenant **ret_t)
{
    mutex_lock(&db->tenants_lock);
    enum err e = ERR_OK;
    *ret_t = NULL;
    for (size_t i = 0; i < db->tenant_count && !*ret_t; i++) {
        if (str_eq(db->tenants[i]->name, name)) {
            *ret_t = db->tenants[i];
        }
    }
    if (!*ret_t && make) {
        e = tenant_new(db, name, ret_t);
    }
    mutex_unlock(&db->tenants_lock);
    return e;
}

enum err partition_head(struct partition *p, struct tenant *t, struct chunk_pool *pool, struct head **ret_h)
{
    size_t cap = p->head_cap;
    if (vec_reserve((void **)&p->heads, &p->head_cap, t->number + 1u, sizeof(*p->heads)) != ERR_OK) {
        return ERR_OOM;
    }
    if (p->head_cap > cap) {
        memset(p->heads + cap, 0, (p->head_cap - cap) * sizeof(struct head *));
    }
    if (!p->heads[t->number]) {
        enum err e = head_new(t, t->number, p->number, pool, &p->heads[t->number]);
        if (e != ERR_OK) {
            return e;
        }
        p->heads[t->number]->generation = p->generation;
    }
    p->head_count = p->head_count > t->number ? p->head_count : t->number + 1u;
    *ret_h = p->heads[t->number];
    return ERR_OK;
}

void tenant_max_ts_raise(struct tenant *t, ts_ms ts)
{
    int64_t seen = atomic_load_explicit(&t->max_ts, memory_order_relaxed);
    while (ts > seen && !atomic_compare_exchange_weak_explicit(&t->max_ts, &seen, ts, memory_order_relaxed,
                                                               memory_order_relaxed)) {
    }
}

uint64_t series_target(struct str tenant, struct labels ls, uint64_t hash)
{
    struct str job = labels_get(ls, STR("job")), instance = labels_get(ls, STR("instance"));
    uint64_t h = hash_str(tenant);
    if (job.n == 0 && instance.n == 0) {
        return hash_u64(h ^ hash);
    }
    h = hash_u64(h ^ hash_str(job));
    return hash_u64(h ^ hash_str(instance));
}
