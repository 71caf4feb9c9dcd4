/* DEPS codec base */
/* Decompression of hostile bytes never gives more than was allowed; the first byte chooses the format. */
#include "base/assert.h"
#include "codec/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ALLOWED = 1 << 16
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out AUTO_BUF = {0};
    struct err_info info = {0};
    if (size == 0) {
        return 0;
    }
    enum compression c = (enum compression)(data[0] % (COMPRESS_LZ4 + 1));
    enum err e = decompress_bytes(c, str_of((const char *)data + 1, size - 1), ALLOWED, &out, &info);
    ASSERT(out.n <= ALLOWED);
    ASSERT(e == ERR_OK || e == ERR_CORRUPT || e == ERR_LIMIT || e == ERR_OOM);
    return 0;
}
