/* dashboards: what a person who saves, searches and signs in would notice. */
#include <stdio.h>

#include "dashboards/auth.h"
#include "dashboards/dashboards.h"
#include "dashboards/data_sources.h"
#include "harness.h"

static struct db *open_db(void)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/d.db", test_dir());
    struct db *db = NULL;
    struct err_info info = {0};
    if (db_open(path, &db, &info) != ERR_OK) {
        (void)printf("%s\n", info.message);
    }
    return db;
}

static struct dash_save save_of(const char *title, const char *json, int64_t base_version)
{
    return (struct dash_save){.uid = STR("u1"),
                              .title = str_c(title),
                              .tags = STR("[\"a\",\"b\"]"),
                              .json = str_c(json),
                              .base_version = base_version,
                              .login = STR("ann")};
}

TEST(a_saved_dashboard_keeps_its_bytes_and_counts_versions)
{
    struct db *db = open_db();
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct dash d;
    struct dash_save s = save_of("CPU & Memory", "{ \"odd\" : 1.50,\n\"title\":\"x\"}", 0);
    CHECK_OK(dash_put(db, 1000, &s, &a, &d, NULL));
    CHECK_EQ(d.version, 1);
    CHECK_STR(d.slug, "cpu-and-memory");
    CHECK_STR(d.json, "{ \"odd\" : 1.50,\n\"title\":\"x\"}");
    s = save_of("Renamed", "{}", 1);
    CHECK_OK(dash_put(db, 2000, &s, &a, &d, NULL));
    CHECK_EQ(d.version, 2);
    struct dash_version *v;
    size_t n;
    CHECK_OK(dash_versions(db, d.id, &a, &v, &n, NULL));
    CHECK_EQ(n, 2);
    db_close(db);
}

TEST(a_stale_save_is_refused_and_an_overwrite_is_not)
{
    struct db *db = open_db();
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct dash d;
    struct dash_save s = save_of("One", "{}", 0);
    CHECK_OK(dash_put(db, 1, &s, &a, &d, NULL));
    s = save_of("Two", "{}", 1);
    CHECK_OK(dash_put(db, 2, &s, &a, &d, NULL));
    CHECK_EQ(dash_put(db, 3, &s, &a, &d, NULL), ERR_CONFLICT);
    s.overwrite = true;
    CHECK_OK(dash_put(db, 4, &s, &a, &d, NULL));
    CHECK_EQ(d.version, 3);
    db_close(db);
}

TEST(provisioned_dashboards_are_read_only_unless_allowed)
{
    struct db *db = open_db();
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct dash d;
    struct dash_save s = save_of("P", "{}", 0);
    s.provisioned_from = STR("/etc/x.json");
    CHECK_OK(dash_put(db, 1, &s, &a, &d, NULL));
    struct dash_save mine = save_of("P", "{\"a\":1}", 1);
    CHECK_EQ(dash_put(db, 2, &mine, &a, &d, NULL), ERR_DENIED);
    CHECK_EQ(dash_delete(db, STR("u1"), false, NULL), ERR_DENIED);
    s.overwrite = s.provisioned_editable = true;
    CHECK_OK(dash_put(db, 3, &s, &a, &d, NULL));
    mine.base_version = 2;
    CHECK_OK(dash_put(db, 4, &mine, &a, &d, NULL));
    db_close(db);
}

TEST(search_filters_by_title_tag_and_folder)
{
    struct db *db = open_db();
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct folder f;
    struct dash d, *rows;
    size_t n;
    CHECK_OK(folder_create(db, 1, STR("ops"), STR("Ops"), STR(""), &a, &f, NULL));
    struct dash_save s = save_of("Disk usage", "{}", 0);
    s.folder_uid = STR("ops");
    CHECK_OK(dash_put(db, 1, &s, &a, &d, NULL));
    CHECK_STR(d.folder_title, "Ops");
    struct str a_tag = STR("a"), none = STR("zz"), ops = STR("ops");
    CHECK_OK(dash_search(db, &(struct dash_find){.text = STR("dISK"), .tags = &a_tag, .tag_count = 1}, &a,
                         &rows, &n, NULL));
    CHECK_EQ(n, 1);
    CHECK_OK(dash_search(db, &(struct dash_find){.tags = &none, .tag_count = 1}, &a, &rows, &n, NULL));
    CHECK_EQ(n, 0);
    CHECK_OK(dash_search(db, &(struct dash_find){.folder_uids = &ops, .folder_uid_count = 1}, &a, &rows, &n,
                         NULL));
    CHECK_EQ(n, 1);
    CHECK_OK(folder_delete(db, STR("ops"), NULL));
    CHECK_EQ(dash_get(db, STR("u1"), &a, &d, NULL), ERR_NOT_FOUND);
    db_close(db);
}

