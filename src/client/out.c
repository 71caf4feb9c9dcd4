/* Writes samples in the format at hand, through one buffer, to the caller's writer.
 * A writer's failure sticks: what follows is thrown away and the exposition ends with IO. One thread per
 * struct. */
#include "client_int.h"

void cairn__out_flush(struct cairn__out *out)
{
    if (out->size > 0 && !out->failed) {
        out->failed = !out->write(out->context, out->buffer, out->size);
    }
    out->size = 0;
}

void cairn__out_put(struct cairn__out *out, const char *data, size_t size)
{
    while (size > 0) {
        size_t room = sizeof out->buffer - out->size;
        size_t part = size < room ? size : room;
        memcpy(out->buffer + out->size, data, part);
        out->size += part;
        data += part;
        size -= part;
        if (out->size == sizeof out->buffer) {
            cairn__out_flush(out);
        }
    }
}

void cairn__out_text(struct cairn__out *out, const char *text)
{
    cairn__out_put(out, text, strlen(text));
}

void cairn__out_escaped(struct cairn__out *out, const char *text, bool quotes)
{
    const char *special = quotes ? "\\\n\"" : "\\\n";
    while (*text != '\0') {
        size_t plain = strcspn(text, special);
        cairn__out_put(out, text, plain);
        text += plain;
        if (*text != '\0') {
            char pair[2] = {'\\', *text == '\n' ? 'n' : *text};
            cairn__out_put(out, pair, sizeof pair);
            text++;
        }
    }
}

void cairn__out_number(struct cairn__out *out, double value)
{
    char text[CAIRN__NUMBER_MAX];
    cairn__out_put(out, text, cairn__number(value, text));
}

void cairn__out_seconds(struct cairn__out *out, int64_t ts_ms)
{
    cairn__out_number(out, (double)ts_ms / 1e3);
}

static void name_quoted(struct cairn__out *out, const char *name, size_t size, const char *suffix)
{
    char whole[CAIRN__ESCAPED_MAX + 16];
    memcpy(whole, name, size);
    memcpy(whole + size, suffix, strlen(suffix) + 1);
    cairn__out_text(out, "\"");
    cairn__out_escaped(out, whole, true);
    cairn__out_text(out, "\"");
}

static void header_line(struct cairn__out *out, const char *keyword)
{
    cairn__out_text(out, keyword);
    if (out->quoted) {
        name_quoted(out, out->name, out->stem_size, "");
    } else {
        cairn__out_put(out, out->name, out->stem_size);
    }
    cairn__out_text(out, " ");
}

static const char *type_name(const struct cairn__out *out)
{
    const struct cairn_family *family = out->family;
    if (!out->openmetrics) {
        return family->row->text_name;
    }
    bool nameless = family->type == CAIRN_COUNTER && !cairn__ends_with(family->name, "_total");
    return nameless ? "unknown" : family->row->openmetrics_name;
}

static void header(struct cairn__out *out)
{
    const struct cairn_family *family = out->family;
    out->header_done = true;
    if (family->help[0] != '\0') {
        header_line(out, "# HELP ");
        cairn__out_escaped(out, family->help, out->openmetrics);
        cairn__out_text(out, "\n");
    }
    header_line(out, "# TYPE ");
    cairn__out_text(out, type_name(out));
    cairn__out_text(out, "\n");
    if (out->openmetrics && family->unit != NULL) {
        header_line(out, "# UNIT ");
        cairn__out_text(out, family->unit);
        cairn__out_text(out, "\n");
    }
}

static void label(struct cairn__out *out, const char *name, const char *value, bool first)
{
    if (!first) {
        cairn__out_text(out, ",");
    }
    bool legacy = cairn__name_legacy(name);
    if (legacy && out->format.escaping != CAIRN_ESCAPE_DOTS) {
        cairn__out_text(out, name);
    } else if (out->format.escaping == CAIRN_ESCAPE_ALLOW_UTF8) {
        name_quoted(out, name, strlen(name), "");
    } else {
        char escaped[CAIRN__ESCAPED_MAX];
        cairn__out_put(out, escaped, cairn__name_escape(name, out->format.escaping, escaped));
    }
    cairn__out_text(out, "=\"");
    cairn__out_escaped(out, value, true);
    cairn__out_text(out, "\"");
}

/* The name that carries a suffix: the stem in OpenMetrics, where the suffix of the type comes back with the
 * sample. */
static size_t sample_name_size(const struct cairn__out *out, const char *suffix)
{
    return suffix[0] == '\0' && !out->openmetrics ? strlen(out->name) : out->stem_size;
}

void cairn__sample(struct cairn__out *out, const char *suffix, char *const *values, const char *extra_name,
                   const char *extra_value, double value)
{
    const struct cairn_family *family = out->family;
    if (!out->header_done) {
        header(out);
    }
    size_t name_size = sample_name_size(out, suffix);
    bool first = true;
    if (out->quoted) {
        cairn__out_text(out, "{");
        name_quoted(out, out->name, name_size, suffix);
        first = false;
    } else {
        cairn__out_put(out, out->name, name_size);
        cairn__out_text(out, suffix);
        if (family->label_count > 0 || extra_name != NULL) {
            cairn__out_text(out, "{");
        }
    }
    for (size_t i = 0; i < family->label_count; i++, first = false) {
        label(out, family->label_names[i], values[i], first);
    }
    if (extra_name != NULL) {
        label(out, extra_name, extra_value, first);
        first = false;
    }
    cairn__out_text(out, first ? " " : "} ");
    cairn__out_number(out, value);
}

void cairn__sample_end(struct cairn__out *out, const struct cairn__exemplar *exemplar)
{
    if (exemplar != NULL) {
        cairn__out_text(out, " # {");
        cairn__out_put(out, exemplar->text, exemplar->size);
        cairn__out_text(out, "} ");
        cairn__out_number(out, exemplar->value);
        cairn__out_text(out, " ");
        cairn__out_seconds(out, exemplar->ts_ms);
    }
    cairn__out_text(out, "\n");
}

void cairn__sample_created(struct cairn__out *out, const struct cairn__series *series)
{
    if (out->openmetrics && out->created) {
        cairn__sample(out, "_created", series->values, NULL, NULL, (double)series->created_ms / 1e3);
        cairn__sample_end(out, NULL);
    }
}
