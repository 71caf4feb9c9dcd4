/* Annotations: marks in time with a text and tags, of one dashboard or of all. Any thread. */
#ifndef CAIRN_DASHBOARDS_ANNOTATIONS_H
#define CAIRN_DASHBOARDS_ANNOTATIONS_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "dashboards/db.h"

enum {
    ANNOTATION_TEXT_BYTES_MAX = 65536,
    ANNOTATION_FOUND_MAX = 10000,
};

struct annotation {
    int64_t id, panel_id;
    struct str dashboard_uid; /* empty = of the organisation */
    ts_ms time_ms, time_end_ms, created_ms;
    struct str text, tags; /* tags: JSON array */
    struct str login;
};

struct annotation_find {
    ts_ms from_ms, to_ms; /* both 0 = any time */
    struct str dashboard_uid;
    int64_t panel_id;
    const struct str *tags; /* all of them, or one of them with match_any */
    size_t tag_count;
    bool match_any;
    int64_t limit; /* 1..ANNOTATION_FOUND_MAX */
};

/* Newest first. */
MUST_USE enum err annotation_search(struct db *db, const struct annotation_find *f, struct arena *a,
                                    struct annotation **ret_rows, size_t *ret_n,
                                    struct err_info *reterr_info);
/* Errors: NOT_FOUND. */
MUST_USE enum err annotation_get(struct db *db, int64_t id, struct arena *a, struct annotation *ret_row,
                                 struct err_info *reterr_info);
/* id 0 = a new one. Errors: INVALID (no text, an end before the start), NOT_FOUND. */
MUST_USE enum err annotation_put(struct db *db, const struct annotation *row, int64_t *ret_id,
                                 struct err_info *reterr_info);
MUST_USE enum err annotation_delete(struct db *db, int64_t id, struct err_info *reterr_info);

#endif
