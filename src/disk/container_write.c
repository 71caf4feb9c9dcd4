/* Writing containers: pages through one buffer, the footer last, the name only when all is synced. */
#include <stdio.h>

#include "base/mem.h"
#include "codec/crc32c.h"
#include "codec/varint.h"
#include "disk/container.h"
#include "disk/container_int.h"
#include "disk/file.h"

enum {
    WRITE_BYTES = 256 << 10 /* smaller pages are collected up to this */
};

struct written_section {
    struct str name; /* owned */
    uint32_t page;
};

struct container_writer {
    char *path, *temporary;
    int fd;
    uint32_t version;
    uint64_t end; /* file offset behind `out` */
    struct buf out;
    struct container_page_at *pages;
    size_t page_count, page_cap;
    struct written_section *sections;
    size_t section_count, section_cap;
};

static void writer_free(struct container_writer *w)
{
    file_close(w->fd);
    for (size_t i = 0; i < w->section_count; i++) {
        mem_free((void *)(uintptr_t)w->sections[i].name.p);
    }
    mem_free(w->sections);
    mem_free(w->pages);
    buf_done(&w->out);
    mem_free(w->path);
    mem_free(w->temporary);
    mem_free(w);
}

void container_abort(struct container_writer *w)
{
    if (w) {
        bool begun = w->fd >= 0;
        if (begun) {
            (void)!file_remove(w->temporary, NULL);
        }
        writer_free(w);
    }
}

enum err container_create(const char *path, struct str kind, uint32_t version,
                          struct container_writer **ret_w, struct err_info *reterr_info)
{
    if (kind.n == 0 || kind.n > CONTAINER_KIND_BYTES) {
        return err_set(reterr_info, ERR_INVALID, "a container's kind has 1 to 8 bytes");
    }
    struct container_writer *w = mem_zalloc(sizeof(*w));
    if (!w) {
        return err_set(reterr_info, ERR_OOM, "no memory to write %s", path);
    }
    w->fd = -1;
    w->version = version;
    struct buf name AUTO_BUF = {0};
    buf_printf(&name, "%s.tmp", path);
    size_t unused;
    w->temporary = buf_take(&name, &unused);
    w->path = mem_dup(path, strlen(path));
    char head[CONTAINER_HEAD_BYTES] = {0};
    memcpy(head, CONTAINER_MAGIC, CONTAINER_MAGIC_BYTES);
    memcpy(head + CONTAINER_MAGIC_BYTES, kind.p, kind.n);
    buf_append(&w->out, head, sizeof(head));
    enum err e = ERR_OK;
    if (!w->temporary || !w->path || w->out.err) {
        e = err_set(reterr_info, ERR_OOM, "no memory to write %s", path);
    }
    e = e ? e : file_remove(w->temporary, reterr_info);
    e = e ? e : file_open(w->temporary, FILE_WRITE_NEW, &w->fd, reterr_info);
    if (e) {
        writer_free(w);
        return e;
    }
    w->end = sizeof(head);
    *ret_w = w;
    return ERR_OK;
}

static enum err flush_out(struct container_writer *w, struct err_info *info)
{
    enum err e = file_write(w->fd, w->out.p, w->out.n, info);
    buf_reset(&w->out);
    return e;
}

enum err container_add_page(struct container_writer *w, struct str bytes, uint32_t *ret_page,
                            struct err_info *reterr_info)
{
    static const char zeros[CONTAINER_ALIGN] = {0};
    if (bytes.n > UINT32_MAX || w->page_count >= CONTAINER_PAGES_MAX) {
        return err_set(reterr_info, ERR_LIMIT, "%s: a page is too large or there are too many", w->path);
    }
    size_t pad = (CONTAINER_ALIGN - w->end % CONTAINER_ALIGN) % CONTAINER_ALIGN;
    enum err e = vec_reserve((void **)&w->pages, &w->page_cap, w->page_count + 1, sizeof(*w->pages));
    if (e) {
        return err_set(reterr_info, e, "no memory to write %s", w->path);
    }
    buf_append(&w->out, zeros, pad);
    if (w->out.n + bytes.n > WRITE_BYTES) {
        e = w->out.err ? w->out.err : flush_out(w, reterr_info);
    }
    if (!e && bytes.n > WRITE_BYTES) {
        e = file_write(w->fd, bytes.p, bytes.n, reterr_info);
    } else if (!e) {
        buf_str(&w->out, bytes);
        e = w->out.err;
    }
    if (e) {
        return e;
    }
    w->pages[w->page_count] =
        (struct container_page_at){w->end + pad, (uint32_t)bytes.n, crc32c(0, bytes.p, bytes.n)};
    w->end += pad + bytes.n;
    if (ret_page) {
        *ret_page = (uint32_t)w->page_count;
    }
    w->page_count++;
    return ERR_OK;
}

enum err container_add_section(struct container_writer *w, struct str name, struct str bytes,
                               struct err_info *reterr_info)
{
    if (name.n == 0 || name.n > CONTAINER_NAME_BYTES_MAX) {
        return err_set(reterr_info, ERR_INVALID, "%s: a section's name has 1 to 255 bytes", w->path);
    }
    for (size_t i = 0; i < w->section_count; i++) {
        if (str_eq(w->sections[i].name, name)) {
            return err_set(reterr_info, ERR_EXISTS, "%s: section %.*s exists", w->path, STR_FMT(name));
        }
    }
    struct written_section s = {.name = {NULL, name.n}};
    enum err e =
        vec_reserve((void **)&w->sections, &w->section_cap, w->section_count + 1, sizeof(*w->sections));
    e = e ? e : container_add_page(w, bytes, &s.page, reterr_info);
    if (!e && !(s.name.p = mem_dup(name.p, name.n))) {
        e = ERR_OOM;
    }
    if (!e) {
        w->sections[w->section_count++] = s;
    }
    return e;
}

static void put_footer(struct container_writer *w)
{
    struct buf *b = &w->out;
    size_t start = b->n;
    write_varint(b, CONTAINER_VERSION);
    write_varint(b, w->version);
    write_varint(b, w->page_count);
    uint64_t at = CONTAINER_HEAD_BYTES;
    for (size_t i = 0; i < w->page_count; i++) {
        write_varint(b, w->pages[i].offset - at);
        write_varint(b, w->pages[i].length);
        write_u32(b, w->pages[i].crc);
        at = w->pages[i].offset + w->pages[i].length;
    }
    write_varint(b, w->section_count);
    for (size_t i = 0; i < w->section_count; i++) {
        write_str(b, w->sections[i].name);
        write_varint(b, w->sections[i].page);
    }
    if (b->err == ERR_OK) {
        uint32_t length = (uint32_t)(b->n - start), crc = crc32c(0, b->p + start, length);
        write_u32(b, length);
        write_u32(b, crc);
        buf_append(b, CONTAINER_MAGIC, CONTAINER_MAGIC_BYTES);
        w->end += b->n - start;
    }
}

enum err container_finish(struct container_writer *w, uint64_t *ret_bytes, struct err_info *reterr_info)
{
    put_footer(w);
    enum err e = w->out.err ? err_set(reterr_info, w->out.err, "no memory to write %s", w->path)
                            : flush_out(w, reterr_info);
    e = e ? e : file_sync_data(w->fd, reterr_info);
    e = e ? e : file_rename(w->temporary, w->path, reterr_info);
    if (e) {
        container_abort(w);
        return e;
    }
    uint64_t bytes = w->end;
    e = dir_sync_parent(w->path, reterr_info);
    if (!e && ret_bytes) {
        *ret_bytes = bytes;
    }
    writer_free(w);
    return e;
}
