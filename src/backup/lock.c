/* One writer a store: the object `lock` says which process of which machine. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "backup/backup_int.h"
#include "base/rng.h"
#include "disk/file.h"

#define LOCK_KEY STR("lock")

enum {
    PROC_BYTES_MAX = 8192,
    HOST_BYTES_MAX = 256,
    START_FIELD = 19 /* of /proc/PID/stat, after the command's closing parenthesis: starttime, field 22 */
};

/* Ticks after boot at which the process began: its own among those of its number. */
static enum err process_start(struct str pid, struct str *ret_start, struct arena *a)
{
    struct buf text AUTO_BUF = {.size_bytes_max = PROC_BYTES_MAX};
    struct str path = arena_printf(a, "/proc/%.*s/stat", STR_FMT(pid));
    enum err e = path.p ? file_load(path.p, &text, NULL) : ERR_OOM;
    struct str rest = buf_view(&text);
    for (size_t at = 0; (at = str_find_char(rest, ')', 0)) != STR_NPOS;) {
        rest = str_slice(rest, at + 1, rest.n);
    }
    rest = str_trim(rest);
    for (unsigned i = 0; i < START_FIELD; i++) {
        (void)str_cut(&rest, ' ');
    }
    *ret_start = e ? (struct str){0} : arena_str(a, str_cut(&rest, ' '));
    return e ? e : ret_start->p ? ERR_OK : ERR_OOM;
}

/* "HOST PID START TOKEN"; the token tells two locks of one process apart. */
static enum err own_text(struct arena *a, struct str *ret_text, struct err_info *info)
{
    char host[HOST_BYTES_MAX] = "";
    uint64_t token = 0;
    struct str start = {0}, pid = arena_printf(a, "%ld", (long)getpid());
    (void)gethostname(host, sizeof(host) - 1);
    enum err e = pid.p ? process_start(pid, &start, a) : ERR_OOM;
    e = e ? e : rng_secret(&token, sizeof(token));
    *ret_text = arena_printf(a, "%s %.*s %.*s %016llx\n", host[0] ? host : "-", STR_FMT(pid), STR_FMT(start),
                             (unsigned long long)token);
    return e || !ret_text->p ? err_set(info, e ? e : ERR_OOM, "cannot tell who takes the lock of the backups")
                             : ERR_OK;
}

/* True when that process of this machine has ended. What another machine does cannot be seen; of another
 * user's process /proc may show nothing, but a signal tells whether there is one. */
static bool is_over(struct arena *a, struct str theirs, struct str own)
{
    struct str host = str_cut(&theirs, ' '), pid = str_cut(&theirs, ' '),
               start = str_trim(str_cut(&theirs, ' ')), own_host = str_cut(&own, ' '), now = {0};
    uint64_t number = 0;
    if (!str_eq(host, own_host) || str_to_u64(pid, &number) || number == 0 || number > INT_MAX) {
        return false;
    }
    bool gone = kill((pid_t)number, 0) != 0 && errno == ESRCH;
    return gone || (process_start(pid, &now, a) == ERR_OK && !str_eq(now, start));
}

static enum err held(struct str theirs, struct err_info *info)
{
    struct str host = str_cut(&theirs, ' '), pid = str_cut(&theirs, ' ');
    return err_set(
        info, ERR_UNAVAILABLE,
        "process %.*s of the machine %.*s writes to these backups; when it is gone for good, remove "
        "its lock with cairn backup --unlock",
        STR_FMT(pid), STR_FMT(host));
}

enum err backup_lock(struct backup_store *s, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    struct buf theirs AUTO_BUF = {.size_bytes_max = LOCK_BYTES_MAX};
    struct str own = {0};
    enum err e = own_text(&s->lock_arena, &own, reterr_info);
    e = e ? e : store_put_mine(s, LOCK_KEY, own, reterr_info);
    if (e == ERR_EXISTS) {
        e = store_get(s, LOCK_KEY, UINT64_MAX, &theirs, reterr_info);
        if (!e && !is_over(&a, buf_view(&theirs), own)) {
            e = held(buf_view(&theirs), reterr_info);
        }
        e = e == ERR_NOT_FOUND ? ERR_OK : e ? e : object_remove(s->objects, LOCK_KEY, reterr_info);
        e = e ? e : store_put_mine(s, LOCK_KEY, own, reterr_info);
        e = e == ERR_EXISTS ? err_set(reterr_info, ERR_UNAVAILABLE, "another backup to this place has begun")
                            : e;
    }
    s->locked = !e;
    s->lock_text = own;
    return e;
}

enum err lock_still_ours(struct backup_store *s, struct err_info *info)
{
    struct buf there AUTO_BUF = {.size_bytes_max = LOCK_BYTES_MAX};
    if (!s->locked) {
        return ERR_OK;
    }
    enum err e = store_get(s, LOCK_KEY, UINT64_MAX, &there, info);
    if (e == ERR_NOT_FOUND || (!e && !str_eq(buf_view(&there), s->lock_text))) {
        s->locked = false;
        return err_set(info, ERR_CONFLICT,
                       "the lock of this backup was taken away meanwhile, and maybe more; nothing that was "
                       "written counts: "
                       "begin again");
    }
    return e;
}

enum err backup_lock_break(struct backup_store *s, struct err_info *reterr_info)
{
    s->locked = false;
    return object_remove(s->objects, LOCK_KEY, reterr_info);
}
