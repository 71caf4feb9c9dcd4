/* The three line formats. An event always becomes exactly one line of valid UTF-8 without control characters:
 * they are written as escapes, bytes that are no UTF-8 as U+FFFD. A line that grows too long is cut inside
 * the text at hand, marked, and closed properly; fields that no longer fit are left out. Any thread; the only
 * state is a thread's last time stamp. */
#include "client_int.h"
#include "log_int.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

static const char cut_mark[] = "...[cut]";

enum {
    CONTENT_MAX = CAIRN_LOG_LINE_MAX - CAIRN__LOG_RESERVE,
    KEY_MAX = 256
};

/* How a format writes text. */
struct style {
    bool quotes; /* escape quote and backslash, and control characters as \u0000; else those as \x00 */
};

static const struct style style_plain = {.quotes = false};
static const struct style style_quoted = {.quotes = true};

static const char *const level_names[][2] = {
    [CAIRN_LOG_DEBUG] = {"DEBUG", "debug"},          [CAIRN_LOG_INFO] = {"INFO", "info"},
    [CAIRN_LOG_WARNING] = {"WARNING", "warning"},    [CAIRN_LOG_ERROR] = {"ERROR", "error"},
    [CAIRN_LOG_CRITICAL] = {"CRITICAL", "critical"},
};

static const char *const format_names[] = {
    [CAIRN_LOG_PYTHON] = "python",
    [CAIRN_LOG_JSON] = "json",
    [CAIRN_LOG_LOGFMT] = "logfmt",
};

bool cairn_log_format_parse(const char *text, enum cairn_log_format *ret_format)
{
    for (size_t i = 0; text != NULL && i < sizeof format_names / sizeof format_names[0]; i++) {
        if (strcasecmp(text, format_names[i]) == 0) {
            *ret_format = (enum cairn_log_format)i;
            return true;
        }
    }
    return false;
}

bool cairn_log_level_parse(const char *text, enum cairn_log_level *ret_level)
{
    for (size_t i = 0; text != NULL && i < sizeof level_names / sizeof level_names[0]; i++) {
        bool short_form = i == CAIRN_LOG_WARNING && strcasecmp(text, "warn") == 0;
        if (short_form || strcasecmp(text, level_names[i][1]) == 0) {
            *ret_level = (enum cairn_log_level)i;
            return true;
        }
    }
    return false;
}

/* Punctuation, keys and numbers: callers keep them within the reserve. */
static void put(struct cairn__line *line, const char *text, size_t size)
{
    if (size <= sizeof line->data - line->size) {
        memcpy(line->data + line->size, text, size);
        line->size += size;
    }
}

static void put_text(struct cairn__line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* Text from outside. False once the line is full. */
static bool content(struct cairn__line *line, const char *text, size_t size)
{
    if (line->cut) {
        return false;
    }
    size_t room = line->size < CONTENT_MAX ? CONTENT_MAX - line->size : 0;
    if (size <= room) {
        put(line, text, size);
        return true;
    }
    while (room > 0 && ((unsigned char)text[room] & 0xc0) == 0x80) {
        room--; /* not inside a character */
    }
    put(line, text, room);
    put_text(line, cut_mark);
    line->cut = true;
    return false;
}

static bool is_plain(unsigned char c, const struct style *style)
{
    return c >= 0x20 && c < 0x7f && !(style->quotes && (c == '"' || c == '\\'));
}

/* The length of a whole UTF-8 character that may stand as it is: not a C1 control. */
static size_t rune_length(const char *text, size_t size)
{
    unsigned char lead = (unsigned char)text[0];
    size_t length = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length > size || !cairn__utf8_valid(text, length)) {
        return 0;
    }
    return length;
}

