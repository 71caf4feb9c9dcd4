#!/usr/bin/env python3
"""The metrics role as Prometheus' users start it: its own flags, a prometheus.yml, every endpoint, reload, remote write and read."""
import gzip
import http.server
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import PROGRAM, Cases, field, free_port, snappy_literal, varint, write_request  # noqa: E402

CONFIG = """
global:
  scrape_interval: 1s
  evaluation_interval: 15s
  external_labels: {{region: eu}}
rule_files: ['rules/*.yml']
scrape_configs:
  - job_name: 'prometheus'
    static_configs:
      - targets: ['localhost:{port}']
  - job_name: 'flask-app'
    metrics_path: '/metrics'
    scrape_interval: 1s
    basic_auth: {{username: u, password: hush}}
    static_configs:
      - targets: ['localhost:{app}']
  - job_name: files
    file_sd_configs: [{{files: ['sd/*.json']}}]
    relabel_configs:
      - {{source_labels: [skip], regex: 'yes', action: drop}}
"""
RULES = """
groups:
  - name: g
    rules:
      - {record: 'job:up:sum', expr: 'sum by (job) (up)'}
      - {alert: Down, expr: 'up == 0', for: 5m, labels: {severity: page}, annotations: {summary: down}}
"""


class App(http.server.BaseHTTPRequestHandler):
    """A target whose exposition the test decides."""
    body, status, seen = "a_total 1\n", 200, {}

    def do_GET(self):  # noqa: N802, the base class's name
        App.seen = dict(self.headers)
        self.send_response(App.status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(App.body.encode())

    def log_message(self, *_):
        pass


class Role:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="cairn-metrics-")
        self.port = free_port()
        self.app = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
        threading.Thread(target=self.app.serve_forever, daemon=True).start()
        os.makedirs(f"{self.dir}/rules")
        os.makedirs(f"{self.dir}/sd")
        self.write("rules/r.yml", RULES)
        self.write("sd/t.json", json.dumps([{"targets": [f"127.0.0.1:{self.app.server_port}"], "labels": {"v": "1"}},
                                            {"targets": ["127.0.0.1:1"], "labels": {"skip": "yes"}}]))
        self.write("prometheus.yml", CONFIG.format(port=self.port, app=self.app.server_port))

    def write(self, name, text):
        with open(f"{self.dir}/{name}.new", "w", encoding="utf-8") as f:
            f.write(text)
        os.replace(f"{self.dir}/{name}.new", f"{self.dir}/{name}")

    def start(self, *flags):
        self.log = open(f"{self.dir}/log", "ab")
        self.process = subprocess.Popen([PROGRAM, "serve", "--role=metrics", f"--config.file={self.dir}/prometheus.yml",
                                         f"--storage.tsdb.path={self.dir}/data", f"--web.listen-address=127.0.0.1:{self.port}",
                                         *flags], stdout=self.log, stderr=self.log)
        self.wait("readiness", lambda: self.get("/-/ready")[0] == 200)

    def stop(self):
        self.process.terminate()
        code = self.process.wait(30)
        self.log.close()
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.app.shutdown()
        shutil.rmtree(self.dir, ignore_errors=True)

    def wait(self, what, condition, seconds=30):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                value = condition()
                if value:
                    return value
            except (OSError, KeyError, IndexError):
                pass
            time.sleep(0.1)
        raise RuntimeError(f"waited {seconds} s for {what}\n{open(f'{self.dir}/log', errors='replace').read()[-2000:]}")

    def request(self, path, body=None, headers=None, method=None):
        req = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(req, timeout=30) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as e:
            return e.code, e.read(), e.headers

    def get(self, path, **params):
        status, body, _ = self.request(path + ("?" + urllib.parse.urlencode(params, doseq=True) if params else ""))
        return status, body

    def data(self, path, **params):
        status, body = self.get(path, **params)
        if status != 200:
            raise RuntimeError(f"{path} {params}: {status} {body[:300]!r}")
        return json.loads(body)["data"]

    def instant(self, query):
        return self.data("/api/v1/query", query=query)["result"]

    def value(self, query):
        rows = self.instant(query)
        return rows[0]["value"][1] if rows else None


