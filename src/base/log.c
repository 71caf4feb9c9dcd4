/* One line a call, written by one write(2) so that lines of several threads never mix. */
#include "base/log.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

enum {
    LINE_BYTES_MAX = 16384
};

static atomic_int min_level_now = LVL_INFO;
static atomic_int format_now = LOG_LOGFMT;
static atomic_int fd_now = STDERR_FILENO;
static atomic_uint_fast64_t counts[LVL_COUNT];

static const char *const level_names[LVL_COUNT] = {"debug", "info", "warn", "error"};

void log_configure(enum log_level min_level, enum log_format format, int fd)
{
    atomic_store(&min_level_now, (int)min_level);
    atomic_store(&format_now, (int)format);
    atomic_store(&fd_now, fd);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&min_level_now, memory_order_relaxed);
}

uint64_t log_count(enum log_level level)
{
    return atomic_load_explicit(&counts[level], memory_order_relaxed);
}

/* True when the line may be written; *ret_dropped tells how many before it were not. */
static bool site_admits(struct log_site *site, int64_t now_s, unsigned *ret_dropped)
{
    int64_t window = atomic_load_explicit(&site->window_s, memory_order_relaxed);
    if (window != now_s) {
        atomic_store_explicit(&site->window_s, now_s, memory_order_relaxed);
        atomic_store_explicit(&site->in_window, 0, memory_order_relaxed);
    }
    if (atomic_fetch_add_explicit(&site->in_window, 1, memory_order_relaxed) >= LOG_SITE_BURST) {
        atomic_fetch_add_explicit(&site->dropped, 1, memory_order_relaxed);
        return false;
    }
    *ret_dropped = atomic_exchange_explicit(&site->dropped, 0, memory_order_relaxed);
    return true;
}

static void append_quoted(struct buf *b, struct str s)
{
    buf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') {
            buf_char(b, '\\');
            buf_char(b, (char)c);
        } else if (c == '\n') {
            buf_c(b, "\\n");
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(b, "\\u%04x", c);
        } else {
            buf_char(b, (char)c);
        }
    }
    buf_char(b, '"');
}

static bool needs_quotes(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) {
            return true;
        }
    }
    return s.n == 0;
}

static void append_value(struct buf *b, const struct log_field *f, bool json)
{
    switch (f->kind) {
    case LOG_KIND_STR:
        if (json || needs_quotes(f->s)) {
            append_quoted(b, f->s);
        } else {
            buf_str(b, f->s);
        }
        break;
    case LOG_KIND_I64:
        buf_i64(b, f->i);
        break;
    case LOG_KIND_U64:
        buf_u64(b, f->u);
        break;
    case LOG_KIND_F64:
        if (json && !isfinite(f->f)) {
            buf_c(b, "null");
        } else {
            buf_printf(b, "%.6g", f->f);
        }
        break;
    }
}

static void append_field(struct buf *b, const struct log_field *f, bool json)
{
    if (json) {
        buf_c(b, b->n > 1 ? "," : "");
        append_quoted(b, str_c(f->key));
        buf_char(b, ':');
    } else {
        buf_c(b, b->n ? " " : "");
        buf_c(b, f->key);
        buf_char(b, '=');
    }
    append_value(b, f, json);
}

void log_write(struct log_site *site, enum log_level level, const char *event, const struct log_field *fields,
               size_t field_count)
{
    ts_ns now = clock_wall_ns(clock_real());
    unsigned dropped = 0;
    if (!site_admits(site, now / NS_PER_S, &dropped)) {
        return;
    }
    atomic_fetch_add_explicit(&counts[level], 1, memory_order_relaxed);
    bool json = atomic_load_explicit(&format_now, memory_order_relaxed) == LOG_JSON;
    char time_text[40];
    (void)clock_format_rfc3339(now, time_text, sizeof(time_text));
    struct buf b AUTO_BUF = {.size_bytes_max = LINE_BYTES_MAX};
    if (json) {
        buf_char(&b, '{');
    }
    append_field(&b, &F_C("ts", time_text), json);
    append_field(&b, &F_C("level", level_names[level]), json);
    append_field(&b, &F_C("event", event), json);
    for (size_t i = 0; i < field_count; i++) {
        append_field(&b, &fields[i], json);
    }
    if (dropped) {
        append_field(&b, &F_U64("left_out", dropped), json);
    }
    buf_c(&b, json ? "}\n" : "\n");
    if (b.err == ERR_OK) {
        ssize_t n = write(atomic_load_explicit(&fd_now, memory_order_relaxed), b.p, b.n);
        (void)n; /* nowhere left to report to */
    }
}
