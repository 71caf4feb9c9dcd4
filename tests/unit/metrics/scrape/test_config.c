/* prometheus.yml: what is taken, and what a person is told about what is not. */
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"
#include "metrics/scrape/config.h"

static struct prom_config *parse(const char *text)
{
    struct prom_config *c = NULL;
    struct err_info info = {0};
    enum err e = prom_config_parse(str_c(text), "p.yml", &c, &info);
    if (e) {
        test_fail_str(__FILE__, __LINE__, "prom_config_parse", str_c(info.message), STR("no error"));
    }
    return c;
}

TEST(an_empty_file_is_all_defaults)
{
    struct prom_config *c = parse("");
    CHECK(c);
    CHECK_EQ(c->global.interval_ms, 60000);
    CHECK_EQ(c->global.timeout_ms, 10000);
    CHECK_EQ(c->evaluation_interval_ms, 60000);
    CHECK_EQ(c->job_count, 0);
    prom_config_unref(c);
}

TEST(a_job_inherits_from_global)
{
    struct prom_config *c =
        parse("global: {scrape_interval: 5s, sample_limit: 7, scrape_protocols: [PrometheusText0.0.4]}\n"
              "scrape_configs:\n"
              "- job_name: a\n"
              "- {job_name: b, scrape_interval: 1s, sample_limit: 3, honor_timestamps: false}\n");
    CHECK(c);
    CHECK_EQ(c->job_count, 2);
    const struct scrape_job *a = &c->jobs[0], *b = &c->jobs[1];
    CHECK_EQ(a->d.interval_ms, 5000);
    CHECK_EQ(a->d.timeout_ms, 5000);
    CHECK_EQ(a->d.limits.samples, 7);
    CHECK_EQ(a->d.protocols.n, 1);
    CHECK(a->honor_timestamps && a->compression && !a->honor_labels);
    CHECK_STR(a->metrics_path, "/metrics");
    CHECK_EQ(b->d.interval_ms, 1000);
    CHECK_EQ(b->d.timeout_ms, 1000);
    CHECK_EQ(b->d.limits.samples, 3);
    CHECK(!b->honor_timestamps);
    prom_config_unref(c);
}

