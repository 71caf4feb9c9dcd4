/* Immutable block files: samples of a span of time, all tenants and partitions.
 *
 *   file    = magic, section*, footer, footer length u32, footer CRC32C u32, magic
 *   section = page*, index                          one for each tenant and partition that has samples
 *   index   = header, symbols, columns, schemas, pages, postings, series (section_write.c)
 *   footer  = version, min and max time, samples, section table
 *
 * docs/formats/metrics-block.md has every byte of it.
 *
 * A file is written under a temporary name, synced and renamed; the manifest makes it part of the store.
 * Index and pages have a CRC32C each, checked when they are read. Readers map the file. */
#ifndef CAIRN_METRICS_TSDB_BLOCK_H
#define CAIRN_METRICS_TSDB_BLOCK_H

#include <stdatomic.h>

#include "base/buf.h"
#include "codec/varint.h"
#include "disk/file.h"
#include "query/metric_source.h"

#define BLOCK_MAGIC "CAIRNTB2"

enum {
    BLOCK_MAGIC_BYTES = 8,
    BLOCK_VERSION = 2,
    BLOCK_TAIL_BYTES = 16,
    BLOCK_PAGE_BYTES = 64 << 10,   /* a page is closed when it reaches this */
    BLOCK_CHUNK_SAMPLES = 480,     /* two hours at 15 s */
    BLOCK_HISTOGRAM_SAMPLES = 120, /* of a series with histograms */
    BLOCK_COLUMN_TICKS_MAX = 1 << 22,
    BLOCK_NAME_BYTES = 64
};

enum {
    SECTION_HEADER_BYTES = 44,
    SECTION_RESTART = 16 /* the place of every 16th series is known, the rest is skipped to */
};

/* The first byte of a chunk's entry. */
enum section_flags {
    SECTION_MODE_MASK = 7, /* enum values_mode, or */
    SECTION_MODE_RICH = 7,
    SECTION_OWN_TIMES = 8,
    SECTION_SAME_COLUMN = 16,   /* as the chunk before in the series */
    SECTION_NEXT_TICK = 32,     /* begins where that ended, or at the column's first tick */
    SECTION_NATURAL_COUNT = 64, /* BLOCK_CHUNK_SAMPLES, or what is left of the column */
    SECTION_NEXT_PAGE = 128     /* its data begin the page after that of the chunk before */
};

struct block_section {
    struct str tenant; /* in the mapping */
    unsigned partition;
    uint64_t data_offset, data_bytes; /* pages */
    uint64_t offset, index_bytes;
    uint32_t index_crc;
    ts_ms min_ts, max_ts;
    uint64_t series;
    atomic_bool told;                    /* that something of it is damaged; relaxed */
    atomic_uchar checked;                /* 0 unknown, 1 index CRC good, 2 bad */
    atomic_uchar *_Atomic pages_checked; /* the same of every page; made when first needed */
};

struct block {
    atomic_uint refs;
    atomic_bool damaged; /* a part of it was found to be; relaxed: merging leaves it alone soon enough */
    char name[BLOCK_NAME_BYTES];
    struct file_map map;
    ts_ms min_ts, max_ts;
    uint64_t samples, bytes;
    struct block_section *sections;
    size_t section_count;
};

/* Errors: CORRUPT, IO, NOT_FOUND, OOM. */
MUST_USE enum err block_open(const char *path, const char *name, struct block **ret_b, struct err_info *info);
struct block *block_ref(struct block *b);
void block_unref(struct block *b); /* accepts NULL */
/* The section, or NULL. */
struct block_section *block_section_of(struct block *b, struct str tenant, unsigned partition);

struct block_writer {
    int fd;
    uint64_t at;
    struct buf footer; /* section table */
    uint64_t sections, samples;
    ts_ms min_ts, max_ts;
    struct str tenant; /* of the present section; the caller's */
    unsigned partition;
    struct section_writer *section;
};

/* A writer to path, which must not exist. */
MUST_USE enum err block_writer_begin(struct block_writer *w, const char *path, struct err_info *info);
MUST_USE enum err block_section_begin(struct block_writer *w, struct str tenant, unsigned partition,
                                      struct err_info *info);
/* The samples of the batch with from <= t <= to. */
MUST_USE enum err block_section_add(struct block_writer *w, const struct metric_batch *b, ts_ms from,
                                    ts_ms to, struct err_info *info);
MUST_USE enum err block_section_end(struct block_writer *w, struct err_info *info);
/* Footer, sync and close. */
MUST_USE enum err block_writer_finish(struct block_writer *w, struct err_info *info);
/* Releases everything, also after an error. */
void block_writer_done(struct block_writer *w);

#endif
