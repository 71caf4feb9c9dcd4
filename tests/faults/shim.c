/* Stands between a program and the C library (LD_PRELOAD) and makes its disk misbehave.
 *
 * FAULT_CONTROL is a file of struct control that a test maps and changes while the program runs: rules that
 * fail, cut short or delay calls. FAULT_RECORD, when it is set, is a file to which every change below
 * FAULT_ROOT is written in the order in which it happened, for the model of a power cut (power.py). Calls are
 * recorded one at a time: what is in the record before a sync had reached the kernel before it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    OP_OPEN = 1,
    OP_READ = 2,
    OP_WRITE = 4,
    OP_SYNC = 8,
    OP_RENAME = 16,
    OP_UNLINK = 32,
    OP_MAP = 64,
    OP_DUP = 128,
    OP_THREAD = 256,
    OP_TRUNCATE = 512,
    OP_RESERVE = 1024,
    OP_LINK = 2048,
    OP_MKDIR = 4096,
    OP_FREE = 8192,   /* statvfs: `error` is the MiB that are free */
    OP_CLOCK = 16384, /* the wall clock: `error` is how many seconds it is wrong */
    KILL = -1,        /* as an error: the process ends before the call */
    RULES = 8
};

/* As faulty.py writes it: 8 rules of 128 bytes. */
struct rule {
    uint32_t ops;         /* 0: not in use */
    int32_t error;        /* errno; 0: none */
    _Atomic int32_t skip; /* calls that go well first */
    _Atomic int32_t left; /* calls that are hit then; < 0: all */
    uint32_t delay_us, short_bytes;
    _Atomic uint32_t hits;
    char part[100]; /* of the path; empty: any below the root */
};

static struct rule *rules;
static const char *root;
static int record_fd = -1;
static pthread_mutex_t record_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

#define REAL(type, name, ...)                                 \
    static type (*real)(__VA_ARGS__);                         \
    if (!real) {                                              \
        real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name); \
    }

