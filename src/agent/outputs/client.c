/* The queue of a client and its sender thread.
 *
 * Per tenant: one open batch that fills, and closed ones in order. The sender takes the tenants in turn; a
 * tenant whose batch failed has a time before which it is left alone, so one throttled tenant does not hold
 * up the others. Everything in `struct client` below the lock is guarded by it; the batch being sent belongs
 * to the sender alone. */
#include "agent/outputs/client.h"

#include <stdio.h>

#include "agent/outputs/deliver.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/strmap.h"
#include "base/thread.h"

enum {
    TROUBLE_GRACE_MS = 500,
    HELD_WAIT_MIN_MS = 5000 /* a wrong password is not mended within half a second */
};

struct tenant {
    char *id; /* NUL-terminated: a metric label too */
    struct batch *open;
    int64_t open_since_ns;
    struct batch *head, *tail;
    int64_t not_before_ns, wait_ms;
    struct tenant *next;
};

struct client {
    const struct client_config *config;
    struct client_limits limits;
    struct agent_metrics *metrics;
    struct deliverer *deliverer;
    char *host;
    size_t queue_bytes_max;
    struct rng rng; /* the sender's */
    struct thread sender;

    struct mutex lock;
    struct cond work;  /* for the sender */
    struct cond space; /* for inputs and drains */
    struct tenant *tenants, *last, *turn;
    size_t tenant_count;
    size_t held_bytes; /* in all batches, the one being sent included */
    size_t held_batches;
    bool sleeping; /* the sender waits */
    bool flush, closed, abandon;
};

static struct str tenant_of(const struct client *c, const struct entry *e)
{
    struct str own = entry_label(e, STR("__tenant_id__"));
    return own.n ? own : c->config->tenant_id;
}

static void count_lines(struct client *c, enum agent_metric entries, enum agent_metric bytes,
                        const char *tenant, const char *reason, size_t n, size_t byte_count)
{
    const char *values[] = {c->host, tenant, reason};
    agent_count(c->metrics, entries, (double)n, values);
    agent_count(c->metrics, bytes, (double)byte_count, values);
}

static enum err tenant_new(struct client *c, struct str id, struct tenant **ret)
{
    if (c->tenant_count >= AGENT_TENANTS_MAX) {
        return ERR_LIMIT;
    }
    struct tenant *t = mem_zalloc(sizeof(*t));
    char *copy = mem_dup(id.p ? id.p : "", id.n);
    if (!t || !copy) {
        mem_free(t);
        mem_free(copy);
        return ERR_OOM;
    }
    t->id = copy;
    t->next = c->tenants;
    c->tenants = t;
    c->tenant_count++;
    const char *retries[] = {c->host, copy};
    agent_count(c->metrics, AM_BATCH_RETRIES, 0, retries);
    static const char *const reasons[] = {"ingester_error", "rate_limited", "stream_limited",
                                          "line_too_long"};
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        count_lines(c, AM_DROPPED_ENTRIES, AM_DROPPED_BYTES, copy, reasons[i], 0, 0);
        count_lines(c, AM_MUTATED_ENTRIES, AM_MUTATED_BYTES, copy, reasons[i], 0, 0);
    }
    *ret = t;
    return ERR_OK;
}

static enum err tenant_find(struct client *c, struct str id, struct tenant **ret)
{
    if (c->last && str_eq_c(id, c->last->id)) {
        *ret = c->last;
        return ERR_OK;
    }
    struct tenant *t = c->tenants;
    while (t && !str_eq_c(id, t->id)) {
        t = t->next;
    }
    enum err e = ERR_OK;
    if (!t) {
        e = tenant_new(c, id, &t);
    }
    if (!e) {
        c->last = t;
        *ret = t;
    }
    return e;
}

static void wake_sender(struct client *c)
{
    if (c->sleeping) {
        cond_signal(&c->work);
    }
}

/* The open batch goes to the end of the tenant's line. */
static void close_open(struct tenant *t)
{
    if (!t->open) {
        return;
    }
    if (t->tail) {
        t->tail->next = t->open;
    } else {
        t->head = t->open;
    }
    t->tail = t->open;
    t->open = NULL;
}

