/* The log of libcairn: one event one line in each format, rotation, errors, threads. */
#include "harness.h"

#include "client_int.h"
#include "log_int.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A path in one folder for all tests of this file; nothing is there yet. */
static void path_in(char path[512], const char *name)
{
    static const char *folder;
    folder = folder == NULL ? test_dir() : folder;
    (void)snprintf(path, 512, "%s/%s", folder, name);
    (void)unlink(path);
}

static char *file_text(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 8 << 20);
    if (file == NULL || text == NULL) {
        free(text);
        if (file != NULL) {
            (void)fclose(file);
        }
        return NULL;
    }
    size_t size = fread(text, 1, (8 << 20) - 1, file);
    text[size] = '\0';
    (void)fclose(file);
    return text;
}

static struct str line_of(struct cairn__line *line, enum cairn_log_format format, const char *logger,
                          const char *message, const struct cairn_log_field *fields, size_t field_count)
{
    struct cairn__event event = {.level = CAIRN_LOG_WARNING,
                                 .utc = true,
                                 .wall_ns = INT64_C(1769867107123456789),
                                 .logger = logger,
                                 .message = message,
                                 .fields = fields,
                                 .field_count = field_count};
    cairn__line_format(line, format, &event);
    return (struct str){line->data, line->size};
}

static const struct cairn_log_field every_kind[] = {
    {.key = "user", .kind = CAIRN_LOG_STRING, .value = {.string = "a b\"c"}},
    {.key = "n", .kind = CAIRN_LOG_INT, .value = {.integer = -5}},
    {.key = "u", .kind = CAIRN_LOG_UINT, .value = {.unsigned_integer = 18446744073709551615U}},
    {.key = "bad key", .kind = CAIRN_LOG_DOUBLE, .value = {.number = 0.25}},
    {.key = "ok", .kind = CAIRN_LOG_BOOL, .value = {.boolean = true}},
    {.key = "none", .kind = CAIRN_LOG_STRING, .value = {.string = NULL}},
};

TEST(formats_to_the_byte)
{
    struct cairn__line line;
    CHECK_STR(line_of(&line, CAIRN_LOG_PYTHON, "app.request", "GET / 200", NULL, 0),
              "2026-01-31 13:45:07 - app.request - WARNING - GET / 200\n");
    CHECK_STR(
        line_of(&line, CAIRN_LOG_PYTHON, "app", "m", every_kind, 6),
        "2026-01-31 13:45:07 - app - WARNING - m user=\"a b\\\"c\" n=-5 u=18446744073709551615 bad_key=0.25 "
        "ok=true none=\"\"\n");
    CHECK_STR(line_of(&line, CAIRN_LOG_JSON, "app", "m", every_kind, 6),
              "{\"timestamp\":\"2026-01-31T13:45:07.123456Z\",\"level\":\"warning\",\"logger\":\"app\","
              "\"message\":\"m\","
              "\"user\":\"a "
              "b\\\"c\",\"n\":-5,\"u\":18446744073709551615,\"bad_key\":0.25,\"ok\":true,\"none\":null}\n");
    CHECK_STR(
        line_of(&line, CAIRN_LOG_LOGFMT, "my app", "m", every_kind, 6),
        "ts=2026-01-31T13:45:07.123456Z level=warning logger=\"my app\" msg=\"m\" user=\"a b\\\"c\" n=-5 "
        "u=18446744073709551615 bad_key=0.25 ok=true none=\"\"\n");
}

TEST(control_characters_and_bad_bytes_stay_on_one_line)
{
    const char *nasty = "a\nb\rc\td\x1b[0m\x7f \xc2\x85 \xff\xc3\xa9\\";
    struct cairn__line line;
    CHECK_STR(
        line_of(&line, CAIRN_LOG_PYTHON, "l", nasty, NULL, 0),
        "2026-01-31 13:45:07 - l - WARNING - a\\nb\\rc\\td\\x1b[0m\\x7f \\x85 \xef\xbf\xbd\xc3\xa9\\\n");
    CHECK_STR(
        line_of(&line, CAIRN_LOG_JSON, "l", nasty, NULL, 0),
        "{\"timestamp\":\"2026-01-31T13:45:07.123456Z\",\"level\":\"warning\",\"logger\":\"l\",\"message\":"
        "\"a\\nb\\rc\\td\\u001b[0m\\u007f \\u0085 \xef\xbf\xbd\xc3\xa9\\\\\"}\n");
}

