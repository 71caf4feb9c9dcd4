/* A request from its first line to the moment its handler runs, and what handlers may ask about it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "net/http_int.h"

struct str http_header_of(const struct http_req *r, const char *name)
{
    r = r->root;
    if (!r->headers_kept) {
        return str_c(MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name));
    }
    for (size_t i = 0; i < r->kept_header_count; i++) {
        if (str_ieq(r->kept_headers[i].name, str_c(name))) {
            return r->kept_headers[i].value;
        }
    }
    return (struct str){0};
}

static enum MHD_Result keep_header(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    struct http_req *r = cls;
    struct http_param h = {arena_str(&r->arena, str_c(key)), arena_str(&r->arena, str_c(value))};
    if (!h.name.p || !h.value.p ||
        arena_reserve(&r->arena, (void **)&r->kept_headers, &r->kept_header_cap, r->kept_header_count + 1,
                      sizeof(*r->kept_headers)) != ERR_OK) {
        return MHD_NO;
    }
    r->kept_headers[r->kept_header_count++] = h;
    return MHD_YES;
}

void http_req_keep_headers(struct http_req *r)
{
    if (!r->headers_kept) {
        (void)MHD_get_connection_values(r->connection, MHD_HEADER_KIND, keep_header, r);
        (void)http_req_peer(r);
        r->headers_kept = true;
    }
}

void http_req_refuse(struct http_req *r, int status, const char *text)
{
    if (r->refused_status == 0) {
        r->refused_status = status;
        r->refused_text = text;
    }
}

void http_req_refuse_first(struct http_req *r, int status, const char *text)
{
    r->refused_status = status;
    r->refused_text = text;
    r->header_count = 0; /* Allow tells which paths exist */
}

void http_req_deny(struct http_req *r, enum err e)
{
    if (e == ERR_DENIED) {
        http_req_refuse_first(r, 401, "Unauthorized\n");
        http_res_header(r, "WWW-Authenticate", STR("Basic"));
    } else if (e == ERR_LIMIT) {
        http_req_refuse_first(r, 429, "Too Many Requests\n");
    } else if (e != ERR_OK && e != ERR_UNAVAILABLE) {
        http_req_refuse_first(r, 500, "the web configuration file is wrong; the log says why\n");
    }
}

void http_req_answer_refusal(struct http_req *r)
{
    http_res_header(r, "X-Content-Type-Options", STR("nosniff"));
    if (r->refused_status == 503) {
        http_res_header(r, "Retry-After", STR("1"));
    }
    if (r->refused_status == 503 &&
        atomic_load_explicit(&r->server->refusing_for_good, memory_order_relaxed)) {
        http_res_header(r, "X-Prometheus-Stopping", STR("true"));
    }
    http_res_send(r, r->refused_status, "text/plain; charset=utf-8", str_c(r->refused_text));
}

/* -- the route ------------------------------------------------------------------------------------------- */

static void no_binding(struct http_req *r, unsigned allowed)
{
    struct buf allow AUTO_BUF = {.size_bytes_max = 512};
    http_allow_format(&allow, allowed);
    if (allowed && str_eq_c(r->method, "OPTIONS")) {
        http_res_header(r, "Allow", buf_view(&allow));
        http_req_refuse(r, 204, "");
    } else if (allowed) {
        http_res_header(r, "Allow", buf_view(&allow));
        http_req_refuse(r, 405, "Method Not Allowed\n");
    } else if (!r->server->options.not_found) {
        http_req_refuse(r, 404, "404 page not found\n");
    }
}

void http_req_route(struct http_req *r)
{
    struct http_server *s = r->server;
    unsigned allowed = 0;
    r->body_bytes_max = HTTP_BODY_BYTES_DEFAULT_MAX;
    if (!http_percent_decode(&r->root->arena, r->raw_path, false, &r->path)) {
        r->path = r->raw_path;
        http_req_refuse(r, 400, "invalid percent-encoding in the path\n");
        return;
    }
    /* Before the look at the routes: they are complete when it says that loading is over. */
    const char *loading = atomic_load_explicit(&s->loading, memory_order_acquire);
    r->while_loading = loading != NULL;
    mutex_lock(&s->routes_lock);
    r->binding = http_route_find(s, r, &allowed);
    mutex_unlock(&s->routes_lock);
    bool served = r->binding && (r->binding->route->flags & HTTP_WHILE_LOADING);
    bool answered = !r->binding && s->options.not_found && s->options.not_found_while_loading;
    if (loading && !served &&
        !answered) { /* unknown paths too: their routes may come when loading has ended */
        http_req_refuse(r, 503, loading);
    } else if (!r->binding) {
        no_binding(r, allowed);
    }
    if (r->binding && r->binding->route->body_bytes_max) {
        r->body_bytes_max = r->binding->route->body_bytes_max;
    }
    enum err e = http_params_add(r, &r->root->arena, r->query);
    if (e != ERR_OK) {
        http_req_refuse(r, e == ERR_OOM ? 503 : 400,
                        e == ERR_INVALID ? "invalid percent-encoding in the query string\n"
                        : e == ERR_LIMIT ? "too many parameters in the query string\n"
                                         : "out of memory\n");
    }
}

struct pool *http_req_pool(const struct http_req *r)
{
    const struct http_server *s = r->server;
    bool query = r->binding && (r->binding->route->flags & HTTP_QUERY);
    return query && s->queries ? s->queries : s->pool;
}