/* What can't stand as it is: one byte or character at text; returns how much of it was used. */
static size_t special(struct cairn__line *line, const char *text, size_t size, const struct style *style)
{
    unsigned char c = (unsigned char)text[0];
    size_t length = c < 0x80 ? 1 : rune_length(text, size);
    char escaped[16];
    if (length == 0) {
        (void)content(line, "\xef\xbf\xbd", 3);
        return 1;
    }
    bool c1 = length == 2 && c == 0xc2 && (unsigned char)text[1] < 0xa0;
    if (length > 1 && !c1) {
        (void)content(line, text, length);
        return length;
    }
    char letter = c1 ? '\0' : c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : '\0';
    letter = c == '"' || c == '\\' ? (char)c : letter;
    if (letter != '\0') {
        escaped[0] = '\\';
        escaped[1] = letter;
        (void)content(line, escaped, 2);
        return length;
    }
    unsigned rune = c1 ? (unsigned char)text[1] : c;
    int written = snprintf(escaped, sizeof escaped, "%s%02x", style->quotes ? "\\u00" : "\\x", rune);
    (void)content(line, escaped, written > 0 ? (size_t)written : 0);
    return length;
}

static void text_escaped(struct cairn__line *line, const char *text, const struct style *style)
{
    size_t size = strnlen(text, CAIRN_LOG_LINE_MAX);
    while (size > 0 && !line->cut) {
        size_t plain = 0;
        while (plain < size && is_plain((unsigned char)text[plain], style)) {
            plain++;
        }
        size_t used = plain;
        if (plain > 0) {
            (void)content(line, text, plain);
        } else {
            used = special(line, text, size, style);
        }
        text += used;
        size -= used;
    }
}

static void text_quoted(struct cairn__line *line, const char *text)
{
    put_text(line, "\"");
    text_escaped(line, text, &style_quoted);
    put_text(line, "\"");
}

/* ---- time ---- */

/* The second at hand as text: made once a second and thread. */
struct second {
    int64_t second;
    bool utc;
    bool python;
    size_t size;
    char text[40];
};

static _Thread_local struct second last_second = {.second = -1};

static void put_second(struct cairn__line *line, int64_t second, bool utc, bool python)
{
    struct second *last = &last_second;
    if (last->second != second || last->utc != utc || last->python != python) {
        struct tm parts = {0};
        time_t at = (time_t)second;
        if (utc) {
            (void)gmtime_r(&at, &parts);
        } else {
            (void)localtime_r(&at, &parts);
        }
        last->size = strftime(last->text, sizeof last->text,
                              python ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%dT%H:%M:%S", &parts);
        last->second = second;
        last->utc = utc;
        last->python = python;
    }
    put(line, last->text, last->size);
}

static void put_rfc3339(struct cairn__line *line, int64_t wall_ns)
{
    char fraction[] = ".000000Z";
    int64_t micros = wall_ns / 1000 % 1000000;
    put_second(line, wall_ns / 1000000000, true, false);
    for (size_t i = 6; i > 0; i--, micros /= 10) {
        fraction[i] = (char)('0' + micros % 10);
    }
    put(line, fraction, sizeof fraction - 1);
}

/* ---- values ---- */

static void put_number(struct cairn__line *line, const struct cairn_log_field *field, bool json)
{
    char text[CAIRN__NUMBER_MAX + 2] = "\"";
    char *number = text + 1;
    switch (field->kind) {
    case CAIRN_LOG_INT:
        (void)snprintf(number, CAIRN__NUMBER_MAX, "%" PRId64, field->value.integer);
        break;
    case CAIRN_LOG_UINT:
        (void)cairn__number_u64(field->value.unsigned_integer, number);
        break;
    case CAIRN_LOG_DOUBLE:
        (void)cairn__number(field->value.number, number);
        break;
    case CAIRN_LOG_BOOL:
    case CAIRN_LOG_STRING:
        (void)snprintf(number, CAIRN__NUMBER_MAX, "%s", field->value.boolean ? "true" : "false");
        break;
    }
    bool quoted = json && field->kind == CAIRN_LOG_DOUBLE && !isfinite(field->value.number);
    put_text(line, quoted ? text : number);
    if (quoted) {
        put_text(line, "\"");
    }
}

static bool bare_word(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c <= ' ' || c >= 0x7f || c == '=' || c == '"' || c == '\\') {
            return false;
        }
    }
    return text[0] != '\0';
}

