#!/usr/bin/env python3
"""The stack taken apart: each role a process of its own, started from the files of examples/classic, talking HTTP.

Only ports and folders of the files are replaced. The same queries are asked of the roles and, as a dashboard would, through
the dashboards role's data-source proxy; both must give the same.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import PASSWORD, PROGRAM, ROOT, ROLES, Cases, Stack, free_port  # noqa: E402

CLASSIC = f"{ROOT}/examples/classic"


class Apart(Stack):
    """Five processes instead of one; what Stack offers for asking works the same."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="cairn-apart-")
        self.own_dir, self.demo, self.flags = True, True, []
        self.ports = {role: free_port() for role in ROLES}
        self.processes, self.process = {}, None

    def file(self, name, to=None):
        """A copy of the example's file with this run's ports and folders."""
        with open(f"{CLASSIC}/{name}") as f:
            text = f.read()
        for port, role in ((9090, "metrics"), (3100, "logs"), (9080, "agent"), (3000, "dashboards"), (5000, "demo")):
            text = text.replace(str(port), str(self.ports[role]))
        for folder in ("/var/lib/loki", "/var/lib/promtail", "/var/lib/grafana", "/etc/grafana", "/var/log"):
            text = text.replace(folder, f"{self.dir}{folder}")
        path = f"{self.dir}/{to or name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        return path

    def spawn(self, role, args):
        log = open(f"{self.dir}/{role}.log", "ab")
        env = dict(os.environ, GF_SECURITY_ADMIN_PASSWORD=PASSWORD)
        self.processes[role] = subprocess.Popen([PROGRAM, *args], stdout=log, stderr=log, cwd=self.dir, env=env)
        self.process = self.processes[role]

    def start(self):
        for folder in ("var/log", "var/lib/grafana/dashboards", "var/lib/promtail", "var/lib/loki"):
            os.makedirs(f"{self.dir}/{folder}")
        shutil.copy(f"{ROOT}/src/dashboards/builtin/application.json", f"{self.dir}/var/lib/grafana/dashboards/")
        for kind in ("datasources/datasources.yml", "dashboards/dashboards.yml"):
            self.file(f"provisioning/{kind}", f"etc/grafana/provisioning/{kind}")
        serve = lambda role, *args: self.spawn(role, ["serve", f"--role={role}", *args])
        self.started = time.monotonic()
        # The agent and the dashboards come first: they must wait for those they ask.
        serve("agent", f"-config.file={self.file('promtail-config.yml')}")
        serve("dashboards", f"--config={self.file('grafana.ini')}")
        serve("metrics", f"--config.file={self.file('prometheus.yml')}", f"--storage.tsdb.path={self.dir}/prometheus",
              f"--web.listen-address=127.0.0.1:{self.ports['metrics']}")
        serve("logs", f"-config.file={self.file('loki-config.yml')}")
        self.spawn("demo", ["demo", f"--port={self.ports['demo']}", f"--log-path={self.dir}/var/log/app.log"])
        self.wait_ready()

    def tail(self, lines=8):
        out = ""
        for role in self.processes:
            with open(f"{self.dir}/{role}.log", errors="replace") as f:
                out += f"== {role}\n" + "".join(f.readlines()[-lines:])
        return out

    def stop(self):
        for p in self.processes.values():
            p.terminate()
        for p in self.processes.values():
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()

    def proxied(self, source, path, **params):
        return self.get_json("dashboards", f"/api/datasources/proxy/{source}{path}", **params)

    def grafana(self, path):
        return self.get_json("dashboards", path)


def metrics_flow(cases, stack):
    rows = stack.wait_for("both targets", lambda: [r for r in stack.instant("up") if r["value"][1] == "1"][1:] and
                          stack.instant("up"))
    cases.check("jobs are those of prometheus.yml", {r["metric"]["job"] for r in rows} == {"prometheus", "flask-app"}, rows)
    cases.check("labels of static_configs are there", any(r["metric"].get("environment") == "production" for r in rows), rows)
    stack.wait_for("requests", lambda: stack.instant("sum(flask_app_request_count) > 0"))


def logs_flow(cases, stack):
    query = '{job="flask-app", level="INFO"}'

    def lines():
        data = stack.get_json("logs", "/loki/api/v1/query_range", query=query, start=time.time_ns() - 600 * 10**9)
        return [v for s in data["data"]["result"] for v in s["values"]]
    cases.check("lines arrive with the label that the pipeline took", bool(stack.wait_for("lines", lines)))
    names = stack.get_json("logs", "/loki/api/v1/labels")["data"]
    cases.check("labels of the agent's file", {"job", "environment", "level", "filename"} <= set(names), names)


