/* /notifications and /notifications/live: what an operator should know.
 *
 * A reader of the live stream first gets what holds now, then each change as it comes, as server-sent events.
 * Its request is detached: one thread, started by the first reader, looks at what holds twice a second,
 * writes to all of them and lets go of those who left. The list of readers is guarded by `lock`; streams are
 * written without it, by that thread alone. */
#include <stdio.h>

#include "api/prom/prom_call.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
    LOOK_EVERY_MS = 500
};

enum note_kind {
    NOTE_RELOAD_FAILED = 0,
    NOTE_READ_ONLY,
    NOTE_STOPPING,
    NOTE_COUNT
};

static const char *const texts[] = {
    [NOTE_RELOAD_FAILED] = "Configuration reload has failed.",
    [NOTE_READ_ONLY] = "The store is read-only until it is restarted.",
    [NOTE_STOPPING] = "Prometheus is shutting down and gracefully stopping all operations.",
};

/* What holds, and since when; 0 = it does not. */
struct notes_now {
    ts_ms since[NOTE_COUNT];
};

struct reader {
    struct reader *next;
    struct http_req *r;
    struct notes_now told;
};

struct prom_notifier {
    struct prom_api *api;
    struct mutex lock;
    struct cond wake;
    struct reader *fresh; /* not yet the thread's; lock */
    size_t count;         /* of all readers; lock */
    bool stopping;        /* lock */
    struct thread thread;
    struct reader *readers; /* the thread's */
    ts_ms read_only_since;  /* the thread's */
};

static void look(struct prom_api *api, bool stopping, ts_ms *read_only_since, struct notes_now *ret_now)
{
    struct tsdb_stats st;
    ts_ms now = clock_wall_ms(api->clock);
    tsdb_stats(api->db, &st);
    *read_only_since = !st.read_only ? 0 : *read_only_since ? *read_only_since : now;
    ret_now->since[NOTE_RELOAD_FAILED] =
        atomic_load(&api->reload_ok) ? 0 : atomic_load(&api->reload_failed_ms);
    ret_now->since[NOTE_READ_ONLY] = *read_only_since;
    ret_now->since[NOTE_STOPPING] = stopping ? now : 0;
}

static void json_note(struct json_writer *w, enum note_kind kind, ts_ms since, bool active)
{
    char date[40];
    json_object_begin(w);
    json_key(w, "text");
    json_str(w, str_c(texts[kind]));
    json_key(w, "date");
    json_str(w, str_c(clock_format_rfc3339(since * NS_PER_MS, date, sizeof(date))));
    json_key(w, "active");
    json_bool(w, active);
    json_object_end(w);
}

static void notifications(struct prom_call *c)
{
    struct notes_now now;
    ts_ms since = 0;
    look(c->api, false, &since, &now);
    prom_call_data(c);
    json_array_begin(&c->w);
    for (unsigned i = 0; i < NOTE_COUNT; i++) {
        if (now.since[i]) {
            json_note(&c->w, (enum note_kind)i, now.since[i], true);
        }
    }
    json_array_end(&c->w);
    prom_call_send(c);
}

/* -- the live stream ------------------------------------------------------------------------------------- */

/* False: the reader has left. */
static bool tell(struct reader *reader, const struct notes_now *now)
{
    struct buf b AUTO_BUF = {0};
    for (unsigned i = 0; i < NOTE_COUNT; i++) {
        bool was = reader->told.since[i] != 0, is = now->since[i] != 0;
        if (was != is) {
            struct json_writer w = json_writer(&b);
            buf_c(&b, "data: ");
            json_note(&w, (enum note_kind)i, is ? now->since[i] : reader->told.since[i], is);
            buf_c(&b, "\n\n");
        }
    }
    reader->told = *now;
    return !b.err && !atomic_load(http_req_canceled(reader->r)) &&
           (b.n == 0 || http_res_write(reader->r, b.p, b.n) == ERR_OK);
}

static void drop(struct prom_notifier *n, struct reader *reader)
{
    http_res_end(reader->r);
    mem_free(reader);
    mutex_lock(&n->lock);
    n->count--;
    mutex_unlock(&n->lock);
}

