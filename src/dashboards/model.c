/* Byte-preserving patches to dashboard JSON. */
#include "dashboards/model.h"

#include "dashboards/dashboards.h"

static struct str text_of(const struct json_value *v)
{
    return v && v->kind == JSON_STRING ? v->string : STR("");
}

enum err dash_model_read(struct arena *a, struct str json, struct dash_model *ret_model,
                         struct err_info *reterr_info)
{
    const struct json_value *root;
    enum err e = json_parse(a, json, &root, reterr_info);
    if (e) {
        return e;
    }
    if (root->kind != JSON_OBJECT) {
        return err_set(reterr_info, ERR_INVALID, "a dashboard is a JSON object");
    }
    const struct json_value *tags = json_get(root, STR("tags"));
    struct dash_model m = {
        .uid = text_of(json_get(root, STR("uid"))),
        .title = str_trim(text_of(json_get(root, STR("title")))),
        .tags = tags && tags->kind == JSON_ARRAY ? tags->raw : STR("[]"),
    };
    if (json_to_i64(json_get(root, STR("version")), &m.version)) {
        m.version = 0;
    }
    if (json_to_i64(json_get(root, STR("id")), &m.id)) {
        m.id = 0;
    }
    if (m.title.n == 0) {
        return err_set(reterr_info, ERR_INVALID, "Dashboard title cannot be empty");
    }
    if (m.uid.n && !dash_uid_valid(m.uid)) {
        return err_set(reterr_info, ERR_INVALID,
                       "uid \"%.*s\" is not valid: 1 to 40 letters, digits, '-' and '_'", STR_FMT(m.uid));
    }
    *ret_model = m;
    return ERR_OK;
}

/* Appends the bytes of `json` up to p. */
static void copy_until(struct buf *b, struct str json, size_t *at, const char *p)
{
    size_t to = (size_t)(p - json.p);
    buf_append(b, json.p + *at, to - *at);
    *at = to;
}

static enum err finish(struct arena *a, struct buf *b, struct str *ret_json)
{
    if (b->err) {
        return b->err;
    }
    *ret_json = arena_str(a, buf_view(b));
    return ret_json->p ? ERR_OK : arena_err(a);
}

enum err dash_model_patch(struct arena *a, struct str json, int64_t id, struct str uid, int64_t version,
                          struct str *ret_json, struct err_info *reterr_info)
{
    static const char *const names[] = {"id", "uid", "version"};
    struct buf values[3] = {{0}};
    struct buf out AUTO_BUF = {0};
    bool done[3] = {false};
    const struct json_value *root;
    size_t at = 0;
    enum err e = json_parse(a, json, &root, reterr_info);
    if (e) {
        return e;
    }
    buf_i64(&values[0], id);
    json_quote(&values[1], uid);
    buf_i64(&values[2], version);
    for (const struct json_value *m = root->child; m; m = m->next) {
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            if (str_eq_c(m->key, names[i])) {
                copy_until(&out, json, &at, m->raw.p);
                buf_str(&out, buf_view(&values[i]));
                at += m->raw.n;
                done[i] = true;
            }
        }
    }
    const char *close = root->raw.p + root->raw.n - 1;
    copy_until(&out, json, &at, close);
    bool first = root->count == 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!done[i]) {
            buf_printf(&out, "%s\"%s\":", first ? "" : ",", names[i]);
            buf_str(&out, buf_view(&values[i]));
            first = false;
        }
    }
    copy_until(&out, json, &at, json.p + json.n);
    e = values[0].err ? values[0].err : values[1].err ? values[1].err : values[2].err;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        buf_done(&values[i]);
    }
    return e ? e : finish(a, &out, ret_json);
}

/* Appends raw text with every ${name} of the inputs replaced. */
static void replace_inputs(struct buf *out, struct str text, const struct json_value *inputs)
{
    size_t from = 0;
    for (size_t i = 0; i + 1 < text.n; i++) {
        if (text.p[i] != '$' || text.p[i + 1] != '{') {
            continue;
        }
        size_t end = str_find_char(text, '}', i);
        if (end == STR_NPOS) {
            break;
        }
        struct str name = str_slice(text, i + 2, end);
        for (const struct json_value *in = inputs ? inputs->child : NULL; in; in = in->next) {
            if (!str_eq(text_of(json_get(in, STR("name"))), name)) {
                continue;
            }
            struct buf quoted AUTO_BUF = {0};
            json_quote(&quoted, text_of(json_get(in, STR("value"))));
            buf_append(out, text.p + from, i - from);
            if (quoted.n >= 2) {
                buf_append(out, quoted.p + 1, quoted.n - 2);
            }
            from = end + 1;
            i = end;
            break;
        }
    }
    buf_append(out, text.p + from, text.n - from);
}

enum err dash_model_fill_inputs(struct arena *a, const struct json_value *model,
                                const struct json_value *inputs, struct str *ret_json,
                                struct err_info *reterr_info)
{
    struct buf out AUTO_BUF = {0};
    bool first = true;
    (void)reterr_info;
    buf_char(&out, '{');
    for (const struct json_value *m = model->child; m; m = m->next) {
        if (str_eq_c(m->key, "__inputs") || str_eq_c(m->key, "__requires") ||
            str_eq_c(m->key, "__elements")) {
            continue;
        }
        if (!first) {
            buf_char(&out, ',');
        }
        first = false;
        json_quote(&out, m->key);
        buf_char(&out, ':');
        replace_inputs(&out, m->raw, inputs);
    }
    buf_char(&out, '}');
    return finish(a, &out, ret_json);
}
