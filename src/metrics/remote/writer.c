/* The writer's thread: look at the store, send what is new, wait.
 *
 * A round covers (sent_until - LATE, end]; `sent` says of every series in it up to where it went. A request
 * is repeated until it is taken or refused for good; when the receiver stays away the round is begun again,
 * so nothing is skipped and some of it may be sent twice, which receivers accept. */
#include "metrics/remote/writer.h"

#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "codec/compress.h"
#include "codec/remote_read.h"
#include "metrics/ingest/wire_histogram.h"
#include "metrics/remote/sent_table.h"

enum {
    LATE_MS = 2 * 60 * 1000,  /* how late a sample may come and still be sent */
    SLICE_MS = 5 * 60 * 1000, /* of one round, when there is much to catch up */
    ATTEMPTS_MAX = 4,         /* then the round ends: an open cursor pins what it reads */
    ERROR_BYTES_SHOWN = 200
};

struct remote_writer {
    struct remote_writer_options o;
    struct http_client *client;
    struct thread thread;
    struct mutex lock; /* guards what follows, up to `sent` */
    struct cond wake;
    bool stopping, answered;
    enum err answer_err;
    struct http_answer answer;
    struct err_info answer_info;
    struct sent_table sent; /* the thread's, like the next two */
    ts_ms started_ms, sent_until;
    _Atomic uint64_t samples, samples_failed, samples_retried, samples_dropped, bytes, samples_pending;
    _Atomic int64_t shown_until;
};

/* One request in the making. */
struct outgoing {
    struct remote_writer *w;
    struct arena memory; /* of one series at a time */
    struct buf message;
    uint64_t samples;
    struct sent_table *next; /* of this round */
    bool abandoned;          /* the receiver is away: the round is begun again later */
};

/* False: the writer stops. */
static bool wait_ms(struct remote_writer *w, int64_t ms)
{
    int64_t until = clock_mono_ns(clock_real()) + ms * NS_PER_MS;
    mutex_lock(&w->lock);
    while (!w->stopping && cond_wait_until(&w->wake, &w->lock, until)) {
    }
    bool go_on = !w->stopping;
    mutex_unlock(&w->lock);
    return go_on;
}

/* -- one request ----------------------------------------------------------------------------------------- */

enum verdict {
    VERDICT_TAKEN,
    VERDICT_REFUSED,
    VERDICT_AGAIN
};

static enum verdict judge(const struct remote_writer *w, enum err e, int status)
{
    if (e) {
        return e == ERR_INVALID ? VERDICT_REFUSED : VERDICT_AGAIN;
    }
    if (status / 100 == 2) {
        return VERDICT_TAKEN;
    }
    return status / 100 == 5 || (status == 429 && w->o.retry_429) ? VERDICT_AGAIN : VERDICT_REFUSED;
}

/* Retry-After in seconds; `otherwise` when there is none. */
static int64_t retry_after_ms(const struct http_answer *a, int64_t otherwise)
{
    int64_t seconds = 0;
    struct str text = http_answer_header(a, "Retry-After");
    return text.n && str_to_i64(text, &seconds) == ERR_OK && seconds > 0 && seconds < 3600
               ? seconds * MS_PER_S
               : otherwise;
}

static void log_refusal(const struct remote_writer *w, enum verdict v, int status, struct str why,
                        uint64_t samples)
{
    why.n = why.n < ERROR_BYTES_SHOWN ? why.n : ERROR_BYTES_SHOWN;
    LOG_EVENT(v == VERDICT_AGAIN ? LVL_WARN : LVL_ERROR,
              v == VERDICT_AGAIN ? "remote_write_retry" : "remote_write_refused", F_STR("remote", w->o.name),
              F_STR("url", w->o.url), F_I64("status", status), F_STR("err", why), F_U64("samples", samples),
              F_C("action", v == VERDICT_AGAIN ? "sends it again" : "gave these samples up"));
}

static void answer_came(void *ctx, enum err e, struct http_answer *answer, const struct err_info *info)
{
    struct remote_writer *w = ctx;
    mutex_lock(&w->lock);
    w->answer_err = e;
    w->answer_info = *info;
    w->answer = *answer;
    *answer = (struct http_answer){0};
    w->answered = true;
    cond_broadcast(&w->wake);
    mutex_unlock(&w->lock);
}

