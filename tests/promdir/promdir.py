#!/usr/bin/env python3
"""A real Prometheus fills a data directory (backfilled blocks, compacted blocks, tombstones, native histograms, a log cut off
by SIGKILL); then the same Prometheus and Cairn answer the same queries over copies of it, and every answer must be equal."""
import hashlib
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import PROGRAM, Cases, free_port  # noqa: E402

PROMETHEUS = os.environ.get("PROMETHEUS", "prometheus")
PROMTOOL = os.environ.get("PROMTOOL", "promtool")
FEATURES = os.environ.get("PROMETHEUS_FEATURES", "native-histograms,exemplar-storage")
SCRAPE_S = float(os.environ.get("PROMDIR_SCRAPE_S", "14"))
LATE = "storage: {tsdb: {out_of_order_time_window: 1h}}\n"
HOUR = 3600
ORIGINALS = ("wal", "wbl", "chunks_head")


def get(port, path, **params):
    url = f"http://127.0.0.1:{port}{path}" + ("?" + urllib.parse.urlencode(params, doseq=True) if params else "")
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as e:
        return {"data": e.read().decode()}


def version():
    out = subprocess.run([PROMETHEUS, "--version"], capture_output=True, text=True)
    found = re.search(r"version (\d+)\.(\d+)", out.stdout + out.stderr)
    return (int(found[1]), int(found[2])) if found else (3, 14)  # built without a version: a recent one


class Server:
    """A process with an HTTP port that is asked until it is ready."""

    def __init__(self, args, port, log):
        self.port, self.log = port, log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(args, stdout=out, stderr=out)

    def __enter__(self):
        until = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5) as answer:
                    if answer.status == 200:
                        return self
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > until:
                self.process.kill()
                with open(self.log, errors="replace") as f:
                    raise RuntimeError(f"{self.process.args[0]} is not ready:\n" + f.read()[-3000:])
            time.sleep(0.05)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def prometheus(data, config, log, *more):
    port = free_port()
    return Server([PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={data}", "--storage.tsdb.retention.time=10y",
                   f"--web.listen-address=127.0.0.1:{port}", f"--enable-feature={FEATURES}", *more], port, log)


def cairn(data, config, log, *more):
    port = free_port()
    return Server([PROGRAM, "serve", "--role=metrics", f"--config.file={config}", f"--storage.tsdb.path={data}",
                   f"--web.listen-address=127.0.0.1:{port}", *(more or ("--storage.tsdb.retention.time=10y",))], port, log)


def openmetrics(path, end):
    """Six hours of three targets, with gaps, NaN, infinities, counters, noise and one series that ends."""
    rng = random.Random(1)
    families = {}
    for tick in range(6 * HOUR // 15):
        ts = end - 6 * HOUR + tick * 15
        for target in range(3):
            for m in range(12):
                value = (tick * m, round(rng.random() * 100, 3), 5, rng.random())[m % 4]
                value = "NaN" if m == 6 and tick % 50 == 3 else "-Inf" if m == 7 and tick % 97 == 3 else value
                if (m == 5 and target == 1 and tick % 10 == 0) or (m == 9 and tick > 700):
                    continue
                series = f'back{m}{{job="j{target}",instance="h{target}:9100",mode="x{m % 4}"}}'
                families.setdefault(f"back{m}", {}).setdefault(series, []).append(f"{series} {value} {ts}")
    with open(path, "w", encoding="utf-8") as f:
        for name in sorted(families):
            f.write(f"# TYPE {name} gauge\n")
            for lines in families[name].values():
                f.write("\n".join(lines) + "\n")
        f.write("# EOF\n")


def varint(v):
    out = b""
    while v >= 0x80:
        out += bytes([v & 0x7F | 0x80])
        v >>= 7
    return out + bytes([v])


def message(field, body):
    return varint(field << 3 | 2) + varint(len(body)) + body


def remote_write(port, samples):
    """Samples (time in milliseconds, value) of the series late{job="late"}, in the order given."""
    labels = b"".join(message(1, message(1, k) + message(2, v)) for k, v in ((b"__name__", b"late"), (b"job", b"late")))
    parts = [message(2, b"\x09" + struct.pack("<d", v) + b"\x10" + varint(t)) for t, v in samples]
    body = message(1, labels + b"".join(parts))
    packed = varint(len(body)) + b"".join(bytes([len(body[i:i + 60]) - 1 << 2]) + body[i:i + 60] for i in range(0, len(body), 60))
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}
    urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/write", data=packed, headers=headers), timeout=20)


