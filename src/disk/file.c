/* Files: system calls with EINTR, short counts and fault points in one place. */
#include "disk/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "disk/map_guard.h"

enum {
    AGAIN_TRIES_MAX = 1000 /* of a millisecond */
};

/* True when a test wants this operation to fail: errno is set. */
static bool fault_here(void)
{
    if (fault_hit(FAULT_DISK)) {
        errno = EIO;
        return true;
    }
    return false;
}

/* True when the call is to be made again. EAGAIN comes from file systems that cannot say yes at once
 * (network, FUSE); it gets a second before it counts. */
static bool again(int why, unsigned *tries)
{
    if (why == EINTR) {
        return true;
    }
    if (why != EAGAIN || ++*tries > AGAIN_TRIES_MAX) {
        return false;
    }
    (void)nanosleep(&(struct timespec){.tv_nsec = NS_PER_MS}, NULL);
    return true;
}

/* EFBIG is the process' limit on file sizes: for the caller the disk is full. */
static enum err write_failed(struct err_info *reterr_info, int why)
{
    return err_set_errno(reterr_info, why == EFBIG ? ENOSPC : why, "cannot write");
}

enum err file_open(const char *path, enum file_mode mode, int *ret_fd, struct err_info *reterr_info)
{
    static const int flags[] = {
        [FILE_READ] = O_RDONLY,
        [FILE_WRITE_NEW] = O_WRONLY | O_CREAT | O_EXCL,
        [FILE_WRITE_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
        [FILE_READ_WRITE] = O_RDWR | O_CREAT,
    };
    int fd = -1;
    unsigned tries = 0;
    if (!fault_here()) {
        do {
            fd = open(path, flags[mode] | O_CLOEXEC, 0640);
        } while (fd < 0 && again(errno, &tries));
    }
    if (fd < 0) {
        return err_set_errno(reterr_info, errno, "cannot open %s", path);
    }
    *ret_fd = fd;
    return ERR_OK;
}

void file_close(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

enum err file_write(int fd, const void *p, size_t n, struct err_info *reterr_info)
{
    const char *at = p;
    unsigned tries = 0;
    while (n) {
        ssize_t done = fault_here() ? -1 : write(fd, at, n);
        if (done < 0) {
            if (again(errno, &tries)) {
                continue;
            }
            return write_failed(reterr_info, errno);
        }
        at += done;
        n -= (size_t)done;
    }
    return ERR_OK;
}

enum err file_write_at(int fd, uint64_t offset, const void *p, size_t n, struct err_info *reterr_info)
{
    const char *at = p;
    unsigned tries = 0;
    while (n) {
        ssize_t done = fault_here() ? -1 : pwrite(fd, at, n, (off_t)offset);
        if (done < 0) {
            if (again(errno, &tries)) {
                continue;
            }
            return write_failed(reterr_info, errno);
        }
        at += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return ERR_OK;
}

enum err file_read_at(int fd, uint64_t offset, void *p, size_t n, struct err_info *reterr_info)
{
    char *at = p;
    unsigned tries = 0;
    while (n) {
        ssize_t done = fault_here() ? -1 : pread(fd, at, n, (off_t)offset);
        if (done < 0) {
            if (again(errno, &tries)) {
                continue;
            }
            return err_set_errno(reterr_info, errno, "cannot read");
        }
        if (done == 0) {
            return err_set(reterr_info, ERR_CORRUPT, "the file ends before byte %llu",
                           (unsigned long long)(offset + n));
        }
        at += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return ERR_OK;
}

enum err file_read_next(int fd, void *p, size_t n, size_t *ret_n, struct err_info *reterr_info)
{
    unsigned tries = 0;
    for (;;) {
        ssize_t done = fault_here() ? -1 : read(fd, p, n);
        if (done >= 0) {
            *ret_n = (size_t)done;
            return ERR_OK;
        }
        if (!again(errno, &tries)) {
            return err_set_errno(reterr_info, errno, "cannot read");
        }
    }
}

enum err file_size(int fd, uint64_t *ret_bytes, struct err_info *reterr_info)
{
    struct stat st;
    if (fault_here() || fstat(fd, &st) != 0) {
        return err_set_errno(reterr_info, errno, "cannot stat");
    }
    *ret_bytes = (uint64_t)st.st_size;
    return ERR_OK;
}

enum err file_sync_data(int fd, struct err_info *reterr_info)
{
    int rc;
    do {
        rc = fault_here() ? -1 : fdatasync(fd);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0) {
        return err_set_errno(reterr_info, errno, "cannot sync");
    }
    return ERR_OK;
}

enum err file_truncate(int fd, uint64_t size_bytes, struct err_info *reterr_info)
{
    unsigned tries = 0;
    int rc;
    do {
        rc = fault_here() ? -1 : ftruncate(fd, (off_t)size_bytes);
    } while (rc != 0 && again(errno, &tries));
    if (rc != 0) {
        return err_set_errno(reterr_info, errno, "cannot truncate");
    }
    return ERR_OK;
}

enum err file_mode_set(int fd, unsigned mode, struct err_info *reterr_info)
{
    return !fault_here() && fchmod(fd, (mode_t)(mode & 0777U)) == 0
               ? ERR_OK
               : err_set_errno(reterr_info, errno, "cannot set the permissions");
}

enum err file_remove(const char *path, struct err_info *reterr_info)
{
    if (fault_here() || (unlink(path) != 0 && errno != ENOENT)) {
        return err_set_errno(reterr_info, errno, "cannot remove %s", path);
    }
    return ERR_OK;
}

enum err file_rename(const char *from, const char *to, struct err_info *reterr_info)
{
    if (fault_here() || rename(from, to) != 0) {
        return err_set_errno(reterr_info, errno, "cannot rename %s to %s", from, to);
    }
    return ERR_OK;
}

enum err file_link(const char *from, const char *to, struct err_info *reterr_info)
{
    if (fault_here() || link(from, to) != 0) {
        return err_set_errno(reterr_info, errno, "cannot link %s to %s", from, to);
    }
    return ERR_OK;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

enum err file_load(const char *path, struct buf *b, struct err_info *reterr_info)
{
    int fd;
    uint64_t size;
    enum err e = file_open(path, FILE_READ, &fd, reterr_info);
    if (e) {
        return e;
    }
    e = file_size(fd, &size, reterr_info);
    if (!e) {
        char *to = buf_tail(b, (size_t)size);
        e = to ? file_read_at(fd, 0, to, (size_t)size, reterr_info)
               : err_set(reterr_info, b->err, "cannot load %s: %s", path, err_text(b->err));
        b->n += e ? 0 : (size_t)size;
    }
    file_close(fd);
    err_in_file(reterr_info, path);
    return e;
}

enum err file_store(const char *path, struct str content, struct err_info *reterr_info)
{
    struct buf temporary AUTO_BUF = {0};
    buf_printf(&temporary, "%s.tmp", path);
    buf_char(&temporary, '\0');
    if (temporary.err) {
        return temporary.err;
    }
    int fd;
    (void)unlink(temporary.p);
    enum err e = file_open(temporary.p, FILE_WRITE_NEW, &fd, reterr_info);
    if (e) {
        return e;
    }
    e = file_write(fd, content.p, content.n, reterr_info);
    if (!e) {
        e = file_sync_data(fd, reterr_info);
    }
    file_close(fd);
    if (!e) {
        e = file_rename(temporary.p, path, reterr_info);
    }
    if (e) {
        (void)unlink(temporary.p);
        return e;
    }
    return dir_sync_parent(path, reterr_info);
}

enum err file_map(const char *path, struct file_map *ret_map, struct err_info *reterr_info)
{
    int fd;
    uint64_t size;
    enum err e = file_open(path, FILE_READ, &fd, reterr_info);
    if (e) {
        return e;
    }
    e = file_size(fd, &size, reterr_info);
    if (!e && size == 0) {
        *ret_map = (struct file_map){0};
    } else if (!e) {
        void *p = fault_here() ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) {
            e = err_set_errno(reterr_info, errno, "cannot map %s", path);
        } else {
            ret_map->data = str_of(p, (size_t)size);
            map_guard_add(p, (size_t)size);
        }
    }
    file_close(fd);
    return e;
}

void file_unmap(struct file_map *m)
{
    if (m->data.p) {
        map_guard_remove(m->data.p);
        munmap((void *)(uintptr_t)m->data.p, m->data.n);
    }
    m->data = (struct str){0};
}

void file_map_passed(const struct file_map *m, size_t from, size_t to)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    from = from / page * page;
    to = to / page * page;
    if (from < to) { /* advice: nothing depends on it */
        (void)madvise((char *)(uintptr_t)m->data.p + from, to - from, MADV_DONTNEED);
    }
}

/* Maps the open file and closes it. */
static enum err map_written(const char *path, int fd, size_t size_bytes, void **ret_p, struct err_info *info)
{
    void *p = fault_here() ? MAP_FAILED : mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    enum err e = p == MAP_FAILED ? err_set_errno(info, errno, "cannot map %s", path) : ERR_OK;
    file_close(fd);
    if (e == ERR_OK) {
        *ret_p = p;
    }
    return e;
}

enum err file_map_new(const char *path, size_t size_bytes, void **ret_p, struct err_info *reterr_info)
{
    int fd = fault_here() ? -1 : open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0) {
        return err_set_errno(reterr_info, errno, "cannot make %s", path);
    }
    if (fault_here() || fallocate(fd, 0, 0, (off_t)size_bytes) != 0) {
        enum err e = err_set_errno(reterr_info, errno, "cannot reserve %zu bytes for %s", size_bytes, path);
        file_close(fd);
        (void)unlink(path);
        return e;
    }
    enum err e = map_written(path, fd, size_bytes, ret_p, reterr_info);
    if (e != ERR_OK) {
        (void)unlink(path);
    }
    return e;
}

enum err file_map_old(const char *path, size_t size_bytes, void **ret_p, struct err_info *reterr_info)
{
    uint64_t there = 0;
    int fd = fault_here() ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return err_set_errno(reterr_info, errno, "cannot open %s", path);
    }
    enum err e = file_size(fd, &there, reterr_info);
    if (e == ERR_OK && there < size_bytes) {
        e = err_set(reterr_info, ERR_CORRUPT, "%s is shorter than it was: %llu bytes of %zu", path,
                    (unsigned long long)there, size_bytes);
    }
    if (e != ERR_OK) {
        file_close(fd);
        return e;
    }
    return map_written(path, fd, size_bytes, ret_p, reterr_info);
}

void file_unmap_written(void *p, size_t size_bytes)
{
    munmap(p, size_bytes);
}
