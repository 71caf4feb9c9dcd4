#!/usr/bin/env python3
"""The public HTTP APIs of a running stack: what a script, an agent or a Grafana would send, and what it must get back."""
import gzip
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import Cases, Stack, snappy_literal, write_request  # noqa: E402

QUERIES = [
    "rate(flask_app_request_count[5m])",
    "histogram_quantile(0.95, rate(flask_app_request_duration_seconds_bucket[5m]))",
    "rate(flask_app_error_count[5m])",
    "sum by (endpoint) (rate(flask_app_request_count[5m]))",
    "sum by (status) (rate(flask_app_request_count[5m])) / on () group_left () sum(rate(flask_app_request_count[5m])) * 100",
    "flask_app_active_requests >= 0",
    "up",
    "up == 1",
    "avg_over_time(scrape_duration_seconds[5m])",
    "topk(3, flask_app_request_count)",
]
LOG_QUERIES = [
    '{job="flask-app"}',
    '{job="flask-app"} |~ "ERROR|error"',
    '{job="flask-app"} |= "api/data"',
]
ROUTES = ["/", "/api/data", "/api/users/<id>", "/api/slow", "/api/error", "/health", "/metrics"]


def demo_routes(cases, stack):
    for path, want in (("/", 200), ("/api/data", 200), ("/api/users/7", 200), ("/health", 200), ("/metrics", 200),
                       ("/nowhere", 404)):
        status, _ = stack.get("demo", path)
        cases.check(f"demo {path}", status == want, status)
    status, _ = stack.get("demo", "/api/error")
    cases.check("demo /api/error fails as it should", status == 500, status)
    body = stack.get("demo", "/metrics")[1].decode()
    for name in ("flask_app_request_count", "flask_app_request_duration_seconds_bucket", "flask_app_active_requests",
                 "flask_app_error_count", "flask_app_info", "flask_app_request_queue_depth"):
        cases.check(f"demo exposes {name}", f"\n{name}" in body)
    cases.check("unknown paths are counted as other", 'endpoint="other"' in body)
    cases.check("a user's path is counted by its route", 'endpoint="/api/users/<id>"' in body)
    _, om, headers = stack.request("demo", "/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    cases.check("OpenMetrics is negotiated", "openmetrics" in headers["Content-Type"] and om.endswith(b"# EOF\n"))
    cases.check("a counter without _total keeps its name in OpenMetrics", b"# TYPE flask_app_request_count unknown" in om)


def every_route_within_20_s(cases, stack):
    def seen():
        rows = stack.instant("sum by (endpoint) (flask_app_request_count)")
        return {r["metric"]["endpoint"] for r in rows} >= set(ROUTES)
    until = stack.started + 45  # 20 s of traffic and up to two scrapes
    cases.run("every route is hit early", lambda: bool(stack.wait_for("all routes", seen, max(5, until - time.monotonic()))))
    # Rates need two scrapes of every target, 10 s apart.
    stack.wait_for("two scrapes", lambda: len(stack.instant("count_over_time(up[1m]) >= 2 and up == 1")) >= 2)


def metric_queries(cases, stack):
    now = time.time()
    for query in QUERIES:
        rows = stack.instant(query)
        cases.check(f"instant {query}", len(rows) > 0, rows[:1])
        data = stack.get_json("metrics", "/api/v1/query_range", query=query, start=now - 300, end=now, step=15)
        cases.check(f"range {query}", data["status"] == "success" and data["data"]["resultType"] == "matrix" and
                    len(data["data"]["result"]) > 0)
    names = stack.get_json("metrics", "/api/v1/label/__name__/values")["data"]
    cases.check("label values list the demo's metrics", "flask_app_request_count" in names and names == sorted(names))
    labels = stack.get_json("metrics", "/api/v1/labels", **{"match[]": "flask_app_request_count"})["data"]
    cases.check("labels of a metric", labels == ["__name__", "endpoint", "instance", "job", "method", "status"], labels)
    series = stack.get_json("metrics", "/api/v1/series", **{"match[]": 'up{job="flask-app"}'})["data"]
    cases.check("series", len(series) == 1 and series[0]["job"] == "flask-app", series)
    targets = stack.get_json("metrics", "/api/v1/targets")["data"]["activeTargets"]
    cases.check("targets are up", len(targets) >= 2 and all(t["health"] == "up" for t in targets),
                [(t["scrapePool"], t["health"], t["lastError"]) for t in targets])
    meta = stack.get_json("metrics", "/api/v1/metadata", metric="flask_app_request_count")["data"]
    # OpenMetrics, which is what a scrape asks for first, knows no counter without _total.
    cases.check("metadata", meta["flask_app_request_count"][0]["type"] == "unknown" and
                meta["flask_app_request_count"][0]["help"], meta)
    build = stack.get_json("metrics", "/api/v1/status/buildinfo")["data"]
    cases.check("buildinfo", build["version"] == "3.14.0" and "cairnVersion" in build, build)


def bad_metric_input(cases, stack):
    for path, params, status, part in (
            ("/api/v1/query", {"query": "sum("}, 400, "unclosed left parenthesis"),
            ("/api/v1/query", {"query": "rate(up)"}, 400, "expected type range vector"),
            ("/api/v1/query", {}, 400, 'invalid parameter \\"query\\"'),
            ("/api/v1/query_range", {"query": "up", "start": 1, "end": 0, "step": 1}, 400, "end timestamp must not be before start"),
            ("/api/v1/query_range", {"query": "up", "start": 0, "end": 11001, "step": 1}, 400, "exceeded maximum resolution"),
            ("/api/v1/series", {}, 400, "no match[] parameter provided"),
            ("/api/v1/label/a-b{/values", {}, 200, "success")):
        code, body = stack.get("metrics", path, **params)
        cases.check(f"{path} {params} answers {status}", code == status and part.encode() in body, (code, body[:200]))
    code, _, _ = stack.request("metrics", "/api/v1/write", body=b"garbage", method="POST", headers={
        "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"})
    cases.check("garbage remote write answers 400", code == 400, code)
    code, _ = stack.get("metrics", "/api/v1/nowhere")
    cases.check("unknown path answers 404", code == 404, code)
    code, _, _ = stack.request("metrics", "/api/v1/query?query=up", method="DELETE")
    cases.check("wrong method answers 405", code == 405, code)


def remote_write(cases, stack):
    now = int(time.time() * 1000)
    status = stack.remote_write([({"__name__": "api_test", "case": "plain"}, [(now - 1000, 1.5), (now, 2.5)])])
    cases.check("remote write is accepted", status in (200, 204), status)
    rows = stack.instant('api_test{case="plain"}')
    cases.check("what was written is answered at once", rows and rows[0]["value"][1] == "2.5", rows)
    body = snappy_literal(write_request([({"__name__": "api_test", "case": "old"}, [(1000, 1.0)]),
                                         ({"__name__": "api_test", "case": "new"}, [(now, 7.0)])]))
    status, text, _ = stack.request("metrics", "/api/v1/write", body=body, method="POST", headers={
        "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"})
    cases.check("a mixed batch answers 400 and keeps what is good", status == 400 and
                stack.instant('api_test{case="new"}')[0]["value"][1] == "7", (status, text[:200]))


def log_queries(cases, stack):
    now = time.time_ns()
    for query in LOG_QUERIES:
        data = stack.get_json("logs", "/loki/api/v1/query_range", query=query, start=now - 600 * 10**9, end=now + 10**9)
        lines = [v for s in data["data"]["result"] for v in s["values"]]
        cases.check(f"{query}", data["data"]["resultType"] == "streams" and len(lines) > 0, data["data"]["result"][:1])
    data = stack.get_json("logs", "/loki/api/v1/query", query='rate({job="flask-app"}[5m])')["data"]
    cases.check("rate of lines", data["resultType"] == "vector" and float(data["result"][0]["value"][1]) > 0, data)
    labels = stack.get_json("logs", "/loki/api/v1/labels")["data"]
    cases.check("log labels", "job" in labels and "filename" in labels, labels)
    values = stack.get_json("logs", "/loki/api/v1/label/job/values")["data"]
    cases.check("log label values", "flask-app" in values, values)
    series = stack.get_json("logs", "/loki/api/v1/series", **{"match[]": '{job="flask-app"}'})["data"]
    cases.check("log series", series and series[0]["job"] == "flask-app", series)


def pushes(cases, stack):
    now = time.time_ns()
    status = stack.push_lines({"job": "api-test"}, [(now, "hello über"), (now + 1, 'with "quotes" and \\')])
    cases.check("push is accepted with 204", status == 204, status)
    body = gzip.compress(json.dumps({"streams": [{"stream": {"job": "api-test"}, "values": [[str(now + 2), "zipped"]]}]}).encode())
    status, _, _ = stack.request("logs", "/loki/api/v1/push", body=body, method="POST",
                                 headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})
    cases.check("gzip push is accepted", status == 204, status)
    data = stack.get_json("logs", "/loki/api/v1/query_range", query='{job="api-test"}', start=now - 10**9, end=now + 10**9,
                          direction="forward")
    lines = [v[1] for s in data["data"]["result"] for v in s["values"]]
    cases.check("pushed lines are answered at once, in order", lines == ["hello über", 'with "quotes" and \\', "zipped"], lines)
    for body, part in ((b"{", b""), (b'{"streams":[{"stream":{"a":"b"},"values":[["x","y"]]}]}', b""),
                       (b'{"streams":[{"stream":{},"values":[["1","y"]]}]}', b"")):
        status, text, _ = stack.request("logs", "/loki/api/v1/push", body=body, method="POST",
                                        headers={"Content-Type": "application/json"})
        cases.check(f"malformed push {body!r} answers 400", status == 400 and part in text, (status, text[:200]))
    for query, part in (("{", b"parse error"), ('{job="x"} |= ', b"parse error"), ("{}", b"parse error"),
                        ('{job=~".*"}', b"at least one")):
        status, text = stack.get("logs", "/loki/api/v1/query_range", query=query)
        cases.check(f"bad query {query} answers 400", status == 400 and part in text, (status, text[:200]))


