/* Groups out of YAML and JSON. Strings are copied: a snapshot outlives the text it was read from. */
#include "metrics/discovery/target_group.h"

#include "base/mem.h"
#include "codec/json.h"

enum err target_groups_new(struct target_groups **ret_groups)
{
    struct target_groups *g = mem_zalloc(sizeof(*g));
    if (!g) {
        return ERR_OOM;
    }
    atomic_init(&g->refs, 1);
    *ret_groups = g;
    return ERR_OK;
}

struct target_groups *target_groups_ref(struct target_groups *g)
{
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

void target_groups_unref(struct target_groups *g)
{
    /* acq_rel pairs with itself: the last owner sees what the others did */
    if (g && atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) == 1) {
        arena_done(&g->memory);
        mem_free(g);
    }
}

static enum err no_memory(struct target_groups *g, struct err_info *info)
{
    return err_set(info, arena_err(&g->memory) ? arena_err(&g->memory) : ERR_OOM, "out of memory");
}

static enum err add_group(struct target_groups *g, size_t targets, struct target_group **ret_group,
                          struct err_info *info)
{
    if (g->n >= TARGET_GROUPS_MAX || targets > TARGETS_PER_GROUP_MAX) {
        return err_set(info, ERR_LIMIT, "more than %d target groups, or %d targets in one", TARGET_GROUPS_MAX,
                       TARGETS_PER_GROUP_MAX);
    }
    enum err e = arena_reserve(&g->memory, (void **)&g->items, &g->cap, g->n + 1, sizeof(*g->items));
    if (e) {
        return no_memory(g, info);
    }
    struct target_group *group = &g->items[g->n];
    *group = (struct target_group){.targets = arena_array(&g->memory, targets + 1, sizeof(struct labels))};
    if (!group->targets) {
        return no_memory(g, info);
    }
    g->n++;
    *ret_group = group;
    return ERR_OK;
}

static enum err add_target(struct target_groups *g, struct target_group *group, struct str address,
                           struct err_info *info)
{
    struct label *l = arena_array(&g->memory, 1, sizeof(*l));
    struct str copy = arena_str(&g->memory, address);
    if (!l || !copy.p) {
        return no_memory(g, info);
    }
    *l = (struct label){STR("__address__"), copy};
    group->targets[group->target_count++] = (struct labels){l, copy.n ? 1 : 0};
    return ERR_OK;
}

struct label_list {
    struct label *l;
    size_t n;
};

static enum err add_label(struct target_groups *g, struct label_list *to, struct str name, struct str value,
                          struct err_info *info)
{
    struct str n = arena_str(&g->memory, name), v = arena_str(&g->memory, value);
    if (!n.p || !v.p) {
        return no_memory(g, info);
    }
    to->l[to->n++] = (struct label){n, v};
    return ERR_OK;
}

static bool label_list_init(struct target_groups *g, struct label_list *l, size_t n)
{
    *l = (struct label_list){.l = arena_array(&g->memory, n + 1, sizeof(*l->l))};
    return l->l != NULL;
}

static enum err set_labels(struct target_groups *g, struct target_group *group, struct label_list *l,
                           struct label extra, struct err_info *info)
{
    enum err e = extra.value.n ? add_label(g, l, extra.name, extra.value, info) : ERR_OK;
    e = e ? e : labels_normalise(l->l, &l->n, info);
    group->labels = (struct labels){l->l, l->n};
    return e;
}

enum err target_groups_add_target(struct target_groups *g, struct labels target, struct str source,
                                  struct err_info *reterr_info)
{
    struct target_group *group = NULL;
    enum err e = add_group(g, 1, &group, reterr_info);
    e = e ? e : labels_dup(&g->memory, target, &group->targets[0]);
    if (!e) {
        group->target_count = 1;
        group->source = arena_str(&g->memory, source);
    }
    return e || group->source.p ? e : no_memory(g, reterr_info);
}

enum err target_groups_copy(struct target_groups *to, const struct target_groups *from, struct str source)
{
    enum err e = ERR_OK;
    for (size_t i = 0; i < from->n && !e; i++) {
        const struct target_group *old = &from->items[i];
        struct target_group *group;
        if (!str_eq(old->source, source)) {
            continue;
        }
        e = add_group(to, old->target_count, &group, NULL);
        e = e ? e : labels_dup(&to->memory, old->labels, &group->labels);
        group->source = e ? (struct str){0} : arena_str(&to->memory, source);
        for (size_t k = 0; k < old->target_count && !e; k++) {
            e = labels_dup(&to->memory, old->targets[k], &group->targets[k]);
            group->target_count += !e;
        }
    }
    return e;
}

/* -- YAML ------------------------------------------------------------------------------------------------ */

