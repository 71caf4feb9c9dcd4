#!/usr/bin/env python3
"""Sends the same API requests to a real Prometheus and to Cairn and compares the answers.

    api_diff.py PROMETHEUS [--cairn PROGRAM] [--shown N] [--only TEXT]

Starts both on one configuration (pair.py), gives both the same samples by remote write, then walks every endpoint: right,
missing, wrong and repeated parameters, GET and forms, methods, headers, encodings. Status, the headers clients read, error
types and texts, and the JSON down to the order of its keys must agree; what differs between any two servers (durations,
host facts, moments) is blanked by name. What is known to differ, and why, is a row of EXCEPTIONS; every difference that none
of them explains is printed, and the exit status is 1 when there is one. Standard library only.
"""
import argparse
import gzip
import http.client
import json
import random
import re
import sys
import time
import urllib.parse
import zlib

from pair import PROGRAM, Pair
from promql_diff import make_data, push

HEADERS = ("Content-Type", "Content-Encoding", "Vary", "Allow", "Location", "WWW-Authenticate", "Cache-Control", "Access-Control-Allow-Origin",
           "Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Expose-Headers", "X-Content-Type-Options",
           "X-Prometheus-Stopping")
# Facts of a host, a moment or a build: present in both, equal in none.
VOLATILE = {"lastScrape", "lastScrapeDuration", "evaluationTime", "lastEvaluation", "startTime", "serverTime", "lastConfigTime", "goroutineCount",
            "evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime", "execQueueTime", "execTotalTime", "GOMEMLIMIT", "GOGC", "GODEBUG",
            "GOMAXPROCS", "date", "revision", "branch", "buildUser", "buildDate", "goVersion", "version", "minTime", "maxTime", "chunkCount"}


