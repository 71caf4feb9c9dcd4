#!/usr/bin/env python3
"""Compares two servers that speak the Loki HTTP API on generated LogQL queries over the same lines.

    logql_diff.py [--queries N] [--seed S] http://REFERENCE http://OTHER

Both get the same lines by JSON push, dated within the last two hours, then the same log and metric queries and the same
questions about labels and series. Status, error text and result must agree; numbers as text, that is to the last bit. Both
need `limits_config: {allow_structured_metadata: true, discover_service_name: [], split_queries_by_interval: 0}`
and generous ingestion limits. Prints every difference and exits 1 when there is any. Standard library only.
"""
import argparse
import http.client
import itertools
import json
import random
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

# -- data --------------------------------------------------------------------------------------------------------

WORDS = ["connected", "timeout", "user", "order", "failed", "retry", "cache", "miss", "ERROR", "warn", "done", "häuser", "x<y>z"]


def plain(r):
    return " ".join(r.choice(WORDS) for _ in range(r.randrange(1, 8)))


def json_line(r, i):
    row = {
        "level": r.choice(["info", "warn", "error", "debug", ""]),
        "msg": plain(r),
        "status": r.choice([200, 200, 404, 500, "200", None, 1.5e3]),
        "took": r.choice(["12ms", "1.5s", "250us", "1h2m", "fast", "", 3]),
        "size": r.choice(["10KB", "1.5MB", "512", "2 GiB", "huge", 77]),
        "bytes": r.randrange(0, 5000),
        "user": {"id": r.randrange(5), "name": r.choice(["ann", "bob", "c\"d"]), "tags": ["a", {"b": 1}]},
        "ok": r.choice([True, False]),
        "app": r.choice(["inner", "api"]),
        "odd key-%d" % r.randrange(3): "v",
        "9lives": "cat",
        "ts": i,
    }
    text = json.dumps({k: row[k] for k in r.sample(list(row), r.randrange(3, len(row)))}, ensure_ascii=r.random() < 0.5)
    cut = r.random()
    return text[: r.randrange(len(text))] if cut < 0.05 else "[%s]" % text if cut < 0.07 else text


def logfmt_line(r, i):
    pairs = [
        "level=" + r.choice(["info", "warn", "error", "INFO", '""']),
        'msg="%s"' % plain(r),
        "took=" + r.choice(["12ms", "1.5s", "250us", "1h2m", "3", "x"]),
        "size=" + r.choice(["10KB", "1.5MB", "512", "1e3", "-"]),
        "status=%d" % r.choice([200, 404, 500]),
        "n=%s" % r.choice(["1", "2.5", "-3", "0", "1e6", "NaN", "0x10", "abc"]),
        "flag", "empty=", "app=inner", 'quoted="a \\"b\\" \\n c"', "dotted.key=1", "seq=%d" % i, "user=" + r.choice(["ann", "bob"]),
    ]
    text = " ".join(r.sample(pairs, r.randrange(2, len(pairs))))
    return text + r.choice(['', '', '', ' bad="', ' a"b=c', " =x"])


def nginx_line(r, i):
    return '%s - %s [26/Nov/2026:10:%02d:%02d +0000] "%s %s HTTP/1.1" %d %d "-" "curl/%d"' % (
        r.choice(["10.0.0.%d" % r.randrange(4), "192.168.4.7", "2001:db8::%x" % r.randrange(9)]), r.choice(["-", "ann"]),
        i // 60 % 60, i % 60, r.choice(["GET", "POST"]), r.choice(["/", "/api/v1/items?id=%d" % r.randrange(9), "/health"]),
        r.choice([200, 200, 200, 404, 500]), r.randrange(0, 9000), r.randrange(3))


def odd_line(r, i):
    return r.choice(["", " ", "\x1b[31mred\x1b[0m text", "tab\there", "line\ntwo level=warn", '{"_entry":"inner %d","pod":"p%d"}' % (i, i % 3),
                     '{"_entry":7}', "nul\\0", "😀 emoji ERROR", "a=b c", "{", '"quoted"', "<_> literal", plain(r)])


