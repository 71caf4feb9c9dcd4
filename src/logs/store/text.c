/* Text pages. Level 1 of zstd: higher ones cost six times the time for a tenth of the bytes, and level 3 is
 * larger than level 1 on lines full of identifiers. */
#include "logs/store/text.h"

#include "codec/compress.h"
#include "codec/varint.h"

enum {
    FORM_PLAIN = 0,
    FORM_ZSTD = 1,
    LEVEL = 1
};

void text_write(struct buf *dst, struct str text)
{
    size_t mark = dst->n;
    write_u8(dst, FORM_ZSTD);
    write_varint(dst, text.n);
    if (compress_bytes(COMPRESS_ZSTD, LEVEL, text, dst) == ERR_OK && dst->n - mark < text.n) {
        return;
    }
    if (!dst->err) {
        dst->n = mark;
        write_u8(dst, FORM_PLAIN);
        buf_str(dst, text);
    }
}

enum err text_read(struct str page, size_t text_bytes, struct buf *dst)
{
    struct reader r = reader_of(page);
    uint8_t form = read_u8(&r);
    size_t mark = dst->n;
    if (form == FORM_PLAIN && !r.bad) {
        buf_str(dst, read_bytes(&r, reader_left(&r)));
    } else if (form == FORM_ZSTD && read_varint(&r) == text_bytes) {
        struct str frame = read_bytes(&r, reader_left(&r));
        enum err e = decompress_bytes(COMPRESS_ZSTD, frame, text_bytes, dst, NULL);
        if (e) {
            return e == ERR_OOM ? e : ERR_CORRUPT;
        }
    } else {
        return ERR_CORRUPT;
    }
    return dst->err ? dst->err : dst->n - mark == text_bytes ? ERR_OK : ERR_CORRUPT;
}
