/* Rule files: what is taken, and what a person is told about what is not. */
#include <stdio.h>

#include "harness.h"
#include "rules/rule_file.h"

static enum err load(const char *text, struct rule_set **ret_set, struct err_info *info)
{
    char path[512];
    struct str pattern;
    const struct rule_defaults d = {.interval_ms = 60000};
    (void)snprintf(path, sizeof(path), "%s/r.yml", test_dir());
    FILE *f = fopen(path, "we");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0) {
        return ERR_IO;
    }
    pattern = str_c(path);
    return rule_set_load(&pattern, 1, &d, ret_set, info);
}

TEST(groups_and_rules_are_read)
{
    struct rule_set *s = NULL;
    struct err_info info = {0};
    CHECK_OK(load("groups:\n- name: g\n  labels: {team: a, sev: low}\n  rules:\n"
                  "  - {record: 'job:x:sum', expr: sum(x)}\n"
                  "  - alert: Down\n    expr: up == 0\n    for: 5m\n    labels: {sev: page}\n    "
                  "annotations: {summary: down, 'a.b': c}\n"
                  "- {name: h, interval: 10s, limit: 3}\n",
                  &s, &info));
    CHECK_EQ(s->n, 2);
    CHECK_EQ(s->groups[0].interval_ms, 60000);
    CHECK_EQ(s->groups[0].n, 2);
    CHECK(!s->groups[0].rules[0].alert && s->groups[0].rules[1].alert);
    CHECK_EQ(s->groups[0].rules[1].for_ms, 300000);
    CHECK_STR(labels_get(s->groups[0].rules[1].labels, STR("sev")), "page");
    CHECK_STR(labels_get(s->groups[0].rules[1].labels, STR("team")), "a");
    CHECK_STR(labels_get(s->groups[0].rules[1].annotations, STR("summary")), "down");
    CHECK_EQ(s->groups[1].interval_ms, 10000);
    CHECK_EQ(s->groups[1].limit, 3);
    rule_set_unref(s);
}

TEST(wrong_files_are_refused_with_place_and_reason)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"group: []", "r.yml:1:1: field group not found in rule file (did you mean \"groups\"?)"},
        {"groups: [{name: ''}]", "Groupname must not be empty"},
        {"groups: [{name: a}, {name: a}]", "groupname: \"a\" is repeated in the same file"},
        {"groups: [{name: a, rules: [{expr: x}]}]", "one of 'record' or 'alert' must be set"},
        {"groups: [{name: a, rules: [{record: x, alert: y, expr: z}]}]",
         "only one of 'record' and 'alert' must be set"},
        {"groups: [{name: a, rules: [{record: x}]}]", "field 'expr' must be set in rule"},
        {"groups: [{name: a, rules: [{record: x, expr: 'sum('}]}]",
         "r.yml:1:46: could not parse expression: 1:5: parse error"},
        {"groups: [{name: a, rules: [{record: x, expr: y, for: 5m}]}]",
         "invalid field 'for' in recording rule"},
        {"groups: [{name: a, rules: [{record: 'x{a=\"b\"}', expr: y}]}]", "invalid recording rule name"},
        {"groups: [{name: a, rules: [{alert: x, expr: y, labels: {__name__: z}}]}]",
         "invalid label name: __name__"},
        {"groups: [{name: a, rules: [{alert: x, expr: y, annotation: {}}]}]",
         "field annotation not found in rule (did you mean \"annotations\"?)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rule_set *s = NULL;
        struct err_info info = {0};
        char text[1024];
        CHECK_EQ(load(cases[i].text, &s, &info), ERR_INVALID);
        (void)err_render(&info, text, sizeof(text));
        if (str_find(str_c(text), str_c(cases[i].want), 0) == STR_NPOS) {
            test_fail_str(__FILE__, __LINE__, cases[i].text, str_c(text), str_c(cases[i].want));
            return;
        }
    }
}
