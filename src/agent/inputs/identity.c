/* Which file is which: positions left behind find their files again, whatever these are called now. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/inputs/file_int.h"
#include "base/log.h"
#include "base/mem.h"
#include "disk/file.h"

enum {
    LEFT_FILES_MAX = 4096,
    ROTATED_MAX = 1024 /* files beside one path that are looked at */
};

bool position_fits(int fd, uint64_t size, const struct position *at)
{
    char bytes[POSITION_HEAD_BYTES];
    if (size < at->offset || at->mark_len > at->offset) {
        return false;
    }
    if (at->head_len && (pread(fd, bytes, at->head_len, 0) != (ssize_t)at->head_len ||
                         hash_bytes(bytes, at->head_len) != at->head_hash)) {
        return false;
    }
    return at->mark_len == 0 ||
           (pread(fd, bytes, at->mark_len, (off_t)(at->offset - at->mark_len)) == (ssize_t)at->mark_len &&
            hash_bytes(bytes, at->mark_len) == at->mark_hash);
}

static void left_free(struct left_file *f)
{
    mem_free((char *)(uintptr_t)f->at.path.p);
    mem_free((char *)(uintptr_t)f->at.job.p);
}

void left_done(struct file_input *in)
{
    for (size_t i = 0; i < in->left_count; i++) {
        left_free(&in->left[i]);
    }
    mem_free(in->left);
    in->left = NULL;
    in->left_count = 0;
}

/* Forgets what has been found again, and the oldest when there are too many. The lock is held. */
static void left_trim(struct file_input *in)
{
    size_t n = 0;
    bool full = in->left_count >= LEFT_FILES_MAX;
    for (size_t i = 0; i < in->left_count; i++) {
        if (in->left[i].claimed || (full && i == 0)) {
            left_free(&in->left[i]);
        } else {
            in->left[n++] = in->left[i];
        }
    }
    in->left_count = n;
}

void left_add(struct file_input *in, const struct position *at)
{
    struct left_file f = {.at = *at};
    f.at.path.p = mem_dup(at->path.p, at->path.n);
    f.at.job.p = mem_dup(at->job.p, at->job.n);
    mutex_lock(&in->lock);
    if (in->first_scan_done) {
        left_trim(in);
    }
    bool kept =
        f.at.path.p && f.at.job.p && in->left_count < LEFT_FILES_MAX &&
        vec_reserve((void **)&in->left, &in->left_cap, in->left_count + 1, sizeof(*in->left)) == ERR_OK;
    if (kept) {
        in->left[in->left_count++] = f;
    }
    mutex_unlock(&in->lock);
    if (!kept) { /* then the file is read again should it turn up under another name */
        left_free(&f);
    }
}

void left_load(struct file_input *in, const struct positions *p)
{
    size_t n;
    const struct position *list = positions_list(p, &n);
    for (size_t i = 0; i < n; i++) {
        left_add(in, &list[i]);
    }
}

/* The saved position of this very file. */
static struct left_file *left_find(struct tail *t)
{
    struct file_input *in = t->in;
    for (size_t i = in->left_count; i-- > 0;) {
        struct left_file *f = &in->left[i];
        if (!f->claimed && f->at.ino == t->id.ino && f->at.dev == t->id.dev &&
            str_eq(f->at.job, t->job->name) && (t->unpacker || position_fits(t->fd, t->size, &f->at))) {
            return f;
        }
    }
    return NULL;
}

static void claim(struct tail *t, struct left_file *f)
{
    const struct file_input *in = t->in;
    tail_seek(t, &f->at);
    mutex_lock(&t->in->lock);
    for (size_t i = 0; i < in->left_count;
         i++) { /* a damaged positions file may say two things of one file */
        struct left_file *o = &in->left[i];
        o->claimed |= o->at.ino == f->at.ino && o->at.dev == f->at.dev && str_eq(o->at.job, f->at.job);
    }
    mutex_unlock(&t->in->lock);
}

static bool left_has_path(const struct file_input *in, const struct file_job *job, struct str path)
{
    for (size_t i = 0; i < in->left_count; i++) {
        if (str_eq(in->left[i].at.path, path) && str_eq(in->left[i].at.job, job->name)) {
            return true;
        }
    }
    return false;
}

void identity_start(struct tail *t)
{
    struct left_file *f = left_find(t);
    int64_t plain;
    if (f) {
        claim(t, f);
        return;
    }
    /* A number alone: Promtail's. It holds for the file that is there now unless that is shorter. */
    struct str path = str_c(t->path), text = positions_text(t->in->o.positions, path);
    if (t->in->first_scan_done || !text.p || left_has_path(t->in, t->job, path) || str_to_i64(text, &plain) ||
        plain < 0) {
        return;
    }
    if (t->unpacker || (uint64_t)plain <= t->size) {
        struct position at = {.offset = (uint64_t)plain};
        tail_seek(t, &at);
    }
}

/* -- rotated files ----------------------------------------------------------------------------------------
 */

struct rotated {
    struct str path;
    struct stat st;
};

/* What logrotate and its kin put behind a name: .1, -20260102, .2026-01-02T03:04. */
static bool rotation_suffix(struct str s)
{
    if (s.n < 2 || (s.p[0] != '.' && s.p[0] != '-' && s.p[0] != '_')) {
        return false;
    }
    bool digit = false;
    for (size_t i = 1; i < s.n; i++) {
        bool d = s.p[i] >= '0' && s.p[i] <= '9';
        digit |= d;
        if (!d && !strchr(".-_:T", s.p[i])) {
            return false;
        }
    }
    return digit;
}

