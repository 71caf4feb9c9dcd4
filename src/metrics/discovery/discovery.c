/* Providers, their clock, their folders.
 *
 * A provider is refreshed by at most one worker at a time. Removal marks it; whoever of the remover and the
 * running worker comes last frees it. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "metrics/discovery/discovery_int.h"

/* Providers of one folder share its descriptor. */
static bool watched_by_another(const struct discovery *d, int watch)
{
    for (const struct sd_provider *p = d->providers; p; p = p->next) {
        for (size_t i = 0; i < p->watch_count; i++) {
            if (p->watches[i] == watch) {
                return true;
            }
        }
    }
    return false;
}

/* The provider is in no list any more. */
static void provider_free(struct sd_provider *p)
{
    mutex_lock(&p->d->lock);
    for (size_t i = 0; i < p->watch_count; i++) {
        if (!watched_by_another(p->d, p->watches[i])) {
            (void)inotify_rm_watch(p->d->inotify_fd, p->watches[i]);
        }
    }
    mutex_unlock(&p->d->lock);
    mem_free(p->watches);
    target_groups_unref(p->groups);
    mutex_done(&p->lock);
    if (p->release) {
        p->release(p->hold);
    }
    mem_free(p);
}

static void wake(struct discovery *d)
{
    uint64_t one = 1;
    ssize_t n = write(d->wake_fd, &one, sizeof(one));
    (void)n; /* a full counter wakes all the same */
}

/* -- refreshing ------------------------------------------------------------------------------------------ */

static void publish(struct sd_provider *p, struct target_groups *g)
{
    mutex_lock(&p->lock);
    struct target_groups *old = p->groups;
    p->groups = g;
    mutex_unlock(&p->lock);
    target_groups_unref(old);
    atomic_fetch_add(&p->d->updates, 1);
    p->d->o.changed(p->d->o.ctx);
}

static void refresh(struct sd_provider *p)
{
    struct target_groups *g = NULL, *old = sd_provider_groups(p);
    struct err_info info = {0};
    enum err e = p->config->kind == SD_FILE   ? sd_file_refresh(p, old, &g, &info)
                 : p->config->kind == SD_HTTP ? sd_http_refresh(p, &g, &info)
                                              : sd_dns_refresh(p, &g, &info);
    target_groups_unref(old);
    if (e) {
        atomic_fetch_add(&p->d->refresh_failures[p->config->kind], 1);
        LOG_EVENT(LVL_ERROR, "sd_refresh_failed", F_C("mechanism", sd_mechanism_name(p->config->kind)),
                  F_C("err", info.message[0] ? info.message : err_text(e)),
                  F_C("action", "kept the targets found before"));
        return;
    }
    publish(p, g);
}

static void refresh_task(void *ctx)
{
    struct sd_provider *p = ctx;
    struct discovery *d = p->d;
    refresh(p);
    mutex_lock(&d->lock);
    p->busy = false;
    p->due_ns = p->again ? 0 : clock_mono_ns(clock_real()) + p->config->refresh_ms * NS_PER_MS;
    p->again = false;
    bool removed = p->removed;
    mutex_unlock(&d->lock);
    if (removed) {
        provider_free(p);
    } else {
        wake(d);
    }
}

/* With d->lock held. Milliseconds until the next one is due, at most a minute. */
static int64_t start_due(struct discovery *d)
{
    int64_t now = clock_mono_ns(clock_real()), wait = 60 * MS_PER_S;
    for (struct sd_provider *p = d->providers; p; p = p->next) {
        if (p->busy || p->config->kind == SD_STATIC) {
            continue;
        }
        int64_t left = (p->due_ns - now) / NS_PER_MS;
        if (left <= 0) {
            p->busy = pool_submit(d->workers, refresh_task, p) == ERR_OK;
            left = MS_PER_S;
        }
        wait = left < wait ? left : wait;
    }
    return wait;
}

/* -- folders --------------------------------------------------------------------------------------------- */

/* Watches the folders of the provider's patterns. A watch that cannot be had leaves the refresh interval. */
static void watch_folders(struct sd_provider *p)
{
    const struct sd_config *c = p->config;
    if (c->kind != SD_FILE) {
        return;
    }
    p->watches = mem_array(c->file_count, sizeof(*p->watches));
    for (size_t i = 0; p->watches && i < c->file_count; i++) {
        struct str folder = c->files[i];
        while (folder.n && folder.p[folder.n - 1] != '/') {
            folder.n--;
        }
        char *path = folder.n ? mem_dup(folder.p, folder.n) : mem_dup("./", 2);
        int w = path ? inotify_add_watch(p->d->inotify_fd, path,
                                         IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE)
                     : -1;
        mem_free(path);
        if (w >= 0) {
            p->watches[p->watch_count++] = w;
        }
    }
}

