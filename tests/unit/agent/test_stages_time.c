/* The timestamp stage and Go's layouts. */
#include <stdio.h>

#include "golang/go_time.h"
#include "harness.h"
#include "stage_run.h"

static struct str parsed(const char *layout, const char *text)
{
    static char out[64];
    struct arena a AUTO_ARENA;
    const struct go_layout *l;
    struct go_time t;
    arena_init(&a, 0, NULL);
    if (go_layout_new(&a, str_c(layout), &l) || go_time_parse(l, str_c(text), NULL, &t)) {
        return STR("no");
    }
    (void)snprintf(out, sizeof(out), "%lld", (long long)go_time_ns(&t, NULL));
    return str_c(out);
}

TEST(layouts_of_the_samples)
{
    CHECK_STR(parsed("2006-01-02T15:04:05Z07:00", "2012-11-01T22:08:41+00:00"), "1351807721000000000");
    CHECK_STR(parsed("2006-01-02T15:04:05.999999999Z07:00", "2012-11-01T22:08:41.123Z"),
              "1351807721123000000");
    CHECK_STR(parsed("02/Jan/2006:15:04:05 -0700", "01/Nov/2012:18:08:41 -0400"), "1351807721000000000");
    CHECK_STR(parsed("Mon Jan _2 15:04:05 2006", "Thu Nov  1 22:08:41 2012"), "1351807721000000000");
    CHECK_STR(parsed("Monday, 02-Jan-06 15:04:05 MST", "Thursday, 01-Nov-12 22:08:41 UTC"),
              "1351807721000000000");
    CHECK_STR(parsed("2006-01-02 15:04:05", "2012-11-01 22:08:41,5"), "1351807721500000000");
    CHECK_STR(parsed("2006-01-02 15:04:05.000", "2012-11-01 22:08:41.250"), "1351807721250000000");
    CHECK_STR(parsed("1/2/06 3:04PM", "11/1/12 10:08PM"), "1351807680000000000");
    CHECK_STR(parsed("2006-002", "2012-306"), "1351728000000000000");
    CHECK_STR(parsed("Jan 2 2006 15h", "nov 1 2012 22h"), "1351807200000000000");
    CHECK_STR(parsed("2006-01-02T15:04:05-07", "2012-11-01T22:08:41+01"), "1351804121000000000");
    CHECK_STR(parsed("15:04 MST 2006-01-02", "22:08 GMT+3 2012-11-01"), "1351796880000000000");
    CHECK_STR(parsed("15:04 -0700 MST 2006-01-02", "22:08 -0300 -03 2012-11-01"), "1351818480000000000");
    CHECK_STR(parsed("15:04 MST-0700 2006-01-02", "22:08 CEST+0200 2012-11-01"), "1351800480000000000");
    CHECK_STR(parsed("15:04 MST 2006-01-02", "22:08 ABCD 2012-11-01"), "no");
}

TEST(what_does_not_fit_a_layout_is_no_time)
{
    CHECK_STR(parsed("2006-01-02", "2012-11-01 and more"), "no");
    CHECK_STR(parsed("2006-01-02", "2012-13-01"), "no");
    CHECK_STR(parsed("2006-01-02", "2011-02-29"), "no");
    CHECK_STR(parsed("2006-01-02", "2012-02-29"), "1330473600000000000");
    CHECK_STR(parsed("15:04:05", "24:00:00"), "no");
    CHECK_STR(parsed("15:04:05.000", "12:00:00.12"), "no");
    CHECK_STR(parsed("2006-01-02", ""), "no");
}

static struct str formatted(const char *layout, struct go_moment at)
{
    static char out[128];
    struct arena a AUTO_ARENA;
    struct buf b AUTO_BUF = {0};
    const struct go_layout *l;
    arena_init(&a, 0, NULL);
    if (go_layout_new(&a, str_c(layout), &l)) {
        return STR("no");
    }
    go_time_format(l, &at, &b);
    (void)snprintf(out, sizeof(out), "%.*s", STR_FMT(b));
    return str_c(out);
}

TEST(instants_are_written_as_go_writes_them)
{
    struct go_moment t = {.s = 1351807721, .ns = 123000000, .zone = "UTC"};
    CHECK_STR(formatted("2006-01-02T15:04:05.999999999Z07:00", t), "2012-11-01T22:08:41.123Z");
    CHECK_STR(formatted("Mon Jan _2 3:04:05.000 PM 06", t), "Thu Nov  1 10:08:41.123 PM 12");
    CHECK_STR(formatted("Monday January 2 002", t), "Thursday November 1 306");
    CHECK_STR(formatted("2006-01-02", (struct go_moment){.s = -1, .zone = "UTC"}), "1969-12-31");
    struct go_moment east = {.s = 1351807721, .offset_s = 7200, .zone = "CEST"}, nameless = east;
    nameless.zone = "";
    CHECK_STR(formatted("15:04:05 -07 MST", east), "00:08:41 +02 CEST");
    CHECK_STR(formatted("15:04:05 Z07:00 MST", nameless), "00:08:41 +02:00 +0200");
}