class Server:
    def __init__(self, url):
        self.netloc = urllib.parse.urlparse(url).netloc

    def send(self, method, path, body=None, headers=None):
        """(status, headers, body): one request on a connection of its own."""
        c = http.client.HTTPConnection(self.netloc, timeout=60)
        try:
            c.putrequest(method, path, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                c.putheader(name, value)
            if body is not None:
                c.putheader("Content-Length", str(len(body)))
            c.endheaders(body)
            answer = c.getresponse()
            return answer.status, {h: answer.getheader(h) for h in HEADERS}, answer.read()
        finally:
            c.close()


def decoded(headers, body):
    if headers["Content-Encoding"] == "gzip":
        return gzip.decompress(body)
    if headers["Content-Encoding"] == "deflate":
        return zlib.decompress(body)
    return body


def blanked(v, extra=()):
    """Objects as lists of pairs, so that the order of keys counts; volatile members without their value."""
    if isinstance(v, dict):
        return [[k, "~" if k in VOLATILE or k in extra else blanked(x, extra)] for k, x in v.items()]
    if isinstance(v, list):
        return [blanked(x, extra) for x in v]
    return v


def ordered(v):
    """Targets in an order of their own: the original takes that of a hash table."""
    data = v.get("data") if isinstance(v, dict) else None
    for key in ("activeTargets", "droppedTargets"):
        if isinstance(data, dict) and isinstance(data.get(key), list):
            data[key] = sorted(data[key], key=lambda t: json.dumps(t["discoveredLabels"], sort_keys=True))
    return v


class Case:
    def __init__(self, method, path, params=(), body=None, headers=None, unordered=False, blank=(), shape=False, drop=()):
        self.method, self.headers, self.body, self.blank, self.drop = method, dict(headers or {}), body, blank, drop
        self.unordered, self.shape = unordered, shape
        query = urllib.parse.urlencode(list(params), doseq=True)
        if method == "FORM":
            self.method, self.body = "POST", query.encode()
            self.headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
            self.path = path
        else:
            self.path = path + ("?" + query if query else "")

    def __str__(self):
        shown = {k: v for k, v in self.headers.items() if k != "Content-Type"}
        return "%s %s %s %s" % (self.method, self.path, (self.body or b"")[:200].decode(errors="replace"), shown or "")

    def view(self, answer, server):
        status, headers, body = answer
        try:
            text = decoded(headers, body).decode(errors="replace").replace(server.netloc, "SERVER")
            if self.path.startswith("/federate"):
                text = re.sub(r"^(scrape_duration_seconds.*) \S+( \d{13})$", r"\1 ~\2", text, flags=re.M)
                text = "\n".join(sorted(re.sub(r" \d{13}$", " MOMENT", text, flags=re.M).split("\n")))  # series of a name have no order
        except (OSError, EOFError, zlib.error) as e:
            text = "undecodable: %s" % e
        try:
            value = json.loads(text)
            if self.unordered and isinstance(value, dict) and isinstance(value.get("data"), list):
                value["data"] = sorted(value["data"], key=json.dumps)
            if self.unordered and isinstance(value, dict) and isinstance(value.get("data"), dict) and isinstance(value["data"].get("result"), list):
                value["data"]["result"] = sorted(value["data"]["result"], key=json.dumps)
            for kind in ("warnings", "infos"):
                if isinstance(value, dict) and kind in value:
                    value[kind] = sorted(value[kind])
            value = without(blanked(ordered(value), self.blank), self.drop)
        except ValueError:
            value = text
        if self.shape and not isinstance(value, str):
            value = shape_of(value)
        return {"status": status, "headers": headers, "body": value}


def without(v, keys):
    if isinstance(v, list):
        return [without(x, keys) for x in v if not (isinstance(x, list) and len(x) == 2 and isinstance(x[0], str) and x[0] in keys)]
    return v


def shape_of(v):
    """Kinds and keys without values: for answers whose numbers belong to the program that gives them."""
    if isinstance(v, list):
        return [shape_of(x) for x in v[:1]] if v and not (isinstance(v[0], list) and len(v[0]) == 2 and isinstance(v[0][0], str)) else \
            [[k, shape_of(x)] for k, x in v]
    return type(v).__name__


def first_difference(a, b, path=""):
    if type(a) is type(b) and isinstance(a, list):
        for i, (x, y) in enumerate(zip(a, b)):
            if x != y:
                return first_difference(x, y, "%s[%d]" % (path, i))
        return "%s: %d and %d items: %s | %s" % (path, len(a), len(b), json.dumps(a[len(b):])[:300], json.dumps(b[len(a):])[:300])
    return "%s: %s | %s" % (path, json.dumps(a, ensure_ascii=False)[:400], json.dumps(b, ensure_ascii=False)[:400])


def differences(a, b):
    """(field, the reference's, Cairn's) of all that differs."""
    out = [("status", a["status"], b["status"])] if a["status"] != b["status"] else []
    out += [(h, a["headers"][h], b["headers"][h]) for h in HEADERS if a["headers"][h] != b["headers"][h]]
    if a["body"] != b["body"]:
        out.append(("body", a["body"], b["body"]))
    return out


def shown(field, x, y):
    return "  body " + first_difference(x, y) if field == "body" else "  %s: %s | %s" % (field, x, y)


# -- what is known to differ -------------------------------------------------------------------------------------


def words(header):
    return {w.strip() for w in (header or "").split(",") if w.strip()}


def subset(small, large):
    """Whether all of one answer's data is in the other's."""
    if not all(isinstance(v, list) and len(v) == 2 and v[0][1] == "success" for v in (small, large)):
        return False
    return all(item in large[1][1] for item in small[1][1])


def path_of(case):
    return case.path.split("?")[0]


def text_of(body):
    return body if isinstance(body, str) else json.dumps(body)


GO_TEXTS = re.compile(r"(s2|snappy): corrupt input|proto: |invalid character|dial tcp|wiretype|unexpected EOF")
# Answered there with where else to go, which is the web page of that name, or nothing.
LOST = re.compile(r"^/api/v1(/query/|/QUERY|/label/job/values/)?$")
NOT_SERVED = re.compile(r"^/(consoles/|debug/pprof/|user/|assets/|classic/)")

# (name, why, whether it explains this difference of field f: x at the reference, y at Cairn; a and b are both answers)
EXCEPTIONS = [
    ("vary", "what may be compressed says so on every path, not on the API's only",
     lambda c, f, x, y, a, b: f == "Vary" and words(x) <= words(y) and words(y) - words(x) <= {"Accept-Encoding", "Origin"}),
    ("head", "HEAD is answered wherever GET is, with the answer's headers",
     lambda c, f, x, y, a, b: c.method == "HEAD" and a["status"] in (405, 307, 301) or c.method == "HEAD" and f == "Content-Type" and x is None),
    ("allow", "HEAD is allowed wherever GET is, and Allow says so", lambda c, f, x, y, a, b: f == "Allow" and (words(x) | {"HEAD"} == words(y) | {"HEAD"} or x is None and a["status"] == 405)),
    ("options", "OPTIONS is answered by the path it names, without content: 204", lambda c, f, x, y, a, b: c.method == "OPTIONS" and (a["status"], b["status"]) in ((200, 204), (307, 204))),
    ("not served", "consoles, profiles of a Go program, the old web page", lambda c, f, x, y, a, b: bool(NOT_SERVED.match(path_of(c)))),
    ("lost redirects", "a slash at the end, or letters in another case, lead to the web page there, or to nothing",
     lambda c, f, x, y, a, b: a["status"] in (301, 307) and b["status"] in (404, 204) and bool(LOST.match(path_of(c)))),
    ("compression", "gzip or zstd, when that makes the answer smaller; deflate is not spoken",
     lambda c, f, x, y, a, b: f == "Content-Encoding" or f == "body" and b["headers"]["Content-Encoding"] == "zstd"),
    ("go texts", "the words of a library of Go", lambda c, f, x, y, a, b: f == "body" and bool(GO_TEXTS.search(first_difference(x, y)))),
    ("own version", "cairnVersion, cairnName and cairnBytes stand beside Prometheus' own members",
     lambda c, f, x, y, a, b: f == "body" and x == without(y, ("cairnVersion", "cairnName", "cairnBytes"))),
    ("flags", "those of the program's other roles, of agents and of Go are others", lambda c, f, x, y, a, b: f == "body" and path_of(c) == "/api/v1/status/flags"),
    ("features", "what Cairn has and has not", lambda c, f, x, y, a, b: f == "body" and path_of(c) == "/api/v1/features"),
    ("self metrics", "histograms of its own metrics have no native form, nor the time they were made",
     lambda c, f, x, y, a, b: f == "body" and path_of(c) == "/api/v1/status/self_metrics" and b["status"] == 200),
    ("label with a slash", "values of a label whose name has a slash can be asked for", lambda c, f, x, y, a, b: path_of(c) == "/api/v1/label/a%2Fb/values"),
    ("race", "a query whose time is over before it begins is refused in one of two ways there", lambda c, f, x, y, a, b: re.search(r"timeout=(0|0s|NaN|-1\w*)(&|$)", c.path) is not None),
    ("protobuf as text", "the text forms of protobuf are not written", lambda c, f, x, y, a, b: "encoding=text" in str(c.headers) or "compact-text" in str(c.headers)),
    ("openapi", "Cairn describes its own API in its own words", lambda c, f, x, y, a, b: path_of(c) == "/api/v1/openapi.yaml"),
    ("by samples", "names and values of the samples in the range; there, of whatever block or head overlaps it",
     lambda c, f, x, y, a, b: f == "body" and re.match(r"/api/v1/(labels|series|label/.*/values)$", path_of(c)) and subset(y, x)),
    ("limited values", "of more values than the limit the first are shown; there, those that were found first",
     lambda c, f, x, y, a, b: f == "body" and path_of(c).endswith("/values") and "limit=" in c.path and len(x[1][1]) == len(y[1][1])),
    ("search order", "what is searched without an order comes in that of a hash table there", lambda c, f, x, y, a, b: f == "body" and path_of(c).startswith("/api/v1/search/")
     and "sort_by" not in str(c) and ("limit" in str(c) or "batch_size" in str(c) or sorted(x) == sorted(y))),
    ("rules", "rules are listed, not evaluated, and their health says so",
     lambda c, f, x, y, a, b: f == "body" and path_of(c) == "/api/v1/rules" and without(x, RULE_STATE) == without(y, RULE_STATE)),
]
RULE_STATE = ("state", "health", "lastError", "alerts")


def explanation(case, field, x, y, a, b):
    return next((name for name, _, explains in EXCEPTIONS if explains(case, field, x, y, a, b)), None)


# -- requests ----------------------------------------------------------------------------------------------------


def both(path, params, **more):
    """The same parameters in the query string and as a form."""
    return [Case("GET", path, params, **more), Case("FORM", path, params, **more)]


TIMES = ["", "x", "1", "1.5", "1e3", "-1", "NaN", "Inf", "-Inf", "1e300", "0x10", "1_000", " 1", "2015-07-01T20:10:51.781Z", "2015-07-01T20:10:51",
         "2015-07-01T20:10:51+02:00", "2015-07-01t20:10:51z", "2015-07-01", "now", "-292273086-05-16T16:47:06Z",
         "+292277025-08-18T07:12:54.999999999Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1700000000.0001", "1.7e9", "9223372036854775807"]
DURATIONS = ["", "x", "0", "-1", "1", "1.5", "1e3", "1m", "1h30m", "1.5m", "-1m", "1m1h", "1d", "1y", "1ms", "300y", "1e20", "NaN", "Inf", "-Inf",
             " 1m", "5", "0s", "m", "1M", "0x10", "1_0"]
LIMITS = ["", "0", "1", "2", "10000000", "-1", "x", "1.5", "1e3", "+1", "0x1", " 1", "99999999999999999999", "9223372036854775807"]
SELECTORS = ["up", "{}", "", "a(", "{job=\"\"}", "{job=~\".*\"}", "{job!=\"api\"}", "up{", "up{job=\"api\"}", "{__name__=~\"up|constant\"}", "absent_metric",
             "up offset 5m", "up[5m]", "up@1", "sum(up)", "1", "{job=~\"(\"}", "{\"utf8.metric\"}", "{\"utf8.metric\", \"häuser\"=\"ü\"}", "{job=\"api\",job=\"web\"}",
             "{__name__=\"up\",__name__=\"constant\"}", "up{job=~\"api|web\",instance!~\"i[01]\"}", "{job=\"api\",}", "{,}", "up{job=\"api\" instance=\"i1\"}", "up{job=api}"]
QUERIES = ["up", "1", "\"text\"", "'a\\'b'", "up[1m]", "sum by (job) (up)", "up +", "", " ", "up{job=\"nope\"}", "time()", "vector(NaN)", "vector(1/0)", "-vector(1/0)",
           "vector(1e21)", "vector(1e-7)", "vector(0.1+0.2)", "native", "rate(native[5m])", "sum(rate(temperature[5m]))", "http_requests_total + on(job) up",
           "foo(up)", "rate(up)", "up[5m:1m]", "{__name__=~\".+\"}", "label_replace(up, \"x\", \"<&>\", \"\", \"\")", "topk(2, up)", "sort(temperature)",
           "count_values(\"v\", up)", "sum(native) + sum(temperature)", "histogram_quantile(2, latency_seconds_bucket)", "rate(constant[1m])", "scalar(up)",
           "limitk(2, up)", "info(up)", "up and on() vector(1)", "absent(nope{a=\"b\"})", "up @ 0", "up @ end()", "rate(up[5m] smoothed)", "1 == 1", "1 == bool 1",
           "sum(up) by (job) without (x)", "up{__name__=\"up\"}", "\"a\" + 1", "-\"a\"", "rate(http_requests_total[1m:])", "quantile(2, up)", "up offset up"]


def query_cases(start, end):
    at, window = str(end), [("start", str(start)), ("end", str(end)), ("step", "60")]
    q, r = "/api/v1/query", "/api/v1/query_range"
    out = []
    for text in QUERIES:
        out += both(q, [("query", text), ("time", at)], unordered=True)
        out += both(r, [("query", text)] + window)
        out += both("/api/v1/format_query", [("query", text)])
        out += both("/api/v1/parse_query", [("query", text)])
        out.append(Case("GET", "/api/v1/query_exemplars", [("query", text), ("start", str(start)), ("end", at)]))
    out += [Case("GET", q, [("query", "vector(1)"), ("time", t)]) for t in TIMES if t not in ("",)]
    for t in TIMES:
        out.append(Case("GET", r, [("query", "vector(1)"), ("start", t), ("end", t), ("step", "15")]))
        out.append(Case("GET", r, [("query", "vector(1)"), ("start", "0"), ("end", t), ("step", "1y")]))
    for d in DURATIONS:
        out += [Case("GET", q, [("query", "vector(1)"), ("time", at), ("timeout", d)])]
        out += [Case("GET", q, [("query", "up"), ("time", at), ("lookback_delta", d)])]
        out += [Case("GET", r, [("query", "vector(1)"), ("start", "100"), ("end", "200"), ("step", d)])]
        out += [Case("GET", r, [("query", "vector(1)"), ("start", "100"), ("end", "100"), ("step", d)])]
        out += [Case("GET", r, [("query", "sum(up)"), ("timeout", d)] + window), Case("GET", r, [("query", "sum(up)"), ("lookback_delta", d)] + window)]
    for n in LIMITS:
        for text in ("sort(up)", "vector(1)", "1", "\"a\"", "constant[2m]"):
            out.append(Case("GET", q, [("query", text), ("time", at), ("limit", n)]))
        out.append(Case("FORM", r, [("query", "sum by (instance) (up)"), ("limit", n)] + window))
    for s in ("all", "true", "false", "1", "x", "ALL"):
        for text in ("up", "1", "sum(rate(http_requests_total[5m]))", "rate(http_requests_total[5m:1m])", "native"):
            out.append(Case("GET", q, [("query", text), ("time", at), ("stats", s)], unordered=True))
            out.append(Case("GET", r, [("query", text), ("stats", s)] + window))
    out += [Case("GET", r, [("query", "up"), ("start", "0"), ("end", e), ("step", "1")]) for e in ("11000", "11000.5", "11001", "12000", "1e9")]
    out += [Case("GET", r, p) for p in ([], [("query", "up")], [("query", "up"), ("start", "1")], [("query", "up"), ("start", "1"), ("end", "2")],
                                        [("query", "up"), ("start", "2"), ("end", "1"), ("step", "1")], [("start", "1"), ("end", "2"), ("step", "1")])]
    out += [Case("GET", q, p) for p in ([], [("time", "x"), ("limit", "x"), ("query", "(")], [("query", "("), ("timeout", "x"), ("lookback_delta", "x")],
                                        [("query", "("), ("lookback_delta", "x")], [("query", "1"), ("query", "2"), ("time", "5"), ("time", "6")])]
    out += [Case("POST", q + "?query=1&time=5", body=b"query=2", headers={"Content-Type": "application/x-www-form-urlencoded"}),
            Case("POST", q + "?query=1&time=5", body=b"query=2", headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}),
            Case("POST", q + "?query=1&time=5", body=b"query=2", headers={"Content-Type": "text/plain"}),
            Case("POST", q + "?query=1&time=5", body=b"query=2"),
            Case("POST", q, body=b'{"query":"1"}', headers={"Content-Type": "application/json"}),
            Case("POST", q, body=b"query=%zz&time=1", headers={"Content-Type": "application/x-www-form-urlencoded"}),
            Case("GET", q + "?query=%zz&time=1"), Case("GET", q + "?query=1;time=1"), Case("GET", q + "?query=1&time=1&"), Case("GET", q + "?query=1+%2B+1&time=1"),
            Case("GET", q + "?query=%00&time=1"), Case("GET", q + "?query=%ff&time=1"), Case("GET", q + "?query=up%7Ba%3D%22%ff%22%7D&time=1"),
            Case("GET", "/api/v1/query_exemplars"), Case("GET", "/api/v1/query_exemplars", [("query", "up"), ("start", "2"), ("end", "1")]),
            Case("GET", "/api/v1/query_exemplars", [("query", "up"), ("start", "x")]), Case("GET", "/api/v1/query_exemplars", [("query", "up"), ("end", "x")]),
            Case("GET", "/api/v1/format_query"), Case("GET", "/api/v1/parse_query")]
    return out


