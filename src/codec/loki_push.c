/* Loki's push request in its two encodings. */
#include "codec/loki_push.h"

#include "codec/json.h"
#include "codec/proto.h"

static enum err no_memory(struct arena *a, struct err_info *info)
{
    return err_set(info, arena_err(a), "not enough memory for the push request");
}

/* -- {a="b"} --------------------------------------------------------------------------------------------- */

static bool name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           (!first && c >= '0' && c <= '9');
}

static void skip_space(struct str t, size_t *i)
{
    while (*i < t.n && (t.p[*i] == ' ' || t.p[*i] == '\t' || t.p[*i] == '\n' || t.p[*i] == '\r')) {
        ++*i;
    }
}

static void put_utf8(char *out, size_t *n, uint32_t code)
{
    if (code < 0x80) {
        out[(*n)++] = (char)code;
    } else if (code < 0x800) {
        out[(*n)++] = (char)(0xc0 | (code >> 6));
        out[(*n)++] = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        out[(*n)++] = (char)(0xe0 | (code >> 12));
        out[(*n)++] = (char)(0x80 | ((code >> 6) & 63));
        out[(*n)++] = (char)(0x80 | (code & 63));
    } else {
        out[(*n)++] = (char)(0xf0 | (code >> 18));
        out[(*n)++] = (char)(0x80 | ((code >> 12) & 63));
        out[(*n)++] = (char)(0x80 | ((code >> 6) & 63));
        out[(*n)++] = (char)(0x80 | (code & 63));
    }
}

/* Go's escapes; *i stands behind the backslash. */
static bool unescape_one(struct str t, size_t *i, char *out, size_t *n)
{
    static const char from[] = "abfnrtv\\\"'", to[] = "\a\b\f\n\r\t\v\\\"'";
    char c = t.p[(*i)++];
    const char *at = c ? strchr(from, c) : NULL;
    if (at) {
        out[(*n)++] = to[at - from];
        return true;
    }
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : c >= '0' && c <= '7' ? 3 : 0;
    uint32_t v = 0;
    if (digits == 3) {
        --*i;
    }
    for (size_t k = 0; k < digits; k++) {
        char d = *i < t.n ? t.p[(*i)++] : '\0';
        int x = d >= '0' && d <= '9'                 ? d - '0'
                : (d | 32) >= 'a' && (d | 32) <= 'f' ? (d | 32) - 'a' + 10
                                                     : -1;
        if (x < 0 || (digits == 3 && x > 7)) {
            return false;
        }
        v = v * (digits == 3 ? 8 : 16) + (uint32_t)x;
    }
    if (digits == 0 || v > 0x10ffff) {
        return false;
    }
    if (digits <= 3) {
        out[(*n)++] = (char)v;
    } else {
        put_utf8(out, n, v);
    }
    return true;
}

/* "..." with Go's escapes or `...`. */
static bool cut_string(struct arena *a, struct str t, size_t *i, struct str *ret_s)
{
    char quote = *i < t.n ? t.p[*i] : '\0';
    if (quote != '"' && quote != '`') {
        return false;
    }
    size_t from = ++*i;
    bool escaped = false;
    while (*i < t.n && t.p[*i] != quote) {
        if (t.p[*i] == '\\' && quote == '"') {
            escaped = true;
            ++*i;
        }
        ++*i;
    }
    if (*i >= t.n) {
        return false;
    }
    struct str raw = str_slice(t, from, (*i)++);
    if (!escaped) {
        *ret_s = raw;
        return true;
    }
    char *out = arena_bytes(a, raw.n * 2 + 8);
    size_t n = 0;
    for (size_t k = 0; out && k < raw.n;) {
        if (raw.p[k] != '\\') {
            out[n++] = raw.p[k++];
            continue;
        }
        k++;
        if (!unescape_one(raw, &k, out, &n)) {
            return false;
        }
    }
    *ret_s = str_of(out, n);
    return out != NULL;
}