static void mark_watchers(struct discovery *d, int watch)
{
    mutex_lock(&d->lock);
    for (struct sd_provider *p = d->providers; p; p = p->next) {
        for (size_t i = 0; i < p->watch_count; i++) {
            if (p->watches[i] == watch) {
                p->again = p->busy;
                p->due_ns = 0;
            }
        }
    }
    mutex_unlock(&d->lock);
}

static void read_events(struct discovery *d)
{
    char block[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n = read(d->inotify_fd, block, sizeof(block));
    for (ssize_t at = 0; n > 0 && at + (ssize_t)sizeof(struct inotify_event) <= n;) {
        struct inotify_event ev;
        memcpy(&ev, block + at, sizeof(ev));
        mark_watchers(d, ev.wd);
        at += (ssize_t)sizeof(ev) + (ssize_t)ev.len;
    }
}

static void discovery_main(void *ctx)
{
    struct discovery *d = ctx;
    for (;;) {
        mutex_lock(&d->lock);
        bool stop = d->stopping;
        int64_t wait = stop ? 0 : start_due(d);
        mutex_unlock(&d->lock);
        if (stop) {
            return;
        }
        struct pollfd fds[2] = {{.fd = d->wake_fd, .events = POLLIN},
                                {.fd = d->inotify_fd, .events = POLLIN}};
        if (poll(fds, 2, (int)wait) <= 0) {
            continue;
        }
        if (fds[0].revents & POLLIN) {
            uint64_t count;
            ssize_t n = read(d->wake_fd, &count, sizeof(count));
            (void)n;
        }
        if (fds[1].revents & POLLIN) {
            read_events(d);
        }
    }
}

/* -- the face -------------------------------------------------------------------------------------------- */

enum err discovery_new(const struct discovery_options *o, struct discovery **ret_discovery)
{
    struct discovery *d = mem_zalloc(sizeof(*d));
    if (!d) {
        return ERR_OOM;
    }
    d->o = *o;
    mutex_init(&d->lock);
    d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    d->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    enum err e = d->wake_fd >= 0 && d->inotify_fd >= 0 ? ERR_OK : ERR_UNAVAILABLE;
    e = e ? e : http_client_new("discovery", &d->client);
    e = e ? e : pool_new("discovery", DISCOVERY_WORKERS, DISCOVERY_QUEUE_MAX, &d->workers);
    e = e ? e : thread_start(&d->thread, "discovery", discovery_main, d);
    if (e) {
        discovery_free(d);
        return e;
    }
    *ret_discovery = d;
    return ERR_OK;
}

void discovery_free(struct discovery *d)
{
    if (!d) {
        return;
    }
    mutex_lock(&d->lock);
    d->stopping = true;
    mutex_unlock(&d->lock);
    if (d->wake_fd >= 0) {
        wake(d);
    }
    thread_join(&d->thread);
    pool_free(d->workers);
    http_client_free(d->client);
    if (d->wake_fd >= 0) {
        (void)close(d->wake_fd);
    }
    if (d->inotify_fd >= 0) {
        (void)close(d->inotify_fd);
    }
    mutex_done(&d->lock);
    mem_free(d);
}

enum err discovery_add(struct discovery *d, const struct sd_config *config, void (*release)(void *hold),
                       void *hold, struct sd_provider **ret_provider)
{
    struct sd_provider *p = mem_zalloc(sizeof(*p));
    if (!p) {
        return ERR_OOM;
    }
    p->d = d;
    p->config = config;
    p->release = release;
    p->hold = hold;
    mutex_init(&p->lock);
    p->groups = config->groups ? target_groups_ref(config->groups) : NULL;
    watch_folders(p);
    mutex_lock(&d->lock);
    p->next = d->providers;
    d->providers = p;
    mutex_unlock(&d->lock);
    wake(d);
    *ret_provider = p;
    return ERR_OK;
}

void discovery_remove(struct discovery *d, struct sd_provider *p)
{
    mutex_lock(&d->lock);
    struct sd_provider **at = &d->providers;
    while (*at != p) {
        at = &(*at)->next;
    }
    *at = p->next;
    p->removed = true;
    bool busy = p->busy;
    mutex_unlock(&d->lock);
    if (!busy) {
        provider_free(p);
    }
}

struct target_groups *sd_provider_groups(struct sd_provider *p)
{
    mutex_lock(&p->lock);
    struct target_groups *g = p->groups ? target_groups_ref(p->groups) : NULL;
    mutex_unlock(&p->lock);
    return g;
}

void discovery_stats(struct discovery *d, struct discovery_stats *ret_stats)
{
    *ret_stats = (struct discovery_stats){.file_read_errors = atomic_load(&d->file_read_errors),
                                          .http_failures = atomic_load(&d->http_failures),
                                          .dns_lookups = atomic_load(&d->dns_lookups),
                                          .dns_failures = atomic_load(&d->dns_failures),
                                          .updates = atomic_load(&d->updates)};
    for (size_t i = 0; i < SD_KIND_COUNT; i++) {
        ret_stats->refresh_failures[i] = atomic_load(&d->refresh_failures[i]);
    }
}
