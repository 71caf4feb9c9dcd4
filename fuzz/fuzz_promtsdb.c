/* DEPS metrics/promtsdb metrics/model query disk codec labels base */
/* Prometheus' files on hostile bytes. The first byte chooses what the rest is: an index, a chunk of one of
 * the encodings, a record or segment of the log, a file of head chunks, tombstones, meta.json. */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "codec/crc32c.h"
#include "metrics/model/histogram_ops.h"
#include "metrics/promtsdb/prom_block.h"
#include "metrics/promtsdb/prom_head_chunks.h"
#include "metrics/promtsdb/prom_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MEMORY_MAX = 64 << 20
};

static void read_chunk(unsigned encoding, struct str data)
{
    struct arena a AUTO_ARENA;
    struct prom_samples s;
    arena_init(&a, MEMORY_MAX, NULL);
    if (prom_chunk_decode(encoding, data, &a, &s) == ERR_OK) {
        for (size_t i = 0; i < s.n; i++) {
            ASSERT(i == 0 || s.ts[i] > s.ts[i - 1]);
            if (s.histograms && s.histograms[i]) {
                (void)histogram_copy_bytes(s.histograms[i]);
            }
        }
    }
}

/* The checksum of a section that begins at `offset`, set right, so that what lies behind it is reached. */
static void section_mend(char *p, size_t n, size_t offset)
{
    if (n < 8 || offset > n - 8) {
        return;
    }
    size_t length = prom_be32(p + offset);
    if (length > n - 8 - offset) {
        return;
    }
    uint32_t crc = __builtin_bswap32(crc32c(0, p + offset + 4, length));
    memcpy(p + offset + 4 + length, &crc, sizeof(crc));
}

static void index_mend(char *p, size_t n)
{
    if (n < PROM_INDEX_HEADER_BYTES + PROM_INDEX_TOC_BYTES) {
        return;
    }
    char *toc = p + n - PROM_INDEX_TOC_BYTES;
    section_mend(p, n, (size_t)prom_be64(toc + (ptrdiff_t)8 * PROM_TOC_SYMBOLS));
    section_mend(p, n, (size_t)prom_be64(toc + (ptrdiff_t)8 * PROM_TOC_POSTINGS_TABLE));
    uint32_t crc = __builtin_bswap32(crc32c(0, toc, PROM_INDEX_TOC_BYTES - PROM_CRC_BYTES));
    memcpy(p + n - PROM_CRC_BYTES, &crc, sizeof(crc));
}

static void walk_index(const struct prom_index *ix)
{
    struct arena a AUTO_ARENA;
    struct prom_ids ids = {0};
    struct matcher m = {.op = MATCH_NEQ, .name = STR("job"), .value = STR("x")};
    arena_init(&a, MEMORY_MAX, NULL);
    for (size_t i = 0; i < ix->name_count; i++) {
        struct prom_values v = prom_values_of(ix, &ix->names[i]);
        while (prom_values_next(&v)) {
            struct prom_postings p;
            (void)(prom_index_postings(ix, v.postings, &p) == ERR_OK && prom_postings_meet(&p, &ids));
        }
    }
    if (prom_index_select(ix, &m, 1, &a, &ids) == ERR_OK) {
        for (size_t i = 0; i < ids.n; i++) {
            struct prom_series s;
            (void)(prom_index_series(ix, ids.ids[i], &a, &s) == ERR_OK);
        }
    }
}

static void read_index(const uint8_t *data, size_t size, bool mend)
{
    struct prom_index ix;
    char *copy = malloc(size + 1);
    ASSERT(copy);
    memcpy(copy, data, size);
    if (mend) {
        index_mend(copy, size);
    }
    if (prom_index_parse(str_of(copy, size), &ix, NULL) == ERR_OK) {
        walk_index(&ix);
        prom_index_done(&ix);
    }
    free(copy);
}

static enum err sample(void *ctx, const struct prom_log_sample *s)
{
    *(uint64_t *)ctx += s->ref + (s->h ? histogram_copy_bytes(s->h) : 0);
    return ERR_OK;
}

static enum err series(void *ctx, uint64_t ref, struct labels ls)
{
    *(uint64_t *)ctx += ref + labels_hash(ls);
    return ERR_OK;
}

static enum err head_chunk(void *ctx, const struct prom_head_chunk *c)
{
    (void)ctx;
    read_chunk(c->encoding, c->data);
    return ERR_OK;
}

static void read_record(struct str data)
{
    struct arena a AUTO_ARENA;
    uint64_t sum = 0;
    struct prom_log_visitor v = {.series = series, .sample = sample, .ctx = &sum};
    arena_init(&a, MEMORY_MAX, NULL);
    (void)(prom_record_read(data, &a, &v) == ERR_OK);
}

static void read_segment(struct str data)
{
    uint64_t sum = 0;
    struct prom_log_visitor v = {.series = series, .sample = sample, .ctx = &sum};
    struct prom_log_report report = {0};
    (void)(prom_segment_read(data, true, "segment", &v, &report) == ERR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = size ? str_of((const char *)data + 1, size - 1) : STR("");
    struct prom_head_report report = {0};
    struct prom_stones stones = {0};
    struct prom_meta meta = {0};
    unsigned what = size ? data[0] % 13 : 0;
    switch (what) {
    case 0:
    case 1:
        read_index((const uint8_t *)rest.p, rest.n, what == 1);
        break;
    case 2:
        read_record(rest);
        break;
    case 3:
        read_segment(rest);
        break;
    case 4:
        (void)(prom_head_file_read(rest, rest.n & 1, "file", head_chunk, NULL, &report) == ERR_OK);
        break;
    case 5:
        if (prom_stones_parse(rest, &stones, NULL) == ERR_OK) {
            prom_stones_done(&stones);
        }
        break;
    case 6:
        if (prom_meta_parse(rest, &meta, NULL) == ERR_OK) {
            prom_meta_done(&meta);
        }
        break;
    default:
        read_chunk(what - 6, rest);
        break;
    }
    return 0;
}
