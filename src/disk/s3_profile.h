/* AWS' own settings: the environment, and a profile in the shared files ~/.aws/credentials and ~/.aws/config.
 *
 * Both files are [section]s of `key = value` lines; in config a section is [default] or [profile NAME]. A
 * line below a key without a value that is indented belongs to that key and is no setting of the profile. */
#ifndef CAIRN_DISK_S3_PROFILE_H
#define CAIRN_DISK_S3_PROFILE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct s3_profile {
    struct str name;                /* as asked for, else AWS_PROFILE, else "default" */
    bool named;                     /* somebody named it, so it must be there */
    struct str credentials, config; /* texts of the files; empty: there is none */
};

/* The first of the variables that is set and not empty, else an empty string. `other` may be NULL. */
struct str s3_environment(const char *name, const char *other);

/* Reads the files that AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name, or those in ~/.aws, into the
 * arena. Errors: INVALID (a profile that was named is in neither), DENIED, IO, OOM. */
MUST_USE enum err s3_profile_load(struct str given, struct arena *a, struct s3_profile *ret_p,
                                  struct err_info *reterr_info);
/* The value of a key in the profile's section of one file's text; empty: none. */
struct str s3_profile_setting(const struct s3_profile *p, struct str text, const char *key);
/* What the variables, else the profile's section of the configuration say, as a heap string; NULL: nothing
 * (or no memory). Files that cannot be read say nothing. */
char *s3_setting_find(struct str profile, const char *variable, const char *other, const char *key);

#endif