/* Waits for the answer, or for the end of the writer (CANCELED; the client ends the call when it is freed).
 */
static enum err exchange(struct remote_writer *w, const struct http_call *call,
                         struct http_answer *ret_answer, struct err_info *info)
{
    w->answered = false;
    enum err e = http_client_start(w->client, call, answer_came, w, info);
    if (e) {
        return e;
    }
    mutex_lock(&w->lock);
    while (!w->answered && !w->stopping) {
        cond_wait(&w->wake, &w->lock);
    }
    if (!w->answered) {
        mutex_unlock(&w->lock);
        return err_set(info, ERR_CANCELED, "the writer is stopping");
    }
    *ret_answer = w->answer;
    *info = w->answer_info;
    e = w->answer_err;
    w->answer = (struct http_answer){0};
    mutex_unlock(&w->lock);
    return e;
}

static enum verdict post(struct remote_writer *w, struct str body, unsigned attempt, uint64_t samples,
                         int64_t *backoff_ms)
{
    struct http_header headers[64];
    char number[16];
    size_t n = 0;
    for (size_t i = 0; i < w->o.header_count && n < ARRAY_LEN(headers) - 6; i++) {
        headers[n++] = w->o.headers[i];
    }
    headers[n++] = (struct http_header){STR("Content-Encoding"), STR("snappy")};
    headers[n++] = (struct http_header){STR("Content-Type"), STR("application/x-protobuf")};
    headers[n++] = (struct http_header){STR("X-Prometheus-Remote-Write-Version"), STR("0.1.0")};
    headers[n++] = (struct http_header){STR("User-Agent"), w->o.user_agent};
    if (attempt) {
        (void)snprintf(number, sizeof(number), "%u", attempt);
        headers[n++] = (struct http_header){STR("Retry-Attempt"), str_c(number)};
    }
    const struct http_call call = {.method = STR("POST"),
                                   .url = w->o.url,
                                   .headers = headers,
                                   .header_count = n,
                                   .body = body,
                                   .timeout_ms = w->o.timeout_ms,
                                   .response_bytes_max = 1 << 20,
                                   .config = w->o.http,
                                   .follow_redirects = true};
    struct http_answer answer = {0};
    struct err_info info = {0};
    enum err e = exchange(w, &call, &answer, &info);
    enum verdict v = judge(w, e, answer.status);
    if (v != VERDICT_TAKEN && e != ERR_CANCELED) {
        *backoff_ms = retry_after_ms(&answer, *backoff_ms);
        log_refusal(w, v, answer.status, e ? str_c(info.message) : buf_view(&answer.body), samples);
    }
    http_answer_done(&answer);
    return v;
}

/* Until it is taken or refused. False: the round ends here. */
static bool send_request(struct outgoing *out)
{
    struct remote_writer *w = out->w;
    struct buf body AUTO_BUF = {0};
    int64_t backoff = w->o.backoff_min_ms;
    bool go_on = true;
    if (out->samples == 0) {
        return true;
    }
    enum verdict v = out->message.err || compress_bytes(COMPRESS_SNAPPY, 0, buf_view(&out->message), &body)
                         ? VERDICT_REFUSED
                         : VERDICT_AGAIN;
    for (unsigned attempt = 0; v == VERDICT_AGAIN && go_on && attempt < ATTEMPTS_MAX; attempt++) {
        int64_t pause = backoff;
        v = post(w, buf_view(&body), attempt, out->samples, &pause);
        if (v == VERDICT_AGAIN) {
            atomic_fetch_add(&w->samples_retried, out->samples);
            go_on = wait_ms(w, pause);
            backoff = backoff * 2 < w->o.backoff_max_ms ? backoff * 2 : w->o.backoff_max_ms;
        }
    }
    if (v == VERDICT_TAKEN) {
        atomic_fetch_add(&w->samples, out->samples);
        atomic_fetch_add(&w->bytes, body.n);
    } else if (v == VERDICT_REFUSED) {
        atomic_fetch_add(&w->samples_failed, out->samples);
    }
    out->abandoned = v == VERDICT_AGAIN;
    buf_reset(&out->message);
    out->samples = 0;
    atomic_store(&w->samples_pending, 0);
    return go_on && !out->abandoned;
}

