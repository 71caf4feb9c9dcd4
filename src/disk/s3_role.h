/* Keys of a role, by AWS' Security Token Service. Blocking. */
#ifndef CAIRN_DISK_S3_ROLE_H
#define CAIRN_DISK_S3_ROLE_H

#include "disk/s3_credentials.h"
#include "disk/s3_profile.h"

/* The keys of the profile's role_arn, asked for with `own`. Errors: DENIED, UNAVAILABLE, those of HTTP, OOM.
 */
MUST_USE enum err s3_role_assume(struct http_client *client, const struct s3_profile *p,
                                 const struct s3_credentials *own, struct s3_credentials *ret_c,
                                 struct err_info *reterr_info);
/* Those of AWS_ROLE_ARN, for the token in AWS_WEB_IDENTITY_TOKEN_FILE. Errors: NOT_FOUND (they are not set),
 * as above. */
MUST_USE enum err s3_role_web_identity(struct http_client *client, const struct s3_profile *p,
                                       struct s3_credentials *ret_c, struct err_info *reterr_info);

#endif