const char *http_req_route_name(const struct http_req *r)
{
    if (!r->binding) {
        return "other";
    }
    return r->binding->route->name ? r->binding->route->name : r->binding->route->path;
}

/* -- the body -------------------------------------------------------------------------------------------- */

/* The parameters of the form come before those of the query. */
void http_req_form(struct http_req *r, struct str body)
{
    struct http_param *query_params = r->params;
    size_t query_count = r->param_count;
    struct arena *a = &r->root->arena;
    r->params = NULL;
    r->param_count = r->param_cap = 0;
    enum err e = http_params_add(r, a, body);
    for (size_t i = 0; e == ERR_OK && i < query_count; i++) {
        e = arena_reserve(a, (void **)&r->params, &r->param_cap, r->param_count + 1, sizeof(*r->params));
        if (e == ERR_OK) {
            r->params[r->param_count++] = query_params[i];
        }
    }
    if (e != ERR_OK) {
        http_req_refuse(r, e == ERR_OOM ? 503 : 400,
                        e == ERR_OOM     ? "out of memory\n"
                        : e == ERR_LIMIT ? "too many parameters in the form\n"
                                         : "invalid percent-encoding in the form\n");
    }
}

static void decode(struct http_req *r, struct str encoding)
{
    enum err e = http_body_decode(&r->root->body, encoding, r->body_bytes_max);
    r->root->body_decoded = true;
    if (e == ERR_LIMIT) {
        http_req_refuse(r, 413, "the decompressed request body is too large\n");
    } else if (e == ERR_UNSUPPORTED) {
        http_req_refuse(r, 415, "unsupported Content-Encoding\n");
    } else if (e == ERR_OOM) {
        http_req_refuse(r, 503, "out of memory\n");
    } else if (e != ERR_OK) {
        http_req_refuse(r, 400, "the request body cannot be decompressed\n");
    }
}

void http_req_body_complete(struct http_req *r)
{
    const struct buf *body = &r->root->body;
    if (r->refused_status || body->n == 0 || !r->binding) {
        return;
    }
    unsigned flags = r->binding->route->flags;
    struct str encoding = http_header_of(r, MHD_HTTP_HEADER_CONTENT_ENCODING);
    if (encoding.n && !(flags & HTTP_RAW_BODY) && !r->root->body_decoded) {
        decode(r, encoding);
    }
    if (body->n > r->body_bytes_max) {
        http_req_refuse(r, 413, "the request body is too large\n"); /* a forwarded one */
    }
    struct str type = http_header_of(r, MHD_HTTP_HEADER_CONTENT_TYPE);
    if ((flags & HTTP_FORM) && !r->refused_status &&
        str_starts(type, STR("application/x-www-form-urlencoded"))) {
        http_req_form(r, buf_view(body));
    }
}

/* -- the handler ----------------------------------------------------------------------------------------- */

void http_req_run(struct http_req *r)
{
    const struct http_server *s = r->server;
    if (r->binding) {
        r->binding->route->handler(r->binding->ctx, r);
    } else {
        s->options.not_found(s->options.not_found_ctx, r);
    }
}

struct str http_req_method(const struct http_req *r)
{
    return r->method;
}

struct str http_req_path(const struct http_req *r)
{
    return r->path;
}

struct str http_req_raw_path(const struct http_req *r)
{
    return r->raw_path;
}

struct str http_req_query(const struct http_req *r)
{
    return r->query;
}

struct str http_req_header(const struct http_req *r, const char *name)
{
    return http_header_of(r, name);
}

struct str http_req_body(const struct http_req *r)
{
    return buf_view(&r->root->body);
}

struct str http_req_user(const struct http_req *r)
{
    return r->root->user;
}

/* Fills r->lazy->peer with "127.0.0.1:41234" or "[::1]:41234"; IPv4 in IPv6 is shown as IPv4. */
static void peer_format(const struct http_req *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (!info || !info->client_addr) {
        return;
    }
    struct http_lazy *lazy = r->lazy;
    char host[INET6_ADDRSTRLEN] = "";
    unsigned port = 0;
    bool brackets = false;
    if (info->client_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, info->client_addr, sizeof(six));
        port = ntohs(six.sin6_port);
        brackets = !IN6_IS_ADDR_V4MAPPED(&six.sin6_addr);
        (void)inet_ntop(brackets ? AF_INET6 : AF_INET,
                        brackets ? (const void *)&six.sin6_addr : (const void *)&six.sin6_addr.s6_addr[12],
                        host, sizeof(host));
    } else {
        struct sockaddr_in four;
        memcpy(&four, info->client_addr, sizeof(four));
        port = ntohs(four.sin_port);
        (void)inet_ntop(AF_INET, &four.sin_addr, host, sizeof(host));
    }
    int n = snprintf(lazy->peer, sizeof(lazy->peer), brackets ? "[%s]:%u" : "%s:%u", host, port);
    lazy->peer_n = n > 0 ? (size_t)n : 0;
}

struct str http_req_peer(const struct http_req *r)
{
    r = r->root;
    if (r->lazy->peer_n == 0 && !r->headers_kept) {
        peer_format(r);
    }
    return str_of(r->lazy->peer, r->lazy->peer_n);
}

struct arena *http_req_arena(struct http_req *r)
{
    return &r->root->arena;
}

const atomic_bool *http_req_canceled(const struct http_req *r)
{
    return &r->root->canceled;
}
