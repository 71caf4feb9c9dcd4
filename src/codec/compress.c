/* One face over snappy, libdeflate, zstd and lz4. */
#include "codec/compress.h"

#include <libdeflate.h>
#include <lz4.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

enum {
    LEVEL_DEFLATE = 6,
    LEVEL_ZSTD = 3,
    CHUNK_BYTES = 64 << 10
};

/* -- compress -------------------------------------------------------------------------------------------- */

static enum err with_deflate(enum compression c, int level, struct str src, struct buf *dst)
{
    struct libdeflate_compressor *z = libdeflate_alloc_compressor(level ? level : LEVEL_DEFLATE);
    if (!z) {
        return ERR_OOM;
    }
    size_t most = c == COMPRESS_GZIP   ? libdeflate_gzip_compress_bound(z, src.n)
                  : c == COMPRESS_ZLIB ? libdeflate_zlib_compress_bound(z, src.n)
                                       : libdeflate_deflate_compress_bound(z, src.n);
    char *out = buf_tail(dst, most);
    size_t n = 0;
    if (out) {
        n = c == COMPRESS_GZIP   ? libdeflate_gzip_compress(z, src.p, src.n, out, most)
            : c == COMPRESS_ZLIB ? libdeflate_zlib_compress(z, src.p, src.n, out, most)
                                 : libdeflate_deflate_compress(z, src.p, src.n, out, most);
        dst->n += n;
    }
    libdeflate_free_compressor(z);
    return dst->err;
}

enum err compress_bytes(enum compression c, int level, struct str src, struct buf *dst)
{
    char *out;
    size_t n;
    switch (c) {
    case COMPRESS_NONE:
        buf_str(dst, src);
        return dst->err;
    case COMPRESS_SNAPPY:
        n = snappy_max_compressed_length(src.n);
        out = buf_tail(dst, n);
        if (out && snappy_compress(src.p ? src.p : "", src.n, out, &n) == SNAPPY_OK) {
            dst->n += n;
        }
        return dst->err;
    case COMPRESS_GZIP:
    case COMPRESS_ZLIB:
    case COMPRESS_DEFLATE:
        return with_deflate(c, level, src, dst);
    case COMPRESS_ZSTD:
        n = ZSTD_compressBound(src.n);
        out = buf_tail(dst, n);
        if (out) {
            n = ZSTD_compress(out, n, src.p, src.n, level ? level : LEVEL_ZSTD);
            if (ZSTD_isError(n)) {
                return ERR_OOM;
            }
            dst->n += n;
        }
        return dst->err;
    case COMPRESS_LZ4:
        if (src.n > LZ4_MAX_INPUT_SIZE) {
            return ERR_LIMIT;
        }
        n = (size_t)LZ4_compressBound((int)src.n);
        out = buf_tail(dst, n);
        if (out) {
            dst->n += (size_t)LZ4_compress_default(src.p, out, (int)src.n, (int)n);
        }
        return dst->err;
    }
    return ERR_UNSUPPORTED;
}

/* -- decompress ------------------------------------------------------------------------------------------ */

static enum err too_large(size_t most, struct err_info *info)
{
    return err_set(info, ERR_LIMIT, "the decompressed data is larger than the limit of %zu bytes", most);
}

static enum err corrupt(const char *what, struct err_info *info)
{
    return err_set(info, ERR_CORRUPT, "not valid %s data", what);
}

static enum err from_snappy(struct str src, size_t most, struct buf *dst, struct err_info *info)
{
    size_t n;
    if (snappy_uncompressed_length(src.p ? src.p : "", src.n, &n) != SNAPPY_OK) {
        return corrupt("snappy", info);
    }
    if (n > most) {
        return too_large(most, info);
    }
    char *out = buf_tail(dst, n ? n : 1);
    if (!out) {
        return dst->err;
    }
    if (snappy_uncompress(src.p, src.n, out, &n) != SNAPPY_OK) {
        return corrupt("snappy", info);
    }
    dst->n += n;
    return ERR_OK;
}

