/* Signature Version 4: canonical request, string to sign, derived key. */
#include "disk/s3_sign.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/assert.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SCOPE_END "aws4_request"

enum {
    DIGEST_BYTES = crypto_auth_hmacsha256_BYTES
};

/* -- parts ----------------------------------------------------------------------------------------------- */

void s3_param(struct s3_request *r, const char *name, struct str value)
{
    ASSERT(r->param_count < S3_PAIRS_MAX);
    r->params[r->param_count++] = (struct s3_pair){str_c(name), value};
}

void s3_header(struct s3_request *r, const char *name, struct str value)
{
    ASSERT(r->header_count < S3_PAIRS_MAX);
    r->headers[r->header_count++] = (struct s3_pair){str_c(name), value};
}

void s3_hash(struct str bytes, char ret_hash[S3_HASH_CHARS + 1])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    (void)crypto_hash_sha256(digest, (const unsigned char *)(bytes.p ? bytes.p : ""), bytes.n);
    (void)sodium_bin2hex(ret_hash, S3_HASH_CHARS + 1, digest, sizeof(digest));
}

static void hmac(const unsigned char *key, size_t key_bytes, struct str text, unsigned char out[DIGEST_BYTES])
{
    crypto_auth_hmacsha256_state state;
    (void)crypto_auth_hmacsha256_init(&state, key, key_bytes);
    (void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)(text.p ? text.p : ""), text.n);
    (void)crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof(state));
}

/* Everything but A-Za-z0-9-._~ as %XX; '/' too unless it separates parts of a path. */
static void encode(struct buf *b, struct str s, bool path)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '.' || c == '_' || c == '~' || (path && c == '/');
        if (plain) {
            buf_char(b, (char)c);
        } else {
            buf_append(b, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
        }
    }
}

static int by_pair(const void *a, const void *b)
{
    const struct s3_pair *x = a, *y = b;
    int c = str_cmp(x->name, y->name);
    return c ? c : str_cmp(x->value, y->value);
}

/* name=value&... in order of the encoded names and values, which is not always that of the bare ones. */
static void query(const struct s3_request *r, struct buf *b)
{
    struct buf text AUTO_BUF = {0};
    struct s3_pair sorted[S3_PAIRS_MAX];
    size_t ends[2 * S3_PAIRS_MAX], at = 0;
    for (size_t i = 0; i < r->param_count; i++) {
        encode(&text, r->params[i].name, false);
        ends[2 * i] = text.n;
        encode(&text, r->params[i].value, false);
        ends[2 * i + 1] = text.n;
    }
    if (text.err) {
        b->err = text.err;
        return;
    }
    for (size_t i = 0; i < r->param_count; i++) {
        sorted[i] = (struct s3_pair){str_of(text.p + at, ends[2 * i] - at),
                                     str_of(text.p + ends[2 * i], ends[2 * i + 1] - ends[2 * i])};
        at = ends[2 * i + 1];
    }
    if (r->param_count) {
        qsort(sorted, r->param_count, sizeof(*sorted), by_pair);
    }
    for (size_t i = 0; i < r->param_count; i++) {
        buf_c(b, i ? "&" : "");
        buf_str(b, sorted[i].name);
        buf_char(b, '=');
        buf_str(b, sorted[i].value);
    }
}

void s3_target(const struct s3_request *r, struct buf *b)
{
    encode(b, r->path, true);
    if (r->param_count) {
        buf_char(b, '?');
        query(r, b);
    }
}

/* -- headers --------------------------------------------------------------------------------------------- */

static void lower(struct buf *b, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        buf_char(b, (char)(s.p[i] >= 'A' && s.p[i] <= 'Z' ? s.p[i] + 'a' - 'A' : s.p[i]));
    }
}

/* Without spaces at the ends, and one where there were several. */
static void folded(struct buf *b, struct str s)
{
    struct str t = str_trim(s);
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] != ' ' || t.p[i - 1] != ' ') {
            buf_char(b, t.p[i]);
        }
    }
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct s3_pair *)a)->name, ((const struct s3_pair *)b)->name);
}

