/* Dashboards and folders in the database. A dashboard's JSON is kept byte for byte as it was saved; only its
 * members id, uid and version are brought up to date when it is handed out (model.h). Any thread. */
#ifndef CAIRN_DASHBOARDS_DASHBOARDS_H
#define CAIRN_DASHBOARDS_DASHBOARDS_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "dashboards/db.h"

enum {
    DASH_UID_BYTES_MAX = 40,
    DASH_TITLE_BYTES_MAX = 5000,
    DASH_JSON_BYTES_MAX = 16 << 20,
    DASH_VERSIONS_KEPT = 20,
};

struct dash {
    int64_t id, version;
    struct str uid, slug, title, folder_uid, folder_title;
    struct str tags; /* JSON array */
    struct str json;
    ts_ms created_ms, updated_ms;
    struct str created_by, updated_by;
    struct str provisioned_from; /* path of the file, "builtin", or empty */
    struct str provisioned_hash;
    bool provisioned_editable;
};

struct dash_save {
    struct str json, uid, title, tags;
    struct str folder_uid; /* empty = General */
    int64_t base_version;  /* the version the editor started from; 0 = unknown */
    bool overwrite;
    struct str message, login;
    struct str provisioned_from, provisioned_hash; /* set by provisioning only */
    bool provisioned_editable;
};

/* Title as Grafana makes it part of a URL: "CPU & Memory" becomes "cpu-and-memory"; never empty. */
MUST_USE enum err dash_slug(struct arena *a, struct str title, struct str *ret_slug);
/* A fresh uid of 14 characters. */
MUST_USE enum err dash_uid_new(struct arena *a, struct str *ret_uid);
/* [a-zA-Z0-9_-]{1,40} */
bool dash_uid_valid(struct str uid);

/* Errors: NOT_FOUND. */
MUST_USE enum err dash_get(struct db *db, struct str uid, struct arena *a, struct dash *ret_dash,
                           struct err_info *reterr_info);
/* Creates or updates; *ret_dash is what is stored afterwards. Errors: CONFLICT ("version-mismatch": someone
 * saved in between), EXISTS ("name-exists": same title in the folder), DENIED (provisioned from a file),
 * INVALID, NOT_FOUND (folder). */
MUST_USE enum err dash_put(struct db *db, ts_ms now, const struct dash_save *s, struct arena *a,
                           struct dash *ret_dash, struct err_info *reterr_info);
MUST_USE enum err dash_delete(struct db *db, struct str uid, bool even_provisioned,
                              struct err_info *reterr_info);

struct dash_version {
    int64_t version;
    ts_ms created_ms;
    struct str created_by, message, json; /* json empty in lists */
};

MUST_USE enum err dash_versions(struct db *db, int64_t dashboard_id, struct arena *a,
                                struct dash_version **ret_rows, size_t *ret_n, struct err_info *reterr_info);
MUST_USE enum err dash_version_get(struct db *db, int64_t dashboard_id, int64_t version, struct arena *a,
                                   struct dash_version *ret_row, struct err_info *reterr_info);

struct dash_find {
    struct str text; /* part of the title, case-insensitive */
    const struct str *tags, *folder_uids, *uids;
    size_t tag_count, folder_uid_count, uid_count;
    int64_t starred_by;  /* user id; 0 = no such filter */
    int64_t limit, page; /* limit 1..5000, page from 1 */
};

/* Ordered by title; json is left empty. */
MUST_USE enum err dash_search(struct db *db, const struct dash_find *f, struct arena *a,
                              struct dash **ret_rows, size_t *ret_n, struct err_info *reterr_info);
/* Every uid that provisioning owns, with its file: what a rescan compares with. */
MUST_USE enum err dash_provisioned(struct db *db, struct arena *a, struct dash **ret_rows, size_t *ret_n,
                                   struct err_info *reterr_info);

struct folder {
    int64_t id, version;
    struct str uid, title, parent_uid;
    ts_ms created_ms, updated_ms;
};

MUST_USE enum err folder_get(struct db *db, struct str uid, struct arena *a, struct folder *ret_folder,
                             struct err_info *reterr_info);
MUST_USE enum err folder_list(struct db *db, struct arena *a, struct folder **ret_rows, size_t *ret_n,
                              struct err_info *reterr_info);
/* uid empty = a fresh one. Errors: EXISTS, INVALID, NOT_FOUND (parent). */
MUST_USE enum err folder_create(struct db *db, ts_ms now, struct str uid, struct str title,
                                struct str parent_uid, struct arena *a, struct folder *ret_folder,
                                struct err_info *reterr_info);
MUST_USE enum err folder_rename(struct db *db, ts_ms now, struct str uid, struct str title,
                                int64_t base_version, bool overwrite, struct err_info *reterr_info);
/* With everything in it. */
MUST_USE enum err folder_delete(struct db *db, struct str uid, struct err_info *reterr_info);

MUST_USE enum err star_set(struct db *db, int64_t user_id, struct str dashboard_uid, bool starred,
                           struct err_info *reterr_info);

#endif