TEST(five_wrong_passwords_lock_the_login_for_a_while)
{
    struct db *db = open_db();
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct auth_tries *tries;
    CHECK_OK(auth_tries_new(&tries));
    struct auth_user_new u = {.login = STR("ann"), .password = STR("correct horse"), .role = ROLE_EDITOR};
    int64_t id;
    CHECK_OK(auth_user_create(db, 0, &u, &id, NULL));
    CHECK_EQ(auth_user_create(db, 0, &u, &id, NULL), ERR_EXISTS);
    struct auth_identity who;
    CHECK_OK(auth_check_password(db, tries, 1000, STR("ann"), STR("correct horse"), &a, &who, NULL));
    CHECK_EQ(who.role, ROLE_EDITOR);
    for (int i = 0; i < AUTH_TRIES_MAX; i++) {
        CHECK_EQ(auth_check_password(db, tries, 2000, STR("ann"), STR("wrong"), &a, &who, NULL), ERR_DENIED);
    }
    CHECK_EQ(auth_check_password(db, tries, 3000, STR("ann"), STR("correct horse"), &a, &who, NULL),
             ERR_LIMIT);
    CHECK_OK(auth_check_password(db, tries, 3000 + AUTH_TRIES_WINDOW_MS, STR("ann"), STR("correct horse"), &a,
                                 &who, NULL));
    auth_tries_free(tries);
    db_close(db);
}

TEST(sessions_and_tokens_open_only_with_their_secret)
{
    struct db *db = open_db();
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct auth_user_new u = {.login = STR("ann"), .password = STR("pass"), .role = ROLE_ADMIN};
    int64_t id, service, token_id;
    char token[AUTH_TOKEN_TEXT_BYTES];
    struct auth_identity who;
    CHECK_OK(auth_user_create(db, 0, &u, &id, NULL));
    CHECK_OK(auth_session_create(db, 1000, id, STR("browser"), token, NULL));
    CHECK_OK(auth_session_check(db, 2000, str_c(token), &a, &who, NULL));
    CHECK_STR(who.login, "ann");
    CHECK_EQ(auth_session_check(db, 2000 + AUTH_SESSION_IDLE_MS, str_c(token), &a, &who, NULL), ERR_DENIED);
    token[0] = token[0] == 'a' ? 'b' : 'a';
    CHECK_EQ(auth_session_check(db, 2000, str_c(token), &a, &who, NULL), ERR_DENIED);
    CHECK_OK(auth_service_create(db, 0, STR("ci"), ROLE_EDITOR, &service, NULL));
    CHECK_OK(auth_token_create(db, 0, service, STR("t"), 5000, token, &token_id, NULL));
    CHECK(str_starts(str_c(token), STR("glsa_")));
    CHECK_OK(auth_token_check(db, 4000, str_c(token), &a, &who, NULL));
    CHECK_EQ(who.role, ROLE_EDITOR);
    CHECK_EQ(auth_token_check(db, 6000, str_c(token), &a, &who, NULL), ERR_DENIED);
    db_close(db);
}

TEST(one_data_source_is_the_default)
{
    struct db *db = open_db();
    struct arena a AUTO_ARENA;
    arena_init(&a, 0, NULL);
    struct data_source ds, *rows;
    size_t n;
    struct data_source prom = {
        .uid = STR("prometheus"), .name = STR("Prometheus"), .type = STR("prometheus"), .is_default = true};
    struct data_source loki = {
        .uid = STR("loki"), .name = STR("Loki"), .type = STR("loki"), .is_default = true};
    CHECK_OK(data_source_put(db, &prom, &a, &ds, NULL));
    CHECK_OK(data_source_put(db, &loki, &a, &ds, NULL));
    CHECK_OK(data_source_list(db, &a, &rows, &n, NULL));
    CHECK_EQ(n, 2);
    CHECK(rows[0].is_default && !rows[1].is_default);
    CHECK_OK(data_source_get(db, STR("Prometheus"), &a, &ds, NULL));
    CHECK_STR(ds.uid, "prometheus");
    db_close(db);
}
