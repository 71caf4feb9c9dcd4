/* Standard input, line by line, until it ends. */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/inputs/input.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
    READ_BYTES = 64 << 10
};

struct stdin_input {
    struct input base;
    struct input_common common;
    struct thread thread;
    int wake_fd;
    atomic_bool stop; /* set by the stopping thread */
    struct mutex lock;
    struct cond ended_cond;
    bool ended; /* under the lock */
    struct buf pending;
    struct arena arena;
};

static void put_line(struct stdin_input *in, struct str line)
{
    while (line.n && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == '\n')) {
        line.n--;
    }
    if (line.n == 0) {
        return;
    }
    struct entry e;
    arena_reset(&in->arena);
    entry_init(&e, &in->arena, in->common.labels, clock_wall_ns(clock_real()), line, NULL);
    if (!e.err) {
        in->common.sink.put(in->common.sink.ctx, &e);
    }
}

/* Puts the whole lines of what is pending; at the end, the rest too. */
static void put_pending(struct stdin_input *in, bool last)
{
    struct str text = buf_view(&in->pending);
    size_t at;
    while ((at = str_find_char(text, '\n', 0)) != STR_NPOS) {
        put_line(in, str_slice(text, 0, at));
        text = str_slice(text, at + 1, text.n);
    }
    if (last || text.n >= AGENT_LINE_BYTES_MAX) {
        put_line(in, text);
        text.n = 0;
    }
    if (text.n) {
        memmove(in->pending.p, text.p, text.n);
    }
    in->pending.n = text.n;
}

static void stdin_main(void *ctx)
{
    struct stdin_input *in = ctx;
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = in->wake_fd, .events = POLLIN}};
    ssize_t n = 1;
    while (n != 0 && !atomic_load_explicit(&in->stop, memory_order_acquire)) {
        (void)poll(fds, ARRAY_LEN(fds), -1);
        if (!(fds[0].revents & (POLLIN | POLLHUP | POLLERR))) {
            continue;
        }
        char *to = buf_tail(&in->pending, READ_BYTES);
        n = to ? read(STDIN_FILENO, to, READ_BYTES) : 0;
        if (n < 0) {
            n = errno == EINTR || errno == EAGAIN ? 1 : 0;
            continue;
        }
        in->pending.n += (size_t)n;
        put_pending(in, n == 0);
    }
    mutex_lock(&in->lock);
    in->ended = true;
    cond_broadcast(&in->ended_cond);
    mutex_unlock(&in->lock);
}

static void stdin_stop(struct input *base)
{
    struct stdin_input *in = (struct stdin_input *)base;
    uint64_t one = 1;
    atomic_store_explicit(&in->stop, true, memory_order_release);
    ssize_t n = write(in->wake_fd, &one, sizeof(one));
    (void)n;
    thread_join(&in->thread);
}

static void stdin_wait(struct input *base)
{
    struct stdin_input *in = (struct stdin_input *)base;
    mutex_lock(&in->lock);
    while (!in->ended) {
        cond_wait(&in->ended_cond, &in->lock);
    }
    mutex_unlock(&in->lock);
}

static bool stdin_ready(struct input *base)
{
    (void)base;
    return true;
}

static void stdin_free(struct input *base)
{
    struct stdin_input *in = (struct stdin_input *)base;
    if (in->wake_fd >= 0) {
        (void)close(in->wake_fd);
    }
    buf_done(&in->pending);
    arena_done(&in->arena);
    cond_done(&in->ended_cond);
    mutex_done(&in->lock);
    mem_free(in);
}

static const struct input_ops ops = {
    .type = "Stdin", .stop = stdin_stop, .free = stdin_free, .ready = stdin_ready, .wait_end = stdin_wait};

enum err input_stdin_new(const struct input_common *c, struct input **ret_input, struct err_info *reterr_info)
{
    struct stdin_input *in = mem_zalloc(sizeof(*in));
    if (!in) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    in->base.ops = &ops;
    in->common = *c;
    in->pending.size_bytes_max = (size_t)AGENT_LINE_BYTES_MAX * 2;
    atomic_init(&in->stop, false);
    mutex_init(&in->lock);
    cond_init(&in->ended_cond);
    arena_init(&in->arena, AGENT_ENTRY_BYTES_MAX, NULL);
    in->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum err e =
        in->wake_fd >= 0 ? thread_start(&in->thread, "agent-stdin", stdin_main, in) : ERR_UNAVAILABLE;
    if (e) {
        stdin_free(&in->base);
        return err_set(reterr_info, e, "cannot read standard input: %s", err_text(e));
    }
    *ret_input = &in->base;
    return ERR_OK;
}
