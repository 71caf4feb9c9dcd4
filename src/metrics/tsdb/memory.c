/* Measuring memory against its promise. */
#include "metrics/tsdb/memory.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "disk/file.h"

enum {
    SERIES_BYTES =
        sizeof(struct series_page) / SERIES_PAGE + 64, /* record, table entries, the first bytes of a tail */
    LABEL_BYTES = 12                                   /* number of the pair, its posting */
};

static bool limit_read(const char *path, uint64_t *ret_bytes)
{
    struct buf b AUTO_BUF = {.size_bytes_max = 4096};
    uint64_t n = 0;
    if (file_load(path, &b, NULL) != ERR_OK || str_to_u64(str_trim(buf_view(&b)), &n) != ERR_OK) {
        return false; /* "max" among others */
    }
    *ret_bytes = n;
    return true;
}

/* The smallest limit from the process's own cgroup up to the root; UINT64_MAX when there is none. */
static uint64_t cgroup_limit(void)
{
    struct buf b AUTO_BUF = {.size_bytes_max = 1 << 16};
    char path[4200];
    uint64_t least = UINT64_MAX, n = 0;
    if (limit_read("/sys/fs/cgroup/memory/memory.limit_in_bytes", &n)) { /* the first version of cgroups */
        least = n;
    }
    if (file_load("/proc/self/cgroup", &b, NULL) != ERR_OK) {
        return least;
    }
    struct str own = buf_view(&b);
    if (!str_starts(own, STR("0::/"))) {
        return least;
    }
    own = str_slice(own, 3, own.n);
    size_t end = 0;
    while (end < own.n && own.p[end] != '\n') {
        end++;
    }
    while (end > 0) {
        (void)snprintf(path, sizeof(path), "/sys/fs/cgroup%.*s/memory.max", (int)(end > 4000 ? 4000 : end),
                       own.p);
        if (limit_read(path, &n)) {
            least = n < least ? n : least;
        }
        while (end > 0 && own.p[end - 1] != '/') {
            end--;
        }
        end -= end > 0;
    }
    if (limit_read("/sys/fs/cgroup/memory.max", &n)) {
        least = n < least ? n : least;
    }
    return least;
}

uint64_t tsdb_memory_default_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t host = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_C(1) << 30;
    uint64_t limit = cgroup_limit();
    return limit < host ? limit / 2 : host / 4;
}

/* The metric with the most series of one tenant's heads, over all partitions of which it is the first. */
static void offender_look(struct tsdb *db)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct tsdb_cardinality rows = {0};
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    uint64_t most = 0;
    for (size_t i = 0;; i++) {
        mutex_lock(&db->tenants_lock);
        const struct tenant *t = i < db->tenant_count ? db->tenants[i] : NULL;
        mutex_unlock(&db->tenants_lock);
        if (!t) {
            return;
        }
        q.tenant = t->name;
        if (tsdb_cardinality(db, &q, 1, &a, &rows, NULL) != ERR_OK || rows.series_by_metric_count == 0 ||
            rows.series_by_metric[0].value <= most) {
            continue;
        }
        most = rows.series_by_metric[0].value;
        mutex_lock(&db->memory.lock);
        (void)snprintf(db->memory.offender, sizeof(db->memory.offender), "%.*s (%llu series)",
                       (int)(rows.series_by_metric[0].name.n > 120 ? 120 : rows.series_by_metric[0].name.n),
                       rows.series_by_metric[0].name.p, (unsigned long long)most);
        mutex_unlock(&db->memory.lock);
    }
}

void memory_measure(struct tsdb *db, uint64_t head_bytes, uint64_t late_bytes)
{
    bool was_full = memory_full(db);
    atomic_store_explicit(&db->memory.made, 0, memory_order_relaxed);
    atomic_store_explicit(&db->memory.measured, head_bytes, memory_order_relaxed);
    atomic_store_explicit(&db->memory.late_made, 0, memory_order_relaxed);
    atomic_store_explicit(&db->memory.late_measured, late_bytes, memory_order_relaxed);
    if (head_bytes > memory_hard_bytes(db) / 8 * 7 || memory_pressed(db, head_bytes)) {
        offender_look(db);
    }
    if (memory_full(db) != was_full) {
        char why[256];
        memory_explain(db, why, sizeof(why));
        LOG_EVENT(was_full ? LVL_INFO : LVL_WARN, was_full ? "tsdb_memory_free" : "tsdb_memory_full",
                  F_C("what", was_full ? "new series are accepted again" : "new series are refused"),
                  F_C("memory", why));
    }
}

void memory_series_made(struct tsdb *db, struct labels ls)
{
    uint64_t n = SERIES_BYTES + ls.n * LABEL_BYTES;
    for (size_t i = 0; i < ls.n; i++) {
        n += ls.l[i].value.n / 4; /* most values are known already */
    }
    atomic_fetch_add_explicit(&db->memory.made, n, memory_order_relaxed);
    mem_promise_grew(db->o.promise, n);
}

static uint64_t late_bytes(const struct tsdb *db)
{
    return atomic_load_explicit(&db->memory.late_measured, memory_order_relaxed) +
           atomic_load_explicit(&db->memory.late_made, memory_order_relaxed);
}

void memory_late_made(struct tsdb *db, size_t n)
{
    atomic_fetch_add_explicit(&db->memory.late_made, n * sizeof(struct late_sample), memory_order_relaxed);
    if (late_bytes(db) > memory_late_bytes(db) / 2 && !atomic_exchange(&db->hurry, true)) {
        mutex_lock(&db->thread_lock);
        cond_signal(&db->wake);
        mutex_unlock(&db->thread_lock);
    }
}

bool memory_late_full(const struct tsdb *db)
{
    return late_bytes(db) > memory_late_bytes(db);
}

static bool heads_full(const struct tsdb *db)
{
    uint64_t n = atomic_load_explicit(&db->memory.measured, memory_order_relaxed) +
                 atomic_load_explicit(&db->memory.made, memory_order_relaxed);
    return n > memory_hard_bytes(db);
}

bool memory_full(struct tsdb *db)
{
    return heads_full(db) || mem_promise_full(db->o.promise);
}

bool memory_pressed(struct tsdb *db, uint64_t head_bytes)
{
    return mem_promise_pressed(db->o.promise) && head_bytes > db->o.memory_bytes / 4;
}

void memory_explain(struct tsdb *db, char *text, size_t text_bytes)
{
    char used[64];
    uint64_t n = atomic_load_explicit(&db->memory.measured, memory_order_relaxed) +
                 atomic_load_explicit(&db->memory.made, memory_order_relaxed);
    mem_promise_explain(db->o.promise, used, sizeof(used));
    if (!db->o.promise || heads_full(db)) {
        (void)snprintf(used, sizeof(used), "%llu of %llu MiB are used", (unsigned long long)(n >> 20),
                       (unsigned long long)(memory_hard_bytes(db) >> 20));
    }
    mutex_lock(&db->memory.lock);
    (void)snprintf(text, text_bytes, "%s%s%s", used, db->memory.offender[0] ? "; most series has " : "",
                   db->memory.offender);
    mutex_unlock(&db->memory.lock);
}