def late_samples(port, now):
    """In order, then what comes late between them: into the log of late samples and, past 32 of them, its chunks."""
    ms = now * 1000
    remote_write(port, [(ms - 600000 + i * 1000, i) for i in range(0, 300, 2)])
    for k in (1, 5, 3, 7):
        remote_write(port, [(ms - 600000 + i * 1000, i) for i in range(300 - k, 0, -8)])


def run_phase(work, data, port, seconds, *flags):
    """Scrapes itself for a while and stops as it is told to."""
    server = Server([PROMETHEUS, f"--config.file={work}/scrape.yml", f"--storage.tsdb.path={data}", "--web.enable-admin-api",
                     "--storage.tsdb.retention.time=10y", "--storage.tsdb.wal-segment-size=10MB", "--web.enable-remote-write-receiver",
                     f"--enable-feature={FEATURES}", f"--web.listen-address=127.0.0.1:{port}", *flags,
                     *os.environ.get("PROMETHEUS_FLAGS", "").split()], port, f"{work}/fill.log")
    with server:
        time.sleep(seconds)  # what is gathered in that time is compared; how much it is does not matter
        yield server


def fill(work):
    """The directory: blocks that were backfilled and compacted, a checkpoint, head chunks, deletions, a log cut off by SIGKILL."""
    data, port = f"{work}/origin", free_port()
    now = int(time.time())
    with open(f"{work}/scrape.yml", "w", encoding="utf-8") as f:
        native = "scrape_native_histograms: true, " if version() >= (3, 8) else ""
        f.write(f"{LATE}global: {{{native}scrape_interval: 100ms, scrape_timeout: 100ms}}\nscrape_configs:\n"
                f"- {{job_name: self, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n"
                f"- {{job_name: nobody, static_configs: [{{targets: ['127.0.0.1:1']}}]}}\n")
    short = ("--storage.tsdb.min-block-duration=3s", "--storage.tsdb.max-block-duration=3s")
    long = ("--storage.tsdb.min-block-duration=1h", "--storage.tsdb.max-block-duration=1h")
    for _ in run_phase(work, data, port, SCRAPE_S, *short):
        pass
    openmetrics(f"{work}/back.txt", (now - 3 * HOUR) // 15 * 15)
    subprocess.run([PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", f"{work}/back.txt", data], check=True,
                   stdout=subprocess.DEVNULL)
    for _ in run_phase(work, data, port, SCRAPE_S, *long):
        pass
    for server in run_phase(work, data, port, 3, *long):
        late_samples(port, now)
        for selector, start, end in (('back2{job="j1"}', now - 6 * HOUR, now - 5 * HOUR), ('back4', now - 8 * HOUR, now - 7 * HOUR),
                                     ('go_gc_duration_seconds', now, now + SCRAPE_S), ('go_goroutines', now + SCRAPE_S, now + HOUR)):
            query = urllib.parse.urlencode({"match[]": selector, "start": start, "end": end})
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/admin/tsdb/delete_series?{query}", data=b"", timeout=20)
        time.sleep(1)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    return data, now - 10 * HOUR, int(time.time()) + 1


def sums(data):
    """A hash of every file of Prometheus' own in the directory."""
    found = {}
    for folder, _, names in os.walk(data):
        top = os.path.relpath(folder, data).split(os.sep)[0]
        if top in ORIGINALS or len(top) == 26:
            for name in names:
                with open(f"{folder}/{name}", "rb") as f:
                    found[os.path.relpath(f"{folder}/{name}", data)] = hashlib.sha256(f.read()).hexdigest()
    return found


def normal(answer):
    """Results without an order of their own, sorted; exemplars and warnings are not compared here."""
    data = answer.get("data")
    if isinstance(data, dict) and isinstance(data.get("result"), list):
        return sorted(data["result"], key=lambda r: json.dumps(r.get("metric", r), sort_keys=True))
    return sorted(data, key=lambda r: json.dumps(r, sort_keys=True)) if isinstance(data, list) else data


def compare(cases, what, ask, expected_from, actual_from):
    expected, actual = normal(ask(expected_from)), normal(ask(actual_from))
    detail = None
    if expected != actual:
        detail = f"expected {len(expected)} and got {len(actual)} rows"
        for e, a in zip(expected, actual):
            if e != a:
                detail += f"; expected {json.dumps(e)[:400]} got {json.dumps(a)[:400]}"
                break
    cases.check(what, expected == actual, detail)
    return expected


def compare_all(cases, how, theirs, ours, start, end):
    span = end - start
    start += 0.513  # Prometheus 2 counts the left end of a range in, 3 does not: no sample lies there
    names = compare(cases, f"{how}: metric names", lambda p: get(p, "/api/v1/label/__name__/values", start=start, end=end),
                    theirs, ours)
    samples = histograms = 0
    bad = []
    for name in names:
        answers = [normal(get(p, "/api/v1/query", query=f'{{__name__="{name}"}}[{span}s]', time=end)) for p in (theirs, ours)]
        if answers[0] != answers[1]:
            diff = [(e, a) for e, a in zip(*answers) if e != a] or answers
            bad.append((name, len(answers[0]), len(answers[1]), json.dumps(diff[0])[:600]))
        samples += sum(len(s.get("values", ())) for s in answers[0])
        histograms += sum(len(s.get("histograms", ())) for s in answers[0])
    cases.check(f"{how}: {len(names)} metrics, {samples} floats and {histograms} histograms are equal one by one",
                not bad and samples > 45000 and (histograms > 100 or version() < (3, 0)), bad[:3] or (samples, histograms))
    late = get(ours, "/api/v1/query", query=f"count_over_time(late[{span}s])", time=end)["data"]["result"]
    cases.check(f"{how}: every late sample is there", late and late[0]["value"][1] == "300", late)
    for query in ("count({__name__=~'.+'})", "sum by (job, mode) (rate(back0[10m]))", "back2{job!='j0'}", "max_over_time(back1[15m])",
                  "quantile_over_time(0.9, back3{instance=~'h[12]:9100'}[30m])", "back9 offset 20m", "absent(back4)", "up",
                  "topk(2, back11)", "count by (__name__) ({__name__=~'back.*', mode=''})", "histogram_count(rate({job='self'}[30s]))"):
        for step in (29, 311):
            compare(cases, f"{how}: {query}, step {step} s",
                    lambda p, q=query, s=step: get(p, "/api/v1/query_range", query=q, start=start, end=end, step=s), theirs, ours)
    for path, params in (("/api/v1/labels", {}), ("/api/v1/labels", {"match[]": "back3{job='j2'}"}), ("/api/v1/label/job/values", {}),
                         ("/api/v1/label/instance/values", {"match[]": "{mode='x1'}"}), ("/api/v1/series", {"match[]": "{job=~'j.|nobody'}"})):
        compare(cases, f"{how}: {path} {params}",
                lambda p, a=path, m=params: get(p, a, start=start, end=end, **m), theirs, ours)


def import_into(cases, work, data):
    before = sums(data)
    runs = [subprocess.run([PROGRAM, "import", "prometheus", f"--from={data}", f"--storage.tsdb.path={work}/imported"],
                           capture_output=True, text=True, timeout=120) for _ in range(2)]
    cases.check("cairn import brings everything in", runs[0].returncode == 0, runs[0].stdout + runs[0].stderr)
    cases.check("a second time there is nothing to bring in",
                runs[1].returncode == 0 and "brought in: 0 blocks, 0 samples" in runs[1].stdout, runs[1].stdout + runs[1].stderr)
    cases.check("the import altered no file of Prometheus", sums(data) == before)


def in_place(cases, work, data, theirs, start, end):
    """The directory as --storage.tsdb.path: twice, so that what the first start brought in is there at the second."""
    before = sums(data)
    for how in ("in place", "in place, second start"):
        with cairn(data, f"{work}/none.yml", f"{work}/in_place.log", "--web.enable-admin-api",
                   "--storage.tsdb.retention.time=10y") as ours:
            compare_all(cases, how, theirs.port, ours.port, start, end)
            listed = {b["ulid"] for b in get(ours.port, "/api/v1/status/tsdb/blocks")["data"]["blocks"]}
            cases.check(f"{how}: the blocks are listed", {n for n in os.listdir(data) if len(n) == 26} <= listed, listed)
            if "second" in how:
                deletion(cases, ours.port, start, end)
        cases.check(f"{how}: no file of Prometheus was altered", sums(data) == before)
        made = sorted(set(os.listdir(data)) - set(os.listdir(f"{work}/theirs")))
        cases.check(f"{how}: Cairn writes to its own folder alone", made == ["cairn"], made)
    with cairn(data, f"{work}/none.yml", f"{work}/in_place.log", "--storage.tsdb.retention.time=4h") as ours:
        answer = get(ours.port, "/api/v1/query", query="min(min_over_time(timestamp(back0)[12h:15s]))", time=end)["data"]["result"]
        oldest = float(answer[0]["value"][1]) if answer else 0
        cases.check("in place: blocks past retention are hidden", end - 7 * HOUR < oldest, (oldest, end))
        cases.check("in place: and stay where they are", sums(data) == before)


def deletion(cases, port, start, end):
    query = urllib.parse.urlencode({"match[]": "back0", "start": start, "end": end - 4 * HOUR})
    urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/admin/tsdb/delete_series?{query}", data=b"", timeout=20)
    answer = get(port, "/api/v1/query", query=f"count_over_time(back0[{end - start}s])", time=end - 4 * HOUR)["data"]["result"]
    cases.check("in place: what Cairn deletes is gone from answers", answer == [], answer)


def damaged(cases, work, data, start, end):
    """A flipped byte in one block's index and in another's chunks: the rest is served, and it is said."""
    copy = f"{work}/damaged"
    shutil.copytree(data, copy)
    shutil.rmtree(f"{copy}/cairn", ignore_errors=True)
    blocks = sorted(n for n in os.listdir(copy) if len(n) == 26)
    for name, place in ((f"{copy}/{blocks[-1]}/index", -10), (f"{copy}/{blocks[-2]}/chunks/000001", 100)):
        with open(name, "r+b") as f:
            f.seek(place, 2 if place < 0 else 0)
            byte = f.read(1)[0]
            f.seek(-1, 1)
            f.write(bytes([byte ^ 1]))
    with cairn(copy, f"{work}/none.yml", f"{work}/damaged.log") as ours:
        answer = get(ours.port, "/api/v1/query", query=f"sum(count_over_time(back0[{end - start}s]))", time=end)
        count = float(answer["data"]["result"][0]["value"][1])
        cases.check("a damaged directory: the rest is served", count > 2000, answer)
        with urllib.request.urlopen(f"http://127.0.0.1:{ours.port}/metrics", timeout=20) as page:
            bad = [l for l in page.read().decode().splitlines() if l.startswith("cairn_tsdb_blocks_bad")]
        cases.check("a damaged directory: a warning names the block", any(blocks[-2] in w for w in answer.get("warnings", ())), answer)
        cases.check("a damaged directory: what is missing is counted", bad and float(bad[0].split()[-1]) > 0, bad)
    with open(f"{work}/damaged.log", errors="replace") as f:
        cases.check("a damaged directory: the log names the block", blocks[-1] in f.read())
    out = subprocess.run([PROGRAM, "import", "prometheus", f"--from={copy}", f"--storage.tsdb.path={work}/mended"], capture_output=True, text=True,
                         timeout=120)
    cases.check("a damaged directory: the import says so and brings in the rest",
                out.returncode == 1 and blocks[-1] in out.stdout and "everything else was brought in" in out.stdout, out.stdout + out.stderr)


def main():
    for program in (PROMETHEUS, PROMTOOL):
        if not shutil.which(program):
            print(f"promdir: {program} is missing: apt-get install prometheus")
            return 1
    cases = Cases()
    work = tempfile.mkdtemp(prefix="cairn-promdir-")
    try:
        data, start, end = fill(work)
        with open(f"{work}/none.yml", "w", encoding="utf-8") as f:
            f.write(LATE + "global: {scrape_interval: 1h}\n")
        shutil.copytree(data, f"{work}/theirs")
        import_into(cases, work, data)
        with prometheus(f"{work}/theirs", f"{work}/none.yml", f"{work}/theirs.log") as theirs:
            with cairn(f"{work}/imported", f"{work}/none.yml", f"{work}/imported.log") as ours:
                compare_all(cases, "imported", theirs.port, ours.port, start, end)
            in_place(cases, work, data, theirs, start, end)
        damaged(cases, work, data, start, end)
    finally:
        if os.environ.get("PROMDIR_KEEP"):
            print(f"kept {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
