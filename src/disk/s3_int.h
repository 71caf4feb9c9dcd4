/* Shared by the files that make a bucket an object store. */
#ifndef CAIRN_DISK_S3_INT_H
#define CAIRN_DISK_S3_INT_H

#include <stdatomic.h>

#include "base/thread.h"
#include "disk/object_store.h"
#include "disk/s3_credentials.h"
#include "disk/s3_sign.h"

enum {
    S3_ATTEMPTS_MAX = 20,
    S3_ATTEMPTS = 8,                /* with the waits below ten to twenty seconds */
    S3_WAIT_FIRST_MS = 200,         /* doubled each time, with jitter */
    S3_WAIT_MAX_MS = 10000,         /* what a store may ask for by Retry-After */
    S3_ANSWER_BYTES_MAX = 16 << 20, /* a page of a listing has a thousand keys of at most 1 KiB */
    S3_TIMEOUT_MS = 30000,          /* and as long as the bytes take at the speed below */
    S3_BYTES_PER_MS_MIN = 50,       /* 50 kB/s */
    S3_RENEW_MS = 5 * 60 * 1000,    /* keys are asked for anew so long before they end */
    S3_READS_MAX = 3,               /* of a range that came too short */
    S3_PART_MIB = 64,               /* what is sent again after a failure */
    S3_PART_MIB_MIN = 5,            /* of S3 itself */
    S3_PART_MIB_MAX = 5120,
    S3_MD5_CHARS = 32,
};

struct s3_store {
    struct object_store base;
    struct http_client *client;
    /* Immutable once it is open. */
    char *bucket, *prefix; /* "" or "a/b/" */
    char *scheme, *host;   /* "https", "bucket.s3.eu-west-1.amazonaws.com" or the endpoint's */
    char *base_path;       /* "/bucket/" or "/" */
    char *profile;         /* may be empty */
    char *ca_file;         /* of CAs to trust instead of the system's; may be empty */
    char *region;
    bool endpoint_given, region_given, path_style;
    bool dual_stack, fips;     /* AWS' own endpoints */
    uint64_t part_bytes;       /* what is larger is put in parts */
    unsigned attempts;         /* of a request */
    atomic_bool unconditional; /* the store does not know If-None-Match: told by its answer; relaxed */
    atomic_bool own_etags; /* they look like MD5 and are none: told by bytes that were read back; relaxed */
    struct mutex lock;     /* guards credentials */
    struct s3_credentials credentials;
};

/* One request and its answer. */
struct s3_call {
    const char *method;
    struct str key; /* of an object; empty: the bucket */
    struct s3_pair params[4], headers[2];
    size_t param_count, header_count;
    struct str body;
    uint64_t answer_bytes_max;
    bool error_in_answer;      /* an answer that begins with 200 may hold an error */
    struct http_answer answer; /* http_answer_done */
    bool repeated;             /* an earlier attempt may have done its work unseen */
    bool of_session;           /* the last attempt was signed with keys that end */
};

/* s3_call.c: sends, repeats what may be repeated. OK for 2xx; else as s3_explain says. */
MUST_USE enum err s3_call_do(struct s3_store *s, struct s3_call *c, struct err_info *info);

/* s3_error.c: what an answer that is no 2xx means, with the cure. *ret_again: it may work when repeated. */
MUST_USE enum err s3_explain(const struct s3_store *s, const struct s3_call *c, bool *ret_again,
                             struct err_info *info);
/* As s3_explain, of an answer that did not come; `why` is the client's sentence. */
MUST_USE enum err s3_explain_lost(const struct s3_store *s, enum err e, enum http_tls_fault tls,
                                  const char *why, bool *ret_again, struct err_info *info);
/* The region the answer says the bucket is in; empty: none. In the arena. */
struct str s3_answer_region(const struct http_answer *answer, struct arena *a);

/* s3_place.c: parses s3://... into the fields above and finds region and host. Errors: INVALID, OOM. */
MUST_USE enum err s3_place_parse(struct s3_store *s, struct str place, struct err_info *info);
/* Host and path of the requests, from bucket, region and style. Errors: OOM. */
MUST_USE enum err s3_place_host(struct s3_store *s, struct err_info *info);

/* s3_parts.c: puts what is larger than a part. Errors: EXISTS, as s3_call_do. *ret_unknown: whether it is
 * there already, and whose it is, must be asked. */
MUST_USE enum err s3_parts_put(struct s3_store *s, struct str key, struct str content, bool conditional,
                               bool *ret_unknown, struct err_info *info);
/* Ends every upload that was begun below the prefix and not completed. Where that is not allowed it is left
 * to a rule of the bucket. */
MUST_USE enum err s3_parts_end_all(struct s3_store *s, struct err_info *info);

/* s3_etag.c: the MD5 in hexadecimal digits; false where the system does not allow MD5. */
bool s3_md5(struct str bytes, char ret_md5[S3_MD5_CHARS + 1]);
/* Without quotes. */
struct str s3_etag_bare(struct str etag);
/* Whether the answer to a put speaks against these bytes: its ETag is an MD5, and not theirs. */
bool s3_etag_differs(const struct http_answer *answer, struct str bytes);

/* object_store_s3.c */
MUST_USE enum err s3_store_open(struct str place, struct object_store **ret_s, struct err_info *reterr_info);

#endif
