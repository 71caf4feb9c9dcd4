/* One heap block a family; a change makes a new one. */
#include "metrics/scrape/metadata.h"

#include "base/mem.h"
#include "metrics/scrape/limits.h"

static const char *const types[] = {"unknown", "counter",        "gauge", "histogram",
                                    "summary", "gaugehistogram", "info",  "stateset"};

static const char *type_of(struct str s)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (str_eq_c(s, types[i])) {
            return types[i];
        }
    }
    return types[0];
}

void scrape_metadata_done(struct metadata_table *t)
{
    strmap_clear(&t->families, mem_free);
    strmap_done(&t->families);
}

static struct family_metadata *family_new(struct str metric, const char *type, struct str help,
                                          struct str unit)
{
    struct family_metadata *f = mem_alloc(sizeof(*f) + metric.n + help.n + unit.n);
    if (!f) {
        return NULL;
    }
    char *at = f->text;
    *f = (struct family_metadata){.type = type};
    const struct {
        struct str from, *to;
    } parts[] = {{metric, &f->metric}, {help, &f->help}, {unit, &f->unit}};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i].from.n) {
            memcpy(at, parts[i].from.p, parts[i].from.n);
        }
        *parts[i].to = str_of(at, parts[i].from.n);
        at += parts[i].from.n;
    }
    return f;
}

enum err scrape_metadata_set(struct metadata_table *t, struct str metric, struct str type, struct str help,
                             struct str unit, uint32_t scrape)
{
    struct family_metadata *f = strmap_get(&t->families, metric);
    const char *new_type = type.p ? type_of(type) : f ? f->type : types[0];
    struct str new_help = help.p ? help
                          : f    ? f->help
                                 : STR(""),
               new_unit = unit.p ? unit
                          : f    ? f->unit
                                 : STR("");
    if (f && new_type == f->type && str_eq(new_help, f->help) && str_eq(new_unit, f->unit)) {
        f->seen = scrape;
        return ERR_OK;
    }
    struct family_metadata *fresh = family_new(metric, new_type, new_help, new_unit);
    void *old = NULL;
    if (!fresh) {
        return ERR_OOM;
    }
    fresh->seen = scrape;
    enum err e = strmap_put(&t->families, metric, fresh, &old);
    mem_free(e ? (void *)fresh : old);
    return e;
}

void scrape_metadata_trim(struct metadata_table *t, uint32_t scrape, uint32_t repeats)
{
    if (repeats &&
        repeats != SCRAPE_METADATA_KEPT) { /* by then all that the last reading did not have is old */
        return;
    }
    size_t pos = 0;
    struct str key;
    void *value;
    while (strmap_next(&t->families, &pos, &key, &value)) {
        const struct family_metadata *f = value;
        if ((int32_t)(scrape - f->seen) > (repeats ? 0 : SCRAPE_METADATA_KEPT)) {
            mem_free(strmap_remove(&t->families, key));
        }
    }
}
