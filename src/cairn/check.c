/* cairn check: reads configuration files as the roles do, and starts nothing. For editors, CI and package
 * upgrades. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cairn/command.h"
#include "cairn/serve_int.h"
#include "codec/json.h"
#include "codec/yaml.h"
#include "disk/file.h"

enum {
    FILES_MAX = 64,
    FILE_BYTES_MAX = 16 << 20
};

struct check_flags {
    struct str role;
    bool help;
};

static const struct flag flags[] = {
    {"role", FLAG_STR, offsetof(struct check_flags, role), "",
     "metrics, logs, agent or dashboards; guessed from the keys unless told"},
    {"help", FLAG_BOOL, offsetof(struct check_flags, help), "", "this text"},
};

/* Keys that only one role's file has at its top. */
static const struct {
    const char *key, *role;
} marks[] = {
    {"clients", "agent"},          {"positions", "agent"},     {"target_config", "agent"},
    {"schema_config", "logs"},     {"auth_enabled", "logs"},   {"common", "logs"},
    {"limits_config", "logs"},     {"storage_config", "logs"}, {"rule_files", "metrics"},
    {"alerting", "metrics"},       {"global", "metrics"},      {"remote_write", "metrics"},
    {"scrape_configs", "metrics"},
};

static const char *role_of(const struct yaml_node *root)
{
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        if (yaml_get(root, marks[i].key)) {
            return marks[i].role;
        }
    }
    return NULL;
}

static enum err check_with(const char *role, const char *path, struct err_info *info)
{
    size_t n;
    const struct role_ops *const *table = role_table(&n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(table[i]->name, role) == 0 && table[i]->check) {
            struct role *r = table[i]->make();
            if (!r) {
                return err_set(info, ERR_OOM, "out of memory");
            }
            r->config_file = str_c(path);
            enum err e = table[i]->check(r, info);
            table[i]->stop(r);
            return e;
        }
    }
    return err_set(info, ERR_INVALID, "--role: \"%s\" is not one of metrics, logs, agent, dashboards", role);
}

static enum err check_json(const char *path, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct buf text AUTO_BUF = {.size_bytes_max = FILE_BYTES_MAX};
    const struct json_value *root = NULL;
    enum err e = file_load(path, &text, info);
    e = e ? e : json_parse(&a, buf_view(&text), &root, info);
    if (!e && !json_get(root, STR("panels")) && !json_get(root, STR("rows"))) {
        e = err_set(info, ERR_INVALID, "no dashboard: neither \"panels\" nor \"rows\" is there");
    }
    err_in_file(info, path);
    return e;
}

static enum err check_file(const struct check_flags *f, const char *path, const char **ret_what,
                           struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    const struct yaml_node *root = NULL;
    if (str_ends(str_c(path), STR(".json"))) {
        *ret_what = "dashboard";
        return check_json(path, info);
    }
    if (str_eq_c(f->role, "dashboards") || (!f->role.n && str_ends(str_c(path), STR(".ini")))) {
        *ret_what = "dashboards";
        return check_with("dashboards", path, info); /* the one file that is no YAML */
    }
    enum err e = yaml_load(&a, path, &root, info);
    if (e) {
        return e;
    }
    const char *role = f->role.n ? f->role.p : role_of(root);
    if (!role) {
        return yaml_error(root, info, "cannot tell whose file this is; say --role=metrics, logs or agent");
    }
    *ret_what = role;
    return check_with(role, path, info);
}

static int help(const struct flag_set *set)
{
    struct buf text AUTO_BUF = {.size_bytes_max = 4096};
    buf_c(&text, "usage: cairn check [--role=ROLE] FILE...\n\nReads configuration files (Prometheus', "
                 "Loki's, Promtail's, grafana.ini) and "
                 "dashboards\n(.json), and says what is wrong with file, line and column. Exit status 1 when "
                 "something is.\n");
    flags_help(&text, set, 1);
    return !text.err && fwrite(text.p, 1, text.n, stdout) == text.n ? 0 : 1;
}

int command_check(int argc, char **argv)
{
    struct check_flags f = {0};
    const struct flag_set set = {"Flags", flags, ARRAY_LEN(flags), &f};
    const char *files[FILES_MAX];
    size_t n = 0;
    struct err_info info = {0};
    int status = 0;
    if (flags_parse(argc, argv, &set, 1, files, FILES_MAX, &n, NULL, NULL, &info)) {
        (void)fprintf(stderr, "cairn check: %s\n", info.message);
        return 2;
    }
    if (f.help || n == 0) {
        int printed = help(&set);
        return f.help ? printed : 2;
    }
    for (size_t i = 0; i < n; i++) {
        const char *what = "";
        char text[1024];
        info = (struct err_info){0};
        if (check_file(&f, files[i], &what, &info)) {
            err_in_file(&info, files[i]);
            (void)fprintf(stderr, "%s\n", err_render(&info, text, sizeof(text)));
            status = 1;
        } else {
            (void)printf("%s: fine (%s)\n", files[i], what);
        }
    }
    return status;
}
