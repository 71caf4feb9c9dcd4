/* A log's destination: the buffer, the writer thread, the file and its rotation.
 *
 * Invariants: (1) bytes reach the file in the order in which their calls took the buffer lock, because
 * whoever writes takes `io` first and `lock` second; (2) a write starts at a line's start and ends at a
 * line's end, unless the disk refuses the rest, and then the next one starts with a newline; (3) each
 * accepted line ends up in exactly one of lines-written and dropped. `lock` guards the buffer and is never
 * held across I/O; `io` keeps writers in order and is held across write(2) on purpose: nothing but writing
 * waits for it. Not for use across fork(). */
#include "client_int.h"
#include "log_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    DELAY_DEFAULT_MS = 200,
    DELAY_MAX_MS = 60 * 1000,
    PIPE_WAIT_MS = 1000, /* for a reader of standard error that doesn't keep up */
    BUFFER_MIN = 2 * CAIRN_LOG_LINE_MAX,
    REWRITES_MAX = 3, /* of a batch whose file was removed while it was written */
};

struct cairn_log {
    char *path; /* NULL: standard error */
    enum cairn_log_format format;
    _Atomic int level;
    bool utc;
    bool drop_when_full;
    size_t capacity; /* of a buffer; 0: none */
    int64_t delay_ns;
    enum cairn_log_level flush_level;
    mode_t mode;
    void (*on_error)(void *context, const char *what, int error_number);
    void *error_context;

    pthread_mutex_t lock;
    pthread_cond_t wake; /* the writer thread: first line, buffer half full, stop */
    char *filling;       /* lock */
    size_t filled;       /* lock */
    size_t filled_lines; /* lock */
    bool stopping;       /* lock */
    pthread_t writer;

    pthread_mutex_t io;
    char *draining; /* io */
    int fd;         /* io; -1: not open */
    dev_t device;   /* io */
    ino_t inode;    /* io */
    bool torn;      /* io: the file ends inside a line */
    bool failing;   /* io: on_error has been told */

    _Atomic bool reopen_asked; /* set by a signal handler, taken under io */
    _Atomic uint64_t lines;
    _Atomic uint64_t dropped;
    _Atomic uint64_t bytes;
    _Atomic uint64_t errors;
    _Atomic uint64_t reopens;
};

static void count(_Atomic uint64_t *counter, uint64_t amount)
{
    (void)atomic_fetch_add_explicit(counter, amount, memory_order_relaxed);
}

/* ---- the file; all under io ---- */

static void failed(struct cairn_log *log, const char *what, int error_number)
{
    count(&log->errors, 1);
    if (!log->failing && log->on_error != NULL) {
        log->on_error(log->error_context, what, error_number);
    }
    log->failing = true;
}

static void recovered(struct cairn_log *log)
{
    if (log->failing && log->on_error != NULL) {
        log->on_error(log->error_context, "write", 0);
    }
    log->failing = false;
}

static bool file_open(struct cairn_log *log)
{
    struct stat found;
    int fd = open(log->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, log->mode);
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &found) != 0) {
        int error_number = errno;
        (void)close(fd);
        errno = error_number;
        return false;
    }
    if (log->fd >= 0) {
        (void)close(log->fd);
        count(&log->reopens, 1);
    }
    log->fd = fd;
    log->device = found.st_dev;
    log->inode = found.st_ino;
    log->torn = false;
    return true;
}

/* Makes sure that the file at hand is the one at path. The old file is kept when no new one can be made. */
static bool file_current(struct cairn_log *log)
{
    struct stat found;
    if (log->path == NULL) {
        return true;
    }
    bool asked = atomic_exchange_explicit(&log->reopen_asked, false, memory_order_relaxed);
    bool same = log->fd >= 0 && !asked && stat(log->path, &found) == 0 && found.st_dev == log->device &&
                found.st_ino == log->inode;
    if (same || file_open(log)) {
        return true;
    }
    failed(log, "open", errno);
    return log->fd >= 0;
}

