/* Queries over lines in memory: streams, labels, numbers. */
#include <math.h>

#include "harness.h"
#include "lines.h"
#include "logs/logql/engine.h"

#define SECOND INT64_C(1000000000)

static const struct label app_a[] = {{STR_INIT("app"), STR_INIT("a")}};
static const struct label app_b[] = {{STR_INIT("app"), STR_INIT("b")}};
static const struct label trace[] = {{STR_INIT("trace"), STR_INIT("t1")}};

static struct log_stream_view streams[] = {{{app_a, 1}, 1}, {{app_b, 1}, 2}};
static const struct line_row lines[] = {
    {0, 10 * SECOND, STR_INIT("level=info took=1s n=1"), {NULL, 0}},
    {0, 20 * SECOND, STR_INIT("level=error took=3s n=2"), {trace, 1}},
    {0, 30 * SECOND, STR_INIT("level=info took=broken n=4"), {NULL, 0}},
    {1, 25 * SECOND, STR_INIT("{\"level\":\"warn\",\"user\":{\"id\":7},\"tags\":[1]}"), {NULL, 0}},
    {1, 35 * SECOND, STR_INIT("not json"), {NULL, 0}},
};

struct session {
    struct lines source;
    struct line_row rows[ARRAY_LEN(lines)];
    struct arena a;
    struct err_info info;
    struct logql_result r;
};

static enum err ask(struct session *s, const char *query, struct logql_request r)
{
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct logql_options o = {0};
    memcpy(s->rows, lines, sizeof(lines));
    lines_init(&s->source, streams, ARRAY_LEN(streams), s->rows, ARRAY_LEN(lines));
    arena_done(&s->a);
    s->info = (struct err_info){0};
    r.expr = str_c(query);
    return logql_query(&o, &s->source.source, &q, &r, &s->a, &s->r, &s->info);
}

static enum err ask_logs(struct session *s, const char *query)
{
    return ask(s, query, (struct logql_request){.end_ns = 100 * SECOND, .limit = 100});
}

static enum err ask_at(struct session *s, const char *query, int64_t seconds)
{
    return ask(
        s, query,
        (struct logql_request){.instant = true, .end_ns = seconds * SECOND, .start_ns = seconds * SECOND});
}

static double value_of(const struct session *s, size_t i)
{
    return i < s->r.series_count ? s->r.series[i].values[0] : -1;
}

static void end(struct session *s)
{
    arena_done(&s->a);
}

TEST(lines_come_by_stream_with_metadata_merged)
{
    struct session s = {0};
    CHECK_OK(ask_logs(&s, "{app=\"a\"} |= \"level\""));
    CHECK_EQ(s.r.stream_count, 2); /* the one line with metadata is a stream of its own */
    CHECK_STR(labels_get(s.r.streams[0].labels, STR("trace")), "t1");
    CHECK_EQ(s.r.streams[1].entry_count, 2);
    end(&s);
}

TEST(categories_are_kept_apart_when_asked)
{
    struct session s = {0};
    CHECK_OK(ask(&s, "{app=\"a\"} | logfmt",
                 (struct logql_request){
                     .end_ns = 100 * SECOND, .limit = 2, .backward = true, .categorize_labels = true}));
    CHECK_EQ(s.r.stream_count, 1);
    CHECK_EQ(s.r.streams[0].labels.n, 1);
    CHECK_EQ(s.r.streams[0].entry_count, 2);
    CHECK_EQ(s.r.streams[0].entries[0].ts, 30 * SECOND);
    CHECK_STR(labels_get(s.r.streams[0].entries[1].metadata, STR("trace")), "t1");
    CHECK_STR(labels_get(s.r.streams[0].entries[1].parsed, STR("level")), "error");
    end(&s);
}

