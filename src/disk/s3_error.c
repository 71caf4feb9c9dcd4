/* What a store's refusal means: one row a code, with our error and what to do about it. */
#include <time.h>

#include "disk/s3_int.h"
#include "disk/s3_xml.h"

static const struct meaning {
    const char *code;
    enum err e;
    bool again;
    const char *cure; /* NULL: the store's own message is enough */
} meanings[] = {
    {"NoSuchKey", ERR_NOT_FOUND, false, NULL},
    {"NoSuchUpload", ERR_NOT_FOUND, false, NULL},
    {"NoSuchBucket", ERR_INVALID, false,
     "there is no such bucket here; create it, or correct its name or endpoint"},
    {"InvalidBucketName", ERR_INVALID, false, "correct the bucket's name"},
    {"PreconditionFailed", ERR_EXISTS, false, NULL},
    {"ConditionalRequestConflict", ERR_UNAVAILABLE, true, NULL},
    {"OperationAborted", ERR_UNAVAILABLE, true, NULL},
    {"NotImplemented", ERR_UNSUPPORTED, false, NULL},
    {"InvalidRange", ERR_CORRUPT, false, NULL},
    {"AccessDenied", ERR_DENIED, false,
     "the keys may not do this: allow s3:ListBucket on the bucket and s3:GetObject, s3:PutObject, "
     "s3:DeleteObject below "
     "the prefix"},
    {"AllAccessDisabled", ERR_DENIED, false, NULL},
    {"InvalidAccessKeyId", ERR_DENIED, false, "the store does not know this access key"},
    {"SignatureDoesNotMatch", ERR_DENIED, false, "the secret does not belong to the access key"},
    {"ExpiredToken", ERR_DENIED, true, "the session has ended; get new keys"},
    {"InvalidToken", ERR_DENIED, true, "the session token is not valid; get new keys"},
    {"AuthorizationHeaderMalformed", ERR_INVALID, false, NULL},
    {"PermanentRedirect", ERR_INVALID, false, NULL},
    {"IllegalLocationConstraintException", ERR_INVALID, false, NULL},
    {"XAmzContentSHA256Mismatch", ERR_UNAVAILABLE, true, "the bytes were changed on their way"},
    {"BadDigest", ERR_UNAVAILABLE, true, "the bytes were changed on their way"},
    {"IncompleteBody", ERR_UNAVAILABLE, true, NULL},
    {"RequestTimeout", ERR_UNAVAILABLE, true, NULL},
    {"SlowDown", ERR_UNAVAILABLE, true, "the store asks to be asked less often"},
    {"TooManyRequests", ERR_UNAVAILABLE, true, "the store asks to be asked less often"},
    {"InternalError", ERR_UNAVAILABLE, true, NULL},
    {"ServiceUnavailable", ERR_UNAVAILABLE, true, NULL},
    {"QuotaExceeded", ERR_NO_SPACE, false, "the bucket's quota is used up"},
    {"EntityTooLarge", ERR_LIMIT, false, NULL},
};

/* Without a known code the status decides. */
static struct meaning by_status(int status)
{
    static const struct meaning rows[] = {{"404", ERR_NOT_FOUND, false, NULL},
                                          {"403", ERR_DENIED, false, "the keys may not do this"},
                                          {"401", ERR_DENIED, false, "the keys are not known"},
                                          {"412", ERR_EXISTS, false, NULL},
                                          {"409", ERR_UNAVAILABLE, true, NULL},
                                          {"416", ERR_CORRUPT, false, NULL},
                                          {"429", ERR_UNAVAILABLE, true, NULL},
                                          {"501", ERR_UNSUPPORTED, false, NULL},
                                          {"507", ERR_NO_SPACE, false, "the store is full"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t n = 0;
        if (str_to_u64(str_c(rows[i].code), &n) == ERR_OK && n == (uint64_t)status) {
            return rows[i];
        }
    }
    return status >= 500 ? (struct meaning){"5xx", ERR_UNAVAILABLE, true, NULL}
                         : (struct meaning){"4xx", ERR_INVALID, false, NULL};
}

static struct meaning meaning_of(struct str code, int status)
{
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++) {
        if (str_eq_c(code, meanings[i].code)) {
            return meanings[i];
        }
    }
    return by_status(status);
}

struct str s3_answer_region(const struct http_answer *answer, struct arena *a)
{
    struct str region = http_answer_header(answer, "x-amz-bucket-region");
    return region.n ? arena_str(a, region) : s3_xml_text(buf_view(&answer->body), "Region", a);
}

/* Seconds that our clock is ahead of the store's; 0 when the answer has no date. */
static long long ahead_s(const struct http_answer *answer)
{
    struct tm t = {0};
    char text[40] = "";
    struct str date = http_answer_header(answer, "Date");
    if (date.n == 0 || date.n >= sizeof(text)) {
        return 0;
    }
    memcpy(text, date.p, date.n);
    return strptime(text, "%a, %d %b %Y %H:%M:%S", &t)
               ? (long long)(clock_wall_ms(clock_real()) / MS_PER_S) - (long long)timegm(&t)
               : 0;
}

