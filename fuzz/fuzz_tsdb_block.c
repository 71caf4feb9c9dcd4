/* DEPS metrics/tsdb metrics/model query disk codec labels base */
/* Block files on hostile bytes. The input is a file as it is, or (first byte odd) the index and pages of a
 * section in a file whose checksums are right, so that what lies behind them is reached. */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "codec/crc32c.h"
#include "metrics/tsdb/chunk.h"
#include "metrics/tsdb/section.h"
#include "metrics/tsdb/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_file(struct buf *b, const uint8_t *data, size_t size)
{
    struct buf footer AUTO_BUF = {0};
    size_t index = size < 3 ? 0 : ((size_t)data[1] << 8 | data[2]) % (size - 2);
    buf_append(b, BLOCK_MAGIC, BLOCK_MAGIC_BYTES);
    buf_append(b, data + 3, size < 3 ? 0 : size - 3);
    index = size < 3 ? 0 : index > size - 3 ? size - 3 : index;
    write_u8(&footer, BLOCK_VERSION);
    write_zigzag(&footer, 0);
    write_zigzag(&footer, 1000);
    write_varint(&footer, 1);
    write_varint(&footer, 1);
    write_str(&footer, STR("t"));
    write_varint(&footer, 0);
    size_t pages = size < 3 ? 0 : size - 3 - index;
    write_varint(&footer, BLOCK_MAGIC_BYTES);
    write_varint(&footer, pages);
    write_varint(&footer, index);
    write_u32(&footer, crc32c(0, b->p + BLOCK_MAGIC_BYTES + pages, index));
    write_zigzag(&footer, 0);
    write_zigzag(&footer, 1000);
    write_varint(&footer, 1);
    buf_append(b, footer.p, footer.n);
    write_u32(b, (uint32_t)footer.n);
    write_u32(b, crc32c(0, footer.p, footer.n));
    buf_append(b, BLOCK_MAGIC, BLOCK_MAGIC_BYTES);
}

static void read_chunk(const struct section_chunk *c, struct arena *a)
{
    uint64_t bits[BLOCK_CHUNK_SAMPLES];
    int64_t ts[BLOCK_CHUNK_SAMPLES];
    ASSERT(c->count <= BLOCK_CHUNK_SAMPLES);
    struct rich_columns out = {.bits = bits};
    enum err e = c->mode == CHUNK_RICH
                     ? rich_read(c->values, c->count, a, &out)
                     : values_decode(c->mode, (const uint8_t *)c->values.p, c->values.n, c->count, bits);
    (void)e;
    if (c->column == UINT32_MAX) {
        e = times_decode((const uint8_t *)c->times.p, c->times.n, c->min_ts, c->count, ts);
    }
}

static void read_section(struct block *b, struct block_section *sec)
{
    struct arena a AUTO_ARENA;
    struct section_reader s;
    struct labels ls;
    uint64_t chunks = 0;
    arena_init(&a, (size_t)64 << 20, NULL);
    struct matcher m = {.op = MATCH_NEQ, .name = STR("__name__"), .value = STR("x")};
    enum err e = section_open(&s, b, sec, &a);
    e = e == ERR_OK ? section_select(&s, &m, 1) : e;
    while (e == ERR_OK && (e = section_series_next(&s, &a, &ls, &chunks)) == ERR_OK) {
        for (uint64_t i = 0; e == ERR_OK && i < chunks; i++) {
            struct section_chunk c;
            e = section_chunk_next(&s, &c);
            if (e == ERR_OK) {
                (void)section_chunk_good(&s);
                read_chunk(&c, &a);
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf file AUTO_BUF = {0};
    struct block *b = NULL;
    char path[64];
    if (size && data[0] % 2) {
        put_file(&file, data, size);
    } else {
        buf_append(&file, data, size);
    }
    int fd = memfd_create("block", 0);
    ASSERT(fd >= 0 && file.err == ERR_OK && write(fd, file.p ? file.p : "", file.n) == (ssize_t)file.n);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (block_open(path, "block", &b, NULL) == ERR_OK) {
        for (size_t i = 0; i < b->section_count; i++) {
            read_section(b, &b->sections[i]);
        }
        block_unref(b);
    }
    close(fd);
    return 0;
}