TEST(a_line_too_long_is_cut_between_characters_and_closed)
{
    char *message = calloc(1, 3 * CAIRN_LOG_LINE_MAX);
    struct cairn__line *line = malloc(sizeof *line);
    CHECK(message != NULL && line != NULL);
    for (size_t i = 0; i + 2 < 3 * CAIRN_LOG_LINE_MAX; i += 2) {
        memcpy(message + i, "\xc3\xa9", 2);
    }
    bool right = true;
    for (int format = 0; format <= CAIRN_LOG_LOGFMT; format++) {
        struct str text = line_of(line, (enum cairn_log_format)format, "l", message, every_kind, 6);
        const char *end = format == CAIRN_LOG_JSON     ? "...[cut]\"}\n"
                          : format == CAIRN_LOG_LOGFMT ? "...[cut]\"\n"
                                                       : "...[cut]\n";
        right =
            right && text.n <= CAIRN_LOG_LINE_MAX && memchr(text.p, '\n', text.n) == text.p + text.n - 1 &&
            memcmp(text.p + text.n - strlen(end), end, strlen(end)) == 0 && cairn__utf8_valid(text.p, text.n);
    }
    free(message);
    free(line);
    CHECK(right);
}

TEST(many_fields_are_left_out_whole)
{
    struct cairn_log_field *fields = calloc(2000, sizeof *fields);
    struct cairn__line *line = malloc(sizeof *line);
    CHECK(fields != NULL && line != NULL);
    for (size_t i = 0; i < 2000; i++) {
        fields[i] = (struct cairn_log_field){
            .key = "some_key", .kind = CAIRN_LOG_INT, .value = {.integer = (int64_t)i}};
    }
    struct str text = line_of(line, CAIRN_LOG_JSON, "l", "m", fields, 2000);
    bool right = text.n <= CAIRN_LOG_LINE_MAX && memcmp(text.p + text.n - 2, "}\n", 2) == 0;
    free(fields);
    free(line);
    CHECK(right);
}

TEST(levels_and_names)
{
    enum cairn_log_level level;
    enum cairn_log_format format;
    CHECK(cairn_log_level_parse("Warn", &level) && level == CAIRN_LOG_WARNING);
    CHECK(cairn_log_level_parse("CRITICAL", &level) && level == CAIRN_LOG_CRITICAL);
    CHECK(!cairn_log_level_parse("loud", &level) && !cairn_log_level_parse(NULL, &level));
    CHECK(cairn_log_format_parse("JSON", &format) && format == CAIRN_LOG_JSON);
    CHECK(!cairn_log_format_parse("xml", &format));
}

TEST(lines_below_the_level_are_left_out)
{
    char path[512];
    struct cairn_log *log;
    path_in(path, "level.log");
    CHECK_EQ(
        cairn_log_open(&(struct cairn_log_options){.path = path, .level = CAIRN_LOG_INFO, .utc = true}, &log),
        CAIRN_OK);
    cairn__clock_override(INT64_C(1769867107123456789));
    cairn_log_printf(log, CAIRN_LOG_DEBUG, "a", "no %d", 1);
    cairn_log_printf(log, CAIRN_LOG_INFO, "a", "yes %d", 2);
    cairn_log_set_level(log, CAIRN_LOG_ERROR);
    cairn_log_printf(log, CAIRN_LOG_WARNING, "a", "no");
    cairn__clock_override(0);
    CHECK(!cairn_log_enabled(log, CAIRN_LOG_WARNING) && cairn_log_enabled(log, CAIRN_LOG_ERROR));
    struct cairn_log_stats stats;
    cairn_log_stats(log, &stats);
    cairn_log_close(log);
    char *text = file_text(path);
    CHECK(text != NULL);
    bool right = strcmp(text, "2026-01-31 13:45:07 - a - INFO - yes 2\n") == 0;
    free(text);
    CHECK(right);
    CHECK_EQ(stats.lines, 1);
}

TEST(rotation_by_move_and_by_removal_is_followed)
{
    char path[512];
    char moved[512];
    struct cairn_log *log;
    struct cairn_log_stats stats;
    path_in(path, "rotate.log");
    path_in(moved, "rotate.log.1");
    CHECK_EQ(cairn_log_open(&(struct cairn_log_options){.path = path}, &log), CAIRN_OK);
    cairn_log_printf(log, CAIRN_LOG_INFO, "a", "one");
    CHECK_EQ(rename(path, moved), 0);
    cairn_log_printf(log, CAIRN_LOG_INFO, "a", "two");
    CHECK_EQ(unlink(path), 0);
    cairn_log_printf(log, CAIRN_LOG_INFO, "a", "three");
    CHECK_EQ(truncate(path, 0), 0);
    cairn_log_printf(log, CAIRN_LOG_INFO, "a", "four");
    cairn_log_reopen(log);
    cairn_log_printf(log, CAIRN_LOG_INFO, "a", "five");
    cairn_log_stats(log, &stats);
    cairn_log_close(log);
    char *old = file_text(moved);
    char *new = file_text(path);
    bool right = old != NULL && new != NULL &&strstr(old, "one\n") && !strstr(old, "two") &&
                 !strstr(new, "three") && strstr(new, "four\n") && strstr(new, "five\n");
    free(old);
    free(new);
    CHECK(right);
    CHECK_EQ(stats.reopens, 3);
    CHECK_EQ(stats.lines, 5);
    CHECK_EQ(stats.dropped, 0);
}