def metadata_cases(start, end):
    out = []
    span = [("start", str(start)), ("end", str(end))]
    for s in SELECTORS:
        for path in ("/api/v1/series", "/api/v1/labels"):
            out += both(path, [("match[]", s)] + span, unordered=path.endswith("series"))
        out.append(Case("GET", "/api/v1/label/job/values", [("match[]", s)] + span))
        out.append(Case("GET", "/api/v1/series", [("match[]", [s, "constant"])] + span))
        out.append(Case("GET", "/api/v1/labels", [("match[]", ["constant", s])] + span))
        out.append(Case("GET", "/api/v1/label/job/values", [("match[]", ["constant", s])] + span))
        out.append(Case("GET", "/federate", [("match[]", s)], shape=True))
        out.append(Case("GET", "/api/v1/targets/metadata", [("match_target", s), ("metric", "a_total")], unordered=True))
    for n in LIMITS:
        out += [Case("GET", "/api/v1/labels", [("limit", n)] + span), Case("GET", "/api/v1/label/job/values", [("limit", n)] + span),
                Case("GET", "/api/v1/series", [("match[]", ["constant", "utf8.metric"]), ("limit", n)] + span),
                Case("GET", "/api/v1/series", [("match[]", ["constant", "few"]), ("limit", n)] + span),
                Case("GET", "/api/v1/series", [("match[]", "constant"), ("limit", n)] + span),
                Case("GET", "/api/v1/metadata", [("metric", "a_total"), ("limit", n)]),
                Case("GET", "/api/v1/metadata", [("metric", "a_total"), ("limit_per_metric", n)]),
                Case("GET", "/api/v1/targets/metadata", [("limit", n), ("metric", "a_total"), ("match_target", "{job=\"files\"}")]),
                Case("GET", "/api/v1/status/tsdb", [("limit", n)], shape=True)]
    for t in TIMES:
        for name in ("start", "end"):
            out += [Case("GET", "/api/v1/labels", [(name, t), ("match[]", "constant")]), Case("GET", "/api/v1/label/job/values", [(name, t), ("match[]", "constant")]),
                    Case("GET", "/api/v1/series", [(name, t), ("match[]", "constant")])]
    out += both("/api/v1/series", [("match[]", "constant"), ("start", "5"), ("end", "1")]) + both("/api/v1/series", []) + both("/api/v1/series", [("match", "up")])
    out += both("/api/v1/labels", [("match[]", "constant"), ("start", "5"), ("end", "1")])
    for name in ("job", "__name__", "nope", "häuser", "U__h_e4_user", "U__", "U___", "U__bad_zz_", "a b", "lab%20el", "a%2Fb", "a/b", "%ff", "", "9", "a-b"):
        out.append(Case("GET", "/api/v1/label/%s/values" % (urllib.parse.quote(name) if "%" not in name and "/" not in name else name), span))
    out += [Case("POST", "/api/v1/label/job/values"), Case("GET", "/api/v1/label/job"), Case("GET", "/api/v1/label/job/values/")]
    for m in ("a_total", "b_seconds", "b_seconds_bucket", "nope", "utf8.name", "d_gauge", "c_summary", ""):
        out += [Case("GET", "/api/v1/metadata", [("metric", m)]), Case("GET", "/api/v1/targets/metadata", [("metric", m), ("match_target", "{job=\"files\"}")], unordered=True)]
    return out


