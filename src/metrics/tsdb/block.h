/* Immutable block files: samples of a span of time, all tenants and partitions.
 *
 *   file    = magic, section*, footer, footer length u32, footer CRC32C u32, magic
 *   section = index, page*                          one for each tenant and partition that has samples
 *   index   = symbols, columns, schemas, pages, series (see block_write.c)
 *   footer  = version, min and max time, samples, section table
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

#define BLOCK_MAGIC "CAIRNTB1"

enum {
    BLOCK_MAGIC_BYTES = 8,
    BLOCK_VERSION = 1,
    BLOCK_TAIL_BYTES = 16,
    BLOCK_PAGE_BYTES = 64 << 10,   /* a page is closed when it reaches this */
    BLOCK_CHUNK_SAMPLES = 480,     /* two hours at 15 s */
    BLOCK_HISTOGRAM_SAMPLES = 120, /* of a series with histograms */
    BLOCK_COLUMN_TICKS_MAX = 1 << 22,
    BLOCK_NAME_BYTES = 64
};

struct block_section {
    struct str tenant; /* in the mapping */
    unsigned partition;
    uint64_t offset, index_bytes;
    uint32_t index_crc;
    ts_ms min_ts, max_ts;
    uint64_t series;
    atomic_uchar checked; /* 0 unknown, 1 index CRC good, 2 bad */
};

struct block {
    atomic_uint refs;
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
