/* /status/self_metrics: the server's own metrics as JSON, without scraping it: the families of /metrics in
 * the form that the protobuf of an exposition has in JSON. */
#include <math.h>

#include "api/prom/prom_call.h"
#include "codec/exposition.h"
#include "codec/num.h"
#include "labels/regex.h"

enum family_kind {
    FAMILY_COUNTER = 0,
    FAMILY_GAUGE,
    FAMILY_SUMMARY,
    FAMILY_UNTYPED,
    FAMILY_HISTOGRAM
};

static const struct {
    const char *text, *name, *member;
} kinds[] = {
    [FAMILY_COUNTER] = {"counter", "COUNTER", "counter"},
    [FAMILY_GAUGE] = {"gauge", "GAUGE", "gauge"},
    [FAMILY_SUMMARY] = {"summary", "SUMMARY", "summary"},
    [FAMILY_UNTYPED] = {"untyped", "UNTYPED", "untyped"},
    [FAMILY_HISTOGRAM] = {"histogram", "HISTOGRAM", "histogram"},
};

/* One sample of a family, with its labels apart from le and quantile. */
struct part {
    struct str name;
    struct labels labels;
    struct str bound; /* of le or quantile; p NULL = none */
    double value;
};

struct family {
    struct str name, help;
    enum family_kind kind;
    struct part *parts;
    size_t n, cap;
};

struct reading {
    struct prom_call *c;
    struct regex *names; /* NULL: all */
    struct family family;
};

static void json_number(struct json_writer *w, double v)
{
    struct buf text AUTO_BUF = {0};
    if (!isfinite(v)) {
        json_str(w, isnan(v) ? STR("NaN") : v > 0 ? STR("Infinity") : STR("-Infinity"));
        return;
    }
    num_f64_api(&text, v);
    json_raw(w, buf_view(&text));
}

static void json_count(struct json_writer *w, const char *key, double v)
{
    char text[NUM_F64_BYTES_MAX];
    json_key(w, key);
    json_str(w, str_of(text, num_f64_format(text, v, 'f')));
}

static void json_label_list(struct json_writer *w, struct labels ls)
{
    if (ls.n == 0) {
        return;
    }
    json_key(w, "label");
    json_array_begin(w);
    for (size_t i = 0; i < ls.n; i++) {
        json_object_begin(w);
        json_key(w, "name");
        json_str(w, ls.l[i].name);
        json_key(w, "value");
        json_str(w, ls.l[i].value);
        json_object_end(w);
    }
    json_array_end(w);
}

/* The buckets or quantiles among the parts [from, to). */
static void json_bounds(struct json_writer *w, const struct family *f, size_t from, size_t to)
{
    bool histogram = f->kind == FAMILY_HISTOGRAM, any = false;
    for (size_t i = from; i < to; i++) {
        const struct part *p = &f->parts[i];
        double bound = 0;
        if (!p->bound.p || num_f64_parse(p->bound, &bound) || (histogram && isinf(bound))) {
            continue;
        }
        if (!any) {
            json_key(w, histogram ? "bucket" : "quantile");
            json_array_begin(w);
            any = true;
        }
        json_object_begin(w);
        if (histogram) {
            json_count(w, "cumulativeCount", p->value);
        }
        json_key(w, histogram ? "upperBound" : "quantile");
        json_number(w, bound);
        if (!histogram) {
            json_key(w, "value");
            json_number(w, p->value);
        }
        json_object_end(w);
    }
    if (any) {
        json_array_end(w);
    }
}

static void json_compound(struct json_writer *w, const struct family *f, size_t from, size_t to)
{
    double sum = 0;
    for (size_t i = from; i < to; i++) {
        if (str_ends(f->parts[i].name, STR("_count")) && !f->parts[i].bound.p) {
            json_count(w, "sampleCount", f->parts[i].value);
        } else if (str_ends(f->parts[i].name, STR("_sum"))) {
            sum = f->parts[i].value;
        }
    }
    json_key(w, "sampleSum");
    json_number(w, sum);
    json_bounds(w, f, from, to);
}

/* The parts [from, to) are one metric: they have the same labels. */
static void json_metric(struct json_writer *w, const struct family *f, size_t from, size_t to)
{
    json_object_begin(w);
    json_label_list(w, f->parts[from].labels);
    json_key(w, kinds[f->kind].member);
    json_object_begin(w);
    if (f->kind == FAMILY_SUMMARY || f->kind == FAMILY_HISTOGRAM) {
        json_compound(w, f, from, to);
    } else {
        json_key(w, "value");
        json_number(w, f->parts[from].value);
    }
    json_object_end(w);
    json_object_end(w);
}

