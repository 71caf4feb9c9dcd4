/* HTTP/1.1 server over libmicrohttpd: routes in, requests to handlers, buffered or streamed answers out.
 *
 * Threads: network threads (one epoll loop each) parse requests and collect bodies. A handler marked
 * HTTP_INLINE runs on them and must not block; every other handler runs on a worker of the server's pool, so
 * a long query never holds a network thread. When all workers are busy and the queue is full the answer is
 * 503 with Retry-After. Limits hold for headers, bodies (as sent and as decompressed), idle and slow clients,
 * and connections. */
#ifndef CAIRN_NET_HTTP_SERVER_H
#define CAIRN_NET_HTTP_SERVER_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct http_server;
struct http_req; /* one request; valid during the handler call */
struct http_ws;  /* one upgraded WebSocket connection */

typedef void http_handler_fn(void *ctx, struct http_req *r);

enum http_route_flags {
    HTTP_INLINE = 1 << 0,        /* fast and non-blocking: runs on the network thread */
    HTTP_FORM = 1 << 1,          /* POST bodies of type application/x-www-form-urlencoded become parameters */
    HTTP_NO_AUTH = 1 << 2,       /* served without authentication (health) */
    HTTP_RAW_BODY = 1 << 3,      /* the body is not decompressed */
    HTTP_WHILE_LOADING = 1 << 4, /* served while http_server_set_loading is in force */
    HTTP_QUERY = 1 << 6,         /* may take long: runs on threads apart, so that nobody else waits for it */
    HTTP_DROP_BROKEN = 1 << 7,   /* parameters that cannot be decoded are left out; else it is refused */
    HTTP_CORS = 1 << 5           /* other origins that cors_origin allows may read the answers */
};

/* A row of a route table. Paths: literal segments, {name} for one segment, {name...} for the rest. HEAD is
 * answered wherever GET is; OPTIONS with Allow, unless a pattern takes it; another method on a known path
 * gets 405 with Allow. */
struct http_route {
    const char *method; /* "GET", "POST", "GET|POST", "*" ... */
    const char *path;
    http_handler_fn *handler;
    unsigned flags;
    size_t body_bytes_max; /* decompressed; 0 = the server's default (1 MiB) */
    const char *name;      /* for request metrics; NULL = path */
};

struct http_tls_config; /* certificates etc., from web_config.h */
struct web_config; /* Prometheus' web.config file: TLS, basic auth, bearer tokens, headers (web_config.h) */

struct http_server_options {
    const char *role;          /* for messages: "metrics" */
    struct str listen_address; /* "127.0.0.1:9090", ":9090" (all addresses), "[::1]:9090" */
    int listen_fd;             /* > 0: an already bound socket (socket activation); address is then ignored */
    unsigned network_threads;  /* 0 = one */
    unsigned workers;          /* 0 = processors, at least 4 */
    unsigned query_workers;    /* threads for HTTP_QUERY; 0 = they run on the workers */
    unsigned queue_max;        /* 0 = 256 requests waiting for a worker */
    unsigned connections_max;  /* 0 = 512 */
    unsigned idle_timeout_s;   /* 0 = 300 (Prometheus' web.read-timeout) */
    const struct web_config *web; /* may be NULL */
    struct str path_prefix;       /* "/prometheus" is cut off before routing; empty = none */
    const char *loading;          /* http_server_set_loading from the first connection on; NULL = open */
    struct str cors_origin;       /* regular expression as --web.cors.origin, for routes with HTTP_CORS */
    /* Called after each request, on any thread: route name, method, status, duration, bytes out. May be NULL.
     */
    void (*on_done)(void *ctx, const char *route, struct str method, int status, double seconds,
                    uint64_t bytes);
    void *on_done_ctx;
    /* Answers for unknown paths; NULL = "404 page not found\n" as Go's. */
    http_handler_fn *not_found;
    void *not_found_ctx;
    bool not_found_while_loading; /* not_found is asked while http_server_set_loading is in force, too */
};

/* Binds and starts. Errors: INVALID (address), EXISTS (port in use: the message names port and role), DENIED,
 * IO. */
MUST_USE enum err http_server_start(const struct http_server_options *o, struct http_server **ret_server,
                                    struct err_info *reterr_info);
/* Adds routes, before or after start; the table must live as long as the server. ctx is passed to its
 * handlers. */
MUST_USE enum err http_server_routes(struct http_server *s, const struct http_route *routes, size_t n,
                                     void *ctx);
/* While reason is non-NULL, everything but routes with HTTP_WHILE_LOADING answers 503 with it, paths that are
 * not known yet too. The string must stay valid. */
