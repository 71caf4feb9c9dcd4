/* Reading containers: the footer is checked when the file is opened, a page when it is first asked for. */
#include "disk/container.h"

#include <stdatomic.h>

#include "base/mem.h"
#include "codec/crc32c.h"
#include "codec/varint.h"
#include "disk/container_int.h"
#include "disk/file.h"
#include "disk/map_guard.h"

enum page_state {
    PAGE_UNKNOWN = 0,
    PAGE_GOOD,
    PAGE_BAD
};

struct page {
    struct container_page_at at;
    atomic_uchar state; /* enum page_state; relaxed: every thread finds the same */
};

struct section {
    struct str name; /* in the mapping */
    uint32_t page;
};

struct container {
    struct file_map map;
    char *path;
    uint32_t version;
    struct page *pages;
    uint32_t page_count;
    struct section *sections;
    uint32_t section_count;
};

static enum err corrupt(const struct container *c, const char *what, struct err_info *info)
{
    return err_set(info, ERR_CORRUPT, "%s: %s", c->path, what);
}

/* The footer's bytes, checked against its checksum. */
static enum err find_footer(const struct container *c, struct str kind, struct str *ret_footer,
                            struct err_info *info)
{
    struct str f = c->map.data;
    if (f.n < CONTAINER_HEAD_BYTES + CONTAINER_TAIL_BYTES) {
        return corrupt(c, "too short for a container", info);
    }
    const char *tail = f.p + f.n - CONTAINER_TAIL_BYTES;
    if (memcmp(f.p, CONTAINER_MAGIC, CONTAINER_MAGIC_BYTES) != 0 ||
        memcmp(tail + 8, CONTAINER_MAGIC, CONTAINER_MAGIC_BYTES) != 0) {
        return corrupt(c, "not a container, or cut off", info);
    }
    char has[CONTAINER_KIND_BYTES + 1] = {0}, wants[CONTAINER_KIND_BYTES + 1] = {0};
    memcpy(has, f.p + CONTAINER_MAGIC_BYTES, CONTAINER_KIND_BYTES);
    memcpy(wants, kind.p, kind.n < CONTAINER_KIND_BYTES ? kind.n : CONTAINER_KIND_BYTES);
    if (memcmp(has, wants, sizeof(has)) != 0) {
        return err_set(info, ERR_INVALID, "%s: holds another kind of content than \"%s\"", c->path, wants);
    }
    struct reader r = reader_of(str_of(tail, 8));
    uint32_t length = read_u32(&r), crc = read_u32(&r);
    if (length > f.n - CONTAINER_HEAD_BYTES - CONTAINER_TAIL_BYTES) {
        return corrupt(c, "the footer's length is wrong", info);
    }
    *ret_footer = str_of(tail - length, length);
    return crc32c(0, ret_footer->p, length) == crc ? ERR_OK : corrupt(c, "the footer is damaged", info);
}

static enum err read_pages(struct container *c, struct reader *r, uint64_t end, struct err_info *info)
{
    uint64_t n = read_varint(r), at = CONTAINER_HEAD_BYTES;
    if (r->bad || n > CONTAINER_PAGES_MAX || n > reader_left(r) / 6) {
        return corrupt(c, "the page table is wrong", info);
    }
    c->pages = mem_zarray((size_t)n, sizeof(*c->pages));
    if (!c->pages) {
        return err_set(info, ERR_OOM, "no memory to open %s", c->path);
    }
    c->page_count = (uint32_t)n;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t skip = read_varint(r), length = read_varint(r);
        uint32_t crc = read_u32(r);
        if (r->bad || skip >= CONTAINER_ALIGN || length > UINT32_MAX || skip + length > end - at) {
            return corrupt(c, "the page table is wrong", info);
        }
        c->pages[i].at = (struct container_page_at){at + skip, (uint32_t)length, crc};
        at += skip + length;
    }
    return ERR_OK;
}

