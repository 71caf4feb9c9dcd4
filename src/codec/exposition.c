/* A pull parser for both text formats. Lines are cut at LF; one pass over each. */
#include "codec/exposition.h"

#include <math.h>

#include "base/buf.h"
#include "codec/exposition_int.h"
#include "codec/num.h"

#define NAN_NORMAL_BITS UINT64_C(0x7ff8000000000001)

enum err exposition_format_of(struct str content_type, bool fallback_to_text,
                              enum exposition_format *ret_format, struct err_info *reterr_info)
{
    struct str rest = content_type;
    struct str type = str_trim(str_cut(&rest, ';'));
    if (str_ieq(type, STR("application/openmetrics-text"))) {
        *ret_format = EXPOSITION_OPENMETRICS;
        return ERR_OK;
    }
    if (str_ieq(type, STR("application/vnd.google.protobuf"))) {
        *ret_format = EXPOSITION_PROTO;
        return ERR_OK;
    }
    if (str_ieq(type, STR("text/plain")) || fallback_to_text) {
        *ret_format = EXPOSITION_TEXT;
        return ERR_OK;
    }
    if (type.n == 0) {
        return err_set(
            reterr_info, ERR_UNSUPPORTED,
            "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol "
            "specified for target");
    }
    return err_set(
        reterr_info, ERR_UNSUPPORTED,
        "received unsupported Content-Type \"%.*s\" and no fallback_scrape_protocol specified for target",
        STR_FMT(content_type));
}

void exposition_init(struct exposition_parser *p, enum exposition_format format, struct str text)
{
    *p = (struct exposition_parser){.format = format, .text = text};
}

/* -- one line -------------------------------------------------------------------------------------------- */

struct line {
    const char *p, *end;
    struct exposition_parser *parser;
    struct err_info *info;
};

static enum err bad(struct line *l, const char *expected)
{
    struct str rest = str_of(l->p, (size_t)(l->end - l->p));
    if (rest.n > 60) {
        rest.n = 60;
    }
    return err_set_at(l->info, ERR_INVALID, l->parser->line, 0,
                      "expected %s, got \"%.*s\" while parsing line %u", expected, STR_FMT(rest),
                      l->parser->line);
}

static bool name_start(char c)
{
    return (((unsigned)c | 32u) - (unsigned)'a') < 26u || c == '_' || c == ':';
}

static bool name_char(char c)
{
    return name_start(c) || (c >= '0' && c <= '9');
}

static bool is_blank(const struct line *l)
{
    return l->p < l->end && (*l->p == ' ' || *l->p == '\t');
}

static void skip_blanks(struct line *l)
{
    while (is_blank(l)) {
        l->p++;
    }
}

/* OpenMetrics separates by exactly one space, the text format by any number of blanks. */
static bool skip_separator(struct line *l)
{
    if (l->parser->format == EXPOSITION_OPENMETRICS) {
        if (l->p < l->end && *l->p == ' ') {
            l->p++;
            return true;
        }
        return false;
    }
    bool any = is_blank(l);
    skip_blanks(l);
    return any;
}

static struct str cut_name(struct line *l)
{
    const char *from = l->p;
    if (l->p < l->end && name_start(*l->p)) {
        while (l->p < l->end && name_char(*l->p)) {
            l->p++;
        }
    }
    return str_of(from, (size_t)(l->p - from));
}

/* A name without colons. */
static struct str cut_label_name(struct line *l)
{
    const char *from = l->p;
    while (l->p < l->end && *l->p != ':' && (l->p == from ? name_start(*l->p) : name_char(*l->p))) {
        l->p++;
    }
    return str_of(from, (size_t)(l->p - from));
}

/* Moves behind a quoted string that begins at p. */
static bool skip_quoted(struct line *l)
{
    for (l->p++; l->p < l->end; l->p++) {
        if (*l->p == '\\') {
            l->p++;
        } else if (*l->p == '"') {
            l->p++;
            return true;
        }
    }
    return false;
}

/* Moves behind {...}; the content is checked, not decoded. *ret_names: how many quoted metric names are in
 * it.
 */
