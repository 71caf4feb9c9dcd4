/* Answers of the Prometheus and Loki APIs as Grafana's data frames: one frame a series, or one of log lines.
 *
 * The shape is that of Grafana's own JSON: a schema with named, typed fields, and data by column. Numbers
 * that JSON cannot hold are null in their column and listed in "entities". */
#include "api/grafana/source_int.h"

#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "codec/num.h"

static void key_str(struct json_writer *w, const char *key, struct str value)
{
    json_key(w, key);
    json_str(w, value);
}

/* -- names ----------------------------------------------------------------------------------------------- */

/* {{label}} and {{ label }} by the label's value; an absent one by nothing. */
static void legend_format(struct buf *b, struct str format, const struct json_value *labels)
{
    size_t at = 0;
    while (at < format.n) {
        size_t open = str_find(format, STR("{{"), at);
        size_t close = open == STR_NPOS ? STR_NPOS : str_find(format, STR("}}"), open);
        if (close == STR_NPOS) {
            break;
        }
        buf_str(b, str_slice(format, at, open));
        const struct json_value *v = json_get(labels, str_trim(str_slice(format, open + 2, close)));
        if (v && v->kind == JSON_STRING) {
            buf_str(b, v->string);
        }
        at = close + 2;
    }
    buf_str(b, str_slice(format, at, format.n));
}

/* name{a="b", c="d"}; the query when there are no labels at all. */
static void series_name(struct buf *b, const struct frame_request *q, const struct json_value *labels)
{
    const struct json_value *name = json_get(labels, STR("__name__"));
    bool first = true;
    if (!labels || labels->count == 0) {
        buf_str(b, q->query);
        return;
    }
    if (name) {
        buf_str(b, name->string);
    }
    for (const struct json_value *l = labels->child; l; l = l->next) {
        if (l == name || l->kind != JSON_STRING) {
            continue;
        }
        buf_c(b, first ? "{" : ", ");
        buf_str(b, l->key);
        buf_char(b, '=');
        json_quote(b, l->string);
        first = false;
    }
    if (!first) {
        buf_char(b, '}');
    }
}

static void display_name(struct call *c, const struct frame_request *q, const struct json_value *labels)
{
    struct buf name AUTO_BUF = {0};
    if (q->legend.n && !str_eq_c(q->legend, "__auto")) {
        legend_format(&name, q->legend, labels);
    } else {
        series_name(&name, q, labels);
    }
    json_key(&c->w, "config");
    json_object_begin(&c->w);
    key_str(&c->w, "displayNameFromDS", buf_view(&name));
    json_object_end(&c->w);
}

/* -- schema ---------------------------------------------------------------------------------------------- */

static void field_begin(struct call *c, const char *name, const char *type, const char *frame_type)
{
    struct json_writer *w = &c->w;
    json_object_begin(w);
    key_str(w, "name", str_c(name));
    key_str(w, "type", str_c(type));
    json_key(w, "typeInfo");
    json_object_begin(w);
    key_str(w, "frame", str_c(frame_type));
    json_object_end(w);
}

static void field(struct call *c, const char *name, const char *type, const char *frame_type)
{
    field_begin(c, name, type, frame_type);
    json_object_end(&c->w);
}

static void meta(struct call *c, const struct frame_request *q, const char *type, struct str result_type)
{
    struct json_writer *w = &c->w;
    struct str executed = q->step_ms && !q->instant ? arena_printf(c->a, "Expr: %.*s\nStep: %lldms",
                                                                   STR_FMT(q->query), (long long)q->step_ms)
                                                    : arena_printf(c->a, "Expr: %.*s", STR_FMT(q->query));
    json_key(w, "meta");
    json_object_begin(w);
    key_str(w, "type", str_c(type));
    json_key(w, "typeVersion");
    json_raw(w, STR("[0,1]"));
    json_key(w, "custom");
    json_object_begin(w);
    key_str(w, "resultType", result_type);
    json_object_end(w);
    key_str(w, "executedQueryString", executed);
    json_object_end(w);
}

