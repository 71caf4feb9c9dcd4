/* Seen by serve*.c only. */
#ifndef CAIRN_CAIRN_SERVE_INT_H
#define CAIRN_CAIRN_SERVE_INT_H

#include "base/arena.h"
#include "cairn/role.h"

enum {
    ROLES_MAX = 8
};

/* What the flags and the front door say. */
struct settings {
    struct str config_file, role, data, listen, durability, web_config, log_level, log_format;
    bool demo, help, check;
    struct str demo_log, demo_environment, demo_version;
    uint64_t memory;
    struct str addresses[ROLES_MAX], configs[ROLES_MAX]; /* in the order of the table of roles */
};

/* Reads cairn.yml into the settings; strings live in the arena. A role's document that stands in the file
 * itself is put into the data folder, with its lines where they were. Errors: INVALID with file, line and
 * column, IO, OOM. */
MUST_USE enum err serve_config_load(struct arena *a, const char *path, struct settings *set,
                                    struct err_info *reterr_info);

/* In the order of start. */
const struct role_ops *const *role_table(size_t *ret_n);

#endif
