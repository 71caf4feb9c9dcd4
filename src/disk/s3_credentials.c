/* The chain of credentials. Every source either has both keys, has none (the next is asked), or is wrong
 * (said). */
#include "disk/s3_credentials.h"

#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/mem.h"
#include "codec/json.h"
#include "disk/file.h"

#define CONTAINER_HOST "http://169.254.170.2"
#define INSTANCE_HOST "http://169.254.169.254"

enum {
    FILE_BYTES_MAX = 1 << 20,
    ANSWER_BYTES_MAX = 64 << 10,
    AGENT_TIMEOUT_MS = 5000,
    INSTANCE_TIMEOUT_MS = 2000, /* elsewhere nobody answers there */
};

struct str s3_environment(const char *name, const char *other)
{
    const char *v = getenv(name);                 /* NOLINT(concurrency-mt-unsafe): set before start */
    v = (!v || !*v) && other ? getenv(other) : v; /* NOLINT(concurrency-mt-unsafe) */
    return str_c(v);
}

void s3_credentials_done(struct s3_credentials *c)
{
    char *const parts[] = {c->key_id, c->secret, c->token};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        if (parts[i]) {
            sodium_memzero(parts[i], strlen(parts[i]));
        }
        mem_free(parts[i]);
    }
    *c = (struct s3_credentials){0};
}

static enum err fill(struct s3_credentials *c, struct str key_id, struct str secret, struct str token,
                     const char *from, struct err_info *info)
{
    c->key_id = mem_dup(key_id.p, key_id.n);
    c->secret = mem_dup(secret.p, secret.n);
    c->token = token.n ? mem_dup(token.p, token.n) : NULL;
    c->from = from;
    if (!c->key_id || !c->secret || (token.n && !c->token)) {
        s3_credentials_done(c);
        return err_set(info, ERR_OOM, "no memory for the keys of the bucket");
    }
    return ERR_OK;
}

/* -- environment and files ------------------------------------------------------------------------------- */

static enum err from_environment(struct s3_credentials *c, struct err_info *info)
{
    struct str id = s3_environment("AWS_ACCESS_KEY_ID", NULL),
               secret = s3_environment("AWS_SECRET_ACCESS_KEY", NULL);
    if (!id.n && !secret.n) {
        return ERR_NOT_FOUND;
    }
    if (!id.n || !secret.n) {
        return err_set(info, ERR_INVALID,
                       "only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set; set both");
    }
    return fill(c, id, secret, s3_environment("AWS_SESSION_TOKEN", NULL), "the environment", info);
}

static struct str profile_name(struct str given)
{
    struct str name = given.n ? given : s3_environment("AWS_PROFILE", "AWS_DEFAULT_PROFILE");
    return name.n ? name : STR("default");
}

/* The text of the file that a variable names, or of ~/.aws/NAME; empty when there is none. */
static enum err shared_file(const char *variable, const char *name, struct arena *a, struct str *ret_text,
                            struct err_info *info)
{
    struct str given = s3_environment(variable, NULL), home = s3_environment("HOME", NULL);
    struct buf text AUTO_BUF = {.size_bytes_max = FILE_BYTES_MAX};
    *ret_text = (struct str){0};
    if (!given.n && !home.n) {
        return ERR_OK;
    }
    struct str path = given.n ? arena_str(a, given) : arena_printf(a, "%.*s/.aws/%s", STR_FMT(home), name);
    enum err e = !path.p               ? err_set(info, ERR_OOM, "no memory for a path")
                 : file_exists(path.p) ? file_load(path.p, &text, info)
                                       : ERR_OK;
    if (!e) {
        *ret_text = arena_str(a, buf_view(&text));
        e = ret_text->p ? ERR_OK : err_set(info, ERR_OOM, "no memory for %s", path.p);
    }
    if (text.p) {
        sodium_memzero(text.p, text.n);
    }
    return e;
}

/* Whether the line opens a section, and whether that is the profile's: [name], or [profile name] in
 * ~/.aws/config. */
static bool section(struct str line, struct str profile, bool *ret_ours)
{
    if (!str_starts(line, STR("[")) || !str_ends(line, STR("]"))) {
        return false;
    }
    struct str name = str_trim(str_slice(line, 1, line.n - 1));
    if (str_starts(name, STR("profile "))) {
        name = str_trim(str_slice(name, 8, name.n));
    }
    *ret_ours = str_eq(name, profile);
    return true;
}