/* `name:value\n` a header into `lines`, `name;name` into `names`. */
static void headers(const struct s3_request *r, struct buf *lines, struct buf *names)
{
    struct buf text AUTO_BUF = {0};
    struct s3_pair sorted[S3_PAIRS_MAX + 1];
    size_t n = r->header_count + 1, at = 0;
    size_t ends[S3_PAIRS_MAX + 1];
    for (size_t i = 0; i < n; i++) {
        sorted[i] = i < r->header_count ? r->headers[i] : (struct s3_pair){STR("host"), r->host};
        lower(&text, sorted[i].name);
        ends[i] = text.n;
    }
    if (text.err) {
        lines->err = text.err;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        sorted[i].name = str_of(text.p + at, ends[i] - at);
        at = ends[i];
    }
    qsort(sorted, n, sizeof(*sorted), by_name);
    for (size_t i = 0; i < n; i++) {
        buf_str(lines, sorted[i].name);
        buf_char(lines, ':');
        folded(lines, sorted[i].value);
        buf_char(lines, '\n');
        buf_c(names, i ? ";" : "");
        buf_str(names, sorted[i].name);
    }
}

/* -- the signature --------------------------------------------------------------------------------------- */

static void canonical(const struct s3_request *r, struct buf *names, struct buf *b)
{
    buf_str(b, r->method);
    buf_char(b, '\n');
    encode(b, r->path, true);
    buf_char(b, '\n');
    query(r, b);
    buf_char(b, '\n');
    headers(r, b, names);
    buf_char(b, '\n');
    buf_str(b, buf_view(names));
    buf_char(b, '\n');
    buf_str(b, r->payload_hash);
}

static void signature(const struct s3_signer *s, struct str to_sign, char ret_text[2 * DIGEST_BYTES + 1])
{
    struct buf secret AUTO_BUF = {0};
    unsigned char key[DIGEST_BYTES] = {0};
    const struct str steps[] = {s->region, s->service, STR(SCOPE_END), to_sign};
    buf_c(&secret, "AWS4");
    buf_str(&secret, s->secret);
    if (!secret.err) {
        hmac((const unsigned char *)secret.p, secret.n, str_slice(s->date, 0, S3_DATE_DAY_CHARS), key);
        sodium_memzero(secret.p, secret.n);
    }
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        hmac(key, sizeof(key), steps[i], key);
    }
    (void)sodium_bin2hex(ret_text, 2 * DIGEST_BYTES + 1, key, sizeof(key));
    sodium_memzero(key, sizeof(key));
}

enum err s3_authorization(const struct s3_request *r, const struct s3_signer *signer, struct buf *b)
{
    struct buf names AUTO_BUF = {0}, request AUTO_BUF = {0}, scope AUTO_BUF = {0}, text AUTO_BUF = {0};
    char hash[S3_HASH_CHARS + 1], signed_text[2 * DIGEST_BYTES + 1];
    canonical(r, &names, &request);
    buf_printf(&scope, "%.*s/%.*s/%.*s/" SCOPE_END, S3_DATE_DAY_CHARS, signer->date.p,
               STR_FMT(signer->region), STR_FMT(signer->service));
    s3_hash(buf_view(&request), hash);
    buf_printf(&text, ALGORITHM "\n%.*s\n%.*s\n%s", STR_FMT(signer->date), STR_FMT(buf_view(&scope)), hash);
    if (names.err || request.err || scope.err || text.err) {
        return ERR_OOM;
    }
    signature(signer, buf_view(&text), signed_text);
    buf_printf(b, ALGORITHM " Credential=%.*s/%.*s,SignedHeaders=%.*s,Signature=%s", STR_FMT(signer->key_id),
               STR_FMT(buf_view(&scope)), STR_FMT(buf_view(&names)), signed_text);
    return b->err;
}