/* -- one series ------------------------------------------------------------------------------------------ */

/* The series as the receiver will know it. *ret_keep false: dropped by write_relabel_configs. */
static enum err outgoing_labels(struct outgoing *out, struct labels own, struct labels *ret_labels,
                                bool *ret_keep)
{
    const struct remote_writer_options *o = &out->w->o;
    struct labels ls = own;
    enum err e = ERR_OK;
    *ret_keep = true;
    for (size_t i = 0; i < o->external.n && !e; i++) {
        if (labels_get(ls, o->external.l[i].name).n == 0) {
            e = labels_with(&out->memory, ls, o->external.l[i].name, o->external.l[i].value, &ls);
        }
    }
    if (!e && o->relabel_count) {
        e = relabel(&out->memory, o->relabel, o->relabel_count, ls, &ls, ret_keep);
    }
    *ret_labels = ls;
    return e;
}

static enum err add_samples(struct outgoing *out, const struct metric_batch *b, const struct metric_series *s,
                            ts_ms after, ts_ms until, struct wire_series *w, ts_ms *newest)
{
    const struct remote_writer_options *o = &out->w->o;
    struct wire_sample *samples = arena_array(&out->memory, s->count + 1, sizeof(*samples));
    struct wire_histogram *histograms =
        arena_array(&out->memory, s->histograms ? s->count + 1 : 1, sizeof(*histograms));
    ts_ms too_old = o->age_max_ms ? clock_wall_ms(clock_real()) - o->age_max_ms : INT64_MIN;
    enum err e = samples && histograms ? ERR_OK : ERR_OOM;
    for (uint32_t i = 0; i < s->count && !e; i++) {
        ts_ms ts = b->ts[s->clock_first + i];
        const struct histogram *h = s->histograms ? s->histograms[i] : NULL;
        if (ts <= after || ts > until) {
            continue;
        }
        *newest = ts;
        if (ts < too_old) {
            atomic_fetch_add(&out->w->samples_dropped, 1);
        } else if (!h) {
            samples[w->sample_count++] = (struct wire_sample){.value = s->values[i], .ts = ts};
        } else if (o->native_histograms) {
            e = histogram_to_wire(&out->memory, h, ts, &histograms[w->histogram_count++]);
        }
    }
    w->samples = samples;
    w->histograms = histograms;
    return e;
}

/* Everything of the series that is newer than what was sent. */
static enum err add_series(struct outgoing *out, const struct metric_batch *b, const struct metric_series *s,
                           ts_ms until)
{
    struct remote_writer *w = out->w;
    ts_ms after = sent_table_get(&w->sent, s->id, w->started_ms), newest = after;
    struct wire_series wire = {0};
    struct labels ls;
    bool keep = false;
    arena_reset(&out->memory);
    enum err e = add_samples(out, b, s, after, until, &wire, &newest);
    e = e ? e : sent_table_put(out->next, s->id, newest);
    if (e || wire.sample_count + wire.histogram_count == 0) {
        return e;
    }
    e = outgoing_labels(out, s->labels, &ls, &keep);
    struct wire_label *labels = e ? NULL : arena_array(&out->memory, ls.n + 1, sizeof(*labels));
    if (e || !labels || !keep) {
        atomic_fetch_add(&w->samples_dropped, e || !labels ? 0 : wire.sample_count + wire.histogram_count);
        return e ? e : !labels ? ERR_OOM : ERR_OK;
    }
    for (size_t i = 0; i < ls.n; i++) {
        labels[i] = (struct wire_label){ls.l[i].name, ls.l[i].value};
    }
    wire.labels = labels;
    wire.label_count = ls.n;
    remote_read_series(&out->message, 1, &wire); /* WriteRequest and QueryResult have the same TimeSeries */
    out->samples += wire.sample_count + wire.histogram_count;
    atomic_store(&w->samples_pending, out->samples);
    return out->message.err;
}

/* -- rounds ---------------------------------------------------------------------------------------------- */

