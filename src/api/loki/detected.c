/* /detected_labels, /detected_fields and /detected_field/{name}/values: what a user could ask about. */
#include <stdlib.h>

#include "api/loki/loki_call.h"
#include "base/strmap.h"
#include "logs/logql/detect.h"

enum {
    FIELDS_LIMIT_DEFAULT = 1000
};

/* -- labels ---------------------------------------------------------------------------------------------- */

/* Labels whose values are all numbers or UUIDs are of no use for choosing; a pair of 0 and 1 is. */
static bool label_useful(struct str name, const struct str_list *values)
{
    static const char *const always[] = {"cluster", "namespace", "instance", "pod"};
    bool binary = values->n <= 2;
    for (size_t i = 0; i < ARRAY_LEN(always); i++) {
        if (str_eq_c(name, always[i])) {
            return values->n > 0;
        }
    }
    for (size_t i = 0; i < values->n && binary; i++) {
        struct str v = values->items[i];
        binary = str_eq_c(v, "0") || str_eq_c(v, "1") || str_eq_c(v, "true") || str_eq_c(v, "false");
    }
    if (binary) {
        return values->n > 0;
    }
    for (size_t i = 0; i < values->n; i++) {
        if (!logql_value_is_id(values->items[i])) {
            return true;
        }
    }
    return false;
}

static enum err json_labels(struct loki_call *c, const struct log_select *sel)
{
    const struct log_source_ops *ops = c->api->source->ops;
    struct str_list names = {0};
    bool any = false;
    enum err e = ops->label_names(c->api->source, &c->q, sel, &c->query_arena, &names, &c->info);
    for (size_t i = 0; i < names.n && !e; i++) {
        struct str_list values = {0};
        e = ops->label_values(c->api->source, &c->q, names.items[i], sel, &c->query_arena, &values, &c->info);
        if (e || !label_useful(names.items[i], &values)) {
            continue;
        }
        if (!any) {
            json_key(&c->w, "detectedLabels");
            json_array_begin(&c->w);
            any = true;
        }
        json_object_begin(&c->w);
        json_key(&c->w, "label");
        json_str(&c->w, names.items[i]);
        json_key(&c->w, "cardinality");
        json_u64(&c->w, values.n);
        json_object_end(&c->w);
    }
    if (any) {
        json_array_end(&c->w);
    }
    return e;
}

static void detected_labels(struct loki_call *c)
{
    struct log_select sel = {0};
    struct matcher *m;
    if (!loki_param_span(c, &sel.start_ns, &sel.end_ns) ||
        !loki_param_select(c, http_req_param(c->r, "query"), &sel, &m)) {
        return;
    }
    json_object_begin(&c->w);
    enum err e = json_labels(c, &sel);
    json_object_end(&c->w);
    loki_select_done(m, sel.matcher_count);
    if (e) {
        loki_call_error(c, e);
    } else {
        loki_call_send(c);
    }
}

/* -- fields ---------------------------------------------------------------------------------------------- */

struct field {
    struct str name;
    const char *type; /* of the value seen last */
    uint64_t values;  /* distinct */
    bool json, logfmt;
    struct str *path;
    size_t path_count;
};

struct fields {
    struct loki_call *c;
    struct str wanted; /* p == NULL: all fields; else the values of this one */
    size_t limit, line_limit;
    struct field **items;
    size_t n, cap;
    struct strmap by_name, by_value; /* by_value: name, NUL, value */
    struct str *values;
    size_t value_count, value_cap;
    struct logql_detector *detector;
};

/* *ret_new: the value was not seen before. */
static enum err note_value(struct fields *f, struct str name, struct str value, bool *ret_new)
{
    struct buf key AUTO_BUF = {0};
    buf_str(&key, name);
    buf_char(&key, '\0');
    buf_str(&key, value);
    if (key.err) {
        return key.err;
    }
    *ret_new = !strmap_get(&f->by_value, buf_view(&key));
    return *ret_new ? strmap_put(&f->by_value, buf_view(&key), f, NULL) : ERR_OK;
}

static enum err field_of(struct fields *f, struct str name, struct field **ret)
{
    struct arena *a = &f->c->query_arena;
    *ret = strmap_get(&f->by_name, name);
    if (*ret || f->n >= f->limit) {
        return ERR_OK;
    }
    struct field *x = arena_zalloc(a, sizeof(*x));
    if (!x) {
        return arena_err(a);
    }
    x->name = arena_str(a, name);
    enum err e = x->name.p ? arena_reserve(a, (void **)&f->items, &f->cap, f->n + 1, sizeof(struct field *))
                           : arena_err(a);
    e = e ? e : strmap_put(&f->by_name, name, x, NULL);
    if (!e) {
        f->items[f->n++] = x;
        *ret = x;
    }
    return e;
}