static void put_key(struct cairn__line *line, const char *key)
{
    size_t size = key == NULL ? 0 : strnlen(key, KEY_MAX);
    for (size_t i = 0; i < size; i++) {
        char c = key[i];
        bool kept = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                    c == '.' || c == '-';
        put(line, kept ? &c : "_", 1);
    }
    put(line, "_", size == 0 ? 1 : 0);
}

/* Whether one more key and number fit; ends the fields when they don't. */
static bool field_fits(struct cairn__line *line)
{
    if (line->size + KEY_MAX + CAIRN__NUMBER_MAX > CONTENT_MAX) {
        line->cut = true;
    }
    return !line->cut;
}

static void put_fields_logfmt(struct cairn__line *line, const struct cairn__event *event)
{
    for (size_t i = 0; i < event->field_count && field_fits(line); i++) {
        const struct cairn_log_field *field = &event->fields[i];
        put_text(line, " ");
        put_key(line, field->key);
        put_text(line, "=");
        const char *text =
            field->kind == CAIRN_LOG_STRING && field->value.string != NULL ? field->value.string : "";
        if (field->kind != CAIRN_LOG_STRING) {
            put_number(line, field, false);
        } else if (bare_word(text)) {
            text_escaped(line, text, &style_plain);
        } else {
            text_quoted(line, text);
        }
    }
}

static void format_python(struct cairn__line *line, const struct cairn__event *event)
{
    put_second(line, event->wall_ns / 1000000000, event->utc, true);
    put_text(line, " - ");
    text_escaped(line, event->logger, &style_plain);
    put_text(line, " - ");
    put_text(line, level_names[event->level][0]);
    put_text(line, " - ");
    text_escaped(line, event->message, &style_plain);
    put_fields_logfmt(line, event);
}

static void format_json(struct cairn__line *line, const struct cairn__event *event)
{
    put_text(line, "{\"timestamp\":\"");
    put_rfc3339(line, event->wall_ns);
    put_text(line, "\",\"level\":\"");
    put_text(line, level_names[event->level][1]);
    put_text(line, "\",\"logger\":");
    text_quoted(line, event->logger);
    put_text(line, ",\"message\":");
    text_quoted(line, event->message);
    for (size_t i = 0; i < event->field_count && field_fits(line); i++) {
        const struct cairn_log_field *field = &event->fields[i];
        put_text(line, ",\"");
        put_key(line, field->key);
        put_text(line, "\":");
        if (field->kind != CAIRN_LOG_STRING) {
            put_number(line, field, true);
        } else if (field->value.string == NULL) {
            put_text(line, "null");
        } else {
            text_quoted(line, field->value.string);
        }
    }
    put_text(line, "}");
}

static void format_logfmt(struct cairn__line *line, const struct cairn__event *event)
{
    put_text(line, "ts=");
    put_rfc3339(line, event->wall_ns);
    put_text(line, " level=");
    put_text(line, level_names[event->level][1]);
    put_text(line, " logger=");
    if (bare_word(event->logger)) {
        text_escaped(line, event->logger, &style_plain);
    } else {
        text_quoted(line, event->logger);
    }
    put_text(line, " msg=");
    text_quoted(line, event->message);
    put_fields_logfmt(line, event);
}

void cairn__line_format(struct cairn__line *line, enum cairn_log_format format,
                        const struct cairn__event *event)
{
    line->size = 0;
    line->cut = false;
    switch (format) {
    case CAIRN_LOG_PYTHON:
        format_python(line, event);
        break;
    case CAIRN_LOG_JSON:
        format_json(line, event);
        break;
    case CAIRN_LOG_LOGFMT:
        format_logfmt(line, event);
        break;
    }
    put_text(line, "\n");
}
