/* What the files that read an index share. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_INDEX_INT_H
#define CAIRN_METRICS_PROMTSDB_PROM_INDEX_INT_H

#include "metrics/promtsdb/prom_index.h"

/* Builds the list of names of ix->table. Errors: CORRUPT, OOM. */
MUST_USE enum err prom_table_read(struct prom_index *ix, struct err_info *info);

#endif
