#ifndef CAIRN_NET_HTTP_CONFIG_INT_H
#define CAIRN_NET_HTTP_CONFIG_INT_H

#include "base/arena.h"
#include "net/http_client_int.h"
#include "net/http_config.h"

/* A value given in line or as the name of a file. All strings are NUL-terminated. */
struct http_secret {
    struct str value, file;
};

enum http_header_source {
    HEADER_VALUE,
    HEADER_FILE
};

struct http_extra_header {
    struct str name, value;
    enum http_header_source source;
    struct http_extra_header *next;
};

struct http_client_config {
    struct arena arena;
    bool basic, authorized;
    struct http_secret username, password;
    struct str auth_type; /* "Bearer" */
    struct http_secret credentials;
    struct http_secret ca, cert, key;
    int ca_fd, cert_fd, key_fd; /* of values given in line, or -1: libcurl wants files */
    struct str server_name;
    bool insecure_skip_verify, follow_redirects, http2, proxy_from_environment;
    long tls_min, tls_max; /* CURL_SSLVERSION_*, 0 = not set */
    struct str proxy_url, no_proxy;
    struct http_extra_header *headers, *proxy_headers;
};

#endif
