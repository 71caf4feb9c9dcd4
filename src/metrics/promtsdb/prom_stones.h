/* Deletions of a Prometheus block: spans of time by series. */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_STONES_H
#define CAIRN_METRICS_PROMTSDB_PROM_STONES_H

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

struct prom_stone {
    uint64_t ref;         /* id of the series in the index */
    ts_ms min_ts, max_ts; /* both inclusive */
};

struct prom_stones {
    struct prom_stone *items; /* by ref, then min_ts */
    size_t n, cap;
};

/* Reads the file's content. Errors: CORRUPT (info says what), OOM. */
MUST_USE enum err prom_stones_parse(struct str content, struct prom_stones *ret_s, struct err_info *info);
void prom_stones_done(struct prom_stones *s);
MUST_USE enum err prom_stones_add(struct prom_stones *s, struct prom_stone stone);
/* To be called after the last was added. */
void prom_stones_sort(struct prom_stones *s);
/* Those of a series. */
struct prom_stones prom_stones_of(const struct prom_stones *s, uint64_t ref);
/* Whether one of them covers the time. */
bool prom_stones_cover(const struct prom_stones *of_series, ts_ms ts);

#endif
