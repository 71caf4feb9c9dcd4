#!/usr/bin/env python3
"""Lines a core-second of the agent: a file is read through stages and pushed to a receiver that only counts.

CPU time is the agent's own, user and system, from its start until every line is acknowledged and its position saved.
Usage: bench/agent.py [CAIRN] [LINES]
"""
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "agent"))
from receiver import Receiver  # noqa: E402

STAGES = {
    "plain": "[]",
    "cri, regex, labels": """
  - cri: {}
  - regex: {expression: 'level=(?P<level>\\w+)'}
  - labels: {level: }""",
    "json, labels, timestamp": """
  - json: {expressions: {level: , ts: }}
  - labels: {level: }
  - timestamp: {source: ts, format: RFC3339Nano}""",
}


def line(kind, rng, number):
    message = (f"{rng.choice(['GET', 'POST'])} /api/users/{rng.randint(1, 99999)} status={rng.choice([200, 200, 404, 500])} "
               f"took={rng.random() * 300:.3f}ms id={rng.getrandbits(64):016x}")
    level = rng.choice(["info", "warn", "error"])
    if kind.startswith("cri"):
        return f"2026-11-26T07:00:00.{number % 10**9:09d}Z stdout F {message} level={level} pad={'x' * 30}\n"
    if kind.startswith("json"):
        return f'{{"ts":"2026-11-26T07:00:00.123Z","level":"{level}","msg":"{message}","pad":"{"y" * 20}"}}\n'
    return f"2026-11-26 07:00:00 - app.request - INFO - {message} {'z' * 40}\n"


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) / 1024


def run(cairn, kind, lines):
    folder = tempfile.mkdtemp(prefix="cairn-bench-agent-")
    rng = random.Random(1)
    with open(f"{folder}/a.log", "w") as f:
        for i in range(lines):
            f.write(line(kind, rng, i))
    size = os.path.getsize(f"{folder}/a.log")
    receiver = Receiver(keep=False)
    with open(f"{folder}/agent.yml", "w") as f:
        f.write(f"""
server: {{http_listen_address: 127.0.0.1, http_listen_port: 0}}
positions: {{filename: {folder}/positions.yaml, sync_period: 200ms}}
clients: [{{url: "{receiver.url}"}}]
scrape_configs:
- job_name: bench
  pipeline_stages: {STAGES[kind]}
  static_configs: [{{labels: {{job: bench, __path__: "{folder}/*.log"}}}}]
""")
    agent = subprocess.Popen([cairn, "serve", "--role=agent", f"--data={folder}/data", f"-config.file={folder}/agent.yml"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.time() + 120
    done = False
    while not done and time.time() < end:
        time.sleep(0.05)
        try:
            with open(f"{folder}/positions.yaml") as f:
                done = f'a.log: "{size}"' in f.read()
        except OSError:
            pass
    cpu, peak = cpu_seconds(agent.pid), peak_mib(agent.pid)
    agent.terminate()
    agent.wait()
    receiver.stop()
    shutil.rmtree(folder)
    print(f"{kind:26} {lines / cpu / 1000:8.0f} k lines  {size / cpu / 1e6:6.0f} MB a core-second, peak {peak:.0f} MiB"
          if done else f"{kind:26} not finished within two minutes")
    return done


def main():
    cairn = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build", "cairn")
    lines = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    results = [run(cairn, kind, lines) for kind in STAGES]
    return 0 if all(results) else 1


sys.exit(main())