TEST(wrong_files_are_refused_with_place_and_reason)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"scrape_config: []",
         "p.yml:1:1: field scrape_config not found in the configuration (did you mean \"scrape_configs\"?)"},
        {"global: {scrape_intervall: 1s}",
         "p.yml:1:10: field scrape_intervall not found in global (did you mean \"scrape_interval\"?)"},
        {"global: {scrape_interval: 1.5s}", "p.yml:1:27: scrape_interval: \"1.5s\" is no duration"},
        {"global: {scrape_interval: 5s, scrape_timeout: 6s}",
         "global scrape timeout greater than scrape interval"},
        {"scrape_configs:\n- ", "p.yml:2:2: empty or null section in scrape_configs"},
        {"scrape_configs:\n- scheme: http", "p.yml:2:3: job_name is empty"},
        {"scrape_configs: [{job_name: a}, {job_name: a}]",
         "found multiple scrape configs with job name \"a\""},
        {"scrape_configs: [{job_name: a, scheme: ftp}]", "unsupported scheme \"ftp\""},
        {"scrape_configs: [{job_name: a, scrape_timeout: 2m}]",
         "scrape timeout greater than scrape interval for scrape config with job name \"a\""},
        {"scrape_configs: [{job_name: a, static_configs: [{tarets: [x]}]}]",
         "field tarets not found in target group (did you mean \"targets\"?)"},
        {"scrape_configs: [{job_name: a, static_configs: [{targets: ['http://x']}]}]",
         "\"http://x\" is not a valid hostname"},
        {"scrape_configs: [{job_name: a, scrape_protocols: []}]", "scrape_protocols cannot be empty"},
        {"scrape_configs: [{job_name: a, scrape_protocols: [PrometheusText1.0]}]",
         "unknown scrape protocol \"PrometheusText1.0\" (did you mean \"PrometheusText1.0.0\"?)"},
        {"scrape_configs: [{job_name: a, scrape_protocols: [PrometheusProto, PrometheusProto]}]",
         "duplicated protocol"},
        {"scrape_configs: [{job_name: a, relabel_configs: [{action: hashmod, target_label: x}]}]",
         "hashmod requires non-zero modulus"},
        {"scrape_configs: [{job_name: a, relabel_configs: [{regex: '('}]}]", "relabel"},
        {"scrape_configs: [{job_name: a, basic_auth: {user: x}}]", "field user not found in basic_auth"},
        {"scrape_configs: [{job_name: a, file_sd_configs: [{files: [x.txt]}]}]",
         "path name \"x.txt\" is not valid for file discovery"},
        {"scrape_configs: [{job_name: a, http_sd_configs: [{url: 'ftp://x'}]}]",
         "URL scheme must be 'http' or 'https'"},
        {"scrape_configs: [{job_name: a}]\nscrape_configs: []", "p.yml:2:1"},
        {"rule_files: ['a*/b.yml']", "invalid rule file path \"a*/b.yml\""},
        {"global: {metric_name_validation_scheme: legacy, metric_name_escaping_scheme: allow-utf-8}",
         "utf8 metric names requested"},
        {"scrape_configs: [{job_name: a, relabel_configs: [{action: labeldrop, regex: x, target_label: y}]}]",
         "labeldrop action requires only 'regex', and no other fields"},
        {"scrape_configs: [{job_name: a, relabel_configs: [{action: lowercase, target_label: y, replacement: "
         "z}]}]",
         "'replacement' can not be set for lowercase action"},
        {"scrape_configs: [{job_name: a, body_size_limit: 100}]", "units: unknown unit"},
        {"remote_write: [{url: 'http://x', queue_config: {min_shards: 9, max_shards: 3}}]",
         "remote write queue min_shards must not be greater than max_shards"},
        {"otlp: {ignore_resource_attributes: [a]}", "cannot be configured unless"},
        {"storage: {tsdb: {chunk_encoding: {floats: XOR}}}", "must be 'xor' or 'xor2'"},
        {"remote_write: [{name: x}]", "url for remote_write is empty"},
        {"remote_write: [{url: 'http://x', headers: {Authorization: y}}]",
         "authorization header must be changed"},
        {"remote_write: [{url: 'http://x', queue_config: {max_shard: 1}}]",
         "field max_shard not found in queue_config (did you mean \"max_shards\"?)"},
        {"alerting: {alertmanagers: [{api_version: v1}]}",
         "expected Alertmanager api version to be one of [v2] but got v1"},
        {"tracing: {insecure: true}", "tracing endpoint must be set"},
        {"storage: {tsdb: {retention: {percentage: 101}}}", "percentage must be between 0 and 100"},
        {"otlp: {translation_strategy: Other}", "unsupported otlp translation strategy \"Other\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct prom_config *c = NULL;
        struct err_info info = {0};
        char text[1024];
        enum err e = prom_config_parse(str_c(cases[i].text), "p.yml", &c, &info);
        (void)err_render(&info, text, sizeof(text));
        if (e != ERR_INVALID || str_find(str_c(text), str_c(cases[i].want), 0) == STR_NPOS) {
            test_fail_str(__FILE__, __LINE__, cases[i].text, str_c(text), str_c(cases[i].want));
            prom_config_unref(e ? NULL : c);
            return;
        }
    }
}

TEST(an_unchanged_job_is_recognised_and_a_changed_one_too)
{
    const char *base = "scrape_configs: [{job_name: a, static_configs: [{targets: [x]}]}]";
    struct prom_config
        *one = parse(base),
        *same = parse("scrape_configs:\n- job_name: a\n  static_configs:\n  - targets:\n    - x\n"),
        *timing =
            parse("scrape_configs: [{job_name: a, scrape_interval: 5s, static_configs: [{targets: [x]}]}]"),
        *labels =
            parse("scrape_configs: [{job_name: a, honor_labels: true, static_configs: [{targets: [x]}]}]"),
        *global = parse("global: {scrape_interval: 5s}\nscrape_configs: [{job_name: a, static_configs: "
                        "[{targets: [x]}]}]");
    CHECK(one && same && timing && labels && global);
    CHECK(str_eq(one->jobs[0].identity, same->jobs[0].identity));
    CHECK(!str_eq(one->jobs[0].identity, timing->jobs[0].identity));
    CHECK(!str_eq(one->jobs[0].identity, global->jobs[0].identity));
    CHECK(str_eq(one->jobs[0].series_identity, timing->jobs[0].series_identity));
    CHECK(!str_eq(one->jobs[0].series_identity, labels->jobs[0].series_identity));
    prom_config_unref(one);
    prom_config_unref(same);
    prom_config_unref(timing);
    prom_config_unref(labels);
    prom_config_unref(global);
}