def dashboards_flow(cases, stack):
    sources = stack.grafana("/api/datasources")
    cases.check("the data sources are those provisioned", {(s["name"], s["type"]) for s in sources} ==
                {("Prometheus", "prometheus"), ("Loki", "loki")}, sources)
    ids = {s["type"]: s for s in sources}
    at = int(time.time()) - 1
    direct = stack.instant("sum(flask_app_request_count)", time=at)
    through = stack.proxied(f"uid/{ids['prometheus']['uid']}", "/api/v1/query", query="sum(flask_app_request_count)", time=at)
    cases.check("the proxy answers as Prometheus' API does", through["data"]["result"] == direct, (direct, through))
    through = stack.proxied(ids["loki"]["id"], "/loki/api/v1/labels")
    cases.check("the proxy answers as Loki's API does", "job" in through["data"], through)
    found = stack.wait_for("the dashboard", lambda: [d for d in stack.grafana("/api/search") if d["type"] == "dash-db"])
    cases.check("the dashboard of the folder is there", any("Application" in d["title"] for d in found), found)


def wrong_files(cases, stack):
    """A wrong key names its place and the nearest valid one, and nothing starts."""
    for role, flag, text, wanted in (
            ("metrics", "--config.file", "scrape_configs:\n  - job_name: x\n    static_configs:\n      - tarets: [a]\n", (":4:", "targets")),
            ("logs", "-config.file", "server:\n  http_listen_prt: 1\n", (":2:", "http_listen_port")),
            ("agent", "-config.file", "clients:\n  - ur: x\n", (":2:", "url"))):
        path = f"{stack.dir}/wrong-{role}.yml"
        with open(path, "w") as f:
            f.write(text)
        done = subprocess.run([PROGRAM, "serve", f"--role={role}", f"{flag}={path}"], capture_output=True, text=True,
                              timeout=20, cwd=stack.dir)
        said = done.stdout + done.stderr
        cases.check(f"a wrong key for {role} stops the start", done.returncode != 0, done.returncode)
        for part in wanted:
            cases.check(f"a wrong key for {role} is explained: {part}", part in said, said[-300:])
    done = subprocess.run([PROGRAM, "serve", "--role=logs", f"-server.http-listen-port={stack.ports['logs']}",
                           f"--data={stack.dir}/second"], capture_output=True, text=True, timeout=20)
    cases.check("a port in use is named, with the role", done.returncode != 0 and str(stack.ports["logs"]) in done.stderr and
                "logs" in done.stderr, done.stderr[-300:])


def front_door(cases, stack):
    """cairn.yml: shared settings, and a role's document in place; its errors name the line of cairn.yml."""
    ports = [free_port(), free_port()]
    text = (f"data: {stack.dir}/front\nroles: [metrics, logs]\nlisten:\n  metrics: 127.0.0.1:{ports[0]}\n  logs: 127.0.0.1:{ports[1]}\n"
            "metrics:\n  # itself\n  scrape_configs:\n    - job_name: me\n      static_configs:\n"
            f"        - targets: ['127.0.0.1:{ports[0]}']\nlogs:\n  auth_enabled: false\n")
    path = f"{stack.dir}/cairn.yml"

    def start(content):
        with open(path, "w") as f:
            f.write(content)
        return subprocess.Popen([PROGRAM, "serve", f"--config.file={path}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    process = start(text)
    both = Stack.__new__(Stack)
    both.dir, both.process, both.ports, both.tail = stack.dir, process, {"metrics": ports[0], "logs": ports[1]}, lambda: ""

    def config():
        try:
            return both.get_json("metrics", "/api/v1/status/config")["data"]["yaml"]
        except (OSError, RuntimeError):
            return None
    cases.check("the document in cairn.yml is the role's", "job_name: me" in both.wait_for("the front door", config, 20))
    cases.check("both roles answer", both.wait_for("logs", lambda: both.get("logs", "/ready")[0] == 200, 20))
    process.terminate()
    process.wait(20)
    for wrong, place in ((text.replace("job_name", "job_nam"), ":9:"), (text.replace("\nlisten:", "\nlisen:"), "cairn.yml:3:")):
        process = start(wrong)
        said, _ = process.communicate(timeout=20)
        cases.check(f"a wrong key in cairn.yml is named with its line {place}", process.returncode == 2 and place in said and
                    "did you mean" in said, said[-300:])


def main():
    cases = Cases()
    with Apart() as stack:
        for part in (metrics_flow, logs_flow, dashboards_flow, wrong_files, front_door):
            cases.run(part.__name__, part, cases, stack)
    return cases.finish()


if __name__ == "__main__":
    sys.exit(main())
