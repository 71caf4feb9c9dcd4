/* HTTP client over libcurl: a synchronous call, and many at once on one thread (the multi interface).
 *
 * Connections are kept and reused per client. Limits: response size (decompressed) and time, always. */
#ifndef CAIRN_NET_HTTP_CLIENT_H
#define CAIRN_NET_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct http_client;
struct http_client_config; /* Prometheus' http_client_config block: auth, TLS, proxy (http_config.h) */

struct http_header {
    struct str name, value;
};

/* Why no TLS connection came about. */
enum http_tls_fault {
    HTTP_TLS_NONE,      /* that was not the reason */
    HTTP_TLS_HANDSHAKE, /* the other side does not speak TLS, or none that we accept */
    HTTP_TLS_CA_FILE,   /* the file of CA certificates cannot be read */
    HTTP_TLS_CA,        /* the certificate is not signed by a CA we trust */
    HTTP_TLS_NAME,      /* it is for another name */
    HTTP_TLS_TIME,      /* it has expired, or is not valid yet */
};

struct http_call {
    struct str method; /* empty = GET */
    struct str url;
    const struct http_header *headers;
    size_t header_count;
    struct str body;
    int64_t timeout_ms;                      /* 0 = 30 s */
    size_t response_bytes_max;               /* after decompression; 0 = 64 MiB */
    const struct http_client_config *config; /* may be NULL */
    bool accept_compressed;                  /* ask for gzip/zstd and decode */
    bool follow_redirects;
    struct str unix_socket; /* path of the socket to dial instead of the URL's host; empty = none */
    struct str ca_file;     /* certificates of the CAs to trust instead of the system's; empty = those */
    enum http_tls_fault *reterr_tls; /* of http_client_do; may be NULL */
};

struct http_answer {
    int status;
    struct buf body;         /* owned by the receiver: http_answer_done */
    struct str content_type; /* inside `headers` */
    struct buf headers;      /* raw header lines of the last response */
    double seconds;
    size_t body_bytes_wire;
};

MUST_USE enum err http_client_new(const char *name, struct http_client **ret_client);
/* Ends running calls (their callbacks get CANCELED). Accepts NULL. */
void http_client_free(struct http_client *c);
/* Performs the call on the calling thread. An HTTP error status is an OK result. Errors: UNAVAILABLE (no
 * connection, name not found; the message is curl's sentence), TIMEOUT, LIMIT (response too large), INVALID
 * (URL). */
MUST_USE enum err http_client_do(struct http_client *c, const struct http_call *call,
                                 struct http_answer *ret_answer, struct err_info *reterr_info);
/* Starts the call on the client's own thread; everything in `call` is copied. `done` runs on that thread
 * exactly once; it may take the buffers out of the answer and must not block. */
MUST_USE enum err http_client_start(struct http_client *c, const struct http_call *call,
                                    void (*done)(void *ctx, enum err e, struct http_answer *answer,
                                                 const struct err_info *info),
                                    void *ctx, struct err_info *reterr_info);
void http_answer_done(struct http_answer *a);
/* Header of the answer, case-insensitive; p NULL when absent. */
struct str http_answer_header(const struct http_answer *a, const char *name);

#endif
