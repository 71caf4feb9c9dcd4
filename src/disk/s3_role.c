/* Keys of a role: a profile's role_arn, or a web identity's, by AWS' Security Token Service.
 *
 * A role is assumed with the keys of its source: another profile (source_profile, which may have a role
 * itself), or the environment, the container's agent or the instance's role (credential_source). */
#include "disk/s3_role.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "disk/file.h"
#include "disk/s3_profile.h"
#include "disk/s3_sign.h"
#include "disk/s3_xml.h"

enum {
    TOKEN_BYTES_MAX = 64 << 10,
    ANSWER_BYTES_MAX = 256 << 10,
    TIMEOUT_MS = 20000
};

/* -- the request ------------------------------------------------------------------------------------------
 */

/* name=value of a form, encoded. */
static void field(struct buf *b, const char *name, struct str value)
{
    static const char digits[] = "0123456789ABCDEF";
    buf_printf(b, "%s%s=", b->n ? "&" : "", name);
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '.' || c == '_' || c == '~';
        if (plain) {
            buf_char(b, (char)c);
        } else {
            buf_append(b, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
        }
    }
}

/* AWS_ENDPOINT_URL_STS, or the region's own. */
static struct str endpoint(const struct s3_profile *p, struct arena *a, struct str *ret_region)
{
    struct str given = s3_environment("AWS_ENDPOINT_URL_STS", NULL),
               region = s3_environment("AWS_REGION", "AWS_DEFAULT_REGION");
    region = region.n ? region : s3_profile_setting(p, p->config, "region");
    *ret_region = region.n ? region : STR("us-east-1");
    bool china = str_starts(*ret_region, STR("cn-"));
    given.n -= str_ends(given, STR("/"));
    return given.n ? given
                   : arena_printf(a, "https://sts.%.*s.amazonaws.com%s", STR_FMT(*ret_region),
                                  china ? ".cn" : "");
}

struct signed_headers {
    char hash[S3_HASH_CHARS + 1], date[S3_DATE_CHARS + 1];
    struct buf authorization;
    struct http_header rows[5];
    size_t n;
};

static enum err sign(const struct s3_credentials *own, struct str host, struct str region, struct str body,
                     struct signed_headers *h)
{
    time_t now = (time_t)(clock_wall_ms(clock_real()) / MS_PER_S);
    struct tm t;
    if (!gmtime_r(&now, &t) || strftime(h->date, sizeof(h->date), "%Y%m%dT%H%M%SZ", &t) != S3_DATE_CHARS) {
        return ERR_INTERNAL;
    }
    s3_hash(body, h->hash);
    struct s3_request r = {
        .method = STR("POST"), .host = host, .path = STR("/"), .payload_hash = str_c(h->hash)};
    s3_header(&r, "content-type", STR("application/x-www-form-urlencoded"));
    s3_header(&r, "x-amz-content-sha256", str_c(h->hash)); /* AWS can do without, SeaweedFS cannot */
    s3_header(&r, "x-amz-date", str_c(h->date));
    if (own->token) {
        s3_header(&r, "x-amz-security-token", str_c(own->token));
    }
    const struct s3_signer signer = {str_c(own->key_id), str_c(own->secret), region, STR("sts"),
                                     str_c(h->date)};
    enum err e = s3_authorization(&r, &signer, &h->authorization);
    for (size_t i = 0; i < r.header_count; i++) {
        h->rows[h->n++] = (struct http_header){r.headers[i].name, r.headers[i].value};
    }
    h->rows[h->n++] = (struct http_header){STR("Authorization"), buf_view(&h->authorization)};
    return e;
}

