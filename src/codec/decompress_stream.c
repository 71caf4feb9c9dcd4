/* One face over zlib's and zstd's streams. */
#include "codec/decompress_stream.h"

#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

enum {
    GZIP_WINDOW_BITS = 15 + 16, /* the largest window, with a gzip header */
    ZSTD_WINDOW_LOG_MAX = 27    /* 128 MiB: what zstd itself takes without being asked */
};

struct decompress_stream {
    enum compression kind;
    bool whole; /* nothing has begun that is not complete */
    z_stream gzip;
    ZSTD_DCtx *zstd;
};

enum compression compression_of_magic(struct str head)
{
    if (head.n >= 2 && memcmp(head.p, "\x1f\x8b", 2) == 0) {
        return COMPRESS_GZIP;
    }
    return head.n >= 4 && memcmp(head.p, "\x28\xb5\x2f\xfd", 4) == 0 ? COMPRESS_ZSTD : COMPRESS_NONE;
}

enum err decompress_stream_new(enum compression c, struct decompress_stream **ret_d)
{
    struct decompress_stream *d = mem_zalloc(sizeof(*d));
    if (!d) {
        return ERR_OOM;
    }
    d->kind = c;
    d->whole = true;
    bool good = c == COMPRESS_NONE;
    if (c == COMPRESS_GZIP) {
        good = inflateInit2(&d->gzip, GZIP_WINDOW_BITS) == Z_OK;
    } else if (c == COMPRESS_ZSTD) {
        d->zstd = ZSTD_createDCtx();
        good = d->zstd &&
               !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX));
    }
    if (!good) {
        decompress_stream_free(d);
        return c == COMPRESS_GZIP || c == COMPRESS_ZSTD ? ERR_OOM : ERR_UNSUPPORTED;
    }
    *ret_d = d;
    return ERR_OK;
}

void decompress_stream_free(struct decompress_stream *d)
{
    if (!d) {
        return;
    }
    if (d->kind == COMPRESS_GZIP) {
        (void)inflateEnd(&d->gzip);
    }
    (void)ZSTD_freeDCtx(d->zstd);
    mem_free(d);
}

static enum err gzip_step(struct decompress_stream *d, struct str *src, char *out, size_t cap, size_t *ret_n,
                          struct err_info *info)
{
    z_stream *z = &d->gzip;
    z->next_in = (Bytef *)(uintptr_t)src->p;
    z->avail_in = src->n > UINT32_MAX ? UINT32_MAX : (uInt)src->n;
    z->next_out = (Bytef *)out;
    z->avail_out = cap > UINT32_MAX ? UINT32_MAX : (uInt)cap;
    uInt room = z->avail_out;
    int rc = Z_OK;
    while (z->avail_in && z->avail_out && rc == Z_OK) {
        d->whole = false;
        rc = inflate(z, Z_NO_FLUSH);
        if (rc == Z_STREAM_END) { /* another member may follow */
            d->whole = true;
            rc = inflateReset(z);
        }
    }
    if (rc == Z_OK && z->avail_in == 0 && z->avail_out && !d->whole) { /* what the window holds back */
        rc = inflate(z, Z_SYNC_FLUSH);
        d->whole = rc == Z_STREAM_END;
        rc = d->whole ? inflateReset(z) : rc == Z_BUF_ERROR ? Z_OK : rc;
    }
    if (rc != Z_OK && rc != Z_BUF_ERROR) {
        return err_set(info, ERR_CORRUPT, "not valid gzip data");
    }
    src->p = (const char *)z->next_in;
    src->n = z->avail_in;
    *ret_n = room - z->avail_out;
    return ERR_OK;
}

static enum err zstd_step(struct decompress_stream *d, struct str *src, char *out, size_t cap, size_t *ret_n,
                          struct err_info *info)
{
    ZSTD_inBuffer in = {src->p, src->n, 0};
    ZSTD_outBuffer to = {out, cap, 0};
    bool more = !d->whole || in.size;
    while (more && to.pos < to.size) {
        size_t before_in = in.pos, before_out = to.pos;
        size_t rc = ZSTD_decompressStream(d->zstd, &to, &in);
        if (ZSTD_isError(rc)) {
            return err_set(info, ERR_CORRUPT, "not valid zstd data: %s", ZSTD_getErrorName(rc));
        }
        d->whole = rc == 0;
        more = in.pos < in.size || (!d->whole && (in.pos != before_in || to.pos != before_out));
    }
    *src = str_slice(*src, in.pos, in.size);
    *ret_n = to.pos;
    return ERR_OK;
}

enum err decompress_stream_step(struct decompress_stream *d, struct str *src, char *out, size_t cap,
                                size_t *ret_n, struct err_info *reterr_info)
{
    if (d->kind == COMPRESS_GZIP) {
        return gzip_step(d, src, out, cap, ret_n, reterr_info);
    }
    if (d->kind == COMPRESS_ZSTD) {
        return zstd_step(d, src, out, cap, ret_n, reterr_info);
    }
    size_t n = src->n < cap ? src->n : cap;
    if (n) {
        memcpy(out, src->p, n);
    }
    *src = str_slice(*src, n, src->n);
    *ret_n = n;
    return ERR_OK;
}

bool decompress_stream_whole(const struct decompress_stream *d)
{
    return d->whole;
}
