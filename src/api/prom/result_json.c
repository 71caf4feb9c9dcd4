/* Query results as JSON: the hot part of the API. */
#include <math.h>

#include "api/prom/prom_call.h"
#include "api/prom/result_json.h"
#include "codec/num.h"

void json_labels(struct json_writer *w, struct labels ls)
{
    json_object_begin(w);
    for (size_t i = 0; i < ls.n; i++) {
        json_key_str(w, ls.l[i].name);
        json_str(w, ls.l[i].value);
    }
    json_object_end(w);
}

static void json_number_text(struct json_writer *w, double v)
{
    struct buf *b = w->b;
    if (w->comma) {
        buf_char(b, ',');
    }
    w->comma = true;
    buf_char(b, '"');
    num_f64_api(b, v);
    buf_char(b, '"');
}

static void point_begin(struct json_writer *w, ts_ms ts)
{
    json_array_begin(w);
    num_ts_api(w->b, ts);
    w->comma = true;
}

static void json_point(struct json_writer *w, ts_ms ts, double v)
{
    point_begin(w, ts);
    json_number_text(w, v);
    json_array_end(w);
}

/* -- histograms ------------------------------------------------------------------------------------------ */

/* Upper bound of bucket `index` of a standard schema. */
static double bucket_bound(int schema, int64_t index)
{
    if (schema < 0) {
        return ldexp(1.0, (int)(index * ((int64_t)1 << -schema)));
    }
    int64_t per = (int64_t)1 << schema, whole = index >= 0 ? index / per : -((-index + per - 1) / per);
    int64_t rest = index - whole * per;
    return ldexp(exp2((double)rest / (double)per), (int)whole);
}

static void json_bucket(struct json_writer *w, int rule, double lower, double upper, double count)
{
    if (count == 0) {
        return;
    }
    json_array_begin(w);
    json_i64(w, rule);
    json_number_text(w, lower);
    json_number_text(w, upper);
    json_number_text(w, count);
    json_array_end(w);
}

static double custom_bound(const struct histogram *h, int64_t index)
{
    if (index < 0) {
        return -(double)INFINITY;
    }
    return index >= (int64_t)h->custom_value_count ? (double)INFINITY : h->custom_values[index];
}

static void json_positive(struct json_writer *w, const struct histogram *h)
{
    int64_t index = 0;
    uint32_t at = 0;
    for (uint32_t s = 0; s < h->positive_span_count; s++) {
        index += h->positive_spans[s].offset;
        for (uint32_t k = 0; k < h->positive_spans[s].length && at < h->positive_count; k++, index++) {
            double count = h->positive[at++];
            if (h->schema == HISTOGRAM_SCHEMA_CUSTOM) {
                json_bucket(w, index == 0 ? 3 : 0, custom_bound(h, index - 1), custom_bound(h, index), count);
            } else {
                json_bucket(w, 0, bucket_bound(h->schema, index - 1), bucket_bound(h->schema, index), count);
            }
        }
    }
}

/* The buckets below zero come from the most negative to the least. */
static void json_negative(struct json_writer *w, const struct histogram *h)
{
    int64_t index = 0;
    for (uint32_t s = 0; s < h->negative_span_count; s++) {
        index += h->negative_spans[s].offset + (int64_t)h->negative_spans[s].length;
    }
    uint32_t at = h->negative_count;
    for (uint32_t s = h->negative_span_count; s-- > 0;) {
        for (uint32_t k = 0; k < h->negative_spans[s].length && at > 0; k++) {
            index--;
            double count = h->negative[--at];
            json_bucket(w, 1, -bucket_bound(h->schema, index), -bucket_bound(h->schema, index - 1), count);
        }
        index -= h->negative_spans[s].offset;
    }
}

static bool has_buckets(const struct histogram *h)
{
    bool any = h->zero_count != 0;
    for (uint32_t i = 0; i < h->positive_count && !any; i++) {
        any = h->positive[i] != 0;
    }
    for (uint32_t i = 0; i < h->negative_count && !any; i++) {
        any = h->negative[i] != 0;
    }
    return any;
}

void json_histogram(struct json_writer *w, const struct histogram *h)
{
    json_object_begin(w);
    json_key(w, "count");
    json_number_text(w, h->count);
    json_key(w, "sum");
    json_number_text(w, h->sum);
    if (has_buckets(h)) {
        json_key(w, "buckets");
        json_array_begin(w);
        json_negative(w, h);
        if (h->schema != HISTOGRAM_SCHEMA_CUSTOM) {
            json_bucket(w, 3, -h->zero_threshold, h->zero_threshold, h->zero_count);
        }
        json_positive(w, h);
        json_array_end(w);
    }
    json_object_end(w);
}

/* -- series ---------------------------------------------------------------------------------------------- */

static bool is_histogram(const struct promql_series *s, size_t i)
{
    return s->histograms && s->histograms[i];
}

static void json_vector_element(struct json_writer *w, const struct promql_series *s)
{
    json_object_begin(w);
    json_key(w, "metric");
    json_labels(w, s->labels);
    if (is_histogram(s, 0)) {
        json_key(w, "histogram");
        point_begin(w, s->ts[0]);
        json_histogram(w, s->histograms[0]);
        json_array_end(w);
    } else {
        json_key(w, "value");
        json_point(w, s->ts[0], s->values[0]);
    }
    json_object_end(w);
}

static void json_matrix_row(struct json_writer *w, const struct promql_series *s)
{
    size_t histograms = 0;
    for (size_t i = 0; s->histograms && i < s->n; i++) {
        histograms += s->histograms[i] != NULL;
    }
    json_object_begin(w);
    json_key(w, "metric");
    json_labels(w, s->labels);
    if (histograms < s->n || s->n == 0) {
        json_key(w, "values");
        json_array_begin(w);
        for (size_t i = 0; i < s->n; i++) {
            if (!is_histogram(s, i)) {
                json_point(w, s->ts[i], s->values[i]);
            }
        }
        json_array_end(w);
    }
    if (histograms) {
        json_key(w, "histograms");
        json_array_begin(w);
        for (size_t i = 0; i < s->n; i++) {
            if (is_histogram(s, i)) {
                point_begin(w, s->ts[i]);
                json_histogram(w, s->histograms[i]);
                json_array_end(w);
            }
        }
        json_array_end(w);
    }
    json_object_end(w);
}

void json_promql_result(struct json_writer *w, const struct promql_result *r, size_t series_max)
{
    static const char *const kinds[] = {"scalar", "string", "vector", "matrix"};
    json_key(w, "resultType");
    json_str(w, str_c(kinds[r->kind]));
    json_key(w, "result");
    if (r->kind == PROMQL_SCALAR) {
        json_point(w, r->ts, r->scalar);
        return;
    }
    if (r->kind == PROMQL_STRING) {
        point_begin(w, r->ts);
        json_str(w, r->string);
        json_array_end(w);
        return;
    }
    size_t n = series_max && series_max < r->series_count ? series_max : r->series_count;
    json_array_begin(w);
    for (size_t i = 0; i < n; i++) {
        if (r->kind == PROMQL_VECTOR) {
            json_vector_element(w, &r->series[i]);
        } else {
            json_matrix_row(w, &r->series[i]);
        }
    }
    json_array_end(w);
}
