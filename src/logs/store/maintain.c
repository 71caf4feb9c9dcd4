/* Housekeeping: what is due, done by the store's own thread once a second or when woken. */
#include "disk/file.h"
#include "logs/store/store_int.h"

static enum err check_disk(struct log_store *s, struct err_info *info)
{
    uint64_t free_bytes, total;
    enum err e = dir_free_bytes(s->dir, &free_bytes, &total, info);
    if (!e) {
        atomic_store_explicit(&s->disk_low, free_bytes < s->o.disk_reserve_bytes, memory_order_relaxed);
    }
    return e;
}

enum err log_store_maintain(struct log_store *s, struct err_info *reterr_info)
{
    return check_disk(s, reterr_info);
}
