/* Provisioned dashboards: providers, folders of JSON files, what is gone. */
#include "dashboards/provision.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/strmap.h"
#include "codec/yaml.h"
#include "dashboards/builtin.h"
#include "dashboards/dashboards.h"
#include "dashboards/model.h"
#include "dashboards/provision_int.h"
#include "disk/file.h"

enum {
    SCAN_DEPTH_MAX = 8
};

static void problem(struct provision_report *r, const struct err_info *info)
{
    if (r->problems++ == 0) {
        r->first_problem = *info;
    }
}

/* -- one dashboard --------------------------------------------------------------------------------------- */

struct origin {
    struct str file; /* path, or "builtin" */
    struct str folder_uid;
    bool editable;
};

/* Stores the dashboard unless the very same text is stored already. */
static enum err put_one(struct db *db, ts_ms now, struct arena *a, struct str json, const struct origin *from,
                        struct provision_report *r, struct err_info *info)
{
    struct dash_model m;
    struct dash d;
    char hash[24];
    enum err e = dash_model_read(a, json, &m, info);
    if (e) {
        return e;
    }
    snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)hash_bytes(json.p, json.n));
    if (m.uid.n == 0) {
        /* A stable uid for a file without one, so that a rescan finds it again. */
        m.uid =
            arena_printf(a, "f%012llx", (unsigned long long)(hash_bytes(from->file.p, from->file.n) >> 16));
        if (!m.uid.p) {
            return arena_err(a);
        }
    }
    e = dash_get(db, m.uid, a, &d, NULL);
    if (!e && str_eq_c(d.provisioned_hash, hash) && str_eq(d.provisioned_from, from->file) &&
        str_eq(d.folder_uid, from->folder_uid)) {
        r->dashboards_unchanged++;
        return ERR_OK;
    }
    if (!e && d.provisioned_from.n && !str_eq(d.provisioned_from, from->file) &&
        !str_eq_c(d.provisioned_from, "builtin") && file_exists(arena_str(a, d.provisioned_from).p)) {
        return err_set(info, ERR_EXISTS, "uid \"%.*s\" is used by %.*s already: give one of them another uid",
                       STR_FMT(m.uid), STR_FMT(d.provisioned_from));
    }
    struct dash_save s = {
        .json = json,
        .uid = m.uid,
        .title = m.title,
        .tags = m.tags,
        .folder_uid = from->folder_uid,
        .overwrite = true,
        .message = STR("provisioned"),
        .login = STR(""),
        .provisioned_from = from->file,
        .provisioned_hash = str_c(hash),
        .provisioned_editable = from->editable,
    };
    e = dash_put(db, now, &s, a, &d, info);
    r->dashboards_changed += !e;
    return e;
}

enum err provision_builtin(struct db *db, ts_ms now, struct provision_report *ret_report,
                           struct err_info *reterr_info)
{
    for (const struct builtin_dashboard *b = builtin_dashboards; b->name; b++) {
        struct arena a AUTO_ARENA = {0};
        struct origin from = {.file = STR("builtin"), .folder_uid = STR(""), .editable = true};
        enum err e = put_one(db, now, &a, str_of(b->begin, (size_t)(b->end - b->begin)), &from, ret_report,
                             reterr_info);
        if (e) {
            err_in_file(reterr_info, b->name);
            return e;
        }
    }
    return ERR_OK;
}

/* -- providers ------------------------------------------------------------------------------------------- */

struct scan {
    struct db *db;
    ts_ms now;
    struct arena *a;
    struct provision_report *report;
    struct strmap seen; /* files found */
    bool editable, folders_from_files;
};

static enum err folder_named(struct scan *s, struct str title, struct str uid, struct str *ret_uid,
                             struct err_info *info)
{
    struct folder *rows = NULL, f;
    size_t n = 0;
    *ret_uid = STR("");
    if (title.n == 0 || str_ieq(title, STR("General"))) {
        return ERR_OK;
    }
    enum err e = folder_list(s->db, s->a, &rows, &n, info);
    for (size_t i = 0; i < n && !e; i++) {
        if (uid.n ? str_eq(rows[i].uid, uid) : str_eq(rows[i].title, title)) {
            *ret_uid = rows[i].uid;
            return ERR_OK;
        }
    }
    if (!e) {
        e = folder_create(s->db, s->now, uid, title, STR(""), s->a, &f, info);
    }
    if (!e) {
        *ret_uid = f.uid;
    }
    return e;
}

static enum err file_one(struct scan *s, struct str path, struct str folder_uid)
{
    struct buf text AUTO_BUF = {.size_bytes_max = DASH_JSON_BYTES_MAX};
    struct err_info info = {0};
    static char mark;
    struct origin from = {.file = path, .folder_uid = folder_uid, .editable = s->editable};
    enum err e = strmap_put(&s->seen, path, &mark, NULL);
    if (e) {
        return e;
    }
    e = file_load(path.p, &text, &info);
    struct str kept = e ? (struct str){0} : arena_str(s->a, buf_view(&text));
    if (!e) {
        e = kept.p ? put_one(s->db, s->now, s->a, kept, &from, s->report, &info) : arena_err(s->a);
    }
    if (e == ERR_OOM) {
        return e;
    }
    if (e) {
        err_in_file(&info, path.p);
        problem(s->report, &info);
    }
    return ERR_OK;
}

