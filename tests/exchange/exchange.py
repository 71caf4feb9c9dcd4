#!/usr/bin/env python3
"""cairn import openmetrics and text, cairn export: what goes in comes out, to the bit, and Debian's promtool and Prometheus
read it. Killed, repeated, on a disk that is full, with wrong flags. PROMETHEUS names another Prometheus to serve the export, PROMTOOL a promtool of 3.14 or newer to read start timestamps.
"""
import gzip
import json
import math
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import PROGRAM, Cases, Stack, free_port  # noqa: E402

STEP, SAMPLES, SERIES = 15, 1500, 60
T0 = int(time.time()) // 7200 * 7200 - 10 * 3600  # ten hours ago, at the begin of a block
ODD_LABEL = 'quote " backslash \\ line\nfeed é'


def cairn(*args, **more):
    return subprocess.run([PROGRAM, *args], capture_output=True, text=True, timeout=120, **more)


def promtool(*args):
    return subprocess.run(["promtool", "tsdb", *args], capture_output=True, text=True, timeout=120)


def bits(v):
    return "nan" if math.isnan(v) else struct.pack("<d", v).hex()


# -- the data: {labels: {time ms: value}} --------------------------------------------------------------------------------

def value(series, i):
    special = {3: math.nan, 7: math.inf, 11: -0.0, 13: 1e-310, 17: 123456789.123456789}
    return special.get((series * 31 + i) % 101, series * 1000 + i / 8 if series % 2 else float(i))


def make_data():
    data = {}
    for s in range(SERIES):
        labels = {"__name__": f"metric_{s % 6}", "instance": f"host-{s // 6}", "job": "exchange"}
        if s % 10 == 0:
            labels["odd"] = ODD_LABEL
        first = 0 if s % 4 else 200  # some begin later
        jitter = s * 7 % 50 if s % 3 else 0
        data[tuple(sorted(labels.items()))] = {
            (T0 + i * STEP) * 1000 + jitter: value(s, i) for i in range(first, SAMPLES)}
    return data


