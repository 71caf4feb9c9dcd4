/* Stages that set, keep and remove labels, structured metadata and the tenant, and the output stage. */
#include "agent/stages/stage.h"
#include "base/log.h"

struct pairs_stage {
    struct stage base;
    const struct stage_pair *pairs;
    size_t n;
};

struct names_stage {
    struct stage base;
    const struct str *names;
    size_t n;
};

static struct str source_of(const struct stage_pair *p)
{
    return p->value.n ? p->value : p->key;
}

/* -- labels -----------------------------------------------------------------------------------------------
 */

static void labels_process(struct stage *s, struct entry *e)
{
    const struct pairs_stage *l = (const struct pairs_stage *)s;
    for (size_t i = 0; i < l->n; i++) {
        const struct value *v = entry_value(e, source_of(&l->pairs[i]));
        struct str text;
        if (v && value_text(v, e->arena, &text) && str_utf8_valid(text)) {
            entry_label_set(e, l->pairs[i].key, text);
        }
    }
    stage_pass(s, e);
}

static const struct stage_ops labels_ops = {.process = labels_process};

static enum err pairs_new(const struct stage_env *env, const struct yaml_node *n, const char *name,
                          const struct stage_ops *ops, struct stage **ret, struct err_info *info)
{
    struct pairs_stage *l = stage_alloc(env, sizeof(*l), ops);
    enum err e = l ? stage_pairs(env, n, name, &l->pairs, &l->n, info) : ERR_OOM;
    for (size_t i = 0; !e && i < l->n; i++) {
        if (!label_name_is_legacy(l->pairs[i].key)) {
            return yaml_error(l->pairs[i].node, info, "invalid label name: %.*s", STR_FMT(l->pairs[i].key));
        }
    }
    if (!e) {
        *ret = &l->base;
    }
    return e;
}

enum err stage_labels_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                          struct err_info *reterr_info)
{
    if (yaml_is_null(n)) {
        return yaml_error(n, reterr_info, "label stage config cannot be empty");
    }
    return pairs_new(env, n, "labels", &labels_ops, ret_stage, reterr_info);
}

/* -- static_labels ----------------------------------------------------------------------------------------
 */

static void static_process(struct stage *s, struct entry *e)
{
    const struct pairs_stage *l = (const struct pairs_stage *)s;
    for (size_t i = 0; i < l->n; i++) {
        if (l->pairs[i].value.n) {
            entry_label_set(e, l->pairs[i].key, l->pairs[i].value);
        }
    }
    stage_pass(s, e);
}

static const struct stage_ops static_ops = {.process = static_process};

enum err stage_static_labels_new(const struct stage_env *env, const struct yaml_node *n,
                                 struct stage **ret_stage, struct err_info *reterr_info)
{
    return pairs_new(env, n, "static_labels", &static_ops, ret_stage, reterr_info);
}

/* -- structured_metadata ----------------------------------------------------------------------------------
 */

static void metadata_process(struct stage *s, struct entry *e)
{
    const struct pairs_stage *l = (const struct pairs_stage *)s;
    for (size_t i = 0; i < l->n; i++) {
        struct str source = source_of(&l->pairs[i]), label = entry_label(e, source), text = label;
        const struct value *v = entry_value(e, source);
        if (v && !value_text(v, e->arena, &text)) {
            continue;
        }
        if (!text.p) {
            continue;
        }
        entry_metadata_set(e, l->pairs[i].key, text);
        if (label.p && str_eq(label, text)) { /* it moves out of the labels */
            entry_label_remove(e, source);
        }
    }
    stage_pass(s, e);
}

static const struct stage_ops metadata_ops = {.process = metadata_process};

enum err stage_structured_metadata_new(const struct stage_env *env, const struct yaml_node *n,
                                       struct stage **ret_stage, struct err_info *reterr_info)
{
    return pairs_new(env, n, "structured_metadata", &metadata_ops, ret_stage, reterr_info);
}

/* -- labeldrop, labelallow --------------------------------------------------------------------------------
 */

static void labeldrop_process(struct stage *s, struct entry *e)
{
    const struct names_stage *l = (const struct names_stage *)s;
    for (size_t i = 0; i < l->n; i++) {
        entry_label_remove(e, l->names[i]);
    }
    stage_pass(s, e);
}

