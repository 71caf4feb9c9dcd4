/* s3://BUCKET/PREFIX?endpoint=...: reading it, and the host and path its requests go to. */
#include <stdio.h>

#include "base/mem.h"
#include "disk/s3_int.h"
#include "disk/s3_profile.h"

#define REGION_DEFAULT "us-east-1"

enum {
    BUCKET_BYTES_MAX = 63,
    PREFIX_BYTES_MAX = 400
};

static enum err wrong(struct err_info *info, struct str place, const char *why)
{
    return err_set(info, ERR_INVALID,
                   "\"%.*s\": %s; write s3://BUCKET/PREFIX?endpoint=URL&region=NAME&profile=NAME&style=path",
                   STR_FMT(place), why);
}

static bool bucket_valid(struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '.' || c == '_')) {
            return false;
        }
    }
    return name.n >= 3 && name.n <= BUCKET_BYTES_MAX;
}

/* Parts as those of a key, so that what is below is one. */
static bool prefix_valid(struct str prefix)
{
    bool begins = true;
    for (size_t i = 0; i < prefix.n; i++) {
        char c = prefix.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                     c == '_' || c == '=';
        if (begins ? !plain : !plain && c != '.' && c != '/') {
            return false;
        }
        begins = c == '/';
    }
    return prefix.n <= PREFIX_BYTES_MAX;
}

/* "http://host:port" or "host:port" (https); a port that is the scheme's own is left out, as in the header
 * Host. */
static enum err endpoint_set(struct s3_store *s, struct str place, struct str url, struct err_info *info)
{
    bool plain = str_starts(url, STR("http://")), tls = str_starts(url, STR("https://"));
    struct str host = plain ? str_slice(url, 7, url.n) : tls ? str_slice(url, 8, url.n) : url;
    host.n -= str_ends(host, STR("/"));
    if (host.n == 0 || str_find_char(host, '/', 0) != STR_NPOS || str_find_char(host, '@', 0) != STR_NPOS) {
        return wrong(info, place, "the endpoint is http[s]://HOST[:PORT]");
    }
    host.n -= plain && str_ends(host, STR(":80")) ? 3 : 0;
    host.n -= !plain && str_ends(host, STR(":443")) ? 4 : 0;
    mem_free(s->scheme);
    mem_free(s->host);
    s->scheme = mem_dup(plain ? "http" : "https", plain ? 4 : 5);
    s->host = mem_dup(host.p, host.n);
    s->endpoint_given = true;
    return s->scheme && s->host ? ERR_OK : err_set(info, ERR_OOM, "no memory for an endpoint");
}

static enum err part_set(struct s3_store *s, struct str place, struct str value, struct err_info *info)
{
    uint64_t mib = 0;
    if (str_to_u64(value, &mib) || mib < S3_PART_MIB_MIN || mib > S3_PART_MIB_MAX) {
        return wrong(info, place, "part is a number of MiB from 5 to 5120");
    }
    s->part_bytes = mib << 20;
    return ERR_OK;
}

static enum err option(struct s3_store *s, struct str place, struct str name, struct str value,
                       struct err_info *info)
{
    char **text = str_eq_c(name, "region")    ? &s->region
                  : str_eq_c(name, "profile") ? &s->profile
                  : str_eq_c(name, "ca")      ? &s->ca_file
                                              : NULL;
    if (value.n == 0) {
        return wrong(info, place, "an option has no value");
    }
    if (text) {
        mem_free(*text);
        *text = mem_dup(value.p, value.n);
        return *text ? ERR_OK : err_set(info, ERR_OOM, "no memory for an option");
    }
    if (str_eq_c(name, "part")) {
        return part_set(s, place, value, info);
    }
    if (str_eq_c(name, "style")) {
        s->path_style = str_eq_c(value, "path");
        return s->path_style || str_eq_c(value, "virtual") ? ERR_OK
                                                           : wrong(info, place, "style is path or virtual");
    }
    return str_eq_c(name, "endpoint")
               ? endpoint_set(s, place, value, info)
               : wrong(info, place, "the options are endpoint, region, profile, style, ca, part");
}