static enum err open_batch(struct client *c, struct tenant *t)
{
    enum err e = batch_new(&t->open);
    if (!e) {
        t->open_since_ns = clock_mono_ns(clock_real());
        c->held_batches++;
        wake_sender(c);
    }
    return e;
}

/* Adds to the tenant's open batch. The lock is held. */
static enum err put_locked(struct client *c, const struct entry *e, struct str line)
{
    struct tenant *t = NULL;
    enum err err = tenant_find(c, tenant_of(c, e), &t);
    if (err) {
        return err;
    }
    if (c->limits.streams_max && t->open && t->open->stream_count >= c->limits.streams_max &&
        !batch_has_stream(t->open, e)) {
        count_lines(c, AM_DROPPED_ENTRIES, AM_DROPPED_BYTES, t->id, "stream_limited", 1, line.n);
        return ERR_OK;
    }
    size_t more = batch_entry_bytes(e, line.n);
    if (t->open && t->open->bytes + more > c->config->batch_size_bytes && t->open->item_count) {
        close_open(t);
        wake_sender(c);
    }
    err = t->open ? ERR_OK : open_batch(c, t);
    err = err ? err : batch_add(t->open, e, line, c->config->external_labels);
    if (err == ERR_LIMIT) { /* too many streams for one batch */
        close_open(t);
        err = open_batch(c, t);
        err = err ? err : batch_add(t->open, e, line, c->config->external_labels);
    }
    c->held_bytes += err ? 0 : more;
    return err;
}

/* Longer lines than allowed are cut or dropped. False: dropped. */
static bool fit_line(struct client *c, const struct entry *e, struct str *line)
{
    if (c->limits.line_bytes_max == 0 || line->n <= c->limits.line_bytes_max) {
        return true;
    }
    struct str tenant = tenant_of(c, e);
    char text[128];
    (void)snprintf(text, sizeof(text), "%.*s", STR_FMT(tenant));
    size_t over = line->n - c->limits.line_bytes_max;
    if (c->limits.line_truncate) {
        count_lines(c, AM_MUTATED_ENTRIES, AM_MUTATED_BYTES, text, "line_too_long", 1, over);
        line->n = c->limits.line_bytes_max;
        return true;
    }
    count_lines(c, AM_DROPPED_ENTRIES, AM_DROPPED_BYTES, text, "line_too_long", 1, line->n);
    return false;
}

void client_put(struct client *c, const struct entry *e)
{
    struct str line = e->line;
    if (!fit_line(c, e, &line)) {
        return;
    }
    mutex_lock(&c->lock);
    while (!c->closed && c->held_bytes >= c->queue_bytes_max) {
        c->flush = true; /* what is open must not wait for lines that cannot come */
        wake_sender(c);
        cond_wait(&c->space, &c->lock);
    }
    bool taken = !c->closed && put_locked(c, e, line) == ERR_OK;
    bool closed = c->closed;
    mutex_unlock(&c->lock);
    if (!taken) {
        receipt_fail(e->receipt);
    }
    if (!taken && !closed) {
        LOG_EVENT(LVL_ERROR, "agent_line_not_taken", F_C("client", c->host),
                  F_C("reason", "no memory, or too many tenants"));
    }
}

/* -- the sender -------------------------------------------------------------------------------------------
 */

/* Uniform in [d, 2d), d doubling from the minimum; the last step ends at the maximum. */
static int64_t next_wait_ms(struct client *c, struct tenant *t, int64_t min_ms)
{
    int64_t max = c->config->backoff_max_ms > min_ms ? c->config->backoff_max_ms : min_ms;
    int64_t d = t->wait_ms ? t->wait_ms : min_ms;
    int64_t top = d * 2 <= max ? d * 2 : max;
    int64_t wait = top > d ? d + (int64_t)rng_below(&c->rng, (uint64_t)(top - d)) : d;
    t->wait_ms = d * 2 <= max ? d * 2 : d;
    return wait;
}

