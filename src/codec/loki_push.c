/* Loki's push request in its two encodings. */
#include "codec/loki_push.h"

#include "codec/json.h"
#include "codec/proto.h"
#include "codec/remote_write_int.h"

static enum err no_memory(struct arena *a, struct err_info *info)
{
    return err_set(info, arena_err(a), "not enough memory for the push request");
}

/* -- protobuf -------------------------------------------------------------------------------------------- */

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
                 wire_decode_label(f.bytes, &metadata[e->metadata_count]);
            e->metadata_count += ok;
        }
    }
    e->metadata = metadata;
    return ok && !r.bad;
}

static enum err decode_stream(struct arena *a, struct str m, struct wire_stream *s, struct err_info *info)
{
    struct wire_entry *entries = arena_array(a, proto_count(m, 2) + 1, sizeof(*entries));
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
    struct wire_stream *streams = arena_array(a, proto_count(body, 1) + 1, sizeof(*streams));
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
        return err_set(reterr_info, ERR_INVALID, "unexpected EOF"); /* as Loki says it */
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

static enum err json_metadata(struct arena *a, const struct json_value *o, struct wire_entry *e,
                              struct err_info *info)
{
    struct wire_label *out = arena_array(a, o->count + 1, sizeof(*out));
    if (!out) {
        return no_memory(a, info);
    }
    for (const struct json_value *c = o->child; c; c = c->next) {
        if (c->kind != JSON_STRING) {
            return err_set(info, ERR_INVALID, "structured metadata: the value of \"%.*s\" is not a string",
                           STR_FMT(c->key));
        }
        out[e->metadata_count++] = (struct wire_label){c->key, c->string};
    }
    e->metadata = out;
    return ERR_OK;
}

static bool is_plain_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i && c >= '0' && c <= '9'))) {
            return false;
        }
    }
    return s.n > 0;
}

/* Loki makes a text of the object and parses it: what is wrong with a name is said about that text. */
static enum err names_refused(struct arena *a, const struct wire_label *labels, size_t n,
                              struct err_info *info)
{
    struct buf text AUTO_BUF = {0};
    const struct wire_label *unused;
    size_t unused_n;
    buf_char(&text, '{');
    for (size_t i = 0; i < n; i++) {
        buf_printf(&text, "%s%.*s=", i ? ", " : "", STR_FMT(labels[i].name));
        json_quote(&text, labels[i].value);
    }
    buf_char(&text, '}');
    return text.err ? no_memory(a, info) : loki_labels_parse(a, buf_view(&text), &unused, &unused_n, info);
}

static enum err json_labels(struct arena *a, const struct json_value *o, struct wire_stream *s,
                            struct err_info *info)
{
    struct wire_label *out = arena_array(a, o->count + 1, sizeof(*out));
    bool plain = true;
    size_t n = 0;
    if (!out) {
        return no_memory(a, info);
    }
    for (const struct json_value *c = o->child; c; c = c->next) {
        size_t at = n++;
        while (at && str_cmp(c->key, out[at - 1].name) < 0) {
            out[at] = out[at - 1];
            at--;
        }
        out[at] = (struct wire_label){c->key, c->kind == JSON_STRING ? c->string : c->raw};
        plain &= is_plain_name(c->key);
    }
    s->labels = out;
    s->label_count = n;
    return plain ? ERR_OK : names_refused(a, out, n, info);
}

static enum err json_entry(struct arena *a, const struct json_value *v, struct wire_entry *e,
                           struct err_info *info)
{
    const struct json_value *ts = v->child, *line = ts ? ts->next : NULL, *meta = line ? line->next : NULL;
    if (v->kind != JSON_ARRAY || !ts) {
        return err_set(info, ERR_INVALID,
                       "a value must be an array of timestamp, line and optionally metadata");
    }
    if (ts->kind != JSON_STRING || str_to_i64(ts->string, &e->ts)) {
        return err_set(info, ERR_INVALID, "the timestamp %.*s is not a string of nanoseconds",
                       STR_FMT(ts->raw));
    }
    if (!line) { /* so Loki takes it */
        return ERR_OK;
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
    return json_metadata(a, meta, e, info);
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
        enum err e = json_labels(a, labels, s, info);
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
    if ((root->kind != JSON_OBJECT && root->kind != JSON_NULL) ||
        (list && list->kind != JSON_ARRAY && list->kind != JSON_NULL)) {
        return err_set(reterr_info, ERR_INVALID, "a push must be an object whose member streams is an array");
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
