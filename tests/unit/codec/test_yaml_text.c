/* Strings as Go's YAML writes them; each pair was written by Prometheus. */
#include "codec/yaml_text.h"
#include "harness.h"

TEST(a_string_is_quoted_when_it_would_be_read_as_something_else)
{
    static const struct {
        const char *text, *written;
    } rows[] = {
        {"plain", "plain"},
        {"", "\"\""},
        {"y", "\"y\""},
        {"Off", "\"Off\""},
        {"null", "\"null\""},
        {"1", "\"1\""},
        {"089", "\"089\""},
        {"0x1F", "\"0x1F\""},
        {"1_000", "\"1_000\""},
        {"1.5", "\"1.5\""},
        {"1.", "\"1.\""},
        {"1e3", "\"1e3\""},
        {"1:30", "\"1:30\""},
        {"127.0.0.1:9090", "127.0.0.1:9090"},
        {"2020-01-02", "\"2020-01-02\""},
        {"15s", "15s"},
        {"a: b", "'a: b'"},
        {"a:b", "a:b"},
        {"a:", "'a:'"},
        {"#a", "'#a'"},
        {"a #b", "'a #b'"},
        {"- a", "'- a'"},
        {"-a", "-a"},
        {" a", "' a'"},
        {"it's", "it's"},
        {"'it's", "'''it''s'"},
        {"[::1]:2", "'[::1]:2'"},
        {"a, b", "a, b"},
        {"\"q\"", "'\"q\"'"},
        {"a\tb", "\"a\\tb\""},
        {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
        {"\xf0\x9f\x98\x80", "\"\\U0001F600\""},
        {"\x01", "\"\\x01\""},
        {"a\nb", "|-\n  a\n  b"},
        {"a\nb\n", "|\n  a\n  b"},
        {"a\n\n", "|+\n  a\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf b AUTO_BUF = {0};
        yaml_text(&b, str_c(rows[i].text), YAML_IN_BLOCK, 0, 2);
        CHECK_STR(buf_view(&b), rows[i].written);
    }
}

TEST(a_long_string_is_folded_behind_column_80)
{
    struct buf b AUTO_BUF = {0};
    yaml_text(&b,
              STR("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"),
              YAML_IN_BLOCK, 10, 4);
    CHECK_STR(buf_view(&b), "one two three four five six seven eight nine ten eleven twelve thirteen\n"
                            "    fourteen fifteen");
    buf_reset(&b);
    yaml_text(&b, STR("a, b"), YAML_IN_FLOW, 0, 0);
    CHECK_STR(buf_view(&b), "'a, b'");
}

TEST(keys_are_sorted_with_numbers_by_value)
{
    CHECK(yaml_key_cmp(STR("b9"), STR("b10")) < 0);
    CHECK(yaml_key_cmp(STR("a"), STR("b")) < 0);
    CHECK(yaml_key_cmp(STR("a1"), STR("aa")) < 0);
    CHECK(yaml_key_cmp(STR("a"), STR("ab")) < 0);
    CHECK(yaml_key_cmp(STR("X-One"), STR("X-Two")) < 0);
    CHECK_EQ(yaml_key_cmp(STR("same"), STR("same")), 0);
}
