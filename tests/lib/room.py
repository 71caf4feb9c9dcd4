"""Runs the program shut in: a root folder in which nothing else is, read-only but for its data, as a user that is not root, on a
network of its own where the roles have their real ports. Needs root and `unshare`. Python 3 standard library only.

A script that uses Room starts with enter(): that runs the script again inside new namespaces.
"""
import contextlib
import os
import subprocess
import sys
import time
import zoneinfo
from datetime import datetime

from stack import PASSWORD, Stack

PORTS = {"metrics": 9090, "logs": 3100, "agent": 9080, "dashboards": 3000, "demo": 5000}
USER = 65532


def enter():
    """Comes back inside network, mount and process namespaces of our own; what is mounted and started there ends with the script.
    Ends the script where there can be none: in a chroot the root is no mount whose propagation could be cut."""
    if os.environ.get("CAIRN_ROOM") != "inside":
        if subprocess.run(["unshare", "--net", "--mount", "true"], stderr=subprocess.DEVNULL).returncode:
            print(f"skipped: {sys.argv[0]}: no namespaces can be made here (a chroot?), so what it makes was not run")
            sys.exit(0)
        os.environ["CAIRN_ROOM"] = "inside"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                               sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class Room(Stack):
    """One `cairn serve` inside root. command: what to start there, ["/usr/bin/cairn", "serve", ...]; runner: an emulator, also inside."""

    def __init__(self, root, command, data="/data", env=None, runner=()):
        super().__init__(demo=False)
        self.root, self.words, self.data, self.runner = root, command, data, list(runner)
        self.ports, self.env = dict(PORTS), {"GF_SECURITY_ADMIN_PASSWORD": PASSWORD, **(env or {})}

    def start(self):
        # Read-only, with the data folder's own bytes back on top, as `docker run --read-only -v` has it.
        kept = os.path.join(self.dir, "kept")
        subprocess.run(["cp", "-a", self.root + self.data, kept], check=True)
        for words in (["--bind", self.root, self.root], ["-o", "remount,bind,ro", self.root], ["--bind", kept, self.root + self.data]):
            subprocess.run(["mount", *words], check=True)
        self.log = open(f"{self.dir}/cairn.log", "ab")
        self.process = self.inside(self.words, stdout=self.log, stderr=self.log)
        self.wait_ready()

    def inside(self, words, **more):
        """Starts a command of the root as the user."""
        def shut_in():
            os.chroot(self.root)
            os.chdir(self.data)
            os.setgroups([])
            os.setgid(USER)
            os.setuid(USER)
        return subprocess.Popen(self.runner + words, preexec_fn=shut_in, env=self.env, **more)  # pylint: disable=W1509

    def ask(self, *words):
        """(exit status, what it printed) of another run of the program inside."""
        done = self.inside([self.words[0], *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        out, _ = done.communicate(timeout=30)
        return done.returncode, out

    def stop(self):
        super().stop()
        with contextlib.suppress(subprocess.CalledProcessError):
            for where in (self.root + self.data, self.root):
                subprocess.run(["umount", where], check=True, capture_output=True)


def check_roles(cases, room):
    """What a user would try first, of every role; each touches libraries that only it uses."""
    cases.run("health asks every role", lambda: room.ask("health")[0] == 0)
    cases.check("metrics watches itself", room.wait_for(
        "a sample", lambda: room.instant('count({__name__=~"[a-z_]+.*"})')))
    now = time.time_ns()
    cases.run("a remote write (protobuf, snappy) is taken", lambda: room.remote_write(
        [({"__name__": "room", "job": "test"}, [(now // 10**6, 42.5)])]) // 100 == 2)
    cases.run("and queried", lambda: room.wait_for("the sample", lambda: [r["value"][1] for r in room.instant("room")] == ["42.5"]))
    cases.run("lines are taken", lambda: room.push_lines({"app": "room"}, [(now, "at Berlin line one")]) == 204)
    query = '{app=~"ro{2}m"} |~ "l[i]ne (one|two)" | regexp "at (?P<where>\\\\w+)" | line_format "{{.where}}"'
    lines = lambda q: [v[1] for s in room.get_json("logs", "/loki/api/v1/query_range", query=q, limit=5)["data"]["result"]
                       for v in s["values"]]
    cases.run("and found through regular expressions", lambda: room.wait_for("the line", lambda: lines(query) == ["Berlin"]))
    cases.run("the agent's pages answer", lambda: room.get("agent", "/metrics")[0] == 200)
    cases.run("the web app is there", lambda: b"<!doctype html" in room.get("dashboards", "/")[1].lower())
    cases.run("the administrator signs in (SQLite, password hash)",
              lambda: room.get_json("dashboards", "/api/user")["login"] == "admin")


def check_zone(cases, room):
    """A time zone's rules are found inside."""
    expected = int(datetime(2026, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).timestamp())
    query = '{app="room"} | line_format `{{ toDateInZone "2006-01-02 15:04" "Europe/Berlin" "2026-07-01 12:00" | unixEpoch }}`'
    found = [v[1] for s in room.get_json("logs", "/loki/api/v1/query_range", query=query)["data"]["result"] for v in s["values"]]
    cases.check("Europe/Berlin is known", found == [str(expected)], found)


def check_stop(cases, room):
    room.process.terminate()
    cases.check("it ends by itself when told to", room.process.wait(30) == 0, room.process.returncode)