enum err loki_labels_parse(struct arena *a, struct str text, const struct wire_label **ret_labels,
                           size_t *ret_n, struct err_info *reterr_info)
{
    size_t i = 0, n = 0, most = 1;
    for (size_t k = 0; k < text.n; k++) {
        most += text.p[k] == '=';
    }
    struct wire_label *out = arena_array(a, most, sizeof(*out));
    if (!out) {
        return no_memory(a, reterr_info);
    }
    skip_space(text, &i);
    if (i >= text.n || text.p[i] != '{') {
        goto bad;
    }
    i++;
    for (;;) {
        skip_space(text, &i);
        if (i < text.n && text.p[i] == '}') {
            break;
        }
        size_t from = i;
        while (i < text.n && name_char(text.p[i], i == from)) {
            i++;
        }
        struct str name = str_slice(text, from, i), value;
        skip_space(text, &i);
        if (name.n == 0 || i >= text.n || text.p[i] != '=') {
            goto bad;
        }
        i++;
        skip_space(text, &i);
        if (!cut_string(a, text, &i, &value)) {
            goto bad;
        }
        out[n++] = (struct wire_label){name, value};
        skip_space(text, &i);
        if (i < text.n && text.p[i] == ',') {
            i++;
        } else if (!(i < text.n && text.p[i] == '}')) {
            goto bad;
        }
    }
    i++;
    skip_space(text, &i);
    if (i == text.n) {
        *ret_labels = out;
        *ret_n = n;
        return ERR_OK;
    }
bad:
    return err_set_at(
        reterr_info, ERR_INVALID, 1, (unsigned)i + 1,
        "error parsing labels '%.*s' with error: parse error at line 1, col %zu: syntax error: unexpected "
        "%s",
        text.n > 200 ? 200 : (int)text.n, text.p ? text.p : "", i + 1, i >= text.n ? "$end" : "character");
}

/* -- protobuf -------------------------------------------------------------------------------------------- */

static size_t count_field(struct str m, uint32_t number)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    size_t n = 0;
    while (proto_next(&r, &f)) {
        n += f.number == number;
    }
    return n;
}

static bool decode_pair(struct str m, struct wire_label *l)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    *l = (struct wire_label){STR(""), STR("")};
    while (proto_next(&r, &f)) {
        if (f.wire == PROTO_BYTES && f.number == 1) {
            l->name = f.bytes;
        } else if (f.wire == PROTO_BYTES && f.number == 2) {
            l->value = f.bytes;
        }
    }
    return !r.bad;
}

static bool decode_time(struct str m, ts_ns *ret_ts)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    int64_t seconds = 0, nanos = 0;
    while (proto_next(&r, &f)) {
        if (f.number == 1) {
            seconds = (int64_t)f.num;
        } else if (f.number == 2) {
            nanos = (int64_t)f.num;
        }
    }
    return !r.bad && !__builtin_mul_overflow(seconds, NS_PER_S, ret_ts) &&
           !__builtin_add_overflow(*ret_ts, nanos, ret_ts);
}

static bool decode_entry(struct arena *a, struct str m, struct wire_entry *e)
{
    struct reader r = reader_of(m);
    struct proto_field f;
    struct wire_label *metadata = NULL;
    size_t cap = 0;
    bool ok = true;
    *e = (struct wire_entry){.line = STR("")};
    while (ok && proto_next(&r, &f)) {
        if (f.wire != PROTO_BYTES) {
            continue;
        }
        if (f.number == 1) {
            ok = decode_time(f.bytes, &e->ts);
        } else if (f.number == 2) {
            e->line = f.bytes;
        } else if (f.number == 3) {
            ok = arena_reserve(a, (void **)&metadata, &cap, e->metadata_count + 1, sizeof(*metadata)) ==
                     ERR_OK &&
                 decode_pair(f.bytes, &metadata[e->metadata_count]);
            e->metadata_count += ok;
        }
    }
    e->metadata = metadata;
    return ok && !r.bad;
}

