/* The stages template and replace, and Go's templates. */
#include "harness.h"
#include "stage_run.h"

#include <stdio.h>

/* The template over {a: "x y", n: "42", Value: of `source`}, as the line. */
static struct str rendered(const char *template)
{
    char yaml[1024];
    (void)snprintf(yaml, sizeof(yaml),
                   "- regex: {expression: '^(?P<a>\\w+ \\w+) (?P<n>\\d+)$'}\n"
                   "- template: {source: a, template: '%s'}\n- output: {source: a}\n",
                   template);
    struct str out = stage_run_once(yaml, "", "x y 42");
    return str_starts(out, STR("{} ")) ? str_slice(out, 3, out.n - 1) : out;
}

TEST(templates_see_values_and_functions)
{
    CHECK_STR(rendered("{{ .Value | ToUpper }} {{ .n }} {{.Entry}}"), "X Y 42 x y 42");
    CHECK_STR(rendered("{{ Replace .Value \" \" \"_\" -1 }}"), "x_y");
    CHECK_STR(rendered("{{ .Value | replace \" \" \"-\" | upper }}"), "X-Y");
    CHECK_STR(rendered("{{ TrimPrefix .Value \"x\" | TrimSpace }}"), "y");
    CHECK_STR(rendered("{{ regexReplaceAll \"(\\\\w) (\\\\w)\" .Value \"${2}-$1\" }}"), "y-x");
    CHECK_STR(rendered("{{ regexReplaceAllLiteral \" \" .Value \"$1\" }}"), "x$1y");
    CHECK_STR(rendered("{{ Hash \"salt\" .n }}"),
              "bd1dd1635c1669499c3b69254e6ab6a5dff7162102f9a4c259c31b450cff27bf");
    CHECK_STR(rendered("{{ Sha2Hash \"\" \"abc\" }}"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(templates_control)
{
    CHECK_STR(rendered("{{ if eq .n \"42\" }}yes{{ else }}no{{ end }}"), "yes");
    CHECK_STR(rendered("{{ if eq .n \"1\" }}one{{ else if eq .n \"42\" \"43\" }}many{{ else }}no{{ end }}"),
              "many");
    CHECK_STR(rendered("{{- if and .n (not .none) -}}  both  {{- end -}}"), "both");
    CHECK_STR(rendered("{{ range $i, $w := splitList \" \" .Value }}{{ $i }}={{ $w }};{{ end }}"),
              "0=x;1=y;");
    CHECK_STR(rendered("{{ $v := .n }}{{ with .none }}a{{ else }}{{ $v }}{{ end }}"), "42");
    CHECK_STR(rendered("{{ $x := \"a\" }}{{ if .n }}{{ $x = \"b\" }}{{ end }}{{ $x }}"), "b");
    CHECK_STR(
        rendered("{{ range list 1 2 3 4 }}{{ if eq . 2 }}{{ continue }}{{ end }}{{ if eq . 4 }}{{ break }}"
                 "{{ end }}{{ . }}{{ end }}"),
        "13");
    CHECK_STR(rendered("a{{/* nothing */}}b"), "ab");
}

TEST(templates_numbers_and_printing)
{
    CHECK_STR(rendered("{{ add 1 .n }} {{ sub 5 7 }} {{ mul 2 3 4 }} {{ div 7 2 }} {{ mod 7 4 }}"),
              "43 -2 24 3 3");
    CHECK_STR(rendered("{{ printf \"%s|%5d|%-4s|%05.1f|%q|%v|%%\" .n 7 \"ab\" 3.14159 \"q\" true }}"),
              "42|    7|ab  |003.1|\"q\"|true|%");
    CHECK_STR(rendered("{{ if gt (int .n) 41 }}{{ float64 .n }}{{ end }}"), "42");
    CHECK_STR(
        rendered("{{ len .Value }} {{ index (splitList \" \" .Value) 1 }} {{ (split \" \" .Value)._0 }}"),
        "3 y x");
    CHECK_STR(rendered("{{ default \"d\" .none }} {{ coalesce .none .n }} {{ ternary \"t\" \"f\" true }}"),
              "d 42 t");
    CHECK_STR(
        rendered("{{ dict \"b\" 1 \"a\" .n | toJson }} {{ (fromJson \"{\\\"k\\\":[1,\\\"z\\\"]}\").k }}"),
        "{\"a\":\"42\",\"b\":1} [1 z]");
    CHECK_STR(
        rendered("{{ b64enc .Value }} {{ b64dec \"eCB5\" }} {{ trunc 2 \"abc\" }} {{ substr 1 2 \"abc\" }}"),
        "eCB5 x y ab b");
    CHECK_STR(rendered("{{ toDate \"2006-01-02\" \"2020-02-29\" | date \"02 Jan 06\" }}"), "29 Feb 20");
}

TEST(templates_lists_and_maps)
{
    CHECK_STR(rendered("{{ list 1000000 .n .none }} {{ list 2.5 true | toJson }}"),
              "[1000000 42 <nil>] [2.5,true]");
    CHECK_STR(rendered("{{ $d := dict \"b\" 1 \"a\" 2 \"b\" 3 }}{{ range $k, $v := $d }}{{ $k }}{{ $v }}{{ "
                       "end }} {{ len $d }}"),
              "a2b3 2");
    CHECK_STR(rendered("{{ first (list 1 2) }}{{ last (list 1 2) }} {{ join \"-\" (list 1 \"x\") }}"),
              "12 1-x");
    CHECK_STR(rendered("{{ splitList \"\" \"a\\u00e9b\" | join \"|\" }} {{ split \",\" \"p,q\" }}"),
              "a|\xc3\xa9|b map[_0:p _1:q]");
    CHECK_STR(rendered("{{ regexFind \"[0-9]+\" \"ab12\" }} {{ regexMatch \"^x\" .Value }} {{ toString 1.5 "
                       "}} {{ empty .none }}"),
              "12 true 1.5 true");
    CHECK_STR(rendered("{{ sha256sum \"abc\" | trunc 8 }} {{ int64 \"7\" }}"), "ba7816bf 7");
    CHECK_STR(rendered("{{ define \"t\" }}<{{ . }}>{{ end }}{{ template \"t\" .n }}"), "<42>");
}

TEST(a_missing_key_prints_no_value_and_an_empty_result_deletes)
{
    CHECK_STR(rendered("{{ .none }}"), "<no value>");
    CHECK_STR(rendered(""), "x y 42"); /* the source is gone, so output changes nothing */
    CHECK_STR(stage_run_once("- template: {source: new, template: 'made of {{ .app }}'}\n- labels: {new: }",
                             "app=a", "l"),
              "{app=\"a\", new=\"made of a\"} l\n");
}

TEST(an_execution_that_fails_leaves_the_source)
{
    CHECK_STR(rendered("{{ index .Value 99 }}"), "x y");
    CHECK_STR(rendered("{{ lt .n 3 }}"), "x y");
    CHECK_STR(rendered("{{ div 1 0 }}"), "x y");
    CHECK_STR(rendered("{{ ToUpper .none }}"), "x y"); /* Go: invalid value; expected string */
    CHECK_STR(rendered("{{ regexFind \"(\" .Value }}"), "x y");
}

TEST(templates_are_checked_at_the_start)
{
    CHECK_STR(stage_refusal("- template: {template: x}"), "1:13: template source value is required");
    CHECK_STR(stage_refusal("- template: {source: a, template: '{{ .x '}"),
              "1:35: could not parse template: template: pipeline_template:1: unclosed action");
    CHECK_STR(
        stage_refusal("- template: {source: a, template: '{{ nosuch .x }}'}"),
        "1:35: could not parse template: template: pipeline_template:1: function \"nosuch\" not defined");
    CHECK_STR(stage_refusal("- template: {source: a, template: '{{ if .x }}'}"),
              "1:35: could not parse template: template: pipeline_template:1: unexpected EOF");
    CHECK_STR(stage_refusal("- template: {source: a, template: '{{ end }}'}"),
              "1:35: could not parse template: template: pipeline_template:1: unexpected {{end}}");
    /* Loki's functions are not Promtail's. */
    CHECK_STR(
        stage_refusal("- template: {source: a, template: '{{ __line__ }}'}"),
        "1:35: could not parse template: template: pipeline_template:1: function \"__line__\" not defined");
}

TEST(replace_every_group_of_every_match)
{
    CHECK_STR(stage_run_once("- replace: {expression: '11.11.11.11 - (\\S+\\s)', replace: dummy}", "",
                             "11.11.11.11 - frank [x] 11.11.11.11 - \"joe "),
              "{} 11.11.11.11 - dummy[x] 11.11.11.11 - dummy\n");
    CHECK_STR(
        stage_run_once("- replace: {expression: '(\\d{2}.\\d{2}.\\d{2}.\\d{2}) (\\w+)', "
                       "replace: '{{ if eq .Value \"200\" }}{{ Replace .Value \"200\" \"HttpStatusOk\" -1 }}"
                       "{{ else }}{{ .Value | ToUpper }}{{ end }}'}",
                       "", "11.11.11.11 ok 22.22.22.22 200"),
        "{} 11.11.11.11 OK 22.22.22.22 HttpStatusOk\n");
    CHECK_STR(stage_run_once("- replace: {expression: 'secret=(\\w+)', replace: ''}", "", "a secret=x b"),
              "{} a secret= b\n");
    CHECK_STR(stage_run_once("- replace: {expression: 'x', replace: y}", "", "x x"), "{} x x\n");
}

TEST(replace_named_groups_and_sources)
{
    CHECK_STR(stage_run_once("- replace: {expression: 'ip=(?P<ip>\\S+)', replace: '*{{ .Value }}*{{ .none "
                             "}}'}\n- labels: {ip: }",
                             "", "ip=1.2"),
              "{ip=\"*1.2*\"} ip=*1.2*\n");
    CHECK_STR(stage_run_once("- json: {expressions: {m: }}\n- replace: {source: m, expression: '(b+)', "
                             "replace: c}\n- labels: {m: }",
                             "", "{\"m\":\"abba\"}"),
              "{m=\"aca\"} {\"m\":\"abba\"}\n");
    CHECK_STR(stage_run_once("- replace: {expression: '(a(b)c)', replace: '<{{ .Value }}>'}", "", "xabcx"),
              "{} x<abc>x\n");
    CHECK_STR(stage_refusal("- replace: {replace: a}"), "1:12: expression is required");
    CHECK_STR(stage_refusal("- replace: {expression: a, source: ''}"), "1:36: empty source in replace stage");
}
