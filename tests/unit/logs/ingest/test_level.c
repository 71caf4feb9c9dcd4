/* The level found in a line that comes without one. */
#include "harness.h"
#include "logs/ingest/push_ingest.h"

static void expect(const char *line, const char *want)
{
    struct arena a;
    arena_init(&a, 0, NULL);
    CHECK_STR(push_detect_level(&a, (struct labels){0}, (struct labels){0}, str_c(line)), want);
    arena_done(&a);
}

TEST(json_is_read_in_its_order_and_two_levels_deep)
{
    expect("{\"a\":{\"lvl\":\"WARN\"},\"level\":\"error\"}", "warn");
    expect("{\"a\":{\"b\":{\"level\":\"wrn\"}}}", "unknown");
    expect("{\"level\":3,\"severity\":\"fatal\"}", "fatal");
    expect("{\"msg\":\"all is lost\",\"level\":\"\"}", "unknown");
    expect("{\"msg\":\"cache ERROR miss\"}", "error"); /* no member names it: the words do */
}

TEST(logfmt_takes_the_name_that_stands_first_in_the_list)
{
    expect("severity=info level=warn", "warn");
    expect("LEVEL=dbg", "debug");
    expect("level=\"\" msg=\"ERROR done\"", "error");
    expect("level=notice msg=quiet", "unknown");
}

TEST(words_stand_alone)
{
    expect("an error occurred, then a warning", "error");
    expect("misc:error", "unknown");
    expect("debug: starting", "debug");
    expect("/errors/info.html", "unknown");
    expect("[WARN] disk", "warn");
    expect("terror", "unknown");
}

TEST(a_label_wins_over_the_line)
{
    static const struct label level[] = {{STR_INIT("level"), STR_INIT("Notice")}};
    struct arena a;
    arena_init(&a, 0, NULL);
    CHECK_STR(push_detect_level(&a, (struct labels){level, 1}, (struct labels){0}, STR("level=error")),
              "Notice");
    arena_done(&a);
}
