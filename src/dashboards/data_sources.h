/* Data sources: where panels get their numbers and lines from. Any thread. */
#ifndef CAIRN_DASHBOARDS_DATA_SOURCES_H
#define CAIRN_DASHBOARDS_DATA_SOURCES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "dashboards/db.h"

struct data_source {
    int64_t id, version;
    struct str uid, name, type, url, access;
    bool is_default, basic_auth, read_only;
    struct str basic_auth_user;
    struct str json_data; /* JSON object */
    struct str secrets;   /* JSON object; never handed to a browser */
};

MUST_USE enum err data_source_list(struct db *db, struct arena *a, struct data_source **ret_rows,
                                   size_t *ret_n, struct err_info *reterr_info);
/* By uid, name or (a decimal) id. Errors: NOT_FOUND. */
MUST_USE enum err data_source_get(struct db *db, struct str key, struct arena *a, struct data_source *ret_ds,
                                  struct err_info *reterr_info);
/* Inserts, or replaces the one with the same uid (an empty uid: with the same name, else a fresh uid). A new
 * default takes the flag from the old one. Errors: INVALID, EXISTS (another uid has the name). */
MUST_USE enum err data_source_put(struct db *db, const struct data_source *ds, struct arena *a,
                                  struct data_source *ret_ds, struct err_info *reterr_info);
MUST_USE enum err data_source_delete(struct db *db, struct str uid, struct err_info *reterr_info);

#endif
