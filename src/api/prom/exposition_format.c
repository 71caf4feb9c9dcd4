/* Negotiation as the original's library for expositions does it, and its four ways of writing names. */
#include "api/prom/exposition_format.h"

#include "base/buf.h"
#include "codec/num.h"
#include "labels/labels.h"

enum {
    CLAUSES_MAX = 32
};

static const char *const escapings[] = {
    [ESCAPE_UNDERSCORES] = "underscores",
    [ESCAPE_DOTS] = "dots",
    [ESCAPE_VALUES] = "values",
    [ESCAPE_NONE] = "allow-utf-8",
};

struct clause {
    struct str type, params;
    double quality;
};

/* The parameter's value, without quotes; {NULL, 0} when absent. */
static struct str param_of(struct str params, const char *name)
{
    while (params.p) {
        struct str value = str_trim(str_cut(&params, ';')), key = str_trim(str_cut(&value, '='));
        if (str_ieq(key, str_c(name))) {
            value = str_trim(value);
            bool quoted = value.n > 1 && value.p[0] == '"' && value.p[value.n - 1] == '"';
            return quoted ? str_slice(value, 1, value.n - 1) : value;
        }
    }
    return (struct str){0};
}

/* Best first; equal ones in the order given. */
static size_t clauses_of(struct str accept, struct clause *out)
{
    size_t n = 0;
    while (accept.p && n < CLAUSES_MAX) {
        struct str params = str_cut(&accept, ',');
        struct clause c = {.type = str_trim(str_cut(&params, ';')), .params = params, .quality = 1};
        struct str q = param_of(params, "q");
        if (q.n && num_f64_parse(q, &c.quality)) {
            c.quality = 1;
        }
        size_t at = n++;
        for (; at && out[at - 1].quality < c.quality; at--) {
            out[at] = out[at - 1];
        }
        out[at] = c;
    }
    return n;
}

struct exposition_format exposition_negotiate(struct str accept)
{
    struct clause clauses[CLAUSES_MAX];
    struct exposition_format f = {0};
    size_t n = clauses_of(accept, clauses);
    for (size_t i = 0; i < n; i++) {
        struct str escaping = param_of(clauses[i].params, "escaping"),
                   version = param_of(clauses[i].params, "version");
        for (size_t k = 0; k < ARRAY_LEN(escapings); k++) {
            f.escaping = str_eq_c(escaping, escapings[k]) ? (enum name_escaping)k : f.escaping;
        }
        if (str_eq_c(clauses[i].type, "application/vnd.google.protobuf") &&
            str_eq_c(param_of(clauses[i].params, "proto"), "io.prometheus.client.MetricFamily") &&
            str_eq_c(param_of(clauses[i].params, "encoding"), "delimited")) {
            f.protobuf = true;
            return f;
        }
        if (str_eq_c(clauses[i].type, "text/plain") && (version.n == 0 || str_eq_c(version, "0.0.4"))) {
            return f;
        }
    }
    return f;
}

const char *exposition_content_type(struct exposition_format f)
{
#define TEXT "text/plain; version=0.0.4; charset=utf-8; escaping="
#define PROTO                                                                                        \
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; " \
    "escaping="
    static const char *const types[2][4] = {
        {TEXT "underscores", TEXT "dots", TEXT "values", TEXT "allow-utf-8"},
        {PROTO "underscores", PROTO "dots", PROTO "values", PROTO "allow-utf-8"},
    };
    return types[f.protobuf][f.escaping];
}

static bool allowed(struct str name, size_t i)
{
    char c = name.p[i];
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           (c >= '0' && c <= '9' && i > 0);
}

/* The character at i of valid UTF-8, and its width. */
static uint32_t code_at(struct str s, size_t i, size_t *ret_width)
{
    unsigned char c = (unsigned char)s.p[i];
    size_t width = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t code = c < 0x80 ? c : c & (0xffU >> (width + 1));
    for (size_t k = 1; k < width && i + k < s.n; k++) {
        code = code << 6 | ((unsigned char)s.p[i + k] & 0x3f);
    }
    *ret_width = width;
    return code;
}

struct str exposition_name(struct arena *a, struct str name, enum name_escaping escaping)
{
    if (escaping == ESCAPE_NONE || metric_name_is_legacy(name) || !str_utf8_valid(name)) {
        return name;
    }
    struct buf b AUTO_BUF = {0};
    buf_c(&b, escaping == ESCAPE_VALUES ? "U__" : "");
    for (size_t i = 0, width = 1; i < name.n; i += width) {
        uint32_t code = code_at(name, i, &width);
        bool plain = allowed(name, i);
        if (escaping != ESCAPE_UNDERSCORES && name.p[i] == '_') {
            buf_c(&b, "__");
        } else if (escaping == ESCAPE_DOTS && name.p[i] == '.') {
            buf_c(&b, "_dot_");
        } else if (plain) {
            buf_char(&b, name.p[i]);
        } else if (escaping == ESCAPE_VALUES) {
            buf_printf(&b, "_%x_", (unsigned)code);
        } else {
            buf_c(&b, escaping == ESCAPE_DOTS ? "__" : "_");
        }
    }
    return b.err ? (struct str){0} : arena_str(a, buf_view(&b));
}
