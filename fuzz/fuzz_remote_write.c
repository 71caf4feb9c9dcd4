/* DEPS codec base */
/* Remote write of both versions, and remote read's request: any bytes decode or are refused with a reason;
 * labels decoded later are those decoded at once. */
#include "base/assert.h"
#include "codec/remote_read.h"
#include "codec/remote_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a AUTO_ARENA = {0};
    struct wire_write now, later;
    struct err_info info = {0};
    struct str body = str_of((const char *)data, size);
    enum err e = remote_write_decode_v1(&a, body, false, &now, &info);
    enum err f = remote_write_decode_v1(&a, body, true, &later, &info);
    ASSERT(e == ERR_OK || info.message[0]);
    ASSERT(e != ERR_OK || f == ERR_OK); /* labels that are wrong are found when they are decoded */
    for (size_t i = 0; e == ERR_OK && i < later.series_count; i++) {
        ASSERT(remote_write_labels(&a, &later.series[i], &info) == ERR_OK);
        ASSERT(later.series[i].label_count == now.series[i].label_count);
        ASSERT(later.series[i].sample_count == now.series[i].sample_count);
    }
    info.message[0] = 0;
    e = remote_write_decode_v2(&a, body, &now, &info); /* the bytes of a 1.0 request have no symbols there */
    ASSERT(e == ERR_OK || info.message[0]);
    struct read_request read;
    enum err request = remote_read_decode(&a, body, &read, &info);
    ASSERT(request == ERR_OK || info.message[0]);
    return 0;
}
