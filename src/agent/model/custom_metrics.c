/* A small registry of its own: metrics by name, series by their label text. */
#include "agent/model/custom_metrics.h"

#include "base/mem.h"
#include "base/strmap.h"
#include "base/thread.h"
#include "codec/num.h"

struct series {
    double value; /* histogram: sum */
    uint64_t count;
    int64_t changed_ns;
    uint64_t buckets[]; /* histogram: by bound, not cumulated */
};

struct custom_metric {
    struct custom_metrics *set;
    struct custom_metric *next;
    char *name, *help;
    enum custom_type type;
    double bounds[CUSTOM_BUCKETS_MAX];
    size_t bound_count;
    int64_t idle_ns;
    struct strmap series; /* by label text: a="b",c="d" */
};

struct custom_metrics {
    struct mutex lock; /* guards everything */
    struct custom_metric *first;
    size_t series_count;
};

enum err custom_metrics_new(struct custom_metrics **ret_set)
{
    struct custom_metrics *s = mem_zalloc(sizeof(*s));
    if (!s) {
        return ERR_OOM;
    }
    mutex_init(&s->lock);
    *ret_set = s;
    return ERR_OK;
}

static void metric_free(struct custom_metric *m)
{
    strmap_clear(&m->series, mem_free);
    strmap_done(&m->series);
    mem_free(m->name);
    mem_free(m->help);
    mem_free(m);
}

void custom_metrics_free(struct custom_metrics *s)
{
    if (!s) {
        return;
    }
    while (s->first) {
        struct custom_metric *next = s->first->next;
        metric_free(s->first);
        s->first = next;
    }
    mutex_done(&s->lock);
    mem_free(s);
}

static struct custom_metric *find(struct custom_metrics *s, struct str name)
{
    struct custom_metric *m = s->first;
    while (m && !str_eq_c(name, m->name)) {
        m = m->next;
    }
    return m;
}

static enum err metric_new(struct custom_metrics *s, const struct custom_options *o,
                           struct custom_metric **ret)
{
    struct custom_metric *m = mem_zalloc(sizeof(*m));
    if (!m) {
        return ERR_OOM;
    }
    m->set = s;
    m->type = o->type;
    m->idle_ns = o->idle_ms * 1000000;
    m->bound_count = o->bound_count < CUSTOM_BUCKETS_MAX ? o->bound_count : CUSTOM_BUCKETS_MAX;
    for (size_t i = 0; i < m->bound_count; i++) {
        m->bounds[i] = o->bounds[i];
    }
    m->name = mem_dup(o->name.p, o->name.n);
    m->help = mem_dup(o->help.p ? o->help.p : "", o->help.n);
    if (!m->name || !m->help) {
        metric_free(m);
        return ERR_OOM;
    }
    struct custom_metric **end = &s->first;
    while (*end) {
        end = &(*end)->next;
    }
    *end = m;
    *ret = m;
    return ERR_OK;
}

enum err custom_metric_get(struct custom_metrics *s, const struct custom_options *o,
                           struct custom_metric **ret_metric)
{
    mutex_lock(&s->lock);
    struct custom_metric *m = find(s, o->name);
    enum err e = !m ? metric_new(s, o, &m) : m->type != o->type ? ERR_CONFLICT : ERR_OK;
    mutex_unlock(&s->lock);
    if (!e) {
        *ret_metric = m;
    }
    return e;
}

static void label_text(struct buf *b, struct labels ls)
{
    for (size_t i = 0; i < ls.n; i++) {
        if (str_starts(ls.l[i].name, STR("__"))) {
            continue;
        }
        buf_c(b, b->n ? "," : "");
        buf_str(b, ls.l[i].name);
        buf_c(b, "=\"");
        for (size_t k = 0; k < ls.l[i].value.n; k++) {
            char c = ls.l[i].value.p[k];
            buf_c(b, c == '\\' || c == '"' || c == '\n' ? "\\" : "");
            buf_char(b, c == '\n' ? 'n' : c);
        }
        buf_char(b, '"');
    }
}

static struct series *series_of(struct custom_metric *m, struct labels ls)
{
    struct buf key AUTO_BUF = {0};
    label_text(&key, ls);
    struct series *s = key.err ? NULL : strmap_get(&m->series, buf_view(&key));
    if (s || key.err || m->set->series_count >= CUSTOM_SERIES_MAX) {
        return s;
    }
    s = mem_zalloc(sizeof(*s) + m->bound_count * sizeof(s->buckets[0]));
    if (!s) {
        return NULL;
    }
    if (strmap_put(&m->series, buf_view(&key), s, NULL)) {
        mem_free(s);
        return NULL;
    }
    m->set->series_count++;
    return s;
}

