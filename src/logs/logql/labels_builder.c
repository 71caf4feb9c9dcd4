/* Labels of one line. Sets are small: everything is a linear scan. */
#include "logs/logql/labels_builder.h"

#include <stdlib.h>

void builder_init(struct builder *b, const struct parser_hints *hints, struct arena *line,
                  struct arena *scratch)
{
    *b = (struct builder){.hints = hints, .line = line, .scratch = scratch};
}

static void note(struct builder *b, enum err e)
{
    b->out_of_memory = b->out_of_memory || e != ERR_OK;
}

static const struct label *find(struct labels ls, struct str name)
{
    for (size_t i = 0; i < ls.n; i++) {
        if (str_eq(ls.l[i].name, name)) {
            return &ls.l[i];
        }
    }
    return NULL;
}

static struct label *find_row(const struct label_row *r, struct str name)
{
    for (size_t i = 0; i < r->n; i++) {
        if (str_eq(r->items[i].name, name)) {
            return &r->items[i];
        }
    }
    return NULL;
}

static bool in_names(const struct str *names, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(names[i], name)) {
            return true;
        }
    }
    return false;
}

static void push_name(struct builder *b, struct str **names, size_t *n, size_t *cap, struct str name)
{
    enum err e = arena_reserve(b->scratch, (void **)names, cap, *n + 1, sizeof(**names));
    note(b, e);
    if (!e) {
        (*names)[(*n)++] = name;
    }
}

void builder_reset(struct builder *b, struct labels base, struct labels metadata)
{
    b->base = base;
    for (size_t i = 0; i < LABEL_CATEGORY_COUNT; i++) {
        b->add[i].n = 0;
    }
    b->deleted_count = 0;
    b->extracted_count = 0;
    b->err = (struct str){0};
    b->err_details = (struct str){0};
    for (size_t i = 0; i < metadata.n; i++) {
        struct str name = metadata.l[i].name;
        if (builder_base_has(b, name)) {
            name = arena_printf(b->line, "%.*s" EXTRACTED_SUFFIX, STR_FMT(name));
            note(b, name.p ? ERR_OK : ERR_OOM);
        }
        if (str_eq(name, ERROR_LABEL)) {
            b->err = metadata.l[i].value;
        } else if (str_eq(name, ERROR_DETAILS_LABEL)) {
            b->err_details = metadata.l[i].value;
        } else {
            builder_set(b, LABEL_METADATA, name, metadata.l[i].value);
        }
    }
}

/* -- reading --------------------------------------------------------------------------------------------- */

bool builder_get(const struct builder *b, struct str name, struct str *ret_value)
{
    for (size_t c = 0; c < LABEL_CATEGORY_COUNT; c++) {
        const struct label *l = find_row(&b->add[c], name);
        if (l) {
            *ret_value = l->value;
            return true;
        }
    }
    *ret_value = STR("");
    if (in_names(b->deleted, b->deleted_count, name)) {
        return false;
    }
    const struct label *l = find(b->base, name);
    if (!l || l->value.n == 0) {
        return false;
    }
    *ret_value = l->value;
    return true;
}

struct str builder_value(const struct builder *b, struct str name)
{
    struct str value;
    if (str_eq(name, ERROR_LABEL)) {
        return b->err;
    }
    (void)builder_get(b, name, &value);
    return value;
}

bool builder_base_has(const struct builder *b, struct str name)
{
    return find(b->base, name) != NULL;
}

bool builder_has(const struct builder *b, enum label_category c, struct str name)
{
    return find_row(&b->add[c], name) != NULL;
}

/* -- writing --------------------------------------------------------------------------------------------- */

static void remove_from(struct builder *b, enum label_category c, struct str name)
{
    struct label_row *r = &b->add[c];
    struct label *l = find_row(r, name);
    if (l) {
        size_t after = r->n - (size_t)(l - r->items) - 1;
        memmove(l, l + 1, after * sizeof(*l));
        r->n--;
    }
}