def scraping(cases, role):
    role.wait("the application", lambda: role.value('a_total{job="flask-app"}') == "1")
    cases.check("a target is scraped with its credentials", App.seen.get("Authorization") == "Basic dTpodXNo", App.seen)
    cases.check("the scrape says how long it may take", App.seen.get("X-Prometheus-Scrape-Timeout-Seconds") == "1", App.seen)
    role.wait("the server's own metrics", lambda: role.value('prometheus_build_info{job="prometheus"}') == "1")
    role.wait("targets of the file", lambda: role.value('up{job="files",v="1"}') == "1")
    cases.check("external labels are not stored", "region" not in role.instant("up")[0]["metric"])
    App.body = "b_total 2\n"
    role.wait("the new series", lambda: role.value('b_total{job="flask-app"}') == "2")
    cases.check("a series that vanished is stale at once", role.instant('a_total{job="flask-app"}') == [])
    App.status = 500
    role.wait("the failure", lambda: role.value('up{job="flask-app"}') == "0")
    cases.check("a failed scrape makes its series stale", role.instant('b_total{job="flask-app"}') == [])
    errors = [t["lastError"] for t in role.data("/api/v1/targets")["activeTargets"] if t["scrapePool"] == "flask-app"]
    cases.check("the target says why", errors == ["server returned HTTP status 500 Internal Server Error"], errors)
    App.status, App.body = 200, "# HELP a_total What.\n# TYPE a_total counter\na_total 1\n"
    role.wait("the recovery", lambda: role.value('up{job="flask-app"}') == "1")
    role.write("sd/t.json", "[]")
    role.wait("staleness of a removed target", lambda: role.instant('up{job="files"}') == [])


def endpoints(cases, role):
    targets = role.data("/api/v1/targets")
    cases.check("targets", {t["scrapePool"] for t in targets["activeTargets"]} >= {"prometheus", "flask-app"} and
                "droppedTargetCounts" in targets, targets)
    pools = role.data("/api/v1/scrape_pools")["scrapePools"]
    cases.check("scrape pools", pools == ["files", "flask-app", "prometheus"], pools)
    config = role.data("/api/v1/status/config")["yaml"]
    cases.check("the configuration hides secrets", "hush" not in config and "<secret>" in config, config)
    flags = role.data("/api/v1/status/flags")
    cases.check("flags", flags["query.timeout"] == "2m" and flags["storage.tsdb.path"].endswith("/data"), flags)
    groups = role.data("/api/v1/rules")["groups"]
    rules = groups[0]["rules"]
    cases.check("rules are listed", [r["type"] for r in rules] == ["recording", "alerting"] and rules[1]["duration"] == 300, groups)
    only = role.data("/api/v1/rules", type="alert")["groups"][0]["rules"]
    cases.check("rules by type", [r["name"] for r in only] == ["Down"], only)
    cases.check("alerts", role.data("/api/v1/alerts") == {"alerts": []})
    cases.check("alertmanagers", role.data("/api/v1/alertmanagers") == {"activeAlertmanagers": [], "droppedAlertmanagers": []})
    features = role.data("/api/v1/features")
    cases.check("features", features["promql_functions"]["rate"] and features["api"]["lifecycle"], features["api"])
    meta = role.wait("metadata", lambda: role.data("/api/v1/metadata", metric="a_total").get("a_total"))
    cases.check("metadata", meta == [{"type": "counter", "help": "What.", "unit": ""}], meta)
    rows = role.data("/api/v1/targets/metadata", match_target='{job="flask-app"}', metric="a_total")
    cases.check("metadata by target", len(rows) == 1 and rows[0]["type"] == "counter" and "metric" not in rows[0], rows)
    tree = role.data("/api/v1/parse_query", query="sum(up)")
    cases.check("parse_query", tree["type"] == "aggregation" and tree["expr"]["type"] == "vectorSelector", tree)
    cases.check("format_query", role.data("/api/v1/format_query", query="sum(up)by(job)") == "sum by (job) (up)")
    steps = role.data("/api/v1/targets/relabel_steps", scrapePool="files", labels='{"skip":"yes"}')["steps"]
    cases.check("relabel steps", steps[0]["keep"] is False and steps[0]["output"] == {}, steps)
    status, body = role.get("/federate", **{"match[]": 'up{job="prometheus"}'})
    cases.check("federation adds external labels", status == 200 and b'job="prometheus",region="eu"} 1 ' in body, body)
    status, _, headers = role.request("/api/v1/query?query=up", headers={"Accept-Encoding": "gzip", "Origin": "http://x"})
    cases.check("CORS", headers["Access-Control-Allow-Origin"] == "http://x", dict(headers))
    status, body, headers = role.request("/metrics", headers={"Accept-Encoding": "gzip"})
    text = gzip.decompress(body) if headers["Content-Encoding"] == "gzip" else body
    for name in (b"prometheus_tsdb_head_series ", b"prometheus_target_interval_length_seconds{", b"prometheus_http_requests_total{",
                 b"prometheus_config_last_reload_successful 1", b"process_resident_memory_bytes ", b"prometheus_tsdb_compactions_failed_total 0",
                 b"prometheus_tsdb_head_series_created_total ", b'prometheus_target_metadata_cache_entries{scrape_job="flask-app"} ',
                 b"prometheus_rule_group_rules{", b'prometheus_engine_query_duration_seconds{slice="inner_eval",quantile="0.9"}',
                 b"prometheus_engine_query_samples_total ", b"process_network_receive_bytes_total ", b"prometheus_notifications_alertmanagers_discovered 0",
                 b"prometheus_rule_group_iterations_missed_total{", b'prometheus_sd_failed_configs{name="scrape"} 0', b"prometheus_remote_read_handler_queries 0"):
        cases.check(f"self-metric {name.decode()}", b"\n" + name in text)
    for path, params, status, part in (
            ("/api/v1/query", {"query": "up", "time": "x"}, 400, "invalid time value for 'time': cannot parse"),
            ("/api/v1/query", {"query": "up", "limit": "x"}, 400, 'strconv.Atoi: parsing \\"x\\": invalid syntax'),
            ("/api/v1/metadata", {"limit": "x"}, 400, "limit must be a number"),
            ("/api/v1/labels", {"match[]": "{}"}, 400, '"error":"match[] must contain at least one non-empty matcher"'),
            ("/api/v1/scrape_pools/config", {"scrapePool": "x"}, 400, "error retrieving scrape config"),
            ("/api/v1/rules", {"type": "x"}, 400, "not supported value"),
            ("/federate", {"match[]": "up("}, 400, "unexpected"),
            ("/-/reload", {}, 405, "Only POST or PUT requests allowed")):
        code, body = role.get(path, **params)
        cases.check(f"{path} {params} answers {status}", code == status and part.encode() in body, (code, body[:200]))
    code, body, _ = role.request("/api/v1/admin/tsdb/snapshot", method="POST")
    cases.check("admin is off unless asked for", code == 500 and b'"errorType":"unavailable"' in body, (code, body))


