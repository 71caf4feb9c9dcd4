/* DEPS codec base */
/* JSON: whatever parses has raw text that parses again to the same shape, and what the writer quotes reads
 * back. */
#include "base/assert.h"
#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t nodes(const struct json_value *v)
{
    size_t n = 1;
    for (const struct json_value *c = v->child; c; c = c->next) {
        n += nodes(c);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a AUTO_ARENA = {0};
    struct buf b AUTO_BUF = {0};
    const struct json_value *v = NULL, *again = NULL;
    struct str text = str_of((const char *)data, size);
    struct err_info info = {0};
    if (json_parse(&a, text, &v, &info) == ERR_OK) {
        ASSERT(json_parse(&a, v->raw, &again, &info) == ERR_OK);
        ASSERT(nodes(v) == nodes(again) && v->kind == again->kind);
    } else {
        ASSERT(info.message[0]);
    }
    json_quote(&b, text);
    ASSERT(b.err || json_parse(&a, buf_view(&b), &v, &info) == ERR_OK);
    return 0;
}