/* What Prometheus 3.14 shows of the same file. */
TEST(the_configuration_is_shown_with_its_defaults)
{
    const struct prom_config_flags flags = {.retention_ms = INT64_C(15) * 86400 * 1000};
    struct prom_config *c = parse("scrape_configs:\n- job_name: a\n  scrape_interval: 120s\n"
                                  "  static_configs: [{targets: ['h:1'], labels: {z: '1', a: 'b: c'}}]\n"
                                  "  relabel_configs: [{source_labels: [x, 'y z'], action: KEEP}]\n");
    struct buf b AUTO_BUF = {0};
    CHECK(c);
    prom_config_print(&b, c, &flags, NULL);
    CHECK_STR(buf_view(&b), "global:\n"
                            "  scrape_interval: 1m\n"
                            "  scrape_timeout: 10s\n"
                            "  evaluation_interval: 1m\n"
                            "  metric_name_validation_scheme: utf8\n"
                            "  metric_name_escaping_scheme: allow-utf-8\n"
                            "  scrape_native_histograms: false\n"
                            "  extra_scrape_metrics: false\n"
                            "runtime:\n"
                            "  gogc: 75\n"
                            "scrape_configs:\n"
                            "- job_name: a\n"
                            "  honor_timestamps: true\n"
                            "  track_timestamps_staleness: false\n"
                            "  scrape_interval: 2m\n"
                            "  scrape_timeout: 10s\n"
                            "  scrape_protocols:\n"
                            "  - OpenMetricsText1.0.0\n"
                            "  - OpenMetricsText0.0.1\n"
                            "  - PrometheusText1.0.0\n"
                            "  - PrometheusText0.0.4\n"
                            "  scrape_native_histograms: false\n"
                            "  always_scrape_classic_histograms: false\n"
                            "  convert_classic_histograms_to_nhcb: false\n"
                            "  metrics_path: /metrics\n"
                            "  scheme: http\n"
                            "  enable_compression: true\n"
                            "  metric_name_validation_scheme: utf8\n"
                            "  metric_name_escaping_scheme: allow-utf-8\n"
                            "  extra_scrape_metrics: false\n"
                            "  follow_redirects: true\n"
                            "  enable_http2: true\n"
                            "  relabel_configs:\n"
                            "  - source_labels: [x, y z]\n"
                            "    separator: ;\n"
                            "    replacement: $1\n"
                            "    action: keep\n"
                            "  static_configs:\n"
                            "  - targets:\n"
                            "    - h:1\n"
                            "    labels:\n"
                            "      a: 'b: c'\n"
                            "      z: \"1\"\n"
                            "storage:\n"
                            "  tsdb:\n"
                            "    outofordertimewindow: 0\n"
                            "    retention:\n"
                            "      time: 15d\n"
                            "otlp:\n"
                            "  translation_strategy: UnderscoreEscapingWithSuffixes\n"
                            "  label_name_underscore_sanitization: true\n"
                            "  label_name_preserve_multiple_underscores: true\n");
    prom_config_unref(c);
}

TEST(printing_hides_secrets)
{
    struct prom_config *c =
        parse("scrape_configs:\n- job_name: a\n  basic_auth: {username: u, password: hush}\n"
              "remote_write:\n- url: http://u:hush@x/y\n  bearer_token: hush\n");
    struct buf b AUTO_BUF = {0};
    CHECK(c);
    prom_config_print(&b, c, NULL, NULL);
    prom_config_unref(c);
    CHECK(str_find(buf_view(&b), STR("hush"), 0) == STR_NPOS);
    CHECK(str_find(buf_view(&b), STR("    username: u\n    password: <secret>\n"), 0) != STR_NPOS);
    CHECK(str_find(buf_view(&b), STR("- url: http://u:xxxxx@x/y\n"), 0) != STR_NPOS);
    CHECK(str_find(buf_view(&b), STR("    type: Bearer\n    credentials: <secret>\n"), 0) != STR_NPOS);
}