static enum err endpoint_find(struct s3_store *s, struct str place, struct err_info *info)
{
    char *endpoint =
        s3_setting_find(str_c(s->profile), "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "endpoint_url");
    enum err e = endpoint ? endpoint_set(s, place, str_c(endpoint), info) : ERR_OK;
    mem_free(endpoint);
    return e;
}

static bool switched_on(const struct s3_store *s, const char *variable, const char *key)
{
    char *value = s3_setting_find(str_c(s->profile), variable, NULL, key);
    bool on = value && str_ieq(str_c(value), STR("true"));
    mem_free(value);
    return on;
}

static unsigned attempts_find(const struct s3_store *s)
{
    char *value = s3_setting_find(str_c(s->profile), "AWS_MAX_ATTEMPTS", NULL, "max_attempts");
    uint64_t n = 0;
    bool said = value && str_to_u64(str_c(value), &n) == ERR_OK && n > 0;
    mem_free(value);
    return !said ? S3_ATTEMPTS : n < S3_ATTEMPTS_MAX ? (unsigned)n : S3_ATTEMPTS_MAX;
}

/* What the place does not say: from the environment and AWS' own files. A store of one's own knows its
 * buckets by path; so does a name with dots, which no wildcard certificate covers. */
static enum err defaults(struct s3_store *s, struct str place, bool style_given, struct err_info *info)
{
    s->profile = s->profile ? s->profile : mem_dup("", 0);
    enum err e = s->profile ? ERR_OK : err_set(info, ERR_OOM, "no memory");
    e = e || s->endpoint_given ? e : endpoint_find(s, place, info);
    if (e) {
        return e;
    }
    struct str profile = str_c(s->profile);
    s->region =
        s->region ? s->region : s3_setting_find(profile, "AWS_REGION", "AWS_DEFAULT_REGION", "region");
    s->region_given = s->region != NULL;
    s->region = s->region ? s->region : mem_dup(REGION_DEFAULT, sizeof(REGION_DEFAULT) - 1);
    s->ca_file = s->ca_file ? s->ca_file : s3_setting_find(profile, "AWS_CA_BUNDLE", NULL, "ca_bundle");
    s->ca_file = s->ca_file ? s->ca_file : mem_dup("", 0);
    s->scheme = s->scheme ? s->scheme : mem_dup("https", 5);
    s->dual_stack = switched_on(s, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
    s->attempts = attempts_find(s);
    s->fips = switched_on(s, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint");
    if (!style_given) {
        s->path_style = s->endpoint_given || str_find_char(str_c(s->bucket), '.', 0) != STR_NPOS;
    }
    return s->region && s->ca_file && s->scheme ? ERR_OK : err_set(info, ERR_OOM, "no memory");
}

enum err s3_place_host(struct s3_store *s, struct err_info *info)
{
    struct buf host AUTO_BUF = {0}, path AUTO_BUF = {0};
    bool china = str_starts(str_c(s->region), STR("cn-"));
    const char *bucket = s->path_style ? "" : s->bucket, *dot = s->path_style ? "" : ".";
    if (s->endpoint_given) {
        buf_printf(&host, "%s%s%s", bucket, dot, s->host);
    } else {
        buf_printf(&host, "%s%ss3%s%s.%s.amazonaws.com%s", bucket, dot, s->fips ? "-fips" : "",
                   s->dual_stack ? ".dualstack" : "", s->region, china ? ".cn" : "");
    }
    buf_printf(&path, s->path_style ? "/%s/" : "/", s->bucket);
    char *new_host = buf_take(&host, NULL), *new_path = buf_take(&path, NULL);
    if (!new_host || !new_path) {
        mem_free(new_host);
        mem_free(new_path);
        return err_set(info, ERR_OOM, "no memory for the host of s3://%s", s->bucket);
    }
    mem_free(s->host);
    mem_free(s->base_path);
    s->host = new_host;
    s->base_path = new_path;
    return ERR_OK;
}

enum err s3_place_parse(struct s3_store *s, struct str place, struct err_info *info)
{
    struct str options = str_slice(place, sizeof("s3://") - 1, place.n), prefix = str_cut(&options, '?');
    struct str bucket = str_cut(&prefix, '/');
    struct buf below AUTO_BUF = {0};
    bool style_given = false;
    while (str_ends(prefix, STR("/"))) {
        prefix.n--;
    }
    if (!bucket_valid(bucket)) {
        return wrong(info, place, "a bucket's name has 3 to 63 letters, digits, '-' and '.'");
    }
    if (!prefix_valid(prefix)) {
        return wrong(info, place, "the prefix has parts of letters, digits, '-', '_', '.' and '='");
    }
    buf_printf(&below, "%.*s%s", STR_FMT(prefix), prefix.n ? "/" : "");
    s->part_bytes = (uint64_t)S3_PART_MIB << 20;
    s->bucket = mem_dup(bucket.p, bucket.n);
    s->prefix = buf_take(&below, NULL);
    enum err e = s->bucket && s->prefix ? ERR_OK : err_set(info, ERR_OOM, "no memory");
    while (options.p && !e) {
        struct str value = str_cut(&options, '&'), name = str_cut(&value, '=');
        style_given |= str_eq_c(name, "style");
        e = option(s, place, name, value, info);
    }
    e = e ? e : defaults(s, place, style_given, info);
    return e ? e : s3_place_host(s, info);
}