static void apply(struct custom_metric *m, struct series *s, enum custom_op op, double value)
{
    size_t i = 0;
    switch (op) {
    case CUSTOM_ADD:
        s->value += m->type == CUSTOM_COUNTER && !(value >= 0) ? 0 : value;
        break;
    case CUSTOM_SUB:
        s->value -= value;
        break;
    case CUSTOM_SET:
        s->value = value;
        break;
    case CUSTOM_OBSERVE:
        while (i < m->bound_count && !(value <= m->bounds[i])) {
            i++;
        }
        if (i < m->bound_count) {
            s->buckets[i]++;
        }
        s->value += value;
        s->count++;
        break;
    }
}

void custom_metric_update(struct custom_metric *m, struct labels ls, enum custom_op op, double value,
                          int64_t now_ns)
{
    mutex_lock(&m->set->lock);
    struct series *s = series_of(m, ls);
    if (s) { /* else the limit is reached, or memory is short: the line goes on uncounted */
        apply(m, s, op, value);
        s->changed_ns = now_ns;
    }
    mutex_unlock(&m->set->lock);
}

/* -- exposition ---------------------------------------------------------------------------------------------
 */

static void put_number(struct buf *out, double v)
{
    char text[NUM_F64_BYTES_MAX];
    buf_append(out, text, num_f64_format(text, v, 'g'));
}

static void put_sample(struct buf *out, const char *name, const char *suffix, struct str labels,
                       const char *le, double v)
{
    buf_c(out, name);
    buf_c(out, suffix);
    if (labels.n || le) {
        buf_char(out, '{');
        buf_str(out, labels);
        if (le) {
            buf_printf(out, "%sle=\"%s\"", labels.n ? "," : "", le);
        }
        buf_char(out, '}');
    }
    buf_char(out, ' ');
    put_number(out, v);
    buf_char(out, '\n');
}

static void put_histogram(struct buf *out, const struct custom_metric *m, struct str labels,
                          const struct series *s)
{
    uint64_t total = 0;
    for (size_t i = 0; i < m->bound_count; i++) {
        char le[NUM_F64_BYTES_MAX + 1];
        size_t n = num_f64_format(le, m->bounds[i], 'g');
        le[n] = '\0';
        total += s->buckets[i];
        put_sample(out, m->name, "_bucket", labels, le, (double)total);
    }
    put_sample(out, m->name, "_bucket", labels, "+Inf", (double)s->count);
    put_sample(out, m->name, "_sum", labels, NULL, s->value);
    put_sample(out, m->name, "_count", labels, NULL, (double)s->count);
}

static void put_head(struct buf *out, const struct custom_metric *m, bool openmetrics)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    struct str name = str_c(m->name);
    const char *type = types[m->type];
    if (openmetrics && m->type == CUSTOM_COUNTER) { /* a counter's samples end in _total there */
        if (str_ends(name, STR("_total"))) {
            name.n -= 6;
        } else {
            type = "unknown";
        }
    }
    buf_printf(out, "# HELP %.*s ", STR_FMT(name));
    for (const char *c = m->help; *c; c++) {
        buf_c(out, *c == '\\' || *c == '\n' ? "\\" : "");
        buf_char(out, *c == '\n' ? 'n' : *c);
    }
    buf_printf(out, "\n# TYPE %.*s %s\n", STR_FMT(name), type);
}

static void put_metric(struct buf *out, struct custom_metric *m, bool openmetrics, int64_t now_ns)
{
    size_t pos = 0;
    struct str labels;
    void *value;
    put_head(out, m, openmetrics);
    while (strmap_next(&m->series, &pos, &labels, &value)) {
        struct series *s = value;
        if (m->type == CUSTOM_HISTOGRAM) {
            put_histogram(out, m, labels, s);
        } else {
            put_sample(out, m->name, "", labels, NULL, s->value);
        }
        if (now_ns - s->changed_ns > m->idle_ns) {
            (void)strmap_remove(&m->series, labels);
            mem_free(s);
            m->set->series_count--;
        }
    }
}

void custom_metrics_write(struct custom_metrics *s, bool openmetrics, int64_t now_ns, struct buf *out)
{
    mutex_lock(&s->lock);
    for (struct custom_metric *m = s->first; m; m = m->next) {
        if (m->series.count) {
            put_metric(out, m, openmetrics, now_ns);
        }
    }
    mutex_unlock(&s->lock);
}
