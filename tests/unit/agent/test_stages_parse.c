/* Stages that take values out of a line: regex, json, logfmt, docker, cri. */
#include "harness.h"
#include "stage_run.h"

TEST(regex_named_groups_become_labels)
{
    const char *yaml =
        "- regex: {expression: '^(?P<ip>\\S+) (?P<id>\\S+) \\[(?P<t>[^\\]]+)\\] (?P<opt>x)?'}\n"
        "- labels: {ip: , who: id, opt: }\n";
    CHECK_STR(stage_run_once(yaml, "j=a", "11.11.11.11 frank [25/Jan/2000:14:00:01 -0500] rest"),
              "{ip=\"11.11.11.11\", j=\"a\", opt=\"\", who=\"frank\"} "
              "11.11.11.11 frank [25/Jan/2000:14:00:01 -0500] rest\n");
    CHECK_STR(stage_run_once(yaml, "j=a", "nothing"), "{j=\"a\"} nothing\n");
}

TEST(regex_reads_a_source_and_refuses_what_cannot_work)
{
    const char *yaml = "- regex: {expression: '(?P<a>\\d+)-(?<b>\\d+)'}\n"
                       "- regex: {expression: '(?P<c>\\d)$', source: b}\n"
                       "- labels: {a: , c: }\n";
    CHECK_STR(stage_run_once(yaml, "", "12-34"), "{a=\"12\", c=\"4\"} 12-34\n");
    CHECK_STR(stage_refusal("- regex: {source: x}"), "1:10: expression is required");
    CHECK_STR(stage_refusal("- regex: {expression: '(?P<ts[0-9]+).*'}"),
              "1:23: expression: could not compile regular expression: error parsing regexp: invalid named "
              "capture: `(?P<ts[0-9]+).*`");
    CHECK_STR(stage_refusal("- regex: {expression: a, source: ''}"), "1:34: empty source");
}

TEST(json_values_by_path)
{
    const char *yaml =
        "- json: {expressions: {out: message, app: , num: , dur: 'nested.duration', first: 'list[0]',\n"
        "    last: 'list[-1]', q: '\"a-b\"', alt: 'none || app', obj: nested, nil: missing}}\n"
        "- labels: {app: , num: , dur: , first: , last: , q: , alt: , obj: , nil: }\n"
        "- output: {source: out}\n";
    CHECK_STR(stage_run_once(yaml, "",
                             "{\"message\":\"this is a log line\",\"app\":\"loki\",\"num\":1.10,\"a-b\":true,"
                             "\"nested\":{\"duration\":125,\"b\":\"<\"},\"list\":[\"x\",{},\"z\"]}"),
              "{alt=\"loki\", app=\"loki\", dur=\"125\", first=\"x\", last=\"z\", num=\"1.1\", "
              "obj=\"{\\\"b\\\":\\\"\\\\u003c\\\",\\\"duration\\\":125}\", q=\"true\"} this is a log line\n");
}

TEST(json_large_integers_keep_their_digits)
{
    CHECK_STR(
        stage_run_once("- json: {expressions: {id: }}\n- labels: {id: }", "", "{\"id\":1234567890123456789}"),
        "{id=\"1234567890123456789\"} {\"id\":1234567890123456789}\n");
}

TEST(json_malformed_lines_pass_or_are_dropped)
{
    CHECK_STR(stage_run_once("- json: {expressions: {a: }}", "", "not json"), "{} not json\n");
    CHECK_STR(stage_run_once("- json: {expressions: {a: }, drop_malformed: true}", "", "not json"), "");
    CHECK_STR(stage_run_once("- json: {expressions: {a: }, drop_malformed: true}", "", "[1]"), "");
    CHECK_STR(stage_run_once("- json: {expressions: {a: }, drop_malformed: true}", "", "null"), "{} null\n");
    CHECK_STR(stage_run_once(
                  "- json: {expressions: {a: x}}\n- json: {expressions: {b: y}, source: a}\n- labels: {b: }",
                  "", "{\"x\":\"{\\\"y\\\":\\\"deep\\\"}\"}"),
              "{b=\"deep\"} {\"x\":\"{\\\"y\\\":\\\"deep\\\"}\"}\n");
}

TEST(json_expressions_are_checked_at_the_start)
{
    CHECK_STR(stage_refusal("- json: {}"), "1:9: JMES expression is required");
    CHECK_STR(stage_refusal("- json: {expressions: {a: '[*'}}"),
              "1:27: could not compile JMES expression: unterminated bracket at position 3 of \"[*\"");
    CHECK_STR(
        stage_refusal("- json: {expressions: {a: 'sum(b)'}}"),
        "1:27: could not compile JMES expression: functions are not offered; see there at position 4 of "
        "\"sum(b)\"");
}

