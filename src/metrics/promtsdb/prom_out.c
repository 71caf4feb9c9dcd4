/* Buffered output. */
#include "metrics/promtsdb/prom_out.h"

#include "codec/crc32c.h"
#include "disk/file.h"

enum {
    OUT_BYTES = 1 << 20
};

enum err prom_out_open(struct prom_out *out, const char *path, struct err_info *reterr_info)
{
    *out = (struct prom_out){.fd = -1, .info = reterr_info};
    out->b.size_bytes_max = 2 * OUT_BYTES;
    out->err = file_open(path, FILE_WRITE_NEW, &out->fd, reterr_info);
    if (out->err == ERR_OK && !buf_reserve(&out->b, OUT_BYTES)) {
        out->err = err_set(reterr_info, ERR_OOM, "no memory to write %s", path);
    }
    return out->err;
}

static void flush(struct prom_out *out)
{
    if (out->err == ERR_OK && out->b.n) {
        out->err = file_write(out->fd, out->b.p, out->b.n, out->info);
    }
    buf_reset(&out->b);
}

void prom_out_bytes(struct prom_out *out, const void *p, size_t n)
{
    if (out->err != ERR_OK) {
        return;
    }
    if (out->summing) {
        out->crc = crc32c(out->crc, p, n);
    }
    out->at += n;
    if (out->b.n + n > OUT_BYTES) {
        flush(out);
    }
    if (n > OUT_BYTES && out->err == ERR_OK) {
        out->err = file_write(out->fd, p, n, out->info);
        return;
    }
    buf_append(&out->b, p, n);
}

void prom_out_be32(struct prom_out *out, uint32_t v)
{
    v = __builtin_bswap32(v);
    prom_out_bytes(out, &v, sizeof(v));
}

void prom_out_be64(struct prom_out *out, uint64_t v)
{
    v = __builtin_bswap64(v);
    prom_out_bytes(out, &v, sizeof(v));
}

void prom_out_uvarint(struct prom_out *out, uint64_t v)
{
    uint8_t p[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) {
        p[n++] = (uint8_t)(v | 0x80);
    }
    p[n++] = (uint8_t)v;
    prom_out_bytes(out, p, n);
}

void prom_out_pad(struct prom_out *out, unsigned align)
{
    static const char zeros[16] = {0};
    unsigned over = (unsigned)(out->at % align);
    if (over) {
        prom_out_bytes(out, zeros, align - over);
    }
}

void prom_out_crc_begin(struct prom_out *out)
{
    out->crc = 0;
    out->summing = true;
}

void prom_out_crc_end(struct prom_out *out)
{
    out->summing = false;
    prom_out_be32(out, out->crc);
}

enum err prom_out_finish(struct prom_out *out, bool sync)
{
    flush(out);
    if (out->err == ERR_OK && sync) {
        out->err = file_sync_data(out->fd, out->info);
    }
    file_close(out->fd);
    out->fd = -1;
    return out->err;
}

void prom_out_done(struct prom_out *out)
{
    file_close(out->fd);
    buf_done(&out->b);
    *out = (struct prom_out){.fd = -1};
}