static enum err read_store(struct outgoing *out, ts_ms from, ts_ms until, bool *go_on)
{
    struct remote_writer *w = out->w;
    struct matcher all = {.op = MATCH_NEQ, .name = LABEL_METRIC_NAME, .value = STR("")};
    struct query_ctx q = {.tenant = w->o.tenant};
    const struct metric_select sel = {
        .matchers = &all, .matcher_count = 1, .start_ms = from, .end_ms = until};
    struct metric_cursor *cursor;
    struct metric_batch batch;
    struct err_info info = {0};
    enum err e = w->o.source->ops->select(w->o.source, &q, &sel, &cursor, &info);
    if (e) {
        return e;
    }
    while (*go_on && (e = w->o.source->ops->next(cursor, &batch, &info)) == ERR_OK) {
        for (uint32_t i = 0; i < batch.series_count && !e && *go_on; i++) {
            e = add_series(out, &batch, &batch.series[i], until);
            if (!e && out->samples >= w->o.samples_max) {
                *go_on = send_request(out);
            }
        }
        if (e) {
            break;
        }
    }
    w->o.source->ops->close(cursor);
    e = e == ERR_NOT_FOUND ? ERR_OK : e;
    if (!e && *go_on) {
        *go_on = send_request(out);
    }
    return e;
}

/* *ret_behind: there is more to catch up. */
static void round_of(struct remote_writer *w, bool *ret_behind)
{
    struct sent_table next = {0};
    struct outgoing out = {.w = w, .next = &next};
    ts_ms now = clock_wall_ms(clock_real()),
          until = w->sent_until + SLICE_MS < now ? w->sent_until + SLICE_MS : now;
    bool go_on = true;
    enum err e = read_store(&out, w->sent_until - LATE_MS, until, &go_on);
    arena_done(&out.memory);
    buf_done(&out.message);
    *ret_behind = !e && go_on && until < now;
    if (e) {
        LOG_EVENT(LVL_ERROR, "remote_write_read_failed", F_STR("remote", w->o.name), F_ERR(e),
                  F_C("action", "reads the store again"));
        sent_table_done(&next);
        return;
    }
    if (go_on) {
        sent_table_done(&w->sent);
        w->sent = next;
        w->sent_until = until;
        atomic_store(&w->shown_until, until);
    } else {
        sent_table_done(&next);
    }
}

static void writer_main(void *ctx)
{
    struct remote_writer *w = ctx;
    bool behind = false;
    while (wait_ms(w, behind ? 0 : w->o.deadline_ms)) {
        round_of(w, &behind);
    }
}

/* -- the face -------------------------------------------------------------------------------------------- */

static void writer_free(struct remote_writer *w)
{
    http_client_free(w->client);
    http_answer_done(&w->answer);
    sent_table_done(&w->sent);
    cond_done(&w->wake);
    mutex_done(&w->lock);
    mem_free(w);
}

enum err remote_writer_start(const struct remote_writer_options *o, struct remote_writer **ret_writer)
{
    struct remote_writer *w = mem_zalloc(sizeof(*w));
    if (!w) {
        return ERR_OOM;
    }
    w->o = *o;
    mutex_init(&w->lock);
    cond_init(&w->wake);
    w->started_ms = w->sent_until = clock_wall_ms(clock_real());
    atomic_store(&w->shown_until, w->sent_until);
    enum err e = http_client_new("remote-write", &w->client);
    e = e ? e : thread_start(&w->thread, "remote-write", writer_main, w);
    if (e) {
        writer_free(w);
        return e;
    }
    *ret_writer = w;
    return ERR_OK;
}

void remote_writer_stop(struct remote_writer *w)
{
    if (!w) {
        return;
    }
    mutex_lock(&w->lock);
    w->stopping = true;
    cond_broadcast(&w->wake);
    mutex_unlock(&w->lock);
    thread_join(&w->thread);
    struct remote_writer_options o = w->o;
    writer_free(w);
    if (o.release) {
        o.release(o.hold);
    }
}

void remote_writer_stats(struct remote_writer *w, struct remote_writer_stats *ret_stats)
{
    *ret_stats = (struct remote_writer_stats){.samples = atomic_load(&w->samples),
                                              .samples_failed = atomic_load(&w->samples_failed),
                                              .samples_pending = atomic_load(&w->samples_pending),
                                              .samples_retried = atomic_load(&w->samples_retried),
                                              .samples_dropped = atomic_load(&w->samples_dropped),
                                              .bytes = atomic_load(&w->bytes),
                                              .sent_until_ms = atomic_load(&w->shown_until)};
}