/* The tenant with something due, after the one served last; else *ret_wake_ns is when to look again. */
static struct tenant *pick(struct client *c, int64_t now_ns, int64_t *ret_wake_ns)
{
    int64_t batch_wait_ns = c->config->batch_wait_ms * NS_PER_MS;
    struct tenant *from = c->turn && c->turn->next ? c->turn->next : c->tenants, *t = from;
    *ret_wake_ns = now_ns + 60 * NS_PER_S;
    for (size_t i = 0; i < c->tenant_count && t; i++, t = t->next ? t->next : c->tenants) {
        if (!t->head && t->open && (c->flush || c->closed || now_ns >= t->open_since_ns + batch_wait_ns)) {
            close_open(t);
        }
        int64_t due = t->head ? t->not_before_ns : t->open ? t->open_since_ns + batch_wait_ns : INT64_MAX;
        if (t->head && due <= now_ns) {
            c->turn = t;
            return t;
        }
        *ret_wake_ns = due < *ret_wake_ns ? due : *ret_wake_ns;
    }
    return NULL;
}

static struct batch *take_head(struct tenant *t)
{
    struct batch *b = t->head;
    t->head = b->next;
    if (!t->head) {
        t->tail = NULL;
    }
    b->next = NULL;
    return b;
}

static void put_back(struct tenant *t, struct batch *b)
{
    b->next = t->head;
    t->head = b;
    if (!t->tail) {
        t->tail = b;
    }
}

/* The batch is settled: out of the books, whoever waits for space may go on. */
static void settle(struct client *c, struct batch *b, bool ok)
{
    mutex_lock(&c->lock);
    c->held_bytes -= b->bytes;
    c->held_batches--;
    const char *host = c->host;
    agent_gauge_set(c->metrics, AM_QUEUE_BYTES, (double)c->held_bytes, &host);
    mutex_unlock(&c->lock);
    batch_free(b, ok);
    mutex_lock(&c->lock);
    cond_broadcast(&c->space);
    mutex_unlock(&c->lock);
}

static void delivered(struct client *c, struct tenant *t, struct batch *b, const struct delivery *d)
{
    t->wait_ms = 0;
    t->not_before_ns = 0;
    agent_count_1(c->metrics, AM_SENT_BYTES, (double)d->encoded_bytes, c->host);
    agent_count_1(c->metrics, AM_SENT_ENTRIES, (double)(b->item_count - d->refused), c->host);
    if (d->refused) {
        count_lines(c, AM_DROPPED_ENTRIES, AM_DROPPED_BYTES, t->id, "ingester_error", d->refused, 0);
        LOG_EVENT(LVL_WARN, "agent_lines_refused", F_C("client", c->host), F_C("tenant", t->id),
                  F_U64("lines", d->refused), F_C("reason", d->reason));
    }
    if (b->tries) {
        LOG_EVENT(LVL_INFO, "agent_delivery_resumed", F_C("client", c->host), F_C("tenant", t->id),
                  F_U64("tries", b->tries + 1));
    }
    settle(c, b, true);
}

static void drop(struct client *c, struct tenant *t, struct batch *b, const struct delivery *d)
{
    const char *reason = d->verdict == DELIVERY_THROTTLED ? "rate_limited" : "ingester_error";
    count_lines(c, AM_DROPPED_ENTRIES, AM_DROPPED_BYTES, t->id, reason, b->item_count, b->bytes);
    LOG_EVENT(LVL_ERROR, "agent_batch_dropped", F_C("client", c->host), F_C("tenant", t->id),
              F_I64("status", d->status), F_U64("lines", b->item_count), F_U64("tries", b->tries),
              F_C("reason", d->reason));
    t->wait_ms = 0;
    t->not_before_ns = 0;
    settle(c, b, true);
}