/* The value of a key in the profile's section; empty: none. */
static struct str setting(struct str text, struct str profile, const char *key)
{
    bool ours = false;
    struct str rest = text, found = {0};
    while (rest.p) {
        struct str line = str_trim(str_cut(&rest, '\n'));
        if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';' || section(line, profile, &ours)) {
            continue;
        }
        struct str value = line, name = str_trim(str_cut(&value, '='));
        if (ours && value.p && str_ieq(name, str_c(key))) {
            found = str_trim(value);
        }
    }
    return found;
}

static enum err from_text(struct s3_credentials *c, struct str text, struct str profile, const char *from,
                          struct err_info *info)
{
    struct str id = setting(text, profile, "aws_access_key_id"),
               secret = setting(text, profile, "aws_secret_access_key");
    if (!id.n && !secret.n) {
        return ERR_NOT_FOUND;
    }
    if (!id.n || !secret.n) {
        return err_set(info, ERR_INVALID,
                       "profile %.*s in %s has only one of aws_access_key_id and aws_secret_access_key",
                       STR_FMT(profile), from);
    }
    return fill(c, id, secret, setting(text, profile, "aws_session_token"), from, info);
}

static enum err from_files(struct s3_credentials *c, struct str profile, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct str text = {0};
    enum err e = shared_file("AWS_SHARED_CREDENTIALS_FILE", "credentials", &a, &text, info);
    e = e ? e : from_text(c, text, profile, "the shared credentials file", info);
    if (e == ERR_NOT_FOUND) {
        e = shared_file("AWS_CONFIG_FILE", "config", &a, &text, info);
        e = e ? e : from_text(c, text, profile, "the shared configuration file", info);
    }
    return e;
}

char *s3_region_find(struct str profile)
{
    struct arena a AUTO_ARENA = {0};
    struct str text = {0}, region = s3_environment("AWS_REGION", "AWS_DEFAULT_REGION");
    if (!region.n && shared_file("AWS_CONFIG_FILE", "config", &a, &text, NULL) == ERR_OK) {
        region = setting(text, profile_name(profile), "region");
    }
    return region.n ? mem_dup(region.p, region.n) : NULL;
}

/* -- agents that answer with JSON ------------------------------------------------------------------------ */

static enum err ask(struct http_client *client, const char *method, struct str url, const char *header,
                    struct str value, int64_t timeout_ms, struct http_answer *ret_answer,
                    struct err_info *info)
{
    const struct http_header h = {str_c(header), value};
    const struct http_call call = {.method = str_c(method),
                                   .url = url,
                                   .headers = &h,
                                   .header_count = value.n ? 1 : 0,
                                   .timeout_ms = timeout_ms,
                                   .response_bytes_max = ANSWER_BYTES_MAX};
    enum err e = http_client_do(client, &call, ret_answer, info);
    if (!e && ret_answer->status != 200) {
        int status = ret_answer->status;
        http_answer_done(ret_answer);
        return err_set(info, status == 404 ? ERR_NOT_FOUND : ERR_UNAVAILABLE, "%.*s answered %d",
                       STR_FMT(url), status);
    }
    return e;
}

static struct str text_of(const struct json_value *root, const char *key)
{
    const struct json_value *v = json_get(root, str_c(key));
    return v && v->kind == JSON_STRING ? v->string : (struct str){0};
}

/* 2026-01-31T23:59:59Z; 0 when it is no such time. */
static ts_ms time_of(struct str s)
{
    struct tm t = {0};
    char text[32] = "";
    if (s.n < 20 || s.n >= sizeof(text)) {
        return 0;
    }
    memcpy(text, s.p, s.n);
    return strptime(text, "%Y-%m-%dT%H:%M:%S", &t) ? (ts_ms)timegm(&t) * MS_PER_S : 0;
}

static enum err from_json(struct s3_credentials *c, struct str body, const char *from, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    const struct json_value *root = NULL;
    enum err e = json_parse(&a, body, &root, info);
    struct str id = text_of(root, "AccessKeyId"), secret = text_of(root, "SecretAccessKey");
    if (e || !id.n || !secret.n) {
        return err_set(info, e == ERR_OOM ? e : ERR_UNAVAILABLE, "%s gave no keys: %.*s", from,
                       body.n > 120 ? 120 : (int)body.n, body.p ? body.p : "");
    }
    c->expires_ms = time_of(text_of(root, "Expiration"));
    return fill(c, id, secret, text_of(root, "Token"), from, info);
}

static enum err container_token(struct arena *a, struct str *ret_token, struct err_info *info)
{
    struct str file = s3_environment("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", NULL);
    struct buf text AUTO_BUF = {.size_bytes_max = ANSWER_BYTES_MAX};
    if (!file.n) {
        *ret_token = s3_environment("AWS_CONTAINER_AUTHORIZATION_TOKEN", NULL);
        return ERR_OK;
    }
    enum err e = file_load(file.p, &text, info);
    *ret_token = e ? (struct str){0} : arena_str(a, str_trim(buf_view(&text)));
    return e;
}

