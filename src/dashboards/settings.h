/* grafana.ini: the keys Cairn acts on. Sections and keys as Grafana has them; environment variables
 * GF_SECTION_KEY win over the file; ${VAR}, $__env{VAR} and $__file{path} are expanded in values. Keys that
 * are known to Grafana but have no effect here are named once by the caller; a key of a known section that
 * Grafana does not have is an error. */
#ifndef CAIRN_DASHBOARDS_SETTINGS_H
#define CAIRN_DASHBOARDS_SETTINGS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "dashboards/auth.h"

struct settings {
    struct str http_addr; /* empty = all addresses */
    uint64_t http_port;
    struct str root_url, sub_path; /* sub_path is set when serve_from_sub_path is */
    struct str data_path, provisioning_path;
    struct str admin_user, admin_password;
    bool cookie_secure, disable_gravatar;
    bool anonymous;
    enum auth_role anonymous_role;
    bool basic_auth;
    bool allow_embedding;
    struct str default_theme; /* dark, light, system */
    struct str home_dashboard_path;
    struct str instance_name;
    struct str unused; /* comma-separated section.key list of accepted keys without effect */
};

/* Grafana's defaults. */
void settings_defaults(struct settings *s);
/* Reads `text` (named `file` in errors) over *s; strings live in the arena or are borrowed from text. `env`
 * looks up an environment variable (NULL when absent); `read_file` serves $__file{}. Errors: INVALID with
 * line, NOT_FOUND, OOM. */
struct settings_host {
    const char *(*env)(const char *name);
    enum err (*read_file)(struct arena *a, const char *path, struct str *ret_text, struct err_info *info);
};
MUST_USE enum err settings_parse(struct settings *s, struct str text, const struct settings_host *host,
                                 struct arena *a, struct err_info *reterr_info);

#endif