static void retry(struct client *c, struct tenant *t, struct batch *b, const struct delivery *d)
{
    int64_t min = c->config->backoff_min_ms;
    min = d->verdict == DELIVERY_HELD && min < HELD_WAIT_MIN_MS ? HELD_WAIT_MIN_MS : min;
    int64_t wait = next_wait_ms(c, t, min);
    wait = d->retry_after_ms > wait ? d->retry_after_ms : wait;
    const char *values[] = {c->host, t->id};
    agent_count(c->metrics, AM_BATCH_RETRIES, 1, values);
    LOG_EVENT(LVL_WARN, "agent_delivery_failed", F_C("client", c->host), F_C("tenant", t->id),
              F_I64("status", d->status), F_U64("tries", b->tries), F_I64("again_in_ms", wait),
              F_C("reason", d->reason));
    mutex_lock(&c->lock);
    t->not_before_ns = clock_mono_ns(clock_real()) + wait * NS_PER_MS;
    put_back(t, b);
    mutex_unlock(&c->lock);
}

/* 413: two halves, sent one after the other. False when it cannot be cut further. */
static bool halve(struct client *c, struct tenant *t, struct batch *b)
{
    struct batch *second;
    size_t before = b->bytes;
    if (b->item_count < 2 || batch_split(b, &second)) {
        return false;
    }
    mutex_lock(&c->lock);
    c->held_bytes = c->held_bytes - before + b->bytes + second->bytes;
    c->held_batches++;
    put_back(t, second);
    put_back(t, b);
    mutex_unlock(&c->lock);
    return true;
}

static void deliver(struct client *c, struct tenant *t, struct batch *b)
{
    struct delivery d;
    if (b->item_count == 0) {
        settle(c, b, true);
        return;
    }
    c->deliverer->ops->deliver(c->deliverer, b, str_c(t->id), &d);
    if (b->tries == 0) {
        agent_count_1(c->metrics, AM_ENCODED_BYTES, (double)d.encoded_bytes, c->host);
    }
    if (d.verdict == DELIVERY_DONE) {
        delivered(c, t, b, &d);
        return;
    }
    b->tries++;
    bool spent = c->config->retries_explicit && b->tries >= c->config->retries_max;
    bool lets_go = d.verdict == DELIVERY_THROTTLED && c->config->drop_rate_limited;
    if (d.verdict == DELIVERY_TOO_LARGE && halve(c, t, b)) {
        return;
    }
    if (d.verdict == DELIVERY_REFUSED || d.verdict == DELIVERY_TOO_LARGE || spent || lets_go) {
        drop(c, t, b, &d);
    } else {
        retry(c, t, b, &d);
    }
}

static void sender_main(void *ctx)
{
    struct client *c = ctx;
    mutex_lock(&c->lock);
    while (!c->abandon && !(c->closed && c->held_batches == 0)) {
        int64_t wake_ns;
        struct tenant *t = pick(c, clock_mono_ns(clock_real()), &wake_ns);
        if (!t) {
            c->flush = false;
            c->sleeping = true;
            (void)cond_wait_until(&c->work, &c->lock, wake_ns);
            c->sleeping = false;
            continue;
        }
        struct batch *b = take_head(t);
        mutex_unlock(&c->lock);
        deliver(c, t, b);
        mutex_lock(&c->lock);
    }
    mutex_unlock(&c->lock);
}

/* -- life -------------------------------------------------------------------------------------------------
 */

static enum err start(struct client *c, struct log_sink *sink, struct err_info *info)
{
    struct str host = sink ? STR("local") : c->config->host;
    c->host = mem_dup(host.p, host.n);
    enum err e = c->host ? ERR_OK : ERR_OOM;
    if (!e) {
        e = sink ? deliver_sink_new(sink, &c->deliverer)
                 : deliver_http_new(c->config, c->metrics, &c->deliverer);
    }
    if (!e) {
        agent_count_1(c->metrics, AM_ENCODED_BYTES, 0, c->host);
        agent_count_1(c->metrics, AM_SENT_BYTES, 0, c->host);
        agent_count_1(c->metrics, AM_SENT_ENTRIES, 0, c->host);
        e = thread_start(&c->sender, "agent-send", sender_main, c);
    }
    return e ? err_set(info, e, "cannot start the client for %.*s: %s", STR_FMT(host), err_text(e)) : ERR_OK;
}