TEST(json_flattens_and_marks_what_is_none)
{
    struct session s = {0};
    CHECK_OK(ask_logs(&s, "{app=\"b\"} | json"));
    CHECK_EQ(s.r.stream_count, 2);
    struct labels bad = s.r.streams[0].labels, good = s.r.streams[1].labels;
    CHECK_STR(labels_get(bad, STR("__error__")), "JSONParserErr");
    CHECK_STR(labels_get(bad, STR("__error_details__")),
              "Value looks like object, but can't find closing '}' symbol");
    CHECK_STR(labels_get(good, STR("user_id")), "7");
    CHECK_EQ(labels_get(good, STR("tags")).n, 0);
    end(&s);
}

TEST(templates_format_lines_and_labels)
{
    struct session s = {0};
    CHECK_OK(ask_logs(
        &s, "{app=\"a\"} | logfmt | n=\"2\" | label_format loud=`{{ .level | upper | printf \"%-7s\" }}!` | "
            "line_format `{{.loud}} {{ add .n 40 }} {{ if eq .app \"a\" }}yes{{ else }}no{{ end }}`"));
    CHECK_EQ(s.r.stream_count, 1);
    CHECK_STR(s.r.streams[0].entries[0].line, "ERROR  ! 42 yes");
    end(&s);
}

TEST(a_failing_template_marks_the_line)
{
    struct session s = {0};
    CHECK_OK(ask_logs(&s, "{app=\"a\"} | line_format `{{ div 1 0 }}` | __error__!=\"\""));
    CHECK_STR(labels_get(s.r.streams[0].labels, STR("__error_details__")),
              "template: line:1:3: executing \"line\" at <div 1 0>: error calling div: runtime error: "
              "integer divide by "
              "zero");
    end(&s);
}

TEST(windows_are_open_on_the_left)
{
    struct session s = {0};
    CHECK_OK(ask_at(&s, "count_over_time({app=\"a\"}[10s])", 20));
    CHECK_EQ(s.r.series_count, 1);
    CHECK(value_of(&s, 0) == 1);
    CHECK_OK(ask_at(&s, "sum(rate({app=~\"a|b\"}[20s]))", 30));
    CHECK(fabs(value_of(&s, 0) - 3.0 / 20) < 1e-12);
    end(&s);
}

TEST(steps_without_lines_have_no_samples)
{
    struct session s = {0};
    CHECK_OK(
        ask(&s, "sum(count_over_time({app=\"a\"}[5s]))",
            (struct logql_request){.start_ns = 5 * SECOND, .end_ns = 30 * SECOND, .step_ns = 5 * SECOND}));
    CHECK_EQ(s.r.series_count, 1);
    CHECK_EQ(s.r.series[0].n, 3);
    CHECK_EQ(s.r.series[0].ts[1], 20000);
    end(&s);
}

TEST(an_unwrapped_value_in_error_fails_the_query_unless_filtered)
{
    struct session s = {0};
    CHECK_EQ(ask_at(&s, "sum_over_time({app=\"a\"} | logfmt | unwrap duration(took) [1m])", 40),
             ERR_EXECUTION);
    CHECK(str_starts(str_c(s.info.message), STR("pipeline error: 'SampleExtractionErr' for series: '{")));
    CHECK_OK(ask_at(
        &s, "sum(sum_over_time({app=\"a\"} | logfmt | unwrap duration(took) | __error__=\"\" [1m]))", 40));
    CHECK(value_of(&s, 0) == 4);
    end(&s);
}

TEST(operators_match_by_labels)
{
    struct session s = {0};
    CHECK_OK(ask_at(&s,
                    "sum by (app) (count_over_time({app=~\".+\"}[1m])) / ignoring(app) group_left "
                    "sum(count_over_time({app=~\".+\"}[1m]))",
                    40));
    CHECK_EQ(s.r.series_count, 2);
    CHECK(fabs(value_of(&s, 0) - 0.6) < 1e-12);
    CHECK_OK(ask_at(&s, "vector(1)+vector(1)", 40));
    CHECK(value_of(&s, 0) == 2);
    CHECK_OK(ask_at(&s, "1 / 0", 40));
    CHECK_EQ(s.r.kind, LOGQL_SCALAR);
    CHECK(isnan(s.r.scalar));
    end(&s);
}

