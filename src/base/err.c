/* The error table and the filling of err_info. No state, any thread. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct err_row {
    const char *name;
    const char *text;
    int http_status;
    const char *prom_type;
    bool retryable;
};

static const struct err_row rows[ERR_COUNT] = {
    [ERR_OK] = {"ok", "success", 200, "", false},
    [ERR_OOM] = {"oom", "memory is exhausted or its budget is spent", 503, "unavailable", true},
    [ERR_LIMIT] = {"limit", "a configured limit would be exceeded", 422, "execution", false},
    [ERR_INVALID] = {"invalid", "the input is not valid", 400, "bad_data", false},
    [ERR_NOT_FOUND] = {"not_found", "there is no such thing", 404, "not_found", false},
    [ERR_EXISTS] = {"exists", "it exists already", 409, "bad_data", false},
    [ERR_CONFLICT] = {"conflict", "it was changed by someone else", 409, "bad_data", false},
    [ERR_CORRUPT] = {"corrupt", "stored data is damaged", 500, "internal", false},
    [ERR_IO] = {"io", "the operating system refused the operation", 500, "internal", true},
    [ERR_NO_SPACE] = {"no_space", "the disk is full", 503, "unavailable", true},
    [ERR_TIMEOUT] = {"timeout", "it took too long", 503, "timeout", true},
    [ERR_CANCELED] = {"canceled", "the caller gave up", 499, "canceled", false},
    [ERR_UNAVAILABLE] = {"unavailable", "it is not available now", 503, "unavailable", true},
    [ERR_UNSUPPORTED] = {"unsupported", "it is not supported", 501, "bad_data", false},
    [ERR_DENIED] = {"denied", "it is not allowed", 403, "bad_data", false},
    [ERR_EXECUTION] = {"execution", "the query failed", 422, "execution", false},
    [ERR_INTERNAL] = {"internal", "an internal error", 500, "internal", false},
};

static const struct err_row *row_of(enum err e)
{
    return &rows[(unsigned)e < ERR_COUNT ? e : ERR_INTERNAL];
}

const char *err_name(enum err e)
{
    return row_of(e)->name;
}

const char *err_text(enum err e)
{
    return row_of(e)->text;
}

int err_http_status(enum err e)
{
    return row_of(e)->http_status;
}

const char *err_prom_type(enum err e)
{
    return row_of(e)->prom_type;
}

bool err_retryable(enum err e)
{
    return row_of(e)->retryable;
}

PRINTF_LIKE(3, 0)
static void fill(struct err_info *info, enum err code, const char *fmt, va_list ap)
{
    info->code = code;
    info->sys_errno = 0;
    info->line = info->col = 0;
    info->pos = info->len = 0;
    info->file[0] = '\0';
    (void)vsnprintf(info->message, sizeof(info->message), fmt, ap);
}

enum err err_set(struct err_info *info, enum err code, const char *fmt, ...)
{
    if (info) {
        va_list ap;
        va_start(ap, fmt);
        fill(info, code, fmt, ap);
        va_end(ap);
    }
    return code;
}

enum err err_set_at(struct err_info *info, enum err code, unsigned line, unsigned col, const char *fmt, ...)
{
    if (info) {
        va_list ap;
        va_start(ap, fmt);
        fill(info, code, fmt, ap);
        va_end(ap);
        info->line = line;
        info->col = col;
    }
    return code;
}

static enum err code_of_errno(int sys_errno)
{
    switch (sys_errno) {
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case ENOMEM:
        return ERR_OOM;
    default:
        return ERR_IO;
    }
}

enum err err_set_errno(struct err_info *info, int sys_errno, const char *fmt, ...)
{
    enum err code = code_of_errno(sys_errno);
    if (info) {
        va_list ap;
        va_start(ap, fmt);
        fill(info, code, fmt, ap);
        va_end(ap);
        info->sys_errno = sys_errno;
        char text[128];
        const char *reason = strerror_r(sys_errno, text, sizeof(text));
        size_t n = strlen(info->message);
        (void)snprintf(info->message + n, sizeof(info->message) - n, ": %s", reason);
    }
    return code;
}

void err_in_file(struct err_info *info, const char *file)
{
    if (info && info->file[0] == '\0') {
        (void)snprintf(info->file, sizeof(info->file), "%s", file);
    }
}

const char *err_render(const struct err_info *info, char *buf, size_t buf_size)
{
    const char *file = info->file;
    const char *sep = file[0] ? ":" : "";
    if (info->line && info->col) {
        (void)snprintf(buf, buf_size, "%s%s%u:%u: %s", file, sep, info->line, info->col, info->message);
    } else if (info->line) {
        (void)snprintf(buf, buf_size, "%s%s%u: %s", file, sep, info->line, info->message);
    } else {
        (void)snprintf(buf, buf_size, "%s%s%s%s", file, sep, file[0] ? " " : "", info->message);
    }
    return buf;
}
