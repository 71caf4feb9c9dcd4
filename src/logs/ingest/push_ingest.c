/* Checks of a push, stream by stream and entry by entry. */
#include "logs/ingest/push_ingest.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/strmap.h"
#include "base/thread.h"

enum {
    ERRORS_SHOWN_MAX = 100 /* different ones */
};

struct bucket {
    int64_t tokens; /* bytes */
    int64_t at_ns;
};

struct push_ingest {
    struct push_limits limits;
    struct log_sink *sink;
    struct clock *clock;
    struct mutex lock; /* guards counts and buckets */
    struct push_counts counts;
    struct strmap buckets; /* tenant -> struct bucket */
};

static const char *const reason_names[PUSH_REASON_COUNT] = {
    "line_too_long",
    "greater_than_max_sample_age",
    "too_far_in_future",
    "max_label_names_per_series",
    "label_name_too_long",
    "label_value_too_long",
    "duplicate_label_names",
    "missing_labels",
    "invalid_labels",
    "disallowed_structured_metadata",
    "structured_metadata_too_large",
    "structured_metadata_too_many",
    "rate_limited",
};

const char *push_reason_name(enum push_reason r)
{
    return reason_names[r];
}

void push_limits_default(struct push_limits *l)
{
    *l = (struct push_limits){
        .line_bytes_max = 256 << 10,
        .label_name_bytes_max = 1024,
        .label_value_bytes_max = 2048,
        .label_count_max = 15,
        .reject_old = true,
        .old_max_ms = INT64_C(7) * 86400 * MS_PER_S,
        .future_max_ms = 600 * MS_PER_S,
        .metadata_allowed = true,
        .metadata_bytes_max = 64 << 10,
        .metadata_count_max = 128,
        .discover_service_name = true,
        .discover_level = true,
    };
}

enum err push_ingest_new(const struct push_limits *limits, struct log_sink *sink, struct clock *clock,
                         struct push_ingest **ret_ingest)
{
    struct push_ingest *p = mem_zalloc(sizeof(*p));
    if (!p) {
        return ERR_OOM;
    }
    p->limits = *limits;
    p->sink = sink;
    p->clock = clock;
    mutex_init(&p->lock);
    *ret_ingest = p;
    return ERR_OK;
}

void push_ingest_free(struct push_ingest *p)
{
    if (p) {
        strmap_clear(&p->buckets, mem_free);
        strmap_done(&p->buckets);
        mutex_done(&p->lock);
        mem_free(p);
    }
}

/* A text and how often it was to be said. */
struct complaint {
    struct str text;
    unsigned times;
};

/* One push on its way. */
struct job {
    struct push_ingest *p;
    struct arena *a;
    ts_ns now;
    struct complaint errors[ERRORS_SHOWN_MAX];
    unsigned error_count;
    uint64_t discarded;
    struct push_counts counts;
    uint64_t bytes; /* of what passed */
};

static void refuse(struct job *j, enum push_reason why, uint64_t lines, uint64_t bytes, struct str text)
{
    j->counts.discarded_lines[why] += lines;
    j->counts.discarded_bytes[why] += bytes;
    j->discarded += lines;
    unsigned i = 0;
    while (i < j->error_count && !str_eq(j->errors[i].text, text)) {
        i++;
    }
    if (i < ERRORS_SHOWN_MAX) {
        j->errors[i].text = text;
        j->errors[i].times++;
        j->error_count = i < j->error_count ? j->error_count : i + 1;
    }
}

/* All that was refused, equal texts counted. */
static struct str complaints(struct job *j)
{
    struct buf b AUTO_BUF = {0};
    for (unsigned i = 0; i < j->error_count; i++) {
        buf_c(&b, i ? "; " : "");
        if (j->error_count > 1 || j->errors[i].times > 1) {
            buf_printf(&b, "%u errors like: ", j->errors[i].times);
        }
        buf_str(&b, j->errors[i].text);
    }
    return arena_str(j->a, buf_view(&b));
}

static struct str stream_text(struct job *j, struct labels ls)
{
    struct buf b AUTO_BUF = {0};
    labels_format_loki(&b, ls);
    struct str s = arena_str(j->a, buf_view(&b));
    return s.p ? s : STR("{...}");
}

