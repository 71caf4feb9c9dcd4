/* Going through a script: samples into the host's store, evals to the engine. */
#include <stdio.h>

#include "metrics/script/script_int.h"

enum {
    WHY_BYTES_MAX = 4096,
    SAMPLES_MAX = 50000000
};

struct running {
    const struct promql_options *o;
    const struct script_host *host;
    struct script_counts *counts;
    struct err_info *info;
    struct metric_sink *sink;
    struct metric_source *source;
    struct str rest; /* of the script */
    unsigned line;   /* of what was taken last */
};

/* The next line without its comment and spaces; p == NULL at the end. */
static struct str line_take(struct running *r)
{
    if (!r->rest.p) {
        return (struct str){0};
    }
    struct str line = str_trim(str_cut(&r->rest, '\n'));
    r->line++;
    return line.n && line.p[0] == '#' ? STR("") : line.n ? line : STR("");
}

static struct str line_peek(const struct running *r)
{
    struct running copy = *r;
    return line_take(&copy);
}

/* Lines up to an empty one, or the next command, belong to the command above. */
static bool block_line(struct running *r, struct str *ret_line)
{
    struct str next = line_peek(r);
    bool command = str_eq_c(next, "clear") || str_starts(next, STR("eval instant ")) ||
                   str_starts(next, STR("eval range ")) || str_starts(next, STR("eval_")) ||
                   (str_starts(next, STR("load ")) && str_find_char(next, '{', 0) == STR_NPOS);
    if (!next.p || !next.n || command) {
        return false;
    }
    *ret_line = line_take(r);
    return true;
}

/* -- load ------------------------------------------------------------------------------------------------ */

static enum err samples_send(struct running *r, struct arena *a, const struct script_series *s, int64_t step)
{
    struct sink_sample *samples = arena_array(a, s->n + 1, sizeof(*samples));
    size_t n = 0;
    if (!samples) {
        return err_set(r->info, ERR_OOM, "out of memory");
    }
    for (size_t i = 0; i < s->n; i++) {
        if (!s->values[i].absent) {
            const struct script_value *v = &s->values[i];
            ts_ms ts = (ts_ms)i * step;
            samples[n++] = (struct sink_sample){
                .ts = ts, .value = v->v, .histogram = v->h, .start_ts = v->has_start ? ts + v->start_ms : 0};
        }
    }
    struct sink_series series = {.labels = s->labels};
    struct sink_batch b = {.tenant = QUERY_TENANT_DEFAULT,
                           .series = &series,
                           .series_count = 1,
                           .samples = samples,
                           .sample_count = n,
                           .allow_late = true};
    struct sink_result result;
    return n && s->labels.n ? r->sink->ops->append(r->sink, &b, &result, r->info) : ERR_OK;
}

/* Start timestamps stand on a line of their own, above their series'. */
static void starts_join(struct script_series *s, const struct script_series *starts)
{
    for (size_t i = 0; labels_eq(s->labels, starts->labels) && i < s->n && i < starts->n; i++) {
        s->values[i].has_start = starts->values[i].has_start;
        s->values[i].start_ms = starts->values[i].start_ms;
    }
}

static enum err load(struct running *r, struct str command)
{
    struct arena a AUTO_ARENA = {0};
    struct script_block block = {0};
    struct str line, rest = command;
    int64_t step = 0;
    bool custom = str_starts(command, STR("load_with_nhcb"));
    (void)str_cut(&rest, ' ');
    enum err e = script_duration(str_trim(rest), &step, r->info);
    struct script_series s, starts = {0};
    while (!e && block_line(r, &line)) {
        e = script_series_read(&a, line, &s, r->info);
        if (!e && s.starts) {
            starts = s;
        } else if (!e) {
            starts_join(&s, &starts);
            e = script_add(&a, &block, &s);
        }
    }
    e = !e && custom ? script_custom_buckets(&a, &block) : e;
    for (size_t i = 0; !e && i < block.n; i++) {
        e = samples_send(r, &a, &block.series[i], step);
    }
    return e;
}

/* -- eval ------------------------------------------------------------------------------------------------ */

static void judge(struct running *r, const struct script_eval *e, bool ok, const struct buf *why)
{
    char expression[512], reason[WHY_BYTES_MAX];
    if (ok) {
        r->counts->passed++;
        return;
    }
    r->counts->failed++;
    (void)snprintf(expression, sizeof(expression), "%.*s", STR_FMT(e->expr));
    (void)snprintf(reason, sizeof(reason), "%.*s", STR_FMT(buf_view(why)));
    r->host->failed(r->host->ctx, e->line, expression, reason);
}

static void evaluate(struct running *r, const struct script_eval *e)
{
    struct arena a AUTO_ARENA = {0};
    struct buf why AUTO_BUF = {.size_bytes_max = WHY_BYTES_MAX};
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT, .samples_max = SAMPLES_MAX};
    struct promql_result result = {0};
    struct err_info info = {0};
    enum err err =
        e->range ? promql_range(r->o, r->source, &q, e->expr, e->start, e->end, e->step, &a, &result, &info)
                 : promql_instant(r->o, r->source, &q, e->expr, e->start, &a, &result, &info);
    if (err && !e->fail) {
        buf_printf(&why, "failed: %s", info.message);
    } else if (err && !script_text_is(&e->failure, str_c(info.message))) {
        buf_printf(&why, "failed with another message: %s", info.message);
    } else if (!err && e->fail) {
        buf_c(&why, "did not fail");
    } else if (!err && script_compare(e, &result, &a, &why)) {
        (void)script_notes(e, &result, &why);
    }
    judge(r, e, why.n == 0, &why);
}

static enum err eval(struct running *r, struct str command)
{
    struct arena a AUTO_ARENA = {0};
    struct script_eval e;
    struct str line;
    unsigned at = r->line;
    enum err err = script_eval_read(&a, command, &e, r->info);
    e.line = at;
    while (!err && block_line(r, &line)) {
        err = script_eval_line(&a, &e, line, r->info);
    }
    if (!err) {
        evaluate(r, &e);
    }
    return err;
}

/* -- the script ------------------------------------------------------------------------------------------ */

enum err script_run(struct str text, const struct promql_options *o, const struct script_host *host,
                    struct script_counts *ret_counts, struct err_info *reterr_info)
{
    struct script_counts counts = {0};
    struct running r = {.o = o, .host = host, .counts = &counts, .info = reterr_info, .rest = text};
    enum err e = host->fresh(host->ctx, &r.sink, &r.source, reterr_info);
    struct str line;
    while (!e && (line = line_take(&r)).p) {
        unsigned at = r.line;
        if (str_eq_c(line, "clear")) {
            e = host->fresh(host->ctx, &r.sink, &r.source, reterr_info);
        } else if (str_starts(line, STR("load"))) {
            e = load(&r, line);
        } else if (str_starts(line, STR("eval"))) {
            e = eval(&r, line);
        } else if (line.n) {
            e = err_set(reterr_info, ERR_INVALID, "a command is load, clear or eval, not \"%.*s\"",
                        STR_FMT(line));
        }
        if (e && reterr_info->line == 0) {
            reterr_info->line = e == ERR_INVALID ? r.line : at;
        }
    }
    *ret_counts = counts;
    return e;
}
