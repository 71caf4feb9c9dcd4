/* The shared files of AWS' tools. */
#include "disk/s3_profile.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/mem.h"
#include "disk/file.h"

enum {
    FILE_BYTES_MAX = 1 << 20
};

struct str s3_environment(const char *name, const char *other)
{
    const char *v = getenv(name);                 /* NOLINT(concurrency-mt-unsafe): set before start */
    v = (!v || !*v) && other ? getenv(other) : v; /* NOLINT(concurrency-mt-unsafe) */
    return str_c(v);
}

/* -- sections -------------------------------------------------------------------------------------------- */

/* Whether the line opens a section, and whether that is the profile's. */
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

static bool has_section(struct str text, struct str profile)
{
    bool ours = false;
    for (struct str rest = text; rest.p && !ours;) {
        (void)section(str_trim(str_cut(&rest, '\n')), profile, &ours);
    }
    return ours;
}

struct str s3_profile_setting(const struct s3_profile *p, struct str text, const char *key)
{
    bool ours = false, below = false;
    struct str found = {0};
    for (struct str rest = text; rest.p;) {
        struct str raw = str_cut(&rest, '\n'), line = str_trim(raw);
        bool indented = raw.n && (raw.p[0] == ' ' || raw.p[0] == '\t');
        if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';' || (below && indented)) {
            continue;
        }
        if (section(line, p->name, &ours)) {
            below = false;
            continue;
        }
        struct str value = line, name = str_trim(str_cut(&value, '='));
        value = str_trim(value);
        below = value.n == 0;
        if (ours && value.n && str_ieq(name, str_c(key))) {
            found = value;
        }
    }
    return found;
}

/* -- files ----------------------------------------------------------------------------------------------- */

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

enum err s3_profile_load(struct str given, struct arena *a, struct s3_profile *ret_p,
                         struct err_info *reterr_info)
{
    struct str name = given.n ? given : s3_environment("AWS_PROFILE", "AWS_DEFAULT_PROFILE");
    struct s3_profile p = {.name = name.n ? name : STR("default"), .named = name.n > 0};
    enum err e = shared_file("AWS_SHARED_CREDENTIALS_FILE", "credentials", a, &p.credentials, reterr_info);
    e = e ? e : shared_file("AWS_CONFIG_FILE", "config", a, &p.config, reterr_info);
    if (!e && p.named && !has_section(p.credentials, name) && !has_section(p.config, name)) {
        e = err_set(reterr_info, ERR_INVALID,
                    "there is no profile %.*s in ~/.aws/credentials and ~/.aws/config (or the files that "
                    "AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name); correct --profile or AWS_PROFILE",
                    STR_FMT(name));
    }
    if (!e) {
        *ret_p = p;
    }
    return e;
}

char *s3_setting_find(struct str profile, const char *variable, const char *other, const char *key)
{
    struct arena a AUTO_ARENA = {0};
    struct s3_profile p = {0};
    struct str value = s3_environment(variable, other);
    if (!value.n && s3_profile_load(profile, &a, &p, NULL) == ERR_OK) {
        value = s3_profile_setting(&p, p.config, key);
    }
    return value.n ? mem_dup(value.p, value.n) : NULL;
}