void builder_set(struct builder *b, enum label_category c, struct str name, struct str value)
{
    if (c == LABEL_PARSED) {
        remove_from(b, LABEL_METADATA, name);
        remove_from(b, LABEL_STREAM, name);
    } else if (c == LABEL_METADATA) {
        remove_from(b, LABEL_STREAM, name);
        if (builder_has(b, LABEL_PARSED, name)) {
            return;
        }
    } else if (builder_has(b, LABEL_METADATA, name) || builder_has(b, LABEL_PARSED, name)) {
        return;
    }
    struct label_row *r = &b->add[c];
    struct label *l = find_row(r, name);
    if (l) {
        l->value = value;
        return;
    }
    enum err e = arena_reserve(b->scratch, (void **)&r->items, &r->cap, r->n + 1, sizeof(*r->items));
    note(b, e);
    if (e) {
        return;
    }
    r->items[r->n++] = (struct label){name, value};
    if (c == LABEL_PARSED) {
        push_name(b, &b->extracted, &b->extracted_count, &b->extracted_cap, name);
    }
}

void builder_delete(struct builder *b, struct str name)
{
    for (size_t c = 0; c < LABEL_CATEGORY_COUNT; c++) {
        remove_from(b, (enum label_category)c, name);
    }
    push_name(b, &b->deleted, &b->deleted_count, &b->deleted_cap, name);
}

void builder_error(struct builder *b, struct str err, struct str details)
{
    b->err = err;
    if (details.p) {
        b->err_details = details;
    }
}

void builder_parse_error(struct builder *b, struct str err, struct str details)
{
    builder_error(b, err, details);
    if (b->hints->preserve_error) {
        builder_set(b, LABEL_PARSED, PRESERVE_ERROR_LABEL, STR("true"));
    }
}

/* -- hints ----------------------------------------------------------------------------------------------- */

bool builder_extracted(const struct builder *b, struct str name)
{
    return in_names(b->extracted, b->extracted_count, name);
}

bool builder_should_extract(const struct builder *b, struct str name)
{
    const struct parser_hints *h = b->hints;
    return h->required_count == 0 || in_names(h->required, h->required_count, name);
}

bool builder_should_extract_prefix(const struct builder *b, struct str prefix)
{
    const struct parser_hints *h = b->hints;
    for (size_t i = 0; i < h->required_count; i++) {
        if (str_starts(h->required[i], prefix)) {
            return true;
        }
    }
    return h->required_count == 0;
}

bool builder_all_extracted(const struct builder *b)
{
    const struct parser_hints *h = b->hints;
    if (h->required_count == 0 || b->extracted_count < h->required_count) {
        return false;
    }
    for (size_t i = 0; i < h->required_count; i++) {
        if (!builder_extracted(b, h->required[i])) {
            return false;
        }
    }
    return true;
}

bool builder_no_labels(const struct builder *b)
{
    return b->hints->no_labels || builder_all_extracted(b);
}

bool builder_should_continue(struct builder *b, struct str name)
{
    const struct parser_hints *h = b->hints;
    for (size_t i = 0; i < h->filter_count; i++) {
        if (str_eq(h->filters[i].name, name)) {
            return h->filters[i].passes(h->filters[i].filter, b);
        }
    }
    return true;
}

struct str builder_free_name(struct builder *b, struct str name)
{
    if (!builder_base_has(b, name) && !builder_has(b, LABEL_METADATA, name)) {
        return name;
    }
    struct str longer = arena_printf(b->line, "%.*s" EXTRACTED_SUFFIX, STR_FMT(name));
    note(b, longer.p ? ERR_OK : ERR_OOM);
    return longer;
}

/* -- results --------------------------------------------------------------------------------------------- */

bool builder_unchanged(const struct builder *b)
{
    return b->deleted_count == 0 && b->add[0].n + b->add[1].n + b->add[2].n == 0 && b->err.n == 0;
}