static uint64_t entry_bytes(const struct wire_entry *e)
{
    uint64_t n = e->line.n;
    for (size_t i = 0; i < e->metadata_count; i++) {
        n += e->metadata[i].name.n + e->metadata[i].value.n;
    }
    return n;
}

static uint64_t stream_bytes(const struct wire_stream *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->entry_count; i++) {
        n += entry_bytes(&s->entries[i]);
    }
    return n;
}

/* -- labels ---------------------------------------------------------------------------------------------- */

static struct str service_name(struct labels ls)
{
    static const char *const names[] = {"service",
                                        "app",
                                        "application",
                                        "app_name",
                                        "name",
                                        "app_kubernetes_io_name",
                                        "container",
                                        "container_name",
                                        "k8s_container_name",
                                        "component",
                                        "workload",
                                        "job",
                                        "k8s_job_name"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct str v = labels_get(ls, str_c(names[i]));
        if (v.n) {
            return v;
        }
    }
    return STR("unknown_service");
}

/* The name that stands twice in sorted labels. */
static struct str twice(struct labels ls)
{
    size_t i = 1;
    while (i < ls.n && !str_eq(ls.l[i - 1].name, ls.l[i].name)) {
        i++;
    }
    return i < ls.n ? ls.l[i].name : STR("");
}

/* Sorted, checked, service_name added. False: refused, counted. */
static bool stream_labels(struct job *j, const struct wire_stream *s, struct labels *ret_labels,
                          enum err *ret_e)
{
    const struct push_limits *l = &j->p->limits;
    struct label *out = arena_array(j->a, s->label_count + 1, sizeof(*out));
    size_t n = 0;
    if (!out) {
        *ret_e = ERR_OOM;
        return false;
    }
    for (size_t i = 0; i < s->label_count; i++) {
        out[n++] = (struct label){s->labels[i].name, s->labels[i].value};
    }
    enum err e = labels_normalise(out, &n, NULL);
    struct labels ls = {out, n};
    uint64_t lines = s->entry_count, bytes = stream_bytes(s);
    struct str text = stream_text(j, ls);
    if (e) {
        refuse(j, PUSH_LABEL_DUPLICATE, lines, bytes,
               arena_printf(j->a, "stream '%.*s' has duplicate label name: '%.*s'", STR_FMT(text),
                            STR_FMT(twice(ls))));
        return false;
    }
    if (n == 0) {
        refuse(j, PUSH_LABEL_MISSING, lines, bytes,
               STR("error at least one label pair is required per stream"));
        return false;
    }
    bool has_service = labels_get(ls, STR("service_name")).n > 0;
    if (l->label_count_max && n - has_service > l->label_count_max) {
        refuse(j, PUSH_LABEL_COUNT, lines, bytes,
               arena_printf(j->a, "entry for stream '%.*s' has %zu label names; limit %llu", STR_FMT(text),
                            n - has_service, (unsigned long long)l->label_count_max));
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!out[i].name.n || !str_utf8_valid(out[i].name) || !str_utf8_valid(out[i].value)) {
            refuse(j, PUSH_LABEL_INVALID, lines, bytes,
                   arena_printf(
                       j->a, "error parsing labels '%.*s' with error: invalid label name or value: \"%.*s\"",
                       STR_FMT(text), STR_FMT(out[i].name)));
            return false;
        }
        if (l->label_name_bytes_max && out[i].name.n > l->label_name_bytes_max) {
            refuse(j, PUSH_LABEL_NAME_LONG, lines, bytes,
                   arena_printf(j->a, "stream '%.*s' has label name too long: '%.*s'", STR_FMT(text),
                                STR_FMT(out[i].name)));
            return false;
        }
        if (l->label_value_bytes_max && out[i].value.n > l->label_value_bytes_max) {
            refuse(j, PUSH_LABEL_VALUE_LONG, lines, bytes,
                   arena_printf(j->a, "stream '%.*s' has label value too long: '%.*s'", STR_FMT(text),
                                STR_FMT(out[i].value)));
            return false;
        }
    }
    if (l->discover_service_name && !has_service) {
        out[n] = (struct label){STR("service_name"), service_name(ls)};
        n++;
        if (labels_normalise(out, &n, NULL)) {
            *ret_e = ERR_INTERNAL;
            return false;
        }
    }
    *ret_labels = (struct labels){out, n};
    return true;
}

