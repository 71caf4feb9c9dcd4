/* Numbers, durations, sizes, instants, JSON and YAML: what people read and write. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "codec/json.h"
#include "codec/num.h"
#include "codec/units.h"
#include "codec/yaml.h"
#include "harness.h"

static struct str shown(double v, char fmt)
{
    static char text[NUM_F64_BYTES_MAX];
    return str_of(text, num_f64_format(text, v, fmt));
}

TEST(floats_print_as_go_prints_them)
{
    CHECK_STR(shown(0, 'f'), "0");
    CHECK_STR(shown(-0.0, 'f'), "-0");
    CHECK_STR(shown(1, 'f'), "1");
    CHECK_STR(shown(0.1, 'f'), "0.1");
    CHECK_STR(shown(1e21, 'f'), "1000000000000000000000");
    CHECK_STR(shown(1e21, 'g'), "1e+21");
    CHECK_STR(shown(123456789, 'g'), "1.23456789e+08");
    CHECK_STR(shown(100000.5, 'g'), "100000.5");
    CHECK_STR(shown(1e6, 'g'), "1e+06");
    CHECK_STR(shown(123456, 'g'), "123456");
    CHECK_STR(shown(1e-5, 'g'), "1e-05");
    CHECK_STR(shown(0.0001, 'g'), "0.0001");
    CHECK_STR(shown(0.30000000000000004, 'f'), "0.30000000000000004");
    CHECK_STR(shown(5e-324, 'e'), "5e-324");
    CHECK_STR(shown(1.7976931348623157e308, 'e'), "1.7976931348623157e+308");
    CHECK_STR(shown(0x1p-44, 'e'), "5.684341886080802e-14");
    CHECK_STR(shown(2.2250738585072014e-308, 'e'), "2.2250738585072014e-308");
    CHECK_STR(shown(1e23, 'e'), "1e+23");
    CHECK_STR(shown(8.41e21, 'e'), "8.41e+21");
    CHECK_STR(shown(9.5367431640625e-07, 'e'), "9.5367431640625e-07");
    CHECK_STR(shown(2.0 / 3, 'e'), "6.666666666666666e-01");
    CHECK_STR(shown(4.9406564584124654e-322, 'e'), "4.94e-322");
    CHECK_STR(shown(9007199254740992.0, 'f'), "9007199254740992");
    CHECK_STR(shown((double)NAN, 'f'), "NaN");
    CHECK_STR(shown(-(double)INFINITY, 'f'), "-Inf");
}

static uint64_t fraction_bits(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits << 12;
}

/* Whole numbers, decimals of a few places, rates, anything: no shorter text reads back, and none is nearer.
 */
TEST(floats_print_with_the_fewest_digits)
{
    struct rng r;
    rng_init(&r, test_seed());
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = rng_u64(&r);
        double places[] = {1, 10, 100, 1000, 10000, 3, 7, 1e9};
        double v = (double)(bits >> (1 + bits % 60)) / places[rng_below(&r, ARRAY_LEN(places))];
        if (i % 8 == 0) {
            memcpy(&v, &bits, sizeof(v));
        }
        if (!isfinite(v) || v == 0 || fraction_bits(v) == 0) { /* below a power of two values lie closer */
            continue;
        }
        char want[64];
        int n = 0;
        for (int digits = 0; digits < 17; digits++) {
            n = snprintf(want, sizeof(want), "%.*e", digits, v);
            if (strtod(want, NULL) == v) {
                break;
            }
        }
        CHECK_STR(shown(v, 'e'), want);
        double whole = 0;
        CHECK_OK(num_f64_parse(shown(v, 'f'), &whole));
        CHECK(whole == v && n > 0);
    }
}

TEST(floats_read_back_to_the_bit)
{
    struct rng r;
    rng_init(&r, test_seed());
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = rng_u64(&r);
        double v, back;
        memcpy(&v, &bits, sizeof(v));
        if (i % 3 == 0) {
            v = (double)(int64_t)(bits >> 20) / 1000;
        }
        if (!isfinite(v)) {
            continue;
        }
        CHECK_OK(num_f64_parse(shown(v, i & 1 ? 'e' : 'g'), &back));
        CHECK(memcmp(&v, &back, sizeof(v)) == 0);
    }
}

