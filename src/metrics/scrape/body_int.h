/* Reading a body by comparing it with the page. Private to this folder. */
#ifndef CAIRN_METRICS_SCRAPE_BODY_INT_H
#define CAIRN_METRICS_SCRAPE_BODY_INT_H

#include "metrics/scrape/body.h"

/* Where the reading of a text body is. */
struct body_place {
    struct str body;
    size_t pos;    /* begin of a line: everything before it is read */
    unsigned line; /* read so far */
    uint8_t flags; /* of the family: CACHED_LE, CACHED_QUANTILE */
};

/* The gap between two places of a body; one that is too large to be told is like no other. */
struct scrape_gap scrape_gap_of(const char *from, const char *to, unsigned lines, uint8_t flags);
/* Reads lines as long as they are those of the page, each with a plain number and nothing behind it, and
 * stops before the first that is not. Errors: OOM, LIMIT (of the arena). */
MUST_USE enum err scrape_body_read_known(struct body_reader *r, struct body_place *at);
/* The rest of the body is what it was behind the last sample. */
bool scrape_body_tail_known(const struct body_reader *r, const struct body_place *at);

#endif
