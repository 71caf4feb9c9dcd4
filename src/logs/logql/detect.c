/* Fields of lines, with the parsers of pipelines. */
#include "logs/logql/detect.h"

#include "base/mem.h"
#include "golang/gostr.h"
#include "logs/logql/pipeline.h"

struct logql_detector {
    struct arena a;
    struct stage logfmt;
    struct pipe_stage stage;
    struct pipeline p;
    struct json_origins origins;
};

enum err logql_detector_new(struct mem_budget *budget, struct logql_detector **ret_detector)
{
    struct logql_detector *d = mem_zalloc(sizeof(*d));
    if (!d) {
        return ERR_OOM;
    }
    arena_init(&d->a, 0, budget);
    arena_init(&d->p.line, 0, budget);
    d->p.a = &d->a;
    d->p.origins = &d->origins;
    builder_init(&d->p.b, &d->p.hints, &d->p.line, &d->a);
    d->logfmt.kind = STAGE_LOGFMT;
    d->stage = (struct pipe_stage){.kind = STAGE_LOGFMT, .src = &d->logfmt};
    *ret_detector = d;
    return ERR_OK;
}

void logql_detector_free(struct logql_detector *d)
{
    if (d) {
        arena_done(&d->p.line);
        arena_done(&d->a);
        mem_free(d);
    }
}

static bool is_error_label(struct str name)
{
    return str_eq(name, ERROR_LABEL) || str_eq(name, ERROR_DETAILS_LABEL) ||
           str_eq(name, PRESERVE_ERROR_LABEL);
}

static void add_path(const struct logql_detector *d, struct detected_field *f)
{
    for (size_t i = d->origins.n; i-- > 0;) {
        const struct json_origin *o = &d->origins.items[i];
        if (str_eq(o->name, f->name)) {
            f->path = o->parts;
            f->path_count = o->part_count;
            return;
        }
    }
}

enum err logql_detect(struct logql_detector *d, struct labels stream, struct str line,
                      const struct detected_field **ret_fields, size_t *ret_n,
                      enum detected_parser *ret_parser)
{
    struct builder *b = &d->p.b;
    struct labels none = {0};
    arena_reset(&d->p.line);
    d->origins = (struct json_origins){0};
    builder_reset(b, stream, none);
    *ret_parser = DETECTED_JSON;
    bool good = stage_json(&d->p, &d->stage, &line);
    if (!good || b->err.n) {
        builder_reset(b, stream, none);
        good = stage_logfmt(&d->p, &d->stage, &line);
        *ret_parser = good ? DETECTED_LOGFMT : DETECTED_NONE;
    }
    struct labels found = good ? builder_category(b, LABEL_PARSED) : none;
    struct detected_field *fields = arena_zarray(&d->p.line, found.n + 1, sizeof(*fields));
    if (!fields || b->out_of_memory) {
        b->out_of_memory = false;
        return ERR_OOM;
    }
    size_t n = 0;
    for (size_t i = 0; i < found.n; i++) {
        if (!is_error_label(found.l[i].name)) {
            fields[n] = (struct detected_field){.name = found.l[i].name, .value = found.l[i].value};
            if (*ret_parser == DETECTED_JSON) {
                add_path(d, &fields[n]);
            }
            n++;
        }
    }
    *ret_fields = fields;
    *ret_n = n;
    return ERR_OK;
}

/* -- values ---------------------------------------------------------------------------------------------- */

static bool is_boolean(struct str s)
{
    static const char *const words[] = {"1", "t", "T", "TRUE",  "true",  "True",
                                        "0", "f", "F", "FALSE", "false", "False"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq_c(s, words[i])) {
            return true;
        }
    }
    return false;
}

static bool is_float(struct str s)
{
    double v;
    return go_float_parse(s, &v, NULL) == ERR_OK;
}

static bool is_integer(struct str s)
{
    int64_t v;
    struct str digits = s.n && s.p[0] == '+' ? str_slice(s, 1, s.n) : s;
    return digits.n && !(digits.n != s.n && digits.p[0] == '-') && str_to_i64(digits, &v) == ERR_OK;
}

const char *logql_value_type(struct str value)
{
    int64_t ns;
    uint64_t bytes;
    if (is_integer(value)) {
        return "int";
    }
    if (is_float(value)) {
        return "float";
    }
    if (is_boolean(value)) {
        return "boolean";
    }
    if (go_duration_parse(value, &ns, NULL) == ERR_OK) {
        return "duration";
    }
    return go_bytes_parse(value, &bytes, NULL) == ERR_OK ? "bytes" : "string";
}

bool logql_value_bytes(struct str value, struct buf *out)
{
    uint64_t bytes;
    char last = value.n ? value.p[value.n - 1] : '0';
    if ((last >= '0' && last <= '9') || last == '.' || last == ',' || last == ' ' ||
        go_bytes_parse(value, &bytes, NULL) != ERR_OK) {
        return false;
    }
    go_bytes_format(out, bytes);
    return true;
}

static bool is_hex(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) {
            return false;
        }
    }
    return s.n > 0;
}

static bool is_uuid(struct str s)
{
    static const size_t ends[] = {8, 13, 18, 23, 36};
    size_t from = 0;
    if (s.n == 32) {
        return is_hex(s);
    }
    if (s.n == 45 && str_ieq(str_slice(s, 0, 9), STR("urn:uuid:"))) {
        s = str_slice(s, 9, s.n);
    } else if (s.n == 38) {
        s = str_slice(s, 1, 37);
    }
    if (s.n != 36) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (!is_hex(str_slice(s, from, ends[i])) || (ends[i] < s.n && s.p[ends[i]] != '-')) {
            return false;
        }
        from = ends[i] + 1;
    }
    return true;
}

bool logql_value_is_id(struct str value)
{
    return is_float(value) || is_uuid(value);
}