def operation_cases():
    out = []
    for state in ("", "any", "active", "dropped", "ACTIVE", "x"):
        out += [Case("GET", "/api/v1/targets", [("state", state)]), Case("GET", "/api/v1/targets", [("state", state), ("scrapePool", "files")])]
    out += [Case("GET", "/api/v1/targets", [("scrapePool", p)]) for p in ("app", "down & out", "nope")]
    out += [Case("GET", "/api/v1/scrape_pools"), Case("GET", "/api/v1/scrape_pools/config")]
    out += [Case("GET", "/api/v1/scrape_pools/config", [("scrapePool", p)]) for p in ("app", "down & out", "files", "nope", "")]
    for given in ("", "x", "{}", "[]", "null", "1", "{\"a\":1}", "{\"skip\":\"yes\"}", "{\"__meta_extra\":\"x\",\"gone_b\":\"1\",\"__address__\":\"h:1\"}", "{\"a\":\"b\"} x"):
        out += [Case("GET", "/api/v1/targets/relabel_steps", [("scrapePool", p), ("labels", given)]) for p in ("files", "app", "nope", "")]
    rules = [[("type", t)] for t in ("alert", "record", "ALERT", "x", "")] + [[("rule_name[]", n)] for n in ("Down", "nope", "job:up:sum")] + \
        [[("rule_group[]", n)] for n in ("alpha", "nope", "empty")] + [[("rule_group[]", ["alpha", "beta"])], [("match[]", "{team=\"a\"}")], [("match[]", "{team!=\"a\"}")],
         [("match[]", "{severity=~\"p.*\"}")], [("match[]", "{owner=\"me\"}")], [("match[]", "{templated=~\".+\"}")], [("match[]", "x(")], [("match[]", "{}")],
         [("exclude_alerts", "true")], [("exclude_alerts", "x")], [("exclude_alerts", "T")], [("exclude_alerts", "0")], [("rule_name[]", "Down"), ("rule_group[]", "alpha")],
         [("group_limit", "1")], [("group_limit", "0")], [("group_limit", "-1")], [("group_limit", "x")], [("group_limit", "100")], [("group_next_token", "x")],
         [("group_limit", "1"), ("group_next_token", "x")], [("file[]", "rules/one.yml")], [("file[]", "nope")], [("match[]", ["{team=\"a\"}", "{severity=\"page\"}"])],
         [("rule_group[]", "alpha"), ("group_limit", "1")], [("type", "alert"), ("group_limit", "1")], [("rule_name[]", "Down"), ("group_limit", "1")]]
    out += [Case("GET", "/api/v1/rules", p) for p in rules]
    out += [Case("GET", "/api/v1/" + p) for p in ("alerts", "alertmanagers", "status/config", "status/flags", "status/buildinfo", "status/walreplay", "notifications",
                                                "features", "openapi.yaml")]
    out += [Case("GET", "/api/v1/openapi.yaml", [("openapi_version", v)]) for v in ("3.1", "3.2", "x")]
    out += [Case("GET", "/api/v1/status/runtimeinfo"), Case("GET", "/api/v1/status/tsdb", shape=True),
            Case("GET", "/api/v1/status/tsdb/blocks"), Case("GET", "/api/v1/status/tsdb/x"), Case("GET", "/api/v1/status/self_metrics", [("metric_name_pattern", "prometheus_ready")]),
            Case("GET", "/api/v1/status/self_metrics", [("metric_name_pattern", "nope")]), Case("GET", "/api/v1/status/self_metrics", [("metric_name_pattern", "(")]),
            Case("GET", "/api/v1/status/self_metrics", [("metric_name_pattern", "prometheus_engine_queries")]),
            Case("GET", "/api/v1/status/self_metrics", [("metric_name_pattern", "prometheus_engine_query_duration_histogram_seconds")], shape=True),
            Case("GET", "/api/v1/status/self_metrics", [("metric_name_pattern", "prometheus_engine_query_duration_seconds")], shape=True),
            Case("GET", "/api/v1/status/self_metrics", shape=True)]
    return out