static bool file_removed(const struct cairn_log *log)
{
    struct stat found;
    return log->path != NULL && fstat(log->fd, &found) == 0 && S_ISREG(found.st_mode) && found.st_nlink == 0;
}

/* write(2) until all is written; returns how much was. A full pipe is waited for, a while. */
static size_t write_all(const struct cairn_log *log, const char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t wrote = write(log->fd, data + done, size - done);
        if (wrote > 0) {
            done += (size_t)wrote;
        } else if (wrote < 0 && errno == EAGAIN) {
            struct pollfd pipe_end = {.fd = log->fd, .events = POLLOUT};
            if (poll(&pipe_end, 1, PIPE_WAIT_MS) <= 0) {
                errno = EAGAIN;
                break;
            }
        } else if (wrote == 0 || errno != EINTR) {
            break;
        }
    }
    return done;
}

static size_t lines_in(const char *data, size_t size)
{
    size_t lines = 0;
    for (const char *end = data + size; data < end; data++) {
        data = memchr(data, '\n', (size_t)(end - data));
        if (data == NULL) {
            break;
        }
        lines++;
    }
    return lines;
}

/* Writes whole lines to the file as it is now; false when some were lost (and counted). */
static bool batch_write_once(struct cairn_log *log, const char *data, size_t size, size_t lines)
{
    if (log->torn && write_all(log, "\n", 1) == 1) {
        log->torn = false;
    }
    size_t done = write_all(log, data, size);
    count(&log->bytes, done);
    if (done == size) {
        recovered(log);
        return true;
    }
    failed(log, "write", errno);
    log->torn = log->torn || (done > 0 && data[done - 1] != '\n');
    count(&log->dropped, lines - lines_in(data, done));
    return false;
}

static bool batch_write(struct cairn_log *log, const char *data, size_t size, size_t lines)
{
    for (int attempt = 0; attempt < REWRITES_MAX; attempt++) {
        if (!file_current(log)) {
            count(&log->dropped, lines);
            return false;
        }
        if (!batch_write_once(log, data, size, lines)) {
            return false;
        }
        if (!file_removed(log)) {
            return true;
        }
    }
    count(&log->dropped, lines); /* whoever removes the file is faster than we are */
    return false;
}

/* ---- the buffer ---- */

/* Swaps the buffers and writes the full one. False when lines were lost. */
static bool drain(struct cairn_log *log)
{
    bool written = true;
    (void)pthread_mutex_lock(&log->io);
    (void)pthread_mutex_lock(&log->lock);
    char *data = log->filling;
    size_t size = log->filled;
    size_t lines = log->filled_lines;
    log->filling = log->draining;
    log->draining = data;
    log->filled = 0;
    log->filled_lines = 0;
    (void)pthread_mutex_unlock(&log->lock);
    if (size > 0) {
        written = batch_write(log, data, size, lines);
    }
    (void)pthread_mutex_unlock(&log->io);
    return written;
}