__attribute__((constructor)) static void begin(void)
{
    const char *control = getenv("FAULT_CONTROL"), *record = getenv("FAULT_RECORD");
    root = getenv("FAULT_ROOT");
    root = root ? root : "/";
    int fd = control ? (int)syscall(SYS_openat, AT_FDCWD, control, O_RDWR | O_CLOEXEC, 0) : -1;
    if (fd >= 0) {
        rules = mmap(NULL, RULES * sizeof(struct rule), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        rules = rules == MAP_FAILED ? NULL : rules;
        syscall(SYS_close, fd);
    }
    if (record) {
        record_fd =
            (int)syscall(SYS_openat, AT_FDCWD, record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
}

static int below(const char *path)
{
    return path && strncmp(path, root, strlen(root)) == 0;
}

static const char *path_of(int fd, char out[4096])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = syscall(SYS_readlink, link, out, 4095);
    out[n > 0 ? n : 0] = '\0';
    return out;
}

/* The rule that hits this call, or NULL. */
static struct rule *hit(unsigned op, const char *path, int fd)
{
    char name[4096];
    for (int i = 0; rules && i < RULES; i++) {
        struct rule *r = &rules[i];
        if (!(r->ops & op)) {
            continue;
        }
        if (!path && fd >= 0) {
            path = path_of(fd, name);
        }
        if (path && (!below(path) || (r->part[0] && !strstr(path, r->part)))) {
            continue;
        }
        if (r->skip > 0 && atomic_fetch_sub(&r->skip, 1) > 0) {
            continue;
        }
        if (r->left == 0 || (r->left > 0 && atomic_fetch_sub(&r->left, 1) <= 0)) {
            continue;
        }
        atomic_fetch_add(&r->hits, 1);
        if (r->error == KILL) {
            syscall(SYS_kill, getpid(), SIGKILL);
        }
        if (r->delay_us) {
            nanosleep(&(struct timespec){r->delay_us / 1000000, r->delay_us % 1000000 * 1000L}, NULL);
        }
        return r;
    }
    return NULL;
}

/* True when the call is to fail: errno is set. */
static int fails(unsigned op, const char *path, int fd)
{
    const struct rule *r = rules ? hit(op, path, fd) : NULL;
    if (r && r->error) {
        errno = r->error;
        return 1;
    }
    return 0;
}

/* -- the record ------------------------------------------------------------------------------------------ */

/* kind, offset, length of path, of second path, of data; then these. */
static void note(char kind, const char *path, const char *second, uint64_t offset, const void *data, size_t n)
{
    uint32_t head[3] = {(uint32_t)strlen(path), second ? (uint32_t)strlen(second) : 0, (uint32_t)n};
    size_t size = 1 + 8 + sizeof(head) + head[0] + head[1] + n, at = 0;
    char *b = malloc(size);
    if (!b) {
        abort();
    }
    b[at++] = kind;
    memcpy(b + at, &offset, 8);
    memcpy(b + at + 8, head, sizeof(head));
    at += 8 + sizeof(head);
    memcpy(b + at, path, head[0]);
    at += head[0];
    memcpy(b + at, second ? second : "", head[1]);
    at += head[1];
    if (n) {
        memcpy(b + at, data, n);
    }
    if (syscall(SYS_write, record_fd, b, size) != (long)size) {
        abort();
    }
    free(b);
}

static int recorded(const char *path)
{
    return record_fd >= 0 && below(path);
}

static void record_begin(void)
{
    if (record_fd >= 0) {
        pthread_mutex_lock(&record_lock);
    }
}

static void record_end(void)
{
    if (record_fd >= 0) {
        int why = errno;
        pthread_mutex_unlock(&record_lock);
        errno = why;
    }
}

/* -- calls ----------------------------------------------------------------------------------------------- */

int open(const char *path, int flags, ...)
{
    REAL(int, open, const char *, int, ...)
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    if (fails(OP_OPEN, path, -1)) {
        return -1;
    }
    record_begin();
    int created = (flags & O_CREAT) && recorded(path) && access(path, F_OK) != 0;
    int fd = real(path, flags, mode);
    if (fd >= 0 && created) {
        note('C', path, NULL, 0, NULL, 0);
    } else if (fd >= 0 && (flags & O_TRUNC) && recorded(path)) {
        note('T', path, NULL, 0, NULL, 0);
    }
    record_end();
    return fd;
}

int open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return open(path, flags, mode);
}

DIR *opendir(const char *path)
{
    REAL(DIR *, opendir, const char *)
    return fails(OP_OPEN, path, -1) ? NULL : real(path);
}

static size_t shortened(const struct rule *r, size_t n)
{
    return r && r->short_bytes && n > r->short_bytes ? r->short_bytes : n;
}

ssize_t read(int fd, void *p, size_t n)
{
    REAL(ssize_t, read, int, void *, size_t)
    const struct rule *r = rules ? hit(OP_READ, NULL, fd) : NULL;
    if (r && r->error) {
        errno = r->error;
        return -1;
    }
    return real(fd, p, shortened(r, n));
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    REAL(ssize_t, pread, int, void *, size_t, off_t)
    const struct rule *r = rules ? hit(OP_READ, NULL, fd) : NULL;
    if (r && r->error) {
        errno = r->error;
        return -1;
    }
    return real(fd, p, shortened(r, n), at);
}

ssize_t __pread_chk(int fd, void *p, size_t n, off_t at, size_t room)
{
    (void)room;
    return pread(fd, p, n, at);
}

static ssize_t put(int fd, const void *p, size_t n, off_t at)
{
    char name[4096];
    const struct rule *r = rules ? hit(OP_WRITE, NULL, fd) : NULL;
    if (r && r->error && !(r->short_bytes && n > r->short_bytes)) {
        errno = r->error;
        return -1;
    }
    n = shortened(r, n); /* with an error: what comes next fails */
    record_begin();
    off_t where = at >= 0 ? at : record_fd >= 0 ? lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t done = at >= 0 ? syscall(SYS_pwrite64, fd, p, n, at) : syscall(SYS_write, fd, p, n);
    if (done > 0 && record_fd >= 0 && recorded(path_of(fd, name))) {
        if (at < 0 && fcntl(fd, F_GETFL) & O_APPEND) {
            where = lseek(fd, 0, SEEK_CUR) - done;
        }
        note('W', name, NULL, (uint64_t)where, p, (size_t)done);
    }
    record_end();
    return done;
}

ssize_t write(int fd, const void *p, size_t n)
{
    return put(fd, p, n, -1);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return put(fd, p, n, at);
}

static int sync_call(int fd, long number)
{
    char name[4096];
    if (fails(OP_SYNC, NULL, fd)) {
        return -1;
    }
    record_begin();
    int rc = (int)syscall(number, fd);
    if (rc == 0 && record_fd >= 0 && recorded(path_of(fd, name))) {
        note('S', name, NULL, 0, NULL, 0);
    }
    record_end();
    return rc;
}

int fdatasync(int fd)
{
    return sync_call(fd, SYS_fdatasync);
}

int fsync(int fd)
{
    return sync_call(fd, SYS_fsync);
}

int ftruncate(int fd, off_t size)
{
    char name[4096];
    if (fails(OP_TRUNCATE, NULL, fd)) {
        return -1;
    }
    record_begin();
    int rc = (int)syscall(SYS_ftruncate, fd, size);
    if (rc == 0 && record_fd >= 0 && recorded(path_of(fd, name))) {
        note('T', name, NULL, (uint64_t)size, NULL, 0);
    }
    record_end();
    return rc;
}

int rename(const char *from, const char *to)
{
    if (fails(OP_RENAME, from, -1)) {
        return -1;
    }
    record_begin();
    int rc = (int)syscall(SYS_rename, from, to);
    if (rc == 0 && recorded(from)) {
        note('R', from, to, 0, NULL, 0);
    }
    record_end();
    return rc;
}

int link(const char *from, const char *to)
{
    if (fails(OP_LINK, from, -1)) {
        return -1;
    }
    record_begin();
    int rc = (int)syscall(SYS_link, from, to);
    if (rc == 0 && recorded(to)) {
        note('L', from, to, 0, NULL, 0);
    }
    record_end();
    return rc;
}

int unlink(const char *path)
{
    if (fails(OP_UNLINK, path, -1)) {
        return -1;
    }
    record_begin();
    int rc = (int)syscall(SYS_unlink, path);
    if (rc == 0 && recorded(path)) {
        note('U', path, NULL, 0, NULL, 0);
    }
    record_end();
    return rc;
}

int mkdir(const char *path, mode_t mode)
{
    if (fails(OP_MKDIR, path, -1)) {
        return -1;
    }
    record_begin();
    int rc = (int)syscall(SYS_mkdir, path, mode);
    if (rc == 0 && recorded(path)) {
        note('D', path, NULL, 0, NULL, 0);
    }
    record_end();
    return rc;
}

int rmdir(const char *path)
{
    record_begin();
    int rc = (int)syscall(SYS_rmdir, path);
    if (rc == 0 && recorded(path)) {
        note('U', path, NULL, 0, NULL, 0);
    }
    record_end();
    return rc;
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    return fails(OP_RESERVE, NULL, fd) ? -1 : (int)syscall(SYS_fallocate, fd, mode, at, n);
}

int statvfs(const char *path, struct statvfs *st)
{
    REAL(int, statvfs, const char *, struct statvfs *)
    const struct rule *r = rules ? hit(OP_FREE, path, -1) : NULL;
    int rc = real(path, st);
    if (rc == 0 && r) {
        st->f_bavail = st->f_bfree = (fsblkcnt_t)r->error * (1 << 20) / st->f_frsize;
    }
    return rc;
}

void *mmap(void *p, size_t n, int prot, int flags, int fd, off_t at)
{
    if (fd >= 0 && fails(OP_MAP, NULL, fd)) {
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, p, n, prot, flags, fd, at);
}

int fcntl(int fd, int command, ...)
{
    REAL(int, fcntl, int, int, ...)
    va_list ap;
    va_start(ap, command);
    void *argument = va_arg(ap, void *);
    va_end(ap);
    if ((command == F_DUPFD || command == F_DUPFD_CLOEXEC) && fails(OP_DUP, NULL, fd)) {
        return -1;
    }
    return real(fd, command, argument);
}

static time_t wrong_by(void)
{
    for (int i = 0; rules && i < RULES; i++) {
        if (rules[i].ops & OP_CLOCK) {
            return rules[i].error;
        }
    }
    return 0;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    REAL(int, clock_gettime, clockid_t, struct timespec *)
    int rc = real(id, t);
    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        t->tv_sec += wrong_by();
    }
    return rc;
}

time_t time(time_t *t)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (t) {
        *t = now.tv_sec;
    }
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *t = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *ctx)
{
    REAL(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)
    return fails(OP_THREAD, NULL, -1) ? errno : real(t, a, fn, ctx);
}
