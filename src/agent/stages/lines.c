/* Stages that rewrite or take apart the line in simple ways: pack, logfmt, decolorize, eventlogmessage. */
#include <stdlib.h>

#include "agent/stages/stage.h"
#include "codec/json.h"

/* -- pack
 * ----------------------------------------------------------------------------------------------------- */

struct pack_stage {
    struct stage base;
    struct str *labels; /* sorted */
    size_t n;
    bool ingest_timestamp;
};

static void pack_process(struct stage *s, struct entry *e)
{
    const struct pack_stage *p = (const struct pack_stage *)s;
    struct buf line AUTO_BUF = {0};
    struct json_writer w = json_writer(&line);
    w.html = true;
    json_object_begin(&w);
    for (size_t i = 0; i < p->n; i++) {
        const struct value *v = entry_value(e, p->labels[i]);
        struct str text;
        if (!v || !value_text(v, e->arena, &text)) {
            continue;
        }
        json_key_str(&w, p->labels[i]);
        json_str(&w, text);
        entry_label_remove(e, p->labels[i]);
    }
    json_key(&w, "_entry");
    json_str(&w, e->line);
    json_object_end(&w);
    e->line = arena_str(e->arena, buf_view(&line));
    if (line.err || !e->line.p) {
        e->err = ERR_OOM;
    }
    if (p->ingest_timestamp) {
        e->ts = clock_wall_ns(s->env->clock);
    }
    stage_pass(s, e);
}

static const struct stage_ops pack_ops = {.process = pack_process};

static int by_text(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

enum err stage_pack_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                        struct err_info *reterr_info)
{
    static const char *const keys[] = {"labels", "ingest_timestamp", NULL};
    struct pack_stage *p = stage_alloc(env, sizeof(*p), &pack_ops);
    const struct str *labels = NULL;
    if (!p) {
        return ERR_OOM;
    }
    p->ingest_timestamp = true;
    stage_unknown_options(n, "pack", keys);
    enum err e = yaml_str_list(env->arena, stage_option(n, "labels"), &labels, &p->n, reterr_info);
    e = e ? e : yaml_bool(stage_option(n, "ingest_timestamp"), &p->ingest_timestamp, reterr_info);
    p->labels = e ? NULL : arena_array(env->arena, p->n + 1, sizeof(*p->labels));
    if (!e && !p->labels) {
        return ERR_OOM;
    }
    if (!e && p->n) {
        memcpy(p->labels, labels, p->n * sizeof(*labels));
        qsort(p->labels, p->n, sizeof(*p->labels), by_text);
    }
    if (!e) {
        *ret_stage = &p->base;
    }
    return e;
}

/* -- logfmt
 * --------------------------------------------------------------------------------------------------- */

struct logfmt_stage {
    struct stage base;
    struct str source;
    const struct stage_pair *pairs;
    size_t n;
};

/* One pair of the line; false at its end or where it is no logfmt any more. */
static bool next_pair(struct arena *a, struct str *rest, struct str *key, struct str *value)
{
    struct str s = str_trim(*rest);
    size_t n = 0;
    while (n < s.n && (unsigned char)s.p[n] > ' ' && s.p[n] != '=' && s.p[n] != '"') {
        n++;
    }
    if (n == 0) {
        return false;
    }
    *key = str_slice(s, 0, n);
    *value = STR("");
    s = str_slice(s, n, s.n);
    if (!s.n || s.p[0] != '=') {
        *rest = s;
        return !s.n || s.p[0] != '"';
    }
    s = str_slice(s, 1, s.n);
    n = 0;
    if (s.n && s.p[0] == '"') {
        n = 1;
        while (n < s.n && s.p[n] != '"') {
            n += s.p[n] == '\\' ? 2 : 1;
        }
        const struct json_value *v;
        if (n >= s.n || json_parse(a, str_slice(s, 0, n + 1), &v, NULL) || v->kind != JSON_STRING) {
            return false;
        }
        *value = v->string;
        *rest = str_slice(s, n + 1, s.n);
        return true;
    }
    while (n < s.n && (unsigned char)s.p[n] > ' ') {
        if (s.p[n] == '"' || s.p[n] == '=') {
            return false;
        }
        n++;
    }
    *value = str_slice(s, 0, n);
    *rest = str_slice(s, n, s.n);
    return true;
}

static void logfmt_process(struct stage *s, struct entry *e)
{
    const struct logfmt_stage *l = (const struct logfmt_stage *)s;
    struct str rest, key, value;
    if (stage_source(e, l->source, &rest)) {
        while (next_pair(e->arena, &rest, &key, &value)) {
            for (size_t i = 0; i < l->n; i++) {
                struct str want = l->pairs[i].value.n ? l->pairs[i].value : l->pairs[i].key;
                if (str_eq(key, want)) {
                    entry_value_set(e, l->pairs[i].key, value_str(value));
                }
            }
        }
    }
    stage_pass(s, e);
}

static const struct stage_ops logfmt_ops = {.process = logfmt_process};

enum err stage_logfmt_new(const struct stage_env *env, const struct yaml_node *n, struct stage **ret_stage,
                          struct err_info *reterr_info)
{
    static const char *const keys[] = {"mapping", "source", NULL};
    struct logfmt_stage *l = stage_alloc(env, sizeof(*l), &logfmt_ops);
    const struct yaml_node *mapping = stage_option(n, "mapping"), *source = stage_option(n, "source");
    if (!l) {
        return ERR_OOM;
    }
    stage_unknown_options(n, "logfmt", keys);
    if (yaml_is_null(mapping) || mapping->count == 0) {
        return yaml_error(n, reterr_info, "logfmt mapping is required");
    }
    enum err e = stage_pairs(env, mapping, "mapping", &l->pairs, &l->n, reterr_info);
    e = e ? e : yaml_str(source, &l->source, reterr_info);
    if (!e && !yaml_is_null(source) && l->source.n == 0) {
        return yaml_error(source, reterr_info, "empty source");
    }
    if (!e) {
        *ret_stage = &l->base;
    }
    return e;
}

