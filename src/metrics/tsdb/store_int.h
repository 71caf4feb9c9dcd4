/* What store.c and store_open.c share. */
#ifndef CAIRN_METRICS_TSDB_STORE_INT_H
#define CAIRN_METRICS_TSDB_STORE_INT_H

#include "metrics/tsdb/store.h"

#define STORE_MANIFEST_MAGIC "CAIRNTM1"

enum {
    STORE_MAGIC_BYTES = 8
};

void store_path(const struct store *s, const char *name, char *path, size_t path_size); /* DIR/NAME */
/* Room for as many; NULL without memory. */
struct store_set *store_set_new(size_t blocks, size_t tombstones);
int store_block_cmp(const void *a, const void *b); /* by min_ts, then by name */
MUST_USE enum err store_manifest_save(const struct store *s, const struct store_set *set,
                                      struct err_info *info);

#endif
