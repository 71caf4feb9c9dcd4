/* Provisioned data sources, and the expansion of variables in values. */
#include <sodium.h>
#include <stdlib.h>

#include "codec/json.h"
#include "codec/num.h"
#include "codec/yaml.h"
#include "dashboards/data_sources.h"
#include "dashboards/provision_int.h"
#include "disk/file.h"

bool provision_is_yaml(struct str name)
{
    return name.n && name.p[0] != '.' && (str_ends(name, STR(".yaml")) || str_ends(name, STR(".yml")));
}

/* -- variables ------------------------------------------------------------------------------------------- */

static bool is_name(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static enum err put_env(struct arena *a, struct buf *out, struct str name)
{
    struct str z = arena_str(a, name);
    if (!z.p) {
        return arena_err(a);
    }
    buf_str(out, str_c(getenv(z.p)));
    return ERR_OK;
}

static enum err put_file(struct arena *a, struct buf *out, struct str path, struct err_info *info)
{
    struct buf text AUTO_BUF = {.size_bytes_max = 1 << 20};
    struct str z = arena_str(a, path);
    enum err e = z.p ? file_load(z.p, &text, info) : arena_err(a);
    if (!e) {
        buf_str(out, str_trim(buf_view(&text)));
    }
    return e;
}

/* What stands after a '$' at *i; moves *i behind it. */
static enum err one_variable(struct arena *a, struct buf *out, struct str v, size_t *i, struct err_info *info)
{
    struct str rest = str_slice(v, *i + 1, v.n);
    static const struct str file = STR_INIT("__file{"), env = STR_INIT("__env{");
    if (str_starts(rest, STR("$"))) {
        buf_char(out, '$');
        *i += 2;
        return ERR_OK;
    }
    size_t skip = str_starts(rest, file)       ? file.n
                  : str_starts(rest, env)      ? env.n
                  : str_starts(rest, STR("{")) ? 1
                                               : 0;
    size_t close = skip ? str_find_char(rest, '}', 0) : STR_NPOS;
    if (close != STR_NPOS) {
        struct str name = str_slice(rest, skip, close);
        *i += close + 2;
        return skip == file.n ? put_file(a, out, name, info) : put_env(a, out, name);
    }
    size_t n = 0;
    while (n < rest.n && is_name(rest.p[n], n == 0)) {
        n++;
    }
    if (n == 0) {
        buf_char(out, '$');
        *i += 1;
        return ERR_OK;
    }
    *i += n + 1;
    return put_env(a, out, str_of(rest.p, n));
}

enum err provision_expand(struct arena *a, struct str value, struct str *ret_value,
                          struct err_info *reterr_info)
{
    if (str_find_char(value, '$', 0) == STR_NPOS) {
        *ret_value = value;
        return ERR_OK;
    }
    struct buf out AUTO_BUF = {0};
    enum err e = ERR_OK;
    for (size_t i = 0; i < value.n && !e;) {
        if (value.p[i] == '$') {
            e = one_variable(a, &out, value, &i, reterr_info);
        } else {
            buf_char(&out, value.p[i++]);
        }
    }
    if (!e) {
        e = out.err;
    }
    if (!e) {
        *ret_value = arena_str(a, buf_view(&out));
        e = ret_value->p ? ERR_OK : arena_err(a);
    }
    return e;
}

/* -- data sources ---------------------------------------------------------------------------------------- */

enum {
    UID_HASH_BYTES = 8
};

static bool is_json_number(struct str s)
{
    double v;
    return s.n && s.p[0] != '+' && s.p[0] != '.' && !(s.n > 1 && s.p[0] == '0' && s.p[1] != '.') &&
           num_f64_parse(s, &v) == ERR_OK && (s.p[s.n - 1] >= '0' && s.p[s.n - 1] <= '9');
}

/* A YAML value as JSON, variables expanded. */
static enum err to_json(struct arena *a, struct json_writer *w, const struct yaml_node *n,
                        struct err_info *info)
{
    enum err e = ERR_OK;
    struct str text;
    switch (n->kind) {
    case YAML_NULL:
        json_null(w);
        break;
    case YAML_SCALAR:
        e = provision_expand(a, n->text, &text, info);
        if (!e && !n->quoted && (str_eq_c(text, "true") || str_eq_c(text, "false") || is_json_number(text))) {
            json_raw(w, text);
        } else if (!e) {
            json_str(w, text);
        }
        break;
    case YAML_LIST:
        json_array_begin(w);
        for (const struct yaml_node *c = n->child; c && !e; c = c->next) {
            e = to_json(a, w, c, info);
        }
        json_array_end(w);
        break;
    case YAML_MAP:
        json_object_begin(w);
        for (const struct yaml_node *c = n->child; c && !e; c = c->next) {
            json_key_str(w, c->key);
            e = to_json(a, w, c, info);
        }
        json_object_end(w);
        break;
    }
    return e;
}

static enum err json_member(struct arena *a, const struct yaml_node *n, struct str *value,
                            struct err_info *info)
{
    struct buf b AUTO_BUF = {0};
    *value = STR("{}");
    if (yaml_is_null(n)) {
        return ERR_OK;
    }
    if (n->kind != YAML_MAP) {
        return yaml_error(n, info, "%.*s must be a map", STR_FMT(n->key));
    }
    struct json_writer w = json_writer(&b);
    enum err e = to_json(a, &w, n, info);
    e = e ? e : b.err;
    if (!e) {
        *value = arena_str(a, buf_view(&b));
        e = value->p ? ERR_OK : arena_err(a);
    }
    return e;
}

static enum err text_member(struct arena *a, const struct yaml_node *map, const char *key, struct str *value,
                            struct err_info *info)
{
    enum err e = yaml_str(yaml_get(map, key), value, info);
    return e ? e : provision_expand(a, *value, value, info);
}

static const char *const source_keys[] = {"name",
                                          "type",
                                          "uid",
                                          "url",
                                          "access",
                                          "orgId",
                                          "org_id",
                                          "isDefault",
                                          "is_default",
                                          "basicAuth",
                                          "basicAuthUser",
                                          "basicAuthPassword",
                                          "withCredentials",
                                          "jsonData",
                                          "secureJsonData",
                                          "version",
                                          "editable",
                                          "user",
                                          "password",
                                          "database",
                                          "apiVersion",
                                          NULL};

/* A source without a uid keeps the one it has, or gets the one Grafana derives from the name, which
 * dashboards made elsewhere refer to. One with a uid takes the name over from another uid. */
static enum err settle_uid(struct db *db, struct arena *a, struct data_source *ds, struct err_info *info)
{
    struct data_source same_name;
    unsigned char digest[crypto_hash_sha256_BYTES];
    char hex[2 * UID_HASH_BYTES + 1];
    bool found =
        data_source_get(db, ds->name, a, &same_name, NULL) == ERR_OK && str_eq(same_name.name, ds->name);
    if (ds->uid.n) {
        return found && !str_eq(same_name.uid, ds->uid) ? data_source_delete(db, same_name.uid, info)
                                                        : ERR_OK;
    }
    if (found) {
        ds->uid = same_name.uid;
        return ERR_OK;
    }
    (void)crypto_hash_sha256(digest, (const unsigned char *)ds->name.p, ds->name.n);
    (void)sodium_bin2hex(hex, sizeof(hex), digest, UID_HASH_BYTES);
    for (char *c = hex; *c; c++) {
        *c = *c >= 'a' ? (char)(*c - 'a' + 'A') : *c;
    }
    ds->uid = arena_printf(a, "P%s", hex);
    return ds->uid.p ? ERR_OK : arena_err(a);
}

static struct str or_empty_object(struct str json)
{
    return json.n ? json : STR("{}");
}

/* Files are read again and again: what is stored as they say is left alone. */
static bool is_stored(struct db *db, struct arena *a, const struct data_source *ds)
{
    struct data_source had;
    return data_source_get(db, ds->uid, a, &had, NULL) == ERR_OK && str_eq(had.uid, ds->uid) &&
           str_eq(had.name, ds->name) && str_eq(had.type, ds->type) && str_eq(had.url, ds->url) &&
           str_eq(had.access, ds->access) && str_eq(had.basic_auth_user, ds->basic_auth_user) &&
           str_eq(had.json_data, or_empty_object(ds->json_data)) &&
           str_eq(had.secrets, or_empty_object(ds->secrets)) && had.is_default == ds->is_default &&
           had.basic_auth == ds->basic_auth && had.read_only == ds->read_only;
}

static enum err one_source(struct db *db, struct arena *a, const struct yaml_node *n, struct err_info *info)
{
    struct data_source ds = {.uid = STR(""),
                             .name = STR(""),
                             .type = STR(""),
                             .url = STR(""),
                             .access = STR("proxy"),
                             .basic_auth_user = STR("")},
                       stored;
    bool editable = false;
    enum err e = yaml_check_keys(n, "data source", source_keys, info);
    e = e ? e : text_member(a, n, "name", &ds.name, info);
    e = e ? e : text_member(a, n, "type", &ds.type, info);
    e = e ? e : text_member(a, n, "uid", &ds.uid, info);
    e = e ? e : text_member(a, n, "url", &ds.url, info);
    e = e ? e : text_member(a, n, "access", &ds.access, info);
    e = e ? e : text_member(a, n, "basicAuthUser", &ds.basic_auth_user, info);
    e = e ? e : yaml_bool(yaml_get(n, "isDefault"), &ds.is_default, info);
    e = e ? e : yaml_bool(yaml_get(n, "basicAuth"), &ds.basic_auth, info);
    e = e ? e : yaml_bool(yaml_get(n, "editable"), &editable, info);
    e = e ? e : json_member(a, yaml_get(n, "jsonData"), &ds.json_data, info);
    e = e ? e : json_member(a, yaml_get(n, "secureJsonData"), &ds.secrets, info);
    if (e) {
        return e;
    }
    if (ds.name.n == 0 || ds.type.n == 0) {
        return yaml_error(n, info, "a data source needs a name and a type");
    }
    if (str_eq_c(ds.access, "server")) {
        ds.access = STR("proxy");
    }
    ds.read_only = !editable;
    struct err_info why = {0};
    e = settle_uid(db, a, &ds, &why);
    if (!e && !is_stored(db, a, &ds)) {
        e = data_source_put(db, &ds, a, &stored, &why);
    }
    return e ? yaml_error(n, info, "%s", why.message[0] ? why.message : err_text(e)) : ERR_OK;
}

static enum err delete_sources(struct db *db, struct arena *a, const struct yaml_node *list,
                               struct err_info *info)
{
    for (const struct yaml_node *n = list ? list->child : NULL; n; n = n->next) {
        struct str name = STR("");
        struct data_source ds;
        enum err e = yaml_str(yaml_get(n, "name"), &name, info);
        if (!e && name.n && data_source_get(db, name, a, &ds, NULL) == ERR_OK) {
            e = data_source_delete(db, ds.uid, info);
        }
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

enum err provision_data_sources(struct db *db, const char *path, struct arena *a, unsigned *count,
                                struct err_info *reterr_info)
{
    static const char *const keys[] = {"apiVersion", "datasources", "deleteDatasources", "prune", NULL};
    const struct str *names;
    size_t n = 0;
    struct str dir = arena_printf(a, "%s/datasources", path);
    if (!dir.p) {
        return arena_err(a);
    }
    enum err e = dir_list(dir.p, a, &names, &n, reterr_info);
    if (e == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    for (size_t i = 0; i < n && !e; i++) {
        const struct yaml_node *root;
        if (!provision_is_yaml(names[i])) {
            continue;
        }
        struct str file = arena_printf(a, "%s/%s", dir.p, names[i].p);
        e = file.p ? yaml_load(a, file.p, &root, reterr_info) : arena_err(a);
        e = e ? e : yaml_check_keys(root, "data source provisioning file", keys, reterr_info);
        e = e ? e : delete_sources(db, a, yaml_get(root, "deleteDatasources"), reterr_info);
        const struct yaml_node *list = e ? NULL : yaml_get(root, "datasources");
        for (const struct yaml_node *s = list ? list->child : NULL; s && !e; s = s->next) {
            e = one_source(db, a, s, reterr_info);
            *count += !e;
        }
    }
    return e;
}