/* own NULL: the request is not signed (a web identity shows its token instead). */
static enum err ask(struct http_client *client, const struct s3_profile *p, const struct s3_credentials *own,
                    struct str body, struct http_answer *ret_answer, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct signed_headers h = {.rows = {{STR("content-type"), STR("application/x-www-form-urlencoded")}},
                               .n = 1};
    struct str region = {0}, base = endpoint(p, &a, &region);
    struct str ca = s3_environment("AWS_CA_BUNDLE", NULL);
    struct str url = arena_printf(&a, "%.*s/", STR_FMT(base));
    size_t scheme = str_find(base, STR("://"), 0);
    enum err e = base.p && url.p ? ERR_OK : err_set(info, ERR_OOM, "no memory for the address of AWS STS");
    if (!e && own) {
        h.n = 0;
        e = sign(own, scheme == STR_NPOS ? base : str_slice(base, scheme + 3, base.n), region, body, &h);
    }
    const struct http_call call = {.method = STR("POST"),
                                   .url = url,
                                   .headers = h.rows,
                                   .header_count = h.n,
                                   .body = body,
                                   .timeout_ms = TIMEOUT_MS,
                                   .ca_file = ca.n ? ca : s3_profile_setting(p, p->config, "ca_bundle"),
                                   .response_bytes_max = ANSWER_BYTES_MAX};
    e = e ? e : http_client_do(client, &call, ret_answer, info);
    buf_done(&h.authorization);
    if (!e && ret_answer->status != 200) {
        struct str xml = buf_view(&ret_answer->body), code = s3_xml_text(xml, "Code", &a),
                   text = s3_xml_text(xml, "Message", &a);
        int status = ret_answer->status;
        e = err_set(info, status >= 500 ? ERR_UNAVAILABLE : ERR_DENIED,
                    "%.*s did not give the keys of the role: %.*s%s%.*s (HTTP %d)", STR_FMT(base),
                    STR_FMT(code), text.n ? ", " : "", text.n > 200 ? 200 : (int)text.n, text.n ? text.p : "",
                    status);
        http_answer_done(ret_answer);
    }
    return e;
}

/* <Credentials><AccessKeyId/><SecretAccessKey/><SessionToken/><Expiration/></Credentials> */
static enum err answer_read(struct str xml, struct s3_credentials *c, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct str id = s3_xml_text(xml, "AccessKeyId", &a), secret = s3_xml_text(xml, "SecretAccessKey", &a);
    if (!id.n || !secret.n) {
        return err_set(info, ERR_UNAVAILABLE, "AWS STS answered without keys");
    }
    c->expires_ms = s3_credentials_time(s3_xml_text(xml, "Expiration", &a));
    return s3_credentials_fill(c, id, secret, s3_xml_text(xml, "SessionToken", &a), "the role", info);
}

static void form_begin(struct buf *b, const char *action, struct str role, struct str session,
                       struct arena *a)
{
    buf_printf(b, "Action=%s&Version=2011-06-15&DurationSeconds=3600", action);
    field(b, "RoleArn", role);
    field(b, "RoleSessionName", session.n ? session : arena_printf(a, "cairn-%ld", (long)getpid()));
}

/* -- faces ------------------------------------------------------------------------------------------------
 */

enum err s3_role_assume(struct http_client *client, const struct s3_profile *p,
                        const struct s3_credentials *own, struct s3_credentials *c, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct buf body AUTO_BUF = {.size_bytes_max = TOKEN_BYTES_MAX};
    struct http_answer answer = {0};
    struct str external = s3_profile_setting(p, p->config, "external_id");
    form_begin(&body, "AssumeRole", s3_profile_setting(p, p->config, "role_arn"),
               s3_profile_setting(p, p->config, "role_session_name"), &a);
    if (external.n) {
        field(&body, "ExternalId", external);
    }
    enum err e = body.err ? err_set(info, body.err, "no memory for a request to AWS STS")
                          : ask(client, p, own, buf_view(&body), &answer, info);
    e = e ? e : answer_read(buf_view(&answer.body), c, info);
    http_answer_done(&answer);
    return e;
}

enum err s3_role_web_identity(struct http_client *client, const struct s3_profile *p,
                              struct s3_credentials *c, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct buf token AUTO_BUF = {.size_bytes_max = TOKEN_BYTES_MAX},
                     body AUTO_BUF = {.size_bytes_max = 4 * TOKEN_BYTES_MAX};
    struct http_answer answer = {0};
    struct str file = s3_environment("AWS_WEB_IDENTITY_TOKEN_FILE", NULL),
               role = s3_environment("AWS_ROLE_ARN", NULL);
    if (!file.n || !role.n) {
        return ERR_NOT_FOUND;
    }
    enum err e = file_load(file.p, &token, info);
    form_begin(&body, "AssumeRoleWithWebIdentity", role, s3_environment("AWS_ROLE_SESSION_NAME", NULL), &a);
    field(&body, "WebIdentityToken", str_trim(buf_view(&token)));
    e = e          ? e
        : body.err ? err_set(info, body.err, "no memory for a request to AWS STS")
                   : ask(client, p, NULL, buf_view(&body), &answer, info);
    e = e ? e : answer_read(buf_view(&answer.body), c, info);
    http_answer_done(&answer);
    return e == ERR_NOT_FOUND
               ? err_set(info, ERR_INVALID, "AWS_WEB_IDENTITY_TOKEN_FILE=%s is not there", file.p)
               : e;
}
