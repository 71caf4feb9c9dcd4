/* DEPS codec base */
/* Decompression of hostile bytes never gives more than was allowed; the first byte chooses the format.
 * Streams end. */
#include "base/assert.h"
#include "codec/decompress_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ALLOWED = 1 << 16
};

static void stream(enum compression c, struct str src)
{
    struct decompress_stream *d = NULL;
    struct err_info info = {0};
    char out[777];
    size_t n = 1, total = 0;
    if (decompress_stream_new(c, &d) != ERR_OK) {
        return;
    }
    while ((src.n || n) && total < ALLOWED &&
           decompress_stream_step(d, &src, out, sizeof(out), &n, &info) == ERR_OK) {
        ASSERT(n <= sizeof(out));
        total += n;
    }
    decompress_stream_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out AUTO_BUF = {0};
    struct err_info info = {0};
    if (size == 0) {
        return 0;
    }
    enum compression c = (enum compression)(data[0] % (COMPRESS_LZ4 + 1));
    enum err e = decompress_bytes(c, str_of((const char *)data + 1, size - 1), ALLOWED, &out, &info);
    stream(c, str_of((const char *)data + 1, size - 1));
    ASSERT(out.n <= ALLOWED);
    ASSERT(e == ERR_OK || e == ERR_CORRUPT || e == ERR_LIMIT || e == ERR_OOM);
    return 0;
}