static enum err decode_stream(struct arena *a, struct str m, struct wire_stream *s, struct err_info *info)
{
    struct wire_entry *entries = arena_array(a, count_field(m, 2) + 1, sizeof(*entries));
    struct reader r = reader_of(m);
    struct proto_field f;
    if (!entries) {
        return no_memory(a, info);
    }
    *s = (struct wire_stream){.entries = entries};
    while (proto_next(&r, &f)) {
        if (f.wire != PROTO_BYTES) {
            continue;
        }
        if (f.number == 1) {
            enum err e = loki_labels_parse(a, f.bytes, &s->labels, &s->label_count, info);
            if (e) {
                return e;
            }
        } else if (f.number == 2 && !decode_entry(a, f.bytes, &entries[s->entry_count++])) {
            return err_set(info, ERR_INVALID, "malformed push request: bad entry");
        }
    }
    return r.bad ? err_set(info, ERR_INVALID, "malformed push request: bad stream") : ERR_OK;
}

enum err loki_push_decode_proto(struct arena *a, struct str body, struct wire_push *ret_push,
                                struct err_info *reterr_info)
{
    struct wire_stream *streams = arena_array(a, count_field(body, 1) + 1, sizeof(*streams));
    struct reader r = reader_of(body);
    struct proto_field f;
    size_t n = 0;
    if (!streams) {
        return no_memory(a, reterr_info);
    }
    while (proto_next(&r, &f)) {
        if (f.number == 1 && f.wire == PROTO_BYTES) {
            enum err e = decode_stream(a, f.bytes, &streams[n++], reterr_info);
            if (e) {
                return e;
            }
        }
    }
    if (r.bad) {
        return err_set(reterr_info, ERR_INVALID, "malformed push request: not a protobuf message");
    }
    *ret_push = (struct wire_push){streams, n};
    return ERR_OK;
}

void loki_push_encode_proto(struct buf *b, const struct wire_push *p)
{
    struct buf text AUTO_BUF = {0};
    for (size_t i = 0; i < p->stream_count; i++) {
        const struct wire_stream *s = &p->streams[i];
        size_t stream = proto_nested_begin(b, 1);
        buf_reset(&text);
        buf_char(&text, '{');
        for (size_t k = 0; k < s->label_count; k++) {
            buf_printf(&text, "%s%.*s=", k ? ", " : "", STR_FMT(s->labels[k].name));
            json_quote(&text, s->labels[k].value);
        }
        buf_char(&text, '}');
        proto_write_bytes(b, 1, buf_view(&text));
        for (size_t k = 0; k < s->entry_count; k++) {
            const struct wire_entry *e = &s->entries[k];
            int64_t seconds = e->ts / NS_PER_S, nanos = e->ts % NS_PER_S;
            seconds -= nanos < 0;
            nanos += nanos < 0 ? NS_PER_S : 0;
            size_t entry = proto_nested_begin(b, 2);
            size_t time = proto_nested_begin(b, 1);
            proto_write_u64(b, 1, (uint64_t)seconds);
            proto_write_u64(b, 2, (uint64_t)nanos);
            proto_nested_end(b, time);
            proto_write_bytes(b, 2, e->line);
            for (size_t m = 0; m < e->metadata_count; m++) {
                size_t pair = proto_nested_begin(b, 3);
                proto_write_bytes(b, 1, e->metadata[m].name);
                proto_write_bytes(b, 2, e->metadata[m].value);
                proto_nested_end(b, pair);
            }
            proto_nested_end(b, entry);
        }
        proto_nested_end(b, stream);
    }
    if (text.err) {
        b->err = text.err;
    }
}

/* -- JSON ------------------------------------------------------------------------------------------------ */

