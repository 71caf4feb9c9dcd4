/* Writing OpenMetrics: families in the order of their names, series after series, times ascending. */
#include "metrics/dump/dump_write.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "codec/num.h"
#include "disk/file.h"
#include "metrics/dump/dump_exemplars.h"
#include "metrics/dump/limits.h"
#include "metrics/model/value.h"

struct writer {
    struct metric_source *src;
    struct query_ctx *q;
    const struct dump_write_options *o;
    struct matcher *matchers; /* the first is for the metric's name */
    int fd;
    struct buf text;   /* not yet written */
    struct buf series; /* the series at hand as text */
    struct dump_exemplars exemplars;
    struct dump_written written;
    struct err_info *info;
};

static enum err flush(struct writer *w)
{
    enum err e = w->text.err != ERR_OK ? err_set(w->info, w->text.err, "no memory to write a dump")
                                       : file_write(w->fd, w->text.p, w->text.n, w->info);
    buf_reset(&w->text);
    return e;
}

/* Backslash, quote (inside quotes) and line feed are escaped, nothing else. */
static void escape(struct buf *b, struct str s, bool quotes)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\n') {
            buf_c(b, "\\n");
            continue;
        }
        if (c == '\\' || (c == '"' && quotes)) {
            buf_char(b, '\\');
        }
        buf_char(b, c);
    }
}

static void quoted(struct buf *b, struct str s)
{
    buf_char(b, '"');
    escape(b, s, true);
    buf_char(b, '"');
}

/* a="b"; a name that is no identifier is quoted. */
static void label_format(struct buf *b, struct label l)
{
    if (label_name_is_legacy(l.name)) {
        buf_str(b, l.name);
    } else {
        quoted(b, l.name);
    }
    buf_char(b, '=');
    quoted(b, l.value);
}

/* name{a="b",c="d"}; names that are no identifiers are quoted, the metric's inside the braces. */
static void series_format(struct buf *b, struct labels ls)
{
    struct str name = labels_get(ls, LABEL_METRIC_NAME);
    bool legacy = metric_name_is_legacy(name), any = false;
    if (legacy) {
        buf_str(b, name);
    }
    for (size_t i = 0; i < ls.n; i++) {
        if (str_eq(ls.l[i].name, LABEL_METRIC_NAME) && (legacy || name.n == 0)) {
            continue;
        }
        buf_char(b, any ? ',' : '{');
        any = true;
        if (str_eq(ls.l[i].name, LABEL_METRIC_NAME)) {
            quoted(b, name);
        } else {
            label_format(b, ls.l[i]);
        }
    }
    buf_c(b, any ? "} " : " ");
}

/* Seconds that come back as the same milliseconds: readers multiply by a thousand and cut off. */
static void time_format(struct buf *b, ts_ms ts)
{
    char text[NUM_F64_BYTES_MAX];
    double s = (double)ts / 1000;
    while ((ts_ms)(s * 1000) < ts && ts >= 0) {
        s = nextafter(s, HUGE_VAL);
    }
    buf_append(b, text, num_f64_format(text, s, 'f'));
}

static void number_format(struct buf *b, double v)
{
    char text[NUM_F64_BYTES_MAX];
    buf_append(b, text, num_f64_format(text, v, 'g'));
}

/* " # {a="b"} value seconds" */
static void exemplar_format(struct buf *b, const struct metric_exemplar *x)
{
    buf_c(b, " # ");
    buf_char(b, '{');
    for (size_t i = 0; i < x->labels.n; i++) {
        buf_c(b, i ? "," : "");
        label_format(b, x->labels.l[i]);
    }
    buf_c(b, "} ");
    number_format(b, x->value);
    buf_char(b, ' ');
    time_format(b, x->ts);
}

static void sample_format(struct writer *w, ts_ms ts, double v, ts_ms start, const struct metric_exemplar *x)
{
    buf_str(&w->text, buf_view(&w->series));
    number_format(&w->text, v);
    buf_char(&w->text, ' ');
    time_format(&w->text, ts);
    if (start && w->o->starts) {
        buf_c(&w->text, " st@");
        time_format(&w->text, start);
    }
    if (x) {
        exemplar_format(&w->text, x);
    }
    w->written.starts_left += start && !w->o->starts;
    w->written.exemplars += x != NULL;
    w->written.samples++;
    buf_char(&w->text, '\n');
}

