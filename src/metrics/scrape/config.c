/* The main file: global, rule_files, scrape_config_files; loading, sharing. */
#include "metrics/scrape/config.h"

#include <glob.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "metrics/scrape/config_int.h"

static const struct config_field top_fields[] = {
    {"global", CONFIG_OTHER, 0},
    {"runtime", CONFIG_OTHER, 0},
    {"alerting", CONFIG_OTHER, 0},
    {"rule_files", CONFIG_OTHER, 0},
    {"scrape_config_files", CONFIG_OTHER, 0},
    {"scrape_configs", CONFIG_OTHER, 0},
    {"storage", CONFIG_OTHER, 0},
    {"tracing", CONFIG_OTHER, 0},
    {"remote_write", CONFIG_OTHER, 0},
    {"remote_read", CONFIG_OTHER, 0},
    {"otlp", CONFIG_OTHER, 0},
};

/* -- global ---------------------------------------------------------------------------------------------- */

/* $NAME and ${NAME} from the environment, $$ for a dollar sign; unset names give nothing. */
static enum err expand_env(struct config_reader *r, struct str in, struct str *ret_out)
{
    struct buf out AUTO_BUF = {0};
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] != '$' || i + 1 >= in.n) {
            buf_char(&out, in.p[i]);
            continue;
        }
        size_t from = i + 1, to = from;
        bool brace = in.p[from] == '{';
        if (in.p[from] == '$') {
            buf_char(&out, '$');
            i++;
            continue;
        }
        to = from += brace;
        while (to < in.n &&
               (brace ? in.p[to] != '}' : label_name_is_legacy(str_of(in.p + from, to + 1 - from)))) {
            to++;
        }
        char name[256];
        size_t n = to - from < sizeof(name) - 1 ? to - from : sizeof(name) - 1;
        memcpy(name, in.p + from, n);
        name[n] = '\0';
        const char *value = getenv(name);
        buf_c(&out, value ? value : "");
        i = to - 1 + (brace && to < in.n);
    }
    *ret_out = out.err ? (struct str){0} : arena_str(r->a, buf_view(&out));
    return ret_out->p ? ERR_OK : config_no_memory(r);
}

static enum err read_external_labels(struct config_reader *r, const struct yaml_node *map)
{
    if (yaml_is_null(map)) {
        return ERR_OK;
    }
    if (map->kind != YAML_MAP) {
        return yaml_error(map, r->info, "external_labels must be a map of names and values");
    }
    struct label *l = arena_array(r->a, map->count + 1, sizeof(*l));
    size_t n = 0;
    if (!l) {
        return config_no_memory(r);
    }
    for (const struct yaml_node *c = map->child; c; c = c->next) {
        struct str value = STR("");
        enum err e = yaml_str(c, &value, r->info);
        l[n].name = c->key;
        e = e ? e : expand_env(r, value, &l[n].value);
        if (!e && !str_utf8_valid(l[n].value)) {
            e = yaml_error(c, r->info, "\"%.*s\" is not a valid label value", STR_FMT(l[n].value));
        }
        if (!e && (c->key.n == 0 || !str_utf8_valid(c->key))) {
            e = yaml_error(c, r->info, "\"%.*s\" is not a valid label name", STR_FMT(c->key));
        }
        if (e) {
            return e;
        }
        n++;
    }
    enum err e = labels_normalise(l, &n, r->info);
    r->c->external_labels = (struct labels){l, n};
    return e;
}

static enum err read_intervals(struct config_reader *r, const struct yaml_node *n)
{
    struct prom_config *c = r->c;
    const struct yaml_node *timeout = yaml_get(n, "scrape_timeout");
    int64_t own = 0;
    enum err e = yaml_duration(yaml_get(n, "scrape_interval"), false, &c->global.interval_ms, r->info);
    e = e ? e : yaml_duration(timeout, false, &own, r->info);
    if (e) {
        return e;
    }
    c->global.interval_ms = c->global.interval_ms ? c->global.interval_ms : 60 * MS_PER_S;
    if (own > c->global.interval_ms) {
        return yaml_error(timeout, r->info, "global scrape timeout greater than scrape interval");
    }
    int64_t usual = 10 * MS_PER_S;
    c->global.timeout_ms = own ? own : c->global.interval_ms < usual ? c->global.interval_ms : usual;
    c->evaluation_interval_ms = c->evaluation_interval_ms ? c->evaluation_interval_ms : 60 * MS_PER_S;
    return ERR_OK;
}

static enum err read_global(struct config_reader *r, const struct yaml_node *n)
{
    static const struct config_field fields[] = {
        {"evaluation_interval", CONFIG_DURATION, offsetof(struct prom_config, evaluation_interval_ms)},
        {"rule_query_offset", CONFIG_DURATION, offsetof(struct prom_config, rule_query_offset_ms)},
        {"query_log_file", CONFIG_PATH, offsetof(struct prom_config, query_log_file)},
        {"external_labels", CONFIG_OTHER, 0},
        CONFIG_DEFAULT_FIELDS,
    };
    r->c->global.escaping = STR("allow-utf-8");
    enum err e = config_fields(r, n, "global", fields, ARRAY_LEN(fields), CONFIG_PLAIN, r->c);
    e = e ? e : read_intervals(r, n);
    e = e ? e : config_read_defaults(r, n, &r->c->global);
    e = e ? e : read_external_labels(r, yaml_get(n, "external_labels"));
    if (!e && r->c->query_log_file.n) {
        e = config_note_unused(r, "global", "query_log_file");
    }
    return e;
}