static void series_schema(struct call *c, const struct frame_request *q, const struct json_value *labels,
                          struct str result_type)
{
    struct json_writer *w = &c->w;
    json_key(w, "schema");
    json_object_begin(w);
    key_str(w, "refId", q->ref_id);
    meta(c, q, q->instant ? "numeric-multi" : "timeseries-multi", result_type);
    json_key(w, "fields");
    json_array_begin(w);
    field_begin(c, "Time", "time", "time.Time");
    if (q->step_ms) {
        json_key(w, "config");
        json_object_begin(w);
        json_key(w, "interval");
        json_i64(w, q->step_ms);
        json_object_end(w);
    }
    json_object_end(w);
    field_begin(c, "Value", "number", "float64");
    if (labels) {
        json_key(w, "labels");
        json_raw(w, labels->raw);
    }
    display_name(c, q, labels);
    json_object_end(w);
    json_array_end(w);
    json_object_end(w);
}

/* -- columns --------------------------------------------------------------------------------------------- */

struct odd { /* rows whose value is no JSON number */
    struct buf nan, inf, neg_inf;
};

static void note(struct buf *b, size_t row)
{
    buf_printf(b, "%s%zu", b->n ? "," : "", row);
}

static void value(struct json_writer *w, struct str text, size_t row, struct odd *odd)
{
    double v;
    if (num_f64_parse(text, &v) == ERR_OK && isfinite(v)) {
        json_raw(w, text);
        return;
    }
    json_null(w);
    if (str_eq_c(text, "NaN")) {
        note(&odd->nan, row);
    } else {
        note(text.n && text.p[0] == '-' ? &odd->neg_inf : &odd->inf, row);
    }
}

static void entities(struct json_writer *w, const struct odd *odd)
{
    const struct buf *lists[] = {&odd->nan, &odd->inf, &odd->neg_inf};
    static const char *const names[] = {"NaN", "Inf", "NegInf"};
    if (!odd->nan.n && !odd->inf.n && !odd->neg_inf.n) {
        return;
    }
    json_key(w, "entities");
    json_array_begin(w);
    json_null(w);
    json_object_begin(w);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        json_key(w, names[i]);
        json_array_begin(w);
        if (lists[i]->n) {
            json_raw(w, buf_view(lists[i]));
        }
        json_array_end(w);
    }
    json_object_end(w);
    json_array_end(w);
}

static bool is_point(const struct json_value *p)
{
    return p && p->kind == JSON_ARRAY && p->count >= 2 && p->child->next->kind == JSON_STRING;
}

static int64_t point_ms(const struct json_value *p)
{
    double t = 0;
    return num_f64_parse(p->child->raw, &t) == ERR_OK ? llround(t * 1000) : 0;
}

/* points: the first of a list linked by next, or one alone when `single`. */
static void series_data(struct call *c, const struct json_value *points, bool single)
{
    struct json_writer *w = &c->w;
    struct odd odd = {.nan = {.n = 0}};
    size_t row = 0;
    json_key(w, "data");
    json_object_begin(w);
    json_key(w, "values");
    json_array_begin(w);
    json_array_begin(w);
    for (const struct json_value *p = points; is_point(p); p = single ? NULL : p->next) {
        json_i64(w, point_ms(p));
    }
    json_array_end(w);
    json_array_begin(w);
    for (const struct json_value *p = points; is_point(p); p = single ? NULL : p->next) {
        value(w, p->child->next->string, row++, &odd);
    }
    json_array_end(w);
    json_array_end(w);
    entities(w, &odd);
    json_object_end(w);
    buf_done(&odd.nan);
    buf_done(&odd.inf);
    buf_done(&odd.neg_inf);
}

static void series_frame(struct call *c, const struct frame_request *q, const struct json_value *labels,
                         struct str result_type, const struct json_value *points, bool single)
{
    json_object_begin(&c->w);
    series_schema(c, q, labels, result_type);
    series_data(c, points, single);
    json_object_end(&c->w);
}

