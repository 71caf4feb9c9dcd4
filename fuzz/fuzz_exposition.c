/* DEPS codec base */
/* Exposition in all formats: the parser ends, stays inside the text, and the labels of what it takes
 * can be read. */
#include "base/assert.h"
#include "codec/exposition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(enum exposition_format format, bool starts_inline, struct str text)
{
    struct arena a AUTO_ARENA = {0};
    struct exposition_parser p;
    struct exposition_item item = {0};
    enum exposition_event event = EXPOSITION_END;
    struct err_info info = {0};
    size_t events = 0;
    exposition_init(&p, format, text);
    p.starts_inline = starts_inline;
    while (exposition_next(&p, &a, &event, &item, &info) == ERR_OK && event != EXPOSITION_END) {
        ASSERT(++events <= text.n + 1);
        if (event == EXPOSITION_SAMPLE) {
            const struct wire_label *labels = NULL;
            size_t n = 0;
            ASSERT(item.raw.p >= text.p && item.raw.p + item.raw.n <= text.p + text.n);
            (void)(exposition_labels(&a, item.raw, &labels, &n, &info) == ERR_OK);
        }
    }
}

/* A family is taken apart at once, and its labels stand in every sample: memory has a limit of its own. */
static void parse_proto(struct str body)
{
    struct arena a AUTO_ARENA;
    struct exposition_parser p;
    struct exposition_item item = {0};
    enum exposition_event event = EXPOSITION_END;
    struct err_info info = {0};
    arena_init(&a, (size_t)64 << 20, NULL);
    exposition_init(&p, EXPOSITION_PROTO, body);
    p.native = p.classic = true;
    while (exposition_next(&p, &a, &event, &item, &info) == ERR_OK && event != EXPOSITION_END) {
        if (event == EXPOSITION_SAMPLE) {
            const struct wire_label *labels = NULL;
            size_t n = 0;
            (void)(exposition_labels(&a, item.raw, &labels, &n, &info) == ERR_OK);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_of((const char *)data, size);
    parse_proto(text);
    parse(EXPOSITION_TEXT, false, text);
    parse(EXPOSITION_OPENMETRICS, false, text);
    parse(EXPOSITION_OPENMETRICS, true, text);
    return 0;
}
