/* A dashboard's JSON, read and patched without touching what is not asked for. Pure functions, any thread. */
#ifndef CAIRN_DASHBOARDS_MODEL_H
#define CAIRN_DASHBOARDS_MODEL_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "codec/json.h"

struct dash_model {
    struct str uid, title;
    struct str tags; /* JSON array text */
    int64_t id, version;
};

/* Errors: INVALID (no object, no title, a bad uid), LIMIT, OOM. Strings live in the arena or borrow from
 * json. */
MUST_USE enum err dash_model_read(struct arena *a, struct str json, struct dash_model *ret_model,
                                  struct err_info *reterr_info);
/* The JSON with id, uid and version set: members that exist are replaced where they stand, others are added
 * at the end, every other byte is kept. */
MUST_USE enum err dash_model_patch(struct arena *a, struct str json, int64_t id, struct str uid,
                                   int64_t version, struct str *ret_json, struct err_info *reterr_info);
/* An exported dashboard with its ${DS_NAME} inputs filled in and the members __inputs, __requires and
 * __elements left out. inputs: array of {name, value}, or NULL. */
MUST_USE enum err dash_model_fill_inputs(struct arena *a, const struct json_value *model,
                                         const struct json_value *inputs, struct str *ret_json,
                                         struct err_info *reterr_info);

#endif