static enum err skip_braces(struct line *l, unsigned *ret_names)
{
    bool quoted_name = false;
    *ret_names = 0;
    l->p++;
    for (;;) {
        skip_blanks(l);
        if (l->p < l->end && *l->p == '}') {
            l->p++;
            return ERR_OK;
        }
        if (l->p < l->end && *l->p == '"') {
            if (!skip_quoted(l)) {
                return bad(l, "closing quote");
            }
            quoted_name = true;
        } else {
            if (cut_label_name(l).n == 0) {
                return bad(l, "label name");
            }
            quoted_name = false;
        }
        skip_blanks(l);
        if (l->p < l->end && *l->p == '=') {
            l->p++;
            skip_blanks(l);
            const char *value = l->p;
            if (l->p >= l->end || *l->p != '"' || !skip_quoted(l)) {
                return bad(l, "label value");
            }
            if (!str_utf8_valid(str_of(value, (size_t)(l->p - value)))) {
                return err_set_at(l->info, ERR_INVALID, l->parser->line, 0,
                                  "invalid UTF-8 label value in line %u", l->parser->line);
            }
        } else if (!quoted_name) {
            return bad(l, "equal");
        } else {
            *ret_names += 1;
        }
        skip_blanks(l);
        if (l->p < l->end && *l->p == ',') {
            l->p++;
        } else if (!(l->p < l->end && *l->p == '}')) {
            return bad(l, "comma or closing brace");
        }
    }
}

/* Every NaN is the one there is. LIMIT: out of range. */
static enum err value_parse(struct str s, double *ret_value)
{
    enum err e = num_f64_parse(s, ret_value);
    if (e == ERR_OK && isnan(*ret_value)) {
        uint64_t bits = NAN_NORMAL_BITS;
        memcpy(ret_value, &bits, sizeof(bits));
    }
    return e;
}

static enum err cut_value(struct line *l, double *ret_value)
{
    const char *from = l->p;
    while (l->p < l->end && *l->p != ' ' && *l->p != '\t') {
        l->p++;
    }
    struct str s = str_of(from, (size_t)(l->p - from));
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == 'p' || s.p[i] == 'P' || s.p[i] == '_') {
            return err_set_at(l->info, ERR_INVALID, l->parser->line, 0,
                              "unsupported character in float \"%.*s\"", STR_FMT(s));
        }
    }
    if (value_parse(s, ret_value) != ERR_OK) {
        l->p = from;
        return bad(l, "value");
    }
    return ERR_OK;
}

bool exposition_value_take(const char **ret_p, const char *end, double *ret_value)
{
    const char *p = *ret_p;
    if (num_f64_take(ret_p, end, ret_value)) {
        return true;
    }
    while (p < end && *p != ' ' && *p != '\t' && *p != '\n') {
        if (*p == 'p' || *p == 'P' || *p == '_') {
            return false;
        }
        p++;
    }
    if (value_parse(str_of(*ret_p, (size_t)(p - *ret_p)), ret_value) != ERR_OK) {
        return false;
    }
    *ret_p = p;
    return true;
}

static enum err cut_timestamp(struct line *l, ts_ms *ret_ts)
{
    const char *from = l->p;
    while (l->p < l->end && *l->p != ' ' && *l->p != '\t') {
        l->p++;
    }
    struct str s = str_of(from, (size_t)(l->p - from));
    if (l->parser->format == EXPOSITION_OPENMETRICS) {
        double seconds;
        if (num_f64_parse(s, &seconds) || !isfinite(seconds)) {
            l->p = from;
            return bad(l, "timestamp");
        }
        *ret_ts = fabs(seconds) < 9.2e15 ? (ts_ms)(seconds * 1000) : INT64_MIN; /* as Go converts it */
        return ERR_OK;
    }
    int64_t ms;
    if (s.n == 0 || s.p[0] == '-' || s.p[0] == '+' || str_to_i64(s, &ms)) {
        l->p = from;
        return bad(l, "timestamp");
    }
    *ret_ts = ms;
    return ERR_OK;
}

/* "st@SECONDS": when the counter began to count. */
static enum err cut_start(struct line *l, struct exposition_item *item)
{
    if (!l->parser->starts_inline || l->end - l->p < 3 || memcmp(l->p, "st@", 3) != 0) {
        return ERR_OK;
    }
    l->p += 3;
    enum err e = cut_timestamp(l, &item->start_ts);
    if (!e) {
        (void)skip_separator(l);
    }
    return e;
}

