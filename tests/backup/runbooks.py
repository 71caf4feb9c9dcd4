"""Runs the commands of each runbook in docs/backup.md as they stand there, with places of its own for those that are written.

As a program this is the `systemctl` and the `chown` of those commands: it starts and stops the node that SHIM/node.json names.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from load import LineWriter, SampleWriter  # noqa: E402
from node import Node, cairn, tree  # noqa: E402
from stack import PROGRAM, ROOT  # noqa: E402


# -- systemctl ---------------------------------------------------------------------------------------------------

def stop(shim):
    try:
        with open(f"{shim}/pid") as f:
            pid = int(f.read())
        os.kill(pid, signal.SIGTERM)
        for _ in range(600):
            os.kill(pid, 0)
            time.sleep(0.05)
    except (FileNotFoundError, ProcessLookupError):
        pass
    if os.path.exists(f"{shim}/pid"):
        os.remove(f"{shim}/pid")


def start(shim):
    """Detached, as systemd does it; returns when the node is ready, or fails."""
    with open(f"{shim}/node.json") as f:
        known = json.load(f)
    node = Node(known["folder"], known["data"], known["config"])
    node.ports = known["ports"]
    log = open(f"{shim}/log", "ab")
    env = dict(os.environ, GF_SECURITY_ADMIN_PASSWORD="test-secret")
    node.process = subprocess.Popen(node.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True)
    with open(f"{shim}/pid", "w") as f:
        f.write(str(node.process.pid))
    os.makedirs(known["folder"], exist_ok=True)
    shutil.copy(f"{shim}/log", f"{known['folder']}/cairn.log")
    node.wait_ready()


def systemctl(words):
    shim = os.environ["SHIM"]
    if words[0] in ("stop", "restart"):
        stop(shim)
    if words[0] in ("start", "restart"):
        start(shim)
    return 0


# -- the document ------------------------------------------------------------------------------------------------

def read_runbooks():
    """{title: commands} of the headings that begin with "Runbook"."""
    with open(f"{ROOT}/docs/backup.md") as f:
        parts = re.split(r"^### Runbook: (.*)$", f.read(), flags=re.M)
    out = {}
    for title, text in zip(parts[1::2], parts[2::2]):
        text = re.split(r"^##", text, flags=re.M)[0]
        out[title] = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    return out


class Drill:
    """A node with data and a backup of it, and the commands' way to both."""

    def __init__(self, folder, s3, name, in_folder=False):
        """in_folder: backups go to a folder and are not encrypted, else to a bucket with a key."""
        self.folder, self.s3, self.in_folder = f"{folder}/{name}", s3, in_folder
        self.root = f"{self.folder}/root"
        self.shim = f"{self.folder}/shim"
        for d in (self.shim, f"{self.root}/var/lib", f"{self.root}/etc", f"{self.root}/root"):
            os.makedirs(d)
        self.node = Node(f"{self.folder}/node", f"{self.root}/var/lib/cairn", f"{self.root}/etc")
        self.node.write_config()
        self.place = f"{self.folder}/backups" if in_folder else s3.place(f"runbook-{name}")
        self.key = f"{self.root}/root/backup.key"
        self.to, self.sealed = "s3://my-backups/node1", "" if in_folder else f"--key-file={self.key}"
        cairn("backup", f"--new-key={self.key}")
        with open(f"{self.shim}/node.json", "w") as f:
            json.dump({"folder": self.node.dir, "data": self.node.data, "config": self.node.config, "ports": self.node.ports}, f)
        for word, does in (("cairn", f'exec {PROGRAM} "$@"'), ("systemctl", f'exec {sys.executable} {os.path.abspath(__file__)} "$@"'),
                           ("chown", 'test -e "$3"')):
            with open(f"{self.shim}/{word}", "w") as f:
                f.write(f"#!/bin/sh\n{does}\n")
            os.chmod(f"{self.shim}/{word}", 0o755)

    def run(self, commands):
        """As they stand, but for the places; raises when one fails."""
        text = commands.replace("s3://my-backups/node1", f"'{self.place}'")
        if self.in_folder:
            text = text.replace(" --key-file=/root/backup.key", "")
        text = re.sub(r"(?<![\w/.'])/(var/lib|etc|root)\b", lambda m: f"{self.root}/{m.group(1)}", text)
        text = re.sub(r"=/(var/lib|etc|root)\b", lambda m: f"={self.root}/{m.group(1)}", text)
        text = text.replace("/root/restored/etc/", f"/root/restored{self.root}/etc/")
        pages = {"metrics": "/-/ready", "logs": "/ready", "dashboards": "/api/health"}
        urls = " ".join(f"--url={self.node.url(role, page)}" for role, page in pages.items())
        text = text.replace("cairn health", f"cairn health {urls}")
        env = dict(os.environ, SHIM=self.shim, PATH=f"{self.shim}:{os.environ['PATH']}", **self.s3.env())
        done = subprocess.run(["sh", "-ec", text], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, timeout=180)
        if done.returncode:
            raise RuntimeError(f"{text}\nended with {done.returncode}: {done.stdout[-1500:]}")
        return done.stdout

    def systemctl(self, word):
        self.run(f"systemctl {word} cairn")

    def prepare(self):
        """Some data, acknowledged, and a backup after it."""
        self.systemctl("start")
        self.node.make_dashboard_and_user()
        self.writers = [SampleWriter(self.node, 0), LineWriter(self.node, 1)]
        for w in self.writers:
            for n in range(50):
                w.counter = n + 1
                if not w.send(n):
                    raise RuntimeError("a write was refused")
                w.acknowledged.append(n)
        self.config = tree(self.node.config)
        marks = [len(w.acknowledged) for w in self.writers]
        for w in self.writers:
            w.start()  # goes on from where it is
        self.run(f"cairn backup --data=/var/lib/cairn --to={self.to} {self.sealed}")
        for w in self.writers:
            w.stop_now = True
        for w in self.writers:
            w.join(30)
        self.late = [len(w.acknowledged) - mark for w, mark in zip(self.writers, marks)]
        for w, mark in zip(self.writers, marks):
            w.acknowledged = w.acknowledged[:mark]  # what came before the backup must come back

    def check(self, cases, title):
        lost = [w.lost(self.node) for w in self.writers]
        cases.check(f"runbook \"{title}\": samples and lines", not any(lost), str([x[:3] for x in lost]))
        cases.check(f"runbook \"{title}\": there was load", all(self.late), str(self.late))
        missing = self.node.has_dashboard_and_user()
        cases.check(f"runbook \"{title}\": dashboards and users", not missing, missing)
        cases.check(f"runbook \"{title}\": configuration", tree(self.node.config) == self.config)


