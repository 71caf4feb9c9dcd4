/* Stages that decide: match, drop, limit, sampling, multiline, and those that rewrite. */
#include <stdio.h>

#include "harness.h"
#include "stage_run.h"

TEST(match_runs_inner_stages_for_what_it_selects)
{
    const char *yaml = "- match:\n    selector: '{app=\"loki\"} |~ \"err(or)?\"'\n    stages:\n"
                       "    - regex: {expression: '(?P<n>\\d+)'}\n    - labels: {n: }\n"
                       "- static_labels: {after: yes}\n";
    CHECK_STR(stage_run_once(yaml, "app=loki", "error 42"),
              "{after=\"yes\", app=\"loki\", n=\"42\"} error 42\n");
    CHECK_STR(stage_run_once(yaml, "app=loki", "fine 42"), "{after=\"yes\", app=\"loki\"} fine 42\n");
    CHECK_STR(stage_run_once(yaml, "app=poki", "error 42"), "{after=\"yes\", app=\"poki\"} error 42\n");
}

TEST(match_selectors)
{
    static const struct {
        const char *selector, *labels, *line;
        bool dropped;
    } rows[] = {
        {"{foo=\"bar\"} |= \"foo\"", "foo=bar", "foo", true},
        {"{foo=\"bar\"} |~ \"foo\"", "foo=bar", "foo", true},
        {"{foo=\"bar\"} |= \"bar\"", "foo=bar", "foo", false},
        {"{foo=\"bar\"} |~ \"bar\"", "foo=bar", "foo", false},
        {"{foo=\"bar\"} != \"bar\"", "foo=bar", "foo", true},
        {"{foo=\"bar\"} !~ \"bar\"", "foo=bar", "foo", true},
        {"{foo=\"bar\"} != \"foo\"", "foo=bar", "foo", false},
        {"{foo!=\"bar\"}", "bar=foo", "foo", true},
        {"{foo=\"bar\",bar!=\"test\"}", "foo=bar", "foo", true},
        {"{foo=\"bar\",bar!=\"test\"}", "foo=bar,bar=test", "foo", false},
        {"{foo=\"bar\",bar=~\"te.*\"}", "foo=bar,bar=test", "foo", true},
        {"{foo=\"bar\",bar=~\"te.\"}", "foo=bar,bar=test", "foo", false},
        {"{foo=~\"bar.*\"}", "foo=barr", "foo", true},
        {"{foo=\"bar\"} |= `f\"oo` != \"x\"", "foo=bar", "f\"oo", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char yaml[256];
        (void)snprintf(yaml, sizeof(yaml), "- match: {selector: '%s', action: drop}", rows[i].selector);
        if ((stage_run_once(yaml, rows[i].labels, rows[i].line).n == 0) != rows[i].dropped) {
            test_fail(__FILE__, __LINE__, rows[i].selector);
        }
    }
}

TEST(match_is_checked_at_the_start)
{
    CHECK_STR(stage_refusal("- match: {stages: [{docker: {}}]}"),
              "1:10: selector statement required for match stage");
    CHECK_STR(stage_refusal("- match: {selector: '{a=\"b\"}'}"),
              "1:10: match stage requires at least one additional stage to be defined in `stages`");
    CHECK_STR(stage_refusal("- match: {selector: '{a=\"b\"}', action: drop, stages: [{docker: {}}]}"),
              "1:54: match stage with action 'drop' must not have `stages`");
    CHECK_STR(
        stage_refusal("- match: {selector: '{}', action: drop}"),
        "1:21: parse error at line 1, col 3: at least one label matcher is needed in the selector \"{}\"");
    CHECK_STR(
        stage_refusal("- match: {selector: '{a=\"b\"} | json', action: drop}"),
        "1:21: parse error at line 1, col 9: only the line filters |= != |~ !~ can follow in the selector "
        "\"{a=\"b\"} | json\"");
}

#define EXTRACT "- regex: {expression: '^(?P<level>\\w+) (?P<code>\\d+)'}\n"

TEST(drop_needs_all_its_conditions)
{
    CHECK_STR(stage_run_once("- drop: {longer_than: 10b}", "", "12345678901"), "");
    CHECK_STR(stage_run_once("- drop: {longer_than: 10b}", "", "1234567890"), "{} 1234567890\n");
    CHECK_STR(stage_run_once("- drop: {expression: '.*debug.*'}", "", "a debug line"), "");
    CHECK_STR(stage_run_once(EXTRACT "- drop: {source: level}", "", "info 1"), "");
    CHECK_STR(stage_run_once(EXTRACT "- drop: {source: level}", "", "-"), "{} -\n");
    CHECK_STR(stage_run_once(EXTRACT "- drop: {source: level, value: info}", "", "info 1"), "");
    CHECK_STR(stage_run_once(EXTRACT "- drop: {source: level, value: inf}", "", "info 1"), "{} info 1\n");
    CHECK_STR(
        stage_run_once(EXTRACT "- drop: {source: [level, code], expression: '^info;2..$'}", "", "info 200"),
        "");
    CHECK_STR(stage_run_once(EXTRACT "- drop: {source: [level, code], separator: '#', expression: 'o#2'}", "",
                             "info 200"),
              "");
    CHECK_STR(stage_run_once(EXTRACT "- drop: {source: [level, none], expression: 'info'}", "", "info 200"),
              "{} info 200\n");
    CHECK_STR(stage_run_once(EXTRACT "- drop: {source: level, value: info, longer_than: 20b}", "", "info 1"),
              "{} info 1\n");
}

TEST(drop_by_age_uses_the_entrys_time)
{
    const char *yaml = "- regex: {expression: '^(?P<t>\\d+)'}\n- timestamp: {source: t, format: Unix}\n"
                       "- drop: {older_than: 1h}\n";
    CHECK_STR(stage_run_once(yaml, "", "1599990000"), "");
    CHECK_STR(stage_run_once(yaml, "", "1599999000"), "{} 1599999000\n");
    CHECK_STR(stage_refusal("- drop: {}"),
              "1:9: drop stage must contain at least one of `source`, `expression`, "
              "`older_than` or `longer_than`");
    CHECK_STR(stage_refusal("- drop: {source: a, value: b, expression: c}"),
              "1:9: drop stage `value` needs `source` and cannot go with `expression`");
}

TEST(limit_drops_beyond_the_rate_and_by_label)
{
    struct stage_run r;
    CHECK(stage_run_init(&r, "- limit: {rate: 1, burst: 2, drop: true}"));
    for (int i = 0; i < 4; i++) {
        stage_run_line(&r, "", "x");
    }
    CHECK_STR(buf_view(&r.out), "{} x\n{} x\n");
    clock_fake_advance(&r.clock, NS_PER_S);
    stage_run_line(&r, "", "y");
    CHECK_STR(buf_view(&r.out), "{} x\n{} x\n{} y\n");
    CHECK_EQ(r.settled, 5); /* dropped on purpose is dealt with */
    stage_run_done(&r);
    CHECK(stage_run_init(&r, "- limit: {rate: 1, burst: 1, drop: true, by_label_name: app}"));
    stage_run_line(&r, "app=a", "x");
    stage_run_line(&r, "app=a", "x");
    stage_run_line(&r, "app=b", "x");
    stage_run_line(&r, "", "none");
    CHECK_STR(buf_view(&r.out), "{app=\"a\"} x\n{app=\"b\"} x\n{} none\n");
    stage_run_done(&r);
    CHECK_STR(stage_refusal("- limit: {rate: 1}"),
              "1:10: limit stage failed to parse rate or burst: both must be above 0");
}

TEST(sampling_lets_all_or_nothing_through_at_its_ends)
{
    CHECK_STR(stage_run_once("- sampling: {rate: 1}", "", "x"), "{} x\n");
    CHECK_STR(stage_run_once("- sampling: {rate: 0}", "", "x"), "");
    CHECK_STR(stage_refusal("- sampling: {rate: 2}"), "1:13: sampling rate must be between 0.0 and 1.0");
}

TEST(multiline_joins_by_stream_and_keeps_the_first_lines_time)
{
    struct stage_run r;
    CHECK(stage_run_init(&r, "- multiline: {firstline: '^START', max_wait_time: 3s}"));
    r.with_time = true;
    stage_run_line(&r, "f=1", "before");
    stage_run_line(&r, "f=1", "START a");
    clock_fake_advance(&r.clock, 5);
    stage_run_line(&r, "f=2", "START other");
    stage_run_line(&r, "f=1", "more");
    CHECK_EQ(r.settled, 1);
    stage_run_line(&r, "f=1", "START b");
    CHECK_STR(buf_view(&r.out),
              "@1600000000000000000 {f=\"1\"} before\n@1600000000000000000 {f=\"1\"} START a\nmore\n");
    CHECK_EQ(r.settled, 3);
    buf_reset(&r.out);
    clock_fake_advance(&r.clock, 3 * NS_PER_S);
    pipeline_tick(r.pipeline);
    CHECK_STR(buf_view(&r.out),
              "@1600000000000000005 {f=\"2\"} START other\n@1600000000000000005 {f=\"1\"} START b\n");
    CHECK_EQ(r.settled, 5);
    stage_run_done(&r);
    CHECK_EQ(r.failed, 0);
}

TEST(multiline_blocks_end_at_max_lines_and_go_on_with_old_metadata)
{
    struct stage_run r;
    CHECK(stage_run_init(&r, "- multiline: {firstline: '^START', max_lines: 2}"));
    stage_run_line(&r, "", "START");
    stage_run_line(&r, "", "1");
    stage_run_line(&r, "", "2");
    stage_run_line(&r, "", "3");
    stage_run_line(&r, "", "4");
    CHECK_STR(buf_view(&r.out), "{} START\n1\n{} 2\n3\n");
    pipeline_flush(r.pipeline);
    CHECK_STR(buf_view(&r.out), "{} START\n1\n{} 2\n3\n{} 4\n");
    CHECK_EQ(r.settled, 5);
    stage_run_done(&r);
}

TEST(pack_takes_labels_into_the_line)
{
    CHECK_STR(stage_run_once("- pack: {labels: [pod, none, app]}", "app=a<b,pod=p1,x=1", "the \"line\""),
              "{x=\"1\"} {\"app\":\"a\\u003cb\",\"pod\":\"p1\",\"_entry\":\"the \\\"line\\\"\"}\n");
}

TEST(labels_are_dropped_allowed_and_set)
{
    CHECK_STR(stage_run_once("- labeldrop: [a, c]", "a=1,b=2,c=3", "x"), "{b=\"2\"} x\n");
    CHECK_STR(stage_run_once("- labelallow: [a, c]", "a=1,b=2,c=3", "x"), "{a=\"1\", c=\"3\"} x\n");
    CHECK_STR(stage_run_once("- static_labels: {b: 9, e: ''}", "a=1,b=2", "x"), "{a=\"1\", b=\"9\"} x\n");
    CHECK_STR(stage_refusal("- labeldrop: []"), "1:14: labeldrop stage config cannot be empty");
    CHECK_STR(stage_refusal("- labels: {'a-b': c}"), "1:19: invalid label name: a-b");
}

TEST(structured_metadata_moves_labels_and_values)
{
    CHECK_STR(stage_run_once(EXTRACT "- structured_metadata: {level: , pod: , kind: pod, none: }", "pod=p",
                             "info 1"),
              "{} [kind=p] [level=info] [pod=p] info 1\n");
}

TEST(tenants_come_from_value_source_or_label)
{
    CHECK_STR(stage_run_once("- tenant: {value: team-a}", "", "x"), "{__tenant_id__=\"team-a\"} x\n");
    CHECK_STR(stage_run_once(EXTRACT "- tenant: {source: level}", "", "info 1"),
              "{__tenant_id__=\"info\"} info 1\n");
    CHECK_STR(stage_run_once(EXTRACT "- tenant: {source: none}", "", "info 1"), "{} info 1\n");
    CHECK_STR(stage_run_once("- tenant: {label: ns}", "ns=k", "x"), "{__tenant_id__=\"k\", ns=\"k\"} x\n");
    CHECK_STR(stage_refusal("- tenant: {}"), "1:11: label, source or value are required");
    CHECK_STR(stage_refusal("- tenant: {value: a, source: b}"),
              "1:11: label, source and value are mutually exclusive: set one of them");
}

TEST(colours_are_removed)
{
    CHECK_STR(stage_run_once("- decolorize: {}", "", "\x1b[0;31mred\x1b[0m \x1b]0;title\atext"),
              "{} red text\n");
}

TEST(event_log_messages_become_values)
{
    CHECK_STR(stage_run_once("- json: {expressions: {message: }}\n- eventlogmessage: {}\n"
                             "- labels: {Key_1: , Other: , message_extracted: }",
                             "",
                             "{\"message\":\"Key 1:  Value 1\\r\\nOther: a:b\\r\\nmessage: m\\r\\nplain\"}"),
              "{Key_1=\"Value 1\", Other=\"a:b\", message_extracted=\"m\"} "
              "{\"message\":\"Key 1:  Value 1\\r\\nOther: a:b\\r\\nmessage: m\\r\\nplain\"}\n");
}

TEST(output_replaces_the_line_even_by_nothing)
{
    CHECK_STR(stage_run_once("- regex: {expression: 'x(?P<o>.*)'}\n- output: {source: o}", "", "xyz"),
              "{} yz\n");
    CHECK_STR(stage_run_once("- regex: {expression: 'x(?P<o>.*)'}\n- output: {source: o}", "", "x"), "{} \n");
    CHECK_STR(stage_run_once("- output: {source: none}", "", "x"), "{} x\n");
}
