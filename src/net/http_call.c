/* One HTTP call on a libcurl handle: what is set before, what is read after. */
#include <gnutls/x509.h>
#include <string.h>

#include "net/http_client_int.h"

/* -- while it runs --------------------------------------------------------------------------------------- */

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
    struct http_running *run = ctx;
    buf_append(&run->answer.body, p, size * n);
    if (run->answer.body.err != ERR_OK) {
        run->too_large = run->answer.body.err == ERR_LIMIT;
        return 0;
    }
    return size * n;
}

/* Header lines of the last response only: redirects and "100 Continue" start anew. */
static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
    struct http_running *run = ctx;
    if (str_starts(str_of(p, size * n), STR("HTTP/"))) {
        buf_reset(&run->answer.headers);
    }
    buf_append(&run->answer.headers, p, size * n);
    run->too_large |= run->answer.headers.err == ERR_LIMIT;
    return run->answer.headers.err == ERR_OK ? size * n : 0;
}

/* -- before ---------------------------------------------------------------------------------------------- */

static bool breaks_line(struct str s)
{
    return str_find_char(s, '\r', 0) != STR_NPOS || str_find_char(s, '\n', 0) != STR_NPOS ||
           str_find_char(s, '\0', 0) != STR_NPOS;
}

enum err http_running_header(struct http_running *run, struct str name, struct str value,
                             struct err_info *info)
{
    if (name.n == 0 || breaks_line(name) || breaks_line(value) || str_find_char(name, ':', 0) != STR_NPOS) {
        return err_set(info, ERR_INVALID, "invalid HTTP header \"%.*s\"", STR_FMT(name));
    }
    struct buf line AUTO_BUF = {0};
    buf_str(&line, name);
    buf_c(&line, value.n ? ": " : ";"); /* curl's way to write an empty value */
    buf_str(&line, value);
    buf_char(&line, '\0');
    struct curl_slist *list = line.err == ERR_OK ? curl_slist_append(run->headers, line.p) : NULL;
    if (!list) {
        return err_set(info, ERR_OOM, "out of memory");
    }
    run->headers = list;
    return ERR_OK;
}

static enum err set_headers(struct http_running *run, const struct http_call *call, struct err_info *info)
{
    bool typed = false;
    for (size_t i = 0; i < call->header_count; i++) {
        typed |= str_ieq(call->headers[i].name, STR("Content-Type"));
        enum err e = http_running_header(run, call->headers[i].name, call->headers[i].value, info);
        if (e != ERR_OK) {
            return e;
        }
    }
    /* Without these two curl adds a form's content type and waits for "100 Continue". */
    static const char *const off[] = {"Expect:", "Content-Type:"};
    for (size_t i = 0; i < (typed ? 1 : 2); i++) {
        struct curl_slist *list = curl_slist_append(run->headers, off[i]);
        if (!list) {
            return ERR_OOM;
        }
        run->headers = list;
    }
    return ERR_OK;
}

static CURLcode set_method(CURL *easy, const struct http_call *call, bool copy_body)
{
    char method[32] = "GET";
    if (call->method.n >= sizeof(method)) {
        return CURLE_BAD_FUNCTION_ARGUMENT;
    }
    if (call->method.n) {
        memcpy(method, call->method.p, call->method.n);
        method[call->method.n] = '\0';
    }
    bool post = str_eq_c(call->method, "POST"), put = str_eq_c(call->method, "PUT");
    if (call->body.n || post || put) { /* those two have a length, be it 0 */
        CURLcode code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
        const char *body = call->body.n ? call->body.p : "";
        if (code == CURLE_OK) {
            code = copy_body ? curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body)
                             : curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
        }
        return code != CURLE_OK || post ? code : curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    }
    if (str_eq_c(call->method, "HEAD")) {
        return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    return call->method.n == 0 || str_eq_c(call->method, "GET")
               ? curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L)
               : curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static CURLcode set_unix_socket(CURL *easy, struct str path)
{
    if (path.n == 0) {
        return CURLE_OK;
    }
    char *text = mem_dup(path.p, path.n);
    CURLcode code = text ? curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, text) : CURLE_OUT_OF_MEMORY;
    mem_free(text);
    return code;
}

static CURLcode set_url(CURL *easy, struct str url)
{
    if (url.n == 0 || str_find_char(url, '\0', 0) != STR_NPOS) {
        return CURLE_URL_MALFORMAT;
    }
    char *text = mem_dup(url.p, url.n);
    CURLcode code = text ? curl_easy_setopt(easy, CURLOPT_URL, text) : CURLE_OUT_OF_MEMORY;
    mem_free(text);
    return code;
}

