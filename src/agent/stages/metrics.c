/* metrics: counters, gauges and histograms made from lines. */
#include <stdio.h>

#include "agent/model/custom_metrics.h"
#include "agent/stages/stage.h"
#include "codec/num.h"

enum {
    METRICS_MAX = 256,
    IDLE_DEFAULT_MS = 5 * 60 * 1000,
    IDLE_MIN_MS = 1000
};

enum action {
    ACTION_INC = 0,
    ACTION_ADD,
    ACTION_SET,
    ACTION_DEC,
    ACTION_SUB,
    ACTION_OBSERVE
};

struct rule {
    struct custom_metric *metric;
    enum custom_type type;
    struct str source, value;
    bool has_value, match_all, entry_bytes;
    enum action action;
};

struct metrics_stage {
    struct stage base;
    struct rule *rules;
    size_t n;
};

static void apply(const struct rule *r, const struct entry *e, double number, int64_t now)
{
    static const enum custom_op ops[] = {CUSTOM_ADD, CUSTOM_ADD, CUSTOM_SET,
                                         CUSTOM_SUB, CUSTOM_SUB, CUSTOM_OBSERVE};
    custom_metric_update(r->metric, entry_labels(e), ops[r->action], number, now);
}

static void run_rule(const struct rule *r, struct entry *e, int64_t now)
{
    double number = 1;
    struct str text;
    if (r->match_all) {
        if (r->action == ACTION_ADD && !r->entry_bytes) {
            return; /* as the original: there is nothing to add */
        }
        apply(r, e, r->entry_bytes ? (double)e->line.n : 1, now);
        return;
    }
    const struct value *v = entry_value(e, r->source);
    if (!v || (r->has_value && !(value_text(v, e->arena, &text) && str_eq(text, r->value)))) {
        return;
    }
    if (r->action != ACTION_INC && r->action != ACTION_DEC && !value_number(v, &number)) {
        return;
    }
    apply(r, e, number, now);
}

static void metrics_process(struct stage *s, struct entry *e)
{
    const struct metrics_stage *m = (const struct metrics_stage *)s;
    int64_t now = clock_mono_ns(s->env->clock);
    for (size_t i = 0; i < m->n; i++) {
        run_rule(&m->rules[i], e, now);
    }
    stage_pass(s, e);
}

static const struct stage_ops ops = {.process = metrics_process};

/* -- options ------------------------------------------------------------------------------------------------
 */

static enum err read_type(const struct yaml_node *n, enum custom_type *ret, struct err_info *info)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const struct yaml_node *at = stage_option(n, "type");
    struct str type = STR("");
    enum err e = yaml_str(at, &type, info);
    for (size_t i = 0; !e && i < ARRAY_LEN(types); i++) {
        if (str_ieq(type, str_c(types[i]))) {
            *ret = (enum custom_type)i;
            return ERR_OK;
        }
    }
    return e ? e
             : yaml_error(at ? at : n, info, "metric type must be counter, gauge or histogram, not \"%.*s\"",
                          STR_FMT(type));
}

static enum err read_action(struct rule *r, const struct yaml_node *config, const struct yaml_node *n,
                            struct err_info *info)
{
    static const char *const actions[] = {"inc", "add", "set", "dec", "sub"};
    const struct yaml_node *at = config ? stage_option(config, "action") : NULL;
    struct str action = STR("");
    enum err e = yaml_str(at, &action, info);
    size_t allowed = r->type == CUSTOM_COUNTER ? 2 : ARRAY_LEN(actions);
    if (r->type == CUSTOM_HISTOGRAM) {
        r->action = ACTION_OBSERVE;
        return e;
    }
    for (size_t i = 0; !e && i < allowed; i++) {
        if (str_ieq(action, str_c(actions[i]))) {
            r->action = (enum action)i;
            return ERR_OK;
        }
    }
    return e ? e
             : yaml_error(at ? at : n, info, "the action of a %s must be %s",
                          r->type == CUSTOM_COUNTER ? "counter" : "gauge",
                          r->type == CUSTOM_COUNTER ? "inc or add" : "set, inc, dec, add or sub");
}

static enum err read_buckets(const struct yaml_node *list, double *bounds, size_t *n, struct err_info *info)
{
    static const double usual[] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10};
    enum err e = ERR_OK;
    *n = 0;
    for (const struct yaml_node *b = yaml_is_null(list) ? NULL : list->child; b && !e; b = b->next) {
        if (*n >= CUSTOM_BUCKETS_MAX) {
            return yaml_error(b, info, "more than %d buckets", CUSTOM_BUCKETS_MAX);
        }
        e = yaml_f64(b, &bounds[*n], info);
        if (!e && *n && !(bounds[*n] > bounds[*n - 1])) {
            return yaml_error(b, info, "buckets must ascend");
        }
        (*n)++;
    }
    if (!e && *n == 0) {
        memcpy(bounds, usual, sizeof(usual));
        *n = ARRAY_LEN(usual);
    }
    return e;
}