/* Under lock: sleeps until there is something to write and it has waited long enough. False when stopping. */
static bool writer_wait(struct cairn_log *log)
{
    while (log->filled == 0 && !log->stopping) {
        (void)pthread_cond_wait(&log->wake, &log->lock);
    }
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = (int64_t)until.tv_nsec + log->delay_ns;
    until.tv_sec += (time_t)(ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    int waited = 0;
    while (!log->stopping && log->filled < log->capacity / 2 && waited == 0) {
        waited = pthread_cond_timedwait(&log->wake, &log->lock, &until);
    }
    return !log->stopping;
}

static void *writer_run(void *context)
{
    struct cairn_log *log = context;
    bool running = true;
    while (running) {
        (void)pthread_mutex_lock(&log->lock);
        running = writer_wait(log);
        (void)pthread_mutex_unlock(&log->lock);
        (void)drain(log);
    }
    return NULL;
}

/* Puts a line into the buffer; false when there is no room. */
static bool buffer_line(struct cairn_log *log, const char *data, size_t size)
{
    (void)pthread_mutex_lock(&log->lock);
    size_t before = log->filled;
    bool fits = size <= log->capacity - before;
    if (fits) {
        memcpy(log->filling + before, data, size);
        log->filled += size;
        log->filled_lines++;
    }
    bool wake = fits && (before == 0 || (before < log->capacity / 2 && before + size >= log->capacity / 2));
    if (wake) {
        (void)pthread_cond_signal(&log->wake);
    }
    (void)pthread_mutex_unlock(&log->lock);
    return fits;
}

static void accept_line(struct cairn_log *log, enum cairn_log_level level, const char *data, size_t size)
{
    count(&log->lines, 1);
    if (log->capacity == 0) {
        (void)pthread_mutex_lock(&log->io);
        (void)batch_write(log, data, size, 1);
        (void)pthread_mutex_unlock(&log->io);
        return;
    }
    while (!buffer_line(log, data, size)) {
        if (log->drop_when_full) {
            count(&log->dropped, 1);
            return;
        }
        (void)drain(log);
    }
    if (level >= log->flush_level) {
        (void)drain(log);
    }
}

/* ---- public ---- */

bool cairn_log_enabled(const struct cairn_log *log, enum cairn_log_level level)
{
    return log != NULL && (int)level >= atomic_load_explicit(&log->level, memory_order_relaxed);
}

void cairn_log_set_level(struct cairn_log *log, enum cairn_log_level level)
{
    if (log != NULL) {
        atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
    }
}

void cairn_log_event(struct cairn_log *log, enum cairn_log_level level, const char *logger,
                     const char *message, const struct cairn_log_field *fields, size_t field_count)
{
    if (!cairn_log_enabled(log, level) || level > CAIRN_LOG_CRITICAL) {
        return;
    }
    struct cairn__event event = {.level = level,
                                 .utc = log->utc,
                                 .wall_ns = cairn__wall_ns(),
                                 .logger = logger != NULL ? logger : "root",
                                 .message = message != NULL ? message : "",
                                 .fields = fields,
                                 .field_count = field_count};
    struct cairn__line line;
    cairn__line_format(&line, log->format, &event);
    accept_line(log, level, line.data, line.size);
}

void cairn_log_printf(struct cairn_log *log, enum cairn_log_level level, const char *logger,
                      const char *format, ...)
{
    if (!cairn_log_enabled(log, level)) {
        return;
    }
    char message[CAIRN_LOG_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    cairn_log_event(log, level, logger, size < 0 ? format : message, NULL, 0);
}

enum cairn_err cairn_log_flush(struct cairn_log *log)
{
    return log == NULL || log->capacity == 0 || drain(log) ? CAIRN_OK : CAIRN_ERR_IO;
}

void cairn_log_reopen(struct cairn_log *log)
{
    if (log != NULL) {
        atomic_store_explicit(&log->reopen_asked, true, memory_order_relaxed);
    }
}

void cairn_log_stats(const struct cairn_log *log, struct cairn_log_stats *ret_stats)
{
    uint64_t dropped = atomic_load_explicit(&log->dropped, memory_order_relaxed);
    uint64_t accepted = atomic_load_explicit(&log->lines, memory_order_relaxed);
    ret_stats->lines = accepted > dropped ? accepted - dropped : 0;
    ret_stats->dropped = dropped;
    ret_stats->bytes = atomic_load_explicit(&log->bytes, memory_order_relaxed);
    ret_stats->errors = atomic_load_explicit(&log->errors, memory_order_relaxed);
    ret_stats->reopens = atomic_load_explicit(&log->reopens, memory_order_relaxed);
}

/* ---- opening and closing ---- */

static enum cairn_err options_check(const struct cairn_log_options *options)
{
    if (options->buffer_bytes > CAIRN_LOG_BUFFER_MAX || options->delay_ms > DELAY_MAX_MS) {
        return CAIRN_ERR_LIMIT;
    }
    bool valid = options->format <= CAIRN_LOG_LOGFMT && options->level <= CAIRN_LOG_CRITICAL &&
                 options->flush_level <= CAIRN_LOG_CRITICAL &&
                 (options->path == NULL || options->path[0] != '\0');
    return valid ? CAIRN_OK : CAIRN_ERR_INVALID;
}

static void log_free(struct cairn_log *log)
{
    if (log->fd >= 0 && log->path != NULL) {
        (void)close(log->fd);
    }
    (void)pthread_cond_destroy(&log->wake);
    (void)pthread_mutex_destroy(&log->io);
    (void)pthread_mutex_destroy(&log->lock);
    free(log->filling);
    free(log->draining);
    free(log->path);
    free(log);
}

static void options_copy(struct cairn_log *log, const struct cairn_log_options *options)
{
    unsigned delay_ms = options->delay_ms > 0 ? options->delay_ms : DELAY_DEFAULT_MS;
    size_t capacity = options->buffer_bytes;
    log->format = options->format;
    atomic_init(&log->level, (int)options->level);
    log->utc = options->utc;
    log->drop_when_full = options->drop_when_full;
    /* A buffer holds at least two of the longest lines, or a line might never fit. */
    log->capacity = capacity > 0 && capacity < BUFFER_MIN ? BUFFER_MIN : capacity;
    log->delay_ns = (int64_t)delay_ms * 1000000;
    log->flush_level = options->flush_level != CAIRN_LOG_DEBUG ? options->flush_level : CAIRN_LOG_ERROR;
    log->mode = options->mode > 0 ? (mode_t)options->mode : 0640;
    log->on_error = options->on_error;
    log->error_context = options->error_context;
    log->fd = -1;
}

static void locks_init(struct cairn_log *log)
{
    pthread_condattr_t monotonic;
    (void)pthread_mutex_init(&log->lock, NULL);
    (void)pthread_mutex_init(&log->io, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&log->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
}

/* Memory, file, thread. What was made is freed by log_free() when it fails. */
static enum cairn_err log_start(struct cairn_log *log, const char *path)
{
    if (path != NULL) {
        log->path = strdup(path);
    }
    if (log->capacity > 0) {
        log->filling = malloc(log->capacity);
        log->draining = malloc(log->capacity);
    }
    bool short_of_memory = (path != NULL && log->path == NULL) ||
                           (log->capacity > 0 && (log->filling == NULL || log->draining == NULL));
    if (short_of_memory) {
        return CAIRN_ERR_OOM;
    }
    if (path == NULL) {
        log->fd = STDERR_FILENO;
    } else if (!file_open(log)) {
        return CAIRN_ERR_IO;
    }
    if (log->capacity > 0) {
        int error_number = pthread_create(&log->writer, NULL, writer_run, log);
        if (error_number != 0) {
            errno = error_number;
            return CAIRN_ERR_IO;
        }
        (void)pthread_setname_np(log->writer, "cairn-log");
    }
    return CAIRN_OK;
}

enum cairn_err cairn_log_open(const struct cairn_log_options *options, struct cairn_log **ret_log)
{
    enum cairn_err err = options_check(options);
    if (err != CAIRN_OK) {
        return err;
    }
    struct cairn_log *log = calloc(1, sizeof *log);
    if (log == NULL) {
        return CAIRN_ERR_OOM;
    }
    options_copy(log, options);
    locks_init(log);
    err = log_start(log, options->path);
    if (err != CAIRN_OK) {
        int error_number = errno;
        log_free(log);
        errno = error_number;
        return err;
    }
    *ret_log = log;
    return CAIRN_OK;
}

void cairn_log_close(struct cairn_log *log)
{
    if (log == NULL) {
        return;
    }
    if (log->capacity > 0) {
        (void)pthread_mutex_lock(&log->lock);
        log->stopping = true;
        (void)pthread_cond_signal(&log->wake);
        (void)pthread_mutex_unlock(&log->lock);
        (void)pthread_join(log->writer, NULL);
        (void)drain(log);
    }
    log_free(log);
}
