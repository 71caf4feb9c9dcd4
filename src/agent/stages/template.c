/* See template.h: what an entry is to a template. The language itself is golang/tmpl.h. */
#include "agent/stages/template.h"

#include "golang/tmpl.h"

struct template
{
    const struct tmpl *t;
    struct tmpl_regexes regexes;
};

enum err template_new(struct arena *a, struct str text, struct template **ret_template,
                      struct err_info *reterr_info)
{
    struct template *t = arena_zalloc(a, sizeof(*t));
    enum err e =
        t ? tmpl_parse(a, TMPL_PROMTAIL, STR("pipeline_template"), text, &t->t, reterr_info) : arena_err(a);
    if (!e) {
        *ret_template = t;
    }
    return e;
}

void template_free(struct template *t)
{
    if (t) {
        tmpl_regexes_done(&t->regexes);
    }
}

bool template_run(struct template *t, struct arena *a, const struct template_data *data, struct buf *out)
{
    const struct entry *entry = data->entry;
    struct label *values = arena_array(a, entry->extracted_count + 2, sizeof(*values));
    size_t n = 0;
    struct str fault;
    for (size_t i = 0; values && i < entry->extracted_count; i++) {
        values[n].name = entry->extracted[i].name;
        n += value_text(&entry->extracted[i].value, a, &values[n].value);
    }
    if (values && data->value.p) {
        values[n++] = (struct label){STR("Value"), data->value};
    }
    if (values && data->line.p) {
        values[n++] = (struct label){STR("Entry"), data->line};
    }
    const struct tmpl_input in = {
        .labels = {values, n}, .regexes = &t->regexes, .missing_is_nil = !data->zero_missing};
    return values && tmpl_execute(t->t, &in, a, out, &fault) == ERR_OK;
}