static enum err read_sections(struct container *c, struct reader *r, struct err_info *info)
{
    uint64_t n = read_varint(r);
    if (r->bad || n > c->page_count || n > reader_left(r) / 2) {
        return corrupt(c, "the section table is wrong", info);
    }
    c->sections = mem_zarray((size_t)n, sizeof(*c->sections));
    if (!c->sections) {
        return err_set(info, ERR_OOM, "no memory to open %s", c->path);
    }
    for (; c->section_count < n; c->section_count++) {
        struct str name = read_str(r);
        uint64_t page = read_varint(r);
        if (r->bad || page >= c->page_count) {
            return corrupt(c, "the section table is wrong", info);
        }
        c->sections[c->section_count] = (struct section){name, (uint32_t)page};
    }
    return reader_left(r) == 0 ? ERR_OK : corrupt(c, "the footer is too long", info);
}

static enum err read_footer(struct container *c, struct str kind, struct err_info *info)
{
    struct str footer = {0};
    enum err e = find_footer(c, kind, &footer, info);
    if (e) {
        return e;
    }
    struct reader r = reader_of(footer);
    uint64_t format = read_varint(&r), version = read_varint(&r);
    if (!r.bad && format != CONTAINER_VERSION) {
        return err_set(info, ERR_UNSUPPORTED, "%s: container version %llu; this program reads %d", c->path,
                       (unsigned long long)format, CONTAINER_VERSION);
    }
    c->version = (uint32_t)version;
    e = read_pages(c, &r, (uint64_t)(footer.p - c->map.data.p), info);
    return e ? e : read_sections(c, &r, info);
}

enum err container_open(const char *path, struct str kind, struct container **ret_c,
                        struct err_info *reterr_info)
{
    struct container *c = mem_zalloc(sizeof(*c));
    if (c && !(c->path = mem_dup(path, strlen(path)))) {
        mem_free(c);
        c = NULL;
    }
    if (!c) {
        return err_set(reterr_info, ERR_OOM, "no memory to open %s", path);
    }
    enum err e = file_map(path, &c->map, reterr_info);
    e = e ? e : read_footer(c, kind, reterr_info);
    if (e) {
        container_close(c);
        return e;
    }
    *ret_c = c;
    return ERR_OK;
}

void container_close(struct container *c)
{
    if (c) {
        file_unmap(&c->map);
        mem_free(c->pages);
        mem_free(c->sections);
        mem_free(c->path);
        mem_free(c);
    }
}

uint32_t container_version(const struct container *c)
{
    return c->version;
}

uint32_t container_page_count(const struct container *c)
{
    return c->page_count;
}

uint64_t container_bytes(const struct container *c)
{
    return c->map.data.n;
}

enum err container_page(struct container *c, uint32_t page, struct str *ret_bytes,
                        struct err_info *reterr_info)
{
    if (page >= c->page_count) {
        return err_set(reterr_info, ERR_NOT_FOUND, "%s: there is no page %u", c->path, page);
    }
    struct page *p = &c->pages[page];
    struct str bytes = str_of(c->map.data.p + p->at.offset, p->at.length);
    unsigned char state = atomic_load_explicit(&p->state, memory_order_relaxed);
    if (UNLIKELY(state == PAGE_UNKNOWN)) {
        state = crc32c(0, bytes.p, bytes.n) == p->at.crc ? PAGE_GOOD : PAGE_BAD;
        atomic_store_explicit(&p->state, state, memory_order_relaxed);
    }
    if (file_map_failed(&c->map)) {
        return err_set(reterr_info, ERR_CORRUPT, "%s: the disk does not give a part of it", c->path);
    }
    if (state == PAGE_BAD) {
        return err_set(reterr_info, ERR_CORRUPT, "%s: page %u at byte %llu is damaged", c->path, page,
                       (unsigned long long)p->at.offset);
    }
    *ret_bytes = bytes;
    return ERR_OK;
}

enum err container_section(struct container *c, struct str name, struct str *ret_bytes,
                           struct err_info *reterr_info)
{
    for (uint32_t i = 0; i < c->section_count; i++) {
        if (str_eq(c->sections[i].name, name)) {
            return container_page(c, c->sections[i].page, ret_bytes, reterr_info);
        }
    }
    return err_set(reterr_info, ERR_NOT_FOUND, "%s: there is no section %.*s", c->path, STR_FMT(name));
}

enum err container_verify(struct container *c, struct err_info *reterr_info)
{
    enum err e = ERR_OK;
    struct str unused;
    for (uint32_t i = 0; i < c->page_count && !e; i++) {
        e = container_page(c, i, &unused, reterr_info);
    }
    return e;
}