KINDS = {"json": json_line, "logfmt": logfmt_line, "nginx": nginx_line, "odd": odd_line}


def make_streams(r, start_ns, minutes):
    streams = []
    for kind, make in KINDS.items():
        for app in ("api", "web"):
            for host in range(3 if kind != "odd" else 1):
                values = []
                at = start_ns + r.randrange(10**9)
                for i in range(120):
                    at += r.choice([0, 1, 10**6, 5 * 10**8]) if r.random() < 0.1 else r.randrange(minutes * 60 * 10**9 // 60)
                    if at >= start_ns + minutes * 60 * 10**9:
                        break
                    value = [str(at), make(r, i)]
                    if r.random() < 0.3:
                        value.append({k: r.choice(["t1", "t2", "5", "12ms", ""]) for k in r.sample(["trace", "user", "level", "span_id"], 2)})
                    values.append(value)
                labels = {"kind": kind, "app": app, "host": "h%d" % host, "env": r.choice(["prod", "dev"])}
                streams.append({"stream": labels, "values": values})
    return streams


def push(url, streams):
    for s in streams:
        body = json.dumps({"streams": [s]}).encode()
        request = urllib.request.Request(url + "/loki/api/v1/push", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=60).read()


# -- queries -----------------------------------------------------------------------------------------------------

LABELS = ["kind", "app", "host", "env", "level", "status", "user", "trace", "msg", "took", "user_id", "method", "nope", "detected_level"]


class Generator:
    def __init__(self, rng):
        self.rng = rng

    def pick(self, *items):
        return self.rng.choice(items)

    def duration(self):
        return self.pick("30s", "1m", "5m", "90s", "10m", "1h", "7m3s", "1d", "15s")

    def number(self):
        return self.pick("0", "1", "2", "-1", "0.5", "3", "1e3", "100", "404")

    def string(self, *items):
        text = self.pick(*items)
        return self.pick('"%s"' % text.replace("\\", "\\\\").replace('"', '\\"'), "`%s`" % text)

    def selector(self):
        first = self.pick('kind="json"', 'kind="logfmt"', 'kind="nginx"', 'kind="odd"', 'kind=~".+"', 'kind=~"json|logfmt"', 'app="api"',
                          'app!="api", kind=~".+"', 'env=~"p.*"', 'kind!~"o.*",app=~"(api|web)"', 'host=~"h[01]"', 'kind="none"')
        more = self.pick("", "", "", ', app="web"', ', host!="h1"', ', nope=""', ', env!~"dev|x"')
        return "{%s%s}" % (first, more)

    def line_filter(self):
        op = self.pick("|=", "|=", "!=", "|~", "!~", "|>", "!>")
        if op in ("|=", "!="):
            if self.rng.random() < 0.12:
                return "%s ip(%s)" % (op, self.string("10.0.0.0/8", "10.0.0.1", "10.0.0.1-10.0.0.2", "2001:db8::/32", "bad"))
            words = [self.string("ERROR", "error", "timeout", "", "häuser", "x<y>z", "level", '"user"', "200", "\t") for _ in range(self.pick(1, 1, 1, 2, 3))]
            return "%s %s" % (op, " or ".join(words))
        if op in ("|~", "!~"):
            return "%s %s" % (op, self.string("(?i)error", "time.*t", "^\\S+ ", "user|order", "\\d{3}", "[", "h.user", "x$", ".*", "(?P<a>x)", "fail(ed)?"))
        return "%s %s" % (op, self.string("<_> failed <_>", "<_>", "<_>ERROR<_>", "GET <_>", "<_> HTTP/1.1<_>", "", "<name> x", "<_><_>", "user <_>"))

    def parser(self):
        return self.pick(
            "| json", "| json", "| logfmt", "| logfmt", "| unpack", "| logfmt --strict", "| logfmt --keep-empty", "| logfmt --strict --keep-empty",
            '| json uid="user.id", tag="user.tags[0]", level', '| json obj="user", st="status", no="a.b.c"', '| json x="user[\\"name\\"]"',
            '| logfmt lvl="level", msg', '| logfmt n, t="took", q="quoted"',
            "| regexp " + self.string("(?P<method>GET|POST) (?P<path>\\S+)", "^(?P<ip>\\S+)", "(?P<status>\\d{3})", "x", "(?P<a>.)(?P<a>.)", "(?P<word>\\w+) (?P<rest>.*)"),
            "| pattern " + self.string("<ip> - <user> [<_>] \"<method> <path> <_>\" <status> <size> <_>", "<ip> <_>", "<_>", "<a><b>", "<first> <second>", "level=<lvl> <_>"),
        )

    def label_filter(self, depth=1):
        if depth and self.rng.random() < 0.25:
            word = self.pick(" and ", " or ", ", ", " ")
            return "%s%s%s" % (self.label_filter(0), word, self.pick("%s", "(%s)") % self.label_filter(0))
        return self.pick(
            'level="error"', 'level=~"err.*|warn"', 'level!="info"', 'level=""', 'status="200"', "status>=400", "status=200", "status==404", "status!=500",
            "took>10ms", "took<=1.5s", "took=12ms", "size>1KB", "size<1.5MB", "size>=10KiB", "n>1", "n<=2.5", "bytes>1000", "bytes<2KB", 'user="ann"', 'user!~"b.*"',
            '__error__=""', '__error__!=""', '__error__="JSONParserErr"', '__error__=~".+"', 'ip=ip("10.0.0.0/8")', 'ip!=ip("192.168.4.5-192.168.4.10")', 'trace="t1"',
            'detected_level="error"', 'nope>5', 'host="h1"', 'msg=~".*timeout.*"', 'app_extracted="inner"', 'user_id="3"', "seq>60", "nope=ip(`x`)",
        )

    def template(self):
        return self.pick(
            "{{.level}}", "{{.msg}} [{{.app}}]", "{{ .level | upper }}-{{ .host }}", "{{ __line__ | trunc 10 }}", "{{ __line__ | len }}", "{{ .nope }}",
            "{{ if eq .level \"error\" }}E{{ else if .level }}{{ .level }}{{ else }}none{{ end }}", "{{ printf \"%-8s|%5.1f\" .level (.status | float64) }}",
            "{{ add (int .status) 1 }} {{ mul 2 3 }} {{ div 7 2 }} {{ mod 7 4 }}", "{{ .took | duration }} {{ .size | bytes }}", "{{ duration_seconds .took }}",
            "{{ regexReplaceAll \"[aeiou]\" .msg \"*\" }}", "{{ regexReplaceAllLiteral `(o)` .msg `${1}` }}", "{{ replace \"e\" \"E\" .msg }}", "{{ Replace .msg \"e\" \"E\" 1 }}",
            "{{ .msg | b64enc }}{{ .msg | b64enc | b64dec }}", "{{ .msg | title | trunc -5 }}", "{{ substr 1 4 .msg }}", "{{ .user | default \"nobody\" }}",
            "{{ hasPrefix \"t\" .msg }} {{ contains \"user\" .msg }}", "{{ __timestamp__ | unixEpoch }}", "{{ __timestamp__ | date \"2006-01-02T15:04\" }}", "{{ alignLeft 5 .level }}|{{ alignRight 5 .level }}",
            "{{ urlencode .msg }} {{ urldecode \"a%20b\" }}", "{{ range $i, $w := list }}x{{ end }}", "{{ .level | unknownfn }}", "{{ .level", "{{ $x := .level }}{{ $x }}{{ $x | repeat 2 }}",
            "{{ round 3.14159 2 }} {{ ceil 1.2 }} {{ floor 1.8 }} {{ addf 1.5 2.5 }} {{ divf 1 3 }} {{ max 1 5 2 }} {{ minf 1.5 0.2 }}", "{{ count \"e\" .msg }} {{ trimAll \"\\\"\" .msg }} {{ trimPrefix \"u\" .msg }}",
            "{{ (fromJson __line__).status }}", "{{ indent 2 .msg }}{{ nindent 2 .msg }}", "{{ .a.b }}", "{{ index . \"level\" }}", "{{ html .msg }} {{ js .msg }}", "{{ div 1 0 }}", "{{ .status | toString }}", "{{ ToLower .msg }} {{ .msg | TrimSpace | ToUpper }}",
            "{{ with .user }}u={{ . }}{{ end }}", "{{ and .level .user }} {{ or .nope .app }} {{ not .level }}", "{{ lt (int .status) 300 }} {{ ge 3 3 }}", "{{ print .level .app 1 2 }}", "plain", "",
        )

    def stage(self):
        r = self.rng.random()
        if r < 0.3:
            return self.line_filter()
        if r < 0.55:
            return "| " + self.label_filter()
        if r < 0.75:
            return self.parser()
        if r < 0.83:
            return "| line_format " + self.string(self.template())
        if r < 0.91:
            items = []
            for _ in range(self.pick(1, 1, 2)):
                to = self.pick("new", "level", "app", "out", "status", "__error__")
                items.append("%s=%s" % (to, self.pick(self.pick(*LABELS), self.string(self.template()))))
            return "| label_format " + ", ".join(items)
        item = lambda: self.pick(*LABELS, "__error__", "__error_details__", 'level="error"', 'app=~"a.*"', 'status!="200"')
        if r < 0.95:
            return "| drop " + ", ".join(item() for _ in range(self.pick(1, 2)))
        if r < 0.99:
            return "| keep " + ", ".join(item() for _ in range(self.pick(1, 2, 3)))
        return "| decolorize"

    def pipeline(self):
        stages = [self.stage() for _ in range(self.rng.choice([0, 0, 1, 1, 2, 2, 3, 4]))]
        if stages and self.rng.random() < 0.6:
            stages.insert(0, self.parser())
        return " ".join(stages)

    def log(self):
        return "%s %s" % (self.selector(), self.pipeline())

    def safe(self):
        """A pipeline whose errors a metric query survives."""
        return "%s %s" % (self.pipeline(), self.pick('| __error__=""', '| __error__=""', '| __error__=""', ""))

    def group(self):
        return "%s (%s)" % (self.pick("by", "without"), ", ".join(self.rng.sample(LABELS, self.pick(0, 1, 1, 2))))

    def over(self):
        timing = self.pick("", "", "", "", " offset 1m", " offset -30s", " offset 10m")
        if self.rng.random() < 0.5:
            fn = self.pick("count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time", "sum_over_time")
            return "%s(%s %s [%s]%s)" % (fn, self.selector(), self.safe(), self.duration(), timing)
        fn = self.pick("rate", "rate_counter", "sum_over_time", "avg_over_time", "min_over_time", "max_over_time", "first_over_time", "last_over_time",
                       "stdvar_over_time", "stddev_over_time", "quantile_over_time", "count_over_time", "absent_over_time")
        what = self.pick("n", "status", "bytes", "seq", "ts", "took", "user_id", "duration(took)", "duration_seconds(took)", "bytes(size)", "nope")
        param = self.pick("0.5, ", "0.9, ", "0, ", "1.5, ", "-1, ", "") if fn == "quantile_over_time" else ""
        after = self.pick('| __error__=""', '| __error__=""', '| __error__=""', "", "| status>=400", "| n>1 | __error__=``")
        by = self.pick("", " " + self.group())
        return "%s(%s%s %s %s | unwrap %s %s [%s]%s)%s" % (fn, param, self.selector(), self.parser(), self.pick("", self.safe()), what, after, self.duration(), timing, by)

    def metric(self, depth):
        r = self.rng.random()
        if depth <= 0 or r < 0.35:
            return self.over()
        if r < 0.75:
            fn = self.pick("sum", "sum", "avg", "min", "max", "count", "stddev", "stdvar", "topk", "bottomk", "sort", "sort_desc")
            param = self.pick("1, ", "2, ", "5, ", "0, ") if fn in ("topk", "bottomk") else ""
            by = self.pick("", " " + self.group())
            body = "(%s%s)" % (param, self.metric(depth - 1))
            return fn + (by + body if self.rng.random() < 0.6 else body + by)
        if r < 0.8:
            return 'label_replace(%s, "%s", "%s", "%s", "%s")' % (self.metric(depth - 1), self.pick("new", "app", "bad-name"), self.pick("$1", "x-$1", ""),
                                                               self.pick("app", "host", "nope"), self.pick("(.*)", "a(.*)", "h(\\\\d)", "("))
        if r < 0.83:
            return "vector(%s)" % self.number()
        op = self.pick("+", "-", "*", "/", "%", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or", "unless")
        left, right = self.metric(depth - 1), self.metric(depth - 1)
        if op not in ("and", "or", "unless") and self.rng.random() < 0.5:
            if self.rng.random() < 0.5:
                left = self.number()
            else:
                right = self.number()
        elif self.rng.random() < 0.5:
            right = left
        modifier = " bool" if op in ("==", "!=", "<", "<=", ">", ">=") and self.rng.random() < 0.4 else ""
        if self.rng.random() < 0.3:
            modifier += " %s (%s)" % (self.pick("on", "ignoring"), ", ".join(self.rng.sample(LABELS[:6], self.pick(1, 2))))
            if op not in ("and", "or", "unless") and self.rng.random() < 0.4:
                modifier += self.pick(" group_left", " group_right") + self.pick("", " (host)")
        return "(%s %s%s %s)" % (left, op, modifier, right)

    def query(self):
        q = self.log() if self.rng.random() < 0.45 else self.metric(self.pick(0, 1, 1, 2, 2))
        if self.rng.random() < 0.04:  # a broken one
            at = self.rng.randrange(len(q))
            q = q[:at] + self.pick("", "(", ")", "}", "$", "by", "[", "|", '"') + q[at + 1 :]
        return q


# -- comparing ---------------------------------------------------------------------------------------------------


def ask(url, path, params, flags):
    request = urllib.request.Request(url + path + "?" + urllib.parse.urlencode(params, doseq=True), headers=flags)
    try:
        with urllib.request.urlopen(request, timeout=60) as r:
            return r.status, json.load(r)
    except urllib.error.HTTPError as e:
        return e.code, {"text": e.read().decode(errors="replace")}
    except (OSError, http.client.HTTPException) as e:
        sys.exit("%s gives no answer to %s %s: %s" % (url, path, json.dumps(params, ensure_ascii=False), e))


def rows(result):
    if not isinstance(result, list) or not all(isinstance(x, dict) for x in result):
        return result
    return sorted(result, key=lambda x: json.dumps(x.get("stream") or x.get("metric"), sort_keys=True))


def normal(status, answer, ordered):
    data = answer.get("data")
    if not isinstance(data, dict):
        if not ordered and isinstance(data, list):
            data = sorted(data, key=lambda x: json.dumps(x, sort_keys=True))
        return {"status": status, "text": answer.get("text"), "data": data}
    result = data.get("result")
    if data.get("resultType") == "streams":  # lines of one time come in any order
        for s in result:
            s["values"] = [v for _, g in itertools.groupby(s["values"], lambda v: v[0]) for v in sorted(g, key=json.dumps)]
    return {"status": status, "type": data.get("resultType"), "flags": data.get("encodingFlags"), "result": result if ordered else rows(result),
            "warnings": answer.get("warnings")}


# Which of several series, lines or labels an error names depends on the order of a hash table.
UNORDERED = re.compile(r"multiple matches for labels|found duplicate series|pipeline error: '(\w+)'")


def same(a, b):
    if a == b:
        return True
    # The original compiles stages when it meets the first stream: without one, what is wrong with them is not noticed.
    if a["status"] == 200 and a.get("result") == [] and b["status"] == 400 and b["text"].startswith("parse error : stage"):
        return True
    if a["status"] == b["status"] and a.get("text") and b.get("text"):
        x, y = UNORDERED.search(a["text"]), UNORDERED.search(b["text"])
        return bool(x and y and x.group(0) == y.group(0))
    return False


def describe(a, b):
    lines = []
    for key in sorted(set(a) | set(b)):
        x, y = a.get(key), b.get(key)
        if x == y:
            continue
        if key == "result" and isinstance(x, list) and isinstance(y, list):
            if len(x) != len(y):
                lines.append("  result: %d rows, %d rows" % (len(x), len(y)))
            for p, q in zip(x, y):
                if p != q:
                    for k in p if isinstance(p, dict) and isinstance(q, dict) else []:
                        if k == "values" and p[k] != q.get(k):
                            x, y = p[k], q[k]
                            i = next((i for i, (v, w) in enumerate(zip(x, y)) if v != w), min(len(x), len(y)))
                            p = dict(p, values=[v for v in x if v not in y][:5] or x[i : i + 3])
                            q = dict(q, values=[v for v in y if v not in x][:5] or y[i : i + 3])
                            break
                    lines.append("  result:\n    %s\n    %s" % (json.dumps(p)[:700], json.dumps(q)[:700]))
                    break
        else:
            lines.append("  %s:\n    %s\n    %s" % (key, json.dumps(x)[:600], json.dumps(y)[:600]))
    return "\n".join(lines)


def question(rng, generator, start_ns, minutes):
    """A path, its parameters, and whether the order of rows counts."""
    at = start_ns + rng.randrange(minutes * 60) * 10**9
    end = at + rng.choice([60, 600, 1800, 3600]) * 10**9
    query = generator.query()
    r = rng.random()
    if r < 0.03:
        return "/loki/api/v1/labels", {"start": at, "end": end, "query": generator.selector()}, True
    if r < 0.06:
        return "/loki/api/v1/label/%s/values" % rng.choice(LABELS[:6]), {"start": at, "end": end, "query": generator.selector()}, True
    if r < 0.09:
        return "/loki/api/v1/series", {"start": at, "end": end, "match[]": [generator.selector(), generator.selector()]}, False
    if r < 0.12:
        return "/loki/api/v1/format_query", {"query": query}, True
    if r < 0.4:
        return "/loki/api/v1/query", {"query": query, "time": at, "limit": rng.choice([10, 100])}, False
    params = {"query": query, "start": at, "end": end, "limit": rng.choice([5, 100, 5000]), "direction": rng.choice(["forward", "backward"])}
    params["step"] = rng.choice(["15", "60", "7", "1m", "300"])
    return "/loki/api/v1/query_range", params, False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reference")
    parser.add_argument("other")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data-seed", type=int, default=1)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--start", type=int, default=int(time.time()) - 5400, help="first line, Unix seconds")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--no-push", action="store_true", help="the lines are there already")
    parser.add_argument("--shown", type=int, default=40)
    o = parser.parse_args()
    start_ns = o.start * 10**9
    if not o.no_push:
        streams = make_streams(random.Random(o.data_seed), start_ns, o.minutes)
        for url in (o.reference, o.other):
            push(url, streams)
    rng = random.Random(o.seed)
    generator = Generator(rng)
    different = 0
    for _ in range(o.queries):
        path, params, ordered = question(rng, generator, start_ns, o.minutes)
        flags = {"X-Loki-Response-Encoding-Flags": "categorize-labels"} if rng.random() < 0.4 else {}
        a, b = (normal(*ask(url, path, params, flags), ordered) for url in (o.reference, o.other))
        if not same(a, b):
            different += 1
            if different <= o.shown:
                print("%s %s %s\n%s" % (path, json.dumps(params, ensure_ascii=False), list(flags), describe(a, b)))
    print("%d of %d queries differ" % (different, o.queries))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
