/* DEPS codec base */
/* Loki's push in both encodings, and stream labels: any bytes decode or are refused with a reason; what
 * decodes as protobuf encodes to something that decodes to as many entries. */
#include "base/assert.h"
#include "codec/loki_push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t entries(const struct wire_push *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->stream_count; i++) {
        n += p->streams[i].entry_count;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a AUTO_ARENA = {0};
    struct buf b AUTO_BUF = {0};
    struct wire_push p, again;
    const struct wire_label *labels = NULL;
    size_t n = 0;
    struct err_info info = {0};
    struct str text = str_of((const char *)data, size);
    if (loki_push_decode_proto(&a, text, &p, &info) == ERR_OK) {
        loki_push_encode_proto(&b, &p);
        if (!b.err && loki_push_decode_proto(&a, buf_view(&b), &again, &info) == ERR_OK) {
            ASSERT(entries(&p) == entries(&again));
        }
    }
    ASSERT(loki_push_decode_json(&a, text, &p, &info) == ERR_OK || info.message[0]);
    ASSERT(loki_labels_parse(&a, text, &labels, &n, &info) == ERR_OK || info.message[0]);
    return 0;
}
