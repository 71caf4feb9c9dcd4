/* /search/metric_names, label_names, label_values: what editors ask while somebody types. One JSON text a
 * line: batches of results, then how it ended. */
#include <stdlib.h>

#include "api/prom/fuzzy.h"
#include "api/prom/prom_call.h"
#include "codec/num.h"
#include "metrics/scrape/scrape.h"

enum {
    SEARCH_TERMS_MAX = 32, /* each is tried on each value */
    SEARCH_LIMIT_DEFAULT = 100,
    SEARCH_BATCH_DEFAULT = 100
};

enum search_order {
    ORDER_ASC = 0,
    ORDER_DESC,
    ORDER_SCORE
};

enum search_kind {
    SEARCH_METRICS = 0,
    SEARCH_NAMES,
    SEARCH_VALUES
};

static const char *const kind_names[] = {"metric_names", "label_names", "label_values"};

struct search {
    struct prom_call *c;
    enum search_kind kind;
    struct str label; /* whose values are searched */
    struct metric_select sel;
    struct prom_selectors selectors;
    struct str terms[SEARCH_TERMS_MAX];
    size_t term_count;
    struct fuzzy fuzzy;
    enum search_order order;
    bool with_score, with_metadata;
    int64_t limit, batch;
};

struct hit {
    struct str value;
    double score;
};

/* -- parameters ------------------------------------------------------------------------------------------ */

#define INVALID(s, ...) err_set(&(s)->c->info, ERR_INVALID, __VA_ARGS__)

static enum err time_param(struct search *s, const char *name, ts_ms *value)
{
    struct str given = http_req_param(s->c->r, name);
    struct err_info why = {0};
    struct go_time t = {0};
    if (given.n && go_param_time(given, &t, &why)) {
        return INVALID(s, "invalid time value for '%s': %s", name, why.message);
    }
    if (given.n) {
        *value = go_time_storage_ms(t);
    }
    return ERR_OK;
}

static enum err bool_param(struct search *s, const char *name, bool *value)
{
    static const char *const words[2][6] = {{"0", "f", "F", "FALSE", "false", "False"},
                                            {"1", "t", "T", "TRUE", "true", "True"}};
    struct str given = http_req_param(s->c->r, name);
    for (size_t i = 0; given.n && i < ARRAY_LEN(words[0]); i++) {
        bool yes = str_eq_c(given, words[1][i]);
        if (yes || str_eq_c(given, words[0][i])) {
            *value = yes;
            return ERR_OK;
        }
    }
    return given.n ? INVALID(s, "invalid %s \"%.*s\": must be boolean", name, STR_FMT(given)) : ERR_OK;
}

static enum err count_param(struct search *s, const char *name, int64_t *value)
{
    struct str given = http_req_param(s->c->r, name);
    if (given.n && (str_to_i64(given, value) || *value <= 0)) {
        return INVALID(s, "invalid %s \"%.*s\": must be a positive integer", name, STR_FMT(given));
    }
    return ERR_OK;
}

static enum err span_params(struct search *s)
{
    s->sel = (struct metric_select){
        .start_ms = s->c->now - 3600 * MS_PER_S, .end_ms = s->c->now, .hints.labels_only = true};
    enum err e = time_param(s, "start", &s->sel.start_ms);
    e = e ? e : time_param(s, "end", &s->sel.end_ms);
    if (!e && s->sel.end_ms < s->sel.start_ms) {
        e = INVALID(s, "end timestamp must not be before start timestamp");
    }
    return e;
}

static enum err term_params(struct search *s)
{
    struct str name, value;
    size_t n = 0;
    for (size_t pos = 0; http_req_param_next(s->c->r, &pos, &name, &value);) {
        if (str_eq_c(name, "search[]") && n++ < SEARCH_TERMS_MAX) {
            s->terms[n - 1] = value;
        }
    }
    s->term_count = n;
    return n > SEARCH_TERMS_MAX
               ? INVALID(s, "too many search[] terms: got %zu, maximum is %d", n, SEARCH_TERMS_MAX)
               : ERR_OK;
}

static enum err fuzzy_params(struct search *s)
{
    struct str threshold = http_req_param(s->c->r, "fuzz_threshold"),
               algorithm = http_req_param(s->c->r, "fuzz_alg");
    int64_t percent = 0;
    bool sensitive = true;
    if (threshold.n && (str_to_i64(threshold, &percent) || percent < 0 || percent > 100)) {
        return INVALID(s, "invalid fuzz_threshold \"%.*s\": must be 0-100", STR_FMT(threshold));
    }
    if (str_eq_c(algorithm, "jarowinkler")) {
        s->fuzzy.algorithm = FUZZY_JARO_WINKLER;
    } else if (algorithm.n && !str_eq_c(algorithm, "subsequence")) {
        return INVALID(s, "unsupported fuzz_alg \"%.*s\": must be one of [subsequence jarowinkler]",
                       STR_FMT(algorithm));
    }
    s->fuzzy.threshold = (double)percent / 100.0;
    enum err e = bool_param(s, "case_sensitive", &sensitive);
    s->fuzzy.fold = !sensitive;
    return e ? e : bool_param(s, "include_score", &s->with_score);
}