/* -- entries --------------------------------------------------------------------------------------------- */

/* Whole seconds, as Go's time.RFC3339. */
static const char *rfc3339(ts_ns t, char *buf)
{
    char *dot = strchr(clock_format_rfc3339(t, buf, 40), '.');
    if (dot) {
        (void)memcpy(dot, "Z", 2);
    }
    return buf;
}

static bool entry_time(struct job *j, const struct wire_entry *e, struct str stream)
{
    const struct push_limits *l = &j->p->limits;
    char t[40], limit[40];
    ts_ns oldest = j->now - l->old_max_ms * NS_PER_MS;
    if (l->reject_old && e->ts < oldest) {
        refuse(j, PUSH_TOO_OLD, 1, entry_bytes(e),
               arena_printf(
                   j->a,
                   "entry for stream '%.*s' has timestamp too old: %s, oldest acceptable timestamp is: %s",
                   STR_FMT(stream), rfc3339(e->ts, t), rfc3339(oldest, limit)));
        return false;
    }
    if (l->future_max_ms && e->ts > j->now + l->future_max_ms * NS_PER_MS) {
        refuse(j, PUSH_TOO_NEW, 1, entry_bytes(e),
               arena_printf(j->a, "entry for stream '%.*s' has timestamp too new: %s", STR_FMT(stream),
                            rfc3339(e->ts, t)));
        return false;
    }
    return true;
}

static bool entry_metadata(struct job *j, const struct wire_entry *e, struct str stream)
{
    const struct push_limits *l = &j->p->limits;
    uint64_t bytes = entry_bytes(e) - e->line.n;
    if (e->metadata_count == 0) {
        return true;
    }
    if (!l->metadata_allowed) {
        refuse(j, PUSH_METADATA_FORBIDDEN, 1, entry_bytes(e),
               arena_printf(
                   j->a,
                   "stream '%.*s' includes structured metadata, but this feature is disallowed. Please see "
                   "`limits_config.allow_structured_metadata`",
                   STR_FMT(stream)));
        return false;
    }
    if (l->metadata_bytes_max && bytes > l->metadata_bytes_max) {
        refuse(j, PUSH_METADATA_LARGE, 1, entry_bytes(e),
               arena_printf(j->a,
                            "stream '%.*s' has structured metadata too large: '%llu' bytes, limit: '%llu' "
                            "bytes. Please see "
                            "`limits_config.max_structured_metadata_size` or contact your Loki administrator "
                            "to increase it",
                            STR_FMT(stream), (unsigned long long)bytes,
                            (unsigned long long)l->metadata_bytes_max));
        return false;
    }
    if (l->metadata_count_max && e->metadata_count > l->metadata_count_max) {
        refuse(j, PUSH_METADATA_MANY, 1, entry_bytes(e),
               arena_printf(
                   j->a,
                   "stream '%.*s' has too many structured metadata labels: '%zu', limit: '%llu'. Please see "
                   "`limits_config.max_structured_metadata_entries_count` or contact your Loki "
                   "administrator to increase it",
                   STR_FMT(stream), e->metadata_count, (unsigned long long)l->metadata_count_max));
        return false;
    }
    return true;
}

