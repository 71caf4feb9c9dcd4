#!/usr/bin/env python3
"""A real Prometheus and Cairn side by side: one configuration, the same targets, rules and flags.

    pair.py PROMETHEUS [--cairn PROGRAM] [--flag=--web...] [--seconds N]

Started as a program it prints both URLs and keeps the two until it is interrupted or N seconds are over; api_diff.py,
promql_diff.py and compliance.py import it. Standard library only.
"""
import argparse
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import PROGRAM, free_port  # noqa: E402

FEATURES = ("promql-experimental-functions,promql-delayed-name-removal,promql-extended-range-selectors,"
            "promql-binop-fill-modifiers,promql-per-step-stats,exemplar-storage,search-api,concurrent-rule-eval,"
            "extra-scrape-metrics")

CONFIG = """
global:
  scrape_interval: 5s
  evaluation_interval: 30s
  external_labels: {{region: eu, replica: a}}
storage:
  tsdb: {{out_of_order_time_window: 3h}}
rule_files: ['rules/*.yml']
alerting:
  alertmanagers:
    - static_configs: [{{targets: ['127.0.0.1:1', '127.0.0.1:2']}}]
      relabel_configs:
        - {{source_labels: [__address__], regex: '127.0.0.1:2', action: drop}}
scrape_configs:
  - job_name: app
    static_configs:
      - targets: ['localhost:{app}', '127.0.0.1:{app}']
        labels: {{zone: z1}}
  - job_name: 'down & out'
    scrape_interval: 7s
    scrape_timeout: 3s
    metrics_path: /fail
    params: {{a: [b, c], 'x y': ['<z>']}}
    static_configs: [{{targets: ['127.0.0.1:{app}', '127.0.0.1:1']}}]
  - job_name: files
    honor_labels: true
    basic_auth: {{username: u, password: hush}}
    file_sd_configs: [{{files: ['sd/*.json'], refresh_interval: 1m}}]
    relabel_configs:
      - {{source_labels: [skip], regex: 'yes', action: drop}}
      - {{source_labels: [__meta_extra], target_label: extra}}
      - {{regex: 'gone.*', action: labeldrop}}
      - {{source_labels: [__address__], modulus: 8, target_label: shard, action: hashmod}}
    metric_relabel_configs:
      - {{source_labels: [__name__], regex: 'unwanted_.*', action: drop}}
"""

# Of intervals so long that the original does not get to evaluate them: Cairn does not, and their series would be in all answers.
RULES = {
    "one.yml": """
groups:
  - name: alpha
    interval: 300d
    limit: 5
    rules:
      - {record: 'job:up:sum', expr: 'sum by (job) (up)', labels: {team: a}}
      - {record: 'job:up:avg', expr: 'avg   by (job)   (up)'}
      - {alert: Down, expr: 'up == 0', for: 5m, keep_firing_for: 10m, labels: {severity: page, templated: '{{ $labels.job }}'}, annotations: {summary: 'down <b>'}}
  - name: beta
    interval: 300d
    labels: {owner: me}
    query_offset: 1m
    rules:
      - {alert: Always, expr: 'vector(1) > 2', labels: {severity: info}}
""",
    "two.yml": """
groups:
  - name: alpha
    interval: 300d
    rules:
      - {alert: Other, expr: 'absent(nothing{a="b"})', for: 1h30m}
  - name: empty
    rules: []
""",
}

EXPOSITION = """# HELP a_total What <it> is & "more".
# TYPE a_total counter
a_total{code="200"} 17
a_total{code="500"} 3
# HELP b_seconds A histogram.
# TYPE b_seconds histogram
b_seconds_bucket{le="0.1"} 1
b_seconds_bucket{le="1"} 4
b_seconds_bucket{le="+Inf"} 5
b_seconds_sum 9.25
b_seconds_count 5
# TYPE c_summary summary
c_summary{quantile="0.5"} 2
c_summary_sum 8
c_summary_count 4
# HELP d_gauge A gauge
# TYPE d_gauge gauge
d_gauge{path="/a\\"b\\\\c\\nd",empty=""} -2.5e-7
unwanted_thing 1
untyped_thing 1e21
{"utf8.name","lab el"="v"} 4
"""


