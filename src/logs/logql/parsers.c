/* The stages that make labels out of lines. A fault marks the line and keeps it; false drops the line, which
 * only a hint may ask for. */
#include "golang/gostr.h"
#include "logs/logql/logfmt_scan.h"
#include "logs/logql/pipeline.h"

#define ERR_JSON STR("JSONParserErr")
#define ERR_LOGFMT STR("LogfmtParserErr")

/* What a walk over JSON ends with besides faults. */
static const char found_all[] = "found all required labels";
static const char no_match[] = "a label does not match";
static const char no_memory[] = "not enough memory";

static bool plain_char(int32_t c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Appends key with every odd rune as '_'; at most key.n bytes. */
static size_t put_sanitized(char *out, struct str key)
{
    size_t n = 0;
    for (size_t i = 0; i < key.n;) {
        int32_t c;
        i += go_rune(str_slice(key, i, key.n), &c);
        out[n++] = plain_char(c) ? (char)c : '_';
    }
    return n;
}

struct str sanitize_key(struct arena *a, struct str key)
{
    key = go_trim_space(key);
    if (key.n == 0) {
        return STR("");
    }
    bool digit = key.p[0] >= '0' && key.p[0] <= '9', clean = !digit;
    for (size_t i = 0; i < key.n && clean; i++) {
        clean = plain_char((unsigned char)key.p[i]);
    }
    if (clean) {
        return key;
    }
    char *out = arena_bytes(a, key.n + 1);
    if (!out) {
        return (struct str){0};
    }
    out[0] = '_';
    return str_of(out, digit + put_sanitized(out + digit, key));
}

/* Text with broken runes (and U+FFFD itself) as blanks. */
static struct str without_rune_errors(struct builder *b, struct str s)
{
    if (!go_has_rune_error(s)) {
        return s;
    }
    char *out = arena_bytes(b->line, s.n);
    size_t n = 0;
    if (!out) {
        b->out_of_memory = true;
        return s;
    }
    for (size_t i = 0; i < s.n;) {
        int32_t c;
        size_t len = go_rune(str_slice(s, i, s.n), &c);
        if (c == GO_RUNE_ERROR) {
            out[n++] = ' ';
        } else {
            memcpy(out + n, s.p + i, len);
            n += len;
        }
        i += len;
    }
    return str_of(out, n);
}

static struct str unescaped(struct builder *b, struct str s)
{
    struct str text;
    return scan_unescape(b->line, s, &text) ? without_rune_errors(b, text) : STR("");
}

/* Sets a parsed label unless hints say it is not wanted; false: the line is to be dropped. */
static bool extract(struct builder *b, struct str name, struct str value)
{
    if (!builder_should_extract(b, name) || builder_extracted(b, name)) {
        return true;
    }
    builder_set(b, LABEL_PARSED, name, value);
    return builder_should_continue(b, name);
}

/* -- json ------------------------------------------------------------------------------------------------ */

struct json_walk {
    struct builder *b;
    struct json_origins *origins;
    struct str parts[SCAN_DEPTH_MAX + 1];
    size_t n;
};

/* The parts that hold more than blanks, sanitised and joined with '_'. */
static struct str joined(struct json_walk *w)
{
    size_t most = 1;
    for (size_t i = 0; i < w->n; i++) {
        most += w->parts[i].n + 1;
    }
    char *out = arena_bytes(w->b->line, most);
    size_t n = 0;
    if (!out) {
        return (struct str){0};
    }
    for (size_t i = 0; i < w->n; i++) {
        struct str part = go_trim_space(w->parts[i]);
        if (part.n == 0) {
            continue;
        }
        if (n) {
            out[n++] = '_';
        } else if (part.p[0] >= '0' && part.p[0] <= '9') {
            out[n++] = '_';
        }
        n += put_sanitized(out + n, part);
    }
    return str_of(out, n);
}

static struct str scalar_text(struct builder *b, const struct scan_value *v)
{
    return v->type == SCAN_STRING ? unescaped(b, v->text) : v->text;
}

static void note_origin(struct json_walk *w, struct str name, struct str key)
{
    struct builder *b = w->b;
    struct json_origins *o = w->origins;
    struct str *parts = arena_array(b->line, w->n + 1, sizeof(*parts));
    if (!parts ||
        arena_reserve(b->line, (void **)&o->items, &o->cap, o->n + 1, sizeof(*o->items)) != ERR_OK) {
        b->out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < w->n; i++) {
        parts[i] = w->parts[i];
    }
    parts[w->n] = key;
    o->items[o->n++] = (struct json_origin){name, parts, w->n + 1};
}

static const char *json_label(struct json_walk *w, struct str key, const struct scan_value *v)
{
    struct builder *b = w->b;
    struct str name;
    if (w->n == 0) {
        name = sanitize_key(b->line, key);
        if (name.p && name.n == 0) {
            return NULL;
        }
        name = name.p ? builder_free_name(b, name) : name;
    } else {
        w->parts[w->n++] = key;
        name = joined(w);
        w->n--;
        name = name.p ? builder_free_name(b, name) : name;
    }
    if (!name.p) {
        return no_memory;
    }
    if (w->origins) {
        note_origin(w, name, key);
    }
    return extract(b, name, scalar_text(b, v)) ? NULL : no_match;
}

static const char *json_member(void *ctx, struct str key, const struct scan_value *v)
{
    struct json_walk *w = ctx;
    const char *fault = NULL;
    if (v->type == SCAN_OBJECT) {
        if (w->n == SCAN_DEPTH_MAX) {
            return NULL;
        }
        w->parts[w->n++] = key;
        struct str prefix = joined(w);
        if (!prefix.p) {
            fault = no_memory;
        } else if (builder_should_extract_prefix(w->b, prefix)) {
            fault = scan_object(w->b->line, v->text, json_member, w);
        }
        w->n--;
        return fault;
    }
    if (v->type == SCAN_STRING || v->type == SCAN_NUMBER || v->type == SCAN_BOOL) {
        fault = json_label(w, key, v);
    }
    return builder_all_extracted(w->b) ? found_all : fault;
}

bool stage_json(struct pipeline *p, const struct pipe_stage *s, struct str *line)
{
    struct json_walk w = {.b = &p->b, .origins = p->origins};
    (void)s;
    if (builder_no_labels(&p->b)) {
        return true;
    }
    const char *fault = scan_object(&p->line, *line, json_member, &w);
    if (fault == no_match) {
        return false;
    }
    if (fault == no_memory) {
        p->b.out_of_memory = true;
    } else if (fault && fault != found_all) {
        builder_parse_error(&p->b, ERR_JSON, str_c(fault));
    }
    return true;
}

struct json_expr_walk {
    struct builder *b;
    const struct pipe_stage *s;
    size_t matches;
};

static void json_expr_found(void *ctx, size_t path, const struct scan_value *v, const char *fault)
{
    struct json_expr_walk *w = ctx;
    if (fault) {
        builder_parse_error(w->b, ERR_JSON, str_c(fault));
        return;
    }
    struct str name = builder_free_name(w->b, w->s->items[path].name);
    struct str value = v->type == SCAN_NULL     ? STR("")
                       : v->type == SCAN_OBJECT ? v->text
                                                : unescaped(w->b, v->text);
    builder_set(w->b, LABEL_PARSED, name, value);
    w->matches++;
}

bool stage_json_expr(struct pipeline *p, const struct pipe_stage *s, struct str *line)
{
    struct json_expr_walk w = {.b = &p->b, .s = s};
    if (line->n == 0 || builder_no_labels(&p->b)) {
        return true;
    }
    if (!strchr("\"{[", line->p[0])) {
        builder_parse_error(&p->b, ERR_JSON, (struct str){0});
        return true;
    }
    scan_paths(&p->line, *line, s->paths, s->item_count, json_expr_found, &w);
    if (w.matches < s->item_count) {
        for (size_t i = 0; i < s->item_count; i++) {
            struct str ignored;
            if (!builder_get(&p->b, s->items[i].name, &ignored)) {
                builder_set(&p->b, LABEL_PARSED, s->items[i].name, STR(""));
            }
        }
    }
    return true;
}

/* -- logfmt ---------------------------------------------------------------------------------------------- */

/* Names the fault of a strict parse, if there was one. */
static bool logfmt_fault(struct pipeline *p, const struct pipe_stage *s, const struct logfmt_scan *scan)
{
    if (!s->src->strict || !scan->fault[0]) {
        return false;
    }
    struct str text = arena_str(&p->line, str_c(scan->fault));
    p->b.out_of_memory = p->b.out_of_memory || !text.p;
    builder_parse_error(&p->b, ERR_LOGFMT, text);
    return true;
}

bool stage_logfmt(struct pipeline *p, const struct pipe_stage *s, struct str *line)
{
    struct builder *b = &p->b;
    struct logfmt_scan scan = {.line = *line, .a = &p->line};
    if (builder_no_labels(b)) {
        return true;
    }
    while (!logfmt_scan_ended(&scan)) {
        if (!logfmt_scan_next(&scan)) {
            if (s->src->strict) {
                break;
            }
            continue;
        }
        struct str name = sanitize_key(b->line, scan.key);
        if (name.n == 0) {
            b->out_of_memory = b->out_of_memory || !name.p;
            continue;
        }
        name = builder_free_name(b, name);
        if (!builder_should_extract(b, name) || builder_extracted(b, name)) {
            continue;
        }
        struct str value = without_rune_errors(b, scan.value);
        if (value.n == 0 && !s->src->keep_empty) {
            continue;
        }
        builder_set(b, LABEL_PARSED, name, value);
        if (!builder_should_continue(b, name)) {
            return false;
        }
        if (builder_all_extracted(b)) {
            break;
        }
    }
    return !logfmt_fault(p, s, &scan) || builder_should_continue(b, ERROR_LABEL);
}

/* The item whose expression names the key, or which has the key's own name; NULL: not asked for. */
static const struct pipe_item *item_for(const struct pipe_stage *s, struct str key)
{
    for (size_t i = 0; i < s->item_count; i++) {
        if (str_eq(s->items[i].key, key)) {
            return &s->items[i];
        }
    }
    for (size_t i = 0; i < s->item_count; i++) {
        if (str_eq(s->items[i].name, key)) {
            return &s->items[i];
        }
    }
    return NULL;
}

bool stage_logfmt_expr(struct pipeline *p, const struct pipe_stage *s, struct str *line)
{
    struct builder *b = &p->b;
    struct logfmt_scan scan = {.line = *line, .a = &p->line};
    if (builder_no_labels(b)) {
        return true;
    }
    for (size_t i = 0; i < s->item_count; i++) {
        if (!builder_base_has(b, s->items[i].name) && !builder_has(b, LABEL_METADATA, s->items[i].name)) {
            builder_set(b, LABEL_PARSED, s->items[i].name, STR(""));
        }
    }
    while (!logfmt_scan_ended(&scan)) {
        if (!logfmt_scan_next(&scan)) {
            if (s->src->strict) {
                break;
            }
            continue;
        }
        struct str key = sanitize_key(b->line, scan.key);
        const struct pipe_item *i = key.n ? item_for(s, key) : NULL;
        bool own_name = false;
        for (size_t k = 0; k < s->item_count; k++) {
            own_name = own_name || str_eq(s->items[k].name, key);
        }
        bool wanted = own_name || (builder_should_extract(b, key) && !builder_extracted(b, key));
        if (!i || !wanted) {
            continue;
        }
        struct str name = builder_free_name(b, i->name);
        if (!str_eq(name, i->name) && (builder_extracted(b, name) || !builder_should_extract(b, name))) {
            break;
        }
        builder_set(b, LABEL_PARSED, name, go_has_rune_error(scan.value) ? STR("") : scan.value);
        if (builder_all_extracted(b)) {
            break;
        }
    }
    (void)logfmt_fault(p, s, &scan);
    return true;
}

/* -- regexp, pattern, unpack ----------------------------------------------------------------------------- */

bool stage_regexp(struct pipeline *p, const struct pipe_stage *s, struct str *line)
{
    struct builder *b = &p->b;
    const struct regex *re = s->src->re;
    struct str captures[REGEX_CAPTURES_MAX + 1] = {{0}};
    size_t n = regex_group_count(re) + 1;
    n = n > ARRAY_LEN(captures) ? ARRAY_LEN(captures) : n;
    if (!regex_find(re, *line, 0, captures, n)) {
        return true;
    }
    for (size_t i = 1; i < n; i++) {
        struct str name = regex_group_name(re, i);
        if (name.n == 0) {
            continue;
        }
        name = sanitize_key(b->line, name);
        if (name.n == 0) {
            continue;
        }
        if (!extract(b, builder_free_name(b, name), captures[i].p ? captures[i] : STR(""))) {
            return false;
        }
    }
    return true;
}

struct pattern_walk {
    struct builder *b;
    bool dropped;
};

static bool pattern_found(void *ctx, struct str name, struct str value)
{
    struct pattern_walk *w = ctx;
    w->dropped = !extract(w->b, builder_free_name(w->b, name), value);
    return !w->dropped;
}

bool stage_pattern(struct pipeline *p, const struct pipe_stage *s, struct str *line)
{
    struct pattern_walk w = {.b = &p->b};
    if (builder_no_labels(&p->b)) {
        return true;
    }
    pattern_extract(s->src->pattern, *line, pattern_found, &w);
    return !w.dropped;
}

struct unpack_walk {
    struct builder *b;
    struct label *found;
    size_t n, cap;
    bool packed;
    struct str entry;
};

static const char *unpack_member(void *ctx, struct str key, const struct scan_value *v)
{
    static const char bad_escape[] = "Encountered an invalid escape sequence in a string";
    struct unpack_walk *w = ctx;
    struct builder *b = w->b;
    if (v->type != SCAN_STRING) {
        return NULL;
    }
    if (str_eq_c(key, "_entry")) {
        w->packed = true;
        return scan_unescape(b->line, v->text, &w->entry) ? NULL : bad_escape;
    }
    struct str name = builder_free_name(b, key);
    if (!name.p) {
        return no_memory;
    }
    if (!builder_should_extract(b, name) || builder_extracted(b, name)) {
        return NULL;
    }
    if (arena_reserve(b->line, (void **)&w->found, &w->cap, w->n + 1, sizeof(*w->found)) != ERR_OK) {
        return no_memory;
    }
    w->found[w->n++] = (struct label){sanitize_key(b->line, name), unescaped(b, v->text)};
    return NULL;
}

bool stage_unpack(struct pipeline *p, const struct pipe_stage *s, struct str *line)
{
    struct unpack_walk w = {.b = &p->b};
    (void)s;
    if (line->n == 0 || builder_no_labels(&p->b)) {
        return true;
    }
    if (line->p[0] != '{') {
        builder_parse_error(&p->b, ERR_JSON, STR("expecting json object(6), but it is not"));
        return true;
    }
    const char *fault = scan_object(&p->line, *line, unpack_member, &w);
    if (fault) {
        p->b.out_of_memory = p->b.out_of_memory || fault == no_memory;
        builder_parse_error(&p->b, ERR_JSON, str_c(fault));
        return true;
    }
    if (!w.packed) {
        return true;
    }
    *line = w.entry;
    for (size_t i = 0; i < w.n; i++) {
        builder_set(&p->b, LABEL_PARSED, w.found[i].name, w.found[i].value);
        if (!builder_should_continue(&p->b, w.found[i].name)) {
            return false;
        }
    }
    return true;
}
