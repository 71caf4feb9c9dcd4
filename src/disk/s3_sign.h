/* AWS Signature Version 4 in the form S3 takes: the path is encoded once and never normalised. Pure
 * functions; any thread. docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html is the
 * specification. */
#ifndef CAIRN_DISK_S3_SIGN_H
#define CAIRN_DISK_S3_SIGN_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum {
    S3_PAIRS_MAX = 16,     /* parameters or headers of a request */
    S3_HASH_CHARS = 64,    /* SHA-256 in lower-case hexadecimal digits */
    S3_DATE_CHARS = 16,    /* 20130524T000000Z */
    S3_DATE_DAY_CHARS = 8, /* 20130524 */
};

struct s3_pair {
    struct str name, value;
};

struct s3_request {
    struct str method, host, path; /* the path begins with '/' and is not encoded */
    struct s3_pair params[S3_PAIRS_MAX];
    size_t param_count; /* not encoded, in any order */
    struct s3_pair headers[S3_PAIRS_MAX];
    size_t header_count;     /* to be signed besides host, in any order */
    struct str payload_hash; /* SHA-256 of the body in hexadecimal digits */
};

struct s3_signer {
    struct str key_id, secret, region, service;
    struct str date; /* S3_DATE_CHARS */
};

/* Both refuse nothing: more than S3_PAIRS_MAX is a bug of the caller. */
void s3_param(struct s3_request *r, const char *name, struct str value);
void s3_header(struct s3_request *r, const char *name, struct str value);

/* SHA-256 in hexadecimal digits, NUL-terminated. */
void s3_hash(struct str bytes, char ret_hash[S3_HASH_CHARS + 1]);
/* "/path?query" as the request line has it, encoded as it is signed. */
void s3_target(const struct s3_request *r, struct buf *b);
/* The value of the header Authorization. Errors: OOM. */
MUST_USE enum err s3_authorization(const struct s3_request *r, const struct s3_signer *signer, struct buf *b);

#endif
