/* The insides of the client, shared by http_client.c, http_call.c and http_config.c. */
#ifndef CAIRN_NET_HTTP_CLIENT_INT_H
#define CAIRN_NET_HTTP_CLIENT_INT_H

#include <curl/curl.h>

#include "base/mem.h"
#include "base/thread.h"
#include "net/http_client.h"

enum {
    HTTP_CALL_TIMEOUT_MS = 30000,
    HTTP_CALL_HEADER_BYTES_MAX = 256 << 10,
    HTTP_CALL_REDIRECTS_MAX = 10,
    HTTP_CLIENT_IDLE_MAX = 16,             /* handles kept for reuse */
    HTTP_CLIENT_CONNECTIONS_MAX = 16384,   /* kept open for the next call, one a host and port */
    HTTP_CLIENT_CONNECTION_IDLE_S = 5 * 60 /* as Go's */
};

#define HTTP_CALL_BYTES_MAX ((size_t)64 << 20)

/* One call under way. */
struct http_running {
    struct http_client *client;
    CURL *easy;
    struct curl_slist *headers, *connect_to, *proxy_headers;
    struct http_answer answer;
    bool too_large;
    char text[CURL_ERROR_SIZE];
    /* Of calls on the client's thread. */
    void (*done)(void *ctx, enum err e, struct http_answer *answer, const struct err_info *info);
    void *ctx;
    struct http_running *next, *prev;
};

/* http_call.c: one call on a prepared handle */
MUST_USE enum err http_running_prepare(struct http_running *run, const struct http_call *call, bool copy_body,
                                       struct err_info *info);
/* Result of a call that ended with `code`; fills answer's status and figures. */
MUST_USE enum err http_running_result(struct http_running *run, CURLcode code, struct err_info *info);
/* What of TLS made it end with `code`. */
enum http_tls_fault http_running_tls_fault(const struct http_running *run, CURLcode code);
/* Appends "name: value"; refuses line breaks. */
MUST_USE enum err http_running_header(struct http_running *run, struct str name, struct str value,
                                      struct err_info *info);

/* http_config.c: credentials, TLS and proxy of the configuration onto the handle. */
MUST_USE enum err http_config_apply(const struct http_client_config *config, struct http_running *run,
                                    struct err_info *info);

#endif
