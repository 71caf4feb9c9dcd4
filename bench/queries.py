#!/usr/bin/env python3
"""Range and instant queries of many shapes on the same data: CPU time of Cairn, Prometheus and VictoriaMetrics, end to end over HTTP.

Usage: queries.py [TARGETS] [SCRAPES] [STEP_SECONDS] [SCRAPE_SECONDS]; defaults 20 960 60 15 (about 11,000 series over 4 hours).
    queries.py 20 2016 600 300     seven days        queries.py 200 180 60 120    110,000 series, six hours
Data come from a capture of node exporter (CAPTURE, or build/bench/node.cap, made when absent) and a made-up histogram, through remote
write: what lies two hours back is in blocks on disk by then. CAIRN, PROMETHEUS and VICTORIAMETRICS name other programs. Each query runs
once unmeasured and ROUNDS times measured, when the server's other work is done; the result caches of Cairn and VictoriaMetrics are
passed by, unless WARM=1. SHAPE=TEXT: only the queries that contain it. Ranges of five and ten minutes are three times as long
where scrapes are rarer than one in two minutes. Prints
milliseconds of server CPU a query, the number of points answered, and the ratios.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "lib"))
from stack import ROOT, free_port  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "3"))
WARM = os.environ.get("WARM") == "1"
SPENT_SECONDS_MAX = 2  # of CPU on one shape
SHAPES = [
    "node_load1", "sum(node_load1)", "avg by (instance) (node_cpu_seconds_total)", "max by (mode) (node_cpu_seconds_total)",
    "count(node_cpu_seconds_total)", "rate(node_cpu_seconds_total[5m])", "sum(rate(node_cpu_seconds_total[5m]))",
    "sum by (mode) (rate(node_cpu_seconds_total[5m]))", "sum by (instance) (rate(node_cpu_seconds_total{mode!=\"idle\"}[5m]))",
    "increase(node_context_switches_total[1h])", "irate(node_network_receive_bytes_total[5m])",
    "avg_over_time(node_memory_MemFree_bytes[10m])", "max_over_time(node_load1[30m])", "quantile_over_time(0.9, node_load1[30m])",
    "stddev_over_time(node_load1[10m])", "topk(5, node_memory_MemFree_bytes)", "quantile(0.9, node_load1)",
    "node_memory_MemFree_bytes / node_memory_MemTotal_bytes",
    "1 - node_filesystem_avail_bytes / on (instance, device, mountpoint) node_filesystem_size_bytes",
    "sum by (instance) (rate(node_cpu_seconds_total{mode=\"user\"}[5m])) / on (instance) group_left () count by (instance) (node_cpu_seconds_total{mode=\"user\"})",
    "node_load1 > 0.5 and on (instance) node_load5 > 0.5", "node_load1 or node_load5", "absent(node_nothing)",
    "max_over_time(sum(rate(node_cpu_seconds_total[5m]))[1h:5m])", "histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
    "histogram_quantile(0.99, sum by (le, instance, path) (rate(http_request_duration_seconds_bucket[5m])))",
    "count({__name__=~\".+\"})", "count by (__name__) ({__name__=~\"node_.*\"})", "sum by (instance) ({__name__=~\"node_(load1|load5|load15)\"})",
    "count({instance=~\"host-(1|3|5|7).*\", __name__=~\"node_network_.*_total\"})", "label_replace(node_load1, \"short\", \"$1\", \"instance\", \"([^:]+):.*\")",
    "rate(node_cpu_seconds_total[5m]) * on (instance) group_left (nodename) node_uname_info",
    "topk(10, sum by (instance, mode) (rate(node_cpu_seconds_total[5m])))", "absent_over_time(node_nothing[10m])",
    "count by (instance) ({__name__=~\"node_(cpu|disk|network|filesystem)_.*\", instance=~\".*[02468]:9100\"})",
    "sum by (__name__) ({__name__=~\"node_(memory|vmstat|netstat)_.+\", job!~\"a.*|b.*\"})", "changes(node_memory_MemFree_bytes[1h])",
    "avg_over_time(rate(node_network_receive_bytes_total[5m])[30m:1m])", "avg(node_filesystem_avail_bytes)",
    "sort_desc(node_load1)", "deriv(node_memory_MemFree_bytes[10m])", "predict_linear(node_filesystem_avail_bytes[1h], 3600)",
]


def cpu_seconds(pid):
    """Of all threads of the process, those that have ended included, to the nanosecond (clock_getcpuclockid)."""
    return time.clock_gettime((~pid << 3) | 2)


class Server:
    def __init__(self, name, command, ready, work):
        self.name, self.port = name, free_port()
        self.dir = f"{work}/{name}"
        os.makedirs(self.dir)
        config = f"{work}/empty.yml"
        with open(config, "w") as f:
            f.write("global: {scrape_interval: 1h}\n")
        args = [a.format(port=self.port, dir=self.dir, config=config) for a in command]
        self.process = subprocess.Popen(args, stdout=open(f"{work}/{name}.log", "w"), stderr=subprocess.STDOUT)
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}{ready}", timeout=2)
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"{name} did not start: {open(f'{work}/{name}.log').read()[-500:]}")

    def query(self, expr, start, end, step):
        form = {"query": expr, "start": start, "end": end, "step": step} | ({} if WARM else {"nocache": 1})
        form = urllib.parse.urlencode(form).encode()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query_range", data=form, timeout=600) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as e:
            return e.read().decode(errors="replace")[:120]

    def settle(self):
        """Waits until the server is idle: flushes, merges and compactions are not part of a query."""
        for _ in range(90):
            before = cpu_seconds(self.process.pid)
            time.sleep(1)
            if cpu_seconds(self.process.pid) - before < 0.03:
                return

    def cost(self, expr, start, end, step):
        """(milliseconds of CPU a query, points) or (None, reason)."""
        result = self.query(expr, start, end, step)
        if isinstance(result, str):
            return None, result
        before, n = cpu_seconds(self.process.pid), 0
        spent = 0
        while (n < ROUNDS or spent < 0.2 and n < 50 * ROUNDS) and spent < SPENT_SECONDS_MAX:
            self.query(expr, start, end, step)
            n += 1
            spent = cpu_seconds(self.process.pid) - before
        return (cpu_seconds(self.process.pid) - before) * 1000 / n, sum(len(s["values"]) for s in result)


def main():
    targets, scrapes, step, interval = (int(sys.argv[i]) if len(sys.argv) > i else d for i, d in ((1, 20), (2, 960), (3, 60), (4, 15)))
    capture = os.environ.get("CAPTURE", f"{ROOT}/build/bench/node.cap")
    if not os.path.exists(capture):
        os.makedirs(os.path.dirname(capture), exist_ok=True)
        subprocess.run([f"{ROOT}/bench/node_capture.py", capture], check=True)
    work = tempfile.mkdtemp(prefix="cairn-bench-")
    programs = [("cairn", [os.environ.get("CAIRN", f"{ROOT}/build/cairn"), "serve", "--role=metrics", "--config.file={config}",
                           "--storage.tsdb.path={dir}", "--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver"], "/-/ready"),
                ("prometheus", [os.environ.get("PROMETHEUS", "prometheus"), "--config.file={config}", "--storage.tsdb.path={dir}",
                                "--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver"], "/-/ready"),
                ("victoriametrics", [os.environ.get("VICTORIAMETRICS", "victoria-metrics"), "-storageDataPath={dir}",
                                     "-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=1",
                                     "-http.connTimeout=2h"] + ([] if WARM else ["-search.disableCache"]), "/health")]
    servers = [Server(n, c, r, work) for n, c, r in programs if shutil.which(c[0])]
    try:
        loads = [subprocess.Popen([f"{ROOT}/build/bench/write_load_bench", f"--url=127.0.0.1:{s.port}/api/v1/write", f"--capture={capture}",
                            f"--targets={targets}", f"--scrapes={scrapes}", "--connections=1", f"--interval={interval}", "--histograms"],
                                  stdout=subprocess.DEVNULL) for s in servers]
        if any([p.wait() for p in loads]):
            raise RuntimeError("a server refused samples")
        time.sleep(8)  # VictoriaMetrics' delay until samples are searchable
        for s in servers:
            s.settle()
        end = time.time() // step * step - step
        start = end - scrapes * interval + 600
        print(f"{'query':84} {'points':>8} " + " ".join(f"{s.name[:12] + ' ms':>16}" for s in servers) + "   ratios to Cairn")
        for expr in [s for s in SHAPES if os.environ.get("SHAPE", "") in s]:
            expr = expr.replace("[5m]", "[15m]").replace("[10m]", "[30m]") if interval > 120 else expr
            costs = [s.cost(expr, start, end, step) for s in servers]
            mine = costs[0][0]
            ratios = [f"{c[0] / mine:.1f}x" if c[0] is not None and mine else "-" for c in costs[1:]]
            cells = " ".join(f"{c[0]:16.2f}" if c[0] is not None else f"{'refused':>16}" for c in costs)
            print(f"{expr[:84]:84} {costs[0][1] if mine is not None else '-':>8} {cells}   {' '.join(ratios)}", flush=True)
    finally:
        for s in servers:
            s.process.kill()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
