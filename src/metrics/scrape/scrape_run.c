/* One scrape: the call, the body, the batch, what is remembered of it.
 *
 * scrape_start runs on the timetable's thread, answer_came on the client's, the rest on a worker. */
#include "base/log.h"
#include "base/mem.h"
#include "codec/num.h"
#include "metrics/model/value.h"
#include "metrics/scrape/scrape_int.h"

#define COUNT(m, field, n) atomic_fetch_add_explicit(&(m)->field, (n), memory_order_relaxed)

/* -- the answer ------------------------------------------------------------------------------------------ */

/* As Go's net/http says it: 404 Not Found. */
static const char *status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } rows[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {102, "Processing"},
        {103, "Early Hints"},
        {201, "Created"},
        {202, "Accepted"},
        {203, "Non-Authoritative Information"},
        {204, "No Content"},
        {205, "Reset Content"},
        {206, "Partial Content"},
        {207, "Multi-Status"},
        {208, "Already Reported"},
        {226, "IM Used"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {305, "Use Proxy"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {410, "Gone"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Request Entity Too Large"},
        {414, "Request URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Requested Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {418, "I'm a teapot"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Entity"},
        {423, "Locked"},
        {424, "Failed Dependency"},
        {425, "Too Early"},
        {426, "Upgrade Required"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {451, "Unavailable For Legal Reasons"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {506, "Variant Also Negotiates"},
        {507, "Insufficient Storage"},
        {508, "Loop Detected"},
        {510, "Not Extended"},
        {511, "Network Authentication Required"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].status == status) {
            return rows[i].text;
        }
    }
    return "";
}

static enum err answer_error(struct scrape_target *t, struct err_info *info)
{
    if (t->answer_err == ERR_LIMIT) {
        COUNT(t->m, body_limit_hits, 1);
        return err_set(info, ERR_LIMIT, "body size limit exceeded");
    }
    if (t->answer_err == ERR_TIMEOUT) {
        return err_set(info, ERR_TIMEOUT, "Get \"%.*s\": context deadline exceeded", STR_FMT(t->url));
    }
    if (t->answer_err) {
        return err_set(info, t->answer_err, "Get \"%.*s\": %s", STR_FMT(t->url), t->answer_info.message);
    }
    if (t->answer.status != 200) {
        const char *text = status_text(t->answer.status);
        return err_set(info, ERR_UNAVAILABLE, "server returned HTTP status %d%s%s", t->answer.status,
                       text[0] ? " " : "", text);
    }
    return ERR_OK;
}

static enum err format_of(const struct scrape_target *t, enum exposition_format *ret_format,
                          struct err_info *info)
{
    int fallback = t->run->snapshot->job->fallback_protocol;
    enum err e = exposition_format_of(t->answer.content_type, false, ret_format, info);
    if (e && fallback >= 0) {
        bool open = fallback == SCRAPE_OM_1_0_0 || fallback == SCRAPE_OM_0_0_1;
        *ret_format = fallback == SCRAPE_PROTO ? EXPOSITION_PROTO
                      : open                   ? EXPOSITION_OPENMETRICS
                                               : EXPOSITION_TEXT;
        return ERR_OK;
    }
    return e;
}

/* -- the batch ------------------------------------------------------------------------------------------- */

static void add_report(struct scrape_target *t, struct scrape_batch *b, size_t which, double value,
                       enum err *e)
{
    if (*e == ERR_OK) {
        *e = scrape_batch_add(b,
                              (struct sink_series){.labels = t->report[which],
                                                   .hash = t->report_hash[which],
                                                   .ref = t->report_ref[which]},
                              NULL, (struct sink_sample){.ts = t->run_ts, .value = value});
    }
}

static enum err add_reports(struct scrape_target *t, const struct body_reader *r, bool up, double seconds,
                            double body_size)
{
    struct scrape_batch *b = r->batch;
    enum err e = ERR_OK;
    add_report(t, b, REPORT_UP, up, &e);
    add_report(t, b, REPORT_DURATION, seconds, &e);
    add_report(t, b, REPORT_SAMPLES, (double)r->counts.total, &e);
    add_report(t, b, REPORT_POST_RELABEL, (double)r->counts.added, &e);
    add_report(t, b, REPORT_SERIES_ADDED, (double)r->counts.series_added, &e);
    if (r->job->d.extra_metrics) {
        add_report(t, b, REPORT_TIMEOUT, (double)t->run->timeout_ms / 1000, &e);
        add_report(t, b, REPORT_SAMPLE_LIMIT, (double)r->job->d.limits.samples, &e);
        add_report(t, b, REPORT_BODY_SIZE, body_size, &e);
    }
    return e;
}

/* References of another epoch are of no use. */
static void forget_refs(struct scrape_target *t)
{
    size_t pos = 0;
    struct cached_series *s;
    while ((s = scrape_cache_next(&t->cache, &pos))) {
        s->ref = 0;
    }
    memset(t->report_ref, 0, sizeof(t->report_ref));
}

static void keep_refs(struct scrape_target *t, const struct scrape_batch *b, uint64_t epoch)
{
    if (epoch != t->epoch) {
        forget_refs(t);
        t->epoch = epoch;
    }
    size_t report = 0;
    for (size_t i = 0; i < b->series_count; i++) {
        if (b->cached[i]) {
            b->cached[i]->ref = b->series[i].ref;
        } else if (report < REPORT_COUNT) {
            t->report_ref[report++] = b->series[i].ref; /* they come in order */
        }
    }
}

static void count_refusals(struct scrape_target *t, const struct scrape_batch *b, struct scrape_counts *c)
{
    for (size_t i = 0; i < b->sample_count; i++) {
        const struct sink_sample *s = &b->samples[i];
        if (s->status <= SAMPLE_DUPLICATE || is_stale_nan(s->value)) {
            continue;
        }
        c->duplicates += s->status == SAMPLE_CONFLICT;
        c->out_of_order += s->status == SAMPLE_OUT_OF_ORDER || s->status == SAMPLE_TOO_OLD;
        c->out_of_bounds += s->status == SAMPLE_OUT_OF_BOUNDS;
        if (s->status == SAMPLE_LIMIT || s->status == SAMPLE_INVALID) {
            LOG_EVENT(LVL_WARN, "scrape_samples_refused", F_STR("target", t->url),
                      F_C("why", s->status == SAMPLE_LIMIT ? "the limit of series is reached" : "invalid"));
        }
    }
    COUNT(t->m, duplicates, c->duplicates);
    COUNT(t->m, out_of_order, c->out_of_order);
    COUNT(t->m, out_of_bounds, c->out_of_bounds);
    if (c->duplicates || c->out_of_order || c->out_of_bounds) {
        LOG_EVENT(LVL_WARN, "scrape_samples_dropped", F_STR("target", t->url),
                  F_U64("duplicate", c->duplicates), F_U64("out_of_order", c->out_of_order),
                  F_U64("out_of_bounds", c->out_of_bounds));
    }
}

/* Known series are sent without labels. When the store has begun a new epoch they are sent again with them.
 */
static enum err give_labels(struct scrape_target *t, const struct body_reader *r)
{
    struct scrape_batch *b = r->batch;
    enum err e = ERR_OK;
    forget_refs(t);
    for (size_t i = 0; i < b->series_count && !e; i++) {
        b->series[i].ref = 0;
        if (b->cached[i] && b->series[i].labels.n == 0) {
            e = scrape_body_labels_again(r, b->cached[i], &b->series[i].labels);
        }
    }
    return e;
}

static enum err send(struct scrape_target *t, struct scrape_batch *b, bool allow_late, struct err_info *info)
{
    const struct scrape_destination to = {t->m->o.sink, t->m->o.tenant, t->epoch};
    uint64_t epoch = 0;
    enum err e = scrape_batch_send(b, &to, allow_late, &epoch, info);
    if (!e) {
        keep_refs(t, b, epoch);
    }
    return e;
}

static enum err append(struct scrape_target *t, struct body_reader *r, bool allow_late, struct err_info *info)
{
    enum err e = send(t, r->batch, allow_late, info);
    if (e == ERR_CONFLICT) {
        e = give_labels(t, r);
        e = e ? e : send(t, r->batch, allow_late, info);
    }
    if (!e) {
        COUNT(t->m, samples, scrape_batch_samples(r->batch));
    }
    return e;
}

/* A series whose samples were all refused was not added: it will be by one that is stored. */
static void uncount_refused(const struct scrape_batch *b, struct scrape_counts *c)
{
    for (size_t i = 0; i < b->sample_count; i++) {
        if (b->cached[i] && b->samples[i].status <= SAMPLE_DUPLICATE) {
            b->cached[i]->flags &= (uint8_t)~CACHED_JUST;
        }
    }
    for (size_t i = 0; i < b->sample_count; i++) {
        struct cached_series *s = b->cached[i];
        if (s && (s->flags & CACHED_JUST)) {
            s->flags &= (uint8_t) ~(CACHED_JUST | CACHED_COUNTED);
            c->series_added -= c->series_added > 0;
        }
    }
}

/* Samples with timestamps of their own are refused more often: they go ahead of the reports, which tell how
 * many series they added. */
static enum err append_timed(struct scrape_target *t, struct body_reader *r, struct err_info *info)
{
    enum err e = append(t, r, true, info);
    if (!e) {
        count_refusals(t, r->batch, &r->counts);
        uncount_refused(r->batch, &r->counts);
        r->counts.duplicates = r->counts.out_of_order = r->counts.out_of_bounds = 0; /* told */
        *r->batch = (struct scrape_batch){.a = r->batch->a, .ts = r->batch->ts};
    }
    return e;
}

/* -- what is remembered ---------------------------------------------------------------------------------- */

static void set_status(struct scrape_target *t, bool up, const char *error, double seconds)
{
    mutex_lock(&t->status_lock);
    mem_free(t->last_error);
    t->last_error = up ? NULL : mem_dup(error, strlen(error));
    t->health = up ? SCRAPE_UP : SCRAPE_DOWN;
    t->last_scrape_ms = t->run_ts;
    t->last_seconds = seconds;
    mutex_unlock(&t->status_lock);
}

static void count_limits(struct scrape_target *t, const struct scrape_counts *c)
{
    COUNT(t->m, sample_limit_hits, c->hit_sample_limit);
    COUNT(t->m, label_limit_hits, c->hit_label_limit);
    COUNT(t->m, bucket_limit_hits, c->hit_bucket_limit);
}

/* -- one run --------------------------------------------------------------------------------------------- */

static enum err read_answer(struct scrape_target *t, struct body_reader *r, struct err_info *info)
{
    enum exposition_format format = EXPOSITION_TEXT;
    struct str forced = t->run->snapshot->forced_error;
    enum err e = forced.n ? err_set(info, ERR_LIMIT, "%.*s", STR_FMT(forced)) : answer_error(t, info);
    e = e || t->answer.body.n == 0 ? e : format_of(t, &format, info); /* nothing has any format */
    if (e) {
        return e;
    }
    mutex_lock(&t->status_lock); /* the metadata table */
    e = scrape_body_read(r, format, buf_view(&t->answer.body), info);
    mutex_unlock(&t->status_lock);
    return e == ERR_OOM && !info->message[0] ? err_set(info, e, "out of memory") : e;
}

static void finish(struct scrape_target *t, struct body_reader *r, enum err e, struct err_info *info,
                   double seconds)
{
    struct err_info failure = {0};
    bool up = e == ERR_OK;
    enum err sent = scrape_body_mark_stale(r);
    bool whole = !t->answer_err && t->answer.status == 200; /* whatever is in it */
    double body_size = whole ? (double)t->answer.body.n : t->answer_err == ERR_LIMIT ? -1 : 0;
    if (!sent && r->batch->has_timestamps && r->counts.series_added) {
        sent = append_timed(t, r, &failure);
    }
    sent = sent ? sent : add_reports(t, r, up, seconds, body_size);
    sent = sent ? sent : append(t, r, r->batch->has_timestamps, &failure);
    if (sent) {
        const char *why = failure.message[0] ? failure.message : err_text(sent);
        LOG_EVENT(LVL_ERROR, "scrape_append_failed", F_STR("target", t->url), F_C("err", why),
                  F_C("action", "the scrape is lost; the next one is tried"));
        set_status(t, false, why, seconds);
        return;
    }
    count_refusals(t, r->batch, &r->counts);
    if (up) {
        if (t->answer.body.n) { /* an exporter that says nothing once has the same series again */
            scrape_cache_trim(&t->cache);
        }
        mutex_lock(&t->status_lock);
        scrape_metadata_trim(&t->metadata, t->cache.page_reads, t->cache.page_repeats);
        mutex_unlock(&t->status_lock);
    } else {
        COUNT(t->m, scrapes_failed, 1);
        scrape_failure_log(r->job, t->url, info->message);
        LOG_EVENT(LVL_DEBUG, "scrape_failed", F_STR("target", t->url), F_C("err", info->message));
    }
    set_status(t, up, info->message, seconds);
}

static double seconds_since(int64_t ns)
{
    return (double)(clock_mono_ns(clock_real()) - ns) / (double)NS_PER_S;
}

static void process_task(void *ctx)
{
    struct scrape_target *t = ctx;
    struct arena work AUTO_ARENA = {0};
    struct scrape_batch batch = {.a = &work};
    struct err_info info = {0};
    struct body_reader r = {.job = t->run->snapshot->job,
                            .target = t->labels,
                            .native_histograms = t->run->native_histograms,
                            .classic_histograms = t->run->classic_histograms,
                            .ts = t->run_ts,
                            .cache = &t->cache,
                            .metadata = &t->metadata,
                            .batch = &batch};
    arena_init(&work, SCRAPE_MEMORY_BYTES_MAX, NULL);
    scrape_cache_begin(&t->cache);
    enum err e = read_answer(t, &r, &info);
    count_limits(t, &r.counts);
    if (e) {
        batch = (struct scrape_batch){.a = &work};
        scrape_cache_rollback(&t->cache);
    }
    finish(t, &r, e, &info, seconds_since(t->run_started_ns));
    COUNT(t->m, scrapes, 1);
    http_answer_done(&t->answer);
    timetable_done(t);
}

void scrape_end_task(void *ctx)
{
    struct scrape_target *t = ctx;
    struct arena work AUTO_ARENA = {0};
    struct scrape_batch batch = {.a = &work};
    struct body_reader r = {.job = t->run->snapshot->job,
                            .target = t->labels,
                            .ts = t->run_ts,
                            .cache = &t->cache,
                            .batch = &batch};
    struct err_info info = {0};
    enum err e = ERR_OK;
    if (t->last_started_ns) { /* it was scraped at least once */
        scrape_cache_begin(&t->cache);
        e = scrape_body_mark_stale(&r);
        size_t n = r.job->d.extra_metrics ? REPORT_COUNT : REPORT_TIMEOUT;
        for (size_t i = 0; i < n; i++) {
            add_report(t, &batch, i, stale_nan(), &e);
        }
        /* Never late: a target that came back has newer samples, and its series are not stale. */
        e = e ? e : append(t, &r, false, &info);
    }
    if (e) {
        LOG_EVENT(LVL_WARN, "scrape_stale_markers_failed", F_STR("target", t->url),
                  F_C("err", info.message[0] ? info.message : err_text(e)));
    }
    timetable_done(t);
}

/* -- the call -------------------------------------------------------------------------------------------- */

static void answer_came(void *ctx, enum err e, struct http_answer *answer, const struct err_info *info)
{
    struct scrape_target *t = ctx;
    t->answer_err = e;
    t->answer = (struct http_answer){0};
    if (e) {
        t->answer_info = *info;
    } else {
        t->answer = *answer;
        *answer = (struct http_answer){0};
    }
    if (e == ERR_CANCELED || pool_submit(t->m->workers, process_task, t)) {
        http_answer_done(&t->answer);
        timetable_done(t);
    }
}

static void note_interval(struct scrape_target *t)
{
    if (t->last_started_ns && t->m->o.on_interval) {
        t->m->o.on_interval(t->m->o.ctx, t->run->interval_ms,
                            (double)(t->run_started_ns - t->last_started_ns) / (double)NS_PER_S);
    }
    t->last_started_ns = t->run_started_ns;
}

void scrape_start(struct scrape_target *t)
{
    const struct scrape_job *job = t->run->snapshot->job;
    char seconds[NUM_F64_BYTES_MAX];
    size_t n = num_f64_format(seconds, (double)t->run->timeout_ms / 1000, 'g');
    const struct http_header headers[] = {
        {STR("Accept"), t->run->accept},
        {STR("User-Agent"), t->m->o.user_agent},
        {STR("X-Prometheus-Scrape-Timeout-Seconds"), str_of(seconds, n)},
        {STR("Accept-Encoding"), STR("identity")},
    };
    uint64_t limit = job->d.limits.body_size_bytes;
    const struct http_call call = {
        .url = t->url,
        .headers = headers,
        .header_count = ARRAY_LEN(headers) - job->compression,
        .timeout_ms = t->run->timeout_ms,
        .response_bytes_max = limit ? (size_t)limit - 1 + (limit == 1) : SCRAPE_BODY_BYTES_MAX,
        .config = job->http,
        .unix_socket = t->unix_socket,
        .accept_compressed = true, /* gzip is read also when it was not asked for */
        .follow_redirects = true};
    struct err_info info = {0};
    struct http_answer none = {0};
    t->run_started_ns = clock_mono_ns(clock_real());
    note_interval(t);
    if (t->run->snapshot->forced_error.n) {
        answer_came(t, ERR_UNAVAILABLE, &none, &info);
        return;
    }
    enum err e = http_client_start(t->m->client, &call, answer_came, t, &info);
    if (e) {
        answer_came(t, e, &none, &info);
    }
}
