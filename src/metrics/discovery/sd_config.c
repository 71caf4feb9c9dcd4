/* One row a mechanism: its key and its reader. A row without a reader is known and not run yet. */
#include "metrics/discovery/sd_config.h"

#include "base/attr.h"
#include "base/clock.h"

typedef enum err read_fn(struct arena *a, const struct yaml_node *n, struct sd_config *c,
                         struct err_info *info);

static read_fn read_file, read_http, read_dns;

const char *const sd_config_keys[] = {"static_configs",          "file_sd_configs",
                                      "http_sd_configs",         "aws_sd_configs",
                                      "azure_sd_configs",        "consul_sd_configs",
                                      "digitalocean_sd_configs", "docker_sd_configs",
                                      "dockerswarm_sd_configs",  "dns_sd_configs",
                                      "ec2_sd_configs",          "eureka_sd_configs",
                                      "gce_sd_configs",          "hetzner_sd_configs",
                                      "ionos_sd_configs",        "kubernetes_sd_configs",
                                      "kuma_sd_configs",         "lightsail_sd_configs",
                                      "linode_sd_configs",       "marathon_sd_configs",
                                      "nerve_sd_configs",        "nomad_sd_configs",
                                      "oci_sd_configs",          "openstack_sd_configs",
                                      "outscale_sd_configs",     "ovhcloud_sd_configs",
                                      "puppetdb_sd_configs",     "scaleway_sd_configs",
                                      "serverset_sd_configs",    "stackit_sd_configs",
                                      "triton_sd_configs",       "uyuni_sd_configs",
                                      "vultr_sd_configs",        NULL};

static const struct {
    const char *key, *name;
    enum sd_kind kind;
    read_fn *read;
} running[] = {
    {"file_sd_configs", "file", SD_FILE, read_file},
    {"http_sd_configs", "http", SD_HTTP, read_http},
    {"dns_sd_configs", "dns", SD_DNS, read_dns},
};

const char *sd_mechanism_name(enum sd_kind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(running); i++) {
        if (running[i].kind == kind) {
            return running[i].name;
        }
    }
    return "static";
}

struct str sd_config_path(struct arena *a, const struct yaml_node *at, struct str path)
{
    struct str file = str_c(at->file);
    if (path.n == 0 || path.p[0] == '/') {
        return path.p ? path : STR("");
    }
    while (file.n && file.p[file.n - 1] != '/') {
        file.n--;
    }
    return arena_printf(a, "%.*s%.*s", STR_FMT(file), STR_FMT(path));
}

static enum err no_memory(struct arena *a, struct err_info *info)
{
    return err_set(info, arena_err(a) ? arena_err(a) : ERR_OOM, "out of memory");
}

/* ^[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)$ */
static bool file_pattern_valid(struct str s)
{
    static const char *const ends[] = {".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"};
    bool known = false;
    size_t star = str_find_char(s, '*', 0);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        known |= str_ends(s, str_c(ends[i]));
    }
    return known && (star == STR_NPOS || str_find_char(s, '/', star) == STR_NPOS);
}

static enum err read_file(struct arena *a, const struct yaml_node *n, struct sd_config *c,
                          struct err_info *info)
{
    static const char *const keys[] = {"files", "refresh_interval", NULL};
    const struct str *given = NULL;
    c->refresh_ms = 5 * 60 * MS_PER_S;
    enum err e = yaml_check_keys(n, "file_sd_config", keys, info);
    e = e ? e : yaml_duration(yaml_get(n, "refresh_interval"), false, &c->refresh_ms, info);
    e = e ? e : yaml_str_list(a, yaml_get(n, "files"), &given, &c->file_count, info);
    if (!e && c->file_count == 0) {
        e = yaml_error(n, info, "file service discovery config must contain at least one path name");
    }
    struct str *files = e ? NULL : arena_array(a, c->file_count, sizeof(*files));
    if (!e && !files) {
        return no_memory(a, info);
    }
    for (size_t i = 0; i < c->file_count && !e; i++) {
        if (!file_pattern_valid(given[i])) {
            return yaml_error(yaml_get(n, "files"), info,
                              "path name \"%.*s\" is not valid for file discovery", STR_FMT(given[i]));
        }
        files[i] = sd_config_path(a, n, given[i]);
        e = files[i].p ? ERR_OK : no_memory(a, info);
    }
    c->files = files;
    return e;
}

static enum err read_http(struct arena *a, const struct yaml_node *n, struct sd_config *c,
                          struct err_info *info)
{
    const char *keys[64] = {"url", "refresh_interval"};
    (void)a;
    for (size_t i = 0; http_config_keys[i] && i + 3 < ARRAY_LEN(keys); i++) {
        keys[i + 2] = http_config_keys[i];
    }
    c->refresh_ms = 60 * MS_PER_S;
    enum err e = yaml_check_keys(n, "http_sd_config", keys, info);
    e = e ? e : yaml_str(yaml_get(n, "url"), &c->url, info);
    e = e ? e : yaml_duration(yaml_get(n, "refresh_interval"), false, &c->refresh_ms, info);
    if (!e && c->url.n == 0) {
        return yaml_error(n, info, "URL is missing");
    }
    if (!e && !str_starts(c->url, STR("http://")) && !str_starts(c->url, STR("https://"))) {
        return yaml_error(yaml_get(n, "url"), info, "URL scheme must be 'http' or 'https'");
    }
    return e ? e : http_config_parse(n, &c->http, info);
}

