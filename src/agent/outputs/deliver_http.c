/* POST of a snappy-compressed PushRequest, and what the answer means for the batch. The call runs on the HTTP
 * client's thread so that a stop can end it; the sender waits for it here. */
#include <stdio.h>

#include "agent/outputs/deliver.h"
#include "base/mem.h"
#include "base/thread.h"
#include "codec/compress.h"
#include "net/http_client.h"

enum {
    HEADERS_MAX = 64,
    ANSWER_BYTES_MAX = 64 << 10,
    RETRY_AFTER_MAX_S = 3600
};

struct http_deliverer {
    struct deliverer base;
    const struct client_config *config;
    struct agent_metrics *metrics;
    char *host;
    struct http_client *http;
    struct mutex lock;
    struct cond done;
    /* Under the lock: */
    bool running, canceled;
    enum err outcome;
    struct http_answer answer;
    struct err_info info;
};

static void call_done(void *ctx, enum err e, struct http_answer *answer, const struct err_info *info)
{
    struct http_deliverer *d = ctx;
    mutex_lock(&d->lock);
    d->outcome = e;
    if (e == ERR_OK) {
        d->answer = *answer;
        *answer = (struct http_answer){0};
    } else if (info) {
        d->info = *info;
    }
    d->running = false;
    cond_signal(&d->done);
    mutex_unlock(&d->lock);
}

static size_t make_headers(const struct http_deliverer *d, struct str tenant, struct http_header *h)
{
    size_t n = 0;
    h[n++] = (struct http_header){STR("Content-Type"), STR("application/x-protobuf")};
    h[n++] = (struct http_header){STR("User-Agent"), STR("promtail/3.6.0 (cairn/" CAIRN_VERSION ")")};
    if (tenant.n) {
        h[n++] = (struct http_header){STR("X-Scope-OrgID"), tenant};
    }
    for (size_t i = 0; i < d->config->header_count && n < HEADERS_MAX; i++) {
        if (!tenant.n || !str_ieq(d->config->headers[i].name, STR("X-Scope-OrgID"))) {
            h[n++] = d->config->headers[i];
        }
    }
    return n;
}

static enum err perform(struct http_deliverer *d, struct str tenant, struct str body, struct err_info *info)
{
    struct http_header headers[HEADERS_MAX];
    struct http_call call = {.method = STR("POST"),
                             .url = d->config->url,
                             .headers = headers,
                             .header_count = make_headers(d, tenant, headers),
                             .body = body,
                             .timeout_ms = d->config->timeout_ms,
                             .response_bytes_max = ANSWER_BYTES_MAX,
                             .config = d->config->http};
    mutex_lock(&d->lock);
    d->running = !d->canceled;
    bool go = d->running;
    mutex_unlock(&d->lock);
    if (!go) {
        return err_set(info, ERR_CANCELED, "the agent is stopping");
    }
    enum err e = http_client_start(d->http, &call, call_done, d, info);
    if (e) {
        return e;
    }
    mutex_lock(&d->lock);
    while (d->running && !d->canceled) {
        cond_wait(&d->done, &d->lock);
    }
    bool left = d->running;
    if (!left && d->outcome) {
        *info = d->info;
    }
    e = left ? ERR_CANCELED : d->outcome;
    mutex_unlock(&d->lock);
    return e;
}

static enum delivery_verdict verdict_of(int status)
{
    if (status >= 200 && status < 300) {
        return DELIVERY_DONE;
    }
    if (status == 429) {
        return DELIVERY_THROTTLED;
    }
    if (status >= 500) {
        return DELIVERY_AWAY;
    }
    if (status == 413) {
        return DELIVERY_TOO_LARGE;
    }
    bool mendable = status == 401 || status == 403 || status == 404 || status < 400;
    return mendable ? DELIVERY_HELD : DELIVERY_REFUSED;
}

