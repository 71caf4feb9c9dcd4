/* The metrics stage and its exposition. */
#include "harness.h"
#include "stage_run.h"

static struct str exposition(struct stage_run *r, bool openmetrics)
{
    buf_reset(&r->out);
    custom_metrics_write(r->metrics.custom, openmetrics, clock_mono_ns(&r->clock), &r->out);
    return buf_view(&r->out);
}

TEST(counters_gauges_and_histograms_by_stream)
{
    struct stage_run r;
    CHECK(stage_run_init(
        &r, "- json: {expressions: {app: , t: took}}\n"
            "- metrics:\n"
            "    lines_total: {type: Counter, description: all, config: {match_all: true, action: inc}}\n"
            "    bytes: {type: counter, prefix: my_, config: {match_all: true, count_entry_bytes: true, "
            "action: add}}\n"
            "    loki: {type: counter, source: app, config: {value: loki, action: inc}}\n"
            "    took: {type: gauge, source: t, config: {action: set}}\n"
            "    lat: {type: histogram, source: t, config: {buckets: [1, 2.5]}}\n"));
    stage_run_line(&r, "__i=0,f=1", "{\"app\":\"loki\",\"took\":2}");
    stage_run_line(&r, "f=1", "{\"app\":\"other\",\"took\":\"1500ms\"}");
    CHECK_STR(
        exposition(&r, false),
        "# HELP promtail_custom_lines_total all\n# TYPE promtail_custom_lines_total counter\n"
        "promtail_custom_lines_total{f=\"1\"} 2\n"
        "# HELP my_bytes \n# TYPE my_bytes counter\nmy_bytes{f=\"1\"} 54\n"
        "# HELP promtail_custom_loki \n# TYPE promtail_custom_loki counter\npromtail_custom_loki{f=\"1\"} 1\n"
        "# HELP promtail_custom_took \n# TYPE promtail_custom_took gauge\npromtail_custom_took{f=\"1\"} 1.5\n"
        "# HELP promtail_custom_lat \n# TYPE promtail_custom_lat histogram\n"
        "promtail_custom_lat_bucket{f=\"1\",le=\"1\"} 0\npromtail_custom_lat_bucket{f=\"1\",le=\"2.5\"} 2\n"
        "promtail_custom_lat_bucket{f=\"1\",le=\"+Inf\"} 2\npromtail_custom_lat_sum{f=\"1\"} 3.5\n"
        "promtail_custom_lat_count{f=\"1\"} 2\n");
    stage_run_done(&r);
}

TEST(a_series_that_is_idle_is_shown_once_more_and_forgotten)
{
    struct stage_run r;
    CHECK(stage_run_init(
        &r,
        "- metrics: {n: {type: counter, max_idle_duration: 10s, config: {match_all: true, action: inc}}}"));
    stage_run_line(&r, "", "x");
    clock_fake_advance(&r.clock, 11 * NS_PER_S);
    CHECK(exposition(&r, true).n > 0);
    CHECK_EQ(exposition(&r, true).n, 0);
    stage_run_done(&r);
}

TEST(metrics_are_checked_at_the_start)
{
    CHECK_STR(stage_refusal("- metrics: {a: {type: Foo}}"),
              "1:23: metric type must be counter, gauge or histogram, not \"Foo\"");
    CHECK_STR(stage_refusal("- metrics: {a: {type: Counter, config: {action: set}}}"),
              "1:49: the action of a counter must be inc or add");
    CHECK_STR(stage_refusal("- metrics: {a: {type: Gauge, config: {}}}"),
              "1:16: the action of a gauge must be set, inc, dec, add or sub");
    CHECK_STR(stage_refusal("- metrics: {a: {type: Gauge, max_idle_duration: 10ms, config: {action: inc}}}"),
              "1:49: max_idle_duration must be at least 1s");
    CHECK_STR(
        stage_refusal("- metrics: {a: {type: counter, config: {match_all: true, value: x, action: inc}}}"),
        "1:16: `match_all` cannot be combined with `value`, please remove `match_all` or `value`");
}
