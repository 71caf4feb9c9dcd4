/* Content encodings, both ways. */
#include "codec/compress.h"
#include "net/http_int.h"

enum {
    WORKING_BYTES = 1 << 20 /* room the codecs reserve past the result */
};

enum err http_body_decode(struct buf *body, struct str encoding, size_t size_bytes_max)
{
    enum compression c = COMPRESS_NONE;
    enum err e = compression_of_http(encoding, &c);
    /* Snappy is part of the message format (remote write, Loki push), not of the transport: its readers undo
     * it. */
    if (e != ERR_OK || c == COMPRESS_NONE || c == COMPRESS_SNAPPY) {
        return e;
    }
    struct buf plain AUTO_BUF = {.size_bytes_max = size_bytes_max + WORKING_BYTES};
    e = decompress_bytes(c, buf_view(body), size_bytes_max, &plain, NULL);
    if (e == ERR_CORRUPT && c == COMPRESS_ZLIB) {
        buf_reset(&plain); /* "deflate" without its zlib envelope, as some clients send it */
        e = decompress_bytes(COMPRESS_DEFLATE, buf_view(body), size_bytes_max, &plain, NULL);
    }
    if (e == ERR_OK) {
        struct buf packed = *body;
        *body = plain;
        plain = packed;
    }
    return e;
}

/* "gzip;q=0" counts as not wanted. */
static bool wanted(struct str item)
{
    struct str params = item;
    (void)str_cut(&params, ';');
    params = str_trim(params);
    if (!str_starts(params, STR("q="))) {
        return true;
    }
    for (size_t i = 2; i < params.n; i++) {
        if (params.p[i] >= '1' && params.p[i] <= '9') {
            return true;
        }
    }
    return false;
}

/* zstd before gzip: it is several times faster here and smaller on the wire. */
static enum compression choose(struct str accept)
{
    enum compression best = COMPRESS_NONE;
    while (accept.p) {
        struct str item = str_cut(&accept, ','), name = item;
        name = str_trim(str_cut(&name, ';'));
        if (!wanted(item)) {
            continue;
        }
        if (str_ieq(name, STR("zstd"))) {
            return COMPRESS_ZSTD;
        }
        if (str_ieq(name, STR("gzip")) || str_ieq(name, STR("x-gzip"))) {
            best = COMPRESS_GZIP;
        }
    }
    return best;
}

/* Media that are compressed already. */
static bool compressible(struct str type)
{
    static const char *const packed[] = {"image/png", "image/jpeg", "image/webp",      "font/",
                                         "video/",    "audio/",     "application/zip", "application/gzip"};
    for (size_t i = 0; i < ARRAY_LEN(packed); i++) {
        if (str_starts(type, str_c(packed[i]))) {
            return false;
        }
    }
    return true;
}

void http_body_encode(struct http_req *r)
{
    struct str body = r->answer.n ? buf_view(&r->answer) : r->fixed;
    if (r->status == 206 || !compressible(r->content_type)) {
        return;
    }
    for (size_t i = 0; i < r->header_count; i++) {
        if (str_ieq(r->headers[i].name, STR("Content-Encoding"))) {
            return;
        }
    }
    enum compression c = choose(http_header_of(r, MHD_HTTP_HEADER_ACCEPT_ENCODING));
    http_res_header(r, "Vary", STR("Accept-Encoding"));
    if (body.n < HTTP_COMPRESS_BYTES_MIN) {
        return;
    }
    struct buf packed = {.size_bytes_max = body.n + body.n / 2 + WORKING_BYTES};
    /* Not smaller: not worth it. */
    if (c == COMPRESS_NONE || compress_bytes(c, 0, body, &packed) != ERR_OK || packed.n >= body.n) {
        buf_done(&packed);
        return;
    }
    buf_done(&r->answer);
    r->answer = packed;
    http_res_header(r, "Content-Encoding", c == COMPRESS_ZSTD ? STR("zstd") : STR("gzip"));
}