/* The answer's first line, as far as it is useful in a log. */
static void read_answer(struct http_answer *a, struct delivery *ret)
{
    struct str body = buf_view(&a->body);
    size_t end = str_find_char(body, '\n', 0);
    struct str first = str_trim(end == STR_NPOS ? body : str_slice(body, 0, end));
    ret->status = a->status;
    ret->verdict = verdict_of(a->status);
    (void)snprintf(ret->reason, sizeof(ret->reason), "server returned HTTP status %d: %.*s", a->status,
                   (int)(first.n < 200 ? first.n : 200), first.p ? first.p : "");
    int64_t after_s;
    struct str after = http_answer_header(a, "Retry-After");
    if (after.p && str_to_i64(str_trim(after), &after_s) == ERR_OK && after_s > 0) {
        ret->retry_after_ms = (after_s < RETRY_AFTER_MAX_S ? after_s : RETRY_AFTER_MAX_S) * MS_PER_S;
    }
}

static void observe(struct http_deliverer *d, int status, double seconds)
{
    char code[16];
    (void)snprintf(code, sizeof(code), "%d", status);
    const char *values[] = {code, d->host};
    if (d->metrics) {
        cairn_histogram_observe(cairn_histogram(d->metrics->f[AM_REQUEST_DURATION], values), seconds);
    }
}

static void http_deliver(struct deliverer *base, struct batch *b, struct str tenant, struct delivery *ret)
{
    struct http_deliverer *d = (struct http_deliverer *)base;
    struct buf plain AUTO_BUF = {0}, packed AUTO_BUF = {0};
    struct err_info info = {0};
    *ret = (struct delivery){.verdict = DELIVERY_AWAY, .status = -1};
    enum err e = batch_encode(b, &plain);
    e = e ? e : compress_bytes(COMPRESS_SNAPPY, 0, buf_view(&plain), &packed);
    buf_done(&plain);
    if (e) {
        (void)snprintf(ret->reason, sizeof(ret->reason), "cannot encode the batch: %s", err_text(e));
        return;
    }
    ret->encoded_bytes = packed.n;
    int64_t start_ns = clock_mono_ns(clock_real());
    e = perform(d, tenant, buf_view(&packed), &info);
    if (e == ERR_OK) {
        read_answer(&d->answer, ret);
        http_answer_done(&d->answer);
    } else {
        (void)snprintf(ret->reason, sizeof(ret->reason), "%.250s",
                       info.message[0] ? info.message : err_text(e));
    }
    observe(d, ret->status, (double)(clock_mono_ns(clock_real()) - start_ns) / (double)NS_PER_S);
}

static void http_cancel(struct deliverer *base)
{
    struct http_deliverer *d = (struct http_deliverer *)base;
    mutex_lock(&d->lock);
    d->canceled = true;
    cond_broadcast(&d->done);
    mutex_unlock(&d->lock);
}

static void http_free(struct deliverer *base)
{
    struct http_deliverer *d = (struct http_deliverer *)base;
    http_client_free(d->http); /* a call that still runs ends here, with its callback */
    http_answer_done(&d->answer);
    cond_done(&d->done);
    mutex_done(&d->lock);
    mem_free(d->host);
    mem_free(d);
}

static const struct deliverer_ops http_ops = {http_deliver, http_cancel, http_free};

enum err deliver_http_new(const struct client_config *config, struct agent_metrics *metrics,
                          struct deliverer **ret_deliverer)
{
    struct http_deliverer *d = mem_zalloc(sizeof(*d));
    if (!d) {
        return ERR_OOM;
    }
    d->base.ops = &http_ops;
    d->config = config;
    d->metrics = metrics;
    d->host = mem_dup(config->host.p, config->host.n);
    enum err e = d->host ? http_client_new("agent-http", &d->http) : ERR_OOM;
    if (e) {
        mem_free(d->host);
        mem_free(d);
        return e;
    }
    mutex_init(&d->lock);
    cond_init(&d->done);
    *ret_deliverer = &d->base;
    return ERR_OK;
}