static enum err from_container(struct http_client *client, struct s3_credentials *c, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct http_answer answer = {0};
    struct str below = s3_environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", NULL),
               url = s3_environment("AWS_CONTAINER_CREDENTIALS_FULL_URI", NULL), token = {0};
    if (!below.n && !url.n) {
        return ERR_NOT_FOUND;
    }
    url = below.n ? arena_printf(&a, CONTAINER_HOST "%.*s", STR_FMT(below)) : url;
    enum err e = container_token(&a, &token, info);
    e = e ? e : ask(client, "GET", url, "Authorization", token, AGENT_TIMEOUT_MS, &answer, info);
    e = e ? e : from_json(c, buf_view(&answer.body), "the container's agent", info);
    http_answer_done(&answer);
    return e == ERR_NOT_FOUND ? ERR_UNAVAILABLE : e; /* it was named, so it must be there */
}

/* The role's name, then its keys, both with the session's token. */
static enum err instance_role(struct http_client *client, struct arena *a, struct str base, struct str token,
                              struct s3_credentials *c, struct err_info *info)
{
    struct http_answer name = {0}, keys = {0};
    struct str folder = arena_printf(a, "%.*s/latest/meta-data/iam/security-credentials/", STR_FMT(base));
    enum err e = folder.p ? ask(client, "GET", folder, "X-aws-ec2-metadata-token", token, AGENT_TIMEOUT_MS,
                                &name, info)
                          : ERR_OOM;
    struct str role = str_trim(buf_view(&name.body)), rest = role;
    role = str_cut(&rest, '\n');
    struct str url = arena_printf(a, "%.*s%.*s", STR_FMT(folder), STR_FMT(role));
    e = e       ? e
        : url.p ? ask(client, "GET", url, "X-aws-ec2-metadata-token", token, AGENT_TIMEOUT_MS, &keys, info)
                : ERR_OOM;
    e = e ? e : from_json(c, buf_view(&keys.body), "the instance's role", info);
    http_answer_done(&name);
    http_answer_done(&keys);
    return e;
}

static enum err from_instance(struct http_client *client, struct s3_credentials *c, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct http_answer answer = {0};
    struct str given = s3_environment("AWS_EC2_METADATA_SERVICE_ENDPOINT", NULL);
    struct str base = given.n ? given : STR(INSTANCE_HOST);
    base.n -= str_ends(base, STR("/"));
    if (str_ieq(s3_environment("AWS_EC2_METADATA_DISABLED", NULL), STR("true"))) {
        return ERR_NOT_FOUND;
    }
    struct str url = arena_printf(&a, "%.*s/latest/api/token", STR_FMT(base));
    enum err e = url.p ? ask(client, "PUT", url, "X-aws-ec2-metadata-token-ttl-seconds", STR("21600"),
                             INSTANCE_TIMEOUT_MS, &answer, NULL)
                       : ERR_OOM;
    if (e == ERR_UNAVAILABLE || e == ERR_TIMEOUT) {
        return ERR_NOT_FOUND; /* no instance of EC2 */
    }
    struct str token = arena_str(&a, str_trim(buf_view(&answer.body)));
    http_answer_done(&answer);
    return e ? e : token.p ? instance_role(client, &a, base, token, c, info) : ERR_OOM;
}

/* -- the chain ------------------------------------------------------------------------------------------- */

enum err s3_credentials_find(struct http_client *client, struct str profile, struct s3_credentials *ret_c,
                             struct err_info *reterr_info)
{
    struct s3_credentials c = {0};
    enum err e = profile.n ? ERR_NOT_FOUND : from_environment(&c, reterr_info);
    e = e == ERR_NOT_FOUND ? from_files(&c, profile_name(profile), reterr_info) : e;
    e = e == ERR_NOT_FOUND && !profile.n ? from_container(client, &c, reterr_info) : e;
    e = e == ERR_NOT_FOUND && !profile.n ? from_instance(client, &c, reterr_info) : e;
    if (e == ERR_NOT_FOUND) {
        return err_set(reterr_info, e,
                       "no keys for the bucket: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, nor "
                       "profile %.*s in ~/.aws, nor a container's or an instance's role",
                       STR_FMT(profile_name(profile)));
    }
    if (!e) {
        *ret_c = c;
    }
    return e == ERR_OOM ? err_set(reterr_info, e, "no memory for the keys of the bucket") : e;
}
