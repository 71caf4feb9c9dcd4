/* Where the keys of a bucket come from, in the order of AWS' own tools: the environment, a web identity's
 * role, the shared files (~/.aws/credentials, ~/.aws/config) with the roles that profiles take, the
 * container's agent, the instance's role (IMDSv2 only). Blocking. */
#ifndef CAIRN_DISK_S3_CREDENTIALS_H
#define CAIRN_DISK_S3_CREDENTIALS_H

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"
#include "net/http_client.h"

struct s3_credentials {
    char *key_id, *secret, *token; /* heap, owned; token is NULL when the keys are for ever */
    ts_ms expires_ms;              /* 0: never */
    const char *from;              /* "the environment" */
};

/* profile empty: AWS_PROFILE, or "default"; a profile that is given beats keys in the environment. Errors:
 * NOT_FOUND (the message lists what was tried), INVALID, UNSUPPORTED (a way to get keys that is not done),
 * UNAVAILABLE, OOM. */
MUST_USE enum err s3_credentials_find(struct http_client *client, struct str profile,
                                      struct s3_credentials *ret_c, struct err_info *reterr_info);
/* Copies. Errors: OOM. */
MUST_USE enum err s3_credentials_fill(struct s3_credentials *c, struct str key_id, struct str secret,
                                      struct str token, const char *from, struct err_info *reterr_info);
/* 2026-01-31T23:59:59Z; 0 when it is no such time. */
ts_ms s3_credentials_time(struct str s);
/* Wipes and frees; leaves a zeroed struct. */
void s3_credentials_done(struct s3_credentials *c);

#endif
