"""Starts a real Cairn on free loopback ports and talks to it over HTTP. Python 3 standard library only."""
import base64
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PASSWORD = "test-secret"
PROGRAM = os.environ.get("CAIRN", f"{ROOT}/build/cairn")
ROLES = ("metrics", "logs", "agent", "dashboards", "demo")


HANDED_OUT = set()


def free_port(distance=0):
    """Never the same twice, and below the ports that the system gives to outgoing connections, which would take it before the server
    does. With a distance the port that many above it is free too."""
    while True:
        port = random.SystemRandom().randrange(10000, 32000 - distance)
        wanted = {port, port + distance}
        if HANDED_OUT & wanted:
            continue
        try:
            for p in wanted:
                with socket.socket() as s:
                    s.bind(("127.0.0.1", p))
        except OSError:
            continue
        HANDED_OUT.update(wanted)
        return port


class Stack:
    """One `cairn serve`; a context manager that stops it and removes its data."""

    def __init__(self, demo=True, flags=(), data=None):
        self.dir = data or tempfile.mkdtemp(prefix="cairn-test-")
        self.own_dir = data is None
        self.ports = {role: free_port() for role in ROLES}
        self.demo, self.flags, self.process = demo, list(flags), None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        if self.own_dir:
            shutil.rmtree(self.dir, ignore_errors=True)

    def command(self):
        args = [PROGRAM, "serve", f"--data={self.dir}/data"]
        args += [f"--{role}-address=127.0.0.1:{self.ports[role]}" for role in ROLES]
        if self.demo:
            args += ["--demo", f"--demo-log={self.dir}/app.log"]
        return args + self.flags

    def start(self):
        self.log = open(f"{self.dir}/cairn.log", "ab")
        env = dict(os.environ, GF_SECURITY_ADMIN_PASSWORD=PASSWORD)
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log, env=env)
        self.wait_ready()

    def wait_ready(self, seconds=60):
        wanted = {"metrics": "/-/ready", "logs": "/ready", "dashboards": "/api/health"}
        until = time.monotonic() + seconds
        for role, path in wanted.items():
            while True:
                if self.process.poll() is not None:
                    raise RuntimeError(f"cairn ended with {self.process.returncode}:\n{self.tail()}")
                try:
                    if self.get(role, path)[0] == 200:
                        break
                except OSError:
                    pass
                if time.monotonic() > until:
                    raise RuntimeError(f"{role} was not ready in {seconds} s:\n{self.tail()}")
                time.sleep(0.05)

    def tail(self, lines=30):
        with open(f"{self.dir}/cairn.log", errors="replace") as f:
            return "".join(f.readlines()[-lines:])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def url(self, role, path=""):
        return f"http://127.0.0.1:{self.ports[role]}{path}"

    def request(self, role, path, body=None, headers=None, method=None, timeout=30):
        """(status, body bytes, headers); HTTP errors are results, broken connections raise OSError."""
        headers = dict(headers or {})
        if role == "dashboards":
            headers.setdefault("Authorization", "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode())
        req = urllib.request.Request(self.url(role, path), data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(req, timeout=timeout) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as e:
            return e.code, e.read(), e.headers

    def get(self, role, path, **params):
        query = "?" + urllib.parse.urlencode(params, doseq=True) if params else ""
        status, body, _ = self.request(role, path + query)
        return status, body

    def get_json(self, role, path, **params):
        status, body = self.get(role, path, **params)
        if status != 200:
            raise RuntimeError(f"{path} {params}: {status} {body[:300]!r}")
        return json.loads(body)

    def instant(self, query, **params):
        return self.get_json("metrics", "/api/v1/query", query=query, **params)["data"]["result"]

    def wait_for(self, what, condition, seconds=60):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            value = condition()
            if value:
                return value
            time.sleep(0.2)
        raise RuntimeError(f"waited {seconds} s for {what}\n{self.tail()}")

    def remote_write(self, series):
        """series: [(labels dict, [(timestamp ms, value)])]. Returns the status."""
        body = snappy_literal(write_request(series))
        return self.request("metrics", "/api/v1/write", body=body, method="POST", headers={
            "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0"})[0]

    def push_lines(self, labels, entries):
        """entries: [(timestamp ns, line)]."""
        body = json.dumps({"streams": [{"stream": labels, "values": [[str(t), l] for t, l in entries]}]}).encode()
        return self.request("logs", "/loki/api/v1/push", body=body, method="POST",
                            headers={"Content-Type": "application/json"})[0]


# -- the remote-write body by hand: protobuf (proto3 wire format) and snappy's block format with literals only

def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def write_request(series):
    out = b""
    for labels, samples in series:
        body = b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in sorted(labels.items()))
        for ts, value in samples:
            body += field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(ts & (1 << 64) - 1))
        out += field(1, body)
    return out


def snappy_literal(data):
    out = varint(len(data))
    for at in range(0, len(data), 65536):
        part = data[at:at + 65536]
        out += b"\xf4" + struct.pack("<H", len(part) - 1) + part
    return out


class Cases:
    """Counts named checks; ends with the line CI reads."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, ok, detail=""):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {name}: {detail}", flush=True)

    def run(self, name, fn, *args):
        """A check that fails when fn raises or returns False."""
        try:
            self.check(name, fn(*args) is not False)
        except Exception as e:  # a broken case must not hide the others
            self.check(name, False, f"{type(e).__name__}: {e}")

    def finish(self):
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0