/* " # {labels} value [timestamp]" */
static enum err cut_exemplar(struct line *l, struct exposition_item *item)
{
    l->p++;
    if (!skip_separator(l) || l->p >= l->end || *l->p != '{') {
        return bad(l, "exemplar labels");
    }
    const char *from = l->p;
    unsigned names = 0;
    enum err e = skip_braces(l, &names);
    if (e || names) {
        return e ? e : bad(l, "exemplar labels");
    }
    item->exemplar_raw = str_of(from, (size_t)(l->p - from));
    item->has_exemplar = true;
    if (!skip_separator(l)) {
        return bad(l, "exemplar value");
    }
    e = cut_value(l, &item->exemplar_value);
    if (!e && skip_separator(l) && l->p < l->end) {
        item->exemplar_has_ts = true;
        e = cut_timestamp(l, &item->exemplar_ts);
    }
    return e;
}

/* The hinted series, exactly as it stood before, and one space: nothing of it need be looked at. */
static bool take_expected(struct line *l, struct exposition_item *item)
{
    struct str x = l->parser->expect;
    if (x.n == 0 || (size_t)(l->end - l->p) < x.n + 2 || memcmp(l->p, x.p, x.n) != 0) {
        return false;
    }
    const char *after = l->p + x.n;
    if (after[0] != ' ' || after[1] == '{' || after[1] == ' ' || after[1] == '\t') {
        return false;
    }
    item->raw = str_of(l->p, x.n);
    item->expected = true;
    l->p = after + 1;
    return true;
}

static enum err take_series(struct line *l, struct exposition_item *item)
{
    const char *from = l->p;
    struct str name = cut_name(l);
    if (name.n == 0 && !(l->p < l->end && *l->p == '{')) {
        return bad(l, "a valid start token");
    }
    if (l->parser->format == EXPOSITION_TEXT) {
        const char *before = l->p;
        skip_blanks(l);
        if (!(l->p < l->end && *l->p == '{')) {
            l->p = before;
        }
    }
    unsigned names = 0;
    if (l->p < l->end && *l->p == '{') {
        enum err e = skip_braces(l, &names);
        if (e) {
            return e;
        }
    }
    if ((name.n > 0) + names != 1) {
        return err_set_at(l->info, ERR_INVALID, l->parser->line, 0, "metric name %s while parsing line %u",
                          names ? "already set" : "not set", l->parser->line);
    }
    item->raw = str_of(from, (size_t)(l->p - from));
    bool separated = skip_separator(l);
    return separated || (l->parser->format == EXPOSITION_TEXT && l->p[-1] == '}')
               ? ERR_OK
               : bad(l, "value after metric");
}

static enum err sample(struct line *l, struct exposition_item *item)
{
    enum err e = take_expected(l, item) ? ERR_OK : take_series(l, item);
    e = e ? e : cut_value(l, &item->value);
    if (e) {
        return e;
    }
    if (skip_separator(l) && l->p < l->end && *l->p != '#') {
        item->has_ts = true;
        e = cut_timestamp(l, &item->ts);
        if (e) {
            return e;
        }
        (void)skip_separator(l);
        e = cut_start(l, item);
        if (e) {
            return e;
        }
    }
    if (l->parser->format == EXPOSITION_OPENMETRICS && l->p < l->end && *l->p == '#') {
        e = cut_exemplar(l, item);
    }
    bool trailing = l->parser->format == EXPOSITION_OPENMETRICS && l->p == l->end && l->p[-1] == ' ';
    return e ? e : l->p == l->end && !trailing ? ERR_OK : bad(l, "next entry after value");
}

/* -- comments -------------------------------------------------------------------------------------------- */

static struct str unescape(struct arena *a, struct str s, bool quotes)
{
    if (str_find_char(s, '\\', 0) == STR_NPOS) {
        return s;
    }
    char *out = arena_bytes(a, s.n ? s.n : 1);
    size_t n = 0;
    for (size_t i = 0; out && i < s.n; i++) {
        char c = s.p[i], next = i + 1 < s.n ? s.p[i + 1] : '\0';
        if (c == '\\' && (next == '\\' || next == 'n' || (quotes && next == '"'))) {
            out[n++] = next == 'n' ? '\n' : next;
            i++;
        } else {
            out[n++] = c;
        }
    }
    return str_of(out, n);
}

static enum err family_name(struct line *l, struct arena *a, struct str *ret_name)
{
    if (l->p < l->end && *l->p == '"') {
        const char *from = l->p + 1;
        if (!skip_quoted(l)) {
            return bad(l, "metric name after keyword");
        }
        *ret_name = unescape(a, str_of(from, (size_t)(l->p - 1 - from)), true);
        return ret_name->p ? ERR_OK : ERR_OOM;
    }
    *ret_name = cut_name(l);
    return ret_name->n ? ERR_OK : bad(l, "metric name after keyword");
}