static enum err keep_path(struct arena *a, struct field *x, const struct detected_field *d)
{
    x->path = arena_array(a, d->path_count + 1, sizeof(*x->path));
    x->path_count = 0;
    for (size_t i = 0; x->path && i < d->path_count; i++) {
        /* a clash with a label of the stream is no part of where the field is */
        struct str part = d->path[i];
        part.n -= str_ends(part, STR("_extracted")) ? STR("_extracted").n : 0;
        x->path[i] = arena_str(a, part);
        if (!x->path[i].p) {
            return arena_err(a);
        }
        x->path_count++;
    }
    return x->path ? ERR_OK : arena_err(a);
}

static enum err add_field(struct fields *f, const struct detected_field *d, enum detected_parser parser)
{
    struct field *x;
    bool is_new;
    enum err e = field_of(f, d->name, &x);
    if (e || !x) {
        return e;
    }
    x->json = x->json || parser == DETECTED_JSON;
    x->logfmt = x->logfmt || parser == DETECTED_LOGFMT;
    x->type = logql_value_type(d->value);
    e = note_value(f, d->name, d->value, &is_new);
    x->values += !e && is_new;
    if (!e && parser == DETECTED_JSON) {
        e = keep_path(&f->c->query_arena, x, d);
    }
    return e;
}

static enum err add_value(struct fields *f, const struct detected_field *d, bool parsed)
{
    struct buf text AUTO_BUF = {0};
    struct arena *a = &f->c->query_arena;
    struct str value = parsed && logql_value_bytes(d->value, &text) ? buf_view(&text) : d->value;
    bool is_new = false;
    if (!str_eq(d->name, f->wanted) || f->value_count >= f->limit) {
        return ERR_OK;
    }
    enum err e = note_value(f, d->name, value, &is_new);
    if (e || !is_new) {
        return e;
    }
    e = arena_reserve(a, (void **)&f->values, &f->value_cap, f->value_count + 1, sizeof(*f->values));
    if (!e) {
        f->values[f->value_count] = arena_str(a, value);
        e = f->values[f->value_count].p ? ERR_OK : arena_err(a);
        f->value_count += !e;
    }
    return e;
}

static enum err add(struct fields *f, const struct detected_field *d, enum detected_parser parser,
                    bool parsed)
{
    return f->wanted.p ? add_value(f, d, parsed) : add_field(f, d, parser);
}

static enum err add_labels(struct fields *f, struct labels ls, enum detected_parser parser, bool parsed)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < ls.n && !e; i++) {
        struct detected_field d = {.name = ls.l[i].name, .value = ls.l[i].value};
        if (!str_starts(d.name, STR("__error")) && !str_eq_c(d.name, "__preserve_error__")) {
            e = add(f, &d, parser, parsed);
        }
    }
    return e;
}

static enum err add_entry(struct fields *f, struct labels stream, const struct logql_entry *entry)
{
    const struct detected_field *found;
    size_t n;
    enum detected_parser parser;
    enum err e = logql_detect(f->detector, stream, entry->line, &found, &n, &parser);
    e = e ? e : add_labels(f, entry->metadata, DETECTED_NONE, false);
    e = e ? e : add_labels(f, entry->parsed, parser, true);
    for (size_t i = 0; i < n && !e; i++) {
        e = add(f, &found[i], parser, true);
    }
    return e;
}

/* -- answers --------------------------------------------------------------------------------------------- */

static int compare_fields(const void *a, const void *b)
{
    return str_cmp((*(struct field *const *)a)->name, (*(struct field *const *)b)->name);
}