static enum err fill_metadata(struct job *j, const struct wire_entry *e, struct labels stream,
                              struct log_entry *out)
{
    bool level = j->p->limits.discover_level;
    struct label *m =
        (e->metadata_count + level) != 0 ? arena_array(j->a, e->metadata_count + 1, sizeof(*m)) : NULL;
    size_t n = 0;
    if (e->metadata_count + level && !m) {
        return arena_err(j->a);
    }
    for (size_t i = 0; i < e->metadata_count; i++) {
        m[n++] = (struct label){e->metadata[i].name, e->metadata[i].value};
    }
    if (n && labels_normalise(m, &n, NULL)) {
        n = 1; /* the same name twice: the first one counts */
    }
    if (level) {
        struct labels have = {m, n};
        struct str found = push_detect_level(j->a, stream, have, out->line);
        size_t at = 0;
        while (at < n && !str_eq_c(m[at].name, "detected_level")) {
            at++;
        }
        m[at] = (struct label){STR("detected_level"), found};
        n += at == n;
        if (labels_normalise(m, &n, NULL)) {
            return ERR_INTERNAL;
        }
    }
    out->metadata = m;
    out->metadata_count = (uint32_t)n;
    return ERR_OK;
}

static enum err stream_entries(struct job *j, const struct wire_stream *s, struct labels ls,
                               struct log_stream_push *out)
{
    const struct push_limits *l = &j->p->limits;
    struct log_entry *entries = arena_array(j->a, s->entry_count + 1, sizeof(*entries));
    struct str text = {0};
    size_t n = 0;
    if (!entries) {
        return arena_err(j->a);
    }
    for (size_t i = 0; i < s->entry_count; i++) {
        const struct wire_entry *e = &s->entries[i];
        if (!text.p) {
            text = stream_text(j, ls);
        }
        if (!entry_time(j, e, text)) {
            continue;
        }
        struct str line = e->line;
        if (l->line_bytes_max && line.n > l->line_bytes_max) {
            if (!l->line_truncate) {
                refuse(
                    j, PUSH_LINE_TOO_LONG, 1, entry_bytes(e),
                    arena_printf(
                        j->a,
                        "max entry size '%llu' bytes exceeded for stream '%.*s' while adding an entry with "
                        "length '%zu' bytes",
                        (unsigned long long)l->line_bytes_max, STR_FMT(text), line.n));
                continue;
            }
            line.n = (size_t)l->line_bytes_max;
        }
        if (!entry_metadata(j, e, text)) {
            continue;
        }
        entries[n] = (struct log_entry){.ts = e->ts, .line = line};
        if (l->increment_duplicate && n && entries[n].ts == entries[n - 1].ts &&
            !str_eq(entries[n].line, entries[n - 1].line)) {
            entries[n].ts++;
        }
        enum err err = fill_metadata(j, e, ls, &entries[n]);
        if (err) {
            return err;
        }
        j->bytes += entry_bytes(e);
        n++;
    }
    *out = (struct log_stream_push){.labels = ls, .entries = entries, .entry_count = n};
    return ERR_OK;
}

/* -- the whole ------------------------------------------------------------------------------------------- */

/* Takes the bytes from the tenant's bucket. A push larger than the burst always fails. */
static enum err take_rate(struct push_ingest *p, struct str tenant, uint64_t bytes, bool *ret_allowed)
{
    int64_t now = clock_mono_ns(p->clock), burst = (int64_t)p->limits.rate_burst_bytes;
    enum err e = ERR_OK;
    *ret_allowed = true;
    if (p->limits.rate_bytes_s == 0) {
        return ERR_OK;
    }
    mutex_lock(&p->lock);
    struct bucket *b = strmap_get(&p->buckets, tenant);
    if (!b) {
        b = mem_alloc(sizeof(*b));
        e = b ? strmap_put(&p->buckets, tenant, b, NULL) : ERR_OOM;
        if (e) {
            mem_free(b);
            mutex_unlock(&p->lock);
            return e;
        }
        *b = (struct bucket){burst, now};
    }
    double refill = (double)(now - b->at_ns) / (double)NS_PER_S * (double)p->limits.rate_bytes_s;
    b->tokens =
        refill > (double)burst || b->tokens + (int64_t)refill > burst ? burst : b->tokens + (int64_t)refill;
    b->at_ns = now;
    *ret_allowed = b->tokens >= (int64_t)bytes;
    b->tokens -= *ret_allowed ? (int64_t)bytes : 0;
    mutex_unlock(&p->lock);
    return ERR_OK;
}

