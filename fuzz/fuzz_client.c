/* DEPS client base */
/* libcairn on hostile bytes: Accept headers, metric and label names, label values, log events. What comes out
 * must be well-formed whatever goes in: exposition lines that end, log events that are one line of UTF-8. */
#include <cairn/log.h>
#include <cairn/metrics.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "client/client_int.h"
#include "client/log_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next part of the input up to a 0 byte, as a string. */
static char *part_take(const uint8_t **data, size_t *size)
{
    const uint8_t *end = *size > 0 ? memchr(*data, 0, *size) : NULL;
    size_t length = end != NULL ? (size_t)(end - *data) : *size;
    char *part = calloc(1, length + 1);
    ASSERT(part != NULL);
    if (length > 0) {
        memcpy(part, *data, length);
    }
    *data += length;
    *size -= length;
    if (end != NULL) {
        (*data)++;
        (*size)--;
    }
    return part;
}

static void fuzz_log(const char *logger, const char *message, const char *value)
{
    struct cairn_log_field field = {.key = logger, .kind = CAIRN_LOG_STRING, .value = {.string = value}};
    struct cairn__event event = {.level = CAIRN_LOG_INFO,
                                 .utc = true,
                                 .wall_ns = 1,
                                 .logger = logger,
                                 .message = message,
                                 .fields = &field,
                                 .field_count = 1};
    struct cairn__line line;
    for (int format = CAIRN_LOG_PYTHON; format <= CAIRN_LOG_LOGFMT; format++) {
        cairn__line_format(&line, (enum cairn_log_format)format, &event);
        ASSERT(line.size <= sizeof line.data);
        ASSERT(memchr(line.data, '\n', line.size) == line.data + line.size - 1);
        ASSERT(cairn__utf8_valid(line.data, line.size));
        for (size_t i = 0; i + 1 < line.size; i++) {
            ASSERT((unsigned char)line.data[i] >= 0x20 && line.data[i] != 0x7f);
        }
    }
}

static void render(struct cairn_registry *registry, struct cairn_format format)
{
    char *text;
    size_t size;
    if (cairn_registry_render(registry, format, &text, &size) == CAIRN_OK) {
        ASSERT(cairn__utf8_valid(text, size));
        ASSERT(size == 0 || text[size - 1] == '\n');
        free(text);
    }
}

static void fuzz_metrics(const char *name, const char *label, const char *value, struct cairn_format asked)
{
    struct cairn_registry *registry;
    struct cairn_family *family;
    if (cairn_registry_new(&registry) != CAIRN_OK) {
        return;
    }
    for (int type = CAIRN_COUNTER; type <= CAIRN_INFO; type++) {
        struct cairn_family_options options = {.type = (enum cairn_type)type,
                                               .name = name,
                                               .help = value,
                                               .label_names = &label,
                                               .label_count = 1};
        if (cairn_family_new(registry, &options, &family) != CAIRN_OK) {
            continue;
        }
        struct cairn_label exemplar = {label, value};
        (void)cairn_counter_add_exemplar(cairn_counter(family, &value), 1, &exemplar, 1);
        (void)cairn_histogram_observe_exemplar(cairn_histogram(family, &value), 1, &exemplar, 1);
        cairn_gauge_set(cairn_gauge(family, &value), 1);
        cairn_summary_observe(cairn_summary(family, &value), 1);
        (void)cairn_info(family, &value);
    }
    render(registry, asked);
    for (int escaping = CAIRN_ESCAPE_UNDERSCORES; escaping <= CAIRN_ESCAPE_ALLOW_UTF8; escaping++) {
        render(registry, (struct cairn_format){CAIRN_TEXT_0_0_4, (enum cairn_escaping)escaping});
        render(registry, (struct cairn_format){CAIRN_OPENMETRICS_1_0_0, (enum cairn_escaping)escaping});
    }
    cairn_registry_free(registry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *parts[4];
    for (size_t i = 0; i < 4; i++) {
        parts[i] = part_take(&data, &size);
    }
    struct cairn_format format = cairn_format_negotiate(parts[0]);
    char type[CAIRN_CONTENT_TYPE_MAX];
    cairn_format_content_type(format, type);
    fuzz_metrics(parts[1], parts[2], parts[3], format);
    fuzz_log(parts[1], parts[2], parts[3]);
    for (size_t i = 0; i < 4; i++) {
        free(parts[i]);
    }
    return 0;
}