def escaped(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def series_text(labels):
    rest = ",".join(f'{k}="{escaped(v)}"' for k, v in labels if k != "__name__")
    return f"{dict(labels)['__name__']}{{{rest}}}"


def number(v):
    return "NaN" if math.isnan(v) else ("+Inf" if v > 0 else "-Inf") if math.isinf(v) else repr(v)


def openmetrics(data):
    lines = [f"{series_text(l)} {number(v)} {t / 1000:.3f}" for l, points in sorted(data.items()) for t, v in points.items()]
    return "\n".join(lines + ["# EOF", ""])


def text_by_time(data):
    """The other order: scrape after scrape, milliseconds."""
    lines = sorted((t, series_text(l), v) for l, points in data.items() for t, v in points.items())
    return "".join(f"{s} {number(v)} {t}\n" for t, s, v in lines)


LINE = re.compile(r"^\{(.*)\} (\S+) (-?\d+)$")
PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def dumped(folder):
    """What promtool tsdb dump prints, as the data."""
    out = promtool("dump", folder)
    if out.returncode:
        raise RuntimeError(out.stderr)
    data = {}
    for line in out.stdout.splitlines():
        labels, v, t = LINE.match(line).groups()
        unescape = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
        key = tuple(sorted((k, re.sub(r'\\[\\"n]', lambda m: unescape[m[0]], text)) for k, text in PAIR.findall(labels)))
        data.setdefault(key, {})[int(t)] = float(v)
    return data


def same(a, b):
    return a.keys() == b.keys() and all(
        a[k].keys() == b[k].keys() and all(bits(a[k][t]) == bits(b[k][t]) for t in a[k]) for k in a)


def count(data):
    return sum(map(len, data.values()))


def blocks(folder):
    names = sorted(n for n in os.listdir(folder) if re.fullmatch("[0-9A-Z]{26}", n)) if os.path.isdir(folder) else []
    return [json.load(open(f"{folder}/{n}/meta.json", encoding="utf-8")) for n in names]


# -- in ------------------------------------------------------------------------------------------------------------------

def imports(cases, dir, data):
    with open(f"{dir}/dump.om", "w", encoding="utf-8") as f:
        f.write(openmetrics(data))
    with gzip.open(f"{dir}/dump.txt.gz", "wt", encoding="utf-8", compresslevel=1) as f:
        f.write(text_by_time(data))
    out = cairn("import", "openmetrics", f"--data={dir}/a", f"{dir}/dump.om")
    cases.check("an OpenMetrics dump is imported", out.returncode == 0 and f"imported {count(data)} samples" in out.stdout,
                out)
    for kind, name in (("openmetrics", "dump.om"), ("text", "dump.txt.gz")):
        again = cairn("import", kind, f"--data={dir}/a", f"{dir}/{name}")
        # a NaN of text is the same NaN however it was written
        cases.check(f"importing it again as {kind} adds nothing",
                    again.returncode == 0 and f"imported 0 samples; {count(data)} were" in again.stdout, again)
    out = cairn("import", "text", f"--data={dir}/b", "--memory=16MiB", f"{dir}/dump.txt.gz")
    cases.check("a compressed dump in the order of time is imported in little memory",
                out.returncode == 0 and f"imported {count(data)} samples" in out.stdout, out)


def import_killed(cases, dir, data):
    for i in range(3):
        p = subprocess.Popen([PROGRAM, "import", "text", f"--data={dir}/k", "--memory=16MiB", f"{dir}/dump.txt.gz"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.02 + 0.05 * i)
        p.kill()
        p.wait()
    out = cairn("import", "text", f"--data={dir}/k", f"{dir}/dump.txt.gz")
    export = cairn("export", "--prometheus-blocks", f"--data={dir}/k", f"--to={dir}/k-out")
    cases.check("an import that was killed is completed by another", out.returncode == 0 and export.returncode == 0
                and same(dumped(f"{dir}/k-out"), data), (out, export))


def tenants(cases, dir):
    with open(f"{dir}/t.om", "w", encoding="utf-8") as f:
        f.write(f"a 1 {T0}\n# EOF\n")
    into = cairn("import", "openmetrics", "--tenant=acme", f"--data={dir}/t", f"{dir}/t.om")
    out = cairn("export", "--openmetrics", "--tenant=acme", f"--data={dir}/t", "--to=-")
    other = cairn("export", "--openmetrics", f"--data={dir}/t", "--to=-")
    cases.check("a tenant's samples are its own", into.returncode == 0 and out.stdout == f"a 1 {T0}\n# EOF\n"
                and other.returncode == 1 and "a 1" not in other.stdout, (into, out, other))


def import_errors(cases, dir):
    def refused(name, text, *words, kind="openmetrics"):
        with open(f"{dir}/bad", "w", encoding="utf-8") as f:
            f.write(text)
        out = cairn("import", kind, f"--data={dir}/bad-data", f"{dir}/bad")
        cases.check(f"import says where it is wrong: {name}",
                    out.returncode == 1 and all(w in out.stderr for w in words), out.stderr)
    refused("a line", 'a 1 1\nb{c="d 2 3\n# EOF\n', "bad:2:", "expected label value")
    refused("no timestamp", "a 1 1\n\na 2\n", "bad:3:", "timestamp", kind="text")
    refused("no end", "a 1 1\n", "does not end with # EOF")
    refused("the other format", "a 1 1000\n# EOF\n", "bad:2:", "openmetrics", kind="text")
    refused("milliseconds as seconds", "a 1 1700000000000\n# EOF\n", "bad:1:", "future")
    out = cairn("import", "openmetrics", f"--data={dir}/bad-data", f"{dir}/absent")
    cases.check("import names a file that is not there", out.returncode == 1 and "absent" in out.stderr, out.stderr)
    out = cairn("import", "csv", f"{dir}/bad")
    cases.check("import lists its kinds", out.returncode == 2 and "openmetrics" in out.stderr, out.stderr)


# -- out -----------------------------------------------------------------------------------------------------------------

def exports(cases, dir, data):
    out = cairn("export", "--prometheus-blocks", f"--data={dir}/a", f"--to={dir}/out")
    metas = blocks(f"{dir}/out")
    cases.check("blocks are exported", out.returncode == 0 and len(metas) == 4, (out, metas))
    cases.check("their times are aligned and their statistics true",
                sum(m["stats"]["numSamples"] for m in metas) == count(data)
                and all(m["minTime"] // 7200000 == (m["maxTime"] - 1) // 7200000 for m in metas), metas)
    listed = promtool("list", f"{dir}/out")
    cases.check("promtool lists them", all(m["ulid"] in listed.stdout for m in metas) and not listed.stderr, listed)
    for m in metas:
        out = promtool("analyze", f"{dir}/out", m["ulid"])
        cases.check("promtool analyzes one", out.returncode == 0 and f"Series: {m['stats']['numSeries']}" in out.stdout
                    and not out.stderr, out)
    cases.check("promtool dumps what was imported, to the bit", same(dumped(f"{dir}/out"), data))
    long = cairn("export", "--prometheus-blocks", "--block-range=6h", f"--data={dir}/b", f"--to={dir}/out6")
    cases.check("longer blocks hold the same", long.returncode == 0 and len(blocks(f"{dir}/out6")) <= 3
                and same(dumped(f"{dir}/out6"), data), long)


def export_choice(cases, dir, data):
    first, last = T0 + 3600, T0 + 10000
    out = cairn("export", "--prometheus-blocks", f"--data={dir}/a", f"--to={dir}/some", f"--from={first}",
                f"--until={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(last))}", '--match=metric_2{instance=~"host-[1-3]"}',
                "--thanos", "--label=replica=a", "--label=region=x \"y\"")
    want = {k: {t: v for t, v in points.items() if first * 1000 <= t <= last * 1000} for k, points in data.items()
            if dict(k)["__name__"] == "metric_2" and dict(k)["instance"] in ("host-1", "host-2", "host-3")}
    cases.check("times and a selector choose, both ends included", out.returncode == 0 and same(dumped(f"{dir}/some"), want), out)
    meta = blocks(f"{dir}/some")[0]
    thanos = meta.get("thanos", {})
    cases.check("meta.json has what Thanos looks for",
                thanos.get("labels") == {"replica": "a", "region": 'x "y"'} and thanos.get("downsample") == {"resolution": 0}
                and thanos.get("segment_files") == ["000001"]
                and [f["rel_path"] for f in thanos.get("files", [])] == ["chunks/000001", "index", "meta.json"], meta)


def export_text(cases, dir, data):
    out = cairn("export", "--openmetrics", f"--data={dir}/a", f"--to={dir}/again.om")
    back = cairn("import", "openmetrics", f"--data={dir}/c", f"{dir}/again.om")
    blocks_out = cairn("export", "--prometheus-blocks", f"--data={dir}/c", f"--to={dir}/c-out")
    cases.check("OpenMetrics out and in again is the same", out.returncode == 0 and back.returncode == 0
                and blocks_out.returncode == 0 and same(dumped(f"{dir}/c-out"), data), (out, back, blocks_out))
    made = promtool("create-blocks-from", "openmetrics", f"{dir}/again.om", f"{dir}/by-promtool")
    os.makedirs(f"{dir}/by-promtool/wal", exist_ok=True)
    cases.check("promtool makes the same of the text", made.returncode == 0 and same(dumped(f"{dir}/by-promtool"), data), made)
    piped = cairn("export", "--openmetrics", f"--data={dir}/a", "--to=-", "--match=metric_1")
    cases.check("text goes to a pipe", piped.returncode == 0 and piped.stdout.endswith("# EOF\n")
                and "metric_1{" in piped.stdout and "metric_2" not in piped.stdout, piped.stderr)


SIDES = f"""# HELP reqs_total Requests.
# TYPE reqs_total counter
reqs_total{{instance="a",job="x"}} 1 {T0}.5 st@{T0 - 100}.25 # {{s="q\\"x",trace_id="abc"}} 0.5 {T0}.125
reqs_total{{instance="a",job="x"}} 2 {T0 + 15}.5 st@{T0 - 100}.25
reqs_total{{instance="a",job="x"}} 5 {T0 + 30}.5 st@{T0 + 20} # {{}} 7 {T0 + 29}
reqs_total{{instance="a",job="x"}} 6 {T0 + 45}.5 st@{T0 + 20} # {{trace_id="of the same scrape"}} 8 {T0 + 29}
up{{instance="a",job="x"}} 1 {T0}.5
# EOF
"""


def sides(cases, dir):
    """Exemplars, start timestamps and metadata go out as they came in."""
    with open(f"{dir}/sides.om", "w", encoding="utf-8") as f:
        f.write(SIDES)
    plain = re.sub(r" st@\S+", "", SIDES)
    into = cairn("import", "openmetrics", f"--data={dir}/s", f"{dir}/sides.om")
    out = cairn("export", "--openmetrics", "--start-timestamps", f"--data={dir}/s", "--to=-")
    cases.check("exemplars, start timestamps and metadata come out as text", into.returncode == 0 and out.stdout == SIDES
                and "3 exemplars of 2 series" in out.stderr, (into, out))
    out = cairn("export", "--openmetrics", f"--data={dir}/s", "--to=-")
    cases.check("text that OpenMetrics 1.0 allows has no start timestamps, and that is said",
                out.stdout == plain and "4 samples have a start timestamp" in out.stderr, out)
    out = cairn("export", "--prometheus-blocks", f"--data={dir}/s", f"--to={dir}/s-out")
    cases.check("blocks for every Prometheus have none", out.returncode == 0 and "4 samples have a start" in out.stdout
                and len(dumped(f"{dir}/s-out")) == 2, out)
    out = cairn("export", "--prometheus-blocks", "--start-timestamps", f"--data={dir}/s", f"--to={dir}/s-starts")
    back = cairn("import", "prometheus", f"--from={dir}/s-starts", f"--data={dir}/s2")
    text = cairn("export", "--openmetrics", "--start-timestamps", f"--data={dir}/s2", "--to=-")
    cases.check("start timestamps come back from blocks that have them", out.returncode == 0 and back.returncode == 0
                and text.stdout == re.sub(r" # \{.*| *# (HELP|TYPE).*\n", "", SIDES), (out, back, text))
    if "PROMTOOL" in os.environ:  # one that is new enough
        new = subprocess.run([os.environ["PROMTOOL"], "tsdb", "dump", f"{dir}/s-starts"], capture_output=True, text=True, timeout=60)
        old = promtool("dump", f"{dir}/s-out")
        cases.check("a new promtool reads those", new.returncode == 0 and new.stdout == old.stdout, (new, old))


def export_errors(cases, dir):
    def refused(name, status, *words, args=(), to="new"):
        out = cairn("export", "--prometheus-blocks", f"--data={dir}/a", f"--to={dir}/{to}", *args)
        cases.check(f"export refuses {name}", out.returncode == status and all(w in out.stderr for w in words), out)
        cases.check(f"and writes nothing ({name})", to != "new" or not blocks(f"{dir}/new"), os.listdir(dir))
    refused("a folder with blocks of the same time", 1, "block of the same time", "empty folder", to="out")
    refused("a range without samples", 1, "the store has", args=("--until=2001-01-01T00:00:00Z",))
    refused("a range that ends first", 2, "--from=", args=("--from=20", "--until=10"))
    refused("no time", 2, "yesterday", args=("--from=yesterday",))
    refused("a wrong selector", 2, "parse error", args=("--match={",))
    refused("a crooked span", 2, "--block-range", args=("--block-range=3h",))
    refused("Thanos without labels", 2, "--label", args=("--thanos",))
    refused("a file as folder", 1, "dump.om", to="dump.om")
    out = cairn("export", "--prometheus-blocks", f"--data={dir}/nothing", f"--to={dir}/new")
    cases.check("export refuses a folder that is not there", out.returncode == 1 and "nothing/metrics" in out.stderr
                and not os.path.exists(f"{dir}/nothing"), out)
    out = cairn("export", "--openmetrics", f"--data={dir}/a", f"--to={dir}/dump.om")
    cases.check("export does not overwrite a file", out.returncode == 1 and "there already" in out.stderr, out)


def export_cut_off(cases, dir, data):
    def small_disk():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
    out = cairn("export", "--prometheus-blocks", f"--data={dir}/a", f"--to={dir}/full", preexec_fn=small_disk)
    left = os.listdir(f"{dir}/full")
    cases.check("files that cannot grow end an export with the reason", out.returncode == 1
                and f"{dir}/full: " in out.stderr and "make room" in out.stderr, out)
    cases.check("and nothing of it stays", not left, left)
    out = cairn("import", "openmetrics", f"--data={dir}/full-data", f"{dir}/dump.om", preexec_fn=small_disk)
    cases.check("an import that meets them says so", out.returncode == 1 and "full-data/metrics: " in out.stderr, out)
    out = cairn("import", "openmetrics", f"--data={dir}/full-data", f"{dir}/dump.om")
    cases.check("and can be repeated", out.returncode == 0 and f"imported {count(data)} samples" in out.stdout, out)
    for i in range(6):
        p = subprocess.Popen([PROGRAM, "export", "--prometheus-blocks", f"--data={dir}/a", f"--to={dir}/killed{i}"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.01 + 0.02 * i)
        p.send_signal(signal.SIGTERM if i % 2 else signal.SIGKILL)
        p.wait()
        folder = f"{dir}/killed{i}"
        metas = blocks(folder)
        os.makedirs(f"{folder}/wal", exist_ok=True)
        got = dumped(folder) if metas else {}
        spans = {m["minTime"] // 7200000 for m in metas}
        want = {k: {t: v for t, v in points.items() if t // 7200000 in spans} for k, points in data.items()}
        cases.check("a killed export leaves whole blocks only", same(got, {k: v for k, v in want.items() if v}), metas)
        if i % 2:
            cases.check("one that was told to stop removes what is half done",
                        not [n for n in os.listdir(folder) if "tmp" in n], os.listdir(folder))


# -- a running program, and Prometheus ------------------------------------------------------------------------------------

def ask(url, **params):
    with urllib.request.urlopen(f"{url}/api/v1/query_range?{urllib.parse.urlencode(params)}", timeout=30) as answer:
        return json.load(answer)["data"]


def prometheus_serves(cases, dir, stack):
    """The same questions to Cairn and to a Prometheus on the export."""
    shutil.copytree(f"{dir}/out", f"{dir}/prom")
    port = free_port()
    open(f"{dir}/empty.yml", "w", encoding="utf-8").close()
    program = os.environ.get("PROMETHEUS", "prometheus")
    p = subprocess.Popen([program, f"--config.file={dir}/empty.yml", f"--storage.tsdb.path={dir}/prom",
                          f"--web.listen-address=127.0.0.1:{port}"],
                         stdout=open(f"{dir}/prom.log", "wb"), stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    # Without ranges and sums, which Debian's old Prometheus computes in another way.
    queries = ["metric_0", 'metric_0{odd!=""}', "max by (instance) (metric_2)", "count by (__name__) ({job=\"exchange\"})",
               "min(metric_3)", "topk(3, metric_4)", "metric_5 > 100", "metric_1 * 2 + on (instance) metric_2 unless metric_0",
               "group by (odd) (metric_0)", "count_values(\"v\", metric_5 < 20)", "timestamp(metric_3)",
               "metric_2 offset 10m", "quantile(0.5, metric_1)", "abs(-metric_4)"]
    if "PROMETHEUS" in os.environ:
        queries += ["rate(metric_0[5m])", "sum by (instance) (rate(metric_1[5m]))", "avg_over_time(metric_3[10m])",
                    "deriv(metric_5[1h])", "stddev(metric_4)", "sum(metric_1)"]
    try:
        def ready():
            try:
                return urllib.request.urlopen(f"{url}/-/ready", timeout=5).status == 200
            except OSError:
                return False
        stack.wait_for("Prometheus on the export", ready)
        for query in queries:
            params = {"query": query, "start": T0 - 300, "end": T0 + SAMPLES * STEP + 300, "step": 61}
            want, got = ask(url, **params), ask(stack.url("metrics"), **params)
            cases.check(f"Prometheus on the export and Cairn agree: {query}", want == got and got["result"],
                        (str(want)[:300], str(got)[:300]))
    finally:
        p.terminate()
        p.wait(30)


def running(cases, dir):
    os.makedirs(f"{dir}/live")
    shutil.copytree(f"{dir}/a", f"{dir}/live/data")
    with Stack(demo=False, data=f"{dir}/live") as stack:
        out = cairn("import", "openmetrics", f"--data={dir}/live/data", f"{dir}/dump.om")
        cases.check("import refuses a folder that is in use, and says by whom",
                    out.returncode == 1 and str(stack.process.pid) in out.stderr and "stop" in out.stderr, out.stderr)
        now = int(time.time() * 1000)
        stack.remote_write([({"__name__": "fresh", "job": "x"}, [(now, 42.0)])])
        out = cairn("export", "--prometheus-blocks", f"--data={dir}/live/data", f"--to={dir}/live/out", "--match=fresh")
        cases.check("a running program's newest sample is exported", out.returncode == 0 and dumped(f"{dir}/live/out") ==
                    {(("__name__", "fresh"), ("job", "x")): {now: 42.0}}, out)
        left = [n for n in os.listdir(f"{dir}/live/data/snapshots") if n != "lock"]
        cases.check("and no snapshot is left", not left, left)
        prometheus_serves(cases, dir, stack)


def main():
    cases, data = Cases(), make_data()
    dir = tempfile.mkdtemp(prefix="cairn-exchange-")
    try:
        imports(cases, dir, data)
        cases.run("an import that is killed", import_killed, cases, dir, data)
        import_errors(cases, dir)
        tenants(cases, dir)
        exports(cases, dir, data)
        cases.run("a choice", export_choice, cases, dir, data)
        cases.run("text out", export_text, cases, dir, data)
        cases.run("exemplars and start timestamps", sides, cases, dir)
        export_errors(cases, dir)
        cases.run("an export that is cut off", export_cut_off, cases, dir, data)
        cases.run("a running program", running, cases, dir)
    finally:
        shutil.rmtree(dir, ignore_errors=True)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
