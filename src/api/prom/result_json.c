/* Query results as JSON: the hot part of the API. */
#include <math.h>

#include "api/prom/prom_call.h"
#include "api/prom/result_json.h"
#include "base/mem.h"
#include "codec/num.h"
#include "metrics/model/histogram_ops.h"

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

/* Which bounds belong to the bucket, as the API numbers it. */
static int boundary_rule(const struct histogram_bucket *b)
{
    enum {
        LOWER_OPEN = 0,
        UPPER_OPEN,
        BOTH_OPEN,
        BOTH_CLOSED
    };
    if (b->lower_inclusive) {
        return b->upper_inclusive ? BOTH_CLOSED : UPPER_OPEN;
    }
    return b->upper_inclusive ? LOWER_OPEN : BOTH_OPEN;
}

static void json_bucket(struct json_writer *w, const struct histogram_bucket *b)
{
    json_array_begin(w);
    json_i64(w, boundary_rule(b));
    json_number_text(w, b->lower);
    json_number_text(w, b->upper);
    json_number_text(w, b->count);
    json_array_end(w);
}

void json_histogram(struct json_writer *w, const struct histogram *h)
{
    struct histogram_iter it = histogram_iter_all(h, false);
    struct histogram_bucket b;
    bool any = false;
    json_object_begin(w);
    json_key(w, "count");
    json_number_text(w, h->count);
    json_key(w, "sum");
    json_number_text(w, h->sum);
    while (histogram_iter_next(&it, &b)) {
        if (b.count == 0) {
            continue;
        }
        if (!any) {
            json_key(w, "buckets");
            json_array_begin(w);
            any = true;
        }
        json_bucket(w, &b);
    }
    if (any) {
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

/* -- points of a row ------------------------------------------------------------------------------------- */

enum {
    TIME_BYTES = 32, /* [1754000000.123," */
    CHUNK_POINTS = 64
};

/* How points begin, for some times. */
struct time_texts {
    const ts_ms *ts;
    size_t n, cap;
    struct time_text {
        char text[TIME_BYTES - 1];
        uint8_t n;
    } * texts;
};

/* Rows without gaps share the times of the grid; others have theirs. */
struct row_times {
    const struct promql_result *r;
    struct time_texts grid, own;
};

static bool texts_make(struct time_texts *t, const ts_ms *ts, size_t n)
{
    struct buf b AUTO_BUF = {0};
    t->ts = NULL;
    if (vec_reserve((void **)&t->texts, &t->cap, n, sizeof(*t->texts))) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        buf_reset(&b);
        buf_char(&b, '[');
        num_ts_api(&b, ts[i]);
        buf_c(&b, ",\"");
        if (b.err || b.n > sizeof(t->texts[i].text)) {
            return false;
        }
        t->texts[i] = (struct time_text){.n = (uint8_t)b.n};
        memcpy(t->texts[i].text, b.p, b.n);
    }
    t->ts = ts;
    t->n = n;
    return true;
}

/* The texts for the row's times; NULL without memory. */
static const struct time_text *row_texts(struct row_times *t, const struct promql_series *s)
{
    const struct promql_result *r = t->r;
    uintptr_t at = (uintptr_t)s->ts, begin = (uintptr_t)r->grid, end = (uintptr_t)(r->grid + r->grid_count);
    if (r->grid_count == 0 || at < begin || at >= end) {
        return texts_make(&t->own, s->ts, s->n) ? t->own.texts : NULL;
    }
    if (t->grid.ts != r->grid && !texts_make(&t->grid, r->grid, r->grid_count)) {
        return NULL;
    }
    return t->grid.texts + (s->ts - r->grid);
}

/* All points of a row of floats. */
static void json_floats(struct json_writer *w, const struct promql_series *s, struct row_times *t)
{
    struct buf *b = w->b;
    const struct time_text *texts = s->n ? row_texts(t, s) : NULL;
    if (s->n && !texts) {
        b->err = b->err ? b->err : ERR_OOM;
        return;
    }
    for (size_t i = 0; i < s->n;) {
        char *p = buf_tail(b, CHUNK_POINTS * (TIME_BYTES + NUM_API_BYTES_MAX) + NUM_F64_BYTES_MAX), *from = p;
        for (size_t end = i + CHUNK_POINTS; p && i < end && i < s->n; i++) {
            const struct time_text *text = &texts[i];
            memcpy(p, text->text, sizeof(text->text));
            p += text->n;
            p += num_f64_api_format(p, s->values[i]);
            memcpy(p, "\"],", 3);
            p += 3;
        }
        if (!p) {
            return;
        }
        b->n += (size_t)(p - from);
    }
    b->n -= s->n > 0; /* the last comma */
}

/* -- rows ------------------------------------------------------------------------------------------------ */

static void json_matrix_row(struct json_writer *w, const struct promql_series *s, struct row_times *t)
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
        for (size_t i = 0; histograms && i < s->n; i++) {
            if (!is_histogram(s, i)) {
                json_point(w, s->ts[i], s->values[i]);
            }
        }
        if (!histograms) {
            json_floats(w, s, t);
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
        char text[NUM_F64_BYTES_MAX]; /* without an exponent, unlike samples */
        point_begin(w, r->ts);
        json_str(w, str_of(text, num_f64_format(text, r->scalar, 'f')));
        json_array_end(w);
        return;
    }
    if (r->kind == PROMQL_STRING) {
        point_begin(w, r->ts);
        json_str(w, r->string);
        json_array_end(w);
        return;
    }
    size_t n = series_max && series_max < r->series_count ? series_max : r->series_count;
    struct row_times t = {.r = r};
    json_array_begin(w);
    for (size_t i = 0; i < n; i++) {
        if (r->kind == PROMQL_VECTOR) {
            json_vector_element(w, &r->series[i]);
        } else {
            json_matrix_row(w, &r->series[i], &t);
        }
    }
    mem_free(t.grid.texts);
    mem_free(t.own.texts);
    json_array_end(w);
}