# -- what went wrong before each --------------------------------------------------------------------------------

def service_killed(d):
    with open(f"{d.shim}/pid") as f:
        os.kill(int(f.read()), signal.SIGKILL)


def configuration_broken(d):
    d.systemctl("stop")
    with open(f"{d.node.config}/prometheus/prometheus.yml", "w") as f:
        f.write("scrape_configs: [oops\n")
    os.remove(f"{d.node.config}/prometheus/rules/a.yml")


def data_damaged(d):
    for where, _, names in os.walk(d.node.data):
        for name in names:
            with open(os.path.join(where, name), "r+b") as f:
                f.write(b"damage")


def logs_damaged(d):
    shutil.rmtree(f"{d.node.data}/logs/blocks")


def node_lost(d):
    """Another machine: nothing but the package's empty folder, and the lock of a backup that died with the old one."""
    stop(d.shim)
    shutil.rmtree(f"{d.root}/etc")
    shutil.rmtree(d.node.data)
    os.makedirs(f"{d.root}/etc")
    os.makedirs(d.node.data)
    with open(f"{d.node.data}/started-once", "w") as f:
        f.write("by the package\n")


FAULTS = {"the service has died": service_killed, "the configuration is broken or lost": configuration_broken,
          "the data is damaged or lost": data_damaged, "the data of one role is damaged": logs_damaged,
          "the whole node is lost": node_lost, "does a restore still work?": lambda d: None}


def runbooks(cases, folder, s3, every_way=False):
    """Each runbook with backups in a folder or in a bucket, in turn; every_way: each with both."""
    texts = read_runbooks()
    cases.check("every runbook has its fault here, and every fault its runbook", set(texts) == set(FAULTS),
                str(set(texts) ^ set(FAULTS)))
    drills = [(title, fault, i % 2 == way) for way in ((1, 0) if every_way else (1,)) for i, (title, fault) in enumerate(FAULTS.items())]
    for i, (title, fault, in_folder) in enumerate(drills):
        d = Drill(folder, s3, f"drill{i}", in_folder)
        try:
            d.prepare()
            fault(d)
            d.run(texts[title])
            d.check(cases, title)
        except (RuntimeError, OSError, KeyError) as e:
            cases.check(f"runbook \"{title}\"", False, str(e))
        finally:
            stop(d.shim)


if __name__ == "__main__":
    sys.exit(systemctl(sys.argv[1:]))