def search_cases(start, end):
    out = []
    span = [("start", str(start)), ("end", str(end))]
    for kind in ("metric_names", "label_names", "label_values"):
        path = "/api/v1/search/" + kind
        base = span + ([("label", "job")] if kind == "label_values" else []) + [("match[]", "{job=~\"api|web|db\",instance=~\"i.*\"}")]
        for more in ([], [("search[]", "a")], [("search[]", ["a", "up"])], [("search[]", "UP"), ("case_sensitive", "false")], [("search[]", "")], [("sort_by", "alpha")],
                     [("sort_by", "alpha"), ("sort_dir", "dsc")], [("sort_by", "alpha"), ("sort_dir", "x")], [("sort_dir", "asc")], [("sort_by", "score")],
                     [("sort_by", "score"), ("search[]", "tm")], [("sort_by", "score"), ("search[]", "e"), ("sort_dir", "asc")], [("sort_by", "x")],
                     [("include_score", "true"), ("search[]", "ap"), ("sort_by", "score")], [("include_score", "x")], [("include_metadata", "true")],
                     [("fuzz_threshold", "50"), ("search[]", "htpp"), ("fuzz_alg", "jarowinkler"), ("include_score", "true"), ("sort_by", "score")],
                     [("fuzz_threshold", "0"), ("search[]", "rqts"), ("include_score", "true"), ("sort_by", "score")],
                     [("fuzz_threshold", "x")], [("fuzz_threshold", "101")], [("fuzz_threshold", "-1")], [("fuzz_alg", "x")], [("case_sensitive", "x")], [("limit", "2")],
                     [("limit", "0")], [("limit", "x")], [("limit", "-1")], [("limit", "99999999")], [("batch_size", "1")], [("batch_size", "0")], [("batch_size", "x")],
                     [("match[]", "x(")], [("match[]", "{}")], [("start", "x")], [("end", "x")], [("start", "5"), ("end", "1")], [("search[]", ["x"] * 33)]):
            keys = {k for k, _ in more}
            params = [p for p in base if p[0] not in keys or p[0] == "match[]" and "match[]" not in keys] + more
            out += both(path, params)
        out.append(Case("GET", path, more))
    return out


