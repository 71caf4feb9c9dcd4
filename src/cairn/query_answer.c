/* An answer of the query API: read into columns, printed as a table or as CSV. */
#include "cairn/query_int.h"

/* up{instance="a:1",job="x"} of a metric object, in the order of the server. */
static struct str series_name(struct arena *a, const struct json_value *metric)
{
    struct buf b AUTO_BUF = {.size_bytes_max = 1 << 20};
    const struct json_value *name = json_get(metric, STR("__name__"));
    bool comma = false;
    if (name) {
        buf_str(&b, name->string);
    }
    for (const struct json_value *l = metric ? metric->child : NULL; l; l = l->next) {
        if (str_eq(l->key, STR("__name__"))) {
            continue;
        }
        buf_c(&b, comma ? ", " : "{");
        buf_str(&b, l->key);
        buf_char(&b, '=');
        json_quote(&b, l->string);
        comma = true;
    }
    buf_c(&b, comma ? "}" : b.n ? "" : "{}");
    return b.err ? (struct str){0} : arena_str(a, buf_view(&b));
}

static struct answer_point point_of(const struct json_value *pair)
{
    const struct json_value *time = pair ? pair->child : NULL, *value = time ? time->next : NULL;
    return (struct answer_point){
        .time = time ? time->raw : STR(""),
        .value = !value                       ? STR("")
                 : value->kind == JSON_STRING ? value->string
                                              : value->raw,
    };
}

static enum err series_read(struct arena *a, const struct json_value *row, struct answer_series *s)
{
    const struct json_value *values = json_get(row, STR("values")), *hists = json_get(row, STR("histograms"));
    const struct json_value *one = json_get(row, STR("value"));
    one = one ? one : json_get(row, STR("histogram"));
    size_t n = (values ? values->count : 0) + (hists ? hists->count : 0) + (one ? 1 : 0);
    struct answer_point *points = arena_array(a, n + 1, sizeof(*points));
    s->name = series_name(a, json_get(row, STR("metric")));
    if (!points || !s->name.p) {
        return ERR_OOM;
    }
    s->points = points;
    if (one) {
        points[s->n++] = point_of(one);
    }
    for (const struct json_value *v = values ? values->child : NULL; v; v = v->next) {
        points[s->n++] = point_of(v);
    }
    for (const struct json_value *v = hists ? hists->child : NULL; v; v = v->next) {
        points[s->n++] = point_of(v);
    }
    return ERR_OK;
}

enum err answer_read(struct arena *a, const struct json_value *data, struct answer *ret_answer,
                     struct err_info *reterr_info)
{
    const struct json_value *type = json_get(data, STR("resultType")),
                            *result = json_get(data, STR("result"));
    if (!type || !result) {
        return err_set(reterr_info, ERR_INVALID, "the server's answer has no result");
    }
    struct answer x = {.matrix = str_eq_c(type->string, "matrix")};
    bool single = str_eq_c(type->string, "scalar") || str_eq_c(type->string, "string");
    struct answer_series *series = arena_zarray(a, result->count + 1, sizeof(*series));
    struct answer_point *point = arena_zalloc(a, sizeof(*point));
    if (!series || !point) {
        return err_set(reterr_info, ERR_OOM, "the answer does not fit in memory");
    }
    if (single) {
        *point = point_of(result);
        series[x.n++] = (struct answer_series){.name = STR(""), .points = point, .n = 1};
    }
    for (const struct json_value *row = single ? NULL : result->child; row; row = row->next) {
        if (series_read(a, row, &series[x.n++])) {
            return err_set(reterr_info, ERR_OOM, "the answer does not fit in memory");
        }
    }
    x.series = series;
    *ret_answer = x;
    return ERR_OK;
}

static size_t name_width(const struct answer *x)
{
    size_t width = 0;
    for (size_t i = 0; i < x->n; i++) {
        width = x->series[i].name.n > width ? x->series[i].name.n : width;
    }
    return width;
}

void answer_table(struct buf *b, const struct answer *x)
{
    size_t width = name_width(x);
    if (!x->n) {
        buf_c(b, "no data\n");
    }
    for (size_t i = 0; i < x->n; i++) {
        const struct answer_series *s = &x->series[i];
        if (x->matrix) {
            buf_printf(b, "%.*s\n", STR_FMT(s->name));
        }
        for (size_t k = 0; k < s->n; k++) {
            if (x->matrix) {
                buf_printf(b, "  %-16.*s %.*s\n", STR_FMT(s->points[k].time), STR_FMT(s->points[k].value));
            } else {
                buf_printf(b, "%.*s%*s%.*s\n", STR_FMT(s->name), (int)(width ? width - s->name.n + 2 : 0), "",
                           STR_FMT(s->points[k].value));
            }
        }
    }
}

/* RFC 4180: quoted, with quotes doubled. */
static void csv_field(struct buf *b, struct str s)
{
    buf_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') {
            buf_char(b, '"');
        }
        buf_char(b, s.p[i]);
    }
    buf_char(b, '"');
}

void answer_csv(struct buf *b, const struct answer *x)
{
    buf_c(b, "series,time,value\n");
    for (size_t i = 0; i < x->n; i++) {
        for (size_t k = 0; k < x->series[i].n; k++) {
            csv_field(b, x->series[i].name);
            buf_printf(b, ",%.*s,", STR_FMT(x->series[i].points[k].time));
            csv_field(b, x->series[i].points[k].value);
            buf_char(b, '\n');
        }
    }
}
