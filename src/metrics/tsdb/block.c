/* Opening blocks. */
#include "metrics/tsdb/block.h"

#include <stdio.h>

#include "base/mem.h"
#include "codec/crc32c.h"
#include "metrics/tsdb/limits.h"

struct block *block_ref(struct block *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void block_unref(struct block *b)
{
    /* acq_rel: the last owner sees what the others wrote. */
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) {
        file_unmap(&b->map);
        for (size_t i = 0; i < b->section_count; i++) {
            mem_free(atomic_load_explicit(&b->sections[i].pages_checked, memory_order_relaxed));
        }
        mem_free(b->sections);
        mem_free(b);
    }
}

static enum err section_read(struct reader *r, uint64_t end, struct block_section *s)
{
    s->tenant = read_str(r);
    s->partition = (unsigned)read_varint(r);
    s->data_offset = read_varint(r);
    s->data_bytes = read_varint(r);
    s->index_bytes = read_varint(r);
    s->index_crc = read_u32(r);
    s->min_ts = read_zigzag(r);
    s->max_ts = read_zigzag(r);
    s->series = read_varint(r);
    atomic_init(&s->checked, 0);
    bool inside = s->data_offset >= BLOCK_MAGIC_BYTES && s->data_offset <= end &&
                  s->data_bytes <= end - s->data_offset &&
                  s->index_bytes <= end - s->data_offset - s->data_bytes;
    s->offset = s->data_offset + s->data_bytes;
    atomic_init(&s->pages_checked, NULL);
    return r->bad || s->partition >= PARTITIONS || !inside ? ERR_CORRUPT : ERR_OK;
}

static enum err footer_read(struct block *b, struct str footer, uint64_t end)
{
    struct reader r = reader_of(footer);
    if (read_u8(&r) != BLOCK_VERSION) {
        return ERR_UNSUPPORTED;
    }
    b->min_ts = read_zigzag(&r);
    b->max_ts = read_zigzag(&r);
    b->samples = read_varint(&r);
    uint64_t n = read_varint(&r);
    if (r.bad || n > footer.n) {
        return ERR_CORRUPT;
    }
    b->sections = mem_zarray(n ? (size_t)n : 1, sizeof(*b->sections));
    if (!b->sections) {
        return ERR_OOM;
    }
    for (uint64_t i = 0; i < n; i++) {
        if (section_read(&r, end, &b->sections[i]) != ERR_OK) {
            return ERR_CORRUPT;
        }
    }
    b->section_count = (size_t)n;
    return ERR_OK;
}

static enum err block_parse(struct block *b)
{
    struct str d = b->map.data;
    b->bytes = d.n;
    if (d.n < BLOCK_MAGIC_BYTES + BLOCK_TAIL_BYTES || memcmp(d.p, BLOCK_MAGIC, BLOCK_MAGIC_BYTES) != 0 ||
        memcmp(d.p + d.n - BLOCK_MAGIC_BYTES, BLOCK_MAGIC, BLOCK_MAGIC_BYTES) != 0) {
        return ERR_CORRUPT;
    }
    struct reader r = reader_of(str_slice(d, d.n - BLOCK_TAIL_BYTES, d.n));
    uint32_t n = read_u32(&r), crc = read_u32(&r);
    if (n > d.n - BLOCK_MAGIC_BYTES - BLOCK_TAIL_BYTES) {
        return ERR_CORRUPT;
    }
    struct str footer = str_slice(d, d.n - BLOCK_TAIL_BYTES - n, d.n - BLOCK_TAIL_BYTES);
    if (crc32c(0, footer.p, footer.n) != crc) {
        return ERR_CORRUPT;
    }
    return footer_read(b, footer, d.n - BLOCK_TAIL_BYTES - n);
}

enum err block_open(const char *path, const char *name, struct block **ret_b, struct err_info *info)
{
    struct block *b = mem_zalloc(sizeof(*b));
    if (!b) {
        return err_set(info, ERR_OOM, "no memory to open block %s", path);
    }
    atomic_init(&b->refs, 1);
    (void)snprintf(b->name, sizeof(b->name), "%s", name);
    enum err e = file_map(path, &b->map, info);
    if (e == ERR_OK && (e = block_parse(b)) != ERR_OK) {
        (void)err_set(info, e, "block %s: %s", path,
                      e == ERR_UNSUPPORTED ? "written by a newer version" : err_text(e));
    }
    if (e != ERR_OK) {
        block_unref(b);
        return e;
    }
    *ret_b = b;
    return ERR_OK;
}

struct block_section *block_section_of(struct block *b, struct str tenant, unsigned partition)
{
    for (size_t i = 0; i < b->section_count; i++) {
        if (b->sections[i].partition == partition && str_eq(b->sections[i].tenant, tenant)) {
            return &b->sections[i];
        }
    }
    return NULL;
}
