/* Housekeeping: what is due, done by the store's own thread once a second or when a head is full; with a fake
 * clock by whoever moves it. */
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "disk/file.h"
#include "logs/store/store_int.h"

enum {
    EVERY_MS = 1000,
    SPAN_OF_RETENTION = 8, /* a merged block spans at most this part, so that lines go in time */
    AHEAD_OF_CAP = 16,     /* of the size cap, kept free for what comes before the next look */
    WAL_OF_HEAD = 6,       /* a head is cut when the log has grown to so many times its size */
};

/* --- heads --- */

static enum err cut_due(struct log_store *s)
{
    uint64_t wal = ingest_log_bytes(s->wal);
    mutex_lock(&s->lock);
    const struct head *h = s->active;
    bool old = h->born_mono_ns && clock_mono_ns(s->clock) - h->born_mono_ns >= s->o.head_ms * NS_PER_MS;
    bool due = h->entries &&
               (old || h->bytes >= s->o.head_bytes || wal > s->o.head_bytes * WAL_OF_HEAD + SPARE_BYTES);
    enum err e = due && s->waiting_n < HEADS_WAITING_MAX ? store_cut(s) : ERR_OK;
    mutex_unlock(&s->lock);
    return e;
}

static bool heads_wait(struct log_store *s)
{
    mutex_lock(&s->lock);
    bool any = s->waiting_n > 0;
    mutex_unlock(&s->lock);
    return any;
}

static enum err flush_due(struct log_store *s, struct err_info *info)
{
    enum err e = cut_due(s);
    if (e) {
        return err_set(info, e, "no memory for a new head of the log store");
    }
    while (!e && heads_wait(s)) { /* only this thread takes heads away; pushes may add some */
        e = store_flush_oldest(s, info);
        e = e ? e : ingest_log_trim(s->wal, s->blocks.wal_from, info);
    }
    return e;
}

/* --- retention --- */

static int64_t retention_of(const struct log_store *s, struct str tenant)
{
    int64_t own = s->o.tenant_retention_ms ? s->o.tenant_retention_ms(s->o.tenant_retention_ctx, tenant) : 0;
    return own ? own : s->o.retention_ms;
}

static bool expired(const struct log_store *s, const struct block *b, ts_ms now_ms)
{
    int64_t keep_ms = retention_of(s, b->tenant);
    return keep_ms > 0 && now_ms != INT64_MIN && b->ts_max / NS_PER_MS < now_ms - keep_ms;
}

static int span_cmp(const void *a, const void *b)
{
    const struct expiry_span *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

static enum err retention_now(struct log_store *s, ts_ms *ret_now)
{
    struct expiry_span *spans = mem_array(s->blocks.n + 1, sizeof(*spans));
    if (!spans) {
        return ERR_OOM;
    }
    for (size_t i = 0; i < s->blocks.n; i++) {
        const struct block *b = s->blocks.items[i];
        spans[i] = (struct expiry_span){b->ts_min / NS_PER_MS, b->ts_max / NS_PER_MS};
    }
    if (s->blocks.n) {
        qsort(spans, s->blocks.n, sizeof(*spans), span_cmp);
    }
    *ret_now = expiry_now(&s->expiry, spans, s->blocks.n);
    mem_free(spans);
    return ERR_OK;
}

static struct block *oldest_block(const struct block_list *l)
{
    struct block *oldest = NULL;
    for (size_t i = 0; i < l->n; i++) {
        if (!oldest || l->items[i]->ts_max < oldest->ts_max) {
            oldest = l->items[i];
        }
    }
    return oldest;
}

static enum err drop(struct log_store *s, struct block *b, const char *why, struct err_info *info)
{
    struct block *gone[1] = {b};
    char name[BLOCK_NAME_BYTES];
    uint64_t rows = b->rows, bytes = b->file_bytes;
    memcpy(name, b->name, sizeof(name));
    struct block_change ch = {.gone = gone, .gone_n = 1};
    enum err e = blocks_change(s, &ch, info);
    if (!e) {
        LOG_EVENT(LVL_INFO, "log_block_dropped", F_C("block", name), F_C("why", why), F_U64("lines", rows),
                  F_U64("bytes", bytes));
    }
    return e;
}

/* The folder as it is, spare segments and what was put aside included, plus what may come until next time. */
static enum err size_due(struct log_store *s, struct err_info *info)
{
    uint64_t cap = s->o.retention_bytes, used = 0, ahead = cap / AHEAD_OF_CAP;
    enum err e = cap ? dir_used_bytes(s->dir, &used, info) : ERR_OK;
    used += ahead < s->o.head_bytes ? ahead : s->o.head_bytes;
    while (!e && cap && used > cap && s->blocks.n) {
        struct block *b = oldest_block(&s->blocks);
        used -= b->file_bytes < used ? b->file_bytes : used;
        e = drop(s, b, "the folder is at its size limit", info);
    }
    return e;
}

static enum err retention_due(struct log_store *s, struct err_info *info)
{
    ts_ms now = INT64_MIN;
    enum err e = retention_now(s, &now);
    if (e) {
        return err_set(info, e, "no memory for retention");
    }
    for (size_t i = 0; !e && i < s->blocks.n;) {
        if (expired(s, s->blocks.items[i], now)) {
            e = drop(s, s->blocks.items[i], "older than the retention", info);
        } else {
            i++;
        }
    }
    return e ? e : size_due(s, info);
}

/* --- merging --- */

static bool may_join(const struct log_store *s, const struct block *first, const struct block *b,
                     uint64_t bytes, ts_ns min, ts_ns max)
{
    int64_t keep_ms = retention_of(s, b->tenant);
    bool short_enough = keep_ms <= 0 || (max - min) / NS_PER_MS <= keep_ms / SPAN_OF_RETENTION || b == first;
    return b->level == first->level && !b->unmergeable && short_enough &&
           b->line_bytes <= MERGE_INPUT_BYTES_MAX && bytes + b->line_bytes <= MERGE_LINE_BYTES_MAX;
}

/* From block `at` on, the next ones of its tenant that may become one with it; 0 when too few. */
static size_t candidates(const struct log_store *s, size_t at, struct block **out)
{
    const struct block_list *l = &s->blocks;
    const struct block *first = l->items[at];
    uint64_t bytes = 0;
    ts_ns min = first->ts_min, max = first->ts_max;
    size_t n = 0;
    for (size_t i = at; first->level < MERGE_LEVEL_MAX && i < l->n && n < MERGE_BLOCKS; i++) {
        struct block *b = l->items[i];
        if (!str_eq(b->tenant, first->tenant)) {
            continue;
        }
        min = b->ts_min < min ? b->ts_min : min;
        max = b->ts_max > max ? b->ts_max : max;
        if (!may_join(s, first, b, bytes, min, max)) {
            break;
        }
        bytes += b->line_bytes;
        out[n++] = b;
    }
    return n == MERGE_BLOCKS ? n : 0;
}

static enum err merge_due(struct log_store *s, struct err_info *info)
{
    struct block *picked[MERGE_BLOCKS];
    size_t n = 0;
    for (size_t i = 0; !n && i < s->blocks.n; i++) {
        n = candidates(s, i, picked);
    }
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        bytes += picked[i]->file_bytes;
    }
    if (!n || quota_ask(&s->quota, bytes, NULL)) { /* without room it waits */
        return ERR_OK;
    }
    enum err e = store_merge(s, picked, n, info);
    mutex_lock(&s->lock);
    s->merges += !e;
    mutex_unlock(&s->lock);
    return e;
}

