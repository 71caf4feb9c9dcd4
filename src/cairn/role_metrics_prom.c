/* A data directory of Prometheus as --storage.tsdb.path: its blocks are read where they stand, its head is
 * brought in once, and all that is new goes to DIR/cairn. */
#include <stdio.h>

#include "base/log.h"
#include "cairn/role_metrics_int.h"
#include "disk/file.h"
#include "metrics/promtsdb/prom_dir.h"
#include "metrics/tsdb/import.h"

bool metrics_in_place(const char *path)
{
    char own[4096];
    (void)snprintf(own, sizeof(own), "%s/blocks", path); /* a store of ours has it from its first start on */
    return !dir_is(own) && prom_dir_is(path);
}

enum err metrics_in_place_head(struct tsdb *db, const char *path, struct err_info *info)
{
    const struct tsdb_import o = {.tenant = QUERY_TENANT_DEFAULT};
    struct tsdb_imported d = {0};
    struct tsdb_stats s;
    tsdb_stats(db, &s);
    LOG_EVENT(LVL_INFO, "prometheus_blocks_open", F_C("dir", path), F_U64("blocks", s.prom_blocks),
              F_U64("blocks_damaged", s.prom_blocks_bad), F_U64("bytes", s.prom_block_bytes));
    enum err e = tsdb_import_head(db, &o, path, tsdb_prom_head_from(db), &d, info);
    if (e != ERR_OK || d.already) {
        return e;
    }
    LOG_EVENT(LVL_INFO, "prometheus_head_imported", F_C("dir", path), F_U64("series", d.series),
              F_U64("samples", d.samples), F_U64("samples_deleted", d.samples_deleted),
              F_U64("exemplars", d.exemplars));
    if (d.damage[0]) {
        LOG_EVENT(LVL_ERROR, "prometheus_head_damaged", F_C("dir", path), F_C("what", d.damage),
                  F_U64("records_bad", d.records_bad), F_U64("chunks_bad", d.chunks_bad),
                  F_C("instead", "everything else was brought in"));
    }
    return ERR_OK;
}
