/* Writing blocks: a file of sections, and the footer that finds them. */
#include "base/mem.h"
#include "codec/crc32c.h"
#include "metrics/tsdb/block.h"
#include "metrics/tsdb/section_write.h"

enum err block_writer_begin(struct block_writer *w, const char *path, struct err_info *info)
{
    *w = (struct block_writer){.fd = -1, .min_ts = INT64_MAX, .max_ts = INT64_MIN};
    enum err e = file_open(path, FILE_WRITE_NEW, &w->fd, info);
    if (e == ERR_OK) {
        e = file_write(w->fd, BLOCK_MAGIC, BLOCK_MAGIC_BYTES, info);
        w->at = BLOCK_MAGIC_BYTES;
    }
    return e;
}

void block_writer_done(struct block_writer *w)
{
    section_writer_free(w->section);
    buf_done(&w->footer);
    file_close(w->fd);
    *w = (struct block_writer){.fd = -1};
}

enum err block_section_begin(struct block_writer *w, struct str tenant, unsigned partition,
                             struct err_info *info)
{
    w->tenant = tenant;
    w->partition = partition;
    enum err e = section_writer_new(w->fd, &w->section);
    return e == ERR_OK ? e : err_set(info, e, "no memory to write a block");
}

enum err block_section_add(struct block_writer *w, const struct metric_batch *b, ts_ms from, ts_ms to,
                           struct err_info *info)
{
    return section_writer_add(w->section, b, from, to, info);
}

enum err block_section_end(struct block_writer *w, struct err_info *info)
{
    struct section_summary s = {0};
    enum err e = section_writer_finish(w->section, &s, info);
    if (e == ERR_OK && s.series) {
        write_str(&w->footer, w->tenant);
        write_varint(&w->footer, w->partition);
        write_varint(&w->footer, w->at);
        write_varint(&w->footer, s.data_bytes);
        write_varint(&w->footer, s.index_bytes);
        write_u32(&w->footer, s.index_crc);
        write_zigzag(&w->footer, s.min_ts);
        write_zigzag(&w->footer, s.max_ts);
        write_varint(&w->footer, s.series);
        w->sections++;
        w->samples += s.samples;
        w->at += s.data_bytes + s.index_bytes;
        w->min_ts = s.min_ts < w->min_ts ? s.min_ts : w->min_ts;
        w->max_ts = s.max_ts > w->max_ts ? s.max_ts : w->max_ts;
    }
    section_writer_free(w->section);
    w->section = NULL;
    return e;
}

enum err block_writer_finish(struct block_writer *w, struct err_info *info)
{
    struct buf b AUTO_BUF = {0};
    write_u8(&b, BLOCK_VERSION);
    write_zigzag(&b, w->min_ts);
    write_zigzag(&b, w->max_ts);
    write_varint(&b, w->samples);
    write_varint(&b, w->sections);
    buf_append(&b, w->footer.p, w->footer.n);
    size_t n = b.n;
    write_u32(&b, (uint32_t)n);
    write_u32(&b, crc32c(0, b.p, n));
    buf_append(&b, BLOCK_MAGIC, BLOCK_MAGIC_BYTES);
    if (b.err != ERR_OK || w->footer.err != ERR_OK) {
        return err_set(info, ERR_OOM, "no memory to write a block");
    }
    enum err e = file_write(w->fd, b.p, b.n, info);
    w->at += b.n;
    e = e == ERR_OK ? file_sync_data(w->fd, info) : e;
    file_close(w->fd);
    w->fd = -1;
    return e;
}