def logs_explored(cases, stack):
    """What a user looks at before there is a query: volumes, labels, fields; and the API before v1."""
    now = time.time_ns()
    lines = [(now + i, json.dumps({"level": "info", "user": {"id": i}, "took": f"{i}ms"})) for i in range(5)]
    status = stack.push_lines({"job": "explore-test", "zone": "a"}, lines + [(now + 9, 'level=warn msg="two words" size=3kB')])
    cases.check("push of mixed lines", status == 204, status)
    span = {"start": now - 10**9, "end": now + 10**9}
    data = stack.get_json("logs", "/loki/api/v1/index/volume", query='{job="explore-test"}', **span)["data"]
    cases.check("volume by matcher names", data["resultType"] == "vector" and
                [r["metric"] for r in data["result"]] == [{"job": "explore-test"}] and
                int(data["result"][0]["value"][1]) >= sum(len(line) for _, line in lines), data["result"])
    data = stack.get_json("logs", "/loki/api/v1/index/volume", query='{job="explore-test"}', targetLabels="zone", **span)["data"]
    cases.check("volume by target labels", [r["metric"] for r in data["result"]] == [{"zone": "a"}], data["result"])
    data = stack.get_json("logs", "/loki/api/v1/detected_labels", query='{job="explore-test"}', **span)
    cases.check("detected labels", {"label": "zone", "cardinality": 1} in data["detectedLabels"], data)
    data = stack.get_json("logs", "/loki/api/v1/detected_fields", query='{job="explore-test"}', **span)
    fields = {f["label"]: f for f in data["fields"]}
    cases.check("detected fields of JSON", fields["user_id"]["type"] == "int" and fields["user_id"]["cardinality"] == 5 and
                fields["user_id"]["jsonPath"] == ["user", "id"], fields.get("user_id"))
    cases.check("detected fields of logfmt", fields["size"]["type"] == "bytes" and fields["size"]["parsers"] == ["logfmt"],
                fields.get("size"))
    data = stack.get_json("logs", "/loki/api/v1/detected_field/msg/values", query='{job="explore-test"}', **span)
    cases.check("values of a field", data["values"] == ["two words"], data)
    data = stack.get_json("logs", "/api/prom/query", query='{job="explore-test"}', limit=1, **span)
    cases.check("a query of the API before v1", data["streams"][0]["entries"][0]["line"].startswith("level=warn"), data["streams"])
    for path, params, part in (("index/volume", {"query": '{job="x"}', "aggregateBy": "x"}, b"invalid aggregation option"),
                               ("index/stats", {"query": '{job="x"} |= "y"'}, b"only label matchers are supported"),
                               ("tail", {"query": '{job="x"}', "delay_for": 9}, b"delay_for can't be greater than 5"),
                               ("query_range", {"query": '{job="x"}', "step": 0}, b"zero or negative query resolution")):
        status, text = stack.get("logs", "/loki/api/v1/" + path, **params)
        cases.check(f"bad {path} answers 400", status == 400 and part in text, (status, text[:200]))


