/* TLS of the server: protocol choice at the start, the certificate at every handshake, the client's
 * certificate at every request. */
#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "base/log.h"
#include "net/web_config_int.h"

enum {
    CHAIN_MAX = 16
};

struct word {
    const char *go, *gnutls;
};

/* -- at the start ---------------------------------------------------------------------------------------- */

/* Appends the first GnuTLS word whose Go name occurs in `text`. */
static bool add_word(struct buf *b, const struct word *words, size_t n, struct str text, bool whole)
{
    for (size_t i = 0; i < n; i++) {
        if (whole ? str_eq_c(text, words[i].go) : str_find(text, str_c(words[i].go), 0) != STR_NPOS) {
            buf_printf(b, ":+%s", words[i].gnutls);
            return true;
        }
    }
    return false;
}

/* Go's cipher suites name key exchange and cipher together; GnuTLS' priorities choose the two apart, so the
 * result may allow more pairs than were listed, never a cipher or an exchange that was not. TLS 1.3 keeps its
 * own. */
static enum err add_ciphers(const struct web_snapshot *s, struct buf *b, struct err_info *info)
{
    static const struct word ciphers[] = {{"AES_128_GCM", "AES-128-GCM"},
                                          {"AES_256_GCM", "AES-256-GCM"},
                                          {"CHACHA20_POLY1305", "CHACHA20-POLY1305"},
                                          {"AES_128_CBC", "AES-128-CBC"},
                                          {"AES_256_CBC", "AES-256-CBC"}};
    static const struct word exchanges[] = {
        {"TLS_ECDHE_ECDSA_", "ECDHE-ECDSA"}, {"TLS_ECDHE_RSA_", "ECDHE-RSA"}, {"TLS_RSA_", "RSA"}};
    if (s->cipher_count) {
        buf_c(b, ":-CIPHER-ALL:-KX-ALL");
    }
    for (size_t i = 0; i < s->cipher_count; i++) {
        bool tls13 =
            str_starts(s->ciphers[i], STR("TLS_AES_")) || str_starts(s->ciphers[i], STR("TLS_CHACHA20_"));
        if (!add_word(b, ciphers, ARRAY_LEN(ciphers), s->ciphers[i], false) ||
            (!tls13 && !add_word(b, exchanges, ARRAY_LEN(exchanges), s->ciphers[i], false))) {
            return err_set(info, ERR_INVALID, "unknown cipher: %.*s", STR_FMT(s->ciphers[i]));
        }
    }
    return ERR_OK;
}

static enum err priorities_make(struct web_config *w, const struct web_snapshot *s, struct err_info *info)
{
    static const char *const versions[] = {"TLS1.0", "TLS1.1", "TLS1.2", "TLS1.3"};
    static const struct word curves[] = {{"CurveP256", "GROUP-SECP256R1"},
                                         {"CurveP384", "GROUP-SECP384R1"},
                                         {"CurveP521", "GROUP-SECP521R1"},
                                         {"X25519", "GROUP-X25519"}};
    struct buf b AUTO_BUF = {0};
    gnutls_priority_t parsed;
    buf_c(&b, "NORMAL:%SERVER_PRECEDENCE:-VERS-ALL");
    for (unsigned v = s->tls_min; v <= s->tls_max; v++) {
        buf_printf(&b, ":+VERS-%s", versions[v]);
    }
    enum err e = add_ciphers(s, &b, info);
    if (e != ERR_OK) {
        return e;
    }
    if (s->curve_count) {
        buf_c(&b, ":-GROUP-ALL");
    }
    for (size_t i = 0; i < s->curve_count; i++) {
        if (!add_word(&b, curves, ARRAY_LEN(curves), s->curves[i], true)) {
            return err_set(info, ERR_INVALID, "unknown curve: %.*s", STR_FMT(s->curves[i]));
        }
    }
    size_t n;
    w->priorities = buf_take(&b, &n);
    if (!w->priorities) {
        return err_set(info, ERR_OOM, "out of memory");
    }
    if (gnutls_priority_init(&parsed, w->priorities, NULL) != 0) {
        return err_set(info, ERR_INVALID, "no TLS version, cipher or curve is left to offer");
    }
    gnutls_priority_deinit(parsed);
    return ERR_OK;
}

static enum err pem_text(const struct web_pem *pem, struct buf *text, struct err_info *info)
{
    if (pem->file.n) {
        return web_file_read(pem->file.p, text, info);
    }
    buf_str(text, pem->text);
    return text->err;
}

struct identity {
    gnutls_pcert_st *certs;
    unsigned count;
    gnutls_privkey_t key;
};

/* The chain and its key, allocated as GnuTLS frees them. */
static enum err identity_load(const struct web_snapshot *s, struct identity *id, struct err_info *info)
{
    struct buf cert AUTO_BUF = {0}, key AUTO_BUF = {0};
    enum err e = pem_text(&s->cert, &cert, info);
    e = e == ERR_OK ? pem_text(&s->key, &key, info) : e;
    if (e != ERR_OK) {
        return e;
    }
    gnutls_datum_t cert_data = {(unsigned char *)cert.p, (unsigned)cert.n},
                   key_data = {(unsigned char *)key.p, (unsigned)key.n};
    id->count = CHAIN_MAX;
    id->certs = gnutls_calloc(CHAIN_MAX, sizeof(*id->certs));
    int rc = id->certs ? gnutls_pcert_list_import_x509_raw(id->certs, &id->count, &cert_data,
                                                           GNUTLS_X509_FMT_PEM, 0)
                       : GNUTLS_E_MEMORY_ERROR;
    if (rc != 0) {
        gnutls_free(id->certs);
        return err_set(info, ERR_INVALID, "the certificate cannot be read: %s", gnutls_strerror(rc));
    }
    rc = gnutls_privkey_init(&id->key);
    rc = rc == 0 ? gnutls_privkey_import_x509_raw(id->key, &key_data, GNUTLS_X509_FMT_PEM, NULL, 0) : rc;
    gnutls_memset(key.p, 0, key.n);
    if (rc != 0) {
        for (unsigned i = 0; i < id->count; i++) {
            gnutls_pcert_deinit(&id->certs[i]);
        }
        gnutls_free(id->certs);
        gnutls_privkey_deinit(id->key);
        return err_set(info, ERR_INVALID, "the key cannot be read: %s", gnutls_strerror(rc));
    }
    return ERR_OK;
}