static int compare_values(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void json_parsers(struct json_writer *w, const struct field *x)
{
    json_key(w, "parsers");
    if (!x->json && !x->logfmt) {
        json_null(w);
        return;
    }
    json_array_begin(w);
    if (x->json) {
        json_str(w, STR("json"));
    }
    if (x->logfmt) {
        json_str(w, STR("logfmt"));
    }
    json_array_end(w);
}

static void json_strings(struct json_writer *w, const char *key, const struct str *items, size_t n)
{
    json_key(w, key);
    json_array_begin(w);
    for (size_t i = 0; i < n; i++) {
        json_str(w, items[i]);
    }
    json_array_end(w);
}

static void json_field(struct json_writer *w, const struct field *x)
{
    json_object_begin(w);
    json_key(w, "label");
    json_str(w, x->name);
    json_key(w, "type");
    json_str(w, str_c(x->type));
    json_key(w, "cardinality");
    json_u64(w, x->values);
    json_parsers(w, x);
    if (x->path_count) {
        json_strings(w, "jsonPath", x->path, x->path_count);
    }
    json_object_end(w);
}

static void send(struct fields *f)
{
    struct json_writer *w = &f->c->w;
    json_object_begin(w);
    if (f->n) {
        qsort(f->items, f->n, sizeof(struct field *), compare_fields);
        json_key(w, "fields");
        json_array_begin(w);
        for (size_t i = 0; i < f->n; i++) {
            json_field(w, f->items[i]);
        }
        json_array_end(w);
    }
    if (f->n || f->value_count) {
        json_key(w, "limit");
        json_u64(w, f->limit);
    }
    if (f->value_count) {
        qsort(f->values, f->value_count, sizeof(*f->values), compare_values);
        json_strings(w, "values", f->values, f->value_count);
    }
    json_object_end(w);
    loki_call_send(f->c);
}

/* -- requests -------------------------------------------------------------------------------------------- */

static enum err sample(struct fields *f, const struct logql_request *q)
{
    struct loki_call *c = f->c;
    struct logql_result r;
    enum err e = logql_detector_new(&c->budget, &f->detector);
    e = e ? e : logql_query(&c->api->logql, c->api->source, &c->q, q, &c->query_arena, &r, &c->info);
    for (size_t i = 0; !e && i < r.stream_count; i++) {
        const struct logql_stream *s = &r.streams[i];
        for (size_t k = 0; k < s->entry_count && !e; k++) {
            e = add_entry(f, s->labels, &s->entries[k]);
        }
    }
    logql_detector_free(f->detector);
    strmap_done(&f->by_name);
    strmap_done(&f->by_value);
    return e;
}

static bool param_limits(struct loki_call *c, struct fields *f)
{
    const char *name = http_req_param(c->r, "limit").n ? "limit" : "field_limit";
    return loki_param_count(c, "line_limit", LOKI_LIMIT_DEFAULT, &f->line_limit) &&
           loki_param_count(c, name, FIELDS_LIMIT_DEFAULT, &f->limit);
}

static void fields_request(struct loki_call *c, struct str wanted)
{
    struct fields f = {.c = c, .wanted = wanted};
    struct logql_request q = {
        .expr = http_req_param(c->r, "query"), .backward = true, .categorize_labels = true};
    bool is_log;
    if (!loki_param_span(c, &q.start_ns, &q.end_ns) || !param_limits(c, &f) ||
        !loki_param_step(c, q.start_ns, q.end_ns, &q.step_ns)) {
        return;
    }
    enum err e = logql_is_log_query(q.expr, &is_log, &c->info);
    if (!e && !is_log) {
        e = err_set(&c->info, ERR_INVALID, "only log selector is supported");
    }
    q.limit = f.line_limit;
    if (!e && !loki_entries_allowed(c, q.limit)) {
        return;
    }
    e = e ? e : sample(&f, &q);
    if (e) {
        loki_call_error(c, e);
    } else {
        send(&f);
    }
}

static void detected_fields(struct loki_call *c)
{
    fields_request(c, (struct str){0});
}

static void detected_field_values(struct loki_call *c)
{
    fields_request(c, http_req_capture(c->r, "name"));
}

LOKI_ROUTE(detected_labels)
LOKI_ROUTE(detected_fields)
LOKI_ROUTE(detected_field_values)

struct loki_routes loki_routes_detected(void)
{
    static const struct http_route rows[] = {
        {"GET|POST", "/loki/api/v1/detected_labels", detected_labels_route, HTTP_FORM, 0,
         "loki_api_v1_detected_labels"},
        {"GET|POST", "/loki/api/v1/detected_fields", detected_fields_route, HTTP_FORM, 0,
         "loki_api_v1_detected_fields"},
        {"GET|POST", "/loki/api/v1/detected_field/{name}/values", detected_field_values_route, HTTP_FORM, 0,
         "loki_api_v1_detected_field_name_values"},
    };
    return (struct loki_routes){rows, ARRAY_LEN(rows)};
}