TEST(float_syntax_is_gos)
{
    static const char *const good[] = {"1",      "+1",   "-.5", "1.",  "1e3",      "1E-3",
                                       "0x1p-2", "+Inf", "inf", "NaN", "Infinity", "0x1.8p1"};
    static const char *const bad[] = {"",   "+",  ".",    "1e",  "1e+", "0x1",
                                      "1 ", " 1", "+nan", "1_0", "--1", "infx"};
    double v;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        CHECK_OK(num_f64_parse(str_c(good[i]), &v));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_EQ(num_f64_parse(str_c(bad[i]), &v), ERR_INVALID);
    }
    CHECK_EQ(num_f64_parse(STR("1e999"), &v), ERR_LIMIT);
}

TEST(a_number_taken_from_a_text_is_the_number_parsed)
{
    static const char *const parts[] = {"0",  "7",  "19", "00", ".", "e", "E", "-",  "+",
                                        "5e", "22", "99", "3",  ".", "x", "_", "12", "876543210987654321"};
    struct rng r;
    rng_init(&r, test_seed());
    size_t taken = 0;
    for (int i = 0; i < 200000; i++) {
        struct buf b AUTO_BUF = {0};
        for (uint64_t k = rng_below(&r, 6) + 1; k > 0; k--) {
            buf_c(&b, parts[rng_below(&r, ARRAY_LEN(parts))]);
        }
        double v = 0, want = 0;
        const char *p = b.p;
        if (num_f64_take(&p, b.p + b.n, &v)) {
            CHECK_OK(num_f64_parse(str_of(b.p, (size_t)(p - b.p)), &want));
            CHECK(memcmp(&v, &want, sizeof(v)) == 0);
            taken++;
        } else {
            CHECK(p == b.p);
        }
    }
    CHECK(taken > 20000);
}

TEST(api_numbers)
{
    struct buf b AUTO_BUF = {0};
    num_ts_api(&b, 1435781451781);
    buf_char(&b, ' ');
    num_ts_api(&b, 1000);
    buf_char(&b, ' ');
    num_ts_api(&b, -1500);
    buf_char(&b, ' ');
    num_f64_api(&b, 1e-7);
    buf_char(&b, ' ');
    num_f64_api(&b, 1e20);
    CHECK_STR(buf_view(&b), "1435781451.781 1 -1.500 1e-07 100000000000000000000");
}

TEST(durations)
{
    int64_t v;
    CHECK_OK(units_duration_parse(STR("1h30m"), &v));
    CHECK_EQ(v, 5400000);
    CHECK_OK(units_duration_parse(STR("1y2w3d4h5m6s7ms"), &v));
    CHECK_EQ(units_duration_parse(STR("30m1h"), &v), ERR_INVALID);
    CHECK_EQ(units_duration_parse(STR("1m1m"), &v), ERR_INVALID);
    CHECK_EQ(units_duration_parse(STR(""), &v), ERR_INVALID);
    CHECK_EQ(units_duration_parse(STR("1.5h"), &v), ERR_INVALID);
    CHECK_OK(units_go_duration_parse(STR("-1h15m30.918s"), &v));
    CHECK_EQ(v, -4530918000000);
    struct buf b AUTO_BUF = {0};
    units_go_duration_format(&b, 4530918000000);
    buf_char(&b, ' ');
    units_go_duration_format(&b, 120 * NS_PER_S);
    buf_char(&b, ' ');
    units_go_duration_format(&b, 1500000);
    buf_char(&b, ' ');
    units_duration_format(&b, 90 * 60000);
    buf_char(&b, ' ');
    units_duration_format(&b, INT64_C(14) * 86400000);
    CHECK_STR(buf_view(&b), "1h15m30.918s 2m0s 1.5ms 1h30m 2w");
}

TEST(sizes_and_instants)
{
    uint64_t n;
    struct buf b AUTO_BUF = {0};
    units_size_format(&b, 1610612736);
    buf_char(&b, ' ');
    units_size_format(&b, 0);
    buf_char(&b, ' ');
    units_size_format(&b, (10 << 20) + 5);
    CHECK_STR(buf_view(&b), "1GiB512MiB 0B 10MiB5B");
    CHECK_OK(units_size_parse(STR("1.5GiB"), true, &n));
    CHECK_EQ(n, 1610612736);
    CHECK_OK(units_size_parse(STR("10MB"), true, &n));
    CHECK_EQ(n, 10 << 20);
    CHECK_OK(units_size_parse(STR("10MB"), false, &n));
    CHECK_EQ(n, 10000000);
    CHECK_EQ(units_size_parse(STR("10 parsecs"), true, &n), ERR_INVALID);
    ts_ns t;
    CHECK_OK(units_rfc3339_parse(STR("2024-02-29T12:00:00.5+02:00"), &t));
    CHECK_EQ(t, 1709200800500000000);
    CHECK_EQ(units_rfc3339_parse(STR("2023-02-29T12:00:00Z"), &t), ERR_INVALID);
    ts_ms ms;
    CHECK_OK(units_prom_time_parse(STR("1435781451.781"), &ms, NULL));
    CHECK_EQ(ms, 1435781451781);
    CHECK_OK(units_loki_time_parse(STR("1435781451"), &t, NULL));
    CHECK_EQ(t, 1435781451 * NS_PER_S);
    CHECK_OK(units_loki_time_parse(STR("1435781451000000001"), &t, NULL));
    CHECK_EQ(t, 1435781451000000001);
}

