/* TYPE, HELP and UNIT of a target's families, kept for some scrapes after they were last seen. Written by the
 * running scrape, read by the API: the owner locks. */
#ifndef CAIRN_METRICS_SCRAPE_METADATA_H
#define CAIRN_METRICS_SCRAPE_METADATA_H

#include "base/strmap.h"

struct family_metadata {
    struct str metric;     /* inside text */
    const char *type;      /* static */
    struct str help, unit; /* inside text */
    uint32_t seen;         /* number of a scrape whose comments were read */
    char text[];
};

struct metadata_table {
    struct strmap families; /* metric -> struct family_metadata * */
};

void scrape_metadata_done(struct metadata_table *t);
/* What a scrape says of a family; parts with p == NULL are left as they were. Errors: OOM. */
MUST_USE enum err scrape_metadata_set(struct metadata_table *t, struct str metric, struct str type,
                                      struct str help, struct str unit, uint32_t scrape);
/* Forgets families not seen for SCRAPE_METADATA_KEPT scrapes: `scrape` is the last whose comments were read,
 * `repeats` the scrapes since that had the same. */
void scrape_metadata_trim(struct metadata_table *t, uint32_t scrape, uint32_t repeats);

#endif
