"""What a node keeps beside its stores: the agent's positions, and the blocks of a Prometheus that it serves where they stand."""
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from node import Node, cairn  # noqa: E402
from stack import PROGRAM, Stack, free_port  # noqa: E402

PROMTOOL = os.environ.get("PROMTOOL", "promtool")


# -- positions -------------------------------------------------------------------------------------------------

def write_agent_config(path, logs, positions):
    with open(path, "w") as f:
        f.write(f"positions: {{filename: {positions}, sync_period: 100ms}}\nscrape_configs:\n- job_name: app\n  static_configs:\n"
                f"  - labels: {{job: app, __path__: {logs}/*.log}}\n")


def lines_write(logs, begin, end):
    with open(f"{logs}/app.log", "a") as f:
        f.write("".join(f"line {n}\n" for n in range(begin, end)))


def lines_stored(node):
    """{line: how often}"""
    answer = node.get_json("logs", "/loki/api/v1/query_range", query='{job="app"}', start=time.time_ns() - 3600 * 10**9,
                           end=time.time_ns() + 60 * 10**9, limit=5000)
    out = {}
    for stream in answer["data"]["result"]:
        for _, line in stream["values"]:
            out[line] = out.get(line, 0) + 1
    return out


def wait_for(what, seconds=30):
    until = time.monotonic() + seconds
    while not what() and time.monotonic() < until:
        time.sleep(0.1)
    return what()


def all_once(node, count):
    return wait_for(lambda: lines_stored(node) == {f"line {n}": 1 for n in range(count)})


def positions(cases, folder):
    """Lines that were read before the backup are not sent again by the restored agent, and those after it are."""
    base = f"{folder}/positions"
    logs = f"{base}/logs"
    os.makedirs(logs)
    write_agent_config(f"{base}/promtail.yml", logs, f"{base}/promtail/positions.yaml")
    lines_write(logs, 0, 100)
    node = Node(f"{base}/node")
    node.flags = [f"--agent-config={base}/promtail.yml"]
    with node:
        cases.check("the agent reads", all_once(node, 100), str(len(lines_stored(node))))
        cases.check("the positions are saved", wait_for(lambda: "app.log" in read(f"{base}/promtail/positions.yaml")))
        status, said = cairn("backup", f"--data={node.data}", f"--to={base}/store", "--name=running")
        cases.check("a backup of a running node", status == 0, said)
        lines_write(logs, 100, 150)
        cases.check("the agent reads on", all_once(node, 150))
    status, said = cairn("backup", f"--data={node.data}", f"--positions={base}/promtail/positions.yaml", f"--to={base}/store", "--name=stopped")
    cases.check("a backup of a stopped node", status == 0, said)
    status, said = cairn("backup", f"--positions={base}/promtail/positions.yaml", f"--config={base}/promtail.yml", f"--to={base}/agent", "--verify")
    cases.check("of a machine with an agent alone", status == 0 and ": 2 files" in said, said)
    for name in ("running", "stopped"):
        to = f"{base}/{name}"
        status, said = cairn("restore", f"--from={base}/store", f"--backup={name}", f"--data={to}/data")
        cases.check(f"{name}: positions come back", os.path.isfile(f"{to}/data/agent/positions.yaml"), said)
        write_agent_config(f"{to}/promtail.yml", logs, f"{to}/data/agent/positions.yaml")
        node = Node(to)
        node.flags = [f"--agent-config={to}/promtail.yml"]
        with node:
            cases.check(f"{name}: every line is there once", all_once(node, 150), str(sorted(lines_stored(node).items())[:5]))


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except FileNotFoundError:
        return ""


# -- a folder of Prometheus --------------------------------------------------------------------------------------

def make_prometheus(folder):
    """Blocks of six hours, by Prometheus' own tool."""
    os.makedirs(folder)
    begin = int(time.time()) - 10 * 3600
    with open(f"{folder}.txt", "w") as f:
        f.write("# TYPE old counter\n")
        f.write("".join(f'old_total{{job="old"}} {i} {begin + 60 * i}\n' for i in range(360)))
        f.write("# EOF\n")
    subprocess.run([PROMTOOL, "tsdb", "create-blocks-from", "openmetrics", f"{folder}.txt", folder], check=True, capture_output=True)


def sums(folder):
    out = {}
    for where, dirs, names in os.walk(folder):
        if where == folder:
            dirs[:] = [d for d in dirs if d != "cairn"]
        for name in names:
            with open(os.path.join(where, name), "rb") as f:
                out[os.path.relpath(os.path.join(where, name), folder)] = hashlib.sha256(f.read()).hexdigest()
    return out