#define TIMED(format) "- regex: {expression: '^(?P<t>.*)$'}\n- timestamp: {source: t, format: " format "}\n"

TEST(numbers_and_names)
{
    CHECK_STR(stage_run_time(TIMED("Unix"), "1562708916"), "@1562708916000000000 {} 1562708916\n");
    CHECK_STR(stage_run_time(TIMED("Unix"), "1562708916.000000123"),
              "@1562708916000000123 {} 1562708916.000000123\n");
    CHECK_STR(stage_run_time(TIMED("UnixMs"), "1562708916414"), "@1562708916414000000 {} 1562708916414\n");
    CHECK_STR(stage_run_time(TIMED("UnixUs"), "1562708916414123"),
              "@1562708916414123000 {} 1562708916414123\n");
    CHECK_STR(stage_run_time(TIMED("UnixNs"), "1562708000000000123"),
              "@1562708000000000123 {} 1562708000000000123\n");
    CHECK_STR(stage_run_time(TIMED("RFC1123Z"), "Tue, 09 Jul 2019 21:48:36 +0000"),
              "@1562708916000000000 {} Tue, 09 Jul 2019 21:48:36 +0000\n");
}

TEST(unix_nanoseconds_of_a_json_number_keep_their_digits)
{
    CHECK_STR(stage_run_time("- json: {expressions: {t: }}\n- timestamp: {source: t, format: UnixNs}",
                             "{\"t\":1562708000000000123}"),
              "@1562708000000000123 {} {\"t\":1562708000000000123}\n");
}

TEST(a_location_is_for_layouts_without_zone)
{
    CHECK_STR(
        stage_run_time(TIMED("'2006-01-02 15:04:05', location: America/New_York"), "2019-07-09 17:48:36"),
        "@1562708916000000000 {} 2019-07-09 17:48:36\n");
    CHECK_STR(stage_run_time(TIMED("'2006-01-02 15:04:05', location: Europe/Berlin"), "2019-01-09 00:00:00"),
              "@1546988400000000000 {} 2019-01-09 00:00:00\n");
    CHECK_STR(stage_refusal(TIMED("'2006', location: Mars/Olympus")),
              "2:52: invalid location specified: unknown time zone Mars/Olympus");
    CHECK_STR(stage_refusal(TIMED("'2006', location: ../../../etc/passwd")),
              "2:52: invalid location: \"../../../etc/passwd\"");
}

TEST(a_missing_year_is_guessed)
{
    /* Now is 2020-09-13. */
    CHECK_STR(stage_run_time(TIMED("'Jan _2 15:04:05'"), "Jul  9 21:48:36"),
              "@1594331316000000000 {} Jul  9 21:48:36\n");
}

TEST(fallback_formats_are_tried_in_order)
{
    CHECK_STR(stage_run_time(TIMED("RFC3339, fallback_formats: [UnixDate, Unix]"), "1562708916"),
              "@1562708916000000000 {} 1562708916\n");
}

TEST(a_time_that_cannot_be_read_is_fudged_by_stream_or_skipped)
{
    struct stage_run r;
    CHECK(stage_run_init(&r, TIMED("UnixNs")));
    r.with_time = true;
    stage_run_line(&r, "a=1", "nonsense");
    stage_run_line(&r, "a=1", "100");
    stage_run_line(&r, "a=1", "nonsense");
    stage_run_line(&r, "a=2", "nonsense");
    stage_run_line(&r, "a=1", "nonsense");
    CHECK_STR(buf_view(&r.out), "@1600000000000000000 {a=\"1\"} nonsense\n@100 {a=\"1\"} 100\n"
                                "@101 {a=\"1\"} nonsense\n@1600000000000000000 {a=\"2\"} nonsense\n"
                                "@102 {a=\"1\"} nonsense\n");
    stage_run_done(&r);
    CHECK(stage_run_init(&r, TIMED("UnixNs, action_on_failure: skip")));
    r.with_time = true;
    stage_run_line(&r, "a=1", "100");
    stage_run_line(&r, "a=1", "nonsense");
    CHECK_STR(buf_view(&r.out), "@100 {a=\"1\"} 100\n@1600000000000000000 {a=\"1\"} nonsense\n");
    stage_run_done(&r);
}

TEST(wrong_options_are_refused)
{
    CHECK_STR(stage_refusal("- timestamp: {format: Unix}"),
              "1:14: timestamp source value is required if timestamp is specified");
    CHECK_STR(stage_refusal("- timestamp: {source: a}"), "1:14: timestamp format is required");
    CHECK_STR(stage_refusal("- timestamp: {source: a, format: Unix, action_on_failure: foo}"),
              "1:59: invalid action on failure (supported values are skip and fudge)");
}
