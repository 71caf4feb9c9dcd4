/* Compressed text in steps of any size: as a whole it is what was compressed, and what is cut off is known.
 */
#include "base/buf.h"
#include "base/rng.h"
#include "codec/decompress_stream.h"
#include "harness.h"

static void text_make(struct buf *b, struct rng *r)
{
    for (int i = 0; i < 20000; i++) {
        buf_printf(b, "metric{host=\"%llu\"} %llu\n", (unsigned long long)rng_below(r, 50),
                   (unsigned long long)rng_u64(r) >> 40);
    }
}

/* Feeds the input in random pieces into outputs of random room. */
static enum err in_steps(struct str src, struct rng *r, struct buf *out, bool *ret_whole)
{
    struct decompress_stream *d = NULL;
    struct err_info info = {0};
    struct str piece = {0};
    size_t n = 1;
    enum err e = decompress_stream_new(compression_of_magic(src), &d);
    while (e == ERR_OK && (src.n || piece.n || n)) {
        size_t room = 1 + (size_t)rng_below(r, 5000), take = 1 + (size_t)rng_below(r, 3000);
        if (piece.n == 0 && src.n) {
            take = take < src.n ? take : src.n;
            piece = str_slice(src, 0, take);
            src = str_slice(src, take, src.n);
        }
        char *p = buf_tail(out, room);
        if (!p) {
            e = ERR_OOM;
            break;
        }
        e = decompress_stream_step(d, &piece, p, room, &n, &info);
        out->n += e == ERR_OK ? n : 0;
    }
    *ret_whole = e == ERR_OK && decompress_stream_whole(d);
    decompress_stream_free(d);
    return e;
}

TEST(a_stream_in_pieces_is_what_was_compressed)
{
    static const enum compression kinds[] = {COMPRESS_NONE, COMPRESS_GZIP, COMPRESS_ZSTD};
    struct rng r;
    rng_init(&r, test_seed());
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        struct buf text AUTO_BUF = {0}, packed AUTO_BUF = {0}, out AUTO_BUF = {0}, cut AUTO_BUF = {0};
        bool whole = false;
        text_make(&text, &r);
        CHECK_OK(compress_bytes(kinds[k], 1, str_of(text.p, 100000), &packed)); /* two members, two frames */
        CHECK_OK(compress_bytes(kinds[k], 1, str_of(text.p + 100000, text.n - 100000), &packed));
        CHECK_EQ(compression_of_magic(buf_view(&packed)), kinds[k]);
        CHECK_OK(in_steps(buf_view(&packed), &r, &out, &whole));
        CHECK(whole && str_eq(buf_view(&out), buf_view(&text)));
        CHECK_OK(in_steps(str_of(packed.p, packed.n - 9), &r, &cut, &whole));
        CHECK_EQ(whole, kinds[k] == COMPRESS_NONE);
    }
}

TEST(what_is_no_compressed_stream_is_corrupt)
{
    struct rng r;
    struct buf out AUTO_BUF = {0};
    bool whole = false;
    rng_init(&r, test_seed());
    CHECK_EQ(in_steps(STR("\x1f\x8b\x08 and then some text that is none"), &r, &out, &whole), ERR_CORRUPT);
    CHECK_EQ(in_steps(STR("\x28\xb5\x2f\xfd\x20\x05\x07\0\0"), &r, &out, &whole), ERR_CORRUPT);
}
