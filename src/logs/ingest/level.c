/* Level detection, as Loki's distributor does it. */
#include "codec/json.h"
#include "logs/ingest/push_ingest.h"

static const char *const level_names[] = {
    "level",        "LEVEL", "Level", "log.level", "severity",      "SEVERITY",      "Severity",
    "SeverityText", "lvl",   "LVL",   "Lvl",       "severity_text", "Severity_Text", "SEVERITY_TEXT"};

static const struct {
    const char *word, *level;
} level_words[] = {
    {"trace", "trace"},       {"trc", "trace"},     {"debug", "debug"},      {"dbg", "debug"},
    {"info", "info"},         {"inf", "info"},      {"information", "info"}, {"warn", "warn"},
    {"wrn", "warn"},          {"warning", "warn"},  {"error", "error"},      {"err", "error"},
    {"critical", "critical"}, {"crit", "critical"}, {"fatal", "fatal"},
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

static const char *from_json(const struct json_value *o, unsigned depth)
{
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
        const struct json_value *v = json_get(o, str_c(level_names[i]));
        if (v && v->kind == JSON_STRING) {
            return normal(v->string) ? normal(v->string) : "unknown";
        }
    }
    for (const struct json_value *c = depth ? o->child : NULL; c; c = c->next) {
        const char *found = c->kind == JSON_OBJECT ? from_json(c, depth - 1) : NULL;
        if (found) {
            return found;
        }
    }
    return NULL;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* key=value or key="value" with one of the level names, any case. */
static const char *from_logfmt(struct str line)
{
    for (size_t at = str_find_char(line, '=', 0); at != STR_NPOS; at = str_find_char(line, '=', at + 1)) {
        size_t from = at;
        while (from > 0 && (is_word(line.p[from - 1]) || line.p[from - 1] == '.')) {
            from--;
        }
        struct str key = str_slice(line, from, at);
        bool hit = false;
        for (size_t i = 0; i < ARRAY_LEN(level_names) && !hit; i++) {
            hit = str_ieq(key, str_c(level_names[i]));
        }
        if (!hit) {
            continue;
        }
        size_t begin = at + 1 + (at + 1 < line.n && line.p[at + 1] == '"'), end = begin;
        while (end < line.n && is_word(line.p[end])) {
            end++;
        }
        const char *n = normal(str_slice(line, begin, end));
        return n ? n : "unknown";
    }
    return NULL;
}

/* The earliest of the level words that stands alone. */
static const char *from_words(struct str line)
{
    static const char *const words[] = {"trace", "debug",   "fatal", "critical", "error",
                                        "err",   "warning", "warn",  "info"};
    for (size_t i = 0; i < line.n; i++) {
        char c = (char)(line.p[i] | 32);
        if (!strchr("tdfcewi", c) || (i && (is_word(line.p[i - 1]) || line.p[i - 1] == ':'))) {
            continue;
        }
        for (size_t k = 0; k < ARRAY_LEN(words); k++) {
            size_t n = strlen(words[k]);
            if (i + n <= line.n && str_ieq(str_slice(line, i, i + n), str_of(words[k], n)) &&
                (i + n == line.n || !is_word(line.p[i + n]))) {
                return normal(str_of(words[k], n));
            }
        }
    }
    return NULL;
}

struct str push_detect_level(struct arena *a, struct labels stream, struct labels metadata, struct str line)
{
    struct str given = labels_get(metadata, STR("detected_level"));
    if (given.n) {
        const char *n = normal(given);
        return n ? str_c(n) : given;
    }
    struct str named;
    if (named_level(stream, &named) || named_level(metadata, &named)) {
        return named;
    }
    const char *found = NULL;
    const struct json_value *root;
    struct str t = str_trim(line);
    if (t.n > 1 && t.p[0] == '{' && t.p[t.n - 1] == '}' && json_parse(a, t, &root, NULL) == ERR_OK) {
        found = from_json(root, 1);
        return str_c(found ? found : "unknown");
    }
    found = from_logfmt(line);
    if (!found) {
        found = from_words(line);
    }
    return str_c(found ? found : "unknown");
}