TEST(json_tree_keeps_raw_text)
{
    struct arena a AUTO_ARENA = {0};
    const struct json_value *root;
    struct err_info info;
    CHECK_OK(json_parse(&a, STR(" {\"a\":[1, 2.50 ,\"x\\u00e9\\n\"],\"b\":{\"c\":null},\"a2\":true} "), &root,
                        &info));
    const struct json_value *list = json_get(root, STR("a"));
    CHECK_EQ(list->count, 3);
    CHECK_STR(list->child->next->raw, "2.50");
    CHECK_STR(list->child->next->next->string, "x\xc3\xa9\n");
    CHECK_STR(json_get(root, STR("b"))->raw, "{\"c\":null}");
    CHECK_EQ(json_parse(&a, STR("{\"a\":}"), &root, &info), ERR_INVALID);
    CHECK_EQ(json_parse(&a, STR("[1] x"), &root, &info), ERR_INVALID);
    CHECK_EQ(json_parse(&a, STR("{\"a\":01}"), &root, &info), ERR_INVALID);
}

TEST(json_writer_places_commas)
{
    struct buf b AUTO_BUF = {0};
    struct json_writer w = json_writer(&b);
    json_object_begin(&w);
    json_key(&w, "a");
    json_array_begin(&w);
    json_i64(&w, 1);
    json_str(&w, STR("q\"\x01\xff"));
    json_array_end(&w);
    json_key(&w, "b");
    json_null(&w);
    json_object_end(&w);
    CHECK_STR(buf_view(&b), "{\"a\":[1,\"q\\\"\\u0001\\ufffd\"],\"b\":null}");
}

TEST(yaml_tree_has_places_and_merges)
{
    struct arena a AUTO_ARENA = {0};
    const struct yaml_node *root;
    struct err_info info = {0};
    CHECK_OK(yaml_parse(&a, STR("base: &b {x: 1, y: two}\nlist:\n  - <<: *b\n    y: '3'\n  - ~\n"), "f.yml",
                        &root, &info));
    const struct yaml_node *first = yaml_get(root, "list")->child;
    int64_t x = 0;
    struct str y = STR("");
    CHECK_OK(yaml_i64(yaml_get(first, "x"), &x, &info));
    CHECK_OK(yaml_str(yaml_get(first, "y"), &y, &info));
    CHECK_EQ(x, 1);
    CHECK_STR(y, "3");
    CHECK_EQ(yaml_get(root, "list")->line, 3);
    CHECK(yaml_is_null(first->next));
    CHECK_EQ(yaml_i64(yaml_get(yaml_get(root, "base"), "y"), &x, &info), ERR_INVALID);
    CHECK_EQ(info.line, 1);
    CHECK_STR(str_c(info.file), "f.yml");
}

TEST(yaml_names_the_nearest_key)
{
    struct arena a AUTO_ARENA = {0};
    const struct yaml_node *root;
    struct err_info info = {0};
    static const char *const keys[] = {"targets", "labels", NULL};
    CHECK_OK(yaml_parse(&a, STR("labels: {}\ntarets: [a]\n"), "f.yml", &root, &info));
    CHECK_EQ(yaml_check_keys(root, "static_configs", keys, &info), ERR_INVALID);
    CHECK_EQ(info.line, 2);
    CHECK_STR(str_c(info.message), "field tarets not found in static_configs (did you mean \"targets\"?)");
    CHECK_EQ(yaml_parse(&a, STR("a: 1\na: 2\n"), "f.yml", &root, &info), ERR_INVALID);
    CHECK_EQ(info.line, 2);
    CHECK_EQ(yaml_parse(&a, STR("a: [1, 2\nb: 1"), "f.yml", &root, &info), ERR_INVALID);
}
