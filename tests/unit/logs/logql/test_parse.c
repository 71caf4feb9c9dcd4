/* What a client sees of the parser: texts of errors with their places, and trees printed back. */
#include "harness.h"
#include "logs/logql/engine.h"

static void expect_error(const char *query, const char *want)
{
    struct err_info info = {0};
    bool is_log = false;
    CHECK_EQ(logql_is_log_query(str_c(query), &is_log, &info), ERR_INVALID);
    CHECK_STR(str_c(info.message), want);
}

static void expect_format(const char *query, const char *want)
{
    struct err_info info = {0};
    struct buf b AUTO_BUF = {0};
    CHECK_OK(logql_format(str_c(query), &b, &info));
    CHECK_STR(buf_view(&b), want);
}

TEST(syntax_errors_have_places_and_expectations)
{
    static const struct {
        const char *query, *want;
    } rows[] = {
        {"", "parse error : syntax error: unexpected $end"},
        {"{a=\"b\"", "parse error at line 1, col 7: syntax error: unexpected $end, expecting } or ,"},
        {"{a!\"b\"}",
         "parse error at line 1, col 3: syntax error: unexpected IDENTIFIER, expecting = or =~ or !~ or !="},
        {"rate({a=\"b\"})", "parse error at line 1, col 13: syntax error: unexpected )"},
        {"{a=\"b\"} |= \"x\" or",
         "parse error at line 1, col 18: syntax error: unexpected $end, expecting STRING or ip"},
        {"{a=\"b\"} != 1",
         "parse error at line 1, col 12: syntax error: unexpected NUMBER, expecting STRING or ip"},
        {"{a=\"b\"} | json | unwrap x", "parse error at line 1, col 18: syntax error: unexpected unwrap"},
        {"{a=\"b", "parse error at line 1, col 4: literal not terminated"},
        {"rate({a=\"b\"}[5x])", "parse error at line 0, col 13: unknown unit \"x\" in duration \"5x\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect_error(rows[i].query, rows[i].want);
    }
}

TEST(faults_of_meaning_have_no_place)
{
    static const struct {
        const char *query, *want;
    } rows[] = {
        {"count_over_time({a=\"b\"} | unwrap x [1m])",
         "parse error : invalid aggregation count_over_time with unwrap"},
        {"sum_over_time({a=\"b\"}[1m])", "parse error : invalid aggregation sum_over_time without unwrap"},
        {"topk(rate({a=\"b\"}[1m]))", "parse error : parameter required for operation topk"},
        {"rate({a=\"b\"}[1m]) by (x)", "parse error : grouping not allowed for rate aggregation"},
        {"{a=\"b\"} + 1",
         "parse error : unexpected type for left leg of binary operation (+): *syntax.MatchersExpr"},
        {"{a=\"b\"} | regexp \"x\"",
         "parse error : invalid regexp parser: at least one named capture must be supplied"},
        {"{a=~\"(\"}", "parse error : error parsing regexp: missing closing ): `(`"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        expect_error(rows[i].query, rows[i].want);
    }
}

TEST(queries_are_printed_back)
{
    expect_format("{a=\"b\"}|=\"x\" or \"y\"|json|x>5m and y=1",
                  "{a=\"b\"} |= \"x\" or \"y\" | json | ( x>5m0s , y==1 )");
    expect_format("sum by(a)(rate({a=\"b\"}[5m]))/on(x)group_left(z) vector(1)",
                  "(sum by (a)(rate({a=\"b\"}[5m])) / on (x) group_left (z) vector(1.000000))");
    expect_format(
        "sum(rate({job=\"a long name of a job\", instance=\"one of the instances\"} |= "
        "\"something rare\" | logfmt [5m]))",
        "sum(\n  rate({job=\"a long name of a job\", instance=\"one of the instances\"} |= \"something "
        "rare\" | logfmt[5m])\n)");
}

TEST(functions_are_label_names_too)
{
    expect_format("{rate=\"a\", sum=\"b\", bytes=\"c\"}", "{rate=\"a\", sum=\"b\", bytes=\"c\"}");
    expect_error("{json=\"x\"}",
                 "parse error at line 1, col 2: syntax error: unexpected json, expecting IDENTIFIER or }");
}

TEST(deep_nesting_is_refused)
{
    struct buf b AUTO_BUF = {0};
    struct err_info info = {0};
    bool is_log;
    for (int i = 0; i < 100000; i++) {
        buf_char(&b, '(');
    }
    CHECK_EQ(logql_is_log_query(buf_view(&b), &is_log, &info), ERR_INVALID);
}
