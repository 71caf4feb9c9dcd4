/* Opening a block, and finding its chunks. */
#include "metrics/promtsdb/prom_block.h"

#include <stdio.h>

#include "base/mem.h"
#include "metrics/promtsdb/prom_read.h"

enum {
    SEGMENTS_MAX = 1 << 16 /* 32 TiB of chunks */
};

static enum err segment_check(struct str data, struct err_info *info)
{
    if (data.n < PROM_CHUNKS_HEADER_BYTES || prom_be32(data.p) != PROM_CHUNKS_MAGIC) {
        return err_set(info, ERR_CORRUPT, "the file of chunks is cut off or begins wrongly");
    }
    if ((uint8_t)data.p[4] != PROM_CHUNKS_VERSION) {
        return err_set(info, ERR_UNSUPPORTED, "the file of chunks has version %u; known is 1",
                       (unsigned)(uint8_t)data.p[4]);
    }
    return ERR_OK;
}

static enum err segment_open(struct prom_block *b, const char *path, struct err_info *info)
{
    struct file_map *maps = mem_realloc(b->segments, (b->segment_count + 1) * sizeof(*maps));
    if (!maps) {
        return err_set(info, ERR_OOM, "no memory to open a block");
    }
    b->segments = maps;
    enum err e = file_map(path, &maps[b->segment_count], info);
    if (e == ERR_OK) {
        struct str data = maps[b->segment_count++].data;
        b->bytes += data.n;
        e = segment_check(data, info);
    }
    if (e != ERR_OK) {
        err_in_file(info, path);
    }
    return e;
}

/* Files are numbered from 1 without gaps; a chunk's reference has the number less one. */
static enum err segments_open(struct prom_block *b, const char *dir, struct err_info *info)
{
    char path[4096];
    enum err e = ERR_OK;
    for (unsigned i = 1; e == ERR_OK && i <= SEGMENTS_MAX; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s/%06u", dir, PROM_CHUNKS_DIR, i);
        if (!file_exists(path)) {
            break;
        }
        e = segment_open(b, path, info);
    }
    return e;
}

static enum err stones_open(struct prom_block *b, const char *dir, struct err_info *info)
{
    char path[4096];
    struct file_map map = {0};
    (void)snprintf(path, sizeof(path), "%s/%s", dir, PROM_TOMBSTONES_FILE);
    if (!file_exists(path)) {
        return ERR_OK;
    }
    enum err e = file_map(path, &map, info);
    e = e == ERR_OK ? prom_stones_parse(map.data, &b->stones, info) : e;
    if (e != ERR_OK) {
        err_in_file(info, path);
    }
    file_unmap(&map);
    return e;
}

static enum err parts_open(struct prom_block *b, const char *dir, struct err_info *info)
{
    char path[4096];
    enum err e = prom_meta_read(dir, &b->meta, info);
    if (e != ERR_OK) {
        return e;
    }
    (void)snprintf(path, sizeof(path), "%s/%s", dir, PROM_INDEX_FILE);
    e = prom_index_open(path, &b->index, info);
    if (e != ERR_OK) {
        err_in_file(info, path);
        return e;
    }
    b->bytes += b->index.data.n;
    e = segments_open(b, dir, info);
    return e == ERR_OK ? stones_open(b, dir, info) : e;
}

enum err prom_block_open(const char *block_dir, struct prom_block **ret_b, struct err_info *info)
{
    struct prom_block *b = mem_zalloc(sizeof(*b));
    if (!b || strlen(block_dir) > 4000) {
        mem_free(b);
        return err_set(info, b ? ERR_LIMIT : ERR_OOM, "cannot open the block in %.200s", block_dir);
    }
    atomic_init(&b->refs, 1);
    enum err e = parts_open(b, block_dir, info);
    if (e != ERR_OK) {
        prom_block_unref(b);
        return e;
    }
    *ret_b = b;
    return ERR_OK;
}

struct prom_block *prom_block_ref(struct prom_block *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void prom_block_unref(struct prom_block *b)
{
    /* acq_rel: the last owner sees what the others wrote. */
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < b->segment_count; i++) {
        file_unmap(&b->segments[i]);
    }
    mem_free(b->segments);
    prom_stones_done(&b->stones);
    prom_index_done(&b->index);
    prom_meta_done(&b->meta);
    mem_free(b);
}

enum err prom_block_chunk(const struct prom_block *b, uint64_t ref, unsigned *ret_encoding,
                          struct str *ret_data)
{
    uint64_t segment = ref >> 32, offset = ref & UINT32_MAX;
    if (segment >= b->segment_count) {
        return ERR_CORRUPT;
    }
    struct reader r = reader_from(b->segments[segment].data, offset);
    uint64_t n = read_varint(&r);
    if (r.bad || n >= reader_left(&r)) {
        return ERR_CORRUPT;
    }
    struct str body = read_checked(&r, (size_t)n + 1); /* the encoding and the data */
    if (r.bad) {
        return ERR_CORRUPT;
    }
    *ret_encoding = (uint8_t)body.p[0];
    *ret_data = str_slice(body, 1, body.n);
    return ERR_OK;
}
