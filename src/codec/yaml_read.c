/* Typed reading of a YAML tree, with the place in every error. */
#include <stdarg.h>
#include <stdio.h>

#include "codec/num.h"
#include "codec/units.h"
#include "codec/yaml.h"

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    if (!map || map->kind != YAML_MAP) {
        return NULL;
    }
    for (const struct yaml_node *c = map->child; c; c = c->next) {
        if (str_eq_c(c->key, key)) {
            return c;
        }
    }
    return NULL;
}

bool yaml_is_null(const struct yaml_node *n)
{
    return !n || n->kind == YAML_NULL;
}

static enum err error_at(const struct yaml_node *n, struct err_info *info, unsigned line, unsigned col,
                         const char *text)
{
    enum err e = err_set_at(info, ERR_INVALID, line, col, "%s", text);
    err_in_file(info, n->file);
    return e;
}

enum err yaml_error(const struct yaml_node *n, struct err_info *reterr_info, const char *fmt, ...)
{
    char text[480];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return error_at(n, reterr_info, n->line, n->col, text);
}

enum err yaml_check_keys(const struct yaml_node *map, const char *what, const char *const *keys,
                         struct err_info *reterr_info)
{
    if (yaml_is_null(map)) {
        return ERR_OK;
    }
    if (map->kind != YAML_MAP) {
        return yaml_error(map, reterr_info, "%s must be a map of keys and values", what);
    }
    for (const struct yaml_node *c = map->child; c; c = c->next) {
        size_t n = 0;
        while (keys[n] && !str_eq_c(c->key, keys[n])) {
            n++;
        }
        if (keys[n]) {
            continue;
        }
        const char *near = str_nearest(c->key, keys, n);
        char text[480];
        snprintf(text, sizeof(text), "field %.*s not found in %s%s%s%s", STR_FMT(c->key), what,
                 near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
        return error_at(c, reterr_info, c->key_line, c->key_col, text);
    }
    return ERR_OK;
}

static enum err wrong_type(const struct yaml_node *n, const char *want, struct err_info *info)
{
    static const char *const kinds[] = {"nothing", "a value", "a list", "a map"};
    if (n->kind == YAML_SCALAR) {
        return yaml_error(n, info, "%.*s%s\"%.*s\" is no %s", STR_FMT(n->key), n->key.n ? ": " : "",
                          STR_FMT(n->text), want);
    }
    return yaml_error(n, info, "%.*s%smust be a %s, not %s", STR_FMT(n->key), n->key.n ? " " : "", want,
                      kinds[n->kind]);
}

enum err yaml_str(const struct yaml_node *n, struct str *value, struct err_info *reterr_info)
{
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    if (n->kind != YAML_SCALAR) {
        return wrong_type(n, "string", reterr_info);
    }
    *value = n->text;
    return ERR_OK;
}

enum err yaml_bool(const struct yaml_node *n, bool *value, struct err_info *reterr_info)
{
    static const char *const yes[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"};
    static const char *const no[] = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"};
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    for (size_t i = 0; n->kind == YAML_SCALAR && !n->quoted && i < ARRAY_LEN(yes); i++) {
        if (str_eq_c(n->text, yes[i]) || str_eq_c(n->text, no[i])) {
            *value = str_eq_c(n->text, yes[i]);
            return ERR_OK;
        }
    }
    return wrong_type(n, "boolean (true or false)", reterr_info);
}

enum err yaml_i64(const struct yaml_node *n, int64_t *value, struct err_info *reterr_info)
{
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    if (n->kind != YAML_SCALAR || str_to_i64(n->text, value) != ERR_OK) {
        return wrong_type(n, "whole number", reterr_info);
    }
    return ERR_OK;
}

enum err yaml_u64(const struct yaml_node *n, uint64_t *value, struct err_info *reterr_info)
{
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    if (n->kind != YAML_SCALAR || str_to_u64(n->text, value) != ERR_OK) {
        return wrong_type(n, "whole number of at least 0", reterr_info);
    }
    return ERR_OK;
}

enum err yaml_f64(const struct yaml_node *n, double *value, struct err_info *reterr_info)
{
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    if (n->kind != YAML_SCALAR || num_f64_parse(n->text, value) != ERR_OK) {
        return wrong_type(n, "number", reterr_info);
    }
    return ERR_OK;
}

enum err yaml_duration(const struct yaml_node *n, bool go_too, int64_t *value_ms,
                       struct err_info *reterr_info)
{
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    int64_t ns;
    if (n->kind == YAML_SCALAR && units_duration_parse(n->text, value_ms) == ERR_OK) {
        return ERR_OK;
    }
    if (n->kind == YAML_SCALAR && go_too && units_go_duration_parse(n->text, &ns) == ERR_OK) {
        *value_ms = ns / NS_PER_MS;
        return ERR_OK;
    }
    return wrong_type(n, "duration (such as 15s, 5m or 1h30m)", reterr_info);
}

enum err yaml_size(const struct yaml_node *n, uint64_t *value_bytes, struct err_info *reterr_info)
{
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    if (n->kind != YAML_SCALAR || units_size_parse(n->text, true, value_bytes) != ERR_OK) {
        return wrong_type(n, "size (such as 512KB, 10MB or 1GiB)", reterr_info);
    }
    return ERR_OK;
}

enum err yaml_str_list(struct arena *a, const struct yaml_node *n, const struct str **ret_items,
                       size_t *ret_n, struct err_info *reterr_info)
{
    if (yaml_is_null(n)) {
        *ret_items = NULL;
        *ret_n = 0;
        return ERR_OK;
    }
    size_t count = n->kind == YAML_LIST ? n->count : 1, i = 0;
    if (n->kind == YAML_MAP) {
        return wrong_type(n, "list of strings", reterr_info);
    }
    struct str *items = arena_array(a, count ? count : 1, sizeof(*items));
    if (!items) {
        return err_set(reterr_info, arena_err(a), "out of memory");
    }
    for (const struct yaml_node *c = n->kind == YAML_LIST ? n->child : n; c && i < count; c = c->next) {
        items[i] = STR("");
        enum err e = yaml_str(c, &items[i++], reterr_info);
        if (e) {
            return e;
        }
    }
    *ret_items = items;
    *ret_n = i;
    return ERR_OK;
}