static void identity_done(struct identity *id)
{
    for (unsigned i = 0; i < id->count; i++) {
        gnutls_pcert_deinit(&id->certs[i]);
    }
    gnutls_free(id->certs);
    gnutls_privkey_deinit(id->key);
}

enum err web_tls_prepare(struct web_config *w, struct err_info *info)
{
    const struct web_snapshot *s = w->state->now;
    struct identity id = {0};
    enum err e = identity_load(s, &id, info);
    if (e == ERR_OK) {
        identity_done(&id);
        e = priorities_make(w, s, info);
    }
    if (e == ERR_OK && s->client_auth != CLIENT_NONE) {
        struct buf ca AUTO_BUF = {0};
        size_t n;
        e = pem_text(&s->client_ca, &ca, info);
        w->client_ca = e == ERR_OK ? buf_take(&ca, &n) : NULL;
        e = e == ERR_OK && !w->client_ca ? ERR_OOM : e;
    }
    return e;
}

/* -- at a handshake -------------------------------------------------------------------------------------- */

int web_tls_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
                        gnutls_pcert_st **certs, unsigned int *cert_count, gnutls_ocsp_data_st **ocsp,
                        unsigned int *ocsp_count, gnutls_privkey_t *key, unsigned int *flags)
{
    (void)info;
    struct MHD_Connection *connection = gnutls_session_get_ptr(session);
    const struct http_conn *conn = http_conn_of(connection);
    if (!conn) {
        return -1;
    }
    const struct http_server *server = conn->server;
    struct identity id = {0};
    struct err_info why = {0};
    const struct web_snapshot *s = web_lock(server->options.web);
    enum err e = s && s->tls ? identity_load(s, &id, &why) : ERR_INVALID;
    web_unlock(server->options.web);
    if (e != ERR_OK) {
        LOG_EVENT(LVL_ERROR, "tls_certificate_wrong", F_C("err", why.message));
        return -1;
    }
    *certs = id.certs;
    *cert_count = id.count;
    *key = id.key;
    *ocsp = NULL;
    *ocsp_count = 0;
    *flags = GNUTLS_CERT_RETR_DEINIT_ALL;
    return 0;
}

/* -- at a request ---------------------------------------------------------------------------------------- */

/* The alternative name as Go prints it: addresses as text. */
static struct str san_text(unsigned type, const char *raw, size_t n, char *text, size_t text_size)
{
    if (type == GNUTLS_SAN_IPADDRESS) {
        return str_c(inet_ntop(n == 4 ? AF_INET : AF_INET6, raw, text, (socklen_t)text_size));
    }
    return str_of(raw, n);
}

static bool san_allowed(const struct web_snapshot *s, gnutls_x509_crt_t crt)
{
    for (unsigned i = 0;; i++) {
        char raw[1024], text[INET6_ADDRSTRLEN];
        size_t n = sizeof(raw);
        int type = gnutls_x509_crt_get_subject_alt_name(crt, i, raw, &n, NULL);
        if (type < 0) {
            return false;
        }
        struct str name = san_text((unsigned)type, raw, n, text, sizeof(text));
        for (size_t k = 0; k < s->allowed_san_count; k++) {
            if (str_eq(name, s->allowed_sans[k])) {
                return true;
            }
        }
    }
}

static bool peer_allowed(const struct web_snapshot *s, const gnutls_datum_t *peer)
{
    gnutls_x509_crt_t crt;
    if (s->allowed_san_count == 0) {
        return true;
    }
    if (gnutls_x509_crt_init(&crt) != 0) {
        return false;
    }
    bool ok = gnutls_x509_crt_import(crt, peer, GNUTLS_X509_FMT_DER) == 0 && san_allowed(s, crt);
    gnutls_x509_crt_deinit(crt);
    return ok;
}

bool web_tls_client_ok(const struct web_config *w, struct MHD_Connection *connection)
{
    if (!w->client_ca) {
        return true;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    gnutls_session_t session = info ? info->tls_session : NULL;
    unsigned count = 0, status = 0;
    const gnutls_datum_t *peers = session ? gnutls_certificate_get_peers(session, &count) : NULL;
    const struct web_snapshot *s = web_lock(w);
    bool ok = s != NULL;
    if (s && count == 0) {
        ok = s->client_auth == CLIENT_REQUEST || s->client_auth == CLIENT_VERIFY_IF_GIVEN;
    } else if (s) {
        bool verify = s->client_auth == CLIENT_VERIFY_IF_GIVEN || s->client_auth == CLIENT_REQUIRE_AND_VERIFY;
        ok = (!verify || (gnutls_certificate_verify_peers2(session, &status) == 0 && status == 0)) &&
             peer_allowed(s, peers);
    }
    web_unlock(w);
    return ok;
}
