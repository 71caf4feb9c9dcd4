/* Asking a data source over HTTP, with the credentials it was given: basic auth, extra headers, a client
 * certificate and whom to trust, out of jsonData and secureJsonData, as Grafana keeps them. */
#include "api/grafana/source_int.h"
#include "codec/yaml.h"
#include "net/http_config.h"

#include <sodium.h>
#include <stdio.h>

enum {
    SOURCE_HEADERS_MAX = 16,
    BASIC_TEXT_BYTES_MAX = 1024
};

struct headers {
    struct http_header rows[SOURCE_HEADERS_MAX];
    size_t n;
};

static void add(struct headers *h, struct str name, struct str value)
{
    if (h->n < SOURCE_HEADERS_MAX && name.n && value.p) {
        h->rows[h->n++] = (struct http_header){name, value};
    }
}

static enum err add_basic(struct call *c, const struct data_source *ds, const struct json_value *secrets,
                          struct headers *h)
{
    struct str plain = arena_printf(c->a, "%.*s:%.*s", STR_FMT(ds->basic_auth_user),
                                    STR_FMT(member_str(secrets, "basicAuthPassword")));
    if (!plain.p) {
        return arena_err(c->a);
    }
    if (plain.n > BASIC_TEXT_BYTES_MAX) {
        return err_set(&c->info, ERR_LIMIT, "its user name and password are longer than %d bytes",
                       BASIC_TEXT_BYTES_MAX);
    }
    char coded[sodium_base64_ENCODED_LEN(BASIC_TEXT_BYTES_MAX, sodium_base64_VARIANT_ORIGINAL)];
    (void)sodium_bin2base64(coded, sizeof(coded), (const unsigned char *)plain.p, plain.n,
                            sodium_base64_VARIANT_ORIGINAL);
    struct str value = arena_printf(c->a, "Basic %s", coded);
    if (!value.p) {
        return arena_err(c->a);
    }
    add(h, STR("Authorization"), value);
    return ERR_OK;
}

/* httpHeaderName1 in jsonData pairs with httpHeaderValue1 in secureJsonData. */
static void add_custom(const struct json_value *data, const struct json_value *secrets, struct headers *h)
{
    for (unsigned i = 1; i <= SOURCE_HEADERS_MAX; i++) {
        char name[32], value[32];
        (void)snprintf(name, sizeof(name), "httpHeaderName%u", i);
        (void)snprintf(value, sizeof(value), "httpHeaderValue%u", i);
        struct str header = member_str(data, name);
        if (header.n == 0) {
            return;
        }
        add(h, header, member_str(secrets, value));
    }
}

static void add_text(struct json_writer *w, const char *key, struct str value)
{
    if (value.n) {
        json_key(w, key);
        json_str(w, value);
    }
}

/* tlsAuth, tlsAuthWithCACert and tlsSkipVerify as a http_client_config; NULL when none of them is on. */
static enum err tls_config(struct call *c, const struct data_source *ds, const struct json_value *data,
                           const struct json_value *secrets, struct http_client_config **ret_config)
{
    bool auth = member_bool(data, "tlsAuth"), ca = member_bool(data, "tlsAuthWithCACert");
    bool skip = member_bool(data, "tlsSkipVerify");
    struct buf b AUTO_BUF = {0};
    struct json_writer w = json_writer(&b);
    const struct yaml_node *root = NULL;
    struct str name = arena_printf(c->a, "data source %.*s", STR_FMT(ds->name));
    if (!auth && !ca && !skip) {
        return ERR_OK;
    }
    json_object_begin(&w);
    json_key(&w, "follow_redirects");
    json_bool(&w, false);
    json_key(&w, "tls_config");
    json_object_begin(&w);
    json_key(&w, "insecure_skip_verify");
    json_bool(&w, skip);
    add_text(&w, "server_name", member_str(data, "serverName"));
    add_text(&w, "ca", ca ? member_str(secrets, "tlsCACert") : STR(""));
    add_text(&w, "cert", auth ? member_str(secrets, "tlsClientCert") : STR(""));
    add_text(&w, "key", auth ? member_str(secrets, "tlsClientKey") : STR(""));
    json_object_end(&w);
    json_object_end(&w);
    enum err e = !name.p ? arena_err(c->a) : b.err;
    e = e ? e : yaml_parse(c->a, buf_view(&b), name.p, &root, &c->info);
    return e ? e : http_config_parse(root, ret_config, &c->info);
}

enum err source_ask(struct call *c, const struct data_source *ds, const struct source_request *q,
                    struct http_answer *ret_answer)
{
    const struct json_value *data = NULL, *secrets = NULL;
    struct http_client_config *tls = NULL;
    struct headers h = {.n = 0};
    enum err e = json_parse(c->a, ds->json_data, &data, &c->info);
    e = e ? e : json_parse(c->a, ds->secrets, &secrets, &c->info);
    if (!e && ds->basic_auth) {
        e = add_basic(c, ds, secrets, &h);
    }
    e = e ? e : tls_config(c, ds, data, secrets, &tls);
    if (e) {
        return e;
    }
    add_custom(data, secrets, &h);
    if (q->content_type.n) {
        add(&h, STR("Content-Type"), q->content_type);
    }
    if (q->encoding_flags.n) {
        add(&h, STR("X-Loki-Response-Encoding-Flags"), q->encoding_flags);
    }
    bool slash = str_ends(ds->url, STR("/"));
    struct str url = arena_printf(c->a, "%.*s%.*s%s%.*s", (int)(ds->url.n - (slash ? 1 : 0)), ds->url.p,
                                  STR_FMT(q->path), q->query.n ? "?" : "", STR_FMT(q->query));
    struct http_call call = {.method = q->method,
                             .url = url,
                             .headers = h.rows,
                             .header_count = h.n,
                             .body = q->body,
                             .response_bytes_max = q->response_bytes_max,
                             .config = tls,
                             .accept_compressed = true};
    e = url.p ? http_client_do(c->api->client, &call, ret_answer, &c->info) : arena_err(c->a);
    http_config_free(tls);
    return e;
}

void source_encode(struct buf *b, struct str text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        unsigned char x = (unsigned char)text.p[i];
        bool plain = (x >= 'a' && x <= 'z') || (x >= 'A' && x <= 'Z') || (x >= '0' && x <= '9') || x == '-' ||
                     x == '_' || x == '.' || x == '~';
        if (plain) {
            buf_char(b, (char)x);
        } else {
            buf_char(b, '%');
            buf_char(b, hex[x >> 4]);
            buf_char(b, hex[x & 15]);
        }
    }
}