@contextlib.contextmanager
def metrics(base, where):
    """The role metrics alone on a folder, as prometheus.service runs it; or every role on DATA."""
    node = Stack(demo=False, data=base)
    node.ports["metrics"] = free_port()
    words = [where] if where.startswith("--data=") else ["--role=metrics", f"--storage.tsdb.path={where}", f"--config.file={base}/prometheus.yml"]
    address = f"--metrics-address=127.0.0.1:{node.ports['metrics']}" if where.startswith("--data=") else f"--web.listen-address=127.0.0.1:{node.ports['metrics']}"
    if where.startswith("--data="):
        words += [f"--{r}-address=127.0.0.1:{node.ports[r]}" for r in ("logs", "agent", "dashboards", "demo")]
    else:
        words.append("--web.enable-remote-write-receiver")
    with open(f"{base}/cairn.log", "ab") as log:
        node.process = subprocess.Popen([PROGRAM, "serve", *words, address], cwd=base, stdout=log, stderr=log,
                                        env=dict(os.environ, GF_SECURITY_ADMIN_PASSWORD="test-secret"))
    try:
        ready = wait_for(lambda: answers(node), 60)
        if not ready:
            raise RuntimeError(read(f"{base}/cairn.log")[-2000:])
        yield node
    finally:
        node.process.terminate()
        node.process.wait()


def answers(node):
    try:
        return node.get("metrics", "/-/ready")[0] == 200
    except OSError:
        return False


def served(node):
    """What stands in Prometheus' blocks, and what came since."""
    return {name: [[v for v in s["values"]] for s in node.instant(f"{name}[12h]")] for name in ("old_total", "new_total")}


def prometheus_blocks(cases, folder):
    base = f"{folder}/prometheus"
    os.makedirs(base)
    with open(f"{base}/prometheus.yml", "w") as f:
        f.write("scrape_configs: []\n")
    original = f"{base}/original"
    make_prometheus(original)
    status, said = cairn("backup", f"--metrics-data={original}", f"--to={base}/store", "--name=untouched")
    cases.check("a folder that only a Prometheus had", status == 0, said)
    cases.check("nothing of ours is in it", not [n for n in os.listdir(original) if n in ("cairn", "lock", "snapshots")], str(os.listdir(original)))
    before = sums(original)
    with metrics(base, original) as node:
        now = int(time.time() * 1000)
        node.remote_write([({"__name__": "new_total", "job": "new"}, [(now - 1000 * n, float(100 - n)) for n in range(100, 0, -1)])])
        wanted = served(node)
        cases.check("both are served", len(wanted["old_total"][0]) == 360 and len(wanted["new_total"][0]) == 100, str(wanted)[:300])
        for name, where in (("running", original), ("below", f"{original}/cairn")):
            status, said = cairn("backup", f"--metrics-data={where}", f"--to={base}/store", f"--name={name}", "--verify")
            cases.check(f"a backup of a running program ({name})", status == 0, said)
    status, said = cairn("backup", f"--metrics-data={original}", f"--to={base}/store", "--name=stopped")
    cases.check("a backup when it is stopped", status == 0, said)
    cases.check("no file of Prometheus was touched", sums(original) == before, str(set(sums(original)) ^ set(before)))
    for name in ("running", "below", "stopped", "untouched"):
        to = f"{base}/{name}"
        status, said = cairn("restore", f"--from={base}/store", f"--backup={name}", f"--metrics-data={to}")
        with metrics(base, to) as node:
            got = served(node)
            right = got == wanted if name != "untouched" else got["old_total"] == wanted["old_total"]
            cases.check(f"{name}: the restored folder serves the same", right, f"{said} {str(got)[:200]}")
        cases.check(f"{name}: Prometheus' files have their bytes", {k: v for k, v in sums(to).items() if "/" in k} ==
                    {k: v for k, v in before.items() if "/" in k}, str(sorted(sums(to))[:9]))
    status, said = cairn("restore", f"--from={base}/store", "--backup=running", f"--data={base}/all")
    with metrics(base, f"--data={base}/all") as node:
        cases.check("as the folder of all roles too", served(node) == wanted, f"{said} {str(served(node))[:200]}")
        node.wait_ready()
        status, said = cairn("backup", f"--data={base}/all", f"--to={base}/store", "--name=again")
        cases.check("a backup of a running node with a Prometheus' blocks", status == 0, said)
    status, said = cairn("restore", f"--from={base}/store", "--backup=again", f"--metrics-data={base}/again")
    with metrics(base, f"{base}/again") as node:
        cases.check("and once more from there", served(node) == wanted, f"{said} {str(served(node))[:200]}")
    shutil.rmtree(base)
