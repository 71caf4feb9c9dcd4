/* Errors: one enum, one table. Zero is success.
 *
 * A function that can fail returns `enum err` and is MUST_USE; results go through `ret_` parameters, which
 * stay untouched on failure. Where a person reads the reason (parsers, configuration, API) the function also
 * fills a caller-supplied `struct err_info`. Input from outside is never asserted; invariants always are. */
#ifndef CAIRN_BASE_ERR_H
#define CAIRN_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum err {
    ERR_OK = 0,
    ERR_OOM,         /* an allocation failed or a memory budget is spent */
    ERR_LIMIT,       /* a configured limit would be exceeded; the message names it */
    ERR_INVALID,     /* the input is wrong; repeating it cannot help */
    ERR_NOT_FOUND,   /* the thing asked for does not exist */
    ERR_EXISTS,      /* the thing to be created exists */
    ERR_CONFLICT,    /* someone else changed it first (versions, duplicate samples) */
    ERR_CORRUPT,     /* stored bytes fail their checksum or structure */
    ERR_IO,          /* the operating system refused; err_info.sys_errno says why */
    ERR_NO_SPACE,    /* disk full or below its reserve */
    ERR_TIMEOUT,     /* a deadline passed */
    ERR_CANCELED,    /* the caller gave up */
    ERR_UNAVAILABLE, /* not now: loading, read-only, shutting down; retry later */
    ERR_UNSUPPORTED, /* understood but not offered */
    ERR_DENIED,      /* not authenticated or not allowed */
    ERR_EXECUTION,   /* a valid query failed while it ran */
    ERR_INTERNAL,    /* a bug */
    ERR_COUNT
};

/* Short stable name ("not_found"), sentence ("the thing asked for does not exist"), the HTTP status and the
 * Prometheus errorType ("bad_data", "execution", ...) an API answers with, and whether a retry may help. */
const char *err_name(enum err e);
const char *err_text(enum err e);
int err_http_status(enum err e);
const char *err_prom_type(enum err e);
bool err_retryable(enum err e);

/* What a person is told. `message` is always NUL-terminated; `file` is empty when the input has no name.
 * Lines and columns count from 1 (0 = unknown); `pos` is a byte offset, `len` the length it concerns. */
struct err_info {
    enum err code;
    int sys_errno;
    unsigned line, col;
    size_t pos, len;
    char file[192];
    char message[512];
};

/* Fills `info` (which may be NULL) and returns `code`, so that `return err_set(...)` reads well. */
enum err err_set(struct err_info *info, enum err code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As err_set, with the place in the input. */
enum err err_set_at(struct err_info *info, enum err code, unsigned line, unsigned col, const char *fmt, ...)
    PRINTF_LIKE(5, 6);

/* Fills `info` from errno: maps ENOSPC, EDQUOT, ENOENT, EEXIST, EACCES, ETIMEDOUT, ENOMEM; the rest is
 * ERR_IO. The message is "<what>: <strerror>". Returns the code. */
enum err err_set_errno(struct err_info *info, int sys_errno, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Names the file the error is about, unless one is named already. */
void err_in_file(struct err_info *info, const char *file);

/* Renders "file:line:col: message" as far as the parts are known. Returns buf. */
const char *err_render(const struct err_info *info, char *buf, size_t buf_size);

#endif
