#include "world.h"

#include <stdio.h>

#include "disk/file.h"
#include "harness.h"

enum {
    DEADLINE_MS = 20000 /* bounds a failure only */
};

static void put(void *ctx, struct entry *e)
{
    struct world *w = ctx;
    mutex_lock(&w->lock);
    buf_str(&w->lines, e->line);
    buf_char(&w->lines, '\n');
    w->count++;
    bool again = w->held_count && w->held[w->held_count - 1] == e->receipt;
    if (w->hold && !again && w->held_count < HELD_MAX) {
        receipt_ref(e->receipt);
        w->held[w->held_count++] = e->receipt;
    }
    cond_broadcast(&w->arrived);
    mutex_unlock(&w->lock);
}

void world_init(struct world *w, const char *name, const char *pattern)
{
    world_init_in(w, test_dir(), name, pattern);
}

void world_init_in(struct world *w, const char *folder, const char *name, const char *pattern)
{
    *w = (struct world){0};
    (void)snprintf(w->dir, sizeof(w->dir), "%s/%s", folder, name);
    (void)snprintf(w->positions_path, sizeof(w->positions_path), "%s/positions", w->dir);
    (void)snprintf(w->pattern, sizeof(w->pattern), "%s/%s", w->dir, pattern);
    mutex_init(&w->lock);
    cond_init(&w->arrived);
    enum err e = dir_make(w->dir, NULL);
    if (e) {
        test_fail(__FILE__, __LINE__, w->dir);
    }
    w->targets[0] = (struct file_target){.path = str_c(w->pattern)};
    w->job =
        (struct file_job){.name = STR("test"), .targets = w->targets, .target_count = 1, .sink = {put, w}};
}

bool world_start(struct world *w)
{
    struct positions_options p = {.path = w->positions_path};
    struct file_input_options o;
    file_input_options_default(&o);
    o.jobs = &w->job;
    o.job_count = 1;
    o.rotate_wait_ms = 50;
    if (positions_open(&p, &w->positions, NULL)) {
        return false;
    }
    o.positions = w->positions;
    return file_input_new(&o, &w->in, NULL) == ERR_OK;
}

bool world_save(struct world *w)
{
    positions_begin(w->positions);
    file_input_report(w->in, w->positions);
    return positions_commit(w->positions, NULL) == ERR_OK;
}

void world_release(struct world *w, bool ok)
{
    for (size_t i = 0; i < w->held_count; i++) {
        if (!ok) {
            receipt_fail(w->held[i]);
        }
        receipt_unref(w->held[i]);
    }
    w->held_count = 0;
}

void world_stop(struct world *w)
{
    file_input_stop(w->in);
    world_release(w, false);
    file_input_free(w->in);
    positions_close(w->positions);
    w->in = NULL;
    w->positions = NULL;
}

void world_done(struct world *w)
{
    if (w->in) {
        world_stop(w);
    }
    buf_done(&w->lines);
    cond_done(&w->arrived);
    mutex_done(&w->lock);
}

bool world_wait(struct world *w, size_t n)
{
    int64_t deadline = clock_mono_ns(clock_real()) + DEADLINE_MS * NS_PER_MS;
    mutex_lock(&w->lock);
    while (w->count < n && cond_wait_until(&w->arrived, &w->lock, deadline)) {
        /* look again */
    }
    bool ok = w->count == n;
    mutex_unlock(&w->lock);
    return ok;
}

bool world_wait_for(struct world *w, const char *const *texts, size_t n)
{
    int64_t deadline = clock_mono_ns(clock_real()) + DEADLINE_MS * NS_PER_MS;
    size_t i = 0;
    mutex_lock(&w->lock);
    while (i < n) {
        if (str_find(buf_view(&w->lines), str_c(texts[i]), 0) != STR_NPOS) {
            i++;
        } else if (!cond_wait_until(&w->arrived, &w->lock, deadline)) {
            break;
        }
    }
    mutex_unlock(&w->lock);
    return i == n;
}

void world_append(struct world *w, const char *name, struct str text)
{
    char path[512];
    int fd;
    (void)snprintf(path, sizeof(path), "%s/%s", w->dir, name);
    if (file_open(path, FILE_WRITE_APPEND, &fd, NULL) || file_write(fd, text.p, text.n, NULL)) {
        test_fail(__FILE__, __LINE__, path);
        return;
    }
    file_close(fd);
}

void world_move(struct world *w, const char *from, const char *to)
{
    char a[512], b[512];
    (void)snprintf(a, sizeof(a), "%s/%s", w->dir, from);
    (void)snprintf(b, sizeof(b), "%s/%s", w->dir, to);
    if (rename(a, b) != 0) {
        test_fail(__FILE__, __LINE__, a);
    }
}