/* Whether the text has the sample. */
static bool sample_wanted(struct writer *w, ts_ms ts, const struct metric_series *s, uint32_t i, bool count)
{
    if (ts < w->o->start_ms || ts > w->o->end_ms) {
        return false;
    }
    bool histogram = s->histograms && s->histograms[i], stale = !histogram && is_stale_nan(s->values[i]);
    w->written.histograms += histogram && count;
    w->written.stale += stale && count;
    return !histogram && !stale;
}

/* Which exemplar goes with which sample: with the first that is not older and has none yet; those that find
 * none push the others to earlier ones. `places` gets the samples' places among those that
 * are written. Returns how many from the front have no sample. */
static size_t exemplars_place(struct writer *w, const ts_ms *ts, const struct metric_series *s,
                              const struct metric_exemplar_series *x, uint32_t *places)
{
    uint32_t written = 0;
    size_t at = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        ts_ms t = ts[s->clock_first + i];
        if (sample_wanted(w, t, s, i, false)) {
            if (at < x->exemplar_count && x->exemplars[at].ts <= t) {
                places[at++] = written;
            }
            written++;
        }
    }
    while (at < x->exemplar_count) {
        places[at++] = written;
    }
    size_t k = x->exemplar_count;
    for (uint32_t end = written; k > 0 && end > 0; k--) {
        places[k - 1] = places[k - 1] < end ? places[k - 1] : end - 1;
        end = places[k - 1];
    }
    return k;
}

static enum err series_write(struct writer *w, const struct metric_batch *b, const struct metric_series *s)
{
    static const struct metric_exemplar_series none;
    const struct metric_exemplar_series *x = dump_exemplars_of(&w->exemplars, s->labels);
    struct arena a AUTO_ARENA = {0};
    x = x ? x : &none;
    uint32_t *places = arena_array(&a, x->exemplar_count + 1, sizeof(*places));
    if (!places) {
        return err_set(w->info, ERR_OOM, "no memory to write a dump");
    }
    size_t next = x->exemplar_count ? exemplars_place(w, b->ts, s, x, places) : 0;
    uint32_t written = 0;
    enum err e = ERR_OK;
    buf_reset(&w->series);
    series_format(&w->series, s->labels);
    for (uint32_t i = 0; e == ERR_OK && i < s->count; i++) {
        ts_ms ts = b->ts[s->clock_first + i];
        if (!sample_wanted(w, ts, s, i, true)) {
            continue;
        }
        bool with = next < x->exemplar_count && places[next] == written;
        written++;
        sample_format(w, ts, s->values[i], s->start_ts ? s->start_ts[i] : 0,
                      with ? &x->exemplars[next++] : NULL);
        e = w->text.n > DUMP_WINDOW_BYTES ? flush(w) : ERR_OK;
    }
    w->written.series += written > 0;
    return e;
}

/* TYPE and HELP where the store has them under the metric's own name. */
static enum err family_format(struct writer *w, struct str metric)
{
    struct arena a AUTO_ARENA = {0};
    const struct metric_metadata *rows = NULL;
    size_t n = 0;
    enum err e = w->src->ops->metadata(w->src, w->q, metric, 1, &a, &rows, &n, w->info);
    if (e != ERR_OK || n == 0 || !metric_name_is_legacy(metric)) {
        return e;
    }
    if (rows[0].help.n) {
        buf_printf(&w->text, "# HELP %.*s ", STR_FMT(metric));
        escape(&w->text, rows[0].help, true);
        buf_char(&w->text, '\n');
    }
    if (rows[0].type.n) {
        buf_printf(&w->text, "# TYPE %.*s %.*s\n", STR_FMT(metric), STR_FMT(rows[0].type));
    }
    return ERR_OK;
}

