/* Constants of Prometheus' files, as versions 2.0 to 3.14 write them. Integers of fixed width are big-endian,
 * varints are LEB128 with zigzag where signed, checksums are CRC32C.
 *
 *   DIR/ULID/meta.json, index, chunks/000001..., tombstones    a block
 *   DIR/chunks_head/000001...                                  full chunks of the head
 *   DIR/wal/00000000..., DIR/wal/checkpoint.00000007/00000000  what came since, as records
 *   DIR/wbl/00000000...                                        the same of samples out of order */
#ifndef CAIRN_METRICS_PROMTSDB_PROM_FORMAT_H
#define CAIRN_METRICS_PROMTSDB_PROM_FORMAT_H

#include <stdint.h>
#include <string.h>

#define PROM_META_FILE "meta.json"
#define PROM_INDEX_FILE "index"
#define PROM_CHUNKS_DIR "chunks"
#define PROM_TOMBSTONES_FILE "tombstones"
#define PROM_WAL_DIR "wal"
#define PROM_WBL_DIR "wbl"
#define PROM_HEAD_CHUNKS_DIR "chunks_head"
#define PROM_HINT_OUT_OF_ORDER "from-out-of-order"
#define PROM_HINT_STALE_SERIES "from-stale-series"
#define PROM_HINT_SELECTED_SERIES "from-selected-series"

enum {
    PROM_META_VERSION = 1,
    PROM_ULID_BYTES = 26,
    PROM_CRC_BYTES = 4
};

/* -- index ----------------------------------------------------------------------------------------------- */

#define PROM_INDEX_MAGIC UINT32_C(0xBAAAD700)

enum {
    PROM_INDEX_V1 = 1, /* ids of series and symbols are byte offsets; the postings table is not sorted */
    PROM_INDEX_V2 = 2, /* ids of series are offsets / 16, symbols are numbered */
    PROM_INDEX_V3 = 3, /* as 2 */
    PROM_INDEX_HEADER_BYTES = 5,
    PROM_INDEX_TOC_BYTES = 6 * 8 + PROM_CRC_BYTES, /* at the end */
    PROM_INDEX_SERIES_ALIGN = 16
};

/* Order of the offsets in the table of contents; 0 = absent. */
enum prom_index_toc {
    PROM_TOC_SYMBOLS = 0,
    PROM_TOC_SERIES,
    PROM_TOC_LABEL_INDICES,
    PROM_TOC_LABEL_INDICES_TABLE,
    PROM_TOC_POSTINGS,
    PROM_TOC_POSTINGS_TABLE,
    PROM_TOC_ENTRIES
};

/* -- chunks ---------------------------------------------------------------------------------------------- */

#define PROM_CHUNKS_MAGIC UINT32_C(0x85BD40DD)
#define PROM_HEAD_CHUNKS_MAGIC UINT32_C(0x0130BC91)
#define PROM_TOMBSTONES_MAGIC UINT32_C(0x0130BA30)

enum {
    PROM_CHUNKS_VERSION = 1,
    PROM_CHUNKS_HEADER_BYTES = 8, /* magic, version, three zeros; of head chunk files too */
    PROM_CHUNKS_FILE_BYTES_MAX = 512 << 20,
    PROM_TOMBSTONES_VERSION = 1
};

/* The encoding byte of a chunk (codec/prom_chunk.h names the first three too). */
enum prom_encoding {
    PROM_ENC_XOR = 1,
    PROM_ENC_HISTOGRAM,
    PROM_ENC_FLOAT_HISTOGRAM,
    PROM_ENC_XOR2,               /* may carry start timestamps */
    PROM_ENC_HISTOGRAM_ST,       /* with start timestamps */
    PROM_ENC_FLOAT_HISTOGRAM_ST, /* with start timestamps */
    PROM_ENC_OUT_OF_ORDER = 0x80 /* bit in head chunk files */
};

/* Top two bits of a histogram chunk's flags. */
enum prom_counter_reset {
    PROM_RESET_UNKNOWN = 0x00,
    PROM_RESET_NO = 0x40,
    PROM_RESET_YES = 0x80,
    PROM_RESET_GAUGE = 0xc0,
    PROM_RESET_MASK = 0xc0
};

/* -- write-ahead log ------------------------------------------------------------------------------------- */

enum {
    PROM_WAL_PAGE_BYTES = 32 << 10,
    PROM_WAL_HEADER_BYTES = 7, /* type, length BE16, CRC BE32 */
    PROM_WAL_TYPE_MASK = 7,
    PROM_WAL_SNAPPY = 8, /* bits of the type byte: how the whole record is compressed */
    PROM_WAL_ZSTD = 16
};

enum prom_wal_fragment {
    PROM_WAL_PAGE_END = 0,
    PROM_WAL_FULL,
    PROM_WAL_FIRST,
    PROM_WAL_MIDDLE,
    PROM_WAL_LAST
};

enum prom_record {
    PROM_REC_SERIES = 1,
    PROM_REC_SAMPLES,
    PROM_REC_TOMBSTONES,
    PROM_REC_EXEMPLARS,
    PROM_REC_MMAP_MARKERS,
    PROM_REC_METADATA,
    PROM_REC_HISTOGRAMS,
    PROM_REC_FLOAT_HISTOGRAMS,
    PROM_REC_CUSTOM_HISTOGRAMS,
    PROM_REC_CUSTOM_FLOAT_HISTOGRAMS,
    PROM_REC_SAMPLES_V2,         /* with start timestamps */
    PROM_REC_HISTOGRAMS_V2,      /* with start timestamps, any schema */
    PROM_REC_FLOAT_HISTOGRAMS_V2 /* with start timestamps, any schema */
};

static inline uint32_t prom_be32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return __builtin_bswap32(v);
}

static inline uint64_t prom_be64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return __builtin_bswap64(v);
}

static inline uint16_t prom_be16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return __builtin_bswap16(v);
}

#endif
