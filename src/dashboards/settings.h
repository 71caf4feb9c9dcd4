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
    struct str root_url;
    bool serve_from_sub_path;
    struct str sub_path;                     /* "/grafana" out of root_url, when serve_from_sub_path is set */
    struct str data_path, provisioning_path; /* empty = not said */
    struct str admin_user, admin_password;   /* password empty = not said: one is made at first start */
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

/* Grafana's defaults, but for the paths and the password, which are empty. */
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
/* One override of the command line: "cfg:[default.]section.key=value", which counts when it is
 * applied: defaults before settings_parse, the others after it. Errors: INVALID. */
MUST_USE enum err settings_override(struct settings *s, struct str argument, const struct settings_host *host,
                                    struct arena *a, struct err_info *reterr_info);
/* True for "cfg:default...": to be applied before settings_parse. */
bool settings_override_is_default(struct str argument);

#endif