enum err client_new(const struct client_config *config, const struct client_limits *limits,
                    struct log_sink *sink, struct agent_metrics *metrics, struct client **ret_client,
                    struct err_info *reterr_info)
{
    struct client *c = mem_zalloc(sizeof(*c));
    if (!c) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    c->config = config;
    c->limits = *limits;
    c->metrics = metrics;
    c->queue_bytes_max = (size_t)config->batch_size_bytes * AGENT_QUEUE_BATCHES;
    rng_init(&c->rng, (uint64_t)clock_mono_ns(clock_real()) ^ (uint64_t)(uintptr_t)c);
    mutex_init(&c->lock);
    cond_init(&c->work);
    cond_init(&c->space);
    enum err e = start(c, sink, reterr_info);
    if (e) {
        client_free(c);
        return e;
    }
    *ret_client = c;
    return ERR_OK;
}

bool client_drain(struct client *c, int64_t deadline_ns)
{
    mutex_lock(&c->lock);
    while (c->held_batches && !c->closed) {
        c->flush = true;
        wake_sender(c);
        if (!cond_wait_until(&c->space, &c->lock, deadline_ns)) {
            break;
        }
    }
    bool empty = c->held_batches == 0;
    mutex_unlock(&c->lock);
    return empty;
}

void client_close(struct client *c)
{
    mutex_lock(&c->lock);
    c->closed = true;
    cond_signal(&c->work);
    cond_broadcast(&c->space);
    mutex_unlock(&c->lock);
}

/* True when everything held has been settled before the deadline. */
static bool wait_empty(struct client *c, int64_t deadline_ns)
{
    mutex_lock(&c->lock);
    while (c->held_batches && cond_wait_until(&c->space, &c->lock, deadline_ns)) {
        /* a batch was settled; look again */
    }
    bool empty = c->held_batches == 0;
    c->abandon = !empty;
    cond_signal(&c->work);
    mutex_unlock(&c->lock);
    return empty;
}

bool client_is_full(struct client *c)
{
    mutex_lock(&c->lock);
    bool full = c->held_bytes >= c->queue_bytes_max;
    mutex_unlock(&c->lock);
    return full;
}

/* Every tenant with lines waiting has met failures: they will hardly be delivered within seconds. */
static bool in_trouble(struct client *c)
{
    bool waiting = false, trouble = true;
    mutex_lock(&c->lock);
    for (const struct tenant *t = c->tenants; t; t = t->next) {
        waiting |= t->head != NULL;
        trouble &= !t->head || t->wait_ms > 0;
    }
    mutex_unlock(&c->lock);
    return waiting && trouble;
}

void client_stop(struct client *c, int64_t grace_ms)
{
    if (!c->sender.started) {
        return;
    }
    client_close(c);
    if (grace_ms > TROUBLE_GRACE_MS && in_trouble(c)) {
        grace_ms = TROUBLE_GRACE_MS;
    }
    if (!wait_empty(c, clock_mono_ns(clock_real()) + grace_ms * NS_PER_MS)) {
        LOG_EVENT(LVL_WARN, "agent_stopped_with_lines_waiting", F_C("client", c->host),
                  F_C("effect", "they are read again at the next start"));
        c->deliverer->ops->cancel(c->deliverer);
    }
    thread_join(&c->sender);
}

static void free_list(struct batch *b)
{
    while (b) {
        struct batch *next = b->next;
        batch_free(b, false);
        b = next;
    }
}

void client_free(struct client *c)
{
    if (!c) {
        return;
    }
    for (struct tenant *t = c->tenants, *next; t; t = next) {
        next = t->next;
        free_list(t->head);
        batch_free(t->open, false);
        mem_free(t->id);
        mem_free(t);
    }
    if (c->deliverer) {
        c->deliverer->ops->free(c->deliverer);
    }
    cond_done(&c->work);
    cond_done(&c->space);
    mutex_done(&c->lock);
    mem_free(c->host);
    mem_free(c);
}

struct str client_host(const struct client *c)
{
    return str_c(c->host);
}