static void add_counts(struct push_ingest *p, const struct push_counts *c)
{
    mutex_lock(&p->lock);
    p->counts.lines += c->lines;
    p->counts.bytes += c->bytes;
    for (size_t i = 0; i < PUSH_REASON_COUNT; i++) {
        p->counts.discarded_lines[i] += c->discarded_lines[i];
        p->counts.discarded_bytes[i] += c->discarded_bytes[i];
    }
    mutex_unlock(&p->lock);
}

void push_ingest_counts(struct push_ingest *p, struct push_counts *ret_counts)
{
    mutex_lock(&p->lock);
    *ret_counts = p->counts;
    mutex_unlock(&p->lock);
}

static enum err rate_limited(struct job *j, struct str tenant, uint64_t lines, struct push_outcome *o)
{
    j->counts.discarded_lines[PUSH_RATE_LIMITED] += lines;
    j->counts.discarded_bytes[PUSH_RATE_LIMITED] += j->bytes;
    o->status = 429;
    o->discarded = lines;
    o->text = arena_printf(
        j->a,
        "ingestion rate limit exceeded for user %.*s (limit: %llu bytes/sec) while attempting to "
        "ingest '%llu' lines totaling '%llu' bytes, reduce log volume or contact your Loki "
        "administrator to see if the limit can be increased",
        STR_FMT(tenant), (unsigned long long)j->p->limits.rate_bytes_s, (unsigned long long)lines,
        (unsigned long long)j->bytes);
    return o->text.p ? ERR_OK : arena_err(j->a);
}

/* Hands what passed to the store and words the outcome. */
static enum err deliver(struct job *j, struct str tenant, struct log_stream_push *streams, size_t n,
                        struct push_outcome *o)
{
    struct log_push push = {tenant, streams, n};
    struct log_push_result result = {0};
    struct err_info info = {0};
    uint64_t lines = 0;
    for (size_t i = 0; i < n; i++) {
        lines += streams[i].entry_count;
    }
    bool allowed;
    enum err e = take_rate(j->p, tenant, j->bytes, &allowed);
    if (e) {
        return e;
    }
    if (!allowed) {
        return rate_limited(j, tenant, lines, o);
    }
    e = lines ? j->p->sink->ops->push(j->p->sink, &push, &result, &info) : ERR_OK;
    if (e) {
        o->status = e == ERR_INVALID ? 400 : 503;
        o->text = arena_str(j->a, str_c(info.message[0] ? info.message : err_text(e)));
        return o->text.p ? ERR_OK : arena_err(j->a);
    }
    j->counts.lines += result.stored;
    j->counts.bytes += j->bytes;
    o->stored = result.stored;
    o->discarded = j->discarded + result.refused;
    o->status = 204;
    o->text = STR("");
    if (j->error_count || result.refused) {
        o->status = 400;
        o->text = j->error_count ? complaints(j) : arena_str(j->a, str_c(result.first_refusal.message));
    }
    return o->text.p ? ERR_OK : arena_err(j->a);
}

enum err push_ingest_push(struct push_ingest *p, struct str tenant, const struct wire_push *push,
                          struct arena *a, struct push_outcome *ret_outcome)
{
    struct job j = {.p = p, .a = a, .now = clock_wall_ns(p->clock)};
    struct log_stream_push *streams = arena_array(a, push->stream_count + 1, sizeof(*streams));
    size_t n = 0;
    enum err e = streams ? ERR_OK : arena_err(a);
    *ret_outcome = (struct push_outcome){.status = 204, .text = STR("")};
    if (push->stream_count == 0) {
        ret_outcome->status = 422;
        ret_outcome->text = STR("error at least one valid stream is required for ingestion");
        return ERR_OK;
    }
    for (size_t i = 0; i < push->stream_count && !e; i++) {
        const struct wire_stream *s = &push->streams[i];
        struct labels ls;
        if (s->entry_count == 0) {
            continue;
        }
        if (stream_labels(&j, s, &ls, &e)) {
            e = stream_entries(&j, s, ls, &streams[n]);
            n += !e && streams[n].entry_count > 0;
        }
    }
    if (!e) {
        e = deliver(&j, tenant, streams, n, ret_outcome);
    }
    add_counts(p, &j.counts);
    return e;
}