static void family_end(struct reading *r)
{
    struct family *f = &r->family;
    struct json_writer *w = &r->c->w;
    if (f->n && (!r->names || regex_match(r->names, f->name))) {
        json_object_begin(w);
        json_key(w, "name");
        json_str(w, f->name);
        json_key(w, "help");
        json_str(w, f->help);
        json_key(w, "type");
        json_str(w, str_c(kinds[f->kind].name));
        json_key(w, "metric");
        json_array_begin(w);
        for (size_t from = 0, to; from < f->n; from = to) {
            for (to = from + 1; to < f->n && labels_eq(f->parts[to].labels, f->parts[from].labels) &&
                                (f->kind == FAMILY_SUMMARY || f->kind == FAMILY_HISTOGRAM);
                 to++) {
            }
            json_metric(w, f, from, to);
        }
        json_array_end(w);
        json_object_end(w);
    }
    f->n = 0;
}

static enum err add_sample(struct reading *r, const struct exposition_item *item)
{
    struct prom_call *c = r->c;
    const struct wire_label *l = NULL;
    size_t n = 0, kept = 0;
    enum err e = exposition_labels(c->a, item->raw, &l, &n, &c->info);
    struct family *f = &r->family;
    e = e ? e : arena_reserve(c->a, (void **)&f->parts, &f->cap, f->n + 1, sizeof(*f->parts));
    struct label *out = e ? NULL : arena_array(c->a, n + 1, sizeof(*out));
    if (e || !out) {
        return e ? e : ERR_OOM;
    }
    struct part p = {.value = item->value};
    for (size_t i = 0; i < n; i++) {
        bool bound = (f->kind == FAMILY_HISTOGRAM && str_eq_c(l[i].name, "le")) ||
                     (f->kind == FAMILY_SUMMARY && str_eq_c(l[i].name, "quantile"));
        if (str_eq(l[i].name, LABEL_METRIC_NAME)) {
            p.name = l[i].value;
        } else if (bound) {
            p.bound = l[i].value;
        } else {
            out[kept++] = (struct label){l[i].name, l[i].value};
        }
    }
    p.labels = (struct labels){out, kept};
    f->parts[f->n++] = p;
    return ERR_OK;
}

static enum family_kind kind_of(struct str text)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (str_eq_c(text, kinds[i].text)) {
            return (enum family_kind)i;
        }
    }
    return FAMILY_UNTYPED;
}

static enum err read_families(struct reading *r, struct str text)
{
    struct exposition_parser p;
    struct exposition_item item;
    enum exposition_event event = EXPOSITION_COMMENT;
    enum err e = ERR_OK;
    exposition_init(&p, EXPOSITION_TEXT, text);
    while (!e && event != EXPOSITION_END) {
        e = exposition_next(&p, r->c->a, &event, &item, &r->c->info);
        bool begins = !e && (event == EXPOSITION_HELP || event == EXPOSITION_TYPE) &&
                      !str_eq(item.metric, r->family.name);
        if (begins || (!e && event == EXPOSITION_END)) {
            family_end(r);
            r->family.name = item.metric;
            r->family.help = STR("");
            r->family.kind = FAMILY_UNTYPED;
        }
        if (!e && event == EXPOSITION_HELP) {
            r->family.help = item.text;
        } else if (!e && event == EXPOSITION_TYPE) {
            r->family.kind = kind_of(item.text);
        } else if (!e && event == EXPOSITION_SAMPLE) {
            e = add_sample(r, &item);
        }
    }
    return e;
}

static void self_metrics(struct prom_call *c)
{
    struct str pattern = http_req_param(c->r, "metric_name_pattern");
    struct reading r = {.c = c};
    struct buf text AUTO_BUF = {0};
    struct err_info why = {0};
    /* as the original puts it together, which its errors show */
    struct str whole = arena_printf(c->a, "^(?:%.*s)$", STR_FMT(pattern));
    enum err e = !whole.p ? ERR_OOM : pattern.n ? regex_new(whole, REGEX_ANCHORED, &r.names, &why) : ERR_OK;
    if (e) {
        prom_call_error(c, err_set(&c->info, e, "invalid metric_name_pattern: %s", why.message));
        return;
    }
    e = c->api->self_metrics ? c->api->self_metrics(c->api->self_metrics_ctx, &text) : ERR_UNAVAILABLE;
    if (!e) {
        prom_call_data(c);
        json_array_begin(&c->w);
        e = read_families(&r, buf_view(&text));
        json_array_end(&c->w);
    }
    regex_free(r.names);
    if (e) {
        prom_call_error(c, e);
    } else {
        prom_call_send(c);
    }
}

PROM_ROUTE(self_metrics)

struct prom_routes prom_routes_self_metrics(void)
{
    static const struct http_route rows[] = {
        {"GET", "/api/v1/status/self_metrics", self_metrics_route, HTTP_CORS, 0, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
