/* A bulk load: collecting samples by series. Writing them is bulk_write.c. */
#include "metrics/tsdb/bulk.h"

#include <stdlib.h>

#include "base/mem.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/model/value.h"
#include "metrics/tsdb/bulk_int.h"

enum {
    SAMPLES_FIRST = 4, /* dumps in the order of time bring few of each series at a time */
    MEMORY_BYTES_MIN = 4 << 20,
    FUTURE_MS_MAX = 24 * 3600 * 1000 /* as in append.c: the present must not become too old */
};

static enum err out_of_memory(struct err_info *info)
{
    return err_set(info, ERR_OOM, "no memory to load samples");
}

enum err tsdb_bulk_new(struct tsdb *db, struct str tenant, uint64_t memory_bytes, struct tsdb_bulk **ret_b,
                       struct err_info *reterr_info)
{
    struct tsdb_bulk *b = mem_zalloc(sizeof(*b));
    if (!b) {
        return out_of_memory(reterr_info);
    }
    arena_init(&b->memory, 0, NULL);
    b->db = db;
    b->memory_bytes = memory_bytes ? memory_bytes : db->o.memory_bytes / 4;
    b->memory_bytes = b->memory_bytes < MEMORY_BYTES_MIN ? MEMORY_BYTES_MIN : b->memory_bytes;
    b->future = clock_wall_ms(db->o.clock) + FUTURE_MS_MAX;
    b->stats.min_ts = INT64_MAX;
    b->stats.max_ts = INT64_MIN;
    enum err e = tenant_get(db, tenant, true, &b->tenant);
    e = e == ERR_OK ? index_new(&b->strings) : e;
    if (e != ERR_OK) {
        tsdb_bulk_free(b);
        return err_set(reterr_info, e, "tenant \"%.*s\": %s", STR_FMT(tenant), err_text(e));
    }
    mutex_lock(&db->maintenance);
    b->first_block = db->store.number;
    mutex_unlock(&db->maintenance);
    *ret_b = b;
    return ERR_OK;
}

static void series_clear(struct tsdb_bulk *b)
{
    for (size_t i = 0; i < b->series_count; i++) {
        struct bulk_series *s = &b->series[i];
        mem_free(s->ts);
        mem_free(s->values);
        mem_free(s->histograms);
        mem_free(s->starts);
    }
    b->series_count = 0;
    b->column_bytes = 0;
    if (b->table_cap) {
        memset(b->table, 0, b->table_cap * sizeof(*b->table));
    }
    arena_reset(&b->memory);
}

void tsdb_bulk_free(struct tsdb_bulk *b)
{
    if (!b) {
        return;
    }
    series_clear(b);
    index_unref(b->strings);
    arena_done(&b->memory);
    mem_free(b->series);
    mem_free(b->table);
    mem_free(b);
}

/* -- series ---------------------------------------------------------------------------------------------- */

static uint32_t *place(const struct tsdb_bulk *b, struct labels ls, uint64_t hash)
{
    size_t i = hash & (b->table_cap - 1);
    while (b->table[i]) {
        const struct bulk_series *s = &b->series[b->table[i] - 1];
        if (s->hash == hash && labels_eq(s->labels, ls)) {
            break;
        }
        i = (i + 1) & (b->table_cap - 1);
    }
    return &b->table[i];
}

uint32_t bulk_find(const struct tsdb_bulk *b, struct labels ls, uint64_t hash)
{
    return b->table_cap ? *place(b, ls, hash) - 1 : UINT32_MAX;
}

static enum err table_reserve(struct tsdb_bulk *b)
{
    if ((b->series_count + 1) * 2 <= b->table_cap) {
        return ERR_OK;
    }
    size_t cap = b->table_cap ? b->table_cap * 2 : 1024;
    uint32_t *table = mem_zarray(cap, sizeof(*table));
    if (!table) {
        return ERR_OOM;
    }
    mem_free(b->table);
    b->table = table;
    b->table_cap = cap;
    for (size_t i = 0; i < b->series_count; i++) {
        *place(b, b->series[i].labels, b->series[i].hash) = (uint32_t)i + 1;
    }
    return ERR_OK;
}