static enum err scan_dir(struct scan *s, struct str dir, struct str folder_uid, unsigned depth,
                         struct err_info *info)
{
    const struct str *names;
    size_t n;
    enum err e = dir_list(dir.p, s->a, &names, &n, info);
    for (size_t i = 0; i < n && !e; i++) {
        struct str path = arena_printf(s->a, "%.*s/%.*s", STR_FMT(dir), STR_FMT(names[i]));
        struct stat st;
        if (!path.p) {
            return arena_err(s->a);
        }
        if (names[i].p[0] == '.' || stat(path.p, &st) != 0) {
            continue;
        }
        if (S_ISDIR(st.st_mode)) {
            struct str below = folder_uid;
            if (s->folders_from_files) {
                e = folder_named(s, names[i], STR(""), &below, info);
            }
            if (!e && depth < SCAN_DEPTH_MAX) {
                e = scan_dir(s, path, below, depth + 1, info);
            }
        } else if (str_ends(names[i], STR(".json"))) {
            e = file_one(s, path, folder_uid);
        }
    }
    return e;
}

static const char *const provider_keys[] = {"name",
                                            "orgId",
                                            "org_id",
                                            "folder",
                                            "folderUid",
                                            "type",
                                            "disableDeletion",
                                            "editable",
                                            "updateIntervalSeconds",
                                            "allowUiUpdates",
                                            "options",
                                            NULL};
static const char *const option_keys[] = {"path", "foldersFromFilesStructure", "folder", NULL};

static enum err provider(struct scan *s, const struct yaml_node *p, const char *base, bool *keep_deleted,
                         struct err_info *info)
{
    struct str type = STR("file"), folder = STR(""), uid = STR(""), path = STR("");
    const struct yaml_node *options = yaml_get(p, "options");
    enum err e = yaml_check_keys(p, "dashboard provider", provider_keys, info);
    s->editable = s->folders_from_files = false;
    e = e ? e : yaml_check_keys(options, "options", option_keys, info);
    e = e ? e : yaml_str(yaml_get(p, "type"), &type, info);
    e = e ? e : yaml_str(yaml_get(p, "folder"), &folder, info);
    e = e ? e : yaml_str(yaml_get(p, "folderUid"), &uid, info);
    e = e ? e : yaml_bool(yaml_get(p, "allowUiUpdates"), &s->editable, info);
    e = e ? e : yaml_bool(yaml_get(p, "disableDeletion"), keep_deleted, info);
    e = e ? e : yaml_str(yaml_get(options, "path"), &path, info);
    e = e ? e : yaml_bool(yaml_get(options, "foldersFromFilesStructure"), &s->folders_from_files, info);
    e = e ? e : provision_expand(s->a, path, &path, info);
    if (e) {
        return e;
    }
    if (!str_eq_c(type, "file")) {
        return yaml_error(yaml_get(p, "type"), info, "type %.*s is not supported: only file is",
                          STR_FMT(type));
    }
    if (path.n == 0) {
        return yaml_error(p, info, "options.path is missing: the folder with the dashboards' JSON files");
    }
    if (path.p[0] != '/') {
        path = arena_printf(s->a, "%s/%.*s", base, STR_FMT(path));
    } else {
        path = arena_str(s->a, path);
    }
    struct str folder_uid = {0};
    e = path.p ? folder_named(s, folder, uid, &folder_uid, info) : arena_err(s->a);
    if (e) {
        return e;
    }
    struct err_info missing = {0};
    e = scan_dir(s, path, folder_uid, 0, &missing);
    if (e == ERR_NOT_FOUND || e == ERR_DENIED) {
        problem(s->report, &missing);
        return ERR_OK;
    }
    if (e && info) {
        *info = missing;
    }
    return e;
}

static enum err remove_gone(struct scan *s, struct err_info *info)
{
    struct dash *rows = NULL;
    size_t n = 0;
    enum err e = dash_provisioned(s->db, s->a, &rows, &n, info);
    for (size_t i = 0; i < n && !e; i++) {
        if (str_eq_c(rows[i].provisioned_from, "builtin") || strmap_get(&s->seen, rows[i].provisioned_from)) {
            continue;
        }
        e = dash_delete(s->db, rows[i].uid, true, info);
        s->report->dashboards_removed += !e;
    }
    return e;
}

static enum err dashboards(struct scan *s, const char *path, bool *keep_deleted, struct err_info *info)
{
    static const char *const keys[] = {"apiVersion", "providers", NULL};
    const struct str *names;
    size_t n = 0;
    struct str dir = arena_printf(s->a, "%s/dashboards", path);
    if (!dir.p) {
        return arena_err(s->a);
    }
    enum err e = dir_list(dir.p, s->a, &names, &n, NULL);
    if (e == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    for (size_t i = 0; i < n && !e; i++) {
        const struct yaml_node *root;
        if (!provision_is_yaml(names[i])) {
            continue;
        }
        struct str file = arena_printf(s->a, "%s/%s", dir.p, names[i].p);
        e = file.p ? yaml_load(s->a, file.p, &root, info) : arena_err(s->a);
        e = e ? e : yaml_check_keys(root, "dashboards provisioning file", keys, info);
        const struct yaml_node *list = e ? NULL : yaml_get(root, "providers");
        for (const struct yaml_node *p = list ? list->child : NULL; p && !e; p = p->next) {
            e = provider(s, p, path, keep_deleted, info);
        }
    }
    return e;
}

enum err provision_folder(struct db *db, ts_ms now, const char *path, struct provision_report *ret_report,
                          struct err_info *reterr_info)
{
    struct arena a AUTO_ARENA = {0};
    struct scan s = {.db = db, .now = now, .a = &a, .report = ret_report};
    bool keep_deleted = false;
    enum err e = provision_data_sources(db, path, &a, &ret_report->data_sources, reterr_info);
    if (!e) {
        e = dashboards(&s, path, &keep_deleted, reterr_info);
    }
    if (!e && !keep_deleted) {
        e = remove_gone(&s, reterr_info);
    }
    strmap_done(&s.seen);
    return e;
}
