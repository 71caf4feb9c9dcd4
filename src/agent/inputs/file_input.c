/* The file input's thread: turns of reading, events, scans. */
#include "agent/inputs/file_input.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/inputs/file_int.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    POLL_MAX_MS = 2000,
    SETTLE_LOOK_MS = 500 /* closed files that wait for receipts are looked at this often */
};

void file_input_options_default(struct file_input_options *o)
{
    *o = (struct file_input_options){.sync_ms = 10000, .poll_ms = 250, .rotate_wait_ms = 5000};
}

/* -- events -----------------------------------------------------------------------------------------------
 */

static void on_event(void *ctx, enum watch_event event, int wd)
{
    struct file_input *in = ctx;
    if (event == WATCH_FOLDER || event == WATCH_OVERFLOW) {
        in->scan_asked = true;
        return;
    }
    struct tail *next;
    for (struct tail *t = watch_tails(in->watch, wd); t; t = next) {
        next = t->next_same_wd;
        if (event == WATCH_CHANGED) {
            t->dirty = !t->closed && (!t->unpacker || !unpacker_whole(t->unpacker));
            t->verify = true;
        } else if (event == WATCH_MOVED) {
            scan_check_path(t);
        } else {
            (void)watch_unbind(in->watch, wd, t);
            t->wd = -1;
        }
    }
}

/* Files without a watch: has the size changed? While none has, they are looked at less and less often. */
static void poll_files(struct file_input *in)
{
    bool polled = false, changed = false;
    for (struct tail *t = in->tails; t; t = t->next) {
        if (t->closed || t->wd >= 0) {
            continue;
        }
        polled = true;
        bool was = t->dirty, drained = t->draining;
        struct stat st;
        if (drained && fstat(t->fd, &st) == 0) {
            t->dirty |= tail_has_more(t, (uint64_t)st.st_size);
        }
        scan_check_path(t);
        changed |= (t->dirty && !was) || t->draining != drained;
    }
    in->polled = polled;
    in->poll_wait_ms = changed ? in->o.poll_ms : in->poll_wait_ms * 2;
    in->poll_wait_ms = in->poll_wait_ms > POLL_MAX_MS ? POLL_MAX_MS : in->poll_wait_ms;
}

/* -- turns ------------------------------------------------------------------------------------------------
 */

/* One chunk of the next file that has something. False when none has. */
static bool read_turn(struct file_input *in)
{
    struct tail *from = in->turn && in->turn->next ? in->turn->next : in->tails, *t = from;
    if (!t) {
        return false;
    }
    do {
        if (t->dirty) {
            in->turn = t;
            (void)tail_read(t);
            return true;
        }
        t = t->next ? t->next : in->tails;
    } while (t != from);
    return false;
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void wait_for_events(struct file_input *in, int64_t until_ns)
{
    struct pollfd fds[] = {{.fd = in->wake_fd, .events = POLLIN},
                           {.fd = in->watch ? watch_fd(in->watch) : -1, .events = POLLIN}};
    int64_t ms = (until_ns - clock_mono_ns(clock_real()) + NS_PER_MS - 1) / NS_PER_MS;
    ms = ms < 0 ? 0 : ms > 60000 ? 60000 : ms;
    (void)poll(fds, ARRAY_LEN(fds), (int)ms);
}

static bool any_closed(const struct file_input *in)
{
    for (const struct tail *t = in->tails; t; t = t->next) {
        if (t->closed) {
            return true;
        }
    }
    return false;
}

/* What is due by time. Returns when to look again. */
static int64_t timers(struct file_input *in)
{
    int64_t now = clock_mono_ns(clock_real());
    int64_t scan_at = in->scan_asked ? min64(in->scan_soonest_ns, in->scan_due_ns) : in->scan_due_ns;
    if (scan_at <= now) {
        scan_globs(in);
        scan_at = in->scan_due_ns;
    }
    if (in->polled && in->poll_due_ns <= now) {
        poll_files(in);
        in->poll_due_ns = now + in->poll_wait_ms * NS_PER_MS;
    }
    int64_t next = min64(scan_at, scan_reap(in, now));
    next = in->polled ? min64(next, in->poll_due_ns) : next;
    next = in->scan_asked ? min64(next, in->scan_soonest_ns) : next;
    return any_closed(in) ? min64(next, now + SETTLE_LOOK_MS * NS_PER_MS) : next;
}

static void input_main(void *ctx)
{
    struct file_input *in = ctx;
    while (!atomic_load_explicit(&in->stop, memory_order_acquire)) {
        int64_t next = timers(in);
        if (in->watch) {
            watch_read(in->watch, on_event, in);
        }
        if (!read_turn(in)) {
            wait_for_events(in, next);
        }
    }
    mutex_lock(&in->lock);
    in->ended = true;
    cond_broadcast(&in->ended_cond);
    mutex_unlock(&in->lock);
}

/* -- life -------------------------------------------------------------------------------------------------
 */

static enum err compile_globs(struct file_input *in, struct err_info *info)
{
    size_t n = 0, g = 0;
    enum err e = ERR_OK;
    for (size_t j = 0; j < in->o.job_count; j++) {
        n += in->o.jobs[j].target_count;
    }
    in->globs = arena_zarray(&in->arena, n + 1, sizeof(*in->globs));
    in->excludes = arena_zarray(&in->arena, n + 1, sizeof(*in->excludes));
    if (!in->globs || !in->excludes) {
        return err_set(info, ERR_OOM, "out of memory");
    }
    for (size_t j = 0; j < in->o.job_count; j++) {
        for (size_t i = 0; i < in->o.jobs[j].target_count && !e; i++, g++) {
            const struct file_target *t = &in->o.jobs[j].targets[i];
            e = glob_new(&in->arena, t->path, &in->globs[g], info);
            e = e || !t->exclude.n ? e : glob_new(&in->arena, t->exclude, &in->excludes[g], info);
        }
    }
    return e;
}

static enum err check_encodings(const struct file_input *in, struct err_info *info)
{
    enum err e = ERR_OK;
    for (size_t j = 0; j < in->o.job_count && !e; j++) {
        struct decoder *d = NULL;
        e = decoder_new(in->o.jobs[j].encoding, &d, info);
        decoder_free(d);
    }
    return e;
}

static enum err start(struct file_input *in, struct err_info *info)
{
    struct err_info why = {0};
    enum err e = compile_globs(in, info);
    e = e ? e : check_encodings(in, info);
    if (e) {
        return e;
    }
    in->buffer = mem_alloc(AGENT_LINE_BYTES_MAX);
    in->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!in->buffer || in->wake_fd < 0) {
        return err_set(info, ERR_OOM, "out of memory or descriptors");
    }
    if (watch_new(&in->watch, &why)) {
        LOG_EVENT(LVL_WARN, "files_are_polled", F_C("reason", why.message), F_I64("every_ms", in->o.poll_ms));
    }
    left_load(in, in->o.positions);
    in->ended = false;
    e = thread_start(&in->thread, "agent-files", input_main, in);
    return e ? err_set(info, e, "cannot start the file input: %s", err_text(e)) : ERR_OK;
}

