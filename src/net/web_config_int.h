#ifndef CAIRN_NET_WEB_CONFIG_INT_H
#define CAIRN_NET_WEB_CONFIG_INT_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <sys/stat.h>

#include "codec/yaml.h"
#include "net/http_int.h"
#include "net/web_config.h"

enum {
    WEB_DIGEST_BYTES = 32,
    WEB_CACHE_ENTRIES = 128, /* verified passwords, right and wrong ones */
};

enum web_client_auth {
    CLIENT_NONE = 0,
    CLIENT_REQUEST,
    CLIENT_REQUIRE_ANY,
    CLIENT_VERIFY_IF_GIVEN,
    CLIENT_REQUIRE_AND_VERIFY
};

/* A name and what proves it: a bcrypt hash or a token; or a header and its value. */
struct web_pair {
    struct str name, value;
    struct web_pair *next;
};

/* In line (PEM text) or a file. NUL-terminated. */
struct web_pem {
    struct str text, file;
};

/* The file as read once. */
struct web_snapshot {
    struct arena arena;
    bool tls;
    struct web_pem cert, key, client_ca;
    enum web_client_auth client_auth;
    const struct str *allowed_sans;
    size_t allowed_san_count;
    unsigned tls_min, tls_max; /* 0 = TLS 1.0 ... 3 = TLS 1.3 */
    const struct str *curves, *ciphers;
    size_t curve_count, cipher_count;
    struct web_pair *users, *tokens, *headers;
    int64_t rate_interval_ms; /* 0 = no limit */
    uint64_t rate_burst;
};

struct web_verdict {
    unsigned char digest[WEB_DIGEST_BYTES]; /* of user, hash and password */
    bool used, right;
};

struct web_state {
    char *path;
    struct mutex lock;        /* guards what follows */
    struct web_snapshot *now; /* NULL while the file is wrong */
    struct stat seen;
    struct web_verdict cache[WEB_CACHE_ENTRIES];
    unsigned cache_next;
    double rate_tokens;
    int64_t rate_ns;
    struct mutex bcrypt_lock; /* one at a time: an attack costs one processor at most */
};

enum {
    WEB_OWN_TOKEN_BYTES = 32 /* hexadecimal digits: 128 random bits */
};

struct web_config {
    struct web_state *state;
    bool tls;
    char *priorities; /* GnuTLS' */
    char *client_ca;  /* PEM, or NULL */
    char own_token[WEB_OWN_TOKEN_BYTES + 1];
};

/* web_config.c */
/* Locks the state and returns the current snapshot; NULL when the file is wrong. Unlock in either case. */
const struct web_snapshot *web_lock(const struct web_config *w);
void web_unlock(const struct web_config *w);
/* The whole file as text, NUL-terminated (not counted). */
MUST_USE enum err web_file_read(const char *path, struct buf *ret_text, struct err_info *info);

/* web_auth.c */
/* OK with the user (empty when no one has to identify himself); DENIED; LIMIT (rate); INVALID (the file is
 * wrong); UNAVAILABLE when a password must be hashed and the caller may not block. */
MUST_USE enum err web_auth(const struct web_config *w, struct arena *a, struct str authorization,
                           bool may_block, struct str *ret_user);
/* Whether it is this process's own token: its roles need no client certificate for each other either. */
bool web_auth_own(const struct web_config *w, struct str authorization);
/* Takes a token of the rate limit. LIMIT when there is none, INVALID when the file is wrong. */
MUST_USE enum err web_rate(const struct web_config *w);
void web_headers(const struct web_config *w, struct MHD_Response *m);

/* web_tls.c */
MUST_USE enum err web_tls_prepare(struct web_config *w, struct err_info *info);
/* GnuTLS' callback of every handshake: reads the certificate. The connection's socket context is the server.
 */
int web_tls_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                        gnutls_pcert_st **certs, unsigned int *cert_count, gnutls_ocsp_data_st **ocsp,
                        unsigned int *ocsp_count, gnutls_privkey_t *key, unsigned int *flags);
/* Whether the client's certificate is as client_auth_type demands. */
bool web_tls_client_ok(const struct web_config *w, struct MHD_Connection *connection);

#endif