struct told {
    int failures;
    int recoveries;
    int error_number;
};

static void on_error(void *context, const char *what, int error_number)
{
    struct told *told = context;
    (void)what;
    if (error_number == 0) {
        told->recoveries++;
    } else {
        told->failures++;
        told->error_number = error_number;
    }
}

TEST(failed_writes_are_counted_told_and_over)
{
    char path[512];
    struct told told = {0};
    struct cairn_log *log;
    struct cairn_log_stats stats;
    path_in(path, "full.log");
    CHECK_EQ(cairn_log_open(
                 &(struct cairn_log_options){
                     .path = path, .format = CAIRN_LOG_LOGFMT, .on_error = on_error, .error_context = &told},
                 &log),
             CAIRN_OK);
    struct rlimit before;
    CHECK_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct sigaction keep;
    struct sigaction ignore = {0};
    ignore.sa_handler = SIG_IGN;
    CHECK_EQ(sigaction(SIGXFSZ, &ignore, &keep), 0);
    struct rlimit small = {.rlim_cur = 100, .rlim_max = before.rlim_max};
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int i = 0; i < 4; i++) {
        cairn_log_printf(log, CAIRN_LOG_INFO, "a", "line %d", i);
    }
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    CHECK_EQ(sigaction(SIGXFSZ, &keep, NULL), 0);
    cairn_log_printf(log, CAIRN_LOG_INFO, "a", "after");
    cairn_log_stats(log, &stats);
    cairn_log_close(log);
    char *text = file_text(path);
    const char *after = text == NULL ? NULL : strstr(text, "\nts=2");
    size_t whole = 0;
    for (const char *at = text; at != NULL && *at != '\0'; at++) {
        whole += *at == '\n';
    }
    bool fresh_line = text != NULL && strstr(text, "msg=\"after\"\n") != NULL;
    free(text);
    CHECK(after != NULL);
    CHECK(fresh_line);
    CHECK_EQ(whole, stats.lines + 1); /* the torn line ends too */
    CHECK_EQ(stats.lines + stats.dropped, 5);
    CHECK(stats.dropped >= 2);
    CHECK_EQ(told.failures, 1);
    CHECK_EQ(told.recoveries, 1);
    CHECK_EQ(told.error_number, EFBIG);
}

TEST(a_path_that_cannot_be_opened_says_why)
{
    struct cairn_log *log = NULL;
    errno = 0;
    CHECK_EQ(cairn_log_open(&(struct cairn_log_options){.path = "/proc/no/such/file"}, &log), CAIRN_ERR_IO);
    CHECK_EQ(errno, ENOENT);
    CHECK(log == NULL);
}

enum {
    THREADS = 4,
    EACH = 5000
};

static void *log_many(void *context)
{
    for (int i = 0; i < EACH; i++) {
        cairn_log_printf(context, CAIRN_LOG_INFO, "thread",
                         "line %d of a thread, long enough to tear if it could", i);
    }
    return NULL;
}

static bool all_lines_whole(const char *text, size_t *ret_lines)
{
    size_t lines = 0;
    while (*text != '\0') {
        const char *end = strchr(text, '\n');
        if (end == NULL || strncmp(text, "2026-01-31 13:45:07 - thread - INFO - line ", 43) != 0 ||
            strncmp(end - 8, "it could", 8) != 0) {
            return false;
        }
        lines++;
        text = end + 1;
    }
    *ret_lines = lines;
    return true;
}

/* Moves the file away once enough was written since the last time that it was made anew; or when all is
 * written. */
static void rotate_under_way(struct cairn_log *log, const char *path, const char *moved)
{
    struct cairn_log_stats stats;
    cairn_log_stats(log, &stats);
    uint64_t enough = stats.bytes + 200000;
    while (stats.bytes < enough && stats.lines < THREADS * EACH) {
        cairn_log_stats(log, &stats);
    }
    if (rename(path, moved) != 0) {
        (void)fprintf(stderr, "nothing to rotate: all lines were written first\n");
    }
}