/* The label set with interned strings. */
static enum err labels_keep_interned(struct tsdb_bulk *b, struct labels ls, struct labels *ret_ls)
{
    struct label *l = arena_array(&b->memory, ls.n, sizeof(*l));
    uint32_t name = 0, value = 0;
    if (!l) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < ls.n; i++) {
        if (index_intern(b->strings, ls.l[i].name, &name) != ERR_OK ||
            index_intern(b->strings, ls.l[i].value, &value) != ERR_OK) {
            return ERR_OOM;
        }
        l[i] = (struct label){index_symbol(b->strings, name), index_symbol(b->strings, value)};
    }
    *ret_ls = (struct labels){l, ls.n};
    return ERR_OK;
}

enum err tsdb_bulk_series(struct tsdb_bulk *b, struct labels ls, uint32_t *ret_series,
                          struct err_info *reterr_info)
{
    uint64_t hash = labels_hash(ls);
    uint32_t at = bulk_find(b, ls, hash);
    if (at != UINT32_MAX) {
        *ret_series = at;
        return ERR_OK;
    }
    if (!series_labels_valid(ls)) {
        return err_set(reterr_info, ERR_INVALID, "invalid labels: empty, too many or too long ones");
    }
    struct labels own = {0};
    if (table_reserve(b) != ERR_OK ||
        vec_reserve((void **)&b->series, &b->series_cap, b->series_count + 1, sizeof(*b->series)) != ERR_OK ||
        labels_keep_interned(b, ls, &own) != ERR_OK) {
        return out_of_memory(reterr_info);
    }
    unsigned partition = (unsigned)(series_target(b->tenant->name, ls, hash) % PARTITIONS);
    b->series[b->series_count] =
        (struct bulk_series){.labels = own, .hash = hash, .sorted = true, .partition = partition};
    *ret_series = (uint32_t)b->series_count++;
    *place(b, own, hash) = *ret_series + 1;
    return ERR_OK;
}

/* -- samples --------------------------------------------------------------------------------------------- */

static enum err column_grow(struct tsdb_bulk *b, void **column, size_t old, size_t cap, size_t item)
{
    void *p = mem_realloc(*column, cap * item);
    if (!p) {
        return ERR_OOM;
    }
    memset((char *)p + old * item, 0, (cap - old) * item);
    *column = p;
    b->column_bytes += (cap - old) * item;
    return ERR_OK;
}

/* Room for n more; with the columns of rich samples when they are wanted. */
static enum err columns_reserve(struct tsdb_bulk *b, struct bulk_series *s, size_t n, bool rich)
{
    size_t cap = s->cap ? s->cap : SAMPLES_FIRST;
    while (cap < s->n + n) {
        cap *= 2;
    }
    enum err e = ERR_OK;
    if (cap != s->cap) {
        /* a column may be longer than `cap` says after a failure; never shorter */
        e = column_grow(b, (void **)&s->ts, s->cap, cap, sizeof(*s->ts));
        e = e == ERR_OK ? column_grow(b, (void **)&s->values, s->cap, cap, sizeof(*s->values)) : e;
        if (e == ERR_OK && s->histograms) {
            e = column_grow(b, (void **)&s->histograms, s->cap, cap, sizeof(struct histogram *));
            e = e == ERR_OK ? column_grow(b, (void **)&s->starts, s->cap, cap, sizeof(*s->starts)) : e;
        }
        s->cap = e == ERR_OK ? cap : s->cap;
    }
    if (e == ERR_OK && rich && !s->starts) {
        e = column_grow(b, (void **)&s->starts, 0, s->cap, sizeof(*s->starts));
    }
    if (e == ERR_OK && rich && !s->histograms) {
        e = column_grow(b, (void **)&s->histograms, 0, s->cap, sizeof(struct histogram *));
    }
    return e;
}

