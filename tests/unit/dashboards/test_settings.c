/* grafana.ini as people write it. */
#include "dashboards/settings.h"
#include "harness.h"

static const char *env(const char *name)
{
    if (strcmp(name, "GF_SECURITY_ADMIN_PASSWORD") == 0) {
        return "from-env";
    }
    return strcmp(name, "PORT") == 0 ? "3333" : NULL;
}

static enum err read_file(struct arena *a, const char *path, struct str *ret_text, struct err_info *info)
{
    (void)a;
    (void)path;
    (void)info;
    *ret_text = STR("secret\n");
    return ERR_OK;
}

static const struct settings_host host = {env, read_file};

TEST(keys_environment_and_expansion)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct settings s;
    settings_defaults(&s);
    CHECK_OK(
        settings_parse(&s,
                       STR("; comment\n[server]\nhttp_port = ${PORT}\n[security]\nadmin_password = file\n"
                           "admin_user = \"$__file{/x}\"\n[auth.anonymous]\nenabled = true\norg_role=Editor\n"
                           "[smtp]\nhost = mail\n"),
                       &host, &a, NULL));
    CHECK_EQ(s.http_port, 3333);
    CHECK_STR(s.admin_password, "from-env");
    CHECK_STR(s.admin_user, "secret");
    CHECK(s.anonymous && s.anonymous_role == ROLE_EDITOR);
    CHECK_STR(s.unused, "smtp.host");
}

TEST(a_typing_slip_is_named_with_its_line_and_the_right_word)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct settings s;
    struct err_info info;
    settings_defaults(&s);
    CHECK_EQ(settings_parse(&s, STR("[server]\n\nhtpp_port = 1\n"), &host, &a, &info), ERR_INVALID);
    CHECK_EQ(info.line, 3);
    CHECK(strstr(info.message, "http_port"));
    CHECK_EQ(s.http_port, 3000);
    CHECK_EQ(settings_parse(&s, STR("[serverr]\n"), &host, &a, &info), ERR_INVALID);
    CHECK_EQ(settings_parse(&s, STR("[server]\nhttp_port = many\n"), &host, &a, &info), ERR_INVALID);
}

TEST(the_command_line_gives_defaults_and_last_words)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct settings s;
    struct err_info info;
    settings_defaults(&s);
    CHECK(settings_override_is_default(STR("cfg:default.paths.data=/d")));
    CHECK(!settings_override_is_default(STR("cfg:paths.data=/d")));
    CHECK_OK(settings_override(&s, STR("cfg:default.paths.data=/var/lib/grafana"), &host, &a, NULL));
    CHECK_OK(settings_override(&s, STR("cfg:default.paths.logs=/var/log/grafana"), &host, &a, NULL));
    CHECK_STR(s.data_path, "/var/lib/grafana");
    CHECK_OK(settings_override(&s, STR("cfg:auth.anonymous.enabled=true"), &host, &a, NULL));
    CHECK(s.anonymous);
    CHECK_EQ(settings_override(&s, STR("cfg:paths.dta=/d"), &host, &a, &info), ERR_INVALID);
    CHECK(strstr(info.message, "\"data\""));
    CHECK_EQ(settings_override(&s, STR("start"), &host, &a, &info), ERR_INVALID);
}

TEST(a_sub_path_comes_from_the_root_url)
{
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct settings s;
    settings_defaults(&s);
    CHECK_OK(settings_parse(
        &s, STR("[server]\nroot_url = %(protocol)s://%(domain)s:%(http_port)s/grafana/\n"), &host, &a, NULL));
    CHECK_STR(s.sub_path, "");
    CHECK_OK(settings_parse(&s, STR("[server]\nserve_from_sub_path = true\n"), &host, &a, NULL));
    CHECK_STR(s.sub_path, "/grafana");
}
