/* Folders: making, listing, locking, measuring. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/mem.h"
#include "disk/file.h"

enum {
    DIR_DEPTH_MAX = 32
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

static enum err make_one(const char *path, struct err_info *reterr_info)
{
    if (!fault_here() && mkdir(path, 0750) == 0) {
        return dir_sync_parent(path, reterr_info); /* what is synced below it must not lose its way there */
    }
    int why = errno;
    struct stat st;
    if (why == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return ERR_OK;
    }
    return err_set_errno(reterr_info, why == EEXIST ? ENOTDIR : why, "cannot create the folder %s", path);
}

enum err dir_make(const char *path, struct err_info *reterr_info)
{
    struct str whole = str_c(path);
    char *copy = mem_dup(path, whole.n);
    if (!copy) {
        return ERR_OOM;
    }
    enum err e = ERR_OK;
    for (size_t i = 1; i < whole.n && !e; i++) {
        if (copy[i] == '/') {
            copy[i] = '\0';
            e = make_one(copy, reterr_info);
            copy[i] = '/';
        }
    }
    if (!e) {
        e = make_one(copy, reterr_info);
    }
    mem_free(copy);
    return e;
}

bool dir_is(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

enum err dir_sync(const char *path, struct err_info *reterr_info)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fault_here() || fsync(fd) != 0) {
        int why = errno;
        file_close(fd);
        return err_set_errno(reterr_info, why, "cannot sync the folder %s", path);
    }
    close(fd);
    return ERR_OK;
}

enum err dir_sync_parent(const char *file_path, struct err_info *reterr_info)
{
    const char *slash = strrchr(file_path, '/');
    if (!slash) {
        return dir_sync(".", reterr_info);
    }
    char *dir = mem_dup(file_path, slash == file_path ? 1 : (size_t)(slash - file_path));
    if (!dir) {
        return err_set(reterr_info, ERR_OOM, "no memory to sync the folder of %s", file_path);
    }
    enum err e = dir_sync(dir, reterr_info);
    mem_free(dir);
    return e;
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

enum err dir_list(const char *path, struct arena *a, const struct str **ret_names, size_t *ret_n,
                  struct err_info *reterr_info)
{
    DIR *d = fault_here() ? NULL : opendir(path);
    if (!d) {
        return err_set_errno(reterr_info, errno, "cannot read the folder %s", path);
    }
    struct str *names = NULL;
    size_t n = 0, cap = 0;
    enum err e = ERR_OK;
    struct dirent *entry;
    int why = 0;
    while (!e) {
        errno = 0;
        entry = readdir(d);
        if (!entry) {
            why = errno;
            break;
        }
        struct str name = str_c(entry->d_name);
        if (str_eq_c(name, ".") || str_eq_c(name, "..")) {
            continue;
        }
        e = arena_reserve(a, (void **)&names, &cap, n + 1, sizeof(*names));
        if (!e) {
            names[n] = arena_str(a, name);
            e = names[n].p ? ERR_OK : arena_err(a);
            n++;
        }
    }
    closedir(d);
    if (why) {
        return err_set_errno(reterr_info, why, "cannot read the folder %s", path);
    }
    if (e) {
        return err_set(reterr_info, e, "cannot list %s: %s", path, err_text(e));
    }
    if (n > 1) {
        qsort(names, n, sizeof(*names), compare_names);
    }
    *ret_names = names;
    *ret_n = n;
    return ERR_OK;
}

/* Calls fn for each file below the folder, folders last. */
static enum err walk(const char *path, unsigned depth, bool remove, uint64_t *bytes,
                     struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    const struct str *names;
    size_t n;
    if (depth > DIR_DEPTH_MAX) {
        return err_set(reterr_info, ERR_LIMIT, "%s: folders nested too deep", path);
    }
    enum err e = dir_list(path, &a, &names, &n, reterr_info);
    if (e) {
        return e == ERR_NOT_FOUND ? ERR_OK : e;
    }
    for (size_t i = 0; i < n && !e; i++) {
        struct str child = arena_printf(&a, "%s/%s", path, names[i].p);
        struct stat st;
        if (!child.p) {
            return ERR_OOM;
        }
        if (lstat(child.p, &st) != 0) {
            continue; /* gone meanwhile */
        }
        if (S_ISDIR(st.st_mode)) {
            e = walk(child.p, depth + 1, remove, bytes, reterr_info);
        } else if (remove) {
            e = file_remove(child.p, reterr_info);
        } else {
            *bytes += (uint64_t)st.st_blocks * 512;
        }
    }
    if (!e && remove && rmdir(path) != 0 && errno != ENOENT) {
        return err_set_errno(reterr_info, errno, "cannot remove the folder %s", path);
    }
    return e;
}

enum err dir_remove(const char *path, struct err_info *reterr_info)
{
    uint64_t unused = 0;
    return walk(path, 0, true, &unused, reterr_info);
}

enum err dir_used_bytes(const char *path, uint64_t *ret_bytes, struct err_info *reterr_info)
{
    *ret_bytes = 0;
    return walk(path, 0, false, ret_bytes, reterr_info);
}

enum err dir_lock(const char *path, int *ret_fd, struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    struct str name = arena_printf(&a, "%s/lock", path);
    char pid[32] = "";
    int fd;
    if (!name.p) {
        return ERR_OOM;
    }
    enum err e = file_open(name.p, FILE_READ_WRITE, &fd, reterr_info);
    if (e) {
        return e;
    }
    struct stat owner;
    if (geteuid() == 0 && stat(path, &owner) == 0 && fchown(fd, owner.st_uid, owner.st_gid) != 0) {
        errno = 0; /* the folder's owner may then not open it: told when that happens */
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
        pid[n > 0 ? n : 0] = '\0';
        file_close(fd);
        return err_set(reterr_info, ERR_EXISTS,
                       "the folder %s is in use by process %s: stop that one first, or give this one another "
                       "folder",
                       path, pid[0] ? pid : "(unknown)");
    }
    int n = snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    e = file_truncate(fd, 0, reterr_info);
    if (!e) {
        e = file_write_at(fd, 0, pid, (size_t)n, reterr_info);
    }
    if (e) {
        file_close(fd);
        return e;
    }
    *ret_fd = fd;
    return ERR_OK;
}

enum err dir_hold(const char *path, int *ret_fd, struct err_info *reterr_info)
{
    int fd = -1;
    enum err e = file_open(path, FILE_READ, &fd, reterr_info);
    if (!e && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        file_close(fd);
        return err_set(reterr_info, ERR_EXISTS, "another process works on the folder %s", path);
    }
    if (!e) {
        *ret_fd = fd;
    }
    return e;
}

void dir_unlock(int fd)
{
    file_close(fd); /* releases the lock */
}

enum err dir_free_bytes(const char *path, uint64_t *ret_free, uint64_t *ret_total,
                        struct err_info *reterr_info)
{
    struct statvfs st;
    if (fault_here() || statvfs(path, &st) != 0) {
        return err_set_errno(reterr_info, errno, "cannot measure the file system of %s", path);
    }
    *ret_free = (uint64_t)st.f_bavail * st.f_frsize;
    *ret_total = (uint64_t)st.f_blocks * st.f_frsize;
    return ERR_OK;
}