static bool known_type(enum exposition_format f, struct str t)
{
    static const char *const text[] = {"counter", "gauge", "histogram", "summary", "untyped"};
    static const char *const open[] = {"counter", "gauge", "histogram", "gaugehistogram",
                                       "summary", "info",  "stateset",  "unknown"};
    for (size_t i = 0; i < (f == EXPOSITION_TEXT ? ARRAY_LEN(text) : ARRAY_LEN(open)); i++) {
        if (str_eq_c(t, f == EXPOSITION_TEXT ? text[i] : open[i])) {
            return true;
        }
    }
    return false;
}

static enum err keyword(struct line *l, struct arena *a, enum exposition_event event,
                        struct exposition_item *item)
{
    enum err e = family_name(l, a, &item->metric);
    if (e) {
        return e;
    }
    l->parser->family = item->metric;
    if (l->p == l->end && l->parser->format == EXPOSITION_OPENMETRICS) {
        return bad(l, "text after metric name");
    }
    l->p += is_blank(l); /* one; more belong to the text */
    struct str text = str_of(l->p, (size_t)(l->end - l->p));
    if (event == EXPOSITION_TYPE) {
        if (!known_type(l->parser->format, text)) {
            return err_set_at(l->info, ERR_INVALID, l->parser->line, 0, "invalid metric type \"%.*s\"",
                              STR_FMT(text));
        }
        item->text = str_eq_c(text, "untyped") ? STR("unknown") : text;
        return ERR_OK;
    }
    if (event == EXPOSITION_UNIT && text.n) {
        bool suffix = str_ends(item->metric, text) && item->metric.n > text.n &&
                      item->metric.p[item->metric.n - text.n - 1] == '_';
        if (!suffix) {
            return err_set_at(l->info, ERR_INVALID, l->parser->line, 0,
                              "unit \"%.*s\" not a suffix of metric \"%.*s\"", STR_FMT(text),
                              STR_FMT(item->metric));
        }
    }
    if (!str_utf8_valid(text)) {
        return err_set_at(l->info, ERR_INVALID, l->parser->line, 0, "help text is not a valid utf8 string");
    }
    item->text = unescape(a, text, l->parser->format == EXPOSITION_OPENMETRICS);
    return item->text.p || text.n == 0 ? ERR_OK : ERR_OOM;
}

static bool take_word(struct line *l, struct str word)
{
    size_t left = (size_t)(l->end - l->p);
    if (left < word.n || memcmp(l->p, word.p, word.n) != 0) {
        return false;
    }
    if (left > word.n && l->p[word.n] != ' ' && l->p[word.n] != '\t') {
        return false;
    }
    l->p += word.n;
    return true;
}

static enum err comment(struct line *l, struct arena *a, enum exposition_event *ret_event,
                        struct exposition_item *item)
{
    static const struct {
        struct str word;
        enum exposition_event event;
    } words[] = {{STR_INIT("HELP"), EXPOSITION_HELP},
                 {STR_INIT("TYPE"), EXPOSITION_TYPE},
                 {STR_INIT("UNIT"), EXPOSITION_UNIT}};
    bool open = l->parser->format == EXPOSITION_OPENMETRICS;
    l->p++;
    if (open && l->end - l->p == 4 && memcmp(l->p, " EOF", 4) == 0) {
        l->parser->eof_seen = true;
        *ret_event = EXPOSITION_END;
        return l->parser->pos == l->parser->text.n
                   ? ERR_OK
                   : err_set_at(l->info, ERR_INVALID, l->parser->line, 0, "unexpected data after # EOF");
    }
    bool separated = skip_separator(l);
    for (size_t i = 0; separated && i < (open ? 3u : 2u); i++) {
        if (take_word(l, words[i].word)) {
            *ret_event = words[i].event;
            if (skip_separator(l)) {
                return keyword(l, a, words[i].event, item);
            }
            if (open) {
                return bad(l, "metric name after keyword");
            }
            break; /* a comment that says nothing else */
        }
    }
    if (open) {
        return bad(l, "HELP, TYPE, UNIT or EOF after #");
    }
    *ret_event = EXPOSITION_COMMENT;
    return ERR_OK;
}