TEST(external_labels_are_expanded_from_the_environment)
{
    CHECK(setenv("CAIRN_TEST_REGION", "eu", 1) == 0);
    struct prom_config *c =
        parse("global: {external_labels: {r: 'x-${CAIRN_TEST_REGION}-$CAIRN_TEST_REGION', d: '$$5', n: "
              "'$CAIRN_TEST_NONE'}}");
    CHECK(c);
    CHECK_STR(labels_get(c->external_labels, STR("r")), "x-eu-eu");
    CHECK_STR(labels_get(c->external_labels, STR("d")), "$5");
    CHECK_STR(labels_get(c->external_labels, STR("n")), "");
    prom_config_unref(c);
}

TEST(what_does_nothing_yet_is_listed_once)
{
    struct prom_config *c =
        parse("scrape_configs: [{job_name: a, ec2_sd_configs: [{}]}, {job_name: b, ec2_sd_configs: [{}]}]");
    CHECK(c);
    CHECK_EQ(c->unused_count, 1);
    CHECK_STR(str_c(c->unused[0]), "scrape_configs: ec2_sd_configs");
    prom_config_unref(c);
}

static bool write_file(const char *dir, const char *name, const char *text, char *path, size_t size)
{
    (void)snprintf(path, size, "%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    bool ok = f && fputs(text, f) >= 0;
    return f && fclose(f) == 0 && ok;
}

TEST(scrape_config_files_are_read_and_share_the_names)
{
    char main_file[512], more[512], text[1024];
    const char *dir = test_dir();
    struct prom_config *c = NULL;
    struct err_info info = {0};
    CHECK(write_file(dir, "more-1.yml", "scrape_configs: [{job_name: b}]", more, sizeof(more)));
    CHECK(write_file(dir, "main.yml", "scrape_config_files: ['more-*.yml']\nscrape_configs: [{job_name: a}]",
                     main_file, sizeof(main_file)));
    CHECK_OK(prom_config_load(main_file, &c, &info));
    CHECK_EQ(c->job_count, 2);
    CHECK_STR(c->jobs[1].name, "b");
    prom_config_unref(c);
    CHECK(write_file(dir, "more-1.yml", "scrape_configs: [{job_name: a}]", more, sizeof(more)));
    CHECK_EQ(prom_config_load(main_file, &c, &info), ERR_INVALID);
    CHECK(str_find(str_c(err_render(&info, text, sizeof(text))), STR("more-1.yml:1:29: found multiple"), 0) !=
          STR_NPOS);
    CHECK_EQ(prom_config_load("/nowhere/p.yml", &c, &info), ERR_NOT_FOUND);
}

static enum err parse_once(void *ctx)
{
    struct prom_config *c = NULL;
    enum err e = prom_config_parse(str_c(ctx), "p.yml", &c, NULL);
    if (!e) {
        prom_config_unref(c);
    }
    return e;
}

TEST(memory_may_be_short_at_any_place)
{
    char text[] =
        "global: {external_labels: {a: b}}\nrule_files: [x.yml]\n"
        "scrape_configs: [{job_name: a, params: {x: [y]}, static_configs: [{targets: [x], labels: {l: m}}], "
        "relabel_configs: [{regex: x, target_label: y}], basic_auth: {username: u}}]\n"
        "alerting: {alertmanagers: [{static_configs: [{targets: [y]}]}]}\nremote_write: [{url: 'http://x'}]";
    test_fail_each(FAULT_ALLOC, parse_once, text);
}

TEST(dns_discovery_needs_names_and_a_port)
{
    static const struct {
        const char *text, *want;
    } cases[] = {{"[{names: [x], type: A}]", "a port is required"},
                 {"[{names: [x], type: TXT, port: 1}]", "invalid DNS-SD records type TXT"},
                 {"[{type: SRV}]", "must contain at least one SRV record name"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a AUTO_ARENA = {0};
        struct prom_config *c = NULL;
        struct err_info info = {0};
        struct str yaml =
            arena_printf(&a, "scrape_configs: [{job_name: a, dns_sd_configs: %s}]", cases[i].text);
        CHECK_EQ(prom_config_parse(yaml, "p.yml", &c, &info), ERR_INVALID);
        CHECK(str_find(str_c(info.message), str_c(cases[i].want), 0) != STR_NPOS);
    }
}
