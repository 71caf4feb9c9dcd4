/* Reading sections by tables of fields. */
#include "metrics/scrape/config_int.h"

enum {
    KEYS_MAX = 160
};

enum err config_no_memory(struct config_reader *r)
{
    return err_set(r->info, arena_err(r->a) ? arena_err(r->a) : ERR_OOM, "out of memory");
}

bool config_glob_valid(struct str s)
{
    size_t star = str_find_char(s, '*', 0);
    return star == STR_NPOS || str_find_char(s, '/', star) == STR_NPOS;
}

static size_t append_keys(const char **keys, size_t n, const char *const *more)
{
    for (size_t i = 0; more[i] && n + 1 < KEYS_MAX; i++) {
        keys[n++] = more[i];
    }
    return n;
}

static enum err check_keys(struct config_reader *r, const struct yaml_node *map, const char *what,
                           const struct config_field *fields, size_t n, unsigned extra)
{
    const char *keys[KEYS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < n && count + 1 < KEYS_MAX; i++) {
        keys[count++] = fields[i].key;
    }
    if (extra & CONFIG_WITH_HTTP) {
        count = append_keys(keys, count, http_config_keys);
    }
    if (extra & CONFIG_WITH_SD) {
        count = append_keys(keys, count, sd_config_keys);
    }
    keys[count] = NULL;
    return yaml_check_keys(map, what, keys, r->info);
}

static enum err read_field(struct config_reader *r, const struct yaml_node *n, const struct config_field *f,
                           void *base)
{
    void *to = (char *)base + f->offset;
    enum err e = ERR_OK;
    switch (f->kind) {
    case CONFIG_STR:
        return yaml_str(n, to, r->info);
    case CONFIG_PATH:
        e = yaml_str(n, to, r->info);
        if (!e && !yaml_is_null(n)) {
            *(struct str *)to = sd_config_path(r->a, n, *(struct str *)to);
            e = ((struct str *)to)->p ? ERR_OK : config_no_memory(r);
        }
        return e;
    case CONFIG_BOOL:
        return yaml_bool(n, to, r->info);
    case CONFIG_U64:
        return yaml_u64(n, to, r->info);
    case CONFIG_F64:
        return yaml_f64(n, to, r->info);
    case CONFIG_DURATION:
        return yaml_duration(n, false, to, r->info);
    case CONFIG_SIZE:
        return yaml_size(n, to, r->info);
    case CONFIG_OTHER:
        break;
    }
    return ERR_OK;
}

enum err config_fields(struct config_reader *r, const struct yaml_node *map, const char *what,
                       const struct config_field *fields, size_t n, unsigned extra, void *base)
{
    enum err e = check_keys(r, map, what, fields, n, extra);
    for (size_t i = 0; i < n && !e; i++) {
        if (fields[i].kind != CONFIG_OTHER) {
            e = read_field(r, yaml_get(map, fields[i].key), &fields[i], base);
        }
    }
    return e;
}

enum err config_list(struct config_reader *r, const struct yaml_node *list, const char *what)
{
    if (yaml_is_null(list)) {
        return ERR_OK;
    }
    if (list->kind != YAML_LIST) {
        return yaml_error(list, r->info, "%s must be a list", what);
    }
    for (const struct yaml_node *n = list->child; n; n = n->next) {
        if (n->kind != YAML_MAP) {
            return yaml_error(n, r->info, "empty or null section in %s", what);
        }
    }
    return ERR_OK;
}

enum err config_note_unused(struct config_reader *r, const char *part, const char *key)
{
    struct str text = arena_printf(r->a, "%s: %s", part, key);
    struct prom_config *c = r->c;
    if (!text.p) {
        return config_no_memory(r);
    }
    for (size_t i = 0; i < c->unused_count; i++) {
        if (str_eq_c(text, c->unused[i])) {
            return ERR_OK;
        }
    }
    if (arena_reserve(r->a, (void **)&c->unused, &c->unused_cap, c->unused_count + 1, sizeof(*c->unused))) {
        return config_no_memory(r);
    }
    c->unused[c->unused_count++] = text.p;
    return ERR_OK;
}