TEST(too_many_series_are_refused)
{
    struct session s = {0};
    struct query_ctx q = {.tenant = QUERY_TENANT_DEFAULT};
    struct logql_options o = {.series_max = 1};
    CHECK_OK(ask_at(&s, "count_over_time({app=~\".+\"}[1m])", 40));
    struct logql_request r = {.instant = true,
                              .end_ns = 40 * SECOND,
                              .start_ns = 40 * SECOND,
                              .expr = STR("count_over_time({app=~\".+\"}[1m])")};
    CHECK_EQ(logql_query(&o, &s.source.source, &q, &r, &s.a, &s.r, &s.info), ERR_LIMIT);
    CHECK(str_starts(str_c(s.info.message), STR("maximum number of series (1) reached for a single query")));
    end(&s);
}

static enum err run_under_faults(void *ctx)
{
    struct session *s = ctx;
    enum err e =
        ask_logs(s, "{app=~\".+\"} | logfmt | json | label_format x=`{{.level}}` | line_format `{{.x}}`");
    if (!e) {
        e = ask_at(s, "topk(1, sum by (level) (rate({app=\"a\"} | logfmt [1m])))", 40);
    }
    end(s);
    return e;
}

TEST(any_allocation_may_fail)
{
    static struct session s;
    test_fail_each(FAULT_ALLOC, run_under_faults, &s);
}

TEST(a_bad_address_beside_another_filter_matches_nothing)
{
    struct session s = {0};
    CHECK_OK(ask_at(&s, "count_over_time({app=\"a\"} | logfmt | level=ip(`x`) and n>0 | __error__=\"\" [1m])",
                    40));
    CHECK_EQ(s.r.series_count, 0);
    CHECK_EQ(ask_logs(&s, "{app=\"a\"} | logfmt | level=ip(`x`)"), ERR_INVALID);
    end(&s);
}

TEST(an_alternative_that_says_nothing_is_left_out)
{
    struct session s = {0};
    CHECK_OK(ask_at(&s, "count_over_time({app=\"a\"} |= \"error\" or \"\" [1m])", 40));
    CHECK_EQ(value_of(&s, 0), 1);
    CHECK_OK(ask_at(&s, "count_over_time({app=\"a\"} |= \"\" or \"\" [1m])", 40));
    CHECK_EQ(s.r.series_count, 2); /* all lines: with metadata and without */
    end(&s);
}

TEST(averages_are_sums_by_counts_where_the_original_splits_the_work)
{
    struct session s = {0};
    CHECK_OK(ask_at(&s, "avg(sum_over_time({app=\"a\"} | logfmt | unwrap n [1m]) / 3)", 40));
    CHECK_EQ(s.r.series_count, 1);
    CHECK(value_of(&s, 0) > 0.777 && value_of(&s, 0) < 0.778);
    CHECK_OK(ask_at(&s, "avg_over_time({app=\"a\"} | logfmt | unwrap n [1m]) by (app)", 40));
    CHECK(value_of(&s, 0) == 7.0 / 3.0);
    end(&s);
}

TEST(labels_that_are_empty_go_when_series_are_merged)
{
    struct session s = {0};
    CHECK_OK(ask_at(&s, "count_over_time({app=\"b\"} | json none=\"x.y\" | __error__=\"\" [1m])", 40));
    CHECK(labels_get(s.r.series[0].labels, STR("none")).p != NULL);
    CHECK_OK(ask_at(&s, "count_over_time({app=\"b\"} | json none=\"x.y\" | __error__=\"\" | drop level [1m])",
                    40));
    CHECK(labels_get(s.r.series[0].labels, STR("none")).p == NULL);
    end(&s);
}