def dashboards(cases, stack):
    found = stack.get_json("dashboards", "/api/search")
    cases.check("the shipped dashboards are found", {"cairn-app", "cairn-self"} <= {d["uid"] for d in found}, found)
    sources = stack.get_json("dashboards", "/api/datasources")
    cases.check("data sources", {"prometheus", "loki"} <= {s["type"] for s in sources}, sources)
    data = stack.get_json("dashboards", "/api/datasources/proxy/uid/prometheus/api/v1/query", query="up")
    cases.check("panels reach metrics through the proxy", data["status"] == "success" and data["data"]["result"])
    data = stack.get_json("dashboards", "/api/datasources/proxy/uid/loki/loki/api/v1/labels")
    cases.check("panels reach logs through the proxy", "job" in data["data"], data)
    model = {"title": "From the API", "uid": "from-api", "panels": [], "odd": 1.50}
    headers = {"Content-Type": "application/json"}

    def save(dashboard, **more):
        status, body, _ = stack.request("dashboards", "/api/dashboards/db", method="POST", headers=headers,
                                        body=json.dumps({"dashboard": dashboard, **more}).encode())
        return status, json.loads(body)
    status, answer = save(model)
    cases.check("a dashboard is saved", status == 200 and answer["version"] == 1 and answer["url"] == "/d/from-api/from-the-api", answer)
    loaded = stack.get_json("dashboards", "/api/dashboards/uid/from-api")["dashboard"]
    cases.check("and loaded with id and version", loaded["version"] == 1 and loaded["id"] > 0 and loaded["odd"] == 1.5, loaded)
    status, answer = save(dict(loaded, title="Renamed"))
    cases.check("an update counts its version", status == 200 and answer["version"] == 2, answer)
    status, answer = save(dict(loaded, title="Stale"))
    cases.check("a stale save answers 412 version-mismatch", status == 412 and answer["status"] == "version-mismatch", answer)
    status, _, _ = stack.request("dashboards", "/api/dashboards/db", method="POST", headers=headers, body=b"{oops")
    cases.check("broken JSON answers 400", status == 400, status)
    status, _, _ = stack.request("dashboards", "/api/dashboards/db", method="POST",
                                 headers=dict(headers, Origin="http://evil.example"), body=b"{}")
    cases.check("a foreign origin is refused", status == 403, status)
    status, body = stack.get("dashboards", "/d/cairn-app/application")
    cases.check("the page is served", status == 200 and b"cairn-role" in body, status)


def main():
    cases = Cases()
    with Stack() as stack:
        stack.started = time.monotonic()
        stack.wait_for("the demo's metrics", lambda: stack.instant('up{job="flask-app"} == 1'), 60)
        demo_routes(cases, stack)
        every_route_within_20_s(cases, stack)
        for part in (metric_queries, bad_metric_input, remote_write, log_queries, pushes, logs_explored, dashboards):
            cases.run(part.__name__, part, cases, stack)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
