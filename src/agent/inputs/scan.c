/* Walking the globs, noticing rotation, letting go. All of it on the input's thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "agent/inputs/file_int.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    KEY_BYTES = 4200,
    SCAN_COST_FACTOR = 20, /* at most a twentieth of the time goes into walking */
    SCAN_PAUSE_MIN_MS = 20
};

/* File systems whose changes inotify does not see when another machine makes them. */
static bool needs_polling(int fd)
{
    static const unsigned long remote[] = {0x6969 /* NFS */, 0xff534d42 /* CIFS */, 0xfe534d42 /* SMB2 */,
                                           0x65735546 /* FUSE */, 0x01021997 /* 9p */};
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(remote); i++) {
        if ((unsigned long)fs.f_type == remote[i]) {
            return true;
        }
    }
    return false;
}

static struct str path_key(char buf[KEY_BYTES], const struct file_job *job, struct str path)
{
    int n = snprintf(buf, KEY_BYTES, "%p %.*s", (const void *)job, STR_FMT(path));
    return str_of(buf, n > 0 && n < KEY_BYTES ? (size_t)n : 0);
}

static struct tail *live_tail(struct file_input *in, const struct file_job *job, struct str path)
{
    char buf[KEY_BYTES];
    return strmap_get(&in->by_path, path_key(buf, job, path));
}

struct id_key {
    const struct file_job *job;
    uint64_t dev, ino;
};

static struct str id_text(const struct id_key *k)
{
    return str_of((const char *)k, sizeof(*k));
}

struct tail *scan_find_id(struct file_input *in, const struct file_job *job, uint64_t dev, uint64_t ino)
{
    struct id_key k = {job, dev, ino};
    return strmap_get(&in->by_id, id_text(&k));
}

void scan_unwatch(struct tail *t)
{
    if (t->wd >= 0 && t->in->watch && !watch_unbind(t->in->watch, t->wd, t)) {
        watch_remove(t->in->watch, t->wd);
    }
    t->wd = -1;
}

static void watch_tail(struct tail *t)
{
    char fd_path[64];
    struct file_input *in = t->in;
    int wd = -1;
    bool remote = needs_polling(t->fd);
    (void)snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", t->fd);
    enum err e = in->watch && !remote ? watch_file(in->watch, fd_path, &wd) : ERR_UNSUPPORTED;
    if (!e && watch_bind(in->watch, wd, t) == ERR_OK) {
        t->wd = wd;
        return;
    }
    if (!e) {
        watch_remove(in->watch, wd);
    }
    if (e == ERR_LIMIT && !in->watches_logged) {
        in->watches_logged = true;
        LOG_EVENT(LVL_WARN, "no_inotify_watch_left", F_U64("files", in->tail_count),
                  F_C("effect", "further files are polled"),
                  F_C("cure", "raise fs.inotify.max_user_watches"));
    }
    in->polled = true;
    in->poll_wait_ms = in->o.poll_ms;
}

static bool link_tail(struct file_input *in, struct tail *t, bool draining)
{
    char buf[KEY_BYTES];
    struct id_key k = {t->job, t->id.dev, t->id.ino};
    struct str path = path_key(buf, t->job, str_c(t->path));
    if (strmap_put(&in->by_id, id_text(&k), t, NULL)) {
        return false;
    }
    if (!draining && strmap_put(&in->by_path, path, t, NULL)) {
        (void)strmap_remove(&in->by_id, id_text(&k));
        return false;
    }
    mutex_lock(&in->lock);
    t->next = in->tails;
    in->tails = t;
    in->tail_count++;
    mutex_unlock(&in->lock);
    return true;
}

void scan_add(struct file_input *in, struct tail *t, bool draining)
{
    t->draining = draining;
    t->dirty = t->seen = true;
    t->quiet_ns = clock_mono_ns(clock_real());
    if (!link_tail(in, t, draining)) {
        tail_free(t); /* the next scan tries again */
        return;
    }
    watch_tail(t);
    atomic_store_explicit(&in->changed, true, memory_order_release);
    atomic_store_explicit(&in->news, true, memory_order_release);
    agent_gauge_set(in->o.metrics, AM_FILES_ACTIVE, (double)in->tail_count, NULL);
}

static void say_once(struct file_input *in, struct str path, const char *reason)
{
    if (!strmap_get(&in->logged, path)) {
        LOG_EVENT(LVL_WARN, "file_not_followed", F_STR("path", path), F_C("reason", reason));
        enum err e = strmap_put(&in->logged, path, in, NULL);
        (void)e; /* without memory it is said again */
    }
}

