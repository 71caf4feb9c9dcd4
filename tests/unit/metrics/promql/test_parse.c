/* Parse errors word for word with their places, and expressions printed back. */
#include <string.h>

#include "harness.h"
#include "metrics/promql/engine.h"

static const struct promql_options all = {
    .experimental = true, .extended_ranges = true, .fill_modifiers = true};

static void check_error(const char *query, const char *want)
{
    struct err_info info = {0};
    CHECK_EQ(promql_check(&all, str_c(query), &info), ERR_INVALID);
    CHECK_STR(str_c(info.message), want);
}

TEST(errors_name_place_and_context)
{
    static const struct {
        const char *query, *error;
    } cases[] = {
        {"", "unknown position: parse error: no expression found in input"},
        {" ", "1:1: parse error: no expression found in input"},
        {"1 +", "1:4: parse error: unexpected end of input"},
        {"foo bar", "1:5: parse error: unexpected identifier \"bar\""},
        {"sum(foo", "1:8: parse error: unclosed left parenthesis"},
        {"sum(foo bar)", "1:9: parse error: unexpected identifier \"bar\" in aggregation"},
        {"sum by foo (bar)",
         "1:8: parse error: unexpected identifier \"foo\" in grouping opts, expected \"(\""},
        {"sum by (a b) (c)",
         "1:11: parse error: unexpected identifier \"b\" in grouping opts, expected \",\" or \")\""},
        {"foo{a}", "1:6: parse error: unexpected \"}\" in label matching, expected label matching operator"},
        {"foo{a=b}", "1:7: parse error: unexpected identifier \"b\" in label matching, expected string"},
        {"foo{a=\"b\" c=\"d\"}",
         "1:11: parse error: unexpected identifier \"c\" in label matching, expected \",\" or \"}\""},
        {"foo[5m", "1:7: parse error: unclosed left bracket"},
        {"foo[]",
         "1:5: parse error: unexpected \"]\" in subquery or range selector, expected number, duration, "
         "step(), or range()"},
        {"foo[0m]", "1:5: parse error: duration must be greater than 0"},
        {"foo offset",
         "1:11: parse error: unexpected end of input in offset, expected number, duration, step(), or "
         "range()"},
        {"foo @ bar", "1:7: parse error: unexpected identifier \"bar\" in @, expected timestamp"},
        {"rate(foo)",
         "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector"},
        {"nope(foo)", "1:1: parse error: unknown function with name \"nope\""},
        {"abs()", "1:1: parse error: expected 1 argument(s) in call to \"abs\", got 0"},
        {"1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier"},
        {"foo + bool bar", "1:5: parse error: bool modifier can only be used on comparison operators"},
        {"foo and 1", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"},
        {"foo or on(a) group_left(b) bar", "1:1: parse error: no grouping allowed for \"or\" operation"},
        {"{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"},
        {"foo{__name__=\"bar\"}", "1:1: parse error: metric name must not be set twice: \"foo\" or \"bar\""},
        {"5m3", "1:1: parse error: bad number or duration syntax: \"5m3\""},
        {"'\\x'", "1:1: parse error: illegal character U+0027 ''' in escape sequence"},
        {"foo(1,)", "1:6: parse error: trailing commas not allowed in function call args"},
        {"foo\n  $", "2:3: parse error: unexpected character: '$'"},
        {"topk(1)",
         "1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1"},
        {"foo[5m] offset 1m offset 2m", "1:1: parse error: offset may not be set multiple times"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_error(cases[i].query, cases[i].error);
        if (test_failed()) {
            return;
        }
    }
}

TEST(features_are_refused_unless_switched_on)
{
    static const struct promql_options none = {0};
    static const struct {
        const char *query, *error;
    } cases[] = {
        {"limitk(1, foo)", "1:1: parse error: limitk() is experimental and must be enabled with "
                           "--enable-feature=promql-experimental-functions"},
        {"info(foo)", "1:1: parse error: function \"info\" is not enabled"},
        {"foo[5m] anchored", "1:1: parse error: anchored modifier is experimental and not enabled"},
        {"a + fill(0) b", "1:1: parse error: binop fill modifiers are experimental and not enabled"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err_info info = {0};
        CHECK_EQ(promql_check(&none, str_c(cases[i].query), &info), ERR_INVALID);
        CHECK_STR(str_c(info.message), cases[i].error);
    }
}

TEST(expressions_print_as_the_original_prints_them)
{
    static const struct {
        const char *query, *shown;
    } cases[] = {
        {"sum by(job)(rate(x[5m]))", "sum by (job) (rate(x[5m]))"},
        {"sum(x)without(a,\"b c\")", "sum without (a, \"b c\") (x)"},
        {"x{b=\"1\",a!='2'}offset -1h", "x{a!=\"2\",b=\"1\"} offset -1h"},
        {"{\"a b\"}", "{__name__=\"a b\"}"},
        {"x[90s:]@start()", "x[1m30s:] @ start()"},
        {"a*on(x)group_left(y)b", "a * on (x) group_left (y) b"},
        {"-2^2", "-2 ^ 2"},
        {"1e3+0x10+36h", "1000 + 16 + 1d12h"},
        {"x[5m*2] smoothed @ 1.5", "x[5m * 2] smoothed @ 1.500"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf b AUTO_BUF = {0};
        struct err_info info = {0};
        CHECK_OK(promql_format(&all, str_c(cases[i].query), &b, &info));
        CHECK_STR(buf_view(&b), cases[i].shown);
    }
}

TEST(long_expressions_are_split)
{
    struct buf b AUTO_BUF = {0};
    struct err_info info = {0};
    CHECK_OK(
        promql_format(&all,
                      STR("sum by (instance) (rate(node_network_receive_bytes_total{device!=\"lo\"}[5m])) / "
                          "sum by (instance) (node_network_speed_bytes)"),
                      &b, &info));
    CHECK_STR(buf_view(&b),
              "  sum by (instance) (rate(node_network_receive_bytes_total{device!=\"lo\"}[5m]))\n"
              "/\n"
              "  sum by (instance) (node_network_speed_bytes)");
}

TEST(trees_are_shown_as_json)
{
    struct buf b AUTO_BUF = {0};
    struct err_info info = {0};
    CHECK_OK(promql_tree_json(&all, STR("-x offset 5m"), &b, &info));
    CHECK_STR(
        buf_view(&b),
        "{\"expr\":{\"anchored\":false,\"matchers\":[{\"name\":\"__name__\",\"type\":\"=\",\"value\":\"x\"}],"
        "\"name\":\"x\",\"offset\":300000,\"offsetExpr\":null,\"smoothed\":false,\"startOrEnd\":null,"
        "\"timestamp\":null,\"type\":\"vectorSelector\"},\"op\":\"-\",\"type\":\"unaryExpr\"}");
}

TEST(deep_nesting_and_long_input_end_with_an_error)
{
    struct buf b AUTO_BUF = {0};
    struct err_info info = {0};
    for (int i = 0; i < 100000; i++) {
        buf_char(&b, '(');
    }
    CHECK_EQ(promql_check(&all, buf_view(&b), &info), ERR_INVALID);
    buf_reset(&b);
    for (int i = 0; i < 100000; i++) {
        buf_c(&b, "-");
    }
    buf_c(&b, "1");
    CHECK_EQ(promql_check(&all, buf_view(&b), &info), ERR_INVALID);
    buf_reset(&b);
    for (int i = 0; i < 20000; i++) { /* a chain is as deep as it is long */
        buf_c(&b, i ? "+up" : "up");
    }
    CHECK_EQ(promql_check(&all, buf_view(&b), &info), ERR_INVALID);
    CHECK(strstr(info.message, "at most 2000 operators in a row") != NULL);
    b.n = 1900 * strlen("+up") - 1;
    CHECK_OK(promql_check(&all, buf_view(&b), &info));
}
