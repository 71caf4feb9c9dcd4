/* One API call: who asks, the request's arena, and the ways to answer. Private to this folder. */
#ifndef CAIRN_API_GRAFANA_CALL_INT_H
#define CAIRN_API_GRAFANA_CALL_INT_H

#include "api/grafana/grafana_api.h"
#include "codec/json.h"

struct call {
    struct grafana_api *api;
    struct http_req *r;
    struct arena *a;
    struct auth_identity who;
    struct err_info info;
    struct buf out; /* the JSON answer */
    struct json_writer w;
};

/* Authenticates (session cookie, bearer token, basic auth, anonymous) and checks the role; answers 401 or 403
 * itself and returns false then. A request that changes something must come from the same origin (the Origin
 * header, when there is one, names this host). */
/* Only prepares the struct; call_identify finds out who asks. */
void call_open(struct call *c, struct grafana_api *api, struct http_req *r);
MUST_USE enum err call_identify(struct call *c);
bool call_begin(struct call *c, struct grafana_api *api, struct http_req *r, enum auth_role need);
void call_done(struct call *c);

/* Sends c->out. */
void call_send(struct call *c, int status);
/* {"message": ...} */
void call_message(struct call *c, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The answer for an error of the layers below: status by code, message from info. */
void call_error(struct call *c, enum err e);
/* True when there is none; else it is answered. */
MUST_USE bool call_ok(struct call *c, enum err e);
/* The answer of a change: the message, or the error. */
void call_answer(struct call *c, enum err e, const char *message);
/* Parses the body as a JSON object; answers 400 itself and returns false when it is not one. */
bool call_body(struct call *c, const struct json_value **ret_object);
/* Optional members of an object: an empty string, the fallback, false when absent or of another type. */
struct str member_str(const struct json_value *object, const char *name);
int64_t member_i64(const struct json_value *object, const char *name, int64_t fallback);
bool member_bool(const struct json_value *object, const char *name);

/* Wraps a handler `static void fn(struct call *c)` for the route table. */
#define CALL_ROUTE(fn, need)                              \
    static void fn##_route(void *ctx, struct http_req *r) \
    {                                                     \
        struct call c;                                    \
        if (call_begin(&c, ctx, r, need)) {               \
            fn(&c);                                       \
        }                                                 \
        call_done(&c);                                    \
    }

enum {
    BODY_BYTES_MAX = 16 << 20
};

/* Route tables of the files of this folder. */
struct route_table {
    const struct http_route *rows;
    size_t n;
};
struct route_table routes_login(void);
struct route_table routes_dashboards(void);
struct route_table routes_folders(void);
struct route_table routes_data_sources(void);
struct route_table routes_users(void);
struct route_table routes_proxy(void);
struct route_table routes_ds_query(void);
struct route_table routes_annotations(void);
struct route_table routes_org(void);
struct route_table routes_services(void);
struct route_table routes_server(void);

/* The user as /api/user shows it; the array of /api/datasources. */
void call_user_object(struct call *c);
MUST_USE enum err call_data_sources(struct call *c);

#define SESSION_COOKIE "grafana_session"

#endif
