/* Paths with a slash too many, and links that moved: where they lead. */
#include "api/prom/prom_call.h"

static const char *moved_text(int status)
{
    return status == 301 ? "Moved Permanently" : status == 302 ? "Found" : "Temporary Redirect";
}

static void append_escaped(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        const char *as = s.p[i] == '&'   ? "&amp;"
                         : s.p[i] == '<' ? "&lt;"
                         : s.p[i] == '>' ? "&gt;"
                         : s.p[i] == '"' ? "&#34;"
                                         : NULL;
        if (as) {
            buf_c(b, as);
        } else {
            buf_char(b, s.p[i]);
        }
    }
}

void prom_redirect(struct http_req *r, int status, struct str to)
{
    struct buf body AUTO_BUF = {0};
    bool shown = str_eq_c(http_req_method(r), "GET") || str_eq_c(http_req_method(r), "HEAD");
    if (shown) {
        buf_c(&body, "<a href=\"");
        append_escaped(&body, to);
        buf_printf(&body, "\">%s</a>.\n\n", moved_text(status));
    }
    http_res_header(r, "Location", to);
    http_res_send_buf(r, status, shown ? "text/html; charset=utf-8" : NULL, &body);
}

/* Repeated slashes are one. False: there were none. */
static bool without_doubles(struct str path, struct buf *b)
{
    bool any = false;
    for (size_t i = 0; i < path.n; i++) {
        bool doubled = path.p[i] == '/' && i && path.p[i - 1] == '/';
        any |= doubled;
        if (!doubled) {
            buf_char(b, path.p[i]);
        }
    }
    return any;
}

bool prom_api_redirect_slashes(const struct prom_api *api, struct http_req *r)
{
    struct buf clean AUTO_BUF = {0};
    struct str path = http_req_path(r), query = http_req_query(r);
    bool doubled = without_doubles(path, &clean);
    bool reads = str_eq_c(http_req_method(r), "GET") || str_eq_c(http_req_method(r), "HEAD");
    bool ends = !doubled && reads && str_starts(path, STR("/-/")) && str_ends(path, STR("/")) && path.n > 3;
    if (!doubled && !ends) {
        return false;
    }
    clean.n -= ends;
    struct str to = arena_printf(http_req_arena(r), "%.*s%.*s%s%.*s", STR_FMT(api->route_prefix),
                                 STR_FMT(buf_view(&clean)), query.n ? "?" : "", STR_FMT(query));
    bool permanent = ends && str_eq_c(http_req_method(r), "GET");
    prom_redirect(r, permanent ? 301 : 307, to);
    return true;
}
