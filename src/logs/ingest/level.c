/* Level detection, as Loki's distributor does it. */
#include "logs/ingest/push_ingest.h"
#include "logs/logql/json_scan.h"
#include "logs/logql/logfmt_scan.h"

enum {
    JSON_DEPTH_MAX = 2
};

static const char *const level_names[] = {
    "level",        "LEVEL", "Level", "log.level", "severity",      "SEVERITY",      "Severity",
    "SeverityText", "lvl",   "LVL",   "Lvl",       "severity_text", "Severity_Text", "SEVERITY_TEXT"};

static const struct {
    const char *word, *level;
} level_words[] = {
    {"trace", "trace"},       {"trc", "trace"},    {"debug", "debug"},      {"dbg", "debug"},
    {"info", "info"},         {"inf", "info"},     {"information", "info"}, {"warn", "warn"},
    {"wrn", "warn"},          {"warning", "warn"}, {"error", "error"},      {"err", "error"},
    {"critical", "critical"}, {"fatal", "fatal"},
};

/* NULL when the value is no known level. */
static const char *normal(struct str value)
{
    for (size_t i = 0; i < ARRAY_LEN(level_words); i++) {
        if (str_ieq(value, str_c(level_words[i].word))) {
            return level_words[i].level;
        }
    }
    return NULL;
}

static bool named_level(struct labels ls, struct str *ret_level)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        struct str v = labels_get(ls, str_c(level_names[i]));
        if (v.n) {
            const char *n = normal(v);
            *ret_level = n ? str_c(n) : v;
            return true;
        }
    }
    return false;
}

/* -- in the line ----------------------------------------------------------------------------------------- */

struct search {
    struct arena *a;
    struct str found;
    unsigned depth;
};

static const char *member_seen(void *ctx, struct str key, const struct scan_value *v)
{
    static const char stop[] = "found";
    struct search *s = ctx;
    if (v->type == SCAN_OBJECT && s->depth < JSON_DEPTH_MAX) {
        s->depth++;
        const char *fault = scan_object(s->a, v->text, member_seen, s);
        s->depth--;
        return fault;
    }
    for (size_t i = 0; v->type == SCAN_STRING && i < ARRAY_LEN(level_names); i++) {
        if (str_eq_c(key, level_names[i])) {
            s->found = v->text.p ? v->text : STR("");
            return stop;
        }
    }
    return NULL;
}

/* The first member of a known name, in the order of the text and into nested objects. */
static struct str from_json(struct arena *a, struct str line)
{
    struct search s = {.a = a, .depth = 1};
    (void)scan_object(a, line, member_seen, &s);
    return s.found;
}

/* The value of the key that stands first among the known names, in any case. */
static struct str from_logfmt(struct arena *a, struct str line)
{
    struct logfmt_scan s = {.line = line, .a = a};
    struct str found = {0};
    size_t best = ARRAY_LEN(level_names);
    while (best && !logfmt_scan_ended(&s) && logfmt_scan_next(&s)) {
        for (size_t i = 0; i < best; i++) {
            if (str_ieq(s.key, str_c(level_names[i]))) {
                found = s.value;
                best = i;
            }
        }
    }
    return found;
}

static bool bounds(struct str line, size_t from, size_t end)
{
    bool left = from == 0 || (line.p[from - 1] && strchr(" \t\n[({\"'=|", line.p[from - 1]));
    bool right = end == line.n || (line.p[end] && strchr(" \t\n[](){}:,!\"'=|", line.p[end]));
    return left && right;
}

/* The earliest of the level words that stands alone. */
static const char *from_words(struct str line)
{
    static const char *const words[] = {"trace", "debug",   "fatal", "critical", "error",
                                        "err",   "warning", "warn",  "info"};
    for (size_t i = 0; i < line.n; i++) {
        if (!strchr("tdfcewi", line.p[i] | 32)) {
            continue;
        }
        for (size_t k = 0; k < ARRAY_LEN(words); k++) {
            size_t n = strlen(words[k]);
            if (i + n <= line.n && str_ieq(str_slice(line, i, i + n), str_of(words[k], n)) &&
                bounds(line, i, i + n)) {
                return normal(str_of(words[k], n));
            }
        }
    }
    return NULL;
}

struct str push_detect_level(struct arena *a, struct labels stream, struct labels metadata, struct str line)
{
    struct str given = labels_get(metadata, STR("detected_level")), named;
    if (given.n) {
        const char *n = normal(given);
        return n ? str_c(n) : given;
    }
    if (named_level(stream, &named) || named_level(metadata, &named)) {
        return named;
    }
    struct str t = str_trim(line), value = {0};
    if (t.n > 1 && t.p[0] == '{' && t.p[t.n - 1] == '}') {
        value = from_json(a, t);
    } else if (str_find_char(line, '=', 0) != STR_NPOS) {
        value = from_logfmt(a, line);
    }
    const char *found = normal(value);
    if (!found) {
        found = from_words(line);
    }
    return str_c(found ? found : "unknown");
}