static enum err metric_write(struct writer *w, struct str metric)
{
    struct metric_cursor *c = NULL;
    struct metric_batch b;
    enum err e = matcher_init(&w->matchers[0], MATCH_EQ, LABEL_METRIC_NAME, metric, w->info);
    if (e != ERR_OK) {
        return e;
    }
    const struct metric_select sel = {.matchers = w->matchers,
                                      .matcher_count = w->o->matcher_count + 1,
                                      .start_ms = w->o->start_ms,
                                      .end_ms = w->o->end_ms};
    e = family_format(w, metric);
    e = e == ERR_OK ? w->src->ops->select(w->src, w->q, &sel, &c, w->info) : e;
    while (e == ERR_OK && (e = w->src->ops->next(c, &b, w->info)) == ERR_OK) {
        for (uint32_t i = 0; e == ERR_OK && i < b.series_count; i++) {
            e = series_write(w, &b, &b.series[i]);
        }
    }
    if (c) {
        struct str_list warnings = w->src->ops->warnings(c);
        e = e == ERR_NOT_FOUND && warnings.n
                ? err_set(w->info, ERR_CORRUPT, "%.*s", STR_FMT(warnings.items[0]))
                : e;
    }
    w->src->ops->close(c);
    matcher_done(&w->matchers[0]);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err metrics_write(struct writer *w)
{
    struct arena a AUTO_ARENA = {0};
    struct str_list names = {0};
    const struct metric_select sel = {.matchers = w->o->matchers,
                                      .matcher_count = w->o->matcher_count,
                                      .start_ms = w->o->start_ms,
                                      .end_ms = w->o->end_ms};
    enum err e = dump_exemplars_load(&w->exemplars, w->src, w->q, &sel, w->info);
    e = e != ERR_OK
            ? e
            : w->src->ops->label_values(w->src, w->q, LABEL_METRIC_NAME, &sel, 0, &a, &names, w->info);
    for (size_t i = 0; e == ERR_OK && i < names.n; i++) {
        e = metric_write(w, names.items[i]);
        if (w->o->progress) {
            w->o->progress(w->o->ctx, i + 1, names.n);
        }
    }
    buf_c(&w->text, "# EOF\n");
    e = e == ERR_OK ? flush(w) : e;
    return e == ERR_OK && w->written.samples == 0
               ? err_set(w->info, ERR_NOT_FOUND, "no samples in the range that the text can hold")
               : e;
}

static enum err file_written(struct writer *w, const char *path)
{
    char tmp[4096];
    if (file_exists(path)) {
        return err_set(w->info, ERR_EXISTS, "%s is there already: name another file", path);
    }
    if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp)) {
        return err_set(w->info, ERR_LIMIT, "the file's name is too long");
    }
    enum err e = file_remove(tmp, w->info); /* of an export that was cut off */
    e = e == ERR_OK ? file_open(tmp, FILE_WRITE_NEW, &w->fd, w->info) : e;
    if (e != ERR_OK) {
        return e;
    }
    e = metrics_write(w);
    e = e == ERR_OK ? file_sync_data(w->fd, w->info) : e;
    file_close(w->fd);
    e = e == ERR_OK ? file_rename(tmp, path, w->info) : e;
    if (e != ERR_OK) {
        (void)(file_remove(tmp, NULL) == ERR_OK);
    }
    return e;
}

enum err dump_write(struct metric_source *src, struct query_ctx *q, const struct dump_write_options *o,
                    struct dump_written *ret_written, struct err_info *reterr_info)
{
    struct writer w = {.src = src, .q = q, .o = o, .fd = STDOUT_FILENO, .info = reterr_info};
    w.matchers = mem_array(o->matcher_count + 1, sizeof(*w.matchers));
    if (!w.matchers) {
        return err_set(reterr_info, ERR_OOM, "no memory to write a dump");
    }
    if (o->matcher_count) {
        memcpy(w.matchers + 1, o->matchers, o->matcher_count * sizeof(*w.matchers));
    }
    enum err e = strcmp(o->path, "-") == 0 ? metrics_write(&w) : file_written(&w, o->path);
    mem_free(w.matchers);
    w.written.exemplars_left = w.exemplars.exemplars - w.written.exemplars;
    dump_exemplars_done(&w.exemplars);
    buf_done(&w.text);
    buf_done(&w.series);
    *ret_written = w.written;
    return e;
}
