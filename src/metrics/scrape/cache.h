/* What a target exposed before: each series as it was written, its reference in the store, and when it was
 * last seen. The page lists them as the last body that was read did: a body that begins as the one before is
 * read by comparing, and only values are parsed (body.c).
 *
 * While a body is as the page, its series are not marked as seen one by one: they are when it turns out to
 * differ (scrape_cache_settle). After scrapes that differed the series are put side by side in the order of
 * the page, so that comparing goes through memory once, forwards.
 *
 * Label sets are not kept: they are made again from the text in the rare case that the store has forgotten
 * the reference. One owner at a time: the scrape that runs. */
#ifndef CAIRN_METRICS_SCRAPE_CACHE_H
#define CAIRN_METRICS_SCRAPE_CACHE_H

#include "base/str.h"
#include "metrics/model/sink.h"

enum cached_flags {
    CACHED_DROPPED = 1 << 0,  /* by metric_relabel_configs */
    CACHED_TRACKED = 1 << 1,  /* goes stale when it is missing */
    CACHED_LE = 1 << 2,       /* le was normalised */
    CACHED_QUANTILE = 1 << 3, /* quantile was */
    CACHED_COUNTED = 1 << 4,  /* as a series that a scrape added */
    CACHED_UNSENT = 1 << 5,   /* its last sample was beyond a limit */
    CACHED_JUST = 1 << 6      /* counted by this scrape, with a timestamp of its own */
};

struct cached_series {
    uint64_t text_hash, labels_hash;
    series_ref ref;
    uint32_t text_size;
    uint32_t seen, before; /* number of the last scrape with it, and of the one before; 0 = none */
    uint32_t place;        /* in the page, a hint */
    uint8_t flags;
    char text[];
};

/* The bytes between the line of the sample before (or the begin) and a series: comments, mostly none. */
struct scrape_gap {
    uint64_t hash;
    uint32_t bytes;
    uint16_t lines;
    uint8_t flags; /* of the series that follow: CACHED_LE, CACHED_QUANTILE, or SCRAPE_GAP_NO_TYPE */
};

enum {
    SCRAPE_GAP_NO_TYPE = 0xff
};

struct page_entry {
    struct cached_series *series;
    struct scrape_gap gap;
    bool again; /* it stands above, too */
};

struct scrape_page {
    struct page_entry *entries;
    size_t count, cap;
    struct scrape_gap tail; /* behind the last sample */
};

struct scrape_cache {
    struct cached_series **slots;
    size_t count, cap;  /* cap 0 or a power of two */
    uint32_t scrape;    /* number of the running scrape, from 1 */
    uint32_t settled;   /* the last scrape in which series were marked one by one */
    uint32_t page_seen; /* the last scrape that had all series of the page; they may not be marked */
    uint32_t page_seen_before;
    uint32_t page_of;         /* enum exposition_format, plus 1 */
    struct scrape_page page;  /* of the last scrape that was read whole */
    struct scrape_page fresh; /* of this one, from where it differs; before that it is as the page */
    size_t next;              /* place in the page of what comes next, when it comes as before */
    bool differs;
    bool fresh_broken;     /* there was no memory for it */
    bool comments_due;     /* a scrape that failed may have told other comments than the page has */
    uint32_t page_reads;   /* scrapes that differed */
    uint32_t page_repeats; /* scrapes since that did not */
    char *packed;          /* series side by side; others are on the heap one by one */
    size_t packed_bytes, packed_count; /* all there is room for; series in it that live */
};

void scrape_cache_done(struct scrape_cache *c);
/* A new scrape. */
void scrape_cache_begin(struct scrape_cache *c);
/* What is likely to come next, or NULL. */
static inline struct cached_series *scrape_cache_expected(const struct scrape_cache *c)
{
    return c->next < c->page.count ? c->page.entries[c->next].series : NULL;
}
/* From now on the series of this scrape are marked one by one. */
void scrape_cache_settle(struct scrape_cache *c);
/* A sample of `s` came after that gap, not for the first time if `again`: the page learns it. Once settled.
 */
void scrape_cache_came(struct scrape_cache *c, struct cached_series *s, struct scrape_gap gap, bool again);
/* The body was read to its end; `format` is an enum exposition_format. */
void scrape_cache_read(struct scrape_cache *c, struct scrape_gap tail, unsigned format);
/* The body had the series of the page in its order, with the same comments: nothing vanished, and nothing is
 * new. Holds from scrape_cache_read on. */
static inline bool scrape_cache_unchanged(const struct scrape_cache *c)
{
    return !c->differs && c->page.count && c->next == c->page.count;
}
/* NULL when it is not known. */
struct cached_series *scrape_cache_find(struct scrape_cache *c, struct str text);
/* Errors: OOM. */
MUST_USE enum err scrape_cache_add(struct scrape_cache *c, struct str text,
                                   struct cached_series **ret_series);
/* Marks it as seen by this scrape; false when it was already. Once settled. */
bool scrape_cache_see(struct scrape_cache *c, struct cached_series *s);
/* A scrape that failed: it saw what it had sent before, which is not stale yet, as in Prometheus. */
void scrape_cache_rollback(struct scrape_cache *c);
/* Forgets what this scrape did not see; for scrapes that succeeded. Series may move. */
void scrape_cache_trim(struct scrape_cache *c);
/* Iteration over all; NULL at the end. *pos starts at 0. */
struct cached_series *scrape_cache_next(const struct scrape_cache *c, size_t *pos);

#endif