static enum err order_params(struct search *s)
{
    struct str by = http_req_param(s->c->r, "sort_by"), dir = http_req_param(s->c->r, "sort_dir");
    bool score = str_eq_c(by, "score");
    if (dir.n && by.n == 0) {
        return INVALID(s, "sort_dir is only valid when sort_by is set");
    }
    if (dir.n && score) {
        return INVALID(s, "sort_dir is not supported for sort_by=score");
    }
    if (dir.n && !str_eq_c(dir, "asc") && !str_eq_c(dir, "dsc")) {
        return INVALID(s, "invalid sort_dir \"%.*s\": must be \"asc\" or \"dsc\"", STR_FMT(dir));
    }
    if (score && s->term_count == 0) {
        return INVALID(s, "sort_by=score requires search[] to be set");
    }
    s->order = score ? ORDER_SCORE : str_eq_c(dir, "dsc") ? ORDER_DESC : ORDER_ASC;
    return ERR_OK;
}

static enum err size_params(struct search *s)
{
    int64_t max = s->c->api->search_limit_max > INT64_MAX ? 0 : (int64_t)s->c->api->search_limit_max;
    s->limit = max && max < SEARCH_LIMIT_DEFAULT ? max : SEARCH_LIMIT_DEFAULT;
    s->batch = SEARCH_BATCH_DEFAULT;
    enum err e = count_param(s, "limit", &s->limit);
    if (!e && max && s->limit > max) {
        e = INVALID(s, "limit %lld exceeds the configured maximum (%lld, see --web.search.max-limit)",
                    (long long)s->limit, (long long)max);
    }
    return e ? e : count_param(s, "batch_size", &s->batch);
}

static enum err own_params(struct search *s)
{
    struct str by = http_req_param(s->c->r, "sort_by");
    if (by.n && !str_eq_c(by, "alpha") && !str_eq_c(by, "score")) {
        return INVALID(s, "invalid sort_by \"%.*s\" for %s: must be \"alpha\" or \"score\"", STR_FMT(by),
                       kind_names[s->kind]);
    }
    if (s->kind == SEARCH_METRICS) {
        s->label = STR("__name__");
        return bool_param(s, "include_metadata", &s->with_metadata);
    }
    if (s->kind == SEARCH_VALUES) {
        s->label = http_req_param(s->c->r, "label");
        return s->label.n ? ERR_OK : INVALID(s, "missing required parameter \"label\"");
    }
    return ERR_OK;
}

/* -- the values ------------------------------------------------------------------------------------------ */

static enum err list_of(struct search *s, size_t selector, struct str_list *ret_list)
{
    struct prom_call *c = s->c;
    struct metric_source *source = c->api->source;
    if (s->selectors.count) {
        s->sel.matchers = s->selectors.sets[selector].m;
        s->sel.matcher_count = s->selectors.sets[selector].n;
    }
    return s->kind == SEARCH_NAMES
               ? source->ops->label_names(source, &c->q, &s->sel, 0, &c->query_arena, ret_list, &c->info)
               : source->ops->label_values(source, &c->q, s->label, &s->sel, 0, &c->query_arena, ret_list,
                                           &c->info);
}

static enum err keep_accepted(struct search *s, const struct str_list *list, struct hit **hits, size_t *n,
                              size_t *cap)
{
    size_t longest = 0;
    for (size_t i = 0; i < list->n; i++) {
        longest = list->items[i].n > longest ? list->items[i].n : longest;
    }
    enum err e = fuzzy_terms(&s->fuzzy, &s->c->query_arena, s->terms, s->term_count, longest);
    e = e ? e : arena_reserve(&s->c->query_arena, (void **)hits, cap, *n + list->n, sizeof(**hits));
    for (size_t i = 0; !e && i < list->n; i++) {
        struct hit h = {.value = list->items[i]};
        if (fuzzy_accepts(&s->fuzzy, h.value, &h.score)) {
            (*hits)[(*n)++] = h;
        }
    }
    return e;
}

static int compare_value(const void *a, const void *b)
{
    return str_cmp(((const struct hit *)a)->value, ((const struct hit *)b)->value);
}

static int compare_value_desc(const void *a, const void *b)
{
    return compare_value(b, a);
}

static int compare_score(const void *a, const void *b)
{
    double x = ((const struct hit *)a)->score, y = ((const struct hit *)b)->score;
    return x < y ? 1 : x > y ? -1 : compare_value(a, b);
}

/* Each value once, in the order asked for. */
static enum err find(struct search *s, struct hit **ret_hits, size_t *ret_n)
{
    static int (*const compare[])(const void *, const void *) = {compare_value, compare_value_desc,
                                                                 compare_score};
    struct hit *hits = NULL;
    size_t n = 0, cap = 0, kept = 0, rounds = s->selectors.count ? s->selectors.count : 1;
    for (size_t i = 0; i < rounds; i++) {
        struct str_list list = {0};
        enum err e = list_of(s, i, &list);
        e = e ? e : keep_accepted(s, &list, &hits, &n, &cap);
        if (e) {
            return e;
        }
    }
    if (n > 1) {
        qsort(hits, n, sizeof(*hits), compare[s->order]);
    }
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !str_eq(hits[i].value, hits[kept - 1].value)) {
            hits[kept++] = hits[i];
        }
    }
    *ret_hits = hits;
    *ret_n = kept;
    return ERR_OK;
}