static enum err read_dns(struct arena *a, const struct yaml_node *n, struct sd_config *c,
                         struct err_info *info)
{
    static const char *const keys[] = {"names", "refresh_interval", "type", "port", NULL};
    static const struct {
        const char *name;
        int number;
    } types[] = {{"A", 1}, {"NS", 2}, {"MX", 15}, {"AAAA", 28}, {"SRV", 33}};
    struct str type = STR("SRV");
    uint64_t port = 0;
    c->refresh_ms = 30 * MS_PER_S;
    enum err e = yaml_check_keys(n, "dns_sd_config", keys, info);
    e = e ? e : yaml_duration(yaml_get(n, "refresh_interval"), false, &c->refresh_ms, info);
    e = e ? e : yaml_str_list(a, yaml_get(n, "names"), &c->files, &c->file_count, info);
    e = e ? e : yaml_str(yaml_get(n, "type"), &type, info);
    e = e ? e : yaml_u64(yaml_get(n, "port"), &port, info);
    if (!e && c->file_count == 0) {
        return yaml_error(n, info, "DNS-SD config must contain at least one SRV record name");
    }
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        c->dns_type = str_ieq(type, str_c(types[i].name)) ? types[i].number : c->dns_type;
    }
    if (!e && c->dns_type == 0) {
        return yaml_error(yaml_get(n, "type"), info, "invalid DNS-SD records type %.*s", STR_FMT(type));
    }
    if (!e && (port > 65535 || (port == 0 && c->dns_type != 33))) {
        return yaml_error(n, info, "a port is required in DNS-SD configs for all record types except SRV");
    }
    c->port = (unsigned)port;
    return e;
}

static enum err add(struct arena *a, struct sd_configs *s, struct sd_config **ret_config,
                    struct err_info *info)
{
    enum err e = arena_reserve(a, (void **)&s->items, &s->cap, s->n + 1, sizeof(*s->items));
    if (e) {
        return no_memory(a, info);
    }
    s->items[s->n] = (struct sd_config){0};
    *ret_config = &s->items[s->n++];
    return ERR_OK;
}

static enum err read_static(struct arena *a, const struct yaml_node *list, struct sd_configs *s,
                            struct err_info *info)
{
    struct sd_config *c;
    enum err e = add(a, s, &c, info);
    if (e) {
        return e;
    }
    e = target_groups_new(&c->groups);
    return e ? no_memory(a, info) : target_groups_add_yaml(c->groups, list, (struct label){0}, info);
}

static enum err read_list(struct arena *a, const struct yaml_node *list, read_fn *read, enum sd_kind kind,
                          struct sd_configs *s, struct err_info *info)
{
    enum err e = ERR_OK;
    for (const struct yaml_node *n = list->child; n && !e; n = n->next) {
        struct sd_config *c;
        if (n->kind != YAML_MAP) {
            return yaml_error(n, info, "empty or null section in %.*s", STR_FMT(list->key));
        }
        e = add(a, s, &c, info);
        if (!e) {
            c->kind = kind;
            e = read(a, n, c, info);
        }
        if (!e && c->refresh_ms <= 0) {
            e = yaml_error(n, info, "refresh_interval must be greater than 0");
        }
    }
    return e;
}

static enum err note_unused(struct arena *a, struct sd_configs *s, const char *key, struct err_info *info)
{
    enum err e =
        arena_reserve(a, (void **)&s->unused, &s->unused_cap, s->unused_count + 1, sizeof(*s->unused));
    if (e) {
        return no_memory(a, info);
    }
    s->unused[s->unused_count++] = key;
    return ERR_OK;
}

static enum err read_key(struct arena *a, const struct yaml_node *list, const char *key, struct sd_configs *s,
                         struct err_info *info)
{
    if (yaml_is_null(list)) {
        return ERR_OK;
    }
    if (list->kind != YAML_LIST) {
        return yaml_error(list, info, "%s must be a list", key);
    }
    if (str_eq_c(list->key, "static_configs")) {
        return read_static(a, list, s, info);
    }
    for (size_t i = 0; i < ARRAY_LEN(running); i++) {
        if (str_eq_c(list->key, running[i].key)) {
            return read_list(a, list, running[i].read, running[i].kind, s, info);
        }
    }
    return note_unused(a, s, key, info);
}

enum err sd_configs_parse(struct arena *a, const struct yaml_node *map, struct sd_configs *ret_configs,
                          struct err_info *reterr_info)
{
    struct sd_configs s = {0};
    enum err e = ERR_OK;
    for (size_t i = 0; sd_config_keys[i] && !e; i++) {
        e = read_key(a, yaml_get(map, sd_config_keys[i]), sd_config_keys[i], &s, reterr_info);
    }
    if (e) {
        sd_configs_done(&s);
        return e;
    }
    *ret_configs = s;
    return ERR_OK;
}

void sd_configs_done(struct sd_configs *s)
{
    for (size_t i = 0; i < s->n; i++) {
        target_groups_unref(s->items[i].groups);
        http_config_free(s->items[i].http);
    }
    s->n = 0;
}
