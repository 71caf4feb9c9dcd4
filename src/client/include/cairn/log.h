/* libcairn log: structured log lines from many threads into one file, each event exactly one line.
 *
 * A log is one destination (a file or standard error) with a format and a lowest level. Every call names the
 * logger it speaks for ("app.request"), as in Python's logging. Newlines and control characters are escaped,
 * so an event can't become two lines or move the cursor.
 *
 * Rotation: before it writes, the log looks whether its path still is the file it has open and reopens it
 * when it was moved or removed; lines written into a file that was removed meanwhile are written again to the
 * new one. Copy-and-truncate works too (O_APPEND). cairn_log_reopen() does it on request.
 *
 * Loss: a line is written by one write(2), alone or with its neighbours. What can't be written is counted
 * (cairn_log_stats) and told to on_error, never dropped silently. With a buffer, a crash of the process loses
 * at most the last delay_ms of lines below flush_level; without one (buffer_bytes 0), none that a call
 * returned for.
 *
 * Threads: any thread may log. Open a log after fork(), not before.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CAIRN_LOG_H
#define CAIRN_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cairn/error.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CAIRN_LOG_LINE_MAX = 16384, /* bytes of one line; the rest is cut and the line ends in "...[cut]" */
    CAIRN_LOG_BUFFER_MAX = 64 * 1024 * 1024,
};

enum cairn_log_level {
    CAIRN_LOG_DEBUG,
    CAIRN_LOG_INFO,
    CAIRN_LOG_WARNING,
    CAIRN_LOG_ERROR,
    CAIRN_LOG_CRITICAL,
};

enum cairn_log_format {
    CAIRN_LOG_PYTHON, /* 2026-01-31 13:45:07 - app.request - INFO - message key=value (local time) */
    CAIRN_LOG_JSON, /* {"timestamp":"2026-01-31T13:45:07.123456Z","level":"info","logger":..,"message":..,key:value}
                     */
    CAIRN_LOG_LOGFMT, /* ts=2026-01-31T13:45:07.123456Z level=info logger=app.request msg="..." key=value */
};

struct cairn_log;
struct cairn_registry;

struct cairn_log_options {
    const char *path; /* NULL: standard error, which is never reopened */
    enum cairn_log_format format;
    enum cairn_log_level level; /* events below it are left out */
    bool utc;                   /* python format in UTC */
    size_t buffer_bytes;        /* 0: each call writes its own line; else collect up to this much */
    unsigned delay_ms;          /* with a buffer: a line waits at most this long; 0: 200 */
    enum cairn_log_level
        flush_level;     /* with a buffer: events at or above it are written at once; DEBUG (0): ERROR */
    unsigned mode;       /* permissions of a file it makes, before the umask; 0: 0640 */
    bool drop_when_full; /* with a buffer: drop (and count) instead of waiting for the disk */
    /* Told once per failing stretch and again when it is over (error 0); called outside all locks but one
     * that keeps writers in order: it must not log to the same log. */
    void (*on_error)(void *context, const char *what, int error_number);
    void *error_context;
};

enum cairn_log_kind {
    CAIRN_LOG_STRING,
    CAIRN_LOG_INT,
    CAIRN_LOG_UINT,
    CAIRN_LOG_DOUBLE,
    CAIRN_LOG_BOOL
};

/* A key with its value. Keys are letters, digits, '_', '.', '-'; others become '_'. */
struct cairn_log_field {
    const char *key;
    enum cairn_log_kind kind;
    union {
        const char *string; /* NULL is written as null or "" */
        int64_t integer;
        uint64_t unsigned_integer;
        double number;
        bool boolean;
    } value;
};

struct cairn_log_stats {
    uint64_t lines;   /* written (or waiting in the buffer) */
    uint64_t dropped; /* not written: error, or full and drop_when_full */
    uint64_t bytes;   /* written */
    uint64_t errors;  /* failed opens and writes */
    uint64_t reopens; /* after a rotation or on request */
};

/* Errors: IO (errno says why the path can't be opened), INVALID, OOM, LIMIT. */
CAIRN_MUST_USE enum cairn_err cairn_log_open(const struct cairn_log_options *options,
                                             struct cairn_log **ret_log);

/* Writes what waits, stops the writer thread, closes. No other thread may use the log any more. NULL is
 * ignored. */
void cairn_log_close(struct cairn_log *log);

/* One event. message and fields are copied before the call returns. log NULL is ignored. */
void cairn_log_event(struct cairn_log *log, enum cairn_log_level level, const char *logger,
                     const char *message, const struct cairn_log_field *fields, size_t field_count);

/* One event whose message is formatted as printf does. */
void cairn_log_printf(struct cairn_log *log, enum cairn_log_level level, const char *logger,
                      const char *format, ...) CAIRN_PRINTF(4, 5);

/* Whether an event of this level would be written: to spare the work of making its message. */
bool cairn_log_enabled(const struct cairn_log *log, enum cairn_log_level level);
void cairn_log_set_level(struct cairn_log *log, enum cairn_log_level level);

/* Writes what waits in the buffer. Errors: IO when lines were lost. */
enum cairn_err cairn_log_flush(struct cairn_log *log);

/* Asks that the path be opened anew before the next write. Safe in a signal handler. */
void cairn_log_reopen(struct cairn_log *log);

void cairn_log_stats(const struct cairn_log *log, struct cairn_log_stats *ret_stats);

/* Exposes cairn_log_{lines,dropped_lines,written_bytes,errors,reopens}_total in a registry (NULL: the default
 * one), which must not outlive the log in use: expose nothing from it after cairn_log_close(). Errors as
 * cairn_family_new(): EXISTS for a second log in one registry. */
CAIRN_MUST_USE enum cairn_err cairn_log_metrics(struct cairn_log *log, struct cairn_registry *registry);

/* Names as people write them: "python", "json", "logfmt"; "debug".."critical" in any case. False when
 * unknown. */
bool cairn_log_format_parse(const char *text, enum cairn_log_format *ret_format);
bool cairn_log_level_parse(const char *text, enum cairn_log_level *ret_level);

#ifdef __cplusplus
}
#endif

#endif
