/* Seen by serve*.c only. */
#ifndef CAIRN_CAIRN_SERVE_INT_H
#define CAIRN_CAIRN_SERVE_INT_H

#include "cairn/role.h"

enum {
    ROLES_MAX = 8
};

/* In the order of start. */
const struct role_ops *const *role_table(size_t *ret_n);

#endif
