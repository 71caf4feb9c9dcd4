/* The disk reserve. */
#include "disk/quota.h"

#include "disk/file.h"

void quota_init(struct quota *q, const char *dir, uint64_t reserve_bytes, const struct clock *clock)
{
    *q = (struct quota){.dir = dir, .reserve_bytes = reserve_bytes, .clock = clock};
    mutex_init(&q->lock);
}

void quota_done(struct quota *q)
{
    mutex_done(&q->lock);
}

/* lock held */
static enum err measure(struct quota *q, struct err_info *info)
{
    int64_t now = clock_mono_ns(q->clock);
    if (q->measured && now - q->measured_ns < QUOTA_CHECK_MS * NS_PER_MS) {
        return ERR_OK;
    }
    enum err e = dir_free_bytes(q->dir, &q->free_bytes, &q->total_bytes, info);
    q->measured = e == ERR_OK;
    if (!e) {
        q->measured_ns = now;
        q->granted_bytes = 0;
    }
    return e;
}

enum err quota_ask(struct quota *q, uint64_t bytes, struct err_info *reterr_info)
{
    mutex_lock(&q->lock);
    enum err e = measure(q, reterr_info);
    if (!e) {
        uint64_t used = q->reserve_bytes + q->granted_bytes;
        if (used > q->free_bytes || bytes > q->free_bytes - used) {
            e = err_set(
                reterr_info, ERR_NO_SPACE,
                "%s: %llu bytes are free and %llu stay in reserve: free some, lower the retention, or "
                "lower the reserve",
                q->dir, (unsigned long long)q->free_bytes, (unsigned long long)q->reserve_bytes);
        } else {
            q->granted_bytes += bytes;
        }
    }
    mutex_unlock(&q->lock);
    return e;
}

bool quota_free(struct quota *q, uint64_t *ret_free, uint64_t *ret_total)
{
    mutex_lock(&q->lock);
    bool ok = measure(q, NULL) == ERR_OK;
    if (ok) {
        *ret_free = q->free_bytes;
        *ret_total = q->total_bytes;
    }
    mutex_unlock(&q->lock);
    return ok;
}