/* -- decolorize
 * ----------------------------------------------------------------------------------------------- */

/* Length of the ANSI escape sequence at the start of s (ECMA-48: CSI, OSC, two-byte forms), 0 for none. */
static size_t escape_len(struct str s)
{
    if (s.n < 2 || s.p[0] != '\x1b') {
        return 0;
    }
    size_t n = 2;
    if (s.p[1] == '[') {
        while (n < s.n && (unsigned char)s.p[n] >= 0x20 && (unsigned char)s.p[n] <= 0x3f) {
            n++;
        }
        return n < s.n && (unsigned char)s.p[n] >= 0x40 && (unsigned char)s.p[n] <= 0x7e ? n + 1 : 0;
    }
    if (s.p[1] == ']') {
        while (n < s.n && s.p[n] != '\a' && s.p[n] != '\x1b') {
            n++;
        }
        return n < s.n && s.p[n] == '\a' ? n + 1 : n + 1 < s.n ? n + 2 : 0;
    }
    return strchr("()#;", s.p[1]) && s.n > 2 ? 3 : strchr("=>78cDEHMNOZ", s.p[1]) ? 2 : 0;
}

static void decolorize_process(struct stage *s, struct entry *e)
{
    if (memchr(e->line.p ? e->line.p : "", '\x1b', e->line.n)) {
        char *out = arena_bytes(e->arena, e->line.n + 1);
        size_t n = 0;
        for (size_t i = 0; out && i < e->line.n;) {
            size_t skip = escape_len(str_slice(e->line, i, e->line.n));
            if (skip) {
                i += skip;
            } else {
                out[n++] = e->line.p[i++];
            }
        }
        if (out) {
            e->line = str_of(out, n);
        } else {
            e->err = arena_err(e->arena);
        }
    }
    stage_pass(s, e);
}

static const struct stage_ops decolorize_ops = {.process = decolorize_process};

enum err stage_decolorize_new(const struct stage_env *env, const struct yaml_node *n,
                              struct stage **ret_stage, struct err_info *reterr_info)
{
    static const char *const none[] = {NULL};
    (void)reterr_info;
    struct stage *s = stage_alloc(env, sizeof(*s), &decolorize_ops);
    stage_unknown_options(n, "decolorize", none);
    if (!s) {
        return ERR_OOM;
    }
    *ret_stage = s;
    return ERR_OK;
}

/* -- eventlogmessage
 * ------------------------------------------------------------------------------------------ */

struct event_stage {
    struct stage base;
    struct str source;
    bool overwrite, drop_invalid;
};

/* A valid label name: others' characters become '_'; p NULL when it is to be skipped. */
static struct str event_key(const struct event_stage *s, struct entry *e, struct str key)
{
    if (label_name_is_legacy(key)) {
        return key;
    }
    char *out = s->drop_invalid ? NULL : arena_bytes(e->arena, key.n + 1);
    for (size_t i = 0; out && i < key.n; i++) {
        char c = key.p[i];
        bool ok = c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z') || (i && c >= '0' && c <= '9');
        out[i] = ok ? c : '_';
    }
    return str_of(out, out ? key.n : 0);
}

static void event_line(const struct event_stage *s, struct entry *e, struct str line)
{
    struct str value = line, key = str_cut(&value, ':');
    key = value.p ? event_key(s, e, key) : (struct str){0};
    if (!key.p || !key.n) {
        return;
    }
    if (entry_value(e, key) && !s->overwrite) {
        key = arena_printf(e->arena, "%.*s_extracted", STR_FMT(key));
    }
    entry_value_set(e, key, value_str(str_trim(value)));
}

static void event_process(struct stage *base, struct entry *e)
{
    const struct event_stage *s = (const struct event_stage *)base;
    const struct value *v = entry_value(e, s->source);
    struct str text = {0};
    if (v && !value_text(v, e->arena, &text)) {
        agent_line_dropped(base->env->metrics, STR("eventlogmessage_stage"));
        return;
    }
    while (text.p) {
        size_t at = str_find(text, STR("\r\n"), 0);
        event_line(s, e, at == STR_NPOS ? text : str_slice(text, 0, at));
        text = at == STR_NPOS ? (struct str){0} : str_slice(text, at + 2, text.n);
    }
    stage_pass(base, e);
}

static const struct stage_ops event_ops = {.process = event_process};

enum err stage_eventlogmessage_new(const struct stage_env *env, const struct yaml_node *n,
                                   struct stage **ret_stage, struct err_info *reterr_info)
{
    static const char *const keys[] = {"source", "overwrite_existing", "drop_invalid_labels", NULL};
    struct event_stage *s = stage_alloc(env, sizeof(*s), &event_ops);
    if (!s) {
        return ERR_OOM;
    }
    s->source = STR("message");
    stage_unknown_options(n, "eventlogmessage", keys);
    enum err e = stage_str(n, "source", &s->source, reterr_info);
    e = e ? e : yaml_bool(stage_option(n, "overwrite_existing"), &s->overwrite, reterr_info);
    e = e ? e : yaml_bool(stage_option(n, "drop_invalid_labels"), &s->drop_invalid, reterr_info);
    if (!e) {
        *ret_stage = &s->base;
    }
    return e;
}