/* Queries find damage and pass over it; here it is told. */
static void tell_damage(struct log_store *s)
{
    struct log_store_stats st;
    log_store_stats(s, &st);
    if (st.groups_bad > s->groups_bad_told) {
        s->groups_bad_told = st.groups_bad;
        LOG_EVENT(LVL_ERROR, "log_pages_damaged", F_C("dir", s->dir), F_U64("groups", st.groups_bad),
                  F_C("action", "their lines are left out; the rest is served"));
    }
}

enum err log_store_flush(struct log_store *s, struct err_info *reterr_info)
{
    mutex_lock(&s->maintenance);
    enum err e = store_flush_all(s, reterr_info);
    e = e ? e : ingest_log_trim(s->wal, s->blocks.wal_from, reterr_info);
    mutex_unlock(&s->maintenance);
    return e ? e : log_store_maintain(s, reterr_info);
}

enum err log_store_maintain(struct log_store *s, struct err_info *reterr_info)
{
    mutex_lock(&s->maintenance);
    enum err e = flush_due(s, reterr_info);
    /* Retention may free what flushing or merging lacks. */
    enum err r = retention_due(s, e ? NULL : reterr_info);
    e = e ? e : r;
    r = e ? ERR_OK : merge_due(s, reterr_info);
    tell_damage(s);
    mutex_unlock(&s->maintenance);
    return e ? e : r;
}

/* --- the thread --- */

static void run(void *ctx)
{
    struct log_store *s = ctx;
    mutex_lock(&s->lock);
    while (!s->stopping) {
        int64_t until = clock_mono_ns(clock_real()) + EVERY_MS * NS_PER_MS;
        while (!s->stopping && !s->waiting_n && cond_wait_until(&s->wake, &s->lock, until)) {
        }
        if (s->stopping) {
            break;
        }
        mutex_unlock(&s->lock);
        struct err_info info = {0};
        enum err e = log_store_maintain(s, &info);
        if (e) {
            LOG_EVENT(LVL_ERROR, "log_store_maintenance_failed", F_C("dir", s->dir), F_ERR(e),
                      F_C("reason", info.message));
        }
        mutex_lock(&s->lock);
        if (e && !s->stopping) { /* heads still wait: not at once again */
            (void)cond_wait_until(&s->wake, &s->lock, clock_mono_ns(clock_real()) + EVERY_MS * NS_PER_MS);
        }
    }
    mutex_unlock(&s->lock);
}

enum err log_maintain_start(struct log_store *s, struct err_info *info)
{
    if (s->clock->fake) {
        return ERR_OK;
    }
    enum err e = thread_start(&s->thread, "logs-maintain", run, s);
    s->threaded = !e;
    return e ? err_set(info, e, "no thread for the housekeeping of the log store") : ERR_OK;
}

void log_maintain_stop(struct log_store *s)
{
    mutex_lock(&s->lock);
    s->stopping = true;
    cond_broadcast(&s->wake);
    cond_broadcast(&s->room);
    mutex_unlock(&s->lock);
    thread_join(&s->thread);
}
