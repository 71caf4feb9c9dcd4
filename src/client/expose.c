/* Exposition: walks families and series as they are now and writes them family by family, in order of
 * registration. Takes no lock, so a slow reader holds nobody up; callbacks run in between. A family without
 * samples is left out. */
#include "client_int.h"

#include <stdlib.h>

struct cairn_emit {
    struct cairn__out *out;
    struct cairn_family *family;
    size_t count;
};

static bool emit_allowed(const struct cairn_emit *emit, const char *const *values)
{
    const struct cairn_family *family = emit->family;
    bool allowed = emit->count < family->series_max && (values != NULL || family->label_count == 0);
    for (size_t i = 0; allowed && i < family->label_count; i++) {
        allowed = cairn__label_value_valid(values[i]);
    }
    return allowed;
}

void cairn_emit(struct cairn_emit *emit, const char *const *values, double value)
{
    struct cairn_family *family = emit->family;
    if (!emit_allowed(emit, values)) {
        (void)atomic_fetch_add_explicit(&family->refused, 1, memory_order_relaxed);
        return;
    }
    emit->count++;
    const char *suffix = "";
    if (emit->out->openmetrics && family->type == CAIRN_COUNTER && cairn__ends_with(family->name, "_total")) {
        suffix = "_total";
    } else if (emit->out->openmetrics && family->type == CAIRN_INFO) {
        suffix = "_info";
    }
    char *copies[CAIRN_LABELS_MAX] = {NULL};
    for (size_t i = 0; i < family->label_count; i++) {
        memcpy(&copies[i], &values[i],
               sizeof copies[i]); /* read only: sample() takes series' own arrays too */
    }
    cairn__sample(emit->out, suffix, copies, NULL, NULL, value);
    cairn__sample_end(emit->out, NULL);
}

/* Sets the names that this family's samples carry in this format. */
static void family_begin(struct cairn__out *out, const struct cairn_family *family)
{
    out->family = family;
    out->header_done = false;
    out->stem_size = cairn__name_escape(family->name, out->format.escaping, out->name);
    out->quoted = out->format.escaping == CAIRN_ESCAPE_ALLOW_UTF8 && !cairn__name_legacy(family->name);
    if (out->openmetrics) {
        out->stem_size -= strlen(family->name) - cairn__stem_length(family->type, family->name);
    }
}

static void family_write(struct cairn__out *out, struct cairn_family *family)
{
    family_begin(out, family);
    if (family->collect != NULL) {
        struct cairn_emit emit = {.out = out, .family = family};
        family->collect(&emit, family->collect_context);
        return;
    }
    const struct cairn__series *series = atomic_load_explicit(&family->first, memory_order_acquire);
    for (; series != NULL; series = atomic_load_explicit(&series->next, memory_order_acquire)) {
        if (!atomic_load_explicit(&series->hidden, memory_order_relaxed)) {
            family->row->expose(out, series);
        }
    }
}

enum cairn_err cairn_registry_write(struct cairn_registry *registry, struct cairn_format format,
                                    cairn_write_fn write, void *context)
{
    registry = cairn__registry_or_default(registry);
    struct cairn__out *out = malloc(sizeof *out);
    if (registry == NULL || out == NULL) {
        free(out);
        return CAIRN_ERR_OOM;
    }
    out->write = write;
    out->context = context;
    out->format = format;
    out->openmetrics =
        format.exposition == CAIRN_OPENMETRICS_0_0_1 || format.exposition == CAIRN_OPENMETRICS_1_0_0;
    out->created = atomic_load_explicit(&registry->created, memory_order_relaxed);
    out->failed = false;
    out->size = 0;
    struct cairn_family *family = atomic_load_explicit(&registry->first, memory_order_acquire);
    while (family != NULL && !out->failed) {
        family_write(out, family);
        family = atomic_load_explicit(&family->next, memory_order_acquire);
    }
    if (out->openmetrics) {
        cairn__out_text(out, "# EOF\n");
    }
    cairn__out_flush(out);
    enum cairn_err err = out->failed ? CAIRN_ERR_IO : CAIRN_OK;
    free(out);
    return err;
}

struct text {
    char *data;
    size_t size;
    size_t capacity;
};

static bool text_append(void *context, const char *data, size_t size)
{
    struct text *text = context;
    if (text->capacity - text->size <= size) {
        size_t capacity = (text->capacity + size) * 2;
        char *larger = realloc(text->data, capacity);
        if (larger == NULL) {
            return false;
        }
        text->data = larger;
        text->capacity = capacity;
    }
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
    return true;
}

enum cairn_err cairn_registry_render(struct cairn_registry *registry, struct cairn_format format,
                                     char **ret_text, size_t *ret_size)
{
    struct text text = {.data = calloc(1, 1), .capacity = 1};
    if (text.data == NULL) {
        return CAIRN_ERR_OOM;
    }
    enum cairn_err err = cairn_registry_write(registry, format, text_append, &text);
    if (err != CAIRN_OK) {
        free(text.data);
        return CAIRN_ERR_OOM;
    }
    *ret_text = text.data;
    *ret_size = text.size;
    return CAIRN_OK;
}
