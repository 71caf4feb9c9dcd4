/* Series are matched when the cursor opens; each batch is a run of matching series with one clock. Ids are
 * places in the array. Exemplars and metadata: none. */
#include "query/array_source.h"

#include <stdlib.h>

#include "base/mem.h"

struct metric_cursor {
    const struct array_source *s;
    uint32_t *matched;
    size_t n, next;
    struct metric_series *batch;
};

static void cursor_close(struct metric_cursor *c)
{
    if (c) {
        mem_free(c->matched);
        mem_free(c->batch);
        mem_free(c);
    }
}

static enum err no_memory(struct metric_cursor *c, struct err_info *info)
{
    cursor_close(c);
    return err_set(info, ERR_OOM, "no memory to read series");
}

static enum err cursor_select(struct metric_source *source, struct query_ctx *q,
                              const struct metric_select *sel, struct metric_cursor **ret_cursor,
                              struct err_info *reterr_info)
{
    const struct array_source *s = (const struct array_source *)source;
    struct metric_cursor *c = mem_zalloc(sizeof(*c));
    (void)q;
    if (!c) {
        return no_memory(NULL, reterr_info);
    }
    c->s = s;
    c->matched = mem_array(s->count + 1, sizeof(*c->matched));
    c->batch = mem_array(s->count + 1, sizeof(*c->batch));
    if (!c->matched || !c->batch) {
        return no_memory(c, reterr_info);
    }
    for (size_t i = 0; i < s->count; i++) {
        const struct array_series *a = &s->series[i];
        bool within = a->n && a->ts[0] <= sel->end_ms && a->ts[a->n - 1] >= sel->start_ms;
        if (within && matchers_match(sel->matchers, sel->matcher_count, a->labels)) {
            c->matched[c->n++] = (uint32_t)i;
        }
    }
    *ret_cursor = c;
    return ERR_OK;
}

static enum err cursor_next(struct metric_cursor *c, struct metric_batch *b, struct err_info *info)
{
    size_t n = 0;
    (void)info;
    if (c->next == c->n) {
        return ERR_NOT_FOUND;
    }
    const struct array_series *first = &c->s->series[c->matched[c->next]];
    for (; c->next < c->n; c->next++, n++) {
        const struct array_series *a = &c->s->series[c->matched[c->next]];
        if (a->ts != first->ts || a->n != first->n) {
            break;
        }
        c->batch[n] = (struct metric_series){.labels = a->labels,
                                             .id = c->matched[c->next],
                                             .count = (uint32_t)a->n,
                                             .values = a->values,
                                             .histograms = a->histograms,
                                             .start_ts = a->start_ts};
    }
    *b = (struct metric_batch){
        .ts = first->ts, .ts_count = (uint32_t)first->n, .series_count = (uint32_t)n, .series = c->batch};
    return ERR_OK;
}

static struct str_list cursor_warnings(struct metric_cursor *c)
{
    (void)c;
    return (struct str_list){0};
}

/* -- names ----------------------------------------------------------------------------------------------- */

static int compare_str(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void settle(struct str *items, size_t n, size_t limit, struct str_list *out)
{
    size_t kept = 0;
    qsort(items, n, sizeof(*items), compare_str);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !str_eq(items[i], items[kept - 1])) {
            items[kept++] = items[i];
        }
    }
    *out = (struct str_list){.items = items, .n = kept};
    if (limit && kept > limit) {
        out->n = limit;
        out->truncated = true;
    }
}

/* Names when `name` is empty, else its values. */
static enum err collect(const struct array_source *s, const struct metric_select *sel, struct str name,
                        size_t limit, struct arena *a, struct str_list *out)
{
    struct str *items = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct labels ls = s->series[i].labels;
        if (!matchers_match(sel->matchers, sel->matcher_count, ls)) {
            continue;
        }
        for (size_t k = 0; k < ls.n; k++) {
            if (name.n && !str_eq(ls.l[k].name, name)) {
                continue;
            }
            enum err e = arena_reserve(a, (void **)&items, &cap, n + 1, sizeof(*items));
            if (e) {
                return e;
            }
            items[n++] = name.n ? ls.l[k].value : ls.l[k].name;
        }
    }
    if (n) {
        settle(items, n, limit, out);
    } else {
        *out = (struct str_list){0};
    }
    return ERR_OK;
}

static enum err label_names(struct metric_source *s, struct query_ctx *q, const struct metric_select *sel,
                            size_t limit, struct arena *a, struct str_list *ret_names, struct err_info *info)
{
    (void)q;
    (void)info;
    return collect((const struct array_source *)s, sel, (struct str){0}, limit, a, ret_names);
}

static enum err label_values(struct metric_source *s, struct query_ctx *q, struct str name,
                             const struct metric_select *sel, size_t limit, struct arena *a,
                             struct str_list *ret_values, struct err_info *info)
{
    (void)q;
    (void)info;
    return collect((const struct array_source *)s, sel, name, limit, a, ret_values);
}

static enum err exemplars(struct metric_source *s, struct query_ctx *q, const struct metric_select *sel,
                          struct arena *a, const struct metric_exemplar_series **ret_series, size_t *ret_n,
                          struct err_info *info)
{
    (void)s;
    (void)q;
    (void)sel;
    (void)a;
    (void)info;
    *ret_series = NULL;
    *ret_n = 0;
    return ERR_OK;
}

static enum err metadata(struct metric_source *s, struct query_ctx *q, struct str metric, size_t limit,
                         struct arena *a, const struct metric_metadata **ret_rows, size_t *ret_n,
                         struct err_info *info)
{
    (void)s;
    (void)q;
    (void)metric;
    (void)limit;
    (void)a;
    (void)info;
    *ret_rows = NULL;
    *ret_n = 0;
    return ERR_OK;
}

static uint64_t generation(struct metric_source *s, ts_ms *ret_mutable_from_ms)
{
    (void)s;
    *ret_mutable_from_ms = INT64_MAX;
    return 0;
}

void array_source_init(struct array_source *s, const struct array_series *series, size_t count)
{
    static const struct metric_source_ops ops = {.select = cursor_select,
                                                 .next = cursor_next,
                                                 .warnings = cursor_warnings,
                                                 .close = cursor_close,
                                                 .label_names = label_names,
                                                 .label_values = label_values,
                                                 .exemplars = exemplars,
                                                 .metadata = metadata,
                                                 .generation = generation};
    *s = (struct array_source){.source = {&ops}, .series = series, .count = count};
}