/* Threads log while the file is moved away twice: every line must be in one of the three files, whole. */
static void threads_and_rotation(size_t buffer_bytes)
{
    char paths[3][512];
    struct cairn_log *log;
    path_in(paths[0], "threads.log");
    path_in(paths[1], "threads.log.1");
    path_in(paths[2], "threads.log.2");
    cairn__clock_override(INT64_C(1769867107123456789));
    CHECK_EQ(cairn_log_open(
                 &(struct cairn_log_options){
                     .path = paths[0], .utc = true, .buffer_bytes = buffer_bytes, .delay_ms = 1},
                 &log),
             CAIRN_OK);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, log_many, log), 0);
    }
    for (size_t rotation = 1; rotation <= 2; rotation++) {
        rotate_under_way(log, paths[0], paths[rotation]);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    }
    cairn_log_close(log);
    cairn__clock_override(0);
    size_t total = 0;
    for (size_t i = 0; i < 3; i++) {
        char *text = file_text(paths[i]);
        size_t lines = 0;
        bool whole = text == NULL || all_lines_whole(text, &lines);
        free(text);
        CHECK(whole);
        total += lines;
    }
    CHECK_EQ(total, THREADS * EACH);
}

TEST(threads_and_rotation_unbuffered)
{
    threads_and_rotation(0);
}

TEST(threads_and_rotation_buffered)
{
    threads_and_rotation(65536);
}

TEST(errors_pass_the_buffer_at_once)
{
    char path[512];
    struct cairn_log *log;
    path_in(path, "urgent.log");
    CHECK_EQ(cairn_log_open(
                 &(struct cairn_log_options){.path = path, .buffer_bytes = 1 << 20, .delay_ms = 60000}, &log),
             CAIRN_OK);
    cairn_log_printf(log, CAIRN_LOG_INFO, "a", "quiet");
    cairn_log_printf(log, CAIRN_LOG_ERROR, "a", "loud");
    char *text = file_text(path);
    bool written = text != NULL && strstr(text, "quiet\n") != NULL && strstr(text, "loud\n") != NULL;
    free(text);
    cairn_log_close(log);
    CHECK(written);
}

TEST(full_buffer_drops_and_counts_when_told_so)
{
    char path[512];
    struct cairn_log *log;
    struct cairn_log_stats stats;
    path_in(path, "drop.log");
    CHECK_EQ(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    CHECK(reader >= 0);
    /* A pipe that nobody empties: the writer thread blocks, the buffer fills. */
    CHECK_EQ(cairn_log_open(
                 &(struct cairn_log_options){
                     .path = path, .buffer_bytes = 65536, .delay_ms = 1, .drop_when_full = true},
                 &log),
             CAIRN_OK);
    for (int i = 0; i < 20000; i++) {
        cairn_log_printf(log, CAIRN_LOG_INFO, "a", "line %d", i);
    }
    cairn_log_stats(log, &stats);
    CHECK_EQ(stats.lines + stats.dropped, 20000);
    CHECK(stats.dropped > 0);
    struct sigaction keep;
    struct sigaction ignore = {0};
    ignore.sa_handler = SIG_IGN;
    CHECK_EQ(sigaction(SIGPIPE, &ignore, &keep), 0);
    CHECK_EQ(close(reader), 0); /* the blocked write ends with EPIPE */
    CHECK_EQ(unlink(path), 0);
    cairn_log_close(log);
    CHECK_EQ(sigaction(SIGPIPE, &keep, NULL), 0);
}

TEST(log_counters_as_metrics)
{
    char path[512];
    struct cairn_log *log;
    struct cairn_registry *registry;
    char *text;
    size_t size;
    path_in(path, "metrics.log");
    CHECK_EQ(cairn_registry_new(&registry), CAIRN_OK);
    CHECK_EQ(cairn_log_open(&(struct cairn_log_options){.path = path}, &log), CAIRN_OK);
    CHECK_EQ(cairn_log_metrics(log, registry), CAIRN_OK);
    cairn_log_printf(log, CAIRN_LOG_INFO, "a", "one");
    CHECK_EQ(cairn_registry_render(registry, (struct cairn_format){0}, &text, &size), CAIRN_OK);
    bool right =
        strstr(text, "\ncairn_log_lines_total 1\n") && strstr(text, "\ncairn_log_dropped_lines_total 0\n");
    free(text);
    cairn_registry_free(registry);
    cairn_log_close(log);
    CHECK(right);
}