static int compare_names(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static struct labels sorted(struct label *l, size_t n)
{
    if (n > 1) {
        qsort(l, n, sizeof(*l), compare_names);
    }
    return (struct labels){l, n};
}

/* Room for every label there can be; NULL without memory. */
static struct label *room(struct builder *b)
{
    size_t n = b->base.n + b->add[0].n + b->add[1].n + b->add[2].n + 2;
    struct label *out = arena_array(b->line, n, sizeof(*out));
    note(b, out ? ERR_OK : ERR_OOM);
    return out;
}

static size_t put_stream(const struct builder *b, struct label *out)
{
    size_t n = 0;
    for (size_t i = 0; i < b->base.n; i++) {
        struct label l = b->base.l[i];
        if (in_names(b->deleted, b->deleted_count, l.name) || builder_has(b, LABEL_METADATA, l.name) ||
            builder_has(b, LABEL_PARSED, l.name)) {
            continue;
        }
        const struct label *own = find_row(&b->add[LABEL_STREAM], l.name);
        out[n++] = own ? *own : l;
    }
    return n;
}

static size_t put_row(const struct builder *b, enum label_category c, struct label *out)
{
    size_t n = 0;
    for (size_t i = 0; i < b->add[c].n; i++) {
        if (c != LABEL_METADATA || !builder_has(b, LABEL_PARSED, b->add[c].items[i].name)) {
            out[n++] = b->add[c].items[i];
        }
    }
    return n;
}

static size_t put_errors(const struct builder *b, struct label *out)
{
    size_t n = 0;
    if (b->err.n) {
        out[n++] = (struct label){ERROR_LABEL, b->err};
    }
    if (b->err_details.n) {
        out[n++] = (struct label){ERROR_DETAILS_LABEL, b->err_details};
    }
    return n;
}

struct labels builder_all(struct builder *b)
{
    struct label *out = room(b);
    if (!out) {
        return (struct labels){0};
    }
    size_t n = put_stream(b, out);
    n += put_row(b, LABEL_METADATA, out + n);
    n += put_row(b, LABEL_PARSED, out + n);
    n += put_errors(b, out + n);
    return (struct labels){out, n};
}

struct labels builder_sorted(struct builder *b)
{
    struct label *out = room(b);
    if (builder_unchanged(b) || !out) {
        return b->base;
    }
    size_t n = put_stream(b, out);
    n += put_row(b, LABEL_METADATA, out + n);
    n += put_row(b, LABEL_PARSED, out + n);
    n += put_errors(b, out + n);
    return sorted(out, n);
}

struct labels builder_category(struct builder *b, enum label_category c)
{
    struct label *out = room(b);
    size_t n = 0;
    if (!out) {
        return (struct labels){0};
    }
    if (c == LABEL_STREAM) {
        n = put_stream(b, out);
    } else {
        n = put_row(b, c, out);
    }
    if (c == LABEL_PARSED && !builder_unchanged(b)) {
        n += put_errors(b, out + n);
    }
    return sorted(out, n);
}

static struct labels grouped_by(struct builder *b, const struct label_groups *g, struct label *out)
{
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++) {
        const struct label *l = NULL;
        if (in_names(b->deleted, b->deleted_count, g->names[i])) {
            continue;
        }
        for (size_t c = 0; c < LABEL_CATEGORY_COUNT && !l; c++) {
            l = find_row(&b->add[c], g->names[i]);
        }
        if (!l) {
            l = find(b->base, g->names[i]);
            l = l && l->value.n ? l : NULL;
        }
        if (l && (n == 0 || !str_eq(out[n - 1].name, l->name))) {
            out[n++] = *l;
        }
    }
    return sorted(out, n);
}

static struct labels grouped_without(struct builder *b, const struct label_groups *g, struct label *out)
{
    size_t n = 0;
    for (size_t i = 0; i < b->base.n; i++) {
        struct str name = b->base.l[i].name;
        bool replaced = builder_has(b, LABEL_STREAM, name) || builder_has(b, LABEL_METADATA, name) ||
                        builder_has(b, LABEL_PARSED, name);
        if (!replaced && !in_names(b->deleted, b->deleted_count, name) && !in_names(g->names, g->n, name)) {
            out[n++] = b->base.l[i];
        }
    }
    for (size_t c = 0; c < LABEL_CATEGORY_COUNT; c++) {
        for (size_t i = 0; i < b->add[c].n; i++) {
            if (!in_names(g->names, g->n, b->add[c].items[i].name)) {
                out[n++] = b->add[c].items[i];
            }
        }
    }
    return sorted(out, n);
}

struct labels builder_grouped(struct builder *b, const struct label_groups *g)
{
    if (b->err.n) {
        return builder_sorted(b);
    }
    if (g->none) {
        return (struct labels){0};
    }
    if (g->n == 0) {
        return builder_sorted(b);
    }
    size_t n = b->base.n + b->add[0].n + b->add[1].n + b->add[2].n + g->n;
    struct label *out = arena_array(b->line, n, sizeof(*out));
    note(b, out ? ERR_OK : ERR_OOM);
    if (!out) {
        return (struct labels){0};
    }
    return g->without ? grouped_without(b, g, out) : grouped_by(b, g, out);
}