def plain_get(role, path, until, seconds=20):
    """What comes on a connection until the text `until` or the end."""
    with socket.create_connection(("127.0.0.1", role.port), timeout=seconds) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        got = b""
        while until not in got:
            piece = s.recv(65536)
            if not piece:
                break
            got += piece
        return got


def beside(cases, role):
    """What Prometheus has beside queries and targets."""
    status, body, headers = role.request("/api/v1/nowhere", method="OPTIONS", headers={"Origin": "http://x"})
    cases.check("OPTIONS below the API", status == 204 and headers["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS", (status, dict(headers)))
    status, _ = role.get("/api/v1/nowhere")
    cases.check("an unknown path of the API", status == 404, status)
    status, body = role.get("/nowhere")
    cases.check("an unknown page", status == 404 and body == b"404 page not found\n", (status, body[:80]))
    got = plain_get(role, "/graph?g0.expr=up&g0.tab=0", b"\r\n\r\n")
    cases.check("old links to the graph go on", b" 302 " in got and b"Location: /query?g0.expr=up&g0.tab=0" in got, got)
    cases.check("the home page", b"Location: /query" in plain_get(role, "/", b"\r\n\r\n"))
    blocks = role.data("/api/v1/status/tsdb/blocks")
    cases.check("blocks", blocks == {"blocks": []}, blocks)
    ready = role.data("/api/v1/status/self_metrics", metric_name_pattern="prometheus_ready")
    cases.check("a metric of its own as JSON", ready[0]["name"] == "prometheus_ready" and ready[0]["type"] == "GAUGE" and
                ready[0]["metric"] == [{"gauge": {"value": 1}}], ready)
    families = role.data("/api/v1/status/self_metrics")
    durations = next(f for f in families if f["name"] == "prometheus_http_request_duration_seconds")["metric"][0]["histogram"]
    cases.check("histograms too", durations["bucket"][0]["upperBound"] == 0.1 and int(durations["sampleCount"]) > 0, durations)
    status, body = role.get("/api/v1/status/self_metrics", metric_name_pattern="(")
    cases.check("a wrong pattern is refused", status == 400 and b"invalid metric_name_pattern" in body, body)
    status, body, _ = role.request("/api/v1/otlp/v1/metrics", body=b"", method="POST")
    cases.check("OTLP is off", status == 404 and b"--web.enable-otlp-receiver" in body, (status, body))
    for params in ({"query": "1", "limit": "99999999999999999999"}, {"query": "1", "time": "2015-07-01t20:10:51z"}, {"query": "1", "timeout": "-1"}):
        cases.check(f"{params} is refused", role.get("/api/v1/query", **params)[0] == 400)
    page = role.data("/api/v1/rules", group_limit="1")
    cases.check("a page of rules has one group, and its expressions are printed anew", len(page["groups"]) == 1 and
                page["groups"][0]["rules"][0]["labels"] == {} and page["groups"][0]["rules"][0]["query"] == "sum by (job) (up)", page)
    for limit, text in (("0", "group_limit needs to be greater than 0"), ("x", "group_limit needs to be a valid number")):
        status, body = role.get("/api/v1/rules", group_limit=limit)
        cases.check(f"group_limit={limit} is refused", status == 400 and text in body.decode(), body)


def hostile(cases, role):
    """What should hurt is refused or answered, and the server goes on."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for name, query, status, part in (
            ("a chain of 20,000 operators", "+".join(["up"] * 20000), 400, "at most 2000 operators"),
            ("100,000 parentheses", "(" * 100000, 400, "nested too deep"),
            ("4,000 values of a variable", 'up{instance=~"%s"}' % "|".join("host-%d.example.org:9100" % i for i in range(4000)), 200, "success"),
            ("a label of 5 MB", 'up{a="%s"}' % ("x" * 5000000), 200, "success"),
            ("a subquery of centuries", "sum_over_time(vector(1)[100y:1ms])", 422, "more than 50000000 steps"),
            ("a hostile expression", 'up{job=~"((a{1,1000}){1,1000}){1,1000}"}', 400, "invalid repeat count")):
        got, body, _ = role.request("/api/v1/query", body=urllib.parse.urlencode({"query": query}).encode(), method="POST", headers=form)
        cases.check(f"{name} answers {status}", got == status and part in body.decode(), (got, body[:200]))
    cases.check("and the server goes on", role.get("/api/v1/query", query="1")[0] == 200)


def live(cases, role):
    good = open(f"{role.dir}/prometheus.yml", encoding="utf-8").read()
    role.write("prometheus.yml", "nothing: here\n")
    role.request("/-/reload", method="POST")
    got = plain_get(role, "/api/v1/notifications/live", b"data: ")
    role.write("prometheus.yml", good)
    cases.check("notifications come as they are", b"text/event-stream" in got, got)
    follower = threading.Thread(target=lambda: role.seen.append(plain_get(role, "/api/v1/notifications/live", b'"active":false', 30)))
    role.seen = []
    follower.start()
    role.wait("a follower", lambda: b"prometheus_ready 1" in role.get("/metrics")[1])
    role.request("/-/reload", method="POST")
    follower.join(30)
    cases.check("and when they end", role.seen and b'"active":false' in role.seen[0] and b"reload has failed" in role.seen[0], role.seen)


def lines(body):
    return [json.loads(line) for line in body.splitlines()]


def search(cases, role):
    role.wait("metrics to search", lambda: role.value('prometheus_tsdb_head_series{job="prometheus"}'))
    path = "/api/v1/search/metric_names"
    status, body, headers = role.request(path + "?" + urllib.parse.urlencode(
        {"search[]": "a_total", "sort_by": "score", "include_score": "true", "include_metadata": "true", "limit": "1"}))
    cases.check("a search answers lines", status == 200 and headers["Content-Type"] == "application/x-ndjson; charset=utf-8" and
                lines(body) == [{"results": [{"name": "a_total", "score": 1, "type": "counter", "help": "What."}]},
                                {"status": "success", "has_more": True}], (status, body))
    status, body = role.get(path, **{"search[]": "tsdbhead", "match[]": '{job="prometheus"}', "batch_size": "2"})
    got = lines(body)
    names = [r["name"] for batch in got[:-1] for r in batch["results"]]
    cases.check("characters in their order match, in batches", "prometheus_tsdb_head_series" in names and names == sorted(names) and
                max(len(batch["results"]) for batch in got[:-1]) == 2 and got[-1] == {"status": "success", "has_more": False}, body)
    status, body = role.get(path, **{"search[]": "UP", "case_sensitive": "false", "include_score": "1", "fuzz_threshold": "100"})
    cases.check("case may be left aside", {"name": "up", "score": 1} in lines(body)[0]["results"], body)
    status, body = role.get(path, **{"search[]": "a_totla", "fuzz_alg": "jarowinkler", "fuzz_threshold": "95", "include_score": "true"})
    cases.check("a slip of the finger is forgiven", [(r["name"], round(r["score"], 6)) for r in lines(body)[0]["results"]] ==
                [("a_total", 0.971429)], body)
    status, body = role.get(path, **{"search[]": "total", "match[]": "a_total", "include_score": "true"})
    cases.check("gaps and what follows cost", abs(lines(body)[0]["results"][0]["score"] - (25 - 2 / 7) / 25 * 0.999) < 1e-12, body)
    status, body = role.get("/api/v1/search/label_names", **{"match[]": "up", "sort_by": "alpha", "sort_dir": "dsc"})
    cases.check("label names, descending", lines(body)[0] == {"results": [{"name": n} for n in ("v", "job", "instance", "__name__")]} or
                lines(body)[0] == {"results": [{"name": n} for n in ("job", "instance", "__name__")]}, body)
    status, body, _ = role.request("/api/v1/search/label_values", method="POST", body=b"label=job&search[]=prom",
                                   headers={"Content-Type": "application/x-www-form-urlencoded"})
    cases.check("label values by POST", lines(body)[0] == {"results": [{"value": "prometheus"}]}, body)
    status, body = role.get(path, **{"search[]": "no such thing"})
    cases.check("nothing found is a line too", lines(body) == [{"results": []}, {"status": "success", "has_more": False}], body)
    for params, text in (({"fuzz_threshold": "101"}, 'invalid fuzz_threshold "101": must be 0-100'),
                         ({"fuzz_alg": "x"}, 'unsupported fuzz_alg "x": must be one of [subsequence jarowinkler]'),
                         ({"sort_dir": "asc"}, "sort_dir is only valid when sort_by is set"),
                         ({"sort_by": "score"}, "sort_by=score requires search[] to be set"),
                         ({"sort_by": "x"}, 'invalid sort_by "x" for metric_names: must be "alpha" or "score"'),
                         ({"start": "2", "end": "1"}, "end timestamp must not be before start timestamp"),
                         ({"search[]": ["x"] * 33}, "too many search[] terms: got 33, maximum is 32"),
                         ({"limit": "0"}, 'invalid limit "0": must be a positive integer'),
                         ({"limit": "51"}, "limit 51 exceeds the configured maximum (50, see --web.search.max-limit)")):
        code, body = role.get(path, **params)
        cases.check(f"a search with {params} is refused", code == 400 and json.loads(body)["error"] == text, (code, body))
    code, body = role.get("/api/v1/search/label_values")
    cases.check("values of which label", code == 400 and json.loads(body)["error"] == 'missing required parameter "label"', body)


def reload(cases, role):
    good = open(f"{role.dir}/prometheus.yml", encoding="utf-8").read()
    role.write("prometheus.yml", good.replace("metrics_path", "metric_path"))
    status, body, _ = role.request("/-/reload", method="POST")
    cases.check("a wrong file is refused with its place", status == 500 and b"prometheus.yml:" in body and
                b'did you mean "metrics_path"?' in body, (status, body))
    cases.check("and the old one stays", role.value('up{job="flask-app"}') == "1")
    cases.check("the failure is notified", role.data("/api/v1/notifications")[0]["text"] == "Configuration reload has failed.")
    role.write("prometheus.yml", good.replace("job_name: 'flask-app'", "job_name: 'renamed'"))
    role.process.send_signal(signal.SIGHUP)
    role.wait("the renamed job", lambda: role.value('up{job="renamed"}') == "1")
    role.wait("staleness of the old name", lambda: role.instant('up{job="flask-app"}') == [])
    role.write("rules/r.yml", RULES.replace("up == 0", "up =="))
    status, body, _ = role.request("/-/reload", method="POST")
    cases.check("a wrong rule is refused with its place", status == 500 and b"r.yml:" in body and b"parse error" in body, (status, body))
    role.write("rules/r.yml", RULES)
    cases.check("a mended file is taken", role.request("/-/reload", method="POST")[0] == 200)


def remote_write_v2(cases, role):
    now = int(time.time() * 1000)
    words = ["", "__name__", "v2_total", "case", "a", "What."]
    series = field(1, bytes([1, 2, 3, 4])) + field(2, b"\x09" + struct.pack("<d", 2.5) + b"\x10" + varint(now)) + \
        field(5, b"\x08\x01\x18\x05")
    body = b"".join(field(4, w.encode()) for w in words) + field(5, series)
    headers = {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request", "Content-Encoding": "snappy",
               "X-Prometheus-Remote-Write-Version": "2.0.0"}
    status, text, got = role.request("/api/v1/write", body=snappy_literal(body), method="POST", headers=headers)
    cases.check("remote write 2.0 is stored and counted", status == 204 and
                got["X-Prometheus-Remote-Write-Samples-Written"] == "1" and role.value('v2_total{case="a"}') == "2.5", (status, text))
    cases.check("its metadata too", role.data("/api/v1/metadata", metric="v2_total")["v2_total"][0]["help"] == "What.")
    late = write_request([({"__name__": "future"}, [(now + 3600_000, 1.0)])])
    status, text, _ = role.request("/api/v1/write", body=snappy_literal(late), method="POST",
                                   headers={"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"})
    cases.check("an hour ahead is out of bounds", status == 400 and b"out of bounds" in text, (status, text))
    status, _, _ = role.request("/api/v1/write", body=snappy_literal(late), method="POST", headers={"Content-Type": "text/plain"})
    cases.check("another media type answers 415", status == 415, status)
    status, _, _ = role.request("/api/v1/write", body=b"x", method="POST", headers={"Content-Type": "text/plain"})
    cases.check("but broken snappy answers 400 first, as Prometheus does", status == 400, status)


def remote_read(cases, role):
    now = int(time.time() * 1000)
    query = b"\x08" + varint(now - 600_000) + b"\x10" + varint(now) + \
        field(3, field(2, b"__name__") + field(3, b"up")) + field(3, field(2, b"region") + field(3, b"eu"))
    for accepted, kind in ((b"", "application/x-protobuf"), (b"\x10\x01", "application/x-streamed-protobuf")):
        status, body, headers = role.request("/api/v1/read", body=snappy_literal(field(1, query) + accepted), method="POST",
                                             headers={"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"})
        cases.check(f"remote read as {kind}", status == 200 and headers["Content-Type"].startswith(kind) and b"region" in body,
                    (status, headers["Content-Type"], body[:100]))
    status, _, _ = role.request("/api/v1/read", body=b"garbage", method="POST")
    cases.check("garbage answers 400", status == 400, status)


def wrong_starts(cases, role):
    for name, text, part in (("keys", "scrape_config: []\n", "did you mean"), ("values", "global: {scrape_interval: x}\n", "duration")):
        role.write(f"{name}.yml", text)
        out = subprocess.run([PROGRAM, "serve", "--role=metrics", f"--config.file={role.dir}/{name}.yml",
                              f"--storage.tsdb.path={role.dir}/other", f"--web.listen-address=127.0.0.1:{free_port()}"],
                             capture_output=True, timeout=30)
        error = out.stderr.decode()
        cases.check(f"wrong {name} end the start with 2 and a place", out.returncode == 2 and f"{name}.yml:1:" in error and
                    part in error, (out.returncode, error))
    out = subprocess.run([PROGRAM, "serve", "--role=metrics", "--web.enable-lifecycl"], capture_output=True, timeout=30)
    cases.check("a wrong flag names the nearest", out.returncode == 2 and b"--web.enable-lifecycle" in out.stderr, out.stderr)


def main():
    cases = Cases()
    role = Role()
    try:
        role.start("--web.enable-lifecycle", "--web.enable-remote-write-receiver", "--enable-feature=search-api",
                   "--web.search.max-limit=50")
        for part in (scraping, endpoints, beside, hostile, search, remote_write_v2, remote_read, reload, live, wrong_starts):
            cases.run(part.__name__, part, cases, role)
        status, body, _ = role.request("/-/quit", method="POST")
        cases.check("quit says goodbye", status == 200 and b"Goodbye" in body, (status, body))
        cases.check("and ends in good order", role.process.wait(30) == 0)
    finally:
        role.close()
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