static int by_mtime(const void *a, const void *b)
{
    const struct timespec *x = &((const struct rotated *)a)->st.st_mtim;
    const struct timespec *y = &((const struct rotated *)b)->st.st_mtim;
    int c = (x->tv_sec > y->tv_sec) - (x->tv_sec < y->tv_sec);
    return c ? c : (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* Files beside `path` that may once have had its name, oldest first. */
static size_t list_rotated(struct arena *a, struct str path, struct rotated *out, size_t max)
{
    size_t slash = path.n, n = 0, count = 0;
    const struct str *names = NULL;
    while (slash > 0 && path.p[slash - 1] != '/') {
        slash--;
    }
    struct str base = str_slice(path, slash, path.n);
    struct str folder = arena_str(a, slash > 1 ? str_slice(path, 0, slash - 1) : STR("/"));
    if (!folder.p || dir_list(folder.p, a, &names, &n, NULL)) {
        return 0;
    }
    for (size_t i = 0; i < n && count < max; i++) {
        if (!str_starts(names[i], base) || !rotation_suffix(str_slice(names[i], base.n, names[i].n))) {
            continue;
        }
        struct str whole = arena_printf(a, "%.*s/%.*s", STR_FMT(folder), STR_FMT(names[i]));
        if (whole.p && stat(whole.p, &out[count].st) == 0 && S_ISREG(out[count].st.st_mode)) {
            out[count++].path = whole;
        }
    }
    qsort(out, count, sizeof(*out), by_mtime);
    return count;
}

static bool is_left(const struct file_input *in, const struct file_job *job, const struct stat *st)
{
    for (size_t i = 0; i < in->left_count; i++) {
        const struct position *p = &in->left[i].at;
        if (p->ino == (uint64_t)st->st_ino && p->dev == (uint64_t)st->st_dev && str_eq(p->job, job->name)) {
            return true;
        }
    }
    return false;
}

/* The saved position of the file that is listed is at its end: nothing is left to read. */
static bool is_finished(const struct file_input *in, const struct file_job *job, const struct stat *st)
{
    for (size_t i = 0; i < in->left_count; i++) {
        const struct position *p = &in->left[i].at;
        if (p->ino == (uint64_t)st->st_ino && p->dev == (uint64_t)st->st_dev && str_eq(p->job, job->name)) {
            return p->offset == (uint64_t)st->st_size;
        }
    }
    return false;
}

/* Follows one rotated file to its end under its former name. */
static void drain(struct file_input *in, const struct file_job *job, const struct file_target *target,
                  struct str path, const struct rotated *r)
{
    struct tail *t;
    if (is_finished(in, job, &r->st) ||
        scan_find_id(in, job, (uint64_t)r->st.st_dev, (uint64_t)r->st.st_ino) ||
        tail_open(in, job, target, path, r->path.p, &t)) {
        return;
    }
    struct left_file *f = left_find(t);
    if (f) {
        claim(t, f);
    }
    LOG_EVENT(LVL_INFO, "rotated_file_resumed", F_STR("path", path), F_STR("file", r->path),
              F_U64("offset", t->offset));
    scan_add(in, t, true);
}

static bool earlier(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* Drains the listed file with this identity, and those changed since that nothing is known of. False when
 * there is no such file. */
static bool drain_from(struct file_input *in, const struct file_job *job, const struct file_target *target,
                       struct str path, uint64_t dev, uint64_t ino)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct rotated *files = arena_array(&a, ROTATED_MAX, sizeof(*files));
    size_t n = files ? list_rotated(&a, path, files, ROTATED_MAX) : 0, own = 0;
    while (own < n && ((uint64_t)files[own].st.st_ino != ino || (uint64_t)files[own].st.st_dev != dev)) {
        own++;
    }
    for (size_t i = 0; own < n && i < n; i++) {
        if (i == own ||
            (!earlier(&files[i].st.st_mtim, &files[own].st.st_mtim) && !is_left(in, job, &files[i].st))) {
            drain(in, job, target, path, &files[i]);
        }
    }
    return own < n;
}

void identity_between(struct file_input *in, const struct file_job *job, const struct file_target *target,
                      struct str path, const struct file_id *last, int last_fd)
{
    struct stat st;
    if (last_fd >= 0 && fstat(last_fd, &st) == 0 && st.st_nlink > 0) {
        (void)drain_from(in, job, target, path, last->dev, last->ino);
    }
}

static const struct file_target *target_of(const struct file_input *in, struct str job, struct str path,
                                           const struct file_job **ret_job)
{
    size_t g = 0;
    for (size_t j = 0; j < in->o.job_count; j++) {
        for (size_t i = 0; i < in->o.jobs[j].target_count; i++, g++) {
            if (str_eq(in->o.jobs[j].name, job) && glob_match(&in->globs[g], path)) {
                *ret_job = &in->o.jobs[j];
                return &in->o.jobs[j].targets[i];
            }
        }
    }
    return NULL;
}

void identity_resume(struct file_input *in)
{
    size_t n = in->left_count;
    for (size_t i = 0; i < n && i < in->left_count; i++) {
        struct left_file f = in->left[i];
        const struct file_job *job = NULL;
        const struct file_target *target = f.claimed ? NULL : target_of(in, f.at.job, f.at.path, &job);
        if (target && job->packing == FILE_PLAIN &&
            !drain_from(in, job, target, f.at.path, f.at.dev, f.at.ino) && file_exists(f.at.path.p)) {
            mutex_lock(&in->lock);
            in->left[i].claimed =
                true; /* removed or packed since; a path that is away altogether may come back */
            mutex_unlock(&in->lock);
        }
    }
}
