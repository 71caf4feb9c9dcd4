/* Structured logging of the program itself: an event name and key-value fields, one line each, to stderr.
 *
 * Used at the edges only (request end, job end, start-up, state change); storage and languages return errors
 * and count. Each call site is rate-limited: at most LOG_SITE_BURST lines a second, then one line that says
 * how many were left out. Any thread; no lock is held while a caller's code runs. */
#ifndef CAIRN_BASE_LOG_H
#define CAIRN_BASE_LOG_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum log_level {
    LVL_DEBUG = 0,
    LVL_INFO,
    LVL_WARN,
    LVL_ERROR,
    LVL_COUNT
};
enum log_format {
    LOG_LOGFMT = 0,
    LOG_JSON
};

enum {
    LOG_SITE_BURST = 10
};

enum log_kind {
    LOG_KIND_STR,
    LOG_KIND_I64,
    LOG_KIND_U64,
    LOG_KIND_F64
};

struct log_field {
    const char *key;
    enum log_kind kind;
    union {
        struct str s;
        int64_t i;
        uint64_t u;
        double f;
    };
};

struct log_site {
    _Atomic int64_t window_s;
    atomic_uint in_window;
    atomic_uint dropped;
};

#define F_STR(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .s = (v)})
#define F_C(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_STR, .s = str_c(v)})
#define F_I64(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_I64, .i = (v)})
#define F_U64(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_U64, .u = (v)})
#define F_F64(k, v) ((struct log_field){.key = (k), .kind = LOG_KIND_F64, .f = (v)})
#define F_ERR(e) F_C("err", err_name(e))

/* Process-wide, set once at start-up. */
void log_configure(enum log_level min_level, enum log_format format, int fd);
bool log_enabled(enum log_level level);
/* Lines written per level since start: feeds the self-metrics. */
uint64_t log_count(enum log_level level);

void log_write(struct log_site *site, enum log_level level, const char *event, const struct log_field *fields,
               size_t field_count);

/* LOG_EVENT(LVL_INFO, "block_flushed", F_U64("series", n), F_I64("took_ms", ms)); */
#define LOG_EVENT(level, event, ...)                                                      \
    do {                                                                                  \
        static struct log_site log_site_;                                                 \
        if (log_enabled(level)) {                                                         \
            const struct log_field log_fields_[] = {__VA_ARGS__};                         \
            log_write(&log_site_, (level), (event), log_fields_, ARRAY_LEN(log_fields_)); \
        }                                                                                 \
    } while (0)

#endif
