/* The chain of credentials. Every source either has both keys, has none (the next is asked), or is wrong
 * (said). */
#include "disk/s3_credentials.h"

#include <sodium.h>
#include <time.h>

#include "base/arena.h"
#include "base/mem.h"
#include "codec/json.h"
#include "disk/file.h"
#include "disk/s3_profile.h"
#include "disk/s3_role.h"

#define CONTAINER_HOST "http://169.254.170.2"
#define INSTANCE_HOST "http://169.254.169.254"
#define INSTANCE_HOST_6 "http://[fd00:ec2::254]"

enum {
    ANSWER_BYTES_MAX = 64 << 10,
    AGENT_TIMEOUT_MS = 5000,
    INSTANCE_TIMEOUT_MS = 2000, /* elsewhere nobody answers there */
    SOURCES_MAX = 5,            /* profiles that take a role by the next one's keys */
};

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

enum err s3_credentials_fill(struct s3_credentials *c, struct str key_id, struct str secret, struct str token,
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
    return s3_credentials_fill(c, id, secret, s3_environment("AWS_SESSION_TOKEN", NULL), "the environment",
                               info);
}

static enum err from_text(struct s3_credentials *c, const struct s3_profile *p, struct str text,
                          const char *from, struct err_info *info)
{
    struct str id = s3_profile_setting(p, text, "aws_access_key_id"),
               secret = s3_profile_setting(p, text, "aws_secret_access_key");
    if (!id.n && !secret.n) {
        return ERR_NOT_FOUND;
    }
    if (!id.n || !secret.n) {
        return err_set(info, ERR_INVALID,
                       "profile %.*s in %s has only one of aws_access_key_id and aws_secret_access_key",
                       STR_FMT(p->name), from);
    }
    return s3_credentials_fill(c, id, secret, s3_profile_setting(p, text, "aws_session_token"), from, info);
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
ts_ms s3_credentials_time(struct str s)
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
    c->expires_ms = s3_credentials_time(text_of(root, "Expiration"));
    return s3_credentials_fill(c, id, secret, text_of(root, "Token"), from, info);
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

/* The token goes along: only to this host, to the addresses of AWS' agents, or under TLS. */
static bool agent_trusted(struct str url)
{
    static const struct str hosts[] = {STR_INIT("127."),           STR_INIT("localhost"),
                                       STR_INIT("[::1]"),          STR_INIT("169.254.170.2"),
                                       STR_INIT("169.254.170.23"), STR_INIT("[fd00:ec2::23]")};
    struct str rest = url;
    if (str_starts(url, STR("https://")) || !str_starts(url, STR("http://"))) {
        return str_starts(url, STR("https://"));
    }
    rest = str_slice(url, 7, url.n);
    struct str host = str_cut(&rest, '/');
    size_t colon = str_starts(host, STR("[")) ? str_find(host, STR("]:"), 0) : str_find_char(host, ':', 0);
    if (colon != STR_NPOS) {
        host = str_slice(host, 0, colon + str_starts(host, STR("[")));
    }
    bool plain = str_find_char(host, '@', 0) == STR_NPOS;
    for (size_t i = 1; i < ARRAY_LEN(hosts); i++) {
        if (str_eq(host, hosts[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < host.n; i++) {
        plain &= host.p[i] == '.' || (host.p[i] >= '0' && host.p[i] <= '9');
    }
    return plain && str_starts(host, hosts[0]);
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
    if (!below.n && !agent_trusted(url)) {
        return err_set(
            info, ERR_INVALID,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI=%.*s: keys are fetched only from this host, an agent of "
            "AWS (169.254.170.2, 169.254.170.23), or by https",
            STR_FMT(url));
    }
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
    bool v6 = str_ieq(s3_environment("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", NULL), STR("IPv6"));
    struct str base = given.n ? given : v6 ? STR(INSTANCE_HOST_6) : STR(INSTANCE_HOST);
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

/* -- profiles and roles -----------------------------------------------------------------------------------
 */

/* What AWS' tools would do for keys and we do not: said, so that nobody waits for it to work. */
static enum err not_done(const struct s3_profile *p, const char *const *ways, size_t n, struct err_info *info)
{
    for (size_t i = 0; i < n; i++) {
        if (s3_profile_setting(p, p->config, ways[i]).n || s3_profile_setting(p, p->credentials, ways[i]).n) {
            return err_set(
                info, ERR_UNSUPPORTED,
                "profile %.*s gets its keys by %s, which is not done here; let AWS' own tool do it: "
                "eval \"$(aws configure export-credentials --profile %.*s --format env)\"",
                STR_FMT(p->name), ways[i], STR_FMT(p->name));
        }
    }
    return ERR_NOT_FOUND;
}

static enum err own_keys(struct s3_credentials *c, const struct s3_profile *p, struct err_info *info)
{
    static const char *const ways[] = {"credential_process", "sso_session", "sso_start_url"};
    enum err e = from_text(c, p, p->credentials, "the shared credentials file", info);
    e = e == ERR_NOT_FOUND ? from_text(c, p, p->config, "the shared configuration file", info) : e;
    return e == ERR_NOT_FOUND ? not_done(p, ways, ARRAY_LEN(ways), info) : e;
}

/* credential_source: whose keys ask for the role. */
static enum err from_named(struct http_client *client, struct s3_credentials *c, const struct s3_profile *p,
                           struct str source, struct err_info *info)
{
    enum err e = str_eq_c(source, "Environment")           ? from_environment(c, info)
                 : str_eq_c(source, "Ec2InstanceMetadata") ? from_instance(client, c, info)
                 : str_eq_c(source, "EcsContainer")        ? from_container(client, c, info)
                                                           : ERR_INVALID;
    return e == ERR_INVALID || e == ERR_NOT_FOUND
               ? err_set(info, ERR_INVALID,
                         "profile %.*s: there are no keys from credential_source=%.*s (Environment, "
                         "Ec2InstanceMetadata or EcsContainer) to take its role with",
                         STR_FMT(p->name), STR_FMT(source))
               : e;
}

/* The keys that the last profile's role is to be taken with. NOT_FOUND: its source_profile is asked next. */
static enum err source_keys(struct http_client *client, struct s3_credentials *c, const struct s3_profile *p,
                            struct err_info *info)
{
    static const char *const ways[] = {"mfa_serial", "web_identity_token_file"};
    struct str named = s3_profile_setting(p, p->config, "credential_source");
    enum err e = not_done(p, ways, ARRAY_LEN(ways), info);
    if (e == ERR_NOT_FOUND && named.n) {
        return from_named(client, c, p, named, info);
    }
    if (e == ERR_NOT_FOUND && !s3_profile_setting(p, p->config, "source_profile").n) {
        return err_set(info, ERR_INVALID,
                       "profile %.*s has a role_arn, but neither source_profile nor credential_source",
                       STR_FMT(p->name));
    }
    return e;
}

/* Follows the sources to the first keys; the profiles on the way, each with a role, are roles[0..*ret_n). */
static enum err sources_follow(struct http_client *client, struct s3_credentials *c, struct str profile,
                               struct arena *a, struct s3_profile roles[SOURCES_MAX], size_t *ret_n,
                               struct err_info *info)
{
    struct str source = profile;
    for (size_t n = 0; n <= SOURCES_MAX; n++) {
        struct s3_profile p = {0};
        enum err e = s3_profile_load(source, a, &p, info);
        bool itself = n && str_eq(roles[n - 1].name, p.name);
        *ret_n = n;
        if (e || itself || !s3_profile_setting(&p, p.config, "role_arn").n) {
            return e ? e : own_keys(c, &p, info);
        }
        if (n < SOURCES_MAX) {
            roles[n] = p;
            *ret_n = n + 1;
            e = source_keys(client, c, &p, info);
            if (e != ERR_NOT_FOUND) {
                return e;
            }
            source = s3_profile_setting(&p, p.config, "source_profile");
        }
    }
    return err_set(info, ERR_INVALID, "profile %.*s: more than %d roles one behind the other",
                   STR_FMT(roles[0].name), SOURCES_MAX);
}

/* The role's keys, if the profile has one, else its own. */
static enum err from_profiles(struct http_client *client, struct s3_credentials *c, struct str profile,
                              struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct s3_profile roles[SOURCES_MAX] = {0};
    size_t n = 0;
    enum err e = sources_follow(client, c, profile, &a, roles, &n, info);
    for (size_t i = n; i-- > 0 && !e;) {
        struct s3_credentials role = {0};
        e = s3_role_assume(client, &roles[i], c, &role, info);
        s3_credentials_done(c);
        *c = role;
    }
    return e == ERR_NOT_FOUND && n
               ? err_set(info, ERR_INVALID, "profile %.*s: its source_profile has no keys",
                         STR_FMT(roles[0].name))
               : e;
}

static enum err from_web_identity(struct http_client *client, struct s3_credentials *c, struct err_info *info)
{
    struct arena a AUTO_ARENA = {0};
    struct s3_profile p = {0};
    enum err e = s3_profile_load((struct str){0}, &a, &p, info);
    return e ? e : s3_role_web_identity(client, &p, c, info);
}

/* -- the chain ------------------------------------------------------------------------------------------- */

enum err s3_credentials_find(struct http_client *client, struct str profile, struct s3_credentials *ret_c,
                             struct err_info *reterr_info)
{
    struct s3_credentials c = {0};
    enum err e = profile.n ? ERR_NOT_FOUND : from_environment(&c, reterr_info);
    e = e == ERR_NOT_FOUND && !profile.n ? from_web_identity(client, &c, reterr_info) : e;
    e = e == ERR_NOT_FOUND ? from_profiles(client, &c, profile, reterr_info) : e;
    e = e == ERR_NOT_FOUND ? from_container(client, &c, reterr_info) : e;
    e = e == ERR_NOT_FOUND ? from_instance(client, &c, reterr_info) : e;
    if (e == ERR_NOT_FOUND) {
        return err_set(reterr_info, e,
                       "no keys for the bucket: neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, nor a "
                       "profile with keys in ~/.aws, nor a container's or an instance's role");
    }
    if (!e) {
        *ret_c = c;
    }
    return e == ERR_OOM ? err_set(reterr_info, e, "no memory for the keys of the bucket") : e;
}
