/* What requests may say, read as the original reads it. */
#include "api/prom/exposition_format.h"
#include "api/prom/go_values.h"
#include "harness.h"

TEST(times_are_read_as_go_reads_them)
{
    static const struct {
        const char *text;
        ts_ms engine, storage;
    } good[] = {
        {"1", 1000, 1000},
        {"-1.5", -1500, -1500},
        {"1700000000.0009", 1700000000001, 1700000000001},
        {"1_000", 1000000, 1000000},
        {"0x10p0", 16000, 16000},
        {"2015-07-01T20:10:51.781Z", 1435781451781, 1435781451781},
        {"2015-07-01T20:10:51+02:00", 1435774251000, 1435774251000},
        {"NaN", -9223372036854, 0},
        {"1e300", 0, 0},
        {"0001-01-01T00:00:00Z", -6795364578871, -62135596800000},
        {"9999-12-31T23:59:59Z", -4852116232933, 253402300799000},
        {"-292273086-05-16T16:47:06Z", 6795364580679, -9223309901257974000},
    };
    static const char *const bad[] = {"",
                                      "x",
                                      "now",
                                      " 1",
                                      "1_",
                                      "_1",
                                      "2015-07-01t20:10:51z",
                                      "2015-07-01",
                                      "2015-02-30T00:00:00Z",
                                      "+292277025-08-18T07:12:54.999999999Z"};
    struct err_info info = {0};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct go_time t = {0};
        CHECK_OK(go_param_time(str_c(good[i].text), &t, &info));
        CHECK_EQ(go_time_engine_ms(t), good[i].engine);
        if (good[i].text[0] != 'N' && good[i].text[1] != 'e') {
            CHECK_EQ(go_time_storage_ms(t), good[i].storage);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct go_time t = {0};
        CHECK_EQ(go_param_time(str_c(bad[i]), &t, &info), ERR_INVALID);
    }
    CHECK_STR(str_c(info.message),
              "cannot parse \"+292277025-08-18T07:12:54.999999999Z\" to a valid timestamp");
}

TEST(an_instant_that_wraps_is_before_all_others)
{
    struct go_time nan = {0}, zero = {0}, late = {0};
    struct err_info info = {0};
    CHECK_OK(go_param_time(STR("NaN"), &nan, &info));
    CHECK_OK(go_param_time(STR("0"), &zero, &info));
    CHECK_OK(go_param_time(STR("9999-12-31T23:59:59Z"), &late, &info));
    CHECK(go_time_before(nan, zero));
    CHECK_EQ(go_time_sub(late, zero), INT64_MAX);
    CHECK_EQ(go_time_sub(zero, late), INT64_MIN);
}

TEST(durations_numbers_and_booleans)
{
    int64_t v = 0;
    bool yes = false;
    struct err_info info = {0};
    CHECK_OK(go_param_duration(STR("1h30m"), &v, &info));
    CHECK_EQ(v, 5400 * NS_PER_S);
    CHECK_OK(go_param_duration(STR("-0.5"), &v, &info));
    CHECK_EQ(v, -NS_PER_S / 2);
    CHECK_EQ(go_param_duration(STR("1e20"), &v, &info), ERR_INVALID);
    CHECK_STR(str_c(info.message), "cannot parse \"1e20\" to a valid duration. It overflows int64");
    CHECK_EQ(go_param_duration(STR("1.5m"), &v, &info), ERR_INVALID);
    CHECK_OK(go_param_int("Atoi", STR("+7"), &v, &info));
    CHECK_EQ(v, 7);
    CHECK_EQ(go_param_int("Atoi", STR("99999999999999999999"), &v, &info), ERR_INVALID);
    CHECK_STR(str_c(info.message), "strconv.Atoi: parsing \"99999999999999999999\": value out of range");
    CHECK_EQ(go_param_int("Atoi", STR("1x"), &v, &info), ERR_INVALID);
    CHECK_STR(str_c(info.message), "strconv.Atoi: parsing \"1x\": invalid syntax");
    CHECK_OK(go_param_bool(STR("T"), &yes, &info));
    CHECK(yes);
    CHECK_OK(go_param_bool(STR("False"), &yes, &info));
    CHECK(!yes);
    CHECK_EQ(go_param_bool(STR("yes"), &yes, &info), ERR_INVALID);
}

static void check_format(const char *accept, const char *want)
{
    CHECK_STR(str_c(exposition_content_type(exposition_negotiate(str_c(accept)))), want);
}

TEST(expositions_are_negotiated)
{
    check_format("", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
    check_format("text/plain;version=0.0.4;escaping=allow-utf-8",
                 "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8");
    check_format("application/openmetrics-text;version=1.0.0;escaping=values,*/*;q=0.1",
                 "text/plain; version=0.0.4; charset=utf-8; escaping=values");
    check_format(
        "text/plain;q=0.2,application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
        "encoding=delimited;q=0.7",
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; "
        "escaping=underscores");
}

TEST(names_are_escaped_four_ways)
{
    static const struct {
        enum name_escaping how;
        const char *want;
    } cases[] = {{ESCAPE_UNDERSCORES, "a_b__status"},
                 {ESCAPE_DOTS, "a__b_dot___status"},
                 {ESCAPE_VALUES, "U__a__b_2e__fc_status"},
                 {ESCAPE_NONE, "a_b.\xc3\xbcstatus"}};
    struct arena a AUTO_ARENA = {0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK_STR(exposition_name(&a, STR("a_b.\xc3\xbcstatus"), cases[i].how), cases[i].want);
        CHECK_STR(exposition_name(&a, STR("plain_total"), cases[i].how), "plain_total");
    }
}
