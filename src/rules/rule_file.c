/* Reading rule files. One pass over the YAML tree; every refusal has its place. */
#include "rules/rule_file.h"

#include <glob.h>

#include "base/mem.h"
#include "codec/yaml.h"
#include "metrics/promql/engine.h"
#include "rules/limits.h"

struct reader {
    struct rule_set *set;
    struct arena *a;
    const struct rule_defaults *d;
    struct str file;
    struct err_info *info;
};

static enum err no_memory(const struct reader *r)
{
    return err_set(r->info, arena_err(r->a) ? arena_err(r->a) : ERR_OOM, "out of memory");
}

static enum err read_labels(const struct reader *r, const struct yaml_node *map, const char *what,
                            bool annotations, struct label *l, size_t *n)
{
    if (!yaml_is_null(map) && map->kind != YAML_MAP) {
        return yaml_error(map, r->info, "%s must be a map of names and values", what);
    }
    for (const struct yaml_node *c = map ? map->child : NULL; c; c = c->next) {
        struct str value = STR("");
        enum err e = yaml_str(c, &value, r->info);
        bool bad =
            c->key.n == 0 || !str_utf8_valid(c->key) || (!annotations && str_eq(c->key, LABEL_METRIC_NAME));
        if (!e && bad) {
            e = yaml_error(c, r->info, "invalid %s name: %.*s", annotations ? "annotation" : "label",
                           STR_FMT(c->key));
        }
        if (e) {
            return e;
        }
        l[(*n)++] = (struct label){c->key, value};
    }
    return ERR_OK;
}

/* The group's labels under the rule's own. */
static enum err rule_labels(const struct reader *r, const struct yaml_node *group,
                            const struct yaml_node *own, struct labels *ret_labels)
{
    size_t n = 0, own_count;
    struct label *l = arena_array(r->a, (group ? group->count : 0) + (own ? own->count : 0) + 1, sizeof(*l));
    if (!l) {
        return no_memory(r);
    }
    enum err e = read_labels(r, own, "labels", false, l, &n);
    own_count = n;
    e = e ? e : read_labels(r, group, "labels", false, l, &n);
    size_t kept = own_count;
    for (size_t i = own_count; i < n && !e; i++) {
        bool there = false;
        for (size_t k = 0; k < own_count; k++) {
            there |= str_eq(l[k].name, l[i].name);
        }
        if (!there) {
            l[kept++] = l[i];
        }
    }
    e = e ? e : labels_normalise(l, &kept, r->info);
    *ret_labels = (struct labels){l, kept};
    return e;
}

static enum err read_expr(const struct reader *r, const struct yaml_node *n, struct str *ret_expr)
{
    const struct promql_options options = {.experimental = true};
    struct buf printed AUTO_BUF = {0};
    struct err_info why = {0};
    enum err e = promql_string(&options, n->text, &printed, &why);
    if (e == ERR_INVALID) {
        return yaml_error(n, r->info, "could not parse expression: %s", why.message);
    }
    if (e || printed.err) {
        return err_set(r->info, e ? e : printed.err, "out of memory");
    }
    *ret_expr = arena_str(r->a, buf_view(&printed));
    return ret_expr->p ? ERR_OK : no_memory(r);
}

static enum err check_recording(const struct reader *r, const struct yaml_node *n, const struct rule *rule)
{
    static const char *const alerts_only[] = {"annotations", "for", "keep_firing_for"};
    for (size_t i = 0; i < ARRAY_LEN(alerts_only); i++) {
        const struct yaml_node *c = yaml_get(n, alerts_only[i]);
        if (!yaml_is_null(c) && (c->kind != YAML_MAP || c->count)) {
            return yaml_error(c, r->info, "invalid field '%s' in recording rule", alerts_only[i]);
        }
    }
    if (str_find_char(rule->name, '{', 0) != STR_NPOS || str_find_char(rule->name, '}', 0) != STR_NPOS ||
        !str_utf8_valid(rule->name)) {
        return yaml_error(yaml_get(n, "record"), r->info, "invalid recording rule name: %.*s",
                          STR_FMT(rule->name));
    }
    return ERR_OK;
}

static enum err read_rule(const struct reader *r, const struct yaml_node *n, const struct yaml_node *group,
                          struct rule *rule)
{
    static const char *const keys[] = {"record",          "alert",  "expr",        "for",
                                       "keep_firing_for", "labels", "annotations", NULL};
    struct str record = {0}, alert = {0};
    const struct yaml_node *expr = yaml_get(n, "expr"), *annotations = yaml_get(n, "annotations");
    enum err e = yaml_check_keys(n, "rule", keys, r->info);
    e = e ? e : yaml_str(yaml_get(n, "record"), &record, r->info);
    e = e ? e : yaml_str(yaml_get(n, "alert"), &alert, r->info);
    if (!e && (record.n > 0) == (alert.n > 0)) {
        e = yaml_error(n, r->info,
                       record.n ? "only one of 'record' and 'alert' must be set"
                                : "one of 'record' or 'alert' must be set");
    }
    *rule = (struct rule){.alert = alert.n > 0, .name = alert.n ? alert : record};
    if (!e && (yaml_is_null(expr) || expr->kind != YAML_SCALAR || str_trim(expr->text).n == 0)) {
        e = yaml_error(expr ? expr : n, r->info, "field 'expr' must be set in rule");
    }
    e = e ? e : read_expr(r, expr, &rule->expr);
    e = e ? e : rule->alert ? ERR_OK : check_recording(r, n, rule);
    e = e ? e : yaml_duration(yaml_get(n, "for"), false, &rule->for_ms, r->info);
    e = e ? e : yaml_duration(yaml_get(n, "keep_firing_for"), false, &rule->keep_firing_for_ms, r->info);
    e = e ? e : rule_labels(r, yaml_get(group, "labels"), yaml_get(n, "labels"), &rule->labels);
    struct label *l = e ? NULL : arena_array(r->a, (annotations ? annotations->count : 0) + 1, sizeof(*l));
    size_t count = 0;
    e = e ? e : !l ? no_memory(r) : read_labels(r, annotations, "annotations", true, l, &count);
    e = e ? e : labels_normalise(l, &count, r->info);
    rule->annotations = (struct labels){l, count};
    return e;
}

