/* Go's text/template in its two dialects. */
#include "harness.h"

#include <stdio.h>

#include "golang/tmpl.h"

/* The template over {a: "x y", n: "42"}, or why not. */
static struct str ran(enum tmpl_dialect dialect, const char *text, struct tmpl_regexes *regexes)
{
    static char kept[512];
    static const struct label labels[] = {{STR_INIT("a"), STR_INIT("x y")}, {STR_INIT("n"), STR_INIT("42")}};
    const struct tmpl_input in = {.labels = {labels, ARRAY_LEN(labels)},
                                  .line = STR("the line"),
                                  .regexes = regexes,
                                  .missing_is_nil = dialect == TMPL_PROMTAIL};
    struct arena a = {0};
    struct buf out AUTO_BUF = {0};
    struct err_info why = {0};
    struct str fault = {0};
    const struct tmpl *t = NULL;
    if (tmpl_parse(&a, dialect, STR("t"), str_c(text), &t, &why)) {
        fault = str_c(why.message);
    } else {
        (void)!tmpl_execute(t, &in, &a, &out, &fault);
    }
    struct str s = fault.p ? fault : buf_view(&out);
    (void)snprintf(kept, sizeof(kept), "%.*s", STR_FMT(s));
    arena_done(&a);
    return str_c(kept);
}

TEST(each_dialect_has_its_functions)
{
    CHECK_STR(ran(TMPL_LOKI, "{{ __line__ | ToUpper | trunc 3 }}{{ alignLeft 4 .n }}|", NULL), "THE42  |");
    CHECK_STR(ran(TMPL_LOKI, "{{ list 1 }}", NULL), "template: t:1: function \"list\" not defined");
    CHECK_STR(ran(TMPL_PROMTAIL, "{{ list 1 .n | len }}", NULL), "2");
    CHECK_STR(ran(TMPL_PROMTAIL, "{{ alignLeft 4 .n }}", NULL),
              "template: t:1: function \"alignLeft\" not defined");
}

TEST(a_missing_label_is_empty_or_no_value)
{
    CHECK_STR(ran(TMPL_LOKI, "[{{ .none }}]{{ index . \"none\" }}{{ ToUpper .none }}", NULL), "[]");
    CHECK_STR(ran(TMPL_PROMTAIL, "[{{ .none }}] {{ default \"d\" (index . \"none\") }}", NULL),
              "[<no value>] d");
    CHECK_STR(ran(TMPL_PROMTAIL, "{{ ToUpper .none }}", NULL),
              "template: t:1:11: executing \"t\" at <.none>: invalid value; expected string");
}

TEST(values_of_json_are_lists_and_sorted_maps)
{
    CHECK_STR(ran(TMPL_LOKI,
                  "{{ range $k, $v := fromJson \"{\\\"b\\\":[1,null],\\\"a\\\":true,\\\"a\\\":2}\" }}{{ $k "
                  "}}={{ $v }};{{ end }}",
                  NULL),
              "a=2;b=[1 <nil>];");
    CHECK_STR(ran(TMPL_LOKI, "{{ (index (fromJson \"[{\\\"k\\\":{\\\"l\\\":\\\"z\\\"}}]\") 0).k.l }}", NULL),
              "z");
    CHECK_STR(ran(TMPL_LOKI, "{{ index (fromJson \"[1]\") 1 }}", NULL),
              "template: t:1:3: executing \"t\" at <index (fromJson \"[1]\") 1>: error calling index: "
              "reflect: slice index out of range");
}

TEST(compiled_expressions_are_kept_for_the_next_line)
{
    struct tmpl_regexes kept = {0};
    CHECK_STR(ran(TMPL_LOKI, "{{ regexReplaceAll \"(x) (y)\" .a \"$2 $1\" }}{{ count \"x\" .a }}", &kept),
              "y x1");
    CHECK_EQ(kept.of.count, 2);
    CHECK_STR(ran(TMPL_LOKI, "{{ regexReplaceAllLiteral \"x\" .a \"$1\" }}", &kept), "$1 y");
    CHECK_EQ(kept.of.count, 2);
    CHECK_STR(
        ran(TMPL_LOKI,
            "{{ range 100 }}{{ $i := . }}{{ if count (printf \"x|%v\" $.n) $.a }}{{ end }}{{ end }}{{ .n }}",
            &kept),
        "42");
    tmpl_regexes_done(&kept);
}

TEST(dates_know_their_zones)
{
    CHECK_STR(ran(TMPL_LOKI, "{{ toDateInZone \"2006-01-02 15:04\" \"Europe/Berlin\" \"2024-07-01 12:00\" }}",
                  NULL),
              "2024-07-01 12:00:00 +0200 CEST");
    CHECK_STR(ran(TMPL_LOKI,
                  "{{ (toDateInZone \"2006-01-02T15:04:05Z07:00\" \"America/New_York\" "
                  "\"2024-01-05T06:00:00Z\").Unix }}",
                  NULL),
              "1704434400");
    CHECK_STR(ran(TMPL_LOKI,
                  "{{ toDateInZone \"2006-01-02 15:04 -0700\" \"UTC\" \"2024-01-05 06:00 +0330\" }}", NULL),
              "2024-01-05 06:00:00 +0330 +0330");
    CHECK_STR(ran(TMPL_LOKI, "{{ (toDateInZone \"2006-01-02\" \"UTC\" \"2024-02-30\").IsZero }}", NULL),
              "true");
}
