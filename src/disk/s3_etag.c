/* ETags: the MD5 of an object's bytes where the store encrypts with its own keys or not at all; else
 * anything. */
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sodium.h>

#include "disk/s3_int.h"

enum {
    DIGEST_BYTES = S3_MD5_CHARS / 2
};

bool s3_md5(struct str bytes, char ret_md5[S3_MD5_CHARS + 1])
{
    unsigned char digest[DIGEST_BYTES] = {0};
    if (gnutls_hash_fast(GNUTLS_DIG_MD5, bytes.p ? bytes.p : "", bytes.n, digest) != 0) {
        return false;
    }
    (void)sodium_bin2hex(ret_md5, S3_MD5_CHARS + 1, digest, sizeof(digest));
    return true;
}

struct str s3_etag_bare(struct str etag)
{
    bool quoted = etag.n >= 2 && etag.p[0] == '"' && etag.p[etag.n - 1] == '"';
    return quoted ? str_slice(etag, 1, etag.n - 1) : etag;
}

bool s3_etag_differs(const struct http_answer *answer, struct str bytes)
{
    char md5[S3_MD5_CHARS + 1];
    struct str etag = s3_etag_bare(http_answer_header(answer, "ETag"));
    /* With a key of KMS or of the customer's it only looks like one. */
    bool other = str_starts(http_answer_header(answer, "x-amz-server-side-encryption"), STR("aws:")) ||
                 http_answer_header(answer, "x-amz-server-side-encryption-customer-algorithm").n > 0;
    bool is_md5 = etag.n == S3_MD5_CHARS && !other;
    for (size_t i = 0; i < etag.n && is_md5; i++) {
        is_md5 = (etag.p[i] >= '0' && etag.p[i] <= '9') || (etag.p[i] >= 'a' && etag.p[i] <= 'f');
    }
    return is_md5 && s3_md5(bytes, md5) && !str_eq_c(etag, md5);
}