static enum err json_pairs(struct arena *a, const struct json_value *o, const char *what,
                           const struct wire_label **ret_labels, size_t *ret_n, struct err_info *info)
{
    struct wire_label *out = arena_array(a, o->count + 1, sizeof(*out));
    size_t n = 0;
    if (!out) {
        return no_memory(a, info);
    }
    for (const struct json_value *c = o->child; c; c = c->next) {
        if (c->kind != JSON_STRING) {
            return err_set(info, ERR_INVALID, "%s: the value of \"%.*s\" is not a string", what,
                           STR_FMT(c->key));
        }
        out[n++] = (struct wire_label){c->key, c->string};
    }
    *ret_labels = out;
    *ret_n = n;
    return ERR_OK;
}

static enum err json_entry(struct arena *a, const struct json_value *v, struct wire_entry *e,
                           struct err_info *info)
{
    const struct json_value *ts = v->child, *line = ts ? ts->next : NULL, *meta = line ? line->next : NULL;
    if (v->kind != JSON_ARRAY || !line) {
        return err_set(info, ERR_INVALID,
                       "a value must be an array of timestamp, line and optionally metadata");
    }
    if (ts->kind != JSON_STRING || str_to_i64(ts->string, &e->ts)) {
        return err_set(info, ERR_INVALID, "the timestamp %.*s is not a string of nanoseconds",
                       STR_FMT(ts->raw));
    }
    if (line->kind != JSON_STRING) {
        return err_set(info, ERR_INVALID, "the line %.*s is not a string", STR_FMT(line->raw));
    }
    e->line = line->string;
    if (!meta) {
        return ERR_OK;
    }
    if (meta->kind != JSON_OBJECT) {
        return err_set(info, ERR_INVALID, "structured metadata must be an object of strings");
    }
    return json_pairs(a, meta, "structured metadata", &e->metadata, &e->metadata_count, info);
}

static enum err json_stream(struct arena *a, const struct json_value *v, struct wire_stream *s,
                            struct err_info *info)
{
    const struct json_value *labels = json_get(v, STR("stream")), *values = json_get(v, STR("values"));
    *s = (struct wire_stream){0};
    if (v->kind != JSON_OBJECT) {
        return err_set(info, ERR_INVALID, "a stream must be an object with the members stream and values");
    }
    if (labels && labels->kind == JSON_OBJECT) {
        enum err e = json_pairs(a, labels, "stream labels", &s->labels, &s->label_count, info);
        if (e) {
            return e;
        }
    }
    if (!values || values->kind == JSON_NULL) {
        return ERR_OK;
    }
    if (values->kind != JSON_ARRAY) {
        return err_set(info, ERR_INVALID, "the member values must be an array");
    }
    struct wire_entry *entries = arena_zarray(a, values->count + 1, sizeof(*entries));
    if (!entries) {
        return no_memory(a, info);
    }
    s->entries = entries;
    for (const struct json_value *c = values->child; c; c = c->next) {
        if (c->kind == JSON_NULL) {
            continue;
        }
        enum err e = json_entry(a, c, &entries[s->entry_count++], info);
        if (e) {
            return e;
        }
    }
    return ERR_OK;
}

enum err loki_push_decode_json(struct arena *a, struct str body, struct wire_push *ret_push,
                               struct err_info *reterr_info)
{
    const struct json_value *root;
    enum err e = json_parse(a, body, &root, reterr_info);
    const struct json_value *list = e ? NULL : json_get(root, STR("streams"));
    if (e) {
        return e;
    }
    struct wire_stream *streams = arena_array(a, list ? list->count + 1 : 1, sizeof(*streams));
    size_t n = 0;
    if (!streams) {
        return no_memory(a, reterr_info);
    }
    for (const struct json_value *c = list && list->kind == JSON_ARRAY ? list->child : NULL; c && !e;
         c = c->next) {
        e = json_stream(a, c, &streams[n++], reterr_info);
    }
    *ret_push = (struct wire_push){streams, n};
    return e;
}
