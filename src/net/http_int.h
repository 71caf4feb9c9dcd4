/* The insides of the server, shared by the files of this folder. */
#ifndef CAIRN_NET_HTTP_INT_H
#define CAIRN_NET_HTTP_INT_H

#include <microhttpd.h>

#include "base/mem.h"
#include "base/strmap.h"
#include "base/thread.h"
#include "labels/regex.h"
#include "net/http_server.h"

enum {
    HTTP_CAPTURES_MAX = 8,
    HTTP_PARAMS_MAX = 65536,         /* of query string and form together */
    HTTP_STREAM_BYTES_MAX = 1 << 20, /* written but not yet sent; a writer waits above it */
    HTTP_BODY_BYTES_DEFAULT_MAX = 1 << 20,
    HTTP_SWALLOW_BYTES_MAX = 1 << 20,     /* a refused body up to this size is read to keep the connection */
    HTTP_CONNECTION_MEMORY_BYTES = 32768, /* request line and headers */
    HTTP_QUEUE_MAX = 256,
    HTTP_CONNECTIONS_MAX = 512,
    HTTP_IDLE_TIMEOUT_S = 300,
    HTTP_COMPRESS_BYTES_MIN = 1024,
    HTTP_PEER_BYTES = 64,
};

struct http_param {
    struct str name, value;
};

/* One row of a registered table. */
struct http_binding {
    const struct http_route *route;
    void *ctx;
    struct http_binding *next; /* in the list of patterns, or of the same exact path */
};

enum http_answer_kind {
    ANSWER_NONE = 0,
    ANSWER_WHOLE,
    ANSWER_STREAM,
    ANSWER_UPGRADE
};

struct http_stream {
    struct cond room; /* the writer waits here */
    struct buf data;
    size_t taken; /* bytes of data already given to the network */
    bool ended, broken, reader_suspended;
};

/* What a const request may still fill in. */
struct http_lazy {
    char peer[HTTP_PEER_BYTES];
    size_t peer_n;
};

/* The server may be gone before a detached request's answer comes: nothing an answerer calls looks at
 * `server`. A request has up to three owners, counted by `owners`: the network thread (until request_over),
 * the worker that runs the handler, and whoever answers a detached one. The last frees it. `lock` guards the
 * moment of handing over: answer, suspended, gone, stream. */
struct http_req {
    bool while_loading; /* when it was routed */
    struct http_server *server;
    struct http_req *root; /* whose client gets the answer: itself unless forwarded */
    struct MHD_Connection *connection;
    struct arena arena;                       /* the root's */
    struct str method, path, raw_path, query; /* path is decoded */
    struct http_param *params;
    size_t param_count, param_cap;
    struct http_param captures[HTTP_CAPTURES_MAX];
    size_t capture_count;
    struct http_param *kept_headers; /* of the request, copied when it leaves the network thread */
    size_t kept_header_count, kept_header_cap;
    bool headers_kept;
    const struct http_binding *binding;
    struct buf body;
    size_t body_bytes_max;
    struct str user;
    int refused_status; /* answer this instead of running the handler */
    const char *refused_text;
    bool begun, head, may_block, body_decoded;
    bool unproven;          /* the password has still to be hashed, on a worker */
    atomic_bool dispatched; /* its body is whole */
    struct http_lazy *lazy;

    atomic_uint owners;
    struct mutex lock;
    enum http_answer_kind answer_kind;
    bool suspended, detached;
    bool gone;      /* libmicrohttpd has let go of the request */
    bool abandoned; /* the server stops before the answer came */
    atomic_bool canceled;
    int status;
    struct str content_type;
    struct buf answer; /* bytes that belong to the request */
    struct str fixed;  /* or bytes in the arena or of static life */
    bool encode;
    struct http_param *headers; /* of the answer, NUL-terminated */
    size_t header_count, header_cap;
    struct http_stream stream;
    void (*ws_run)(void *ctx, struct http_ws *ws);
    void *ws_ctx;
    int64_t started_ns, write_timeout_ns;
    uint64_t bytes_out;
    struct http_req *next, *prev; /* list of open requests; server->lock */
    bool listed;
};

/* One client's connection, from accept to close. */
struct http_conn {
    struct http_server *server;
    struct http_conn *prev, *next; /* in order of age; server->lock */
    int fd;
    bool cut;                 /* shut down, not closed yet; server->lock */
    atomic_bool busy, served; /* a request's headers are whole; one has ended */
    _Atomic int64_t since_ns; /* opened, began to speak, or its last request ended */
};

