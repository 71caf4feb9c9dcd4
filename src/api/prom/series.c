/* /series, /labels, /label/{name}/values, /metadata. */
#include <stdlib.h>

#include "api/prom/prom_call.h"
#include "metrics/scrape/scrape.h"

/* Everything stored, unless start and end say otherwise. */
static bool span(struct prom_call *c, struct metric_select *sel)
{
    *sel = (struct metric_select){.start_ms = INT64_MIN, .end_ms = INT64_MAX, .hints.labels_only = true};
    return param_time(c, "start", &sel->start_ms) && param_time(c, "end", &sel->end_ms);
}

static int compare_str(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The union of the lists of several selectors. */
struct union_list {
    struct str *items;
    size_t n, cap;
    bool truncated;
};

static enum err union_add(struct prom_call *c, struct union_list *u, const struct str_list *list)
{
    enum err e =
        arena_reserve(&c->query_arena, (void **)&u->items, &u->cap, u->n + list->n, sizeof(*u->items));
    if (e) {
        return e;
    }
    if (list->n) {
        memcpy(u->items + u->n, list->items, list->n * sizeof(*u->items));
    }
    u->n += list->n;
    u->truncated |= list->truncated;
    return ERR_OK;
}

/* `lists`: of how many it is; each is sorted and has nothing twice. */
static void union_finish(struct union_list *u, size_t lists, size_t limit)
{
    if (u->n > 1 && lists > 1) {
        qsort(u->items, u->n, sizeof(*u->items), compare_str);
    }
    size_t kept = 0;
    for (size_t i = 0; i < u->n; i++) {
        if (kept == 0 || !str_eq(u->items[i], u->items[kept - 1])) {
            u->items[kept++] = u->items[i];
        }
    }
    u->n = kept;
    if (limit && u->n > limit) {
        u->n = limit;
        u->truncated = true;
    }
}

static void send_truncatable(struct prom_call *c, bool truncated)
{
    static const struct str warning = STR_INIT("results truncated due to limit");
    prom_call_send_annotated(c, &warning, truncated, NULL, 0);
}

/* name.p NULL: label names; else the values of that label. */
static void label_list(struct prom_call *c, struct str name)
{
    struct metric_select sel;
    struct prom_selectors s = {0};
    struct union_list u = {0};
    size_t limit = 0;
    if (!param_limit(c, "limit", &limit) || !span(c, &sel) || !param_selectors(c, SELECTORS_OPTIONAL, &s)) {
        return;
    }
    struct metric_source *source = c->api->source;
    size_t rounds = s.count ? s.count : 1;
    enum err e = ERR_OK;
    for (size_t i = 0; i < rounds && !e; i++) {
        struct str_list list = {0};
        sel.matchers = s.count ? s.sets[i].m : NULL;
        sel.matcher_count = s.count ? s.sets[i].n : 0;
        e = name.p ? source->ops->label_values(source, &c->q, name, &sel, limit, &c->query_arena, &list,
                                               &c->info)
                   : source->ops->label_names(source, &c->q, &sel, limit, &c->query_arena, &list, &c->info);
        if (!e) {
            e = union_add(c, &u, &list);
        }
    }
    prom_selectors_done(&s);
    if (e) {
        prom_call_error(c, e);
        return;
    }
    union_finish(&u, rounds, limit);
    prom_call_data(c);
    json_array_begin(&c->w);
    for (size_t i = 0; i < u.n; i++) {
        json_str(&c->w, u.items[i]);
    }
    json_array_end(&c->w);
    send_truncatable(c, u.truncated);
}

static void labels(struct prom_call *c)
{
    label_list(c, (struct str){0});
}

/* U__ escaping of names that are no legacy identifiers: U__http_2e_status. */
static struct str unescape_name(struct arena *a, struct str name)
{
    if (!str_starts(name, STR("U__"))) {
        return name;
    }
    char *out = arena_bytes(a, name.n * 4 + 1);
    size_t n = 0;
    for (size_t i = 3; out && i < name.n;) {
        if (name.p[i] != '_') {
            out[n++] = name.p[i++];
            continue;
        }
        if (i + 1 < name.n && name.p[i + 1] == '_') {
            out[n++] = '_';
            i += 2;
            continue;
        }
        uint32_t code = 0;
        size_t k = i + 1;
        for (; k < name.n && k - i <= 6 && name.p[k] != '_'; k++) {
            char d = name.p[k];
            int v = d >= '0' && d <= '9' ? d - '0' : d >= 'a' && d <= 'f' ? d - 'a' + 10 : -1;
            if (v < 0) {
                return name;
            }
            code = code * 16 + (uint32_t)v;
        }
        if (k >= name.n || k == i + 1 || code > 0x10ffff) {
            return name;
        }
        n += utf8_put(out + n, code);
        i = k + 1;
    }
    return out ? str_of(out, n) : name;
}

static void label_values(struct prom_call *c)
{
    struct str name = unescape_name(c->a, http_req_capture(c->r, "name"));
    if (name.n == 0 || !str_utf8_valid(name)) {
        struct buf q AUTO_BUF = {0};
        labels_quote(&q, name);
        (void)err_set(&c->info, ERR_INVALID, "invalid label name: %.*s", STR_FMT(buf_view(&q)));
        prom_call_error(c, ERR_INVALID);
        return;
    }
    label_list(c, name);
}

/* -- series ---------------------------------------------------------------------------------------------- */

struct series_list {
    struct labels *items;
    size_t n, cap;
};

static enum err series_of(struct prom_call *c, const struct metric_select *sel, size_t limit,
                          struct series_list *l)
{
    struct metric_source *source = c->api->source;
    struct metric_cursor *cursor;
    enum err e = source->ops->select(source, &c->q, sel, &cursor, &c->info);
    if (e) {
        return e;
    }
    struct metric_batch batch;
    while ((!limit || l->n <= limit) && (e = source->ops->next(cursor, &batch, &c->info)) == ERR_OK) {
        e = arena_reserve(&c->query_arena, (void **)&l->items, &l->cap, l->n + batch.series_count,
                          sizeof(*l->items));
        for (uint32_t i = 0; i < batch.series_count && !e; i++) {
            e = labels_dup(&c->query_arena, batch.series[i].labels, &l->items[l->n++]);
        }
        if (e) {
            break;
        }
    }
    source->ops->close(cursor);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static int compare_labels(const void *a, const void *b)
{
    return labels_cmp(*(const struct labels *)a, *(const struct labels *)b);
}

static void series(struct prom_call *c)
{
    struct metric_select sel;
    struct prom_selectors s = {0};
    struct series_list l = {0};
    size_t limit = 0;
    if (http_req_param(c->r, "match[]").p == NULL) {
        prom_call_error(c, err_set(&c->info, ERR_INVALID, "no match[] parameter provided"));
        return;
    }
    if (!param_limit(c, "limit", &limit) || !span(c, &sel) || !param_selectors(c, SELECTORS_REQUIRED, &s)) {
        return;
    }
    enum err e = ERR_OK;
    for (size_t i = 0; i < s.count && !e; i++) {
        sel.matchers = s.sets[i].m;
        sel.matcher_count = s.sets[i].n;
        e = series_of(c, &sel, limit, &l);
    }
    prom_selectors_done(&s);
    if (e) {
        prom_call_error(c, e);
        return;
    }
    if (l.n > 1) {
        qsort(l.items, l.n, sizeof(*l.items), compare_labels);
    }
    prom_call_data(c);
    json_array_begin(&c->w);
    size_t shown = 0;
    bool truncated = false;
    for (size_t i = 0; i < l.n; i++) {
        if (i && labels_eq(l.items[i], l.items[i - 1])) {
            continue;
        }
        if (limit && shown == limit) {
            truncated = true;
            break;
        }
        json_labels(&c->w, l.items[i]);
        shown++;
    }
    json_array_end(&c->w);
    send_truncatable(c, truncated);
}

/* -- metadata -------------------------------------------------------------------------------------------- */

static int compare_metadata(const void *a, const void *b)
{
    const struct metric_metadata *x = a, *y = b;
    int c = str_cmp(x->metric, y->metric);
    c = c ? c : str_cmp(x->type, y->type);
    c = c ? c : str_cmp(x->help, y->help);
    return c ? c : str_cmp(x->unit, y->unit);
}

static void json_metadata(struct json_writer *w, const struct metric_metadata *m)
{
    json_object_begin(w);
    json_key(w, "type");
    json_str(w, m->type);
    json_key(w, "unit");
    json_str(w, m->unit);
    json_key(w, "help");
    json_str(w, m->help);
    json_object_end(w);
}

/* What the targets say and what came by remote write: sorted, each once. */
static enum err all_metadata(struct prom_call *c, struct str metric, struct metric_metadata **ret_rows,
                             size_t *ret_n)
{
    const struct metric_metadata *stored = NULL;
    const struct scrape_metadata_view *scraped = NULL;
    size_t stored_count = 0, scraped_count = 0, n = 0;
    enum err e = c->api->source->ops->metadata(c->api->source, &c->q, metric, 0, &c->query_arena, &stored,
                                               &stored_count, &c->info);
    e = e || !c->api->scrape
            ? e
            : scrape_metadata_view(c->api->scrape, &c->query_arena, metric, &scraped, &scraped_count);
    struct metric_metadata *rows =
        e ? NULL : arena_array(&c->query_arena, stored_count + scraped_count + 1, sizeof(*rows));
    if (e || !rows) {
        return e ? e : ERR_OOM;
    }
    if (stored_count) {
        memcpy(rows, stored, stored_count * sizeof(*rows));
    }
    for (size_t i = 0; i < scraped_count; i++) {
        rows[stored_count + i] =
            (struct metric_metadata){scraped[i].metric, scraped[i].type, scraped[i].help, scraped[i].unit};
    }
    qsort(rows, stored_count + scraped_count, sizeof(*rows), compare_metadata);
    for (size_t i = 0; i < stored_count + scraped_count; i++) {
        if (n == 0 || compare_metadata(&rows[i], &rows[n - 1]) != 0) {
            rows[n++] = rows[i];
        }
    }
    *ret_rows = rows;
    *ret_n = n;
    return ERR_OK;
}

/* A count, -1 when absent. False: answered. */
static bool param_number(struct prom_call *c, const char *name, int64_t *value)
{
    struct str s = http_req_param(c->r, name);
    *value = -1;
    if (s.n && str_to_i64(s, value)) {
        prom_call_error(c, err_set(&c->info, ERR_INVALID, "%s must be a number", name));
        return false;
    }
    return true;
}

static void metadata(struct prom_call *c)
{
    int64_t limit, per_metric, metrics = 0;
    struct metric_metadata *rows = NULL;
    size_t n = 0;
    if (!param_number(c, "limit", &limit) || !param_number(c, "limit_per_metric", &per_metric)) {
        return;
    }
    enum err e = all_metadata(c, http_req_param(c->r, "metric"), &rows, &n);
    if (e) {
        prom_call_error(c, e);
        return;
    }
    prom_call_data(c);
    json_object_begin(&c->w);
    for (size_t i = 0, end; i < n && (limit < 0 || metrics < limit); i = end, metrics++) {
        json_key_str(&c->w, rows[i].metric);
        json_array_begin(&c->w);
        for (end = i; end < n && str_eq(rows[end].metric, rows[i].metric); end++) {
            if (per_metric <= 0 || (int64_t)(end - i) < per_metric) {
                json_metadata(&c->w, &rows[end]);
            }
        }
        json_array_end(&c->w);
    }
    json_object_end(&c->w);
    prom_call_send(c);
}

PROM_ROUTE(labels)
PROM_ROUTE(label_values)
PROM_ROUTE(series)
PROM_ROUTE(metadata)

struct prom_routes prom_routes_series(void)
{
    static const struct http_route rows[] = {
        {"GET|POST", "/api/v1/labels", labels_route, HTTP_CORS | HTTP_FORM, FORM_BYTES_MAX, NULL},
        {"GET", "/api/v1/label/{name}/values", label_values_route, HTTP_CORS, 0, NULL},
        {"GET|POST", "/api/v1/series", series_route, HTTP_CORS | HTTP_FORM, FORM_BYTES_MAX, NULL},
        {"GET", "/api/v1/metadata", metadata_route, HTTP_CORS, 0, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
