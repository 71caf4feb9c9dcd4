/* Ceilings of scraping, with their reasons. */
#ifndef CAIRN_METRICS_SCRAPE_LIMITS_H
#define CAIRN_METRICS_SCRAPE_LIMITS_H

enum {
    SCRAPE_JOBS_MAX = 10000,  /* of one configuration */
    SCRAPE_QUEUE_MAX = 65536, /* answers waiting to be parsed: one a target */
    SCRAPE_SYNC_MS = 5000,    /* discovered changes are applied at most this often, as Prometheus does */
    SCRAPE_TOLERANCE_MS = 2,  /* a scrape this near its tick carries the tick's time */
    SCRAPE_FUTURE_MS = 10 * 60 * 1000, /* scraped timestamps further ahead are out of bounds */
    SCRAPE_METADATA_KEPT = 10,         /* scrapes for which a family that vanished is remembered */
    SCRAPE_DROPPED_KEPT = 10000,       /* dropped targets shown in /targets when the job sets no limit */
    SCRAPE_INCLUDE_FILES_MAX = 1000    /* files of scrape_config_files */
};

/* What one scrape may take besides its body: a small one can name many series with long labels. */
#define SCRAPE_MEMORY_BYTES_MAX ((size_t)1 << 30)
#define SCRAPE_BODY_BYTES_MAX ((size_t)256 << 20) /* when body_size_limit is 0 */

#endif