static enum err check_counter(const struct rule *r, const struct yaml_node *n, struct err_info *info)
{
    if (r->match_all && r->has_value) {
        return yaml_error(n, info,
                          "`match_all` cannot be combined with `value`, please remove `match_all` or "
                          "`value`");
    }
    if (r->entry_bytes && (!r->match_all || r->action != ACTION_ADD)) {
        return yaml_error(n, info, "`count_entry_bytes` needs `match_all: true` and the action `add`");
    }
    return ERR_OK;
}

static enum err make_metric(const struct stage_env *env, struct rule *r, const struct yaml_node *n,
                            const double *bounds, size_t bound_count, struct err_info *info)
{
    struct str prefix = STR("promtail_custom_"), help = STR("");
    int64_t idle_ms = IDLE_DEFAULT_MS;
    enum err e = stage_str(n, "prefix", &prefix, info);
    e = e ? e : stage_str(n, "description", &help, info);
    e = e ? e : yaml_duration(stage_option(n, "max_idle_duration"), true, &idle_ms, info);
    if (!e && idle_ms < IDLE_MIN_MS) {
        return yaml_error(stage_option(n, "max_idle_duration"), info,
                          "max_idle_duration must be at least 1s");
    }
    struct str name = arena_printf(env->arena, "%.*s%.*s", STR_FMT(prefix), STR_FMT(n->key));
    if (e || !name.p) {
        return e ? e : ERR_OOM;
    }
    if (!metric_name_is_legacy(name)) {
        return yaml_error(n, info, "\"%.*s\" is not a valid metric name", STR_FMT(name));
    }
    struct custom_options o = {name, help, r->type, bounds, bound_count, idle_ms};
    e = env->metrics ? custom_metric_get(env->metrics->custom, &o, &r->metric) : ERR_INVALID;
    return e == ERR_CONFLICT
               ? yaml_error(n, info, "the metric %.*s is defined with another type elsewhere", STR_FMT(name))
               : e;
}

static enum err read_rule(const struct stage_env *env, struct rule *r, const struct yaml_node *n,
                          struct err_info *info)
{
    static const char *const keys[] = {"type",   "description", "prefix", "source", "max_idle_duration",
                                       "config", NULL};
    static const char *const config_keys[] = {"match_all", "count_entry_bytes", "value",
                                              "action",    "buckets",           NULL};
    const struct yaml_node *config = n->kind == YAML_MAP ? stage_option(n, "config") : NULL;
    const struct yaml_node *value = config ? stage_option(config, "value") : NULL;
    double bounds[CUSTOM_BUCKETS_MAX];
    size_t bound_count = 0;
    if (n->kind != YAML_MAP) {
        return yaml_error(n, info, "a metric needs a type and a config");
    }
    r->source = n->key;
    stage_unknown_options(n, "metrics", keys);
    enum err e = read_type(n, &r->type, info);
    e = e ? e : stage_str(n, "source", &r->source, info);
    e = e ? e : read_action(r, config, n, info);
    e = e ? e : yaml_str(value, &r->value, info);
    r->has_value = !yaml_is_null(value);
    if (config) {
        stage_unknown_options(config, "metrics", config_keys);
        e = e ? e : yaml_bool(stage_option(config, "match_all"), &r->match_all, info);
        e = e ? e : yaml_bool(stage_option(config, "count_entry_bytes"), &r->entry_bytes, info);
    }
    e = e || r->type != CUSTOM_COUNTER ? e : check_counter(r, n, info);
    if (r->type == CUSTOM_HISTOGRAM) {
        e = e ? e : read_buckets(config ? stage_option(config, "buckets") : NULL, bounds, &bound_count, info);
    }
    return e ? e : make_metric(env, r, n, bounds, bound_count, info);
}

enum err stage_metrics_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                           struct err_info *reterr_info)
{
    struct metrics_stage *m = stage_alloc(env, sizeof(*m), &ops);
    if (!m) {
        return ERR_OOM;
    }
    if (yaml_is_null(n) || n->kind != YAML_MAP || n->count > METRICS_MAX) {
        return yaml_error(n, reterr_info, "metrics needs a map of at most %d metrics", METRICS_MAX);
    }
    m->rules = arena_zarray(env->arena, n->count + 1, sizeof(*m->rules));
    enum err e = m->rules ? ERR_OK : ERR_OOM;
    for (const struct yaml_node *c = n->child; c && !e; c = c->next) {
        e = read_rule(env, &m->rules[m->n++], c, reterr_info);
    }
    if (!e) {
        *ret_stage = &m->base;
    }
    return e;
}
