/* Which format to answer with, from an Accept header; and what to call it. Pure functions; any bytes are
 * taken as they come: what is not understood is skipped. */
#include "client_int.h"

#include <stdio.h>
#include <strings.h>

struct span {
    const char *at;
    size_t size;
};

/* One range of an Accept header. */
struct range {
    struct span type;
    struct span version;
    struct span escaping;
    unsigned q_millis;
};

static const char *const escaping_names[] = {
    [CAIRN_ESCAPE_UNDERSCORES] = "underscores",
    [CAIRN_ESCAPE_DOTS] = "dots",
    [CAIRN_ESCAPE_VALUES] = "values",
    [CAIRN_ESCAPE_ALLOW_UTF8] = "allow-utf-8",
};

static const struct {
    const char *type;
    const char *version; /* "": none given */
    enum cairn_exposition exposition;
} known_ranges[] = {
    {"text/plain", "", CAIRN_TEXT_0_0_4},
    {"text/plain", "0.0.4", CAIRN_TEXT_0_0_4},
    {"text/plain", "1.0.0", CAIRN_TEXT_1_0_0},
    {"application/openmetrics-text", "", CAIRN_OPENMETRICS_1_0_0},
    {"application/openmetrics-text", "0.0.1", CAIRN_OPENMETRICS_0_0_1},
    {"application/openmetrics-text", "1.0.0", CAIRN_OPENMETRICS_1_0_0},
    {"text/*", "", CAIRN_TEXT_0_0_4},
    {"*/*", "", CAIRN_TEXT_0_0_4},
};

static bool span_is(struct span span, const char *text)
{
    return span.size == strlen(text) && strncasecmp(span.at, text, span.size) == 0;
}

static struct span span_trim(struct span span)
{
    while (span.size > 0 && (span.at[0] == ' ' || span.at[0] == '\t')) {
        span.at++;
        span.size--;
    }
    while (span.size > 0 && (span.at[span.size - 1] == ' ' || span.at[span.size - 1] == '\t')) {
        span.size--;
    }
    return span;
}

/* Takes what stands before the next separator outside quotes off the front of rest. */
static struct span span_take(struct span *rest, char separator)
{
    size_t size = 0;
    bool quoted = false;
    while (size < rest->size && (quoted || rest->at[size] != separator)) {
        quoted = rest->at[size] == '"' ? !quoted : quoted;
        size++;
    }
    struct span taken = {rest->at, size};
    size_t used = size < rest->size ? size + 1 : size;
    rest->at += used;
    rest->size -= used;
    return span_trim(taken);
}

static struct span span_unquote(struct span span)
{
    if (span.size >= 2 && span.at[0] == '"' && span.at[span.size - 1] == '"') {
        span.at++;
        span.size -= 2;
    }
    return span;
}

/* "1", "0.75", ".5" in thousandths; anything else counts as 0, not acceptable. */
static unsigned q_parse(struct span text)
{
    unsigned millis = 0;
    unsigned place = 1000;
    bool point = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];
        if (c == '.' && !point) {
            point = true;
        } else if (c < '0' || c > '9') {
            return 0;
        } else if (point) {
            place /= 10;
            millis += (unsigned)(c - '0') * place;
        } else {
            millis = millis >= 1000 ? 1000 : millis * 10 + (unsigned)(c - '0') * 1000;
        }
    }
    return millis > 1000 ? 1000 : millis;
}

static struct range range_parse(struct span text)
{
    struct range range = {.q_millis = 1000};
    range.type = span_take(&text, ';');
    range.version.at = range.escaping.at = "";
    while (text.size > 0) {
        struct span value = span_take(&text, ';');
        struct span name = span_take(&value, '=');
        value = span_unquote(span_trim(value));
        if (span_is(name, "q")) {
            range.q_millis = q_parse(value);
        } else if (span_is(name, "version")) {
            range.version = value;
        } else if (span_is(name, "escaping")) {
            range.escaping = value;
        }
    }
    return range;
}

static bool range_format(const struct range *range, struct cairn_format *ret_format)
{
    for (size_t i = 0; i < sizeof known_ranges / sizeof known_ranges[0]; i++) {
        if (!span_is(range->type, known_ranges[i].type) ||
            !span_is(range->version, known_ranges[i].version)) {
            continue;
        }
        ret_format->exposition = known_ranges[i].exposition;
        ret_format->escaping = CAIRN_ESCAPE_UNDERSCORES;
        for (size_t e = 0; e < sizeof escaping_names / sizeof escaping_names[0]; e++) {
            if (span_is(range->escaping, escaping_names[e])) {
                ret_format->escaping = (enum cairn_escaping)e;
            }
        }
        return true;
    }
    return false;
}

struct cairn_format cairn_format_negotiate(const char *accept)
{
    struct cairn_format best = {.exposition = CAIRN_TEXT_0_0_4, .escaping = CAIRN_ESCAPE_UNDERSCORES};
    unsigned best_q = 0;
    struct span rest = {accept, accept == NULL ? 0 : strlen(accept)};
    while (rest.size > 0) {
        struct range range = range_parse(span_take(&rest, ','));
        struct cairn_format format;
        if (range.q_millis > best_q && range_format(&range, &format)) {
            best = format;
            best_q = range.q_millis;
        }
    }
    return best;
}

void cairn_format_content_type(struct cairn_format format, char ret_text[CAIRN_CONTENT_TYPE_MAX])
{
    static const char *const types[] = {
        [CAIRN_TEXT_0_0_4] = "text/plain; version=0.0.4",
        [CAIRN_TEXT_1_0_0] = "text/plain; version=1.0.0",
        [CAIRN_OPENMETRICS_0_0_1] = "application/openmetrics-text; version=0.0.1",
        [CAIRN_OPENMETRICS_1_0_0] = "application/openmetrics-text; version=1.0.0",
    };
    (void)snprintf(ret_text, CAIRN_CONTENT_TYPE_MAX, "%s; charset=utf-8; escaping=%s",
                   types[format.exposition], escaping_names[format.escaping]);
}
