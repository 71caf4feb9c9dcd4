/* The description of the API says what is served: no more, no less. */
#include <stdio.h>

#include "api/prom/prom_call.h"
#include "codec/yaml.h"
#include "harness.h"

static bool is_lower(struct str lower, struct str upper)
{
    return lower.n == upper.n && str_ieq(lower, upper);
}

/* The operation is in the document. */
static bool described(const struct yaml_node *paths, struct str path, struct str method)
{
    for (const struct yaml_node *p = paths->child; p; p = p->next) {
        for (const struct yaml_node *m = str_eq(p->key, path) ? p->child : NULL; m; m = m->next) {
            if (is_lower(m->key, method)) {
                return true;
            }
        }
    }
    return false;
}

static bool served(struct str path, struct str method)
{
    struct prom_routes tables[PROM_TABLES];
    size_t n = prom_route_tables(tables);
    for (size_t t = 0; t < n; t++) {
        for (size_t i = 0; i < tables[t].n; i++) {
            struct str route = str_c(tables[t].rows[i].path);
            if (!str_starts(route, STR("/api/v1")) || !str_eq(str_slice(route, 7, route.n), path)) {
                continue;
            }
            for (struct str rest = str_c(tables[t].rows[i].method); rest.p;) {
                if (is_lower(method, str_cut(&rest, '|'))) {
                    return true;
                }
            }
        }
    }
    return false;
}

static const struct yaml_node *document(struct arena *a, struct buf *b)
{
    const struct yaml_node *root = NULL;
    struct err_info info = {0};
    openapi_write(b, "3.1.0", STR("1.2.3"), STR("/prefix"));
    return yaml_parse(a, buf_view(b), "openapi.yaml", &root, &info) == ERR_OK ? root : NULL;
}

TEST(every_route_is_described)
{
    struct arena a AUTO_ARENA = {0};
    struct buf b AUTO_BUF = {0};
    const struct yaml_node *root = document(&a, &b), *paths = yaml_get(root, "paths");
    struct prom_routes tables[PROM_TABLES];
    size_t n = prom_route_tables(tables);
    CHECK(paths != NULL);
    for (size_t t = 0; t < n; t++) {
        for (size_t i = 0; i < tables[t].n; i++) {
            struct str path = str_c(tables[t].rows[i].path);
            struct str rest = str_c(tables[t].rows[i].method);
            while (rest.p && str_starts(path, STR("/api/v1/")) && !str_eq_c(rest, "OPTIONS")) {
                struct str method = str_cut(&rest, '|');
                bool ok = described(paths, str_slice(path, 7, path.n), method);
                if (!ok) {
                    printf("# not described: %.*s %.*s\n", STR_FMT(method), STR_FMT(path));
                }
                CHECK(ok);
            }
        }
    }
}

TEST(every_description_is_of_a_route)
{
    struct arena a AUTO_ARENA = {0};
    struct buf b AUTO_BUF = {0};
    const struct yaml_node *root = document(&a, &b), *paths = yaml_get(root, "paths");
    size_t count = 0;
    CHECK(paths != NULL);
    for (const struct yaml_node *p = paths->child; p; p = p->next) {
        for (const struct yaml_node *m = p->child; m; m = m->next) {
            CHECK(served(p->key, m->key));
            CHECK(yaml_get(m, "operationId") && yaml_get(m, "summary") && yaml_get(m, "responses"));
            count++;
        }
    }
    CHECK(count > 40);
    CHECK_STR(yaml_get(yaml_get(root, "servers")->child, "url")->text, "/prefix/api/v1");
}

/* Each parameter has a description; one that is misspelt in a row would be left out. */
TEST(every_parameter_is_described)
{
    struct arena a AUTO_ARENA = {0};
    struct buf b AUTO_BUF = {0};
    const struct yaml_node *paths = yaml_get(document(&a, &b), "paths");
    CHECK(paths != NULL);
    const struct yaml_node *query = yaml_get(yaml_get(yaml_get(paths, "/query_range"), "get"), "parameters");
    CHECK(query != NULL);
    CHECK_EQ(query->count, 9);
    const struct yaml_node *search =
        yaml_get(yaml_get(yaml_get(paths, "/search/metric_names"), "post"), "parameters");
    CHECK_EQ(search->count, 13);
    const struct yaml_node *rules = yaml_get(yaml_get(yaml_get(paths, "/rules"), "get"), "parameters");
    CHECK_EQ(rules->count, 8);
    for (const struct yaml_node *p = query->child; p; p = p->next) {
        CHECK(yaml_get(p, "description") && yaml_get(p, "schema"));
    }
}