/* zlib streams, since the size is unknown; members in a row are one. */
static enum err from_zlib(int window_bits, struct str src, size_t most, struct buf *dst,
                          struct err_info *info)
{
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)src.p, .avail_in = (unsigned)src.n};
    if (src.n > UINT32_MAX) {
        return too_large(most, info);
    }
    if (inflateInit2(&z, window_bits) != Z_OK) {
        return ERR_OOM;
    }
    size_t written = 0;
    enum err e = ERR_OK;
    int state = Z_OK;
    while (!e) {
        char *out = buf_tail(dst, CHUNK_BYTES);
        if (!out) {
            e = dst->err;
            break;
        }
        z.next_out = (unsigned char *)out;
        z.avail_out = CHUNK_BYTES;
        state = inflate(&z, Z_NO_FLUSH);
        size_t n = CHUNK_BYTES - z.avail_out;
        dst->n += n;
        written += n;
        if (written > most) {
            e = too_large(most, info);
        } else if (state == Z_STREAM_END) {
            if (z.avail_in == 0) {
                break;
            }
            if (window_bits < 16 || inflateReset(&z) != Z_OK) {
                e = corrupt("gzip or deflate", info);
            }
        } else if (state != Z_OK || (z.avail_in == 0 && n == 0)) {
            e = state == Z_MEM_ERROR ? ERR_OOM : corrupt("gzip or deflate", info);
        }
    }
    inflateEnd(&z);
    return e;
}

static enum err from_zstd(struct str src, size_t most, struct buf *dst, struct err_info *info)
{
    unsigned long long declared = ZSTD_getFrameContentSize(src.p, src.n);
    if (declared == ZSTD_CONTENTSIZE_ERROR) {
        return corrupt("zstd", info);
    }
    if (declared != ZSTD_CONTENTSIZE_UNKNOWN && declared > most) {
        return too_large(most, info);
    }
    ZSTD_DCtx *z = ZSTD_createDCtx();
    if (!z) {
        return ERR_OOM;
    }
    ZSTD_inBuffer in = {src.p, src.n, 0};
    size_t written = 0, state = 1;
    enum err e = ERR_OK;
    size_t first = declared != ZSTD_CONTENTSIZE_UNKNOWN && declared ? (size_t)declared : CHUNK_BYTES;
    while (!e && (in.pos < in.size || state != 0)) {
        size_t room = written == 0 ? first : CHUNK_BYTES;
        char *p = buf_tail(dst, room);
        if (!p) {
            e = dst->err;
            break;
        }
        ZSTD_outBuffer out = {p, room, 0};
        size_t before = in.pos;
        state = ZSTD_decompressStream(z, &out, &in);
        dst->n += out.pos;
        written += out.pos;
        if (ZSTD_isError(state) || (in.pos == before && out.pos == 0 && state != 0)) {
            e = corrupt("zstd", info);
        } else if (written > most) {
            e = too_large(most, info);
        }
    }
    ZSTD_freeDCtx(z);
    return e;
}

static enum err from_lz4(struct str src, size_t size, struct buf *dst, struct err_info *info)
{
    if (src.n > INT32_MAX || size > INT32_MAX) {
        return too_large(size, info);
    }
    char *out = buf_tail(dst, size ? size : 1);
    if (!out) {
        return dst->err;
    }
    if (LZ4_decompress_safe(src.p, out, (int)src.n, (int)size) != (int)size) {
        return corrupt("lz4", info);
    }
    dst->n += size;
    return ERR_OK;
}

enum err decompress_bytes(enum compression c, struct str src, size_t size_bytes_max, struct buf *dst,
                          struct err_info *reterr_info)
{
    switch (c) {
    case COMPRESS_NONE:
        if (src.n > size_bytes_max) {
            return too_large(size_bytes_max, reterr_info);
        }
        buf_str(dst, src);
        return dst->err;
    case COMPRESS_SNAPPY:
        return from_snappy(src, size_bytes_max, dst, reterr_info);
    case COMPRESS_GZIP:
        return from_zlib(15 + 16, src, size_bytes_max, dst, reterr_info);
    case COMPRESS_ZLIB:
        return from_zlib(15, src, size_bytes_max, dst, reterr_info);
    case COMPRESS_DEFLATE:
        return from_zlib(-15, src, size_bytes_max, dst, reterr_info);
    case COMPRESS_ZSTD:
        return from_zstd(src, size_bytes_max, dst, reterr_info);
    case COMPRESS_LZ4:
        return from_lz4(src, size_bytes_max, dst, reterr_info);
    }
    return ERR_UNSUPPORTED;
}

enum err compression_of_http(struct str coding, enum compression *ret_c)
{
    static const struct {
        const char *name;
        enum compression c;
    } names[] = {{"", COMPRESS_NONE},        {"identity", COMPRESS_NONE}, {"gzip", COMPRESS_GZIP},
                 {"x-gzip", COMPRESS_GZIP},  {"deflate", COMPRESS_ZLIB},  {"zstd", COMPRESS_ZSTD},
                 {"snappy", COMPRESS_SNAPPY}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_ieq(str_trim(coding), str_c(names[i].name))) {
            *ret_c = names[i].c;
            return ERR_OK;
        }
    }
    return ERR_UNSUPPORTED;
}