/* A configuration may say otherwise afterwards. */
static CURLcode set_tls(CURL *easy, struct str ca_file)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    char *path = ca_file.n && code == CURLE_OK ? mem_dup(ca_file.p, ca_file.n) : NULL;
    if (path) {
        (void)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        code = curl_easy_setopt(easy, CURLOPT_CAINFO, path);
    } else if (ca_file.n) {
        code = CURLE_OUT_OF_MEMORY;
    }
    mem_free(path);
    return code;
}

static void set_limits(CURL *easy, const struct http_call *call)
{
    long timeout_ms = call->timeout_ms > 0 ? (long)call->timeout_ms : HTTP_CALL_TIMEOUT_MS;
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)HTTP_CALL_REDIRECTS_MAX);
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, call->follow_redirects ? 1L : 0L);
    (void)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)HTTP_CLIENT_CONNECTION_IDLE_S);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY,
                           ""); /* the environment counts only when the configuration says so */
}

enum err http_running_prepare(struct http_running *run, const struct http_call *call, bool copy_body,
                              struct err_info *info)
{
    CURL *easy = run->easy;
    run->answer.body.size_bytes_max =
        call->response_bytes_max ? call->response_bytes_max : HTTP_CALL_BYTES_MAX;
    run->answer.headers.size_bytes_max = HTTP_CALL_HEADER_BYTES_MAX;
    curl_easy_reset(easy);
    set_limits(easy, call);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, run->text);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, run);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, run);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, run);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "cairn/" CAIRN_VERSION);
    if (call->accept_compressed) {
        (void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip, zstd");
    }
    CURLcode code = set_url(easy, call->url);
    code = code == CURLE_OK ? set_unix_socket(easy, call->unix_socket) : code;
    code = code == CURLE_OK ? set_tls(easy, call->ca_file) : code;
    code = code == CURLE_OK ? set_method(easy, call, copy_body) : code;
    if (code != CURLE_OK) {
        return http_running_result(run, code, info);
    }
    enum err e = set_headers(run, call, info);
    if (e == ERR_OK && call->config) {
        e = http_config_apply(call->config, run, info);
    }
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, run->headers);
    return e;
}

/* -- after ----------------------------------------------------------------------------------------------- */

static enum err error_of(CURLcode code)
{
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return ERR_TIMEOUT;
    }
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
        code == CURLE_BAD_FUNCTION_ARGUMENT) {
        return ERR_INVALID;
    }
    return code == CURLE_OUT_OF_MEMORY ? ERR_OOM : ERR_UNAVAILABLE;
}

enum http_tls_fault http_running_tls_fault(const struct http_running *run, CURLcode code)
{
    long verdict = 0; /* of GnuTLS */
    if (code == CURLE_SSL_CONNECT_ERROR) {
        return HTTP_TLS_HANDSHAKE;
    }
    if (code == CURLE_SSL_CACERT_BADFILE) {
        return HTTP_TLS_CA_FILE;
    }
    if (code != CURLE_PEER_FAILED_VERIFICATION ||
        curl_easy_getinfo(run->easy, CURLINFO_SSL_VERIFYRESULT, &verdict) != CURLE_OK) {
        return HTTP_TLS_NONE;
    }
    bool time = verdict & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED),
         signer = verdict & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA);
    return time && !signer ? HTTP_TLS_TIME : verdict & GNUTLS_CERT_INVALID ? HTTP_TLS_CA : HTTP_TLS_NAME;
}

enum err http_running_result(struct http_running *run, CURLcode code, struct err_info *info)
{
    struct http_answer *a = &run->answer;
    if (code == CURLE_WRITE_ERROR && run->too_large) {
        return err_set(info, ERR_LIMIT, "the response is larger than %zu bytes", a->body.size_bytes_max);
    }
    if (code == CURLE_WRITE_ERROR && (a->body.err == ERR_OOM || a->headers.err == ERR_OOM)) {
        return err_set(info, ERR_OOM, "out of memory");
    }
    if (code != CURLE_OK) {
        return err_set(info, error_of(code), "%s", run->text[0] ? run->text : curl_easy_strerror(code));
    }
    long status = 0;
    curl_off_t wire = 0;
    (void)curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(run->easy, CURLINFO_TOTAL_TIME, &a->seconds);
    (void)curl_easy_getinfo(run->easy, CURLINFO_SIZE_DOWNLOAD_T, &wire);
    a->status = (int)status;
    a->body_bytes_wire = (size_t)wire;
    a->content_type = http_answer_header(a, "Content-Type");
    return ERR_OK;
}

void http_answer_done(struct http_answer *a)
{
    buf_done(&a->body);
    buf_done(&a->headers);
    *a = (struct http_answer){0};
}

struct str http_answer_header(const struct http_answer *a, const char *name)
{
    struct str rest = buf_view(&a->headers);
    while (rest.p) {
        struct str value = str_cut(&rest, '\n'), key = str_cut(&value, ':');
        if (value.p && str_ieq(key, str_c(name))) {
            return str_trim(value);
        }
    }
    return (struct str){0};
}
