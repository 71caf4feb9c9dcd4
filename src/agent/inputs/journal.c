/* Reads through libsystemd. A reader that fails is opened anew at the last cursor. The position is the cursor
 * of the last record before which everything is settled. */
#include "agent/inputs/journal.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "agent/inputs/order.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/json.h"

enum {
    FIELDS_MAX = 512,
    RECORDS_MAX = 256, /* under one receipt */
    WAIT_MS = 1000,
    REOPEN_MS = 1000,
    PATH_BYTES_MAX = 4096,
    FIELD_BYTES_MAX = 16 << 20
};

struct field {
    struct str name, value;
};

struct journal_input {
    struct input base;
    struct input_common common;
    struct journal_options o;
    struct thread thread;
    int wake_fd;
    atomic_bool stop;  /* set by the stopping thread */
    atomic_bool ready; /* the journal is open; for /ready */
    sd_journal *journal;
    char cursor[ORDER_MARK_BYTES]; /* of the last record read */
    char key[PATH_BYTES_MAX];      /* in the positions file */
    struct order order;
    struct arena arena;
};

/* -- opening ------------------------------------------------------------------------------------------------
 */

static enum err add_matches(struct journal_input *in, struct err_info *info)
{
    struct str rest = in->o.matches;
    while (rest.p && rest.n) {
        struct str one = str_cut(&rest, ' ');
        size_t equals = str_find_char(one, '=', 0);
        if (one.n == 0) {
            continue;
        }
        if (equals == STR_NPOS || equals == 0 || str_find_char(one, '=', equals + 1) != STR_NPOS) {
            return err_set(info, ERR_INVALID, "journal matches: \"%.*s\" is not FIELD=value", STR_FMT(one));
        }
        int r = sd_journal_add_match(in->journal, one.p, one.n);
        if (r < 0) {
            return err_set_errno(info, -r, "journal matches: \"%.*s\"", STR_FMT(one));
        }
    }
    return ERR_OK;
}

static void seek_by_age(struct journal_input *in)
{
    uint64_t now_us = (uint64_t)(clock_wall_ns(clock_real()) / 1000),
             age_us = (uint64_t)in->o.max_age_ms * 1000;
    (void)sd_journal_seek_realtime_usec(in->journal, now_us > age_us ? now_us - age_us : 0);
}

/* Behind the record of the cursor, unless that is older than max_age. */
static void seek(struct journal_input *in)
{
    uint64_t at_us,
        oldest_us = (uint64_t)((clock_wall_ns(clock_real()) - in->o.max_age_ms * NS_PER_MS) / 1000);
    if (!in->cursor[0] || sd_journal_seek_cursor(in->journal, in->cursor) < 0 ||
        sd_journal_next(in->journal) <= 0) {
        seek_by_age(in);
        return;
    }
    if (sd_journal_get_realtime_usec(in->journal, &at_us) < 0 || at_us < oldest_us) {
        seek_by_age(in);
    } else if (sd_journal_test_cursor(in->journal, in->cursor) <= 0) {
        (void)sd_journal_previous(in->journal); /* another record: it is still to come */
    }
}

static enum err open_journal(struct journal_input *in, struct err_info *info)
{
    char path[PATH_BYTES_MAX];
    (void)snprintf(path, sizeof(path), "%.*s", STR_FMT(in->o.path));
    int r = in->o.path.n ? sd_journal_open_directory(&in->journal, path, 0)
                         : sd_journal_open(&in->journal, SD_JOURNAL_LOCAL_ONLY);
    if (r < 0) {
        in->journal = NULL;
        return err_set_errno(info, -r, "cannot open the journal%s%s", in->o.path.n ? " in " : "", path);
    }
    (void)sd_journal_set_data_threshold(in->journal, FIELD_BYTES_MAX);
    enum err e = add_matches(in, info);
    if (e) {
        sd_journal_close(in->journal);
        in->journal = NULL;
        return e;
    }
    seek(in);
    atomic_store_explicit(&in->ready, true, memory_order_relaxed);
    return ERR_OK;
}

/* -- records ------------------------------------------------------------------------------------------------
 */

static size_t read_fields(struct journal_input *in, struct arena *a, struct field *fields)
{
    const void *data;
    size_t size, n = 0;
    sd_journal_restart_data(in->journal);
    while (n < FIELDS_MAX && sd_journal_enumerate_available_data(in->journal, &data, &size) > 0) {
        struct str value = arena_str(a, str_of(data, size)), name;
        if (!value.p) {
            break;
        }
        name = str_cut(&value, '=');
        if (value.p) {
            fields[n++] = (struct field){name, value};
        }
    }
    return n;
}

