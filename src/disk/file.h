/* The only code that opens, reads, syncs and renames files. Thin: one system call per function, with EINTR
 * and short counts handled, errors explained, and a fault point before each (base/fault.h, FAULT_DISK), so
 * that tests fail the Nth.
 *
 * Functions are thread-safe as the calls below them are. Paths are C strings relative to the current folder
 * or absolute. */
#ifndef CAIRN_DISK_FILE_H
#define CAIRN_DISK_FILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum file_mode {
    FILE_READ = 0,
    FILE_WRITE_NEW,    /* created, must not exist */
    FILE_WRITE_APPEND, /* created when absent */
    FILE_READ_WRITE,   /* created when absent */
};

/* *ret_fd is closed by file_close. Errors: NOT_FOUND, EXISTS, DENIED, NO_SPACE, IO. */
MUST_USE enum err file_open(const char *path, enum file_mode mode, int *ret_fd, struct err_info *reterr_info);
void file_close(int fd); /* accepts -1 */
/* Writes all n bytes, or fails. NO_SPACE, IO. */
MUST_USE enum err file_write(int fd, const void *p, size_t n, struct err_info *reterr_info);
MUST_USE enum err file_write_at(int fd, uint64_t offset, const void *p, size_t n,
                                struct err_info *reterr_info);
/* Reads exactly n bytes. CORRUPT when the file ends before. */
MUST_USE enum err file_read_at(int fd, uint64_t offset, void *p, size_t n, struct err_info *reterr_info);
/* Reads what is there next, at most n bytes, from a file or a pipe; *ret_n 0 at its end. */
MUST_USE enum err file_read_next(int fd, void *p, size_t n, size_t *ret_n, struct err_info *reterr_info);
MUST_USE enum err file_size(int fd, uint64_t *ret_bytes, struct err_info *reterr_info);
/* After a failed sync the data may be lost although later syncs succeed: the caller turns read-only. */
MUST_USE enum err file_sync_data(int fd, struct err_info *reterr_info); /* fdatasync */
MUST_USE enum err file_truncate(int fd, uint64_t size_bytes, struct err_info *reterr_info);
/* Permissions, at most 0777. */
MUST_USE enum err file_mode_set(int fd, unsigned mode, struct err_info *reterr_info);
MUST_USE enum err file_remove(const char *path, struct err_info *reterr_info); /* absent is OK */
MUST_USE enum err file_rename(const char *from, const char *to, struct err_info *reterr_info);
/* Gives the file a second name, which must not exist. */
MUST_USE enum err file_link(const char *from, const char *to, struct err_info *reterr_info);
bool file_exists(const char *path);
/* Appends the content to b (its ceiling is the limit). */
MUST_USE enum err file_load(const char *path, struct buf *b, struct err_info *reterr_info);
/* Replaces the file whole: temporary name, write, fdatasync, rename, fsync of the folder. */
MUST_USE enum err file_store(const char *path, struct str content, struct err_info *reterr_info);

struct file_map { /* a read-only mapping; data.p NULL for an empty file */
    struct str data;
};
MUST_USE enum err file_map(const char *path, struct file_map *ret_map, struct err_info *reterr_info);
void file_unmap(struct file_map *m);
/* The bytes [from, to) have been read and are not wanted again: their pages leave the process' memory, and
 * would come back when they were. */
void file_map_passed(const struct file_map *m, size_t from, size_t to);
/* Writable memory that a file stands behind, not the process's own: the kernel writes its pages out and drops
 * them when memory is short. What is written is in the file for other processes at once, on the disk once
 * the file is synced. A new file is size_bytes of zeros with their room reserved, and must not exist; an old
 * one has at least size_bytes. Errors: EXISTS, NOT_FOUND, CORRUPT (shorter), NO_SPACE, UNSUPPORTED (the file
 * system cannot reserve), IO. */
MUST_USE enum err file_map_new(const char *path, size_t size_bytes, void **ret_p,
                               struct err_info *reterr_info);
MUST_USE enum err file_map_old(const char *path, size_t size_bytes, void **ret_p,
                               struct err_info *reterr_info);
void file_unmap_written(void *p, size_t size_bytes);

/* mkdir -p, mode 0750; durable when it returns. */
MUST_USE enum err dir_make(const char *path, struct err_info *reterr_info);
bool dir_is(const char *path);
MUST_USE enum err dir_sync(const char *path, struct err_info *reterr_info);
/* Syncs the folder that holds the file. */
MUST_USE enum err dir_sync_parent(const char *file_path, struct err_info *reterr_info);
/* Names of the entries (without . and ..), sorted, in the arena. */
MUST_USE enum err dir_list(const char *path, struct arena *a, const struct str **ret_names, size_t *ret_n,
                           struct err_info *reterr_info);
/* rm -r; absent is OK. */
MUST_USE enum err dir_remove(const char *path, struct err_info *reterr_info);
/* An exclusive lock on DIR/lock, held until dir_unlock or the process ends. EXISTS when another process has
 * it (the message has its pid and the cure). */
MUST_USE enum err dir_lock(const char *path, int *ret_fd, struct err_info *reterr_info);
/* The same on the folder itself, in which nothing is written. EXISTS when another process holds it. */
MUST_USE enum err dir_hold(const char *path, int *ret_fd, struct err_info *reterr_info);
void dir_unlock(int fd); /* of both; accepts -1 */
/* Bytes free for us on the folder's file system, and its size. */
MUST_USE enum err dir_free_bytes(const char *path, uint64_t *ret_free, uint64_t *ret_total,
                                 struct err_info *reterr_info);
/* Sum of the file sizes below the folder. */
MUST_USE enum err dir_used_bytes(const char *path, uint64_t *ret_bytes, struct err_info *reterr_info);

#endif
