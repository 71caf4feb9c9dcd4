/* The inotify descriptor and the map from watch descriptors to tails. */
#include "agent/inputs/watch.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "agent/inputs/file_int.h"
#include "base/mem.h"

enum {
    EVENT_BYTES = 64 << 10
};

struct watch {
    int fd;
    struct strmap tails; /* by the bytes of the descriptor; the first of a chain */
    char events[EVENT_BYTES] __attribute__((aligned(8)));
};

enum err watch_new(struct watch **ret_watch, struct err_info *reterr_info)
{
    struct watch *w = mem_zalloc(sizeof(*w));
    if (!w) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0) {
        int why = errno;
        mem_free(w);
        (void)err_set_errno(reterr_info, why, "no inotify instance (fs.inotify.max_user_instances)");
        return ERR_UNAVAILABLE;
    }
    *ret_watch = w;
    return ERR_OK;
}

void watch_free(struct watch *w)
{
    if (w) {
        (void)close(w->fd);
        strmap_done(&w->tails);
        mem_free(w);
    }
}

int watch_fd(const struct watch *w)
{
    return w->fd;
}

static enum err add(struct watch *w, const char *path, uint32_t mask, int *ret_wd)
{
    int wd = inotify_add_watch(w->fd, path, mask);
    if (wd < 0) {
        return errno == ENOSPC ? ERR_LIMIT : err_set_errno(NULL, errno, "cannot watch %s", path);
    }
    *ret_wd = wd;
    return ERR_OK;
}

enum err watch_file(struct watch *w, const char *path, int *ret_wd)
{
    return add(w, path, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF, ret_wd);
}

enum err watch_folder(struct watch *w, const char *path, int *ret_wd)
{
    return add(w, path, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR, ret_wd);
}

void watch_remove(struct watch *w, int wd)
{
    (void)inotify_rm_watch(w->fd, wd);
}

static struct str key_of(const int *wd)
{
    return str_of((const char *)wd, sizeof(*wd));
}

enum err watch_bind(struct watch *w, int wd, struct tail *t)
{
    struct tail *head = strmap_get(&w->tails, key_of(&wd));
    t->next_same_wd = head;
    enum err e = strmap_put(&w->tails, key_of(&wd), t, NULL);
    if (e) {
        t->next_same_wd = NULL;
    }
    return e;
}

bool watch_unbind(struct watch *w, int wd, struct tail *t)
{
    struct tail *head = strmap_get(&w->tails, key_of(&wd));
    if (head == t) {
        head = t->next_same_wd;
        /* Replacing the value of a key that exists allocates nothing. */
        if (!head) {
            (void)strmap_remove(&w->tails, key_of(&wd));
        } else if (strmap_put(&w->tails, key_of(&wd), head, NULL)) {
            (void)strmap_remove(&w->tails, key_of(&wd));
        }
    } else {
        for (struct tail *at = head; at; at = at->next_same_wd) {
            if (at->next_same_wd == t) {
                at->next_same_wd = t->next_same_wd;
            }
        }
    }
    t->next_same_wd = NULL;
    return head != NULL;
}

struct tail *watch_tails(struct watch *w, int wd)
{
    return strmap_get(&w->tails, key_of(&wd));
}

static void dispatch(const struct inotify_event *e, void (*fn)(void *, enum watch_event, int), void *ctx)
{
    if (e->mask & IN_Q_OVERFLOW) {
        fn(ctx, WATCH_OVERFLOW, -1);
        return;
    }
    if (e->mask & IN_MODIFY) {
        fn(ctx, WATCH_CHANGED, e->wd);
    }
    if (e->mask & (IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF)) {
        fn(ctx, WATCH_MOVED, e->wd);
    }
    if (e->mask & (IN_CREATE | IN_MOVED_TO)) {
        fn(ctx, WATCH_FOLDER, e->wd);
    }
    if (e->mask & IN_IGNORED) {
        fn(ctx, WATCH_GONE, e->wd);
    }
}

void watch_read(struct watch *w, void (*fn)(void *ctx, enum watch_event event, int wd), void *ctx)
{
    ssize_t n;
    while ((n = read(w->fd, w->events, sizeof(w->events))) > 0) {
        for (char *at = w->events; at < w->events + n;) {
            /* The kernel aligns the records; the buffer is aligned too. */
            const struct inotify_event *e = (const struct inotify_event *)(const void *)at;
            dispatch(e, fn, ctx);
            at += sizeof(*e) + e->len;
        }
    }
}