static struct str field_of(const struct field *f, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq_c(f[i].name, name)) {
            return f[i].value;
        }
    }
    return (struct str){0};
}

static const char *priority_word(struct str priority)
{
    static const char *const words[] = {"emerg",   "alert",  "crit", "error",
                                        "warning", "notice", "info", "debug"};
    uint64_t p;
    return str_to_u64(priority, &p) == ERR_OK && p < ARRAY_LEN(words) ? words[p] : NULL;
}

/* __journal_<field in lower case>, once each, and __journal_priority_keyword. */
static size_t make_labels(struct arena *a, const struct field *f, size_t n, struct label *out)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        bool twice = false;
        for (size_t k = 0; k < i; k++) {
            twice |= str_eq(f[k].name, f[i].name);
        }
        struct str name = twice ? (struct str){0} : arena_printf(a, "__journal_%.*s", STR_FMT(f[i].name));
        if (!name.p) {
            continue;
        }
        char *c = arena_bytes(a, name.n + 1);
        for (size_t k = 0; c && k < name.n; k++) {
            c[k] = name.p[k] >= 'A' && name.p[k] <= 'Z' ? (char)(name.p[k] | 32) : name.p[k];
        }
        if (c) {
            out[count++] = (struct label){str_of(c, name.n), f[i].value};
        }
    }
    const char *word = priority_word(field_of(f, n, "PRIORITY"));
    if (word) {
        out[count++] = (struct label){STR("__journal_priority_keyword"), str_c(word)};
    }
    return count;
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct field *)a)->name, ((const struct field *)b)->name);
}

static struct str record_json(struct arena *a, struct field *f, size_t n)
{
    struct buf text AUTO_BUF = {.size_bytes_max = AGENT_ENTRY_BYTES_MAX};
    struct json_writer w = json_writer(&text);
    w.html = true;
    qsort(f, n, sizeof(*f), by_name);
    json_object_begin(&w);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !str_eq(f[i].name, f[i - 1].name)) {
            json_key_str(&w, f[i].name);
            json_str(&w, f[i].value);
        }
    }
    json_object_end(&w);
    return arena_str(a, buf_view(&text));
}

static void put_record(struct journal_input *in, struct receipt *r)
{
    uint64_t at_us = 0;
    struct labels labels;
    arena_reset(&in->arena);
    struct field *f = arena_array(&in->arena, FIELDS_MAX, sizeof(*f));
    struct label *l = arena_array(&in->arena, FIELDS_MAX + 1, sizeof(*l));
    if (!f || !l) {
        receipt_fail(r);
        return;
    }
    size_t n = read_fields(in, &in->arena, f);
    struct str line = field_of(f, n, "MESSAGE");
    if (!line.p && !in->o.json) {
        agent_count_1(in->common.metrics, AM_JOURNAL_ERRORS, 1, "no_message");
        return;
    }
    size_t count = make_labels(&in->arena, f, n, l);
    if (!input_labels(&in->common, &in->arena, l, count, &labels)) {
        agent_count_1(in->common.metrics, AM_JOURNAL_ERRORS, 1, "empty_labels");
        return;
    }
    line = in->o.json ? record_json(&in->arena, f, n) : line;
    (void)sd_journal_get_realtime_usec(in->journal, &at_us);
    struct entry e;
    entry_init(&e, &in->arena, labels, (ts_ns)at_us * 1000, line, r);
    if (e.err || !line.p) {
        receipt_fail(r);
        return;
    }
    agent_count(in->common.metrics, AM_JOURNAL_LINES, 1, NULL);
    in->common.sink.put(in->common.sink.ctx, &e);
}

static void remember(struct journal_input *in)
{
    char *cursor = NULL;
    if (sd_journal_get_cursor(in->journal, &cursor) >= 0 && cursor) {
        (void)snprintf(in->cursor, sizeof(in->cursor), "%s", cursor);
    }
    free(cursor); /* libsystemd's allocator is libc's */
}

/* Records up to a number under one receipt. >0: there may be more; 0: the end for now; <0: an error. */
static int read_some(struct journal_input *in)
{
    struct order_receipt *r = order_begin(&in->order);
    int more = r ? 1 : -ENOMEM, count = 0;
    while (more > 0 && count < RECORDS_MAX && !atomic_load_explicit(&in->stop, memory_order_relaxed)) {
        more = sd_journal_next(in->journal);
        if (more > 0) {
            put_record(in, order_receipt(r));
            remember(in);
            count++;
        }
    }
    if (r) {
        enum err e = count ? order_set_mark(r, str_c(in->cursor)) : ERR_OK;
        if (e) {
            LOG_EVENT(LVL_WARN, "journal_cursor_too_long", F_STR("job", in->common.job));
        }
        receipt_unref(order_receipt(r));
    }
    return more;
}

