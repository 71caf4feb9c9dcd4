/* DEPS metrics/tsdb codec base */
/* The value codec: any bytes are decoded or refused, and any doubles come back bit for bit. */
#include <string.h>

#include "base/assert.h"
#include "metrics/tsdb/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    VALUES_MAX = 480
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint64_t v[VALUES_MAX], back[VALUES_MAX];
    static uint8_t out[VALUES_MAX * XOR_BYTES_PER_VALUE_MAX + 64];
    uint8_t mode = 0;
    if (size < 3) {
        return 0;
    }
    size_t n = ((size_t)data[1] << 8 | data[2]) % VALUES_MAX + 1;
    (void)(values_decode(data[0], data + 3, size - 3, n, back) == ERR_OK);
    n = size / sizeof(uint64_t);
    n = n > VALUES_MAX ? VALUES_MAX : n;
    if (n) {
        memcpy(v, data, n * sizeof(*v));
        size_t bytes = values_encode(v, n, out, &mode);
        ASSERT(bytes <= values_bound(n));
        ASSERT(values_decode(mode, out, bytes, n, back) == ERR_OK);
        ASSERT(memcmp(v, back, n * sizeof(*v)) == 0);
    }
    return 0;
}