class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802, the base class's name
        body = EXPOSITION.encode()
        self.send_response(500 if self.path.startswith("/fail") else 200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Pair:
    """Both programs; a context manager."""

    def __init__(self, prometheus, cairn=PROGRAM, flags=(), features=FEATURES, config=CONFIG):
        self.dir = tempfile.mkdtemp(prefix="cairn-pair-")
        self.programs = {"reference": [prometheus], "cairn": [cairn, "serve", "--role=metrics"]}
        self.flags = list(flags) + (["--enable-feature=" + features] if features else [])
        self.config, self.config_file, self.processes, self.ports = config, "prometheus.yml", {}, {}

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for p in self.processes.values():
            p.terminate()
        for p in self.processes.values():
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
        self.app.shutdown()
        shutil.rmtree(self.dir, ignore_errors=True)

    def url(self, name):
        return "http://127.0.0.1:%d" % self.ports[name]

    def write_files(self):
        for folder in ("rules", "sd"):
            os.makedirs(f"{self.dir}/{folder}")
        port = self.app.server_port
        files = {"prometheus.yml": self.config.format(app=port)}
        files.update({f"rules/{name}": text for name, text in RULES.items()})
        files["sd/t.json"] = json.dumps([
            {"targets": [f"127.0.0.1:{port}"], "labels": {"v": "1", "__meta_extra": "e", "gone_a": "x"}},
            {"targets": ["127.0.0.1:9"], "labels": {"skip": "yes"}}])
        for name, text in files.items():
            with open(f"{self.dir}/{name}", "w", encoding="utf-8") as f:
                f.write(text)

    def start(self):
        self.app = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
        threading.Thread(target=self.app.serve_forever, daemon=True).start()
        self.write_files()
        for name in self.programs:
            self.ports[name] = free_port()
            self.launch(name)
        for name in self.programs:
            self.wait_ready(name)

    def launch(self, name):
        args = self.programs[name] + [f"--config.file={self.config_file.format(name=name)}", f"--storage.tsdb.path={self.dir}/data-{name}",
                                      f"--web.listen-address=127.0.0.1:{self.ports[name]}", "--web.enable-remote-write-receiver"]
        with open(f"{self.dir}/{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen(args + self.flags, stdout=log, stderr=log, cwd=self.dir)

    def restart(self, kill=False):
        """Both end, by SIGKILL or SIGTERM, and come back over what they stored."""
        for p in self.processes.values():
            p.kill() if kill else p.terminate()
        for name, p in self.processes.items():
            p.wait(60)
            self.launch(name)
        for name in self.programs:
            self.wait_ready(name)

    def wait_ready(self, name, seconds=60):
        until = time.monotonic() + seconds
        while True:
            if self.processes[name].poll() is not None:
                with open(f"{self.dir}/{name}.log", errors="replace") as f:
                    raise RuntimeError(f"{name} ended:\n{f.read()[-3000:]}")
            try:
                with urllib.request.urlopen(self.url(name) + "/-/ready", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                if time.monotonic() > until:
                    raise RuntimeError(f"{name} was not ready in {seconds} s") from None
                time.sleep(0.1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prometheus")
    parser.add_argument("--cairn", default=PROGRAM)
    parser.add_argument("--flag", action="append", default=[], help="given to both")
    parser.add_argument("--seconds", type=float, default=3600)
    o = parser.parse_args()
    with Pair(o.prometheus, o.cairn, o.flag) as pair:
        print(pair.dir, pair.url("reference"), pair.url("cairn"), flush=True)
        try:
            time.sleep(o.seconds)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    sys.exit(main())
