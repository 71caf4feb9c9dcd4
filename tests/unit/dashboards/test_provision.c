/* Dashboards keep their bytes; provisioning files become data sources, folders and dashboards. */
#include <stdio.h>
#include <stdlib.h>

#include "dashboards/annotations.h"
#include "dashboards/dashboards.h"
#include "dashboards/data_sources.h"
#include "dashboards/model.h"
#include "dashboards/provision.h"
#include "disk/file.h"
#include "harness.h"

TEST(patch_touches_only_three_members)
{
    struct arena a AUTO_ARENA = {0};
    struct str out;
    CHECK_OK(dash_model_patch(&a, STR("{ \"title\" : \"x\",\n \"id\": null, \"panels\":[ 1.50 ] }\n"), 7,
                              STR("u"), 3, &out, NULL));
    CHECK_STR(out, "{ \"title\" : \"x\",\n \"id\": 7, \"panels\":[ 1.50 ] ,\"uid\":\"u\",\"version\":3}\n");
}

TEST(inputs_are_filled_in)
{
    struct arena a AUTO_ARENA = {0};
    const struct json_value *model, *inputs;
    struct str out;
    CHECK_OK(json_parse(&a, STR("{\"__inputs\":[],\"t\":\"${DS_X} ${other}\"}"), &model, NULL));
    CHECK_OK(json_parse(&a, STR("[{\"name\":\"DS_X\",\"value\":\"a\\\"b\"}]"), &inputs, NULL));
    CHECK_OK(dash_model_fill_inputs(&a, model, inputs, &out, NULL));
    CHECK_STR(out, "{\"t\":\"a\\\"b ${other}\"}");
}

static enum err put_file(const char *dir, const char *name, struct str text)
{
    char path[700];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    enum err e = dir_make(path, NULL);
    *slash = '/';
    return e ? e : file_store(path, text, NULL);
}

TEST(a_grafana_folder_is_read)
{
    struct arena a AUTO_ARENA = {0};
    struct db *db;
    char root[512], path[600];
    struct err_info info = {0};
    snprintf(root, sizeof(root), "%s/provisioning", test_dir());
    snprintf(path, sizeof(path), "%s/g.db", test_dir());
    setenv("CAIRN_TEST_PROM", "http://prom:9090", 1);
    CHECK_OK(db_open(path, &db, &info));
    CHECK_OK(put_file(
        root, "datasources/d.yml",
        STR("apiVersion: 1\ndatasources:\n- name: Prometheus\n  type: prometheus\n  access: proxy\n"
            "  url: ${CAIRN_TEST_PROM}\n  isDefault: true\n  jsonData: {timeInterval: 15s, n: 5}\n")));
    CHECK_OK(put_file(root, "dashboards/p.yml",
                      STR("apiVersion: 1\nproviders:\n- name: x\n  folder: Apps\n  type: file\n  options: "
                          "{path: files}\n")));
    CHECK_OK(put_file(root, "files/one.json", STR("{\"title\":\"One\",\"uid\":\"one\"}")));
    CHECK_OK(put_file(root, "files/bad.json", STR("{\"title\":")));
    struct provision_report r = {0};
    CHECK_OK(provision_folder(db, 1000, root, &r, &info));
    CHECK_EQ(r.data_sources, 1);
    CHECK_EQ(r.dashboards_changed, 1);
    CHECK_EQ(r.problems, 1);
    struct data_source ds;
    struct dash d;
    CHECK_OK(data_source_get(db, STR("Prometheus"), &a, &ds, NULL));
    CHECK_STR(ds.url, "http://prom:9090");
    CHECK_STR(ds.json_data, "{\"timeInterval\":\"15s\",\"n\":5}");
    CHECK(ds.read_only && ds.is_default);
    CHECK_OK(dash_get(db, STR("one"), &a, &d, NULL));
    CHECK_STR(d.folder_title, "Apps");
    /* again: nothing changes; without the file it goes */
    r = (struct provision_report){0};
    CHECK_OK(provision_folder(db, 2000, root, &r, &info));
    CHECK_EQ(r.dashboards_unchanged, 1);
    int64_t version = ds.version;
    CHECK_OK(data_source_get(db, STR("Prometheus"), &a, &ds, NULL));
    CHECK_EQ(ds.version, version);
    snprintf(path, sizeof(path), "%s/files/one.json", root);
    CHECK_OK(file_remove(path, NULL));
    r = (struct provision_report){0};
    CHECK_OK(provision_folder(db, 3000, root, &r, &info));
    CHECK_EQ(r.dashboards_removed, 1);
    CHECK_OK(put_file(root, "datasources/d.yml", STR("datasources:\n- nmae: x\n")));
    CHECK_EQ(provision_folder(db, 3000, root, &r, &info), ERR_INVALID);
    CHECK_EQ(info.line, 2);
    db_close(db);
}