struct http_server {
    struct http_server_options options; /* strings in `arena` */
    struct arena arena;
    struct MHD_Daemon *daemon;
    struct pool *pool, *queries; /* the second: NULL unless there are query_workers */
    unsigned port;
    struct str address; /* as bound, for messages */
    struct mutex routes_lock;
    struct strmap exact;           /* path -> struct http_binding list; routes_lock */
    struct http_binding *patterns; /* routes_lock */
    struct regex *cors;
    struct mutex lock; /* guards the list and the watcher's state */
    struct cond idle;
    struct http_req *open;
    struct http_conn *conn_oldest, *conn_newest;
    size_t conn_count;
    bool watcher_dozes, watcher_stops;
    atomic_bool stopping;
    _Atomic(const char *) loading;
    atomic_bool refusing_for_good; /* http_server_set_stopping */
    struct thread watcher;
    struct cond watcher_wake;
    struct http_ws *sockets; /* WebSockets not yet joined; lock */
    int wake_fd;             /* readable once the server stops */
};

/* http_listen.c */
MUST_USE enum err http_listen(const struct http_server_options *o, int *ret_fd, struct err_info *info);
unsigned http_bound(int fd, char *text, size_t text_size); /* the port; the address as text */

/* http_route.c */
const struct http_binding *http_route_find(const struct http_server *s, struct http_req *r,
                                           unsigned *ret_allow);
/* The methods as Allow names them, OPTIONS among them. */
void http_allow_format(struct buf *b, unsigned set);
bool http_percent_decode(struct arena *a, struct str text, bool plus_is_space, struct str *ret_text);
MUST_USE enum err http_params_add(struct http_req *r, struct arena *a, struct str encoded);
void http_bindings_free(struct http_server *s);

/* http_request.c */
/* Whose threads run the request's handler. */
struct pool *http_req_pool(const struct http_req *r);
struct str http_header_of(const struct http_req *r, const char *name);
/* Finds the route and what speaks against running it; then the parameters of the query. */
void http_req_route(struct http_req *r);
/* Decompression and form parameters, once the body is whole. */
void http_req_body_complete(struct http_req *r);
void http_req_form(struct http_req *r, struct str body);
void http_req_refuse(struct http_req *r, int status, const char *text);
/* Replaces whatever else speaks against the request: who is not let in learns nothing more. */
void http_req_refuse_first(struct http_req *r, int status, const char *text);
/* Refuses by a verdict of web_auth or web_rate; OK and UNAVAILABLE change nothing. */
void http_req_deny(struct http_req *r, enum err e);
void http_req_answer_refusal(struct http_req *r);
void http_req_run(struct http_req *r);
/* Copies the request's headers, so that they outlive the connection. */
void http_req_keep_headers(struct http_req *r);
const char *http_req_route_name(const struct http_req *r);

/* http_watch.c: the list of open requests, and the thread that notices clients that leave or dawdle */
void http_watch_add(struct http_req *r);
void http_watch_remove(struct http_req *r);
/* Wakes the watcher when it dozes: a handler is at work, or connections are many. */
void http_watch_wake(struct http_server *s);
/* Sets the flag, wakes a waiting writer. Takes no lock: callers hold the server's. */
void http_req_cancel(struct http_req *r);
void http_watch_main(void *server);

/* http_conn.c: the list of connections, and which of them must make room */
void http_conn_seen(void *server, struct MHD_Connection *connection, void **context,
                    enum MHD_ConnectionNotificationCode what);
struct http_conn *http_conn_of(struct MHD_Connection *connection);       /* NULL when memory was out */
void http_conn_stamp(struct MHD_Connection *connection, int64_t now_ns); /* it has begun to speak */
void http_conn_busy(struct MHD_Connection *connection, bool busy);
/* Both with the server's lock held. True while connections are many, so that the next look must be soon. */
bool http_conns_trim(struct http_server *s, int64_t now_ns);
int64_t http_conns_body_ns(const struct http_server *s); /* how long a request may take to arrive */

/* http_body.c */
MUST_USE enum err http_body_decode(struct buf *body, struct str encoding, size_t size_bytes_max);
/* Compresses the answer when the client takes it and it is worth it. */
void http_body_encode(struct http_req *r);

/* http_response.c */
enum MHD_Result http_response_queue(struct http_req *r);
void http_req_unref(struct http_req *r);
/* Gives a detached request that nobody answers a 503; the connection to resume, with no lock held, or NULL.
 */
struct MHD_Connection *http_req_abandon(struct http_req *r);
/* Sets the answer; gives a detached request back. */
void http_res_commit(struct http_req *r, int status, const char *content_type, enum http_answer_kind kind);
/* The handler has returned: makes sure there is an answer and gives the connection back. Drops an owner. */
void http_req_finish(struct http_req *r);

/* http_ws.c */
struct MHD_Response *http_ws_response(struct http_req *r);
void http_ws_wake(struct http_server *s);    /* receivers notice the stop */
void http_ws_hang_up(struct http_server *s); /* ends what has not ended by itself; waits */

#endif