static bool limit_reached(struct file_input *in)
{
    if (in->tail_count < AGENT_FILES_MAX) {
        return false;
    }
    if (!in->limit_logged) {
        LOG_EVENT(LVL_ERROR, "too_many_files", F_I64("limit", AGENT_FILES_MAX),
                  F_C("cure", "narrow __path__, or use __path_exclude__"));
    }
    in->limit_logged = true;
    return true;
}

static void open_new(struct file_input *in, const struct file_job *job, const struct file_target *target,
                     struct str path)
{
    struct tail *t;
    struct stat st;
    if (limit_reached(in) || stat(path.p, &st) != 0) {
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        say_once(in, path, S_ISDIR(st.st_mode) ? "it is a folder" : "it is no regular file");
        return;
    }
    /* The same file under another name: its lines are read there, or were and wait to be acknowledged. */
    struct tail *twin = scan_find_id(in, job, (uint64_t)st.st_dev, (uint64_t)st.st_ino);
    if (twin) {
        if (!twin->draining && !twin->closed) {
            say_once(in, path, "it is followed under another name");
        }
        return;
    }
    enum err e = tail_open(in, job, target, path, path.p, &t);
    if (e) {
        say_once(in, path, e == ERR_DENIED ? "permission denied" : err_text(e));
        return;
    }
    identity_start(t);
    LOG_EVENT(LVL_INFO, "file_followed", F_STR("path", path), F_U64("offset", t->offset),
              F_U64("size", t->size));
    scan_add(in, t, false);
}

/* The tail is no longer the file at its path: it is read to its end. */
static void begin_drain(struct tail *t)
{
    char buf[KEY_BYTES];
    (void)strmap_remove(&t->in->by_path, path_key(buf, t->job, str_c(t->path)));
    mutex_lock(&t->in->lock);
    t->draining = true;
    mutex_unlock(&t->in->lock);
    t->dirty = true;
    t->quiet_ns = clock_mono_ns(clock_real());
    atomic_store_explicit(&t->in->changed, true, memory_order_release);
    agent_count(t->in->o.metrics, AM_ROTATIONS, 1, NULL);
}

void scan_check_path(struct tail *t)
{
    struct stat st;
    if (t->draining || t->closed) {
        return;
    }
    if (stat(t->path, &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            LOG_EVENT(LVL_INFO, "file_gone", F_C("path", t->path));
            begin_drain(t);
        }
        return;
    }
    if ((uint64_t)st.st_ino == t->id.ino && (uint64_t)st.st_dev == t->id.dev) {
        uint64_t size = (uint64_t)st.st_size;
        t->dirty |= tail_has_more(t, size);
        t->size = size;
        return;
    }
    LOG_EVENT(LVL_INFO, "file_rotated", F_C("path", t->path));
    begin_drain(t);
    identity_between(t->in, t->job, t->target, str_c(t->path), &t->id, t->fd);
    open_new(t->in, t->job, t->target, str_c(t->path));
}

/* -- the walk ---------------------------------------------------------------------------------------------
 */

struct scan {
    struct file_input *in;
    const struct file_job *job;
    const struct file_target *target;
    const struct glob *exclude; /* NULL: none */
};

static enum err found(void *ctx, struct str path)
{
    struct scan *s = ctx;
    if (s->exclude && glob_match(s->exclude, path)) {
        return ERR_OK;
    }
    struct tail *t = live_tail(s->in, s->job, path);
    if (t) {
        t->seen = true;
        scan_check_path(t);
    } else {
        open_new(s->in, s->job, s->target, path);
    }
    return ERR_OK;
}

static enum err folder(void *ctx, struct str path)
{
    struct file_input *in = ((struct scan *)ctx)->in;
    int wd;
    if (in->watch && in->folders < AGENT_DIRS_MAX) {
        enum err e =
            watch_folder(in->watch, path.p, &wd); /* again and again: a new folder may have the name */
        in->folders += e == ERR_OK;
    }
    return ERR_OK;
}

/* A text that is itself the name of a file is no pattern. */
static bool plain_file(struct str path)
{
    struct stat st;
    return stat(path.p, &st) == 0 && S_ISREG(st.st_mode);
}