void http_server_set_loading(struct http_server *s, const char *reason);
/* The same at the end of a server's life, with X-Prometheus-Stopping: true in those answers. */
void http_server_set_stopping(struct http_server *s, const char *reason);
/* Stops accepting, lets running requests end for at most grace_ms, closes WebSockets, joins. Accepts NULL. */
void http_server_stop(struct http_server *s, int64_t grace_ms);
/* The bound port (useful after ":0"). */
unsigned http_server_port(const struct http_server *s);
/* Where it listens, as bound: "127.0.0.1:9090", "[::]:9090". For messages; lives as long as the server. */
struct str http_server_address(const struct http_server *s);

/* -- the request -- strings are valid until the handler returns (or http_res_end after http_req_detach). */
struct str http_req_method(const struct http_req *r);
/* Whether http_server_set_loading was in force when the request was routed. */
bool http_req_while_loading(const struct http_req *r);
struct str http_req_path(const struct http_req *r);     /* decoded, prefix removed */
struct str http_req_raw_path(const struct http_req *r); /* as sent, prefix removed: what http_forward takes */
struct str http_req_query(const struct http_req *r);    /* raw, without '?' */
/* Parameters of the query string and, with HTTP_FORM, of the form body (the body's come first, as in Go's
 * r.Form). p == NULL when absent. */
struct str http_req_param(const struct http_req *r, const char *name);
size_t http_req_params(const struct http_req *r, const char *name, struct str *ret_values, size_t max);
/* All parameters in order; false at the end. */
bool http_req_param_next(const struct http_req *r, size_t *pos, struct str *ret_name, struct str *ret_value);
struct str http_req_capture(const struct http_req *r, const char *name); /* {name} of the path, decoded */
struct str http_req_header(const struct http_req *r,
                           const char *name); /* case-insensitive; p NULL = absent */
/* Decompressed unless HTTP_RAW_BODY; snappy stays as it is: it belongs to the message formats that use it. */
struct str http_req_body(const struct http_req *r);
struct str http_req_user(const struct http_req *r); /* authenticated by web_config; empty = nobody */
struct str http_req_peer(const struct http_req *r); /* "127.0.0.1:41234" */
struct arena *http_req_arena(struct http_req *r);   /* freed with the request */
/* Set when the client has gone; queries point their query_ctx at it. */
const atomic_bool *http_req_canceled(const struct http_req *r);

/* -- the answer -- either http_res_send once, or http_res_begin, writes, http_res_end. A handler that answers
 * nothing gives 500. Header names and values are copied. */
void http_res_header(struct http_req *r, const char *name, struct str value);
/* Copies the body; compresses (gzip, zstd) by Accept-Encoding when it is worth it and no Content-Encoding is
 * set. */
void http_res_send(struct http_req *r, int status, const char *content_type, struct str body);
/* Takes the buffer's bytes without a copy; b is empty afterwards. A buffer with an error gives 500. */
void http_res_send_buf(struct http_req *r, int status, const char *content_type, struct buf *b);
/* Bytes that live as long as the process (assets); never compressed here. */
void http_res_send_static(struct http_req *r, int status, const char *content_type, struct str body);
/* Streaming, on workers only: http_res_write blocks while the client is slow (up to the idle timeout).
 * Errors: CANCELED (client gone), TIMEOUT. */
MUST_USE enum err http_res_begin(struct http_req *r, int status, const char *content_type);
MUST_USE enum err http_res_write(struct http_req *r, const void *p, size_t n);
void http_res_end(struct http_req *r);
/* Lets the handler return before the answer is sent; exactly one http_res_send* or http_res_end must follow,
 * from any thread. For timers and slow calls. The request and its arena live until then. */
void http_req_detach(struct http_req *r);

/* Runs the handler that server `to` has for (r's method, path) on this request, in this process: same body
 * and headers, `path` as in a request line (percent-encoded), parameters parsed anew from `query` (and the
 * form, when that route wants it); the answer goes to r's client. Called instead of answering; r's handler
 * returns afterwards. Both servers must live until r is answered. Unknown paths, loading and full queues are
 * answered as `to` would. */
void http_forward(struct http_req *r, struct http_server *to, struct str path, struct str query);

/* -- WebSocket (RFC 6455) -- only for GET requests that ask for the upgrade; otherwise answers 400. `run` is
 * called on a thread of its own and the connection closes when it returns; the request's arena lives until
 * then. Send and receive from that thread only. */
void http_res_websocket(struct http_req *r, void (*run)(void *ctx, struct http_ws *ws), void *ctx);
/* Sends one text frame. Errors: CANCELED (peer gone), TIMEOUT. */
MUST_USE enum err http_ws_send(struct http_ws *ws, struct str text);
/* Waits up to timeout_ms for a message. OK, TIMEOUT, CANCELED (closed). Pings and pongs are handled inside; a
 * peer that does not answer pings counts as closed. *ret_text is valid until the next call. */
MUST_USE enum err http_ws_receive(struct http_ws *ws, int64_t timeout_ms, struct str *ret_text);
bool http_ws_closing(const struct http_ws *ws); /* the server is stopping */

#endif