enum err file_input_new(const struct file_input_options *o, struct file_input **ret_input,
                        struct err_info *reterr_info)
{
    struct file_input *in = mem_zalloc(sizeof(*in));
    if (!in) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    in->o = *o;
    in->wake_fd = -1;
    mutex_init(&in->lock);
    cond_init(&in->ended_cond);
    in->ended = true;
    arena_init(&in->arena, 0, NULL);
    arena_init(&in->line_arena, AGENT_ENTRY_BYTES_MAX, NULL);
    in->decoded.size_bytes_max = (size_t)AGENT_LINE_BYTES_MAX * 8;
    atomic_init(&in->stop, false);
    atomic_init(&in->news, false);
    atomic_init(&in->changed, true);
    enum err e = start(in, reterr_info);
    if (e) {
        file_input_free(in);
        return e;
    }
    *ret_input = in;
    return ERR_OK;
}

bool file_input_ask_stop(struct file_input *in, int64_t deadline_ns)
{
    atomic_store_explicit(&in->stop, true, memory_order_release);
    uint64_t one = 1;
    ssize_t n = write(in->wake_fd, &one, sizeof(one));
    (void)n; /* a full counter wakes as well */
    mutex_lock(&in->lock);
    while (!in->ended && cond_wait_until(&in->ended_cond, &in->lock, deadline_ns)) {
        /* woken early: look again */
    }
    bool ended = in->ended;
    mutex_unlock(&in->lock);
    return ended;
}

void file_input_stop(struct file_input *in)
{
    (void)file_input_ask_stop(in, 0);
    thread_join(&in->thread);
}

void file_input_free(struct file_input *in)
{
    if (!in) {
        return;
    }
    for (struct tail *t = in->tails, *next; t; t = next) {
        next = t->next;
        tail_free(t);
    }
    watch_free(in->watch);
    if (in->wake_fd >= 0) {
        (void)close(in->wake_fd);
    }
    strmap_done(&in->by_path);
    strmap_done(&in->by_id);
    strmap_done(&in->logged);
    buf_done(&in->decoded);
    arena_done(&in->arena);
    arena_done(&in->line_arena);
    cond_done(&in->ended_cond);
    mutex_done(&in->lock);
    left_done(in);
    mem_free(in->buffer);
    mem_free(in);
}

void file_input_report(struct file_input *in, struct positions *p)
{
    mutex_lock(&in->lock);
    for (const struct tail *t = in->tails; t; t = t->next) {
        struct position at = tail_position(t);
        const char *path = t->path;
        positions_put_file(p, &at, !t->draining);
        if (!t->draining) {
            agent_gauge_set(in->o.metrics, AM_ACKED_BYTES, (double)at.offset, &path);
        }
    }
    for (size_t i = 0; i < in->left_count; i++) {
        if (!in->left[i].claimed) {
            positions_put_file(p, &in->left[i].at, false);
        }
    }
    mutex_unlock(&in->lock);
}

bool file_input_take_changed(struct file_input *in)
{
    return atomic_exchange_explicit(&in->changed, false, memory_order_acq_rel);
}

bool file_input_take_news(struct file_input *in)
{
    return atomic_exchange_explicit(&in->news, false, memory_order_acq_rel);
}

size_t file_input_open_count(struct file_input *in)
{
    mutex_lock(&in->lock);
    size_t n = in->tail_count;
    mutex_unlock(&in->lock);
    return n;
}

void file_input_each(struct file_input *in, size_t job,
                     void (*fn)(void *ctx, struct str path, struct labels labels, uint64_t acked,
                                uint64_t size),
                     void *ctx)
{
    mutex_lock(&in->lock);
    for (const struct tail *t = in->tails; t; t = t->next) {
        if (t->job == &in->o.jobs[job] && !t->closed) {
            fn(ctx, str_c(t->path), t->labels, t->acked, t->size);
        }
    }
    mutex_unlock(&in->lock);
}