TEST(a_missing_json_key_exists_as_null)
{
    /* drop by source alone sees the key, as Promtail does. */
    CHECK_STR(stage_run_once("- json: {expressions: {a: }}\n- drop: {source: a}", "", "{}"), "");
}

TEST(logfmt_pairs)
{
    const char *yaml = "- logfmt: {mapping: {ts: time, app: , message: msg, bare: , twice: app}}\n"
                       "- labels: {ts: , app: , message: , bare: , twice: }\n";
    CHECK_STR(
        stage_run_once(yaml, "", "time=2012-11-01T22:08:41+00:00 app=loki msg=\"a \\\"b\\\" c\" bare x=1"),
        "{app=\"loki\", bare=\"\", message=\"a \\\"b\\\" c\", ts=\"2012-11-01T22:08:41+00:00\", "
        "twice=\"loki\"} time=2012-11-01T22:08:41+00:00 app=loki msg=\"a \\\"b\\\" c\" bare x=1\n");
    CHECK_STR(stage_refusal("- logfmt: {}"), "1:11: logfmt mapping is required");
}

TEST(docker_lines)
{
    CHECK_STR(stage_run_time("- docker: {}",
                             "{\"log\":\"log message\\n\",\"stream\":\"stderr\",\"time\":\"2019-04-"
                             "30T02:12:41.8443515Z\"}"),
              "@1556590361844351500 {stream=\"stderr\"} log message\n\n");
    CHECK_STR(stage_run_once("- docker:", "", "plain"), "{} plain\n");
}

TEST(cri_lines)
{
    CHECK_STR(stage_run_time("- cri: {}", "2019-05-07T18:57:50.904275087+00:00 stderr F message"),
              "@1557255470904275087 {stream=\"stderr\"} message\n");
    CHECK_STR(stage_run_time("- cri:", "2019-05-07T18:57:55.904275087+00:00 stdout F "),
              "@1557255475904275087 {stream=\"stdout\"} \n");
    CHECK_STR(stage_run_once("- cri: {}", "", "2019 other F x"), "{} 2019 other F x\n");
}

TEST(cri_parts_become_one_line_with_the_time_of_the_last)
{
    struct stage_run r;
    CHECK(stage_run_init(&r, "- cri: {}"));
    r.with_time = true;
    stage_run_line(&r, "f=1", "2019-05-07T18:57:50.1Z stdout P one ");
    stage_run_line(&r, "f=2", "2019-05-07T18:57:50.2Z stdout P other ");
    stage_run_line(&r, "f=1", "2019-05-07T18:57:50.3Z stdout P two ");
    CHECK_EQ(r.out.n, 0);
    CHECK_EQ(r.settled, 0); /* none of them may count as delivered yet */
    stage_run_line(&r, "f=1", "2019-05-07T18:57:50.4Z stdout F three");
    CHECK_STR(buf_view(&r.out), "@1557255470400000000 {f=\"1\", stream=\"stdout\"} one two three\n");
    CHECK_EQ(r.settled, 3);
    stage_run_done(&r);
    CHECK_EQ(r.failed, 1); /* the part of the other stream, which nobody completed */
}

TEST(cri_parts_that_never_end_are_failed_so_that_they_are_read_again)
{
    struct stage_run r;
    CHECK(stage_run_init(&r, "- cri: {}"));
    stage_run_line(&r, "", "2019-05-07T18:57:50.1Z stdout P one ");
    pipeline_free(r.pipeline);
    r.pipeline = NULL;
    CHECK_EQ(r.failed, 1);
    stage_run_done(&r);
}

TEST(cri_gives_up_on_too_many_partial_lines)
{
    struct stage_run r;
    CHECK(stage_run_init(&r, "- cri: {max_partial_lines: 2}"));
    stage_run_line(&r, "f=1", "2019-05-07T18:57:50.1Z stdout P a");
    stage_run_line(&r, "f=2", "2019-05-07T18:57:50.1Z stdout P b");
    stage_run_line(&r, "f=3", "2019-05-07T18:57:50.1Z stdout P c");
    CHECK_STR(buf_view(&r.out), "{f=\"1\", stream=\"stdout\"} a\n{f=\"2\", stream=\"stdout\"} b\n");
    stage_run_done(&r);
}

TEST(cri_truncates_parts_when_told)
{
    struct stage_run r;
    CHECK(stage_run_init(&r, "- cri: {max_partial_line_size: 8b, max_partial_line_size_truncate: true}"));
    stage_run_line(&r, "", "2019-05-07T18:57:50.1Z stdout P 12345");
    stage_run_line(&r, "", "2019-05-07T18:57:50.1Z stdout F 67890");
    CHECK_STR(buf_view(&r.out), "{stream=\"stdout\"} 12345678\n");
    stage_run_done(&r);
}