enum err exposition_next(struct exposition_parser *p, struct arena *a, enum exposition_event *ret_event,
                         struct exposition_item *ret_item, struct err_info *reterr_info)
{
    if (p->format == EXPOSITION_PROTO) {
        return exposition_proto_next(p, a, ret_event, ret_item, reterr_info);
    }
    for (;;) {
        if (p->eof_seen) {
            *ret_event = EXPOSITION_END;
            return ERR_OK;
        }
        if (p->pos >= p->text.n) {
            *ret_event = EXPOSITION_END;
            if (p->format == EXPOSITION_OPENMETRICS) {
                return err_set_at(reterr_info, ERR_INVALID, p->line, 0, "data does not end with # EOF");
            }
            return ERR_OK;
        }
        const char *from = p->text.p + p->pos;
        const char *lf = memchr(from, '\n', p->text.n - p->pos);
        struct line l = {from, lf ? lf : p->text.p + p->text.n, p, reterr_info};
        p->pos = lf ? (size_t)(lf + 1 - p->text.p) : p->text.n;
        p->line++;
        if (p->format == EXPOSITION_TEXT) {
            skip_blanks(&l);
            if (l.p == l.end) {
                continue;
            }
        }
        memset(ret_item, 0, sizeof(*ret_item));
        if (l.p < l.end && *l.p == '#') {
            return comment(&l, a, ret_event, ret_item);
        }
        if (p->comments_only) {
            continue;
        }
        *ret_event = EXPOSITION_SAMPLE;
        if (p->format == EXPOSITION_OPENMETRICS && !lf) {
            return bad(&l, "end of line");
        }
        enum err e = sample(&l, ret_item);
        if (!e && p->format == EXPOSITION_TEXT && !ret_item->expected) {
            ret_item->raw = str_trim(ret_item->raw);
        }
        return e;
    }
}

/* -- labels ---------------------------------------------------------------------------------------------- */

static enum err label_text(struct line *l, struct arena *a, struct str *ret_text)
{
    const char *from = l->p + 1;
    if (!skip_quoted(l)) {
        return bad(l, "closing quote");
    }
    *ret_text = unescape(a, str_of(from, (size_t)(l->p - 1 - from)), true);
    return ret_text->p ? ERR_OK : ERR_OOM;
}

enum err exposition_labels(struct arena *a, struct str raw, const struct wire_label **ret_labels,
                           size_t *ret_n, struct err_info *reterr_info)
{
    struct exposition_parser parser = {.format = EXPOSITION_TEXT, .text = raw};
    struct line l = {raw.p, raw.p + raw.n, &parser, reterr_info};
    size_t n = 0, commas = 2;
    for (size_t i = 0; i < raw.n; i++) {
        commas += raw.p[i] == ',';
    }
    struct wire_label *out = arena_array(a, commas, sizeof(*out));
    if (!out) {
        return arena_err(a);
    }
    struct str name = cut_name(&l);
    if (name.n) {
        out[n++] = (struct wire_label){STR("__name__"), name};
    }
    skip_blanks(&l);
    if (l.p < l.end && *l.p == '{') {
        l.p++;
        for (;;) {
            skip_blanks(&l);
            if (l.p >= l.end || *l.p == '}') {
                break;
            }
            struct str key, value = {0};
            bool quoted = *l.p == '"';
            enum err e = ERR_OK;
            if (quoted) {
                e = label_text(&l, a, &key);
            } else {
                key = cut_name(&l);
                e = key.n ? ERR_OK : bad(&l, "label name");
            }
            skip_blanks(&l);
            if (!e && l.p < l.end && *l.p == '=') {
                l.p++;
                skip_blanks(&l);
                e = l.p < l.end && *l.p == '"' ? label_text(&l, a, &value) : bad(&l, "label value");
                if (!e && n < commas) {
                    out[n++] = (struct wire_label){key, value};
                }
            } else if (!e && quoted && n < commas) {
                /* {"metric.name", ...} */
                memmove(out + 1, out, n * sizeof(*out));
                out[0] = (struct wire_label){STR("__name__"), key};
                n++;
            }
            if (e) {
                return e;
            }
            skip_blanks(&l);
            if (l.p < l.end && *l.p == ',') {
                l.p++;
            }
        }
    }
    *ret_labels = out;
    *ret_n = n;
    return ERR_OK;
}
