/* Files of the web app, and its page with the boot data in place. */
#include "api/page.h"

#include "api/ui_assets.h"
#include "codec/json.h"

static const struct str marker = STR_INIT("<!--cairn:boot-->");

static const struct ui_asset *find_asset(struct str path)
{
    for (size_t i = 0; i < ui_asset_count; i++) {
        if (str_eq_c(path, ui_assets[i].path)) {
            return &ui_assets[i];
        }
    }
    return NULL;
}

/* True when the header lists the coding and does not forbid it. */
static bool accepts(const struct http_req *r, const char *coding)
{
    struct str rest = http_req_header(r, "Accept-Encoding");
    while (rest.p) {
        struct str item = str_trim(str_cut(&rest, ','));
        struct str name = str_trim(str_cut(&item, ';'));
        if (str_ieq(name, str_c(coding))) {
            return !(item.p && str_eq_c(str_trim(item), "q=0"));
        }
    }
    return false;
}

static void send_asset(struct http_req *r, const struct ui_asset *a)
{
    struct str body = a->identity;
    const char *coding = NULL;
    if (a->brotli.p && accepts(r, "br")) {
        body = a->brotli;
        coding = "br";
    } else if (a->gzip.p && (accepts(r, "gzip") || !body.p)) {
        body = a->gzip;
        coding = "gzip";
    }
    if (coding) {
        http_res_header(r, "Content-Encoding", str_c(coding));
    }
    http_res_header(r, "Vary", STR("Accept-Encoding"));
    http_res_header(r, "Cache-Control",
                    a->immutable ? STR("public, max-age=31536000, immutable") : STR("public, max-age=300"));
    http_res_header(r, "X-Content-Type-Options", STR("nosniff"));
    http_res_send_static(r, 200, a->content_type, body);
}

/* The page names its files from the root; below a sub path every such name gets it in front. */
static void append_html(struct buf *out, struct str html, struct str sub_path)
{
    static const struct str root = STR_INIT("=\"/assets/");
    for (size_t at = 0; sub_path.n && (at = str_find(html, root, 0)) != STR_NPOS;) {
        buf_str(out, str_slice(html, 0, at + 2));
        buf_str(out, sub_path);
        buf_str(out, str_slice(html, at + 2, at + root.n));
        html = str_slice(html, at + root.n, html.n);
    }
    buf_str(out, html);
}

/* The boot data of a role that has no more to say. */
static void settings_only(struct buf *out, struct str sub_path)
{
    struct json_writer w = json_writer(out);
    w.html = true;
    json_object_begin(&w);
    json_key(&w, "settings");
    json_object_begin(&w);
    json_key(&w, "appSubUrl");
    json_str(&w, sub_path);
    json_object_end(&w);
    json_object_end(&w);
}

/* Scripts are the program's own and the page's by their hash; styles may stand in the page (editors make
 * theirs); pictures of text panels may come from elsewhere. */
static struct str policy(const struct page *p, struct http_req *r)
{
    struct str text = arena_printf(
        http_req_arena(r),
        "default-src 'self'; script-src 'self'%s; style-src 'self' 'unsafe-inline'; img-src * data:; "
        "connect-src 'self' ws: wss:; object-src 'none'; base-uri 'self'; form-action 'self'%s",
        ui_inline_scripts, p->allow_embedding ? "" : "; frame-ancestors 'none'");
    return text.p ? text : STR("default-src 'self'");
}

static void send_page(const struct page *p, struct http_req *r)
{
    const struct ui_asset *index = find_asset(STR("/index.html"));
    if (!index || !index->identity.p) {
        http_res_send(r, 503, "text/plain; charset=utf-8",
                      STR("This build of cairn has no web app in it: build it with `make`, which needs "
                          "nodejs and npm.\n"));
        return;
    }
    struct buf out AUTO_BUF = {0};
    struct str html = index->identity;
    size_t at = str_find(html, marker, 0);
    append_html(&out, str_slice(html, 0, at == STR_NPOS ? html.n : at), p->sub_path);
    if (at != STR_NPOS) {
        buf_printf(
            &out,
            "<meta name=\"cairn-role\" content=\"%s\"><script type=\"application/json\" id=\"cairn-boot\">",
            p->role);
        if (p->boot) {
            p->boot(p->ctx, r, &out);
        } else {
            settings_only(&out, p->sub_path);
        }
        buf_c(&out, "</script>");
        append_html(&out, str_slice(html, at + marker.n, html.n), p->sub_path);
    }
    http_res_header(r, "Cache-Control", STR("no-store"));
    http_res_header(r, "X-Content-Type-Options", STR("nosniff"));
    http_res_header(r, "Referrer-Policy", STR("same-origin"));
    http_res_header(r, "Content-Security-Policy", policy(p, r));
    if (!p->allow_embedding) {
        http_res_header(r, "X-Frame-Options", STR("deny"));
    }
    http_res_send_buf(r, 200, "text/html; charset=utf-8", &out);
}

/* Paths that a program asks for, not a person: a page would be a wrong answer. */
static bool is_file_path(struct str path)
{
    static const char *const roots[] = {"/assets/", "/public/", "/avatar/", "/-/"};
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        if (str_starts(path, str_c(roots[i]))) {
            return true;
        }
    }
    return str_eq_c(path, "/favicon.ico") || str_eq_c(path, "/robots.txt") || str_eq_c(path, "/metrics");
}

void page_send_404(struct http_req *r)
{
    http_res_header(r, "X-Content-Type-Options", STR("nosniff"));
    http_res_send(r, 404, "text/plain; charset=utf-8", STR("404 page not found\n"));
}

static bool is_page(const struct page *p, struct str path)
{
    for (size_t i = 0; p->paths && p->paths[i]; i++) {
        if (str_eq_c(path, p->paths[i])) {
            return true;
        }
    }
    return !p->paths && !is_file_path(path);
}

void page_not_found(void *ctx, struct http_req *r)
{
    const struct page *p = ctx;
    struct str path = http_req_path(r), method = http_req_method(r);
    bool reads = str_eq_c(method, "GET") || str_eq_c(method, "HEAD");
    const struct ui_asset *a = reads && !str_eq_c(path, "/index.html") ? find_asset(path) : NULL;
    if (a) {
        send_asset(r, a);
    } else if (str_starts(path, STR("/api/")) || str_starts(path, STR("/apis/"))) {
        if (p->api_in_json) {
            http_res_send(r, 404, "application/json; charset=UTF-8", STR("{\"message\":\"Not found\"}"));
        } else {
            page_send_404(r);
        }
    } else if (reads && is_page(p, path)) {
        send_page(p, r);
    } else {
        page_send_404(r);
    }
}
