/* The configuration onto one call's libcurl handle. Secret files are read here, every time. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "net/http_config_int.h"

enum {
    SECRET_BYTES_MAX = 64 << 10
};

static enum err read_file(const char *path, struct buf *text, struct err_info *info)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    text->size_bytes_max = SECRET_BYTES_MAX;
    while (fd >= 0) {
        char block[4096];
        n = read(fd, block, sizeof(block));
        if (n <= 0) {
            break;
        }
        buf_append(text, block, (size_t)n);
    }
    int saved = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (n < 0) {
        return err_set_errno(info, saved, "unable to read secret file %s", path);
    }
    return text->err == ERR_OK ? ERR_OK : err_set(info, text->err, "secret file %s is too large", path);
}

/* The trimmed value into `text`, NUL-terminated (not counted). */
static enum err secret_of(const struct http_secret *secret, struct buf *text, struct err_info *info)
{
    enum err e = ERR_OK;
    if (secret->file.n) {
        e = read_file(secret->file.p, text, info);
        while (text->n && (unsigned char)text->p[text->n - 1] <= ' ') {
            text->n--;
        }
    } else {
        buf_str(text, secret->value);
    }
    buf_char(text, '\0');
    text->n -= text->n > 0;
    return e != ERR_OK ? e : text->err;
}

static enum err apply_credentials(const struct http_client_config *c, struct http_running *run,
                                  struct err_info *info)
{
    struct buf name AUTO_BUF = {0}, secret AUTO_BUF = {0};
    if (c->basic) {
        enum err e = secret_of(&c->username, &name, info);
        e = e == ERR_OK ? secret_of(&c->password, &secret, info) : e;
        if (e != ERR_OK) {
            return e;
        }
        (void)curl_easy_setopt(run->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        (void)curl_easy_setopt(run->easy, CURLOPT_USERNAME, name.p);
        return curl_easy_setopt(run->easy, CURLOPT_PASSWORD, secret.p) == CURLE_OK ? ERR_OK : ERR_OOM;
    }
    if (!c->authorized) {
        return ERR_OK;
    }
    buf_str(&name, c->auth_type);
    buf_char(&name, ' ');
    enum err e = secret_of(&c->credentials, &secret, info);
    buf_str(&name, buf_view(&secret));
    e = e == ERR_OK ? name.err : e;
    return e == ERR_OK ? http_running_header(run, STR("Authorization"), buf_view(&name), info) : e;
}

static void apply_tls(const struct http_client_config *c, CURL *easy)
{
    if (c->ca.file.n) {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, c->ca.file.p);
        (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (c->cert.file.n) {
        (void)curl_easy_setopt(easy, CURLOPT_SSLCERT, c->cert.file.p);
        (void)curl_easy_setopt(easy, CURLOPT_SSLKEY, c->key.file.p);
    }
    if (c->insecure_skip_verify) {
        (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    long min = c->tls_min ? c->tls_min : (long)CURL_SSLVERSION_TLSv1_2;
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, min | c->tls_max);
    (void)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                           c->http2 ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
}

/* server_name: curl takes the name to verify from the URL, so the URL gets that name, the connection goes to
 * the real host, and the Host header tells the server the real one. */
static enum err apply_server_name(const struct http_client_config *c, struct http_running *run,
                                  struct err_info *info)
{
    char *url = NULL, *host = NULL, *port = NULL, *changed = NULL;
    enum err e = ERR_OOM;
    CURLU *u = curl_url();
    struct buf to AUTO_BUF = {0}, host_header AUTO_BUF = {0};
    (void)curl_easy_getinfo(run->easy, CURLINFO_EFFECTIVE_URL, &url);
    if (u && url && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_HOST, c->server_name.p, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_URL, &changed, 0) == CURLUE_OK) {
        buf_printf(&to, "%.*s:%s:%s:%s", STR_FMT(c->server_name), port, host, port);
        buf_printf(&host_header, "%s:%s", host, port);
        buf_char(&to, '\0');
        run->connect_to = to.err == ERR_OK ? curl_slist_append(NULL, to.p) : NULL;
        e = run->connect_to ? http_running_header(run, STR("Host"), buf_view(&host_header), info) : ERR_OOM;
        (void)curl_easy_setopt(run->easy, CURLOPT_CONNECT_TO, run->connect_to);
        (void)curl_easy_setopt(run->easy, CURLOPT_URL, changed);
    }
    curl_free(host);
    curl_free(port);
    curl_free(changed);
    curl_url_cleanup(u);
    return e;
}

static enum err apply_headers(const struct http_client_config *c, struct http_running *run,
                              struct err_info *info)
{
    enum err e = ERR_OK;
    for (const struct http_extra_header *h = c->headers; h && e == ERR_OK; h = h->next) {
        struct buf text AUTO_BUF = {0};
        struct http_secret from = {0};
        *(h->source == HEADER_FILE ? &from.file : &from.value) = h->value;
        e = secret_of(&from, &text, info);
        e = e == ERR_OK ? http_running_header(run, h->name, buf_view(&text), info) : e;
    }
    return e;
}

static enum err apply_proxy(const struct http_client_config *c, struct http_running *run)
{
    if (c->proxy_from_environment) {
        (void)curl_easy_setopt(run->easy, CURLOPT_PROXY, NULL);
    } else if (c->proxy_url.n) {
        (void)curl_easy_setopt(run->easy, CURLOPT_PROXY, c->proxy_url.p);
        (void)curl_easy_setopt(run->easy, CURLOPT_NOPROXY, c->no_proxy.n ? c->no_proxy.p : NULL);
    }
    for (const struct http_extra_header *h = c->proxy_headers; h; h = h->next) {
        struct buf line AUTO_BUF = {0};
        buf_printf(&line, "%.*s: %.*s", STR_FMT(h->name), STR_FMT(h->value));
        buf_char(&line, '\0');
        struct curl_slist *list = line.err == ERR_OK ? curl_slist_append(run->proxy_headers, line.p) : NULL;
        if (!list) {
            return ERR_OOM;
        }
        run->proxy_headers = list;
    }
    (void)curl_easy_setopt(run->easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    (void)curl_easy_setopt(run->easy, CURLOPT_PROXYHEADER, run->proxy_headers);
    return ERR_OK;
}

enum err http_config_apply(const struct http_client_config *c, struct http_running *run,
                           struct err_info *info)
{
    (void)curl_easy_setopt(run->easy, CURLOPT_FOLLOWLOCATION, c->follow_redirects ? 1L : 0L);
    apply_tls(c, run->easy);
    enum err e = apply_credentials(c, run, info);
    e = e == ERR_OK && c->server_name.n ? apply_server_name(c, run, info) : e;
    e = e == ERR_OK ? apply_headers(c, run, info) : e;
    e = e == ERR_OK ? apply_proxy(c, run) : e;
    return e == ERR_OOM ? err_set(info, ERR_OOM, "out of memory") : e;
}