static enum err read_group(const struct reader *r, const struct yaml_node *n)
{
    static const char *const keys[] = {"name", "interval", "query_offset", "limit", "labels", "rules", NULL};
    struct rule_group g = {
        .file = r->file, .interval_ms = r->d->interval_ms, .query_offset_ms = r->d->query_offset_ms};
    const struct yaml_node *list = yaml_get(n, "rules");
    enum err e = yaml_is_null(n) ? yaml_error(n, r->info, "empty or null rule group")
                                 : yaml_check_keys(n, "rule group", keys, r->info);
    e = e ? e : yaml_str(yaml_get(n, "name"), &g.name, r->info);
    if (!e && g.name.n == 0) {
        e = yaml_error(n, r->info, "Groupname must not be empty");
    }
    for (size_t i = 0; i < r->set->n && !e; i++) {
        if (str_eq(r->set->groups[i].file, r->file) && str_eq(r->set->groups[i].name, g.name)) {
            e = yaml_error(yaml_get(n, "name"), r->info, "groupname: \"%.*s\" is repeated in the same file",
                           STR_FMT(g.name));
        }
    }
    e = e ? e : yaml_duration(yaml_get(n, "interval"), false, &g.interval_ms, r->info);
    e = e ? e : yaml_duration(yaml_get(n, "query_offset"), false, &g.query_offset_ms, r->info);
    e = e ? e : yaml_u64(yaml_get(n, "limit"), &g.limit, r->info);
    if (!e && !yaml_is_null(list) && list->kind != YAML_LIST) {
        e = yaml_error(list, r->info, "rules must be a list");
    }
    struct rule *rules = e ? NULL : arena_zarray(r->a, (list ? list->count : 0) + 1, sizeof(*rules));
    e = e ? e : !rules ? no_memory(r) : ERR_OK;
    for (const struct yaml_node *c = list ? list->child : NULL; c && !e; c = c->next) {
        e = yaml_is_null(c) ? yaml_error(c, r->info, "empty or null rule")
                            : read_rule(r, c, n, &rules[g.n++]);
    }
    g.rules = rules;
    if (!e && r->set->n >= RULE_GROUPS_MAX) {
        e = err_set(r->info, ERR_LIMIT, "more than %d rule groups", RULE_GROUPS_MAX);
    }
    if (!e && arena_reserve(r->a, (void **)&r->set->groups, &r->set->cap, r->set->n + 1, sizeof(g))) {
        e = no_memory(r);
    }
    if (!e) {
        r->set->groups[r->set->n++] = g;
    }
    return e;
}

static enum err read_file(struct reader *r, const char *path)
{
    static const char *const keys[] = {"groups", NULL};
    const struct yaml_node *root;
    r->file = arena_str(r->a, str_c(path));
    enum err e = r->file.p ? yaml_load(r->a, r->file.p, &root, r->info) : no_memory(r);
    e = e ? e : yaml_check_keys(root, "rule file", keys, r->info);
    const struct yaml_node *groups = e ? NULL : yaml_get(root, "groups");
    if (!e && !yaml_is_null(groups) && groups->kind != YAML_LIST) {
        e = yaml_error(groups, r->info, "groups must be a list");
    }
    for (const struct yaml_node *g = groups ? groups->child : NULL; g && !e; g = g->next) {
        e = read_group(r, g);
    }
    return e;
}

enum err rule_set_load(const struct str *patterns, size_t n, const struct rule_defaults *d,
                       struct rule_set **ret_set, struct err_info *reterr_info)
{
    struct rule_set *s = mem_zalloc(sizeof(*s));
    size_t files = 0;
    if (!s) {
        return err_set(reterr_info, ERR_OOM, "out of memory");
    }
    atomic_init(&s->refs, 1);
    struct reader r = {.set = s, .a = &s->memory, .d = d, .info = reterr_info};
    enum err e = ERR_OK;
    for (size_t i = 0; i < n && !e; i++) {
        glob_t found = {0};
        if (glob(patterns[i].p, 0, NULL, &found) == 0) {
            for (size_t k = 0; k < found.gl_pathc && !e; k++) {
                e = files++ < RULE_FILES_MAX
                        ? read_file(&r, found.gl_pathv[k])
                        : err_set(reterr_info, ERR_LIMIT, "more than %d rule files", RULE_FILES_MAX);
            }
        }
        globfree(&found);
    }
    if (e) {
        rule_set_unref(s);
        return e;
    }
    *ret_set = s;
    return ERR_OK;
}

struct rule_set *rule_set_ref(struct rule_set *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void rule_set_unref(struct rule_set *s)
{
    /* acq_rel pairs with itself: the last owner sees what the others did */
    if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) {
        arena_done(&s->memory);
        mem_free(s);
    }
}