/* -- the answer ------------------------------------------------------------------------------------------ */

static void json_text_member(struct json_writer *w, const char *key, struct str value)
{
    if (value.n) {
        json_key(w, key);
        json_str(w, value);
    }
}

/* What the targets say of the metric; the first when they disagree. */
static enum err json_described(struct search *s, struct str metric)
{
    const struct scrape_metadata_view *rows = NULL;
    size_t n = 0;
    struct scrape_manager *scrape = s->c->api->scrape;
    enum err e = scrape ? scrape_metadata_view(scrape, &s->c->query_arena, metric, &rows, &n) : ERR_OK;
    if (!e && n) {
        json_text_member(&s->c->w, "type", rows[0].type);
        json_text_member(&s->c->w, "help", rows[0].help);
        json_text_member(&s->c->w, "unit", rows[0].unit);
    }
    return e;
}

static enum err json_hit(struct search *s, const struct hit *h)
{
    struct json_writer *w = &s->c->w;
    enum err e = ERR_OK;
    json_object_begin(w);
    json_key(w, s->kind == SEARCH_VALUES ? "value" : "name");
    json_str(w, h->value);
    if (s->with_score) {
        char text[NUM_F64_BYTES_MAX];
        json_key(w, "score");
        json_raw(w, str_of(text, num_f64_format(text, h->score, h->score < 1e-6 ? 'e' : 'f')));
    }
    if (s->with_metadata) {
        e = json_described(s, h->value);
    }
    json_object_end(w);
    return e;
}

static void next_line(struct prom_call *c)
{
    buf_char(&c->out, '\n');
    c->w = json_writer(&c->out);
    c->w.html = true;
}

/* The first line is sent even when it is empty. */
static enum err write_lines(struct search *s, const struct hit *hits, size_t n)
{
    struct prom_call *c = s->c;
    size_t limit = (size_t)s->limit, shown = n < limit ? n : limit, at = 0;
    do {
        json_object_begin(&c->w);
        json_key(&c->w, "results");
        json_array_begin(&c->w);
        for (size_t end = at + (shown - at < (size_t)s->batch ? shown - at : (size_t)s->batch); at < end;) {
            enum err e = json_hit(s, &hits[at++]);
            if (e) {
                return e;
            }
        }
        json_array_end(&c->w);
        json_object_end(&c->w);
        next_line(c);
    } while (at < shown);
    json_object_begin(&c->w);
    json_key(&c->w, "status");
    json_str(&c->w, STR("success"));
    json_key(&c->w, "has_more");
    json_bool(&c->w, n > limit);
    json_object_end(&c->w);
    next_line(c);
    return ERR_OK;
}

static enum err answer(struct search *s)
{
    struct hit *hits = NULL;
    size_t n = 0;
    enum err e = term_params(s);
    e = e ? e : fuzzy_params(s);
    e = e ? e : order_params(s);
    e = e ? e : size_params(s);
    e = e ? e : own_params(s);
    e = e ? e : find(s, &hits, &n);
    return e ? e : write_lines(s, hits, n);
}

static void search(struct prom_call *c, enum search_kind kind)
{
    struct search s = {.c = c, .kind = kind};
    if (!c->api->search) {
        prom_call_unavailable(c, "search API disabled");
        return;
    }
    enum err e = span_params(&s);
    if (!e && !param_selectors(c, SELECTORS_OPTIONAL, &s.selectors)) {
        return;
    }
    e = e ? e : answer(&s);
    prom_selectors_done(&s.selectors);
    if (e) {
        prom_call_error(c, e);
    } else {
        http_res_send_buf(c->r, 200, "application/x-ndjson; charset=utf-8", &c->out);
    }
}

static void search_metrics(struct prom_call *c)
{
    search(c, SEARCH_METRICS);
}

static void search_names(struct prom_call *c)
{
    search(c, SEARCH_NAMES);
}

static void search_values(struct prom_call *c)
{
    search(c, SEARCH_VALUES);
}

PROM_ROUTE(search_metrics)
PROM_ROUTE(search_names)
PROM_ROUTE(search_values)

struct prom_routes prom_routes_search(void)
{
    static const struct http_route rows[] = {
        {"GET|POST", "/api/v1/search/metric_names", search_metrics_route, HTTP_CORS | HTTP_FORM,
         FORM_BYTES_MAX, NULL},
        {"GET|POST", "/api/v1/search/label_names", search_names_route, HTTP_CORS | HTTP_FORM, FORM_BYTES_MAX,
         NULL},
        {"GET|POST", "/api/v1/search/label_values", search_values_route, HTTP_CORS | HTTP_FORM,
         FORM_BYTES_MAX, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