/* One round over the readers; all of them leave when the server does. */
static void round_once(struct prom_notifier *n, bool stopping)
{
    struct notes_now now;
    look(n->api, stopping, &n->read_only_since, &now);
    for (struct reader **at = &n->readers; *at;) {
        struct reader *reader = *at;
        bool there = tell(reader, &now);
        if (there && !stopping) {
            at = &reader->next;
        } else {
            *at = reader->next;
            drop(n, reader);
        }
    }
}

static void follow(void *ctx)
{
    struct prom_notifier *n = ctx;
    bool stopping = false;
    while (!stopping) {
        mutex_lock(&n->lock);
        if (!n->stopping && !n->fresh) {
            (void)cond_wait_until(&n->wake, &n->lock,
                                  clock_mono_ns(clock_real()) + LOOK_EVERY_MS * NS_PER_MS);
        }
        stopping = n->stopping;
        while (n->fresh) {
            struct reader *reader = n->fresh;
            n->fresh = reader->next;
            reader->next = n->readers;
            n->readers = reader;
        }
        mutex_unlock(&n->lock);
        round_once(n, stopping);
    }
}

static void notifier_free(struct prom_notifier *n)
{
    cond_done(&n->wake);
    mutex_done(&n->lock);
    mem_free(n);
}

/* The api's notifier, made now if need be; NULL: no memory or no thread. */
static struct prom_notifier *notifier_of(struct prom_api *api)
{
    struct prom_notifier *n = atomic_load(&api->notifier), *none = NULL;
    if (n) {
        return n;
    }
    n = mem_zalloc(sizeof(*n));
    if (!n) {
        return NULL;
    }
    n->api = api;
    mutex_init(&n->lock);
    cond_init(&n->wake);
    if (!atomic_compare_exchange_strong(&api->notifier, &none, n)) {
        notifier_free(n);
        return none;
    }
    return n;
}

/* Joins the readers; the thread starts with the first. With n->lock held. */
static bool admit(struct prom_notifier *n, struct reader *reader)
{
    if (n->stopping || n->count >= n->api->notification_readers_max) {
        return false;
    }
    if (!n->thread.started && thread_start(&n->thread, "notifications", follow, n)) {
        return false;
    }
    if (http_res_begin(reader->r, 200, "text/event-stream")) {
        return false;
    }
    http_req_detach(reader->r);
    reader->next = n->fresh;
    n->fresh = reader;
    n->count++;
    cond_signal(&n->wake);
    return true;
}

static void live_route(void *ctx, struct http_req *r)
{
    struct prom_notifier *n = notifier_of(ctx);
    struct reader *reader = mem_zalloc(sizeof(*reader));
    bool admitted = false;
    http_res_header(r, "Cache-Control", STR("no-cache"));
    if (n && reader) {
        reader->r = r;
        mutex_lock(&n->lock);
        admitted = admit(n, reader);
        mutex_unlock(&n->lock);
    }
    if (!admitted) {
        mem_free(reader);
        http_res_send(r, 204, NULL, STR(""));
    }
}

size_t prom_api_notification_readers(struct prom_api *api)
{
    struct prom_notifier *n = atomic_load(&api->notifier);
    size_t count = 0;
    if (n) {
        mutex_lock(&n->lock);
        count = n->count;
        mutex_unlock(&n->lock);
    }
    return count;
}

void prom_api_stopping(struct prom_api *api)
{
    struct prom_notifier *n = atomic_load(&api->notifier);
    if (n) {
        mutex_lock(&n->lock);
        n->stopping = true;
        cond_signal(&n->wake);
        mutex_unlock(&n->lock);
        thread_join(&n->thread);
    }
}

void prom_api_done(struct prom_api *api)
{
    struct prom_notifier *n = atomic_exchange(&api->notifier, NULL);
    if (n) {
        notifier_free(n);
    }
}

PROM_ROUTE(notifications)

struct prom_routes prom_routes_notifications(void)
{
    static const struct http_route rows[] = {
        {"GET", "/api/v1/notifications", notifications_route, HTTP_CORS | HTTP_WHILE_LOADING, 0, NULL},
        {"GET", "/api/v1/notifications/live", live_route, HTTP_CORS | HTTP_WHILE_LOADING, 0, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
