/* cairn.yml, the front door of a process with several roles: the settings they share, and for each role its
 * own original's document or the path of one.
 *
 * A document in place is cut out of the file by lines and written below the data folder, each line at its
 * number, so that the role's own strict reader names the right line. */
#include <stdio.h>
#include <string.h>

#include "cairn/serve_int.h"
#include "codec/yaml.h"
#include "disk/file.h"

enum {
    FILE_BYTES_MAX = 16 << 20,
    KEYS_MAX = 32
};

struct front_door {
    struct arena *a;
    const char *path;
    struct buf text;
    struct settings *set;
    struct err_info *info;
};

static const char *const shared_keys[] = {
    "roles", "data",     "listen",           "durability",   "memory",    "web_config",
    "demo",  "demo_log", "demo_environment", "demo_version", "log_level", "log_format"};

static enum err keys_check(const struct yaml_node *root, struct err_info *info)
{
    const char *keys[KEYS_MAX + 1] = {NULL};
    size_t n, at = 0;
    const struct role_ops *const *table = role_table(&n);
    for (size_t i = 0; i < ARRAY_LEN(shared_keys); i++) {
        keys[at++] = shared_keys[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (table[i]->check || strcmp(table[i]->name, "dashboards") == 0) {
            keys[at++] = table[i]->name;
        }
    }
    return yaml_check_keys(root, "cairn.yml", keys, info);
}

/* roles: [metrics, logs] as --role takes them. */
static enum err roles_read(struct front_door *f, const struct yaml_node *node)
{
    const struct str *items = NULL;
    size_t n = 0;
    struct buf b AUTO_BUF = {.size_bytes_max = 1024};
    enum err e = yaml_str_list(f->a, node, &items, &n, f->info);
    for (size_t i = 0; !e && i < n; i++) {
        buf_printf(&b, "%s%.*s", i ? "," : "", STR_FMT(items[i]));
    }
    if (!e && n) {
        f->set->role = arena_str(f->a, buf_view(&b));
        e = f->set->role.p ? ERR_OK : ERR_OOM;
    }
    return e;
}

/* listen: HOST, or a map of roles to host:port. */
static enum err listen_read(struct front_door *f, const struct yaml_node *node)
{
    size_t n;
    const struct role_ops *const *table = role_table(&n);
    enum err e = ERR_OK;
    if (!node || node->kind != YAML_MAP) {
        return yaml_str(node, &f->set->listen, f->info);
    }
    const char *keys[KEYS_MAX + 1] = {NULL};
    for (size_t i = 0; i < n; i++) {
        keys[i] = table[i]->name;
    }
    e = yaml_check_keys(node, "listen", keys, f->info);
    for (size_t i = 0; !e && i < n; i++) {
        e = yaml_str(yaml_get(node, table[i]->name), &f->set->addresses[i], f->info);
    }
    return e;
}

/* The lines from `first` to before `end` (counted from 1; 0: to the last), without `indent` spaces, each at
 * its number. */
static enum err section_cut(struct front_door *f, const struct yaml_node *node, unsigned first, unsigned end,
                            size_t indent, struct buf *out)
{
    struct str rest = buf_view(&f->text);
    for (unsigned line = 1; rest.p && (end == 0 || line < end); line++) {
        struct str text = str_cut(&rest, '\n');
        struct str bare = str_trim(text);
        if (line >= first && bare.n && bare.p[0] != '#') {
            for (size_t i = 0; i < indent; i++) {
                if (i >= text.n || text.p[i] != ' ') {
                    return yaml_error(node, f->info,
                                      "line %u of this section is not indented as its first is", line);
                }
            }
            buf_str(out, str_slice(text, indent, text.n));
        }
        buf_char(out, '\n');
    }
    return out->err;
}

static enum err section_write(struct front_door *f, const struct yaml_node *node, const char *role,
                              struct str *ret_path)
{
    struct buf b AUTO_BUF = {.size_bytes_max = FILE_BYTES_MAX};
    char folder[1024];
    if (!node->child || node->child->key_line <= node->key_line) {
        return yaml_error(node, f->info, "write the document of \"%s\" on lines of its own, or name its file",
                          role);
    }
    enum err e = section_cut(f, node, node->child->key_line, node->next ? node->next->key_line : 0,
                             node->child->key_col - 1, &b);
    (void)snprintf(folder, sizeof(folder), "%.*s", STR_FMT(f->set->data));
    e = e ? e : dir_make(folder, f->info);
    *ret_path = arena_printf(f->a, "%s/cairn.yml.%s", folder, role);
    if (!e && !ret_path->p) {
        e = err_set(f->info, ERR_OOM, "no memory for the configuration");
    }
    return e ? e : file_store(ret_path->p, buf_view(&b), f->info);
}

/* ROLE: path, or its document. */
static enum err role_read(struct front_door *f, const struct yaml_node *node, const char *role,
                          struct str *ret_path)
{
    if (!node || node->kind == YAML_NULL) {
        return ERR_OK;
    }
    if (node->kind != YAML_MAP) {
        return yaml_str(node, ret_path, f->info);
    }
    if (strcmp(role, "dashboards") == 0) {
        return yaml_error(node, f->info, "dashboards: name the path of a grafana.ini; it is no YAML");
    }
    return section_write(f, node, role, ret_path);
}

static enum err shared_read(struct front_door *f, const struct yaml_node *root)
{
    struct settings *s = f->set;
    const struct {
        const char *key;
        struct str *to;
    } texts[] = {{"data", &s->data},
                 {"durability", &s->durability},
                 {"web_config", &s->web_config},
                 {"demo_log", &s->demo_log},
                 {"demo_environment", &s->demo_environment},
                 {"demo_version", &s->demo_version},
                 {"log_level", &s->log_level},
                 {"log_format", &s->log_format}};
    enum err e = roles_read(f, yaml_get(root, "roles"));
    e = e ? e : listen_read(f, yaml_get(root, "listen"));
    for (size_t i = 0; !e && i < ARRAY_LEN(texts); i++) {
        e = yaml_str(yaml_get(root, texts[i].key), texts[i].to, f->info);
    }
    e = e ? e : yaml_size(yaml_get(root, "memory"), &s->memory, f->info);
    return e ? e : yaml_bool(yaml_get(root, "demo"), &s->demo, f->info);
}

enum err serve_config_load(struct arena *a, const char *path, struct settings *set,
                           struct err_info *reterr_info)
{
    struct front_door f = {
        .a = a, .path = path, .set = set, .info = reterr_info, .text = {.size_bytes_max = FILE_BYTES_MAX}};
    const struct yaml_node *root = NULL;
    size_t n;
    const struct role_ops *const *table = role_table(&n);
    enum err e = file_load(path, &f.text, reterr_info);
    e = e ? e : yaml_parse(a, buf_view(&f.text), path, &root, reterr_info);
    e = e ? e : keys_check(root, reterr_info);
    e = e ? e : shared_read(&f, root);
    for (size_t i = 0; !e && i < n; i++) {
        e = role_read(&f, yaml_get(root, table[i]->name), table[i]->name, &set->configs[i]);
    }
    buf_done(&f.text);
    return e;
}