/* -- the thread ---------------------------------------------------------------------------------------------
 */

static void wait_ms(struct journal_input *in, int fd, int ms)
{
    struct pollfd fds[] = {{.fd = in->wake_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    (void)poll(fds, ARRAY_LEN(fds), ms);
}

static void reopen(struct journal_input *in, int why)
{
    struct err_info info = {0};
    LOG_EVENT(LVL_WARN, "journal_reopened", F_STR("job", in->common.job), F_I64("errno", -why));
    atomic_store_explicit(&in->ready, false, memory_order_relaxed);
    sd_journal_close(in->journal);
    in->journal = NULL;
    while (!in->journal && !atomic_load_explicit(&in->stop, memory_order_acquire)) {
        wait_ms(in, -1, REOPEN_MS);
        if (open_journal(in, &info)) {
            LOG_EVENT(LVL_ERROR, "journal_not_opened", F_C("reason", info.message));
        }
    }
}

static void journal_main(void *ctx)
{
    struct journal_input *in = ctx;
    while (!atomic_load_explicit(&in->stop, memory_order_acquire)) {
        int r = read_some(in);
        if (r == 0) {
            wait_ms(in, sd_journal_get_fd(in->journal), WAIT_MS);
            r = sd_journal_process(in->journal);
        }
        if (r < 0) {
            reopen(in, r);
        }
    }
}

static void journal_stop(struct input *base)
{
    struct journal_input *in = (struct journal_input *)base;
    uint64_t one = 1;
    atomic_store_explicit(&in->stop, true, memory_order_release);
    ssize_t n = write(in->wake_fd, &one, sizeof(one));
    (void)n;
    thread_join(&in->thread);
}

static void journal_free(struct input *base)
{
    struct journal_input *in = (struct journal_input *)base;
    if (in->journal) {
        sd_journal_close(in->journal);
    }
    if (in->wake_fd >= 0) {
        (void)close(in->wake_fd);
    }
    order_done(&in->order);
    arena_done(&in->arena);
    mem_free(in);
}

static void journal_report(struct input *base, struct positions *p)
{
    struct journal_input *in = (struct journal_input *)base;
    char mark[ORDER_MARK_BYTES];
    if (order_mark(&in->order, mark)) {
        positions_put_text(p, str_c(in->key), str_c(mark));
    }
}

static bool journal_ready(struct input *base)
{
    return atomic_load_explicit(&((struct journal_input *)base)->ready, memory_order_relaxed);
}

static const struct input_ops ops = {.type = "Journal",
                                     .stop = journal_stop,
                                     .free = journal_free,
                                     .report = journal_report,
                                     .ready = journal_ready};

static void load_cursor(struct journal_input *in)
{
    char old[PATH_BYTES_MAX];
    (void)snprintf(in->key, sizeof(in->key), "cursor-%.*s", STR_FMT(in->common.job));
    (void)snprintf(old, sizeof(old), "journal-%.*s", STR_FMT(in->common.job));
    struct str cursor = positions_text(in->common.positions, str_c(in->key));
    cursor = cursor.n ? cursor : positions_text(in->common.positions, str_c(old));
    (void)snprintf(in->cursor, sizeof(in->cursor), "%.*s", STR_FMT(cursor));
}

enum err input_journal_new(const struct input_common *c, const struct journal_options *o,
                           struct input **ret_input, struct err_info *reterr_info)
{
    struct journal_input *in = mem_zalloc(sizeof(*in));
    if (!in) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    in->base.ops = &ops;
    in->common = *c;
    in->o = *o;
    atomic_init(&in->stop, false);
    atomic_init(&in->ready, false);
    order_init(&in->order);
    arena_init(&in->arena, AGENT_ENTRY_BYTES_MAX, NULL);
    in->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    load_cursor(in);
    enum err e = in->wake_fd < 0 ? err_set(reterr_info, ERR_UNAVAILABLE, "no descriptor left")
                                 : open_journal(in, reterr_info);
    if (!e && thread_start(&in->thread, "agent-journal", journal_main, in)) {
        e = err_set(reterr_info, ERR_UNAVAILABLE, "cannot start a thread");
    }
    if (e) {
        journal_free(&in->base);
        return e;
    }
    *ret_input = &in->base;
    return ERR_OK;
}