TEST(a_source_without_a_uid_gets_the_one_grafana_derives)
{
    struct arena a AUTO_ARENA = {0};
    struct db *db;
    char root[512], path[600];
    struct err_info info = {0};
    struct data_source ds, stored;
    struct provision_report r = {0};
    snprintf(root, sizeof(root), "%s/uids", test_dir());
    snprintf(path, sizeof(path), "%s/u.db", test_dir());
    CHECK_OK(db_open(path, &db, &info));
    CHECK_OK(put_file(root, "datasources/d.yml",
                      STR("datasources:\n- {name: Prometheus, type: prometheus, url: 'http://p:9090'}\n")));
    CHECK_OK(provision_folder(db, 1000, root, &r, &info));
    CHECK_OK(data_source_get(db, STR("Prometheus"), &a, &ds, NULL));
    CHECK_STR(ds.uid, "PBFA97CFB590B2093");
    /* a uid given later takes the name over */
    CHECK_OK(
        put_file(root, "datasources/d.yml",
                 STR("datasources:\n- {name: Prometheus, uid: mine, type: prometheus, url: 'http://q'}\n")));
    CHECK_OK(provision_folder(db, 2000, root, &r, &info));
    CHECK_OK(data_source_get(db, STR("Prometheus"), &a, &ds, NULL));
    CHECK_STR(ds.uid, "mine");
    CHECK_EQ(data_source_get(db, STR("PBFA97CFB590B2093"), &a, &stored, NULL), ERR_NOT_FOUND);
    db_close(db);
}

TEST(an_annotation_is_found_by_time_and_tags)
{
    struct arena a AUTO_ARENA = {0};
    struct db *db;
    char path[600];
    struct err_info info = {0};
    int64_t id = 0;
    struct str tags[] = {STR("deploy"), STR("web")};
    struct annotation *rows = NULL;
    size_t n = 0;
    snprintf(path, sizeof(path), "%s/n.db", test_dir());
    CHECK_OK(db_open(path, &db, &info));
    struct annotation row = {.dashboard_uid = STR("d1"),
                             .time_ms = 1000,
                             .time_end_ms = 2000,
                             .text = STR("rollout"),
                             .tags = STR("[\"deploy\",\"api\"]"),
                             .login = STR("ann")};
    CHECK_OK(annotation_put(db, &row, &id, &info));
    struct annotation_find f = {.from_ms = 1500, .to_ms = 1600, .tags = tags, .tag_count = 1, .limit = 10};
    CHECK_OK(annotation_search(db, &f, &a, &rows, &n, &info));
    CHECK_EQ(n, 1);
    CHECK_STR(rows[0].text, "rollout");
    f.tag_count = 2;
    CHECK_OK(annotation_search(db, &f, &a, &rows, &n, &info));
    CHECK_EQ(n, 0);
    f.match_any = true;
    CHECK_OK(annotation_search(db, &f, &a, &rows, &n, &info));
    CHECK_EQ(n, 1);
    f.from_ms = 2001;
    f.to_ms = 0;
    CHECK_OK(annotation_search(db, &f, &a, &rows, &n, &info));
    CHECK_EQ(n, 0);
    row.time_end_ms = 0;
    CHECK_EQ(annotation_put(db, &row, &id, &info), ERR_INVALID);
    CHECK_OK(annotation_delete(db, id, &info));
    CHECK_EQ(annotation_delete(db, id, &info), ERR_NOT_FOUND);
    db_close(db);
}