static void scan_target(struct file_input *in, const struct file_job *job, const struct file_target *target,
                        size_t index)
{
    struct scan s = {in, job, target, target->exclude.n ? &in->excludes[index] : NULL};
    struct glob_visitor v = {found, folder, &s};
    if (plain_file(target->path)) {
        char parent[KEY_BYTES];
        const char *slash = strrchr(target->path.p, '/');
        (void)snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - target->path.p) : 0,
                       target->path.p);
        (void)folder(&s, parent[0] ? str_c(parent) : STR("/"));
        (void)found(&s, target->path);
        return;
    }
    enum err e = glob_walk(&in->globs[index], &v);
    if (e) {
        LOG_EVENT(LVL_WARN, "files_not_listed", F_STR("path", target->path), F_ERR(e));
    }
}

void scan_globs(struct file_input *in)
{
    int64_t start = clock_mono_ns(clock_real());
    size_t index = 0;
    in->folders = 0;
    in->scan_asked = false;
    for (struct tail *t = in->tails; t; t = t->next) {
        t->seen = false;
    }
    for (size_t j = 0; j < in->o.job_count; j++) {
        for (size_t i = 0; i < in->o.jobs[j].target_count; i++) {
            scan_target(in, &in->o.jobs[j], &in->o.jobs[j].targets[i], index++);
        }
    }
    for (struct tail *t = in->tails; t; t = t->next) {
        if (!t->seen) {
            scan_check_path(t);
        }
    }
    if (!in->first_scan_done) {
        identity_resume(in);
        in->first_scan_done = true;
    }
    int64_t now = clock_mono_ns(clock_real()), pause = (now - start) * SCAN_COST_FACTOR;
    pause = pause > SCAN_PAUSE_MIN_MS * NS_PER_MS ? pause : SCAN_PAUSE_MIN_MS * NS_PER_MS;
    in->scan_soonest_ns = now + pause;
    in->scan_due_ns = now + in->o.sync_ms * NS_PER_MS;
}

/* -- letting go -------------------------------------------------------------------------------------------
 */

static void let_go(struct tail *t)
{
    tail_finish(t);
    struct stat st;
    t->size = fstat(t->fd, &st) == 0 && st.st_nlink > 0 ? t->offset : 0; /* 0: deleted, nothing to remember */
    scan_unwatch(t);
    LOG_EVENT(LVL_INFO, "file_let_go", F_C("path", t->path), F_U64("offset", t->offset));
    tail_close_fd(t);
    if (!live_tail(t->in, t->job, str_c(t->path))) {
        agent_metric_hide_1(t->in->o.metrics, AM_READ_BYTES, t->path);
        agent_metric_hide_1(t->in->o.metrics, AM_FILE_BYTES, t->path);
        agent_metric_hide_1(t->in->o.metrics, AM_READ_LINES, t->path);
        agent_metric_hide_1(t->in->o.metrics, AM_ACKED_BYTES, t->path);
    }
}

/* Nothing of the tail is under way any more. */
static bool settled(struct file_input *in, struct tail *t)
{
    mutex_lock(&in->lock);
    bool yes = t->closed && t->first == NULL;
    mutex_unlock(&in->lock);
    return yes;
}

static void unlink_tail(struct file_input *in, struct tail **at)
{
    struct tail *t = *at;
    mutex_lock(&in->lock);
    *at = t->next;
    in->tail_count--;
    struct position p = tail_position(t);
    mutex_unlock(&in->lock);
    if (t->size) {
        left_add(in, &p);
    }
    struct id_key k = {t->job, t->id.dev, t->id.ino};
    (void)strmap_remove(&in->by_id, id_text(&k));
    in->turn = in->turn == t ? NULL : in->turn;
    atomic_store_explicit(&in->changed, true, memory_order_release);
    tail_free(t);
    agent_gauge_set(in->o.metrics, AM_FILES_ACTIVE, (double)in->tail_count, NULL);
}

int64_t scan_reap(struct file_input *in, int64_t now_ns)
{
    int64_t next = INT64_MAX;
    for (struct tail **at = &in->tails; *at;) {
        struct tail *t = *at;
        int64_t over = t->quiet_ns + in->o.rotate_wait_ms * NS_PER_MS;
        if (t->draining && !t->closed && !t->dirty) {
            if (over <= now_ns) {
                let_go(t);
            } else {
                next = over < next ? over : next;
            }
        }
        if (t->closed && settled(in, t)) {
            unlink_tail(in, at);
            in->scan_asked = true; /* it may be waiting under another name */
        } else {
            at = &t->next;
        }
    }
    return next;
}