static enum err sample_check(const struct tsdb_bulk *b, const struct tsdb_bulk_sample *m,
                             struct err_info *info)
{
    if (m->ts > b->future) {
        return err_set(info, ERR_INVALID, "the timestamp %lld is more than a day in the future",
                       (long long)m->ts);
    }
    return !m->histogram || is_stale_nan(m->histogram->sum) ? ERR_OK : histogram_check(m->histogram, info);
}

static enum err histogram_keep(struct tsdb_bulk *b, const struct histogram *h, const struct histogram **ret_h)
{
    void *p = arena_alloc(&b->memory, histogram_copy_bytes(h));
    if (!p) {
        return ERR_OOM;
    }
    *ret_h = histogram_copy(h, p);
    return ERR_OK;
}

enum err tsdb_bulk_add(struct tsdb_bulk *b, uint32_t series, const struct tsdb_bulk_sample *samples, size_t n,
                       struct err_info *reterr_info)
{
    struct bulk_series *s = &b->series[series];
    bool rich = s->histograms != NULL;
    for (size_t i = 0; i < n; i++) {
        enum err e = sample_check(b, &samples[i], reterr_info);
        if (e != ERR_OK) {
            return e;
        }
        rich = rich || samples[i].histogram || samples[i].start_ts;
    }
    if (columns_reserve(b, s, n, rich) != ERR_OK) {
        return out_of_memory(reterr_info);
    }
    for (size_t i = 0; i < n; i++) {
        const struct tsdb_bulk_sample *m = &samples[i];
        const struct histogram *h = NULL;
        if (m->histogram && histogram_keep(b, m->histogram, &h) != ERR_OK) {
            return out_of_memory(reterr_info);
        }
        s->sorted = s->sorted && (s->n == 0 || s->ts[s->n - 1] < m->ts);
        s->ts[s->n] = m->ts;
        s->values[s->n] = h ? 0 : m->value;
        if (rich) {
            s->histograms[s->n] = h;
            s->starts[s->n] = m->start_ts;
        }
        s->n++;
    }
    return ERR_OK;
}

bool tsdb_bulk_full(const struct tsdb_bulk *b)
{
    size_t table = b->series_cap * sizeof(*b->series) + b->table_cap * sizeof(*b->table);
    return b->column_bytes + b->memory.used_bytes + b->strings->text.used_bytes + table >= b->memory_bytes;
}

/* -- writing --------------------------------------------------------------------------------------------- */

/* Strings of series that come no more must not gather. */
static enum err strings_renew(struct tsdb_bulk *b)
{
    struct index *fresh = NULL;
    if (index_new(&fresh) != ERR_OK) {
        return ERR_OOM;
    }
    index_unref(b->strings);
    b->strings = fresh;
    return ERR_OK;
}

enum err tsdb_bulk_write(struct tsdb_bulk *b, struct err_info *reterr_info)
{
    mutex_lock(&b->db->maintenance);
    enum err e = bulk_blocks_write(b, reterr_info);
    mutex_unlock(&b->db->maintenance);
    if (e != ERR_OK) {
        return e;
    }
    series_clear(b);
    return strings_renew(b) == ERR_OK ? ERR_OK : out_of_memory(reterr_info);
}

enum err tsdb_bulk_finish(struct tsdb_bulk *b, struct tsdb_bulk_stats *ret_stats,
                          struct err_info *reterr_info)
{
    enum err e = tsdb_bulk_write(b, reterr_info);
    if (e == ERR_OK) {
        mutex_lock(&b->db->maintenance);
        e = bulk_blocks_merge(b, reterr_info);
        mutex_unlock(&b->db->maintenance);
    }
    *ret_stats = b->stats;
    return e;
}
