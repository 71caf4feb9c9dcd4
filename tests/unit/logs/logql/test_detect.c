/* The fields of lines, found unasked. */
#include "harness.h"
#include "logs/logql/detect.h"

static const struct label stream[] = {{STR_INIT("app"), STR_INIT("a")}};

static struct logql_detector *detector;
static const struct detected_field *fields;
static size_t count;
static enum detected_parser parser;

static enum err detect(const char *line)
{
    struct labels s = {.l = stream, .n = 1};
    enum err e = detector ? ERR_OK : logql_detector_new(NULL, &detector);
    return e ? e : logql_detect(detector, s, str_c(line), &fields, &count, &parser);
}

static void end(void)
{
    logql_detector_free(detector);
    detector = NULL;
}

TEST(json_fields_know_their_path)
{
    CHECK_OK(detect("{\"user\":{\"a b\":7},\"app\":\"x\",\"list\":[1]}"));
    CHECK_EQ(parser, DETECTED_JSON);
    CHECK_EQ(count, 2);
    CHECK_STR(fields[0].name, "app_extracted");
    CHECK_STR(fields[0].path[0], "app");
    CHECK_STR(fields[1].name, "user_a_b");
    CHECK_EQ(fields[1].path_count, 2);
    CHECK_STR(fields[1].path[1], "a b");
    end();
}

TEST(what_is_no_json_is_read_as_logfmt)
{
    CHECK_OK(detect("level=info msg=\"a b\""));
    CHECK_EQ(parser, DETECTED_LOGFMT);
    CHECK_EQ(count, 2);
    CHECK_STR(fields[1].value, "a b");
    CHECK_OK(detect("{\"broken\":"));
    CHECK_EQ(count, 0);
    end();
}

TEST(values_have_types_and_bytes_a_common_shape)
{
    static const struct {
        const char *value, *type;
    } cases[] = {{"7", "int"},       {"-1", "int"},       {"1.5", "float"},
                 {"NaN", "float"},   {"true", "boolean"}, {"5ms", "duration"},
                 {"10 MB", "bytes"}, {"plain", "string"}, {"", "string"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CHECK_STR(str_c(logql_value_type(str_c(cases[i].value))), cases[i].type);
    }
    struct buf out AUTO_BUF = {0};
    CHECK(logql_value_bytes(STR("1500 B"), &out));
    CHECK_STR(buf_view(&out), "1.5kB");
    CHECK(!logql_value_bytes(STR("1500"), &out));
    CHECK(logql_value_is_id(STR("6ba7b810-9dad-11d1-80b4-00c04fd430c8")));
    CHECK(logql_value_is_id(STR("12")));
    CHECK(!logql_value_is_id(STR("web-1")));
}
