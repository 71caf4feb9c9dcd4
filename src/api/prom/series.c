/* /series, /labels, /label/{name}/values, /metadata. */
#include <stdlib.h>

#include "api/prom/prom_call.h"

/* Everything stored, unless start and end say otherwise. */
static bool span(struct prom_call *c, struct metric_select *sel)
{
    *sel = (struct metric_select){.start_ms = INT64_MIN, .end_ms = INT64_MAX, .hints.labels_only = true};
    if (!param_time(c, "start", &sel->start_ms) || !param_time(c, "end", &sel->end_ms)) {
        return false;
    }
    if (sel->end_ms < sel->start_ms) {
        (void)err_set(&c->info, ERR_INVALID, "end timestamp must not be before start timestamp");
        prom_call_bad_parameter(c, "end");
        return false;
    }
    return true;
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

static void union_finish(struct union_list *u, size_t limit)
{
    if (u->n > 1) {
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
    if (!param_limit(c, "limit", &limit) || !span(c, &sel) || !param_selectors(c, false, &s)) {
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
    union_finish(&u, limit);
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
        if (code < 0x80) {
            out[n++] = (char)code;
        } else if (code < 0x800) {
            out[n++] = (char)(0xc0 | (code >> 6));
            out[n++] = (char)(0x80 | (code & 63));
        } else if (code < 0x10000) {
            out[n++] = (char)(0xe0 | (code >> 12));
            out[n++] = (char)(0x80 | ((code >> 6) & 63));
            out[n++] = (char)(0x80 | (code & 63));
        } else {
            out[n++] = (char)(0xf0 | (code >> 18));
            out[n++] = (char)(0x80 | ((code >> 12) & 63));
            out[n++] = (char)(0x80 | ((code >> 6) & 63));
            out[n++] = (char)(0x80 | (code & 63));
        }
        i = k + 1;
    }
    return out ? str_of(out, n) : name;
}

static void label_values(struct prom_call *c)
{
    struct str name = unescape_name(c->a, http_req_capture(c->r, "name"));
    if (name.n == 0 || !str_utf8_valid(name)) {
        (void)err_set(&c->info, ERR_INVALID, "invalid label name: \"%.*s\"", STR_FMT(name));
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
    if (!param_limit(c, "limit", &limit) || !span(c, &sel) || !param_selectors(c, true, &s)) {
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
    return str_cmp(((const struct metric_metadata *)a)->metric, ((const struct metric_metadata *)b)->metric);
}

static void json_metadata(struct json_writer *w, const struct metric_metadata *m)
{
    json_object_begin(w);
    json_key(w, "type");
    json_str(w, m->type);
    json_key(w, "help");
    json_str(w, m->help);
    json_key(w, "unit");
    json_str(w, m->unit);
    json_object_end(w);
}

static void metadata(struct prom_call *c)
{
    size_t limit = 0, per_metric = 0, n;
    const struct metric_metadata *stored;
    if (!param_limit(c, "limit", &limit) || !param_limit(c, "limit_per_metric", &per_metric)) {
        return;
    }
    enum err e = c->api->source->ops->metadata(c->api->source, &c->q, http_req_param(c->r, "metric"), 0,
                                               &c->query_arena, &stored, &n, &c->info);
    struct metric_metadata *rows = e ? NULL : arena_array(&c->query_arena, n + 1, sizeof(*rows));
    if (e || !rows) {
        prom_call_error(c, e ? e : ERR_OOM);
        return;
    }
    if (n) {
        memcpy(rows, stored, n * sizeof(*rows));
        qsort(rows, n, sizeof(*rows), compare_metadata);
    }
    prom_call_data(c);
    json_object_begin(&c->w);
    size_t metrics = 0;
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && str_eq(rows[end].metric, rows[i].metric)) {
            end++;
        }
        if (limit && metrics++ == limit) {
            break;
        }
        json_key_str(&c->w, rows[i].metric);
        json_array_begin(&c->w);
        for (size_t k = i; k < end && (!per_metric || k - i < per_metric); k++) {
            json_metadata(&c->w, &rows[k]);
        }
        json_array_end(&c->w);
        i = end;
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
        {"GET|POST", "/api/v1/labels", labels_route, HTTP_FORM, 0, NULL},
        {"GET", "/api/v1/label/{name}/values", label_values_route, 0, 0, NULL},
        {"GET|POST", "/api/v1/series", series_route, HTTP_FORM, 0, NULL},
        {"GET", "/api/v1/metadata", metadata_route, 0, 0, NULL},
    };
    return (struct prom_routes){rows, ARRAY_LEN(rows)};
}
