/* See self.h. */
#include <string.h>

#include "base/mem.h"
#include "cairn/self.h"

struct self_bound {
    const struct self_row *row;
    const void *figures;
};

enum err self_err(enum cairn_err e)
{
    return !e ? ERR_OK : e == CAIRN_ERR_OOM ? ERR_OOM : ERR_INTERNAL;
}

enum err self_init(struct self *s, const char *name, const char *version)
{
    const struct cairn_label build[] = {{"branch", ""},
                                        {"cairn_version", CAIRN_VERSION},
                                        {"goversion", ""},
                                        {"revision", ""},
                                        {"version", version}};
    mutex_init(&s->lock);
    enum cairn_err e = cairn_registry_new(&s->registry);
    e = e ? e : cairn_process_collector(s->registry);
    e = e ? e : cairn_build_collector(s->registry, name, build, ARRAY_LEN(build));
    return self_err(e);
}

void self_done(struct self *s)
{
    cairn_registry_free(s->registry);
    mem_free(s->bound);
    mutex_done(&s->lock);
}

static void emit_row(struct cairn_emit *emit, void *context)
{
    const struct self_bound *b = context;
    const char *figure = (const char *)b->figures + b->row->offset;
    uint64_t u;
    int64_t i;
    memcpy(&u, figure, sizeof(u));
    memcpy(&i, figure, sizeof(i));
    cairn_emit(emit, NULL,
               b->row->kind == SELF_U64  ? (double)u
               : b->row->kind == SELF_MS ? (double)i
                                         : (double)i / 1000);
}

enum cairn_err self_add_rows(struct self *s, const struct self_row *rows, size_t count, const void *figures)
{
    s->bound = mem_array(count, sizeof(*s->bound));
    enum cairn_err e = s->bound ? CAIRN_OK : CAIRN_ERR_OOM;
    for (size_t i = 0; i < count && !e; i++) {
        struct cairn_family *family;
        s->bound[i] = (struct self_bound){&rows[i], figures};
        const struct cairn_family_options o = {.type = rows[i].type,
                                               .name = rows[i].name,
                                               .help = rows[i].help,
                                               .collect = emit_row,
                                               .collect_context = &s->bound[i]};
        e = cairn_family_new(s->registry, &o, &family);
    }
    return e;
}

enum cairn_err self_add_collectors(struct self *s, const struct cairn_family_options *families, size_t count,
                                   size_t series_max)
{
    enum cairn_err e = CAIRN_OK;
    for (size_t i = 0; i < count && !e; i++) {
        struct cairn_family *family;
        struct cairn_family_options o = families[i];
        o.collect_context = s;
        o.series_max = series_max;
        e = cairn_family_new(s->registry, &o, &family);
    }
    return e;
}

static enum cairn_err render(struct self *s, struct cairn_format format, char **ret_text, size_t *ret_size)
{
    mutex_lock(&s->lock);
    s->take(s);
    enum cairn_err e = cairn_registry_render(s->registry, format, ret_text, ret_size);
    mutex_unlock(&s->lock);
    return e;
}

static void metrics_route(void *ctx, struct http_req *r)
{
    struct self *s = ctx;
    struct buf b AUTO_BUF = {.size_bytes_max = 65536};
    char type[CAIRN_CONTENT_TYPE_MAX], *text = NULL;
    size_t size = 0;
    buf_str(&b, http_req_header(r, "Accept"));
    buf_char(&b, '\0');
    struct cairn_format format = cairn_format_negotiate(b.err ? NULL : b.p);
    enum cairn_err e = render(s, format, &text, &size);
    if (s->answered) {
        const char *values[] = {e ? "500" : "200"};
        cairn_counter_inc(cairn_counter(s->answered, values));
    }
    cairn_format_content_type(format, type);
    if (e) {
        http_res_send(r, 500, "text/plain; charset=utf-8", STR("not enough memory for the metrics\n"));
    } else {
        http_res_send(r, 200, type, str_of(text, size));
    }
    mem_free(text);
}

enum err self_text(struct self *s, struct buf *out)
{
    char *text = NULL;
    size_t size = 0;
    enum cairn_err e = render(s, cairn_format_negotiate(NULL), &text, &size);
    if (!e) {
        buf_append(out, text, size);
    }
    mem_free(text);
    return e ? self_err(e) : out->err;
}

enum err self_serve(struct self *s, struct http_server *server, const char *label)
{
    s->route = (struct http_route){"GET", "/metrics", metrics_route, 0, 0, label};
    return http_server_routes(server, &s->route, 1, s);
}