/* -- no answer --------------------------------------------------------------------------------------------
 */

static enum err refused_name(const struct s3_store *s, const char *why, struct err_info *info)
{
    return err_set(info, ERR_DENIED, "https://%s: %s; correct the endpoint, or get a certificate for %s%s",
                   s->host, why, s->host,
                   s->path_style ? "" : ", or say style=path so that the bucket is no part of the name");
}

enum err s3_explain_lost(const struct s3_store *s, enum err e, enum http_tls_fault tls, const char *why,
                         bool *ret_again, struct err_info *info)
{
    *ret_again =
        tls == HTTP_TLS_NONE || tls == HTTP_TLS_HANDSHAKE ? e == ERR_UNAVAILABLE || e == ERR_TIMEOUT : false;
    switch (tls) {
    case HTTP_TLS_NONE:
        return err_set(info, e, "%s://%s: %s", s->scheme, s->host, why);
    case HTTP_TLS_HANDSHAKE:
        return err_set(info, e, "https://%s: %s; if it does not speak TLS, say http://%s", s->host, why,
                       s->host);
    case HTTP_TLS_CA_FILE:
        return err_set(info, ERR_INVALID, "cannot read CA certificates (PEM) from %s: %s",
                       s->ca_file[0] ? s->ca_file : "the system's folder", why);
    case HTTP_TLS_CA:
        return s->ca_file[0]
                   ? err_set(info, ERR_DENIED,
                             "https://%s: its certificate is not signed by a CA in %s; name the file with "
                             "the certificate of the CA that signed it",
                             s->host, s->ca_file)
                   : err_set(info, ERR_DENIED,
                             "https://%s: its certificate is not signed by a CA that this machine trusts; if "
                             "it is right, name the CA's certificate with --ca-bundle=FILE or AWS_CA_BUNDLE",
                             s->host);
    case HTTP_TLS_NAME:
        return refused_name(s, why, info);
    case HTTP_TLS_TIME:
        return err_set(info, ERR_DENIED,
                       "https://%s: its certificate has expired or is not valid yet; renew it, or set this "
                       "machine's clock if that is wrong (timedatectl set-ntp true)",
                       s->host);
    }
    return e;
}

/* -- a refusal --------------------------------------------------------------------------------------------
 */

/* The first line of an answer that is not S3's XML: a proxy's, or a web server's. */
static struct str first_line(struct str body)
{
    struct str rest = str_trim(body), line = str_trim(str_cut(&rest, '\n'));
    for (size_t i = 0; i < line.n; i++) {
        if ((unsigned char)line.p[i] < ' ' || line.p[i] == 0x7f) {
            return (struct str){0};
        }
    }
    return line;
}

/* A session that has ended is an unknown key to some stores; and the answer to a HEAD has no body that would
 * say so. New keys are tried once. */
static struct meaning of_session(const struct s3_call *c, struct str code, struct meaning m)
{
    bool unknown = str_eq_c(code, "InvalidAccessKeyId");
    bool mute =
        str_eq_c(str_c(c->method), "HEAD") && !code.n && (c->answer.status == 400 || c->answer.status == 403);
    if (unknown) {
        return (struct meaning){m.code, ERR_DENIED, true,
                                "the store does not know this session, or it has ended; get new keys"};
    }
    return mute ? (struct meaning){m.code, ERR_DENIED, true,
                                   "the keys may not do this, or their session has ended"}
                : m;
}

enum err s3_explain(const struct s3_store *s, const struct s3_call *c, bool *ret_again, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct str body = buf_view(&c->answer.body);
    struct str code = s3_xml_text(body, "Code", &a), text = s3_xml_text(body, "Message", &a),
               region = s3_answer_region(&c->answer, &a);
    struct meaning m = meaning_of(code, c->answer.status);
    m = c->of_session ? of_session(c, code, m) : m;
    text = code.n || text.n ? text : first_line(body);
    *ret_again = m.again;
    if (str_eq_c(code, "RequestTimeTooSkewed")) {
        long long s_ahead = ahead_s(&c->answer);
        return err_set(
            info, ERR_DENIED,
            "s3://%s: this machine's clock is %lld s %s the store's; set it (timedatectl set-ntp true)",
            s->bucket, s_ahead < 0 ? -s_ahead : s_ahead, s_ahead < 0 ? "behind" : "ahead of");
    }
    if (region.n && !str_eq_c(region, s->region) && m.e != ERR_NOT_FOUND && m.e != ERR_EXISTS) {
        return err_set(info, ERR_INVALID, "s3://%s is in the region %.*s, not %s: say region=%.*s", s->bucket,
                       STR_FMT(region), s->region, STR_FMT(region));
    }
    return err_set(info, m.e, "s3://%s%s%s%.*s: %s%s%.*s%s%.*s (HTTP %d)", s->bucket, c->key.n ? "/" : "",
                   c->key.n ? s->prefix : "", STR_FMT(c->key), m.cure ? m.cure : "", m.cure ? ": " : "",
                   STR_FMT(code), code.n && text.n ? ", " : "", text.n > 200 ? 200 : (int)text.n,
                   text.n ? text.p : "", c->answer.status);
}