static enum err yaml_labels(struct target_groups *g, const struct yaml_node *map, struct label_list *l,
                            struct err_info *info)
{
    if (!yaml_is_null(map) && map->kind != YAML_MAP) {
        return yaml_error(map, info, "labels must be a map of names and values");
    }
    for (const struct yaml_node *c = map ? map->child : NULL; c; c = c->next) {
        struct str value = STR("");
        enum err e = yaml_str(c, &value, info);
        if (!e && (c->key.n == 0 || !str_utf8_valid(c->key))) {
            e = yaml_error(c, info, "\"%.*s\" is not a valid label name", STR_FMT(c->key));
        }
        e = e ? e : add_label(g, l, c->key, value, info);
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

static enum err yaml_group(struct target_groups *g, const struct yaml_node *n, struct label extra,
                           struct err_info *info)
{
    static const char *const keys[] = {"targets", "labels", NULL};
    struct target_group *group = NULL;
    struct label_list l;
    const struct yaml_node *targets = yaml_get(n, "targets"), *labels = yaml_get(n, "labels");
    if (yaml_is_null(n)) {
        return yaml_error(n, info, "empty or null section in a list of target groups");
    }
    enum err e = yaml_check_keys(n, "target group", keys, info);
    if (!e && targets && targets->kind != YAML_LIST && !yaml_is_null(targets)) {
        e = yaml_error(targets, info, "targets must be a list of addresses");
    }
    e = e ? e : add_group(g, targets ? targets->count : 0, &group, info);
    for (const struct yaml_node *c = targets ? targets->child : NULL; c && !e; c = c->next) {
        struct str address = STR("");
        e = yaml_str(c, &address, info);
        e = e ? e : add_target(g, group, address, info);
    }
    if (!e && !label_list_init(g, &l, (labels ? labels->count : 0) + 1)) {
        e = no_memory(g, info);
    }
    e = e ? e : yaml_labels(g, labels, &l, info);
    return e ? e : set_labels(g, group, &l, extra, info);
}

enum err target_groups_add_yaml(struct target_groups *g, const struct yaml_node *list, struct label extra,
                                struct err_info *reterr_info)
{
    if (yaml_is_null(list)) {
        return ERR_OK;
    }
    if (list->kind != YAML_LIST) {
        return yaml_error(list, reterr_info, "must be a list of target groups");
    }
    for (const struct yaml_node *c = list->child; c; c = c->next) {
        enum err e = yaml_group(g, c, extra, reterr_info);
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

/* -- JSON ------------------------------------------------------------------------------------------------ */

static enum err json_group(struct target_groups *g, const struct json_value *v, struct label extra,
                           struct err_info *info)
{
    struct target_group *group = NULL;
    struct label_list l;
    const struct json_value *targets = json_get(v, STR("targets")), *labels = json_get(v, STR("labels"));
    if (v->kind != JSON_OBJECT) {
        return err_set(info, ERR_INVALID, "a target group must be an object with targets and labels");
    }
    for (const struct json_value *c = v->child; c; c = c->next) {
        if (!str_eq_c(c->key, "targets") && !str_eq_c(c->key, "labels")) {
            return err_set(info, ERR_INVALID, "field %.*s not found in a target group", STR_FMT(c->key));
        }
    }
    if ((targets && targets->kind != JSON_ARRAY && targets->kind != JSON_NULL) ||
        (labels && labels->kind != JSON_OBJECT && labels->kind != JSON_NULL)) {
        return err_set(info, ERR_INVALID, "targets must be a list of strings, labels an object of strings");
    }
    enum err e = add_group(g, targets ? targets->count : 0, &group, info);
    if (!e && !label_list_init(g, &l, (labels ? labels->count : 0) + 1)) {
        e = no_memory(g, info);
    }
    for (const struct json_value *c = targets ? targets->child : NULL; c && !e; c = c->next) {
        e = c->kind == JSON_STRING ? add_target(g, group, c->string, info)
                                   : err_set(info, ERR_INVALID, "a target must be a string");
    }
    for (const struct json_value *c = labels ? labels->child : NULL; c && !e; c = c->next) {
        e = c->kind == JSON_STRING && c->key.n
                ? add_label(g, &l, c->key, c->string, info)
                : err_set(info, ERR_INVALID, "the value of label \"%.*s\" must be a string", STR_FMT(c->key));
    }
    return e ? e : set_labels(g, group, &l, extra, info);
}

enum err target_groups_add_json(struct target_groups *g, struct str text, struct label extra,
                                struct err_info *reterr_info)
{
    struct arena work AUTO_ARENA = {0};
    const struct json_value *root;
    enum err e = json_parse(&work, text, &root, reterr_info);
    if (e) {
        return e;
    }
    if (root->kind == JSON_NULL) {
        return ERR_OK;
    }
    if (root->kind != JSON_ARRAY) {
        return err_set(reterr_info, ERR_INVALID, "must be a list of target groups");
    }
    for (const struct json_value *c = root->child; c && !e; c = c->next) {
        e = json_group(g, c, extra, reterr_info);
    }
    return e;
}
