/* Target assembly: defaults, relabelling, what makes a target impossible. */
#include "harness.h"
#include "metrics/scrape/target.h"

static struct label one_target[] = {{STR_INIT("__address__"), STR_INIT("h:1")}};

/* Assembles the target h:1 under the job's YAML; the caller unrefs *ret_config. */
static enum err assemble(struct arena *a, const char *yaml, struct labels target, struct labels group,
                         struct target_spec *ret_spec, struct prom_config **ret_config, struct err_info *info)
{
    enum err e = prom_config_parse(str_c(yaml), "p.yml", ret_config, info);
    return e ? e : target_assemble(a, &(*ret_config)->jobs[0], target, group, ret_spec, info);
}

static struct str text_of(struct arena *a, struct labels ls)
{
    struct buf b AUTO_BUF = {0};
    labels_format(&b, ls);
    return arena_str(a, buf_view(&b));
}

TEST(a_plain_target_gets_job_instance_and_url)
{
    struct arena a AUTO_ARENA = {0};
    struct prom_config *c = NULL;
    struct target_spec s;
    struct label group[] = {{STR("env"), STR("prod")}};
    struct err_info info = {0};
    CHECK_OK(assemble(&a, "scrape_configs: [{job_name: j}]", (struct labels){one_target, 1},
                      (struct labels){group, 1}, &s, &c, &info));
    CHECK_STR(text_of(&a, s.labels), "{env=\"prod\", instance=\"h:1\", job=\"j\"}");
    CHECK_STR(s.url, "http://h:1/metrics");
    CHECK_EQ(s.interval_ms, 60000);
    CHECK_EQ(s.timeout_ms, 10000);
    CHECK_STR(labels_get(s.discovered, STR("__scrape_interval__")), "1m");
    CHECK_STR(labels_get(s.discovered, STR("__scheme__")), "http");
    prom_config_unref(c);
}

TEST(relabelling_sets_path_params_interval_and_drops)
{
    static const struct {
        const char *rules, *labels, *url;
        int64_t interval_ms;
        bool dropped;
    } cases[] = {
        {"[{target_label: __metrics_path__, replacement: /m}]", "{instance=\"h:1\", job=\"j\"}",
         "http://h:1/m?x=1&x=2", 60000, false},
        {"[{target_label: __param_x, replacement: 'a b'}]", "{instance=\"h:1\", job=\"j\"}",
         "http://h:1/metrics?x=a+b&x=2", 60000, false},
        {"[{target_label: __param_y, replacement: z}]", "{instance=\"h:1\", job=\"j\"}",
         "http://h:1/metrics?x=1&x=2&y=z", 60000, false},
        {"[{target_label: __scrape_interval__, replacement: 30s}]", "{instance=\"h:1\", job=\"j\"}",
         "http://h:1/metrics?x=1&x=2", 30000, false},
        {"[{target_label: instance, replacement: i}, {target_label: __meta_x, replacement: y}]",
         "{instance=\"i\", job=\"j\"}", "http://h:1/metrics?x=1&x=2", 60000, false},
        {"[{target_label: __address__, replacement: 'k'}]", "{instance=\"k\", job=\"j\"}",
         "http://k/metrics?x=1&x=2", 60000, false},
        {"[{source_labels: [__address__], regex: 'h:.*', action: drop}]", NULL, NULL, 0, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a AUTO_ARENA = {0};
        struct prom_config *c = NULL;
        struct target_spec s;
        struct err_info info = {0};
        struct str yaml =
            arena_printf(&a, "scrape_configs: [{job_name: j, params: {x: ['1', '2']}, relabel_configs: %s}]",
                         cases[i].rules);
        CHECK_OK(assemble(&a, yaml.p, (struct labels){one_target, 1}, (struct labels){0}, &s, &c, &info));
        CHECK_EQ(s.dropped, cases[i].dropped);
        if (!s.dropped) {
            CHECK_STR(text_of(&a, s.labels), cases[i].labels);
            CHECK_STR(s.url, cases[i].url);
            CHECK_EQ(s.interval_ms, cases[i].interval_ms);
        }
        prom_config_unref(c);
    }
}

TEST(impossible_targets_say_why)
{
    static const struct {
        const char *rules, *want;
    } cases[] = {
        {"[{action: labeldrop, regex: __address__}]", "no address"},
        {"[{target_label: __address__, replacement: a/b}]", "\"a/b\" is not a valid hostname"},
        {"[{target_label: __scrape_interval__, replacement: x}]", "error parsing __scrape_interval__ label"},
        {"[{target_label: __scrape_interval__, replacement: 0s}]", "error parsing __scrape_interval__ label"},
        {"[{target_label: __scrape_timeout__, replacement: 2m}]",
         "scrape timeout cannot be greater than scrape interval (\"2m\" > \"1m\")"},
        {"[{target_label: __scrape_native_histograms__, replacement: maybe}]", "true or false expected"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a AUTO_ARENA = {0};
        struct prom_config *c = NULL;
        struct target_spec s;
        struct err_info info = {0};
        struct str yaml =
            arena_printf(&a, "scrape_configs: [{job_name: j, relabel_configs: %s}]", cases[i].rules);
        CHECK_EQ(assemble(&a, yaml.p, (struct labels){one_target, 1}, (struct labels){0}, &s, &c, &info),
                 ERR_INVALID);
        if (str_find(str_c(info.message), str_c(cases[i].want), 0) == STR_NPOS) {
            test_fail_str(__FILE__, __LINE__, cases[i].rules, str_c(info.message), str_c(cases[i].want));
        }
        prom_config_unref(c);
    }
}

TEST(identity_is_of_labels_and_url_only)
{
    struct arena a AUTO_ARENA = {0};
    struct prom_config *c = NULL, *d = NULL, *f = NULL;
    struct target_spec s, t, u;
    struct err_info info = {0};
    struct label meta[] = {{STR("__meta_x"), STR("y")}};
    struct labels target = {one_target, 1};
    CHECK_OK(assemble(&a, "scrape_configs: [{job_name: j}]", target, (struct labels){0}, &s, &c, &info));
    CHECK_OK(assemble(&a, "scrape_configs: [{job_name: j, scrape_interval: 5s}]", target,
                      (struct labels){meta, 1}, &t, &d, &info));
    CHECK_OK(assemble(&a, "scrape_configs: [{job_name: j, metrics_path: /x}]", target, (struct labels){0}, &u,
                      &f, &info));
    CHECK(s.identity == t.identity && s.identity != u.identity);
    prom_config_unref(c);
    prom_config_unref(d);
    prom_config_unref(f);
}