static void labelallow_process(struct stage *s, struct entry *e)
{
    const struct names_stage *l = (const struct names_stage *)s;
    size_t kept = 0;
    for (size_t i = 0; i < e->label_count; i++) {
        bool allowed = false;
        for (size_t k = 0; k < l->n; k++) {
            allowed |= str_eq(e->labels[i].name, l->names[k]);
        }
        if (allowed) {
            e->labels[kept++] = e->labels[i];
        }
    }
    e->label_count = kept;
    stage_pass(s, e);
}

static const struct stage_ops labeldrop_ops = {.process = labeldrop_process};
static const struct stage_ops labelallow_ops = {.process = labelallow_process};

static enum err names_new(const struct stage_env *env, const struct yaml_node *n, const char *name,
                          const struct stage_ops *ops, struct stage **ret, struct err_info *info)
{
    struct names_stage *l = stage_alloc(env, sizeof(*l), ops);
    if (!l) {
        return ERR_OOM;
    }
    if (yaml_is_null(n) || (n->kind == YAML_LIST && n->count == 0)) {
        return yaml_error(n, info, "%s stage config cannot be empty", name);
    }
    enum err e = yaml_str_list(env->arena, n, &l->names, &l->n, info);
    if (!e) {
        *ret = &l->base;
    }
    return e;
}

enum err stage_labeldrop_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                             struct err_info *reterr_info)
{
    return names_new(env, n, "labeldrop", &labeldrop_ops, ret_stage, reterr_info);
}

enum err stage_labelallow_new(const struct stage_env *env, const struct yaml_node *n,
                              struct stage **ret_stage, struct err_info *reterr_info)
{
    return names_new(env, n, "labelallow", &labelallow_ops, ret_stage, reterr_info);
}

/* -- output -----------------------------------------------------------------------------------------------
 */

struct source_stage {
    struct stage base;
    struct str source;
};

static void output_process(struct stage *s, struct entry *e)
{
    const struct value *v = entry_value(e, ((const struct source_stage *)s)->source);
    struct str text;
    if (v && value_text(v, e->arena, &text)) {
        e->line = text;
    }
    stage_pass(s, e);
}

static const struct stage_ops output_ops = {.process = output_process};

enum err stage_output_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                          struct err_info *reterr_info)
{
    static const char *const keys[] = {"source", NULL};
    struct source_stage *o = stage_alloc(env, sizeof(*o), &output_ops);
    enum err e = o ? stage_str(n, "source", &o->source, reterr_info) : ERR_OOM;
    stage_unknown_options(n, "output", keys);
    if (!e && o->source.n == 0) {
        return yaml_error(n, reterr_info, "output source value is required if output is specified");
    }
    if (!e) {
        *ret_stage = &o->base;
    }
    return e;
}

/* -- tenant -----------------------------------------------------------------------------------------------
 */

struct tenant_stage {
    struct stage base;
    struct str label, source, value;
};

static void tenant_process(struct stage *s, struct entry *e)
{
    const struct tenant_stage *t = (const struct tenant_stage *)s;
    struct str tenant = t->value;
    if (t->source.n) {
        const struct value *v = entry_value(e, t->source);
        tenant = STR("");
        if (v && !value_text(v, e->arena, &tenant)) {
            tenant = STR("");
        }
    } else if (t->label.n) {
        tenant = entry_label(e, t->label);
    }
    if (tenant.n) {
        entry_label_set(e, STR("__tenant_id__"), tenant);
    }
    stage_pass(s, e);
}

static const struct stage_ops tenant_ops = {.process = tenant_process};

enum err stage_tenant_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                          struct err_info *reterr_info)
{
    static const char *const keys[] = {"label", "source", "value", NULL};
    struct tenant_stage *t = stage_alloc(env, sizeof(*t), &tenant_ops);
    enum err e = t ? stage_str(n, "label", &t->label, reterr_info) : ERR_OOM;
    e = e ? e : stage_str(n, "source", &t->source, reterr_info);
    e = e ? e : stage_str(n, "value", &t->value, reterr_info);
    if (e) {
        return e;
    }
    stage_unknown_options(n, "tenant", keys);
    int given = (t->label.n > 0) + (t->source.n > 0) + (t->value.n > 0);
    if (given == 0) {
        return yaml_error(n, reterr_info, "label, source or value are required");
    }
    if (given > 1) {
        return yaml_error(n, reterr_info, "label, source and value are mutually exclusive: set one of them");
    }
    *ret_stage = &t->base;
    return ERR_OK;
}