/* -- log lines ------------------------------------------------------------------------------------------- */

enum line_column {
    COL_LABELS,
    COL_TIME,
    COL_LINE,
    COL_TS_NS,
    COL_ID,
    COL_COUNT
};

static void line_cell(struct call *c, enum line_column column, const struct json_value *labels,
                      const struct json_value *entry)
{
    struct str ns = entry->child->string, line = entry->child->next->string;
    struct json_writer *w = &c->w;
    int64_t t = 0;
    switch (column) {
    case COL_LABELS:
        json_raw(w, labels->raw);
        break;
    case COL_TIME:
        json_i64(w, str_to_i64(ns, &t) == ERR_OK ? t / NS_PER_MS : 0);
        break;
    case COL_LINE:
        json_str(w, line);
        break;
    case COL_TS_NS:
        json_str(w, ns);
        break;
    case COL_ID: {
        char id[64];
        unsigned long long h = hash_bytes(labels->raw.p, labels->raw.n) ^ hash_bytes(line.p, line.n);
        (void)snprintf(id, sizeof(id), "%.*s_%08llx", (int)(ns.n < 32 ? ns.n : 32), ns.p, h & 0xffffffffU);
        json_str(w, str_c(id));
        break;
    }
    case COL_COUNT:
        break;
    }
}

static void lines_frame(struct call *c, const struct frame_request *q, const struct json_value *result)
{
    struct json_writer *w = &c->w;
    json_object_begin(w);
    json_key(w, "schema");
    json_object_begin(w);
    key_str(w, "refId", q->ref_id);
    meta(c, q, "log-lines", STR("streams"));
    json_key(w, "fields");
    json_array_begin(w);
    field(c, "labels", "other", "json.RawMessage");
    field(c, "timestamp", "time", "time.Time");
    field(c, "body", "string", "string");
    field(c, "tsNs", "string", "string");
    field(c, "id", "string", "string");
    json_array_end(w);
    json_object_end(w);
    json_key(w, "data");
    json_object_begin(w);
    json_key(w, "values");
    json_array_begin(w);
    for (int col = 0; col < COL_COUNT; col++) {
        json_array_begin(w);
        for (const struct json_value *s = result->child; s; s = s->next) {
            const struct json_value *labels = json_get(s, STR("stream")), *list = json_get(s, STR("values"));
            for (const struct json_value *v = list ? list->child : NULL; labels && is_point(v); v = v->next) {
                line_cell(c, (enum line_column)col, labels, v);
            }
        }
        json_array_end(w);
    }
    json_array_end(w);
    json_object_end(w);
    json_object_end(w);
}

/* -- the answer ------------------------------------------------------------------------------------------ */

enum err frames_write(struct call *c, const struct frame_request *q, const struct json_value *data)
{
    struct str type = member_str(data, "resultType");
    const struct json_value *result = json_get(data, STR("result"));
    if (!result || result->kind != JSON_ARRAY) {
        return err_set(&c->info, ERR_INVALID, "the answer has no list \"result\"");
    }
    if (str_eq_c(type, "matrix") || str_eq_c(type, "vector")) {
        bool matrix = str_eq_c(type, "matrix");
        for (const struct json_value *s = result->child; s; s = s->next) {
            const struct json_value *points = json_get(s, matrix ? STR("values") : STR("value"));
            points = matrix && points ? points->child : points;
            series_frame(c, q, json_get(s, STR("metric")), type, points, !matrix);
        }
    } else if (str_eq_c(type, "scalar") || str_eq_c(type, "string")) {
        series_frame(c, q, NULL, type, result, true);
    } else if (str_eq_c(type, "streams")) {
        lines_frame(c, q, result);
    } else {
        return err_set(&c->info, ERR_INVALID, "results of type \"%.*s\" are not known", STR_FMT(type));
    }
    return c->out.err;
}
