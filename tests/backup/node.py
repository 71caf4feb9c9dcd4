"""A node as people run it: data in one folder, configuration in another, and what the tests ask of both."""
import base64
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from stack import PASSWORD, PROGRAM, Stack  # noqa: E402

PROMETHEUS = """global:
  scrape_interval: 1s
rule_files: [rules/*.yml]
scrape_configs: []
"""
RULES = """groups:
  - name: a
    rules:
      - record: job:crash:sum
        expr: sum(crash_total)
"""
DASHBOARD = {"uid": "kept", "title": "Kept in a file", "panels": [], "schemaVersion": 39}


class Node(Stack):
    """A Stack whose metrics and dashboards read files of a folder of their own."""

    def __init__(self, folder, data=None, config=None):
        os.makedirs(folder, exist_ok=True)
        super().__init__(demo=False, data=folder)
        self.data = data or f"{folder}/data"
        self.config = config or f"{folder}/etc"
        self.flags = [f"--metrics-config={self.config}/prometheus/prometheus.yml",
                      f"--dashboards-config={self.config}/grafana/grafana.ini"]

    def write_config(self):
        files = {"prometheus/prometheus.yml": PROMETHEUS, "prometheus/rules/a.yml": RULES,
                 "grafana/grafana.ini": f"[paths]\nprovisioning = {self.config}/grafana/provisioning\n",
                 "grafana/provisioning/dashboards/files.yml":
                     f"apiVersion: 1\nproviders:\n  - name: f\n    type: file\n    options:\n      path: {self.config}/grafana/provisioning/json\n",
                 "grafana/provisioning/json/My Dashboard.json": json.dumps(DASHBOARD)}
        for name, text in files.items():
            os.makedirs(os.path.dirname(f"{self.config}/{name}"), exist_ok=True)
            with open(f"{self.config}/{name}", "w") as f:
                f.write(text)
        os.chmod(f"{self.config}/prometheus/prometheus.yml", 0o600)

    def command(self):
        args = super().command()
        return [f"--data={self.data}" if a.startswith("--data=") else a for a in args]

    def make_dashboard_and_user(self):
        """Through the API, as people do."""
        for path, body in (("/api/dashboards/db", {"dashboard": {"uid": "made", "title": "Made by hand", "panels": []}}),
                           ("/api/admin/users", {"login": "ann", "password": "ann-secret", "name": "Ann"})):
            status, answer, _ = self.request("dashboards", path, json.dumps(body).encode(), method="POST",
                                             headers={"Content-Type": "application/json"})
            if status != 200:
                raise RuntimeError(f"{path}: {status} {answer!r}")

    def has_dashboard_and_user(self):
        """What is missing, as text."""
        missing = []
        for uid in ("made", "kept"):
            if self.get("dashboards", f"/api/dashboards/uid/{uid}")[0] != 200:
                missing.append(f"dashboard {uid}")
        for login, password in (("ann", "ann-secret"), ("admin", PASSWORD)):
            login_header = base64.b64encode(f"{login}:{password}".encode()).decode()
            if self.request("dashboards", "/api/user", headers={"Authorization": f"Basic {login_header}"})[0] != 200:
                missing.append(f"user {login}")
        return ", ".join(missing)


def cairn(*args, program=PROGRAM, env=None, timeout=120):
    """(exit status, everything printed)"""
    done = subprocess.run([program, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
                          env=dict(os.environ, **(env or {})))
    return done.returncode, done.stdout


def tree(folder):
    """{relative path: (permissions, bytes)} of every file."""
    out = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            with open(path, "rb") as f:
                out[os.path.relpath(path, folder)] = (os.stat(path).st_mode & 0o777, f.read())
    return out
