/* Relabelling rules with Prometheus' defaults and refusals. */
#include "metrics/discovery/relabel_config.h"

static const char *const keys[] = {"source_labels", "separator",   "target_label", "regex",
                                   "modulus",       "replacement", "action",       NULL};

static enum err check_rule(const struct yaml_node *n, const struct relabel_rule *r, struct err_info *info)
{
    bool needs_target = r->action == RELABEL_REPLACE || r->action == RELABEL_HASHMOD ||
                        r->action == RELABEL_LOWERCASE || r->action == RELABEL_UPPERCASE ||
                        r->action == RELABEL_KEEPEQUAL || r->action == RELABEL_DROPEQUAL;
    if (needs_target && r->target.n == 0) {
        return yaml_error(n, info, "relabel configuration for %s action requires 'target_label' value",
                          relabel_action_name(r->action));
    }
    if (r->action == RELABEL_HASHMOD && r->modulus == 0) {
        return yaml_error(n, info, "relabel configuration for hashmod requires non-zero modulus");
    }
    return ERR_OK;
}

/* Actions that take some keys only, as Prometheus checks them: a default value passes as absent. */
static enum err check_others(const struct yaml_node *n, const struct relabel_rule *r, struct str regex,
                             struct err_info *info)
{
    const char *action = relabel_action_name(r->action);
    bool extras = r->modulus != 0 || !str_eq_c(r->separator, ";") || !str_eq_c(r->replacement, "$1");
    if ((r->action == RELABEL_LABELDROP || r->action == RELABEL_LABELKEEP) &&
        (extras || r->source_count || r->target.n)) {
        return yaml_error(n, info, "%s action requires only 'regex', and no other fields", action);
    }
    if ((r->action == RELABEL_KEEPEQUAL || r->action == RELABEL_DROPEQUAL) &&
        (extras || !str_eq_c(regex, "(.*)"))) {
        return yaml_error(n, info,
                          "%s action requires only 'source_labels' and `target_label`, and no other fields",
                          action);
    }
    if ((r->action == RELABEL_LOWERCASE || r->action == RELABEL_UPPERCASE) &&
        !str_eq_c(r->replacement, "$1")) {
        return yaml_error(n, info, "'replacement' can not be set for %s action", action);
    }
    return ERR_OK;
}

static enum err parse_rule(struct arena *a, const struct yaml_node *n, struct relabel_rule *r,
                           struct err_info *info)
{
    struct str action = STR("replace"), regex = STR("(.*)");
    struct err_info why = {0};
    *r = (struct relabel_rule){.separator = STR(";"), .target = STR(""), .replacement = STR("$1")};
    enum err e = yaml_check_keys(n, "relabel_config", keys, info);
    e = e ? e : yaml_str(yaml_get(n, "action"), &action, info);
    e = e ? e : yaml_str(yaml_get(n, "regex"), &regex, info);
    e = e ? e : yaml_str(yaml_get(n, "separator"), &r->separator, info);
    e = e ? e : yaml_str(yaml_get(n, "target_label"), &r->target, info);
    e = e ? e : yaml_str(yaml_get(n, "replacement"), &r->replacement, info);
    e = e ? e : yaml_u64(yaml_get(n, "modulus"), &r->modulus, info);
    e = e ? e : yaml_str_list(a, yaml_get(n, "source_labels"), &r->source_labels, &r->source_count, info);
    if (e) {
        return e;
    }
    r->action = relabel_action_of(action);
    if (r->action == RELABEL_ACTION_COUNT) {
        return yaml_error(yaml_get(n, "action"), info, "unknown relabel action \"%.*s\"", STR_FMT(action));
    }
    e = check_rule(n, r, info);
    e = e ? e : check_others(n, r, regex, info);
    if (e) {
        return e;
    }
    e = regex_new(regex, REGEX_ANCHORED, &r->re, &why);
    return e ? yaml_error(yaml_get(n, "regex") ? yaml_get(n, "regex") : n, info, "%s", why.message) : ERR_OK;
}

enum err relabel_config_parse(struct arena *a, const struct yaml_node *list, struct relabel_rule **ret_rules,
                              size_t *ret_n, struct err_info *reterr_info)
{
    *ret_rules = NULL;
    *ret_n = 0;
    if (yaml_is_null(list)) {
        return ERR_OK;
    }
    if (list->kind != YAML_LIST) {
        return yaml_error(list, reterr_info, "%.*s must be a list of rules", STR_FMT(list->key));
    }
    struct relabel_rule *rules = arena_zarray(a, list->count + 1, sizeof(*rules));
    size_t n = 0;
    enum err e = rules ? ERR_OK : arena_err(a);
    for (const struct yaml_node *c = list->child; c && !e; c = c->next) {
        e = parse_rule(a, c, &rules[n], reterr_info);
        n += !e;
    }
    if (e) {
        relabel_rules_done(rules, n);
        return e;
    }
    *ret_rules = rules;
    *ret_n = n;
    return ERR_OK;
}

void relabel_rules_done(struct relabel_rule *rules, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        regex_free(rules[i].re);
    }
}