def protocol_cases(start, end):
    out = []
    at = str(end)
    for path in ("/api/v1/query", "/api/v1/nope", "/api/v1", "/api/v1/", "/api", "/api/v2/query", "/nope", "/api/v1/query/", "/api/v1//query", "/api/v1/QUERY", "/api/v1/status",
                 "/api/v1/targets", "/-/healthy", "/-/ready", "/-/reload", "/-/quit", "/-/nope", "/-/healthy/", "/metrics", "/federate", "/version", "/graph", "/graph?g0.expr=up&g0.tab=0",
                 "/", "/api/v1/write", "/api/v1/read", "/api/v1/otlp/v1/metrics", "/api/v1/admin/tsdb/snapshot", "/api/v1/labels", "/api/v1/series", "/api/v1/rules",
                 "/api/v1/metadata", "/api/v1/status/config", "/classic/graph", "/consoles/x.html", "/debug/pprof/", "/user/x", "/assets/nope.js", "/favicon.nope", "/api/v1/search/metric_names",
                 "/api/v1/notifications", "/api/v1/alerts", "/api/v1/scrape_pools", "/api/v1/features"):
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"):
            if path == "/-/quit" and method in ("POST", "PUT") or method == "GET" and path in ("/metrics", "/", "/classic/graph", "/debug/pprof/") or path == "/api/v1/features" and method == "GET":
                continue
            if "snapshot" in path and method in ("POST", "PUT"):
                continue
            out.append(Case(method, path, shape=path in ("/metrics",)))
    q = [("query", "sum(up)"), ("time", at)]
    for origin in ("http://x", "null", ""):
        for path in ("/api/v1/query", "/api/v1/write", "/federate", "/metrics", "/api/v1/status/walreplay", "/-/healthy", "/api/v1/nope", "/api/v1/notifications", "/api/v1/features"):
            for method in ("GET", "OPTIONS"):
                if path == "/metrics" and method == "GET":
                    continue
                out.append(Case(method, path, q, headers={"Origin": origin, "Access-Control-Request-Method": "GET"}, shape=path == "/api/v1/features"))
    for encoding in ("gzip", "deflate", "zstd", "identity", "br", "gzip, deflate", "deflate, gzip", "zstd, gzip", "gzip;q=0", "*", "GZIP", "gzip;q=0.5, zstd;q=1", "x-gzip", "snappy"):
        for path, params in (("/api/v1/query", q), ("/api/v1/query", [("query", "{__name__=~\"latency.*|temperature\"}"), ("time", at)]), ("/api/v1/query", [("query", "(")]),
                             ("/api/v1/status/walreplay", []), ("/-/healthy", []), ("/version", []), ("/federate", [("match[]", "constant")]), ("/api/v1/nope", [])):
            out.append(Case("GET", path, params, headers={"Accept-Encoding": encoding}, unordered=True))
    for accept in ("application/json", "text/html", "*/*", "application/xml", "application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=0.0.1", "text/plain;version=1.0.0",
                   "text/plain; version=0.0.4; escaping=allow-utf-8", "application/openmetrics-text;version=1.0.0;escaping=underscores", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
                   "text/plain;version=1.0.0;escaping=allow-utf-8", "application/openmetrics-text;version=1.0.0;escaping=dots", "application/openmetrics-text;version=1.0.0;escaping=values,*/*;q=0.1",
                   "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=compact-text", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.7"):
        for path, params in (("/api/v1/query", q), ("/federate", [("match[]", ["a_total", "{\"utf8.name\"}", "d_gauge", "untyped_thing"])])):
            out.append(Case("GET", path, params, headers={"Accept": accept}))
    out += [Case("GET", "/federate", p) for p in ([], [("match[]", ["a_total", "a_total"])], [("match[]", "nope")], [("match[]", "{job=\"app\"}")], [("match[]", "b_seconds_bucket")],
                                                  [("match[]", ["up", "x("])])]
    return out


def admin_cases():
    out = []
    for path in ("delete_series", "clean_tombstones", "snapshot"):
        full = "/api/v1/admin/tsdb/" + path
        for params in ([], [("match[]", "x(")], [("match[]", "{}")], [("match[]", "nope"), ("start", "x")], [("match[]", "nope"), ("end", "x")], [("match[]", ["nope", "("])], [("skip_head", "x")],
                       [("match[]", "nope")], [("match[]", "few"), ("start", "5"), ("end", "1")], [("skip_head", "true")], [("skip_head", "1")], [("skip_head", "T")], [("skip_head", "no")]):
            out += [Case("POST", full, params, blank=("name",)), Case("FORM", full, params, blank=("name",))]
        out += [Case("PUT", full, [("match[]", "nope")], blank=("name",)), Case("GET", full), Case("DELETE", full)]
    return out


def write_cases():
    out = []
    path = "/api/v1/write"
    v1, v2 = "application/x-protobuf", "application/x-protobuf;proto=io.prometheus.write.v2.Request"
    for kind in (v1, v2, "application/x-protobuf;proto=prometheus.WriteRequest", "application/x-protobuf;proto=x", "text/plain", "", "application/json", v1 + ";charset=utf-8"):
        for encoding in ("snappy", "", "gzip", "zstd"):
            for body in (b"", b"\x00", b"garbage", b"\x05\x10hello"):
                out.append(Case("POST", path, body=body, headers={"Content-Type": kind, "Content-Encoding": encoding}))
    for body in (b"", b"garbage", b"\x00"):
        out.append(Case("POST", "/api/v1/read", body=body, headers={"Content-Type": v1, "Content-Encoding": "snappy"}))
    return out


def run(pair, o):
    start = int(time.time()) - 5400
    data = make_data(random.Random(5), start * 1000, 80)
    servers = [Server(pair.url(n)) for n in ("reference", "cairn")]
    for n in ("reference", "cairn"):
        push(pair.url(n), data)
    time.sleep(12)  # two scrapes of every target: the comparison is of servers that have been running
    end = start + 4500
    cases = query_cases(start, end) + metadata_cases(start, end) + operation_cases() + search_cases(start, end) + protocol_cases(start, end) + write_cases() + admin_cases()
    if o.only:
        cases = [c for c in cases if re.search(o.only, str(c))]
    different, unexplained, known = 0, 0, dict.fromkeys((name for name, _, _ in EXCEPTIONS), 0)
    for case in cases:
        try:
            a, b = (case.view(s.send(case.method, case.path, case.body, case.headers), s) for s in servers)
        except (OSError, http.client.HTTPException) as e:
            a, b = {"status": 0, "headers": dict.fromkeys(HEADERS), "body": ""}, {"status": 0, "headers": dict.fromkeys(HEADERS), "body": repr(e)}
        found = differences(a, b)
        different += bool(found)
        rest = []
        for field, x, y in found:
            name = explanation(case, field, x, y, a, b)
            if name:
                known[name] += 1
            else:
                rest.append(shown(field, x, y))
        unexplained += bool(rest)
        if rest and unexplained <= o.shown:
            print("%s\n%s" % (case, "\n".join(rest)), flush=True)
    for name, why, _ in EXCEPTIONS:
        print("%6d  %s: %s" % (known[name], name, why))
    print("%d of %d requests differ, %d unexplained" % (different, len(cases), unexplained))
    return 1 if unexplained else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prometheus")
    parser.add_argument("--cairn", default=PROGRAM)
    parser.add_argument("--flag", action="append", default=["--web.enable-admin-api", "--web.enable-lifecycle"], help="given to both")
    parser.add_argument("--shown", type=int, default=100000)
    parser.add_argument("--only", default="", help="regular expression of the requests to send")
    o = parser.parse_args()
    with Pair(o.prometheus, o.cairn, o.flag) as pair:
        return run(pair, o)


if __name__ == "__main__":
    sys.exit(main())