/* -- files named by patterns ----------------------------------------------------------------------------- */

static enum err read_patterns(struct config_reader *r, const struct yaml_node *list, const char *what,
                              struct str **ret_items, size_t *ret_n)
{
    const struct str *given = NULL;
    size_t n = 0;
    enum err e = yaml_str_list(r->a, list, &given, &n, r->info);
    struct str *items = e ? NULL : arena_array(r->a, n + 1, sizeof(*items));
    if (!e && !items) {
        return config_no_memory(r);
    }
    for (size_t i = 0; i < n && !e; i++) {
        if (!config_glob_valid(given[i])) {
            return yaml_error(list, r->info, "invalid %s file path \"%.*s\"", what, STR_FMT(given[i]));
        }
        items[i] = sd_config_path(r->a, list, given[i]);
        e = items[i].p ? ERR_OK : config_no_memory(r);
    }
    *ret_items = items;
    *ret_n = n;
    return e;
}

static enum err read_included(struct config_reader *r, const char *path)
{
    static const struct config_field fields[] = {{"scrape_configs", CONFIG_OTHER, 0}};
    const struct yaml_node *root;
    enum err e = yaml_load(r->a, path, &root, r->info);
    e = e ? e : config_fields(r, root, "scrape config file", fields, ARRAY_LEN(fields), CONFIG_PLAIN, r->c);
    return e ? e : config_read_jobs(r, yaml_get(root, "scrape_configs"));
}

static enum err read_includes(struct config_reader *r, const struct yaml_node *list)
{
    struct str *patterns;
    size_t n, files = 0;
    enum err e = read_patterns(r, list, "scrape config", &patterns, &n);
    for (size_t i = 0; i < n && !e; i++) {
        glob_t g = {0};
        if (glob(patterns[i].p, 0, NULL, &g) == 0) {
            for (size_t k = 0; k < g.gl_pathc && !e; k++) {
                e = files++ < SCRAPE_INCLUDE_FILES_MAX
                        ? read_included(r, g.gl_pathv[k])
                        : yaml_error(list, r->info, "more than %d scrape config files",
                                     SCRAPE_INCLUDE_FILES_MAX);
            }
        }
        globfree(&g);
    }
    return e;
}

/* -- the whole ------------------------------------------------------------------------------------------- */

static enum err read_root(struct config_reader *r, const struct yaml_node *root)
{
    struct prom_config *c = r->c;
    c->root = root;
    c->exemplars_max = 100000;
    enum err e =
        config_fields(r, root, "the configuration", top_fields, ARRAY_LEN(top_fields), CONFIG_PLAIN, c);
    e = e ? e : read_global(r, yaml_get(root, "global"));
    e = e ? e : read_patterns(r, yaml_get(root, "rule_files"), "rule", &c->rule_files, &c->rule_file_count);
    e = e ? e : config_read_jobs(r, yaml_get(root, "scrape_configs"));
    e = e ? e : read_includes(r, yaml_get(root, "scrape_config_files"));
    return e ? e : config_read_rest(r, root);
}

static enum err make(struct str text, const char *name, bool file, bool extra_metrics,
                     struct prom_config **ret_config, struct err_info *info)
{
    struct prom_config *c = mem_zalloc(sizeof(*c));
    const struct yaml_node *root = NULL;
    if (!c) {
        return err_set(info, ERR_OOM, "out of memory");
    }
    atomic_init(&c->refs, 1);
    c->global.extra_metrics = extra_metrics;
    struct config_reader r = {c, &c->memory, info};
    struct str own = arena_str(&c->memory, str_c(name));
    enum err e = own.p ? ERR_OK : config_no_memory(&r);
    if (!e) {
        e = file ? yaml_load(&c->memory, own.p, &root, info)
                 : yaml_parse(&c->memory, text, own.p, &root, info);
        c->path = file ? own : (struct str){0};
    }
    e = e ? e : read_root(&r, root);
    if (e) {
        prom_config_unref(c);
        return e;
    }
    *ret_config = c;
    return ERR_OK;
}

enum err prom_config_load(const char *path, struct prom_config **ret_config, struct err_info *reterr_info)
{
    return make((struct str){0}, path, true, false, ret_config, reterr_info);
}

enum err prom_config_load_extra(const char *path, bool extra_metrics, struct prom_config **ret_config,
                                struct err_info *reterr_info)
{
    return make((struct str){0}, path, true, extra_metrics, ret_config, reterr_info);
}

enum err prom_config_parse(struct str text, const char *name, struct prom_config **ret_config,
                           struct err_info *reterr_info)
{
    return make(text, name, false, false, ret_config, reterr_info);
}

struct prom_config *prom_config_ref(struct prom_config *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void prom_config_unref(struct prom_config *c)
{
    /* acq_rel pairs with itself: the last owner sees what the others did */
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < c->job_count; i++) {
        scrape_job_done(&c->jobs[i]);
    }
    for (size_t i = 0; i < c->alertmanager_count; i++) {
        struct alertmanager_config *m = &c->alertmanagers[i];
        relabel_rules_done(m->relabel, m->relabel_count);
        relabel_rules_done(m->alert_relabel, m->alert_relabel_count);
        http_config_free(m->http);
        sd_configs_done(&m->sd);
    }
    for (size_t i = 0; i < c->remote_write_count; i++) {
        relabel_rules_done(c->remote_write[i].relabel, c->remote_write[i].relabel_count);
        http_config_free(c->remote_write[i].http);
    }
    relabel_rules_done(c->alert_relabel, c->alert_relabel_count);
    arena_done(&c->memory);
    mem_free(c);
}
