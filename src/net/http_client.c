/* The client: a pool of libcurl handles for calls on the caller's thread, and one thread with a multi handle
 * for the others. Connections belong to the handle (synchronous) or to the multi handle, and are reused. */
#include <pthread.h>

#include "net/http_client_int.h"

enum {
    POLL_MS = 60000 /* curl_multi_wakeup ends it early */
};

struct http_client {
    const char *name;
    struct mutex lock; /* guards what follows */
    CURL *idle[HTTP_CLIENT_IDLE_MAX];
    size_t idle_count;
    struct http_running *waiting; /* for the thread, in reverse order of arrival */
    bool stopping;
    struct thread thread;
    CURLM *multi;
    struct http_running *active; /* the thread's */
};

static void curl_start(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

enum err http_client_new(const char *name, struct http_client **ret_client)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, curl_start);
    struct http_client *c = mem_zalloc(sizeof(*c));
    if (!c) {
        return ERR_OOM;
    }
    c->name = name;
    mutex_init(&c->lock);
    *ret_client = c;
    return ERR_OK;
}

static CURL *handle_take(struct http_client *c)
{
    mutex_lock(&c->lock);
    CURL *easy = c->idle_count ? c->idle[--c->idle_count] : NULL;
    mutex_unlock(&c->lock);
    return easy ? easy : curl_easy_init();
}

static void handle_give(struct http_client *c, CURL *easy)
{
    mutex_lock(&c->lock);
    if (c->idle_count < HTTP_CLIENT_IDLE_MAX) {
        c->idle[c->idle_count++] = easy;
        easy = NULL;
    }
    mutex_unlock(&c->lock);
    curl_easy_cleanup(easy);
}

static void running_done(struct http_running *run)
{
    if (run->easy) {
        curl_easy_reset(run->easy); /* before what it points to goes away */
        handle_give(run->client, run->easy);
    }
    curl_slist_free_all(run->headers);
    curl_slist_free_all(run->connect_to);
    curl_slist_free_all(run->proxy_headers);
    http_answer_done(&run->answer);
}

enum err http_client_do(struct http_client *c, const struct http_call *call, struct http_answer *ret_answer,
                        struct err_info *reterr_info)
{
    struct http_running run = {.client = c, .easy = handle_take(c)};
    if (!run.easy) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    enum err e = http_running_prepare(&run, call, false, reterr_info);
    if (e == ERR_OK) {
        CURLcode code = curl_easy_perform(run.easy);
        e = http_running_result(&run, code, reterr_info);
        if (e && call->reterr_tls) {
            *call->reterr_tls = http_running_tls_fault(&run, code);
        }
    }
    if (e == ERR_OK) {
        *ret_answer = run.answer;
        run.answer = (struct http_answer){0};
    }
    running_done(&run);
    return e;
}

/* -- the thread ------------------------------------------------------------------------------------------ */

static void end(struct http_running *run, enum err e, const struct err_info *info)
{
    run->done(run->ctx, e, &run->answer, info);
    running_done(run);
    mem_free(run);
}

static void forget(struct http_client *c, struct http_running *run)
{
    *(run->prev ? &run->prev->next : &c->active) = run->next;
    if (run->next) {
        run->next->prev = run->prev;
    }
    (void)curl_multi_remove_handle(c->multi, run->easy);
}

static void begin_waiting(struct http_client *c, struct http_running *waiting)
{
    while (waiting) {
        struct http_running *run = waiting;
        waiting = run->next;
        run->prev = NULL;
        run->next = c->active;
        if (c->active) {
            c->active->prev = run;
        }
        c->active = run;
        if (curl_multi_add_handle(c->multi, run->easy) != CURLM_OK) {
            struct err_info info = {0};
            forget(c, run);
            end(run, err_set(&info, ERR_OOM, "out of memory"), &info);
        }
    }
}

static void end_finished(struct http_client *c)
{
    int left;
    const CURLMsg *m;
    while ((m = curl_multi_info_read(c->multi, &left))) {
        struct http_running *run = NULL;
        struct err_info info = {0};
        CURLcode code = m->data.result;
        (void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&run);
        enum err e = http_running_result(run, code, &info);
        forget(c, run);
        end(run, e, &info);
    }
}

static void end_all(struct http_client *c)
{
    while (c->active) {
        struct http_running *run = c->active;
        struct err_info info = {0};
        forget(c, run);
        end(run, err_set(&info, ERR_CANCELED, "the client is stopping"), &info);
    }
}

/* Oldest first. */
static struct http_running *take_waiting(struct http_client *c, bool *ret_stopping)
{
    struct http_running *list = NULL;
    mutex_lock(&c->lock);
    while (c->waiting) {
        struct http_running *run = c->waiting;
        c->waiting = run->next;
        run->next = list;
        list = run;
    }
    *ret_stopping = c->stopping;
    mutex_unlock(&c->lock);
    return list;
}

static void client_main(void *ctx)
{
    struct http_client *c = ctx;
    bool stopping = false;
    while (!stopping) {
        int running;
        begin_waiting(c, take_waiting(c, &stopping));
        if (stopping) {
            end_all(c);
            break;
        }
        (void)curl_multi_perform(c->multi, &running);
        end_finished(c);
        (void)curl_multi_poll(c->multi, NULL, 0, POLL_MS, NULL);
    }
}

/* With c->lock held. */
static enum err thread_ready(struct http_client *c)
{
    if (c->thread.started) {
        return ERR_OK;
    }
    if (!c->multi && (c->multi = curl_multi_init())) {
        /* Many targets, few calls at a time: without this curl would keep only a few connections. */
        (void)curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_CLIENT_CONNECTIONS_MAX);
    }
    return c->multi ? thread_start(&c->thread, "http-client", client_main, c) : ERR_OOM;
}

enum err http_client_start(struct http_client *c, const struct http_call *call,
                           void (*done)(void *ctx, enum err e, struct http_answer *answer,
                                        const struct err_info *info),
                           void *ctx, struct err_info *reterr_info)
{
    struct http_running *run = mem_zalloc(sizeof(*run));
    if (!run) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    *run = (struct http_running){.client = c, .easy = handle_take(c), .done = done, .ctx = ctx};
    enum err e = run->easy ? http_running_prepare(run, call, true, reterr_info) : ERR_OOM;
    if (e == ERR_OK) {
        mutex_lock(&c->lock);
        e = c->stopping ? ERR_CANCELED : thread_ready(c);
        if (e == ERR_OK) {
            run->next = c->waiting;
            c->waiting = run;
        }
        mutex_unlock(&c->lock);
        if (e == ERR_OK) {
            (void)curl_multi_wakeup(c->multi);
            return ERR_OK;
        }
        (void)err_set(reterr_info, e, "%s: %s", c->name, err_text(e));
    }
    running_done(run);
    mem_free(run);
    return e;
}

void http_client_free(struct http_client *c)
{
    if (!c) {
        return;
    }
    mutex_lock(&c->lock);
    c->stopping = true;
    mutex_unlock(&c->lock);
    if (c->multi) {
        (void)curl_multi_wakeup(c->multi);
    }
    thread_join(&c->thread);
    if (c->multi) {
        (void)curl_multi_cleanup(c->multi);
    }
    while (c->idle_count) {
        curl_easy_cleanup(c->idle[--c->idle_count]);
    }
    mutex_done(&c->lock);
    mem_free(c);
}
